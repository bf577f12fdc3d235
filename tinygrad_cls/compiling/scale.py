"""A learning rate moves from the many gradients that it multiplies to where they all come from.

`lr · (hᵀ δ)` is `hᵀ (lr · δ)`: one product with the small δ instead of one with every gradient. Within rounding, since
multiplying is only done earlier; used where less is multiplied in all.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.backward import inputs_first
from ..engine.operations import OPERATIONS
from . import steps
from .plan import memory
from .program import Builder, Value


def moved(outputs: Sequence[Value], builder: Builder) -> list[Value]:
    """The outputs with numbers multiplied earlier where that is less work."""
    outputs = list(outputs)
    order = inputs_first(outputs, lambda v: v.operands)
    for number in [v for v in order if v.operation == "input" and v.source[0] == "number"]:
        outputs = _moved(outputs, number, builder)
    return outputs


def _moved(outputs: list[Value], number: Value, builder: Builder) -> list[Value]:
    order = inputs_first(outputs, lambda v: v.operands)
    place = {v: i for i, v in enumerate(order)}
    users: dict[Value, list[Value]] = {}
    for v in order:
        for operand in v.operands:
            users.setdefault(operand, []).append(v)
    products = {v: x for v in order if (x := _multiplied(v, number)) is not None}  # with what each multiplies
    scaled: set[Value] = set()
    roots = set(outputs)
    for v in reversed(order):
        if v in roots or v not in users or v.is_number or v.operation in ("input", "constant"):
            continue
        if all(u in products or (u in scaled and _linear_operand(u, place) is v) for u in users[v]):
            scaled.add(v)
    new: dict[Value, Value] = {}
    cost = 0
    for v in order:
        inputs = tuple(new[x] if isinstance(x, Value) else x for x in v.inputs)
        if v in products:
            new[v] = new[products[v]] if products[v] in scaled else builder.over(v, inputs)
        elif v in scaled and _linear_operand(v, place) not in scaled:
            if v.operation == steps.DIVIDE and type(v.inputs[1]) in (int, float):
                share = builder.like(steps.DIVIDE, number, number, v.inputs[1])
                new[v] = builder.value(steps.MULTIPLY, (inputs[0], share), {}, v.shape, v.dtype, v.name)
            else:
                new[v] = builder.value(steps.MULTIPLY, (builder.over(v, inputs), number), {}, v.shape, v.dtype, v.name)
                cost += v.size
        elif v in scaled and v.operation == steps.DIVIDE and _last(v, scaled, place):
            x = v.operands[0]  # divided and multiplied at once
            plain = tuple(new[y] if isinstance(y, Value) else y for y in x.inputs)
            whole = builder.over(x, plain)
            share = builder.like(steps.DIVIDE, number, number, v.inputs[1])
            new[v] = builder.value(steps.MULTIPLY, (whole, share), {}, v.shape, v.dtype, v.name)
        else:
            new[v] = builder.over(v, inputs)
    for v in scaled:
        if v.name is not None and new[v] is not v and new[v].name == v.name:
            new[v].name = f"{number.name} {v.name}"
    saved = sum(v.size for v, x in products.items() if x in scaled)
    return [new[v] for v in outputs] if cost < saved else outputs


def _multiplied(v: Value, number: Value) -> Value | None:
    """What `v` multiplies by the number."""
    if v.operation != steps.MULTIPLY or v.is_number or number not in v.inputs:
        return None
    x = v.inputs[0] if v.inputs[1] is number else v.inputs[1]
    return x if isinstance(x, Value) and x.dtype == v.dtype and not x.is_number else None


def _last(v: Value, scaled: set[Value], place: dict[Value, int]) -> bool:
    x = v.operands[0]
    return type(v.inputs[1]) in (int, float) and x in scaled and _linear_operand(x, place) not in scaled


def _linear_operand(v: Value, place: dict[Value, int]) -> Value | None:
    """The operand that may be multiplied by a number in the place of the result."""
    x = _factor(v, place)
    return x if x is not None and x.dtype == v.dtype and v.dtype.char in "fd" else None  # half floats would underflow


def _factor(v: Value, place: dict[Value, int]) -> Value | None:
    """The operand that `v` is linear in; of several the one that comes later, which is the gradient."""
    if v.operation == steps.WHERE:
        _, zero, x = v.inputs
        linear = [x] if not isinstance(zero, Value) and zero == 0 else []
    else:
        operation = OPERATIONS.get(v.operation)
        linear = [v.inputs[i] for i in operation.linear] if operation is not None else []
    if any(x.is_number for x in v.operands):
        return None
    found = [x for x in linear if isinstance(x, Value) and v.inputs.count(x) == 1]
    return max(found, key=lambda x: place[memory(x)], default=None)
