"""`Dataset`: inputs, labels and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..engine.tensor import Array
from ..visible import visible


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples for classification.

    Attributes:
        inputs: floats, shape (samples, features).
        labels: class numbers, shape (samples,), int64.
        class_names: one for each class number.
        feature_names: one for each feature.
        image_shape: (rows, columns) when the features are the pixels of an image, row by row.
        name: what it is called in figures and tables.

    Raises:
        ValueError: when the shapes, lengths or class numbers do not fit together.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.data.load_iris()
        Dataset(iris: 150 samples of 4 features in 3 classes)
    """

    inputs: Array
    labels: Array
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    image_shape: tuple[int, int] | None = None
    name: str = "data"

    def __post_init__(self) -> None:
        if self.inputs.ndim != 2 or self.inputs.dtype.kind != "f":
            raise ValueError(f"inputs must be floats of shape (samples, features), got {_shape(self.inputs)}")
        if self.labels.shape != self.inputs.shape[:1] or self.labels.dtype.kind not in "iu":
            raise ValueError(
                f"labels must be one class number for each of {len(self.inputs)} samples, got {_shape(self.labels)}"
            )
        if len(self.feature_names) != self.inputs.shape[1]:
            raise ValueError(f"{len(self.feature_names)} feature names for {self.inputs.shape[1]} features")
        if self.labels.size and not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
            raise ValueError(
                f"class numbers from {self.labels.min()} to {self.labels.max()} "
                f"with {len(self.class_names)} class names"
            )
        if self.image_shape is not None and int(np.prod(self.image_shape)) != self.inputs.shape[1]:
            raise ValueError(f"images of shape {self.image_shape} do not have {self.inputs.shape[1]} pixels")

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return (
            f"Dataset({visible(self.name)}: {len(self)} samples of {self.inputs.shape[1]} features "
            f"in {len(self.class_names)} classes)"
        )


def _shape(array: Array) -> str:
    return f"shape {array.shape}, {array.dtype}"
