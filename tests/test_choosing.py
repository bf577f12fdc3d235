"""Choosing is never multiplying: what is not chosen gives 0, value and gradient, whatever the other factor is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import gradients

import tinygrad_cls as tg
from tinygrad_cls.engine.operations.selecting import below, select

INF, NAN = float("inf"), float("nan")
NONFINITE = [INF, -INF, NAN]
DTYPES = [np.float16, np.float32, np.float64]


@pytest.fixture(autouse=True)
def silent() -> Any:
    """What is left out warns of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", tg.LearningWarning)  # numbers that no log-probability has
        yield


def slope(f: Callable[..., Any], x: Any, dtype: Any = np.float64) -> Any:
    """The gradient of the sum of `f`, which may itself be infinity less infinity."""
    leaf = tg.Tensor(x, dtype=dtype, requires_grad=True)
    out = f(leaf)
    out.backward(np.ones(out.shape))
    assert leaf.grad is not None
    return leaf.grad.numpy()


def compiled(f: Callable[..., Any], x: Any, *more: Any) -> tuple[Any, Any]:
    """Value and gradient of `f`, by a program that was made for other, finite values."""
    x = np.asarray(x)

    @tg.compile
    def run(x: Any, *more: Any) -> Any:
        leaf = tg.Tensor(x) * 1  # an argument is a constant of the program; what is computed from it is differentiated
        value, pull = tg.value_and_grad(lambda z: tg.sum(f(z, *more)))(leaf)
        return value, pull

    finite = np.arange(x.size, dtype=x.dtype).reshape(x.shape) / 7 - 0.3
    for _ in range(4):
        run(finite, *more)
    value, gradient = run(x, *more)
    return value.numpy(), gradient.numpy()


# --- the operations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("other", NONFINITE)
def test_a_weight_of_0_leaves_out_whatever_stands_there(other: float, dtype: Any) -> None:
    weights, x = np.array([0, 2, 1], dtype), np.array([other, 3, 5], dtype)
    out = select(weights, x)
    assert out.dtype == dtype
    np.testing.assert_array_equal(out.numpy(), [0, 6, 5])
    np.testing.assert_array_equal(select(weights != 0, x).numpy(), [0, 3, 5])
    g = tg.Tensor(np.array([1, 1, 1], dtype), requires_grad=True)
    leaf = tg.Tensor(x, requires_grad=True)
    select(weights, leaf).backward(x)  # an infinite gradient from above
    np.testing.assert_array_equal(leaf.grad.numpy(), [0, 6, 5])
    assert g.grad is None


@pytest.mark.parametrize("other", NONFINITE)
def test_where_it_is_chosen_it_stays(other: float) -> None:
    np.testing.assert_array_equal(select([2.0, 0.0], [other, other]).numpy(), [2 * other, 0])


@pytest.mark.parametrize("shapes", [((3, 1), (2,)), ((), (2,)), ((2, 3), ()), ((0, 2), (1, 2)), ((200, 100), (1, 100))])
def test_select_broadcasts_as_multiply_does(shapes: Any) -> None:
    rng = np.random.default_rng(0)
    weights, x = (np.asarray(rng.normal(size=shape)) for shape in shapes)
    np.testing.assert_array_equal(select(weights, x).numpy(), weights * x)
    weights[...] = 0
    x[...] = INF
    np.testing.assert_array_equal(select(weights, x).numpy(), np.zeros(np.broadcast_shapes(*shapes)))


def test_select_takes_numbers_and_integers_as_multiply_does() -> None:
    single = np.float32([1, 2])
    assert select(single, 2.0).dtype == select(2, single).dtype == np.float32
    assert select([1, 2], [3, 4]).dtype == int
    assert select([True, False], [3, 4]).numpy().tolist() == [3, 0]
    assert select(single, INF).numpy().tolist() == [INF, INF]
    assert select([0.0, 1.0], INF).numpy().tolist() == [0, INF]
    assert select(0, tg.Tensor([INF, 1.0])).numpy().tolist() == [0, 0]


