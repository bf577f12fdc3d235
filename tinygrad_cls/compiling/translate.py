"""From two recorded runs to a program."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np

from ..engine.backward import inputs_first
from ..engine.functional import ClassNumbers
from ..engine.tensor import Array, Tensor, describe
from .emit import Check, Emitter, Program
from .faster import faster
from .names import name_tensors
from .plan import Change, memory, planned
from .program import Builder, Value, built
from .rewrite import rewritten
from .scale import Quotient, moved
from .trace import CompileError, Number, Trace, operands

if TYPE_CHECKING:
    from ..optim.optimiser import Optimiser


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
        gradients: tensors whose gradient is among the results, after those that the function returned.
        cleared: tensors whose gradient is None afterwards.
        returned: for each returned tensor its place among the results, or the tensor itself that it is.
        empty: tensors that had no gradient before, which the program relies on.
        steps: of an optimiser that counts them: a parameter, how many it makes, and one that must have made as many.
        shapes: shape and dtype of each bound array.
    """

    program: Program
    held: list[tuple[Any, ...]]
    written: list[bool]
    numbers: list[Number]
    gradients: list[Tensor]
    cleared: list[Tensor]
    returned: list[int | Tensor]
    empty: list[Tensor]
    steps: list[tuple[Optimiser, Tensor, int, Tensor]]
    shapes: list[tuple[tuple[int, ...], np.dtype[Any]]]


class Ends(NamedTuple):
    """Everything that a program is for, as values.

    Attributes:
        checks: conditions, with the values to check.
        returned: results for the caller.
        gradients: results that become the gradient of a tensor.
        changes: inputs whose memory outlives the call, with their new values.
    """

    checks: list[Check]
    returned: list[Value]
    gradients: list[Value]
    changes: list[Change]

    def after(self, rewriting: Callable[[list[Value]], list[Value]]) -> Ends:
        """The same ends, their values rewritten."""
        checked = [v for _, values in self.checks for v in values]
        targets = [target for target, _ in self.changes]
        new = iter(rewriting([*checked, *self.returned, *self.gradients, *(v for _, v in self.changes)]))
        return Ends(
            [(condition, tuple(islice(new, len(values)))) for condition, values in self.checks],
            list(islice(new, len(self.returned))),
            list(islice(new, len(self.gradients))),
            list(zip(targets, new, strict=True)),
        )


def translated(first: Run, second: Run, names: Sequence[str]) -> Translation:
    """The program of two runs that must be the same."""
    outside = _compared(first, second)
    trace, builder = second.trace, Builder()
    checks = [(condition, tuple(map(trace.original, tensors))) for condition, tensors in trace.checks]
    returned = [trace.original(t) for t in second.returned]
    writes = [(source, trace.original(value)) for source, value in second.writes if value is not None]
    outputs = [*(t for _, tensors in checks for t in tensors), *returned, *(value for _, value in writes)]
    name_tensors(outputs, trace.losses, trace.pulled)
    _simplify(outputs, returned, writes, checks, outside, trace)

    inputs = _Inputs(builder, outside)
    values = built(outputs, inputs.leaf, builder)
    # What both runs returned was there before them, and is returned as it is.
    kept = [any(t is x for x in first.returned) and t not in trace.sources for t in second.returned]
    now = {source[1]: value for source, value in writes if source[0] == "tensor"}
    gradients = [(source[1], values[now.get(value, value)]) for source, value in writes if source[0] == "grad"]
    ends = Ends(
        [(condition, tuple(values[t] for t in tensors)) for condition, tensors in checks],
        [values[t] for t, is_kept in zip(returned, kept, strict=True) if not is_kept],
        [v for _, v in gradients],
        [(inputs.target(source, value), values[value]) for source, value in writes if source[0] != "grad"],
    )
    ends = ends.after(lambda values: moved(values, builder))
    coded = {(values[0], condition.num_classes) for condition, values in ends.checks if _are_labels(condition)}
    ends = ends.after(lambda values: faster(values, builder, coded))
    ends = _old_values_kept(ends, builder)
    checked = [v for _, values in ends.checks for v in values]
    shown = [*ends.returned, *ends.gradients]
    held = inputs.of("tensor", "state", "grad")
    plan = planned(checked, shown, ends.changes)
    read = {
        x.number if isinstance(x, Quotient) else x for v in plan.steps for x in v.inputs if not isinstance(x, Value)
    }
    numbers = [n for n in trace.numbers if n in read]
    emitter = Emitter(
        plan,
        arguments=inputs.arguments(names),
        held=held,
        draws=inputs.draws(trace),
        numbers=numbers,
        checks=ends.checks,
        returned=shown,
    )
    targets = {id(target) for target, _ in ends.changes}
    places = iter(range(len(ends.returned)))
    return Translation(
        program=emitter.program(),
        held=[v.source for v in held],
        written=[id(v) in targets for v in held],
        numbers=numbers,
        gradients=[t for t, _ in gradients],
        cleared=[source[1] for source, value in second.writes if source[0] == "grad" and value is None],
        returned=[t if is_kept else next(places) for t, is_kept in zip(second.returned, kept, strict=True)],
        empty=list(trace.empty),
        steps=[(o, p, trace.steps[o, p], other) for (o, p), other in trace.as_many.items()],
        shapes=[(v.shape, v.dtype) for v in held],
    )


