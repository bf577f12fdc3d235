"""What an expression is: an immutable, shared object with named axes; its atoms, and how to walk through it.

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

import hashlib
import math
import sys
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias
from weakref import WeakValueDictionary

_SIMPLE = 64  # denominators as people write them
_EPSILON = sys.float_info.epsilon

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
    """A formula. Built by the functions of `expression.py`, never directly.

    Attributes:
        kind: what it is: number, leaf, size, combination (terms with numbers in front, added up), product, call,
            reduce, softmax, one_hot, at, stack, rename, opaque, let; in patterns also what `pattern.py` builds.
        data: what belongs to the kind besides the children: a name, coefficients, exponents, axes.
        children: the expressions it is built from.
        axes: the axes along which it varies.
        positive: whether it is above 0 for all values of its leaves, as far as its form shows.
        cost: how much there is to read; what simplification makes smaller.
        heads: the functions in it, and what else a pattern may ask for; see `head`.
        key: the same for equal expressions, in every run of the program.
    """

    __slots__ = ("__weakref__", "axes", "children", "cost", "data", "heads", "key", "kind", "positive")

    kind: str
    data: Any
    children: tuple[Expression, ...]
    axes: frozenset[Axis]
    positive: bool
    cost: int
    heads: frozenset[str]
    key: bytes

    def __repr__(self) -> str:
        data = "" if self.data in ((), None) else f"{self.data}"
        return f"{self.kind}({', '.join([data, *map(repr, self.children)][not data :])})"

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Expression) and self.key == other.key)


def head(kind: str, data: Any) -> str | None:
    """What a pattern of this kind looks for by name: a function, or a kind that is no sum, product or leaf."""
    return str(data) if kind == "call" else kind if kind in ("at", "one_hot", "reduce", "softmax", "stack") else None


_SHARED: WeakValueDictionary[bytes, Expression] = WeakValueDictionary()


def make(
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
    own = head(kind, data)
    result.heads = frozenset(() if own is None else (own,)).union(*(child.heads for child in children))
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


def short(value: Value) -> Value:
    """A fraction that has grown longer than a float is no clearer, and slower; √½ √½ is one half, but for rounding."""
    if isinstance(value, Fraction):
        return float(value) if value.denominator > 10**9 else value
    if not math.isfinite(value):
        return value
    near = Fraction(value).limit_denominator(_SIMPLE)
    return near if abs(float(near) - value) <= 4 * _EPSILON * abs(value) else value


def number(value: float | int | Fraction) -> Expression:
    """A constant without axes."""
    value = exact(value)
    return make("number", value, (), (), positive=bool(value > 0))


ZERO = number(0)
ONE = number(1)


def leaf(name: str, layout: Layout, *, facts: Iterable[str] = ()) -> Expression:
    """A letter: an array that the user gave. The layout says in which order its axes stand.

    Args:
        name: what it is called; two leaves of one formula need different names.
        layout: its axes in order.
        facts: what is known of it, such as "one-hot".
    """
    return make("leaf", (name, tuple(layout), tuple(facts)), (), (a for a in layout if a))


def size(axis: Axis) -> Expression:
    """The length of an axis, `N` for the axis `n`."""
    return make("size", axis, (), (), positive=True)


def let(definition: Expression) -> Expression:
    """A short word for an expression that is too long to read or rewrite as a whole: an atom to the rules, which keeps
    what it stands for as its data. `y = let(x²)` costs 1 however long the definition is."""
    if definition.kind in ("let", "leaf", "number", "size"):
        return definition
    return make("let", definition, (), definition.axes, positive=definition.positive, identity=definition.key.hex())


def operands(x: Expression) -> tuple[Expression, ...]:
    """What the value of `x` is computed from: its children; of a let what it stands for."""
    return (x.data,) if x.kind == "let" else x.children


# --- walking ------------------------------------------------------------------------------------------------


def inner_first(*roots: Expression, lets: bool = False) -> Iterator[Expression]:
    """Every expression inside the roots once, each after its children; what a let stands for only where `lets` is set.
    A loop: depth is no limit."""
    seen: set[Expression] = set()
    waiting = [(root, False) for root in reversed(roots)]
    while waiting:
        x, ready = waiting.pop()
        if ready:
            yield x
        elif x not in seen:
            seen.add(x)
            waiting.append((x, True))
            waiting.extend((child, False) for child in reversed(operands(x) if lets else x.children))


def leaves_of(x: Expression, lets: bool = False) -> list[Expression]:
    """The leaves inside `x`, in the order of reading; those of its lets only where `lets` is set."""
    return [part for part in inner_first(x, lets=lets) if part.kind == "leaf"]
