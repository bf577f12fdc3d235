"""Layers and the `Module` they are made of."""

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
