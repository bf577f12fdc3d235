"""Expressions, in one place for those who build and read them: `ex.plus(x, y)`, `ex.exp(x)`, ….

What an expression is stands in `atoms.py`, its sums and products in `arithmetic.py`; here are functions and reductions.
"""

# All that is imported here is meant to be read from here.
# ruff: noqa: F401
# mypy: implicit-reexport

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..engine import operations
from ..engine.operation import Operation
from ..engine.operations import OPERATIONS
from .arithmetic import (
    BOOLEAN,
    add,
    coefficient_of,
    content_of,
    divided,
    factors_of,
    is_truth,
    leads_with_minus,
    minus,
    multiply,
    negated,
    plus,
    product,
    scaled,
    terms_of,
)
from .atoms import (
    ONE,
    ZERO,
    Axis,
    Expression,
    Factor,
    Layout,
    Term,
    Value,
    exact,
    inner_first,
    leaf,
    leaves_of,
    let,
    magnitude,
    make,
    number,
    operands,
    short,
    size,
)

COMPARISONS = {name: o.opposite for name, o in OPERATIONS.items() if o.opposite is not None}
"""Each comparison with its opposite."""

CUMULATIVE, DENSITY = "Φ", "φ"
WITHOUT_ENTRY = ("sigmoid", CUMULATIVE, DENSITY)
"""Functions that are no operations, but have a name in formulas: σ, and Φ and φ of the standard normal distribution."""

_PAIRS = ((1.0, 2.0), (2.0, 1.0), (1.0, 1.0))
MIRRORED = {
    name: other
    for name, other in itertools.product(COMPARISONS, repeat=2)
    if all(OPERATIONS[name].forward(x, y) == OPERATIONS[other].forward(y, x) for x, y in _PAIRS)
}
"""Each comparison as it is read from the other side: x < y is y > x."""

POWER, WHERE, _EXP, _LOG, _SUM = (
    entry.__name__ for entry in (operations.power, operations.where, operations.exp, operations.log, operations.sum)
)
_LARGER, _SMALLER = operations.maximum.__name__, operations.minimum.__name__


def call(name: str, *children: Expression) -> Expression:
    """A function of each element alone, by its name among the operations; also those without an entry."""
    operation = OPERATIONS.get(name)
    if operation is not None and len(children) == 1 and children[0] in (ZERO, ONE) and not operation.boolean:
        value = _at_number(operation, int(children[0].data))
        if value is not None:
            return value
    known = _without_condition(name, children)
    if known is not None:
        return known
    if name in COMPARISONS:
        name, children = _compared(name, *children)
    return make(
        "call",
        name,
        children,
        frozenset().union(*(x.axes for x in children)),
        positive=operation.positive if operation is not None else name in WITHOUT_ENTRY,
        cost=1 + _detour(name, children),
    )


@functools.lru_cache
def _at_number(operation: Operation, argument: int) -> Expression | None:
    """A function of 0 or 1, where that is a whole number: exp(0) = 1."""
    with np.errstate(all="ignore"):
        value = float(operation.forward(float(argument)))
    return number(int(value)) if value.is_integer() else None


def _without_condition(name: str, children: Sequence[Expression]) -> Expression | None:
    """A condition that always holds or never does, and what is chosen by one."""
    if name == WHERE and children[0].kind == "number":
        return children[1] if children[0].data else children[2]
    if name not in BOOLEAN or len(children) > 2 or not any(x.kind == "number" for x in children):
        return None
    choices = [[x.data] if x.kind == "number" else [0, 1] for x in children]
    if not all(x.kind == "number" or is_truth(x) for x in children):
        return None
    table = [bool(OPERATIONS[name].forward(*map(float, values))) for values in itertools.product(*choices)]
    if len(set(table)) == 1:
        return number(int(table[0]))
    return next(x for x in children if x.kind != "number") if table == [False, True] else None


