"""Rules that open logarithms, so that a loss falls into terms with simple derivatives: log y′ is z − log Σ exp(z).

They make a formula longer to read and easier to differentiate. They are used on losses before differentiating, wherever
they apply, and in no other place.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from . import expression as ex
from .conditions import A, Condition, c, u, x, y
from .expression import Expression
from .facts import Facts
from .rule import Rewrite, Rule
from .simplify import Rewriting, Simplifier

_ROUNDS = 20
_LONGEST = 400  # what costs more is not spread out
_SPREADINGS = (("mean of a constant", "split the sum"), ("multiply out", "split the sum"))
_CLOSING = ("logarithm of softmax", "put sums together")

POSITIVE = Condition("x and y are positive", lambda bound, facts: bound[x].positive and bound[y].positive)
BASE = Condition("x is positive", lambda bound, facts: bound[x].positive)
UPRIGHT = Condition(
    "y is not 0, and x − y reads better than y − x",
    lambda bound, facts: bound[y] is not ex.ZERO and not ex.leads_with_minus(ex.minus(bound[x], bound[y])),
)
_SIGMOID = ex.call("sigmoid", x)

OPENING: tuple[Rule, ...] = (
    Rule(
        "the logarithm of softmax",
        ex.log(ex.softmax((A,), u)),
        ex.minus(u, ex.log(ex.total((A,), ex.exp(u)))),
        "softmax is a fraction: the logarithm undoes the exponential above the line, and that of the sum below is "
        "subtracted",
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
        condition=POSITIVE,
    ),
    Rule(
        "the logarithm of one over something",
        ex.log(ex.power(x, -1)),
        ex.negated(ex.log(x)),
        "the logarithm of one over something is minus its logarithm",
        condition=BASE,
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
        condition=UPRIGHT,
    ),
)


class _Opener(Simplifier):
    """Uses rules wherever they apply, also where they make a formula longer."""

    def __init__(self, facts: Facts, rules: Sequence[Rule], kept: frozenset[Expression] = frozenset()) -> None:
        super().__init__(facts, rules)
        self._kept = kept

    def _use(self, rule: Rule, x: Expression) -> Rewrite | None:
        """The first way to use it that leaves what is kept as it is."""
        kept = self._kept.intersection(x.children)
        uses = (use for use in rule.rewrites(x, self.facts) if x not in self._kept)
        return next((use for use in uses if kept.issubset(ex.inner_first(use.result))), None)


def opened(x: Expression, facts: Facts, rules: Sequence[Rule]) -> tuple[Expression, list[Rewriting]]:
    """`x` with its logarithms opened, as a sum of simple terms, and the steps; none where it does not get one.

    Args:
        x: a loss.
        facts: proves the conditions of rules.
        rules: the rules of algebra, by which it is simplified afterwards.
    """
    opener, steps, longest = _Opener(facts, OPENING), list[Rewriting](), _longest_term(x)
    for _ in range(_ROUNDS):
        step = next(filter(None, (opener.everywhere(rule, x) for rule in OPENING)), None)
        if step is None:
            break
        x = step.after
        steps.append(step)
    if not steps:
        return x, []
    simplifier = Simplifier(facts, [rule for rule in rules if rule.name not in _CLOSING])
    forms = [simplifier.simplify(x)]
    for names in _SPREADINGS:
        spreading = [rule for rule in rules if rule.name in names]
        for kept in dict.fromkeys((_constants(x, facts.variables), frozenset())):
            forms.append(_spread(x, simplifier, _Opener(facts, spreading, kept)))
    result, more = min(forms, key=lambda form: (_longest_term(form[0]), len(form[1])))
    halfway = any(part.kind == "softmax" or part.data == "sigmoid" for part in ex.inner_first(result))
    return (x, []) if halfway or _longest_term(result) >= longest else (result, steps + more)


def _constants(x: Expression, variables: Set[Expression]) -> frozenset[Expression]:
    """The sums inside `x` that do not depend on the variables: targets, say, whose brackets are not to be opened."""
    depends = set(variables)
    for part in ex.inner_first(x):
        if any(child in depends for child in part.children):
            depends.add(part)
    sums = (part for part in ex.inner_first(x) if part.kind == "combination")
    return frozenset(part for part in sums if part not in depends)


def _longest_term(x: Expression) -> int:
    """What there is to differentiate at once: a sum is differentiated term by term."""
    sums = [base for base, _ in ex.factors_of(x) if base.kind == "combination"]
    return max((term.cost for _, term in ex.terms_of(sums[0] if len(sums) == 1 else x)), default=0)


def _spread(x: Expression, simplifier: Simplifier, opener: _Opener) -> tuple[Expression, list[Rewriting]]:
    """A sum of products of sums as a sum of sums: what does not vary comes out of each."""
    steps = list[Rewriting]()
    for rule in opener.rules:
        step = opener.everywhere(rule, x)
        if step is not None and step.after.cost < _LONGEST:
            x = step.after
            steps.append(step)
    shorter, more = simplifier.simplify(x)
    return shorter, steps + more
