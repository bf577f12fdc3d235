"""The DOT text of a picture."""

from __future__ import annotations

import html
import unicodedata
from typing import Any

import graphviz

from ..engine.recording import Scope
from ..engine.tensor import Array
from ..visible import visible
from .fold import Box, Plan
from .graph import Literal, Node
from .values import lines, number, size

FONT = "Helvetica"
NUMBERS = "Courier"

# Kinds differ in outline, line and lightness, so that they stay apart without colour (the palette is Okabe & Ito's).
STYLES: dict[str, dict[str, str]] = {
    "parameter": {"shape": "box", "style": "filled", "fillcolor": "#cfe6f7", "color": "#0072b2", "penwidth": "2.2"},
    "constant": {"shape": "box", "style": "filled,dashed", "fillcolor": "#f1f1f1", "color": "#6b6b6b"},
    "operation": {"shape": "box", "style": "filled,rounded", "fillcolor": "#ffffff", "color": "#333333"},
    "composite": {"shape": "box3d", "style": "filled", "fillcolor": "#fdeccb", "color": "#8a5a00"},
    "elided": {"shape": "box", "style": "filled,dotted", "fillcolor": "#fafafa", "color": "#333333"},
}
OUTPUT = {"peripheries": "2", "fillcolor": "#d3efe3", "color": "#00664b"}
MEANINGS = {
    "parameter": "leaf, requires a gradient",
    "constant": "constant leaf",
    "operation": "operation",
    "composite": "composite, folded",
    "elided": "many operations",
}


def dot(plan: Plan, gradients: dict[int, Array], values: bool, direction: str, legend: bool) -> str:
    """The picture in the DOT language. Equal structures give equal text."""
    picture = graphviz.Digraph(
        graph_attr={
            "rankdir": direction,
            "fontname": FONT,
            "fontsize": "11",
            "ranksep": "0.35",
            "nodesep": "0.25",
            "bgcolor": "white",
        },
        node_attr={"fontname": FONT, "fontsize": "12", "margin": "0.12,0.06", "height": "0.3"},
        edge_attr={"fontname": FONT, "fontsize": "9", "arrowsize": "0.7", "color": "#333333", "fontcolor": "#666666"},
    )
    names = {key: f"n{i}" for i, key in enumerate(plan.boxes)}
    frames = _frames(plan)
    _write_frame(picture, plan, frames, (), names, gradients, values, [0])
    nodes = plan.graph.nodes
    for key, box in plan.boxes.items():
        tensors = [x for x in box.inputs if not isinstance(x, Literal)]
        operation = nodes[key].operation
        ordered = box.kind == "operation" and len(tensors) > 1 and operation is not None and not operation.commutative
        for position, x in enumerate(tensors):
            attributes = {} if nodes[x].requires_grad or plan.boxes[x].kind == "elided" else _CONSTANT_EDGE
            label = {"label": f" {position + 1}"} if ordered else {}
            picture.edge(names[x], names[key], **attributes, **label)
    if legend:
        _write_legend(picture, plan)
    return str(picture.source)


_CONSTANT_EDGE = {"style": "dashed", "color": "#8a8a8a"}

Frame = Scope | int  # an unfolded composite, or the number of a repeated layer


def _frames(plan: Plan) -> dict[int, tuple[Frame, ...]]:
    """The frames around each box, outermost first; a leaf stands in the frame of those that alone use it."""
    frames: dict[int, tuple[Frame, ...]] = {key: box.frames for key, box in plan.boxes.items()}
    for number_, (_, keys) in enumerate(plan.repeats):
        common = _common([frames[key] for key in keys if plan.boxes[key].inputs])
        for key in keys:
            inner = frames[key][len(common) :] if plan.boxes[key].inputs else ()
            frames[key] = (*common, number_, *inner)
    users: dict[int, list[int]] = {}
    for key, box in plan.boxes.items():
        for x in box.inputs:
            if not isinstance(x, Literal):
                users.setdefault(x, []).append(key)
    for key, box in plan.boxes.items():
        node = plan.graph.nodes[key]
        if not box.inputs and box.kind == "constant" and node.name is None and key in users and not frames[key]:
            frames[key] = _common([frames[user] for user in users[key]])
    return frames


def _common(paths: list[tuple[Frame, ...]]) -> tuple[Frame, ...]:
    shared: list[Frame] = []
    for level in zip(*paths, strict=False):
        if any(frame != level[0] for frame in level):
            break
        shared.append(level[0])
    return tuple(shared)


def _write_frame(
    picture: Any,
    plan: Plan,
    frames: dict[int, tuple[Frame, ...]],
    path: tuple[Frame, ...],
    names: dict[int, str],
    gradients: dict[int, Array],
    values: bool,
    counter: list[int],
) -> None:
    """The boxes directly inside a frame, and the frames inside it. Its depth is that of nested composites."""
    inner: dict[Frame, None] = {}
    for key, at in frames.items():
        if at == path:
            _write_box(picture, plan, key, names[key], gradients.get(key), values)
        elif at[: len(path)] == path:
            inner[at[len(path)]] = None
    for frame in inner:
        counter[0] += 1
        inside = {key: at for key, at in frames.items() if at[: len(path) + 1] == (*path, frame)}
        with picture.subgraph(name=f"cluster_{counter[0]}") as cluster:
            cluster.attr(**_frame_attributes(plan, frame))
            _write_frame(cluster, plan, inside, (*path, frame), names, gradients, values, counter)


