# %% [markdown]
"""
# 2. Softmax

`y′ = exp(z) / Σ exp(z)` turns raw outputs, the *logits* z, into probabilities: positive, and adding up to 1. What does
it do to its inputs, and what has it to do with the sigmoid, which one learns for two classes?
"""

# %%
import numpy as np
from course_style import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, options, plt, save, say

import tinygrad_cls as tg

chosen = options("2", "What softmax does, and why two classes give the sigmoid.")
z = np.array([2.9, 1.1, 0.2])


def softmax(logits):
    return tg.softmax(logits).numpy()


# %% [markdown]
# **Temperature.** Only differences of logits count, in units of T: `softmax(z / T)`. Cold is sure, hot is undecided.
# The entropy `−Σ y′ log y′` measures it, from 0 (sure) to log 3 = 1.0986 (undecided).
# %%
temperatures = np.geomspace(0.1, 100, 61)
by_temperature = softmax(z / temperatures[:, None])
print(f"z = {z}\n    T   softmax(z / T)            entropy in nats")
for T in (0.1, 0.5, 1.0, 2.0, 10.0, 100.0):
    y = tg.softmax(z / T)
    entropy = -(y * tg.log_softmax(z / T)).sum().item()
    print(f"{T:5g}   {y.numpy().round(4)!s:25} {entropy:.4f}")

# %% [markdown]
# **Shift.** Adding the same number to every logit multiplies each exponential by the same factor, which cancels.
# Exactly so on paper; in floating point up to the rounding of the shifted logits, which grows with the shift.
# %%
print("\n    shift   largest change of softmax(z + shift)")
shifts = {c: np.abs(softmax(z + c) - softmax(z)).max() for c in (-1.0, 1e2, 1e4, 1e8, 1e12)}
for c, change in shifts.items():
    print(f"{c:9g}   {change:.1e}")

# %% [markdown]
# **Large logits.** That is why softmax may subtract the largest logit first. Without it the exponentials leave the
# range of floating point: `exp(710)` is infinite, and infinity divided by itself is not a number.
# %%
sizes = np.arange(0, 1201, 5.0)
logits = np.stack([sizes + 1, sizes], axis=1)  # always the same difference, so always the same probabilities
with np.errstate(over="ignore", invalid="ignore"):
    e = np.exp(logits)
    naive = (e / e.sum(axis=1, keepdims=True))[:, 0]
shifted = softmax(logits)[:, 0]
broken = sizes[np.isnan(naive)]
print()
say(
    f"softmax([s + 1, s]) as written is not a number from s = {broken.min():g} on; with the largest subtracted it "
    f"stays within {np.ptp(shifted):.1e} of {shifted[0]:.6f} up to s = {sizes.max():g}."
)

# %% [markdown]
# **Two classes: by number.** The first of two softmax outputs against `σ(d) = 1 / (1 + exp(−d))` of the difference d
# of the logits, written out in NumPy.
# %%
pairs = np.random.default_rng(0).normal(scale=10, size=(10_000, 2))
by_softmax, by_sigmoid = softmax(pairs)[:, 0], 1 / (1 + np.exp(pairs[:, 1] - pairs[:, 0]))
difference = np.abs(by_softmax - by_sigmoid).max()
print(f"\n10,000 random pairs of logits: softmax and sigmoid differ by {difference:.1e} at most.")

# %% [markdown]
# **By graph.** Inside both frames: the same two exponentials, their sum, a quotient. The sigmoid *is* the softmax of
# the logits (d, 0). (Like softmax it subtracts the larger one first.)
# %%
two = tg.Tensor([2.0, 0.5], requires_grad=True, name="z")
as_softmax = tg.softmax(two)[0]
save(tg.draw(as_softmax, names={"y′": as_softmax}, legend=False), chosen.output / "softmax_of_two.svg")
as_sigmoid = tg.sigmoid(two[0] - two[1])
save(tg.draw(as_sigmoid, names={"y′": as_sigmoid}, legend=False), chosen.output / "sigmoid_of_difference.svg")

# %% [markdown]
# **By derivation.** Let d be the difference of the logits. Cross-entropy of the softmax of (d, 0) and the sigmoid's
# own binary cross-entropy, derived step by step: watch the rule that turns softmax into σ.
# %%
d = tg.Tensor(1.5, requires_grad=True, name="d")
y = tg.Tensor([1.0, 0.0], name="y")
first = tg.explain(tg.cross_entropy(tg.stack([d, tg.Tensor(0.0)]), y), wrt=d)
print(f"\n{first}")
label = tg.Tensor(1.0, name="y")
second = tg.explain(tg.binary_cross_entropy_with_logits(d, label), wrt=d)
say(f"By softmax: {first.gradient}. By sigmoid: {second.gradient}.")
rule = next((step.rule for step in first.steps if "σ" in str(step.after) and "σ" not in str(step.before)), None)
same = np.allclose(
    [first.gradient.evaluate({"d": x, "y": [1.0, 0.0]}) for x in (-3.0, 0.0, 40.0)],
    [second.gradient.evaluate({"d": x, "y": 1.0}) for x in (-3.0, 0.0, 40.0)],
    rtol=0,
    atol=1e-15,
)
say(f"The step that turns softmax into σ: {rule}. On other d, too, both formulas " + ("agree." if same else "DIFFER."))

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(18, 7))
lines = ((BLUE, "-", f"z = {z[0]:g}"), (VERMILLION, "--", f"z = {z[1]:g}"), (GREEN, ":", f"z = {z[2]:g}"))
for k, (colour, line, name) in enumerate(lines):
    left.plot(temperatures, by_temperature[:, k], line, color=colour, label=name)
left.set(title="Temperature", xlabel="temperature T", ylabel="probability", xscale="log", ylim=(-0.02, 1.25))
left.set_yticks(np.arange(0, 1.1, 0.2))
left.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
left.legend()
middle.plot(sizes, shifted, color=BLUE, label="largest subtracted")
middle.plot(sizes, naive, "--", color=VERMILLION, label="as written")
middle.axvspan(broken.min(), sizes.max(), color=GREY, alpha=0.25)
middle.text((broken.min() + sizes.max()) / 2, 0.5, "as written:\nnot a\nnumber", ha="center", va="center")
middle.set(title="Large logits (s + 1, s)", xlabel="size s", ylabel="probability of the first", ylim=(-0.02, 1.25))
middle.set_yticks(np.arange(0, 1.1, 0.2))
middle.set_xticks([0, 400, 800, 1200])
middle.legend(loc="upper left", borderaxespad=0)
d_axis = np.linspace(-6, 6, 121)
right.plot(d_axis, tg.sigmoid(d_axis).numpy(), color=ORANGE, label="sigmoid of z₁ − z₂")
few = [np.abs(pairs[:, 0] - pairs[:, 1] - x).argmin() for x in np.linspace(-5.5, 5.5, 12)]
right.plot(
    pairs[few, 0] - pairs[few, 1], by_softmax[few], "o", color=BLACK, mfc="none", mew=2, label="softmax of (z₁, z₂)"
)
right.set(
    title="Two classes",
    xlabel="difference z₁ − z₂",
    ylabel="probability of the first",
    xlim=(-6, 6),
    ylim=(-0.02, 1.25),
)
right.set_yticks(np.arange(0, 1.1, 0.2))
right.legend(loc="upper left", borderaxespad=0)
save(figure, chosen.output / "softmax.png")
