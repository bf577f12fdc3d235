"""Layers and the `Module` they are made of."""

from typing import NoReturn as _NoReturn

from .. import phrases as _phrases
from .. import vocabulary_training as _vocabulary
from . import init
from .layers import Dropout, LayerNorm, Linear, ReLU, Sequential, Sigmoid, Softmax, Standardize, Tanh
from .module import Module

__all__ = [
    "Module",
    "Linear",
    "Sequential",
    "ReLU",
    "Tanh",
    "Sigmoid",
    "Softmax",
    "Dropout",
    "LayerNorm",
    "Standardize",
    "init",
]


def __getattr__(name: str) -> _NoReturn:
    raise _phrases.unknown(__name__, name, _vocabulary.NN, __all__)
