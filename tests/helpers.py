"""What the tests of the engine share: numerical derivatives, and the table of all operations with their cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_cls as tg
from tinygrad_cls.engine.operations import linear_algebra as matrix_operations
from tinygrad_cls.engine.operations import picking as picking_operations
from tinygrad_cls.engine.operations import random as random_operations
from tinygrad_cls.engine.operations import reductions as reduction_operations
from tinygrad_cls.engine.operations import selecting as selecting_operations

Array = np.ndarray[Any, Any]


# --- derivatives --------------------------------------------------------------------------------------------------


def numerical_gradients(f: Callable[..., Any], arrays: Sequence[Array], step: float = 1e-3) -> list[Array]:
    """The gradients of a scalar function of arrays, by central differences of fourth order."""
    gradients = []
    for i, x in enumerate(arrays):
        gradient = np.zeros(x.shape)
        for at in np.ndindex(x.shape):
            values = []
            for k in (-2, -1, 1, 2):
                moved = [a.copy() for a in arrays]
                moved[i][at] += k * step
                values.append(float(f(*moved)))
            gradient[at] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        gradients.append(gradient)
    return gradients


def weights_like(x: Any, seed: int = 0) -> Array:
    """Fixed random weights, so that the weighted sum of `x` has a gradient with no symmetry to hide behind."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, np.shape(x))


def weighted_sum(f: Callable[..., Any]) -> Callable[..., Any]:
    """The scalar function `Σ weights ⊙ f`, on Tensors or arrays as `f` is."""

    def total(*xs: Any) -> Any:
        out = f(*xs)
        return (out * weights_like(out)).sum()

    return total


def gradients(f: Callable[..., Any], arrays: Sequence[Array]) -> list[Array]:
    """The gradients of a scalar function of Tensors, by `backward`."""
    leaves = [tg.Tensor(x, requires_grad=True) for x in arrays]
    out = f(*leaves)
    if out.requires_grad:
        out.backward()
    return [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in leaves]


def slope_sum(f: Callable[..., Any], n: int) -> Callable[..., Any]:
    """The scalar function `Σ weights ⊙ ∂f` over all `n` arguments: its gradient holds every second derivative."""

    def total(*xs: Any) -> Any:
        parts = tg.grad(f, argnums=range(n))(*xs)
        return sum((tg.sum(g * weights_like(g, seed=i + 1)) for i, g in enumerate(parts)), start=tg.Tensor(0.0))

    return total


def operations_of(*outputs: tg.Tensor) -> set[str]:
    """The names of the operations in the graph that leads to these tensors."""
    found, seen, waiting = set(), set(), list(outputs)
    while waiting:
        node = waiting.pop()
        if isinstance(node, tg.Tensor) and node not in seen:
            seen.add(node)
            waiting.extend(node.inputs)
            if node.operation is not None:
                found.add(node.operation.name)
    return found


# --- the table ----------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """Arguments of one call: the operands to differentiate by, and the options."""

    operands: tuple[Array, ...]
    options: dict[str, Any] = {}  # noqa: RUF012


class Row(NamedTuple):
    """One function: ours, NumPy's, and the cases to call both with."""

    ours: Callable[..., Any]
    numpys: Callable[..., Any]
    cases: st.SearchStrategy[Case]
    smooth: bool = True  # False: a step or a constant, whose result requires no gradient


def real(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.normal(size=shape))


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.uniform(0.5, 2.0, shape))


def nonzero(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape))


def above_1(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.uniform(1.5, 3.0, shape))


def far_out(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.uniform(2.5, 5.0, shape) * rng.choice([-1.0, 1.0], shape))


def small(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.uniform(-0.9, 0.9, shape))


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """No two elements close to each other, nor to 0 or another multiple of 0.4: away from ties."""
    n = math.prod(shape)
    return np.reshape(0.4 * (rng.permutation(n) - n // 2) + 0.1, shape)


def between(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Like `distinct`, and away from all its values too."""
    return np.asarray(distinct(rng, shape) + 0.2)


def below(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Away from the values of both `distinct` and `between`."""
    return np.asarray(distinct(rng, shape) - 0.1)


def booleans(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.random(shape) < 0.5)


Domain = Callable[[np.random.Generator, tuple[int, ...]], Array]
RNG = st.builds(np.random.default_rng, st.integers(0, 9999))
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
FULL_SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)


@st.composite
def elementwise(draw: Any, *domains: Domain) -> Case:
    """Operands that broadcast together, 0-d and empty ones among them."""
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=len(domains), max_dims=3, min_side=0, max_side=3))
    rng = draw(RNG)
    return Case(tuple(domain(rng, shape) for domain, shape in zip(domains, shapes.input_shapes, strict=True)))


