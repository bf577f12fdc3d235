"""Steps that NumPy runs faster in another form, of equal value within rounding.

This knows NumPy's speed, as `numpy.py` knows its spelling; the algebra is done before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..compiling import steps
from ..compiling.plan import memory
from ..compiling.program import CHOICES, ELEMENTWISE, VIEWS, Builder, Form, Value
from ..engine.backward import inputs_first

_NARROW = 32  # a last axis this short is reduced column by column
_SPREAD = 1 << 16  # elements; larger arrays are broadcast by NumPy, which then takes 34 kB for its loop
_LONGEST = 1024  # ones to multiply by; longer sums are left to NumPy's pairwise adding


def faster(outputs: Sequence[Value], builder: Builder, checked: set[tuple[Value, int]]) -> list[Value]:
    """The outputs from faster steps.

    Args:
        outputs: what the program computes.
        builder: makes the new values.
        checked: class numbers that every call checks, with the number of classes.
    """
    outputs = everywhere(outputs, builder, lambda v: _coded(v, builder, checked) or _form(v, builder))
    return everywhere(outputs, builder, lambda v: _spread(v, builder))


def everywhere(outputs: Sequence[Value], builder: Builder, form_of: Callable[[Value], Value | None]) -> list[Value]:
    """The outputs from other forms of the steps, where there are any."""
    new: dict[Value, Value] = {}
    for v in inputs_first(outputs, lambda v: v.operands):
        new[v] = builder.over(v, [new[x] if isinstance(x, Value) else x for x in v.inputs])
        form = form_of(new[v])
        if form is not None:
            new[v] = form
            step = memory(form)
            step.name = step.name or v.name
    return [new[v] for v in outputs]


def coded(v: Value, checked: set[tuple[Value, int]]) -> Value | None:
    """The class numbers that one-hot rows stand for; every call checks them."""
    if v.operation != steps.ASTYPE or v.dtype.kind != "f" or v.operands[0].operation != steps.EQUAL:
        return None
    if len(v.operands[0].operands) != 2:
        return None
    places, classes = v.operands[0].operands
    labels = places.operands[0] if places.operation == steps.RESHAPE else places
    if (labels, classes.size) not in checked or v.shape != (*labels.shape, classes.size):
        return None
    known = classes.operation == "constant" and np.array_equal(classes.source, np.arange(classes.size))
    return labels if known else None


def _coded(v: Value, builder: Builder, checked: set[tuple[Value, int]]) -> Value | None:
    """One-hot rows are rows of the identity matrix."""
    labels = coded(v, checked)
    if labels is None or labels.dtype != np.intp or v.shape[-1] > _LONGEST:
        return None
    rows = builder.constant(np.eye(v.shape[-1], dtype=v.dtype))
    return builder.value(steps.TAKE, (rows, labels), {"axis": 0}, v.shape, v.dtype, v.name)


def _form(v: Value, builder: Builder) -> Value | None:
    x: Any = v.inputs[0] if v.inputs else None
    if v.operation == steps.WHERE and len(v.inputs) == 3:
        return _masked(v, builder)
    if v.operation in (steps.MATMUL, steps.SELECT_DOT) and not v.shape:
        return _entropy(v, builder)
    if v.operation == steps.SUM and not v.shape and x.dtype == v.dtype and v.dtype.char in "fd" and _is_column(x):
        return _dot(builder, builder.constant(np.ones(x.shape, v.dtype)), x)
    if v.operation not in (steps.MAX, steps.SUM) or len(x.shape) != 2 or x.dtype != v.dtype or v.dtype.char not in "fd":
        return None
    rows, columns = x.shape
    axis = v.parameters["axis"]
    if v.operation == steps.MAX and axis == 1 and columns <= _NARROW and rows > columns:
        turned = builder.value(steps.PERMUTE_DIMS, (x,), {"axes": (1, 0)}, (columns, rows), v.dtype)
        copied = builder.value(steps.COPY, (turned,), {}, turned.shape, v.dtype)
        largest = builder.value(steps.MAX, (copied,), {"axis": 0, "keepdims": False}, (rows,), v.dtype)
        return builder.value(steps.RESHAPE, (largest,), {"shape": v.shape}, v.shape, v.dtype)
    if v.operation == steps.SUM and v.parameters["dtype"] is None and axis in (0, 1) and 0 < x.shape[axis] <= _LONGEST:
        ones = builder.constant(np.ones(x.shape[axis], v.dtype))
        pair = (ones, x) if axis == 0 else (x, ones)
        total = builder.value(steps.MATMUL, pair, {}, (x.shape[1 - axis],), v.dtype, v.name or "total")
        return builder.value(steps.RESHAPE, (total,), {"shape": v.shape}, v.shape, v.dtype)
    return None


def _spread(v: Value, builder: Builder) -> Value | None:
    """Operands of equal shapes, copied out where they are broadcast: NumPy's loop then needs no memory of its own."""
    if v.operation not in (*ELEMENTWISE, *CHOICES) or not 0 < v.size <= _SPREAD:
        return None
    return builder.over(v, [_whole(x, v, builder) if isinstance(x, Value) else x for x in v.inputs])


