"""`tg.compile` and what changes between calls: the compiled function is always what the plain one is now."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import copy
import dataclasses
import enum
import functools
import os
import pickle
import random
import sys
import threading
import time
import types
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cls as tg
from tinygrad_cls.compiling import quick

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


def values(result):
    if isinstance(result, tg.Tensor):
        return result.numpy()
    return [values(x) for x in result] if isinstance(result, (list, tuple)) else result


def follows(function, *changes, x=X):
    """Whether the compiled function gives what the plain one gives, at first and after each change."""
    compiled = tg.compile(function)
    for change in (lambda: None, *changes):
        change()
        for _ in range(3):
            a, b = function(x), compiled(x)
            np.testing.assert_allclose(values(b), values(a), rtol=1e-12)
            assert b.dtype == a.dtype
    return compiled


def module(source, name="helper_of_a_test"):
    made = types.ModuleType(name)
    exec(source, vars(made))
    return made


# --- values of every kind -------------------------------------------------------------------------------------------


class Config:
    scale = 2.0

    def __init__(self):
        self.offset = 1.0
        self.history = []

    @property
    def both(self):
        return self.scale * self.offset

    def scaled(self, x):
        return x * self.scale


class Slots:
    __slots__ = ("__private", "scale")

    def __init__(self):
        self.private(1.0)

    def private(self, value):
        self.__private = value

    def read(self):
        return self.__private


@dataclasses.dataclass
class Data:
    scale: float = 2.0


class Callee:
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, x):
        return x * self.scale


class Kind(enum.Enum):
    SUM = 1
    MEAN = 2


def changed_attribute(holder, name, value):
    return lambda: setattr(holder, name, value)


def test_values_of_another_type_are_others():
    cfg = Config()
    cfg.offset = 1

    def change(value):
        return changed_attribute(cfg, "offset", value)

    x = np.arange(3)
    follows(lambda x: tg.Tensor(x) * cfg.offset, change(1.0), change(True), change(-0.0), change(0.0), x=x)


def test_objects_attributes_properties_and_classes():
    cfg, slots, data, space = Config(), Slots(), Data(), types.SimpleNamespace(scale=2.0)
    slots.scale = 3.0
    follows(
        lambda x: x * cfg.scale + cfg.offset,
        changed_attribute(cfg, "offset", 4.0),
        changed_attribute(cfg, "scale", 4.0),
        lambda: delattr(cfg, "scale"),
    )
    follows(lambda x: x * cfg.both, changed_attribute(cfg, "offset", 5.0), changed_attribute(cfg, "scale", 7.0))
    follows(lambda x: cfg.scaled(x), changed_attribute(cfg, "scaled", lambda x: x * 9), lambda: delattr(cfg, "scaled"))
    follows(lambda x: x * slots.scale, changed_attribute(slots, "scale", 4.0))
    follows(lambda x: x * slots.read(), lambda: slots.private(4.0))
    follows(lambda x: x * data.scale, changed_attribute(data, "scale", 4.0))
    follows(lambda x: x * space.scale, changed_attribute(space, "scale", 4.0))
    follows(lambda x: x * getattr(space, "sca" + "le"), changed_attribute(space, "scale", 5.0))
    follows(lambda x: x * vars(space)["scale"], changed_attribute(space, "scale", 6.0))


def test_classes_that_change(monkeypatch):
    cfg = Config()
    monkeypatch.setattr(Config, "scale", 2.0)
    follows(
        lambda x: cfg.scaled(x) * Config.scale,
        lambda: monkeypatch.setattr(Config, "scale", 3.0),
        lambda: monkeypatch.setattr(Config, "scaled", lambda self, x: x - self.scale),
        lambda: monkeypatch.setattr(cfg, "__class__", type("Other", (Config,), {"scale": 8.0})),
    )


def test_a_subclass_that_shadows_later():
    class Base:
        scale = 2.0

    class Own(Base):
        pass

    own = Own()
    follows(lambda x: x * own.scale, lambda: setattr(Own, "scale", 3.0), lambda: setattr(own, "scale", 4.0))


@pytest.mark.parametrize(
    ("holder", "change"),
    [
        ([1.0, 2.0], lambda c: c.append(3.0)),
        ([1.0, 2.0], lambda c: c.reverse()),
        ([1, 2], lambda c: c.__setitem__(0, 1.0)),
        ([[1.0], [2.0]], lambda c: c[1].append(5.0)),
        ([1.0] * 20, lambda c: c.__setitem__(13, 4.0)),
        ({1.0, 2.0}, lambda c: c.add(3.0)),
        ({"a": 1.0, "b": 2.0}, lambda c: c.update(b=3.0)),
        ({"a": 1.0, "b": 2.0}, lambda c: c.update(a=c.pop("a"))),
        ({"a": [1.0]}, lambda c: c["a"].append(2.0)),
        (collections.deque([1.0, 2.0]), lambda c: c.rotate()),
        (collections.OrderedDict(a=1.0, b=2.0), lambda c: c.move_to_end("a")),
        (collections.defaultdict(float, a=1.0, b=2.0), lambda c: c.update(a=7.0)),
        (collections.Counter(a=1, b=2), lambda c: c.update("a")),
        (collections.UserDict(a=1.0), lambda c: c.update(b=2.0)),
        (collections.UserList([1.0]), lambda c: c.append(2.0)),
        (([1.0], 2.0), lambda c: c[0].append(2.0)),
        (bytearray(b"ab"), lambda c: c.reverse()),
        (np.array([1.0, 2.0]), lambda c: c.__setitem__(0, 5.0)),
        (np.array([[1.0, 2.0]]).T, lambda c: c.__setitem__(0, 5.0)),
        ([np.array([1.0])], lambda c: c[0].fill(3.0)),
    ],
)
def test_containers(holder, change):
    def flat(items):
        for item in items.items() if hasattr(items, "items") else items:
            for x in item if isinstance(item, (list, tuple, np.ndarray)) else [item]:
                yield from [x] if not isinstance(x, (list, str)) else ([] if isinstance(x, str) else x)

    def function(x):
        result = tg.Tensor(x)
        for i, factor in enumerate(flat(holder)):
            result = result * (i + 2) + factor
        return result

    follows(function, lambda: change(holder))


def test_a_dict_replaced_by_an_equal_one_is_followed():
    cfg = Config()
    cfg.options = {"scale": 2.0}

    def change():
        cfg.options = dict(cfg.options)

    follows(lambda x: x * cfg.options["scale"], change, lambda: cfg.options.update(scale=5.0))


def test_arrays_are_compared_and_large_ones_refused():
    weight, large = np.ones(3), np.ones((400, 3))
    follows(lambda x: x * weight, lambda: weight.__setitem__(0, 3.0), lambda: weight.fill(2.0))
    labels = np.array([0, 2])
    follows(
        lambda x: tg.cross_entropy(x, labels, weight=weight),
        lambda: weight.__setitem__(2, 9.0),
        lambda: labels.__setitem__(0, 1),
    )
    follows(lambda x: x * large, lambda: large.fill(3.0), x=np.ones((400, 3)))
    huge = np.ones(10_000)
    with pytest.raises(tg.CompileError, match=r"huge is an array of 80,000 bytes.*argument.*tg.Tensor(.|\n)*test_comp"):
        tg.compile(lambda x: tg.Tensor(x * huge))(1.0)
    tensor = tg.Tensor(huge)
    follows(lambda x: x * tensor, lambda: tensor.assign(huge * 2), x=np.ones(10_000))


def test_a_large_array_that_is_not_used_is_no_reason_to_refuse():
    class Trainer:
        def __init__(self):
            self.scale, self.everything, self.losses = 2.0, np.zeros(100_000), []
            self.step = tg.compile(self.train_step)

        def train_step(self, x):
            return x * self.scale

        def fit(self):
            return self.everything

    trainer = Trainer()
    for i in range(5):
        trainer.losses.append(trainer.step(X))
        trainer.everything[i] = i
        np.testing.assert_array_equal(trainer.losses[-1].numpy(), X * 2)
    assert trainer.step.compilations == 1
    trainer.scale = 3.0
    np.testing.assert_array_equal(trainer.step(X).numpy(), X * 3)


# --- code -----------------------------------------------------------------------------------------------------------


def test_other_modules(monkeypatch):
    helper = module("SCALE = 2.0\nclass C:\n  scale = 3.0\nc = C()\ndef scaled(x):\n    return x * SCALE")
    inner = module("DEPTH = 1.0", "inner_of_a_test")
    helper.inner = inner
    scaled = helper.scaled
    monkeypatch.setitem(sys.modules, "helper_of_a_test", helper)

    def imports(x):
        from helper_of_a_test import SCALE

        return x * SCALE

    changes = [
        changed_attribute(helper, "SCALE", 4.0),
        changed_attribute(helper.c, "scale", 5.0),
        changed_attribute(inner, "DEPTH", 6.0),
        changed_attribute(helper, "scaled", lambda x: x - 1),
    ]
    follows(lambda x: helper.scaled(x) * helper.SCALE * helper.c.scale * helper.inner.DEPTH, *changes)
    follows(lambda x: scaled(x), changed_attribute(helper, "SCALE", 7.0))
    follows(imports, changed_attribute(helper, "SCALE", 9.0))


FACTOR = 2.0


def uses_global(x):
    return x * FACTOR


def calls(x):
    return sum_of([uses_global(y) for y in (x, x)])


def sum_of(xs):
    return xs[0] + xs[1] * len(xs)


def test_globals_and_builtins_that_are_shadowed(monkeypatch):
    own = sys.modules[__name__]
    follows(
        calls,
        lambda: monkeypatch.setattr(own, "FACTOR", 3.0),
        lambda: monkeypatch.setattr(own, "len", lambda xs: 7, raising=False),
        lambda: monkeypatch.setattr(own, "sum_of", lambda xs: xs[0]),
    )


def test_functions_of_every_kind():
    factor, cell, callee = 2.0, None, Callee(2.0)

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

    def late(x):
        return x if cell is None else x * cell

    def change(value):
        nonlocal factor, cell
        factor = cell = value

    changes = [functools.partial(change, value) for value in (3.0, 4.0)]
    follows(late, *changes, lambda: change(None), *changes)
    follows(nested, *changes)
    follows(decorated(lambda x: x * factor), *changes)
    follows(functools.partial(lambda k, x: x * factor * k, 2.0), *changes)
    follows(lambda x: functools.reduce(lambda a, b: a * factor + b, [x, x, x]), *changes)
    follows(tg.no_grad()(lambda x: x * factor), *changes)
    follows(tg.compile(lambda x: x * factor), *changes)
    follows(default, lambda: default.__defaults__[0].append(1), lambda: setattr(default, "__defaults__", ([5.0],)))
    follows(callee, changed_attribute(callee, "scale", 4.0))
    follows(Callee.__call__.__get__(callee), changed_attribute(callee, "scale", 5.0))
    follows(
        keyword,
        lambda: keyword.__kwdefaults__.update(scale=3.0),
        changed_attribute(keyword, "__kwdefaults__", {"scale": 4.0}),
    )
    follows(default, lambda: setattr(default, "__code__", (lambda x, scale: x - scale[0]).__code__))


def test_a_cell_that_is_filled_later():
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


def test_results_that_a_library_keeps():
    scale = 2.0

    @functools.lru_cache
    def kept():
        return scale

    class Lazy:
        @functools.cached_property
        def scale(self):
            return scale * 3

    def change():
        nonlocal scale
        scale = 5.0
        kept.cache_clear()

    lazy = Lazy()
    kept()
    follows(lambda x: x * kept(), change)
    follows(lambda x: x * lazy.scale, lambda: setattr(lazy, "scale", 8.0), lambda: delattr(lazy, "scale"))


def test_holders_that_only_refer():
    cfg, variable = Config(), contextvars.ContextVar("variable", default=2.0)
    holder = weakref.ref(cfg)
    follows(lambda x: x * holder().offset, changed_attribute(cfg, "offset", 3.0))
    follows(lambda x: x * variable.get(), lambda: variable.set(3.0))
    kinds = types.SimpleNamespace(kind=Kind.SUM)
    follows(
        lambda x: x.sum() if kinds.kind is Kind.SUM else x.mean(),
        changed_attribute(kinds, "kind", Kind.MEAN),
        x=tg.Tensor(X),
    )
    tensors = weakref.WeakValueDictionary(a=(t := tg.Tensor(X)))
    with pytest.raises(tg.CompileError, match="how it came by it"):
        tg.compile(lambda x: x * tensors["a"])(X)
    assert t.shape == X.shape


# --- what a recording cannot hold -----------------------------------------------------------------------------------


def test_side_effects_and_chance_are_refused():
    count, cfg, buffer, rng = 0, Config(), np.zeros(2), np.random.default_rng(0)
    numbers = iter([1, 2, 3, 4])

    def counts(x):
        nonlocal count
        count += 1
        return x * (1 if count else 2)

    def appends(x):
        cfg.history.append(1)
        return x * len(cfg.history[:1])

    def writes(x):
        buffer[0] += 1
        return x * 1.0

    def keeps(x):
        cfg.last = x * 2.0
        return cfg.last

    def branches(draw):
        return lambda x: x * 2 if draw() < 2 else x

    for function, words in [
        (counts, "count"),
        (appends, "history"),
        (writes, "buffer"),
        (keeps, "last"),
        (branches(random.random), "random"),
        (branches(np.random.random), "random"),
        (branches(rng.random), "rng|draw"),
        (branches(lambda: next(numbers) % 1), "iterator"),
        (lambda x: x if time.time() > 0 else -x, "clock"),
    ]:
        with pytest.raises(tg.CompileError, match=f"(?s){words}.*test_compile_guards.py"):
            tg.compile(function)(tg.Tensor(X))


def test_more_that_is_refused():
    rng = np.random.default_rng(0)
    dropout = tg.nn.Dropout(0.5, generator=rng)
    for function, words in [
        (lambda x: x * globals()["FACTOR"], "globals"),
        (lambda x: x * eval("FACTOR"), "eval"),
        (lambda x: dropout(x) if rng.random() < 2 else x, "random numbers from"),
    ]:
        with pytest.raises(tg.CompileError, match=words):
            tg.compile(function)(tg.Tensor(X))
    for argument in ([1.0], {"a": 1.0}):
        with pytest.raises(tg.CompileError, match="that it was given"):
            tg.compile(lambda x, y: y.append(1) if type(y) is list else y.pop("a"))(X, argument)
        assert len(argument) == 1


def test_while_another_profiler_runs():
    cfg = Config()
    events = []
    sys.setprofile(lambda frame, event, argument: events.append(event))
    try:
        follows(lambda x: cfg.scaled(x) * FACTOR + cfg.both, changed_attribute(cfg, "offset", 3.0))
        assert sys.getprofile() is not None
    finally:
        sys.setprofile(None)
    assert events


def test_holders_of_the_library(monkeypatch):
    local, chain = threading.local(), collections.ChainMap({"k": 2.0}, {"k": 1.0})
    local.k, inner = 2.0, {"k": 2.0}
    proxy = types.MappingProxyType(inner)
    monkeypatch.setenv("FACTOR_OF_A_TEST", "2")
    follows(lambda x: x * local.k, changed_attribute(local, "k", 3.0))
    follows(lambda x: x * chain["k"], lambda: chain.update(k=3.0))
    follows(lambda x: x * proxy["k"], lambda: inner.update(k=3.0))
    follows(lambda x: x * float(os.environ["FACTOR_OF_A_TEST"]), lambda: monkeypatch.setenv("FACTOR_OF_A_TEST", "3"))
    follows(lambda x: x * float(os.getenv("FACTOR_OF_A_TEST")), lambda: monkeypatch.setenv("FACTOR_OF_A_TEST", "4"))


def test_an_argument_that_requires_a_gradient():
    w = tg.Tensor(2.0, requires_grad=True)

    def adversarial(x):
        loss = (x * w).sum()
        loss.backward()
        return loss

    step = tg.compile(adversarial)
    with pytest.raises(tg.CompileError, match="argument x requires a gradient"):
        step(tg.Tensor(X, requires_grad=True))
    step(X)
    step(tg.Tensor(X))
    with pytest.raises(tg.CompileError, match="argument x requires a gradient"):
        step(tg.Tensor(X, requires_grad=True))
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


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(OPTIMISERS)), st.lists(st.sampled_from(sorted(CHANGES)), max_size=8))
def test_anything_that_changes_between_steps(kind, changes):
    eager, compiled = Training(kind, lambda f: f), Training(kind, tg.compile)
    rng = np.random.default_rng(0)
    for name in ("name", *changes, "name"):
        for training in (eager, compiled):
            CHANGES[name](training)
        for _ in range(2):
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
    schedule = tg.optim.schedules.Schedule(optimiser, tg.optim.schedules.cosine(9))
    follows(lambda x: w * x * optimiser.groups[0]["lr"], lambda: optimiser.groups[0].update(lr=0.25))
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
    assert compiled.compilations == 4


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
    cfg = types.SimpleNamespace(t=tg.Tensor([2.0]), ts=[tg.Tensor([2.0])])
    follows(
        lambda x: x * cfg.t + cfg.ts[0],
        lambda: setattr(cfg, "t", tg.Tensor([2.0])),
        lambda: cfg.t.assign([3.0]),
        lambda: cfg.ts.__setitem__(0, tg.Tensor([2.0])),
        lambda: cfg.ts[0].assign([4.0]),
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
    for step in steps:  # recorded before they are shared
        step(x)
    together(*(lambda step=step: [step(x) for _ in range(100)] for step in [*steps, *steps]))
    np.testing.assert_array_equal(w.numpy(), 402.0)


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


def test_inside_no_grad_it_is_the_same_function():
    plain, other = Training("sgd", tg.compile), Training("sgd", tg.compile)
    for i in range(4):
        a = plain.step(X, np.array([0, 1]))
        with tg.no_grad() if i % 2 else tg.engine.recording.recording(1):
            b = other.step(X, np.array([0, 1]))
        assert a.item() == b.item()


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
    monkeypatch.setattr(quick, "COUNTS_REFERENCES", False)
    assert holds()[0] == 1
