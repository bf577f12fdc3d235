"""Operations that move, pick or repeat elements without changing them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..tensor import Axis, Tensor, TensorLike, describe
from .elementwise import where
from .entry import answers, for_arrays_too, operation


@operation("reshape({0})", lambda g, out, x, shape: g.reshape(x.shape), numpy=())
def _reshape(x: TensorLike, /, shape: tuple[int, ...]) -> Any:
    return np.asarray(x).reshape(shape)


@answers(np.reshape)
def reshape(x: TensorLike, /, shape: int | Sequence[int]) -> Tensor:
    """The same elements in another shape.

    Args:
        x: any shape.
        shape: the new lengths; one of them may be -1 and is worked out from the others.

    Raises:
        ValueError: when the numbers of elements differ.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.reshape([1.0, 2.0, 3.0, 4.0], (2, 2))
        Tensor([[1., 2.],
                [3., 4.]])
    """
    return _reshape(x, shape=_lengths(shape))


@answers(np.ravel)
def _ravel(a: Tensor) -> Tensor:
    return reshape(a, -1)


@operation(
    "{0}ᵀ",
    lambda g, out, x, axes: np.permute_dims(g, tuple(int(i) for i in np.argsort(axes))),
    symbol="transpose",
)
def _permute_dims(x: TensorLike, /, axes: tuple[int, ...]) -> Any:
    return np.permute_dims(np.asarray(x), axes)


@answers(np.transpose)
def permute_dims(x: TensorLike, /, axes: int | Sequence[int] | None = None) -> Tensor:
    """The axes in another order.

    Args:
        x: any shape.
        axes: for each axis of the result, which axis of `x` it is; None for all in reverse order.

    Raises:
        ValueError: when `axes` is no permutation of the axes of `x`.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.permute_dims([[1.0, 2.0], [3.0, 4.0]], (1, 0))
        Tensor([[1., 3.],
                [2., 4.]])
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    order = tuple(reversed(range(x.ndim))) if axes is None else _lengths(axes)
    # Negative axes made positive, so that the inverse is a plain sort; out-of-range ones stay, for NumPy to report.
    return _permute_dims(x, axes=tuple(a + x.ndim if -x.ndim <= a < 0 else a for a in order))


@answers(np.matrix_transpose)
def matrix_transpose(x: TensorLike, /) -> Tensor:
    """The last two axes exchanged.

    Args:
        x: two axes or more.

    Raises:
        ValueError: when there are fewer than two axes.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.matrix_transpose([[1.0, 2.0]])
        Tensor([[1.],
                [2.]])
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose needs two axes or more, got shape {x.shape}")
    return permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


@answers(np.moveaxis)
def moveaxis(x: TensorLike, source: int | Sequence[int], destination: int | Sequence[int], /) -> Tensor:
    """Some axes moved to other places; the others keep their order.

    Args:
        x: any shape.
        source: the axes to move.
        destination: where they go.

    Raises:
        AxisError: when an axis is out of range.
        ValueError: when an axis is repeated, or the numbers of sources and destinations differ.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.moveaxis(tg.Tensor([[[1.0, 2.0]]]), 2, 0).shape
        (2, 1, 1)
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    # The order of axes, read off what NumPy does to an array whose lengths name its axes.
    named = np.broadcast_to(np.int8(0), tuple(range(1, x.ndim + 1)))
    return permute_dims(x, [n - 1 for n in np.moveaxis(named, source, destination).shape])


@answers(np.swapaxes)
def _swapaxes(a: Tensor, axis1: int, axis2: int) -> Tensor:
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return permute_dims(a, order)


@answers(np.expand_dims)
def expand_dims(x: TensorLike, /, axis: int | tuple[int, ...] = 0) -> Tensor:
    """New axes of length 1.

    Args:
        x: any shape.
        axis: where they stand in the result.

    Raises:
        AxisError: when an axis is out of range.
        ValueError: when an axis is repeated.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.expand_dims([1.0, 2.0], axis=1)
        Tensor([[1.],
                [2.]])
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    if isinstance(axis, tuple):
        return _reshape(x, shape=np.expand_dims(x._array, axis).shape)
    at = normalize_axis_index(axis, x.ndim + 1)
    return _reshape(x, shape=(*x.shape[:at], 1, *x.shape[at:]))


@answers(np.squeeze)
def squeeze(x: TensorLike, /, axis: Axis = None) -> Tensor:
    """Without axes of length 1.

    Args:
        x: any shape.
        axis: the axes to drop; None for all of length 1.

    Raises:
        ValueError: when an axis to drop is longer than 1.
        AxisError: when an axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.squeeze([[1.0, 2.0]], axis=0)
        Tensor([1., 2.])
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    return _reshape(x, shape=np.squeeze(x._array, axis).shape)


