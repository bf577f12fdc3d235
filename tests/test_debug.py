"""`tg.debug`: the first nan is found, with its operation and line; derivatives are compared with differences."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls.debug import AnomalyError, GradcheckError
from tinygrad_cls.engine.operation import OPERATIONS


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def leaf(values, name=None):
    return tg.Tensor(values, requires_grad=True, name=name)


def caught(run, **options):
    with pytest.raises(AnomalyError) as error, tg.debug.anomaly(**options):
        run()
    return error.value


# --- anomaly ------------------------------------------------------------------------------------------------------


def test_going_forward_the_first_culprit_is_named_with_its_line_operands_and_a_drawing():
    z = leaf([[1.0, -800.0, 3.0]], "z")

    def run():
        p = tg.exp(z) / tg.exp(z).sum()
        q = tg.log(p)  # the culprit
        return (q * 2).sum()

    error = caught(run)
    line = inspect.getsourcelines(run)[1] + 2
    assert error.operation == "log"
    assert f'File "{__file__}", line {line}, in run' in str(error)
    assert "gives -inf, at (0, 1): 1 of 3 elements is infinite" in str(error)
    assert "1 × 3 float64" in str(error)
    assert "1 zero" in str(error)
    marked = [row for row in str(error).splitlines() if "✗" in row]
    assert len(marked) == 1
    assert "-inf" in marked[0]
    assert "✗ log" in error.drawing.source


@pytest.mark.parametrize("functional", [False, True])
def test_going_back_the_culprit_is_the_operation_that_was_differentiated(functional):
    def f(x):
        y = tg.sqrt(x)
        return y.sum() * 2

    error = caught(lambda: tg.grad(f)([0.0, 4.0]) if functional else f(leaf([0.0, 4.0])).backward())
    assert error.operation == "sqrt"
    assert str(error).startswith("going back, sqrt gives operand 0")
    assert f"line {inspect.getsourcelines(f)[1] + 1}, in f" in str(error)
    np.testing.assert_array_equal(error.tensor.numpy(), [0.0, 2.0])


def test_gradients_that_overflow_only_together_are_told_apart():
    x = leaf([1.0])
    big = tg.Tensor([1.5e308])
    error = caught(lambda: (x * big + x * big).sum().backward())  # forward 3e308 is infinite already
    assert error.operation == "add"
    y = leaf([1e-10])
    error = caught(lambda: (y * big + y * big).sum().backward())
    assert "add up to inf" in str(error)


def test_a_step_that_leaves_the_numbers_is_the_optimisers():
    w = leaf([1.0], "w")
    optimiser = tg.optim.SGD([w], lr=1e308)

    def run():
        (w * 1e10).sum().backward()
        optimiser.step()

    assert str(caught(run)).startswith("the step of SGD gives Tensor 'w'")


def test_data_that_are_not_finite_are_named():
    data = tg.Tensor([np.nan, 1.0], name="data")
    assert "data: (2,) float64" in (text := str(caught(lambda: data * 2)))
    assert "so it comes from these data" in text


def test_infinities_may_be_meant():
    mask = np.array([True, False])
    z = leaf([1.0, 2.0])
    assert caught(lambda: tg.where(mask, z, -np.inf)).operation == "where"
    with tg.debug.anomaly(infinite=False):
        loss = tg.cross_entropy(tg.where(mask, z, -np.inf), 0)
        loss.backward()
    assert loss.item() == 0
    assert caught(lambda: tg.log(z - 5.0), infinite=False).operation == "log"


def trained(steps=5):
    rng = np.random.default_rng(0)
    model = tg.nn.Sequential(tg.nn.Linear(3, 4, generator=rng), tg.nn.ReLU(), tg.nn.Linear(4, 2, generator=rng))
    optimiser = tg.optim.Adam(model.parameters(), lr=0.1)
    x, labels = rng.normal(size=(8, 3)).astype(np.float32), rng.integers(0, 2, 8)
    for _ in range(steps):
        optimiser.zero_grad()
        tg.cross_entropy(model(x), labels).backward()
        tg.optim.clip_grad_norm(model.parameters(), 1.0)
        optimiser.step()
    return [p.numpy() for p in model.parameters()]


def test_training_inside_ends_in_the_same_bits():
    plain = trained()
    with tg.debug.anomaly():
        watched = trained()
    for a, b in zip(plain, watched):
        np.testing.assert_array_equal(a, b)


def test_compiled_functions_are_looked_into_too():
    w = leaf([1.0], "w")
    f = tg.compile(lambda x: tg.log(x * w))
    for x in ([1.0], [2.0], [3.0]):
        f(np.array(x))
    assert caught(lambda: f(np.array([0.0]))).operation == "log"


def test_nothing_is_left_behind_afterwards():
    with pytest.raises(AnomalyError), tg.debug.anomaly():
        tg.log(leaf([0.0]))
    assert tg.log(leaf([0.0])).item() == -np.inf


def test_it_cannot_stand_inside_of_what_is_compiled():
    @tg.compile
    def f(x):
        with tg.debug.anomaly():
            return tg.log(x)

    with pytest.raises(RuntimeError, match="around the call"):
        f(np.array([1.0]))


# --- gradcheck ----------------------------------------------------------------------------------------------------


def test_right_derivatives_agree_entry_by_entry():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2, 3)), rng.normal(size=(3, 2)), np.array([1, 0])
    report = tg.debug.gradcheck(lambda x, y, labels: tg.cross_entropy(x @ y, labels, reduction="none"), inputs)
    assert report
    assert len(report.entries) == 2 * 6 + 2 * 6
    assert {entry.input for entry in report.entries} == {0, 1}  # labels are no floats
    assert tg.debug.gradgradcheck(lambda x, y: tg.tanh(x @ y), inputs[:2])


def test_a_wrong_derivative_is_found_in_its_place(monkeypatch):
    entry = OPERATIONS["sin"]
    monkeypatch.setattr(entry, "vjps", (lambda g, out, x: g * np.where(np.equal(x, 1.0), 0.5, np.cos(x)),))
    report = tg.debug.gradcheck(tg.sin, np.array([0.3, 1.0]), raise_exception=False)
    (wrong,) = report.wrong
    assert (wrong.input, wrong.result, wrong.element) == (0, (1,), (1,))
    assert wrong.derivative == 0.5
    assert wrong.difference == pytest.approx(np.cos(1.0), abs=1e-9)
    with pytest.raises(GradcheckError, match="1 of 4 derivatives differ") as error:
        tg.debug.gradcheck(tg.sin, np.array([0.3, 1.0]))
    assert error.value.report.wrong == [wrong]


def test_values_cut_loose_from_the_graph_are_found():
    assert not tg.debug.gradcheck(lambda x: x * x.detach(), np.array([2.0]), raise_exception=False)


def test_a_wrong_second_derivative_is_found_where_the_first_is_right():
    def f(x):
        slope = tg.Tensor(np.cos(x.numpy()))  # right, and constant
        return x * slope - x.detach() * slope + tg.Tensor(np.sin(x.numpy()))

    assert tg.debug.gradcheck(f, np.array([0.7]))
    assert not tg.debug.gradgradcheck(f, np.array([0.7]), raise_exception=False)


@pytest.mark.parametrize(
    ("inputs", "kind", "words"),
    [
        (np.float32(1.0), TypeError, "use float64"),
        (np.array([1]), ValueError, "an input of floats"),
        ([], ValueError, "an input of floats"),
    ],
)
def test_inputs_that_cannot_be_checked_are_refused(inputs, kind, words):
    with pytest.raises(kind, match=words):
        tg.debug.gradcheck(lambda *x: x[0] * 2, inputs)
