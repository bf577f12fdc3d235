"""A learning rate moves from the many gradients that it multiplies to where they all come from.

`lr · (hᵀ δ)` is `hᵀ (lr · δ)`: one product with the small δ instead of one with every gradient. Within rounding, since
multiplying is only done earlier; used where less is multiplied in all.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.backward import inputs_first
from .plan import memory
from .program import Builder, Value
from .trace import Number


class Quotient:
    """A number divided by a constant, worked out anew in every step: `lr / N`."""

    def __init__(self, number: Number, divisor: float) -> None:
        self.number, self.divisor = number, divisor


def moved(outputs: Sequence[Value], builder: Builder) -> list[Value]:
    """The outputs with numbers multiplied earlier where that is less work."""
    outputs = list(outputs)
    order = inputs_first(outputs, lambda v: v.operands)
    numbers = {id(x): x for v in order for x in v.inputs if isinstance(x, Number)}
    for number in numbers.values():
        outputs = _moved(outputs, number, builder)
    return outputs


def _moved(outputs: list[Value], number: Number, builder: Builder) -> list[Value]:
    order = inputs_first(outputs, lambda v: v.operands)
    place = {v: i for i, v in enumerate(order)}
    users: dict[Value, list[Value]] = {}
    for v in order:
        for x in v.operands:
            users.setdefault(x, []).append(v)
    products = {v for v in order if v.operation == "multiply" and len(v.inputs) == 2 and v.inputs[1] is number}
    scaled: set[Value] = set()
    roots = set(outputs)
    for v in reversed(order):
        if v in roots or v not in users or v.operation in ("input", "constant"):
            continue
        if all(u in products or (u in scaled and _linear_operand(u, place) is v) for u in users[v]):
            scaled.add(v)
    new: dict[Value, Value] = {}
    cost = 0
    for v in order:
        inputs = tuple(new[x] if isinstance(x, Value) else x for x in v.inputs)
        if v in products:
            new[v] = inputs[0] if v.inputs[0] in scaled else builder.over(v, inputs)
        elif v in scaled and _linear_operand(v, place) not in scaled:
            if v.operation == "divide" and type(v.inputs[1]) in (int, float):
                new[v] = builder.value(
                    "multiply", (inputs[0], Quotient(number, v.inputs[1])), {}, v.shape, v.dtype, v.name
                )
            else:
                new[v] = builder.value("multiply", (builder.over(v, inputs), number), {}, v.shape, v.dtype, v.name)
                cost += v.size
        elif v in scaled and v.operation == "divide" and _last(v, scaled, place):
            x = v.operands[0]  # divided and multiplied at once
            plain = tuple(new[y] if isinstance(y, Value) else y for y in x.inputs)
            whole = builder.over(x, plain)
            new[v] = builder.value("multiply", (whole, Quotient(number, v.inputs[1])), {}, v.shape, v.dtype, v.name)
        else:
            new[v] = builder.over(v, inputs)
    for v in scaled:
        if v.name is not None and new[v] is not v and new[v].name == v.name:
            new[v].name = f"{number.name} {v.name}"
    saved = sum(v.size for v in products if v.inputs[0] in scaled)
    return [new[v] for v in outputs] if cost < saved else outputs


def _last(v: Value, scaled: set[Value], place: dict[Value, int]) -> bool:
    x = v.operands[0]
    return type(v.inputs[1]) in (int, float) and x in scaled and _linear_operand(x, place) not in scaled


def _linear_operand(v: Value, place: dict[Value, int]) -> Value | None:
    """The operand that may be multiplied by a number in the place of the result."""
    x = _factor(v, place)
    return x if x is not None and x.dtype == v.dtype and v.dtype.char in "fd" else None  # half floats would underflow


def _factor(v: Value, place: dict[Value, int]) -> Value | None:
    """The operand that `v` is linear in."""
    if v.operation in ("negative", "sum", "reshape", "permute_dims", "broadcast_to"):
        return v.operands[0]
    if v.operation == "divide" and isinstance(v.inputs[0], Value):
        return v.inputs[0] if v.inputs[0] not in v.inputs[1:] else None
    if v.operation in ("matmul", "multiply") and len(v.operands) == 2 and v.inputs[0] is not v.inputs[1]:
        return max(v.operands, key=lambda x: place[memory(x)])  # what comes later is the gradient
    if v.operation == "multiply" and len(v.operands) == 1 and not isinstance(v.inputs[1], Number):
        return v.operands[0]
    if v.operation == "where" and not isinstance(v.inputs[1], Value) and v.inputs[1] == 0:
        x = v.inputs[2]
        return x if isinstance(x, Value) and x is not v.inputs[0] else None
    return None
