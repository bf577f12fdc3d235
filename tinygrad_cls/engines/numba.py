"""The program as machine code: loops in the place of NumPy's calls, compiled by numba.

Steps that loops can do run in as few as possible (`fusion.py`), matrix products are BLAS's, and what is neither stays a
call of NumPy, between two pieces of machine code. Values that one loop makes and reads itself are numbers in registers;
what one row makes for itself has the memory of a row; only the rest are arrays. Nothing is allocated in a step but
what it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numba.np.ufunc_db import get_ufuncs

from ..compiling import steps
from ..compiling.plan import Buffer, Change, Place, Plan, found_buffer, memory
from ..compiling.program import Form, Value
from ..compiling.work import Check, Program, Work, code
from ..engine.backward import inputs_first
from ..engine.operation import Kind
from ..engine.operations import OPERATIONS
from ..engine.operations.checks import ClassNumbers
from ..engine.tensor import Array
from . import machine, numpy
from .faster import FORMS as FASTER
from .fusion import (
    Barrier,
    Block,
    Call,
    Nest,
    Product,
    Read,
    Schedule,
    computed_in,
    domain,
    folds,
    folds_rows,
    inner_read,
    is_reduction,
    loops,
    read,
    result_index,
)

FORMS: Mapping[str, Form] = {name: form for name, form in FASTER.items() if name != steps.SUM}
"""What loops want another form of: all but sums, which are loops themselves."""
_UFUNCS = get_ufuncs()
_DTYPES = frozenset("fd?bhilqBHI")  # that loops compute with
_SIGNS = {"+": "+", "−": "-", "×": "*", "÷": "/", "=": "==", "≠": "!=", "<": "<", "≤": "<=", ">": ">", "≥": ">="}
_LETTERS = "ijklno"  # of loops
_FOLDS = {o.name: o.spelling.partition(".")[0] for o in OPERATIONS.values() if o.spelling.endswith(".reduce")}
_LONG = 4096  # elements; longer sums of single numbers are added up in double


def written(work: Work) -> Program:
    """The program as loops."""
    ends = work.ends.with_old_values_kept(work.builder)
    return Emitter(work._replace(ends=ends)).program()


def bound(program: Program, held: Sequence[Array]) -> Callable[..., Any]:
    """The step over these arrays."""
    kernels, mark, rest = program.source.partition("\ndef bind(")
    namespace = {**program.helpers, **machine.compiled(kernels), "addresses": machine.addresses}
    exec(code(mark + rest), namespace)
    step: Callable[..., Any] = namespace["bind"](np, tuple(held), tuple(program.constants))
    return step


# --- what loops can do ------------------------------------------------------------------------------------------------


def _is_loop(v: Value) -> bool:
    if not v.size or any(x.dtype.char not in _DTYPES or not x.size for x in (v, *v.operands)) or len(loops(v)) > 6:
        return False
    operation = OPERATIONS.get(v.operation)
    if is_reduction(v):
        return _folds(v)
    if v.operation in (steps.ASTYPE, steps.COPY):
        return v.dtype.kind in "fb" or v.operands[0].dtype.kind != "f"  # nan as an integer is as NumPy makes it
    if v.operation in (steps.WHERE, steps.SPREAD_MEAN):
        return True
    if operation is None or operation.kind is not Kind.ELEMENTWISE:
        return False
    if operation.ufunc is None:
        return hasattr(machine, operation.name) and v.dtype.kind == "f"
    if operation.ufunc not in _UFUNCS:
        return False
    if v.dtype.kind == "f" or operation.boolean:
        return True
    return v.dtype.kind == "i" and operation.symbol in ("+", "−", "×", "max", "min")


def _folds(v: Value) -> bool:
    """Whether a reduction folds all loops within a row, or the rows."""
    (x,) = v.operands
    gone, inner = folds(v), set(range(1, len(loops(v))))
    if v.operation not in _FOLDS or (v.dtype.kind not in "fi") or (v.operation != steps.SUM and x.dtype != v.dtype):
        return False
    return not gone or gone >= inner or 0 in gone


def _is_product(v: Value) -> bool:
    if v.operation != steps.MATMUL or v.dtype.char not in "fd" or not v.size:
        return False
    fit = all(x.dtype == v.dtype and len(x.shape) <= 2 and x.size for x in v.operands)
    return fit and len(v.operands) == 2 and None not in _matrices(v)


def _matrices(v: Value) -> list[tuple[Read, bool, int] | None]:
    a, b = v.operands
    return [_matrix(a, (1, *a.shape)[-2:]), _matrix(b, (*b.shape, 1)[:2])]


def _matrix(x: Value, shape: tuple[int, int]) -> tuple[Read, bool, int] | None:
    """How BLAS reads a matrix: whose memory, whether turned, and how far from row to row; None where it cannot."""
    r = _all_axes(x)
    if r is None:
        return None
    at = {i: int(np.prod(r.shape[a + 1 :])) for a, i in enumerate(r.index) if i >= 0}
    own = [at.get(a) for a in range(len(x.shape))]
    across, along = own if len(own) == 2 else (None, own[0]) if shape[0] == 1 and len(own) == 1 else (own[0], None)
    if any(s is None and n != 1 for s, n in zip((across, along), shape, strict=True)):
        return None
    if along == 1 or shape[1] == 1:
        return r, False, max(across or 1, shape[1]) if shape[0] > 1 else shape[1]
    if across == 1 or shape[0] == 1:
        return r, True, max(along or 1, shape[0])
    return None


def _all_axes(x: Value) -> Read | None:
    """The memory of a matrix with the axis that each of its own is, those of one place included."""
    r = inner_read(Read(x, x.shape, tuple(range(len(x.shape)))), x)
    repeated = int(np.prod(r.shape)) != x.size
    return None if repeated else r


# --- the text ---------------------------------------------------------------------------------------------------------


class Emitter(numpy.Emitter):
    """Writes one program."""

    _reserved = frozenset(dir(machine)) | {*_LETTERS, "at", "arrays", "failed", "bool", "bool_", "addresses"}
    _as_number = "[()]"  # single numbers that NumPy makes have memory: machine code reads them there

    def __init__(self, work: Work) -> None:
        ends = work.ends
        order = inputs_first(
            [
                *ends.checked,
                *ends.shown,
                *(x for _, v in ends.changes for x in v.operands),
                *(v for _, v in ends.changes),
            ],
            lambda v: v.operands,
        )
        computed = [v for v in order if v.operation not in ("input", "constant") and memory(v) is v and not v.is_number]
        changed = {v: target for target, v in ends.changes}
        self.inline = _inlined(computed, ends.all)
        order = [v for v in computed if v not in self.inline]
        self.schedule = Schedule(order, _is_loop, _is_product, self.inline.__contains__, ends.checked, changed)
        self.readers = self._readers()
        self.segment = self._segments(ends.checks)
        in_place, copied = self._in_place(ends.changes)
        made = list(self.schedule.item)
        self.rows = {v for v in made if self._needs(v) == "row"}
        outside = {memory(v) for v in (*ends.shown, *ends.checked, *(v for _, v in copied))}
        self.full = {v for v in made if v in outside or self._needs(v) == "array"}
        place, sizes = self._placed(in_place, outside)
        self.kernel: list[str] = []
        self.kernels: list[str] = []
        self.asked: list[str] = []  # what raises where a check of the kernel failed
        self.flat = False  # whether the present loops run over all elements at once
        self.given: dict[Any, tuple[str, str]] = {}  # what the kernel is called with: a name, and its type
        self.addressed: list[str] = []  # arrays by the number of their address
        self.arrays: dict[Any, str] = {}  # what the kernel calls an array
        self.head: list[str] = []
        super().__init__(Plan([v for item in self.schedule.items for v in item.steps], place, sizes, copied), work)

    # --- where values are ---------------------------------------------------------------------------------------------

    def _readers(self) -> dict[Value, list[tuple[Value, int, Read | None]]]:
        """Who reads a value, in which item, and in loops at which index."""
        found: dict[Value, list[tuple[Value, int, Read | None]]] = {}
        for at, item in enumerate(self.schedule.items):
            for v in item.steps:
                if isinstance(item, Nest):
                    for r in (r for x in v.operands if not x.is_number for r in self.schedule.read(v, x)):
                        found.setdefault(r.value, []).append((v, at, r))
                else:
                    operands = [*v.operands, *(item.product.operands if isinstance(item, Product) else ())]
                    for x in map(memory, operands):
                        found.setdefault(x, []).append((v, at, None))
        return found

    def _segments(self, checks: Sequence[Check]) -> list[int]:
        """For each item the number of its piece of machine code."""
        numbers, n = [], 0
        asks = any(not self._in_kernel(condition, values) for condition, values in checks)
        for item in self.schedule.items:
            n += isinstance(item, Call) or (isinstance(item, Barrier) and asks)
            numbers.append(n)
            n += isinstance(item, Call)
        return numbers

    def _needs(self, v: Value) -> str:
        """What a value needs: "array", "row" for the memory of one row, "" for a number that is not kept."""
        at = self.schedule.item[v]
        nest = self.schedule.items[at]
        if not isinstance(nest, Nest):
            return "array"
        need = "array" if folds_rows(v) and v.size > 1 else ""
        for u, there, r in self.readers.get(v, []):
            if r is None or r.shape != v.shape:
                return "array"
            if there != at:
                if v.size > 1 or self.segment[there] != self.segment[at]:
                    return "array"
            elif not self._together(v, u, r) and any(i > 0 for i in result_index(v)):
                need = need or "row"
        return need

    def _together(self, v: Value, u: Value, r: Read) -> bool:
        """Whether a step reads in the same pass through a loop what that loop makes."""
        same = self.schedule.block.get(v) is self.schedule.block.get(u)
        return same and r.index == result_index(v) and not folds(v)

    def _in_place(self, changes: Sequence[Change]) -> tuple[dict[Value, Value], list[Change]]:
        in_place: dict[Value, Value] = {}
        copied = []
        for target, v in changes:
            fits = v in self.schedule.item and (v.shape, v.dtype) == (target.shape, target.dtype)
            if fits and v not in in_place and self.schedule.written_later(v) and self._may_write(v, target):
                in_place[v] = target
            else:
                copied.append((target, v))
        return in_place, copied

    def _may_write(self, v: Value, target: Value) -> bool:
        """Whether nobody reads the old value after the new one is written."""
        at = self.schedule.item[v]
        item = self.schedule.items[at]
        if isinstance(item, Call) or (isinstance(item, Product) and item.product is v) or folds(v):
            return False
        for u, there, r in self.readers.get(target, []):
            if there > at:
                return False
            if there == at and isinstance(item, Nest):
                block = self.schedule.block[v]
                if self.schedule.block.get(u) is not block or block.steps.index(u) > block.steps.index(v):
                    return False
                if r is None or r.shape != target.shape or r.index != result_index(v):
                    return False
        if isinstance(item, Product):
            return all(memory(x) is not target for x in item.product.operands)
        return True

    def _placed(self, in_place: dict[Value, Value], outside: set[Value]) -> tuple[dict[Value, Place], list[int]]:
        place: dict[Value, Place] = {}
        sizes: list[int] = []
        free: list[Buffer] = []
        last: dict[int, list[Buffer]] = {}
        for at, item in enumerate(self.schedule.items):
            for v in item.steps:
                if v in in_place:
                    place[v] = in_place[v]
                elif v in self.full or v in self.rows:
                    size = v.size if v in self.full else int(np.prod(loops(v)[1:]))
                    place[v] = buffer = found_buffer(size * v.dtype.itemsize, sizes, free)
                    until = max((there for _, there, _ in self.readers.get(v, [])), default=at)
                    if v not in outside:
                        last.setdefault(max(until, at), []).append(buffer)
            free += last.get(at, [])
        return place, sizes

    # --- the program --------------------------------------------------------------------------------------------------

    def program(self) -> Program:
        """The text and what goes with it."""
        for number, size in enumerate(self.plan.sizes):
            self.once.append(f"memory{number} = np.empty({size}, np.uint8)")
        self._draw()
        asked = [self._in_kernel(condition, values) for condition, values in self.checks]
        for inside, (condition, values) in zip(asked, self.checks, strict=True):
            if not inside and all(memory(v).operation in ("input", "constant") for v in values):
                self._check(condition, values)
        for inside, (condition, values) in zip(asked, self.checks, strict=True):
            if inside:
                self._ask(condition, values)
        for item in self.schedule.items:
            if isinstance(item, Call):
                self._end_kernel()
                self._step(item.step)
            elif isinstance(item, Barrier):
                for inside, (condition, values) in zip(asked, self.checks, strict=True):
                    if not inside and any(memory(v) in self.schedule.item for v in values):
                        self._end_kernel()
                        self._check(condition, values)
            else:
                for v in item.steps:
                    self._reserve(v)
                self._nest(item) if isinstance(item, Nest) else self._product(item)
        self._end_kernel()
        self._finish()
        self.once += [f"arrays = ({''.join(f'{name}, ' for name in self.addressed)})", "at = addresses(*arrays)"]
        self.last.append("step.arrays = arrays  # which live as long as their addresses are used")
        return Program(self._text(), [v.source for v in self.constants], self.helpers)

    def _text(self) -> str:
        return "\n\n".join([*self.kernels, super()._text()])

    def _reserve(self, v: Value) -> None:
        """The memory of a result."""
        place = self.plan.place.get(v)
        if isinstance(place, Buffer):
            shape = v.shape if v in self.full else loops(v)[1:]
            self._place_line(v, place, shape)

    def _end_kernel(self) -> None:
        """Call what was collected so far."""
        if not self.kernel:
            return
        name = f"run{len(self.kernels) + 1}"
        parameters = ["at", *(name for name, _ in self.given.values())]
        types = ", ".join(["int64[::1]", *(kind for _, kind in self.given.values())])
        body = "\n".join(f"    {line}" for line in [*self.head, *self.kernel, "return 0"])
        first = "# made by tg.compile: machine code\n" if not self.kernels else ""
        text = f'{first}@machine_code("int64({types})")\ndef {name}({", ".join(parameters)}):\n{body}\n'
        self.kernels.append(text)
        called = [
            self._scalar(key, None) if isinstance(key, Value) and key.is_number else name
            for key, (name, _) in self.given.items()
        ]
        call = f"{name}({', '.join(['at', *called])})"
        if self.asked:
            self.always.append(f"failed = {call}")
            self.always += [f"if failed == {n}: {check}" for n, check in enumerate(self.asked, 1)]
        else:
            self.always.append(call)
        self.kernel, self.head, self.given, self.arrays, self.asked = [], [], {}, {}, []

    # --- checks -------------------------------------------------------------------------------------------------------

    def _in_kernel(self, condition: Any, values: Sequence[Value]) -> bool:
        """Whether a check is done by machine code: of class numbers that are given."""
        return (
            isinstance(condition, ClassNumbers)
            and values[0].operation == "input"
            and values[0].size > 0
            and (values[0].dtype.char in _DTYPES)
        )

    def _ask(self, condition: ClassNumbers, values: Sequence[Value]) -> None:
        (v,) = values
        key = f"check{len(self.helpers)}"
        self.helpers[key] = condition
        label = self._element(Read(v, (v.size,), (0,)))
        wrong = f"({label} < 0 or {label} >= {condition.num_classes})"
        if condition.ignore_index is not None:
            wrong += f" and {label} != {condition.ignore_index}"
        self.asked.append(f"{key}({self._use(v)})")
        self.kernel += [
            f"for i in range({v.size}):  # each label is a class number",
            f"    if {wrong}:",
            f"        return {len(self.asked)}",
        ]

    # --- loops --------------------------------------------------------------------------------------------------------

    def _nest(self, nest: Nest) -> None:
        self.flat = self._is_flat(nest)
        before: list[str] = []
        body: list[str] = []
        after: list[str] = []
        for block in nest.blocks:
            self._block(block, before, body, after)
        if nest.rows is None:
            self.kernel += body
            return
        rows = nest.steps[0].size if self.flat else nest.rows
        self.kernel += [*before, f"for {_LETTERS[0]} in range({rows}):", *(f"    {line}" for line in body), *after]
        self.flat = False

    def _is_flat(self, nest: Nest) -> bool:
        """Whether all its arrays are read and written from the first element to the last."""
        whole = tuple(range(len(loops(nest.steps[0]))))
        if len(whole) < 2 or len(nest.blocks) > 1:
            return False
        reads = [r for v in nest.steps for x in v.operands if not x.is_number for r in self.schedule.read(v, x)]
        indices = [tuple(i for i in r.index if i >= 0) for r in reads if self._together_or_outside(r, nest)]
        steps_whole = all(not folds(v) and loops(v) == loops(nest.steps[0]) for v in nest.steps)
        counted = any(_counts(r.value) for r in reads)
        return steps_whole and not counted and all(index in (whole, ()) for index in indices)

    def _together_or_outside(self, r: Read, nest: Nest) -> bool:
        return r.value not in nest.steps

    def _block(self, block: Block, before: list[str], body: list[str], after: list[str]) -> None:
        lines: list[str] = []
        first: list[str] = []
        last: list[str] = []
        for v in block.steps:
            self._made(v, block, lines, (before, after) if folds_rows(v) else (first, last))
        body.append("# " + _printable("; ".join(self._said(v) for v in block.steps)))
        body += first
        inner = () if self.flat else block.inner
        for depth, n in enumerate(inner):
            body.append("    " * depth + f"for {_LETTERS[depth + 1]} in range({n}):")
        body += ["    " * len(inner) + line for line in lines]
        body += last

    def _made(self, v: Value, block: Block, lines: list[str], ends: tuple[list[str], list[str]]) -> None:
        """The lines of one step."""
        if folds(v):
            self._folded(v, lines, ends)
            return
        targets = []
        if any(r is not None and self._is_local(v, u, r) for u, _, r in self.readers.get(v, [])):
            targets.append(self._local(v))
        if v in self.full or v in self.rows or v in self.plan.place:
            targets.append(self._element(Read(v, v.shape, result_index(v)), v in self.rows and v not in self.full))
        text = self._expression(v, lambda x: read(v, x), v)
        lines.append(" = ".join([*targets, text]) if targets else text)

    def _folded(self, v: Value, lines: list[str], ends: tuple[list[str], list[str]]) -> None:
        (x,) = v.operands
        first, last = ends
        wide = (
            v.dtype.char == "f" and domain(v) and int(np.prod(domain(v))) // v.size > _LONG and v.operation == steps.SUM
        )
        dtype = np.dtype(np.float64) if wide else v.dtype
        element = self._value(read(v, x), dtype, v)
        start = _literal(0 if v.operation == steps.SUM else _least(dtype, v.operation), dtype)
        index = result_index(v)
        kept = [i for i in index if i > 0]
        if kept and folds_rows(v):
            total = self._element(Read(v, v.shape, index))
            lengths = loops(v)
            for depth, i in enumerate(kept):
                first.append("    " * depth + f"for {_LETTERS[i]} in range({lengths[i]}):")
            first.append("    " * len(kept) + f"{total} = {start}")
            lines.append(f"{total} = {self._folding(v, total, element)}")
            return
        total = self._local(v)
        adding = total + "_sum" if wide else total
        first.append(f"{adding} = {start}")
        lines.append(f"{adding} = {self._folding(v, adding, element)}")
        if wide:
            last.append(f"{total} = {_cast(adding, v.dtype)}")
        if v in self.full or v in self.plan.place:
            last.append(f"{self._element(Read(v, v.shape, index))} = {total}")

    def _folding(self, v: Value, total: str, element: str) -> str:
        name = _FOLDS[v.operation]
        if v.operation == steps.SUM:
            return f"plus({total}, {element})" if v.dtype.kind == "f" else f"{total} + {element}"
        return f"np.{name}({total}, {element})"

    def _is_local(self, p: Value, u: Value, r: Read) -> bool:
        """Whether a step finds a value that was made as a number, and not in an array."""
        there, at = self.schedule.item[p], self.schedule.item[u]
        if not isinstance(self.schedule.items[there], Nest):
            return False
        if there == at and not folds_rows(p):
            return self._together(p, u, r) or not any(i > 0 for i in result_index(p))
        return (
            p.size == 1
            and there != at
            and self.segment[there] == self.segment[at]
            and (not loops(p) or len(folds(p)) == len(loops(p)))
        )

    # --- expressions --------------------------------------------------------------------------------------------------

    def _expression(self, v: Value, reading: Callable[[Value], Read], user: Value) -> str:
        """What a step computes from its operands.

        Args:
            v: the step.
            reading: how it reads an operand.
            user: the step whose line this is in: `v` itself, or what reads it where it is written in place.
        """
        operation = OPERATIONS.get(v.operation)

        def given(x: Any, dtype: np.dtype[Any]) -> str:
            if not isinstance(x, Value):
                return _literal(x, dtype)
            return self._number_given(x, dtype) if x.is_number else self._value(reading(x), dtype, user)

        if v.operation in (steps.ASTYPE, steps.COPY) or is_reduction(v):
            return given(v.inputs[0], v.dtype)
        if v.operation == steps.SPREAD_MEAN:
            (x,) = v.operands
            return f"{given(x, v.dtype)} * {_literal(1 / (v.size // x.size), v.dtype)}"
        if v.operation == steps.WHERE:
            condition = v.inputs[0]
            asked = given(condition, condition.dtype if isinstance(condition, Value) else np.dtype(bool))
            return f"{_in(given(v.inputs[1], v.dtype))} if {_in(asked)} else {_in(given(v.inputs[2], v.dtype))}"
        assert operation is not None
        dtypes = computed_in(v)
        operands = [given(x, dtype) for x, dtype in zip(v.inputs, dtypes, strict=False)]
        if operation.ufunc is not None and operation.symbol in _SIGNS:
            sign = _SIGNS[operation.symbol]
            text = f"{_in(operands[0])} {sign} {_in(operands[1])}" if len(operands) > 1 else f"{sign}{_in(operands[0])}"
        elif v.operation == steps.POWER and v.inputs[1] in (2, 2.0) and v.dtype.kind == "f":
            text = f"np.square({operands[0]})"
        else:
            name = operation.name if hasattr(machine, operation.name) else f"np.{operation.spelling}"
            text = f"{name}({', '.join(operands)})"
        return _cast(text, v.dtype) if dtypes[-1] != v.dtype or v.dtype.kind in "iu" else text

    def _value(self, r: Read, dtype: np.dtype[Any], user: Value) -> str:
        """The element that is read, as a number of this dtype."""
        p = r.value
        if p in self.inline and p not in self.schedule.item:
            text = _in(self._expression(p, lambda y: inner_read(r, y), user))
        elif p.operation == "constant" and p.dtype.kind in "iub" and _counts(p) and r.index != (-1,):
            return _cast(_LETTERS[r.index[0]], dtype)
        elif p.operation == "constant" and (p.source == p.source.flat[0]).all():
            return _literal(p.source.flat[0].item(), dtype)
        elif p in self.schedule.item and self._is_local(p, user, r):
            text = self._local(p)
        else:
            text = self._element(r, p in self.rows and p not in self.full)
        return text if p.dtype == dtype else _cast(text, dtype)

    def _number_given(self, x: Value, dtype: np.dtype[Any]) -> str:
        """A number of an optimiser's rule, or what is worked out from such."""
        if x.operation == "constant":
            return _literal(x.source.item(), dtype)
        if x not in self.given:
            text = self._arithmetic(x)
            name = (
                text
                if text.isidentifier()
                else self.names.get(("given", x)) or self._name(("given", x), text.strip("()").replace(" / ", "_over_"))
            )
            self.given[x] = (name, "float64")
        name = self.given[x][0]
        return _cast(name, dtype)

    def _local(self, p: Value) -> str:
        key = ("local", p)
        if key not in self.names:
            stored = p in self.full or p in self.rows or p in self.plan.place
            depth = len([i for i in result_index(p) if i >= 0])
            self._name(key, self.names[p] + ("_" + _LETTERS[:depth] if depth else "_now")) if stored else None
            self.names.setdefault(key, self.names[p])
        return self.names[key]

    def _element(self, r: Read, row: bool = False) -> str:
        """An element of an array."""
        index, shape, v = r.index, r.shape, r.value
        if v.operation == "input" and v.source[0] == "argument" and not v.shape:
            return f"{self._array(v, ())}[()]"
        if row:
            index, shape = tuple(i for i in index if i > 0), loops(v)[1:]
        if self.flat:
            index, shape = (0 if any(i >= 0 for i in index) else -1,), (v.size,)
        name = self._array(v, shape)
        places = ", ".join(_LETTERS[i] if i >= 0 else "0" for i in index)
        return f"{name}[{places or '0'}]"  # single numbers are seen as one place

    def _array(self, v: Value, shape: tuple[int, ...]) -> str:
        """What the kernel calls an array, seen in some shape."""
        place = self.plan.place.get(v)
        owner = place if isinstance(place, Value) else v
        key = (owner, shape)
        if key in self.arrays:
            return self.arrays[key]
        name = self._use(owner)
        argument = owner.operation == "input" and owner.source[0] == "argument"
        if argument and owner not in self.given:
            self._take(owner, name)
        if argument and shape == owner.shape:
            self.arrays[key] = name
            return name
        own = shape == owner.shape or (v in self.rows and v not in self.full)
        known = own or ("shaped", owner, shape) in self.names
        seen = (
            name
            if own
            else self.names[("shaped", owner, shape)]
            if known
            else self._name(("shaped", owner, shape), name + "_flat" * (len(shape) == 1) + "_r" * (len(shape) != 1))
        )
        if argument:
            self.head.append(f"{seen} = {name}.reshape({shape})")
        else:
            if name not in self.addressed:
                self.addressed.append(name)
            number = self.addressed.index(name) + 2
            self.head.append(f"{seen} = array(at, {number}, {shape or (1,)}, {_type(owner.dtype)})")
        self.arrays[key] = seen
        return seen

    def _take(self, v: Value, name: str) -> None:
        """An argument, which may lie in any order."""
        kind = _numba_type(v.dtype)
        if not v.shape:
            self.given[v] = (name, f"Array({kind}, 0, 'A')")
            return
        self.given[v] = (name, f"{kind}[{', '.join(':' * len(v.shape))}]")
        key = ("spare", v)
        if key not in self.names:
            self.once.append(
                f"{self._name(key, name + '_in_order')} = np.empty({v.shape}, {numpy.dtype_name(v.dtype)})"
            )
            self.addressed.append(self.names[key])
        number = self.addressed.index(self.names[key]) + 2
        self.head.append(f"{name} = in_order({name}, array(at, {number}, {v.shape}, {_type(v.dtype)}))")

    # --- products -----------------------------------------------------------------------------------------------------

    def _product(self, item: Product) -> None:
        v, product = item.step, item.product
        a, b = _matrices(product)
        assert a is not None
        assert b is not None
        left, right = product.operands
        m, k = (1, *left.shape)[-2:]
        n = (*right.shape, 1)[1]
        out = self._array(v, v.shape)
        said = self._said(v) if v is product else f"{self._said(v, product)}"
        adds = v is not product
        if adds and not isinstance(self.plan.place[v], Value):
            target = self._array(memory(v.operands[0]), v.shape)
            self.kernel.append(f"{out}[...] = {target}")
        (ra, turned_a, lda), (rb, turned_b, ldb) = a, b
        operands = f"{turned_a}, {self._array(ra.value, ra.shape)}, {lda}, {turned_b}, {self._array(rb.value, rb.shape)}, {ldb}"
        self.kernel.append(f"# {_printable(said)}")
        self.kernel.append(f"gemm(at, {operands}, ({m}, {n}, {k}), {adds}, {out})")

    def _said(self, v: Value, product: Value | None = None) -> str:
        """What a step computes, in the names of the graph."""
        place = self.plan.place.get(v)
        target = f"{place.name or self.names[place]} ←" if isinstance(place, Value) else f"{self.shown[v]} ="
        formula = self._formula(v) if product is None else f"{self._letter(v.inputs[0])} − {self._formula(product)}"
        return f"{target} {formula}"

    def _letter(self, x: Any) -> str:
        if isinstance(x, Value) and x in self.inline and x not in self.shown:
            return x.name or self._formula(x)
        return super()._letter(x)