def an_axis(draw: Any, ndim: int) -> Any:
    """One axis, counted from either end, as Python's or NumPy's integer."""
    return draw(st.sampled_from([int, np.int64]))(draw(st.integers(-ndim, ndim - 1)))


@st.composite
def reduction(draw: Any, domain: Domain, empty: bool = True, tuples: bool = True, keepdims: bool = True) -> Case:
    """An array and `axis`: None, an int, or a tuple of ints of both signs."""
    shape = draw(SHAPES if empty else FULL_SHAPES)
    n = len(shape)
    kind = draw(st.sampled_from(["all", "one", "some"] if n else ["all"]))
    axis: Any = None
    if kind == "one" or (kind == "some" and not tuples):
        axis = an_axis(draw, n)
    elif kind == "some":
        chosen = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=n))
        axis = tuple(a - n * draw(st.booleans()) for a in chosen)
    options = {"axis": axis, "keepdims": draw(st.booleans())} if keepdims else {"axis": axis}
    return Case((domain(draw(RNG), shape),), options)


@st.composite
def deviation(draw: Any) -> Case:
    case = draw(reduction(distinct, empty=False))
    n = np.size(case.operands[0]) // np.size(np.sum(case.operands[0], axis=case.options["axis"]))
    # Where one element is folded its deviation is constantly 0: a kink of std, tested by itself.
    if n == 1:
        case = Case((distinct(draw(RNG), (3,)),), {"axis": None, "keepdims": False})
    return Case(case.operands, {**case.options, "correction": draw(st.sampled_from([0, 1, 0.5]))})


@st.composite
def along(draw: Any, options: dict[str, st.SearchStrategy[Any]], min_dims: int = 1) -> Case:
    """An array with axes, and static options, which may be functions of the number of axes."""
    shape = draw(hnp.array_shapes(min_dims=min_dims, max_dims=3, min_side=0, max_side=3))
    drawn = {name: draw(strategy) for name, strategy in options.items()}
    drawn = {name: value(len(shape)) if callable(value) else value for name, value in drawn.items()}
    return Case((real(draw(RNG), shape),), drawn)


ONE_AXIS = st.integers(0, 5).map(lambda i: lambda ndim: i % (2 * ndim) - ndim)


@st.composite
def reshaping(draw: Any) -> Case:
    shape = draw(SHAPES)
    target = list(draw(st.permutations((*shape, 1))))
    if 0 not in target and draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    return Case((real(draw(RNG), shape),), {"shape": tuple(target)})


@st.composite
def permuting(draw: Any) -> Case:
    shape = draw(SHAPES)
    axes = draw(st.one_of(st.none(), st.permutations(range(len(shape))).map(tuple)))
    if axes is not None and draw(st.booleans()):
        axes = tuple(a - len(shape) for a in axes)
    return Case((real(draw(RNG), shape),), {"axes": axes})


@st.composite
def moving(draw: Any) -> Case:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
    n, rng = len(shape), draw(RNG)
    if draw(st.booleans()):
        return Case((real(rng, shape),), {"source": an_axis(draw, n), "destination": an_axis(draw, n)})
    count = draw(st.integers(0, n))
    source, destination = (tuple(draw(st.permutations(range(n)))[:count]) for _ in range(2))
    return Case((real(rng, shape),), {"source": source, "destination": destination})


@st.composite
def expanding(draw: Any) -> Case:
    shape = draw(SHAPES)
    n = len(shape)
    axis = draw(st.sampled_from([0, -1, n, -n - 1, (0, n + 1), (-1, 0)]))
    return Case((real(draw(RNG), shape),), {"axis": axis})


