"""Boxes as LaTeX."""

from __future__ import annotations

import re
import unicodedata

from ..drawing.letters import name_parts
from .boxes import Box

CHANGED = r"\textcolor{brown}"  # a name that LaTeX, MathJax and KaTeX all know


def _greek(letter: str) -> str:
    name = unicodedata.name(letter).rpartition(" ")[2].lower().replace("lamda", "lambda")
    return "\\" + (name.capitalize() if letter.isupper() else name)


_SIGNS = {letter: _greek(letter) for letter in "αβγδζηθικλμνξπρστυχψωΓΔΘΛΞΠΣΥΦΨΩ"} | {
    "ε": r"\varepsilon", "φ": r"\varphi", "ϕ": r"\phi", "ϵ": r"\epsilon", "ℓ": r"\ell", "∇": r"\nabla",
    "−": "-", "⊙": r"\odot", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "∞": r"\infty", "∂": r"\partial ",
}  # fmt: skip
_MARKS = {
    "\u0302": "hat", "\u0304": "bar", "\u0303": "tilde", "\u0307": "dot", "\u0308": "ddot", "\u20d7": "vec",
    "\u0301": "acute", "\u0300": "grave", "\u0306": "breve", "\u030c": "check",
}  # fmt: skip
"""Combining marks, as on ŷ and x̄, with their commands."""
_SPECIAL = {c: "\\" + c for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}
_NUMBER = re.compile(r"−?(\d[\d./e+−-]*|inf|nan)")
_COMMANDS = "exp log sin cos tan sinh cosh tanh max min"  # functions that LaTeX knows


def latex(box: Box) -> str:
    """The formula in LaTeX's mathematics."""
    parts = [latex(part) for part in box.parts]
    match box.kind:
        case "text":
            return _signs(box.text)
        case "row":
            return "".join(parts)
        case "changed":
            return f"{CHANGED}{{{parts[0]}}}"
        case "group":
            return rf"\left({parts[0]}\right)"
        case "bars":
            bar = r"\|" if box.text else "|"
            return rf"\left{bar}{parts[0]}\right{bar}"
        case "fraction" | "slope":
            return rf"\frac{{{parts[0]}}}{{{parts[1]}}}"
        case "raised":
            exponent = _signs(box.text) if box.text else parts[1]
            return f"{{{parts[0]}}}^{{{exponent}}}"
        case "call":
            if box.text == "√":
                return rf"\sqrt{{{parts[0]}}}"
            return rf"{_function(box.text)}\left({', '.join(parts)}\right)"
        case "folded":
            return rf"{_function(box.parts[0].text)}_{{{box.text}}}\left({parts[1]}\right)"
        case "sigma":
            axes = f"_{{{box.text}}}" if box.text else ""
            return rf"\sum{axes} {parts[0]}"
        case "transpose":
            return rf"{{{parts[0]}}}^{{\top}}"
        case "letters":
            return f"{{{parts[0]}}}_{{{box.text}}}"
        case "index":
            return rf"\left[{parts[0]}\right]" if box.text == "mask" else f"{{{parts[0]}}}_{{{parts[1]}}}"
    raise AssertionError(box.kind)


def latex_text(text: str) -> str:
    """Words in LaTeX, outside of mathematics."""
    return "".join(_SPECIAL.get(c) or (f"${_SIGNS[c]}$" if c in _SIGNS else c) for c in text)


def _name(name: str) -> str:
    """A name: one letter with its marks as it is, a word upright."""
    core, primes, low = name_parts(name)
    letter, *marks = list(unicodedata.normalize("NFD", core) or " ")
    if all(mark in _MARKS for mark in marks):
        written = _SIGNS.get(letter, letter if letter.isascii() and letter.isalnum() else _upright(letter))
        for mark in marks:
            written = rf"\{_MARKS[mark]}{{{written}}}"
    else:
        written = _upright(core)
    return written + (f"_{{{low}}}" if low else "") + "'" * primes


def _upright(word: str) -> str:
    return rf"\text{{{latex_text(word)}}}"


def _signs(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        return r"\, "
    if stripped in _SIGNS and stripped in "−⊙≤≥≠":
        return f" {_SIGNS[stripped]} "
    if _NUMBER.fullmatch(stripped):
        return " " + re.sub(r"e\+?(-?)0*(\d+)", r" \\cdot 10^{\1\2}", stripped.replace("−", "-")) + " "
    if stripped[0] in "+=<>,":
        return " " + stripped.replace("−", "-").replace("≤", r"\le").replace("≥", r"\ge").replace("≠", r"\ne") + " "
    return _name(stripped)


def _function(name: str) -> str:
    if name in _COMMANDS.split():
        return f"\\{name}"
    return _SIGNS.get(name) or rf"\operatorname{{{latex_text(name)}}}"
