"""The panel where other values are tried: sliders, the label, both losses side by side, the error surface."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from ..sentences import say

STYLE = """
.touch { flex: 1 0 100%; order: -3; min-width: 0; max-width: 100% }
.touch summary { cursor: pointer; min-height: 2rem; width: max-content; max-width: 100% }
.touch > div { max-height: 55vh; overflow: auto; padding: 4px }
.touch table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .95em }
.touch td, .touch th { padding: .1rem .3rem; font-weight: 400; text-align: left; white-space: nowrap }
.touch thead th { vertical-align: bottom; font-size: .9em; line-height: 1.2; white-space: normal }
.touch tfoot tr:first-child > * { border-top: 1px solid #8888; padding-top: .3rem }
.touch tbody th, .touch tfoot th { width: 1% }
.touch tbody td:has(input) { width: 22% }
.touch output { display: inline-block; min-width: 3.5em }
.touch input { width: 100%; min-width: 3.5rem; min-height: 2rem; margin: 0 }
.touch td svg { display: block; width: 100%; min-width: 1.5rem; height: .7rem; background: #8883; fill: #5878c0 }
.touch td [title] { display: block; line-height: 1.3 }
.touch button, .touch select { min-height: 2.5rem; order: 0; flex: none }
.touch .labels { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center; margin: .5rem 0 }
.surface, .maps { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: center }
.surface label { display: flex; gap: .4rem; align-items: center }
.maps { flex: 1 0 100%; align-items: stretch }
.surface { border: 0; border-top: 1px solid #8888;
  margin: .6rem 0 0; padding: .6rem 0 0; font-size: .95em }
.surface > p { flex: 1 0 100%; order: 1; margin: .3rem 0 0; max-width: 46rem; font-size: .9em }
.surface input { width: 9rem }
.surface figure { flex: 1 1 15rem; max-width: 24rem; margin: .3rem 0 0; display: flex; flex-direction: column;
  justify-content: space-between }
.surface figcaption { min-height: 3.2em; padding-bottom: .2rem }
.surface figcaption * { display: block }
.surface figcaption b { font-weight: 600 }
.surface figcaption span { opacity: .8; font-variant-numeric: tabular-nums }
.surface figure div { position: relative; aspect-ratio: 1 }
.surface canvas, .surface svg { position: absolute; inset: 0; width: 100%; height: 100% }
.surface svg { cursor: crosshair; overflow: hidden; fill: none; stroke-linecap: round; stroke-linejoin: round }
.surface .path { stroke: #fff; stroke-width: 2; paint-order: stroke; filter: drop-shadow(0 0 1px #000) }
.surface .dots { stroke: #fff; stroke-width: 5; filter: drop-shadow(0 0 1px #000) }
.surface .start { fill: #d8431f; stroke: #fff; stroke-width: 2 }
.surface .arrow { stroke: #d8431f; stroke-width: 3; filter: drop-shadow(0 0 1px #fff) }
.surface text { fill: #fff; stroke: #182a5c; stroke-width: 3; paint-order: stroke; font: 12px system-ui, sans-serif }
.surface .x { text-anchor: middle }
@media screen and (min-width: 80rem) {
  body:has(.touch[open]) { margin: 2rem 0 2rem 1rem; max-width: none; width: calc(56vw - 3rem) }
  .touch[open] > div { position: fixed; inset: 0 0 auto 56vw; height: calc(100vh - 8rem); max-height: none;
    box-sizing: border-box; padding: 1rem; background: inherit; border-left: 1px solid #8888 }
  .player:has(.touch[open]) .touch { background: inherit }
}
@media screen and (max-width: 80rem) { /* the drawing makes room for it */
  body:has(.touch[open]) .stepping [aria-current] { scroll-margin-top: .5rem }
}
@media (max-width: 40rem) {
  .touch table { font-size: .78em }
  .touch td, .touch th { padding: 0 .12rem }
  .touch output { min-width: 2.4em }
  .maps { gap: .5rem }
  .surface figure { flex-basis: 9rem }
}
@media print { .touch { display: none } }
"""
_WORDS = ("entropy", "square", "prediction", "loss", "length", "class", "target", "arrived", "never", "here")


def panel(touch: Mapping[str, Any] | None, lang: str) -> str:
    """The panel, which a script fills, and what it computes with; nothing where no values can be tried.

    Args:
        touch: what it takes to try other values.
        lang: the language of its labels.
    """
    if touch is None:
        return ""

    def label(key: str) -> str:
        return escape(say(lang, f"touch {key}"))

    sides = "sides" in touch
    words = "".join(f'<span data-word="{word}">{label(word)}</span>' for word in _WORDS)
    wrong = f' <button type="button" name="wrong">{label("wrong")}</button>' if sides else ""
    surface = (
        f'<section class="surface" aria-label="{label("surface")}"><p>{label("surface how")}</p>'
        f'<label>{label("across")} <select name="across"></select></label>'
        f'<label>{label("up")} <select name="up"></select></label>'
        f'<label>{label("rate")} <input type="range" name="rate" min="-2" max="1" step="0.1" value="0">'
        ' <output></output></label><div class="maps"></div></section>'
    )
    return (
        f'<template id="touched"><details class="touch"><summary>{escape(say(lang, "touch"))}</summary>'
        f'<div tabindex="0"><table></table><div class="labels">'
        f'<button type="button" name="reset">{label("back")}</button>{wrong}</div>'
        f"{surface if sides else ''}</div></details></template>"
        f'<template id="words">{words}</template>{data("touch", touch)}'
    )


def data(name: str, content: Mapping[str, Any]) -> str:
    """What a script reads, as an element of the page."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>\n'
