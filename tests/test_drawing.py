"""Drawings: what is shown is what ran, folded as asked, and any name shows as itself."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cls as tg
from tinygrad_cls.drawing import layout, style
from tinygrad_cls.drawing.dot import shown, titles
from tinygrad_cls.drawing.formulas import filled, formula_of
from tinygrad_cls.drawing.values import lines, number
from tinygrad_cls.drawing.words import HEADERS, PICTURE

SVG = "{http://www.w3.org/2000/svg}"


def leaf(values, name=None):
    return tg.Tensor(values, dtype=float, requires_grad=True, name=name)


def network(depth, width=3, seed=0):
    rng = np.random.default_rng(seed)
    h = tg.Tensor(rng.normal(size=(2, width)), name="X")
    for i in range(depth):
        W, b = leaf(rng.normal(size=(width, width)), f"W{i}"), leaf(np.zeros(width), f"b{i}")
        h = tg.relu(h @ W + b)
    return (h * h).mean()


def random_graph(seed, size=25):
    rng = np.random.default_rng(seed)
    nodes = [leaf(rng.normal(size=(3, 4))), leaf(rng.normal(size=4)), tg.Tensor(rng.normal(size=(3, 1)))]
    unary = [tg.tanh, tg.softmax, tg.sigmoid, tg.sin, lambda x: x * 0.5, lambda x: x[..., ::-1], lambda x: x**2]
    binary = [tg.add, tg.multiply, tg.subtract, tg.maximum, lambda x, y: tg.where(x > y, x, y)]
    for _ in range(size):
        a, b = (nodes[i] for i in rng.integers(0, len(nodes), 2))
        nodes.append(
            unary[rng.integers(len(unary))](a) if rng.random() < 0.5 else binary[rng.integers(len(binary))](a, b)
        )
    return tg.sum(tg.tanh(nodes[-1] + nodes[-2] + nodes[0]))


def texts(drawing):
    """The lines of text that the picture shows."""
    return [(element.text or "").strip() for element in ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")]


def said(tensor, **options):
    """What the last box says."""
    return list(titles(tg.draw(tensor, **options).plan).values())[-1][1]


def boxes(drawing):
    return [box for box in drawing.plan.boxes.values() if box.inputs]


LOSSES = {
    "cross_entropy": lambda: tg.cross_entropy(leaf([[1, 2, 3], [0, -1, 2]]), [2, 0], label_smoothing=0.1),
    "ignored": lambda: tg.cross_entropy(leaf([[1, 2, 3], [0, -1, 2]]), [2, -100], ignore_index=-100),
    "binary": lambda: tg.binary_cross_entropy_with_logits(leaf([1, -2, 0]), [1.0, 0.0, 0.5]),
    "mse": lambda: tg.mse_loss(tg.softmax(leaf([1, 2, 3])), [0.0, 0.0, 1.0]),
    "indexing": lambda: tg.sum(leaf(np.arange(12).reshape(3, 4))[[0, 0, 2], 1:] ** 2),
    "einsum": lambda: tg.einsum("ij,kj->ik", leaf(np.ones((2, 3))), np.ones((4, 3))).sum(),
    "std": lambda: tg.std(leaf([1, 2, 4])) + tg.prod(leaf([1, 2, 4])),
    "gradient": lambda: tg.grad(lambda z: tg.cross_entropy(z, 0))(leaf([1, 2, 3])).sum(),
    "network": lambda: network(5),
}


@pytest.mark.parametrize("expand", [True, False, 1])
@pytest.mark.parametrize("name", LOSSES)
def test_a_drawing_replays_to_the_bit(name, expand):
    loss = LOSSES[name]()
    (replayed,) = tg.draw(loss, expand=expand).replay()
    assert replayed.tobytes() == loss.numpy().tobytes()


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_replay_to_the_bit_and_draw_alike(seed):
    first, second = random_graph(seed), random_graph(seed)
    drawing = tg.draw(first)
    assert drawing.replay()[0].tobytes() == first.numpy().tobytes()
    assert drawing.source == tg.draw(second).source
    ElementTree.fromstring(drawing.svg)


def test_every_output_is_replayed():
    x = leaf([1, 2])
    drawing = tg.draw(x * 2, x + 1, x)
    assert [array.tolist() for array in drawing.replay()] == [[2, 4], [2, 3], [1, 2]]


def test_the_text_is_the_same_in_another_process():
    program = (
        "import tinygrad_cls as tg\n"
        "z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name='z')\n"
        "loss = tg.cross_entropy(z, 2)\n"
        "loss.backward()\n"
        "print(tg.draw(loss).source)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


# --- what is told apart, named and written ------------------------------------------------------------------------


def test_kinds_differ_in_more_than_colour():
    x = leaf([1, 2], "x")
    source = tg.draw(tg.softmax(x) * tg.Tensor([1.0, 2.0]), expand=False, legend=False).source
    outlines = set()
    for line in source.splitlines():
        if found := re.search(r"</TABLE>> (.*)\]", line):
            outlines.add(re.sub(r'(fill)?color="#\w+" ?', "", found[1]))
    assert len(outlines) == 4  # parameter, constant, composite, output


def test_the_legend_explains_the_kinds_that_occur():
    shown_texts = texts(tg.draw(tg.exp(leaf(1.0, "x"))))
    assert {"gets a gradient", "output"} <= set(shown_texts)
    assert not {"composite", "given, no gradient", "no gradient goes back"} & set(shown_texts)
    assert "output" not in texts(tg.draw(tg.exp(leaf(1.0)), legend=False))
    shown_texts = texts(tg.draw(tg.relu(leaf([1.0])) * [2.0, 3.0], lang="zh"))
    assert {"求梯度", "复合运算", "给定，不求梯度", "没有梯度传回", "输出"} <= set(shown_texts)


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("make", [lambda: tg.exp(leaf(1.0)), lambda: tg.mse_loss(leaf([1, 2]), [0.0, 1.0])])
def test_the_legend_stands_below_and_moves_nothing(make, direction):
    def places(legend):
        picture = ElementTree.fromstring(tg.draw(make(), direction=direction, legend=legend).svg)
        width = float(picture.get("width").removesuffix("pt"))
        found = {}
        for group in picture.iter(f"{SVG}g"):
            if "node" in group.get("class", ""):
                found[group.get("id")] = [(float(t.get("x")), float(t.get("y"))) for t in group.iter(f"{SVG}text")]
        own = [float(t.get("y")) for t in picture.find(f"{SVG}g").findall(f"{SVG}text")]
        return width, found, own

    width, without, none = places(legend=False)
    wider, found, own = places(legend=True)
    assert not none
    assert own
    assert min(own) > max(y for texts in found.values() for _, y in texts)
    left = min(x for texts in without.values() for x, _ in texts)
    across = min(x for texts in found.values() for x, _ in texts)
    assert across - left <= (wider - width) / 2 + 1  # a legend wider than the drawing has it in its middle
    assert wider <= max(width, 330)


def test_names_shapes_dtypes_and_small_values_are_written():
    x = tg.Tensor([[1.5, -2.0]], dtype="float32", requires_grad=True, name="logits")
    drawing = tg.draw(x * 2, names={"doubled": x})
    assert {"doubled", "1 × 2 float32", "[1.5 -2]", "[3 -4]", "t = doubled × 2"} <= set(texts(drawing))
    assert "1 × 2" in texts(tg.draw(leaf([[1.5, -2.0]])))  # float64 goes without saying


def test_large_values_are_summed_up():
    shown_texts = texts(tg.draw(tg.Tensor(np.arange(1000.0), requires_grad=True) * 1.0))
    assert "0 … 999" in shown_texts
    assert "mean 500" in shown_texts


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ([0.0, -0.0], ["[0 0]"]),
        ([[1, 20], [300, 4]], ["[  1 20]", "[300  4]"]),
        (1e-22, ["1e-22"]),
        (np.zeros((0, 3)), ["no elements"]),
        ([True] * 9, ["9 of 9 true"]),
        ([np.nan, np.inf, 1.0, 2.0, 3.0, 4.0, 5.0], ["1 … 5", "mean 3", "1 infinite", "1 nan"]),
    ],
)
def test_values_as_text(array, expected):
    assert lines(np.asarray(array)) == expected


@given(st.floats(-1.79e308, 1.79e308))  # 1.797e308 would be written 1.8e308, which is infinite
def test_a_number_is_written_to_three_digits(value):
    assert float(number(value)) == pytest.approx(value, rel=5.1e-3, abs=0)


def test_gradients_are_written_after_backward_only():
    x = leaf([1, 2], "x")
    loss = (x * x).sum()
    assert not tg.draw(loss).gradients
    loss.backward()
    drawing = tg.draw(loss)
    assert sorted(array.tolist() for array in map(np.atleast_1d, drawing.gradients.values())) == [[1], [1, 1], [2, 4]]
    assert {"∂x", "∂t", "∂L", "gradient of L"} <= set(texts(drawing))
    assert not tg.draw(loss, gradients=False).gradients
    assert tg.draw(network(2), gradients=True).gradients


def test_an_accumulated_gradient_is_shown_as_it_is():
    x = leaf(3.0, "x")
    loss = x * 2
    loss.backward()
    loss.backward(retain_graph=True)
    assert "4" in texts(tg.draw(loss))


def test_a_graph_whose_leaves_moved_on_shows_what_ran():
    x = leaf(3.0, "x")
    loss = x * x
    loss.backward()
    x.assign(5.0)
    drawing = tg.draw(loss)
    assert {"3", "9", "6"} <= set(texts(drawing))
    assert "5" not in texts(drawing)
    assert drawing.replay()[0] == 9


def test_the_order_of_operands_stands_in_the_formula():
    x, y = leaf(1.0, "x"), leaf(2.0, "y")
    assert (said(x - y), said(y - x)) == ("L = x − y", "L = y − x")
    assert "label" not in "".join(line for line in tg.draw(x - y).source.splitlines() if "->" in line)


names = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() == text)
NASTY = [
    '"><script>alert(1)</script>',
    r"\n",
    r"\N \G \L \\",
    "a&amp;b<b>",
    "交叉熵损失",
    "a\nb\x00",
    "<>",
    "]]>",
    "--x--",
]


@pytest.mark.parametrize("name", NASTY)
def test_nasty_names_show_as_themselves(name):
    check_name(name)


@settings(max_examples=60)
@given(names)
def test_any_name_shows_as_itself(name):
    check_name(name)


def check_name(name):
    def double(x):
        return x * 2 + 1

    double.__name__ = name
    drawing = tg.draw(tg.composite(double)(tg.exp(leaf(1.0, name))), legend=False, values=False)
    assert not list(ElementTree.fromstring(drawing.svg).iter(f"{SVG}script"))
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    assert texts(drawing).count(visible) == 2  # on the leaf's box and on the composite's frame
    assert f"e = exp({visible})" in [title for _, title in titles(drawing.plan).values()] or visible == "e"


def test_escaping_leaves_plain_text_alone():
    assert shown("y′ = softmax(z)") == "y′ = softmax(z)"


# --- formulas and letters -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", tg.OPERATIONS)
def test_the_formula_of_every_operation_names_all_its_operands(name):
    operation = tg.OPERATIONS[name]
    if operation.ufunc is not None:
        count, parameters = operation.ufunc.nin, {}
    else:
        signature = inspect.signature(operation.forward).parameters.values()
        count = sum(p.kind is p.POSITIONAL_ONLY for p in signature)
        count += 3 * any(p.kind is p.VAR_POSITIONAL for p in signature)
        parameters = {p.name: None for p in signature if p.kind not in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)}
        if "index" in parameters:
            parameters["index"] = leaf(np.ones((2, 2, 2)))[[0], [0], [0]].parameters["index"]
    letters = "pqrstu"[:count]
    formula = filled(formula_of(operation, range(count), parameters), letters.__getitem__)
    found = re.findall(r"(?<![a-z_])[p-u](?![a-z_(])", formula)
    assert "".join(dict.fromkeys(found)) == letters
    assert not re.search(r"[{}\x01\x02]", formula)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x, A: x**2, "u = x²"),
        (lambda x, A: x**-3, "u = x⁻³"),
        (lambda x, A: x * -0.5, "u = x × (−0.5)"),
        (lambda x, A: x / np.sqrt(2.0), "u = x / 1.41421"),
        (lambda x, A: A @ A.T, "u = A Aᵀ"),
        (lambda x, A: A.T @ tg.reshape(x, (2, 1)), "u = Aᵀ reshape(x)"),
        (lambda x, A: (A @ A).T, "u = (A A)ᵀ"),
        (lambda x, A: x - tg.stop_gradient(tg.max(x)), "u = x − m"),
        (lambda x, A: A[0, 1:], "u = A[0, 1:]"),
        (lambda x, A: A[..., [1, 0]], "u = A[…, labels]"),
        (lambda x, A: tg.einsum("ij,j->i", A, x), "u = einsum(ij,j→i; A, x)"),
        (lambda x, A: tg.relu(x), "u = relu(x)"),
        (lambda x, A: tg.concat([x, x]), "u = concat(x, x)"),
    ],
)
def test_boxes_say_what_a_reader_would_write(make, expected):
    made = make(leaf([1, 2], "x"), leaf([[1, 2], [3, 4]], "A"))
    assert said(made, names={"u": made}) == expected


def by_hand():
    z, y = leaf([1, 2, 3], "z"), tg.Tensor([0.0, 0.0, 1.0], name="y")
    return z, -tg.sum(y * tg.log(tg.softmax(z)))


def squares():
    X, w = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], name="X"), leaf([1, 2], "w")
    return w, tg.mse_loss(X @ w, [1.0, 2.0])


def recurrent():
    h, W = leaf([1, 2], "h"), leaf([[1, 2], [3, 4]], "W")
    s = tg.tanh(tg.tanh(h @ W) @ W)
    return W, tg.sum(s * s)


@pytest.mark.parametrize("make", [by_hand, squares])
def test_letters_are_those_of_the_derivation(make):
    wrt, loss = make()
    plan = tg.draw(loss).plan
    called = {plan.graph.nodes[key].tensor: name for key, (name, _) in titles(plan).items()}
    letters = tg.explain(loss, wrt, way="backward").letters
    shared = {name: t for name, t in letters.items() if t in called}
    assert {name: called[t] for name, t in shared.items()} == {name: name for name in shared}
    assert len(shared) >= len(called) - 1


@pytest.mark.parametrize("way", ["loss", "lemmas", "backward"])
@pytest.mark.parametrize("make", [by_hand, squares, recurrent])
def test_a_drawing_takes_the_letters_of_any_derivation(make, way):
    wrt, loss = make()
    letters = tg.explain(loss, wrt, way=way).letters
    for expand in (True, False):
        plan = tg.draw(loss, names=letters, expand=expand).plan
        names = [name for name, _ in titles(plan).values()]
        for key, name in zip(plan.boxes, names, strict=True):
            assert letters.get(name) in (None, plan.graph.nodes[key].tensor)
        assert len(set(names)) == len(names)


def test_boxes_without_constants_still_say_their_formula():
    x, y = leaf([1, 2], "x"), tg.Tensor([3.0, 4.0], name="y")
    loss = tg.sum(x * y)
    assert [t for _, t in titles(tg.draw(loss, constants=False).plan).values()] == ["x", "t = x × y", "L = Σ t"]


def test_what_only_part_ran_of_is_called_a_part():
    slope = tg.grad(lambda z: tg.cross_entropy(z, 0))(leaf([1, 2, 3], "z"))
    assert any(
        title.startswith("s, a part of cross_entropy(")
        for _, title in titles(tg.draw(slope, expand=False).plan).values()
    )
    loss = tg.cross_entropy(leaf([1, 2, 3], "z"), 0)
    assert said(loss, expand=False) == "L = cross_entropy(z, label)"


def test_dashed_arrows_are_those_along_which_no_gradient_goes():
    loss = by_hand()[1]
    plan = tg.draw(loss).plan
    dashed = {
        (titles(plan)[x][0], titles(plan)[key][0]) for key in plan.boxes for x, flows in plan.sources(key) if not flows
    }
    assert dashed == {("z", "m"), ("m", "d"), ("y", "t")}
    assert tg.draw(loss).source.count("dashed") == 3 + 2 + 1  # arrows; y's box, twice with the legend; softmax's frame
    nowhere = tg.draw(tg.softmax(tg.Tensor([1.0, 2.0], name="x")), legend=False).source
    assert nowhere.count("->") == 7
    assert not re.search(r"->.*dashed", nowhere)


def test_the_words_of_pictures_are_complete_in_every_language():
    assert PICTURE.keys() == HEADERS.keys()
    for words in PICTURE.values():
        assert words.keys() == PICTURE["en"].keys()
        for key, sentence in words.items():
            assert set(re.findall(r"\{(\w+)", sentence)) == set(re.findall(r"\{(\w+)", PICTURE["en"][key]))


def test_a_folded_layer_holds_its_parameters():
    model = tg.nn.Sequential(tg.nn.Linear(4, 5), tg.nn.ReLU(), tg.nn.Linear(5, 3))
    out = model(tg.Tensor(np.ones((2, 4)), name="X"))
    drawing = tg.draw(out, expand=1)
    assert [title for _, title in titles(drawing.plan).values()] == [
        "X",
        "a = Linear(X)",
        "h = ReLU(a)",
        "a₁ = Linear(h)",
    ]
    assert {"weight 4 × 5, bias (5,)", "layers.0 · 2 × 5 float32"} <= set(
        texts(drawing)
    ) or "layers.0 · 2 × 5" in texts(drawing)
    assert "a = X weight" in [title for _, title in titles(tg.draw(out).plan).values()]


# --- how it looks -----------------------------------------------------------------------------------------------


def test_boxes_have_ids_that_stay_when_others_are_folded():
    loss = tg.cross_entropy(leaf([1, 2, 3], "z"), 2)
    found = {}
    for expand in (True, False, 1):
        picture = ElementTree.fromstring(tg.draw(loss, expand=expand).svg)
        ids = [element.get("id") for element in picture.iter() if element.get("id")]
        assert len(set(ids)) == len(ids)
        for group in picture.iter(f"{SVG}g"):
            if group.get("class") in ("node parameter", "node constant"):
                found.setdefault(group.find(f"{SVG}title").text, set()).add(group.get("id"))
        assert picture.get("class") == "drawing"
    assert {title: len(ids) for title, ids in found.items()} == {"z: (3,) float64": 1, "label: scalar int64": 1}


def everything():
    x = leaf([1, 2], "x")
    loss = tg.sum(tg.softmax(x) * tg.relu(x) * [1.0, 2.0])
    loss.backward()
    return tg.draw(loss, expand={"softmax"})


def test_every_colour_has_one_for_the_night():
    picture = ElementTree.fromstring(everything().svg)
    colours = {element.get(kind) for element in picture.iter() for kind in ("fill", "stroke")}
    assert len(colours) > 8
    assert colours - {None, "none", "transparent"} <= style.NIGHT.keys()


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("by_night", [False, True])
@pytest.mark.parametrize("ink", [style.INK, style.PALE, style.GRADIENT])
def test_text_can_be_read_by_day_and_by_night(ink, by_night):
    grounds = [style.PAPER, *(look["fillcolor"] for look in (*style.STYLES.values(), style.OUTPUT))]
    for ground in grounds:
        pair = sorted(luminance(style.NIGHT[c] if by_night else c) for c in (ink, ground))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5  # WCAG 2, level AA


def test_a_drawing_fits_where_it_stands_and_long_ones_go_down():
    svg = everything().svg
    assert ".drawing:not(:root) { max-width: 100%; height: auto }" in svg
    assert "rankdir=LR" in everything().source
    assert "rankdir=TB" in tg.draw(random_graph(1)).source
    assert "rankdir=LR" in tg.draw(random_graph(1), direction="LR").source


def test_a_png_has_low_and_high_digits_from_one_font(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(layout, "_system_draws", lambda character: True)
    drawn = []
    monkeypatch.setattr("resvg_py.svg_to_bytes", lambda svg_string, **options: drawn.append(svg_string) or b"PNG")
    tg.draw(leaf([1, 2], "W₁₂") ** 2).render("png")
    lines = "".join(ElementTree.fromstring(drawn[-1]).itertext())
    assert "W12" in lines
    assert not set("₁₂²") & set(lines)
    assert 'baseline-shift="sub"' in drawn[-1]


# --- folding --------------------------------------------------------------------------------------------------


def test_composites_fold_to_one_box_and_unfold_to_frames():
    loss = tg.cross_entropy(leaf([1, 2, 3], "z"), 2)
    assert [box.title for box in boxes(tg.draw(loss, expand=False))] == ["cross_entropy"]
    once = {box.title for box in boxes(tg.draw(loss, expand=1))}
    assert {"log_softmax", "one_hot"} <= once
    unfolded = tg.draw(loss)
    assert [box.title for box in boxes(unfolded) if box.kind == "composite"] == ["one_hot"]  # no step of the gradient
    assert {"cross_entropy", "log_softmax", "y = one_hot(label)"} <= set(texts(unfolded))
    assert all(box.kind == "operation" for box in boxes(tg.draw(loss, expand=9)))
    named = tg.draw(loss, expand={"cross_entropy", "one_hot"})
    assert {box.title for box in boxes(named)} == {"log_softmax", ""}


def test_two_calls_of_a_composite_are_two_boxes():
    assert [box.title for box in boxes(tg.draw(tg.relu(tg.relu(leaf([1.0]))), expand=False))] == ["relu", "relu"]


def test_constants_can_be_left_out():
    loss = tg.cross_entropy(leaf([1, 2, 3], "z"), 2)
    nodes = tg.draw(loss, constants=False).plan
    assert all(nodes.graph.nodes[key].requires_grad for key in nodes.boxes)
    assert len(nodes.boxes) < len(tg.draw(loss).plan.boxes)


@pytest.mark.parametrize("depth", [3, 4, 12])
def test_repeated_layers_are_shown_once(depth):
    drawing = tg.draw(network(depth), expand=False)
    assert [times for times, _ in drawing.plan.repeats] == [depth]
    assert any(text.startswith(f"× {depth}") for text in texts(drawing))
    assert [box.title for box in boxes(drawing) if box.title] == ["relu"]
    W = f"W{depth - 1}"
    assert f"a = … {W}" in [title for _, title in titles(drawing.plan).values()]  # not of X, as only the first one is
    once = [drawing.plan.graph.nodes[key].name for key in drawing.plan.boxes if not drawing.plan.boxes[key].inputs]
    assert sorted(once) == [W, "X", "b" + str(depth - 1)]


def test_shared_weights_of_repeated_layers_stay_outside():
    W, h = leaf(np.eye(2), "W"), leaf([1, 2], "h")
    for _ in range(6):
        h = tg.tanh(h @ W)
    drawing = tg.draw(h)
    ((times, keys),) = drawing.plan.repeats
    assert times == 6
    assert all(drawing.plan.graph.nodes[key].name != "W" for key in keys)


def test_layers_that_differ_or_feed_elsewhere_are_not_taken_for_repeated():
    h = leaf(np.ones((2, 3)))
    for size in (4, 5, 6, 7):
        h = tg.relu(h @ np.ones((h.shape[1], size)))
    assert not tg.draw(h, expand=False).plan.repeats
    steps = [leaf(1.0)]
    for _ in range(5):
        steps.append(tg.tanh(steps[-1]))
    assert not tg.draw(tg.stack(steps)).plan.repeats
    named = leaf(1.0)
    for i in range(5):
        named = tg.tanh(named)
        named.name = f"h{i}"
    assert not tg.draw(named).plan.repeats
    assert not tg.draw(network(5), repeats=False).plan.repeats


def test_a_graph_too_large_to_draw_is_summed_up():
    rng = np.random.default_rng(0)
    nodes = [leaf([0.1, 0.2])]
    for i in range(10_000):
        other = nodes[rng.integers(len(nodes))]
        nodes.append([tg.tanh(nodes[-1]), nodes[-1] * other, nodes[-1] + other][i * 7919 % 3])
    drawing = tg.draw(nodes[-1])
    assert len(drawing.plan.boxes) <= 41
    (elided,) = [box for box in drawing.plan.boxes.values() if box.kind == "elided"]
    assert len(elided.nodes) + len(drawing.plan.boxes) - 1 == 10_001
    assert drawing.replay()[0].tobytes() == nodes[-1].numpy().tobytes()
    assert any("nodes" in text for text in texts(drawing))


def test_a_long_chain_folds_to_one_box():
    x = total = leaf(0.0, "x")
    for _ in range(20_000):
        total = total + 1.0
    drawing = tg.draw(total)
    assert [(times, len(keys)) for times, keys in drawing.plan.repeats] == [(20_000, 1)]
    assert {"x", "20000"} <= set(texts(drawing))
    assert x.grad is None


# --- files, formats and errors -------------------------------------------------------------------------------------


@pytest.fixture
def drawing():
    return tg.draw(tg.softmax(leaf([1, 2, 3], "z")))


@pytest.mark.parametrize(
    ("suffix", "start"), [("svg", b"<?xml"), ("PNG", b"\x89PNG"), ("dot", b"digraph"), ("gv", b"digraph")]
)
def test_the_suffix_gives_the_format(drawing, tmp_path, suffix, start):
    path = tmp_path / f"picture.{suffix}"
    drawing.save(path)
    assert path.read_bytes().startswith(start)


def test_a_format_that_is_not_to_be_had_says_what_to_do(drawing, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"installed Graphviz.*\.svg"):
        drawing.save(tmp_path / "picture.pdf")
    assert not (tmp_path / "picture.pdf").exists()
    with pytest.raises(ValueError, match="no suffix"):
        drawing.save(tmp_path / "picture")


def test_without_dot_on_the_path_the_wheel_draws(drawing, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "graphviz-pure" in drawing.svg
    assert drawing.render("png").startswith(b"\x89PNG")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_an_installed_dot_comes_first(drawing, tmp_path, monkeypatch):
    stand_in = tmp_path / "dot"
    stand_in.write_text('#!/bin/sh\necho "<svg>installed $1</svg>"\n', encoding="utf-8")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert drawing.svg == "<svg>installed -Tsvg</svg>\n"
    assert drawing.render("pdf") == b"<svg>installed -Tpdf</svg>\n"
    stand_in.write_text("#!/bin/sh\necho broken >&2\nexit 3\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="dot failed: broken"):
        drawing.render("svg")


def test_letters_without_a_font_are_announced(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    picture = tg.draw(tg.exp(leaf(1.0, "损失")))
    monkeypatch.setattr(layout, "_system_draws", lambda character: False)
    with pytest.warns(UserWarning, match="no font here has"):
        assert picture.render("png").startswith(b"\x89PNG")
    monkeypatch.setattr(layout, "_system_draws", lambda character: True)
    assert picture.render("png").startswith(b"\x89PNG")


def test_a_missing_layout_program_says_what_to_install(monkeypatch, tmp_path, drawing):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(layout.importlib.metadata, "files", lambda name: [])
    layout.wheel.cache_clear()
    with pytest.raises(RuntimeError, match="pip install graphviz-pure"):
        drawing.svg  # noqa: B018
    layout.wheel.cache_clear()


def test_jupyter_shows_the_picture(drawing):
    assert drawing._repr_svg_() == drawing.svg


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((), {}, ValueError, "needs a Tensor"),
        ((np.ones(3),), {}, TypeError, "draws Tensors, not ndarray"),
        ((tg.Tensor(1.0),), {"names": {"y": tg.Tensor(1.0)}}, ValueError, "'y'.*not part of this graph"),
        ((tg.Tensor(1.0),), {"names": {"y": 1.0}}, TypeError, "'y'.*must be a Tensor"),
        ((tg.Tensor(1.0),), {"direction": "up"}, ValueError, "direction"),
        ((tg.Tensor(1.0),), {"max_boxes": 1}, ValueError, "max_boxes"),
    ],
)
def test_errors_name_what_was_wrong(arguments, options, error, message):
    with pytest.raises(error, match=message):
        tg.draw(*arguments, **options)


def test_the_text_listing_aligns_and_names(drawing):
    x, W = leaf([[1, 2]], "x"), leaf([[1, 2], [3, 4]], "损失")
    loss = tg.sum(x @ W)
    loss.backward()
    listing = tg.draw(loss).text.splitlines()
    assert listing[0].split() == ["value", "gradient"]
    assert any(line.startswith("a = x 损失") for line in listing)
    starts = {line.index("[") - line.count("损失") * -2 for line in listing if "[" in line and "×" in line}
    assert len(starts) == 1
    assert "softmax:" in drawing.text.splitlines()


@pytest.mark.slow
def test_a_chain_of_a_million_additions_is_drawn():
    total = leaf(0.0)
    for _ in range(1_000_000):
        total = total + 1.0
    drawing = tg.draw(total)
    assert [times for times, _ in drawing.plan.repeats] == [1_000_000]
    assert "× 1,000,000 (the last one shown)" in texts(drawing)
