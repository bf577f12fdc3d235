"""A graph as lines of text."""

from __future__ import annotations

from ..engine.recording import Scope
from ..engine.tensor import Array
from ..visible import visible
from .columns import columns
from .graph import Graph, Literal
from .values import lines, number, size


def text(graph: Graph, gradients: dict[int, Array]) -> str:
    """One line for each tensor: its formula, shape, values and gradient, under the names of composites."""
    names = _names(graph)
    rows: list[tuple[str, str, list[str], list[str]]] = []
    scopes: tuple[Scope, ...] = ()
    for i, node in enumerate(graph.nodes):
        indent = "  " * len(node.scopes)
        for depth, scope in enumerate(node.scopes):
            if scope not in scopes:
                rows.append(("  " * depth + f"{visible(scope.name)}:", "", [""], []))
        if node.operation is not None:
            scopes = node.scopes
        gradient = lines(gradients[i]) if i in gradients else []
        rows.append((indent + _formula(graph, i, names), size(node.value), lines(node.value), gradient))
    if any(gradient for *_, gradient in rows):
        rows.insert(0, ("", "", ["value"], ["gradient"]))
    widths = [max(columns(row[0]) for row in rows), max(columns(row[1]) for row in rows)]
    widths.append(max(columns(line) for row in rows for line in row[2]))
    written = []
    for formula, shape, value, gradient in rows:
        for k in range(max(len(value), len(gradient))):
            cells = [formula, shape] if k == 0 else ["", ""]
            cells.append(value[k] if k < len(value) else "")
            line = "  ".join(cell + " " * (width - columns(cell)) for cell, width in zip(cells, widths, strict=True))
            written.append((line + "  " + (gradient[k] if k < len(gradient) else "")).rstrip())
    return "\n".join(written)


def _names(graph: Graph) -> list[str]:
    """The given names; t1, t2, … for results and c1, c2, … for leaves that have none, skipping names that are taken."""
    taken = {node.name for node in graph.nodes}
    counts = {"t": 0, "c": 0}
    names = []
    for node in graph.nodes:
        name = node.name
        while not name or (name in taken and name != node.name):
            letter = "c" if node.operation is None else "t"
            counts[letter] += 1
            name = f"{letter}{counts[letter]}"
        names.append(name)
    return names


def _formula(graph: Graph, i: int, names: list[str]) -> str:
    node = graph.nodes[i]
    if node.operation is None:
        return names[i]
    operands = [number(x.value, 6) if isinstance(x, Literal) else names[x] for x in node.inputs]
    if node.operation.changes_nothing or "{0}" not in node.operation.notation:
        return f"{names[i]} = {node.operation.name}({', '.join(operands)})"
    return f"{names[i]} = {node.operation.notation.format(*operands, **node.parameters)}"
