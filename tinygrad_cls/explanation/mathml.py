"""Boxes as MathML, which browsers show without any script."""

from __future__ import annotations

from html import escape

from .boxes import Box
from .letters import name_parts


def mathml(box: Box, left: Box | None = None, equals: bool = False) -> str:
    """The formula as a `math` element.

    Args:
        box: the formula.
        left: what it is equal to, such as ∂z, to stand in front of it.
        equals: whether an equal sign stands in front of it.
    """
    before = (_inner(left) if left is not None else "") + ("<mo>=</mo>" if equals else "")
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow>{before}{_inner(box)}</mrow></math>'


def _inner(box: Box) -> str:
    parts = [_inner(part) for part in box.parts]
    match box.kind:
        case "text":
            return _text(box.text)
        case "row":
            return f"<mrow>{''.join(parts)}</mrow>"
        case "changed":
            return f'<mrow class="changed">{parts[0]}</mrow>'
        case "group":
            return f"<mrow><mo>(</mo>{parts[0]}<mo>)</mo></mrow>"
        case "bars":
            bar = f"<mo>{box.text or '|'}</mo>"
            return f"<mrow>{bar}{parts[0]}{bar}</mrow>"
        case "fraction" | "slope":
            return f"<mfrac>{parts[0]}{parts[1]}</mfrac>"
        case "raised":
            return f"<msup>{parts[0]}{_text(box.text) if box.text else parts[1]}</msup>"
        case "call":
            if box.text == "√":
                return f"<msqrt>{parts[0]}</msqrt>"
            inside = "<mo>,</mo>".join(parts)
            return f"<mrow><mi>{escape(box.text)}</mi><mo>&#8289;</mo><mo>(</mo>{inside}<mo>)</mo></mrow>"
        case "sigma":
            sign = f"<munder><mo>∑</mo><mi>{box.text}</mi></munder>" if box.text else "<mo>∑</mo>"
            return f"<mrow>{sign}{parts[0]}</mrow>"
        case "transpose":
            return f"<msup>{parts[0]}<mo>⊤</mo></msup>"
        case "letters":
            return f"<msub>{parts[0]}<mi>{escape(box.text)}</mi></msub>"
        case "index":
            if box.text == "mask":
                return f"<mrow><mo>[</mo>{parts[0]}<mo>]</mo></mrow>"
            return f"<msub>{parts[0]}{parts[1]}</msub>"
    raise AssertionError(box.kind)


def _name(name: str) -> str:
    """A name: its number as a subscript, its primes as marks."""
    core, count, low = name_parts(name)
    primes = "′" * count
    written = f"<mi>{escape(core)}</mi>"
    if low and primes:
        return f"<msubsup>{written}<mn>{low}</mn><mo>{primes}</mo></msubsup>"
    if low:
        return f"<msub>{written}<mn>{low}</mn></msub>"
    return f"<msup>{written}<mo>{primes}</mo></msup>" if primes else written


def _text(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        return '<mspace width="0.25em"/>'
    if stripped[0].isdigit() or (stripped[0] == "−" and len(stripped) > 1):
        return f"<mn>{escape(stripped)}</mn>"
    if len(stripped) == 1 and not stripped.isalpha():
        return f"<mo>{escape(stripped)}</mo>"
    return _name(stripped)
