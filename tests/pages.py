"""Losses whose pages many tests look at, written as a user writes them; each page is saved once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_cls as tg
from tinygrad_cls.explanation.outline import Computed, Steps

Saved = Callable[..., Path]
"""The fixture `saved`: the page of a loss, by a way, in a language."""

FEATURES = [[0.5, -1.0], [1.5, 2.0], [-0.3, 0.7]]


def cross_entropy(z: tg.Tensor) -> Any:
    y, p = tg.one_hot(2, 3), tg.softmax(z)
    return -(y * tg.log(p)).sum(), {"y": y, "y′": p}


def squared_error(z: tg.Tensor) -> Any:
    y, p = tg.one_hot(2, 3), tg.softmax(z)
    return ((p - y) ** 2).sum(), {"y": y, "y′": p}


def focal(z: tg.Tensor) -> Any:
    y, p = tg.one_hot(2, 3), tg.softmax(z)
    return -(y * (1 - p) ** 2 * tg.log(p)).sum(), {"y": y, "y′": p}


def binary(z: tg.Tensor) -> Any:
    y, p = tg.Tensor([1.0, 0.0, 1.0], name="y"), tg.sigmoid(z)
    return -(y * tg.log(p) + (1 - y) * tg.log(1 - p)).mean(), {"p": p}


def linear(W: tg.Tensor) -> Any:
    X, b = tg.Tensor(FEATURES, name="X"), tg.Tensor([0.1, 0.0, -0.2], name="b")
    return tg.cross_entropy(X @ W + b, [0, 2, 1]), {}


def two_layers(W: tg.Tensor) -> Any:
    X, W2 = tg.Tensor(FEATURES, name="X"), tg.Tensor([[0.3, -0.7, 1.0], [1.1, 0.2, -0.4], [0.0, 0.6, 0.5]], name="W₂")
    return tg.cross_entropy(tg.tanh(X @ W) @ W2, [0, 2, 1]), {}


def attention(Q: tg.Tensor) -> Any:
    X, K, V = (
        tg.Tensor(x, name=name) for x, name in [(FEATURES, "X"), ([[0.6, -0.2], [0.4, 1.0]], "K"), (np.eye(2), "V")]
    )
    A = tg.softmax((X @ Q) @ (X @ K).mT / np.sqrt(2.0), axis=-1)
    return tg.cross_entropy(A @ (X @ V), [0, 1, 1]), {"A": A}


_SMALL, _LAYER = [1.0, 2.0, 3.0], [[0.4, -0.6, 0.2], [-0.1, 0.9, 0.5]]
LOSSES: dict[str, tuple[Any, str, Any]] = {
    "cross_entropy": (cross_entropy, "z", _SMALL),
    "squared_error": (squared_error, "z", _SMALL),
    "focal": (focal, "z", _SMALL),
    "binary": (binary, "z", [1.0, -2.0, 0.5]),
    "linear": (linear, "W", _LAYER),
    "two_layers": (two_layers, "W₁", _LAYER),
    "attention": (attention, "Q", [[0.8, 0.1], [-0.5, 0.7]]),
}
"""By name the loss, what it is differentiated by, and the numbers of that."""


def explained(loss: str, numbers: Any = None, way: Any = None, lang: str = "en") -> Any:
    """The derivation of one of the losses, at these numbers or at its own."""
    function, name, own = LOSSES[loss]
    x = tg.Tensor(own if numbers is None else numbers, requires_grad=True, name=name)
    value, names = function(x)
    return tg.explain(value, x, names=names, way=way, lang=lang)


@functools.cache
def derived(loss: str = "cross_entropy", way: Any = None, lang: str = "en") -> Any:
    return explained(loss, way=way, lang=lang)


def stops(derivation: Any) -> list[str]:
    """Where one stops between question and result: where something is computed, and at each step."""
    found = []
    for block in derivation.outline:
        if isinstance(block, Computed):
            found += [f"forward-{i}" for i in range(1, len(block.equations) + 1)]
        elif isinstance(block, Steps):
            found += [f"step-{step.number}" for step in block.steps]
    return found


def written(derivation: Any, folder: Path) -> Path:
    """Save a page that only one test looks at."""
    path = folder / "page.html"
    derivation.save(path)
    return path
