"""Update rules against closed forms, a plain NumPy reference and PyTorch; groups, states, clipping, schedules."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cls as tg
from tinygrad_cls import optim
from tinygrad_cls.optim import schedules

RULES = [
    (optim.SGD, {"lr": 0.05}),
    (optim.SGD, {"lr": 0.05, "weight_decay": 0.1}),
    (optim.SGD, {"lr": 0.02, "momentum": 0.9}),
    (optim.SGD, {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    (optim.Adam, {"lr": 0.05}),
    (optim.Adam, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    (optim.AdamW, {"lr": 0.05}),
    (optim.AdamW, {"lr": 0.05, "betas": (0.5, 0.9), "weight_decay": 0.3}),
]
IDS = [f"{rule.__name__}-{'-'.join(options)}" for rule, options in RULES]


def reference(rule, options, start, gradient_at, steps):
    """The rules as in PyTorch's documentation, one line a formula."""
    p = start.copy()
    m = v = np.zeros_like(p)
    lr, decay = options["lr"], options.get("weight_decay", 0.01 if rule is optim.AdamW else 0.0)
    for t in range(1, steps + 1):
        g = gradient_at(p)
        if rule is optim.SGD:
            g = g + decay * p
            momentum = options.get("momentum", 0.0)
            m = g if t == 1 else momentum * m + g
            p = p - lr * (g + momentum * m if options.get("nesterov") else m if momentum else g)
        else:
            b1, b2 = options.get("betas", (0.9, 0.999))
            if rule is optim.AdamW:
                p = p - lr * decay * p
            else:
                g = g + decay * p
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g * g
            p = p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + options.get("eps", 1e-8))
    return p


def rosenbrock(x):
    return tg.sum((x[1:] - x[:-1] ** 2) ** 2) + 0.1 * tg.sum((1 - x[:-1]) ** 2)


@pytest.mark.parametrize(("rule", "options"), RULES, ids=IDS)
def test_rules_equal_the_formulas_over_100_steps(rule, options):
    start = np.linspace(-0.5, 0.5, 6)
    x = tg.Tensor(start, requires_grad=True)
    optimiser = rule([x], **options)
    for _ in range(100):
        optimiser.zero_grad()
        rosenbrock(x).backward()
        optimiser.step()
    expected = reference(rule, options, start, lambda p: tg.grad(rosenbrock)(p).numpy(), 100)
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-10, atol=1e-13)


def test_sgd_on_a_parabola_has_a_closed_form():
    x = tg.Tensor(3.0, requires_grad=True)
    optimiser = optim.SGD([x], lr=0.1)
    for _ in range(20):
        optimiser.zero_grad()
        (x * x / 2).backward()
        optimiser.step()
    assert x.item() == pytest.approx(3 * 0.9**20, rel=1e-14)


def test_adam_s_first_step_is_lr_whatever_the_gradient():
    for size in (1e-3, 1.0, 1e6):
        x = tg.Tensor([0.0, 0.0], requires_grad=True)
        optimiser = optim.Adam([x], lr=0.25)
        (x * [size, -size]).sum().backward()
        optimiser.step()
        np.testing.assert_allclose(x.numpy(), [-0.25, 0.25], rtol=1e-4)


@pytest.mark.peers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rule", "options"), RULES, ids=IDS)
def test_rules_equal_pytorch_s_over_100_steps(rule, options, dtype):
    import torch

    generator = np.random.default_rng(0)
    shapes = [(4, 3), (3,), ()]
    starts = [np.asarray(generator.standard_normal(shape), dtype) for shape in shapes]
    ours = [tg.Tensor(start, requires_grad=True) for start in starts]
    theirs = [torch.tensor(start, requires_grad=True) for start in starts]
    one = rule([{"parameters": ours[:1]}, {"parameters": ours[1:], "lr": options["lr"] / 2}], **options)
    other = getattr(torch.optim, rule.__name__)(
        [{"params": theirs[:1]}, {"params": theirs[1:], "lr": options["lr"] / 2}], **options
    )
    for _ in range(100):
        for mine, its in zip(ours, theirs, strict=True):
            g = np.asarray(generator.standard_normal(mine.shape), dtype)
            mine.grad = tg.Tensor(g)
            its.grad = torch.tensor(g)
        one.step()
        other.step()
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.dtype == dtype
        tolerance = 100 * np.finfo(dtype).eps
        np.testing.assert_allclose(mine.numpy(), its.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("rule", "options"), RULES, ids=IDS)
