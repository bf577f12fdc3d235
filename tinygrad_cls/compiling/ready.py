"""A program that is ready to run: bound to the arrays of parameters and state, with its guards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.tensor import Array, Tensor, constant
from .call import Call
from .emit import bound
from .environment import Environment
from .quick import MISS, Like, never, quick
from .translate import Translation


class Ready:
    """A program, its arrays, and what must still hold when it runs.

    Parameters are written in place, so their arrays must be the program's alone. Whoever holds one (a snapshot, a view)
    shows in its count of references; then the program leaves it to them and goes on with a copy.

    Attributes:
        key: the arguments that it is for: shapes and dtypes of arrays, and the other values.
        plain: whether `attempt` takes the arguments as they are; otherwise all arrays within them, in order.
        attempt: runs the program, or gives `MISS`.
    """

    def __init__(
        self,
        translation: Translation,
        environment: Environment,
        shape: Any,
        call: Call,
    ) -> None:
        self.translation, self.environment, self.shape = translation, environment, shape
        self.program = translation.program
        self.key, self.plain = call.key, call.plain
        arrays = iter(call.arrays)
        if self.plain:
            self._signature = [Like(next(arrays)) if is_array else x for is_array, x in call.flat]
        else:
            self._signature = [Like(x) for x in arrays]
        self._kept = call.objects  # whose ids are in the key
        self.attempt: Any = never

    def run(self, arrays: Sequence[Array]) -> Any:
        """Run on arrays of the right shapes; `MISS` when the function, a parameter or its state has become another."""
        given = iter(arrays)
        args = [next(given) if isinstance(x, Like) else x for x in self._signature]
        result = self.attempt(*args)
        if result is not MISS:
            return result
        if not self.environment.same() or any(t._grad is not None for t in self.translation.empty):
            return MISS
        # Arrays that somebody else holds, or that were replaced: the program is bound to new ones.
        return self.attempt(*args) if self._bind() else MISS

    def _bind(self) -> bool:
        held, array, step = [], None, None
        self.attempt = never  # lets go of the arrays it was bound to
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
        single = self.shape == ("tensor", 0) and type(translation.returned[0]) is int
        finish = None if single else self._finish
        attempt, count = quick(translation, self.environment, self._signature, held, step, finish)
        del held[:], array, step
        count()
        self.attempt = attempt
        return True

    def _finish(self, results: Any) -> Any:
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
