"""Named axes as matrix notation: what is a matrix product, and which of two axes are the rows.

`Σₙ X ⊙ D`, with rows and columns where X and D have them, is written `Xᵀ D`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from ..algebra import expression as ex
from ..algebra.expression import Axis, Expression, Layout

Sides: TypeAlias = tuple[list[ex.Factor], list[ex.Factor]]


class Name(NamedTuple):
    """What an expression is called.

    Attributes:
        text: the name.
        layout: how its axes stand, so that its transpose can be told.
        partial: whether some terms of a sum, or some factors of a product, may be written by it.
    """

    text: str
    layout: Layout
    partial: bool = False


def matrix_sides(x: Expression) -> Sides | None:
    """The factors left and right in a matrix product, if `x` can be written as one."""
    if not ex.is_total(x) or len(x.data[1]) != 1:
        return None
    (axis,) = x.data[1]
    parts: list[tuple[set[Axis], list[ex.Factor]]] = []
    for factor in ex.factors_of(x.children[0]):
        axes = set(factor[0].axes - {axis})
        touching = [part for part in parts if part[0] & axes or (not part[0] and not axes)]
        joined = (axes.union(*(part[0] for part in touching)), [f for part in touching for f in part[1]] + [factor])
        parts = [part for part in parts if part not in touching] + [joined]
    if len(parts) == 3 and any(not axes for axes, _ in parts):  # a vector along the inner axis belongs to the left
        vector = next(part for part in parts if not part[0])
        parts.remove(vector)
        parts[0][1].extend(vector[1])
    if (
        len(parts) == 2
        and not all(axes for axes, _ in parts)
        and any(y.kind in ("one_hot", "softmax") for _, fs in parts for y, _ in fs)
    ):
        return None
    if len(parts) != 2 or any(len(axes) > 1 for axes, _ in parts) or any(p < 0 for _, fs in parts for _, p in fs):
        return None
    parts.sort(key=lambda part: (not part[0], sorted(part[0])))
    return parts[0][1], parts[1][1]


def outer_sides(
    factors: Sequence[ex.Factor], order: tuple[Axis, ...]
) -> tuple[list[ex.Factor], list[ex.Factor], list[ex.Factor]] | None:
    """The factors without axes, along the rows and along the columns, of what can be written as `c x yᵀ`."""
    if len(order) != 2 or any(len(x.axes) > 1 or p < 0 for x, p in factors):
        return None
    column, line = ([factor for factor in factors if factor[0].axes == {axis}] for axis in order)
    scalars = [factor for factor in factors if not factor[0].axes]
    whole = column and line and len(scalars) + len(column) + len(line) == len(factors)
    return (scalars, column, line) if whole else None


def vector_of(x: Expression) -> Expression | None:
    """The array of which `x` is the sum of all squares."""
    if not ex.is_total(x) or x.axes or x.children[0].kind != "product":
        return None
    (number, exponents), bases = x.children[0].data, x.children[0].children
    return bases[0] if number == 1 and exponents == (2,) else None


class Rows:
    """Tells the rows from the columns.

    Args:
        names: what expressions are called, with the layout of each.
        unfolded: an expression whose name does not count, because it is written out.
    """

    def __init__(self, names: Mapping[Expression, Name], unfolded: Expression | None) -> None:
        self._names = names
        self._unfolded = unfolded
        self._naturals: dict[Expression, tuple[Axis, ...]] = {}
        self._adapting: dict[Expression, bool] = {}

    def adapt(self, x: Expression) -> bool:
        """Whether `x` can be written with its rows and columns either way: a matrix product, or made of such."""
        if x not in self._adapting:
            made_of = x.kind in ("combination", "product") and any(map(self.adapt, x.children))
            both_ways = x.kind == "combination" and len({*map(self.natural, x.children)} - {()}) > 1  # A + Aᵀ
            named = x in self._names and x is not self._unfolded
            self._adapting[x] = not named and (made_of or both_ways or matrix_sides(x) is not None)
        return self._adapting[x]

    def turns(self, factors: Sequence[ex.Factor], order: tuple[Axis, Axis]) -> int:
        """How many of the factors must be turned around to stand in this order."""
        return sum(self.natural(x) == order[::-1] for x, _ in factors)

    def natural(self, x: Expression) -> tuple[Axis, ...]:
        """The two axes of a matrix as rows and columns, as it would be written."""
        if len(x.axes) != 2:
            return ()
        if x not in self._naturals:
            self._naturals[x] = self._find_natural(x)
        return self._naturals[x]

    def layout(self, x: Expression) -> tuple[Axis, ...]:
        """All axes of `x` in order, where that is known."""
        if len(x.axes) < 2:
            return tuple(x.axes)
        known = self._names[x].layout if x in self._names else x.data[1] if x.kind == "leaf" else self.natural(x)
        return tuple(a for a in known if a is not None)

    def _find_natural(self, x: Expression) -> tuple[Axis, ...]:
        name = self._names.get(x)
        if name is not None:
            return tuple(a for a in name.layout if a is not None)
        if x.kind == "leaf":
            return tuple(a for a in x.data[1] if a is not None)
        if x.kind == "one_hot":
            return (*x.children[0].axes, x.data)
        if x.kind == "rename":
            moved = dict(x.data)
            return tuple(moved.get(a, a) for a in self.natural(x.children[0]))
        sides = matrix_sides(x)
        if sides is not None:
            (axis,) = x.data[1]
            ends = [next(a for y, _ in side for a in sorted(y.axes) if a != axis) for side in sides]
            turns = self.turns(sides[0], (ends[0], axis)) + self.turns(sides[1], (axis, ends[1]))
            back = self.turns(sides[1], (ends[1], axis)) + self.turns(sides[0], (axis, ends[0]))
            return (ends[0], ends[1]) if turns <= back else (ends[1], ends[0])
        for child in sorted(x.children, key=lambda child: (self.adapt(child), child.cost)):
            natural = self.natural(child)
            if set(natural) == x.axes:
                return natural
        return ()
