"""How drawings look: what tells boxes apart, and the colours by day and by night."""

from __future__ import annotations

FONT = "Helvetica"
NUMBERS = "Courier"
INK = "#1d2433"
PALE = "#5b6472"  # what is said besides: shapes
GRADIENT = "#a63a00"
CONSTANT = "#7b8491"
COMPOSITE = "#8a5a00"

# Kinds differ in outline, line and lightness, so that they stay apart without colour (the palette is Okabe & Ito's).
STYLES: dict[str, dict[str, str]] = {
    "parameter": {"shape": "box", "style": "filled", "fillcolor": "#cfe6f7", "color": "#0072b2", "penwidth": "2.2"},
    "constant": {"shape": "box", "style": "filled,dashed", "fillcolor": "#f1f1f1", "color": "#6b6b6b"},
    "operation": {"shape": "box", "style": "filled,rounded", "fillcolor": "#fefefe", "color": "#3b4252"},
    "composite": {
        "shape": "box3d",
        "style": "filled",
        "fillcolor": "#fdeccb",
        "color": COMPOSITE,
        "margin": "0.14,0.1",  # the edge at the top takes some
    },
    "elided": {"shape": "box", "style": "filled,dotted", "fillcolor": "#fafafa", "color": "#3b4253"},
}
OUTPUT = {"peripheries": "2", "fillcolor": "#d3efe3", "color": "#00664b"}
OUTPUT_FOLDED = {"penwidth": "2.4", "fillcolor": "#d3efe3", "color": "#00664b"}

PAPER = "#fffffe"  # a colour of its own, not the `white` of anything else
NIGHT = {
    PAPER: "#14171d", INK: "#e8ecf4", PALE: "#a8b1bf", GRADIENT: "#ffb083", CONSTANT: "#8f98a6", COMPOSITE: "#e0b060",
    "#cfe6f7": "#123c5c", "#0072b2": "#56b4e9", "#f1f1f1": "#272b33", "#6b6b6b": "#9aa3b0", "#fefefe": "#1e222b",
    "#3b4252": "#c3cad6", "#fdeccb": "#43341a", "#fafafa": "#1b1e25", "#3b4253": "#c3cad6", "#d3efe3": "#0f4536",
    "#00664b": "#4cc9a0",
}  # fmt: skip
SHEET = (
    ".drawing:not(:root) { max-width: 100%; height: auto }\n"
    "@media screen and (prefers-color-scheme: dark) {\n"
    + "".join(
        f'.drawing [fill="{day}"] {{ fill: {night} }} .drawing [stroke="{day}"] {{ stroke: {night} }}\n'
        for day, night in NIGHT.items()
    )
    + "}\n"
)
"""The style sheet inside each SVG: it fits where it stands, and is dark where the reader's screen is."""
