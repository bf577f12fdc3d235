"""`explain`: the chain rule, then algebra, with a proof of each step on the recorded data."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ..algebra import expression as ex
from ..algebra.evaluate import evaluate
from ..algebra.expression import Axis, Expression, Layout
from ..algebra.facts import Because, Facts
from ..algebra.read import Reading
from ..algebra.rule import Rule
from ..algebra.rules import RECOGNITIONS, RULES
from ..algebra.shortest import bridge, shortest
from ..algebra.simplify import Rewriting, Simplifier
from ..algebra.solve import by_names
from ..engine.recording import EVERYTHING, recording
from ..engine.tensor import Array, Tensor, as_tensor
from .chain import Link
from .derivation import Derivation, Direction, Step, Way
from .notation import Notation
from .problem import REARRANGING, Problem
from .recorded import Assumption
from .sentences import say
from .steps import AT_ONCE, StepWriter
from .story import closing, opening
from .writing import Writing


class _Facts(Facts):
    """What may be read off the data: of arrays that were handed in, but not of computed ones, that their rows sum to 1.

    A mask that lets one sample pass sums to 1 by chance."""

    def sums_to_one(self, x: Expression, axes: Iterable[Axis]) -> Because | None:
        because = super().sums_to_one(x, axes)
        return None if because is not None and because.assumed and x.kind != "leaf" else because


class End(NamedTuple):
    """The line that a derivation ends in.

    Attributes:
        gradient: the gradient.
        notation: how it is written.
        assumptions: what it was assumed for.
    """

    gradient: Expression
    notation: Notation
    assumptions: list[Assumption]


class Explaining:
    """The work of one call of `explain`.

    Args:
        output: the loss.
        wrt: what to differentiate by.
        names: names for tensors, before their own.
        rules: the rules of algebra.
        lang: the language of the sentences.
        way: by which way.
        lengths: tensors that stand for the length of an axis: of which tensor, at which position.
        letters: letters for tensors without a name, before those that are chosen.
        axes: how the axes of some tensors are called.
    """

    output: Tensor
    wrt: Tensor
    rules: tuple[Rule, ...]
    lang: str
    way: Way
    problem: Problem
    reading: Reading
    facts: _Facts
    simplifier: Simplifier

    def __init__(
        self,
        output: Tensor,
        wrt: Tensor,
        names: Mapping[str, Tensor] | None,
        rules: tuple[Rule, ...] = RULES,
        lang: str = "en",
        way: Way = "backward",
        lengths: Mapping[Tensor, tuple[Tensor, int]] = MappingProxyType({}),
        letters: Mapping[Tensor, str] = MappingProxyType({}),
        axes: Mapping[Tensor, Layout] = MappingProxyType({}),
    ) -> None:
        self.output, self.wrt, self.rules, self.lang, self.way, self._letters = output, wrt, rules, lang, way, letters
        self.problem = Problem(output, wrt, names, rules, way != "backward", lengths, axes)
        self.reading = self.problem.reading
        self.facts = _Facts(self.reading.values, (self.reading.expressions[wrt],), self.problem.values)
        self.simplifier = Simplifier(self.facts, rules)

    def derivation(self, assumed: Sequence[Assumption] = (), end: End | None = None) -> Derivation:
        """The derivation by its way, where something was assumed before.

        Args:
            assumed: what was assumed.
            end: the line that all ways end in; by default that which this way comes to.
        """
        raw, steps, more = self._algebra
        rewritings = [*shortest(raw, steps, self.facts, self.rules), *more]
        final, writing = self.end.gradient, self.writing
        assumptions = self._assumptions([*self._on_the_way, *rewritings], assumed)
        last_line = writing.notation
        if end is not None and end is not self.end and self.fits(end.gradient):
            writing.adopt(end.notation, writing.formula(end.gradient, self.reading.layout(self.wrt), by=end.notation))
            last_line = end.notation
            if final is not end.gradient:
                rewritings += bridge(final, end.gradient, self.facts, self.rules)
                assumptions = self._assumptions([*self._on_the_way, *rewritings], [*assumed, *end.assumptions])
                final = end.gradient
        writer, last = StepWriter(writing, self._proof), self.problem.links[-1].gradient
        written = writer.chain() + [writer.algebra(r, self.wrt, last) for r in rewritings]
        output, wrt = writing.name_of(self.output), writing.name_of(self.wrt)
        renamed = self.problem.naming.renamed
        return Derivation(
            output=output,
            wrt=wrt,
            loss=writing.formula_of(self.output),
            gradient=writing.formula(final, self.reading.layout(self.wrt), by=last_line),
            steps=written,
            assumptions=assumptions,
            opening=opening(self.problem, output, wrt, self.way, self.lang),
            closing=closing(self.problem, self.facts, final, rewritings, writing),
            axes=self._axes(),
            unnamed=self._unnamed_letters(),
            lemmas=writer.lemmas.values(),
            notes=[say(self.lang, "renamed", name=name, given=given) for name, given in renamed.items()],
            letters=writing.tensors_by_letter(),
            lang=self.lang,
            way=self.way,
            rounding=self.problem.rounding(),
            graph=self._graph,
        )

    @functools.cached_property
    def _algebra(self) -> tuple[Expression, list[Rewriting], list[Rewriting]]:
        """The gradient as the chain rule gives it, the steps that simplify it, and those to names that there are."""
        tidying = [rule for rule in self.rules if not rule.expands and rule.name not in (*RECOGNITIONS, *REARRANGING)]
        cancelling = [rule for rule in tidying if rule.name in AT_ONCE]
        raw = self.problem.chain_rule(
            self.simplifier, *(Simplifier(self.facts, some) for some in (tidying, cancelling))
        )
        final, steps = self.simplifier.simplify(raw)
        named = [x for x, name in self.writing.notation.names.items() if name.partial]
        return raw, steps, by_names(final, named, self.simplifier)[1]

    @property
    def _on_the_way(self) -> list[Rewriting]:
        return [rewriting for steps in self.problem.tidied.values() for rewriting in steps]

    @functools.cached_property
    def end(self) -> End:
        """What this way comes to."""
        raw, steps, more = self._algebra
        rewritings = [*steps, *more]
        self._assumptions([*self._on_the_way, *rewritings])
        gradient = rewritings[-1].after if rewritings else raw
        return End(gradient, copy.copy(self.writing.notation), list(self.writing.recorded.assumptions))

    def fits(self, x: Expression) -> bool:
        """Whether this is the gradient: it must not be that of another loss, as one that was rewritten may be at a
        kink."""
        if not self.reading.values.keys() >= set(ex.leaves_of(x, lets=True)):
            return False
        error = self.problem.error(x, self.reading.layout(self.wrt), self.problem.links[-1].gradient)
        return error <= self.problem.rounding()

    def rewriting(self, rewritings: list[Rewriting], whole: Explaining) -> tuple[list[Step], Sequence[Assumption]]:
        """The steps that rewrite the loss, and what they assume.

        Args:
            rewritings: the steps.
            whole: the same loss from its beginning: what is a letter here was computed there.
        """
        self.writing = copy.copy(self.writing)
        names, loss = self.writing.notation.names, self.reading.expressions[self.output]
        self.writing.notation = Notation({x: name for x, name in names.items() if x is not loss})
        if self.wrt is not whole.wrt:
            here, there = self.writing.recorded, whole.writing.recorded
            self.writing.recorded = here._replace(
                names={**there.names, **here.names},
                values={**there.values, **here.values},
                defined={self.reading.expressions[self.wrt]: whole.reading.expressions[self.wrt]},
            )
        self._assumptions(rewritings)
        steps, value = StepWriter(self.writing, self._proof), self.output.numpy()
        return [
            steps.algebra(r, self.output, value, kind="rewriting") for r in rewritings
        ], self.writing.recorded.assumptions

    @functools.cached_property
    def writing(self) -> Writing:
        """How it is written, once the chain rule is known."""
        return Writing(self.problem, self.simplifier, self.way, self.lang, self._letters)

    def _proof(self, link: Link) -> Derivation:
        """Why a lemma holds: the derivative of `Σ t ⊙ ∂t`, where ∂t is what arrives at the composite's result t."""
        assert link.composite is not None
        with recording(EVERYTHING):
            arriving = Tensor(link.gradient, name="∂" + self.writing.mark(link.node))
            output = (link.node * arriving).sum()
        inputs = [self.writing.origin(x) for x in self.problem.passes_on(link)]
        names = self.problem.names() | {self.writing.mark(t): t for t in (link.node, *inputs)}
        proof = Explaining(output, inputs[0], names, self.rules, self.lang).derivation()
        proof.opening = (
            say(
                self.lang,
                "proof asked",
                arriving="∂" + self.writing.mark(link.node),
                node=self.writing.mark(link.node),
                output=proof.output,
                product=proof.loss,
                wrt=proof.wrt,
            ),
        )
        proof.closing = ()  # what arrives is no target that something should be brought to
        return proof

    def _assumptions(self, rewritings: list[Rewriting], assumed: Sequence[Assumption] = ()) -> list[str]:
        """What was only checked on the data, after what was assumed before; formulas check it again on other data."""
        found = list(assumed)
        for rewriting in rewritings:
            for because in rewriting.because:
                if because.holds is not None and because.holds.assumed:
                    x = because.holds.about[-1]
                    found.append(Assumption(self.writing.in_words(because.holds), x, self._summed(x, rewriting)))
        self.writing.recorded = self.writing.recorded._replace(assumptions=found)
        return list(dict.fromkeys(assumption.fact for assumption in found))

    def _summed(self, x: Expression, rewriting: Rewriting) -> tuple[Axis, ...] | None:
        """The axes along which a step took the sum of `x` for 1; None where it divided by it."""
        sums = (part for parts in rewriting.old.values() for part in parts if part.kind == "reduce")
        axes = next((part.data[1] for part in sums if (x, Fraction(1)) in ex.factors_of(part.children[0])), ())
        rows = (over for over in (axes, *((a,) for a in axes)) if over and self.facts.sums_to_one(x, over))
        return next(rows, None)

    def _graph(self, x: Expression) -> Tensor:
        """The formula as a recorded graph, over a leaf for each name."""
        values: dict[Expression, Tensor] = {}
        for part in ex.inner_first(x, lets=True):
            name = self.writing.notation.names.get(part)
            if name is not None or part.kind == "leaf":
                value = np.asarray(evaluate(part, self.reading.values, known=self.problem.values))
                value = value.astype(float) if value.dtype == bool else value  # one-hot rows
                values[part] = Tensor(value, name=name.text if name is not None else part.data[0])
            elif part.kind == "size":
                values[part] = Tensor(float(part.data.size), name=part.data.name.upper())
        with recording(EVERYTHING):
            result = evaluate(x, values, products=True)
        return as_tensor(result)

    def _axes(self) -> list[Direction]:
        """Every axis, with a leaf that has it."""
        known = self.reading.expressions
        named = [t for t in self.problem.forward if self.problem.naming.name(t) is not None]
        called = [
            t for t in self.problem.forward if known[t] in self.writing.notation.names or self._is_unnamed_leaf(t)
        ]
        found: dict[Axis, Direction] = {}
        for t in (*named, *called):
            for position, axis in enumerate(self.reading.layout(t)):
                if axis is not None and axis not in found:
                    found[axis] = Direction(axis.name, axis.size, position, self.writing.name_of(t))
        return list(found.values())

    def _is_unnamed_leaf(self, t: Tensor) -> bool:
        x = self.reading.expressions[t]
        return x in self.reading.leaves and self.problem.naming.name(self.reading.leaves[x]) is None

    def _unnamed_letters(self) -> list[tuple[str, Array]]:
        """The letters in the loss that stand for arrays without a name."""
        leaves = ex.leaves_of(self.reading.expressions[self.output], lets=True)
        tensors = [(str(x.data[0]), self.reading.leaves[x]) for x in leaves if x in self.reading.leaves]
        return [(letter, t.numpy()) for letter, t in tensors if self.problem.naming.name(t) is None]
