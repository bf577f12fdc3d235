"""The textbook's line: classic losses, the gradient as a book writes it, and the formula on fresh data."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_cls as tg

Tensors = dict[str, tg.Tensor]
Loss = Callable[[Tensors], tg.Tensor]


class Row(NamedTuple):
    """A loss of named arrays, and the gradient as a book has it.

    Attributes:
        shapes: names with shapes: "X:nd w:d". `labels` are class numbers, `y` rows that sum to 1, `bits` 0 or 1,
            `signs` −1 or 1, `u`, `T`, `λ` and what begins with σ positive.
        wrt: what to differentiate by.
        loss: the loss.
        gradient: the text of the gradient.
        where: what the names in it stand for, as far as it is to be seen.
    """

    shapes: str
    wrt: str
    loss: Loss
    gradient: str
    where: tuple[str, ...] = ()


SIZES = {"n": 5, "d": 4, "k": 3, "h": 6, "m": 4, "r": 2}


def make(shapes: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random arrays for the names of a row."""
    data: dict[str, np.ndarray] = {}
    for entry in shapes.split():
        name, _, axes = entry.partition(":")
        shape = tuple(SIZES[axis] for axis in axes)
        if name == "labels":
            data[name] = rng.integers(0, SIZES["k"], size=shape)
        elif name == "bits":
            data[name] = rng.integers(0, 2, size=shape).astype(float)
        elif name == "signs":
            data[name] = rng.choice([-1.0, 1.0], size=shape)
        elif name in ("y", "q"):
            rows = rng.random(shape) + 0.1
            data[name] = rows / rows.sum(axis=-1, keepdims=True)
        elif name in ("u", "T", "λ", "μ", "β", "γ") or name[0] == "σ":
            data[name] = rng.random(shape) + 0.5
        else:
            data[name] = rng.normal(size=shape)
    return data


def tensors(data: dict[str, np.ndarray], wrt: str) -> Tensors:
    return {name: tg.Tensor(array, requires_grad=name == wrt, name=name) for name, array in data.items()}


def called(name: str, t: tg.Tensor) -> tg.Tensor:
    """The tensor, under this name from now on."""
    t.name = name
    return t


def shares(z: tg.Tensor) -> tg.Tensor:
    return called("y′", tg.softmax(z))


def naive(z: tg.Tensor) -> tg.Tensor:
    e = tg.exp(z)
    return called("y′", e / e.sum(axis=-1, keepdims=True))