def _compared(name: str, x: Expression, y: Expression) -> tuple[str, tuple[Expression, ...]]:
    """A comparison with the number on the right, and what is the same as 0 < a − b: [1 − m ≥ 0] is [m ≤ 1].

    The sign of a rounded difference is that of the difference: this holds for floats, too.
    """
    if x.kind == "number":
        name, x, y = MIRRORED[name], y, x
    if y is ZERO and coefficient_of(x) == -1:
        name, x = MIRRORED[name], negated(x)
    if x.kind == "call" and y.kind == "number" and x.data in (_LARGER, _SMALLER):
        bounds = [z for z in x.children if z.kind == "number"]
        within = x.data == _SMALLER if OPERATIONS[name].forward(2.0, 1.0) else x.data == _LARGER
        if len(bounds) == 1 and bool(OPERATIONS[name].forward(float(bounds[0].data), float(y.data))) == within:
            (x,) = (z for z in x.children if z is not bounds[0])  # [max(−1, x) ≤ 1] is [x ≤ 1]
    if y.kind != "number" and x is not y and _without_number(x) is _without_number(y):  # [2 x > −x] is [x > 0]
        name, x, y = (name if number_in_front(minus(x, y)) > 0 else MIRRORED[name]), _without_number(x), ZERO
    common = _common_factor(x, y) if y.kind != "number" else None
    if common is not None:
        (x, factor), y = common, ZERO
        name = name if factor > 0 else MIRRORED[name]
    terms = terms_of(x)
    if y is ZERO and x.kind == "combination" and len(terms) == 2:
        (c, first), (d, second) = sorted(terms, key=lambda term: term[1] is ONE)
        if magnitude(c) == 1 and second is ONE:
            return (name if c > 0 else MIRRORED[name]), (first, number(-d / c))
        if {c, d} == {1, -1}:
            return name, (first, second) if c > 0 else (second, first)
    return name, (x, y)


def _common_factor(x: Expression, y: Expression) -> tuple[Expression, Value] | None:
    """A factor of both, and what is left of x − y beside it, where that is a number: [(1 − q) u > −q u] is [u > 0]."""
    for factor in set(factors_of(x)).intersection(factors_of(y)):
        left = (multiply((f for f in factors_of(z) if f != factor), coefficient_of(z)) for z in (x, y))
        rest = minus(*left)
        if factor[1] == 1 and rest.kind == "number" and rest.data:
            return factor[0], rest.data
    return None


def number_in_front(x: Expression) -> Value:
    """The number that `x` is a multiple of: −2 for −2 x, and for −2 a + 2 b."""
    return content_of(x) if x.kind == "combination" else coefficient_of(x)


def _without_number(x: Expression) -> Expression:
    number_there = number_in_front(x)
    return scaled(1 / number_there, x) if number_there else x


def _detour(name: str, children: Sequence[Expression]) -> int:
    """What makes a function dearer than its longer form: σ(−x) is 1 − σ(x), and exp(x − log y) is exp(x) / y."""
    if name == "sigmoid" and leads_with_minus(children[0]):
        return 4
    if name == _EXP and any(term.kind == "call" and term.data == _LOG for _, term in terms_of(children[0])):
        return 4
    return 0


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
    if x.kind == "combination" and (content := content_of(x)) != 1:
        return scaled(content, total(over, scaled(1 / content, x)))
    for base, _ in factors_of(x):
        if base.kind == "one_hot" and base.children[0].kind == "number" and base.data in over and base is not x:
            rest = multiply(factor for factor in factors_of(x) if factor[0] is not base)
            return total(over - {base.data}, at(rest, base.data, int(base.children[0].data)))
    return reduce(_SUM, over, x)


def is_total(x: Expression) -> bool:
    """Whether `x` is a sum over axes."""
    return x.kind == "reduce" and x.data[0] == _SUM


def reduce(name: str, axes: Iterable[Axis], x: Expression) -> Expression:
    """The sum, max or min over axes of `x`."""
    over = tuple(sorted(axes))
    if not over:
        return x
    positive = x.positive or (name == _SUM and _picks_positive(over, x))
    return make("reduce", (name, over), (x,), x.axes.difference(over), positive=positive)


