"""Operations that pick elements by position."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..operation import Kind
from ..tensor import Tensor, TensorLike, as_tensor, describe
from .axes import picked
from .choosing import where
from .entry import answers, for_arrays_too, operation
from .shapes import reshape


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


def _index_pairs(out: Any, x: Any, /, *arrays: Any, index: tuple[Any, ...]) -> list[Any]:
    known = picked(x, index)
    return [known[0] if known is not None else [], *([] for _ in arrays)]


def _read_index(ex: Any, x: Any, *arrays: Any, index: tuple[Any, ...]) -> Any:
    """Single places along axes; the algebra does not know of other indices."""
    known = picked(ex.inputs[0].shape, index)
    for own, place in known[1] if known is not None else []:
        axis = ex.axis(0, own)
        x = x if axis is None else ex.at(x, axis, place)
    return x if known is not None else None


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
    return np.asarray(x)[_filled(index, arrays)]


@operation(
    "scatter({0})",
    vjp_at=lambda position: lambda g, out, x, *arrays, index, shape: g[_filled(index, arrays)],
    kind=Kind.CHOICE,
)
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
