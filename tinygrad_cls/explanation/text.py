"""Boxes as one line of text."""

from __future__ import annotations

from ..drawing.letters import SUBSCRIPTS, SUPERSCRIPTS
from .boxes import PRODUCT, SUM, Box


def spans(box: Box, changed: bool = False) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it belongs to a changed part."""
    match box.kind:
        case "text":
            return [(box.text, changed)]
        case "row":
            return _joined(*(spans(part, changed) for part in box.parts))
        case "changed":
            return spans(box.parts[0], True)
        case "group":
            return _joined([("(", changed)], spans(box.parts[0], changed), [(")", changed)])
        case "bars":
            bar = [(box.text or "|", changed)]
            return _joined(bar, spans(box.parts[0], changed), bar)
        case "fraction":
            above, below = box.parts
            line = _joined([(" / ", changed)], _bracketed(below, changed, below.binding <= PRODUCT))
            return _joined(_bracketed(above, changed, above.binding == SUM), line)
        case "slope":
            return _joined(spans(box.parts[0], changed), [("/", changed)], spans(box.parts[1], changed))
        case "raised":
            if box.text and "/" not in box.text and "." not in box.text:
                return _joined(spans(box.parts[0], changed), [(box.text.translate(SUPERSCRIPTS), changed)])
            exponent = (
                [(f"({box.text})", changed)]
                if box.text
                else _bracketed(box.parts[1], changed, box.parts[1].binding <= PRODUCT)
            )
            return _joined(spans(box.parts[0], changed), [("^", changed)], exponent)
        case "call":
            inside: list[tuple[str, bool]] = []
            for i, part in enumerate(box.parts):
                inside += ([(", ", changed)] if i else []) + spans(part, changed)
            return _joined([(f"{box.text}(", changed)], inside, [(")", changed)])
        case "folded":
            name, body = (spans(part, changed) for part in box.parts)
            return _joined(name, [(f"{_low(box.text)}(", changed)], body, [(")", changed)])
        case "sigma":
            return _joined([(f"Σ{box.text.translate(SUBSCRIPTS)} ", changed)], spans(box.parts[0], changed))
        case "transpose":
            return _joined(spans(box.parts[0], changed), [("ᵀ", changed)])
        case "letters":
            return _joined(spans(box.parts[0], changed), [(_low(box.text), changed)])
        case "index":
            if box.text == "mask":
                return _joined([("[", changed)], spans(box.parts[0], changed), [("]", changed)])
            return _joined(
                spans(box.parts[0], changed), [("[", changed)], spans(box.parts[1], changed), [("]", changed)]
            )
    raise AssertionError(box.kind)


def plain(box: Box) -> str:
    """The text without marks."""
    return "".join(piece for piece, _ in spans(box))


def _low(letters: str) -> str:
    """Letters of axes written low, in brackets if there is one that cannot be."""
    low = letters.translate(SUBSCRIPTS)
    return f"[{letters}]" if any(letter in low for letter in letters) else low


def _bracketed(box: Box, changed: bool, needed: bool) -> list[tuple[str, bool]]:
    return _joined([("(", changed)], spans(box, changed), [(")", changed)]) if needed else spans(box, changed)


def _joined(*pieces: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    return [piece for part in pieces for piece in part]