def test_a_restored_optimiser_goes_on_in_the_same_bits(rule, options):
    def steps(x, optimiser, count):
        for _ in range(count):
            optimiser.zero_grad()
            rosenbrock(x).backward()
            optimiser.step()

    x = tg.Tensor(np.linspace(-0.5, 0.5, 6), requires_grad=True)
    optimiser = rule([x], **options)
    steps(x, optimiser, 10)
    state, values = optimiser.state_dict(), x.numpy()
    steps(x, optimiser, 10)
    y = tg.Tensor(values, requires_grad=True)
    other = rule([y], lr=123.0)
    other.load_state_dict(state)
    steps(y, other, 10)
    np.testing.assert_array_equal(x.numpy(), y.numpy())


def test_a_state_that_does_not_fit_is_refused_whole():
    x, y = (tg.Tensor(np.ones(n), requires_grad=True) for n in (2, 3))
    one, other = optim.SGD([x], lr=0.1, momentum=0.9), optim.SGD([y], lr=0.2, momentum=0.9)
    x.grad = tg.Tensor(np.ones(2))
    one.step()
    with pytest.raises(ValueError, match=r"velocity has shape \(2,\), float64 for Tensor of shape \(3,\)"):
        other.load_state_dict(one.state_dict())
    assert other.groups[0]["lr"] == 0.2
    state = one.state_dict()
    state["state"][0] = {"speed": np.ones(2)}
    with pytest.raises(ValueError, match=r"it has \['speed'\] for Tensor .*, not \['velocity'\]"):
        one.load_state_dict(state)
    state = one.state_dict()
    state["groups"][0]["lr"] = -1.0
    with pytest.raises(ValueError, match="learning rate of 0 or more"):
        one.load_state_dict(state)
    with pytest.raises(ValueError, match="options"):
        optim.Adam([x]).load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match=r"groups of \[1\] parameters, here they are of \[2\]"):
        optim.SGD([x, y], lr=0.1).load_state_dict(one.state_dict())


def test_the_state_dict_is_a_copy():
    x = tg.Tensor(np.ones(2), requires_grad=True)
    optimiser = optim.SGD([x], lr=0.1, momentum=0.9)
    x.grad = tg.Tensor(np.ones(2))
    optimiser.step()
    state = optimiser.state_dict()
    optimiser.step()
    np.testing.assert_array_equal(state["state"][0]["velocity"], np.ones(2))


def test_neither_gradients_nor_old_values_are_written_to():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    shared = tg.Tensor(np.full(3, 2.0))
    before = x.numpy()
    for rule, options in RULES:
        x.grad = shared
        optimiser = rule([x], **options)
        optimiser.step()
        optimiser.step()
    np.testing.assert_array_equal(shared.numpy(), np.full(3, 2.0))
    np.testing.assert_array_equal(before, np.ones(3))


def test_a_step_makes_old_graphs_stale():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    optim.SGD([x], lr=0.1).step()
    with pytest.raises(RuntimeError, match="assigned new values"):
        loss.backward()


