"""What `explain` is asked: a loss and a tensor, read as expressions, and the chain rule between them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..algebra import expression as ex
from ..algebra.evaluate import by_position, evaluate
from ..algebra.expression import Expression, Layout
from ..algebra.facts import Facts
from ..algebra.read import Reading
from ..algebra.rules import RECOGNITIONS, Rule
from ..algebra.simplify import Simplifier
from ..engine.operations import stop_gradient
from ..engine.tensor import Tensor
from .chain import Link, chain, computed_from, detached_from, held_constant
from .naming import Naming

HELD = stop_gradient.__name__
_ROUNDING = 1e5  # units in the last place


class Problem:
    """A loss and what to differentiate it by.

    Args:
        output: the loss.
        wrt: what to differentiate by.
        names: names for tensors, before their own.
        rules: the rules of algebra, by which what the user computed is recognised.

    Attributes:
        links: the operations from the loss back to `wrt`.
        forward: all that the loss and what has a name were computed from, each after its inputs.
        held: what is held constant, with whether that changes nothing.
        reading: the expressions of all tensors.
        values: values of expressions, as far as they were computed.
        totals: the gradient for each tensor on the way, as an expression; filled by `chain_rule`.
        ways: what of it comes back by each operation that uses the tensor.
    """

    links: list[Link]
    detached: dict[Tensor, Tensor]
    forward: list[Tensor]
    held: dict[Tensor, bool]
    naming: Naming
    dependent: set[Tensor]
    reading: Reading

    def __init__(
        self, output: Tensor, wrt: Tensor, names: Mapping[str, Tensor] | None, rules: tuple[Rule, ...]
    ) -> None:
        self.wrt = wrt
        self.links = chain(output, wrt)
        roots = [output, *(t for t in (names or {}).values() if isinstance(t, Tensor))]
        self.detached = detached_from(computed_from(roots, wrt))
        self.forward = computed_from(roots, wrt, self.detached)
        self.held = held_constant(output, self.forward, self.detached)
        copies = {t for t, source in self.detached.items() if t.name == source.name}
        self.naming = Naming(names, [t for t in self.forward if t not in copies])
        self.dependent = self._dependent()
        self.values: dict[Expression, Any] = {}
        self.totals: dict[Tensor, Expression] = {}
        self.ways: dict[Tensor, dict[Tensor, Expression]] = {}
        self.reading = self._reading(rules)
        given: dict[Tensor, Expression] = {}
        for t in self.forward:
            if t in self.detached:
                source = self.detached[t]
                copy = self.reading.aligned(self.reading.expressions[source], source, t)
                given[t] = ex.call(HELD, copy) if self.is_held(t) else copy
            self.reading.read(t, given)

    def _reading(self, rules: tuple[Rule, ...]) -> Reading:
        passed = [(link.symbol, link.node) for link in self.links]
        passed += list(self.detached.items())
        passed += [(part, x) for link in self.links for x, part in link.contributions]
        backward = computed_from(part for link in self.links for _, part in link.contributions)
        known = set(self.forward)
        recognising = Simplifier(Facts(), [rule for rule in rules if rule.name in RECOGNITIONS])

        def recognise(t: Tensor, x: Expression) -> Expression:
            x = recognising.recognised(x) if t in known else x
            return ex.call(HELD, x) if self.is_held(t) else x

        return Reading(
            [*self.forward, *(t for t in backward if t not in known)],
            atoms=[self.wrt],
            same=passed,
            name=self.naming.name,
            letter=self._letter,
            recognise=recognise,
        )

    def _dependent(self) -> set[Tensor]:
        """What depends on `wrt`, also where no gradient flows."""
        dependent = {self.wrt}
        for t in self.forward:
            inputs = [self.detached[t]] if t in self.detached else t.inputs
            if any(x in dependent for x in inputs if isinstance(x, Tensor)):
                dependent.add(t)
        return dependent

    def is_held(self, t: Tensor) -> bool:
        """Whether the gradient would be another if `t` was not held constant: then formulas must show it."""
        return t in self.dependent and self.held.get(t) is False

    def _letter(self, t: Tensor) -> str:
        if t is self.wrt:
            return self.naming.letter("x")
        if t.dtype.kind in "iu":
            return self.naming.letter("labels" if t.ndim else "label")
        return self.naming.letter("w" if t.requires_grad else "c")

    # --- the chain rule -------------------------------------------------------------------------------------------

    def chain_rule(self) -> Expression:
        """The gradient of every tensor on the way, as an expression; that of `wrt` last."""
        for link in self.links:
            first = ex.ONE if link is self.links[0] else ex.ZERO
            total = ex.plus(*self.ways[link.node].values()) if link.node in self.ways else first
            self.totals[link.node] = total
            for x, part in link.contributions:
                read = self.reading.aligned(self.reading.read(part, {link.symbol: total}), part, x)
                if read is ex.ZERO and self.reading.expressions[link.node].kind == "number":
                    continue  # z * 0 is 0 whatever z is: no way to come back
                ways = self.ways.setdefault(x, {})
                ways[link.node] = ex.plus(ways[link.node], read) if link.node in ways else read
        return self.totals[self.wrt]

    def only_moves(self, link: Link) -> bool:
        """Whether the operation changes no value, as a reshape, or a mean of one: nothing to see in a formula."""
        inputs = list(dict.fromkeys(x for x, _ in link.contributions))
        known = self.reading.expressions
        return len(inputs) == 1 and known[link.node] is known[inputs[0]] and len(self.ways.get(inputs[0], ())) == 1

    def passes_on(self, link: Link) -> list[Tensor]:
        """The inputs to which something comes back by an operation. At a 0 that was made as z * 0 the way ends."""
        inputs = [x for x in dict.fromkeys(x for x, _ in link.contributions) if link.node in self.ways.get(x, ())]
        return [x for x in inputs if x is self.wrt or x not in self._ends]

    @functools.cached_property
    def _ends(self) -> set[Tensor]:
        """Numbers on the way from which nothing goes on."""
        known = self.reading.expressions
        goes_on = {node for ways in self.ways.values() for node in ways}
        return {link.node for link in self.links if known[link.node].kind == "number" and link.node not in goes_on}

    def error(self, x: Expression, layout: Layout, reference: Any) -> float:
        """The largest absolute difference of an expression's value from another."""
        value = by_position(evaluate(x, self.reading.values, known=self.values), x.axes, layout)
        return _difference(np.asarray(value), np.asarray(reference))

    def rounding(self) -> float:
        """What a formula may differ by that is right: rounding, of numbers as large as the gradients on the way."""
        output = self.links[0].node
        sizes = [np.abs(link.gradient[np.isfinite(link.gradient)]) for link in self.links]
        return float(_ROUNDING * np.finfo(output.dtype).eps * max(np.max(size, initial=1.0) for size in sizes))

    def result_name(self, t: Tensor) -> str | None:
        """What a composite calls its result, where `t` is that: nothing inside the composite uses it."""
        result: str | None = getattr(t.scope, "result", None)
        return None if result is None or t in self._inner else result

    @functools.cached_property
    def _inner(self) -> set[Tensor]:
        """What is used inside the composite that it was made in."""
        return {
            x
            for node in self.forward
            if node.scope is not None
            for x in node.inputs
            if isinstance(x, Tensor) and x.scope in node.scope.path()
        }


def _difference(value: Any, reference: Any) -> float:
    """The largest absolute difference; equal infinities and nans count as equal."""
    if value.size == 0:
        return 0.0
    with np.errstate(all="ignore"):
        same = (value == reference) | (np.isnan(value) & np.isnan(reference))
        difference = np.where(same, 0.0, np.abs(value - reference))
    return float(np.max(np.where(np.isnan(difference), np.inf, difference)))
