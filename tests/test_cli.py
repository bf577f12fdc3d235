"""The command line: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_cls.cli import main

PICTURES = ["folded", "gradient_graph", "gradients", "unfolded"]


def numbers(line):
    return np.array([float(text) for text in re.findall(r"-?[\d.]+(?:e-?\d+)?", line[line.index("[") :])])


def run_why(capsys, folder, *arguments):
    assert main(["why", "--output", str(folder), *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_why_prints_the_graph_and_the_formula_and_draws(loss, tmp_path, capsys):
    printed = run_why(capsys, tmp_path / "new" / "folder", "--loss", loss)
    assert sorted(path.stem for path in (tmp_path / "new" / "folder").glob("*.svg")) == PICTURES
    assert sorted(path.stem for path in (tmp_path / "new" / "folder").glob("*.png")) == PICTURES
    for path in (tmp_path / "new" / "folder").glob("*.svg"):
        ElementTree.fromstring(path.read_text(encoding="utf-8"))
    assert "e = exp(z)" in printed
    assert "y′ = e / S" in printed
    assert str(tmp_path / "new" / "folder") in printed
    found = next(line for line in printed.splitlines() if line.startswith("z.grad"))
    p = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    d = p - [0, 0, 1]
    np.testing.assert_allclose(numbers(found), d if loss == "cross_entropy" else 2 * p * (d - d @ p), rtol=1e-5)


def test_why_begins_with_the_short_answer_then_says_where_the_drawings_are(tmp_path, capsys):
    answer, sentence, drawings, *long_way = run_why(capsys, tmp_path).split("\n\n")
    assert answer == "Why ∂loss/∂z = y′ − y"
    assert "logarithm undoes the exponential" in sentence
    assert drawings.startswith(f"Drawings in {tmp_path}/")
    assert f"The derivation as a page: {tmp_path / 'derivation.html'}" in drawings
    assert "value" in long_way[1]
    assert long_way[3] == answer  # the derivation begins


@pytest.mark.parametrize("there", [True, False])
def test_why_opens_the_page_when_asked(tmp_path, capsys, monkeypatch, there):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or there)
    run_why(capsys, tmp_path / "a b")
    assert not opened
    assert main(["why", "--output", str(tmp_path / "a b"), "--open"]) == 0
    assert opened == [(tmp_path / "a b" / "derivation.html").resolve().as_uri()]
    assert ("no browser" in capsys.readouterr().err) != there


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


Z, W = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0])
ERRORS = np.stack([Z, Z[::-1], np.ones(3)]).T @ np.array([1.0, -1.0, -2.0])  # Xᵀ (X w − t)


@pytest.mark.parametrize(
    ("loss", "option", "value", "gradient"),
    [
        ("temperature", "--temperature", "4", (softmax(Z / 4) - [0, 0, 1]) / 4),
        ("label_smoothing", "--smoothing", "0.3", softmax(Z) - [0.1, 0.1, 0.8]),
        ("ridge", "--penalty", "3", 2 / 3 * ERRORS + 6 * W),
        ("lasso", "--penalty", "3", 2 / 3 * ERRORS + 3 * W),
    ],
)
def test_each_loss_takes_its_own_options(loss, option, value, gradient, tmp_path, capsys):
    found = run_why(capsys, tmp_path, "--loss", loss, option, value).splitlines()
    line = next(line for line in found if re.match(r"[wz]\.grad", line))
    np.testing.assert_allclose(numbers(line), gradient, atol=1e-4)


@settings(max_examples=3)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=8), st.data())
def test_the_largest_difference_is_rounding(logits, data):
    label = data.draw(st.integers(0, len(logits) - 1))
    out = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(out):
        words = ["--logits", *map(repr, logits), "--label", str(label)]
        assert main(["why", "--output", folder, *words]) == 0
    assert float(re.search(r"largest difference: (\S+)", out.getvalue())[1]) < 1e-14


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["why", "--logits", "-1e3", "1e3"], "--logits must lie within"),
        (["why", "--label", "3"], "--label must be a class from 0 to 2, not 3"),
        (["why", "--label", "-1"], "--label must be a class"),
        (["why", "--logits", "1"], "two numbers or more"),
        (["why", "--logits", "1", "nan"], "--logits must lie within"),
        (["why", "--logits", "0", "1000"], "tg.cross_entropy"),
        (["why", "--loss", "hinge"], "invalid choice"),
        (["why", "--loss", "logsumexp", "--label", "1"], "--label is not for logsumexp, which takes --logits"),
        (["why", "--temperature", "2"], "--temperature is not for cross_entropy, which takes --logits and --label"),
        (["why", "--loss", "batch", "--penalty", "2"], "--penalty is not for batch"),
        (["why", "--loss", "two_classes", "--logits", "1", "2", "3"], "two_classes takes 2 --logits, not 3"),
        (["why", "--loss", "temperature", "--temperature", "0"], "--temperature must be above 0, not 0"),
        (["why", "--loss", "label_smoothing", "--smoothing", "1.5"], "--smoothing must be from 0 to 1, not 1.5"),
        (["why", "--loss", "ridge", "--penalty", "-1"], "--penalty must be 0 or more, not -1"),
        (["draw", "nothing"], "invalid choice"),
        (["draw", "cross_entropy", "--label", "3"], "--label must be a class from 0 to 2, not 3"),
        (["draw", "softmax", "--label", "0"], "--label is for cross_entropy, not for softmax"),
        (["draw", "softmax", "--output", ""], "argument --output: the name of a file is empty"),
        (["draw", "softmax", "--output", "a\0b.svg"], "argument --output: a zero byte in a file's name"),
        (["train", "iris", "--labels", "a\0b"], "argument --labels: a zero byte"),
        (["predict", "", "x.csv"], "argument CHECKPOINT: the name of a file is empty"),
        (["train", "iris", "--model", "softmax", "--hidden", "64"], "--hidden is for --model mlp"),
        (["train", "iris", "--momentum", "0.5"], "--momentum is for --optimiser sgd"),
        (["train", "iris", "--label", "kind"], "--label is for CSV files"),
        (["train", "iris", "--labels", "x.idx"], "--labels is for IDX files"),
        (["train", "images.idx", "--labels", "x.idx", "--no-header"], "--no-header is for CSV files"),
        ([], "required"),
    ],
)
def test_wrong_arguments_exit_with_2_and_say_why(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["why"], ["train", "iris"]], ids=["why", "train"])
def test_a_file_in_the_way_of_a_folder_stays_and_is_named(words, tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("in the way", encoding="utf-8")
    for folder in (path, path / "x"):
        assert main([*words, "--output", str(folder)]) == 1
        message = f"tinygrad-cls: --output {folder} cannot be made: {path} is a file, where a folder is needed\n"
        assert capsys.readouterr() == ("", message)
    assert path.read_text(encoding="utf-8") == "in the way"


def test_errors_of_the_system_name_the_file_and_leave_the_old_one(tmp_path, capsys, monkeypatch):
    path = tmp_path / "x.svg"
    assert main(["draw", "exp", "--output", str(path)]) == 0
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["draw", "softmax", "--output", str(path)]) == 1
    assert capsys.readouterr().err == f"tinygrad-cls: No space left on device: '{path}'\n"
    assert path.read_bytes() == before
    assert main(["draw", "softmax", "--output", str(tmp_path / "none" / "x.svg")]) == 1
    assert capsys.readouterr().err == f"tinygrad-cls: No such file or directory: '{tmp_path}/none/x.svg'\n"
    assert list(tmp_path.iterdir()) == [path]


def test_infinity_can_be_drawn_without_a_word_of_numpys(tmp_path, capsys):
    assert main(["draw", "softmax", "--input", "-inf", "0", "inf", "--output", str(tmp_path / "x.svg")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("function", ["softmax", "cross_entropy", "std"])
def test_draw_writes_a_picture(function, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["draw", function, "--input", "-1", "2", "0.5"]) == 0
    assert function in (tmp_path / f"{function}.svg").read_text(encoding="utf-8")
    assert main(["draw", function, "--output", "picture.png", "--folded", "--direction", "TB"]) == 0
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert main(["draw", function, "--output", "picture.xyz"]) == 1
    assert "xyz" in capsys.readouterr().err


def test_the_module_runs_too():
    help_text = subprocess.run(
        [sys.executable, "-m", "tinygrad_cls", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "why" in help_text
    assert "draw" in help_text


@pytest.mark.parametrize("command", ["why", "draw", "train", "predict"])
def test_help_says_each_default_and_no_other(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert "(default: " in text
    assert "None" not in text
