"""`compile`: a function recorded once and run as a straight-line program from then on."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from ..recording import TRACE
from ..tensor import Array, Tensor, constant, describe
from .guards import Environment
from .quick import MISS
from .ready import Ready
from .trace import CompileError, Trace
from .translate import Run, translated

_CACHE = 8  # programs that one compiled function keeps


def compile(function: Callable[..., Any], *, cache_size: int = _CACHE) -> Compiled:
    """Turn a function of Tensors, such as a training step, into a straight-line NumPy program.

    The function is run to be recorded: forward, backward, optimiser steps, whatever it does with Tensors. The graph of
    it all is simplified by the rules that `explain` shows, buffers are planned, and a plain Python function of NumPy
    calls is generated, which every call runs. Other shapes, dtypes or plain arguments, and other modules or options
    that the function reads, are compiled anew.

    Args:
        function: takes arrays and Tensors (their values; also in tuples, lists and dicts) and plain values; returns
            Tensors, plain values, or tuples, lists and dicts of them.
        cache_size: how many programs to keep; the one that was not used for longest goes first.

    Returns:
        A `Compiled`: called like the function, with the same results.

    Raises:
        CompileError: at the first call, when the function does what a recording cannot hold: reads a value, or
            depends on Python state that changes. Nothing has been changed then.

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

    function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any], cache_size: int = _CACHE) -> None:
        if isinstance(function, Compiled):
            function = function.function
        if not callable(function):
            raise TypeError(f"compile needs a function, not {type(function).__name__}")
        if cache_size < 1:
            raise ValueError(f"cache_size must be 1 or more, not {cache_size}")
        self.function, self.cache_size, self.compilations = function, cache_size, 0
        functools.update_wrapper(self, function, updated=())
        self._fresh()

    def _fresh(self) -> None:
        self._lock = threading.RLock()
        self._cache: OrderedDict[Any, Ready] = OrderedDict()
        self._last: Ready | None = None
        self._running = False

    @property
    def programs(self) -> int:
        """How many programs are kept."""
        return len(self._cache)

    @property
    def source(self) -> str:
        """The program that ran last.

        Raises:
            RuntimeError: when nothing has been compiled yet.
        """
        if self._last is None:
            raise RuntimeError("there is no program yet: it is made for the arguments of the first call")
        return self._last.program.source

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function's program, compiled first where there is none for these arguments."""
        if TRACE.get() is not None:  # inside another function that is being compiled: a part of it
            return self.function(*args, **kwargs)
        with self._lock:
            if self._running:
                raise RuntimeError("a compiled function cannot call itself")
            last = self._last
            if last is not None and not kwargs and last.plain and len(args) == last.arity:
                result = last.attempt(*args)
                if result is not MISS:
                    return result
            self._running = True
            try:
                return self._slow(args, kwargs)
            finally:
                self._running = False

    def _slow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = _Call(self.function, args, kwargs)
        ready = self._cache.get(call.key)
        if ready is not None:
            result = ready.attempt(*call.arrays)
            if result is MISS:
                result = ready.run(call.arrays)
            if result is not MISS:
                self._cache.move_to_end(call.key)
                self._last = ready
                return result
        ready = _compiled(self.function, call)
        self._cache.pop(call.key, None)
        self._cache[call.key] = self._last = ready
        self.compilations += 1
        while len(self._cache) > self.cache_size:
            self._cache.popitem(last=False)
        result = ready.run(call.arrays)
        if result is MISS:
            raise CompileError("what the function reads changes while it is being compiled")
        return result

    def __reduce__(self) -> str | tuple[Any, ...]:
        name = getattr(self.function, "__qualname__", "")
        if getattr(sys.modules.get(getattr(self.function, "__module__", "")), name, None) is self:
            return name  # a decorated function: found by its name
        return Compiled, (self.function, self.cache_size)  # programs are made anew on demand

    def __copy__(self) -> Compiled:
        return Compiled(self.function, self.cache_size)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        import copy

        return Compiled(copy.deepcopy(self.function, memo), self.cache_size)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"<compiled {name}: {self.compilations} compiled, {self.programs} kept>"


# --- a call ---------------------------------------------------------------------------------------------------------


