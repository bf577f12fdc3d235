"""A graph as lines of text."""

from __future__ import annotations

import itertools
import sys

from ..engine.recording import Scope
from ..engine.tensor import Array
from ..visible import visible
from .columns import can_show, columns, readable
from .graph import Graph, Literal
from .values import lines, number, size
from .words import HEADERS

_LOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def text(graph: Graph, gradients: dict[int, Array], lang: str) -> str:
    """One line for each tensor: its formula, shape, values and gradient, under the names of composites."""
    encoding = getattr(sys.stdout, "encoding", None)  # a terminal without × gets x, before columns are aligned
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
        formula = readable(indent + _formula(graph, i, names), encoding)
        rows.append((formula, readable(size(node.value), encoding), lines(node.value), gradient))
    if any(gradient for *_, gradient in rows):
        value_header, gradient_header = HEADERS[lang if can_show("".join(HEADERS[lang]), encoding) else "en"]
        rows.insert(0, ("", "", [value_header], [gradient_header]))
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
    """The given names; what has none is called by the letter of its operation, leaves c, with a number where that is
    taken: e, d, d₁, as in derivations."""
    taken = {node.name for node in graph.nodes}
    names = []
    for node in graph.nodes:
        name = node.name
        if not name:
            letter = node.operation.letter if node.operation is not None else "c"
            numbers = itertools.count(1)
            name = letter
            while name in taken:
                name = letter + str(next(numbers)).translate(_LOW)
            taken.add(name)
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
