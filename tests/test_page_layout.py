"""The layout of a page, in Chromium, measured: nothing sticks out, is cut, lies over something else, or is out of sight.

Pictures of a page differ between machines and their fonts; what makes a layout good does not. So the boxes of what is seen
are compared with each other, in the fonts of the machine and in a wider one. `BROKEN` breaks the layout on purpose: a
check that finds nothing then is none.
"""

from __future__ import annotations

from typing import Any

import pytest
from browser import Browser
from pages import Saved

pytestmark = pytest.mark.slow

SIZES = {390: 844, 768: 1024, 1400: 900, 1920: 1080}
WIDER = "* { font-family: 'DejaVu Sans', Verdana, sans-serif !important; letter-spacing: .03em }"
FAULTS = """() => {
  const MARGIN = 2; // pixels
  const all = (selector) => [...document.querySelectorAll(selector)].filter((node) =>
    node.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
  const faults = [], said = (node) => `${node.nodeName} ${node.textContent.trim().slice(0, 30)}`;
  const up = (node) => node ? [...up(node.parentElement), node] : [];
  const inner = (node) => up(node).reverse();
  const scrolls = (node) => /auto|scroll/.test(getComputedStyle(node).overflowX + getComputedStyle(node).overflowY);
  const width = document.documentElement.clientWidth, height = innerHeight;
  if (document.documentElement.scrollWidth > width) faults.push("the page scrolls sideways");

  // What is seen of a text: its box, less what its scrolling frames hide.
  const runs = [];
  for (const node of all("body *")) {
    if (node.closest("math *, template, script, style, select, .said, canvas")) continue;
    const own = node.localName === "math" ? [node] : [...node.childNodes].filter((one) => one.data?.trim() && one.nodeType === 3);
    for (const one of own) {
      const range = document.createRange();
      range.selectNodeContents(one);
      for (const box of one === node ? [node.getBoundingClientRect()] : range.getClientRects()) {
        const frames = inner(node).filter((up) => scrolls(up) && up !== document.body && up !== document.documentElement);
        const [left, top, right, bottom] = frames.map((one) => one.getBoundingClientRect()).reduce((seen, frame) => [
          Math.max(seen[0], frame.left), Math.max(seen[1], frame.top),
          Math.min(seen[2], frame.right), Math.min(seen[3], frame.bottom)], [box.left, box.top, box.right, box.bottom]);
        const fixed = inner(node).find((up) => /fixed|sticky/.test(getComputedStyle(up).position));
        const whole = frames.length === 0;
        runs.push({ node, left, top, right, bottom, fixed, whole });
      }
    }
  }
  const seen = runs.filter(({ left, top, right, bottom }) => right - left > 1 && bottom - top > 1);

  for (const { node, left, right } of seen) {
    if (left < -MARGIN || right > width + MARGIN) faults.push(`sticks out of the page: ${said(node)}`);
  }
  // Controls hold what they say, and are as large as a finger needs.
  for (const node of all(".player button, .zoom button, .touch button, .touch summary, .touch input, .touch select")) {
    const box = node.getBoundingClientRect();
    if (node.scrollWidth > node.clientWidth + MARGIN) faults.push(`is cut: ${said(node)}`);
    if (Math.min(box.width, box.height) < 24) faults.push(`is too small to touch: ${said(node)} ${node.name}`);
  }
  // Boxes of a drawing hold their lines.
  for (const box of all(".scene .box, .picture .box")) {
    const shape = box.querySelector("path, rect, polygon")?.getBoundingClientRect();
    for (const line of box.querySelectorAll("text")) {
      const text = line.getBoundingClientRect();
      if (shape && getComputedStyle(line).visibility === "visible" && text.width &&
        (text.left < shape.left - MARGIN || text.right > shape.right + MARGIN)) faults.push(`leaves its box: ${said(line)}`);
    }
  }
  // No text lies on another, among those that scroll together; a line may touch the next.
  for (const [i, a] of seen.entries()) {
    for (const b of seen.slice(i + 1)) {
      if (a.fixed !== b.fixed || a.node.contains(b.node) || b.node.contains(a.node) || a.node === b.node) continue;
      if (a.node.closest("svg") && b.node.closest("svg")) continue; // an arrow's text may touch another arrow's
      const [x, y] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
      const low = Math.min(a.bottom - a.top, b.bottom - b.top);
      if (x > MARGIN && y > Math.max(MARGIN, low / 3)) faults.push(`lies over: ${said(a.node)} | ${said(b.node)}`);
    }
  }
  // The current step is in sight: its first line, with nothing over it. So is the box that it is about.
  const here = document.querySelector("[aria-current]"), first = here?.querySelector(".rule, td.right, math") ?? here;
  if (first) {
    const box = first.getBoundingClientRect(), [x, y] = [box.left + Math.min(8, box.width / 2), box.top + box.height / 2];
    const over = x > 0 && y > 0 && y < height ? document.elementFromPoint(x, y) : null;
    if (!here.contains(over)) faults.push(`the current step is out of sight, or under ${over ? said(over) : "nothing"}`);
  }
  const frame = all(".scene")[0]?.getBoundingClientRect(), active = all(".scene .box.active")[0]?.getBoundingClientRect();
  if (frame && active && frame.height && (active.top < frame.top - MARGIN ||
    active.bottom > Math.max(frame.bottom, frame.top + active.height) + MARGIN)) faults.push("the active box is out of sight");
  const bar = all(".player")[0]?.getBoundingClientRect();
  if (bar && (bar.bottom > height + MARGIN || bar.top < 0)) faults.push("the bar is out of sight");
  if (bar && !all(".touch[open]").length && bar.height > height / 3) faults.push("the bar takes more than a third");
  return [...new Set(faults)];
}"""

