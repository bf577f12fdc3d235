"""What a model is worth on data: the mean loss and the accuracy, whatever the size of the batches."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, get_args

import numpy as np

from .engine.losses import Reduction, cross_entropy
from .engine.recording import no_grad
from .engine.tensor import Array, Tensor, describe
from .nn import Module

Data: TypeAlias = Iterable[tuple[Array, ...]]
Loss: TypeAlias = Callable[..., Tensor]

MEAN, SUM, NONE = get_args(Reduction)


def evaluate(model: Module, data: Data, *, loss: Loss = cross_entropy) -> dict[str, float]:
    """The mean loss and the accuracy of a model, in `eval()` mode and without recording.

    Args:
        model: gives logits for a Tensor of inputs.
        data: batches (inputs, labels), such as `tg.data.batches`. Their sizes make no difference.
        loss: a function of logits and labels. It is asked how much a sample of each class counts in its mean, for
            class weights and `ignore_index`: by `reduction=` where it takes that, as those of `tg` do (also within
            `functools.partial`), else by what it gives for single samples and pairs. Where it is neither mean nor sum
            of theirs, all samples count alike. Of a sum the mean is taken.

    Returns:
        `{"loss": …, "accuracy": …}`, means over the samples. What the loss does not count, such as a sample of
        `ignore_index`, is in neither.

    Raises:
        TypeError: when a batch is no pair, or the loss gives no Tensor.
        ValueError: when there are no batches, no sample counts, or the loss is not one number.

    Example:
        >>> import functools
        >>> import tinygrad_cls as tg
        >>> class Same(tg.nn.Module):
        ...     def forward(self, x):
        ...         return x
        >>> logits = [[0.0, 0.0], [0.0, 0.0], [9.0, 0.0]]
        >>> data = tg.data.batches(logits, [0, 1, -1], batch_size=2)
        >>> loss = functools.partial(tg.cross_entropy, ignore_index=-1, weight=[1.0, 3.0])
        >>> tg.evaluate(Same(), data, loss=loss)["accuracy"]
        0.5
    """
    return evaluated(model, data, Counting(loss))


def evaluated(model: Module, data: Data, counting: Counting) -> dict[str, float]:
    """`evaluate`, with a loss that was asked before how much each sample counts."""
    modes = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    mean = Mean(counting)
    try:
        with no_grad():
            for inputs, labels in pairs(data):
                outputs = model(Tensor(inputs))
                mean.loss += counting.total(outputs, labels, mean.add(outputs, labels))
    finally:
        for module, mode in modes:
            module.training = mode
    return mean.row("the evaluation")


def pairs(data: Data) -> Iterator[tuple[Array, Array]]:
    """The batches of a data set, each looked at.

    Raises:
        TypeError: when one is no pair of inputs and labels.
    """
    for batch in data:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            found = f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
            raise TypeError(
                f"a batch is a pair, inputs and labels, not {found}: give tg.data.batches(inputs, labels, "
                "batch_size=…), or anything that gives such pairs"
            )
        yield batch[0], batch[1]


def checked(value: Any) -> Tensor:
    """What a loss gave, if it is one number in a Tensor.

    Raises:
        TypeError: when it is none.
        ValueError: when it is several.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"the loss gave a {type(value).__name__}, not a Tensor: compute it without .item() or .numpy()")
    if value.size != 1:
        raise ValueError(f'the loss gave {describe(value)}, not one number: reduce it by .mean(), or reduction="mean"')
    return value


