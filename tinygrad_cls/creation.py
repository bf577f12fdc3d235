"""Tensors of zeros, of ones, and of counted numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .engine.tensor import Tensor

__all__ = ["zeros", "ones", "full", "eye", "arange", "linspace"]


def zeros(
    *shape: int | Sequence[int],
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """A leaf of zeros.

    Args:
        shape: the lengths, as one tuple or one by one.
        dtype: float64 by default.
        requires_grad, name: as for `Tensor`.

    Raises:
        ValueError: when a length is negative.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.zeros(2, 3).shape
        (2, 3)
    """
    return Tensor(np.zeros(_lengths(shape), dtype or float), requires_grad=requires_grad, name=name)


def ones(
    *shape: int | Sequence[int],
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """A leaf of ones.

    Args:
        shape: the lengths, as one tuple or one by one.
        dtype: float64 by default.
        requires_grad, name: as for `Tensor`.

    Raises:
        ValueError: when a length is negative.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.ones(2)
        Tensor([1., 1.])
    """
    return Tensor(np.ones(_lengths(shape), dtype or float), requires_grad=requires_grad, name=name)


def full(
    shape: int | Sequence[int],
    value: float,
    *,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """A leaf with one value everywhere.

    Args:
        shape: the lengths.
        value: the value.
        dtype: by default NumPy's choice for the value.
        requires_grad, name: as for `Tensor`.

    Raises:
        ValueError: when a length is negative.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.full((2,), 0.5)
        Tensor([0.5, 0.5])
    """
    return Tensor(np.full(shape, value, dtype), requires_grad=requires_grad, name=name)


def eye(n: int, m: int | None = None, *, dtype: npt.DTypeLike | None = None) -> Tensor:
    """The identity matrix.

    Args:
        n: the number of rows.
        m: the number of columns; as many by default.
        dtype: float64 by default.

    Raises:
        ValueError: when a length is negative.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.eye(2)
        Tensor([[1., 0.],
                [0., 1.]])
    """
    return Tensor(np.eye(n, m, dtype=dtype or float))


def arange(*bounds: float, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Numbers in equal steps, the end left out: `arange(stop)`, `arange(start, stop)`, `arange(start, stop, step)`.

    Args:
        bounds: one to three numbers.
        dtype: by default NumPy's choice for them.

    Raises:
        TypeError: when there are no bounds, or more than three.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.arange(3)
        Tensor([0, 1, 2])
    """
    if not 1 <= len(bounds) <= 3:
        raise TypeError(f"arange takes stop, or start and stop, or start, stop and step; not {len(bounds)} numbers")
    return Tensor(np.arange(*bounds, dtype=dtype))


def linspace(start: float, stop: float, num: int = 50, *, dtype: npt.DTypeLike | None = None) -> Tensor:
    """So many numbers at equal distances, both ends included.

    Args:
        start, stop: the ends.
        num: how many.
        dtype: float64 by default.

    Raises:
        ValueError: when `num` is negative.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.linspace(0, 1, 3)
        Tensor([0. , 0.5, 1. ])
    """
    return Tensor(np.linspace(start, stop, num, dtype=dtype))


def _lengths(shape: tuple[Any, ...]) -> Any:
    return shape[0] if len(shape) == 1 else shape
