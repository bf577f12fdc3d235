"""`Tensor`: an array that remembers the operation and the inputs that made it.

Three ideas live here, and nothing else:

- an `Operation` (`operation.py`) is one entry of the table `OPERATIONS`: what it computes, its derivative, how it is
  written;
- `apply` runs an operation on operands and records it in the result;
- a `Tensor` is the result: values, and the record of where they came from.

The entries themselves are in `operations/`; the walk back through the record is in `backward.py`.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, final

import numpy as np

from .backward import gradients_of_leaves
from .operation import NUMPY_FUNCTIONS, OPERATIONS, Operation
from .recording import CONSTANTS, GRADIENTS, NOTHING, STATE, TRACE, Scope

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = np.ndarray[Any, Any]
Axis: TypeAlias = int | tuple[int, ...] | None
TensorLike: TypeAlias = "Tensor | npt.ArrayLike"

_WEAK = (bool, int, float)  # Python's scalars take the dtype of what they meet (NEP 50), so they stay scalars
_NO_PARAMETERS: dict[str, Any] = {}
_numbers = itertools.count()


def apply(
    operation: Operation, operands: Sequence[TensorLike], parameters: Mapping[str, Any] = _NO_PARAMETERS
) -> Tensor:
    """Run `operation` on `operands` and record it in the result.

    Arrays among the operands are copied; Python scalars stay as they are and are no nodes of the graph.

    Raises:
        ValueError, TypeError, IndexError, OverflowError: what NumPy raises, with the operation and its operands named.
    """
    arrays: list[Any] = []
    requires_grad = False
    for operand in operands:
        if type(operand) is Tensor:
            arrays.append(operand._array)
            if operand._requires_grad:
                requires_grad = True
        elif type(operand) in _WEAK:
            arrays.append(operand)
        else:
            return apply(operation, [_as_input(x) for x in operands], parameters)
    try:
        array = operation.forward(*arrays, **parameters)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise _explained(error, operation, operands, parameters) from error
    if type(array) is not np.ndarray:
        array = np.asarray(array)  # NumPy gives scalars where we want 0-d arrays

    level, scope = STATE.get()
    if requires_grad and level != NOTHING and level != CONSTANTS:
        requires_grad = operation.differentiable and array.dtype.kind == "f"
    elif level <= GRADIENTS:
        return constant(array)
    else:
        requires_grad = False
    result = Tensor.__new__(Tensor)
    result._array = array
    result._requires_grad = requires_grad
    result._grad = None
    result._name = None
    result.operation = operation
    result.inputs = tuple(operands)  # type: ignore[arg-type]
    result.parameters = parameters
    result.scope = scope
    result._operands = tuple(arrays)
    result._number = next(_numbers)
    return result


def _as_input(operand: TensorLike) -> Tensor | bool | int | float:
    return operand if type(operand) is Tensor or type(operand) in _WEAK else Tensor(operand)  # type: ignore[return-value]


def constant(array: Array) -> Tensor:
    """A leaf that owns `array` (no copy) and requires no gradient. For arrays that nobody else can write to."""
    result = Tensor.__new__(Tensor)
    result._array = array
    result._requires_grad = False
    result._grad = None
    result._name = None
    result.operation = None
    result.inputs = ()
    result.parameters = _NO_PARAMETERS
    result.scope = None
    result._operands = ()
    return result


@final
class Tensor:
    """An array that remembers the operation and the inputs that made it.

    Args:
        data: numbers, nested lists or an array; always copied, so later changes to it cannot reach a gradient.
        dtype: as in NumPy; by default NumPy's choice for `data`.
        requires_grad: whether `backward` shall leave a gradient in `.grad`. Floating dtypes only.
        name: shown in drawings, errors and formulas; may be assigned at any time.

    Attributes:
        operation: the `Operation` that made this tensor; None for a leaf.
        inputs: what it was applied to: Tensors, and plain Python scalars.
        parameters: its static parameters, such as `axis`.
        scope: the innermost composite (`softmax`, ...) it was made in, or None.

    Raises:
        TypeError: for complex, object, text or structured data, for masked arrays with masked values, for a
            Tensor that requires a gradient (its history would be lost), for `requires_grad` without a floating dtype.

    Example:
        >>> import tinygrad_cls as tg
        >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> loss = (x * x).sum()
        >>> loss.backward()
        >>> x.grad
        Tensor([2., 4., 6.])
    """

    __slots__ = (
        "__weakref__",
        "_array",
        "_grad",
        "_name",
        "_number",  # of a computed tensor: they are numbered as they are made, so inputs come before results
        "_operands",  # the arrays (and scalars) the operation saw: backward reads them, and notices changes
        "_requires_grad",
        "inputs",
        "operation",
        "parameters",
        "scope",
    )

    _array: Array
    _grad: Tensor | None
    _name: str | None
    _number: int
    _operands: tuple[Any, ...]
    _requires_grad: bool
    inputs: tuple[Tensor | bool | int | float, ...]
    operation: Operation | None
    parameters: Mapping[str, Any]
    scope: Scope | None

    def __init__(
        self,
        data: TensorLike,
        *,
        dtype: npt.DTypeLike | None = None,
        requires_grad: bool = False,
        name: str | None = None,
    ) -> None:
        if type(data) is Tensor and not data._requires_grad and (trace := TRACE.get()) is not None:
            trace.copied(self, data)
            data = data._array
        self._array = _copied(data, dtype)
        self._grad = None
        self._requires_grad = False
        self.operation = None
        self.inputs = ()
        self.parameters = _NO_PARAMETERS
        self.scope = None
        self._operands = ()
        self.name = name
        if requires_grad:
            self.requires_grad = True

    # --- what it is -------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        shape: tuple[int, ...] = self._array.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of one element."""
        dtype: np.dtype[Any] = self._array.dtype
        return dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size

    @property
    def name(self) -> str | None:
        """The name in drawings, errors and formulas."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a tensor's name is text or None, not {type(name).__name__}")
        self._name = name

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor. May be set on leaves of a floating dtype."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, requires_grad: bool) -> None:
        if self.operation is not None and requires_grad != self._requires_grad:
            raise ValueError(
                f"{describe(self)} was computed, so whether it requires a gradient follows from its inputs: "
                "set requires_grad on those, or cut it loose with detach()"
            )
        if requires_grad and self._array.dtype.kind != "f":
            raise TypeError(
                f"{describe(self)} cannot require a gradient: only floating tensors vary smoothly. "
                "Pass dtype=float, or keep it as a constant."
            )
        self._requires_grad = bool(requires_grad)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here: None, or a Tensor of this shape and dtype."""
        trace = TRACE.get()
        if trace is not None:
            trace.gradient_read(self)
        return self._grad

    @grad.setter
    def grad(self, grad: Tensor | None) -> None:
        if grad is not None:
            if not isinstance(grad, Tensor):
                raise TypeError(f"the gradient of {describe(self)} must be a Tensor or None, not {type(grad).__name__}")
            if grad.shape != self.shape or grad.dtype != self.dtype:
                raise ValueError(
                    f"the gradient of {describe(self)} must have its shape and dtype, got {describe(grad)}"
                )
        trace = TRACE.get()
        if trace is not None:
            trace.gradient_set(self, grad)
        self._grad = grad

    # --- values -----------------------------------------------------------------------------------------------

    def numpy(self) -> Array:
        """The values, as a read-only array.

        Example:
            >>> import tinygrad_cls as tg
            >>> tg.Tensor([1.0, 2.0]).numpy()
            array([1., 2.])
        """
        _note_reading(self, "numpy()")
        array: Array = self._array.view()
        array.flags.writeable = False
        return array

    def item(self) -> float | int | bool:
        """The value of a tensor with one element, as a Python number.

        Raises:
            ValueError: when there are more elements, or none.
        """
        _note_reading(self, "item()")
        if self._array.size != 1:
            raise ValueError(f"item() needs one element, {describe(self)} has {self.size}; use numpy() or an index")
        value: float | int | bool = self._array.item()
        return value

    def tolist(self) -> Any:
        """The values as nested Python lists."""
        _note_reading(self, "tolist()")
        return self._array.tolist()

    def detach(self) -> Tensor:
        """The same values as a constant leaf: no history, no gradient. The values are shared, not copied."""
        if TRACE.get() is not None:
            return apply(OPERATIONS["stop_gradient"], (self,))
        result = constant(self._array)
        result._name = self._name
        return result

    def assign(self, values: TensorLike) -> None:
        """Give a leaf new values, as an optimiser or a loader does.

        A graph that was recorded with the old values becomes stale: `backward` through it raises, since its
        gradient would belong to values that are gone.

        Args:
            values: of this tensor's shape; cast to its dtype (float64 to float32, but never float to integer).

        Raises:
            ValueError: when the shape differs, or when this tensor was computed.
            TypeError: when the dtype cannot be cast within its kind.

        Example:
            >>> import tinygrad_cls as tg
            >>> w = tg.Tensor([1.0, 2.0])
            >>> w.assign(w.numpy() * 0.5)
            >>> w
            Tensor([0.5, 1. ])
        """
        if self.operation is not None:
            raise ValueError(f"{describe(self)} was computed and cannot be assigned; only leaves can")
        trace = TRACE.get()
        if trace is not None and type(values) is not Tensor:
            values = Tensor(values)
        array = values._array if type(values) is Tensor else _copied(values, None)
        if array.shape != self.shape:
            raise ValueError(
                f"cannot assign values of shape {array.shape} to {describe(self)}: the shapes must be equal"
            )
        array = array.astype(self.dtype, casting="same_kind", copy=type(values) is Tensor)
        if type(values) is Tensor and trace is not None:
            trace.assigned(self, values, array)
        self._array = array

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if self._requires_grad:
            raise TypeError(
                f"{describe(self)} requires a gradient, and turning it into an array would drop it from the graph "
                "in silence: use .numpy() for the values, or tg.stack to join tensors"
            )
        _note_reading(self, "turning it into an array")
        if dtype is not None and np.dtype(dtype) != self.dtype:
            if copy is False:
                raise ValueError(f"{describe(self)} cannot become {np.dtype(dtype)} without a copy")
            return self._array.astype(dtype)
        return self._array.copy() if copy else self.numpy()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        _note_reading(self, "asking whether it is true")
        if self._array.size != 1:
            raise ValueError(
                f"the truth of {describe(self)} is ambiguous: it has {self.size} elements. "
                "Compare values with .numpy() and .all() or .any()."
            )
        return bool(self._array.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iu" or self._array.ndim != 0:
            raise TypeError(f"only a 0-d integer tensor can be used as an index, not {describe(self)}")
        _note_reading(self, "using it as an index of Python's")
        return int(self._array)

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("a 0-d tensor has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("a 0-d tensor cannot be iterated over")
        return (self[i] for i in range(self._array.shape[0]))

    def __format__(self, specification: str) -> str:
        return format(self.item(), specification) if specification else str(self)

    def __repr__(self) -> str:
        parts = [np.array2string(self._array, separator=", ", prefix="Tensor(")]
        if self.dtype != np.array(self._array.tolist() if self.size else 0.0).dtype:
            parts.append(f"dtype={self.dtype}")
        if self._name is not None:
            parts.append(f"name={self._name!r}")
        if self._requires_grad:
            parts.append("requires_grad=True" if self.operation is None else f"operation={self.operation.name}")
        return f"Tensor({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.operation is not None:
            raise TypeError(
                f"{describe(self)} was computed, and its history cannot be copied or pickled: detach() it first"
            )
        return _rebuilt, (self._array, self._requires_grad, self._name, self._grad)

    # --- gradients --------------------------------------------------------------------------------------------

    def backward(self, gradient: TensorLike | None = None) -> None:
        """Add the gradient of this tensor to the `.grad` of every leaf that requires one.

        Args:
            gradient: the gradient of this tensor itself, of its shape; 1 for a tensor with one element.

        Raises:
            RuntimeError: when nothing here requires a gradient, or when a tensor that was used has been
                assigned new values since.
            ValueError: when this tensor has several elements and no `gradient` is given, or the shapes differ.

        Example:
            >>> import tinygrad_cls as tg
            >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
            >>> (x * 3).backward(gradient=[1.0, 10.0])
            >>> x.grad
            Tensor([ 3., 30.])
        """
        if not self._requires_grad:
            raise RuntimeError(
                f"backward has nothing to do: {describe(self)} does not depend on any tensor with requires_grad=True "
                "(or was computed inside no_grad)"
            )
        if gradient is None:
            if self._array.size != 1:
                raise ValueError(
                    f"{describe(self)} has {self.size} elements, so there is no single gradient: reduce it first "
                    "(.sum() or .mean()), or pass gradient= with the weight of each element"
                )
            seed = np.array(1, self._array.dtype).reshape(self._array.shape)
        else:
            seed = _copied(gradient._array if type(gradient) is Tensor else gradient, None)
            if seed.shape != self.shape:
                raise ValueError(f"gradient= has shape {seed.shape}, but {describe(self)} has shape {self.shape}")
            seed = seed.astype(self.dtype, copy=False)
        trace = TRACE.get()
        if trace is not None:
            trace.backward(self, gradient if type(gradient) is Tensor else constant(seed))
            return
        # Every gradient is known before the first is stored: an error on the way leaves all .grad as they were.
        for leaf, array in gradients_of_leaves(self, seed):
            total = array if leaf._grad is None else leaf._grad._array + array
            leaf._grad = constant(np.asarray(total))

    # --- operators: each looks up its operation in the table ------------------------------------------------------

    def __add__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["add"], (self, other))

    def __radd__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["add"], (other, self))

    def __sub__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["subtract"], (self, other))

    def __rsub__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["subtract"], (other, self))

    def __mul__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["multiply"], (self, other))

    def __rmul__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["multiply"], (other, self))

    def __truediv__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["divide"], (self, other))

    def __rtruediv__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["divide"], (other, self))

    def __pow__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["power"], (self, other))

    def __rpow__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["power"], (other, self))

    def __matmul__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["matmul"], (self, other))

    def __rmatmul__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["matmul"], (other, self))

    def __neg__(self) -> Tensor:
        return apply(OPERATIONS["negative"], (self,))

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return apply(OPERATIONS["abs"], (self,))

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return apply(OPERATIONS["equal"], (self, other)) if _is_operand(other) else NotImplemented  # type: ignore[arg-type]

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return apply(OPERATIONS["not_equal"], (self, other)) if _is_operand(other) else NotImplemented  # type: ignore[arg-type]

    def __lt__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["less"], (self, other))

    def __le__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["less_equal"], (self, other))

    def __gt__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["greater"], (self, other))

    def __ge__(self, other: TensorLike) -> Tensor:
        return apply(OPERATIONS["greater_equal"], (self, other))

    __hash__ = object.__hash__  # `==` compares elements, so a Tensor's identity is its hash

    def __getitem__(self, index: Any) -> Tensor:
        return _np(operator.getitem)(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            f"{describe(self)} cannot be changed in place: build a new one with tg.where or tg.concat, "
            "or give a leaf new values with assign()"
        )

    # --- NumPy's methods --------------------------------------------------------------------------------------

    @property
    def T(self) -> Tensor:  # noqa: N802 (NumPy's name)
        """All axes in reverse order."""
        return _np(np.transpose)(self)

    @property
    def mT(self) -> Tensor:  # noqa: N802 (NumPy's name)
        """The last two axes exchanged."""
        return _np(np.matrix_transpose)(self)

    def sum(self, axis: Axis = None, *, dtype: npt.DTypeLike | None = None, keepdims: bool = False) -> Tensor:
        """`tg.sum` of this tensor."""
        return _np(np.sum)(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """`tg.mean` of this tensor."""
        return _np(np.mean)(self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Axis = None, *, dtype: npt.DTypeLike | None = None, keepdims: bool = False) -> Tensor:
        """`tg.prod` of this tensor."""
        return _np(np.prod)(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def max(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """`tg.max` of this tensor."""
        return _np(np.max)(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
        """`tg.min` of this tensor."""
        return _np(np.min)(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Axis = None, *, correction: float = 0, keepdims: bool = False) -> Tensor:
        """`tg.var` of this tensor."""
        return _np(np.var)(self, axis=axis, correction=correction, keepdims=keepdims)

    def std(self, axis: Axis = None, *, correction: float = 0, keepdims: bool = False) -> Tensor:
        """`tg.std` of this tensor."""
        return _np(np.std)(self, axis=axis, correction=correction, keepdims=keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
        """`tg.argmax` of this tensor: integers, no gradient."""
        return _np(np.argmax)(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
        """`tg.argmin` of this tensor: integers, no gradient."""
        return _np(np.argmin)(self, axis=axis, keepdims=keepdims)

    def clip(self, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
        """`tg.clip` of this tensor."""
        return _np(np.clip)(self, min, max)

    def reshape(self, *shape: Any) -> Tensor:
        """`tg.reshape` of this tensor; the lengths as one tuple or one by one."""
        return _np(np.reshape)(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        """`tg.permute_dims` of this tensor; all axes reversed when none are given."""
        return _np(np.transpose)(self, axes[0] if len(axes) == 1 else axes or None)

    def squeeze(self, axis: Axis = None) -> Tensor:
        """`tg.squeeze` of this tensor."""
        return _np(np.squeeze)(self, axis)

    def ravel(self) -> Tensor:
        """All elements along one axis."""
        return self.reshape(-1)

    def flatten(self) -> Tensor:
        """All elements along one axis."""
        return self.reshape(-1)

    def take(self, indices: TensorLike, axis: int | None = None) -> Tensor:
        """`tg.take` of this tensor."""
        return _np(np.take)(self, indices, axis=axis)

    def astype(self, dtype: npt.DTypeLike) -> Tensor:
        """The values in another dtype; gradients flow back in this one."""
        return apply(OPERATIONS["astype"], (self,), {"dtype": np.dtype(dtype)})

    # --- NumPy's functions called on Tensors ----------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        if options.get("out") is not None:
            raise TypeError(
                f"{name} cannot write a Tensor's result into an array: leave out=, or the in-place operator, away"
            )
        if method != "__call__" or ufunc not in NUMPY_FUNCTIONS:
            raise TypeError(_unknown(name))
        if options:
            raise TypeError(f"{name} on a Tensor does not accept {', '.join(sorted(options))}=")
        return NUMPY_FUNCTIONS[ufunc](*inputs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
        if function not in NUMPY_FUNCTIONS:
            raise TypeError(_unknown(name))
        try:
            return NUMPY_FUNCTIONS[function](*args, **kwargs)
        except TypeError as error:
            if "argument" in str(error) and error.__traceback__ is not None and error.__traceback__.tb_next is None:
                raise TypeError(f"{name} on a Tensor: {error}") from None
            raise


def describe(operand: object) -> str:
    """An operand in an error message: name, shape, dtype."""
    if isinstance(operand, Tensor):
        name = f"{operand.name!r} " if operand.name is not None else ""
        return f"Tensor {name}of shape {operand.shape}, {operand.dtype}"
    return repr(operand)


def _note_reading(t: Tensor, how: str) -> None:
    trace = TRACE.get()
    if trace is not None:
        trace.read(t, how)


def _np(function: Callable[..., Any]) -> Callable[..., Tensor]:
    return NUMPY_FUNCTIONS[function]


def _unknown(name: str) -> str:
    return (
        f"{name} is not known for Tensors, and would drop out of the graph: compose it from tinygrad_cls functions, "
        f"or call it on .numpy() for a constant"
    )


def _is_operand(value: object) -> bool:
    return isinstance(value, (Tensor, np.ndarray, np.generic, bool, int, float, list, tuple))


def _copied(data: TensorLike, dtype: npt.DTypeLike | None) -> Array:
    """`data` as a new array of a dtype that we can compute with."""
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise TypeError("a masked array's mask would be lost: fill it (.filled(value)) or drop the masked values first")
    array = np.array(data, dtype=dtype, copy=True, subok=False)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"a Tensor holds floats, integers or booleans, not {array.dtype} (from {type(data).__name__}): "
            "convert the data first"
        )
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _rebuilt(array: Array, requires_grad: bool, name: str | None, grad: Tensor | None) -> Tensor:
    tensor = Tensor(array, requires_grad=requires_grad, name=name)
    tensor._grad = grad
    return tensor


_KINDS = (np.exceptions.AxisError, IndexError, OverflowError, TypeError, ValueError)


def _explained(
    error: Exception, operation: Operation, inputs: Sequence[object], parameters: Mapping[str, Any]
) -> Exception:
    """NumPy's error of the same kind, with the operation, its operands and, where we know one, a remedy."""
    operands = ", ".join(describe(x) for x in inputs)
    options = "".join(f", {name}={value!r}" for name, value in parameters.items() if value is not None)
    message = f"{operation.name}({operands}{options}): {error}"
    if "broadcast" in str(error):
        message += ". Axes are matched from the last one back and must be equal or 1: use reshape or expand_dims."
    elif operation.name == "matmul":
        message += ". The last axis of the first operand must be as long as the last but one of the second."
    kind = next(kind for kind in _KINDS if isinstance(error, kind))
    return kind(message)
