"""Data sets, readers, splits and mini-batches. All of it is NumPy arrays."""

from typing import NoReturn as _NoReturn

from .. import phrases as _phrases
from .. import vocabulary_training as _vocabulary
from .batching import Batches, batches, split
from .dataset import Dataset
from .packaged import load_breast_cancer, load_digits, load_iris, load_mnist_5k, load_wine
from .readers import read_csv, read_csv_inputs, read_idx, read_idx_dataset

__all__ = [
    "Dataset",
    "Batches",
    "batches",
    "split",
    "load_digits",
    "load_iris",
    "load_wine",
    "load_breast_cancer",
    "load_mnist_5k",
    "read_csv",
    "read_csv_inputs",
    "read_idx",
    "read_idx_dataset",
]


def __getattr__(name: str) -> _NoReturn:
    raise _phrases.unknown(__name__, name, _vocabulary.DATA, __all__)
