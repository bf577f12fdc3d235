"""NumPy's functions along one axis: sorted, running, neighbours."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..engine.operations import (
    broadcast_to,
    concat,
    cumulative_sum,
    equal,
    less,
    logical_and,
    not_equal,
    remainder,
    reshape,
    sum,
    take_along_axis,
    where,
)
from ..engine.operations.entry import answers
from ..engine.operations.sequences import argpartition, argsort, convolve
from ..engine.recording import composite
from ..engine.tensor import Axis, Tensor, TensorLike, as_tensor
from .joining import at


def _along(a: TensorLike, axis: int | None) -> tuple[Tensor, int]:
    """The Tensor and the axis: of all elements in one row where the axis is None."""
    return (reshape(a, -1), 0) if axis is None else (as_tensor(a), axis)


# --- sorted -------------------------------------------------------------------------------------------------------


@answers(np.sort)
@composite
def sort(a: TensorLike, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None) -> Tensor:
    """From the smallest to the largest, nan last; the gradient goes back to where the values were."""
    x, axis = _along(a, axis)
    return take_along_axis(x, argsort(x, axis, kind, stable=stable), axis=axis)


@answers(np.partition)
@composite
def partition(a: TensorLike, kth: Any, axis: int | None = -1) -> Tensor:
    """The elements at `kth` where sorting would put them, smaller ones before, larger ones after."""
    x, axis = _along(a, axis)
    return take_along_axis(x, argpartition(x, kth, axis), axis=axis)


# --- running ------------------------------------------------------------------------------------------------------


@answers(np.cumprod)
@composite
def cumprod(a: TensorLike, axis: int | None = None, dtype: npt.DTypeLike | None = None) -> Tensor:
    """The running product.

    Products of 1, 2, 4, … neighbours are multiplied, so the gradient needs no division: zeros are no special case.
    """
    x, axis = _along(a, axis)
    kept = np.cumprod(np.ones(0, x.dtype), dtype=dtype).dtype  # small integers are widened
    x = x if x.dtype == kept else x.astype(kept)
    step = 1
    while step < x.shape[axis]:
        x = concat(
            [at(x, axis, slice(step)), at(x, axis, slice(step, None)) * at(x, axis, slice(None, -step))], axis=axis
        )
        step *= 2
    return x


@answers(np.nancumprod)
@composite
def nancumprod(a: TensorLike, axis: int | None = None) -> Tensor:
    """The running product of what is not nan."""
    return cumprod(np.where(np.isnan(a), 1.0, a), axis)


@answers(np.cumulative_prod)
@composite
def cumulative_prod(
    x: TensorLike, /, *, axis: int | None = None, dtype: npt.DTypeLike | None = None, include_initial: bool = False
) -> Tensor:
    """The running product, as the array API has it."""
    x = np.atleast_1d(as_tensor(x))
    if axis is None and x.ndim > 1:
        raise ValueError(f"cumulative_prod needs an axis, as there are several: shape {x.shape}")
    result = cumprod(x, axis or 0, dtype)
    if not include_initial:
        return result
    first = list(result.shape)
    first[axis or 0] = 1
    return concat([np.ones(first, result.dtype), result], axis=axis or 0)


# --- neighbours ---------------------------------------------------------------------------------------------------


def _filled(part: TensorLike, like: Tensor, axis: int) -> Tensor:
    """What is put before or after an array: of one slice where it is a single number."""
    part = as_tensor(part)
    shape = list(like.shape)
    shape[axis] = 1
    return broadcast_to(part, shape) if part.ndim == 0 else part


@answers(np.diff)
@composite
def diff(
    a: TensorLike, n: int = 1, axis: int = -1, prepend: TensorLike | None = None, append: TensorLike | None = None
) -> Tensor:
    """Differences of neighbours, `n` times."""
    x = as_tensor(a)
    if n < 0 or x.ndim == 0:
        raise ValueError(f"diff needs an axis and an n from 0 on, got shape {x.shape} and n={n}")
    before = [] if prepend is None else [_filled(prepend, x, axis)]
    after = [] if append is None else [_filled(append, x, axis)]
    x = concat([*before, x, *after], axis=axis) if before or after else x
    for _ in range(n):
        later, earlier = at(x, axis, slice(1, None)), at(x, axis, slice(None, -1))
        x = not_equal(later, earlier) if x.dtype.kind == "b" else later - earlier
    return x


@answers(np.ediff1d)
@composite
def ediff1d(ary: TensorLike, to_end: TensorLike | None = None, to_begin: TensorLike | None = None) -> Tensor:
    """Differences of neighbours in the flattened array, with something before and after."""
    result = diff(reshape(ary, -1))
    before = [] if to_begin is None else [reshape(to_begin, -1).astype(result.dtype)]
    after = [] if to_end is None else [reshape(to_end, -1).astype(result.dtype)]
    return concat([*before, result, *after])


@answers(np.gradient)
def gradient(f: TensorLike, *varargs: Any, axis: Axis = None, edge_order: int = 1) -> Any:
    """Slopes by central differences, one-sided at the ends; of several axes one array each."""
    x = as_tensor(f)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    spacings = list(varargs) * len(axes) if len(varargs) == 1 else list(varargs) or [1.0] * len(axes)
    if len(spacings) != len(axes):
        raise TypeError(f"gradient needs one spacing, or one for each axis, got {len(spacings)} for {len(axes)} axes")
    slopes = tuple(_slope(x, h, a, edge_order) for h, a in zip(spacings, axes, strict=True))
    return slopes[0] if len(slopes) == 1 else slopes


@composite
def _slope(x: Tensor, spacing: Any, axis: int, edge_order: int) -> Tensor:
    """Along one axis: each slope is that of the parabola through three neighbours, at the ends of a line."""
    n, after = x.shape[axis], x.ndim - 1 - normalize_axis_index(axis, x.ndim)
    if edge_order not in (1, 2) or n < edge_order + 1:
        raise ValueError(f"gradient with edge_order={edge_order} needs 2 elements along the axis, or 3 for 2, got {n}")
    x = x if x.dtype.kind == "f" else x.astype(float)
    h = np.diff(spacing) if np.ndim(spacing) else np.full(n - 1, spacing)
    slopes = diff(x, axis=axis) / h.astype(x.dtype).reshape(-1, *(1,) * after)  # between neighbours
    first, last = at(slopes, axis, slice(1)), at(slopes, axis, slice(-1, None))
    if n == 2:
        return concat([first, last], axis=axis)
    share = (h[:-1] / (h[:-1] + h[1:])).astype(x.dtype).reshape(-1, *(1,) * after)
    left, right = at(slopes, axis, slice(-1)), at(slopes, axis, slice(1, None))
    inner = left + (right - left) * share
    if edge_order == 2:  # the parabola at the end: as much further as the middle slope is from the one between
        first = first * 2 - at(inner, axis, slice(1))
        last = last * 2 - at(inner, axis, slice(-1, None))
    return concat([first, inner, last], axis=axis)


@answers(np.trapezoid)
@composite
def trapezoid(y: TensorLike, x: TensorLike | None = None, dx: TensorLike = 1.0, axis: int = -1) -> Tensor:
    """The area under straight lines between points."""
    y = as_tensor(y)
    width: Any = dx
    if x is not None:
        x = as_tensor(x)
        width = diff(x, axis=axis if x.ndim == y.ndim else -1)
        if width.ndim == 1 and y.ndim > 1:
            width = reshape(width, (-1, *(1,) * (y.ndim - 1 - normalize_axis_index(axis, y.ndim))))
    pairs = at(y, axis, slice(1, None)) + at(y, axis, slice(None, -1))
    return sum(width * pairs * 0.5, axis=axis)


@answers(np.correlate)
@composite
def correlate(a: TensorLike, v: TensorLike, mode: str = "valid") -> Tensor:
    """The sums of the products of `a` with `v` moved along it."""
    a, v = as_tensor(a), as_tensor(v)
    if mode == "same" and v.size > a.size:  # NumPy turns both round: the middle of an even number is another one then
        return convolve(a[::-1], v, mode)[::-1]
    return convolve(a, v[::-1], mode)


@answers(np.unwrap)
@composite
def unwrap(p: TensorLike, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Tensor:
    """Angles without jumps: where neighbours are further apart than half a period, whole periods are added."""
    x = as_tensor(p)
    steps, half = diff(x, axis=axis), period / 2
    within = remainder(steps + half, period) - half
    within = where(logical_and(equal(within, -half), less(0, steps)), half, within)
    added = where(less(abs(steps), half if discont is None else max(discont, half)), 0, within - steps)
    first, later = at(x, axis, slice(1)), at(x, axis, slice(1, None))
    return concat([first, later + cumulative_sum(added, axis=axis)], axis=axis)