def _inlined(order: Sequence[Value], ends: Sequence[Value]) -> set[Value]:
    """Truth values of what is given, and casts of them: written where they are read, if loops alone read them."""
    found: set[Value] = set()
    for v in order:
        asks = OPERATIONS[v.operation].boolean if v.operation in OPERATIONS else False
        asks = asks or (v.operation == steps.ASTYPE and v.operands[0].dtype == bool)
        given = all(_is_given(memory(x)) or memory(x) in found for x in v.operands)
        if asks and given and _is_loop(v):
            found.add(v)
    kept = {memory(v) for v in ends}
    for v in order:
        for x in v.operands:
            if not _is_loop(v) or (memory(x) is not x and read(v, x).shape != memory(x).shape):
                kept.add(memory(x))
    return found - kept


def _is_given(x: Value) -> bool:
    return x.operation == "constant" or (x.operation == "input" and x.source[0] == "argument")


def _counts(x: Value) -> bool:
    """Whether it is the numbers 0, 1, 2, …: what the loop counts itself."""
    return (
        x.operation == "constant"
        and x.dtype.kind in "iu"
        and len(x.shape) == 1
        and x.size > 1
        and bool((x.source == np.arange(x.size)).all())
    )


def _literal(x: Any, dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return str(bool(x))
    text = repr(float(x)) if dtype.kind == "f" else repr(int(x))
    text = f"np.{text}" if text in ("inf", "nan") else "-np.inf" if text == "-inf" else text
    return text if dtype.char in "dl" else _cast(text, dtype)


def _least(dtype: np.dtype[Any], name: str) -> Any:
    """What no element is beyond, to begin with."""
    largest = _FOLDS[name] == OPERATIONS[steps.MAXIMUM].spelling
    if dtype.kind == "f":
        return -np.inf if largest else np.inf
    return np.iinfo(dtype).min if largest else np.iinfo(dtype).max


def _cast(text: str, dtype: np.dtype[Any]) -> str:
    return f"({text} != 0)" if dtype.kind == "b" else f"{_type(dtype)}({text})"


def _in(text: str) -> str:
    """Text that may stand between operators."""
    whole = text.isidentifier() or (text.endswith((")", "]")) and " " not in text.partition("(")[0].partition("[")[0])
    depth = 0
    for n, c in enumerate(text):  # a name and its brackets alone
        depth += (c in "([") - (c in ")]")
        if depth == 0 and c in ")]" and n < len(text) - 1:
            whole = False
    return text if whole else f"({text})"


def _type(dtype: np.dtype[Any]) -> str:
    return "bool_" if dtype.kind == "b" else dtype.name


def _numba_type(dtype: np.dtype[Any]) -> str:
    return "boolean" if dtype.kind == "b" else dtype.name


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
