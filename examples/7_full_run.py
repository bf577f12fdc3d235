# %% [markdown]
"""
# 7. A full training run

Two data sets of handwritten digits, a network with one hidden layer, Adam with a learning rate that warms up and then
falls, checkpoints, an interruption, and a report: does it reach what scikit-learn and PyTorch reach, and how long does
it take?
"""

# %%
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from course_style import BLACK, BLUE, VERMILLION, options, plt, save, say
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import tinygrad_cls as tg
from tinygrad_cls.optim import schedules

try:
    import torch
except ImportError:
    torch = None

chosen = options(
    "7", "A full run.", seeds=(3, "splits and starts, 2 or more"), epochs=(30, "passes over the training data")
)
SIZE, RATE, DATA = 64, 0.003, {"digits": tg.data.load_digits(), "MNIST-5k": tg.data.load_mnist_5k()}
HIDDEN = {"digits": 64, "MNIST-5k": 128}


def parts(data, seed):
    """Training and test data. Nothing is chosen on the way, so no validation data are needed."""
    return tg.data.split(data.inputs, data.labels, fractions=(0.8, 0.2), generator=seed, stratify=data.labels)


# %% [markdown]
# The run: everything that it needs is made anew from a seed, so that a second call is a second process.
# %%
def run(name, seed, epochs=chosen.epochs, **options):
    """The model after training, and its history."""
    data, generator = DATA[name], np.random.default_rng(seed)
    train, _ = parts(data, seed)
    model = network(data.inputs.shape[1], HIDDEN[name], generator)
    batches = tg.data.batches(*train, batch_size=SIZE, shuffle=True, generator=generator)
    optimiser = tg.optim.Adam(model.parameters(), lr=RATE)
    schedule = schedules.Schedule(optimiser, curve(len(batches)))
    return model, tg.fit(model, batches, optimiser=optimiser, schedule=schedule, epochs=epochs, **options)


def network(inputs, hidden, generator):
    first, second = tg.nn.Linear(inputs, hidden, generator=generator), tg.nn.Linear(hidden, 10, generator=generator)
    return tg.nn.Sequential(first, tg.nn.ReLU(), second)


def curve(steps_in_epoch):
    """The learning rate rises for two epochs, then falls to 0 along half a cosine."""
    warm = 2 * steps_in_epoch
    return schedules.warm_up(warm, start=0.1).then(schedules.cosine(max(1, chosen.epochs * steps_in_epoch - warm)))


# %% [markdown]
# **Checkpoint and resume.** A run that stops half way and goes on from its checkpoint must end in the same bits as one
# that never stopped.
# %%
with tempfile.TemporaryDirectory() as folder:
    whole, _ = run("digits", 0)
    run("digits", 0, epochs=chosen.epochs // 2, folder=folder)  # stops here; nothing is kept but the folder
    size = Path(folder, "last.safetensors").stat().st_size
    resumed, _ = run("digits", 0, folder=folder, resume=True)
pairs = zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
same = all(a.tobytes() == b.tobytes() for a, b in pairs)
say(
    f"Stopped after {chosen.epochs // 2} of {chosen.epochs} epochs, resumed from a checkpoint of {size / 1e3:.0f} kB: "
    + ("the parameters are those of an unbroken run to the last bit." if same else "the parameters are NOT the same.")
)


# %% [markdown]
# **PyTorch**, where it is installed: the same network, initial weights, batches and learning rates.
# %%
def run_torch(name, seed):
    """The predicted classes of the test data, and the training losses."""
    data, generator = DATA[name], np.random.default_rng(seed)
    train, test = parts(data, seed)
    ours = network(data.inputs.shape[1], HIDDEN[name], generator)  # and leaves the generator as `run` has it
    layers = [torch.nn.Linear(*layer.weight.shape) for layer in (ours[0], ours[2])]
    with torch.no_grad():
        for theirs, layer in zip(layers, (ours[0], ours[2])):
            theirs.weight.copy_(torch.tensor(layer.weight.numpy().T))
            theirs.bias.copy_(torch.tensor(layer.bias.numpy()))
    model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
    batches = tg.data.batches(*train, batch_size=SIZE, shuffle=True, generator=generator)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, curve(len(batches)))
    losses = []
    for _ in range(chosen.epochs):
        total = 0.0
        for inputs, labels in batches:
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(torch.tensor(inputs)), torch.tensor(labels))
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(labels)
        losses.append(total / len(train[0]))
    with torch.no_grad():
        return model(torch.tensor(test[0])).argmax(dim=1).numpy(), losses


def run_ours(name, seed):
    model, history = run(name, seed)
    with tg.no_grad():
        return model(parts(DATA[name], seed)[1][0]).argmax(axis=1).numpy(), history["loss"]


