"""A derivation as a web page: one file, formulas as MathML, drawings as SVG, no script, nothing loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

from .mathml import mathml
from .outline import Block, Equation, Heading, LemmaBlock, Lemmas, Meanings, Result, StepBlock, Steps, Title, Words

if TYPE_CHECKING:
    from ..drawing import Drawing

_STYLE = """
body { font: 17px/1.55 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1d2433; background: #fff }
h1 { font-size: 1.5rem; font-weight: 600 } h2 { font-size: 1.15rem; margin-top: 2.2rem }
ol { list-style: none; padding: 0 }
li { border-left: 3px solid #d5dae4; margin: 0 0 1.1rem; padding: .1rem 0 .1rem 1rem }
.rule { font-weight: 600 } .number, .error, .value { color: #5c6577; font-weight: 400 } .reason { margin: .2rem 0 }
.error { font-size: .85em; white-space: nowrap } math { font-size: 1.15em; margin: .35em 0; text-align: left }
.formula { overflow-x: auto } .formula math { display: inline-block }
.changed { background: #ffe7c7; border-radius: .2em; outline: 1px solid #c8791a }
.result { border: 2px solid #35518f; border-radius: .5rem; padding: .4rem 1rem; margin: 1rem 0 }
figure { margin: 1rem 0; overflow-x: auto } figure svg { max-width: 100%; height: auto } figcaption { color: #5c6577 }
@media (prefers-color-scheme: dark) { body { background: #14171d; color: #e4e8f0 } .changed { background: #54390f }
  li { border-color: #3a4252 } .number, .error, .value, figcaption { color: #98a2b5 } figure svg { background: #fff } }
"""
_SHOWN = 60  # steps of one kind unfolded; the others can be opened


def page(blocks: Iterable[Block], drawings: Mapping[str, Drawing], lang: str) -> str:
    """The whole page as HTML.

    Args:
        blocks: what stands on it.
        drawings: the drawings below, by caption.
        lang: its language.
    """
    blocks = list(blocks)
    title = next(block.text for block in blocks if isinstance(block, Title))
    parts = [_block(block) for block in blocks]
    for caption, drawing in drawings.items():
        parts.append(f"<figure>{_inline(drawing.svg)}<figcaption>{escape(caption)}</figcaption></figure>")
    content = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{content}</body></html>\n"
    )


def notebook(page: str) -> str:
    """A page in a notebook: in a frame of its own, so that its style stays inside."""
    return f'<iframe srcdoc="{escape(page)}" style="width: 100%; height: 36em; border: 0" title="derivation"></iframe>'


def _block(block: Block) -> str:
    match block:
        case Title(_, words, equation):
            before, after = words.split("{result}")
            return f"<h1>{escape(before)}{_line(equation)}{escape(after)}</h1>"
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Words(text):
            return f"<p>{escape(text)}</p>"
        case Equation():
            return _line(block)
        case Meanings():
            return _meanings(block)
        case Steps():
            return _steps(block)
        case Result(equation, meanings):
            return f'<div class="result">{_line(equation)}{_meanings(meanings)}</div>'
        case Lemmas(heading, lemmas):
            return f"<h2>{escape(heading)}</h2>" + "".join(map(_lemma, lemmas))


def _lemma(lemma: LemmaBlock) -> str:
    """A lemma that opens into its proof."""
    said = "".join(map(_line, lemma.equations))
    proof = "".join(map(_block, lemma.proof()))
    return f'<details class="lemma"><summary>{escape(lemma.name)}{said}</summary>{proof}</details>'


def _inline(svg: str) -> str:
    """An SVG document as an element of a page."""
    return re.sub(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<!--.*?-->", "", svg, flags=re.DOTALL).strip()


def _line(equation: Equation) -> str:
    formula = mathml(equation.box, equation.left, equation.equals)
    value = "" if equation.value is None else f' <span class="value">= {escape(equation.value)}</span>'
    return f'<div class="formula">{formula}{value}</div>'


def _meanings(block: Meanings) -> str:
    if not block.equations:
        return ""
    return f"<p>{escape(block.where)}</p>" + "".join(map(_line, block.equations))


def _steps(block: Steps) -> str:
    items = [_step(step) for step in block.steps]
    start = _line(block.start) if block.start is not None else ""
    if len(items) <= _SHOWN:
        return f"{start}<ol>{''.join(items)}</ol>"
    half = _SHOWN // 2
    hidden = items[half:-half]
    return (
        f"{start}<ol>{''.join(items[:half])}</ol><details><summary>{escape(block.more.format(n=len(hidden)))}</summary>"
        f"<ol>{''.join(hidden)}</ol></details><ol>{''.join(items[-half:])}</ol>"
    )


def _step(step: StepBlock) -> str:
    equations = (() if step.definition is None else (step.definition,)) + step.equations
    return (
        f'<li><span class="rule"><span class="number">{step.number}</span> {escape(step.rule)}</span>'
        f"{''.join(map(_line, equations))}"
        f'<p class="reason">{escape(step.reason)} <span class="error">(Δ {step.error})</span></p></li>'
    )
