"""NumPy's functions on Tensors: values, derivatives of first and second order, readers; SciPy's ufuncs and einops."""

from __future__ import annotations

import ast
import functools
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import gradients, numerical_gradients, slope_sum, weighted_sum, weights_like
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy_calls import FUNCTIONS, Call, autograds, knows, ours

import tinygrad_cls as tg
from tinygrad_cls.engine.operations import methods

UNKNOWN = {"choose", "piecewise", "apply_along_axis", "i0"}  # those that Tensors do not answer for
UNKNOWN |= {f"linalg.{name}" for name in ("lstsq", "qr", "svd", "svdvals", "cond")}
KNOWN = [name for name in FUNCTIONS if name not in UNKNOWN]
CALLS = [pytest.param(call, id=repr(call)) for name in KNOWN for call in FUNCTIONS[name]]
STEPS = {"sign", "floor_divide", "floor", "ceil", "trunc", "rint", "round", "around"}


def total(call: Call) -> Any:
    """The weighted sum of what a call gives, on arrays or Tensors."""
    return weighted_sum(call.joined)


# --- each call ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS)
def test_the_value_is_numpys(call: Call) -> None:
    expected, got = call(*call.arrays), call(*map(tg.Tensor, call.arrays))
    if isinstance(expected, list | tuple):
        assert type(got) is type(expected)
        assert len(got) == len(expected)
    else:
        expected, got = [expected], [got]
    for value, want in zip(got, expected):
        assert type(value) is tg.Tensor
        assert value.shape == np.shape(want)
        assert value.dtype == np.asarray(want).dtype
        np.testing.assert_allclose(value.numpy(), want, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("call", CALLS)
def test_the_gradient_is_numpys_slope(call: Call) -> None:
    for got, want in zip(gradients(total(call), call.arrays), numerical_gradients(total(call), call.arrays)):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("call", CALLS)
def test_the_second_derivative_is_the_slope_of_the_first(call: Call) -> None:
    n = len(call.arrays)
    slopes = slope_sum(total(call), n)
    expected = numerical_gradients(lambda *xs: slopes(*xs).item(), call.arrays)
    for got, want in zip(tg.grad(slopes, argnums=range(n))(*call.arrays), expected):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-6)


def test_gradients_are_autograds_where_it_knows_a_call() -> None:
    compared = 0
    for name in KNOWN:
        for call in FUNCTIONS[name]:
            if knows(autograds, call):  # it gives an error for some, and a gradient that is not the slope for a few
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that a step has no gradient
                    expected = autograds(call)[1]
                for got, want in zip(ours(call)[1], expected):
                    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11, err_msg=repr(call))
                compared += 1
    assert compared > 150


@pytest.mark.parametrize("call", CALLS)
def test_single_precision_is_kept(call: Call) -> None:
    expected, got = (
        call.joined(*xs)
        for xs in (
            [x.astype(np.float32) for x in call.arrays],
            [tg.Tensor(x, dtype=np.float32) for x in call.arrays],
        )
    )
    assert got.dtype == expected.dtype or "np.nan" in call.text  # NumPy's where widens
    leaves = [tg.Tensor(x, dtype=np.float32, requires_grad=True) for x in call.arrays]
    out = total(call)(*leaves)
    if out.requires_grad:
        out.backward()
        assert all(leaf.grad is None or leaf.grad.dtype == np.float32 for leaf in leaves)


@pytest.mark.parametrize("call", CALLS)
def test_a_compiled_call_gives_the_same_with_its_gradient(call: Call) -> None:
    @tg.compile
    def step(*xs: tg.Tensor) -> Any:
        return tg.value_and_grad(total(call), argnums=range(len(xs)))(*xs)

    for i in range(4):
        arrays = [x + 0.001 * i for x in call.arrays]
        value, slopes = step(*map(tg.Tensor, arrays))
        np.testing.assert_allclose(value.numpy(), total(call)(*arrays), rtol=1e-12)
        for got, want in zip(slopes, gradients(total(call), arrays)):
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", KNOWN)
def test_it_is_drawn_and_explained(name: str) -> None:
    call = FUNCTIONS[name][0]
    leaves = [tg.Tensor(x, requires_grad=True, name=letter) for x, letter in zip(call.arrays, call.letters)]
    loss = total(call)(*leaves)
    assert loss.requires_grad is (name not in STEPS)
    if loss.requires_grad:
        assert tg.draw(loss, values=False).source
        derivation = tg.explain(loss, leaves[0])
        assert derivation.error < 1e-10
        assert str(derivation)


