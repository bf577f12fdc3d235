"""NumPy's functions that join arrays, split them, and turn them round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..engine.operations import broadcast_to, concat, matrix_transpose, moveaxis, permute_dims, reshape, take
from ..engine.operations.entry import answers
from ..engine.recording import composite
from ..engine.tensor import Tensor, TensorLike, as_tensor

Parts = Sequence[TensorLike]


def at(x: Tensor, axis: int, index: Any) -> Tensor:
    """`x` with an index along one axis."""
    return x[(slice(None),) * normalize_axis_index(axis, x.ndim) + (index,)]


# --- joining ------------------------------------------------------------------------------------------------------


def _at_least(shaped: Callable[[Any], Any]) -> Callable[..., Any]:
    """Tensors with as many axes as NumPy's function of one array gives."""

    def at_least(*arys: TensorLike) -> Any:
        tensors = [as_tensor(x) for x in arys]
        results = [reshape(x, shaped(x._array).shape) for x in tensors]
        return results[0] if len(results) == 1 else tuple(results)

    at_least.__name__ = shaped.__name__
    return answers(shaped)(at_least)


atleast_1d: Callable[..., Any] = _at_least(np.atleast_1d)
atleast_2d: Callable[..., Any] = _at_least(np.atleast_2d)
atleast_3d: Callable[..., Any] = _at_least(np.atleast_3d)


@answers(np.vstack)
@composite
def vstack(tup: Parts) -> Tensor:
    """Rows below each other."""
    return concat([atleast_2d(x) for x in tup], axis=0)


@answers(np.hstack)
@composite
def hstack(tup: Parts) -> Tensor:
    """Columns beside each other; of arrays with one axis one array."""
    arrays = [atleast_1d(x) for x in tup]
    return concat(arrays, axis=0 if arrays and arrays[0].ndim == 1 else 1)


@answers(np.dstack)
@composite
def dstack(tup: Parts) -> Tensor:
    """Joined along a third axis."""
    return concat([atleast_3d(x) for x in tup], axis=2)


@answers(np.column_stack)
@composite
def column_stack(tup: Parts) -> Tensor:
    """Arrays with one axis as columns beside each other."""
    tensors = [as_tensor(x) for x in tup]
    return concat([reshape(x, (-1, 1)) if x.ndim < 2 else x for x in tensors], axis=1)


@answers(np.append)
@composite
def append(arr: TensorLike, values: TensorLike, axis: int | None = None) -> Tensor:
    """`values` after `arr`."""
    return concat([arr, values], axis=axis)


@answers(np.broadcast_arrays)
def broadcast_arrays(*args: TensorLike, subok: bool = False) -> tuple[Tensor, ...]:
    """Each repeated until all have the same shape."""
    tensors = [as_tensor(x) for x in args]
    shape = np.broadcast_shapes(*(x.shape for x in tensors))
    return tuple(broadcast_to(x, shape) for x in tensors)


# --- splitting ----------------------------------------------------------------------------------------------------


@answers(np.array_split)
def array_split(ary: TensorLike, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Parts along an axis, which need not be equal."""
    return _split(np.array_split, ary, indices_or_sections, axis)


@answers(np.split)
def split(ary: TensorLike, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Equal parts along an axis, or those that begin at the given places."""
    return _split(np.split, ary, indices_or_sections, axis)


def _split(numpys: Callable[..., Any], ary: TensorLike, indices_or_sections: Any, axis: int) -> list[Tensor]:
    """Slices, by how NumPy splits the places along the axis."""
    x = as_tensor(ary)
    ends = np.cumsum([part.size for part in numpys(np.arange(x.shape[axis]), indices_or_sections)]).tolist()
    return [at(x, axis, slice(start, end)) for start, end in zip([0, *ends], ends, strict=False)]


@answers(np.hsplit)
def hsplit(ary: Tensor, indices_or_sections: Any) -> list[Tensor]:
    """Parts side by side."""
    return split(ary, indices_or_sections, axis=min(1, ary.ndim - 1))


@answers(np.vsplit)
def vsplit(ary: Tensor, indices_or_sections: Any) -> list[Tensor]:
    """Parts below each other."""
    if ary.ndim < 2:
        raise ValueError(f"vsplit needs two axes or more, got shape {ary.shape}")
    return split(ary, indices_or_sections, axis=0)


@answers(np.dsplit)
def dsplit(ary: Tensor, indices_or_sections: Any) -> list[Tensor]:
    """Parts along the third axis."""
    if ary.ndim < 3:
        raise ValueError(f"dsplit needs three axes or more, got shape {ary.shape}")
    return split(ary, indices_or_sections, axis=2)


@answers(np.unstack)
def unstack(x: TensorLike, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis, without it."""
    return tuple(moveaxis(x, axis, 0))


# --- turning round ------------------------------------------------------------------------------------------------


@answers(np.flip)
@composite
def flip(m: TensorLike, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Backwards along one, several or all axes."""
    x = as_tensor(m)
    axes = range(x.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    return x[tuple(slice(None, None, -1 if i in axes else None) for i in range(x.ndim))]


@answers(np.flipud)
def flipud(m: TensorLike) -> Tensor:
    """The rows backwards."""
    return flip(m, 0)


@answers(np.fliplr)
def fliplr(m: TensorLike) -> Tensor:
    """The columns backwards."""
    return flip(m, 1)


@answers(np.rollaxis)
def rollaxis(a: TensorLike, axis: int, start: int = 0) -> Tensor:
    """An axis moved before another."""
    x = as_tensor(a)
    named = np.broadcast_to(np.int8(0), tuple(range(1, x.ndim + 1)))  # lengths that name the axes
    return permute_dims(x, [n - 1 for n in np.rollaxis(named, axis, start).shape])


@answers(np.linalg.matrix_transpose)
def transposed(x: TensorLike, /) -> Tensor:
    """The last two axes exchanged."""
    return matrix_transpose(x)


@answers(np.extract)
@composite
def extract(condition: Any, arr: TensorLike) -> Tensor:
    """The elements for which a condition, a constant, is true."""
    return take(arr, np.flatnonzero(np.asarray(condition)))


@answers(np.compress)
@composite
def compress(condition: Any, a: TensorLike, axis: int | None = None) -> Tensor:
    """The slices along an axis for which a condition of one axis, a constant, is true."""
    return take(a, np.flatnonzero(np.asarray(condition)), axis=axis)