def test_parameters_without_a_gradient_stay():
    x, y = (tg.Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    optimiser = optim.AdamW([x, y], lr=0.1)
    x.grad = tg.Tensor(np.ones(2))
    optimiser.step()
    assert (y.numpy() == 1).all()
    assert (x.numpy() != 1).all()
    optimiser.zero_grad()
    assert x.grad is None


def test_float32_stays_float32_with_any_kind_of_learning_rate():
    x = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    for rule in (optim.SGD, optim.Adam, optim.AdamW):
        optimiser = rule([x], lr=np.float64(0.1), weight_decay=0.1)
        x.grad = tg.Tensor(np.ones(2, np.float32))
        optimiser.step()
        assert x.dtype == np.float32
        assert all(
            a.dtype == np.float32 for a in optimiser.state_dict()["state"][0].values() if isinstance(a, np.ndarray)
        )


def test_bad_parameters_are_named():
    x = tg.Tensor([1.0], requires_grad=True, name="x")
    cases = [
        ([], ValueError, "no parameters"),
        (x, TypeError, "a list of parameters, not a single Tensor"),
        ([x, x], ValueError, "parameter 1 of SGD, Tensor 'x' .* given twice"),
        ([x * 2], ValueError, "was computed by multiply"),
        ([tg.Tensor([1.0])], ValueError, "requires no gradient"),
        ([np.ones(2)], TypeError, "is no Tensor but ndarray"),
        ([{"params": [x]}], TypeError, 'is a dict with "parameters"'),
        ([{"parameters": [x], "speed": 1}], TypeError, "no option speed; it has lr, momentum"),
        ([{"parameters": [x]}, {"parameters": [x]}], ValueError, "given twice"),
        ([{"parameters": [x], "lr": -1.0}], ValueError, "learning rate of 0 or more"),
    ]
    for parameters, kind, message in cases:
        with pytest.raises(kind, match=message):
            optim.SGD(parameters, lr=0.1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda p: optim.SGD(p, lr=math.nan), "learning rate"),
        (lambda p: optim.SGD(p, lr=0.1, momentum=-1), "momentum of 0 or more"),
        (lambda p: optim.SGD(p, lr=0.1, nesterov=True), "Nesterov's form needs a momentum"),
        (lambda p: optim.SGD(p, lr=0.1, weight_decay=-1), "weight_decay of 0 or more"),
        (lambda p: optim.Adam(p, betas=(0.9, 1.0)), "two betas"),
        (lambda p: optim.Adam(p, eps=-1), "eps of 0 or more"),
    ],
)
def test_bad_options_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build([tg.Tensor([1.0], requires_grad=True)])


def test_clipping():
    x, y = tg.Tensor([3.0, 0.0], requires_grad=True), tg.Tensor(4.0, requires_grad=True)
    z = tg.Tensor([1.0], requires_grad=True)
    x.grad, y.grad = tg.Tensor([3.0, 0.0]), tg.Tensor(4.0)
    assert optim.clip_grad_norm([x, y, z], 10.0) == 5.0
    assert x.grad.tolist() == [3.0, 0.0]
    assert optim.clip_grad_norm(iter([x, y, z]), 1.0) == 5.0
    assert math.hypot(x.grad.tolist()[0], y.grad.item()) == pytest.approx(1, abs=1e-6)
    assert z.grad is None
    assert optim.clip_grad_norm([z], 1.0) == 0.0
    with pytest.raises(ValueError, match="greater than 0"):
        optim.clip_grad_norm([x], 0.0)
    y.grad = tg.Tensor(np.nan)
    before = x.grad
    with pytest.raises(FloatingPointError, match="holds nan or inf"):
        optim.clip_grad_norm([x, y], 0.1)
    assert x.grad is before


def test_clipping_neither_overflows_nor_vanishes():
    for size in (1e-30, 1e30):
        x = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
        x.grad = tg.Tensor(np.array([3 * size, 4 * size], np.float32))
        assert optim.clip_grad_norm([x], size * 1e-3) == pytest.approx(5 * size, rel=1e-6)


@pytest.mark.peers
def test_clipping_equals_pytorch_s():
    import torch

    gradients = [np.random.default_rng(i).standard_normal((3, 4)) for i in range(3)]
    ours = [tg.Tensor(np.ones((3, 4)), requires_grad=True) for _ in gradients]
    theirs = [torch.ones(3, 4, dtype=torch.float64, requires_grad=True) for _ in gradients]
    for a, b, g in zip(ours, theirs, gradients, strict=True):
        a.grad, b.grad = tg.Tensor(g), torch.tensor(g)
    assert optim.clip_grad_norm(ours, 2.0) == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, 2.0).item())
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-14)


# --- schedules ------------------------------------------------------------------------------------------------


def rates(curve, count, lr=0.3):
    optimiser = optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=lr)
    schedule = schedules.Schedule(optimiser, curve)
    result = []
    for _ in range(count):
        result.append(optimiser.groups[0]["lr"])
        schedule.step()
    return result


