"""Rules that open logarithms, so that a loss falls into parts with simple derivatives: `log softmax(z) = z − log Σ exp z`.

They make a formula longer to read and easier to differentiate. They are used on losses before differentiating, wherever
they apply, and in no other place.
"""

from __future__ import annotations

from . import expression as ex
from .expression import Expression
from .facts import Facts
from .pattern import Bindings, filled, rest
from .rules import A, B, Condition, Rule, c, k, terms, u, x, y

_POSITIVE = Condition("x and y are positive", lambda bound, facts: bound[x].positive and bound[y].positive)
_BASE = Condition("x is positive", lambda bound, facts: bound[x].positive)
_SIGMOID = ex.call("sigmoid", x)
_r = rest("r", A, B)

OPENING: tuple[Rule, ...] = (
    Rule(
        "the logarithm of softmax",
        ex.log(ex.softmax((A,), u)),
        ex.minus(u, ex.log(ex.total((A,), ex.exp(u)))),
        "softmax is a fraction: its logarithm is that of the exponential above, which the logarithm undoes, less that of "
        "the sum below",
    ),
    Rule(
        "the logarithm of the sigmoid",
        ex.log(_SIGMOID),
        ex.minus(x, ex.log(ex.plus(ex.ONE, ex.exp(x)))),
        "σ(x) = exp(x) / (1 + exp(x)): the logarithm undoes the exponential above, and log(1 + exp(x)) is subtracted",
        also=((ex.log(ex.minus(ex.ONE, _SIGMOID)), ex.negated(ex.log(ex.plus(ex.ONE, ex.exp(x))))),),
    ),
    Rule(
        "log undoes exp",
        ex.log(ex.exp(x)),
        x,
        "the logarithm undoes the exponential",
    ),
    Rule(
        "the logarithm of a product",
        ex.log(ex.product(x, y)),
        ex.plus(ex.log(x), ex.log(y)),
        "the logarithm of a product is the sum of the logarithms, and that of a quotient their difference",
        condition=_POSITIVE,
    ),
    Rule(
        "the logarithm of a power",
        ex.log(ex.power(x, -1)),
        ex.negated(ex.log(x)),
        "the logarithm of one over something is minus its logarithm",
        condition=_BASE,
    ),
    Rule(
        "a shift comes out of log Σ exp",
        ex.log(ex.total((A,), ex.exp(ex.plus(u, c)))),
        ex.plus(c, ex.log(ex.total((A,), ex.exp(u)))),
        "the factor exp({c}) is common to all terms of the sum, and its logarithm is {c}",
    ),
    Rule(
        "a shift comes out of log(1 + exp)",
        ex.log(ex.plus(ex.exp(x), ex.exp(y))),
        ex.plus(y, ex.log(ex.plus(ex.ONE, ex.exp(ex.minus(x, y))))),
        "the factor exp({y}) is common to both terms, and its logarithm is {y}",
        condition=Condition("y is not 0", lambda bound, facts: bound[y] is not ex.ZERO and bound[x] is not ex.ZERO),
    ),
)
