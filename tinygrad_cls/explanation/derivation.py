"""What `explain` gives: the derivation, its steps and its formulas."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..algebra.evaluate import by_position, evaluate, sorted_axes
from ..algebra.expression import Axis, Expression, Layout, inner_first
from ..engine.tensor import Tensor
from . import text
from .notation import NOTHING, Box, Notation

if TYPE_CHECKING:
    from ..drawing import Drawing


class Formula:
    """An expression as it is written in a derivation.

    Attributes:
        expression: the expression.
        changed: the parts of it that a step changed, by the expression within which it did.
        layout: how the axes of its value stand.
    """

    def __init__(
        self,
        expression: Expression,
        notation: Notation,
        layout: Layout,
        values: Mapping[Expression, Any],
        changed: Mapping[Expression, frozenset[Expression]] = NOTHING,
        unfold: bool = False,
    ) -> None:
        self.expression = expression
        self.layout = layout
        self.changed = changed
        self._notation = notation
        self._values = values
        self._unfold = unfold

    @functools.cached_property
    def _written(self) -> tuple[Box, list[Expression]]:
        return self._notation.written(self.expression, self.changed, self.layout, self._unfold)

    @property
    def box(self) -> Box:
        """How it is written, as a tree of boxes."""
        return self._written[0]

    @property
    def mentions(self) -> list[Expression]:
        """The named expressions in it."""
        return self._written[1]

    def __str__(self) -> str:
        return text.plain(self.box)

    def __repr__(self) -> str:
        return f"<formula {self}>"

    @property
    def latex(self) -> str:
        """The formula in LaTeX, with changed parts in colour."""
        from .latex import latex

        return latex(self.box)

    @property
    def mathml(self) -> str:
        """The formula in MathML."""
        from .mathml import mathml

        return mathml(self.box)

    def evaluate(self, values: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """The formula's value on other data.

        Args:
            values: an array (or Tensor) for each name in the formula, in the layout of the recorded one. Lengths of
                axes may differ from the recorded ones, if they agree with each other. A name that the user gave to
                something computed (`y′`) may be given as well; what it was computed from is not needed then.

        Raises:
            KeyError: when a name has no value, or is not in the formula.
            ValueError: when a value has the wrong number of axes, or lengths that contradict each other.

        Example:
            >>> import tinygrad_cls as tg
            >>> z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
            >>> d = tg.explain((z * z).sum(), wrt=z)
            >>> d.gradient.evaluate({"z": [3.0, 4.0]})
            array([6., 8.])
        """
        known = {name.text: (x, name.layout) for x, name in self._notation.names.items()}
        for part in inner_first(self.expression):
            if part.kind == "leaf":
                known[part.data[0]] = (part, part.data[1])
        given: dict[Expression, Any] = {}
        sizes: dict[Axis, int] = {}
        for name, value in values.items():
            if name not in known:
                raise KeyError(f"the formula {self} has no {name!r}; it has {', '.join(known) or 'no names'}")
            x, layout = known[name]
            array = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
            _check_layout(name, array, layout, sizes)
            given[x] = sorted_axes(array, layout)
        missing = self._missing(given)
        if missing:
            raise KeyError(f"the formula {self} needs {', '.join(missing)}")
        recorded = {x: v for x, v in self._values.items() if x not in given and not x.data[2]}
        result = evaluate(self.expression, {**recorded, **given}, sizes)
        return np.array(by_position(result, self.expression.axes, self.layout, sizes))

    def _missing(self, given: Mapping[Expression, Any]) -> list[str]:
        """The names of leaves that the value depends on and that are not given."""
        missing: dict[str, None] = {}
        seen: set[Expression] = set()
        waiting = [self.expression]
        while waiting:
            part = waiting.pop()
            if part in given or part in seen:
                continue
            seen.add(part)
            if part.kind == "leaf" and part.data[2]:
                missing[part.data[0]] = None
            waiting.extend(part.children)
        return sorted(missing)


def _check_layout(name: str, array: np.ndarray[Any, Any], layout: Layout, sizes: dict[Axis, int]) -> None:
    if array.ndim != len(layout):
        raise ValueError(f"{name} has {len(layout)} axes in the formula, got an array of shape {array.shape}")
    for axis, length in zip(layout, array.shape, strict=True):
        if axis is None:
            if length != 1:
                raise ValueError(f"{name} has an axis of length 1 in the formula, got an array of shape {array.shape}")
        elif sizes.setdefault(axis, length) != length:
            raise ValueError(f"{name} has length {length} where other values have {sizes[axis]}")


class Step:
    """One step of a derivation.

    Attributes:
        kind: "chain rule" or "algebra".
        rule: the rule's name: of the operation whose derivative is applied, or of the rule of algebra.
        reason: why, in a sentence.
        before, after: the formulas. In the chain rule the gradient of what the operation made, and of its first input.
        results: of the chain rule, the gradient of each input so far, as pairs of a name and a formula.
        definition: of the chain rule, what the operation computes, as text such as `p = y ⊙ l`.
        error: the largest absolute difference from what `backward` gave, on the recorded data.
    """

    def __init__(
        self,
        kind: str,
        rule: str,
        reason: str,
        before: Formula,
        after: Formula,
        error: float,
        results: Sequence[tuple[str, Formula]] = (),
        definition: tuple[str, Formula] | None = None,
    ) -> None:
        self.kind = kind
        self.rule = rule
        self.reason = reason
        self.before = before
        self.after = after
        self.error = error
        self.results = tuple(results)
        self.definition = definition

    def __repr__(self) -> str:
        return f"<step {self.rule}: {self.before}  →  {self.after}>"


class Derivation:
    """How a gradient comes about: the chain rule, then algebra, each step with its reason and its proof on the data.

    Attributes:
        gradient: the simplified gradient, a `Formula`.
        steps: the steps in order, each a `Step`.
        assumptions: facts about the data that were used, in words; each was checked.
        remarks: what the result shows.
        output, wrt: the names of the loss and of what it is differentiated by.
        loss: the loss as a formula.
        sizes: the lengths in the formulas, as a letter, the length and what it is the length of.
    """

    def __init__(
        self,
        *,
        output: str,
        wrt: str,
        loss: Formula,
        gradient: Formula,
        steps: Sequence[Step],
        assumptions: Sequence[str],
        remarks: Sequence[str],
        sizes: Sequence[tuple[str, int, str]],
        define: Callable[[Iterable[Formula]], list[tuple[str, Formula]]],
        graph: Callable[[Expression], Tensor],
    ) -> None:
        self.output = output
        self.wrt = wrt
        self.loss = loss
        self.gradient = gradient
        self.steps = tuple(steps)
        self.assumptions = tuple(assumptions)
        self.remarks = tuple(remarks)
        self.sizes = tuple(sizes)
        self._define = define
        self._graph = graph

    @functools.cached_property
    def definitions(self) -> tuple[tuple[str, Formula], ...]:
        """What the names in the loss and in the steps stand for, as pairs of a name and a formula."""
        steps = self.steps if len(self.steps) <= 80 else (*self.steps[:20], *self.steps[-20:])
        results = [formula for step in steps for _, formula in step.results]
        return tuple(self._define([self.loss, *results, *(f for step in steps for f in (step.before, step.after))]))

    @functools.cached_property
    def where(self) -> tuple[tuple[str, Formula], ...]:
        """What the names in the gradient stand for, as pairs of a name and a formula."""
        return tuple(self._define([self.gradient]))

    @functools.cached_property
    def drawings(self) -> dict[str, Drawing]:
        """The gradient's graph before and after simplifying, as drawings by caption."""
        from ..drawing import draw

        algebra = [step for step in self.steps if step.kind == "algebra"]
        before = algebra[0].before.expression if algebra else self.gradient.expression
        graphs = {
            "The gradient as the chain rule gives it": before,
            "The same gradient, simplified": self.gradient.expression,
        }
        result = {}
        for caption, x in graphs.items():
            tensor = self._graph(x)
            tensor.name = tensor.name or f"∂{self.output}/∂{self.wrt}"
            result[caption] = draw(tensor, expand=False, gradients=False, legend=False)
        return result

    @property
    def latex(self) -> str:
        """The whole derivation in LaTeX, as an `align*` environment: the chain rule, then every step of algebra."""
        from .latex import derivation_latex

        return derivation_latex(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the derivation as a page: one HTML file with formulas and drawings, which loads nothing.

        Args:
            path: where to write it; the name ends in `.html`.

        Raises:
            ValueError: when the name ends otherwise.
        """
        if not str(path).endswith((".html", ".htm")):
            raise ValueError(f'a derivation is saved as a page: end the name in ".html", not {os.fspath(path)!r}')
        from .page import page

        with open(path, "w", encoding="utf-8") as file:
            file.write(page(self))

    def _repr_html_(self) -> str:
        from .page import notebook

        return notebook(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex_result}$"

    @property
    def latex_result(self) -> str:
        """`∂L/∂z = …` in LaTeX."""
        from .latex import result_latex

        return result_latex(self)

    @property
    def error(self) -> float:
        """The largest error of all steps."""
        return max((step.error for step in self.steps), default=0.0)

    def __str__(self) -> str:
        from .terminal import derivation_text

        return derivation_text(self)

    def __repr__(self) -> str:
        return f"<derivation of ∂{self.output}/∂{self.wrt} = {self.gradient} in {len(self.steps)} steps>"
