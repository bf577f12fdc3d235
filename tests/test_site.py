"""The documentation site: built as its reader would, whole in both languages, and loading nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_cls as tg

pytest.importorskip("material")
pytest.importorskip("mkdocs_static_i18n")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LOADED = (
    r"<(?:script|img|iframe|source|link(?=[^>]*(?:stylesheet|icon|preload)))\b[^>]*?(?:src|href)=[\"']?([^\"'\s>]+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", env=environment)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return folder


def pages(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")}


def test_each_page_is_there_in_both_languages(site: Path) -> None:
    both = {page.removeprefix("zh/") for page in pages(site)}
    assert {"index.html", "tutorial.html", "live.html", "gallery.html", "course.html", "own_loss.html"} <= both
    for page in both - {"404.html", "page.html"}:  # both READMEs show the same page of a derivation
        assert (site / page).exists(), page
        assert (site / "zh" / page).exists(), page
    assert "教程" in (site / "zh" / "tutorial.html").read_text(encoding="utf-8")
    assert 'lang="zh"' in (site / "zh" / "y_minus_y.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    files = [path for suffix in ("html", "css") for path in site.rglob(f"*.{suffix}")]
    for path in files:
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(LOADED, text) if path.suffix == ".html" else re.findall(r"url\(([^)]+)\)", text)
        for address in loaded:
            assert not re.match(r"(https?:)?//", address), f"{path.name} loads {address}"
            if path.suffix == ".html" and not address.startswith(("data:", "#")) and path.name != "404.html":
                assert (path.parent / address.split("#")[0].split("?")[0]).exists(), f"{path.name} lacks {address}"


def test_the_reference_has_all_that_is_public(site: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (site / "reference").glob("*.html"))
    headings = set(re.findall(r"<h\d[^>]*><code>([^<]+)</code>", text))
    modules = ("nn", "optim", "data", "debug")
    public = {f"tg.{name}" for name in tg.__all__ if name not in modules}
    public |= {f"tg.{module}.{name}" for module in modules for name in getattr(tg, module).__all__}
    assert public - headings == set()
