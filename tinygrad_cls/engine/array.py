"""`NamedArray`: values and a name. What a `Tensor` is, apart from the record of how it was made."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .recording import watcher

Array: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[Any]]
Axis: TypeAlias = int | tuple[int, ...] | None


class NamedArray:
    """Values, their shape and dtype, a name; and the ways in which values leave for the world outside.

    Whoever watches the run (see `recording.Watcher`) is told of those.
    """

    __slots__ = ("_array", "_away", "_name", "_requires_grad")  # `_away` brings `_array` from a device

    _array: Array
    _name: str | None
    _requires_grad: bool

    # --- what it is -------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of one element."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size

    def numel(self) -> int:
        """The number of elements: `size`."""
        return self.size

    def dim(self) -> int:
        """The number of axes: `ndim`."""
        return self.ndim

    @property
    def name(self) -> str | None:
        """The name in drawings, errors and formulas."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a tensor's name is text or None, not {type(name).__name__}")
        self._name = name

    # --- values for the world outside -------------------------------------------------------------------------

    def numpy(self) -> Array:
        """The values, as a read-only array.

        Example:
            >>> import tinygrad_cls as tg
            >>> tg.Tensor([1.0, 2.0]).numpy()
            array([1., 2.])
        """
        self._leaves("numpy()")
        array: Array = self._array.view()
        array.flags.writeable = False
        return array

    def item(self) -> float | int | bool:
        """The value of a tensor with one element, as a Python number.

        Raises:
            ValueError: when there are more elements, or none.
        """
        self._leaves("item()")
        if self._array.size != 1:
            raise ValueError(f"item() needs one element, {describe(self)} has {self.size}; use numpy() or an index")
        return self._array.item()  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        """The values as nested Python lists."""
        self._leaves("tolist()")
        return self._array.tolist()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if self._requires_grad:
            raise TypeError(
                f"{describe(self)} requires a gradient, and turning it into an array would drop it from the graph "
                "in silence: use .numpy() for the values, or tg.stack to join tensors"
            )
        if copy is False and dtype is not None and np.dtype(dtype) != self.dtype:
            raise ValueError(f"{describe(self)} cannot become {np.dtype(dtype)} without a copy")
        self._leaves("turning it into an array")
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        self._leaves("asking whether it is true")
        if self._array.size != 1:
            raise ValueError(
                f"the truth of {describe(self)} is ambiguous: it has {self.size} elements. "
                "Compare values with .numpy() and .all() or .any()."
            )
        return bool(self._array.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iu" or self._array.ndim != 0:
            raise TypeError(f"only a 0-d integer tensor can be used as an index, not {describe(self)}")
        self._leaves("using it as an index of Python's")
        return int(self._array)

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("a 0-d tensor has no length, and cannot be iterated over")
        return self.shape[0]

    def _leaves(self, how: str) -> None:
        if (by := watcher()) is not None:
            by.read(self, how)

    def __format__(self, specification: str) -> str:
        return format(self.item(), specification) if specification else str(self)


def describe(operand: object) -> str:
    """An operand in an error message: name, shape, dtype."""
    if isinstance(operand, NamedArray):
        name = f"{operand.name!r} " if operand.name is not None else ""
        return f"Tensor {name}of shape {operand.shape}, {operand.dtype}"
    return repr(operand)


def copied(data: NamedArray | npt.ArrayLike, dtype: npt.DTypeLike | None) -> Array:
    """`data` as a new array of a dtype that we can compute with."""
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise TypeError("a masked array's mask would be lost: fill it (.filled(value)) or drop the masked values first")
    array = np.array(data, dtype=dtype, copy=True, subok=False)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"a Tensor holds floats, integers or booleans, not {array.dtype} (from {type(data).__name__}): "
            + ("call it first" if callable(data) else "convert the data first")
        )
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array