def _frame_attributes(plan: Plan, frame: Frame) -> dict[str, str]:
    if isinstance(frame, Scope):
        return {
            "label": f"<{shown(frame.name)}>",
            "style": "rounded,dashed",
            "color": "#8a5a00",
            "fontcolor": "#8a5a00",
            "labeljust": "l",
            "margin": "10",
        }
    return {
        "label": f"× {plan.repeats[frame][0]:,} (the last one shown)",
        "style": "rounded,bold",
        "color": "#333333",
        "fontcolor": "#333333",
        "labeljust": "l",
        "margin": "10",
    }


def _write_box(picture: Any, plan: Plan, key: int, name: str, gradient: Array | None, values: bool) -> None:
    box, node = plan.boxes[key], plan.graph.nodes[key]
    attributes = STYLES[box.kind] | (OUTPUT if key in plan.outputs else {})
    rows = [_title(box, node)]
    if box.kind == "elided":
        rows = [_row(f"{len(box.nodes):,} nodes", "B"), _row(box.title, size=10)]
    else:
        rows.append(_row(size(node.value), color="#555555", size=9))
        if values:
            rows.append(_values("value" if gradient is not None else "", node.value))
            if gradient is not None:
                rows.append(_values("grad", gradient))
    table = "".join(rows)
    picture.node(
        name, f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{table}</TABLE>>', **attributes
    )


def _title(box: Box, node: Node) -> str:
    if box.kind in ("parameter", "constant"):
        if node.name:
            return _row(node.name, "B", size=13)
        return _row("constant" if box.kind == "constant" else "leaf", "I", color="#555555")
    what = caption(box, node)
    return _row(what, "B", size=13) if not node.name else _row(f"{node.name} = {what}", "B", size=13)


def caption(box: Box, node: Node) -> str:
    """What a box does: the name of a composite, or the sign of an operation with its numbers and options."""
    if box.kind == "composite":
        return box.title
    assert node.operation is not None
    if any(isinstance(x, Literal) for x in node.inputs):
        operands = [number(x.value, 6) if isinstance(x, Literal) else "_" for x in node.inputs]
        text = node.operation.notation.format(*operands, **node.parameters)
    else:
        text = node.operation.symbol
    options = [
        f"{option} {_option(value)}"
        for option, value in node.parameters.items()
        if option in ("axis", "index", "subscripts", "axes") and value is not None
    ]
    return "  ".join([text, *options])


def _option(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_option, value))
    if isinstance(value, slice):
        ends = ["" if end is None else number(end) for end in (value.start, value.stop)]
        return ":".join(ends) + ("" if value.step is None else f":{number(value.step)}")
    if value is Ellipsis:
        return "…"
    return number(value) if isinstance(value, int) else str(value)


def _row(text: str, tag: str = "", color: str = "", size: int = 0) -> str:
    attributes = (f' COLOR="{color}"' if color else "") + (f' POINT-SIZE="{size}"' if size else "")
    content = shown(text)
    if attributes:
        content = f"<FONT{attributes}>{content}</FONT>"
    return f'<TR><TD COLSPAN="2"{_room(text, size or 12)}>{f"<{tag}>{content}</{tag}>" if tag else content}</TD></TR>'


def _values(label: str, array: Array) -> str:
    written = lines(array)
    texts = '<BR ALIGN="LEFT"/>'.join(
        f'<FONT FACE="{NUMBERS}" POINT-SIZE="10">{shown(line)}</FONT>' for line in written
    )
    if len(written) > 1:
        texts += '<BR ALIGN="LEFT"/>'
    if not label:
        return f'<TR><TD COLSPAN="2">{texts}</TD></TR>'
    label = f'<FONT COLOR="#555555" POINT-SIZE="9">{label} </FONT>'
    return f'<TR><TD ALIGN="RIGHT">{label}</TD><TD ALIGN="LEFT">{texts}</TD></TR>'


def shown(text: str) -> str:
    """Any text so that a label shows it as it is: no markup, no DOT escapes; what has no picture as in Python."""
    return html.escape(visible(text)).replace("\\", "&#92;&#92;")


def _room(text: str, points: int) -> str:
    """The least width of a cell. The layout program knows the widths of Latin letters; Chinese ones are wider."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return f' WIDTH="{round((wide * 1.05 + (len(text) - wide) * 0.6) * points)}"' if wide else ""


def _write_legend(picture: Any, plan: Plan) -> None:
    kinds = dict.fromkeys(box.kind for key, box in plan.boxes.items() if key not in plan.outputs)
    with picture.subgraph(name="cluster_legend") as cluster:
        cluster.attr(label="legend", style="solid", color="#cccccc", fontcolor="#666666", labeljust="l", fontsize="9")
        for kind in [kind for kind in STYLES if kind in kinds]:
            cluster.node(f"legend_{kind}", MEANINGS[kind], fontsize="9", **STYLES[kind])
        cluster.node("legend_output", "output", fontsize="9", **(STYLES["operation"] | OUTPUT))
