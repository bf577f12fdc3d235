"""The program: steps named by the array API, each on values that are computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.operation import OPERATIONS
from ..engine.tensor import Array, Tensor
from .names import result_name

VIEWS = frozenset({"reshape", "permute_dims", "broadcast_to", "view"})
"""Steps that give another view of the same memory; "view" is the same bits as another dtype."""


class Value:
    """One step of the program and its result, or an input.

    Attributes:
        operation: the name of the step; "input", "constant" for what is there already.
        inputs: values and numbers.
        parameters: static parameters such as `axis`.
        shape, dtype: of the result.
        name: what the graph calls it, or None.
        source: for an input where it comes from, for a constant its array.
    """

    __slots__ = ("dtype", "inputs", "name", "operation", "parameters", "shape", "source")

    def __init__(
        self,
        operation: str,
        inputs: tuple[Any, ...],
        parameters: Mapping[str, Any],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        name: str | None = None,
        source: Any = None,
    ) -> None:
        self.operation, self.inputs, self.parameters = operation, inputs, parameters
        self.shape, self.dtype, self.name, self.source = shape, dtype, name, source

    @property
    def operands(self) -> list[Value]:
        """The inputs that are no numbers."""
        return [x for x in self.inputs if isinstance(x, Value)]

    @property
    def is_number(self) -> bool:
        """Whether it is a number of an optimiser's rule, or worked out from such alone: Python's arithmetic will do."""
        if self.operation == "input":
            return bool(self.source[0] == "number")
        return not self.shape and bool(self.inputs) and all(x.is_number for x in self.operands)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __repr__(self) -> str:
        return f"<{self.operation} {self.name or ''} {self.shape} {self.dtype}>"


class Builder:
    """Makes values, equal ones once, and the simplest form that is exactly the same."""

    def __init__(self) -> None:
        self._known: dict[Any, Value] = {}

    def input(self, source: Any, like: Tensor) -> Value:
        """What comes from outside in every call."""
        return Value("input", (), {}, like.shape, like.dtype, like.name, source)

    def constant(self, array: Array, name: str | None = None) -> Value:
        """An array that is always the same."""
        key = ("constant", array.shape, array.dtype.str, array.tobytes())
        if key not in self._known:
            self._known[key] = Value("constant", (), {}, array.shape, array.dtype, name, array)
        return self._known[key]

    def value(
        self,
        operation: str,
        inputs: tuple[Any, ...],
        parameters: Mapping[str, Any],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        name: str | None = None,
    ) -> Value:
        """The result of a step; an earlier one where it is equal."""
        if operation in ("sum", "max", "min"):
            parameters = {**parameters, "axis": _counted(parameters["axis"], len(inputs[0].shape))}
        new = Value(operation, inputs, parameters, shape, dtype, name)
        simple = self._simple(new)
        if simple is not new:
            simple.name = simple.name or (name if simple.shape == shape else None)
            return simple
        known = self._known.setdefault(_key(operation, inputs, parameters, shape, dtype), new)
        known.name = known.name or name
        return known

    def ran(self, t: Tensor, inputs: Sequence[Any], values: Mapping[Tensor, Value]) -> Value:
        """The step of a recorded operation.

        Args:
            t: what it made.
            inputs: what it was applied to: Tensors and numbers.
            values: the values of Tensors.
        """
        assert t.operation is not None
        given = tuple(values[x] if isinstance(x, Tensor) else x for x in inputs)
        return self.value(t.operation.name, given, t.parameters, t.shape, t.dtype, t.name or result_name(t))

    def over(self, v: Value, inputs: Sequence[Any]) -> Value:
        """The same step on other inputs."""
        if all(a is b for a, b in zip(inputs, v.inputs, strict=True)):
            return v
        return self.value(v.operation, tuple(inputs), v.parameters, v.shape, v.dtype, v.name)

    def like(self, operation: str, x: Value, *inputs: Any, **parameters: Any) -> Value:
        """A step whose result has the shape and dtype of `x`."""
        return self.value(operation, inputs, parameters, x.shape, x.dtype)

    def known(self, operation: str, *inputs: Any) -> Value | None:
        """The result of a step without parameters, if it is computed at all."""
        x = inputs[0]
        return self._known.get(_key(operation, inputs, {}, x.shape, x.dtype))

    def dot(self, x: Value, y: Value, operation: str = "matmul") -> Value:
        """The sum of all products of two arrays of one shape: the product of two vectors.

        As "select_dot", weights `x` of 0 leave out what is not finite, too.
        """
        vectors = tuple(self.value("reshape", (v,), {"shape": (v.size,)}, (v.size,), v.dtype) for v in (x, y))
        return self.value(operation, vectors, {}, (), x.dtype)

    def _simple(self, v: Value) -> Value:
        """Another value that is equal to this one and simpler, or this one itself."""
        if v.inputs and all(_is_known(x) for x in v.inputs):
            return self.constant(_computed(v))
        form = _FORMS.get(v.operation)
        return (form(self, v) if form is not None else None) or v


# --- simpler forms that are exactly the same, by the step --------------------------------------------------------


def _same(builder: Builder, v: Value) -> Value | None:
    return v.operands[0]


def _same_if_unchanged(builder: Builder, v: Value) -> Value | None:
    x = v.operands[0]
    return x if (x.shape, x.dtype) == (v.shape, v.dtype) else None


def _reshaped(builder: Builder, v: Value) -> Value | None:
    (x,) = v.operands
    if x.operation == "reshape":
        return builder.value("reshape", x.inputs, {"shape": v.shape}, v.shape, v.dtype)
    return _same_if_unchanged(builder, v)


def _permuted(builder: Builder, v: Value) -> Value | None:
    (x,), axes = v.operands, tuple(v.parameters["axes"])
    if axes == tuple(range(len(axes))):
        return x
    if x.operation == "permute_dims":
        axes = tuple(x.parameters["axes"][a] for a in axes)
        return builder.value("permute_dims", x.inputs, {"axes": axes}, v.shape, v.dtype)
    return None


def _negative(builder: Builder, v: Value) -> Value | None:
    """`−(−x)` is `x`."""
    (x,) = v.operands
    number = _repeated(x)
    if number is not None:
        opposite = builder.like("negative", number, number)
        return builder.value("broadcast_to", (opposite,), {"shape": v.shape}, v.shape, v.dtype)
    return (
        x.operands[0] if x.operation == "negative" and v.dtype.kind == "f" and x.operands[0].dtype == v.dtype else None
    )


def _divided(builder: Builder, v: Value) -> Value | None:
    """`(−x) / 2` is `x / −2`."""
    x, number = v.inputs
    if not isinstance(x, Value) or x.operation != "negative" or v.dtype.kind != "f" or x.dtype != v.dtype:
        return None
    if type(number) not in (int, float) or number == 0:  # −0 is 0 for an int
        return None
    return builder.like("divide", v, x.inputs[0], -number)


def _summed(builder: Builder, v: Value) -> Value | None:
    """Of the sum of everything: sums of sums as one, and a sum of products as a product of vectors."""
    (x,) = v.operands
    if v.shape or v.dtype.char not in "fd" or x.dtype != v.dtype or v.parameters["dtype"] is not None:
        return None
    whole = {**v.parameters, "axis": None}
    if x.operation == "negative":
        return builder.like("negative", v, builder.value("sum", x.inputs, whole, (), v.dtype))
    if x.operation == "sum" and x.parameters["dtype"] is None and x.operands[0].dtype == v.dtype:
        return builder.value("sum", x.inputs, whole, (), v.dtype)
    if x.operation in _DOTS and len(x.operands) == 2 and all(_lies_in_order(y, x) for y in x.operands):
        weights, other = x.operands
        return builder.dot(weights, other, _DOTS[x.operation])
    return None


_DOTS = {"multiply": "matmul", "select": "select_dot"}


def _mean(builder: Builder, v: Value) -> Value | None:
    (x,) = v.operands
    if v.dtype.char not in "fd" or x.dtype != v.dtype or not x.size:
        return None
    total = builder.value("sum", v.inputs, {**v.parameters, "dtype": None}, v.shape, v.dtype)
    return builder.like("divide", total, total, x.size // max(v.size, 1))


def _spread_mean(builder: Builder, v: Value) -> Value | None:
    g = v.operands[0]
    if not v.size or v.dtype.char not in "fd":
        return None
    share = builder.like("divide", g, g, v.size // _kept(v))
    return builder.value("broadcast_to", (share,), {"shape": v.shape}, v.shape, v.dtype)


def _relu(builder: Builder, v: Value) -> Value | None:
    """0 where `x ≤ 0`, else x, is the maximum of both."""
    condition, zero, x = v.inputs
    if not isinstance(condition, Value) or condition.operation != "less_equal" or condition.inputs[0] is not x:
        return None
    if not isinstance(x, Value) or x.dtype != v.dtype or not _is_zero(condition.inputs[1]) or not _is_zero(zero):
        return None
    return builder.value("maximum", (x, 0), {}, v.shape, v.dtype)


def _selected(builder: Builder, v: Value) -> Value | None:
    """Truth values choose without being multiplied, what is known to be finite is multiplied, and a number once."""
    weights, x = v.inputs
    if not isinstance(weights, Value) or not isinstance(x, Value) or x.dtype != v.dtype:
        return None
    if weights.dtype == bool:
        return builder.value("where", (weights, x, 0), {}, v.shape, v.dtype)
    if x.operation == "constant" and np.isfinite(x.source).all():
        return builder.like("multiply", v, weights, x)
    number = _repeated(x)
    return builder.like("select", v, weights, number) if number is not None and weights.shape == v.shape else None


def _below(builder: Builder, v: Value) -> Value | None:
    """`x` less the maximum of x and 0 is the minimum of both."""
    x, m = v.inputs
    return builder.like("minimum", v, x, 0) if m is builder.like("maximum", v, x, 0) else None


def _repeated(x: Value) -> Value | None:
    """The single number that is repeated in every place of `x`, if there is one."""
    if not x.shape:
        return None
    while x.operation in ("broadcast_to", "reshape"):
        (x,) = x.operands
    return None if x.shape else x


def _of_opposite(builder: Builder, v: Value) -> Value | None:
    """The maximum of `−x` and 0 is the opposite of the minimum of x and 0, and the other way round."""
    x, zero = v.inputs
    if not isinstance(x, Value) or x.operation != "negative" or x.dtype.kind != "f" or not _is_zero(zero):
        return None
    return builder.like("negative", v, builder.like(_OPPOSITES[v.operation], v, x.operands[0], zero))


_OPPOSITES = {"maximum": "minimum", "minimum": "maximum"}
_FORMS: dict[str, Callable[[Builder, Value], Value | None]] = {
    "stop_gradient": _same,
    "identity": _same,
    "astype": _same_if_unchanged,
    "view": _same_if_unchanged,
    "broadcast_to": _same_if_unchanged,
    "reshape": _reshaped,
    "permute_dims": _permuted,
    "negative": _negative,
    "divide": _divided,
    "sum": _summed,
    "mean": _mean,
    "spread_mean": _spread_mean,
    "where": _relu,
    "select": _selected,
    "below": _below,
    "maximum": _of_opposite,
    "minimum": _of_opposite,
}


def _is_known(x: Any) -> bool:
    """Whether an input is the same in every call."""
    return x.operation == "constant" if isinstance(x, Value) else type(x) in (int, float, bool)


def _computed(v: Value) -> Array:
    """The result of a step on constants."""
    arrays = [x.source if isinstance(x, Value) else x for x in v.inputs]
    ours: dict[str, Callable[..., Any]] = {
        "copy": np.array,
        "view": lambda x, dtype: x.view(dtype),
        "take": np.take,
        "logical_not": np.logical_not,
        "select_dot": lambda weights, x: OPERATIONS["select"].forward(weights, x).sum(),
    }
    run = OPERATIONS[v.operation].forward if v.operation in OPERATIONS else ours[v.operation]
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(run(*arrays, **v.parameters)).reshape(v.shape)


def _counted(axis: Any, ndim: int) -> Any:
    """Axes counted from the front, so that equal ones look equal."""
    if axis is None or ndim == 0:
        return None
    axes = sorted(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    return axes[0] if len(axes) == 1 else tuple(axes)


def _kept(v: Value) -> int:
    axis, shape = v.parameters["axis"], v.shape
    if axis is None:
        return 1
    folded = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return int(np.prod([n for i, n in enumerate(shape) if i not in folded], dtype=np.int64))


def _is_zero(x: Any) -> bool:
    return type(x) in (int, float) and x == 0


def _lies_in_order(y: Value, like: Value) -> bool:
    """Whether the elements of `y` lie in memory as those of a result would; those of an argument may not."""
    return y.shape == like.shape and y.dtype == like.dtype and y.operation not in (*VIEWS, "input")


def _key(
    operation: str, inputs: tuple[Any, ...], parameters: Mapping[str, Any], shape: tuple[int, ...], dtype: Any
) -> Any:
    """Equal for steps of equal result."""
    same = [(type(x).__name__, repr(x)) if type(x) in (int, float, bool) else id(x) for x in inputs]
    return operation, tuple(same), repr(sorted(parameters.items())), shape, dtype.str
