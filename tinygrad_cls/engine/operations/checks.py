"""Checks of values: operations that give nothing. They run now, and again in each later call of a compiled function.

A condition is called with arrays, and raises when they are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..recording import ADVISERS, Condition, watcher
from ..tensor import Array, Tensor, TensorLike, as_tensor, describe


def check(condition: Condition, *tensors: Tensor) -> None:
    """Run a check of values: now, and in every later call of a function that is being compiled.

    Args:
        condition: raises when the values are wrong; called with one array for each tensor.
        tensors: whose values to check.
    """
    condition(*(t._array for t in tensors))
    if (by := watcher()) is not None:
        by.checked(condition, tensors)


def class_numbers(labels: TensorLike, num_classes: int, ignore_index: int | None = None) -> Tensor:
    """The labels as a Tensor, after a check that each is a class number (or `ignore_index`)."""
    labels = integers(labels)
    check(ClassNumbers(num_classes, ignore_index), labels)
    return labels


def integers(labels: TensorLike) -> Tensor:
    """The labels as a Tensor of integers; an error for anything else."""
    labels = as_tensor(labels)
    if labels._array.dtype.kind in "iu":
        return labels
    if labels.size:
        hint = "convert it with .astype(int)"
        if labels.dtype.kind == "f" and np.isnan(labels._array).any():
            hint = "it holds nan"
        raise TypeError(
            f"class numbers must be integers, got {describe(labels)}: {hint}, "
            "or give probabilities of the logits' shape if that is what you mean"
        )
    return labels.astype(int)  # an empty list is float to NumPy


def floats(x: TensorLike) -> Tensor:
    """Values as floats: the difference of unsigned integers would wrap around."""
    x = as_tensor(x)
    return x if x._array.dtype.kind == "f" else x.astype(float)


def broadcasts_to(role: str, x: TensorLike | None, to: Tensor) -> None:
    """Raise ValueError when what is given cannot be a factor of each element."""
    if x is None:
        return
    x = as_tensor(x)
    if x.ndim > to.ndim or any(n not in (1, m) for n, m in zip(x.shape[::-1], to.shape[::-1], strict=False)):
        raise ValueError(f"{role} must broadcast to {describe(to)}, got {describe(x)}")


def class_scores(loss: str, role: str, x: TensorLike, target: Tensor) -> Tensor:
    """What a loss takes with the classes on the last axis: floats."""
    x = as_tensor(x)
    if x.ndim == 0 or x.dtype.kind != "f":
        raise ValueError(f"{loss}: {role} must be floats with the classes on the last axis, got {describe(x)}")
    ADVISERS[-1].scored(loss, x, target)
    return x


def one_label_each(loss: str, scores: Tensor, target: Tensor) -> None:
    """Check that there is one class number for each row of scores."""
    if target.shape != scores.shape[:-1]:
        hint = "probabilities must be floats" if target.shape == scores.shape else "or probabilities of the full shape"
        raise ValueError(
            f"{loss}: {describe(scores)} needs class numbers of shape {scores.shape[:-1]}, "
            f"got {describe(target)} ({hint})"
        )


def class_weights(weight: TensorLike, scores: Tensor) -> Tensor:
    """One factor for each class, in the dtype of the scores."""
    weight = as_tensor(weight)
    if weight.shape != scores.shape[-1:]:
        raise ValueError(f"weight needs one factor for each of {scores.shape[-1]} classes, got {describe(weight)}")
    return weight if weight.dtype == scores.dtype else weight.astype(scores.dtype)


def same_shape(loss: str, role: str, x: Tensor, target: Tensor) -> None:
    """Check that a loss is given a target of the shape of what it is to be compared with."""
    if x.shape != target.shape:
        raise ValueError(f"{loss}: {role} and target must have equal shapes, got {describe(x)} and {describe(target)}")
    ADVISERS[-1].scored(loss, x, target)


def no_nan(loss: str, target: Tensor) -> None:
    """Check that the target of a loss holds no nan, which only floats can."""
    if target._array.dtype.kind == "f":
        check(NoNan(loss), target)


@dataclass(frozen=True)
class ClassNumbers:
    """The condition that each label is a class number (or `ignore_index`)."""

    num_classes: int
    ignore_index: int | None

    def __call__(self, values: Array) -> None:
        """Raise ValueError with the first label that is neither."""
        unsigned = values.view(f"u{values.itemsize}")  # as such, negative ones are large
        if values.size and np.maximum.reduce(unsigned, axis=None) < self.num_classes:
            return
        wrong = (values < 0) | (values >= self.num_classes)
        if self.ignore_index is not None:
            wrong &= values != self.ignore_index
        if wrong.any():
            at = _first(wrong)
            place = f" at {at[0] if len(at) == 1 else at}" if at else ""
            ignored = "" if self.ignore_index is None else f" (or {self.ignore_index}, which is ignored)"
            if self.ignore_index is None and values[at] < 0:
                ignored = f"; where a loss has ignore_index, {values[at]} there leaves such samples out"
            raise ValueError(
                f"the label {values[at]}{place} is no class number: with {self.num_classes} classes they go from 0 to "
                f"{self.num_classes - 1}{ignored}"
            )


@dataclass(frozen=True)
class NoNan:
    """The condition that the target of a loss holds no nan."""

    loss: str

    def __call__(self, values: Array) -> None:
        """Raise ValueError with the first place of a nan."""
        missing = np.isnan(values)
        if missing.any():
            raise ValueError(f"{self.loss}: the target holds nan, first at {_first(missing)}")


@dataclass(frozen=True)
class Probabilities:
    """The condition that the target of a loss lies between 0 and 1."""

    loss: str

    def __call__(self, values: Array) -> None:
        """Raise ValueError with the range that is too wide."""
        if values.size and (values.min() < 0 or values.max() > 1):
            raise ValueError(f"{self.loss} needs targets from 0 to 1, got {values.min()} to {values.max()}")


def _first(wrong: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(wrong)[0])
