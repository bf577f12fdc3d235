"""The losses, composed from operations; the meanings of the options are PyTorch's."""

from __future__ import annotations

from typing import Literal, TypeAlias

from .functional import log_softmax, one_hot
from .operations import checks, expand_dims, mean, not_equal, softplus, square, sum, where
from .operations.selecting import select
from .recording import composite
from .tensor import Tensor, TensorLike, as_tensor, describe

Reduction: TypeAlias = Literal["mean", "sum", "none"]

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "mse_loss", "nll_loss"]


@composite
def mse_loss(prediction: TensorLike, target: TensorLike, reduction: Reduction = "mean") -> Tensor:
    """The squared error, `(prediction − target)²`.

    Args:
        prediction: floats of any shape.
        target: of the same shape: nothing is broadcast.
        reduction: "mean" or "sum" over all elements, or "none".

    Raises:
        ValueError: when the shapes differ, the target holds nan, or `reduction` is none of the three.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.mse_loss(tg.Tensor([1.0, 2.0], requires_grad=True), [0.0, 4.0]).item()
        2.5
    """
    prediction, target = as_tensor(prediction), as_tensor(target)
    checks.same_shape("mse_loss", "prediction", prediction, target)
    checks.no_nan("mse_loss", target)
    return _reduced(square(prediction - target), reduction)


