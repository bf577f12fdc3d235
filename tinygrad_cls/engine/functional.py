"""Softmax and one-hot coding: composed from operations, with no gradient written by hand.

Where an exponential could overflow, the largest exponent `m` is subtracted first. Mathematically `m` cancels, so the
result does not depend on it, its derivative is 0, and it may be held constant (`stop_gradient`).
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from .operations.checks import class_numbers, floats, integers
from .operations.elementwise import astype, exp, log, stop_gradient
from .operations.logic import equal
from .operations.reductions import max, sum
from .operations.selecting import below
from .operations.shapes import expand_dims, squeeze
from .recording import composite, watcher
from .tensor import Axis, Tensor, TensorLike, constant

__all__ = ["log_softmax", "logsumexp", "one_hot", "softmax"]


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
    if np.count_nonzero(coded._array) != labels._array.size or watcher() is not None:  # a label without its 1
        class_numbers(labels, num_classes)
    return astype(coded, dtype=float if dtype is None else dtype)


_counted = functools.lru_cache(maxsize=16, typed=True)(np.arange)
"""All class numbers, made once: they take as long as a product of a small batch."""


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
    x = floats(x)
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
    x = floats(x)
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
    x = floats(x)
    largest = stop_gradient(max(x, axis=axis, keepdims=True))
    result = log(sum(exp(below(x, largest)), axis=axis, keepdims=True)) + largest
    return result if keepdims else squeeze(result, axis)
