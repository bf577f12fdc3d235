"""A formula of a derivation: how it is written, and its value on other data."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np

from ..algebra.evaluate import by_position
from ..algebra.expression import Expression, Layout
from . import text
from .boxes import Box
from .latex import latex
from .mathml import mathml
from .notation import NOTHING, Notation
from .recorded import Given, Recorded

_DEFINED = 100  # names whose meaning is said; a derivation with more is for a program to read


class Formula:
    """An expression as it is written in a derivation.

    Attributes:
        expression: the expression.
        changed: the parts of it that a step changed, by the expression within which it did.
        layout: how the axes of its value stand.
    """

    def __init__(
        self,
        expression: Expression,
        notation: Notation,
        layout: Layout,
        recorded: Recorded,
        changed: Mapping[Expression, frozenset[Expression]] = NOTHING,
        unfold: bool = False,
        kept: Container[Expression] = frozenset(),
    ) -> None:
        self.expression = expression
        self.layout = layout
        self.changed = changed
        self._notation = notation
        self.recorded = recorded
        self._unfold = unfold
        self._kept = kept

    @functools.cached_property
    def _written(self) -> tuple[Box, list[Expression]]:
        return self._notation.written(self.expression, self.changed, self.layout, self._unfold, self._kept)

    @property
    def box(self) -> Box:
        """How it is written, as a tree of boxes."""
        return self._written[0]

    @property
    def mentions(self) -> list[Expression]:
        """The named expressions in it."""
        return self._written[1]

    def unmarked(self) -> Formula:
        """The same formula with nothing in it marked as changed."""
        return Formula(self.expression, self._notation, self.layout, self.recorded, NOTHING, self._unfold)

    def meaning(self, x: Expression) -> tuple[str, Formula]:
        """The name of an expression that the formula mentions, and what that is."""
        name = self._notation.names[x]
        return name.text, Formula(x, self._notation, name.layout, self.recorded, unfold=True)

    def __str__(self) -> str:
        return text.plain(self.box)

    def __repr__(self) -> str:
        return f"<formula {self}>"

    @property
    def latex(self) -> str:
        """The formula in LaTeX, with changed parts in colour."""
        return latex(self.box)

    @property
    def mathml(self) -> str:
        """The formula in MathML."""
        return mathml(self.box)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the loss, for which `evaluate` takes other values."""
        return tuple(self.recorded.names)

    @property
    def loose(self) -> frozenset[str]:
        """Those of them that stand for constants that do not know what they were computed from."""
        return self.recorded.loose

    @property
    def value(self) -> np.ndarray[Any, Any]:
        """Its value on the recorded data; a single number where it is the same along all axes."""
        value = self.recorded.value(self.expression)
        layout = self.layout if self.expression.axes else ()
        return np.array(by_position(value, self.expression.axes, layout))

    def evaluate(self, values: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """The formula's value on other data.

        Args:
            values: an array (or Tensor) for each name in the formula, in the layout of the recorded one; names of the
                loss that the formula has lost may be given too. Lengths of axes may differ from the recorded ones, if
                they agree with each other. A name that the user gave to something computed (`y′`) may be given as
                well; what it was computed from is not needed then.

        Raises:
            KeyError: when a name has no value, or is not in the loss.
            ValueError: when a value has the wrong number of axes, or lengths that contradict each other or an array
                without a name; when the derivation assumed something that does not hold on this data; when nothing in
                the loss was recorded as computed from a name.

        What was cut loose by `detach()` or in `no_grad()` has a letter, and takes a value by it: it is needed when
        others have changed. An array without a name that was computed in NumPy keeps its recorded value.

        Example:
            >>> import tinygrad_cls as tg
            >>> z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
            >>> d = tg.explain((z * z).sum(), wrt=z)
            >>> d.gradient.evaluate({"z": [3.0, 4.0]})
            array([6., 8.])
        """
        given = Given(self.recorded, values)
        given.check(self.expression)
        return np.array(by_position(given.value(self.expression), self.expression.axes, self.layout, given.sizes))


def meanings(formulas: Iterable[Formula]) -> list[tuple[str, Formula]]:
    """What the names in formulas stand for, and the names in those, until all is said."""
    found: dict[str, Formula] = {}
    waiting = deque((formula, x) for formula in formulas for x in formula.mentions)
    while waiting and len(found) < _DEFINED:
        formula, x = waiting.popleft()
        name, formula = formula.meaning(x)
        if name not in found:
            found[name] = formula
            waiting.extend((formula, x) for x in formula.mentions)
    return list(found.items())
