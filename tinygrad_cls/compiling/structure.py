"""Tuples, lists and dicts of things: built anew with others in their places, and compared."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.dtype, np.generic, range, slice, Enum)
CONTAINERS = (list, tuple, dict, set, frozenset)
_MOST = 1000  # items of a container that are compared


def mapped(x: Any, function: Callable[[Any], Any]) -> Any:
    """`x` with `function(y)` in the place of each `y` in it, to any depth, that is no tuple, list or dict."""
    if isinstance(x, dict):
        return {key: mapped(y, function) for key, y in x.items()}
    if not isinstance(x, tuple | list):
        return function(x)
    parts = [mapped(y, function) for y in x]
    return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)


def differs(now: Any, before: Any) -> bool:
    """Whether the one cannot stand for the other. `1`, `1.0` and `True` differ, as do `0.0` and `-0.0`."""
    if now is before:
        return False
    return type(now) is not type(before) or not isinstance(now, PLAIN) or repr(now) != repr(before)


def differ(now: Any, before: list[Any]) -> bool:
    """Whether a container has other items than it had."""
    found = items(now)
    return found is None or len(found) != len(before) or any(map(differs, found, before))


def items(x: Any) -> list[Any] | None:
    """All that a container holds, to any depth, in order, with the types of containers; None of anything else."""
    if not isinstance(x, CONTAINERS):
        return None
    found: list[Any] = []
    waiting = [x]
    while waiting and len(found) < _MOST:
        y = waiting.pop()
        if isinstance(y, CONTAINERS):
            found += [type(y), len(y)]
            waiting += [*y, *y.values()] if isinstance(y, dict) else y
        else:
            found.append(y)
    return found
