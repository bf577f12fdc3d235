"""How an entry is written: what makes a function an operation, or NumPy's counterpart.

`elementwise` is for what a NumPy ufunc computes: one line says all, the docstring included. `operation` decorates a
function of arrays, and takes parameters.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast, overload

import numpy as np

from ..operation import NUMPY_FUNCTIONS, OPERATIONS, Kind, Operation, Vjp
from ..recording import ADVISERS
from ..tensor import Tensor, TensorLike, apply
from .axes import aligned, kept

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    Unary: TypeAlias = Callable[[TensorLike], Tensor]
    Binary: TypeAlias = Callable[[TensorLike, TensorLike], Tensor]

_MEETS: dict[Kind, Any] = {Kind.ELEMENTWISE: aligned, Kind.REDUCTION: kept}
_LETTERS = {Kind.REDUCTION: "s", Kind.CONTRACTION: "a"}


def operation(
    notation: str | None = None,
    *vjps: Vjp | None,
    vjp_at: Callable[[int], Vjp] | None = None,
    symbol: str | None = None,
    ufunc: np.ufunc | None = None,
    numpy: tuple[Callable[..., Any], ...] = (),
    **said: Any,
) -> Callable[[Callable[P, Any]], Callable[P, Tensor]]:
    """Define an operation by a function of arrays; what it becomes accepts Tensors and records itself.

    Positional-only arguments are the operands; the others are static parameters, which the derivative receives too.

    Args:
        notation: how it is written, a format string over operands and parameters: `"{0} + {1}"`. By default
            its name and the operands in brackets.
        vjps: one derivative for each operand, `vjp(g, out, *operands, **parameters)`; see `Operation`.
        vjp_at: instead of `vjps`, for any number of operands: the derivative by position.
        symbol: what drawings write on it; by default the function's name.
        ufunc: the NumPy ufunc that computes it, where there is one: the decorated function then has no body.
        numpy: the NumPy functions that it answers for when they are called on a Tensor; a `ufunc` always.
        said: what else there is to say, such as its `kind`; see `Operation`.
    """

    def define(function: Callable[P, Any]) -> Callable[P, Tensor]:
        name = function.__name__.strip("_")
        signature = inspect.signature(function).parameters.values()
        operands = [p for p in signature if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]
        options = [p.name for p in signature if p not in operands]
        defaults = {p.name: p.default for p in signature if p.name in options and p.default is not p.empty}
        count = None if any(p.kind is p.VAR_POSITIONAL for p in operands) else len(operands)
        entry = _entered(name, ufunc or function, vjp_at or vjps, count, notation, symbol, ufunc, said)

        @functools.wraps(function)
        def recorded(*args: Any, **parameters: Any) -> Tensor:
            if count is not None and len(args) != count:
                if len(args) < count or len(args) > count + len(options):
                    raise TypeError(f"{name} takes {count} operands, got {len(args)} positional arguments")
                parameters.update(zip(options, args[count:], strict=False))
                args = args[:count]
            if defaults:
                parameters = defaults | parameters
            return apply(entry, args, parameters)

        return cast("Callable[P, Tensor]", answers(*filter(None, (ufunc, *numpy)))(recorded))

    return define


@overload
def elementwise(ufunc: np.ufunc, about: str, vjp: Vjp | None, /, **said: Any) -> Unary: ...
@overload
def elementwise(ufunc: np.ufunc, about: str, vjp_x: Vjp | None, vjp_y: Vjp | None, /, **said: Any) -> Binary: ...
def elementwise(
    ufunc: np.ufunc,
    about: str,
    /,
    *vjps: Vjp | None,
    name: str | None = None,
    notation: str | None = None,
    symbol: str | None = None,
    takes: str | None = None,
    raises: str | None = None,
    example: Sequence[Any] = ([0.0, 1.0],),
    **said: Any,
) -> Any:
    """Define an operation that a NumPy ufunc computes, of one or two operands, and put its docstring together.

    What it gives is to be assigned to the operation's name.

    Args:
        ufunc: what computes it, and what it answers for.
        about: what it does, in a sentence.
        vjps: one derivative for each operand; see `Operation`.
        name: where it is not the ufunc's.
        notation: how it is written; by default its name and the operands in brackets, or its sign between them.
        symbol: what drawings write on it; by default its name.
        takes: what is to be said of the operands besides their shapes.
        raises: of two operands, when there is a ValueError besides shapes that do not broadcast.
        example: operands for the example, whose output is worked out.
        said: what else there is to say; see `Operation`.
    """
    name = name or ufunc.__name__
    entry = _entered(name, ufunc, vjps, len(vjps), notation, symbol, ufunc, said)
    count = len(vjps)

    def recorded(*args: Any) -> Tensor:
        if len(args) != count:
            raise TypeError(f"{name} takes {count} operands, got {len(args)} positional arguments")
        return apply(entry, args)

    recorded.__name__ = recorded.__qualname__ = name
    recorded.__module__ = sys._getframe(1).f_globals["__name__"]  # where it is assigned, as for a namedtuple
    recorded.__signature__ = _SIGNATURES[count]  # type: ignore[attr-defined]
    recorded.__annotations__ = _ANNOTATIONS[count]
    recorded.__doc__ = _documentation(name, about, count, takes, raises, example, apply(entry, example))
    return answers(ufunc)(recorded)


def _entered(
    name: str,
    forward: Callable[..., Any],
    vjps: tuple[Vjp | None, ...] | Callable[[int], Vjp],
    count: int | None,
    notation: str | None,
    symbol: str | None,
    ufunc: np.ufunc | None,
    said: dict[str, Any],
) -> Operation:
    """The entry in the table, with what its kind says by default."""
    kind = said.get("kind", Kind.ELEMENTWISE)
    said = {"meets": _MEETS.get(kind), "letter": _LETTERS.get(kind, "u"), **said}
    entry = Operation(name, forward, vjps, notation or "", symbol or name, ufunc=ufunc, **said)
    if not notation:
        entry.notation = _written(entry, count)
    OPERATIONS[name] = entry
    return entry


def _written(entry: Operation, count: int | None) -> str:
    """A sign between two operands, truth values in Iverson's brackets; else the name and the operands in brackets."""
    if count == 2 and entry.symbol != entry.name:
        return f"[{{0}} {entry.symbol} {{1}}]" if entry.boolean else f"{{0}} {entry.symbol} {{1}}"
    operands = ", ".join(f"{{{i}}}" for i in range(count or 0))
    return f"{entry.name}({operands})" if operands else entry.name


