"""The layers of a network: where it multiplies by weights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..engine.tensor import Tensor

_DEEP = 2  # layers after one another; the results of more have a letter each


def is_affine(node: Tensor) -> bool:
    """Whether this is `X W`, or `X W + b`."""
    made = [node, *_tensors(node)] if _ufunc(node) is np.add else [node]
    return any(_ufunc(x) is np.matmul for x in made)


def layers_if_deep(tensors: Iterable[Tensor]) -> dict[Tensor, int]:
    """What the layers of a network compute, `X W`, `X W + b` or `X W + H U + b` for weights W and U, with their numbers
    from the input side; none where at most two come after one another.

    Args:
        tensors: all tensors, each after its inputs.
    """
    depth: dict[Tensor, int] = {}
    found: dict[Tensor, None] = {}
    for t in tensors:
        operands = _tensors(t)
        depth[t] = max((depth.get(x, 0) for x in operands), default=0)
        products = [x for x in dict.fromkeys(operands) if x in found]
        if _ufunc(t) is np.matmul and not depth.get(operands[-1]):
            depth[t] += 1
            found[t] = None
        elif _ufunc(t) is np.add and products:  # a bias belongs to the layer
            for product in products:
                del found[product]
            found[t] = None
    return {t: i for i, t in enumerate(found, 1)} if max(depth.values(), default=0) > _DEEP else {}


def _tensors(t: Tensor) -> list[Tensor]:
    return [x for x in t.inputs if isinstance(x, Tensor)]


def _ufunc(t: Tensor) -> object:
    return t.operation.ufunc if t.operation is not None else None
