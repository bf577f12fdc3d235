"""Linear algebra, on matrices in the last two axes. It is called by NumPy's names: `np.linalg.solve(a, b)`.

The derivatives are those of M. B. Giles, "Collected Matrix Derivative Results for Forward and Reverse Mode Algorithmic
Differentiation" (2008), and of G. H. Golub and V. Pereyra, "The Differentiation of Pseudo-Inverses" (1973).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..operation import Kind
from ..tensor import TensorLike
from .entry import answers, operation


def _solve_right_vjp(g: Any, out: Any, a: Any, b: Any) -> Any:
    # One right-hand side without an axis of columns may meet many matrices: its gradient gets that axis for a while.
    return np.linalg.solve(a.mT, g[..., None])[..., 0] if b.ndim == 1 else np.linalg.solve(a.mT, g)


def _solve_matrix_vjp(g: Any, out: Any, a: Any, b: Any) -> Any:
    g = _solve_right_vjp(g, out, a, b)
    return -(g[..., :, None] * out[..., None, :]) if b.ndim == 1 else -(g @ out.mT)


@operation(
    "{0}⁻¹ {1}",
    _solve_matrix_vjp,
    _solve_right_vjp,
    symbol="⁻¹ @",
    numpy=(np.linalg.solve,),
    kind=Kind.OTHER,
    linear=(1,),
    reason={
        "en": "solving with the transposed matrix takes the gradient back to the right-hand side",
        "zh": "用转置矩阵解方程组，把梯度传回右端项",
    },
)
def _solve(a: Any, b: Any, /) -> Any:
    return np.linalg.solve(a, b)


@operation(
    "log|det {0}|",
    lambda g, out, x: g[..., None, None] * np.linalg.inv(x).mT,
    symbol="log|det|",
    kind=Kind.OTHER,
    reason={
        "en": "the derivative of log|det A| is the transposed inverse of A",
        "zh": "log|det A| 的导数是 A 的逆矩阵的转置",
    },
)
def _logabsdet(x: Any, /) -> Any:
    return np.linalg.slogdet(x)[1]


@operation("sign(det {0})", None, symbol="sign det", kind=Kind.OTHER)
def _signdet(x: Any, /) -> Any:
    return np.linalg.slogdet(x)[0]


def _cholesky_vjp(g: Any, out: Any, x: Any) -> Any:
    half = np.tril(out.mT @ g) * (1 - 0.5 * np.eye(x.shape[-1], dtype=x.dtype))
    inner = np.linalg.solve(out.mT, np.linalg.solve(out.mT, half.mT).mT)
    return (inner + inner.mT) * 0.5


@operation(None, _cholesky_vjp, kind=Kind.OTHER)
def _cholesky(x: Any, /) -> Any:
    return np.linalg.cholesky(x)


@answers(np.linalg.cholesky)
def cholesky(a: TensorLike, /, *, upper: bool = False) -> Any:
    """The lower triangular matrix `L` with `a = L Lᵀ`, or the upper one, `Lᵀ`.

    Args:
        a: shape (..., n, n), symmetric and positive definite; its other half is not looked at, as in NumPy, and the
            gradient is shared by both.
        upper: give the upper one.

    Raises:
        LinAlgError: when a matrix is not positive definite, or not square.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> np.linalg.cholesky(tg.Tensor([[4.0, 2.0], [2.0, 5.0]]))
        Tensor([[2., 0.],
                [1., 2.]])
    """
    if upper:
        return np.matrix_transpose(_cholesky(np.matrix_transpose(a)))
    return _cholesky(a)


def _pinv_vjp(g: Any, out: Any, x: Any, rcond: Any, hermitian: bool) -> Any:
    rows = np.eye(x.shape[-2], dtype=x.dtype) - x @ out
    columns = np.eye(x.shape[-1], dtype=x.dtype) - out @ x
    return rows @ g.mT @ out @ out.mT + out.mT @ out @ g.mT @ columns - out.mT @ g @ out.mT


@operation("{0}⁺", _pinv_vjp, symbol="⁺", numpy=(np.linalg.pinv,), kind=Kind.OTHER)
def _pinv(x: Any, /, rcond: Any = None, hermitian: bool = False) -> Any:
    return np.linalg.pinv(x, rcond, hermitian)


def _eigh_vjp(g: Any, out: Any, x: Any, lower: bool) -> Any:
    values, vectors = out[..., 0, :], out[..., 1:, :]
    turned = vectors.mT @ g[..., 1:, :]
    gaps = values[..., None, :] - values[..., :, None]
    # What two eigenvectors of equal values have to do with each other is undefined: infinite, but where nobody asks.
    unasked = np.logical_or(np.eye(x.shape[-1], dtype=bool), np.logical_and(np.equal(gaps, 0), np.equal(turned, 0)))
    inner = np.where(unasked, 0, turned / np.where(unasked, 1, gaps))
    inner = inner + np.eye(x.shape[-1], dtype=x.dtype) * g[..., 0, None, :]
    result = vectors @ inner @ vectors.mT
    return (result + result.mT) * 0.5


@operation("eigh({0})", _eigh_vjp, symbol="eigh", kind=Kind.OTHER)
def _eigh(x: Any, /, lower: bool) -> Any:
    """The eigenvalues as a first row, above the eigenvectors as columns."""
    values, vectors = np.linalg.eigh(x, "L" if lower else "U")
    return np.concat([values[..., None, :], vectors], axis=-2)
