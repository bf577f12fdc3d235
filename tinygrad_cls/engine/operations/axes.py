"""Which axis of an operand meets which axis of the result, by their shapes: what entries say in `meets`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from numpy.lib.array_utils import normalize_axis_tuple

from ..operation import Pairs

Shape: TypeAlias = tuple[int, ...]


def aligned(out: Shape, /, *shapes: Shape, **_: Any) -> list[Pairs]:
    """Operands that broadcast: axes meet from the last one back."""
    return [[(i, len(out) - len(shape) + i) for i in range(len(shape))] for shape in shapes]


def folded(axis: Any, ndim: int) -> list[int]:
    """The axes that a reduction folds, as positions from 0, in order."""
    if axis is None or ndim == 0:  # NumPy lets a single number be folded along an axis that it does not have
        return list(range(ndim))
    return sorted(normalize_axis_tuple(axis, ndim))


def kept(out: Shape, x: Shape, /, axis: Any, keepdims: bool, **_: Any) -> list[Pairs]:
    """The axes that a reduction leaves."""
    gone = folded(axis, len(x))
    left = [i for i in range(len(x)) if i not in gone]
    return [[(i, i if keepdims else j) for j, i in enumerate(left)]]


def unit_moves(out: Shape, x: Shape, /, **_: Any) -> list[Pairs]:
    """Of a reshape that only adds or drops axes of length 1; of any other none."""
    old, new = ([i for i, n in enumerate(shape) if n != 1] for shape in (x, out))
    same = [x[i] for i in old] == [out[i] for i in new]
    return [list(zip(old, new, strict=True)) if same else []]


def permuted(out: Shape, x: Shape, /, axes: Sequence[int]) -> list[Pairs]:
    """Each axis at its new place."""
    return [[(own, i) for i, own in enumerate(axes)]]


def matrix_product(out: Shape, a: Shape, b: Shape, /) -> list[Pairs]:
    """The last axis of `a` meets the last but one of `b`: an inner axis, beyond those of the result."""
    ndim = len(out)
    rows = ndim - (len(b) > 1) - 1  # where the rows of `a` stand in the result
    left = [(len(a) - 1, ndim), *((len(a) - 2 - j, rows - j) for j in range(len(a) - 1))]
    right = [(max(len(b) - 2, 0), ndim)]
    if len(b) > 1:
        right.append((len(b) - 1, ndim - 1))
        first = ndim - 2 - (len(a) > 1)
        right += [(len(b) - 3 - j, first - j) for j in range(len(b) - 2)]
    return [left, right]


def subscripted(out: Shape, /, *shapes: Shape, subscripts: str) -> list[Pairs]:
    """Equal letters meet; the letters that the result lacks are inner axes."""
    inputs, output = subscripts.split("->")
    letters = output + "".join(sorted(set(inputs) - {",", *output}))
    return [[(i, letters.index(letter)) for i, letter in enumerate(term)] for term in inputs.split(",")]


def picked(shape: Shape, index: Sequence[Any]) -> tuple[Pairs, Pairs] | None:
    """For an index of whole slices, None, `...` and single places: which axis is which, and the places picked."""
    used = sum(part is not None and part is not Ellipsis for part in index)
    if not any(part is Ellipsis for part in index):
        index = (*index, Ellipsis)
    pairs: list[tuple[int, int]] = []
    places: list[tuple[int, int]] = []
    own = new = 0
    for part in index:
        if part is None:
            new += 1
        elif part is Ellipsis:
            for _ in range(len(shape) - used):
                pairs.append((own, new))
                own, new = own + 1, new + 1
        elif isinstance(part, int):
            places.append((own, part % shape[own]))
            own += 1
        elif isinstance(part, slice):
            chosen = range(*part.indices(shape[own]))
            if chosen == range(shape[own]):
                pairs.append((own, new))
            elif len(chosen) == 1:
                places.append((own, chosen[0]))
            else:
                return None
            own, new = own + 1, new + 1
        else:
            return None
    return pairs, places


class Picked(NamedTuple):
    """What an index with arrays does to each axis.

    Attributes:
        whole: axes that stay, each with its axis of the result.
        places: axes picked at one place.
        by_array: axes picked by an array, each with the number of the array.
        first: the axis of the result at which the common axes of the arrays begin.
        ndim: how many these are.
    """

    whole: Pairs
    places: Pairs
    by_array: Pairs
    first: int
    ndim: int


def picked_by_arrays(shape: Shape, index: Sequence[Any], arrays: Sequence[Shape]) -> Picked | None:
    """For an index with arrays of integers, among whole slices, None, `...` and single places, by their shapes.

    None for other slices. A part that is none of these stands for an array. Single places count as arrays to NumPy:
    where the arrays are apart, their axes come first in the result.
    """
    used = sum(part is not None and part is not Ellipsis for part in index)
    if not any(part is Ellipsis for part in index):
        index = (*index, Ellipsis)
    ndim = max(map(len, arrays))
    whole: list[tuple[int, int]] = []
    places: list[tuple[int, int]] = []
    by_array: list[tuple[int, int]] = []
    firsts: list[int] = []  # where each run of arrays would stand
    own = new = 0
    inside = False
    for part in index:
        length = len(shape) - used if part is Ellipsis else 0 if part is None else 1
        if part is None or part is Ellipsis or isinstance(part, slice):
            if isinstance(part, slice) and range(*part.indices(shape[own])) != range(shape[own]):
                return None
            whole += [(own + i, new + i) for i in range(length)]
            new += 1 if part is None else length
            inside = False
        else:
            if isinstance(part, int):
                places.append((own, part % shape[own]))
            else:
                by_array.append((own, len(by_array)))
            if not inside:
                firsts.append(new)
            inside = True
        own += length
    first = firsts[0] if len(firsts) == 1 else 0
    return Picked([(a, b if b < first else b + ndim) for a, b in whole], places, by_array, first, ndim)


def are_slices(shapes: Sequence[Shape], axis: int) -> bool:
    """Whether several parts are all of length 1 along the axis."""
    return all(shape[axis] == 1 for shape in shapes)


def beside(out: Shape, /, *shapes: Shape, axis: int) -> list[Pairs]:
    """Single slices side by side, along a new axis; where some part is longer, nothing meets."""
    kept_axes = [(i, i) for i in range(len(out)) if i != axis % len(out)] if are_slices(shapes, axis) else []
    return [kept_axes for _ in shapes]


class _Array:
    """Stands in an index for an array, which is an operand of its own."""

    def __repr__(self) -> str:
        return "array"


ARRAY = _Array()


def filled(index: tuple[Any, ...], arrays: Sequence[Any]) -> tuple[Any, ...]:
    """The index with its arrays in their places."""
    waiting = iter(arrays)
    return tuple(next(waiting) if part is ARRAY else part for part in index)
