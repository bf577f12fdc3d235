"""The DOT text of a picture."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import graphviz

from ..engine.recording import Scope
from ..engine.tensor import Array
from ..visible import visible
from .boxes import Look, Plan
from .formulas import filled, literal, option
from .graph import Literal
from .naming import names
from .style import COMPOSITE, CONSTANT, FONT, GRADIENT, INK, NUMBERS, OUTPUT, OUTPUT_FOLDED, PALE, PAPER, STYLES
from .values import lines, shape
from .words import PICTURE

_PAGE = 1400  # points, from left to right, that can be read as a whole
_AROUND = 42  # points around the text of a box, up to the next one
_LISTED = 3  # parameters of a folded layer
_SHORT = 4  # letters of a name that stands beside its gradient


Frame = Scope | int  # an unfolded composite, or the number of a repeated layer
Path = tuple[Frame, ...]


def dot(plan: Plan, look: Look) -> str:
    """The picture in the DOT language. Equal structures give equal text."""
    written = titles(plan, look.lang)
    look = look._replace(direction=look.direction or _direction(plan, look, written))
    graph = {
        "rankdir": look.direction or "LR",
        "fontname": FONT,
        "fontsize": "11",
        "fontcolor": PALE,
        "bgcolor": PAPER,
        "ranksep": "0.35",
        "nodesep": "0.25",
        "labelloc": "b",
        "labeljust": "l",
    }
    if look.legend:
        graph["label"] = _legend(plan, look, written)
    picture = graphviz.Digraph(
        graph_attr=graph,
        node_attr={"fontname": FONT, "fontsize": "12", "fontcolor": INK, "margin": "0.12,0.06", "height": "0.3"},
        edge_attr={"arrowsize": "0.7", "color": "#3b4252"},
    )
    _write_frame(picture, plan, look, written, _frames(plan), (), [0])
    stopped = _stopped(plan)
    for key in plan.boxes:
        for position, (x, _) in enumerate(plan.sources(key)):
            line = {"style": "dashed", "color": CONSTANT} if (x, key) in stopped else {}
            picture.edge(f"n{x}", f"n{key}", id=f"n{x}-n{key}-{position}", **line)
    return str(picture.source)


def _stopped(plan: Plan) -> set[tuple[int, int]]:
    """The arrows along which no gradient goes back, of a drawing in which some go."""
    if not any(plan.graph.nodes[key].requires_grad for key in plan.outputs):
        return set()
    arrows = ((x, key, flows) for key in plan.boxes for x, flows in plan.sources(key))
    return {(x, key) for x, key, flows in arrows if not flows and plan.boxes[x].kind != "elided"}


def titles(plan: Plan, lang: str = "en") -> dict[int, tuple[str, str]]:
    """By box its name, and what it says: `y′ = e / s`."""
    keys: dict[int, None] = {}
    for key, box in plan.boxes.items():
        keys.update(dict.fromkeys(x for x in box.inputs if not isinstance(x, Literal)))
        if box.kind != "elided":
            keys[key] = None
    firsts = {key: box.nodes[0] for key, box in plan.boxes.items() if box.kind == "operation"}
    called = names(plan.graph, {key: firsts.get(key, key) for key in keys})

    def title(key: int) -> str:
        box, name = plan.boxes[key], called.get(key, "")
        within = [scope.name.rpartition(": ")[0] for scope in box.frames] + [box.title.rpartition(": ")[0]]

        def operand(i: int) -> str:
            x = box.inputs[i]
            if i in box.again:
                return "…"
            return literal(x.value) if isinstance(x, Literal) else _inside(called[x], within)

        formula = filled(box.formula, operand)
        if box.part:
            return PICTURE[lang]["part"].format(name=name, call=formula)
        return f"{name} = {formula}" if formula else name

    return {key: (called.get(key, ""), title(key)) for key in plan.boxes}


def _inside(name: str, within: Iterable[str]) -> str:
    """A parameter's name inside its layer: of `layers.0.weight` the weight."""
    return next((name[len(path) + 1 :] for path in within if path and name.startswith(f"{path}.")), name)


def _direction(plan: Plan, look: Look, written: Mapping[int, tuple[str, str]]) -> str:
    """From left to right where that is not too wide, by a rough measure, else from top to bottom."""
    reach: dict[int, float] = {}
    for key, box in plan.boxes.items():
        shown = lines(plan.graph.nodes[key].value) if look.values and box.kind != "elided" else []
        labels = 24 if key in look.gradients else 0
        wide = max(7.2 * len(written[key][1]), *(6 * len(line) + labels for line in shown), 0) + _AROUND
        reach[key] = wide + max((reach[x] for x, _ in plan.sources(key)), default=0)
    return "LR" if max(reach.values()) <= _PAGE else "TB"


