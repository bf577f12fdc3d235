"""`compile`: a function recorded once and run as a straight-line program from then on."""

from __future__ import annotations

import copy
import functools
import inspect
import operator
import random
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tensor
from ..backward import inputs_first
from ..recording import TRACE
from ..tensor import Array, Tensor, constant, describe
from .environment import Environment
from .quick import MISS, never
from .ran import Ran
from .ready import Ready, filled
from .trace import CompileError, Trace
from .translate import Run, Translation, translated

_CACHE = 8  # programs that one compiled function keeps
_LOCK = threading.RLock()  # one for all: two programs may write to the same parameters
_acquire, _release = _LOCK.acquire, _LOCK.release  # in half the time of `with`


def compile(function: Callable[..., Any], *, cache_size: int = _CACHE) -> Compiled:
    """Turn a function of Tensors, such as a training step, into a straight-line NumPy program.

    The function is run to be recorded: forward, backward, optimiser steps, whatever it does with Tensors. The graph of
    it all is simplified by the rules that `explain` shows, buffers are planned, and a plain Python function of NumPy
    calls is generated. Later calls run that. For other shapes, dtypes or plain arguments, and when anything else that
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
        call = _Call(self._function, args, kwargs)
        for ready in reversed(self._programs):
            if ready.key == call.key:
                result = ready.run(call.arrays)
                if result is not MISS:
                    self._programs.remove(ready)
                    self._use(ready)
                    return result
        result, made = _compiled(self._function, call)
        if made is not None:
            self.compilations += 1
            self._use(made)
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


# --- a call ---------------------------------------------------------------------------------------------------------


class _Call:
    """The arguments of one call: arrays in a row, and the rest as part of the key."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.arrays: list[Array] = []
        self.names: list[str] = []
        self.objects: list[Any] = []
        self.requiring: list[str] = []  # arguments that require a gradient
        self.args, self.kwargs = args, kwargs
        self.plain = not kwargs
        parts = [self._read(x, name) for x, name in zip(args, _names(function, args, kwargs), strict=True)]
        self.key: Any = (tuple(parts), tuple((name, self._read(x, name)) for name, x in sorted(kwargs.items())))
        self.flat = [(part[0] == "array", x) for part, x in zip(parts, args, strict=True)]

    def _read(self, x: Any, name: str) -> Any:
        if isinstance(x, Tensor | np.ndarray | np.generic):
            self.arrays.append(self._array(x, name))
            self.names.append(name)
            return ("array", self.arrays[-1].shape, self.arrays[-1].dtype.str, name in self.requiring)
        if isinstance(x, tuple | list):
            self.plain = False
            return (type(x), *(self._read(y, f"{name}_{i}") for i, y in enumerate(x)))
        if isinstance(x, dict):
            self.plain = False
            return (type(x), *((type(key), key, self._read(y, f"{name}_{key}")) for key, y in x.items()))
        self.objects.append(x)
        if isinstance(x, bool | int | float | str | type(None)):
            return (type(x), repr(x))
        return ("object", id(x))

    def _array(self, x: Any, name: str) -> Array:
        if isinstance(x, Tensor):
            if x.requires_grad and x.operation is not None:
                raise CompileError(
                    f"the argument {name}, {describe(x)}, was computed and requires a gradient, which would be lost: "
                    "give its values with detach(), or compute it inside of the compiled function"
                )
            if x.requires_grad:
                self.requiring.append(name)
            return x._array
        if isinstance(x, np.matrix):
            raise TypeError(
                f"the argument {name} is an np.matrix, which multiplies in its own way: give np.asarray of it"
            )
        usual = isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray)
        array = np.asarray(x) if usual or isinstance(x, np.generic) else Tensor(x)._array
        return array if array.dtype.kind in "fiub" and array.dtype.isnative else Tensor(array)._array

    def given(self, make: Callable[[int], Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments with a tensor in the place of each array."""
        counter = iter(range(len(self.arrays)))
        self._made: list[tuple[Any, list[Any]]] = []

        def replaced(x: Any) -> Any:
            if isinstance(x, Tensor | np.ndarray | np.generic):
                return make(next(counter))
            if isinstance(x, tuple | list):
                items = [replaced(y) for y in x]
                made: Any = type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
            elif isinstance(x, dict):
                made = {key: replaced(y) for key, y in x.items()}
            else:
                return x
            self._made.append((made, _items(made)))
            return made

        args = [replaced(x) for x in self.args]
        kwargs = dict(zip(sorted(self.kwargs), [replaced(self.kwargs[n]) for n in sorted(self.kwargs)], strict=True))
        return args, {name: kwargs[name] for name in self.kwargs}

    def changed(self) -> bool:
        """Whether the function changed a list or dict that it was given."""
        return any(len(_items(x)) != len(y) or any(map(operator.is_not, _items(x), y)) for x, y in self._made)


def _items(x: Any) -> list[Any]:
    return [*x, *x.values()] if isinstance(x, dict) else [*x]


def _names(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """What the function calls its arguments."""
    try:
        names = list(inspect.signature(function).bind(*args).arguments) if not kwargs else []
    except (TypeError, ValueError):
        names = []
    return [names[i] if i < len(names) else f"argument{i}" for i in range(len(args))]


# --- recording ------------------------------------------------------------------------------------------------------


def _recorded(function: Callable[..., Any], call: _Call, ran: Ran) -> Run:
    trace = Trace()
    try:
        with trace:

            def make(i: int) -> Tensor:
                t = constant(call.arrays[i])
                t.name = call.names[i]
                trace.sources[t] = ("argument", i)
                return t

            args, kwargs = call.given(make)
            with ran:
                result = function(*args, **kwargs)
            if call.changed():
                trace.refuse("the function changes a list or dict that it was given, which a program would not do")
            returned: list[Tensor] = []
            shape = _shape_of(result, returned, trace)
        for number in trace.numbers:
            if number.group["lr"] != number.learning_rate:
                number.group["lr"] = number.learning_rate  # type: ignore[index]
                raise CompileError("the function changes a learning rate: do that, or step the schedule, outside of it")
        return Run(trace, returned, shape, _writes(trace))
    except BaseException:
        trace.undo()
        raise


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


def _compiled(function: Callable[..., Any], call: _Call) -> tuple[Any, Ready | None]:
    """Run the function twice: once to see what it does, and, that undone, once for good and to be compiled."""
    root = getattr(inspect.unwrap(function), "__code__", None)
    ran = Ran(getattr(root, "co_filename", None))
    chance = _chances()
    first = _recorded(function, call, ran)
    first.trace.undo()
    try:
        _refuse_unguarded(first, ran, call, chance)
        environment = Environment(function, ran, call.objects)
    except CompileError as error:
        raise CompileError(f"{error}{_place(root)}") from None
    start = next(tensor._numbers)
    second = _recorded(function, call, Ran(None))
    ready = None
    try:
        _refuse_changes(second, environment, start)
        if not first.trace.created:
            translation = translated(first, second, call.names)
            _refuse_unknown(translation, environment)
            lasting = [t if _outlives(t, first, second) else None for t in second.returned]
            ready = Ready(translation, environment, second.shape, lasting, call)
    except CompileError as error:
        second.trace.undo()
        raise error if "File" in str(error) else CompileError(f"{error}{_place(root)}") from None
    except BaseException:
        second.trace.undo()
        raise
    for (kind, *owner), value in second.writes:
        if kind == "grad":
            owner[0]._grad = None if value is None else constant(value._array.copy())
        elif kind == "tensor":
            owner[0]._array = owner[0]._array.copy()
    results = [t if _outlives(t, first, second) else constant(t._array.copy()) for t in second.returned]
    return filled(second.shape, results), ready


def _refuse_unguarded(run: Run, ran: Ran, call: _Call, chance: Any) -> None:
    """What can differ from call to call where no guard sees it."""
    if _chances() != chance:
        raise CompileError(
            "the function draws random numbers from Python's random module or np.random, which a program would not do "
            "anew: draw them outside and give them as an argument, or use a layer with a generator such as Dropout"
        )
    if ran.clock is not None:
        raise CompileError(f"the function reads a clock, which changes from call to call: {ran.clock}")
    if run.trace.losses and call.requiring:
        raise CompileError(
            f"the argument {call.requiring[0]} requires a gradient, and an argument is only its values: give them with "
            "detach(), or let the function read the Tensor itself from outside"
        )


def _refuse_changes(run: Run, environment: Environment, start: int) -> None:
    """What the function did to what it reads, or took from another graph."""
    changed = environment.changed()
    if changed is not None:
        raise CompileError(f"the function itself changes what it reads, from call to call: {changed}")
    drawn = environment.drawn([(s[1], t.shape) for t, s in run.trace.sources.items() if s[0] == "draw"])
    if drawn is not None:
        raise CompileError(
            f"the function draws random numbers from {drawn}, which a program would not do anew: draw them outside "
            "and give them as an argument"
        )
    outputs = [*run.returned, *(value for _, value in run.writes if value is not None)]
    for t in inputs_first(outputs, lambda t: [x for x in t.inputs if isinstance(x, Tensor)]):
        if t.operation is not None and t._number < start:
            raise CompileError(
                f"the function uses {describe(t)}, which was computed outside of it: detach() it there, or compute it "
                "inside"
            )


def _refuse_unknown(translation: Translation, environment: Environment) -> None:
    """Tensors that the function came by in a way that was not followed: that they are replaced would go unnoticed."""
    used = [source[1] for source in translation.held if source[0] in ("tensor", "grad")]
    used += [*translation.cleared, *translation.empty, *(x for x in translation.returned if isinstance(x, Tensor))]
    for t in used:
        if t not in environment.tensors:
            raise CompileError(
                f"the function uses {describe(t)}, and how it came by it cannot be followed, so that another in its "
                "place would go unnoticed: keep it in a variable, an attribute, a list or a dict"
            )


def _chances() -> Any:
    """The states of the generators that everybody shares."""
    name, words, *rest = np.random.get_state()
    return random.getstate(), name, np.asarray(words).tobytes(), rest


def _place(root: Any) -> str:
    return "" if root is None else f'\n  File "{root.co_filename}", line {root.co_firstlineno}, in {root.co_name}'


def _outlives(t: Tensor, first: Run, second: Run) -> bool:
    return t.operation is None and any(t is x for x in first.returned) and t not in second.trace.sources
