"""Values, first and second derivatives against PyTorch and JAX: every operation, every loss, random graphs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from helpers import ROWS, SMOOTH, Case, weights_like
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_cls as tg

pytestmark = pytest.mark.peers

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")


@pytest.fixture(autouse=True, scope="module")
def double_precision() -> Iterator[None]:
    jax.config.update("jax_enable_x64", True)
    torch.set_num_threads(1)
    yield
    jax.config.update("jax_enable_x64", False)


# --- the three libraries, each giving value, gradients and second derivatives of Σ weights ⊙ f ----------------------


Result = tuple[Any, list[Any], list[Any]]


def with_tinygrad_cls(f: Callable[..., Any], arrays: tuple[Any, ...]) -> Result:
    def first(*xs: Any) -> Any:
        out = f(*xs)
        return tg.sum(out * weights_like(out))

    def slopes(*xs: Any) -> Any:
        parts = tg.grad(first, argnums=range(len(xs)))(*xs)
        return sum(tg.sum(g * weights_like(g, seed=i + 1)) for i, g in enumerate(parts))

    leaves = [tg.Tensor(x, requires_grad=True) for x in arrays]
    first(*leaves).backward()
    grads = [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in leaves]
    return f(*leaves).numpy(), grads, [g.numpy() for g in tg.grad(slopes, argnums=range(len(arrays)))(*arrays)]


def with_torch(f: Callable[..., Any], arrays: tuple[Any, ...]) -> Result:
    xs = [torch.tensor(x, requires_grad=True) for x in arrays]
    out = f(*xs)
    total = (out * torch.tensor(weights_like(out.detach()))).sum()
    zeros = [torch.zeros_like(x) for x in xs]
    firsts = torch.autograd.grad(total, xs, create_graph=True, allow_unused=True)
    firsts = [z if g is None else g for z, g in zip(zeros, firsts, strict=True)]
    slope = sum((g * torch.tensor(weights_like(g.detach(), seed=i + 1))).sum() for i, g in enumerate(firsts))
    seconds = torch.autograd.grad(slope, xs, allow_unused=True) if slope.requires_grad else [None] * len(xs)
    seconds = [z if g is None else g for z, g in zip(zeros, seconds, strict=True)]
    return out.numpy(force=True), [g.numpy(force=True) for g in firsts], [g.numpy(force=True) for g in seconds]


def with_jax(f: Callable[..., Any], arrays: tuple[Any, ...]) -> Result:
    every = tuple(range(len(arrays)))

    def first(*xs: Any) -> Any:
        out = f(*xs)
        return (out * weights_like(out)).sum()

    def slopes(*xs: Any) -> Any:
        parts = jax.grad(first, every)(*xs)
        return sum((g * weights_like(g, seed=i + 1)).sum() for i, g in enumerate(parts))

    xs = [jax.numpy.asarray(x) for x in arrays]
    return f(*xs), list(jax.grad(first, every)(*xs)), list(jax.grad(slopes, every)(*xs))


def assert_agree(ours: Result, theirs: Result, rtol: float = 1e-10, atol: float = 1e-11) -> None:
    for got, want in zip([ours[0], *ours[1], *ours[2]], [theirs[0], *theirs[1], *theirs[2]], strict=True):
        assert np.shape(got) == np.shape(want)
        np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


# --- every operation ----------------------------------------------------------------------------------------------


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    return tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (int(axis),)


def _torch_fold(name: str) -> Callable[..., Any]:
    def fold(x: Any, axis: Any, keepdims: bool, **options: Any) -> Any:
        axes = _axes(x, axis)
        return getattr(torch, name)(x, dim=axes, keepdim=keepdims, **options)

    return fold


def _torch_prod(x: Any, axis: Any, keepdims: bool) -> Any:
    for a in sorted((a % x.ndim for a in _axes(x, axis)), reverse=True):
        x = torch.prod(x, dim=a, keepdim=keepdims)
    return x


def _torch_cumulative_sum(x: Any, axis: int, include_initial: bool) -> Any:
    lengths = list(x.shape)
    lengths[axis] = 1
    sums = torch.cumsum(x, dim=axis)
    return torch.cat([x.new_zeros(lengths), sums], dim=axis) if include_initial else sums


def _torch_index(index: Any) -> Any:
    arrays = {
        i: np.array(p, int if np.size(p) == 0 else None)
        for i, p in enumerate(index)
        if isinstance(p, list | np.ndarray)
    }
    return tuple(torch.tensor(arrays[i]) if i in arrays else p for i, p in enumerate(index))


TORCH_OWN: dict[str, Callable[..., Any]] = {
    "select": torch.multiply,
    "below": torch.subtract,
    "power": torch.pow,
    "where": lambda x, y: torch.where(x < y, x, y * 2),
    "identity": lambda x: x * 1,
    "sum": _torch_fold("sum"),
    "mean": _torch_fold("mean"),
    "max": _torch_fold("amax"),
    "min": _torch_fold("amin"),
    "var": _torch_fold("var"),
    "std": _torch_fold("std"),
    "prod": _torch_prod,
    "cumulative_sum": _torch_cumulative_sum,
    "permute_dims": lambda x, axes: x.permute(tuple(reversed(range(x.ndim))) if axes is None else axes),
    "matrix_transpose": lambda x: x.mT,
    "moveaxis": lambda x, source, destination: torch.moveaxis(x, _plain(source), _plain(destination)),
    "broadcast_to": lambda x, shape: torch.broadcast_to(x, shape),
    "squeeze": lambda x, axis: x.squeeze() if axis is None else x.squeeze(axis),
    "concat": lambda *xs, axis: torch.cat([x.ravel() for x in xs] if axis is None else xs, dim=int(axis or 0)),
    "stack": lambda *xs, axis: torch.stack(xs, dim=int(axis)),
    "tril": lambda x, k: torch.tril(x, k),
    "triu": lambda x, k: torch.triu(x, k),
    "getitem": lambda x, index: x[_torch_index(index)],
    "take": lambda x, indices, axis: (x.ravel() if axis is None else x)[
        (*(slice(None),) * ((axis or 0) % max(x.ndim, 1)), torch.tensor(indices))
    ],
    "vecdot": lambda x, y, axis: torch.linalg.vecdot(x, y, dim=axis),
    "tensordot": lambda x, y, axes: torch.tensordot(x, y, dims=_torch_dims(axes)),
    "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
}


TORCH_OWN |= {
    "solve": lambda a, b: torch.linalg.solve(a, b[..., None])[..., 0] if b.ndim == 1 else torch.linalg.solve(a, b),
    "logabsdet": lambda x: torch.linalg.slogdet(x)[1],
    "cholesky": lambda x: torch.linalg.cholesky(x @ x.mT + torch.eye(3, dtype=x.dtype)),
    "pinv": lambda x: torch.linalg.pinv(x[..., :2]),
    "eigh": lambda x: _rows(torch.cat, *torch.linalg.eigh(x + x.mT)) ** 2,
}


def _rows(join: Callable[..., Any], values: Any, vectors: Any) -> Any:
    """Eigenvalues above their vectors."""
    return join([values[..., None, :], vectors], -2)


def _plain(axes: Any) -> Any:
    return axes if isinstance(axes, tuple) else int(axes)


def _torch_dims(axes: Any) -> Any:
    if not isinstance(axes, tuple):
        return int(axes)
    return tuple([a] if isinstance(a, int) else list(a) for a in axes)


JAX_OWN: dict[str, Callable[..., Any]] = {
    "select": jax.numpy.multiply,
    "below": jax.numpy.subtract,
    "power": lambda x, y: jax.numpy.power(x, y),
    "permute_dims": lambda x, axes: jax.numpy.transpose(x, axes),
    "erf": lambda x: jax.scipy.special.erf(x),
    "identity": lambda x: x,
    "where": lambda x, y: jax.numpy.where(x < y, x, y * 2),
    "concat": lambda *xs, axis: jax.numpy.concatenate(xs, axis=axis),
    "stack": lambda *xs, axis: jax.numpy.stack(xs, axis=axis),
    "getitem": lambda x, index: x[
        tuple(np.array(p, int if not p else None) if isinstance(p, list) else p for p in index)
    ],
    "take": lambda x, indices, axis: jax.numpy.take(x, indices % _length(x, axis), axis=axis),
    "einsum": lambda *xs, subscripts: jax.numpy.einsum(subscripts, *xs),
    "vecdot": lambda x, y, axis: jax.numpy.vecdot(x, y, axis=axis),
    "moveaxis": lambda x, source, destination: jax.numpy.moveaxis(x, source, destination),
}


JAX_OWN |= {
    "convolve": lambda a, v, mode: jax.numpy.convolve(a, v, mode=mode),
    "solve": jax.numpy.linalg.solve,
    "logabsdet": lambda x: jax.numpy.linalg.slogdet(x)[1],
    "cholesky": lambda x: jax.numpy.linalg.cholesky(x @ x.mT + jax.numpy.eye(3)),
    "pinv": lambda x: jax.numpy.linalg.pinv(x[..., :2]),
    "eigh": lambda x: _rows(jax.numpy.concatenate, *jax.numpy.linalg.eigh(x + x.mT)) ** 2,
}


def _length(x: Any, axis: Any) -> int:
    return int(x.size if axis is None else x.shape[axis])


# They have no such function, or none to differentiate; `autograd` and numerical derivatives stand in.
NO_PEER = {
    "torch": {"cbrt", "convolve", "astype", "expand_dims", "take_along_axis", "scatter", "spread_mean"},
    "jax": {"astype", "scatter", "spread_mean"},
}
LIBRARIES = {"torch": with_torch, "jax": with_jax}


@pytest.mark.parametrize(
    ("library", "name"), [(library, name) for library in LIBRARIES for name in SMOOTH if name not in NO_PEER[library]]
)
def test_every_operation_to_second_order(library: str, name: str) -> None:
    own, functions = (TORCH_OWN, torch) if library == "torch" else (JAX_OWN, jax.numpy)
    peer = own.get(name) or getattr(functions, name)

    @settings(max_examples=12 if library == "torch" else 4)
    @given(ROWS[name].cases)
    def check(case: Case) -> None:
        if library == "torch":
            assume(peer_knows(name, case))
        theirs = functools.partial(peer, **case.options)
        assert_agree(
            with_tinygrad_cls(functools.partial(ROWS[name].ours, **case.options), case.operands),
            LIBRARIES[library](theirs, case.operands),
        )

    check()


def peer_knows(name: str, case: Case) -> bool:
    """Whether PyTorch has the same meaning for these arguments."""
    axis = case.options.get("axis")
    if isinstance(axis, tuple) and not axis:
        return False  # to PyTorch, no axes are all
    if name == "clip" and case.operands[0].shape != np.broadcast_shapes(*(x.shape for x in case.operands)):
        return False
    if name == "reshape" and -1 in case.options["shape"] and case.operands[0].size == 0:
        return False
    if name == "vecdot" and case.operands[0].ndim != case.operands[1].ndim:
        return False
    if name == "getitem":  # PyTorch has no negative steps
        return not any(isinstance(p, slice) and (p.step or 1) < 0 for p in case.options["index"])
    return True


# --- kinks and edges ----------------------------------------------------------------------------------------------

KINKS: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = [
    ("relu", tg.relu, torch.relu, ([-1.0, 0.0, 2.0],)),
    ("leaky_relu", tg.leaky_relu, torch.nn.functional.leaky_relu, ([-1.0, 0.0, 2.0],)),
    ("elu", tg.elu, torch.nn.functional.elu, ([-1.0, 0.0, 2.0],)),
    ("abs", tg.abs, torch.abs, ([-1.0, 0.0, 2.0],)),
    ("maximum", tg.maximum, torch.maximum, ([1.0, 2.0], [1.0, 1.0])),
    ("minimum", tg.minimum, torch.minimum, ([1.0, 2.0], [1.0, 1.0])),
    ("clip", lambda x: tg.clip(x, 0, 1), lambda x: torch.clamp(x, 0, 1), ([-1.0, 0.0, 0.5, 1.0, 2.0],)),
    ("max", tg.max, torch.amax, ([1.0, 3.0, 3.0],)),
    ("min", tg.min, torch.amin, ([1.0, 1.0, 3.0],)),
    ("prod of zeros", tg.prod, torch.prod, ([0.0, 3.0, 0.0],)),
    ("prod of one zero", tg.prod, torch.prod, ([2.0, 0.0, 5.0],)),
    ("std of equal", tg.std, lambda x: torch.std(x, correction=0), ([2.0, 2.0],)),
    ("sqrt of relu", lambda x: tg.sqrt(tg.relu(x)), lambda x: torch.sqrt(torch.relu(x)), ([-1.0, 4.0],)),
    (
        "sqrt of maximum",
        lambda x: tg.sqrt(tg.maximum(x, 0)),
        lambda x: torch.sqrt(torch.maximum(x, torch.zeros_like(x))),
        ([-1.0, 4.0],),
    ),
    ("0 ** y", tg.power, torch.pow, ([0.0, 0.0, 0.0, 2.0], [0.0, 1.0, 2.0, 0.0])),
    ("x ** 0", lambda x: x**0, lambda x: x**0, ([0.0, 2.0],)),
    ("x ** 1", lambda x: x**1, lambda x: x**1, ([0.0, 2.0],)),
    ("log 0", tg.log, torch.log, ([0.0, 1.0],)),
    ("sqrt 0", tg.sqrt, torch.sqrt, ([0.0, 1.0],)),
    ("x / 0", tg.divide, torch.divide, ([1.0, 0.0], [0.0, 2.0])),
]


@pytest.mark.parametrize(("ours", "theirs", "values"), [kink[1:] for kink in KINKS], ids=[kink[0] for kink in KINKS])
def test_subgradients_are_pytorchs(ours: Any, theirs: Any, values: Any) -> None:
    xs = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
    theirs(*xs).sum().backward()
    leaves = [tg.Tensor(v, requires_grad=True) for v in values]
    with np.errstate(all="ignore"):
        ours(*leaves).sum().backward()
    for leaf, x in zip(leaves, xs, strict=True):
        np.testing.assert_allclose(leaf.grad.numpy(), x.grad.numpy())


# --- composed functions and losses --------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
Z = RNG.normal(size=(6, 4)) * 2
LABELS = np.array([0, 3, 1, 1, 2, 0])
SOFT = RNG.dirichlet(np.ones(4), 6)
WEIGHT = np.array([0.5, 1.0, 2.0, 0.1])
F = torch.nn.functional

COMPOSED: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any] | None]] = {
    "softmax": (tg.softmax, lambda x: F.softmax(x, -1), jax.nn.softmax),
    "softmax, axis 0": (lambda x: tg.softmax(x, 0), lambda x: F.softmax(x, 0), lambda x: jax.nn.softmax(x, 0)),
    "log_softmax": (tg.log_softmax, lambda x: F.log_softmax(x, -1), jax.nn.log_softmax),
    "logsumexp": (
        lambda x: tg.logsumexp(x, axis=1),
        lambda x: torch.logsumexp(x, 1),
        lambda x: jax.nn.logsumexp(x, 1),
    ),
    "sigmoid": (tg.sigmoid, torch.sigmoid, jax.nn.sigmoid),
    "softplus": (tg.softplus, F.softplus, jax.nn.softplus),
    "relu": (tg.relu, F.relu, jax.nn.relu),
    "leaky_relu": (tg.leaky_relu, F.leaky_relu, jax.nn.leaky_relu),
    "elu": (lambda x: tg.elu(x, 0.7), lambda x: F.elu(x, 0.7), lambda x: jax.nn.elu(x, 0.7)),
    "gelu": (tg.gelu, F.gelu, lambda x: jax.nn.gelu(x, approximate=False)),
    "gelu, tanh": (
        lambda x: tg.gelu(x, approximate="tanh"),
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: jax.nn.gelu(x, approximate=True),
    ),
    "silu": (tg.silu, F.silu, jax.nn.silu),
}


@pytest.mark.parametrize("name", COMPOSED)
@pytest.mark.parametrize("library", LIBRARIES)
def test_every_composed_function_to_second_order(library: str, name: str) -> None:
    ours, theirs, jaxs = COMPOSED[name]
    peer = theirs if library == "torch" else jaxs
    # Above 20, PyTorch's softplus returns its argument: stay below.
    assert_agree(with_tinygrad_cls(ours, (Z,)), LIBRARIES[library](peer, (Z,)), rtol=1e-9, atol=1e-10)


REDUCTIONS = ("mean", "sum", "none")
CE_OPTIONS: list[dict[str, Any]] = [
    {"weight": weight, "ignore_index": ignore, "label_smoothing": smoothing}
    for weight in (None, WEIGHT)
    for ignore in (None, 1, -100)
    for smoothing in (0.0, 0.2)
]


def _torch_options(options: dict[str, Any]) -> dict[str, Any]:
    options = {name: value for name, value in options.items() if value is not None}
    return {name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in options.items()}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", CE_OPTIONS, ids=repr)
def test_cross_entropy_and_nll_loss_with_class_numbers(options: dict[str, Any], reduction: str) -> None:
    ignore = options["ignore_index"]
    labels = LABELS if ignore != -100 else np.where(LABELS == 1, -100, LABELS)
    target = torch.tensor(labels)
    options = {**options, "reduction": reduction}
    assert_agree(
        with_tinygrad_cls(lambda z: tg.cross_entropy(z, labels, **options), (Z,)),
        with_torch(lambda z: F.cross_entropy(z, target, **_torch_options(options)), (Z,)),
    )
    if not options.pop("label_smoothing"):
        assert_agree(
            with_tinygrad_cls(lambda z: tg.nll_loss(tg.log_softmax(z), labels, **options), (Z,)),
            with_torch(lambda z: F.nll_loss(F.log_softmax(z, -1), target, **_torch_options(options)), (Z,)),
        )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", [o for o in CE_OPTIONS if o["ignore_index"] is None], ids=repr)
def test_cross_entropy_with_probabilities(options: dict[str, Any], reduction: str) -> None:
    options = {**options, "reduction": reduction}
    assert_agree(
        with_tinygrad_cls(lambda z, y: tg.cross_entropy(z, y, **options), (Z, SOFT)),
        with_torch(lambda z, y: F.cross_entropy(z, y, **_torch_options(options)), (Z, SOFT)),
    )


def test_all_ignored_is_pytorchs_nan() -> None:
    with np.errstate(invalid="ignore"):
        ours = tg.cross_entropy(Z, np.full(6, 1), ignore_index=1).item()
    assert math.isnan(ours)
    assert math.isnan(F.cross_entropy(torch.tensor(Z), torch.full((6,), 1), ignore_index=1).item())


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, WEIGHT, RNG.uniform(size=(6, 4))])
@pytest.mark.parametrize("pos_weight", [None, WEIGHT * 2])
def test_binary_cross_entropy_with_logits(weight: Any, pos_weight: Any, reduction: str) -> None:
    options = {"weight": weight, "pos_weight": pos_weight, "reduction": reduction}
    assert_agree(
        with_tinygrad_cls(lambda z, y: tg.binary_cross_entropy_with_logits(z, y, **options), (Z, SOFT)),
        with_torch(lambda z, y: F.binary_cross_entropy_with_logits(z, y, **_torch_options(options)), (Z, SOFT)),
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_mse_loss(reduction: str) -> None:
    assert_agree(
        with_tinygrad_cls(lambda z, y: tg.mse_loss(z, y, reduction=reduction), (Z, SOFT)),
        with_torch(lambda z, y: F.mse_loss(z, y, reduction=reduction), (Z, SOFT)),
    )


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
def test_extreme_logits_in_float32(scale: float) -> None:
    z = (np.random.default_rng(0).uniform(-scale, scale, (20, 5))).astype(np.float32)
    labels = np.arange(20) % 5
    x, leaf = torch.tensor(z, requires_grad=True), tg.Tensor(z, requires_grad=True)
    theirs, ours = F.cross_entropy(x, torch.tensor(labels)), tg.cross_entropy(leaf, labels)
    theirs.backward()
    ours.backward()
    np.testing.assert_allclose(ours.item(), theirs.item(), rtol=1e-6)
    np.testing.assert_allclose(leaf.grad.numpy(), x.grad.numpy(), atol=1e-7)


# --- random graphs ------------------------------------------------------------------------------------------------
#
# A program is a list of steps; each applies one of these to earlier values, all of shape (3, 3), so nodes are shared
# freely. `m` is the library's namespace. All are bounded or damped, so that forty steps stay in range.

STEPS: list[Callable[..., Any]] = [
    lambda m, a, b: a + b * 0.5,
    lambda m, a, b: a - b,
    lambda m, a, b: a * b * 0.5,
    lambda m, a, b: a / (1 + b * b),
    lambda m, a, b: m.tanh(a) @ m.sin(b),
    lambda m, a, b: m.exp(m.tanh(a)) + b,
    lambda m, a, b: m.log(1 + a * a) - b,
    lambda m, a, b: m.sqrt(1 + a * a) * m.cos(b),
    lambda m, a, b: m.where(a > b, a, b * 2),
    lambda m, a, b: m.maximum(m.sin(a), m.cos(b)),
    lambda m, a, b: m.abs(a - 0.123) + b,
    lambda m, a, b: a.T - b[1],
    lambda m, a, b: a[0:1] * m.tanh(b),
    lambda m, a, b: a.reshape((9,))[3] + m.sin(b),
    lambda m, a, b: a.sum(0) * 0.1 + m.tanh(b),
    lambda m, a, b: (a.mean(1) * b[2]) + m.cos(a),
    lambda m, a, b: m.exp(m.tanh(a)) / m.exp(m.tanh(b)).sum(1),
    lambda m, a, b: (1 + m.tanh(a) ** 2) ** 1.5 - b,
    lambda m, a, b: m.stack([a[0], b[1], m.sin(a[2])]),
    lambda m, a, b: m.tril(a) + m.sinh(m.tanh(b)),
]
PROGRAM = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 99), st.integers(0, 99)), min_size=20, max_size=40
)


def run(program: list[tuple[int, int, int]], m: Any, x: Any, y: Any) -> Any:
    values = [x, y]
    for step, i, j in program:
        value = STEPS[step](m, values[-1 - i % min(len(values), 5)], values[j % len(values)])
        values.append(m.tanh(value * 0.3) * 2)
    return sum(values[-3:])  # several ends, many of the inner nodes shared


@settings(max_examples=150)
@given(PROGRAM, st.integers(0, 999))
def test_random_graphs_have_pytorchs_gradients(program: Any, seed: int) -> None:
    arrays = tuple(np.random.default_rng(seed).normal(size=(2, 3, 3)))
    ours = with_tinygrad_cls(lambda x, y: run(program, tg, x, y), arrays)
    assert_agree(ours, with_torch(lambda x, y: run(program, torch, x, y), arrays), rtol=1e-8, atol=1e-9)


@settings(max_examples=20)
@given(PROGRAM, st.integers(0, 999))
def test_random_graphs_have_jaxs_second_derivatives(program: Any, seed: int) -> None:
    arrays = tuple(np.random.default_rng(seed).normal(size=(2, 3, 3)))
    ours = with_tinygrad_cls(lambda x, y: run(program, tg, x, y), arrays)
    assert_agree(ours, with_jax(lambda x, y: run(program, jax.numpy, x, y), arrays), rtol=1e-8, atol=1e-9)
