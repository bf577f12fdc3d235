"""Operations that pick elements by position."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..operation import Kind
from ..tensor import Tensor, TensorLike, as_tensor, describe
from .axes import ARRAY, filled, picked, picked_by_arrays
from .choosing import where
from .entry import answers, for_arrays_too, operation
from .shapes import reshape


def _get_vjp_at(position: int) -> Any:
    return lambda g, out, x, *arrays, index: _put(g, *arrays, index=index, shape=x.shape)


def _index_pairs(out: Any, x: Any, /, *arrays: Any, index: tuple[Any, ...], values: Any = None) -> list[Any]:
    """Whole axes meet those of the result. What an array picks from is an inner axis, as in a product with one-hot
    rows, unless the array counts its places: `p[range(N), labels]`."""
    if not arrays:
        known = picked(x, index)
        return [known[0] if known is not None else []]
    by_arrays = _picked(x, index, values[1:]) if values is not None else None
    if by_arrays is None:
        return [[] for _ in range(1 + len(arrays))]
    ndim = len(out)
    counting = _counting(x, by_arrays, values[1:])
    inner = [(own, counting.get(own, ndim + j)) for own, j in by_arrays.by_array]
    return [[*by_arrays.whole, *inner], *_array_pairs(by_arrays, arrays, by_arrays.first)]


def _array_pairs(by_arrays: Any, arrays: Sequence[Any], first: int) -> list[Any]:
    return [[(i, first + by_arrays.ndim - len(a) + i) for i in range(len(a))] for a in arrays]


def _picked(shape: tuple[int, ...], index: tuple[Any, ...], values: Sequence[Any]) -> Any:
    """What the index picks, if its arrays are integers, none of them counted from the end."""
    if any(a.dtype.kind not in "iu" or (a.size and a.min() < 0) for a in values):
        return None
    return picked_by_arrays(shape, index, [a.shape for a in values])


def _counting(shape: tuple[int, ...], by_arrays: Any, values: Sequence[Any]) -> dict[int, int]:
    """The axes from which an array picks each place once, in order, with the axis of the result that it is then."""
    found: dict[int, int] = {}
    for own, j in by_arrays.by_array:
        a = values[j]
        long = [i for i, n in enumerate(a.shape) if n != 1]
        if len(long) == 1 and np.array_equal(a.reshape(-1), np.arange(shape[own])):
            new = by_arrays.first + by_arrays.ndim - a.ndim + long[0]
            if new not in found.values():
                found[own] = new
    return found


def _read_index(ex: Any, x: Any, *arrays: Any, index: tuple[Any, ...]) -> Any:
    """Single places along axes; an array of integers picks as a product with one-hot rows does. The algebra does not
    know of other indices."""
    shape = ex.inputs[0].shape
    if arrays and not ex.on_data:
        return None
    values = [t._array for t in ex.inputs[1:]]
    known: Any = _picked(shape, index, values) if arrays else picked(shape, index)
    if known is None:
        return None
    for own, place in known[1]:
        axis = ex.axis(0, own)
        x = x if axis is None else ex.at(x, axis, place)
    if not arrays:
        return x
    counting = _counting(shape, known, values)
    rows = [(arrays[j], ex.node.ndim + j, shape[own]) for own, j in known.by_array if own not in counting]
    axes = [(labels, ex.axis_of_result(inner, n)) for labels, inner, n in rows if n != 1]
    return ex.total((a for _, a in axes), ex.product(x, *(ex.one_hot(labels, a) for labels, a in axes)))


def _scatter_pairs(
    out: Any, x: Any, /, *arrays: Any, index: tuple[Any, ...], shape: tuple[int, ...], values: Any = None
) -> list[Any]:
    """The way back of `_index_pairs`: the common axes of the arrays are inner ones."""
    ndim = len(out)
    if not arrays:
        known = picked(out, index)
        return [[(i, own) for own, i in known[0]] if known is not None else []]
    by_arrays = _picked(out, index, values[1:]) if values is not None else None
    if by_arrays is None:
        return [[] for _ in range(1 + len(arrays))]
    back = {new: own for own, new in _counting(out, by_arrays, values[1:]).items()}
    common = {by_arrays.first + i: back.get(by_arrays.first + i, ndim + i) for i in range(by_arrays.ndim)}
    own_pairs = [(i, own) for own, i in by_arrays.whole] + list(common.items())
    pairs = _array_pairs(by_arrays, arrays, by_arrays.first)
    return [own_pairs, *([(i, common[new]) for i, new in of_one] for of_one in pairs)]


def _read_scatter(ex: Any, x: Any, *arrays: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """What comes back from an index: a product with one-hot rows, too."""
    if not ex.on_data:
        return None
    values = [t._array for t in ex.inputs[1:]]
    known: Any = _picked(shape, index, values) if arrays else picked(shape, index)
    if known is None:
        return None
    rows = [(ex.number(place), own) for own, place in known[1]]
    if arrays:
        counting = _counting(shape, known, values)
        rows += [(arrays[j], own) for own, j in known.by_array if own not in counting]
    coded = [ex.one_hot(labels, axis) for labels, own in rows if (axis := ex.axis_of_result(own)) is not None]
    return ex.total(ex.inner_axes(), ex.product(x, *coded))


@operation(
    "{0}[…]",
    vjp_at=_get_vjp_at,
    symbol="[ ]",
    kind=Kind.CHOICE,
    meets=_index_pairs,
    reads=_read_index,
    reason={"en": "the gradient goes back to where the value was picked", "zh": "梯度回到取出该值的位置"},
)
def _getitem(x: TensorLike, /, *arrays: TensorLike, index: tuple[Any, ...]) -> Any:
    return np.asarray(x)[filled(index, arrays)]


@operation(
    "scatter({0})",
    vjp_at=lambda position: lambda g, out, x, *arrays, index, shape: g[filled(index, arrays)],
    kind=Kind.CHOICE,
    meets=_scatter_pairs,
    reads=_read_scatter,
)
def _scatter(x: Any, /, *arrays: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    # Zeros with `x` added at the index: where the index repeats, the elements add up.
    result = np.zeros(shape, x.dtype)
    if arrays:
        np.add.at(result, filled(index, arrays), x)
    else:
        result[index] = x
    return result


_put = for_arrays_too(_scatter)


@answers(operator.getitem)
def _indexed(x: Tensor, index: Any) -> Tensor:
    """`x[index]`, with all of NumPy's basic and advanced indexing; gradients of repeated elements add up.

    Arrays and Tensors in the index become operands of the operation, so that a reader of the graph can give them
    other values; integers, slices, `None` and `...` are static.
    """
    pattern: list[Any] = []
    arrays: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if part is None or part is Ellipsis:
            pattern.append(part)
        elif isinstance(part, slice):
            ends = (part.start, part.stop, part.step)
            pattern.append(slice(*(None if end is None else operator.index(end) for end in ends)))
        elif isinstance(part, (int, np.integer)) and not isinstance(part, bool):
            pattern.append(int(part))
        else:
            array = part if isinstance(part, Tensor) else np.asarray(part)
            if isinstance(part, list) and array.size == 0:
                array = array.astype(np.intp)
            if array.dtype.kind not in "iub":
                raise IndexError(
                    f"an index of {describe(x)} must be integers, slices, None, ... or arrays of integers or booleans, "
                    f"not {type(part).__name__} of {array.dtype}"
                )
            pattern.append(ARRAY)
            arrays.append(array)
    return _getitem(x, *arrays, index=tuple(pattern))


@answers(np.take)
def take(x: TensorLike, indices: TensorLike, /, axis: int | None = None) -> Tensor:
    """The elements at these positions of an axis.

    Args:
        x: any shape.
        indices: integers of any shape, which takes the place of the axis; negative ones count from the end.
        axis: the axis to pick from; None for the flattened elements.

    Raises:
        IndexError: when an index is out of range or no integer.
        AxisError: when the axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.take([1.0, 2.0, 3.0], [2, 0, 0])
        Tensor([3., 1., 1.])
    """
    x = as_tensor(x)
    indices = _positions("take", indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    axis = normalize_axis_index(axis, x.ndim)
    return _indexed(x, ((slice(None),) * axis) + (indices,))


def _positions(name: str, indices: TensorLike) -> Tensor:
    """Integers to pick by. Booleans are none: an index would take them for a mask."""
    indices = as_tensor(indices)
    if indices.dtype.kind in "iu":
        return indices
    if indices.size:
        raise IndexError(f"{name} needs integers to pick by, got {describe(indices)}")
    return indices.astype(np.intp)  # an empty list is float to NumPy


@answers(np.take_along_axis)
def take_along_axis(x: TensorLike, indices: TensorLike, /, axis: int | None = -1) -> Tensor:
    """One element per index along an axis, as `argmax` and `argsort` give them.

    Args:
        x: any shape.
        indices: integers, as many axes as `x`; the other axes broadcast.
        axis: the axis to pick from; None for the flattened elements.

    Raises:
        IndexError: when an index is out of range or no integer.
        ValueError: when the numbers of axes differ.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.take_along_axis(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), [[1], [0]])
        Tensor([[2.],
                [3.]])
    """
    x = as_tensor(x)
    indices = _positions("take_along_axis", indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    if x.ndim != indices.ndim:
        raise ValueError(f"take_along_axis needs indices with as many axes as {describe(x)}, got {describe(indices)}")
    axis = normalize_axis_index(axis, x.ndim)
    grid = np.ogrid[tuple(slice(n) for n in x.shape)]
    return _indexed(x, tuple(indices if i == axis else places for i, places in enumerate(grid)))


@answers(np.tril)
def tril(x: TensorLike, /, k: int = 0) -> Tensor:
    """The lower triangle of the last two axes; 0 above it.

    Args:
        x: two axes or more.
        k: the last diagonal kept; 0 the main one, 1 the one above it.

    Raises:
        ValueError: when there are fewer than two axes.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.tril([[1.0, 2.0], [3.0, 4.0]])
        Tensor([[1., 0.],
                [3., 4.]])
    """
    return _triangle(x, "tril", lambda rows, columns: np.tri(rows, columns, k, dtype=bool))


@answers(np.triu)
def triu(x: TensorLike, /, k: int = 0) -> Tensor:
    """The upper triangle of the last two axes; 0 below it.

    Args:
        x: two axes or more.
        k: the first diagonal kept; 0 the main one, 1 the one above it.

    Raises:
        ValueError: when there are fewer than two axes.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.triu([[1.0, 2.0], [3.0, 4.0]])
        Tensor([[1., 2.],
                [0., 4.]])
    """
    return _triangle(x, "triu", lambda rows, columns: ~np.tri(rows, columns, k - 1, dtype=bool))


def _triangle(x: TensorLike, name: str, kept: Callable[[int, int], Any]) -> Tensor:
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"{name} needs two axes or more, got {describe(x)}")
    return where(kept(*x.shape[-2:]), x, False if x.dtype.kind == "b" else 0)
