"""What `w -= …` does: under `no_grad` it gives a leaf new values; what was computed it leaves, and makes a new tensor.

`Tensor` gets these methods at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..operation import OPERATIONS
from ..recording import NOTHING, STATE, watcher
from ..tensor import Tensor, TensorLike, apply, constant, describe


def _in_place(name: str, sign: str) -> Callable[[Tensor, TensorLike], Tensor]:
    def change(self: Tensor, other: TensorLike) -> Tensor:
        silent = STATE.get()[0] == NOTHING
        if self.operation is None and self._requires_grad and not silent:
            raise _refused(self, f"{self.name or 'w'} {sign}= …", f"{self.name or 'w'} {sign} …")
        result = apply(OPERATIONS[name], (self, other))
        if self.operation is not None or not silent:
            return result
        if not self._requires_grad and (result.shape, result.dtype) != (self.shape, self.dtype):
            return result  # nothing that is trained: as with gradients, a new tensor
        self.assign(result)
        return self

    change.__name__ = change.__qualname__ = f"Tensor.{sign}="
    return change


def _zero(self: Tensor) -> Tensor:
    """Zeros in the place of the values of a leaf, such as `p.grad`; a parameter's under `no_grad` alone."""
    if self.operation is None and self._requires_grad and STATE.get()[0] != NOTHING:
        raise _refused(self, f"{self.name or 'w'}.zero_()", "tg.zeros(…)")
    self._mark = None  # of a gradient: nothing is left over
    zeros = constant(np.zeros_like(self._array))
    by = watcher()
    if by is not None and self.operation is not None and self.operation.holds_constant:  # a gradient, as it is recorded
        by.assigned(self, zeros, zeros._array)
        self._array = zeros._array
    else:
        self.assign(zeros)
    return self


def _refused(leaf: Tensor, change: str, new: str) -> RuntimeError:
    return RuntimeError(
        f"{describe(leaf)} requires a gradient, and what is recorded does not change in place: to give it new values, "
        f"as an optimiser does, write `with tg.no_grad(): {change}`; for a new tensor, `{new}`"
    )


for _method, _operation, _sign in (
    ("__iadd__", "add", "+"),
    ("__isub__", "subtract", "-"),
    ("__imul__", "multiply", "*"),
    ("__itruediv__", "divide", "/"),
    ("__ipow__", "power", "**"),
    ("__imatmul__", "matmul", "@"),
):
    setattr(Tensor, _method, _in_place(_operation, _sign))
Tensor.zero_ = _zero  # type: ignore[assignment]
