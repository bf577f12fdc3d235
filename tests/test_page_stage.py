"""The drawing to step through: folded where it is long, with what each arrow multiplies by, and the user's own code."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser

import tinygrad_cls as tg
from tinygrad_cls.explanation.page.heat import heat
from tinygrad_cls.explanation.page.plan import planned
from tinygrad_cls.explanation.page.rooms import Room, folded, numbered


def tensor(*shape: int, name: str | None = None, seed: int = 0, learnt: bool = True) -> tg.Tensor:
    return tg.Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=learnt, name=name)


def network(way: Any = "backward", lang: str = "en") -> Any:
    """Two layers."""
    x, w, u = tensor(5, 4, name="X", learnt=False), tensor(4, 6, name="W", seed=1), tensor(6, 3, name="U", seed=2)
    scores = tg.relu(x @ w + tensor(6, seed=3)) @ u
    return tg.explain(tg.cross_entropy(scores, [0, 1, 2, 1, 0]), w, way=way, lang=lang)


def attention(way: Any = "backward", lang: str = "en") -> Any:
    """A layer of attention, one head."""
    x, q, k, v = (tensor(4, 3, name=name, seed=i) for i, name in enumerate("XQKV"))
    q, k, v = q[:3], k[:3], v[:3]
    heads = tg.softmax((x @ q) @ (x @ k).T / np.sqrt(3)) @ (x @ v)
    return tg.explain(tg.cross_entropy(heads, [0, 1, 2, 1]), x, way=way, lang=lang)


def chain(length: int) -> Any:
    """Operations one after the other, of no composite."""
    x = z = tg.Tensor([0.5, 1.0], requires_grad=True, name="z")
    for _ in range(length):
        x = tg.tanh(x)
    return tg.explain(x.sum(), z, way="backward")


LONG = {"network": network, "attention": attention, "chain": lambda: chain(60)}


def parts(svg: str, kind: str) -> list[tuple[set[str], set[str], list[str]]]:
    """The parts of a drawing of a kind: the names of each, its classes, and what it says."""
    found = []
    for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        classes = set(node.get("class", "").split())
        if kind in classes:
            texts = [text.text or "" for text in node.iter("{http://www.w3.org/2000/svg}text")]
            found.append((set(node.get("data-part", "").split()), classes, texts))
    return found


@pytest.mark.parametrize("long", LONG)
def test_each_box_of_a_long_drawing_is_in_one_room_and_all_arrows_are_seen(long: str) -> None:
    scene = LONG[long]().scene
    assert len(scene.drawings) == len(scene.rooms) > 1
    own: list[str] = []
    arrows: set[str] = set()
    for svg in scene.drawings:
        boxes = [box for box in parts(svg, "box") if not box[1] & {"outside", "group"}]
        own += [name for names, classes, _ in boxes for name in names if "made" in classes]
        assert len(boxes) <= 24
        arrows = arrows.union(*(names for names, _, _ in parts(svg, "edge")))
    assert sorted(own) == sorted(scene.data["order"])
    assert arrows == {f"a{i}" for i in range(len(arrows))}
    assert {arrow for step in scene.data["steps"].values() for arrow in step["arrows"]} <= arrows


def test_a_short_drawing_is_whole() -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    for way in ("backward", "lemmas", "loss"):
        scene = tg.explain(-(tg.one_hot(2, 3) * tg.log(tg.softmax(z))).sum(), z, way=way).scene
        assert len(scene.drawings) == 1


@pytest.mark.parametrize(("lang", "called"), [("en", "cross-entropy"), ("zh", "交叉熵")])
def test_a_composite_is_folded_by_its_name(lang: str, called: str) -> None:
    scene = attention(lang=lang).scene
    titles = [texts[0] for _, _, texts in parts(scene.drawings[0], "group")]
    assert any("softmax" in title for title in titles)
    assert f"▸ L: {called}" in titles
    assert [room.title for room, _ in scene.rooms[1:]] == [title.split(": ")[1] for title in titles]


def test_of_very_many_operations_one_box_stands_for_what_is_left_out() -> None:
    scene = chain(400).scene
    said = [texts for svg in scene.drawings for _, _, texts in parts(svg, "rest")]
    assert said[0] == [f"… {401 - 60} operations"]
    assert len(scene.data["order"]) == 60
    around = [names for svg in scene.drawings for names, _, _ in parts(svg, "edge")]
    assert len(set.union(*around)) == 61  # z, 30, the rest, 30


def test_rooms_are_no_larger_than_can_be_seen_and_each_thing_is_in_one() -> None:
    for many in (12, 13, 100, 500, 3000):
        names = [f"u{i}" for i in range(many)]
        rooms = numbered(Room("", tuple(names), tuple(folded(names, {}, str))))
        assert all(len(room.items) <= 12 for room, _ in rooms)
        assert [item for room, _ in rooms for item in room.items if isinstance(item, str)] == names
        assert all(rooms[outer][0].inside != room.inside for room, around in rooms for outer in around)


# --- what an arrow multiplies by --------------------------------------------------------------------------------------


def focal(way: Any) -> Any:
    z = tg.Tensor([0.3, -0.2, 0.9], requires_grad=True, name="z")
    p = tg.softmax(z)
    return tg.explain(-(tg.one_hot(0, 3) * (1 - p) ** 2 * tg.log(p)).sum(), z, names={"p": p}, way=way)


@pytest.mark.parametrize("way", ["backward", "lemmas", "loss"])
@pytest.mark.parametrize("loss", [network, attention, focal])
def test_what_is_done_at_an_arrow_gives_what_backward_has_there(loss: Any, way: str) -> None:
    """Run on the gradient that arrives, it is the gradient that the step passes on."""
    d = loss(way)
    seen = 0
    for step in d.steps:
        results = {partial.name: partial.formula.value for partial in step.results}
        for derivative in step.local:
            np.testing.assert_allclose(derivative.formula.value, results[derivative.name], rtol=0, atol=1e-12)
            seen += 1
    assert seen >= len([step for step in d.steps if step.definition])


UNARY = {
    "exp": (tg.exp, "u"),
    "log": (tg.log, "1 / z"),
    "tanh": (tg.tanh, "1 − u²"),
    "reciprocal": (lambda z: 1 / z, "−u²"),
    "square": (lambda z: z * z, "2 z"),
    "sum": (lambda z: z.sum(), "1"),
    "negative": (lambda z: -z, "−1"),
}


@pytest.mark.parametrize("name", UNARY)
def test_the_factor_at_an_arrow_is_the_derivative(name: str) -> None:
    """It is what a book has, and the slope by differences."""
    function, written = UNARY[name]
    z = tg.Tensor([0.7, 1.3, 2.1], requires_grad=True, name="z")
    u = function(z)
    d = tg.explain((u * tg.Tensor(2.0, name="c")).sum(), z, names={"u": u}, way="backward")
    step = next(step for step in d.steps if step.node is u)
    (derivative,) = step.local
    assert str(derivative.factor) == written
    h = 1e-6
    slope = (function(tg.Tensor(z.numpy() + h)).numpy() - function(tg.Tensor(z.numpy() - h)).numpy()) / (2 * h)
    np.testing.assert_allclose(derivative.factor.value, slope if name != "sum" else 1, rtol=1e-6)
    drawn = {text.strip() for _, _, texts in parts(d.scene.drawings[0], "back") for text in texts}
    assert (f"× ({written})" if " − " in written else f"× {written}") in drawn


def test_a_matrix_product_is_written_whole_and_ways_that_meet_have_a_line_each() -> None:
    scene = network().scene
    labels = {text.strip() for svg in scene.drawings for _, _, texts in parts(svg, "back") for text in texts}
    assert {"Xᵀ ∂a", "∂a₂ Uᵀ", "× y", "−Σₖ ∂d", "× 1 / N"} <= labels
    met = next(texts for svg in scene.drawings for _, _, texts in parts(svg, "box") if texts[0].startswith("d₁ = "))
    assert [text.split(" = ")[0] for text in met[2:]] == ["∂d₁ (d)", "∂d₁ (e)", "∂d₁"]


# --- the user's own code ----------------------------------------------------------------------------------------------

START = """import tinygrad_cls as tg
z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
y = tg.one_hot(2, 3)
"""


def run(code: str, folder: Path) -> Any:
    """What a script leaves in `d`."""
    path = folder / "script.py"
    path.write_text(code, encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, str(path), "exec"), names)
    return names["d"]


def told(d: Any) -> dict[str, str]:
    """By the operation that made each tensor of the loss its line."""
    return {t.operation.name: line for t, line in d.lines().items() if t.operation is not None}


def test_each_operation_has_the_line_that_made_it(tmp_path: Path) -> None:
    code = "p = tg.softmax(z)\nloss = -(y * tg.log(p)).sum()\nd = tg.explain(loss, z, way='backward')\n"
    d = run(START + code, tmp_path)
    lines = told(d)
    assert {lines[name] for name in ("exp", "max", "divide")} == {"p = tg.softmax(z)"}
    assert {lines[name] for name in ("negative", "multiply", "log")} == {"loss = -(y * tg.log(p)).sum()"}
    page = d._repr_html_()
    assert "<code>loss = -(y * tg.log(p)).sum()</code>" in page
    assert page.count("<code>") >= len(d.steps) // 2


def test_a_loss_that_is_handed_over_as_it_is_computed_and_code_in_functions(tmp_path: Path) -> None:
    code = "def f(x):\n    u = tg.exp(x) * 2\n    return tg.explain(\n        (u * u).sum(),\n        z)\nd = f(z)\n"
    lines = told(run(START + code, tmp_path))
    assert (lines["exp"], lines["sum"]) == ("u = tg.exp(x) * 2", "(u * u).sum()")


UNCERTAIN = {
    "two places": "u = tg.exp(z)\nu = u * 2\n",
    "another name": "some = [tg.exp(z)]\nu = some[0]\n",
    "a branch": "if y is z:\n    u = tg.log(z)\nelse:\n    u = tg.exp(z)\n",
    "after the call": "d = tg.explain(tg.exp(z).sum(), z) if 0 else None\nexec('u = tg.exp(z)')\n",
    "handed out of a store": "store = {'a': tg.exp(z)}\nw = z * 2\nu = store.get('a')\n",
    "set from elsewhere": "u = tg.sin(z)\ndef change():\n    global u\n    u = tg.exp(z)\nchange()\n",
}


@pytest.mark.parametrize("why", UNCERTAIN)
def test_where_it_is_not_certain_nothing_is_said(why: str, tmp_path: Path) -> None:
    d = run(START + UNCERTAIN[why] + "loss = u.sum()\nd = tg.explain(loss, z)\n", tmp_path)
    assert "exp" not in told(d)


@pytest.mark.parametrize(
    "line",
    [
        "u = made(z)",  # a function of the user's may have kept what it gives a part of
        "u = made.__call__(z) + parts[0]",
        "u = [tg.exp(z)][0] + parts[0]",
    ],
)
def test_what_a_line_may_have_found_elsewhere_has_no_line(line: str, tmp_path: Path) -> None:
    before = "parts = [tg.exp(z)]\nkeep = [tg.exp(z) * 1]\ndef made(x):\n    return keep[0] + x\n"
    d = run(START + before + line + "\nloss = u.sum()\nd = tg.explain(loss, z)\n", tmp_path)
    assert "exp" not in told(d)
    assert d.lines()


def test_a_loop_says_the_line_of_its_last_round_only(tmp_path: Path) -> None:
    code = "h = z\nfor _ in range(3):\n    g = tg.exp(h)\n    h = tg.tanh(g)\nloss = h.sum()\n"
    d = run(START + code + "d = tg.explain(loss, z)\n", tmp_path)
    lines = [line for t, line in d.lines().items() if t.operation is not None and t.operation.name == "exp"]
    assert lines == ["g = tg.exp(h)"]


def test_code_that_is_gone_or_is_no_python_is_not_told(tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(START + "loss = z.sum()\nd = tg.explain(loss, z)\n", "<nowhere>", "exec"), names)
    assert names["d"].lines() == {}


def test_hostile_code_is_text(tmp_path: Path) -> None:
    line = "loss = (z * len('</code><script>alert(1)</script>')).sum()"
    d = run(START + line + "\nd = tg.explain(loss, z)\n", tmp_path)
    d.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "len(&#x27;&lt;/code&gt;&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("way", ["backward", "lemmas", "loss"])
def test_in_the_end_what_is_left_of_the_drawing_is_the_gradient(way: str) -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y, p = tg.one_hot(2, 3), tg.softmax(z)
    d = tg.explain(-(y * tg.log(p)).sum(), z, names={"y": y, "y′": p}, way=way)  # type: ignore[arg-type]
    pictures = d.scene.pictures if d.scene else {}
    said = {place: {texts[0] for _, _, texts in parts(svg, "node")} for place, svg in pictures.items()}
    assert said["result"] == {"y", "y′", "∂L/∂z = y′ − y"}
    assert said.keys() - {"result", "question"} == {
        i for i, step in enumerate(d.steps, 1) if not step.results and step.kind != "chain rule"
    }
    if way == "loss":
        assert "L = −Σ y ⊙ log(y′)" in said["question"]
        assert "L = log(Σ exp(z)) − Σ y ⊙ z" in said[2]


# --- large arrays -----------------------------------------------------------------------------------------------------


def cells(strip: str) -> dict[tuple[int, int], float]:
    """By row and column of a strip how strong a cell is, with its sign."""
    found = {}
    for kind, opacity, places in re.findall(r'class="(more|less)" stroke-opacity="([^"]*)" d="([^"]*)"', strip):
        for column, row in re.findall(r"M(\d+) (\d+)h1", places):
            found[int(row), int(column)] = float(opacity) * (1 if kind == "more" else -1)
    return found


def test_a_strip_shows_sign_and_size_of_each_number() -> None:
    array = np.array([[0.9, -0.9, 0.0, 0.1], [0.45, -0.2, 0.23, -0.46]])
    strip = heat(array, "en") or ""
    assert strip.endswith("(2 × 4 numbers from −0.9 to 0.9)</span>")
    found = cells(strip)
    assert found == {(0, 0): 1, (0, 1): -1, (0, 3): 0.25, (1, 0): 0.5, (1, 1): -0.25, (1, 2): 0.5, (1, 3): -0.75}
    assert heat(np.array([1.0, np.nan]), "en") is None
    assert cells(heat(np.zeros((5, 6)), "en") or "none") == {}


@pytest.mark.parametrize(("lang", "said"), [("en", "of them shown"), ("zh", "图中是其中")])
def test_of_very_many_numbers_some_are_shown_and_that_is_said(lang: str, said: str) -> None:
    array = np.arange(1, 3 * 40 * 1000 + 1.0).reshape(3, 40, 1000)
    strip = heat(array, lang) or ""
    found = cells(strip)
    assert len(found) == 8 * 24
    assert "192" in strip
    assert said in strip
    assert len(strip) < 3000
    assert found[7, 23] == 1


def test_what_is_too_large_to_be_written_out_has_a_strip() -> None:
    page = network()._repr_html_()
    assert "5 × 6 numbers from −" in page
    assert page.count('<span class="heat">') > 3
    assert "个数，从 −" in network(lang="zh")._repr_html_()


def test_an_index_is_no_operand() -> None:
    """The rows' largest logit is called m where the index of Σₘ is: nothing comes from it."""
    x, v = tensor(4, 3, name="X", learnt=False), tensor(3, 3, name="V")
    scores = tg.softmax(x @ v) @ tensor(3, 3, name="W", seed=1)
    plan = planned(tg.explain(tg.cross_entropy(scores, [0, 1, 2, 1]), v))
    assert plan is not None
    assert any(str(formula).startswith("Σₘ ") for formula in plan.made.values())
    assert "m" not in plan.box


