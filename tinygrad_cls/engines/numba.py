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

from ..compiling import steps
from ..compiling.plan import Buffer, memory
from ..compiling.program import Form, Value
from ..compiling.work import Program, Work, code
from ..engine.tensor import Array
from . import machine
from .elements import LETTERS, Elements
from .faster import FORMS as FASTER
from .faster import everywhere, without_z
from .fusion import Barrier, Block, Call, Nest, Product, Read, folds, folds_rows, loops, read, result_index
from .spelling import FOLDS, cast, chosen, function, least, literal, matrices, plain, printable

FORMS: Mapping[str, Form] = {name: form for name, form in FASTER.items() if name != steps.SUM}
"""What loops want another form of: all but sums, which are loops themselves."""
_LONG = 4096  # elements; longer sums of single numbers are added up in double
_WIDTH = 100  # of a line of comments
_FIRST = """# made by tg.compile: machine code
# `at` holds the addresses of BLAS and of arrays: array(at, n, shape, dtype) is the one at number n.
# plus(a, b) adds in any order, pick(z, k) is z[k]: so several rows are done at once.
"""


def written(work: Work) -> Program:
    """The program as loops."""

    def form(v: Value) -> Value | None:
        return chosen(v, work.builder, work.labels) or without_z(v, work.builder)

    ends = work.ends.after(lambda values: everywhere(values, work.builder, form))
    ends = ends.with_old_values_kept(work.builder)
    return Emitter(work._replace(ends=ends)).program()


def bound(program: Program, held: Sequence[Array]) -> Callable[..., Any]:
    """The step over these arrays."""
    kernels, mark, rest = program.source.partition("\ndef bind(")
    ours = {"addresses": machine.addresses, "in_order": np.ascontiguousarray}
    namespace = {**program.helpers, **machine.compiled(kernels), **ours}
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


