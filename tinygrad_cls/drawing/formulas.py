"""What a box says: its operation as a formula, with a slot for the name of each operand."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..engine.operation import Operation
from ..engine.operations.axes import filled as indexed
from ..visible import visible
from .graph import Literal
from .letters import SUPERSCRIPTS
from .values import number

_SLOT = re.compile("\x01(\\d+)\x02")  # no name contains these: `visible` spells them out
_INDEX = 16  # letters of an index that is written out
_OPERANDS = 6  # of a call that are written out


def slot(position: int) -> str:
    """The place of an operand in a formula."""
    return f"\x01{position}\x02"


def filled(formula: str, text: Callable[[int], str]) -> str:
    """The formula with a text in each slot, by position; in brackets where it would fall apart."""

    def operand(found: re.Match[str]) -> str:
        written = text(int(found[1]))
        before, after = formula[: found.start()], formula[found.end() :]
        is_argument = before.endswith(("(", ", ", "; ")) and after.startswith((")", ","))
        alone = not before and not after
        return f"({written})" if _loose(written) and not (is_argument or alone) else written

    return _SLOT.sub(operand, formula)


def _loose(text: str) -> bool:
    """Whether text that a formula is made of would fall apart in another: `a + b`, `−a`. Names are no such text."""
    while text != (text := re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", text)):
        pass
    return " " in text or text.startswith("−")


def literal(value: float) -> str:
    """A number in a formula."""
    return number(value, 6).replace("-", "−")


def formula_of(operation: Operation, inputs: Sequence[int | Literal], parameters: Mapping[str, Any]) -> str:
    """An operation as a formula, numbers written out: `exp(…)`, `… / …`, `…[0, 1:]`, `…²`."""
    notation = operation.notation
    operands = [literal(x.value) if isinstance(x, Literal) else slot(i) for i, x in enumerate(inputs)]
    if operation.holds_constant:
        return f"stop({operands[0]})"
    if "{0}" not in notation:  # of any number of operands
        given = parameters.get("subscripts")
        return call(operation.name, operands, "" if given is None else str(given).replace("->", "→") + "; ")
    if notation.endswith(" ^ {1}") and isinstance(x := inputs[1], Literal) and float(x.value).is_integer():
        return operands[0] + operands[1].translate(SUPERSCRIPTS)
    if "index" in parameters and notation.endswith("[…]"):
        index = option(indexed(parameters["index"], operands[1:]))
        return f"{operands[0]}[{index if len(index) <= _INDEX else '…'}]"
    if any(f"{{{i}}}" not in notation for i in range(len(operands))):
        return call(operation.name, operands)
    return _written(notation, tuple(operands))


@functools.lru_cache(maxsize=1024)
def _written(notation: str, operands: tuple[str, ...]) -> str:
    return filled(re.sub(r"\{(\d+)\}", lambda found: slot(int(found[1])), notation), operands.__getitem__)


def call(name: str, operands: Sequence[str], how: str = "") -> str:
    """`name(a, b)`, or `name(how; a, b)`; of very many operands the first ones."""
    shown = [*operands[: _OPERANDS - 1], "…"] if len(operands) > _OPERANDS else operands
    return f"{visible(name)}({how}{', '.join(shown)})"


def called(heading: str, operands: int) -> str:
    """A composite as a formula."""
    return call(layer(heading), [slot(i) for i in range(operands)])


def layer(heading: str) -> str:
    """The class in a module's heading: "Linear" for "layers.0: Linear"; any other heading itself."""
    return heading.rpartition(": ")[2]


def option(value: object) -> str:
    """A parameter as a reader would write it: `0, 1:`."""
    if isinstance(value, tuple):
        return ", ".join(map(option, value))
    if isinstance(value, slice):
        ends = ["" if end is None else number(end) for end in (value.start, value.stop)]
        return ":".join(ends) + ("" if value.step is None else f":{number(value.step)}")
    if value is None or value is Ellipsis:
        return "…" if value is Ellipsis else "None"
    if isinstance(value, str):
        return value
    return literal(value) if isinstance(value, int) else visible(str(value))