def test_schedules_by_formula():
    assert rates(schedules.step(3, 0.5), 7) == pytest.approx([0.3] * 3 + [0.15] * 3 + [0.075])
    assert rates(schedules.warm_up(4), 6) == pytest.approx([0, 0.075, 0.15, 0.225, 0.3, 0.3])
    half = [0.3 * (1 + math.cos(math.pi * t / 5)) / 2 for t in range(5)]
    assert rates(schedules.cosine(5), 7) == pytest.approx([*half, 0, 0])
    chained = schedules.warm_up(2).then(schedules.cosine(5)).then(schedules.step(1, 0.5))
    assert rates(chained, 9) == pytest.approx([0, 0.15, *half, 0.3, 0.15])
    assert rates(schedules.cosine(2, final=0.5), 4) == pytest.approx([0.3, 0.225, 0.15, 0.15])


@given(st.integers(1, 50), st.floats(0, 1), st.integers(0, 100))
def test_curves_stay_between_their_ends(length, end, t):
    for curve in (schedules.cosine(length, end), schedules.warm_up(length, end)):
        assert end - 1e-12 <= curve(t) <= 1 + 1e-12
        assert curve(t + length) == curve(length)


def test_schedules_keep_the_groups_apart():
    x, y = (tg.Tensor([1.0], requires_grad=True) for _ in range(2))
    optimiser = optim.SGD([{"parameters": [x], "lr": 1.0}, {"parameters": [y]}], lr=0.1)
    schedules.Schedule(optimiser, schedules.step(1, 0.5)).step()
    assert [group["lr"] for group in optimiser.groups] == [0.5, 0.05]


def test_a_restored_schedule_goes_on():
    def made():
        optimiser = optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=0.3)
        return optimiser, schedules.Schedule(optimiser, schedules.cosine(10))

    first, schedule = made()
    for _ in range(4):
        schedule.step()
    second, restored = made()
    second.load_state_dict(first.state_dict())
    restored.load_state_dict(schedule.state_dict())
    schedule.step()
    restored.step()
    assert first.groups[0]["lr"] == second.groups[0]["lr"] == rates(schedules.cosine(10), 6)[5]
    with pytest.raises(ValueError, match="over 2 groups"):
        restored.load_state_dict({"steps": 1, "initial": [0.1, 0.2]})


def test_bad_schedules_are_named():
    for build in (
        lambda: schedules.step(0),
        lambda: schedules.cosine(0),
        lambda: schedules.warm_up(0),
        lambda: schedules.warm_up(5, start=-1),
    ):
        with pytest.raises(ValueError, match="needs"):
            build()
    with pytest.raises(ValueError, match="has no end"):
        schedules.step(3).then(schedules.cosine(2))


@pytest.mark.peers
def test_schedules_equal_pytorch_s():
    import torch

    def theirs(make):
        optimiser = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.3)
        schedule = make(optimiser)
        result = []
        for _ in range(12):
            result.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        return result

    lr = torch.optim.lr_scheduler
    assert rates(schedules.step(3, 0.5), 12) == pytest.approx(theirs(lambda o: lr.StepLR(o, 3, 0.5)))
    assert rates(schedules.cosine(12, final=0.1), 12) == pytest.approx(
        theirs(lambda o: lr.CosineAnnealingLR(o, 12, eta_min=0.03))
    )
    assert rates(schedules.warm_up(5, start=0.2), 12) == pytest.approx(
        theirs(lambda o: lr.LinearLR(o, 0.2, total_iters=5))
    )
    chained = schedules.warm_up(4, start=0.25).then(schedules.step(2, 0.5))
    assert rates(chained, 12) == pytest.approx(
        theirs(lambda o: lr.SequentialLR(o, [lr.LinearLR(o, 0.25, total_iters=4), lr.StepLR(o, 2, 0.5)], [4]))
    )


