"""The algebra: canonical forms, each rule alone on random values, simplification that ends and never grows."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cls as tg
from tinygrad_cls.algebra import expression as ex
from tinygrad_cls.algebra.evaluate import by_position, evaluate
from tinygrad_cls.algebra.expression import Axis, Expression
from tinygrad_cls.algebra.facts import Facts
from tinygrad_cls.algebra.pattern import filled, is_rest
from tinygrad_cls.algebra.rules import RULES, A, B, Rule
from tinygrad_cls.algebra.simplify import Simplifier

NAMED = {rule.name: rule for rule in RULES}
N, K, TWO = Axis("n", 4), Axis("k", 3), Axis("c", 2)
a, b, s = ex.leaf("a", (N, K)), ex.leaf("b", (N, K)), ex.leaf("s", (N,))


class TestCanonicalForm:
    def test_equal_expressions_are_one_object(self) -> None:
        assert ex.plus(a, b) is ex.plus(b, a)
        assert ex.product(a, ex.product(b, s)) is ex.product(s, ex.product(b, a))
        assert ex.minus(ex.plus(a, b), b) is a

    def test_numbers_fold(self) -> None:
        assert ex.plus(ex.number(0.1), ex.number(0.2)) is ex.number(0.3)
        assert ex.scaled(Fraction(1, 3), ex.scaled(Fraction(3), a)) is a
        assert ex.number(0.1 / 3) is ex.number(Fraction(1, 30))

    def test_what_does_not_vary_comes_out_of_a_sum(self) -> None:
        assert ex.total((K,), ex.product(a, s)) is ex.product(ex.total((K,), a), s)
        assert ex.total((K,), s) is ex.product(ex.size(K), s)
        assert ex.total((N,), ex.total((K,), a)) is ex.total((N, K), a)

    def test_nothing_is_cancelled_in_silence(self) -> None:
        assert ex.divided(a, a) is not ex.ONE
        assert ex.product(ex.size(N), ex.power(ex.size(N), Fraction(-1))) is ex.ONE  # a length is never 0

    def test_roots_are_not_merged_where_signs_would_be_lost(self) -> None:
        root_of_square = ex.power(ex.power(a, Fraction(2)), Fraction(1, 2))
        assert root_of_square is not a
        value = evaluate(root_of_square, {a: np.full((3, 4), -2.0)})
        np.testing.assert_array_equal(value, 2.0)

    def test_signs_have_one_form(self) -> None:
        assert ex.product(s, ex.minus(a, b)) is ex.scaled(Fraction(-1), ex.product(s, ex.minus(b, a)))

    def test_deep_expressions_need_no_recursion(self) -> None:
        x = a
        for _ in range(5000):
            x = ex.call("tanh", x)
        assert sum(1 for _ in ex.inner_first(x)) == 5001
        evaluate(x, {a: np.ones((3, 4))})


# --- each rule alone ------------------------------------------------------------------------------------------------


def values_for(pattern: Expression, rng: np.random.Generator, positive: bool) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Leaves for the letters of a pattern, and random values for those."""
    bindings: dict[Any, Any] = {A: (K,), B: (N,)}
    values: dict[Any, Any] = {}
    for part in ex.inner_first(pattern):
        if part.kind == "wild":
            axes = [axis for mark, axis in ((A, K), (B, N)) if mark in part.axes]
            leaf = ex.leaf(part.data[0], tuple(axes))
            shape = tuple(axis.size for axis in sorted(axes))
            bindings[part] = leaf
            values[leaf] = np.abs(rng.normal(size=shape)) + 0.1 if positive else rng.normal(size=shape) + 0.1
    return bindings, values


