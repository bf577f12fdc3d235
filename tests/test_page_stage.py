"""The drawing to step through: folded where it is long, with what each arrow multiplies by, and the user's own code."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import found

import tinygrad_cls as tg
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


@pytest.mark.slow
class TestInChromium:
    """In a browser. Each test fails when the page's script raises an error, is refused something, or loads anything."""

    @pytest.mark.parametrize("long", LONG)
    def test_each_step_is_seen_where_it_is(self, long: str, tmp_path: Path) -> None:
        """One box is marked at each stop, in the drawing that is seen, and is computed there."""
        d = LONG[long]()
        d.save(tmp_path / "page.html")
        seen = found(
            tmp_path / "page.html",
            """
            const next = document.querySelector("[name=next]"), states = [];
            while (!next.disabled) {
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

    def test_a_room_is_unfolded_and_folded_by_mouse_and_by_keyboard_and_stays_so(self, tmp_path: Path) -> None:
        attention().save(tmp_path / "page.html")
        states = found(
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
