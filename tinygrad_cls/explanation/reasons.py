"""The derivative of an operation in words: what its entry says, or else worked out from the derivative itself."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ..algebra.read import Reading
from ..engine.backward import inputs_first
from ..engine.operation import Kind, Operation
from ..engine.recording import EVERYTHING, recording
from ..engine.tensor import Tensor, apply
from .notation import Notation
from .text import plain

WORDS: dict[str, dict[Any, str]] = {
    "en": {
        "derivative": "the derivative of {} is {}",
        "derivatives": "the derivative of {} with respect to {} is {}",
        "another": ", and with respect to {} it is {}",
        "same": "the values pass unchanged, and so does the gradient",
        "none": "{} is flat or jumps: it passes no gradient on",
        Kind.REDUCTION: "each element receives the gradient of the result that it went into",
        Kind.MOVEMENT: "the gradient goes back to where each element came from",
        Kind.CONTRACTION: "each factor receives the gradient times the other factors",
        Kind.CHOICE: "the gradient goes back to where the value was picked",
        Kind.OTHER: "the gradient goes back through {}",
    },
    "zh": {
        "derivative": "{} 的导数是 {}",
        "derivatives": "{} 对 {} 的导数是 {}",
        "another": "，对 {} 的导数是 {}",
        "same": "值原样通过，梯度也原样传回",
        "none": "{} 处处为常数或有跳跃，不传回梯度",
        Kind.REDUCTION: "每个元素得到它所参与的那个结果的梯度",
        Kind.MOVEMENT: "梯度回到每个元素原来的位置",
        Kind.CONTRACTION: "每个因子得到梯度与其余因子之积",
        Kind.CHOICE: "梯度回到取出该值的位置",
        Kind.OTHER: "梯度经 {} 传回",
    },
}
"""By language: what is said of operations whose entry gives no reason."""

_Slopes: TypeAlias = list[tuple[str, str]]  # by a letter, the derivative by it


def derivative_in_words(operation: Operation, parameters: Mapping[str, Any], language: str = "en") -> str:
    """Why the derivative of an operation is what it is.

    Args:
        operation: its entry.
        parameters: its static parameters.
        language: of the sentence; one that the entry or this file lacks is English.
    """
    said = operation.reason.get(language) or operation.reason.get("en")
    if said is not None:
        return said
    words = WORDS.get(language, WORDS["en"])
    if not operation.differentiable:
        return words["none"].format(operation.name)
    if operation.changes_nothing:
        return words["same"]
    if operation.kind is not Kind.ELEMENTWISE or callable(operation.vjps):
        return words.get(operation.kind, words[Kind.OTHER]).format(operation.name)
    function, derivatives = _worked_out(operation, len(operation.vjps), tuple(parameters.items()))
    if len(operation.vjps) == 1:
        return words["derivative"].format(function, derivatives[0][1])
    (x, d), *others = derivatives
    return words["derivatives"].format(function, x, d) + "".join(words["another"].format(*other) for other in others)


@functools.lru_cache
def _worked_out(operation: Operation, count: int, parameters: tuple[tuple[str, Hashable], ...]) -> tuple[str, _Slopes]:
    """An operation on letters, and its derivative by each of them, run on those letters: log(x), and 1 / x by x."""
    letters = {name: Tensor(0.5 + 0.25 * i, name=name) for i, name in enumerate("xyzuvw"[:count])}
    found = []
    with np.errstate(all="ignore"), recording(EVERYTHING):
        out = apply(operation, list(letters.values()), dict(parameters))
        for i, name in enumerate(letters):
            vjp = operation.vjp(i)
            if vjp is not None:
                found.append((name, _written(vjp(Tensor(1.0), out, *letters.values(), **dict(parameters)))))
    return _written(out), found


def _written(t: Tensor) -> str:
    order = inputs_first([t], lambda t: [x for x in t.inputs if isinstance(x, Tensor)])
    reading = Reading(order, name=lambda t: t.name, letter=lambda t: "c")
    return plain(Notation({}).written(reading.read(t))[0])