@pytest.mark.parametrize("name", sorted(UNKNOWN))
def test_what_is_unknown_is_refused(name: str) -> None:
    (call,) = FUNCTIONS[name]
    with pytest.raises(TypeError, match=f"np.{name} is not known for Tensors"):
        call(*map(tg.Tensor, call.arrays))


@pytest.mark.skipif(not hasattr(np, "matvec"), reason="matvec and vecmat came with NumPy 2.2")
def test_the_readmes_count_is_right() -> None:
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    known = sum(knows(ours, calls[0]) for calls in FUNCTIONS.values())
    assert known >= 140
    assert f"{known} of the {len(FUNCTIONS)} functions" in " ".join(readme.split())


# --- random shapes and options ------------------------------------------------------------------------------------

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


def jacobian(f: Any, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of a function that only moves, repeats and adds up elements: what NumPy makes of each unit array."""
    start = np.asarray(f(np.zeros(x.shape)))
    columns = [np.asarray(f(unit.reshape(x.shape))) - start for unit in np.eye(x.size)]
    return np.stack(columns, axis=-1).reshape(*start.shape, x.size)


def linear(f: Any, x: np.ndarray[Any, Any]) -> None:
    """The value of a linear function is NumPy's, and its gradient the transpose of what it does to unit arrays."""
    leaf = tg.Tensor(x, requires_grad=True)
    out, expected = f(leaf), f(x)
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-12, atol=1e-12)
    weights = weights_like(expected)
    if out.requires_grad:
        out.backward(weights)
        slope = np.tensordot(weights, jacobian(f, x), weights.ndim).reshape(x.shape)
        np.testing.assert_allclose(leaf.grad.numpy(), slope, rtol=1e-12, atol=1e-12)