def _whole(x: Value, like: Value, builder: Builder) -> Value:
    if x.shape in (like.shape, ()):
        return x
    wide = builder.value(steps.BROADCAST_TO, (x,), {"shape": like.shape}, like.shape, x.dtype)
    return builder.value(steps.COPY, (wide,), {}, like.shape, x.dtype)


def _is_column(x: Value) -> bool:
    x = x.operands[0] if x.operation == steps.RESHAPE else x
    return 0 < x.size <= _LONGEST and x.operation not in (*VIEWS, "input", "constant")


def _entropy(v: Value, builder: Builder) -> Value | None:
    """`Σ y (x − b)` with one-hot rows y, and b the same along each row: `Σ y x − Σ b`, by "rows sum to 1"."""
    y, x = (part.operands[0] if part.operation == steps.RESHAPE else part for part in v.operands)
    if y.operation != steps.TAKE or x.operation != steps.SUBTRACT or x.shape != y.shape:
        return None
    shifted, b = x.inputs
    if not isinstance(shifted, Value) or not isinstance(b, Value) or shifted.shape != x.shape:
        return None
    if b.shape != (*x.shape[:-1], 1) or b.dtype != v.dtype or shifted.operation in (*VIEWS, "input"):
        return None
    total = builder.value(steps.SUM, (b,), {"axis": None, "dtype": None, "keepdims": False}, (), v.dtype)
    return builder.like(steps.SUBTRACT, v, _dot(builder, y, shifted, v.operation), _form(total, builder) or total)


def _masked(v: Value, builder: Builder) -> Value | None:
    """Zeros at some places: the bits of each number times 0 or 1, so that even an infinity becomes 0."""
    off, zero, x = v.inputs
    if not isinstance(x, Value) or isinstance(zero, Value) or zero != 0 or v.dtype.char not in "fd":
        return None
    if x.shape != v.shape or off.shape != v.shape or x.dtype != v.dtype or off.dtype != bool:
        return None
    bits = np.dtype(f"int{8 * v.dtype.itemsize}")
    kept = _opposite(off, builder)
    factors = builder.value(steps.ASTYPE, (kept,), {"dtype": bits}, v.shape, bits) if v.size <= _SPREAD else kept
    read = builder.value(steps.VIEW, (x,), {"dtype": bits}, v.shape, bits)
    product = builder.value(steps.MULTIPLY, (read, factors), {}, v.shape, bits)
    return builder.value(steps.VIEW, (product,), {"dtype": v.dtype}, v.shape, v.dtype)