# --- frames ---------------------------------------------------------------------------------------------------


def _frames(plan: Plan) -> dict[int, Path]:
    """The frames around each box, outermost first; a leaf stands in the frame of those that alone use it."""
    frames: dict[int, Path] = {key: box.frames for key, box in plan.boxes.items()}
    for number, (_, keys) in enumerate(plan.repeats):
        common = _common([frames[key] for key in keys if plan.boxes[key].inputs])
        for key in keys:
            inner = frames[key][len(common) :] if plan.boxes[key].inputs else ()
            frames[key] = (*common, number, *inner)
    users: dict[int, list[int]] = {}
    for key in plan.boxes:
        for x, _ in plan.sources(key):
            users.setdefault(x, []).append(key)
    for key, box in plan.boxes.items():
        node = plan.graph.nodes[key]
        if not box.inputs and box.kind == "constant" and node.name is None and key in users and not frames[key]:
            frames[key] = _common([frames[user] for user in users[key]])
    return frames


def _common(paths: list[Path]) -> Path:
    shared: list[Frame] = []
    for level in zip(*paths, strict=False):
        if any(frame != level[0] for frame in level):
            break
        shared.append(level[0])
    return tuple(shared)


def _write_frame(
    picture: Any,
    plan: Plan,
    look: Look,
    written: Mapping[int, tuple[str, str]],
    frames: dict[int, Path],
    path: Path,
    counter: list[int],
) -> None:
    """The boxes directly inside a frame, and the frames inside it. Its depth is that of nested composites."""
    inner: dict[Frame, None] = {}
    for key, at in frames.items():
        if at == path:
            _write_box(picture, plan, look, key, *written[key])
        elif at[: len(path)] == path:
            inner[at[len(path)]] = None
    for frame in inner:
        counter[0] += 1
        inside = {key: at for key, at in frames.items() if at[: len(path) + 1] == (*path, frame)}
        with picture.subgraph(name=f"cluster_{counter[0]}") as cluster:
            cluster.attr(label=_heading(plan, look, frame), labeljust="l", labelloc="t", margin="10")
            if isinstance(frame, Scope):
                cluster.attr(style="rounded,dashed", color=COMPOSITE, fontcolor=COMPOSITE, **{"class": "composite"})
            else:
                cluster.attr(style="rounded,bold", color="#3b4252", fontcolor=INK, **{"class": "repeated"})
            _write_frame(cluster, plan, look, written, inside, (*path, frame), counter)


def _heading(plan: Plan, look: Look, frame: Frame) -> str:
    if isinstance(frame, Scope):
        return f"<{shown(frame.name)}>"
    return shown(PICTURE[look.lang]["repeated"].format(times=plan.repeats[frame][0]))


# --- boxes ----------------------------------------------------------------------------------------------------


def _write_box(picture: Any, plan: Plan, look: Look, key: int, name: str, title: str) -> None:
    box, node = plan.boxes[key], plan.graph.nodes[key]
    output = key in plan.outputs
    if box.kind == "elided":
        rows = [_row(PICTURE[look.lang]["nodes"].format(n=len(box.nodes)), bold=True)]
        rows.append(_row(box.title, size=10))
    else:
        rows = [_row(title, bold=True, size=13)]
        if besides := _besides(plan, look, key):
            rows.append(_row(besides, PALE, 9))
        if box.holds:
            rows.append(_row(_held(plan, look, key), PALE, 9))
        gradient = look.gradients.get(key)
        if look.values:
            rows.append(_values("", node.value, INK))
            if gradient is not None:
                rows.append(_values(f"∂{name}" if len(name) <= _SHORT else "∂", gradient, GRADIENT))
    table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{"".join(rows)}</TABLE>'
    kind = f"{box.kind} output" if output else box.kind
    attributes = STYLES[box.kind] | ((OUTPUT_FOLDED if box.kind == "composite" else OUTPUT) if output else {})
    picture.node(f"n{key}", f"<{table}>", id=f"n{key}", **attributes, **{"class": kind})


