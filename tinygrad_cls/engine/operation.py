"""What an operation is, and the tables of all of them; the entries themselves are in `operations/`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias


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
