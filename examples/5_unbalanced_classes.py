# %% [markdown]
"""
# 5. Unbalanced classes

One digit against the nine others, and in the training data the one is made rare: 1 to 10, 1 to 30, 1 to 100. The course
says that cross-entropy copes with that better than squared error. Does it? And what does weighting the classes by the
inverse of their frequency do for each, and at what price? All of it twice: with pixels as they are, from 0 to 1, and
standardised to mean 0 and deviation 1.
"""

# %%
from itertools import product

import numpy as np
from course_style import BLACK, BLUE, GREEN, ORANGE, VERMILLION, options, plt, save, say

import tinygrad_cls as tg
from tinygrad_cls.training import LOSSES

chosen = options("5", "Rare classes.", seeds=(1, "splits for each of the ten digits"), steps=(150, "steps of descent"))
digits = tg.data.load_digits()
INPUTS, RATIOS, RATES = ("pixels 0 to 1", "standardised"), (10, 30, 100), (0.03, 0.1, 0.5, 2.0)
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


def descend(x, y, inputs, loss, weighted, rate):
    """A linear model with two outputs, trained from zero; gives the probability of the rare digit."""
    layer = tg.nn.Linear(x.shape[1], 2)
    for parameter in layer.parameters():
        parameter.assign(np.zeros(parameter.shape))
    model = tg.nn.Sequential(tg.nn.Standardize(x), layer) if inputs == "standardised" else layer
    optimiser = tg.optim.SGD(layer.parameters(), lr=rate, momentum=0.9)
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
results, table = {}, {}
print(f"Test data, mean ± standard deviation over {len(repetitions)} runs, each digit the rare one in turn")
print(f"{'':30}{'best':>6}{'recall of':>16}{'balanced':>16}{'… threshold':>13}{'predicted /':>13}")
print(f"{'':30}{'rate':>6}{'the rare':>16}{'accuracy':>16}{'= base rate':>13}{'true rate':>13}")
for inputs, ratio in product(INPUTS, RATIOS):
    print(f"{inputs}, 1:{ratio}")
    data = [thinned(rare, ratio, seed) for rare, seed in repetitions]
    for method, (loss, weighted, *_) in METHODS.items():
        models = [[descend(*train, inputs, loss, weighted, rate) for train, _, _ in data] for rate in RATES]
        validation = [[recalls(m(x), y).mean() for m, (_, (x, y), _) in zip(row, data)] for row in models]
        best = np.mean(validation, axis=1).argmax()
        runs = [(m(x), y) for m, (_, _, (x, y)) in zip(models[best], data)]
        base = 1 / (1 + ratio)
        measures = {
            "recall": np.array([recalls(p, y)[0] for p, y in runs]),
            "balanced": np.array([recalls(p, y).mean() for p, y in runs]),
            "moved": np.array([recalls(p, y, threshold=base).mean() for p, y in runs]),
            "predicted": np.array([p[y == 1].mean() + (1 / base - 1) * p[y == 0].mean() for p, y in runs]),
        }
        results[inputs, ratio, method], table[inputs, ratio, method] = runs, measures
        cells = [f"{measures[key].mean():.1%} ± {measures[key].std(ddof=1):.1%}" for key in ("recall", "balanced")]
        row = f"{cells[0]:>16}{cells[1]:>16}{measures['moved'].mean():13.1%}{measures['predicted'].mean():13.2f}"
        print(f"    {method:26}{RATES[best]:6g}{row}")


# %%
def ahead(inputs, ratio, weighting):
    """How far cross-entropy is ahead in balanced accuracy: mean and standard error of the paired differences."""
    entropy, squared = (table[inputs, ratio, loss + weighting] for loss in ("cross-entropy", "squared error"))
    difference = 100 * (entropy["balanced"] - squared["balanced"])
    return difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))


print("\nCross-entropy minus squared error: balanced accuracy in points, ± standard error of the paired difference")
cases = list(product(INPUTS, RATIOS))
leads = {weighting: np.array([ahead(*case, weighting) for case in cases]) for weighting in ("", ", weighted")}
for (inputs, ratio), plain, weighted in zip(cases, leads[""], leads[", weighted"]):
    print("{:>15}, 1:{:<4} unweighted: {:5.1f} ± {:.1f}".format(inputs, ratio, *plain), end="")
    print("    weighted: {:5.1f} ± {:.1f}".format(*weighted))
