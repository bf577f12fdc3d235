"""What an operation is, and the tables of all of them; the entries themselves are in `operations/`.

An entry is all that the package knows of an operation. Readers ask it, or speak of its kind; none knows it by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

import numpy as np

from .array import describe
from .recording import ADVISERS

Vjp: TypeAlias = Callable[..., Any]
Pairs: TypeAlias = Sequence[tuple[int, int]]
"""Axes of an operand, each with the axis of the result that it meets."""


class Kind(Enum):
    """What an operation does with axes."""

    ELEMENTWISE = "acts on each element alone; operands broadcast"
    REDUCTION = "folds axes"
    MOVEMENT = "puts elements elsewhere, or repeats them"
    CONTRACTION = "adds up products along axes where operands meet"
    CHOICE = "picks elements by position"
    OTHER = "none of these"


@dataclass(eq=False, slots=True)
class Operation:
    """One primitive operation, defined once. The decorators in `operations/entry.py` fill in what is not said.

    Args:
        name: the name in drawings, errors and `OPERATIONS`.
        forward: what it computes, `forward(*arrays, **parameters) -> array`.
        vjps: its derivative: one vector-Jacobian product for each operand, called as
            `vjp(g, out, *operands, **parameters)` and giving the gradient of that operand, where `g` is the
            gradient of `out`. It is written with operators and NumPy functions, which accept arrays and
            Tensors alike: on arrays it is the fast backward pass, on Tensors it builds the gradient's own
            graph. It may leave out the sum over broadcast axes and the cast to the operand's dtype: `backward`
            does both for every operation. None: this operand has no derivative. An operation with any number of
            operands has a function instead, which makes the derivative from the operand's position.
        notation: how it is written, a format string over the operands (`"{0} + {1}"`) and parameters. One that is
            written as its operand (`"{0}"`) changes no value.
        symbol: what a drawing writes on the operation (`"+"`).
        kind: what it does with axes.
        ufunc: the NumPy ufunc that computes it; None where there is none.
        meets: which axes meet, `meets(shape, *shapes, **parameters)` by the shapes of the result and the operands:
            pairs for each operand. Positions beyond the axes of the result stand for axes that operands have in
            common and the result lacks. Of a choice by arrays a derivation, which speaks of recorded data, passes the
            operands' `values`, too. None: no two axes meet.
        reads: how the algebra reads it, `reads(ex, *operands, **parameters)`, where `ex` is the algebra at this place
            (`algebra.read.Words`) and the operands are expressions. It gives an expression, or None for the default:
            an element-by-element operation is a function of its name, a movement is what it moves, a contraction
            a sum of products; into others the algebra does not look.
        spelling: what engines call it: `np.<spelling>`, `jnp.<spelling>`; of what differs from that where an operand is
            infinite, what computes it elsewhere.
        reason: its derivative in words, by language. By default that is worked out: see `explanation.reasons`.
        letter: what derivations call its result.
        commutative: whether the order of its operands makes no difference.
        positive: whether its results are above 0.
        linear: the operands by which it is linear, each with the others held.
        exact: whether what the algebra reads has the same digits and the same nan.
        opposite: of a comparison the name of the one that holds where this does not.
        remedy: what is wrong with operands and parameters that NumPy refuses, and what to do, in place of its words.
    """

    name: str
    forward: Callable[..., Any]
    vjps: tuple[Vjp | None, ...] | Callable[[int], Vjp]
    notation: str
    symbol: str
    kind: Kind = Kind.ELEMENTWISE
    ufunc: Any = None
    meets: Callable[..., Sequence[Pairs]] | None = None
    reads: Callable[..., Any] | None = None
    spelling: str = ""
    reason: Mapping[str, str] = field(default_factory=dict)
    letter: str = "u"
    commutative: bool = False
    positive: bool = False
    linear: tuple[int, ...] = ()
    exact: bool = True
    opposite: str | None = None
    remedy: Callable[..., str] | None = None
    differentiable: bool = field(init=False)

    def __post_init__(self) -> None:
        self.differentiable = callable(self.vjps) or any(self.vjps)
        self.spelling = self.spelling or self.name

    def vjp(self, position: int) -> Vjp | None:
        """The derivative with respect to the operand at `position`; None where there is none."""
        return self.vjps(position) if callable(self.vjps) else self.vjps[position]

    @property
    def changes_nothing(self) -> bool:
        """Whether it is written as its operand alone: the values are the same, in another dtype or shape at most."""
        return self.notation == "{0}"

    @property
    def holds_constant(self) -> bool:
        """Whether it passes values on and stops gradients."""
        return self.changes_nothing and not self.differentiable

    @property
    def boolean(self) -> bool:
        """Whether it gives truth values."""
        return self.ufunc is not None and "d" * self.ufunc.nin + "->?" in self.ufunc.types

    def __repr__(self) -> str:
        return f"<operation {self.name}>"


OPERATIONS: dict[str, Operation] = {}
"""Every primitive operation by name, filled by `operations/`."""

NUMPY_FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
"""What answers for a NumPy function or ufunc that is called on a Tensor, filled by `operations/`."""


_KINDS = (np.exceptions.AxisError, np.linalg.LinAlgError, IndexError, OverflowError, TypeError, ValueError)


def explained(
    error: Exception, operation: Operation, inputs: Sequence[object], parameters: Mapping[str, Any]
) -> Exception:
    """NumPy's error of the same kind, with the operation, its operands and, where we know one, a remedy."""
    operands = ", ".join([describe(x) for x in inputs[:4]] + (["…"] if len(inputs) > 4 else []))
    options = "".join(f", {name}={value!r}" for name, value in parameters.items() if value is not None)
    words = operation.remedy(*inputs, **parameters) if operation.remedy else str(error)
    message = f"{operation.name}({operands}{options}): {words}"
    if "broadcast" in words:
        message += ". Axes are matched from the last one back and must be equal or 1: use reshape or expand_dims."
    kind = next(kind for kind in _KINDS if isinstance(error, kind))
    return ADVISERS[-1].retold(kind(message), error)
