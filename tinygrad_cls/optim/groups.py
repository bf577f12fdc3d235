"""The dicts and lists in which an optimiser keeps its options and parameters: each change of them is counted.

`compile` compares one number before each call, where it would otherwise compare every option.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

READ_ANEW = "lr"  # in every step: its changes are not counted


class Changes:
    """How often something changed. A copy begins at 0."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Changes, ()


class Group(dict[str, Any]):
    """The options of some parameters, with their "parameters".

    Attributes:
        initial_lr: the learning rate before any schedule, None while there was none.
        driven: which schedule set the learning rate last, by its id, and to what; None while none did.
    """

    def __init__(self, items: Any, changes: Changes, initial_lr: float | None = None) -> None:
        super().__init__((name, counted(value, changes)) for name, value in dict(items).items())
        self.changes: Changes = changes
        self.initial_lr: float | None = initial_lr
        self.driven: tuple[int, float] | None = None

    def __setitem__(self, name: str, value: Any) -> None:
        if name != READ_ANEW:
            self.changes.count += 1
            value = counted(value, self.changes)
        super().__setitem__(name, value)

    def update(self, *items: Any, **named: Any) -> None:
        """As of any dict."""
        for name, value in dict(*items, **named).items():
            self[name] = value

    def __ior__(self, items: Any) -> Group:  # type: ignore[override,misc]
        self.update(items)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Group, (dict(self), self.changes, self.initial_lr)


class Row(list[Any]):
    """Parameters, or groups."""

    def __init__(self, items: Any, changes: Changes) -> None:
        super().__init__(counted(x, changes) for x in items)
        self.changes = changes

    def __reduce__(self) -> tuple[Any, ...]:
        return Row, (list(self), self.changes)


def counted(x: Any, changes: Changes) -> Any:
    """A dict or list with its contents in one that counts its changes; anything else as it is."""
    if isinstance(x, dict) and not (isinstance(x, Group) and x.changes is changes):
        return Group(x, changes, getattr(x, "initial_lr", None))
    if isinstance(x, list) and not (isinstance(x, Row) and x.changes is changes):
        return Row(x, changes)
    return x


def _counting(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A method that changes a dict or list, which counts that, and what is new counts its own changes."""

    def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.changes.count += 1
        result = plain(self, *args, **kwargs)
        if isinstance(self, Row):
            list.__setitem__(self, slice(None), [counted(x, self.changes) for x in self])
        return result

    return changed


for _kind, _names in (
    (Group, "__delitem__ clear pop popitem setdefault"),
    (Row, "__setitem__ __delitem__ __iadd__ __imul__ append clear extend insert pop remove reverse sort"),
):
    for _name in _names.split():
        setattr(_kind, _name, _counting(getattr(_kind, _name)))