class Counting:
    """A loss, and how much each sample counts in its mean: found by asking it, not by its name or options.

    Args:
        loss: a function of logits and labels.
        asks: whether one without `reduction=` is asked too, by calling it on parts of what it is given.
    """

    def __init__(self, loss: Loss, asks: bool = True) -> None:
        self.loss, self.asks = loss, asks
        try:
            reduction = inspect.signature(loss).parameters.get("reduction")
        except (TypeError, ValueError):  # a function without a signature
            reduction = None
        self.reduces: bool = reduction is not None
        self._sums: bool | None = None if asks else False  # None: not known yet
        if reduction is not None:
            self._sums = reduction.default == SUM
        self._weights: dict[int, Array | None] = {}  # by the number of classes

    def total(self, outputs: Tensor, labels: Any, weight: float) -> float:
        """The sum over a batch whose samples count so much."""
        if self.reduces:
            if self.counts(outputs, np.asarray(labels)) is None:
                return checked(self.loss(outputs, labels, reduction=MEAN)).item() * weight
            return checked(self.loss(outputs, labels, reduction=SUM)).item()
        if not weight:
            return 0.0
        value = checked(self.loss(outputs, labels)).item()
        if self._sums is None:
            self._sums = self._adds_up(outputs, labels, value)
        return self.summed(value, weight)

    def summed(self, value: float, weight: float) -> float:
        """The sum over a batch, from what the loss itself gave for it."""
        return value if self._sums else value * weight

    def _adds_up(self, outputs: Tensor, labels: Any, whole: float) -> bool | None:
        """Whether a loss is a sum: then both parts of a batch cost together what it costs. None where that is open."""
        if len(labels) < 2 or not whole:
            return None
        try:
            with np.errstate(all="ignore"):
                parts = [self.loss(outputs[some], labels[some]).item() for some in (slice(0, 1), slice(1, None))]
        except Exception:  # of one that cannot be asked about a part
            return False
        return math.isclose(whole, math.fsum(parts), rel_tol=1e-4)

    def counts(self, outputs: Tensor, labels: Array) -> Array | None:
        """How much each sample counts; None where that cannot be asked, and all count alike."""
        if not (self.reduces or self.asks) or labels.dtype.kind not in "iu" or labels.shape != outputs.shape[:-1]:
            return None
        classes = outputs.shape[-1]
        if classes not in self._weights:
            self._weights[classes] = self._by_reduction(classes) if self.reduces else self._by_pairs(classes)
        weights = self._weights[classes]
        return None if weights is None else np.take(weights, labels.astype(np.int64) + 1, mode="clip")

    # Each gives a weight for each class, between two more for the numbers before and after them: what is no class has
    # a weight where it is a quantity, and none where it is ignored.

    def _by_reduction(self, classes: int) -> Array | None:
        """What a sample of each class counts: its sum by its mean."""
        logits = Tensor(np.zeros((1, classes)))
        weights = np.zeros(classes + 2)
        try:
            with no_grad(), np.errstate(all="ignore"):
                for k in range(classes):
                    total, mean = (self.loss(logits, np.array([k]), reduction=how).item() for how in (SUM, MEAN))
                    weights[k + 1] = total / mean if total else mean == 0  # 0 of 0 where nothing counts is nan
        except (TypeError, ValueError):  # it means something else by "reduction", or by labels
            self.reduces = False
            return None
        return weights

    def _by_pairs(self, classes: int) -> Array | None:
        """The same for a loss of which only a mean or sum is known. None where it is neither for some logits."""
        first, second = np.random.default_rng(0).normal(size=(2, classes, classes))
        try:
            with no_grad(), np.errstate(all="ignore"):
                one, other = self._beside(first), self._beside(second)
        except Exception:  # whatever a loss says to samples that are not its own
            return None
        agree = np.isfinite(one).all() and (one >= 0).all() and np.allclose(one, other, rtol=1e-6)
        return np.round(one, 9) if agree else None

    def _beside(self, logits: Array) -> Array:
        """What a sample of each class counts beside one of the first class that counts, by what they cost alone, a and
        b, and together: a sum is a + b, where both count 1; a mean (a + w b) / (1 + w), from which w follows.
        """
        classes = len(logits)
        alone = [self._cost(logits[k], k) for k in range(classes)]
        costs = np.array([self._cost(logits[0], -1), *alone, self._cost(logits[0], classes)])
        weights: Array = (np.isfinite(costs) & (costs != 0)).astype(float)  # what is ignored costs 0, or 0 of 0
        first, *others = np.flatnonzero(weights[1:-1])
        for k in others:
            a, b, both = alone[first], alone[k], self._cost(logits[[first, k]], [first, k])
            if not math.isclose(both, a + b, rel_tol=1e-4):
                weights[k + 1] = (both - a) / (b - both)
        return weights

    def _cost(self, logits: Array, labels: Any) -> float:
        """What samples of these classes cost; nothing where one has a number that the loss refuses."""
        labels = np.atleast_1d(labels)
        try:
            return self.loss(Tensor(np.atleast_2d(logits)), labels).item()
        except (IndexError, TypeError, ValueError):
            if labels.min() >= 0 and labels.max() < logits.shape[-1]:
                raise
            return 0.0


class Mean:
    """The mean loss and the accuracy over batches of different sizes."""

    def __init__(self, counting: Counting) -> None:
        self.counting = counting
        self.batches: int = 0
        self.samples: int = 0
        self.correct: int = 0
        self.loss: float = 0.0
        self.weight: float = 0.0

    def add(self, outputs: Tensor, labels: Any) -> float:
        """Count the hits of a batch. Returns what the batch weighs: add its losses to `loss` in that proportion."""
        labels = np.asarray(labels)
        counts = self.counting.counts(outputs, labels)
        if labels.ndim == outputs.ndim:  # probabilities
            labels = labels.argmax(axis=-1)
        hits = outputs.numpy().argmax(axis=-1) == labels
        if counts is None:
            samples, weight = labels.size, float(labels.size)
        else:
            samples, weight = int(np.count_nonzero(counts)), float(counts.sum())
            hits = hits[counts > 0]
        self.batches += 1
        self.samples += samples
        self.correct += int(np.count_nonzero(hits))
        self.weight += weight
        return weight

    def row(self, name: str) -> dict[str, float]:
        """Both means by name; `name` is what had the batches, for an error."""
        if not self.batches:
            raise ValueError(
                f"{name} had no batches: the data must give them anew in each pass, as tg.data.batches does; "
                "a generator can be used up only once"
            )
        if not self.weight:
            raise ValueError(f"{name} had no sample that counts: the loss ignores all of them, or gives them weight 0")
        return {"loss": self.loss / self.weight, "accuracy": self.correct / self.samples}