class _Call:
    """The arguments of one call: arrays in a row, and the rest as part of the key."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.arrays: list[Array] = []
        self.names: list[str] = []
        self.objects: list[Any] = []
        self.args, self.kwargs = args, kwargs
        try:
            names = list(inspect.signature(function).bind(*args).arguments) if not kwargs else []
        except (TypeError, ValueError):
            names = []
        names += [f"argument{i}" for i in range(len(names), len(args))]
        self.plain = not kwargs
        parts = [self._read(x, name) for x, name in zip(args, names, strict=False)]
        self.key: Any = (tuple(parts), tuple((name, self._read(x, name)) for name, x in sorted(kwargs.items())))

    def _read(self, x: Any, name: str) -> Any:
        if isinstance(x, Tensor):
            if x.operation is not None and x.requires_grad:
                raise CompileError(
                    f"the argument {name}, {describe(x)}, was computed and requires a gradient, which would be lost: "
                    "give its values with detach(), or compute it inside of the compiled function"
                )
            x = x._array
        if isinstance(x, np.ndarray | np.generic):
            array = x if type(x) is np.ndarray else np.asarray(x)
            if array.dtype.kind not in "fiub" or not array.dtype.isnative:
                array = Tensor(array)._array
            self.arrays.append(array)
            self.names.append(name)
            return ("array", array.shape, array.dtype.str)
        if isinstance(x, tuple | list):
            self.plain = False
            return (type(x).__name__, *(self._read(y, f"{name}_{i}") for i, y in enumerate(x)))
        if isinstance(x, dict):
            self.plain = False
            return ("dict", *((key, self._read(y, f"{name}_{key}")) for key, y in x.items()))
        self.objects.append(x)
        if isinstance(x, bool | int | float | str | type(None)):
            return (type(x).__name__, repr(x))
        return ("object", id(x))

    def given(self, make: Callable[[int], Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments with a tensor in the place of each array."""
        counter = iter(range(len(self.arrays)))

        def replaced(x: Any) -> Any:
            if isinstance(x, Tensor | np.ndarray | np.generic):
                return make(next(counter))
            if isinstance(x, tuple | list):
                items = [replaced(y) for y in x]
                return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
            return {key: replaced(y) for key, y in x.items()} if isinstance(x, dict) else x

        args = [replaced(x) for x in self.args]
        kwargs = dict(zip(sorted(self.kwargs), [replaced(self.kwargs[n]) for n in sorted(self.kwargs)], strict=True))
        return args, {name: kwargs[name] for name in self.kwargs}


# --- recording ------------------------------------------------------------------------------------------------------


def _recorded(function: Callable[..., Any], call: _Call) -> Run:
    """One run of the function, of which nothing is left but the recording."""
    trace = Trace()
    try:
        with trace:

            def make(i: int) -> Tensor:
                t = constant(call.arrays[i])
                t.name = call.names[i]
                trace.sources[t] = ("argument", i)
                return t

            args, kwargs = call.given(make)
            result = function(*args, **kwargs)
            returned: list[Tensor] = []
            shape = _shape_of(result, returned, trace)
        for number in trace.numbers:
            if number.group["lr"] != number.learning_rate:
                number.group["lr"] = number.learning_rate  # type: ignore[index]
                raise CompileError("the function changes a learning rate: do that, or step the schedule, outside of it")
        return Run(trace, returned, shape, _writes(trace))
    finally:
        trace.undo()


def _shape_of(result: Any, returned: list[Tensor], trace: Trace) -> Any:
    if isinstance(result, Tensor):
        returned.append(result)
        return ("tensor", len(returned) - 1)
    if isinstance(result, tuple | list):
        return (type(result), [_shape_of(x, returned, trace) for x in result])
    if isinstance(result, dict):
        return (dict, [(key, _shape_of(x, returned, trace)) for key, x in result.items()])
    if isinstance(result, bool | int | float | str | type(None)):
        return ("plain", result)
    return trace.refuse(f"a compiled function cannot return {type(result).__name__}: return Tensors or plain values")


def _writes(trace: Trace) -> list[tuple[tuple[Any, ...], Tensor | None]]:
    writes: list[tuple[tuple[Any, ...], Tensor | None]] = []
    writes += [(("tensor", t), value) for t, value in trace.values.items()]
    writes += [(("state", *owner), value) for owner, value in trace.slots.values()]
    for t, before in trace.gradients.items():
        if t in trace.copies or t in trace.sources:
            continue
        if t._grad is before:
            continue
        used_up = t in trace.zeroed and t in trace.consumed
        writes.append((("grad", t), None if used_up else t._grad))
    return writes


def _compiled(function: Callable[..., Any], call: _Call) -> Ready:
    """Record the function twice, to see that it does the same each time, and make a program of it."""
    environment = Environment(function, tuple(call.objects))
    first = _recorded(function, call)
    changed = environment.changed()
    if changed is not None:
        raise CompileError(f"the function itself changes what it reads: {changed}")
    try:
        if first.trace.begun:  # the program holds for a state that is there
            for optimiser, parameter, group in first.trace.begun:
                optimiser.begun(parameter, group)
            first, before = _recorded(function, call), first
        return Ready(translated(first, _recorded(function, call), call.names), environment, first.shape, call)
    except BaseException:
        first.trace.undo() if not first.trace.begun else before.trace.undo()
        raise
