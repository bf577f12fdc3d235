"""What a rule is: what may be rewritten as what, why, when, and for which numbers."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias

from . import expression as ex
from .conditions import Condition
from .expression import Expression
from .facts import Because, Facts
from .matching import matches, needs
from .pattern import Bindings, filled, is_rest

Holds: TypeAlias = Literal["always", "mending", "finite"]
"""For which values of its letters a rule holds, where its condition does.

`always`: for all, nan, infinities and ties among them. The replacement is computed as the same number, and as no finite
one where the pattern is computed as none. Of a letter that the replacement has no more this is said for finite values
only: a compiler has to see to it that none is lost. A nan may spread along the axis of the rule, in a row that has one.

`mending`: as always, but where something in the pattern over- or underflows, or infinities meet, the replacement may be
the number that was meant: softmax for `inf / inf`.

`finite`: for finite numbers, up to rounding.
"""


class Rewrite(NamedTuple):
    """One use of a rule.

    Attributes:
        result: what the whole expression becomes.
        old: the parts of it that the rule looked at.
        new: what stands in their place.
        because: the reasons, for these parts.
    """

    result: Expression
    old: tuple[Expression, ...]
    new: tuple[Expression, ...]
    because: tuple[Because, ...]


@dataclass(frozen=True)
class Rule:
    """A rewrite rule.

    Attributes:
        name: the idea, as a teacher would call it.
        pattern: what it rewrites, over letters; see `pattern.py`.
        replacement: what it becomes.
        reason: why, for someone who sees it the first time; `{x}` stands for what the letter x stands for.
        holds: for which numbers, see `Holds`. Nothing said: for finite ones.
        condition: what must hold besides the form.
        also: more patterns with replacements, for the same reason.
        expands: whether the result is longer at first. Then it is used in full, and only where other rules make it
            shorter than before, so that simplifying always ends.
        level: whether it is used where the result is as long as before, too. It must not apply to what it makes.
        kinds: the kinds of expressions that it can apply to.
    """

    name: str
    pattern: Expression
    replacement: Expression
    reason: str
    holds: Holds = "finite"
    condition: Condition | None = None
    also: tuple[tuple[Expression, Expression], ...] = ()
    expands: bool = False
    level: bool = False
    kinds: frozenset[str] = field(init=False)
    _forms: tuple[tuple[Expression, Expression, frozenset[str]], ...] = field(init=False, repr=False)

    def concerns(self, x: Expression) -> bool:
        """Whether `x` contains what one of the patterns cannot do without."""
        return any(needed <= x.heads for _, _, needed in self._forms)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", frozenset().union(*(_kinds(pattern) for pattern, _ in self.forms)))
        object.__setattr__(self, "_forms", tuple((*form, needs(form[0])) for form in self.forms))

    @property
    def forms(self) -> tuple[tuple[Expression, Expression], ...]:
        """All patterns, each with its replacement."""
        return ((self.pattern, self.replacement), *self.also)

    def apply(self, x: Expression, facts: Facts) -> Rewrite | None:
        """The first way to use the rule on the expression itself (not on what is inside); None where there is none."""
        return next(self.rewrites(x, facts), None)

    def rewrites(self, x: Expression, facts: Facts) -> Iterator[Rewrite]:
        """All ways to use the rule on the expression itself."""
        if x.kind not in self.kinds:
            return
        for pattern, replacement, needed in self._forms:
            if not needed <= x.heads:
                continue
            for bound in matches(pattern, x):
                because = self._because(bound, facts)
                if because is not None:
                    yield _rewritten(pattern, replacement, bound, x, because)

    def _because(self, bound: Bindings, facts: Facts) -> Because | None:
        """The reason, with the letters replaced by what they stand for; None where the condition does not hold."""
        holds = self.condition.holds(bound, facts) if self.condition is not None else None
        if self.condition is not None and not holds:
            return None
        text, about = self.reason, list[Expression]()
        named = {x.data[0]: value for x, value in bound.items() if isinstance(x, Expression) and x.kind == "wild"}
        for name in dict.fromkeys(re.findall(r"\{(\w+)\}", self.reason)):  # in the order of reading
            text = text.replace("{" + name + "}", "{" + str(len(about)) + "}")
            about.append(named[name])
        return Because(text, tuple(about), holds if isinstance(holds, Because) else None)


def _kinds(pattern: Expression) -> set[str]:
    """The kinds of expressions that can have this form: a sum of one term and the rest may be that term alone."""
    if pattern.kind == "each":
        return {"combination"}
    shaped = [x for _, x in ex.terms_of(pattern) if not is_rest(x)]
    alone = pattern.kind == "combination" and len(shaped) == 1 and shaped[0].kind != "each"
    return {pattern.kind} | ({shaped[0].kind} if alone else set())


@functools.cache
def _rest_of(pattern: Expression) -> Expression | None:
    """The letter for the rest, of a pattern that is a sum or product with one."""
    if pattern.kind not in ("combination", "product"):
        return None
    return next((x for x in pattern.children if is_rest(x)), None)


@functools.cache
def _beside(left: Expression, replacement: Expression, kind: str) -> Expression:
    """What stands in a replacement, a sum or product, beside the letter for the rest."""
    if kind == "combination":
        return ex.add(term for term in ex.terms_of(replacement) if term[1] is not left)
    factors = (factor for factor in ex.factors_of(replacement) if factor[0] is not left)
    return ex.multiply(factors, ex.coefficient_of(replacement))


def _rewritten(
    pattern: Expression, replacement: Expression, bound: Bindings, x: Expression, because: Because
) -> Rewrite:
    """What the pattern's rest stands for is left as it is, and not marked as changed."""
    left = _rest_of(pattern)
    if left is None:
        result = filled(replacement, bound)
        return Rewrite(result, (x,), (result,), (because,))
    others: Expression = bound[left]
    part = filled(_beside(left, replacement, pattern.kind), bound)
    if pattern.kind == "combination":
        if others is ex.ZERO:
            return Rewrite(part, (x,), (part,), (because,))
        kept = set(ex.terms_of(others))
        old = tuple(ex.scaled(c, term) for c, term in ex.terms_of(x) if (c, term) not in kept)
        return Rewrite(ex.plus(others, part), old, (part,), (because,))
    powers = {*ex.factors_of(others), *ex.factors_of(ex.negated(others))}  # −(a − b) is (b − a)
    old = tuple(_place(base, p) for base, p in ex.factors_of(x) if (base, p) not in powers)
    new = tuple(_place(base, p) for base, p in ex.factors_of(part))
    return Rewrite(ex.product(others, part), old, new, (because,))


def _place(base: Expression, p: Fraction) -> Expression:
    """A factor by its place, above the line or below: y′ and 1 / y′."""
    return base if p > 0 else ex.power(base, -1)


def holding_always(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules that hold for all data, and so may be used in a program; "mending" ones give what was meant."""
    return tuple(rule for rule in rules if rule.holds in ("always", "mending"))
