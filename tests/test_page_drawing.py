"""The drawing of a page, in Chromium: what stands in its boxes at each step, what lights up, how it grows."""

from __future__ import annotations

import pytest
from browser import Browser
from pages import Saved

import tinygrad_cls as tg
from tinygrad_cls.drawing import values

pytestmark = pytest.mark.slow


def test_boxes_fill_forwards_and_gradients_come_back(browser: Browser, saved: Saved) -> None:
    """What stands in the boxes is what Python has, and what is not reached yet is not seen."""
    page, y = saved(way="lemmas"), tg.one_hot(2, 3)
    states = browser.found(
        page,
        """
        const shown = (line) => getComputedStyle(line).visibility === "visible" ? line.textContent : "";
        const state = () => Object.fromEntries(all(".derivation:not(.other) .scene .box").map((box) =>
          [...box.querySelectorAll("text")].map(shown)).map(([title, ...lines]) => [title, lines.filter(Boolean)]));
        const states = [state()];
        while (!location.hash.endsWith("step-5")) { key("ArrowRight"); await soon(); states.push(state()); }
        const pictures = [];
        while (!location.hash.endsWith("result")) {
          key("ArrowRight"); await soon();
          pictures.push([seen(".scene"), seen(".picture"), all(".picture").filter((one) => one.checkVisibility())
            .map((one) => [...one.querySelectorAll("text")].map((text) => text.textContent).sort().join(" "))]);
        }
        return [states, pictures];
        """,
    )
    states, pictures = states
    first, here = "y′ = softmax(z)", tg.softmax(tg.Tensor([1.0, 2.0, 3.0])).numpy()
    made = [title for title in states[0] if " = " in title]
    assert all(states[0][title] == [] for title in made)
    assert states[0]["z"] == ["= [1 2 3]"]
    for i in range(1, len(made) + 1):
        assert sum(bool(states[i][title]) for title in made) == i
    assert states[1][first] == [f"= {values.whole(here)}"]
    assert not any("∂" in line for lines in states[len(made)].values() for line in lines)
    assert states[-1][first][1] == f"∂y′ = {values.whole(-y.numpy() / here)}"
    assert states[-1]["z"][1] == f"∂z = {values.whole(here - y.numpy())}"
    assert [picture[:2] for picture in pictures] == [[0, 1]] * len(pictures)
    assert pictures[-1][2] == ["y y′ ∂L/∂z = y′ − y"]  # all that is left


def test_boxes_and_letters_light_each_other_up(browser: Browser, saved: Saved) -> None:
    page = saved(way="lemmas")
    lit = browser.found(
        page,
        """
        const over = (node) => node.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
        const lit = () => [all(".derivation:not(.other) .box.lit text:first-of-type").map((one) => one.textContent),
          [...new Set(all("mi.lit").map((one) => one.textContent))]];
        const box = all(".derivation:not(.other) .box").find((one) => one.textContent.includes("softmax"));
        const found = [];
        over(box); found.push(lit());
        over(document.querySelector("h1")); found.push(lit());
        over(all("#step-3 mi").find((one) => one.textContent === "l")); found.push(lit());
        box.focus(); found.push(lit(), [document.activeElement === box, box.ariaLabel]);
        box.blur(); found.push(lit());
        over(all("#forward-3 td.right")[0]); found.push(lit());
        return found;
        """,
        "#step-5",
    )
    first = ["y′ = softmax(z)"]
    assert lit[0] == lit[3] == [first, ["y′"]]
    assert lit[1] == lit[5] == [[], []]
    assert lit[2] == [["l = log(y′)"], ["l"]]
    assert lit[4] == [True, "y′ = softmax(z), = [0.09 0.245 0.665], ∂y′ = [0 0 −1.5]"]
    assert lit[6] == [["t = y ⊙ l"], ["t"]]


def test_the_drawing_grows_shrinks_and_fits(browser: Browser, saved: Saved) -> None:
    page = saved(way="lemmas")
    sizes = browser.found(
        page,
        """
        const frame = document.querySelector(".scene"), svg = frame.querySelector("svg"), sizes = [];
        const size = () => sizes.push(svg.getBoundingClientRect().height);
        size();
        for (const name of ["larger", "smaller", "smaller", "fit"]) {
          document.querySelector(`.zoom [name=${name}]`).click(); size();
        }
        frame.dispatchEvent(new WheelEvent("wheel", { deltaY: -1, ctrlKey: true, cancelable: true })); size();
        return [sizes, parseFloat(getComputedStyle(frame).maxHeight)];
        """,
        "#step-2",
    )
    (start, larger, same, smaller, fitted, wheel), most = sizes
    assert (larger / start, same / start, start / smaller, wheel / fitted) == pytest.approx((1.25, 1, 1.25, 1.25), 1e-2)
    assert fitted <= most + 1
