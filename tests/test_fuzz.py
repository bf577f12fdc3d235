"""Damaged, odd and hostile input to everything that reads: a result, or an error that is documented, in little memory.

`TINYGRAD_CLS_FUZZ` says how many inputs each reader gets. A failure names the seed, which makes the same input again.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import re
import struct
import warnings

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls import data
from tinygrad_cls.cli import main
from tinygrad_cls.optim import schedules

try:
    import resource
except ImportError:  # Windows
    resource = None

COUNT = int(os.environ.get("TINYGRAD_CLS_FUZZ", 500))

NUMBERS = "0 1 -1 1.5 1e5 1e400 -0.0 .5 5. +3 nan inf -Infinity 1_000 0x10 1,5 1.2.3 １２ ٣ ² 1e 1e+ - --"
TEXTS = ["zwei", "é", "猫", "", " ", "\t", '"', '""', '"a', 'a"b', "'1'", '"1,2"', '"1\n2"']
LETTERS = ["\0", "\x1b[31m", "\ufeff", "\u202e", "\r", "9" * 400]
CELLS = [*NUMBERS.split(), *TEXTS, *LETTERS]
DELIMITERS = [",", ";", "\t", "|", " ", "", ",,", "\n", '"', "\0", "é", "猫"]
ENCODINGS = [
    "utf-8",
    "UTF8",
    "gbk",
    "cp1252",
    "latin-1",
    "utf-16",
    "ascii",
    "utf-7",
    "idna",
    "punycode",
    "hex",
    "rot13",
    "",
    "no",
    "\0",
]


def mutated(rng: random.Random, content: bytes) -> bytes:
    """The content with some bytes changed, left out, repeated or cut off."""
    changed = bytearray(content)
    for _ in range(rng.choice((0, 1, 1, 2, 8))):
        at, to = (rng.randrange(len(changed) + 1) for _ in range(2))
        how = rng.randrange(5)
        if how == 0 and at < len(changed):
            changed[at] = rng.randrange(256)
        elif how == 1:
            changed[at:at] = rng.randbytes(rng.choice((1, 3, 40)))
        elif how == 2:
            del changed[min(at, to) : max(at, to)]
        elif how == 3:
            changed[at:at] = changed[min(at, to) : max(at, to)][:200]
        elif at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def peak() -> int:
    """The most memory that the process ever had, in bytes; 0 where nobody knows."""
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@contextlib.contextmanager
def little_memory(megabytes):
    """No input, of some hundred bytes, may make the process grow by much."""
    before = peak()
    yield
    assert peak() - before < megabytes << 20


def seeds(count=COUNT, megabytes=64):
    with little_memory(megabytes):
        for seed in range(count):
            yield seed, random.Random(seed)


# --- CSV ------------------------------------------------------------------------------------------------------


def csv_content(rng: random.Random) -> tuple[bytes, dict]:
    columns, delimiter = rng.randint(1, 4), "," if rng.random() < 0.8 else rng.choice(";\t ")
    good = rng.random() < 0.5
    rows = [[rng.choice("abcxy") + str(k) for k in range(columns)]] if rng.random() < 0.8 else []
    for _ in range(rng.randint(0, 6)):
        row = [f"{rng.uniform(-9, 9):.3g}" for _ in range(columns - 1)] + [rng.choice("ab1")]
        rows.append(row if good else [rng.choice(CELLS) if rng.random() < 0.2 else cell for cell in row])
    text = rng.choice(("\n", "\n", "\r\n", "\r")).join(delimiter.join(row) for row in rows)
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "gbk", "utf-16", "utf-8"))
    content = mutated(rng, text.encode(encoding, "replace")) if rng.random() < 0.6 else text.encode(encoding, "replace")
    options = {}
    if rng.random() < 0.3:
        options["delimiter"] = rng.choice(DELIMITERS)
    if rng.random() < 0.3:
        options["encoding"] = rng.choice(ENCODINGS)
    if rng.random() < 0.3:
        options["header"] = rng.random() < 0.5
    return content, options


def test_csv(tmp_path):
    path, read = tmp_path / "x.csv", 0
    for seed, rng in seeds():
        content, options = csv_content(rng)
        path.write_bytes(content)
        label = -1 if rng.random() < 0.7 else rng.choice((0, 1, 7, -9, "a0", "x1", "", "\0"))
        classes = None if rng.random() < 0.8 else rng.choice((("a", "b", "1"), ("a", "a"), ()))
        try:
            if rng.random() < 0.3:
                inputs, names = data.read_csv_inputs(path, columns=rng.choice((None, None, ["a0"], [])), **options)
                labels = np.zeros(len(inputs), int)
            else:
                found = data.read_csv(path, label=label, class_names=classes, **options)
                inputs, names, labels = found.inputs, found.feature_names, found.labels
                assert labels.max() < len(found.class_names)
        except ValueError:
            continue
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {content!r}, {options}") from error
        read += 1
        assert inputs.shape == (len(labels), len(names)), seed
        assert np.isfinite(inputs).all(), seed
    assert read > COUNT / 20


# --- IDX ------------------------------------------------------------------------------------------------------


def idx_content(rng: random.Random) -> bytes:
    code, size = rng.choice(((8, 1), (9, 1), (11, 2), (12, 4), (13, 4), (14, 8)))
    shape = [rng.choice((0, 1, 2, 5, 5, 28)) for _ in range(rng.randint(1, 3))]
    announced = [rng.choice((n, n, n, n + 1, 2**31, 2**32 - 1)) for n in shape] if rng.random() < 0.3 else shape
    content = struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *announced)
    content += rng.randbytes(size * int(np.prod(shape)))
    if rng.random() < 0.6:
        content = mutated(rng, content)
    if rng.random() < 0.3:
        content = gzip.compress(content, 1)
        if rng.random() < 0.6:
            content = mutated(rng, content)
    return content


def test_idx(tmp_path):
    path, other, read = tmp_path / "x.idx", tmp_path / "labels", 0
    other.write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 5) + bytes((0, 1, 2, 1, 0)))
    for seed, rng in seeds():
        content = idx_content(rng)
        path.write_bytes(content)
        try:
            array = data.read_idx(path)
            read += 1
            assert array.nbytes <= len(content) or content[:2] == b"\x1f\x8b"
            for pair in ((path, other), (other, path), (path, path)):
                with contextlib.suppress(ValueError):
                    data.read_idx_dataset(*pair)
        except ValueError as error:
            assert str(path) in str(error), seed  # noqa: PT017
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {content!r}") from error
    assert read > COUNT / 20


# --- checkpoints ----------------------------------------------------------------------------------------------


def parts():
    model = tg.nn.Sequential(tg.nn.Linear(2, 2, generator=np.random.default_rng(0)), tg.nn.Dropout(0.5))
    optimiser = tg.optim.Adam(model.parameters(), lr=0.1)
    for parameter in model.parameters():
        parameter.grad = tg.Tensor(np.ones(parameter.shape, np.float32))
    optimiser.step()
    schedule = schedules.Schedule(optimiser, schedules.cosine(9))
    return {"model": model, "optimiser": optimiser, "schedule": schedule, "generators": np.random.default_rng(1)}


def state(parts):
    return [
        {name: array.tobytes() for name, array in parts["model"].state_dict().items()},
        str(parts["optimiser"].state_dict()),
        parts["schedule"].state_dict(),
        parts["generators"].bit_generator.state,
    ]


NONSENSE = [None, True, -1, 0, 1.5, 1e400, 10**40, "", "x", [], [1], {}, {"": 1}, [[]], "\ud800", "9" * 5000, "PCG64"]


def odd(rng: random.Random, value, depth=0):
    """The value with something in it exchanged for nonsense, taken away or added."""
    if rng.random() < 0.1 or depth > 6:
        return rng.choice(NONSENSE)
    if isinstance(value, dict) and value:
        key = rng.choice(sorted(value))
        how = rng.randrange(4)
        rest = {name: each for name, each in value.items() if name != key or how}
        if how == 1:
            rest[rng.choice(("", "steps", "new", "\0"))] = rng.choice(NONSENSE)
        elif how:
            rest[key] = odd(rng, value[key], depth + 1)
        return rest
    if isinstance(value, list) and value:
        at = rng.randrange(len(value))
        return [*value[:at], odd(rng, value[at], depth + 1), *value[at + rng.randrange(2) :]]
    return rng.choice(NONSENSE)


def contents(whole: bytes) -> tuple[dict, dict, dict]:
    """The format's header, our notes in it, and the tensors."""
    from safetensors.numpy import load

    head = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
    return head, json.loads(head["__metadata__"]["tinygrad_cls"]), load(whole)


