"""The rules, one entry each: what may be rewritten as what, why, when, and for which numbers.

`explain` shows them with their reasons; a compiler may use those that hold always to skip work. None knows of a whole
result: `y′ − y` comes about by applying them one after the other.
"""

from __future__ import annotations

from fractions import Fraction

from ..engine import operations
from . import expression as ex
from .conditions import (
    A_PART,
    APART,
    BROKEN_POWERS,
    EQUAL,
    GREATER,
    LED_BY_MINUS,
    LESS,
    NOWHERE_0,
    OVER_SQRT_2,
    OVER_SQRT_2_PI,
    PICKED_ELSEWHERE,
    PICKED_NOWHERE_0,
    POSITIVE,
    ROWS,
    SAME_PLACE,
    SQRT_2,
    SQRT_2_PI,
    TWO,
    A,
    B,
    Y,
    c,
    c_or_1,
    k,
    k2,
    r,
    u,
    v,
    v_or_0,
    v_or_1,
    w,
    x,
    y,
    z,
)
from .expression import Expression
from .pattern import (
    ANYWHERE,
    COMPARED,
    OPPOSITE,
    OTHERS,
    factors,
    letter,
    parts,
    rest,
    terms,
)
from .rule import Rule

# --- the table ------------------------------------------------------------------------------------------------


_MAXIMUM = operations.maximum.__name__


def _positive_part(x: Expression) -> Expression:
    return ex.call(_MAXIMUM, ex.ZERO, x)


_OTHER_ORDER = ex.call(_MAXIMUM, x, ex.ZERO)
_G = rest("g", A, B)
_TIED, _HALVED = ex.call(EQUAL, x, y), ex.scaled(Fraction(1, 2), _G)
_REST = rest("s", A, B)
_BELL = ex.exp(ex.scaled(Fraction(-1, 2), ex.power(x, 2)))
_DENSITY = ex.product(ex.number(SQRT_2_PI), ex.call(ex.DENSITY, x))
_LOGITS = letter("u", TWO)
_WEIGHT = letter("weight", A)
_WEIGHED = ex.total((A,), ex.product(_WEIGHT, v, Y))
_SINH, _COSH, _TANH = (ex.call(entry.__name__, x) for entry in (operations.sinh, operations.cosh, operations.tanh))
_SOFTMAX = ex.softmax((TWO,), _LOGITS)

