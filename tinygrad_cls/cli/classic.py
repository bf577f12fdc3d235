"""The classic losses, each on numbers of your own: what `tinygrad-cls why --loss` can derive."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import tinygrad_cls as tg


class Case(NamedTuple):
    """A loss, what to differentiate it by, and names for its parts."""

    loss: tg.Tensor
    wrt: tg.Tensor
    names: Mapping[str, tg.Tensor] = {}


# --- from their parts, as they stand in the book ------------------------------------------------------------------


@tg.composite
def softmax(z: tg.Tensor) -> tg.Tensor:
    """`exp(z) / Σ exp(z)`."""
    e = tg.exp(z)
    e.name = "e"
    total = tg.sum(e)
    total.name = "S"
    return e / total


@tg.composite
def cross_entropy(prediction: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    """`−Σ y log y′`."""
    return -tg.sum(y * tg.log(prediction))


@tg.composite
def squared_error(prediction: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    """`Σ (y′ − y)²`."""
    return tg.sum(tg.square(prediction - y))


def _by_hand(loss: Callable[[tg.Tensor, tg.Tensor], tg.Tensor]) -> Callable[[np.ndarray[Any, Any], int], Case]:
    def case(logits: np.ndarray[Any, Any], label: int) -> Case:
        z = _z(logits)
        y = tg.one_hot(label, len(logits)).detach()
        y.name = "y"
        prediction = softmax(z)
        prediction.name = "y′"
        result = loss(prediction, y)
        result.name = "loss"
        return Case(result, z)

    return case


# --- the library's --------------------------------------------------------------------------------------------------


def _z(logits: np.ndarray[Any, Any]) -> tg.Tensor:
    return tg.Tensor(logits, requires_grad=True, name="z")


def _y(label: int, classes: int) -> tg.Tensor:
    y = tg.one_hot(label, classes)
    y.name = "y"
    return y


def _bits(logits: np.ndarray[Any, Any], label: int) -> tg.Tensor:
    """One yes-or-no question for each logit; the label's is answered by yes."""
    return tg.Tensor(np.eye(len(logits))[label], name="y")


def _stable(logits: np.ndarray[Any, Any], label: int) -> Case:
    z = _z(logits)
    return Case(tg.cross_entropy(z, label), z, {"y′": tg.softmax(z), "y": _y(label, len(logits))})


def _batch(logits: np.ndarray[Any, Any], label: int) -> Case:
    z = _z(np.stack([logits, logits[::-1]]))
    labels = tg.Tensor([label, len(logits) - 1 - label], name="labels")
    return Case(tg.cross_entropy(z, labels), z, {"y′": tg.softmax(z), "y": tg.one_hot(labels, len(logits))})


def _linear(logits: np.ndarray[Any, Any], label: int) -> Case:
    X = tg.Tensor([[1.0, -0.5], [0.3, 2.0], [-1.0, 0.7]], name="X")
    W = tg.Tensor(np.stack([logits, logits[::-1]]) / 4, requires_grad=True, name="W")
    b = tg.Tensor(np.zeros(len(logits)), requires_grad=True, name="b")
    labels = tg.Tensor([label, 0, len(logits) - 1], name="labels")
    z = X @ W + b
    return Case(tg.cross_entropy(z, labels), W, {"y′": tg.softmax(z), "y": tg.one_hot(labels, len(logits))})


def _smoothing(logits: np.ndarray[Any, Any], label: int, smoothing: float = 0.1) -> Case:
    z = _z(logits)
    return Case(tg.cross_entropy(z, label, label_smoothing=smoothing), z, {"y′": tg.softmax(z)})


def _temperature(logits: np.ndarray[Any, Any], label: int, temperature: float = 2.0) -> Case:
    z, T = _z(logits), tg.Tensor(temperature, name="T")
    return Case(tg.cross_entropy(z / T, label), z, {"y′": tg.softmax(z / T), "y": _y(label, len(logits))})


def _logsumexp(logits: np.ndarray[Any, Any], _label: int) -> Case:
    z = _z(logits)
    return Case(tg.logsumexp(z), z)


def _binary(logits: np.ndarray[Any, Any], label: int) -> Case:
    z = _z(logits)
    return Case(tg.binary_cross_entropy_with_logits(z, _bits(logits, label), reduction="none").sum(), z)


