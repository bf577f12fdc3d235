"""The way into a program, generated: a comparison for each thing that is compared, so that a call costs microseconds.

Anything that differs gives `MISS`; the thorough comparison of the guards then says whether the program still holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ..engine.tensor import Array, Tensor, constant
from .guards import Guards
from .translate import Translation
from .work import code

if TYPE_CHECKING:
    from ..optim.optimiser import Optimiser

MISS: Any = object()
"""What is given when the program does not hold for a call."""

COUNTS_REFERENCES = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether a count of references says that nobody else holds an array: with one thread at a time, in CPython."""


def no_entry(*args: Any) -> Any:
    """The way into no program."""
    return MISS


def entry(
    translation: Translation,
    guards: Guards,
    signature: Sequence[Any],
    held: Sequence[Array],
    step: Callable[..., Any],
    finish: Callable[[Any], Any] | None,
    calls: int,
    away: Away | None = None,
) -> Entry:
    """The way into a bound program.

    Args:
        translation: the program.
        guards: what the function reads.
        signature: for each argument an array like it, or the object that it must be.
        held: the arrays that the program is bound to.
        step: the bound program; with `away` it is given Tensors as they are, else their arrays.
        finish: makes the result of what the step gave; None when that is one Tensor.
        calls: how many calls to answer, before an audit is due.
        away: where parameters and states are, when that is a device; they are compared as long as they are there.
    """
    scope: dict[str, Any] = {"refs": getattr(sys, "getrefcount", None), "ndarray": np.ndarray, "Tensor": Tensor}
    scope |= {
        "MISS": MISS,
        "step": step,
        "finish": finish,
        "constant": constant if away is None else away.result,
        "fresh": True,
        "calls": calls,
    }

    def refer(value: Any) -> str:
        name = f"x{len(scope)}"
        scope[name] = value
        return name

    arguments = [f"a{i}" for i in range(len(signature))]
    ready, conditions = _arguments(signature, refer)
    arrays = [f"a{i}" for i, x in enumerate(signature) if isinstance(x, ArrayType)]
    if away is not None:  # a device may have a Tensor's array, which nobody writes to, since the last call
        ready[:0] = [f"given_{a} = {a}" for a in arrays]
        arrays = [f"given_{a}" for a in arrays]
    conditions += guards.conditions(refer)
    conditions += [f"{refer(t)}._grad is not None" for t in translation.empty]
    conditions += _states(translation, refer) if away is None else away.conditions(refer)
    counted: list[tuple[str, str]] = []
    for i, (source, written, array) in enumerate(zip(translation.held, translation.written, held, strict=True)):
        if away is not None and written:
            continue
        name = refer(array)
        conditions.append(f"{_now(source, refer)} is not {name}")
        if written and COUNTS_REFERENCES:
            counted.append((name, f"n{i}"))
            conditions.append(f"refs({name}) != n{i}")
    lines = ["global calls", "if calls == 0: return MISS", "try:", *(f"    {line}" for line in ready)]
    lines.append(f"    if ({' or '.join(conditions) or 'False'}): return MISS")
    lines.append("except Exception: return MISS  # what cannot be compared is another")
    if (
        any(translation.written) and away is None and not COUNTS_REFERENCES
    ):  # somebody may hold the arrays since: only once
        lines += ["global fresh", "if not fresh: return MISS", "fresh = False"]
    lines.append("calls -= 1")
    lines += _run(translation, arrays, refer)
    if away is not None:
        lines.append(f"{refer(away.leave)}()")
    lines += [f"{refer(t)}._grad = None" for t in translation.cleared]
    first = sum(isinstance(x, int) for x in translation.returned)
    lines += [f"{refer(t)}._grad = constant(results[{first + i}])" for i, t in enumerate(translation.gradients)]
    lines.append("return constant(results[0])" if finish is None else "return finish(results)")
    given = ", ".join([*(f"{a}=MISS" for a in arguments), "*more"])
    text = [f"def enter({given}):", *(f"    {line}" for line in lines), "def alone():", "    found = set()"]
    text += [f"    if refs({name}) == {n}: found.add(id({name}))" for name, n in counted]
    text += ["    return found", "def recount(arrays):", *(f"    global {n}" for _, n in counted), "    pass"]
    text += [f"    {n} = refs({name}) if id({name}) in arrays else -1" for name, n in counted]
    exec(code("\n".join([*text, ""])), scope)
    return Entry(scope["enter"], scope["alone"], scope["recount"], scope.clear)


