"""Composites on the way back whose derivative may be taken in one step, as a book does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from ..engine.recording import Scope
from ..engine.tensor import Tensor


class Composite(NamedTuple):
    """One call of a composite: what it gives, and what was computed inside.

    Attributes:
        scope: the call.
        result: the tensor that it gave.
        inside: all tensors that it made on the way, the result among them.
    """

    scope: Scope
    result: Tensor
    inside: frozenset[Tensor]

    @property
    def inputs(self) -> list[Tensor]:
        """What it was computed from, in the order of use."""
        used = (x for t in sorted(self.inside, key=lambda t: t._number) for x in t.inputs)
        return list(dict.fromkeys(x for x in used if isinstance(x, Tensor) and x not in self.inside))


def composites(between: Set[Tensor], output: Tensor, wrt: Tensor) -> dict[Tensor, Composite]:
    """By their results, the composites that are made of plain operations only, and give one tensor.

    What contains other composites is opened: their derivatives are known, and its own then is the chain rule. So is
    what goes all the way from `wrt` to `output`: its derivative is the question.
    """
    made: dict[Scope, set[Tensor]] = {}
    around: set[Scope] = set()
    for t in between:
        if t.scope is not None and t is not wrt and not t.scope.name.startswith("∂"):  # derivatives have no name
            *outer, own = t.scope.path()
            made.setdefault(own, set()).add(t)
            around.update(outer)
    users = _users(between)
    found: dict[Tensor, Composite] = {}
    for scope, inside in made.items():
        results = [t for t in inside if t is output or not inside.issuperset(users.get(t, ()))]
        if scope in around or len(results) != 1:
            continue
        composite = Composite(scope, results[0], frozenset(inside))
        if composite.result is not output or any(x in between and x is not wrt for x in composite.inputs):
            found[composite.result] = composite
    return found


def _users(between: Iterable[Tensor]) -> Mapping[Tensor, list[Tensor]]:
    users: dict[Tensor, list[Tensor]] = {}
    for t in between:
        for x in t.inputs:
            if isinstance(x, Tensor):
                users.setdefault(x, []).append(t)
    return users
