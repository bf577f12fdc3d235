"""The program as a plain Python function of NumPy calls.

This is the only place that knows NumPy's spelling of the steps; `faster.py` knows its speed.
What NumPy is quick at is used where it makes no difference: numbers as arrays without axes, `x.dot(W)` for `x @ W`.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..compiling import steps
from ..compiling.plan import Buffer, Plan, is_view, memory, planned
from ..compiling.program import CHOICES, ELEMENTWISE, Value
from ..compiling.work import Check, Program, Work, code
from ..engine.operation import Kind
from ..engine.operations import OPERATIONS
from ..engine.operations.checks import ClassNumbers
from ..engine.recording import Condition
from ..engine.tensor import Array
from .faster import FORMS as FORMS
from .faster import faster

_WIDTH = 60  # of a line before its comment; longer ones stand out
_OURS = re.compile(r"run_\w+|(check|options|memory|run)\d+|random\w*_generator")  # names that nothing else may have
_SIGNS = {"+": "+", "−": "-", "×": "*", "÷": "/"}  # of Python's operators
_REDUCTIONS = {name: o.spelling.replace(".", "_") for name, o in OPERATIONS.items() if ".reduce" in o.spelling}


class Emitter:
    """Writes one program.

    Args:
        plan: the steps and their places.
        work: what the program is for.
    """

    _reserved: frozenset[str] = frozenset()  # names that an engine needs for itself
    _as_number = ""  # after the name of a result that is a single number

    def __init__(self, plan: Plan, work: Work) -> None:
        self.plan: Plan = plan
        self.held: Sequence[Value] = work.held
        self.draws: Sequence[tuple[Value, Any]] = work.draws
        self.checks: list[Check] = work.ends.checks
        self.returned: list[Value] = work.ends.shown
        self.names: dict[Any, str] = {}  # of values and numbers in the text
        self.shown: dict[Value, str] = {}  # of values in the comments
        self.taken: set[str] = {
            *self._reserved,
            "np",
            "held",
            "constants",
            "step",
            "bind",
            *_FUNCTIONS,
            *keyword.kwlist,
        }
        self.helpers: dict[str, Any] = {}
        self.constants: list[Value] = []
        self.once: list[str] = []  # lines that run once
        self.always: list[str] = []  # lines that run in every step
        self.last: list[str] = []  # lines that run once, at the end
        self.moving: set[Value] = set()  # what lies elsewhere in every call, and its views
        for wish, v in work.arguments:
            self._name(v, wish)
        for number in work.numbers:
            self._name(number, number.name or "number")
        self.parameters: list[str] = [self.names[x] for x in (*(v for _, v in work.arguments), *work.numbers)]
        self.moving.update(v for _, v in work.arguments)
        self._name_steps()

    def program(self) -> Program:
        """The text and what goes with it."""
        self._begin()
        for condition, values in self.checks:
            if all(memory(v).operation in ("input", "constant") for v in values):
                self._check(condition, values)
        for v in self.plan.steps:
            self._step(v)
            for condition, values in self.checks:
                if self._last(values) is v:
                    self._check(condition, values)
        self._finish()
        return Program(self._text(), [v.source for v in self.constants], self.helpers)

    def _begin(self) -> None:
        """Memory, and random numbers, also those that nothing depends on: the generator goes on as it would."""
        for number, size in enumerate(self.plan.sizes):
            self.once.append(f"memory{number} = np.empty({size}, np.uint8)")
        for v, generator in self.draws:
            self.once.append(f"{self.names[v]} = np.empty({v.shape}, {dtype_name(v.dtype)})")
            self.helpers[f"{self.names[v]}_generator"] = generator
            self.always.append(f"{self.names[v]}_generator.random(out={self.names[v]})")

    def _finish(self) -> None:
        """What could not be written in place, and the results."""
        for target, value in self.plan.copied:
            self.always.append(f"{self._use(target)}[...] = {self._use(value)}")
        results = [f"array({self._use(v)})" for v in self.returned]
        self.always.append(f"return ({', '.join(results)}{',' if len(results) == 1 else ''})")

    def _last(self, values: Sequence[Value]) -> Value | None:
        computed = [v for v in map(memory, values) if v in self.plan.steps]
        return max(computed, key=self.plan.steps.index, default=None)

    def _text(self) -> str:
        width = min(max(len(line.split("  # ")[0]) for line in self.always), _WIDTH)
        always = "\n".join(f"        {aligned(line, width)}" for line in self.always)
        used = set(re.findall(r"\w+", always))
        functions = [f"{name} = np.{_FUNCTIONS[name]}" for name in sorted(_FUNCTIONS) if name in used]
        arrays = "".join(f"{self.names[v]}, " for v in self.held)
        constants = "".join(f"{self.names[v]}, " for v in self.constants)
        given = [f"({arrays}) = held"] * bool(arrays) + [f"({constants}) = constants"] * bool(constants)
        once = "\n".join(f"    {line}" for line in [*functions, *given, *self.once])
        kept = "".join(f"    {line}\n" for line in self.last)
        return (
            "# made by tg.compile\n"
            "# bound once: NumPy's functions, parameters, state, constants, memory, and where each result lies in it\n"
            f"def bind(np, held, constants):\n{once}\n\n"
            f"    def step({', '.join(self.parameters)}):\n{always}\n\n{kept}    return step\n"
        )

    # --- names ----------------------------------------------------------------------------------------------------

    def _name_steps(self) -> None:
        """A letter for each step; of several equal ones, the first is number 1."""
        for v in (*self.held, *(v for v, _ in self.draws)):
            self._name(v, v.name or v.operation)
        wishes = {v: v.name or _letter(v) for v in self.plan.steps}
        count = Counter(wishes.values())
        number: Counter[str] = Counter()
        for v, wish in wishes.items():
            number[wish] += 1
            self.shown[v] = wish if count[wish] == 1 else f"{wish}{number[wish]}"
            place = self.plan.place.get(v)
            if isinstance(place, Value):
                self.names[v], self.shown[v] = self.names[place], self.shown[place]
            else:
                self._name(v, self.shown[v])

    def _name(self, x: Any, wish: str) -> str:
        letters = unicodedata.normalize("NFKC", wish.replace("′", "_hat").replace("∂", "d"))  # as Python reads names
        letters = "".join(c if f"t{c}".isidentifier() else " " for c in letters)
        letters = re.sub(" +", "_", letters.strip("_ ")) or "t"
        letters = f"t{letters}" if not letters.isidentifier() or _OURS.fullmatch(letters) else letters
        letters = unicodedata.normalize("NFKC", letters)  # a mark may have met the t, and made another letter of it
        name, n = letters, 2
        while name in self.taken:
            name, n = f"{letters}_{n}", n + 1
        self.taken.add(name)
        self.names[x] = name
        if isinstance(x, Value):
            self.shown.setdefault(x, x.name or name)
        return name

    def _use(self, x: Any, dtype: np.dtype[Any] | None = None) -> str:
        """The text for an input of a step; what it needs is made where it is used first.

        Args:
            x: a value or a number.
            dtype: of the arrays that a number meets: as an array of that dtype it is found faster.
        """
        if not isinstance(x, Value) or x.is_number:
            return self._scalar(x, dtype)
        if x in self.names:
            return self.names[x]
        if x.operation == "constant":
            self.constants.append(x)
            return self._name(x, constant_name(x))
        base = x.operands[0]
        text = self._view(x, self._use(base))
        moves = base in self.moving or not memory(base).shape
        name = self._name(x, self.names[base] + _view_suffix(x))
        if moves:
            self.moving.add(x)
        (self.always if moves else self.once).append(f"{name} = {text}")
        return name

    def _scalar(self, x: Any, dtype: np.dtype[Any] | None) -> str:
        changes = isinstance(x, Value)
        text = self._arithmetic(x) if changes else _number(x)
        if dtype is None:
            return text
        key = (x if changes else repr(x), dtype)
        if key not in self.names:
            if changes:
                name = self._name(key, text.replace(" / ", "_over_") if " " in text else f"{text}_now")
                self.once.append(f"{name} = np.empty((), {dtype_name(dtype)})")
                self.always.append(f"{name}[()] = {text}")
            else:
                name = self._name(key, {"0": "zero", "1": "one"}.get(text, f"number_{text.replace('-', 'minus')}"))
                self.once.append(f"{name} = np.array({text}, {dtype_name(dtype)})")
        return self.names[key]

    def _arithmetic(self, x: Value) -> str:
        """A number of a rule, or what is worked out from such, as Python writes it."""
        if x.operation == "input":
            return self.names[x]
        text = self._single(x)
        return f"({text})" if " " in text and x.operation != steps.DIVIDE else text

    def _view(self, x: Value, base: str) -> str:
        if x.operation == steps.VIEW:
            return f"{base}.view({dtype_name(x.dtype)})"
        if "axes" in x.parameters:
            axes = tuple(x.parameters["axes"])
            return f"{base}.T" if axes == tuple(reversed(range(len(axes)))) else f"{base}.transpose({axes})"
        return f"np.broadcast_to({base}, {x.shape})" if x.scatters else f"{base}.reshape({x.shape})"

    # --- steps ----------------------------------------------------------------------------------------------------

    def _step(self, v: Value) -> None:
        place = self.plan.place.get(v)
        out = self.names[v]
        if isinstance(place, Buffer):
            self._place_line(v, place, v.shape)
        lines = self._lines(v, out) if v.shape else [f"{out}{self._as_number} = {self._single(v)}"]
        target = f"{place.name or self.names[place]} ←" if isinstance(place, Value) else f"{self.shown[v]} ="
        lines[0] += "  # " + "".join(c if c.isprintable() else " " for c in f"{target} {self._formula(v)}")
        self.always += lines
        if v.operation == steps.SELECT_DOT:
            self.helpers["run_select_dot"] = _select_dot
            again = f"run_select_dot({', '.join(map(self._use, v.inputs))})"
            self.always.append(f"if {out} != {out}: {out} = {again}  # what has the weight 0 may be infinite")

    def _place_line(self, v: Value, place: Buffer, shape: tuple[int, ...]) -> None:
        size = math.prod(shape) * v.dtype.itemsize
        part = f"memory{place.number}" + ("" if size == self.plan.sizes[place.number] else f"[:{size}]")
        self.once.append(f"{self.names[v]} = {part}.view({dtype_name(v.dtype)}).reshape({shape})")

    def _operands(self, v: Value) -> list[str]:
        kinds = {x.dtype for x in v.operands}
        dtype = kinds.pop() if len(kinds) == 1 and v.operation in ELEMENTWISE else None
        numbers = None if dtype is None or dtype.kind != "f" else dtype
        return [self._use(x, numbers) for x in v.inputs]

    def _lines(self, v: Value, out: str) -> list[str]:
        """A step on arrays."""
        name, p = v.operation, v.parameters
        if name in (steps.ASTYPE, steps.COPY):
            return [f"{out}[...] = {self._use(_unspread(v.operands[0]))}"]
        operands = self._operands(v)
        listed = ", ".join(operands)
        if name in ELEMENTWISE:
            return [f"{name}({listed}, out={out})"]
        if name in CHOICES:
            plain = f"{OPERATIONS[name].spelling}({listed}, out={out})"
            return [f"if {self._finite(v.inputs[1])}: {plain}", f"else: {out}[...] = {self._helped(v, listed)}"]
        if name == steps.MATMUL:
            small = all(len(x.shape) <= 2 and x.dtype == v.dtype for x in v.operands) and v.dtype.char in "fd"
            return [f"{operands[0]}.dot({operands[1]}, out={out})" if small else f"{name}({listed}, out={out})"]
        if name in _REDUCTIONS and p.get("dtype") is None:
            options = f"axis={p['axis']}, out={out}" + (", keepdims=True" if p["keepdims"] else "")
            return [f"{_REDUCTIONS[name]}({listed}, {options})"]
        fits = v.dtype.kind == "f" or len(v.operands) == 3  # else a number may be cut to the bits that there are
        if name == steps.WHERE and isinstance(v.inputs[0], Value) and v.inputs[0].dtype == bool and fits:
            condition, yes, no = operands
            x = v.inputs[2]
            here = isinstance(x, Value) and self.plan.place.get(memory(x)) == self.plan.place[v]
            return [f"{out}[...] = {no}"] * (not here) + [f"copyto({out}, {yes}, where={condition})"]
        if name == steps.CONCAT:
            return [f"concatenate(({listed},), axis={p['axis']}, out={out})"]
        if name == steps.TAKE:
            return [f"{operands[0]}.take({operands[1]}, {p['axis']}, {out}, 'clip')"]
        if name == steps.RESHAPE:
            return [f"{out}.reshape({v.operands[0].shape})[...] = {listed}"]
        return [f"{out}[...] = {self._helped(v, listed)}"]

    def _finite(self, x: Any) -> str:
        """The question whether all elements of an operand are finite."""
        if not isinstance(x, Value):
            return f"abs({self._use(x)}) < np.inf"
        elements = memory(x) if memory(x).dtype == x.dtype else x  # each once
        name = self._use(elements)
        return f"0 not in isfinite({name}).tobytes()" if elements.shape else f"abs({name}) < np.inf"

    def _single(self, v: Value) -> str:
        """A step whose result is a single number: an expression."""
        name, p, operands = v.operation, v.parameters, [self._use(x) for x in v.inputs]
        listed = ", ".join(operands)
        if name in ELEMENTWISE:
            sign = _SIGNS.get(OPERATIONS[name].symbol)
            if sign is not None:
                return f"{operands[0]} {sign} {operands[1]}" if len(operands) > 1 else f"{sign}{operands[0]}"
            return f"{name}({listed})"
        if name == steps.MATMUL:
            return f"{operands[0]}.dot({operands[1]})"
        if name == steps.SELECT_DOT:
            return f"vdot({listed})"  # which does not warn of 0 × ∞
        if name in _REDUCTIONS and p.get("dtype") is None:
            return f"{_REDUCTIONS[name]}({listed}, axis=None)"
        if name == steps.ASTYPE:
            return f"{operands[0]}.astype({dtype_name(v.dtype)})"
        if name == steps.COPY:
            return f"{operands[0]}.copy()"
        return f"{self._helped(v, listed)}[()]"

    def _helped(self, v: Value, listed: str) -> str:
        """A step without a spelling of its own: the operation is run as eager runs it."""
        self.helpers[f"run_{v.operation}"] = OPERATIONS[v.operation].forward
        if not v.parameters:
            return f"run_{v.operation}({listed})"
        options = f"options{len(self.helpers)}"
        self.helpers[options] = dict(v.parameters)
        return f"run_{v.operation}({listed}, **{options})"

    def _check(self, condition: Condition, values: Sequence[Value]) -> None:
        used = [self._use(v) for v in values]
        key = f"check{len(self.helpers)}"
        self.helpers[key] = condition
        text = f"{key}({', '.join(used)})"
        if isinstance(condition, ClassNumbers) and condition.ignore_index is None and values[0].size:
            (v,) = values
            unsigned = (
                used[0] if v.dtype.kind == "u" else f"{used[0]}.view({dtype_name(np.dtype(f'u{v.dtype.itemsize}'))})"
            )
            axis = "" if len(v.shape) == 1 else ", axis=None"
            text = f"if maximum_reduce({unsigned}{axis}) >= {condition.num_classes}: {text}"
            text += "  # as unsigned numbers, negative ones are large"
        self.always.append(text)

    # --- comments -------------------------------------------------------------------------------------------------

    def _formula(self, v: Value) -> str:
        operation = OPERATIONS.get(v.operation)
        operands = [self._letter(x) for x in v.inputs]
        if v.operation == steps.TAKE:
            return f"one_hot({operands[1]})"
        if v.operation == steps.COPY:
            return operands[0] if _letter(v) == "turned" else f"{operands[0]} in every place"
        if v.operation == steps.MATMUL and "1" in operands:
            return f"Σ {operands[1 - operands.index('1')]}"
        if v.operation in (steps.MATMUL, steps.SELECT_DOT) and not v.shape:
            return f"Σ {operands[0]} × {operands[1]}"
        if operation is None:
            return f"{v.operation}({', '.join(operands)})"
        try:
            return operation.notation.format(*operands, **v.parameters)
        except (IndexError, KeyError):
            return f"{v.operation}({', '.join(operands)})"

    def _letter(self, x: Any) -> str:
        if not isinstance(x, Value):
            return f"{x:.6g}" if type(x) is float else self._scalar(x, None)
        if x.is_number:
            return self._arithmetic(x)
        if x.operation == steps.COPY:
            return self._letter(x.operands[0])
        if is_view(x) and x.name is None:
            return self._letter(x.operands[0]) + ("ᵀ" if x.operation == steps.PERMUTE_DIMS else "")
        if x.operation == "constant" and x.name is None and x.size and (x.source == x.source.flat[0]).all():
            return f"{x.source.flat[0]:g}"
        return self.shown.get(x) or x.name or self.names.get(x, x.operation)


def aligned(line: str, width: int) -> str:
    """The line with its comment in the column of the others."""
    code, mark, comment = line.partition("  # ")
    return code.ljust(width) + mark + comment if mark else code


def constant_name(v: Value) -> str:
    """What to call a constant."""
    if v.name is not None or not v.size:
        return v.name or "empty"
    if len(v.shape) == 2 and np.array_equal(v.source, np.eye(*v.shape)):
        return "identity"
    return "ones" if (v.source == 1).all() else "constant"


def _letter(v: Value) -> str:
    """What to call a step that has no name."""
    if v.operation == steps.COPY:
        return "turned" if _unspread(v.operands[0]) is v.operands[0] else "spread"
    operation = OPERATIONS.get(v.operation)
    if v.operation == steps.SELECT_DOT or (operation is not None and operation.kind is Kind.CONTRACTION):
        return "product"
    if operation is None or operation.changes_nothing:
        return "factors"
    if operation.kind is Kind.REDUCTION:
        return "total" if operation.linear else operation.letter
    return "mask" if operation.boolean else operation.letter if operation.positive else "t"


_FUNCTIONS = {
    **{name: OPERATIONS[name].spelling for name in (*ELEMENTWISE, steps.MATMUL)},
    **{OPERATIONS[name].spelling: OPERATIONS[name].spelling for name in CHOICES},
    **{alias: OPERATIONS[name].spelling for name, alias in _REDUCTIONS.items()},
    **{name: name for name in ("copyto", "concatenate", "array", "vdot")},
}
"""NumPy's functions, by what the text calls them."""


