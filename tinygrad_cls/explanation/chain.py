"""The chain rule: from the loss back to a tensor, one operation at a time, with the engine's own derivative rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..engine.backward import fitted, inputs_first, pull_back
from ..engine.operation import OPERATIONS
from ..engine.recording import EVERYTHING, recording
from ..engine.tensor import Tensor, constant, describe

_ROUNDING = 1e-5  # of the largest part, also in single precision


class Link(NamedTuple):
    """One operation on the way back.

    Attributes:
        node: the tensor that the operation made.
        gradient: the gradient of the loss for it, as `backward` has it.
        symbol: a constant with these values, which stands for the gradient in the contributions.
        contributions: what the operation's derivative passes on, as pairs of an input and a recorded tensor.
    """

    node: Tensor
    gradient: Any
    symbol: Tensor
    contributions: list[tuple[Tensor, Tensor]]


def chain(output: Tensor, wrt: Tensor) -> list[Link]:
    """The operations from `output` back to `wrt`, in the order in which `backward` goes; `wrt` itself last.

    Raises:
        ValueError: when `output` has several elements, or does not depend on `wrt`.
    """
    if output.size != 1:
        raise ValueError(
            f"explain needs a loss with one element, got {describe(output)}: reduce it (.sum() or .mean())"
        )
    between = _between(output, wrt)
    if output not in between or (output is not wrt and not output.requires_grad):
        raise ValueError(
            f"{describe(output)} does not depend on {describe(wrt)}, or was not recorded: create the tensor with "
            "requires_grad=True before computing the loss, outside no_grad()"
        )
    links = []
    with np.errstate(all="ignore"), recording(EVERYTHING):
        for node, gradient in pull_back(output, np.ones_like(output.numpy()), through=between):
            symbol = constant(np.asarray(gradient))
            contributions = []
            if node.operation is not None and node is not wrt:
                for position, x in enumerate(node.inputs):
                    vjp = node.operation.vjp(position) if isinstance(x, Tensor) and x in between else None
                    if isinstance(x, Tensor) and vjp is not None:
                        passed = fitted(vjp(symbol, node, *node.inputs, **node.parameters), x.numpy())
                        contributions.append((x, passed))
            links.append(Link(node, gradient, symbol, contributions))
    return links


def held_constant(links: Iterable[Link]) -> dict[Tensor, bool]:
    """The tensors that the loss holds constant, each with whether that changes nothing: whether the gradient that they
    are denied is 0, as for a number that is subtracted from all inputs and cancels in the end."""
    denied: dict[Tensor, list[Any]] = {}
    with np.errstate(all="ignore"):
        for node, gradient, _, _ in links:
            for position, x in enumerate(node.inputs):
                if isinstance(x, Tensor) and x.operation is OPERATIONS["stop_gradient"]:
                    assert node.operation is not None
                    vjp = node.operation.vjp(position)
                    values = [y.numpy() if isinstance(y, Tensor) else y for y in node.inputs]
                    if vjp is not None:
                        part = fitted(vjp(np.asarray(gradient), node.numpy(), *values, **node.parameters), x.numpy())
                        denied.setdefault(x, []).append(part)
    return {x: _cancel(parts) for x, parts in denied.items()}


def _cancel(parts: list[Any]) -> bool:
    largest = max(np.max(np.abs(part), initial=0.0) for part in parts)
    return bool(largest > 0 and np.all(np.abs(sum(parts)) <= _ROUNDING * largest))


def computed_from(roots: Iterable[Tensor], stop: Tensor | None = None) -> list[Tensor]:
    """Everything that the roots were computed from, back to `stop`, constants too, each after its inputs."""
    return inputs_first(roots, lambda t: [] if t is stop else [x for x in t.inputs if isinstance(x, Tensor)])


def _between(output: Tensor, wrt: Tensor) -> set[Tensor]:
    """`wrt`, and what depends on it and leads to `output`."""
    between = {wrt}
    for node in computed_from([output], wrt):
        if node.requires_grad and any(x in between for x in node.inputs if isinstance(x, Tensor)):
            between.add(node)
    return between
