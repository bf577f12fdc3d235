"""The rules, one entry each: what may be rewritten as what, why, when, and for which numbers.

`explain` shows them with their reasons; a compiler may use those that hold always to skip work. None knows of a whole
result: `y′ − y` comes about by applying them one after the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from . import expression as ex
from .expression import Axis, Expression
from .facts import Because, Facts
from .matching import matches
from .pattern import (
    ANYWHERE,
    COMPARED,
    OPPOSITE,
    OTHERS,
    Bindings,
    factors,
    filled,
    fraction,
    is_rest,
    letter,
    parts,
    rest,
    terms,
)

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


class Condition(NamedTuple):
    """What must hold besides the form.

    Attributes:
        text: in words, over the letters of the rule.
        holds: whether it does, or why.
    """

    text: str
    holds: Callable[[Bindings, Facts], Because | bool | None]


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
    kinds: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", frozenset().union(*(_kinds(pattern) for pattern, _ in self.forms)))

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
        for pattern, replacement in self.forms:
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
        for x, value in bound.items():
            if isinstance(x, Expression) and "{" + x.data[0] + "}" in text:
                text = text.replace("{" + x.data[0] + "}", "{" + str(len(about)) + "}")
                about.append(value)
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
    return ex.multiply(factor for factor in ex.factors_of(replacement) if factor[0] is not left)


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
    old = tuple(base for base, p in ex.factors_of(x) if (base, p) not in powers)
    return Rewrite(ex.product(others, part), old, tuple(base for base, _ in ex.factors_of(part)), (because,))


def holding_always(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules that hold for all data, and so may be used in a program; "mending" ones give what was meant."""
    return tuple(rule for rule in rules if rule.holds in ("always", "mending"))


# --- the letters ----------------------------------------------------------------------------------------------

A, B = Axis("α", 0), Axis("β", 0)  # axes of the rules
TWO = Axis("α", 2)  # one of length 2
u: Expression = letter("u", A, OTHERS)  # letters that may vary along α …
v: Expression = letter("v", A)
c: Expression = letter("c")  # … and one that may not
x: Expression = letter("x", A, B)
y: Expression = letter("y", A, B)
z: Expression = letter("z", A, B)
k: Expression = fraction("k")
r: Expression = rest("r", A, B)
v_or_1: Expression = rest("v", A)
c_or_1: Expression = rest("c")


# --- the conditions -------------------------------------------------------------------------------------------

NOWHERE_0 = Condition("x is nowhere 0", lambda bound, facts: facts.nonzero(bound[x]))
ROWS = Condition("Σ u = 1, by its form or in the data", lambda bound, facts: facts.sums_to_one(bound[u], bound[A]))
LED_BY_MINUS = Condition(
    "x reads better without the minus", lambda bound, facts: ex.leads_with_minus(ex.negated(bound[x]))
)


def _picked_elsewhere(bound: Bindings, facts: Facts) -> bool:
    picked = filled(ex.total((A,), ex.product(v, _Y)), bound)
    return any(base is picked for _, term in ex.terms_of(bound[r]) for base, _ in ex.factors_of(term))


_Y = ex.one_hot(c, A)
PICKED_ELSEWHERE = Condition("Σ v y stands in the rest, too", _picked_elsewhere)

# --- the table ------------------------------------------------------------------------------------------------

_LOGITS = letter("u", TWO)
_SOFTMAX = ex.softmax((TWO,), _LOGITS)