BROKEN = {
    "sticks out": ("h1 { margin-left: -3rem !important }", "sticks out of the page"),
    "a wide formula": (
        ".derivation .equations { overflow: visible !important } math { padding-right: 900px }",
        "sideways",
    ),
    "buttons too narrow": (".player button { width: 2.75em; padding: 0 !important; overflow: hidden }", "is cut"),
    "buttons too small": (".zoom button { min-height: 0 !important; height: 12px }", "too small"),
    "letters too large for their boxes": (".scene .box text { font-size: 24px !important }", "leaves its box"),
    "lines that meet": (".derivation p { margin: -1.2rem 0 !important }", "lies over"),
    "columns that meet": (
        ".touch td { max-width: 1rem; overflow: visible } .touch td [title] { width: 9rem }",
        "lies over",
    ),
    "a bar over the step": (".player { top: 0 } .touch > div { max-height: none }", "out of sight"),
    "a step below the bar": (".stepping [aria-current] { position: relative; top: 3000px }", "out of sight"),
}


def shown(page: Any, where: str, is_open: bool) -> None:
    """Go to a place, open or shut the panel, and wait until all stands still."""
    page.evaluate("(is_open) => (document.querySelector('.touch').open = is_open)", is_open)
    page.evaluate(f"location.assign('{where}')")
    page.wait_for_timeout(150)


@pytest.mark.parametrize("font", ["", WIDER], ids=["own", "wider"])
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize(("loss", "lang"), [("cross_entropy", "en"), ("focal", "zh"), ("two_layers", "en")])
def test_nothing_is_cut_or_covered(browser: Browser, loss: str, lang: str, width: int, font: str, saved: Saved) -> None:
    with browser.opened(
        saved(loss, lang=lang), width=width, height=SIZES[width], calm=True, bypass_csp=True, has_touch=width < 1000
    ) as page:
        page.add_style_tag(content=font)
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
        shown(page, "#step-3", "columns" in broken)
        assert page.evaluate(FAULTS) == []
        page.add_style_tag(content=style)
        page.wait_for_timeout(100)
        found = page.evaluate(FAULTS)
        assert any(fault in one for one in found), found
