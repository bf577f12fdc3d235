"""How a page looks and reads, in Chromium: contrast, languages, paper, people who do not see or use no mouse."""

from __future__ import annotations

import io
import unicodedata
from html import escape
from pathlib import Path

import pytest
from browser import Browser
from pages import Saved, derived, stops, written

import tinygrad_cls as tg
from tinygrad_cls.explanation.page import player
from tinygrad_cls.explanation.sentences import say
from tinygrad_cls.visible import visible

pytestmark = pytest.mark.slow

CONTRAST = """() => {
  const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
  const rgba = (text) => [rgb(text).slice(0, 3), rgb(text)[3] ?? 1];
  const over = ([color, alpha], back) => color.map((c, i) => alpha * c + (1 - alpha) * back[i]);
  const up = (node) => node ? [...up(node.parentElement), node] : [];
  const light = (color) => color.map((c) => c / 255).map((c) => c <= .04045 ? c / 12.92 :
    ((c + .055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches, low = [];
  const unread = "script, style, option, [aria-disabled=true], .said, .surface svg *"; // on a map text has an edge
  const texts = [...document.querySelectorAll("body *")].filter((node) =>
    node.checkVisibility({ visibilityProperty: true }) && !node.matches(unread) &&
    [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim()));
  for (const node of texts) {
    let back = dark ? [0, 0, 0] : [255, 255, 255], opacity = 1;
    for (const one of up(node)) {
      back = over(rgba(getComputedStyle(one).backgroundColor), back);
      opacity *= Number(getComputedStyle(one).opacity);
    }
    const style = getComputedStyle(node), svg = node.namespaceURI.endsWith("svg");
    const [color, alpha] = rgba(svg ? style.fill : style.color);
    const [a, b] = [light(over([color, alpha * opacity], back)), light(back)].sort((a, b) => b - a);
    if ((a + .05) / (b + .05) < 4.5) low.push([node.textContent, (a + .05) / (b + .05)]);
  }
  return [low, texts.length];
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_is_enough_to_read(browser: Browser, dark: bool, saved: Saved) -> None:
    """WCAG AA: 4.5 to 1 between each text and what is behind it."""
    with browser.opened(saved(way="lemmas"), dark=dark, calm=True) as page:
        page.evaluate("document.querySelector('.touch').open = true")
        for where in ("question", "step-4", "step-8", "result", "all"):
            page.evaluate(f"location.assign('#{where}')")
            low, count = page.evaluate(CONTRAST)
            assert count > 30
            assert low == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_other_language_says_what_a_page_in_it_says(browser: Browser, lang: str, saved: Saved) -> None:
    """Both ways round, from the title to the labels of the bar; the address and the step stay."""
    other = {"en": "zh", "zh": "en"}[lang]
    texts = """
        const said = [...document.querySelectorAll("title, .derivation, .player :not(select), [aria-label]")];
        return [document.documentElement.lang, location.hash, document.querySelector("[aria-current]").id,
          said.filter((node) => node.name !== "lang").map((node) => [node.textContent, node.ariaLabel])];
    """
    page = saved(way="lemmas", lang=lang)
    put = browser.found(page, texts, f"?lang={other}#step-4")
    page = saved(way="lemmas", lang=other)
    assert put == browser.found(page, texts, "#step-4")
    assert put == browser.found(page, texts, f"?lang={other}#step-4")
    assert put[:3] == [other, "#step-4", "step-4"]


def test_what_is_set_in_the_panel_stays_when_the_language_is_switched(browser: Browser, saved: Saved) -> None:
    """Sliders, label, learning rate and the axes of the maps: there, back again, and on the page that is sent on."""
    state = """() => [[".touch :is(input, select, [title])", ({ value, title }) => value ?? title],
      [".value, .scene text", ({ textContent }) => textContent]].map(([selector, said]) =>
        [...document.querySelectorAll(selector)].map(said))"""
    with browser.opened(saved(), "#step-3") as page:
        page.locator(".touch summary").click()
        for name, value in (("z[0]", -1.2345678901234567), ("z[2]", 0.1)):
            page.get_by_label(name, exact=True).evaluate(
                "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", value
            )
        page.locator(".labels select").select_option("1")
        page.locator("[name=across]").select_option("2")
        page.locator("[name=rate]").press("ArrowRight")
        expected = page.evaluate(state)
        for lang in ("zh", "en", "zh"):
            page.locator("[name=lang]").click()
            page.wait_for_url(f"**lang={lang}**")
            assert page.evaluate("document.documentElement.lang") == lang
            assert page.evaluate("location.hash") == "#step-3"
            assert page.evaluate(state)[0] == expected[0]
        assert page.evaluate(state)[1] == expected[1]
        page.locator("[name=reset]").click()
        assert page.locator(".labels select").input_value() == "2"


def test_an_address_that_makes_no_sense_is_borne(browser: Browser, saved: Saved) -> None:
    for tried in ("1", "a,b,c,d,e,f,g", "1,1e999,3,7,9,9,9", "%3Cscript%3E,,,,,,"):
        with browser.opened(saved(), f"?lang=xx&tried={tried}#step-3") as page:
            assert page.locator("#step-3[aria-current]").is_visible()


def test_nothing_moves_where_the_reader_asks_for_no_motion(browser: Browser, saved: Saved) -> None:
    script = "return getComputedStyle(document.querySelector('#step-2')).animationName;"
    assert browser.found(saved(), script, "#step-2") == "appear"
    assert browser.found(saved(), script, "#step-2", calm=True) == "none"


def printed(text: str) -> str:
    """A text as it is read off paper: without spaces, and with letters instead of ligatures."""
    return "".join(unicodedata.normalize("NFKC", text).split())


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "two_layers"])
def test_on_paper_all_steps_stand_and_none_is_broken(browser: Browser, loss: str, saved: Saved) -> None:
    """Wherever one is, and with the panel open: the same sheets, and each step from head to foot on one of them."""
    pypdf = pytest.importorskip("pypdf")
    papers = []
    for where, is_open in (("#step-1", False), ("#step-1", True), ("#all", True)):
        with browser.opened(saved(loss), where) as page:
            page.evaluate("(is_open) => (document.querySelector('.touch').open = is_open)", is_open)
            sheets = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4"))).pages
            papers.append("\f".join(printed(sheet.extract_text()) for sheet in sheets))
    assert papers[0] == papers[1] == papers[2]
    paper, foot = papers[0], 0
    assert paper.count("\f") > 0
    for step in derived(loss).steps:
        head = paper.index(printed(step.rule), foot)
        foot = paper.index(printed(step.reason), head)
        assert "\f" not in paper[head:foot], step.rule
    assert printed(say("en", "touch")) not in paper


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_fault(browser: Browser, lang: str, dark: bool, saved: Saved) -> None:
    """At a step with the panel open, and of all steps with it shut."""
    with browser.opened(saved(lang=lang), "#step-3", dark=dark, calm=True) as page:
        for where, is_open in (("#step-3", True), ("#all", False)):
            page.evaluate(f"location.assign('{where}')")
            page.evaluate("(is_open) => (document.querySelector('.touch').open = is_open)", is_open)
            page.wait_for_timeout(100)
            assert browser.violations(page) == [], (where, is_open)


HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<!--‮ evil ‬`${1}"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_hostile_name_is_a_name(browser: Browser, lang: str, tmp_path: Path) -> None:
    """Wherever it stands: in the panel, beside the sliders, in the choice of the axes, in what is said."""
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name=HOSTILE)
    y, p = tg.one_hot(2, 3), tg.softmax(z)
    names = {"y'\"><b>": y, "<u onclick=x>": p}
    d = tg.explain(-(y * tg.log(p)).sum(), z, names=names, lang=lang)
    with browser.opened(written(d, tmp_path)) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        page.locator(".touch summary").click()
        page.locator("[name=wrong]").click()
        shown = visible(HOSTILE)
        assert page.locator(".touch tbody th").first.inner_text().startswith(f"{shown}[0]")
        assert page.locator(".touch tbody input").first.get_attribute("aria-label") == f"{shown}[0]"
        assert page.locator("[name=across] option").first.inner_text() == f"{shown}[0]"
        for _ in range(len(stops(d)) + 1):
            page.locator("[name=next]").click()
        page.locator("[name=lang]").click()
        page.wait_for_url("**tried=**")
        assert page.locator("img, b:not(figcaption b), u").count() == 0
        assert page.locator("script").count() == len(player.scripts()) + 2


def test_without_scripts_everything_is_there_to_read(browser: Browser, saved: Saved) -> None:
    with browser.opened(saved(), java_script_enabled=False) as page:
        for text in (*derived().opening, *(step.reason for step in derived().steps)):
            assert page.get_by_text(text).first.is_visible()
        assert page.locator(".player, .touch, .zoom").count() == 0
        for way, other in zip(page.locator("details.way").all(), derived().others, strict=True):
            way.locator("summary").first.click()
            for step in other.steps:
                assert way.get_by_text(step.reason).first.is_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_in_a_sandboxed_frame(browser: Browser, scripts: bool, saved: Saved, tmp_path: Path) -> None:
    """As in a notebook: it steps where it may run scripts, and is there to read where not, as high as what it says."""
    page, frame = saved(), tmp_path / "frame.html"
    content = derived()._repr_html_() if not scripts else page.read_text(encoding="utf-8")
    sandbox = "allow-scripts" if scripts else ""
    frame.write_text(
        f'<!DOCTYPE html><title>notebook</title><h1>before</h1><iframe id="cell" width="700" height="500"'
        f' sandbox="{sandbox}" srcdoc="{escape(content, quote=True)}"></iframe>',
        encoding="utf-8",
    )
    with browser.opened(frame) as notebook:
        inside = notebook.frames[1]
        last = derived().steps[-1].reason
        if scripts:
            for i in range(1, len(stops(derived())) + 1):
                inside.locator("[name=next]").click()
                assert inside.locator(".player > output").inner_text().startswith(f"{i} /")
            assert notebook.evaluate("location.hash") == ""
            assert inside.get_by_text(last).first.is_visible()
        else:
            tall = "document.documentElement.scrollHeight"
            heights = []
            for height in (inside.evaluate(tall) + 20, 9000):
                notebook.evaluate(f"document.querySelector('#cell').height = {height}")
                notebook.wait_for_timeout(200)
                heights.append(inside.evaluate("document.querySelector('.derivation').getBoundingClientRect().height"))
                assert inside.evaluate(f"{tall} <= innerHeight")  # nothing to scroll
            assert heights[0] == heights[1]  # it does not grow with its frame
            assert inside.get_by_text(last).first.is_visible()
