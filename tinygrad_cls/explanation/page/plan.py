"""What stands in the drawing of a derivation: boxes, arrows, and the rooms into which a long one is folded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from ...algebra.evaluate import by_position
from ...drawing import values
from ...engine.recording import Scope
from .. import boxes
from ..sentences import composite_name, say
from .graphs import LONGEST, graph, label, short
from .rooms import Item, Room, Rooms, folded, names_in, numbered

if TYPE_CHECKING:
    from ..derivation import Derivation, Local, Step
    from ..formula import Formula

WHOLE = 6  # numbers of an array in a box
SHOWN = 60  # steps of one kind unfolded; the others can be opened
_MOST = 300  # steps of one kind; of more the first and the last, or nobody could open the page
_BESIDE = 30  # characters at an arrow
_WAYS = 3  # by which something comes back to a box, each with a line in it
_REST = "\n"  # stands for all that has no box; no name has a line's end in it

T = TypeVar("T")


class Plan(NamedTuple):
    """What stands in the drawing.

    Attributes:
        steps: the steps of the chain rule that stand on the page, by number.
        made: what is computed, by name, in the order of the page's list.
        values: the values of all that has a box.
        box: the boxes, by name.
        arrow: the arrows, each from what a box is computed from.
        back: what is done along some of them to the gradient that comes back.
        lines: by the name of a box the ways by which something comes back to it, None for all of it: each has a line.
        rest: what the box says that stands for all that is not on the page.
        rooms: the whole and the rooms in it.
    """

    steps: Mapping[int, Step]
    made: Mapping[str, Formula]
    values: Mapping[str, Any]
    box: Mapping[str, str]
    arrow: Mapping[tuple[str, str], str]
    back: Mapping[tuple[str, str], str]
    lines: Mapping[str, Sequence[str | None]]
    rest: str
    rooms: Rooms

    def shown(self, name: str) -> str:
        """The name of the box in which something stands."""
        return name if name in self.box else _REST


def parted(steps: Sequence[T]) -> tuple[Sequence[T], Sequence[T], Sequence[T]]:
    """The first steps on a page, those that can be opened, and the last."""
    half = SHOWN // 2
    if len(steps) <= SHOWN:
        return steps, (), ()
    return steps[:half], steps[half:-half] if len(steps) <= _MOST else (), steps[-half:]


def planned(d: Derivation) -> Plan | None:
    """The drawing of a derivation; None where no more than one operation is on the page."""
    first, middle, last = parted([(i, step) for i, step in enumerate(d.steps, 1) if step.results])
    steps = dict([*first, *middle, *last])
    defined = [step for step in reversed(steps.values()) if step.definition is not None]
    if len(defined) < 2:
        return None
    made = dict(step.definition for step in defined if step.definition is not None)
    hidden = [step for i, step in enumerate(d.steps, 1) if step.definition is not None and i not in steps]
    leaves = _leaves(d)
    passed = {name: [p.name for p in step.results] for name, step in zip(made, defined, strict=True)}
    operands: dict[str, list[str]] = {}
    for name, formula in made.items():
        operands[name] = _operands(formula, passed[name], made, leaves, operands)
    names = dict.fromkeys([*(x for some in operands.values() for x in some if x not in made and x in leaves), *made])
    pairs = [(x if x in names else _REST, name) for name in made for x in operands[name]]
    if hidden:
        used = {p.name for step in hidden for p in step.results}
        pairs += [(x, _REST) for x in names if x in used]
        names[_REST] = None
    back = {
        (x.name if x.name in names else _REST, name): _times(x)
        for name, step in zip(made, defined, strict=True)
        for x in step.local
    }
    return Plan(
        steps,
        made,
        {name: made[name].value if name in made else leaves[name] for name in names if name != _REST},
        {name: f"b{i}" for i, name in enumerate(names)},
        {pair: f"a{i}" for i, pair in enumerate(dict.fromkeys(pairs))},
        back,
        _lines(steps.values()),
        say(d.lang, "left out", n=f"{len(hidden):,}"),
        _rooms(d, defined, bool(hidden)),
    )


def _times(derivative: Local) -> str:
    """What is done to a gradient on its way back: `× y′`, or where it is more than that, all of it."""
    if derivative.factor is None:
        return str(derivative.formula)
    factor = str(derivative.factor)
    loose = derivative.factor.box.binding == boxes.SUM and (" + " in factor or " − " in factor)
    return f"× ({factor})" if loose else f"× {factor}"


def _leaves(d: Derivation) -> dict[str, Any]:
    """The values of what the loss was computed from, by name."""
    recorded = d.loss.recorded
    found: dict[str, Any] = {}
    for name, (x, layout) in recorded.names.items():
        found[name] = by_position(recorded.value(x), x.axes, layout)
    return found | dict(d.unnamed)


def _operands(
    formula: Formula,
    passed: list[str],
    made: Mapping[str, Formula],
    leaves: Mapping[str, Any],
    known: Mapping[str, list[str]],
) -> list[str]:
    """The names from which a formula computes, as it is written: not those of which an operand is made that it spells
    out."""
    mentioned = {part.text.strip() for part in boxes.inside(formula.box) if part.kind == "text"}  # no indices
    spelt = [x for x in passed if x not in mentioned]
    for x in spelt:
        spelt += known.get(x, ())
    return list(dict.fromkeys([*passed, *(x for x in (*made, *leaves) if x in mentioned and x not in spelt)]))


def _lines(steps: Iterable[Step]) -> dict[str, list[str | None]]:
    found: dict[str, dict[str | None, None]] = {}
    for step in steps:
        for p in step.results:
            found.setdefault(p.name, {})[p.via] = None
    return {name: list(ways) for name, ways in found.items() if len(ways) <= _WAYS + 1}


def _rooms(d: Derivation, defined: Sequence[Step], hidden: bool) -> Rooms:
    """The rooms of what is computed; what is left out comes in the middle."""

    def titled(of: Scope | int) -> str:
        return say(d.lang, "operations", n=of) if isinstance(of, int) else composite_name(of.name, d.lang).strip()

    names = [step.definition[0] for step in defined if step.definition is not None]
    nodes = zip(names, (step.node for step in defined), strict=True)
    scopes = {name: t.scope.path() for name, t in nodes if t is not None and t.scope is not None}
    half = len(names) // 2 if hidden else len(names)
    items = [*folded(names[:half], scopes, titled), *[_REST] * hidden, *folded(names[half:], scopes, titled)]
    return numbered(Room(say(d.lang, "whole"), tuple(names), tuple(items)))


def written(value: Any) -> str:
    """A value in a box: a small array whole, of a large one its range."""
    array = np.asarray(value)
    array = array.astype(int) if array.dtype.kind == "b" else array  # one-hot rows
    whole = values.whole(array) if array.size <= WHOLE else None
    return whole or values.summary(array)[0].replace("-", "−")


def drawn(plan: Plan, number: int, said: Mapping[str, Mapping[int, str]]) -> str:
    """A room in the DOT language: what it shows, and around that what it is computed from, and what uses it.

    Args:
        plan: what stands in the drawing.
        number: of the room.
        said: what is said of the gradient of each box, line by line, to make room for it.
    """
    room = plan.rooms[number][0]
    result = {name: names_in(item)[-1] for item in room.items for name in names_in(item)}  # in whose box a name stands
    arrows: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for x, name in plan.arrow:
        ends = result.get(x, x), result.get(name, name)
        if ends[0] != ends[1] and (x in result or name in result):
            arrows.setdefault(ends, []).append((x, name))
    items = {names_in(item)[-1]: item for item in room.items}
    for (x, name), some in list(arrows.items()):  # what a folded room alone is given is seen inside
        own = isinstance(items.get(name), Room) and plan.back.keys().isdisjoint(some)
        if own and x not in plan.made and sum(x in ends for ends in arrows) == 1:
            del arrows[x, name]
    whole = graph()
    inner = graph() if number else whole
    inner.attr(style="dashed,rounded", color="gray")
    for name in plan.box:  # in an order that depends on nothing else
        if name in items or any(name in ends for ends in arrows):
            _box(plan, inner if name in items else whole, name, items.get(name), said.get(plan.box[name], {}))
    if number:
        inner.name = "cluster"
        whole.subgraph(inner)
    for (x, name), some in sorted(arrows.items(), key=lambda arrow: plan.back.keys().isdisjoint(arrow[1])):
        back = [plan.back[pair] for pair in some if pair in plan.back]
        more: dict[str, str] = {"dir": "both", "class": "back"} if back else {"class": "constant"}
        if back and len(some) == 1:
            more["label"] = label([f"\xa0{short(back[0], _BESIDE)}"])
        whole.edge(plan.box[x], plan.box[name], id=" ".join(plan.arrow[pair] for pair in some), **more)
    return str(whole.source)


def _box(plan: Plan, drawn: Any, name: str, item: Item | None, said: Mapping[int, str]) -> None:
    """A box with room for all that it says in turn: an item of the room, or what stands around that."""
    at, made = plan.box[name], plan.made
    if name == _REST:
        drawn.node(at, label([plan.rest]), id=at, **{"class": "box rest"})
        return
    title, kind = name, "box"
    if isinstance(item, Room):
        title = f"▸ {name}: {item.title}"
        kind = f"box made group r{next(i for i, (room, _) in enumerate(plan.rooms) if room is item)}"
    elif name in made:
        title = name if item is None else f"{name} = {short(str(made[name]), LONGEST)}"
        kind = "box made outside" if item is None else "box made"
    gradients = [said[i] for i in sorted(said)]
    if "group" in kind or "outside" in kind:
        gradients = gradients[-1:]
    lines = [title, f"= {written(plan.values[name])}", *gradients]
    drawn.node(at, label(lines), id=at, width=str(0.075 * max(map(len, lines)) + 0.3), **{"class": kind})
