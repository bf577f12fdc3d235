"""Mini-batches and splits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..engine.tensor import Array
from ..phrases import teach
from ..vocabulary_training import BATCHES

Randomness = np.random.Generator | int | None


class Batches:
    """Mini-batches of arrays, as `batches` makes them. Each pass over it is one epoch."""

    def __init__(
        self,
        arrays: tuple[Array, ...],
        batch_size: int,
        generator: np.random.Generator | None,
        drop_last: bool,
    ) -> None:
        self.arrays = arrays
        self.batch_size = batch_size
        self.generator = generator  # None: no shuffling
        self.drop_last = drop_last

    def __len__(self) -> int:
        whole, rest = divmod(self.arrays[0].shape[0], self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        order = None if self.generator is None else self.generator.permutation(self.arrays[0].shape[0])
        for i in range(len(self)):
            chosen = slice(i * self.batch_size, (i + 1) * self.batch_size)
            if order is None:
                yield tuple(array[chosen] for array in self.arrays)
            else:
                yield tuple(array[order[chosen]] for array in self.arrays)


def batches(
    *arrays: npt.ArrayLike,
    batch_size: int,
    shuffle: bool = False,
    generator: Randomness = None,
    drop_last: bool = False,
) -> Batches:
    """Mini-batches of arrays of equal length, cut along the first axis in the same places.

    Args:
        arrays: anything that NumPy takes for an array, such as inputs and labels.
        batch_size: samples in a batch; the last one has what is left.
        shuffle: a new order in each pass.
        generator: for shuffling: a `numpy.random.Generator`, or the seed of one.
        drop_last: leave out the last batch when it is short.

    Returns:
        A sequence-like object: `len()` is the number of batches, each pass gives tuples of arrays.

    Raises:
        ValueError: when no arrays are given, their lengths differ, or `batch_size` is less than 1.
        TypeError: when an array has no axes, or requires gradients.

    Example:
        >>> import tinygrad_cls as tg
        >>> for x, y in tg.data.batches([1, 2, 3], [10, 20, 30], batch_size=2, shuffle=True, generator=0):
        ...     print(x, y)
        [3 1] [30 10]
        [2] [20]
    """
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of 1 or more, not {batch_size!r}")
    chosen = np.random.default_rng(generator) if shuffle else None
    return Batches(_equally_long("batches", arrays), int(batch_size), chosen, drop_last)


def split(
    *arrays: npt.ArrayLike,
    fractions: Sequence[float],
    generator: Randomness,
    stratify: npt.ArrayLike | None = None,
) -> list[tuple[Array, ...]]:
    """Shuffled parts of arrays of equal length, such as training, validation and test data.

    Args:
        arrays: anything that NumPy takes for an array, such as inputs and labels.
        fractions: the size of each part, adding up to 1.
        generator: a `numpy.random.Generator`, or the seed of one.
        stratify: labels, one a sample: each part gets its fraction of every class, to within one sample.

    Returns:
        For each part a tuple with its piece of every array. Each sample is in exactly one part.

    Raises:
        TypeError: when `fractions` is no tuple or list.
        ValueError: when the lengths differ, the fractions are not positive or do not add up to 1, a part would be
            empty, or a class of `stratify` has fewer samples than there are parts.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> train, test = tg.data.split(np.arange(10), fractions=(0.8, 0.2), generator=0)
        >>> train[0], test[0]
        (array([4, 6, 2, 7, 3, 5, 9, 0]), array([8, 1]))
    """
    pieces = _equally_long("split", arrays)
    count = len(pieces[0])
    if not isinstance(fractions, Sequence):
        raise TypeError(f"split needs the fraction of each part, such as (0.8, 0.2), not {fractions!r}")
    if not fractions or not all(fraction > 0 for fraction in fractions) or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"split needs positive fractions that add up to 1, got {tuple(fractions)}")
    cuts = [round(float(cut) * count) for cut in np.cumsum(fractions)[:-1]]
    if any(end <= start for start, end in zip([0, *cuts], [*cuts, count], strict=True)):
        raise ValueError(f"split: {count} samples are too few for parts of {tuple(fractions)}: one would be empty")
    order = np.random.default_rng(generator).permutation(count)
    if stratify is not None:
        order = _evenly_mixed(order, np.asarray(stratify), len(fractions))
    return [tuple(piece[chosen] for piece in pieces) for chosen in np.split(order, cuts)]


def _evenly_mixed(order: Array, labels: Array, parts: int) -> Array:
    """`order` rearranged so that every stretch of it has its share of each class.

    The k-th of the n samples of a class goes to the place (k + ½) / n of the way.
    """
    if labels.shape != order.shape:
        raise ValueError(f"stratify needs one label for each of {len(order)} samples, got shape {labels.shape}")
    place = np.empty(len(order))
    for label in np.unique(labels):
        members = np.flatnonzero(labels[order] == label)
        if len(members) < parts:
            raise ValueError(f"the class {label} has {len(members)} samples, too few for {parts} parts with stratify")
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(place, kind="stable")]


def _equally_long(name: str, given: tuple[npt.ArrayLike, ...]) -> tuple[Array, ...]:
    if not given:
        raise ValueError(f"{name} needs one array or more")
    arrays = tuple(np.asarray(array) for array in given)
    for i, array in enumerate(arrays):
        if array.ndim == 0:
            raise TypeError(f"{name}: array {i} ({type(given[i]).__name__}) has no axis to cut along")
        if len(array) != len(arrays[0]):
            lengths = ", ".join(str(len(each)) if each.ndim else "none" for each in arrays)
            raise ValueError(f"{name} needs arrays of equal length, got {lengths}")
    return arrays


teach(Batches, BATCHES)