def test_what_is_finite_but_has_an_infinite_square_is_multiplied() -> None:
    x = np.float32([1e30, -1e30, 0])
    np.testing.assert_array_equal(select(np.float32([1, 0, 3]), x).numpy(), [x[0], 0, 0])


def test_a_large_gradient_that_is_broadcast_is_chosen_from() -> None:
    weights = np.zeros((300, 50))
    weights[7, 3] = 2
    x = np.full((300, 50), 5.0)
    leaf = tg.Tensor(x, requires_grad=True)
    tg.sum(select(weights, leaf)).backward(INF)
    assert leaf.grad is not None
    g = leaf.grad.numpy()
    np.testing.assert_array_equal(g == INF, weights > 0)
    assert not g[weights == 0].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_infinities_are_no_distance_apart(dtype: Any) -> None:
    x, m = np.array([INF, -INF, 1, INF, NAN, -INF], dtype), np.array([INF, -INF, 3, 0, INF, INF], dtype)
    out = below(x, m)
    assert out.dtype == dtype
    np.testing.assert_array_equal(out.numpy(), np.array([0, 0, -2, INF, NAN, -INF]))


# --- extremes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("fold", "rest"), [(tg.max, -1.0), (tg.min, 1.0)])
def test_only_the_largest_has_the_infinite_slope(fold: Any, rest: float, dtype: Any) -> None:
    np.testing.assert_array_equal(slope(lambda x: tg.sqrt(fold(x)), [0.0, rest], dtype), [INF, 0])
    rows = slope(lambda x: tg.sqrt(fold(x, axis=1)), [[0, rest, rest], [0, 0, rest]], dtype)
    np.testing.assert_array_equal(rows, [[INF, 0, 0], [INF, INF, 0]])
    kept = slope(lambda x: tg.sqrt(fold(x, axis=0, keepdims=True)), [[0], [rest]], dtype)
    np.testing.assert_array_equal(kept, [[INF], [0]])


def test_the_largest_infinity_receives_the_gradient() -> None:
    np.testing.assert_array_equal(slope(tg.max, [INF, 1, INF]), [0.5, 0, 0.5])
    np.testing.assert_array_equal(slope(tg.min, [-INF, INF, 1]), [1, 0, 0])
    np.testing.assert_array_equal(slope(tg.max, [-INF, -INF]), [0.5, 0.5])


def test_of_nan_there_is_no_largest_nor_a_slope() -> None:
    assert np.isnan(slope(lambda x: tg.max(x, axis=1), [[1, NAN], [1, 2]])[0]).all()


def test_the_slope_of_a_slope_is_chosen_too() -> None:
    second = tg.grad(lambda x: tg.sum(tg.grad(lambda x: tg.max(x) ** 3)(x)))(np.array([2.0, -1.0]))
    np.testing.assert_array_equal(second.numpy(), [12, 0])
    third = tg.grad(lambda x: tg.sum(tg.grad(lambda x: tg.max(x) ** 1.5)(x)))(np.array([0.0, -1.0]))
    np.testing.assert_array_equal(third.numpy(), [INF, 0])


# --- logsumexp, softplus, sigmoid ---------------------------------------------------------------------------------