MODES = ("full", "same", "valid")
MOVES: dict[str, Any] = {  # by the array, a whole number and an axis
    "roll": lambda x, k, axis: np.roll(x, k, axis),
    "roll all": lambda x, k, axis: np.roll(x, k),
    "flip": lambda x, k, axis: np.flip(x, axis),
    "repeat": lambda x, k, axis: np.repeat(x, abs(k), axis),
    "repeat by turns": lambda x, k, axis: np.repeat(x, np.arange(np.shape(x)[axis]), axis),
    "tile": lambda x, k, axis: np.tile(x, (abs(k), 2)),
    "rot90": lambda x, k, axis: np.rot90(x, k, axes=(axis, axis - 1 if np.ndim(x) > 1 else axis)),
    "resize": lambda x, k, axis: np.resize(x, (abs(k), 3)),
    "delete": lambda x, k, axis: np.delete(x, k % np.shape(x)[axis], axis),
    "insert": lambda x, k, axis: np.insert(x, k % np.shape(x)[axis], 0.0, axis),
    "diag": lambda x, k, axis: np.diag(x.reshape(-1), k),
    "diagflat": lambda x, k, axis: np.diagflat(x, k),
    "diagonal": lambda x, k, axis: np.diagonal(x[None], k, axis1=0, axis2=axis),
    "trace": lambda x, k, axis: np.trace(x[None, ..., None], k, axis1=0, axis2=-1),
    "pad": lambda x, k, axis: np.pad(x, (abs(k), 1)),
    **{f"pad, {mode}": lambda x, k, axis, mode=mode: np.pad(x, abs(k), mode) for mode in ("edge", "symmetric", "wrap")},
    "append": lambda x, k, axis: np.append(x, x, axis),
    "array_split": lambda x, k, axis: np.array_split(x, abs(k) + 1, axis)[-1],
    "hstack": lambda x, k, axis: np.hstack([x, x]),
    "dstack": lambda x, k, axis: np.dstack([x, x]),
    "column_stack": lambda x, k, axis: np.column_stack([x[..., 0], x[..., 0]]),
    "block": lambda x, k, axis: np.block([[x, x], [x, x]]),
    "atleast_3d": lambda x, k, axis: np.atleast_3d(x),
    "rollaxis": lambda x, k, axis: np.rollaxis(x, axis),
    "meshgrid": lambda x, k, axis: np.meshgrid(x.reshape(-1), np.arange(abs(k)))[0],
    "diff": lambda x, k, axis: np.diff(x, abs(k), axis),
    "gradient": lambda x, k, axis: np.gradient(np.concat([x, x, x], axis), 0.5, axis=axis, edge_order=1 + k % 2),
    "trapezoid": lambda x, k, axis: np.trapezoid(x, dx=0.5, axis=axis),
    "nancumsum": lambda x, k, axis: np.nancumsum(x, axis),
    "kron": lambda x, k, axis: np.kron(x, np.arange(abs(k) + 1.0)),
    "convolve": lambda x, k, axis: np.convolve(
        x.reshape(-1), np.arange(abs(k) + 1.0), ["full", "same", "valid"][k % 3]
    ),
    "correlate": lambda x, k, axis: np.correlate(
        x.reshape(-1), np.arange(abs(k) + 1.0), ["full", "same", "valid"][k % 3]
    ),
    "average": lambda x, k, axis: np.average(x, axis, weights=np.arange(1.0, np.shape(x)[axis] + 1)),
    "inner": lambda x, k, axis: np.inner(x, np.arange(2.0 * np.shape(x)[-1]).reshape(2, -1)),
    "linspace": lambda x, k, axis: np.linspace(x, 1.0, abs(k) + 1, axis=axis),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_is_linear_has_the_transpose_as_its_derivative(name: str) -> None:
    @given(SHAPES, st.integers(-3, 3), st.integers(-3, 2), st.integers(0, 999))
    def check(shape: tuple[int, ...], k: int, axis: int, seed: int) -> None:
        f = functools.partial(MOVES[name], k=k, axis=axis % len(shape))
        x = np.random.default_rng(seed).normal(size=shape)
        try:
            f(x)
        except (ValueError, IndexError) as error:
            with pytest.raises(type(error)):  # what NumPy refuses, we do
                f(tg.Tensor(x, requires_grad=True))
            return
        linear(f, x)

    check()


CURVED: dict[str, Any] = {  # by the array and an axis
    "median": np.median,
    "quantile": lambda x, axis: np.quantile(x, 0.37, axis),
    "percentile": lambda x, axis: np.percentile(x, [15, 60], axis),
    "sort": np.sort,
    "ptp": np.ptp,
    "cumprod": lambda x, axis: np.cumprod(1 + x / 20, axis),
    "nanmean": lambda x, axis: np.nanmean(np.where(x > -1.5, x, np.nan) if axis is None else x, axis),
    "nanmax": np.nanmax,
    "nanvar": np.nanvar,
    "norm": lambda x, axis: np.linalg.norm(x, axis=axis),
    "norm, 3": lambda x, axis: np.linalg.norm(x, 3, axis=axis or 0),
    "matrix norm": lambda x, axis: np.linalg.norm(x[..., None] + x[..., None, :], 1, axis=(-2, -1)),
    "cov": lambda x, axis: np.cov(x.reshape(x.shape[0], -1), bias=True),
    "sinc": lambda x, axis: np.sinc(x / 10),
    "polyval": lambda x, axis: np.polyval(x.reshape(-1)[:4], 0.1 * x),
    "cross": lambda x, axis: np.cross(x[..., :1] * np.array([1.0, 2.0, 3.0]), np.array([0.3, -1.0, 2.0]) + x[..., :1]),
}


@pytest.mark.parametrize("name", CURVED)
def test_derivatives_of_any_shape_are_numerical_ones(name: str) -> None:
    @given(SHAPES, st.one_of(st.none(), st.integers(-3, 2)), st.integers(0, 999))
    def check(shape: tuple[int, ...], axis: int | None, seed: int) -> None:
        f = functools.partial(CURVED[name], axis=None if axis is None else axis % len(shape))
        x = np.random.default_rng(seed).permutation(math.prod(shape)).reshape(shape) * 0.31 - 1.4
        np.testing.assert_allclose(f(tg.Tensor(x)).numpy(), f(x), rtol=1e-11, atol=1e-12)
        (got,), (want,) = gradients(weighted_sum(f), [x]), numerical_gradients(weighted_sum(f), [x])
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8 * (1 + np.abs(want).max()))
        slopes = slope_sum(weighted_sum(f), 1)
        (want,) = numerical_gradients(lambda x: slopes(x).item(), [x])
        np.testing.assert_allclose(tg.grad(slopes)(x).numpy(), want, rtol=1e-5, atol=1e-6 * (1 + np.abs(want).max()))

    check()


