"""What numba's loops can do, and how numbers are written in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba.np.ufunc_db import get_ufuncs

from ..compiling import steps
from ..compiling.plan import memory
from ..compiling.program import Value
from ..engine.operation import Kind
from ..engine.operations import OPERATIONS
from . import machine
from .fusion import Read, folds, inner_read, is_reduction, loops, read

_UFUNCS = get_ufuncs()
DTYPES = frozenset("fd?bhilqBHI")
"""That loops compute with."""
FOLDS = {o.name: o.spelling.partition(".")[0] for o in OPERATIONS.values() if o.spelling.endswith(".reduce")}
"""Reductions, by the function of two numbers that they repeat."""


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


def matrices(v: Value) -> list[tuple[Read, bool, int] | None]:
    """How BLAS reads both operands of a product."""
    a, b = v.operands
    (m, k), (_, n) = (1, *a.shape)[-2:], (*b.shape, 1)[:2]
    return [_matrix(a, (m, k)), _matrix(b, (k, n))]


def _matrix(x: Value, shape: tuple[int, int]) -> tuple[Read, bool, int] | None:
    """How BLAS reads a matrix: whose memory, whether turned, and how far from row to row; None where it cannot."""
    r = _all_axes(x)
    if r is None:
        return None
    at = {i: int(np.prod(r.shape[a + 1 :])) for a, i in enumerate(r.axes) if i >= 0}
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


def inlined(order: Sequence[Value], ends: Sequence[Value]) -> set[Value]:
    """Truth values of what is given, and casts of them: written where they are read, if loops alone read them."""
    found: set[Value] = set()
    for v in order:
        asks = OPERATIONS[v.operation].boolean if v.operation in OPERATIONS else False
        asks = asks or (v.operation == steps.ASTYPE and v.operands[0].dtype == bool)
        given = all(_is_given(memory(x)) or memory(x) in found for x in v.operands)
        if asks and given and is_loop(v):
            found.add(v)
    kept = {memory(v) for v in ends}
    for v in order:
        for x in v.operands:
            if not is_loop(v) or (memory(x) is not x and read(v, x).shape != memory(x).shape):
                kept.add(memory(x))
    return found - kept


def _is_given(x: Value) -> bool:
    return x.operation == "constant" or (x.operation == "input" and x.source[0] == "argument")


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


def literal(x: Any, dtype: np.dtype[Any]) -> str:
    """A number of this dtype."""
    if dtype.kind == "b":
        return str(bool(x))
    text = repr(float(x)) if dtype.kind == "f" else repr(int(x))
    text = f"np.{text}" if text in ("inf", "nan") else "-np.inf" if text == "-inf" else text
    return text if dtype.char in "dl" else cast(text, dtype)


def least(dtype: np.dtype[Any], name: str) -> Any:
    """What no element is beyond, to begin with."""
    largest = FOLDS[name] == OPERATIONS[steps.MAXIMUM].spelling
    if dtype.kind == "f":
        return -np.inf if largest else np.inf
    return np.iinfo(dtype).min if largest else np.iinfo(dtype).max


def cast(text: str, dtype: np.dtype[Any]) -> str:
    """What a text stands for, in another dtype."""
    return f"({text} != 0)" if dtype.kind == "b" else f"{type_name(dtype)}({text})"


def bracketed(text: str) -> str:
    """Text that may stand between operators."""
    whole = text.isidentifier() or (text.endswith((")", "]")) and " " not in text.partition("(")[0].partition("[")[0])
    depth = 0
    for n, c in enumerate(text):  # a name and its brackets alone
        depth += (c in "([") - (c in ")]")
        if depth == 0 and c in ")]" and n < len(text) - 1:
            whole = False
    return text if whole else f"({text})"


def type_name(dtype: np.dtype[Any]) -> str:
    """A dtype in the text of loops."""
    return "bool_" if dtype.kind == "b" else dtype.name


def numba_type(dtype: np.dtype[Any]) -> str:
    """A dtype in a signature."""
    return "boolean" if dtype.kind == "b" else dtype.name


def printable(text: str) -> str:
    """On one line."""
    return "".join(c if c.isprintable() else " " for c in text)
