"""From recorded Tensors to expressions.

First the axes: wherever an operation makes two axes meet, they are one and get one name (union–find). Then each Tensor
becomes an expression over the expressions of its inputs. Both are said by the entry of the operation (`meets`,
`reads`), and by default follow from its kind. What only moves or repeats elements disappears on the way; what the
algebra does not know stays as an opaque operation, which is still evaluated correctly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ..engine.operation import OPERATIONS, Kind, Operation, Pairs
from ..engine.operations import mean
from ..engine.operations.axes import folded
from ..engine.tensor import Tensor
from . import expression as ex
from .evaluate import sorted_axes
from .expression import Axis, Expression, Layout

_MEAN = OPERATIONS[mean.__name__]
Slot: TypeAlias = tuple[int, int]
"""An axis: the number of a Tensor, and the position. Positions from its number of axes on are those that its operation
sums away."""


class Reading:
    """Expressions of a set of Tensors, over common axes.

    Args:
        tensors: all Tensors to read, each after its inputs.
        atoms: Tensors to take as letters although they were computed.
        same: pairs of Tensors of one shape whose axes are the same, although no operation says so.
        name: gives the name of a leaf that has one.
        letter: gives a letter for a leaf that has none.
        recognise: may give a shorter form of what the expression of a Tensor is at first.
        letters: name the axes as people do; else by the order in which they are met, so that sorted axes are in the
            order of their positions for most Tensors, and values need no transposing.
        axes: how the axes of some Tensors are called elsewhere, and so here.
        on_data: use what holds of the recorded values, such as that a constant is `1 − y` of another.
        inputs_of: what a Tensor was computed from; by default what it says itself.
    """

    def __init__(
        self,
        tensors: Iterable[Tensor],
        *,
        atoms: Iterable[Tensor] = (),
        same: Iterable[tuple[Tensor, Tensor]] = (),
        name: Callable[[Tensor], str | None],
        letter: Callable[[Tensor], str],
        recognise: Callable[[Tensor, Expression], Expression] = lambda t, x: x,
        letters: bool = True,
        axes: Mapping[Tensor, Layout] = MappingProxyType({}),
        on_data: bool = True,
        inputs_of: Callable[[Tensor], Sequence[Tensor | bool | int | float]] = lambda t: t.inputs,
    ) -> None:
        self.tensors: list[Tensor] = list(tensors)
        self.inputs_of = inputs_of
        self.atoms: set[Tensor] = set(atoms)
        self.expressions: dict[Tensor, Expression] = {}
        self.values: dict[Expression, Any] = {}
        self.leaves: dict[Expression, Tensor] = {}
        self._constants: dict[Any, Expression] = {}
        self._name = name
        self._letter = letter
        self._recognise = recognise
        self.on_data = on_data
        self._leader: dict[Slot, Slot] = {}
        self._owners: dict[Slot, set[int]] = {}
        self._numbers: dict[Tensor, int] = {}
        self._numbered: list[Tensor] = []
        for x, y in same:
            for i in range(x.ndim):
                self._join(self._slot(x, i), self._slot(y, i))
        for t in self.tensors:
            self._meet(t)
        self._meet_equal_constants()  # last: labels 0, 1, 2 are no class numbers, which meet them as another axis
        self._axes = self._named_axes(axes) if letters else self._counted_axes()

    # --- axes -------------------------------------------------------------------------------------------------

    def _slot(self, t: Tensor, position: int) -> Slot:
        if t not in self._numbers:
            self._numbers[t] = len(self._numbered)
            self._numbered.append(t)
        return self._numbers[t], position

    def _find(self, slot: Slot) -> Slot:
        leader = self._leader.setdefault(slot, slot)
        while leader != self._leader[leader]:
            leader = self._leader[leader] = self._leader[self._leader[leader]]
        self._leader[slot] = leader
        return leader

    def _join(self, a: Slot, b: Slot) -> None:
        """Two axes meet: from now on they are one. Refused when that would make two axes of one Tensor the same."""
        if self._length(a) == 1 or self._length(b) == 1:
            return
        a, b = self._find(a), self._find(b)
        if a == b:
            return
        owners_a, owners_b = self._owners.setdefault(a, {a[0]}), self._owners.setdefault(b, {b[0]})
        if not owners_a.isdisjoint(owners_b):
            return
        if len(owners_a) < len(owners_b):
            a, b, owners_a, owners_b = b, a, owners_b, owners_a
        self._leader[b] = a
        owners_a |= owners_b

    def _length(self, slot: Slot) -> int:
        t, i = self._numbered[slot[0]], slot[1]
        return t.shape[i] if i < t.ndim else 2  # an inner axis is only asked for where it is longer than 1

    def _meet(self, t: Tensor) -> None:
        """Join the axes that the operation of `t` makes meet."""
        if t.operation is None or t in self.atoms:
            return
        for x, pairs in zip(self.inputs_of(t), self._pairs(t), strict=True):
            if isinstance(x, Tensor):
                for own, i in pairs:
                    self._join(self._slot(x, own), self._slot(t, i))

    def _meet_equal_constants(self) -> None:
        """Unnamed integers of equal content are one: labels given twice, the class numbers of two one-hot codings."""
        first: dict[Any, Tensor] = {}
        for t in self.tensors:
            if t.operation is None and t.dtype.kind in "iu" and t.ndim and self._name(t) is None:
                other = first.setdefault((t.shape, t.dtype.str, t.numpy().tobytes()), t)
                for i in range(t.ndim):
                    self._join(self._slot(t, i), self._slot(other, i))

    def _pairs(self, t: Tensor) -> Sequence[Pairs]:
        """For each input of `t`: which of its axes meets which axis of `t`."""
        assert t.operation is not None
        inputs = self.inputs_of(t)
        if t.operation.meets is None:
            return [[] for _ in inputs]
        told: dict[str, Any] = {}
        if self.on_data and t.operation.kind is Kind.CHOICE and len(inputs) > 1:
            told["values"] = [x._array if isinstance(x, Tensor) else np.asarray(x) for x in inputs]
        return t.operation.meets(t.shape, *map(np.shape, inputs), **t.parameters, **told)

    def _counted_axes(self) -> dict[Slot, Axis]:
        axes: dict[Slot, Axis] = {}
        for t in self.tensors:
            for i, n in enumerate(t.shape):
                if n != 1:
                    axes.setdefault(self._find(self._slot(t, i)), Axis(f"a{len(axes):06d}", n))
        return axes

    def _named_axes(self, known: Mapping[Tensor, Layout]) -> dict[Slot, Axis]:
        """A letter for each axis: k for classes, n for samples, then others in the order of the record."""
        order: dict[Slot, int] = {}
        wishes: dict[Slot, str] = {}
        for t in self.tensors:
            for i in range(t.ndim):
                if t.shape[i] != 1:
                    order.setdefault(self._find(self._slot(t, i)), t.shape[i])
            if t.operation is None:
                continue
            kind, x = t.operation.kind, self.inputs_of(t)[0]
            if kind is Kind.REDUCTION and isinstance(x, Tensor):
                gone = folded(t.parameters["axis"], x.ndim)
                if t.scope is not None and "softmax" in t.scope.name:
                    for i in gone:
                        wishes.setdefault(self._find(self._slot(x, i)), "k")
                elif t.operation is _MEAN and gone and gone[0] == 0:
                    wishes.setdefault(self._find(self._slot(x, 0)), "n")
            elif kind is Kind.CONTRACTION and t.ndim == 2:
                wishes.setdefault(self._find(self._slot(t, 0)), "n")
        for t in self.tensors:  # the first of two axes counts the samples, where nothing else is known
            if t.ndim >= 2 and t.operation is None and self._find(self._slot(t, t.ndim - 1)) in wishes:
                wishes.setdefault(self._find(self._slot(t, 0)), "n")
        names: dict[Slot, Axis] = {}
        given = {self._name(t) for t in self.tensors}
        taken = {letter for letter in "nkmhpltsijqruv" if letter.upper() in given}  # K is a tensor, and no length
        called = {self._find(self._slot(t, i)): axis for t in known for i, axis in enumerate(known[t])}
        for slot, axis in called.items():  # two axes here may be one there, where more is known of what they meet
            if axis is not None and order.get(slot) == axis.size and axis.name not in taken:
                names[slot] = axis
        taken |= {axis.name for axis in names.values()}
        for slot, wish in wishes.items():
            if slot in order and slot not in names and wish not in taken:
                names[slot] = Axis(wish, order[slot])
                taken.add(wish)
        letters = ["n", "k", *"mhpltsijqruv"] if len(order) > 1 else ["n"]
        spare = iter([x for x in letters if x not in taken] + [f"n{i}" for i in range(2, len(order) + 3)])
        for slot, length in order.items():
            if slot not in names:
                names[slot] = Axis(next(spare), length)
        return names

    def layout(self, t: Tensor) -> Layout:
        """The axes of a Tensor in the order of its positions."""
        return tuple(self._axis(self._slot(t, i)) for i in range(t.ndim))

    def axis(self, t: Tensor, position: int, length: int = 0) -> Axis | None:
        """An axis of a Tensor; None where its length is 1. An inner axis has the length of its operands there."""
        return self._axis(self._slot(t, position), length)

    def _axis(self, slot: Slot, length: int = 0) -> Axis | None:
        if self._length(slot) == 1:
            return None
        known = self._axes.get(self._find(slot))
        return known or self._new_axis(slot, length)

    def _new_axis(self, slot: Slot, length: int) -> Axis:
        names = {a.name for a in self._axes.values()}
        name = next(f"n{i}" for i in range(2, len(names) + 3) if f"n{i}" not in names)
        axis = self._axes[self._find(slot)] = Axis(name, length)
        return axis

    # --- expressions ------------------------------------------------------------------------------------------

    def read(self, t: Tensor, given: Mapping[Tensor, Expression] | None = None) -> Expression:
        """The expression of `t`; `given` holds those that are decided elsewhere."""
        waiting = [t]
        while waiting:
            part = waiting[-1]
            if part in self.expressions:
                waiting.pop()
            elif given is not None and part in given:
                self.expressions[part] = given[part]
            elif part.operation is None or part in self.atoms:
                self.expressions[part] = self._leaf(part)
            elif missing := [x for x in self.inputs_of(part) if isinstance(x, Tensor) and x not in self.expressions]:
                waiting.extend(reversed(missing))
            else:
                self.expressions[part] = self._recognise(part, self._operation(part))
        return self.expressions[t]

    def _leaf(self, t: Tensor) -> Expression:
        name = self._name(t)
        array = t.numpy()
        if name is None and not t.requires_grad:
            if t.ndim == 0 and t.dtype.kind in "fb":
                return ex.number(t.item())
            # Unnamed constants of equal content are one letter: labels given twice, for instance.
            content = (self.layout(t), t.dtype.str, array.tobytes())
            if content in self._constants:
                return self._constants[content]
            if t.dtype.kind == "f" and t.size and not array.any():
                return ex.ZERO
        result = ex.leaf(name or self._letter(t), self.layout(t), facts=("given",) if name or t.requires_grad else ())
        if name is None and not t.requires_grad:
            self._constants[content] = result
        self.leaves[result] = t
        self.values[result] = sorted_axes(array, self.layout(t))
        return result

    def _operation(self, t: Tensor) -> Expression:
        """What the entry of the operation says, with the names that axes have in the result."""
        operation = t.operation
        assert operation is not None
        pairs = self._pairs(t)
        operands = list(zip(self.inputs_of(t), pairs, strict=True))
        # Operands that come together need common names before; what folds or picks axes needs its own till then.
        together = len(operands) > 1 or operation.kind is Kind.ELEMENTWISE
        xs = [self._operand(t, x, met if together else ()) for x, met in operands]
        result = self._read(t, operation, xs)
        if result is None:
            return self._opaque(t)
        return result if together else ex.rename(result, self._names(t, *operands[0]))

    def _operand(self, t: Tensor, x: Any, pairs: Pairs) -> Expression:
        if not isinstance(x, Tensor):
            return ex.number(x)
        return ex.rename(self.expressions[x], self._names(t, x, pairs)) if pairs else self.expressions[x]

    def _names(self, t: Tensor, x: Any, pairs: Pairs) -> dict[Axis, Axis]:
        """The axes of an operand, with the names that they have in the result."""
        names: dict[Axis, Axis] = {}
        for own, i in pairs:
            have = self.axis(x, own)
            wanted = None if have is None else self.axis(t, i, have.size)
            if have is not None and wanted is not None:
                names[have] = wanted
        return names

    def _read(self, t: Tensor, operation: Operation, xs: list[Expression]) -> Expression | None:
        """The expression that the entry gives, or that its kind implies; None for what the algebra leaves closed."""
        words = Words(self, t)
        computes = operation.kind is Kind.ELEMENTWISE and operation.ufunc is not None
        if computes and not operation.changes_nothing and t.dtype.kind in "iu":
            return None  # integers wrap around
        if operation.reads is not None:
            result: Expression | None = operation.reads(words, *xs, **t.parameters)
            if result is not None:
                return result
        if operation.changes_nothing:
            return xs[0]
        match operation.kind:
            case Kind.ELEMENTWISE:
                return ex.call(operation.name, *xs)
            case Kind.MOVEMENT:
                return xs[0] if len(xs) == 1 and words.all_meet else None
            case Kind.CONTRACTION:
                return ex.total(words.inner_axes(), ex.product(*xs))
        return None

    def definition(self, t: Tensor, letters: Mapping[Tensor, Expression]) -> Expression:
        """What the operation of `t` computes, over letters for its inputs."""
        inputs = [x for x in self.inputs_of(t) if isinstance(x, Tensor)]
        kept = {x: self.expressions[x] for x in inputs}
        self.expressions.update((x, letters[x]) for x in inputs if x in letters)
        result = self._operation(t)
        self.expressions.update(kept)
        return result

    def aligned(self, x: Expression, have: Tensor, wanted: Tensor) -> Expression:
        """`x`, which has the axes of one Tensor, with those of another of the same shape."""
        pairs = zip(self.layout(have), self.layout(wanted), strict=True)
        return ex.rename(x, {a: b for a, b in pairs if a is not None and b is not None})

    def _opaque(self, t: Tensor) -> Expression:
        assert t.operation is not None
        children: list[Expression] = []
        layouts: list[Layout | None] = []
        shapes: list[tuple[int, ...]] = []
        for x in self.inputs_of(t):
            if isinstance(x, Tensor):
                children.append(self.expressions[x])
                layouts.append(self.layout(x))
                shapes.append(x.shape)
            else:
                children.append(ex.number(x))
                layouts.append(None)
                shapes.append(())
        return ex.opaque(t.operation.name, t.parameters, children, layouts, shapes, self.layout(t))


class Words:
    """The algebra as `reads` of an entry is handed it: the functions of `expression`, and the place where it is used.

    Args:
        reading: which axes are the same.
        node: the Tensor that is read.
    """

    def __init__(self, reading: Reading, node: Tensor) -> None:
        self._reading = reading
        self.node = node
        self.on_data: bool = reading.on_data  # whether what is said need hold for the recorded values only
        self.inputs: Sequence[Tensor | bool | int | float] = reading.inputs_of(node)

    def __getattr__(self, name: str) -> Any:
        return getattr(ex, name)

    def closed(self) -> Expression:
        """The operation as it is: something that the algebra does not look into."""
        return self._reading._opaque(self.node)

    def axis(self, operand: int, position: int) -> Axis | None:
        """An axis of an operand by its position; None where its length is 1."""
        x = self.inputs[operand]
        return self._reading.axis(x, position) if isinstance(x, Tensor) else None

    def axis_of_result(self, position: int, length: int = 0) -> Axis | None:
        """An axis of the result by its position, or an inner axis of this length; None where its length is 1."""
        return self._reading.axis(self.node, position if length else position % self.node.ndim, length)

    def folded(self, axis: Any) -> list[Axis]:
        """The axes that a reduction of the first operand folds, those of length 1 apart."""
        return [a for i in folded(axis, np.ndim(self.inputs[0])) if (a := self.axis(0, i)) is not None]

    def inner_axes(self) -> list[Axis]:
        """The axes along which operands meet, and which the result lacks."""
        found: dict[Axis, None] = {}
        for x, pairs in zip(self.inputs, self._reading._pairs(self.node), strict=True):
            for own, i in pairs:
                if isinstance(x, Tensor) and i >= self.node.ndim and x.shape[own] != 1:
                    axis = self._reading.axis(self.node, i, x.shape[own])
                    assert axis is not None
                    found[axis] = None
        return list(found)

    @property
    def all_meet(self) -> bool:
        """Whether every axis of the first operand that is longer than 1 is an axis of the result."""
        met = {own for own, _ in self._reading._pairs(self.node)[0]}
        return all(n == 1 or i in met for i, n in enumerate(np.shape(self.inputs[0])))