def entropy(p: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return -(y * tg.log(p)).sum(axis=-1)


def coded(t: Tensors, classes: int = SIZES["k"]) -> tg.Tensor:
    return called("y", tg.one_hot(t["labels"], classes))


def binary(p: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return -(y * tg.log(p) + (1 - y) * tg.log(1 - p)).sum()


def squares(x: tg.Tensor) -> tg.Tensor:
    return (x**2).sum()


def length(x: tg.Tensor) -> tg.Tensor:
    return tg.sqrt(squares(x))


def linear(t: Tensors) -> tg.Tensor:
    return t["X"] @ t["W"] + t["b"]


def network(activation: Callable[[tg.Tensor], tg.Tensor]) -> Loss:
    def loss(t: Tensors) -> tg.Tensor:
        a = called("a", t["X"] @ t["W₁"] + t["b₁"])
        z = called("z", activation(a) @ t["W₂"] + t["b₂"])
        return entropy(shares(z), coded(t)).mean()

    return loss


def log_probability(z: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return (y * tg.log_softmax(z)).sum(axis=-1)


def focal(t: Tensors) -> tg.Tensor:
    p = called("p", tg.sigmoid(t["z"]))
    return -((1 - p) ** 2 * tg.log(p)).sum()


def focal_of_all(t: Tensors) -> tg.Tensor:
    p = shares(t["z"])
    return -(coded(t) * (1 - p) ** 2 * tg.log(p)).sum()


def focal_classes(t: Tensors) -> tg.Tensor:
    p = called("p", (coded(t) * shares(t["z"])).sum(axis=-1))
    return -((1 - p) ** 2 * tg.log(p)).sum()


def several_hinges(t: Tensors) -> tg.Tensor:
    y = coded(t)
    right = (y * t["z"]).sum(axis=-1, keepdims=True)
    return ((1 - y) * tg.relu(called("m", 1 + t["z"] - right))).sum()


def layer_norm(t: Tensors) -> tg.Tensor:
    x = t["x"]
    h = called("h", (x - x.mean()) / tg.std(x))
    return (t["g"] * h).sum()


def attention(t: Tensors) -> tg.Tensor:
    A = called("A", tg.softmax(t["Q"] @ t["K"].mT / t["s"]))
    return (t["G"] * called("O", A @ t["V"])).sum()


def recurrent(t: Tensors) -> tg.Tensor:
    h = t["h₀"]
    for i in "₁₂₃":
        h = called("h" + i, tg.tanh(t["W"] @ h + t["U"] @ t["x" + i]))
    return 0.5 * squares(h - t["t"])


def autoencoder(t: Tensors) -> tg.Tensor:
    h = called("h", tg.sigmoid(t["X"] @ t["W"]))
    return squares(called("X′", h @ t["V"]) - t["X"])


def overlap(p: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return called("I", (p * y).sum())


def dice(t: Tensors) -> tg.Tensor:
    p, y = t["p"], t["bits"]
    return 1 - 2 * overlap(p, y) / called("S", p.sum() + y.sum())


def soft_iou(t: Tensors) -> tg.Tensor:
    p, y = t["p"], t["bits"]
    intersection = overlap(p, y)
    return 1 - intersection / called("U", p.sum() + y.sum() - intersection)


def tversky(t: Tensors) -> tg.Tensor:
    p, y = t["p"], t["bits"]
    intersection = overlap(p, y)
    wrong = t["β"] * (p * (1 - y)).sum() + t["γ"] * ((1 - p) * y).sum()
    return 1 - intersection / called("S", intersection + wrong)


def cosine(t: Tensors) -> tg.Tensor:
    return called("c", (t["a"] * t["b"]).sum() / (length(t["a"]) * length(t["b"])))


def preference(t: Tensors) -> tg.Tensor:
    margin = called("m", t["β"] * ((t["a"] - t["r"]) - (t["b"] - t["s"])))
    return -tg.log(tg.sigmoid(margin)).mean()


def info_nce(t: Tensors) -> tg.Tensor:
    S = called("S", t["A"] @ t["B"].mT / t["T"])
    p = called("P", tg.softmax(S))
    return -tg.log(tg.diagonal(p) if hasattr(tg, "diagonal") else p[np.arange(5), np.arange(5)]).mean()


def triplet(t: Tensors) -> tg.Tensor:
    near, far = squares(t["a"] - t["p"]), squares(t["a"] - t["n"])
    return tg.relu(called("m", near - far + 1))


def huber(t: Tensors) -> tg.Tensor:
    r = called("r", t["p"] - t["t"])
    return tg.where(abs(r) <= 1, 0.5 * r**2, abs(r) - 0.5).sum()


def policy(t: Tensors) -> tg.Tensor:
    y = called("y", tg.one_hot(t["labels"], SIZES["k"]))
    return -(t["R"] * log_probability(t["z"], y)).mean()


def policy_entropy(t: Tensors) -> tg.Tensor:
    p = shares(t["z"])
    y = called("y", tg.one_hot(t["labels"], SIZES["k"]))
    log_p = tg.log(p)
    return -(t["R"] * (y * log_p).sum()) + t["λ"] * (p * log_p).sum()


def distillation(t: Tensors) -> tg.Tensor:
    p = called("p", tg.softmax(t["z"] / t["T"]))
    q = called("q", tg.softmax(t["v"] / t["T"]))
    return t["T"] ** 2 * (q * (tg.log(q) - tg.log(p))).sum()


def explained(name: str, seed: int = 0, **options: Any) -> Any:
    """The derivation of a row."""
    row = ROWS[name]
    t = tensors(make(row.shapes, np.random.default_rng(seed)), row.wrt)
    loss = row.loss(t)
    return tg.explain(loss, t[row.wrt], **options)


def said(d: Any) -> tuple[str, str, int]:
    """What a derivation makes of a loss: its gradient, how the loss itself is written, and in how many steps."""
    return str(d.gradient), str(d.loss), len(d.steps)


@functools.cache
def said_by_all(name: str) -> tuple[str, str, int]:
    return said(explained(name))


def changed(name: str, rules: tuple[Any, ...]) -> bool:
    """Whether a row is derived otherwise by these rules."""
    return said(explained(name, rules=rules)) != said_by_all(name)


NET = "X:nd W₁:dh b₁:h W₂:hk b₂:k labels:n"
REGRESSION = "X:nd w:d t:n"
REGRESSION_CLASS = "X:nd W:dk b:k labels:n"

ROWS: dict[str, Row] = {
    # cross-entropy, however it is written
    "cross-entropy, from parts": Row("z:k y:k", "z", lambda t: entropy(naive(t["z"]), t["y"]), "y′ − y"),
    "cross-entropy": Row("z:k labels:", "z", lambda t: tg.cross_entropy(t["z"], coded(t)), "softmax(z) − y"),
    "cross-entropy, log softmax": Row(
        "z:k y:k", "z", lambda t: (shares(t["z"]) * 0).sum() - log_probability(t["z"], t["y"]), "y′ − y"
    ),
    "cross-entropy, picked": Row("z:k", "z", lambda t: -tg.log(shares(t["z"])[2]), "y′ − one_hot(2)"),
    "cross-entropy, picked by labels": Row(
        "z:nk labels:n",
        "z",
        lambda t: -tg.log(shares(t["z"])[np.arange(5), t["labels"]]).mean(),
        "(y′ − one_hot(labels)) / N",
    ),
    "cross-entropy, taken along the axis": Row(
        "z:nk labels:n",
        "z",
        lambda t: -tg.log(tg.take_along_axis(shares(t["z"]), t["labels"][:, None], axis=1)).mean(),
        "(y′ − one_hot(labels)) / N",
    ),
    "cross-entropy, log-sum-exp minus score": Row(
        "z:k labels:",
        "z",
        lambda t: tg.logsumexp(t["z"]) - t["z"][t["labels"]] + 0 * shares(t["z"]).sum(),
        "y′ − one_hot(labels)",
    ),
    "cross-entropy, ratio of exponentials": Row(
        "z:k y:k", "z", lambda t: (t["y"] * tg.log(tg.exp(t["z"]).sum() / tg.exp(t["z"]))).sum(), "softmax(z) − y"
    ),
    "batch": Row("z:nk labels:n", "z", lambda t: entropy(shares(t["z"]), coded(t)).mean(), "(y′ − y) / N"),
    "squared error on softmax": Row(
        "z:k y:k", "z", lambda t: squares(naive(t["z"]) - t["y"]), "2 y′ ⊙ (y′ − y − Σ y′ ⊙ (y′ − y))"
    ),
    "linear": Row(REGRESSION_CLASS, "W", lambda t: entropy(shares(linear(t)), coded(t)).mean(), "Xᵀ (y′ − y) / N"),
    "linear, b": Row(REGRESSION_CLASS, "b", lambda t: entropy(shares(linear(t)), coded(t)).mean(), "Σₙ (y′ − y) / N"),
    "label smoothing": Row(
        "z:k labels:",
        "z",
        lambda t: tg.cross_entropy(t["z"], t["labels"], label_smoothing=0.1) + 0 * shares(t["z"]).sum(),
        "y′ − y",
    ),
    "temperature": Row("z:k y:k T:", "z", lambda t: entropy(shares(t["z"] / t["T"]), t["y"]), "(y′ − y) / T"),
    "temperature, by T": Row(
        "z:k y:k T:", "T", lambda t: entropy(shares(t["z"] / t["T"]), t["y"]), "−Σ z ⊙ (y′ − y) / T²"
    ),
    "log-sum-exp": Row("z:k", "z", lambda t: tg.log(tg.exp(t["z"]).sum()), "softmax(z)"),
    "gelu": Row("z:n", "z", lambda t: tg.gelu(t["z"]).sum(), "Φ(z) + z ⊙ φ(z)"),
    "power": Row("u:n s:n", "u", lambda t: (t["u"] ** t["s"]).sum(), "s ⊙ u^(s − 1)"),
    "power, by its exponent": Row("u:n s:n", "s", lambda t: (t["u"] ** t["s"]).sum(), "log(u) ⊙ u^s"),
    "softplus": Row("z:n", "z", lambda t: tg.softplus(t["z"]).sum(), "σ(z)"),
    "binary cross-entropy": Row(
        "z:n bits:n",
        "z",
        lambda t: tg.binary_cross_entropy_with_logits(t["z"], t["bits"], reduction="sum"),
        "σ(z) − bits",
    ),
    "binary cross-entropy, from parts": Row(
        "z:n bits:n", "z", lambda t: binary(called("p", tg.sigmoid(t["z"])), t["bits"]), "p − bits"
    ),
    "squared error on sigmoid": Row(
        "z:n bits:n",
        "z",
        lambda t: squares(called("p", tg.sigmoid(t["z"])) - t["bits"]),
        "2 p ⊙ (p − bits) ⊙ (1 − p)",
    ),
    "Brier": Row(
        "z:nk labels:n",
        "z",
        lambda t: ((shares(t["z"]) - coded(t)) ** 2).sum(axis=-1).mean(),
        "2 y′ ⊙ (y′ − y − Σₖ y′ ⊙ (y′ − y)) / N",
    ),
    "softmax, one class": Row("z:k", "z", lambda t: shares(t["z"])[1], "y′[1] (one_hot(1) − y′)"),
    "logistic regression, w": Row(
        "X:nd w:d bits:n",
        "w",
        lambda t: binary(called("p", tg.sigmoid(t["X"] @ t["w"])), t["bits"]),
        "Xᵀ (p − bits)",
    ),
    "logistic regression, b": Row(
        "X:nd w:d b: bits:n",
        "b",
        lambda t: tg.binary_cross_entropy_with_logits(t["X"] @ t["w"] + t["b"], t["bits"]),
        "Σ (σ(X w + b) − bits) / N",
    ),
    "Hessian–vector product": Row(
        "z:k v:k labels:",
        "z",
        lambda t: (
            (tg.grad(lambda z: tg.cross_entropy(z, t["labels"]))(t["z"]) * t["v"]).sum() + 0 * shares(t["z"]).sum()
        ),
        "y′ ⊙ (v − Σ y′ ⊙ v)",
    ),
    # information
    "KL divergence": Row(
        "z:k q:k", "z", lambda t: (t["q"] * (tg.log(t["q"]) - tg.log(shares(t["z"])))).sum(), "y′ − q"
    ),
    "KL divergence, backwards": Row(
        "z:k q:k",
        "z",
        lambda t: called("D", (shares(t["z"]) * tg.log(tg.softmax(t["z"]) / t["q"])).sum()),
        "y′ ⊙ (log(y′ / q) − D)",
        ("D = Σ y′ ⊙ log(y′ / q)",),
    ),
    "entropy": Row(
        "z:k",
        "z",
        lambda t: called("H", entropy(called("p", tg.softmax(t["z"])), tg.softmax(t["z"]))),
        "−p ⊙ (log(p) + H)",
    ),
    "focal": Row("z:n", "z", focal, "(1 − p)² ⊙ (p + 2 p ⊙ log(p) − 1)"),
    "focal, of all classes": Row(
        "z:k labels:",
        "z",
        focal_of_all,
        "(y′ − y) Σ y ⊙ (1 − y′) ⊙ (1 − y′ − 2 y′ ⊙ log(y′))",
    ),
    "focal, classes": Row(
        "z:nk labels:n", "z", focal_classes, "(y′ − y) ⊙ (1 − p) ⊙ (1 − p ⊙ (2 log(p) + 1))", ("p = Σₖ y ⊙ y′",)
    ),
    "distillation": Row("z:k v:k T:", "z", distillation, "T (p − q)"),
    "policy gradient": Row("z:nk labels:n R:n", "z", policy, "R ⊙ (softmax(z) − y) / N"),
    "policy gradient with entropy": Row(
        "z:k labels: R: λ:", "z", policy_entropy, "y′ ⊙ (λ (log(y′) − Σ y′ ⊙ log(y′)) + R) − R y"
    ),
    "preference": Row("a:n r:n b:n s:n β:", "a", preference, "−β σ(−m) / N"),
    "InfoNCE": Row("A:nd B:nd T:", "A", info_nce, "(softmax(S) − one_hot(labels)) B / (T N)"),
    # margins and kinks
    "hinge": Row(
        "X:nd w:d signs:n",
        "w",
        lambda t: tg.maximum(0, 1 - t["signs"] * (t["X"] @ t["w"])).mean(),
        "−Xᵀ (signs ⊙ [signs ⊙ X w < 1]) / N",
    ),
    "hinge, squared": Row(
        "X:nd w:d signs:n",
        "w",
        lambda t: (called("h", tg.relu(1 - t["signs"] * (t["X"] @ t["w"]))) ** 2).mean(),
        "−2 Xᵀ (h ⊙ signs) / N",
    ),
    "hinge, several classes": Row("z:nk labels:n", "z", several_hinges, "(1 − y) ⊙ [m > 0] − y Σₖ (1 − y) ⊙ [m > 0]"),
    "weights of rows that sum to 1": Row(
        "R:n y:nk s:", "s", lambda t: (t["s"] * t["R"][:, None] * t["y"]).sum(), "Σ R"
    ),
    "larger of two, at the kink": Row(
        "bits:n", "bits", lambda t: tg.maximum(0, t["bits"]).sum(), "([bits ≥ 0] + [bits > 0]) / 2"
    ),
    "Huber": Row("p:n t:n", "p", huber, "r ⊙ [|r| ≤ 1] + sign(r) ⊙ [|r| > 1]", ("r = p − t",)),
    "absolute error": Row(
        "X:nd w:d t:n",
        "w",
        lambda t: abs(t["X"] @ t["w"] - t["t"]).mean(),
        "Xᵀ sign(X w − t) / N",
    ),
    "quantile": Row(
        "z:n t:n τ:",
        "z",
        lambda t: tg.maximum(t["τ"] * (t["t"] - t["z"]), (t["τ"] - 1) * (t["t"] - t["z"])).sum(),
        "(1 − τ) [z > t] − τ [z < t]",
    ),
    "softsign": Row("z:n", "z", lambda t: (t["z"] / (1 + abs(t["z"]))).sum(), "1 / (|z| + 1)²"),
    "log-cosh": Row("p:n t:n", "p", lambda t: tg.log(tg.cosh(t["p"] - t["t"])).mean(), "tanh(p − t) / N"),
    "triplet": Row("a:d p:d n:d", "a", triplet, "2 (n − p) [m > 0]"),
    # likelihoods
    "Poisson": Row(
        "X:nd w:d t:n",
        "w",
        lambda t: (tg.exp(t["X"] @ t["w"]) - t["t"] * (t["X"] @ t["w"])).mean(),
        "Xᵀ (exp(X w) − t) / N",
    ),
    "Gaussian, mean": Row(
        "μ:n s:n x:n",
        "μ",
        lambda t: (0.5 * ((t["x"] - t["μ"]) / tg.exp(t["s"])) ** 2 + t["s"]).sum(),
        "(μ − x) / exp(s)²",
    ),
    "Gaussian, log-variance": Row(
        "μ:n s:n x:n",
        "s",
        lambda t: 0.5 * (t["s"] + (t["x"] - t["μ"]) ** 2 * tg.exp(-t["s"])).sum(),
        "1/2 − exp(−s) ⊙ (μ − x)² / 2",
    ),
    # regression
    "linear regression": Row(REGRESSION, "w", lambda t: tg.mse_loss(t["X"] @ t["w"], t["t"]), "2 Xᵀ (X w − t) / N"),
    "ridge": Row(
        REGRESSION + " λ:",
        "w",
        lambda t: tg.mse_loss(t["X"] @ t["w"], t["t"]) + t["λ"] * squares(t["w"]),
        "2 Xᵀ (X w − t) / N + 2 λ w",
    ),
    "lasso": Row(
        REGRESSION + " λ:",
        "w",
        lambda t: tg.mse_loss(t["X"] @ t["w"], t["t"]) + t["λ"] * abs(t["w"]).sum(),
        "2 Xᵀ (X w − t) / N + λ sign(w)",
    ),
    "elastic net": Row(
        REGRESSION + " λ: μ:",
        "w",
        lambda t: tg.mse_loss(t["X"] @ t["w"], t["t"]) + t["λ"] * abs(t["w"]).sum() + t["μ"] * squares(t["w"]),
        "2 Xᵀ (X w − t) / N + λ sign(w) + 2 μ w",
    ),
    # networks
    "network, sigmoid": Row(
        NET, "W₁", network(lambda a: called("h", tg.sigmoid(a))), "Xᵀ δ / N", ("δ = ((y′ − y) W₂ᵀ) ⊙ h ⊙ (1 − h)",)
    ),
    "network, tanh": Row(
        NET, "W₁", network(lambda a: called("h", tg.tanh(a))), "Xᵀ δ / N", ("δ = ((y′ − y) W₂ᵀ) ⊙ (1 − h²)",)
    ),
    "network, relu": Row(NET, "W₁", network(tg.relu), "Xᵀ δ / N", ("δ = ((y′ − y) W₂ᵀ) ⊙ [a > 0]",)),
    "network, gelu": Row(
        NET,
        "W₁",
        network(tg.gelu),
        "Xᵀ δ / N",
        ("δ = ((y′ − y) W₂ᵀ) ⊙ (Φ(a) + a ⊙ φ(a))",),
    ),
    "network, silu": Row(
        NET, "W₁", network(tg.silu), "Xᵀ δ / N", ("δ = ((y′ − y) W₂ᵀ) ⊙ σ(a) ⊙ (a ⊙ (1 − σ(a)) + 1)",)
    ),
    "recurrent network": Row(
        "W:hh U:hd h₀:h x₁:d x₂:d x₃:d t:h",
        "W",
        recurrent,
        "δ₂ h₁ᵀ + δ₁ h₀ᵀ + ((h₃ − t) ⊙ (1 − h₃²)) h₂ᵀ",
        ("δ₂ = (Wᵀ ((h₃ − t) ⊙ (1 − h₃²))) ⊙ (1 − h₂²)", "δ₁ = (Wᵀ δ₂) ⊙ (1 − h₁²)"),
    ),
    "autoencoder": Row("X:nd W:dh V:hd", "W", autoencoder, "2 Xᵀ δ", ("δ = ((X′ − X) Vᵀ) ⊙ h ⊙ (1 − h)",)),
    "layer norm": Row(
        "x:d g:d",
        "x",
        layer_norm,
        "(g − (h Σ g ⊙ h + Σ g) / N) / √(Σ (x − Σ x / N)² / N)",
    ),
    "attention, Q": Row("Q:nr K:mr V:md G:nd s:", "Q", attention, "δ K / s", ("δ = A ⊙ (G Vᵀ − Σₚ (G Vᵀ) ⊙ A)",)),
    "attention, K": Row("Q:nr K:mr V:md G:nd s:", "K", attention, "δᵀ Q / s", ("δ = A ⊙ (G Vᵀ − Σₚ (G Vᵀ) ⊙ A)",)),
    "attention, V": Row("Q:nr K:mr V:md G:nd s:", "V", attention, "Aᵀ G"),
    # matrices
    "matrix factorisation": Row(
        "U:nr V:mr R:nm", "U", lambda t: squares(t["R"] - t["U"] @ t["V"].mT), "2 (U Vᵀ − R) V"
    ),
    "quadratic form": Row("A:dd x:d", "x", lambda t: t["x"] @ t["A"] @ t["x"], "(A + Aᵀ) x"),
    "cosine": Row("a:d b:d", "a", cosine, "b / (‖a‖ ‖b‖) − a c / ‖a‖²"),
    # overlaps
    "Dice": Row("p:n bits:n", "p", dice, "2 (I / S − bits) / S"),
    "soft IoU": Row("p:n bits:n", "p", soft_iou, "(I (1 − bits) / U − bits) / U"),
    "Tversky": Row("p:n bits:n β: γ:", "p", tversky, "(I (bits (1 − β − γ) + β) / S − bits) / S"),
}

STEPS = {
    "Tversky": 22,
    "Hessian–vector product": 21,
    "layer norm": 21,
    "network, silu": 19,
    "focal, of all classes": 14,
    "policy gradient with entropy": 18,
    "focal, classes": 16,
    "network, sigmoid": 16,
    "network, tanh": 16,
    "network, relu": 16,
    "network, gelu": 16,
    "recurrent network": 14,
    "cosine": 14,
    "linear": 13,
    "InfoNCE": 13,
    "linear, b": 12,
    "focal": 12,
    "soft IoU": 12,
}
"""The most steps that a row may take, where that is more than 11."""

NOT_YET = {
    "policy gradient with entropy": "R (y′ − y) + λ y′ ⊙ (log(y′) − Σ y′ ⊙ log(y′))",
}
"""Rows that are right and simple, but not yet as a book has them, and what that would be."""


def test_what_is_not_yet_the_books_line_is_in_the_table() -> None:
    assert NOT_YET.keys() < ROWS.keys()
    assert len(ROWS.keys() - NOT_YET.keys()) >= 60


@pytest.mark.parametrize("name", ROWS)
def test_the_gradient_is_the_books_line(name: str) -> None:
    d = explained(name)
    assert str(d.gradient) == ROWS[name].gradient
    meanings = "; ".join(f"{letter} = {formula}" for letter, formula in d.where)
    for expected in ROWS[name].where:
        assert expected in meanings
    assert d.alarm is None
    assert len(d.steps) <= STEPS.get(name, 11)


def fresh_gradient(row: Row, data: dict[str, np.ndarray]) -> np.ndarray:
    t = tensors(data, row.wrt)
    row.loss(t).backward()
    assert t[row.wrt].grad is not None
    return t[row.wrt].grad.numpy()


@pytest.mark.parametrize("name", ROWS)
def test_the_formula_holds_on_fresh_data(name: str) -> None:
    row = ROWS[name]
    d = explained(name)
    fresh = make(row.shapes, np.random.default_rng(1))
    value = d.gradient.evaluate(fresh)
    np.testing.assert_allclose(value, fresh_gradient(row, fresh), rtol=1e-9, atol=1e-11)
