"""The layout of a page, in Chromium, measured: nothing sticks out, is cut, lies over another thing, or is out of sight.

Pictures of a page differ between machines and their fonts; what makes a layout good does not. So `layout.js` compares
the boxes of what is seen with each other, in the fonts of the machine and in a wider one. `BROKEN` breaks the layout on
purpose: a check that finds nothing then is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from pages import Saved

pytestmark = pytest.mark.slow

SIZES = {390: 844, 768: 1024, 1400: 900, 1920: 1080}
WIDER = "*:not(svg *) { font-family: 'DejaVu Sans', Verdana, sans-serif !important }"
FAULTS = (Path(__file__).parent / "layout.js").read_text(encoding="utf-8")

BROKEN = {
    "sticks out": ("h1 { margin-left: -3rem !important }", "sticks out of the page"),
    "a wide formula": (
        ".derivation .equations { overflow: visible !important } math { padding-right: 900px }",
        "sideways",
    ),
    "buttons too narrow": (".player button { width: 2.75em; padding: 0 !important; white-space: nowrap }", "is cut"),
    "buttons too small": (".zoom button { min-height: 0 !important; height: 12px }", "too small"),
    "letters too large for their boxes": (".scene .box text { font-size: 24px !important }", "leaves its box"),
    "lines that meet": (".derivation p { margin: -1.2rem 0 !important }", "lies over"),
    "rows that meet": (".touch tr { display: block; height: 4px }", "lies over"),
    "a bar over the step": (".player { top: 0 } .touch > div { max-height: none }", "out of sight"),
    "a step below the bar": (".stepping [aria-current] { position: relative; top: 3000px }", "out of sight"),
}


def shown(page: Any, where: str, is_open: bool) -> None:
    """Go to a place, open or shut the panel, and wait until all stands still."""
    page.evaluate("(is_open) => (document.querySelector('.touch').open = is_open)", is_open)
    page.evaluate(f"location.assign('{where}')")
    page.wait_for_timeout(150)


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize(
    ("loss", "lang", "font"),
    [
        ("cross_entropy", "en", "own"),
        ("cross_entropy", "zh", "wider"),
        ("focal", "zh", "own"),
        ("two_layers", "en", "own"),
    ],
)
def test_nothing_is_cut_or_covered(browser: Browser, loss: str, lang: str, width: int, font: str, saved: Saved) -> None:
    with browser.opened(
        saved(loss, lang=lang), width=width, height=SIZES[width], calm=True, bypass_csp=True, has_touch=width < 1000
    ) as page:
        if font == "wider":
            page.add_style_tag(content=WIDER)
        for where, is_open in (
            ("#question", False),
            ("#forward-2", False),
            ("#step-4", False),
            ("#result", False),
            ("#step-4", True),
            ("#all", False),
        ):
            shown(page, where, is_open)
            assert page.evaluate(FAULTS) == [], (where, is_open)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_layout_is_found(browser: Browser, broken: str, saved: Saved) -> None:
    style, fault = BROKEN[broken]
    with browser.opened(saved(), width=390, height=844, calm=True, bypass_csp=True) as page:
        shown(page, "#step-3", "rows" in broken)
        assert page.evaluate(FAULTS) == []
        page.add_style_tag(content=style)
        page.wait_for_timeout(100)
        found = page.evaluate(FAULTS)
        assert any(fault in one for one in found), found
