"""How a step is written in the loops of machine code: what it computes, and where it finds its operands."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..compiling import steps
from ..compiling.program import Value
from ..compiling.work import Work
from ..engine.operations import OPERATIONS
from . import machine, numpy
from .fusion import LABEL, Read, computed_in, inner_read, is_reduction, loops, result_index
from .placing import Places, is_small
from .spelling import cast, counts, function, literal, type_name

LETTERS = "ijklno"  # of loops
_SIGNS = {"+": "+", "−": "-", "×": "*", "÷": "/", "=": "==", "≠": "!=", "<": "<", "≤": "<=", ">": ">", "≥": ">="}
_EXACT = 1 << 24  # integers below are floats of any precision
_CALL = re.compile(r"[^ (]*\([^()]*\)|\[[^]]*\]")  # what needs no brackets around it
_DOUBLED = re.compile(r"\(\(([^()]*)\)\)")
_NAMES = "at arrays failed bool bool_ addresses in_order"


class Elements(numpy.Emitter):
    """Writes what loops compute."""

    _reserved = frozenset({*dir(machine), *LETTERS, *_NAMES.split()})
    _as_number = "[()]"  # single numbers that NumPy makes have memory: machine code reads them there

    def __init__(self, work: Work) -> None:
        self.places: Places = Places(work.ends)
        self.nests: int = 0
        self.row_head: list[str] = []  # what is read once a row
        self.is_inner: bool = False  # whether the present lines are in an inner loop
        self.label: str = ""  # of the row, for what is read where that says
        self.given: dict[Any, tuple[str, str, str]] = {}  # a name in the kernel, its type, what it is called with
        self.addressed: list[str] = []  # arrays by the number of their address
        self.arrays: dict[Any, str] = {}  # what the kernel calls an array
        self.head: list[str] = []  # what the next group uses for the first time
        super().__init__(self.places.plan, work)

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
                exact = operation is not None and operation.boolean and type(x) is int and abs(x) < _EXACT
                return str(x) if exact else literal(x, dtype)
            return self._number_given(x, dtype) if x.is_number else self._value(reading(x), dtype, user)

        if v.operation in (steps.ASTYPE, steps.COPY) or is_reduction(v):
            return given(v.inputs[0], v.dtype)
        if v.operation == steps.SPREAD_MEAN:
            (x,) = v.operands
            return f"({given(x, v.dtype)}) * {literal(1 / (v.size // x.size), v.dtype)}"
        if v.operation == steps.WHERE:
            condition = v.inputs[0]
            asked = given(condition, condition.dtype if isinstance(condition, Value) else np.dtype(bool))
            return f"({given(v.inputs[1], v.dtype)}) if ({asked}) else ({given(v.inputs[2], v.dtype)})"
        if v.operation == steps.CHOSEN:
            x, labels = v.operands
            r, outer = reading(labels), self.label
            self.label = self._element(r) if r.axes != (0,) else self._once_a_row(self._element(r), r.value)
            text, self.label = given(x, v.dtype), outer
            return text
        assert operation is not None
        dtypes = computed_in(v)
        operands = [given(x, dtype) for x, dtype in zip(v.inputs, dtypes, strict=False)]
        if operation.ufunc is not None and operation.symbol in _SIGNS:
            sign, terms = _SIGNS[operation.symbol], [f"({text})" for text in operands]
            text = f"{terms[0]} {sign} {terms[1]}" if len(terms) > 1 else f"{sign}{terms[0]}"
        elif v.operation == steps.POWER and v.inputs[1] in (2, 2.0) and v.dtype.kind == "f":
            text = f"np.square({operands[0]})"
        else:
            text = f"{function(operation.name, operation.spelling, dtypes[-1])}({', '.join(operands)})"
        return cast(text, v.dtype) if dtypes[-1] != v.dtype or v.dtype.kind in "iu" else text

    def _value(self, r: Read, dtype: np.dtype[Any], user: Value) -> str:
        """The element that is read, as a number of this dtype."""
        p = r.value
        if p in self.places.inline:
            text = f"({self._expression(p, lambda y: inner_read(r, y), user)})"
        elif p.operation == "constant" and p.dtype.kind in "iub" and counts(p) and r.axes != (-1,):
            return self._places(r.axes) if dtype == np.int64 else cast(self._places(r.axes), dtype)
        elif p.operation == "constant" and (p.source == p.source.flat[0]).all():
            return literal(p.source.flat[0].item(), dtype)
        elif p in self.places.schedule.item and self.places.is_local(p, user, r):
            text = self._local(p)
        else:
            text = self._element(r, p in self.places.row_values)
            if self.is_inner and all(i in (0, -1) for i in r.axes):
                text = self._once_a_row(text, p)
        return text if p.dtype == dtype else cast(text, dtype)

    def _number_given(self, x: Value, dtype: np.dtype[Any]) -> str:
        """A number of an optimiser's rule, or what is worked out from such."""
        if x.operation == "constant":
            return literal(x.source.item(), dtype)
        wide = dtype if dtype.kind == "f" else np.dtype(np.float64)
        key = ("given", x, wide)
        if key not in self.given:
            text = self._arithmetic(x)
            if key not in self.names:
                named = text in {name for name, *_ in self.given.values()} or not text.isidentifier()
                self._name(key, text.strip("()").replace(" / ", "_over_")) if named else self.names.update({key: text})
            self.given[key] = (self.names[key], wide.name, text)
        return self.names[key] if wide == dtype else cast(self.names[key], dtype)

    def _local(self, p: Value) -> str:
        key = ("local", p)
        if key not in self.names:
            stored = self.places.is_kept(p)
            depth = len([i for i in result_index(p) if i >= 0])
            self._name(key, self.names[p] + ("_" + LETTERS[:depth] if depth else "_now")) if stored else None
            self.names.setdefault(key, self.names[p])
        return self.names[key]

    def _element(self, r: Read, row: bool = False, start: str = "") -> str:
        """An element of an array; of the stack's, with what it is made of."""
        index, shape, v = r.axes, r.shape, r.value
        if v.operation == "input" and v.source[0] == "argument" and not v.shape:
            return f"{self._array(v, ())}[()]"
        if row:
            index, shape = tuple(i for i in index if i not in (0, -1)), loops(v)[1:]
        if v in self.places.stack or (row and is_small(v, shape)):
            if v not in self.arrays:
                made = f"full({shape}, {start})" if start else f"empty({shape}, {type_name(v.dtype)})"
                self.head.append(f"{self.names[v]} = {made}")
                self.arrays[v] = self.names[v]
            if index == (LABEL,):
                return f"pick({self.names[v]}, {self.label})"
            return f"{self.names[v]}[{self._places(index)}]"
        return f"{self._array(v, shape)}[{self._places(index)}]"

    def _places(self, index: Sequence[int]) -> str:
        texts = [self.label if i == LABEL else LETTERS[i] if i >= 0 else "0" for i in index]
        return ", ".join(texts) or "0"  # single numbers are seen as one place

    def _once_a_row(self, text: str, v: Value) -> str:
        """What an inner loop need not read anew: it does not know that what it writes lies elsewhere."""
        key = ("row", self.nests, text)
        if key not in self.names:
            self._name(key, f"{self.names[v]}_i")
            self.row_head.append(f"{self.names[key]} = {text}")
        return self.names[key]

    def _array(self, v: Value, shape: tuple[int, ...]) -> str:
        """What the kernel calls an array, seen in some shape."""
        place = self.plan.place.get(v)
        owner = place if isinstance(place, Value) else v
        key = (owner, shape)
        if key in self.arrays:
            return self.arrays[key]
        name = self._use(owner)
        own = shape == owner.shape or v in self.places.row_values
        if not own and key not in self.names:
            self._name(key, f"{name}_r")
        self.arrays[key] = seen = name if own else self.names[key]
        if owner.operation == "input" and owner.source[0] == "argument":
            if owner not in self.given:
                self._take(owner, name)
            if not own:
                self.head.append(f"{seen} = {name}.reshape({shape})")
        else:
            if name not in self.addressed:
                self.addressed.append(name)
            number = self.addressed.index(name) + 2
            self.head.append(f"{seen} = array(at, {number}, {shape or (1,)}, {type_name(owner.dtype)})")
        return seen

    def _take(self, v: Value, name: str) -> None:
        """An argument, which may lie in any order."""
        if v.shape and f"{name} = in_order({name})" not in self.always:
            self.always.append(f"{name} = in_order({name})")
        axes = ", ".join([":"] * (len(v.shape) - 1) + ["::1"])
        kind = type_name(v.dtype)
        self.given[v] = (name, f"{kind}[{axes}]" if v.shape else f"Array({kind}, 0, 'C')", name)

    # --- comments -----------------------------------------------------------------------------------------------------

    def _said(self, v: Value, product: Value | None = None) -> str:
        """What a step computes, in the names of the graph."""
        place = self.plan.place.get(v)
        target = f"{place.name or self.names[place]} ←" if isinstance(place, Value) else f"{self.shown[v]} ="
        formula = self._formula(v) if product is None else f"{self._letter(v.inputs[0])} − {self._formula(product)}"
        return f"{target} {formula}"

    def _letter(self, x: Any) -> str:
        if x not in self.places.inline or x in self.shown:
            return super()._letter(x)
        formula = x.name or self._formula(x)
        return formula if x.name or " " not in formula or _CALL.fullmatch(formula) else f"({formula})"

    def _formula(self, v: Value) -> str:
        if v.operation == steps.CHOSEN:
            x, labels = map(self._letter, v.inputs)
            return f"{x}[{labels}]"
        return _DOUBLED.sub(r"(\1)", super()._formula(v))
