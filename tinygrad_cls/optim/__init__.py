"""Optimisers, which change parameters by their gradients, and schedules, which change the learning rate."""

from typing import NoReturn as _NoReturn

from .. import phrases as _phrases
from .. import vocabulary_training as _vocabulary
from . import schedules
from .clipping import clip_grad_norm
from .optimiser import Optimiser
from .rules import SGD, Adam, AdamW

__all__ = ["Optimiser", "SGD", "Adam", "AdamW", "clip_grad_norm", "schedules"]


def __getattr__(name: str) -> _NoReturn:
    raise _phrases.unknown(__name__, name, _vocabulary.OPTIM, __all__)
