"""Guards: each is one thing that a function reads, and whether it is still the same.

A guard can say so in two ways: as text for the quick comparison, a condition that is true when something may have
changed, and as `changed`, which is thorough and says in words what has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from types import CellType
from typing import Any, NamedTuple

import numpy as np

from ..engine.tensor import Tensor

Thing = Callable[[Any], str]
"""Gives the name by which the text of the quick comparison refers to an object."""

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.dtype, np.generic, range, slice)


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT: Any = _Absent()
"""What is held where nothing is."""


def differs(now: Any, before: Any) -> bool:
    """Whether the one cannot stand for the other. `1`, `1.0` and `True` differ, as do `0.0` and `-0.0`."""
    if now is before:
        return False
    if type(now) is not type(before):
        return True
    if isinstance(now, tuple):
        return len(now) != len(before) or any(map(differs, now, before))
    if isinstance(now, frozenset):
        return differs(tuple(now), tuple(before))
    return not isinstance(now, PLAIN) or repr(now) != repr(before)


def _other(now: str, before: Any, thing: Thing) -> str:
    """Text for: what `now` gives is another than `before`."""
    name = thing(before)
    if isinstance(before, (tuple, frozenset, *PLAIN)) and before is not None:
        return f"({now} is not {name} and {thing(differs)}({now}, {name}))"
    return f"{now} is not {name}"


def _equals_only_itself(x: Any) -> bool:
    """Whether `==` is true for nothing else that could be meant: then comparing what contains it is enough."""
    if isinstance(x, Tensor):
        return x.size > 1  # `==` of several elements has no truth
    compare: Any = type(x).__eq__
    return x is None or type(x) in (str, bytes) or compare is object.__eq__


class Reading(NamedTuple):
    """A way to read what a holder holds.

    Attributes:
        spelled: as text, of the holder and the key.
        there: as text, whether anything is there.
        read: what is there, or `ABSENT`.
    """

    spelled: str
    there: str
    read: Callable[[Any, Any], Any]


def _cell(cell: CellType, _: Any = None) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return ABSENT


CELL = Reading("{0}.cell_contents", "_cell({0}) is not _absent", _cell)
ITEM = Reading("{0}[{1!r}]", "{1!r} in {0}", lambda holder, key: holder.get(key, ABSENT))
ATTRIBUTE = Reading("{0}.{1}", "hasattr({0}, {1!r})", lambda holder, key: getattr(holder, key, ABSENT))
CALLED = Reading("{0}()", "", lambda holder, _: holder())
HELPERS = {"_cell": _cell, "_absent": ABSENT}


class Slot:
    """One place that holds one object: a variable, a global, an attribute."""

    def __init__(self, text: str, holder: Any, key: Any, reading: Reading) -> None:
        self.text, self.holder, self.key, self.reading = text, holder, key, reading
        self.before = reading.read(holder, key)

    def conditions(self, thing: Thing) -> Iterator[str]:
        """Text that is true when something may have changed."""
        form = self.reading.there if self.before is ABSENT else self.reading.spelled
        now = form.format(thing(self.holder), self.key)
        yield now if self.before is ABSENT else _other(now, self.before, thing)

    def changed(self) -> str | None:
        """What has changed, in words; None when nothing has."""
        now = self.reading.read(self.holder, self.key)
        return f"{self.text} is another {type(now).__name__} now" if differs(now, self.before) else None


class Contents:
    """What a list, dict, set or deque contains, in its order."""

    def __init__(self, text: str, holder: Any) -> None:
        self.text, self.holder = text, holder
        self.before = self._now()
        self.keys = list(holder) if isinstance(holder, dict) else None

    def _now(self) -> list[Any]:
        return list(self.holder.values()) if isinstance(self.holder, dict) else list(self.holder)

    def conditions(self, thing: Thing) -> Iterator[str]:
        x = thing(self.holder)
        if self.keys is not None:
            yield f"[*{x}] != {thing(self.keys)}"
            now = f"[*{x}.values()]"
        else:
            now = x if type(self.holder) is list else f"[*{x}]"
        yield f"{now} != {thing(self.before)}"
        inexact = [(i, y) for i, y in enumerate(self.before) if not _equals_only_itself(y)]
        if len(inexact) > 8 or (inexact and type(self.holder) not in (list, deque)):
            yield f"any(map({thing(differs)}, {now}, {thing(self.before)}))"
        else:
            yield from (_other(f"{x}[{i}]", y, thing) for i, y in inexact)

    def changed(self) -> str | None:
        now = self._now()
        if len(now) != len(self.before) or any(map(differs, now, self.before)):
            return f"what {self.text} contains has changed"
        if self.keys is not None and any(map(differs, self.holder, self.keys)):
            return f"the keys of {self.text} have changed"
        return None


class Attributes:
    """The attributes of an object: at first compared as a whole; one by one after those changed that do not matter."""

    def __init__(self, text: str, holder: Any, matters: Callable[[str, Any], bool]) -> None:
        self.text, self.holder, self.matters = text, holder, matters
        self.kind, self.whole = type(holder), True
        self.before: dict[str, Any] = dict(vars(holder))

    def conditions(self, thing: Thing) -> Iterator[str]:
        x, before = f"{thing(self.holder)}.__dict__", self.before
        yield f"type({thing(self.holder)}) is not {thing(self.kind)}"
        yield f"{x} != {thing(before)}" if self.whole else f"{x}.keys() != {thing(before.keys())}"
        for name, value in before.items():
            if self.matters(name, value) and not (self.whole and _equals_only_itself(value)):
                yield _other(f"{x}[{name!r}]", value, thing)

    def changed(self) -> str | None:
        now, before = vars(self.holder), self.before
        if type(self.holder) is not self.kind:
            return f"{self.text} is of another class now"
        for name in {**now, **before}:
            a, b = now.get(name, ABSENT), before.get(name, ABSENT)
            if differs(a, b) and (self.matters(name, a) or self.matters(name, b)):
                return f"the attribute {name} of {self.text} has changed"
        return None

    def settle(self) -> None:
        """Take what is now for what was: only what does not matter has changed."""
        now, before = dict(vars(self.holder)), self.before
        same_names = now.keys() == before.keys()
        self.whole = self.whole and same_names and all(now[n] is x or self.matters(n, x) for n, x in before.items())
        self.before = now


class Values:
    """The values of an array, or of another piece of memory."""

    largest = 1 << 16  # bytes that are compared in every call

    def __init__(self, text: str, holder: Any) -> None:
        self.text, self.holder, self.before = text, holder, _bytes(holder)

    def conditions(self, thing: Thing) -> Iterator[str]:
        yield f"{thing(_bytes)}({thing(self.holder)}) != {thing(self.before)}"

    def changed(self) -> str | None:
        return f"the values of {self.text} have changed" if _bytes(self.holder) != self.before else None


def _bytes(x: Any) -> Any:
    return (x.shape, x.dtype, x.tobytes()) if isinstance(x, np.ndarray) else bytes(x)
