"""Formulas as a small program over flat lists of numbers, for the page: where each number is found is settled here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..algebra.evaluate import by_position, evaluate
from ..algebra.expression import BOOLEAN, Axis, Expression, inner_first, leaves_of, operands
from .formula import Formula

if TYPE_CHECKING:
    from .derivation import Derivation

_MOST = 12  # numbers to try other values of
Instruction: TypeAlias = list[Any]


class UntranslatableError(Exception):
    """A formula that the page cannot compute."""


class Program:
    """Instructions that compute formulas from the numbers of one tensor. Each leaves a list of numbers in a register.

    A number is found by its index in an operand's list; so axes, broadcasting and layouts are no matter of the page.

    Args:
        name: the name of that tensor.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.code: list[Instruction] = []
        self._registers: dict[tuple[int, Expression], int] = {}

    def shown(self, formula: Formula) -> int:
        """The register of a formula's value, in the order in which it is written.

        Raises:
            UntranslatableError: when the page cannot compute it.
        """
        x, recorded = formula.expression, formula.recorded
        free = recorded.names.get(self.name, (None, ()))[0]
        if free is None or free.kind != "leaf":
            raise UntranslatableError
        depends: dict[Expression, bool] = {}
        meanings = [recorded.defined[leaf] for leaf in leaves_of(x, lets=True) if leaf in recorded.defined]
        for part in inner_first(*meanings, x, lets=True):
            inner = (recorded.defined[part],) if part in recorded.defined else operands(part)
            depends[part] = part is free or any(depends[inside] for inside in inner)
            if part.kind == "leaf" and part.data[0] in recorded.loose:
                raise UntranslatableError  # what it was computed from is not known
            key = (id(recorded.values), part)
            if key not in self._registers:
                self._registers[key] = self._add(part, depends[part], free, formula)
        order = by_position(_indices(x), x.axes, formula.layout if x.axes else ())
        return self._put(["places", self._registers[id(recorded.values), x], _flat(order)])

    def _put(self, instruction: Instruction) -> int:
        self.code.append(instruction)
        return len(self.code) - 1

    def _add(self, x: Expression, depends: bool, free: Expression, formula: Formula) -> int:
        recorded = formula.recorded
        if x is free:
            _, layout = recorded.names[self.name]
            kept = np.arange(_length(layout))
            named = [a for a in layout if a is not None]
            squeezed = kept.reshape([a.size for a in named])
            return self._put(["input", _flat(squeezed.transpose([named.index(a) for a in sorted(named)]))])
        if not depends:
            value = np.asarray(evaluate(x, recorded.values, known=recorded.computed), float)
            return self._put(["numbers", value.ravel().tolist()])
        if x in recorded.defined:
            meaning = recorded.defined[x]
            return self._put(["places", self._registers[id(recorded.values), meaning], _flat(_aligned(meaning, x))])
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


def touchable(d: Derivation, values: Sequence[Formula]) -> dict[str, Any] | None:
    """What the page needs to try other values of what the loss is differentiated by; None where it cannot.

    Args:
        d: the derivation.
        values: the formulas whose values stand on the page, in its order.
    """
    recorded = d.gradient.recorded
    free, layout = recorded.names.get(d.wrt, (None, ()))
    if free is None or not 1 < _length(layout) <= _MOST:
        return None
    if any(free in leaves_of(fact.about, lets=True) for fact in recorded.assumptions):
        return None  # it may not hold of other values
    shape = [a.size for a in layout if a is not None]
    program = Program(d.wrt)
    try:
        bars: list[list[Any]] = [[f"∂{d.output}/∂{d.wrt}", program.shown(d.gradient)]]
        for name, formula in d.where:
            if free in leaves_of(formula.expression, lets=True) and list(formula.value.shape) == shape:
                bars.append([name, program.shown(formula)])
        shown = [program.shown(formula) for formula in values]
    except UntranslatableError:
        return None
    start = by_position(evaluate(free, recorded.values), free.axes, layout)
    shapes = [list(formula.value.shape) for formula in values]
    names = [f"{d.wrt}[{', '.join(map(str, i))}]" for i in np.ndindex(*shape)]
    return {
        "name": d.wrt,
        "shape": shape,
        "names": names,
        "start": np.asarray(start, float).ravel().tolist(),
        "code": program.code,
        "bars": bars,
        "shown": shown,
        "shapes": shapes,
    }


def _length(layout: Sequence[Axis | None]) -> int:
    return int(np.prod([1 if a is None else a.size for a in layout]))
