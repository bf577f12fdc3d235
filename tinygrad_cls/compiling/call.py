"""The arguments of a call: what is an array, what is a plain value, and what they are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.tensor import Array, Tensor, constant, describe
from .recording import CompileError
from .structure import differ, items, mapped


class Call:
    """The arguments of one call: arrays in a row, and the rest as part of the key.

    Attributes:
        arrays, names: the arrays among the arguments, at any depth, and what the function calls them.
        objects: what is neither an array nor a list, tuple or dict.
        requiring: the names of Tensors that require a gradient.
        plain: whether there are no lists, tuples, dicts or keywords among the arguments.
        key: equal for calls that a program can be for: shapes and dtypes of arrays, and the other values.
        flat: for each argument whether it is an array, and itself.
    """

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.arrays: list[Array] = []
        self.names: list[str] = []
        self.objects: list[Any] = []
        self.requiring: list[str] = []  # arguments that require a gradient
        self.args: tuple[Any, ...] = args
        self.kwargs: dict[str, Any] = kwargs
        self.plain: bool = not kwargs
        parts = [self._read(x, name) for x, name in zip(args, _names(function, args, kwargs), strict=True)]
        self.key: Any = (tuple(parts), tuple((name, self._read(x, name)) for name, x in sorted(kwargs.items())))
        self.flat: list[tuple[Any, Any]] = [(part[0] == "array", x) for part, x in zip(parts, args, strict=True)]

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

    def given(self, make: Callable[[int], Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with a tensor in the place of each array."""
        counter = iter(range(len(self.arrays)))

        def tensor(x: Any) -> Any:
            return make(next(counter)) if isinstance(x, Tensor | np.ndarray | np.generic) else x

        args = mapped(self.args, tensor)
        self._given = args, {name: mapped(self.kwargs[name], tensor) for name in sorted(self.kwargs)}
        self._items = items(self._given) or []
        return args, {name: self._given[1][name] for name in self.kwargs}

    def plainly(self, function: Callable[..., Any]) -> Any:
        """What the function gives, called as it is."""
        args, kwargs = self.given(lambda i: constant(self.arrays[i]))
        return function(*args, **kwargs)

    def changed(self) -> bool:
        """Whether the function changed a list or dict that it was given."""
        return differ(self._given, self._items)


def _names(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """What the function calls its arguments."""
    try:
        names = list(inspect.signature(function).bind(*args).arguments) if not kwargs else []
    except (TypeError, ValueError):
        names = []
    return [names[i] if i < len(names) else f"argument{i}" for i in range(len(args))]
