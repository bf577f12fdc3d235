"""From a watched run to a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np

from ..engine.backward import inputs_first
from ..engine.operations.checks import ClassNumbers
from ..engine.tensor import Tensor
from .names import name_tensors
from .program import Builder, Value
from .rewrite import Rewriting
from .scale import moved
from .watch import Number, Watch
from .work import Ends, Engine, Program, Work

if TYPE_CHECKING:
    from ..optim.optimiser import Optimiser


class Translation(NamedTuple):
    """A program and what its inputs and outputs stand for.

    Attributes:
        program: the text and its constants.
        shape: the function's result with positions in the place of Tensors.
        held: what each bound array comes from.
        written: whether the program writes to it.
        shapes: shape and dtype of each bound array.
        numbers: what changes from step to step, in the order of the parameters.
        gradients: tensors whose gradient is among the results, after those that the function returned.
        cleared: tensors whose gradient is None afterwards.
        returned: for each returned tensor its place among the results, or the tensor itself that it is.
        empty: tensors that had no gradient before, which the program relies on.
        steps: of an optimiser that counts them: a parameter, how many it makes, and one that must have made as many.
    """

    program: Program
    shape: Any
    held: list[tuple[Any, ...]]
    written: list[bool]
    shapes: list[tuple[tuple[int, ...], np.dtype[Any]]]
    numbers: list[Number]
    gradients: list[Tensor]
    cleared: list[Tensor]
    returned: list[int | Tensor]
    empty: list[Tensor]
    steps: list[tuple[Optimiser, Tensor, int, Tensor]]


def translated(watch: Watch, names: Sequence[str], engine: Engine) -> Translation:
    """The program of a watched run.

    Args:
        watch: the run.
        names: what the function calls its arguments.
        engine: what writes it.
    """
    returned = [watch.current(t) for t in watch.returned if not watch.is_outer(t)]
    writes = [(source, value) for source, value in watch.writes if value is not None]
    outputs = [*(t for _, tensors in watch.checks for t in tensors), *returned, *(value for _, value in writes)]
    order = inputs_first(outputs, watch.operands)
    name_tensors(watch, outputs)
    builder = Builder(engine.FORMS)
    inputs = _Inputs(builder, watch)
    values = _values(watch, order, inputs, builder, [*returned, *(v for source, v in writes if source[0] == "grad")])

    now = {source[1]: value for source, value in writes if source[0] == "tensor"}
    gradients = [(source[1], values[now.get(value, value)]) for source, value in writes if source[0] == "grad"]
    ends = Ends(
        [(condition, tuple(values[t] for t in tensors)) for condition, tensors in watch.checks],
        [values[t] for t in returned],
        [v for _, v in gradients],
        [(inputs.target(source, value), values[value]) for source, value in writes if source[0] != "grad"],
    )
    ends = ends.after(lambda values: moved(values, builder))
    coded = {(values[0], condition.num_classes) for condition, values in ends.checks if _are_labels(condition)}
    held = inputs.of("tensor", "state", "grad")
    used = set(inputs_first(ends.all, lambda v: v.operands))
    numbers = [v for v in inputs.of("number") if v in used]
    work = Work(ends, builder, coded, inputs.arguments(names), held, inputs.draws(), numbers)
    targets = {id(target) for target, _ in ends.changes}
    places = iter(range(len(ends.returned)))
    return Translation(
        program=engine.written(work),
        shape=watch.shape,
        held=[v.source for v in held],
        written=[id(v) in targets for v in held],
        shapes=[(v.shape, v.dtype) for v in held],
        numbers=[v.source[1] for v in numbers],
        gradients=[t for t, _ in gradients],
        cleared=[source[1] for source, value in watch.writes if source[0] == "grad" and value is None],
        returned=[t if watch.is_outer(t) else next(places) for t in watch.returned],
        empty=[t for t, there in watch.gradients.items() if not there],
        steps=[(o, p, watch.steps[o, p], other) for (o, p), other in watch.as_many.items()],
    )


def _values(
    watch: Watch, order: list[Tensor], inputs: _Inputs, builder: Builder, results: list[Tensor]
) -> dict[Tensor, Value]:
    """The step that computes each recorded Tensor, in a simpler form where the rules of algebra know one."""
    labels = {(t, condition.num_classes) for condition, (t, *_) in watch.checks if _are_labels(condition)}
    rewriting = Rewriting(watch, order, labels)
    wanted = rewriting.wanted(results)
    values: dict[Tensor, Value] = {}
    for t in order:
        form = rewriting.form(t, t in wanted)
        if t not in watch.inputs:
            values[t] = inputs.leaf(t)
        elif form is None:
            values[t] = builder.ran(t, watch.inputs[t], values)
        else:
            for part in inputs_first([form], lambda x: [] if x in values else _tensors(x.inputs)):
                if part not in values:
                    given = part.operation is not None
                    values[part] = builder.ran(part, part.inputs, values) if given else inputs.leaf(part)
            values[t] = values[form]
            values[t].name = values[t].name or t.name
    return values


def _tensors(inputs: Sequence[Any]) -> list[Tensor]:
    return [x for x in inputs if isinstance(x, Tensor)]


class _Inputs:
    """The values that come from outside, one for each source."""

    def __init__(self, builder: Builder, watch: Watch) -> None:
        self._builder, self._sources = builder, watch.sources
        self._values: dict[Any, Value] = {}

    def leaf(self, t: Tensor) -> Value:
        """The value of a leaf of the recording; a constant where nothing outside is behind it."""
        if t not in self._sources:
            return self._builder.constant(t._array, t.name)
        return self._from(self._sources[t], t)

    def target(self, source: tuple[Any, ...], value: Tensor) -> Value:
        """What a new value is written to."""
        return self._from(source, source[1] if source[0] == "tensor" else value)

    def _from(self, source: tuple[Any, ...], like: Tensor) -> Value:
        key: Any = tuple(x if type(x) in (int, str) else id(x) for x in source)
        if source[0] == "number":  # one for all parameters that have made as many steps
            n = source[1]
            key = ("number", n.name, id(n.optimiser), id(n.group), n.ahead, n.step, like.dtype.str)
        if key not in self._values:
            self._values[key] = self._builder.input(source, like)
        return self._values[key]

    def of(self, *kinds: str) -> list[Value]:
        """Those of some kinds, in the order in which they were met."""
        return [v for v in self._values.values() if v.source[0] in kinds]

    def arguments(self, names: Sequence[str]) -> list[tuple[str, Value]]:
        """All arguments by name, those too that nothing depends on."""
        used = {v.source[1]: v for v in self.of("argument")}
        spare = Tensor(0.0)
        return [(name, used.get(i) or self._from(("argument", i), spare)) for i, name in enumerate(names)]

    def draws(self) -> list[tuple[Value, np.random.Generator]]:
        """All random numbers with their generators, in the order in which they are drawn, also those not needed."""
        drawn = [self.leaf(t) for t, source in self._sources.items() if source[0] == "draw"]
        return [(v, v.source[1]) for v in drawn]


def _are_labels(condition: Any) -> TypeGuard[ClassNumbers]:
    return isinstance(condition, ClassNumbers) and condition.ignore_index is None