def test_a_state_of_another_rule_is_refused_and_one_of_other_options_is_not():
    x = tg.Tensor([1.0], requires_grad=True)
    optimiser = tg.optim.SGD([x], lr=0.1, momentum=0.9)
    x.grad = tg.Tensor([1.0])
    optimiser.step()
    optimiser.groups[0]["momentum"] = 0.0  # the velocity is kept, and not used
    saved = optimiser.state_dict()
    optimiser.load_state_dict(saved)
    with pytest.raises(ValueError, match="does not fit SGD"):
        optimiser.load_state_dict({**saved, "state": [{"velocity": np.ones(1), "average": np.ones(1)}]})
    saved["groups"][0]["momentum"] = 0.9
    with pytest.raises(ValueError, match="does not fit SGD"):
        optimiser.load_state_dict({**saved, "state": [{"average": np.ones(1)}]})


# --- rules of users, and the version by which compile hears of changes -------------------------------------------


class Spelt(tg.optim.Optimiser):
    """RMSprop in one spelling of many."""

    state_names = frozenset({"square"})
    spellings = (
        lambda v, g, s, lr: v - lr * g / (np.sqrt(s) + 1e-3),
        lambda v, g, s, lr: np.subtract(v, np.divide(lr * g, s**0.5 + 1e-3)),
        lambda v, g, s, lr: -(lr * (g / (1e-3 + np.power(s, 0.5))) - v),
        lambda v, g, s, lr: np.add(v, -lr * g * (np.sqrt(s) + 1e-3) ** -1),
    )

    def __init__(self, parameters, spelling):
        super().__init__(parameters, {"lr": 0.1, "weight_decay": 0.0, "spelling": spelling})

    def check(self, group):
        pass

    def keeps(self, group):
        return ("square",)

    def numbers(self, group, step):
        return {"lr": group["lr"]}

    def updated(self, values, gradient, state, group, numbers):
        square = 0.9 * state["square"] + gradient**2
        return self.spellings[group["spelling"]](values, gradient, square, numbers["lr"]), {"square": square}


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spelling", range(4))
def test_a_rule_in_any_spelling_runs(shape, dtype, spelling):
    x = tg.Tensor(np.full(shape, 2.0, dtype), requires_grad=True)
    optimiser = Spelt([x], spelling)
    expected, square = 2.0, 0.0
    for _ in range(3):
        optimiser.zero_grad()
        (x * x).sum().backward()
        optimiser.step()
        square = 0.9 * square + (2 * expected) ** 2
        expected -= 0.1 * 2 * expected / (math.sqrt(square) + 1e-3)
    assert type(x._array) is type(optimiser._state[x]["square"]) is np.ndarray
    assert x.dtype == optimiser._state[x]["square"].dtype == dtype
    np.testing.assert_allclose(x.numpy(), np.full(shape, expected), rtol=1e-5)


@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize(
    "spelling",
    [0, 1, 2, 3],
)
def test_a_rule_in_any_spelling_compiles(shape, spelling):
    def trained(compiled):
        x = tg.Tensor(np.full(shape, 2.0), requires_grad=True)
        optimiser = Spelt([x], spelling)

        def step(y):
            optimiser.zero_grad()
            loss = (x * x * y).sum()
            loss.backward()
            optimiser.step()
            return loss

        run = tg.compile(step) if compiled else step
        losses = [run(np.full(shape, 1.5)).item() for _ in range(5)]
        return [*losses, *optimiser.state_dict()["state"][0]["square"].ravel(), *x.numpy().ravel()]

    np.testing.assert_allclose(trained(True), trained(False), rtol=1e-12)


def test_a_rule_that_changes_a_shape_is_refused_before_anything_is_changed():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    optimiser = Spelt([x], 0)
    optimiser.spellings = (lambda v, g, s, lr: v.sum(),)
    x.grad = tg.Tensor(np.ones(3))
    with pytest.raises(ValueError, match=r"gave an array of shape \(\) for a parameter of shape \(3,\)"):
        optimiser.step()
    assert x.tolist() == [1.0, 1.0, 1.0]
    assert optimiser.state_dict()["state"][0]["square"].tolist() == [0.0, 0.0, 0.0]


def made_adam():
    x, y = (tg.Tensor([1.0], requires_grad=True) for _ in range(2))
    return optim.Adam([{"parameters": [x]}, {"parameters": [y], "eps": 0.1}], lr=0.1)


