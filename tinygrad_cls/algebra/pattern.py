"""Matching: does an expression have the form of a pattern, and what do the pattern's letters stand for?

A pattern is an expression with letters (`wild`) in it, over axes of its own. In sums and products the order of the
parts does not matter, and a letter among them may stand for all that is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from . import expression as ex
from .expression import Axis, Expression, Factor, Term

Bindings: TypeAlias = Mapping[Any, Any]
"""What each letter stands for (an expression), and each axis of the pattern (a tuple of axes)."""


def match(pattern: Expression, x: Expression) -> Bindings | None:
    """What the letters of the pattern must stand for to make it `x`; None when it cannot be."""
    return next((found for found in _match(pattern, x, {}) if _axes_fit(found)), None)


def match_in_product(pattern: Expression, x: Expression) -> tuple[Bindings, list[Factor]] | None:
    """Like `match`, but the pattern may be some of the factors of `x`: also gives those that are left."""
    for found, rest in _match_factors(_inside_first(ex.factors_of(pattern)), list(ex.factors_of(x)), {}):
        if _axes_fit(found):
            return found, rest
    return None


def filled(pattern: Expression, bindings: Bindings) -> Expression:
    """The pattern with its letters replaced by what they stand for."""
    done: dict[Expression, Expression] = {}
    for part in ex.inner_first(pattern):
        children = [done[child] for child in part.children]
        if part.kind == "wild":
            done[part] = bindings[part]
        elif part.kind == "reduce":
            over = [a for axis in part.data[1] for a in bindings[axis]]
            done[part] = ex.total(over, children[0])
        elif part.kind == "softmax":
            done[part] = ex.softmax([a for axis in part.data for a in bindings[axis]], children[0])
        else:
            done[part] = ex.rebuilt(part, children) if children else part
    return done[pattern]


def _axes_fit(bindings: Bindings) -> bool:
    """A letter must not vary along an axis of the rule that it was not given."""
    bound = [(axis, axes) for axis, axes in bindings.items() if isinstance(axis, Axis)]
    return all(
        axis in letter.axes or x.axes.isdisjoint(axes)
        for letter, x in bindings.items()
        if isinstance(letter, Expression)
        for axis, axes in bound
    )


def _match(pattern: Expression, x: Expression, bound: Bindings) -> Iterator[Bindings]:
    kind = pattern.kind
    if kind == "wild":
        known = bound.get(pattern)
        if known is None:
            yield {**bound, pattern: x}
        elif known is x:
            yield bound
    elif kind == "product":
        yield from _match_product(pattern, x, bound)
    elif kind == "sum":
        yield from _match_sum(pattern, x, bound)
    elif pattern is x:
        yield bound
    elif kind == "call" and x is ex.ONE and pattern.data == "exp":
        yield from _match(pattern.children[0], ex.ZERO, bound)  # 1 = exp(0)
    elif kind == x.kind and len(pattern.children) == len(x.children):
        yield from _match_function(pattern, x, bound)


def _match_function(pattern: Expression, x: Expression, bound: Bindings) -> Iterator[Bindings]:
    if pattern.kind == "call":
        if pattern.data != x.data:
            return
    elif pattern.kind in ("reduce", "softmax"):
        (axis,), axes = (pattern.data[1], x.data[1]) if pattern.kind == "reduce" else (pattern.data, x.data)
        if pattern.kind == "reduce" and pattern.data[0] != x.data[0]:
            return
        if bound.get(axis, axes) != axes:
            return
        bound = {**bound, axis: axes}
    else:
        return
    found: Sequence[Bindings] = [bound]
    for p, child in zip(pattern.children, x.children, strict=True):
        found = [more for b in found for more in _match(p, child, b)]
    yield from found


def _inside_first(factors: Sequence[Factor]) -> list[Factor]:
    """The parts with a form of their own before those that could be anything; above the line before below it."""
    return sorted(factors, key=lambda factor: (factor[0].kind == "wild", -factor[1]))


def _match_product(pattern: Expression, x: Expression, bound: Bindings) -> Iterator[Bindings]:
    if ex.coefficient_of(x) != ex.coefficient_of(pattern):
        return
    factors = _inside_first(ex.factors_of(pattern))
    factors.sort(key=lambda factor: factor[0].kind == "wild" and factor[1] == 1)
    last = factors[-1][0] if factors[-1][0].kind == "wild" and factors[-1][1] == 1 else None
    if last is None:
        yield from (found for found, rest in _match_factors(factors, list(ex.factors_of(x)), bound) if not rest)
        return
    for found, rest in _match_factors(factors[:-1], list(ex.factors_of(x)), bound):
        yield from _match(last, ex.multiply(rest), found)  # the last letter stands for all that is left


def _match_factors(
    patterns: Sequence[Factor], available: list[Factor], bound: Bindings
) -> Iterator[tuple[Bindings, list[Factor]]]:
    if not patterns:
        yield bound, available
        return
    pattern, p = patterns[0]
    for i, (base, q) in enumerate(available):
        if p * q <= 0 or abs(q) < abs(p):
            continue
        left = [] if q == p else [(base, q - p)]
        for found in _match(pattern, base, bound):
            yield from _match_factors(patterns[1:], available[:i] + left + available[i + 1 :], found)
    if pattern.kind == "call" and pattern.data == "exp" and p > 0:
        for found in _match(pattern, ex.ONE, bound):  # a factor of 1 = exp(0) is always there
            yield from _match_factors(patterns[1:], available, found)


def _match_sum(pattern: Expression, x: Expression, bound: Bindings) -> Iterator[Bindings]:
    parts = list(ex.terms_of(pattern))
    shaped = [term for term in parts if term[1].kind != "wild"]
    letters = [term for term in parts if term[1].kind == "wild"]
    for found, rest in _match_terms(shaped, list(ex.terms_of(x)), bound):
        if not letters:
            if not rest:
                yield found
        elif len(letters) == 1 and rest:
            c = letters[0][0]
            yield from _match(letters[0][1], ex.add((r / c, term) for r, term in rest), found)
        elif len(letters) == 2:
            yield from _match_split(letters, rest, found)


def _match_terms(
    patterns: Sequence[Term], available: list[Term], bound: Bindings
) -> Iterator[tuple[Bindings, list[Term]]]:
    if not patterns:
        yield bound, available
        return
    c, pattern = patterns[0]
    for i, (d, term) in enumerate(available):
        if c != d:
            continue
        for found in _match(pattern, term, bound):
            yield from _match_terms(patterns[1:], available[:i] + available[i + 1 :], found)


def _match_split(letters: Sequence[Term], rest: list[Term], bound: Bindings) -> Iterator[Bindings]:
    """Two letters share the terms: one may vary along an axis of the rule, the other gets what does not."""
    (_, x), (_, y) = sorted(letters, key=lambda term: -len(term[1].axes))
    axes = {a for axis in x.axes - y.axes for a in bound.get(axis, ())}
    varying = [term for term in rest if not term[1].axes.isdisjoint(axes)]
    constant = [term for term in rest if term[1].axes.isdisjoint(axes)]
    if varying and constant:
        for found in _match(x, ex.add(varying), bound):
            yield from _match(y, ex.add(constant), found)
