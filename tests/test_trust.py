"""What must hold always: exact losses, masks, grad modes, threads, memory, and work that grows as its input does."""

from __future__ import annotations

import gc
import sys
import threading
from typing import Any

import mpmath
import numpy as np
import pytest
from helpers import operations_of

import tinygrad_cls as tg

# --- the worst error of each loss ---------------------------------------------------------------------------------
# In units in the last place of max(1, |value|) of the dtype, against 60 digits.

mpmath.mp.dps = 60
M = mpmath.mpf


def logits_of(dtype: Any) -> Any:
    rng = np.random.default_rng(0)
    rows = [rng.uniform(-scale, scale, (40, 5)) for scale in (0.1, 1.0, 30.0, 1e3, 1e4)]
    return np.concatenate([*rows, np.eye(5) * 700, -np.eye(5) * 50]).astype(dtype)


def log_softmax(row: Any) -> list[Any]:
    z = [M(float(v)) for v in row]
    top = max(z)
    total = mpmath.log(mpmath.fsum(mpmath.exp(v - top) for v in z)) + top
    return [v - total for v in z]


def labels_of(n: int) -> Any:
    return np.random.default_rng(1).integers(0, 5, n)


def targets_of(n: int, dtype: Any) -> Any:
    y = np.random.default_rng(2).uniform(size=(n, 5))
    return (y / y.sum(axis=1, keepdims=True)).astype(dtype)


def cross_entropy_of_labels(z: Any) -> tuple[Any, list[Any]]:
    labels = labels_of(len(z))
    exact = [-log_softmax(row)[k] for row, k in zip(z, labels)]
    return tg.cross_entropy(z, labels, reduction="none"), exact


def cross_entropy_of_probabilities(z: Any) -> tuple[Any, list[Any]]:
    y = targets_of(len(z), z.dtype)
    exact = [-mpmath.fsum(M(float(p)) * v for p, v in zip(target, log_softmax(row))) for row, target in zip(z, y)]
    return tg.cross_entropy(z, y, reduction="none"), exact


def nll_loss(z: Any) -> tuple[Any, list[Any]]:
    labels = labels_of(len(z))
    exact = [-log_softmax(row)[k] for row, k in zip(z, labels)]
    return tg.nll_loss(tg.log_softmax(z), labels, reduction="none"), exact


def binary_cross_entropy(z: Any) -> tuple[Any, list[Any]]:
    y = targets_of(len(z), z.dtype)

    def exact(v: Any, target: Any) -> Any:
        v, target = M(float(v)), M(float(target))
        return target * mpmath.log1p(mpmath.exp(-v)) + (1 - target) * mpmath.log1p(mpmath.exp(v))

    values = [exact(v, target) for v, target in zip(z.ravel(), y.ravel())]
    return tg.binary_cross_entropy_with_logits(z, y, reduction="none"), values


def mse_loss(z: Any) -> tuple[Any, list[Any]]:
    y = targets_of(len(z), z.dtype)
    values = [(M(float(a)) - M(float(b))) ** 2 for a, b in zip(z.ravel(), y.ravel())]
    return tg.mse_loss(z, y, reduction="none"), values


LOSSES = [
    (cross_entropy_of_labels, 2.0),
    (cross_entropy_of_probabilities, 4.0),
    (nll_loss, 2.0),
    (binary_cross_entropy, 3.0),
    (mse_loss, 2.0),
]


def worst_error(loss: Any, dtype: Any) -> float:
    losses, exact = loss(logits_of(dtype))
    assert losses.dtype == dtype
    errors = []
    for got, value in zip(losses.numpy().ravel(), exact):
        unit = float(np.spacing(np.array(max(1.0, abs(float(value))), dtype)))
        errors.append(abs(M(float(got)) - value) / M(unit))
    return float(max(errors))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("loss", "most"), LOSSES)
def test_losses_are_exact_to_a_few_units_in_the_last_place(loss: Any, most: float, dtype: Any) -> None:
    assert worst_error(loss, dtype) <= most


# --- masks and infinities -----------------------------------------------------------------------------------------

INF = np.inf


@pytest.mark.parametrize(("fold", "data"), [(tg.max, [0.0, -1.0]), (tg.min, [0.0, 1.0])])
def test_an_infinite_slope_reaches_what_was_chosen_alone(fold: Any, data: list[float]) -> None:
    with np.errstate(all="ignore"):
        gradient = tg.grad(lambda x: tg.sqrt(fold(x)))(data)
    assert gradient.tolist() == [INF, 0.0]


