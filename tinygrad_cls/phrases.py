"""A phrase book: what PyTorch calls it, and what it is called here. Errors about unknown names answer from it.

`Tensor` gets a describing attribute for each word of the book, which raises; a `__getattr__` would make every attribute
of a Tensor five times as slow. Modules and functions ask the book when they have failed.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from .engine import functional, operations
from .engine.array import NamedArray
from .engine.tensor import Tensor
from .vocabulary import HERE, KEYWORDS, TENSOR

_SAME_METHODS = (
    "sigmoid relu softmax log_softmax logsumexp log1p expm1 sinh cosh tan erf tril triu maximum minimum broadcast_to"
)
"""Functions of ours that PyTorch has as methods too, with the same arguments: they are methods here as well."""

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
    return AttributeError(message + alike(name, known))


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
_OWN = [name for name in dir(Tensor) if not name.startswith("_") and len(name) > 3]
_SLIPS = {slip: f"did you mean .{name}?" for name in _OWN for slip in _slips(name)}
teach(Tensor, _SLIPS | _FUNCTIONS | TENSOR)