@pytest.mark.filterwarnings("ignore::tinygrad_cls.LearningWarning")  # of a step without gradients
@pytest.mark.parametrize(
    ("change", "heard"),
    [
        (lambda o: o.groups[0].update(lr=0.5), False),
        (lambda o: o.groups[1].__setitem__("lr", 0.5), False),
        (lambda o: o.step(), False),
        (lambda o: o.zero_grad(), False),
        (lambda o: schedules.Schedule(o, schedules.cosine(3)).step(), False),
        (lambda o: o.groups[0].update(weight_decay=0.5), True),
        (lambda o: o.groups[1].__setitem__("betas", (0.5, 0.5)), True),
        (lambda o: o.groups[1].__ior__({"eps": 0.5}), True),
        (lambda o: o.groups[1].pop("eps"), True),
        (lambda o: setattr(o, "decoupled", True), True),
        (lambda o: setattr(o, "groups", [*o.groups]), True),
        (lambda o: o.groups.pop(), True),
        (lambda o: o.groups[0]["parameters"].append(tg.Tensor([1.0], requires_grad=True)), True),
        (lambda o: o.groups[0].update(parameters=[]), True),
        (lambda o: o.load_state_dict(o.state_dict()), True),
    ],
)
def test_an_optimiser_counts_its_changes(change, heard):
    for copied in (lambda x: x, copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        optimiser = copied(made_adam())
        before = optimiser._version
        change(optimiser)
        assert (optimiser._version > before) == heard


def test_what_was_added_later_is_heard_too():
    optimiser = made_adam()
    optimiser.groups.append({**optimiser.groups[0], "parameters": [tg.Tensor([1.0], requires_grad=True)]})
    before = optimiser._version
    optimiser.groups[2]["eps"] = 0.3
    assert optimiser._version == before + 1
    optimiser.groups[2]["parameters"].clear()
    assert optimiser._version == before + 2


def test_copies_hear_of_their_own_changes_alone():
    optimiser = made_adam()
    for copied in (copy.deepcopy(optimiser), pickle.loads(pickle.dumps(optimiser))):
        before = optimiser._version
        copied.groups[0]["eps"] = 0.3
        assert optimiser._version == before
        assert optimiser.groups[0]["eps"] == 1e-8
        assert copied.groups[0]["eps"] == 0.3
    assert "changes" not in repr(optimiser)
    assert "changes" not in str(optimiser.state_dict())


def test_a_schedule_begins_with_the_first_rate_also_when_it_is_made_again():
    x = tg.Tensor([1.0], requires_grad=True)
    optimiser = optim.SGD([x], lr=0.4)
    for _ in range(3):
        schedule = schedules.Schedule(optimiser, schedules.warm_up(2).then(schedules.cosine(4)))
        seen = []
        for _ in range(7):
            seen.append(optimiser.groups[0]["lr"])
            schedule.step()
        assert seen == pytest.approx([0, 0.2, 0.4, 0.4 * (2 + 2**0.5) / 4, 0.2, 0.4 * (2 - 2**0.5) / 4, 0])
        optimiser = copy.deepcopy(optimiser)
        fresh = optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=123.0)
        fresh.load_state_dict(optimiser.state_dict())
        assert schedules.Schedule(fresh, schedules.cosine(4)).optimiser.groups[0]["lr"] == 0.4


def test_a_state_without_a_schedule_fits_an_optimiser_with_one_and_the_reverse():
    plain, driven = (optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=lr) for lr in (0.3, 0.1))
    schedules.Schedule(driven, schedules.warm_up(2))
    plain_state, driven_state = plain.state_dict(), driven.state_dict()
    driven.load_state_dict(plain_state)
    assert schedules.Schedule(driven, schedules.step(1)).state_dict()["initial"] == [0.3]
    plain.load_state_dict(driven_state)
    assert plain.groups[0]["lr"] == 0
    assert schedules.Schedule(plain, schedules.step(1)).state_dict()["initial"] == [0.1]


def test_a_group_added_later_is_driven_too():
    x, y = (tg.Tensor([1.0], requires_grad=True) for _ in range(2))
    optimiser = optim.SGD([x], lr=1.0)
    schedule = schedules.Schedule(optimiser, schedules.step(1, 0.5))
    schedule.step()
    optimiser.groups.append({**optimiser.groups[0], "parameters": [y], "lr": 0.1})
    schedule.step()
    assert [group["lr"] for group in optimiser.groups] == [0.25, 0.025]
    state = schedule.state_dict()
    schedule.load_state_dict(state)
    assert [group["lr"] for group in optimiser.groups] == [0.25, 0.025]


