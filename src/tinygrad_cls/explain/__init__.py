"""`explain`: why a gradient is what it is."""

from .derivation import Derivation, Formula, Step
from .explaining import explain

__all__ = ["Derivation", "Formula", "Step", "explain"]
