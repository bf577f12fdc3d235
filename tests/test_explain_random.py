"""Random losses with named constants: every derivation holds, and on other data a formula is right or refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import tinygrad_cls as tg

Tensors = dict[str, tg.Tensor]

STEPS: tuple[Callable[[tg.Tensor, tg.Tensor, Tensors], tg.Tensor], ...] = (
    lambda x, y, t: x + y,
    lambda x, y, t: x * y,
    lambda x, y, t: x - y,
    lambda x, y, t: x / (1 + y * y),
    lambda x, y, t: 1 - x,
    lambda x, y, t: x * (x * y).sum(),
    lambda x, y, t: x * tg.max(y),
    lambda x, y, t: t["M"] @ x,
    lambda x, y, t: tg.exp(-x * x),
    lambda x, y, t: tg.log(1 + x * x),
    lambda x, y, t: tg.tanh(x),
    lambda x, y, t: tg.sigmoid(x),
    lambda x, y, t: tg.softmax(x),
    lambda x, y, t: tg.relu(x),
    lambda x, y, t: t["w"] * tg.stop_gradient(x),
)
ENDS: tuple[Callable[[tg.Tensor, Tensors], tg.Tensor], ...] = (
    lambda x, t: x.sum() + (t["w"] * x).sum(),
    lambda x, t: ((x - t["a"]) ** 2).mean() + t["w"].sum(),
    lambda x, t: tg.cross_entropy(x + t["w"], 1),
)


def arrays(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape) for name, shape in (("w", 3), ("a", 3), ("b", 3), ("M", (3, 3)))}


def tensors(data: dict[str, np.ndarray]) -> Tensors:
    return {name: tg.Tensor(array, requires_grad=name == "w", name=name) for name, array in data.items()}


def loss(seed: int, t: Tensors) -> tg.Tensor:
    """The same random operations on any data."""
    rng = np.random.default_rng(seed)
    vectors = [t["w"], t["a"], t["b"]]
    for _ in range(rng.integers(2, 8)):
        step = STEPS[rng.integers(len(STEPS))]
        x, y = (vectors[rng.integers(len(vectors))] for _ in range(2))
        vectors.append(step(x, y, t))
    return ENDS[rng.integers(len(ENDS))](vectors[-1], t)


def gradient(seed: int, data: dict[str, np.ndarray]) -> np.ndarray:
    t = tensors(data)
    loss(seed, t).backward()
    assert t["w"].grad is not None
    return t["w"].grad.numpy()


LATER = [pytest.param(first, marks=pytest.mark.slow) for first in range(100, 1000, 50)]


@pytest.mark.parametrize("first", [0, 50, *LATER])
def test_a_formula_is_right_or_refuses(first: int) -> None:
    answered = 0
    for seed in range(first, first + 50):
        data = arrays(seed)
        t = tensors(data)
        d = tg.explain(loss(seed, t), t["w"])  # warns, and so fails, where a step does not hold
        assert str(d)
        names = {name for name in data if name in d.gradient.names}

        def value(data: dict[str, np.ndarray], d: tg.Derivation = d, names: set[str] = names) -> np.ndarray:
            return d.gradient.evaluate({name: data[name] for name in names})

        np.testing.assert_allclose(value(data), gradient(seed, data), rtol=1e-7, atol=1e-9)
        other = data | {name: array for name, array in arrays(seed + 10_000).items() if name in names}
        try:
            found = value(other)
        except (ValueError, KeyError):
            continue
        answered += 1
        np.testing.assert_allclose(found, gradient(seed, other), rtol=1e-7, atol=1e-9)
    assert answered > 10
