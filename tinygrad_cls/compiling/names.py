"""Names for what a recording computes, so that the program reads like the course: z, h, y′, loss, ∂z."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..engine.backward import inputs_first
from ..engine.tensor import Tensor

if TYPE_CHECKING:
    from .watch import Watch

_ACTIVATIONS = frozenset({"relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "softplus"})


def name_tensors(watch: Watch, outputs: Sequence[Tensor]) -> None:
    """Name the tensors that have no name.

    Args:
        watch: the run.
        outputs: all that the function computes.
    """
    losses, operands = watch.losses, watch.operands
    forward = losses if losses else outputs
    order = inputs_first(forward, operands)
    used: dict[Tensor, list[Tensor]] = {}
    for t in order:
        for x in operands(t):
            used.setdefault(x, []).append(t)
    ends = set(losses)
    wishes = {t: "loss" if t in ends and t.size == 1 else _wish(t, used.get(t, [])) for t in order}
    wishes = {t: wish for t, wish in wishes.items() if wish and t.name is None}
    count, number = Counter(wishes.values()), Counter[str]()
    for t, wish in wishes.items():
        number[wish] += 1
        t.name = wish if count[wish] == 1 else f"{wish}{number[wish]}"
    for t, g in watch.pulled:
        if g.name is None and t.name is not None and g.operation is not None:
            g.name = f"∂{t.name}"


def _wish(t: Tensor, users: Sequence[Tensor]) -> str:
    operation = t.operation
    if operation is None:
        return ""
    scope = t.scope.name if t.scope is not None else ""
    if (operation.ufunc is not None and operation.letter == "h") or (
        scope in _ACTIVATIONS and all(u.scope is not t.scope for u in users)
    ):
        return "h"
    if operation.symbol == "+" and any(map(_is_product, t.inputs)):
        return "z"
    if _is_product(t) and not any(u.operation is not None and u.operation.symbol == "+" for u in users):
        return "z"
    return result_name(t) or ""


def result_name(t: Tensor) -> str | None:
    """What everybody calls the result of a composite, where `t` is it."""
    return t.scope.result if t.scope is not None and t.scope.made == t._number else None


def _is_product(x: object) -> bool:
    return isinstance(x, Tensor) and x.operation is not None and x.operation.symbol == "@"
