"""The way into a program, generated: every guard is one comparison, and a call costs a few microseconds.

Any guard that fails gives `MISS`; the thorough comparison in `Ready` then says whether the program still holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..tensor import Array, Tensor, constant
from .guards import Environment
from .translate import Translation

if TYPE_CHECKING:
    from ..optim.optimiser import Optimiser

MISS: Any = object()
"""What is given when the program does not hold for a call."""

COUNTS_REFERENCES = hasattr(sys, "getrefcount")


def quick(
    translation: Translation,
    environment: Environment,
    signature: Sequence[tuple[tuple[int, ...], np.dtype[Any]]],
    held: Sequence[Array],
    step: Callable[..., Any],
    finish: Callable[[Any], Any],
) -> tuple[Callable[..., Any], Callable[[], None]]:
    """A function of the arguments that runs the program, or gives `MISS`; and one that counts the references.

    Args:
        translation: the program.
        environment: what the function reads.
        signature: shape and dtype of each argument.
        held: the arrays that the program is bound to.
        step: the bound program.
        finish: makes the result of what the step gave.
    """
    things: dict[str, Any] = {"refs": getattr(sys, "getrefcount", None), "ndarray": np.ndarray, "Tensor": Tensor}
    things |= {"MISS": MISS, "step": step, "finish": finish, "constant": constant}
    ready: list[str] = []
    guards: list[str] = []

    def thing(value: Any) -> str:
        name = f"x{len(things)}"
        things[name] = value
        return name

    arguments = [f"a{i}" for i in range(len(signature))]
    for a, (shape, dtype) in zip(arguments, signature, strict=True):
        ready.append(f"if type({a}) is Tensor: {a} = {a}._array")
        guards.append(f"type({a}) is not ndarray or {a}.shape != {shape} or {a}.dtype is not {thing(dtype)}")
    guards += [f"{thing(cell)}.cell_contents is not {thing(value)}" for cell, value in environment.cells]
    guards += [f"{thing(d)}.get({key!r}) is not {thing(value)}" for d, key, value in environment.items]
    guards += [f"{thing(now)}[{i}] is not {thing(value)}" for now, i, value in environment.elements]
    guards += [f"{thing(now)} != {thing(copy)}" for now, copy in (*environment.copies, *environment.lists)]
    guards += [f"{thing(t)}._grad is not None" for t in translation.empty]
    counted: list[tuple[str, str]] = []
    for i, (source, written, array) in enumerate(zip(translation.held, translation.written, held, strict=True)):
        name = thing(array)
        guards.append(f"{_now(source, thing)} is not {name}")
        if written and COUNTS_REFERENCES:
            counted.append((name, f"n{i}"))
            guards.append(f"refs({name}) != n{i}")
    guards += [  # parameters share their numbers while they have made as many steps
        f"{_steps(o, p, thing)} != {_steps(o, other, thing)}" for o, p, _, other in translation.steps if p is not other
    ]
    numbers, values = _numbers(translation, thing)
    guards += [
        f"{thing(o)}._state is not {thing(o._state)}"
        for o in {id(n.optimiser): n.optimiser for n in translation.numbers}.values()
    ]
    lines = ["try:", *(f"    {line}" for line in ready), f"    if ({' or '.join(guards) or 'False'}): return MISS"]
    lines += ["except Exception: return MISS  # what cannot be compared is another", *numbers]
    lines.append(f"results = step({', '.join([*arguments, *values])})")
    lines += [f"{_steps(o, p, thing)} += {n}" for o, p, n, _ in translation.steps]
    lines += [f"{thing(t)}._grad = None" for t in translation.cleared]
    first = sum(isinstance(x, int) for x in translation.returned)
    lines += [f"{thing(t)}._grad = constant(results[{first + i}])" for i, t in enumerate(translation.gradients)]
    lines.append("return finish(results)")
    counts = [f"    global {', '.join(n for _, n in counted)}"] if counted else []
    counts += [f"    {n} = refs({name})" for name, n in counted] or ["    pass"]
    text = "\n".join(
        [f"def attempt({', '.join(arguments)}):", *(f"    {line}" for line in lines), "def count():", *counts, ""]
    )
    exec(compile(text, "<guards of tg.compile>", "exec"), things)
    return things["attempt"], things["count"]


def _now(source: tuple[Any, ...], thing: Callable[[Any], str]) -> str:
    """Text for the array that a source holds at present."""
    if source[0] == "tensor":
        return f"{thing(source[1])}._array"
    if source[0] == "grad":
        return f"getattr({thing(source[1])}._grad, '_array', None)"
    return f"{thing(source[1]._state[source[2]])}.get({source[3]!r})"


def _numbers(translation: Translation, thing: Callable[[Any], str]) -> tuple[list[str], list[str]]:
    """Lines that work out the numbers of each optimiser, and their names in the order of the parameters."""
    lines: list[str] = []
    found: dict[Any, str] = {}
    values = []
    for n in translation.numbers:
        key = (id(n.optimiser), id(n.group), id(n.parameter), n.ahead)
        if key not in found:
            found[key] = f"numbers{len(found)}"
            step = "1" if n.parameter is None else f"{_steps(n.optimiser, n.parameter, thing)} + {n.ahead}"
            lines.append(f"{found[key]} = {thing(n.optimiser.numbers)}({thing(n.group)}, {step})")
        values.append(f"{found[key]}[{n.name!r}]")
    return lines, values


def _steps(optimiser: Optimiser, parameter: Tensor, thing: Callable[[Any], str]) -> str:
    """Text for the number of steps that a parameter has made."""
    return f"{thing(optimiser._state[parameter])}['steps']"
