"""Boxes as MathML, which browsers show without any script."""

from __future__ import annotations

from html import escape

from ..drawing.columns import columns
from ..drawing.letters import name_parts
from .boxes import Box

_FLAT = 1.4  # lines; around what is higher, brackets are made larger


def mathml(box: Box, block: bool = True) -> str:
    """The formula as a `math` element.

    Args:
        box: the formula.
        block: whether it stands on a line of its own, or within one.
    """
    display = 'display="block"' if block else 'displaystyle="true"'
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" {display}><mrow>{_inner(box)}</mrow></math>'


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
            return _between("(", parts[0], ")", box)
        case "bars":
            bar = box.text or "|"
            return _between(bar, parts[0], bar, box)
        case "fraction" | "slope":
            return f"<mfrac>{parts[0]}{parts[1]}</mfrac>"
        case "raised":
            return f"<msup>{parts[0]}{_text(box.text) if box.text else parts[1]}</msup>"
        case "call":
            if box.text == "√":
                return f"<msqrt>{parts[0]}</msqrt>"
            inside = _between("(", "<mo>,</mo>".join(parts), ")", box)
            return f"<mrow>{_name(box.text)}<mo>&#8289;</mo>{inside}</mrow>"
        case "folded":
            function = f"<msub>{parts[0]}{_name(box.text)}</msub>"
            return f"<mrow>{function}<mo>&#8289;</mo>{_between('(', parts[1], ')', box)}</mrow>"
        case "sigma":
            sign = f"<munder><mo>∑</mo>{_name(box.text)}</munder>" if box.text else "<mo>∑</mo>"
            return f"<mrow>{sign}{parts[0]}</mrow>"
        case "transpose":
            return f'<msup>{parts[0]}<mi class="word">⊤</mi></msup>'
        case "letters":
            return f"<msub>{parts[0]}{_name(box.text)}</msub>"
        case "index":
            if box.text == "mask":
                return _between("[", parts[0], "]", box)
            return f"<msub>{parts[0]}{parts[1]}</msub>"
    raise AssertionError(box.kind)


def _between(before: str, inside: str, after: str, box: Box) -> str:
    """In brackets as high as what is inside. Without a mathematical font a browser does not stretch them, so they say
    their size, and how far it moves them down."""
    lines = max(map(_lines, box.parts))
    if lines < _FLAT:
        return f'<mrow><mo stretchy="false">{before}</mo>{inside}<mo stretchy="false">{after}</mo></mrow>'
    size = 0.85 * lines
    low = 0.27 * (size - 1)

    def large(bracket: str) -> str:
        sign = f'<mo stretchy="false" mathsize="{size:.2f}em">{bracket}</mo>'
        return f'<mpadded voffset="-{low:.2f}em">{sign}</mpadded>'

    return f"<mrow>{large(before)}{inside}{large(after)}</mrow>"


def _lines(box: Box) -> float:
    """About how high it is, in lines of text."""
    inside = [_lines(part) for part in box.parts]
    match box.kind:
        case "fraction" | "slope":
            return sum(inside)
        case "sigma":
            return max(1.6 if box.text else 1.2, *inside)
        case "raised":
            return inside[0] + 0.2
    return max(inside, default=1.0)


def _name(name: str) -> str:
    """A name, its primes in it: `y′` is one identifier. Its number is a subscript; what is longer than a letter stands
    upright."""
    core, count, low = name_parts(name)
    kind = "" if len(core) == 1 and columns(core) == 1 else ' class="word"'  # Chinese is never slanted
    written = f"<mi{kind}>{escape(core)}{'′' * count}</mi>"
    return f"<msub>{written}<mn>{low}</mn></msub>" if low else written


def _text(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        return '<mspace width="0.25em"/>'
    if stripped[0].isdigit() or (stripped[0] == "−" and len(stripped) > 1):
        return f"<mn>{escape(stripped)}</mn>"
    if stripped == "∂":  # belongs to the letter after it
        return f'<mi class="word">{stripped}</mi>'
    if len(stripped) == 1 and not stripped.isalpha():
        return f"<mo>{escape(stripped)}</mo>"
    return _name(stripped)