class Entry(NamedTuple):
    """The way into a bound program.

    Attributes:
        enter: a function of the arguments that runs the program, or gives `MISS`.
        alone: the ids of the arrays that the program writes and that nobody holds who did not when it counted.
        recount: counts the references to arrays, given by their ids, among those that the program writes; leaves the
            others to who holds them.
        close: lets go of all arrays at once, though the functions and what they read hold each other.
    """

    enter: Callable[..., Any] = no_entry
    alone: Callable[[], set[int]] = set
    recount: Callable[[set[int]], None] = lambda arrays: None
    close: Callable[[], None] = lambda: None


class Away(Protocol):
    """Parameters and states that live on a device between calls."""

    def conditions(self, refer: Callable[[Any], str]) -> list[str]:
        """What holds when one of them was read or replaced since."""

    def leave(self) -> None:
        """After a step, which has changed them: they are on the device alone."""

    def result(self, array: Any) -> Tensor:
        """A result of the step as a Tensor."""


class ArrayType:
    """The shape and dtype of an argument that is an array."""

    def __init__(self, array: Array) -> None:
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype


def _arguments(signature: Sequence[Any], refer: Callable[[Any], str]) -> tuple[list[str], list[str]]:
    """Lines that take the arrays of Tensors, and the guards of the arguments."""
    ready, guards = [], ["more"]
    for i, x in enumerate(signature):
        a = f"a{i}"
        if not isinstance(x, ArrayType):
            guards.append(f"{a} is not {refer(x)}")
            continue
        dtype = refer(x.dtype)
        ready += [f"if type({a}) is Tensor:", f"    if {a}._requires_grad: return MISS", f"    {a} = {a}._array"]
        guards.append(f"type({a}) is not ndarray or {a}.shape != {x.shape}")
        guards.append(f"({a}.dtype is not {dtype} and {a}.dtype != {dtype})")
    return ready, guards


def _now(source: tuple[Any, ...], refer: Callable[[Any], str]) -> str:
    """Text for the array that a source holds at present."""
    if source[0] == "tensor":
        return f"{refer(source[1])}._array"
    if source[0] == "grad":
        return f"{refer(source[1])}._grad._array"
    return f"{refer(source[1]._state[source[2]])}[{source[3]!r}]"


def _states(translation: Translation, refer: Callable[[Any], str]) -> list[str]:
    """Guards of the states that optimisers keep for their parameters."""
    owners = [(o, p) for o, p, _, _ in translation.steps]
    owners += [(source[1], source[2]) for source in translation.held if source[0] == "state"]
    optimisers = {id(o): o for o in (*(n.optimiser for n in translation.numbers), *(o for o, _ in owners))}
    guards = [f"{refer(o)}._state is not {refer(o._state)}" for o in optimisers.values()]
    guards += [f"{refer(o._state)}[{refer(p)}] is not {refer(o._state[p])}" for o, p in dict.fromkeys(owners)]
    return guards + [  # parameters share their numbers while they have made as many steps
        f"{_steps(o, p, refer)} != {_steps(o, other, refer)}" for o, p, _, other in translation.steps if p is not other
    ]


def _run(translation: Translation, arguments: list[str], refer: Callable[[Any], str]) -> list[str]:
    """Lines that work out the numbers of the optimisers' rules, run the program, and count the steps."""
    lines: list[str] = []
    found: dict[Any, str] = {}
    values = []
    for n in translation.numbers:
        key = (id(n.optimiser), id(n.group), id(n.parameter), n.ahead)
        if key not in found:
            found[key] = f"numbers{len(found)}"
            step = f"{_steps(n.optimiser, n.parameter, refer)} + {n.ahead}" if n.optimiser.counts_steps else "0"
            lines.append(f"{found[key]} = {refer(n.optimiser.numbers)}({refer(n.group)}, {step})")
        values.append(f"{found[key]}[{n.name!r}]")
    lines.append(f"results = step({', '.join([*arguments, *values])})")
    return lines + [f"{_steps(o, p, refer)} += {count}" for o, p, count, _ in translation.steps]


def _steps(optimiser: Optimiser, parameter: Tensor, refer: Callable[[Any], str]) -> str:
    """Text for the number of steps that a parameter has made."""
    return f"{refer(optimiser._state[parameter])}['steps']"
