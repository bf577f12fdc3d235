"""`explain` on the classic losses: the text, the proof, and the formula on fresh data against other engines."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import test_textbook as textbook

import tinygrad_cls as tg
from tinygrad_cls.algebra.rules import RULES
from tinygrad_cls.algebra.simplify import Simplifier

Data = dict[str, np.ndarray]


class Row(NamedTuple):
    """A loss as a function of named arrays, and the gradient that it must have."""

    loss: Callable[[dict[str, tg.Tensor]], tg.Tensor]
    wrt: str
    gradient: str
    shapes: str  # names with shapes: "X:nd w:d"
    names: Callable[[dict[str, tg.Tensor]], dict[str, tg.Tensor]] = lambda t: {}
    where: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


def make(shapes: str, sizes: dict[str, int], rng: np.random.Generator) -> Data:
    """Random arrays: `labels` class numbers, `y` rows that sum to 1, `u` any positive numbers, `b…` bits."""
    data: Data = {}
    for entry in shapes.split():
        name, _, axes = entry.partition(":")
        shape = tuple(sizes[a] for a in axes)
        if name == "labels":
            data[name] = rng.integers(0, sizes["k"], size=shape)
        elif name == "bits":
            data[name] = rng.integers(0, 2, size=shape).astype(float)
        elif name == "y":
            rows = rng.random(shape) + 0.1
            data[name] = rows / rows.sum(axis=-1, keepdims=True)
        elif name in ("u", "T", "λ"):
            data[name] = rng.random(shape) + 0.5
        else:
            data[name] = rng.normal(size=shape)
    return data


def tensors(data: Data, wrt: str) -> dict[str, tg.Tensor]:
    return {
        name: tg.Tensor(array, requires_grad=name == wrt or (name[0] in "Wbz" and name != "bits"), name=name)
        for name, array in data.items()
    }


def probabilities(t: dict[str, tg.Tensor]) -> dict[str, tg.Tensor]:
    return {"y′": tg.softmax(t["z"])}


def coded(t: dict[str, tg.Tensor]) -> dict[str, tg.Tensor]:
    return {"y′": tg.softmax(t["z"]), "y": tg.one_hot(t["labels"], t["z"].shape[-1])}


def naive(z: tg.Tensor) -> tg.Tensor:
    e = tg.exp(z)
    return e / e.sum(axis=-1, keepdims=True)


def naive_sigmoid(z: tg.Tensor) -> tg.Tensor:
    return 1 / (1 + tg.exp(-z))


def likelihood(p: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return -(y * tg.log(p)).sum(axis=-1).mean()


def binary(p: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return -(y * tg.log(p) + (1 - y) * tg.log(1 - p)).sum()


def linear(t: dict[str, tg.Tensor]) -> tg.Tensor:
    return t["X"] @ t["W"] + t["b"]


def linear_names(t: dict[str, tg.Tensor]) -> dict[str, tg.Tensor]:
    return {"y′": tg.softmax(linear(t)), "y": tg.one_hot(t["labels"], t["W"].shape[1])}


def network(t: dict[str, tg.Tensor], activation: Callable[[tg.Tensor], tg.Tensor]) -> tg.Tensor:
    a = t["X"] @ t["W₁"] + t["b₁"]
    a.name = "a"
    h = activation(a)
    h.name = "h"
    z = h @ t["W₂"] + t["b₂"]
    t["z of net"] = z
    return tg.cross_entropy(z, t["labels"])


def network_names(t: dict[str, tg.Tensor]) -> dict[str, tg.Tensor]:
    z = t["z of net"]
    return {"y′": tg.softmax(z), "y": tg.one_hot(t["labels"], z.shape[1])}


def squared(prediction: tg.Tensor, target: tg.Tensor) -> tg.Tensor:
    return ((prediction - target) ** 2).sum()


def hessian_vector(f: Callable[[tg.Tensor], tg.Tensor], t: dict[str, tg.Tensor]) -> tg.Tensor:
    return (tg.grad(f)(t["z"]) * t["v"]).sum()


NET = "X:nd W₁:dh b₁:h W₂:hk b₂:k labels:n"
REGRESSION = "X:nd w:d t:n"
SUMS = ("Σ y = 1",)

ROWS = {
    "one sample": Row(
        lambda t: -(t["y"] * tg.log(tg.softmax(t["z"]))).sum(), "z", "y′ − y", "z:k y:k", probabilities, (), SUMS
    ),
    "one sample, naive": Row(
        lambda t: -(t["y"] * tg.log(naive(t["z"]))).sum(), "z", "y′ − y", "z:k y:k", probabilities, (), SUMS
    ),
    "one sample, cross_entropy": Row(
        lambda t: tg.cross_entropy(t["z"], t["labels"]), "z", "y′ − y", "z:k labels:", coded
    ),
    "batch": Row(lambda t: tg.cross_entropy(t["z"], t["labels"]), "z", "(y′ − y) / N", "z:nk labels:n", coded),
    "batch, naive": Row(
        lambda t: likelihood(naive(t["z"]), tg.one_hot(t["labels"], t["z"].shape[1])),
        "z",
        "(y′ − y) / N",
        "z:nk labels:n",
        coded,
    ),
    "negative log-likelihood": Row(
        lambda t: tg.nll_loss(tg.log_softmax(t["z"]), t["labels"]), "z", "(y′ − y) / N", "z:nk labels:n", coded
    ),
    "W": Row(
        lambda t: tg.cross_entropy(linear(t), t["labels"]),
        "W",
        "Xᵀ (y′ − y) / N",
        "X:nd W:dk b:k labels:n",
        linear_names,
    ),
    "b": Row(
        lambda t: tg.cross_entropy(linear(t), t["labels"]),
        "b",
        "Σₙ (y′ − y) / N",
        "X:nd W:dk b:k labels:n",
        linear_names,
    ),
    "W, naive": Row(
        lambda t: likelihood(naive(linear(t)), tg.one_hot(t["labels"], t["W"].shape[1])),
        "W",
        "Xᵀ (y′ − y) / N",
        "X:nd W:dk b:k labels:n",
        linear_names,
    ),
    "soft labels": Row(
        lambda t: tg.cross_entropy(t["z"], t["y"]), "z", "(y′ − y) / N", "z:nk y:nk", probabilities, (), SUMS
    ),
    "label smoothing": Row(
        lambda t: tg.cross_entropy(t["z"], t["labels"], label_smoothing=0.1),
        "z",
        "(y′ − y) / N",
        "z:nk labels:n",
        probabilities,
        ("y = 0.9 one_hot(labels) + ",),
    ),
    "class weights": Row(
        lambda t: tg.cross_entropy(t["z"], t["labels"], weight=t["u"]),
        "z",
        "(y′ − y) Σₖ y ⊙ u / Σ y ⊙ u",
        "z:nk labels:n u:k",
        coded,
    ),
    "temperature": Row(
        lambda t: tg.cross_entropy(t["z"] / t["T"], t["labels"]),
        "z",
        "(y′ − y) / (T N)",
        "z:nk labels:n T:",
        lambda t: {"y′": tg.softmax(t["z"] / t["T"]), "y": tg.one_hot(t["labels"], t["z"].shape[1])},
    ),
    "temperature 2": Row(
        lambda t: tg.cross_entropy(t["z"] / 2, t["labels"]),
        "z",
        "(y′ − y) / 2",
        "z:k labels:",
        lambda t: {"y′": tg.softmax(t["z"] / 2), "y": tg.one_hot(t["labels"], t["z"].shape[0])},
    ),
    "targets of any sum": Row(lambda t: tg.cross_entropy(t["z"], t["u"]), "z", "y′ Σ u − u", "z:k u:k", probabilities),
    "targets of any sum, naive": Row(
        lambda t: -(t["u"] * tg.log(naive(t["z"]))).sum(), "z", "y′ Σ u − u", "z:k u:k", probabilities
    ),
    "logsumexp": Row(lambda t: tg.logsumexp(t["z"]), "z", "softmax(z)", "z:k"),
    "logsumexp, naive": Row(lambda t: tg.log(tg.exp(t["z"]).sum()), "z", "softmax(z)", "z:k"),
    "binary": Row(
        lambda t: tg.binary_cross_entropy_with_logits(t["z"], t["bits"], reduction="sum"),
        "z",
        "σ(z) − bits",
        "z:n bits:n",
    ),
    "binary, of sigmoid": Row(
        lambda t: binary(tg.sigmoid(t["z"]), t["bits"]), "z", "σ(z) − bits", "z:n bits:n", assumptions=()
    ),
    "binary, naive": Row(
        lambda t: binary(naive_sigmoid(t["z"]), t["bits"]), "z", "σ(z) − bits", "z:n bits:n", assumptions=()
    ),
    "two classes": Row(
        lambda t: tg.cross_entropy(tg.stack([t["z"] * 0, t["z"]], axis=1), t["labels"].numpy() % 2, reduction="sum"),
        "z",
        "σ(z) − y[:, 1]",
        "z:n labels:n",
        lambda t: {"y": tg.one_hot(t["labels"].numpy() % 2, 2)},
    ),
    "two classes, naive": Row(
        lambda t: (
            -(tg.one_hot(t["labels"].numpy() % 2, 2) * tg.log(naive(tg.stack([t["z"] * 0, t["z"]], axis=1)))).sum()
        ),
        "z",
        "σ(z) − y[:, 1]",
        "z:n labels:n",
        lambda t: {"y": tg.one_hot(t["labels"].numpy() % 2, 2)},
    ),
    "squared error on softmax": Row(
        lambda t: squared(tg.softmax(t["z"]), t["y"]),
        "z",
        "2 y′ ⊙ (y′ − y − Σ y′ ⊙ (y′ − y))",
        "z:k y:k",
        probabilities,
    ),
    "squared error on softmax, naive": Row(
        lambda t: squared(naive(t["z"]), t["y"]), "z", "2 y′ ⊙ (y′ − y − Σ y′ ⊙ (y′ − y))", "z:k y:k", probabilities
    ),
    "squared error on sigmoid": Row(
        lambda t: squared(tg.sigmoid(t["z"]), t["bits"]),
        "z",
        "2 σ ⊙ (σ − bits) ⊙ (1 − σ)",
        "z:n bits:n",
        lambda t: {"σ": tg.sigmoid(t["z"])},
    ),
    "squared error on sigmoid, naive": Row(
        lambda t: squared(naive_sigmoid(t["z"]), t["bits"]),
        "z",
        "2 σ ⊙ (σ − bits) ⊙ (1 − σ)",
        "z:n bits:n",
        lambda t: {"σ": tg.sigmoid(t["z"])},
    ),
    "linear regression": Row(lambda t: tg.mse_loss(t["X"] @ t["w"], t["t"]), "w", "2 Xᵀ (X w − t) / N", REGRESSION),
    "linear regression, sum": Row(lambda t: squared(t["X"] @ t["w"], t["t"]), "w", "2 Xᵀ (X w − t)", REGRESSION),
    "ridge": Row(
        lambda t: tg.mse_loss(t["X"] @ t["w"], t["t"]) + t["λ"] * (t["w"] ** 2).sum(),
        "w",
        "2 Xᵀ (X w − t) / N + 2 λ w",
        REGRESSION + " λ:",
    ),
    "lasso": Row(
        lambda t: tg.mse_loss(t["X"] @ t["w"], t["t"]) + t["λ"] * abs(t["w"]).sum(),
        "w",
        "2 Xᵀ (X w − t) / N + λ sign(w)",
        REGRESSION + " λ:",
    ),
    "tanh network, W₁": Row(
        lambda t: network(t, tg.tanh), "W₁", "Xᵀ δ / N", NET, network_names, ("δ = ((y′ − y) W₂ᵀ) ⊙ (1 − h²)",)
    ),
    "tanh network, b₁": Row(
        lambda t: network(t, tg.tanh), "b₁", "Σₙ δ / N", NET, network_names, ("δ = ((y′ − y) W₂ᵀ) ⊙ (1 − h²)",)
    ),
    "tanh network, W₂": Row(lambda t: network(t, tg.tanh), "W₂", "hᵀ (y′ − y) / N", NET, network_names),
    "tanh network, b₂": Row(lambda t: network(t, tg.tanh), "b₂", "Σₙ (y′ − y) / N", NET, network_names),
    "relu network, W₁": Row(
        lambda t: network(t, tg.relu), "W₁", "Xᵀ δ / N", NET, network_names, ("δ = ((y′ − y) W₂ᵀ) ⊙ [a > 0]",)
    ),
    "relu network, b₁": Row(
        lambda t: network(t, tg.relu), "b₁", "Σₙ δ / N", NET, network_names, ("δ = ((y′ − y) W₂ᵀ) ⊙ [a > 0]",)
    ),
    "relu network, W₂": Row(lambda t: network(t, tg.relu), "W₂", "hᵀ (y′ − y) / N", NET, network_names),
    "Hessian–vector product": Row(
        lambda t: hessian_vector(lambda z: tg.cross_entropy(z, t["labels"]), t),
        "z",
        "y′ ⊙ (v − Σ y′ ⊙ v)",
        "z:k v:k labels:",
        probabilities,
    ),
    "Hessian–vector product, batch": Row(
        lambda t: hessian_vector(lambda z: tg.cross_entropy(z, t["labels"]), t),
        "z",
        "y′ ⊙ (v − Σₖ y′ ⊙ v) / N",
        "z:nk v:nk labels:n",
        probabilities,
    ),
    "Hessian–vector product, naive": Row(
        lambda t: hessian_vector(lambda z: -(t["y"] * tg.log(naive(z))).sum(), t),
        "z",
        "y′ ⊙ (v − Σ y′ ⊙ v)",
        "z:k v:k y:k",
        probabilities,
        (),
        SUMS,
    ),
    "shift of all logits": Row(
        lambda t: tg.cross_entropy(t["z"] + t["b"], t["labels"], reduction="sum"), "b", "0", "z:nk b: labels:n"
    ),
    "logits used twice": Row(
        lambda t: tg.cross_entropy(t["z"] + t["u"] * t["z"], t["labels"], reduction="sum"),
        "z",
        "(y′ − y) ⊙ (u + 1)",
        "z:nk u:nk labels:n",
        lambda t: {"y′": tg.softmax(t["z"] + t["u"] * t["z"])},
    ),
    "exp of log_softmax": Row(
        lambda t: squared(tg.exp(tg.log_softmax(t["z"])), t["y"]),
        "z",
        "2 y′ ⊙ (y′ − y − Σ y′ ⊙ (y′ − y))",
        "z:k y:k",
        probabilities,
    ),
}

SIZES = [{"n": 5, "d": 4, "k": 3, "h": 6}, {"n": 7, "d": 2, "k": 4, "h": 3}, {"n": 3, "d": 3, "k": 5, "h": 3}]


def derived(row: Row, sizes: dict[str, int], seed: int = 0, **options: Any) -> tuple[Any, Data]:
    data = make(row.shapes, sizes, np.random.default_rng(seed))
    t = tensors(data, row.wrt)
    loss = row.loss(t)
    return tg.explain(loss, t[row.wrt], names=row.names(t), **options), data


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"n{sizes['n']}k{sizes['k']}")
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_gradient_is_the_textbooks(row: Row, sizes: dict[str, int]) -> None:
    d, _ = derived(row, sizes)
    assert str(d.gradient) == row.gradient.format(**sizes)
    meanings = [f"{name} = {formula}" for name, formula in d.where]
    for expected in row.where:
        assert any(meaning.startswith(expected) for meaning in meanings), meanings
    assert d.assumptions == row.assumptions
    assert d.error < 1e-12


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_formula_on_fresh_data_is_the_gradient(row: Row) -> None:
    sizes = SIZES[0]
    d, _ = derived(row, sizes)
    fresh = make(row.shapes, sizes, np.random.default_rng(1))
    if "bits" in fresh or "y[:, 1]" in row.gradient:
        fresh |= {
            name: make(row.shapes, sizes, np.random.default_rng(0))[name]
            for name in fresh
            if name in ("bits", "labels")
        }
    if "y[:, 1]" in row.gradient:
        fresh["labels"] %= 2  # as the loss does before it codes them
    t = tensors(fresh, row.wrt)
    row.loss(t).backward()
    used = {part.data[0] for part in _leaves(d.gradient.expression)}
    value = d.gradient.evaluate({name: array for name, array in fresh.items() if name in used})
    np.testing.assert_allclose(value, t[row.wrt].grad.numpy(), rtol=1e-10, atol=1e-12)


def _leaves(x: Any) -> list[Any]:
    from tinygrad_cls.algebra.expression import leaves_of

    return leaves_of(x, lets=True)


@pytest.mark.parametrize(
    "row", [ROWS[name] for name in ("one sample", "one sample, naive", "one sample, cross_entropy", "batch")]
)
def test_softmax_and_cross_entropy_take_6_to_16_steps(row: Row) -> None:
    d, _ = derived(row, SIZES[0], way="backward")
    assert 6 <= len(d.steps) <= 16


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_steps_follow_each_other(row: Row) -> None:
    d, _ = derived(row, SIZES[0])
    algebra = [step for step in d.steps if step.kind == "algebra" and not step.results]
    for step, following in itertools.pairwise(algebra):
        assert step.after.expression is following.before.expression
    if algebra:
        assert algebra[-1].after.expression is d.gradient.expression
        assert algebra[-1].after.expression.cost < algebra[0].before.expression.cost
    assert all(step.reason and step.rule for step in d.steps)
    assert not any("{" in step.reason for step in d.steps)


@pytest.mark.parametrize("row", list(ROWS.values())[::4], ids=list(ROWS)[::4])
def test_same_graph_same_text(row: Row) -> None:
    first, second = (derived(row, SIZES[0])[0] for _ in range(2))
    assert str(first) == str(second)
    assert first.latex == second.latex


FAR = {  # what these are needed for comes late in the table, so that it takes seconds to find
    "definition of tanh",
    "what is left of the whole",
    "one-hot rows keep one weighed value, in front",
    "size and sign",
    "definition of Φ",
    "definition of φ",
    "beside the edge",
    "powers add up",
    "positive part",
    "at the kink",
    "beside the kink",
    "definition of softmax, inside a sum",
    "one-hot rows keep one value, in front",
    "one-hot rows keep one value",
    "put sums together",
    "exp undoes log",
    "take out a common bracket",
}


def test_rules_that_are_tried_slowly_are_rules() -> None:
    assert {rule.name for rule in RULES} >= FAR


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, id=rule.name, marks=[pytest.mark.slow] * (rule.name in FAR)) for rule in RULES]
)
def test_without_any_rule_a_derivation_breaks(rule: Any) -> None:
    """The gradient gets another form; or the loss, where a rule gives a known function its name; or it takes longer."""
    others = tuple(other for other in RULES if other is not rule)
    broken = (name for name, row in ROWS.items() if lines(row, others) != lines(row, RULES))
    assert next(broken, None) or next((name for name in textbook.ROWS if textbook.changed(name, others)), None)


@functools.cache
def lines(row: Row, rules: Any) -> tuple[str, str, int]:
    d = derived(row, SIZES[0], rules=rules)[0]
    return str(d.loss), str(d.gradient), len(d.steps)


def test_sigmoid_and_two_classes_are_one() -> None:
    data = make("z:n labels:n", SIZES[0] | {"k": 2}, np.random.default_rng(0))
    t = tensors(data, "z")
    two = tg.cross_entropy(tg.stack([t["z"] * 0, t["z"]], axis=1), t["labels"], reduction="sum")
    y = tg.Tensor(data["labels"].astype(float), name="y")
    one = tg.binary_cross_entropy_with_logits(t["z"], y, reduction="sum")
    first, second = tg.explain(two, t["z"]), tg.explain(one, t["z"])
    assert (str(first.gradient), str(second.gradient)) == ("σ(z) − y[:, 1]", "σ(z) − y")
    np.testing.assert_allclose(
        first.gradient.evaluate({"z": data["z"], "labels": data["labels"]}),
        second.gradient.evaluate({"z": data["z"], "y": data["labels"]}),
        rtol=1e-12,
    )


def test_stalling_is_said() -> None:
    d, _ = derived(ROWS["squared error on softmax"], SIZES[0])
    assert any("factor y′ is left over" in sentence for sentence in d.closing)
    assert "Learning stalls" in str(d)
    assert "Learning stalls" in derived(ROWS["squared error on sigmoid"], SIZES[0])[0].story
    for row in ("one sample", "Hessian–vector product", "logsumexp"):
        assert "stalls" not in derived(ROWS[row], SIZES[0])[0].story


def test_each_step_marks_what_changes() -> None:
    d, _ = derived(ROWS["one sample, cross_entropy"], SIZES[0], way="backward")
    step = next(step for step in d.steps if step.rule == "rows sum to 1")
    from tinygrad_cls.explanation.text import spans

    assert [piece for piece, changed in spans(step.before.box) if changed] == ["Σ ", "y"]
    assert (str(step.before), str(step.after)) == ("Σ y", "1")


def test_named_results_may_be_given() -> None:
    d, _ = derived(ROWS["batch"], SIZES[0])
    p, y = np.full((2, 3), 1 / 3), np.eye(3)[:2]
    np.testing.assert_allclose(d.gradient.evaluate({"y′": p, "y": y}), (p - y) / 2)


def test_other_batch_sizes() -> None:
    d, _ = derived(ROWS["W"], SIZES[0])
    fresh = make(ROWS["W"].shapes, SIZES[0] | {"n": 9}, np.random.default_rng(3))
    t = tensors(fresh, "W")
    ROWS["W"].loss(t).backward()
    np.testing.assert_allclose(d.gradient.evaluate(fresh), t["W"].grad.numpy(), rtol=1e-12)


class TestErrors:
    def test_several_elements(self) -> None:
        z = tg.Tensor([1.0, 2.0], requires_grad=True)
        with pytest.raises(ValueError, match="one element"):
            tg.explain(z * 2, z)

    def test_independent(self) -> None:
        z, other = tg.Tensor([1.0], requires_grad=True), tg.Tensor([1.0], requires_grad=True, name="other")
        with pytest.raises(ValueError, match="does not depend on Tensor 'other'"):
            tg.explain((z * 2).sum(), other)

    def test_no_tensor(self) -> None:
        with pytest.raises(TypeError, match="wrt must be a Tensor"):
            tg.explain(tg.Tensor(1.0), np.ones(3))

    def test_names(self) -> None:
        z = tg.Tensor([1.0], requires_grad=True)
        with pytest.raises(TypeError, match="names is a dict"):
            tg.explain((z * 2).sum(), z, names={"a": 3})

    def test_missing_and_unknown_values(self) -> None:
        z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
        d = tg.explain((z * z).sum(), z)
        with pytest.raises(KeyError, match="needs z"):
            d.gradient.evaluate({})
        with pytest.raises(KeyError, match="no 'q'"):
            d.gradient.evaluate({"q": 1})
        with pytest.raises(ValueError, match="1 axes"):
            d.gradient.evaluate({"z": 1.0})

    def test_not_a_page(self, tmp_path: Any) -> None:
        d, _ = derived(ROWS["one sample"], SIZES[0])
        with pytest.raises(ValueError, match=r"\.html"):
            d.save(tmp_path / "derivation.pdf")


def test_simplifier_is_deterministic_across_rule_objects() -> None:
    d, _ = derived(ROWS["batch"], SIZES[0])
    x = next(step.before.expression for step in d.steps if step.kind == "algebra")
    from tinygrad_cls.algebra.facts import Facts

    assert Simplifier(Facts()).simplify(x)[0] is Simplifier(Facts()).simplify(x)[0]


@pytest.mark.peers
@pytest.mark.parametrize("n", [1, 6])
def test_against_pytorch_and_jax(n: int) -> None:
    import jax
    import torch

    jax.config.update("jax_enable_x64", True)
    d, _ = derived(ROWS["W"], SIZES[0])
    fresh = make(ROWS["W"].shapes, SIZES[0] | {"n": max(n, 2)}, np.random.default_rng(5))
    value = d.gradient.evaluate(fresh)
    W = torch.tensor(fresh["W"], requires_grad=True)
    z = torch.tensor(fresh["X"]) @ W + torch.tensor(fresh["b"])
    torch.nn.functional.cross_entropy(z, torch.tensor(fresh["labels"])).backward()
    np.testing.assert_allclose(value, W.grad.numpy(), rtol=1e-10, atol=1e-14)

    def loss(W: Any) -> Any:
        rows = jax.nn.log_softmax(fresh["X"] @ W + fresh["b"])
        return -rows[np.arange(len(fresh["labels"])), fresh["labels"]].mean()

    np.testing.assert_allclose(value, jax.grad(loss)(fresh["W"]), rtol=1e-10, atol=1e-14)


@pytest.mark.peers
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_row_on_fresh_data_against_jax(row: Row) -> None:
    """The formula against JAX, which differentiates the same forward operations by its own rules."""
    import jax

    jax.config.update("jax_enable_x64", True)
    d, data = derived(row, SIZES[0])
    fresh = make(row.shapes, SIZES[0], np.random.default_rng(2))
    fresh |= {name: data[name] for name in fresh if name in ("bits", "labels")}  # what the formula holds fixed
    if "y[:, 1]" in row.gradient:
        fresh["labels"] = fresh["labels"] % 2  # as the loss does before it codes them
    t = tensors(fresh, row.wrt)
    expected = jax.grad(in_jax(row.loss(t), t[row.wrt]))(fresh[row.wrt])
    used = {part.data[0] for part in _leaves(d.gradient.expression)}
    value = d.gradient.evaluate({name: array for name, array in fresh.items() if name in used})
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)


def in_jax(output: tg.Tensor, variable: tg.Tensor) -> Callable[[Any], Any]:
    """The recorded operations as a function of one leaf, run by JAX."""
    import jax
    import jax.numpy as jnp

    from tinygrad_cls.drawing.graph import Graph, Literal
    from tinygrad_cls.engine.operations.axes import filled

    def spread_mean(x: Any, shape: tuple[int, ...], axis: Any) -> Any:
        return jnp.broadcast_to(x * (x.size / np.prod(shape)), shape)

    special: dict[str, Callable[..., Any]] = {
        "astype": lambda x, dtype: x.astype(dtype),
        "identity": lambda x: x,
        "stop_gradient": jax.lax.stop_gradient,
        "concat": lambda *xs, axis: jnp.concatenate(xs, axis=axis),
        "getitem": lambda x, *arrays, index: x[filled(index, arrays)],
        "scatter": lambda x, *arrays, index, shape: jnp.zeros(shape).at[filled(index, arrays)].add(x),
        "spread_mean": spread_mean,
        "select": jnp.multiply,
        "below": jnp.subtract,
    }
    graph = Graph([output])

    def run(value: Any) -> Any:
        values: list[Any] = []
        for node in graph.nodes:
            if node.operation is None:
                values.append(value if node.tensor is variable else jnp.asarray(node.value))
            else:
                operands = [x.value if isinstance(x, Literal) else values[x] for x in node.inputs]
                function = special.get(node.operation.name) or getattr(jnp, node.operation.name)
                values.append(function(*operands, **node.parameters))
        return values[graph.outputs[0]].reshape(())

    return run


class TestMatrices:
    """A prime marks a prediction, so what is turned or meets itself is written otherwise."""

    @staticmethod
    def gradient(f: Callable[..., tg.Tensor], *shape: int, wrt: str = "w") -> str:
        rng = np.random.default_rng(0)
        w = tg.Tensor(rng.normal(size=shape), requires_grad=True, name="w")
        M = tg.Tensor(rng.normal(size=(3, 3)), requires_grad=True, name="M")
        d = tg.explain(f(w, M), w if wrt == "w" else M)
        assert d.error < 1e-12
        assert "′" not in str(d)
        return str(d.gradient)

    def test_quadratic_form(self) -> None:
        assert self.gradient(lambda w, M: w @ (M @ w), 3) == "(M + Mᵀ) w"
        assert self.gradient(lambda w, M: w @ (M @ w), 3, wrt="M") == "w wᵀ"

    def test_a_matrix_times_itself_turned_around(self) -> None:
        assert self.gradient(lambda w, M: ((w @ w.T) ** 2).sum(), 5, 3) == "2 (w wᵀ) w + 2 (w wᵀ) w"
        assert self.gradient(lambda w, M: ((M - M.T) ** 2).sum() / 2, 3, wrt="M").count("ᵀ") > 0

    def test_differences_of_all_pairs(self) -> None:
        loss = str(self.loss_of_pairs())
        assert loss in ("Σ (w − wₖ)²", "Σ (wₖ − w)²")

    @staticmethod
    def loss_of_pairs() -> Any:
        w = tg.Tensor([1.0, 2.0, 4.0], requires_grad=True, name="w")
        return tg.explain(((w[:, None] - w[None, :]) ** 2).sum(), w).loss

    def test_a_column_is_written_as_a_column(self) -> None:
        z = tg.Tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True, name="z")
        assert str(tg.explain(z[:, 1].sum(), z).loss) == "Σ z[:, 1]"
        assert str(tg.explain((z[0] * 2).sum(), z).loss) == "2 Σ z[0, :]"


@pytest.mark.parametrize("target", [np.zeros(3), np.ones(3)])
def test_targets_that_are_all_alike(target: np.ndarray) -> None:
    """Zeros vanish from a formula and have no name there; the gradient is that of any other target."""
    z = tg.Tensor([0.2, -1.0, 0.4], requires_grad=True, name="z")
    d = tg.explain(binary(tg.sigmoid(z), target), z)
    np.testing.assert_allclose(d.gradient.evaluate({"z": z}), 1 / (1 + np.exp(-z.numpy())) - target, atol=1e-15)


class TestOtherData:
    """A formula on other data: what has a name follows it."""

    @staticmethod
    def derivation(loss: Callable[..., tg.Tensor]) -> Any:
        w = tg.Tensor([1.0, 2.0, 0.5], requires_grad=True, name="w")
        a = tg.Tensor([0.2, 0.3, 0.5], name="a")
        return tg.explain(loss(w, a), w)

    def test_a_name_that_the_formula_has_lost_may_be_given(self) -> None:
        d = self.derivation(lambda w, a: (w + a).sum())
        assert str(d.gradient) == "1"
        np.testing.assert_array_equal(d.gradient.evaluate({"w": [1.0, 5, 2], "a": [7.0, 8, 9]}), [1, 1, 1])
        with pytest.raises(ValueError, match="a has length 2 where other values have 3"):
            d.gradient.evaluate({"w": [1.0, 5, 2], "a": [7.0, 8]})
        with pytest.raises(KeyError, match="no 'b'; it has w, a"):
            d.gradient.evaluate({"b": 1.0})

    @pytest.mark.parametrize("constant", [lambda a: a * a + 1, lambda a: (a * a).sum(), lambda a: a * 0])
    def test_what_is_computed_from_named_constants_follows_other_data(self, constant: Any) -> None:
        d = self.derivation(lambda w, a: (w * w * constant(a)).sum() + (w * a).sum())
        for a in np.array([[0.2, 0.3, 0.5], [0.4, 0.4, 0.2], [-1.0, 3.0, 0.0]]):
            value = d.gradient.evaluate({"w": [1.0, 2.0, 0.5], "a": a})
            np.testing.assert_allclose(value, 2 * np.array([1.0, 2.0, 0.5]) * constant(a) + a, rtol=1e-12)

    def test_a_constant_with_a_name_may_be_given(self) -> None:
        def loss(w: tg.Tensor, a: tg.Tensor) -> tg.Tensor:
            c = a * a + 1
            c.name = "c"
            return (w * w * c).sum()

        value = self.derivation(loss).gradient.evaluate({"w": [1.0, 2, 3], "c": [1.0, 2, 3]})
        np.testing.assert_array_equal(value, [2, 8, 18])

    @pytest.mark.parametrize("cut", ["detach", "no_grad", "later", "copied"])
    def test_what_was_cut_loose_is_asked_for_when_other_values_change(self, cut: str) -> None:
        """It may have been computed from them: no formula keeps its old value in silence."""
        x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
        with tg.no_grad() if cut == "no_grad" else contextlib.nullcontext():
            square = x * x
        made = {
            "detach": square.detach,
            "no_grad": lambda: square,
            "later": lambda: 2 * square.detach(),
            "copied": lambda: tg.Tensor(square.detach()),
        }
        c = made[cut]()
        d = tg.explain((x * c).sum() * c.sum().detach(), x)
        letters = sorted(set(d.loss.names) - {"x"})
        assert len(letters) == 2
        np.testing.assert_allclose(d.gradient.evaluate({"x": [1.0, 2.0]}), (c * c.sum()).numpy())
        with pytest.raises(KeyError, match=r"cut loose, by detach.* may have been computed from x"):
            d.gradient.evaluate({"x": [3.0, 4.0]})
        array, number = sorted(letters, key=lambda name: -d.loss.recorded.names[name][0].axes.__len__())
        given = {"x": [3.0, 4.0], array: [9.0, 16.0], number: 25.0}
        np.testing.assert_allclose(d.gradient.evaluate(given), [225.0, 400.0])
        assert f"{array} is held constant" in str(d)

    def test_a_constant_from_data_is_not_cut_loose(self) -> None:
        x, a = tg.Tensor([1.0, 2.0], requires_grad=True, name="x"), tg.Tensor([2.0, 3.0])
        d = tg.explain((x * x * (a * a).detach()).sum(), x)
        np.testing.assert_allclose(d.gradient.evaluate({"x": [1.0, 1.0]}), [8.0, 18.0])

    def test_a_name_that_comes_too_late_is_refused(self) -> None:
        """`1 - y` was computed when y had no name, so that the loss does not know of y."""
        x, y = tg.Tensor([1.0, 2.0], requires_grad=True, name="x"), tg.Tensor([1.0, 0.0])
        d = tg.explain(((1 - y) * x * x).sum(), x, names={"y": y})
        np.testing.assert_allclose(d.gradient.evaluate({"x": [3.0, 3.0], "y": [1.0, 0.0]}), [0.0, 6.0])
        with pytest.raises(ValueError, match="nothing in the loss was recorded as computed from y: give it a name"):
            d.gradient.evaluate({"x": [3.0, 3.0], "y": [0.0, 1.0]})

    def test_lengths_agree_with_arrays_without_a_name(self) -> None:
        z = tg.Tensor([[1.0, 2.0], [0.0, 3.0]], requires_grad=True, name="z")
        d = tg.explain(tg.cross_entropy(z, np.array([0, 1])), z)
        with pytest.raises(ValueError, match="length 2 where other values have 3"):
            d.gradient.evaluate({"z": np.zeros((3, 2))})

    def test_assumptions_are_checked_again(self) -> None:
        d, _ = derived(ROWS["soft labels"], SIZES[0])
        z, y = np.zeros((5, 3)), np.eye(3)[[0, 1, 2, 0, 1]]
        np.testing.assert_allclose(d.gradient.evaluate({"z": z, "y": y}), (1 / 3 - y) / 5)
        with pytest.raises(ValueError, match="assumed that Σ y = 1, which does not hold on this data"):
            d.gradient.evaluate({"z": z, "y": 2 * y})
        w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
        a = tg.Tensor([3.0, 4.0], name="a")
        d = tg.explain((w * w * a / a).sum(), w)
        assert d.assumptions == ("a ≠ 0",)
        with pytest.raises(ValueError, match="a ≠ 0"):
            d.gradient.evaluate({"w": [1.0, 2.0], "a": [1.0, 0.0]})

    def test_a_sum_of_1_is_not_read_off_what_was_computed(self) -> None:
        """One kept label: the mask sums to 1 by chance."""
        z = tg.Tensor([[1.0, 2.0, 0.3], [0.0, 3.0, 1.0], [0.5, 0.2, 0.1]], requires_grad=True, name="z")
        labels = tg.Tensor([-1, 2, -1], name="labels")
        d = tg.explain(tg.cross_entropy(z, labels, ignore_index=-1), z)
        assert d.assumptions == ()
        other = tg.Tensor(z.numpy(), requires_grad=True)
        tg.cross_entropy(other, [0, 2, 1], ignore_index=-1).backward()
        value = d.gradient.evaluate({"z": z, "labels": [0, 2, 1]})
        np.testing.assert_allclose(value, other.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "one {} serves several elements"), ("zh", "同一个 {} 参与多个元素的计算")]
)
def test_a_step_says_why_it_adds_up(lang: str, words: str) -> None:
    """An operand that is broadcast comes back as a sum: of a bias over the samples, of softmax's total over classes."""
    X = tg.Tensor([[1.0, 2.0], [0.0, 3.0], [1.0, 1.0]], name="X")
    W = tg.Tensor([[1.0, 2.0], [0.5, 3.0]], requires_grad=True, name="W")
    b = tg.Tensor([0.0, 1.0], requires_grad=True, name="b")
    loss = tg.cross_entropy(X @ W + b, np.array([0, 1, 1]))
    for wrt, repeated in ((b, {"b", "l"}), (W, {"l"})):
        partials = [(p, step) for step in tg.explain(loss, wrt, lang=lang, way="backward").steps for p in step.results]
        said = {p.name: str(p.formula) for p, step in partials if words.format(p.name) in step.reason}
        assert said.keys() == repeated
        assert all("Σ" in formula for formula in said.values())


