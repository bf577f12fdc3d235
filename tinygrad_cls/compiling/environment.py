"""What a function reads besides its arguments, found by following it from what it names.

From the function's closure and globals, through attributes, containers, other functions and modules, as far as the code
that ran can have gone. Values that no guard can hold are refused.
"""

from __future__ import annotations

import argparse
import array
import copy
import functools
import gc
import io
import os
import random
import sys
import threading
import types
import weakref
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from enum import Enum
from typing import Any, TypeAlias

import numpy as np

from ..engine.tensor import Tensor
from ..nn.module import Module
from ..optim.optimiser import Optimiser
from ..optim.schedules import Schedule
from .guards import ABSENT, ATTRIBUTE, CALLED, CELL, ITEM, PLAIN, Attributes, Contents, Reading, Slot, Thing, Values
from .ran import Ran, globals_of, imports_of, inside
from .trace import CompileError

Guard: TypeAlias = Slot | Contents | Attributes | Values

_MOST = 20_000  # guards; more than these would take longer than the function itself
_MEMBERS = (Tensor, Module, np.random.Generator, list, tuple, dict)  # of modules, as they list them themselves
_LISTING = frozenset({"parameters", "named_parameters", "named_tensors", "named_modules", "named_generators"})
_HOLDERS = (types.SimpleNamespace, argparse.Namespace, UserDict, UserList, ChainMap, threading.local, type(os.environ))
_READ_ANYTHING = frozenset({"globals", "eval", "exec", "__import__", "import_module"})
_NOTES = ("_labels", "_version")  # what a module notes of itself


