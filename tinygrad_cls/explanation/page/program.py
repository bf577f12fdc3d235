"""Formulas as a small program over flat lists of numbers, for the page: where each number is found is settled here."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ...algebra.evaluate import by_position
from ...algebra.expression import BOOLEAN, Axis, Expression, Layout, inner_first, leaves_of, operands

if TYPE_CHECKING:
    from ..formula import Formula

Instruction: TypeAlias = list[Any]


class UntranslatableError(Exception):
    """A formula that the page cannot compute."""


class Program:
    """Instructions that compute formulas from the numbers of some tensors. Each leaves a list of numbers in a register.

    A number is found by its index in an operand's list; so axes, broadcasting and layouts are no matter of the page.

    Args:
        names: the names of those tensors, whose numbers come one after another.
    """

    def __init__(self, *names: str) -> None:
        self.names = names
        self.code: list[Instruction] = []
        self._registers: dict[tuple[int, Expression], int] = {}

    def shown(self, formula: Formula) -> int:
        """The register of a formula's value, in the order in which it is written.

        Raises:
            UntranslatableError: when the page cannot compute it.
        """
        x, recorded = formula.expression, formula.recorded
        free = self._free(formula)
        reached = _reached(x, free, recorded.defined)
        within = {leaf for given in free for leaf in leaves_of(given)} - free.keys()
        if within & reached:
            raise UntranslatableError  # of class numbers themselves, which other one-hot rows do not change
        depends: dict[Expression, bool] = {}
        meanings = [recorded.defined[leaf] for leaf in leaves_of(x, lets=True) if leaf in recorded.defined]
        for part in inner_first(*meanings, x, lets=True):
            if part not in reached:
                continue
            depends[part] = part in free or any(depends[inside] for inside in _inside(part, free, recorded.defined))
            if part.kind == "leaf" and part.data[0] in recorded.loose:
                raise UntranslatableError  # what it was computed from is not known
            key = (id(recorded.values), part)
            if key not in self._registers:
                self._registers[key] = self._add(part, depends[part], free, formula)
        order = by_position(_indices(x), x.axes, formula.layout if x.axes else ())
        return self._put(["places", self._registers[id(recorded.values), x], _flat(order)])

    def _free(self, formula: Formula) -> dict[Expression, list[int]]:
        """By each tensor that numbers are given for their places among all of them, its axes in sorted order."""
        free: dict[Expression, list[int]] = {}
        first = 0
        for name in self.names:
            x, layout = formula.recorded.names.get(name, (None, ()))
            if x is None or x.kind not in ("leaf", "one_hot"):
                raise UntranslatableError
            named = [a for a in layout if a is not None]
            given = first + np.arange(length(layout)).reshape([a.size for a in named])
            free[x] = _flat(given.transpose([named.index(a) for a in sorted(named)]))
            first += given.size
        return free

    def _put(self, instruction: Instruction) -> int:
        self.code.append(instruction)
        return len(self.code) - 1

    def _add(self, x: Expression, depends: bool, free: Mapping[Expression, list[int]], formula: Formula) -> int:
        recorded = formula.recorded
        if x in free:
            return self._put(["input", free[x]])
        if x in recorded.defined:
            meaning = recorded.defined[x]
            return self._put(["places", self._registers[id(recorded.values), meaning], _flat(_aligned(meaning, x))])
        if not depends:
            value = np.asarray(recorded.value(x), float)
            return self._put(["numbers", value.ravel().tolist()])
        registers = [self._registers[id(recorded.values), inside] for inside in operands(x)]
        places = [_flat(_aligned(child, x)) for child in x.children] if x.kind in _ELEMENTWISE else []
        found = list(map(list, zip(registers, places, strict=False)))
        match x.kind:
            case "combination":
                return self._put(["combination", list(map(float, x.data)), found])
            case "product":
                coefficient, exponents = x.data
                bases = zip(x.children, exponents, strict=True)
                truths = [base.kind == "call" and base.data in BOOLEAN and p > 0 for base, p in bases]
                return self._put(["product", float(coefficient), list(map(float, exponents)), truths, found])
            case "call":
                return self._put(["call", x.data, found])
            case "reduce" | "softmax":
                name, over = x.data if x.kind == "reduce" else (x.kind, x.data)
                return self._put(["along", name, registers[0], _groups(x.children[0], over)])
            case "at":
                axis, index = x.data
                place = sorted(x.children[0].axes).index(axis)
                return self._put(["places", registers[0], _flat(np.take(_indices(x.children[0]), index, place))])
            case "rename":
                new = [dict(x.data).get(a, a) for a in sorted(x.children[0].axes)]
                order = [new.index(a) for a in sorted(x.axes)]
                return self._put(["places", registers[0], _flat(_indices(x.children[0]).transpose(order))])
            case "let":
                return registers[0]
        raise UntranslatableError


_ELEMENTWISE = ("combination", "product", "call")


def _inside(
    x: Expression, free: Container[Expression], defined: Mapping[Expression, Expression]
) -> tuple[Expression, ...]:
    """What the value of `x` is computed from; nothing, where it is given."""
    return () if x in free else (defined[x],) if x in defined else operands(x)


def _reached(x: Expression, free: Container[Expression], defined: Mapping[Expression, Expression]) -> set[Expression]:
    """The parts of `x` that count, where the value of some is given."""
    reached: set[Expression] = set()
    waiting = [x]
    while waiting:
        part = waiting.pop()
        if part not in reached:
            reached.add(part)
            waiting.extend(_inside(part, free, defined))
    return reached


def _flat(indices: Any) -> list[int]:
    return [int(i) for i in np.asarray(indices).ravel()]


def _indices(x: Expression) -> np.ndarray[Any, Any]:
    """The index of each number in the list of `x`, whose axes stand in sorted order."""
    shape = [a.size for a in sorted(x.axes)]
    return np.arange(int(np.prod(shape))).reshape(shape)


def _aligned(child: Expression, x: Expression) -> np.ndarray[Any, Any]:
    """For each number of `x` the index of the operand's number that it takes."""
    axes = sorted(x.axes)
    there = _indices(child).reshape([a.size if a in child.axes else 1 for a in axes])
    return np.broadcast_to(there, [a.size for a in axes])


def _groups(x: Expression, over: Sequence[Axis]) -> list[list[int]]:
    """The indices of the numbers of `x` that are taken together, for each place of what is left."""
    axes = sorted(x.axes)
    kept = [axes.index(a) for a in axes if a not in over]
    gone = [axes.index(a) for a in axes if a in over]
    together = _indices(x).transpose([*kept, *gone])
    rows = together.reshape(-1, int(np.prod([axes[i].size for i in gone])))
    return [_flat(row) for row in rows]


def length(layout: Layout) -> int:
    """How many numbers a tensor has whose axes stand so."""
    return int(np.prod([1 if a is None else a.size for a in layout]))
