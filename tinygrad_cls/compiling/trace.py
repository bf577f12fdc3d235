"""Recording a whole function: its operations, and what no operation shows.

While a `Trace` is active the engine tells it of assignments, backward passes, optimiser steps, random draws and checks,
and of every attempt to read a value, which a recording cannot hold and which is refused.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..engine.backward import pull_back
from ..engine.operation import OPERATIONS
from ..engine.recording import EVERYTHING, TRACE, Condition, Watcher, recording
from ..engine.tensor import Array, Tensor, _numbers, apply, constant, describe

if TYPE_CHECKING:
    from ..optim.optimiser import Optimiser

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class CompileError(RuntimeError):
    """What a recording cannot hold, with the line that asked for it."""


class Number(float):
    """A number of an optimiser's rule that changes from step to step: read anew in every call of the program.

    Arithmetic with it would freeze its value, so there is none: that belongs into the rule's `numbers`.
    """

    name: str
    optimiser: Optimiser
    group: Mapping[str, Any]
    parameter: Tensor | None  # whose steps count, if they do
    ahead: int  # which step of the parameter in this call, from 1
    learning_rate: float

    def _frozen(self, *_: Any) -> NoReturn:
        raise CompileError("a rule must work out its numbers in `numbers`, not in `updated`: they change in every step")

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other  # two numbers of equal value need not stay equal

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _frozen
    __pow__ = __rpow__ = __neg__ = __bool__ = __lt__ = __gt__ = _frozen


class Trace(Watcher):
    """One recorded run of a function. A context manager: `undo` gives back what the run changed.

    Attributes:
        sources: leaves that stand for something outside: an argument, an optimiser's state, a gradient, a draw.
        copies: tensors that the function copied, by the copy.
        checks: conditions on values, with the tensors to check.
        consumed: tensors whose present gradient an optimiser used.
        numbers: what changes from step to step.
        zeroed: tensors whose gradient was set to None before it was read.
        steps: how many steps of an optimiser a parameter makes.
        begun: parameters that an optimiser began to keep state for.
    """

    def __init__(self) -> None:
        self.sources: dict[Tensor, tuple[Any, ...]] = {}
        self.copies: dict[Tensor, Tensor] = {}
        self.checks: list[tuple[Condition, tuple[Tensor, ...]]] = []
        self.values: dict[Tensor, Tensor] = {}  # what assigned leaves hold now, as a recorded tensor
        self.slots: dict[tuple[int, Tensor, str], tuple[Any, Tensor]] = {}
        self.numbers: list[Number] = []
        self.losses: list[Tensor] = []
        self.pulled: list[tuple[Tensor, Tensor]] = []  # tensors with their gradients
        self.steps: dict[tuple[Optimiser, Tensor], int] = {}  # made in this call
        self.as_many: dict[tuple[Optimiser, Tensor], Tensor] = {}  # another parameter that has made as many
        self.begun: list[tuple[Optimiser, Tensor, Mapping[str, Any]]] = []
        self.consumed: set[Tensor] = set()
        self.zeroed: set[Tensor] = set()
        self.empty: set[Tensor] = set()  # had no gradient, and were asked for it
        self._start = next(_numbers)  # what has a smaller number was computed outside
        self._outer: dict[Tensor, Tensor] = {}
        self._known: dict[Any, dict[str, Number]] = {}
        self._arrays: dict[Tensor, Array] = {}
        self._versions: dict[int, tuple[Array, Tensor]] = {}  # what each assigned array was computed by
        self.gradients: dict[Tensor, Tensor | None] = {}  # as they were before
        self._states: dict[int, tuple[Optimiser, dict[Tensor, dict[str, Any]]]] = {}
        self._generators: dict[int, tuple[np.random.Generator, Any]] = {}

    def __enter__(self) -> Trace:
        self._token = TRACE.set(self)
        self._recording = recording(EVERYTHING)
        self._recording.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._recording.__exit__(*error)
        TRACE.reset(self._token)

    def undo(self) -> None:
        """Everything that the run changed as it was before."""
        for t, array in self._arrays.items():
            t._array = array
        for t, gradient in self.gradients.items():
            t._grad = gradient
        for optimiser, states in self._states.values():
            optimiser._state = {parameter: dict(state) for parameter, state in states.items()}
        for generator, state in self._generators.values():
            generator.bit_generator.state = state

    def inputs_of(self, t: Tensor) -> tuple[Any, ...]:
        """What the operation of `t` was applied to, leaves that were assigned or copied replaced by what they held."""
        return tuple(
            self._held(x, array) if isinstance(x, Tensor) else x for x, array in zip(t.inputs, t._operands, strict=True)
        )

    def _held(self, x: Tensor, array: Array) -> Tensor:
        if x in self._arrays and array is not self._arrays[x]:
            x = self._versions[id(array)][1]
        return self.original(x)

    def original(self, x: Tensor) -> Tensor:
        """What a copy was copied from, in its dtype; for what was computed outside a leaf of its values."""
        while x in self.copies:
            copy, x = x, self.copies[x]
            if copy.dtype != x.dtype:
                with recording(EVERYTHING):
                    x = x.astype(copy.dtype)
        if self._is_outer(x) and x not in self._outer:
            self._outer[x] = leaf = constant(x._array)
            leaf.name = x.name
            self.sources[leaf] = ("tensor", x)
        return self._outer.get(x, x)

    def _is_outer(self, x: Tensor) -> bool:
        return x.operation is not None and x._number < self._start

    # --- what the engine tells ------------------------------------------------------------------------------------

    def read(self, t: Tensor, how: str) -> None:
        """A value is asked for."""
        self.refuse(
            f"{how} reads the value of {describe(t)}, and a compiled function must do the same for every value: return "
            "the tensor and read it outside, or choose between values with tg.where"
        )

    def refuse(self, reason: str) -> NoReturn:
        """Raise CompileError with the reason and the line of the user's function."""
        raise CompileError(f"{reason}\n{where()}")

    def copied(self, copy: Tensor, original: Tensor) -> None:
        """`Tensor(t)`: the values come from `t`."""
        self.copies[copy] = self.current(original)

    def checked(self, condition: Condition, tensors: Sequence[Tensor]) -> None:
        """Values were checked."""
        self.checks.append((condition, tuple(map(self.current, tensors))))

    def drawn(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
        """Uniform random numbers from 0 to 1."""
        self._generators.setdefault(id(generator), (generator, generator.bit_generator.state))
        result = constant(np.asarray(generator.random(shape)))
        result.name = "random"
        self.sources[result] = ("draw", generator, len(self.sources))
        return result

    def gradient_read(self, t: Tensor) -> None:
        """What `t.grad` was before is an input, and that there was none is relied on."""
        if t not in self.gradients:
            self.gradients[t] = t._grad
            if t._grad is not None:
                self.sources[t._grad] = ("grad", t)
            else:
                self.empty.add(t)

    def gradient_set(self, t: Tensor, gradient: Tensor | None) -> None:
        """The gradient before does not matter, if it was not read."""
        if t not in self.gradients:
            self.gradients[t] = t._grad
            if gradient is None:
                self.zeroed.add(t)
        self.consumed.discard(t)

    def current(self, t: Tensor) -> Tensor:
        """The recorded value of a tensor: that of an assigned leaf is what it was assigned."""
        return self.values.get(t, t)

    def assigned(self, t: Tensor, values: Tensor, array: Array) -> None:
        """A leaf gets new values."""
        if t in self.copies or t in self.sources:
            self.refuse(f"assign() to {describe(t)}, which this call was given or made itself")
        self._arrays.setdefault(t, t._array)
        values = self.current(values)
        if values.dtype != t.dtype:
            with recording(EVERYTHING):
                values = self.original(values).astype(t.dtype)
        self.values[t] = values
        self._versions[id(array)] = (array, values)

    def differentiated(self, t: Tensor) -> None:
        """What leads to `t` is the forward pass."""
        self.losses.append(t)

    def backward(self, t: Tensor, gradient: Tensor) -> None:
        """`t.backward(gradient)`: gradients as graphs."""
        self.differentiated(t)
        with recording(EVERYTHING), np.errstate(all="ignore"):
            seed = gradient if gradient.dtype == t.dtype else gradient.astype(t.dtype)
            pulled = list(pull_back(t, seed, record=True))
            self.pulled += pulled
            for outer in filter(self._is_outer, (x for x, _ in pulled)):
                self.refuse(f"a gradient for what {describe(outer)} was computed from: compute it inside")
            for leaf, g in pulled:
                if leaf.operation is not None:
                    continue
                self.gradient_read(leaf)
                self.consumed.discard(leaf)
                total = g if leaf._grad is None else leaf._grad + g
                leaf._grad = apply(OPERATIONS["stop_gradient"], (total,))

    def optimised(self, optimiser: Optimiser) -> None:
        """`optimiser.step()`: its rule, on recording arrays."""
        states = {parameter: dict(state) for parameter, state in optimiser._state.items()}
        self._states.setdefault(id(optimiser), (optimiser, states))
        with recording(EVERYTHING):
            for group in optimiser.groups:
                for parameter in group["parameters"]:
                    if parameter.grad is not None:
                        self._update(optimiser, group, parameter)

    def _update(self, optimiser: Optimiser, group: Mapping[str, Any], parameter: Tensor) -> None:
        self.consumed.add(parameter)
        kept = set(optimiser._state.get(parameter, ()))
        state = optimiser.begun(parameter, group)
        if kept != state.keys():
            self.begun.append((optimiser, parameter, group))
        numbers = self._numbers(optimiser, group, parameter, state)
        before = {name: self._slot(optimiser, parameter, name) for name in optimiser.keeps(group)}
        gradient, dtype, begun = parameter._grad, parameter.dtype, next(_numbers)
        assert gradient is not None
        leaves = {name: constant(np.array(float.__float__(n), dtype)) for name, n in numbers.items()}
        rule: Any = optimiser.updated  # written for arrays, and run on what stands for them
        new, changed = rule(self.current(parameter), self.current(gradient), {**state, **before}, group, leaves)
        self._with_numbers([new, *changed.values()], {leaves[name]: n for name, n in numbers.items()}, begun)
        for name, t in changed.items():
            self.slots[id(optimiser), parameter, name] = ((optimiser, parameter, name), t)
            state[name] = t._array
        array = new._array.copy()
        self.assigned(parameter, new, array)
        parameter._array = array

    def _with_numbers(self, results: list[Tensor], numbers: dict[Tensor, Number], begun: int) -> None:
        """Put the numbers in the place of the leaves that stood for them."""
        waiting = list(results)
        while waiting:
            t = waiting.pop()
            if t.operation is not None and t._number > begun:
                t.inputs = tuple(numbers.get(x, x) if isinstance(x, Tensor) else x for x in t.inputs)
                waiting.extend(operands(t))

    def _numbers(
        self, optimiser: Optimiser, group: Mapping[str, Any], parameter: Tensor, state: dict[str, Any]
    ) -> dict[str, Number]:
        """What changes from step to step, the same for all parameters of a group that have made as many steps."""
        counted = (optimiser, parameter)
        self.steps[counted] = ahead = self.steps.get(counted, 0) + 1
        if optimiser.counts_steps:
            state["steps"] += 1
        step = state.get("steps", 0)
        key = (id(optimiser), id(group), step, ahead)
        if key not in self._known:
            numbers = self._known[key] = {}
            for name, value in optimiser.numbers(group, step).items():
                number = numbers[name] = Number(value)
                number.name, number.optimiser, number.group = name, optimiser, group
                number.parameter, number.ahead = (parameter if optimiser.counts_steps else None), ahead
                number.learning_rate = group["lr"]
                self.numbers.append(number)
        if optimiser.counts_steps:
            same = next((n.parameter for n in self._known[key].values() if n.parameter is not None), parameter)
            self.as_many.setdefault(counted, same)  # those that go on together have begun the call together
        return self._known[key]

    def _slot(self, optimiser: Optimiser, parameter: Tensor, name: str) -> Tensor:
        key = (id(optimiser), parameter, name)
        if key in self.slots:
            return self.slots[key][1]
        leaf = constant(optimiser._state[parameter][name])
        leaf.name = f"{name} of {parameter.name}" if parameter.name else name
        self.sources[leaf] = ("state", optimiser, parameter, name)
        return leaf


def operands(t: Tensor) -> list[Tensor]:
    """The inputs that are no numbers."""
    return [x for x in t.inputs if isinstance(x, Tensor)]


def where() -> str:
    """The innermost line of the running program that is not of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and os.path.abspath(frame.f_code.co_filename).startswith(_PACKAGE + os.sep):
        frame = frame.f_back
    code = frame.f_code
    line = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f'  File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}' + (f"\n    {line}" if line else "")
