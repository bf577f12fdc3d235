"""`compile`: a function recorded once and run as a straight-line program from then on."""

from __future__ import annotations

import copy
import functools
import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any

from ..engine.recording import TRACE
from .call import Call
from .quick import MISS, never
from .ready import Ready
from .record import program_of
from .trace import CompileError

_CACHE = 8  # programs that one compiled function keeps
_LOCK = threading.RLock()  # one for all: two programs may write to the same parameters
_acquire, _release = _LOCK.acquire, _LOCK.release  # in half the time of `with`


def compile(function: Callable[..., Any], *, cache_size: int = _CACHE) -> Compiled:
    """Turn a function of Tensors, such as a training step, into a straight-line NumPy program.

    The function is run to be recorded: forward, backward, optimiser steps, whatever it does with Tensors. The graph of
    it all is simplified by the rules that `explain` shows, buffers are planned, and a plain Python function of NumPy
    calls is generated, which every call runs. For other shapes, dtypes or plain arguments, and when anything else that
    the function reads has become another, it is compiled anew.

    Compiled functions run one at a time, whatever the number of threads. Parameters are written in place: another
    thread that reads them meanwhile may see a step half done.

    Args:
        function: takes arrays and Tensors (their values; also in tuples, lists and dicts) and plain values; returns
            Tensors, plain values, or tuples, lists and dicts of them.
        cache_size: how many programs to keep; the one that was not used for longest goes first.

    Returns:
        A `Compiled`: called like the function, with the same results.

    Raises:
        CompileError: at the first call, when the function does what a recording cannot hold: reads a value, or
            depends on Python state that changes. No Tensor and no optimiser has been changed then.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> model = tg.nn.Linear(4, 3, generator=np.random.default_rng(0))
        >>> optimiser = tg.optim.SGD(model.parameters(), lr=0.5)
        >>> def train_step(x, labels):
        ...     optimiser.zero_grad()
        ...     loss = tg.cross_entropy(model(x), labels)
        ...     loss.backward()
        ...     optimiser.step()
        ...     return loss
        >>> step = tg.compile(train_step)
        >>> x, labels = np.eye(4, dtype=np.float32), np.array([0, 1, 2, 0])
        >>> first = step(x, labels).item()
        >>> step(x, labels).item() < first
        True
        >>> "y′ − y" in step.source
        True
    """
    return Compiled(function, cache_size)


class Compiled:
    """A compiled function.

    Attributes:
        source: the program that ran last, as text.
        compilations: how often something was compiled.
        programs: how many programs are kept.
    """

    def __init__(self, function: Callable[..., Any], cache_size: int = _CACHE) -> None:
        if isinstance(function, Compiled):
            function = function.function
        if not callable(function):
            raise TypeError(f"compile needs a function, not {type(function).__name__}")
        if cache_size < 1:
            raise ValueError(f"cache_size must be 1 or more, not {cache_size}")
        self._function, self.cache_size, self.compilations = function, cache_size, 0
        functools.update_wrapper(self, function, updated=())
        self._programs: list[Ready] = []  # the one that ran last is the last
        self._quick: Callable[..., Any] = never
        self._running = False

    @property
    def function(self) -> Callable[..., Any]:
        """The function as it was given."""
        return self._function

    @property
    def programs(self) -> int:
        """How many programs are kept."""
        return len(self._programs)

    @property
    def source(self) -> str:
        """The program that ran last.

        Raises:
            RuntimeError: when nothing has been compiled yet.
        """
        if not self._programs:
            raise RuntimeError("there is no program yet: it is made for the arguments of the first call")
        return self._programs[-1].program.source

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function's program, compiled first where there is none for these arguments."""
        if TRACE.get() is not None:  # inside another function that is being compiled: a part of it
            return self._function(*args, **kwargs)
        _acquire()
        try:
            if self._running:
                raise RuntimeError("a compiled function was called while it ran, such as by a signal handler")
            self._running = True
            try:
                if not kwargs:
                    result = self._quick(*args)
                    if result is not MISS:
                        return result
                return self._slow(args, kwargs)
            finally:
                self._running = False
        finally:
            _release()

    def _slow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._quick = never
        call = Call(self._function, args, kwargs)
        for ready in reversed(self._programs):
            if ready.key == call.key:
                result = ready.run(call.arrays)
                if result is not MISS:
                    self._programs.remove(ready)
                    self._use(ready)
                    return result
        ready = program_of(self._function, call)
        self.compilations += 1
        result = ready.run(call.arrays)
        if result is MISS:
            raise CompileError("what the function reads changes while it is being compiled")
        self._use(ready)
        return result

    def _use(self, ready: Ready) -> None:
        self._programs.append(ready)
        del self._programs[: -self.cache_size]
        self._quick = ready.attempt if ready.plain else never

    def __reduce__(self) -> str | tuple[Any, ...]:
        name = getattr(self._function, "__qualname__", "")
        found: Any = sys.modules.get(getattr(self._function, "__module__", ""))
        for part in name.split("."):
            found = inspect.getattr_static(found, part, None)
        if found is self:
            return name  # a decorated function: found by its name
        return Compiled, (self._function, self.cache_size)  # programs are made anew on demand

    def __copy__(self) -> Compiled:
        return Compiled(self._function, self.cache_size)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        return Compiled(copy.deepcopy(self._function, memo), self.cache_size)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", type(self._function).__name__)
        return f"<compiled {name}: {self.compilations} compiled, {self.programs} kept>"
