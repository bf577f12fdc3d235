"""Where values are while loops run: in an array, in the memory of one row, or a number that is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..compiling.plan import Buffer, Change, Place, Plan, found_buffer, memory
from ..compiling.program import Value
from ..compiling.work import Check, Ends
from ..engine.backward import inputs_first
from ..engine.operations.checks import ClassNumbers
from .fusion import Barrier, Call, Nest, Product, Read, Schedule, folds, folds_rows, loops, result_index
from .spelling import DTYPES, is_loop, is_product, singles

_STACK = 16384  # bytes of an array on the stack, at most


def is_small(v: Value, shape: Sequence[int]) -> bool:
    """Whether an array of this shape lies on the stack, where machine code knows that nothing overlaps it."""
    return int(np.prod(shape)) * v.dtype.itemsize <= _STACK


class Places:
    """The order of a program, and where its values are.

    Attributes:
        inline: what is written where it is read.
        schedule: the steps in loops, products and calls.
        readers: who reads a value, in which item, and in loops at which index.
        segment: for each item the number of its piece of machine code.
        row_values, stack, arrays: values that have the memory of one row, a small array that one piece of machine code
            alone knows of, or an array.
        plan: the same for who writes NumPy's calls.
    """

    def __init__(self, ends: Ends) -> None:
        last = [x for _, v in ends.changes for x in (*v.operands, v)]
        order = inputs_first([*ends.checked, *ends.shown, *last], lambda v: v.operands)
        computed = [v for v in order if v.operation not in ("input", "constant") and memory(v) is v and not v.is_number]
        changed = {v: target for target, v in ends.changes}
        loose = Schedule(computed, set(), is_loop, is_product, ends.checked, changed)
        self.inline: set[Value] = singles(computed, ends.all, loose)
        self.schedule: Schedule = Schedule(computed, self.inline, is_loop, is_product, ends.checked, changed)
        self.readers: dict[Value, list[tuple[Value, int, Read | None]]] = self._found_readers()
        self.segment: list[int] = self._segments(ends.checks)
        in_place, copied = self._in_place(ends.changes)
        made = list(self.schedule.item)
        outside = {memory(v) for v in (*ends.shown, *ends.checked, *(v for _, v in copied))}
        self.arrays: set[Value] = {v for v in made if v in outside or self._needs(v) == "array"}
        inside = set(made) - self.arrays - in_place.keys()
        self.row_values: set[Value] = {v for v in inside if self._needs(v) == "row"}
        self.stack: set[Value] = {v for v in inside if self._needs(v) == "stack"}
        place, sizes = self._placed(in_place, outside)
        self.plan: Plan = Plan([v for item in self.schedule.items for v in item.steps], place, sizes, copied)

    def is_kept(self, v: Value) -> bool:
        """Whether a value has memory."""
        return v in self.arrays or v in self.row_values or v in self.stack or v in self.plan.place

    def _found_readers(self) -> dict[Value, list[tuple[Value, int, Read | None]]]:
        """Who reads a value, in which item, and in loops at which index."""
        found: dict[Value, list[tuple[Value, int, Read | None]]] = {}
        for at, item in enumerate(self.schedule.items):
            for v in item.steps:
                if isinstance(item, Nest):
                    for r in (r for x in v.operands if not x.is_number for r in self.schedule.read(v, x)):
                        found.setdefault(r.value, []).append((v, at, r))
                else:
                    operands = [*v.operands, *(item.product.operands if isinstance(item, Product) else ())]
                    for x in map(memory, operands):
                        found.setdefault(x, []).append((v, at, None))
        return found

    def _segments(self, checks: Sequence[Check]) -> list[int]:
        """For each item the number of its piece of machine code."""
        numbers, n = [], 0
        asks = any(not self.in_kernel(condition, values) for condition, values in checks)
        for item in self.schedule.items:
            n += isinstance(item, Call) or (isinstance(item, Barrier) and asks)
            numbers.append(n)
            n += isinstance(item, Call)
        return numbers

    def _needs(self, v: Value) -> str:
        """What a value needs: "array", "stack", "row" for the memory of one row, "" for a number that is not kept."""
        at = self.schedule.item[v]
        nest = self.schedule.items[at]
        if not isinstance(nest, Nest):
            return "array"
        need = "" if v.size == 1 or not folds_rows(v) else "stack" if is_small(v, v.shape) else "array"
        for u, there, r in self.readers.get(v, []):
            if r is None or r.shape != v.shape:
                return "array"
            if there != at:
                if (v.size > 1 and need != "stack") or self.segment[there] != self.segment[at]:
                    return "array"
            elif not self.together(v, u, r) and any(i > 0 for i in result_index(v)):
                need = need or "row"
        return need

    def together(self, v: Value, u: Value, r: Read) -> bool:
        """Whether a step reads in the same pass through a loop what that loop makes."""
        same = self.schedule.block.get(v) is self.schedule.block.get(u)
        return same and r.axes == result_index(v) and not folds(v)

    def _in_place(self, changes: Sequence[Change]) -> tuple[dict[Value, Value], list[Change]]:
        in_place: dict[Value, Value] = {}
        copied = []
        for target, v in changes:
            fits = v in self.schedule.item and (v.shape, v.dtype) == (target.shape, target.dtype)
            if fits and v not in in_place and self.schedule.written_later(v) and self._may_write(v, target):
                in_place[v] = target
            else:
                copied.append((target, v))
        return in_place, copied

    def _may_write(self, v: Value, target: Value) -> bool:
        """Whether nobody reads the old value after the new one is written."""
        at = self.schedule.item[v]
        item = self.schedule.items[at]
        if isinstance(item, Call) or (isinstance(item, Product) and item.product is v) or folds(v):
            return False
        for u, there, r in self.readers.get(target, []):
            if there > at:
                return False
            if there == at and isinstance(item, Nest):
                block = self.schedule.block[v]
                if self.schedule.block.get(u) is not block or block.steps.index(u) > block.steps.index(v):
                    return False
                if r is None or r.shape != target.shape or r.axes != result_index(v):
                    return False
        if isinstance(item, Product):
            return all(memory(x) is not target for x in item.product.operands)
        return True

    def _placed(self, in_place: dict[Value, Value], outside: set[Value]) -> tuple[dict[Value, Place], list[int]]:
        place: dict[Value, Place] = {}
        sizes: list[int] = []
        free: list[Buffer] = []
        last: dict[int, list[Buffer]] = {}
        for at, item in enumerate(self.schedule.items):
            for v in item.steps:
                if v in in_place:
                    place[v] = in_place[v]
                elif v in self.arrays or (v in self.row_values and not is_small(v, loops(v)[1:])):
                    size = int(np.prod(loops(v)[1:])) if v in self.row_values else v.size
                    place[v] = buffer = found_buffer(size * v.dtype.itemsize, sizes, free)
                    until = max((there for _, there, _ in self.readers.get(v, [])), default=at)
                    if v not in outside:
                        last.setdefault(max(until, at), []).append(buffer)
            free += last.get(at, [])
        return place, sizes

    def in_kernel(self, condition: Any, values: Sequence[Value]) -> bool:
        """Whether a check is done by machine code: of class numbers that are given."""
        return (
            isinstance(condition, ClassNumbers)
            and values[0].operation == "input"
            and values[0].size > 0
            and (values[0].dtype.char in DTYPES)
        )

    def is_local(self, p: Value, u: Value, r: Read) -> bool:
        """Whether a step finds a value that was made as a number, and not in an array."""
        there, at = self.schedule.item[p], self.schedule.item[u]
        if not isinstance(self.schedule.items[there], Nest):
            return False
        if there == at and not folds_rows(p):
            if self.together(p, u, r):
                return not self.is_kept(p)
            return not any(i > 0 for i in result_index(p))
        return (
            p.size == 1
            and there != at
            and self.segment[there] == self.segment[at]
            and (not loops(p) or len(folds(p)) == len(loops(p)))
        )
