"""Every operation against NumPy: values, dtypes, first and second derivatives, edges and kinks."""

from __future__ import annotations

import doctest
import functools
import inspect
import pickle
import sys
import warnings
from typing import Any

import autograd
import autograd.numpy as autograd_numpy
import numpy as np
import pytest
from helpers import (
    ROWS,
    SMOOTH,
    Case,
    gradients,
    numerical_gradients,
    operations_of,
    slope_sum,
    weighted_sum,
    weights_like,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_cls as tg
from tinygrad_cls.algebra import expression as ex
from tinygrad_cls.algebra.evaluate import by_position, evaluate
from tinygrad_cls.algebra.read import Reading
from tinygrad_cls.engine.backward import inputs_first
from tinygrad_cls.engine.operation import Kind
from tinygrad_cls.engine.recording import EVERYTHING, recording
from tinygrad_cls.explanation.reasons import WORDS, derivative_in_words

UFUNCS = {name: o.ufunc.nin for name, o in tg.OPERATIONS.items() if o.ufunc and o.kind is Kind.ELEMENTWISE}


def every(names: Any = ROWS) -> Any:
    return pytest.mark.parametrize("name", names)


def called(name: str, case: Case) -> tuple[Any, Any]:
    """Our function and NumPy's, with the options of the case filled in."""
    row = ROWS[name]
    return functools.partial(row.ours, **case.options), functools.partial(row.numpys, **case.options)


def test_every_operation_has_a_row() -> None:
    assert set(tg.OPERATIONS) <= set(ROWS)


def test_every_array_function_has_a_row() -> None:
    modules = {name: getattr(getattr(tg, name), "__module__", None) or "" for name in tg.__all__}
    functions = {name for name, module in modules.items() if module.startswith("tinygrad_cls.engine.operations")}
    functions -= {name for name, module in modules.items() if module.endswith(".activations")}  # those are composed
    assert {"sum", "einsum"} <= functions <= set(ROWS)


@every(UFUNCS)
def test_an_entry_of_a_ufunc_makes_a_function_of_its_name_with_a_docstring_that_runs(name: str) -> None:
    function = getattr(tg, name)
    assert function.__name__ == name
    assert pickle.loads(pickle.dumps(function)) is function
    assert list(inspect.signature(function).parameters) == ["x", "y"][: UFUNCS[name]]
    assert "any shape" in function.__doc__
    assert f">>> tg.{name}(" in function.__doc__
    found = doctest.DocTestFinder().find(sys.modules[function.__module__])
    assert any(test.name.endswith(f".{name}") and test.examples for test in found)


@every(sorted(set(ROWS) & set(tg.OPERATIONS)))
def test_a_row_runs_the_operation_it_is_named_after(name: str) -> None:
    case = _first(ROWS[name].cases)
    out = called(name, case)[0](*(tg.Tensor(x, requires_grad=x.dtype.kind == "f") for x in case.operands))
    if ROWS[name].smooth:
        assert name in operations_of(out)


def _first(cases: st.SearchStrategy[Case]) -> Case:
    found: list[Case] = []

    @settings(max_examples=1)
    @given(cases)
    def look(case: Case) -> None:
        found.append(case)

    look()
    return found[0]


# --- values -------------------------------------------------------------------------------------------------------


@every()
def test_values_shape_and_dtype_are_numpys(name: str) -> None:
    exact = name not in ("prod", "std", "var", "vecdot", "tensordot", "einsum", "scatter")

    @given(ROWS[name].cases)
    def check(case: Case) -> None:
        ours, numpys = called(name, case)
        expected = np.asarray(numpys(*case.operands))
        out = ours(*(tg.Tensor(x) for x in case.operands))
        assert out.shape == expected.shape
        assert out.dtype == expected.dtype
        if exact:
            np.testing.assert_array_equal(out.numpy(), expected)
        else:
            np.testing.assert_allclose(out.numpy(), expected, rtol=1e-12, atol=1e-12)

    check()


DTYPES = st.sampled_from([np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_])
ELEMENTWISE = {**UFUNCS, "where": 3}
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "var", "std", "argmax", "argmin", "cumulative_sum")


