"""Three ways from a loss to its gradient, with one end: as the machine goes, by lemmas, and by rewriting the loss."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from ..algebra import expression as ex
from ..algebra.rule import Rule
from ..engine.tensor import Tensor
from .chain import computed_from
from .derivation import Derivation, Way
from .explaining import Explaining
from .rewriting import last_layer, rewritten
from .sentences import say
from .story import undone

WAYS: tuple[Way, ...] = ("loss", "lemmas", "backward")
_LONG = 60  # steps; a longer way is not compared with others
_FEWEST = 3  # steps at least after a loss of several terms was rewritten


class Question:
    """A gradient that is asked for.

    Args:
        output: the loss.
        wrt: what to differentiate by.
        names: names for tensors, before their own.
        rules: the rules of algebra.
        lang: the language of the sentences.
    """

    output: Tensor
    wrt: Tensor
    names: Mapping[str, Tensor] | None
    rules: tuple[Rule, ...]
    lang: str

    def __init__(
        self, output: Tensor, wrt: Tensor, names: Mapping[str, Tensor] | None, rules: tuple[Rule, ...], lang: str
    ) -> None:
        self.output, self.wrt, self.names, self.rules, self.lang = output, wrt, names, rules, lang

    def answer(self, way: Way | None) -> Derivation:
        """The derivation by one way; by default the one with the fewest steps."""
        if way == "backward":
            return self._explaining(self.output, "backward").derivation()
        whole = self._explaining(self.output, "lemmas")
        by_lemmas = whole.derivation()
        if way == "lemmas" or (way is None and len(by_lemmas.steps) > _LONG):
            return by_lemmas
        most = len(by_lemmas.steps) if way is None else None
        by_loss = self._by_loss(whole, by_lemmas, most)
        if by_loss is None and way == "loss":
            by_lemmas.opening += (say(self.lang, "not rewritten"),)
        return by_loss or by_lemmas

    def of(self, output: Tensor, names: Mapping[str, Tensor]) -> Derivation:
        """The shortest derivation of another loss that was computed from the same tensor, with names besides."""
        return Question(output, self.wrt, {**(self.names or {}), **names}, self.rules, self.lang).answer(None)

    def _explaining(self, output: Tensor, way: Way) -> Explaining:
        return Explaining(output, self.wrt, self.names, self.rules, self.lang, way)

    def _by_loss(self, whole: Explaining, by_lemmas: Derivation, most: int | None) -> Derivation | None:
        """By way of a loss that is rewritten first; None where there is nothing to rewrite, or it takes more steps."""
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
        if most is not None and len(new.steps) + _FEWEST > most:
            return None
        name = whole.problem.naming.name(self.output)
        others = {other: t for other, t in names.items() if t is not self.output}
        others |= {} if name is None else {name: new.loss}
        given = {} if last is self.wrt or whole.problem.naming.name(last) is not None else {last: letter}
        rest = Explaining(
            new.loss, self.wrt, others, self.rules, self.lang, "loss", lengths=new.lengths, letters=given, axes=axes
        )
        steps, assumptions = head.rewriting(new.steps)
        meanings = {letter: whole.writing.formula_of(t) for t, letter in given.items()}
        computed = {head.reading.expressions[last]: rest.reading.expressions[last]}
        assumed = [fact._replace(about=ex.substituted(fact.about, computed)) for fact in assumptions]
        why = undone(new.steps, self.lang)
        derivation = rest.derivation(assumed).after(by_lemmas, steps, meanings, why)
        if derivation.alarm is not None or (most is not None and len(derivation.steps) > most):
            return None  # at a kink the rewritten loss may have another slope
        shorter_end = by_lemmas.gradient.expression.cost < derivation.gradient.expression.cost
        return None if shorter_end else derivation

    def _lettered(self, whole: Explaining) -> dict[str, Tensor]:
        """The outputs and targets that have a letter although the user gave them no name: they keep it."""
        named, problem = whole.writing.notation.names, whole.problem
        known = problem.reading.expressions
        found = (t for t in problem.forward if known[t].kind == "softmax" or t not in problem.dependent)
        return {named[known[t]].text: t for t in found if known[t] in named and problem.naming.name(t) is None}