class TestHeld:
    """What no gradient goes through is marked, unless that changes nothing."""

    @staticmethod
    def q(*values: float) -> tg.Tensor:
        h = tg.tanh(tg.Tensor([0.3, -0.8, 1.2], requires_grad=True, name="q"))
        return h.inputs[0]  # type: ignore[no-any-return]

    def test_a_semi_gradient(self) -> None:
        q, r, gamma = self.q(), tg.Tensor([1.0, 0.5, 2.0], name="r"), tg.Tensor(0.9, name="γ")
        d = tg.explain(((q - tg.stop_gradient(r + gamma * q)) ** 2).sum(), q)
        assert "stop(r + γ q)" in str(d.loss)
        assert str(d.gradient) == "2 q − 2 stop(r + γ q)"
        assert "stop(…) is held constant" in str(d)
        assert "a shift" not in str(d)

    def test_detach(self) -> None:
        q = self.q()
        d = tg.explain((q * q.detach()).sum(), q)
        assert (str(d.loss), str(d.gradient)) == ("Σ q ⊙ stop(q)", "stop(q)")
        np.testing.assert_array_equal(d.gradient.evaluate({"q": [1.0, 2, 3]}), [1, 2, 3])

    def test_a_shift_that_cancels_is_not_marked(self) -> None:
        q = self.q()
        m = tg.stop_gradient(tg.max(q))
        d = tg.explain(tg.log(tg.exp(q - m).sum()) + tg.stop_gradient(tg.max(q)), q)
        assert "stop" not in str(d)
        assert any("m is held constant, which is right here" in step.reason for step in d.steps)

    def test_a_shift_that_does_not_cancel_is_marked(self) -> None:
        q = self.q()
        d = tg.explain(tg.log(tg.exp(q - tg.stop_gradient(tg.max(q))).sum()), q)
        assert "stop(m) is held constant: no gradient goes back through it" in str(d).replace("\n     ", " ")
        assert "a shift of all inputs" not in str(d)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_printed_loss_has_the_printed_gradient(row: Row) -> None:
    """By differences of the loss formula's own values, along a random direction."""
    d, data = derived(row, SIZES[0])
    names = {name: array for name, array in data.items() if name in d.loss.names}
    if "y[:, 1]" in row.gradient:
        del names["labels"]  # what the loss has are other numbers
    direction = np.random.default_rng(7).normal(size=data[row.wrt].shape)
    step = 1e-5

    def loss(t: float) -> float:
        moved = names | {row.wrt: data[row.wrt] + t * direction}
        return float(d.loss.evaluate(moved))

    slope = (loss(step) - loss(-step)) / (2 * step)
    gradient = d.gradient.evaluate(names)
    np.testing.assert_allclose(slope, (gradient * direction).sum(), rtol=1e-5, atol=1e-8)


