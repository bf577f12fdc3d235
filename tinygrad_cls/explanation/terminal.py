"""A derivation as text for a terminal: aligned, as wide as the terminal, in colour only where there is one."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable

from ..drawing import values
from ..drawing.columns import columns, readable
from .formula import Formula
from .outline import (
    Block,
    Computed,
    Equation,
    Heading,
    LemmaBlock,
    Lemmas,
    Meanings,
    Result,
    StepBlock,
    Steps,
    Title,
    Words,
)
from .sentences import say
from .text import plain, spans

_SHOWN = 40  # steps of one kind; of more, the first and the last
_LONGEST = 3000  # characters of one formula
_BREAKS = re.compile(
    r"[⺀-鿿][，。；：、）？”]*|[^ ⺀-鿿]+[。、]* ?| +"
)  # a line may end after a space, and after a Chinese letter
_BOLD, _CHANGED, _FAINT, _PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[2m", "\x1b[0m"


def written(blocks: Iterable[Block], lang: str, width: int | None = None, colour: bool | None = None) -> str:
    """The whole derivation.

    Args:
        blocks: what it says.
        lang: in which language.
        width: the length of a line; by default the terminal's.
        colour: whether to mark changed parts by colour, rather than by a line below; by default on a terminal.
    """
    if width is None:
        width = max(40, shutil.get_terminal_size((100, 24)).columns - 1)
    if colour is None:
        colour = sys.stdout is not None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    page = _Page(lang, width, colour, getattr(sys.stdout, "encoding", None))
    return "\n".join(line for block in blocks for line in page.block(block)) + "\n"


class _Page:
    def __init__(self, lang: str, width: int, colour: bool, encoding: str | None) -> None:
        self.lang, self.width, self.colour, self.encoding = lang, width, colour, encoding

    def block(self, block: Block) -> list[str]:
        match block:
            case Title(text):
                return [self.bold(self.shown(text)), ""]
            case Heading(text):
                return ["", self.bold(self.shown(text))]
            case Words(text, indented):
                return self.words(text, 4 if indented else 0)
            case Equation():
                return self.equation(block)
            case Meanings():
                return self.meanings(block)
            case Computed(equations):
                return [line for equation in equations for line in self.equation(equation, "    ")]
            case Steps():
                return self.steps(block)
            case Result(equation, meanings):
                return self.equation(equation) + self.meanings(meanings)
            case Lemmas(heading, lemmas):
                return self.block(Heading(heading)) + [line for lemma in lemmas for line in self.lemma(lemma)]

    def lemma(self, lemma: LemmaBlock) -> list[str]:
        lines = [line for equation in lemma.equations for line in self.equation(equation, "    ")]
        lines += [] if lemma.entries is None else self.words(lemma.entries, 6)
        return lines + self.words(lemma.where, 6, faint=True)

    def meanings(self, block: Meanings) -> list[str]:
        lines: list[str] = []
        for i, equation in enumerate(block.equations):
            word = self.shown(block.where) if not i else " " * (columns(block.where) - columns(block.also)) + block.also
            lines += self.equation(equation, f"    {word} " if block.where else "    ")
        return lines if block.complete else [*lines, "    …"]

    def steps(self, block: Steps) -> list[str]:
        """The steps; of very many the first and the last."""
        lines = ["", *self.equation(block.start, "    ")] if block.start is not None else []
        hidden = len(block.steps) - _SHOWN
        for place, step in enumerate(block.steps):
            if hidden > 0 and _SHOWN // 2 <= place < len(block.steps) - _SHOWN // 2:
                if place == _SHOWN // 2:
                    lines += ["", self.shown(f"     ⋮  {block.more.format(n=hidden)}")]
                continue
            lines += ["", *self.step(step)]
        return lines

    def step(self, step: StepBlock) -> list[str]:
        number = f"{step.number:3}  "
        if step.definition is None:
            lines = [self.bold(self.shown(f"{number}{step.rule}"))]
        else:
            lines = self.equation(step.definition, number, bold=True)
        for equation in step.equations:
            lines += self.equation(equation, "     " if equation.equals else "       ")
        return lines + self.words(say(self.lang, "with error", reason=step.reason, error=step.error), 5, faint=True)

    # --- lines ----------------------------------------------------------------------------------------------------

    def shown(self, text: str) -> str:
        return readable(text, self.encoding)

    def bold(self, text: str) -> str:
        return f"{_BOLD}{text}{_PLAIN}" if self.colour else text

    def words(self, text: str, indent: int, faint: bool = False) -> list[str]:
        lines, line = [], ""
        for word in _BREAKS.findall(self.shown(text)):
            if line and columns(line) + columns(word.rstrip(" ")) > self.width - indent:
                lines.append(line.rstrip(" "))
                line = ""
            line += word
        lines.append(line.rstrip(" "))
        marked = (f"{_FAINT}{line}{_PLAIN}" if faint and self.colour else line for line in lines)
        return [" " * indent + line for line in marked]

    def equation(self, equation: Equation, start: str = "", bold: bool = False) -> list[str]:
        """A formula after what it is equal to, wrapped where there is a space; a row below marks what changes."""
        start += self.shown(_left(equation))
        pieces = [(word, changed) for text, changed in spans(equation.box) for word in _words(self.shown(text))]
        if sum(len(word) for word, _ in pieces) > _LONGEST:
            pieces = [(say(self.lang, "long formula", n=len(pieces)), False)]
        for value in filter(None, (equation.value, self.extent(equation))):
            if columns(start) + columns(value) + 2 <= self.width:
                pieces += [(" ", False), (self.shown(f"= {value}"), False)]
                break
        lines: list[list[tuple[str, bool]]] = [[]]
        used = indent = columns(start)
        for j, (word, changed) in enumerate(pieces):
            ahead = columns(word) + (
                columns(pieces[j + 1][0]) if j + 1 < len(pieces) and pieces[j + 1][0] in "),]" else 0
            )
            if used + ahead > self.width and used > indent and word.strip():
                lines.append([])
                used = indent
            lines[-1].append((word, changed))
            used += columns(word)
        result = []
        mark = self.shown("‾")
        for i, line in enumerate(lines):
            lead = start if not i else " " * indent
            result.append(((_BOLD + lead + _PLAIN) if bold and self.colour else lead) + self.painted(line).rstrip())
            if not self.colour and any(changed for _, changed in line):
                below = "".join((mark if changed else " ") * columns(word) for word, changed in line)
                result.append(" " * indent + below.rstrip())
        return result

    def extent(self, equation: Equation) -> str | None:
        """What is said of a value that is too long to be written."""
        if not equation.with_value or not isinstance(equation.right, Formula) or not equation.right.expression.axes:
            return None
        found = values.extent(equation.right.value)
        return found and say(self.lang, "extent", shape=found[0], low=found[1], high=found[2])

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


def _left(equation: Equation) -> str:
    """What stands before the formula: `∂z = `."""
    return (plain(equation.left) + " " if equation.left is not None else "") + ("= " if equation.equals else "")
