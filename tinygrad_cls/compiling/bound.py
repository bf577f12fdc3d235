"""A program bound to the arrays of parameters and state, with what must still hold when it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine.tensor import Array, Tensor
from .call import Call
from .enter import MISS, ArrayType, Entry, entry, no_entry
from .guards import Guards
from .recording import CompileError, Recording, StaleError
from .structure import mapped
from .translate import Translation
from .watch import Returned, Watch
from .work import Engine, Program

_DOUBLING = 32  # up to this call audits come at powers of 2, then by the time they take


class Bound:
    """A program, its arrays, and what must still hold when it runs.

    Parameters are written in place, so the function's programs alone may hold their arrays. Whoever else holds one (a
    snapshot, a view) shows in its count of references; then the program leaves it to them and goes on with a copy.

    Args:
        translation: the program.
        guards: what the function reads.
        recording: what it did when it was watched.
        call: a call that the program is for.
        level: what was recorded then: whether the call is inside of `no_grad`.
        audit: the share of time that audits may take.
        engine: what wrote the program, and runs it.
        programs: those of the same function that are kept.

    Attributes:
        key: the arguments that it is for: shapes and dtypes of arrays, and the other values; and the level.
        plain: whether `enter` takes the arguments as they are; otherwise all arrays within them, in order.
    """

    def __init__(
        self,
        translation: Translation,
        guards: Guards,
        recording: Recording,
        call: Call,
        level: int,
        audit: float,
        engine: Engine,
        programs: Sequence[Bound],
    ) -> None:
        self.program: Program = translation.program
        self.guards: Guards = guards
        self.key: tuple[int, Any] = (level, call.key)
        self.plain: bool = call.plain
        self._translation, self._recording, self._audit = translation, recording, audit
        self._engine, self._programs = engine, programs
        arrays = iter(call.arrays)
        if self.plain:
            self._signature = [ArrayType(next(arrays)) if is_array else x for is_array, x in call.flat]
        else:
            self._signature = [ArrayType(x) for x in arrays]
        self._kept = call.objects  # whose ids are in the key
        self._last_audit = 2  # the calls so far: two were watched
        self._since, self._gap = 0.0, 1  # when the last audit ended, and how many calls it left
        self._calls = 1 if audit else -1  # how many to answer before an audit; below 0: without end
        self._entry = Entry()

    @property
    def enter(self) -> Callable[..., Any]:
        """Runs the program, or gives `MISS`."""
        return self._entry.enter

    def holds(self) -> bool:
        """Whether the program still stands for the function, by the thorough comparison."""
        return self.guards.same()

    def run(self, arrays: Sequence[Array]) -> Any:
        """Run on arrays of the right shapes; `MISS` when a parameter or its state has become another."""
        given = iter(arrays)
        args = [next(given) if isinstance(x, ArrayType) else x for x in self._signature]
        result = self.enter(*args)
        # Arrays that somebody else holds, or that were replaced: the program is bound to new ones.
        return self.enter(*args) if result is MISS and self._bind() else result

    # --- audits ---------------------------------------------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        """Whether it is time for an audit."""
        return self._left() == 0

    def audit(self, function: Callable[..., Any], call: Call) -> Any:
        """Watch the function once more, and compare; then give what the program gives.

        Raises:
            StaleError: when the function does something else now. What it did in this call is undone.
        """
        start = time.perf_counter()
        watch = Watch()
        try:
            watch.run(function, call)
            difference = self._recording.parted(watch.recording)
        except CompileError as error:
            difference = str(error)
        finally:
            watch.undo()
        if difference is not None:
            raise StaleError(
                "the function does something else now than when it was compiled, so earlier calls may have been wrong: "
                f"{difference}\nIt reads something that is not compared before a call, such as a file, a clock, random "
                "numbers, or an attribute of an object: give that as an argument, or compile the function anew when it "
                "changes"
            )
        if not self.guards.same():  # what the function itself changes when it is watched
            self.let_go()
            self._calls, self.guards = 1, Guards(function, watch, call.objects)
        del watch
        watched = time.perf_counter() - start
        result = self.run(call.arrays) if self._restarted(1) else MISS
        now = time.perf_counter()
        took = min(now - start - watched, (start - self._since) / self._gap)  # the first is slow, in cold caches
        made = self._last_audit * 2
        if made < _DOUBLING:
            self._last_audit, self._gap = made, made - 1
        else:
            self._gap = max(_DOUBLING - 1, math.ceil(watched / (self._audit * took)))
        self._since = now
        self._restarted(self._gap)
        return result

    def _left(self) -> int:
        scope: dict[str, Any] = self.enter.__globals__
        return int(scope["calls"]) if self.enter is not no_entry else self._calls

    def _restarted(self, calls: int) -> bool:
        """Answer so many calls before the next audit."""
        self._calls = calls
        if self.enter is not no_entry:
            self.enter.__globals__["calls"] = calls
        return True

    # --- binding --------------------------------------------------------------------------------------------------

    def _bind(self) -> bool:
        self._calls = self._left()
        if self._calls == 0:
            return False
        ours = self.let_go()
        held, array, step = [], None, None
        translation = self._translation
        for source, written, like in zip(translation.held, translation.written, translation.shapes, strict=True):
            array = _array(source)
            if array is None or (array.shape, array.dtype) != like:
                return False
            if written and id(array) not in ours:
                array = np.array(array, order="C")
                _set(source, array)
                ours.add(id(array))
            held.append(array)
        step = self._engine.bound(self.program, held)
        away = self._engine.away(step, translation.held) if hasattr(self._engine, "away") else None
        single = isinstance(translation.shape, Returned) and type(translation.returned[0]) is int
        finish = None if single else self._finish
        self._entry = entry(translation, self.guards, self._signature, held, step, finish, self._calls, away)
        del held[:], array, step, away
        self._recount(ours)
        return True

    def let_go(self) -> set[int]:
        """Let go of the arrays; gives the ids of those that the function's programs alone hold."""
        ours: set[int] = set().union(*(bound._entry.alone() for bound in (self, *self._programs)))
        self._entry.close()
        self._entry = Entry()
        self._recount(ours)
        return ours

    def _recount(self, ours: set[int]) -> None:
        for bound in {self, *self._programs}:
            bound._entry.recount(ours)

    def _finish(self, results: Any) -> Any:
        returned = self._translation.returned
        made = self.enter.__globals__["constant"]  # what makes a Tensor of a result
        tensors = [x if isinstance(x, Tensor) else made(results[x]) for x in returned]
        return mapped(self._translation.shape, lambda x: tensors[x.place] if isinstance(x, Returned) else x)


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