# --- kinks, edges, errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        (np.linalg.norm, [0.0, 0.0], [0.0, 0.0]),
        (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: np.hypot(x, 0.0).sum(), [0.0, 2.0], [0.0, 1.0]),
        (np.sinc, 0.0, 0.0),
        (np.nanstd, [1.0, 1.0, np.nan], [0.0, 0.0, 0.0]),
        (np.nansum, [1.0, np.nan], [1.0, 0.0]),
        (np.nanprod, [3.0, np.nan, 2.0], [2.0, 0.0, 3.0]),
        (np.nanmean, [1.0, np.nan, 5.0], [0.5, 0.0, 0.5]),
        (np.nanmax, [1.0, np.nan, 5.0], [0.0, 0.0, 1.0]),
        (lambda x: np.nan_to_num(x, posinf=1.0).sum(), [np.inf, np.nan, 2.0], [0.0, 0.0, 1.0]),
        (lambda x: np.fmax(x, [np.nan, 3.0]).sum(), [1.0, np.nan], [1.0, 0.0]),
        (lambda x: np.cumprod(x)[-1], [2.0, 0.0, 5.0], [0.0, 10.0, 0.0]),
        (lambda x: np.interp(x, [0.0, 1.0], [0.0, 3.0]).sum(), [-1.0, 0.5, 2.0], [0.0, 3.0, 0.0]),
    ],
)
def test_slopes_at_kinks_and_edges(f: Any, x: Any, slope: Any) -> None:
    np.testing.assert_allclose(tg.grad(f)(tg.Tensor(x)).numpy(), slope)
    np.testing.assert_allclose(f(tg.Tensor(x)).numpy(), f(np.array(x)))


def test_derivatives_of_sinc_at_0_are_those_of_its_series() -> None:
    f = np.sinc
    for want in (1, 0, -(math.pi**2) / 3, 0, math.pi**4 / 5):
        assert f(tg.Tensor(0.0)).item() == pytest.approx(want, abs=1e-14)
        f = tg.grad(f)


def test_a_nan_is_not_lost_among_quantiles() -> None:
    x = tg.Tensor([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(np.median(x, axis=1).numpy(), [np.nan, 2.0])
    np.testing.assert_array_equal(np.quantile(x, 0.25, axis=1).numpy(), [np.nan, 1.5])
    assert np.isnan(np.nanmax(tg.Tensor([np.nan])).item())


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda t: np.pad(t, 1, "linear_ramp"), ValueError, "symmetric"),
        (lambda t: np.quantile(t, 0.5, method="hazen"), ValueError, "midpoint"),
        (lambda t: np.quantile(t, 1.5), ValueError, "range"),
        (lambda t: np.percentile(t, 150), ValueError, "100"),
        (lambda t: np.linalg.norm(t, 2), ValueError, "singular values"),
        (lambda t: np.linalg.norm(t[None], 1, axis=(0, 1, 2)), ValueError, "two"),
        (lambda t: np.linalg.inv(t), np.linalg.LinAlgError, "square"),
        (lambda t: np.linalg.inv(t @ [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), np.linalg.LinAlgError, "Singular"),
        (lambda t: np.linalg.cholesky(-np.eye(2) + t[:, :2]), np.linalg.LinAlgError, "positive definite"),
        (lambda t: np.convolve(t[0], t[1], "half"), ValueError, "valid"),
        (lambda t: np.convolve(t[0], t[0, :0]), ValueError, "empty"),
        (lambda t: np.convolve(t, t[0]), ValueError, "deep"),
        (lambda t: np.select([t], [t]), TypeError, "booleans"),
        (lambda t: np.split(t, 2, axis=1), ValueError, "equal"),
        (lambda t: np.average(t, axis=1, weights=[1.0, -1.0, 0.0]), ZeroDivisionError, "zero"),
        (lambda t: np.average(t, axis=1, weights=[1.0]), ValueError, "weights"),
        (lambda t: np.interp(t, t, t), ValueError, "one axis"),
        (lambda t: np.cross(t[:, :2], t[:, :2]), ValueError, "three"),
        (lambda t: np.diff(t, -1), ValueError, "n=-1"),
        (lambda t: np.searchsorted(t, 1.0), ValueError, "searchsorted"),
        (lambda t: np.median(t, axis=5), np.exceptions.AxisError, "5"),
        (lambda t: np.nansum(t, out=np.zeros(())), TypeError, "out"),
        (lambda t: np.linalg.svd(t), TypeError, "not known"),
        (lambda t: np.fft.fft(t), TypeError, "not known"),
    ],
)
def test_what_cannot_be_done_is_refused_in_the_words_of_the_caller(call: Any, error: Any, word: str) -> None:
    with pytest.raises(error, match=word):
        call(tg.Tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], requires_grad=True))


