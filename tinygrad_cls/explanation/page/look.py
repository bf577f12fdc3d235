"""How the drawing to step through looks: its style sheet."""

from __future__ import annotations

_ASIDE = """
  .stepping:has(.stage) { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, min(42rem, 60%));
    column-gap: 2.5rem; max-width: none }
  .stepping > * { grid-column: 2 }
  .stepping > h1 { grid-column: 1 / -1 }
  .derivation.stepping .stage { grid-column: 1; grid-row: 2 / span 999; align-self: start; top: 1rem; border: 0 }
  .stepping .scene, .stepping .picture { max-height: calc(100vh - 13rem) }
  .derivation.stepping .picture svg { max-height: calc(100vh - 13.5rem) }
  .stepping:has(.stage) [aria-current] { scroll-margin-top: 1rem }
"""
_STYLE = """
.stage { --value: #2f6b35; --gradient: #1f4fa8; --page: #fff }
@media (prefers-color-scheme: dark) { .stage { --value: #8fd09a; --gradient: #9dbcf7; --page: #14171d } }
@media print { .stage { --value: #000; --gradient: #000 } }
.derivation .stage svg { display: block; margin: auto }
.derivation .stage svg { background: none }
.stage :is(path, rect, polygon) { stroke: currentcolor }
.stage :is(path, rect) { fill: none }
.stage :is(polygon, text) { fill: currentcolor }
.stage text { text-anchor: middle; font-size: 12px }
.stage .edge text { font-size: 11px }
.scene .box text + text { fill: var(--value) }
.scene .box text + text ~ text, .scene .back text { fill: var(--gradient) }
.scene .constant { opacity: .5 }
.scene .outside rect { stroke-dasharray: 1 3 }
.scene .group rect { stroke-width: 1.6; fill: #8882 }
.scene .group { cursor: pointer }
.scene .cluster path { stroke: #8888; stroke-dasharray: 6 4 }
.scene .rest text { font-style: italic }
.scene .rest rect { stroke-dasharray: 2 6 }
.derivation .within { position: sticky; inset: 0 auto auto 0; width: fit-content; margin: 0 0 .3rem; font-size: .85rem;
  background: var(--page) }
.within button { font: inherit; color: inherit; background: none; border: 0; padding: .3rem .1rem; cursor: pointer;
  text-decoration: underline }
.within button:focus-visible { outline: 3px solid #5878c0 }
.scene .back:not(.reached) :is(text, polygon:first-of-type), .scene .unknown text + text { visibility: hidden }
.scene .unknown { opacity: .65 }
.scene .unknown rect { stroke-dasharray: 3 4 }
.scene .reached polygon:first-of-type { stroke: var(--gradient); fill: var(--gradient) }
.scene .active :is(path, rect) { stroke: var(--gradient); stroke-width: 2.5 }
.scene .box.active rect { fill: #5878c026 }
@media screen {
  .derivation.stepping .stage { position: sticky; top: 0; z-index: 1; margin: 0; padding: .6rem 0;
    background: var(--page); border-bottom: 1px solid #8888 }
  .stepping .stage figcaption { display: none }
  .stepping .scene, .stepping .picture { overflow: auto; max-height: 36vh }
  .derivation.stepping .scene svg { max-width: none }
  .derivation.stepping .picture svg { max-height: 35vh }
  .stepping:has(.stage) [aria-current] { scroll-margin-top: 42vh }
}
@media screen and (max-width: 80rem) {
  body:has(.touch[open]) .stage { display: none }
}
.scene .box.lit rect { fill: #f0a03060 }
.derivation :is(mi, code).lit { background: #f0a03060; border-radius: .2em; outline: 1px solid #c8791a }
.derivation .forward li:has(.left mi.lit) { background: #f0a03028 }
.scene .box:focus-visible { outline: 3px solid #5878c0; outline-offset: 2px }
.derivation .stage { position: relative }
.zoom { position: absolute; inset: .3rem 0 auto auto; display: flex; flex-direction: column; gap: .3rem }
.zoom button { font: inherit; min-width: 2rem; min-height: 2rem; padding: 0; color: inherit; background: var(--page);
  border: 1px solid #767b86; border-radius: .5rem; cursor: pointer }
.zoom button:focus-visible { outline: 3px solid #5878c0; outline-offset: 2px }
.stage:has(.scene[hidden]) .zoom { display: none }
.stepping .scene { cursor: grab; touch-action: pan-x pan-y }
@media print { .zoom { display: none } }
@media screen and (prefers-reduced-motion: no-preference) {
  .scene .box, .scene :is(path, rect) { transition: opacity .3s, stroke .3s }
}
"""
# The drawing stands on the left of the steps where there is room for both, and for an open panel.
_WIDE = f"""
@media screen and (min-width: 84rem) {{
  body:not(:has(.touch[open])):has(.stepping .stage) {{ max-width: 100rem }}
  body:not(:has(.touch[open])) {{{_ASIDE}}}
}}
@media screen and (min-width: 112rem) {{ body:has(.touch[open]) {{{_ASIDE}}} }}
"""
STYLE = _STYLE + _WIDE
