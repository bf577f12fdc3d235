"""`compile`: a function watched twice and run as a straight-line program from then on."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import math
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .. import engines
from ..engine.recording import STATE
from .bound import Bound
from .call import Call
from .enter import MISS, no_entry
from .guards import Guards
from .recording import CompileError, Recording, StaleError
from .translate import translated
from .watch import Watch

WATCHED, COMPILED = "watched", "compiled"  # what has become of a kind of arguments
_CACHE = 8  # programs that one compiled function keeps
# Machine code takes 1.3 s to make, 0.25 s where it is on disk, and saves 9 to 18 µs a call, however large the products:
# so much of 17 µs (4-16-3, batch 32) or of 1,100 (784-256-128-10, batch 128). That is won back in 100,000 calls, or
# 20,000, and a run of unknown length that has made so many will often make as many again.
EARNED = 50_000
_LOCK = threading.RLock()  # one for all: two programs may write to the same parameters
_acquire, _release = _LOCK.acquire, _LOCK.release  # in half the time of `with`


def compile(
    function: Callable[..., Any],
    *,
    engine: str = "numpy",
    audit: float = 0.01,
    cache_size: int = _CACHE,
    mesh: Any = None,
    shard: Mapping[str, Sequence[str | None]] | None = None,
) -> Compiled:
    """Turn a function of Tensors, such as a training step, into a straight-line program.

    The first two calls run the function as it is, and are watched: forward, backward, optimiser steps, whatever it does
    with Tensors. If both did the same, the graph of it all is simplified by the rules that `explain` shows, buffers are
    planned, and a plain Python function of NumPy calls (or what another engine runs) is generated, which later calls
    run. Before each it is compared whether the program still stands for the function (see `docs/compile.md`); where
    not, the function is watched again. Now and then a call is watched all the same, and compared with the program: an
    audit.

    What the function does besides, such as printing or counting, happens when it is watched.

    Compiled functions run one at a time, whatever the number of threads. Parameters are written in place: another
    thread that reads them meanwhile may see a step half done.

    Args:
        function: takes arrays and Tensors (their values; also in tuples, lists and dicts) and plain values; returns
            Tensors, plain values, or tuples, lists and dicts of them.
        engine: what runs the program: `"numpy"`; `"numba"`, which makes machine code of it; `"auto"`, numba where it
            is installed and works, numpy elsewhere; `"jax"`, for accelerators and several devices.
        audit: the share of the time that audits may take, after the first few; 0: none.
        cache_size: how many programs to keep; the one that was not used for longest goes first.
        mesh: for jax: the devices, as from `jax.make_mesh`. Arguments are split over its first axis.
        shard: by the name of a parameter, for each of its axes the axis of the mesh that it is split over, or None.

    Returns:
        A `Compiled`: called like the function, with the same results.

    Raises:
        ValueError: when `audit` is not from 0 to 1, or there is no such engine.
        ImportError: when the engine needs packages that are not installed, with what to do.
        CompileError: from the calls that are watched, when the function does what no program can: reads a value, or
            something else in the second call than in the first. Tensors and optimisers are then as before the call.
        StaleError: from an audit that finds that the function does something else than its program.

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
        >>> losses = [step(x, labels).item() for _ in range(3)]
        >>> losses[2] < losses[1] < losses[0]
        True
        >>> "y′ − y" in step.source
        True
    """
    return Compiled(function, engine=engine, audit=audit, cache_size=cache_size, mesh=mesh, shard=shard)


def engine_for(name: str, calls: float = math.inf) -> str:
    """The engine that a name means when there were so many calls: `"auto"` is numba, where it works and is earned.

    Raises:
        ValueError, ImportError: there is no such engine, or its packages are not installed; with what to do.
    """
    if name == "auto":
        with contextlib.suppress(ImportError):  # which numba raises, too, when NumPy is too new for it
            if calls >= EARNED and engines.engine("numba"):
                return "numba"
        return "numpy"
    engines.check(name)
    return name


class _Pending(NamedTuple):
    """A first watched call, which waits for a second one."""

    key: Any
    guards: Guards
    recording: Recording
    objects: list[Any]  # whose ids are in the key
    missed: int  # how often one like it did something else
    late: bool  # whether another function, which this one goes on for, had watched such a call before


class Compiled:
    """A compiled function.

    Attributes:
        source: the program that ran last, as text.
        engine: what runs the programs: "numpy", "numba", "jax".
        compilations: how often something was compiled.
        programs: how many programs are kept.
        kinds: what has become of each kind of arguments, so that a resumed run can go on like this one.
    """

    cache_size: int
    audit: float
    compilations: int

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        engine: str = "numpy",
        audit: float = 0.01,
        cache_size: int = _CACHE,
        mesh: Any = None,
        shard: Mapping[str, Sequence[str | None]] | None = None,
        refused: Callable[[CompileError], None] | None = None,
        kinds: dict[str, str] | None = None,
    ) -> None:
        """For the arguments that `compile` does not have.

        Args:
            refused: is told what cannot be compiled; the function then runs as it is. None: raise that.
            kinds: those of a compiled function that this one goes on for: what was compiled there runs as a program
                from the first call on, and what was watched once there needs to be watched once more. It is kept up.
        """
        if isinstance(function, Compiled):
            function = function.function
        if not callable(function):
            raise TypeError(f"compile needs a function, not {type(function).__name__}")
        if cache_size < 1:
            raise ValueError(f"cache_size must be 1 or more, not {cache_size}")
        if not 0 <= audit <= 1:
            raise ValueError(f"audit is a share of the time, from 0 to 1, not {audit}")
        engine = engine_for(engine)
        if engine != "jax" and (mesh is not None or shard is not None):
            raise ValueError(f'mesh and shard are for engine="jax", not for {engine!r}')
        self.engine = engine
        self._options = {"mesh": mesh, "shard": shard} if engine == "jax" else {}
        if engine == "jax":
            engines.engine(engine, **self._options)  # which refuses what does not fit together
        self._function, self.cache_size, self.audit, self.compilations = function, cache_size, audit, 0
        functools.update_wrapper(self, function, updated=())
        self.kinds: dict[str, str] = {} if kinds is None else kinds
        self._before = dict(self.kinds)
        self._refused = refused
        self._runs_plainly = False
        self._programs: list[Bound] = []  # the one that ran last is the last
        self._pending: list[_Pending] = []
        self._enter: Callable[..., Any] = no_entry
        self._level = -1  # at which `_enter` may be used
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
            raise RuntimeError("there is no program yet: it is made when two calls of a kind were watched")
        return self._programs[-1].program.source

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function's program where there is one for these arguments, else the function, watched."""
        level, _, by = STATE.get()
        if by is not None:  # inside another function that is watched: a part of it
            return self._function(*args, **kwargs)
        _acquire()
        try:
            if self._running:
                raise RuntimeError("a compiled function was called while it ran, such as by a signal handler")
            self._running = True
            try:
                result = self._at_once(level, args) if not kwargs else MISS
                return self._thoroughly(level, Call(self._function, args, kwargs)) if result is MISS else result
            finally:
                self._running = False
        finally:
            _release()

    def _at_once(self, level: int, args: tuple[Any, ...]) -> Any:
        """Run the program that ran last, or another whose quick comparisons hold."""
        result = self._enter(*args) if level == self._level else MISS
        if result is MISS:
            for bound in self._programs[-2::-1]:
                if bound.plain and bound.key[0] == level and (result := bound.enter(*args)) is not MISS:
                    self._use(bound)
                    break
        return result

    def _thoroughly(self, level: int, call: Call) -> Any:
        self._enter = no_entry
        if self._runs_plainly:
            return call.plainly(self._function)
        key = (level, call.key)
        for bound in reversed(self._programs):
            if bound.key == key and bound.holds():
                result = self._audited(bound, call) if bound.is_due else bound.run(call.arrays)
                if result is not MISS:
                    self._use(bound)
                    return result
        return self._watched(level, call)

    def _audited(self, bound: Bound, call: Call) -> Any:
        try:
            return bound.audit(self._function, call)
        except StaleError:
            self._programs.remove(bound)
            bound.let_go()
            raise

    def _watched(self, level: int, call: Call) -> Any:
        """A call that is watched. When it does what the one before it did, there is a program from then on."""
        key = (level, call.key)
        first = next((p for p in self._pending if p.key == key and p.guards.same()), None)
        before = self._before.pop(repr(key), None)
        watch = Watch(raises=self._refused is None)
        result = watch.run(self._function, call)
        if watch.refused is not None:
            return self._give_up(watch.refused, result)
        guards = Guards(self._function, watch, call.objects)
        self.kinds[repr(key)] = WATCHED
        difference = None if first is None else first.recording.parted(watch.recording)
        if difference is not None or (first is None and before != COMPILED):
            missed = 0 if first is None else first.missed + 1
            if missed > 1:
                error = CompileError(
                    "the function does something else in every call, and a program would do the same: "
                    f"{difference}\nIt depends on what changes from call to call, such as a counter, an iterator, a "
                    "clock or random numbers: give that as an argument"
                )
                if self._refused is None:
                    watch.undo()
                    raise error
                return self._give_up(error, result)
            waiting = [p for p in self._pending if p is not first]
            pending = _Pending(key, guards, watch.recording, call.objects, missed, late=before == WATCHED)
            self._pending = [*waiting, pending][-self.cache_size :]
            return result
        self._pending = [p for p in self._pending if p is not first]
        engine = engines.engine(self.engine, **self._options)
        translation = translated(watch, call.names, engine)
        bound = Bound(translation, guards, watch.recording, call, level, self.audit, engine, self._programs)
        self.compilations += 1
        self.kinds[repr(key)] = COMPILED
        self._use(bound)
        if before == COMPILED or (first is not None and first.late):  # this call is the program's work
            watch.undo()
            del watch
            return bound.run(call.arrays)
        return result

    def _give_up(self, error: CompileError, result: Any) -> Any:
        assert self._refused is not None
        self._runs_plainly = True
        self.kinds.clear()
        self._refused(error)
        return result

    def _use(self, bound: Bound) -> None:
        if bound in self._programs:
            self._programs.remove(bound)
        self._programs.append(bound)
        while len(self._programs) > self.cache_size:
            self._programs.pop(0).let_go()
        self._enter, self._level = (bound.enter, bound.key[0]) if bound.plain else (no_entry, -1)

    def __reduce__(self) -> str | tuple[Any, ...]:
        name = getattr(self._function, "__qualname__", "")
        found: Any = sys.modules.get(getattr(self._function, "__module__", ""))
        for part in name.split("."):
            found = inspect.getattr_static(found, part, None)
        if found is self:
            return name  # a decorated function: found by its name
        return self._like, (self._function,)  # programs are made anew on demand

    @property
    def _like(self) -> Callable[..., Compiled]:
        """Makes a function with the options of this one."""
        return functools.partial(
            Compiled, engine=self.engine, audit=self.audit, cache_size=self.cache_size, **self._options
        )

    def __copy__(self) -> Compiled:
        return self._like(self._function)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        return self._like(copy.deepcopy(self._function, memo))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", type(self._function).__name__)
        return f"<compiled {name}: {self.compilations} compiled, {self.programs} kept>"
