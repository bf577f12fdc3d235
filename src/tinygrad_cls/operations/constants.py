"""NumPy functions that look at a Tensor without differentiating through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tensor import Tensor, constant
from .entry import answers


def _values(argument: Any) -> Any:
    return argument.numpy() if isinstance(argument, Tensor) else argument


def _on_values(*functions: Callable[..., Any]) -> None:
    """Called on a Tensor, these see its values: they ask about it, and their answer is no array of numbers."""
    for function in functions:

        @answers(function)
        def look(*args: Any, _function: Callable[..., Any] = function, **kwargs: Any) -> Any:
            return _function(*map(_values, args), **{name: _values(value) for name, value in kwargs.items()})


def _filled_like(*functions: Callable[..., Any]) -> None:
    """Called on a Tensor, these give a constant of its shape and dtype."""
    for function in functions:

        @answers(function)
        def fill(prototype: Any, *args: Any, _function: Callable[..., Any] = function, **kwargs: Any) -> Tensor:
            return constant(_function(_values(prototype), *map(_values, args), **kwargs))


_on_values(np.shape, np.ndim, np.size, np.allclose, np.array_equal, np.result_type)
_filled_like(np.zeros_like, np.ones_like, np.full_like)
