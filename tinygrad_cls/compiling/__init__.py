"""`compile`: a recorded function as a straight-line NumPy program."""

from .compiled import Compiled, compile
from .trace import CompileError

__all__ = ["Compiled", "CompileError", "compile"]
