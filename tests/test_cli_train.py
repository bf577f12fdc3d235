"""`tinygrad-cls train` and `predict`: what they write and print, going on with a run, and what they refuse."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls.cli import main

pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")
pytest.importorskip("sklearn")

FILES = {
    "accuracy.png",
    "best.safetensors",
    "confusion.png",
    "history.json",
    "last.safetensors",
    "loss.png",
    "samples.png",
}


@pytest.fixture
def irises(tmp_path):
    """The irises as a CSV file."""
    iris = tg.data.load_iris()
    path = tmp_path / "irises.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*iris.feature_names, "kind"])
        for row, label in zip(iris.inputs, iris.labels, strict=True):
            writer.writerow([*row, iris.class_names[label]])
    return path


def test_digits(tmp_path, capsys):
    assert main(["train", "digits", "--epochs", "12", "--output", str(tmp_path / "run")]) == 0
    printed, errors = capsys.readouterr()
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    assert errors == ""
    assert "Sequential(  # 9,610 parameters" in printed
    row = next(line.split() for line in printed.splitlines() if line.startswith("test  "))
    assert row[1] == "270"
    assert float(row[3].rstrip("%")) > 93
    history = json.loads((tmp_path / "run" / "history.json").read_text(encoding="utf-8"))
    assert len(history["validation_accuracy"]) == 12
    for name in ("loss", "accuracy", "confusion", "samples"):
        content = (tmp_path / "run" / f"{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert struct.unpack(">II", content[16:24]) > (700, 500)


@pytest.mark.parametrize(
    "options",
    [
        ["--model", "softmax", "--loss", "mse", "--optimiser", "sgd", "--schedule", "constant"],
        ["--hidden", "20", "10", "--activation", "tanh", "--dropout", "0.1", "--optimiser", "adam", "--warm-up", "2"],
        ["--patience", "1", "--weight-decay", "0.01", "--seed", "3", "--batch-size", "8"],
    ],
)
def test_options_on_a_csv_file(irises, tmp_path, capsys, options):
    words = ["train", str(irises), "--label", "kind", "--epochs", "25", "--output", str(tmp_path / "run"), *options]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "irises: 150 samples of 4 features in 3 classes" in printed
    assert "versicolor" in printed
    row = next(line.split() for line in printed.splitlines() if line.startswith("training"))
    assert float(row[3].rstrip("%")) > 80


def test_predict_says_what_the_model_says(irises, tmp_path, capsys):
    run = tmp_path / "run"
    main(["train", str(irises), "--label", "kind", "--epochs", "20", "--output", str(run)])
    capsys.readouterr()
    assert main(["predict", str(run / "best.safetensors"), str(irises)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    names = np.array(tg.data.load_iris().class_names)
    right = names[tg.data.load_iris().labels] == [row["class"] for row in rows]
    assert right.mean() > 0.9
    assert float(rows[0]["setosa"]) == float(rows[0]["probability"])
    assert sum(float(rows[0][name]) for name in names) == pytest.approx(1, abs=1e-4)

    # the columns are found by name, in any order
    lines = [line.split(",") for line in irises.read_text(encoding="utf-8").splitlines()]
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join(",".join(line[::-1]) for line in lines), encoding="utf-8")
    out = tmp_path / "predictions.csv"
    assert main(["predict", str(run / "best.safetensors"), str(shuffled), "--output", str(out)]) == 0
    assert list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8")))) == rows

    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(",".join(line[:4]) for line in lines[1:]), encoding="utf-8")
    capsys.readouterr()
    assert main(["predict", str(run / "best.safetensors"), str(bare), "--no-header"]) == 0
    assert list(csv.DictReader(io.StringIO(capsys.readouterr().out))) == rows


def test_idx_files(tmp_path, capsys):
    digits = tg.data.load_digits()
    images, labels = tmp_path / "images.idx", tmp_path / "labels.idx"
    pixels = np.round(digits.inputs[:400] * 255).astype(np.uint8)
    images.write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 400, 8, 8) + pixels.tobytes())
    labels.write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 400) + digits.labels[:400].astype(np.uint8).tobytes())
    run = tmp_path / "run"
    assert main(["train", str(images), "--labels", str(labels), "--epochs", "15", "--output", str(run)]) == 0
    capsys.readouterr()
    assert main(["predict", str(run / "best.safetensors"), str(images)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert np.mean([int(row["class"]) == label for row, label in zip(rows, digits.labels, strict=False)]) > 0.85
    assert main(["predict", str(run / "best.safetensors"), str(labels)]) == 1
    assert "the model needs images of [8, 8] bytes, got shape (400,), uint8" in capsys.readouterr().err


def test_ctrl_c_then_resume_ends_in_the_same_bits(tmp_path, capsys, monkeypatch):
    words = ["train", "iris", "--epochs", "6", "--dropout", "0.1", "--output"]
    assert main([*words, str(tmp_path / "unbroken")]) == 0
    original, calls = tg.optim.AdamW.step, 0

    def interrupted(self):
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        original(self)

    with monkeypatch.context() as patch:
        patch.setattr(tg.optim.AdamW, "step", interrupted)
        assert main([*words, str(tmp_path / "broken")]) == 130
    assert "go on with --resume" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "broken")]) == 1
    assert "holds another run" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "broken"), "--resume", "--lr", "0.5"]) == 1
    assert "was started with --lr None, not 0.5" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "broken"), "--resume"]) == 0
    one, other = (tg.load(tmp_path / name / "best.safetensors") for name in ("unbroken", "broken"))
    assert {name: a.tobytes() for name, a in one.tensors.items()} == {
        name: a.tobytes() for name, a in other.tensors.items()
    }


def test_mistakes_are_told_in_one_line(irises, tmp_path, capsys):
    bad = tmp_path / "bad.csv"
    bad.write_text("x,y\n1,a\nzwei,b\n", encoding="utf-8")
    headless, semicolons, chinese, prices, same, years = (tmp_path / f"{i}.csv" for i in range(6))
    headless.write_text("1,2,a\n3,4,b\n", encoding="utf-8")
    semicolons.write_text("x;y\n1;a\n2;b\n", encoding="utf-8")
    chinese.write_text("长度,类\n1,猫\n", encoding="gbk")
    prices.write_text("n,x,price\n" + "".join(f"{i},1,{i / 7:.3f}\n" for i in range(60)), encoding="utf-8")
    same.write_text("x,y\n" + "1,a\n" * 6, encoding="utf-8")
    years.write_text("x,year\n" + "".join(f"1,{1900 + i % 100}\n" for i in range(400)), encoding="utf-8")
    twice, archive, large = (tmp_path / f"{name}.csv" for name in ("twice", "archive", "large"))
    twice.write_text("x,x,y\n" + "1,2,a\n3,4,b\n" * 9, encoding="utf-8")
    archive.write_bytes(b"PK\x03\x04\x14\0\x06\0")
    names = ",".join(tg.data.load_iris().feature_names)
    large.write_text(f"{names}\n1,1,1,1\n3e38,-3e38,3e38,3e38\n", encoding="utf-8")
    run = str(tmp_path / "run")
    main(["train", str(irises), "--label", "kind", "--epochs", "1", "--output", run])
    tg.save(tmp_path / "other.safetensors", metadata={})
    capsys.readouterr()
    checkpoint = f"{run}/best.safetensors"
    for words, message in [
        (["train", "nonsense"], "nonsense is neither a file nor one of digits"),
        (["train", str(bad)], "line 3, column 'x': 'zwei' is no number"),
        (["train", str(irises), "--label", "sort"], "no column is called 'sort'"),
        (["train", "iris", "--epochs", "0"], "--epochs must be 1 or more"),
        (["train", "iris", "--seed", "-1"], "--seed must be 0 or more, not -1"),
        (["train", "iris", "--hidden", "8", "0"], "--hidden needs widths of 1 or more, not 0"),
        (["train", "iris", "--dropout", "nan"], "--dropout is a probability from 0 to 1, not nan"),
        (["train", "iris", "--hidden", "9" * 15], "nable to allocate"),
        (["train", "iris", "--warm-up", "30"], "--warm-up must be shorter than the 30 epochs"),
        (["train", "iris", "--warm-up", "-1"], "and 0 or more"),
        (["train", "iris", "--patience", "0"], "--patience must be 1 or more, not 0"),
        (["train", "iris", "--test", "1e-3"], "150 samples are too few for --validation 0.15 and --test 0.001"),
        (["train", "iris", "--lr", "1e300"], "the loss is nan in epoch 1, batch 2: choose a lower --lr"),
        (["train", str(semicolons), "--delimiter", ";;"], "--delimiter ';;' must be one character"),
        (["train", str(twice)], "more than one column is called 'x'"),
        (["train", str(archive)], "this is no text but an archive, as Excel's .xlsx"),
        (["predict", checkpoint, str(irises), "--output", str(irises)], "is what is read, and would be lost"),
        (["predict", checkpoint, str(irises), "--output", checkpoint], "is what is read, and would be lost"),
        (["predict", checkpoint, str(large)], "of sample 1 the model gives no probabilities: its values are too large"),
        (
            ["train", "iris", "--test", "0.9"],
            "--test 0.9 must be greater than 0, and less than 1 together",
        ),
        (["train", "iris", "--batch-size", "0"], "--batch-size must be a whole number of 1 or more, not 0"),
        (["train", "iris", "--weight-decay", "-1"], "needs a --weight-decay of 0 or more"),
        (["train", str(headless)], "if there is no header, say --no-header; if it is one, name the label's column"),
        (["train", str(semicolons)], "only one column by ',': the first line has ';'"),
        (["train", str(semicolons)], "say --delimiter ';'"),
        (["train", str(chinese)], "say --encoding 'gbk'"),
        (["train", str(prices)], "has 60 different numbers, such as"),
        (["train", str(prices)], "Choose another column by --label"),
        (["train", str(prices), "--label", "n"], "there are 60 classes, '0', '1', …, for 60 samples"),
        (["train", str(years)], "there are 100 classes, '1900', '1901', …, for 400 samples"),
        (["train", str(same)], "all 6 samples are of one class, 'a'"),
        (["train", "iris", "--lr", "-1"], "learning rate of 0 or more"),
        (["predict", f"{run}/missing", str(irises)], "there is no checkpoint"),
        (["predict", str(bad), str(irises)], "no whole safetensors file"),
        (["predict", str(tmp_path / "other.safetensors"), str(irises)], "was not written by `tinygrad-cls train`"),
        (["predict", checkpoint, str(bad)], "no column is called 'sepal length (cm)'"),
        (["predict", checkpoint, str(tmp_path / "none.csv")], "No such file"),
    ]:
        extra = ["--output", str(tmp_path / "new" / "deep")] if words[0] == "train" else []
        assert main([*words, *extra]) == 1, words
        errors = capsys.readouterr().err
        assert message in errors
        assert errors.startswith("tinygrad-cls: ")
        assert not (tmp_path / "new").exists(), words


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:no font here has")  # where no font has Chinese
def test_files_of_excel(irises, tmp_path, capsys):
    text = irises.read_text(encoding="utf-8").replace("kind", "类").replace("setosa", "山鸢尾").replace(",", "\t")
    path = tmp_path / "excel.txt"
    path.write_text(text, encoding="gbk")
    run, words = tmp_path / "run", ["--delimiter", "tab", "--encoding", "gbk"]
    assert main(["train", str(path), "--label", "类", "--epochs", "5", "--output", str(run), *words]) == 0
    assert "山鸢尾" in capsys.readouterr().out
    assert main(["predict", str(run / "best.safetensors"), str(path), *words]) == 0
    assert "山鸢尾" in capsys.readouterr().out.splitlines()[0]


def test_a_reader_that_has_read_enough(irises, tmp_path):
    """As in `tinygrad-cls … | head -1`: no complaint, and what goes to files is there."""
    run = tmp_path / "run"
    for words in (
        ["train", str(irises), "--label", "kind", "--epochs", "2", "--output", str(run)],
        ["predict", str(run / "best.safetensors"), str(irises)],
        ["predict", "--help"],
    ):
        command = [sys.executable, "-m", "tinygrad_cls", *words]
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        with subprocess.Popen(command, stdout=-1, stderr=-1, env=buffered) as program:
            program.stdout.close()
            assert program.stderr.read() == b""
        assert program.returncode == 141
    assert {path.name for path in run.iterdir()} == FILES


def test_a_missing_package_is_said_before_a_folder_is_made(tmp_path, capsys, monkeypatch):
    find_spec = importlib.util.find_spec
    for missing in ("matplotlib", "safetensors"):
        with monkeypatch.context() as patch:
            patch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find_spec(name))  # noqa: B023
            assert main(["train", "iris", "--output", str(tmp_path / "new")]) == 1
        assert f"need {missing}: pip install {missing}" in capsys.readouterr().err
        assert not (tmp_path / "new").exists()


def test_help(capsys):
    for words in (["train", "--help"], ["predict", "--help"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 0
        assert "usage: tinygrad-cls" in capsys.readouterr().out
