"""A derivation as a web page: one file, formulas as MathML, drawings as SVG, steps to step through, nothing loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from .formula import Formula
from .mathml import mathml
from .outline import Block, Equation, Heading, LemmaBlock, Lemmas, Meanings, Result, StepBlock, Steps, Title, Words
from .panel import STYLE as _PANEL
from .player import STYLE as _PLAYER
from .player import player, policy
from .sentences import say

if TYPE_CHECKING:
    from ..drawing import Drawing

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
.derivation .changed { background: #f0a03048; border-radius: .2em; outline: 1px solid #c8791a }
.derivation .result { border: 2px solid #5878c0; border-radius: .5rem; padding: .4rem 1rem; margin: 1rem 0;
  break-inside: avoid }
.derivation figure { margin: 1rem 0; overflow-x: auto; break-inside: avoid }
.derivation figure svg { max-width: 100%; height: auto; background: #fff }
@media print { .derivation { font-size: 11pt; max-width: none } .derivation .equations { overflow: visible } }
"""
_PAGE = """
body { margin: 2rem auto; padding: 0 1rem; max-width: 56rem; color: #1d2433; background: #fff }
@media (prefers-color-scheme: dark) { body { background: #14171d; color: #e4e8f0 } }
@media print { body { margin: 0; max-width: none; color: #000; background: #fff } }
"""
_SHOWN = 60  # steps of one kind unfolded; the others can be opened


def page(
    ways: Sequence[tuple[str, Sequence[Block], Mapping[str, Drawing]]], touch: Mapping[str, Any] | None, lang: str
) -> str:
    """The whole page as HTML. Where no script runs it reads like `part`, and the other ways can be opened below.

    Args:
        ways: by each way, first the one that was asked for: its name, what stands there, and the drawings by caption.
        touch: what it takes to try other values; None where they cannot be tried.
        lang: the language.
    """
    (_, blocks, drawings), *others = ways
    title = next(block.text for block in blocks if isinstance(block, Title))
    labels = {way: say(lang, f"by {way}") for way, _, _ in ways}
    parts = [part(blocks, drawings, lang)]
    parts += [
        f'<details class="way"><summary>{escape(say(lang, "another way", way=labels[way]))}</summary>\n'
        f'<div class="derivation" lang="{lang}">\n{_content(blocks, drawings)}\n</div></details>'
        for way, blocks, drawings in others
    ]
    content, style = "\n".join(parts), _PAGE + _PLAYER + _PANEL
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{policy([style, _STYLE])}<title>{escape(title)}</title><style>{style}</style></head>\n"
        f"<body>\n<main>\n{content}\n</main>\n{player(labels, touch, lang)}</body></html>\n"
    )


def part(blocks: Iterable[Block], drawings: Mapping[str, Drawing], lang: str) -> str:
    """The same as a part of another page, such as a notebook: as high as what it says, with a style of its own.

    Args:
        blocks: what stands in it.
        drawings: the drawings below, by caption.
        lang: its language.
    """
    return f'<div class="derivation" lang="{lang}"><style>{_STYLE}</style>\n{_content(blocks, drawings)}\n</div>'


def valued(blocks: Iterable[Block]) -> Iterator[Formula]:
    """The formulas whose values stand on the page, in its order, but for those in proofs of lemmas."""
    for block in blocks:
        match block:
            case Equation():
                equations: Iterable[Equation] = (block,)
            case Meanings():
                equations = block.equations
            case Steps():
                equations = (*filter(None, [block.start]), *(e for step in block.steps for e in _equations(step)))
            case Result(equation, meanings):
                equations = (equation, *meanings.equations)
            case _:
                equations = ()
        yield from (e.right for e in equations if e.value is not None and isinstance(e.right, Formula))


def _equations(step: StepBlock) -> tuple[Equation, ...]:
    return (() if step.definition is None else (step.definition,)) + step.equations


def _content(blocks: Iterable[Block], drawings: Mapping[str, Drawing]) -> str:
    parts = [_block(block) for block in blocks]
    for caption, drawing in drawings.items():
        parts.append(f"<figure>{_inline(drawing.svg)}<figcaption>{escape(caption)}</figcaption></figure>")
    return "\n".join(parts)


def _block(block: Block) -> str:
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
            return _lines(block)
        case Meanings():
            return _meanings(block)
        case Steps():
            return _steps(block)
        case Result(equation, meanings):
            return f'<div class="result">{_lines(equation)}{_meanings(meanings)}</div>'
        case Lemmas(heading, lemmas):
            return f"<h2>{escape(heading)}</h2>" + "".join(map(_lemma, lemmas))


def _lemma(lemma: LemmaBlock) -> str:
    """A lemma that opens into its proof."""
    said = "".join(map(_lines, lemma.equations))
    said += "" if lemma.entries is None else f"<div>{escape(lemma.entries)}</div>"
    proof = "".join(map(_block, lemma.proof()))
    return f'<details class="lemma"><summary>{escape(lemma.name)}{said}</summary>{proof}</details>'


def _inline(svg: str) -> str:
    """An SVG document as an element of a page."""
    bare = re.sub(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<!--.*?-->", "", svg, flags=re.DOTALL).strip()
    return re.sub(r'<g id="[^"]*"', "<g", bare)  # each drawing has the same, and nothing refers to them


def _lines(*equations: Equation) -> str:
    """Equations, their equal signs in one column."""
    return f'<div class="equations"><table>{"".join(map(_row, equations))}</table></div>'


def _row(equation: Equation) -> str:
    left = "" if equation.left is None else mathml(equation.left, block=False)
    value = "" if equation.value is None else f' <span class="value">= {escape(equation.value)}</span>'
    cells = {"left": left, "sign": "=" if equation.equals else "", "right": mathml(equation.box, block=False) + value}
    return "<tr>" + "".join(f'<td class="{name}">{cell}</td>' for name, cell in cells.items()) + "</tr>"


def _meanings(block: Meanings) -> str:
    if not block.equations:
        return ""
    where = f"<p>{escape(block.where)}</p>" if block.where else ""
    return f"{where}{_lines(*block.equations)}" + ("" if block.complete else "<p>…</p>")


def _steps(block: Steps) -> str:
    items = [_step(step) for step in block.steps]
    start = _lines(block.start) if block.start is not None else ""
    if len(items) <= _SHOWN:
        return f"{start}<ol>{''.join(items)}</ol>"
    half = _SHOWN // 2
    hidden = items[half:-half]
    return (
        f"{start}<ol>{''.join(items[:half])}</ol><details><summary>{escape(block.more.format(n=len(hidden)))}</summary>"
        f"<ol>{''.join(hidden)}</ol></details><ol>{''.join(items[-half:])}</ol>"
    )


def _step(step: StepBlock) -> str:
    return (
        f'<li><span class="rule"><span class="number">{step.number}</span> {escape(step.rule)}</span>'
        f"{_lines(*_equations(step))}"
        f'<p class="reason">{escape(step.reason)} <span class="error">(Δ {step.error})</span></p></li>'
    )
