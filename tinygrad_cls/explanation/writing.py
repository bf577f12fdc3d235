"""How a problem is written: the names and letters of its tensors, formulas, and sentences with formulas in them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from types import MappingProxyType

from ..algebra import expression as ex
from ..algebra.expression import Expression, Layout
from ..algebra.facts import Because
from ..algebra.simplify import Simplifier
from ..drawing.letters import numbered
from ..engine.operation import Kind
from ..engine.tensor import Tensor
from .boxes import number_text
from .chain import computed_from
from .derivation import Way
from .formula import Formula, meanings
from .matrices import Name
from .notation import NOTHING, Notation
from .problem import HELD, Problem
from .recorded import Recorded
from .sentences import say, translated

_WORTH_A_LETTER = 12  # a function that costs more is written as one


class Writing:
    """Names, formulas and sentences of a problem whose chain rule is known.

    Args:
        problem: the problem.
        simplifier: simplifies what has a name, so that it is recognised in its shortest form, too.
        way: by which way the answer goes.
        lang: the language.
        letters: letters for tensors, before those that are chosen.

    Attributes:
        notation: writes expressions, with their names.
        recorded: the data, and by which names other data may be given for it.
    """

    problem: Problem
    lang: str
    output: Tensor
    wrt: Tensor
    notation: Notation
    recorded: Recorded

    def __init__(
        self, problem: Problem, simplifier: Simplifier, way: Way, lang: str, letters: Mapping[Tensor, str]
    ) -> None:
        self.problem, self.way, self.lang = problem, way, lang
        self.output, self.wrt = problem.links[0].node, problem.wrt
        self._simplifier = simplifier
        self._naming, self._reading = problem.naming, problem.reading
        self._link_of = {link.node: link for link in problem.links}
        self._letters = dict(letters)
        self._marks: dict[Tensor, str] = {}
        self._marked: set[str] = set()
        self.notation = Notation({**self._names(), **self._deltas()})
        self.recorded = self._recorded()
        self._name_the_rest()

    # --- names ----------------------------------------------------------------------------------------------------

    def _names(self) -> dict[Expression, Name]:
        names: dict[Expression, Name] = {}
        for t in self.problem.forward:
            x, given = self._reading.expressions[t], self._naming.name(t)
            if given is None or x.kind in ("leaf", "number") or (self.way != "backward" and t in self.problem.inner):
                continue
            name = Name(given, self._reading.layout(t), partial=True)
            names[x] = name
            names.setdefault(self._simplifier.simplify(x)[0], name)
        if self.way != "loss":  # which has the letters that the others would have
            self._name_targets(names)
        for t in self.problem.forward:
            x = self._reading.expressions[t]
            x = x.children[0] if x.kind == "call" and x.data == HELD and x.children[0].kind == "let" else x
            if x in names or t.operation is None or t is self.wrt:
                continue
            if x.kind == "softmax" and t in self._link_of and (result := self.problem.result_name(t)) is not None:
                names[x] = Name(self._naming.letter(result), self._reading.layout(t))  # as everybody calls it
                continue
            cost = x.cost - sum(child.cost - 1 for child in x.children if child in names)
            long = x.kind == "call" and cost > _WORTH_A_LETTER and x.data not in (*ex.BOOLEAN, "sigmoid", ex.WHERE)
            if (t in self._link_of and long) or (x.kind == "reduce" and not ex.is_total(x)) or x.kind == "let":
                layer = self.problem.layers.get(t)
                letter = self.problem.result_name(t) or t.operation.letter
                wish = letter if layer is None else numbered("z", layer)
                names[x] = Name(self._naming.letter(wish), self._reading.layout(t))
        return names

    def _name_targets(self, names: dict[Expression, Name]) -> None:
        """The target of a loss is y, also where the loss made it itself from class numbers."""
        for t in reversed(self.problem.forward):
            x = self._reading.expressions[t]
            if t in self.problem.dependent or t.operation is None or x in names:
                continue
            if t.operation.kind is Kind.MOVEMENT:  # of what is the target itself
                continue
            if x.kind == "one_hot" or (
                x.kind == "combination" and min(x.data) > 0 and any(part.kind == "one_hot" for part in x.children)
            ):
                names[x] = Name(self._naming.letter("y"), self._reading.layout(t), partial=True)
                names.setdefault(self._simplifier.simplify(x)[0], names[x])
                return

    def _deltas(self) -> dict[Expression, Name]:
        """δ for what is passed on in short, the first nearest to `wrt`; a layer's has the layer's number."""
        short = [t for t in reversed([link.node for link in self.problem.links]) if t in self.problem.in_short]
        layers = self.problem.layers
        layered = all(t in layers for t in short)
        names: dict[Expression, Name] = {}
        for i, t in enumerate(short, 1):
            wish = numbered("δ", layers[t] if layered else i) if len(short) > 1 else "δ"
            names.setdefault(self.problem.in_short[t], Name(self._naming.letter(wish), self._reading.layout(t)))
        return names

    def _name_the_rest(self) -> None:
        taking_part = [link for link in self.problem.links if link.node not in self.problem.ends]
        for link in taking_part:  # what differs from the loss by its shape alone is the loss
            if self.problem.only_moves(link) and self._naming.name(link.contributions[0][0]) is None:
                self._letters.setdefault(link.contributions[0][0], self.name_of(link.node))
        for link in reversed(self.problem.links):  # where two have one name, the first that was computed keeps it
            if self._has_name(link.node):
                self.mark(link.node)
        for link in reversed(taking_part):  # letters in the order in which the loss was computed: d before d₁
            self.mark(link.node)
        for node, arriving in self.problem.arriving.items():
            self.notation.names[arriving] = Name("∂" + self.mark(node), self._reading.layout(node))

    def adopt(self, notation: Notation, line: Formula) -> None:
        """Take over the names by which a line is written; what has one of them already gets another."""
        names = self.notation.names
        taken = {name.text: x for x, name in names.items()}
        for text, formula in meanings([line]):
            x, other = formula.expression, taken.get(text)
            x = x if x in notation.names else ex.let(x)
            if other is not None and other is not x and not names[other].partial:
                names[other] = names[other]._replace(text=self._naming.letter(text))
            names[x] = notation.names[x]
        self.notation = Notation(names)
        self.recorded = self._recorded()._replace(assumptions=self.recorded.assumptions)

    def _recorded(self) -> Recorded:
        """The data, and by which names others may be given for it."""
        known = self._reading.expressions
        names = {name.text: (x, name.layout) for x, name in self.notation.names.items()}
        names |= {str(x.data[0]): (x, x.data[1]) for x in self._reading.leaves}
        for t in self.problem.forward:
            name = self._naming.name(t)
            if name is not None and known[t].kind != "number":
                names.setdefault(name, (known[t], self._reading.layout(t)))
        of_loss = set(computed_from([self.output], None, self.problem.detached))
        absent = {str(x.data[0]) for x, t in self._reading.leaves.items() if t not in of_loss}
        loose = frozenset(self.problem.loose.values())
        return Recorded(names, self._reading.values, [], self.problem.values, loose, frozenset(absent))

    def name_of(self, t: Tensor) -> str:
        """What a tensor is called: its name, or a letter."""
        x = self._reading.expressions[t]
        name = self.notation.names.get(x)
        if name is not None:
            return name.text
        if x.kind == "leaf":
            return str(x.data[0])
        given = self._naming.name(t)
        if given is not None:
            return given
        if x.kind == "number" and t.operation is None:
            return number_text(x.data)
        if t is self.output:
            self._letters.setdefault(t, self._naming.letter("L"))
        elif t not in self._letters:
            assert t.operation is not None
            self._letters[t] = self._naming.letter(self.problem.result_name(t) or t.operation.letter)
        return self._letters[t]

    def _has_name(self, t: Tensor) -> bool:
        """Whether it has a name that is no letter given for the steps."""
        x = self._reading.expressions[t]
        return self._naming.name(t) is not None or x in self.notation.names or x.kind == "leaf"

    def mark(self, t: Tensor) -> str:
        """The name by which the gradient of a tensor goes: its own, unless another on the way has it."""
        if t not in self._marks:
            link = self._link_of.get(t)
            if link is not None and link.contributions and self.problem.only_moves(link):
                return self.mark(link.contributions[0][0])
            name = self.name_of(t)
            self._marks[t] = self._naming.letter(name) if name in self._marked else name
            self._marked.add(self._marks[t])
        return self._marks[t]

    def origin(self, t: Tensor) -> Tensor:
        """The tensor by whose name `t` is called: of a transpose, what it is the transpose of."""
        link = self._link_of.get(t)
        if link is None or not link.contributions or not self.problem.only_moves(link):
            return t
        origin = self.origin(link.contributions[0][0])
        return origin if set(self._reading.layout(origin)) == set(self._reading.layout(t)) else t

    def layout(self, t: Tensor) -> Layout:
        """How the axes stand of what a tensor is called by."""
        return self._reading.layout(self.origin(t))

    def tensors_by_letter(self) -> dict[str, Tensor]:
        """What the loss was computed from, by its name; of what differs by its shape alone the last."""
        found: dict[str, Tensor] = {}
        for t in computed_from([self.output]):
            if t in self._link_of and t not in self.problem.ends:
                found[self.mark(t)] = t
            elif t in self._reading.expressions and self._has_name(t):
                found[self.name_of(t)] = t
        return found

    # --- formulas and sentences -----------------------------------------------------------------------------------

    def formula(
        self,
        x: Expression,
        layout: Layout,
        changed: Mapping[Expression, frozenset[Expression]] = NOTHING,
        unfold: bool = False,
        kept: Container[Expression] = frozenset(),
        defined: Mapping[Expression, Expression] = MappingProxyType({}),
        by: Notation | None = None,
    ) -> Formula:
        """An expression as a formula, by another notation or its own; for the arguments see `Formula`, `Recorded`."""
        x = x.data if unfold and x.kind == "let" else x
        recorded = self.recorded._replace(defined=defined) if defined else self.recorded
        return Formula(x, by or self.notation, layout, recorded, changed, unfold, kept)

    def formula_of(self, t: Tensor) -> Formula:
        """What a tensor was computed from, as a formula."""
        return self.formula(self._reading.expressions[t], self._reading.layout(t), unfold=True)

    def written(self, x: Expression) -> str:
        """An expression as text."""
        return str(self.formula(x, ()))

    def in_words(self, because: Because) -> str:
        """A reason as a sentence."""
        sentence = translated(because.reason, self.lang).format(*(str(self.formula(x, ())) for x in because.about))
        if because.holds is None:
            return sentence
        holds = self.in_words(because.holds)
        holds = say(self.lang, "in the data", condition=holds) if because.holds.assumed else holds
        return say(self.lang, "because", reason=sentence, condition=holds)
