"""What may be rewritten in a program, which has to hold for all data: nan, infinities and ties among them.

A derivation speaks of the recorded data and of finite numbers; a program runs on whatever comes.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable

from ..algebra import expression as ex
from ..algebra.expression import Axis, Expression
from ..algebra.facts import Because, Facts
from ..algebra.read import Reading
from ..algebra.rules import RULES, holding_always
from ..engine.operation import Kind
from ..engine.tensor import Tensor
from .watch import Watch

HOLDING = holding_always(RULES)
"""The rules that hold for all data. "Mending" ones give the number that was meant where the pattern overflows."""

EXACT = tuple(rule for rule in HOLDING if not rule.expands)
"""Multiplying out may lose digits: it is used only on what comes of a softmax that could overflow as it was written."""


class ForAllData(Facts):
    """Only what holds for nan and infinite values, too."""

    def nonzero(self, x: Expression) -> Because | None:
        finite = x.kind in ("softmax", "size") or (x.kind == "call" and x.data == "sigmoid")
        return super().nonzero(x) if finite else None

    def sums_to_one(self, x: Expression, axes: Iterable[Axis]) -> Because | None:
        nan = any(part.kind == "softmax" for part in ex.inner_first(x))
        return None if nan else super().sums_to_one(x, axes)


class Letters:
    """Which letters each Tensor was computed from, and which ones an expression shows.

    `0 x` and `x − x` show none, and a nan in x would be lost.
    """

    def __init__(self, reading: Reading, atoms: Iterable[Tensor], operands: Callable[[Tensor], list[Tensor]]) -> None:
        self._reading, self._atoms, self._operands = reading, frozenset(atoms), operands
        self._made_of: dict[Tensor, int] = {}  # as bits, one for each letter
        self._shown: dict[Expression, int] = {}
        self._count = 0

    def note(self, t: Tensor) -> None:
        """What `t` was computed from; its inputs come first."""
        self._made_of[t] = functools.reduce(operator.or_, [self._made_of[x] for x in self._operands(t)], 0)
        if t.dtype.kind != "f":
            self._made_of[t] = 0
        elif t in self._atoms and not is_extreme(t):
            self._made_of[t] = 1 << self._count
            self._count += 1

    def shows_all(self, x: Expression, t: Tensor) -> bool:
        """Whether `x` shows all letters that `t` was computed from."""
        waiting = [x]
        while waiting:
            part = waiting[-1]
            missing = [child for child in part.children if child not in self._shown]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            leaf = self._reading.leaves.get(part)
            own = self._made_of[leaf] if leaf in self._atoms else 0
            self._shown[part] = functools.reduce(operator.or_, [self._shown[y] for y in part.children], own)
        return not self._made_of[t] & ~self._shown[x]


def atoms_of(watch: Watch, order: list[Tensor], labels: set[tuple[Tensor, int]]) -> set[Tensor]:
    """The computed Tensors that the algebra takes as letters: their inner form is of no use or not to be touched.

    Args:
        watch: the run.
        order: all Tensors.
        labels: class numbers that every call checks, with the number of classes.
    """
    return {t for t in order if _is_atom(watch, t, labels)} | _inner_sums(watch, order)


def _is_atom(watch: Watch, t: Tensor, labels: set[tuple[Tensor, int]]) -> bool:
    operation, inputs = t.operation, watch.operands(t)
    if operation is None:
        return False
    if not t.size or t in watch.sources or not operation.exact:  # what holds of softmax needs an element
        return True
    if operation.boolean and operation.reads is not None:  # one-hot coding, where each call checks the labels
        return len(inputs) < 2 or (_unmoved(watch, inputs[0]), inputs[1].size) not in labels
    if operation.changes_nothing:
        return inputs[0].dtype.kind == "f" and inputs[0].dtype != t.dtype
    if operation.symbol == "^":  # of roots nan would be lost: √x √x is x for positive x only
        exponent = watch.inputs[t][1]
        return not (type(exponent) is int or (type(exponent) is float and exponent.is_integer()))
    if operation.positive:  # a softmax of integers is one of wrapped differences
        return inputs[0].dtype.kind != "f"
    held = any(watch.sources.get(x, " ")[0] == "number" for x in inputs)
    return held or operation.kind is Kind.CONTRACTION or is_extreme(t)


def is_extreme(t: Tensor) -> bool:
    """Whether the gradient looks for `t` among what it is the largest of: it has to be found there, digit for digit."""
    operation = t.operation
    return operation is not None and operation.kind is Kind.REDUCTION and operation.letter == "m"


def _inner_sums(watch: Watch, order: list[Tensor]) -> set[Tensor]:
    """Sums inside of sums: they stay as they are, since digits may depend on the order of adding up."""
    outer = {
        t: t.operation for t in order if t.operation is not None and t.operation.symbol in "+−" and len(t.inputs) > 1
    }
    return {
        x
        for t in outer
        for x in (_unmoved(watch, y) for y in watch.operands(t))
        if x.operation in outer.values() and not _is_shift(watch, x)
    }


def _unmoved(watch: Watch, x: Tensor) -> Tensor:
    """Where the elements of `x` come from, when it only moves or repeats them."""
    while x in watch.inputs and x.operation is not None and len(watch.inputs[x]) == 1:
        if not x.operation.changes_nothing and x.operation.kind is not Kind.MOVEMENT:
            break
        (x,) = watch.operands(x)
    return x


def _is_shift(watch: Watch, x: Tensor) -> bool:
    """Whether `x` is something less a constant such as its maximum, as in softmax."""
    return any(y.operation is not None and y.operation.holds_constant for y in watch.operands(x))
