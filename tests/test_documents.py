"""The README's tour and the examples do what they say."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_cls as tg

ROOT = Path(__file__).parents[1]
PACKAGE = Path(tg.__file__).parent


READMES = ("README.md", "README.zh.md")


@pytest.mark.parametrize("readme", READMES)
def test_the_tour_in_the_readme_runs(readme, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(
        str(ROOT / readme), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE, encoding="utf-8"
    )
    assert result.attempted >= 10
    assert result.failed == 0


def test_both_readmes_have_the_same_commands_and_code():
    def said(readme):
        text = (ROOT / readme).read_text(encoding="utf-8")
        code = [re.sub(r"\s+#.*", "", block) for block in re.findall(r"^```\w+\n(.*?)^```", text, re.M | re.S)]
        return code, len(re.findall("^## ", text, re.M))

    english, chinese = map(said, READMES)
    assert english == chinese


SLOW = {"estimators.md", "live.md", "live.zh.md"}
DOCUMENTS = [
    pytest.param(path.name, marks=pytest.mark.slow if path.name in SLOW else ())
    for path in sorted(ROOT.glob("docs/*.md"))
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_examples_in_the_documents_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {"optionflags": doctest.NORMALIZE_WHITESPACE, "encoding": "utf-8"}
    assert doctest.testfile(str(ROOT / "docs" / name), module_relative=False, **options).failed == 0


def test_links_in_the_documents_lead_somewhere():
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")):
        text = document.read_text(encoding="utf-8")
        saved = set(re.findall(r"\.save\(\"([^\"]+)\"\)", text))  # by the document's own code, when the site is built
        for target in set(re.findall(r"\]\((?!https?:|#)([^)#]+)", text)) - saved:
            places = (document.parent / target, PACKAGE.parent / target)  # the package may be installed elsewhere
            assert any(place.exists() for place in places), f"{document.name} links to {target}"


def run(example, folder, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / example), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=None,
        check=True,
    ).stdout


def test_why_cross_entropy_shows_the_collapse(tmp_path):
    printed = run("why_cross_entropy.py", tmp_path)
    assert float(re.search(r"largest difference: (\S+)", printed)[1]) < 1e-15
    lengths = [tuple(map(float, line.split()[-2:])) for line in printed.splitlines() if re.match(r"\[-?[\d.]+, ", line)]
    assert len(lengths) == 4
    assert lengths[-1][0] < 1e-8  # squared error has stalled
    assert lengths[-1][1] > 1  # cross-entropy has not
    assert {path.name for path in tmp_path.iterdir()} == {"why_cross_entropy.svg", "why_cross_entropy_folded.svg"}


@pytest.mark.slow
def test_train_digits_reaches_96_percent(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    printed = run("train_digits.py", tmp_path)
    accuracies = {
        name: float(test) for name, test in re.findall(r"^(\S.*?)\s+[\d.]+%\s+([\d.]+)%$", printed, flags=re.MULTILINE)
    }
    assert accuracies["network 64-64-10"] >= 96
    assert accuracies["softmax regression"] >= 93
    for figure in ("loss.png", "digits.png"):
        assert (tmp_path / "digits" / figure).read_bytes().startswith(b"\x89PNG")
