"""What a function reads besides its arguments, and whether it is still the same.

A compiled program holds for the modules, options and plain values that its function saw. They are found through the
function's closure, globals, defaults and `self`, remembered, and compared before every call.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..tensor import Tensor

_PLAIN = (bool, int, float, str, type(None), np.dtype)
_DEEP = (list, tuple, dict)


class Environment:
    """Everything that a function reads, as it is now.

    Args:
        function: the function; those that it calls from the same module are followed, too.
        arguments: objects among its arguments that are no arrays.
    """

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...] = ()) -> None:
        self.places: list[tuple[str, Any, Any, Any]] = []  # description, holder, key, what it holds
        self.dicts: list[tuple[dict[str, Any], dict[str, Any]]] = []  # attributes of an object, as they were
        self.lists: list[tuple[list[Any], list[Any]]] = []
        self.keep: list[Any] = []
        self._seen: set[int] = set()
        self._module = getattr(function, "__module__", None)
        self._function(function)
        for argument in arguments:
            self._object(argument)
        self.settle()

    def settle(self) -> None:
        """Take what is found as it stands for the quick comparison."""
        self.cells = [(cell, value) for _, cell, key, value in self.places if key is None]
        self.items = [(holder, key, holder.get(key)) for _, holder, key, _ in self.places if key is not None]
        self.copies = [(now, dict(now)) for now, _ in self.dicts]
        # Tensors by identity, and first: `==` compares their elements.
        self.items += [(now, key, x) for now, copy in self.copies for key, x in copy.items() if isinstance(x, Tensor)]
        self.elements = [
            (now, i, x)
            for now, before in self.lists
            for i, x in enumerate(before)
            if isinstance(x, (Tensor, np.ndarray))
        ]

    def same(self) -> bool:
        """Whether nothing has changed: a quick comparison by identity, then the thorough one."""
        if self._unmoved():
            return True
        if self.changed() is not None:
            return False
        self.settle()
        return True

    def _unmoved(self) -> bool:
        for cell, value in self.cells:
            if cell.cell_contents is not value:
                return False
        for holder, key, value in self.items:
            if holder.get(key) is not value:
                return False
        try:
            for now_list, i, value in self.elements:
                if now_list[i] is not value:
                    return False
            for now, before in self.copies:
                if now != before:
                    return False
            for now_list, before_list in self.lists:
                if now_list != before_list:
                    return False
        except Exception:  # values that cannot be compared are others
            return False
        return True

    def changed(self) -> str | None:
        """What is no longer as it was, in words; None when all is."""
        for text, holder, key, value in self.places:
            now = _held(holder, key)
            if now is not value and not _equal(now, value):
                return f"{text} is another {type(now).__name__} now"
        for attributes, before in self.dicts:
            if not _same(attributes, before):
                names = [n for n in {*attributes, *before} if not _equal(attributes.get(n), before.get(n))]
                return f"the attribute {', '.join(map(str, names))} has changed"
        for now_list, before_list in self.lists:
            if len(now_list) != len(before_list) or any(map(_differs, now_list, before_list)):
                return "a list that it reads has changed"
        return None

    def _function(self, function: Any) -> None:
        if isinstance(function, types.MethodType):
            self._object(function.__self__)
            function = function.__func__
        function = (
            getattr(function, "__wrapped__", function) if not isinstance(function, types.FunctionType) else function
        )
        if not isinstance(function, types.FunctionType):
            return self._object(function)
        if id(function) in self._seen:
            return None
        self._seen.add(id(function))
        self.keep.append(function)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._place(f"the variable {name}", cell, None)
        for name in _globals_of(function.__code__):
            if name in function.__globals__:
                self._place(f"the global {name}", function.__globals__, name)
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._object(value)
        wrapped = getattr(function, "__wrapped__", None)
        return self._function(wrapped) if wrapped is not None else None

    def _place(self, text: str, holder: Any, key: str | None) -> None:
        value = _held(holder, key)
        if isinstance(value, types.ModuleType) or (isinstance(value, type) and value.__module__ != self._module):
            return
        self.places.append((text, holder, key, value))
        self._object(value)

    def _object(self, value: Any) -> None:
        if isinstance(value, (*_PLAIN, Tensor, np.ndarray, np.random.Generator, type, types.ModuleType)):
            return
        if id(value) in self._seen:
            return
        if isinstance(value, (types.FunctionType, types.MethodType)):
            if getattr(value, "__module__", None) == self._module:
                self._function(value)
            return
        self._seen.add(id(value))
        if isinstance(value, (list, tuple)):
            if isinstance(value, list):
                self.lists.append((value, list(value)))
            for item in value:
                self._object(item)
        elif isinstance(value, dict):
            self.dicts.append((value, dict(value)))
            for item in value.values():
                self._object(item)
        elif _is_ours(value) or type(value).__module__ == self._module:
            attributes = getattr(value, "__dict__", None)
            if attributes is not None:
                self._attributes(value, attributes)

    def _attributes(self, value: Any, attributes: dict[str, Any]) -> None:
        from ..optim.optimiser import Optimiser
        from ..optim.schedules import Schedule

        if isinstance(value, Schedule):
            return
        if isinstance(value, Optimiser):  # its learning rate may change; the rest of its options may not
            self.lists.append((value.groups, list(value.groups)))
            for group in value.groups:
                self.lists.append((group["parameters"], list(group["parameters"])))
                self.places += [
                    (f"the option {n}", group, n, x) for n, x in group.items() if n not in ("lr", "parameters")
                ]
            return
        self.dicts.append((attributes, {n: x for n, x in attributes.items() if n != "_labels"}))
        for name, item in attributes.items():
            if name != "_labels":
                self._object(item)


def _is_ours(value: Any) -> bool:
    return any(kind.__module__.startswith("tinygrad_cls.") for kind in type(value).__mro__)


def _globals_of(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_of(constant)


def _held(holder: Any, key: Any) -> Any:
    if key is not None:
        return holder.get(key)
    try:
        return holder.cell_contents
    except ValueError:
        return None


def _same(now: dict[str, Any], before: dict[str, Any]) -> bool:
    extra = "_labels" in now and "_labels" not in before
    if len(now) - extra != len(before):
        return False
    return all(n in now and (now[n] is x or _equal(now[n], x)) for n, x in before.items())


def _differs(a: Any, b: Any) -> bool:
    return a is not b and not _equal(a, b)


def _equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    return isinstance(a, (*_PLAIN, tuple)) and type(a) is type(b) and _plain_equal(a, b)


def _plain_equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)
