"""Graphs on the page: laid out by Graphviz, in the page's letters and colours; and a formula as such a graph."""

from __future__ import annotations

import re
from typing import Any

import graphviz

from ...algebra.expression import Expression
from ...drawing.layout import render
from .. import text
from ..boxes import Box
from ..formula import Formula

LONGEST = 30  # characters of a formula in a box
_LARGER = 1.1  # than text in drawings is by itself
_FONT = {"fontname": "Helvetica", "fontsize": "12"}


def graph() -> Any:
    """A graph without boxes, from top to bottom."""
    return graphviz.Digraph(
        graph_attr={"rankdir": "TB", "bgcolor": "transparent", "ranksep": "0.4", "nodesep": "0.3"},
        node_attr={"shape": "box", "style": "rounded", "margin": "0.14,0.08", **_FONT},
        edge_attr={"arrowsize": "0.7", **_FONT, "fontsize": "11"},
    )


def picture(left: str, formula: Formula) -> str:
    """A formula as a graph: from the names that it begins with, part by part, to the whole."""
    drawn = graph()
    known: dict[Expression, str] = {}

    def node(box: Box) -> str:
        assert box.expression is not None
        if box.expression not in known:
            inner = [node(part) for part in _parts(box)]
            name = known[box.expression] = f"b{len(known)}"
            said = short(text.plain(box), LONGEST)
            said = f"{left} = {said}" if box is whole else said
            drawn.node(name, label([said]), shape="box" if inner or box is whole else "plain")
            for part in dict.fromkeys(inner):
                drawn.edge(part, name)
        return known[box.expression]

    box = formula.unmarked().box
    whole = box._replace(expression=formula.expression)
    node(whole)
    return svg(drawn.source)


def _parts(box: Box) -> list[Box]:
    """The outermost parts that stand for something of their own, but for numbers."""
    found: list[Box] = []
    for part in box.parts:
        if part.expression is None:
            found += _parts(part)
        elif part.expression.kind != "number":
            found.append(part)
    return found


def label(lines: list[str]) -> Any:
    """Lines as they are: a name in angle brackets is no markup, which is what `escape` remembers beside the text."""
    return graphviz.escape("\n".join(line or " " for line in lines))


def short(said: str, most: int) -> str:
    """A text of at most so many characters."""
    return said if len(said) <= most else said[: most - 1] + "…"


def svg(source: str) -> str:
    """A drawing in the page's colours and letters, boxes as rectangles: much shorter than it was laid out."""
    drawn = _scaled(inlined(render(source, "svg").decode()))
    drawn = re.sub(r' (fill|stroke|text-anchor|font-size)="[^"]*"|(?<=class=")node (?=box)', "", drawn)
    drawn = re.sub(r'<path d="([^"]*)"/>(?=\n<text|\n</g>)', _rectangle, drawn)
    # A line begins where the arrow back ends, which is not seen at first.
    drawn = re.sub(r'd="M([^"C]*)(?=[^>]*>\n<polygon points="\S+ (\S+) [^>]*>\n<polygon)', r'd="M\2 \1', drawn)
    drawn = re.sub(r'(points="(\S+)[^"]*) \2"', r'\1"', drawn)  # which closes by itself
    return re.sub(r' (?:d|points|x|y)="[^"]*"', _rounded, drawn)


def _rounded(places: re.Match[str]) -> str:
    """Places to a tenth of a point, as long as they need to be."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), places[0])


def _rectangle(path: re.Match[str]) -> str:
    """A box, from its outline."""
    points = re.findall(r"(-?[\d.]+),(-?[\d.]+)", path[1])
    (left, right), (top, bottom) = (
        (min(x), max(x)) for x in zip(*((float(x), float(y)) for x, y in points), strict=True)
    )
    return f'<rect x="{left:.4g}" y="{top:.4g}" width="{right - left:.4g}" height="{bottom - top:.4g}" rx="9"/>'


def _scaled(svg: str) -> str:
    width, height = (float(size) for size in re.findall(r'(?:width|height)="([0-9.]+)pt"', svg)[:2])
    return re.sub(
        r'width="[0-9.]+pt" height="[0-9.]+pt"',
        f'width="{width * _LARGER:.0f}pt" height="{height * _LARGER:.0f}pt"',
        svg,
        count=1,
    )


def inlined(svg: str) -> str:
    """An SVG document as an element of a page, which may hold several: identifiers and fonts are the page's matter."""
    svg = re.sub(r' font-family="Courier[^"]*"', ' class="numbers"', svg)
    svg = re.sub(r' font-family="[^"]*"| xml:space="preserve"| xmlns:xlink="[^"]*"', "", svg)
    svg = re.sub(r' id="([ab]\d+( a\d+)*)"', r' data-part="\1"', svg)
    svg = re.sub(r' id="[^"]*"', "", svg)
    svg = re.sub(
        r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<!--.*?-->|<title>.*?</title>|<style>.*?</style>", "", svg, flags=re.DOTALL
    )
    return re.sub(r"\n+", "\n", svg).strip()
