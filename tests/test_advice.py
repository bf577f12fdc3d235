"""In-place updates, warnings, and errors that lead to the caller's line."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import traceback
import warnings

import numpy as np
import pytest

import tinygrad_cls as tg

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=20)


def leaf(values, name="w", dtype=None):
    return tg.Tensor(values, requires_grad=True, name=name, dtype=dtype)


# --- in place -----------------------------------------------------------------------------------------------------


def by_hand(steps):
    """The reference: gradient descent on the mean squared error, in NumPy."""
    w, losses = np.zeros(3), []
    for _ in range(steps):
        losses.append(np.mean((X @ w - Y) ** 2))
        w = w - 0.1 * (2 / 20 * X.T @ (X @ w - Y))
    return losses, w


@pytest.mark.parametrize("zero", ["none", "in place", "before"])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_loop_of_every_course_learns(zero, compiled):
    w = leaf(np.zeros(3))
    alias = w

    def step(x, y):
        if zero == "before" and w.grad is not None:
            w.grad.zero_()
        loss = tg.mean((x @ w - y) ** 2)
        loss.backward()
        parameter = w
        with tg.no_grad():
            parameter -= 0.1 * parameter.grad
        assert parameter is w
        if zero == "none":
            w.grad = None
        elif zero == "in place":
            w.grad.zero_()
        return loss

    run = tg.compile(step) if compiled else step
    losses = [run(tg.Tensor(X), tg.Tensor(Y)).item() for _ in range(8)]
    expected, end = by_hand(8)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    np.testing.assert_allclose(alias.numpy(), end, rtol=1e-12)
    if compiled:
        assert run.compilations == 1
    if zero == "in place":
        assert w.grad.tolist() == [0.0] * 3


def test_a_momentum_of_ones_own_is_kept_in_place_compiled_or_not():
    def trained(compile):
        w, v = leaf(np.zeros(3)), tg.zeros(3, name="v")

        def step(x, y):
            loss = tg.mean((x @ w - y) ** 2)
            loss.backward()
            velocity, parameter = v, w
            with tg.no_grad():
                velocity *= 0.9
                velocity += w.grad
                parameter -= 0.1 * velocity
            w.grad = None
            return loss

        run = compile(step)
        return [run(tg.Tensor(X), tg.Tensor(Y)).item() for _ in range(6)], w.numpy()

    w, v, losses = np.zeros(3), np.zeros(3), []
    for _ in range(6):
        losses.append(np.mean((X @ w - Y) ** 2))
        v = 0.9 * v + 2 / 20 * X.T @ (X @ w - Y)
        w = w - 0.1 * v
    for compile in (lambda f: f, tg.compile):
        got, end = trained(compile)
        np.testing.assert_allclose(got, losses, rtol=1e-12)
        np.testing.assert_allclose(end, w, rtol=1e-12)


def test_what_is_computed_is_new_whether_gradients_are_recorded_or_not_and_compiled_or_not():
    w = leaf(np.eye(2))

    def f(x):
        h = before = x @ w
        h += 1.0
        return h, before

    x = np.array([[3.0, 4.0]])
    compiled = tg.compile(f)
    for _ in range(4):
        for run in (f, tg.no_grad()(f), compiled, tg.no_grad()(compiled)):
            h, before = run(tg.Tensor(x))
            assert h.tolist() == [[4.0, 5.0]]
            assert before.tolist() == [[3.0, 4.0]]


def test_gradients_are_scaled_in_place_compiled_or_not():
    def made():
        w = leaf([1.0, 2.0])

        def step(x):
            w.grad = None
            (w * w * x).sum().backward()
            g, parameter = w.grad, w
            with tg.no_grad():
                g *= 0.5
                parameter -= 0.1 * w.grad
            return w.grad

        return w, step

    w, step = made()
    v, compiled = made()
    compiled = tg.compile(compiled)
    x = np.array([1.0, 3.0])
    for _ in range(5):
        expected = w.numpy() * x
        np.testing.assert_allclose(step(tg.Tensor(x)).numpy(), expected)
        np.testing.assert_allclose(compiled(x).numpy(), expected)
    np.testing.assert_allclose(v.numpy(), w.numpy())
    assert compiled.compilations == 1
    g, before = v.grad, v.grad.numpy()
    with tg.no_grad():
        g *= 0.5
    np.testing.assert_array_equal(v.grad.numpy(), 0.5 * before)


@pytest.mark.parametrize("made_inside", [False, True])
def test_what_a_program_cannot_change_in_place_is_refused(made_inside):
    @tg.compile
    def f(x):
        t = tg.zeros(2) if made_inside else x
        with tg.no_grad():
            t += 1.0
        return t

    with pytest.raises(tg.CompileError, match="instead of t"):
        f(np.zeros(2))


OPERATORS = {
    "+=": (lambda a, b: a.__iadd__(b), np.add),
    "-=": (lambda a, b: a.__isub__(b), np.subtract),
    "*=": (lambda a, b: a.__imul__(b), np.multiply),
    "/=": (lambda a, b: a.__itruediv__(b), np.divide),
    "**=": (lambda a, b: a.__ipow__(b), np.power),
    "@=": (lambda a, b: a.__imatmul__(b), np.matmul),
}


@pytest.mark.parametrize("sign", OPERATORS)
def test_each_operator_in_place(sign):
    change, expected = OPERATORS[sign]
    a, b = RNG.uniform(0.5, 2, (2, 2)), RNG.uniform(0.5, 2, (2, 2))
    w = leaf(a, dtype=np.float32)
    with pytest.raises(RuntimeError, match="no_grad"):
        change(w, b)
    np.testing.assert_array_equal(w.numpy(), a.astype(np.float32))
    with tg.no_grad():
        assert change(w, b) is w
    assert w.dtype == np.float32
    np.testing.assert_allclose(w.numpy(), expected(a, b), rtol=1e-6, atol=1e-6)
    computed = tg.exp(leaf(a))
    for recorded in (True, False):
        other = change(computed, b) if recorded else None
        if not recorded:
            with tg.no_grad():
                other = change(computed, b)
        assert other is not computed
        assert other.requires_grad == recorded
        np.testing.assert_allclose(other.numpy(), expected(np.exp(a), b))
        np.testing.assert_array_equal(computed.numpy(), np.exp(a))


def test_constants_stay_as_they_are_while_gradients_are_recorded():
    total = first = tg.zeros(())
    w = leaf([1.0, 2.0])
    for x in w:
        total += x * x
    total.backward()
    assert first.item() == 0
    assert w.grad.tolist() == [2.0, 4.0]


def test_what_does_not_fit_a_constant_makes_a_new_tensor_and_is_an_error_for_a_parameter():
    with tg.no_grad():
        count = before = tg.Tensor([1, 2])
        count /= 2
        assert count.tolist() == [0.5, 1.0]
        assert before.tolist() == [1, 2]
        w = leaf([1.0])
        with pytest.raises(ValueError, match="cannot assign values of shape"):
            w += np.ones(3)
    assert w.tolist() == [1.0]


def test_a_graph_of_the_old_values_is_stale():
    w = leaf([1.0, 2.0])
    loss = (w * w).sum()
    parameter = w
    with tg.no_grad():
        parameter -= 1.0
    with pytest.raises(RuntimeError, match="assigned new values"):
        loss.backward()
    assert w.grad is None


def test_arrays_handed_out_before_do_not_change():
    w = leaf([1.0, 2.0])
    before, shared = w.numpy(), w.detach()
    with tg.no_grad():
        w += 1.0
    assert before.tolist() == shared.tolist() == [1.0, 2.0]


def test_zero_is_as_careful():
    w = leaf([1.0])
    with pytest.raises(RuntimeError, match=r"no_grad\(\): w\.zero_\(\)"):
        w.zero_()
    with pytest.raises(ValueError, match="was computed"):
        (w * 2).zero_()
    with tg.no_grad():
        assert w.zero_() is w
    assert w.tolist() == [0.0]


SAME = "exp log sqrt abs sin cos tanh sign square sigmoid relu log1p expm1 sinh cosh tan erf tril triu"


@pytest.mark.peers
def test_pytorchs_words_that_cost_nothing_are_there():
    torch = pytest.importorskip("torch")
    a = RNG.uniform(0.1, 0.9, (2, 3))
    ours, theirs = leaf(a), torch.tensor(a, requires_grad=True)
    for name in SAME.split():
        np.testing.assert_allclose(getattr(ours, name)().numpy(), getattr(theirs, name)().detach(), rtol=1e-12)
    assert ours.numel() == theirs.numel()
    assert ours.dim() == theirs.dim()
    np.testing.assert_allclose(ours.softmax(1).numpy(), theirs.softmax(1).detach())
    np.testing.assert_allclose(ours.matmul(a.T).numpy(), theirs.matmul(torch.tensor(a.T)).detach())
    for name, args in (("zeros", (2, 3)), ("ones", ((2, 3),)), ("full", ((2,), 0.5)), ("eye", (3,)), ("arange", (5,))):
        np.testing.assert_array_equal(getattr(tg, name)(*args).numpy(), getattr(torch, name)(*args))
    np.testing.assert_allclose(tg.linspace(0, 1, 5).numpy(), torch.linspace(0, 1, 5))
    assert tg.zeros(2).requires_grad_().requires_grad
    model = tg.nn.Linear(2, 2)
    model.zero_grad(set_to_none=True)
    tg.optim.SGD(model.parameters(), lr=0.1).zero_grad(set_to_none=True)
    with pytest.raises(ValueError, match="None"):
        model.zero_grad(set_to_none=False)


# --- warnings -----------------------------------------------------------------------------------------------------


def warned(run):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", tg.LearningWarning)
        run()
    return [str(w.message) for w in said if w.category is tg.LearningWarning]


Z = leaf(RNG.normal(size=(4, 3)), "z")
P = np.array([[0.2, 0.3, 0.5]] * 4)
LABELS = np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    "run",
    [
        lambda: tg.cross_entropy(Z, LABELS),
        lambda: tg.cross_entropy(tg.log_softmax(Z), LABELS),  # as good as logits
        lambda: tg.cross_entropy(tg.log(tg.softmax(Z)), LABELS),
        lambda: tg.cross_entropy(tg.log(P), LABELS),
        lambda: tg.cross_entropy(tg.sigmoid(Z) @ np.ones((3, 3)), LABELS),  # a layer before
        lambda: tg.cross_entropy(tg.softmax(Z) * 2.0, LABELS),  # scaled, and so perhaps meant
        lambda: tg.cross_entropy(Z, tg.softmax(Z.detach())),
        lambda: tg.cross_entropy(P * 2, LABELS),
        lambda: tg.cross_entropy(Z, np.eye(4)[:, :3]),  # rows that sum to 1, or to 0
        lambda: tg.cross_entropy(Z, np.full((4, 3), 0.25) * np.arange(4)[:, None]),
        lambda: tg.cross_entropy(np.array([[0.5, 0.5], [0.5, 3.0]]), [0, 1]),
        lambda: tg.nll_loss(tg.log_softmax(Z), LABELS),
        lambda: tg.nll_loss(tg.log(tg.softmax(Z)), LABELS),
        lambda: tg.nll_loss(np.log(P), LABELS),
        lambda: tg.nll_loss(tg.log_softmax(Z, axis=1), LABELS),
        lambda: tg.binary_cross_entropy_with_logits(Z, P),
        lambda: tg.mse_loss(tg.softmax(Z), P),
        lambda: tg.mse_loss(tg.softmax(Z, axis=0), np.ones((4, 3))),  # the target does not tell
        lambda: tg.mse_loss(tg.sigmoid(Z), np.ones((4, 3))),
    ],
)
def test_what_is_right_is_not_warned_of(run):
    assert warned(run) == []


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda: tg.cross_entropy(tg.softmax(Z)[:2], LABELS[:2]), "has its own softmax"),
        (lambda: tg.cross_entropy(tg.reshape(tg.softmax(Z), (2, 2, 3)), LABELS.reshape(2, 2)), "has its own softmax"),
        (lambda: tg.cross_entropy(tg.softmax(Z).astype(np.float32), LABELS), "has its own softmax"),
        (lambda: tg.cross_entropy(tg.sigmoid(Z), LABELS), "come from sigmoid"),
        (lambda: tg.nll_loss(tg.log(tg.softmax(Z, axis=0)), LABELS), "along axis 0"),
        (lambda: tg.mse_loss(tg.softmax(Z, axis=-2), P), "along axis 0"),
        (lambda: tg.nll_loss(tg.sigmoid(Z), LABELS), "these are probabilities, from sigmoid"),
    ],
)
def test_what_is_wrong_is_seen_through_what_moves_it(run, words):
    (said,) = warned(run)
    assert words in said


def test_a_warning_comes_once_for_a_line_and_one_switch_silences_all():
    code = """
