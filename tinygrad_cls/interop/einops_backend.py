"""Einops on Tensors: `einops.rearrange`, `reduce`, `repeat`, `einsum`, `pack`, where einops is installed.

Einops looks for a backend of the framework that a tensor belongs to among the subclasses of its `AbstractBackend`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.operations import broadcast_to, concat, einsum, expand_dims, permute_dims, reshape, stack
from ..engine.tensor import Tensor

try:
    from einops._backends import AbstractBackend
except ImportError:  # it is not installed
    pass
else:

    class Backend(AbstractBackend):
        """What einops calls, in the words of ours."""

        framework_name: str = __name__.split(".")[0]

        def is_appropriate_type(self, tensor: Any) -> bool:
            """Whether this is one of ours."""
            return isinstance(tensor, Tensor)

        def from_numpy(self, x: Any) -> Tensor:
            """An array as a Tensor."""
            return Tensor(x)

        def to_numpy(self, x: Tensor) -> Any:
            """The values of a Tensor."""
            return x.numpy()

        def arange(self, start: int, stop: int) -> Tensor:
            """Whole numbers."""
            return Tensor(np.arange(start, stop))

        def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
            """The same elements in another shape."""
            return reshape(x, tuple(shape))

        def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
            """The axes in another order."""
            return permute_dims(x, tuple(axes))

        def reduce(self, x: Tensor, operation: str, axes: Sequence[int]) -> Any:
            """Some axes folded, by an operation of NumPy's of this name."""
            return getattr(np, operation)(x, axis=tuple(axes))

        def stack_on_zeroth_dimension(self, tensors: Sequence[Tensor]) -> Tensor:
            """Tensors joined along a new first axis."""
            return stack(tensors)

        def add_axis(self, x: Tensor, new_position: int) -> Tensor:
            """A new axis of length 1."""
            return expand_dims(x, new_position)

        def add_axes(self, x: Tensor, n_axes: int, pos2len: dict[int, int]) -> Tensor:
            """New axes, along which the elements are repeated."""
            for position in sorted(pos2len):
                x = expand_dims(x, position)
            return broadcast_to(x, [pos2len.get(i, n) for i, n in enumerate(x.shape)])

        def tile(self, x: Tensor, repeats: Sequence[int]) -> Any:
            """Repeated along each axis."""
            return np.tile(x, tuple(repeats))

        def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
            """Tensors joined along an axis that they have."""
            return concat(tensors, axis=axis)

        def is_float_type(self, x: Tensor) -> bool:
            """Whether means make sense."""
            return x.dtype.kind == "f"

        def einsum(self, pattern: str, *x: Tensor) -> Tensor:
            """Einstein's summation."""
            return einsum(pattern, *x)

        def shape(self, x: Tensor) -> tuple[int, ...]:
            """The length of each axis."""
            return x.shape
