"""What an operation is, and the tables of all of them; the entries themselves are in `operations/`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from .array import describe


class Operation:
    """One primitive operation, defined once.

    Args:
        name: the name in drawings, errors and `OPERATIONS`.
        forward: what it computes, `forward(*arrays, **parameters) -> array`.
        vjps: its derivative: one vector-Jacobian product for each operand, called as
            `vjp(g, out, *operands, **parameters)` and giving the gradient of that operand, where `g` is the
            gradient of `out`. It is written with operators and NumPy functions, which accept arrays and
            Tensors alike: on arrays it is the fast backward pass, on Tensors it builds the gradient's own
            graph. It may leave out the sum over broadcast axes and the cast to the operand's dtype: `backward`
            does both for every operation. None: this operand has no derivative.
        notation: how it is written, a format string over the operands (`"{0} + {1}"`) and parameters.
        symbol: what a drawing writes on the operation (`"+"`).
    """

    __slots__ = ("differentiable", "forward", "name", "notation", "symbol", "vjps")

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        vjps: tuple[Vjp | None, ...] | VjpAt,
        notation: str,
        symbol: str,
    ) -> None:
        self.name = name
        self.forward = forward
        self.vjps = vjps
        self.notation = notation
        self.symbol = symbol
        self.differentiable = isinstance(vjps, VjpAt) or any(vjps)

    def vjp(self, position: int) -> Vjp | None:
        """The derivative with respect to the operand at `position`; None where there is none."""
        return self.vjps[position]

    def __repr__(self) -> str:
        return f"<operation {self.name}>"


Vjp: TypeAlias = Callable[..., Any]


class VjpAt:
    """The derivatives of an operation with any number of operands: each is made from the operand's position."""

    def __init__(self, vjp_at: Callable[[int], Vjp]) -> None:
        self.vjp_at = vjp_at

    def __getitem__(self, position: int) -> Vjp:
        return self.vjp_at(position)

    def __iter__(self) -> Iterator[Vjp]:
        return map(self.vjp_at, itertools.count())


OPERATIONS: dict[str, Operation] = {}
"""Every primitive operation by name, filled by `operations/`."""

NUMPY_FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""What answers for a NumPy function or ufunc that is called on a Tensor, filled by `operations/`."""


# --- NumPy's functions called on Tensors --------------------------------------------------------------------------


def answer_ufunc(ufunc: np.ufunc, method: str, inputs: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """What `ufunc` gives when a Tensor is among its inputs."""
    name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    if options.get("out") is not None:
        raise TypeError(
            f"{name} cannot write a Tensor's result into an array: leave out=, or the in-place operator, away"
        )
    if method != "__call__" or ufunc not in NUMPY_FUNCTIONS:
        raise TypeError(unknown(name))
    if options:
        raise TypeError(f"{name} on a Tensor does not accept {', '.join(sorted(options))}=")
    return NUMPY_FUNCTIONS[ufunc](*inputs)


def answer(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What a function of NumPy gives when a Tensor is among its arguments."""
    name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
    if function not in NUMPY_FUNCTIONS:
        raise TypeError(unknown(name))
    try:
        return NUMPY_FUNCTIONS[function](*args, **kwargs)
    except TypeError as error:
        if "argument" in str(error) and error.__traceback__ is not None and error.__traceback__.tb_next is None:
            raise TypeError(f"{name} on a Tensor: {error}") from None
        raise


# --- errors -----------------------------------------------------------------------------------------------------

_KINDS = (np.exceptions.AxisError, IndexError, OverflowError, TypeError, ValueError)


def explained(
    error: Exception, operation: Operation, inputs: Sequence[object], parameters: Mapping[str, Any]
) -> Exception:
    """NumPy's error of the same kind, with the operation, its operands and, where we know one, a remedy."""
    operands = ", ".join(describe(x) for x in inputs)
    options = "".join(f", {name}={value!r}" for name, value in parameters.items() if value is not None)
    message = f"{operation.name}({operands}{options}): {error}"
    if "broadcast" in str(error):
        message += ". Axes are matched from the last one back and must be equal or 1: use reshape or expand_dims."
    elif operation.name == "matmul":
        message += ". The last axis of the first operand must be as long as the last but one of the second."
    kind = next(kind for kind in _KINDS if isinstance(error, kind))
    return kind(message)


def unknown(name: str) -> str:
    return (
        f"{name} is not known for Tensors, and would drop out of the graph: compose it from tinygrad_cls functions, "
        f"or call it on .numpy() for a constant"
    )
