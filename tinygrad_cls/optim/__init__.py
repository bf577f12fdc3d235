"""Optimisers, which change parameters by their gradients, and schedules, which change the learning rate."""

from . import schedules
from .clipping import clip_grad_norm
from .optimiser import Optimiser
from .rules import SGD, Adam, AdamW

__all__ = ["Optimiser", "SGD", "Adam", "AdamW", "clip_grad_norm", "schedules"]
