"""`explain` simplifies on the way, and ends in time: deep networks and long chains, with a letter for what is long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls.algebra import expression as ex
from tinygrad_cls.algebra.evaluate import evaluate
from tinygrad_cls.algebra.facts import Facts
from tinygrad_cls.algebra.simplify import Simplifier

Activation = Callable[[tg.Tensor], tg.Tensor]


def silu(x: tg.Tensor) -> tg.Tensor:
    return x * tg.sigmoid(x)


ACTIVATIONS = {"relu": tg.relu, "tanh": tg.tanh, "silu": silu}


def weights(depth: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    data = {f"W{i}": rng.normal(size=(4, 4)) for i in range(1, depth + 1)}
    return data | {"X": rng.normal(size=(5, 4)), "y": rng.normal(size=(5, 4))}


def network(act: Activation, data: dict[str, np.ndarray]) -> tuple[tg.Tensor, tg.Tensor]:
    t = {name: tg.Tensor(array, requires_grad=name[0] == "W", name=name) for name, array in data.items()}
    depth = len(data) - 2
    h = t["X"]
    for i in range(1, depth + 1):
        h = h @ t[f"W{i}"]
        h = act(h) if i < depth else h
    loss = tg.mean(tg.square(h - t["y"]))
    loss.name = "L"
    return loss, t["W1"]


def flagship() -> Any:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y = tg.Tensor([0.0, 0.0, 1.0], name="y")
    e = tg.exp(z)
    total = e.sum()
    p = e / total
    e.name, total.name, p.name = "e", "S", "y′"
    return tg.explain(-(y * tg.log(p)).sum(), z, way="backward")


def cancels(x: ex.Expression) -> bool:
    """Whether a factor stands above and below a line somewhere in it."""
    products = [ex.factors_of(part) for part in ex.inner_first(x) if part.kind == "product"]
    return any({base for base, p in own if p > 0} & {base for base, p in own if p < 0} for own in products)


def test_no_step_on_the_way_shows_what_cancels() -> None:
    d = flagship()
    on_the_way = [step for step in d.steps if step.results]
    for step in on_the_way:
        assert not any(cancels(partial.formula.expression) for partial in step.results)
        assert not cancels(step.before.expression)
        assert not cancels(step.after.expression)
    assert str(on_the_way[-1].results[0].formula) == "e ⊙ (1 / S − y / (y′ S))"
    assert 1 <= len(d.steps) - len(on_the_way) <= 4
    assert str(d.gradient) == "y′ − y"


def test_what_is_simplified_on_the_way_says_why() -> None:
    d = flagship()
    quotient = next(step for step in d.steps if step.rule == "divide")
    assert [str(partial.formula) for partial in quotient.results] == ["−y / (y′ S)", "Σ y / S"]
    assert "the same factor y′ stands above and below the line" in quotient.reason
    step = d.steps[d.steps.index(quotient) + 1]
    assert (step.kind, step.rule) == ("algebra", "rows sum to 1")
    assert (step.results[0].name, str(step.before), str(step.after)) == ("S", "Σ y / S", "1 / S")
    assert d.assumptions == ("Σ y = 1",)
    with pytest.raises(ValueError, match="Σ y = 1"):
        d.gradient.evaluate({"z": [1.0, 2.0, 3.0], "y": [0.0, 2.0, 1.0]})


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_twenty_layers_read_like_one(act: str) -> None:
    loss, first = network(ACTIVATIONS[act], weights(20))
    d = tg.explain(loss, first)
    assert str(d.gradient).startswith("2 Xᵀ δ₁ / (")
    meaning = {name: str(formula) for name, formula in d.where}
    assert sum(name.startswith("δ") for name in meaning) == 19
    assert meaning["δ₇"].startswith("(δ₈ W8ᵀ) ⊙ ")
    assert meaning["δ₁₉"].startswith("((z₂₀ − y) W20ᵀ) ⊙ ")
    assert meaning["z₁"] == "X W1"
    assert all(name in str(d) for name in meaning)
    loss.backward()
    np.testing.assert_allclose(d.gradient.value, first.grad.numpy(), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_letters_are_worked_out_on_other_data(act: str) -> None:
    d = tg.explain(*network(ACTIVATIONS[act], weights(6)))
    fresh = weights(6, seed=1)
    loss, first = network(ACTIVATIONS[act], fresh)
    loss.backward()
    np.testing.assert_allclose(d.gradient.evaluate(fresh), first.grad.numpy(), rtol=1e-10, atol=1e-15)
    with pytest.raises(KeyError, match="W3"):
        d.gradient.evaluate({name: array for name, array in fresh.items() if name != "W3"})


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_all_that_is_written_grows_with_the_depth_and_no_faster(act: str) -> None:
    def written(depth: int) -> int:
        d = tg.explain(*network(ACTIVATIONS[act], weights(depth)))
        formulas = [formula for step in d.steps for formula in (step.before, step.after)]
        formulas += [formula for _, formula in d.definitions]
        return sum(len(str(formula)) for formula in formulas)

    assert written(20) < 2.5 * written(10)


def test_skip_connections_neither_double_nor_hide_softmax() -> None:
    rng = np.random.default_rng(0)
    h, first = tg.Tensor(rng.normal(size=(5, 4)), name="X"), None
    for i in range(1, 13):
        w = tg.Tensor(rng.normal(size=(4, 4)) / 2, requires_grad=True, name=f"W{i}")
        first = w if first is None else first
        h = h + tg.relu(h @ w)
    loss = tg.cross_entropy(h @ tg.Tensor(rng.normal(size=(4, 3)), name="V"), np.array([0, 1, 2, 0, 1]))
    d = tg.explain(loss, first)
    meaning = {name: str(formula) for name, formula in d.where}
    assert str(d.gradient) == "Xᵀ δ₁"
    assert meaning["δ₁"] == "((δ₂ ⊙ [z₂ > 0]) W2ᵀ + δ₂) ⊙ [z₁ > 0]"
    assert meaning["δ₂"] == "(δ₃ ⊙ [z₃ > 0]) W3ᵀ + δ₃"
    assert any("softmax(z₁₃) − y" in formula for formula in meaning.values())
    loss.backward()
    np.testing.assert_allclose(d.gradient.value, first.grad.numpy(), rtol=1e-9)


def test_the_weights_of_a_recurrent_network_add_up_over_time() -> None:
    rng = np.random.default_rng(0)
    U, W = (tg.Tensor(rng.normal(size=(3, 3)) / 2, requires_grad=True, name=name) for name in "UW")
    h = tg.Tensor(rng.normal(size=(4, 3)), name="h")
    for i in range(1, 5):
        h = tg.tanh(tg.Tensor(rng.normal(size=(4, 3)), name=f"x{i}") @ W + h @ U)
    loss = tg.mean(h * h)
    d = tg.explain(loss, U)
    meaning = {name: str(formula) for name, formula in d.where}
    assert meaning["z₂"] == "tanh(z₁) U + x2 W"
    assert meaning["δ₂"] == "(δ₃ Uᵀ) ⊙ (1 − tanh(z₂)²)"
    loss.backward()
    np.testing.assert_allclose(d.gradient.value, U.grad.numpy(), rtol=1e-9)


def test_three_layers_have_letters_and_two_have_none() -> None:
    three = tg.explain(*network(silu, weights(3)))
    assert [name for name, _ in three.where if name[0] == "δ"] == ["δ₁", "δ₂"]
    two = tg.explain(*network(tg.tanh, weights(2)))
    assert "z" not in str(two.gradient)
    assert [name for name, _ in two.where if name[0] == "δ"] == ["δ"]


@pytest.mark.parametrize("length", [30, 300, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_long_chain_ends(length: int) -> None:
    x = tg.Tensor([0.1, 0.2], requires_grad=True, name="x")
    h = x
    for _ in range(length):
        h = tg.tanh(h)
    loss = h.sum()
    d = tg.explain(loss, x)
    loss.backward()
    np.testing.assert_allclose(d.gradient.value, x.grad.numpy(), rtol=1e-10)
    assert len(str(d)) < 60_000
    assert max(len(str(step.after)) for step in d.steps[:40]) < 1_500
    other = tg.Tensor([0.3, -0.4], requires_grad=True)
    h = other
    for _ in range(length):
        h = tg.tanh(h)
    h.sum().backward()
    np.testing.assert_allclose(d.gradient.evaluate({"x": other}), other.grad.numpy(), rtol=1e-10)


def test_a_long_chain_with_shortcuts_ends() -> None:
    x = tg.Tensor([0.1, 0.2], requires_grad=True, name="x")
    h = x
    for _ in range(200):
        h = h + 0.01 * tg.tanh(h)
    loss = h.sum()
    d = tg.explain(loss, x)
    loss.backward()
    assert str(d.gradient) == "δ₁ ⊙ (1.01 − 0.01 tanh(x)²)"
    np.testing.assert_allclose(d.gradient.value, x.grad.numpy(), rtol=1e-10)
    assert not d.alarm


def test_a_drawing_takes_letters_as_they_are() -> None:
    d = tg.explain(*network(tg.tanh, weights(20)))
    for drawing in d.drawings.values():
        assert "δ₁" in drawing.text
        assert "δ₂" not in drawing.text


# --- the algebra of a letter ------------------------------------------------------------------------------------


def test_a_let_is_an_atom_that_keeps_its_meaning() -> None:
    axis = ex.Axis("n", 3)
    x = ex.leaf("x", (axis,))
    square = ex.power(x, 2)
    y = ex.let(square)
    assert (y.cost, y.children, y.axes, y.positive) == (1, (), square.axes, square.positive)
    assert ex.let(square) is y
    assert ex.let(y) is y
    assert ex.let(x) is x
    assert y not in (square, x)
    assert ex.operands(y) == (square,)
    assert ex.leaves_of(y) == []
    assert ex.leaves_of(y, lets=True) == [x]
    values = {x: np.array([1.0, 2.0, 3.0])}
    np.testing.assert_array_equal(evaluate(ex.plus(y, x), values), [2.0, 6.0, 12.0])


def test_rules_cancel_a_let_and_do_not_look_into_it() -> None:
    x = ex.leaf("x", (ex.Axis("n", 3),))
    inside = ex.divided(ex.exp(x), ex.exp(x))
    y = ex.let(ex.plus(inside, ex.exp(x)))
    assert y.positive
    simplified, _ = Simplifier(Facts()).simplify(ex.product(x, ex.divided(y, y)))
    assert simplified is x
    assert Simplifier(Facts()).simplify(y) == (y, [])


def test_nothing_is_assumed_of_the_rows_of_a_let() -> None:
    axis = ex.Axis("n", 2)
    x = ex.leaf("x", (axis,))
    y = ex.let(ex.power(x, 2))
    facts = Facts({x: np.array([0.6, 0.8])}, variables=(x,))
    assert facts.sums_to_one(y, (axis,)) is None
