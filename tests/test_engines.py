"""The engines of `tg.compile`: each gives what eager gives; machine code that is kept on disk; devices."""

from __future__ import annotations

import copy
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_compile_random import arrays, assert_close, random_training

import tinygrad_cls as tg

ROOT = Path(__file__).resolve().parents[1]
HAS = {name: importlib.util.find_spec(name) is not None for name in ("numba", "jax", "scipy", "platformdirs")}
NUMBA = pytest.param(
    "numba", marks=pytest.mark.skipif(not (HAS["numba"] and HAS["scipy"] and HAS["platformdirs"]), reason="no numba")
)
JAX = pytest.param("jax", marks=pytest.mark.skipif(not HAS["jax"], reason="no jax"))
needs_numba, needs_jax = NUMBA.marks[0], JAX.marks[0]
engines = pytest.mark.parametrize("engine", [NUMBA, JAX])


@pytest.fixture(autouse=True)
def _machine_code_in_a_folder_of_its_own(tmp_path_factory, monkeypatch):
    if "TINYGRAD_CLS_CACHE" not in os.environ:
        monkeypatch.setenv("TINYGRAD_CLS_CACHE", str(tmp_path_factory.getbasetemp() / "machine code"))


OPTIMISERS = {
    "SGD": lambda p: tg.optim.SGD(p, lr=0.1),
    "momentum": lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "Nesterov": lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: tg.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "AdamW": lambda p: tg.optim.AdamW(p, lr=0.01),
}


def of(function):
    """A layer that applies a function."""

    class Layer(tg.nn.Module):
        def forward(self, x):
            return function(x)

    return Layer


def classifier(kind="SGD", activation=tg.nn.ReLU, dtype=np.float32, clip=None, dropout=None, sizes=(6, 16, 3)):
    """A step that trains, its model and its optimiser; the same ones every time."""
    rng = np.random.default_rng(0)
    layers = [tg.nn.Linear(sizes[0], sizes[1], generator=rng, dtype=dtype), activation()]
    layers += [] if dropout is None else [tg.nn.Dropout(dropout, generator=np.random.default_rng(5))]
    model = tg.nn.Sequential(*layers, tg.nn.Linear(sizes[1], sizes[2], generator=rng, dtype=dtype))
    optimiser = OPTIMISERS[kind](model.parameters())

    def step(x, labels):
        optimiser.zero_grad()
        logits = model(x)
        loss = tg.cross_entropy(logits, labels)
        loss.backward()
        norm = None if clip is None else tg.optim.clip_grad_norm(model.parameters(), clip)
        optimiser.step()
        return loss, logits, norm

    return step, model, optimiser


def batches(n=6, size=20, dtype=np.float32, seed=1, inputs=6, classes=3):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(size, inputs)).astype(dtype), rng.integers(0, classes, size)) for _ in range(n)]


def assert_trains_alike(engine, tolerance=2e-5, steps=6, **options):
    dtype = options.get("dtype", np.float32)
    (eager, model, optimiser), (function, twin, twins) = classifier(**options), classifier(**options)
    program = tg.compile(function, engine=engine)
    for x, labels in batches(steps, dtype=dtype):
        assert_close(arrays(program(x, labels)), arrays(eager(x, labels)), tolerance)
    assert_close([p.numpy() for p in twin.parameters()], [p.numpy() for p in model.parameters()], tolerance)
    for own, other in zip(twins.state_dict()["state"], optimiser.state_dict()["state"]):
        for name, x in other.items():
            np.testing.assert_allclose(own[name], x, rtol=1e-3, atol=tolerance)
    assert program.engine == engine
    assert program.compilations == 1
    return program


@engines
@pytest.mark.parametrize("kind", OPTIMISERS)
def test_every_optimiser(engine, kind):
    assert_trains_alike(engine, kind=kind, clip=0.5 if kind == "Adam" else None)


@engines
@pytest.mark.parametrize("activation", [tg.nn.Tanh, tg.nn.Sigmoid, *map(of, (tg.gelu, tg.silu))])
def test_double_numbers_and_activations(engine, activation):
    assert_trains_alike(engine, activation=activation, dtype=np.float64, tolerance=1e-12)


