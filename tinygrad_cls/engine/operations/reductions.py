"""Operations that fold an axis: sums, means, extremes, and what is composed from them.

`axis` is None (all axes), an int or a tuple of ints, negative ones counted from the end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..operation import Kind
from ..recording import composite
from ..tensor import Axis, Tensor, TensorLike, as_tensor
from .axes import aligned, folded
from .choosing import where
from .elementwise import sqrt, square
from .entry import answers, for_arrays_too, operation
from .selecting import selected
from .shapes import concat


def _spread(reduced: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """A reduced array with its folded axes back at length 1, so that it broadcasts against `x`."""
    if keepdims or axis is None or x.ndim == 0:
        return reduced
    lengths = list(x.shape)
    for i in axis if isinstance(axis, tuple) else (axis,):
        lengths[i] = 1
    return reduced.reshape(tuple(lengths))


def _repeated(g: Any, shape: tuple[int, ...]) -> Any:
    """`np.broadcast_to`. Making its view takes NumPy longer than it takes to fill a small array."""
    if isinstance(g, Tensor) or math.prod(shape) > 10_000:
        return np.broadcast_to(g, shape)
    full = np.empty(shape, g.dtype)
    full[...] = g
    return full


def _sum_vjp(g: Any, out: Any, x: Any, axis: Axis, dtype: Any, keepdims: bool) -> Any:
    return _repeated(_spread(g, x, axis, keepdims), x.shape)


def _mean_vjp(g: Any, out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    return _shared_out(_spread(g, x, axis, keepdims), shape=x.shape, axis=axis)


def _extreme_vjp(g: Any, out: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    chosen = np.equal(x, _spread(out, x, axis, keepdims))
    ties = np.sum(chosen, axis=axis, keepdims=True, dtype=x.dtype)
    return selected(chosen, _spread(g, x, axis, keepdims)) / ties


def _read_shares(ex: Any, x: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    return ex.divided(x, ex.product(*(ex.size(a) for i in folded(axis, len(shape)) if (a := ex.axis_of_result(i)))))


@operation(
    "{0} / N",
    lambda g, out, x, shape, axis: np.mean(g, axis=axis, keepdims=True),
    symbol="÷N",
    kind=Kind.OTHER,
    meets=aligned,
    reads=_read_shares,
)
def _spread_mean(x: Any, /, shape: tuple[int, ...], axis: Axis) -> Any:
    # The transpose of `mean`: each element that was averaged gets an equal share of `x`.
    count = math.prod(shape) // (x.size or 1)
    return _repeated(x * (1 / count if count else 1.0), shape)


_shared_out = for_arrays_too(_spread_mean)


@operation(
    "Σ {0}",
    _sum_vjp,
    symbol="Σ",
    numpy=(np.sum,),
    kind=Kind.REDUCTION,
    spelling="add.reduce",
    linear=(0,),
    reads=lambda ex, x, axis, dtype, keepdims: ex.total(ex.folded(axis), x) if ex.node.dtype.kind == "f" else None,
    reason={
        "en": "every term of a sum counts once, so each receives the whole gradient",
        "zh": "求和中每一项各计一次，所以每一项都得到整个梯度",
    },
)
def sum(x: TensorLike, /, axis: Axis = None, *, dtype: npt.DTypeLike | None = None, keepdims: bool = False) -> Any:
    """The sum over one, several or all axes; 0 where there is nothing to add.

    Args:
        x: any shape.
        axis: the axes to fold; None for all.
        dtype: the dtype to add up in; by default NumPy's choice (small integers are widened).
        keepdims: keep the folded axes at length 1.

    Raises:
        AxisError: when an axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
        Tensor([4., 6.])
    """
    return np.add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)  # type: ignore[call-overload, misc]  # = np.sum


def _read_mean(ex: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    axes = ex.folded(axis)
    return ex.divided(ex.total(axes, x), ex.product(*map(ex.size, axes)))


@operation(
    None,
    _mean_vjp,
    numpy=(np.mean,),
    kind=Kind.REDUCTION,
    reads=_read_mean,
    reason={"en": "each of the terms of a mean counts one part in their number", "zh": "平均值中每一项各占项数分之一"},
)
def mean(x: TensorLike, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The mean over one, several or all axes; integers give floats.

    Args:
        x: any shape; nan, with NumPy's warning, where there is nothing to average.
        axis: the axes to fold; None for all.
        keepdims: keep the folded axes at length 1.

    Raises:
        AxisError: when an axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.mean([[1.0, 2.0], [3.0, 4.0]], axis=-1)
        Tensor([1.5, 3.5])
    """
    x = np.asarray(x)
    if x.dtype.kind != "f" or x.dtype.itemsize < 4 or x.size == 0:
        return np.mean(x, axis=axis, keepdims=keepdims)  # which adds up in a wider dtype, and warns of nothing to add
    total = np.add.reduce(x, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]
    return total / (x.size // total.size)


@operation(
    None,
    _extreme_vjp,
    numpy=(np.max,),
    kind=Kind.REDUCTION,
    letter="m",
    spelling="maximum.reduce",
    reads=lambda ex, x, axis, keepdims: ex.reduce("max", x.axes.intersection(ex.folded(axis)), x),
    reason={
        "en": "only the largest decides, so it receives the gradient",
        "zh": "只有最大的值起作用，所以梯度只传给它",
    },
)
def max(x: TensorLike, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The largest element over one, several or all axes. Equal ones share the gradient.

    Args:
        x: any shape with an element to choose.
        axis: the axes to fold; None for all.
        keepdims: keep the folded axes at length 1.

    Raises:
        AxisError: when an axis is out of range.
        ValueError: when there is nothing to choose from.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.max([[1.0, 2.0], [3.0, 4.0]], axis=0)
        Tensor([3., 4.])
    """
    return _extreme(np.maximum, x, axis, keepdims)


@operation(
    None,
    _extreme_vjp,
    numpy=(np.min,),
    kind=Kind.REDUCTION,
    letter="m",
    spelling="minimum.reduce",
    reads=lambda ex, x, axis, keepdims: ex.reduce("min", x.axes.intersection(ex.folded(axis)), x),
    reason={
        "en": "only the smallest decides, so it receives the gradient",
        "zh": "只有最小的值起作用，所以梯度只传给它",
    },
)
def min(x: TensorLike, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The smallest element over one, several or all axes. Equal ones share the gradient.

    Args:
        x: any shape with an element to choose.
        axis: the axes to fold; None for all.
        keepdims: keep the folded axes at length 1.

    Raises:
        AxisError: when an axis is out of range.
        ValueError: when there is nothing to choose from.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.min([[1.0, 2.0], [3.0, 4.0]], axis=0)
        Tensor([1., 2.])
    """
    return _extreme(np.minimum, x, axis, keepdims)


def _extreme(larger_or_smaller: np.ufunc, x: Any, axis: Axis, keepdims: bool) -> Any:
    """What np.max and np.min call, after turning a table with short rows.

    NumPy compares along the memory, in one call for each row. Turned round, it compares whole columns at a time.
    """
    x = np.asarray(x)
    if x.ndim == 2 and axis in (1, -1) and x.shape[1] <= 64:
        extreme = larger_or_smaller.reduce(x.T.copy(), axis=0)
        return extreme[:, None] if keepdims else extreme
    return larger_or_smaller.reduce(x, axis=axis, keepdims=keepdims)


@operation(None, None, numpy=(np.argmax,), kind=Kind.REDUCTION)
def argmax(x: TensorLike, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """The position of the first largest element, as integers: no gradient.

    Args:
        x: any shape with an element to choose.
        axis: the axis to search; None for the flattened array.
        keepdims: keep the searched axis at length 1.

    Raises:
        AxisError, ValueError: as for `max`.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.argmax([[1.0, 2.0], [4.0, 3.0]], axis=1)
        Tensor([1, 0])
    """
    return np.argmax(x, axis=axis, keepdims=keepdims)


@operation(None, None, numpy=(np.argmin,), kind=Kind.REDUCTION)
def argmin(x: TensorLike, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """The position of the first smallest element, as integers: no gradient.

    Args:
        x: any shape with an element to choose.
        axis: the axis to search; None for the flattened array.
        keepdims: keep the searched axis at length 1.

    Raises:
        AxisError, ValueError: as for `min`.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.argmin([[1.0, 2.0], [4.0, 3.0]], axis=1)
        Tensor([0, 1])
    """
    return np.argmin(x, axis=axis, keepdims=keepdims)


def _cumulative_sum_vjp(g: Any, out: Any, x: Any, axis: int | None, dtype: Any, include_initial: bool) -> Any:
    # Element i is in every sum from i on: add the gradients up from the end.
    at = (slice(None),) * ((axis or 0) % (x.ndim or 1))
    if include_initial:
        sums = (*at, slice(1, None))
        g = g[sums]
    backwards = (*at, slice(None, None, -1))
    return np.cumulative_sum(g[backwards], axis=axis)[backwards]


@operation(
    "cumsum({0})",
    _cumulative_sum_vjp,
    symbol="cumsum",
    numpy=(np.cumulative_sum,),
    kind=Kind.OTHER,
    reason={
        "en": "a term is in every running sum after it, so it receives all their gradients",
        "zh": "一项出现在它之后的每个累计和中，所以得到它们梯度之和",
    },
)
def cumulative_sum(
    x: TensorLike,
    /,
    *,
    axis: int | None = None,
    dtype: npt.DTypeLike | None = None,
    include_initial: bool = False,
) -> Any:
    """The running sum along an axis.

    Args:
        x: any shape; a single number counts as an axis of length 1.
        axis: the axis to run along; may be left out when there is only one.
        dtype: the dtype to add up in; by default NumPy's choice.
        include_initial: start with a 0, which makes the axis one longer.

    Raises:
        ValueError: when `axis` is left out and there are several.
        AxisError: when the axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.cumulative_sum([1.0, 2.0, 3.0])
        Tensor([1., 3., 6.])
    """
    return np.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


@answers(np.cumsum)
def _cumsum(a: TensorLike, axis: int | None = None, dtype: npt.DTypeLike | None = None) -> Tensor:
    x = as_tensor(a)
    return cumulative_sum(x.reshape(-1) if axis is None else x, axis=axis, dtype=dtype)


@answers(np.prod)
@composite
def prod(x: TensorLike, /, axis: Axis = None, *, dtype: npt.DTypeLike | None = None, keepdims: bool = False) -> Tensor:
    """The product over one, several or all axes; 1 where there is nothing to multiply.

    Halves are multiplied pairwise, so the gradient needs no division: zeros among the factors are no special case,
    to any order of derivative.

    Args:
        x: any shape.
        axis: the axes to fold; None for all.
        dtype: the dtype to multiply in; by default NumPy's choice (small integers are widened).
        keepdims: keep the folded axes at length 1.

    Raises:
        AxisError: when an axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.grad(tg.prod)(tg.Tensor([2.0, 0.0, 5.0]))
        Tensor([ 0., 10.,  0.])
    """
    x = as_tensor(x)
    # NumPy checks the axis, and knows the shape and dtype of the result.
    like = np.prod(np.ones(x.shape, x.dtype), axis=axis, dtype=dtype, keepdims=keepdims)
    x = x if x.dtype == like.dtype else x.astype(like.dtype)
    if x.ndim == 0:
        return x.reshape(like.shape)
    if x.size == 0:
        return sum(x, axis=axis, keepdims=keepdims) + 1
    gone = folded(axis, x.ndim)
    kept = [a for a in range(x.ndim) if a not in gone]
    x = x.transpose((*gone, *kept)).reshape((-1, *(x.shape[a] for a in kept)))
    while (n := x.shape[0]) > 1:
        half = n // 2
        odd = x[2 * half :]
        x = x[:half] * x[half : 2 * half]
        x = x if odd.size == 0 else concat((x, odd))
    return x.reshape(like.shape)


@answers(np.var)
@composite
def var(
    x: TensorLike, /, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, ddof: float = 0
) -> Tensor:
    """The variance over one, several or all axes: the mean of the squared distances from the mean.

    Args:
        x: any shape; integers give floats.
        axis: the axes to fold; None for all.
        correction: subtracted from the number of elements; 1 for the unbiased estimate.
        keepdims: keep the folded axes at length 1.
        ddof: NumPy's older name of `correction`.

    Raises:
        AxisError: when an axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.var([1.0, 2.0, 3.0, 4.0])
        Tensor(1.25)
    """
    x = as_tensor(x)
    squares = square(x - mean(x, axis=axis, keepdims=True))
    correction = correction or ddof
    if correction == 0:
        return mean(squares, axis=axis, keepdims=keepdims)
    total = sum(squares, axis=axis, keepdims=keepdims)
    count = x.size // total.size if total.size else 0
    return total / float(np.maximum(count - correction, 0))  # dividing by 0, with the warning, where NumPy does


@answers(np.std)
@composite
def std(
    x: TensorLike, /, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, ddof: float = 0
) -> Tensor:
    """The standard deviation: the square root of `var`. Where all elements are equal its slope is taken as 0.

    Args:
        x: any shape; integers give floats.
        axis: the axes to fold; None for all.
        correction: subtracted from the number of elements; 1 for the usual estimate from a sample.
        keepdims: keep the folded axes at length 1.
        ddof: NumPy's older name of `correction`.

    Raises:
        AxisError: when an axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.std([1.0, 1.0, 3.0, 3.0])
        Tensor(1.)
    """
    variance = var(x, axis=axis, correction=correction or ddof, keepdims=keepdims)
    constant = variance == 0  # √ has an infinite slope there: take it of 1 instead, and put 0 in its place
    return where(constant, 0, sqrt(where(constant, 1, variance)))
