"""Classifiers with the interface of scikit-learn, for `Pipeline`, `GridSearchCV`, `cross_val_score`, ….

They are thin: a `tg.nn` model, `tg.optim.Adam` and `tg.fit`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as _error:
    raise ImportError("the estimators need scikit-learn 1.6 or later: pip install 'scikit-learn>=1.6'") from _error

from . import nn, training
from .data import batches
from .engine.functional import log_softmax, softmax
from .engine.operations.reductions import mean
from .engine.recording import no_grad
from .engine.tensor import Array, Tensor
from .nn.layers import ACTIVATIONS
from .optim import Adam

ClassWeight = Mapping[Any, float] | Literal["balanced"] | None
C = TypeVar("C", bound="_Classifier")


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
    _built: dict[str, Any]
    _optimiser: Adam
    _generator: np.random.Generator

    def _layers(self, inputs: int, outputs: int, generator: np.random.Generator, dtype: Any) -> list[nn.Module]:
        raise NotImplementedError

    def _shape(self) -> dict[str, Any]:
        """The parameters that say how the model is built."""
        return {"standardize": bool(self.standardize)}

    def fit(self: C, X: Any, y: Any) -> C:  # noqa: N803 (scikit-learn's name)
        """Train on samples and their classes. After an error the classifier is as it was before.

        Args:
            X: floats, shape (samples, features).
            y: classes of any kind, shape (samples,).

        Raises:
            ValueError: when shapes, values or parameters are wrong, or, for a further fit with `warm_start`, a
                parameter that says how the model is built has changed.
            FloatingPointError: when the loss becomes nan or infinite.
        """
        again = self.warm_start and hasattr(self, "model_")
        with self._unchanged_by_an_error():
            X, y = self._checked(X, y, reset=not again)
            classes = np.unique(y)
            if again and not np.array_equal(classes, self.classes_):
                raise ValueError(f"warm_start needs the same classes as before, {self.classes_}, got {classes}")
            self._ready(X, classes, again)
            labels = self._numbered(y)
            self._train(X, labels, self.max_iter, self._levelled(labels))
        return self

    def partial_fit(self: C, X: Any, y: Any, classes: Any = None) -> C:  # noqa: N803
        """Go through the samples once, on top of what was learnt before. After an error nothing has changed.

        The features are standardized by the samples of the first call. Weights of classes are taken as they are, so
        that a chunk weighs what its samples weigh; one of weight 0 teaches nothing.

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
        with self._unchanged_by_an_error():
            X, y = self._checked(X, y, reset=first)
            if classes is not None and not first and not np.array_equal(np.unique(classes), self.classes_):
                raise ValueError(f"classes={classes} is not the same as in the first call, {self.classes_}")
            self._ready(X, self.classes_ if classes is None else np.unique(classes), not first)
            self._train(X, self._numbered(y), 1, self._weights())
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

    @contextlib.contextmanager
    def _unchanged_by_an_error(self) -> Iterator[None]:
        before = dict(vars(self))
        states: list[tuple[Any, Any]] = []
        if hasattr(self, "model_"):
            states = [(part.load_state_dict, part.state_dict()) for part in (self.model_, self._optimiser)]
            bits = self._generator.bit_generator
            states.append((functools.partial(setattr, bits, "state"), bits.state))
        try:
            yield
        except BaseException:
            self.__dict__ = before
            for restore, state in states:
                restore(state)
            raise

    def _ready(self, X: Array, classes: Array, again: bool) -> None:  # noqa: N803
        """A new model, optimiser and generator, or those from before with the present parameters."""
        if len(classes) < 2:
            raise ValueError(
                f"a classifier needs two classes or more, and there is only one class, {classes.tolist()[0]!r}"
            )
        shape = self._shape()
        if again:
            for name, value in shape.items():
                if value != self._built[name]:
                    raise ValueError(
                        f"{name}={value} cannot go on from a model that was built with {name}={self._built[name]}: "
                        "set it back, or fit anew with warm_start=False"
                    )
            rates = Adam(self.model_.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay).groups[0]
            self._optimiser.groups[0].update(lr=rates["lr"], weight_decay=rates["weight_decay"])
            return
        self.classes_, self._built = classes, shape
        seed = check_random_state(self.random_state).randint(0, 2**32, size=4, dtype=np.uint32)
        self._generator = np.random.default_rng(seed)
        layers = self._layers(X.shape[1], len(classes), self._generator, X.dtype)
        self.model_ = nn.Sequential(*([nn.Standardize(X)] if self.standardize else []), *layers)
        self._optimiser = Adam(self.model_.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)

    def _numbered(self, y: Array) -> Array:
        """The classes as numbers."""
        labels = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        if (unknown := y[self.classes_[labels] != y]).size:
            raise ValueError(f"the class {unknown.tolist()[0]!r} is none of {self.classes_}")
        return labels

    def _train(self, X: Array, labels: Array, epochs: int, weights: Array | None) -> None:  # noqa: N803
        self.history_ = training.fit(
            self.model_,
            batches(X, labels, batch_size=self.batch_size, shuffle=True, generator=self._generator),
            optimiser=self._optimiser,
            epochs=epochs,
            loss=_Weighted(self.loss, weights),
            patience=self.n_iter_no_change,
            tolerance=self.tol,
            progress=None if self.verbose else False,
        )
        self.n_iter_ = len(self.history_["loss"])

    def _weights(self, labels: Array | None = None) -> Array | None:
        """The weight of each class; "balanced" by these labels."""
        if self.class_weight is None:
            return None
        if self.class_weight == "balanced":
            assert labels is not None
            return np.asarray(compute_class_weight("balanced", classes=np.arange(len(self.classes_)), y=labels))
        if not isinstance(self.class_weight, Mapping):
            raise ValueError(f'class_weight must be a dict, "balanced" or None, not {self.class_weight!r}')
        names = self.classes_.tolist()
        if unknown := [name for name in self.class_weight if name not in names]:
            raise ValueError(f"class_weight names {unknown[0]!r}, which is none of the classes {self.classes_}")
        weights = np.array([self.class_weight.get(name, 1.0) for name in names], dtype=float)
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise ValueError(f"class weights must be 0 or more, finite and not all 0, got {self.class_weight}")
        return weights

    def _levelled(self, labels: Array) -> Array | None:
        """The weight of each class, such that the mean over all samples is 1: a batch without the heavy classes then
        has little influence, as it should, where a mean weighted within each batch would make up for it."""
        weights = self._weights(labels)
        if weights is None:
            return None
        average = weights[labels].mean()
        if average == 0:
            raise ValueError(f"class weights must not be 0 for all samples, got {self.class_weight}")
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
        warm_start: `fit` goes on from the last solution, by the parameters as they are now.
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
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        layers: list[nn.Module] = []
        for width in self.hidden_layer_sizes:
            layers += [nn.Linear(inputs, width, generator=generator, dtype=dtype), ACTIVATIONS[self.activation]()]
            inputs = width
        return [*layers, nn.Linear(inputs, outputs, generator=generator, dtype=dtype)]

    def _shape(self) -> dict[str, Any]:
        sizes = tuple(self.hidden_layer_sizes)
        return {**super()._shape(), "hidden_layer_sizes": sizes, "activation": self.activation}
