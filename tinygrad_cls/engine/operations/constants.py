"""NumPy functions that look at a Tensor without differentiating through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tensor import Tensor, constant
from .entry import answers


def _values(argument: Any) -> Any:
    return argument.numpy() if isinstance(argument, Tensor) else argument


def _like(argument: Any) -> Any:
    """For questions about shape and dtype alone."""
    return argument._array if isinstance(argument, Tensor) else argument


def _on_values(values: Callable[[Any], Any], *functions: Callable[..., Any]) -> None:
    """Called on a Tensor, these see its values: they ask about it, and their answer is no array of numbers."""
    for function in functions:

        @answers(function)
        def look(*args: Any, _function: Callable[..., Any] = function, **kwargs: Any) -> Any:
            return _function(*map(values, args), **{name: values(value) for name, value in kwargs.items()})


def _filled_like(*functions: Callable[..., Any]) -> None:
    """Called on a Tensor, these give a constant of its shape and dtype."""
    for function in functions:

        @answers(function)
        def fill(prototype: Any, *args: Any, _function: Callable[..., Any] = function, **kwargs: Any) -> Tensor:
            return constant(_function(_like(prototype), *map(_values, args), **kwargs))


_on_values(_like, np.shape, np.ndim, np.size, np.result_type)
_on_values(_values, np.allclose, np.array_equal)
_filled_like(np.zeros_like, np.ones_like, np.full_like)