@composite
def cross_entropy(
    logits: TensorLike,
    target: TensorLike,
    *,
    weight: TensorLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """The cross-entropy between the target and softmax of the logits, `−Σ y log y′`.

    Where `y` is 0 nothing is added, whatever `log y′` is: classes masked by a logit of -inf cost nothing, and an
    ignored sample may hold nan.

    Args:
        logits: floats of shape (..., K), the classes on the last axis.
        target: class numbers of shape (...), or probabilities `y` of the logits' shape (floats; their rows
            usually sum to 1, which is not required).
        weight: one factor for each class, shape (K,).
        ignore_index: a class number (outside the range too) whose samples do not count. With class numbers only.
        label_smoothing: from 0 to 1: the part of each row of `y` that is spread evenly over all classes.
        reduction: "sum" over the samples, "none", or "mean": with class numbers the mean weighted by the
            weights of the target classes, with probabilities the plain mean over the samples.

    Returns:
        A scalar, or shape (...) for "none".

    Raises:
        TypeError: when floats of another shape are given where class numbers are meant.
        ValueError: when a label is out of range, the shapes do not fit, the target holds nan, or an option is wrong.

    Example:
        >>> import tinygrad_cls as tg
        >>> z = tg.Tensor([[1.0, 2.0, 3.0]], requires_grad=True)
        >>> loss = tg.cross_entropy(z, [2])
        >>> loss.backward()
        >>> z.grad
        Tensor([[ 0.09003057,  0.24472847, -0.33475904]])
    """
    target = as_tensor(target)
    logits = checks.class_scores("cross_entropy", "logits", logits, target)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1, not {label_smoothing}")
    if target.dtype.kind == "f" and target.shape == logits.shape:
        if ignore_index is not None:
            raise ValueError("ignore_index names a class number, but the target holds probabilities")
        checks.no_nan("cross_entropy", target)
        y, counts = target, None
    else:
        y, counts = _coded("cross_entropy", logits, target, weight, ignore_index)
    rows = 1 if ignore_index is None else sum(y, axis=-1, keepdims=True)  # 0 for the ignored, be they nan
    logits = logits if ignore_index is None else select(rows, logits)
    if label_smoothing:
        smooth = label_smoothing / logits.shape[-1]
        y = y * (1 - label_smoothing) + smooth * rows
    return _entropy(log_softmax(logits), y, weight, counts, reduction)


@composite
def nll_loss(
    log_probabilities: TensorLike,
    target: TensorLike,
    *,
    weight: TensorLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """The negative log-likelihood of the target classes, `−log y′[target]`; what stands elsewhere does not count.

    Args:
        log_probabilities: floats of shape (..., K), such as `log_softmax` gives; the classes on the last axis.
        target: class numbers of shape (...).
        weight: one factor for each class, shape (K,).
        ignore_index: a class number (outside the range too) whose samples do not count.
        reduction: "sum", "none", or "mean", weighted by the weights of the target classes.

    Returns:
        A scalar, or shape (...) for "none".

    Raises:
        TypeError, ValueError: as for `cross_entropy`.

    Example:
        >>> import tinygrad_cls as tg
        >>> z = tg.Tensor([[1.0, 2.0, 3.0]], requires_grad=True)
        >>> round(tg.nll_loss(tg.log_softmax(z), [2]).item(), 6)
        0.407606
    """
    target = as_tensor(target)
    log_probabilities = checks.class_scores("nll_loss", "log_probabilities", log_probabilities, target)
    y, counts = _coded("nll_loss", log_probabilities, target, weight, ignore_index)
    return _entropy(log_probabilities, y, weight, counts, reduction)


@composite
def binary_cross_entropy_with_logits(
    logits: TensorLike,
    target: TensorLike,
    *,
    weight: TensorLike | None = None,
    pos_weight: TensorLike | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """The cross-entropy of two classes, `−(y log σ(z) + (1 − y) log(1 − σ(z)))`.

    Computed through `−log σ(z) = softplus(−z)` and `−log(1 − σ(z)) = softplus(z)`, which stay exact at both ends.

    Args:
        logits: floats `z` of any shape, each the score of the positive class.
        target: of the same shape: the probability `y` of the positive class, from 0 to 1.
        weight: a factor for each element, broadcast against the logits.
        pos_weight: a factor for the positive part, broadcast against the logits.
        reduction: "mean" or "sum" over all elements, or "none".

    Raises:
        ValueError: when the logits are no floats, the shapes do not fit, the target holds nan or leaves the range
            from 0 to 1, or `reduction` is none of the three.

    Example:
        >>> import tinygrad_cls as tg
        >>> z = tg.Tensor([0.0, 2.0], requires_grad=True)
        >>> tg.binary_cross_entropy_with_logits(z, [1.0, 0.0], reduction="sum").backward()
        >>> z.grad
        Tensor([-0.5       ,  0.88079708])
    """
    logits, y = as_tensor(logits), as_tensor(target)
    if logits.dtype.kind != "f":
        raise ValueError(f"binary_cross_entropy_with_logits: logits must be floats, got {describe(logits)}")
    checks.same_shape("binary_cross_entropy_with_logits", "logits", logits, y)
    checks.no_nan("binary_cross_entropy_with_logits", y)
    checks.check(checks.Probabilities("binary_cross_entropy_with_logits"), y)
    if y.dtype != logits.dtype:
        y = y.astype(logits.dtype)
    for name, factor in (("weight", weight), ("pos_weight", pos_weight)):
        checks.broadcasts_to(name, factor, logits)
    positive = select(y, softplus(-logits))
    if pos_weight is not None:
        positive = select(pos_weight, positive)
    losses = positive + select(1 - y, softplus(logits))
    if weight is not None:
        losses = select(weight, losses)
    return _reduced(losses, reduction)


def _coded(
    name: str, scores: Tensor, target: Tensor, weight: TensorLike | None, ignore_index: int | None
) -> tuple[Tensor, Tensor | None]:
    """Class numbers as one-hot rows (of zeros for the ignored), and what each sample counts in the mean, if not 1."""
    checks.one_label_each(name, scores, target)
    classes = scores.shape[-1]
    if ignore_index is None:
        y = one_hot(target, classes, scores.dtype)
    else:
        labels = checks.class_numbers(target, classes, ignore_index)
        counted = not_equal(labels, ignore_index)
        y = one_hot(where(counted, labels, 0), classes, scores.dtype) * expand_dims(counted, -1)
    if weight is None:
        return y, None if ignore_index is None else sum(y, axis=-1)
    return y, sum(select(y, checks.class_weights(weight, scores)), axis=-1)


def _entropy(
    log_probabilities: Tensor, y: Tensor, weight: TensorLike | None, counts: Tensor | None, reduction: Reduction
) -> Tensor:
    """`−Σ w y log y′` over the classes, then reduced over the samples."""
    if weight is not None:
        y = select(y, checks.class_weights(weight, log_probabilities))
    losses = -sum(select(y, log_probabilities), axis=-1)
    if reduction == "mean" and counts is not None:
        return sum(losses) / sum(counts)
    return _reduced(losses, reduction)


def _reduced(losses: Tensor, reduction: Reduction) -> Tensor:
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f'reduction must be "mean", "sum" or "none", not {reduction!r}')
