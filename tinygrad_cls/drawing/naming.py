"""The letters of what has no name, as derivations choose them."""

from __future__ import annotations

from collections.abc import Mapping

from .graph import Graph, Node
from .letters import Names


def names(graph: Graph, keys: Mapping[int, int]) -> Mapping[int, str]:
    """A name for each node: the given one, else what a composite calls its result (y′), else the letter of its
    operation (e, s), with a number where that is taken; an output that is a number is L.

    Args:
        graph: whose names shall not be taken.
        keys: the nodes, in the order in which letters are given out, each with the one whose operation says which.
    """
    found: dict[int, str] = {}
    free = Names().free
    for i, node in enumerate(graph.nodes):
        if node.name:
            found[i] = free(node.name)  # of several with one name the first keeps it
    learnt = [node for node in graph.nodes if node.operation is None and node.requires_grad and not node.name]
    for key, first in keys.items():
        if key not in found:
            node = graph.nodes[key]
            is_loss = graph.outputs == [key] and node.operation is not None and not node.value.ndim
            found[key] = free("L" if is_loss else result(node) or _letter(graph.nodes[first], len(learnt) == 1))
    return found


def result(node: Node) -> str | None:
    """What a composite calls its result, where this is that."""
    scope = node.tensor.scope
    return scope.result if scope is not None and scope.made == node.tensor._number else None


def _letter(node: Node, alone: bool) -> str:
    if node.operation is not None:
        return node.operation.letter
    if node.value.dtype.kind in "iu":
        return "labels" if node.value.ndim else "label"
    if node.requires_grad:
        return "x" if alone else "w"
    return "c"