@operation("{0}", lambda g, out, x, shape: g, symbol="broadcast")
def _broadcast_to(x: TensorLike, /, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(np.asarray(x), shape)


@answers(np.broadcast_to)
def broadcast_to(x: TensorLike, /, shape: int | Sequence[int]) -> Tensor:
    """Repeated along new axes and axes of length 1 until it has this shape.

    Args:
        x: any shape that broadcasts to `shape`.
        shape: the shape of the result.

    Raises:
        ValueError: when it does not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.broadcast_to([1.0, 2.0], (2, 2))
        Tensor([[1., 2.],
                [1., 2.]])
    """
    return _broadcast_to(x, shape=_lengths(shape))


def _lengths(shape: int | Sequence[int]) -> tuple[int, ...]:
    return tuple(operator.index(n) for n in (shape if isinstance(shape, Sequence) else (shape,)))


# --- joining --------------------------------------------------------------------------------------------------


def _concat_vjp_at(position: int) -> Any:
    def vjp(g: Any, out: Any, *xs: Any, axis: int) -> Any:
        start = sum(x.shape[axis] for x in xs[:position])
        at = (slice(None),) * (axis % out.ndim)
        part = (*at, slice(start, start + xs[position].shape[axis]))
        return g[part]

    return vjp


@operation("concat", vjp_at=_concat_vjp_at)
def _concat(*xs: TensorLike, axis: int) -> Any:
    return np.concat(xs, axis=axis)


@answers(np.concat)
def concat(arrays: Sequence[TensorLike], /, axis: int | None = 0) -> Tensor:
    """Joined along an axis that they have.

    Args:
        arrays: equal shapes but for the joined axis.
        axis: the axis to join along; None joins the flattened elements.

    Raises:
        ValueError: when the shapes do not fit, or there is nothing to join.
        AxisError: when the axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.concat([[1.0], [2.0, 3.0]])
        Tensor([1., 2., 3.])
    """
    if axis is None:
        return _concat(*(reshape(x, -1) for x in arrays), axis=0)
    return _concat(*(x if isinstance(x, Tensor) else Tensor(x) for x in arrays), axis=axis)


@answers(np.stack)
def stack(arrays: Sequence[TensorLike], /, axis: int = 0) -> Tensor:
    """Joined along a new axis.

    Args:
        arrays: equal shapes.
        axis: where the new axis stands in the result.

    Raises:
        ValueError: when the shapes differ, or there is nothing to join.
        AxisError: when the axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.stack([[1.0, 2.0], [3.0, 4.0]])
        Tensor([[1., 2.],
                [3., 4.]])
    """
    tensors = [x if isinstance(x, Tensor) else Tensor(x) for x in arrays]
    if len({x.shape for x in tensors}) > 1:
        raise ValueError(f"stack needs equal shapes, got {', '.join(str(x.shape) for x in tensors)}")
    return _concat(*(expand_dims(x, axis) for x in tensors), axis=axis)


# --- picking --------------------------------------------------------------------------------------------------


class _Array:
    """Stands in an index for an array, which is an operand of its own."""

    def __repr__(self) -> str:
        return "array"


ARRAY = _Array()


def _filled(index: tuple[Any, ...], arrays: Sequence[Any]) -> tuple[Any, ...]:
    """The index with its arrays in their places."""
    waiting = iter(arrays)
    return tuple(next(waiting) if part is ARRAY else part for part in index)


def _get_vjp_at(position: int) -> Any:
    return lambda g, out, x, *arrays, index: _put(g, *arrays, index=index, shape=x.shape)


@operation("{0}[…]", vjp_at=_get_vjp_at, symbol="[ ]")
def _getitem(x: TensorLike, /, *arrays: TensorLike, index: tuple[Any, ...]) -> Any:
    return np.asarray(x)[_filled(index, arrays)]


@operation("scatter({0})", vjp_at=lambda position: lambda g, out, x, *arrays, index, shape: g[_filled(index, arrays)])
def _scatter(x: Any, /, *arrays: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    # Zeros with `x` added at the index: where the index repeats, the elements add up.
    result = np.zeros(shape, x.dtype)
    if arrays:
        np.add.at(result, _filled(index, arrays), x)
    else:
        result[index] = x
    return result


_put = for_arrays_too(_scatter)


@answers(operator.getitem)
def getitem(x: Tensor, index: Any) -> Tensor:
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
    x = x if isinstance(x, Tensor) else Tensor(x)
    indices = _positions("take", indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    axis = normalize_axis_index(axis, x.ndim)
    return getitem(x, ((slice(None),) * axis) + (indices,))


def _positions(name: str, indices: TensorLike) -> Tensor:
    """Integers to pick by. Booleans are none: an index would take them for a mask."""
    indices = indices if isinstance(indices, Tensor) else Tensor(indices)
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
    x = x if isinstance(x, Tensor) else Tensor(x)
    indices = _positions("take_along_axis", indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    if x.ndim != indices.ndim:
        raise ValueError(f"take_along_axis needs indices with as many axes as {describe(x)}, got {describe(indices)}")
    axis = normalize_axis_index(axis, x.ndim)
    grid = np.ogrid[tuple(slice(n) for n in x.shape)]
    return getitem(x, tuple(indices if i == axis else places for i, places in enumerate(grid)))


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
    x = x if isinstance(x, Tensor) else Tensor(x)
    if x.ndim < 2:
        raise ValueError(f"{name} needs two axes or more, got {describe(x)}")
    return where(kept(*x.shape[-2:]), x, False if x.dtype.kind == "b" else 0)
