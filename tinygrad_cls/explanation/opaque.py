"""How an operation is written that the algebra does not look into."""

from __future__ import annotations

from collections.abc import Sequence

from ..algebra.expression import Expression
from ..engine.operation import OPERATIONS
from ..engine.operations.axes import ARRAY
from .boxes import ATOM, Box, group, text
from .text import plain


def opaque(x: Expression, operands: Sequence[Box]) -> Box:
    """By its name; what is picked by slices as in NumPy, `z[1:3]`, and what is put back there as `put[1:3](…)`.

    Args:
        x: the expression.
        operands: its operands as they are written.
    """
    operation, index = OPERATIONS[x.data[0]], x.data[1].get("index")
    if not isinstance(index, tuple):
        return Box("call", operation.name, tuple(operands))
    first, *arrays = operands
    places = map(plain, arrays)
    picked = ", ".join(next(places) if part is ARRAY else _index_text(part) for part in index)
    if operation.symbol == "[ ]":
        return Box("index", "", (first if first.binding >= ATOM else group(first), text(picked)))
    return Box("call", f"put[{picked}]", (first,))


def _index_text(part: object) -> str:
    """Part of an index as it is written: `1:3`."""
    if isinstance(part, slice):
        ends = [part.start, part.stop, *([] if part.step is None else [part.step])]
        return ":".join("" if end is None else _index_text(end) for end in ends)
    return "…" if part is Ellipsis else str(part).replace("-", "−")
