"""Checkpoints: what goes in comes out, an error changes nothing, and no interruption damages a file."""

from __future__ import annotations

import json
import os
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_cls as tg
from tinygrad_cls.files import write
from tinygrad_cls.optim import schedules

safetensors = pytest.importorskip("safetensors")


def run(seed=0):
    generator = np.random.default_rng(seed)
    model = tg.nn.Sequential(
        tg.nn.Linear(4, 6, generator=generator),
        tg.nn.Dropout(0.2, generator=np.random.default_rng(seed + 1)),
        tg.nn.Linear(6, 3, generator=generator),
    )
    optimiser = tg.optim.AdamW(model.parameters(), lr=0.05)
    schedule = schedules.Schedule(optimiser, schedules.warm_up(3).then(schedules.cosine(40)))
    return {"model": model, "optimiser": optimiser, "schedule": schedule, "generators": {"batches": generator}}


def train(parts, steps):
    for _ in range(steps):
        x = parts["generators"]["batches"].standard_normal((8, 4)).astype(np.float32)
        parts["optimiser"].zero_grad()
        tg.cross_entropy(parts["model"](x), (x[:, 0] > 0).astype(int)).backward()
        parts["optimiser"].step()
        parts["schedule"].step()


def test_a_restored_run_goes_on_in_the_same_bits(tmp_path):
    path = tmp_path / "run.safetensors"
    unbroken = run()
    train(unbroken, 10)
    tg.save(path, **unbroken, metadata={"epoch": np.int64(3), "names": ["a", "é"]})
    train(unbroken, 10)
    resumed = run(seed=99)
    checkpoint = tg.load(path)
    assert checkpoint.metadata == {"epoch": 3, "names": ["a", "é"]}
    checkpoint.restore(**resumed)
    train(resumed, 10)
    for (name, a), (_, b) in zip(
        unbroken["model"].state_dict().items(), resumed["model"].state_dict().items(), strict=True
    ):
        assert a.tobytes() == b.tobytes(), name
    assert unbroken["optimiser"].groups[0]["lr"] == resumed["optimiser"].groups[0]["lr"]


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_every_bit_generator_goes_on(tmp_path, kind):
    def made(seed):
        return np.random.Generator(getattr(np.random, kind)(seed))

    generator = made(0)
    generator.random(7, np.float32)
    tg.save(tmp_path / "g", generators=generator)
    other = made(1)
    tg.load(tmp_path / "g").restore(generators=other)
    assert generator.random(5).tolist() == other.random(5).tolist()


def test_dtypes_and_shapes_go_round(tmp_path):
    model = tg.nn.Module()
    model.tensors = [
        tg.Tensor(np.array(2.5, np.float16)),
        tg.Tensor(np.arange(6.0).reshape(2, 3).T),
        tg.Tensor(np.zeros((0, 3), np.int32)),
        tg.Tensor([True, False]),
        tg.Tensor([np.nan, np.inf, -0.0]),
    ]
    before = {name: array.copy() for name, array in model.state_dict().items()}
    tg.save(tmp_path / "m", model=model)
    loaded = tg.load(tmp_path / "m").model_state
    assert loaded.keys() == before.keys()
    for name in before:
        assert (loaded[name].dtype, loaded[name].shape) == (before[name].dtype, before[name].shape)
        assert loaded[name].tobytes() == before[name].tobytes()


def test_one_s_own_safetensors_file_is_only_tensors(tmp_path):
    from safetensors.numpy import save_file

    save_file({"weight": np.ones(2)}, tmp_path / "x")
    checkpoint = tg.load(tmp_path / "x")
    assert checkpoint.tensors["weight"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="holds no model; it holds plain tensors"):
        checkpoint.restore(model=tg.nn.Linear(1, 1))


def test_an_error_restores_nothing(tmp_path):
    parts = run()
    train(parts, 3)
    tg.save(tmp_path / "x", **parts)
    other = run(seed=5)
    other["generators"] = {"batches": np.random.Generator(np.random.Philox(3))}
    train(other, 2)
    before = {name: array.copy() for name, array in other["model"].state_dict().items()}
    lr, state = other["optimiser"].groups[0]["lr"], other["optimiser"].state_dict()["state"][0]["average"]
    with pytest.raises(ValueError, match="batches is a PCG64, here it is a Philox"):
        tg.load(tmp_path / "x").restore(**other)
    other["schedule"] = schedules.Schedule(
        tg.optim.SGD([{"parameters": [tg.Tensor([1.0], requires_grad=True)]} for _ in range(2)], lr=1.0),
        schedules.cosine(3),
    )
    other["generators"] = None
    with pytest.raises(ValueError, match="cannot be restored: the state is of a schedule over 1 groups"):
        tg.load(tmp_path / "x").restore(**other)
    for name, array in other["model"].state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert other["optimiser"].groups[0]["lr"] == lr
    np.testing.assert_array_equal(other["optimiser"].state_dict()["state"][0]["average"], state)