@st.composite
def squeezing(draw: Any) -> Case:
    shape = draw(SHAPES)
    ones = [i for i, n in enumerate(shape) if n == 1]
    axis = draw(st.sampled_from([None, tuple(ones), *ones, *(i - len(shape) for i in ones)]))
    return Case((real(draw(RNG), shape),), {"axis": axis})


@st.composite
def broadcasting(draw: Any) -> Case:
    shape = draw(SHAPES)
    target = draw(hnp.broadcastable_shapes(shape, min_dims=len(shape), max_dims=4, min_side=0, max_side=3))
    return Case((real(draw(RNG), shape),), {"shape": np.broadcast_shapes(shape, target)})


@st.composite
def joining(draw: Any, new_axis: bool) -> Case:
    count = draw(st.integers(1, 3))
    shape = draw(hnp.array_shapes(min_dims=0 if new_axis else 1, max_dims=3, min_side=0, max_side=3))
    axis = an_axis(draw, len(shape) + new_axis)
    shapes = [list(shape) for _ in range(count)]
    if not new_axis:
        for each in shapes:
            each[axis] = draw(st.integers(0, 3))
        if draw(st.integers(0, 3)) == 0:
            axis = None
    rng = draw(RNG)
    return Case(tuple(real(rng, tuple(each)) for each in shapes), {"axis": axis})


@st.composite
def picking(draw: Any) -> Case:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
    axis = draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    n = math.prod(shape) if axis is None else shape[axis]
    indices = draw(hnp.arrays(np.int64, SHAPES, elements=st.integers(-n, n - 1)))
    return Case((real(draw(RNG), shape),), {"indices": indices, "axis": axis})


@st.composite
def picking_along(draw: Any) -> Case:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
    axis = draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    count = draw(st.integers(0, 4))
    if axis is None:
        n, index_shape = math.prod(shape), (count,)
    else:
        n, lengths = shape[axis], [draw(st.sampled_from([length, 1])) for length in shape]
        lengths[axis] = count
        index_shape = tuple(lengths)
    indices = draw(hnp.arrays(np.int64, index_shape, elements=st.integers(-n, n - 1)))
    return Case((real(draw(RNG), shape),), {"indices": indices, "axis": axis})


INDICES = [
    (),
    (1,),
    (-1, ...),
    (..., -2),
    (slice(None, None, -1),),
    (slice(0, 0),),
    (None, slice(1, None), None, ..., slice(None, None, 2)),
    ([0, 2, 0, 0],),
    ([-1, 0], slice(None), [1, 1]),
    (slice(None), [1, 1, 0], 0),
    (np.array([[0, 2], [1, 1]]), None, [0, 1]),
    ([True, False, True],),
    (..., np.array([[True, False, True], [True, True, False]])),
    (np.array(True),),
    ([],),
    (slice(None), np.array([], dtype=int)),
]


@st.composite
def indexing(draw: Any) -> Case:
    index = draw(st.sampled_from(INDICES))
    return Case((real(draw(RNG), (3, 2, 3)),), {"index": index})


@st.composite
def scattering(draw: Any) -> Case:
    index = np.array(draw(st.lists(st.integers(-3, 2), max_size=5)), dtype=int)
    return Case((real(draw(RNG), (*index.shape, 2)),), {"at": index, "shape": (3, 2)})


def _scattered(x: Array, at: Array, shape: tuple[int, ...]) -> Array:
    rows = np.equal.outer(np.arange(shape[0]), at % shape[0])
    return rows.astype(float) @ x


@st.composite
def spreading(draw: Any) -> Case:
    """The mean of an array, with the axes kept, and the shape that it came from."""
    case = draw(reduction(real, empty=False))
    (array,), axis = case.operands, case.options["axis"]
    return Case((np.asarray(array.mean(axis=axis, keepdims=True)),), {"shape": array.shape, "axis": axis})


