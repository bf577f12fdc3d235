"""The program as one pure function of `jax.numpy`: XLA compiles it, for accelerators and for several devices.

Parameters and state live on the device from call to call; they come to NumPy when somebody reads them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from ..compiling import steps
from ..compiling.plan import Plan
from ..compiling.program import ELEMENTWISE, Form, Value
from ..compiling.work import Program, Work, code
from ..engine.backward import inputs_first
from ..engine.operation import Kind
from ..engine.operations import OPERATIONS
from ..engine.operations.axes import filled
from ..engine.operations.protocols import may_be_away
from ..engine.tensor import Array, Tensor, constant
from . import numpy
from .faster import FORMS as FASTER
from .fusion import computed_in, is_reduction

_enable_x64: Any = (jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")).enable_x64
Rule = Sequence[str | None]
"""For each axis of a parameter the axis of the mesh that it is split over, or None."""


class Jax:
    """The engine.

    Args:
        mesh: the devices to split the work over; None for one device.
        shard: by the name of a parameter which of its axes are split, and over which axis of the mesh; others are
            on every device.
    """

    FORMS: Mapping[str, Form] = {name: form for name, form in FASTER.items() if name != steps.SUM}

    def __init__(self, mesh: Any = None, shard: Mapping[str, Rule] | None = None) -> None:
        if shard and mesh is None:
            raise ValueError("shard says how parameters are split over a mesh: give mesh=jax.make_mesh(…) too")
        if mesh is not None:  # whose axes XLA may handle as it sees fit
            automatic = (jax.sharding.AxisType.Auto,) * len(mesh.axis_names)
            mesh = jax.sharding.Mesh(mesh.devices, mesh.axis_names, axis_types=automatic)
        self.mesh: Any = mesh
        self.shard: dict[str, Rule] = dict(shard or {})
        for name, rule in self.shard.items():
            unknown = {axis for axis in rule if axis is not None} - set(mesh.axis_names)
            if unknown:
                raise ValueError(
                    f"shard of {name!r} names {', '.join(map(repr, sorted(unknown)))}, but the axes of the mesh are "
                    f"{', '.join(map(repr, mesh.axis_names))}"
                )

    def written(self, work: Work) -> Program:
        """The program as a pure function."""
        return _Emitter(work).program()

    def bound(self, program: Program, held: Sequence[Array]) -> Device:
        """The step over these arrays, which are copied to the device."""
        return Device(self, program, held)

    def away(self, step: Device, held: Sequence[tuple[Any, ...]]) -> Away:
        """Where parameters and states are between calls."""
        return Away(step, held)


class Away:
    """Parameters and states on the device.

    After a step a Tensor has no array, and an optimiser no state: who asks for one gets it from the device, and from
    then on the program, too, begins with what is there.

    Args:
        device: holds the values.
        held: what each of them is of.
    """

    def __init__(self, device: Device, held: Sequence[tuple[Any, ...]]) -> None:
        may_be_away()
        self._device = device
        self._at_home = [False]  # whether something was brought back
        changed = [(i, held[at]) for i, at in enumerate(device.changed)]
        self._tensors = [(source[1], self._bringing(i)) for i, source in changed if source[0] == "tensor"]
        states = [(i, *source[1:]) for i, source in changed if source[0] == "state"]
        self._states: dict[int, tuple[Any, dict[Any, Any], list[Any]]] = {}
        for i, optimiser, parameter, name in states:
            kept = self._states.setdefault(id(optimiser), (optimiser, optimiser._state, []))
            kept[2].append((i, kept[1][parameter], name))

    def conditions(self, refer: Callable[[Any], str]) -> list[str]:
        """What holds when one of them was read or replaced since."""
        owners = [f"'_state' in {refer(o.__dict__)} and {refer(self)}.left" for o, _, _ in self._states.values()]
        return [f"{refer(self._at_home)}[0]", *owners]

    left: bool = False

    def leave(self) -> None:
        """After a step: the values are on the device alone."""
        if self.left:
            return
        self.left = True
        for tensor, bring in self._tensors:
            tensor._away = bring
            del tensor._array
        for optimiser, state, kept in self._states.values():
            optimiser.__dict__["_away"] = self._bringing_states(state, kept)
            del optimiser.__dict__["_state"]

    def _bringing(self, number: int) -> Callable[[], Array]:
        def bring() -> Array:
            self._at_home[0] = True
            return np.array(self._device.values[number])

        return bring

    def _bringing_states(self, state: Any, kept: list[Any]) -> Callable[[], Any]:
        def bring() -> Any:
            self._at_home[0] = True
            for number, own, name in kept:
                own[name] = np.array(self._device.values[number])
            return state

        return bring

    def result(self, array: Any) -> Tensor:
        """A result as a Tensor, which waits for the device when it is read."""
        tensor = constant(_NOTHING)
        tensor._away = lambda: np.asarray(array.block_until_ready())  # type: ignore[attr-defined]  # NumPy waits longer
        del tensor._array
        return tensor


_NOTHING = np.empty(0)


def _in_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function where numbers of 64 bits stay what they are."""

    def wide(*args: Any) -> Any:
        with _enable_x64(True):
            return function(*args)

    return wide


