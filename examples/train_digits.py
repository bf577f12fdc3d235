"""Train softmax regression and a small network on real handwritten digits (scikit-learn's, 1,797 images of 8 × 8).

    python examples/train_digits.py

Prints the accuracy on images that were not trained on, and saves two figures.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import tinygrad_cls as tg

matplotlib.use("Agg")
import matplotlib.pyplot as plt


class Network:
    """Layers of weights and biases, with relu between them. One layer alone is softmax regression."""

    def __init__(self, sizes, rng):
        self.layers = []
        for i, (n, m) in enumerate(pairwise(sizes)):
            weights = rng.normal(scale=np.sqrt(2 / n), size=(n, m))  # He initialisation keeps the scale through relu
            W = tg.Tensor(weights, dtype=np.float32, requires_grad=True, name=f"W{i + 1}")
            b = tg.Tensor(np.zeros(m), dtype=np.float32, requires_grad=True, name=f"b{i + 1}")
            self.layers.append((W, b))

    def __call__(self, x):
        for W, b in self.layers[:-1]:
            x = tg.relu(x @ W + b)
        W, b = self.layers[-1]
        return x @ W + b

    def parameters(self):
        return [p for layer in self.layers for p in layer]


def descend(parameters, velocities, lr=0.1, momentum=0.9):
    """One step of gradient descent with momentum."""
    for p, v in zip(parameters, velocities):
        v *= momentum
        v += p.grad.numpy()
        p.assign(p.numpy() - lr * v)
        p.grad = None


def accuracy(network, images, labels):
    with tg.no_grad():
        return float((network(images).argmax(axis=1).numpy() == labels).mean())


def train(name, network, images, labels, epochs, rng, batch_size=64):
    """Shuffled mini-batches, epoch by epoch. Gives the loss of every step."""
    parameters = network.parameters()
    velocities = [np.zeros_like(p.numpy()) for p in parameters]
    losses = []
    progress = tqdm(range(epochs), desc=name, unit="epoch")
    for _ in progress:
        order = rng.permutation(len(images))
        for start in range(0, len(images), batch_size):
            batch = order[start : start + batch_size]
            loss = tg.cross_entropy(network(images[batch]), labels[batch])
            loss.backward()
            descend(parameters, velocities)
            losses.append(loss.item())
        progress.set_postfix(loss=f"{np.mean(losses[-len(images) // batch_size :]):.4f}")
    return losses


def plot_losses(losses, steps, path):
    """The loss of every step, averaged over one epoch."""
    plt.rcParams["font.size"] = 14
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for (name, values), style in zip(losses.items(), ("--", "-")):
        smooth = np.convolve(values, np.ones(steps) / steps, mode="valid")
        axes.plot(np.arange(len(smooth)) + steps, smooth, style, linewidth=2.5, label=name)
    axes.set(xlabel="step", ylabel="cross-entropy (nats, mean of an epoch)", yscale="log", title="Training loss")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    for item in (
        axes.title,
        axes.xaxis.label,
        axes.yaxis.label,
        *axes.get_xticklabels(),
        *axes.get_legend().get_texts(),
    ):
        item.set_fontsize(14)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_digits(network, images, labels, path):
    """Twelve test images with the probabilities of all classes: the six least certain ones, and six others."""
    with tg.no_grad():
        probabilities = tg.softmax(network(images)).numpy()
    unsure = np.argsort(probabilities.max(axis=1))[:6]
    others = np.setdiff1d(np.arange(len(images)), unsure)[:6]
    figure, grid = plt.subplots(4, 6, figsize=(13, 9), height_ratios=[1.2, 1, 1.2, 1], layout="constrained")
    for k, i in enumerate([*others, *unsure]):
        picture, bars = grid[2 * (k // 6), k % 6], grid[2 * (k // 6) + 1, k % 6]
        picture.imshow(images[i].reshape(8, 8), cmap="gray_r")
        guess = probabilities[i].argmax()
        right = guess == labels[i]
        picture.set_title(f"{guess}" + (" ✓" if right else f" ✗ (is {labels[i]})"), fontsize=14)
        picture.set_axis_off()
        colours = ["#0072b2" if c == labels[i] else "#d55e00" if c == guess else "#999999" for c in range(10)]
        bars.bar(range(10), probabilities[i], color=colours)
        bars.set(ylim=(0, 1), xticks=range(10), yticks=[0, 0.5, 1])
        if k % 6 == 0:
            bars.set_ylabel("probability")
    figure.suptitle("Test digits: the six least certain below, six others above (blue: the true class)", fontsize=15)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("digits"), help="folder for the figures")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)

    digits = load_digits()
    images, labels = (digits.data / 16).astype(np.float32), digits.target  # pixels from 0 to 1
    images, test_images, labels, test_labels = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=options.seed
    )
    networks = {"softmax regression": Network([64, 10], rng), "network 64-64-10": Network([64, 64, 10], rng)}
    losses = {name: train(name, network, images, labels, options.epochs, rng) for name, network in networks.items()}

    print(f"\n{'':20} {'training':>9} {'test':>9}   accuracy after {options.epochs} epochs")
    for name, network in networks.items():
        print(f"{name:20} {accuracy(network, images, labels):9.2%} {accuracy(network, test_images, test_labels):9.2%}")

    options.output.mkdir(parents=True, exist_ok=True)
    steps = len(next(iter(losses.values()))) // options.epochs
    plot_losses(losses, steps, options.output / "loss.png")
    plot_digits(networks["network 64-64-10"], test_images, test_labels, options.output / "digits.png")
    print(f"\nFigures: {options.output / 'loss.png'}, {options.output / 'digits.png'}")


if __name__ == "__main__":
    main()