def _picks_positive(over: tuple[Axis, ...], x: Expression) -> bool:
    """Whether the terms of a sum are one-hot rows times positive numbers, of which each row picks one."""
    return coefficient_of(x) > 0 and all(
        base.positive or (base.kind == "one_hot" and base.data in over) for base, _ in factors_of(x)
    )


def softmax(axes: Iterable[Axis], x: Expression) -> Expression:
    """`exp(x) / Σ exp(x)` along axes; where `x` does not vary, every share is the same."""
    over = frozenset(axes)
    absent = over - x.axes
    if absent:
        rest = softmax(over & x.axes, x) if over & x.axes else ONE
        return multiply([(size(a), Fraction(-1)) for a in sorted(absent)] + [(rest, Fraction(1))])
    return make("softmax", tuple(sorted(over)), (x,), x.axes, positive=True)


def one_hot(labels: Expression, axis: Axis) -> Expression:
    """1 where the axis stands at the label, else 0."""
    return make("one_hot", axis, (labels,), labels.axes | {axis})


def at(x: Expression, axis: Axis, index: int) -> Expression:
    """`x` at one place of an axis."""
    if axis not in x.axes:
        return x
    if x.kind == "stack" and x.data == axis:
        return x.children[index]
    if x.kind == "one_hot" and x.data == axis and x.children[0].kind == "number":
        return ONE if x.children[0].data == index else ZERO
    return make("at", (axis, index), (x,), x.axes - {axis}, positive=x.positive)


def stack(parts: Sequence[Expression], axis: Axis) -> Expression:
    """Expressions side by side along a new axis."""
    axes = frozenset({axis}).union(*(x.axes for x in parts))
    return make("stack", axis, tuple(parts), axes, positive=all(x.positive for x in parts))


def rename(x: Expression, names: Mapping[Axis, Axis]) -> Expression:
    """`x` with other axes: where one array meets itself, as in `x @ x.T`, one of the two needs other names."""
    moved = tuple(sorted((old, new) for old, new in names.items() if old in x.axes and old != new))
    if not moved:
        return x
    if x.kind != "number" and (c := number_in_front(x)) != 1:
        return scaled(c, rename(scaled(1 / c, x), names))
    to = dict(moved)
    return make("rename", moved, (x,), (to.get(a, a) for a in x.axes), positive=x.positive)


def opened(x: Expression) -> Expression:
    """A renamed sum as the sum of what is renamed. Where a new name is that of the axis summed along, the two change
    places: (Σₙ A x)ₖ→ₙ is Σₖ of A and x with n and k exchanged."""
    if x.kind != "rename" or not is_total(x.children[0]):
        return x
    over, (body,) = x.children[0].data[1], x.children[0].children
    names = dict(x.data) | {new: old for old, new in x.data if new in over}
    factors = ((rename(base, names), p) for base, p in factors_of(body))
    return total((names.get(a, a) for a in over), multiply(factors, coefficient_of(body)))


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
    return make("opaque", data, tuple(children), (a for a in layout if a), identity=identity)


def power(x: Expression, p: Value | Expression) -> Expression:
    """`x^p`; for a fraction `p` a product."""
    if isinstance(p, Expression):
        return power(x, p.data) if p.kind == "number" else call(POWER, x, p)
    p = short(p)  # 0.7 − 1 is −0.3, but for rounding
    if isinstance(p, float):
        return call(POWER, x, number(p))
    return multiply([(x, p)]) if p else ONE


def exp(x: Expression) -> Expression:
    """`exp(x)`."""
    return call(_EXP, x)


def log(x: Expression) -> Expression:
    """`log(x)`."""
    return call(_LOG, x)


# --- walking --------------------------------------------------------------------------------------------------


def rebuilt(x: Expression, children: Sequence[Expression]) -> Expression:
    """`x` over other children, in canonical form again."""
    if all(new is old for new, old in zip(children, x.children, strict=True)):
        return x
    match x.kind:
        case "combination":
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


def substituted(x: Expression, others: Mapping[Expression, Expression]) -> Expression:
    """`x` with other expressions in the places of some."""
    found = dict(others)
    for part in inner_first(x):
        if part not in found:
            found[part] = rebuilt(part, [found[child] for child in part.children])
    return found[x]