class Emitter(Elements):
    """Writes one program."""

    def __init__(self, work: Work) -> None:
        self.kernel: list[str] = []
        self.kernels: list[str] = []
        self.asked: list[str] = []  # what raises where a check of the kernel failed
        super().__init__(work)

    # --- the program --------------------------------------------------------------------------------------------------

    def program(self) -> Program:
        """The text and what goes with it."""
        self._begin()
        asked = [self.places.in_kernel(condition, values) for condition, values in self.checks]
        for inside, (condition, values) in zip(asked, self.checks, strict=True):
            if inside:
                self._ask(condition, values)
            elif all(memory(v).operation in ("input", "constant") for v in values):
                self._check(condition, values)
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
                    if isinstance(place := self.plan.place.get(v), Buffer):
                        self._place_line(v, place, loops(v)[1:] if v in self.places.row_values else v.shape)
                self._nest(item) if isinstance(item, Nest) else self._product(item)
        self._end_kernel()
        self._finish()
        self.once += [f"arrays = ({''.join(f'{name}, ' for name in self.addressed)})", "at = addresses(*arrays)"]
        self.last.append("step.arrays = arrays  # which live as long as their addresses are used")
        return Program(self._text(), [v.source for v in self.constants], self.helpers)

    def _text(self) -> str:
        return "\n\n".join([*self.kernels, super()._text()])

    def _end_kernel(self) -> None:
        """Call what was collected so far."""
        if not self.kernel:
            return
        name = f"run{len(self.kernels) + 1}"
        names, types, called = zip(("at", "int64[::1]", "at"), *self.given.values(), strict=True)
        body = "\n".join(f"    {line}".rstrip() for line in [*self.kernel[1:], "", "return 0"])
        first = _FIRST if not self.kernels else ""
        text = f'{first}@machine_code("int64({", ".join(types)})")\ndef {name}({", ".join(names)}):\n{body}\n'
        self.kernels.append(text)
        call = f"{name}({', '.join(called)})"
        if self.asked:
            self.always.append(f"failed = {call}")
            self.always += [f"if failed == {n}: {check}" for n, check in enumerate(self.asked, 1)]
        else:
            self.always.append(call)
        self.kernel, self.given, self.arrays, self.asked = [], {}, {}, []

    def _group(self, lines: Sequence[str]) -> None:
        """Lines that belong together, after what they use for the first time."""
        self.kernel += ["", *self.head, *lines]
        self.head = []

    # --- checks -------------------------------------------------------------------------------------------------------

    def _ask(self, condition: Any, values: Sequence[Value]) -> None:
        (v,) = values
        key = f"check{len(self.helpers)}"
        self.helpers[key] = condition
        label = self._element(Read(v, (v.size,), (0,)))
        wrong = f"{label} < 0 or {label} >= {condition.num_classes}"
        if condition.ignore_index is not None:
            wrong = f"({wrong}) and {label} != {condition.ignore_index}"
        self.asked.append(f"{key}({self._use(v)})")
        lines = [f"for i in range({v.size}):", f"    if {wrong}:", f"        return {len(self.asked)}"]
        self._group(["# each label is a class number", *lines])

    # --- loops --------------------------------------------------------------------------------------------------------

    def _nest(self, nest: Nest) -> None:
        self.row_head, self.nests = [], self.nests + 1
        before: list[str] = []
        body: list[str] = []
        after: list[str] = []
        for block in nest.blocks:
            self.is_inner = bool(block.inner)
            said: list[str] = []
            for text in (printable(self._said(v)) for v in block.steps):
                fits = bool(said) and len(said[-1]) + len(text) < _WIDTH
                said[-1:] = [f"{said[-1]}; {text}"] if fits else [*said[-1:], f"# {text}"]
            body, before = ([*body, *said], before) if len(nest.blocks) > 1 else (body, [*said, *before])
            body += self._block(block, before, after)
        if nest.rows is not None:
            body = _looped([(0, nest.rows)], [*self.row_head, *body])
        self._group([*before, *body, *after])

    def _block(self, block: Block, before: list[str], after: list[str]) -> list[str]:
        lines: list[str] = []
        first: list[str] = []
        last: list[str] = []
        for v in block.steps:
            self._made(v, lines, (before, after) if folds_rows(v) else (first, last))
        return [*first, *_looped([*enumerate(block.inner, 1)], lines), *last]

    def _made(self, v: Value, lines: list[str], ends: tuple[list[str], list[str]]) -> None:
        """The lines of one step."""
        if folds(v):
            self._folded(v, lines, ends)
            return
        targets = []
        if any(r is not None and self.places.is_local(v, u, r) for u, _, r in self.places.readers.get(v, [])):
            targets.append(self._local(v))
        if self.places.is_kept(v):
            targets.append(self._element(Read(v, v.shape, result_index(v)), v in self.places.row_values))
        lines.append(plain(" = ".join([*targets, self._expression(v, lambda x: read(v, x), v)])))

    def _folded(self, v: Value, lines: list[str], ends: tuple[list[str], list[str]]) -> None:
        (x,) = v.operands
        first, last = ends
        wide = v.dtype.char == "f" and v.operation == steps.SUM and x.size // v.size > _LONG and v.size == 1
        dtype = np.dtype(np.float64) if wide else v.dtype
        element = plain(self._value(read(v, x), dtype, v))
        fold = function("plus" if v.operation == steps.SUM else FOLDS[v.operation], FOLDS[v.operation], dtype)
        start = literal(0 if v.operation == steps.SUM else least(dtype, v.operation), dtype)
        index = result_index(v)
        kept = [(i, n) for i, n in zip(index, v.shape, strict=True) if i > 0]
        if kept and folds_rows(v):  # a sum for each place within the rows
            total = self._element(Read(v, v.shape, index), start=start)
            if v not in self.places.stack:
                first += _looped(kept, [f"{total} = {start}"])
            lines.append(f"{total} = {fold}({total}, {element})")
            return
        total = self._local(v)
        adding = total + "_sum" if wide else total
        first.append(f"{adding} = {start}")
        lines.append(f"{adding} = {fold}({adding}, {element})")
        if wide:
            last.append(f"{total} = {cast(adding, v.dtype)}")
        if self.places.is_kept(v):
            last.append(f"{self._element(Read(v, v.shape, index))} = {total}")

    # --- products -----------------------------------------------------------------------------------------------------

    def _product(self, item: Product) -> None:
        v, product = item.step, item.product
        left, right = product.operands
        m, k = (1, *left.shape)[-2:]
        n = (*right.shape, 1)[1]
        texts = []
        for found, shape in zip(matrices(product), ((m, k), (k, n)), strict=True):
            assert found is not None
            x, is_turned = found
            texts.append(f"{self._array(x, shape[::-1])}.T" if is_turned else self._array(x, shape))
        out = self._array(v, (m, n))
        adds = v is not product
        lines = [f"# {printable(self._said(v, product if adds else None))}"]
        if adds and not isinstance(self.plan.place[v], Value):
            lines.append(f"{out}[...] = {self._array(memory(v.operands[0]), (m, n))}")
        lines.append(f"{'subtract_dot' if adds else 'dot'}(at, {', '.join([*texts, out])})")
        self._group(lines)


def _looped(loops: Sequence[tuple[int, int]], lines: Sequence[str]) -> list[str]:
    """Lines in loops, each given by its number and its length."""
    heads = [f"{'    ' * depth}for {LETTERS[i]} in range({n}):" for depth, (i, n) in enumerate(loops)]
    return [*heads, *("    " * len(loops) + line for line in lines)]
