"""Formulas as trees of boxes, from which text, LaTeX and MathML are made."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from ..algebra.expression import Expression, Value

SUM, PRODUCT, PREFIX, POWER, ATOM = range(5)  # how tightly a box holds together


class Box(NamedTuple):
    """A part of a formula as it is written.

    Attributes:
        kind: `text`, `row`, `fraction`, `slope` (∂loss/∂z), `raised` (to a power), `group` (in brackets), `call`,
            `folded` (a function's name, and what it folds along axes), `sigma` (Σ over its parts), `transpose`,
            `index`, `bars`, or `changed`, around a part that a step changes.
        text: for `text` what is written, for `call` the function's name, for `sigma`, `folded` and `letters` those of
            the axes, for `bars` ‖ where they are those of a norm.
        parts: the boxes inside.
        binding: how tightly it holds together: whether it needs brackets inside another.
        expression: what it stands for, where it stands for one expression.
    """

    kind: str
    text: str = ""
    parts: tuple[Box, ...] = ()
    binding: int = ATOM
    expression: Expression | None = None


def text(written: str, binding: int = ATOM) -> Box:
    """Words or signs."""
    return Box("text", written, binding=binding)


def row(*parts: Box, binding: int = PRODUCT) -> Box:
    """Boxes side by side."""
    return Box("row", "", parts, binding)


def group(box: Box) -> Box:
    """In brackets."""
    return Box("group", "", (box,))


def inside(*boxes: Box) -> Iterator[Box]:
    """Every box inside these, and they themselves."""
    waiting = list(boxes)
    for box in waiting:
        yield box
        waiting.extend(box.parts)


def partial(name: str) -> Box:
    """`∂z`: short for the slope of the loss by z."""
    return row(text("∂"), text(name))


def slope(output: str, wrt: str) -> Box:
    """`∂loss/∂z`."""
    return Box("slope", "", (partial(output), partial(wrt)))


def number_text(value: Value) -> str:
    """A number as one writes it: 0.1, 1/3, 32, 0.00001, 1e−12."""
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator).replace("-", "−")
        decimal = f"{float(value):.6g}"
        if Fraction(decimal) == value and value.denominator % 5 == 0:
            small = "e" in decimal and abs(value) >= Fraction(1, 10**6)
            return (f"{float(value):.12f}".rstrip("0") if small else decimal).replace("-", "−")
        return f"{value.numerator}/{value.denominator}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def above_and_below(c: Value) -> tuple[str, str]:
    """What of a positive number stands above the line, and what below."""
    top, _, bottom = number_text(c).partition("/")
    return top, bottom or "1"