def test_parts_that_do_not_fit_are_named(tmp_path):
    parts = run()
    tg.save(tmp_path / "x", model=parts["model"], optimiser=parts["optimiser"])
    checkpoint = tg.load(tmp_path / "x")
    with pytest.raises(ValueError, match="holds no schedule; it holds model, optimiser"):
        checkpoint.restore(schedule=parts["schedule"])
    with pytest.raises(ValueError, match="holds no generator batches"):
        checkpoint.restore(generators=parts["generators"])
    with pytest.raises(ValueError, match="the state of AdamW, not of SGD"):
        checkpoint.restore(optimiser=tg.optim.SGD(parts["model"].parameters(), lr=1.0))
    with pytest.raises(ValueError, match=r"mismatched: layers\.0\.weight"):
        checkpoint.restore(model=tg.nn.Sequential(tg.nn.Linear(5, 6), tg.nn.Dropout(), tg.nn.Linear(6, 3)))


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path):
    path = tmp_path / "x"
    tg.save(path, metadata={"epoch": 1})
    with pytest.raises(TypeError, match="what JSON can hold"):
        tg.save(path, metadata={"epoch": object()})
    model = tg.nn.Module()
    model.x = tg.Tensor(np.zeros(2, np.longdouble))
    with pytest.raises(TypeError, match=r"no dtype for model\.x"):
        tg.save(path, model=model)
    with pytest.raises(FileNotFoundError):
        tg.save(tmp_path / "missing" / "x", metadata={})
    assert tg.load(path).metadata == {"epoch": 1}
    assert os.listdir(tmp_path) == ["x"]


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "x"
    tg.save(path, metadata={"epoch": 1})
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        tg.save(path, metadata={"epoch": 2})
    assert tg.load(path).metadata == {"epoch": 1}
    assert os.listdir(tmp_path) == ["x"]


def test_saving_to_a_link_writes_what_it_points_to(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    tg.save(tmp_path / "link", metadata={"epoch": 1})
    assert (tmp_path / "link").is_symlink()
    assert tg.load(tmp_path / "file").metadata == {"epoch": 1}


def test_a_damaged_file_is_a_value_error_at_every_length(tmp_path):
    path = tmp_path / "x"
    tg.save(path, model=tg.nn.Linear(1, 1), metadata={"epoch": 1})
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="no whole safetensors file"):
            tg.load(path)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        tg.load(tmp_path / "missing")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_bytes_give_a_value_error_or_another_whole_state(tmp_path, draw):
    path, parts = tmp_path / "x", run()
    train(parts, 1)
    tg.save(path, **parts, metadata={"epoch": 1})
    content = bytearray(path.read_bytes())
    for _ in range(draw.draw(st.integers(1, 4))):
        content[draw.draw(st.integers(0, len(content) - 1))] = draw.draw(st.integers(32, 126))
    path.write_bytes(content)
    before = parts["model"].state_dict()
    try:
        tg.load(path).restore(**parts)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017
        for name, array in parts["model"].state_dict().items():
            np.testing.assert_array_equal(array, before[name])
    train({**parts, "schedule": schedules.Schedule(parts["optimiser"], schedules.cosine(3))}, 1)


