"""The layers of a network: where it multiplies by weights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..engine.tensor import Tensor

_DEEP = 2  # layers after one another; the results of more have a letter each


def is_affine(node: Tensor) -> bool:
    """Whether this is `X W`, or `X W + b`."""
    made = [node, *(x for x in node.inputs if isinstance(x, Tensor))] if _ufunc(node) is np.add else [node]
    return any(_ufunc(x) is np.matmul for x in made)


def layers_if_deep(tensors: Iterable[Tensor]) -> dict[Tensor, int]:
    """What the layers of a network compute, `X W` or `X W + b` for weights W, each with its number from the input side;
    none where the network is shallow.

    Args:
        tensors: all tensors, each after its inputs.
    """
    depth: dict[Tensor, int] = {}
    found: dict[Tensor, int] = {}
    for t in tensors:
        before = max((depth.get(x, 0) for x in t.inputs if isinstance(x, Tensor)), default=0)
        weighs = _ufunc(t) is np.matmul and any(isinstance(x, Tensor) and x.operation is None for x in t.inputs[1:])
        depth[t] = before + weighs
        if weighs:
            found[t] = depth[t]
        elif is_affine(t):
            product = next((x for x in t.inputs if isinstance(x, Tensor) and x in found), None)
            if product is not None:  # the bias belongs to the layer
                found[t] = found.pop(product)
    return found if max(found.values(), default=0) > _DEEP else {}


def _ufunc(t: Tensor) -> object:
    return t.operation.ufunc if t.operation is not None else None
