"""What is being recorded right now, and under which heading.

The state is context-local (`contextvars`): two threads, or two asyncio tasks, never see each other's.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeAlias, TypeVar

if TYPE_CHECKING:
    import numpy as np

    from .tensor import Array, Tensor

P = ParamSpec("P")
R = TypeVar("R")

NOTHING = 0  # inside `no_grad`
GRADIENTS = 1  # the default: an operation is recorded when one of its operands requires a gradient
EVERYTHING = 2  # constants too: inside a composite, so that readers see where `one_hot` came from
CONSTANTS = 3  # inside `no_grad` of a function that is traced: everything is recorded, nothing requires a gradient


class Scope:
    """One call of a composite such as `softmax`: the heading over the operations that ran inside it.

    A scope holds no tensors, so recording makes no reference cycles.
    """

    __slots__ = ("name", "parent")

    def __init__(self, name: str, parent: Scope | None) -> None:
        self.name = name
        self.parent = parent

    def path(self) -> tuple[Scope, ...]:
        """This scope and those around it, outermost first."""
        scopes: list[Scope] = []
        scope: Scope | None = self
        while scope is not None:
            scopes.append(scope)
            scope = scope.parent
        return tuple(reversed(scopes))

    def __repr__(self) -> str:
        return "Scope(" + " > ".join(scope.name for scope in self.path()) + ")"


Condition: TypeAlias = Callable[..., None]  # raises when the values are wrong
State: TypeAlias = tuple[int, Scope | None]  # the level, and the innermost scope

_START: State = (GRADIENTS, None)
STATE: ContextVar[State] = ContextVar("tinygrad_cls.engine.recording", default=_START)


class Watcher:
    """Watches a whole function run, for `compile`: it is told of all that no operation shows.

    While one watches, the engine calls these methods; what they do is in `compiling/trace.py`.
    """

    def read(self, t: Tensor, how: str) -> None:
        """The value of a tensor is asked for."""

    def copied(self, copy: Tensor, original: Tensor) -> None:
        """A tensor was made from the values of another."""

    def assigned(self, t: Tensor, values: Tensor, array: Array) -> None:
        """A leaf gets new values, from now on in `array`."""

    def differentiated(self, t: Tensor) -> None:
        """Gradients of `t` are asked for."""

    def backward(self, t: Tensor, gradient: Tensor) -> None:
        """`t.backward(gradient)` is to leave gradients in the leaves."""

    def gradient_read(self, t: Tensor) -> None:
        """`t.grad` is asked for."""

    def gradient_set(self, t: Tensor, gradient: Tensor | None) -> None:
        """`t.grad` is to become another."""

    def optimised(self, optimiser: Any) -> None:
        """`optimiser.step()` is to change its parameters."""

    def drawn(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
        """Random numbers, uniform from 0 to 1, are drawn; gives them."""
        raise NotImplementedError

    def checked(self, condition: Condition, tensors: tuple[Tensor, ...]) -> None:
        """Values were checked by a condition, which raises when they are wrong."""

    def refuse(self, reason: str) -> NoReturn:
        """Something was done that no recording can hold."""
        raise NotImplementedError


TRACE: ContextVar[Watcher | None] = ContextVar("tinygrad_cls.trace", default=None)


@contextmanager
def recording(level: int, scope: Scope | None = None) -> Iterator[None]:
    """Record at `level`, under `scope`, inside the `with` block."""
    token = STATE.set((level, scope))
    try:
        yield
    finally:
        STATE.reset(token)


class no_grad:  # noqa: N801 (PyTorch's name)
    """Record nothing inside: results carry no history and require no gradient.

    A context manager and a decorator. It acts on the current thread or task alone.

    Raises:
        TypeError: when it decorates a generator or coroutine function, whose body would run
            after the decorator has already ended; use `with` inside the function.

    Example:
        >>> import tinygrad_cls as tg
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> with tg.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __init__(self) -> None:
        self._tokens: list[Token[State]] = []

    def __enter__(self) -> None:
        _, scope = STATE.get()
        self._tokens.append(STATE.set((NOTHING if TRACE.get() is None else CONSTANTS, scope)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        STATE.reset(self._tokens.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if (
            inspect.isgeneratorfunction(function)
            or inspect.iscoroutinefunction(function)
            or inspect.isasyncgenfunction(function)
        ):
            raise TypeError(
                f"no_grad cannot decorate {function.__qualname__}: a generator or coroutine runs after the "
                "decorator has ended. Write `with tg.no_grad():` inside it."
            )

        @functools.wraps(function)
        def without_recording(*args: P.args, **kwargs: P.kwargs) -> R:
            with no_grad():
                return function(*args, **kwargs)

        return without_recording


def composite(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function built from operations, so that readers can fold, name and unfold it.

    All that runs inside carries a `Scope` with the function's name; constants are recorded there too.

    Args:
        function: any function of Tensors. Its name is the heading in drawings and derivations.

    Example:
        >>> import tinygrad_cls as tg
        >>> @tg.composite
        ... def cube(x):
        ...     return x * x * x
        >>> cube(tg.Tensor(2.0, requires_grad=True)).scope.name
        'cube'
    """
    name = function.__name__

    @functools.wraps(function)
    def inside_scope(*args: P.args, **kwargs: P.kwargs) -> R:
        level, parent = STATE.get()
        if level == NOTHING:
            return function(*args, **kwargs)
        token = STATE.set((max(level, EVERYTHING), Scope(name, parent)))
        try:
            return function(*args, **kwargs)
        finally:
            STATE.reset(token)

    return inside_scope


def check(condition: Condition, *tensors: Tensor) -> None:
    """Run a check of values: now, and in every later call of a function that is being traced.

    Args:
        condition: raises when the values are wrong; called with one array for each tensor.
        tensors: whose values to check.
    """
    condition(*(t._array for t in tensors))
    trace = TRACE.get()
    if trace is not None:
        trace.checked(condition, tensors)
