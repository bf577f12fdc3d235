"""Product and difference as they are meant where 0 says "not chosen" or "no distance": infinities stay out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tensor import Tensor, TensorLike
from .entry import for_arrays_too, operation

_isfinite: Callable[..., Any] = np.isfinite  # `0 not in _isfinite(x).tobytes()`: NumPy's fastest way to ask it of all


def _select_vjp(g: Any, out: Any, weights: Any, x: Any) -> Any:
    if type(g) is Tensor:
        return select(weights, g)
    # What is repeated is asked once, where that saves time.
    parts = g if g.size <= 10_000 else g[tuple([slice(None if step else 1) for step in g.strides])]
    return weights * (g if 0 not in _isfinite(parts).tobytes() else np.where(weights == 0, 0, g))


def _read_select(ex: Any, weights: Any, x: Any) -> Any:
    """A product; for all data only where `x` is a number that is known, and finite."""
    if ex.on_data or (not ex.leaves_of(x) and np.isfinite(getattr(ex.inputs[1], "_array", ex.inputs[1])).all()):
        return ex.product(weights, x)
    return None


@operation(
    "{0} × {1}",
    lambda g, out, weights, x: g * x,
    _select_vjp,
    symbol="×",
    spelling="multiply",
    letter="t",
    reads=_read_select,
    reason={
        "en": "in a product the gradient goes to each factor, times the other factor",
        "zh": "乘法把梯度传给每个因子，并乘以另一个因子",
    },
)
def select(weights: Any, x: Any, /) -> Any:
    """`weights * x`, where a weight of 0 means "not chosen": the result is 0 there even if `x` is infinite or nan.

    So is the gradient by `x`. It is what one-hot rows, masks and class weights mean; `0 * x` is nan for such an `x`.

    Args:
        weights, x: any shapes that broadcast together; truth values are weights of 1 and 0.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> from tinygrad_cls.engine.operations.selecting import select
        >>> select([0.0, 2.0], [float("inf"), 3.0])
        Tensor([0., 6.])
    """
    return weights * (x if 0 not in _isfinite(x).tobytes() else np.where(weights == 0, 0, x))


selected: Callable[..., Any] = for_arrays_too(select)


@operation(
    "{0} − {1}",
    lambda g, out, x, m: g,
    lambda g, out, x, m: -g,
    symbol="−",
    spelling="subtract",
    letter="d",
    reads=lambda ex, x, m: None if m.kind == "leaf" and not ex.on_data else ex.minus(x, m),  # m may be infinite
    reason={
        "en": "a difference passes the gradient on: unchanged to the first, with a minus to the second",
        "zh": "减法把梯度传回两边：对被减数不变，对减数变号",
    },
)
def below(x: TensorLike, m: TensorLike, /) -> Any:
    """`x - m`, where equal ones are no distance apart even if both are infinite; `x - m` is nan for those.

    So an exponent stays 0 where `x` itself is the largest, which is subtracted.

    Args:
        x, m: any shapes that broadcast together.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> from tinygrad_cls.engine.operations.selecting import below
        >>> below([1.0, float("inf")], float("inf"))
        Tensor([-inf,   0.])
    """
    if 0 not in _isfinite(m).tobytes():
        return np.subtract(x, m)
    same = np.equal(x, m)
    return np.subtract(np.where(same, 0, x), np.where(same, 0, m))


distance: Callable[..., Any] = for_arrays_too(below)
