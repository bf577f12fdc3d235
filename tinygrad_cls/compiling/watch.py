"""Watching a run of the caller's function: what it does with Tensors, line by line, and from where.

The run is the caller's own: it happens once, and what it does stays done, unless it does what no program can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np

from ..advice import place, shown
from ..engine.array import NamedArray
from ..engine.backward import pull_back
from ..engine.operation import OPERATIONS
from ..engine.recording import Condition, Watcher, no_grad, watching
from ..engine.tensor import Array, Tensor, apply, constant, describe, next_number
from ..nn.module import Module
from ..optim.optimiser import Optimiser
from ..optim.schedules import Schedule
from .call import Call
from .recording import CompileError, Recording, Row, content
from .structure import mapped

_HELD = OPERATIONS["stop_gradient"]


@dataclass(frozen=True)
class Returned:
    """Stands in a result for a Tensor, by its place among those that are returned."""

    place: int


@dataclass(frozen=True, eq=False)
class Number:
    """What an optimiser's rule multiplies by: read anew in every call of a program.

    Attributes:
        name: its name among the rule's numbers.
        optimiser, group: whose rule.
        parameter: whose step it is, and whether steps count.
        ahead: which step of the parameter in this call, from 1.
        step: which one it was in all, in the watched run; 0 where steps do not count.
    """

    name: str
    optimiser: Optimiser
    group: Mapping[str, Any]
    parameter: Tensor
    ahead: int
    step: int


class Watch(Watcher):
    """One watched run.

    Attributes:
        recording: what happened, without values: equal for runs that do the same.
        inputs: for each recorded Tensor what its operation was applied to, assigned leaves replaced by what they held.
        sources: Tensors that stand for something outside: an argument, a Tensor, a state, a gradient, a number, a draw.
        checks: conditions on values, with the tensors to check.
        returned, shape: the tensors in the result, and the result with their positions in their places.
        writes: what outlives the call, with its new value; None for a gradient that is not kept.
        losses: what was differentiated. pulled: tensors with their gradients.
        steps: how many steps of an optimiser a parameter made. as_many: another parameter that has made as many.
        gradients: the tensors that were asked for their gradient, and whether there was one.
        modules, optimisers: those that acted.
        refused: what no program can hold; None when there was nothing of the kind.

    Args:
        raises: whether what no program can hold raises at once, with everything undone; otherwise the run goes on.
    """

    def __init__(self, raises: bool = True) -> None:
        self.recording: Recording = Recording()
        self.inputs: dict[Tensor, tuple[Any, ...]] = {}
        self.sources: dict[Tensor, tuple[Any, ...]] = {}
        self.checks: list[tuple[Condition, tuple[Tensor, ...]]] = []
        self.returned: list[Tensor] = []
        self.shape: Any = None
        self.writes: list[tuple[tuple[Any, ...], Tensor | None]] = []
        self.losses: list[Tensor] = []
        self.pulled: list[tuple[Tensor, Tensor]] = []
        self.steps: dict[tuple[Optimiser, Tensor], int] = {}
        self.as_many: dict[tuple[Optimiser, Tensor], Tensor] = {}
        self.gradients: dict[Tensor, bool] = {}
        self.modules: dict[int, Module] = {}
        self.optimisers: dict[int, Optimiser] = {}
        self.refused: CompileError | None = None
        self._raises = raises
        self._start = next_number()  # what has a smaller number was made before
        self._rows: dict[Tensor, int] = {}
        self._copies: dict[Tensor, Tensor] = {}
        self._outer: dict[Tensor, Tensor] = {}  # leaves for what was computed before
        self._held: dict[Tensor, Tensor] = {}  # what assigned leaves hold now, as a recorded tensor
        self._slots: dict[tuple[int, Tensor, str], tuple[Any, Tensor]] = {}
        self._leaders: dict[Any, Tensor] = {}
        self._rates: list[tuple[Mapping[str, Any], float]] = []
        self._consumed: set[Tensor] = set()  # whose present gradient an optimiser used
        self._changed: set[Tensor] = set()  # gradients that were given other values in place
        self._zeroed: set[Tensor] = set()  # whose gradient was set to None before it was read
        # As it was before, for `undo`:
        self._arrays: dict[Tensor, Array] = {}
        self._gradients: dict[Tensor, Tensor | None] = {}
        self._states: dict[int, tuple[Optimiser, dict[Tensor, dict[str, Any]]]] = {}
        self._generators: dict[int, tuple[np.random.Generator, Any]] = {}

    def run(self, function: Callable[..., Any], call: Call) -> Any:
        """Run the function on the call's arguments. Gives its result, where Tensors have values alone."""

        def given(i: int) -> Tensor:
            t = constant(call.arrays[i])
            t.name = call.names[i]
            t._mark = None  # the caller's own: not to be changed in place
            self.sources[t] = ("argument", i)
            return t

        try:
            args, kwargs = call.given(given)
            with watching(self):
                result = function(*args, **kwargs)
                self._refuse_changes(call)
                self.shape = mapped(result, self._placed)
                self._end()
        except CompileError:
            self.undo()
            raise
        finally:
            for t in self._gradients:
                if t._grad is not None and t._grad.operation is not None:
                    t._grad = constant(t._grad._array)
        for source, value in self.writes:
            if source[0] == "grad" and value is None:
                source[1]._grad = None
        if self.refused is not None:
            return result

        def own(leaf: Any) -> Any:
            made_here = isinstance(leaf, Tensor) and not self.is_outer(leaf)
            return constant(leaf._array.copy()) if made_here else leaf

        return mapped(result, own)

    def undo(self) -> None:
        """Tensors, optimisers and generators as they were before the run."""
        for t, array in self._arrays.items():
            t._array = array
        for t, gradient in self._gradients.items():
            t._grad = gradient
        for optimiser, states in self._states.values():
            for parameter in [p for p in optimiser._state if p not in states]:
                del optimiser._state[parameter]
            for parameter, state in states.items():  # in the dicts that a program may be bound to
                optimiser._state[parameter].clear()
                optimiser._state[parameter].update(state)
        for generator, state in self._generators.values():
            generator.bit_generator.state = state

    # --- what the recording holds ---------------------------------------------------------------------------------

    def current(self, x: Tensor) -> Tensor:
        """The recorded Tensor whose value `x` has at present: what an assigned leaf holds, a copy's original."""
        x = self._held.get(x, x)
        while x in self._copies:
            copy, x = x, self._copies[x]
            if copy.dtype != x.dtype:
                x = x.astype(copy.dtype)
        if x.operation is not None and x._number < self._start:  # computed outside: a leaf of its values
            if x not in self._outer:
                self._outer[x] = leaf = constant(x._array)
                leaf.name = x.name
                self.sources[leaf] = ("tensor", x)
            x = self._outer[x]
        if x not in self._rows:
            self._rows[x] = self._met(x)
        return x

    def is_outer(self, t: Tensor) -> bool:
        """Whether a Tensor is one that the function found outside, and gives back as it is."""
        return t._number < self._start and self.sources.get(t, ("tensor",))[0] == "tensor"

    def operands(self, t: Tensor) -> list[Tensor]:
        """What a recorded Tensor was computed from, numbers apart."""
        return [x for x in self.inputs.get(t, ()) if isinstance(x, Tensor)]

    def _met(self, leaf: Tensor) -> int:
        """The row of a leaf that is met for the first time."""
        if leaf not in self.sources and leaf._number < self._start:
            self.sources[leaf] = ("tensor", leaf)
        kind, *owner = self.sources.get(leaf, ("constant",))
        details: Any = content(leaf._array) if kind == "constant" else owner[0] if kind == "argument" else None
        if kind == "number":
            number = owner[0]
            details = (number.name, number.ahead, id(number.optimiser), id(number.group), id(number.parameter))
            owner = [number.optimiser, number.group, number.parameter]
        elif details is None:
            details = id(owner[0]) if kind != "state" else (id(owner[0]), id(owner[1]), owner[2])
        row = Row(kind, (), details, leaf.shape, leaf.dtype.str)
        return self.recording.add(row, *owner)

    def _row(self, t: Tensor) -> int:
        return self._rows[self.current(t)]

    def _refuse(self, reason: str) -> None:
        error = CompileError(f"{reason}\n{shown(place())}")
        if self._raises:
            raise error
        self.refused = self.refused or error

    def _refuse_changes(self, call: Call) -> None:
        """What the function did to what it was given."""
        if call.changed():
            self._refuse("the function changes a list or dict that it was given, which a program would not do")
        if self.losses and call.requiring:
            self._refuse(
                f"the argument {call.requiring[0]} requires a gradient, and an argument is only its values: give them "
                "with detach(), or let the function read the Tensor itself from outside"
            )
        if any(group["lr"] != rate for group, rate in self._rates):
            self._refuse("the function changes a learning rate: do that, or step the schedule, outside of it")

    # --- what the engine tells ------------------------------------------------------------------------------------

    def ran(self, t: Tensor) -> None:
        assert t.operation is not None
        if self.refused is not None:
            return
        inputs = tuple(self.current(x) if isinstance(x, Tensor) else x for x in t.inputs)
        masks = [x for x in inputs[1:] if isinstance(x, Tensor) and x.dtype == bool and "index" in t.parameters]
        if masks:
            self._refuse(
                f"an index of booleans gives {describe(t)}, whose shape depends on values: use tg.where, which keeps "
                "the shape"
            )
        if "generator" in t.parameters:
            self.sources[t] = ("draw", t.parameters["generator"], t._number)
        else:
            self.inputs[t] = inputs
        rows = tuple(self._rows[x] if isinstance(x, Tensor) else (type(x).__name__, repr(x)) for x in inputs)
        details = repr(sorted(t.parameters.items())) if t.parameters else None
        self._rows[t] = self.recording.add(Row(t.operation.name, rows, details, t.shape, t.dtype.str))

    def read(self, t: NamedArray, how: str) -> None:
        self._refuse(
            f"{how} reads the value of {describe(t)}, and a compiled function must do the same for every value: return "
            "the tensor and read it outside, or choose between values with tg.where"
        )

    def copied(self, copy: Tensor, original: Tensor) -> None:
        self._copies[copy] = self.current(original)

    def checked(self, condition: Condition, tensors: Sequence[Tensor]) -> None:
        self.checks.append((condition, tuple(map(self.current, tensors))))
        same = repr(condition) if is_dataclass(condition) else condition.__qualname__
        self.recording.add(Row("a check", tuple(map(self._row, tensors)), same))

    def used(self, thing: Any) -> None:
        if isinstance(thing, Module):
            self.modules[id(thing)] = thing
        elif isinstance(thing, Schedule):
            self._refuse("a schedule is stepped inside of a compiled function: step it after each call")
        else:
            self._generators.setdefault(id(thing), (thing, thing.bit_generator.state))

    def assigned(self, t: Tensor, values: Tensor, array: Array) -> None:
        kind, *owner = self.sources.get(t, ("tensor", t))
        whose = owner[0] if kind == "grad" else t  # whose gradient it is, as of p.grad.zero_()
        if kind != "grad" and t._number > self._start:
            whose = next((leaf for leaf in self._gradients if leaf._grad is t), t)
        if whose is not t:
            self._changed.add(t)
        elif t in self._copies or kind == "argument" or t._number > self._start:
            words = "which this call was given or made itself: write t = t + … instead of t += … or assign()"
            self._refuse(f"new values for {describe(t)}, {words}")
        self._arrays.setdefault(t, t._array)
        values = self.current(values)
        if values.dtype != t.dtype:
            values = values.astype(t.dtype)
        self._held[t] = values
        self.recording.add(Row("an assignment", (self._row(values),), id(whose)), whose)

    def gradient_read(self, t: Tensor) -> None:
        if t not in self._gradients:
            self._gradients[t] = t._grad
            if t._number < self._start:
                self.gradients[t] = t._grad is not None
            if t._grad is not None:
                self.sources[t._grad] = ("grad", t)

    def gradient_set(self, t: Tensor, gradient: Tensor | None) -> None:
        if t not in self._gradients:
            self._gradients[t] = t._grad
            if gradient is None:
                self._zeroed.add(t)
        self._consumed.discard(t)

    def differentiated(self, t: Tensor) -> None:
        self.losses.append(t)

    def backward(self, t: Tensor, gradient: Tensor) -> None:
        self.differentiated(t)
        with np.errstate(all="ignore"):
            seed = gradient if gradient.dtype == t.dtype else gradient.astype(t.dtype)
            pulled = list(pull_back(t, seed, record=True))
            self.pulled += pulled
            for outer in (x for x, _ in pulled if x.operation is not None and x._number < self._start):
                self._refuse(f"a gradient for what {describe(outer)} was computed from: compute it inside")
            for leaf, g in pulled:
                if leaf.operation is not None:
                    continue
                self.gradient_read(leaf)
                self._consumed.discard(leaf)
                total = g if leaf._grad is None else leaf._grad + g
                leaf._grad = apply(_HELD, (total,))
                leaf._grad._mark = None  # a gradient, which may be changed in place

    # --- optimisers -----------------------------------------------------------------------------------------------

    def stepped(self, optimiser: Optimiser) -> None:
        self.optimisers[id(optimiser)] = optimiser
        states = {parameter: dict(state) for parameter, state in optimiser._state.items()}
        self._states.setdefault(id(optimiser), (optimiser, states))
        with no_grad():
            for group in optimiser.groups:
                self._rates.append((group, group["lr"]))
                for parameter in group["parameters"]:
                    if parameter.grad is not None:
                        self._update(optimiser, group, parameter)

    def _update(self, optimiser: Optimiser, group: Mapping[str, Any], parameter: Tensor) -> None:
        """One parameter's step: the rule, run on Tensors."""
        self._consumed.add(parameter)
        assert parameter._grad is not None
        state = optimiser.begun(parameter, group)
        numbers = self._numbers(optimiser, group, parameter, state)
        before = {name: self._slot(optimiser, parameter, name) for name in optimiser.keeps(group)}
        rule: Any = optimiser.updated  # written for arrays, and as good for Tensors
        new, kept = rule(self.current(parameter), self.current(parameter._grad), before, group, numbers)
        for name, t in kept.items():
            if t is not before[name]:
                self._slots[id(optimiser), parameter, name] = ((optimiser, parameter, name), self.current(t))
            state[name] = t._array
        array = new._array.astype(parameter.dtype)
        self.assigned(parameter, new, array)
        parameter._array = array

    def _numbers(
        self, optimiser: Optimiser, group: Mapping[str, Any], parameter: Tensor, state: dict[str, Any]
    ) -> dict[str, Tensor]:
        """What changes from step to step, as Tensors without axes."""
        counted = (optimiser, parameter)
        self.steps[counted] = ahead = self.steps.get(counted, 0) + 1
        if optimiser.counts_steps:
            state["steps"] += 1
            if ahead == 1:  # those that have made as many steps go on together
                self.as_many[counted] = self._leaders.setdefault((id(group), state["steps"]), parameter)
        step = state.get("steps", 0)
        numbers = {}
        for name, value in optimiser.numbers(group, step).items():
            numbers[name] = leaf = constant(np.asarray(value, parameter.dtype))
            leaf.name = name
            self.sources[leaf] = ("number", Number(name, optimiser, group, parameter, ahead, step))
        return numbers

    def _slot(self, optimiser: Optimiser, parameter: Tensor, name: str) -> Tensor:
        key = (id(optimiser), parameter, name)
        if key not in self._slots:
            leaf = constant(optimiser._state[parameter][name])
            leaf.name = f"{name} of {parameter.name}" if parameter.name else name
            self.sources[leaf] = ("state", optimiser, parameter, name)
            self._slots[key] = ((optimiser, parameter, name), leaf)
        return self._slots[key][1]

    # --- the end --------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """What the run leaves: results, assigned leaves, states, gradients."""
        self.writes += [(("tensor", t), value) for t, value in self._held.items() if t not in self._changed]
        self.writes += [(("state", *owner), t) for owner, t in self._slots.values() if t not in self.sources]
        for t, before in self._gradients.items():
            if (t._grad is before and before not in self._changed) or t._number > self._start:
                continue
            used_up = t in self._zeroed and t in self._consumed
            self.writes.append((("grad", t), None if used_up or t._grad is None else self.current(t._grad)))
        if self.refused is None:
            self.recording.add(Row("a result", tuple(map(self._row, self.returned)), repr(self.shape)))
            for source, value in self.writes:
                ids = tuple(x if isinstance(x, str) else id(x) for x in source)
                self.recording.add(Row("a new value", () if value is None else (self._row(value),), ids), *source)

    def _placed(self, x: Any) -> Any:
        """A part of the result; for a Tensor its place among those returned."""
        if isinstance(x, Tensor):
            self.returned.append(x)
            return Returned(len(self.returned) - 1)
        if not isinstance(x, bool | int | float | str | type(None)):
            self._refuse(f"a compiled function cannot return {type(x).__name__}: return Tensors or plain values")
        return x
