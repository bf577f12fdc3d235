"""What a derivation says, and in which order: plain data that text, page and LaTeX are written from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..drawing import values
from . import boxes
from .boxes import Box
from .formula import Formula
from .sentences import composite_name, say

if TYPE_CHECKING:
    from ..engine.tensor import Array, Tensor
    from .derivation import Derivation, Lemma, Partial, Step

_MOST_NAMES = 60  # names whose meaning is said in one place
_MOST_OPERATIONS = 30  # more are a list that nobody reads
_LONG_TITLE = 60


class Equation(NamedTuple):
    """A formula on a line of its own.

    Attributes:
        left: what it is equal to; None where the line above says that.
        right: the formula, written only when it is asked for: of many only some are shown.
        equals: whether an equal sign stands in front.
        with_value: whether its value on the recorded data stands beside it.
        code: the line of the reader's own code that computes it, where that is certain.
    """

    left: Box | None
    right: Formula | Box
    equals: bool = True
    with_value: bool = False
    code: str | None = None

    @property
    def box(self) -> Box:
        """The formula as it is written."""
        return self.right if isinstance(self.right, Box) else self.right.box

    @property
    def value(self) -> str | None:
        """Its value, where it is to be shown, is small enough, and is not what the formula says itself."""
        if not self.with_value or isinstance(self.right, Box):
            return None
        found = self.right.value
        value = values.whole(found.astype(int) if found.dtype.kind == "b" else found)  # one-hot rows
        return value if value != str(self.right) else None

    @property
    def large(self) -> Array | None:
        """Its value, where it is to be shown, and is too large to be written out."""
        if not self.with_value or isinstance(self.right, Box):
            return None
        value = self.right.value
        return value if value.size and values.whole(value) is None else None


class Title(NamedTuple):
    """The question.

    Attributes:
        text: as one line of text, a long answer left out.
        words: in words, around an equation that stands where they say `{result}`.
        equation: the answer.
    """

    text: str
    words: str
    equation: Equation


class Heading(NamedTuple):
    """The heading of a part."""

    text: str


class Words(NamedTuple):
    """A sentence; `indented` where it belongs to a formula above."""

    text: str
    indented: bool = False


class Meanings(NamedTuple):
    """What names stand for: `where y′ = softmax(z)`. The first word, the word before each other, and the equations."""

    where: str
    also: str
    equations: tuple[Equation, ...]
    complete: bool


class Computed(NamedTuple):
    """How the loss is computed, operation by operation, each with its value."""

    equations: tuple[Equation, ...]


class StepBlock(NamedTuple):
    """A step.

    Attributes:
        number: its number, from 1.
        rule: the rule's name.
        definition: in the chain rule, what the operation computes.
        equations: the formulas that it leads to.
        reason: why.
        error: how far the formula is from what backward gave.
    """

    number: int
    rule: str
    definition: Equation | None
    equations: tuple[Equation, ...]
    reason: str
    error: str


class Steps(NamedTuple):
    """Steps.

    Attributes:
        steps: the steps.
        more: what is said of those that a writer leaves out: a sentence with `{n}`.
        start: what they start from.
    """

    steps: tuple[StepBlock, ...]
    more: str
    start: Equation | None = None


class Result(NamedTuple):
    """The last line, and what the names in it stand for."""

    equation: Equation
    meanings: Meanings


class LemmaBlock(NamedTuple):
    """A lemma: of what, where its proof is, what it says, also entry by entry where a book does, and its proof."""

    name: str
    where: str
    equations: tuple[Equation, ...]
    entries: str | None
    proof: Callable[[], tuple[Block, ...]]


class Lemmas(NamedTuple):
    """The lemmas that were cited, under a heading."""

    heading: str
    lemmas: tuple[LemmaBlock, ...]


Block: TypeAlias = "Title | Heading | Words | Equation | Meanings | Computed | Steps | Result | Lemmas"


def outline(d: Derivation) -> tuple[Block, ...]:
    """All that the derivation says, but its drawings."""
    slope = boxes.slope(d.output, d.wrt)
    rewriting = [(i, step) for i, step in enumerate(d.steps, 1) if step.kind == "rewriting"]
    chain = [(i, step) for i, step in enumerate(d.steps, 1) if step.results]
    algebra = [(i, step) for i, step in enumerate(d.steps, 1) if step.kind == "algebra" and not step.results]
    blocks: list[Block] = [
        *([] if d.alarm is None else [Words(d.alarm)]),
        _title(d, Equation(slope, d.gradient)),
        *map(Words, d.opening),
        Equation(boxes.text(d.output), d.loss, code=_code(d, d.letters.get(d.output))),
        _meanings(d, d.definitions),
    ]
    blocks += [Words(text, indented=True) for text in _signs(d)]
    if rewriting:
        blocks.append(Heading(say(d.lang, "rewriting")))
        start = Equation(boxes.text(d.output), rewriting[0][1].before.unmarked(), with_value=True)
        blocks.append(Steps(tuple(_algebra_step(i, step) for i, step in rewriting), say(d.lang, "more steps"), start))
    if chain:
        blocks.append(Heading(say(d.lang, "chain rule", output=d.output, wrt=d.wrt)))
        blocks += _computed(d)
        name = chain[0][1].results[0].name
        blocks.append(Words(say(d.lang, "short for", name=name, output=d.output)))
        several = next(((p.name, p.via) for _, step in chain for p in step.results if p.via is not None), None)
        if several is not None:
            blocks.append(Words(say(d.lang, "by way", name=several[0], via=several[1])))
        blocks.append(Steps(tuple(_chain_step(d, i, step) for i, step in chain), say(d.lang, "more steps")))
    if algebra:
        blocks.append(Heading(say(d.lang, "algebra")))
        start = Equation(boxes.partial(d.wrt), algebra[0][1].before.unmarked(), with_value=True)
        blocks.append(Steps(tuple(_algebra_step(i, step) for i, step in algebra), say(d.lang, "more steps"), start))
    blocks += [
        Heading(say(d.lang, "result")),
        Result(Equation(slope, d.gradient, with_value=True), _meanings(d, d.where, with_values=True)),
    ]
    blocks += [Words(say(d.lang, "assumed", fact=fact)) for fact in d.assumptions]
    blocks += map(Words, d.closing)
    if d.lemmas:
        blocks.append(Lemmas(say(d.lang, "lemmas"), tuple(_lemma(d, i, lemma) for i, lemma in enumerate(d.lemmas))))
    blocks.append(Words(say(d.lang, "checked", error=f"{d.error:.1g}")))
    return tuple(blocks)


def _computed(d: Derivation) -> list[Block]:
    """How the loss is computed, operation by operation: what the letters of the steps stand for."""
    found = [(step.node, *step.definition) for step in reversed(d.steps) if step.definition is not None]
    if not 1 < len(found) <= _MOST_OPERATIONS:
        return []
    equations = tuple(
        Equation(boxes.text(name), formula, with_value=True, code=_code(d, t)) for t, name, formula in found
    )
    return [Words(say(d.lang, "computed", output=d.output)), Computed(equations)]


def _code(d: Derivation, t: Tensor | None) -> str | None:
    return None if t is None else d.lines().get(t)


def _title(d: Derivation, answer: Equation) -> Title:
    written = str(d.gradient)
    result = f"∂{d.output}/∂{d.wrt} = {written if len(written) <= _LONG_TITLE else '…'}"
    question = say(d.lang, "why")
    return Title(question.format(result=result), question, answer)


def _signs(d: Derivation) -> list[str]:
    """What the signs and letters in the formulas mean that no equation says."""
    found = list(boxes.inside(*(formula.box for formula in d.shown)))
    kinds = {box.text if box.kind == "call" else box.kind for box in found} | {box.text.strip() for box in found}
    letters = "".join(box.text for box in found if box.kind in ("sigma", "folded", "letters"))
    signs = [say(d.lang, f"sign {sign}") for sign in ("⊙", "σ", "Φ", "φ", "mask", "stop") if sign in kinds]
    if any(box.kind == "call" and box.text.startswith("put[") for box in found):
        signs.append(say(d.lang, "sign put"))
    if any(box.kind == "index" and box.text != "mask" for box in found):
        signs.append(say(d.lang, "sign at"))
    if any(box.kind == "sigma" and not box.text for box in found):
        signs.append(say(d.lang, "sign Σ"))
    for axis in d.axes:
        about = {"axis": axis.position, "name": axis.tensor, "capital": axis.letter.upper(), "length": axis.length}
        if axis.letter in letters:
            signs.append(say(d.lang, "sign index", letter=axis.letter, **about))
        if axis.letter.upper() in kinds:
            signs.append(say(d.lang, "length", **about))
    for letter, array in d.unnamed:
        value = values.lines(array)
        whole = len(value) == 1 and "…" not in value[0]
        key = "loose" if letter in d.loss.loose else "unnamed"
        signs.append(say(d.lang, key, letter=letter, value=value[0] if whole else values.size(array)))
    return [*signs, *d.notes]


def _meanings(d: Derivation, names: tuple[tuple[str, Formula], ...], with_values: bool = False) -> Meanings:
    names = tuple((name, formula) for name, formula in names if _letters(name) != _letters(str(formula)))
    equations = tuple(
        Equation(boxes.text(name), formula, with_value=with_values, code=_code(d, d.letters.get(name)))
        for name, formula in names[:_MOST_NAMES]
    )
    return Meanings(say(d.lang, "meaning"), say(d.lang, "and"), equations, len(names) <= _MOST_NAMES)


def _letters(written: str) -> str:
    """Without spaces and brackets: Σe is called what it is, Σ e."""
    return "".join(letter for letter in written if letter not in " ()")


def _chain_step(d: Derivation, i: int, step: Step) -> StepBlock:
    results = tuple(Equation(_partial(d, p.name, p.via), p.formula, with_value=True) for p in step.results)
    if step.lemma:
        results = tuple(line for pair in zip(step.lemma, results, strict=True) for line in _cited(*pair))
    if step.kind == "algebra":  # on the way
        (p,) = step.results
        definition = Equation(_partial(d, p.name, p.via), step.before)
        results = (results[0]._replace(left=None),)
    elif step.definition is None:
        name = step.results[0].name
        results = (results[0]._replace(left=None),)
        definition = Equation(boxes.partial(name), _added(d, name, step.ways))
    else:
        definition = Equation(boxes.text(step.definition[0]), step.definition[1])
    return StepBlock(i, step.rule, definition, results, step.reason, f"{step.error:.1g}")


def _cited(lemma: Partial, result: Equation) -> tuple[Equation, ...]:
    """The lemma, and the same with the gradient put in that arrives."""
    if str(lemma.formula) == str(result.right):
        return (result,)
    return result._replace(right=lemma.formula, with_value=False), result._replace(left=None)


def _partial(d: Derivation, name: str, via: str | None) -> Box:
    """`∂e`, or `∂e via y′` for what comes back by one of several ways."""
    if via is None:
        return boxes.partial(name)
    word = boxes.text(say(d.lang, "via"))
    return boxes.row(boxes.partial(name), boxes.text(" "), word, boxes.text(" "), boxes.text(via))


def _lemma(d: Derivation, i: int, lemma: Lemma) -> LemmaBlock:
    name = composite_name(lemma.name, d.lang)
    equations = tuple(Equation(boxes.partial(mark), formula) for mark, formula, _ in lemma.statements)
    where = say(d.lang, "proof", name=name, i=i)
    return LemmaBlock(name, where, equations, lemma.entries, lambda: lemma.proof.outline)


def _added(d: Derivation, name: str, ways: tuple[str, ...]) -> Box:
    terms = [boxes.group(_partial(d, name, via)) for via in ways]
    return boxes.row(*[box for term in terms for box in (boxes.text(" + "), term)][1:])


def _algebra_step(i: int, step: Step) -> StepBlock:
    before = (Equation(None, step.before, equals=False),) if step.before.changed else ()
    return StepBlock(i, step.rule, None, (*before, Equation(None, step.after)), step.reason, f"{step.error:.1g}")
