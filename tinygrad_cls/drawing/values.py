"""Values as short text: small arrays written out, large ones summed up."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.tensor import Array

_MOST_ROWS = 5
_MOST_COLUMNS = 6
_MOST_WHOLE = 24


def number(value: float | int | bool, digits: int = 3) -> str:
    """A number with a few significant digits; −0 is 0."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.0f}" if 10**digits <= abs(value) < 10**6 else f"{value + 0.0:.{digits}g}"


def lines(array: Array, digits: int = 3) -> list[str]:
    """The values of an array in a few lines, columns aligned."""
    if array.ndim <= 2 and array.size:
        rows = np.atleast_2d(array)
        if rows.shape[0] <= _MOST_ROWS and rows.shape[1] <= _MOST_COLUMNS:
            texts = [[number(value, digits) for value in row] for row in rows.tolist()]
            if array.ndim == 0:
                return texts[0]
            widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
            return ["[" + " ".join(t.rjust(w) for t, w in zip(row, widths, strict=True)) + "]" for row in texts]
    return summary(array, digits)


def whole(array: Array, digits: int = 3) -> str | None:
    """All values of a small array on one line, `[0.09 0.245 −0.335]`; None for one that is too large."""
    if array.ndim > 2 or array.size > _MOST_WHOLE or not array.size:
        return None
    return _bracketed(array.tolist(), digits).replace("-", "−")


def extent(array: Array, digits: int = 3) -> tuple[str, str, str] | None:
    """The shape of an array, its smallest and its largest number; None where it has none, or some are not finite."""
    if not array.size or not np.isfinite(array).all():
        return None
    shape = " × ".join(f"{n:,}" for n in array.shape)
    low, high = (number(value, digits).replace("-", "−") for value in (array.min().item(), array.max().item()))
    return shape, low, high


def _bracketed(values: Any, digits: int) -> str:
    if isinstance(values, list):
        return "[" + " ".join(_bracketed(value, digits) for value in values) + "]"
    return number(values, digits)


def summary(array: Array, digits: int = 3) -> list[str]:
    """The range and mean of an array too large to write out, and how much of it is not finite."""
    if array.size == 0:
        return ["no elements"]
    if array.dtype.kind == "b":
        return [f"{int(array.sum()):,} of {array.size:,} true"]
    finite = array[np.isfinite(array)]
    parts = []
    if finite.size:
        parts.append(f"{number(finite.min().item(), digits)} … {number(finite.max().item(), digits)}")
        if array.dtype.kind == "f":
            parts.append(f"mean {number(float(finite.mean(dtype=np.float64)), digits)}")
    nan = int(np.isnan(array).sum()) if array.dtype.kind == "f" else 0
    if infinite := array.size - finite.size - nan:
        parts.append(f"{infinite:,} infinite")
    if nan:
        parts.append(f"{nan:,} nan")
    return parts


def size(array: Array) -> str:
    """Shape and dtype: `3 × 4 float64`."""
    return f"{shape(array) or 'scalar'} {array.dtype}"


def shape(array: Array) -> str:
    """The shape: `3 × 4`, `(3,)`; of a scalar nothing."""
    lengths = " × ".join(f"{n:,}" for n in array.shape)
    return f"({lengths},)" if array.ndim == 1 else lengths
