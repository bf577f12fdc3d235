# %% [markdown]
"""
# 4. The same on real data

Far from the target, squared error has no gradient left and cross-entropy has (part 3). Does that matter for real data?
Handwritten digits, softmax regression, and a start that is unlucky on purpose: initial weights so large that the model
is sure of wrong answers. Beside it an ordinary start, and for each loss the learning rate that suits *it* best: a loss
that only wants a longer step should get it.
"""

# %%
import warnings
from itertools import product

import numpy as np
from course_style import BLUE, GREEN, VERMILLION, options, plt, save, say

import tinygrad_cls as tg
from tinygrad_cls.training import LOSSES  # by name: "cross_entropy", "mse" (of softmax, against one-hot labels)

chosen = options(
    "4", "Both losses on digits.", seeds=(5, "splits and starts, 2 or more"), epochs=(30, "passes over the data")
)
digits = tg.data.load_digits()
STARTS = {"unlucky": 3.0, "ordinary": 0.1}  # the standard deviation of the initial weights
RATES = {"SGD": 10.0 ** np.arange(-0.5, 3.1, 0.5), "Adam": 10.0 ** np.arange(-3, 1.1, 0.5)}
SETUPS = [*product(STARTS, ["SGD"], LOSSES), *product(["unlucky"], ["Adam"], LOSSES)]
warnings.simplefilter("ignore", tg.LearningWarning)  # rates that are too high are part of the search


# %% [markdown]
# One run. Every seed has its own split, start and order of batches, the same for all losses and learning rates. `fit`
# keeps the epoch with the lowest validation loss.
# %%
def run(start, optimiser, loss, rate, seed):
    """The trained model, its validation accuracy after each epoch and where kept, and the test data, still unseen."""
    train, validation, test = tg.data.split(
        digits.inputs, digits.labels, fractions=(0.6, 0.2, 0.2), generator=seed, stratify=digits.labels
    )
    generator = np.random.default_rng(seed)
    model = tg.nn.Linear(64, 10, generator=generator)
    model.weight.assign(generator.normal(scale=STARTS[start], size=(64, 10)))
    held_out = tg.data.batches(*validation, batch_size=500)
    history = tg.fit(
        model,
        tg.data.batches(*train, batch_size=64, shuffle=True, generator=generator),
        optimiser=getattr(tg.optim, optimiser)(model.parameters(), lr=float(rate)),
        loss=LOSSES[loss],
        validation=held_out,
        epochs=chosen.epochs,
    )
    kept = tg.evaluate(model, held_out)["accuracy"]
    return model, history["validation_accuracy"], kept, tg.data.batches(*test, batch_size=500)


# %% [markdown]
# All learning rates, all seeds. Each setup gets the smallest rate whose mean validation accuracy is within half a
# point of the best; only then, and only with that rate, are the test data looked at.
# %%
results = {}
for setup in SETUPS:
    runs = [[run(*setup, rate, seed) for seed in range(chosen.seeds)] for rate in RATES[setup[1]]]
    validation = np.array([[kept for _, _, kept, _ in row] for row in runs])
    best = np.flatnonzero(validation.mean(axis=1) >= validation.mean(axis=1).max() - 0.005)[0]
    results[setup] = {
        "rate": RATES[setup[1]][best],
        "at the edge": best in (0, len(runs) - 1),
        "by rate": validation.mean(axis=1),
        "curves": np.array([[curve for _, curve, _, _ in row] for row in runs]),
        "best": best,
        "test": np.array([tg.evaluate(model, test)["accuracy"] for model, _, _, test in runs[best]]),
    }
print(f"Digits, {chosen.seeds} seeds, {chosen.epochs} epochs: test accuracy, mean ± standard deviation")
print(f"{'start':10}{'optimiser':11}{'loss':15}{'tuned rate':>10}{'test accuracy':>18}")
for (start, optimiser, loss), result in results.items():
    edge = " (at the edge of the grid)" if result["at the edge"] else ""
    spread = f"{result['test'].mean():.1%} ± {result['test'].std(ddof=1):.1%}"
    print(f"{start:10}{optimiser:11}{loss:15}{result['rate']:10.3g}{spread:>18}{edge}")

# %%
print()
for start, optimiser in dict.fromkeys((start, optimiser) for start, optimiser, _ in SETUPS):
    entropy, squared = results[start, optimiser, "cross_entropy"], results[start, optimiser, "mse"]
    before = entropy["by rate"][entropy["best"]] - squared["by rate"][entropy["best"]]
    gap = entropy["test"] - squared["test"]
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    verdict = "no clear difference is left"
    if abs(gap.mean()) > 2 * error:
        verdict = "cross-entropy stays ahead" if gap.mean() > 0 else "squared error is ahead"
    say(
        f"{start.capitalize()} start, {optimiser}: at the rate that suits cross-entropy, squared error is "
        f"{100 * before:.1f} points behind (validation); with its own best rate, {100 * gap.mean():.1f} ± "
        f"{100 * error:.1f} (test; standard error of the paired difference): {verdict}."
    )

# %%
figure, panels = plt.subplots(1, 3, figsize=(18, 7), sharey=True)
titles = {"unlucky": "Unlucky start", "ordinary": "Ordinary start"}
styles = {"cross_entropy": ("cross-entropy", BLUE, "-"), "mse": ("squared error", VERMILLION, "--")}
for axes, (start, optimiser) in zip(panels, dict.fromkeys((start, optimiser) for start, optimiser, _ in SETUPS)):
    entropy_best = results[start, optimiser, "cross_entropy"]["best"]
    for loss, (name, colour, line) in styles.items():
        result = results[start, optimiser, loss]
        curves, epochs = 100 * result["curves"][result["best"]], np.arange(1, chosen.epochs + 1)
        axes.plot(epochs, curves.mean(axis=0), line, color=colour, label=f"{name}, tuned")
        axes.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.2, linewidth=0)
    untuned = 100 * results[start, optimiser, "mse"]["curves"][entropy_best].mean(axis=0)
    axes.plot(epochs, untuned, ":", color=GREEN, label="squared error at the\nrate of cross-entropy")
    axes.set(title=f"{titles[start]}, {optimiser}", xlabel="epoch", ylim=(0, 101))
panels[0].set_ylabel("validation accuracy (%)")
panels[1].legend(loc="lower right")
panels[2].text(chosen.epochs, 3, f"bands: lowest to\nhighest of {chosen.seeds} seeds", ha="right")
save(figure, chosen.output / "both_losses.png")
