"""What names are made of: letters, numbers written low, primes."""

from __future__ import annotations

from typing import NamedTuple

_DIGITS = "0123456789"
_LOW = "₀₁₂₃₄₅₆₇₈₉"
SUBSCRIPTS = str.maketrans(_DIGITS + "ehijklmnoprstuvx", _LOW + "ₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
SUPERSCRIPTS = str.maketrans(_DIGITS + "−/", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᐟ")
_LOWERED = str.maketrans(_LOW, _DIGITS)


class NameParts(NamedTuple):
    """A name taken apart: `y′₁` is y, with one prime and the number 1."""

    core: str
    primes: int
    number: str


def name_parts(name: str) -> NameParts:
    """The parts of a name."""
    letters = name.rstrip(_LOW)
    core = letters.rstrip("′")
    return NameParts(core, len(letters) - len(core), name[len(letters) :].translate(_LOWERED))


def numbered(name: str, i: int) -> str:
    """The name with a number written low: u₁₂."""
    return name + str(i).translate(SUBSCRIPTS)