import warnings, numpy as np, tinygrad_cls as tg
if {silent}: warnings.simplefilter("ignore", tg.LearningWarning)
z = tg.Tensor(np.zeros((2, 3)), requires_grad=True)
for _ in range(5):
    tg.cross_entropy(tg.softmax(z), [0, 1])
tg.cross_entropy(tg.softmax(z), [0, 1])
"""
    for silent, times in ((False, 2), (True, 0)):
        command = [sys.executable, "-c", code.format(silent=silent)]
        printed = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stderr
        assert printed.count("LearningWarning: cross_entropy takes logits") == times


def test_steps_with_left_over_gradients_are_seen_and_accumulation_is_not():
    w = leaf([1.0])
    optimiser = tg.optim.SGD([w], lr=0.01)

    def loss():
        return (w * w).sum()

    def accumulated():
        for _ in range(3):
            loss().backward()
            loss().backward()
            optimiser.step()
            optimiser.zero_grad()

    def by_hand():
        for _ in range(3):
            w.grad = tg.Tensor([1.0])
            optimiser.step()

    def set_to_zero():
        for _ in range(3):
            loss().backward()
            optimiser.step()
            w.grad.zero_()

    for run in (accumulated, by_hand, set_to_zero):
        w.grad = None
        assert warned(run) == []

    def twice():
        loss().backward()
        optimiser.step()
        optimiser.step()

    w.grad = None
    assert len(warned(twice)) == 1


def test_a_growing_loss_is_seen_and_a_noisy_one_is_not():
    w = leaf([0.0])

    def run(losses):
        optimiser = tg.optim.SGD([w], lr=0.0)
        for value in losses:
            optimiser.zero_grad()
            (w * 0.0 + value).sum().backward()
            optimiser.step()

    assert warned(lambda: run([1.0, 900.0, 0.1])) == []
    assert warned(lambda: run([1e-9, 1e-3, 0.5])) == []  # from nearly nothing
    assert warned(lambda: run([-1.0, 5000.0])) == []  # of a loss that can be negative nobody knows the scale
    assert len(warned(lambda: run([1.0, 1001.0]))) == 1
    assert len(warned(lambda: run([1.0, np.nan]))) == 1


def test_a_second_backward_may_be_meant():
    w = leaf([1.0])
    loss = (w * w).sum()
    assert warned(loss.backward) == []
    assert len(warned(loss.backward)) == 1
    assert warned(lambda: loss.backward(retain_graph=True)) == []
    y = w * w
    assert warned(lambda: [y.backward(gradient=[g]) for g in (1.0, 2.0)]) == []  # rows of a Jacobian


def test_training_says_nothing_in_threads_and_compiled():
    def train(seed):
        rng = np.random.default_rng(seed)
        model = tg.nn.Linear(3, 3, generator=rng)
        optimiser = tg.optim.Adam(model.parameters(), lr=0.1)

        def step(x, labels):
            optimiser.zero_grad()
            loss = tg.cross_entropy(model(x), labels)
            loss.backward()
            optimiser.step()
            return loss

        for run in (step, tg.compile(step)):
            for _ in range(5):
                run(tg.Tensor(rng.normal(size=(4, 3)).astype(np.float32)), LABELS)

    def all_threads():
        threads = [threading.Thread(target=train, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert warned(all_threads) == []


# --- errors -------------------------------------------------------------------------------------------------------


def frames(run):
    """The files and functions in the traceback of an error, and the error."""
    try:
        run()
    except Exception as error:
        return [(f.filename, f.name) for f in traceback.extract_tb(error.__traceback__)], error
    raise AssertionError("no error")


class Mine(tg.nn.Module):
    def __init__(self):
        self.inner = tg.nn.Sequential(tg.nn.Linear(3, 2), tg.nn.ReLU())

    def forward(self, x):
        return self.inner(x)


def test_tracebacks_show_the_callers_lines_and_the_last_of_ours():
    found, error = frames(lambda: tg.nn.Sequential(Mine())(np.ones((2, 5))))
    ours = [name for file, name in found if file != __file__]
    assert [name for file, name in found if file == __file__] == ["frames", "<lambda>", "forward"]
    assert len(ours) <= 3  # the way in, the way into the inner one, and where it was raised
    assert str(error).count('  File "') == 1
    assert ", in forward\n    return self.inner(x)" in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_errors_of_the_callers_own_are_left_as_they_are():
    class Wrong(tg.nn.Module):
        def forward(self, x):
            raise KeyError("mine")

    found, error = frames(lambda: Wrong()(X))
    assert error.args == ("mine",)
    assert found[-1] == (__file__, "forward")

    class Twice(tg.nn.Module):
        def forward(self, x):
            try:
                raise KeyError("first")
            except KeyError:
                raise ValueError("second")  # noqa: B904

    _, error = frames(lambda: Twice()(X))
    assert isinstance(error.__context__, KeyError)
    assert not error.__suppress_context__

    @tg.composite
    def wrong(x):
        return x.shape + 1

    found, error = frames(lambda: wrong(tg.Tensor([1.0])))
    assert str(error) == 'can only concatenate tuple (not "int") to tuple'
    assert found[-1] == (__file__, "wrong")


def test_all_of_a_traceback_is_to_be_had():
    code = "import tinygrad_cls as tg, numpy as np; tg.nn.Sequential(tg.nn.Linear(3, 2))(np.ones((2, 5)))"
    for full, least, most in (("1", 7, 99), ("", 2, 4)):
        printed = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "TINYGRAD_CLS_FULL_TRACEBACKS": full},
        ).stderr
        assert least <= printed.count("  File ") - 1 <= most  # and one in the message
        assert "5 columns" in printed


def test_foreign_words_are_neither_found_nor_listed():
    for thing in (leaf([1.0]), tg.nn.Linear(1, 1)):
        assert not hasattr(thing, "cuda")
        assert "cuda" not in dir(thing)
        assert "reshpae" not in dir(thing)
    model = tg.nn.Linear(1, 1)
    model.half = 3  # a name like any other
    assert model.half == 3
    assert "half" in dir(model)
    assert leaf([1.0]).size == 1
    assert f"{leaf([1.0]).size}" == "1"


def test_unknown_names_are_attribute_errors_as_pythons_are():
    for module in (tg, tg.nn, tg.optim, tg.data):
        assert not hasattr(module, "no_such_thing_here")
        assert getattr(module, "no_such_thing_here", 3) == 3
