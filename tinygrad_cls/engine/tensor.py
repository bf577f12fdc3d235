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
import numpy.typing as npt

from .array import Array, Axis, NamedArray, copied, describe
from .backward import gradients_of_leaves
from .operation import NUMPY_FUNCTIONS, OPERATIONS, Operation, explained
from .recording import ADVISERS, EVERYTHING, NOTHING, STATE, Scope, watcher

if TYPE_CHECKING:
    from .operations.methods import Methods
else:
    Methods = NamedArray

__all__ = ["Array", "Axis", "Tensor", "TensorLike", "apply", "as_tensor", "constant", "describe", "next_number"]

_WEAK = (bool, int, float)  # Python's scalars take the dtype of what they meet (NEP 50), so they stay scalars
_NO_PARAMETERS: dict[str, Any] = {}
CUT_LOOSE: dict[str, Any] = {}  # the parameters of a constant that was computed from what it does not remember
next_number: Callable[[], int] = itertools.count().__next__
_new: Any = object.__new__  # looked up once, as is the next: both run for each operation
_state = STATE.get
USED = object()


def apply(
    operation: Operation, operands: Sequence[TensorLike], parameters: Mapping[str, Any] = _NO_PARAMETERS
) -> Tensor:
    """Run `operation` on `operands` and record it in the result.

    Arrays among the operands are copied; Python scalars stay as they are and are no nodes of the graph.

    Raises:
        ValueError, TypeError, IndexError, OverflowError: what NumPy raises, with the operation and its operands named.
    """
    arrays: list[Any] = []
    requires_grad = named = loose = False
    for operand in operands:
        if type(operand) is Tensor:
            arrays.append(operand._array)
            loose |= operand.parameters is CUT_LOOSE
            if operand._requires_grad:
                requires_grad = True
            elif operand._name is not None or operand.operation is not None:
                named = True  # what is computed from a named constant stays a formula of it
        elif type(operand) in _WEAK:
            arrays.append(operand)
        else:
            return apply(operation, [x if type(x) in _WEAK else as_tensor(x) for x in operands], parameters)
    try:
        array = operation.forward(*arrays, **parameters)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise (told := explained(error, operation, operands, parameters)) from told.__cause__
    if type(array) is not np.ndarray:
        array = np.asarray(array)  # NumPy gives scalars where we want 0-d arrays

    level, scope, by = _state()
    if by is None and (level == NOTHING or not (requires_grad or named or level == EVERYTHING)):
        return constant(array, CUT_LOOSE if loose or requires_grad or named else _NO_PARAMETERS)
    result: Tensor = _new(Tensor)
    result._array = array
    result._grad = result._name = None
    result._requires_grad = requires_grad and level != NOTHING and operation.differentiable and array.dtype.kind == "f"
    result.operation = operation
    result.inputs = tuple(operands)  # type: ignore[arg-type]
    result.parameters = parameters
    result.scope = scope
    result._operands = arrays
    result._number = next_number()
    if by is not None:
        by.ran(result)
    return result


def as_tensor(x: TensorLike) -> Tensor:
    """`x` itself if it is a Tensor, else a constant with its values."""
    return x if type(x) is Tensor else Tensor(x)


def constant(array: Array, parameters: Mapping[str, Any] = _NO_PARAMETERS) -> Tensor:
    """A leaf that owns `array` (no copy) and requires no gradient. For arrays that nobody else can write to."""
    result: Tensor = _new(Tensor)
    result._array, result.parameters = array, parameters
    result._requires_grad = False
    result._grad = result._name = result.operation = result.scope = None
    result.inputs = result._operands = ()
    result._number = next_number()
    return result


