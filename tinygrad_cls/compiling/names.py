"""Names for what a recording computes, so that the program reads like the course: z, h, y′, loss, ∂z."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..engine.backward import inputs_first
from ..engine.tensor import Tensor
from .trace import operands

_ACTIVATIONS = frozenset({"relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "softplus"})


def name_tensors(
    outputs: Sequence[Tensor], losses: Sequence[Tensor], gradients: Iterable[tuple[Tensor, Tensor]]
) -> None:
    """Name the tensors that have no name.

    Args:
        outputs: all that the function computes.
        losses: what it differentiates: what leads there is the forward pass.
        gradients: pairs of a tensor and its gradient.
    """
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
    for t, g in gradients:
        if g.name is None and t.name is not None and g.operation is not None:
            g.name = f"∂{t.name}"


def _wish(t: Tensor, users: Sequence[Tensor]) -> str:
    if t.operation is None:
        return ""
    scope, operation = t.scope.name if t.scope is not None else "", t.operation.name
    if operation == "tanh" or (scope in _ACTIVATIONS and all(u.scope is not t.scope for u in users)):
        return "h"
    if operation == "add" and any(_is_product(x) for x in t.inputs):
        return "z"
    if operation == "matmul" and not any(u.operation is not None and u.operation.name == "add" for u in users):
        return "z"
    return result_name(t) or ""


def result_name(t: Tensor) -> str | None:
    """What everybody calls the result of some composites."""
    made = (t.scope.name if t.scope is not None else "", t.operation.name if t.operation is not None else "")
    return {("softmax", "divide"): "y′", ("one_hot", "astype"): "y"}.get(made)


def _is_product(x: object) -> bool:
    return isinstance(x, Tensor) and x.operation is not None and x.operation.name == "matmul"
