"""The graph of a derivation as a drawing to step through: which boxes and arrows a step is about, and what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...algebra.evaluate import by_position
from ...drawing import values
from .. import boxes
from ..sentences import say
from .graphs import LONGEST, graph, label, picture, short, svg

if TYPE_CHECKING:
    from ..derivation import Derivation, Step
    from ..formula import Formula

_MOST = 40  # boxes; a drawing of more is no longer followed step by step
_WHOLE = 6  # numbers of an array in a box
_BESIDE = 22  # characters of one at an arrow

_ASIDE = """
  .stepping:has(.stage) { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, min(42rem, 60%));
    column-gap: 2.5rem; max-width: none }
  .stepping > * { grid-column: 2 }
  .stepping > h1 { grid-column: 1 / -1 }
  .derivation.stepping .stage { grid-column: 1; grid-row: 2 / span 999; align-self: start; top: 1rem; border: 0 }
  .stepping .scene, .stepping .picture { max-height: calc(100vh - 13rem) }
  .derivation.stepping .picture svg { max-height: calc(100vh - 13.5rem) }
  .stepping:has(.stage) [aria-current] { scroll-margin-top: 1rem }
"""
_STYLE = """
.stage { --value: #2f6b35; --gradient: #1f4fa8; --page: #fff }
@media (prefers-color-scheme: dark) { .stage { --value: #8fd09a; --gradient: #9dbcf7; --page: #14171d } }
@media print { .stage { --value: #000; --gradient: #000 } }
.derivation .stage svg { display: block; margin: auto }
.derivation .stage svg { background: none }
.stage :is(path, rect, polygon) { stroke: currentcolor }
.stage :is(path, rect) { fill: none }
.stage :is(polygon, text) { fill: currentcolor }
.stage text { text-anchor: middle; font-size: 12px }
.stage .edge text { font-size: 11px }
.scene .box text + text { fill: var(--value) }
.scene .box text + text + text, .scene .back text { fill: var(--gradient) }
.scene .constant { opacity: .5 }
.scene .back:not(.reached) :is(text, polygon:first-of-type), .scene .unknown text + text { visibility: hidden }
.scene .unknown { opacity: .65 }
.scene .unknown rect { stroke-dasharray: 3 4 }
.scene .reached polygon:first-of-type { stroke: var(--gradient); fill: var(--gradient) }
.scene .active :is(path, rect) { stroke: var(--gradient); stroke-width: 2.5 }
.scene .box.active rect { fill: #5878c026 }
@media screen {
  .derivation.stepping .stage { position: sticky; top: 0; z-index: 1; margin: 0; padding: .6rem 0;
    background: var(--page); border-bottom: 1px solid #8888 }
  .stepping .stage figcaption { display: none }
  .stepping .scene, .stepping .picture { overflow: auto; max-height: 36vh }
  .derivation.stepping .scene svg { max-width: none }
  .derivation.stepping .picture svg { max-height: 35vh }
  .stepping:has(.stage) [aria-current] { scroll-margin-top: 42vh }
}
@media screen and (max-width: 80rem) {
  body:has(.touch[open]) .stage { display: none }
}
.scene .box.lit rect { fill: #f0a03060 }
.derivation mi.lit { background: #f0a03060; border-radius: .2em; outline: 1px solid #c8791a }
.derivation .forward li:has(.left mi.lit) { background: #f0a03028 }
.scene .box:focus-visible { outline: 3px solid #5878c0; outline-offset: 2px }
.derivation .stage { position: relative }
.zoom { position: absolute; inset: .3rem 0 auto auto; display: flex; flex-direction: column; gap: .3rem }
.zoom button { font: inherit; min-width: 2rem; min-height: 2rem; padding: 0; color: inherit; background: var(--page);
  border: 1px solid #767b86; border-radius: .5rem; cursor: pointer }
.zoom button:focus-visible { outline: 3px solid #5878c0; outline-offset: 2px }
.stage:has(.scene[hidden]) .zoom { display: none }
.stepping .scene { cursor: grab; touch-action: pan-x pan-y }
@media print { .zoom { display: none } }
@media screen and (prefers-reduced-motion: no-preference) {
  .scene .box, .scene :is(path, rect) { transition: opacity .3s, stroke .3s }
}
"""
# The drawing stands on the left of the steps where there is room for both, and for an open panel.
_WIDE = f"""
@media screen and (min-width: 84rem) {{
  body:not(:has(.touch[open])):has(.stepping .stage) {{ max-width: 100rem }}
  body:not(:has(.touch[open])) {{{_ASIDE}}}
}}
@media screen and (min-width: 112rem) {{ body:has(.touch[open]) {{{_ASIDE}}} }}
"""
STYLE = _STYLE + _WIDE


class Scene(NamedTuple):
    """What is drawn beside the steps of a derivation.

    Attributes:
        svg: the graph of the loss, each box with its value and its gradient.
        caption: what it shows, in words.
        data: which of it each position is about; see `scene`.
        pictures: the graphs of the gradient while it is simplified, by the number of the step; the last by 0.
    """

    svg: str
    caption: str
    data: Mapping[str, Any]
    pictures: Mapping[int, str]


class _Plan(NamedTuple):
    """What stands in the drawing.

    Attributes:
        made: what is computed, by name, in the order of the page's list.
        leaves: the values of what it is computed from, by name.
        box: the boxes, by name.
        arrow: the arrows, each from what a box is computed from.
    """

    made: Mapping[str, Formula]
    leaves: Mapping[str, Any]
    box: Mapping[str, str]
    arrow: Mapping[tuple[str, str], str]


def scene(d: Derivation) -> Scene | None:
    """The drawing of a derivation; None for one that is too long to draw, or of one operation.

    Its data: `whole`, how many numbers of an array stand in a box, and of more their range; `names`, the name of each
    box; `order`, the boxes of what is computed, in the order of the page's list; `leaves`, the boxes of what it is
    computed from, by name; `steps`, by the number of a step of the chain rule the box `at` which it is, the `arrows`
    that it goes back along, and the `gradients` that are known after it: of each the box, its name, and its text. A box
    is `b3`, an arrow `a3`.
    """
    links = {i: step for i, step in enumerate(d.steps, 1) if step.results}
    defined = [step for step in links.values() if step.definition is not None]
    if not 1 < len(defined) <= _MOST:
        return None
    plan = _planned(d, defined)
    steps = {str(i): _step(step, plan) for i, step in links.items()}
    data = {
        "whole": _WHOLE,
        "names": {at: name for name, at in plan.box.items()},
        "order": [plan.box[name] for name in plan.made],
        "leaves": {name: plan.box[name] for name in plan.leaves if name in plan.box and name not in plan.made},
        "steps": steps,
    }
    known = [tuple(found) for step in steps.values() for found in step["gradients"]]
    caption = say(d.lang, "stage", output=d.output, wrt=d.wrt)
    return Scene(svg(_drawn(plan, defined, known)), caption, data, _pictures(d))


def _planned(d: Derivation, defined: Sequence[Step]) -> _Plan:
    made = dict(step.definition for step in reversed(defined) if step.definition)
    leaves = _leaves(d)
    passed = {step.definition[0]: [p.name for p in step.results] for step in defined if step.definition}
    operands = {name: _operands(formula, passed[name], made, leaves) for name, formula in made.items()}
    names = dict.fromkeys([*(x for inputs in operands.values() for x in inputs if x not in made), *made])
    pairs = [(x, name) for name in made for x in operands[name]]
    return _Plan(
        made, leaves, {name: f"b{i}" for i, name in enumerate(names)}, {pair: f"a{i}" for i, pair in enumerate(pairs)}
    )


def _drawn(plan: _Plan, defined: Sequence[Step], known: Sequence[tuple[str, str, str]]) -> str:
    """The drawing in the DOT language, each box with room for all that it says in turn."""
    drawn, made = graph(), plan.made
    for name, at in plan.box.items():
        title = f"{name} = {short(str(made[name]), LONGEST)}" if name in made else name
        value = made[name].value if name in made else plan.leaves[name]
        gradients = [f"{called} = {said}" for place, called, said in known if place == at]
        width = 0.075 * max(map(len, [title, *gradients])) + 0.3
        kind = {"class": "box made" if name in made else "box"}
        drawn.node(at, label([title, f"= {written(value)}", *gradients[-1:]]), id=at, width=str(width), **kind)
    back = {}
    for step in defined:
        for x, name in _arrows(step, plan):
            back[x, name] = next(str(p.formula) for p in step.lemma or step.results if p.name == x)
    for (x, name), at in sorted(plan.arrow.items(), key=lambda arrow: arrow[0] not in back):
        if (x, name) in back:
            more = {"label": label([short(back[x, name], _BESIDE)]), "dir": "both", "class": "back"}
        else:
            more = {"class": "constant"}
        drawn.edge(plan.box[x], plan.box[name], id=at, **more)
    return str(drawn.source)


def figure(found: Scene) -> str:
    """The drawing as a part of a page; a script steps through it, and without one it stands there as it is."""
    pictures = "".join(f'<div class="picture" data-step="{i}" hidden>{svg}</div>' for i, svg in found.pictures.items())
    data = escape(json.dumps(found.data, ensure_ascii=False, separators=(",", ":")), quote=True)
    return (
        f'<figure class="stage" data-scene="{data}"><div class="scene">{found.svg}</div>{pictures}'
        f"<figcaption>{escape(found.caption)}</figcaption></figure>"
    )


def written(value: Any) -> str:
    """A value in a box: a small array whole, of a large one its range."""
    array = np.asarray(value)
    array = array.astype(int) if array.dtype.kind == "b" else array  # one-hot rows
    whole = values.whole(array) if array.size <= _WHOLE else None
    return whole or values.summary(array)[0].replace("-", "−")


def _step(step: Step, plan: _Plan) -> dict[str, Any]:
    box = plan.box
    name = step.results[0].name if step.definition is None else step.definition[0]
    gradients = []
    for partial in step.results:
        if partial.name in box:
            called = f"∂{partial.name}" + ("" if partial.via is None else f" ({partial.via})")
            gradients.append([box[partial.name], called, written(partial.formula.value)])
    return {"at": box[name], "arrows": [plan.arrow[pair] for pair in _arrows(step, plan)], "gradients": gradients}


def _arrows(step: Step, plan: _Plan) -> Iterator[tuple[str, str]]:
    """The arrows that a step of the chain rule goes back along, each once."""
    if step.definition is not None:
        for x in dict.fromkeys(partial.name for partial in step.results):
            if (x, step.definition[0]) in plan.arrow:
                yield x, step.definition[0]


def _leaves(d: Derivation) -> dict[str, Any]:
    """The values of what the loss was computed from, by name."""
    recorded = d.loss.recorded
    found: dict[str, Any] = {}
    for name, (x, layout) in recorded.names.items():
        found[name] = by_position(recorded.value(x), x.axes, layout)
    return found | dict(d.unnamed)


def _operands(formula: Formula, passed: list[str], made: Mapping[str, Formula], leaves: Mapping[str, Any]) -> list[str]:
    """The names from which a formula computes, as it is written."""
    mentioned = {part.text.strip() for part in boxes.inside(formula.box)}
    return list(dict.fromkeys([*passed, *(x for x in (*made, *leaves) if x in mentioned)]))


def _pictures(d: Derivation) -> dict[int, str]:
    """The gradient's graph after each of the last steps of algebra, and in the end."""
    steps = [(i, step.after) for i, step in enumerate(d.steps, 1) if step.kind == "algebra" and not step.results]
    return {i: picture(f"∂{d.output}/∂{d.wrt}", formula) for i, formula in [*steps, (0, d.gradient)]}