def test_checkpoints(tmp_path):
    save = pytest.importorskip("safetensors.numpy").save
    path, read, restored = tmp_path / "x.safetensors", 0, 0
    given = parts()
    tg.save(path, **given, metadata={"history": {"loss": [1.0]}})
    whole, before = path.read_bytes(), state(given)
    head, notes, tensors = contents(whole)
    for seed, rng in seeds():
        how = rng.randrange(4)
        if how == 0:
            content = mutated(rng, whole)
        elif how == 1:  # the format's own header
            text = json.dumps(odd(rng, head)).encode()
            content = (rng.choice((len(text), len(text), 2**40)) if rng.random() < 0.2 else len(text)).to_bytes(
                8, "little"
            )
            content += text + whole[8 + int.from_bytes(whole[:8], "little") :]
        else:  # ours, in a file that is whole, without a checksum
            text = (
                json.dumps(odd(rng, notes)) if how == 2 else mutated(rng, json.dumps(notes).encode()).decode("latin-1")
            )
            text = text.replace('"x"', "9" * 5000) if rng.random() < 0.05 else text
            some = {name: tensors[name] for name in rng.sample(sorted(tensors), rng.randint(0, len(tensors)))}
            chosen = tensors if rng.random() < 0.7 else some
            content = save(chosen, {"tinygrad_cls": text})
        path.write_bytes(content)
        try:
            checkpoint = tg.load(path)
            read += 1
            checkpoint.restore(**given)
        except ValueError as error:
            assert str(path) in str(error), seed  # noqa: PT017
            assert state(given) == before, seed
            continue
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {content!r}") from error
        restored += 1
        for parameter in given["model"].parameters():
            parameter.grad = tg.Tensor(np.ones(parameter.shape, np.float32))
        with np.errstate(all="ignore"):  # what was restored can be gone on with
            given["optimiser"].step()
        given["schedule"].step()
        given["generators"].random()
        given["model"](np.ones(2))
        given = parts()
        path.write_bytes(whole)
        tg.load(path).restore(**given)
        assert state(given) == before
    assert read > COUNT / 10
    assert restored > COUNT / 50


