# %% [markdown]
"""
# 5. Unbalanced classes

One digit against the nine others, and in the training data the one is made rare: 1 to 10, 1 to 30, 1 to 100. The course
says that cross-entropy copes with that better than squared error. Does it? And what does weighting the classes by the
inverse of their frequency do for each, and at what price?
"""

# %%
import numpy as np
from course_style import BLACK, BLUE, GREEN, ORANGE, VERMILLION, options, plt, save, say

import tinygrad_cls as tg
from tinygrad_cls.training import LOSSES

chosen = options("5", "Rare classes.", seeds=(1, "splits for each of the ten digits"), steps=(200, "steps of descent"))
digits = tg.data.load_digits()
RATIOS, RATES = (10, 30, 100), (0.01, 0.03, 0.1, 0.3, 1.0)
METHODS = {  # loss, weighted by class?, and how it is drawn
    "cross-entropy": ("cross_entropy", False, BLUE, "-", "o"),
    "cross-entropy, weighted": ("cross_entropy", True, GREEN, "--", "D"),
    "squared error": ("mse", False, VERMILLION, "-", "s"),
    "squared error, weighted": ("mse", True, ORANGE, "--", "^"),
}


# %% [markdown]
# Only the training data are thinned. Validation and test keep all images of the rare digit, so that its recall can be
# measured at all; where the frequency matters (calibration), each of them counts less, so that together they are as
# rare as in training.
# %%
def thinned(rare, ratio, seed):
    """Training, validation and test data: inputs, and 1 for the rare digit."""
    labels = (digits.labels == rare).astype(int)
    (x, y), *held_out = tg.data.split(
        digits.inputs, labels, fractions=(0.5, 0.25, 0.25), generator=100 * seed + rare, stratify=labels
    )
    few = round(np.count_nonzero(y == 0) / ratio)
    kept = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:few]])
    return (x[kept], y[kept]), *held_out


def descend(x, y, loss, weighted, rate):
    """A linear model with two outputs, trained from zero; gives the probability of the rare digit."""
    model = tg.nn.Linear(x.shape[1], 2)
    for parameter in model.parameters():
        parameter.assign(np.zeros(parameter.shape))
    optimiser = tg.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    weight = len(y) / (2 * np.bincount(y)) if weighted else None
    for _ in range(chosen.steps):
        optimiser.zero_grad()
        LOSSES[loss](model(x), y, weight=weight).backward()
        optimiser.step()
    return lambda x: tg.softmax(model(x)).numpy()[:, 1]


def recalls(p, y, threshold=0.5):
    """The fraction of the rare, and of the others, that are recognised. Their mean is the balanced accuracy."""
    return np.array([(p[y == 1] >= threshold).mean(), (p[y == 0] < threshold).mean()])


# %% [markdown]
# Each digit takes its turn at being rare. The rate of each method is the one with the best mean balanced accuracy on
# the validation data; then the test data are looked at.
# %%
repetitions = [(rare, seed) for rare in range(10) for seed in range(chosen.seeds)]
results, rates = {}, {}
for ratio in RATIOS:
    data = [thinned(rare, ratio, seed) for rare, seed in repetitions]
    for method, (loss, weighted, *_) in METHODS.items():
        models = [[descend(*train, loss, weighted, rate) for train, _, _ in data] for rate in RATES]
        validation = [[recalls(m(x), y).mean() for m, (_, (x, y), _) in zip(row, data)] for row in models]
        best = np.mean(validation, axis=1).argmax()
        rates[ratio, method] = RATES[best]
        results[ratio, method] = [(m(x), y) for m, (_, _, (x, y)) in zip(models[best], data)]

table = {}
print(f"Test data, mean ± standard deviation over {len(repetitions)} runs, each digit the rare one in turn")
print(f"{'training':32}{'best':>6}{'recall of':>16}{'balanced':>16}{'… threshold':>13}{'predicted /':>13}")
print(f"{'ratio, method':32}{'rate':>6}{'the rare':>16}{'accuracy':>16}{'= base rate':>13}{'true rate':>13}")
for (ratio, method), runs in results.items():
    base = 1 / (1 + ratio)
    rare, balanced = np.array([(r[0], r.mean()) for r in (recalls(p, y) for p, y in runs)]).T
    moved = np.array([recalls(p, y, threshold=base).mean() for p, y in runs])
    predicted = [(base * p[y == 1].mean() + (1 - base) * p[y == 0].mean()) / base for p, y in runs]
    table[ratio, method] = {"recall": rare, "balanced": balanced, "moved": moved, "predicted": np.array(predicted)}
    cells = (f"{a.mean():.1%} ± {a.std(ddof=1):.1%}" for a in (rare, balanced))
    row = "{:>16}{:>16}".format(*cells) + f"{moved.mean():13.1%}{np.mean(predicted):13.2f}"
    print(f"1:{ratio:<4}{method:26}{rates[ratio, method]:6g}{row}")


