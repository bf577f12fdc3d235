"""`compile`: a recorded function as a straight-line NumPy program."""

from .compiled import Compiled, compile
from .recording import CompileError, StaleError

__all__ = ["Compiled", "CompileError", "StaleError", "compile"]
