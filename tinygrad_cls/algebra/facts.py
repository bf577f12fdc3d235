"""What is known of an expression: proved from its form or, failing that, checked on the recorded data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from . import expression as ex
from .evaluate import evaluate
from .expression import Axis, Expression


class Because(NamedTuple):
    """A reason: why something is rewritten, or why a condition holds.

    Attributes:
        reason: in words; `{0}`, `{1}`, … stand for the formulas in `about`.
        about: the expressions it speaks of.
        holds: of a rule with a condition: why that holds.
        assumed: whether it was only checked on the data, and need not hold for other data.
    """

    reason: str
    about: tuple[Expression, ...] = ()
    holds: Because | None = None
    assumed: bool = False

    def words(self, written: Callable[[Expression], str]) -> str:
        """The whole reason in words.

        Args:
            written: how a formula is written.
        """
        text = self.reason.format(*map(written, self.about))
        if self.holds is not None:
            text += ", because " + self.holds.words(written) + (" in the recorded data" if self.holds.assumed else "")
        return text


class Facts:
    """Proves conditions.

    Args:
        values: the value of each leaf, for conditions about data. Without them only what follows from the form holds.
        variables: the leaves by which is differentiated: an assumption about them would not hold nearby.
        known: values of expressions that were computed before.
    """

    def __init__(
        self,
        values: Mapping[Expression, Any] | None = None,
        variables: Iterable[Expression] = (),
        known: dict[Expression, Any] | None = None,
    ) -> None:
        self._values = values
        self.variables: frozenset[Expression] = frozenset(variables)
        self._known = {} if known is None else known

    def on_data(self, x: Expression, holds: Callable[[Any], bool]) -> bool:
        """Whether something holds of the recorded value of `x`."""
        return self._values is not None and holds(np.asarray(evaluate(x, self._values, known=self._known)))

    def nonzero(self, x: Expression) -> Because | None:
        """Why `x` is nowhere 0."""
        if x.positive:
            return Because("{0} is always positive", (x,))
        if self.on_data(x, lambda value: bool(np.all(value != 0) and np.all(np.isfinite(value)))):
            return Because("{0} ≠ 0", (x,), assumed=True)
        return None

    def sums_to_one(self, x: Expression, axes: Iterable[Axis]) -> Because | None:
        """Why `Σ x = 1` along the axes."""
        over = frozenset(axes)
        if row_sum(x, over) == 1:
            kinds = {part.kind for part in ex.inner_first(x)}
            if x.kind == "one_hot":
                return Because("{0} is one-hot: one 1 among zeros", (x,))
            if x.kind == "softmax":
                return Because("softmax divides by exactly this sum", (x,))
            what = "one-hot" if "one_hot" in kinds else "softmax"
            return Because("{0} mixes " + what + " rows and equal shares in parts that add up to 1", (x,))
        if any(part in self.variables or part.kind in ("reduce", "opaque", "let") for part in ex.inner_first(x)):
            return None
        if over.issubset(x.axes) and self.on_data(ex.total(over, x), _is_one):
            return Because("Σ {0} = 1", (x,), assumed=True)
        return None


class ForAllData(Facts):
    """Proves what holds whatever the data are, nan and infinities among them."""

    def nonzero(self, x: Expression) -> Because | None:
        finite = x.kind in ("softmax", "size") or (x.kind == "call" and x.data == "sigmoid")
        return super().nonzero(x) if finite else None

    def sums_to_one(self, x: Expression, axes: Iterable[Axis]) -> Because | None:
        nan = any(part.kind == "softmax" for part in ex.inner_first(x))
        return None if nan else super().sums_to_one(x, axes)


def row_sum(x: Expression, axes: frozenset[Axis]) -> ex.Value | None:
    """`Σ x` along the axes as a number, where that follows from the form of `x`."""
    if x.kind == "one_hot":
        return Fraction(1) if axes == {x.data} else None
    if x.kind == "softmax":
        return Fraction(1) if axes == set(x.data) else None
    if x.kind not in ("combination", "number", "product"):
        return None
    result: ex.Value = Fraction(0)
    for c, part in ex.terms_of(x):
        if part is ex.ONE:
            part_sum: ex.Value | None = Fraction(int(np.prod([a.size for a in axes])))
        else:
            part_sum = row_sum(part, axes) if part.kind in ("one_hot", "softmax") else None
        if part_sum is None:
            return None
        result = result + c * part_sum
    return result if isinstance(result, Fraction) else ex.exact(round(result, 12))


def _is_one(value: Any) -> bool:
    # As exact as rows of rounded numbers such as 0.1 + 0.2 + 0.7 can be.
    return bool(np.all(np.abs(value - 1) <= 16 * np.finfo(value.dtype if value.dtype.kind == "f" else float).eps))
