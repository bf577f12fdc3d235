"""NumPy's linear algebra: norms, determinants, inverses, powers, eigenvalues. Matrices are in the last two axes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.operations import abs, exp, matmul, not_equal, power, reshape, sqrt, square, sum, where
from ..engine.operations import max as largest
from ..engine.operations import min as smallest
from ..engine.operations.axes import folded
from ..engine.operations.entry import answers
from ..engine.operations.linear_algebra import _eigh, _logabsdet, _signdet
from ..engine.recording import composite
from ..engine.tensor import Axis, Tensor, TensorLike, as_tensor, describe

_SLOGDET, _EIGH = type(np.linalg.slogdet(np.eye(1))), type(np.linalg.eigh(np.eye(1)))  # NumPy's named tuples

# --- norms --------------------------------------------------------------------------------------------------------


def _root(squares: Tensor, p: float = 2) -> Tensor:
    """The `p`-th root; its slope at 0 is taken as 0, which is a subgradient of the norm there."""
    at_0 = squares == 0
    inside = where(at_0, 1, squares)
    return where(at_0, 0, sqrt(inside) if p == 2 else power(inside, 1 / p))


@answers(np.linalg.vector_norm)
@composite
def vector_norm(x: TensorLike, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """The length of vectors: the root of the sum of squares, or of `|x|` to another power; inf: the largest `|x|`."""
    x = as_tensor(x)
    x = x if x.dtype.kind == "f" else x.astype(float)
    if ord == 2:
        return _root(sum(square(x), axis=axis, keepdims=keepdims))
    if ord == math.inf:
        return largest(abs(x), axis=axis, keepdims=keepdims)
    if ord == -math.inf:
        return smallest(abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        return sum(not_equal(x, 0).astype(x.dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return sum(abs(x), axis=axis, keepdims=keepdims)
    return _root(sum(power(abs(x), ord), axis=axis, keepdims=keepdims), ord)


def _matrix_norm(x: Tensor, ord: Any, axes: tuple[int, int], keepdims: bool) -> Tensor:
    if ord in (None, "fro"):
        return vector_norm(x, axis=axes, keepdims=keepdims)
    if ord not in (1, -1, math.inf, -math.inf):
        raise ValueError(
            f"a matrix norm of order {ord!r} is not known for Tensors: those are 'fro', 1, -1, inf and -inf; "
            "the others need singular values"
        )
    across, along = axes if math.fabs(ord) == 1 else axes[::-1]
    sums = sum(abs(x), axis=across, keepdims=True)
    result = (largest if ord > 0 else smallest)(sums, axis=along, keepdims=True)
    return result if keepdims else np.squeeze(result, axes)  # type: ignore[return-value]


@answers(np.linalg.matrix_norm)
@composite
def matrix_norm(x: TensorLike, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """The Frobenius norm, or the largest (-: smallest) sum of `|x|` over columns (1) or rows (inf)."""
    return _matrix_norm(as_tensor(x), ord, (-2, -1), keepdims)


@answers(np.linalg.norm)
@composite
def norm(x: TensorLike, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Of one axis, or of all without `ord`, the norm of a vector; of two the norm of a matrix. 0 has slope 0."""
    x = as_tensor(x)
    axes = tuple(folded(None, x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if axis is None and ord is None:
        return vector_norm(x, keepdims=keepdims)
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(f"norm of order {ord!r} needs one axis or two, got {axes} of {describe(x)}")
    return _matrix_norm(x, ord, axes, keepdims)


# --- determinants, inverses, powers -------------------------------------------------------------------------------


@answers(np.linalg.slogdet)
@composite
def slogdet(a: TensorLike) -> Any:
    """The sign and the logarithm of the absolute value of a determinant."""
    parts: tuple[Any, Any] = _signdet(a), _logabsdet(a)
    return _SLOGDET(*parts)


@answers(np.linalg.det)
@composite
def det(a: TensorLike) -> Tensor:
    """The determinant. Its gradient needs the inverse: there is none for a singular matrix, which raises."""
    return _signdet(a) * exp(_logabsdet(a))


def _square(name: str, a: TensorLike) -> Tensor:
    x = as_tensor(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError(f"{name} needs square matrices in the last two axes, got {describe(x)}")
    return x


@answers(np.linalg.inv)
@composite
def inv(a: TensorLike) -> Tensor:
    """The inverse."""
    x = _square("inv", a)
    return np.linalg.solve(x, np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape))  # type: ignore[return-value]


@answers(np.linalg.tensorsolve)
@composite
def tensorsolve(a: TensorLike, b: TensorLike) -> Tensor:
    """`x` with `tensordot(a, x, x.ndim) = b`: the axes of `b` come first in `a`."""
    a, b = as_tensor(a), as_tensor(b)
    lengths = a.shape[b.ndim :]
    return reshape(np.linalg.solve(reshape(a, (b.size, -1)), reshape(b, -1)), lengths)


@answers(np.linalg.tensorinv)
@composite
def tensorinv(a: TensorLike, ind: int = 2) -> Tensor:
    """The inverse for `tensordot`, where the first `ind` axes are the result's."""
    a = as_tensor(a)
    rows, columns = a.shape[:ind], a.shape[ind:]
    return reshape(inv(reshape(a, (math.prod(rows), -1))), columns + rows)


@answers(np.linalg.matrix_power)
@composite
def matrix_power(a: TensorLike, n: int) -> Tensor:
    """`a` times itself, by squaring; the inverse's for negative `n`."""
    x = _square("matrix_power", a)
    x, n = (inv(x), -n) if n < 0 else (x, n)
    result = None
    while n:
        n, odd = divmod(n, 2)
        if odd:
            result = x if result is None else matmul(result, x)
        x = matmul(x, x) if n else x
    return as_tensor(np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)) if result is None else result


@answers(np.linalg.multi_dot)
@composite
def multi_dot(arrays: Sequence[TensorLike]) -> Tensor:
    """The product of several matrices, in the order that multiplies the fewest numbers."""
    xs = [as_tensor(x) for x in arrays]
    if len(xs) < 2:
        raise ValueError(f"multi_dot needs two arrays at least, got {len(xs)}")
    left, right = xs[0].ndim == 1, xs[-1].ndim == 1  # a row in front, a column at the end
    xs[0] = reshape(xs[0], (1, -1)) if left else xs[0]
    xs[-1] = reshape(xs[-1], (-1, 1)) if right else xs[-1]
    if any(x.ndim != 2 for x in xs):
        raise np.linalg.LinAlgError(f"multi_dot needs matrices, got shapes {[x.shape for x in xs]}")
    n = [xs[0].shape[0], *(x.shape[1] for x in xs)]

    @functools.cache
    def best(i: int, j: int) -> tuple[int, int]:
        """The cost of the product of matrices from i to before j, and where its last multiplication is."""
        if j - i == 1:
            return 0, i
        return min((best(i, k)[0] + best(k, j)[0] + n[i] * n[k] * n[j], k) for k in range(i + 1, j))

    def product(i: int, j: int) -> Tensor:
        k = best(i, j)[1]
        return xs[i] if j - i == 1 else matmul(product(i, k), product(k, j))

    result = product(0, len(xs))
    result = result[0] if left else result
    return result[..., 0] if right else result


# --- eigenvalues --------------------------------------------------------------------------------------------------


def _lower(UPLO: str) -> bool:  # noqa: N803 (NumPy's name)
    if UPLO.upper() not in ("L", "U"):
        raise ValueError(f"UPLO says which triangle is read: 'L' or 'U', not {UPLO!r}")
    return UPLO.upper() == "L"


@answers(np.linalg.eigh)
@composite
def eigh(a: TensorLike, UPLO: str = "L") -> Any:  # noqa: N803 (NumPy's name)
    """Eigenvalues, from the smallest, and eigenvectors as columns, of symmetric matrices.

    Gradients are shared by both triangles. Those of eigenvectors of equal eigenvalues are infinite or nan: such vectors
    may be turned at will.
    """
    both: Any = _eigh(a, lower=_lower(UPLO))
    return _EIGH(both[..., 0, :], both[..., 1:, :])


@answers(np.linalg.eigvalsh)
def eigvalsh(a: TensorLike, UPLO: str = "L") -> Tensor:  # noqa: N803 (NumPy's name)
    """The eigenvalues of symmetric matrices, from the smallest."""
    return eigh(a, UPLO)[0]  # type: ignore[no-any-return]