@final
class Tensor(Methods):
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
        "_grad",
        "_mark",  # of a gradient: its loss, or USED by an optimiser; of `Tensor(…)`: None; of what is computed: unset
        "_number",  # tensors are numbered as they are made, so inputs come before results
        "_operands",  # the arrays (and scalars) the operation saw, for backward to read; a tuple where it has begun
        "inputs",
        "operation",
        "parameters",
        "scope",
    )

    _grad: Tensor | None
    _mark: Any
    _number: int
    _operands: Sequence[Any]
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
        if type(data) is Tensor and not data._requires_grad and (by := watcher()) is not None:
            by.copied(self, data)
            data = data._array
        self._array = copied(data, dtype)
        self._grad = self._mark = self.operation = self.scope = None
        self.inputs = self._operands = ()
        self.parameters = (CUT_LOOSE if data.operation else data.parameters) if type(data) is Tensor else _NO_PARAMETERS
        self._number = next_number()
        self.name = name
        self.requires_grad = requires_grad

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

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad`; gives this tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here: None, or a Tensor of this shape and dtype."""
        if (by := watcher()) is not None:
            by.gradient_read(self)
        if self._grad is None:
            if self.operation is not None and self._requires_grad:
                ADVISERS[-1].unkept(self)
        elif not hasattr(self._grad, "_mark"):  # a program's
            self._grad._mark = None
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
        if (by := watcher()) is not None:
            by.gradient_set(self, grad)
        self._grad = grad

    # --- values -----------------------------------------------------------------------------------------------

    def detach(self) -> Tensor:
        """The same values as a constant leaf: no history, no name, no gradient. The values are shared, not copied."""
        if watcher() is not None:
            return apply(OPERATIONS["stop_gradient"], (self,))
        return constant(self._array, CUT_LOOSE if self.operation or self._requires_grad else self.parameters)

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
        given = as_tensor(values)
        if given.shape != self.shape:
            raise ValueError(
                f"cannot assign values of shape {given.shape} to {describe(self)}: the shapes must be equal"
            )
        array = given._array.astype(self.dtype, casting="same_kind", copy=given is values)
        if (by := watcher()) is not None:
            by.assigned(self, given, array)
        self._array = array

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

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
        rest = {name: getattr(self, name) for name in ("_grad", "_name", "_requires_grad")}
        return Tensor, (self._array,), (None, rest)  # Tensor(array), and these of its slots

    # --- gradients --------------------------------------------------------------------------------------------

    def backward(self, gradient: TensorLike | None = None, *, retain_graph: bool = False) -> None:
        """Add the gradient of this tensor to the `.grad` of every leaf that requires one.

        Args:
            gradient: the gradient of this tensor itself, of its shape; 1 for a tensor with one element.
            retain_graph: say that going through the graph once more is meant; it stays in any case.

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
            seed = np.array(1, self._array.dtype, ndmin=self._array.ndim)
        else:
            seed = copied(gradient._array if type(gradient) is Tensor else gradient, None)
            if seed.shape != self.shape:
                raise ValueError(f"gradient= has shape {seed.shape}, but {describe(self)} has shape {self.shape}")
            seed = seed.astype(self.dtype, copy=False)
        if (by := watcher()) is not None:
            by.backward(self, gradient if type(gradient) is Tensor else constant(seed))
            return
        # Every gradient is known before the first is stored: an error on the way leaves all .grad as they were.
        loss = self._array if gradient is None else None
        for leaf, array in gradients_of_leaves(self, seed):
            mark, before = loss, leaf._grad
            if before is not None:
                array = before._array + array
                mark = USED if getattr(before, "_mark", None) is USED else loss
            leaf._grad = new = constant(array if type(array) is np.ndarray else np.asarray(array))
            new._mark = mark
        if gradient is None and self.operation is not None:
            if type(self._operands) is tuple and not retain_graph:
                ADVISERS[-1].again(self)
            self._operands = tuple(self._operands)

    # --- indices, and shapes and dtypes; operators and other methods stand in operations/methods.py ------------

    def __getitem__(self, index: Any) -> Tensor:
        return NUMPY_FUNCTIONS[operator.getitem](self, index)  # type: ignore[no-any-return]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            f"{describe(self)} cannot be changed in place: build a new one with tg.where or tg.concat, "
            "or give a leaf new values with assign()"
        )

    def reshape(self, *shape: Any) -> Tensor:
        """`tg.reshape` of this tensor; the lengths as one tuple or one by one."""
        return NUMPY_FUNCTIONS[np.reshape](self, shape[0] if len(shape) == 1 else shape)  # type: ignore[no-any-return]

    def transpose(self, *axes: Any) -> Tensor:
        """`tg.permute_dims` of this tensor; all axes reversed when none are given."""
        return NUMPY_FUNCTIONS[np.transpose](self, axes[0] if len(axes) == 1 else axes or None)  # type: ignore[no-any-return]

    def ravel(self) -> Tensor:
        """All elements along one axis."""
        return self.reshape(-1)

    flatten = ravel

    def astype(self, dtype: npt.DTypeLike) -> Tensor:
        """The values in another dtype; gradients flow back in this one."""
        return apply(OPERATIONS["astype"], (self,), {"dtype": np.dtype(dtype)})


TensorLike: TypeAlias = Tensor | npt.ArrayLike
