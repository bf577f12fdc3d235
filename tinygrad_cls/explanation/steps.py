"""The steps of a derivation: the chain rule from one operation to the next, and algebra."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..algebra import expression as ex
from ..algebra.evaluate import sorted_axes
from ..algebra.expression import Expression
from ..algebra.facts import Because
from ..algebra.simplify import Rewriting
from ..engine.operation import OPERATIONS, Kind
from ..engine.tensor import Array, Tensor
from .chain import Link
from .derivation import Derivation, Lemma, Local, Partial, Step
from .formula import Formula
from .reasons import derivative_in_words
from .sentences import composite_name, rule_name, say
from .writing import Writing

AT_ONCE = ("cancel", "beside the edge")  # rules whose use on the way is no step of its own


class StepWriter:
    """Writes the steps of a problem.

    Args:
        writing: how it is written.
        prove: proves the lemma for the composite that a link goes through.

    Attributes:
        lemmas: the lemmas that were cited, by the composite.
    """

    def __init__(self, writing: Writing, prove: Callable[[Link], Derivation]) -> None:
        self.lemmas: dict[str, Lemma] = {}
        self._writing, self._prove, self._lang = writing, prove, writing.lang
        self._problem = writing.problem
        self._reading = self._problem.reading
        self._nodes = {link.node for link in self._problem.links}

    def chain(self) -> list[Step]:
        """The chain rule, with what is simplified on the way."""
        steps: list[Step] = []
        last: dict[Tensor, Step] = {}  # that has the whole gradient of a tensor
        for link in self._problem.links:
            node, made = link.node, list[Step]()
            if len(self._problem.ways.get(node, ())) > 1:
                made.append(self._adding_step(link))
            made += self._tidying_steps(node, node, link.gradient)
            if made:
                last[node] = made[-1]
            if node in self._problem.in_short and node in last:
                short = self._writing.formula(self._problem.totals[node], self._reading.layout(node))
                last[node].reason += say(self._lang, "separator") + say(self._lang, "in short", formula=short)
            if self._problem.passes_on(link) and not self._problem.only_moves(link):
                made.append(self._chain_step(link))
                for x in self._problem.passes_on(link):
                    last[x] = made[-1]
                    more = self._tidying_steps(x, node, self._passed(link, x))
                    if more:
                        last[x] = more[-1]
                    made += more
            steps += made
        return steps

    def _tidying_steps(self, x: Tensor, node: Tensor, reference: Array) -> list[Step]:
        """How what comes back to `x` from `node` is simplified, besides what the chain rule's step shows at once."""
        rewritings = self._problem.tidied.get((x, node), [])
        if x is not node:
            rewritings = rewritings[_count_at_once(rewritings) :]
        via = self._via(x, node)
        return [self.algebra(rewriting, x, reference, via, on_the_way=True) for rewriting in rewritings]

    def _at_once(self, x: Tensor, node: Tensor) -> tuple[Expression, list[Because]]:
        """What comes back to `x` from `node`, as the chain rule's step shows it, and why it is so short."""
        rewritings = self._problem.tidied.get((x, node))
        if rewritings is None:
            return self._problem.ways[x][node], []
        count = _count_at_once(rewritings)
        result = rewritings[count].before if count < len(rewritings) else rewritings[-1].after
        return result, [why for rewriting in rewritings[:count] for why in rewriting.because]

    def _via(self, x: Tensor, node: Tensor) -> str | None:
        return self._writing.mark(node) if node is not x and len(self._problem.ways[x]) > 1 else None

    def _passed(self, link: Link, x: Tensor) -> Array:
        """What comes back to `x` from an operation, as `backward` has it."""
        return np.asarray(sum(part.numpy() for y, part in link.contributions if y is x))

    def _chain_step(self, link: Link) -> Step:
        node, layout = link.node, self._reading.layout
        assert node.operation is not None
        error = self._problem.error(self._problem.totals[node], layout(node), link.gradient)
        for x, part in link.contributions:
            read = self._reading.aligned(self._reading.expressions[part], part, x)
            error = max(error, self._problem.error(read, layout(x), part.numpy()))
        before = self._writing.formula(self._problem.totals[node], layout(node))
        reasons = self._reasons(link)
        results = []
        for x in self._problem.passes_on(link):
            after, because = self._at_once(x, node)
            results.append(
                Partial(
                    self._writing.mark(x), self._writing.formula(after, self._writing.layout(x)), self._via(x, node)
                )
            )
            reasons += [self._writing.in_words(why) for why in because]
            error = max(error, self._problem.error(after, layout(x), self._passed(link, x)))
        spelling = node.operation.spelling  # select is multiply
        rule, cited = spelling if spelling in OPERATIONS else node.operation.name, list[Partial]()
        if link.composite is None:
            definition = self._definition(node)
        else:
            rule = composite_name(link.composite.scope.name, self._lang).strip()
            definition = self._writing.mark(node), self._writing.formula_of(node)
            cited = self._cited(link)
        reason = say(self._lang, "separator").join(reasons)
        first = results[0].formula
        local = functools.partial(self._local, link)
        return Step("chain rule", rule, reason, before, first, error, results, definition, (), cited, node, local)

    def _local(self, link: Link) -> Iterator[Local]:
        """The derivative of an operation, by letters for what it is computed from and for what it makes."""
        node, layout = link.node, self._reading.layout
        arriving = ex.leaf("∂" + self._writing.mark(node), layout(node), facts=("given",))
        self._reading.values[arriving] = sorted_axes(link.gradient, layout(node))
        letters, defined = self._letters((node, *node.inputs))
        reading = copy.copy(self._reading)
        reading.expressions = letters | {link.symbol: self._reading.aligned(arriving, node, link.symbol)}
        for x in self._problem.passes_on(link):
            if link.composite is None:
                parts = [part for y, part in link.contributions if y is x]
                passed = ex.plus(*(reading.aligned(reading.read(part), part, x) for part in parts))
            else:
                own = self._problem.arriving[node]
                passed = ex.substituted(self._problem.lemmas[node, x], {own: arriving})
            passed = self._problem.by_form(passed)
            formula = self._writing.formula(passed, self._writing.layout(x), defined=defined)
            arrived = self._reading.aligned(arriving, node, x) if node.shape == x.shape else arriving
            times = _divided(passed, (arriving, arrived))
            factor = None if times is None else self._writing.formula(times, self._writing.layout(x), defined=defined)
            yield Local(self._writing.mark(x), formula, factor)

    def _partial(self, x: Tensor, gradient: Expression, via: str | None = None) -> Partial:
        return Partial(self._writing.mark(x), self._writing.formula(gradient, self._writing.layout(x)), via)

    def _reasons(self, link: Link) -> list[str]:
        """Why the derivative of an operation is what it is, and of what is broadcast or held."""
        node = link.node
        assert node.operation is not None
        if link.composite is not None:
            key = "lemma of the loss" if link is self._problem.links[0] else "lemma"
            name = composite_name(link.composite.scope.name, self._lang)
            return [say(self._lang, key, name=name, arriving="∂" + self._writing.mark(node))]
        reasons = [derivative_in_words(node.operation, node.parameters, self._lang)]
        if node.operation.kind in (Kind.ELEMENTWISE, Kind.MOVEMENT):
            repeated = [x for x in self._problem.passes_on(link) if x.size < node.size]
            reasons = [] if repeated and node.operation.changes_nothing else reasons  # there is no more to say of it
            reasons += [say(self._lang, "repeated", name=self._writing.mark(x)) for x in repeated]
        for held in node.inputs:
            if isinstance(held, Tensor) and held in self._problem.held:
                key = "shift" if self._problem.held[held] else "held"
                reasons.append(say(self._lang, key, name=self._writing.formula(self._reading.expressions[held], ())))
        return reasons

    def _cited(self, link: Link) -> list[Partial]:
        """The lemma for a composite, proved once and cited wherever it is used; not said where what arrives is 1."""
        assert link.composite is not None
        node, name, known = link.node, link.composite.scope.name, self._problem.lemmas
        inputs = self._problem.passes_on(link)
        said = [
            Partial(self._writing.mark(x), self._writing.formula(known[node, x], self._writing.layout(x)))
            for x in inputs
        ]
        entries = None
        if self._reading.expressions[node].kind == "softmax" and node.ndim == 1:
            entries = say(self._lang, "entries", z=said[0].name, p=self._writing.mark(node))
        self.lemmas.setdefault(name, Lemma(name, said, functools.partial(self._prove, link), entries))
        return [] if link is self._problem.links[0] else said

    def _adding_step(self, link: Link) -> Step:
        """What comes back to a tensor by each of several ways is added up."""
        x, layout = link.node, self._writing.layout(link.node)
        name, ways = self._writing.mark(x), [self._writing.mark(node) for node in self._problem.ways[x]]
        both = say(self._lang, "list")
        reason = say(self._lang, "add ways", name=name, ways=both.join(ways))
        added = ex.plus(*self._problem.ways[x].values())
        total = self._writing.formula(added, layout)
        before = self._writing.formula(next(iter(self._problem.ways[x].values())), layout)
        error = self._problem.error(added, self._reading.layout(x), link.gradient)
        rule = say(self._lang, "added up")
        return Step("chain rule", rule, reason, before, total, error, [Partial(name, total)], None, ways)

    def _definition(self, node: Tensor) -> tuple[str, Formula]:
        letters, defined = self._letters(node.inputs)
        formula = self._writing.formula(
            self._reading.definition(node, letters), self._reading.layout(node), unfold=True, defined=defined
        )
        return self._writing.mark(node), formula

    def _letters(self, tensors: Iterable[Any]) -> tuple[dict[Tensor, Expression], dict[Expression, Expression]]:
        """What tensors are in the definition of a node: what has a name, or letters with what they stand for."""
        letters, defined = {}, {}
        for x in tensors:
            if isinstance(x, Tensor):
                known = self._reading.expressions[x]
                named = known in self._writing.notation.names or known.kind in ("leaf", "number", "softmax")
                on_the_way = x in self._nodes and x not in self._problem.ends
                if on_the_way and (not named or self._writing.mark(x) != self._writing.name_of(x)):
                    known = ex.leaf(self._writing.mark(x), self._reading.layout(x))
                    defined[known] = self._reading.expressions[x]
                letters[x] = known
        return letters, defined

    def algebra(
        self,
        rewriting: Rewriting,
        about: Tensor,
        reference: Array,
        via: str | None = None,
        on_the_way: bool = False,
        kind: str = "algebra",
    ) -> Step:
        """A step of algebra.

        Args:
            rewriting: what it does.
            about: the tensor whose gradient it simplifies; of a rewritten loss, the loss.
            reference: the value that it must have.
            via: what that gradient comes back from, where it is not all.
            on_the_way: whether it stands in the chain rule.
            kind: of the step.
        """
        layout = self._writing.layout(about)
        before = set(ex.inner_first(rewriting.before))
        kept = before.difference(part for parts in rewriting.new.values() for part in parts)
        after = self._writing.formula(rewriting.after, layout, rewriting.new, kept=kept)
        return Step(
            kind,
            rule_name(rewriting.rule.name, self._lang),
            say(self._lang, "separator").join(
                dict.fromkeys(self._writing.in_words(because) for because in rewriting.because)
            ),
            self._writing.formula(rewriting.before, layout, rewriting.old),
            after,
            self._problem.error(rewriting.after, self._reading.layout(about), reference),
            [Partial(self._writing.mark(about), after, via)] if on_the_way else [],
        )


def _divided(x: Expression, by: Sequence[Expression]) -> Expression | None:
    """What is left of an expression without a factor that each of its terms has; None where it is none."""
    if x.kind == "combination":
        terms = [(c, _divided(term, by)) for c, term in ex.terms_of(x)]
        left = [ex.multiply([(term, 1)], c) for c, term in terms if term is not None]
        return ex.plus(*left) if len(left) == len(terms) else None
    others = [factor for factor in ex.factors_of(x) if factor[0] not in by or factor[1] != 1]
    rest = ex.multiply(others, ex.coefficient_of(x))
    return rest if len(others) < len(ex.factors_of(x)) and not set(by) & set(ex.leaves_of(rest)) else None


def _count_at_once(rewritings: Sequence[Rewriting]) -> int:
    """How many of the first steps need no step of their own."""
    return next((i for i, r in enumerate(rewritings) if r.rule.name not in AT_ONCE), len(rewritings))
