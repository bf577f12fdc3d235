# %% [markdown]
"""
# 3. Squared error and cross-entropy

Softmax gives probabilities y′, the target is one-hot. Why not simply minimise the squared error `Σ (y′ − y)²`? Three
classes, the first one is right. The outputs y₁ and y₂ run from −10 to 10; y₃ stays at −1000, so that the surface of the
error can be drawn. Descent starts in the far corner: y₁ = −10, y₂ = 10, sure and wrong.
"""

# %%
import numpy as np
from course_style import BLACK, BLUE, VERMILLION, options, plt, save, say
from matplotlib.patheffects import withStroke

import tinygrad_cls as tg

chosen = options("3", "The surfaces of two losses, and descent on them.", steps=(200, "steps of descent"))
TARGET = tg.one_hot(0, num_classes=3)


def outputs(y12):
    """(y₁, y₂) with y₃ = −1000 behind."""
    return tg.concat([y12, tg.broadcast_to(tg.Tensor(-1000.0), (*y12.shape[:-1], 1))], axis=-1)


LOSSES = {
    "squared error": lambda y12: tg.square(tg.softmax(outputs(y12)) - TARGET).sum(axis=-1),
    "cross-entropy": lambda y12: -(TARGET * tg.log_softmax(outputs(y12))).sum(axis=-1),
}
CORNER = np.array([-10.0, 10.0])


# %% [markdown]
# The same step size for both. The paths show where descent gets to.
# %%
def descend(loss, make_optimiser):
    """The path of (y₁, y₂) from the far corner, shape (steps + 1, 2)."""
    y12 = tg.Tensor(CORNER, requires_grad=True)
    optimiser, path = make_optimiser([y12]), [y12.numpy()]
    for _ in range(chosen.steps):
        optimiser.zero_grad()
        loss(y12).backward()
        optimiser.step()
        path.append(y12.numpy())
    return np.array(path)


def gradient_descent(parameters):
    return tg.optim.SGD(parameters, lr=0.5)


def adam(parameters):
    return tg.optim.Adam(parameters, lr=0.5)


paths = {name: descend(loss, gradient_descent) for name, loss in LOSSES.items()}
by_adam = descend(LOSSES["squared error"], adam)
print(
    f"From (−10, 10), {chosen.steps} steps of size 0.5\n{'':26}{'ends at (y₁, y₂)':>20}{'loss':>12}{'path in all':>14}"
)
rows = [(name, name, path) for name, path in paths.items()]
for name, loss, path in [*rows, ("squared error, by Adam", "squared error", by_adam)]:
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    end = f"({path[-1, 0]:.2f}, {path[-1, 1]:.2f})"
    print(f"{name:26}{end:>20}{LOSSES[loss](tg.Tensor(path[-1])).item():12.2g}{length:14.2g}")

# %% [markdown]
# How long is the gradient, at a distance d = y₂ − y₁ from the middle? With p = 1 / (1 + exp(d)), the probability of
# the right class, the algebra gives √2 (1 − p) for cross-entropy and 4√2 p (1 − p)² for squared error: the factor p,
# almost 0 far from the target, is what remains of the softmax. Is that what the engine measures? (Close to the target,
# y′ − y is a difference of nearly equal numbers, which costs digits.)
# %%
distances = np.linspace(-20, 20, 161)
p = 1 / (1 + np.exp(distances))
formula = {"squared error": 4 * np.sqrt(2) * p * (1 - p) ** 2, "cross-entropy": np.sqrt(2) * (1 - p)}
points = np.stack([-distances / 2, distances / 2], axis=1)
measured, worst = {}, {}
for name, loss in LOSSES.items():
    gradients = tg.grad(lambda y12, loss=loss: loss(y12).sum())(points).numpy()
    measured[name] = np.linalg.norm(gradients, axis=1)
    worst[name] = np.abs(measured[name] / formula[name] - 1)
