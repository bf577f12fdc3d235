"""Gradient clipping."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..advice import warn
from ..engine.operations.checks import check
from ..engine.recording import watcher
from ..engine.tensor import USED, Array, Tensor, constant, describe


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float | Tensor:
    """Scale all gradients by one factor so that their length together is at most `max_norm`.

    The length is `√(Σ g²)` over all elements of all gradients (Pascanu, Mikolov & Bengio, 2013). As in PyTorch, the
    factor is `max_norm / (length + 1e-6)`, and gradients that are short enough stay as they are.

    Args:
        parameters: Tensors; those without a gradient are passed over.
        max_norm: the greatest length allowed.

    Returns:
        The length before clipping; inside a function that is compiled, a Tensor of it.

    Raises:
        ValueError: when `max_norm` is not positive, or there are no parameters.
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
    given = list(parameters)
    if not given:
        raise ValueError("clip_grad_norm was given no parameters; model.parameters() can be used up only once")
    gradients = {leaf: g for leaf in given if (g := leaf.grad) is not None and g.size}
    if any(getattr(g, "_mark", None) is USED for g in gradients.values()):
        warn("clip_grad_norm after step() clips what was used already: call it between backward() and step()")
    for leaf, g in gradients.items():
        check(_Finite(describe(leaf)), g)
    if not gradients:
        return 0.0
    # NumPy's functions, so that the same lines run on arrays and, where the run is watched, on Tensors.
    watched = watcher() is not None
    values: list[Any] = [g if watched else g._array for g in gradients.values()]
    # Divided by the largest element first, so that no square overflows or vanishes.
    largest = functools.reduce(np.maximum, [np.max(np.abs(g)) for g in values])
    unit = largest + (largest == 0)
    length = largest * np.sqrt(sum(np.sum(np.square(g / unit), dtype=np.float64) for g in values))
    factor = np.minimum(max_norm / (length + 1e-6), 1)
    for leaf, g in zip(gradients, values, strict=True):
        clipped = g * factor.astype(g.dtype)
        leaf.grad = clipped if watched else constant(np.asarray(clipped))
    return length if watched else float(length)


@dataclass(frozen=True)
class _Finite:
    """The check that a gradient holds neither nan nor inf."""

    parameter: str

    def __call__(self, gradient: Array) -> None:
        if not np.isfinite(gradient).all():
            raise FloatingPointError(
                f"clip_grad_norm: the gradient of {self.parameter} holds nan or inf, which no scaling can mend: "
                "look for a loss that overflowed, or lower the learning rate"
            )