def test_the_gradient_of_the_determinant_of_a_singular_matrix_is_refused() -> None:
    singular = tg.Tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    value = np.linalg.det(singular)
    assert value.item() == 0
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        value.backward()


def test_eigenvalues_that_are_equal_have_gradients_and_their_vectors_none() -> None:
    x = tg.Tensor(np.eye(2), requires_grad=True)
    np.linalg.eigh(x)[0].sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.eye(2))
    x.grad = None
    (np.linalg.eigh(x)[1] * [[1.0, 2.0], [3.0, 4.0]]).sum().backward()
    assert not np.isfinite(x.grad.numpy()).any()


def test_questions_give_constants() -> None:
    t = tg.Tensor([[0.0, 1.0], [np.nan, -np.inf]], requires_grad=True)
    for name in ("isinf", "isnan", "any", "all", "count_nonzero", "signbit", "floor"):
        function = getattr(np, name)
        out = function(t)
        assert not out.requires_grad
        np.testing.assert_array_equal(out.numpy(), function(t.numpy()))
    np.testing.assert_array_equal(np.any(t, axis=1).numpy(), [True, True])
    np.testing.assert_array_equal(np.logical_or(t > 0, t < 0).numpy(), [[False, True], [False, True]])
    np.testing.assert_array_equal(
        np.logical_xor(t, [[1, 1], [1, 0]]).numpy(), np.logical_xor(t.numpy(), [[1, 1], [1, 0]])
    )
    np.testing.assert_array_equal(np.isclose(t, [0.0, 1.0]).numpy(), [[True, True], [False, False]])


def test_methods_are_numpys_and_have_signatures_for_editors() -> None:
    t, x = tg.Tensor([[3.0, 1.0], [2.0, 5.0]]), np.array([[3.0, 1.0], [2.0, 5.0]])
    for name, arguments in {
        **dict.fromkeys(("cumsum", "cumprod", "argsort", "repeat", "swapaxes"), (1,)),
        **dict.fromkeys(("any", "all", "round", "trace", "diagonal", "sum", "max", "squeeze"), ()),
        "dot": (x,),
        "swapaxes": (0, 1),
    }.items():
        np.testing.assert_array_equal(getattr(t, name)(*arguments).numpy(), getattr(x, name)(*arguments), err_msg=name)
    for name in ("exp", "log", "sqrt", "square", "abs", "sign", "sin", "cos", "tanh"):
        np.testing.assert_array_equal(getattr(t, name)().numpy(), getattr(np, name)(x), err_msg=name)
    np.testing.assert_array_equal((t % 2 + t // 2 + 7 % t + 7 // t).numpy(), x % 2 + x // 2 + 7 % x + 7 // x)
    text = Path(methods.__file__).read_text(encoding="utf-8")
    (declared,) = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))
    names = {node.name for node in declared.body if isinstance(node, ast.FunctionDef)}
    assert len(names) > 60
    assert names <= vars(tg.Tensor).keys()
    assert {f.__name__ for f in vars(tg.Tensor).values() if getattr(f, "__module__", "") == methods.__name__} <= names


