"""A long drawing in rooms, each small enough to be followed: a composite is one, and so are parts of what has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from ...engine.recording import Scope

_MOST = 12  # boxes of a room
_PART = 8  # of those that are put together because there are too many


class Room(NamedTuple):
    """What is one box in the drawing around it, and a drawing by itself.

    Attributes:
        title: what it is.
        inside: all that is computed in it, by name; the last is its result.
        items: what its own drawing shows: names, and rooms that are folded.
    """

    title: str
    inside: tuple[str, ...]
    items: tuple[Item, ...]


Item: TypeAlias = "str | Room"
Rooms: TypeAlias = "Sequence[tuple[Room, tuple[int, ...]]]"
Titled: TypeAlias = Callable[["Scope | int"], str]


def folded(names: Sequence[str], scopes: Mapping[str, Sequence[Scope]], titled: Titled, depth: int = 0) -> list[Item]:
    """Names that are computed one after the other, the composites among them as rooms where they are too many.

    Args:
        names: the names.
        scopes: the composites around each, outermost first.
        titled: what a room is called, of a composite, or of so many operations.
        depth: how many of the composites around them are open.

    Example:
        >>> [len(room.inside) for room in folded([f"u{i}" for i in range(30)], {}, lambda of: f"{of} operations")]
        [7, 8, 7, 8]
    """
    if len(names) <= _MOST:
        return list(names)
    together: dict[Scope | str, list[str]] = {}
    for name in names:
        path = scopes.get(name, ())
        together.setdefault(path[depth] if len(path) > depth else name, []).append(name)
    if len(together) == 1:
        return folded(names, scopes, titled, depth + 1)
    items: list[Item] = []
    for key, some in together.items():
        if isinstance(key, str) or len(some) == 1:
            items += some
        else:
            items.append(Room(titled(key), tuple(some), tuple(folded(some, scopes, titled, depth + 1))))
    while len(items) > _MOST:
        items = _parted(items, titled)
    return items


def _parted(items: Sequence[Item], titled: Titled) -> list[Item]:
    """Items that follow each other, put together in rooms of equal size."""
    count = -(-len(items) // _PART)
    bounds = [len(items) * i // count for i in range(count + 1)]
    rooms: list[Item] = []
    for start, stop in pairwise(bounds):
        some = tuple(items[start:stop])
        inside = tuple(name for item in some for name in names_in(item))
        rooms.append(Room(titled(len(inside)), inside, some))
    return rooms


def names_in(item: Item) -> tuple[str, ...]:
    """All that is computed in an item of a drawing."""
    return (item,) if isinstance(item, str) else item.inside


def numbered(whole: Room) -> Rooms:
    """A room and all inside it, each with the numbers of those around it, outermost first, and after them."""
    found: list[tuple[Room, tuple[int, ...]]] = []

    def enter(room: Room, around: tuple[int, ...]) -> None:
        number = len(found)
        found.append((room, around))
        for item in room.items:
            if isinstance(item, Room):
                enter(item, (*around, number))

    enter(whole, ())
    return found
