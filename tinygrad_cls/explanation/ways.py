"""Three ways from a loss to its gradient, with one end: as the machine goes, by lemmas, and by rewriting the loss."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from typing import NamedTuple

from ..algebra import expression as ex
from ..algebra.expression import Expression, Layout
from ..algebra.rule import Rule
from ..engine.tensor import Tensor
from .chain import computed_from
from .derivation import Derivation, Step, Way
from .explaining import End, Explaining
from .formula import Formula
from .recorded import Assumption
from .rewriting import Rewritten, last_layer, rewritten
from .sentences import say
from .source import Caller, lines
from .story import undone

WAYS: tuple[Way, ...] = ("loss", "lemmas", "backward")
_LONG = 60  # operations; a longer way is not compared with others
_SIMPLE = 16  # what an end costs for which no shorter one is looked for
_FEWEST = 3  # steps at least after a loss of several terms was rewritten


class _Head(NamedTuple):
    """A loss in another form.

    Attributes:
        explaining: the loss as a function of `last`.
        last: what the gradient goes through, nearest to the loss.
        letter: what that is called.
        names: names of tensors.
        axes: how their axes are called.
        new: the loss in its new form.
    """

    explaining: Explaining
    last: Tensor
    letter: str
    names: dict[str, Tensor]
    axes: dict[Tensor, Layout]
    new: Rewritten


class _Rest(NamedTuple):
    """What is left to do when the loss is rewritten.

    Attributes:
        explaining: the new loss.
        steps: how the old one became it.
        assumed: what that assumed.
        meanings: what the letters in it stand for.
    """

    explaining: Explaining
    steps: list[Step]
    assumed: list[Assumption]
    meanings: dict[str, Formula]

    @property
    def end(self) -> End:
        """What this way comes to."""
        end = self.explaining.end
        return end._replace(assumptions=[*self.assumed, *end.assumptions])


class Question:
    """A gradient that is asked for.

    Args:
        output: the loss.
        wrt: what to differentiate by.
        names: names for tensors, before their own.
        rules: the rules of algebra.
        lang: the language of the sentences.
        who: who asks; None where that is not to be told.
    """

    output: Tensor
    wrt: Tensor
    names: Mapping[str, Tensor] | None
    rules: tuple[Rule, ...]
    lang: str
    who: Caller | None

    def __init__(
        self,
        output: Tensor,
        wrt: Tensor,
        names: Mapping[str, Tensor] | None,
        rules: tuple[Rule, ...],
        lang: str,
        who: Caller | None = None,
    ) -> None:
        self.output, self.wrt, self.names, self.rules, self.lang, self.who = output, wrt, names, rules, lang, who

    def derivation(self, way: Way | None) -> Derivation:
        """The answer by one way, which can be asked for the others."""
        derivation = self.answer(way)
        derivation.question, derivation.asked, derivation.lines = self, way, self.lines
        return derivation

    def spoken(self, lang: str) -> Question:
        """The same question in another language."""
        return Question(self.output, self.wrt, self.names, self.rules, lang, self.who)

    def lines(self) -> dict[Tensor, str]:
        """The lines of the asker's code that made what the loss was computed from, where that is certain."""
        return self._lines

    @functools.cached_property
    def _lines(self) -> dict[Tensor, str]:
        return {} if self.who is None else lines(self.who, self.output)

    def answer(self, way: Way | None) -> Derivation:
        """The derivation by one way; by default the one with the fewest steps. All end in the same line, except for
        long ones."""
        if way == "backward":
            return self._backward.derivation(end=None if _is_long(self._backward) else self._end)
        if way is None and _is_long(self._lemmas):
            return self._lemmas.derivation()
        by_lemmas = self._lemmas.derivation(end=self._end)
        if way == "lemmas":
            return by_lemmas
        by_loss = self._by_loss(by_lemmas, len(by_lemmas.steps) if way is None else None)
        if by_loss is None and way == "loss":
            why = "not rewritten" if self._head is None else "another slope"
            by_lemmas.opening += (say(self.lang, why),)
        return by_loss or by_lemmas

    def of(self, output: Tensor, names: Mapping[str, Tensor]) -> Derivation:
        """The shortest derivation of another loss that was computed from the same tensor, with names besides."""
        anew = set(names.values())
        kept = {name: t for name, t in (self.names or {}).items() if t not in anew}
        return Question(output, self.wrt, kept | dict(names), self.rules, self.lang).answer(None)

    @functools.cached_property
    def _backward(self) -> Explaining:
        return Explaining(self.output, self.wrt, self.names, self.rules, self.lang, "backward")

    @functools.cached_property
    def _lemmas(self) -> Explaining:
        return Explaining(self.output, self.wrt, self.names, self.rules, self.lang, "lemmas")

    @functools.cached_property
    def _end(self) -> End:
        """The line that all ways end in: that of lemmas, or where it is long the shortest."""
        ends = [self._lemmas.end]
        if _to_read(ends[0].gradient) > _SIMPLE:
            ends.append(self._backward.end)
            if self._rest is not None:
                ends.append(self._rest.end)
        fitting = (end for end in ends if self._lemmas.fits(end.gradient))
        return min(fitting, key=lambda end: _to_read(end.gradient), default=ends[0])

    @functools.cached_property
    def _head(self) -> _Head | None:
        """The loss rewritten; None where there is nothing to rewrite."""
        whole = self._lemmas
        names = self._lettered(whole) | whole.problem.names()
        last = last_layer(whole.problem.links, self.wrt)
        letter = whole.problem.naming.name(last) or whole.problem.naming.letter("z")
        axes = {t: whole.reading.layout(t) for t in whole.problem.forward}
        head = copy.copy(whole)
        if last is not self.wrt:
            head = Explaining(self.output, last, {letter: last, **names}, self.rules, self.lang, "loss", axes=axes)
        new = rewritten(head.problem, self.output, head.facts, self.rules)
        if new is None or self.wrt not in set(computed_from([new.loss])):
            return None
        return _Head(head, last, letter, names, axes, new)

    @functools.cached_property
    def _rest(self) -> _Rest | None:
        """How the rewritten loss is differentiated."""
        if self._head is None:
            return None
        whole, (head, last, letter, names, axes, new) = self._lemmas, self._head
        name = whole.problem.naming.name(self.output)
        others = {other: t for other, t in names.items() if t is not self.output}
        others |= {} if name is None else {name: new.loss}
        given = {} if last is self.wrt or whole.problem.naming.name(last) is not None else {last: letter}
        rest = Explaining(
            new.loss, self.wrt, others, self.rules, self.lang, "loss", lengths=new.lengths, letters=given, axes=axes
        )
        computed = {head.reading.expressions[last]: rest.reading.expressions[last]}
        steps, assumptions = head.rewriting(new.steps, whole)
        assumed = [fact._replace(about=ex.substituted(fact.about, computed)) for fact in assumptions]
        return _Rest(rest, steps, assumed, {letter: whole.writing.formula_of(t) for t, letter in given.items()})

    def _by_loss(self, by_lemmas: Derivation, most: int | None) -> Derivation | None:
        """By way of a loss that is rewritten first; None where there is nothing to rewrite, or it takes more steps."""
        if self._head is None or (most is not None and len(self._head.new.steps) + _FEWEST > most):
            return None
        assert self._rest is not None
        rest, steps, assumed, meanings = self._rest
        why = undone(self._head.new.steps, self.lang)
        derivation = rest.derivation(assumed, self._end).after(by_lemmas, steps, meanings, why)
        if derivation.alarm is not None or (most is not None and len(derivation.steps) > most):
            return None  # at a kink the rewritten loss may have another slope
        return derivation

    def _lettered(self, whole: Explaining) -> dict[str, Tensor]:
        """The outputs and targets that have a letter although the user gave them no name: they keep it."""
        named, problem = whole.writing.notation.names, whole.problem
        known = problem.reading.expressions
        found = (t for t in problem.forward if known[t].kind == "softmax" or t not in problem.dependent)
        return {named[known[t]].text: t for t in found if known[t] in named and problem.naming.name(t) is None}


def _to_read(x: Expression) -> int:
    """What there is to read in a line, and in what its letters stand for."""
    letters = (part for part in ex.inner_first(x, lets=True) if part.kind == "let")
    return sum((ex.operands(letter)[0].cost for letter in letters), x.cost)


def _is_long(explaining: Explaining) -> bool:
    return len(explaining.problem.links) > _LONG
