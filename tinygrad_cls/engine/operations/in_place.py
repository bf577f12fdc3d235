"""What `w -= …` does: under `no_grad` it gives a leaf new values; of anything else it makes a new tensor.

A leaf is in this what `Tensor(…)` made, and a gradient. What is computed under `no_grad` has no history, and is none
all the same: a function shall do the same whether gradients are recorded or not.

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
        if STATE.get()[0] != NOTHING or not _is_kept(self):
            if self.operation is None and self._requires_grad:
                raise _refused(self, f"{self.name or 'w'} {sign}= …", f"{self.name or 'w'} {sign} …")
            return apply(OPERATIONS[name], (self, other))
        result = apply(OPERATIONS[name], (self, other))
        if not self._requires_grad and (result.shape, result.dtype) != (self.shape, self.dtype):
            return result  # nothing that is trained: as where gradients are recorded, a new tensor
        _give(self, result)
        return self

    change.__name__ = change.__qualname__ = f"Tensor.{sign}="
    return change


def _zero(self: Tensor) -> Tensor:
    """Zeros in the place of the values of a leaf, such as `p.grad`; a parameter's under `no_grad` alone."""
    if self.operation is None and self._requires_grad and STATE.get()[0] != NOTHING:
        raise _refused(self, f"{self.name or 'w'}.zero_()", "tg.zeros(…)")
    _give(self, constant(np.zeros_like(self._array)))
    self._mark = None  # of a gradient: nothing is left over
    return self


def _is_kept(t: Tensor) -> bool:
    """Whether a tensor was made by `Tensor(…)`, or is a gradient; what is computed is not, under `no_grad` neither."""
    return hasattr(t, "_mark") and (t.operation is None or _is_watched_gradient(t))


def _is_watched_gradient(t: Tensor) -> bool:
    """While somebody watches the run, a gradient is recorded like any result."""
    return watcher() is not None and t.operation is not None and t.operation.holds_constant and hasattr(t, "_mark")


def _give(t: Tensor, values: Tensor) -> None:
    """New values for a leaf, or for a gradient while somebody watches."""
    by = watcher()
    if by is not None and _is_watched_gradient(t):
        array = values._array.astype(t.dtype, casting="same_kind").reshape(t.shape)
        by.assigned(t, values, array)
        t._array = array
    else:
        t.assign(values)


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
    ("__ifloordiv__", "floor_divide", "//"),
    ("__imod__", "remainder", "%"),
    ("__ipow__", "power", "**"),
    ("__imatmul__", "matmul", "@"),
):
    setattr(Tensor, _method, _in_place(_operation, _sign))
Tensor.zero_ = _zero  # type: ignore[assignment]
