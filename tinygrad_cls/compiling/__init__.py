"""`compile`: a recorded function as a straight-line NumPy program."""

from .compiled import EARNED, Compiled, compile, engine_for
from .recording import CompileError, StaleError

__all__ = ["EARNED", "Compiled", "CompileError", "StaleError", "compile", "engine_for"]
