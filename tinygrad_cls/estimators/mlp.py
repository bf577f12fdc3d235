"""A network of linear layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from ..nn.layers import ACTIVATIONS
from .base import Classifier
from .samples import ClassWeight, is_count


class MLPClassifier(Classifier):
    """A network of linear layers with activations between them, then softmax, trained by Adam.

    Args:
        hidden_layer_sizes: the width of each hidden layer.
        activation: "relu", "tanh" or "sigmoid".
        learning_rate: Adam's.
        random_state: a seed for the initial weights and the order of the samples; as everywhere in scikit-learn.
        loss, weight_decay, batch_size, max_iter, tol, n_iter_no_change, early_stopping, validation_fraction,
            class_weight, standardize, warm_start, verbose: as for `SoftmaxClassifier` with a learning rate.

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
        learning_rate: float = 0.005,
        weight_decay: float = 3e-3,
        batch_size: int = 128,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.learning_rate: float | None = learning_rate
        self.weight_decay = weight_decay
        self.batch_size: int | None = batch_size
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        sizes = self.hidden_layer_sizes
        if not isinstance(sizes, tuple | list | np.ndarray) or not all(map(is_count, sizes)):
            raise ValueError(f"hidden_layer_sizes must be widths of 1 or more, such as (100,), not {sizes!r}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")

    def _layers(self, inputs: int, outputs: int, generator: np.random.Generator, dtype: Any) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for width in self.hidden_layer_sizes:
            layers += [nn.Linear(inputs, width, generator=generator, dtype=dtype), ACTIVATIONS[self.activation]()]
            inputs = width
        return [*layers, nn.Linear(inputs, outputs, generator=generator, dtype=dtype)]

    def _shape(self) -> dict[str, Any]:
        sizes = tuple(self.hidden_layer_sizes)
        return {**super()._shape(), "hidden_layer_sizes": sizes, "activation": self.activation}
