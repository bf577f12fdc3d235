"""What differs between Windows, macOS and Linux: encodings, line ends, paths, locks. Simulated where it can be."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls.drawing import layout

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    {*Path(tg.__file__).parent.rglob("*.py"), *(p for d in ("tests", "examples") for p in ROOT.glob(f"{d}/*.py"))}
)
TEXT = {"read_text", "write_text"}


def is_of_text_without_an_encoding(call: ast.Call) -> bool:
    """Whether a call opens text in the encoding of the system, which is not UTF-8 on Windows."""
    given = {keyword.arg for keyword in call.keywords}
    if isinstance(call.func, ast.Attribute) and call.func.attr in TEXT:
        return "encoding" not in given and len(call.args) < (1 if call.func.attr == "read_text" else 2)
    if isinstance(call.func, ast.Name) and call.func.id == "open":
        modes = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]
        return "encoding" not in given and not any("b" in ast.unparse(mode).strip("'\"rwxa") for mode in modes)
    return False


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("path.read_text()", True),
        ("path.read_text(encoding='utf-8')", False),
        ("path.write_text('a')", True),
        ("open(path)", True),
        ("open(path, 'rb')", False),
        ("open(path, mode='w')", True),
        ("open(path, 'w', encoding='utf-8')", False),
    ],
)
def test_text_without_an_encoding_is_found(text: str, wrong: bool) -> None:
    assert is_of_text_without_an_encoding(ast.parse(text, mode="eval").body) is wrong  # type: ignore[arg-type]


def test_all_text_is_read_and_written_in_an_encoding_that_is_said() -> None:
    assert len(SOURCES) > 100
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and is_of_text_without_an_encoding(node):
                found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)[:80]}")
    assert not found


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "ascii"])
@pytest.mark.parametrize(
    "words", [["-m", "tinygrad_cls", "draw", "softmax"], [str(ROOT / "examples/why_cross_entropy.py")]]
)
def test_what_is_printed_can_be_written_to_a_file_of_any_encoding(
    encoding: str, words: list[str], tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stdout


def test_the_layout_program_is_found_by_its_name_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    class File:
        def __init__(self, name: str) -> None:
            self.name = name

        def __fspath__(self) -> str:
            return self.name

        def locate(self) -> Any:
            return PureWindowsPath(r"C:\Users\小明\venv") / self.name

    files = [File("graphviz_pure-0.2.2.dist-info/METADATA"), File("../../Scripts/graphviz-pure.exe")]
    monkeypatch.setattr(importlib.metadata, "files", lambda package: files)
    layout.wheel.cache_clear()
    try:
        assert layout.wheel().endswith("graphviz-pure.exe")
    finally:
        layout.wheel.cache_clear()


def test_files_of_data_with_any_line_ends_are_the_same(tmp_path: Path) -> None:
    lines = ["length,kind", "5.1,山鸢尾", "7.0,versicolor", "6.5,山鸢尾"]
    read = []
    for i, end in enumerate(("\n", "\r\n", "\r")):
        path = tmp_path / f"数据 {i}.csv"
        path.write_bytes((end.join(lines) + end).encode())
        read.append(tg.data.read_csv(path))
    for other in read[1:]:
        np.testing.assert_array_equal(other.inputs, read[0].inputs)
        assert other.class_names == read[0].class_names == ("versicolor", "山鸢尾")


def test_a_checkpoint_is_written_where_there_are_no_locks_and_the_path_is_not_ascii(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("safetensors")
    from tinygrad_cls import files

    monkeypatch.setattr(files, "fcntl", None)  # as on Windows
    replaced = []

    def replace(source: str, target: str) -> None:
        with open(source, "r+b"):  # Windows lets nobody rename what is open for writing elsewhere
            replaced.append(target)
        rename(source, target)

    rename = os.replace
    monkeypatch.setattr(os, "replace", replace)
    model = tg.nn.Linear(2, 3, generator=np.random.default_rng(0))
    folder = tmp_path / "实验 1"
    folder.mkdir()
    for _ in range(2):  # the second replaces the first
        tg.save(folder / "best.safetensors", model=model)
    other = tg.nn.Linear(2, 3, generator=np.random.default_rng(1))
    tg.load(folder / "best.safetensors").restore(model=other)
    np.testing.assert_array_equal(other.weight.numpy(), model.weight.numpy())
    assert [path.name for path in folder.iterdir()] == ["best.safetensors"]
    assert len(replaced) == 2


@pytest.mark.parametrize("name", ["图 1.svg", "graph one.png", "ü.dot"])
def test_drawings_are_saved_under_any_name(name: str, tmp_path: Path) -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    path = tmp_path / name
    tg.draw(tg.sum(x * x)).save(path)
    assert path.stat().st_size > 100


def test_the_readme_on_a_package_index_names_no_files_beside_it() -> None:
    tomllib = pytest.importorskip("tomllib")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for each in settings["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    assert not [link for link in links if not link.startswith(("https://", "#"))]
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture.split("/HEAD/")[1]).exists()
    assert all(picture.startswith("https://raw.githubusercontent.com/") for picture in pictures)


def test_the_version_is_said_once_and_cited_as_it_is() -> None:
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {tg.__version__}\n" in cited
    assert f"## {tg.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
