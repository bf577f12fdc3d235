"""Which steps run in the same loops.

A step that works element by element, or folds axes, is a loop over each axis that is longer than 1; the first of these
axes are its rows. Steps over as many rows go into one nest, as long as none needs another row of what the nest makes;
within a row, steps over the same inner axes go into one loop, as long as none needs another element of what that loop
makes. The rest are matrix products, which BLAS does, and calls of NumPy.

An index names for each axis of an array the loop that runs along it, from 0, the rows; -1 where it has one place only,
and LABEL where the class number of the row says the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..compiling import steps
from ..compiling.plan import is_view, memory
from ..compiling.program import Value
from ..engine.operation import Kind
from ..engine.operations import OPERATIONS
from ..engine.operations.axes import folded, unit_moves

Index = tuple[int, ...]
LABEL = -2


class Read(NamedTuple):
    """How a step reads an operand: whose memory, seen in which shape, at which index."""

    value: Value
    shape: tuple[int, ...]
    axes: Index


@dataclass(eq=False)
class Block:
    """Steps in one loop over the inner axes of a row; without inner axes, lines of their own."""

    inner: tuple[int, ...]
    steps: list[Value] = field(default_factory=list)


@dataclass(eq=False)
class Nest:
    """Loops over as many rows; None for single numbers."""

    rows: int | None
    blocks: list[Block] = field(default_factory=list)

    @property
    def steps(self) -> list[Value]:
        """All its steps, in order."""
        return [v for block in self.blocks for v in block.steps]


@dataclass(eq=False)
class Single:
    """A step that is no loop."""

    step: Value

    @property
    def steps(self) -> list[Value]:
        """It alone."""
        return [self.step]


class Call(Single):
    """A step that NumPy does."""


@dataclass(eq=False)
class Product(Single):
    """A matrix product, and what it is subtracted from where the result is such an update."""

    product: Value


@dataclass(eq=False)
class Barrier:
    """Everything has been checked: what outlives the call may be written from here on."""

    steps: list[Value] = field(default_factory=list)


Item = Nest | Product | Call | Barrier

# --- loops and indices ------------------------------------------------------------------------------------------------


def is_reduction(v: Value) -> bool:
    """Whether a step folds axes."""
    operation = OPERATIONS.get(v.operation)
    return operation is not None and operation.kind is Kind.REDUCTION


def domain(v: Value) -> tuple[int, ...]:
    """The axes that a step runs over."""
    return v.operands[0].shape if is_reduction(v) else v.shape


def loops(v: Value) -> tuple[int, ...]:
    """The lengths of its loops."""
    return tuple(n for n in domain(v) if n != 1)


def places(shape: Sequence[int]) -> Index:
    """The index of an element of the shape that the loops run over."""
    numbers = iter(range(len(shape)))
    return tuple(next(numbers) if n != 1 else -1 for n in shape)


def result_index(v: Value) -> Index:
    """Where a step puts its result."""
    index = places(domain(v))
    if not is_reduction(v):
        return index
    gone = folded(v.parameters["axis"], len(index))
    if v.parameters["keepdims"]:
        return tuple(-1 if a in gone else i for a, i in enumerate(index))
    return tuple(i for a, i in enumerate(index) if a not in gone)


def folds(v: Value) -> set[int]:
    """The loops that a step folds."""
    return set(range(len(loops(v)))) - set(result_index(v))


def folds_rows(v: Value) -> bool:
    """Whether its result is there after the last row only."""
    return 0 in folds(v)


def read(v: Value, x: Value) -> Read:
    """How a loop's step reads an operand."""
    shape = domain(v)
    index = places(shape)[len(shape) - len(x.shape) :] if len(x.shape) <= len(shape) else (*places(shape), LABEL)
    return reached(x, tuple(-1 if n == 1 else i for n, i in zip(x.shape, index, strict=True)))