@pytest.mark.slow
class TestInChromium:
    """In a browser. Each test fails when the page's script raises an error, is refused something, or loads anything."""

    @pytest.mark.parametrize("long", LONG)
    def test_each_step_is_seen_where_it_is(self, long: str, browser: Browser, tmp_path: Path) -> None:
        """One box is marked at each stop, in the drawing that is seen, and is computed there."""
        d = LONG[long]()
        d.save(tmp_path / "page.html")
        seen = browser.found(
            tmp_path / "page.html",
            """
            const next = document.querySelector("[name=next]"), states = [];
            while (next.ariaDisabled !== "true") {
              next.click(); await soon(10);
              const boxes = all(".derivation:not(.other) .scene .box").filter((box) => box.checkVisibility());
              const active = boxes.filter((box) => box.matches(".active"));
              states.push([location.hash, active.map((box) => box.dataset.part), active.filter((box) =>
                box.matches(".group, .outside")).length]);
            }
            return states;
            """,
        )
        steps = {hash: rest for hash, *rest in seen}
        for i, step in d.scene.data["steps"].items():
            assert steps[f"#step-{i}"] == [[step["at"]], 0]
        forward = [rest for hash, rest in steps.items() if "forward" in hash]
        assert forward == [[[at], 0] for at in d.scene.data["order"][: len(forward)]]

    def test_a_room_is_unfolded_and_folded_by_mouse_and_by_keyboard_and_stays_so(
        self, browser: Browser, tmp_path: Path
    ) -> None:
        attention().save(tmp_path / "page.html")
        states = browser.found(
            tmp_path / "page.html",
            """
            const shown = (selector) => all(".derivation:not(.other) .scene " + selector)
              .filter((node) => node.checkVisibility());
            const group = (name) => shown(".group").find((node) => node.textContent.includes(name));
            const focus = () => document.activeElement.textContent.replaceAll("\\n", "").slice(0, 10);
            const states = [];
            const state = () => states.push([shown(".within").map((one) => one.textContent).join(""),
              shown(".active").filter((one) => one.matches(".box")).map((one) => one.matches(".group")), focus()]);
            group("softmax").dispatchEvent(new MouseEvent("click", { bubbles: true })); state();
            shown(".within button")[0].click(); state();
            key("Enter", {}, group("entropy")); state();
            shown(".within button")[0].click(); state();
            key("ArrowRight"); await soon();
            location.assign("#step-3"); await soon(); state();
            key("ArrowRight"); await soon(); state();
            key(" ", {}, group("entropy")); state();
            key("ArrowRight"); await soon(); state();
            return [states, all(".group").map((one) => [one.getAttribute("role"), one.ariaExpanded, one.tabIndex])];
            """,
        )
        states, groups = states
        inside = ["the whole graph › softmax", "the whole graph › cross-entropy"]
        assert [state[0] for state in states] == [inside[0], "", inside[1], "", "", "", inside[1], inside[1]]
        assert [state[1] for state in states[4:]] == [[True], [True], [False], [False]]
        assert states[0][2] == states[2][2] == "the whole "
        assert states[1][2].startswith("▸ y′: soft")
        assert {tuple(group) for group in groups} == {("button", "false", 0)}

    def test_a_line_of_code_and_what_it_made_light_each_other_up(self, browser: Browser, tmp_path: Path) -> None:
        code = "p = tg.softmax(z)\nloss = -(y * tg.log(p)).sum()\nd = tg.explain(loss, z, way='backward')\n"
        run(START + code, tmp_path).save(tmp_path / "page.html")
        lit = browser.found(
            tmp_path / "page.html",
            """
            const over = (node) => node.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
            const boxes = () => all(".derivation:not(.other) .box.lit");
            const lit = () => [boxes().map((box) => box.textContent.trim().split(" ")[0]),
              [...new Set(all("code.lit").map((code) => code.textContent))]];
            const found = [];
            over(all("code").find((code) => code.textContent.startsWith("loss"))); found.push(lit());
            over(all(".box").find((box) => box.textContent.includes("exp("))); found.push(lit());
            over(document.querySelector("h1")); found.push(lit());
            return found;
            """,
            "#step-3",
        )
        assert [sorted(lit[0][0]), lit[0][1]] == [["L", "l", "s₁", "t"], ["loss = -(y * tg.log(p)).sum()"]]
        assert lit[1:] == [[["e"], ["p = tg.softmax(z)"]], [[], []]]
