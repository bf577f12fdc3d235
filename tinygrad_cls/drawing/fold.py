"""From a graph to the boxes of a picture: composites folded, repeated layers shown once, the rest summed up.

Each step takes a `Plan` and gives a smaller one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..engine.backward import inputs_first
from ..engine.recording import Scope
from .boxes import Box, Plan
from .formulas import called, formula_of, layer
from .graph import Graph, Literal, Node
from .moves import hold_parameters, write_moves, write_numbers

Expand = bool | int | Collection[str]
_LONGEST_PERIOD = 64  # boxes in a repeated layer
_NEAREST = 40  # boxes that are left of a graph too large to draw


def plan(graph: Graph, expand: Expand, constants: bool, repeats: bool, max_boxes: int) -> Plan:
    """What to draw of a graph; see `draw` for the options."""
    drawing = write_moves(write_numbers(hold_parameters(fold_composites(graph, expand))))
    drawing = drawing if constants else drop_constants(drawing)
    drawing = fold_repeats(drawing) if repeats else drawing
    if len(drawing.boxes) > max_boxes and expand is not False:
        return plan(graph, False, constants, repeats, max_boxes)
    return elide(drawing, min(max_boxes, _NEAREST)) if len(drawing.boxes) > max_boxes else drawing


def fold_composites(graph: Graph, expand: Expand) -> Plan:
    """One box for each node, or for each composite that is not to be expanded."""
    steps = _steps(graph) if expand is True else {}
    group_of: list[int] = []
    members: dict[int, list[int]] = {}
    folded: dict[int, Scope] = {}
    group_of_scope: dict[Scope, int] = {}
    for i, node in enumerate(graph.nodes):
        scope = None if node.operation is None else _outermost_folded(node.scopes, expand, steps)
        group = i if scope is None else group_of_scope.setdefault(scope, i)
        if scope is not None:
            folded[group] = scope
        group_of.append(group)
        members.setdefault(group, []).append(i)

    key = {group: nodes[-1] for group, nodes in members.items()}
    boxes: dict[int, Box] = {}
    for group, nodes in members.items():
        node = graph.nodes[nodes[0]]
        inside = set(nodes)
        if group in folded:
            flows: dict[int, bool] = {}
            for i in nodes:
                for position, x in enumerate(graph.nodes[i].inputs):
                    if not isinstance(x, Literal) and x not in inside and not _counts(graph, i, x):
                        outside = key[group_of[x]]
                        flows[outside] = flows.get(outside, False) or _flows(graph, i, position)
            scope = folded[group]
            inputs = _as_called(graph, scope, list(flows))
            formula = called(scope.name, len(inputs))
            around = scope.path()[:-1]
            flowing = tuple(flows[x] for x in inputs)
            part = scope.made is not None and all(graph.nodes[i].tensor._number != scope.made for i in nodes)
            box = Box("composite", tuple(nodes), tuple(inputs), flowing, formula, around, scope.name)
            boxes[key[group]] = replace(box, module=type(scope) is not Scope, part=part)
        elif node.operation is not None:
            operands = tuple(x if isinstance(x, Literal) else key[group_of[x]] for x in node.inputs)
            flowing = tuple(_flows(graph, group, position) for position in range(len(operands)))
            formula = formula_of(node.operation, node.inputs, node.parameters)
            boxes[group] = Box("operation", (group,), operands, flowing, formula, node.scopes)
        else:
            boxes[group] = Box("parameter" if node.requires_grad else "constant", (group,), ())
    return _in_order(Plan(graph, boxes, [key[group_of[i]] for i in graph.outputs]))


def _flows(graph: Graph, user: int, position: int) -> bool:
    """Whether a gradient goes back from a node to one of its operands."""
    node, x = graph.nodes[user], graph.nodes[user].inputs[position]
    if isinstance(x, Literal) or node.operation is None or not node.operation.differentiable:
        return False
    return node.operation.vjp(position) is not None and graph.nodes[x].requires_grad and node.requires_grad


def _counts(graph: Graph, user: int, x: int) -> bool:
    """Whether an operand only counts 0, 1, 2, … for a comparison: the classes of one-hot coding, which are no data."""
    operation, node = graph.nodes[user].operation, graph.nodes[x]
    if operation is None or not operation.boolean or node.operation is not None or node.name is not None:
        return False
    return node.value.dtype.kind == "i" and np.array_equal(node.value, np.arange(node.value.size))


def _as_called(graph: Graph, scope: Scope, inputs: list[int]) -> list[int]:
    """The operands of a composite: of a function what is learnt first, as in `cross_entropy(z, y)`."""
    is_function = layer(scope.name) == scope.name
    return sorted(inputs, key=lambda x: not graph.nodes[x].requires_grad) if is_function else inputs


def _steps(graph: Graph) -> dict[Scope, int]:
    """Of each composite the number of operations through which a gradient could go: of relu and one-hot at most one."""
    could: list[bool] = []
    steps: dict[Scope, int] = {}
    for node in graph.nodes:
        could.append(_could_carry(node, could))
        for scope in node.scopes:
            steps[scope] = steps.get(scope, 0) + could[-1]
    return steps


def _could_carry(node: Node, could: list[bool]) -> bool:
    """Whether a gradient goes through a node if all leaves require one."""
    if node.operation is None:
        return node.value.dtype.kind == "f"
    return node.operation.differentiable and any(could[x] for x in node.inputs if not isinstance(x, Literal))


def _outermost_folded(scopes: tuple[Scope, ...], expand: Expand, steps: Mapping[Scope, int]) -> Scope | None:
    for depth, scope in enumerate(scopes):
        if isinstance(expand, bool):
            unfolded = expand and steps[scope] > 1  # of what is a single step there is nothing more to see
        elif isinstance(expand, int):
            unfolded = depth < expand
        else:
            unfolded = scope.name in expand or layer(scope.name) in expand
        if not unfolded:
            return scope
    return None


def drop_constants(drawing: Plan) -> Plan:
    """Without the boxes that carry no gradient."""
    nodes = drawing.graph.nodes
    kept = {key for key in drawing.boxes if key in drawing.outputs or nodes[key].requires_grad}
    return replace(drawing, boxes={key: box for key, box in drawing.boxes.items() if key in kept})


def fold_repeats(drawing: Plan) -> Plan:
    """Layers of equal structure that follow each other, each fed by the one before, shown once: the last of them."""
    boxes = drawing.boxes
    sequence = [key for key, box in boxes.items() if box.inputs]
    users = _users(drawing)
    shown = dict(boxes)
    repeats: list[tuple[int, tuple[int, ...]]] = []
    for start, period, times in _runs(drawing, sequence, users):
        blocks = [sequence[start + r * period : start + (r + 1) * period] for r in range(times)]
        if not (_chained(blocks, users, drawing.outputs) and _wired_alike(boxes, blocks)):
            continue
        before_last = set(blocks[-2])
        for first, last in zip(blocks[0], blocks[-1], strict=True):
            pairs = zip(boxes[first].inputs, boxes[last].inputs, strict=True)
            # What the last layer took from the one before it, it now takes from where the first layer did.
            again = frozenset(i for i, x in enumerate(boxes[last].inputs) if x in before_last)
            inputs = tuple(a if b in before_last else b for a, b in pairs)
            shown[last] = replace(boxes[last], inputs=inputs, again=again)
        inside = set(blocks[-1])
        leaves = [x for key in blocks[-1] for x, _ in drawing.sources(key) if not boxes[x].inputs]
        own = [x for x in dict.fromkeys(leaves) if users[x] <= inside]
        repeats.append((times, (*own, *blocks[-1])))
    # What only the hidden layers used is no longer reached from the outputs, and falls away here.
    return _in_order(replace(drawing, boxes=shown, repeats=repeats)) if repeats else drawing


def _runs(drawing: Plan, sequence: list[int], users: dict[int, set[int]]) -> list[tuple[int, int, int]]:
    """Stretches of the sequence that repeat: (start, period, times), the longest first, none overlapping."""
    place = {key: i for i, key in enumerate(sequence)}
    near = {  # used within two layers at most: what one layer hands to the next
        x for x in sequence if max((place[user] for user in users[x]), default=0) - place[x] <= 2 * _LONGEST_PERIOD
    }
    numbers: dict[object, int] = {}
    tokens = np.array(
        [numbers.setdefault(_token(drawing, key, place, users, near), len(numbers)) for key in sequence], dtype=np.int64
    )
    found: list[tuple[int, int, int]] = []
    for period in range(1, min(_LONGEST_PERIOD, len(sequence) // 3) + 1):
        same = np.concatenate(([False], tokens[:-period] == tokens[period:], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if stop - start < period:
                continue
            # The first layer takes its input from elsewhere: its tokens differ, its boxes look the same.
            least = max(0, start - period)
            while start > least and _alike(drawing, sequence[start - 1], sequence[start - 1 + period]):
                start -= 1
            times = (stop - start) // period + 1
            if times >= 3:
                found.append((start, period, times))
    chosen: list[tuple[int, int, int]] = []
    for start, period, times in sorted(found, key=lambda run: (-run[1] * run[2], run[1], run[0])):
        if all(start + period * times <= s or s + p * t <= start for s, p, t in chosen):
            chosen.append((start, period, times))
    return chosen


def _token(drawing: Plan, key: int, place: dict[int, int], users: dict[int, set[int]], near: set[int]) -> object:
    """What is equal for the corresponding boxes of repeated layers."""
    box = drawing.boxes[key]
    wiring: list[object] = []
    for x in box.inputs:
        if isinstance(x, Literal):
            wiring.append((x, type(x.value)))
        elif x not in users:
            wiring.append("left out")
        elif x in near:
            wiring.append(place[key] - place[x])
        elif len(users[x]) > 1:
            wiring.append(("shared", x))
        else:
            wiring.append(_look(drawing, x))
    return _look(drawing, key), tuple(wiring)


def _look(drawing: Plan, key: int) -> tuple[object, ...]:
    """What a box shows, its values apart."""
    box, node = drawing.boxes[key], drawing.graph.nodes[key]
    operation = node.operation.name if node.operation is not None else ""
    frames = tuple(layer(scope.name) for scope in box.frames)
    parameters = repr(sorted(node.parameters.items()))
    name = node.name if box.inputs else None  # what the user named is worth seeing; leaves of layers differ in name
    held = [drawing.graph.nodes[x].value.shape for x in box.holds]
    what = (box.kind, layer(box.title), operation, box.formula, parameters, frames, name, str(held))
    return *what, node.value.shape, node.value.dtype.str, node.requires_grad


def _alike(drawing: Plan, first: int, second: int) -> bool:
    """Whether two boxes correspond, though the first one's layer is fed from elsewhere."""
    a, b = drawing.boxes[first], drawing.boxes[second]
    if _look(drawing, first) != _look(drawing, second) or len(a.inputs) != len(b.inputs):
        return False
    for x, y in zip(a.inputs, b.inputs, strict=True):
        if isinstance(x, Literal) or isinstance(y, Literal):
            if x != y:
                return False
        elif drawing.graph.nodes[x].value.shape != drawing.graph.nodes[y].value.shape:
            return False
    return True