clear = {weighting: np.count_nonzero(lead[:, 0] > 2 * lead[:, 1]) for weighting, lead in leads.items()}
mean = {key: {name: values.mean() for name, values in measures.items()} for key, measures in table.items()}
print()
say(
    f"Cross-entropy is ahead by more than two standard errors in {clear['']} of {len(cases)} cases without weights, "
    f"and in {clear[', weighted']} with them (of twelve comparisons, one may be so by luck). Its largest lead without "
    f"weights is {leads[''][:3, 0].max():.1f} points with pixels as they are, "
    f"and {leads[''][3:, 0].max():.1f} once they are standardised."
)
for inputs in INPUTS:
    plain, weighted = mean[inputs, 100, "cross-entropy"], mean[inputs, 100, "cross-entropy, weighted"]
    squared, weighted_squared = mean[inputs, 100, "squared error"], mean[inputs, 100, "squared error, weighted"]
    say(
        f"{inputs}, 1:100: weighting finds {weighted['recall']:.0%} of the rare instead of {plain['recall']:.0%} with "
        f"cross-entropy, {weighted_squared['recall']:.0%} instead of {squared['recall']:.0%} with squared error. But "
        f"weighted cross-entropy predicts the rare digit {weighted['predicted']:.1f} times as often as it comes; "
        f"unweighted, {plain['predicted']:.1f} times. Moving the threshold of the unweighted one to the base rate "
        f"keeps its probabilities and gives a balanced accuracy of {plain['moved']:.1%}; weighting gives "
        f"{weighted['balanced']:.1%}."
    )

# %% [markdown]
# The mean of the predicted probabilities may be right while the single ones are not: the panel on the right sorts the
# test images by what was predicted, and counts how many of them are rare.
# %%
figure, panels = plt.subplots(1, 3, figsize=(19, 7.5))
for axes, inputs in zip(panels, INPUTS):
    for k, (method, (_, _, colour, line, marker)) in enumerate(METHODS.items()):
        values = np.array([100 * table[inputs, ratio, method]["balanced"] for ratio in RATIOS])
        error = values.std(axis=1, ddof=1) / np.sqrt(len(repetitions))  # standard error of the mean
        x = np.arange(len(RATIOS)) + 0.08 * (k - 1.5)  # side by side, so that the bars can be seen
        axes.errorbar(x, values.mean(axis=1), error, color=colour, ls=line, marker=marker, capsize=5, label=method)
    axes.set(title=inputs.capitalize(), xlabel="rare : others in training", ylim=(45, 101))
    axes.set_xticks(range(len(RATIOS)), [f"1:{ratio}" for ratio in RATIOS])
    axes.axhline(50, color=BLACK, linewidth=1.5)
panels[0].set_ylabel("balanced accuracy (%), mean ± standard error")
panels[1].text(0, 50.5, "guessing", va="bottom")
panels[1].legend(loc="lower left", bbox_to_anchor=(0, 0.15))

axes, edges = panels[2], np.array([0, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 1.001])
for method, (_, _, colour, line, marker) in METHODS.items():
    p, y = (np.concatenate(parts) for parts in zip(*results["standardised", 100, method]))
    weight = np.where(y == 1, np.count_nonzero(y == 0) / (100 * np.count_nonzero(y == 1)), 1.0)
    inside = np.digitize(p, edges) - 1
    sums = [np.bincount(inside, weight * what, minlength=len(edges) - 1) for what in (p, y, np.ones_like(p))]
    enough = np.bincount(inside, minlength=len(edges) - 1) >= 20
    predicted, found = (part[enough] / sums[2][enough] for part in sums[:2])
    axes.plot(predicted, np.maximum(found, 3e-4), marker + line, color=colour)
axes.plot([1e-3, 1], [1e-3, 1], color=BLACK, linewidth=1.5)
axes.text(0.0012, 0.0017, "calibrated", rotation=48, rotation_mode="anchor")
axes.set(title="Calibration, standardised, 1:100", xscale="log", yscale="log", xlim=(8e-4, 1.2), ylim=(2.5e-4, 1.2))
axes.set(xlabel="predicted probability", ylabel="observed frequency")
axes.set_xticks([0.001, 0.01, 0.1, 1], ["0.1%", "1%", "10%", "100%"])
axes.set_yticks([3e-4, 0.001, 0.01, 0.1, 1], ["none", "0.1%", "1%", "10%", "100%"])
save(figure, chosen.output / "unbalanced.png")
