"""Trying other values on a page, in Chromium: every number is what Python gives, whatever is set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from pages import LOSSES, Saved, derived, explained, written

from tinygrad_cls.drawing import values
from tinygrad_cls.explanation.page import valued

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("loss", LOSSES)
def test_sliders_give_what_a_derivation_of_other_values_gives(browser: Browser, loss: str, saved: Saved) -> None:
    """Beside every formula of every way stands what Python gives where the loss is recorded anew on these values."""
    rng = np.random.default_rng(0)
    start, d = np.array(LOSSES[loss][2]), derived(loss)
    tried = [start, *(start + rng.uniform(-5, 5, start.shape) for _ in range(6))]
    answers = browser.found(
        saved(loss),
        """
        const tried = %s;
        const spans = all(".derivation .value").filter((span) => !span.closest(".lemma"));
        const title = (node) => node.title.split(" ").map(Number);
        const answers = [["", spans.map((span) => span.textContent)]];
        for (const numbers of tried) {
          all(".touch input").forEach((slider, i) => {
            slider.value = String(numbers[i]);
            slider.dispatchEvent(new Event("input"));
          });
          const bars = all(".touch tbody tr").map((row) => title(row.querySelector("[title]"))[0]);
          answers.push([bars, spans.map(title)]);
        }
        document.querySelector(".touch button").click();
        answers.push(["", spans.map((span) => span.textContent)]);
        return answers;
        """
        % [numbers.ravel().tolist() for numbers in tried],
    )
    derivations = (d, *d.others)
    texts = [f"= {values.whole(np.asarray(f.value) + 0)}" for o in derivations for f in valued(o.outline)]
    assert answers[0][1] == answers.pop()[1] == texts
    for numbers, (bars, shown) in zip(tried, answers[1:], strict=True):
        again = [explained(loss, numbers, other.way) for other in derivations]
        expected = [f.value.ravel() for other in again for f in valued(other.outline)]
        assert len(expected) == len(shown)
        for found_here, there in zip(shown, expected):
            np.testing.assert_allclose(found_here, there, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(bars, again[0].gradient.value.ravel(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error", "binary", "focal"])
def test_both_losses_follow_the_sliders_and_the_label(browser: Browser, loss: str, tmp_path: Path) -> None:
    """Losses and gradients in closed form, at other numbers and another target."""
    page = written(explained(loss, [0.5, -1.0, 2.0]), tmp_path)
    numbers = np.array([1.5, 2.0, -1.25])
    shown = browser.found(
        page,
        """
        all(".touch tbody input").forEach((slider, i) => {
          slider.value = String(NUMBERS[i]);
          slider.dispatchEvent(new Event("input"));
        });
        const choice = document.querySelector(".labels select");
        choice.selectedIndex = 0;
        choice.dispatchEvent(new Event("change"));
        const heads = all(".touch thead th").map((cell) => cell.textContent);
        const cells = all(".touch tbody tr, .touch tfoot tr").map((row) =>
          [...row.cells].map((cell) => cell.querySelector("[title]")?.title ?? null).slice(-heads.length));
        return { heads, cells };
        """.replace("NUMBERS", str(numbers.tolist())),
    )
    columns = {
        head.split("∂")[0]: [float(row[i] or "nan") for row in shown["cells"]] for i, head in enumerate(shown["heads"])
    }
    if loss == "binary":
        y, p = np.array([0.0, 0.0, 1.0]), 1 / (1 + np.exp(-numbers))
        entropy, slope = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(), 2 * (p - y) * p * (1 - p)
    else:
        y, p = np.array([1.0, 0.0, 0.0]), np.exp(numbers) / np.exp(numbers).sum()
        entropy, slope = -np.log(p[0]), 2 * p * (p - y - ((p - y) * p).sum())
    for name, value, gradient in (
        ("cross-entropy", entropy, p - y),
        ("squared error", ((p - y) ** 2).sum(), slope),
    ):
        expected = [*gradient, value, np.linalg.norm(gradient)]
        np.testing.assert_allclose(columns[name], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rate", [1.0, 0.1])
def test_the_ways_down_take_as_many_steps_as_in_numpy(browser: Browser, rate: float, tmp_path: Path) -> None:
    page = written(explained("cross_entropy", [0.0, 0.0, 0.0]), tmp_path)
    counts = browser.found(
        page,
        """
        document.querySelector(".touch").open = true;
        document.querySelector("[name=wrong]").click();
        const rate = document.querySelector("[name=rate]");
        rate.value = String(Math.log10(RATE));
        await soon(300);
        rate.dispatchEvent(new Event("input"));
        await soon(300);
        return all(".maps strong").map((count) => count.textContent.replace(/\\D*(\\d+) steps.*/, "$1"));
        """.replace("RATE", str(rate)),
    )
    y, expected = np.eye(3)[2], []
    for squared in (False, True):
        z, steps = np.array([5.0, -5.0, -5.0]), 0
        while True:
            p = np.exp(z) / np.exp(z).sum()
            if np.abs(p - y).max() < 0.1 or steps == 3000:
                break
            gradient = 2 * p * (p - y - ((p - y) * p).sum()) if squared else p - y
            z[[0, 2]] -= rate * gradient[[0, 2]]
            steps += 1
        expected.append(str(steps))
    assert counts == expected


def test_numbers_in_boxes_follow_the_sliders(browser: Browser, saved: Saved, tmp_path: Path) -> None:
    page = saved(way="lemmas")
    boxes = """
        const first = all(".touch input")[0];
        if (%s) { first.value = "4"; first.dispatchEvent(new Event("input")); }
        return all(".derivation:not(.other) .scene .box").map((box) => box.textContent);
    """
    there = browser.found(page, boxes % "true", "#step-5")
    page = written(explained("cross_entropy", [4.0, 2.0, 3.0], "lemmas"), tmp_path)
    assert there == browser.found(page, boxes % "false", "#step-5")
