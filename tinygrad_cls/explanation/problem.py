"""What `explain` is asked: a loss and a tensor, read as expressions, and the chain rule between them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np

from ..algebra import expression as ex
from ..algebra.evaluate import by_position, evaluate, sorted_axes
from ..algebra.expression import Expression, Layout
from ..algebra.facts import Facts
from ..algebra.read import Reading
from ..algebra.rule import Rule
from ..algebra.rules import RECOGNITIONS
from ..algebra.shortest import shortest
from ..algebra.simplify import Rewriting, Simplifier
from ..engine.operations import stop_gradient
from ..engine.tensor import CUT_LOOSE, Tensor
from .chain import Link, chain, computed_from, detached_from, held_constant
from .layers import is_affine, layers_if_deep
from .matrices import matrix_sides
from .naming import Naming

HELD = stop_gradient.__name__
_ROUNDING = 1e5  # units in the last place
_LONGEST = 200  # what costs more is written, and rewritten, as a letter
_SHORTEST = 48  # the same where the way is so long that letters come often anyway
_FEW = 40  # operations; on a longer way nobody looks for shorter steps
_SHORT = 6  # what costs no more gets no letter: z − m
_READ = 12_000  # what all formulas on the way may cost together, before letters come sooner
REARRANGING = ("take out a common factor", "exp undoes log")
"""The rules that make nothing vanish: for the end, when it is known what meets what."""


class Problem:
    """A loss and what to differentiate it by.

    Args:
        output: the loss.
        wrt: what to differentiate by.
        names: names for tensors, before their own.
        rules: the rules of algebra, by which what the user computed is recognised.
        whole: go back through composites in one step.
        lengths: tensors that stand for the length of an axis: of which tensor, at which position.
        axes: how the axes of some tensors are called.

    Attributes:
        links: the operations from the loss back to `wrt`.
        forward: all that the loss and what has a name were computed from, each after its inputs.
        loose: constants that do not know what they were computed from, each with a letter.
        held: what is held constant, with whether that changes nothing.
        reading: the expressions of all tensors.
        values: values of expressions, as far as they were computed.
        layers: the results of a deep network's layers, each with its number; each has a letter.
        totals: the gradient for each tensor on the way, simplified; filled by `chain_rule`.
        ways: what of it comes back by each operation that uses the tensor, simplified.
        tidied: the steps by which a way was simplified, by the tensor and by what it comes back from; those of the
            sum of all ways by the tensor twice.
        in_short: the letter as which a total is passed on, where it is; its definition stands in it.
        arriving: of a composite that is passed in one step, a letter for the gradient that arrives at it.
        lemmas: what such a composite makes of that letter, for each of its inputs.
    """

    loose: dict[Tensor, str]
    layers: dict[Tensor, int]

    links: list[Link]
    detached: dict[Tensor, Tensor]
    forward: list[Tensor]
    held: dict[Tensor, bool]
    naming: Naming
    dependent: set[Tensor]
    reading: Reading

    def __init__(
        self,
        output: Tensor,
        wrt: Tensor,
        names: Mapping[str, Tensor] | None,
        rules: tuple[Rule, ...],
        whole: bool = False,
        lengths: Mapping[Tensor, tuple[Tensor, int]] = MappingProxyType({}),
        axes: Mapping[Tensor, Layout] = MappingProxyType({}),
    ) -> None:
        self.wrt = wrt
        self.links = chain(output, wrt, whole)
        roots = [output, *(t for t in (names or {}).values() if isinstance(t, Tensor))]
        self.detached = detached_from(computed_from(roots, wrt))
        self.forward = computed_from(roots, wrt, self.detached)
        self.held = held_constant(output, self.forward, self.detached)
        copies = {t for t, source in self.detached.items() if t.name == source.name}
        self.naming = Naming(names, [wrt, *(t for t in self.forward if t not in copies)])
        self.loose = {t: self.naming.letter("c") for t in self.forward if self._is_loose(t)}
        self.dependent = self._dependent()
        self.values: dict[Expression, Any] = {}
        self.totals: dict[Tensor, Expression] = {}
        self.ways: dict[Tensor, dict[Tensor, Expression]] = {}
        self.arriving: dict[Tensor, Expression] = {}
        self.lemmas: dict[tuple[Tensor, Tensor], Expression] = {}
        self._by_form = Simplifier(Facts(), rules)
        self.tidied: dict[tuple[Tensor, Tensor], list[Rewriting]] = {}
        self.in_short: dict[Tensor, Expression] = {}
        self._longest = max(_SHORTEST, min(_LONGEST, _READ // len(self.links)))
        self.layers = layers_if_deep(self.forward)
        self.reading = self._reading(rules, axes)
        along = {t: self.reading.axis(*place) for t, place in lengths.items()}
        given: dict[Tensor, Expression] = {t: ex.size(axis) for t, axis in along.items() if axis is not None}
        for t in self.forward:
            if t in self.detached:
                source = self.detached[t]
                copy = self.reading.aligned(self.reading.expressions[source], source, t)
                given[t] = ex.call(HELD, copy) if self.is_held(t) else copy
            self.reading.read(t, given)

    def _reading(self, rules: tuple[Rule, ...], axes: Mapping[Tensor, Layout]) -> Reading:
        uses = Counter(x for t in self.forward for x in t.inputs if isinstance(x, Tensor))
        passed = [(link.symbol, link.node) for link in self.links]
        passed += list(self.detached.items())
        passed += [(part, x) for link in self.links for x, part in link.contributions]
        backward = computed_from(part for link in self.links for _, part in link.contributions)
        known = set(self.forward)
        recognising = Simplifier(Facts(), [rule for rule in rules if rule.name in RECOGNITIONS])

        def recognise(t: Tensor, x: Expression) -> Expression:
            if t in known:
                x = recognising.recognised(x)
                if t is not self.links[0].node and (t in self.layers or self._needs_letter(x, uses[t])):
                    x = ex.let(x)
            return ex.call(HELD, x) if self.is_held(t) else x

        return Reading(
            [*self.forward, *(t for t in backward if t not in known)],
            atoms=[self.wrt],
            same=passed,
            name=lambda t: self.naming.name(t) or self.loose.get(t),
            letter=self._letter,
            recognise=recognise,
            axes=axes,
        )

    def names(self) -> dict[str, Tensor]:
        """The names of all that has one, except for what is used inside a composite alone."""
        named = {self.naming.name(t): t for t in self.forward if t not in self.inner}
        return {name: t for name, t in named.items() if name is not None}

    def _dependent(self) -> set[Tensor]:
        """What depends on `wrt`, also where no gradient flows."""
        dependent = {self.wrt}
        for t in self.forward:
            inputs = [self.detached[t]] if t in self.detached else t.inputs
            if any(x in dependent for x in inputs if isinstance(x, Tensor)):
                dependent.add(t)
        return dependent

    def _is_loose(self, t: Tensor) -> bool:
        return t.parameters is CUT_LOOSE and t not in self.detached and self.naming.name(t) is None

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

    def chain_rule(self, simplifier: Simplifier, tidying: Simplifier, cancelling: Simplifier) -> Expression:
        """The gradient of every tensor on the way, simplified before it is passed on; that of `wrt` last, as it comes.

        Args:
            simplifier: simplifies what a layer receives, which is a result in itself.
            tidying: simplifies everything else, without rearranging it.
            cancelling: simplifies what comes back to `wrt`: what is left to do there is the algebra.
        """
        for link in self.links:
            first = ex.ONE if link is self.links[0] else ex.ZERO
            total = ex.plus(*self.ways[link.node].values()) if link.node in self.ways else first
            if link.node is not self.wrt:
                total = self._passed_on(link, total, simplifier if self._is_layer(link.node) else tidying)
            self.totals[link.node] = total
            for x, part in link.contributions:
                read = self._passed(link, total, x, part)
                if read is ex.ZERO and self.reading.expressions[link.node].kind == "number":
                    continue  # z * 0 is 0 whatever z is: no way to come back
                ways = self.ways.setdefault(x, {})
                ways[link.node] = ex.plus(ways[link.node], read) if link.node in ways else read
            for x in dict.fromkeys(x for x, _ in link.contributions):
                if link.node in self.ways.get(x, ()):
                    by = cancelling if x is self.wrt else tidying
                    self.ways[x][link.node] = self._tidied(x, link.node, self.ways[x][link.node], by)
        return self.totals[self.wrt]

    def _passed(self, link: Link, total: Expression, x: Tensor, part: Tensor) -> Expression:
        """What of the gradient that arrives at a tensor goes on to an input."""
        if link.composite is None:
            arrived = self.reading.aligned(total, link.node, link.symbol)
            return self.reading.aligned(self.reading.read(part, {link.symbol: arrived}), part, x)
        node, layout = link.node, self.reading.layout(link.node)
        if node not in self.arriving:
            arriving = self.arriving[node] = ex.leaf(f"∂{len(self.arriving)}", layout, facts=("given",))
            self.reading.values[arriving] = sorted_axes(link.gradient, layout)
        arrived = self.reading.aligned(self.arriving[node], node, link.symbol)
        read = self.reading.read(part, {link.symbol: arrived})
        lemma = self.by_form(self.reading.aligned(read, part, x))
        self.lemmas[node, x] = lemma
        return ex.substituted(lemma, {self.arriving[node]: total})

    def by_form(self, x: Expression) -> Expression:
        """An expression simplified by its form alone, whatever its values."""
        return self._by_form.simplify(x)[0]

    def _needs_letter(self, x: Expression, uses: int) -> bool:
        """Whether `x` is too long, or would be: in a deep network a sum that is used twice doubles with each layer."""
        repeated = bool(self.layers) and uses > 1 and x.kind == "combination"
        return x.cost > (_SHORT if repeated else self._longest)

    def _is_layer(self, t: Tensor) -> bool:
        return t in self.layers or is_affine(t)

    def _tidied(self, x: Tensor, node: Tensor, gradient: Expression, simplifier: Simplifier) -> Expression:
        result, steps = simplifier.simplify(gradient)
        if steps:
            few = len(self.links) <= _FEW and x is node  # where several steps of algebra meet, as at a layer
            self.tidied[x, node] = shortest(gradient, steps, simplifier.facts, simplifier.rules) if few else steps
        return result

    def _passed_on(self, link: Link, total: Expression, simplifier: Simplifier) -> Expression:
        """A total, simplified; what is too long in it, and what a hidden layer receives, as a letter.

        A hidden layer receives a product that contains a matrix product. Numbers stay outside: δ / N."""
        t = link.node
        total = self._tidied(t, t, total, simplifier)
        factors, number = ex.factors_of(total), ex.coefficient_of(total)
        arrays = [(base, p) for base, p in factors if base.axes]
        hidden = self._is_layer(t) and len(arrays) > 1 and any(_comes_from_a_layer(base) for base, _ in arrays)
        uses = len({x for x, _ in link.contributions})
        if not (hidden or self._needs_letter(total, uses)):
            return total
        inside = arrays if hidden else factors
        short = ex.let(ex.multiply(inside, Fraction(-1 if number < 0 else 1)))
        self.in_short[t] = short
        outside = [factor for factor in factors if factor not in inside]
        return ex.multiply([*outside, (short, Fraction(1))], ex.magnitude(number))

    def only_moves(self, link: Link) -> bool:
        """Whether the operation changes no value, as a reshape, or a mean of one: nothing to see in a formula."""
        inputs = list(dict.fromkeys(x for x, _ in link.contributions))
        known = self.reading.expressions
        return (
            len(inputs) == 1
            and known[link.node] is known[inputs[0]]
            and link.node.size == inputs[0].size  # what repeats elements adds up what comes back
            and len(self.ways.get(inputs[0], ())) == 1
        )

    def passes_on(self, link: Link) -> list[Tensor]:
        """The inputs to which something comes back by an operation. At a 0 that was made as z * 0 the way ends."""
        inputs = [x for x in dict.fromkeys(x for x, _ in link.contributions) if link.node in self.ways.get(x, ())]
        return [x for x in inputs if x is self.wrt or x not in self.ends]

    @functools.cached_property
    def ends(self) -> set[Tensor]:
        """Numbers on the way from which nothing goes on, or only to such."""
        ends: set[Tensor] = set()
        for node in (link.node for link in reversed(self.links)):
            is_number = self.reading.expressions[node].kind == "number"
            if is_number and all(x in ends for x, ways in self.ways.items() if node in ways):
                ends.add(node)
        return ends

    def error(self, x: Expression, layout: Layout, reference: Any) -> float:
        """The largest absolute difference of an expression's value from another."""
        value = by_position(evaluate(x, self.reading.values, known=self.values), x.axes, layout)
        return _difference(np.asarray(value), np.asarray(reference))

    def rounding(self) -> float:
        """What a formula may differ by that is right: rounding, of numbers as large as the gradients on the way.

        One float32 on the way, such as the weights of a layer on inputs in float64, rounds all of it.
        """
        sizes = [np.abs(link.gradient[np.isfinite(link.gradient)]) for link in self.links]
        coarsest = max(np.finfo(link.node.dtype).eps for link in self.links)
        return float(_ROUNDING * coarsest * max(np.max(size, initial=1.0) for size in sizes))

    def result_name(self, t: Tensor) -> str | None:
        """What a composite calls its result, where `t` is that: nothing inside the composite uses it."""
        result: str | None = getattr(t.scope, "result", None)
        return None if result is None or t in self.inner else result

    @functools.cached_property
    def inner(self) -> set[Tensor]:
        """What is used inside the composite that it was made in."""
        return {
            x
            for node in self.forward
            if node.scope is not None
            for x in node.inputs
            if isinstance(x, Tensor) and x.scope in node.scope.path()
        }


def _comes_from_a_layer(x: Expression) -> bool:
    """Whether this is a sum of products along an axis, or a matrix product beside what goes around a layer."""
    return ex.opened(x).kind == "reduce" or (x.kind == "combination" and any(map(matrix_sides, x.children)))


def _difference(value: Any, reference: Any) -> float:
    """The largest absolute difference; equal infinities and nans count as equal."""
    if value.size == 0:
        return 0.0
    with np.errstate(all="ignore"):
        same = (value == reference) | (np.isnan(value) & np.isnan(reference))
        difference = np.where(same, 0.0, np.abs(value - reference))
    return float(np.max(np.where(np.isnan(difference), np.inf, difference)))
