"""A recorded graph as a plain list: what every drawing starts from, and what can be run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..engine.backward import inputs_first, pull_back
from ..engine.operation import Operation
from ..engine.recording import Scope
from ..engine.tensor import Array, Tensor
from ..visible import visible


class Literal(NamedTuple):
    """A Python number among the operands: part of the formula, no node of the graph."""

    value: bool | int | float


class Node(NamedTuple):
    """One tensor: where it comes from, and its values when it was used."""

    tensor: Tensor
    operation: Operation | None
    inputs: tuple[int | Literal, ...]  # positions in the list of nodes
    parameters: Mapping[str, Any]
    scopes: tuple[Scope, ...]  # the composites around it, outermost first
    name: str | None
    value: Array
    requires_grad: bool


class Graph:
    """All that some tensors were computed from, each node after its inputs, in an order that depends on nothing but
    the structure.

    Args:
        outputs: the tensors to read.
        names: further names for tensors of the graph; they come before the tensors' own.

    Raises:
        ValueError: when a name is given to a tensor that is not in the graph.
    """

    def __init__(self, outputs: Sequence[Tensor], names: Mapping[str, Tensor] | None = None) -> None:
        order = inputs_first(outputs, lambda tensor: [x for x in tensor.inputs if isinstance(x, Tensor)])
        index = {tensor: i for i, tensor in enumerate(order)}
        named: dict[Tensor, str] = {}
        for name, tensor in (names or {}).items():
            if not isinstance(tensor, Tensor):
                raise TypeError(f"names[{name!r}] must be a Tensor of the graph, not {type(tensor).__name__}")
            if tensor not in index:
                raise ValueError(f"names[{name!r}] is not part of this graph: nothing drawn was computed from it")
            named[tensor] = name
        # A leaf may have been assigned new values since: what an operation saw is what ran.
        seen: dict[Tensor, Array] = {}
        for tensor in order:
            for x, array in zip(tensor.inputs, tensor._operands, strict=True):
                if isinstance(x, Tensor):
                    seen.setdefault(x, array)
        self.nodes: list[Node] = [
            Node(
                tensor,
                tensor.operation,
                tuple(index[x] if isinstance(x, Tensor) else Literal(x) for x in tensor.inputs),
                tensor.parameters,
                tensor.scope.path() if tensor.scope is not None else (),
                None if (own := named.get(tensor, tensor.name)) is None else visible(own),
                seen.get(tensor, tensor._array),
                tensor.requires_grad,
            )
            for tensor in order
        ]
        self.outputs: list[int] = [index[tensor] for tensor in outputs]

    def replay(self) -> list[Array]:
        """Run the operations again on the leaves' values: what comes out is what the outputs hold, to the bit."""
        values: list[Any] = []
        for node in self.nodes:
            if node.operation is None:
                values.append(node.value)
            else:
                operands = [x.value if isinstance(x, Literal) else values[x] for x in node.inputs]
                values.append(np.asarray(node.operation.forward(*operands, **node.parameters)))
        return [values[i] for i in self.outputs]

    def gradients(self, everywhere: bool) -> dict[int, Array]:
        """The gradient of each node: a leaf's own `.grad`, and for the rest what `backward` had on its way.

        Args:
            everywhere: give gradients before `backward`, too.
        """
        leaves = {i: node.tensor._grad._array for i, node in enumerate(self.nodes) if node.tensor._grad is not None}
        output = self.nodes[self.outputs[0]].tensor
        single = len(self.outputs) == 1 and output.size == 1 and output.requires_grad
        if not single or not (leaves or everywhere):
            return leaves
        index = {node.tensor: i for i, node in enumerate(self.nodes)}
        try:
            with np.errstate(all="ignore"):
                passing = {index[t]: np.asarray(g) for t, g in pull_back(output, np.ones_like(output._array))}
        except RuntimeError:  # leaves were assigned since: only what backward left in them is still true
            return leaves
        return passing | leaves
