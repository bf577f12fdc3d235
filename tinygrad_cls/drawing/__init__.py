"""Drawings of recorded graphs: `draw` gives a `Drawing`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Literal as OneOf

from ..engine.tensor import Array, Tensor
from ..files import write
from .boxes import Look, Plan
from .fold import Expand

__all__ = ["Drawing", "draw"]


def draw(
    *tensors: Tensor,
    names: Mapping[str, Tensor] | None = None,
    expand: Expand = True,
    direction: OneOf["LR", "TB"] | None = None,
    values: bool = True,
    gradients: bool | None = None,
    constants: bool = True,
    repeats: bool = True,
    legend: bool = True,
    max_boxes: int = 150,
    lang: str | None = None,
) -> Drawing:
    """A picture of how tensors were computed.

    Each box says what it is in the names of its operands, as in `y′ = e / s`: given names, else the letters that
    derivations choose (`names=explain(…).letters` gives exactly theirs). Numbers without a name, reshapes, transposes
    and casts stand in these formulas. Shapes are without a dtype where that is float64; `∂e` is the gradient of the
    output with respect to `e`.

    Args:
        tensors: the outputs to draw, with all that they were computed from.
        names: names for tensors in the picture, as a dict from name to Tensor; they come before the tensors' own.
        expand: composites such as softmax as frames around their parts (True; what is a single step for the gradient,
            as relu and one-hot coding, stays one box), each folded into one box (False), unfolded to a depth (an int),
            or unfolded where the name is among these.
        direction: "LR" from left to right, "TB" from top to bottom; by default from left to right where that
            can be read on a page or a slide.
        values: write small values out and sum large ones up.
        gradients: write gradients beside values. By default after `backward`: each leaf's own `.grad`, and for the
            other tensors what backward had on its way. True: always, for one output with one element.
        constants: draw also what carries no gradient.
        repeats: draw layers that repeat one after the other once, with `× n`.
        legend: explain the kinds of boxes that occur, below the drawing.
        max_boxes: with more than these, composites are folded; if that is not enough, the boxes nearest to the
            outputs are drawn and the rest is summed up in one.
        lang: of the words in the picture: "en" or "zh"; by default that of `TINYGRAD_CLS_LANG`, else English.

    Raises:
        TypeError: when something to draw, or to name, is no Tensor.
        ValueError: when there is nothing to draw, a named tensor is not in the graph, an option is wrong, or there are
            no words in the language.

    Example:
        >>> import tinygrad_cls as tg
        >>> z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
        >>> drawing = tg.draw(tg.logsumexp(z))
        >>> drawing.save("logsumexp.svg")  # doctest: +SKIP
    """
    from .fold import plan
    from .graph import Graph
    from .words import language

    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"draw draws Tensors, not {type(tensor).__name__}")
    if not tensors:
        raise ValueError("draw needs a Tensor to draw")
    if direction not in ("LR", "TB", None):
        raise ValueError(f'direction must be "LR" or "TB", not {direction!r}')
    if max_boxes < 2:
        raise ValueError(f"max_boxes must be at least 2, not {max_boxes}")
    graph = Graph(tensors, names)
    boxes = plan(graph, expand, constants, repeats, max_boxes)
    asked = {} if gradients is False else graph.gradients(everywhere=gradients is True)
    return Drawing(boxes, Look(asked, values, direction, legend, language(lang)))


class Drawing:
    """A picture of a graph. Jupyter shows it as it is.

    Attributes:
        plan: the boxes, frames and edges as data.
        gradients: the gradients beside the values, by node of `plan.graph`.

    Example:
        >>> import tinygrad_cls as tg
        >>> drawing = tg.draw(tg.exp(tg.Tensor(1.0, requires_grad=True)))
        >>> drawing.source.splitlines()[0], drawing.svg[:5]
        ('digraph {', '<?xml')
    """

    def __init__(self, plan: Plan, look: Look) -> None:
        self.plan = plan
        self.gradients: dict[int, Array] = look.gradients
        self._look = look

    @property
    def source(self) -> str:
        """The picture in the DOT language; equal for equal structures and values."""
        from .dot import dot

        return dot(self.plan, self._look)

    @property
    def text(self) -> str:
        """The same graph as lines of text: one for each tensor, with its formula, values and gradient.

        Example:
            >>> import tinygrad_cls as tg
            >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
            >>> print(tg.draw(x * x + 1).text)
            x          scalar float64  2
            t = x × x  scalar float64  4
            L = t + 1  scalar float64  5
        """
        return self.listing()

    def listing(self, lang: str | None = None) -> str:
        """The `text`, its headers in a language: "en" or "zh"; by default that of `TINYGRAD_CLS_LANG`, else English.

        Raises:
            ValueError: when there are no words in the language.

        Example:
            >>> import tinygrad_cls as tg
            >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
            >>> print(tg.draw(x * x, gradients=True).listing("zh"))
                                       值  梯度
            x          scalar float64  2   4
            L = x × x  scalar float64  4   1
        """
        from .text import text
        from .words import language

        return text(self.plan.graph, self.gradients, language(lang))

    @property
    def svg(self) -> str:
        """The picture as SVG text."""
        return self.render("svg").decode()

    def render(self, format: str) -> bytes:
        """The picture as the bytes of a file of this format: "svg", "png", "dot", or what an installed Graphviz writes.

        Raises:
            ValueError: when the format is not to be had here.
            RuntimeError: when no layout program is found, or it fails.
        """
        if format in ("dot", "gv"):
            return self.source.encode()
        from .layout import render

        picture = render(self.source, format)
        return picture if format != "svg" else self._described(picture.decode()).encode()

    def _described(self, svg: str) -> str:
        """The SVG in which each box and arrow says what it is: where the mouse rests, and to who cannot see it."""
        from html import escape

        from .dot import titles
        from .values import size

        said = {f"n{key}": words for key, words in titles(self.plan, self._look.lang).items()}
        sizes = {f"n{key}": size(self.plan.graph.nodes[key].value) for key in self.plan.boxes}

        def text(found: re.Match[str]) -> str:
            box, _, user = found[1].partition("&#45;&gt;")
            words = f"{said[box][0]} → {said[user][0]}" if user else f"{said[box][1]}: {sizes[box]}"
            return f"<title>{escape(words)}</title>"

        svg = re.sub(r"<title>(?:cluster_\d+|%3)</title>\n?", "", svg)  # which says nothing
        return re.sub(r"<title>(n\d+(?:&#45;&gt;n\d+)?)</title>", text, svg)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, in the format of its suffix: .svg, .png, .dot.

        Raises:
            ValueError: when the suffix is missing, or names a format that is not to be had here.
            OSError: when the file cannot be written.
        """
        suffix = os.path.splitext(path)[1]
        if not suffix:
            raise ValueError(f"{os.fspath(path)} has no suffix: name the format, such as {os.fspath(path)}.svg")
        write(path, self.render(suffix[1:].lower()))

    def replay(self) -> list[Array]:
        """Run what is drawn again, on the leaves' values, and give the outputs: the same bits as were recorded.

        Example:
            >>> import tinygrad_cls as tg
            >>> y = tg.softmax(tg.Tensor([1.0, 2.0], requires_grad=True))
            >>> (tg.draw(y).replay()[0] == y.numpy()).all()
            np.True_
        """
        return self.plan.graph.replay()

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing of {len(self.plan.boxes)} boxes, {len(self.plan.graph.nodes)} nodes>"