# --- what is set or added later is looked at as what was given at first ------------------------------------------


def leaf(*values):
    return tg.Tensor(list(values) or [1.0], requires_grad=True)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda o: o.groups.append({"parameters": [leaf()]}), TypeError, "a group of SGD lacks lr, momentum"),
        (lambda o: o.groups[0].update(learning_rate=5.0), TypeError, "SGD has no option learning_rate"),
        (lambda o: o.groups.extend([{**o.groups[0], "momentun": 0.9}]), TypeError, "SGD has no option momentun"),
        (lambda o: o.groups.append({**o.groups[0], "lr": -1.0}), ValueError, "learning rate of 0 or more"),
        (lambda o: o.groups.append(dict(o.groups[0])), ValueError, "is given twice"),
        (lambda o: o.groups[0]["parameters"].append(leaf() * 2.0), ValueError, "was computed by multiply"),
        (lambda o: o.groups[0]["parameters"].append(None), TypeError, "no Tensor but NoneType"),
        (lambda o: o.groups[0].update(momentum="0.9"), TypeError, "needs a number for momentum, not '0.9'"),
        (lambda o: o.groups[0].update(lr=-0.1), ValueError, "learning rate of 0 or more, not lr=-0.1"),
        (lambda o: o.groups[0].update(lr=math.nan), ValueError, "learning rate of 0 or more, not lr=nan"),
        (lambda o: setattr(o, "lr", 5.0), AttributeError, r"write optimiser.groups\[0\]\['lr'\] = …"),
    ],
)
def test_a_wrong_change_of_an_optimiser_is_an_error_in_the_next_step(change, kind, message):
    w = leaf(1.0, 2.0)
    optimiser = optim.SGD([w], lr=0.1)
    (w * w).sum().backward()

    def changed():
        change(optimiser)
        optimiser.step()

    with pytest.raises(kind, match=message):
        changed()
    assert w.numpy().tolist() == [1.0, 2.0]


def test_a_wrong_rate_is_an_error_in_a_compiled_step_too():
    w = leaf(1.0, 2.0)
    optimiser = optim.SGD([w], lr=0.1)

    @tg.compile
    def step(x):
        optimiser.zero_grad()
        (w * x).sum().backward()
        optimiser.step()

    for _ in range(5):
        step(np.ones(2))
    optimiser.groups[0]["lr"] = -0.1
    before = w.numpy()
    with pytest.raises(ValueError, match=r"learning rate of 0 or more, not lr=-0\.1"):
        step(np.ones(2))
    np.testing.assert_array_equal(w.numpy(), before)


def test_layers_may_be_frozen_after_the_optimiser_was_made():
    model = tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.Linear(2, 2))
    optimiser = optim.SGD(model.parameters(), lr=0.1)
    for parameter in model.layers[0].parameters():
        parameter.requires_grad = False
    before = model.state_dict()
    model(np.ones((1, 2))).sum().backward()
    optimiser.step()
    after = model.state_dict()
    assert [np.array_equal(after[name], before[name]) for name in before] == [True, True, False, False]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: optim.SGD(tg.nn.Linear(2, 2), lr=0.1), TypeError, r"such as model.parameters\(\), not Linear"),
        (lambda: optim.SGD([{"parameters": leaf()}], lr=0.1), TypeError, "a list of parameters, not a single Tensor"),
        (lambda: optim.SGD([leaf()], 0.1, 0.9, 0.1), TypeError, "nesterov is True or False, not 0.1; there is no damp"),
        (lambda: optim.SGD([leaf()], lr=0.1, momentum=0.9, nesterov="no"), TypeError, "True or False, not 'no'"),
        (lambda: optim.SGD([leaf()], lr=0.1, momentum=None), TypeError, "needs a number for momentum, not None"),
        (lambda: optim.Adam([leaf()], betas=0.9), ValueError, "needs two betas from 0 to below 1, not 0.9"),
        (lambda: optim.Adam([leaf()], betas=("a", "b")), ValueError, "needs two betas"),
        (lambda: optim.AdamW([leaf()], eps="x"), TypeError, "AdamW needs a number for eps, not 'x'"),
    ],
)
def test_options_of_another_kind_are_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize("state", ["x", math.nan, -1.0])
def test_a_first_rate_that_is_none_is_not_loaded(state):
    optimiser = optim.SGD([leaf()], lr=0.1)
    schedules.Schedule(optimiser, schedules.cosine(2))
    saved = optimiser.state_dict()
    saved["groups"][0]["initial_lr"] = state
    with pytest.raises((TypeError, ValueError), match=r"lr"):
        optimiser.load_state_dict(saved)
    assert optimiser.groups[0]["lr"] == 0.1