def without_z(v: Value, builder: Builder, operation: str = steps.EQUAL) -> Value | None:
    """`z ≤ 0` is where relu(z) is 0, which needs z no more."""
    if v.operation != steps.LESS_EQUAL or type(v.inputs[1]) is not int or v.inputs[1] != 0:
        return None
    h = builder.known(steps.MAXIMUM, v.inputs[0], 0)
    return None if h is None else builder.value(operation, (h, 0), {}, v.shape, v.dtype)


def _opposite(off: Value, builder: Builder) -> Value:
    """Where a condition does not hold."""
    h = without_z(off, builder, steps.NOT_EQUAL)
    if h is not None:
        return h
    return builder.value(steps.LOGICAL_NOT, (off,), {}, off.shape, off.dtype)


# --- simpler forms that are exactly the same, for the builder -----------------------------------------------------


def _dot(builder: Builder, x: Value, y: Value, step: str = steps.MATMUL) -> Value:
    """The sum of all products of two arrays of one shape: the product of two vectors."""
    vectors = tuple(builder.value(steps.RESHAPE, (v,), {"shape": (v.size,)}, (v.size,), v.dtype) for v in (x, y))
    return builder.value(step, vectors, {}, (), x.dtype)


def _summed(builder: Builder, v: Value) -> Value | None:
    """Of the sum of everything: sums of sums as one, and a sum of products as a product of vectors."""
    (x,) = v.operands
    if v.shape or v.dtype.char not in "fd" or x.dtype != v.dtype or v.parameters["dtype"] is not None:
        return None
    whole = {**v.parameters, "axis": None}
    if x.operation == steps.NEGATIVE:
        return builder.like(steps.NEGATIVE, v, builder.value(steps.SUM, x.inputs, whole, (), v.dtype))
    if x.operation == steps.SUM and x.parameters["dtype"] is None and x.operands[0].dtype == v.dtype:
        return builder.value(steps.SUM, x.inputs, whole, (), v.dtype)
    dots = {steps.MULTIPLY: steps.MATMUL, steps.SELECT: steps.SELECT_DOT}
    if x.operation in dots and len(x.operands) == 2 and all(_lies_in_order(y, x) for y in x.operands):
        weights, other = x.operands
        return _dot(builder, weights, other, dots[x.operation])
    return None


def _lies_in_order(y: Value, like: Value) -> bool:
    """Whether the elements of `y` lie in memory as those of a result would; those of an argument may not."""
    return y.shape == like.shape and y.dtype == like.dtype and y.operation not in (*VIEWS, "input")


def _mean(builder: Builder, v: Value) -> Value | None:
    (x,) = v.operands
    if v.dtype.char not in "fd" or x.dtype != v.dtype or not x.size:
        return None
    total = builder.value(steps.SUM, v.inputs, {**v.parameters, "dtype": None}, v.shape, v.dtype)
    return builder.like(steps.DIVIDE, total, total, x.size // max(v.size, 1))


def _relu(builder: Builder, v: Value) -> Value | None:
    """0 where `x ≤ 0`, else x, is the maximum of both."""
    condition, zero, x = v.inputs
    if not isinstance(condition, Value) or condition.operation != steps.LESS_EQUAL or condition.inputs[0] is not x:
        return None
    if not isinstance(x, Value) or x.dtype != v.dtype or not _is_zero(condition.inputs[1]) or not _is_zero(zero):
        return None
    return builder.value(steps.MAXIMUM, (x, 0), {}, v.shape, v.dtype)


def _below(builder: Builder, v: Value) -> Value | None:
    """`x` less the maximum of x and 0 is the minimum of both."""
    x, m = v.inputs
    return builder.like(steps.MINIMUM, v, x, 0) if m is builder.like(steps.MAXIMUM, v, x, 0) else None


def _is_zero(x: Any) -> bool:
    return type(x) in (int, float) and x == 0


FORMS: dict[str, Form] = {steps.SUM: _summed, steps.MEAN: _mean, steps.WHERE: _relu, steps.BELOW: _below}
