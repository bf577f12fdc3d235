"""A derivation as a web page: one file, formulas as MathML, drawings as SVG, no script, nothing loaded."""

from __future__ import annotations

import re
from html import escape

from .derivation import Derivation, Formula, Step
from .mathml import mathml, name_mathml

_STYLE = """
body { font: 17px/1.55 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1d2433; background: #fff }
h1 { font-size: 1.5rem; font-weight: 600 } h2 { font-size: 1.15rem; margin-top: 2.2rem }
ol { list-style: none; padding: 0 }
li { border-left: 3px solid #d5dae4; margin: 0 0 1.1rem; padding: .1rem 0 .1rem 1rem }
.rule { font-weight: 600 } .number, .error { color: #5c6577; font-weight: 400 } .reason { margin: .2rem 0 }
.error { font-size: .85em; white-space: nowrap } math { font-size: 1.15em; margin: .35em 0; text-align: left }
.formula { overflow-x: auto } .changed { background: #ffe7c7; border-radius: .2em; outline: 1px solid #c8791a }
.result { border: 2px solid #35518f; border-radius: .5rem; padding: .4rem 1rem; margin: 1rem 0 }
figure { margin: 1rem 0; overflow-x: auto } figure svg { max-width: 100%; height: auto } figcaption { color: #5c6577 }
@media (prefers-color-scheme: dark) { body { background: #14171d; color: #e4e8f0 } .changed { background: #54390f }
  li { border-color: #3a4252 } .number, .error, figcaption { color: #98a2b5 } figure svg { background: #fff } }
"""
_SHOWN = 60  # steps of one kind unfolded; the others can be opened


def page(d: Derivation) -> str:
    """The whole page as HTML."""
    title = f"Why ∂{d.output}/∂{d.wrt} = {_short(str(d.gradient))}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{content(d)}</body></html>\n"
    )


def notebook(d: Derivation) -> str:
    """The derivation in a notebook: the page in a frame of its own, so that its style stays inside."""
    return (
        f'<iframe srcdoc="{escape(page(d))}" style="width: 100%; height: 36em; border: 0" title="derivation"></iframe>'
    )


def content(d: Derivation) -> str:
    """What stands on the page."""
    chain = [s for s in d.steps if s.kind == "chain rule"]
    algebra = [s for s in d.steps if s.kind == "algebra"]
    slope = f"<mfrac><mrow><mo>∂</mo>{name_mathml(d.output)}</mrow><mrow><mo>∂</mo>{name_mathml(d.wrt)}</mrow></mfrac>"
    parts = [f"<h1>Why {_line(d.gradient, slope)}</h1>", _line(d.loss, name_mathml(d.output)), _where(d.definitions)]
    if chain:
        first = chain[0].results[0][0]
        parts.append(f"<h2>The chain rule: from {escape(d.output)} back to {escape(d.wrt)}</h2>")
        parts.append(f"<p>∂{escape(first)} is short for ∂{escape(d.output)}/∂{escape(first)}.</p>")
        parts.append(_steps([_chain_step(i, s) for i, s in enumerate(chain, 1)]))
    if algebra:
        parts.append("<h2>Algebra: the same gradient, simpler</h2>")
        parts.append(_line(algebra[0].before, f"<mo>∂</mo>{name_mathml(d.wrt)}"))
        parts.append(_steps([_algebra_step(i, s) for i, s in enumerate(algebra, len(chain) + 1)]))
    parts.append(f'<h2>Result</h2><div class="result">{_line(d.gradient, slope)}{_where(d.where)}</div>')
    parts += [f"<p>{escape(name)} = {length}, {escape(axis)}.</p>" for name, length, axis in d.sizes]
    parts += [f"<p>Assumed, and checked on the data: {escape(text)}.</p>" for text in d.assumptions]
    parts += [f"<p>{escape(remark)}</p>" for remark in d.remarks]
    parts.append(
        "<p>Checked: at every step the formula was evaluated on the recorded data and compared with "
        f"<code>backward</code>; the largest difference is {d.error:.1g}.</p>"
    )
    for caption, drawing in d.drawings.items():
        parts.append(f"<figure>{_inline(drawing.svg)}<figcaption>{escape(caption)}</figcaption></figure>")
    return "\n".join(parts)


def _inline(svg: str) -> str:
    """An SVG document as an element of a page."""
    return re.sub(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<!--.*?-->", "", svg, flags=re.DOTALL).strip()


def _line(formula: Formula, left: str) -> str:
    return f'<div class="formula">{mathml(formula.box, f"{left}<mo>=</mo>")}</div>'


def _where(definitions: tuple[tuple[str, Formula], ...]) -> str:
    if not definitions:
        return ""
    return "<p>where</p>" + "".join(_line(formula, name_mathml(name)) for name, formula in definitions[:12])


def _steps(items: list[str]) -> str:
    if len(items) <= _SHOWN:
        return f"<ol>{''.join(items)}</ol>"
    half = _SHOWN // 2
    hidden = items[half:-half]
    return (
        f"<ol>{''.join(items[:half])}</ol><details><summary>{len(hidden)} more steps</summary>"
        f"<ol>{''.join(hidden)}</ol></details><ol>{''.join(items[-half:])}</ol>"
    )


def _chain_step(i: int, step: Step) -> str:
    assert step.definition is not None
    name, formula = step.definition
    results = "".join(_line(result, f"<mo>∂</mo>{name_mathml(x)}") for x, result in step.results)
    return (
        f'<li><span class="rule"><span class="number">{i}</span> {escape(step.rule)}</span>'
        f"{_line(formula, name_mathml(name))}{results}{_reason(step)}</li>"
    )


def _algebra_step(i: int, step: Step) -> str:
    before = f'<div class="formula">{mathml(step.before.box)}</div>' if step.before.changed else ""
    after = f'<div class="formula">{mathml(step.after.box, "<mo>=</mo>")}</div>'
    rule = f'<span class="rule"><span class="number">{i}</span> {escape(step.rule)}</span>'
    return f"<li>{rule}{before}{after}{_reason(step)}</li>"


def _reason(step: Step) -> str:
    return f'<p class="reason">{escape(step.reason)} <span class="error">(Δ {step.error:.1g})</span></p>'


def _short(text: str) -> str:
    return text if len(text) <= 60 else "…"
