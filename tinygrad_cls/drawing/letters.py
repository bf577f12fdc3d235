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


class Names:
    """Names of which none is given twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}  # the last number of each wish

    def free(self, wish: str) -> str:
        """The name that is wished for, with a number where it is taken; it is taken from now on."""
        name, i = wish, self._last.get(wish, 0)
        while name in self._taken:
            i += 1
            name = numbered(wish, i)
        self._last[wish] = i
        self._taken.add(name)
        return name
