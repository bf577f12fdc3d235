"""Gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..recording import TRACE
from ..tensor import Tensor, constant, describe


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients by one factor so that their length together is at most `max_norm`.

    The length is `√(Σ g²)` over all elements of all gradients (Pascanu, Mikolov & Bengio, 2013). As in PyTorch, the
    factor is `max_norm / (length + 1e-6)`, and gradients that are short enough stay as they are.

    Args:
        parameters: Tensors; those without a gradient are passed over.
        max_norm: the greatest length allowed.

    Returns:
        The length before clipping.

    Raises:
        ValueError: when `max_norm` is not positive.
        FloatingPointError: when a gradient holds nan or inf; no gradient is changed then.

    Example:
        >>> import tinygrad_cls as tg
        >>> x = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> (x * x / 2).sum().backward()
        >>> tg.optim.clip_grad_norm([x], max_norm=1.0)
        5.0
        >>> x.grad.numpy().round(5)
        array([0.6, 0.8])
    """
    if not max_norm > 0:
        raise ValueError(f"clip_grad_norm needs a max_norm greater than 0, not {max_norm}")
    trace = TRACE.get()
    if trace is not None:
        trace.refuse("clip_grad_norm reads the length of the gradients: clip outside of the compiled function")
    leaves = [parameter for parameter in parameters if parameter._grad is not None]
    arrays = [leaf._grad._array for leaf in leaves if leaf._grad is not None]
    for leaf, array in zip(leaves, arrays, strict=True):
        if not np.isfinite(array).all():
            raise FloatingPointError(
                f"clip_grad_norm: the gradient of {describe(leaf)} holds nan or inf, which no scaling can mend: "
                "look for a loss that overflowed, or lower the learning rate"
            )
    # Divided by the largest element first, so that no square overflows or vanishes.
    largest = max((float(np.abs(array).max()) for array in arrays if array.size), default=0.0)
    if largest == 0:
        return 0.0
    length = largest * math.sqrt(sum(float(np.sum(np.square(array / largest, dtype=np.float64))) for array in arrays))
    factor = max_norm / (length + 1e-6)
    if factor < 1:
        for leaf, array in zip(leaves, arrays, strict=True):
            leaf._grad = constant(np.asarray(array * factor))
    return length