# --- the command line -----------------------------------------------------------------------------------------

VALUES = [
    "",
    "0",
    "1",
    "-1",
    "2",
    "0.5",
    "1e-3",
    "nan",
    "inf",
    "-inf",
    "x",
    "猫",
    "\x1b[31m",
    "--",
    "-",
    "1_0",
    "9" * 30,
    "9" * 12,
    "a b",
]
COMMANDS = {
    "why": {
        "--logits": [["1", "2"], ["0", "0", "0"], ["-5", "1e2"], ["nan", "1"], []],
        "--label": [["0"], ["1"]],
        "--loss": [["mse"], ["ridge"], ["hinge"]],
        "--lang": [["en"], ["zh"]],
    },
    "draw": {"--input": [["1", "2"], ["0"], []], "--label": [["0"]], "--folded": [[]], "--direction": [["TB"]]},
    "train": {
        "--label": [["y"], ["-1"]],
        "--no-header": [[]],
        "--delimiter": [[";"], ["tab"]],
        "--encoding": [["gbk"]],
        "--labels": [["LABELS"], ["DATA"]],
        "--model": [["softmax"]],
        "--hidden": [["3", "2"], ["0"], []],
        "--activation": [["tanh"]],
        "--dropout": [["0.5"]],
        "--loss": [["mse"]],
        "--optimiser": [["sgd"], ["adam"]],
        "--lr": [["0.1"]],
        "--momentum": [["0.5"]],
        "--weight-decay": [["0.1"]],
        "--schedule": [["constant"]],
        "--warm-up": [["1"]],
        "--batch-size": [["8"]],
        "--patience": [["1"]],
        "--seed": [["3"]],
        "--validation": [["0.3"]],
        "--test": [["0.3"]],
        "--resume": [[]],
    },
    "predict": {"--no-header": [[]], "--delimiter": [[";"], ["tab"]], "--encoding": [["gbk"], ["utf-16"]]},
}