# %%
def compare(first, second, key, ratio, higher="is ahead of", lower="is behind"):
    """A sentence on the paired difference of two methods, with its standard error."""
    difference = table[ratio, first][key] - table[ratio, second][key]
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    if abs(difference.mean()) <= 2 * error:
        verb = "does not differ clearly from"
    else:
        verb = higher if difference.mean() > 0 else lower
    return f"{first} {verb} {second} (by {100 * difference.mean():.1f} ± {100 * error:.1f} points)"


print("\nBalanced accuracy:")
for ratio in RATIOS:
    say(f"1:{ratio}, unweighted: {compare('cross-entropy', 'squared error', 'balanced', ratio)};")
    say(f"1:{ratio}, weighted: {compare('cross-entropy, weighted', 'squared error, weighted', 'balanced', ratio)}.")
mean = {method: {key: values.mean() for key, values in table[100, method].items()} for method in METHODS}
entropy, weighted = mean["cross-entropy"], mean["cross-entropy, weighted"]
squared, weighted_squared = mean["squared error"], mean["squared error, weighted"]
say(
    f"Weighting at 1:100 finds {weighted['recall']:.0%} of the rare instead of {entropy['recall']:.0%} with "
    f"cross-entropy, and {weighted_squared['recall']:.0%} instead of {squared['recall']:.0%} with squared error. The "
    f"price is calibration: weighted cross-entropy predicts the rare digit {weighted['predicted']:.1f} times as often as "
    f"it comes, unweighted {entropy['predicted']:.1f} times. Moving the threshold of the unweighted one to the base rate "
    f"keeps its probabilities, and gives a balanced accuracy of {entropy['moved']:.1%}, against "
    f"{weighted['balanced']:.1%} by weighting."
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(16, 7.5))
for k, (method, (_, _, colour, line, marker)) in enumerate(METHODS.items()):
    values = np.array([100 * table[ratio, method]["balanced"] for ratio in RATIOS])
    error = values.std(axis=1, ddof=1) / np.sqrt(len(repetitions))  # standard error of the mean
    x = np.arange(len(RATIOS)) + 0.06 * (k - 1.5)  # side by side, so that the bars can be seen
    left.errorbar(x, values.mean(axis=1), error, color=colour, linestyle=line, marker=marker, capsize=5, label=method)
left.set(
    title=f"At the threshold ½ (mean of {len(repetitions)} ± standard error)",
    xlabel="rare : others in the training data",
    ylabel="balanced accuracy (%)",
)
left.set_xticks(range(len(RATIOS)), [f"1:{ratio}" for ratio in RATIOS])
left.set(ylim=(45, 101))
left.axhline(50, color=BLACK, linewidth=1.5)
left.text(0, 50.5, "guessing", va="bottom")

edges = np.array([0, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 1.001])
for method, (_, _, colour, line, marker) in METHODS.items():
    p, y = (np.concatenate(parts) for parts in zip(*results[100, method]))
    weight = np.where(y == 1, np.count_nonzero(y == 0) / (100 * np.count_nonzero(y == 1)), 1.0)
    inside = np.digitize(p, edges) - 1
    sums = [np.bincount(inside, weight * what, minlength=len(edges) - 1) for what in (p, y, np.ones_like(p))]
    enough = np.bincount(inside, minlength=len(edges) - 1) >= 20
    predicted, found = (part[enough] / sums[2][enough] for part in sums[:2])
    right.plot(predicted, np.maximum(found, 3e-4), marker + line, color=colour, label=method)
right.plot([1e-3, 1], [1e-3, 1], color=BLACK, linewidth=1.5)
right.text(0.0022, 0.00115, "calibrated", rotation=39, rotation_mode="anchor")
right.set(title="Calibration at 1:100", xscale="log", yscale="log", xlim=(8e-4, 1.2), ylim=(2.5e-4, 1.2))
right.set(xlabel="predicted probability of the rare digit", ylabel="observed frequency")
right.set_xticks([0.001, 0.01, 0.1, 1], ["0.1%", "1%", "10%", "100%"])
right.set_yticks([3e-4, 0.001, 0.01, 0.1, 1], ["none", "0.1%", "1%", "10%", "100%"])
left.legend(loc="center right", bbox_to_anchor=(1.02, 0.4))
save(figure, chosen.output / "unbalanced.png")