def test_a_sum_of_nothing_but_masked_classes_is_minus_infinity() -> None:
    rows = tg.logsumexp(np.array([[1.0, 2.0], [-INF, -INF], [INF, 0.0]]), axis=1).numpy()
    np.testing.assert_array_equal(rows, [np.logaddexp(1, 2), -INF, INF])


def masked_losses(tensor: Any, losses: dict[str, Any]) -> dict[str, tuple[float, Any]]:
    rng = np.random.default_rng(0)
    found = {}
    for name, loss in losses.items():
        z = rng.normal(size=(6, 4))
        labels = rng.integers(0, 4, 6)
        masked = rng.random((6, 4)) < 0.4
        masked[np.arange(6), labels] = False
        found[name] = loss(tensor, z, labels, masked)
    return found


@pytest.mark.peers
def test_masked_classes_cost_what_they_cost_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    F = torch.nn.functional

    def ours(forward: Any) -> Any:
        def run(_: Any, z: Any, labels: Any, masked: Any) -> tuple[float, Any]:
            leaf = tg.Tensor(z, requires_grad=True)
            loss = forward(tg, tg.where(masked, -INF, leaf), labels)
            loss.backward()
            return loss.item(), leaf.grad.numpy()

        return run

    def theirs(forward: Any) -> Any:
        def run(_: Any, z: Any, labels: Any, masked: Any) -> tuple[float, Any]:
            leaf = torch.tensor(z, requires_grad=True)
            loss = forward(F, leaf.masked_fill(torch.tensor(masked), -INF), torch.tensor(labels))
            loss.backward()
            return loss.item(), leaf.grad.numpy()

        return run

    weight = np.array([1.0, 2.0, 0.5, 0.1])
    our_forwards = {
        "cross entropy": lambda f, z, k: f.cross_entropy(z, k),
        "weighted": lambda f, z, k: f.cross_entropy(z, k, weight=weight),
        "ignored": lambda f, z, k: f.cross_entropy(z, k, ignore_index=2),
        "nll": lambda f, z, k: f.nll_loss(f.log_softmax(z, -1), k),
        "attention": lambda f, z, k: (f.softmax(z, -1) ** 2).sum(),
    }
    their_forwards = {**our_forwards, "weighted": lambda f, z, k: f.cross_entropy(z, k, weight=torch.tensor(weight))}
    expected = masked_losses(torch.tensor, {name: theirs(forward) for name, forward in their_forwards.items()})
    with np.errstate(all="ignore"):
        got = masked_losses(tg.Tensor, {name: ours(forward) for name, forward in our_forwards.items()})
    for name, (value, gradient) in expected.items():
        assert np.isfinite(value)
        assert got[name][0] == pytest.approx(value, rel=1e-12), name
        np.testing.assert_allclose(got[name][1], gradient, atol=1e-14, err_msg=name)


# --- grad modes ---------------------------------------------------------------------------------------------------


def test_what_is_compiled_follows_the_grad_mode_of_the_call() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True)

    def penalised(x: Any) -> Any:
        loss = (w * x).sum()
        return loss * 2.0 if loss.requires_grad else loss

    def gradient(x: Any) -> Any:
        (w * x).sum().backward()
        return w.grad

    x = np.array([4.0, 1.0])
    compiled, decorated = tg.compile(penalised), tg.no_grad()(tg.compile(penalised))
    for _ in range(3):  # watched, watched, and as a program
        assert compiled(x).item() == 12
        with tg.no_grad():
            assert compiled(x).item() == 6
        assert decorated(x).item() == 6
    inside = tg.compile(tg.no_grad()(penalised))
    assert [inside(x).item() for _ in range(3)] == [6.0] * 3
    with tg.no_grad(), pytest.raises((RuntimeError, tg.CompileError)):
        tg.compile(gradient)(x)
    assert w.grad is None


@pytest.mark.parametrize("compiled", [False, True])
def test_fit_refuses_to_train_under_no_grad_compiled_or_not(compiled: bool) -> None:
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    model = tg.nn.Linear(2, 2)
    before = model.weight.numpy()
    optimiser = tg.optim.SGD(model.parameters(), lr=0.1)
    batches = tg.data.batches(x, (x[:, 0] > 0).astype(int), batch_size=16)
    with tg.no_grad(), pytest.raises(RuntimeError, match="no_grad"):
        tg.fit(model, batches, optimiser=optimiser, epochs=1, compile=compiled, progress=False)
    np.testing.assert_array_equal(model.weight.numpy(), before)


# --- dtypes -------------------------------------------------------------------------------------------------------

SMALL = [bool, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.float16, np.float32, np.float64]


