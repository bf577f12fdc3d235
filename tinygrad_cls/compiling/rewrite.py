"""The shared rules of algebra, used on a recorded graph.

The value that a matrix product or a result needs is read as an expression, simplified, and recorded anew where that
made it simpler. So `(−y / N) + (Σ y / N) · exp(z − m) / Σ exp(z − m)` becomes `(y′ − y) / N` by the rules that
`explain` shows, as far as they hold for all data; see `exact.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..algebra import expression as ex
from ..algebra.evaluate import by_position, evaluate, sorted_axes
from ..algebra.expression import Expression
from ..algebra.facts import Facts
from ..algebra.read import Reading
from ..algebra.rules import RECOGNITIONS, RULES
from ..algebra.simplify import Simplifier
from ..engine.backward import inputs_first
from ..engine.recording import EVERYTHING, recording
from ..engine.tensor import Array, Tensor
from .exact import EXACT, HOLDING, ForAllData, Letters, atoms_of
from .trace import operands

_LONGEST = 400  # parts of an expression; what is longer stays as it was recorded


def rewritten(
    outputs: list[Tensor],
    wanted: Iterable[Tensor],
    variable: Callable[[Tensor], bool],
    labels: set[tuple[Tensor, int]],
    losses: Iterable[Tensor] = (),
) -> dict[Tensor, Tensor]:
    """Simpler forms of some tensors, by the tensor that each replaces.

    Args:
        outputs: everything that the program computes.
        wanted: the tensors to look at.
        variable: whether a leaf has other values in every call.
        labels: class numbers that every call checks, with the number of classes.
        losses: what was differentiated: softmax and sigmoid are recognised in how they were computed.
    """
    order = inputs_first(outputs, operands)
    atoms = atoms_of(order, labels)
    named = {t for t in order if t in atoms or (t.operation is None and variable(t))}
    return _Rewriting(order, atoms, named, losses).forms(set(wanted))


class _Rewriting:
    """One walk over the recorded Tensors, inputs first."""

    def __init__(self, order: list[Tensor], atoms: set[Tensor], named: set[Tensor], losses: Iterable[Tensor]) -> None:
        letters = iter(f"x{i}" for i in range(len(order) * 3 + 10))
        names = {t: next(letters) for t in order if t in named}
        self._order = order
        self._forward = set(inputs_first(losses, operands))
        self._reading = Reading(
            order,
            atoms=atoms,
            name=names.get,
            letter=lambda t: next(letters),
            letters=False,
            on_data=False,
            recognise=self._recognised,
        )
        self._recognising = Simplifier(Facts(), [rule for rule in RULES if rule.name in RECOGNITIONS])
        self._exact, self._expanding = Simplifier(ForAllData(), EXACT), Simplifier(ForAllData(), HOLDING)
        self._mended: set[Expression] = set()  # softmax that was not computed as such, and may overflow
        self._values: dict[Expression, Any] = {}  # Tensors that have the value of an expression
        self._letters = Letters(self._reading, named)

    def forms(self, wanted: set[Tensor]) -> dict[Tensor, Tensor]:
        """The simpler forms of the Tensors that are wanted, where there are any."""
        found: dict[Tensor, Tensor] = {}
        for t in self._order:
            self._letters.note(t)
            x = self._reading.read(t)
            if t in wanted and t.operation is not None and t.dtype.kind == "f" and x.cost < _LONGEST:
                simple, form = self._simpler(t, x)
                if form is not None and self._letters.shows_all(simple, t):
                    found[t] = form
                    self._reading.expressions[t] = x = simple
            self._remember(x, t, found.get(t, t))
        return found

    def _recognised(self, t: Tensor, x: Expression) -> Expression:
        found = self._recognising.recognised(x) if t in self._forward else x
        if found is not x and (t.scope is None or t.scope.name not in ("softmax", "sigmoid")):
            self._mended.add(found)
        return found

    def _simpler(self, t: Tensor, x: Expression) -> tuple[Expression, Tensor | None]:
        """A simpler expression, and a Tensor of its value; none where there is none, or it has not the same value."""
        mends = self._mends(x)
        simple, steps = (self._expanding if mends else self._exact).simplify(x)
        if not steps and not mends:
            return x, None
        with recording(EVERYTHING), np.errstate(all="ignore"):
            parts = [part for part in ex.inner_first(simple) if part in self._values]
            known = {part: self._values[part] for part in parts if part is not x and not self._mends(part)}
            value = evaluate(simple, known, masks=False)
            value = value if isinstance(value, Tensor) else Tensor(np.asarray(value, t.dtype))
            value = by_position(value, simple.axes, self._reading.layout(t))
        if value.dtype != t.dtype or value.shape != t.shape or not _close(value._array, t._array):
            return x, None
        value.name = t.name
        return simple, value

    def _mends(self, x: Expression) -> bool:
        """Whether a softmax that may overflow is in it."""
        return bool(self._mended) and not self._mended.isdisjoint(ex.inner_first(x))

    def _remember(self, x: Expression, t: Tensor, value: Tensor) -> None:
        """That this Tensor has the value of an expression, for later ones that contain it."""
        whole = x.axes == {axis for axis in self._reading.layout(t) if axis is not None}  # nothing is merely repeated
        known = x in self._values and self._values[x].dtype.kind == "f"
        if whole and not known and x not in self._mended and x.kind != "number" and self._letters.shows_all(x, t):
            with recording(EVERYTHING):
                self._values[x] = sorted_axes(value, self._reading.layout(t))


def _close(new: Array, old: Array) -> bool:
    """Whether a new form has the recorded value. A safety net: the rules themselves are to be right."""
    if not np.isfinite(old).all():
        return True  # such as exp(z) / Σ exp(z) after an overflow, which the stable form mends
    scale = float(np.max(np.abs(old), initial=0.0))
    return bool(np.allclose(new, old, rtol=1e-2, atol=scale * np.sqrt(np.finfo(old.dtype).eps)))
