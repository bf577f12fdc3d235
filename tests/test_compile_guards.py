"""`tg.compile` and what changes between calls: noticed before the next call, or found by an audit."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import pickle
import random
import sys
import threading
import time
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cls as tg
from tinygrad_cls.compiling import bound, enter

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


def values(result):
    if isinstance(result, tg.Tensor):
        return result.numpy()
    return [values(x) for x in result] if isinstance(result, (list, tuple)) else result


def follows(function, *changes, x=X):
    """Whether the compiled function gives what the plain one gives, at first and right after each change."""
    compiled = tg.compile(function)
    for change in (lambda: None, *changes):
        change()
        for _ in range(4):
            a, b = function(x if isinstance(x, tg.Tensor) else tg.Tensor(x)), compiled(x)
            np.testing.assert_allclose(values(b), values(a), rtol=1e-12)
            assert b.dtype == a.dtype
    return compiled


def changed_attribute(holder, name, value):
    return lambda: setattr(holder, name, value)


# --- what is compared before each call ------------------------------------------------------------------------------

FACTOR, SHIFT, WORD = 2.0, 1.0, "up"


def uses_globals(x):
    return scaled(x) + SHIFT if WORD == "up" else scaled(x) - SHIFT


def scaled(x):
    return x * FACTOR


def test_globals_also_of_functions_that_are_called(monkeypatch):
    own = sys.modules[__name__]
    follows(
        uses_globals,
        lambda: monkeypatch.setattr(own, "SHIFT", 3.0),
        lambda: monkeypatch.setattr(own, "WORD", "down"),
        lambda: monkeypatch.setattr(own, "FACTOR", 5.0),
        lambda: monkeypatch.setattr(own, "scaled", lambda x: x - 1),
    )


def test_variables_of_enclosing_functions():
    factor, chosen, pair, weights, optional = 2.0, None, (1, 2.0), {"a": 1.0, "b": [2.0, 3.0]}, tg.Tensor(2.0)

    def function(x):
        y = x * factor + pair[0] * weights["b"][0]
        return y if chosen is None else y * chosen * optional

    def change(**new):
        nonlocal factor, chosen, pair, optional
        factor, chosen = new.get("factor", factor), new.get("chosen", chosen)
        pair, optional = new.get("pair", pair), new.get("optional", optional)

    follows(
        function,
        lambda: change(factor=3.0),
        lambda: change(factor=3),
        lambda: change(chosen=True),
        lambda: change(chosen=1.5),
        lambda: change(pair=(2, 2.0)),
        lambda: change(optional=tg.Tensor(7.0)),
        lambda: optional.assign(8.0),
        lambda: weights["b"].__setitem__(0, 9.0),
        lambda: weights.update(b=[4.0]),
    )


def test_values_of_another_type_are_others():
    class Offset:
        offset = 1

        def __call__(self, x):
            return tg.Tensor(x) * self.offset

    call = Offset()
    follows(call, *(changed_attribute(call, "offset", value) for value in (1.0, True, -0.0, 0.0)), x=np.arange(3))


def test_functions_of_every_kind():
    factor = 2.0

    def default(x, scale=[2.0]):  # noqa: B006
        return x * scale[0]

    def keyword(x, *, scale=2.0):
        return x * scale

    def decorated(function):
        @functools.wraps(function)
        def inner(*args):
            return function(*args) * factor

        return inner

    def nested(x):
        def inner(y):
            return y * factor

        return sum(map(inner, [x, x]), tg.Tensor(0.0))

    def change(value):
        nonlocal factor
        factor = value

    changes = [functools.partial(change, value) for value in (3.0, 4.0)]
    follows(nested, *changes)
    follows(decorated(lambda x: x * factor), *changes)
    follows(functools.partial(lambda k, x: x * factor * k, 2.0), *changes)
    follows(lambda x: functools.reduce(lambda a, b: a * factor + b, [x, x, x]), *changes)
    follows(tg.no_grad()(lambda x: x * factor), *changes)
    follows(tg.compile(lambda x: x * factor), *changes)
    follows(default, lambda: default.__defaults__[0].insert(0, 1), lambda: setattr(default, "__defaults__", ([5.0],)))
    follows(
        keyword,
        lambda: keyword.__kwdefaults__.update(scale=3.0),
        changed_attribute(keyword, "__kwdefaults__", {"scale": 4.0}),
    )
    follows(default, lambda: setattr(default, "__code__", (lambda x, scale: x - scale[0]).__code__))


def test_a_variable_that_is_filled_later():
    def make():
        def function(x):
            try:
                return x * later
            except NameError:
                return tg.Tensor(x)

        def fill(value):
            nonlocal later
            later = value

        if X.size == 0:
            later = 0.0
        return function, fill

    function, fill = make()
    follows(function, lambda: fill(3.0), lambda: fill(4.0))


def test_the_mode_of_the_call():
    w = tg.Tensor(np.ones(3), requires_grad=True)

    def penalised(x):
        loss = (w * x).sum()
        return loss * 2.0 if loss.requires_grad else loss

    def gradient(x):
        w.grad = None
        (w * x).sum().backward()
        return w.grad

    step, slope = tg.compile(penalised), tg.compile(gradient)
    for i in range(12):
        with tg.no_grad() if i % 2 else contextlib.nullcontext():
            assert step(X).item() == penalised(tg.Tensor(X)).item()
            if i % 2:
                with pytest.raises(RuntimeError, match="nothing to do"):
                    slope(X)
            else:
                np.testing.assert_array_equal(slope(X).numpy(), X.sum(axis=0))
    assert step.compilations == 2


def test_what_happens_besides_happens_when_it_is_watched():
    lines, count = [], 0

    def function(x):
        nonlocal count
        count += 1
        lines.append(count)
        return x * 2

    for audit, watched in ((0, 2), (0.01, 5)):
        lines.clear()
        compiled = tg.compile(function, audit=audit)
        for _ in range(20):
            np.testing.assert_array_equal(compiled(X).numpy(), X * 2)
        assert len(lines) == watched
        assert compiled.compilations == 1


# --- what audits find -----------------------------------------------------------------------------------------------


class Hidden:
    """Something to read that no guard looks at, and how to change it."""

    def __init__(self, path):
        self.path = path
        self.array, self.deep = np.ones(3), types.SimpleNamespace(inner=types.SimpleNamespace(scale=1.0))
        self.change(1)

    def change(self, value):
        self.path.write_text(str(value), encoding="utf-8")
        self.array[:] = value
        self.deep.inner.scale = float(value)
        self.deep.inner.late = time.monotonic() if value > 1 else float("inf")


@pytest.mark.parametrize("kind", ["file", "array", "deep", "clock", "random"])
def test_audits_find_what_is_not_compared(tmp_path, kind):
    hidden = Hidden(tmp_path / "factor")
    read = {
        "file": lambda x: x * float(hidden.path.read_text(encoding="utf-8")),
        "array": lambda x: x * hidden.array,
        "deep": lambda x: x * hidden.deep.inner.scale,
        "clock": lambda x: x * (2 if time.monotonic() > hidden.deep.inner.late else 1),
        "random": lambda x: x if hidden.deep.inner.scale == 1 else x * random.random(),
    }[kind]
    compiled = tg.compile(read)
    for _ in range(20):
        np.testing.assert_array_equal(compiled(X).numpy(), X)
    hidden.change(2)
    words = r"something else now(.|\n)*here it was(.|\n)*test_compile_guards.py"
    with pytest.raises(tg.StaleError, match=words):  # noqa: PT012 (one of these calls is an audit)
        for _ in range(20):
            compiled(X)
    if kind not in ("random", "clock"):  # after that, it is compiled anew
        for _ in range(20):
            np.testing.assert_array_equal(compiled(X).numpy(), X * 2)


def test_an_audit_undoes_what_it_did_and_leaves_the_programs_bits():
    def run(audit):
        model = network()
        optimiser = tg.optim.Adam(model.parameters(), lr=0.01)

        @functools.partial(tg.compile, audit=audit)
        def step(x, labels):
            optimiser.zero_grad()
            loss = tg.cross_entropy(model(x), labels)
            loss.backward()
            optimiser.step()
            return loss

        losses = [step(X, np.array([0, 2])).item() for _ in range(100)]
        return losses, [p.numpy() for p in model.parameters()], optimiser.state_dict()["state"]

    for a, b in zip(run(0), run(1)):
        assert pickle.dumps(a) == pickle.dumps(b)


def test_audits_come_at_powers_of_two_and_then_by_their_share_of_the_time():
    calls, runs = np.zeros((), int), []  # what an array holds is not compared

    def function(x):
        runs.append(int(calls))
        return (x @ x.T).sum()

    compiled = tg.compile(function)
    for _ in range(5000):
        calls += 1
        compiled(X)
    assert runs[:6] == [1, 2, 4, 8, 16, 32]
    assert len(runs) < 5000 / 31
    assert len(runs) > 6
    with pytest.raises(ValueError, match="share of the time"):
        tg.compile(function, audit=2)


# --- what no program can do -----------------------------------------------------------------------------------------


def test_what_changes_the_arguments_or_rates_is_refused():
    for argument in ([1.0], {"a": 1.0}):
        with pytest.raises(tg.CompileError, match="that it was given"):
            tg.compile(lambda x, y: y.append(1) if type(y) is list else y.pop("a"))(X, argument)
        assert len(argument) == 1
    w = tg.Tensor(np.ones(3), requires_grad=True)
    optimiser = tg.optim.Adam([w], lr=0.5)

    def step(x):
        (w * x).sum().backward()
        optimiser.step()
        optimiser.groups[0]["lr"] *= 0.5

    with pytest.raises(tg.CompileError, match="changes a learning rate"):
        tg.compile(step)(X)
    assert w.grad is None
    assert not optimiser.state_dict()["state"][0]
    np.testing.assert_array_equal(w.numpy(), 1)


def test_an_argument_that_requires_a_gradient():
    w = tg.Tensor(2.0, requires_grad=True)

    def adversarial(x):
        loss = (x * w).sum()
        loss.backward()
        return loss

    step = tg.compile(adversarial)
    for _ in range(3):
        with pytest.raises(tg.CompileError, match="argument x requires a gradient"):
            step(tg.Tensor(X, requires_grad=True))
        step(X)
        step(tg.Tensor(X))
    with pytest.raises(tg.CompileError, match="was computed"):
        step(tg.Tensor(X, requires_grad=True) * 1)


# --- models and optimisers ------------------------------------------------------------------------------------------


def network(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return tg.nn.Sequential(
        tg.nn.Linear(3, 4, generator=rng, dtype=dtype),
        tg.nn.ReLU(),
        tg.nn.Linear(4, 4, generator=rng, dtype=dtype),
        tg.nn.Dropout(0.5, generator=np.random.default_rng(1)),
        tg.nn.Linear(4, 3, generator=rng, dtype=dtype),
    )


OPTIMISERS = {
    "sgd": lambda p: tg.optim.SGD(p, lr=0.1),
    "momentum": lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: tg.optim.Adam(p, lr=0.01),
}


class Training:
    """One step, plain or compiled, and things that a user does between steps."""

    def __init__(self, kind, wrap):
        self.model = network()
        self.optimiser = OPTIMISERS[kind](self.model.parameters())
        self.kept = []
        self.states = []
        self.saved = None
        self.step = wrap(self.train_step)

    def train_step(self, x, labels):
        self.optimiser.zero_grad()
        loss = tg.cross_entropy(self.model(x), labels)
        loss.backward()
        self.optimiser.step()
        return loss

    @property
    def first(self):
        return self.model.layers[0]


def _replaced(t):
    t.first.weight = tg.Tensor(t.first.weight.numpy() * 2, requires_grad=True)


def _retied(t):
    t.model.layers[4].bias = t.model.layers[4].bias
    t.model.layers[2].bias = t.first.bias


def _new_optimiser(t):
    t.optimiser = type(t.optimiser)(t.model.parameters(), lr=0.05)


def _load(t):
    if t.saved is not None:
        with contextlib.suppress(ValueError):  # they may no longer fit
            t.model.load_state_dict(t.saved[0])
            t.optimiser.load_state_dict(t.saved[1])


def _group(t):
    extra = tg.Tensor(np.ones(3), requires_grad=True)
    t.optimiser.groups.append({**t.optimiser.groups[0], "parameters": [extra]})


def _split(t):
    parameters = t.optimiser.groups[0]["parameters"]
    if len(parameters) > 1:
        t.optimiser.groups.append({**t.optimiser.groups[0], "parameters": [parameters.pop()], "lr": 0.5})


def _copied_group(t):
    t.optimiser.groups[0] = dict(t.optimiser.groups[0], lr=0.03)


CHANGES = {
    "assign": lambda t: t.first.weight.assign(t.first.weight.numpy() * 0.5),
    "replaced": _replaced,
    "retied": _retied,
    "layer": lambda t: t.model.layers.__setitem__(1, tg.nn.Tanh()),
    "eval": lambda t: t.model.eval(),
    "train": lambda t: t.model.train(),
    "frozen": lambda t: setattr(t.first.weight, "requires_grad", False),
    "thawed": lambda t: setattr(t.first.weight, "requires_grad", True),
    "name": lambda t: setattr(t.first.weight, "name", f"n{len(t.kept)}"),
    "given gradient": lambda t: setattr(t.first.weight, "grad", tg.Tensor(np.ones((3, 4)))),
    "gradient": lambda t: t.model(X).sum().backward(),
    "rate": lambda t: t.optimiser.groups[0].update(lr=0.02),
    "decay": lambda t: t.optimiser.groups[0].update(weight_decay=0.01),
    "new optimiser": _new_optimiser,
    "group": _group,
    "split": _split,
    "copied group": _copied_group,
    "snapshot": lambda t: t.kept.append((t.model.state_dict(), copy.deepcopy(t.model.state_dict()))),
    "kept": lambda t: t.kept.append(((d := {"x": t.first.weight.detach().numpy()}), copy.deepcopy(d))),
    "states": lambda t: t.states.extend(
        (x, x.copy()) for s in t.optimiser._state.values() for x in s.values() if isinstance(x, np.ndarray)
    ),
    "fresh state": lambda t: setattr(t.optimiser, "_state", {}),
    "inner state": lambda t: t.optimiser._state.update({p: copy.copy(s) for p, s in t.optimiser._state.items()}),
    "save": lambda t: setattr(t, "saved", (t.model.state_dict(), t.optimiser.state_dict())),
    "load": _load,
    "eager step": lambda t: t.train_step(X, np.array([2, 1])),
    "copy": lambda t: copy.deepcopy(t.model)(X),
    "options": lambda t: setattr(t.model.layers[3], "p", 0.25),
    "bias": lambda t: setattr(t.first, "bias", None),
}


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(sorted(OPTIMISERS)), st.lists(st.sampled_from(sorted(CHANGES)), max_size=8))
def test_anything_that_changes_between_steps(kind, changes):
    eager, compiled = Training(kind, lambda f: f), Training(kind, tg.compile)
    rng = np.random.default_rng(0)
    for name in ("name", *changes, "name"):
        for training in (eager, compiled):
            CHANGES[name](training)
        for _ in range(4):
            x, labels = rng.normal(size=(2, 3)), rng.integers(0, 3, 2)
            a, b = eager.step(x, labels), compiled.step(x, labels)
            np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-9)
            for s, t in zip(eager.optimiser._parameters(), compiled.optimiser._parameters()):
                np.testing.assert_allclose(t.numpy(), s.numpy(), rtol=1e-8, atol=1e-10)
                assert t.requires_grad == s.requires_grad
            for kept, as_it_was in compiled.kept:
                for key, array in kept.items():
                    np.testing.assert_array_equal(array, as_it_was[key])
    for x, y in zip(eager.optimiser.state_dict()["state"], compiled.optimiser.state_dict()["state"]):
        assert x.keys() == y.keys()
        for key in x:
            np.testing.assert_allclose(y[key], x[key], rtol=1e-8, atol=1e-12)


def test_what_does_not_matter_is_not_compiled_anew():
    training = Training("sgd", tg.compile)
    x, labels = X, np.array([0, 2])
    for i in range(6):
        training.step(x, labels)
        training.first.weight.name = f"name {i}"
        training.optimiser.groups[0]["lr"] = 0.1 / (i + 1)
        training.kept.append(i)
        training.model.layers[3].p = float("0.5")
        if i == 3:
            training.optimiser.load_state_dict(training.optimiser.state_dict())
    assert training.step.compilations == 1
    for _ in range(3):  # both programs are kept
        training.model.eval()
        training.step(x, labels)
        training.model.train()
        training.step(x, labels)
    assert training.step.compilations <= 3


def test_a_learning_rate_that_the_function_itself_reads():
    w = tg.Tensor(1.0, requires_grad=True)
    optimiser = tg.optim.SGD([w], lr=0.5)
    follows(lambda x: w * x * optimiser.groups[0]["lr"], lambda: optimiser.groups[0].update(lr=0.25))
    schedule = tg.optim.schedules.Schedule(optimiser, tg.optim.schedules.cosine(9))
    follows(lambda x: w * x * schedule.steps, schedule.step)


def test_penalties_over_parameters_see_new_ones():
    class Model(tg.nn.Module):
        def __init__(self):
            self.weight = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
            self.calls = 0

        def forward(self, x):
            return x * self.weight

    model = Model()

    def penalised(x):
        return sum(((p * p).sum() for p in model.parameters()), model(x).sum())

    compiled = follows(
        penalised,
        lambda: setattr(model, "calls", 1),
        lambda: setattr(model, "other", tg.Tensor(2.0, requires_grad=True)),
        lambda: setattr(model, "training", False),
        lambda: setattr(model, "forward", lambda x: x - 1),
    )
    assert compiled.compilations == 3  # nothing reads `calls` and `training`


def test_a_module_may_keep_what_its_code_does_not_name():
    class Model(tg.nn.Module):
        def __init__(self):
            self.layer, self.losses = tg.nn.Linear(3, 2, dtype=np.float64), []

        def forward(self, x):
            return self.layer(x)

    model = Model()
    compiled = follows(lambda x: model(x), *(lambda i=i: model.losses.append(i) for i in range(4)))
    assert compiled.compilations == 1
    compiled = follows(lambda x: model(x), lambda: setattr(model, "layer", tg.nn.Linear(3, 2, dtype=np.float64)))
    assert compiled.compilations == 2


def test_tensors_of_one_element_are_compared_by_identity():
    cfg, ts = types.SimpleNamespace(t=tg.Tensor([2.0])), [tg.Tensor([2.0])]
    follows(
        lambda x: x * cfg.t + ts[0],
        lambda: setattr(cfg, "t", tg.Tensor([2.0])),
        lambda: cfg.t.assign([3.0]),
        lambda: ts.__setitem__(0, tg.Tensor([2.0])),
        lambda: ts[0].assign([4.0]),
    )


# --- errors on the way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_a_failing_check_changes_nothing(kind):
    training = Training(kind, tg.compile)
    training.model.eval()
    good, wrong = np.array([0, 2]), np.array([0, 3])
    with pytest.raises(ValueError, match="label 3"):
        training.step(X, wrong)
    for _ in range(4):
        training.step(X, good)
        before = copy.deepcopy((training.model.state_dict(), training.optimiser.state_dict()))
        with pytest.raises(ValueError, match="label 3 at 1"):
            training.step(X, wrong)
        after = training.model.state_dict(), training.optimiser.state_dict()
        assert pickle.dumps(copy.deepcopy(after)) == pickle.dumps(before)
    other = Training(kind, lambda f: f)
    other.model.eval()
    for _ in range(4):
        other.step(X, good)
    for p, q in zip(training.model.parameters(), other.model.parameters()):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-10)


# --- arguments and results ------------------------------------------------------------------------------------------


def awkward_arrays():
    a = np.arange(12.0).reshape(3, 4) - 5
    read_only = a.copy()
    read_only.flags.writeable = False
    dtype = pickle.loads(pickle.dumps(a)).dtype
    return {
        "columns": np.asfortranarray(a),
        "turned": a.T.copy().T,
        "stepped": np.repeat(a, 2, axis=0)[::2],
        "reversed": a[::-1, ::-1],
        "read-only": read_only,
        "broadcast": np.broadcast_to(a[0], (3, 4)),
        "big-endian": a.astype(">f8"),
        "unpickled": a.astype(dtype),
        "unaligned": np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(np.float64).reshape(3, 4),
        "no mask": np.ma.masked_array(a),
        "tensor": tg.Tensor(a),
        "float32": a.astype(np.float32),
        "integers": a.astype(int),
    }


@pytest.mark.parametrize("name", awkward_arrays())
def test_awkward_arguments(name):
    x, w = awkward_arrays()[name], tg.Tensor(np.linspace(0, 1, 12).reshape(4, 3), requires_grad=True)

    def function(x, y):
        w.grad = None
        loss = (tg.tanh(tg.Tensor(x) @ w) * 2).sum() + tg.Tensor(y).reshape(-1).sum() + tg.exp(y).sum()
        loss.backward()
        return loss, x

    compiled = tg.compile(function)
    for _ in range(3):
        before = x.numpy().copy() if name == "tensor" else np.array(x)
        a, gradient = function(tg.Tensor(x), tg.Tensor(x)), w.grad.numpy()
        b = compiled(x, x)  # the same array twice
        np.testing.assert_allclose(b[0].numpy(), a[0].numpy(), rtol=1e-6)
        np.testing.assert_allclose(w.grad.numpy(), gradient, rtol=1e-6)
        assert not np.shares_memory(b[1].numpy(), x.numpy() if name == "tensor" else x)
        np.testing.assert_array_equal(np.asarray(x.numpy() if name == "tensor" else x), before)
    assert compiled.compilations == 1


def test_arguments_that_eager_would_refuse():
    f = tg.compile(lambda x: tg.Tensor(x) * 2)
    for x in (np.ones(3), np.ones(())):
        np.testing.assert_array_equal(f(x).numpy(), x * 2)
    with pytest.raises(TypeError, match="mask"):
        f(np.ma.masked_array([1.0, 2.0, 3.0], [True, False, False]))
    with pytest.warns(PendingDeprecationWarning), pytest.raises(TypeError, match="matrix"):
        f(np.matrix([[1.0]]))
    for x in (np.array(["a"]), np.ones(3, complex), np.array([None])):
        with pytest.raises(TypeError):
            f(x)
    for x in (np.ones((0, 3)), np.zeros(0)):
        assert f(x).shape == x.shape
        assert f(x).shape == x.shape
    assert f(np.float32(2)).dtype == np.float32
    assert f(2).dtype == int
    assert f(2.0).dtype == float
    assert f(True).dtype == int


def test_arguments_that_share_memory_with_parameters():
    def make(wrap):
        w = tg.Tensor(np.arange(4.0).reshape(2, 2), requires_grad=True)
        optimiser = tg.optim.SGD([w], lr=0.1)

        def function(x):
            optimiser.zero_grad()
            loss = (w * w * x).sum() + (x * x).sum()
            loss.backward()
            optimiser.step()
            return loss, w, (w * 1.0), tg.Tensor(x)

        function = wrap(function)
        found, kept = [], []
        for give in [lambda: w, lambda: w.numpy(), lambda: w.detach(), lambda: w.numpy().T, lambda: w.numpy()[::-1]]:
            for _ in range(3):
                x = give() if give() is not w else w.detach()
                results = function(x)
                found += [t.numpy().copy() for t in results]
                kept.append((results[2], results[2].numpy().copy(), results[3], results[3].numpy().copy()))
                assert results[1] is w
                assert not np.shares_memory(results[2].numpy(), w.numpy())
        for a, b, c, d in kept:
            np.testing.assert_array_equal(a.numpy(), b)
            np.testing.assert_array_equal(c.numpy(), d)
        return found

    for a, b in zip(make(lambda f: f), make(tg.compile)):
        np.testing.assert_allclose(b, a, rtol=1e-12)


def test_objects_among_the_arguments():
    f = tg.compile(lambda x, scale, options, model: model(x) * scale * options["a"][0])
    models = [tg.nn.Linear(3, 2, dtype=np.float64) for _ in range(2)]
    for _ in range(2):
        for model in models:
            for scale in (1, 1.0, True, 2.0):
                for options in ({"a": [2.0]}, {"a": (3.0,)}):
                    wanted = model(X) * scale * options["a"][0]
                    np.testing.assert_allclose(f(X, scale, options, model).numpy(), wanted.numpy())
                    np.testing.assert_allclose(f(X, model=model, options=options, scale=scale).numpy(), wanted.numpy())
        models[0].weight = tg.Tensor(np.ones((3, 2)), requires_grad=True)


def test_an_object_with_the_address_of_another():
    f = tg.compile(lambda x, model: model(x), cache_size=2)
    for i in range(20):  # freed objects' addresses are used again
        model = tg.nn.Linear(3, 2, dtype=np.float64, generator=np.random.default_rng(i))
        np.testing.assert_allclose(f(X, model).numpy(), model(X).numpy())
        del model


# --- threads, tasks and copies --------------------------------------------------------------------------------------


def together(*works):
    errors = []

    def guarded(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_threads_lose_no_step():
    w = tg.Tensor(np.zeros(1000), requires_grad=True)
    optimisers = [tg.optim.SGD([w], lr=1.0) for _ in range(2)]

    def step_of(optimiser):
        def step(x):
            optimiser.zero_grad()
            (w * x).sum().backward()
            optimiser.step()

        return tg.compile(step)

    steps = [step_of(optimiser) for optimiser in optimisers]
    x = -np.ones(1000)
    for step in steps:  # compiled before they are shared
        step(x), step(x)
    together(*(lambda step=step: [step(x) for _ in range(100)] for step in [*steps, *steps]))
    np.testing.assert_array_equal(w.numpy(), 404.0)


def test_tasks_and_contexts():
    f = tg.compile(lambda x: tg.softmax(x))

    async def work(n):
        for i in range(5):
            x = np.arange(float(n)) * i
            np.testing.assert_allclose(f(x).numpy(), tg.softmax(x).numpy())
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(work(n) for n in (2, 3, 4)))

    asyncio.run(main())
    with tg.no_grad():
        np.testing.assert_allclose(f(X).numpy(), tg.softmax(X).numpy())


def test_called_while_it_runs(tmp_path):
    signal = tmp_path / "signal"

    class Rule(tg.optim.SGD):
        def numbers(self, group, step_number):
            if signal.exists():
                step(X)
            return super().numbers(group, step_number)

    w = tg.Tensor(np.ones(3), requires_grad=True)
    optimiser = Rule([w], lr=0.1)

    @tg.compile
    def step(x):
        optimiser.zero_grad()
        (w * x).sum().backward()
        optimiser.step()

    for _ in range(4):
        step(X)
    before = w.numpy().copy()
    signal.touch()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="while it ran"):
            step(X)
        np.testing.assert_array_equal(w.numpy(), before)


class Holder:
    def __init__(self):
        self.w = tg.Tensor(2.0, requires_grad=True)
        self.step = tg.compile(self.scaled)

    def scaled(self, x):
        return x * self.w

    @tg.compile
    def decorated(self, x):
        return x * self.w


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_what_holds_a_compiled_function(duplicate):
    holder = Holder()
    holder.step(X)
    other = duplicate(holder)
    other.w.assign(5.0)
    for h, factor in ((holder, 2.0), (other, 5.0), (holder, 2.0)):
        np.testing.assert_array_equal(h.step(X).numpy(), X * factor)
        np.testing.assert_array_equal(h.decorated(X).numpy(), X * factor)
    assert other.step.function.__self__ is other
    assert duplicate(Holder.decorated).function is Holder.decorated.function
    with pytest.raises(AttributeError):
        holder.step.function = print


# --- arrays that somebody holds -------------------------------------------------------------------------------------


def holds():
    training = Training("momentum", tg.compile)
    x, labels = X, np.array([0, 2])
    kept = []
    for i in range(12):
        training.step(x, labels)
        weight, state = training.first.weight, training.optimiser._state.get(training.first.weight, {})
        arrays = [
            weight._array,
            weight.numpy(),
            weight.numpy()[1:],
            memoryview(weight.numpy()),
            weight.detach().numpy(),
            state.get("velocity", weight.numpy()),
        ]
        if i % 2:
            kept.append((arrays[i // 2], np.array(arrays[i // 2])))
        del arrays
        for array, as_it_was in kept:
            np.testing.assert_array_equal(np.asarray(array), as_it_was)
    return training.step.compilations, kept


def test_arrays_that_are_held_are_never_written():
    assert holds()[0] == 1


def test_where_references_cannot_be_counted(monkeypatch):
    monkeypatch.setattr(enter, "COUNTS_REFERENCES", False)
    assert holds()[0] == 1


def of_rows(training, *rows):
    for n in rows:
        training.step(np.resize(X, (n, 3)), np.arange(n) % 3)


def test_programs_of_a_function_share_its_arrays(monkeypatch):
    training, plain = (Training("momentum", wrap) for wrap in (tg.compile, lambda step: step))
    rows = (2, 2, 1, 1, 2, 1, 2)
    of_rows(training, *rows)
    monkeypatch.setattr(bound, "entry", None)  # nothing is bound anew when they take turns
    of_rows(training, 1, 2, 1, 2, 2, 1)
    of_rows(plain, *rows, 1, 2, 1, 2, 2, 1)
    assert training.step.programs == 2
    np.testing.assert_allclose(training.first.weight.numpy(), plain.first.weight.numpy(), rtol=1e-12)


@pytest.mark.parametrize("holders", range(1, 9))
def test_arrays_that_are_held_when_another_program_lets_go_of_them(holders):
    weight = tg.Tensor(np.ones(3), requires_grad=True)
    optimiser = tg.optim.SGD([weight], lr=0.1)

    def step(x, train):
        if not train:
            return tg.square(x)
        optimiser.zero_grad()
        loss = (weight * x).sum()
        loss.backward()
        optimiser.step()
        return loss

    step = tg.compile(step, cache_size=2)
    for x in (X, X, X[:1], X[:1], X, X[:1], X, X[:1]):
        step(x, True)
    held = [weight._array] * holders  # there may be as many references as before, when one program is dropped
    as_it_was = held[0].copy()
    for x, train in ((X, False), (X, False), (X[:1], True)):
        step(x, train)
    np.testing.assert_array_equal(held[0], as_it_was)
    assert not np.array_equal(weight.numpy(), as_it_was)