ROWS = np.array([[1, 2], [-INF, -INF], [INF, 0], [INF, INF], [-INF, 3], [INF, -INF]])
LOG_SUMS = np.array([np.logaddexp(1, 2), -INF, INF, INF, 3, INF])
SHARES = np.array([[1 / (1 + np.e), np.e / (1 + np.e)], [0.5, 0.5], [1, 0], [0.5, 0.5], [0, 1], [1, 0]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_logsumexp_of_infinities_and_its_slopes(dtype: Any) -> None:
    rtol = 10 * np.finfo(dtype).eps
    x = ROWS.astype(dtype)
    np.testing.assert_allclose(tg.logsumexp(x, axis=1).numpy(), LOG_SUMS, rtol=rtol)
    np.testing.assert_allclose(slope(lambda x: tg.logsumexp(x, axis=1), x, dtype), SHARES, rtol=rtol)
    assert tg.logsumexp(x).item() == INF
    assert np.isnan(tg.logsumexp(np.array([NAN, INF], dtype)).item())


POINTS = [-INF, 0.0, INF]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "values", "slopes"),
    [
        (tg.sigmoid, [0, 0.5, 1], [0, 0.25, 0]),
        (tg.softplus, [0, np.log(2), INF], [0, 0.5, 1]),
        (tg.relu, [0, 0, INF], [0, 0, 1]),
        (tg.leaky_relu, [-INF, 0, INF], [0.01, 0.01, 1]),
        (tg.elu, [-1, 0, INF], [0, 1, 1]),
        (lambda x: tg.clip(x, -1, 1), [-1, 0, 1], [0, 1, 0]),
        (lambda x: tg.maximum(x, 0), [0, 0, INF], [0, 0.5, 1]),
        (lambda x: tg.where(np.array([False, True, False]), x, 0), [0, 0, 0], [0, 1, 0]),
    ],
)
def test_activations_and_masks_at_infinity(function: Any, values: Any, slopes: Any, dtype: Any) -> None:
    x, rtol = np.array(POINTS, dtype), 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(function(x).numpy(), values, rtol=rtol)
    np.testing.assert_allclose(slope(function, x, dtype), slopes, rtol=rtol)


@pytest.mark.parametrize("other", NONFINITE)
def test_masks_leave_out_infinite_gradients(other: float) -> None:
    def masked_slope(function: Any, x: Any) -> Any:
        leaf = tg.Tensor(x, requires_grad=True)
        out = function(leaf)
        out.backward(np.full(out.shape, other))
        return leaf.grad.numpy()

    np.testing.assert_array_equal(masked_slope(tg.relu, [-1.0, 2.0]), [0, other])
    np.testing.assert_array_equal(masked_slope(lambda x: tg.clip(x, -1, 1), [-2.0, 0.5, 3.0]), [0, other, 0])
    np.testing.assert_array_equal(masked_slope(tg.tril, np.ones((2, 2))), [[other, 0], [other, other]])
    np.testing.assert_array_equal(masked_slope(tg.triu, np.ones((2, 2))), [[other, other], [0, other]])
    np.testing.assert_array_equal(masked_slope(lambda x: tg.where([True, False], x, 0), [1.0, 1.0]), [other, 0])
    np.testing.assert_array_equal(masked_slope(lambda x: x[[1]], [1.0, 1.0]), [0, other])
    np.testing.assert_array_equal(tg.tril([[1, other], [1, 1]]).numpy(), [[1, 0], [1, 1]])


def test_std_of_equal_elements_has_the_slope_0_even_under_an_infinite_one() -> None:
    leaf = tg.Tensor([1.0, 1.0], requires_grad=True)
    tg.std(leaf).backward(INF)
    assert leaf.grad is not None
    np.testing.assert_array_equal(leaf.grad.numpy(), [0, 0])


def test_a_0_among_the_factors_of_prod_is_a_factor() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(tg.prod([0.0, INF]).item())


# --- losses -------------------------------------------------------------------------------------------------------