def _shared_equally(x: Array, shape: tuple[int, ...], axis: Any) -> Array:
    return np.ones(shape, x.dtype) * (x * (1 / (math.prod(shape) // x.size)))


@st.composite
def matrices(draw: Any) -> Case:
    """All kinds of `@`: rows, columns, stacks that broadcast, empty inner axes."""
    shapes = draw(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, min_side=0, max_side=3))
    rng = draw(RNG)
    return Case(tuple(real(rng, shape) for shape in shapes.input_shapes))


@st.composite
def vectors(draw: Any) -> Case:
    shapes = draw(hnp.mutually_broadcastable_shapes(signature="(n),(n)->()", max_dims=2, min_side=0, max_side=3))
    rng = draw(RNG)
    return Case(tuple(real(rng, shape) for shape in shapes.input_shapes), {"axis": -1})


TENSORDOTS = [
    ((2, 3), (3, 2), 1),
    ((2, 3), (3, 2), np.int64(1)),
    ((2, 3), (2, 3), 2),
    ((2, 3), (4,), 0),
    ((), (2,), 0),
    ((2, 3, 4), (4, 2), ([0, 2], [1, 0])),
    ((2, 3, 4), (3, 5), (1, 0)),
    ((2, 3, 4), (3, 5), (-2, -2)),
    ((2, 0), (0, 3), 1),
    ((2, 3), (3,), ((1,), (0,))),
]
EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 2)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ba,bc", (2, 3), (2, 2)),
    ("i,i->", (3,), (3,)),
    ("i,i->", (3,), (1,)),
    ("ij,ij->j", (3, 2), (1, 2)),
    ("ij->", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iij,j->i", (2, 2, 3), (3,)),
    ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)),
    ("...i,i...", (2, 3), (3, 2)),
    ("i...->...", (2, 3)),
    ("a,b,c->abc", (2,), (3,), (2,)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)),
    (",i->i", (), (3,)),
    ("ij,ij,i->j", (2, 3), (2, 3), (2,)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("i j , j k -> k i", (2, 3), (3, 2)),
]


@st.composite
def fixed(draw: Any, rows: list[Any], option: str) -> Case:
    """Operand shapes and one option from a list."""
    option_first = option == "subscripts"
    row = draw(st.sampled_from(rows))
    shapes, value = (row[1:], row[0]) if option_first else (row[:-1], row[-1])
    rng = draw(RNG)
    return Case(tuple(real(rng, shape) for shape in shapes), {option: value})


def _concat(module: Any) -> Callable[..., Any]:
    return lambda *xs, **options: module.concat(xs, **options)


def _stack(module: Any) -> Callable[..., Any]:
    return lambda *xs, **options: module.stack(xs, **options)


