"""Matching: does an expression have the form of a pattern, and what do the pattern's letters stand for?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from . import expression as ex
from .atoms import head
from .expression import Axis, Expression, Factor, Term
from .pattern import ANYWHERE, COMPARED, OPPOSITE, OTHERS, Bindings, is_fraction, is_rest

_OF_ONE_KIND = frozenset({"call", "reduce", "softmax", "one_hot", "at"})  # of a factor, which is never 1 = exp(0)
_MANY = 64  # terms; of more only what is common to all is looked for


def matches(pattern: Expression, x: Expression) -> Iterator[Bindings]:
    """What the letters of the pattern may stand for to make it `x`, one way after the other."""
    return (found for found in _match(pattern, x, {}) if _axes_fit(found))


def _axes_fit(bound: Bindings) -> bool:
    """A letter must not vary along an axis of the rule that it was not given."""
    axes = [(axis, own) for axis, own in bound.items() if isinstance(axis, Axis)]
    return not axes or all(
        axis in letter.axes or all(x.axes.isdisjoint(own) for x in (value if type(value) is tuple else (value,)))
        for letter, value in bound.items()
        if isinstance(letter, Expression)
        for axis, own in axes
    )


def _match(pattern: Expression, x: Expression, bound: Bindings) -> Iterator[Bindings]:
    kind = pattern.kind
    if kind == "wild":
        found = _bind(pattern, x, bound)
        if found is not None:
            yield found
    elif kind == "product":
        yield from _match_product(pattern, x, bound)
    elif kind == "combination":
        yield from _match_sum(pattern, x, bound)
    elif kind == "each":
        yield from _match_parts(pattern, x, bound)
    elif pattern is x:
        yield bound
    elif x is ex.ONE and _is_one_at_zero(pattern):
        yield from _match(pattern.children[0], ex.ZERO, bound)  # 1 = exp(0)
    elif kind == x.kind and len(pattern.children) == len(x.children):
        for found in _match_data(pattern, x, bound):
            yield from _match_all(pattern.children, x.children, found)


@functools.cache
def needs(pattern: Expression) -> frozenset[str]:
    """The heads without which nothing has this form; most expressions lack some, and need not be looked at."""
    if pattern.kind in ("each", "wild"):
        return frozenset()
    own = head(pattern.kind, pattern.data)
    always = own is not None and own not in (COMPARED, OPPOSITE, ex.POWER) and not _is_one_at_zero(pattern)
    return frozenset((own,) if always and own else ()).union(*map(needs, pattern.children))


@functools.cache
def _is_one_at_zero(pattern: Expression) -> bool:
    """Whether 1 may be this function of 0: 1 = exp(0)."""
    return pattern.kind == "call" and len(pattern.children) == 1 and ex.call(pattern.data, ex.ZERO) is ex.ONE


def _bind(letter: Expression, x: Expression, bound: Bindings) -> Bindings | None:
    known = bound.get(letter)
    if known is not None:
        return bound if known is x else None
    if is_fraction(letter) and not (x.kind == "number" and isinstance(x.data, Fraction)):
        return None
    return {**bound, letter: x}


def _match_all(patterns: Sequence[Expression], xs: Sequence[Expression], bound: Bindings) -> Iterator[Bindings]:
    if not patterns:
        yield bound
        return
    for found in _match(patterns[0], xs[0], bound):
        yield from _match_all(patterns[1:], xs[1:], found)


def _match_data(pattern: Expression, x: Expression, bound: Bindings) -> Iterator[Bindings]:
    """Functions of the same name, along axes that may be the pattern's."""
    own, data = pattern.data, x.data
    match pattern.kind:
        case "call":
            if own == data:
                yield bound
            elif own == COMPARED and data in ex.COMPARISONS and bound.get(COMPARED, data) == data:
                yield {**bound, COMPARED: data}
        case "reduce":
            if own[0] == data[0]:
                yield from _match_axes(own[1], data[1], bound)
        case "softmax":
            yield from _match_axes(own, data, bound)
        case "one_hot":
            yield from _match_axes((own,), (data,), bound)
        case "at":
            if own[1] in (ANYWHERE, data[1]) and bound.get(ANYWHERE, data[1]) == data[1]:
                yield from _match_axes((own[0],), (data[0],), {**bound, ANYWHERE: data[1]})


