"""A derivation in LaTeX: one `align*` environment, a step on each line."""

from __future__ import annotations

from collections.abc import Sequence

from .boxes import Box
from .formula import Formula
from .latex import latex, latex_text
from .outline import Equation, StepBlock


def align(steps: Sequence[StepBlock], slope: Box, gradient: Formula) -> str:
    """Every step on a line of its own, with its rule.

    Args:
        steps: the steps.
        slope: what is derived, `∂loss/∂z`.
        gradient: what it is in the end.
    """
    lines = []
    for step in steps:
        rule = rf"\text{{{latex_text(step.rule)}}}"
        if step.definition is not None:
            first, *others = step.equations
            results = _equal(first, " &= ") + "".join(r",\quad " + _equal(other, " = ") for other in others)
            lines.append(rf"{_equal(step.definition, ' &= ')} & {results} && {rule}")
        else:
            lines.append(rf"{latex(slope)} &= {latex(step.equations[-1].box)} &&&& {rule}")
    lines.append(rf"{latex(slope)} &= {gradient.latex}")
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def _equal(equation: Equation, sign: str) -> str:
    left = "" if equation.left is None else latex(equation.left)
    return f"{left}{sign}{latex(equation.box)}"