def outcome(f: Any, *operands: Any) -> Any:
    """The values, or the kind of error, and whether there was a floating-point warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            out = f(*operands)
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            kinds = (np.exceptions.AxisError, IndexError, TypeError, ValueError, OverflowError)
            return next(kind for kind in kinds if isinstance(error, kind))
    array = out.numpy() if isinstance(out, tg.Tensor) else np.asarray(out)
    return array, sorted(str(w.message) for w in caught)


@every(ELEMENTWISE)
def test_mixed_dtypes_specials_errors_and_warnings_are_numpys(name: str) -> None:
    arrays = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, st.sampled_from([(), (2,), (2, 1)])))
    scalars = st.sampled_from([0, 1, 2, -1, 0.5, -0.0, True, float("inf"), float("nan"), 300])
    operand = st.one_of(arrays, scalars, arrays.map(lambda x: x.tolist()))

    @settings(max_examples=60)
    @given(st.tuples(*[operand] * ELEMENTWISE[name]))
    def check(operands: tuple[Any, ...]) -> None:
        expected = outcome(getattr(np, name), *operands)
        operands = tuple(tg.Tensor(x) if isinstance(x, np.ndarray) else x for x in operands)
        got = outcome(getattr(tg, name), *operands)
        if isinstance(expected, type):
            assert got is expected
        else:
            np.testing.assert_array_equal(got[0], expected[0])
            assert got[0].dtype == expected[0].dtype
            assert got[1] == expected[1]

    check()


@every(REDUCTIONS)
def test_reductions_of_every_dtype_are_numpys(name: str) -> None:
    @given(DTYPES, st.integers(0, 99))
    def check(dtype: Any, seed: int) -> None:
        x = np.random.default_rng(seed).integers(0, 3, (3, 2)).astype(dtype)
        expected = getattr(np, name)(x, axis=0)
        out = getattr(tg, name)(tg.Tensor(x), axis=0)
        assert out.dtype == expected.dtype
        np.testing.assert_allclose(out.numpy(), expected, rtol=2e-3 if dtype is np.float16 else 1e-6)

    check()


@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum"])
def test_a_dtype_to_fold_in_is_kept_and_the_gradient_comes_back_in_the_operands(name: str) -> None:
    x = tg.Tensor([1.0, 2.0, 3.0], dtype=np.float32, requires_grad=True)
    out = getattr(tg, name)(x, dtype=np.float64)
    out.backward(np.ones(out.shape))
    assert out.dtype == np.float64
    assert x.grad.dtype == np.float32


# --- derivatives --------------------------------------------------------------------------------------------------


@every(SMOOTH)
def test_gradients_are_numpys_slopes(name: str) -> None:
    @given(ROWS[name].cases)
    def check(case: Case) -> None:
        ours, numpys = called(name, case)
        expected = numerical_gradients(weighted_sum(lambda *xs: np.asarray(numpys(*xs))), case.operands)
        for got, want, x in zip(gradients(weighted_sum(ours), case.operands), expected, case.operands, strict=True):
            assert got.dtype == x.dtype
            np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-8)

    check()


@every(SMOOTH)
def test_second_derivatives_are_slopes_of_the_first(name: str) -> None:
    @settings(max_examples=8)
    @given(ROWS[name].cases)
    def check(case: Case) -> None:
        ours, _ = called(name, case)
        n = len(case.operands)
        slopes = slope_sum(weighted_sum(ours), n)
        expected = numerical_gradients(lambda *xs: slopes(*xs).item(), case.operands)
        got = tg.grad(slopes, argnums=range(n))(*case.operands)
        for second, want in zip(got, expected, strict=True):
            np.testing.assert_allclose(second.numpy(), want, rtol=1e-7, atol=1e-7)

    check()


AUTOGRAD: dict[str, Any] = {
    "concat": lambda *xs, axis: autograd_numpy.concatenate(
        [x.ravel() for x in xs] if axis is None else xs, axis=axis or 0
    ),
    "stack": lambda *xs, axis: autograd_numpy.stack(xs, axis=axis),
    "permute_dims": autograd_numpy.transpose,
    "getitem": lambda x, index: x[index],
    "var": lambda x, axis, keepdims, correction: autograd_numpy.var(x, axis, ddof=correction, keepdims=keepdims),
    "std": lambda x, axis, keepdims, correction: autograd_numpy.std(x, axis, ddof=correction, keepdims=keepdims),
    **{
        name: getattr(autograd_numpy, name)
        for name in (
            *(name for name in UFUNCS if name in SMOOTH and hasattr(autograd_numpy, name) and name != "cbrt"),
            *("sum", "prod", "mean", "max", "min", "reshape", "moveaxis", "expand_dims", "squeeze"),
            *("tril", "triu", "matmul", "tensordot"),
        )
    },
}  # it lacks the others, or their derivatives


@every(AUTOGRAD)
def test_gradients_agree_with_autograd(name: str) -> None:
    @settings(max_examples=10)
    @given(ROWS[name].cases)
    def check(case: Case) -> None:
        ours, _ = called(name, case)
        f = weighted_sum(functools.partial(AUTOGRAD[name], **case.options))
        for i, got in enumerate(gradients(weighted_sum(ours), case.operands)):
            np.testing.assert_allclose(got, autograd.grad(f, i)(*case.operands), rtol=1e-10, atol=1e-12)

    check()


@every(SMOOTH)
def test_gradients_do_not_depend_on_the_memory_layout(name: str) -> None:
    @settings(max_examples=10)
    @given(ROWS[name].cases)
    def check(case: Case) -> None:
        ours, _ = called(name, case)
        flips = [(slice(None, None, -1),) * x.ndim for x in case.operands]
        flipped = [x[flip] for x, flip in zip(case.operands, flips, strict=True)]

        def through_views(*xs: Any) -> Any:
            return ours(*(x[flip] for x, flip in zip(xs, flips, strict=True)))

        got = gradients(weighted_sum(through_views), flipped)
        for g, expected, flip in zip(got, gradients(weighted_sum(ours), case.operands), flips, strict=True):
            np.testing.assert_allclose(g[flip], expected, rtol=1e-12, atol=1e-12)

    check()


@every(SMOOTH)
def test_gradients_have_the_dtype_of_their_operand(name: str) -> None:
    @settings(max_examples=10)
    @given(ROWS[name].cases, st.lists(st.sampled_from([np.float32, np.float64]), min_size=3, max_size=3))
    def check(case: Case, dtypes: list[Any]) -> None:
        ours, _ = called(name, case)
        operands = [x.astype(dtype) for x, dtype in zip(case.operands, dtypes, strict=False)]
        exact = gradients(weighted_sum(ours), [x.astype(np.float64) for x in operands])
        for got, want, x in zip(gradients(weighted_sum(ours), operands), exact, operands, strict=True):
            assert got.dtype == x.dtype
            np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)

    check()


@every(SMOOTH)
def test_a_gradient_that_is_recorded_equals_one_that_is_not(name: str) -> None:
    @settings(max_examples=10)
    @given(ROWS[name].cases)
    def check(case: Case) -> None:
        ours, _ = called(name, case)
        f, n = weighted_sum(ours), len(case.operands)
        plain = tg.grad(f, argnums=range(n))(*case.operands)
        recorded = tg.grad(f, argnums=range(n))(*(tg.Tensor(x, requires_grad=True) for x in case.operands))
        for a, b in zip(plain, recorded, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-14)
            assert a.dtype == b.dtype

    check()


@every([name for name in ROWS if not ROWS[name].smooth])
def test_steps_require_no_gradient(name: str) -> None:
    case = _first(ROWS[name].cases)
    out = called(name, case)[0](*(tg.Tensor(x, requires_grad=x.dtype.kind == "f") for x in case.operands))
    assert not out.requires_grad


def test_power_with_scalar_exponents_has_the_slope_of_the_formula() -> None:
    x = np.array([-1.5, 0.5, 2.0])
    for n in (0, 1, 2, 3, -1, 0.0, 1.0, 2.0, True):
        f = weighted_sum(lambda x, n=n: x**n)
        np.testing.assert_allclose(gradients(f, [x])[0], numerical_gradients(f, [x])[0], rtol=1e-7, atol=1e-9)


def test_scalar_bases_and_integer_operands_are_constants() -> None:
    y = np.array([-1.0, 0.0, 2.5])
    for base in (2, 0.5, np.array([1, 2, 3]), np.array([True, True, True])):
        f = weighted_sum(lambda y, base=base: base**y if isinstance(base, float | int) else tg.power(base, y))
        (expected,) = numerical_gradients(weighted_sum(lambda y, base=base: np.power(base, y)), [y])
        np.testing.assert_allclose(gradients(f, [y])[0], expected, rtol=1e-7, atol=1e-9)


# --- edges and kinks ----------------------------------------------------------------------------------------------

INF, NAN = float("inf"), float("nan")
EDGES: list[tuple[str, Any, tuple[float, ...], tuple[float, ...]]] = [
    # name, function, operands, gradients: PyTorch's, by its documented subgradients or by the limit of the slope
    ("log 0", tg.log, (0.0,), (INF,)),
    ("log1p -1", tg.log1p, (-1.0,), (INF,)),
    ("sqrt 0", tg.sqrt, (0.0,), (INF,)),
    ("1 / 0", tg.divide, (1.0, 0.0), (INF, -INF)),
    ("0 / 0", tg.divide, (0.0, 0.0), (INF, NAN)),
    ("0 ** 0", tg.power, (0.0, 0.0), (0.0, 0.0)),
    ("0 ** 1", tg.power, (0.0, 1.0), (1.0, 0.0)),
    ("0 ** 2", tg.power, (0.0, 2.0), (0.0, 0.0)),
    ("0 ** 0.5", tg.power, (0.0, 0.5), (INF, 0.0)),
    ("0 ** -1", tg.power, (0.0, -1.0), (-INF, -INF)),
    ("2 ** 0", tg.power, (2.0, 0.0), (0.0, np.log(2.0))),
    ("0 ** 0 by a scalar", lambda x: x**0, (0.0,), (0.0,)),
    ("0 ** 1 by a scalar", lambda x: x**1, (0.0,), (1.0,)),
    ("abs 0", tg.abs, (0.0,), (0.0,)),
    ("relu 0", tg.relu, (0.0,), (0.0,)),
    ("leaky_relu 0", tg.leaky_relu, (0.0,), (0.01,)),
    ("elu 0", tg.elu, (0.0,), (1.0,)),
    ("maximum tie", tg.maximum, (1.0, 1.0), (0.5, 0.5)),
    ("minimum tie", tg.minimum, (1.0, 1.0), (0.5, 0.5)),
    ("clip at its lower edge", lambda x: tg.clip(x, 1.0, 2.0), (1.0,), (1.0,)),
    ("clip at its upper edge", lambda x: tg.clip(x, 1.0, 2.0), (2.0,), (1.0,)),
    ("clip beyond", lambda x: tg.clip(x, 1.0, 2.0), (3.0,), (0.0,)),
    ("clip with no lower bound", lambda x: tg.clip(x, None, 2.0), (-9.0,), (1.0,)),
    ("clip with no upper bound", lambda x: tg.clip(x, 1.0), (9.0,), (1.0,)),
    ("clip with crossed bounds", lambda x: tg.clip(x, 2.0, 1.0), (1.5,), (0.0,)),
    ("std of equal values", lambda x, y: tg.std(tg.stack([x, y])), (2.0, 2.0), (0.0, 0.0)),
    ("sqrt of a maximum", lambda x: tg.sqrt(tg.maximum(x, 0)), (-1.0,), (0.0,)),
    ("sqrt of a relu", lambda x: tg.sqrt(tg.relu(x)), (-1.0,), (0.0,)),
    ("sqrt behind where", lambda x: tg.where(x > 0, tg.sqrt(tg.where(x > 0, x, 1)), 0), (0.0,), (0.0,)),
    ("where by the value itself", lambda x, y: tg.where(x, x * x, y), (3.0, 1.0), (6.0, 0.0)),
    ("where by the same tensor", lambda x: tg.where(x, x, 0), (3.0,), (1.0,)),
    ("max of equal values", lambda x, y, z: tg.max(tg.stack([x, y, z])), (2.0, 2.0, 1.0), (0.5, 0.5, 0.0)),
    ("min of equal values", lambda x, y, z: tg.min(tg.stack([x, y, z])), (2.0, 2.0, 3.0), (0.5, 0.5, 0.0)),
    ("prod with a zero", lambda x, y: tg.prod(tg.stack([x, y])), (0.0, 3.0), (3.0, 0.0)),
    ("prod with two zeros", lambda x, y: tg.prod(tg.stack([x, y])), (0.0, 0.0), (0.0, 0.0)),
]


@pytest.mark.parametrize(("f", "operands", "expected"), [edge[1:] for edge in EDGES], ids=[edge[0] for edge in EDGES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_at_edges_and_kinks(f: Any, operands: Any, expected: Any, dtype: Any) -> None:
    leaves = [tg.Tensor(x, dtype=dtype, requires_grad=True) for x in operands]
    with np.errstate(all="ignore"):
        out = f(*leaves)
    with np.errstate(all="raise"):
        out.backward()  # adds no warning, whatever the caller's settings
    np.testing.assert_allclose([x.grad.item() for x in leaves], expected, rtol=1e-6)


@pytest.mark.parametrize(("f", "operands", "expected"), [edge[1:] for edge in EDGES], ids=[edge[0] for edge in EDGES])
def test_recorded_gradients_at_edges_and_kinks_are_the_same(f: Any, operands: Any, expected: Any) -> None:
    leaves = [tg.Tensor(x, requires_grad=True) for x in operands]
    with np.errstate(all="ignore"):
        got = tg.grad(f, argnums=range(len(leaves)))(*leaves)
    np.testing.assert_allclose([g.item() for g in got], expected)


@pytest.mark.parametrize(
    ("ours", "numpys", "x"),
    [
        (tg.log, np.log, 0.0),
        (tg.log, np.log, -1.0),
        (tg.sqrt, np.sqrt, -1.0),
        (tg.exp, np.exp, 1e4),
        (lambda x: 1 / x, lambda x: 1 / x, 0.0),
        (lambda x: x ** tg.Tensor(-1.0), lambda x: x ** np.array(-1.0), 0.0),
        (tg.mean, np.mean, np.zeros(0)),
        (lambda x: tg.var(x, correction=2), lambda x: np.var(x, correction=2), np.array([1.0, 2.0])),
    ],
)
def test_the_forward_pass_gives_numpys_warning_and_value(ours: Any, numpys: Any, x: Any) -> None:
    with warnings.catch_warnings(record=True) as expected:
        warnings.simplefilter("always")
        value = numpys(np.array(x))
    with warnings.catch_warnings(record=True) as got:
        warnings.simplefilter("always")
        out = ours(tg.Tensor(x))
    assert expected
    assert {w.category for w in got} == {w.category for w in expected}
    np.testing.assert_array_equal(out.numpy(), value)


def test_the_mixed_second_derivative_of_a_power_is_not_lost_at_exponent_0() -> None:
    def slope(x: Any, y: Any) -> Any:
        return tg.grad(lambda x: x**y)(x)

    assert tg.grad(slope, argnums=1)(2.0, tg.Tensor(0.0)).item() == 0.5  # d/dy (y x^(y−1)) = 1/x


def test_nan_reaches_the_result_and_the_gradient() -> None:
    x = tg.Tensor([NAN, 1.0], requires_grad=True)
    for f in (tg.max, tg.min, tg.prod, tg.std):
        (g,) = gradients(f, [x.numpy()])
        assert np.isnan(f(x).item())
        assert np.isnan(g[0]) or f is tg.prod  # whose slope is the other factor


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_folding_nothing_gives_the_neutral_element_and_a_gradient_of_no_elements(shape: Any) -> None:
    for f, neutral in ((tg.sum, 0.0), (tg.prod, 1.0)):
        x = tg.Tensor(np.zeros(shape), requires_grad=True)
        out = f(x)
        out.backward()
        assert out.item() == neutral
        assert x.grad.shape == shape


# --- errors -------------------------------------------------------------------------------------------------------

X = tg.Tensor(np.ones((2, 3)), name="weights")


@pytest.mark.parametrize(
    ("f", "kind", "parts"),
    [
        (lambda: X + np.ones(2), ValueError, ["add", "'weights'", "(2, 3)", "(2,)", "broadcast", "reshape"]),
        (lambda: X @ np.ones((2, 3)), ValueError, ["matmul", "'weights'", "(2, 3)", "last axis"]),
        (lambda: tg.sum(X, axis=2), np.exceptions.AxisError, ["sum", "'weights'", "axis=2"]),
        (lambda: tg.prod(X, axis=2), np.exceptions.AxisError, ["axis 2"]),
        (lambda: tg.reshape(X, (4, 2)), ValueError, ["reshape", "(2, 3)", "(4, 2)"]),
        (lambda: tg.permute_dims(X, (0, 0)), ValueError, ["permute_dims", "(0, 0)"]),
        (lambda: tg.permute_dims(X, (0, 5)), ValueError, ["permute_dims", "(0, 5)"]),
        (lambda: tg.squeeze(X, 0), ValueError, ["size not equal to one"]),
        (lambda: tg.broadcast_to(X, (3, 3)), ValueError, ["broadcast_to", "(3, 3)"]),
        (lambda: tg.concat([X, np.ones((3, 2))]), ValueError, ["concat", "(2, 3)", "(3, 2)"]),
        (lambda: tg.concat([]), ValueError, ["concat"]),
        (lambda: tg.stack([X, np.ones((3, 2))]), ValueError, ["stack", "(2, 3)", "(3, 2)"]),
        (lambda: tg.stack([]), ValueError, ["at least one"]),
        (lambda: tg.max(np.ones((2, 0)), axis=1), ValueError, ["max", "(2, 0)"]),
        (lambda: tg.cumulative_sum(X), ValueError, ["cumulative_sum", "axis"]),
        (lambda: tg.vecdot(X, np.ones(2)), ValueError, ["vecdot", "(2, 3)", "(2,)"]),
        (lambda: tg.vecdot(1.0, X), ValueError, ["vecdot", "()"]),
        (lambda: tg.tensordot(X, X, 1), ValueError, ["tensordot", "(2, 3)"]),
        (lambda: tg.tensordot(X, X, (5, 0)), np.exceptions.AxisError, ["axis 5"]),
        (lambda: tg.matrix_transpose(np.ones(2)), ValueError, ["matrix_transpose", "(2,)"]),
        (lambda: tg.tril(np.ones(2)), ValueError, ["tril", "(2,)"]),
        (lambda: tg.triu(np.ones(2)), ValueError, ["triu", "(2,)"]),
        (lambda: tg.einsum("ij,jk", X), ValueError, ["einsum", "ij,jk", "2 terms for 1"]),
        (lambda: tg.einsum("i", X), ValueError, ["einsum", "'i'", "(2, 3)"]),
        (lambda: tg.einsum("ijk", X), ValueError, ["einsum", "'ijk'"]),
        (lambda: tg.einsum("ij->k", X), ValueError, ["einsum", "k"]),
        (lambda: tg.einsum("ij->ii", X), ValueError, ["einsum", "twice"]),
        (lambda: tg.einsum("ii", X), ValueError, ["einsum", "i stands for two lengths"]),
        (lambda: tg.einsum("ij,j", X, np.ones(2)), ValueError, ["einsum", "(2, 3)", "(2,)"]),
        (lambda: tg.einsum(X, [0, 1]), TypeError, ["text"]),
        (lambda: tg.exp(X, X), TypeError, ["exp takes 1 operands", "2"]),
        (lambda: tg.sum(X, axes=0), TypeError, ["sum", "axes"]),
        (lambda: tg.negative(tg.Tensor(True)), TypeError, ["negative", "bool"]),
        (lambda: tg.power(tg.Tensor(2), -1), ValueError, ["power", "negative integer"]),
        (lambda: X * "2", TypeError, ["<U1", "str"]),
        (lambda: X + 1j, TypeError, ["complex"]),
    ],
)
def test_errors_name_the_operation_and_its_operands(f: Any, kind: type[Exception], parts: list[str]) -> None:
    with pytest.raises(kind) as caught:
        f()
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)


# --- what entries tell readers ------------------------------------------------------------------------------------


@every(sorted(set(ROWS) & set(tg.OPERATIONS)))
def test_axes_that_meet_have_one_length(name: str) -> None:
    @given(ROWS[name].cases)
    def check(case: Case) -> None:
        out = called(name, case)[0](*(tg.Tensor(x, requires_grad=x.dtype.kind == "f") for x in case.operands))
        if out.operation is None or out.operation.meets is None:
            return
        shapes = [np.shape(x) for x in out.inputs]
        pairs = out.operation.meets(out.shape, *shapes, **out.parameters)
        assert len(pairs) == len(shapes)
        inner: dict[int, int] = {}
        for shape, own_pairs in zip(shapes, pairs):
            for own, i in own_pairs:
                lengths = {shape[own], out.shape[i] if i < out.ndim else inner.setdefault(i, shape[own])} - {1}
                assert len(lengths) <= 1

    check()


@every(sorted(set(SMOOTH) & set(tg.OPERATIONS)))
def test_an_expression_of_an_operation_has_its_value(name: str) -> None:
    @settings(max_examples=20)
    @given(ROWS[name].cases)
    def check(case: Case) -> None:
        leaves = [tg.Tensor(x, requires_grad=x.dtype.kind == "f", name=f"x{i}") for i, x in enumerate(case.operands)]
        with recording(EVERYTHING):
            out = called(name, case)[0](*leaves)
        order = inputs_first([out], lambda t: [x for x in t.inputs if isinstance(x, tg.Tensor)])
        letters = iter(f"c{i}" for i in range(99))
        reading = Reading(order, name=lambda t: t.name, letter=lambda t: next(letters))
        x = reading.read(out)
        value = by_position(evaluate(x, reading.values), x.axes, reading.layout(out))
        np.testing.assert_allclose(np.asarray(value, float), np.asarray(out.numpy(), float), rtol=1e-9, atol=1e-9)

    check()


@every([name for name in UFUNCS if name in SMOOTH])
def test_every_reader_knows_an_operation_by_its_entry(name: str) -> None:
    start = 1.0 if name == "arccosh" else 0.0  # below which it is not defined
    values = [np.array([0.5, 0.8]) + start, np.array([0.7, 0.3])][: UFUNCS[name]]
    leaves = [tg.Tensor(x, requires_grad=True, name=letter) for x, letter in zip(values, "ab")]
    loss = tg.sum(getattr(tg, name)(*leaves))
    third = tg.grad(tg.grad(tg.grad(lambda x: tg.sum(getattr(tg, name)(x, *leaves[1:])))))
    assert third(0.5 + start).shape == ()
    assert tg.draw(loss).source
    assert len(tg.draw(loss).text.splitlines()) == len(leaves) + 2
    for leaf in leaves:
        derivation = tg.explain(loss, leaf)
        assert derivation.error < 1e-12
        assert all(step.reason for step in derivation.steps)
        assert str(derivation)
        assert "align" in derivation.latex
        assert "<math" in derivation._repr_html_()
    compiled = tg.compile(lambda *xs: getattr(tg, name)(*xs))
    for _ in range(3):
        got = compiled(*map(tg.Tensor, values))
        np.testing.assert_allclose(got.numpy(), getattr(np, name)(*values), rtol=1e-15)
    assert getattr(np, name)(*leaves).operation is tg.OPERATIONS[name]


def test_a_reading_takes_the_inputs_that_it_is_told_of() -> None:
    x, y = tg.Tensor([1.0, 2.0], requires_grad=True, name="x"), tg.Tensor([3.0, 4.0], name="y")
    out = x * 2 + x
    order = inputs_first([out, y], lambda t: [x for x in t.inputs if isinstance(x, tg.Tensor)])
    moved = Reading(
        order,
        name=lambda t: t.name,
        letter=lambda t: "c",
        inputs_of=lambda t: [y if x_ is x else x_ for x_ in t.inputs],
    )
    read = moved.read(out)
    assert {part.data[0] for part in ex.leaves_of(read)} == {"y"}
    np.testing.assert_array_equal(evaluate(read, moved.values), [9, 12])


def test_a_derivative_without_a_reason_is_worked_out() -> None:
    assert derivative_in_words(tg.OPERATIONS["log"], {}) == "the derivative of log(x) is 1 / x"
    assert derivative_in_words(tg.OPERATIONS["tanh"], {}) == "the derivative of tanh(x) is 1 − tanh(x)²"
    assert derivative_in_words(tg.OPERATIONS["astype"], {"dtype": float}).startswith("the values pass unchanged")
    assert "no gradient" in derivative_in_words(tg.OPERATIONS["argmax"], {"axis": None, "keepdims": False})
    assert derivative_in_words(tg.OPERATIONS["log"], {}, "zh") == "log(x) 的导数是 1 / x"


def test_what_is_said_of_derivatives_is_said_in_every_language() -> None:
    languages = WORDS.keys()
    assert all(WORDS[language].keys() == WORDS["en"].keys() for language in languages)
    assert all(o.reason.keys() == languages for o in tg.OPERATIONS.values() if o.reason)


def test_functions_at_0_and_1_are_numbers_where_those_are_whole() -> None:
    at = {
        name: [ex.call(name, x).kind == "number" for x in (ex.ZERO, ex.ONE)] for name in ("exp", "log", "cos", "tanh")
    }
    assert at == {"exp": [True, False], "log": [False, True], "cos": [True, False], "tanh": [True, False]}
    assert ex.call("isnan", ex.ONE) is ex.ZERO


def test_weights_are_not_symmetric() -> None:
    """The derivative tests above rest on weights that differ from element to element."""
    assert len(np.unique(weights_like(np.zeros(9)))) == 9


def test_the_running_sum_of_a_single_number():
    x = tg.Tensor(3.0, requires_grad=True)
    (tg.cumulative_sum(x) * 2).sum().backward()
    assert x.grad.item() == 2
    assert x.grad.shape == ()