def _match_axes(patterns: tuple[Axis, ...], axes: tuple[Axis, ...], bound: Bindings) -> Iterator[Bindings]:
    (pattern,) = (axis for axis in patterns if axis != OTHERS)
    choices = [axes]
    if OTHERS in patterns and len(axes) > 1:
        choices += [(axis,) for axis in axes]
    for chosen in choices:
        if pattern.size and [axis.size for axis in chosen] != [pattern.size]:
            continue
        if bound.get(pattern, chosen) == chosen:
            others = {OTHERS: tuple(axis for axis in axes if axis not in chosen)} if OTHERS in patterns else {}
            yield {**bound, pattern: chosen, **others}


def _match_parts(pattern: Expression, x: Expression, bound: Bindings) -> Iterator[Bindings]:
    """All terms of a sum, or all that a function is computed from: each stands for the letter once."""
    form, *letters = pattern.children
    if pattern.data == "combination":
        if x.kind == "combination":
            yield from (found for found, left in _match_each(form, letters, ex.terms_of(x), bound) if not left)
    elif _each_place_alone(x, {axis for own in pattern.axes for axis in bound.get(own, ())}):
        yield {**bound, pattern.data: x, form: x.children}


def _each_place_alone(x: Expression, axes: set[Axis]) -> bool:
    """Whether a place of `x` along these axes is computed from the same place of its parts."""
    if x.kind == "reduce":
        return axes.isdisjoint(x.data[1])
    return x.kind in ("combination", "product", "call") or (x.kind == "stack" and x.data not in axes)


# --- sums and products ----------------------------------------------------------------------------------------


class _Plan(NamedTuple):
    """In which order the parts of a sum or product are looked for.

    Attributes:
        shaped: pairs as in `terms_of` or `factors_of`: those with a form, each of which is one part of the expression.
        group: terms of one form, of which there may be any number.
        number: a letter for the number in front.
        takers: letters that share what is left, with the number in front of each; what may vary along more axes first.
    """

    shaped: list[Any]
    group: Expression | None
    number: Expression | None
    takers: list[Term]


@functools.cache
def _plan_of_sum(pattern: Expression) -> _Plan:
    shaped = [term for term in ex.terms_of(pattern) if term[1].kind not in ("wild", "each")]
    groups = [x for c, x in ex.terms_of(pattern) if x.kind == "each" and c == 1]
    if len(groups) < sum(x.kind == "each" for x in pattern.children) or len(groups) > 1:
        raise ValueError("in a sum of a pattern there may be terms(…) once, without a number in front")
    takers = [term for term in ex.terms_of(pattern) if term[1].kind == "wild"]
    takers.sort(key=lambda term: -len(term[1].axes))
    return _Plan(shaped, groups[0] if groups else None, None, takers)


@functools.cache
def _plan_of_product(pattern: Expression) -> _Plan:
    """Parts with a form of their own before those that could be anything; above the line before below it."""
    ordered = sorted(
        ex.factors_of(pattern),
        key=lambda factor: (factor[0].kind == "wild" or _is_any_power(factor[0]), -factor[1]),
    )
    number = next((x for x, _ in ordered if is_fraction(x)), None)
    open_ended = [x for x, p in ordered if x.kind == "wild" and x is not number and p == 1]
    left = [x for x in open_ended if is_rest(x)] or open_ended[-1:]
    takers = [x for x in open_ended if left and x.axes - left[0].axes] + left
    shaped = [(x, p) for x, p in ordered if x not in takers and x is not number]
    return _Plan(shaped, None, number, [(Fraction(1), x) for x in takers])


def _match_product(pattern: Expression, x: Expression, bound: Bindings) -> Iterator[Bindings]:
    plan = _plan_of_product(pattern)
    number = ex.coefficient_of(x) / ex.coefficient_of(pattern)
    in_front = [] if number == 1 else [(ex.number(number), Fraction(1))]  # goes to a letter, as a factor
    if plan.number is not None:
        found = _bind(plan.number, ex.number(number), bound)
        if found is None:
            return
        bound, in_front = found, []
    if in_front and not plan.takers:
        return
    for more, left in _match_factors(plan.shaped, list(ex.factors_of(x)), bound):
        yield from _hand_out(plan.takers, left + in_front, 0, lambda share, c: ex.multiply(share), more)


