"""The graph of a derivation as a drawing to step through: which boxes and arrows a step is about, and what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from ..sentences import say
from .graphs import picture, svg
from .plan import WHOLE, Plan, drawn, planned, written
from .rooms import Rooms

if TYPE_CHECKING:
    from ..derivation import Derivation, Step


class Scene(NamedTuple):
    """What is drawn beside the steps of a derivation.

    Attributes:
        drawings: the graph of the loss, each box with its value and its gradient; of a long one several: first the
            whole, in which rooms are folded into boxes, then each room.
        rooms: these.
        caption: what it shows, in words.
        data: which of it each position is about; see `scene`.
        pictures: the graphs of formulas, by the number of the step: of the loss while it is rewritten, of the gradient
            while it is simplified; the first by "question", the last by "result".
    """

    drawings: list[str]
    rooms: Rooms
    caption: str
    data: Mapping[str, Any]
    pictures: Mapping[int | str, str]


def scene(d: Derivation) -> Scene | None:
    """The drawing of a derivation; None for one of one operation.

    Its data: `whole`, how many numbers of an array stand in a box, and of more their range; `names`, the name of each
    box; `order`, the boxes of what is computed, in the order of the page's list; `leaves`, the boxes of what it is
    computed from, by name; `rooms`, by drawing the boxes of all that is computed in it; `steps`, by the number of a
    step of the chain rule the box `at` which it is, the `arrows` that it goes back along, and the `gradients` that are
    known after it: of each the box, the line in it, its name, and its text. A box is `b3`, an arrow `a3`.
    """
    plan = planned(d)
    if plan is None:
        return None
    steps = {str(i): _step(step, plan) for i, step in plan.steps.items()}
    data = {
        "whole": WHOLE,
        "names": {at: name for name, at in plan.box.items() if name in plan.values},
        "order": [plan.box[name] for name in plan.made],
        "leaves": {name: plan.box[name] for name in plan.values if name not in plan.made},
        "rooms": [[plan.box[name] for name in room.inside] for room, _ in plan.rooms],
        "steps": steps,
    }
    said: dict[str, dict[int, str]] = {}  # the last of what is said in a line is the longest, as good as always
    for step in steps.values():
        for at, line, called, text in step["gradients"]:
            said.setdefault(at, {})[line] = f"{called} = {text}"
    caption = say(d.lang, "stage", output=d.output, wrt=d.wrt)
    drawings = [svg(drawn(plan, i, said)) for i in range(len(plan.rooms))]
    return Scene(drawings, plan.rooms, caption, data, _pictures(d))


def figure(found: Scene) -> str:
    """The drawing as a part of a page; a script steps through it, and without one it stands there as it is."""
    pictures = "".join(f'<div class="picture" data-step="{i}" hidden>{svg}</div>' for i, svg in found.pictures.items())
    data = escape(json.dumps(found.data, ensure_ascii=False, separators=(",", ":")), quote=False).replace("'", "&#39;")
    drawings = "".join(map(_room, range(len(found.drawings)), found.drawings, [found.rooms] * len(found.drawings)))
    return (
        f"<figure class=\"stage\" data-scene='{data}'>"
        f'<div class="scene">{drawings}</div>{pictures}'
        f"<figcaption>{escape(found.caption)}</figcaption></figure>"
    )


def _room(i: int, svg: str, rooms: Rooms) -> str:
    """A drawing; of a room, with the way out to those around it."""
    around = rooms[i][1]
    way = "".join(f'<button type="button" data-room="{j}">{escape(rooms[j][0].title)}</button> › ' for j in around)
    way = f'<p class="within">{way}{escape(rooms[i][0].title)}</p>' if way else ""
    return f'<div class="room"{" hidden" if way else ""}>{way}{svg}</div>'


def _step(step: Step, plan: Plan) -> dict[str, Any]:
    name = step.results[0].name if step.definition is None else step.definition[0]
    gradients = []
    for partial in step.results:
        if partial.name in plan.box:
            called = f"∂{partial.name}" + ("" if partial.via is None else f" ({partial.via})")
            line = plan.lines.get(partial.name, [None]).index(partial.via) if partial.name in plan.lines else 0
            gradients.append([plan.box[partial.name], line, called, written(partial.formula.value)])
    return {"at": plan.box[name], "arrows": [plan.arrow[pair] for pair in _arrows(step, plan)], "gradients": gradients}


def _arrows(step: Step, plan: Plan) -> Iterator[tuple[str, str]]:
    """The arrows that a step of the chain rule goes back along, each once; of a sum, those that meet."""
    ways = [step.definition[0]] if step.definition is not None else step.ways
    pairs = ((plan.shown(p.name), plan.shown(way)) for p in step.results for way in ways)
    yield from (pair for pair in dict.fromkeys(pairs) if pair in plan.arrow)


def _pictures(d: Derivation) -> dict[int | str, str]:
    """The graph of the loss while it is rewritten, from the question on, and of the gradient while it gets simpler."""
    slope = f"∂{d.output}/∂{d.wrt}"
    found: dict[int | str, str] = {}
    for i, step in enumerate(d.steps, 1):
        if step.kind == "rewriting":
            if not found:
                found["question"] = picture(d.output, step.before)
            found[i] = picture(d.output, step.after)
        elif step.kind == "algebra" and not step.results:
            found[i] = picture(slope, step.after)
    return {**found, "result": picture(slope, d.gradient)}
