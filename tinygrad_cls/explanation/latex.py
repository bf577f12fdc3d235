"""Boxes as LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .notation import Box

if TYPE_CHECKING:
    from .derivation import Derivation

CHANGED = r"\textcolor{#b8431a}"

_SIGNS = {
    "−": "-", "⊙": r"\odot", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "∞": r"\infty", "∂": r"\partial ",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon", "η": r"\eta", "θ": r"\theta",
    "λ": r"\lambda", "μ": r"\mu", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "φ": r"\varphi", "ω": r"\omega",
}  # fmt: skip
_LOW = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_SPECIAL = {c: "\\" + c for c in "&%$#_{}"} | {"\\": r"\backslash ", "^": r"\hat{}", "~": r"\sim "}
_FUNCTIONS = frozenset({"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min"})


def latex(box: Box) -> str:
    """The formula in LaTeX's mathematics."""
    parts = [latex(part) for part in box.parts]
    match box.kind:
        case "text":
            return _signs(box.text)
        case "row":
            return "".join(parts)
        case "changed":
            return f"{CHANGED}{{{parts[0]}}}"
        case "group":
            return rf"\left({parts[0]}\right)"
        case "bars":
            return rf"\left|{parts[0]}\right|"
        case "fraction":
            return rf"\frac{{{parts[0]}}}{{{parts[1]}}}"
        case "power":
            exponent = _signs(box.text) if box.text else parts[1]
            return f"{{{parts[0]}}}^{{{exponent}}}"
        case "call":
            if box.text == "√":
                return rf"\sqrt{{{parts[0]}}}"
            return rf"{_function(box.text)}\left({', '.join(parts)}\right)"
        case "sum":
            axes = f"_{{{box.text}}}" if box.text else ""
            return rf"\sum{axes} {parts[0]}"
        case "transpose":
            return f"{{{parts[0]}}}" + ("'" if box.text else r"^{\top}")
        case "index":
            return rf"\left[{parts[0]}\right]" if box.text == "mask" else f"{{{parts[0]}}}_{{{parts[1]}}}"
    raise AssertionError(box.kind)


def name_latex(name: str) -> str:
    """A name: one letter with its marks as it is, a word upright."""
    letters = name.rstrip("₀₁₂₃₄₅₆₇₈₉")
    low = "".join(_LOW[digit] for digit in name[len(letters) :])
    core = letters.rstrip("′")
    written = _SIGNS.get(core, core if len(core) == 1 else rf"\text{{{''.join(_SPECIAL.get(c, c) for c in core)}}}")
    return written + (f"_{{{low}}}" if low else "") + "'" * (len(letters) - len(core))


def _signs(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        return r"\, "
    if stripped in _SIGNS and stripped in "−⊙≤≥≠":
        return f" {_SIGNS[stripped]} "
    if stripped[0].isdigit() or stripped[0] in "−+=<>,":
        return " " + stripped.replace("−", "-").replace("≤", r"\le").replace("≥", r"\ge").replace("≠", r"\ne") + " "
    return name_latex(stripped)


def _function(name: str) -> str:
    if name in _FUNCTIONS:
        return f"\\{name}"
    return _SIGNS.get(name) or r"\operatorname{" + "".join(_SPECIAL.get(c, c) for c in name) + "}"


def result_latex(d: Derivation) -> str:
    """`∂L/∂z = …`."""
    return rf"{_slope(d)} = {d.gradient.latex}"


def derivation_latex(d: Derivation) -> str:
    """Every step on a line of its own, with its rule."""
    lines = []
    for step in d.steps:
        if step.kind == "chain rule":
            assert step.definition is not None
            name, formula = step.definition
            results = r",\quad ".join(rf"\partial {name_latex(x)} &= {f.latex}" for x, f in step.results[:1])
            more = "".join(rf",\quad \partial {name_latex(x)} = {f.latex}" for x, f in step.results[1:])
            lines.append(rf"{name_latex(name)} &= {formula.latex} & {results}{more} && \text{{{_plain(step.rule)}}}")
        else:
            lines.append(rf"{_slope(d)} &= {step.after.latex} &&& \text{{{_plain(step.rule)}}}")
    lines.append(rf"{_slope(d)} &= {d.gradient.latex}")
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def _slope(d: Derivation) -> str:
    return rf"\frac{{\partial {name_latex(d.output)}}}{{\partial {name_latex(d.wrt)}}}"


def _plain(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in text)
