"""The decorators that make a function an operation, or NumPy's counterpart."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from ..operation import NUMPY_FUNCTIONS, OPERATIONS, Operation, Vjp, VjpAt
from ..tensor import Tensor, apply

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])


def operation(
    notation: str,
    *vjps: Vjp | None,
    vjp_at: Callable[[int], Vjp] | None = None,
    symbol: str | None = None,
    ufunc: np.ufunc | None = None,
    numpy: tuple[Callable[..., Any], ...] = (),
) -> Callable[[Callable[P, Any]], Callable[P, Tensor]]:
    """Define an operation by a function of arrays; what it becomes accepts Tensors and records itself.

    Positional-only arguments are the operands; the others are static parameters, which the derivative receives too.

    Args:
        notation: how it is written, a format string over operands and parameters: `"{0} + {1}"`.
        vjps: one derivative for each operand, `vjp(g, out, *operands, **parameters)`; see `Operation`.
        vjp_at: instead of `vjps`, for any number of operands: the derivative by position.
        symbol: what drawings write on it; by default the function's name.
        ufunc: the NumPy ufunc that computes it, where there is one: the decorated function then has no body.
        numpy: the NumPy functions that it answers for when they are called on a Tensor; a `ufunc` always.
    """

    def define(function: Callable[P, Any]) -> Callable[P, Tensor]:
        name = function.__name__.strip("_")
        signature = inspect.signature(function).parameters.values()
        operands = [p for p in signature if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]
        options = [p.name for p in signature if p not in operands]
        defaults = {p.name: p.default for p in signature if p.name in options and p.default is not p.empty}
        count = None if any(p.kind is p.VAR_POSITIONAL for p in operands) else len(operands)
        entry = OPERATIONS[name] = Operation(
            name, ufunc or function, VjpAt(vjp_at) if vjp_at else vjps, notation, symbol or name
        )

        @functools.wraps(function)
        def recorded(*args: Any, **parameters: Any) -> Tensor:
            if count is not None and len(args) != count:
                if len(args) < count or len(args) > count + len(options):
                    raise TypeError(f"{name} takes {count} operands, got {len(args)} positional arguments")
                parameters.update(zip(options, args[count:], strict=False))
                args = args[:count]
            if defaults:
                parameters = defaults | parameters
            return apply(entry, args, parameters)

        return cast("Callable[P, Tensor]", answers(*filter(None, (ufunc, *numpy)))(recorded))

    return define


def answers(*numpy: Callable[..., Any]) -> Callable[[F], F]:
    """The decorated function answers for these NumPy functions when they are called on a Tensor."""

    def register(function: F) -> F:
        NUMPY_FUNCTIONS.update(dict.fromkeys(numpy, function))
        return function

    return register


def for_arrays_too(recorded: Callable[..., Tensor]) -> Callable[..., Any]:
    """An operation as derivatives need it: on arrays it gives an array, on Tensors it records.

    NumPy's own functions do this by themselves; this is for an operation that NumPy has no function for, or a slow one.
    """
    forward = OPERATIONS[recorded.__name__.strip("_")].forward

    def either(*operands: Any, **parameters: Any) -> Any:
        on_tensors = Tensor in map(type, operands)
        return (recorded if on_tensors else forward)(*operands, **parameters)

    return either
