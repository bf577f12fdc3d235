"""NumPy's products of vectors, matrices and polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.operation import NUMPY_FUNCTIONS
from ..engine.operations import matmul, moveaxis, multiply, reshape, stack, sum, tensordot, vecdot
from ..engine.operations.entry import answers
from ..engine.recording import composite
from ..engine.tensor import Tensor, TensorLike, as_tensor, describe

# The array API's names of these.
for _linalgs, _numpys in (
    (np.linalg.matmul, np.matmul),
    (np.linalg.tensordot, np.tensordot),
    (np.linalg.vecdot, np.vecdot),
    (np.linalg.outer, np.outer),
):
    answers(_linalgs)(NUMPY_FUNCTIONS[_numpys])


@answers(np.inner)
@composite
def inner(a: TensorLike, b: TensorLike, /) -> Tensor:
    """The sums of products along the last axes."""
    a, b = as_tensor(a), as_tensor(b)
    return a * b if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, axes=(-1, -1))


@answers(np.vdot)
@composite
def vdot(a: TensorLike, b: TensorLike, /) -> Tensor:
    """The sum of the products of all elements."""
    return matmul(reshape(a, -1), reshape(b, -1))


def matvec(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Matrices times vectors."""
    return vecdot(x1, as_tensor(x2)[..., None, :])


def vecmat(x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Vectors times matrices."""
    return matmul(as_tensor(x1)[..., None, :], x2)[..., 0, :]


if hasattr(np, "matvec"):  # NumPy 2.2
    answers(np.matvec)(composite(matvec))
    answers(np.vecmat)(composite(vecmat))


@answers(np.kron)
@composite
def kron(a: TensorLike, b: TensorLike) -> Tensor:
    """Every element of `a` times all of `b`, in blocks."""
    a, b = as_tensor(a), as_tensor(b)
    ndim = max(a.ndim, b.ndim)
    left, right = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    # Axis by axis, one of `a` and one of `b`.
    spread = [
        reshape(x, [n for pair in pairs for n in pair])
        for x, pairs in (
            (a, [(n, 1) for n in left]),
            (b, [(1, n) for n in right]),
        )
    ]
    return reshape(multiply(*spread), [n * m for n, m in zip(left, right, strict=True)])


@answers(np.cross)
@composite
def cross(
    a: TensorLike, b: TensorLike, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Tensor:
    """The vectors at right angles to two: of three components each."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ValueError(f"cross needs vectors of three components, got {x.shape[-1]} and {y.shape[-1]}")
    (x0, x1, x2), (y0, y1, y2) = ([t[..., i] for i in range(3)] for t in (x, y))
    return moveaxis(stack([x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0], axis=-1), -1, axisc)


@answers(np.linalg.cross)
def linalg_cross(x1: TensorLike, x2: TensorLike, /, *, axis: int = -1) -> Tensor:
    """`np.cross` by the array API's name."""
    return cross(x1, x2, axis=axis)


@answers(np.trace)
@composite
def trace(a: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum along a diagonal."""
    return sum(np.diagonal(as_tensor(a), offset, axis1, axis2), axis=-1)


@answers(np.linalg.trace)
def linalg_trace(x: TensorLike, /, *, offset: int = 0) -> Tensor:
    """The sum along a diagonal of the last two axes."""
    return trace(x, offset, -2, -1)


@answers(np.polyval)
@composite
def polyval(p: TensorLike | Sequence[TensorLike], x: TensorLike) -> Tensor:
    """The polynomial with the coefficients `p`, highest power first, at `x`: by Horner's scheme."""
    coefficients: Any = p if isinstance(p, (list, tuple)) else as_tensor(p)  # type: ignore[arg-type]
    result: Any = multiply(x, 0)
    for coefficient in coefficients:
        result = result * x + coefficient
    return result  # type: ignore[no-any-return]


@answers(np.vander)
@composite
def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> Tensor:  # noqa: N803 (NumPy's name)
    """The powers of `x` as columns."""
    x = as_tensor(x)
    if x.ndim != 1:
        raise ValueError(f"vander needs one axis, got {describe(x)}")
    x = x.astype(np.promote_types(x.dtype, int))
    columns = [x**i for i in range(x.size if N is None else N)]
    if not columns:
        return as_tensor(np.empty((x.size, 0), x.dtype))
    return stack(columns if increasing else columns[::-1], axis=1)