RULES: tuple[Rule, ...] = (
    Rule(
        "definition of softmax",
        ex.product(r, ex.divided(ex.exp(u), ex.total((A,), ex.exp(u)))),
        ex.product(r, ex.softmax((A,), u)),
        "an exponential divided by the sum of the exponentials is what softmax means",
        holds="mending",
        also=(
            (
                ex.product(r, ex.softmax((A,), u), ex.divided(ex.total((A,), ex.exp(u)), ex.exp(u))),
                r,
            ),
        ),
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
        "log Σ exp carries a shift through",
        ex.plus(r, ex.log(ex.total((A,), ex.exp(ex.minus(u, c)))), c),
        ex.plus(r, ex.log(ex.total((A,), ex.exp(u)))),
        "the factor exp(−{c}) is common to all terms of the sum: its logarithm −{c} and {c} cancel",
        also=(
            (
                ex.minus(r, ex.plus(ex.log(ex.total((A,), ex.exp(ex.minus(u, c)))), c)),
                ex.minus(r, ex.log(ex.total((A,), ex.exp(u)))),
            ),
        ),
    ),
    Rule(
        "log(1 + exp) carries a shift through",
        ex.plus(r, ex.log(ex.plus(ex.exp(x), ex.exp(ex.negated(y)))), y),
        ex.plus(r, ex.log(ex.plus(ex.exp(ex.plus(x, y)), ex.ONE))),
        "the factor exp(−{y}) is common to both terms: its logarithm −{y} and {y} cancel",
    ),
    Rule(
        "logarithm of softmax",
        ex.plus(r, ex.minus(u, ex.log(ex.total((A,), ex.exp(u))))),
        ex.plus(r, ex.log(ex.softmax((A,), u))),
        "the logarithm of a fraction is that of what stands above, here {u}, less that of what stands below",
        also=(
            (
                ex.plus(r, ex.minus(ex.log(ex.total((A,), ex.exp(u))), u)),
                ex.minus(r, ex.log(ex.softmax((A,), u))),
            ),
        ),
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
        "definition of tanh",
        ex.product(r, ex.divided(_SINH, _COSH)),
        ex.product(r, _TANH),
        "the hyperbolic sine divided by the hyperbolic cosine is what tanh means",
        holds="mending",
    ),
    Rule(
        "definition of Φ",
        ex.plus(ex.ONE, ex.call(operations.erf.__name__, x)),
        ex.scaled(Fraction(2), ex.call(ex.CUMULATIVE, ex.product(ex.number(SQRT_2), x))),
        "Φ(x) = (1 + erf(x / √2)) / 2 is the share of the standard normal distribution that lies below x",
        condition=OVER_SQRT_2,
    ),
    Rule(
        "definition of φ",
        ex.product(r, _BELL),
        ex.product(r, _DENSITY),
        "φ(x) = exp(−x² / 2) / √(2 π), the density of the standard normal distribution, is the slope of Φ(x)",
        condition=OVER_SQRT_2_PI,
        also=((ex.plus(_REST, ex.product(r, _BELL)), ex.plus(_REST, ex.product(r, _DENSITY))),),
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
        "beside the kink",
        ex.call(ex.WHERE, ex.call(EQUAL, x, y), z, ex.call(ex.WHERE, ex.call(LESS, x, y), ex.ZERO, w)),
        ex.product(ex.call(GREATER, x, y), w),
        "what is done at the kink itself, where {x} is {y}, does not matter here",
        condition=APART,
        also=(
            (
                ex.call(ex.WHERE, ex.call(EQUAL, x, y), z, ex.call(ex.WHERE, ex.call(GREATER, x, y), ex.ZERO, w)),
                ex.product(ex.call(LESS, x, y), w),
            ),
            (ex.call(ex.WHERE, ex.call(EQUAL, x, y), z, w), w),
            (ex.product(r, ex.call(ex.COMPARISONS[EQUAL], x, y)), r),
        ),
    ),
    Rule(
        "at the kink",
        ex.call(ex.WHERE, _TIED, _HALVED, ex.call(ex.WHERE, ex.call(LESS, x, y), ex.ZERO, _G)),
        ex.product(_HALVED, ex.plus(ex.call(GREATER, x, y), ex.call(ex.COMPARISONS[LESS], x, y))),
        "where the two are equal each gets one half: the mean of what comes back with and without the kink",
        also=(
            (
                ex.call(ex.WHERE, _TIED, _HALVED, ex.call(ex.WHERE, ex.call(GREATER, x, y), ex.ZERO, _G)),
                ex.product(_HALVED, ex.plus(ex.call(LESS, x, y), ex.call(ex.COMPARISONS[GREATER], x, y))),
            ),
        ),
    ),
    Rule(
        "beside the edge",
        ex.call(ex.WHERE, ex.call(operations.logical_and.__name__, ex.call(EQUAL, x, ex.ZERO), y), z, w),
        w,
        "what is done where {x} is 0 does not matter here",
        condition=NOWHERE_0,
    ),
    Rule(
        "where nothing flows",
        ex.call(ex.WHERE, ex.call(COMPARED, x, y), ex.ZERO, z),
        ex.product(ex.call(OPPOSITE, x, y), z),
        "0 in some places and unchanged in the others is a product with 0 and 1",
        also=((ex.call(ex.WHERE, ex.call(COMPARED, x, y), z, ex.ZERO), ex.product(ex.call(COMPARED, x, y), z)),),
    ),
    Rule(
        "size and sign",
        ex.product(r, x, ex.call(operations.sign.__name__, x)),
        ex.product(r, ex.call(operations.abs.__name__, x)),
        "a number times its sign is its absolute value",
        holds="always",
    ),
    Rule(
        "positive part",
        ex.product(r, _positive_part(x), ex.call(COMPARED, y, z)),
        ex.product(r, _positive_part(x)),
        "what is kept where it is positive, and 0 elsewhere, is the larger of it and 0",
        holds="mending",
        condition=POSITIVE,
        also=(
            (ex.product(r, _OTHER_ORDER, ex.call(COMPARED, y, z)), ex.product(r, _OTHER_ORDER)),
            (ex.product(r, x, ex.call(COMPARED, y, z)), ex.product(r, _positive_part(x))),
        ),
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
        "what is left of the whole",
        ex.minus(w, ex.product(w, ex.divided(x, y))),
        ex.product(w, ex.divided(ex.minus(y, x), y)),
        "{x} is a part of {y}: when its share is taken from the whole, that of the other terms is left",
        condition=A_PART,
        also=((ex.minus(ex.ONE, ex.divided(x, y)), ex.divided(ex.minus(y, x), y)),),
    ),
    Rule(
        "powers add up",
        ex.product(r, ex.power(x, k), ex.power(x, k2)),
        ex.product(r, ex.power(x, ex.plus(k, k2))),
        "in a product of powers of {x} the exponents add up",
        condition=BROKEN_POWERS,
        also=((ex.product(r, ex.power(x, y), ex.divided(ex.ONE, x)), ex.product(r, ex.power(x, ex.minus(y, ex.ONE)))),),
    ),
    Rule(
        "one-hot rows keep one value",
        ex.product(r, v, Y, ex.power(ex.total((A,), ex.product(v, Y)), Fraction(-1))),
        ex.product(r, Y),
        "the one-hot row leaves of {v} the value that it is divided by, so the two cancel",
        holds="always",
        condition=PICKED_NOWHERE_0,
        also=(
            (
                ex.product(r, v, ex.one_hot(k, A), ex.power(ex.at(v, A, ANYWHERE), Fraction(-1))),
                ex.product(r, ex.one_hot(k, A)),
            ),
        ),
    ),
    Rule(
        "one-hot rows keep one value, in front",
        ex.product(r, v, ex.minus(Y, ex.total((A,), ex.product(v, Y)))),
        ex.product(r, ex.total((A,), ex.product(v, Y)), ex.minus(Y, v)),
        "the one-hot row leaves of {v} the value that is subtracted: it goes in front of the bracket",
        holds="always",
        condition=SAME_PLACE,
        level=True,
        also=(
            (
                ex.product(r, v, ex.minus(ex.one_hot(k, A), ex.at(v, A, ANYWHERE))),
                ex.product(r, ex.at(v, A, ANYWHERE), ex.minus(ex.one_hot(k, A), v)),
            ),
        ),
    ),
    Rule(
        "one-hot rows keep one weighed value, in front",
        ex.product(r, v, ex.minus(ex.product(_WEIGHT, Y), _WEIGHED)),
        ex.product(r, _WEIGHED, ex.minus(Y, v)),
        "the one-hot row leaves one value of the sum, and that is the other term, too: it goes in front",
        level=True,
        also=(
            (
                ex.product(r, v, ex.minus(_WEIGHED, ex.product(_WEIGHT, Y))),
                ex.product(r, _WEIGHED, ex.minus(v, Y)),
            ),
        ),
    ),
    Rule(
        "rows sum to 1",
        ex.total((A, OTHERS), u),
        ex.total((OTHERS,), ex.ONE),
        "the sum over each row of {u} is known: it is 1",
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
        "take out a common bracket",
        ex.plus(ex.product(x, y), y, r),
        ex.plus(ex.product(ex.plus(x, ex.ONE), y), r),
        "{y} stands there once more, alone: together that is {y} times a bracket with a 1 in it",
        holds="always",
    ),
    Rule(
        "put sums together",
        ex.plus(terms(ex.total((A,), ex.product(x, y)), y), r),
        ex.plus(ex.total((A,), ex.product(x, terms(y, y))), r),
        "the sums run over the same places, and {x} is common to their terms: one sum will do",
        holds="always",
    ),
    Rule(
        "mean of a constant",
        ex.total((A, OTHERS), ex.product(u, ex.plus(v_or_0, c))),
        ex.total((OTHERS,), ex.plus(ex.total((A,), ex.product(u, v_or_0)), c)),
        "{u} sums to 1, so the mean of {c}, weighted by {u}, is {c} itself: it is the same everywhere",
        condition=ROWS,
        expands=True,
    ),
    Rule(
        "multiply out",
        ex.product(x, terms(y, y)),
        terms(ex.product(x, y), y),
        "every term in the brackets is multiplied by what stands in front",
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
        ex.plus(ex.product(c_or_1, v, Y), r),
        ex.plus(ex.product(c_or_1, Y, ex.total((A,), ex.product(v, Y))), r),
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
    "log Σ exp carries a shift through",
    "log(1 + exp) carries a shift through",
    "logarithm of softmax",
    "definition of the sigmoid",
    "definition of Φ",
)
"""The rules that give a known function its name: used on what the user computed, too."""
