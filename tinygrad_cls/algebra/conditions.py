"""The letters of the rules, and what must hold besides the form for a rule to apply."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from ..engine import operations
from . import expression as ex
from .expression import Axis, Expression
from .facts import Because, Facts
from .pattern import ANYWHERE, COMPARED, OTHERS, Bindings, filled, fraction, letter, rest


class Condition(NamedTuple):
    """What must hold besides the form.

    Attributes:
        text: in words, over the letters of the rule.
        holds: whether it does, or why.
    """

    text: str
    holds: Callable[[Bindings, Facts], Because | bool | None]


# --- the letters ----------------------------------------------------------------------------------------------

A, B = Axis("α", 0), Axis("β", 0)  # axes of the rules
TWO = Axis("α", 2)  # one of length 2
u: Expression = letter("u", A, OTHERS)  # letters that may vary along α …
v: Expression = letter("v", A)
c: Expression = letter("c")  # … and one that may not
x: Expression = letter("x", A, B)
y: Expression = letter("y", A, B)
z: Expression = letter("z", A, B)
w: Expression = letter("w", A, B)
k: Expression = fraction("k")
k2: Expression = fraction("k₂")
r: Expression = rest("r", A, B)
v_or_0: Expression = rest("v", A, OTHERS)
v_or_1: Expression = rest("v", A)
c_or_1: Expression = rest("c")


# --- the conditions -------------------------------------------------------------------------------------------

SQRT_2, SQRT_2_PI = math.sqrt(2), math.sqrt(2 * math.pi)


def _is_multiple(number: ex.Value, of: float) -> bool:
    """Whether a rounded number is that irrational one times a fraction as people write it."""
    return isinstance(number, float) and isinstance(ex.short(number / of), Fraction)


OVER_SQRT_2 = Condition("1/√2 stands in x", lambda bound, facts: _is_multiple(ex.number_in_front(bound[x]), 1 / SQRT_2))
OVER_SQRT_2_PI = Condition(
    "1/√(2 π) stands in front", lambda bound, facts: _is_multiple(ex.coefficient_of(bound[r]), 1 / SQRT_2_PI)
)
NOWHERE_0 = Condition("x is nowhere 0", lambda bound, facts: facts.nonzero(bound[x]))
BROKEN_POWERS = Condition(
    "x is nowhere 0, and an exponent is no whole number",
    lambda bound, facts: (
        facts.nonzero(bound[x]) if y in bound or any(bound[p].data.denominator != 1 for p in (k, k2)) else None
    ),
)
ROWS = Condition("Σ u = 1, by its form or in the data", lambda bound, facts: facts.sums_to_one(bound[u], bound[A]))
LED_BY_MINUS = Condition(
    "x reads better without the minus", lambda bound, facts: ex.leads_with_minus(ex.negated(bound[x]))
)


def _is_a_part(bound: Bindings, facts: Facts) -> bool:
    part, whole = set(ex.terms_of(bound[x])), set(ex.terms_of(bound[y]))
    return part < whole and ex.minus(bound[y], bound[x]).cost <= bound[x].cost


A_PART = Condition("y is x and something that is not longer", _is_a_part)


def _picked_elsewhere(bound: Bindings, facts: Facts) -> bool:
    picked = filled(ex.total((A,), ex.product(v, Y)), bound)
    return any(base is picked for _, term in ex.terms_of(bound[r]) for base, _ in ex.factors_of(term))


Y = ex.one_hot(c, A)
PICKED_ELSEWHERE = Condition("Σ v y stands in the rest, too", _picked_elsewhere)


def _picked_nowhere_0(bound: Bindings, facts: Facts) -> Because | bool | None:
    if ANYWHERE in bound:
        same = bound[k].data == bound[ANYWHERE]
        return facts.nonzero(ex.at(bound[v], bound[A][0], bound[ANYWHERE])) if same else None
    return facts.nonzero(filled(ex.total((A,), ex.product(v, Y)), bound))


def _is_its_condition(bound: Bindings, facts: Facts) -> bool:
    return ex.call(GREATER, bound[x], ex.ZERO) is ex.call(bound[COMPARED], bound[y], bound[z])


GREATER, LESS, EQUAL = (entry.__name__ for entry in (operations.greater, operations.less, operations.equal))
POSITIVE = Condition("[y ⋛ z] says that x > 0", _is_its_condition)


def _are_apart(bound: Bindings, facts: Facts) -> Because | None:
    difference = ex.minus(bound[x], bound[y])
    number = ex.number_in_front(difference)
    because = facts.nonzero(ex.scaled(1 / number, difference)) if number else None
    if because is None or not because.assumed:
        return because
    return because._replace(reason="{0} ≠ {1}", about=(bound[x], bound[y], *because.about))


APART = Condition("x ≠ y", _are_apart)
SAME_PLACE = Condition(
    "the two places are one", lambda bound, facts: k not in bound or bound[k].data == bound[ANYWHERE]
)
PICKED_NOWHERE_0 = Condition("the value that y picks is nowhere 0", _picked_nowhere_0)