def _besides(plan: Plan, look: Look, key: int) -> str:
    """Where a layer stands, the shape, the dtype if it is not float64, and along which axis."""
    box, node = plan.boxes[key], plan.graph.nodes[key]
    where = box.title.rpartition(": ")[0] if box.kind == "composite" else ""
    parts = [where] if where else []
    parts.append(shape(node.value) or PICTURE[look.lang]["scalar"])
    if str(node.value.dtype) != "float64":
        parts[-1] += f" {node.value.dtype}"
    if box.kind == "operation" and node.value.ndim:
        done = (plan.graph.nodes[i].parameters for i in box.nodes)
        axes = [p[which] for p in done for which in ("axis", "axes") if p.get(which) is not None]
        parts += [f"axis {option(axis)}" for axis in axes]
    return " · ".join(parts)


def _held(plan: Plan, look: Look, key: int) -> str:
    """A folded layer's own parameters."""
    box = plan.boxes[key]
    nodes = [plan.graph.nodes[x] for x in box.holds]
    if len(nodes) > _LISTED:
        return PICTURE[look.lang]["parameters"].format(n=sum(node.value.size for node in nodes))
    return ", ".join(f"{(node.name or '').rpartition('.')[2]} {shape(node.value)}".strip() for node in nodes)


def _row(text: str, color: str = INK, size: int = 12, bold: bool = False) -> str:
    return f'<TR><TD COLSPAN="2"{_room(text, size)}>{_cell(text, color, size, bold)}</TD></TR>'


def _cell(text: str, color: str = INK, size: int = 12, bold: bool = False) -> str:
    content = f'<FONT COLOR="{color}" POINT-SIZE="{size}">{shown(text)}</FONT>'
    return f"<B>{content}</B>" if bold else content


def _values(label: str, array: Array, color: str) -> str:
    written = lines(array)
    texts = '<BR ALIGN="LEFT"/>'.join(
        f'<FONT FACE="{NUMBERS}" COLOR="{color}" POINT-SIZE="10">{shown(line)}</FONT>' for line in written
    )
    if len(written) > 1:
        texts += '<BR ALIGN="LEFT"/>'
    if not label:
        return f'<TR><TD></TD><TD ALIGN="LEFT">{texts}</TD></TR>'
    label = f'<TD ALIGN="RIGHT"{_room(label + " ", 10)}>{_cell(label + " ", color, 10)}</TD>'
    return f'<TR>{label}<TD ALIGN="LEFT">{texts}</TD></TR>'


def shown(text: str) -> str:
    """Any text so that a label shows it as it is: no markup, no DOT escapes; what has no picture as in Python."""
    return html.escape(visible(text)).replace("\\", "&#92;&#92;")


def _room(text: str, points: int) -> str:
    """The least width of a cell. The layout program knows the widths of Latin letters; Chinese ones are wider."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return f' WIDTH="{round((wide * 1.05 + (len(text) - wide) * 0.6) * points)}"' if wide else ""


# --- the legend -----------------------------------------------------------------------------------------------


def _legend(plan: Plan, look: Look, written: Mapping[int, tuple[str, str]]) -> str:
    """What the kinds of boxes mean that occur: small, and under the drawing."""
    words = PICTURE[look.lang]
    kinds = {box.kind for key, box in plan.boxes.items() if key not in plan.outputs}
    entries = [(_swatch(STYLES[kind]), words[kind]) for kind in STYLES if kind in kinds]
    entries.append((_swatch(STYLES["operation"] | OUTPUT), words["output"]))
    if look.values and look.gradients:
        output = written[plan.outputs[0]][0]
        entries.append((f"<TD>{_cell('∂', GRADIENT, 10)}</TD>", words["gradient"].format(output=output)))
    if _stopped(plan):
        entries.append((f"<TD>{_cell('- - →', CONSTANT, 9)}</TD>", words["no gradient"]))
    per_row = max(1, min(len(plan.boxes) - 1, len(entries))) if look.direction == "LR" else 2
    rows = [entries[i : i + per_row] for i in range(0, len(entries), per_row)]
    cells = [
        "".join(f'{sign}<TD ALIGN="LEFT"{_room(text, 9)}>{_cell(text + "   ", PALE, 9)}</TD>' for sign, text in row)
        for row in rows
    ]
    table = "".join(f"<TR>{row}</TR>" for row in cells)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="0">{table}</TABLE>>'


def _swatch(style: Mapping[str, str]) -> str:
    lines_ = [part for part in style["style"].split(",") if part != "filled"]
    dashes = f' STYLE="{lines_[0]}"' if lines_ else ""
    look = f'BGCOLOR="{style["fillcolor"]}" COLOR="{style["color"]}"{dashes}'
    box = f'<TABLE BORDER="1" CELLBORDER="0" CELLPADDING="0" {look}><TR><TD WIDTH="14" HEIGHT="7"></TD></TR></TABLE>'
    return f"<TD>{box}</TD>"
