"""What `explain` gives: the derivation and its steps."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..algebra.expression import Expression
from ..engine.tensor import Array, Tensor
from . import boxes
from .align import align
from .formula import Formula
from .latex import latex
from .outline import Block, Steps, outline
from .page import notebook, page
from .sentences import say
from .terminal import written

if TYPE_CHECKING:
    from ..drawing import Drawing


class Direction(NamedTuple):
    """An axis as formulas name it: its letter, its length, and a tensor that has it, at a position."""

    letter: str
    length: int
    position: int
    tensor: str


class Partial(NamedTuple):
    """The gradient for an input of an operation.

    Attributes:
        name: the name of the input, z in ∂z.
        formula: the gradient, or what of it comes back by one way.
        via: the name of what it comes back by, where there are several ways; None where it is all.
    """

    name: str
    formula: Formula
    via: str | None = None


class Step:
    """One step of a derivation.

    Attributes:
        kind: "chain rule" or "algebra".
        rule: the rule's name: of the operation whose derivative is applied, or of the rule of algebra.
        reason: why, in a sentence.
        before, after: the formulas. In the chain rule the gradient of what the operation made, and of its first input.
        results: of the chain rule, the gradient of each input, each a `Partial`.
        definition: of the chain rule, what the operation computes, as text such as `p = y ⊙ l`; None where a step adds
            up what comes back by several ways.
        ways: the names of what it comes back by, in a step that adds up.
        error: the largest absolute difference from what `backward` gave, on the recorded data.
    """

    results: tuple[Partial, ...]
    ways: tuple[str, ...]

    def __init__(
        self,
        kind: str,
        rule: str,
        reason: str,
        before: Formula,
        after: Formula,
        error: float,
        results: Sequence[Partial] = (),
        definition: tuple[str, Formula] | None = None,
        ways: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.rule = rule
        self.reason = reason
        self.before = before
        self.after = after
        self.error = error
        self.results = tuple(results)
        self.definition = definition
        self.ways = tuple(ways)

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
        axes: the axes of the tensors, each a `Direction`.
        unnamed: the letters that stand for arrays without a name, each with the array.
        lang: the language of its sentences: "en" or "zh".
        rounding: what an error may be that is no more than rounding.
    """

    steps: tuple[Step, ...]
    assumptions: tuple[str, ...]
    remarks: tuple[str, ...]
    axes: tuple[Direction, ...]
    unnamed: tuple[tuple[str, Array], ...]

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
        axes: Sequence[Direction],
        unnamed: Sequence[tuple[str, Array]],
        lang: str = "en",
        rounding: float = 0.0,
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
        self.axes = tuple(axes)
        self.unnamed = tuple(unnamed)
        self.lang = lang
        self.rounding = rounding
        self._define = define
        self._graph = graph

    @functools.cached_property
    def shown(self) -> tuple[Formula, ...]:
        """The formulas that a reader sees: those of the loss and of the steps; of very many the first and the last."""
        steps = self.steps if len(self.steps) <= 80 else (*self.steps[:20], *self.steps[-20:])
        results = [partial.formula for step in steps for partial in step.results]
        return (self.loss, *results, *(formula for step in steps for formula in (step.before, step.after)))

    @functools.cached_property
    def definitions(self) -> tuple[tuple[str, Formula], ...]:
        """What the names in the loss and in the steps stand for, as pairs of a name and a formula."""
        return tuple(self._define(self.shown))

    @functools.cached_property
    def where(self) -> tuple[tuple[str, Formula], ...]:
        """What the names in the gradient stand for, as pairs of a name and a formula."""
        return tuple(self._define([self.gradient]))

    @functools.cached_property
    def outline(self) -> tuple[Block, ...]:
        """What it says, in order: headings, sentences, formulas and steps, from which text and page are written."""
        return outline(self)

    @functools.cached_property
    def drawings(self) -> dict[str, Drawing]:
        """The gradient's graph before and after simplifying, as drawings by caption."""
        from ..drawing import draw

        algebra = [step for step in self.steps if step.kind == "algebra"]
        before = algebra[0].before.expression if algebra else self.gradient.expression
        graphs = {
            say(self.lang, "drawing before"): before,
            say(self.lang, "drawing after"): self.gradient.expression,
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
        slope = boxes.slope(self.output, self.wrt)
        steps = [step for block in self.outline if isinstance(block, Steps) for step in block.steps]
        return align(steps, slope, self.gradient)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the derivation as a page: one HTML file with formulas and drawings, which loads nothing.

        Args:
            path: where to write it; the name ends in `.html`.

        Raises:
            ValueError: when the name ends otherwise.
        """
        if not str(path).endswith((".html", ".htm")):
            raise ValueError(f'a derivation is saved as a page: end the name in ".html", not {os.fspath(path)!r}')
        with open(path, "w", encoding="utf-8") as file:
            file.write(page(self.outline, self.drawings, self.lang))

    def _repr_html_(self) -> str:
        return notebook(page(self.outline, self.drawings, self.lang))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex_result}$"

    @property
    def latex_result(self) -> str:
        """`∂L/∂z = …` in LaTeX."""
        return f"{latex(boxes.slope(self.output, self.wrt))} = {self.gradient.latex}"

    @property
    def error(self) -> float:
        """The largest error of all steps."""
        return max((step.error for step in self.steps), default=0.0)

    @property
    def alarm(self) -> str | None:
        """What is wrong, if a formula differs from backward by more than rounding."""
        right = self.error <= self.rounding
        return None if right else say(self.lang, "alarm", error=f"{self.error:.1g}")

    def __str__(self) -> str:
        return written(self.outline, self.lang)

    def __repr__(self) -> str:
        return f"<derivation of ∂{self.output}/∂{self.wrt} = {self.gradient} in {len(self.steps)} steps>"