MASKED = np.array([[1, -INF, 2], [-INF, 1, 2], [0, 0, -INF]])
LABELS = np.array([0, 1, 1])


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"ignore_index": -100}, {"weight": [1.0, 2.0, 0.5]}], ids=repr)
@pytest.mark.parametrize("coded", ["numbers", "rows"])
def test_masked_classes_leave_cross_entropy_finite(options: Any, dtype: Any, coded: str) -> None:
    if coded == "rows" and "ignore_index" in options:
        return
    target = LABELS if coded == "numbers" else np.eye(3, dtype=dtype)[LABELS]
    weight = np.array(options.get("weight", [1.0, 1.0, 1.0]))
    picked = softmax(MASKED)[range(3), LABELS]
    w = weight[LABELS]
    count = w.sum() if coded == "numbers" else 3
    loss = tg.cross_entropy(MASKED.astype(dtype), target, **options)
    np.testing.assert_allclose(loss.item(), -(w * np.log(picked)).sum() / count, rtol=1e-6)
    (g,) = gradients(lambda z: tg.cross_entropy(z, target, **options), [MASKED.astype(dtype)])
    np.testing.assert_allclose(g, w[:, None] * (softmax(MASKED) - np.eye(3)[LABELS]) / count, rtol=1e-5, atol=1e-7)


def test_a_target_that_is_masked_costs_infinitely_much() -> None:
    assert tg.cross_entropy([[1.0, -INF, 2.0]], [1]).item() == INF
    (g,) = gradients(lambda z: tg.cross_entropy(z, [1]), [np.array([[1.0, -INF, 2.0]])])
    np.testing.assert_allclose(g, softmax(np.array([[1, -INF, 2]])) - [[0, 1, 0]])


def test_label_smoothing_costs_infinitely_much_where_a_class_is_masked_and_not_where_its_weight_is_0() -> None:
    z, target = np.array([[1.0, -INF, 2.0]]), [0]
    assert tg.cross_entropy(z, target, label_smoothing=0.1).item() == INF
    (g,) = gradients(lambda z: tg.cross_entropy(z, target, label_smoothing=0.3), [z])
    np.testing.assert_allclose(g, softmax(z) - [[0.8, 0.1, 0.1]])
    weighed = tg.cross_entropy(z, target, label_smoothing=0.3, weight=[1.0, 0.0, 1.0]).item()
    log_p = np.log(softmax(z[:, [0, 2]]))[0]
    np.testing.assert_allclose(weighed, -(0.8 * log_p[0] + 0.1 * log_p[1]))


@pytest.mark.parametrize("other", NONFINITE)
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_an_ignored_sample_may_hold_anything(other: float, smoothing: float) -> None:
    z = np.array([[1.0, 2.0, 3.0], [other, other, 1.0]])
    f = lambda z, t=(0, -100): tg.cross_entropy(z, list(t), ignore_index=-100, label_smoothing=smoothing)
    np.testing.assert_allclose(f(z).item(), f(z[:1], (0,)).item())
    np.testing.assert_allclose(slope(f, z), [slope(lambda z: f(z, (0,)), z[:1])[0], [0, 0, 0]])


def test_where_all_are_ignored_the_mean_is_nan_and_its_slope_is_0() -> None:
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(slope(lambda z: tg.cross_entropy(z, [7, 7], ignore_index=7), np.eye(2)), 0)
        np.testing.assert_array_equal(slope(lambda z: tg.nll_loss(z, [7, 7], ignore_index=7), np.eye(2)), 0)


@pytest.mark.parametrize("other", NONFINITE)
@pytest.mark.parametrize("weight", [None, [1.0, 3.0]])
def test_nll_loss_reads_the_target_class_alone(other: float, weight: Any) -> None:
    x = np.array([[-0.5, other], [other, -0.25], [other, other]])
    f = lambda x: tg.nll_loss(x, [0, 1, -1], weight=weight, ignore_index=-1)
    w = np.array(weight or [1.0, 1.0])
    np.testing.assert_allclose(f(x).item(), (w * [0.5, 0.25]).sum() / w.sum())
    np.testing.assert_allclose(slope(f, x), [[-w[0] / w.sum(), 0], [0, -w[1] / w.sum()], [0, 0]])


def test_a_class_of_weight_0_is_not_read() -> None:
    x = np.array([[-0.5, NAN], [-INF, -0.25]])
    assert tg.nll_loss(x, [0, 1], weight=[2.0, 0.0]).item() == 0.5
    assert tg.nll_loss(x, [0, 0], weight=[1.0, INF], reduction="none").numpy().tolist() == [0.5, INF]


