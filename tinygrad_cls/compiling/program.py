"""The program: steps named by the array API, each on values that are computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..engine.operation import Kind
from ..engine.operations import OPERATIONS
from ..engine.tensor import Array, Tensor
from .names import result_name

ELEMENTWISE = frozenset(name for name, o in OPERATIONS.items() if o.ufunc is not None and o.kind is Kind.ELEMENTWISE)
"""Steps that are one ufunc of NumPy, which reads each element before it writes it."""
CHOICES = frozenset(name for name, o in OPERATIONS.items() if o.kind is Kind.ELEMENTWISE and o.spelling != name)
"""Steps that are the ufunc of their spelling where their second operand is finite."""
VIEWS = frozenset({"view", *(n for n, o in OPERATIONS.items() if o.kind is Kind.MOVEMENT and o.linear)})
"""Steps that give another view of the same memory; "view" is the same bits as another dtype."""
_OURS: dict[str, Callable[..., Any]] = {"copy": np.array, "take": np.take, "view": lambda x, dtype: x.view(dtype)}
"""Steps that are no operations of the engine, on arrays."""


@dataclass(slots=True, eq=False, repr=False)
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

    operation: str
    inputs: tuple[Any, ...]
    parameters: Mapping[str, Any]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    name: str | None = None
    source: Any = None

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
    def scatters(self) -> bool:
        """Of a view, whether its elements lie in another order than those of its operand, or are repeated."""
        return "axes" in self.parameters or self.size != self.operands[0].size

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __repr__(self) -> str:
        return f"<{self.operation} {self.name or ''} {self.shape} {self.dtype}>"


Form: TypeAlias = "Callable[[Builder, Value], Value | None]"


class Builder:
    """Makes values, equal ones once.

    Args:
        forms: by the step, what may give another value that is equal and simpler.
    """

    def __init__(self, forms: Mapping[str, Form]) -> None:
        self._known: dict[Any, Value] = {}
        self._forms = forms

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
        if "keepdims" in parameters:
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

    def _simple(self, v: Value) -> Value:
        """Another value that is equal to this one and simpler, or this one itself."""
        if v.inputs and all(_is_known(x) for x in v.inputs):
            return self.constant(_computed(v))
        if v.operation in OPERATIONS and OPERATIONS[v.operation].changes_nothing:
            (x,) = v.operands
            return x if (x.shape, x.dtype) == (v.shape, v.dtype) else v
        form = self._forms.get(v.operation)
        return (form(self, v) if form is not None else None) or v


def _is_known(x: Any) -> bool:
    """Whether an input is the same in every call."""
    return x.operation == "constant" if isinstance(x, Value) else type(x) in (int, float, bool)


def _computed(v: Value) -> Array:
    """The result of a step on constants."""
    arrays = [x.source if isinstance(x, Value) else x for x in v.inputs]
    run = OPERATIONS[v.operation].forward if v.operation in OPERATIONS else _OURS[v.operation]
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(run(*arrays, **v.parameters)).reshape(v.shape)


def _counted(axis: Any, ndim: int) -> Any:
    """Axes counted from the front, so that equal ones look equal."""
    if axis is None or ndim == 0:
        return None
    axes = sorted(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    return axes[0] if len(axes) == 1 else tuple(axes)


def _key(
    operation: str, inputs: tuple[Any, ...], parameters: Mapping[str, Any], shape: tuple[int, ...], dtype: Any
) -> Any:
    """Equal for steps of equal result."""
    same = [(type(x).__name__, repr(x)) if type(x) in (int, float, bool) else id(x) for x in inputs]
    return operation, tuple(same), repr(sorted(parameters.items())), shape, dtype.str
