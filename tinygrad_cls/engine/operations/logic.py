"""Comparisons and logic: boolean results, no gradient; written in Iverson's brackets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..tensor import Tensor
from .entry import elementwise

if TYPE_CHECKING:
    from .entry import Binary, Unary


def _coded(ex: Any, labels: Any, classes: Any) -> Any:
    """`labels = 0 1 2 … K−1` along an axis that the labels do not have is one-hot rows."""
    numbers, places = ex.inputs
    if not (isinstance(numbers, Tensor) and isinstance(places, Tensor)) or numbers.dtype.kind not in "iu":
        return None
    axis = ex.axis(1, 0) if places.ndim == 1 else None
    if axis is None or axis in labels.axes or not np.array_equal(places._array, np.arange(places.size)):
        return None
    if numbers.size and (numbers._array.min() < 0 or numbers._array.max() >= places.size):
        return None
    return ex.one_hot(labels, axis)


equal: Binary = elementwise(
    np.equal,
    "`x == y` as booleans.",
    None,
    None,
    symbol="=",
    opposite="not_equal",
    commutative=True,
    reads=_coded,
    example=([1, 2], 2),
)
not_equal: Binary = elementwise(
    np.not_equal,
    "`x != y` as booleans.",
    None,
    None,
    symbol="≠",
    opposite="equal",
    commutative=True,
    example=([1, 2], 2),
)
less: Binary = elementwise(
    np.less, "`x < y` as booleans.", None, None, symbol="<", opposite="greater_equal", example=([1, 2], 2)
)
less_equal: Binary = elementwise(
    np.less_equal, "`x <= y` as booleans.", None, None, symbol="≤", opposite="greater", example=([1, 3], 2)
)
greater: Binary = elementwise(
    np.greater, "`x > y` as booleans.", None, None, symbol=">", opposite="less_equal", example=([1, 3], 2)
)
greater_equal: Binary = elementwise(
    np.greater_equal, "`x >= y` as booleans.", None, None, symbol="≥", opposite="less", example=([1, 2], 2)
)
logical_and: Binary = elementwise(
    np.logical_and,
    "Whether both are true (not 0), as booleans.",
    None,
    None,
    symbol="and",
    commutative=True,
    example=([True, True], [True, False]),
)
logical_not: Unary = elementwise(
    np.logical_not,
    "Whether it is false (0), as booleans.",
    None,
    notation="[not {0}]",
    symbol="not",
    example=([True, False],),
)
isfinite: Unary = elementwise(
    np.isfinite,
    "Whether each element is neither infinite nor nan, as booleans.",
    None,
    notation="finite({0})",
    symbol="finite?",
    example=([1.0, np.nan],),
)
isnan: Unary = elementwise(
    np.isnan, "Whether each element is nan, as booleans.", None, symbol="nan?", example=([1.0, np.nan],)
)
