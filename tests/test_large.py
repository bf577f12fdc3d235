"""Depth and size: nothing recurses, time grows in proportion, memory comes back."""

from __future__ import annotations

import gc
import sys
import time
import weakref
from typing import Any

import numpy as np
import pytest

import tinygrad_cls as tg


def chain(length: int) -> tuple[tg.Tensor, tg.Tensor]:
    x = tg.Tensor(1.0, requires_grad=True)
    out = x
    for _ in range(length):
        out = out + 1.0
    return x, out


def seconds(run: Any, repeats: int = 3) -> float:
    """The shortest of a few runs in processor time, without the cyclic collector in between."""
    gc.collect()
    gc.disable()
    try:
        times = []
        for _ in range(repeats):
            start = time.process_time()
            run()
            times.append(time.process_time() - start)
        return min(times)
    finally:
        gc.enable()


@pytest.mark.parametrize("length", [10_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_long_chain_runs_forward_and_back_and_is_released(length: int) -> None:
    assert length > 5 * sys.getrecursionlimit()
    x, out = chain(length)
    assert out.item() == 1.0 + length
    out.backward()
    assert x.grad.item() == 1.0
    first = weakref.ref(out)
    middle = out.inputs[0]
    last = weakref.ref(middle)
    del out, middle
    assert first() is None
    assert last() is None


def test_a_long_chain_has_a_recorded_gradient_and_is_released() -> None:
    def f(x: Any) -> Any:
        for _ in range(10_000):
            x = x * 1.0
        return x * x

    assert tg.grad(tg.grad(f))(3.0).item() == 2.0


def test_a_long_chain_of_composites_nested_in_scopes() -> None:
    x = tg.Tensor([0.5, 1.0], requires_grad=True)
    out = x
    for _ in range(2_000):
        out = tg.softmax(out) + x
    out.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_a_wide_fan_adds_up_every_use() -> None:
    x = tg.Tensor(1.0, requires_grad=True)
    tg.sum(tg.stack([x * float(i) for i in range(3_000)])).backward()
    assert x.grad.item() == sum(range(3_000))


@pytest.mark.parametrize("what", ["forward", "backward", "grad"])
def test_time_grows_in_proportion_to_length(what: str) -> None:
    def run(length: int) -> float:
        if what == "forward":
            return seconds(lambda: chain(length))
        if what == "backward":
            _, out = chain(length)
            return seconds(lambda: out.backward(retain_graph=True))
        return seconds(lambda: tg.grad(lambda x: _plus(x, length))(1.0))

    short, long = run(2_000), run(20_000)
    assert long / short < 40  # 10 in proportion, 100 if it were quadratic


def _plus(x: Any, length: int) -> Any:
    for _ in range(length):
        x = x + 1.0
    return x


def test_gradients_of_shared_halves_are_found_without_walking_every_path() -> None:
    x = tg.Tensor(1.0, requires_grad=True)
    out = x
    for _ in range(200):
        out = (out + out) * 0.5  # 2^200 paths
    out.backward()
    assert x.grad.item() == 1.0
