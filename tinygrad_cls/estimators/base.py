"""What both classifiers share: all but the layers."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as _error:
    raise ImportError("the estimators need scikit-learn 1.6 or later: pip install 'scikit-learn>=1.6'") from _error

from .. import nn, training
from ..data import split
from ..engine.functional import log_softmax, softmax
from ..engine.recording import NOTHING, STATE, no_grad
from ..engine.tensor import Array, Tensor
from ..optim import Adam
from .samples import (
    ClassWeight,
    Weighted,
    batched,
    dense,
    is_count,
    is_number,
    is_sparse,
    standardized_by,
    weights_of_classes,
    weights_of_samples,
)

C = TypeVar("C", bound="Classifier")
_RATE, _SIZE = 0.01, 32  # Adam's, where none is given
_WORTH = 8  # batches in a pass, from where on a program gains more than going from full batches to a short one costs
_ROWS = 1024  # of sparse samples that become dense at once


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A scikit-learn classifier; a subclass says the layers."""

    loss: str
    learning_rate: float | None
    weight_decay: float
    batch_size: int | None
    max_iter: int
    tol: float
    n_iter_no_change: int
    early_stopping: bool
    validation_fraction: float
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

    def fit(self: C, X: Any, y: Any, sample_weight: Any = None) -> C:  # noqa: N803 (scikit-learn's name)
        """Train on samples and their classes. After an error the classifier is as it was before.

        Args:
            X: floats, shape (samples, features), dense or sparse; sparse samples become dense batch by batch.
            y: classes of any kind, shape (samples,).
            sample_weight: how much each sample counts, shape (samples,): 3 is as if it were there three times.

        Raises:
            RuntimeError: under `no_grad`.
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
            counts = weights_of_samples(sample_weight, len(y))
            self._ready(X, classes, again, counts)
            labels = self._numbered(y)
            weights = self._weights(labels, counts)
            if weights is not None:  # those that count weigh 1 on average, as without weights
                if not weights.any():
                    raise ValueError(f"class weights must not be 0 for all samples, got {self.class_weight}")
                weights = weights / weights[weights > 0].mean()
            self._train(*self._counted(X, labels, weights), self.max_iter, whole=True)
        return self

    def partial_fit(self: C, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> C:  # noqa: N803
        """Go through the samples once, on top of what was learnt before. After an error nothing has changed.

        The features are standardized by the samples of the first call. Weights are taken as they are, so that a chunk
        weighs what its samples weigh; one of weight 0 teaches nothing.

        Args:
            X: floats, shape (samples, features), dense or sparse.
            y: classes, shape (samples,).
            classes: all classes that will ever come; needed in the first call.
            sample_weight: how much each sample counts, shape (samples,).

        Raises:
            ValueError: as for `fit`; when `classes` is missing in the first call or differs later, when `y` has a
                class that is not among them, for `class_weight="balanced"`, which needs all samples at once, and for
                `early_stopping`.
        """
        first = not hasattr(self, "model_")
        if first and classes is None:
            raise ValueError("the first call of partial_fit needs classes=, all classes that will ever come")
        if self.class_weight == "balanced":
            raise ValueError('class_weight="balanced" needs all samples at once: give partial_fit a dict of weights')
        with self._unchanged_by_an_error():
            X, y = self._checked(X, y, reset=first)
            if self.early_stopping:
                raise ValueError("early_stopping is for fit: partial_fit goes through its samples once")
            if classes is not None and not first and not np.array_equal(np.unique(classes), self.classes_):
                raise ValueError(f"classes={classes} is not the same as in the first call, {self.classes_}")
            counts = weights_of_samples(sample_weight, len(y))
            self._ready(X, self.classes_ if classes is None else np.unique(classes), not first, counts)
            labels = self._numbered(y)
            self._train(*self._counted(X, labels, self._weights(labels, counts)), 1, whole=False)
        return self

    def decision_function(self, X: Any) -> Array:  # noqa: N803
        """The logits, shape (samples, classes); for two classes their difference, shape (samples,).

        Args:
            X: floats, shape (samples, features), dense or sparse.

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
        X = validate_data(self, X, dtype=(np.float64, np.float32), accept_sparse="csr", reset=False)
        with no_grad():
            if not is_sparse(X):
                return self.model_(Tensor(X)).numpy()  # type: ignore[no-any-return]
            pieces = [self.model_(Tensor(dense(X[i : i + _ROWS]))).numpy() for i in range(0, X.shape[0], _ROWS)]
            return np.concatenate(pieces)

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Any, Array]:  # noqa: N803
        if STATE.get()[0] == NOTHING:
            raise RuntimeError(f"{type(self).__name__} needs gradients to learn, and was called under no_grad")
        self._check_parameters()
        shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
        if len(shape) == 2 and shape[1] > 1:
            raise ValueError(
                f"{type(self).__name__} tells one class for each sample, and y has {shape[1]} columns (multilabel?): "
                "sklearn.multioutput.MultiOutputClassifier makes one classifier for each column of y"
            )
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), accept_sparse="csr", reset=reset)
        check_classification_targets(y)
        return X, y

    def _check_parameters(self) -> None:
        """Look at the values of the parameters: scikit-learn sets them without a look."""

        def require(name: str, holds: bool, what: str) -> None:
            if not holds:
                raise ValueError(f"{name} must be {what}, not {getattr(self, name)!r}")

        require("loss", self.loss in training.LOSSES, f"one of {', '.join(training.LOSSES)}")
        require("max_iter", is_count(self.max_iter), "1 or more, a whole number")
        require("n_iter_no_change", is_count(self.n_iter_no_change), "1 or more, a whole number")
        require("tol", is_number(self.tol) and self.tol >= 0, "a number of 0 or more")
        rate = self.learning_rate
        require("learning_rate", rate is None or (is_number(rate) and rate >= 0), "a learning rate of 0 or more")
        require("weight_decay", is_number(self.weight_decay) and self.weight_decay >= 0, "a number of 0 or more")
        require("batch_size", self.batch_size is None or is_count(self.batch_size), "a whole number of 1 or more")
        part = self.validation_fraction
        require("validation_fraction", is_number(part) and 0 < part < 1, "between 0 and 1")
        for name in ("early_stopping", "standardize", "warm_start"):  # a text such as "no" would count as yes
            require(name, isinstance(getattr(self, name), bool | np.bool_ | int), "True or False")

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

    def _ready(self, X: Any, classes: Array, again: bool, counts: Array | None) -> None:  # noqa: N803
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
            rates = self._adam().groups[0]
            self._optimiser.groups[0].update(lr=rates["lr"], weight_decay=rates["weight_decay"])
            return
        self.classes_, self._built = classes, shape
        seed = check_random_state(self.random_state).randint(0, 2**32, size=4, dtype=np.uint32)
        self._generator = np.random.default_rng(seed)
        layers = self._layers(X.shape[1], len(classes), self._generator, X.dtype)
        self.model_ = nn.Sequential(*([standardized_by(X, counts)] if self.standardize else []), *layers)
        self._optimiser = self._adam()

    def _adam(self) -> Adam:
        rate = _RATE if self.learning_rate is None else self.learning_rate
        return Adam(self.model_.parameters(), lr=rate, weight_decay=self.weight_decay)

    def _numbered(self, y: Array) -> Array:
        """The classes as numbers."""
        labels = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        if (unknown := y[self.classes_[labels] != y]).size:
            raise ValueError(f"the class {unknown.tolist()[0]!r} is none of {self.classes_}")
        return labels

    def _weights(self, labels: Array, counts: Array | None) -> Array | None:
        """How much each sample weighs, by its class and by itself."""
        of_classes = weights_of_classes(self.class_weight, self.classes_, labels)
        if of_classes is None:
            return counts
        return of_classes[labels] if counts is None else of_classes[labels] * counts

    def _counted(self, X: Any, labels: Array, weights: Array | None) -> tuple[Any, Array]:  # noqa: N803
        """The samples that count, and their targets: class numbers, or one-hot rows times the weight of the sample."""
        if weights is None:
            return X, labels
        kept = weights > 0
        rows = np.eye(len(self.classes_))[labels[kept]] * weights[kept, None]
        return X[kept], rows.astype(X.dtype)

    def _train(self, X: Any, target: Array, epochs: int, whole: bool) -> None:  # noqa: N803
        """Go through the samples; `whole`: these are all that there are."""
        validation = None
        if not len(target):
            self.history_, self.n_iter_ = {}, 0
            return
        if self.early_stopping:
            X, target, aside, its_target = self._set_aside(X, target)
            validation = batched(aside, its_target, _ROWS, None)
        train = batched(X, target, _SIZE if self.batch_size is None else self.batch_size, self._generator)
        self.history_ = training.fit(
            self.model_,
            train,
            optimiser=self._optimiser,
            epochs=epochs,
            loss=Weighted(self.loss),
            validation=validation,
            patience=self.n_iter_no_change,
            tolerance=self.tol,
            progress=None if self.verbose else False,
            compile=None if len(train) >= _WORTH else False,
            engine="auto",
        )
        self.n_iter_ = len(self.history_["loss"])

    def _set_aside(self, X: Any, target: Array) -> tuple[Any, Array, Any, Array]:  # noqa: N803
        """Samples to train on, and samples to judge by, of each class the same share."""
        part = self.validation_fraction
        labels = target if target.ndim == 1 else target.argmax(axis=1)
        numbers = np.arange(len(labels))
        (train,), (rest,) = split(numbers, fractions=(1 - part, part), generator=self._generator, stratify=labels)
        return X[train], target[train], X[rest], target[rest]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
