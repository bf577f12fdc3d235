"""What was recorded when a loss was explained, and whether a formula still holds on other data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..algebra.evaluate import by_position, evaluate, sorted_axes
from ..algebra.expression import Axis, Expression, Layout, leaves_of, operands
from ..engine.tensor import Tensor
from ..visible import visible

_CLOSE = 1e-6  # how far the sum of a row of data may be from 1: rows that were written down with few digits


class Assumption(NamedTuple):
    """A fact about the data that a derivation used.

    Attributes:
        fact: in words.
        about: the expression that it is about.
        over: the axes along which it sums to 1; None where it must nowhere be 0.
    """

    fact: str
    about: Expression
    over: tuple[Axis, ...] | None

    def holds(self, value: Any) -> bool:
        """Whether it holds of a value of the expression, its axes in sorted order."""
        value = np.asarray(value)
        if self.over is None:
            return bool(np.all(value != 0) and np.all(np.isfinite(value)))
        axes = sorted(self.about.axes)
        total = np.sum(value, axis=tuple(axes.index(a) for a in self.over))
        return bool(np.all(np.abs(total - 1) <= _CLOSE))


class Recorded(NamedTuple):
    """The data of a derivation.

    Attributes:
        names: every name of the loss, with what it stands for and how its axes stand.
        values: the recorded value of each leaf, its axes in sorted order.
        assumptions: what was assumed of the data.
        computed: values of expressions that were computed before.
        loose: the names of constants that do not know what they were computed from.
        absent: the names of arrays from which nothing in the loss was recorded as computed.
        defined: what leaves stand for that are no data: letters for something computed.
    """

    names: Mapping[str, tuple[Expression, Layout]]
    values: Mapping[Expression, Any]
    assumptions: Sequence[Assumption] = ()
    computed: dict[Expression, Any] | None = None
    loose: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    defined: Mapping[Expression, Expression] = MappingProxyType({})

    def value(
        self,
        x: Expression,
        given: Mapping[Expression, Any] = MappingProxyType({}),
        sizes: Mapping[Axis, int] = MappingProxyType({}),
    ) -> Any:
        """The value of an expression, its axes in sorted order.

        Args:
            x: the expression.
            given: values in the place of recorded ones.
            sizes: lengths of axes in the place of recorded ones.
        """
        values = {**self.values, **given}
        for leaf in leaves_of(x, lets=True) if self.defined else ():
            if leaf in self.defined and leaf not in given:
                meaning, layout = self.defined[leaf], leaf.data[1]
                array = by_position(evaluate(meaning, values, sizes), meaning.axes, layout, sizes)
                values[leaf] = sorted_axes(array, layout)
        known = self.computed if not given and not self.defined else None
        return evaluate(x, values, sizes, known=known)


class Given:
    """Other data for the names of a loss.

    Args:
        recorded: what was recorded.
        values: an array or Tensor for each name that is given.

    Raises:
        KeyError: when a name is not in the loss.
        ValueError: when a value has the wrong number of axes, or lengths that contradict each other.
    """

    def __init__(self, recorded: Recorded, values: Mapping[str, Any]) -> None:
        self._recorded = recorded
        self.values: dict[Expression, Any] = {}
        self.sizes: dict[Axis, int] = {}
        self.changed: list[str] = []
        """The names whose values are others than the recorded ones."""
        known: dict[Expression, Any] = {}
        for given, value in values.items():
            name = visible(given)
            if name not in recorded.names:
                raise KeyError(f"the loss has no {name!r}; it has {', '.join(recorded.names) or 'no names'}")
            x, layout = recorded.names[name]
            array = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
            _check_layout(name, array, layout, self.sizes)
            self.values[x] = sorted_axes(array, layout)
            before = by_position(evaluate(x, recorded.values, known=known), x.axes, layout)
            if not np.array_equal(array, before, equal_nan=array.dtype.kind == "f"):
                self.changed.append(name)

    def value(self, x: Expression) -> Any:
        """The value of an expression on this data, its axes in sorted order."""
        return self._recorded.value(x, self.values, self.sizes)

    def check(self, x: Expression) -> None:
        """Refuse to evaluate `x` where a value is missing, does not fit, or breaks what the derivation assumed.

        Raises:
            KeyError: when a name that it needs is not given.
            ValueError: when a value is given for what the loss does not know that it depends on; when lengths do not
                agree with an array in it, or what the derivation assumed does not hold.
        """
        needed = list(self._needed(x))
        missing = {leaf.data[0] for leaf in needed if leaf.data[2]}
        if missing - self._recorded.loose:
            raise KeyError(f"the formula needs {', '.join(sorted(missing - self._recorded.loose))}")
        if missing and self.changed:
            letter, others = min(missing), " and ".join(self.changed)
            raise KeyError(
                f"the formula needs {letter}, which was cut loose, by detach() or in no_grad(): it may have been "
                f"computed from {others}, which has another value now. Give {letter} a value here, too"
            )
        if absent := [name for name in self.changed if name in self._recorded.absent]:
            raise ValueError(f"nothing in the loss was recorded as computed from {absent[0]}: {_NAME_IT}")
        for leaf in needed:
            for axis in sorted(leaf.axes):
                if self.sizes.get(axis, axis.size) != axis.size:
                    raise ValueError(
                        f"{leaf.data[0]} has no name of its own, and length {axis.size} where other values have "
                        f"{self.sizes[axis]}: {_NAME_IT}"
                    )
        if self.changed:
            for assumption in self._recorded.assumptions:
                self._check_assumption(assumption)

    def _check_assumption(self, assumption: Assumption) -> None:
        if any(leaf.data[2] for leaf in self._needed(assumption.about)):
            return  # about something that is not given, because what is computed from it is
        if not assumption.holds(self.value(assumption.about)):
            raise ValueError(
                f"the derivation assumed that {assumption.fact}, which does not hold on this data: explain the loss on "
                "data of this kind"
            )

    def _needed(self, x: Expression) -> Iterator[Expression]:
        """The leaves that the value of `x` depends on and that are not given."""
        seen: set[Expression] = set()
        waiting = [x]
        while waiting:
            part = waiting.pop()
            if part in self.values or part in seen:
                continue
            seen.add(part)
            if part in self._recorded.defined:
                waiting.append(self._recorded.defined[part])
            elif part.kind == "leaf":
                yield part
            waiting.extend(reversed(operands(part)))


_NAME_IT = "give it a name (tg.Tensor(…, name=…)) before the loss is computed, and a value here"


def _check_layout(name: str, array: np.ndarray[Any, Any], layout: Layout, sizes: dict[Axis, int]) -> None:
    if array.ndim != len(layout):
        raise ValueError(f"{name} has {len(layout)} axes in the formula, got an array of shape {array.shape}")
    for axis, length in zip(layout, array.shape, strict=True):
        if axis is None:
            if length != 1:
                raise ValueError(f"{name} has an axis of length 1 in the formula, got an array of shape {array.shape}")
        elif sizes.setdefault(axis, length) != length:
            raise ValueError(f"{name} has length {length} where other values have {sizes[axis]}")