def _match_factors(
    patterns: Sequence[Factor], available: list[Factor], bound: Bindings
) -> Iterator[tuple[Bindings, list[Factor]]]:
    if not patterns:
        yield bound, available
        return
    pattern, p = patterns[0]
    if pattern in bound and bound[pattern].kind == "product":  # a letter that stands for several factors
        left = _divided(available, bound[pattern], p)
        if left is not None:
            yield from _match_factors(patterns[1:], left, bound)
        return
    for i, (base, q) in enumerate(available):
        if _is_any_power(pattern):  # x^k for any k
            for found in _match(pattern.children[0], base, bound):
                with_power = _bind(pattern.children[1], ex.number(q), found)
                if with_power is not None:
                    yield from _match_factors(patterns[1:], available[:i] + available[i + 1 :], with_power)
            continue
        if base.kind != pattern.kind and pattern.kind in _OF_ONE_KIND:
            continue
        if q != p and (p.numerator * q.numerator <= 0 or abs(q) < abs(p)):
            continue
        left = [] if q == p else [(base, q - p)]
        for found in _match(pattern, base, bound):
            yield from _match_factors(patterns[1:], available[:i] + left + available[i + 1 :], found)
    if p > 0 and _is_one_at_zero(pattern):
        for found in _match(pattern, ex.ONE, bound):  # a factor of 1 = exp(0) is always there
            yield from _match_factors(patterns[1:], available, found)


def _divided(available: list[Factor], known: Expression, p: Fraction) -> list[Factor] | None:
    """The factors without those of what is known; None where one of them is not there."""
    left = list(available)
    for base, q in ex.factors_of(known):
        if (base, p * q) not in left:
            return None
        left.remove((base, p * q))
    return left if ex.coefficient_of(known) == 1 else None


def _is_any_power(pattern: Expression) -> bool:
    return pattern.kind == "call" and pattern.data == ex.POWER and is_fraction(pattern.children[1])


def _match_sum(pattern: Expression, x: Expression, bound: Bindings) -> Iterator[Bindings]:
    plan = _plan_of_sum(pattern)
    for found, left in _match_terms(plan.shaped, list(ex.terms_of(x)), bound):
        grouped: Iterable[tuple[Bindings, list[Term]]] = [(found, left)]
        if plan.group is not None:
            form, *letters = plan.group.children
            grouped = _match_each(form, letters, left, found)
        for more, others in grouped:
            known = [(c, more[x]) for c, x in plan.takers if x in more]
            takers = [taker for taker in plan.takers if taker[1] not in more]
            rest = _less(others, known)
            if rest is not None:
                yield from _hand_out(takers, rest, 1, lambda share, c: ex.add((r / c, t) for r, t in share), more)


def _less(available: list[Term], known: list[Term]) -> list[Term] | None:
    """The terms without those of letters that stand for something already; None where one of them is not there."""
    left = list(available)
    for c, x in known:
        for d, term in ex.terms_of(x):
            if (c * d, term) not in left:
                return None
            left.remove((c * d, term))
    return left


def _match_terms(
    patterns: Sequence[Term], available: list[Term], bound: Bindings
) -> Iterator[tuple[Bindings, list[Term]]]:
    if not patterns:
        yield bound, available
        return
    c, pattern = patterns[0]
    for i, (d, term) in enumerate(available):
        if c != d and pattern.kind != "product":  # in a product a letter may stand for the number, too
            continue
        for found in _match(pattern, term if c == d else ex.scaled(d / c, term), bound):
            yield from _match_terms(patterns[1:], available[:i] + available[i + 1 :], found)


def _hand_out(
    takers: Sequence[Term],
    left: list[Any],
    place: int,
    combine: Callable[[list[Any], Any], Expression],
    bound: Bindings,
) -> Iterator[Bindings]:
    """What is left goes to the letters: what varies along an axis of the rule to the one that may, else to the other.

    Args:
        takers: at most two letters.
        left: parts of a sum or product.
        place: where the expression stands in such a part.
        combine: puts parts together, for a letter with a number in front.
        bound: what the other letters stand for.
    """
    if not takers:
        if not left:
            yield bound
        return
    shares = [left]
    if len(takers) == 2:
        axes = {a for axis in takers[0][1].axes - takers[1][1].axes for a in bound.get(axis, ())}
        varying = [part for part in left if not part[place].axes.isdisjoint(axes)]
        shares = [varying, [part for part in left if part[place].axes.isdisjoint(axes)]]
    found: Bindings | None = bound
    for (c, taker), share in zip(takers, shares, strict=True):
        if found is None or not (share or is_rest(taker)):
            return
        found = _bind(taker, combine(share, c), found)
    if found is not None:
        yield found


