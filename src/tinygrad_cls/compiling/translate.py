"""From two recorded runs to a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backward import inputs_first
from ..functional import ClassNumbers
from ..tensor import Tensor, describe
from .emit import Emitter, Program
from .faster import faster
from .names import name_tensors
from .plan import planned
from .program import Builder, Value, built
from .rewrite import rewritten
from .scale import moved
from .trace import CompileError, Number, Trace


class Run(NamedTuple):
    """One recorded run of a function.

    Attributes:
        trace: what no operation shows.
        returned: the tensors in its result.
        shape: the result with positions in the place of tensors.
        writes: what outlives the call, with its new value; None for a gradient that is not kept.
    """

    trace: Trace
    returned: list[Tensor]
    shape: Any
    writes: list[tuple[tuple[Any, ...], Tensor | None]]


class Translation(NamedTuple):
    """A program and what its inputs and outputs stand for.

    Attributes:
        program: the text and its constants.
        held: what each bound array comes from.
        written: whether the program writes to it.
        numbers: what changes from step to step, in the order of the parameters.
        gradients: tensors whose gradient is among the results, after those that the function returned; and those
            whose gradient is None afterwards.
        returned: for each returned tensor its place among the results, or the tensor itself that it is.
        empty: tensors that had no gradient before, which the program relies on.
    """

    program: Program
    held: list[tuple[Any, ...]]
    written: list[bool]
    numbers: list[Number]
    gradients: list[Tensor]
    cleared: list[Tensor]
    returned: list[int | Tensor]
    empty: list[Tensor]
    shapes: list[tuple[tuple[int, ...], np.dtype[Any]]]


def translated(first: Run, second: Run, names: Sequence[str]) -> Translation:
    """The program of two runs that must be the same."""
    outside = _compared(first, second)
    trace = second.trace
    checks = [(condition, tuple(trace.original(t) for t in tensors)) for condition, tensors in trace.checks]
    whole = [trace.original(t) for t in second.returned]
    writes = [(source, trace.original(value)) for source, value in second.writes if value is not None]
    outputs = [*(t for _, tensors in checks for t in tensors), *whole, *(value for _, value in writes)]
    name_tensors(outputs, trace.losses, trace.pulled)
    order = inputs_first(outputs, _operands)
    _refuse_masks(order, outside)
    labels = {
        (t, condition.num_classes)
        for condition, (t, *_) in checks
        if isinstance(condition, ClassNumbers) and condition.ignore_index is None
    }
    products = [
        x for t in order if t.operation is not None and t.operation.name in ("matmul", "einsum") for x in _operands(t)
    ]
    kept = [value for source, value in writes if source[0] == "grad"]
    wanted = [*products, *whole, *kept, *_reduced(order)]
    new = rewritten(outputs, wanted, outside.__contains__, labels, trace.losses)
    builder = Builder()
    inputs: dict[Any, Value] = {}

    def leaf(builder: Builder, t: Tensor) -> Value:
        if t not in outside:
            return builder.constant(t._array, t.name)
        source = outside[t]
        key = tuple(map(id, source)) if source[0] != "argument" else source
        if key not in inputs:
            inputs[key] = builder.input(source, t._array, t.name)
        return inputs[key]

    for t, form in new.items():
        t.inputs, t.operation, t.parameters = (form,), _IDENTITY, {}
        if form.name is None:
            form.name = t.name
    values = built(outputs, leaf, builder)
    results = [values[t] for t in whole]
    gradients = [(source[1], values[value]) for source, value in writes if source[0] == "grad"]
    changes = []
    for source, value in writes:
        if source[0] != "grad":
            key = tuple(map(id, source))
            if key not in inputs:
                array = source[1]._array if source[0] == "tensor" else value._array
                inputs[key] = builder.input(source, array, getattr(source[1], "name", None))
            changes.append((inputs[key], values[value]))
    same = [
        t
        if t.operation is None
        and outside.get(t, ("",))[0] == "tensor"
        and t not in dict.fromkeys(s[1] for s, _ in writes)
        else None
        for t in whole
    ]
    returned = [v for v, t in zip(results, same, strict=True) if t is None]
    conditions = [(condition, tuple(values[t] for t in tensors)) for condition, tensors in checks]
    checked = [v for _, vs in conditions for v in vs]
    ends = moved([*checked, *returned, *(v for _, v in gradients), *(v for _, v in changes)], builder)
    changes = [(target, v) for (target, _), v in zip(changes, ends[len(ends) - len(changes) :], strict=True)]
    returned = ends[len(checked) : len(checked) + len(returned)]
    gradients = [(t, v) for (t, _), v in zip(gradients, ends[len(checked) + len(returned) :], strict=False)]
    coded = {(vs[0], c.num_classes) for c, vs in conditions if isinstance(c, ClassNumbers) and c.ignore_index is None}
    shown = [*returned, *(v for _, v in gradients)]
    ends = faster([*shown, *(v for _, v in changes)], builder, coded)
    changes = [(target, v) for (target, _), v in zip(changes, ends[len(shown) :], strict=True)]
    shown = ends[: len(shown)]
    plan = planned(checked, shown, changes)
    held = [v for v in inputs.values() if v.source[0] in ("tensor", "state", "grad")]
    arguments = sorted((v for v in inputs.values() if v.source[0] == "argument"), key=lambda v: v.source[1])
    missing = [i for i in range(len(names)) if i not in [v.source[1] for v in arguments]]
    arguments += [Value("input", (), {}, (), np.dtype(float), names[i], ("argument", i)) for i in missing]
    arguments.sort(key=lambda v: v.source[1])
    draws = sorted((v for v in inputs.values() if v.source[0] == "draw"), key=lambda v: v.source[2])
    all_draws = [source for source in trace.sources.values() if source[0] == "draw"]
    if len(draws) < len(all_draws):
        raise CompileError("random numbers are drawn that nothing depends on: leave that Dropout out")
    numbers = trace.numbers
    emitter = Emitter(
        plan,
        arguments=[(names[v.source[1]], v) for v in arguments],
        held=held,
        draws=[(v, v.source[1]) for v in draws],
        numbers=numbers,
        checks=conditions,
        returned=shown,
    )
    targets = {id(target) for target, _ in changes}
    places = iter(range(len(returned)))
    return Translation(
        emitter.program(),
        [v.source for v in held],
        [id(v) in targets for v in held],
        numbers,
        [t for t, _ in gradients],
        [source[1] for source, value in second.writes if source[0] == "grad" and value is None],
        [next(places) if t is None else t for t in same],
        [t for t, before in trace.gradients.items() if before is None and t not in trace.zeroed],
        [(v.shape, v.dtype) for v in held],
    )


def _operands(t: Tensor) -> list[Tensor]:
    return [x for x in t.inputs if isinstance(x, Tensor)]


def _reduced(order: list[Tensor]) -> list[Tensor]:
    """What is summed over samples: the gradients of biases are sums of what the weights' gradients are products of."""
    return [
        x for t in order if t.operation is not None and t.operation.name == "sum" for x in _operands(t) if x.ndim > 1
    ]


