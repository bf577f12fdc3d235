"""Softmax, the activations and one-hot coding: composed from operations, with no gradient written by hand.

Where an exponential could overflow, the largest exponent `m` is subtracted first. Mathematically `m` cancels, so the
result does not depend on it, its derivative is 0, and it may be held constant (`stop_gradient`).
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from .operations.checks import class_numbers, integers
from .operations.choosing import where
from .operations.elementwise import astype, erf, exp, expm1, log, log1p, maximum, stop_gradient, tanh
from .operations.logic import equal
from .operations.reductions import max, sum
from .operations.selecting import below
from .operations.shapes import expand_dims, squeeze
from .recording import composite, watcher
from .tensor import Axis, Tensor, TensorLike, as_tensor, constant

__all__ = ["elu", "gelu", "leaky_relu", "log_softmax", "logsumexp", "one_hot", "relu", "sigmoid", "silu"]
__all__ += ["softmax", "softplus"]


@composite(result="y")
def one_hot(labels: TensorLike, num_classes: int, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Class numbers as rows of one 1 among zeros, so that no class is larger than another.

    Args:
        labels: class numbers from 0 to `num_classes - 1`, integers of any shape.
        num_classes: the length of the new last axis.
        dtype: of the result; float64 by default.

    Returns:
        Shape `(*labels.shape, num_classes)`.

    Raises:
        TypeError: when the labels are no integers.
        ValueError: when a label is negative or too large; the first is named.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.one_hot([0, 2], 3)
        Tensor([[1., 0., 0.],
                [0., 0., 1.]])
    """
    labels = integers(labels)
    coded = equal(expand_dims(labels, -1), constant(_counted(num_classes)))
    if np.count_nonzero(coded._array) != labels.size or watcher() is not None:  # a label without its 1
        class_numbers(labels, num_classes)
    return astype(coded, dtype=float if dtype is None else dtype)


_counted = functools.lru_cache(maxsize=16, typed=True)(np.arange)
"""All class numbers, made once: they take as long as a product of a small batch."""


def _floats(x: TensorLike) -> Tensor:
    """Scores as floats: the difference of unsigned integers would wrap around."""
    x = as_tensor(x)
    return x if x._array.dtype.kind == "f" else x.astype(float)


@composite(result="y′")
def softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """Outputs as probabilities: `exp(x) / Σ exp(x)`, positive and summing to 1 along `axis`.

    Args:
        x: logits, of any shape with one axis or more.
        axis: the axis of the classes.

    Raises:
        AxisError: when the axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.softmax([1.0, 2.0, 3.0])
        Tensor([0.09003057, 0.24472847, 0.66524096])
    """
    x = _floats(x)
    e = exp(x - stop_gradient(max(x, axis=axis, keepdims=True)))
    return e / sum(e, axis=axis, keepdims=True)


@composite
def log_softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """`log(softmax(x))`, exact also where a probability is too small for a float.

    Args:
        x: logits, of any shape with one axis or more.
        axis: the axis of the classes.

    Raises:
        AxisError: when the axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.log_softmax([0.0, -1000.0]).numpy()
        array([    0., -1000.])
    """
    x = _floats(x)
    shifted = x - stop_gradient(max(x, axis=axis, keepdims=True))
    return shifted - log(sum(exp(shifted), axis=axis, keepdims=True))


@composite(result="LSE")
def logsumexp(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """`log Σ exp(x)`, without overflow: a smooth maximum, whose gradient is softmax.

    It is -inf where all elements are, and inf where one is; equal infinities share the gradient.

    Args:
        x: any shape.
        axis: the axes to fold; None for all.
        keepdims: keep the folded axes at length 1.

    Raises:
        AxisError: when an axis is out of range.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.logsumexp([1000.0, 1000.0]).item() == 1000 + tg.log(2.0).item()
        True
    """
    x = _floats(x)
    largest = stop_gradient(max(x, axis=axis, keepdims=True))
    result = log(sum(exp(below(x, largest)), axis=axis, keepdims=True)) + largest
    return result if keepdims else squeeze(result, axis)


@composite
def sigmoid(x: TensorLike) -> Tensor:
    """`1 / (1 + exp(-x))`: the softmax of two classes whose logits are `x` and 0.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.sigmoid([-1000.0, 0.0, 1000.0]).numpy()
        array([0. , 0.5, 1. ])
    """
    x = _floats(x)
    larger = stop_gradient(maximum(x, 0))
    e = exp(below(x, larger))
    return e / (e + exp(-larger))


@composite
def softplus(x: TensorLike) -> Tensor:
    """`log(1 + exp(x))`: a smooth relu, whose slope is the sigmoid. Exact at both ends.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.softplus([-50.0, 0.0, 1000.0]).numpy()
        array([1.92874985e-22, 6.93147181e-01, 1.00000000e+03])
    """
    x = _floats(x)
    # One of exp(x − m) and exp(−m) is 1, the other may be tiny: log1p and expm1 keep its digits.
    larger = stop_gradient(maximum(x, 0))
    return log1p(exp(below(x, larger)) + expm1(-larger)) + larger


@composite
def relu(x: TensorLike) -> Tensor:
    """`x` where it is positive, else 0; nan stays nan. The slope at 0 is 0.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.relu([-1.0, 0.0, 2.0]).numpy()
        array([0., 0., 2.])
    """
    return where(x <= 0 if isinstance(x, Tensor) else np.less_equal(x, 0), 0, x)


@composite
def leaky_relu(x: TensorLike, negative_slope: float = 0.01) -> Tensor:
    """`x` where it is positive, else `negative_slope * x` (Maas, Hannun & Ng, 2013).

    Args:
        x: any shape.
        negative_slope: the slope for negative `x`, and at 0.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.leaky_relu([-1.0, 2.0]).numpy()
        array([-0.01,  2.  ])
    """
    x = as_tensor(x)
    return where(x > 0, x, x * negative_slope)


@composite
def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """`x` where it is positive, else `alpha * (exp(x) - 1)` (Clevert, Unterthiner & Hochreiter, 2016).

    Args:
        x: any shape.
        alpha: minus the limit for very negative `x`.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.elu([-1.0, 2.0]).numpy()
        array([-0.63212056,  2.        ])
    """
    x = as_tensor(x)
    return where(x > 0, x, expm1(where(x > 0, 0, x)) * alpha)


@composite
def gelu(x: TensorLike, approximate: str = "none") -> Tensor:
    """`x Φ(x)` with the normal distribution function Φ (Hendrycks & Gimpel, 2016).

    Args:
        x: any shape.
        approximate: "none" for the exact form, "tanh" for the faster approximation by tanh.

    Raises:
        ValueError: for any other `approximate`.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.gelu([-1.0, 0.0, 1.0]).numpy()
        array([-0.15865525,  0.        ,  0.84134475])
    """
    x = as_tensor(x)
    if approximate == "none":
        return x * (0.5 * (1 + erf(x * math.sqrt(0.5))))
    if approximate == "tanh":
        return x * (0.5 * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    raise ValueError(f'approximate must be "none" or "tanh", not {approximate!r}')


@composite
def silu(x: TensorLike) -> Tensor:
    """`x * sigmoid(x)`, also called swish (Elfwing, Uchibe & Doya, 2018).

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.silu([0.0, 1.0]).numpy()
        array([0.        , 0.73105858])
    """
    x = as_tensor(x)
    return x * sigmoid(x)
