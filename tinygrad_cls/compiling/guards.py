"""What is compared before each call: whether the program still stands for what the function would do.

Compared are the plain values that the function's own code names in its closure, globals and defaults, and which objects
it names; the same of the functions that it names; and the modules, optimisers and Tensors in use. What else a function
reads is left to audits.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..engine.tensor import Tensor
from ..nn.module import Module
from ..optim.optimiser import Optimiser
from .watch import Watch

Refer: TypeAlias = Callable[[Any], str]
"""Gives the name by which the text of the comparison refers to an object."""

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.dtype, np.generic, range, slice, Enum)
_CONTAINERS = (list, tuple, dict, set, frozenset)
_KEPT = frozenset({"_labels", "_version", "_state", "groups", "training"})  # looked at apart, or no matter
_MOST = 1000  # items of a container that are compared


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT: Any = _Absent()
"""What is held where nothing is."""


def cell_contents(cell: types.CellType, _: Any = None) -> Any:
    """What a variable of an enclosing function holds."""
    try:
        return cell.cell_contents
    except ValueError:
        return ABSENT


class Way(NamedTuple):
    """A way to read what a holder holds under a key: as text, and as a function that gives `ABSENT` for nothing."""

    text: str
    read: Callable[[Any, Any], Any]


CELL = Way("{0}.cell_contents", cell_contents)
ITEM = Way("{0}[{1!r}]", lambda holder, key: holder.get(key, ABSENT))
ATTRIBUTE = Way("{0}.{1}", lambda holder, key: getattr(holder, key, ABSENT))


class Slot:
    """One place that the function reads."""

    def __init__(self, holder: Any, key: Any, way: Way) -> None:
        self.holder, self.key, self.way = holder, key, way
        self.before = way.read(holder, key)
        self.items = items(self.before)

    def changed(self) -> bool:
        """Whether it holds something else now."""
        now = self.way.read(self.holder, self.key)
        return differs(now, self.before) if self.items is None else differ(now, self.items)

    def condition(self, refer: Refer) -> str:
        """Text that is true when it may hold something else."""
        now, before = self.way.text.format(refer(self.holder), self.key), self.before
        if before is ABSENT:
            return f"{refer(self.way.read)}({refer(self.holder)}, {self.key!r}) is not {refer(ABSENT)}"
        if self.items is not None:
            if type(before) is list and all(isinstance(x, Module) for x in before):
                return f"{now} != {refer(list(before))}"
            return f"{refer(differ)}({now}, {refer(self.items)})"
        plain = isinstance(before, _PLAIN) and before is not None
        return f"({now} is not {refer(before)}" + (f" and {refer(differs)}({now}, {refer(before)}))" if plain else ")")


def differs(now: Any, before: Any) -> bool:
    """Whether the one cannot stand for the other. `1`, `1.0` and `True` differ, as do `0.0` and `-0.0`."""
    if now is before:
        return False
    return type(now) is not type(before) or not isinstance(now, _PLAIN) or repr(now) != repr(before)


def differ(now: Any, before: list[Any]) -> bool:
    """Whether a container has other items than it had."""
    found = items(now)
    return found is None or len(found) != len(before) or any(map(differs, found, before))


def items(x: Any) -> list[Any] | None:
    """All that a container holds, to any depth, in order, with the types of containers; None of anything else."""
    if not isinstance(x, _CONTAINERS):
        return None
    found: list[Any] = []
    waiting = [x]
    while waiting and len(found) < _MOST:
        y = waiting.pop()
        if isinstance(y, _CONTAINERS):
            found += [type(y), len(y)]
            waiting += [*y, *y.values()] if isinstance(y, dict) else y
        else:
            found.append(y)
    return found


class Guards:
    """All that is compared, as it is now.

    Args:
        function: the function.
        watch: a run of it.
    """

    def __init__(self, function: Callable[..., Any], watch: Watch) -> None:
        self._slots: list[Slot] = []
        self._owners: list[Module | Optimiser] = []
        self._attributes: list[Slot] = []  # of those: looked at where a version was raised
        self._gradients, self._as_many = watch.gradients, watch.as_many
        self._tensors = {s[1]: s[1]._requires_grad for s in watch.sources.values() if s[0] == "tensor"}
        self._seen: dict[int, Any] = {}  # kept, so that no other object gets the same id
        waiting: list[Any] = [function, *watch.modules.values(), *watch.optimisers.values()]
        while waiting:
            x = waiting.pop()
            if id(x) not in self._seen and not isinstance(x, (*_PLAIN, Tensor, np.ndarray)):
                self._seen[id(x)] = x
                waiting += self._object(x)
        self._take_over()

    def same(self) -> bool:
        """Whether nothing that is compared has changed. Versions that were raised without need are taken over."""
        if any(t._requires_grad is not required for t, required in self._tensors.items()):
            return False
        if any((t._grad is not None) is not there for t, there in self._gradients.items()):
            return False
        if any(_steps(o, p) != _steps(o, leader) for (o, p), leader in self._as_many.items()):
            return False
        if any(slot.changed() for slot in (*self._slots, *self._attributes)):
            return False
        if [_own(x) for x in self._owners] != self._names:
            return False
        self._take_over()
        return True

    def conditions(self, refer: Refer) -> Iterator[str]:
        """Text that is true when something may have changed."""
        for x, version in zip(self._owners, self._versions, strict=True):
            yield f"{refer(x)}._version != {version}"
            if isinstance(x, Optimiser):
                yield f"len({refer(x)}.groups) != {len(x.groups)}"
        inside = [slot for slot in self._attributes if slot.items is not None and slot.way is ATTRIBUTE]
        for slot in (*self._slots, *inside):
            yield slot.condition(refer)
        for t, required in self._tensors.items():
            yield f"{refer(t)}._requires_grad is not {required}"

    def _take_over(self) -> None:
        self._versions = [x._version for x in self._owners]
        self._names = [_own(x) for x in self._owners]

    # --- from one thing to those that it names --------------------------------------------------------------------

    def _slot(self, holder: Any, key: Any, way: Way, attribute: bool = False) -> list[Any]:
        """Compare what is held there; gives that."""
        slot = Slot(holder, key, way)
        (self._attributes if attribute else self._slots).append(slot)
        return [slot.before] if slot.items is None else slot.items

    def _object(self, x: Any) -> list[Any]:
        if isinstance(x, types.FunctionType):
            return self._function(x) if _is_users(x) else [getattr(x, "__wrapped__", None)]
        if isinstance(x, types.MethodType):
            return [x.__func__, *self._named_attributes(x.__self__, x.__func__)]
        if isinstance(x, functools.partial):
            return [x.func, *x.args, *x.keywords.values()]
        if isinstance(x, Module | Optimiser):
            self._owners.append(x)
            mode = ["training"] if isinstance(x, Module) else []
            found = [y for name in [*_own(x), *mode] for y in self._slot(x, name, ATTRIBUTE, attribute=True)]
            for group in x.groups if isinstance(x, Optimiser) else ():
                for name in group.keys() - {"lr"}:  # which is read anew in every step
                    self._slot(group, name, ITEM, attribute=True)
            return [y for y in found if isinstance(y, Module)]
        call = vars(type(x)).get("__call__")
        if isinstance(call, types.FunctionType) and _is_users(type(x)):
            return [call, *self._named_attributes(x, call)]
        return []

    def _function(self, function: types.FunctionType) -> list[Any]:
        """What a function's own code names."""
        found = [getattr(function, "__wrapped__", None)]
        for key in ("__code__", "__defaults__", "__kwdefaults__"):
            found += self._slot(function, key, ATTRIBUTE)
        for cell in function.__closure__ or ():
            found += self._slot(cell, None, CELL)
        for name in sorted(_names(function.__code__) & function.__globals__.keys()):
            found += self._slot(function.__globals__, name, ITEM)
        return found + [y for x in found for y in self._named_attributes(x, function)]

    def _named_attributes(self, x: Any, function: Any) -> list[Any]:
        """The attributes of a user's object that a function names: plain values, and objects that are compared."""
        if not _is_users(type(x)) or isinstance(x, Module | Optimiser | type) or not hasattr(x, "__dict__"):
            return []
        names = _names(function.__code__) & vars(x).keys() if isinstance(function, types.FunctionType) else set()
        kinds = (*_PLAIN, Tensor, Module, Optimiser, types.FunctionType)
        chosen = [name for name in sorted(names) if isinstance(vars(x)[name], kinds)]
        return [y for name in chosen for y in self._slot(x, name, ATTRIBUTE)]


def _steps(optimiser: Optimiser, parameter: Tensor) -> int:
    """How many steps a parameter has made."""
    return int(optimiser._state.get(parameter, {}).get("steps", 0))


def _own(x: Module | Optimiser) -> list[str]:
    """The attributes that matter: not what modules and optimisers keep for themselves."""
    return [name for name in vars(x) if name not in _KEPT]


def _is_users(x: Any) -> bool:
    """Whether a function or class is the user's: of no library that Python or we bring."""
    root = str(getattr(x, "__module__", None)).split(".")[0]
    return root not in sys.stdlib_module_names and root not in ("builtins", "numpy", "tinygrad_cls")


def _names(code: types.CodeType) -> set[str]:
    """The names of globals and attributes in the code, and in that of functions within it."""
    inner = (x for x in code.co_consts if isinstance(x, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))