# --- SciPy --------------------------------------------------------------------------------------------------------

SPECIAL: dict[str, list[Any]] = {
    "expit": [[-2.0, 0.0, 30.0]],
    "erf": [[-1.0, 0.5]],
    "xlogy": [[0.0, 2.0, 0.5], [0.0, 3.0, 0.7]],
    "xlog1py": [[0.0, 2.0, 0.5], [-1.0, 3.0, 0.7]],
    "entr": [[0.0, 0.5, 2.0]],
    "rel_entr": [[0.0, 0.5, 2.0], [1.0, 0.25, 3.0]],
    "logit": [[0.1, 0.5, 0.9]],
    "log_expit": [[-800.0, 0.0, 2.0]],
    "cbrt": [[-8.0, 2.0]],
    "exp2": [[-1.0, 3.0]],
    "expm1": [[1e-10, 1.0]],
    "log1p": [[1e-10, 1.0]],
}


@pytest.mark.parametrize("name", SPECIAL)
def test_scipys_ufuncs_answer(name: str) -> None:
    special = pytest.importorskip("scipy.special")
    function, arrays = getattr(special, name), [np.array(x) for x in SPECIAL[name]]
    leaves = [tg.Tensor(x, requires_grad=True) for x in arrays]
    np.testing.assert_allclose(function(*leaves).numpy(), function(*arrays), rtol=1e-12)
    inside = [np.where(np.isin(x, [0.0, -1.0, -800.0, 1e-10]), 0.4, x) for x in arrays]  # away from kinks
    got = gradients(weighted_sum(function), inside)
    for slope, want in zip(got, numerical_gradients(weighted_sum(function), inside)):
        np.testing.assert_allclose(slope, want, rtol=1e-6, atol=1e-8)


def test_scipys_conventions_at_0_and_its_other_functions() -> None:
    special = pytest.importorskip("scipy.special")
    slopes = tg.grad(lambda x, y: special.xlogy(x, y).sum(), argnums=(0, 1))([0.0], [0.0])
    assert all(np.isfinite(s.numpy()).all() for s in slopes)
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match="not known"):
        special.gamma(x)
    with pytest.raises(TypeError, match="requires a gradient"):
        special.log_softmax(x)


# --- einops -------------------------------------------------------------------------------------------------------


@pytest.mark.peers
def test_einops_takes_tensors() -> None:
    einops = pytest.importorskip("einops")
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    calls: list[Any] = [
        lambda x: einops.rearrange(x, "a b c -> c (b a)"),
        lambda x: einops.rearrange(x, "a (b d) c -> (a d) b c", d=3),
        lambda x: einops.rearrange([x, x], "n a b c -> a (n b) c"),
        *(lambda x, how=how: einops.reduce(x, "a b c -> b", how) for how in ("sum", "mean", "max", "min", "prod")),
        lambda x: einops.repeat(x, "a b c -> a (b r) c s", r=2, s=3),
        lambda x: einops.einsum(x, x[:, 0], "a b c, a c -> b"),
        lambda x: einops.pack([x, x[:, :, 0]], "a * ")[0],
        lambda x: einops.unpack(x, [[1], [2]], "a * c")[1],
    ]
    for call in calls:
        leaf = tg.Tensor(x, requires_grad=True)
        out = call(leaf)
        assert isinstance(out, tg.Tensor)
        np.testing.assert_allclose(out.numpy(), call(x), rtol=1e-12)
        (got,), (want,) = gradients(weighted_sum(call), [x]), numerical_gradients(weighted_sum(call), [x])
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)
    assert einops.parse_shape(tg.Tensor(x), "a _ c") == {"a": 2, "c": 4}
    with pytest.raises(einops.EinopsError, match="can't divide axis"):
        einops.rearrange(tg.Tensor(x), "a (b d) c -> a b d c", d=2)
