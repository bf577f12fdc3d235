"""What is compared before each call: whether the program still stands for what the function would do.

Compared are the plain values that the function's own code names in its closure, globals and defaults, and which objects
it names; the same of the functions that it names; and the modules, optimisers and Tensors in use. What else a function
reads is left to audits.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..engine.tensor import Tensor
from ..nn.module import Module
from ..optim.optimiser import Optimiser
from ..optim.schedules import Schedule
from .structure import PLAIN, differ, differs, items
from .watch import Watch

Refer: TypeAlias = Callable[[Any], str]
"""Gives the name by which the text of the comparison refers to an object."""

_KEPT = frozenset({"_labels", "_version", "_state", "groups", "training"})  # looked at apart, or no matter
ABSENT: Any = object()
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
        self.holder: Any = holder
        self.key: Any = key
        self.way: Way = way
        self.before: Any = way.read(holder, key)
        self.items: list[Any] | None = items(self.before)

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
        plain = isinstance(before, PLAIN) and before is not None
        return f"({now} is not {refer(before)}" + (f" and {refer(differs)}({now}, {refer(before)}))" if plain else ")")


class Guards:
    """All that is compared, as it is now.

    Args:
        function: the function.
        watch: a run of it.
        arguments: the objects among its arguments that are no arrays.
    """

    def __init__(self, function: Callable[..., Any], watch: Watch, arguments: Sequence[Any] = ()) -> None:
        self._slots: list[Slot] = []
        self._owners: list[Module | Optimiser] = []
        self._attributes: list[Slot] = []  # of those: looked at where a version was raised
        self._gradients, self._as_many = watch.gradients, watch.as_many
        self._tensors = {s[1]: s[1]._requires_grad for s in watch.sources.values() if s[0] == "tensor"}
        self._seen: dict[int, Any] = {}  # kept, so that no other object gets the same id
        self._rates: list[Any] = []
        self._codes: list[types.CodeType] = []
        waiting: list[Any] = [*arguments, function, *watch.modules.values(), *watch.optimisers.values()]
        while waiting:
            x = waiting.pop()
            if id(x) not in self._seen and not isinstance(x, (*PLAIN, Tensor, np.ndarray)):
                self._seen[id(x)] = x
                waiting += self._object(x)
        if isinstance(function, types.FunctionType):
            for x in arguments:
                self._named_attributes(x, function)
        if any("lr" in code.co_consts for code in self._codes):  # the function reads rates itself
            for group in self._rates:
                self._slot(group, "lr", ITEM)
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
        if list(map(self._own, self._owners)) != self._names:
            return False
        self._take_over()
        return True

    def conditions(self, refer: Refer) -> Iterator[str]:
        """Text that is true when something may have changed."""
        for x, version in zip(self._owners, self._versions, strict=True):
            yield f"{refer(x)}._version != {version}"
            if isinstance(x, Optimiser):
                yield f"len({refer(x)}.groups) != {len(x.groups)}"
                for i, group in enumerate(x.groups):
                    yield f"{refer(x)}.groups[{i}] is not {refer(group)}"
                    yield f"len({refer(group)}['parameters']) != {len(group['parameters'])}"
        inside = [slot for slot in self._attributes if slot.items is not None and slot.way is ATTRIBUTE]
        for slot in (*self._slots, *inside):
            yield slot.condition(refer)
        for t, required in self._tensors.items():
            yield f"{refer(t)}._requires_grad is not {required}"

    def _take_over(self) -> None:
        self._versions = [x._version for x in self._owners]
        self._names = list(map(self._own, self._owners))

    def _own(self, x: Module | Optimiser) -> list[Any]:
        """The names of the attributes that matter, and which groups there are: none is to come or go."""
        groups = list(map(id, x.groups)) if isinstance(x, Optimiser) else []
        return [name for name in vars(x) if name not in _KEPT and self._matters(x, name)] + groups

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
            names = [name for name in (*vars(x).keys() - _KEPT, "training") if self._matters(x, name)]
            found = [y for name in names for y in self._slot(x, name, ATTRIBUTE, attribute=True)]
            for group in x.groups if isinstance(x, Optimiser) else ():
                self._rates.append(group)  # which are read anew in every step
                for name in sorted(group.keys() - {"lr"}):
                    self._slot(group, name, ITEM, attribute=True)
            return [y for y in found if isinstance(y, Module)]
        call = vars(type(x)).get("__call__")
        if isinstance(call, types.FunctionType) and _is_users(type(x)):
            return [call, *self._named_attributes(x, call)]
        return []

    def _matters(self, x: Module | Optimiser, name: str) -> bool:
        """Whether an attribute can have been read: what is trained, or what code besides `__init__` names."""
        value = getattr(x, name, None)
        found = items(value) or [value]
        kinds = (Tensor, Module, np.random.Generator, types.FunctionType)
        if not _is_users(type(x)) or any(isinstance(y, kinds) for y in found):
            return True
        own = [vars(owner) for owner in type(x).__mro__ if _is_users(owner)]
        functions = [f for names in own for key, f in names.items() if key != "__init__"]
        codes = [f.__code__ for f in functions if isinstance(f, types.FunctionType)]
        return any(name in _names(code) for code in (*codes, *self._codes))

    def _function(self, function: types.FunctionType) -> list[Any]:
        """What a function's own code names."""
        self._codes += _inside(function.__code__)
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
        others = Module | Optimiser | type | types.FunctionType  # which are looked at as what they are
        if isinstance(x, others) or not hasattr(x, "__dict__") or not _is_users(x):
            return []
        names = sorted(_names(function.__code__)) if isinstance(function, types.FunctionType) else []
        kinds = (*PLAIN, Tensor, Module, Optimiser, types.FunctionType)
        chosen = [name for name in names if isinstance(inspect.getattr_static(x, name, ABSENT), kinds)]
        return [y for name in chosen for y in self._slot(x, name, ATTRIBUTE)]


def _steps(optimiser: Optimiser, parameter: Tensor) -> int:
    """How many steps a parameter has made."""
    return int(optimiser._state.get(parameter, {}).get("steps", 0))


def _is_users(x: Any) -> bool:
    """Whether a function, class, module or other object is the user's: of no library that Python or we bring."""
    if isinstance(x, types.SimpleNamespace | Schedule):
        return True
    named = x if isinstance(x, types.FunctionType | types.ModuleType | type) else type(x)
    root = str(getattr(named, "__name__" if isinstance(x, types.ModuleType) else "__module__", None)).split(".")[0]
    return root not in sys.stdlib_module_names and root not in ("builtins", "numpy", "tinygrad_cls")


def _names(code: types.CodeType) -> set[str]:
    """The names of globals and attributes in the code, and in that of functions within it."""
    return {name for part in _inside(code) for name in part.co_names}


def _inside(code: types.CodeType) -> list[types.CodeType]:
    """The code, and that of functions within it."""
    return [code, *(y for x in code.co_consts if isinstance(x, types.CodeType) for y in _inside(x))]