class Environment:
    """Everything that a function reads, as it is now.

    Args:
        function: the function.
        ran: the code that ran when it was called.
        arguments: objects among its arguments that are no arrays.

    Attributes:
        tensors: the Tensors in reach, and whether they require a gradient.
        generators: the generators of random numbers in reach, and their states.

    Raises:
        CompileError: when it reads what can change unnoticed.
    """

    def __init__(self, function: Callable[..., Any], ran: Ran, arguments: Sequence[Any] = ()) -> None:
        self.guards: list[Guard] = []
        self.tensors: dict[Tensor, bool] = {}
        self.generators: list[tuple[str, Any, Any]] = []
        self._ran = ran
        self._names, self._reflects = ran.names()
        self._names |= {"forward", "training"}
        self._seen: dict[int, Any] = {}  # kept, so that no other object gets the same id
        self._places: set[tuple[int, str]] = set()
        self._codes: set[types.CodeType] = set()
        self._forced: set[types.CodeType] = set()
        self._waiting: list[tuple[str, Any]] = []
        self._later("the function", function)
        self._later("an argument", *arguments)
        self._later("an object that it uses", *ran.owners())
        self._follow()
        self._code_without_function()
        self._follow()
        del self._ran  # which holds what the function made

    def same(self) -> bool:
        """Whether nothing that matters has changed, by the thorough comparison."""
        if self.changed() is not None:
            return False
        for guard in self.guards:
            if isinstance(guard, Attributes):
                guard.settle()
        return True

    def changed(self) -> str | None:
        """What is no longer as it was, in words; None when all is."""
        for t, required in self.tensors.items():
            if t._requires_grad is not required:
                return f"requires_grad of {t.name or 'a tensor'} has changed"
        return next((words for guard in self.guards if (words := guard.changed()) is not None), None)

    def drawn(self, draws: Sequence[tuple[np.random.Generator, tuple[int, ...]]]) -> str | None:
        """A generator of random numbers from which more was drawn than these shapes, in words."""
        for text, x, state in self.generators:
            twin = copy.deepcopy(x)
            _set_state(twin, state)
            for generator, shape in draws:
                if generator is x:
                    twin.random(shape)
            if repr(_state(twin)) != repr(_state(x)):
                return text
        return None

    def conditions(self, thing: Thing) -> Iterator[str]:
        """Text of the quick comparison: conditions that are true when something may have changed."""
        for guard in self.guards:
            yield from guard.conditions(thing)
        for t, required in self.tensors.items():
            yield f"{thing(t)}._requires_grad is not {required}"

    # --- the walk -------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        while self._waiting:
            self._object(*self._waiting.pop())
            if len(self.guards) > _MOST:
                raise CompileError(
                    f"the function can reach more than {_MOST:,} values, {self.guards[-1].text} among them, which "
                    "would have to be compared in every call: give it what it needs as arguments"
                )

    def _later(self, text: str, *found: Any) -> None:
        self._waiting += [(text, x) for x in found]

    def _slot(self, text: str, holder: Any, key: Any, reading: Reading) -> None:
        slot = Slot(text, holder, key, reading)
        self.guards.append(slot)
        self._later(text, slot.before)

    def _object(self, text: str, x: Any) -> None:
        if isinstance(x, (*PLAIN, Enum)) or x is ABSENT or id(x) in self._seen:
            return
        self._seen[id(x)] = x
        for kind, follow in self._kinds:
            if isinstance(x, kind):
                follow(self, text, x)
                return
        if hasattr(type(x), "__next__") and not isinstance(x, io.IOBase):
            raise CompileError(
                f"{text} is an iterator ({type(x).__name__}), which changes from call to call: take the next value "
                "outside of the function and give it as an argument"
            )
        if isinstance(x, (list, dict, set, deque)):
            contents = Contents(text, x)
            self.guards.append(contents)
            self._later(text, *contents.before)
        elif isinstance(x, (tuple, frozenset)):
            self._later(text, *x)
        self._instance(text, x)

    # --- values ---------------------------------------------------------------------------------------------------

    def _tensor(self, text: str, x: Tensor) -> None:
        self.tensors[x] = x._requires_grad

    def _array(self, text: str, x: Any) -> None:
        if x.dtype.hasobject:
            raise CompileError(f"{text} is an array of Python objects, whose changes go unnoticed: use a list")
        self._memory(text, x)

    def _memory(self, text: str, x: Any) -> None:
        size = memoryview(x).nbytes
        if size > Values.largest:
            raise CompileError(
                f"{text} is an array of {size:,} bytes, too many to compare in every call: give it as an argument, "
                "or hold it as a tg.Tensor, whose values cannot change unnoticed"
            )
        self.guards.append(Values(text, x))

    def _generator(self, text: str, x: Any) -> None:
        if isinstance(x, random.SystemRandom):
            raise CompileError(f"{text} gives other random numbers in every call: draw them outside of the function")
        self.generators.append((text, x, _state(x)))

    # --- code -----------------------------------------------------------------------------------------------------

    def _function(self, text: str, function: types.FunctionType) -> None:
        code = function.__code__
        users = self._ran.is_users(code)
        if users and code not in self._ran.codes and code not in self._forced:
            return
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self._slot(f"the variable {name}", cell, None, CELL)
        self._later(f"a default of {function.__name__}", function.__defaults__, function.__kwdefaults__)
        if users:
            for key in ("__code__", "__defaults__", *(["__kwdefaults__"] if code.co_kwonlyargcount else [])):
                self._slot(f"{key} of {function.__name__}", function, key, ATTRIBUTE)
            if vars(function):
                self._attributes(f"the function {function.__name__}", function)
            self._globals(code, function.__globals__)

    def _globals(self, code: types.CodeType, names: dict[str, Any]) -> None:
        self._codes.update(inside(code))
        reading = _READ_ANYTHING.intersection(code.co_names) - names.keys()
        if reading:
            raise CompileError(
                f"{code.co_name} uses {', '.join(sorted(reading))}, by which anything can be read: name what it reads, "
                "or give it as an argument"
            )
        for name in dict.fromkeys(globals_of(code)):
            if (id(names), name) not in self._places:
                self._places.add((id(names), name))
                self._slot(f"the global {name}", names, name, ITEM)
        for name in dict.fromkeys(imports_of(code)):
            package = names.get("__package__")
            self._later(f"the module {name}", *(sys.modules.get(n) for n in (name, f"{package}.{name}")))

    def _code_without_function(self) -> None:
        """Code that ran and was not found, such as a callback that Python's library keeps."""
        rest = {code: names for code, names in self._ran.codes.items() if code not in self._codes}
        for code, names in rest.items():
            self._globals(code, names)
        for x in gc.get_referrers(*rest) if rest else ():
            if isinstance(x, types.FunctionType):
                self._later("a function", x)

    def _method(self, text: str, x: Any) -> None:
        self._later(text, x.__self__, getattr(x, "__func__", None))

    def _partial(self, text: str, x: functools.partial[Any]) -> None:
        self._later(text, x.func, x.args, x.keywords)

    def _descriptor(self, text: str, x: Any) -> None:
        self._later(text, *(getattr(x, name, None) for name in ("fget", "fset", "__func__", "func")))

    def _kept(self, text: str, x: Any) -> None:
        """A function whose results are kept: it matters also where it did not run."""
        if isinstance(x.__wrapped__, types.FunctionType):
            self._forced.add(x.__wrapped__.__code__)
        self._later(text, x.__wrapped__)

    # --- objects with attributes ----------------------------------------------------------------------------------

    def _module(self, text: str, module: types.ModuleType) -> None:
        names = sorted(self._names & vars(module).keys())
        if _is_users(module.__name__):
            for name in names:
                self._slot(f"{module.__name__}.{name}", module, name, ATTRIBUTE)
        elif not module.__name__.startswith(("numpy", "tinygrad_cls")):  # such as sys.argv
            self._later(
                module.__name__, *(x for n in names if isinstance(x := vars(module)[n], (*_HOLDERS, list, dict)))
            )
            if "getenv" in names:
                self._later("os.environ", os.environ)

    def _class(self, text: str, cls: type) -> None:
        """What its own classes, not those of libraries, say of the names in question."""
        later: set[str] = set()
        for owner in reversed(cls.__mro__[:-1]):
            names = {n for n in vars(owner) if n in self._names or (self._reflects and not n.startswith("__"))}
            if _is_users(owner.__module__):
                for name in sorted(later | names):
                    if (id(owner), name) not in self._places:
                        self._places.add((id(owner), name))
                        self._slot(f"{owner.__name__}.{name}", vars(owner), name, ITEM)
            later |= names

    def _instance(self, text: str, x: Any) -> None:
        from .compiled import Compiled

        if isinstance(x, Compiled):
            return self._later(text, x.function)
        if not _is_users(type(x).__module__) and not _is_ours(type(x)) and not isinstance(x, _HOLDERS):
            return None
        self._object(text, type(x))
        if isinstance(x, Optimiser):
            for group in x.groups:
                self._group(group)
        name_of = type(x).__name__
        if hasattr(x, "__dict__"):
            self._attributes(name_of, x)
        for owner in type(x).__mro__:
            slots = vars(owner).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else tuple(slots):
                if name.startswith("__") and not name.endswith("__"):
                    name = f"_{owner.__name__.lstrip('_')}{name}"  # as the code names it
                if name in self._names or (self._reflects and not name.startswith("__")):
                    self._slot(f"the attribute {name} of {name_of}", x, name, ATTRIBUTE)
        return None

    def _group(self, group: dict[str, Any]) -> None:
        """A group of an optimiser: its learning rate is read anew in every step."""
        self._seen[id(group)] = group
        for name in group:
            if name != "lr" or self._ran.reads_rates():
                self._slot(f"the option {name}", group, name, ITEM)

    def _attributes(self, text: str, x: Any) -> None:
        attributes = Attributes(text, x, self._matters(x))
        self.guards.append(attributes)
        for name, value in attributes.before.items():
            if attributes.matters(name, value):
                self._later(f"the attribute {name} of {text}", value)

    def _matters(self, x: Any) -> Callable[[str, Any], bool]:
        """Whether an attribute can have been read, by its name and value."""
        names, reflects, lists = self._names, self._reflects, not self._names.isdisjoint(_LISTING)
        if isinstance(x, Optimiser):
            return lambda name, _: name != "_state"
        if isinstance(x, _HOLDERS) or (_is_ours(type(x)) and not isinstance(x, Schedule)):
            return lambda name, _: name not in _NOTES
        if isinstance(x, Module) and (lists or reflects):
            return lambda name, value: name not in _NOTES and (reflects or name in names or isinstance(value, _MEMBERS))
        return lambda name, _: reflects or name in names

    _kinds: tuple[tuple[Any, Callable[..., None]], ...] = (
        (Tensor, _tensor),
        (types.FunctionType, _function),
        ((types.MethodType, types.BuiltinMethodType), _method),
        (types.ModuleType, _module),
        (type, _class),
        (functools.partial, _partial),
        ((property, staticmethod, classmethod, functools.cached_property), _descriptor),
        (functools._lru_cache_wrapper, _kept),
        (np.ndarray, _array),
        ((bytearray, memoryview, array.array), _memory),
        ((np.random.Generator, np.random.RandomState, random.Random), _generator),
        (types.MappingProxyType, lambda self, text, x: self._later(text, *gc.get_referents(x))),
        (weakref.ref, lambda self, text, x: self._slot(text, x, None, CALLED)),
        (ContextVar, lambda self, text, x: self._slot(text, functools.partial(x.get, None), None, CALLED)),
    )


def _is_ours(kind: type) -> bool:
    return str(kind.__module__).split(".")[0] == "tinygrad_cls"


def _is_users(module: Any) -> bool:
    root = str(module).split(".")[0]
    return root not in sys.stdlib_module_names and root not in ("builtins", "numpy", "tinygrad_cls")


def _state(x: Any) -> Any:
    """The state of a generator of random numbers."""
    if isinstance(x, np.random.Generator):
        return x.bit_generator.state
    return x.getstate() if isinstance(x, random.Random) else x.get_state()


def _set_state(x: Any, state: Any) -> None:
    if isinstance(x, np.random.Generator):
        x.bit_generator.state = state
    elif isinstance(x, random.Random):
        x.setstate(state)
    else:
        x.set_state(state)
