"""The rules, one entry each: what may be rewritten as what, why, and when.

`explain` shows them with their reasons; a compiler may use the same ones to skip work. None knows of a whole result:
`y′ − y` comes about by applying them one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import NamedTuple

from . import expression as ex
from .expression import Axis, Expression
from .facts import Because, Facts
from .pattern import Bindings, filled, match, match_in_product

_MANY = 64  # terms; more are not multiplied out, nor searched for partners

A = Axis("α", 0)  # the axes of the rules
B = Axis("β", 0)
u, v = ex.wild("u", A), ex.wild("v", A)  # letters that may vary along α …
c = ex.wild("c")  # … and one that may not
x, y, z = ex.wild("x", A, B), ex.wild("y", A, B), ex.wild("z", A, B)


def _exp(x: Expression) -> Expression:
    return ex.call("exp", x)


class Rewrite(NamedTuple):
    """One use of a rule.

    Attributes:
        result: what the whole expression becomes.
        old: the parts of it that the rule looked at.
        new: what stands in their place.
        because: the reason, for these parts.
    """

    result: Expression
    old: tuple[Expression, ...]
    new: tuple[Expression, ...]
    because: Because


class Rule(NamedTuple):
    """A rewrite rule.

    Attributes:
        name: the idea, as a teacher would call it.
        pattern: what it rewrites, over letters.
        replacement: what it becomes.
        reason: why, for someone who sees it the first time; `{x}` stands for what the letter x stands for.
        condition: proves what must hold besides the form; None where it does not. Nothing more is needed by default.
        condition_text: the same in words, for readers of the table.
        rewrite: for rules over any number of terms, which no single pattern shows: how it is done.
        expands: whether the result is longer at first. Then it is used only where other rules make it shorter
            than before, so that simplifying always ends.
        kinds: the kinds of expressions that it can apply to.
    """

    name: str
    pattern: Expression
    replacement: Expression
    reason: str
    kinds: frozenset[str]
    condition: Callable[[Bindings, Facts], Because | None] | None = None
    condition_text: str = ""
    rewrite: Callable[[Rule, Expression, Facts], Rewrite | None] | None = None
    expands: bool = False

    def apply(self, expression: Expression, facts: Facts) -> Rewrite | None:
        """Use the rule on the expression itself (not on what is inside); None where it does not apply."""
        if expression.kind not in self.kinds:
            return None
        if self.rewrite is not None:
            return self.rewrite(self, expression, facts)
        if self.pattern.kind == "product":
            return self._on_factors(expression, facts)
        bindings = match(self.pattern, expression)
        if bindings is None:
            return None
        because = self._because(bindings, facts)
        if because is None:
            return None
        result = filled(self.replacement, bindings)
        return Rewrite(result, (expression,), (result,), because)

    def _on_factors(self, expression: Expression, facts: Facts) -> Rewrite | None:
        found = match_in_product(self.pattern, expression)
        if found is None:
            return None
        bindings, rest = found
        because = self._because(bindings, facts)
        if because is None:
            return None
        part = filled(self.replacement, bindings)
        result = ex.multiply([*rest, (part, Fraction(1))], ex.coefficient_of(expression))
        old = tuple(base for base, p in ex.factors_of(expression) if (base, p) not in rest)
        return Rewrite(result, old, tuple(base for base, _ in ex.factors_of(part)), because)

    def _because(self, bindings: Bindings, facts: Facts) -> Because | None:
        reason = self.explained(bindings)
        if self.condition is None:
            return reason
        holds = self.condition(bindings, facts)
        if holds is None:
            return None
        return joined(reason, holds)

    def explained(self, bindings: Bindings) -> Because:
        """The reason with the letters replaced by what they stand for."""
        text, about = self.reason, list[Expression]()
        for letter, value in bindings.items():
            if isinstance(letter, Expression) and "{" + letter.data[0] + "}" in text:
                text = text.replace("{" + letter.data[0] + "}", "{" + str(len(about)) + "}")
                about.append(value)
        return Because(text, tuple(about))


def joined(reason: Because, holds: Because) -> Because:
    """A reason, and why its condition holds."""
    text = holds.text
    for i in reversed(range(len(holds.about))):
        text = text.replace("{" + str(i) + "}", "{" + str(i + len(reason.about)) + "}")
    text = f"{reason.text}, because {text}" + (" in the recorded data" if holds.assumed else "")
    return Because(text, reason.about + holds.about, holds.assumed)


# --- conditions -----------------------------------------------------------------------------------------------


def _nonzero(bindings: Bindings, facts: Facts) -> Because | None:
    return facts.nonzero(bindings[x])


# --- rules over any number of terms ---------------------------------------------------------------------------


def _multiply_out(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    """Every sum among the factors, also inside a sum of products, times every other factor."""
    terms = []
    for coefficient, term in ex.terms_of(expression):
        parts = _expanded(term)
        if parts is None:
            return None
        terms += [(coefficient * d, part) for d, part in parts]
        if len(terms) > _MANY:
            return None
    result = ex.add(terms)
    return None if result is expression else Rewrite(result, (expression,), (result,), Because(rule.reason))


def _expanded(term: Expression) -> list[ex.Term] | None:
    parts: list[ex.Term] = [(ex.coefficient_of(term), ex.multiply(f for f in ex.factors_of(term) if not _opens(f)))]
    for base, p in filter(_opens, ex.factors_of(term)):
        for _ in range(p.numerator):
            parts = [(a * b, ex.product(s, t)) for a, s in parts for b, t in ex.terms_of(base)]
            if len(parts) > _MANY:
                return None
    return parts


def _opens(factor: ex.Factor) -> bool:
    base, p = factor
    return base.kind == "sum" and p.denominator == 1 and 0 < p <= 2


def _take_out(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    """Take out what is common to all terms, else what is common to the most of them."""
    terms: list[ex.Term] = list(ex.terms_of(expression))
    for chosen in _groups(terms):
        factor = _common([terms[i][1] for i in chosen])
        coefficients = {ex.magnitude(terms[i][0]) for i in chosen}
        number = coefficients.pop() if len(coefficients) == 1 else Fraction(1)
        inside = ex.add((terms[i][0] / number, _without(terms[i][1], factor)) for i in chosen)
        part = ex.multiply([*factor, (inside, Fraction(1))], number)
        rest = [terms[i] for i in range(len(terms)) if i not in chosen]
        result = ex.add([*rest, (Fraction(1), part)]) if rest else part
        if result.cost < expression.cost:
            old = tuple(ex.scaled(terms[i][0], terms[i][1]) for i in chosen)
            reason = Because(rule.reason.replace("{x}", "{0}"), (ex.multiply(factor, number),))
            return Rewrite(result, old if rest else (expression,), (part,), reason)
    return None


def _groups(terms: list[ex.Term]) -> list[tuple[int, ...]]:
    """Sets of terms with a common factor: all of them first, then the largest."""
    users: dict[tuple[Expression, bool], list[int]] = {}
    for i, (_, term) in enumerate(terms):
        for base, p in ex.factors_of(term):
            users.setdefault((base, p > 0), []).append(i)
    found = {tuple(chosen) for chosen in users.values() if len(chosen) > 1}
    numbers = {ex.magnitude(coefficient) for coefficient, _ in terms}
    if len(numbers) == 1 and min(numbers) < 1:  # (a − b) / 2, but 2 a − 2 b stays
        found.add(tuple(range(len(terms))))
    if len(terms) > _MANY:  # of very many terms only what is common to all
        found = {chosen for chosen in found if len(chosen) == len(terms)}
    return sorted(found, key=lambda chosen: (-len(chosen), chosen))


def _common(terms: Iterable[Expression]) -> list[ex.Factor]:
    """The factors, with their lowest powers, that all the terms have."""
    common: dict[tuple[Expression, bool], Fraction] | None = None
    for term in terms:
        powers = {(base, p > 0): p for base, p in ex.factors_of(term)}
        if common is None:
            common = powers
        else:
            common = {key: min(p, powers[key], key=abs) for key, p in common.items() if key in powers}
    return [(base, p) for (base, _), p in (common or {}).items()]


def _without(term: Expression, factor: list[ex.Factor]) -> Expression:
    """The term divided by factors that it has. Nothing is cancelled: exponents only come nearer to 0."""
    taken = {(base, p > 0): p for base, p in factor}
    return ex.multiply((base, p - taken.get((base, p > 0), Fraction(0))) for base, p in ex.factors_of(term))


def _rows_sum(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    """Each row counts 1: along all axes of the sum, or along one of them and once for each row."""
    if expression.data[0] != "sum":
        return None
    axes, (rows,) = expression.data[1], expression.children
    for over in (axes, *((axis,) for axis in axes if len(axes) > 1)):
        holds = facts.sums_to_one(rows, over)
        if holds is not None:
            result = ex.total((axis for axis in axes if axis not in over), ex.ONE)
            because = joined(Because(rule.reason.replace("{u}", "{0}"), (rows,)), holds)
            return Rewrite(result, (expression,), (result,), because)
    return None


def _split_sum(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    if expression.data[0] != "sum" or expression.children[0].kind != "sum":
        return None
    body = expression.children[0]
    result = ex.add((coefficient, ex.total(expression.data[1], term)) for coefficient, term in ex.terms_of(body))
    return Rewrite(result, (expression,), (result,), Because(rule.reason))


def _selected(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    """In a sum: `w ⊙ y` for a one-hot y, where the value that y picks is a factor of another term."""
    terms = list(ex.terms_of(expression))
    factors = {base for _, term in terms for base, _ in ex.factors_of(term)}
    for i, (coefficient, term) in enumerate(terms):
        for y, p in ex.factors_of(term):
            along = [f for f in ex.factors_of(term) if y.kind == "one_hot" and f[0] is not y and y.data in f[0].axes]
            if not along or p != 1:
                continue
            picked = ex.total((y.data,), ex.multiply([*along, (y, Fraction(1))]))
            if not any(base in factors for base, _ in ex.factors_of(picked)):
                continue
            rest = [f for f in ex.factors_of(term) if f not in along]
            selected = ex.multiply([*rest, (picked, Fraction(1))])
            result = ex.add([*terms[:i], (coefficient, selected), *terms[i + 1 :]])
            return Rewrite(result, (term,), (selected,), Because(rule.reason))
    return None


def _picked(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    axis, index = expression.data
    result = _picked_inside(expression.children[0], axis, index)
    return None if result is expression else Rewrite(result, (expression,), (result,), Because(rule.reason))


def _picked_inside(x: Expression, axis: Axis, index: int) -> Expression:
    """`x` at a place, which is looked up in every part."""
    passes = x.kind in ("sum", "product", "call", "stack") or (x.kind == "reduce" and axis not in x.data[1])
    if axis not in x.axes or not passes or (x.kind == "stack" and x.data == axis):
        return ex.at(x, axis, index)
    return ex.rebuilt(x, [_picked_inside(child, axis, index) for child in x.children])


def _indicator(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    if expression.data != "where":
        return None
    condition, yes, no = expression.children
    if condition.kind != "call" or condition.data not in ex.COMPARISONS:
        return None
    if yes is ex.ZERO:
        opposite = ex.call(ex.COMPARISONS[condition.data], *condition.children)
        result = ex.product(opposite, no)
    elif no is ex.ZERO:
        result = ex.product(condition, yes)
    else:
        return None
    return Rewrite(result, (expression,), (result,), Because(rule.reason))


def _two_classes(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    axis, index = expression.data
    (inside,) = expression.children
    if inside.kind != "softmax" or inside.data != (axis,) or axis.size != 2:
        return None
    logits = inside.children[0]
    result = ex.call("sigmoid", ex.minus(ex.at(logits, axis, index), ex.at(logits, axis, 1 - index)))
    return Rewrite(result, (expression,), (result,), Because(rule.reason))


def _mirrored(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    if expression.data != "sigmoid" or not ex.leads_with_minus(expression.children[0]):
        return None
    result = ex.minus(ex.ONE, ex.call("sigmoid", ex.negated(expression.children[0])))
    return Rewrite(result, (expression,), (result,), Because(rule.reason))


def _unlogged(rule: Rule, expression: Expression, facts: Facts) -> Rewrite | None:
    """Every logarithm with a whole number in front comes out of the exponential."""
    if expression.data != "exp":
        return None
    terms = ex.terms_of(expression.children[0])
    logs = [(k, t) for k, t in terms if t.kind == "call" and t.data == "log" and isinstance(k, Fraction)]
    if not logs:
        return None
    rest = ex.add(term for term in terms if term not in logs)
    result = ex.multiply([(_exp(rest), Fraction(1)), *((t.children[0], k) for k, t in logs if isinstance(k, Fraction))])
    return Rewrite(result, (expression,), (result,), Because(rule.reason))


# --- the table ------------------------------------------------------------------------------------------------

_PRODUCT, _SUM = frozenset({"product"}), frozenset({"sum"})

RULES: tuple[Rule, ...] = (
    Rule(
        "definition of softmax",
        ex.divided(_exp(u), ex.total((A,), _exp(u))),
        ex.softmax((A,), u),
        "an exponential divided by the sum of the exponentials is what softmax means",
        _PRODUCT,
    ),
    Rule(
        "definition of softmax, inside a sum",
        ex.divided(ex.total((A,), ex.product(v, _exp(u))), ex.total((A,), _exp(u))),
        ex.total((A,), ex.product(v, ex.softmax((A,), u))),
        "a number divides every term of a sum alike, and an exponential divided by the sum of the "
        "exponentials is softmax",
        _PRODUCT,
    ),
    Rule(
        "softmax ignores a shift",
        ex.softmax((A,), ex.plus(u, c)),
        ex.softmax((A,), u),
        "subtracting a constant from every logit leaves softmax unchanged: the factor exp({c}) stands "
        "above and below the line",
        frozenset({"softmax"}),
        condition_text="c is the same for all classes",
    ),
    Rule(
        "definition of the sigmoid",
        ex.divided(_exp(x), ex.plus(_exp(x), _exp(y))),
        ex.call("sigmoid", ex.minus(x, y)),
        "divide above and below the line by the exponential above: 1 / (1 + exp(−…)) is what sigmoid "
        "means, and a shift of both exponents drops out",
        _PRODUCT,
    ),
    Rule(
        "mirror of the sigmoid",
        ex.call("sigmoid", ex.negated(x)),
        ex.minus(ex.ONE, ex.call("sigmoid", x)),
        "the two classes share the probability 1: σ(−x) and σ(x) add up to it",
        frozenset({"call"}),
        rewrite=_mirrored,
    ),
    Rule(
        "softmax of two classes",
        ex.at(ex.softmax((A,), u), A, 0),
        ex.call("sigmoid", ex.minus(ex.at(u, A, 0), ex.at(u, A, 1))),
        "with two classes, dividing above and below the line by one exponential leaves 1 / (1 + "
        "exp(−difference)): the sigmoid of the difference of the logits",
        frozenset({"at"}),
        rewrite=_two_classes,
        condition_text="there are two classes",
    ),
    Rule(
        "exp undoes log",
        _exp(ex.plus(x, ex.call("log", y))),
        ex.product(_exp(x), y),
        "exp(a + log b) = exp(a) · b, since exp undoes log",
        frozenset({"call"}),
        rewrite=_unlogged,
    ),
    Rule(
        "where nothing flows",
        ex.call("where", ex.call("less_equal", x, y), ex.ZERO, z),
        ex.product(ex.call("greater", x, y), z),
        "0 in some places and unchanged in the others is a product with 0 and 1",
        frozenset({"call"}),
        rewrite=_indicator,
    ),
    Rule(
        "cancel",
        ex.divided(x, x),
        ex.ONE,
        "the same factor {x} stands above and below the line",
        _PRODUCT,
        condition=_nonzero,
        condition_text="x is nowhere 0",
    ),
    Rule(
        "rows sum to 1",
        ex.total((A,), u),
        ex.ONE,
        "every row of {u} sums to 1",
        frozenset({"reduce"}),
        rewrite=_rows_sum,
        condition_text="Σ u = 1, by its form or in the data",
    ),
    Rule(
        "take out a common factor",
        ex.plus(ex.product(x, y), ex.product(x, z)),
        ex.product(x, ex.plus(y, z)),
        "the terms have {x} in common, which goes in front of a bracket",
        _SUM,
        rewrite=_take_out,
    ),
    Rule(
        "multiply out",
        ex.product(x, ex.plus(y, z)),
        ex.plus(ex.product(x, y), ex.product(x, z)),
        "every term in the brackets is multiplied by what stands in front, so that equal parts meet",
        frozenset({"product", "sum"}),
        rewrite=_multiply_out,
        expands=True,
    ),
    Rule(
        "split the sum",
        ex.total((A,), ex.plus(u, v)),
        ex.plus(ex.total((A,), u), ex.total((A,), v)),
        "the sum of a sum can be added up part by part",
        frozenset({"reduce"}),
        rewrite=_split_sum,
        expands=True,
    ),
    Rule(
        "pick a place",
        ex.at(ex.plus(u, v), A, 0),
        ex.plus(ex.at(u, A, 0), ex.at(v, A, 0)),
        "element by element: one place of the result comes from the same place of its parts",
        frozenset({"at"}),
        rewrite=_picked,
        expands=True,
    ),
    Rule(
        "one-hot selects",
        ex.product(u, ex.one_hot(c, A)),
        ex.product(ex.one_hot(c, A), ex.total((A,), ex.product(u, ex.one_hot(c, A)))),
        "a one-hot row keeps one value and sets the others to 0: that value is the row's sum of products",
        _SUM,
        rewrite=_selected,
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
