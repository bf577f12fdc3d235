"""NumPy's functions of each element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..engine.operations import (
    astype,
    clip,
    divide,
    equal,
    exp,
    floor_divide,
    identity,
    isnan,
    less,
    log,
    logaddexp,
    logical_and,
    logical_not,
    maximum,
    minimum,
    moveaxis,
    multiply,
    not_equal,
    power,
    remainder,
    rint,
    signbit,
    sin,
    subtract,
    sum,
    take,
    where,
)
from ..engine.operations.entry import answers
from ..engine.recording import composite
from ..engine.tensor import Axis, Tensor, TensorLike, as_tensor


def _weak(x: TensorLike) -> Any:
    """Python's numbers, which take the dtype of what they meet, as they are; all else as a Tensor."""
    return x if isinstance(x, (bool, int, float)) else as_tensor(x)


answers(np.positive, np.conjugate, np.real)(identity)


@answers(np.copy)
def copy(a: TensorLike, order: str = "K", subok: bool = False) -> Tensor:
    """`a`: Tensors do not change, so that nothing need be copied but the place in the graph."""
    return identity(a)


@answers(np.astype)
def cast(x: TensorLike, dtype: npt.DTypeLike, /, *, copy: bool = True) -> Tensor:
    """`x` in another dtype."""
    return astype(x, dtype=np.dtype(dtype))


@answers(np.fabs)
@composite
def fabs(x: TensorLike) -> Tensor:
    """The absolute value, as a float."""
    x = as_tensor(x)
    return abs(x.astype(float) if x.dtype.kind != "f" else x)


@answers(np.float_power)
@composite
def float_power(x: TensorLike, y: TensorLike) -> Tensor:
    """`x` to the power `y`, in double precision at least."""
    x = as_tensor(x)
    return power(x.astype(np.promote_types(x.dtype, float)), y)


@answers(np.logaddexp2)
@composite
def logaddexp2(x: TensorLike, y: TensorLike) -> Tensor:
    """`log2(2**x + 2**y)` without overflow."""
    return logaddexp(_weak(x) * math.log(2), _weak(y) * math.log(2)) * (1 / math.log(2))


@answers(np.deg2rad, np.radians)
@composite
def deg2rad(x: TensorLike) -> Tensor:
    """Degrees as radians."""
    return multiply(x, math.pi / 180)


@answers(np.rad2deg, np.degrees)
@composite
def rad2deg(x: TensorLike) -> Tensor:
    """Radians as degrees."""
    return multiply(x, 180 / math.pi)


_SINC = [(-1) ** k / math.factorial(2 * k + 1) for k in range(13)]
"""The series of sin z / z in z²."""


@answers(np.sinc)
@composite
def sinc(x: TensorLike) -> Tensor:
    """`sin(πx) / (πx)`, and 1 at 0: near 0 by its series, so that every derivative is right there too."""
    z = multiply(x, math.pi)
    near = less(abs(z), 1.0)
    square = where(near, z * z, 0)
    series: Any = _SINC[-1]
    for coefficient in reversed(_SINC[:-1]):
        series = series * square + coefficient
    far = where(near, 1, z)
    return where(near, series, sin(far) / far)


def _of_the_other_where_nan(x: TensorLike, y: TensorLike) -> tuple[Tensor, Tensor]:
    return where(isnan(x), y, x), where(isnan(y), x, y)


@answers(np.fmax)
@composite
def fmax(x: TensorLike, y: TensorLike) -> Tensor:
    """The larger of two; the other where one is nan."""
    return maximum(*_of_the_other_where_nan(x, y))


@answers(np.fmin)
@composite
def fmin(x: TensorLike, y: TensorLike) -> Tensor:
    """The smaller of two; the other where one is nan."""
    return minimum(*_of_the_other_where_nan(x, y))


@answers(np.fmod)
@composite
def fmod(x: TensorLike, y: TensorLike) -> Tensor:
    """The remainder with the sign of `x`."""
    rest = remainder(abs(_weak(x)), abs(_weak(y)))
    return where(less(x, 0), -rest, rest)


@answers(np.divmod)
def divide_with_remainder(x: TensorLike, y: TensorLike) -> tuple[Tensor, Tensor]:
    """`x // y` and `x % y`."""
    return floor_divide(x, y), remainder(x, y)


@answers(np.copysign)
@composite
def copysign(x: TensorLike, y: TensorLike) -> Tensor:
    """`x` with the sign of `y`."""
    size = fabs(x)
    return where(signbit(y), -size, size)


@answers(np.heaviside)
@composite
def heaviside(x: TensorLike, y: TensorLike) -> Tensor:
    """0 for negative `x`, 1 for positive, `y` at 0."""
    x = as_tensor(x)
    step = where(less(x, 0), 0.0, where(less(0, x), 1.0, x))  # nan stays nan
    return where(equal(x, 0), y, step)


@answers(np.round, np.around)
@composite
def round(a: TensorLike, decimals: int = 0) -> Tensor:
    """Rounded to decimals. A step: its result requires no gradient."""
    a = as_tensor(a)
    if decimals == 0 or a.dtype.kind != "f":
        return a if a.dtype.kind != "f" and decimals >= 0 else rint(a)
    if decimals > 0:
        return divide(rint(a * 10.0**decimals), 10.0**decimals)
    return multiply(rint(a / 10.0**-decimals), 10.0**-decimals)