print("\nlength of the gradient\n   d = y₂ − y₁" + "".join(f"{name:>16}" for name in LOSSES))
for d in (-20, -10, 0, 10, 20):
    i = np.abs(distances - d).argmin()
    print(f"{distances[i]:14g}" + "".join(f"{measured[name][i]:16.2e}" for name in LOSSES))
for name, error in worst.items():
    where = error[distances >= 0].max(), error.max(), distances[error.argmax()]
    print(f"{name}: off the formula by a fraction of {where[0]:.0e} where wrong; {where[1]:.0e} at d = {where[2]:g}")

# %%
moved = {name: np.linalg.norm(path[-1] - CORNER) for name, path in paths.items()}
ratio = measured["cross-entropy"][-1] / measured["squared error"][-1]
solved = LOSSES["squared error"](tg.Tensor(by_adam[-1])).item() < 0.01
print()
say(
    f"From the same corner, cross-entropy moved by {moved['cross-entropy']:.3g}, squared error by "
    f"{moved['squared error']:.1g}. There its gradient is {ratio:.1e} times shorter: "
    "a step that many times larger would make up for it, and be far too large elsewhere. "
    + (
        "But stuck is stuck for plain gradient descent only: Adam, which divides by the size of the gradient, gets "
        "squared error out of the same corner."
        if solved
        else "Adam, which divides by the size of the gradient, does not get squared error out in as many steps either."
    )
)

# %%
axis = np.linspace(-10, 10, 201)
grid = np.stack(np.meshgrid(axis, axis), axis=-1)
figure, panels = plt.subplots(1, 2, figsize=(16, 6.7), sharey=True)
ends = {"squared error": [(paths["squared error"], "-", "s"), (by_adam, ":", "D")]}
ends["cross-entropy"] = [(paths["cross-entropy"], "-", "s")]
for axes, (name, loss) in zip(panels, LOSSES.items()):
    colours = axes.contourf(axis, axis, loss(tg.Tensor(grid)).numpy(), levels=20, cmap="cividis")
    unit = "loss (nats)" if name == "cross-entropy" else "loss"
    figure.colorbar(colours, ax=axes, label=unit, format="%.3g", fraction=0.046, pad=0.03)
    for (path, line, end), label in zip(ends[name], ("gradient descent", "Adam")):
        axes.plot(*path.T, line, color="white", path_effects=[withStroke(linewidth=7, foreground=BLACK)])
        stuck = np.linalg.norm(path[-1] - CORNER) < 0.1
        axes.plot(*path[-1], end, color=VERMILLION, mec="white", mew=2, markersize=20, clip_on=False, zorder=4)
        if stuck:
            axes.text(-7, 9.6, f"{label} ends\nwhere it starts", va="top")
        else:
            axes.text(path[-1, 0], path[-1, 1] - 1, f"{label}\nends here", color="white", va="top", ha="center")
    axes.plot(*CORNER, "o", color="white", mec=BLACK, mew=3, markersize=13, clip_on=False, zorder=5)
    axes.set(title=name.capitalize(), xlabel="y₁ (the right class)", xlim=(-10, 10), ylim=(-10, 10), aspect="equal")
    axes.set(xticks=range(-10, 11, 5), yticks=range(-10, 11, 5))
    axes.grid(False)
panels[0].set_ylabel("y₂ (a wrong class)")
save(figure, chosen.output / "surfaces.png")

# %%
figure, axes = plt.subplots(figsize=(13, 7.5))
for name, colour, line, marker in (("cross-entropy", BLUE, "-", "o"), ("squared error", VERMILLION, "--", "s")):
    axes.plot(distances, formula[name], line, color=colour, label=f"{name}, formula")
    axes.plot(distances[::10], measured[name][::10], marker, color=colour, mec="white", label=f"{name}, measured")
axes.set(
    yscale="log",
    xlabel="distance d = y₂ − y₁:  right and sure  ←  0  →  wrong and sure",
    ylabel="length of the gradient",
)
axes.legend(loc="lower center")
save(figure, chosen.output / "gradient_length.png")
