"""Stepping through a page, in Chromium: buttons, keys, fingers, addresses, ways, and every step of many losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser
from pages import LOSSES, Saved, derived, stops, written

import tinygrad_cls as tg
from tinygrad_cls.cli.classic import CLASSES, CLASSIC
from tinygrad_cls.drawing import values

pytestmark = pytest.mark.slow

WHERE = "location.hash.slice(1)"


@pytest.mark.parametrize(
    ("loss", "way"), [("cross_entropy", "backward"), ("cross_entropy", "lemmas"), *((loss, None) for loss in LOSSES)]
)
def test_each_step_forwards_and_backwards(browser: Browser, loss: str, way: Any, saved: Saved) -> None:
    derivation = derived(loss, way)
    found_there = stops(derivation)
    n = len(found_there)
    states = browser.found(
        saved(loss, way),
        """
        const n = COUNT;
        const state = () => [location.hash, seen("[id^=forward-], [id^=step-]"), seen(".result"),
          seen("[aria-current]"),
          document.querySelector("[aria-current]").id, document.querySelector(".said").textContent];
        const states = [state()];
        for (const name of [...Array(n + 1).fill("ArrowRight"), ...Array(n + 1).fill("ArrowLeft")]) {
          await moved(() => key(name)); states.push(state());
        }
        return states;
        """.replace("COUNT", str(n)),
    )
    assert len(states) == 2 * n + 3
    assert [s[1] for s in states] == [*range(n + 1), n, *range(n, -1, -1)]
    assert [s[2] for s in states] == [0] * (n + 1) + [1] + [0] * (n + 1)
    assert {s[3] for s in states} == {1}
    assert states[0][0] == ""
    assert (states[n + 1][0], states[-1][0]) == ("#result", "#question")
    for i, stop in enumerate(found_there, 1):
        for where, _, _, _, current, said in (states[i], states[-1 - i]):
            assert (where, current) == (f"#{stop}", stop)
            assert said.startswith(f"Step {i} of {n}. ")
    for i, step in enumerate(derivation.steps, 1):
        said = states[found_there.index(f"step-{i}") + 1][5]
        assert f". {step.rule}. " in said
        assert step.reason in said


@pytest.mark.parametrize("loss", CLASSIC)
def test_each_classic_loss_is_stepped_through_by_all_ways(browser: Browser, loss: str, tmp_path: Path) -> None:
    case = CLASSIC[loss](np.arange(1.0, CLASSES.get(loss, 3) + 1), 1)
    d = tg.explain(case.loss, case.wrt, names=case.names)
    page = written(d, tmp_path)
    assert page.stat().st_size < 400_000
    ends = browser.found(
        page,
        """
        const next = document.querySelector("[name=next]"), choice = document.querySelector("[name=way]");
        const ends = [];
        for (const [index, { value }] of [...choice.options].entries()) {
          choice.selectedIndex = index;
          if (index) await moved(() => choice.dispatchEvent(new Event("change")));
          let steps = 0;
          while (next.ariaDisabled !== "true" && steps < 500) { await moved(() => next.click()); steps += 1; }
          ends.push([value, steps, location.hash, seen("li[id*=step-], li[id*=forward-]"), seen(".later"),
            seen(".result")]);
        }
        return [ends, seen("[name=way]")];
        """,
    )
    ways = [(other, f"{other.way}-") for other in d.others]
    assert ends[0] == [
        [d.way, len(stops(d)) + 1, f"#{before}result", len(stops(d)), 0, 1] for d, before in [(d, ""), *ways]
    ]
    assert ends[1] == bool(d.others)


def test_buttons_slider_links_and_the_browsers_back_button(browser: Browser, saved: Saved) -> None:
    d = derived(way="backward")
    n, before = len(stops(d)), len(stops(d)) - len(d.steps)
    places = browser.found(
        saved(way="backward"),
        """
        const button = (name) => document.querySelector(`.player [name=${name}]`);
        const slider = document.querySelector(".player > input");
        const places = [];
        const after = async (act) => { await moved(act); places.push(location.hash.slice(1)); };
        await after(() => button("next").click());
        await after(() => button("next").click());
        await after(() => button("back").click());
        await after(() => history.back());
        await after(() => history.back());
        slider.value = String(all("[id^=forward-]").length + 7);
        slider.dispatchEvent(new Event("input"));
        places.push([seen("[id^=step-]"), document.querySelector(".player > output").textContent]);
        await after(() => slider.dispatchEvent(new Event("change")));
        await after(() => document.querySelector("#step-3 a").click());
        key("ArrowLeft", { altKey: true }); // the browser's own
        await soon(); places.push(location.hash.slice(1));
        await after(() => button("all").click());
        places.push([seen("[id^=step-]"), seen(".result"), button("all").getAttribute("aria-pressed")]);
        key("ArrowRight"); await soon(); places.push(location.hash.slice(1));
        await after(() => button("all").click());
        await after(() => history.back());
        await after(() => location.assign("#step-999"));
        await after(() => location.assign("#nowhere"));
        places.push(seen("[id^=step-]"));
        return places;
        """,
    )
    assert places[:5] == ["forward-1", "forward-2", "forward-1", "forward-2", "forward-1"]
    assert places[5:7] == [[7, f"{before + 7} / {n}"], "step-7"]
    assert places[7:10] == ["step-3", "step-3", "all"]
    assert places[10:14] == [[14, 1, "true"], "all", "step-3", "all"]
    assert places[14:] == ["step-999", "nowhere", 0]


def test_the_keyboard_alone_goes_from_the_first_step_to_the_last_and_through_the_panel(
    browser: Browser, saved: Saved
) -> None:
    """Whatever has the focus shows it, and nothing keeps it."""
    steps = stops(derived())
    focus = "(({ name, tagName }) => name || tagName)(document.activeElement)"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    with browser.opened(saved()) as page:

        def to(name: str, key: str = "Tab") -> None:
            """Go on by the tab key until something has the focus, and all on the way shows that it has it."""
            for _ in range(60):
                page.keyboard.press(key)
                there = page.evaluate(focus)
                if there == name:
                    return
                assert page.evaluate(outline) != "none", there
            raise AssertionError(f"{name} cannot be reached")

        to("next")
        for stop in steps:
            page.keyboard.press("Enter")
            page.wait_for_selector(f"#{stop}[aria-current]")
        page.keyboard.press("Enter")
        page.wait_for_selector(".result[aria-current]")
        page.keyboard.press("ArrowLeft")  # the button that has the focus is of no more use now
        page.wait_for_selector(f"#{steps[-1]}[aria-current]")
        to("SUMMARY", "Shift+Tab")
        page.keyboard.press("Enter")
        to("INPUT")
        before = page.locator(".touch tbody").inner_text()
        page.keyboard.press("ArrowRight")
        assert page.locator(".touch tbody").inner_text() != before
        assert page.evaluate(WHERE).startswith("step-")  # the key was the slider's
        for name in ("reset", "wrong", "SELECT", "across", "up", "rate", "back", "play", "way", "all", "lang"):
            to(name)
        to("BODY")  # and out of the page


def test_fingers_swipe_and_tap(browser: Browser, saved: Saved) -> None:
    with browser.opened(saved(way="lemmas"), "#step-2", width=390, height=844, has_touch=True, is_mobile=True) as page:
        fingers = page.context.new_cdp_session(page)

        def swipe(place: str, x: int, y: int) -> str:
            """Where one is after a finger has moved so far, from the middle of a place."""
            box = page.locator(place).first.bounding_box()
            start = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
            for part in (0, 0.5, 1):
                point = {"x": start[0] + part * x, "y": start[1] + part * y}
                kind = "touchMove" if part else "touchStart"
                fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
            fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            page.wait_for_timeout(60)
            where: str = page.evaluate(WHERE)
            return where

        assert swipe("#step-2 .rule", -120, 10) == "step-3"
        assert swipe("#step-3 .rule", 120, 10) == "step-2"
        assert swipe("#step-2 .rule", 20, 0) == "step-2"  # too short
        page.locator("[name=next]").tap()
        page.wait_for_selector("#step-3[aria-current]")
        page.locator(".touch summary").tap()
        assert page.locator(".touch [name=wrong]").is_visible()
        page.locator(".touch [name=wrong]").tap()
        assert page.locator(".touch tbody output").first.inner_text() == "6"
        page.locator(".touch summary").tap()
        assert (
            swipe("#step-3 .rule", 90, 80) == "step-3"
        )  # up or down, which scrolls: while it does, a tap only stops it


def test_it_plays_to_the_end_and_stops(browser: Browser, saved: Saved) -> None:
    with browser.opened(saved(way="loss")) as page:
        page.clock.install()
        before = page.evaluate("history.length")

        def state(milliseconds: int) -> list[str]:
            page.clock.run_for(milliseconds)
            page.evaluate("new Promise((resolve) => requestAnimationFrame(resolve))")
            return [page.evaluate("location.hash"), page.locator("[name=play]").inner_text()]

        play = page.locator("[name=play]")
        play.click()
        assert state(0) == ["#step-1", "Pause"]
        assert state(5100) == ["#step-2", "Pause"]
        play.click()
        assert state(6000) == ["#step-2", "Play"]
        page.evaluate("location.assign('#step-6')")
        play.click()
        assert state(0) == ["#result", "Play"]
        assert page.evaluate("history.length") == before + 3  # what played by itself is not gone back through


def test_a_way_has_its_own_addresses(browser: Browser, saved: Saved) -> None:
    d = derived(way="loss")
    states = browser.found(
        saved(way="loss"),
        """
        const choice = document.querySelector("[name=way]"), button = document.querySelector("[name=all]");
        const states = [];
        const state = () => states.push([location.hash, choice.value, seen("#" + location.hash.slice(1)),
          seen("li[id*=step-], li[id*=forward-]"), seen("h1")]);
        const after = async (act) => { await moved(act); state(); };
        state();
        await after(() => key("ArrowRight"));
        [choice, all(".touch input")[0]].map((node) => key("ArrowRight", {}, node)); await soon(); state();
        await after(() => button.click());
        await after(() => { choice.value = "loss"; choice.dispatchEvent(new Event("change")); });
        await after(() => history.back());
        await after(() => button.click());
        await after(() => location.assign("#step-1"));
        return states;
        """,
        "#lemmas-step-2",
    )
    n, m = len(stops(d)), len(stops(d.others[0]))
    before = m - len(d.others[0].steps)
    assert states == [
        ["#lemmas-step-2", "lemmas", 1, before + 2, 1],
        ["#lemmas-step-3", "lemmas", 1, before + 3, 1],
        ["#lemmas-step-3", "lemmas", 1, before + 3, 1],
        ["#lemmas-all", "lemmas", 0, m, 1],
        ["#all", "loss", 0, n, 1],
        ["#lemmas-all", "lemmas", 0, m, 1],
        ["#lemmas-step-3", "lemmas", 1, before + 3, 1],
        ["#step-1", "loss", 1, 1, 1],
    ]


def test_a_link_to_a_step_shows_that_step(browser: Browser, saved: Saved) -> None:
    """Not only is it the current one: it is in sight, and nothing lies over it."""
    step = derived("focal").steps[11]
    for width, height in ((390, 844), (1400, 900)):
        with browser.opened(saved("focal"), "#step-12", width=width, height=height) as page:
            rule = page.locator("[aria-current] .rule")
            assert rule.inner_text() == f"12 {step.rule}"
            box = rule.bounding_box()
            on_top = "([x, y]) => document.querySelector('[aria-current]').contains(document.elementFromPoint(x, y))"
            assert page.evaluate(on_top, [box["x"] + 10, box["y"] + box["height"] / 2])


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error", "binary"])
def test_at_the_end_stands_what_it_means(browser: Browser, loss: str, saved: Saved) -> None:
    """The result, the numbers that it is made of, and the sentences below it: all in sight when one arrives."""
    d = derived(loss)
    with browser.opened(saved(loss), f"#step-{len(d.steps)}", width=1400, height=900, calm=True) as page:
        page.locator("[name=next]").click()
        assert page.evaluate(WHERE) == "result"
        shown = page.locator(".derivation:not(.other) > .result .value").all_inner_texts()
        where = [formula for name, formula in d.where if name != str(formula)]
        assert shown == [f"= {values.whole(np.asarray(formula.value) + 0)}" for formula in (d.gradient, *where)]
        top = page.locator(".player").bounding_box()["y"]
        for sentence in d.closing:
            box = page.get_by_text(sentence).first.bounding_box()
            assert 0 <= box["y"] <= box["y"] + box["height"] <= top


def test_lemmas_open_into_proofs_whose_steps_are_not_stepped_through(browser: Browser, saved: Saved) -> None:
    d = derived(way="lemmas")
    assert d.lemmas
    counts = browser.found(
        saved(way="lemmas"),
        "const open = document.querySelector('.lemma'); open.open = true; await soon();"
        "return [seen('.lemma'), seen('.lemma ol:not(.forward) li'), seen('[id^=step-]')];",
        "#step-4",
    )
    assert counts == [1, len(d.lemmas[0].proof.steps), 4]


def test_of_very_many_steps_all_can_be_reached(browser: Browser, tmp_path: Path) -> None:
    z = tg.Tensor([0.5, 1.0], requires_grad=True, name="z")
    x = z
    for _ in range(70):
        x = tg.tanh(x)
    d = tg.explain(x.sum(), z, way="backward")
    assert len(d.steps) > 60
    where = len(d.steps) // 2
    script = "return [seen('[id^=step-]'), seen('.derivation summary')];"
    assert browser.found(written(d, tmp_path), script, f"#step-{where}") == [where, 0]


def test_in_chinese(browser: Browser, saved: Saved) -> None:
    there = stops(derived(way="backward", lang="zh"))
    script = "return ['[name=play]', '.said'].map((s) => all(s)[0].textContent);"
    play, said = browser.found(saved(way="backward", lang="zh"), script, "#step-2")
    assert play == "播放"
    assert said.startswith(f"第 {there.index('step-2') + 1} 步，共 {len(there)} 步. ")