def instance(rule: Rule, rng: np.random.Generator) -> tuple[Expression, dict[Any, Any]]:
    """Something that the rule applies to, with values that satisfy its condition."""
    d, e, labels = ex.leaf("d", (N,)), ex.leaf("e", (N,)), ex.leaf("labels", (N,))
    if rule.name == "softmax of two classes":
        logits = ex.leaf("z", (N, TWO))
        return ex.at(ex.softmax((TWO,), logits), TWO, 1), {logits: rng.normal(size=(2, 4))}
    if rule.name == "pick a place":
        x, y = ex.leaf("x", (N, TWO)), ex.leaf("y", (N, TWO))
        return ex.at(ex.plus(x, ex.product(y, d)), TWO, 1), {
            x: rng.normal(size=(2, 4)),
            y: rng.normal(size=(2, 4)),
            d: rng.normal(size=4),
        }
    if rule.name == "one-hot selects":
        y, w = ex.one_hot(labels, K), ex.leaf("w", (K,))
        picked = ex.total((K,), ex.product(w, y))
        x = ex.plus(ex.product(d, picked), ex.product(w, y))
        return x, {labels: rng.integers(0, 3, 4), w: rng.normal(size=3), d: rng.normal(size=4)}
    if rule.name == "where nothing flows":
        x = ex.call("where", ex.call("less_equal", d, e), ex.ZERO, a)
        return x, {d: rng.normal(size=4), e: rng.normal(size=4), a: rng.normal(size=(3, 4))}
    if rule.name == "rows sum to 1":
        rows = rng.random((3, 4))
        return ex.total((K,), a), {a: rows / rows.sum(axis=0)}
    bindings, values = values_for(rule.pattern, rng, positive=rule.name == "exp undoes log")
    return filled(rule.pattern, bindings), values


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_rule_keeps_the_value(rule: Rule, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, values = instance(rule, rng)
    rewrite = rule.apply(x, Facts(values))
    assert rewrite is not None
    assert rewrite.result is not x
    before, after = (by_position(evaluate(e, values), e.axes, (N, K, TWO)) for e in (x, rewrite.result))
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_says_why(rule: Rule) -> None:
    assert rule.name
    assert len(rule.reason) > 20
    assert [other for other in RULES if other.name == rule.name] == [rule]
    if rule.condition is not None:
        assert rule.condition_text


def test_conditions_are_needed() -> None:
    shift, ones, cancel = (NAMED[name] for name in ("softmax ignores a shift", "rows sum to 1", "cancel"))
    moved = ex.softmax((K,), ex.plus(a, b))  # b varies along the classes: no shift
    assert shift.apply(moved, Facts()) is None
    values = {a: np.full((3, 4), 0.5), s: np.array([1.0, 0.0, 2.0, 3.0])}
    assert ones.apply(ex.total((K,), a), Facts(values)) is None
    assert cancel.apply(ex.divided(s, s), Facts(values)) is None
    assert cancel.apply(ex.divided(s, s), Facts()) is None  # unknown without data


def test_proofs_need_no_data() -> None:
    y, labels = ex.softmax((K,), a), ex.leaf("labels", (N,))
    assert not Facts().nonzero(y).assumed
    assert not Facts().sums_to_one(y, (K,)).assumed
    assert not Facts().sums_to_one(ex.one_hot(labels, K), (K,)).assumed
    smoothed = ex.plus(ex.scaled(Fraction(9, 10), ex.one_hot(labels, K)), ex.number(Fraction(1, 30)))
    assert not Facts().sums_to_one(smoothed, (K,)).assumed


def test_the_variable_is_no_constant_of_the_data() -> None:
    rows = np.full((3, 4), 1 / 3)
    assert Facts({a: rows}).sums_to_one(a, (K,)) is not None
    assert Facts({a: rows}, variables=[a]).sums_to_one(a, (K,)) is None


def test_simplifying_again_changes_nothing() -> None:
    x = ex.plus(ex.product(ex.softmax((K,), a), ex.total((K,), ex.softmax((K,), b))), ex.scaled(Fraction(-1), s))
    once, steps = Simplifier(Facts()).simplify(x)
    assert steps
    assert Simplifier(Facts()).simplify(once) == (once, [])


# --- random losses --------------------------------------------------------------------------------------------------


def losses(np_like: Any, x: Any, w: Any, program: list[tuple[int, int]]) -> Any:
    """A loss of 3 to 15 operations, for Tensors (`tg`) and for autograd's NumPy alike."""
    m = np_like
    logistic = lambda t: 1 / (1 + m.exp(-t))
    share = lambda t: m.exp(t) / m.sum(m.exp(t), axis=-1, keepdims=True)
    unary = [
        m.tanh,
        m.sin,
        lambda t: m.exp(m.tanh(t)),
        lambda t: m.log(t * t + 1.0),
        lambda t: m.sqrt(t * t + 0.5),
        lambda t: t * t,
        lambda t: logistic(t),
        lambda t: share(m.tanh(t)) if t.ndim else t * t,
        lambda t: m.sum(t, axis=0) if t.ndim else t + 1.0,
        lambda t: m.mean(t, axis=-1, keepdims=True) if t.ndim else m.sin(t),
        lambda t: m.log(share(m.sin(t))) if t.ndim else m.tanh(t),
        lambda t: -t,
        lambda t: m.abs(t),
        lambda t: t - m.max(t),
        lambda t: m.tanh(t) @ w if t.ndim == 2 and t.shape[1] == 3 else t * 0.5,
        lambda t: m.where(t > 0.0, t, 0.0 * t),
    ]
    binary = [lambda t, r: t + r, lambda t, r: t * r, lambda t, r: t - r, lambda t, r: t / (r * r + 1.0)]
    pool = [x]
    for choice, partner in program:
        t = pool[-1]
        if choice < len(unary):
            pool.append(unary[choice](t))
        else:
            pool.append(binary[choice - len(unary)](t, pool[partner % len(pool)]))
    return m.sum(pool[-1]) / 4.0


programs = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 14)), min_size=3, max_size=15)


