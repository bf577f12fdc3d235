"""The update rules, equal to PyTorch's to rounding.

Each is a function from values and state to new ones, and writes to nothing: by the new array the engine knows that
graphs of the old values are stale, and `compile` finds out for itself what can be done in place.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..engine.tensor import Array
from .optimiser import Optimiser, Parameters


class SGD(Optimiser):
    """Gradient descent: `p ← p − lr · v`, where `v` is the gradient, or with momentum `v ← momentum · v + gradient`.

    `weight_decay · p` is first added to the gradient. With Nesterov's form the step is along
    `gradient + momentum · v` (Sutskever, Martens, Dahl & Hinton, 2013).

    Args:
        parameters: Tensors that require gradients, or a list of groups.
        lr: the learning rate.
        momentum: from 0 to below 1 is usual.
        nesterov: needs momentum.
        weight_decay: the factor of the parameters in the gradient, as of a penalty `weight_decay / 2 · Σ p²`.

    Raises:
        TypeError, ValueError: as for `Optimiser`.

    Example:
        >>> import tinygrad_cls as tg
        >>> x = tg.Tensor([1.0, -2.0], requires_grad=True)
        >>> optimiser = tg.optim.SGD([x], lr=0.1)
        >>> (x * x).sum().backward()
        >>> optimiser.step()
        >>> x.numpy()
        array([ 0.8, -1.6])
    """

    state_names: frozenset[str] = frozenset({"velocity"})

    def __init__(
        self,
        parameters: Parameters,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        super().__init__(parameters, options)

    def check(self, group: Mapping[str, Any]) -> None:
        self.check_numbers(group, "momentum")
        if not isinstance(group["nesterov"], bool | np.bool_):
            raise TypeError(f"SGD: nesterov is True or False, not {group['nesterov']!r}; there is no dampening here")
        if not 0 <= group["momentum"] < math.inf:
            raise ValueError(f"SGD needs a momentum of 0 or more, not {group['momentum']}")
        if group["nesterov"] and not group["momentum"]:
            raise ValueError("SGD: Nesterov's form needs a momentum greater than 0")

    def keeps(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        return ("velocity",) if group["momentum"] else ()

    def numbers(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        return {"lr": self.rate(group)}

    def updated(
        self,
        values: Array,
        gradient: Array,
        state: Mapping[str, Array],
        group: Mapping[str, Any],
        numbers: Mapping[str, Array],
    ) -> tuple[Array, dict[str, Array]]:
        momentum, changed = group["momentum"], {}
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * values
        if momentum:
            velocity = state["velocity"] * momentum
            velocity += gradient
            gradient = gradient + momentum * velocity if group["nesterov"] else velocity
            changed = {"velocity": velocity}
        return values - gradient * numbers["lr"], changed


class Adam(Optimiser):
    """Steps of about `lr`, whatever the size of the gradient (Kingma & Ba, 2015, https://arxiv.org/abs/1412.6980).

    `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, then `p ← p − lr · m̂ / (√v̂ + eps)`, where
    `m̂ = m / (1 − β₁ᵗ)` and `v̂ = v / (1 − β₂ᵗ)` make up for the start at 0.

    Args:
        parameters: Tensors that require gradients, or a list of groups.
        lr: the learning rate.
        betas: `(β₁, β₂)`, each from 0 to below 1.
        eps: keeps the quotient finite.
        weight_decay: `weight_decay · p` is added to the gradient.

    Raises:
        TypeError, ValueError: as for `Optimiser`.

    Example:
        >>> import tinygrad_cls as tg
        >>> x = tg.Tensor([1.0, -2.0], requires_grad=True)
        >>> optimiser = tg.optim.Adam([x], lr=0.1)
        >>> (x * x).sum().backward()
        >>> optimiser.step()
        >>> x.numpy()
        array([ 0.9, -1.9])
    """

    state_names: frozenset[str] = frozenset({"steps", "average", "average_square"})
    counts_steps = True
    decoupled = False  # whether weight decay is apart from the gradient

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def check(self, group: Mapping[str, Any]) -> None:
        self.check_numbers(group, "eps")
        betas = group["betas"] if isinstance(group["betas"], tuple | list) else ()
        if len(betas) != 2 or not all(isinstance(beta, numbers.Real) and 0 <= float(beta) < 1 for beta in betas):
            raise ValueError(f"{self._name} needs two betas from 0 to below 1, not {group['betas']!r}")
        if not 0 <= group["eps"] < math.inf:
            raise ValueError(f"{self._name} needs an eps of 0 or more, not {group['eps']}")

    def keeps(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        return ("average", "average_square")

    def numbers(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        lr, (beta1, beta2) = self.rate(group), group["betas"]
        correction = math.sqrt(1 - beta2**step)  # the corrections of both means, taken out of the arrays
        numbers = {"eps": group["eps"] * correction, "rate": -lr * correction / (1 - beta1**step)}
        if self.decoupled:
            numbers["kept"] = 1 - lr * group["weight_decay"]
        return numbers

    def updated(
        self,
        values: Array,
        gradient: Array,
        state: Mapping[str, Array],
        group: Mapping[str, Any],
        numbers: Mapping[str, Array],
    ) -> tuple[Array, dict[str, Array]]:
        (beta1, beta2), decay = group["betas"], group["weight_decay"]
        if decay and not self.decoupled:
            gradient = gradient + decay * values
        average = state["average"] * beta1
        average += gradient * (1 - beta1)
        square = np.square(gradient)
        square *= 1 - beta2
        square += state["average_square"] * beta2
        if decay and self.decoupled:
            values = values * numbers["kept"]
        step = np.sqrt(square)  # −lr · m̂ / (√v̂ + eps)
        step += numbers["eps"]
        step = average / step
        step *= numbers["rate"]
        step += values
        return step, {"average": average, "average_square": square}


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: first `p ← p · (1 − lr · weight_decay)`, then Adam's step.

    Loshchilov & Hutter, 2019, https://arxiv.org/abs/1711.05101.

    Args:
        parameters, lr, betas, eps: as for `Adam`.
        weight_decay: the part of each parameter that a step with `lr = 1` would take away.

    Raises:
        TypeError, ValueError: as for `Optimiser`.

    Example:
        >>> import tinygrad_cls as tg
        >>> x = tg.Tensor([1.0, -2.0], requires_grad=True)
        >>> optimiser = tg.optim.AdamW([x], lr=0.1, weight_decay=0.1)
        >>> (x * x).sum().backward()
        >>> optimiser.step()
        >>> x.numpy()
        array([ 0.89, -1.88])
    """

    decoupled = True

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)