# --- docstrings -----------------------------------------------------------------------------------------------


def _of_one(x: TensorLike, /) -> Tensor: ...  # type: ignore[empty-body]


def _of_two(x: TensorLike, y: TensorLike, /) -> Tensor: ...  # type: ignore[empty-body]


_SIGNATURES = {1: inspect.signature(_of_one), 2: inspect.signature(_of_two)}
_ANNOTATIONS = {1: _of_one.__annotations__, 2: _of_two.__annotations__}
_SHAPES = {1: "x: any shape", 2: "x, y: any shapes that broadcast together"}


def _documentation(
    name: str, about: str, count: int, takes: str | None, raises: str | None, example: Sequence[Any], result: Tensor
) -> str:
    """What an element-by-element operation does, takes and raises, and an example, which is a doctest."""
    parts = [about, "", "Args:", f"    {_SHAPES[count]}" + (f"; {takes}." if takes else ".")]
    if count == 2:
        also = f", or {raises}" if raises else ""
        parts += ["", "Raises:", f"    ValueError: when the shapes do not broadcast{also}."]
    operands = ", ".join(map(repr, example)).replace("nan", 'float("nan")')
    call = f"tg.{name}({operands})"
    shown = f"{call}.item()\n    {result.item()!r}" if result.ndim == 0 else f"{call}\n    {result!r}"
    parts += ["", "Example:", "    >>> import tinygrad_cls as tg", f"    >>> {shown}"]
    return "\n".join(parts)


# --- what else entries are made with --------------------------------------------------------------------------


def answers(*numpy: Callable[..., Any]) -> Callable[[F], F]:
    """The decorated function answers for these NumPy functions when they are called on a Tensor."""

    def register(function: F) -> F:
        NUMPY_FUNCTIONS.update(dict.fromkeys(numpy, function))
        return function

    return register


def worded(function: F) -> F:
    """A function as it is for callers outside: its errors are told as those of operations and composites are."""
    if hasattr(function, "__wrapped__") or hasattr(function, "__signature__"):  # it is one of these
        return function

    @functools.wraps(function)
    def told(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except Exception as error:
            raise ADVISERS[-1].retold(error)  # noqa: B904 (the same one)

    NUMPY_FUNCTIONS.update({numpy: told for numpy, ours in NUMPY_FUNCTIONS.items() if ours is function})
    return cast("F", told)


def for_arrays_too(recorded: Callable[..., Tensor]) -> Callable[..., Any]:
    """An operation as derivatives need it: on arrays it gives an array, on Tensors it records.

    NumPy's own functions do this by themselves; this is for an operation that NumPy has no function for, or a slow one.
    """
    forward = OPERATIONS[recorded.__name__.strip("_")].forward

    def either(*operands: Any, **parameters: Any) -> Any:
        on_tensors = Tensor in map(type, operands)
        return (recorded if on_tensors else forward)(*operands, **parameters)

    return either
