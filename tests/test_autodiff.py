"""`grad` and `value_and_grad`: arguments, nesting, closures, errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import numerical_gradients
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cls as tg

REALS = st.floats(-3, 3, allow_subnormal=False)


def nth(f: Any, n: int) -> Any:
    for _ in range(n):
        f = tg.grad(f)
    return f


# Functions of one number with their derivatives of every order, n from 0.
CLOSED_FORMS: dict[str, tuple[Any, Any]] = {
    "exp": (tg.exp, lambda x, n: math.exp(x)),
    "sin": (tg.sin, lambda x, n: math.sin(x + n * math.pi / 2)),
    "x^5": (lambda x: x**5, lambda x, n: math.perm(5, n) * x ** (5 - n) if n <= 5 else 0.0),
    "1/(x² + 1) as x·x": (lambda x: 1 / (x * x + 1), lambda x, n: _lorentzian(x, n)),
    "sigmoid": (tg.sigmoid, lambda x, n: _sigmoid(x, n)),
    "softplus": (tg.softplus, lambda x, n: _sigmoid(x, n - 1) if n else math.log1p(math.exp(x))),
    "tanh": (tg.tanh, lambda x, n: 2 ** (n + 1) * _sigmoid(2 * x, n) - (n == 0)),
}


def _lorentzian(x: float, n: int) -> float:
    return ((-1) ** n * math.factorial(n) * ((x - 1j) ** -(n + 1) - (x + 1j) ** -(n + 1)) / 2j).real


def _sigmoid(x: float, n: int) -> float:
    s = 1 / (1 + math.exp(-x))
    return [s, s * (1 - s), s * (1 - s) * (1 - 2 * s), s * (1 - s) * (1 - 6 * s + 6 * s * s)][n]


@pytest.mark.parametrize("name", CLOSED_FORMS)
@given(x=REALS)
def test_derivatives_to_third_order_are_the_closed_forms(name: str, x: float) -> None:
    f, closed = CLOSED_FORMS[name]
    for n in range(4):
        assert nth(f, n)(tg.Tensor(x)).item() == pytest.approx(closed(x, n), rel=1e-10, abs=1e-12)


def test_the_third_derivative_of_sigmoid_at_a_python_number() -> None:
    third = tg.grad(tg.grad(tg.grad(tg.sigmoid)))
    assert third(0.3).item() == pytest.approx(_sigmoid(0.3, 3), rel=1e-14)


def test_the_value_comes_with_the_gradient() -> None:
    value, gradient = tg.value_and_grad(lambda x: (x**2).sum())(np.array([1.0, 2.0]))
    assert (value.item(), gradient.tolist()) == (5.0, [2.0, 4.0])
    assert not value.requires_grad
    assert not gradient.requires_grad


def scaled(x: Any, y: Any, *, power: int = 1) -> Any:
    return tg.sum(x**power * y)


@pytest.mark.parametrize("argnums", [0, 1, -1, np.int64(1), (0, 1), (1, 0), (1,), [0, -1], range(2), ()])
def test_argnums_choose_the_arguments(argnums: Any) -> None:
    x, y = 3.0, 5.0
    slopes = {0: 2 * x * y, 1: x**2, -1: x**2}
    got = tg.grad(scaled, argnums)(x, y, power=2)
    if isinstance(argnums, int | np.integer):
        assert got.item() == slopes[int(argnums)]
    else:
        assert isinstance(got, tuple)
        assert [g.item() for g in got] == [slopes[i] for i in argnums]


def test_gradients_have_the_shape_and_dtype_of_the_argument() -> None:
    got = tg.grad(lambda x: (x * 2.0).sum())(np.ones((2, 1, 3), np.float32))
    assert (got.shape, got.dtype) == ((2, 1, 3), np.float32)
    assert tg.grad(lambda x: x.reshape(()) * 2)(np.ones((1, 1))).shape == (1, 1)


@pytest.mark.parametrize(
    "f", [lambda x, y: tg.square(y), lambda x, y: tg.Tensor(1.0), lambda x, y: tg.stop_gradient(x).sum() * y]
)
def test_an_argument_without_influence_has_gradient_0(f: Any) -> None:
    for x in (np.ones((2, 2), np.float32), tg.Tensor(np.ones((2, 2), np.float32), requires_grad=True)):
        got = tg.grad(f)(x, 2.0)
        assert got.tolist() == [[0.0, 0.0], [0.0, 0.0]]
        assert got.dtype == np.float32


def test_other_arguments_pass_through_untouched() -> None:
    marker = object()
    assert tg.grad(lambda x, other, key: x * (other is marker) * (key is marker))(2.0, marker, key=marker).item() == 1.0


def test_the_arguments_themselves_get_no_grad() -> None:
    x = tg.Tensor(2.0, requires_grad=True)
    tg.grad(lambda x: x**2)(x)
    assert x.grad is None


def test_the_argument_keeps_its_name_inside() -> None:
    seen = []
    tg.grad(lambda x: (seen.append(x.name), x * 1)[1])(tg.Tensor(2.0, name="x"))
    assert seen == ["x"]


def test_grad_keeps_the_name_and_documentation_of_the_function() -> None:
    assert tg.grad(scaled).__name__ == "scaled"
    assert tg.value_and_grad(scaled).__name__ == "scaled"


# --- nesting ------------------------------------------------------------------------------------------------------


def test_derivatives_of_different_variables_do_not_mix() -> None:
    # Siskind & Pearlmutter, 2005: "perturbation confusion" gives 2 here.
    assert tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))(1.0).item() == 1.0
    assert tg.grad(lambda x: x * tg.grad(lambda y: x * y)(2.0))(3.0).item() == 6.0
    assert tg.grad(lambda x: tg.grad(lambda y: x * y**2)(x))(3.0).item() == 12.0
    assert tg.grad(lambda x: tg.grad(lambda x: x**3)(x) * x)(2.0).item() == 36.0


def test_an_inner_gradient_by_a_constant_argument_still_depends_on_the_outer_variable() -> None:
    assert tg.grad(lambda x: tg.grad(lambda y: tg.sin(x * y))(0.5))(2.0).item() == pytest.approx(
        math.cos(1.0) - 2.0 * 0.5 * math.sin(1.0)
    )


def test_hessians_are_symmetric_and_right() -> None:
    def f(x: Any) -> Any:
        return tg.exp(x[0] * x[1]) + tg.sin(x[1] * x[2]) + x[2] ** 3 / x[0]

    x = np.array([0.7, -0.4, 1.3])
    hessian = np.stack([tg.grad(lambda x, i=i: tg.grad(f)(x)[i])(x).numpy() for i in range(3)])
    expected = np.stack([numerical_gradients(lambda x, i=i: tg.grad(f)(x)[i].item(), [x])[0] for i in range(3)])
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
    np.testing.assert_allclose(hessian, expected, rtol=1e-8, atol=1e-8)


def test_the_hessian_of_softmax_cross_entropy_is_diag_minus_outer() -> None:
    z = np.array([0.2, -1.0, 3.0])
    p = np.exp(z) / np.exp(z).sum()
    hessian = np.stack(
        [tg.grad(lambda z, i=i: tg.grad(lambda z: tg.cross_entropy(z, 1))(z)[i])(z).numpy() for i in range(3)]
    )
    np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), rtol=1e-12, atol=1e-15)


def test_backward_through_a_gradient_is_a_gradient_penalty() -> None:
    rng = np.random.default_rng(0)
    w0, x0 = rng.normal(size=(3, 4)), rng.normal(size=(2, 3))

    def penalty(w: Any, x: Any) -> Any:
        slope = tg.grad(lambda x: tg.tanh(x @ w).sum())(x)
        return ((tg.sqrt((slope**2).sum(axis=1)) - 1) ** 2).sum()

    w = tg.Tensor(w0, requires_grad=True)
    penalty(w, x0).backward()
    (expected,) = numerical_gradients(lambda w: penalty(tg.Tensor(w), x0).item(), [w0])
    np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-8, atol=1e-9)


def test_a_gradient_by_a_tensor_that_requires_one_can_be_differentiated_on() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = x * 3  # the argument may be computed as well
    tg.grad(lambda y: (y**3).sum())(y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [6 * 3 * 3 * v for v in (1.0, 2.0)])


def test_value_and_gradient_stay_recorded_when_a_parameter_is_closed_over() -> None:
    w = tg.Tensor(3.0, requires_grad=True)
    value, gradient = tg.value_and_grad(lambda x: w * x**2)(2.0)
    (value + gradient).backward()
    assert w.grad.item() == 4.0 + 4.0


def test_under_no_grad_nothing_stays_recorded_and_the_gradient_is_still_found() -> None:
    w, x = tg.Tensor(3.0, requires_grad=True), tg.Tensor(2.0, requires_grad=True)
    with tg.no_grad():
        value, gradient = tg.value_and_grad(lambda x: w * x**2)(x)
        second = tg.grad(tg.grad(lambda x: w * x**3))(2.0)
    assert (value.item(), gradient.item(), second.item()) == (12.0, 12.0, 36.0)
    assert not value.requires_grad
    assert not gradient.requires_grad
    assert not second.requires_grad


def test_no_grad_inside_the_function_makes_constants() -> None:
    def f(x: Any) -> Any:
        with tg.no_grad():
            held = x * x
        return held * x

    assert tg.grad(f)(3.0).item() == 9.0


def test_a_stale_parameter_inside_the_function_raises() -> None:
    w = tg.Tensor(3.0, requires_grad=True, name="w")

    def f(x: Any) -> Any:
        out = w * x
        w.assign(4.0)
        return out

    with pytest.raises(RuntimeError, match=r"'w'.*assigned"):
        tg.grad(f)(2.0)


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6), st.floats(0.3, 1.5))
def test_compositions_of_smooth_functions_to_second_order(word: list[str], x: float) -> None:
    steps = {
        "a": tg.sin,
        "b": lambda t: t * t + 0.5,
        "c": lambda t: tg.exp(-t),
        "d": lambda t: 1 / (1 + t * t),
        "e": lambda t: tg.log(1 + t * t) + t,
        "f": lambda t: tg.sigmoid(t) * t,
    }

    def f(t: Any) -> Any:
        for letter in word:
            t = steps[letter](t)
        return t

    for n in (1, 2):
        lower = nth(f, n - 1)
        (expected,) = numerical_gradients(lambda x, lower=lower: lower(tg.Tensor(x)).item(), [np.array(x)])
        assert nth(f, n)(x).item() == pytest.approx(float(expected), rel=1e-6, abs=1e-6)


# --- errors -------------------------------------------------------------------------------------------------------


def three(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("run", "kind", "match"),
    [
        (lambda: tg.grad(three)(np.ones(3)), ValueError, r"three gave .*\(3,\).*reduce"),
        (lambda: tg.grad(lambda x: 3.0)(1.0), TypeError, "gave float, not a Tensor"),
        (lambda: tg.grad(lambda x: x.numpy())(1.0), TypeError, "gave ndarray, not a Tensor"),
        (lambda: tg.grad(three)(2), TypeError, "argument 0.*int64.*floats"),
        (lambda: tg.grad(three)(tg.Tensor([1])), TypeError, "argument 0.*int64"),
        (lambda: tg.grad(three, argnums=1)(1.0), ValueError, "argnums=1, but three was called with 1"),
        (lambda: tg.grad(three, argnums=-2)(1.0), ValueError, "argnums=-2"),
        (lambda: tg.grad(lambda a, b: a * b, argnums=(0, -2))(1.0, 2.0), ValueError, "twice"),
        (lambda: tg.grad(three)("a"), TypeError, "str"),
    ],
)
def test_errors_name_the_function_and_the_argument(run: Any, kind: Any, match: str) -> None:
    with pytest.raises(kind, match=match):
        run()


def test_a_callable_without_a_name_is_named_by_its_type() -> None:
    class Model:
        def __call__(self, x: Any) -> Any:
            return x * x

    assert tg.grad(Model())(3.0).item() == 6.0
    with pytest.raises(ValueError, match="Model gave"):
        tg.grad(Model())(np.ones(2))