@engines
def test_the_source_is_there_to_be_read(engine):
    source = assert_trains_alike(engine).source
    assert "y′ − y" in source
    assert "layers.0.weight ← " in source
    assert {"numba": "for i in range(20):", "jax": "jnp.matmul(x, layers_0_weight)"}[engine] in source


@engines
def test_a_label_out_of_range_changes_nothing(engine):
    step, model, _ = classifier()
    program = tg.compile(step, engine=engine)
    for x, labels in batches(3):
        program(x, labels)
    before = [p.numpy().copy() for p in model.parameters()]
    for wrong in (3, -1):
        with pytest.raises(ValueError, match=f"the label {wrong} at 2 is no class number"):
            program(x, np.where(np.arange(20) == 2, wrong, labels))
    assert_close([p.numpy() for p in model.parameters()], before)
    program(x, labels)


@engines
def test_a_check_of_what_is_computed_comes_before_every_change(engine):
    w = tg.Tensor(np.ones(2), requires_grad=True)
    optimiser = tg.optim.SGD([w], lr=0.1)

    def step(x):
        optimiser.zero_grad()
        (w * x).sum().backward()
        optimiser.step()
        return tg.one_hot((x + 0.5).astype(int), 4) * w[0]

    program = tg.compile(step, engine=engine)
    for _ in range(3):
        program(np.ones(2))
    with pytest.raises(ValueError, match="label 9"):
        program(np.full(2, 9.0))
    np.testing.assert_allclose(w.numpy(), 0.7)


@engines
def test_numbers_that_are_not_finite_stay(engine):
    def function(x):
        y = tg.softmax(x, axis=1)
        odd = y * (x > 0), tg.exp(x) / tg.exp(x)  # of which XLA would make a choice, and 1
        return tg.log_softmax(x, axis=1), tg.max(x, axis=1), tg.relu(x), tg.tanh(x), tg.exp(x), *odd, tg.sign(x)

    program = tg.compile(function, engine=engine)
    x = np.array([[1.0, 2.0, -3.0], [0.0, -1.0, 5.0]])
    odd = [np.where(x == at, number, x) for at in (2.0, 5.0) for number in (np.nan, np.inf, -np.inf, 800.0, -800.0)]
    with np.errstate(all="ignore"):
        for y in (x, x, *odd):
            assert_close(arrays(program(y)), arrays(function(tg.Tensor(y))), 1e-12)


@engines
def test_ties_share_the_gradient(engine):
    w = tg.Tensor(np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]]), requires_grad=True)

    def step(x):
        w.grad = None
        (tg.max(w * x, axis=1).sum() + tg.maximum(w, x).sum()).backward()
        return w.grad * 1

    program = tg.compile(step, engine=engine)
    for _ in range(3):
        np.testing.assert_allclose(program(np.ones((2, 3))).numpy(), step(tg.Tensor(np.ones((2, 3)))).numpy())


@engines
def test_arguments_may_lie_in_any_order_and_be_closed_for_writing(engine):
    step, _, _ = classifier()
    other, _, _ = classifier()
    program = tg.compile(step, engine=engine)
    for n, (x, labels) in enumerate(batches(6)):
        laid = [x, x, np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x[::-1].copy()[::-1], x][n]
        laid.flags.writeable = n != 5
        assert_close(arrays(program(laid, labels)), arrays(other(x, labels)), 2e-5)


@engines
def test_what_is_held_may_lie_in_any_order_and_change(engine):
    weight = np.arange(12.0).reshape(3, 4)
    bias = np.zeros(9)[::3]
    held = tg.Tensor(weight.T), tg.Tensor(bias)
    program = tg.compile(lambda x: tg.tanh(x @ held[0] / 9 + held[1]), engine=engine)
    x = np.linspace(-1, 1, 8).reshape(2, 4)
    for _ in range(4):
        assert_close(arrays(program(x)), [np.tanh(x @ held[0].numpy() / 9 + held[1].numpy())], 1e-12)
        held[0].assign(held[0].numpy() + 1)
    for t, order in zip(held, "FC"):
        t.assign(np.asarray(t.numpy() * 2, order=order))
    assert_close(arrays(program(x)), [np.tanh(x @ held[0].numpy() / 9 + held[1].numpy())], 1e-12)


