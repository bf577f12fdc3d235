"""What the page needs to try other values: numbers and labels, and the two losses of classification side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...algebra.evaluate import by_position, evaluate
from ...algebra.expression import Axis, Expression, inner_first, leaves_of
from ...engine.functional import log_softmax, softmax
from ...engine.losses import binary_cross_entropy_with_logits
from ...engine.operations.activations import sigmoid
from ...engine.recording import EVERYTHING, recording
from ...engine.tensor import Array
from .program import Program, UntranslatableError, length

if TYPE_CHECKING:
    from ..derivation import Derivation
    from ..formula import Formula

_MOST = 12  # numbers to try other values of


class Target(NamedTuple):
    """What the prediction should be, where it is a class for each row, or yes or no for each number.

    Attributes:
        name: its name in the derivation.
        start: its numbers.
        groups: the places of the numbers of each row, of which one is 1; None where each is 0 or 1 by itself.
    """

    name: str
    start: Array
    groups: list[list[int]] | None


def touchable(d: Derivation, values: Sequence[Formula]) -> dict[str, Any] | None:
    """What it takes to try other values of what the loss is differentiated by; None where they cannot be tried.

    Args:
        d: the derivation.
        values: the formulas whose values stand on the page, in its order.
    """
    recorded = d.gradient.recorded
    free, layout = recorded.names.get(d.wrt, (None, ()))
    if free is None or not 1 < length(layout) <= _MOST:
        return None
    if any(free in leaves_of(fact.about, lets=True) for fact in recorded.assumptions):
        return None  # it may not hold of other values
    found_target = _target(d)
    for target in (None,) if found_target is None else (found_target, None):
        try:
            found = _programs(d, values, target)
        except UntranslatableError:
            continue
        shape = [a.size for a in layout if a is not None]
        start = by_position(evaluate(free, recorded.values), free.axes, layout)
        names = [f"{d.wrt}[{', '.join(map(str, i))}]" for i in np.ndindex(*shape)]
        shapes = [list(formula.value.shape) for formula in values]
        found |= {"name": d.wrt, "shape": shape, "names": names, "start": _numbers(start), "shapes": shapes}
        return found if target is None else found | _labels(target) | _side_by_side(d, target)
    return None


def _programs(d: Derivation, values: Sequence[Formula], target: Target | None) -> dict[str, Any]:
    program = Program(d.wrt) if target is None else Program(d.wrt, target.name)
    free, layout = d.gradient.recorded.names[d.wrt]
    shape = [a.size for a in layout if a is not None]
    bars: list[list[Any]] = [[f"∂{d.output}/∂{d.wrt}", program.shown(d.gradient)]]
    for name, formula in d.where:
        if free in leaves_of(formula.expression, lets=True) and list(formula.value.shape) == shape:
            bars.append([name, program.shown(formula)])
    return {"bars": bars, "shown": [program.shown(formula) for formula in values], "code": program.code}


# --- the label --------------------------------------------------------------------------------------------------------


def _target(d: Derivation) -> Target | None:
    """The one constant among the names of the loss whose rows have a single 1, or that is 0 and 1 beside a sigmoid."""
    recorded = d.gradient.recorded
    found = []
    for name, (x, layout) in recorded.names.items():
        if name == d.wrt or name not in d.letters or x.kind not in ("leaf", "one_hot") or not x.axes or None in layout:
            continue
        if any(x in leaves_of(fact.about) and fact.over is None for fact in recorded.assumptions):
            continue  # that it is nowhere 0
        value = by_position(np.asarray(evaluate(x, recorded.values), float), x.axes, layout)
        over = x.data if x.kind == "one_hot" else _class_axis(d, x)
        if not np.isin(value, (0, 1)).all() or value.size > _MOST:
            continue
        if over is not None and (value.sum(layout.index(over)) == 1).all():
            places = np.moveaxis(np.arange(value.size).reshape(value.shape), layout.index(over), -1)
            found.append(Target(name, value, places.reshape(-1, over.size).tolist()))
        elif over is None and _prediction(d, x) is not None:
            found.append(Target(name, value, None))
    return found[0] if len(found) == 1 else None


def _class_axis(d: Derivation, x: Expression) -> Axis | None:
    """The axis along which a softmax in the loss of the same axes goes."""
    for part in inner_first(d.loss.expression, d.gradient.expression, lets=True):
        if part.kind == "softmax" and part.axes == x.axes:
            over: tuple[Axis, ...] = part.data
            return over[0] if len(over) == 1 else None
    return None


def _labels(target: Target) -> dict[str, Any]:
    shape = list(target.start.shape)
    return {"labels": {"name": target.name, "shape": shape, "start": _numbers(target.start), "groups": target.groups}}


# --- two losses -------------------------------------------------------------------------------------------------------


def _prediction(d: Derivation, y: Expression) -> Expression | None:
    """The softmax or sigmoid of what the loss is differentiated by, if the loss is a function of that and of `y`."""
    z, _ = d.gradient.recorded.names[d.wrt]
    for part in inner_first(d.loss.expression, d.gradient.expression, lets=True):
        of_z = part.kind == "softmax" or (part.kind == "call" and part.data == "sigmoid")
        if of_z and part.children == (z,) and part.axes == y.axes:
            return part
    return None


def _side_by_side(d: Derivation, target: Target) -> dict[str, Any]:
    """Programs for cross-entropy and squared error of the same prediction, each from a derivation; or nothing."""
    y_of, layout = d.gradient.recorded.names[target.name]
    p_of, taken = _prediction(d, y_of), d.gradient.recorded.names
    z, y = d.letters.get(d.wrt), d.letters[target.name]
    if p_of is None or z is None or d.question is None or layout != d.gradient.layout or z.shape != y.shape:
        return {}
    with recording(EVERYTHING):
        if p_of.kind == "softmax":
            axis = layout.index(p_of.data[0])
            p, entropy = softmax(z, axis), -(y * log_softmax(z, axis)).sum()
        else:
            p, entropy = sigmoid(z), binary_cross_entropy_with_logits(z, y, reduction="none").sum()
        losses = {"entropy": entropy, "square": ((p - y) ** 2).sum()}
    free_letters = (letter for letter in ("y′", "p", "ŷ", "q") if letter not in taken)
    name = next((called for called, (x, _) in taken.items() if x is p_of), None) or next(free_letters)
    sides = []
    try:
        for key, loss in losses.items():
            answer = d.question.of(loss, {d.wrt: z, target.name: y, name: p})
            program = Program(answer.wrt, target.name)
            parts = {"loss": answer.loss, "gradient": answer.gradient, "prediction": dict(answer.where).get(name)}
            if any(formula is None for formula in parts.values()):
                return {}
            registers = {part: program.shown(formula) for part, formula in parts.items() if formula is not None}
            own = _is_the_same(answer.gradient, d, target)
            sides.append({"key": key, "own": own, "code": program.code, **registers})
    except UntranslatableError:
        return {}
    return {"sides": sides, "prediction": name}


def _is_the_same(gradient: Formula, d: Derivation, target: Target) -> bool:
    """Whether another loss has the same gradient: on the recorded data, and on other numbers."""
    numbers = np.random.default_rng(0).normal(size=d.gradient.value.shape)
    data = {d.wrt: numbers, target.name: target.start}
    try:
        here = d.gradient.evaluate({name: value for name, value in data.items() if name in d.gradient.names})
    except (KeyError, ValueError):
        return False  # it needs more
    return bool(np.allclose(gradient.evaluate(data), here) and np.allclose(gradient.value, d.gradient.value))


def _numbers(x: Any) -> list[float]:
    numbers: list[float] = np.asarray(x, float).ravel().tolist()
    return numbers
