"""What is no box of its own: a folded layer's parameters, numbers, and operations that pass values on.

Each step takes a `Plan` and gives a smaller one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ..engine.operation import Kind
from .boxes import Box, Plan
from .formulas import called, filled, literal, slot
from .graph import Literal
from .naming import result

_LONGEST = 40  # letters of a formula in another


def hold_parameters(plan: Plan) -> Plan:
    """The parameters that a folded layer alone uses, inside its box."""
    nodes = plan.graph.nodes
    uses = Counter(x for box in plan.boxes.values() for x in box.inputs)
    boxes = dict(plan.boxes)
    for key, box in plan.boxes.items():
        path = _path(box)
        if path is None:
            continue
        held = {
            x
            for x in box.inputs
            if not isinstance(x, Literal) and plan.boxes[x].kind == "parameter" and uses[x] == 1
            if x not in plan.outputs and "." in (name := nodes[x].name or "") and name.startswith(path)
        }
        kept = [i for i, x in enumerate(box.inputs) if x not in held]
        boxes[key] = replace(
            box,
            nodes=(*sorted(held), *box.nodes),
            inputs=tuple(box.inputs[i] for i in kept),
            flows=tuple(box.flows[i] for i in kept),
            formula=called(box.title, len(kept)),
            holds=tuple(sorted(held)),
        )
        for x in held:
            del boxes[x]
    return replace(plan, boxes=boxes)


def _path(box: Box) -> str | None:
    """What the names of a folded layer's parameters begin with; None for what is no layer."""
    if box.kind != "composite" or not box.module:
        return None
    path = box.title.rpartition(": ")[0]
    return f"{path}." if path else ""


def write_numbers(plan: Plan) -> Plan:
    """Constants without a name that are one number, as numbers in the formulas that use them."""
    nodes = plan.graph.nodes
    written: dict[int, Literal] = {}
    for key, box in plan.boxes.items():
        value, name = nodes[key].value, nodes[key].name
        if box.kind == "constant" and name is None and value.ndim == 0 and value.dtype.kind == "f":
            written[key] = Literal(value.item())
    written = {key: number for key, number in written.items() if key not in plan.outputs}
    boxes = {key: _with_numbers(box, written) for key, box in plan.boxes.items() if key not in written}
    return replace(plan, boxes=boxes)


def _with_numbers(box: Box, written: dict[int, Literal]) -> Box:
    inputs = tuple(x if isinstance(x, Literal) else written.get(x, x) for x in box.inputs)
    if inputs == box.inputs:
        return box
    texts = [
        literal(x.value) if isinstance(x, Literal) and x is not before else slot(i)
        for i, (x, before) in enumerate(zip(inputs, box.inputs, strict=True))
    ]
    return replace(box, inputs=inputs, formula=filled(box.formula, texts.__getitem__))


def write_moves(plan: Plan) -> Plan:
    """Reshapes, transposes, casts and what stops gradients: with the operation whose result they pass on, where nothing
    else uses that and it has no name, as `m = stop(max(z))`; else in the formulas that use them, as `a = Q Kᵀ`."""
    nodes = plan.graph.nodes
    uses = Counter(x for box in plan.boxes.values() for x in box.inputs if not isinstance(x, Literal))
    unnamed = {
        key
        for key, box in plan.boxes.items()
        if box.kind == "operation" and not _is_called(plan, key) and key not in plan.outputs
    }
    boxes: dict[int, Box] = {}
    moved: dict[int, Box] = {}  # in formulas, no boxes
    for key, box in plan.boxes.items():
        box = _with_moves(box, moved)
        if not _moves(plan, key, box):
            boxes[key] = box
            continue
        x = next(x for x in box.inputs if not isinstance(x, Literal))
        before = boxes.get(x)
        if (
            x in unnamed
            and uses[x] == 1
            and before is not None
            and len(before.formula) < _LONGEST
            and not result(nodes[x])
        ):
            formula = filled(box.formula, lambda _, before=before: before.formula)  # type: ignore[misc]
            flows = tuple(goes and any(box.flows) for goes in before.flows)
            nodes_ = (*before.nodes, key)
            boxes[key] = replace(before, nodes=nodes_, flows=flows, formula=formula, frames=box.frames)
            del boxes[x]
        elif key in unnamed and not result(nodes[key]) and len(box.formula) < _LONGEST:
            moved[key] = box
        else:
            boxes[key] = box
    return replace(plan, boxes=boxes)


def _is_called(plan: Plan, key: int) -> bool:
    """Whether a node has a name that its operand has not."""
    node = plan.graph.nodes[key]
    if node.operation is None or not node.operation.changes_nothing or isinstance(x := node.inputs[0], Literal):
        return node.name is not None
    return node.name not in (None, plan.graph.nodes[x].name)


def _moves(plan: Plan, key: int, box: Box) -> bool:
    operation = plan.graph.nodes[key].operation
    if operation is None or box.kind != "operation":
        return False
    passes_on = operation.changes_nothing or operation.kind is Kind.MOVEMENT
    return passes_on and sum(not isinstance(x, Literal) for x in box.inputs) == 1


def _with_moves(box: Box, moved: dict[int, Box]) -> Box:
    if not any(x in moved for x in box.inputs):
        return box
    inputs, flows, texts = list(box.inputs), list(box.flows), [slot(i) for i in range(len(box.inputs))]
    for i, x in enumerate(box.inputs):
        if x in moved:
            move = moved[x]
            position = next(k for k, y in enumerate(move.inputs) if not isinstance(y, Literal))
            inputs[i], flows[i] = move.inputs[position], flows[i] and move.flows[position]
            texts[i] = filled(move.formula, lambda _, i=i: slot(i))  # type: ignore[misc]
    return replace(box, inputs=tuple(inputs), flows=tuple(flows), formula=filled(box.formula, texts.__getitem__))