@engines
def test_a_parameter_is_read_by_rows_after_its_update(engine):
    def made():
        w = tg.Tensor(np.arange(12.0).reshape(3, 4) / 7, requires_grad=True)
        optimiser = tg.optim.Adam([w], lr=0.1)

        def step(x):
            optimiser.zero_grad()
            tg.tanh(w * x).sum().backward()
            optimiser.step()
            return tg.softmax(w, axis=1) * x

        return w, step

    (w, eager), (twin, function) = made(), made()
    program = tg.compile(function, engine=engine)
    for n in range(5):
        assert_close(arrays(program(np.full((3, 4), n))), arrays(eager(np.full((3, 4), n))), 1e-12)
        assert_close([twin.numpy()], [w.numpy()], 1e-12)


@needs_numba
def test_dropout_draws_the_users_numbers():
    assert_trains_alike("numba", dropout=0.3)


@needs_jax
def test_dropout_on_a_device_is_seeded_by_the_users_generator():
    def losses(seed):
        generator = np.random.default_rng(seed)
        drop = tg.nn.Dropout(0.5, generator=generator)
        program = tg.compile(lambda x: drop(x), engine="jax")
        return [program(np.ones((50, 40))).numpy() for _ in range(4)]

    first, again, other = losses(1), losses(1), losses(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[3], other[3])
    assert not np.array_equal(first[2], first[3])
    assert set(np.unique(first[3])) == {0.0, 2.0}
    assert 0.4 < (first[3] == 0).mean() < 0.6


def check_random(seed, engine):
    make, calls = random_training(seed)
    (function, left), (twin, left_by_twin) = make(), make()
    program = tg.compile(twin, engine=engine)
    with np.errstate(all="ignore"):
        for args in calls:
            wanted = arrays(function(*args)) + arrays(left())
            assert_close(arrays(program(*args)) + arrays(left_by_twin()), wanted, 1e-5)


@engines
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::tinygrad_cls.LearningWarning")  # what is random may well be a mistake
@pytest.mark.parametrize("seed", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (12, 118))])
def test_random_functions(engine, seed):  # single numbers between NumPy's calls, products, flat loops
    check_random(seed, engine)


@pytest.mark.slow
@engines
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::tinygrad_cls.LearningWarning")
@pytest.mark.parametrize("first", range(0, 1000, 25))
def test_many_random_functions(engine, first):
    for seed in range(first, first + 25):
        check_random(seed, engine)


@pytest.mark.parametrize("engine", [NUMBA, JAX, "auto"])
def test_fit_by_every_engine(engine):
    def run(engine, compile):
        _, model, optimiser = classifier("Adam")
        history = tg.fit(model, batches(4), optimiser=optimiser, epochs=3, compile=compile, engine=engine, max_norm=1.0)
        return history["loss"], [p.numpy() for p in model.parameters()]

    (losses, parameters), (wanted, wanted_parameters) = run(engine, True), run("numpy", False)
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)
    assert_close(parameters, wanted_parameters, 2e-5)


@pytest.mark.slow
@needs_numba
def test_fit_goes_over_to_machine_code_once_it_is_earned(monkeypatch, tmp_path):
    from tinygrad_cls import compiling, training

    monkeypatch.setattr(training, "_SHORT", 6)
    for module in (training, compiling.compiled):
        monkeypatch.setattr(module, "EARNED", 18)
    engines, given = [], compiling.compiled.engines.engine
    monkeypatch.setattr(compiling.compiled.engines, "engine", lambda name: engines.append(name) or given(name))

    def run(folder, *epochs, engine="auto"):
        _, model, optimiser = classifier("Adam", dropout=0.2)
        for until in epochs:
            history = tg.fit(
                model, batches(4), optimiser=optimiser, epochs=until, engine=engine, folder=folder, resume=True
            )
        return history["loss"], [p.numpy() for p in model.parameters()]

    losses, parameters = run(tmp_path / "whole", 8)
    assert engines == ["numpy", "numba", "numba"]  # asked whether it is there, and to write the program
    in_parts = run(tmp_path / "in parts", 3, 5, 8)
    assert in_parts[0] == losses
    for found, wanted in zip(in_parts[1], parameters):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(losses, run(tmp_path / "numpy", 8, engine="numpy")[0], rtol=1e-5)


# --- names and what is missing ----------------------------------------------------------------------------------------


