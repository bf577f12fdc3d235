"""What numba's loops can do, and how numbers are written in them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba.np.ufunc_db import get_ufuncs

from ..compiling import steps
from ..compiling.plan import memory
from ..compiling.program import Builder, Value
from ..engine.operation import Kind
from ..engine.operations import OPERATIONS
from . import machine
from .faster import coded
from .fusion import Read, Schedule, folds, inner_read, is_reduction, loops, read

_UFUNCS = get_ufuncs()
DTYPES = frozenset("fd?bhilqBHI")
"""That loops compute with."""
FOLDS = {o.name: o.spelling.partition(".")[0] for o in OPERATIONS.values() if o.spelling.endswith(".reduce")}
"""Reductions, by the function of two numbers that they repeat."""
_TERMS = 4  # operations that are written where their result is read, at most


# --- what loops can do ------------------------------------------------------------------------------------------------


def is_loop(v: Value) -> bool:
    """Whether loops can do a step."""
    if not v.size or any(x.dtype.char not in DTYPES or not x.size for x in (v, *v.operands)) or len(loops(v)) > 6:
        return False
    operation = OPERATIONS.get(v.operation)
    if is_reduction(v):
        return _folds(v)
    if v.operation in (steps.ASTYPE, steps.COPY):
        return v.dtype.kind in "fb" or v.operands[0].dtype.kind != "f"  # nan as an integer is as NumPy makes it
    if v.operation in (steps.WHERE, steps.SPREAD_MEAN, steps.CHOSEN):
        return True
    if operation is None or operation.kind is not Kind.ELEMENTWISE:
        return False
    if operation.ufunc is None:
        return hasattr(machine, operation.name) and v.dtype.kind == "f"
    if operation.ufunc not in _UFUNCS:
        return False
    if v.dtype.kind == "f" or operation.boolean:
        return True
    return v.dtype.kind == "i" and (operation.symbol in ("+", "−", "×") or operation.letter == "m")


def _folds(v: Value) -> bool:
    """Whether a reduction folds all loops within a row, or the rows."""
    (x,) = v.operands
    gone, inner = folds(v), set(range(1, len(loops(v))))
    if v.operation not in FOLDS or (v.dtype.kind not in "fi") or (v.operation != steps.SUM and x.dtype != v.dtype):
        return False
    return not gone or gone >= inner or 0 in gone


def is_product(v: Value) -> bool:
    """Whether BLAS can do it: a product of two matrices or vectors."""
    if v.operation != steps.MATMUL or v.dtype.char not in "fd" or not v.size:
        return False
    fit = all(x.dtype == v.dtype and len(x.shape) <= 2 and x.size for x in v.operands)
    return fit and len(v.operands) == 2 and None not in matrices(v)


def matrices(v: Value) -> list[tuple[Value, bool] | None]:
    """The memory of both operands of a product, and whether it is turned; None where BLAS cannot read it."""
    a, b = v.operands
    (m, k), (_, n) = (1, *a.shape)[-2:], (*b.shape, 1)[:2]
    return [_matrix(a, (m, k)), _matrix(b, (k, n))]


def _matrix(x: Value, shape: tuple[int, int]) -> tuple[Value, bool] | None:
    r = inner_read(Read(x, x.shape, tuple(range(len(x.shape)))), x)
    if int(np.prod(r.shape)) != x.size:  # elements are repeated
        return None
    axes = [i for i, n in zip(r.axes, r.shape, strict=True) if n != 1]
    if axes == sorted(axes):
        return r.value, False
    return (r.value, True) if len(axes) == 2 else None


# --- what is written where it is read ---------------------------------------------------------------------------------


def singles(order: Sequence[Value], ends: Sequence[Value], schedule: Schedule) -> set[Value]:
    """What has no name and is read once, at each of its elements: in the same loop, or made of what is there anyway."""
    kept = {memory(v) for v in ends}
    readers: dict[Value, list[tuple[Value, Value]]] = {}
    for u in order:
        for x in u.operands:
            readers.setdefault(memory(x), []).append((u, x))
            if not is_loop(u) or read(u, x).shape != memory(x).shape:
                kept.add(memory(x))
    found, terms = set[Value](), dict[Value, int]()
    for v in order:
        terms[v] = (v.operation in OPERATIONS) + sum(terms[memory(x)] for x in v.operands if memory(x) in found)
        asks = v.dtype == bool or (v.operation == steps.ASTYPE and v.operands[0].dtype == bool)
        single = len(readers.get(v, [])) == 1 and v not in kept and terms[v] <= _TERMS and (v.name is None or asks)
        if not single or is_reduction(v) or not is_loop(v):
            continue
        ((u, x),) = readers[v]
        there = all(y.operation in ("input", "constant") or y in kept or y in found for y in map(memory, v.operands))
        if (there or schedule.is_near(v, u)) and [i for i in read(u, x).axes if i >= 0] == [*range(len(loops(u)))]:
            found.add(v)
    return found


def chosen(v: Value, builder: Builder, checked: set[tuple[Value, int]]) -> Value | None:
    """`Σ y x` with one-hot rows y is x at the class numbers."""
    if v.operation != steps.SUM or v.inputs[0].operation != steps.SELECT or v.parameters["axis"] != 1:
        return None
    y, x = v.inputs[0].inputs
    labels = coded(y, checked) if isinstance(y, Value) else None
    if labels is None or labels.operation != "input" or not isinstance(x, Value):
        return None
    if len(y.shape) != 2 or x.shape != y.shape or not x.dtype == y.dtype == v.dtype:
        return None
    return builder.value(steps.RESHAPE, (_at(x, labels, builder),), {"shape": v.shape}, v.shape, v.dtype, v.name)


def _at(x: Value, labels: Value, builder: Builder) -> Value:
    """The elements at the class numbers; of a difference, the difference of both there."""
    if x.operation == steps.SUBTRACT and all(isinstance(y, Value) and len(y.shape) == 2 for y in x.inputs):
        return builder.value(x.operation, tuple(_at(y, labels, builder) for y in x.inputs), {}, labels.shape, x.dtype)
    if x.shape[1] == 1:
        return builder.value(steps.RESHAPE, (x,), {"shape": labels.shape}, labels.shape, x.dtype)
    return builder.value(steps.CHOSEN, (x, labels), {}, labels.shape, x.dtype)


def counts(x: Value) -> bool:
    """Whether it is the numbers 0, 1, 2, …: what the loop counts itself."""
    return (
        x.operation == "constant"
        and x.dtype.kind in "iu"
        and len(x.shape) == 1
        and x.size > 1
        and bool((x.source == np.arange(x.size)).all())
    )


# --- text -----------------------------------------------------------------------------------------------------------


def plain(line: str) -> str:
    """A line without brackets that it does not need, and `x -= y` where it says `x = x - y`."""
    (node,) = ast.parse(line).body
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.BinOp):
        (target,), operation, sides = node.targets, node.value.op, [node.value.left, node.value.right]
        if isinstance(operation, ast.Add | ast.Mult) and ast.unparse(sides[1]) == ast.unparse(target):
            sides.reverse()
        own, other = sides
        if isinstance(operation, ast.Add) and isinstance(other, ast.UnaryOp) and isinstance(other.op, ast.USub):
            operation, other = ast.Sub(), other.operand
        if ast.unparse(own) == ast.unparse(target):
            return ast.unparse(ast.AugAssign(target, operation, other))  # type: ignore[arg-type]
    return ast.unparse(node)


def literal(x: Any, dtype: np.dtype[Any]) -> str:
    """A number of this dtype."""
    if dtype.kind == "b":
        return str(bool(x))
    text = repr(float(x)) if dtype.kind == "f" else repr(int(x))
    text = f"np.{text}" if text in ("inf", "nan") else "-np.inf" if text == "-inf" else text
    return text if dtype.char in "dl" else cast(text if text == "-0.0" else text.removesuffix(".0"), dtype)


def least(dtype: np.dtype[Any], name: str) -> Any:
    """What no element is beyond, to begin with."""
    largest = FOLDS[name] == OPERATIONS[steps.MAXIMUM].spelling
    if dtype.kind == "f":
        return -np.inf if largest else np.inf
    return np.iinfo(dtype).min if largest else np.iinfo(dtype).max


def cast(text: str, dtype: np.dtype[Any]) -> str:
    """What a text stands for, in another dtype."""
    return f"({text} != 0)" if dtype.kind == "b" else f"{type_name(dtype)}({text})"


def function(name: str, spelling: str, dtype: np.dtype[Any]) -> str:
    """What an operation is called: ours for floats, where there is one, else NumPy's."""
    return name if hasattr(machine, name) and dtype.kind == "f" else f"np.{spelling}"


def type_name(dtype: np.dtype[Any]) -> str:
    """A dtype in the text of loops."""
    return "bool_" if dtype.kind == "b" else dtype.name


def printable(text: str) -> str:
    """On one line."""
    return "".join(c if c.isprintable() else " " for c in text)
