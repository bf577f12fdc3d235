"""Random numbers as an operation, so that whoever watches a run sees where they came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..recording import watcher
from ..tensor import Tensor
from .entry import operation


@operation("random")
def _uniform(*, generator: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return generator.random(shape)


def uniform(generator: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    """Random numbers from 0 to below 1, float64: a constant for differentiation.

    Args:
        generator: where they come from.
        shape: of the result.

    Example:
        >>> import numpy as np
        >>> from tinygrad_cls.engine.operations.random import uniform
        >>> uniform(np.random.default_rng(0), (2,))
        Tensor([0.63696169, 0.26978671])
    """
    by = watcher()
    if by is not None:
        by.used(generator)
    return _uniform(generator=generator, shape=shape)
