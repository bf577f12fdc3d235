"""A derivation as text for a terminal: aligned, as wide as the terminal, in colour only where there is one."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence

from .derivation import Derivation, Formula, Step
from .text import spans

_SHOWN = 40  # steps of one kind; of more, the first and the last
_LONGEST = 3000  # characters of one formula
_BOLD, _CHANGED, _FAINT, _PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[2m", "\x1b[0m"


def derivation_text(d: Derivation, width: int | None = None, colour: bool | None = None) -> str:
    """The whole derivation.

    Args:
        d: the derivation.
        width: the length of a line; by default the terminal's.
        colour: whether to mark changed parts by colour, rather than by a line below; by default on a terminal.
    """
    if width is None:
        width = max(40, shutil.get_terminal_size((100, 24)).columns - 1)
    if colour is None:
        colour = sys.stdout is not None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return "\n".join(_Page(d, width, colour).lines()) + "\n"


class _Page:
    def __init__(self, d: Derivation, width: int, colour: bool) -> None:
        self.d, self.width, self.colour = d, width, colour

    def lines(self) -> list[str]:
        d = self.d
        lines = [self.heading(f"Why ∂{d.output}/∂{d.wrt} = {_short(str(d.gradient))}"), ""]
        lines += self.formula(d.loss, f"{d.output} = ")
        lines += self.where(d.definitions)
        chain = [s for s in d.steps if s.kind == "chain rule"]
        algebra = [s for s in d.steps if s.kind == "algebra"]
        if chain:
            lines += ["", self.heading(f"The chain rule: from {d.output} back to {d.wrt}")]
            part = f"∂{chain[0].results[0][0]}"
            short = f"{part} is short for ∂{d.output}/{part}"
            lines += self.words(f"{short}, and Δ is how far a formula is from what backward gave.", 0)
            lines += self.folded(list(enumerate(chain, 1)))
        if algebra:
            lines += ["", self.heading("Algebra: the same gradient, simpler")]
            lines += ["", *self.formula(algebra[0].before, f"    ∂{d.wrt} = ", marked=False)]
            lines += self.folded(list(enumerate(algebra, len(chain) + 1)))
        lines += ["", self.heading("Result"), *self.formula(d.gradient, f"∂{d.output}/∂{d.wrt} = ")]
        lines += self.where(d.where)
        for name, length, axis in d.sizes:
            lines += self.words(f"{name} = {length}, {axis}", 4)
        for text in d.assumptions:
            lines += self.words(f"Assumed, and checked on the data: {text}.", 0)
        lines += [line for remark in d.remarks for line in self.words(remark, 0)]
        lines += self.words(
            f"Checked: at every step the formula was evaluated on the recorded data and compared with backward; the "
            f"largest difference is {d.error:.1g}.",
            0,
        )
        return lines

    def folded(self, steps: Sequence[tuple[int, Step]]) -> list[str]:
        """The steps; of very many the first and the last."""
        lines: list[str] = []
        hidden = len(steps) - _SHOWN
        for place, (i, step) in enumerate(steps):
            if hidden > 0 and _SHOWN // 2 <= place < len(steps) - _SHOWN // 2:
                if place == _SHOWN // 2:
                    lines += ["", f"     ⋮  {hidden} more steps (all in .steps)"]
                continue
            lines += ["", *(self.chain_step(i, step) if step.kind == "chain rule" else self.algebra_step(i, step))]
        return lines

    def chain_step(self, i: int, step: Step) -> list[str]:
        assert step.definition is not None
        name, formula = step.definition
        lines = self.formula(formula, f"{i:3}  {name} = ", bold=True)
        for x, result in step.results:
            lines += self.formula(result, f"     ∂{x} = ")
        return lines + self.words(step.reason + f" (Δ\u00a0{step.error:.1g})", 5, faint=True)

    def algebra_step(self, i: int, step: Step) -> list[str]:
        lines = [self.heading(f"{i:3}  {step.rule}")]
        if step.before.changed:
            lines += self.formula(step.before, "       ")
        lines += self.formula(step.after, "     = ")
        return lines + self.words(step.reason + f" (Δ\u00a0{step.error:.1g})", 5, faint=True)

    def where(self, definitions: Iterable[tuple[str, Formula]]) -> list[str]:
        lines: list[str] = []
        for i, (name, formula) in enumerate(definitions):
            if i == 12:
                return [*lines, "    …"]
            lines += self.formula(formula, f"    {'where' if not i else '  and'} {name} = ")
        return lines

    # --- lines ----------------------------------------------------------------------------------------------------

    def heading(self, text: str) -> str:
        return f"{_BOLD}{text}{_PLAIN}" if self.colour else text

    def words(self, text: str, indent: int, faint: bool = False) -> list[str]:
        lines, line = [], ""
        for word in text.split(" "):
            if line and _columns(line) + 1 + _columns(word) > self.width - indent:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
        marked = (f"{_FAINT}{line}{_PLAIN}" if faint and self.colour else line for line in lines)
        return [" " * indent + line for line in marked]

    def formula(self, formula: Formula, start: str, marked: bool = True, bold: bool = False) -> list[str]:
        """A formula after some text, wrapped where there is a space; a row below marks what changes."""
        pieces = [(word, changed and marked) for text, changed in spans(formula.box) for word in _words(text)]
        if sum(len(word) for word, _ in pieces) > _LONGEST:
            pieces = [(f"(a formula of {formula.expression.cost} parts)", False)]
        lines: list[list[tuple[str, bool]]] = [[]]
        used = indent = _columns(start)
        for j, (word, changed) in enumerate(pieces):
            ahead = _columns(word) + (
                _columns(pieces[j + 1][0]) if j + 1 < len(pieces) and pieces[j + 1][0] in "),]" else 0
            )
            if used + ahead > self.width and used > indent and word.strip():
                lines.append([])
                used = indent
            lines[-1].append((word, changed))
            used += _columns(word)
        result = []
        for i, line in enumerate(lines):
            lead = start if not i else " " * indent
            result.append(((_BOLD + lead + _PLAIN) if bold and self.colour else lead) + self.painted(line).rstrip())
            if not self.colour and any(changed for _, changed in line):
                below = "".join(("‾" if changed else " ") * _columns(word) for word, changed in line)
                result.append(" " * indent + below.rstrip())
        return result

    def painted(self, line: list[tuple[str, bool]]) -> str:
        if not self.colour:
            return "".join(word for word, _ in line)
        return "".join(f"{_CHANGED}{word}{_PLAIN}" if changed else word for word, changed in line)


def _words(text: str) -> list[str]:
    """The text in pieces at its spaces, which stay."""
    pieces: list[str] = []
    for i, word in enumerate(text.split(" ")):
        pieces += ([" "] if i else []) + ([word] if word else [])
    return pieces


def _short(text: str) -> str:
    return text if len(text) <= 60 else "…"


def _columns(text: str) -> int:
    """How many columns of the terminal the text takes."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )
