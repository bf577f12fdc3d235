"""The program as machine code: loops in the place of NumPy's calls, compiled by numba.

Steps that loops can do run in as few as possible (`fusion.py`), matrix products are BLAS's, and what is neither stays a
call of NumPy, between two pieces of machine code. Values that one loop makes and reads itself are numbers in registers;
what one row makes for itself has the memory of a row; only the rest are arrays. Nothing is allocated in a step but
what it returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..compiling import steps
from ..compiling.plan import Buffer, memory
from ..compiling.program import Form, Value
from ..compiling.work import Program, Work, code
from ..engine.operations import OPERATIONS
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
    computed_in,
    folds,
    folds_rows,
    inner_read,
    is_reduction,
    loops,
    read,
    result_index,
)
from .placing import Places, is_small
from .spelling import FOLDS, bracketed, cast, counts, least, literal, matrices, numba_type, printable, type_name

FORMS: Mapping[str, Form] = {name: form for name, form in FASTER.items() if name != steps.SUM}
"""What loops want another form of: all but sums, which are loops themselves."""
_SIGNS = {"+": "+", "−": "-", "×": "*", "÷": "/", "=": "==", "≠": "!=", "<": "<", "≤": "<=", ">": ">", "≥": ">="}
_LETTERS = "ijklno"  # of loops
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
    laid = tuple(x if x.flags.c_contiguous and x.flags.aligned else np.array(x, order="C") for x in held)
    step: Callable[..., Any] = namespace["bind"](np, laid, tuple(program.constants))
    copies = [(own, x) for own, x in zip(laid, held, strict=True) if own is not x]
    if not copies:
        return step

    def with_copies(*given: Any) -> Any:
        for own, x in copies:  # which may have changed
            own[...] = x
        return step(*given)

    return with_copies


# --- the text ---------------------------------------------------------------------------------------------------------


class Emitter(numpy.Emitter):
    """Writes one program."""

    _reserved = frozenset(dir(machine)) | {*_LETTERS, "at", "arrays", "failed", "bool", "bool_", "addresses"}
    _as_number = "[()]"  # single numbers that NumPy makes have memory: machine code reads them there

    def __init__(self, work: Work) -> None:
        self.places: Places = Places(work.ends)
        self.kernel: list[str] = []
        self.kernels: list[str] = []
        self.asked: list[str] = []  # what raises where a check of the kernel failed
        self.nests: int = 0
        self.row_head: list[str] = []  # what is read once a row
        self.is_inner: bool = False  # whether the present lines are in an inner loop
        self.flat: bool = False  # whether the present loops run over all elements at once
        self.given: dict[Any, tuple[str, str]] = {}  # what the kernel is called with: a name, and its type
        self.addressed: list[str] = []  # arrays by the number of their address
        self.arrays: dict[Any, str] = {}  # what the kernel calls an array
        self.head: list[str] = []
        super().__init__(self.places.plan, work)

    # --- the program --------------------------------------------------------------------------------------------------

    def program(self) -> Program:
        """The text and what goes with it."""
        for number, size in enumerate(self.plan.sizes):
            self.once.append(f"memory{number} = np.empty({size}, np.uint8)")
        self._draw()
        asked = [self.places.in_kernel(condition, values) for condition, values in self.checks]
        for inside, (condition, values) in zip(asked, self.checks, strict=True):
            if not inside and all(memory(v).operation in ("input", "constant") for v in values):
                self._check(condition, values)
        for inside, (condition, values) in zip(asked, self.checks, strict=True):
            if inside:
                self._ask(condition, values)
        for item in self.places.schedule.items:
            if isinstance(item, Call):
                self._end_kernel()
                self._step(item.step)
            elif isinstance(item, Barrier):
                for inside, (condition, values) in zip(asked, self.checks, strict=True):
                    if not inside and any(memory(v) in self.places.schedule.item for v in values):
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
            shape = loops(v)[1:] if v in self.places.row_values else v.shape
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

    def _ask(self, condition: Any, values: Sequence[Value]) -> None:
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
        self.flat = self.places.is_flat(nest)
        self.row_head, self.nests = [], self.nests + 1
        before: list[str] = []
        body: list[str] = []
        after: list[str] = []
        for block in nest.blocks:
            self._block(block, before, body, after)
        if nest.rows is None:
            self.kernel += body
            return
        rows = nest.steps[0].size if self.flat else nest.rows
        self.kernel += [
            *before,
            f"for {_LETTERS[0]} in range({rows}):",
            *(f"    {line}" for line in [*self.row_head, *body]),
            *after,
        ]
        self.flat = False

    def _block(self, block: Block, before: list[str], body: list[str], after: list[str]) -> None:
        lines: list[str] = []
        first: list[str] = []
        last: list[str] = []
        self.is_inner = bool(block.inner) and not self.flat
        for v in block.steps:
            self._made(v, block, lines, (before, after) if folds_rows(v) else (first, last))
        body.append("# " + printable("; ".join(self._said(v) for v in block.steps)))
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
        if any(r is not None and self.places.is_local(v, u, r) for u, _, r in self.places.readers.get(v, [])):
            targets.append(self._local(v))
        if self.places.is_kept(v):
            targets.append(self._element(Read(v, v.shape, result_index(v)), v in self.places.row_values))
        text = self._expression(v, lambda x: read(v, x), v)
        lines.append(" = ".join([*targets, text]) if targets else text)

    def _folded(self, v: Value, lines: list[str], ends: tuple[list[str], list[str]]) -> None:
        (x,) = v.operands
        first, last = ends
        wide = v.dtype.char == "f" and v.operation == steps.SUM and x.size // v.size > _LONG
        dtype = np.dtype(np.float64) if wide else v.dtype
        element = self._value(read(v, x), dtype, v)
        start = literal(0 if v.operation == steps.SUM else least(dtype, v.operation), dtype)
        index = result_index(v)
        kept = [i for i in index if i > 0]
        if kept and folds_rows(v):
            shape = tuple(loops(v)[i] for i in kept)
            array = self._element(Read(v, v.shape, index))
            total = self._on_stack(("sum", v), v, shape, kept) if is_small(v, shape) else array
            lengths = enumerate(zip(kept, shape, strict=True))
            looped = [f"{'    ' * depth}for {_LETTERS[i]} in range({n}):" for depth, (i, n) in lengths]
            first += [*looped, f"{'    ' * len(kept)}{total} = {start}"]
            lines.append(f"{total} = {self._folding(v, total, element)}")
            if total != array:
                last += [*looped, f"{'    ' * len(kept)}{array} = {total}"]
            return
        total = self._local(v)
        adding = total + "_sum" if wide else total
        first.append(f"{adding} = {start}")
        lines.append(f"{adding} = {self._folding(v, adding, element)}")
        if wide:
            last.append(f"{total} = {cast(adding, v.dtype)}")
        if self.places.is_kept(v):
            last.append(f"{self._element(Read(v, v.shape, index))} = {total}")

    def _folding(self, v: Value, total: str, element: str) -> str:
        name = FOLDS[v.operation]
        if v.operation == steps.SUM:
            return f"plus({total}, {element})" if v.dtype.kind == "f" else f"{total} + {element}"
        return f"np.{name}({total}, {element})"

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
                return literal(x, dtype)
            return self._number_given(x, dtype) if x.is_number else self._value(reading(x), dtype, user)

        if v.operation in (steps.ASTYPE, steps.COPY) or is_reduction(v):
            return given(v.inputs[0], v.dtype)
        if v.operation == steps.SPREAD_MEAN:
            (x,) = v.operands
            return f"{given(x, v.dtype)} * {literal(1 / (v.size // x.size), v.dtype)}"
        if v.operation == steps.WHERE:
            condition = v.inputs[0]
            asked = given(condition, condition.dtype if isinstance(condition, Value) else np.dtype(bool))
            yes, no = (bracketed(given(x, v.dtype)) for x in v.inputs[1:])
            return f"{yes} if {bracketed(asked)} else {no}"
        assert operation is not None
        dtypes = computed_in(v)
        operands = [given(x, dtype) for x, dtype in zip(v.inputs, dtypes, strict=False)]
        if operation.ufunc is not None and operation.symbol in _SIGNS:
            sign, terms = _SIGNS[operation.symbol], [*map(bracketed, operands)]
            text = f"{terms[0]} {sign} {terms[1]}" if len(terms) > 1 else f"{sign}{terms[0]}"
        elif v.operation == steps.POWER and v.inputs[1] in (2, 2.0) and v.dtype.kind == "f":
            text = f"np.square({operands[0]})"
        else:
            name = operation.name if hasattr(machine, operation.name) else f"np.{operation.spelling}"
            text = f"{name}({', '.join(operands)})"
        return cast(text, v.dtype) if dtypes[-1] != v.dtype or v.dtype.kind in "iu" else text

    def _value(self, r: Read, dtype: np.dtype[Any], user: Value) -> str:
        """The element that is read, as a number of this dtype."""
        p = r.value
        if p in self.places.inline and p not in self.places.schedule.item:
            text = bracketed(self._expression(p, lambda y: inner_read(r, y), user))
        elif p.operation == "constant" and p.dtype.kind in "iub" and counts(p) and r.axes != (-1,):
            return cast(_LETTERS[r.axes[0]], dtype)
        elif p.operation == "constant" and (p.source == p.source.flat[0]).all():
            return literal(p.source.flat[0].item(), dtype)
        elif p in self.places.schedule.item and self.places.is_local(p, user, r):
            text = self._local(p)
        else:
            text = self._element(r, p in self.places.row_values)
            if self.is_inner and not any(i > 0 for i in r.axes):
                text = self._once_a_row(text, p)
        return text if p.dtype == dtype else cast(text, dtype)

    def _number_given(self, x: Value, dtype: np.dtype[Any]) -> str:
        """A number of an optimiser's rule, or what is worked out from such."""
        if x.operation == "constant":
            return literal(x.source.item(), dtype)
        if x not in self.given:
            text = self._arithmetic(x)
            key = ("given", x)
            if text.isidentifier():
                self.names[key] = text
            elif key not in self.names:
                self._name(key, text.strip("()").replace(" / ", "_over_"))
            self.given[x] = (self.names[key], "float64")
        return cast(self.given[x][0], dtype)

    def _local(self, p: Value) -> str:
        key = ("local", p)
        if key not in self.names:
            stored = self.places.is_kept(p)
            depth = len([i for i in result_index(p) if i >= 0])
            self._name(key, self.names[p] + ("_" + _LETTERS[:depth] if depth else "_now")) if stored else None
            self.names.setdefault(key, self.names[p])
        return self.names[key]

    def _element(self, r: Read, row: bool = False) -> str:
        """An element of an array."""
        index, shape, v = r.axes, r.shape, r.value
        if v.operation == "input" and v.source[0] == "argument" and not v.shape:
            return f"{self._array(v, ())}[()]"
        if row:
            index, shape = tuple(i for i in index if i > 0), loops(v)[1:]
            if is_small(v, shape):
                return self._on_stack(v, v, shape, index)
        if self.flat:
            index, shape = (0 if any(i >= 0 for i in index) else -1,), (v.size,)
        name = self._array(v, shape)
        places = ", ".join(_LETTERS[i] if i >= 0 else "0" for i in index)
        return f"{name}[{places or '0'}]"  # single numbers are seen as one place

    def _once_a_row(self, text: str, v: Value) -> str:
        """What an inner loop need not read anew: it does not know that what it writes lies elsewhere."""
        key = ("row", self.nests, text)
        if key not in self.names:
            self._name(key, f"{self.names[v]}_i")
            self.row_head.append(f"{self.names[key]} = {text}")
        return self.names[key]

    def _on_stack(self, key: Any, v: Value, shape: tuple[int, ...], index: Sequence[int]) -> str:
        """An element of a small array that this kernel alone knows of."""
        if key not in self.arrays:
            name = self.names[v] if key is v else self.names.get(key) or self._name(key, f"{self.names[v]}_sum")
            self.arrays[key] = name
            self.head.append(f"{name} = local({math.prod(shape)}, {shape}, {type_name(v.dtype)})")
        return f"{self.arrays[key]}[{', '.join(_LETTERS[i] for i in index)}]"

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
        own = shape == owner.shape or (v in self.places.row_values)
        if not own and key not in self.names:
            self._name(key, name + ("_flat" if len(shape) == 1 else "_r"))
        seen = name if own else self.names[key]
        if argument:
            self.head.append(f"{seen} = {name}.reshape({shape})")
        else:
            if name not in self.addressed:
                self.addressed.append(name)
            number = self.addressed.index(name) + 2
            self.head.append(f"{seen} = array(at, {number}, {shape or (1,)}, {type_name(owner.dtype)})")
        self.arrays[key] = seen
        return seen

    def _take(self, v: Value, name: str) -> None:
        """An argument, which may lie in any order."""
        kind = numba_type(v.dtype)
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
        self.head.append(f"{name} = in_order({name}, array(at, {number}, {v.shape}, {type_name(v.dtype)}))")

    # --- products -----------------------------------------------------------------------------------------------------

    def _product(self, item: Product) -> None:
        v, product = item.step, item.product
        a, b = matrices(product)
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
        left_text = f"{turned_a}, {self._array(ra.value, ra.shape)}, {lda}"
        right_text = f"{turned_b}, {self._array(rb.value, rb.shape)}, {ldb}"
        self.kernel.append(f"# {printable(said)}")
        self.kernel.append(f"gemm(at, {left_text}, {right_text}, ({m}, {n}, {k}), {adds}, {out})")

    def _said(self, v: Value, product: Value | None = None) -> str:
        """What a step computes, in the names of the graph."""
        place = self.plan.place.get(v)
        target = f"{place.name or self.names[place]} ←" if isinstance(place, Value) else f"{self.shown[v]} ="
        formula = self._formula(v) if product is None else f"{self._letter(v.inputs[0])} − {self._formula(product)}"
        return f"{target} {formula}"

    def _letter(self, x: Any) -> str:
        if isinstance(x, Value) and x in self.places.inline and x not in self.shown:
            return x.name or self._formula(x)
        return super()._letter(x)
