"""From a function to a program: it is run to be recorded, twice, and what it does that no program can is refused."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..engine.tensor import Tensor, constant, describe
from .call import Call
from .environment import Environment
from .ran import Ran
from .ready import Ready
from .trace import CompileError, Trace
from .translate import Run, Translation, translated


def program_of(function: Callable[..., Any], call: Call) -> Ready:
    """The program of a function for arguments like these. Nothing is left of the runs that it takes.

    Raises:
        CompileError: when the function does what no program can, with the line.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    try:
        return _program_of(function, call, Ran(getattr(code, "co_filename", None)))
    except CompileError as error:
        raise error if "File" in str(error) else CompileError(f"{error}{_place(code)}") from None


def _program_of(function: Callable[..., Any], call: Call, ran: Ran) -> Ready:
    chance = _chances()
    with _recorded(function, call, ran) as first:
        _refuse_unguarded(first, ran, call, chance)
    environment = Environment(function, ran, call.objects)
    begun = first
    try:
        if first.trace.begun:  # the program is for optimisers that have begun to keep their state
            for optimiser, parameter, group in first.trace.begun:
                optimiser.begun(parameter, group)
            with _recorded(function, call, Ran(None)) as first:
                pass
        with _recorded(function, call, Ran(None)) as second:
            _refuse_changes(second, environment)
        translation = translated(first, second, call.names)
        _refuse_unknown(translation, environment)
    except BaseException:
        begun.trace.undo()
        raise
    return Ready(translation, environment, second.shape, call)


@contextmanager
def _recorded(function: Callable[..., Any], call: Call, ran: Ran) -> Iterator[Run]:
    """One run of the function, undone at the end."""
    trace = Trace()
    try:
        with trace:

            def make(i: int) -> Tensor:
                t = constant(call.arrays[i])
                t.name = call.names[i]
                trace.sources[t] = ("argument", i)
                return t

            args, kwargs = call.given(make)
            with ran:
                result = function(*args, **kwargs)
            if call.changed():
                trace.refuse("the function changes a list or dict that it was given, which a program would not do")
            returned: list[Tensor] = []
            shape = _shape_of(result, returned, trace)
        for number in trace.numbers:
            if number.group["lr"] != number.learning_rate:
                number.group["lr"] = number.learning_rate  # type: ignore[index]
                raise CompileError("the function changes a learning rate: do that, or step the schedule, outside of it")
        yield Run(trace, returned, shape, _writes(trace))
    finally:
        trace.undo()


def _shape_of(result: Any, returned: list[Tensor], trace: Trace) -> Any:
    if isinstance(result, Tensor):
        returned.append(result)
        return ("tensor", len(returned) - 1)
    if isinstance(result, tuple | list):
        return (type(result), [_shape_of(x, returned, trace) for x in result])
    if isinstance(result, dict):
        return (dict, [(key, _shape_of(x, returned, trace)) for key, x in result.items()])
    if isinstance(result, bool | int | float | str | type(None)):
        return ("plain", result)
    return trace.refuse(f"a compiled function cannot return {type(result).__name__}: return Tensors or plain values")


def _writes(trace: Trace) -> list[tuple[tuple[Any, ...], Tensor | None]]:
    writes: list[tuple[tuple[Any, ...], Tensor | None]] = []
    writes += [(("tensor", t), value) for t, value in trace.values.items()]
    writes += [(("state", *owner), value) for owner, value in trace.slots.values()]
    for t, before in trace.gradients.items():
        if t in trace.copies or t in trace.sources:
            continue
        if t._grad is before:
            continue
        used_up = t in trace.zeroed and t in trace.consumed
        writes.append((("grad", t), None if used_up else t._grad))
    return writes


def _refuse_unguarded(run: Run, ran: Ran, call: Call, chance: Any) -> None:
    """What can differ from call to call where no guard sees it."""
    if _chances() != chance:
        raise CompileError(
            "the function draws random numbers from Python's random module or np.random, which a program would not do "
            "anew: draw them outside and give them as an argument, or use a layer with a generator such as Dropout"
        )
    if ran.clock is not None:
        raise CompileError(f"the function reads a clock, which changes from call to call: {ran.clock}")
    if run.trace.losses and call.requiring:
        raise CompileError(
            f"the argument {call.requiring[0]} requires a gradient, and an argument is only its values: give them with "
            "detach(), or let the function read the Tensor itself from outside"
        )


def _refuse_changes(run: Run, environment: Environment) -> None:
    """What the function did to what it reads."""
    changed = environment.changed()
    if changed is not None:
        raise CompileError(f"the function itself changes what it reads, from call to call: {changed}")
    drawn = environment.drawn([(s[1], t.shape) for t, s in run.trace.sources.items() if s[0] == "draw"])
    if drawn is not None:
        raise CompileError(
            f"the function draws random numbers from {drawn}, which a program would not do anew: draw them outside "
            "and give them as an argument"
        )


def _refuse_unknown(translation: Translation, environment: Environment) -> None:
    """Tensors that the function came by in a way that was not followed: that they are replaced would go unnoticed."""
    used = [source[1] for source in translation.held if source[0] in ("tensor", "grad")]
    used += [*translation.cleared, *translation.empty, *(x for x in translation.returned if isinstance(x, Tensor))]
    for t in used:
        if t not in environment.tensors:
            raise CompileError(
                f"the function uses {describe(t)}, and how it came by it cannot be followed, so that another in its "
                "place would go unnoticed: keep it in a variable, an attribute, a list or a dict"
            )


def _chances() -> Any:
    """The states of the generators that everybody shares."""
    name, words, *rest = np.random.get_state()
    return random.getstate(), name, np.asarray(words).tobytes(), rest


def _place(root: Any) -> str:
    return "" if root is None else f'\n  File "{root.co_filename}", line {root.co_firstlineno}, in {root.co_name}'
