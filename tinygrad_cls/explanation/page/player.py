"""Stepping through a page: the bar with its buttons, the script that they need, and what the page may do at all."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from typing import Any

from ..sentences import say
from .panel import panel

STYLE = """
:root { color-scheme: light dark }
.player { position: fixed; z-index: 2; inset: auto 0 0; display: flex; flex-wrap: wrap; align-items: center;
  gap: .4rem .6rem;
  padding: .5rem max(1rem, 50vw - 28rem) max(.5rem, env(safe-area-inset-bottom));
  font: clamp(16px, 4.2vw, 1rem)/1.3 system-ui, sans-serif;
  background: #fff; border-top: 1px solid #8888 }
.player button, .player select { font: inherit; min-height: 2.75em; min-width: 2.75em; padding: 0 .8em;
  color: inherit; background: #8882; border: 1px solid #767b86; border-radius: .5em; cursor: pointer }
.player option { color: #1d2433; background: #fff }
.player [aria-disabled=true] { opacity: .4; cursor: default }
.player [aria-pressed=true] { background: #5878c050; border-color: currentcolor }
.player > input { font: inherit; flex: 1 1 5em; min-width: 5em; min-height: 2.75em; margin: 0 }
.player output { min-width: 4em; text-align: center; font-variant-numeric: tabular-nums }
.player.whole > :not([name=all], [name=way], [name=lang], .touch) { visibility: hidden }
.player [hidden], .other { display: none }
.player :focus-visible, .derivation .number a:focus-visible { outline: 3px solid #5878c0; outline-offset: 2px }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.derivation .number a { color: inherit }
.way { margin-top: 1.5rem; font: 1.0625rem/1.55 system-ui, sans-serif }
main .derivation { font-size: 1.0625rem }
@media screen {
  body:has(.player) { padding-bottom: calc(var(--bar, 8rem) + 1rem) }
  .stepping .later, .stepping > details:not(.lemma) > summary { display: none }
  .stepping [aria-current] { scroll-margin: 1rem 0 calc(var(--bar, 8rem) + 1rem) }
  .stage:has(.zoom) .scene { margin-right: 2.6rem } /* beside the buttons that zoom */
  .stepping li[aria-current] { border-left-color: #5878c0; background: #5878c018 }
}
@media screen and (prefers-reduced-motion: no-preference) {
  .stepping li[aria-current], .stepping .result { animation: appear .35s ease-out }
  @keyframes appear { from { opacity: 0; transform: translateY(.6rem) } }
}
@media (max-width: 40rem) {
  .player > input { order: -2; flex-basis: calc(100% - 15.2em) }
  .player select { order: -1; flex: 0 1 9.2em; min-width: 0; padding: 0 .3em }
  .player > input:has(~ select[hidden]) { flex-basis: calc(100% - 6em) }
  .player [name=lang] { order: -1; padding: 0 .4em }
  .player [name=all] { margin-left: auto }
}
@media (prefers-color-scheme: dark) { .player { background: #14171d } }
@media print { .player, .said { display: none } }
"""


@functools.cache
def scripts() -> tuple[str, ...]:
    """The scripts, as they stand in their files."""
    files = ("language.js", "stage.js", "letters.js", "zoom.js", "page.js", "surface.js", "touch.js")
    return tuple(resources.files(__package__).joinpath(file).read_text("utf-8") for file in files)


def controls(ways: Mapping[str, str], touch: Mapping[str, Any] | None, lang: str, other: str | None) -> str:
    """The bar, which the scripts put in place; without them nothing of this is seen.

    Args:
        ways: the ways to choose from, what each is called by its name, in the order of the page.
        touch: what it takes to try other values; None where they cannot be tried.
        lang: the language of its labels.
        other: the language that the page can be put into; None where there is none.
    """

    def label(key: str) -> str:
        return escape(say(lang, f"player {key}"), quote=True)

    options = "".join(f'<option value="{way}">{escape(called)}</option>' for way, called in ways.items())
    return (
        f'<template id="player"><nav class="player" aria-label="{label("steps")}" data-step="{label("step")}">'
        f'<button type="button" name="back" aria-label="{label("back")}">←</button>'
        f'<input type="range" min="0" aria-label="{label("slider")}">'
        f'<button type="button" name="next" aria-label="{label("next")}">→</button><output></output>'
        f'<button type="button" name="play" data-other="{label("pause")}">{label("play")}</button>'
        f'<select name="way" aria-label="{label("way")}"{"" if len(ways) > 1 else " hidden"}>{options}</select>'
        f'<button type="button" name="all" aria-pressed="false">{label("all")}</button>'
        + ("" if other is None else f'<button type="button" name="lang">{label("language")}</button>')
        + "</nav>"
        '<div class="said" role="status" aria-live="polite"></div></template>\n'
        f'<template id="zoom"><div class="zoom" role="group" aria-label="{label("zoom")}">'
        f'<button type="button" name="smaller" aria-label="{label("smaller")}">−</button>'
        f'<button type="button" name="fit" aria-label="{label("fit")}">⤢</button>'
        f'<button type="button" name="larger" aria-label="{label("larger")}">+</button></div></template>\n'
        f"{panel(touch, lang)}"
    )


def policy(styles: Iterable[str]) -> str:
    """What a browser lets the page do, as a `meta` element: its own styles and its own script, known by their hashes.

    Args:
        styles: the content of each `style` element.
    """
    allowed = f"style-src {' '.join(map(_hash, styles))}; script-src {' '.join(map(_hash, scripts()))}"
    rules = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    return f'<meta http-equiv="Content-Security-Policy" content="{rules}">'


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
