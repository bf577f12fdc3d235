"""Expressions: formulas as immutable, shared objects with named axes.

An axis has a name (`n` for the samples, `k` for the classes) instead of a position. An expression knows along which
axes it varies; where two meet, axes of equal name are matched and the others broadcast. So `reshape`,
`broadcast_to`, `keepdims` and `transpose` need no algebra at all, `X @ W` is `Σₘ X ⊙ W`, and "constant along
the classes" is simply "does not have the axis `k`".

Sums and products are kept in a canonical form (flat, sorted, numbers collected), so that reordering and the folding of
constants never show as steps of a proof. What a teacher would write down, such as cancelling a factor, is left
to the rules.

Equal expressions are one object, whatever built them: `a is b` tells whether they are equal.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias
from weakref import WeakValueDictionary

import numpy as np

from ..engine.operation import Operation
from ..engine.operations import OPERATIONS

Value: TypeAlias = Fraction | float
Factor: TypeAlias = tuple["Expression", Fraction]
Term: TypeAlias = tuple[Value, "Expression"]


class Axis(NamedTuple):
    """A direction along which values vary. Its length is written with the capital of its name."""

    name: str
    size: int


Layout: TypeAlias = tuple[Axis | None, ...]
"""The axes of an array in the order of their positions; None for an axis of length 1."""


class Expression:
    """A formula. Built by the functions of this module, never directly.

    Attributes:
        kind: what it is: number, leaf, size, sum, product, call, reduce, softmax, at, stack, rename, opaque, wild.
        data: what belongs to the kind besides the children: a name, coefficients, exponents, axes.
        children: the expressions it is built from.
        axes: the axes along which it varies.
        positive: whether it is above 0 for all values of its leaves, as far as its form shows.
        cost: how much there is to read; what simplification makes smaller.
        key: the same for equal expressions, in every run of the program.
    """

    __slots__ = ("__weakref__", "axes", "children", "cost", "data", "key", "kind", "positive")

    kind: str
    data: Any
    children: tuple[Expression, ...]
    axes: frozenset[Axis]
    positive: bool
    cost: int
    key: bytes

    def __repr__(self) -> str:
        data = "" if self.data in ((), None) else f"{self.data}"
        return f"{self.kind}({', '.join([data, *map(repr, self.children)][not data :])})"

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Expression) and self.key == other.key)


_SHARED: WeakValueDictionary[bytes, Expression] = WeakValueDictionary()


def _expression(
    kind: str,
    data: Any,
    children: tuple[Expression, ...],
    axes: Iterable[Axis],
    *,
    positive: bool = False,
    cost: int = 1,
    identity: str | None = None,
) -> Expression:
    """The one expression of this form: a new object only when there is none yet."""
    text = f"{kind}|{data if identity is None else identity}|{len(children)}|".encode()
    key = hashlib.blake2b(text + b"".join(child.key for child in children), digest_size=16).digest()
    known = _SHARED.get(key)
    if known is not None:
        return known
    result = Expression.__new__(Expression)
    result.kind, result.data, result.children, result.key = kind, data, children, key
    result.axes, result.positive = frozenset(axes), positive
    result.cost = cost + sum(child.cost for child in children)
    return _SHARED.setdefault(key, result)


# --- atoms ----------------------------------------------------------------------------------------------------


def exact(value: float | int | Fraction) -> Value:
    """A number as it was written: 0.1 as one tenth, not as the binary fraction next to it. Others stay floats."""
    if isinstance(value, (int, Fraction)):
        return Fraction(value)
    text = repr(float(value))
    if "n" in text or abs(value) > 1e15:  # inf, nan
        return float(value)
    if len(text) <= 8:  # as many digits as a person writes
        return Fraction(text)
    near = Fraction(value).limit_denominator(10_000)  # 1/30 was computed, and is no more than its digits
    return near if float(near) == value else float(value)


def magnitude(value: Value) -> Value:
    """The absolute value."""
    return -value if value < 0 else value


def _short(value: Value) -> Value:
    """A fraction that has grown longer than a float is no clearer, and slower."""
    return float(value) if isinstance(value, Fraction) and value.denominator > 10**9 else value


def number(value: float | int | Fraction) -> Expression:
    """A constant without axes."""
    value = exact(value)
    return _expression("number", value, (), (), positive=bool(value > 0))


ZERO = number(0)
ONE = number(1)


def leaf(name: str, layout: Layout, *, facts: Iterable[str] = ()) -> Expression:
    """A letter: an array that the user gave. The layout says in which order its axes stand.

    Args:
        name: what it is called; two leaves of one formula need different names.
        layout: its axes in order.
        facts: what is known of it, such as "one-hot".
    """
    return _expression("leaf", (name, tuple(layout), tuple(facts)), (), (a for a in layout if a))


def size(axis: Axis) -> Expression:
    """The length of an axis, `N` for the axis `n`."""
    return _expression("size", axis, (), (), positive=True)


def wild(name: str, *axes: Axis) -> Expression:
    """A letter in a rule, which stands for any expression that does not vary along the rule's other axes.

    Args:
        name: the letter.
        axes: the rule's axes along which what it stands for may vary.
    """
    return _expression("wild", (name,), (), axes, identity=f"{name}|{axes}")


# --- sums and products ----------------------------------------------------------------------------------------


def add(terms: Iterable[Term]) -> Expression:
    """`Σ c x` over pairs `(c, x)`: flat, equal terms collected, sorted."""
    collected: dict[Expression, Value] = {}
    for coefficient, x in terms:
        for c, part in terms_of(x):
            collected[part] = collected.get(part, Fraction(0)) + coefficient * c
    kept = sorted(((x, _short(c)) for x, c in collected.items() if c != 0), key=lambda term: term[0].key)
    if not kept:
        return ZERO
    if len(kept) == 1:
        return multiply([(kept[0][0], Fraction(1))], kept[0][1])
    parts, coefficients = tuple(x for x, _ in kept), tuple(c for _, c in kept)
    return _expression(
        "sum",
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
    if x.kind == "sum":
        return list(zip(x.data, x.children, strict=True))
    if x.kind == "number":
        return ((x.data, ONE),)
    if x.kind == "product" and x.data[0] != 1:
        coefficient, bare = x.data[0], _without_number(x)
        if bare.kind == "sum":
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
        else:
            if x.kind == "sum" and whole:  # a − b, b − a and 2a − 2b are one base
                content = _content(x)
                if content != 1:
                    x, coefficient = (
                        add((c / content, part) for c, part in terms_of(x)),
                        coefficient * _power(content, p),
                    )
            above = x.kind == "size" or p > 0
            powers[x, above] = powers.get((x, above), Fraction(0)) + p
    if coefficient == 0:
        return ZERO
    coefficient = _short(coefficient)
    kept = sorted(((x, p) for (x, _), p in powers.items() if p != 0), key=lambda factor: (factor[0].key, factor[1]))
    if not kept:
        return number(coefficient)
    if len(kept) == 1 and kept[0][1] == 1:
        if coefficient == 1:
            return kept[0][0]
        if coefficient == -1 and kept[0][0].kind == "sum":
            return negated(kept[0][0])
    return _canonical_product(coefficient, tuple(x for x, _ in kept), tuple(p for _, p in kept))


def _canonical_product(
    coefficient: Value, bases: tuple[Expression, ...], exponents: tuple[Fraction, ...]
) -> Expression:
    return _expression(
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


def _content(x: Expression) -> Value:
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
    if x.kind == "sum":
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


def power(x: Expression, p: Value) -> Expression:
    """`x^p` for a number `p`."""
    if isinstance(p, float):
        return call("power", x, number(p))
    return multiply([(x, p)]) if p else ONE


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


# --- functions and reductions ---------------------------------------------------------------------------------

COMPARISONS = {name: o.opposite for name, o in OPERATIONS.items() if o.opposite is not None}
"""Each comparison with its opposite."""

BOOLEAN = frozenset(name for name, o in OPERATIONS.items() if o.boolean)
"""Functions that give truth values."""


def call(name: str, *children: Expression) -> Expression:
    """A function of each element alone, by its name among the operations; also `sigmoid`."""
    operation = OPERATIONS.get(name)
    if operation is not None and len(children) == 1 and children[0] in (ZERO, ONE) and not operation.boolean:
        value = _at_number(operation, int(children[0].data))
        if value is not None:
            return value
    return _expression(
        "call",
        name,
        children,
        frozenset().union(*(x.axes for x in children)),
        positive=operation.positive if operation is not None else name == "sigmoid",
        cost=1 + _detour(name, children),
    )


@functools.lru_cache
def _at_number(operation: Operation, argument: int) -> Expression | None:
    """A function of 0 or 1, where that is a whole number: exp(0) = 1."""
    with np.errstate(all="ignore"):
        value = float(operation.forward(float(argument)))
    return number(int(value)) if value.is_integer() else None


def _detour(name: str, children: Sequence[Expression]) -> int:
    """What makes a function dearer than its longer form: σ(−x) is 1 − σ(x), and exp(x − log y) is exp(x) / y."""
    if name == "sigmoid" and leads_with_minus(children[0]):
        return 4
    if name == "exp" and any(term.kind == "call" and term.data == "log" for _, term in terms_of(children[0])):
        return 4
    return 0


def leads_with_minus(x: Expression) -> bool:
    """Whether `x` reads better as the negative of something: 1 − h, σ(z) − y and X w − t lead with a plus."""
    c, _ = max(terms_of(x), key=lambda term: _lead(term[1]))
    return c < 0


def _lead(x: Expression) -> tuple[object, ...]:
    return (x is ONE, x.kind not in ("leaf", "one_hot"), x.cost, x.key)


def total(axes: Iterable[Axis], x: Expression) -> Expression:
    """`Σ x` over axes. What does not vary along them comes out of the sum."""
    over = frozenset(axes)
    absent = over - x.axes
    if absent:
        return multiply([(size(a), Fraction(1)) for a in sorted(absent)] + [(total(over & x.axes, x), Fraction(1))])
    if not over:
        return x
    outside = [(base, p) for base, p in factors_of(x) if not base.axes & over]
    coefficient = coefficient_of(x)
    if outside or coefficient != 1:
        inside = multiply((base, p) for base, p in factors_of(x) if base.axes & over)
        return multiply([*outside, (total(over, inside), Fraction(1))], coefficient)
    if is_total(x):
        return total(over.union(x.data[1]), x.children[0])
    return reduce("sum", over, x)


def is_total(x: Expression) -> bool:
    """Whether `x` is a sum over axes."""
    return x.kind == "reduce" and x.data[0] == "sum"


def reduce(name: str, axes: Iterable[Axis], x: Expression) -> Expression:
    """The sum, max or min over axes of `x`."""
    over = tuple(sorted(axes))
    if not over:
        return x
    return _expression("reduce", (name, over), (x,), x.axes.difference(over), positive=x.positive)


def softmax(axes: Iterable[Axis], x: Expression) -> Expression:
    """`exp(x) / Σ exp(x)` along axes; where `x` does not vary, every share is the same."""
    over = frozenset(axes)
    absent = over - x.axes
    if absent:
        rest = softmax(over & x.axes, x) if over & x.axes else ONE
        return multiply([(size(a), Fraction(-1)) for a in sorted(absent)] + [(rest, Fraction(1))])
    return _expression("softmax", tuple(sorted(axes)), (x,), x.axes, positive=True)


def one_hot(labels: Expression, axis: Axis) -> Expression:
    """1 where the axis stands at the label, else 0."""
    return _expression("one_hot", axis, (labels,), labels.axes | {axis})


def at(x: Expression, axis: Axis, index: int) -> Expression:
    """`x` at one place of an axis."""
    if axis not in x.axes:
        return x
    if x.kind == "stack" and x.data == axis:
        return x.children[index]
    return _expression("at", (axis, index), (x,), x.axes - {axis}, positive=x.positive)


def stack(parts: Sequence[Expression], axis: Axis) -> Expression:
    """Expressions side by side along a new axis."""
    axes = frozenset({axis}).union(*(x.axes for x in parts))
    return _expression("stack", axis, tuple(parts), axes, positive=all(x.positive for x in parts))


def rename(x: Expression, names: Mapping[Axis, Axis]) -> Expression:
    """`x` with other axes: where one array meets itself, as in `x @ x.T`, one of the two needs other names."""
    moved = tuple(sorted((old, new) for old, new in names.items() if old in x.axes and old != new))
    if not moved:
        return x
    to = dict(moved)
    return _expression("rename", moved, (x,), (to.get(a, a) for a in x.axes), positive=x.positive)


def opaque(
    operation: str,
    parameters: Mapping[str, Any],
    children: Sequence[Expression],
    layouts: Sequence[Layout | None],
    shapes: Sequence[tuple[int, ...]],
    layout: Layout,
) -> Expression:
    """An operation that the algebra does not look into: it is run on the values as the engine would.

    Args:
        operation: its name in the engine's table.
        parameters: its static parameters.
        children: its operands.
        layouts: how the axes of each operand stand; None for a Python scalar.
        shapes: the recorded shape of each operand.
        layout: how the axes of the result stand.
    """
    data = (operation, dict(parameters), tuple(layouts), tuple(shapes), tuple(layout))
    identity = repr((operation, sorted(parameters.items()), data[2:]))
    return _expression("opaque", data, tuple(children), (a for a in layout if a), identity=identity)


# --- walking --------------------------------------------------------------------------------------------------


def rebuilt(x: Expression, children: Sequence[Expression]) -> Expression:
    """`x` over other children, in canonical form again."""
    if all(new is old for new, old in zip(children, x.children, strict=True)):
        return x
    match x.kind:
        case "sum":
            return add(zip(x.data, children, strict=True))
        case "product":
            return multiply(zip(children, x.data[1], strict=True), x.data[0])
        case "call":
            return call(x.data, *children)
        case "reduce":
            return (
                total(x.data[1], children[0])
                if is_total(x)
                else reduce(x.data[0], children[0].axes.intersection(x.data[1]), children[0])
            )
        case "softmax":
            return softmax(x.data, children[0])
        case "one_hot":
            return one_hot(children[0], x.data)
        case "at":
            return at(children[0], *x.data)
        case "stack":
            return stack(children, x.data)
        case "rename":
            return rename(children[0], dict(x.data))
        case "opaque":
            return opaque(x.data[0], x.data[1], children, *x.data[2:])
    raise AssertionError(f"{x.kind} has no children")


def inner_first(*roots: Expression) -> Iterator[Expression]:
    """Every expression inside the roots once, each after its children. A loop: depth is no limit."""
    seen: set[Expression] = set()
    waiting = [(root, False) for root in reversed(roots)]
    while waiting:
        x, ready = waiting.pop()
        if ready:
            yield x
        elif x not in seen:
            seen.add(x)
            waiting.append((x, True))
            waiting.extend((child, False) for child in reversed(x.children))


def leaves_of(x: Expression) -> list[Expression]:
    """The leaves inside `x`, in the order of reading."""
    return [part for part in inner_first(x) if part.kind == "leaf"]