@given(program=programs, seed=st.integers(0, 1000), rows=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_random_losses(program: list[tuple[int, int]], seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    recorded, fresh, w = rng.normal(size=(rows, 3)), rng.normal(size=(rows, 3)), rng.normal(size=(3, 3))
    x = tg.Tensor(recorded, requires_grad=True, name="x")
    loss = losses(tg, x, w, program)
    if loss is x or not loss.requires_grad or not np.isfinite(loss.item()):
        return
    with np.errstate(all="ignore"):
        reference = autograd.grad(lambda t: losses(anp, t, w, program))
        expected, at_fresh = reference(recorded), reference(fresh)
    scale = max(1.0, float(np.max(np.abs(expected))))
    if not (np.isfinite(expected).all() and np.isfinite(at_fresh).all()) or scale > 1e6:
        return
    d = tg.explain(loss, x)
    assert d.error <= 1e-12 * scale * 10
    algebra = [step for step in d.steps if step.kind == "algebra"]
    if algebra:
        assert d.gradient.expression.cost < algebra[0].before.expression.cost
    np.testing.assert_allclose(
        d.gradient.evaluate({"x": recorded} if _uses(d, "x") else {}), expected, rtol=1e-8, atol=1e-10 * scale
    )
    if not d.assumptions and _uses(d, "x"):
        other = max(1.0, float(np.max(np.abs(at_fresh))))
        np.testing.assert_allclose(d.gradient.evaluate({"x": fresh}), at_fresh, rtol=1e-8, atol=1e-10 * other)
    assert str(d) == str(tg.explain(loss, x))


def _uses(d: Any, name: str) -> bool:
    return any(leaf.data[0] == name for leaf in ex.leaves_of(d.gradient.expression))


@pytest.mark.slow
def test_a_thousand_operations() -> None:
    x = tg.Tensor(np.linspace(-1, 1, 4), requires_grad=True, name="x")
    y = x
    for _ in range(333):
        y = tg.tanh(y * 1.01 + 0.1)
    d = tg.explain(y.sum(), x)
    assert len(d.steps) >= 1000
    assert d.error < 1e-12
    assert "more steps" in str(d)
