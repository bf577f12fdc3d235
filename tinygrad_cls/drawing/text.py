"""A graph as lines of text."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ..engine.recording import Scope
from ..engine.tensor import Array
from ..visible import visible
from .columns import can_show, columns, readable
from .formulas import call, filled, formula_of, literal
from .graph import Graph, Literal
from .naming import names
from .values import lines, size
from .words import HEADERS


def text(graph: Graph, gradients: dict[int, Array], lang: str) -> str:
    """One line for each tensor: its formula, shape, values and gradient, under the names of composites."""
    encoding = getattr(sys.stdout, "encoding", None)  # a terminal without × gets x, before columns are aligned
    called = names(graph, {i: i for i in range(len(graph.nodes))})
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
        formula = readable(indent + _formula(graph, i, called), encoding)
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


def _formula(graph: Graph, i: int, called: Mapping[int, str]) -> str:
    node = graph.nodes[i]
    if node.operation is None:
        return called[i]
    operands = [literal(x.value) if isinstance(x, Literal) else called[x] for x in node.inputs]
    if node.operation.changes_nothing:
        return f"{called[i]} = {call(node.operation.name, operands)}"
    formula = formula_of(node.operation, node.inputs, node.parameters)
    return f"{called[i]} = {filled(formula, operands.__getitem__)}"