# --- terms of one form ----------------------------------------------------------------------------------------


def _match_each(
    form: Expression, letters: Sequence[Expression], available: Sequence[Term], bound: Bindings
) -> Iterator[tuple[Bindings, list[Term]]]:
    """Terms of a form, and those that are left."""
    if form.kind == "reduce" and len(form.children[0].children) > 1:
        sums = [(c, ex.opened(term)) for c, term in available]
        for axes in dict.fromkeys(term.data[1] for _, term in sums if ex.is_total(term)):
            yield from _match_each_sum(form, letters, sums, axes, bound)
        return
    common = next((x for x in form.children if x.kind == "wild" and x not in letters), None)
    if common is not None:
        for factor, chosen, others in _common_factors(available):
            found = _bind(common, factor, bound)
            if found is not None:
                yield {**found, letters[0]: chosen}, others
        return
    rows, others = [], []
    for c, term in available:
        row = next(_match(form, ex.scaled(c, term), {}), None)
        if row is None:
            others.append((c, term))
        else:
            rows.append([row[x] for x in letters])
    if rows:
        yield {**bound, **dict(zip(letters, zip(*rows, strict=True), strict=True))}, others


def _match_each_sum(
    form: Expression, letters: Sequence[Expression], available: Sequence[Term], axes: tuple[Axis, ...], bound: Bindings
) -> Iterator[tuple[Bindings, list[Term]]]:
    """Sums along these axes, of products with a factor in common."""
    is_one = [ex.is_total(term) and term.data[1] == axes for _, term in available]
    inside = [(c, term.children[0]) for (c, term), one in zip(available, is_one, strict=True) if one]
    outside = [pair for pair, one in zip(available, is_one, strict=True) if not one]
    for with_axes in _match_axes(form.data[1], axes, bound):
        for found, left in _match_each(form.children[0], letters, inside, with_axes):
            yield found, outside + [(c, ex.total(axes, body)) for c, body in left]


def _common_factors(available: Sequence[Term]) -> Iterator[tuple[Expression, tuple[Expression, ...], list[Term]]]:
    """What terms have in common, what it leaves of each, and the other terms: of all first, then of the most."""
    for group in _groups(available):
        factor = _common([available[i][1] for i in group])
        numbers = {ex.magnitude(available[i][0]) for i in group}
        number = numbers.pop() if len(numbers) == 1 else Fraction(1)
        inside = tuple(ex.scaled(c / number, _without(term, factor)) for c, term in (available[i] for i in group))
        yield ex.multiply(factor, number), inside, [term for i, term in enumerate(available) if i not in group]


def _groups(available: Sequence[Term]) -> list[tuple[int, ...]]:
    """Sets of terms with a common factor."""
    users: dict[tuple[Expression, bool], list[int]] = {}
    for i, (_, term) in enumerate(available):
        for base, p in ex.factors_of(term):
            users.setdefault((base, p > 0), []).append(i)
    found = {tuple(chosen) for chosen in users.values() if len(chosen) > 1}
    numbers = {ex.magnitude(c) for c, _ in available}
    if len(numbers) == 1 and min(numbers) < 1:  # (a − b) / 2, but 2 a − 2 b stays
        found.add(tuple(range(len(available))))
    if len(available) > _MANY:
        found = {chosen for chosen in found if len(chosen) == len(available)}
    return sorted(found, key=lambda chosen: (-len(chosen), chosen))


def _common(xs: Iterable[Expression]) -> list[Factor]:
    """The factors, with their lowest powers, that all of these have."""
    common: dict[tuple[Expression, bool], Fraction] | None = None
    for x in xs:
        powers = {(base, p > 0): p for base, p in ex.factors_of(x)}
        if common is None:
            common = powers
        else:
            common = {key: min(p, powers[key], key=abs) for key, p in common.items() if key in powers}
    return [(base, p) for (base, _), p in (common or {}).items()]


def _without(x: Expression, factor: list[Factor]) -> Expression:
    """`x` divided by factors that it has. Nothing is cancelled: exponents only come nearer to 0."""
    taken = {(base, p > 0): p for base, p in factor}
    return ex.multiply((base, p - taken.get((base, p > 0), Fraction(0))) for base, p in ex.factors_of(x))