def test_an_engine_that_there_is_not():
    with pytest.raises(ValueError, match="'numpy', 'numba', 'jax', 'auto', not 'torch'"):
        tg.compile(lambda x: x, engine="torch")
    with pytest.raises(ValueError, match='mesh and shard are for engine="jax"'):
        tg.compile(lambda x: x, engine="numpy", mesh=object())


@pytest.mark.parametrize(("engine", "extra"), [("numba", "fast"), ("jax", "jax")])
def test_packages_that_are_not_installed(monkeypatch, engine, extra):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=rf'needs {engine}.*pip install "tinygrad_cls\[{extra}\]"'):
        tg.compile(lambda x: x, engine=engine)


def test_auto_is_numpy_where_numba_cannot_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinygrad_cls.engines.numba", None)  # which makes its import an ImportError
    assert tg.compile(lambda x: x, engine="auto").engine == "numpy"


@needs_numba
def test_auto_is_numba_where_it_is_installed_and_copies_keep_the_engine():
    program = tg.compile(lambda x: x * 2, engine="auto")
    assert program.engine == copy.copy(program).engine == "numba"


# --- numba ------------------------------------------------------------------------------------------------------------


@needs_numba
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["exp", "tanh"])
def test_functions_of_machine_code_are_good_to_the_last_digits(name, dtype):
    from mpmath import mp

    grid = np.concatenate([np.linspace(-5, 5, 801), np.linspace(-745, 709, 500), 10.0 ** np.arange(-30, 2)]).astype(
        dtype
    )
    program = tg.compile(getattr(tg, name), engine="numba")
    with np.errstate(over="ignore"):
        found = [program(grid).numpy() for _ in range(3)][-1]
    wanted = [getattr(mp, name)(mp.mpf(float(x))) for x in grid]
    tiny, largest = np.finfo(dtype).tiny, np.finfo(dtype).max
    for x, y, exact in zip(grid, found, wanted):
        if tiny < abs(exact) < largest:
            ulp = float(abs(mp.mpf(float(y)) - exact) / np.spacing(dtype(float(abs(exact)))))
            assert ulp <= 2.5, (x, ulp)
        else:
            assert y == 0 or abs(exact) <= tiny or np.isinf(y), x
    odd = np.array([np.nan, np.inf, -np.inf, -0.0], dtype)
    program = tg.compile(getattr(tg, name), engine="numba")
    np.testing.assert_array_equal([program(odd).numpy() for _ in range(3)][-1], getattr(np, name)(odd))


@needs_numba
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_the_source_reads_as_one_would_write_it(kind):
    source = assert_trains_alike("numba", kind=kind, clip=1.0 if kind == "Adam" else None).source
    kernels = source.partition("def bind(")[0]
    lines = "\n".join(line for line in kernels.splitlines() if "#" not in line)
    assert not re.search(r"(\w+\[[^]]*\]) = \1 [-+*/] \S+$", lines, re.MULTILINE)  # but x[i] -= …
    assert not re.search(r"\(\((?!\d+,)|if \(", lines)  # no brackets that say nothing, but those of shapes
    for group in kernels.split("\n\n"):  # an array is named where it is used
        for name in re.findall(r"^    (\w+) = (?:array|empty|full)\(", group, re.MULTILINE):
            assert len(re.findall(rf"\b{name}\b", group)) > 1, (name, group)
    stored = set(re.findall(r"^    (\w+) = array\(", kernels, re.MULTILINE))
    assert not {name for name in stored if name.startswith("mask")}
    if kind == "SGD":  # gradients of biases are not; those of weights are not even named
        assert not {name for name in stored if "bias" in name and name.startswith("lr")}
        assert "weight ← layers.0.weight − xᵀ lr ∂z1" in kernels
        assert "∂layers.0.weight" not in kernels


@needs_numba
@pytest.mark.parametrize(("size", "dtype"), [(1, np.int8), (2, np.uint16), (9, np.int64)])
def test_class_numbers_of_all_kinds(size, dtype):
    (eager, model, _), (function, twin, _) = classifier(), classifier()
    program = tg.compile(function, engine="numba")
    for x, labels in batches(4, size=size):
        assert_close(arrays(program(x, labels.astype(dtype))), arrays(eager(x, labels.astype(dtype))), 2e-5)
    assert_close([p.numpy() for p in twin.parameters()], [p.numpy() for p in model.parameters()], 2e-5)
    with pytest.raises(ValueError, match="the label 3 at"):
        program(x, np.full(size, 3, dtype))


