"""The activations, composed from operations, with no gradient written by hand."""

from __future__ import annotations

import math

import numpy as np

from ..recording import composite
from ..tensor import Tensor, TensorLike, as_tensor
from .checks import floats
from .choosing import where
from .elementwise import erf, exp, expm1, log1p, maximum, stop_gradient, tanh
from .selecting import below


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
    x = floats(x)
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
    x = floats(x)
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
