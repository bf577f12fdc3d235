"""What is being recorded right now, and under which heading.

The state is context-local (`contextvars`): two threads, or two asyncio tasks, never see each other's.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, overload

if TYPE_CHECKING:
    from .array import Array, NamedArray
    from .tensor import Tensor

P = ParamSpec("P")
R = TypeVar("R")

NOTHING = 0  # inside `no_grad`
GRADIENTS = 1  # the default: an operation is recorded when one of its operands requires a gradient
EVERYTHING = 2  # constants too: inside a composite, so that readers see where `one_hot` came from


@dataclass(slots=True, eq=False)
class Scope:
    """One call of a composite such as `softmax`: the heading over the operations that ran inside it.

    A scope holds no tensors, so recording makes no reference cycles.

    Attributes:
        name: the composite's name.
        parent: the scope around it.
        result: what everybody calls the composite's result, such as `y′` for softmax; None for most.
        made: the number of the tensor that the composite gave, once it is known.
    """

    name: str
    parent: Scope | None
    result: str | None = None
    made: int | None = None

    def path(self) -> tuple[Scope, ...]:
        """This scope and those around it, outermost first."""
        scopes = [self]
        while (parent := scopes[-1].parent) is not None:
            scopes.append(parent)
        return tuple(reversed(scopes))

    def __repr__(self) -> str:
        return "Scope(" + " > ".join(scope.name for scope in self.path()) + ")"


Condition: TypeAlias = Callable[..., None]  # raises when the values are wrong


class Watcher:
    """Watches a run of somebody's function: is told of each operation, and of what no operation shows.

    While one watches (see `watching`), all operations are recorded, and the engine calls these methods.
    """

    def ran(self, t: Tensor) -> None:
        """An operation has made a tensor."""

    def read(self, t: NamedArray, how: str) -> None:
        """The values of a tensor leave the graph."""

    def copied(self, copy: Tensor, original: Tensor) -> None:
        """A tensor was made from the values of another."""

    def assigned(self, t: Tensor, values: Tensor, array: Array) -> None:
        """A leaf gets new values, from now on in `array`."""

    def differentiated(self, t: Tensor) -> None:
        """Gradients of `t` are asked for."""

    def backward(self, t: Tensor, gradient: Tensor) -> None:
        """`t.backward(gradient)` is to leave gradients in the leaves: the watcher does so, by operations."""

    def gradient_read(self, t: Tensor) -> None:
        """`t.grad` is asked for."""

    def gradient_set(self, t: Tensor, gradient: Tensor | None) -> None:
        """`t.grad` is to become another."""

    def used(self, thing: Any) -> None:
        """A module, a schedule or a generator of random numbers is about to act."""

    def stepped(self, optimiser: Any) -> None:
        """`optimiser.step()` is to change its parameters: the watcher does so, by operations."""

    def checked(self, condition: Condition, tensors: tuple[Tensor, ...]) -> None:
        """Values were checked by a condition, which raises when they are wrong."""


class Adviser:
    """Says a word of help where a mistake shows. What says it is outside of the engine, and sets `ADVISERS`."""

    def again(self, t: Tensor) -> None:
        """`backward` goes through the graph of `t` a second time."""

    def spread(self, t: Tensor) -> None:
        """`backward` comes through a result for which a column was repeated."""

    def unkept(self, t: Tensor) -> None:
        """The gradient of a computed tensor is asked for, and is not kept."""

    def scored(self, loss: str, scores: Tensor, target: Tensor) -> None:
        """A loss is to compare these scores with this target."""

    def retold(self, error: Exception, instead_of: Exception | None = None) -> Exception:
        """An error on its way to the caller, with what may help; perhaps in the place of another."""
        return error


ADVISERS = [Adviser()]
"""Who advises at present: the last."""

State: TypeAlias = tuple[int, Scope | None, Watcher | None]  # the level, the innermost scope, and who watches

STATE: ContextVar[State] = ContextVar("tinygrad_cls.recording", default=(GRADIENTS, None, None))


def watcher() -> Watcher | None:
    """Who watches at present."""
    return STATE.get()[2]


def watching(by: Watcher) -> AbstractContextManager[None]:
    """Have what runs inside the `with` block watched."""
    return _within((STATE.get()[0], None, by))


def recording(level: int, scope: Scope | None = None) -> AbstractContextManager[None]:
    """Record at `level`, under `scope`, inside the `with` block."""
    return _within((level, scope, watcher()))


@contextmanager
def _within(state: State) -> Iterator[None]:
    token = STATE.set(state)
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
        _, scope, by = STATE.get()
        self._tokens.append(STATE.set((NOTHING, scope, by)))

    def __exit__(self, *error: object) -> None:
        STATE.reset(self._tokens.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        runs_later = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        if any(kind(function) for kind in runs_later):
            raise TypeError(
                f"no_grad cannot decorate {function.__qualname__}: a generator or coroutine runs after the "
                "decorator has ended. Write `with tg.no_grad():` inside it."
            )

        @functools.wraps(function)
        def without_recording(*args: P.args, **kwargs: P.kwargs) -> R:
            with no_grad():
                return function(*args, **kwargs)

        return without_recording


@overload
def composite(function: Callable[P, R]) -> Callable[P, R]: ...
@overload
def composite(*, result: str) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def composite(function: Callable[P, R] | None = None, *, result: str | None = None) -> Any:
    """Mark a function built from operations, so that readers can fold, name and unfold it.

    All that runs inside carries a `Scope` with the function's name; constants are recorded there too.

    Args:
        function: any function of Tensors. Its name is the heading in drawings and derivations.
        result: what everybody calls what it gives, as `y′` for softmax.

    Example:
        >>> import tinygrad_cls as tg
        >>> @tg.composite
        ... def cube(x):
        ...     return x * x * x
        >>> cube(tg.Tensor(2.0, requires_grad=True)).scope.name
        'cube'
    """
    if function is None:
        return functools.partial(composite, result=result)
    body, name = function, function.__name__

    @functools.wraps(function)
    def inside_scope(*args: P.args, **kwargs: P.kwargs) -> R:
        level, parent, by = STATE.get()
        scope = Scope(name, parent, result)
        token = STATE.set((level and EVERYTHING, scope, by))
        try:
            made = body(*args, **kwargs)
        except Exception as error:
            raise ADVISERS[-1].retold(error)  # noqa: B904 (the same one)
        finally:
            STATE.reset(token)
        scope.made = getattr(made, "_number", None)
        return made

    return inside_scope
