"""The operators and methods of Tensors: each is an operation, or what answers for NumPy's function of its name.

`Tensor` gets them at the end. Their signatures, for type checkers and editors, stand first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..array import Axis, NamedArray
from ..operation import NUMPY_FUNCTIONS, OPERATIONS
from ..tensor import Tensor, TensorLike, apply

if TYPE_CHECKING:
    import numpy.typing as npt

    class Methods(NamedArray):
        """What a Tensor has from here."""

        def __add__(self, other: TensorLike, /) -> Tensor: ...
        def __radd__(self, other: TensorLike, /) -> Tensor: ...
        def __sub__(self, other: TensorLike, /) -> Tensor: ...
        def __rsub__(self, other: TensorLike, /) -> Tensor: ...
        def __mul__(self, other: TensorLike, /) -> Tensor: ...
        def __rmul__(self, other: TensorLike, /) -> Tensor: ...
        def __truediv__(self, other: TensorLike, /) -> Tensor: ...
        def __rtruediv__(self, other: TensorLike, /) -> Tensor: ...
        def __floordiv__(self, other: TensorLike, /) -> Tensor: ...
        def __rfloordiv__(self, other: TensorLike, /) -> Tensor: ...
        def __mod__(self, other: TensorLike, /) -> Tensor: ...
        def __rmod__(self, other: TensorLike, /) -> Tensor: ...
        def __pow__(self, other: TensorLike, /) -> Tensor: ...
        def __rpow__(self, other: TensorLike, /) -> Tensor: ...
        def __matmul__(self, other: TensorLike, /) -> Tensor: ...
        def __rmatmul__(self, other: TensorLike, /) -> Tensor: ...
        def __lt__(self, other: TensorLike, /) -> Tensor: ...
        def __le__(self, other: TensorLike, /) -> Tensor: ...
        def __gt__(self, other: TensorLike, /) -> Tensor: ...
        def __ge__(self, other: TensorLike, /) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __hash__(self) -> int: ...
        @property
        def T(self) -> Tensor: ...  # noqa: N802
        @property
        def mT(self) -> Tensor: ...  # noqa: N802
        def sum(self, axis: Axis = None, *, dtype: npt.DTypeLike | None = None, keepdims: bool = False) -> Tensor: ...
        def prod(self, axis: Axis = None, *, dtype: npt.DTypeLike | None = None, keepdims: bool = False) -> Tensor: ...
        def mean(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor: ...
        def max(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor: ...
        def min(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor: ...
        def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor: ...
        def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor: ...
        def var(
            self, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, ddof: float = 0
        ) -> Tensor: ...
        def std(
            self, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, ddof: float = 0
        ) -> Tensor: ...
        def clip(
            self,
            a_min: TensorLike | None = None,
            a_max: TensorLike | None = None,
            *,
            min: TensorLike | None = None,
            max: TensorLike | None = None,
        ) -> Tensor: ...
        def squeeze(self, axis: Axis = None) -> Tensor: ...
        def take(self, indices: TensorLike, axis: int | None = None) -> Tensor: ...


# --- operators ----------------------------------------------------------------------------------------------------

_OPERANDS = (Tensor, np.ndarray, np.generic, bool, int, float, list, tuple)  # `==` compares a Tensor with these


def _put(name: str, method: Callable[..., Any], words: str) -> None:
    method.__name__, method.__qualname__, method.__doc__ = name, f"Tensor.{name}", words
    setattr(Tensor, name, method)


def _itself(self: Tensor) -> Tensor:
    return self


def _operator(name: str, ufunc: np.ufunc, side: str = "") -> None:
    """The method of an operator: for a Tensor on its left, or with "r" on its right."""
    operation = OPERATIONS[NUMPY_FUNCTIONS[ufunc].__name__]

    def left(self: Tensor, other: TensorLike, /) -> Tensor:
        return apply(operation, (self, other))

    def right(self: Tensor, other: TensorLike, /) -> Tensor:
        return apply(operation, (other, self))

    def compared(self: Tensor, other: object, /) -> Tensor:
        return apply(operation, (self, other)) if isinstance(other, _OPERANDS) else NotImplemented

    def alone(self: Tensor) -> Tensor:
        return apply(operation, (self,))

    method = right if side else alone if ufunc.nin == 1 else compared if name in ("eq", "ne") else left
    _put(f"__{side}{name}__", method, f"`tg.{operation.name}`.")


_ON_EITHER_SIDE = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "matmul": np.matmul,
}
_OTHERS: dict[str, np.ufunc] = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
_OTHERS |= {"eq": np.equal, "ne": np.not_equal, "neg": np.negative, "abs": np.abs}

for _name, _ufunc in (_ON_EITHER_SIDE | _OTHERS).items():
    _operator(_name, _ufunc)
for _name, _ufunc in _ON_EITHER_SIDE.items():
    _operator(_name, _ufunc, side="r")
_put("__pos__", _itself, "The Tensor itself.")
setattr(Tensor, "__hash__", object.__hash__)  # noqa: B010 (`==` compares elements, so a Tensor's identity is its hash)


# --- NumPy's methods: those of the functions of the same name -----------------------------------------------------


def _method(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """What answers for a NumPy function, as a method."""
    answer = NUMPY_FUNCTIONS[function]

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        return answer(self, *args, **options)  # type: ignore[no-any-return]

    return method


_FUNCTIONS: list[Callable[..., Any]] = [np.sum, np.prod, np.mean, np.max, np.min, np.argmax, np.argmin]
_FUNCTIONS += [np.var, np.std, np.clip, np.squeeze, np.take]
for _function in _FUNCTIONS:
    _put(_function.__name__, _method(_function), f"`tg.{_function.__name__}` of this tensor.")
setattr(Tensor, "T", property(_method(np.transpose), doc="All axes in reverse order."))  # noqa: B010
setattr(Tensor, "mT", property(_method(np.matrix_transpose), doc="The last two axes exchanged."))  # noqa: B010
