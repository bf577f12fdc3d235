"""A derivation as a web page: one file, formulas as MathML, drawings as SVG, steps to step through, nothing loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from ...drawing.style import SHEET
from ..formula import Formula
from ..mathml import mathml
from ..outline import (
    Block,
    Computed,
    Equation,
    Heading,
    LemmaBlock,
    Lemmas,
    Meanings,
    Result,
    StepBlock,
    Steps,
    Title,
    Words,
)
from ..sentences import say
from .graphs import inlined
from .heat import STYLE as _HEAT
from .heat import heat
from .look import STYLE as _STAGE
from .panel import STYLE as _PANEL
from .panel import data
from .plan import SHOWN, parted
from .player import STYLE as _PLAYER
from .player import controls, policy, scripts
from .stage import Scene, figure
from .translated import translation

if TYPE_CHECKING:
    from ...drawing import Drawing

_STYLE = """
.derivation { font: 17px/1.55 system-ui, sans-serif; max-width: 56rem; color: inherit }
.derivation h1 { font-size: 1.5rem; font-weight: 600; overflow: auto hidden; margin: .6em 0; padding: .2em 0 }
.derivation h2 { font-size: 1.15rem; font-weight: 600; margin: 2.2rem 0 .6rem; break-after: avoid }
.derivation p { margin: .5rem 0 }
.derivation ol { list-style: none; padding: 0 !important; margin: 1rem 0 }
.derivation li { border-left: 3px solid #8888; margin: 0 0 1.1rem; padding: .1rem 0 .1rem 1rem; break-inside: avoid }
.derivation .rule { font-weight: 600 }
.derivation .number, .derivation .error, .derivation .value, .derivation figcaption { opacity: .7; font-weight: 400 }
.derivation .reason { margin: .2rem 0 }
.derivation .error { font-size: .85em; white-space: nowrap }
.derivation .equations { overflow: auto hidden; break-inside: avoid }
.derivation table { display: grid; grid-template-columns: max-content max-content auto; align-items: baseline;
  justify-content: start; border: 0; margin: .2rem 0; font-size: 1em }
.derivation tbody, .derivation tr { display: contents }
.derivation td { border: 0; padding: .25em 0; vertical-align: baseline; text-align: left !important }
.derivation td.sign { padding: .25em .4em }
.derivation td.left { text-align: right !important; white-space: nowrap }
.derivation .value { padding-left: .5em }
.derivation math { font-size: 1.15em; text-align: left }
.derivation math, .derivation mi, .derivation mn, .derivation mtext { font-family: "STIX Two Text", "Cambria",
  "Times New Roman", "Liberation Serif", "Noto Serif CJK SC", "SimSun", serif }
.derivation mo { font-family: math, "STIX Two Math", "Cambria Math", "DejaVu Serif", "DejaVu Sans",
  "Liberation Serif", serif }
.derivation mi { font-style: italic; text-transform: none }
.derivation mi.word { font-style: normal }
.derivation mfrac > * { math-style: normal }
.derivation code { font: .8rem ui-monospace, "DejaVu Sans Mono", monospace; padding: .1em .4em; background: #8882;
  border-radius: .2em; display: block; width: fit-content; margin: -.2rem 0 .4rem }
.derivation .changed { background: #f0a03048; border-radius: .2em; outline: 1px solid #c8791a }
.derivation .result { border: 2px solid #5878c0; border-radius: .5rem; padding: .4rem 1rem; margin: 1rem 0;
  break-inside: avoid }
.derivation figure { margin: 1rem 0; overflow-x: auto; break-inside: avoid }
.derivation svg text { font-family: Helvetica, Arial, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif }
.derivation svg text.numbers { font-family: Courier, "Courier New", "DejaVu Sans Mono", monospace }
@media print { .derivation { font-size: 11pt; max-width: none } .derivation .equations { overflow: visible } }
"""
_STYLE += SHEET.replace(".drawing", ".derivation .drawing") + _HEAT
_PAGE = """
body { margin: 2rem auto; padding: 0 1rem; max-width: 56rem; color: #1d2433; background: #fff }
@media (prefers-color-scheme: dark) { body { background: #14171d; color: #e4e8f0 } }
@media print { body { margin: 0; max-width: none; color: #000; background: #fff } }
"""


class Told(NamedTuple):
    """A derivation as a page tells it: the way, what stands there, the drawings by caption, the graph to follow."""

    way: str
    blocks: Sequence[Block]
    drawings: Mapping[str, Drawing]
    scene: Scene | None


def page(
    ways: Sequence[Told], touch: Mapping[str, Any] | None, lang: str, other: tuple[str, Sequence[Told]] | None
) -> str:
    """The whole page as HTML. Where no script runs it reads like `part`, and the other ways can be opened below.

    Args:
        ways: the derivation by each way, first by the one that was asked for.
        touch: what it takes to try other values; None where they cannot be tried.
        lang: the language.
        other: another language, and the same ways in it; None where there is none.
    """
    style, there = _PAGE + _PLAYER + _PANEL + _STAGE, None if other is None else other[0]
    said = _said(ways, touch, lang, there)
    if other is not None:
        found = translation(said, _said(other[1], touch, other[0], lang), other[0])
        said = _said(ways, touch, lang, None) if found is None else said + data("translation", found)
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{policy([style, _STYLE])}\n<style>{style}</style>{said}"
        f"{''.join(f'<script>{script}</script>' for script in scripts())}</body></html>\n"
    )


def _said(ways: Sequence[Told], touch: Mapping[str, Any] | None, lang: str, other: str | None) -> str:
    """All that the page says, from its title to its bar."""
    first, *others = ways
    title = next(block.text for block in first.blocks if isinstance(block, Title))
    labels = {told.way: say(lang, f"by {told.way}") for told in ways}
    parts = [part(first.blocks, first.drawings, lang, first.scene)]
    parts += [
        f'<details class="way"><summary>{escape(say(lang, "another way", way=labels[told.way]))}</summary>\n'
        f'<div class="derivation" lang="{lang}">\n{_content(told.blocks, told.drawings, told.scene, lang)}\n'
        "</div></details>"
        for told in others
    ]
    content, bar = "\n".join(parts), controls(labels, touch, lang, other)
    return f"<title>{escape(title)}</title></head>\n<body>\n<main>\n{content}\n</main>\n{bar}"


def part(blocks: Iterable[Block], drawings: Mapping[str, Drawing], lang: str, scene: Scene | None = None) -> str:
    """The same as a part of another page, such as a notebook: as high as what it says, with a style of its own.

    Args:
        blocks: what stands in it.
        drawings: the drawings below, by caption.
        lang: its language.
        scene: the graph of the loss, to follow.
    """
    content = _content(blocks, drawings, scene, lang)
    return f'<div class="derivation" lang="{lang}"><style>{_STYLE}</style>\n{content}\n</div>'


def valued(blocks: Iterable[Block]) -> Iterator[Formula]:
    """The formulas whose values stand on the page, in its order, but for those in proofs of lemmas."""
    for block in blocks:
        match block:
            case Equation():
                equations: Iterable[Equation] = (block,)
            case Meanings() | Computed():
                equations = block.equations
            case Steps():
                there = (step for steps in parted(block.steps) for step in steps)
                equations = (*filter(None, [block.start]), *(e for step in there for e in _equations(step)))
            case Result(equation, meanings):
                equations = (equation, *meanings.equations)
            case _:
                equations = ()
        yield from (e.right for e in equations if e.value is not None and isinstance(e.right, Formula))


def _equations(step: StepBlock) -> tuple[Equation, ...]:
    return (() if step.definition is None else (step.definition,)) + step.equations


def _content(blocks: Iterable[Block], drawings: Mapping[str, Drawing], scene: Scene | None, lang: str) -> str:
    blocks, parts = list(blocks), list[str]()
    beside = next((block for kind in (Computed, Steps) for block in blocks if isinstance(block, kind)), None)
    for block in blocks:
        parts.append(_block(block, lang))
        if block is beside and scene is not None:
            parts.append(figure(scene))
    for caption, drawing in drawings.items():
        parts.append(f"<figure>{inlined(drawing.svg)}<figcaption>{escape(caption)}</figcaption></figure>")
    return "\n".join(parts)


def _block(block: Block, lang: str) -> str:
    match block:
        case Title(_, words, equation):
            before, after = words.split("{result}")
            left = "" if equation.left is None else mathml(equation.left, block=False) + " = "
            return f"<h1>{escape(before)}{left}{mathml(equation.box, block=False)}{escape(after)}</h1>"
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Words(text):
            return f"<p>{escape(text)}</p>"
        case Equation():
            return _lines(lang, block)
        case Meanings():
            return _meanings(block, lang)
        case Computed(equations):
            return f'<ol class="forward">{"".join(f"<li>{_lines(lang, equation)}</li>" for equation in equations)}</ol>'
        case Steps():
            return _steps(block, lang)
        case Result(equation, meanings):
            return f'<div class="result">{_lines(lang, equation)}{_meanings(meanings, lang)}</div>'
        case Lemmas(heading, lemmas):
            return f"<h2>{escape(heading)}</h2>" + "".join(_lemma(lemma, lang) for lemma in lemmas)


def _lemma(lemma: LemmaBlock, lang: str) -> str:
    """A lemma that opens into its proof."""
    said = "".join(_lines(lang, equation) for equation in lemma.equations)
    said += "" if lemma.entries is None else f"<div>{escape(lemma.entries)}</div>"
    proof = "".join(_block(block, lang) for block in lemma.proof())
    return f'<details class="lemma"><summary>{escape(lemma.name)}{said}</summary>{proof}</details>'


def _lines(lang: str, *equations: Equation) -> str:
    """Equations, their equal signs in one column."""
    return f'<div class="equations"><table>{"".join(_row(equation, lang) for equation in equations)}</table></div>'


def _row(equation: Equation, lang: str) -> str:
    left = "" if equation.left is None else mathml(equation.left, block=False)
    value = "" if equation.value is None else f' <span class="value">= {escape(equation.value)}</span>'
    strip = "" if equation.large is None else heat(equation.large, lang) or ""
    right = mathml(equation.box, block=False) + value + strip
    code = "" if equation.code is None else _cells("", "", f"<code>{escape(equation.code)}</code>")
    return _cells(left, "=" if equation.equals else "", right) + code


def _cells(left: str, sign: str, right: str) -> str:
    return f'<tr><td class="left">{left}</td><td class="sign">{sign}</td><td class="right">{right}</td></tr>'


def _meanings(block: Meanings, lang: str) -> str:
    if not block.equations:
        return ""
    where = f"<p>{escape(block.where)}</p>" if block.where else ""
    return f"{where}{_lines(lang, *block.equations)}" + ("" if block.complete else "<p>…</p>")


def _steps(block: Steps, lang: str) -> str:
    items = ["".join(_step(step, lang) for step in steps) for steps in parted(block.steps)]
    first, folded, last = (f"<ol>{some}</ol>" if some else "" for some in items)
    more = escape(block.more.format(n=len(block.steps) - SHOWN))
    middle = f"<details><summary>{more}</summary>{folded}</details>" if folded else f"<p>⋮ {more}</p>" if last else ""
    return f"{'' if block.start is None else _lines(lang, block.start)}{first}{middle}{last}"


def _step(step: StepBlock, lang: str) -> str:
    return (
        f'<li><span class="rule"><span class="number">{step.number}</span> {escape(step.rule)}</span>'
        f"{_lines(lang, *_equations(step))}"
        f'<p class="reason">{escape(step.reason)} <span class="error">(Δ {step.error})</span></p></li>'
    )