# --- schedules ------------------------------------------------------------------------------------------------

ODD = [2.5, 5.0, True, 0, -1, math.nan, math.inf, "3", None]


@pytest.mark.parametrize("curve", [schedules.cosine, schedules.warm_up, schedules.step])
def test_steps_are_whole_numbers_and_factors_finite(curve):
    assert curve(np.int64(3))(1) == curve(3)(1)
    for steps in ODD:
        with pytest.raises(ValueError, match=r"needs a whole number of (steps|every) ≥ 1"):
            curve(steps)
    for factor in (-0.1, math.nan, math.inf, "x", None):
        with pytest.raises(ValueError, match=r"and a finite (final|start|factor) ≥ 0"):
            curve(3, factor)


def test_what_is_no_schedule_is_refused():
    optimiser = optim.SGD([leaf()], lr=0.1)
    curve = schedules.cosine(3)
    for arguments in ((curve, optimiser), (optimiser, 5), (optimiser, None), ([leaf()], curve)):
        with pytest.raises(TypeError, match="Schedule takes an optimiser and a curve"):
            schedules.Schedule(*arguments)
    for after in (5, None, lambda t: 1.0, schedules.cosine):
        with pytest.raises(TypeError, match="after a curve comes a curve"):
            curve.then(after)
    for factor in (-1.0, math.nan, math.inf, "x", None):
        with pytest.raises(ValueError, match="after 0 steps, and no factor ≥ 0"):
            schedules.Schedule(optimiser, lambda t, factor=factor: factor)
    assert optimiser.groups[0]["lr"] == 0.1


def test_a_rate_that_is_set_while_a_schedule_drives_is_warned_of():
    optimiser = optim.SGD([leaf()], lr=0.1)
    schedule = schedules.Schedule(optimiser, schedules.step(100))
    schedule.step()
    optimiser.groups[0]["lr"] = 0.01
    with pytest.warns(tg.LearningWarning, match="was set to 0.01, but a schedule drives it"):
        schedule.step()
    schedule.step()  # it was set back
    assert optimiser.groups[0]["lr"] == 0.1
    copied = copy.deepcopy(optimiser)
    again = pickle.loads(pickle.dumps(optimiser))
    for other in (copied, again):
        schedules.Schedule(other, schedules.cosine(2)).step()


def test_two_schedules_that_drive_one_optimiser_are_warned_of():
    optimiser = optim.SGD([leaf()], lr=0.1)
    one = schedules.Schedule(optimiser, schedules.warm_up(4, start=0.5))
    other = schedules.Schedule(optimiser, schedules.cosine(4))
    with pytest.warns(tg.LearningWarning, match="one schedule for an optimiser"):
        one.step()
    with pytest.warns(tg.LearningWarning, match="one schedule for an optimiser"):
        other.step()


def test_a_schedule_begins_with_a_rate_that_was_set_since_the_last():
    optimiser = optim.SGD([leaf()], lr=0.1)
    first = schedules.Schedule(optimiser, schedules.cosine(2))
    first.step()
    first.step()
    optimiser.groups[0]["lr"] = 0.05
    schedules.Schedule(optimiser, schedules.cosine(2))
    assert optimiser.groups[0]["lr"] == 0.05
    schedules.Schedule(optimiser, schedules.cosine(2)).step()  # nobody has set it: it begins with the same
    assert optimiser.groups[0]["lr"] == pytest.approx(0.025)
