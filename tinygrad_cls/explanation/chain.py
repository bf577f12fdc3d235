"""The chain rule: from the loss back to a tensor, one operation at a time, with the engine's own derivative rules."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Set
from typing import Any, NamedTuple

import numpy as np

from ..engine.backward import fitted, inputs_first, pull_back
from ..engine.recording import EVERYTHING, recording
from ..engine.tensor import Tensor, constant, describe
from .composites import Composite, composites

_ROUNDING = 1e-5  # of the largest gradient that comes by, also in single precision


class Link(NamedTuple):
    """One operation on the way back.

    Attributes:
        node: the tensor that the operation made.
        gradient: the gradient of the loss for it, as `backward` has it.
        symbol: a constant with these values, which stands for the gradient in the contributions.
        contributions: what the derivative passes on, as pairs of an input and a recorded tensor.
        composite: where the step goes through a whole composite, that.
    """

    node: Tensor
    gradient: Any
    symbol: Tensor
    contributions: list[tuple[Tensor, Tensor]]
    composite: Composite | None = None


def chain(output: Tensor, wrt: Tensor, whole: bool = False) -> list[Link]:
    """The operations from `output` back to `wrt`, in the order in which `backward` goes; `wrt` itself last.

    Args:
        output, wrt: from where to where.
        whole: go through composites in one step.

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
    steps = composites(between, output, wrt) if whole else {}
    inner = {t for composite in steps.values() for t in composite.inside}.difference(steps)
    links = []
    with np.errstate(all="ignore"), recording(EVERYTHING):
        for node, gradient in pull_back(output, np.ones_like(output.numpy()), through=between):
            if node in inner:
                continue
            symbol, composite = constant(np.asarray(gradient)), steps.get(node)
            if composite is not None:
                contributions = _through(composite, symbol, between)
            else:
                contributions = [] if node is wrt else _through_operation(node, symbol, between)
            links.append(Link(node, gradient, symbol, contributions, composite))
    return links


def _through_operation(node: Tensor, symbol: Tensor, between: Set[Tensor]) -> list[tuple[Tensor, Tensor]]:
    if node.operation is None:
        return []
    contributions = []
    for position, x in enumerate(node.inputs):
        vjp = node.operation.vjp(position) if isinstance(x, Tensor) and x in between else None
        if isinstance(x, Tensor) and vjp is not None:
            passed = fitted(vjp(symbol, node, *node.inputs, **node.parameters), x.numpy())
            contributions.append((x, passed))
    return contributions


def _through(composite: Composite, symbol: Tensor, between: Set[Tensor]) -> list[tuple[Tensor, Tensor]]:
    contributions = []
    for x in composite.inputs:
        if x in between:  # one input at a time: one may have been computed from another, outside
            through = {*composite.inside, x}
            passed = dict(pull_back(composite.result, symbol, through=through, record=True))
            if x in passed:
                contributions.append((x, passed[x]))
    return contributions


def held_constant(output: Tensor, tensors: Iterable[Tensor], detached: Container[Tensor]) -> dict[Tensor, bool]:
    """What the loss holds constant, each with whether that changes nothing: whether the gradient that it is denied is
    0, as for a number that is subtracted from all inputs and cancels in the end.

    Args:
        output: the loss.
        tensors: all that it was computed from, each after its inputs.
        detached: what is held although no operation says so.
    """
    held: dict[Tensor, None] = {}
    after: set[Tensor] = set()
    for t in tensors:
        if (t.operation is not None and t.operation.holds_constant) or t in detached:
            held[t] = None
            after.add(t)
        elif any(x in after for x in t.inputs if isinstance(x, Tensor)):
            after.add(t)
    denied: dict[Any, Any] = {}  # by value: a number that is subtracted here and added there is one number
    largest: dict[Any, float] = {}
    if output in after:
        with np.errstate(all="ignore"):
            for node, gradient in pull_back(output, np.ones_like(output.numpy()), through=after):
                if node in held:
                    key = _content(node)
                    denied[key] = denied.get(key, 0) + gradient
                for x in node.inputs:
                    if isinstance(x, Tensor) and x in held:
                        largest[_content(x)] = max(largest.get(_content(x), 0), np.max(np.abs(gradient), initial=0))
    nothing = {key: bool(np.all(np.abs(total) <= _ROUNDING * largest[key])) for key, total in denied.items()}
    return {t: nothing.get(_content(t), False) for t in held}


def _content(t: Tensor) -> tuple[Any, ...]:
    return t.shape, t.numpy().tobytes()


def detached_from(tensors: Iterable[Tensor]) -> dict[Tensor, Tensor]:
    """The constants that `detach` made of other tensors here: they share the memory of these."""
    computed: dict[tuple[Any, ...], Tensor] = {}
    constants: list[Tensor] = []
    for t in tensors:
        if _is_constant(t):
            constants.append(t)
        elif not _is_constant(_origin(t)):
            computed.setdefault(_memory(t), t)
    return {t: computed[_memory(t)] for t in constants if _memory(t) in computed}


def _is_constant(t: Tensor) -> bool:
    return t.operation is None and not t.requires_grad


def _origin(t: Tensor) -> Tensor:
    """Where the memory of `t` comes from, if it only shows the values of another, as a reshape does."""
    while True:
        same = (x for x in t.inputs if isinstance(x, Tensor) and _memory(x)[0] == _memory(t)[0])
        shown = next(same, None)
        if shown is None:
            return t
        t = shown


def _memory(t: Tensor) -> tuple[Any, ...]:
    array = t.numpy()
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str


def computed_from(
    roots: Iterable[Tensor], stop: Tensor | None = None, detached: Mapping[Tensor, Tensor] | None = None
) -> list[Tensor]:
    """Everything that the roots were computed from, back to `stop`, constants too, each after its inputs; what was
    detached after what it was detached from."""

    def inputs(t: Tensor) -> list[Tensor]:
        if detached is not None and t in detached:
            return [detached[t]]
        return [] if t is stop else [x for x in t.inputs if isinstance(x, Tensor)]

    return inputs_first(roots, inputs)


def _between(output: Tensor, wrt: Tensor) -> set[Tensor]:
    """`wrt`, and what depends on it and leads to `output`."""
    between = {wrt}
    for node in computed_from([output], wrt):
        if node.requires_grad and any(x in between for x in node.inputs if isinstance(x, Tensor)):
            between.add(node)
    return between
