"""A formula of a derivation: how it is written, and its value on other data."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra.evaluate import by_position, evaluate, sorted_axes
from ..algebra.expression import Axis, Expression, Layout, inner_first
from ..engine.tensor import Tensor
from . import text
from .boxes import Box
from .latex import latex
from .mathml import mathml
from .notation import NOTHING, Notation


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
        values: Mapping[Expression, Any],
        changed: Mapping[Expression, frozenset[Expression]] = NOTHING,
        unfold: bool = False,
    ) -> None:
        self.expression = expression
        self.layout = layout
        self.changed = changed
        self._notation = notation
        self._values = values
        self._unfold = unfold

    @functools.cached_property
    def _written(self) -> tuple[Box, list[Expression]]:
        return self._notation.written(self.expression, self.changed, self.layout, self._unfold)

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
        return Formula(self.expression, self._notation, self.layout, self._values, NOTHING, self._unfold)

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

    def evaluate(self, values: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """The formula's value on other data.

        Args:
            values: an array (or Tensor) for each name in the formula, in the layout of the recorded one. Lengths of
                axes may differ from the recorded ones, if they agree with each other. A name that the user gave to
                something computed (`y′`) may be given as well; what it was computed from is not needed then.

        Raises:
            KeyError: when a name has no value, or is not in the formula.
            ValueError: when a value has the wrong number of axes, or lengths that contradict each other.

        Example:
            >>> import tinygrad_cls as tg
            >>> z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
            >>> d = tg.explain((z * z).sum(), wrt=z)
            >>> d.gradient.evaluate({"z": [3.0, 4.0]})
            array([6., 8.])
        """
        known = {name.text: (x, name.layout) for x, name in self._notation.names.items()}
        for part in inner_first(self.expression):
            if part.kind == "leaf":
                known[part.data[0]] = (part, part.data[1])
        given: dict[Expression, Any] = {}
        sizes: dict[Axis, int] = {}
        for name, value in values.items():
            if name not in known:
                raise KeyError(f"the formula {self} has no {name!r}; it has {', '.join(known) or 'no names'}")
            x, layout = known[name]
            array = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
            _check_layout(name, array, layout, sizes)
            given[x] = sorted_axes(array, layout)
        missing = self._missing(given)
        if missing:
            raise KeyError(f"the formula {self} needs {', '.join(missing)}")
        recorded = {x: v for x, v in self._values.items() if x not in given and not x.data[2]}
        result = evaluate(self.expression, {**recorded, **given}, sizes)
        return np.array(by_position(result, self.expression.axes, self.layout, sizes))

    def _missing(self, given: Mapping[Expression, Any]) -> list[str]:
        """The names of leaves that the value depends on and that are not given."""
        missing: dict[str, None] = {}
        seen: set[Expression] = set()
        waiting = [self.expression]
        while waiting:
            part = waiting.pop()
            if part in given or part in seen:
                continue
            seen.add(part)
            if part.kind == "leaf" and part.data[2]:
                missing[part.data[0]] = None
            waiting.extend(part.children)
        return sorted(missing)


def _check_layout(name: str, array: np.ndarray[Any, Any], layout: Layout, sizes: dict[Axis, int]) -> None:
    if array.ndim != len(layout):
        raise ValueError(f"{name} has {len(layout)} axes in the formula, got an array of shape {array.shape}")
    for axis, length in zip(layout, array.shape, strict=True):
        if axis is None:
            if length != 1:
                raise ValueError(f"{name} has an axis of length 1 in the formula, got an array of shape {array.shape}")
        elif sizes.setdefault(axis, length) != length:
            raise ValueError(f"{name} has length {length} where other values have {sizes[axis]}")
