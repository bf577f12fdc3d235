"""Initial weights: arrays drawn so that signals keep their size from layer to layer.

A weight of shape (inputs, outputs) is used as `x @ weight`, so its fan-in is its first length. The formulas are
PyTorch's (`torch.nn.init`).
"""

from __future__ import annotations

import math
from typing import Literal, NoReturn

import numpy as np
import numpy.typing as npt

from ..engine.tensor import Array
from ..phrases import unknown
from ..vocabulary_training import INIT

Fan = Literal["fan_in", "fan_out"]


def kaiming_uniform(
    shape: tuple[int, int],
    generator: np.random.Generator,
    *,
    gain: float = math.sqrt(2),
    mode: Fan = "fan_in",
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    """Uniform between ±`gain · √(3 / fan)` (He, Zhang, Ren & Sun, 2015, https://arxiv.org/abs/1502.01852).

    Args:
        shape: (inputs, outputs).
        generator: where the randomness comes from.
        gain: √2 suits relu; 1 suits no activation; 5/3 suits tanh.
        mode: which fan: "fan_in" keeps the size of signals, "fan_out" that of gradients.
        dtype: of the result.

    Raises:
        ValueError: when `shape` has not two lengths, or `mode` is neither of the two.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> weight = tg.nn.init.kaiming_uniform((64, 10), np.random.default_rng(0))
        >>> weight.shape, bool(abs(weight).max() <= (2 * 3 / 64) ** 0.5)
        ((64, 10), True)
    """
    bound = gain * math.sqrt(3 / _fan(shape, mode))
    return generator.uniform(-bound, bound, shape).astype(dtype)


def kaiming_normal(
    shape: tuple[int, int],
    generator: np.random.Generator,
    *,
    gain: float = math.sqrt(2),
    mode: Fan = "fan_in",
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    """Normal with standard deviation `gain / √fan` (He, Zhang, Ren & Sun, 2015).

    Args:
        shape, generator, gain, mode, dtype: as for `kaiming_uniform`.

    Raises:
        ValueError: as for `kaiming_uniform`.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> tg.nn.init.kaiming_normal((64, 10), np.random.default_rng(0)).dtype
        dtype('float32')
    """
    return generator.normal(0.0, gain / math.sqrt(_fan(shape, mode)), shape).astype(dtype)


def xavier_uniform(
    shape: tuple[int, int],
    generator: np.random.Generator,
    *,
    gain: float = 1.0,
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    """Uniform between ±`gain · √(6 / (inputs + outputs))` (Glorot & Bengio, 2010).

    Args:
        shape: (inputs, outputs).
        generator: where the randomness comes from.
        gain: a factor that suits the activation.
        dtype: of the result.

    Raises:
        ValueError: when `shape` has not two lengths.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> weight = tg.nn.init.xavier_uniform((50, 100), np.random.default_rng(0))
        >>> bool(abs(weight).max() <= 0.2)
        True
    """
    bound = gain * math.sqrt(6 / (_fan(shape, "fan_in") + _fan(shape, "fan_out")))
    return generator.uniform(-bound, bound, shape).astype(dtype)


def xavier_normal(
    shape: tuple[int, int],
    generator: np.random.Generator,
    *,
    gain: float = 1.0,
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    """Normal with standard deviation `gain · √(2 / (inputs + outputs))` (Glorot & Bengio, 2010).

    Args:
        shape, generator, gain, dtype: as for `xavier_uniform`.

    Raises:
        ValueError: when `shape` has not two lengths.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> tg.nn.init.xavier_normal((50, 100), np.random.default_rng(0)).shape
        (50, 100)
    """
    deviation = gain * math.sqrt(2 / (_fan(shape, "fan_in") + _fan(shape, "fan_out")))
    return generator.normal(0.0, deviation, shape).astype(dtype)


def _fan(shape: tuple[int, ...], mode: Fan) -> int:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"initial weights need a shape (inputs, outputs) with lengths of 1 or more, got {shape}")
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'mode must be "fan_in" or "fan_out", not {mode!r}')
    return shape[0] if mode == "fan_in" else shape[1]


def __getattr__(name: str) -> NoReturn:
    raise unknown(__name__, name, INIT, ("kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"))
