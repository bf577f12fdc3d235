"""NumPy's functions that only move, repeat or drop elements: one idea.

NumPy itself is given the places of the elements instead of the elements; what comes out says which element goes
where. `np.roll(t, 1)` is the elements of `t` at `np.roll(places, 1)`. Places are counted from 1: where NumPy fills in a
0, the result has one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.operations import concat, reshape, take
from ..engine.operations.entry import answers
from ..engine.recording import composite
from ..engine.tensor import Tensor, as_tensor


def places_of(elements: Any, parts: list[Tensor]) -> Any:
    """The places of elements, counted from 1 over all `parts`, to which the elements are added.

    Args:
        elements: a Tensor, an array, a number, or lists of these.
        parts: the flattened elements so far.
    """
    if isinstance(elements, (list, tuple)):
        return type(elements)([places_of(part, parts) for part in elements])
    x = as_tensor(elements)
    first = 1 + sum(part.size for part in parts)
    parts.append(reshape(x, -1))
    return np.arange(first, first + x.size).reshape(x.shape)


def picked(places: Any, parts: list[Tensor]) -> Any:
    """The elements at these places: in one array, or in several as NumPy gave them."""
    arrays = [places] if isinstance(places, np.ndarray) else list(places)
    filled = any((array == 0).any() for array in arrays)
    if filled:  # the 0 in front, of the dtype that all have in common
        parts = [Tensor(np.zeros(1, np.result_type(*(part.dtype for part in parts)))), *parts]
    pool = parts[0] if len(parts) == 1 else concat(parts)
    results = [reshape(take(pool, array.reshape(-1) - (not filled)), array.shape) for array in arrays]
    return results[0] if isinstance(places, np.ndarray) else type(places)(results)


def moves(function: Callable[..., Any], *elements: str, name: str = "") -> Callable[..., Any]:
    """Let a function of NumPy's that moves elements answer for Tensors.

    Args:
        function: NumPy's.
        elements: the names of its arguments that hold what is moved; the others say how.
        name: in drawings; by default NumPy's.
    """
    signature = inspect.signature(function)

    def moved(*args: Any, **options: Any) -> Any:
        given = signature.bind(*args, **options)
        parts: list[Tensor] = []
        for argument in elements:
            if argument in given.arguments:
                given.arguments[argument] = places_of(given.arguments[argument], parts)
        return picked(function(*given.args, **given.kwargs), parts)

    moved.__name__ = moved.__qualname__ = name or function.__name__
    moved.__doc__ = f"`np.{function.__name__}`: NumPy moves the places, and the elements follow."
    return answers(function)(composite(moved))


for _function, *_elements in (
    (np.roll, "a"),
    (np.rot90, "m"),
    (np.repeat, "a"),
    (np.tile, "A"),
    (np.resize, "a"),
    (np.delete, "arr"),
    (np.diag, "v"),
    (np.diagflat, "v"),
    (np.diagonal, "a"),
    (np.linalg.diagonal, "x"),
    (np.block, "arrays"),
    (np.meshgrid, "xi"),
):
    moves(_function, *_elements)


@answers(np.insert)
@composite
def insert(arr: Tensor, obj: Any, values: Any, axis: int | None = None) -> Tensor:
    """`arr` with `values`, in its dtype, before the places `obj`."""
    arr = as_tensor(arr)
    parts: list[Tensor] = []
    places = places_of(arr, parts)
    return picked(np.insert(places, obj, places_of(as_tensor(values).astype(arr.dtype), parts), axis), parts)  # type: ignore[no-any-return]


_PADS = ("edge", "reflect", "symmetric", "wrap")


@answers(np.pad)
@composite
def pad(array: Tensor, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Tensor:
    """More elements around: constants, or the array's own mirrored or repeated."""
    array = as_tensor(array)
    parts: list[Tensor] = []
    places = places_of(array, parts)
    if mode in _PADS:
        return picked(np.pad(places, pad_width, mode), parts)  # type: ignore[no-any-return, call-overload]
    if mode != "constant":
        raise ValueError(f"pad on a Tensor knows the modes constant, {', '.join(_PADS)}, not {mode!r}")
    constants = as_tensor(constant_values).astype(array.dtype)
    filled = np.pad(places, pad_width, constant_values=places_of(constants, parts))
    return picked(filled, parts)  # type: ignore[no-any-return]
