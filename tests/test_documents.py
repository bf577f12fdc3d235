"""The README's tour and the examples do what they say."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls.explanation.page.player import scripts

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


SLOW = {"estimators.md", "estimators.zh.md", "live.md", "live.zh.md"}
DOCUMENTS = [
    pytest.param(path.name, marks=pytest.mark.slow if path.name in SLOW else ())
    for path in sorted(ROOT.glob("docs/*.md"))
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_examples_in_the_documents_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name.startswith("own_operation"):  # what it registers is not for the other tests
        command = [sys.executable, "-m", "doctest", "-o", "NORMALIZE_WHITESPACE", str(ROOT / "docs" / name)]
        run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        assert run.returncode == 0, run.stdout
        return
    options = {"optionflags": doctest.NORMALIZE_WHITESPACE, "encoding": "utf-8"}
    assert doctest.testfile(str(ROOT / "docs" / name), module_relative=False, **options).failed == 0


def test_the_page_that_is_ready_to_open_has_the_scripts_of_today():
    """`python docs/pictures.py` writes it anew, and the pictures."""
    page = (ROOT / "docs" / "page.html").read_text(encoding="utf-8")
    assert re.findall("<script>(.*?)</script>", page, flags=re.DOTALL) == list(scripts())


def test_links_in_the_documents_lead_somewhere():
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")):
        text = document.read_text(encoding="utf-8")
        saved = set(re.findall(r"\.save\(\"([^\"]+)\"\)", text))  # by the document's own code, when the site is built
        for target in set(re.findall(r"\]\((?!https?:|#)([^)#]+)", text)) - saved:
            here = os.path.normpath(document.parent.relative_to(ROOT) / target)
            places = (ROOT / here, PACKAGE.parent / here)  # the package may be installed elsewhere
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


def test_pages_in_chinese_have_the_same_code():
    def code(path):
        text = path.read_text(encoding="utf-8").replace('lang="zh"', 'lang="en"').replace(".zh.html", ".html")
        blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)
        return [re.sub(r" +#.*", "", block) for block in blocks if ">>>" in block]

    pages = sorted(ROOT.glob("docs/*.zh.md"))
    assert len(pages) > 4
    for page in pages:
        assert code(page) == code(page.with_name(page.name.replace(".zh.", "."))), page.name


def plain_code(document):
    """A document's Python that is no dialogue."""
    blocks = re.findall(r"^```python\n(.*?)^```", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [block for block in blocks if ">>>" not in block]


def test_no_code_in_the_documents_is_left_unrun():
    run = {"cluster.md", "cluster.zh.md", "compile.md", "mistakes.md"}  # below, and in test_mistakes.py
    assert {document.name for document in ROOT.glob("docs/*.md") if plain_code(document)} == run


def test_the_walk_in_the_engines_readme_runs(capsys):
    (code,) = plain_code(PACKAGE / "engine" / "README.md")
    exec(code, {})
    assert f"# {capsys.readouterr().out.strip()}, which is" in code


TRAINING = """
import numpy as np
import tinygrad_cls as tg
rng = np.random.default_rng(0)
model = MODEL
optimiser = tg.optim.SGD(model.parameters(), lr=0.5)
def train(x, labels):
    optimiser.zero_grad()
    loss = tg.cross_entropy(model(x), labels)
    loss.backward()
    optimiser.step()
    return loss
"""


@pytest.mark.slow
def test_the_machine_code_in_the_document_is_what_is_written(monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setenv("TINYGRAD_CLS_CACHE", "off")
    (excerpt,) = plain_code(ROOT / "docs" / "compile.md")
    names = {}
    exec(TRAINING.replace("MODEL", "tg.nn.Linear(4, 3, generator=rng)"), names)
    step = tg.compile(names["train"], engine="numba")
    for _ in range(3):
        step(np.eye(4, dtype=np.float32), np.array([0, 1, 2, 0]))
    for line in excerpt.splitlines():
        assert line.strip() == "..." or line.strip() in step.source


@pytest.mark.peers
def test_the_steps_for_several_devices_run():
    for package in ("jax", "numba"):
        pytest.importorskip(package)
    network = "tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.Tanh(), tg.nn.Linear(8, 4))"
    each, split = plain_code(ROOT / "docs" / "cluster.md")
    calls = "losses = [step(np.eye(8, 4), np.arange(8) % 4).item() for _ in range(9)]\nassert losses[-1] < losses[0]\n"
    steps = "".join(line + "\n" + calls for line in each.splitlines()) + split + calls
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "TINYGRAD_CLS_CACHE": "off"}
    code = "import jax\n" + TRAINING.replace("MODEL", network) + steps
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **flags})


def test_one_version_is_said_everywhere():
    assert f"\nversion: {tg.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {tg.__version__} — " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