@needs_numba
@pytest.mark.parametrize("loss", ["mean", "sum", "none"])
def test_an_infinite_logit_of_another_class_does_not_count(loss):
    def function(z, labels):
        return tg.cross_entropy(z, labels, reduction=loss)

    program = tg.compile(function, engine="numba")
    z = np.random.default_rng(0).normal(size=(5, 4))
    odd = [np.where(np.arange(4) == 3, number, z) for number in (-np.inf, np.nan, np.inf)]
    for x in (z, z, *odd):
        with np.errstate(all="ignore"):
            for labels in (np.arange(5) % 3, np.full(5, 3)):
                assert_close(arrays(program(x, labels)), arrays(function(tg.Tensor(x), labels)), 1e-12)


@needs_numba
def test_what_is_written_where_it_is_read_keeps_its_time():
    def made():
        w = tg.Tensor(np.arange(6.0).reshape(2, 3) / 5, requires_grad=True)
        optimiser = tg.optim.SGD([w], lr=0.5)

        def step(x):
            optimiser.zero_grad()
            before = w * 2
            loss = tg.tanh(x @ w).sum()
            loss.backward()
            gradient = w.grad * 3
            optimiser.step()
            return (before + w).sum(), tg.exp(gradient - w), (tg.square(w) / 2).sum()  # of the old value and the new

        return w, step

    (w, eager), (twin, function) = made(), made()
    program = tg.compile(function, engine="numba")
    for n in range(5):
        x = np.full((4, 2), 0.3 * n)
        assert_close(arrays(program(x)), arrays(eager(x)), 1e-12)
        assert_close([twin.numpy()], [w.numpy()], 1e-12)


@needs_numba
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maxima_of_many_small_arrays(dtype):  # with np.maximum LLVM came to no end
    def function(*xs):
        largest = [tg.max(tg.abs(x)) for x in xs]
        best = largest[0]
        for other in largest[1:]:
            best = tg.maximum(best, other)
        return (
            best,
            tg.min(xs[0], axis=0),
            tg.maximum(xs[0], 0),
            tg.maximum((xs[0] > 0).astype(int), (xs[0] > 1).astype(int)),
        )

    rng = np.random.default_rng(0)
    xs = [
        rng.normal(size=shape).astype(dtype) for shape in [(7, 16), (16,), (16,), (16,), (16, 16), (16,), (16, 4), (4,)]
    ]
    program = tg.compile(function, engine="numba")
    assert_close(arrays([program(*xs) for _ in range(3)][-1]), arrays(function(*map(tg.Tensor, xs))), 0)
    xs[0][2, 3], xs[0][1, 1] = -np.inf, -0.0
    assert_close(arrays(program(*xs))[:3], arrays(function(*map(tg.Tensor, xs)))[:3], 0)
    xs[5][4] = np.nan
    assert np.isnan(program(*xs)[0].item())


@needs_numba
def test_labels_that_are_ignored_in_single_precision():  # chosen by integers, in float32
    w = tg.Tensor(np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32), requires_grad=True)

    def function(x, labels):
        w.grad = None
        loss = tg.cross_entropy(x @ w, labels, ignore_index=0)
        loss.backward()
        return loss, w.grad * 1

    program = tg.compile(function, engine="numba")
    for x, labels in batches(4, size=5, inputs=7, classes=4):
        wanted = arrays(function(tg.Tensor(x), tg.Tensor(labels)))
        assert_close(arrays(program(x, labels)), wanted, 2e-5)


ALLOCATING = """
import sys; sys.path.insert(0, "tests")
import tinygrad_cls as tg
from numba.core.runtime import rtsys
from test_engines import batches, classifier

step, _, _ = classifier("Adam", clip=1.0)
program = tg.compile(step, engine="numba", audit=0)
for x, labels in batches(4):
    program(x, labels)
before = rtsys.get_allocation_stats().alloc
for x, labels in batches(4):
    program(x, labels)
signatures = [line for line in program.source.splitlines() if line.startswith("@machine_code")]
print(rtsys.get_allocation_stats().alloc - before == 4 * sum(line.count("[") for line in signatures))
"""