def run_sklearn(estimator, name, seed):
    train, test = parts(DATA[name], seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs, like the others
        return estimator.fit(*train).predict(test[0]), None


def logistic(name, seed):
    return run_sklearn(LogisticRegression(max_iter=1000), name, seed)


def multilayer(name, seed):
    options = {"batch_size": SIZE, "learning_rate_init": RATE, "max_iter": chosen.epochs, "random_state": seed}
    return run_sklearn(MLPClassifier(HIDDEN[name], alpha=0, **options), name, seed)


RUNS = {"tinygrad_cls": run_ours, "PyTorch": run_torch, "sklearn MLP": multilayer, "sklearn logistic": logistic}
if torch is None:
    del RUNS["PyTorch"]
else:
    run_torch("digits", 0)  # the first call loads libraries

# %% [markdown]
# **Report.** Nothing was chosen by the test data: each model meets them once for each seed.
# %%
accuracy, seconds, losses = {}, {}, {}
print(f"\nTest accuracy and time, mean ± standard deviation of {chosen.seeds} seeds, {chosen.epochs} epochs")
for name in DATA:
    for who, how in RUNS.items():
        for seed in range(chosen.seeds):
            start = time.perf_counter()
            predicted, losses[name, who, seed] = how(name, seed)
            seconds.setdefault((name, who), []).append(time.perf_counter() - start)
            accuracy.setdefault((name, who), []).append((predicted == parts(DATA[name], seed)[1][1]).mean())
        a, t = np.array(accuracy[name, who]), np.array(seconds[name, who])
        print(f"{name:10}{who:18}{a.mean():8.2%} ± {a.std(ddof=1):.2%}{t.mean():9.2f} s ± {t.std(ddof=1):.2f}")

# %%
print()
for name in DATA:
    ours = np.array(accuracy[name, "tinygrad_cls"])
    others = {who: 100 * (ours - accuracy[name, who]).mean() for who in RUNS if who != "tinygrad_cls"}
    text = ", ".join(f"{difference:+.2f} against {who}" for who, difference in others.items())
    say(f"{name}: in points of accuracy, {text}.")
    if torch is not None:
        pairs = [(losses[name, "tinygrad_cls", seed], losses[name, "PyTorch", seed]) for seed in range(chosen.seeds)]
        apart = max(np.abs(np.subtract(*pair)).max() for pair in pairs)
        ratio = np.mean(seconds[name, "tinygrad_cls"]) / np.mean(seconds[name, "PyTorch"])
        say(f"Beside PyTorch, the training losses differ by {apart:.0e} at most; it takes {ratio:.1f} times as long.")

# %%
COLOURS = dict(zip(DATA, (BLUE, VERMILLION)))
figure, (left, right) = plt.subplots(1, 2, figsize=(17, 7.5), width_ratios=[1, 1.1])
epochs = np.arange(1, chosen.epochs + 1)
for name, colour in COLOURS.items():
    for who, marker, every in (("tinygrad_cls", "-", 1), ("PyTorch", "o", 3)):
        if who in RUNS:
            mean = np.mean([losses[name, who, seed] for seed in range(chosen.seeds)], axis=0)
            style = {"color": colour, "mfc": "none", "mew": 2.5, "markersize": 13}
            left.plot(epochs[::every], mean[::every], marker, label=f"{name}, {who}", **style)
left.set(xlabel="epoch", ylabel="training loss (nats)", yscale="log", title=f"Training, mean of {chosen.seeds} seeds")
left.legend()
markers = {"tinygrad_cls": "o", "PyTorch": "D", "sklearn MLP": "s", "sklearn logistic": "^"}
for name, colour in COLOURS.items():
    middle, top = [], []
    for who in RUNS:
        mean, spread = 100 * np.mean(accuracy[name, who]), 100 * np.std(accuracy[name, who], ddof=1)
        at = np.mean(seconds[name, who])
        right.errorbar(at, mean, spread, color=colour, marker=markers[who], capsize=6, mew=2.5, markersize=14)
        middle.append(at)
        top.append(mean + spread)
    right.text(np.mean(middle), max(top) + 0.2, name, color=colour, ha="center", va="bottom")
for who in RUNS:
    right.plot([], [], markers[who], color=BLACK, mfc="white", mew=2.5, markersize=14, label=who)
right.set(xlabel="time for training and prediction (s)", ylabel="test accuracy (%)", xscale="log")
right.set_title("Test: mean ± standard deviation")
right.set_xticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
right.margins(y=0.12)
right.legend(loc="lower left")
save(figure, chosen.output / "full_run.png")
