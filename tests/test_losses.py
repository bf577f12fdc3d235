"""Softmax, activations and losses: definitions, properties, derivatives, accuracy to the last digits, errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from helpers import erf, gradients, numerical_gradients, slope_sum, weighted_sum
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_cls as tg

LOGITS = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4), elements=st.floats(-20, 20, width=32)
)
BATCHES = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats(-20, 20, width=32)
)


def np_softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def np_sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


# Each composed function of one array, and its definition in NumPy.
FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "softmax": (tg.softmax, np_softmax),
    "softmax, axis 0": (lambda x: tg.softmax(x, axis=0), lambda x: np_softmax(x, 0)),
    "log_softmax": (tg.log_softmax, lambda x: np.log(np_softmax(x))),
    "log_softmax, axis 0": (lambda x: tg.log_softmax(x, axis=0), lambda x: np.log(np_softmax(x, 0))),
    "logsumexp": (tg.logsumexp, lambda x: np.log(np.exp(x).sum())),
    "logsumexp, axis, keepdims": (
        lambda x: tg.logsumexp(x, axis=-1, keepdims=True),
        lambda x: np.log(np.exp(x).sum(axis=-1, keepdims=True)),
    ),
    "logsumexp, axes": (lambda x: tg.logsumexp(x, axis=(0, -1)), lambda x: np.log(np.exp(x).sum(axis=(0, -1)))),
    "sigmoid": (tg.sigmoid, np_sigmoid),
    "softplus": (tg.softplus, lambda x: np.log(1 + np.exp(x))),
    "relu": (tg.relu, lambda x: np.maximum(x, 0)),
    "leaky_relu": (lambda x: tg.leaky_relu(x, 0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    "elu": (lambda x: tg.elu(x, alpha=0.7), lambda x: np.where(x > 0, x, 0.7 * (np.exp(x) - 1))),
    "gelu": (tg.gelu, lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2)))),
    "gelu, tanh": (
        lambda x: tg.gelu(x, approximate="tanh"),
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "silu": (tg.silu, lambda x: x * np_sigmoid(x)),
}


ACTIVATIONS = [tg.relu, tg.leaky_relu, tg.elu, tg.sigmoid, tg.softplus, tg.gelu, tg.silu]


def sample(name: str, shape: tuple[int, ...] = (2, 3)) -> Any:
    """Values away from 0, where some have a kink."""
    rng = np.random.default_rng(len(name))
    return rng.uniform(0.1, 2.5, shape) * rng.choice([-1.0, 1.0], shape)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_composed_functions_are_their_definitions(name: str) -> None:
    ours, definition = FUNCTIONS[name]
    for dtype, rtol in ((np.float32, 1e-5), (np.float64, 1e-12)):
        x = sample(name).astype(dtype)
        out = ours(tg.Tensor(x))
        assert out.dtype == dtype
        assert out.shape == np.shape(definition(x))
        np.testing.assert_allclose(out.numpy(), definition(x), rtol=rtol, atol=rtol)
        np.testing.assert_allclose(ours(x).numpy(), definition(x), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_composed_functions_take_lists_and_integers(name: str) -> None:
    ours, definition = FUNCTIONS[name]
    x = [[1, -2], [3, 2]]
    np.testing.assert_allclose(ours(x).numpy(), definition(np.array(x, float)), rtol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_composed_functions_have_the_slopes_of_their_definitions(name: str) -> None:
    ours, definition = FUNCTIONS[name]
    x = sample(name)
    (expected,) = numerical_gradients(weighted_sum(definition), [x])
    np.testing.assert_allclose(gradients(weighted_sum(ours), [x])[0], expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_composed_functions_have_second_derivatives(name: str) -> None:
    slopes = slope_sum(weighted_sum(FUNCTIONS[name][0]), 1)
    x = sample(name)
    (expected,) = numerical_gradients(lambda x: slopes(x).item(), [x])
    np.testing.assert_allclose(tg.grad(slopes)(x).numpy(), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        *((name, pair[0]) for name, pair in FUNCTIONS.items()),
        ("mse_loss", lambda x: tg.mse_loss(x, np.zeros((2, 3)))),
        ("cross_entropy", lambda x: tg.cross_entropy(x, [0, 1])),
        ("nll_loss", lambda x: tg.nll_loss(x, [0, 1])),
        ("binary_cross_entropy_with_logits", lambda x: tg.binary_cross_entropy_with_logits(x, np.zeros((2, 3)))),
    ],
)
def test_composed_functions_are_marked_by_their_name(name: str, call: Any) -> None:
    out = call(tg.Tensor(np.ones((2, 3)), requires_grad=True))
    assert out.requires_grad
    assert out.scope.path()[0].name == name.split(",")[0]


def test_every_composed_function_is_here() -> None:
    modules = {name: getattr(getattr(tg, name), "__module__", None) for name in tg.__all__}
    composed = {"tinygrad_cls.engine.functional", "tinygrad_cls.engine.operations.activations"}
    functions = {name for name, module in modules.items() if module in composed}
    assert functions == {name.split(",")[0] for name in FUNCTIONS} | {"one_hot"}
    losses = {name for name, module in modules.items() if module == "tinygrad_cls.engine.losses"}
    assert losses == {"mse_loss", "cross_entropy", "nll_loss", "binary_cross_entropy_with_logits"}


# --- softmax and its relatives ------------------------------------------------------------------------------------


@given(LOGITS)
def test_softmax_rows_are_probabilities(z: Any) -> None:
    y = tg.softmax(z).numpy()
    assert (y >= 0).all()
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-15 * z.shape[-1])


@given(LOGITS, st.integers(-(2**20), 2**20))
def test_softmax_does_not_change_when_all_logits_shift(z: Any, shift: int) -> None:
    z = np.round(z * 8) / 8  # so that the shift itself rounds nothing
    np.testing.assert_array_equal(tg.softmax(z + shift).numpy(), tg.softmax(z).numpy())
    np.testing.assert_array_equal(tg.log_softmax(z + shift).numpy(), tg.log_softmax(z).numpy())
    np.testing.assert_allclose((tg.logsumexp(z + shift) - tg.logsumexp(z)).item(), shift, rtol=1e-15, atol=1e-13)


@given(LOGITS)
def test_the_gradient_of_logsumexp_is_softmax(z: Any) -> None:
    (g,) = gradients(lambda z: tg.logsumexp(z, axis=-1).sum(), [z])
    np.testing.assert_allclose(g, tg.softmax(z).numpy(), rtol=1e-14)


@given(LOGITS)
def test_the_gradient_of_any_sum_of_softmax_is_0(z: Any) -> None:
    (g,) = gradients(lambda z: tg.softmax(z).sum(), [z])
    np.testing.assert_allclose(g, 0, atol=1e-15)


@given(hnp.arrays(np.float64, (4,), elements=st.floats(-30, 30)))
def test_sigmoid_and_softplus_are_softmax_and_logsumexp_of_two_classes(x: Any) -> None:
    pairs = np.stack([x, np.zeros_like(x)], axis=-1)
    np.testing.assert_allclose(tg.sigmoid(x).numpy(), tg.softmax(pairs).numpy()[:, 0], rtol=1e-15)
    np.testing.assert_allclose(tg.softplus(x).numpy(), tg.logsumexp(pairs, axis=-1).numpy(), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("function", [tg.softmax, tg.log_softmax, tg.logsumexp])
def test_an_axis_out_of_range_is_an_axis_error(function: Any) -> None:
    with pytest.raises(np.exceptions.AxisError, match=r"max.*axis=1"):
        function(tg.Tensor([1.0, 2.0]), axis=1)


def test_gelu_knows_two_forms() -> None:
    with pytest.raises(ValueError, match=r"approximate.*'sigmoid'"):
        tg.gelu(1.0, approximate="sigmoid")


@pytest.mark.parametrize(
    "function", [tg.relu, tg.leaky_relu, tg.elu, tg.sigmoid, tg.softplus, tg.gelu, tg.silu, tg.softmax]
)
def test_nan_stays_nan(function: Any) -> None:
    assert np.isnan(function([float("nan"), 1.0]).numpy()[0])


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_activations_and_their_slopes_are_finite_and_silent_at_any_float(function: Any) -> None:
    x = np.array([-1e300, -1e4, -750.0, -1e-300, 0.0, 1e-300, 750.0, 1e4])
    slopes = gradients(lambda x: function(x).sum(), [x])[0]
    assert np.isfinite(slopes).all()
    assert np.isfinite(function(x).numpy()).all()


# --- one-hot ------------------------------------------------------------------------------------------------------


@given(
    hnp.arrays(np.int64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), elements=st.integers(0, 4))
)
def test_one_hot_rows_are_rows_of_the_identity(labels: Any) -> None:
    np.testing.assert_array_equal(tg.one_hot(labels, 5).numpy(), np.eye(5)[labels])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.int32])
@pytest.mark.parametrize("classes", [3, 300, 70000])
def test_one_hot_of_labels_in_a_small_dtype_has_one_1_whatever_the_number_of_classes(dtype: Any, classes: int) -> None:
    coded = tg.one_hot(np.array([1, 2], dtype), classes).numpy()
    assert coded.sum() == 2
    assert (coded[0, 1], coded[1, 2]) == (1, 1)


@pytest.mark.parametrize("dtype", [None, np.float32, np.int64, bool])
def test_one_hot_has_the_dtype_asked_for(dtype: Any) -> None:
    assert tg.one_hot([0, 1], 2, dtype=dtype).dtype == (dtype or np.float64)


def test_one_hot_of_no_labels() -> None:
    assert tg.one_hot([], 3).shape == (0, 3)


# --- losses by their definitions ----------------------------------------------------------------------------------


def defined_cross_entropy(
    z: Any,
    target: Any,
    weight: Any = None,
    ignore_index: Any = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any:
    """Sample by sample, as PyTorch documents it."""
    classes = z.shape[-1]
    rows, w = z.reshape(-1, classes), np.ones(classes) if weight is None else np.asarray(weight)
    hard = np.shape(target) != np.shape(z)
    targets = np.reshape(target, -1) if hard else np.reshape(target, (-1, classes))
    losses, counts = [], []
    for row, t in zip(rows, targets, strict=True):
        log_p = row - row.max() - np.log(np.exp(row - row.max()).sum())
        ignored = hard and t == ignore_index
        y = np.zeros(classes) if ignored else np.eye(classes)[int(t)] if hard else t
        y = y * (1 - label_smoothing) + (0 if ignored else label_smoothing / classes)
        losses.append(-(w * y * log_p).sum())
        counts.append(0 if ignored else w[int(t)] if hard else 1)
    losses = np.array(losses)
    if reduction == "none":
        return losses.reshape(z.shape[:-1])
    return losses.sum() if reduction == "sum" else losses.sum() / np.sum(counts)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"weight": [0.5, 1.0, 3.0]},
    {"ignore_index": 1},
    {"ignore_index": -100},
    {"label_smoothing": 0.3},
    {"label_smoothing": 1.0},
    {"weight": [0.5, 1.0, 3.0], "ignore_index": 2, "label_smoothing": 0.1},
]
Z = np.random.default_rng(1).normal(size=(2, 4, 3)) * 3
LABELS = np.array([[0, 1, 2, 2], [1, 0, 0, 2]])
SOFT = np.random.default_rng(2).dirichlet(np.ones(3), (2, 4))


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_is_its_definition_with_every_option(options: dict[str, Any], reduction: Any, soft: bool) -> None:
    if soft and "ignore_index" in options:
        with pytest.raises(ValueError, match="ignore_index names a class number"):
            tg.cross_entropy(Z, SOFT, **options)
        return
    target = SOFT if soft else np.where(LABELS == 1, options.get("ignore_index", 1), LABELS)
    options = {**options, "reduction": reduction}
    expected = defined_cross_entropy(Z, target, **options)
    np.testing.assert_allclose(tg.cross_entropy(Z, target, **options).numpy(), expected, rtol=1e-13)
    f = lambda z: weighted_sum(lambda z: tg.cross_entropy(z, target, **options))(z)
    (slope,) = numerical_gradients(weighted_sum(lambda z: defined_cross_entropy(z, target, **options)), [Z])
    np.testing.assert_allclose(gradients(f, [Z])[0], slope, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("options", [o for o in OPTIONS if "label_smoothing" not in o], ids=repr)
def test_nll_loss_of_log_softmax_is_cross_entropy(options: dict[str, Any], reduction: Any) -> None:
    options = {**options, "reduction": reduction}
    expected = tg.cross_entropy(Z, LABELS, **options).numpy()
    np.testing.assert_array_equal(tg.nll_loss(tg.log_softmax(Z), LABELS, **options).numpy(), expected)


@pytest.mark.filterwarnings("ignore:.*has one class")
@given(BATCHES, st.data())
def test_the_gradient_of_softmax_cross_entropy_is_y_hat_minus_y(z: Any, data: Any) -> None:
    n, classes = z.shape
    labels = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    y = np.eye(classes)[labels]
    for reduction, count in (("sum", 1), ("mean", n)):
        for target in (labels, y, tg.Tensor(labels)):
            (g,) = gradients(lambda z, t=target, r=reduction: tg.cross_entropy(z, t, reduction=r), [z])
            np.testing.assert_allclose(g, (np_softmax(z) - y) / count, atol=1e-15)
            np.testing.assert_allclose(g.sum(axis=-1), 0, atol=1e-15)


def test_cross_entropy_of_one_sample_takes_one_label() -> None:
    assert tg.cross_entropy([1.0, 2.0, 3.0], 2).item() == tg.cross_entropy([[1.0, 2.0, 3.0]], [2]).item()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "options", [{}, {"weight": [0.5, 1.0, 3.0]}, {"ignore_index": 1}, {"weight": [0.5, 1.0, 3.0], "ignore_index": 1}]
)
def test_axes_in_front_count_more_samples(options: Any, reduction: Any) -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(2, 5, 3)), rng.integers(0, 3, (2, 5))
    one, many = (
        tg.cross_entropy(z, t, reduction=reduction, **options).numpy()
        for z, t in ((logits.reshape(10, 3), labels.reshape(10)), (logits, labels))
    )
    np.testing.assert_allclose(many.reshape(-1), one.reshape(-1), rtol=1e-14)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_what_stands_in_an_ignored_row_does_not_count(odd: float, smoothing: float) -> None:
    z = tg.Tensor([[1.0, 2.0, 3.0], [odd, 0.0, odd], [0.0, 1.0, -1.0]], requires_grad=True)
    loss = tg.cross_entropy(z, [2, -1, 0], ignore_index=-1, label_smoothing=smoothing)
    loss.backward()
    kept = tg.Tensor(z.numpy()[[0, 2]], requires_grad=True)
    tg.cross_entropy(kept, [2, 0], label_smoothing=smoothing).backward()
    assert z.grad is not None
    assert kept.grad is not None
    np.testing.assert_allclose(z.grad.numpy()[[0, 2]], kept.grad.numpy(), rtol=1e-14)
    np.testing.assert_array_equal(z.grad.numpy()[1], 0)


def test_ignored_samples_get_no_gradient_and_all_ignored_have_no_mean() -> None:
    (g,) = gradients(lambda z: tg.cross_entropy(z, [0, 1], ignore_index=1, label_smoothing=0.1), [Z[0, :2]])
    assert g[1].tolist() == [0.0, 0.0, 0.0]
    with np.errstate(invalid="ignore"):
        assert np.isnan(tg.cross_entropy(Z[0, :2], [1, 1], ignore_index=1).item())
    assert tg.cross_entropy(Z[0, :2], [1, 1], ignore_index=1, reduction="sum").item() == 0


def test_gradients_flow_to_soft_targets_and_weights_too() -> None:
    def f(z: Any, y: Any, w: Any) -> Any:
        return tg.cross_entropy(z, y, weight=w)

    arrays = [Z, SOFT, np.array([0.5, 1.0, 3.0])]
    expected = numerical_gradients(lambda z, y, w: defined_cross_entropy(z, y, w), arrays)
    for got, want in zip(gradients(f, arrays), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-10)


def defined_bce(z: Any, y: Any, weight: Any = 1.0, pos_weight: Any = 1.0, reduction: str = "mean") -> Any:
    s = np_sigmoid(z)
    losses = -np.asarray(weight) * (np.asarray(pos_weight) * y * np.log(s) + (1 - y) * np.log(1 - s))
    return {"mean": np.mean, "sum": np.sum, "none": lambda x: x}[reduction](losses)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "options",
    [{}, {"weight": [0.5, 1.0, 3.0]}, {"pos_weight": 2.5}, {"weight": 0.3, "pos_weight": [1.0, 2.0, 3.0]}],
    ids=repr,
)
@pytest.mark.parametrize("y", [SOFT, LABELS[..., None].repeat(3, -1) % 2, SOFT > 0.5, SOFT.astype(np.float32)])
def test_binary_cross_entropy_is_its_definition_with_every_option(options: Any, y: Any, reduction: Any) -> None:
    options = {**options, "reduction": reduction}
    numbers = np.asarray(y, dtype=float)
    np.testing.assert_allclose(
        tg.binary_cross_entropy_with_logits(Z, y, **options).numpy(), defined_bce(Z, numbers, **options), rtol=1e-12
    )
    f = weighted_sum(lambda z: tg.binary_cross_entropy_with_logits(z, y, **options))
    (slope,) = numerical_gradients(weighted_sum(lambda z: defined_bce(z, numbers, **options)), [Z])
    np.testing.assert_allclose(gradients(f, [Z])[0], slope, rtol=1e-8, atol=1e-10)


def test_the_gradient_of_binary_cross_entropy_is_sigmoid_minus_y() -> None:
    (g,) = gradients(lambda z: tg.binary_cross_entropy_with_logits(z, SOFT, reduction="sum"), [Z])
    np.testing.assert_allclose(g, np_sigmoid(Z) - SOFT, rtol=1e-13)


@pytest.mark.parametrize(("reduction", "fold"), [("mean", np.mean), ("sum", np.sum), ("none", np.asarray)])
def test_mse_loss_is_its_definition_on_both_sides(reduction: Any, fold: Any) -> None:
    arrays = [Z, SOFT]
    np.testing.assert_allclose(tg.mse_loss(*arrays, reduction=reduction).numpy(), fold((Z - SOFT) ** 2), rtol=1e-14)
    got = gradients(weighted_sum(lambda a, b: tg.mse_loss(a, b, reduction=reduction)), arrays)
    expected = numerical_gradients(weighted_sum(lambda a, b: fold((a - b) ** 2)), arrays)
    for g, want in zip(got, expected, strict=True):
        np.testing.assert_allclose(g, want, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: tg.cross_entropy(z, LABELS, weight=[0.5, 1.0, 3.0], ignore_index=1, label_smoothing=0.1),
        lambda z: tg.cross_entropy(z, SOFT, label_smoothing=0.1),
        lambda z: tg.binary_cross_entropy_with_logits(z, SOFT, pos_weight=2.0),
        lambda z: tg.mse_loss(tg.softmax(z), SOFT),
    ],
)
def test_losses_have_second_derivatives(loss: Any) -> None:
    slopes = slope_sum(loss, 1)
    (expected,) = numerical_gradients(lambda z: slopes(z).item(), [Z])
    np.testing.assert_allclose(tg.grad(slopes)(Z).numpy(), expected, rtol=1e-7, atol=1e-9)


def test_losses_keep_the_dtype_of_the_logits() -> None:
    z = tg.Tensor(Z, dtype=np.float32, requires_grad=True)
    for loss in (
        tg.cross_entropy(z, LABELS, weight=np.array([0.5, 1.0, 3.0]), label_smoothing=0.1, ignore_index=0),
        tg.binary_cross_entropy_with_logits(z, SOFT),
        tg.mse_loss(z, SOFT.astype(np.float32)),
    ):
        assert loss.dtype == np.float32
        loss.backward()
        assert z.grad.dtype == np.float32


# --- accuracy -----------------------------------------------------------------------------------------------------
#
# The measure is the unit in the last place, eps, of the largest number that enters: the gradient y′ − y has entries up
# to 1 and subtracts y from y′, so its error is counted in eps; so are the entries of softmax. The value of a loss is
# log Σ exp(z − m) − (z_t − m), whose first term is near log 1 when one class dominates: its error is counted in
# eps · max(1, |value|). Sigmoid, softplus and a single exponential lose nothing: their error is relative to themselves.

mpmath.mp.dps = 60
SCALES = [1.0, 30.0, 1e3, 1e4]
DTYPES = [np.float32, np.float64]


def exact(x: Any) -> list[Any]:
    return [mpmath.mpf(float(v)) for v in np.ravel(x)]


def exact_softmax(row: Any) -> tuple[list[Any], Any]:
    z = exact(row)
    m = max(z)
    total = mpmath.fsum(mpmath.exp(v - m) for v in z)
    return [mpmath.exp(v - m) / total for v in z], m + mpmath.log(total)


def logits_of(scale: float, dtype: Any, rows: int = 60, classes: int = 10) -> Any:
    z = np.random.default_rng(int(scale)).uniform(-scale, scale, (rows, classes)).astype(dtype)
    z[0] = [scale, -scale] * 5
    z[1] = scale
    z[2] = -scale
    z[3] = np.linspace(scale - 20, scale, 10)
    return z


def worst(got: Any, want: list[Any], scale: Callable[[Any], Any]) -> float:
    """The largest error, in eps of the dtype times `scale` of the exact value."""
    eps = float(np.finfo(got.dtype).eps)
    return float(
        max(abs(mpmath.mpf(float(g)) - w) / (eps * scale(w)) for g, w in zip(np.ravel(got), want, strict=True))
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", SCALES)
def test_cross_entropy_and_its_gradient_are_exact_to_a_few_last_digits(scale: float, dtype: Any) -> None:
    z = tg.Tensor(logits_of(scale, dtype), requires_grad=True)
    labels = np.random.default_rng(0).integers(0, 10, 60)
    losses = tg.cross_entropy(z, labels, reduction="none")
    losses.sum().backward()
    values, slopes = [], []
    for row, label in zip(z.numpy(), labels, strict=True):
        p, log_sum = exact_softmax(row)
        values.append(log_sum - exact(row)[label])
        slopes.extend(pk - (k == label) for k, pk in enumerate(p))
    assert worst(losses.numpy(), values, lambda v: max(1, abs(v))) < 4
    assert worst(z.grad.numpy(), slopes, lambda v: 1) < 4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", SCALES)
def test_softmax_log_softmax_and_logsumexp_are_exact_to_a_few_last_digits(scale: float, dtype: Any) -> None:
    z = logits_of(scale, dtype)
    p, logs, log_sums = [], [], []
    for row in z:
        row_p, log_sum = exact_softmax(row)
        p.extend(row_p)
        logs.extend(v - log_sum for v in exact(row))
        log_sums.append(log_sum)
    assert worst(tg.softmax(z).numpy(), p, lambda v: 1) < 4
    assert worst(tg.log_softmax(z).numpy(), logs, lambda v: max(1, abs(v))) < 4
    assert worst(tg.logsumexp(z, axis=-1).numpy(), log_sums, lambda v: max(1, abs(v))) < 4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", SCALES)
def test_sigmoid_softplus_and_their_loss_are_exact_relative_to_themselves(scale: float, dtype: Any) -> None:
    x = np.concatenate([logits_of(scale, dtype).ravel(), np.array([0.0, -0.0, 1e-8, -1e-8], dtype)])
    tiny = float(np.finfo(dtype).tiny)  # below, the dtype itself has fewer digits
    relative = lambda v: max(abs(v), tiny)
    sigmoids = [1 / (1 + mpmath.exp(-v)) for v in exact(x)]
    softpluses = [mpmath.log1p(mpmath.exp(v)) for v in exact(x)]
    # exp amplifies the rounding of x − m by |x − m| where the result is representable (|x| < 750): none here, for m
    # is x or 0 and the difference exact.
    assert worst(tg.sigmoid(x).numpy(), sigmoids, relative) < 4
    assert worst(tg.softplus(x).numpy(), softpluses, relative) < 4
    z = tg.Tensor(x, requires_grad=True)
    losses = tg.binary_cross_entropy_with_logits(z, np.zeros_like(x), reduction="none")
    losses.sum().backward()
    assert worst(losses.numpy(), softpluses, relative) < 4
    assert worst(z.grad.numpy(), sigmoids, relative) < 8


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_logits_are_silent_and_finite(dtype: Any) -> None:
    z = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]], dtype)
    for target in ([0, 1, 2], [1, 2, 0], np.full((3, 3), 1 / 3, dtype)):
        (g,) = gradients(lambda z, t=target: tg.cross_entropy(z, t, label_smoothing=0.1), [z])
        assert np.isfinite(g).all()
        assert np.isfinite(tg.cross_entropy(z, target).item())
    assert tg.cross_entropy(z[:1], [1]).item() == 2e4


# --- errors -------------------------------------------------------------------------------------------------------

W, NAN = tg.Tensor(np.ones((2, 3)), name="scores"), float("nan")
ERRORS: list[tuple[Any, type[Exception], list[str]]] = [
    # labels
    (lambda: tg.cross_entropy(W, [0, 3]), ValueError, ["label 3 at 1", "3 classes", "0 to 2"]),
    (lambda: tg.cross_entropy(W, [-1, 0]), ValueError, ["label -1 at 0", "0 to 2"]),
    (lambda: tg.cross_entropy(W, [0, -1], ignore_index=-100), ValueError, ["label -1", "or -100"]),
    (lambda: tg.cross_entropy(W, [0, -100]), ValueError, ["label -100"]),
    (lambda: tg.cross_entropy(W, [0.0, 1.0]), TypeError, ["class numbers must be integers", "float64", "astype(int)"]),
    (lambda: tg.cross_entropy(W, [NAN, 1.0]), TypeError, ["class numbers", "nan"]),
    (lambda: tg.cross_entropy(W, [True, False]), TypeError, ["class numbers", "bool"]),
    (lambda: tg.cross_entropy(W, [0, 1, 2]), ValueError, ["'scores'", "(2, 3)", "(2,)", "(3,)"]),
    (
        lambda: tg.cross_entropy(W, [[0, 1, 2], [0, 1, 2]]),
        ValueError,
        ["probabilities must be floats"],
    ),
    (lambda: tg.cross_entropy(W, 0), ValueError, ["cross_entropy", "(2,)"]),
    (lambda: tg.nll_loss(W, [0, 3]), ValueError, ["label 3"]),
    (lambda: tg.nll_loss(W, [[0.2, 0.3, 0.5]] * 2), ValueError, ["nll_loss", "(2, 3)"]),
    (lambda: tg.one_hot([[0, 1], [2, 7]], 3), ValueError, ["label 7 at (1, 1)"]),
    (lambda: tg.one_hot(-1, 3), ValueError, ["label -1 is no class number"]),
    (lambda: tg.one_hot([0.5], 3), TypeError, ["integers", "float64"]),
    # soft targets
    (lambda: tg.cross_entropy(W, [[NAN, 0.5, 0.5], [1.0, 0.0, 0.0]]), ValueError, ["target holds nan", "(0, 0)"]),
    (lambda: tg.cross_entropy(W, np.ones((3, 2))), ValueError, ["(3, 2)"]),
    # options
    (lambda: tg.cross_entropy(W, [0, 1], weight=[1.0, 2.0]), ValueError, ["3 classes", "(2,)"]),
    (lambda: tg.cross_entropy(W, [0, 1], weight=2.0), ValueError, ["weight", "()"]),
    (lambda: tg.nll_loss(W, [0, 1], weight=np.ones((2, 3))), ValueError, ["weight", "(2, 3)"]),
    (lambda: tg.cross_entropy(W, [0, 1], label_smoothing=1.1), ValueError, ["label_smoothing", "1.1"]),
    (lambda: tg.cross_entropy(W, [0, 1], label_smoothing=-0.1), ValueError, ["label_smoothing"]),
    (lambda: tg.cross_entropy(W, [0, 1], reduction="max"), ValueError, ["reduction", "'max'"]),
    (lambda: tg.nll_loss(W, [0, 1], reduction=None), ValueError, ["reduction", "None"]),
    (lambda: tg.mse_loss(W, np.ones((2, 3)), reduction="avg"), ValueError, ["reduction", "'avg'"]),
    # scores
    (lambda: tg.cross_entropy(1.0, 0), ValueError, ["logits", "last axis"]),
    (lambda: tg.cross_entropy([[1, 2]], [0]), ValueError, ["logits must be floats", "int64"]),
    (lambda: tg.nll_loss([[1, 2]], [0]), ValueError, ["log_probabilities must be floats"]),
    (lambda: tg.binary_cross_entropy_with_logits([1, 2], [0.5, 0.5]), ValueError, ["logits must be floats", "int64"]),
    # shapes and ranges
    (lambda: tg.mse_loss(W, np.ones(3)), ValueError, ["mse_loss", "'scores'", "(2, 3)", "(3,)"]),
    (lambda: tg.mse_loss(W, [[NAN, 1.0, 1.0]] * 2), ValueError, ["mse_loss", "nan", "(0, 0)"]),
    (lambda: tg.binary_cross_entropy_with_logits(W, np.ones(3)), ValueError, ["equal shapes", "(3,)"]),
    (lambda: tg.binary_cross_entropy_with_logits(W, np.full((2, 3), 1.5)), ValueError, ["0 to 1", "1.5"]),
    (lambda: tg.binary_cross_entropy_with_logits(W, np.full((2, 3), -1)), ValueError, ["0 to 1", "-1"]),
    (lambda: tg.binary_cross_entropy_with_logits(W, np.full((2, 3), NAN)), ValueError, ["nan"]),
    (lambda: tg.binary_cross_entropy_with_logits(W, np.ones((2, 3)), weight=np.ones(2)), ValueError, ["broadcast"]),
    (
        lambda: tg.binary_cross_entropy_with_logits(W, np.ones((2, 3)), pos_weight=np.ones((4, 2, 3))),
        ValueError,
        ["'scores'"],
    ),
]


@pytest.mark.parametrize(("call", "kind", "parts"), ERRORS, ids=range(len(ERRORS)))
def test_wrong_targets_and_options_are_clear_errors(call: Any, kind: type[Exception], parts: list[str]) -> None:
    with pytest.raises(kind) as caught:
        call()
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.uint64, bool])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "sigmoid", "softplus"])
def test_integer_scores_are_those_of_floats(name, dtype):
    scores = np.array([[0, 1, 120], [3, 2, 1]]).astype(dtype)
    function = getattr(tg, name)
    np.testing.assert_array_equal(function(scores).numpy(), function(scores.astype(float)).numpy())
