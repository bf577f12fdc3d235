"""Operations that move or repeat elements without changing them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..operation import Kind
from ..tensor import Axis, Tensor, TensorLike, as_tensor
from .axes import aligned, are_slices, beside, permuted, unit_moves
from .entry import answers, operation


@operation(None, lambda g, out, x, shape: g.reshape(x.shape), kind=Kind.MOVEMENT, linear=(0,), meets=unit_moves)
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
    kind=Kind.MOVEMENT,
    linear=(0,),
    meets=permuted,
    remedy=lambda x, axes: (
        f"axes= has each of the {np.ndim(x)} axes once, in their new order, as in NumPy; "
        "np.swapaxes(x, i, j) exchanges two"
    ),
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
    x = as_tensor(x)
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
    x = as_tensor(x)
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
    x = as_tensor(x)
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
    x = as_tensor(x)
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
    x = as_tensor(x)
    return _reshape(x, shape=np.squeeze(x._array, axis).shape)


@operation("{0}", lambda g, out, x, shape: g, symbol="broadcast", kind=Kind.MOVEMENT, linear=(0,), meets=aligned)
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


def _read_beside(ex: Any, *xs: Any, axis: int) -> Any:
    """Single slices side by side are a stack; longer parts have no name for the axis along which they are joined."""
    along = ex.axis_of_result(axis) if are_slices([x.shape for x in ex.inputs], axis) else None
    return None if along is None else ex.stack(xs, along)


@operation(
    "concat",
    vjp_at=_concat_vjp_at,
    kind=Kind.MOVEMENT,
    meets=beside,
    reads=_read_beside,
    reason={"en": "each part receives the gradient of its own place", "zh": "每一部分得到自己位置上的梯度"},
)
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
        return _joined([reshape(x, -1) for x in arrays], 0)
    return _joined([as_tensor(x) for x in arrays], axis)


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
    tensors = [as_tensor(x) for x in arrays]
    if len({x.shape for x in tensors}) > 1:
        raise ValueError(f"stack needs equal shapes, got {', '.join(str(x.shape) for x in tensors)}")
    return _joined([expand_dims(x, axis) for x in tensors], axis)


def _joined(parts: list[Tensor], axis: int) -> Tensor:
    """Many parts are joined in groups: going back, each part looks at the others of its group, not at all."""
    while len(parts) > _GROUP:
        parts = [_concat(*parts[i : i + _GROUP], axis=axis) for i in range(0, len(parts), _GROUP)]
    return _concat(*parts, axis=axis)


_GROUP = 64
