"""The page: all of it without scripts, step by step with its own, and nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import chromium, dom, found, violations

import tinygrad_cls as tg
from tinygrad_cls.cli.classic import CLASSES, CLASSIC
from tinygrad_cls.drawing import values
from tinygrad_cls.explanation.outline import Computed, Steps
from tinygrad_cls.explanation.page import player, valued
from tinygrad_cls.explanation.sentences import say


def derived(way: Any = "backward", lang: str = "en") -> Any:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y, p = tg.one_hot(2, 3), tg.softmax(z)
    return tg.explain(-(y * tg.log(p)).sum(), z, names={"y": y, "y′": p}, way=way, lang=lang)


@pytest.fixture(scope="module", params=["backward", "lemmas", "loss"])
def derivation(request: Any) -> Any:
    return derived(request.param)


def stops(derivation: Any) -> list[str]:
    """Where one stops between question and result: where something is computed, and at each step."""
    found = []
    for block in derivation.outline:
        if isinstance(block, Computed):
            found += [f"forward-{i}" for i in range(1, len(block.equations) + 1)]
        elif isinstance(block, Steps):
            found += [f"step-{step.number}" for step in block.steps]
    return found


def saved(derivation: Any, folder: Path) -> str:
    derivation.save(folder / "page.html")
    return (folder / "page.html").read_text(encoding="utf-8")


def test_the_page_is_one_file_that_loads_nothing(derivation: Any, tmp_path: Path) -> None:
    page = saved(derivation, tmp_path)
    assert not re.findall(r'(?:src|href)\s*=\s*"([^"]*)"|url\(([^)]*)\)|@import', page)
    for formula in re.findall(r"<math.*?</math>", page, flags=re.DOTALL):
        ElementTree.fromstring(formula)
    for drawing in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        ElementTree.fromstring(drawing)
    for d in (derivation, *derivation.others):
        assert page.count("<svg") >= len(d.drawings) + len(d.scene.pictures) + 1
    assert len(page.encode()) < 300_000
    assert "y′ − y" in re.search(r"<title>(.*?)</title>", page)[1]  # type: ignore[index]


def test_without_its_script_the_page_reads_in_full(derivation: Any, tmp_path: Path) -> None:
    """It is what a notebook shows, which has no script; the bar is in a template, which is not displayed."""
    page = saved(derivation, tmp_path)
    body = re.search(r"<body>\n(.*)</body>", page, flags=re.DOTALL)[1]  # type: ignore[index]
    rest = re.sub("<template.*?</template>|<script.*?</script>", "", body, flags=re.DOTALL)
    rest = rest.strip().removeprefix("<main>\n").removesuffix("\n</main>")
    asked, *others = rest.split('\n<details class="way">')
    assert re.sub('<figure class="stage".*?</figure>\n', "", asked, flags=re.DOTALL) == derivation._repr_html_()
    assert len(others) == len(derivation.others) == 2  # folded
    assert not re.search("<script|<template|<details[^>]*open|hidden=", rest)
    for d, part in zip(derivation.others, others):
        assert part.startswith(f"<summary>Another way: {say('en', f'by {d.way}')}</summary>")
        assert all(step.rule in part for step in d.steps)
    for step in derivation.steps:
        assert step.rule in rest


def test_the_policy_allows_the_styles_and_the_script_of_the_page_alone(derivation: Any, tmp_path: Path) -> None:
    page = saved(derivation, tmp_path)
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy is not None
    rules = {words[0]: words[1:] for words in map(str.split, policy[1].split(";"))}
    for kind in ("style", "script"):
        contents = re.findall(f"<{kind}>(.*?)</{kind}>", page, flags=re.DOTALL)
        hashes = {base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents}
        assert rules.pop(f"{kind}-src") == [f"'sha256-{h}'" for h in sorted(hashes, key=policy[1].index)]
        assert policy.end() < page.index(f"<{kind}")
    assert rules == {"default-src": ["'none'"], "base-uri": ["'none'"], "form-action": ["'none'"]}
    assert not re.search(r"<[^>]*\s(style|on\w+)=", re.sub("<script.*</script>", "", page, flags=re.DOTALL))


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name="</script><script>alert(1)</script>")
    page = saved(tg.explain((z * z).sum(), z), tmp_path)
    assert re.findall("<script>(.*?)</script>", page, flags=re.DOTALL) == list(player.scripts())
    assert page.count("<script") == page.count("</script") == len(player.scripts()) + 2  # and the data


@pytest.mark.parametrize("script", player.scripts())
def test_the_scripts_are_small_and_stay_on_the_page(script: str) -> None:
    assert len(script.splitlines()) < 400
    assert "</" not in script
    assert not re.search(
        r"https?:(?!//www\.w3\.org/2000/svg)|fetch|XMLHttpRequest|import|eval\(|Function\(|innerHTML", script
    )


@pytest.mark.parametrize("loss", CLASSIC)
def test_the_other_language_is_in_the_page(loss: str, tmp_path: Path) -> None:
    case = CLASSIC[loss](np.arange(1.0, CLASSES.get(loss, 3) + 1), 1)
    page = saved(tg.explain(case.loss, case.wrt, names=case.names, lang="en"), tmp_path)
    there = tg.explain(case.loss, case.wrt, names=case.names, lang="zh")
    said = [text for _, text in json.loads(re.search('id="translation">(.*?)</script>', page)[1])["said"]]  # type: ignore[index]
    for sentence in (*there.opening, *(step.reason.strip() for step in there.steps)):
        assert sentence in page or any(sentence in text for text in said)
    assert saved(there, tmp_path).count(say("zh", "player language")) >= 1


def test_of_hundreds_of_steps_the_first_and_the_last_are_there(tmp_path: Path) -> None:
    z = tg.Tensor([0.5, 1.0], requires_grad=True, name="z")
    x = z
    for _ in range(400):
        x = tg.tanh(x)
    d = tg.explain(x.sum(), z, way="backward")
    page = saved(d, tmp_path)
    numbers = [int(i) for i in re.findall(r'<span class="number">(\d+)</span>', page)]
    steps = len(d.steps)
    assert numbers == [*range(1, 31), *range(steps - 29, steps + 1)]
    assert f"{steps - 60} more" in page
    assert len(page.encode()) < 400_000


def test_only_ways_with_other_steps_are_there() -> None:
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
    d = tg.explain((z * z).sum(), z)
    assert d.others == ()  # no logarithm, no composite
    assert [other.way for other in derived(None).others] == ["lemmas", "backward"]
    assert {str(other.gradient) for other in derived(None).others} == {"y′ − y"}
    assert all(lemma.proof.others == () for lemma in derived("lemmas").lemmas)
    x = z
    for _ in range(70):
        x = tg.tanh(x)
    assert tg.explain(x.sum(), z).others == ()


def cross_entropy(z: tg.Tensor, way: Any) -> Any:
    y, p = tg.one_hot(2, 3), tg.softmax(z)
    return tg.explain(-(y * tg.log(p)).sum(), z, names={"y": y, "y′": p}, way=way)


def squared_error(z: tg.Tensor, way: Any) -> Any:
    y, p = tg.one_hot(2, 3), tg.softmax(z)
    return tg.explain(((p - y) ** 2).sum(), z, names={"y": y, "y′": p}, way=way)


def binary(z: tg.Tensor, way: Any) -> Any:
    y, p = tg.Tensor([1.0, 0.0, 1.0], name="y"), tg.sigmoid(z)
    return tg.explain(-(y * tg.log(p) + (1 - y) * tg.log(1 - p)).mean(), z, names={"p": p}, way=way)


def layer(w: tg.Tensor, way: Any) -> Any:
    x = tg.Tensor([[0.5, -1.0], [1.5, 2.0], [-0.3, 0.7]], name="X")
    return tg.explain(tg.cross_entropy(tg.tanh(x @ w), [0, 2, 1]), w, way=way)


START = {cross_entropy: (3,), squared_error: (3,), binary: (3,), layer: (2, 3)}


def touched(loss: Any, numbers: Any, way: Any = None) -> Any:
    return loss(tg.Tensor(numbers, requires_grad=True, name="z"), way)


def test_what_cannot_be_tried_has_no_sliders(tmp_path: Path) -> None:
    long = tg.Tensor(np.ones(13), requires_grad=True, name="z")
    assert 'id="touch"' not in saved(tg.explain((long * long).sum(), long), tmp_path)
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
    assert 'id="touch"' in saved(tg.explain((z * z).sum(), z), tmp_path)
    assert 'id="touch"' not in saved(tg.explain((z * (z * z).detach()).sum(), z), tmp_path)
    assert 'id="touch"' not in saved(tg.explain(tg.maximum(z, z / 2).sum(), z), tmp_path)  # z ≠ 0 is assumed


@pytest.mark.slow
class TestInChromium:
    """In a browser. Each test fails when the page's script raises an error, is refused something, or loads anything."""

    def test_as_it_is_written_it_opens_at_a_step(self, derivation: Any, tmp_path: Path) -> None:
        """Without any script of the test: the hash in the policy is that of the script."""
        saved(derivation, tmp_path)
        document = dom(tmp_path / "page.html", "#step-2")
        current = re.findall(r"<li[^>]*aria-current[^>]*>", document)
        assert len(current) == 1
        assert 'id="step-2"' in current[0]
        assert document.count('class="later"') >= len(derivation.steps) - 2

    def test_each_step_forwards_and_backwards(self, derivation: Any, tmp_path: Path) -> None:
        saved(derivation, tmp_path)
        states = found(
            tmp_path / "page.html",
            """
            const n = all("a[href^='#step']").length + all("[id^=forward-]").length;
            const state = () => [location.hash, seen("[id^=forward-], [id^=step-]"), seen(".result"),
              seen("[aria-current]"),
              document.querySelector("[aria-current]").id, document.querySelector(".said").textContent];
            const states = [state()];
            for (const name of [...Array(n + 1).fill("ArrowRight"), ...Array(n + 1).fill("ArrowLeft")]) {
              key(name); await soon(); states.push(state());
            }
            return states;
            """,
        )
        found_there = stops(derivation)
        n = len(found_there)
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

    def test_buttons_slider_touch_links_and_the_browsers_back_button(self, tmp_path: Path) -> None:
        d = derived()
        saved(d, tmp_path)
        n, before = len(stops(d)), len(stops(d)) - len(d.steps)
        places = found(
            tmp_path / "page.html",
            """
            const button = (name) => document.querySelector(`.player [name=${name}]`);
            const slider = document.querySelector(".player > input"), root = document.querySelector(".derivation");
            const places = [];
            const after = async (act) => { act(); await soon(); places.push(location.hash.slice(1)); };
            const swipe = (x, y) => {
              const touch = (x, y) => new Touch({ identifier: 1, target: root, clientX: 200 + x, clientY: 200 + y });
              root.dispatchEvent(new TouchEvent("touchstart", { touches: [touch(0, 0)], bubbles: true }));
              root.dispatchEvent(new TouchEvent("touchend", { changedTouches: [touch(x, y)], bubbles: true }));
            };
            await after(() => button("next").click());
            await after(() => button("next").click());
            await after(() => button("back").click());
            await after(() => history.back());
            await after(() => history.back());
            slider.value = String(all("[id^=forward-]").length + 7);
            slider.dispatchEvent(new Event("input"));
            places.push([seen("[id^=step-]"), document.querySelector(".player > output").textContent]);
            await after(() => slider.dispatchEvent(new Event("change")));
            await after(() => swipe(-120, 10));
            await after(() => swipe(120, 10));
            await after(() => swipe(20, 0));
            await after(() => swipe(-120, 110));
            await after(() => document.querySelector("#step-3 a").click());
            await after(() => key("ArrowLeft", { altKey: true }));
            await after(() => button("all").click());
            places.push([seen("[id^=step-]"), seen(".result"), button("all").getAttribute("aria-pressed")]);
            await after(() => key("ArrowRight"));
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
        assert places[7:11] == ["step-8", "step-7", "step-7", "step-7"]
        assert places[11:14] == ["step-3", "step-3", "all"]
        assert places[14:18] == [[14, 1, "true"], "all", "step-3", "all"]
        assert places[18:] == ["step-999", "nowhere", 0]

    def test_it_plays_to_the_end_and_stops(self, tmp_path: Path) -> None:
        saved(derived("loss"), tmp_path)
        states = found(
            tmp_path / "page.html",
            """
            const play = document.querySelector("[name=play]"), states = [], before = history.length;
            const state = () => states.push([location.hash, play.textContent]);
            play.click(); await soon(); state();
            await soon(5100); state();
            play.click(); await soon(); state();
            await soon(6000); state();
            location.assign("#step-8"); await soon(); play.click(); await soon(); state();
            return [states, history.length - before];
            """,
            "",
        )
        playing = [["#step-1", "Pause"], ["#step-2", "Pause"], ["#step-2", "Play"], ["#step-2", "Play"]]
        assert states == [[*playing, ["#result", "Play"]], 3]

    def test_a_way_has_its_own_addresses(self, tmp_path: Path) -> None:
        d = derived("loss")
        saved(d, tmp_path)
        states = found(
            tmp_path / "page.html",
            """
            const choice = document.querySelector("[name=way]"), button = document.querySelector("[name=all]");
            const states = [];
            const state = async (act) => {
              act?.(); await soon();
              states.push([location.hash, choice.value, seen("#" + location.hash.slice(1)),
                seen("li[id*=step-], li[id*=forward-]"), seen("h1")]);
            };
            await state();
            await state(() => key("ArrowRight"));
            await state(() => [choice, all(".touch input")[0]].map((node) => key("ArrowRight", {}, node)));
            await state(() => button.click());
            await state(() => { choice.value = "loss"; choice.dispatchEvent(new Event("change")); });
            await state(() => history.back());
            await state(() => button.click());
            await state(() => location.assign("#step-1"));
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

    def test_lemmas_open_into_proofs_whose_steps_are_not_stepped_through(self, tmp_path: Path) -> None:
        d = derived("lemmas")
        assert d.lemmas
        saved(d, tmp_path)
        counts = found(
            tmp_path / "page.html",
            "const open = document.querySelector('.lemma'); open.open = true; await soon();"
            "return [seen('.lemma'), seen('.lemma ol:not(.forward) li'), seen('[id^=step-]')];",
            "#step-4",
        )
        assert counts == [1, len(d.lemmas[0].proof.steps), 4]

    def test_of_very_many_steps_all_can_be_reached(self, tmp_path: Path) -> None:
        z = tg.Tensor([0.5, 1.0], requires_grad=True, name="z")
        x = z
        for _ in range(70):
            x = tg.tanh(x)
        d = tg.explain(x.sum(), z, way="backward")
        assert len(d.steps) > 60
        saved(d, tmp_path)
        where = len(d.steps) // 2
        script = "return [seen('[id^=step-]'), seen('.derivation summary')];"
        shown = found(tmp_path / "page.html", script, f"#step-{where}")
        assert shown == [where, 0]

    def test_in_chinese(self, tmp_path: Path) -> None:
        d = derived(lang="zh")
        saved(d, tmp_path)
        play, said = found(
            tmp_path / "page.html", "return ['[name=play]', '.said'].map((s) => all(s)[0].textContent);", "#step-2"
        )
        assert play == "播放"
        assert said.startswith(f"第 {stops(d).index('step-2') + 1} 步，共 {len(stops(d))} 步. ")

    def test_boxes_fill_forwards_and_gradients_come_back(self, tmp_path: Path) -> None:
        """What stands in the boxes is what Python has, and what is not reached yet is not seen."""
        z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
        y, p = tg.one_hot(2, 3), tg.softmax(z)
        d = tg.explain(-(y * tg.log(p)).sum(), z, names={"y": y, "y′": p}, way="lemmas")
        saved(d, tmp_path)
        states = found(
            tmp_path / "page.html",
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
        first, here = "y′ = softmax(z)", p.numpy()
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

    def test_numbers_in_boxes_follow_the_sliders(self, tmp_path: Path) -> None:
        saved(derived("lemmas"), tmp_path)
        boxes = """
            const first = all(".touch input")[0];
            if (%s) { first.value = "4"; first.dispatchEvent(new Event("input")); }
            return all(".derivation:not(.other) .scene .box").map((box) => box.textContent);
        """
        there = found(tmp_path / "page.html", boxes % "true", "#step-5")
        saved(touched(cross_entropy, [4.0, 2.0, 3.0], "lemmas"), tmp_path)
        assert there == found(tmp_path / "page.html", boxes % "false", "#step-5")

    def test_boxes_and_letters_light_each_other_up(self, tmp_path: Path) -> None:
        saved(derived("lemmas"), tmp_path)
        lit = found(
            tmp_path / "page.html",
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

    def test_the_drawing_grows_shrinks_and_fits(self, tmp_path: Path) -> None:
        saved(derived("lemmas"), tmp_path)
        sizes = found(
            tmp_path / "page.html",
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
        assert (larger / start, same / start, start / smaller, wheel / fitted) == pytest.approx(
            (1.25, 1, 1.25, 1.25), 1e-2
        )
        assert fitted <= most + 1

    @pytest.mark.parametrize("scheme", ["--window-size=1400,900", "--force-dark-mode"])
    @pytest.mark.parametrize("where", ["#question", "#step-4", "#step-8", "#result", "#all"])
    def test_contrast_is_enough_to_read(self, scheme: str, where: str, tmp_path: Path) -> None:
        """WCAG AA: 4.5 to 1 between each text and what is behind it."""
        saved(derived("lemmas"), tmp_path)
        low, dark, count = found(
            tmp_path / "page.html",
            """
            const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
            const rgba = (text) => [rgb(text).slice(0, 3), rgb(text)[3] ?? 1];
            const over = ([color, alpha], back) => color.map((c, i) => alpha * c + (1 - alpha) * back[i]);
            const up = (node) => node ? [...up(node.parentElement), node] : [];
            const light = (color) => color.map((c) => c / 255).map((c) => c <= .04045 ? c / 12.92 :
              ((c + .055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
            const dark = matchMedia("(prefers-color-scheme: dark)").matches, low = [];
            const texts = all("body *").filter((node) => node.checkVisibility({ visibilityProperty: true }) &&
              !node.matches("script, style, option, :disabled") && !node.closest(".said") &&
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
            return [low, dark, texts.length];
            """,
            where,
            scheme,
            "--force-prefers-reduced-motion",  # what is just appearing is not to be read yet
        )
        assert dark == (scheme == "--force-dark-mode")
        assert count > 30
        assert low == []

    @pytest.mark.parametrize("lang", ["en", "zh"])
    def test_the_other_language_says_what_a_page_in_it_says(self, lang: str, tmp_path: Path) -> None:
        """Both ways round, from the title to the labels of the bar; the address and the step stay."""
        other = {"en": "zh", "zh": "en"}[lang]
        texts = """
            const said = [...document.querySelectorAll("title, .derivation, .player :not(select), [aria-label]")];
            return [document.documentElement.lang, location.hash, document.querySelector("[aria-current]").id,
              said.filter((node) => node.name !== "lang").map((node) => [node.textContent, node.ariaLabel])];
        """
        saved(derived("lemmas", lang), tmp_path)
        put = found(tmp_path / "page.html", texts, f"?lang={other}#step-4")
        saved(derived("lemmas", other), tmp_path)
        assert put == found(tmp_path / "page.html", texts, "#step-4")
        assert put == found(tmp_path / "page.html", texts, f"?lang={other}#step-4")
        assert put[:3] == [other, "#step-4", "step-4"]

    def test_nothing_moves_where_the_reader_asks_for_no_motion(self, tmp_path: Path) -> None:
        saved(derived(), tmp_path)
        script = "return getComputedStyle(document.querySelector('#step-2')).animationName;"
        assert found(tmp_path / "page.html", script, "#step-2") == "appear"
        assert found(tmp_path / "page.html", script, "#step-2", "--force-prefers-reduced-motion") == "none"

    def test_on_paper_all_steps_stand(self, tmp_path: Path) -> None:
        saved(derived(), tmp_path)
        pages = {}
        for where in ("step-1", "all"):
            chromium(tmp_path / "page.html", f"#{where}", f"--print-to-pdf={tmp_path / where}.pdf")
            pages[where] = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / f"{where}.pdf").read_bytes()))
        assert pages["step-1"] == pages["all"] > 2

    @pytest.mark.parametrize("loss", CLASSIC)
    def test_each_classic_loss_is_stepped_through(self, loss: str, tmp_path: Path) -> None:
        case = CLASSIC[loss](np.arange(1.0, CLASSES.get(loss, 3) + 1), 1)
        d = tg.explain(case.loss, case.wrt, names=case.names)
        assert len(saved(d, tmp_path).encode()) < 400_000
        ends = found(
            tmp_path / "page.html",
            """
            const next = document.querySelector("[name=next]"), choice = document.querySelector("[name=way]");
            const ends = [];
            for (const [index, { value }] of [...choice.options].entries()) {
              choice.selectedIndex = index;
              if (index) { choice.dispatchEvent(new Event("change")); await soon(10); }
              let steps = 0;
              while (!next.disabled && steps < 500) { next.click(); await soon(10); steps += 1; }
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

    @pytest.mark.parametrize("way", ["loss", "lemmas", "backward"])
    @pytest.mark.parametrize("loss", START, ids=lambda loss: loss.__name__)
    def test_sliders_give_what_a_derivation_of_other_values_gives(self, loss: Any, way: Any, tmp_path: Path) -> None:
        """Beside every formula stands the value that Python gives where the loss is recorded anew on these values."""
        rng = np.random.default_rng(0)
        start = rng.normal(size=START[loss])
        d = touched(loss, start, way)
        saved(d, tmp_path)
        tried = [start, *(start + rng.uniform(-4, 4, start.shape) for _ in range(4))]
        answers = found(
            tmp_path / "page.html",
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
        texts = [f"= {values.whole(f.value)}" for o in derivations for f in valued(o.outline)]
        assert answers[0][1] == answers.pop()[1] == texts
        for numbers, (bars, shown) in zip(tried, answers[1:], strict=True):
            z = tg.Tensor(numbers, requires_grad=True, name="z")
            again = [loss(z, other.way) for other in derivations]
            expected = [f.value.ravel() for other in again for f in valued(other.outline)]
            assert len(expected) == len(shown)
            for found_here, there in zip(shown, expected):
                np.testing.assert_allclose(found_here, there, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(bars, again[0].gradient.value.ravel(), rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("loss", [cross_entropy, squared_error, binary], ids=lambda loss: loss.__name__)
    def test_both_losses_follow_the_sliders_and_the_label(self, loss: Any, tmp_path: Path) -> None:
        """Losses and gradients in closed form, at other numbers and another target."""
        saved(touched(loss, [0.5, -1.0, 2.0]), tmp_path)
        numbers = np.array([1.5, 2.0, -1.25])
        shown = found(
            tmp_path / "page.html",
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
            head.split("∂")[0]: [float(row[i] or "nan") for row in shown["cells"]]
            for i, head in enumerate(shown["heads"])
        }
        if loss is binary:
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
    def test_the_ways_down_take_as_many_steps_as_in_numpy(self, rate: float, tmp_path: Path) -> None:
        saved(touched(cross_entropy, [0.0, 0.0, 0.0]), tmp_path)
        counts = found(
            tmp_path / "page.html",
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

    @pytest.mark.parametrize("lang", ["en", "zh"])
    @pytest.mark.parametrize("dark", [False, True])
    def test_axe_finds_no_fault(self, lang: str, dark: bool, tmp_path: Path) -> None:
        saved(derived(lang=lang), tmp_path)
        script = "document.querySelector('.touch').open = true; await soon(300)"
        options = ["--blink-settings=preferredColorScheme=0"] if dark else []
        assert violations(tmp_path / "page.html", script, "#step-3", *options) == []
