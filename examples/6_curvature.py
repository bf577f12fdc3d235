# %% [markdown]
"""
# 6. Curvature

The gradient of cross-entropy at the logits is y′ − y. Its own derivative, the Hessian, is `diag(y′) − y′ y′ᵀ`: the
target has dropped out. Here it comes out three ways: by differentiating twice, by the formula, and by derivation. The
logits are those of a model that has learned handwritten digits, for an image that it is sure of and one that it is not.
"""

# %%
import numpy as np
from course_style import BLACK, options, plt, save, say

import tinygrad_cls as tg

chosen = options("6", "The Hessian of cross-entropy at the logits.", seed=(0, "of split and training"))
digits = tg.data.load_digits()
train, test = tg.data.split(digits.inputs, digits.labels, fractions=(0.8, 0.2), generator=chosen.seed)
model = tg.nn.Linear(64, 10, generator=np.random.default_rng(chosen.seed))
batches = tg.data.batches(*train, batch_size=64, shuffle=True, generator=chosen.seed)
tg.fit(model, batches, optimiser=tg.optim.Adam(model.parameters(), lr=0.01), epochs=20)
with tg.no_grad():
    all_logits = model(test[0]).numpy().astype(np.float64)
    all_probabilities = tg.softmax(all_logits).numpy()
by_certainty = all_probabilities.max(axis=1).argsort()
EXAMPLES = {"unsure": by_certainty[0], "in between": by_certainty[len(by_certainty) // 10], "sure": by_certainty[-1]}


# %% [markdown]
# **By differentiating twice.** `tg.grad` of one element of `tg.grad` is one row of the Hessian. **By the formula**:
# one line of NumPy.
# %%
def entropy(z, label):
    return tg.cross_entropy(z, label)


def squared(z, label):
    return tg.square(tg.softmax(z) - tg.one_hot(label, num_classes=10)).sum()


def hessian(loss, z, label):
    def element(z, i):
        return tg.grad(loss)(z, label)[i]

    return np.array([tg.grad(element)(z, i).numpy() for i in range(len(z))])


measured, formula = {}, {}
print(f"{'image':12}{'most likely':>24}{'largest difference':>20}{'smallest eigenvalue':>21}{'largest':>9}")
for name, i in EXAMPLES.items():
    p = all_probabilities[i]
    measured[name], formula[name] = hessian(entropy, all_logits[i], test[1][i]), np.diag(p) - np.outer(p, p)
    eigenvalues = np.linalg.eigvalsh(measured[name])
    first, second = p.argsort()[:-3:-1]
    likely = f"{first} ({p[first]:.1%}), {second} ({p[second]:.1%})"
    difference = np.abs(measured[name] - formula[name]).max()
    print(f"{name:12}{likely:>24}{difference:20.1e}{eigenvalues[0]:21.1e}{eigenvalues[-1]:9.4f}")

# %% [markdown]
# **By derivation.** A Hessian times a vector v is the gradient of (gradient · v): the engine records the gradient as a
# graph like any other, and `tg.explain` simplifies the gradient of that.
# %%
z = tg.Tensor(all_logits[EXAMPLES["unsure"]], requires_grad=True, name="z")
v = tg.Tensor(np.random.default_rng(chosen.seed).normal(size=10), name="v")
gradient = tg.grad(entropy)(z, int(test[1][EXAMPLES["unsure"]]))
derivation = tg.explain((gradient * v).sum(), wrt=z, names={"y′": tg.softmax(z)})
print(f"\n{derivation}")
product = formula["unsure"] @ v.numpy()
by_derivation = np.abs(derivation.gradient.evaluate({"z": z.numpy(), "v": v.numpy()}) - product).max()
print(f"H v by derivation: {derivation.gradient}. Largest difference from (diag(y′) − y′ y′ᵀ) v: {by_derivation:.1e}")

# %% [markdown]
# What is it good for? Where no eigenvalue is negative, the loss is convex in the logits: no valley but the lowest. Is
# that so at every test image, and is it for squared error?
# %%
sample = by_certainty[:60]
smallest = {
    name: np.array([np.linalg.eigvalsh(hessian(loss, all_logits[i], test[1][i]))[0] for i in sample])
    for name, loss in (("cross-entropy", entropy), ("squared error", squared))
}
flat = np.abs(measured["unsure"].sum(axis=1)).max()
print()
for name, values in smallest.items():
    negative = np.count_nonzero(values < -1e-12)  # below 0 by more than rounding
    verdict = "not convex in the logits" if negative else "convex at all of them"
    counts = f"negative at {negative} of {len(sample)}"
    say(f"{name.capitalize()}: smallest eigenvalue {values.min():.1e}, {counts}: {verdict}.")
say(
    f"Rows of the Hessian add up to 0 (measured: {flat:.0e}), because a shift of all logits changes nothing: one "
    f"direction is always flat. Where the model is sure, all are: the largest entry is {measured['sure'].max():.1e}, "
    f"against {measured['unsure'].max():.2f} where it is not."
)

# %%
figure, panels = plt.subplots(1, 2, figsize=(17, 8), sharey=True)
limit = max(np.abs(measured[name]).max() for name in ("unsure", "in between"))
for axes, name in zip(panels, ("unsure", "in between")):
    colours = axes.imshow(measured[name], cmap="RdBu", vmin=-limit, vmax=limit)
    for row, column in np.argwhere(np.abs(measured[name]) >= 0.005):
        value = measured[name][row, column]
        ink = "white" if abs(value) > 0.5 * limit else BLACK
        text = f"{value:+.2f}".replace("0.", ".").replace("-", "−")
        axes.text(column, row, text, color=ink, ha="center", va="center", size=17)
    p = all_probabilities[EXAMPLES[name]]
    first, second = p.argsort()[:-3:-1]
    axes.set(title=f"{name.capitalize()}: {first} ({p[first]:.0%}) or {second} ({p[second]:.0%})", xlabel="class")
    axes.set(xticks=range(10), yticks=range(10))
    axes.grid(False)
panels[0].set_ylabel("class")
figure.colorbar(colours, ax=panels, label="second derivative at the logits", fraction=0.03)
save(figure, chosen.output / "hessian.png")