def test_probabilities_of_0_cost_nothing() -> None:
    z = np.array([[2.0, -INF, 2.0]])
    np.testing.assert_allclose(tg.cross_entropy(z, [[0.5, 0.0, 0.5]]).item(), np.log(2))
    np.testing.assert_allclose(slope(lambda z: tg.cross_entropy(z, [[0.25, 0.0, 0.75]]), z), [[0.25, 0, -0.25]])


@pytest.mark.parametrize("y", [0.0, 0.5, 1.0])
def test_binary_cross_entropy_at_infinite_logits(y: float) -> None:
    f = lambda z: tg.binary_cross_entropy_with_logits(z, np.full(3, y), reduction="none")
    at_infinity = {0.0: [0, INF], 0.5: [INF, INF], 1.0: [INF, 0]}[y]
    np.testing.assert_allclose(f(np.array(POINTS)).numpy(), [at_infinity[0], np.log(2), at_infinity[1]])
    np.testing.assert_allclose(slope(f, POINTS), [0 - y, 0.5 - y, 1 - y])


@pytest.mark.parametrize("other", NONFINITE)
def test_an_element_of_weight_0_does_not_count_in_binary_cross_entropy(other: float) -> None:
    f = lambda z: tg.binary_cross_entropy_with_logits(z, [0.0, 1.0], weight=[0.0, 1.0], reduction="sum")
    assert f(np.array([other, 0.0])).item() == np.log(2)


# --- compiled -----------------------------------------------------------------------------------------------------

PROGRAMS: dict[str, tuple[Any, Any]] = {
    "max": (lambda z: tg.sqrt(tg.max(z, axis=1)), [[0, -1.0], [-1, 0]]),
    "logsumexp": (lambda z: tg.logsumexp(z, axis=1), ROWS),
    "mean of logsumexp": (lambda z: tg.mean(tg.logsumexp(z, axis=1)), ROWS),
    "sigmoid": (tg.sigmoid, POINTS),
    "softplus": (tg.softplus, POINTS),
    "cross_entropy": (lambda z: tg.cross_entropy(z, LABELS), MASKED),
    "cross_entropy, target masked": (lambda z: tg.cross_entropy(z, [0, 0, 2]), MASKED),
    "cross_entropy, each": (lambda z: tg.cross_entropy(z, LABELS, reduction="none"), MASKED),
    "cross_entropy, weighted": (lambda z: tg.cross_entropy(z, LABELS, weight=[1.0, 2.0, 0.0]), MASKED),
    "cross_entropy, ignored": (lambda z: tg.cross_entropy(z, LABELS, ignore_index=1), MASKED),
    "cross_entropy, all ignored": (lambda z: tg.cross_entropy(z, [1, 1, 1], ignore_index=1), MASKED),
    "cross_entropy, smooth": (lambda z: tg.cross_entropy(z, LABELS, label_smoothing=0.1), MASKED),
    "cross_entropy, rows": (lambda z: tg.cross_entropy(z, np.eye(3)[LABELS]), MASKED),
    "cross_entropy, times infinity": (lambda z: tg.cross_entropy(z, LABELS) * tg.Tensor(INF), MASKED),
    "nll_loss": (lambda z: tg.nll_loss(z, LABELS), [[1, NAN, INF], [-INF, 2, NAN], [INF, -INF, NAN]]),
    "nll_loss, weighted": (lambda z: tg.nll_loss(z, [0, 0, 0], weight=[0, 1.0, 2.0]), MASKED),
    "binary cross-entropy, 0": (lambda z: tg.binary_cross_entropy_with_logits(z, np.zeros(3)), POINTS),
    "binary cross-entropy, 1": (lambda z: tg.binary_cross_entropy_with_logits(z, np.ones(3)), POINTS),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_choose_as_eager_does(name: str) -> None:
    f, x = PROGRAMS[name]
    x = np.array(x)
    with np.errstate(all="ignore"):
        value, gradient = compiled(f, x)
        np.testing.assert_allclose(value, tg.sum(f(tg.Tensor(x))).numpy(), rtol=1e-12)
        np.testing.assert_allclose(gradient, slope(f, x), rtol=1e-12, atol=1e-15)


def test_a_program_with_labels_as_an_argument_picks_them() -> None:
    f = lambda z, labels: tg.cross_entropy(z, labels)
    value, gradient = compiled(f, MASKED, LABELS)
    picked = softmax(MASKED)[range(3), LABELS]
    np.testing.assert_allclose(value, -np.log(picked).mean())
    np.testing.assert_allclose(gradient, (softmax(MASKED) - np.eye(3)[LABELS]) / 3, atol=1e-15)


# --- PyTorch ------------------------------------------------------------------------------------------------------

ENTROPIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "weighted": {"weight": [1.0, 2.0, 0.5]},
    "ignored": {"ignore_index": 1},
    "smooth": {"label_smoothing": 0.1},
    "sum": {"reduction": "sum"},
    "none": {"reduction": "none"},
}
IMPOSSIBLE = np.array([[1, -INF, 2], [-INF, -INF, 2], [0, 0, 0], [5, -INF, -INF]])