@answers(np.nan_to_num)
@composite
def nan_to_num(
    x: TensorLike,
    copy: bool = True,
    nan: TensorLike = 0.0,
    posinf: TensorLike | None = None,
    neginf: TensorLike | None = None,
) -> Tensor:
    """`x` with numbers in the place of nan and infinities: by default 0, and the largest and smallest of the dtype."""
    x = as_tensor(x)
    if x.dtype.kind != "f":
        return identity(x)
    limits = np.finfo(x.dtype)
    result = where(isnan(x), nan, x)
    result = where(equal(x, math.inf), float(limits.max) if posinf is None else posinf, result)
    return where(equal(x, -math.inf), float(limits.min) if neginf is None else neginf, result)


@answers(np.select)
@composite
def select(condlist: Sequence[TensorLike], choicelist: Sequence[TensorLike], default: TensorLike = 0) -> Tensor:
    """Of several choices, element by element, the first whose condition is true."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(f"select needs a choice for each condition, got {len(condlist)} and {len(choicelist)}")
    result: Any = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        if (condition := as_tensor(condition)).dtype.kind != "b":
            raise TypeError(f"select needs conditions that are booleans, got {condition.dtype}")
        result = where(condition, choice, result)
    return result  # type: ignore[no-any-return]


@answers(np.interp)
@composite
def interp(
    x: TensorLike, xp: TensorLike, fp: TensorLike, left: TensorLike | None = None, right: TensorLike | None = None
) -> Tensor:
    """On straight lines between the points (`xp`, `fp`), where `xp` increases; level beyond them."""
    x, xp, fp = (as_tensor(t).astype(float) for t in (x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or xp.size == 0:
        raise ValueError(f"interp needs points with one axis of equal length, got shapes {xp.shape} and {fp.shape}")
    i = np.clip(np.searchsorted(xp, x, side="right"), 1, max(xp.size - 1, 1))
    at = (np.minimum(i - 1, xp.size - 1), np.minimum(i, xp.size - 1))
    (x0, x1), (y0, y1) = ([take(points, j) for j in at] for points in (xp, fp))
    width = x1 - x0
    part = clip((x - x0) / where(equal(width, 0), 1, width), 0, 1)
    result = y0 + part * (y1 - y0)
    result = result if left is None else where(less(x, xp[0]), left, result)
    return result if right is None else where(less(xp[-1], x), right, result)


@answers(np.linspace)
@composite
def linspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: npt.DTypeLike | None = None,
    axis: int = 0,
) -> Any:
    """`num` equal steps from `start` to `stop`."""
    span = subtract(stop, start)
    span = span if span.dtype.kind == "f" else span.astype(float)
    parts = np.linspace(0.0, 1.0, num, endpoint=endpoint, dtype=span.dtype)
    result = moveaxis(span * parts.reshape(-1, *(1 for _ in span.shape)) + start, 0, axis)
    result = result if dtype is None else astype(result, dtype=np.dtype(dtype))
    return (result, span / max(num - endpoint, 1)) if retstep else result


@answers(np.logspace)
@composite
def logspace(
    start: TensorLike, stop: TensorLike, num: int = 50, endpoint: bool = True, base: TensorLike = 10.0, axis: int = 0
) -> Tensor:
    """The powers of `base` to `num` equal steps from `start` to `stop`."""
    return power(base, linspace(start, stop, num, endpoint, axis=axis))


@answers(np.geomspace)
@composite
def geomspace(start: TensorLike, stop: TensorLike, num: int = 50, endpoint: bool = True, axis: int = 0) -> Tensor:
    """From `start` to `stop` in `num` steps that are equal as factors. Both have the same sign."""
    start = as_tensor(start).astype(float)
    growth = log(divide(stop, start))
    return (
        multiply(start, exp(linspace(multiply(growth, 0), growth, num, endpoint)))
        if axis == 0
        else moveaxis(geomspace(start, stop, num, endpoint), 0, axis)
    )


# --- questions --------------------------------------------------------------------------------------------------


@answers(np.count_nonzero)
def count_nonzero(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """How many elements are not 0."""
    return sum(not_equal(a, 0), axis=axis, keepdims=keepdims)


@answers(np.any)
def any_true(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether one element at least is not 0."""
    return not_equal(count_nonzero(a, axis, keepdims=keepdims), 0)


@answers(np.all)
def all_true(a: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether no element is 0."""
    return equal(sum(equal(a, 0), axis=axis, keepdims=keepdims), 0)


@answers(np.logical_or)
def either(x: TensorLike, y: TensorLike) -> Tensor:
    """Whether one of two is true (not 0)."""
    return logical_not(logical_and(logical_not(x), logical_not(y)))


@answers(np.logical_xor)
def one_of_two(x: TensorLike, y: TensorLike) -> Tensor:
    """Whether exactly one of two is true (not 0)."""
    return not_equal(logical_not(x), logical_not(y))


@answers(np.isinf)
def is_infinite(x: TensorLike) -> Tensor:
    """Whether each element is infinite."""
    return equal(abs(as_tensor(x)), math.inf)


@answers(np.isclose)
def is_close(a: TensorLike, b: TensorLike, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether each element of `a` is as good as equal to that of `b`."""
    result = np.isclose(as_tensor(a).numpy(), as_tensor(b).numpy(), rtol, atol, equal_nan)
    return as_tensor(result)
