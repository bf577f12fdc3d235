"""The last line as it reads best, once it is known what has a name: where h = (x − m) / s was named, x − m is h s."""

from __future__ import annotations

from collections.abc import Collection

from . import expression as ex
from .expression import Expression
from .facts import Because, Facts
from .pattern import letter
from .rule import Rewrite, Rule
from .simplify import Rewriting, Simplifier

_LONGEST = 400  # what costs more is not written by other names

BY_ITS_NAME = Rule(
    "solve for a name",
    letter("c"),
    ex.divided(letter("h"), letter("y")),
    "{h} is {c} times other factors, so {c} can be written with {h}",
)


MIRRORED = Rule(
    "mirror of the sigmoid",
    ex.minus(ex.ONE, ex.call("sigmoid", letter("x"))),
    ex.call("sigmoid", ex.negated(letter("x"))),
    "the two classes share the probability 1: σ(−x) and σ(x) add up to it",
)


class _Mirror(Simplifier):
    """Writes 1 − σ(x) as σ(−x), though that is no shorter to the other rules, unless σ(x) has a name."""

    def __init__(self, facts: Facts, named: Collection[Expression]) -> None:
        super().__init__(facts, [MIRRORED])
        self._named = named

    def _use(self, rule: Rule, x: Expression) -> Rewrite | None:
        own = any(part in self._named for part in (x, *x.children))
        return None if own else rule.apply(x, self.facts)


def mirrored(x: Expression, named: Collection[Expression], facts: Facts) -> list[Rewriting]:
    """The step to a form of `x` with σ(−x) for 1 − σ(x), where σ(x) stands nowhere else: so it has fewer parts."""
    step = _Mirror(facts, named).everywhere(MIRRORED, x)
    if step is None or sum(1 for _ in ex.inner_first(step.after)) >= sum(1 for _ in ex.inner_first(x)):
        return []
    return [step]


def by_names(
    x: Expression, named: Collection[Expression], simplifier: Simplifier
) -> tuple[Expression, list[Rewriting]]:
    """`x` written by products that have a name, where that is shorter, and by σ(−x) for 1 − σ(x); and the steps to it.

    Args:
        x: the expression.
        named: what has a name.
        simplifier: makes what comes of it simpler.
    """
    steps: list[Rewriting] = []
    simplest = (product for product in named if simplifier.simplify(product)[0] is product)
    for product in simplest if x.cost < _LONGEST else ():
        factors = ex.factors_of(product) if product.kind == "product" else ()
        for base, p in factors:
            if p != 1 or (base.kind == "leaf" and not base.axes) or (base.kind == "combination" and len(factors) == 1):
                continue  # a multiple of a sum that has a name is written by the name anyway
            replaced = _replaced(x, base, product)
            if replaced is x:
                continue
            simple, more = simplifier.simplify(replaced)
            if simple.cost < x.cost:
                because = Because(BY_ITS_NAME.reason.replace("{h}", "{0}").replace("{c}", "{1}"), (product, base))
                new = frozenset({ex.let(product)})
                steps += [Rewriting(BY_ITS_NAME, x, replaced, {base: frozenset({base})}, {replaced: new}, (because,))]
                steps += more
                x = simple
                break
    steps += mirrored(x, named, simplifier.facts)
    return steps[-1].after if steps else x, steps


def _replaced(x: Expression, base: Expression, product: Expression) -> Expression:
    """`x` with the product divided by the rest of it in place of one of its factors, but not inside of that rest."""
    others = [(other, p) for other, p in ex.factors_of(product) if other is not base]
    inverse = [(other, -p) for other, p in others]
    solved = ex.scaled(1 / ex.coefficient_of(product), ex.multiply([(ex.let(product), 1), *inverse]))
    fixed = set(ex.inner_first(*(other for other, _ in others))) - {base}
    changed: dict[Expression, Expression] = {base: solved}
    for part in ex.inner_first(x):
        if part is not base and part not in fixed and part.children:
            changed[part] = ex.rebuilt(part, [changed.get(child, child) for child in part.children])
    return changed.get(x, x)
