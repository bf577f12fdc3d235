"""What the estimators are given: samples, dense or sparse, and how much each of them counts."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.sparsefuncs import mean_variance_axis

from .. import nn, training
from ..data import Batches, batches
from ..engine.operations.reductions import mean
from ..engine.tensor import Array, Tensor

ClassWeight: TypeAlias = Mapping[Any, float] | Literal["balanced"] | None


def is_count(value: Any) -> bool:
    """Whether it is a whole number of 1 or more."""
    return isinstance(value, int | np.integer) and bool(value >= 1)


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, numbers.Real) and math.isfinite(value)


def is_sparse(X: Any) -> bool:  # noqa: N803 (scikit-learn's name)
    """Whether it is one of SciPy's sparse matrices or arrays."""
    return hasattr(X, "toarray")


def dense(X: Any) -> Array:  # noqa: N803
    """The rows as an array."""
    return np.asarray(X.toarray()) if is_sparse(X) else np.asarray(X)


class SparseBatches(Batches):
    """Mini-batches of which the inputs are sparse: they become dense batch by batch."""

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        for inputs, *others in super().__iter__():
            yield (dense(inputs), *others)


def batched(X: Any, target: Array, batch_size: int, generator: np.random.Generator | None) -> Batches:  # noqa: N803
    """Mini-batches, in a new order each time if there is a generator."""
    shuffle = generator is not None
    if not is_sparse(X):
        return batches(X, target, batch_size=batch_size, shuffle=shuffle, generator=generator)
    plain = batches(target, batch_size=batch_size, shuffle=shuffle, generator=generator)
    return SparseBatches((X, target), plain.batch_size, plain.generator, plain.drop_last)


def standardized_by(X: Any, weights: Array | None) -> nn.Standardize:  # noqa: N803
    """The layer that brings the samples to mean 0 and deviation 1."""
    if not is_sparse(X):
        return nn.Standardize(X, weights)
    average, variance = mean_variance_axis(X.astype(np.float64), axis=0, weights=weights)
    two = np.stack([average - np.sqrt(variance), average + np.sqrt(variance)])  # of the same mean and deviation
    return nn.Standardize(two.astype(X.dtype))


def weights_of_classes(given: ClassWeight, classes: Array, labels: Array | None) -> Array | None:
    """The weight of each class; "balanced" by these labels.

    Raises:
        ValueError: when it is neither a dict nor "balanced" nor None, names no class, or has wrong numbers.
    """
    if given is None:
        return None
    if given == "balanced":
        assert labels is not None
        present = np.unique(labels)
        weights = np.ones(len(classes))
        weights[present] = compute_class_weight("balanced", classes=present, y=labels)
        return weights
    if not isinstance(given, Mapping):
        raise ValueError(f'class_weight must be a dict, "balanced" or None, not {given!r}')
    names = classes.tolist()
    if unknown := [name for name in given if name not in names]:
        raise ValueError(f"class_weight names {unknown[0]!r}, which is none of the classes {classes}")
    weights = np.array([given.get(name, 1.0) for name in names], dtype=float)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(f"class weights must be 0 or more, finite and not all 0, got {given}")
    return weights


def weights_of_samples(given: Any, count: int) -> Array | None:
    """The weight of each sample.

    Raises:
        ValueError: when there is not one number of 0 or more for each, or all are 0.
    """
    if given is None:
        return None
    weights = np.asarray(given, dtype=float)
    if weights.ndim == 0:
        weights = np.full(count, float(weights))
    if weights.shape != (count,):
        raise ValueError(f"sample_weight needs one number for each of {count} samples, got shape {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample weights must be 0 or more, and finite")
    if not weights.any():
        raise ValueError("all sample weights are zero, so that nothing counts")
    return weights


class Weighted:
    """A loss whose target may be one-hot rows, each times the weight of its sample. A class, so that it can be pickled.

    The mean is over the samples, whatever they weigh: a batch of heavy samples counts for more.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, logits: Tensor, target: Any) -> Tensor:
        """The mean loss of logits of shape (samples, K), for class numbers or weighted rows of shape (samples, K)."""
        loss = training.LOSSES[self.name]
        if np.ndim(target) == 1:
            return loss(logits, target)
        weights = target.sum(axis=-1)
        return mean(loss(logits, target / weights[:, None], reduction="none") * weights)
