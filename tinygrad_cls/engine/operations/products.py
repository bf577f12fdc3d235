"""Products of matrices and of arrays with any number of axes."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..operation import Kind
from ..tensor import Tensor, TensorLike, as_tensor, describe
from .axes import matrix_product, subscripted
from .entry import answers, operation
from .reductions import sum
from .shapes import moveaxis, permute_dims, reshape

# In the rules of matmul a first operand with one axis is a row, a second one a column.


def _matmul_left_vjp(g: Any, out: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return g[..., None] * b
    return (b @ g[..., None])[..., 0] if a.ndim == 1 else g @ b.mT


def _matmul_right_vjp(g: Any, out: Any, a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return g * a if b.ndim == 1 else a[:, None] * g[..., None, :]
    return (a.mT @ g[..., None])[..., 0] if b.ndim == 1 else a.mT @ g


def _unmatched(a: Any, b: Any) -> str:
    """Why two operands have no matrix product, in rows and columns."""
    a, b = np.shape(a), np.shape(b)
    if not a or not b:
        return f"the {'second' if a else 'first'} is a number without axes: multiply by it with *"
    columns, rows = a[-1], b[-2:][0]
    if columns == rows:
        return f"the axes before the last two, {a[:-2]} and {b[:-2]}, must be equal or 1"
    turned = "the second" if b[-1] == columns else "the first" if a[-2:][0] == rows else ""
    return (
        f"the first has {columns} {'columns' if len(a) > 1 else 'elements'} and the second {rows} "
        f"{'rows' if len(b) > 1 else 'elements'}, which must be as many"
        + (f". With rows and columns exchanged {turned} would fit: .mT" if turned else "")
    )


@operation(
    "{0} {1}",
    _matmul_left_vjp,
    _matmul_right_vjp,
    symbol="@",
    ufunc=np.matmul,
    kind=Kind.CONTRACTION,
    linear=(0, 1),
    meets=matrix_product,
    remedy=_unmatched,
    reason={
        "en": "in a matrix product the gradient is multiplied by the other matrix, turned so that rows meet columns",
        "zh": "矩阵乘法把梯度乘以另一个矩阵的转置，使行与列相对应",
    },
)
def matmul(a: TensorLike, b: TensorLike, /) -> Any:
    """The matrix product `a @ b`; leading axes broadcast.

    Args:
        a: shape (..., n, k), or (k,) for a row.
        b: shape (..., k, m), or (k,) for a column.

    Returns:
        Shape (..., n, m), without the axis of a row or column.

    Raises:
        ValueError: when the inner lengths differ, or an operand has no axes.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
        Tensor([3., 7.])
    """


@answers(np.vecdot)
def vecdot(x: TensorLike, y: TensorLike, /, *, axis: int = -1) -> Tensor:
    """The sum of products along one axis.

    Args:
        x, y: shapes that broadcast together, of equal length along `axis`.
        axis: the axis to add up along.

    Raises:
        ValueError: when the lengths along `axis` differ or the shapes do not broadcast.
        AxisError: when the axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.vecdot([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
        Tensor([21., 43.])
    """
    x, y = as_tensor(x), as_tensor(y)
    # `axis` counts in each operand by itself, before they broadcast.
    x, y = (t if axis == -1 else moveaxis(t, normalize_axis_index(axis, t.ndim), -1) for t in (x, y))
    if x.ndim == 0 or y.ndim == 0 or x.shape[-1] != y.shape[-1]:
        raise ValueError(f"vecdot needs equal lengths along the axis, got {describe(x)} and {describe(y)}")
    product = x * y  # small integers stay small, as NumPy's do
    return sum(product, axis=-1, dtype=None if product.dtype.kind == "f" else product.dtype)


@answers(np.tensordot)
def tensordot(
    x: TensorLike, y: TensorLike, /, axes: int | tuple[int | Sequence[int], int | Sequence[int]] = 2
) -> Tensor:
    """The sum of products over several axes at once.

    Args:
        x, y: any shapes.
        axes: how many of the last axes of `x` meet the first of `y`, or the axes of `x` and those of `y`, in order.

    Returns:
        The other axes of `x`, then those of `y`.

    Raises:
        ValueError: when the axes that meet differ in number or length.
        AxisError: when an axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.tensordot(tg.Tensor([[1.0, 2.0]]), tg.Tensor([[3.0, 4.0]]), axes=2)
        Tensor(11.)
    """
    x, y = as_tensor(x), as_tensor(y)
    if isinstance(axes, (int, np.integer)):
        axes = (range(-axes, 0), range(axes))
    left, right = (tuple(a) if isinstance(a, Iterable) else (a,) for a in axes)
    left, right = normalize_axis_tuple(left, x.ndim), normalize_axis_tuple(right, y.ndim)
    if [x.shape[a] for a in left] != [y.shape[a] for a in right]:
        raise ValueError(
            f"tensordot needs equal lengths where axes meet: {describe(x)} at {left}, {describe(y)} at {right}"
        )
    rows = [a for a in range(x.ndim) if a not in left]
    columns = [a for a in range(y.ndim) if a not in right]
    inner = int(np.prod([x.shape[a] for a in left], dtype=np.int64))
    kept = (*(x.shape[a] for a in rows), *(y.shape[a] for a in columns))
    n = int(np.prod([x.shape[a] for a in rows], dtype=np.int64))
    m = int(np.prod([y.shape[a] for a in columns], dtype=np.int64))
    matrix = reshape(permute_dims(x, (*rows, *left)), (n, inner)) @ reshape(
        permute_dims(y, (*right, *columns)), (inner, m)
    )
    return reshape(matrix, kept)


@answers(np.dot)
def _dot(a: TensorLike, b: TensorLike) -> Tensor:
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return a @ b if b.ndim <= 2 else tensordot(a, b, axes=(-1, -2))


@answers(np.outer)
def _outer(a: TensorLike, b: TensorLike) -> Tensor:
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


# --- einsum ---------------------------------------------------------------------------------------------------


def _einsum_vjp_at(position: int) -> Any:
    def vjp(g: Any, out: Any, *xs: Any, subscripts: str) -> Any:
        # The gradient of one operand is again an einsum: of g and the other operands. A letter that only this operand
        # has (or has at full length, where the others have 1) was summed away, and comes back as a row of ones.
        inputs, output = subscripts.split("->")
        terms = inputs.split(",")
        others = [(term, x) for i, (term, x) in enumerate(zip(terms, xs, strict=True)) if i != position]
        known = set(zip(output, out.shape, strict=True)).union(*(zip(term, x.shape, strict=True) for term, x in others))
        x = xs[position]
        for letter, n in zip(terms[position], x.shape, strict=True):
            if (letter, n) not in known:
                others.append((letter, np.ones(n, x.dtype)))
        asked = ",".join([output, *(term for term, _ in others)]) + "->" + terms[position]
        return np.einsum(asked, g, *(operand for _, operand in others))

    return vjp


@operation("einsum {subscripts}", vjp_at=_einsum_vjp_at, kind=Kind.CONTRACTION, meets=subscripted)
def _einsum(*xs: TensorLike, subscripts: str) -> Any:
    return np.einsum(subscripts, *xs)  # type: ignore[arg-type]


@answers(np.einsum)
def einsum(subscripts: str, /, *operands: TensorLike) -> Tensor:
    """Einstein's summation: letters name axes, equal letters meet, letters missing from the result are summed.

    Args:
        subscripts: as in NumPy, with or without `->`, with or without `...`, repeated letters for diagonals.
        operands: one for each comma-separated term.

    Raises:
        ValueError: when the terms do not fit the operands.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
        Tensor([21., 43.])
    """
    if not isinstance(subscripts, str):
        raise TypeError('einsum needs its subscripts as text, such as "ij,jk->ik"')
    tensors = [as_tensor(x) for x in operands]
    try:
        terms, output = _explicit(subscripts, [x.ndim for x in tensors])
        tensors, terms = _without_diagonals(tensors, terms)
    except ValueError as error:
        shapes = ", ".join(describe(x) for x in tensors)
        raise ValueError(f"einsum({subscripts!r}, {shapes}): {error}") from None
    return _einsum(*tensors, subscripts=f"{','.join(terms)}->{output}")


def _explicit(subscripts: str, ndims: list[int]) -> tuple[list[str], str]:
    """The terms and the result, with every `...` spelled out in letters and the result written down."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"{len(terms)} terms for {len(ndims)} operands")
    spare = [letter for letter in string.ascii_letters if letter not in subscripts]
    extra = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    for term, n in zip(terms, extra, strict=True):
        if n < 0 or (n > 0 and "..." not in term):
            raise ValueError(f"the term {term!r} does not name the axes of its operand")
    longest = "".join(spare[: max((n for n, t in zip(extra, terms, strict=True) if "..." in t), default=0)])
    terms = [term.replace("...", longest[len(longest) - n :]) for term, n in zip(terms, extra, strict=True)]
    if arrow:
        output = output.replace("...", longest)
    else:
        named = "".join(terms)
        output = longest + "".join(sorted(c for c in set(named) if named.count(c) == 1 and c not in longest))
    if unknown := set(output) - set("".join(terms)):
        raise ValueError(f"the result names {', '.join(sorted(unknown))}, which no operand has")
    if len(set(output)) < len(output):
        raise ValueError("the result names a letter twice")
    return terms, output


def _without_diagonals(tensors: list[Tensor], terms: list[str]) -> tuple[list[Tensor], list[str]]:
    """Repeated letters within a term made different, tied together by identity matrices."""
    spare = iter(letter for letter in string.ascii_letters if letter not in "".join(terms))
    matrices: list[Tensor] = []
    ties: list[str] = []
    result = []
    for x, term in zip(tensors, terms, strict=True):
        letters: list[str] = []
        for letter, n in zip(term, x.shape, strict=True):
            if letter in letters:
                if n != x.shape[letters.index(letter)]:
                    raise ValueError(f"{letter} stands for two lengths, {x.shape[letters.index(letter)]} and {n}")
                twin = next(spare)
                matrices.append(Tensor(np.eye(n, dtype=x.dtype)))
                ties.append(letter + twin)
                letter = twin
            letters.append(letter)
        result.append("".join(letters))
    return tensors + matrices, result + ties