def words(rng: random.Random, folder) -> list[str]:
    command = rng.choice(["train", "predict", *COMMANDS] * 9 + ["", "--help", "--version", "nonsense"])
    files = [str(folder / name) for name in ("data.csv", "model.safetensors", "images", "labels", "none", "")]
    given = [command]
    if command == "train":
        given.append(rng.choice([files[0]] * 20 + [*files, "iris", "\0"]))
        given += ["--epochs", rng.choice(("1", "1", "1", "1", "0", "x"))]
    elif command == "predict":
        given += [rng.choice([files[1]] * 20 + files), rng.choice([files[0]] * 20 + files)]
    elif command == "draw":
        given.append(rng.choice(("softmax", "relu", "exp", "cross_entropy", "std", "nonsense")))
    options = COMMANDS.get(command, {})
    for name in rng.sample(sorted(options), min(len(options), rng.choice((0, 1, 1, 2, 4)))):
        values = rng.choice(options[name])
        if rng.random() < 0.3:
            values = [rng.choice(VALUES) for _ in values]
        given += [name, *({"LABELS": files[3], "DATA": files[0]}.get(value, value) for value in values)]
    output = {
        "train": rng.choice(("run", "run", "run", "data.csv", "images/run")),
        "why": "why",
        "draw": rng.choice(("x.svg", "x.dot", "x.gif", "no/x.svg", "run")),
        "predict": rng.choice(("x.csv", "x.csv", "data.csv", "no/x.csv", "model.safetensors")),
    }
    if command in output:
        given += ["--output", str(folder / output[command])]
    if rng.random() < 0.05:
        rng.shuffle(given)
    return given


def held(folder) -> dict:
    """What is in a folder: the bytes of each file, None for a folder."""
    return {path: None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")}


PYTHONS = re.compile(r"\b[a-z_]+=|[a-z]_[a-z]|\b(numpy|ndarray|None|object|dtype|codec|Errno|[A-Za-z]+Error)\b")


def pythons(message: str) -> set[str]:
    """What a message has of Python, where the command line should speak: what it quotes and its own names apart."""
    words = re.sub(r"'[^'\n]*'|/\S+|tinygrad_cls|mnist_5k|breast_cancer|cross_entropy", "", message)
    return {found[0] for line in words.splitlines() if "tinygrad-cls" in line for found in PYTHONS.finditer(line)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("first", "count"), [(0, max(COUNT // 10, 50)), pytest.param(1000, COUNT, marks=pytest.mark.slow)]
)
def test_command_line(first, count, tmp_path, monkeypatch):
    for package in ("matplotlib", "sklearn"):
        pytest.importorskip(package)
    save = pytest.importorskip("safetensors.numpy").save
    monkeypatch.chdir(tmp_path)
    table, model = tmp_path / "data.csv", tmp_path / "model.safetensors"
    table.write_text("x,z,y\n" + "".join(f"{i / 7:.2f},{i % 5},{'ab'[i % 2]}\n" for i in range(30)), encoding="utf-8")
    (tmp_path / "images").write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, 20, 2, 3) + bytes(range(120)))
    (tmp_path / "labels").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 20) + bytes(i % 2 for i in range(20)))
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["train", str(table), "--epochs", "1", "--output", str(tmp_path / "first")]) == 0
    whole = (tmp_path / "first" / "last.safetensors").read_bytes()
    _, notes, tensors = contents(whole)
    seen = dict.fromkeys((0, 1, 2), 0)
    for seed, _ in seeds(count, 256):
        rng = random.Random(first + seed)
        given, errors = words(rng, tmp_path), io.StringIO()
        changed = save(tensors, {"tinygrad_cls": json.dumps(odd(rng, notes))})
        model.write_bytes(changed if rng.random() < 0.5 else whole)
        if "--resume" in given:
            (tmp_path / "run").mkdir(exist_ok=True)
            (tmp_path / "run" / "last.safetensors").write_bytes(model.read_bytes())
        before = held(tmp_path)
        try:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(errors),
                warnings.catch_warnings(),
            ):
                status = main(given)
        except SystemExit as end:
            status = end.code
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {given}") from error
        seen[status] += 1
        assert status == 0 or errors.getvalue().strip(), (seed, given)
        assert all(c.isprintable() or c == "\n" for c in errors.getvalue()), (seed, given)
        assert status == 0 or "--resume" in given or held(tmp_path) == before, (seed, given)
        assert not pythons(errors.getvalue()), (seed, given, errors.getvalue())
        assert table.read_bytes() == before[table], (seed, given)  # nothing is written over what is read
        for name in ("run",):
            left = tmp_path / name
            if left.is_dir() and rng.random() < 0.8:
                for file in left.iterdir():
                    file.unlink()
    assert all(seen.values())
