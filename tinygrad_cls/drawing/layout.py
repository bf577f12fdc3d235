"""From DOT to pictures, with whatever lays out graphs here.

An installed Graphviz (`dot` on the path) comes first. Without one, the wheel `graphviz-pure` brings the same program;
its PNG has letters for Latin, Greek and the common signs only, so other text goes through SVG and the system's fonts.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
import shutil
import subprocess
import warnings
from pathlib import Path

from .style import SHEET

DOTS_PER_INCH = 144
_CHINESE = "'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei'"
_FONTS = f"Helvetica, Arial, 'Liberation Sans', {_CHINESE}, 'DejaVu Sans', sans-serif"
_NUMBERS = "Courier, 'Courier New', 'Liberation Mono', 'DejaVu Sans Mono', monospace"


def render(source: str, format: str) -> bytes:
    """The picture of a DOT text.

    Args:
        source: in the DOT language.
        format: "svg" or "png"; with an installed Graphviz all that it can write ("pdf", ...).

    Raises:
        ValueError: when the format is not to be had here; says what to do.
        RuntimeError: when no layout program is found, or it fails.
    """
    installed = shutil.which("dot")
    if format not in ("svg", "png"):
        if installed is None:
            raise ValueError(
                f"{format!r} needs an installed Graphviz (https://graphviz.org/download), and there is none: "
                "save as .svg or .png, or as .dot to lay it out elsewhere"
            )
        return _run([installed, f"-T{format}"], source)
    if format == "svg":
        return _fitted(_with_fonts(_run([installed or wheel(), "-Tsvg"], source).decode())).encode()
    if installed is None and (letters := _beyond_wheel(source)):
        if all(map(_system_draws, letters)):
            return _png(_with_fonts(_run([wheel(), "-Tsvg"], source).decode()))
        warnings.warn(
            f"no font here has {' '.join(letters[:5])}, which the PNG will show as boxes: "
            "install one (such as Noto Sans CJK), or save as .svg",
            stacklevel=4,
        )
    return _run([installed or wheel(), "-Tpng", f"-Gdpi={DOTS_PER_INCH}"], source)


@functools.cache
def wheel() -> str:
    """The path of the layout program that `graphviz-pure` installed."""
    try:
        files = importlib.metadata.files("graphviz-pure") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if Path(file).stem == "graphviz-pure":
            return str(Path(str(file.locate())).resolve())
    raise RuntimeError("nothing here lays out graphs: `pip install graphviz-pure`, or install Graphviz")


def _run(command: list[str], source: str) -> bytes:
    result = subprocess.run(command, input=source.encode(), capture_output=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout


def _with_fonts(svg: str) -> str:
    """The SVG with font families that also have Chinese, on whichever system it is opened."""
    svg = re.sub(r'font-family="Helvetica[^"]*"', f'font-family="{_FONTS}"', svg)
    svg = re.sub(r'font-family="Courier[^"]*"', f'font-family="{_NUMBERS}"', svg)
    return re.sub(r'<g id="n\d+" class="node.*?</g>', _centred, svg, flags=re.DOTALL)


def _centred(box: re.Match[str]) -> str:
    """A box whose title and shape are in its middle, however wide the reader's font is."""
    outline = re.search(r'<(?:path|polygon)[^>]* (?:d|points)="([^"]*)"', box[0])
    if outline is None:
        return box[0]
    across = [float(x) for x in re.findall(r"(-?[\d.]+),-?[\d.]+", outline[1])]
    middle = f'text-anchor="middle" x="{(min(across) + max(across)) / 2:.2f}"'
    return re.sub(
        r'text-anchor="start" x="[^"]*"(?=[^>]*font-family="Helvetica[^>]* font-size="(?:13|9)\.)', middle, box[0]
    )


def _fitted(svg: str) -> str:
    """The SVG with its style sheet: it fits where it stands, and is dark where the reader's screen is."""
    return re.sub(r"<svg (.*?)>", rf'<svg class="drawing" \1>\n<style>{SHEET}</style>', svg, count=1, flags=re.DOTALL)


_LIFTED = {"sub": "₀₁₂₃₄₅₆₇₈₉", "super": "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀ"}
_PLAIN = {letter: plain for run in _LIFTED.values() for letter, plain in zip(run, "0123456789−T", strict=False)}


def _png(svg: str) -> bytes:
    import resvg_py

    for shift, letters in _LIFTED.items():  # few fonts have these, and one that has would be taken for the whole line
        svg = re.sub(
            f"[{letters}]+",
            lambda run, shift=shift: (  # type: ignore[misc]
                f'<tspan baseline-shift="{shift}" font-size="70%">{"".join(map(_PLAIN.__getitem__, run[0]))}</tspan>'
            ),
            svg,
        )
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, dpi=DOTS_PER_INCH))


def _beyond_wheel(source: str) -> list[str]:
    """The characters for which the wheel's own fonts have no letters."""
    signs = "′″−–—…‘’“”•√∂∏∑∞≈≠≤≥÷×·Σ"
    return sorted({c for c in source if ord(c) >= 0x500 and c not in signs})


@functools.cache
def _system_draws(character: str) -> bool:
    """Whether some font of this system has the character: whether drawing it leaves a mark."""
    frame = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{}</svg>'
    text = f'<text x="2" y="15" font-family="{_FONTS}">&#{ord(character)};</text>'
    return _png(frame.format(text)) != _png(frame.format(""))
