"""Random graphs against PyTorch: the value, the gradient, and a Hessian–vector product, in float64 and float32.

A graph is a list of whole numbers, so that hypothesis shrinks one that differs to the shortest that does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cls as tg

torch = pytest.importorskip("torch")

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore::tinygrad_cls.LearningWarning")]

Row = tuple[Callable[..., Any], Callable[..., Any]]


def axis_of(x: Any, c: int) -> int:
    return c % x.ndim


def shift(x: Any, c: int) -> Any:
    """A permutation of positions along the last axis, as a list for both."""
    return [(i + 1 + c) % x.shape[-1] for i in range(x.shape[-1])]


F = torch.nn.functional
UNARY: list[Row] = [  # functions of an array with one axis or more, and a number; ours and PyTorch's
    (lambda x, c: tg.sin(x), lambda x, c: torch.sin(x)),
    (lambda x, c: tg.cos(x), lambda x, c: torch.cos(x)),
    (lambda x, c: tg.tanh(x), lambda x, c: torch.tanh(x)),
    (lambda x, c: tg.exp(-(x * x)), lambda x, c: torch.exp(-(x * x))),
    (lambda x, c: tg.exp(tg.tanh(x)), lambda x, c: torch.exp(torch.tanh(x))),
    (lambda x, c: tg.log1p(x * x), lambda x, c: torch.log1p(x * x)),
    (lambda x, c: tg.log(x * x + 0.5), lambda x, c: torch.log(x * x + 0.5)),
    (lambda x, c: tg.sqrt(x * x + 0.5), lambda x, c: torch.sqrt(x * x + 0.5)),
    (lambda x, c: tg.expm1(tg.sin(x)), lambda x, c: torch.expm1(torch.sin(x))),
    (lambda x, c: tg.sinh(tg.tanh(x)), lambda x, c: torch.sinh(torch.tanh(x))),
    (lambda x, c: tg.cosh(tg.tanh(x)), lambda x, c: torch.cosh(torch.tanh(x))),
    (lambda x, c: tg.arctan(x), lambda x, c: torch.arctan(x)),
    (lambda x, c: tg.erf(x), lambda x, c: torch.erf(x)),
    (lambda x, c: tg.square(x) * 0.1, lambda x, c: torch.square(x) * 0.1),
    (lambda x, c: abs(x), lambda x, c: abs(x)),
    (lambda x, c: -x, lambda x, c: -x),
    (lambda x, c: 1.0 - x, lambda x, c: 1.0 - x),
    (lambda x, c: 2.0 / (x * x + 1.0), lambda x, c: 2.0 / (x * x + 1.0)),
    (lambda x, c: (x * 0.5) ** (2 + c % 2), lambda x, c: (x * 0.5) ** (2 + c % 2)),
    (lambda x, c: tg.relu(x), lambda x, c: torch.relu(x)),
    (lambda x, c: tg.leaky_relu(x), lambda x, c: F.leaky_relu(x)),
    (lambda x, c: tg.elu(x), lambda x, c: F.elu(x)),
    (lambda x, c: tg.sigmoid(x), lambda x, c: torch.sigmoid(x)),
    (lambda x, c: tg.softplus(x), lambda x, c: torch.logaddexp(x, torch.zeros_like(x))),
    (lambda x, c: tg.gelu(x), lambda x, c: F.gelu(x)),
    (lambda x, c: tg.silu(x), lambda x, c: F.silu(x)),
    (lambda x, c: tg.clip(x, -0.7, 0.9), lambda x, c: torch.clip(x, -0.7, 0.9)),
    (lambda x, c: tg.softmax(x, axis=axis_of(x, c)), lambda x, c: torch.softmax(x, axis_of(x, c))),
    (lambda x, c: tg.log_softmax(x, axis=axis_of(x, c)), lambda x, c: torch.log_softmax(x, axis_of(x, c))),
    (
        lambda x, c: tg.logsumexp(x, axis=axis_of(x, c), keepdims=True),
        lambda x, c: torch.logsumexp(x, axis_of(x, c), keepdim=True),
    ),
    (lambda x, c: tg.sum(x, axis=axis_of(x, c), keepdims=True), lambda x, c: x.sum(axis_of(x, c), keepdim=True)),
    (lambda x, c: tg.mean(x, axis=axis_of(x, c), keepdims=True), lambda x, c: x.mean(axis_of(x, c), keepdim=True)),
    (lambda x, c: tg.max(x, axis=axis_of(x, c), keepdims=True), lambda x, c: x.amax(axis_of(x, c), keepdim=True)),
    (lambda x, c: tg.min(x, axis=axis_of(x, c), keepdims=True), lambda x, c: x.amin(axis_of(x, c), keepdim=True)),
    (
        lambda x, c: tg.var(x, axis=axis_of(x, c), keepdims=True),
        lambda x, c: x.var(axis_of(x, c), correction=0, keepdim=True),
    ),
    (lambda x, c: tg.prod(tg.cos(x), axis=axis_of(x, c)), lambda x, c: torch.cos(x).prod(axis_of(x, c))),
    (lambda x, c: tg.cumulative_sum(x, axis=axis_of(x, c)), lambda x, c: torch.cumsum(x, axis_of(x, c))),
    (lambda x, c: x.reshape(-1), lambda x, c: x.reshape(-1)),
    (lambda x, c: x.T, lambda x, c: x.permute(*range(x.ndim)[::-1])),
    (lambda x, c: tg.expand_dims(x, axis=axis_of(x, c)), lambda x, c: x.unsqueeze(axis_of(x, c))),
    (lambda x, c: x[..., 1:], lambda x, c: x[..., 1:]),
    (lambda x, c: x[..., c % x.shape[-1]], lambda x, c: x[..., c % x.shape[-1]]),
    (lambda x, c: x[..., shift(x, c)], lambda x, c: x[..., shift(x, c)]),
    (lambda x, c: x[..., [0, 0]], lambda x, c: x[..., [0, 0]]),
    (
        lambda x, c: tg.take(x, [0, -1, 0], axis=-1),
        lambda x, c: x.index_select(-1, torch.tensor([0, x.shape[-1] - 1, 0])),
    ),
    (lambda x, c: tg.concat([x, x * 2.0], axis=axis_of(x, c)), lambda x, c: torch.cat([x, x * 2.0], axis_of(x, c))),
    (lambda x, c: tg.stack([x, tg.sin(x)], axis=axis_of(x, c)), lambda x, c: torch.stack([x, x.sin()], axis_of(x, c))),
    (lambda x, c: tg.where(x > 0.2, x, x * x), lambda x, c: torch.where(x > 0.2, x, x * x)),
    (lambda x, c: x * x.detach(), lambda x, c: x * x.detach()),
    (lambda x, c: tg.where(x > 0.2, x, 0), lambda x, c: torch.where(x > 0.2, x, 0.0)),
]
BINARY: list[Row] = [
    (lambda x, y, c: x + y, lambda x, y, c: x + y),
    (lambda x, y, c: x - y, lambda x, y, c: x - y),
    (lambda x, y, c: x * y, lambda x, y, c: x * y),
    (lambda x, y, c: x / (y * y + 1.0), lambda x, y, c: x / (y * y + 1.0)),
    (lambda x, y, c: (x * x + 0.5) ** tg.tanh(y), lambda x, y, c: (x * x + 0.5) ** torch.tanh(y)),
    (lambda x, y, c: tg.maximum(x, y), lambda x, y, c: torch.maximum(x, y)),
    (lambda x, y, c: tg.minimum(x, y), lambda x, y, c: torch.minimum(x, y)),
    (lambda x, y, c: tg.logaddexp(x, y), lambda x, y, c: torch.logaddexp(x, y)),
    (lambda x, y, c: tg.where(x > y, x, y * 0.5), lambda x, y, c: torch.where(x > y, x, y * 0.5)),
    (lambda x, y, c: tg.tanh(x @ y), lambda x, y, c: torch.tanh(x @ y)),
    (lambda x, y, c: tg.tanh(x @ y.mT), lambda x, y, c: torch.tanh(x @ y.mT)),
    (
        lambda x, y, c: tg.vecdot(x, tg.sin(y)),  # as in NumPy a length of 1 does not broadcast along the axis
        lambda x, y, c: torch.linalg.vecdot(x, y.sin()) if x.shape[-1] == y.shape[-1] else none(),
    ),
    (lambda x, y, c: tg.tensordot(tg.sin(x), y, axes=0), lambda x, y, c: torch.tensordot(torch.sin(x), y, 0)),
    (lambda x, y, c: tg.einsum("...i,...i->...", x, tg.cos(y)), lambda x, y, c: (x * torch.cos(y)).sum(-1)),
    (
        lambda x, y, c: tg.mse_loss(x, y, reduction="none"),
        lambda x, y, c: F.mse_loss(x, y, reduction="none") if x.shape == y.shape else none(),
    ),
    (
        lambda x, y, c: tg.binary_cross_entropy_with_logits(x, tg.sigmoid(y)),
        lambda x, y, c: F.binary_cross_entropy_with_logits(x, torch.sigmoid(y)) if x.shape == y.shape else none(),
    ),
    (
        lambda x, y, c: tg.cross_entropy(x, tg.softmax(y), label_smoothing=0.1 * (c % 3)),
        lambda x, y, c: -(smoothed(y, c) * torch.log_softmax(x, -1)).sum(-1).mean() if x.shape == y.shape else none(),
    ),
    (
        lambda x, y, c: tg.cross_entropy(x, [(c + i) % x.shape[-1] for i in range(len(x))]),
        lambda x, y, c: F.cross_entropy(x, torch.tensor([(c + i) % x.shape[-1] for i in range(len(x))])),
    ),
]
TABLE = [*((1, *row) for row in UNARY), *((2, *row) for row in BINARY)]
SHAPES = [(3,), (2, 3), (3, 3), (1, 3), (3, 1), (2, 1, 3)]
MOST = 60  # elements of a value


def none() -> Any:
    raise ValueError("the shapes differ")


def smoothed(y: Any, c: int) -> Any:
    a = 0.1 * (c % 3)
    return torch.softmax(y, -1) * (1 - a) + a / y.shape[-1]


Step = tuple[int, int, int, int]


def built(which: int, leaves: list[Any], steps: list[Step]) -> Any:
    """The loss of a program: a weighted sum of the values that nothing else uses. What does not fit is left out."""
    pool, used = list(leaves), set()
    for number, a, b, c in steps:
        arity, *functions = TABLE[number % len(TABLE)]
        places = [a % len(pool), b % len(pool)][:arity]
        operands = [pool[i] for i in places]
        if any(x.ndim == 0 or 0 in x.shape or x.ndim > 4 for x in operands):
            continue
        try:
            made = functions[which](*operands, c)
        except (ValueError, TypeError, RuntimeError, IndexError):
            continue
        if made.ndim > 4 or np.prod(made.shape, dtype=int) > MOST:
            continue
        pool.append(made)
        used.update(places)
    total = 0.0
    for i, x in enumerate(pool):
        if i not in used:
            weights = np.cos(np.arange(int(np.prod(x.shape, dtype=int)))).reshape(tuple(x.shape))
            if which:
                total = total + (x * torch.tensor(weights, dtype=x.dtype)).sum()
            else:
                total = total + (x * weights.astype(x.dtype)).sum()
    return total, len(pool)


def ours(arrays: list[Any], vectors: list[Any], steps: list[Step]) -> tuple[list[Any], int]:
    count = [0]

    def f(*xs: Any) -> Any:
        total, count[0] = built(0, list(xs), steps)
        return total

    positions = range(len(arrays))
    value, gradients = tg.value_and_grad(f, positions)(*arrays)
    leaves = [tg.Tensor(a, requires_grad=True) for a in arrays]
    f(*leaves).backward()
    for leaf, g in zip(leaves, gradients):
        np.testing.assert_array_equal(0.0 if leaf.grad is None else leaf.grad.numpy(), g.numpy())

    def slope(*xs: Any) -> Any:
        return sum((tg.sum(g * v) for g, v in zip(tg.grad(f, positions)(*xs), vectors)), start=tg.Tensor(0.0))

    products = tg.grad(slope, positions)(*arrays)
    return [value.numpy(), *(g.numpy() for g in gradients), *(p.numpy() for p in products)], count[0]


def theirs(arrays: list[Any], vectors: list[Any], steps: list[Step]) -> tuple[list[Any], int]:
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    value, count = built(1, leaves, steps)
    gradients = torch.autograd.grad(value, leaves, create_graph=True, allow_unused=True)
    gradients = [torch.zeros_like(x) if g is None else g for g, x in zip(gradients, leaves)]
    slope = sum((g * torch.tensor(v)).sum() for g, v in zip(gradients, vectors))
    products: Any = [None] * len(leaves)
    if slope.requires_grad:
        products = torch.autograd.grad(slope, leaves, allow_unused=True)
    products = [torch.zeros_like(x) if p is None else p for p, x in zip(products, leaves)]
    return [x.numpy(force=True) for x in (value, *gradients, *products)], count


def compared(seed: int, shapes: list[int], steps: list[Step]) -> None:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=SHAPES[i % len(SHAPES)]) for i in shapes]
    vectors = [rng.normal(size=a.shape) for a in arrays]
    got, made = ours(arrays, vectors, steps)
    exact, expected_made = theirs(arrays, vectors, steps)
    assert made == expected_made, "a step that fits for one fits for the other"
    for a, b in zip(got, exact):
        assert a.shape == b.shape
        assert a.dtype == b.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * (1 + np.abs(b).max(initial=0)))
    small, vectors32 = [a.astype(np.float32) for a in arrays], [v.astype(np.float32) for v in vectors]
    widened = [a.astype(np.float64) for a in small], [v.astype(np.float64) for v in vectors32]
    exact, _ = theirs(*widened, steps)
    rounded, _ = theirs(small, vectors32, steps)
    got, _ = ours(small, vectors32, steps)
    worst = max(np.abs(b - c).max(initial=0) / (1 + np.abs(c).max(initial=0)) for b, c in zip(rounded, exact))
    for a, c in zip(got, exact):
        assert a.dtype == np.float32
        error = np.abs(a - c).max(initial=0) / (1 + np.abs(c).max(initial=0))
        assert error <= 30 * max(worst, 4e-6), (error, worst)  # rounding, as much as the graph makes PyTorch's


NUMBERS = st.integers(0, 2**16)
GRAPHS = given(
    seed=NUMBERS,
    shapes=st.lists(st.integers(0, len(SHAPES) - 1), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.integers(0, len(TABLE) - 1), NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=12),
)


@GRAPHS
@settings(max_examples=300)
@np.errstate(all="ignore")
def test_random_graphs_are_pytorchs(seed: int, shapes: list[int], steps: list[Step]) -> None:
    compared(seed, shapes, steps)


@pytest.mark.slow
@GRAPHS
@settings(max_examples=20_000)
@np.errstate(all="ignore")
def test_twenty_thousand_random_graphs_are_pytorchs(seed: int, shapes: list[int], steps: list[Step]) -> None:
    compared(seed, shapes, steps)


@pytest.mark.parametrize("number", range(len(TABLE)))
def test_each_function_of_the_table_is_compared_by_itself(number: int) -> None:
    """So that a row that never fits cannot hide."""
    with np.errstate(all="ignore"):
        made = 0
        for seed in range(len(SHAPES)):
            rng = np.random.default_rng(seed)
            shapes = [seed, seed]
            _, count = ours([rng.normal(size=SHAPES[seed])] * 2, [np.ones(SHAPES[seed])] * 2, [(number, 0, 1, seed)])
            made += count > 2
            compared(seed, shapes, [(number, 0, 1, seed)])
    assert made