class Device:
    """A program with its arrays on the device. Called like a step: takes the arguments and the numbers, gives results.

    Attributes:
        changed: the numbers of those held arrays that each step changes.
        values: what those are now, on the device: donated to the next step.
    """

    def __init__(self, engine: Jax, program: Program, held: Sequence[Array]) -> None:
        self._mesh = engine.mesh
        about = program.helpers["about"]
        if unknown := engine.shard.keys() - set(about["names"]):
            known = ", ".join(repr(name) for name in about["names"] if name)
            raise ValueError(f"shard names {', '.join(map(repr, sorted(unknown)))}, but the program holds {known}")
        self.changed: list[int] = about["changed"]
        self._generators = about["generators"]
        self._checks_before, self._checks_after = about["before"], about["after"]
        self._wide = about["wide"]
        self._put = _in_double(jax.device_put) if about["wide"] else jax.device_put
        places = [self._place(*engine.shard.get(name, ())) for name in about["names"]]
        on_device = [self._put(x, place) for x, place in zip(held, places, strict=True)]
        self.values: list[Any] = [on_device[i] for i in self.changed]
        self._kept = [x for i, x in enumerate(on_device) if i not in self.changed]
        if "jitted" not in about:  # once for all arrays that the program is bound to
            constants = tuple(map(self._put, program.constants))
            namespace = {**program.helpers, **_FUNCTIONS, "jax": jax, "jnp": jnp, "constants": constants}
            exec(code(program.source), namespace)
            # What a check may refuse is still needed, and not donated.
            options: dict[str, Any] = {} if self._checks_after else {"donate_argnums": 0}
            if self._mesh is not None:  # results on every device, new values where the old ones are
                options["out_shardings"] = (self._place(), [places[i] for i in self.changed], self._place())
            jitted = jax.jit(namespace["step"], **options)
            about["jitted"] = _in_double(jitted) if about["wide"] else jitted
        self._step = about["jitted"]
        self._places = self._splitting(about["given"])
        self._last: list[tuple[Any, Any]] = [(None, None)] * len(self._places)  # what was given, and is on the device

    def __call__(self, *given: Any) -> list[Any]:
        ready, new = [], []
        for i, x in enumerate(given):
            array = x._array if type(x) is Tensor else x
            before, there = self._last[i]
            if array is not before or there is None:
                new.append(i)
                there = array
            ready.append(there)
        if new:
            self._take(given, ready, new)
        seeds = [generator.integers(2**32, dtype=np.uint32) for generator in self._generators]
        results, values, checked = self._step(self.values, self._kept, seeds, *ready)
        for (check, _), arrays in zip(self._checks_after, checked, strict=True):
            check(*map(np.asarray, arrays))
        self.values = values
        return results  # type: ignore[no-any-return]

    def _take(self, given: Sequence[Any], ready: list[Any], new: list[int]) -> None:
        """Check what is new. What comes again and cannot change, a Tensor's array or a number, stays on the device."""
        for check, at in self._checks_before:
            if any(i in new for i in at):
                check(*(ready[i] if i in new else self._last[i][0] for i in at))
        for i in new:
            x, may_change = ready[i], type(given[i]) is np.ndarray
            again = x is self._last[i][0] and not may_change
            if again if self._mesh is None else isinstance(x, np.ndarray):  # numbers find their way to all devices
                ready[i] = self._put(x, self._places[i])
            if not may_change:
                self._last[i] = x, None if ready[i] is x else ready[i]

    def _place(self, *rule: str | None) -> Any:
        return None if self._mesh is None else NamedSharding(self._mesh, PartitionSpec(*rule))

    def _splitting(self, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
        """Where arguments go: those as long as the first one split along their first axis, others whole."""
        if self._mesh is None:
            return [None] * len(shapes)
        axis = self._mesh.axis_names[0]
        long = next((shape[0] for shape in shapes if shape), 0)
        even = long % self._mesh.shape[axis] == 0
        split = [bool(shape) and shape[0] == long and even for shape in shapes]
        return [self._place(axis) if yes else self._place() for yes in split]


# --- operations that jax.numpy has by no name of theirs, or means otherwise -------------------------------------------


def uniform(seed: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Numbers from 0 to below 1, by JAX's generator."""
    return jax.random.uniform(jax.random.key(seed), shape, dtype)


def select(weights: Any, x: Any) -> Any:
    """`weights * x`, where a weight of 0 wins."""
    return weights * jnp.where(weights == 0, 0, x)


def below(x: Any, m: Any) -> Any:
    """`x - m`, 0 where both are the same."""
    return jnp.where(x == m, 0, x - m)


def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where the condition holds, as truth."""
    return jnp.where(jnp.asarray(condition) != 0, x, y)


def getitem(x: Any, *arrays: Any, index: tuple[Any, ...]) -> Any:
    """`x[index]`."""
    return x[filled(index, arrays)]


def scatter(x: Any, *arrays: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Zeros with `x` added at the index."""
    return jnp.zeros(shape, x.dtype).at[filled(index, arrays)].add(x)


def spread_mean(x: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """An equal share of `x` for each element."""
    return jnp.broadcast_to(x * (x.size / max(1, int(np.prod(shape)))), shape)


_FUNCTIONS: dict[str, Any] = {
    **{f.__name__: f for f in (uniform, select, below, where, getitem, scatter, spread_mean)},
    **{f.__name__: f for f in (jax.scipy.special.erf, jax.lax.stop_gradient)},
    "barrier": jax.lax.optimization_barrier,
}


# --- the text ---------------------------------------------------------------------------------------------------------


class _Emitter(numpy.Emitter):
    """Writes one program."""

    _reserved = frozenset({"jax", "jnp", "changed", "kept", "seeds", *_FUNCTIONS})

    def __init__(self, work: Work) -> None:
        order = inputs_first(work.ends.all, lambda v: v.operands)
        computed = [v for v in order if v.operation not in ("input", "constant") and not v.is_number]
        super().__init__(Plan(computed, {}, [], []), work)
        self.work = work
        labels = {v for v, _ in work.labels}
        given = [v for v in order if v.operation == "input" and v not in labels]
        moved = {n for n, o in OPERATIONS.items() if o.kind is Kind.MOVEMENT}
        made = [v for v in computed if v.dtype.kind == "f" or v.operation not in moved]
        self.wide = any(v.dtype.itemsize == 8 for v in (*given, *made, *work.ends.shown))

    def program(self) -> Program:
        """The text and what goes with it."""
        ends, at = self.work.ends, {v: i for i, (_, v) in enumerate(self.work.arguments)}
        updated = {v: target for target, v in ends.changes}
        for i, (v, _) in enumerate(self.draws):
            self.always.append(f"{self.names[v]} = uniform(seeds[{i}], {v.shape}, {self._dtype(v.dtype)})")
        for v in self.plan.steps:
            text = f"{self.names[v]} = {self._spelled(v)}"
            target = f"{updated[v].name or self.names[updated[v]]} ←" if v in updated else f"{self.shown[v]} ="
            said = "".join(c if c.isprintable() else " " for c in f"{target} {self._formula(v)}")
            self.always.append(f"{text}  # {said}")
        before = [(condition, [at[v] for v in values]) for condition, values in ends.checks if at.keys() >= set(values)]
        after = [(condition, values) for condition, values in ends.checks if not at.keys() >= set(values)]
        targets = [self.held.index(target) for target, _ in ends.changes]
        results = _tuple(self._use(v) for v in self.returned)
        new = ", ".join(self._use(v) for _, v in ends.changes)
        checked = ", ".join(f"[{', '.join(map(self._use, values))}]" for _, values in after)
        changed = _tuple(self.names[self.held[i]] for i in targets)
        kept = _tuple(self.names[v] for i, v in enumerate(self.held) if i not in targets)
        constants = [f"{_tuple(self.names[v] for v in self.constants)} = constants"] if self.constants else []
        lines = [f"{changed} = changed"] * bool(targets) + [f"{kept} = kept"] * (len(targets) < len(self.held))
        width = min(max((len(line.split("  # ")[0]) for line in self.always), default=0), 60)
        lines += [*constants, *(numpy.aligned(line, width) for line in self.always)]
        lines.append(f"return {results}, [{new}], [{checked}]")
        source = "# made by tg.compile, for jax: jitted, `changed` donated\n"
        source += f"def step({', '.join(['changed', 'kept', 'seeds', *self.parameters])}):\n"
        source += "\n".join(f"    {line}" for line in lines) + "\n"
        self.helpers["about"] = {
            "changed": targets,
            "names": [_parameter(v) for v in self.held],
            "generators": [generator for _, generator in self.draws],
            "before": before,
            "after": after,
            "wide": self.wide,
            "given": [v.shape for v in (*(v for _, v in self.work.arguments), *self.work.numbers)],
        }
        return Program(source, [v.source for v in self.constants], self.helpers)

    def _use(self, x: Any, dtype: np.dtype[Any] | None = None) -> str:
        if isinstance(x, Value) and not x.is_number and x.operation == "constant" and x not in self.names:
            self.constants.append(x)
            return self._name(x, numpy.constant_name(x))
        if isinstance(x, Value) and not x.is_number:
            return self.names[x]
        text = self._arithmetic(x) if isinstance(x, Value) else repr(x)
        return text.replace("inf", "jnp.inf").replace("nan", "jnp.nan") if text in ("inf", "-inf", "nan") else text

    def _spelled(self, v: Value) -> str:
        """A step as a call of `jax.numpy`, or of a function of ours that has the operation's name."""
        operands = [self._use(x) for x in v.inputs]
        if v.operation in (steps.ASTYPE, steps.COPY):
            return f"jnp.astype({operands[0]}, {self._dtype(v.dtype)})"
        operation = OPERATIONS[v.operation]
        options = dict(v.parameters)
        if v.operation in ELEMENTWISE:
            dtypes = computed_in(v)
            kinds = [x.dtype if isinstance(x, Value) and not x.is_number else None for x in v.inputs]
            operands = [
                text if kind in (None, dtype) and (kind is not None or dtype.kind == "f") else self._as(text, dtype)
                for text, kind, dtype in zip(operands, kinds, dtypes, strict=False)
            ]
            operands = [self._guarded(text, x, v) for text, x in zip(operands, v.inputs, strict=True)]
            plain = dtypes[-1] == v.dtype and v.dtype.kind in "fb" and any(kind is not None for kind in kinds)
        else:
            plain = v.dtype.kind == "f" and all(x.dtype == v.dtype for x in v.operands)
            plain = plain or operation.kind is Kind.MOVEMENT
        own = _FUNCTIONS.get(operation.name)
        if is_reduction(v) and options.get("dtype") is None:
            options.pop("dtype", None)
        if v.operation == steps.CONCAT:
            operands = [f"[{', '.join(operands)}]"]
        if v.operation == steps.EINSUM:
            operands.insert(0, repr(options.pop("subscripts")))
        listed = [*operands, *(f"{name}={self._option(name, x)}" for name, x in options.items())]
        text = f"{operation.name if own else f'jnp.{operation.name}'}({', '.join(listed)})"
        return text if plain else self._as(text, v.dtype)

    def _guarded(self, text: str, x: Any, v: Value) -> str:
        """An operand that XLA must not see through: it takes x / x for 1, and a product with truth for a choice."""
        if not isinstance(x, Value) or x.is_number or v.dtype.kind != "f":
            return text
        truth = x.dtype == bool or (x.operation == steps.ASTYPE and x.operands[0].dtype == bool)
        guarded = truth if v.operation == steps.MULTIPLY else v.operation == steps.DIVIDE and v.inputs[0] is v.inputs[1]
        return f"barrier({text})" if guarded else text

    def _as(self, text: str, dtype: np.dtype[Any]) -> str:
        return f"jnp.asarray({text}, {self._dtype(dtype)})"

    def _dtype(self, dtype: np.dtype[Any]) -> str:
        """How a dtype is written; labels of 64 bits have 32 where nothing else needs 64."""
        narrow = not self.wide and dtype.itemsize == 8
        return "jnp.bool_" if dtype.kind == "b" else f"jnp.{dtype.name.replace('64', '32') if narrow else dtype.name}"

    def _option(self, name: str, x: Any) -> str:
        if isinstance(x, bool | int | float | str | type(None)) or (
            isinstance(x, tuple) and all(isinstance(i, int) for i in x)
        ):
            return repr(x)
        if name == "dtype":
            return self._dtype(np.dtype(x))
        key = f"options{len(self.helpers)}"
        self.helpers[key] = x
        return key


def _parameter(v: Value) -> str | None:
    """The name of the parameter that a held value is, or is a state of."""
    owner = v.source[2] if v.source[0] == "state" else v.source[1]
    name: str | None = owner.name
    return name


def _tuple(names: Any) -> str:
    listed = list(names)
    return f"({', '.join(listed)}{',' if len(listed) == 1 else ''})"