def _both(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return getattr(tg, name), getattr(np, name)


@st.composite
def solvable(draw: Any, *columns: tuple[int, ...]) -> Case:
    """Matrices, or stacks of them, far from singular and with eigenvalues apart; and right-hand sides."""
    stack, rng = draw(st.sampled_from([(), (2,)])), draw(RNG)
    matrix = np.diag([1.0, 2.0, 4.0]) + 0.3 * small(rng, (*stack, 3, 3))
    return Case((matrix, *(real(rng, shape) for shape in columns)))


@st.composite
def sliding(draw: Any) -> Case:
    rng = draw(RNG)
    return Case(tuple(real(rng, (draw(st.integers(1, 5)),)) for _ in range(2)), {"mode": draw(st.sampled_from(MODES))})


MODES = ("full", "same", "valid")


def positive_definite(x: Any) -> Any:
    return x @ x.mT + np.eye(3)


def eigh_in_rows(x: Array) -> Array:
    values, vectors = np.linalg.eigh(x + x.mT)
    return np.concat([values[..., None, :], vectors], axis=-2) ** 2  # the sign of a vector is anybody's choice


K = {"k": st.integers(-3, 3)}
CUMULATIVE = {"axis": ONE_AXIS, "include_initial": st.booleans()}
erf = np.vectorize(math.erf, otypes=[float])

ROWS: dict[str, Row] = {
    # element by element
    **{name: Row(*_both(name), elementwise(real)) for name in ("exp", "expm1", "square", "sin", "cos", "sinh", "cosh")},
    **{name: Row(*_both(name), elementwise(real, real)) for name in ("add", "subtract", "multiply")},
    **{name: Row(*_both(name), elementwise(distinct, between)) for name in ("maximum", "minimum")},
    "select": Row(selecting_operations.select, np.multiply, elementwise(real, real)),
    "below": Row(selecting_operations.below, np.subtract, elementwise(real, real)),
    "negative": Row(tg.negative, np.negative, elementwise(real)),
    "tanh": Row(tg.tanh, np.tanh, elementwise(real)),
    "arctan": Row(tg.arctan, np.arctan, elementwise(real)),
    "tan": Row(tg.tan, np.tan, elementwise(small)),
    "log": Row(tg.log, np.log, elementwise(positive)),
    "log1p": Row(tg.log1p, np.log1p, elementwise(small)),
    "logaddexp": Row(tg.logaddexp, np.logaddexp, elementwise(real, real)),
    "sqrt": Row(tg.sqrt, np.sqrt, elementwise(positive)),
    "divide": Row(tg.divide, np.divide, elementwise(real, nonzero)),
    "power": Row(tg.power, np.power, elementwise(positive, real)),
    "erf": Row(tg.erf, erf, elementwise(real)),
    "abs": Row(tg.abs, np.abs, elementwise(nonzero)),
    "where": Row(
        lambda x, y: tg.where(tg.less(x, y), x, y * 2),
        lambda x, y: np.where(x < y, x, y * 2),
        elementwise(distinct, between),
    ),
    "clip": Row(tg.clip, np.clip, elementwise(distinct, below, between)),
    "astype": Row(lambda x: tg.astype(x, np.longdouble), lambda x: x.astype(np.longdouble), elementwise(real)),
    "identity": Row(tg.identity, np.positive, elementwise(real)),
    **{name: Row(*_both(name), elementwise(real)) for name in ("arcsinh", "exp2")},
    **{name: Row(*_both(name), elementwise(small)) for name in ("arcsin", "arccos", "arctanh")},
    **{name: Row(*_both(name), elementwise(positive)) for name in ("log2", "log10")},
    **{name: Row(*_both(name), elementwise(nonzero)) for name in ("cbrt", "reciprocal")},
    **{name: Row(*_both(name), elementwise(nonzero, nonzero)) for name in ("hypot", "arctan2")},
    "arccosh": Row(tg.arccosh, np.arccosh, elementwise(above_1)),
    "remainder": Row(tg.remainder, np.remainder, elementwise(nonzero, far_out)),
    # steps and constants
    **{name: Row(*_both(name), elementwise(real), smooth=False) for name in ("floor", "ceil", "trunc", "rint")},
    "signbit": Row(tg.signbit, np.signbit, elementwise(real), smooth=False),
    "floor_divide": Row(tg.floor_divide, np.floor_divide, elementwise(real, nonzero), smooth=False),
    "sign": Row(tg.sign, np.sign, elementwise(real), smooth=False),
    **{
        name: Row(*_both(name), elementwise(real, real), smooth=False)
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    },
    "logical_and": Row(tg.logical_and, np.logical_and, elementwise(booleans, booleans), smooth=False),
    "logical_not": Row(tg.logical_not, np.logical_not, elementwise(booleans), smooth=False),
    "isfinite": Row(tg.isfinite, np.isfinite, elementwise(real), smooth=False),
    "isnan": Row(tg.isnan, np.isnan, elementwise(real), smooth=False),
    "stop_gradient": Row(tg.stop_gradient, np.positive, elementwise(real), smooth=False),
    "argmax": Row(tg.argmax, np.argmax, reduction(real, empty=False, tuples=False), smooth=False),
    "argmin": Row(tg.argmin, np.argmin, reduction(real, empty=False, tuples=False), smooth=False),
    # along axes
    "sum": Row(tg.sum, np.sum, reduction(real)),
    "prod": Row(tg.prod, np.prod, reduction(real)),
    "mean": Row(tg.mean, np.mean, reduction(real, empty=False)),
    "spread_mean": Row(
        lambda x, shape, axis: reduction_operations._spread_mean(x, shape=shape, axis=axis),
        _shared_equally,
        spreading(),
    ),
    "max": Row(tg.max, np.max, reduction(distinct, empty=False)),
    "min": Row(tg.min, np.min, reduction(distinct, empty=False)),
    "var": Row(tg.var, np.var, deviation()),
    "std": Row(tg.std, np.std, deviation()),
    "cumulative_sum": Row(tg.cumulative_sum, np.cumulative_sum, along(CUMULATIVE)),
    # shapes
    "reshape": Row(tg.reshape, np.reshape, reshaping()),
    "permute_dims": Row(tg.permute_dims, np.permute_dims, permuting()),
    "matrix_transpose": Row(tg.matrix_transpose, np.matrix_transpose, along({}, min_dims=2)),
    "moveaxis": Row(lambda x, source, destination: tg.moveaxis(x, source, destination), np.moveaxis, moving()),
    "expand_dims": Row(tg.expand_dims, np.expand_dims, expanding()),
    "squeeze": Row(tg.squeeze, np.squeeze, squeezing()),
    "broadcast_to": Row(tg.broadcast_to, np.broadcast_to, broadcasting()),
    "concat": Row(_concat(tg), _concat(np), joining(new_axis=False)),
    "stack": Row(_stack(tg), _stack(np), joining(new_axis=True)),
    "tril": Row(tg.tril, np.tril, along(K, min_dims=2)),
    "triu": Row(tg.triu, np.triu, along(K, min_dims=2)),
    "uniform": Row(
        lambda x: random_operations.uniform(np.random.default_rng(0), x.shape),
        lambda x: np.random.default_rng(0).random(x.shape),
        elementwise(real),
        smooth=False,
    ),
    # picking
    "getitem": Row(lambda x, index: x[index], lambda x, index: x[index], indexing()),
    "scatter": Row(
        lambda x, at, shape: picking_operations._scatter(x, at, index=(picking_operations.ARRAY,), shape=shape),
        _scattered,
        scattering(),
    ),
    "take": Row(lambda x, indices, axis: tg.take(x, indices, axis=axis), np.take, picking()),
    "take_along_axis": Row(
        lambda x, indices, axis: tg.take_along_axis(x, indices, axis=axis), np.take_along_axis, picking_along()
    ),
    # sorting
    "argsort": Row(np.argsort, np.argsort, along({"axis": ONE_AXIS, "stable": st.booleans()}), smooth=False),
    "argpartition": Row(
        lambda x: np.argpartition(x, 0)[..., 0],
        lambda x: np.argpartition(x, 0)[..., 0],
        elementwise(lambda rng, shape: distinct(rng, (*shape, 3))),
        smooth=False,
    ),
    "searchsorted": Row(
        lambda a, v: np.searchsorted(np.sort(a.reshape(-1)), v, "right"),
        lambda a, v: np.searchsorted(np.sort(a.reshape(-1)), v, "right"),
        elementwise(real, real),
        smooth=False,
    ),
    "convolve": Row(np.convolve, np.convolve, sliding()),
    # matrices
    "solve": Row(np.linalg.solve, np.linalg.solve, st.one_of(solvable((3,)), solvable((3, 2)), solvable((2, 3, 1)))),
    "logabsdet": Row(matrix_operations._logabsdet, lambda x: np.linalg.slogdet(x)[1], solvable()),
    "signdet": Row(matrix_operations._signdet, lambda x: np.linalg.slogdet(x)[0], solvable(), smooth=False),
    "cholesky": Row(
        lambda x: np.linalg.cholesky(positive_definite(x)),
        lambda x: np.linalg.cholesky(positive_definite(x)),
        solvable(),
    ),
    "pinv": Row(lambda x: np.linalg.pinv(x[..., :2]), lambda x: np.linalg.pinv(x[..., :2]), solvable()),
    "eigh": Row(lambda x: matrix_operations._eigh(x + x.mT, lower=True) ** 2, eigh_in_rows, solvable()),
    # products
    "matmul": Row(tg.matmul, np.matmul, matrices()),
    "vecdot": Row(tg.vecdot, np.vecdot, vectors()),
    "tensordot": Row(tg.tensordot, np.tensordot, fixed(TENSORDOTS, "axes")),
    "einsum": Row(
        lambda *xs, subscripts: tg.einsum(subscripts, *xs),
        lambda *xs, subscripts: np.einsum(subscripts, *xs),
        fixed(EINSUMS, "subscripts"),
    ),
}
SMOOTH = [name for name, row in ROWS.items() if row.smooth]
