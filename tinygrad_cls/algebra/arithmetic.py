"""Sums and products in one canonical form: flat, sorted, equal parts and numbers collected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from ..engine.operations import OPERATIONS
from .atoms import ONE, ZERO, Expression, Factor, Term, Value, exact, magnitude, make, number, short

BOOLEAN = frozenset(name for name, o in OPERATIONS.items() if o.boolean)
"""Functions that give truth values."""


def is_truth(x: Expression) -> bool:
    """Whether `x` is 0 or 1 everywhere."""
    return x.kind == "one_hot" or (x.kind == "call" and x.data in BOOLEAN)


def add(terms: Iterable[Term]) -> Expression:
    """`Σ c x` over pairs `(c, x)`: flat, equal terms collected, sorted."""
    collected: dict[Expression, Value] = {}
    for coefficient, x in terms:
        for c, part in terms_of(x):
            collected[part] = collected.get(part, Fraction(0)) + coefficient * c
    kept = sorted(((x, short(c)) for x, c in collected.items() if c != 0), key=lambda term: term[0].key)
    if not kept:
        return ZERO
    if len(kept) == 1:
        x, c = kept[0]
        return x if c == 1 else multiply([(x, Fraction(1))], c)
    parts, coefficients = tuple(x for x, _ in kept), tuple(c for _, c in kept)
    return make(
        "combination",
        coefficients,
        parts,
        frozenset().union(*(x.axes for x in parts)),
        positive=all(c > 0 and x.positive for x, c in kept) or _is_share_left(kept),
        cost=1 + sum(_weight(c) for c in coefficients if c != 1) - sum(c not in (1, -1) and x is ONE for x, c in kept),
    )


def _is_share_left(kept: Sequence[tuple[Expression, Value]]) -> bool:
    """Whether this is `1 − σ(x)`: what a probability leaves of 1."""
    signs = {x.data if x.kind == "call" else "1" if x is ONE else "": c for x, c in kept}
    return len(kept) == 2 and signs.get("sigmoid") == -1 and signs.get("1") == 1


def terms_of(x: Expression) -> Sequence[Term]:
    """What `x` adds up, as pairs of a coefficient and a term without one."""
    if x.kind == "combination":
        return list(zip(x.data, x.children, strict=True))
    if x.kind == "number":
        return ((x.data, ONE),)
    if x.kind == "product" and x.data[0] != 1:
        coefficient, bare = x.data[0], _without_number(x)
        if bare.kind == "combination":
            return [(coefficient * c, part) for c, part in zip(bare.data, bare.children, strict=True)]
        return ((coefficient, bare),)
    return ((Fraction(1), x),)


def multiply(factors: Iterable[tuple[Expression, Fraction | int]], coefficient: Value = Fraction(1)) -> Expression:
    """`c Π x^p` over pairs `(x, p)`: flat, equal factors collected, sorted.

    What stands above and below the line is not cancelled: that is a rule's work, and a step to be seen.
    """
    powers: dict[tuple[Expression, bool], Fraction] = {}
    waiting = [(x, Fraction(p)) for x, p in factors]
    while waiting:
        x, p = waiting.pop()
        whole = p.denominator == 1
        if x.kind == "number" and (whole or x.data > 0):
            coefficient = coefficient * _power(x.data, p)
        elif x.kind == "product" and (whole or x.positive):
            coefficient = coefficient * _power(x.data[0], p)
            waiting.extend((base, q * p) for base, q in factors_of(x))
        elif x.kind == "product" and any(base.positive and base.kind != "size" for base in x.children):
            # √(a b) = √a √b where a is positive; the lengths and numbers of a mean stay with the sum.
            out = [(base, q) for base, q in factors_of(x) if base.positive and base.kind != "size"]
            waiting.extend((base, q * p) for base, q in out)
            waiting.append((multiply((f for f in factors_of(x) if f not in out), x.data[0]), p))
        else:
            if x.kind == "combination" and whole:  # a − b, b − a and 2a − 2b are one base
                content = content_of(x)
                if content != 1:
                    x = add((c / content, part) for c, part in terms_of(x))
                    coefficient = coefficient * _power(content, p)
            above = x.kind == "size" or p > 0
            powers[x, above] = powers.get((x, above), Fraction(0)) + p
            if above and is_truth(x):  # 0² = 0, 1² = 1
                powers[x, above] = Fraction(1)
    if coefficient == 0:
        return ZERO
    coefficient = short(coefficient)
    kept = sorted(((x, p) for (x, _), p in powers.items() if p != 0), key=lambda factor: (factor[0].key, factor[1]))
    if not kept:
        return number(coefficient)
    if len(kept) == 1 and kept[0][1] == 1:
        if coefficient == 1:
            return kept[0][0]
        if coefficient == -1 and kept[0][0].kind == "combination":
            return negated(kept[0][0])
    return _canonical_product(coefficient, tuple(x for x, _ in kept), tuple(p for _, p in kept))


def _canonical_product(
    coefficient: Value, bases: tuple[Expression, ...], exponents: tuple[Fraction, ...]
) -> Expression:
    return make(
        "product",
        (coefficient, exponents),
        bases,
        frozenset().union(*(x.axes for x in bases)),
        positive=coefficient > 0 and all(x.positive for x in bases),
        cost=1 + _weight(coefficient) * (coefficient != 1) + sum((p < 0) + (abs(p) != 1) for p in exponents),
    )


def _without_number(x: Expression) -> Expression:
    """A product without the number in front."""
    exponents = x.data[1]
    if len(exponents) == 1 and exponents[0] == 1:
        return x.children[0]
    return _canonical_product(Fraction(1), x.children, exponents)


def content_of(x: Expression) -> Value:
    """What to divide a sum by so that it does not begin with a minus, and has no number common to all terms."""
    number = magnitude(x.data[0])
    if any(magnitude(c) != number for c in x.data):
        number = Fraction(1)
    return -number if leads_with_minus(x) else number


def factors_of(x: Expression) -> Sequence[Factor]:
    """What `x` multiplies, as pairs of a base and an exponent, without the number in front."""
    if x.kind == "product":
        return list(zip(x.children, x.data[1], strict=True))
    if x.kind == "number":
        return ()
    return ((x, Fraction(1)),)


def coefficient_of(x: Expression) -> Value:
    """The number in front of `x`."""
    if x.kind == "product":
        value: Value = x.data[0]
        return value
    return x.data if x.kind == "number" else Fraction(1)


def scaled(c: Value, x: Expression) -> Expression:
    """`c x` for a number `c`."""
    return multiply([(x, Fraction(1))], c)


def negated(x: Expression) -> Expression:
    """`−x`."""
    if x.kind == "combination":
        return _signed_sum(x)
    return scaled(Fraction(-1), x)


def _signed_sum(x: Expression) -> Expression:
    return add((-c, part) for c, part in zip(x.data, x.children, strict=True))


def product(*xs: Expression) -> Expression:
    """`x y …`."""
    return multiply((x, Fraction(1)) for x in xs)


def plus(*xs: Expression) -> Expression:
    """`x + y + …`."""
    return add((Fraction(1), x) for x in xs)


def minus(x: Expression, y: Expression) -> Expression:
    """`x − y`."""
    return add(((Fraction(1), x), (Fraction(-1), y)))


def divided(x: Expression, y: Expression) -> Expression:
    """`x / y`."""
    return multiply(((x, Fraction(1)), (y, Fraction(-1))))


def _power(value: Value, p: Fraction) -> Value:
    if value == 0 and p < 0:
        return float("inf")
    try:
        result = value ** (int(p) if p.denominator == 1 else float(p))
    except OverflowError:
        return float("inf")
    return result if isinstance(result, Fraction) else exact(result)


def _weight(c: Value) -> int:
    if c == -1:
        return 0
    return 1 if isinstance(c, float) or c.denominator == 1 else 2


def leads_with_minus(x: Expression) -> bool:
    """Whether `x` reads better as the negative of something: 1 − h, σ(z) − y and X w − t lead with a plus."""
    c, _ = max(terms_of(x), key=lambda term: _lead(term[1]))
    return c < 0


def _lead(x: Expression) -> tuple[object, ...]:
    # A mean that is subtracted varies along fewer axes than what it is subtracted from.
    return (x is ONE, len(x.axes), x.kind not in ("leaf", "one_hot"), x.cost, x.key)
