"""Jacobians, Hessians, and their products with vectors: composed from the one walk back.

A product with a Jacobian, which other libraries have a forward mode for, is the derivative of a derivative here: going
back gives `vᵀ J`, which is linear in `v`, and going back through that by `v` gives `J u`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .engine.grad import grad, gradients, variable
from .engine.operations import reshape, stack
from .engine.operations import sum as total
from .engine.recording import EVERYTHING, GRADIENTS, STATE, recording
from .engine.tensor import Tensor, TensorLike, as_tensor, constant, describe

__all__ = ["hessian", "hvp", "jacobian", "jvp"]


def jacobian(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """All first derivatives of `f`, as a function of the same arguments: `J[i…, j…] = ∂f[i…] / ∂x[j…]`.

    `f` runs once; there is one walk back for each element of its result.

    Args:
        f: a function of Tensors whose result is a Tensor of any shape.
        argnums: the position of the argument to differentiate by, or several.

    Returns:
        A function that gives a Tensor of shape `(*f(x).shape, *x.shape)` (a tuple of them for several `argnums`). It
        can be differentiated again.

    Raises:
        TypeError: when `f` gives no Tensor, or an argument to differentiate by is not floating.
        ValueError: when there is no argument at a position.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.jacobian(lambda x: x * x)([1.0, 2.0])
        Tensor([[2., 0.],
                [0., 4.]])
    """
    single = isinstance(argnums, (int, np.integer))
    positions: tuple[Any, ...] = (argnums,) if single else tuple(argnums)  # type: ignore[arg-type]

    @functools.wraps(f, updated=())
    def matrix(*args: Any, **kwargs: Any) -> Any:
        with _Inside() as keep:
            arguments, variables = _with_variables("jacobian", f, args, positions)
            output = _tensor(f, f(*arguments, **kwargs))
            rows = [gradients(output, variables, seed, keep)[0] for seed in _units(output)]
            shapes = [(*output.shape, *x.shape) for x in variables]
            if rows:
                columns = zip(*rows, strict=True)
                found = [reshape(stack(list(g)), shape) for g, shape in zip(columns, shapes, strict=True)]
            else:
                found = [constant(np.zeros(shape, x.dtype)) for x, shape in zip(variables, shapes, strict=True)]
        return found[0] if single else tuple(found)

    return matrix


def hessian(f: Callable[..., Tensor], argnum: int = 0) -> Callable[..., Tensor]:
    """All second derivatives of `f`, as a function of the same arguments.

    Args:
        f: a function of Tensors whose result is a Tensor with one element.
        argnum: the position of the argument to differentiate by.

    Returns:
        A function that gives a Tensor of shape `(*x.shape, *x.shape)`.

    Raises:
        TypeError, ValueError: as for `grad`.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
        Tensor([[10.,  6.],
                [ 6.,  0.]])
    """
    return jacobian(grad(f, argnum), argnum)


def jvp(
    f: Callable[..., Tensor], primals: Sequence[TensorLike], tangents: Sequence[TensorLike]
) -> tuple[Tensor, Tensor]:
    """The value of `f` and its derivative in a direction, `J u`.

    Args:
        f: a function of Tensors whose result is a Tensor.
        primals: its arguments, floats.
        tangents: the direction: for each argument something of its shape.

    Returns:
        `f(*primals)`, and how fast it changes along the tangents; two Tensors of one shape.

    Raises:
        TypeError: when `f` gives no Tensor, or an argument is not floating.
        ValueError: when the tangents do not have the shapes of the arguments.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.jvp(lambda x: x * x, [[1.0, 2.0]], [[10.0, 1.0]])
        (Tensor([1., 4.]), Tensor([20.,  4.]))
    """
    primals, directions = tuple(primals), _directions("jvp", primals, tangents)
    with _Inside() as keep:
        arguments, variables = _with_variables("jvp", f, primals, range(len(primals)))
        output = _tensor(f, f(*arguments))
        along = variable(constant(np.ones(output.shape, output.dtype)), 0)
        back, depends = gradients(output, variables, along, record=True)
        slope = stack([total(g * u) for g, u in zip(back, directions, strict=True)])
        (forward,), _ = gradients(slope, [along], constant(np.ones_like(slope._array)), keep, held={*variables})
    return output if depends and keep else output.detach(), forward


def hvp(f: Callable[..., Tensor], argnum: int = 0) -> Callable[..., Tensor]:
    """The Hessian of `f` times a vector, without the Hessian: the slope of the gradient in a direction.

    Args:
        f: a function of Tensors whose result is a Tensor with one element.
        argnum: the position of the argument to differentiate by.

    Returns:
        A function of the arguments of `f` and, after them, the vector, of the shape of the argument.

    Raises:
        TypeError, ValueError: as for `grad`; when the vector has another shape than the argument.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.hvp(lambda x: (x**3).sum())([1.0, 2.0], [1.0, 10.0])
        Tensor([  6., 120.])
    """

    @functools.wraps(f, updated=())
    def product(*args: Any, **kwargs: Any) -> Any:
        *arguments, vector = args
        if not -len(arguments) <= argnum < len(arguments):
            raise ValueError(f"hvp needs the arguments of the function and then a vector; argnum={argnum} is not there")
        (direction,) = _directions("hvp", [arguments[argnum]], [vector])

        def slope(*inner: Any) -> Tensor:
            return total(grad(f, argnum)(*inner, **kwargs) * direction)

        return grad(slope, argnum)(*arguments)

    return product


class _Inside:
    """Record inside, even under `no_grad`; gives whether results stay recorded outside."""

    def __enter__(self) -> bool:
        level, scope, _ = STATE.get()
        keep = level in (GRADIENTS, EVERYTHING)
        self._state = recording(level if keep else GRADIENTS, scope)
        self._state.__enter__()
        return keep

    def __exit__(self, *error: Any) -> None:
        self._state.__exit__(*error)


def _with_variables(
    name: str, f: Callable[..., Any], args: Sequence[Any], positions: Sequence[int]
) -> tuple[list[Any], list[Tensor]]:
    """The arguments, with a variable in the place of each that is differentiated by; and those variables."""
    arguments = list(args)
    for position in positions:
        if not -len(args) <= position < len(args):
            raise ValueError(f"{name}: there is no argument {position}; the function was given {len(args)}")
        arguments[position] = variable(args[position], int(position))
    return arguments, [arguments[position] for position in positions]


def _tensor(f: Callable[..., Any], output: Any) -> Tensor:
    if not isinstance(output, Tensor):
        name = getattr(f, "__name__", None) or type(f).__name__
        raise TypeError(f"{name} gave {type(output).__name__}, not a Tensor: build it from Tensor operations alone")
    return output


def _directions(name: str, primals: Sequence[TensorLike], tangents: Sequence[TensorLike]) -> list[Tensor]:
    if len(primals) != len(tangents):
        raise ValueError(f"{name} needs a direction for each of {len(primals)} arguments, got {len(tangents)}")
    directions = [as_tensor(u) for u in tangents]
    for x, u in zip(primals, directions, strict=True):
        if np.shape(as_tensor(x)) != u.shape:
            raise ValueError(f"{name}: the direction for {describe(as_tensor(x))} has another shape, {u.shape}")
    return directions


def _units(output: Tensor) -> list[Tensor]:
    """For each element of the result a 1 in its place among zeros."""
    seeds = np.eye(output.size, dtype=output.dtype).reshape(output.size, *output.shape)
    return [constant(seed) for seed in seeds]