RULES: tuple[Rule, ...] = (
    Rule(
        "definition of softmax",
        ex.product(r, ex.divided(ex.exp(u), ex.total((A,), ex.exp(u)))),
        ex.product(r, ex.softmax((A,), u)),
        "an exponential divided by the sum of the exponentials is what softmax means",
        holds="mending",
    ),
    Rule(
        "definition of softmax, inside a sum",
        ex.product(r, ex.divided(ex.total((A,), ex.product(v_or_1, ex.exp(u))), ex.total((A,), ex.exp(u)))),
        ex.product(r, ex.total((A,), ex.product(v_or_1, ex.softmax((A,), u)))),
        "a number divides every term of a sum alike, and an exponential divided by the sum of the "
        "exponentials is softmax",
        holds="mending",
    ),
    Rule(
        "softmax ignores a shift",
        ex.softmax((A,), ex.plus(u, c)),
        ex.softmax((A,), u),
        "subtracting a constant from every logit leaves softmax unchanged: the factor exp({c}) stands "
        "above and below the line",
        holds="always",
    ),
    Rule(
        "definition of the sigmoid",
        ex.product(r, ex.divided(ex.exp(x), ex.plus(ex.exp(x), ex.exp(y)))),
        ex.product(r, ex.call("sigmoid", ex.minus(x, y))),
        "divide above and below the line by the exponential above: 1 / (1 + exp(−…)) is what sigmoid "
        "means, and a shift of both exponents drops out",
        holds="mending",
    ),
    Rule(
        "mirror of the sigmoid",
        ex.call("sigmoid", ex.negated(x)),
        ex.minus(ex.ONE, ex.call("sigmoid", x)),
        "the two classes share the probability 1: σ(−x) and σ(x) add up to it",
        condition=LED_BY_MINUS,
    ),
    Rule(
        "softmax of two classes",
        ex.at(_SOFTMAX, TWO, 0),
        ex.call("sigmoid", ex.minus(ex.at(_LOGITS, TWO, 0), ex.at(_LOGITS, TWO, 1))),
        "with two classes, dividing above and below the line by one exponential leaves 1 / (1 + "
        "exp(−difference)): the sigmoid of the difference of the logits",
        holds="mending",
        also=(
            (
                ex.at(_SOFTMAX, TWO, 1),
                ex.call("sigmoid", ex.minus(ex.at(_LOGITS, TWO, 1), ex.at(_LOGITS, TWO, 0))),
            ),
        ),
    ),
    Rule(
        "exp undoes log",
        ex.exp(ex.plus(terms(ex.product(k, ex.log(y)), k, y), r)),
        ex.product(ex.exp(r), factors(ex.power(y, k), y, k)),
        "exp(a + log b) = exp(a) · b, since exp undoes log",
    ),
    Rule(
        "where nothing flows",
        ex.call(ex.WHERE, ex.call(COMPARED, x, y), ex.ZERO, z),
        ex.product(ex.call(OPPOSITE, x, y), z),
        "0 in some places and unchanged in the others is a product with 0 and 1",
        also=((ex.call(ex.WHERE, ex.call(COMPARED, x, y), z, ex.ZERO), ex.product(ex.call(COMPARED, x, y), z)),),
    ),
    Rule(
        "cancel",
        ex.product(r, ex.divided(x, x)),
        r,
        "the same factor {x} stands above and below the line",
        holds="mending",
        condition=NOWHERE_0,
    ),
    Rule(
        "rows sum to 1",
        ex.total((A, OTHERS), u),
        ex.total((OTHERS,), ex.ONE),
        "every row of {u} sums to 1",
        holds="always",
        condition=ROWS,
    ),
    Rule(
        "take out a common factor",
        ex.plus(terms(ex.product(x, y), y), r),
        ex.plus(ex.product(x, terms(y, y)), r),
        "the terms have {x} in common, which goes in front of a bracket",
        holds="always",
    ),
    Rule(
        "multiply out",
        ex.product(x, terms(y, y)),
        terms(ex.product(x, y), y),
        "every term in the brackets is multiplied by what stands in front, so that equal parts meet",
        holds="always",
        expands=True,
    ),
    Rule(
        "split the sum",
        ex.total((A,), terms(v, v)),
        terms(ex.total((A,), v), v),
        "the sum of a sum can be added up part by part",
        holds="always",
        expands=True,
    ),
    Rule(
        "pick a place",
        ex.at(parts("f", v, v), A, ANYWHERE),
        parts("f", ex.at(v, A, ANYWHERE), v),
        "element by element: one place of the result comes from the same place of its parts",
        holds="always",
        expands=True,
    ),
    Rule(
        "one-hot selects",
        ex.plus(ex.product(c_or_1, v, _Y), r),
        ex.plus(ex.product(c_or_1, _Y, ex.total((A,), ex.product(v, _Y))), r),
        "a one-hot row keeps one value and sets the others to 0: that value is the row's sum of products",
        holds="always",
        condition=PICKED_ELSEWHERE,
        expands=True,
    ),
)


RECOGNITIONS = (
    "definition of softmax",
    "definition of softmax, inside a sum",
    "softmax ignores a shift",
    "definition of the sigmoid",
)
"""The rules that give a known function its name: used on what the user computed, too."""