def test_signs_and_letters_are_introduced() -> None:
    z = tg.Tensor([[1.0, 2.0, 0.5], [0.3, 0.1, 2.0]], requires_grad=True, name="z")
    d = tg.explain(tg.cross_entropy(z + np.array([1.0, 2.0, 3.0]), [0, 2]), z)
    lines = [line.strip() for line in str(d).splitlines()]
    for line in (
        "⊙ multiplies element by element",
        "Σ adds up all elements of what follows it",
        "the index k runs along axis 1 of z, from 1 to K = 3",
        "N = 2, the length of axis 0 of z",
        "c was given without a name: [1 2 3]",
    ):
        assert line in lines


def test_a_capital_means_one_thing() -> None:
    """No length is called K where a matrix is."""
    K = tg.Tensor([[1.0, 2.0], [0.5, 1.0], [2.0, 0.0]], requires_grad=True, name="K")
    d = tg.explain(tg.softmax(K).mean() + tg.logsumexp(K, axis=1).mean(), K)
    assert "K = 2" not in str(d)
    assert "K = 3" not in str(d)


def test_a_name_is_not_explained_by_itself() -> None:
    d, _ = derived(ROWS["squared error on sigmoid"], SIZES[0])
    assert "σ = sigmoid(z)" in str(d)
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
    e = tg.exp(z)
    e.name = "e"
    total = tg.sum(e)
    total.name = "Σe"
    assert "and Σe" not in str(tg.explain(tg.log(total), z))


