"""Where each value is kept: in the memory of a parameter, in a buffer, or as a view of either.

The steps say what is computed; this says where. A buffer is used again as soon as nobody reads its value any more,
and a step that works element by element may write over an operand that it is the last to read. Single numbers need
no memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from ..engine.backward import inputs_first
from . import steps
from .program import CHOICES, ELEMENTWISE, VIEWS, Value


class Buffer(NamedTuple):
    """A piece of memory that belongs to the program, by its number."""

    number: int


Place: TypeAlias = "Buffer | Value"
Change: TypeAlias = tuple[Value, Value]  # an input whose memory outlives the call, and its new value


class Plan(NamedTuple):
    """The order of the steps, and where their results are.

    Attributes:
        steps: in order; inputs, constants and views are no steps.
        place: for each step its buffer, or the input whose memory takes its result; none for single numbers.
        sizes: the bytes of each buffer.
        copied: new values of inputs that could not be written in place: to be copied there at the end.
    """

    steps: list[Value]
    place: dict[Value, Place]
    sizes: list[int]
    copied: list[Change]


def is_view(v: Value) -> bool:
    """Whether the value is another view of its operand's memory."""
    return v.operation in VIEWS and (v.scatters or v.operation == "view" or not _scattered(v.operands[0]))


def _scattered(v: Value) -> bool:
    """Whether the elements may not lie in order, so that a reshape must copy them."""
    while v.operation in VIEWS:
        if v.scatters:
            return True
        (v,) = v.operands
    return False


def memory(v: Value) -> Value:
    """The value whose memory a view shows."""
    while is_view(v):
        (v,) = v.operands
    return v


def planned(checked: Sequence[Value], returned: Sequence[Value], changes: Sequence[Change]) -> Plan:
    """Order the steps and find places for their results.

    Args:
        checked: values whose checks come before anything is changed.
        returned: values that the caller gets.
        changes: pairs of an input and its new value.
    """
    steps = _ordered(checked, returned, changes)
    readers = _readers(steps, returned, checked)
    in_place, copied = _in_place(steps, readers, changes, _last_check(steps, checked))
    place, sizes = _placed(steps, readers, in_place)
    return Plan(steps, place, sizes, copied)


def _ordered(checked: Sequence[Value], returned: Sequence[Value], changes: Sequence[Change]) -> list[Value]:
    new = [value for _, value in changes]
    needed_first = [x for value in new for x in value.operands]
    order = inputs_first([*checked, *returned, *needed_first, *new], lambda v: v.operands)
    steps = [v for v in order if v.operation not in ("input", "constant") and not is_view(v) and not v.is_number]
    for target, value in changes:  # as early as possible: right after the last one who needs the old value
        if value in steps:
            steps.remove(value)
            needed = [i for i, v in enumerate(steps) if reads(v, target) or v in map(memory, value.operands)]
            users = [i for i, v in enumerate(steps) if reads(v, value)]
            at = max([*needed, _last_check(steps, checked)], default=-1) + 1
            steps.insert(min([at, *users]), value)
    return steps


def _last_check(steps: Sequence[Value], checked: Iterable[Value]) -> int:
    """After which step everything has been checked."""
    last = set(map(memory, checked))
    return max((i for i, v in enumerate(steps) if v in last), default=-1)


def reads(v: Value, target: Value) -> bool:
    """Whether a step reads the memory of `target`."""
    return any(memory(x) is target for x in v.operands)


def _readers(steps: list[Value], returned: Iterable[Value], checked: Iterable[Value]) -> dict[Value, list[int]]:
    """When the memory of each value is read."""
    readers: dict[Value, list[int]] = {}
    for i, v in enumerate(steps):
        for x in v.operands:
            readers.setdefault(memory(x), []).append(i)
    for v in (*returned, *checked):
        readers.setdefault(memory(v), []).append(len(steps))
    return readers


def _in_place(
    steps: list[Value], readers: dict[Value, list[int]], changes: Sequence[Change], checked: int
) -> tuple[dict[Value, Value], list[Change]]:
    in_place: dict[Value, Value] = {}
    copied = []
    for target, value in changes:
        at = steps.index(value) if value in steps else -1
        late = [i for i in readers.get(target, []) if i > at]
        aliases = not reads(value, target) or _can_write_over(value, target, target)
        fits = value.shape == target.shape and value.dtype == target.dtype
        if at <= checked or late or not aliases or not fits or value in in_place or not value.shape:
            copied.append((target, value))
        else:
            in_place[value] = target
    for _, value in copied:
        readers.setdefault(memory(value), []).append(len(steps))
    return in_place, copied


def _can_write_over(v: Value, x: Value, owner: Value) -> bool:
    """Whether the step may write its result over its operand `x`, which shows the memory of `owner`."""
    if x.shape != v.shape or x.dtype.itemsize != v.dtype.itemsize:
        return False
    if v.operation not in ELEMENTWISE and v.operation not in CHOICES and not _stays(v, x):
        return False
    return all(y is x or memory(y) is not owner for y in v.operands) and not _scattered(x)


def _stays(v: Value, x: Value) -> bool:
    """Whether the step leaves the elements of `x` as they are where it does not choose others."""
    return v.operation == steps.WHERE and x is v.inputs[2] and x.dtype == v.dtype


def _placed(
    steps: list[Value], readers: dict[Value, list[int]], in_place: dict[Value, Value]
) -> tuple[dict[Value, Place], list[int]]:
    place: dict[Value, Place] = {}
    sizes: list[int] = []
    free: list[Buffer] = []
    last_read: dict[int, list[Value]] = {}
    for v in steps:
        last_read.setdefault(max(readers.get(v, [-1])), []).append(v)
    for i, v in enumerate(steps):
        dying = {x: b for x in last_read.get(i, []) if isinstance(b := place.get(x), Buffer)}
        if v in in_place:
            place[v] = in_place[v]
        elif v.shape:
            heir = next((y for x in v.operands if (y := memory(x)) in dying and _can_write_over(v, x, y)), None)
            place[v] = dying.pop(heir) if heir is not None else found_buffer(v.size * v.dtype.itemsize, sizes, free)
        free.extend(dying.values())
    return place, sizes


def found_buffer(size: int, sizes: list[int], free: list[Buffer]) -> Buffer:
    """A buffer for so many bytes: a free one that is not much larger, else a new one."""
    fitting = sorted((b for b in free if size <= sizes[b.number] <= 4 * size + 256), key=lambda b: sizes[b.number])
    if fitting:
        free.remove(fitting[0])
        return fitting[0]
    sizes.append(size)
    return Buffer(len(sizes) - 1)