def _chained(blocks: list[list[int]], users: dict[int, set[int]], outputs: list[int]) -> bool:
    """Whether each layer but the last feeds the next one and nothing else."""
    for block, following in pairwise(blocks):
        near = {*block, *following}
        if any(key in outputs or not users[key] <= near for key in block):
            return False
        if not any(users[key] & set(following) for key in block):
            return False
    return True


def _wired_alike(boxes: dict[int, Box], blocks: list[list[int]]) -> bool:
    """Whether the first layer's boxes use each other as the last layer's do."""
    counterpart = dict(zip(blocks[-1], blocks[0], strict=True))
    for last, first in counterpart.items():
        for a, b in zip(boxes[first].inputs, boxes[last].inputs, strict=True):
            if (not isinstance(b, Literal) and b in counterpart) and a != counterpart[b]:
                return False
    return True


def elide(drawing: Plan, max_boxes: int) -> Plan:
    """The boxes nearest to the outputs; one box sums up the rest."""
    kept = dict.fromkeys(drawing.outputs)
    waiting = list(drawing.outputs)
    for key in waiting:
        for x, _ in drawing.sources(key):
            if x not in kept and len(kept) < max_boxes:
                kept[x] = None
                waiting.append(x)
    hidden = [key for key in drawing.boxes if key not in kept]
    count = Counter(
        drawing.boxes[key].title or drawing.graph.nodes[key].operation.name  # type: ignore[union-attr]
        for key in hidden
        if drawing.boxes[key].inputs
    )
    commonest = [f"{name} × {n:,}" for name, n in sorted(count.items(), key=lambda item: (-item[1], item[0]))]
    title = ", ".join(commonest[:6]) + (", …" if len(commonest) > 6 else "")
    rest = hidden[-1]
    boxes = {rest: Box("elided", tuple(i for key in hidden for i in drawing.boxes[key].nodes), (), title=title)}
    boxes |= {key: box for key, box in drawing.boxes.items() if key in kept}
    repeats = [(times, tuple(key for key in keys if key in kept)) for times, keys in drawing.repeats]
    repeats = [(times, keys) for times, keys in repeats if keys]
    return replace(drawing, boxes=boxes, repeats=repeats, elided=frozenset(hidden), rest=rest)


def _users(drawing: Plan) -> dict[int, set[int]]:
    users: dict[int, set[int]] = {key: set() for key in drawing.boxes}
    for key in drawing.boxes:
        for x, _ in drawing.sources(key):
            users[x].add(key)
    return users


def _in_order(drawing: Plan) -> Plan:
    """The same boxes, each after its inputs; those that no output needs fall away."""
    order = inputs_first(drawing.outputs, lambda key: [x for x, _ in drawing.sources(key)])
    return replace(drawing, boxes={key: drawing.boxes[key] for key in order})
