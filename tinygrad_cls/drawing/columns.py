"""What text takes on a terminal, and what stands in for letters that a terminal cannot show."""

from __future__ import annotations

import codecs
import re
import unicodedata

_READABLE = {
    "′": "'", "−": "-", "×": "x", "⊙": "*", "·": "*", "Σ": "Sum", "∂": "d", "Δ": "error", "ᵀ": "^T", "√": "sqrt",
    "σ": "sigmoid", "≤": "<=", "≥": ">=", "≠": "!=", "∞": "inf", "‾": "~", "…": "...", "⋮": ":", "→": "->", "ᐟ": "/",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "θ": "theta", "λ": "lambda", "μ": "mu",
    "π": "pi", "ρ": "rho", "τ": "tau", "φ": "phi", "ω": "omega", "Φ": "Phi",
    "–": "-", "“": '"', "”": '"', "’": "'", "，": ",",
    "。": ".", "：": ":", "；": ";", "？": "?", "（": "(", "）": ")",
}  # fmt: skip
_LOW = re.compile("[₀-₉ₐ-ₜᵢᵣᵤᵥⱼ]+")
_HIGH = re.compile("[⁰-⁹⁻²³¹ᐟᵖⁿ]+")


def columns(text: str) -> int:
    """How many columns of a terminal the text takes: two for a Chinese letter, none for an accent."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def can_show(text: str, encoding: str | None) -> bool:
    """Whether a terminal with this encoding can show the text."""
    try:
        text.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def readable(text: str, encoding: str | None) -> str:
    """The text for a terminal with this encoding: what it cannot show is spelt out, as y_1, x^2, Sum, d for ∂.

    Args:
        text: any text.
        encoding: of the terminal; None where it is unknown, and can show all.
    """
    if can_show(text, encoding):
        return text
    for pattern, sign in ((_LOW, "_"), (_HIGH, "^")):
        text = pattern.sub(lambda run, sign=sign: _spelt(run[0], sign, encoding), text)  # type: ignore[misc]
    return "".join(c if can_show(c, encoding) else _READABLE.get(c, _plain(c)) for c in text)


def _spelt(run: str, sign: str, encoding: str | None) -> str:
    if can_show(run, encoding):
        return run
    spelt = "".join(_READABLE.get(c, _plain(c)) for c in run)
    return f"{sign}({spelt})" if len(spelt) > 1 and spelt[0].isalpha() and sign == "^" else sign + spelt  # x^(p-1)


def _plain(letter: str) -> str:
    """The letter without its marks, if that can be shown everywhere."""
    return (
        unicodedata.normalize("NFKD", letter).replace("−", "-").replace("⁄", "/").encode("ascii", "ignore").decode()
        or "?"
    )


def _spell_out(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return readable(error.object[error.start : error.end], error.encoding), error.end


SPELT_OUT = "tinygrad_cls.spelt_out"
"""How a stream shall treat what it cannot encode: `sys.stdout.reconfigure(errors=SPELT_OUT)`."""
codecs.register_error(SPELT_OUT, _spell_out)
