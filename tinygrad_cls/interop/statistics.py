"""NumPy's functions that fold axes: extremes, averages, quantiles, and those that leave nan out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.operations import (
    broadcast_to,
    concat,
    cumulative_sum,
    isnan,
    logical_not,
    matmul,
    matrix_transpose,
    max,
    mean,
    min,
    prod,
    reshape,
    sqrt,
    square,
    squeeze,
    stack,
    sum,
    take,
    take_along_axis,
    where,
)
from ..engine.operations.axes import folded
from ..engine.operations.entry import answers
from ..engine.recording import composite
from ..engine.tensor import Axis, Tensor, TensorLike, as_tensor
from .joining import atleast_2d
from .sequences import sort

answers(np.amax)(max)
answers(np.amin)(min)


@answers(np.ptp)
@composite
def ptp(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """From the smallest to the largest."""
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


@answers(np.average)
@composite
def average(
    a: TensorLike,
    axis: Axis = None,
    weights: TensorLike | None = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """The mean, each element counted as often as its weight says."""
    x = as_tensor(a)
    if weights is None:
        result = mean(x, axis=axis, keepdims=keepdims)
        total = as_tensor(np.full(result.shape, x.size / result.size if result.size else 0.0, result.dtype))
    else:
        w = _weights(as_tensor(weights), x, axis)
        total = sum(broadcast_to(w, x.shape), axis=axis, keepdims=keepdims)
        if np.any(np.equal(total._array, 0)):
            raise ZeroDivisionError("average: the weights sum to zero, so they cannot be normalised")
        result = sum(x * w, axis=axis, keepdims=keepdims) / total
    return (result, total) if returned else result


def _weights(w: Tensor, x: Tensor, axis: Axis) -> Tensor:
    """Weights of the whole shape, or for the axis that is folded."""
    if w.shape == x.shape:
        return w
    if not isinstance(axis, (int, np.integer)) or w.shape != (x.shape[axis],):
        raise ValueError(
            f"average needs weights of the shape {x.shape}, or one for each place along one axis, got {w.shape}"
        )
    return reshape(w, (-1, *(1,) * (x.ndim - 1 - axis % x.ndim)))


# --- quantiles ----------------------------------------------------------------------------------------------------


def _folded_first(a: TensorLike, axis: Axis) -> tuple[Tensor, tuple[int, ...]]:
    """The elements of the folded axes along a first axis, and the shape of a result that keeps those."""
    x = as_tensor(a)
    gone = folded(axis, x.ndim)
    kept = [i for i in range(x.ndim) if i not in gone]
    lengths = [x.shape[i] for i in kept]
    count = math.prod(x.shape[i] for i in gone)
    rows = reshape(np.transpose(x, (*gone, *kept)), (count, *lengths))
    return rows, tuple(1 if i in gone else n for i, n in enumerate(x.shape))


def _unless_nan(result: Tensor, ordered: Tensor) -> Tensor:
    """nan where one of the elements is, which is the last then."""
    return where(isnan(ordered[-1]), ordered[-1], result)


@answers(np.median)
@composite
def median(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The middle element, or the mean of the two in the middle."""
    rows, kept = _folded_first(a, axis)
    ordered, n = sort(rows, axis=0), rows.shape[0]
    result = mean(ordered[(n - 1) // 2 : n // 2 + 1] if n else ordered, axis=0)
    result = _unless_nan(result, ordered) if n else result
    return reshape(result, kept) if keepdims else result


_BETWEEN: dict[str, Any] = {
    "linear": lambda place: place,
    "lower": np.floor,
    "higher": np.ceil,
    "nearest": np.rint,
    "midpoint": lambda place: (np.floor(place) + np.ceil(place)) / 2,
}


@answers(np.quantile)
@composite
def quantile(a: TensorLike, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """What a share `q` of the elements lies below; between two elements by `method`. `q` is a constant."""
    weak, q = isinstance(q, (int, float)), np.asarray(q, float)
    if method not in _BETWEEN:
        raise ValueError(f"quantile on a Tensor knows the methods {', '.join(_BETWEEN)}, not {method!r}")
    if not ((q >= 0) & (q <= 1)).all():
        raise ValueError("quantiles must be in the range [0, 1]")
    rows, kept = _folded_first(a, axis)
    ordered, n = sort(rows, axis=0), rows.shape[0]
    if n == 0:
        raise ValueError("quantile needs an element at least")
    place = _BETWEEN[method](q * (n - 1))
    below = np.floor(place).astype(int)
    result = take(ordered, below, axis=0)
    if method in ("linear", "midpoint"):
        part = (place - below).reshape(q.shape + (1,) * (ordered.ndim - 1))
        part = part.astype(ordered.dtype) if weak and ordered.dtype.kind == "f" else part
        result = result + (take(ordered, np.ceil(place).astype(int), axis=0) - result) * part
    result = _unless_nan(result, ordered)
    return reshape(result, q.shape + kept) if keepdims else result


@answers(np.percentile)
def percentile(a: TensorLike, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """`quantile` with `q` in percent."""
    q = q / 100 if isinstance(q, (int, float)) else np.true_divide(q, 100)
    if not np.all((q >= 0) & (q <= 1)):
        raise ValueError("percentiles must be in the range [0, 100]")
    return quantile(a, q, axis, method=method, keepdims=keepdims)


# --- those that leave nan out -------------------------------------------------------------------------------------


def _or(x: TensorLike, instead: float) -> Tensor:
    """`x` with a number in the place of nan."""
    x = as_tensor(x)
    return where(isnan(x), instead, x) if x.dtype.kind == "f" else x


@answers(np.nansum)
@composite
def nansum(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The sum of what is not nan."""
    return sum(_or(a, 0), axis=axis, keepdims=keepdims)


@answers(np.nanprod)
@composite
def nanprod(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The product of what is not nan."""
    return prod(_or(a, 1), axis=axis, keepdims=keepdims)


@answers(np.nancumsum)
@composite
def nancumsum(a: TensorLike, axis: int | None = None) -> Tensor:
    """The running sum of what is not nan."""
    x = _or(a, 0)
    return cumulative_sum(reshape(x, -1) if axis is None else x, axis=axis)


def _count(x: TensorLike, axis: Axis, keepdims: bool) -> Tensor:
    """How many elements are not nan."""
    return sum(logical_not(isnan(x)), axis=axis, keepdims=keepdims)


@answers(np.nanmean)
@composite
def nanmean(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The mean of what is not nan; nan, with NumPy's warning for 0 / 0, where nothing is left."""
    x = as_tensor(a)
    total = sum(_or(x, 0), axis=axis, keepdims=keepdims)
    count = _count(x, axis, keepdims)
    return total / (count.astype(x.dtype) if x.dtype.kind == "f" else count)


def _of_the_rest(a: TensorLike, q: float, axis: Axis, keepdims: bool) -> Tensor:
    """Quantiles of what is not nan. Sorting puts nan last; the places follow from the number of the others."""
    rows, kept = _folded_first(a, axis)
    rows = rows if rows.dtype.kind == "f" else rows.astype(float)
    ordered = take_along_axis(_or(rows, 0), np.argsort(rows, axis=0), axis=0)
    count = _count(rows, 0, True)
    place = (np.maximum(count, 1) - 1).astype(rows.dtype) * q
    lower = np.floor(place)
    low, high = (take_along_axis(ordered, i.astype(int), axis=0) for i in (lower, np.ceil(place)))
    result = where(count == 0, math.nan, low + (high - low) * (place - lower))
    return reshape(result, kept) if keepdims else squeeze(result, 0)


@answers(np.nanmedian)
@composite
def nanmedian(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The median of what is not nan; nan where nothing is left."""
    return _of_the_rest(a, 0.5, axis, keepdims)


@answers(np.nanquantile)
@composite
def nanquantile(a: TensorLike, q: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Quantiles of what is not nan; nan where nothing is left. `q` is a constant."""
    if not np.all((np.asarray(q) >= 0) & (np.asarray(q) <= 1)):
        raise ValueError("quantiles must be in the range [0, 1]")
    if np.ndim(q) == 0:
        return _of_the_rest(a, float(q), axis, keepdims)
    return stack([nanquantile(a, share, axis, keepdims=keepdims) for share in q])


@answers(np.nanpercentile)
def nanpercentile(a: TensorLike, q: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """`nanquantile` with `q` in percent."""
    return nanquantile(a, q / 100 if isinstance(q, (int, float)) else np.true_divide(q, 100), axis, keepdims=keepdims)


@answers(np.nanvar)
@composite
def nanvar(a: TensorLike, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """The variance of what is not nan."""
    x = as_tensor(a)
    x = x if x.dtype.kind == "f" else x.astype(float)
    squares = square(_or(x - nanmean(x, axis, keepdims=True), 0))
    count = _count(x, axis, keepdims).astype(x.dtype) - ddof
    return sum(squares, axis=axis, keepdims=keepdims) / where(count > 0, count, math.nan)


@answers(np.nanstd)
@composite
def nanstd(a: TensorLike, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation of what is not nan; its slope is taken as 0 where all are equal."""
    variance = nanvar(a, axis, ddof=ddof, keepdims=keepdims)
    constant = variance == 0
    return where(constant, 0, sqrt(where(constant, 1, variance)))


def _nan_extreme(extreme: Any, a: TensorLike, worst: float, axis: Axis, keepdims: bool) -> Tensor:
    x = as_tensor(a)
    result: Tensor = extreme(_or(x, worst), axis=axis, keepdims=keepdims)
    if x.dtype.kind != "f":
        return result
    return where(_count(x, axis, keepdims) == 0, math.nan, result)


@answers(np.nanmax)
@composite
def nanmax(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The largest of what is not nan; nan where nothing is left."""
    return _nan_extreme(max, a, -math.inf, axis, keepdims)


@answers(np.nanmin)
@composite
def nanmin(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The smallest of what is not nan; nan where nothing is left."""
    return _nan_extreme(min, a, math.inf, axis, keepdims)


# --- covariances --------------------------------------------------------------------------------------------------


@answers(np.cov)
@composite
def cov(
    m: TensorLike, y: TensorLike | None = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None
) -> Tensor:
    """The covariances of the rows, or of the columns."""
    parts = [atleast_2d(part) for part in (m, y) if part is not None]
    if any(part.ndim > 2 for part in parts):
        raise ValueError("cov needs two axes at most")
    if not rowvar:
        parts = [matrix_transpose(part) if part.shape[0] != 1 else part for part in parts]
    x = concat(parts, axis=0)
    x = x.astype(np.promote_types(x.dtype, float))
    x = x - mean(x, axis=1, keepdims=True)
    left_out = int(not bias) if ddof is None else ddof
    return squeeze(matmul(x, matrix_transpose(x)) / float(np.maximum(x.shape[1] - left_out, 0)))


@answers(np.corrcoef)
@composite
def corrcoef(x: TensorLike, y: TensorLike | None = None, rowvar: bool = True) -> Tensor:
    """The correlations of the rows, or of the columns."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    deviations = sqrt(np.diagonal(c))
    return c / deviations[:, None] / deviations[None, :]