@pytest.mark.parametrize("a", SMALL)
@pytest.mark.parametrize("b", SMALL)
def test_vecdot_has_numpys_dtype_and_values(a: Any, b: Any) -> None:
    x, y = np.array([[1, 3, 100], [0, 1, 2]]).astype(a), np.array([1, 2, 3]).astype(b)
    got, expected = tg.vecdot(x, y).numpy(), np.vecdot(x, y)
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-3 if np.float16 in (a, b) else 1e-6)


# --- work that grows as its input does ----------------------------------------------------------------------------


@pytest.mark.parametrize("join", [tg.stack, tg.concat])
@pytest.mark.parametrize("n", [64, 65, 5000])
def test_many_parts_are_joined_and_taken_apart_in_groups(join: Any, n: int) -> None:
    values = np.random.default_rng(0).normal(size=(n, 2))
    parts = [tg.Tensor(v, requires_grad=True) for v in values]
    joined = join(parts)
    np.testing.assert_array_equal(joined.numpy(), values if join is tg.stack else values.ravel())
    waiting, widest = [joined], 0
    while waiting:  # each part looks at those beside it going back, so no operation may have many
        node = waiting.pop()
        if node.operation is not None:
            widest = max(widest, len(node.inputs))
            waiting += node.inputs
    assert widest <= 64
    weights = np.arange(2.0 * n).reshape(joined.shape)
    (joined * weights).sum().backward()
    np.testing.assert_array_equal([p.grad.numpy() for p in parts], weights.reshape(n, 2))
    assert operations_of(joined) <= {"concat", "reshape"}


# --- threads and memory -------------------------------------------------------------------------------------------


def trained(seed: int, steps: int = 40) -> list[bytes]:
    """A run with all that keeps a state: modules, dropout, batches, Adam, a schedule, clipping; plain and compiled."""
    rng = np.random.default_rng(seed)
    results = []
    for compiled in (False, True):
        model = tg.nn.Sequential(
            tg.nn.Linear(6, 8, generator=rng),
            tg.nn.LayerNorm(8),
            tg.nn.ReLU(),
            tg.nn.Dropout(0.2, generator=np.random.default_rng(seed)),
            tg.nn.Linear(8, 3, generator=rng),
        )
        optimiser = tg.optim.Adam(model.parameters(), lr=0.05)
        schedule = tg.optim.schedules.Schedule(optimiser, tg.optim.schedules.cosine(steps))
        x, labels = rng.normal(size=(64, 6)).astype(np.float32), rng.integers(0, 3, 64)

        def step(x: Any, labels: Any, model: Any = model, optimiser: Any = optimiser) -> Any:
            optimiser.zero_grad()
            loss = tg.cross_entropy(model(x), labels, label_smoothing=0.1)
            loss.backward()
            tg.optim.clip_grad_norm(model.parameters(), 1.0)
            optimiser.step()
            return loss

        run = tg.compile(step) if compiled else step
        for i, batch in enumerate(b for _ in range(steps) for b in tg.data.batches(x, labels, batch_size=16)):
            if i == steps:
                break
            results.append(run(*map(tg.Tensor, batch)).numpy().tobytes())
            schedule.step()
        with tg.no_grad():
            results.append(model.eval()(x).numpy().tobytes())
        results += [p.numpy().tobytes() for p in model.parameters()]
    return results


def test_eight_threads_are_eight_runs_one_after_another_to_the_bit() -> None:
    found: dict[int, list[bytes]] = {}
    gate = threading.Barrier(8)

    def run(seed: int) -> None:
        gate.wait()
        found[seed] = trained(seed)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(8):
        assert found[seed] == trained(seed)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("steps", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_stays_flat_over_many_steps_without_the_garbage_collector(steps: int, compiled: bool) -> None:
    rng = np.random.default_rng(0)
    model = tg.nn.Sequential(tg.nn.Linear(4, 8, generator=rng), tg.nn.ReLU(), tg.nn.Linear(8, 3, generator=rng))
    optimiser = tg.optim.Adam(model.parameters(), lr=0.01)
    x, labels = tg.Tensor(rng.normal(size=(16, 4)).astype(np.float32)), tg.Tensor(rng.integers(0, 3, 16))

    def step(x: Any, labels: Any) -> Any:
        optimiser.zero_grad()
        loss = tg.cross_entropy(model(x), labels)
        loss.backward()
        optimiser.step()
        return loss

    run = tg.compile(step) if compiled else step
    gc.collect()
    gc.disable()
    try:
        for _ in range(200):
            run(x, labels)
        before = sys.getallocatedblocks()
        for _ in range(steps):
            run(x, labels)
        grown = sys.getallocatedblocks() - before
    finally:
        gc.enable()
    assert grown < 500, f"{grown} blocks in {steps} steps"  # less than one graph, or what an audit leaves
