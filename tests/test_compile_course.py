"""Every computation of the course, compiled: the same results as eager, over whole runs."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls.training import LOSSES

pytest.importorskip("sklearn")
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def parts_of(script, *names):
    """Some functions, classes and constants of an example, without running the rest."""
    (path,) = EXAMPLES.glob(f"{script}*.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def defined(node):
        targets = node.targets if isinstance(node, ast.Assign) else [node]
        return {getattr(t, "name", getattr(t, "id", "")) for t in targets}

    kept = [node for node in tree.body if defined(node) & set(names)]
    found = {"__name__": "course", "np": np, "tg": tg, "pairwise": pairwise}
    exec(compile(ast.Module(kept, []), str(path), "exec"), found)
    return [found[name] for name in names]


def assert_same(make, steps, rtol=1e-6, atol=1e-7):
    """`make` gives a function without arguments and the tensors that it changes."""
    (eager, wanted), (function, changed) = make(), make()
    program = tg.compile(function)
    for _ in range(steps):
        np.testing.assert_allclose(program().numpy(), eager().numpy(), rtol=rtol, atol=atol)
    for a, b in zip(wanted, changed):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=rtol, atol=atol)
    assert program.compilations == 1
    return program


def training(model, optimiser, loss):
    def step():
        optimiser.zero_grad()
        value = loss(model)
        value.backward()
        optimiser.step()
        return value

    return step


@pytest.mark.parametrize("kind", ["class number", "one-hot", "entropy"])
def test_1_regression_and_classification(kind):
    iris = tg.data.load_iris()
    x, numbers = tg.Tensor(iris.inputs), tg.Tensor(iris.labels)
    losses = {
        "class number": lambda model: tg.mse_loss(model(x), iris.labels[:, None].astype(x.dtype)),
        "one-hot": lambda model: tg.mse_loss(model(x), tg.one_hot(numbers, 3, np.float32)),
        "entropy": lambda model: tg.cross_entropy(model(x), numbers),
    }

    def make():
        layer = tg.nn.Linear(4, 1 if kind == "class number" else 3)
        for parameter in layer.parameters():
            parameter.assign(np.zeros(parameter.shape))
        model = tg.nn.Sequential(tg.nn.Standardize(iris.inputs), layer)
        optimiser = tg.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
        return training(model, optimiser, losses[kind]), list(model.parameters())

    assert_same(make, 400, rtol=2e-5, atol=2e-6)


def test_2_softmax():
    logits = np.array([2.9, 1.1, 0.2])
    warm = tg.compile(lambda z, T: tg.softmax(z / T))
    two = tg.compile(lambda a: (tg.softmax(tg.stack([a, a * 0], axis=-1))[..., 0], tg.sigmoid(a)))
    for T in np.geomspace(0.1, 100, 20):
        np.testing.assert_allclose(warm(logits, np.float64(T)).numpy(), tg.softmax(logits / T).numpy(), rtol=1e-14)
        by_softmax, by_sigmoid = two(logits / T)
        np.testing.assert_allclose(by_softmax.numpy(), by_sigmoid.numpy(), rtol=1e-13)


@pytest.mark.parametrize("optimiser", ["SGD", "Adam"])
@pytest.mark.parametrize("loss", ["squared error", "cross-entropy"])
def test_3_descent_on_the_error_surfaces(loss, optimiser):
    _, losses, _, corner = parts_of("3", "TARGET", "LOSSES", "outputs", "CORNER")

    def make():
        y12 = tg.Tensor(corner, requires_grad=True)
        return training(y12, getattr(tg.optim, optimiser)([y12], lr=0.5), losses[loss]), [y12]

    assert_same(make, 200, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimiser", ["SGD", "Adam"])
def test_4_and_7_fit(loss, optimiser):
    digits = tg.data.load_digits()
    x, y = digits.inputs[:640].astype(np.float64), digits.labels[:640]

    def run(compile):
        rng = np.random.default_rng(0)
        layers = [
            tg.nn.Linear(64, 32, generator=rng, dtype=np.float64),
            tg.nn.ReLU(),
            tg.nn.Dropout(0.2, generator=rng),
        ]
        model = tg.nn.Sequential(*layers, tg.nn.Linear(32, 10, generator=rng, dtype=np.float64))
        steps = getattr(tg.optim, optimiser)(model.parameters(), lr=0.01)
        curve = tg.optim.schedules.warm_up(20, start=0.1).then(tg.optim.schedules.cosine(100))
        history = tg.fit(
            model,
            tg.data.batches(x[:500], y[:500], batch_size=64, shuffle=True, generator=rng),
            optimiser=steps,
            loss=LOSSES[loss],
            epochs=6,
            validation=tg.data.batches(x[500:], y[500:], batch_size=100),
            schedule=tg.optim.schedules.Schedule(steps, curve),
            max_norm=1.0,
            compile=compile,
        )
        return history, model.state_dict()

    (history, state), (wanted, wanted_state) = run(True), run(False)
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate"):
        np.testing.assert_allclose(history[name], wanted[name], rtol=1e-7)
    for name, values in wanted_state.items():
        np.testing.assert_allclose(state[name], values, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_5_unbalanced_classes(loss, weighted):
    digits = tg.data.load_digits()
    x, y = tg.Tensor(digits.inputs[:300]), tg.Tensor((digits.labels[:300] == 8).astype(int))
    weight = tg.Tensor(300 / (2 * np.bincount(y.numpy()))) if weighted else None

    def make():
        layer = tg.nn.Linear(64, 2)
        for parameter in layer.parameters():
            parameter.assign(np.zeros(parameter.shape))
        optimiser = tg.optim.SGD(layer.parameters(), lr=0.03, momentum=0.9)
        return training(layer, optimiser, lambda model: LOSSES[loss](model(x), y, weight=weight)), [layer.weight]

    assert_same(make, 100, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["entropy", "squared"])
def test_6_curvature(name):
    (loss,) = parts_of("6", name)

    def row(z, i):
        return tg.grad(lambda z: tg.grad(loss)(z, 3)[i])(z)

    program = tg.compile(row)
    z = np.random.default_rng(0).normal(size=10)
    for i in range(10):
        np.testing.assert_allclose(program(z, i).numpy(), row(z, i).numpy(), rtol=1e-10, atol=1e-14)


def test_train_digits():
    Network, descend = parts_of("train_digits", "Network", "descend")
    digits = tg.data.load_digits()

    def run(wrap):
        network, losses = Network([64, 32, 10], np.random.default_rng(0)), []
        velocities = [np.zeros(p.shape, p.dtype) for p in network.parameters()]

        def gradients(images, labels):
            loss = tg.cross_entropy(network(images), labels)
            loss.backward()
            return loss

        step = wrap(gradients)
        for start in range(0, 1280, 64):
            losses.append(step(digits.inputs[start : start + 64], digits.labels[start : start + 64]).item())
            descend(network.parameters(), velocities)
        return losses

    np.testing.assert_allclose(run(tg.compile), run(lambda f: f), rtol=1e-4)


def test_why_cross_entropy():
    z, y = tg.Tensor([2.0, 1.0, 0.1], requires_grad=True), tg.Tensor([1.0, 0.0, 0.0])

    @tg.compile
    def why():
        e = tg.exp(z)
        p = e / e.sum()
        loss = -(y * tg.log(p)).sum()
        z.grad = None
        loss.backward()
        return p, loss

    for _ in range(3):
        p, loss = why()
        np.testing.assert_allclose(p.numpy(), tg.softmax(z).numpy(), rtol=1e-15)
        np.testing.assert_allclose(loss.item(), -np.log(p.numpy()[0]), rtol=1e-15)
        np.testing.assert_allclose(z.grad.numpy(), p.numpy() - y.numpy(), atol=1e-16)
    assert why.source.count("e = exp(") == 1  # as written there are three, and two more in the gradient
    assert "divide" not in why.source.split("log(total")[1]  # no y / y′ is left
