"""A program that is ready to run: bound to the arrays of parameters and state, with its guards."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tensor import Array, Tensor, constant
from .emit import bound
from .guards import Environment
from .translate import Translation

MISS: Any = object()
"""What `attempt` and `run` give when the program does not hold for this call."""

_REFERENCES: Callable[[Any], int] = getattr(sys, "getrefcount", lambda x: -1)


class Ready:
    """A program, its arrays, and what must still hold when it runs.

    Parameters are written in place, so their arrays must be the program's alone. Whoever holds one (a snapshot, a view)
    shows in its count of references; then the program leaves it to them and goes on with a copy.
    """

    def __init__(self, translation: Translation, environment: Environment, shape: Any, call: Any) -> None:
        self.translation, self.environment, self.shape = translation, environment, shape
        self.program = translation.program
        self._signature = [(x.shape, x.dtype) for x in call.arrays]
        self._plain = call.plain and len(call.args) == len(call.arrays)
        self._held: list[Array] = []
        self._counts: list[int] = []

    def attempt(self, args: tuple[Any, ...]) -> Any:
        """Run on the arguments, when they are all arrays or Tensors and nothing has changed; else `MISS`."""
        if not self._plain or len(args) != len(self._signature):
            return MISS
        arrays = []
        for x, (shape, dtype) in zip(args, self._signature, strict=True):
            if type(x) is Tensor:
                x = x._array
            if type(x) is not np.ndarray or x.shape != shape or x.dtype != dtype:
                return MISS
            arrays.append(x)
        if not self.environment.same():
            return MISS
        return self.run(arrays)

    def run(self, arrays: Sequence[Array]) -> Any:
        """Run on arrays of the right shapes; `MISS` when a parameter or its state has become another."""
        translation = self.translation
        for t in translation.empty:
            if t._grad is not None:
                return MISS
        if not self._is_bound() and not self._bind():
            return MISS
        results = self._step(*arrays, *self._numbers())
        for t in translation.cleared:
            t._grad = None
        first = len(results) - len(translation.gradients)
        for t, g in zip(translation.gradients, results[first:], strict=True):
            t._grad = constant(g)
        tensors = [x if type(x) is Tensor else constant(results[x]) for x in translation.returned]  # type: ignore[index]
        return filled(self.shape, tensors)

    def _numbers(self) -> list[float]:
        found: dict[tuple[int, int], tuple[float, ...]] = {}
        numbers = []
        for n in self.translation.numbers:
            key = (id(n.group), id(n.parameter))
            if key not in found:
                found[key] = n.optimiser.numbers(n.optimiser._state.setdefault(n.parameter, {}), n.group)
            numbers.append(found[key][n.index])
        return numbers

    def _is_bound(self) -> bool:
        if not self._held:
            return not self.translation.held and hasattr(self, "_step")
        for i, source in enumerate(self.translation.held):
            if _array(source) is not self._held[i] or _REFERENCES(self._held[i]) != self._counts[i]:
                return False
        return True

    def _bind(self) -> bool:
        held = []
        self._held, self._counts, self._step = [], [], None  # type: ignore[assignment]
        for source, written, like in zip(
            self.translation.held, self.translation.written, self.translation.shapes, strict=True
        ):
            array = _array(source)
            if array is None or (array.shape, array.dtype) != like:
                return False
            if written:
                array = np.array(array, order="C")
                _set(source, array)
            held.append(array)
        self._step = bound(self.program, held)
        self._held = held
        del array, held
        self._counts = [_REFERENCES(self._held[i]) for i in range(len(self._held))]
        return True


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
