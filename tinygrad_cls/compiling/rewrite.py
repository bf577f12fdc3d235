"""The shared rules of algebra, used on a recorded graph.

The value that a matrix product or a result needs is read as an expression, simplified, and recorded anew where that
made it simpler. So `(−y / N) + (Σ y / N) · exp(z − m) / Σ exp(z − m)` becomes `(y′ − y) / N` by the rules that
`explain` shows, as far as they hold for all data; see `exact.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..algebra import expression as ex
from ..algebra.evaluate import by_position, evaluate, sorted_axes
from ..algebra.expression import Expression
from ..algebra.facts import Facts, ForAllData
from ..algebra.read import Reading
from ..algebra.rule import holding_always
from ..algebra.rules import RECOGNITIONS, RULES
from ..algebra.simplify import Simplifier
from ..engine.backward import inputs_first
from ..engine.operation import Kind
from ..engine.recording import EVERYTHING, recording
from ..engine.tensor import Array, Tensor
from .exact import Letters, atoms_of, is_extreme
from .watch import Watch

_HOLDING = holding_always(RULES)
_EXACT = [rule for rule in _HOLDING if not rule.expands]  # multiplying out may lose digits: only what mends may do it
_LONGEST = 400  # parts of an expression; what is longer stays as it was recorded


class Rewriting:
    """One walk over the recorded Tensors, inputs first.

    Args:
        watch: the run.
        order: all Tensors that the program needs, each after its inputs.
        labels: class numbers that every call checks, with the number of classes.
    """

    def __init__(self, watch: Watch, order: list[Tensor], labels: set[tuple[Tensor, int]]) -> None:
        self._watch, self._order = watch, order
        atoms = atoms_of(watch, order, labels)
        named = {t for t in order if t in atoms or t in watch.sources}
        letters = iter(f"x{i}" for i in range(len(order) * 3 + 10))
        names = {t: next(letters) for t in order if t in named}
        self._forward = set(inputs_first(watch.losses, watch.operands))
        self._reading = Reading(
            order,
            atoms=atoms,
            name=names.get,
            letter=lambda t: next(letters),
            letters=False,
            on_data=False,
            recognise=self._recognised,
            inputs_of=lambda t: watch.inputs.get(t, t.inputs),
        )
        self._recognising = Simplifier(Facts(), [rule for rule in _HOLDING if rule.name in RECOGNITIONS])
        self._exact, self._expanding = Simplifier(ForAllData(), _EXACT), Simplifier(ForAllData(), _HOLDING)
        self._mended: set[Expression] = set()  # softmax that was not computed as such, and may overflow
        self._values: dict[Expression, Any] = {}  # Tensors that have the value of an expression
        self._letters = Letters(self._reading, named, watch.operands)

    def wanted(self, results: Iterable[Tensor]) -> set[Tensor]:
        """The Tensors whose forms matter: results, what matrix products multiply (y′ − y among them), and what is
        summed over samples: the gradients of biases are sums of what the weights' gradients are products of."""
        found = set(results)
        for t in self._order:
            kind = None if t.operation is None else t.operation.kind
            if kind is Kind.CONTRACTION:
                found.update(self._watch.operands(t))
            elif kind is Kind.REDUCTION and not is_extreme(t):
                found.update(x for x in self._watch.operands(t) if x.ndim > 1)
        return found

    def form(self, t: Tensor, wanted: bool) -> Tensor | None:
        """A simpler form of the next Tensor of the order, as a Tensor that is computed from earlier ones."""
        found: Tensor | None = None
        self._letters.note(t)
        x = self._reading.read(t)
        if wanted and t.operation is not None and t.dtype.kind == "f" and x.cost < _LONGEST:
            simple, form = self._simpler(t, x)
            if form is not None and self._letters.shows_all(simple, t):
                found = form
                self._reading.expressions[t] = x = simple
        self._remember(x, t, t if found is None else found)
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
        mending = mends or any(step.rule.holds == "mending" for step in steps)
        if not steps and not mends:
            return x, None
        with recording(EVERYTHING), np.errstate(all="ignore"):
            parts = [part for part in ex.inner_first(simple) if part in self._values]
            known = {part: self._values[part] for part in parts if part is not x and not self._mends(part)}
            value = evaluate(simple, known, masks=False)
            value = value if isinstance(value, Tensor) else Tensor(np.asarray(value, t.dtype))
            value = by_position(value, simple.axes, self._reading.layout(t))
        if value.dtype != t.dtype or value.shape != t.shape or not _close(value._array, t._array, mending):
            return x, None
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


def _close(new: Array, old: Array, mends: bool) -> bool:
    """Whether a new form has the recorded value. A safety net: the rules themselves are to be right.

    Where a form mends an overflow, such as that of exp(z) / Σ exp(z), what was not finite may have become so.
    """
    finite = np.isfinite(old)
    if not mends and not np.array_equal(new[~finite], old[~finite], equal_nan=True):
        return False
    scale = float(np.max(np.abs(old[finite]), initial=0.0))
    tolerance = scale * np.sqrt(np.finfo(old.dtype).eps)
    return bool(np.allclose(new[finite], old[finite], rtol=1e-2, atol=tolerance))
