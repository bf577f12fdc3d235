"""What `explain` gives: the derivation and its steps."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from ..algebra.expression import Expression
from ..drawing import Drawing, draw
from ..engine.tensor import Array, Tensor
from ..files import write
from . import boxes
from .align import align
from .formula import Formula, meanings
from .latex import latex
from .outline import Block, Steps, outline
from .page import Told, page, part, valued
from .page.stage import Scene, scene
from .page.touching import touchable
from .sentences import SENTENCES, say
from .terminal import written

if TYPE_CHECKING:
    from .ways import Question

Way: TypeAlias = Literal["loss", "lemmas", "backward"]
_LONG = 60  # steps; a page of more has no other ways
_FOLLOWED = 300  # steps; in a page of more no other values can be tried


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


class Local(NamedTuple):
    """What an operation makes of the gradient that arrives at it, for one of its inputs.

    Attributes:
        name: the name of the input.
        formula: by a letter for the gradient that arrives, such as `−∂l / p`, and letters for what is computed.
        factor: what the gradient that arrives is multiplied by, such as `−1 / p`; None where more is done to it.
    """

    name: str
    formula: Formula
    factor: Formula | None


class Step:
    """One step of a derivation.

    Attributes:
        kind: "rewriting" of the loss, "chain rule", or "algebra" on the gradient.
        rule: the rule's name: of the operation whose derivative is applied, or of the rule of algebra.
        reason: why, in a sentence.
        before, after: the formulas. In the chain rule the gradient of what the operation made, and of its first input.
        results: of the chain rule, the gradient of each input, each a `Partial`. Of algebra on the way, what it
            simplifies; empty where that is the whole gradient, in the end.
        definition: of the chain rule, what the operation computes, as text such as `p = y ⊙ l`; None where a step adds
            up what comes back by several ways.
        ways: the names of what it comes back by, in a step that adds up.
        lemma: of a step through a composite, its derivative, by a letter for the gradient that arrives.
        node: of the chain rule, the tensor that the operation made; None where a step adds up.
        error: the largest absolute difference from what `backward` gave, on the recorded data.
    """

    results: tuple[Partial, ...]
    ways: tuple[str, ...]
    lemma: tuple[Partial, ...]

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
        lemma: Sequence[Partial] = (),
        node: Tensor | None = None,
        local: Callable[[], Iterable[Local]] = tuple,
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
        self.lemma = tuple(lemma)
        self.node = node
        self._local = local

    @functools.cached_property
    def local(self) -> tuple[Local, ...]:
        """Of the chain rule: the derivative of the operation by each of its inputs that get a gradient."""
        return tuple(self._local())

    def __repr__(self) -> str:
        return f"<step {self.rule}: {self.before}  →  {self.after}>"


class Lemma:
    """The derivative of a composite, cited in a derivation.

    Attributes:
        name: the composite.
        statements: the gradient of each of its inputs, by a letter for the gradient that arrives at its result.
        entries: the same entry by entry, in words, where a book has it so; else None.
    """

    statements: tuple[Partial, ...]

    def __init__(
        self, name: str, statements: Sequence[Partial], prove: Callable[[], Derivation], entries: str | None = None
    ) -> None:
        self.name = name
        self.statements = tuple(statements)
        self.entries = entries
        self._prove = prove

    @functools.cached_property
    def proof(self) -> Derivation:
        """Why it holds: a derivation by the chain rule through the operations of the composite."""
        return self._prove()

    def __repr__(self) -> str:
        return f"<lemma for {self.name}: {'; '.join(f'∂{name} = {formula}' for name, formula, _ in self.statements)}>"


class Derivation:
    """How a gradient comes about: the chain rule, then algebra, each step with its reason and its proof on the data.

    Attributes:
        gradient: the simplified gradient, a `Formula`.
        steps: the steps in order, each a `Step`.
        assumptions: facts about the data that were used, in words; each was checked.
        opening, closing: what is asked and by which way it is answered; why the result looks as it does.
        output, wrt: the names of the loss and of what it is differentiated by.
        loss: the loss as a formula.
        axes: the axes of the tensors, each a `Direction`.
        lemmas: the derivatives of composites that were cited, each a `Lemma` with its proof.
        unnamed: the letters that stand for arrays without a name, each with the array.
        way: by which way it goes: "loss", "lemmas" or "backward".
        notes: what is to be said of names before the steps.
        letters: by the name that it has in the derivation each tensor that the loss was computed from; for drawings.
        lang: the language of its sentences: "en" or "zh".
        rounding: what an error may be that is no more than rounding.
        question: what was asked, which gives the other ways and languages; None for a part of another derivation.
        asked: the way that was asked for; None where any would do.
        lines: gives by a tensor the line of the asker's code that made it, where that is certain.
    """

    steps: tuple[Step, ...]
    assumptions: tuple[str, ...]
    opening: tuple[str, ...]
    closing: tuple[str, ...]
    axes: tuple[Direction, ...]
    lemmas: tuple[Lemma, ...]
    unnamed: tuple[tuple[str, Array], ...]
    notes: tuple[str, ...]

    def __init__(
        self,
        *,
        output: str,
        wrt: str,
        loss: Formula,
        gradient: Formula,
        steps: Sequence[Step],
        assumptions: Sequence[str],
        opening: Sequence[str],
        closing: Sequence[str],
        axes: Sequence[Direction],
        unnamed: Sequence[tuple[str, Array]],
        lemmas: Iterable[Lemma] = (),
        notes: Sequence[str],
        letters: Mapping[str, Tensor],
        lang: str = "en",
        way: Way = "backward",
        rounding: float = 0.0,
        graph: Callable[[Expression], Tensor],
    ) -> None:
        self.output = output
        self.wrt = wrt
        self.loss = loss
        self.gradient = gradient
        self.steps = tuple(steps)
        self.assumptions = tuple(assumptions)
        self.opening = tuple(opening)
        self.closing = tuple(closing)
        self.axes = tuple(axes)
        self.unnamed = tuple(unnamed)
        self.lemmas = tuple(lemmas)
        self.notes = tuple(notes)
        self.letters = letters
        self.lang = lang
        self.way = way
        self.rounding = rounding
        self.question: Question | None = None
        self.asked: Way | None = None
        self.lines: Callable[[], Mapping[Tensor, str]] = dict
        self._graph = graph
        self._meanings: dict[str, Formula] = {}

    def after(
        self, whole: Derivation, steps: Sequence[Step], meanings: Mapping[str, Formula], closing: Sequence[str]
    ) -> Derivation:
        """This derivation after steps that bring the loss into another form.

        Args:
            whole: a derivation of the same gradient, from the loss as it was.
            steps: the steps.
            meanings: what the letters in them stand for.
            closing: why they make it simple.
        """
        result = copy.copy(self)
        result._meanings = dict(meanings)
        result.loss, result.letters, result.steps = whole.loss, whole.letters, (*steps, *self.steps)
        result.closing = (*closing, *self.closing)
        return result

    @functools.cached_property
    def shown(self) -> tuple[Formula, ...]:
        """The formulas that a reader sees: those of the loss and of the steps; of very many the first and the last."""
        steps = self.steps if len(self.steps) <= 80 else (*self.steps[:20], *self.steps[-20:])
        results = [partial.formula for step in steps for partial in step.results]
        return (self.loss, *results, *(formula for step in steps for formula in (step.before, step.after)))

    @functools.cached_property
    def definitions(self) -> tuple[tuple[str, Formula], ...]:
        """What the names in the loss and in the steps stand for, as pairs of a name and a formula."""
        return (*self._meanings.items(), *meanings(self.shown))

    @functools.cached_property
    def where(self) -> tuple[tuple[str, Formula], ...]:
        """What the names in the gradient stand for, as pairs of a name and a formula."""
        return tuple(meanings([self.gradient]))

    @functools.cached_property
    def others(self) -> tuple[Derivation, ...]:
        """The derivations of the same gradient by the other ways, where their steps are others; of a long one, none."""
        if self.question is None or len(self.steps) > _LONG:
            return ()
        found = {repr(self.steps): self}
        for way in get_args(Way):
            other = self if way == self.way else self.question.answer(way)
            if other.way == way:  # a loss that cannot be rewritten goes by lemmas
                found.setdefault(repr(other.steps), other)
                other.lines = self.lines
        return tuple(found.values())[1:]

    @property
    def story(self) -> str:
        """What is asked, and why the result looks as it does, as text."""
        return "\n".join((*self.opening, *self.closing))

    @functools.cached_property
    def outline(self) -> tuple[Block, ...]:
        """What it says, in order: headings, sentences, formulas and steps, from which text and page are written."""
        return outline(self)

    @functools.cached_property
    def drawings(self) -> dict[str, Drawing]:
        """The gradient's graph before and after simplifying, as drawings by caption."""
        algebra = [step for step in self.steps if step.kind == "algebra" and not step.results]
        before = algebra[0].before if algebra else self.gradient
        graphs = {say(self.lang, "drawing before"): before, say(self.lang, "drawing after"): self.gradient}
        if before.expression is self.gradient.expression:  # there was nothing to simplify
            del graphs[say(self.lang, "drawing before")]
        return {caption: self._drawn(formula) for caption, formula in graphs.items()}

    def _drawn(self, formula: Formula) -> Drawing:
        """The graph of a formula for the gradient."""
        tensor = self._graph(formula.expression)
        tensor.name = tensor.name or f"∂{self.output}/∂{self.wrt}"
        return draw(tensor, expand=False, gradients=False, legend=False, lang=self.lang)

    @functools.cached_property
    def scene(self) -> Scene | None:
        """The graph of the loss to step through, on the page; None where it is too large, or nothing to see."""
        return scene(self)

    @property
    def latex(self) -> str:
        """The whole derivation in LaTeX, as an `align*` environment: the chain rule, then every step of algebra.

        It needs the packages amsmath and xcolor, and `\\allowdisplaybreaks` where it is longer than a page. Chinese
        needs XeLaTeX or LuaLaTeX, and a font that has it.
        """
        slope = boxes.slope(self.output, self.wrt)
        steps = [step for block in self.outline if isinstance(block, Steps) for step in block.steps]
        return align(steps, slope, self.gradient)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the derivation as a page: one HTML file with formulas and drawings, which loads nothing.

        Its steps can be stepped through, also by the other ways; where no script runs, all of it stands there.

        Args:
            path: where to write it; the name ends in `.html`.

        Raises:
            ValueError: when the name ends otherwise.
        """
        if not str(path).endswith((".html", ".htm")):
            raise ValueError(f'a derivation is saved as a page: end the name in ".html", not {os.fspath(path)!r}')
        ways = (self, *self.others)
        values = [formula for d in ways for formula in valued(d.outline)]
        touch = touchable(self, values) if len(self.steps) <= _FOLLOWED else None
        there = self.translated(next(lang for lang in SENTENCES if lang != self.lang))
        other = None if there is None else (there.lang, there._told)
        write(path, page(self._told, touch, self.lang, other).encode())

    @property
    def _told(self) -> list[Told]:
        return [Told(d.way, d.outline, d.drawings, d.scene) for d in (self, *self.others)]

    def translated(self, lang: str) -> Derivation | None:
        """The same derivation in another language; None where nobody can be asked, and of a long one."""
        if self.question is None or len(self.steps) > _LONG:
            return None
        return self.question.spoken(lang).derivation(self.asked)

    def _repr_html_(self) -> str:
        return part(self.outline, self.drawings, self.lang)

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