def _two_classes(logits: np.ndarray[Any, Any], label: int) -> Case:
    d = tg.Tensor(logits[:1] - logits[1:2], requires_grad=True, name="d")
    labels = tg.Tensor([label % 2], name="labels")
    loss = tg.cross_entropy(tg.stack([d * 0, d], axis=1), labels, reduction="none").sum()
    return Case(loss, d, {"y": tg.one_hot(labels, 2)})


def _sigmoid_squared(logits: np.ndarray[Any, Any], label: int) -> Case:
    z = _z(logits)
    return Case(((tg.sigmoid(z) - _bits(logits, label)) ** 2).sum(), z, {"σ": tg.sigmoid(z)})


def _data_and_weights(logits: np.ndarray[Any, Any], label: int) -> tuple[tg.Tensor, tg.Tensor]:
    """The squared error of a linear model, its inputs made of the logits; and its weights."""
    X = tg.Tensor(np.stack([logits, logits[::-1], np.ones(len(logits))]), name="X")
    w = tg.Tensor(np.linspace(-1, 1, len(logits)), requires_grad=True, name="w")
    t = tg.Tensor([1.0, -1.0, float(label)], name="t")
    return tg.mse_loss(X @ w, t), w


def _regression(logits: np.ndarray[Any, Any], label: int) -> Case:
    return Case(*_data_and_weights(logits, label))


def _ridge(logits: np.ndarray[Any, Any], label: int, penalty: float = 0.1) -> Case:
    loss, w = _data_and_weights(logits, label)
    return Case(loss + tg.Tensor(penalty, name="λ") * (w**2).sum(), w)


def _lasso(logits: np.ndarray[Any, Any], label: int, penalty: float = 0.1) -> Case:
    loss, w = _data_and_weights(logits, label)
    return Case(loss + tg.Tensor(penalty, name="λ") * abs(w).sum(), w)


def _network(logits: np.ndarray[Any, Any], label: int) -> Case:
    rng = np.random.default_rng(0)
    X = tg.Tensor(rng.normal(size=(4, 2)), name="X")
    W1 = tg.Tensor(rng.normal(size=(2, 5)), requires_grad=True, name="W₁")
    W2 = tg.Tensor(rng.normal(size=(5, len(logits))), requires_grad=True, name="W₂")
    h = tg.tanh(X @ W1)
    h.name = "h"
    z = h @ W2 + logits
    labels = tg.Tensor([label, 0, len(logits) - 1, label], name="labels")
    return Case(tg.cross_entropy(z, labels), W1, {"y′": tg.softmax(z), "y": tg.one_hot(labels, len(logits))})


def _hessian(logits: np.ndarray[Any, Any], label: int) -> Case:
    z, v = _z(logits), tg.Tensor(np.linspace(1, 2, len(logits)), name="v")
    slope = tg.grad(lambda z: tg.cross_entropy(z, label))(z)
    return Case((slope * v).sum(), z, {"y′": tg.softmax(z)})


CLASSIC: dict[str, Callable[..., Case]] = {
    "cross_entropy": _by_hand(cross_entropy),
    "mse": _by_hand(squared_error),
    "stable_cross_entropy": _stable,
    "batch": _batch,
    "linear": _linear,
    "label_smoothing": _smoothing,
    "temperature": _temperature,
    "logsumexp": _logsumexp,
    "binary_cross_entropy": _binary,
    "two_classes": _two_classes,
    "sigmoid_mse": _sigmoid_squared,
    "linear_regression": _regression,
    "ridge": _ridge,
    "lasso": _lasso,
    "network": _network,
    "hessian_vector": _hessian,
}
"""From the name of a loss to the case that it makes of logits, a label, and options of its own."""
OF_ITS_PARTS = {"cross_entropy": "−Σ y log y′", "mse": "Σ (y′ − y)²"}
"""The losses that are built from exp, Σ, log and × on softmax, with their formulas."""
CLASSES = {"two_classes": 2}
"""How many logits a loss takes, where that is not for the user to say."""


def options_of(loss: str) -> tuple[str, ...]:
    """The options that a loss takes: a parameter that it does not use begins with an underscore."""
    return tuple(name for name in inspect.signature(CLASSIC[loss]).parameters if not name.startswith("_"))