@pytest.mark.slow
@needs_numba
def test_nothing_is_allocated_by_machine_code():
    environment = {**os.environ, "NUMBA_NRT_STATS": "1", "PYTHONPATH": str(ROOT)}
    # but a header for each array that it is called with
    run = subprocess.run([sys.executable, "-c", ALLOCATING], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.split() == ["True"], run.stderr


@needs_numba
@pytest.mark.parametrize("sizes", [(70, 9, 3), (1, 1, 2), (300, 17, 40)])
def test_products_of_all_sizes(sizes):
    options = {"sizes": sizes, "dtype": np.float64}
    (eager, model, _), (function, twin, _) = classifier(**options), classifier(**options)
    program = tg.compile(function, engine="numba")
    for x, labels in batches(4, size=33, dtype=np.float64, inputs=sizes[0], classes=sizes[2]):
        assert_close(arrays(program(x, labels)), arrays(eager(x, labels)), 1e-11)
    assert_close([p.numpy() for p in twin.parameters()], [p.numpy() for p in model.parameters()], 1e-11)


KEPT = """
import numpy as np
import tinygrad_cls as tg
from numba.core import event

w = tg.Tensor(np.ones((4, 3)), requires_grad=True)
optimiser = tg.optim.SGD([w], lr=0.1)

def step(x):
    optimiser.zero_grad()
    loss = tg.tanh(x @ w).sum()
    loss.backward()
    optimiser.step()
    return loss

program = tg.compile(step, engine="numba")
with event.install_recorder("numba:compile") as recorder:
    for n in range(4):
        loss = program(np.ones((5, 4)) * n)
print(any(e.data["dispatcher"].py_func.__name__ == "run1" for _, e in recorder.buffer), round(loss.item(), 6))
"""


def kept_in(folder, text=KEPT):
    environment = {**os.environ, "TINYGRAD_CLS_CACHE": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", text], env=environment, stdout=subprocess.PIPE, text=True)


def said(process):
    output, _ = process.communicate()
    assert process.returncode == 0
    return output.split()


@pytest.mark.slow
@needs_numba
def test_machine_code_is_kept_for_the_next_process(tmp_path):
    two = [kept_in(tmp_path), kept_in(tmp_path)]  # at the same time
    first = said(two[0])
    assert said(two[1])[1] == first[1]
    assert "True" in (first[0], "True")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.nb*")}
    assert files
    assert said(kept_in(tmp_path)) == ["False", first[1]]  # nothing compiled
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.nb*")} == files
    for damage in (b"damaged", b""):
        for path in files:
            path.write_bytes(damage)
        assert said(kept_in(tmp_path)) == ["True", first[1]]
        assert said(kept_in(tmp_path)) == ["False", first[1]]  # mended


@needs_numba
def test_machine_code_is_not_kept_where_that_is_off(monkeypatch, tmp_path):
    from tinygrad_cls.engines import machine

    monkeypatch.setenv("TINYGRAD_CLS_CACHE", "off")
    assert machine.folder() is None
    monkeypatch.setenv("TINYGRAD_CLS_CACHE", str(tmp_path / "there"))
    assert machine.folder() == tmp_path / "there"
    monkeypatch.setenv("TINYGRAD_CLS_CACHE", "~/there")
    assert machine.folder() == Path.home() / "there"
    monkeypatch.delenv("TINYGRAD_CLS_CACHE")
    assert "tinygrad_cls" in str(machine.folder())


@needs_numba
def test_machine_code_of_another_version_is_not_taken(monkeypatch, tmp_path):
    from tinygrad_cls.engines import machine

    monkeypatch.setenv("TINYGRAD_CLS_CACHE", str(tmp_path))
    kept = machine._kept("x = 1")
    assert kept == machine._kept("x = 1")
    assert kept.read_text(encoding="utf-8") == "x = 1"
    for module in (machine.numba, np):
        with monkeypatch.context() as other:
            other.setattr(module, "__version__", "9.9")
            assert machine._kept("x = 1") != kept


@needs_numba
def test_a_folder_that_cannot_be_written_is_done_without(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("TINYGRAD_CLS_CACHE", str(tmp_path / "file"))
    program = tg.compile(lambda x: tg.tanh(x) * 3 + 1, engine="numba")
    found = [program(np.arange(3.0)).numpy() for _ in range(3)]
    np.testing.assert_allclose(found[-1], np.tanh(np.arange(3.0)) * 3 + 1)
    assert program.compilations == 1
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"


# --- JAX --------------------------------------------------------------------------------------------------------------


@needs_jax
def test_parameters_stay_on_the_device_until_they_are_read():
    step, model, optimiser = classifier("Adam")
    program = tg.compile(step, engine="jax", audit=0)
    weight = next(model.parameters())
    slot = type(weight)._array  # the slot itself, which does not ask the device
    for x, labels in batches(4):
        program(x, labels)
    with pytest.raises(AttributeError):
        slot.__get__(weight)
    assert "_state" not in vars(optimiser)
    assert weight.numpy().shape == (6, 16)
    assert slot.__get__(weight) is not None
    assert optimiser.state_dict()["state"][0]["steps"] == 4


@needs_jax
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_given_again_is_what_it_is_now(dtype):
    """A Tensor's array stays on the device from call to call: until it is another one, and an array of NumPy never."""
    x, w = tg.Tensor(np.ones(3, dtype)), tg.Tensor(np.full(3, 2, dtype), requires_grad=True)
    mine, optimiser, rates = np.ones(4, dtype)[1:], tg.optim.SGD([w], lr=0.5), tg.optim.SGD([w], lr=0.25)

    def step(x, y, optimiser):
        optimiser.zero_grad()
        loss = (w * x * y).sum()
        loss.backward()
        optimiser.step()
        return loss

    program, expected = tg.compile(step, engine="jax", audit=0), 2 * np.ones(3)
    for n in range(24):
        if n % 6 == 5:
            x.assign(x.numpy() + 1)
        if n % 4 == 3:
            mine += 1  # in place
        if n == 11:
            optimiser.groups[0]["lr"] = 0.125
        used = (optimiser, rates)[n % 8 == 7]
        loss = program(x, (mine, tg.Tensor(mine))[n == 13], used)
        np.testing.assert_allclose(loss.item(), (expected * x.numpy() * mine).sum(), rtol=1e-5)
        expected -= used.groups[0]["lr"] * x.numpy() * mine
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-5)  # not before: what is read is bound anew
    assert (loss.dtype, w.dtype) == (dtype, dtype)


@needs_jax
def test_wrong_labels_are_refused_as_often_as_they_are_given():
    step, model, _ = classifier()
    program = tg.compile(step, engine="jax", audit=0)
    right = [(tg.Tensor(x), tg.Tensor(labels)) for x, labels in batches(1)] * 6
    for x, labels in right:
        program(x, labels)
    before = model.state_dict()
    wrong = tg.Tensor(np.where(np.arange(20) == 2, 3, labels.numpy()))
    for _ in range(4):
        with pytest.raises(ValueError, match="the label 3 at 2 is no class number"):
            program(x, wrong)
    assert_close(list(model.state_dict().values()), list(before.values()))
    labels.assign(wrong)
    with pytest.raises(ValueError, match="the label 3 at 2 is no class number"):
        program(x, labels)


@needs_jax
def test_what_happens_between_the_steps_is_seen(tmp_path):
    (eager, model, optimiser), (function, twin, twins) = classifier("momentum"), classifier("momentum")
    program = tg.compile(function, engine="jax")
    for n, (x, labels) in enumerate(batches(14)):
        assert_close(arrays(program(x, labels)), arrays(eager(x, labels)), 5e-5)
        for m, o in ((model, optimiser), (twin, twins)):
            if n == 4:
                next(m.parameters()).assign(next(m.parameters()).numpy() * 0.5)
            if n == 6:
                o.groups[0]["lr"] = 0.05
            if n == 8:
                o.load_state_dict(copy.deepcopy(o.state_dict()))
            if n == 10:
                m.load_state_dict({name: x * 1.1 for name, x in m.state_dict().items()})
        if n == 12:
            eager(x[:7], labels[:7])
            program(x[:7], labels[:7])  # a batch of another size: watched, and later a program of its own
    assert_close([p.numpy() for p in twin.parameters()], [p.numpy() for p in model.parameters()], 5e-5)
    path = tmp_path / "model.safetensors"
    pytest.importorskip("safetensors")
    tg.save(path, model=twin)
    fresh = classifier("momentum")[1]
    fresh.load_state_dict(tg.load(path).model_state)
    assert_close([p.numpy() for p in fresh.parameters()], [p.numpy() for p in twin.parameters()])


@needs_jax
def test_two_programs_share_their_parameters():
    (eager, model, _), (function, twin, _) = classifier(), classifier()
    train, predict = tg.compile(function, engine="jax"), tg.compile(lambda x: twin(x), engine="jax")
    with_numpy = tg.compile(lambda x: twin(x).sum())
    for x, labels in batches(8):
        assert_close(arrays(train(x, labels)), arrays(eager(x, labels)), 2e-5)
        assert_close(arrays(predict(x)), arrays(model(tg.Tensor(x))), 2e-5)
        assert_close(arrays(with_numpy(x)), arrays(model(tg.Tensor(x)).sum()), 2e-4)


@needs_jax
def test_gradients_that_are_kept_come_from_the_device():
    w = tg.Tensor(np.ones(3, np.float32), requires_grad=True)

    def step(x):
        w.grad = None
        (w * w * x).sum().backward()

    program = tg.compile(step, engine="jax")
    for _ in range(4):
        program(np.arange(3, dtype=np.float32))
    np.testing.assert_allclose(w.grad.numpy(), [0, 2, 4])


@needs_jax
def test_what_does_not_fit_the_mesh():
    import jax

    mesh = jax.make_mesh((1,), ("batch",))
    with pytest.raises(ValueError, match="give mesh="):
        tg.compile(lambda x: x, engine="jax", shard={"w": ("model",)})
    with pytest.raises(ValueError, match="'model', but the axes of the mesh are 'batch'"):
        tg.compile(lambda x: x, engine="jax", mesh=mesh, shard={"w": ("model",)})
    step, _, _ = classifier()
    program = tg.compile(step, engine="jax", mesh=mesh, shard={"layer.weight": ("batch", None)})
    with pytest.raises(ValueError, match=r"shard names 'layer.weight', but the program holds 'layers.0.weight'"):
        [program(x, labels) for x, labels in batches(3)]


SHARDED = """
import sys; sys.path.insert(0, "tests")
import jax, numpy as np, tinygrad_cls as tg
from test_engines import batches, classifier

assert len(jax.devices()) == 2
def losses(**options):
    step, model, optimiser = classifier("Adam", sizes=(6, 16, 4))
    program = tg.compile(step, audit=0, **options)
    found = [program(x, labels)[0].item() for x, labels in batches(8, classes=4)]
    return found, [p.numpy() for p in model.parameters()], program

one, parameters, _ = losses(engine="jax")
for options in (
    {"mesh": jax.make_mesh((2,), ("batch",))},
    {
        "mesh": jax.make_mesh((1, 2), ("batch", "model")),
        "shard": {"layers.0.weight": (None, "model"), "layers.2.weight": ("model", None)},
    },
):
    two, found, program = losses(engine="jax", **options)
    np.testing.assert_allclose(two, one, rtol=1e-6)
    for a, b in zip(found, parameters):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    held = program._programs[-1].enter.__globals__["step"].values
    print(sorted({tuple(x.sharding.shard_shape(x.shape)) for x in held if x.shape in ((6, 16), (16, 4))}))
"""


@pytest.mark.slow
@needs_jax
def test_two_devices_give_the_losses_of_one():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", SHARDED], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["[(6, 16), (16, 4)]", "[(6, 8), (8, 4)]"]  # whole, then split by the rule


DISTRIBUTED = """
import sys; sys.path.insert(0, "tests")
import jax
jax.distributed.initialize(sys.argv[2], 2, int(sys.argv[1]))
import tinygrad_cls as tg
from test_engines import batches, classifier

step, model, _ = classifier("Adam")
program = tg.compile(step, engine="jax", mesh=jax.make_mesh((2,), ("batch",)))
print(*[program(x, labels)[0].item() for x, labels in batches(8)], next(model.parameters()).numpy().sum())
"""


@pytest.mark.slow
@needs_jax
def test_two_processes_give_the_losses_of_one():
    import socket

    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", DISTRIBUTED, str(n), address],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    said = [run.communicate(timeout=120) for run in runs]
    step, model, _ = classifier("Adam")
    wanted = [*(step(x, labels)[0].item() for x, labels in batches(8)), next(model.parameters()).numpy().sum()]
    for output, error in said:
        assert output, error
        found = [float(x) for x in output.splitlines()[-1].split()]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