def _view_suffix(x: Value) -> str:
    """What the name of a view ends in."""
    if x.operation == steps.VIEW:
        return "_values" if x.dtype.kind == "f" else "_bits"
    return "_T" if "axes" in x.parameters else "_b" if x.scatters else "_r"


def _select_dot(weights: Array, x: Array) -> Any:
    """`Σ weights × x` without what has the weight 0, be it infinite or nan."""
    chosen = weights != 0
    return weights[chosen].dot(x[chosen])


def _unspread(x: Value) -> Value:
    """What is broadcast: an assignment does that by itself."""
    return x.operands[0] if x.operation == steps.BROADCAST_TO else x


def dtype_name(dtype: np.dtype[Any]) -> str:
    """How a dtype is written."""
    return f"np.{dtype.name}"


def _number(x: Any) -> str:
    text = repr(x)
    return f"np.{text}" if text in ("inf", "nan") else "-np.inf" if text == "-inf" else text


def written(work: Work) -> Program:
    """The program as a text of NumPy calls."""
    ends = work.ends.after(lambda values: faster(values, work.builder, work.labels))
    ends = ends.with_old_values_kept(work.builder)
    plan = planned(ends.checked, ends.shown, ends.changes)
    return Emitter(plan, work._replace(ends=ends)).program()


def bound(program: Program, held: Sequence[Array]) -> Callable[..., Any]:
    """The step over these arrays."""
    namespace = dict(program.helpers)
    exec(code(program.source), namespace)
    step: Callable[..., Any] = namespace["bind"](np, tuple(held), tuple(program.constants))
    return step
