"""The walk back through a recorded graph: reverse-mode differentiation.

`pull_back` is the one walk. Everything that differentiates (`Tensor.backward`, `grad`, drawings) reads what it
yields. It is a loop, so memory alone limits how deep a graph may be.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Set
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .array import describe
from .recording import ADVISERS, EVERYTHING, Scope, recording

if TYPE_CHECKING:
    from .tensor import Array, Tensor

K = TypeVar("K", bound=Hashable)


def pull_back(
    output: Tensor, seed: Any, *, through: Set[Tensor] | None = None, record: bool = False
) -> Iterator[tuple[Tensor, Any]]:
    """Yield each tensor that `output` was computed from, with the gradient of `output` for it.

    A tensor is yielded once, when the contributions of all its uses are added up; `output` itself comes first.

    Args:
        output: where to start.
        seed: the gradient of `output`: an array, or a Tensor when `record`.
        through: visit these tensors only; by default all that require a gradient.
        record: run the derivatives on Tensors, so that the gradients are graphs themselves.

    Raises:
        RuntimeError: when an operand has been assigned new values since it was used.
    """
    tensor = type(output)
    gradients = {output: seed}
    waiting = [] if output.operation is None else [(-output._number, output)]
    scopes: dict[Scope, Scope] = {}
    while waiting:
        # Newest first: all that was made from a tensor is newer, so its gradient is complete when its turn comes.
        _, node = heappop(waiting)
        g = gradients.pop(node)
        yield node, g
        vjps: Any = node.operation.vjps  # type: ignore[union-attr]
        if type(vjps) is not tuple:
            vjps = map(vjps, count())
        for x, array, vjp in zip(node.inputs, node._operands, vjps):  # noqa: B905 (count has no end)
            if type(x) is not tensor:
                continue
            if x._array is not array:
                raise _stale(x, node)
            if vjp is None or not (x._requires_grad if through is None else x in through):
                continue
            first = x not in gradients
            if record:
                with recording(EVERYTHING, _gradient_scope(node.scope, scopes)):
                    contribution = fitted(vjp(g, node, *node.inputs, **node.parameters), array)
                    gradients[x] = contribution if first else gradients[x] + contribution
            else:
                contribution = vjp(g, node._array, *node._operands, **node.parameters)
                if contribution.shape != array.shape or contribution.dtype is not array.dtype:
                    if array.shape[1:] == (1,):
                        ADVISERS[-1].spread(node)
                    contribution = fitted(contribution, array)
                gradients[x] = contribution if first else gradients[x] + contribution
            if first and x.operation is not None:
                heappush(waiting, (-x._number, x))
    yield from gradients.items()  # what is left belongs to leaves


@np.errstate(all="ignore")
def gradients_of_leaves(output: Tensor, seed: Array) -> list[tuple[Tensor, Array]]:
    """The gradient of `output` for each leaf that requires one.

    NumPy's floating-point warnings are the forward pass's: sqrt(0) is silent, and so is its infinite slope.
    """
    return [(tensor, g) for tensor, g in pull_back(output, seed) if tensor.operation is None]


def fitted(g: Any, operand: Array) -> Any:
    """The gradient in the shape and dtype of the operand: the derivative of broadcasting is to sum, that of a
    cast is to cast back."""
    if g.shape != operand.shape:
        added = g.ndim - operand.ndim
        axes = tuple(range(added))
        if g.shape[added:] != operand.shape:
            axes += tuple([added + i for i, n in enumerate(operand.shape) if n != g.shape[added + i]])
        g = g.sum(axis=axes)
        if g.shape != operand.shape:
            g = g.reshape(operand.shape)
    if g.dtype != operand.dtype:
        g = g.astype(operand.dtype)
    return g


def _stale(x: Tensor, node: Tensor) -> RuntimeError:
    return RuntimeError(
        f"{describe(x)} was assigned new values after {node.operation!r} had used it: a gradient now would "
        "belong to values that are gone. Compute the forward pass again before backward."
    )


def _gradient_scope(scope: Scope | None, scopes: dict[Scope, Scope]) -> Scope | None:
    """The heading over the derivative of what ran under `scope`: "∂softmax" for "softmax"."""
    if scope is None:
        return None
    if scope not in scopes:
        scopes[scope] = Scope(f"∂{scope.name}", _gradient_scope(scope.parent, scopes))
    return scopes[scope]


def inputs_first(outputs: Iterable[K], inputs_of: Callable[[K], list[K]]) -> list[K]:
    """Everything reachable, each after its inputs, the first output's first input first. A loop, not a recursion."""
    order: list[K] = []
    seen: set[K] = set()
    waiting = [(output, False) for output in reversed(list(outputs))]
    while waiting:
        node, inputs_done = waiting.pop()
        if inputs_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting.extend((x, False) for x in reversed(inputs_of(node)) if x not in seen)
    return order
