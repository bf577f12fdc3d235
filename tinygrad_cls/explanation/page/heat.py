"""An array too large to write out, as a strip of cells: orange where it is positive, blue and thinner where not."""

from __future__ import annotations

from html import escape

import numpy as np

from ...drawing import values
from ...engine.tensor import Array
from ..sentences import say

_MOST_ROWS = 8  # of cells; of more some are shown
_MOST_COLUMNS = 24
_CELL = 8  # pixels
_LEVELS = 4  # of each colour

STYLE = """
.derivation .heat { opacity: .8; font-size: .85rem }
.derivation .heat svg { vertical-align: middle; margin: .2rem .4rem; outline: 1px solid #8888; fill: none }
.derivation .heat .more { stroke: #c8620a }
.derivation .heat .less { stroke: #3b78d8; stroke-width: .6 }
"""


def heat(array: Array, lang: str) -> str | None:
    """A strip, and beside it the shape and the range, as HTML; None for an array in which something is not finite.

    Args:
        array: the numbers; of more than two axes all but the last go down.
        lang: the language of the words.
    """
    array = array.astype(int) if array.dtype.kind == "b" else array
    extent = values.extent(array)
    if extent is None or not array.ndim:
        return None
    rows = array.reshape(-1, array.shape[-1])
    shown = rows[np.ix_(_some(rows.shape[0], _MOST_ROWS), _some(rows.shape[1], _MOST_COLUMNS))]
    words = say(lang, "extent", shape=extent[0], low=extent[1], high=extent[2])
    words += say(lang, "shown of them", n=shown.size) if shown.size < array.size else ""
    height, width = shown.shape
    return (
        f'<span class="heat"><svg aria-hidden="true" width="{width * _CELL}" height="{height * _CELL}" '
        f'viewBox="0 -.5 {width} {height}">{_cells(shown)}</svg>{escape(words)}</span>'
    )


def _some(length: int, most: int) -> Array:
    """The places that are shown, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(int))


def _cells(array: Array) -> str:
    """A path for each colour and strength: the cells that have it, as short lines."""
    largest = float(np.abs(array).max()) or 1.0
    level = np.ceil(np.abs(array) / largest * _LEVELS).astype(int) * np.sign(array).astype(int)
    paths = []
    for strength in sorted({*level.ravel().tolist()} - {0}):
        places = "".join(f"M{column} {row}h1" for row, column in np.argwhere(level == strength).tolist())
        kind = "more" if strength > 0 else "less"
        paths.append(f'<path class="{kind}" stroke-opacity="{abs(strength) / _LEVELS:g}" d="{places}"/>')
    return "".join(paths)