def _refuse_masks(order: list[Tensor], outside: dict[Tensor, Any]) -> None:
    for t in order:
        if t.operation is not None and t.operation.name == "getitem":
            if any(x.dtype == bool for x in _operands(t)[1:]):
                raise CompileError(
                    f"an index of booleans gives {describe(t)}, whose shape depends on values: use tg.where, which keeps it"
                )


def _compared(first: Run, second: Run) -> dict[Tensor, tuple[Any, ...]]:
    """Where each leaf of the second run comes from. Raises CompileError where the runs differ."""
    a, b = first.trace, second.trace
    if first.shape != second.shape or len(a.checks) != len(b.checks):
        raise CompileError("the function gave another result when it ran again on the same data: " + _STATE)
    if [s[:1] + tuple(map(id, s[1:])) for s, _ in first.writes] != [
        s[:1] + tuple(map(id, s[1:])) for s, _ in second.writes
    ]:
        raise CompileError("the function changed other tensors when it ran again on the same data: " + _STATE)
    if [float(n) for n in a.numbers] != [float(n) for n in b.numbers]:
        raise CompileError("the optimiser took another step when the function ran again: " + _STATE)
    pairs = list(zip(_outputs(first), _outputs(second), strict=True))
    outside: dict[Tensor, tuple[Any, ...]] = {}
    seen: dict[Tensor, Tensor] = {}
    while pairs:
        s, t = pairs.pop()
        s, t = a.original(s), b.original(t)
        if seen.get(t) is s:
            continue
        seen[t] = s
        if s.operation is not t.operation or s.shape != t.shape or s.dtype != t.dtype:
            raise CompileError(
                f"the function computed {describe(s)} in one run and {describe(t)} in the other: " + _STATE
            )
        if t.operation is None:
            source = _source(s, t, a, b)
            if source is not None:
                outside[t] = source
            continue
        left, right = a.inputs_of(s), b.inputs_of(t)
        if repr(s.parameters) != repr(t.parameters) or len(left) != len(right):
            raise CompileError(f"{t.operation.name} had other parameters when the function ran again: " + _STATE)
        for x, y in zip(left, right, strict=True):
            if isinstance(x, Tensor) and isinstance(y, Tensor):
                pairs.append((x, y))
            elif isinstance(x, Tensor) or isinstance(y, Tensor) or repr(float(x)) != repr(float(y)):
                raise CompileError(f"{t.operation.name} was given {x!r} in one run and {y!r} in the other: " + _STATE)
        t.inputs = right
    return outside


_STATE = (
    "it depends on something that changes from call to call, such as a counter, an iterator or NumPy's random numbers. "
    "Give that as an argument"
)


def _outputs(run: Run) -> list[Tensor]:
    checked = [t for _, tensors in run.trace.checks for t in tensors]
    return [*checked, *run.returned, *(value for _, value in run.writes if value is not None)]


def _source(s: Tensor, t: Tensor, a: Trace, b: Trace) -> tuple[Any, ...] | None:
    """Where a leaf comes from; None for a constant that the function made."""
    if t in b.sources:
        if a.sources.get(s, ())[:2] != b.sources[t][:2]:
            raise CompileError(f"{describe(t)} came from elsewhere when the function ran again: " + _STATE)
        return b.sources[t]
    if s is t:
        return ("tensor", t)
    if not np.array_equal(s._array, t._array, equal_nan=t.dtype.kind == "f"):
        raise CompileError(f"the function made {describe(t)} with other values when it ran again: " + _STATE)
    return None


class _Identity:
    name = "identity"


_IDENTITY: Any = _Identity()
