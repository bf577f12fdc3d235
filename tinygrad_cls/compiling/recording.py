"""What a watched run did, without values: a row for each thing, so that two runs can be compared."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from ..advice import Place, place, shown


class CompileError(RuntimeError):
    """What no program can hold, with the line of it. Tensors and optimisers are as they were before the call."""


class StaleError(CompileError):
    """An audit found that the function does something else than its program: it reads what is not compared."""


class Row(NamedTuple):
    """One thing that happened: an operation, a leaf that was met, an assignment, a check, an end.

    Attributes:
        what: the name of the operation, or of the kind of thing.
        inputs: numbers of rows, and Python's numbers as they are written.
        details: parameters of an operation, or what else tells one from another.
        shape, dtype: of the result, where there is one.
    """

    what: str
    inputs: tuple[Any, ...] = ()
    details: Any = None
    shape: tuple[int, ...] = ()
    dtype: str = ""


class Recording:
    """The rows of one run.

    Attributes:
        rows: what happened, in order.
        places: for each row the line of the caller's code.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.places: list[Place] = []
        self._kept: list[Any] = []  # whose ids stand in the rows

    def add(self, row: Row, *kept: Any) -> int:
        """Add a row; gives its number. `kept` are objects whose ids stand in it."""
        self._kept += kept
        self.rows.append(row)
        self.places.append(place())
        return len(self.rows) - 1

    def parted(self, other: Recording) -> str | None:
        """Where and how another run does something else than this one, in words; None where it does the same."""
        for i, (a, b) in enumerate(zip(self.rows, other.rows, strict=False)):
            if a != b and not _same_values(a, b, other._kept):
                return f"here it was {_words(a)}, now it is {_words(b)}\n{shown(other.places[i])}"
        if len(self.rows) == len(other.rows):
            return None
        longer = max(self, other, key=lambda recording: len(recording.rows))
        i = min(len(self.rows), len(other.rows))
        return f"in one run it went on with {_words(longer.rows[i])}\n{shown(longer.places[i])}"


def _same_values(a: Row, b: Row, kept: list[Any]) -> bool:
    """Whether a constant that the one run made is a Tensor that the other found, as where a mask is made once."""
    if (a.what, b.what) != ("constant", "tensor") or (a.shape, a.dtype) != (b.shape, b.dtype):
        return False
    found = next(t for t in kept if id(t) == b.details)
    return bool(a.details == content(found._array))


def content(array: Any) -> bytes:
    """What tells the values of an array from others of its shape and dtype."""
    values: bytes = array.tobytes()
    return values if len(values) <= 64 else hashlib.blake2b(values, digest_size=16).digest()


def _words(row: Row) -> str:
    shape = f" of shape {row.shape}, {row.dtype}" if row.dtype else ""
    numbers = [x[1] for x in row.inputs if isinstance(x, tuple)]
    if row.what == "constant":
        return f"other values{shape}"
    if row.what == "tensor":
        return f"a Tensor from outside{shape}"
    return f"{row.what}{shape}" + (f" with {', '.join(numbers)}" if numbers else "")
