"""`grad` and `value_and_grad`: from a function to the function of its gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence, Set
from typing import Any

import numpy as np

from .backward import inputs_first, pull_back
from .operations.elementwise import identity
from .recording import EVERYTHING, GRADIENTS, STATE, recording, watcher
from .tensor import Tensor, as_tensor, constant, describe


def grad(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The gradient of `f`, as a function of the same arguments. Nests to any order.

    Args:
        f: a function of Tensors whose result is a Tensor with one element. Other arguments pass through untouched.
        argnums: the position of the argument to differentiate by, or several.

    Returns:
        A function that gives the gradient as a Tensor of the argument's shape and dtype (a tuple of them for
        several `argnums`). When the gradient depends on a Tensor that requires gradients, it is recorded
        like any other result: it can be differentiated again, and drawn.

    Raises:
        TypeError: when `f` gives no Tensor, or an argument to differentiate by is not floating.
        ValueError: when `f` gives more than one element, or there is no argument at a position, or one is named twice.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.grad(lambda x: x**3)(2.0)
        Tensor(12.)
        >>> tg.grad(tg.grad(lambda x: x**3))(2.0)
        Tensor(12.)
    """
    value_and_gradient = value_and_grad(f, argnums)

    @functools.wraps(f, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return value_and_gradient(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., tuple[Tensor, Any]]:
    """Like `grad`, but gives the value of `f` as well: `(value, gradient)`.

    Args:
        f: a function of Tensors whose result is a Tensor with one element.
        argnums: the position of the argument to differentiate by, or several.

    Raises:
        TypeError, ValueError: as for `grad`.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.value_and_grad(lambda x: x**2)(3.0)
        (Tensor(9.), Tensor(6.))
    """
    single = isinstance(argnums, (int, np.integer))
    positions = (int(argnums),) if single else tuple(argnums)  # type: ignore[arg-type]

    @functools.wraps(f, updated=())
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Tensor, Any]:
        level, scope, _ = STATE.get()
        keep = level in (GRADIENTS, EVERYTHING)
        arguments = list(args)
        # Inside, record even under no_grad; whether the results stay recorded is for the state outside to say.
        with recording(level if keep else GRADIENTS, scope):
            for position in positions:
                if not -len(args) <= position < len(args):
                    raise ValueError(
                        f"argnums={position}, but {_name(f)} was called with {len(args)} positional arguments"
                    )
                if arguments[position] is not args[position]:
                    raise ValueError(f"argnums={positions} names an argument of {_name(f)} twice")
                arguments[position] = variable(args[position], position)
            output = f(*arguments, **kwargs)
            if not isinstance(output, Tensor):
                raise TypeError(
                    f"{_name(f)} gave {type(output).__name__}, not a Tensor: build it from Tensor operations alone"
                )
            if output.size != 1:
                raise ValueError(
                    f"{_name(f)} gave {describe(output)}: a gradient needs one element, so reduce it (.sum())"
                )
            variables = [arguments[position] for position in positions]
            found, depends = gradients(output, variables, constant(np.ones_like(output._array)), record=keep)
        value = output if depends and keep else output.detach()
        return value, found[0] if single else tuple(found)

    return value_and_gradient


def variable(argument: Any, position: int) -> Tensor:
    """What `f` is given to differentiate by: a node of its own, so that nested gradients do not mix."""
    argument = as_tensor(argument)
    if argument.dtype.kind != "f":
        raise TypeError(
            f"cannot differentiate by argument {position}, {describe(argument)}: give floats, such as 2.0 for 2"
        )
    is_recorded = argument.requires_grad or watcher() is not None
    node = identity(argument) if is_recorded else constant(argument._array)
    node._requires_grad = True
    node.name = argument.name
    return node


def gradients(
    output: Tensor, variables: Sequence[Tensor], seed: Tensor, record: bool, held: Set[Tensor] = frozenset()
) -> tuple[list[Tensor], bool]:
    """The gradient for each variable, and whether anything else that requires gradients is involved (`held` apart).

    Only then, or when the seed itself requires one, are the derivatives run on Tensors, which is slower than on arrays
    but leaves a graph.
    """
    found: dict[Tensor, Tensor | None] = dict.fromkeys(variables)
    order = inputs_first([output], _varying)
    leads: set[Tensor] = set()  # the variables and what depends on them: the only part to walk back through
    for node in order:
        if node in found or not leads.isdisjoint(_varying(node)):
            leads.add(node)
    depends = any(node.operation is None and node not in found and node not in held for node in order)
    if (by := watcher()) is not None:
        by.differentiated(output)
    record = by is not None or seed.requires_grad or (record and depends)
    if output in leads:
        with np.errstate(all="ignore"):
            for node, g in pull_back(output, seed if record else seed._array, through=leads, record=record):
                if node in found:
                    found[node] = g if record else constant(np.asarray(g))
    return [constant(np.zeros(x.shape, x.dtype)) if g is None else g for x, g in found.items()], depends


def _varying(node: Tensor) -> list[Tensor]:
    return [x for x in node.inputs if isinstance(x, Tensor) and x.requires_grad]


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", None) or type(f).__name__