def test_a_derivation_that_is_wrong_says_so_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygrad_cls.explanation.problem import Problem

    monkeypatch.setattr(Problem, "error", lambda *_: 0.1)
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
    with pytest.warns(UserWarning, match=r"differs from backward by 0\.1, which is more than rounding"):
        d = tg.explain((z * z).sum(), z)
    assert str(d).startswith("Do not trust this derivation")


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_no_alarm(scale: float, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    X = tg.Tensor((scale * rng.normal(size=(50, 8))).astype(dtype), name="X")
    w = tg.Tensor(rng.normal(size=8).astype(dtype), requires_grad=True, name="w")
    d = tg.explain(tg.mse_loss(X @ w, (scale * rng.normal(size=50)).astype(dtype)), w)
    assert d.alarm is None


def test_what_is_a_number_takes_no_part() -> None:
    """`z * 0` is 0 whatever z is: no step goes through it."""
    d, _ = derived(ROWS["two classes"], SIZES[0])
    text = str(d)
    assert "∂0" not in text
    assert "0 = 0" not in text
    assert not any(step.ways for step in d.steps if step.results and step.results[0].name == "z")


def test_a_constant_is_not_detached_from_what_was_made_of_it() -> None:
    """`stop_gradient` and `reshape` show the memory of a constant: it is still where that comes from."""
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    a = tg.Tensor([3.0, 4.0], name="a")
    d = tg.explain((w * tg.stop_gradient(a)).sum() + (w * a.reshape(2, 1)[:, 0]).sum(), w)
    np.testing.assert_array_equal(d.gradient.evaluate({"w": w, "a": a}), [6, 8])


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "(10 × 8 numbers from 0 to 158)"), ("zh", "（10 × 8 个数，从 0 到 158）")]
)
def test_a_large_value_is_summed_up(lang: str, said: str) -> None:
    x = tg.Tensor(np.arange(80.0).reshape(10, 8), requires_grad=True, name="x")
    d = tg.explain((x * x).sum(), x, lang=lang)
    assert f"∂L/∂x = 2 x = {said}" in str(d)
    x = tg.Tensor([[np.inf] * 8] * 10, requires_grad=True, name="x")
    assert "∂L/∂x = 2 x\n" in str(tg.explain((x * x).sum(), x, lang=lang))  # of what is not finite there is no range


