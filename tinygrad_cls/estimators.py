"""Classifiers with the interface of scikit-learn, for `Pipeline`, `GridSearchCV`, `cross_val_score`, ….

They are thin: a `tg.nn` model, `tg.optim.Adam` and `tg.fit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("the estimators need scikit-learn 1.6 or later: pip install 'scikit-learn>=1.6'") from error

from . import nn, training
from .data import batches
from .engine.functional import log_softmax, softmax
from .engine.operations.reductions import mean
from .engine.recording import no_grad
from .engine.tensor import Array, Tensor
from .optim import Adam

ClassWeight = Mapping[Any, float] | Literal["balanced"] | None
C = TypeVar("C", bound="_Classifier")

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class _Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both classifiers share: all but the layers."""

    loss: str
    learning_rate: float
    weight_decay: float
    batch_size: int
    max_iter: int
    tol: float
    n_iter_no_change: int
    class_weight: ClassWeight
    standardize: bool
    warm_start: bool
    random_state: Any
    verbose: bool

    classes_: Array
    model_: nn.Sequential
    history_: training.History
    n_iter_: int
    n_features_in_: int

    def _layers(self, inputs: int, outputs: int, generator: np.random.Generator, dtype: Any) -> list[nn.Module]:
        raise NotImplementedError

    def fit(self: C, X: Any, y: Any) -> C:  # noqa: N803 (scikit-learn's name)
        """Train on samples and their classes.

        Args:
            X: floats, shape (samples, features).
            y: classes of any kind, shape (samples,).

        Raises:
            ValueError: when shapes, values or parameters are wrong.
            FloatingPointError: when the loss becomes nan or infinite.
        """
        again = self.warm_start and hasattr(self, "model_")
        X, y = self._checked(X, y, reset=not again)
        classes = np.unique(y)
        if again and not np.array_equal(classes, self.classes_):
            raise ValueError(f"warm_start needs the same classes as before, {self.classes_}, got {classes}")
        if not again:
            self._begin(X, classes)
        self._train(X, y, self.max_iter)
        return self

    def partial_fit(self: C, X: Any, y: Any, classes: Any = None) -> C:  # noqa: N803
        """Go through the samples once, on top of what was learnt before.

        The features are standardized by the samples of the first call.

        Args:
            X: floats, shape (samples, features).
            y: classes, shape (samples,).
            classes: all classes that will ever come; needed in the first call.

        Raises:
            ValueError: as for `fit`; when `classes` is missing in the first call or differs later, when `y` has a
                class that is not among them, for `class_weight="balanced"`, which needs all samples at once.
        """
        first = not hasattr(self, "model_")
        if first and classes is None:
            raise ValueError("the first call of partial_fit needs classes=, all classes that will ever come")
        if self.class_weight == "balanced":
            raise ValueError('class_weight="balanced" needs all samples at once: give partial_fit a dict of weights')
        X, y = self._checked(X, y, reset=first)
        if classes is not None and not first and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes={classes} is not the same as in the first call, {self.classes_}")
        if first:
            self._begin(X, np.unique(classes))
        self._train(X, y, 1)
        return self

    def decision_function(self, X: Any) -> Array:  # noqa: N803
        """The logits, shape (samples, classes); for two classes their difference, shape (samples,).

        Args:
            X: floats, shape (samples, features).

        Raises:
            NotFittedError: before `fit`.
            ValueError: when the features do not match.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each class, shape (samples, classes), in the order of `classes_`.

        Args, Raises: as for `decision_function`.
        """
        return np.array(softmax(self._logits(X)).numpy())

    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """The logarithm of `predict_proba`, exact also for tiny probabilities.

        Args, Raises: as for `decision_function`.
        """
        return np.array(log_softmax(self._logits(X)).numpy())

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The most probable class of each sample, shape (samples,).

        Args, Raises: as for `decision_function`.
        """
        best = self._logits(X).argmax(axis=1)
        classes: Array = self.classes_[best]
        return classes

    def _logits(self, X: Any) -> Array:  # noqa: N803
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        with no_grad():
            return self.model_(Tensor(X)).numpy()  # type: ignore[no-any-return]

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Array, Array]:  # noqa: N803
        if self.loss not in training.LOSSES:
            raise ValueError(f"loss must be one of {', '.join(training.LOSSES)}, not {self.loss!r}")
        if self.max_iter < 1:
            raise ValueError(f"max_iter must be 1 or more, not {self.max_iter}")
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), reset=reset)
        check_classification_targets(y)
        return X, y

    def _begin(self, X: Array, classes: Array) -> None:  # noqa: N803
        """A new model, optimiser and generator."""
        self.classes_ = classes
        seed = check_random_state(self.random_state).randint(0, 2**32, size=4, dtype=np.uint32)
        self._generator = np.random.default_rng(seed)
        layers = self._layers(X.shape[1], len(classes), self._generator, X.dtype)
        self.model_ = nn.Sequential(*([nn.Standardize(X)] if self.standardize else []), *layers)
        self._optimiser = Adam(self.model_.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)

    def _train(self, X: Array, y: Array, epochs: int) -> None:  # noqa: N803
        labels = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        if (unknown := y[self.classes_[labels] != y]).size:
            raise ValueError(f"the class {unknown[0]!r} is none of {self.classes_}")
        self.history_ = training.fit(
            self.model_,
            batches(X, labels, batch_size=self.batch_size, shuffle=True, generator=self._generator),
            optimiser=self._optimiser,
            epochs=epochs,
            loss=_Weighted(self.loss, self._weights(y, labels)),
            patience=self.n_iter_no_change,
            tolerance=self.tol,
            progress=None if self.verbose else False,
        )
        self.n_iter_ = len(self.history_["loss"])

    def _weights(self, y: Array, labels: Array) -> Array | None:
        """The weight of each class, such that the mean over all samples is 1: a batch without the heavy classes then
        has little influence, as it should, where a mean weighted within each batch would make up for it."""
        if self.class_weight is None:
            return None
        if self.class_weight == "balanced":
            weights = compute_class_weight("balanced", classes=self.classes_, y=y)
        else:
            weights = np.array([self.class_weight.get(name, 1.0) for name in self.classes_.tolist()], dtype=float)
        average = weights[labels].mean()
        if not np.isfinite(weights).all() or (weights < 0).any() or average == 0:
            raise ValueError(f"class weights must be 0 or more, finite and not all 0, got {self.class_weight}")
        return np.asarray(weights / average)


class _Weighted:
    """A loss with class weights, as the mean over the batch. A class, so that it can be pickled."""

    def __init__(self, name: str, weights: Array | None) -> None:
        self.name = name
        self.weights = weights

    def __call__(self, logits: Tensor, labels: Any) -> Tensor:
        loss = training.LOSSES[self.name]
        if self.weights is None:
            return loss(logits, labels)
        return mean(loss(logits, labels, weight=self.weights, reduction="none"))


class SoftmaxClassifier(_Classifier):
    """Softmax regression: one linear layer, then softmax. Also called multinomial logistic regression.

    Args:
        loss: "cross_entropy", or "mse" between the probabilities and the one-hot classes.
        learning_rate: Adam's.
        weight_decay: Adam's; a penalty of `weight_decay / 2 · Σ p²` on the parameters.
        batch_size: samples in a mini-batch.
        max_iter: the most passes over the data.
        tol, n_iter_no_change: stop when the loss has not fallen by `tol` in so many passes.
        class_weight: a dict of factors, by class; "balanced" for the inverse of the frequencies; None for 1.
        standardize: bring the features to mean 0 and deviation 1 first, by the training data.
        warm_start: `fit` goes on from the last solution.
        random_state: a seed for the initial weights and the order of the samples; as everywhere in scikit-learn.
        verbose: a progress bar, in a terminal.

    Attributes:
        classes_: the classes, in the order of the probabilities.
        model_: the `tg.nn.Sequential`.
        history_: what `tg.fit` returned.
        n_iter_: the passes that were made.

    Example:
        >>> import tinygrad_cls as tg
        >>> iris = tg.data.load_iris()
        >>> classifier = tg.SoftmaxClassifier(random_state=0).fit(iris.inputs, iris.labels)
        >>> bool(classifier.score(iris.inputs, iris.labels) > 0.95)
        True
    """

    def __init__(
        self,
        *,
        loss: str = "cross_entropy",
        learning_rate: float = 0.01,
        weight_decay: float = 1e-4,
        batch_size: int = 32,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
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
        self.class_weight = class_weight
        self.standardize = standardize
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _layers(self, inputs: int, outputs: int, generator: np.random.Generator, dtype: Any) -> list[nn.Module]:
        return [nn.Linear(inputs, outputs, generator=generator, dtype=dtype)]


class MLPClassifier(_Classifier):
    """A network of linear layers with activations between them, then softmax.

    Args:
        hidden_layer_sizes: the width of each hidden layer.
        activation: "relu", "tanh" or "sigmoid".
        loss, learning_rate, weight_decay, batch_size, max_iter, tol, n_iter_no_change, class_weight, standardize,
            warm_start, random_state, verbose: as for `SoftmaxClassifier`.

    Attributes:
        classes_, model_, history_, n_iter_: as for `SoftmaxClassifier`.

    Example:
        >>> import tinygrad_cls as tg
        >>> wine = tg.data.load_wine()
        >>> classifier = tg.MLPClassifier((20,), random_state=0).fit(wine.inputs, wine.labels)
        >>> bool(classifier.score(wine.inputs, wine.labels) > 0.95)
        True
    """

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (100,),
        activation: str = "relu",
        *,
        loss: str = "cross_entropy",
        learning_rate: float = 0.003,
        weight_decay: float = 1e-4,
        batch_size: int = 64,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        class_weight: ClassWeight = None,
        standardize: bool = True,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.standardize = standardize
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _layers(self, inputs: int, outputs: int, generator: np.random.Generator, dtype: Any) -> list[nn.Module]:
        if self.activation not in _ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(_ACTIVATIONS)}, not {self.activation!r}")
        layers: list[nn.Module] = []
        for width in self.hidden_layer_sizes:
            layers += [nn.Linear(inputs, width, generator=generator, dtype=dtype), _ACTIVATIONS[self.activation]()]
            inputs = width
        return [*layers, nn.Linear(inputs, outputs, generator=generator, dtype=dtype)]
