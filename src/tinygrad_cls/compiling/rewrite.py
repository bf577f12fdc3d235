"""The shared rules of algebra, used on a recorded graph.

The value that a matrix product or a result needs is read as an expression, simplified, and recorded anew where that
made it simpler. So `(−y / N) + (Σ y / N) · exp(z − m) / Σ exp(z − m)` becomes `(y′ − y) / N` by the rules that
`explain` shows. Only rules that hold within rounding for every value are used, and nothing that was only seen in the
data.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..algebra import expression as ex
from ..algebra.evaluate import by_position, evaluate, sorted_axes
from ..algebra.expression import Axis, Expression
from ..algebra.facts import Because, Facts
from ..algebra.read import Reading
from ..algebra.rules import RECOGNITIONS, RULES
from ..algebra.simplify import Simplifier
from ..backward import inputs_first
from ..recording import EVERYTHING, recording
from ..tensor import Array, Tensor

NOT_EXACT = frozenset({"where nothing flows", "mirror of the sigmoid", "exp undoes log"})
"""Rules that would change values beyond rounding: nan in a masked place, or of the logarithm of a negative number;
digits of 1 − σ(x) where σ(x) is near 1."""

HOLDING = tuple(rule for rule in RULES if rule.name not in NOT_EXACT)
EXACT = tuple(rule for rule in HOLDING if not rule.expands)
"""Multiplying out may lose digits: it is used only on what comes of a softmax that could overflow as it was written."""
_ADDING = frozenset({"add", "subtract"})
_ATOMS = frozenset({"matmul", "einsum", "sqrt", "log1p", "expm1"})  # read as sums, the last two would lose their digits
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
    order = inputs_first(outputs, lambda t: [x for x in t.inputs if isinstance(x, Tensor)])
    chosen = set(wanted)
    atoms = {t for t in order if _is_atom(t, labels)} | _inner_sums(order)
    letters = iter(f"x{i}" for i in range(len(order) * 3 + 10))
    names = {t: next(letters) for t in order if t in atoms or (t.operation is None and variable(t))}
    forward = set(inputs_first(losses, _operands))
    recognising = Simplifier(Facts(), [rule for rule in RULES if rule.name in RECOGNITIONS])
    mended: set[Expression] = set()  # softmax that was not computed as such, and may overflow

    def recognise(t: Tensor, x: Expression) -> Expression:
        found = recognising.recognised(x) if t in forward else x
        if found is not x and (t.scope is None or t.scope.name not in ("softmax", "sigmoid")):
            mended.add(found)
        return found

    reading = Reading(
        order,
        atoms=atoms,
        name=names.get,
        letter=lambda t: next(letters),
        letters=False,
        on_data=False,
        recognise=recognise,
    )
    simplifiers = Simplifier(_ForAllData(), EXACT), Simplifier(_ForAllData(), HOLDING)
    given: dict[Expression, Any] = {}
    found: dict[Tensor, Tensor] = {}
    letter_of: dict[Tensor, int] = {}
    made_of: dict[Tensor, int] = {}  # the letters that each tensor was computed from, as bits
    shown = _Shown(reading, letter_of)
    for t in order:
        made_of[t] = 0
        if t.dtype.kind == "f":
            new_letter = t in names and not _is_extreme(t)
            inside = functools.reduce(operator.or_, [made_of[x] for x in _operands(t)], 0)
            made_of[t] = 1 << len(letter_of) if new_letter else inside
            if t in names:
                letter_of[t] = made_of[t]
        x = reading.read(t)
        if t in chosen and t.operation is not None and t.dtype.kind == "f" and x.cost < _LONGEST:
            simple, new = _simpler(t, x, reading, simplifiers, given, mended)
            if new is not None and shown.everything(simple, made_of[t]):
                found[t] = new
                reading.expressions[t] = x = simple
        whole = x.axes == {axis for axis in reading.layout(t) if axis is not None}  # nothing is merely repeated
        known = x in given and given[x].dtype.kind == "f"
        if whole and x not in mended and x.kind != "number" and not known and shown.everything(x, made_of[t]):
            with recording(EVERYTHING):
                given[x] = sorted_axes(found.get(t, t), reading.layout(t))
    return found


class _Shown:
    """Which letters an expression shows: `0 x` and `x − x` show none, and a nan in x would be lost."""

    def __init__(self, reading: Reading, letter_of: dict[Tensor, int]) -> None:
        self._reading, self._letter_of = reading, letter_of
        self._letters: dict[Expression, int] = {}

    def everything(self, x: Expression, letters: int) -> bool:
        """Whether `x` shows all of these letters."""
        waiting = [x]
        while waiting:
            part = waiting[-1]
            missing = [child for child in part.children if child not in self._letters]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            own = self._letter_of.get(self._reading.leaves[part], 0) if part in self._reading.leaves else 0
            self._letters[part] = functools.reduce(operator.or_, [self._letters[y] for y in part.children], own)
        return not letters & ~self._letters[x]


class _ForAllData(Facts):
    """Only what holds for nan and infinite values, too."""

    def nonzero(self, x: Expression) -> Because | None:
        finite = x.kind in ("softmax", "size") or (x.kind == "call" and x.data == "sigmoid")
        return super().nonzero(x) if finite else None

    def sums_to_one(self, x: Expression, axes: Iterable[Axis]) -> Because | None:
        nan = any(part.kind == "softmax" for part in ex.inner_first(x))
        return None if nan else super().sums_to_one(x, axes)


def _is_atom(t: Tensor, labels: set[tuple[Tensor, int]]) -> bool:
    """Whether the algebra takes `t` as a letter: its inner form is either of no use or not to be touched."""
    if t.operation is None:
        return False
    if not t.size:  # what holds of softmax needs an element
        return True
    name = t.operation.name
    inputs = [x for x in t.inputs if isinstance(x, Tensor)]
    if name == "equal":
        return len(inputs) < 2 or (_unmoved(inputs[0]), inputs[1].size) not in labels
    if name == "astype":
        return inputs[0].dtype.kind == "f"
    if name == "exp":  # a softmax of integers is one of wrapped differences
        return inputs[0].dtype.kind != "f"
    if name == "power":  # of roots nan would be lost: √x √x is x for positive x only
        return not (type(t.inputs[1]) is int or (type(t.inputs[1]) is float and t.inputs[1].is_integer()))
    return (
        name in _ATOMS
        or _is_extreme(t)
        or not all(type(x) in (int, float, bool) for x in t.inputs if not isinstance(x, Tensor))
    )


def _is_extreme(t: Tensor) -> bool:
    """Whether the gradient looks for `t` among what it is the largest of: it has to be found there, digit for digit."""
    return t.operation is not None and t.operation.name in ("max", "min")


def _inner_sums(order: list[Tensor]) -> set[Tensor]:
    """Sums inside of sums: they stay as they are, since digits may depend on the order of adding up."""
    outer = [t for t in order if t.operation is not None and t.operation.name in _ADDING]
    return {
        x
        for t in outer
        for x in map(_source, _operands(t))
        if x.operation in {o.operation for o in outer} and not _is_shift(x)
    }


def _source(x: Tensor) -> Tensor:
    """Where the elements of `x` come from, when it only moves them."""
    while x.operation is not None and x.operation.name in ("identity", "stop_gradient", "reshape", "broadcast_to"):
        (x,) = x.inputs  # type: ignore[assignment]
    return x


def _is_shift(x: Tensor) -> bool:
    """Whether `x` is something less a constant such as its maximum, as in softmax."""
    return any(y.operation is not None and y.operation.name == "stop_gradient" for y in _operands(x))


def _operands(t: Tensor) -> list[Tensor]:
    return [x for x in t.inputs if isinstance(x, Tensor)]


def _unmoved(x: Tensor) -> Tensor:
    while x.operation is not None and x.operation.name == "reshape":
        (x,) = x.inputs  # type: ignore[assignment]
    return x


def _close(new: Array, old: Array) -> bool:
    """Whether a new form has the recorded value. A safety net: the rules themselves are to be right."""
    if not np.isfinite(old).all():
        return True  # such as exp(z) / Σ exp(z) after an overflow, which the stable form mends
    scale = float(np.max(np.abs(old), initial=0.0))
    return bool(np.allclose(new, old, rtol=1e-2, atol=scale * np.sqrt(np.finfo(old.dtype).eps)))


def _simpler(
    t: Tensor,
    x: Expression,
    reading: Reading,
    simplifiers: tuple[Simplifier, Simplifier],
    given: dict[Expression, Any],
    mended: set[Expression],
) -> tuple[Expression, Tensor | None]:
    simple, steps = simplifiers[not mended.isdisjoint(ex.inner_first(x))].simplify(x)
    unstable = {part for part in ex.inner_first(x) if mended and any(y in mended for y in ex.inner_first(part))}
    if not steps and not unstable:
        return x, None
    with recording(EVERYTHING), np.errstate(all="ignore"):
        known = {part: value for part, value in given.items() if part is not x and part not in unstable}
        value = evaluate(simple, known, masks=False)
        value = value if isinstance(value, Tensor) else Tensor(np.asarray(value, t.dtype))
        value = by_position(value, simple.axes, reading.layout(t))
    if value.dtype != t.dtype or value.shape != t.shape or not _close(value._array, t._array):
        return x, None
    value.name = t.name
    return simple, value
