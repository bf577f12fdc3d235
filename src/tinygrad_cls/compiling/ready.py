"""A program that is ready to run: bound to the arrays of parameters and state, with its guards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..tensor import Array, Tensor, constant
from .emit import bound
from .guards import Environment
from .quick import MISS, quick
from .translate import Translation


class Ready:
    """A program, its arrays, and what must still hold when it runs.

    Parameters are written in place, so their arrays must be the program's alone. Whoever holds one (a snapshot, a view)
    shows in its count of references; then the program leaves it to them and goes on with a copy.

    Attributes:
        attempt: a call with arrays or Tensors by position: runs the program, or gives `MISS`.
    """

    def __init__(self, translation: Translation, environment: Environment, shape: Any, call: Any) -> None:
        self.translation, self.environment, self.shape = translation, environment, shape
        self.program = translation.program
        self.plain = call.plain and len(call.args) == len(call.arrays)
        self.arity = len(call.args)
        self._signature = [(x.shape, x.dtype) for x in call.arrays]
        self.attempt: Any = lambda *args: MISS

    def run(self, arrays: Sequence[Array]) -> Any:
        """Run on arrays of the right shapes; `MISS` when the function, a parameter or its state has become another."""
        if not self.environment.same() or any(t._grad is not None for t in self.translation.empty):
            return MISS
        # Arrays that somebody else holds, or that were replaced: the program is bound to new ones.
        return self.attempt(*arrays) if self._bind() else MISS

    def _bind(self) -> bool:
        held, array, step = [], None, None
        self.attempt = lambda *args: MISS  # lets go of the arrays it was bound to
        translation = self.translation
        for source, written, like in zip(translation.held, translation.written, translation.shapes, strict=True):
            array = _array(source)
            if array is None or (array.shape, array.dtype) != like:
                return False
            if written:
                array = np.array(array, order="C")
                _set(source, array)
            held.append(array)
        step = bound(self.program, held)
        attempt, count = quick(translation, self.environment, self._signature, held, step, self._finish)
        del held[:], array, step
        count()
        self.attempt = attempt
        return True

    def _finish(self, results: Any) -> Any:
        if self.shape == ("tensor", 0) and type(self.translation.returned[0]) is int:
            return constant(results[0])
        returned = self.translation.returned
        return filled(self.shape, [x if isinstance(x, Tensor) else constant(results[x]) for x in returned])


def _array(source: tuple[Any, ...]) -> Array | None:
    kind, owner = source[0], source[1]
    if kind == "tensor":
        return owner._array  # type: ignore[no-any-return]
    if kind == "grad":
        return None if owner._grad is None else owner._grad._array
    return owner._state.get(source[2], {}).get(source[3])  # type: ignore[no-any-return]


def _set(source: tuple[Any, ...], array: Array) -> None:
    kind, owner = source[0], source[1]
    if kind == "tensor":
        owner._array = array
    elif kind == "state":
        owner._state[source[2]][source[3]] = array


def filled(shape: Any, tensors: Sequence[Any]) -> Any:
    """A result: its shape with tensors in their places."""
    kind, inside = shape
    if kind == "tensor":
        return tensors[inside]
    if kind == "plain":
        return inside
    if kind is dict:
        return {key: filled(x, tensors) for key, x in inside}
    items = [filled(x, tensors) for x in inside]
    return kind(*items) if hasattr(kind, "_fields") else kind(items)
