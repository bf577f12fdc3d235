"""Simplify an expression by rules, and keep every step.

A rule is used everywhere at once, as on a blackboard, and only where there is less to read afterwards
(`Expression.cost` falls; a rule that is `level` may leave as much). A rule that first makes more to read, such as
multiplying out, is tried on the side and used only where the other rules then bring the cost below what it was. So
every round makes the cost smaller, and simplifying ends. The rules are asked in the order of their table: the same
expression always gives the same steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from . import expression as ex
from .expression import Expression
from .facts import Because, Facts
from .rule import Rewrite, Rule
from .rules import RULES

_TRIAL = 200  # what costs more is not multiplied out on trial
_MANY = 64  # terms; more are not multiplied out
_TRIALS = 400  # expressions that are multiplied out on trial, in one simplification
_ROUNDS = 200
_WAYS = 3  # in which one rule is tried on one expression


class Rewriting(NamedTuple):
    """One step: a rule used in one place or several.

    Attributes:
        rule: the rule.
        before, after: the whole expression.
        old, new: the parts that changed, by the expression within which the rule was used.
        because: the reasons, one for each place with another reason.
    """

    rule: Rule
    before: Expression
    after: Expression
    old: Mapping[Expression, frozenset[Expression]]
    new: Mapping[Expression, frozenset[Expression]]
    because: tuple[Because, ...]


class Simplifier:
    """Applies rules to expressions; remembers where a rule did not apply.

    Args:
        facts: proves the conditions of the rules.
        rules: the rules, the first asked first.
    """

    def __init__(self, facts: Facts, rules: Sequence[Rule] = RULES) -> None:
        self.facts = facts
        self.rules: tuple[Rule, ...] = tuple(rules)
        self._shortening = [rule for rule in rules if not rule.expands]
        self._expanding = [rule for rule in rules if rule.expands]
        self._trials = _TRIALS
        self._idle: set[tuple[str, Expression]] = set()

    def simplify(self, x: Expression) -> tuple[Expression, list[Rewriting]]:
        """The simplest form found, and the steps to it."""
        steps: list[Rewriting] = []
        self._trials = _TRIALS
        for _ in range(_ROUNDS):
            x, shorter = self._shorten(x)
            steps += shorter
            trial = self._expand(x)
            if trial is None:
                break
            x, more = trial
            steps += more
        return x, steps

    def recognised(self, x: Expression) -> Expression:
        """`x` after the rules that apply to it as it stands, not to what is inside it."""
        while True:
            for rule in self._shortening:
                found = self._use(rule, x)
                if found is not None:
                    x = found.result
                    break
            else:
                return x

    def _shorten(self, x: Expression) -> tuple[Expression, list[Rewriting]]:
        steps: list[Rewriting] = []
        again = True
        while again:
            again = False
            parts = list(ex.inner_first(x))
            for rule in self._shortening:
                step = self._everywhere(rule, x, parts)
                if step is not None and step.after.cost < x.cost + rule.level:
                    x, again = step.after, True
                    steps.append(step)
                    break
        return x, steps

    def _expand(self, x: Expression) -> tuple[Expression, list[Rewriting]] | None:
        parts = list(ex.inner_first(x))
        for rule in self._expanding:
            step = self._everywhere(rule, x, parts)
            if step is None:
                continue
            shorter, steps = self._shorten(step.after)
            if shorter.cost < x.cost:
                return shorter, [step, *steps]
        return None

    def everywhere(self, rule: Rule, x: Expression) -> Rewriting | None:
        """The rule used wherever it applies in `x`; None where it applies nowhere."""
        return self._everywhere(rule, x, list(ex.inner_first(x)))

    def _everywhere(self, rule: Rule, x: Expression, parts: list[Expression]) -> Rewriting | None:
        """The rule used wherever it applies among the parts of `x`, inner ones first; None where it applies nowhere."""
        if not rule.concerns(x):
            return None
        changed: dict[Expression, Expression] = {}
        old: dict[Expression, frozenset[Expression]] = {}
        new: dict[Expression, frozenset[Expression]] = {}
        because: dict[Because, None] = {}
        for part in parts:
            result = ex.rebuilt(part, [changed.get(child, child) for child in part.children]) if changed else part
            made: frozenset[Expression] = frozenset()
            while (found := self._use(rule, result)) is not None:
                old[part] = old.get(part, frozenset()).union(found.old)
                made = made.union(found.new)
                because.update(dict.fromkeys(found.because))
                result = found.result
                if rule.expands:
                    break
            if result is not part:
                changed[part] = result
            if made:
                new[result] = new.get(result, frozenset()) | made
        if x not in changed:
            return None
        return Rewriting(rule, x, changed[x], old, _by_place(new, changed, parts), tuple(because))

    def _use(self, rule: Rule, x: Expression) -> Rewrite | None:
        """The first way to use the rule on `x` itself that leaves less to read."""
        if (x.kind not in rule.kinds and not (rule.expands and x.kind == "combination")) or (
            rule.name,
            x,
        ) in self._idle:
            return None
        if rule.expands:
            if x.cost > _TRIAL or not self._trials:
                return None
            found = self._tried(rule, x)
        else:
            most = x.cost + rule.level
            found = next((use for use in rule.rewrites(x, self.facts) if use.result.cost < most), None)
        if found is None:
            self._idle.add((rule.name, x))
        return found

    def _tried(self, rule: Rule, x: Expression) -> Rewrite | None:
        """The rule used once, or again on what came of that, until the others make less of it than `x` was."""
        ways: list[Rewrite | None] = list(itertools.islice(rule.rewrites(x, self.facts), _WAYS)) or [
            self._on_terms(rule, x)
        ]
        known = set(ex.inner_first(x)) if ways[0] is not None else set()
        for found in ways:
            while found is not None and self._trials and len(ex.terms_of(found.result)) <= _MANY:
                self._trials -= 1
                if self._shorten(found.result)[0].cost < x.cost:
                    return found
                found = self._again(rule, x, found, known)
        return None

    def _on_terms(self, rule: Rule, x: Expression) -> Rewrite | None:
        """The rule used on all terms of a sum at once, so that equal parts of different terms meet."""
        if x.kind != "combination":
            return None
        uses = {term: use for term in x.children if (use := rule.apply(term, self.facts)) is not None}
        if not uses:
            return None
        result = ex.rebuilt(x, [uses[term].result if term in uses else term for term in x.children])
        return Rewrite(result, (x,), (result,), tuple(why for use in uses.values() for why in use.because))

    def _again(self, rule: Rule, x: Expression, found: Rewrite, known: set[Expression]) -> Rewrite | None:
        """The rule used once more on each part that was not there before."""
        changed, because = dict[Expression, Expression](), found.because
        for part in ex.inner_first(found.result):
            if part in known:
                continue
            changed[part] = ex.rebuilt(part, [changed.get(child, child) for child in part.children])
            use = rule.apply(changed[part], self.facts)
            if use is not None:
                changed[part], because = use.result, because + use.because
        result = changed.get(found.result, found.result)
        return None if result is found.result else Rewrite(result, (x,), (result,), because)


def _by_place(
    new: Mapping[Expression, frozenset[Expression]], changed: Mapping[Expression, Expression], parts: list[Expression]
) -> dict[Expression, frozenset[Expression]]:
    """What is new as a whole belongs to where it stands: an equal expression in another place was there before."""
    placed = dict(new)
    wholes = {result for result, made in new.items() if result in made}
    for part in parts if wholes else ():
        around = changed.get(part, part)
        here = {changed[child] for child in part.children if changed.get(child) in wholes}.intersection(around.children)
        if here:
            placed[around] = placed.get(around, frozenset()).union(here)
            for result in here:
                placed[result] = placed[result] - {result}
    return {around: made for around, made in placed.items() if made}