def test_every_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "x"
    model = tg.nn.Linear(2, 2)
    optimiser = tg.optim.Adam(model.parameters())
    model.weight.grad = tg.Tensor(np.ones((2, 2), np.float32))
    optimiser.step()
    tg.save(path, model=model, optimiser=optimiser, metadata={"epoch": 1})
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    spared = whole.index(b"checksum")  # the word itself: without it a file is as those of earlier versions
    for at in range(8, len(whole)):
        if spared <= at < spared + 8 or (at < 8 + length and whole[at : at + 1] == b" "):  # what fills up the header
            continue
        flipped = bytearray(whole)
        flipped[at] ^= 1 << (at % 8)
        path.write_bytes(flipped)
        try:
            checkpoint = tg.load(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert not checkpoint.notes, at  # no file of ours any more


def test_a_file_without_a_checksum_is_read(tmp_path):
    from safetensors.numpy import save_file

    save_file({"model.x": np.ones(2)}, tmp_path / "x", {"tinygrad_cls": '{"format": 1, "metadata": {"epoch": 3}}'})
    assert tg.load(tmp_path / "x").metadata == {"epoch": 3}


def test_deeply_nested_notes_are_a_value_error(tmp_path):
    from safetensors.numpy import save_file

    save_file({}, tmp_path / "x", {"tinygrad_cls": "[" * 100_000})
    with pytest.raises(ValueError, match="no whole safetensors file"):
        tg.load(tmp_path / "x")


@pytest.mark.parametrize(
    ("where", "nonsense"),
    [
        *((("optimiser", "state", 0, "steps"), x) for x in (-1, "many", 1.5, None)),
        *((("optimiser", "groups", 0, "lr"), x) for x in (-1.0, "fast", None, [0.1], float("nan"))),
        *((("optimiser", "groups", 0, "eps"), x) for x in (-1.0, "small", None)),
        *((("optimiser", "groups", 0, "betas"), x) for x in ([0.9], "ab", None, [0.9, "x"])),
        *((("schedule", "steps"), x) for x in (-1, "many", 1.5, None)),
        *((("schedule", "initial", 0), x) for x in (-1.0, "fast", None, float("inf"))),
    ],
)
def test_nonsense_is_refused_when_it_is_restored(tmp_path, where, nonsense):
    parts = run()
    train(parts, 1)
    tg.save(tmp_path / "x", **parts)
    checkpoint = tg.load(tmp_path / "x")
    place = checkpoint.notes
    for key in where[:-1]:
        place = place[key]
    assert where[-1] in place or isinstance(place, list)
    place[where[-1]] = nonsense
    before = str(parts["optimiser"].state_dict())
    with pytest.raises(ValueError, match="x cannot be restored"):
        checkpoint.restore(**parts)
    assert str(parts["optimiser"].state_dict()) == before


def test_what_a_killed_writer_left_is_swept_and_what_another_writes_is_not(tmp_path):
    path = tmp_path / "x"
    left, other = tmp_path / ".x.0123456789abcdef.tmp", tmp_path / ".y.0123456789abcdef.tmp"
    for each in (left, other):
        each.write_bytes(b"half a file")
    tg.save(path)
    assert sorted(os.listdir(tmp_path)) == [other.name, "x"]
    fcntl = pytest.importorskip("fcntl")
    with open(left, "wb") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        busy.write(b"in the middle")
        busy.flush()
        tg.save(path)
        assert left.exists()
    tg.save(path)
    assert not left.exists()


def test_a_pickle_is_not_opened(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    (tmp_path / "x").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match="no whole safetensors file"):
        tg.load(tmp_path / "x")
    assert not (tmp_path / "executed").exists()


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    from safetensors.numpy import save_file

    for notes in ({"format": 2}, [1], "x"):
        save_file({}, tmp_path / "x", {"tinygrad_cls": json.dumps(notes)})
        with pytest.raises(ValueError, match="another version"):
            tg.load(tmp_path / "x")


def test_a_tensor_without_its_whole_name_is_a_value_error(tmp_path):
    from safetensors.numpy import load, save_file

    parts = run()
    train(parts, 1)
    tg.save(tmp_path / "x", **parts)
    tensors = load((tmp_path / "x").read_bytes())
    text = json.dumps(tg.load(tmp_path / "x").notes)
    for name in ("optimiser.0", "optimiser.", "optimiser.x.average"):
        save_file({**tensors, name: np.ones(2)}, tmp_path / "x", {"tinygrad_cls": text})
        with pytest.raises(ValueError, match=r"x is not as tg.save writes it"):
            tg.load(tmp_path / "x").restore(**parts)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (lambda: {"model": tg.nn.Linear(2, 2).state_dict()}, "model must be a tinygrad_cls Module, not dict"),
        (lambda: {"optimiser": tg.nn.Linear(2, 2)}, "optimiser must be a tinygrad_cls Optimiser, not Linear"),
        (lambda: {"schedule": tg.optim.schedules.cosine(3)}, "schedule must be a tinygrad_cls Schedule, not cosine"),
        (lambda: {"generators": np.random.RandomState(0)}, "generators are numpy.random.Generators, one or a dict"),
        (lambda: {"generators": {"a": 0}}, "generators are numpy.random.Generators"),
    ],
)
def test_parts_of_another_kind_are_refused(tmp_path, parts, message):
    path = tmp_path / "x.safetensors"
    with pytest.raises(TypeError, match=f"save: {message}"):
        tg.save(path, **parts())
    assert not path.exists()
    tg.save(path, model=tg.nn.Linear(2, 2))
    with pytest.raises(TypeError, match=f"restore: {message}"):
        tg.load(path).restore(**parts())


@pytest.mark.parametrize("metadata", [[1], "x", {1: "a", "1": "b"}, {"a": [{2: 3}]}, {"a": {None: 1}}, {(1, 2): 3}])
def test_metadata_that_json_would_change_in_silence_is_refused(tmp_path, metadata):
    with pytest.raises(TypeError, match="dicts with texts for keys"):
        tg.save(tmp_path / "x.safetensors", metadata=metadata)
    assert not list(tmp_path.iterdir())


def test_a_path_or_checkpoint_is_no_state(tmp_path):
    path = tmp_path / "x.safetensors"
    model = tg.nn.Linear(2, 2)
    tg.save(path, model=model)
    for state in (path, str(path), tg.load(path)):
        with pytest.raises(TypeError, match=r"a state is a dict of arrays .*tg.load\(path\)\.restore"):
            model.load_state_dict(state)


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path):
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write(path, b"whole")
    reader.join()
    assert read == [b"whole"]
    assert path.is_fifo()
