"""Patterns: expressions over letters, and axes of their own.

In sums and products the order of the parts does not matter. Besides what formulas are made of there may stand:

- `letter("x")`: any expression; in a sum some terms of it, in a product some factors.
- `rest("r")`: whatever else there is in a sum or product, which may be nothing.
- `fraction("k")`: a number.
- `terms(form, y)`: terms that all have this form, each with a `y` of its own: `Σᵢ x yᵢ`. Another letter of the form is
  common to the terms, and stands for as much as possible. `factors(form, y)`: a product with one factor for each term.
- `parts("f", form, u)`: `f(u₁, u₂, …)` for an f that is computed at each place of the rule's axes alone.
- an axis of length 0: any axes, one or several; one of another length: an axis of this length. Beside it, `OTHERS`: the
  axes that are left.
- `ANYWHERE`: a place of an axis. `COMPARED`: a comparison; `OPPOSITE`: the one that holds where it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from . import expression as ex
from .atoms import make
from .expression import Axis, Expression

Bindings: TypeAlias = Mapping[Any, Any]
"""What each letter stands for: an expression, or one for each term. An axis of the pattern: a tuple of axes."""

OTHERS = Axis("…", 0)
ANYWHERE = -1
COMPARED, OPPOSITE = "compared", "opposite"


# --- what patterns are made of --------------------------------------------------------------------------------


def letter(name: str, *axes: Axis) -> Expression:
    """A letter, which stands for any expression that does not vary along the rule's other axes.

    Args:
        name: the letter.
        axes: the rule's axes along which what it stands for may vary.
    """
    return _wild(name, "some", axes)


def rest(name: str, *axes: Axis) -> Expression:
    """A letter for what is left of a sum or product when the other parts of the pattern are found; also for nothing."""
    return _wild(name, "rest", axes)


def fraction(name: str) -> Expression:
    """A letter for a number."""
    return _wild(name, "fraction", ())


def terms(form: Expression, *letters: Expression) -> Expression:
    """Terms of this form, in which these letters differ from one to the next.

    Raises:
        ValueError: when another letter stands in a form that is not its product with the one that differs, or a sum
            of that.
    """
    common = [x for x in ex.inner_first(form) if x.kind == "wild" and x not in letters]
    product = form.children[0] if form.kind == "reduce" else form
    if common and product is not ex.product(common[0], letters[0]):
        raise ValueError("terms with a letter in common have the form x y, where only y differs from one to the next")
    return make("each", "combination", (form, *letters), form.axes)


def factors(form: Expression, *letters: Expression) -> Expression:
    """Factors of this form, one for each term that was matched with these letters."""
    return make("each", "product", (form, *letters), form.axes)


def parts(function: str, form: Expression, letter: Expression) -> Expression:
    """Whatever is computed element by element from parts of this form."""
    return make("each", function, (form, letter), form.axes)


def _wild(name: str, role: str, axes: tuple[Axis, ...]) -> Expression:
    return make("wild", (name, role), (), axes, identity=f"{name}|{role}|{axes}")


def is_rest(x: Expression) -> bool:
    """Whether this part of a pattern stands for what is left."""
    return x.kind == "wild" and bool(x.data[1] == "rest")


def is_fraction(x: Expression) -> bool:
    """Whether this part of a pattern stands for a number."""
    return x.kind == "wild" and bool(x.data[1] == "fraction")


# --- the letters filled in ------------------------------------------------------------------------------------


def filled(pattern: Expression, bound: Bindings) -> Expression:
    """The pattern with its letters replaced by what they stand for."""
    if pattern.kind == "wild":
        value: Expression = bound[pattern]
        return value
    if pattern.kind == "each":
        return _filled_each(pattern, bound)
    if pattern.kind == "size":
        return ex.product(*map(ex.size, bound[pattern.data]))
    children = [filled(child, bound) for child in pattern.children]
    match pattern.kind:
        case "reduce":
            return ex.total((a for axis in pattern.data[1] for a in bound[axis]), children[0])
        case "softmax":
            return ex.softmax((a for axis in pattern.data for a in bound[axis]), children[0])
        case "one_hot":
            return ex.one_hot(children[0], bound[pattern.data][0])
        case "at":
            axis, place = pattern.data
            return ex.at(children[0], bound[axis][0], bound[ANYWHERE] if place == ANYWHERE else place)
        case "call":
            return _filled_call(pattern.data, children, bound)
    return ex.rebuilt(pattern, children) if children else pattern


def _filled_each(pattern: Expression, bound: Bindings) -> Expression:
    form, *letters = pattern.children
    rows = zip(*(bound[x] for x in letters), strict=True)
    found = [filled(form, {**bound, **dict(zip(letters, row, strict=True))}) for row in rows]
    if pattern.data == "combination":
        return ex.plus(*found)
    return ex.product(*found) if pattern.data == "product" else ex.rebuilt(bound[pattern.data], found)


def _filled_call(name: str, children: list[Expression], bound: Bindings) -> Expression:
    if name == ex.POWER:
        return ex.power(*children)
    if name in (COMPARED, OPPOSITE):
        name = bound[COMPARED] if name == COMPARED else ex.COMPARISONS[bound[COMPARED]]
    return ex.call(name, *children)
