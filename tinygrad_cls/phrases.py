"""A phrase book: what PyTorch calls it, and what it is called here. Errors about unknown names answer from it.

`Tensor` gets a describing attribute for each word of the book, which raises; a `__getattr__` would make every attribute
of a Tensor five times as slow. Modules and functions ask the book when they have failed.
"""

from __future__ import annotations

import difflib
import inspect
import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np

from .engine import functional, operations
from .engine.array import NamedArray
from .engine.operation import NUMPY_FUNCTIONS
from .engine.tensor import Tensor
from .vocabulary import HERE, IN_PLACE, KEYWORDS, KINDS, NUMPYS, TENSOR

_SAME_METHODS = (
    "sigmoid relu softmax log_softmax logsumexp log1p expm1 sinh cosh tan erf tril triu maximum minimum broadcast_to"
)
"""Functions of ours that PyTorch has as methods too, with the same arguments: they are methods here as well."""

_FEW = 20  # names of a module, which are told where none of them is meant
_ARGUMENT = re.compile(r"(?:(\w+)\.)?(\w+)\(\) got an unexpected keyword argument '(\w+)'")


class _Foreign:
    """A word of PyTorch's as an attribute: asking for it raises, so `hasattr` says no."""

    def __init__(self, of: str, name: str, ours: str) -> None:
        self.of, self.name, self.ours = of, name, ours

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise AttributeError(f"{self.of} has no .{self.name}; {_answer(self.ours)}")


class _NeverSet(_Foreign):
    """Of a class that takes no attributes besides its own."""

    def __set__(self, instance: object, value: object) -> NoReturn:
        self.__get__(instance, type(instance))


class _Count(int):
    """A number that says what it is when it is called: `t.size()` is PyTorch's word for the shape."""

    def __call__(self, *_: object) -> NoReturn:
        raise TypeError(".size is the number of elements, as in NumPy; the lengths of the axes are .shape")

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


def teach(cls: type, words: Mapping[str, str]) -> None:
    """Have a class answer for words that it does not have, without listing them in `dir`."""
    kind = _NeverSet if hasattr(cls, "__slots__") else _Foreign
    foreign = {name: ours for name, ours in words.items() if not hasattr(cls, name)}
    for name, ours in foreign.items():
        setattr(cls, name, kind(cls.__name__, name, ours))
    listed: Any = cls.__dir__

    def without_foreign(self: Any) -> list[str]:
        own = getattr(self, "__dict__", ())
        return [name for name in listed(self) if name not in foreign or name in own]

    cls.__dir__ = without_foreign  # type: ignore[assignment]


def unknown(module: str, name: str, words: Mapping[str, str], known: Iterable[str]) -> AttributeError:
    """What to raise for a name that a module does not have: our word for it, or what is spelt like it."""
    message = f"module {module!r} has no attribute {name!r}"
    if name in words:
        return AttributeError(f"{message}; {_answer(words[name])}")
    known = [word for word in known if not word.startswith("_")]
    rest = alike(name, known)
    if not rest and not name.startswith("_"):
        rest = _of_its_kind(name) or (f"; it has {', '.join(known)}" if len(known) <= _FEW else _as_method(name))
    return AttributeError(message + rest)


def _of_its_kind(name: str) -> str:
    """The answer for a layer or a loss that is not ours."""
    return next((f"; {_answer(ours)}" for kind, ours in KINDS if re.search(kind, name.lower())), "")


def _as_method(name: str) -> str:
    """The answer for a function that PyTorch has as a method too, or NumPy has."""
    ours = TENSOR.get(name) or numpys(name) or (IN_PLACE if name.endswith("_") else "")
    return f"; {_answer(ours)}" if ours else ""


def numpys(name: str) -> str:
    """Our word for a function that NumPy has; nothing where it has none."""
    for path in (NUMPYS.get(name, name), f"linalg.{name}"):
        try:
            function = operator.attrgetter(path)(np)
        except AttributeError:
            continue
        if not callable(function) or isinstance(function, type):
            continue
        if function in NUMPY_FUNCTIONS:
            return f"np.{path}(x, …)"
        return f"np.{path}(x.numpy(), …), for constants: nothing goes back through it"
    return ""


def _answer(ours: str) -> str:
    return ours if ours.startswith(("no", "did you")) else f"write {ours}"


def alike(name: str, known: Iterable[str]) -> str:
    """ "; did you mean …?", where something is spelt like it."""
    lower = {word.lower(): word for word in known if not word.startswith("_")}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.7)
    return f"; did you mean {lower[near[0]]}?" if near else ""


def keyword(message: str) -> str:
    """Our word for a keyword that Python did not expect, if its message is about one of ours."""
    found = _ARGUMENT.search(message)
    if found is None:
        return ""
    function = getattr(operations, found[2], None) or getattr(functional, found[2], None)
    options = inspect.signature(function).parameters if callable(function) else ()
    return option(found[3], options)


def option(name: str, options: Iterable[str]) -> str:
    """Our word for an option, among those that there are."""
    options = list(options)
    ours = KEYWORDS.get(name)
    if name == "device":
        return f"; {name}= is {HERE}"
    if ours is None or (options and ours not in options):
        return alike(name, options)
    return f"; {name}= is {ours}= here"


def _slips(name: str) -> Iterable[str]:
    """Slips of the keyboard: a letter left out, doubled, or exchanged with the next one; a plural."""
    for i in range(len(name)):
        yield name[:i] + name[i + 1 :]
        yield name[:i] + name[i] + name[i:]
        yield name[:i] + name[i + 1 : i + 2] + name[i] + name[i + 2 :]
    yield name + "s"


def slips(cls: type) -> dict[str, str]:
    """Answers for a class's own names, misspelt."""
    own = [name for name in dir(cls) if not name.startswith("_") and len(name) > 3]
    return {slip: f"did you mean .{name}?" for name in own for slip in _slips(name)}


def check_options(cls: type, given: Mapping[str, object]) -> None:
    """An error for options that a class of this package does not have, with the right word.

    Raises:
        TypeError: as Python does, but with an answer.
    """
    if not given or not cls.__module__.startswith(__name__.partition(".")[0] + "."):
        return
    options = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    if any(p.kind is p.VAR_KEYWORD for p in options.values()):
        return
    for name in given:
        if name not in options:
            rest = option(name, [known for known in options if known != "self"])
            raise TypeError(f"{cls.__name__} has no option {name!r}{rest}")


for _name in _SAME_METHODS.split():
    setattr(Tensor, _name, getattr(operations, _name, None) or getattr(functional, _name))
NamedArray.size = property(lambda self: _Count(self._array.size), doc="The number of elements.")  # type: ignore[assignment]
_FUNCTIONS = {name: f"tg.{name}(x, …)" for room in (operations, functional) for name in room.__all__}
_NUMPYS = {name: numpys(name) for name in (*NUMPYS, *{f.__name__ for f in NUMPY_FUNCTIONS}, *np.linalg.__all__)}
_WORDS = {name: ours for name, ours in _NUMPYS.items() if ours} | _FUNCTIONS | TENSOR
_IN_PLACE = {
    f"{name}_": IN_PLACE for name in (*dir(Tensor), *_WORDS, "normal", "uniform", "random", "fill", "fill_diagonal")
}
teach(Tensor, slips(Tensor) | _IN_PLACE | _WORDS)
