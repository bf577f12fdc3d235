"""Softmax regression, solved to its optimum."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn, training
from ..engine.tensor import Array, Tensor
from .base import Classifier
from .samples import ClassWeight, Weighted


class SoftmaxClassifier(Classifier):
    """Softmax regression: one linear layer, then softmax. Also called multinomial logistic regression.

    The loss is convex, so that there is one optimum, and by default it is found: by SciPy's L-BFGS-B, on all samples at
    once (Byrd, Lu, Nocedal & Zhu, 1995). The gradient at the logits is `(y′ − y) / samples`, from `backward` as always.
    With a learning rate or a batch size it is approached in mini-batches instead, by Adam.

    Args:
        loss: "cross_entropy", or "mse" between the probabilities and the one-hot classes, which is not convex.
        learning_rate, batch_size: Adam's, and the samples in a mini-batch. Where one is given, the other is 0.01 or 32;
            so they are for `partial_fit`, which always goes by Adam.
        weight_decay: a penalty of `weight_decay / 2 · Σ p²` on the parameters.
        max_iter: the most iterations of L-BFGS, or passes over the data.
        tol, n_iter_no_change: L-BFGS stops when no element of the gradient is larger than `tol`; Adam when the loss has
            not fallen by `tol` in so many passes.
        early_stopping, validation_fraction: for Adam: judge that by the loss of a part of the samples that is set
            aside, and keep the parameters that were best there.
        class_weight: a dict of factors, by class; "balanced" for the inverse of the frequencies; None for 1.
        standardize: bring the features to mean 0 and deviation 1 first, by the training data.
        warm_start: `fit` goes on from the last solution, by the parameters as they are now.
        random_state: a seed for the order of the samples, and Adam's initial weights; as everywhere in scikit-learn.
        verbose: a progress bar for Adam, in a terminal.

    Attributes:
        classes_: the classes, in the order of the probabilities.
        coef_, intercept_: `decision_function(X)` is `X @ coef_.T + intercept_`: one row for each class, or a single
            one for two classes.
        model_: the `tg.nn.Sequential`.
        history_: for Adam what `tg.fit` returned; for L-BFGS the loss with its penalty after each iteration, as "loss".
        n_iter_: the passes or iterations that were made.

    Example:
        >>> import tinygrad_cls as tg
        >>> iris = tg.data.load_iris()
        >>> classifier = tg.SoftmaxClassifier().fit(iris.inputs, iris.labels)
        >>> bool(classifier.score(iris.inputs, iris.labels) > 0.95)
        True
        >>> classifier.coef_.shape
        (3, 4)
    """

    def __init__(
        self,
        *,
        loss: str = "cross_entropy",
        learning_rate: float | None = None,
        weight_decay: float = 3e-3,
        batch_size: int | None = None,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        class_weight: ClassWeight = None,
        standardize: bool = True,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.loss = loss
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.class_weight: ClassWeight = class_weight
        self.standardize = standardize
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @property
    def coef_(self) -> Array:
        """The weights of the features as they are given, shape (classes, features); (1, features) for two classes."""
        return self._linear()[0]

    @property
    def intercept_(self) -> Array:
        """What is added to them, shape (classes,); (1,) for two classes."""
        return self._linear()[1]

    def _linear(self) -> tuple[Array, Array]:
        if not hasattr(self, "model_"):
            raise AttributeError(f"{type(self).__name__} has coefficients after fit only")
        weight, bias, average, deviation = self._values()
        coefficients = (weight / deviation[:, None]).T
        intercept = bias - coefficients @ average
        if len(self.classes_) == 2:
            coefficients, intercept = coefficients[1:] - coefficients[:1], intercept[1:] - intercept[:1]
        layer: Any = self.model_[-1]
        return coefficients.astype(layer.weight.dtype), intercept.astype(layer.weight.dtype)

    def _values(self) -> tuple[Array, Array, Array, Array]:
        """Weight, bias, and by what the features are standardized: mean and deviation."""
        layer: Any = self.model_[-1]
        first: Any = self.model_[0]
        width = layer.weight.shape[0]
        moments = (first.mean.numpy(), first.deviation.numpy()) if self._built["standardize"] else (0.0, 1.0)
        average, deviation = (np.broadcast_to(np.asarray(x, np.float64), width) for x in moments)
        return layer.weight.numpy().astype(np.float64), layer.bias.numpy().astype(np.float64), average, deviation

    def _layers(self, inputs: int, outputs: int, generator: np.random.Generator, dtype: Any) -> list[nn.Module]:
        return [nn.Linear(inputs, outputs, generator=generator, dtype=dtype)]

    @property
    def _at_once(self) -> bool:
        return self.learning_rate is None and self.batch_size is None

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self._at_once and self.early_stopping:
            raise ValueError("early_stopping is for mini-batches: give a learning_rate, such as 0.01, or a batch_size")

    def _train(self, X: Any, target: Array, epochs: int, whole: bool) -> None:  # noqa: N803
        if self._at_once and whole:
            self._solve(X, target)
        else:
            super()._train(X, target, epochs, whole)

    def _solve(self, X: Any, target: Array) -> None:  # noqa: N803
        """Go to the optimum, in double precision.

        Standardizing is linear as well, and goes into the weights: so sparse samples stay sparse.
        """
        from scipy.optimize import minimize

        weight, bias, average, deviation = self._values()
        X, shape = X.astype(np.float64), weight.shape
        loss, losses = Weighted(self.loss), list[float]()

        def objective(p: Array) -> tuple[float, Array]:
            scaled, b = p[: -shape[1]].reshape(shape) / deviation[:, None], p[-shape[1] :]
            logits = Tensor(X @ scaled + (b - average @ scaled), requires_grad=True)
            value = loss(logits, target)
            total = value.item() + self.weight_decay / 2 * float(p @ p)
            if not np.isfinite(total):
                raise FloatingPointError(
                    f"the loss is {total} in iteration {len(losses) + 1}: are the inputs too large?"
                )
            value.backward()
            assert logits.grad is not None
            g = logits.grad.numpy()
            slope = (X.T @ g - np.outer(average, g.sum(axis=0))) / deviation[:, None]
            return total, np.concatenate([slope.ravel(), g.sum(axis=0)]) + self.weight_decay * p

        start = np.concatenate([weight.ravel(), bias])
        found = minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            callback=lambda intermediate_result: losses.append(float(intermediate_result.fun)),
            options={"maxiter": self.max_iter, "gtol": self.tol, "ftol": 64 * np.finfo(float).eps, "maxfun": 10**9},
        )
        layer: Any = self.model_[-1]
        layer.weight.assign(found.x[: -shape[1]].reshape(shape).astype(layer.weight.dtype))
        layer.bias.assign(found.x[-shape[1] :].astype(layer.bias.dtype))
        history: training.History = {"loss": losses}
        self.history_: training.History = history
        self.n_iter_: int = int(found.nit)