def reached(x: Value, index: Index) -> Read:
    """Through views to what they show; of a reshape only where it drops or adds axes of length 1."""
    while is_view(x):
        (y,) = x.operands
        if x.operation == steps.RESHAPE:
            (pairs,) = unit_moves(x.shape, y.shape)
            if len(pairs) != sum(n != 1 for n in y.shape):  # any other reshape: the same memory in another shape
                return Read(memory(x), x.shape, index)
            at = dict(pairs)
            index = tuple(index[at[a]] if a in at else -1 for a in range(len(y.shape)))
        elif "axes" in x.parameters:
            axes = list(x.parameters["axes"])
            index = tuple(index[axes.index(a)] for a in range(len(axes)))
        else:
            index = index[len(index) - len(y.shape) :]
            index = tuple(-1 if n == 1 else i for n, i in zip(y.shape, index, strict=True))
        x = y
    return Read(x, x.shape, index)


def computed_in(v: Value) -> tuple[np.dtype[Any], ...]:
    """The dtypes of the operands that a ufunc computes with, and of its result."""
    operation = OPERATIONS[v.operation]
    if operation.ufunc is None:
        return (*(v.dtype for _ in v.inputs), v.dtype)
    kinds = [x.dtype if isinstance(x, Value) else np.dtype(bool) if type(x) is bool else type(x) for x in v.inputs]
    found: tuple[np.dtype[Any], ...] = operation.ufunc.resolve_dtypes((*kinds, None))
    return found


# --- the order ----------------------------------------------------------------------------------------------------