def in_torch(f: Callable[..., Any], x: Any, **options: Any) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    options = {k: torch.tensor(v, dtype=torch.float64) if k == "weight" else v for k, v in options.items()}
    out = f(leaf, **options)
    out.sum().backward()
    return out.detach().numpy(), leaf.grad.numpy()


@pytest.mark.peers
@pytest.mark.parametrize("name", ENTROPIES)
@pytest.mark.parametrize("labels", [[0, 2, 1, 0], [1, 0, 1, 0], [2, 2, 2, 1], [1, 1, 1, 1]], ids=str)
def test_cross_entropy_of_masked_classes_is_pytorchs(name: str, labels: Any) -> None:
    torch = pytest.importorskip("torch")
    options = ENTROPIES[name]
    theirs = {k: -100 if v is None else v for k, v in options.items()}
    value, gradient = in_torch(
        lambda z, **o: torch.nn.functional.cross_entropy(z, torch.tensor(labels), **o), IMPOSSIBLE, **theirs
    )
    f = lambda z: tg.cross_entropy(z, labels, **options)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(f(IMPOSSIBLE).numpy(), value, rtol=1e-12)
        np.testing.assert_allclose(slope(f, IMPOSSIBLE), gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (tg.sigmoid, "sigmoid"),
        (tg.softplus, "nn.functional.softplus"),
        (tg.relu, "relu"),
        (tg.leaky_relu, "nn.functional.leaky_relu"),
        (tg.elu, "nn.functional.elu"),
        (lambda x: tg.logsumexp(x, axis=1), "logsumexp"),
        (lambda x: tg.max(x, axis=1), "amax"),
        (lambda x: tg.min(x, axis=1), "amin"),
        (tg.tril, "tril"),
        (tg.triu, "triu"),
    ],
)
def test_where_pytorch_has_a_value_or_slope_so_have_we(ours: Any, theirs: str) -> None:
    torch = pytest.importorskip("torch")
    function = torch
    for part in theirs.split("."):
        function = getattr(function, part)
    more = (1,) if theirs in ("logsumexp", "amax", "amin") else ()
    x = np.concatenate([ROWS, [[-3, -3], [0, 50]]])
    value, gradient = in_torch(lambda x: function(x, *more), x)
    np.testing.assert_allclose(ours(x).numpy(), value, rtol=1e-12)
    got = slope(ours, x)
    np.testing.assert_allclose(np.where(np.isnan(gradient), 0, got), np.nan_to_num(gradient, posinf=INF), atol=1e-15)
    assert np.isfinite(got).all()
