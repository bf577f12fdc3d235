# %% [markdown]
"""
# 1. Regression and classification

Why not simply number the classes 0, 1, 2, … and let a regression predict the number? Because numbers have an order and
distances: class 1 lies between 0 and 2, and taking 2 for 0 counts four times as much as taking 1 for 0. The data know
nothing of that. Coded *one-hot*, each class has an output of its own, and no class is nearer to another.

The test: number the same classes in every possible way. What depends on the numbering is an artefact.
"""

# %%
from itertools import permutations

import numpy as np
from course_style import BLUE, GREEN, VERMILLION, options, plt, save, say

import tinygrad_cls as tg

chosen = options("1", "Class numbers as targets impose an order.", seeds=(10, "random splits of the irises"))


# %% [markdown]
# All three models are linear, start at zero and take the same steps of gradient descent. They differ in how the class
# is coded, and in the loss.
# %%
def descend(outputs, loss, inputs, steps=400):
    """A linear model after gradient descent on `loss`, over all samples at once."""
    model = tg.nn.Sequential(tg.nn.Standardize(inputs), tg.nn.Linear(inputs.shape[1], outputs))
    for parameter in model.parameters():
        parameter.assign(np.zeros(parameter.shape))
    optimiser = tg.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(model(inputs)).backward()
        optimiser.step()
    return lambda x: model(x).numpy()


def class_numbers(x, numbers, classes):
    """Regression on the class number: one output, rounded to the nearest class."""
    target = numbers[:, None].astype(np.float32)
    model = descend(1, lambda output: tg.mse_loss(output, target), x)
    return lambda x: model(x)[:, 0].round().clip(0, classes - 1)


def one_hot_squared(x, numbers, classes):
    """One-hot targets, squared error: also a regression, but with one output for each class. The largest wins."""
    target = tg.one_hot(numbers, classes, np.float32)
    model = descend(classes, lambda output: tg.mse_loss(output, target), x)
    return lambda x: model(x).argmax(axis=1)


def one_hot_entropy(x, numbers, classes):
    """One-hot targets, softmax and cross-entropy: the classifier of the course."""
    model = descend(classes, lambda output: tg.cross_entropy(output, numbers), x)
    return lambda x: model(x).argmax(axis=1)


MODELS = {
    "class number, squared error": class_numbers,
    "one-hot, squared error": one_hot_squared,
    "one-hot, cross-entropy": one_hot_entropy,
}


def over_permutations(inputs, labels, classes, seed):
    """Accuracy on held-out data, shape (permutations, models); `order[c]` is the number of class c."""
    (x, c), (test_x, test_c) = tg.data.split(inputs, labels, fractions=(0.6, 0.4), generator=seed, stratify=labels)
    orders = np.array(list(permutations(range(classes))))
    return np.array(
        [[(fit(x, order[c], classes)(test_x) == order[test_c]).mean() for fit in MODELS.values()] for order in orders]
    )


# %% [markdown]
# First the irises: three kinds, six numberings. Random splits into training and test data show the spread.
# %%
iris = tg.data.load_iris()
iris_accuracy = np.array([over_permutations(iris.inputs, iris.labels, 3, seed) for seed in range(chosen.seeds)])
print(f"Irises: accuracy on held-out data, mean ± standard deviation of {chosen.seeds} splits")
print("numbers of " + ", ".join(iris.class_names) + "".join(f"{name:>29}" for name in MODELS))
for order, values in zip(permutations(range(3)), iris_accuracy.swapaxes(0, 1)):
    row = "".join(f"{mean:>22.1%} ±{deviation:5.1%}" for mean, deviation in zip(values.mean(0), values.std(0)))
    print(f"{order!s:>33}{row}")

# %% [markdown]
# Then handwritten digits: 0, 1, 2 and 3, in all 24 numberings.
# %%
digits = tg.data.load_digits()
few = digits.labels < 4
digit_accuracy = over_permutations(digits.inputs[few], digits.labels[few], 4, seed=0)
print("\nDigits 0 to 3: accuracy on held-out data\nnumbers of 0, 1, 2, 3" + "".join(f"{name:>29}" for name in MODELS))
for order, values in zip(permutations(range(4)), digit_accuracy):
    print(f"{order!s:>21}" + "".join(f"{value:>29.1%}" for value in values))

# %% [markdown]
# What does the numbering change? Not only that, but how much, and is a lucky numbering good enough?
# %%
print()
for name, table in (("Irises", iris_accuracy.mean(axis=0)), ("Digits", digit_accuracy)):
    spread, lucky = np.ptp(table, axis=0), table[:, 0].max()
    say(
        f"{name}: between the best and the worst numbering the regression's accuracy differs by {spread[0]:.1%}; the "
        f"one-hot models' by {spread[1]:.1%} (squared error) and {spread[2]:.1%} (cross-entropy). With the luckiest "
        f"numbering the regression reaches {lucky:.1%}, the classifier {table[:, 2].max():.1%}."
    )
invariant = max(np.ptp(iris_accuracy, axis=1)[:, 1:].max(), np.ptp(digit_accuracy, axis=0)[1:].max()) == 0
say(
    "So the order comes from the class numbers, not from squared error: both one-hot models are blind to it."
    if invariant
    else "Yet a one-hot model was not quite blind to the numbering."
)
numbered, squared, entropy = iris_accuracy.mean(axis=0).max(axis=0)
if numbered > squared:
    say(
        f"But blind is not yet good: on the irises, one-hot with squared error reaches {squared:.1%}, the luckiest "
        f"numbering {numbered:.1%}. Where kinds lie in a row, least squares is known to mask the middle one. "
        f"Cross-entropy reaches {entropy:.1%}."
    )

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(15, 7), width_ratios=[1, 1.2])
for axes, table, orders in (
    (left, iris_accuracy.mean(axis=0), list(permutations(range(3)))),
    (right, digit_accuracy, list(permutations(range(4)))),
):
    unluckiest_first = np.argsort(table[:, 0], kind="stable")
    for k, (name, colour, marker) in enumerate(zip(MODELS, (VERMILLION, GREEN, BLUE), "osD")):
        axes.plot(100 * table[unluckiest_first, k], marker + "-", color=colour, label=name, linewidth=1.5)
    left_out = 1 if len(orders) < 7 else 4  # labels that would not fit
    names = ["".join(map(str, orders[i])) for i in unluckiest_first]
    axes.set_xticks(range(len(orders))[::left_out], names[::left_out])
    axes.set(ylim=(40, 101))
left.set(title="Irises", xlabel="numbers of the three kinds", ylabel="accuracy on held-out data (%)")
right.set(title="Digits 0, 1, 2, 3", xlabel="numbers of the four digits (every fourth is written)")
right.legend(loc="lower right", title="target, loss", alignment="left")
save(figure, chosen.output / "permutations.png")
