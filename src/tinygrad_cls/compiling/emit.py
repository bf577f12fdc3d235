"""The program as a plain Python function of NumPy calls.

This is the only place that knows NumPy's spelling of the steps: another backend is another module like this one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from ..functional import ClassNumbers
from ..tensor import OPERATIONS, Array
from .plan import ELEMENTWISE, Buffer, Plan, is_view
from .program import Value
from .scale import Quotient
from .trace import Number

_REDUCTIONS = {"sum": "add", "max": "maximum", "min": "minimum"}


class Program(NamedTuple):
    """What is emitted.

    Attributes:
        source: the text of `bind`, which takes the arrays and gives the step.
        constants: arrays for `bind`.
        helpers: other objects that the text refers to by name.
    """

    source: str
    constants: list[Array]
    helpers: dict[str, Any]


class Emitter:
    """Writes one program.

    Args:
        plan: the steps and their places.
        arguments: the inputs that the step is called with, by the name of the parameter.
        held: the inputs that are bound once: parameters and state.
        draws: random inputs with their generators.
        numbers: what changes from step to step, passed after the arguments.
        checks: conditions on values.
        returned: the results.
        title: a comment for the first line.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        arguments: Sequence[tuple[str, Value]],
        held: Sequence[Value],
        draws: Sequence[tuple[Value, Any]],
        numbers: Sequence[Number],
        checks: Sequence[tuple[Callable[..., None], tuple[Value, ...]]],
        returned: Sequence[Value],
        title: str,
    ) -> None:
        self.plan, self.held, self.draws, self.checks, self.returned = plan, held, draws, checks, returned
        self.title = title
        self.names: dict[Any, str] = {}
        self.taken: set[str] = {"np", "buffer", "step", "bind"}
        self.calls: dict[str, str] = {}
        self.helpers: dict[str, Any] = {}
        self.constants: list[Array] = []
        self.outside: list[str] = []  # lines that run once
        self.inside: list[str] = []
        self.moving: set[Value] = set()  # views of arguments: made in every call
        self.parameters = [self._name(v, name) for name, v in arguments]
        self.moving.update(v for _, v in arguments)
        for number in numbers:
            label = "lr" if len(number.group) else "number"
            self.parameters.append(self._name(number, label if number.index == 0 and _is_sgd(number) else "number"))

    def program(self) -> Program:
        """The text and what goes with it."""
        held = [self._name(v, v.name or "state") for v in self.held]
        for i, size in enumerate(self.plan.sizes):
            self.outside.append(f"memory{i} = np.empty({size}, np.uint8)")
        for v, generator in self.draws:
            name = self._name(v, v.name or "random")
            self.outside.append(f"{name} = np.empty({v.shape}, np.{v.dtype})")
            self.helpers[f"{name}_generator"] = generator
            self.inside.append(f"{name}_generator.random(out={name})")
        waiting = list(dict.fromkeys(c for c in self.checks))
        for condition, values in [c for c in waiting if all(v.operation == "input" for v in c[1])]:
            self._check(condition, values)
        for v in self.plan.steps:
            self._step(v)
            for condition, values in [c for c in waiting if c[1][-1] is v]:
                self._check(condition, values)
        for target, value in self.plan.copied:
            self.inside.append(f"{self._call('copyto')}({self._use(target)}, {self._use(value)})")
        results = ", ".join(f"{self._use(v)}.copy()" for v in self.returned)
        self.inside.append(f"return ({results}{',' if len(self.returned) == 1 else ''})")
        return Program(self._text(held), self.constants, self.helpers)

    def _text(self, held: Sequence[str]) -> str:
        body = [f"{name} = {call}" for call, name in sorted(self.calls.items())]
        body += [f"({''.join(f'{x}, ' for x in held)}) = held" if held else ""]
        body += [f"({''.join(f'c{i}, ' for i in range(len(self.constants)))}) = constants" if self.constants else ""]
        body += self.outside
        inside = "\n".join(f"        {line}" for line in self.inside)
        outside = "\n".join(f"    {line}" for line in body if line)
        return (
            f"# {self.title}\n# bound once: parameters and state, constants, buffers and views of them\n"
            f"def bind(np, held, constants):\n{outside}\n\n"
            f"    def step({', '.join(self.parameters)}):\n{inside}\n\n    return step\n"
        )

    # --- names ----------------------------------------------------------------------------------------------------

    def _name(self, x: Any, wish: str) -> str:
        letters = re.sub(r"\W+", "_", wish.replace("′", "_hat").replace("∂", "d")).strip("_") or "t"
        letters = f"t{letters}" if letters[0].isdigit() else letters
        name, n = letters, 2
        while name in self.taken:
            name, n = f"{letters}_{n}", n + 1
        self.taken.add(name)
        self.names[x] = name
        return name

    def _call(self, function: str) -> str:
        name = function.replace(".", "_")
        self.calls[f"np.{function}"] = name
        return name

    def _use(self, x: Any) -> str:
        """The text for a value, its view made where it is used first."""
        if not isinstance(x, Value):
            return self._scalar(x)
        if x in self.names:
            return self.names[x]
        if x.operation == "constant":
            self.names[x] = f"c{len(self.constants)}"
            self.constants.append(x.source)
            return self.names[x]
        if not is_view(x):
            raise AssertionError(f"{x} was not computed")
        base = x.operands[0]
        text = self._view(x, self._use(base))
        if base in self.moving:
            self.moving.add(x)
        name = self._name(x, self.names[base] + {"permute_dims": "_T", "reshape": "_r"}.get(x.operation, "_b"))
        (self.inside if base in self.moving else self.outside).append(f"{name} = {text}")
        return name

    def _scalar(self, x: Any) -> str:
        if isinstance(x, Quotient):
            return f"{self.names[x.number]} / {x.divisor!r}"
        return self.names[x] if isinstance(x, Number) else repr(x)

    def _view(self, x: Value, base: str) -> str:
        if x.operation == "permute_dims":
            axes = tuple(x.parameters["axes"])
            return f"{base}.T" if axes == tuple(reversed(range(len(axes)))) else f"{base}.transpose({axes})"
        if x.operation == "reshape":
            return f"{base}.reshape({x.shape})"
        return f"np.broadcast_to({base}, {x.shape})"

    # --- steps ----------------------------------------------------------------------------------------------------

    def _step(self, v: Value) -> None:
        operands = [self._use(x) for x in v.inputs]
        place = self.plan.place[v]
        if isinstance(place, Buffer):
            out = self._name(v, v.name if v.name is not None else _LETTERS.get(v.operation, "t"))
            size = v.size * v.dtype.itemsize
            part = f"memory{place.index}" + ("" if size == self.plan.sizes[place.index] else f"[:{size}]")
            self.outside.append(f"{out} = {part}.view(np.{v.dtype}).reshape({v.shape})")
        else:
            out = self.names[v] = self.names[place]
        lines = self._lines(v, operands, out)
        lines[0] += f"  # {self._comment(v, place)}"
        self.inside += lines

    def _lines(self, v: Value, operands: list[str], out: str) -> list[str]:
        name, p = v.operation, v.parameters
        listed = ", ".join(operands)
        if name in ELEMENTWISE and name != "masked":
            return [f"{self._call(name)}({listed}, out={out})"]
        if name == "matmul":
            return [f"{self._call('matmul')}({listed}, out={out})"]
        if name in _REDUCTIONS and not (name == "sum" and p.get("dtype") is not None):
            axis = p["axis"][0] if isinstance(p["axis"], tuple) and len(p["axis"]) == 1 else p["axis"]
            options = f"axis={axis}, out={out}" + (", keepdims=True" if p["keepdims"] else "")
            return [f"{self._call(_REDUCTIONS[name] + '.reduce')}({listed}, {options})"]
        if name == "astype":
            return [f"{self._call('copyto')}({out}, {listed}, casting='unsafe')"]
        if name == "where" and isinstance(v.inputs[0], Value) and v.inputs[0].dtype == bool:
            condition, yes, no = operands
            x = v.inputs[2]
            same = isinstance(x, Value) and self.plan.place.get(x) == self.plan.place[v]
            copies = [] if same else [f"{self._call('copyto')}({out}, {no})"]
            return [*copies, f"{self._call('copyto')}({out}, {yes}, where={condition})"]
        if name == "concat":
            return [f"{self._call('concatenate')}(({listed},), axis={p['axis']}, out={out})"]
        if name == "rows":
            return [f"{operands[0]}.take({operands[1]}, 0, {out}, 'clip')"]
        if name == "masked":
            bits = f"np.int{8 * v.dtype.itemsize}"
            x, kept = operands
            return [f"{self._call('multiply')}({x}.view({bits}), {kept}, out={out}.view({bits}))"]
        if name == "copy":
            return [f"{self._call('copyto')}({out}, {listed})"]
        if name == "vdot":
            return [f"{out}[()] = {self._call('vdot')}({listed})"]
        if name == "reshape":
            return [f"{self._call('copyto')}({out}.reshape({v.operands[0].shape}), {listed})"]
        self.helpers[f"run_{name}"] = OPERATIONS[name].forward
        options = ""
        if p:
            key = f"options_{len(self.helpers)}"
            self.helpers[key] = dict(p)
            options = f", **{key}"
        return [f"{self._call('copyto')}({out}, run_{name}({listed}{options}))"]

    def _check(self, condition: Callable[..., None], values: Sequence[Value]) -> None:
        used = [self._use(v) for v in values]
        key = f"check{len(self.helpers)}"
        self.helpers[key] = condition
        text = f"{key}({', '.join(used)})"
        if isinstance(condition, ClassNumbers) and condition.ignore_index is None and values[0].size:
            dtype = values[0].dtype
            unsigned = used[0] if dtype.kind == "u" else f"{used[0]}.view(np.uint{8 * dtype.itemsize})"
            test = f"{self._call('maximum.reduce')}({unsigned}, axis=None) >= {condition.num_classes}"
            text = f"if {test}: {text}  # negative labels are large as unsigned numbers"
        self.inside.append(text)

    # --- comments -------------------------------------------------------------------------------------------------

    def _comment(self, v: Value, place: Buffer | Value) -> str:
        target = v.name or self.names[v]
        if not isinstance(place, Buffer):
            target = f"{place.name or self.names[place]} ←"
        else:
            target = f"{target} ="
        return f"{target} {self._formula(v)}"

    def _formula(self, v: Value) -> str:
        operation = OPERATIONS.get(v.operation)
        operands = [self._letter(x) for x in v.inputs]
        if v.operation == "rows":
            return f"one_hot({operands[1]})"
        if v.operation == "masked":
            return f"{operands[0]} × {operands[1]}"
        if operation is None:
            return f"{v.operation}({', '.join(operands)})"
        try:
            return operation.notation.format(*operands, **v.parameters)
        except (IndexError, KeyError):
            return f"{v.operation}({', '.join(operands)})"

    def _letter(self, x: Any) -> str:
        if not isinstance(x, Value):
            return f"{x:.6g}" if type(x) is float else self._scalar(x)
        if x.name is not None:
            return x.name
        if is_view(x):
            return self._letter(x.operands[0]) + ("ᵀ" if x.operation == "permute_dims" else "")
        return self.names.get(x, x.operation)


_LETTERS = {"matmul": "product", "max": "m", "sum": "total", "exp": "e", "less_equal": "off", "equal": "is_class"}


def _is_sgd(number: Number) -> bool:
    return type(number.optimiser).__name__ == "SGD"


def bound(program: Program, held: Sequence[Array]) -> Callable[..., Any]:
    """The step over these arrays."""
    namespace = dict(program.helpers)
    exec(code(program.source), namespace)
    step: Callable[..., Any] = namespace["bind"](np, tuple(held), tuple(program.constants))
    return step


@functools.lru_cache(maxsize=64)
def code(source: str) -> CodeType:
    """The code of a text: a program is bound anew to other arrays more often than it is made."""
    return compile(source, "<tg.compile>", "exec")