class Schedule:
    """The items of a program, in order.

    Args:
        computed: all steps, each after its operands; those that are to be checked first.
        inline: those that are written where they are read.
        is_loop: whether a step is spelled as loops.
        is_product: whether a step is a matrix product that BLAS does.
        checked: the values whose checks come before anything is changed.
        changed: by the new value the input that takes it.
    """

    def __init__(
        self,
        computed: Sequence[Value],
        inline: Set[Value],
        is_loop: Callable[[Value], bool],
        is_product: Callable[[Value], bool],
        checked: Sequence[Value],
        changed: dict[Value, Value],
    ) -> None:
        self.items: list[Item] = []
        self.item: dict[Value, int] = {}  # where a value is made
        self.block: dict[Value, Block] = {}
        order = [v for v in computed if v not in inline]
        self._inline = set(inline)
        self._changed = changed
        self._barrier = -1
        waiting = {memory(v) for v in checked} & set(order)
        updates = self._updates(order, is_product)
        if not waiting:
            self._end_of_checks()
        for v in order:
            if v in updates.values():
                continue
            if v in updates:
                self._append(Product(v, updates[v]))
            elif is_product(v):
                self._append(Product(v, v))
            elif is_loop(v):
                self._into_loops(v)
            else:
                self._append(Call(v))
            if waiting:
                waiting.discard(v)
                if not waiting:
                    self._end_of_checks()

    def written_later(self, v: Value) -> bool:
        """Whether a value is made after everything was checked."""
        return self.item[v] > self._barrier

    def is_near(self, v: Value, u: Value) -> bool:
        """Whether two steps are in one loop, or lines of one row."""
        blocks = [self.block.get(v), self.block.get(u)]
        return blocks[0] is blocks[1] or (
            self.item.get(v) == self.item.get(u) and all(b and not b.inner for b in blocks)
        )

    def sources(self, v: Value) -> Iterator[Value]:
        """The values whose memory a step reads; those that are written where they are read, through theirs."""
        for x in v.operands:
            x = memory(x)
            if x in self._inline:
                yield from self.sources(x)
            else:
                yield x

    def _end_of_checks(self) -> None:
        self._barrier = len(self.items)
        self.items.append(Barrier())

    def _append(self, item: Product | Call) -> None:
        self.item[item.step] = len(self.items)
        self.items.append(item)

    def _updates(self, order: Sequence[Value], is_product: Callable[[Value], bool]) -> dict[Value, Value]:
        """Updates `w − a b`, each with its product, which nothing else reads: BLAS adds to what is there."""
        count: dict[Value, int] = {}
        for v in order:
            for x in self.sources(v):
                count[x] = count.get(x, 0) + 1
        found = {}
        for v in order:
            target = self._changed.get(v)
            if target is not None and v.operation == steps.SUBTRACT and v.inputs[0] is target:
                x = v.inputs[1]
                single = isinstance(x, Value) and count.get(x) == 1 and x.shape == v.shape and x.dtype == v.dtype
                if single and x in order and is_product(x):
                    found[v] = x
        return found

    def _into_loops(self, v: Value) -> None:
        first = max((self.item[x] for x in self.sources(v) if x in self.item), default=0)
        if v in self._changed:
            first = max(first, self._barrier + 1)
        size = loops(v)
        rows = size[0] if size else None
        for at in range(len(self.items) - 1, first - 1, -1):
            item = self.items[at]
            if isinstance(item, Nest) and item.rows == rows and self._fits(v, item, at):
                break
        else:
            at, item = len(self.items), Nest(rows)
            self.items.append(item)
        assert isinstance(item, Nest)
        self.item[v] = at
        self.block[v] = block = self._block(v, item, size[1:])
        block.steps.append(v)

    def _fits(self, v: Value, nest: Nest, at: int) -> bool:
        """Whether a step may go into a nest: it reads the present row alone of what is made there."""
        made = [self.read(v, x) for x in v.operands if not x.is_number]
        reads = [r for some in made for r in some]
        for r in reads:
            if self.item.get(r.value) == at and not self._in_row(r):
                return False
        if nest.rows is None:
            return True
        return self._share(reads, nest.steps)

    def _share(self, reads: list[Read], others: Sequence[Value]) -> bool:
        """Whether one of these is made or read by other steps."""
        shared = {x for u in others for x in (u, *self.sources(u))}
        return any(r.value in shared for r in reads)

    def _in_row(self, r: Read) -> bool:
        p = r.value
        if r.shape != p.shape or folds_rows(p):
            return False
        return all(i == 0 for i, own in zip(r.axes, result_index(p), strict=True) if own == 0)

    def read(self, v: Value, x: Value) -> list[Read]:
        """What a step reads for an operand; of one that is written where it is read, what that one reads."""
        r = read(v, x)
        return self._through(r) if r.value in self._inline else [r]

    def _through(self, r: Read) -> list[Read]:
        return [q for y in r.value.operands for q in self.inlined(r, y)]

    def inlined(self, r: Read, y: Value) -> list[Read]:
        """How an inlined value, which is read at some index, reads an operand of its own."""
        q = inner_read(r, y)
        return self._through(q) if q.value in self._inline else [q]

    def _block(self, v: Value, nest: Nest, inner: tuple[int, ...]) -> Block:
        """The loop of a row for a step: the first that comes late enough, and reads some of the same."""
        reads = [r for x in v.operands if not x.is_number for r in self.read(v, x)]
        first = 0
        for r in reads:
            made = self.block.get(r.value)
            if made in nest.blocks:
                together = made.inner == inner and r.axes == result_index(r.value) and not folds(r.value)
                first = max(first, nest.blocks.index(made) + (not together))
        for block in nest.blocks[first:]:
            if block.inner == inner and (not inner or self._share(reads, block.steps)):
                return block
        block = Block(inner)
        nest.blocks.append(block)
        return block


def inner_read(r: Read, y: Value) -> Read:
    """How a value that is read at some index reads an operand of its own there."""
    index = r.axes[len(r.axes) - len(y.shape) :] if len(y.shape) <= len(r.axes) else (*r.axes, LABEL)
    return reached(y, tuple(-1 if n == 1 else i for n, i in zip(y.shape, index, strict=True)))