def _old_values_kept(ends: Ends, builder: Builder) -> Ends:
    """The ends, those that are an old value of what is changed copied before it is."""
    targets = {target for target, _ in ends.changes}

    def kept(v: Value) -> Value:
        return builder.like("copy", v, v) if memory(v) in targets else v

    return ends._replace(
        returned=[kept(v) for v in ends.returned],
        gradients=[kept(v) for v in ends.gradients],
        changes=[(target, kept(v)) for target, v in ends.changes],
    )


def _simplify(
    outputs: list[Tensor],
    returned: list[Tensor],
    writes: list[tuple[tuple[Any, ...], Tensor]],
    checks: list[tuple[Any, tuple[Tensor, ...]]],
    outside: Container[Tensor],
    trace: Trace,
) -> None:
    """Put simpler forms in the place of what products, sums and results are made of."""
    order = inputs_first(outputs, operands)
    _refuse_masks(order)
    labels = {(t, condition.num_classes) for condition, (t, *_) in checks if _are_labels(condition)}
    gradients = [value for source, value in writes if source[0] == "grad"]
    wanted = [*_factors(order), *returned, *gradients, *_summed(order)]
    for t, form in rewritten(outputs, wanted, outside.__contains__, labels, trace.losses).items():
        t.inputs, t.operation, t.parameters = (form,), _IDENTITY, {}
        form.name = form.name or t.name


class _Inputs:
    """The values that come from outside, one for each source."""

    def __init__(self, builder: Builder, outside: Mapping[Tensor, tuple[Any, ...]]) -> None:
        self._builder, self._outside = builder, outside
        self._values: dict[Any, Value] = {}

    def leaf(self, t: Tensor) -> Value:
        """The value of a leaf of the recording; a constant where nothing outside is behind it."""
        if t not in self._outside:
            return self._builder.constant(t._array, t.name)
        return self._from(self._outside[t], t._array, t.name)

    def target(self, source: tuple[Any, ...], value: Tensor) -> Value:
        """What a new value is written to."""
        kind, owner, *_ = source
        return self._from(source, owner._array if kind == "tensor" else value._array, getattr(owner, "name", None))

    def _from(self, source: tuple[Any, ...], like: Array, name: str | None) -> Value:
        key = source if source[0] == "argument" else tuple(map(id, source))
        if key not in self._values:
            self._values[key] = self._builder.input(source, like, name)
        return self._values[key]

    def of(self, *kinds: str) -> list[Value]:
        """Those of some kinds, in the order in which they were met."""
        return [v for v in self._values.values() if v.source[0] in kinds]

    def arguments(self, names: Sequence[str]) -> list[tuple[str, Value]]:
        """All arguments by name, those too that nothing depends on."""
        used = {v.source[1]: v for v in self.of("argument")}
        spare = np.empty(())
        return [(name, used.get(i) or self._from(("argument", i), spare, name)) for i, name in enumerate(names)]

    def draws(self, trace: Trace) -> list[tuple[Value, np.random.Generator]]:
        """Random inputs with their generators, in the order in which they are drawn."""
        used = sorted(self.of("draw"), key=lambda v: v.source[2])
        if len(used) < sum(source[0] == "draw" for source in trace.sources.values()):
            raise CompileError("random numbers are drawn that nothing depends on: leave that Dropout out")
        return [(v, v.source[1]) for v in used]


def _are_labels(condition: Any) -> TypeGuard[ClassNumbers]:
    return isinstance(condition, ClassNumbers) and condition.ignore_index is None


def _factors(order: list[Tensor]) -> list[Tensor]:
    """What is multiplied in matrix products: y′ − y among them."""
    products = [t for t in order if t.operation is not None and t.operation.name in ("matmul", "einsum")]
    return [x for t in products for x in operands(t)]


def _summed(order: list[Tensor]) -> list[Tensor]:
    """What is summed over samples: the gradients of biases are sums of what the weights' gradients are products of."""
    sums = [t for t in order if t.operation is not None and t.operation.name == "sum"]
    return [x for t in sums for x in operands(t) if x.ndim > 1]


def _refuse_masks(order: list[Tensor]) -> None:
    for t in order:
        indices = operands(t)[1:] if t.operation is not None and t.operation.name == "getitem" else []
        if any(x.dtype == bool for x in indices):
            raise CompileError(
                f"an index of booleans gives {describe(t)}, whose shape depends on values: "
                "use tg.where, which keeps the shape"
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
