"""Which code of the user ran while a function was recorded: what it names is what the function can have read.

Code of Python's library, of NumPy and of this package is left out: what it reads is in its arguments.
"""

from __future__ import annotations

import dis
import gc
import inspect
import os
import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FrameType
from typing import Any

import numpy as np

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_NUMPY = os.path.dirname(os.path.abspath(np.__file__)) + os.sep
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME")
_REFLECTING = frozenset({"getattr", "vars", "__dict__", "attrgetter", "asdict", "astuple", "__getattribute__"})


class Ran:
    """A context manager that notes the code that runs inside.

    Args:
        root: the file of the function itself, which is the user's wherever it is.

    Attributes:
        codes: the code with its globals.
        clock: the call of a clock, in words; None when there was none.
    """

    def __init__(self, root: str | None) -> None:
        self.codes: dict[CodeType, dict[str, Any]] = {}
        self.clock: str | None = None
        self._owners: dict[int, Any] = {}
        self._root = root
        self._made: set[int] = set()
        self._users: dict[CodeType, bool] = {}

    def __enter__(self) -> Ran:
        self._collecting = gc.isenabled()
        gc.disable()  # whose callbacks are not part of the function
        profiler: Any = sys.getprofile()
        if hasattr(profiler, "disable"):
            profiler.disable()  # another one rests meanwhile
        self._profiler = profiler
        sys.setprofile(self._noted)
        return self

    def __exit__(self, *error: Any) -> None:
        sys.setprofile(None)
        if hasattr(self._profiler, "enable"):
            self._profiler.enable()
        else:
            sys.setprofile(self._profiler)
        if self._collecting:
            gc.enable()

    def _noted(self, frame: FrameType, event: str, argument: Any) -> None:
        if event not in ("call", "c_call"):
            return
        code = frame.f_code
        users = self._users.get(code)
        if users is None:
            module = str(frame.f_globals.get("__name__"))  # of a dataclass or named tuple, whose code has no file
            made = code.co_filename == "<string>" and module.startswith(("namedtuple_", "tinygrad_cls."))
            users = self._users[code] = not made and self._is_followed(code)
        if not users:
            return
        if event == "call":
            self.codes[code] = frame.f_globals
            if code.co_argcount and code.co_varnames[0] == "self":
                owner = frame.f_locals.get("self")
                if code.co_name in ("__init__", "__new__"):  # made by the function itself
                    self._made.add(id(owner))
                self._owners[id(owner)] = owner
        elif getattr(argument, "__module__", None) == "time" and argument.__name__ != "sleep":
            self.clock = f"time.{argument.__name__}() in line {frame.f_lineno} of {code.co_filename}"

    def _is_followed(self, code: CodeType) -> bool:
        in_function = bool(code.co_flags & inspect.CO_OPTIMIZED)  # not the body of an imported module or a class
        return in_function and self.is_users(code)

    def is_users(self, code: CodeType) -> bool:
        """Whether code is the user's."""
        file = code.co_filename
        if file == self._root:
            return True
        if file.startswith((_PACKAGE, _NUMPY, "<frozen ")):
            return False
        return not file.startswith(_LIBRARY) or "-packages" in file

    def owners(self) -> list[Any]:
        """The objects whose methods ran, but those that the function made itself."""
        return [owner for i, owner in self._owners.items() if i not in self._made]

    def names(self) -> tuple[set[str], bool]:
        """All attributes that the code names, and whether it may ask for attributes without naming them."""
        named = _named(self.codes) | {code.co_name for code in self.codes}
        return named, not named.isdisjoint(_REFLECTING) or any(map(_matches, self.codes))

    def reads_rates(self) -> bool:
        """Whether the code may read a learning rate, but for the rules of optimisers, which read it in every step."""
        named = _named(code for code in self.codes if code.co_name != "numbers")
        return "lr" in named or ("groups" in named and not named.isdisjoint({"items", "values"}))


def globals_of(code: CodeType) -> Iterator[str]:
    """The names of globals and builtins that the code reads, that inside of it included."""
    return (i.argval for c in inside(code) for i in dis.get_instructions(c) if i.opname in _GLOBAL)


def imports_of(code: CodeType) -> Iterator[str]:
    """The modules that the code imports."""
    return (i.argval for c in inside(code) for i in dis.get_instructions(c) if i.opname == "IMPORT_NAME")


def inside(code: CodeType) -> Iterator[CodeType]:
    """The code itself and that of functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from inside(constant)


def _matches(code: CodeType) -> bool:
    return any(i.opname == "MATCH_CLASS" for i in dis.get_instructions(code))


def _named(codes: Iterable[CodeType]) -> set[str]:
    return {name for code in codes for name in (*code.co_names, *_texts(code.co_consts))}


def _texts(constants: Any) -> Iterator[str]:
    for x in constants:
        if isinstance(x, str):
            yield x
        elif isinstance(x, tuple | frozenset):
            yield from _texts(x)