def test_slices_are_written_as_in_numpy() -> None:
    z = tg.Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True, name="z")
    d = tg.explain(((z[1:] - z[:-1]) ** 2).sum(), z)
    assert str(d.loss) == "Σ (z[1:] − z[:−1])²"
    assert str(d.gradient) == "put[1:](2 z[1:] − 2 z[:−1]) + put[:−1](2 z[:−1] − 2 z[1:])"
    assert "put[…](x) is x at these places and 0 elsewhere" in str(d)
    assert "put[" in d.latex


def test_the_slope_of_a_power_is_written_without_its_edge() -> None:
    x = tg.Tensor([1.5, 2.0, 3.0], requires_grad=True, name="x")
    y = tg.Tensor([2.0, 0.5, 1.0], requires_grad=True, name="y")
    loss = (x**y).sum()
    by_base, by_exponent = tg.explain(loss, x), tg.explain(loss, y)
    assert (str(by_base.gradient), str(by_exponent.gradient)) == ("y ⊙ x^(y − 1)", "log(x) ⊙ x^y")
    assert by_base.assumptions == by_exponent.assumptions == ("x ≠ 0",)
    with pytest.raises(ValueError, match="x ≠ 0"):
        by_exponent.gradient.evaluate({"x": [0.0, 1.0, 2.0], "y": [1.0, 1.0, 1.0]})


def test_powers_that_are_no_halves_add_up() -> None:
    x = tg.Tensor([1.5, 2.0, 3.0], requires_grad=True, name="x")
    assert str(tg.explain((x**0.3 * x**0.7).sum(), x).gradient) == "1"
    third = tg.explain((x**1.5).sum() ** (1 / 3), x)
    assert str(third.gradient) == "√(x) / (2 (Σ x^(3/2))^(2/3))"


def test_float32_weights_on_float64_inputs_are_no_alarm() -> None:
    rng = np.random.default_rng(1)
    model = tg.nn.Sequential(tg.nn.Linear(2, 3, generator=rng), tg.nn.Tanh(), tg.nn.Linear(3, 2, generator=rng))
    loss = tg.cross_entropy(model(rng.normal(size=(4, 2))), [0, 1, 0, 1])
    for parameter in model.parameters():
        derivation = tg.explain(loss, parameter)  # a warning would be an error here
        assert derivation.error < 1e-5
