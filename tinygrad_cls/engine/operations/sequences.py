"""Operations along one axis that look at the order of elements, or slide one sequence over another.

They are called by NumPy's names: `np.argsort(t)`. What is sorted is then picked, so the gradient goes where the value
was.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..operation import Kind
from ..tensor import Tensor, TensorLike, as_tensor
from .entry import answers, operation
from .shapes import reshape


@operation(None, None, kind=Kind.OTHER)
def _argsort(x: Any, /, axis: int, stable: bool) -> Any:
    return np.argsort(x, axis=axis, stable=stable)


@answers(np.argsort)
def argsort(a: TensorLike, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None) -> Any:
    """The positions of the elements from the smallest to the largest: integers, without a gradient.

    Args:
        a: any shape with the axis.
        axis: the axis to sort along; None for the flattened elements.
        kind: as in NumPy; all sort alike, "stable" keeps equal elements in order.
        stable: whether equal elements keep their order.

    Raises:
        AxisError: when the axis is out of range.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> np.argsort(tg.Tensor([0.3, 0.1, 0.2]))
        Tensor([1, 2, 0])
    """
    x, axis = (reshape(a, -1), 0) if axis is None else (as_tensor(a), axis)
    return _argsort(x, axis=axis, stable=bool(stable) or kind in ("stable", "mergesort"))


@operation(None, None, kind=Kind.OTHER)
def _argpartition(x: Any, /, kth: Any, axis: int) -> Any:
    return np.argpartition(x, kth, axis=axis)


@answers(np.argpartition)
def argpartition(a: TensorLike, kth: Any, axis: int | None = -1) -> Any:
    """Positions by which the elements at `kth` are where sorting would put them, smaller before, larger after.

    Args:
        a: any shape with the axis.
        kth: a position along the axis, or several.
        axis: the axis to look along; None for the flattened elements.

    Raises:
        AxisError: when the axis is out of range.
        ValueError: when a position is.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> np.argpartition(tg.Tensor([0.3, 0.1, 0.2]), 0)[0]
        Tensor(1)
    """
    x, axis = (reshape(a, -1), 0) if axis is None else (as_tensor(a), axis)
    return _argpartition(x, kth=kth if isinstance(kth, int) else tuple(kth), axis=axis)


@operation(None, None, None, numpy=(np.searchsorted,), kind=Kind.OTHER)
def _searchsorted(a: Any, v: Any, /, side: str = "left") -> Any:
    return np.searchsorted(a, v, side=side)  # type: ignore[call-overload]


def _slid(g: Any, other: Any) -> Any:
    """The derivative of a convolution by one sequence: the gradient, and the other turned round sliding over it."""
    return np.convolve(g, other[::-1], mode="valid")


@operation(
    "{0} ∗ {1}",
    lambda g, out, a, v: _slid(g, v),
    lambda g, out, a, v: _slid(g, a),
    symbol="∗",
    kind=Kind.OTHER,
    commutative=True,
    linear=(0, 1),
    reason={
        "en": "the gradient is convolved with the other sequence, turned round",
        "zh": "梯度与另一个反转后的序列作卷积",
    },
)
def _convolve(a: Any, v: Any, /) -> Any:
    return np.convolve(a, v)


@answers(np.convolve)
def convolve(a: TensorLike, v: TensorLike, mode: str = "full") -> Tensor:
    """The sums of the products of `a` with `v` turned round and moved along it: `Σⱼ aⱼ vᵢ₋ⱼ`.

    Args:
        a, v: one axis each, not empty.
        mode: "full" for all places where the two overlap, "same" for the middle ones, as many as the longer has
            elements, "valid" for those where the shorter lies within the longer.

    Raises:
        ValueError: for sequences without elements or with several axes, or another `mode`.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> np.convolve(tg.Tensor([1.0, 2.0, 3.0]), [0.5, 0.5])
        Tensor([0.5, 1.5, 2.5, 1.5])
    """
    a, v = as_tensor(a), as_tensor(v)
    longer, shorter = sorted((np.size(a), np.size(v)), reverse=True)
    start = {"full": 0, "same": (shorter - 1) // 2, "valid": shorter - 1}.get(mode)
    if start is None:
        raise ValueError(f'the mode of a convolution is "full", "same" or "valid", not {mode!r}')
    sums = _convolve(reshape(a, -1) if a.ndim == 0 else a, reshape(v, -1) if v.ndim == 0 else v)
    count = {"full": sums.size, "same": longer, "valid": longer - shorter + 1}[mode]
    return sums if mode == "full" else sums[start : start + count]
