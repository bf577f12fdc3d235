"""`explain`: the chain rule, then algebra, with a proof of each step on the recorded data."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Mapping
from fractions import Fraction

import numpy as np

from ..algebra import expression as ex
from ..algebra.evaluate import evaluate
from ..algebra.expression import Axis, Expression, Layout
from ..algebra.facts import Because, Facts
from ..algebra.read import Reading
from ..algebra.rules import RULES, Rule
from ..algebra.simplify import Rewriting, Simplifier
from ..engine.operation import Kind
from ..engine.recording import EVERYTHING, recording
from ..engine.tensor import Array, Tensor, as_tensor
from .boxes import number_text
from .chain import Link
from .derivation import Derivation, Direction, Partial, Step
from .formula import Formula
from .matrices import Name
from .naming import Naming
from .notation import NOTHING, Notation
from .problem import Problem
from .reasons import derivative_in_words
from .recorded import Assumption, Recorded
from .sentences import rule_name, say, translated

_LONGEST = 80  # parts of a formula; what is longer is given letters for its parts
_DEFINED = 100  # names whose meaning is said; a derivation with more is for a program to read
_DELTA = 2000  # what costs more gets no name as a delta: to simplify it for that would take long


class _Facts(Facts):
    """What may be read off the data: of arrays that were handed in, but not of computed ones, that their rows sum to 1.

    A mask that lets one sample pass sums to 1 by chance."""

    def sums_to_one(self, x: Expression, axes: Iterable[Axis]) -> Because | None:
        because = super().sums_to_one(x, axes)
        return None if because is not None and because.assumed and x.kind != "leaf" else because


class Explaining:
    """The work of one call of `explain`."""

    output: Tensor
    wrt: Tensor
    rules: tuple[Rule, ...]
    lang: str
    problem: Problem
    links: list[Link]
    forward: list[Tensor]
    held: dict[Tensor, bool]
    naming: Naming
    reading: Reading
    facts: _Facts
    simplifier: Simplifier
    ways: dict[Tensor, dict[Tensor, Expression]]
    totals: dict[Tensor, Expression]
    notation: Notation
    recorded: Recorded

    def __init__(
        self,
        output: Tensor,
        wrt: Tensor,
        names: Mapping[str, Tensor] | None,
        rules: tuple[Rule, ...] = RULES,
        lang: str = "en",
    ) -> None:
        self.output, self.wrt, self.rules, self.lang = output, wrt, rules, lang
        self._letters: dict[Tensor, str] = {}
        self._marks: dict[Tensor, str] = {}
        self.problem = Problem(output, wrt, names, rules)
        self.links, self.forward, self.held = self.problem.links, self.problem.forward, self.problem.held
        self.naming, self.reading = self.problem.naming, self.problem.reading
        self._link_of = {link.node: link for link in self.links}
        self.facts = _Facts(self.reading.values, (self.reading.expressions[wrt],), self.problem.values)
        self.simplifier = Simplifier(self.facts, rules)

    # --- the derivation -------------------------------------------------------------------------------------------

    def derivation(self) -> Derivation:
        raw = self.problem.chain_rule()
        self.ways, self.totals = self.problem.ways, self.problem.totals
        final, rewritings = self.simplifier.simplify(raw)
        self.notation = Notation(self._names())
        self._name_deltas(final)
        self._name_long_parts([final, raw, *(r.after for r in rewritings)])
        self.recorded = self._recorded()
        assumptions = self._assumptions(rewritings)
        for link in self.links:  # what differs from the loss by its shape alone is the loss
            if self.problem.only_moves(link) and self.naming.name(link.contributions[0][0]) is None:
                self._letters[link.contributions[0][0]] = self._name_of(link.node)
        for link in reversed(self.links):  # where two have one name, the first that was computed keeps it
            if self._has_name(link.node):
                self._mark(link.node)
        steps = self._chain_steps() + [self._algebra_step(rewriting) for rewriting in rewritings]
        gradient = self._formula(final, self.reading.layout(self.wrt))
        loss = self._formula(self.reading.expressions[self.output], (), unfold=True)
        output = self._name_of(self.output)
        return Derivation(
            output=output,
            wrt=self._name_of(self.wrt),
            loss=loss,
            gradient=gradient,
            steps=steps,
            assumptions=list(dict.fromkeys(assumption.fact for assumption in assumptions)),
            remarks=self._remarks(final),
            axes=self._axes(),
            unnamed=self._unnamed_letters(),
            lang=self.lang,
            rounding=self.problem.rounding(),
            define=self._definitions,
            graph=self._graph,
        )

    # --- names ----------------------------------------------------------------------------------------------------

    def _names(self) -> dict[Expression, Name]:
        names: dict[Expression, Name] = {}
        for t in self.forward:
            x, given = self.reading.expressions[t], self.naming.name(t)
            if given is None or x.kind in ("leaf", "number"):
                continue
            name = Name(given, self.reading.layout(t), partial=True)
            names[x] = name
            names.setdefault(self.simplifier.simplify(x)[0], name)
        self._name_targets(names)
        for t in self.forward:
            x = self.reading.expressions[t]
            if x in names or t.operation is None or t is self.wrt:
                continue
            long = x.kind == "call" and x.cost > 3 and x.data not in (*ex.BOOLEAN, "sigmoid", ex.WHERE)
            if (t in self._link_of and long) or (x.kind == "reduce" and not ex.is_total(x)):
                names[x] = Name(self.naming.letter(t.operation.letter), self.reading.layout(t))
        return names

    def _name_targets(self, names: dict[Expression, Name]) -> None:
        """The target of a loss is y, also where the loss made it itself from class numbers."""
        for t in reversed(self.forward):
            x = self.reading.expressions[t]
            if t in self._link_of or t.operation is None or x in names:
                continue
            if x.kind == "one_hot" or (x.kind == "combination" and any(part.kind == "one_hot" for part in x.children)):
                names[x] = Name(self.naming.letter("y"), self.reading.layout(t), partial=True)
                return

    def _name_deltas(self, final: Expression) -> None:
        """The gradient that a hidden layer receives, when it is itself a matrix product of others: δ."""
        hidden = [link.node for link in self.links if _is_affine(link.node) and self.totals[link.node].cost < _DELTA]
        for node in hidden[:20]:
            x, _ = self.simplifier.simplify(self.totals[node])
            array_factors = [(base, p) for base, p in ex.factors_of(x) if base.axes]
            x = ex.multiply(array_factors, Fraction(-1 if ex.coefficient_of(x) < 0 else 1))
            of_others = x.kind == "product" and any(base.kind == "reduce" for base, _ in array_factors)
            if of_others and x not in self.notation.names:
                name = Name(self.naming.letter("δ"), self.reading.layout(node), partial=True)
                self.notation = Notation({**self.notation.names, x: name})

    def _name_long_parts(self, formulas: list[Expression]) -> None:
        """Letters for parts of what is too long for one formula."""
        names = self.notation.names
        length: dict[Expression, int] = {}
        for x in ex.inner_first(
            *self.reading.expressions.values(),
            *(way for ways in self.ways.values() for way in ways.values()),
            *self.totals.values(),
            *formulas,
        ):
            length[x] = 1 + sum(1 if child in names else length[child] for child in x.children)
            if length[x] > _LONGEST and x not in names:
                names[x] = Name(self.naming.letter("u"), ())
        self.notation = Notation(names)

    def _name_of(self, t: Tensor) -> str:
        x = self.reading.expressions[t]
        name = self.notation.names.get(x)
        if name is not None:
            return name.text
        if x.kind == "leaf":
            return str(x.data[0])
        given = self.naming.name(t)
        if given is not None:
            return given
        if x.kind == "number" and t.operation is None:
            return number_text(x.data)
        if t is self.output:
            self._letters.setdefault(t, self.naming.letter("L"))
        elif t not in self._letters:
            assert t.operation is not None
            self._letters[t] = self.naming.letter(self.problem.result_name(t) or t.operation.letter)
        return self._letters[t]

    def _has_name(self, t: Tensor) -> bool:
        """Whether it has a name that is no letter given for the steps."""
        x = self.reading.expressions[t]
        return self.naming.name(t) is not None or x in self.notation.names or x.kind == "leaf"

    def _formula(
        self,
        x: Expression,
        layout: Layout,
        changed: Mapping[Expression, frozenset[Expression]] = NOTHING,
        unfold: bool = False,
        kept: Container[Expression] = frozenset(),
    ) -> Formula:
        return Formula(x, self.notation, layout, self.recorded, changed, unfold, kept)

    # --- steps ----------------------------------------------------------------------------------------------------

    def _chain_steps(self) -> list[Step]:
        steps: list[Step] = []
        for link in self.links:
            if len(self.ways.get(link.node, ())) > 1:
                steps.append(self._adding_step(link))
            if self.problem.passes_on(link) and not self.problem.only_moves(link):
                steps.append(self._chain_step(link))
        return steps

    def _chain_step(self, link: Link) -> Step:
        node, layout = link.node, self.reading.layout
        assert node.operation is not None
        error = self.problem.error(self.totals[node], layout(node), link.gradient)
        for x, part in link.contributions:
            read = self.reading.aligned(self.reading.expressions[part], part, x)
            error = max(error, self.problem.error(read, layout(x), part.numpy()))
        results = []
        for x in self.problem.passes_on(link):
            via = self._mark(node) if len(self.ways[x]) > 1 else None
            results.append(Partial(self._mark(x), self._formula(self.ways[x][node], layout(x)), via))
        before = self._formula(self.totals[node], layout(node))
        reasons = [derivative_in_words(node.operation, node.parameters, self.lang)]
        if node.operation.kind is Kind.ELEMENTWISE:  # operands broadcast
            passed = self.problem.passes_on(link)
            reasons += [say(self.lang, "repeated", name=self._mark(x)) for x in passed if x.size < node.size]
        for held in node.inputs:
            if isinstance(held, Tensor) and held in self.held:
                key = "shift" if self.held[held] else "held"
                reasons.append(say(self.lang, key, name=self._formula(self.reading.expressions[held], ())))
        return Step(
            "chain rule",
            node.operation.name,
            say(self.lang, "separator").join(reasons),
            before,
            results[0].formula,
            error,
            results,
            self._definition(node),
        )

    def _adding_step(self, link: Link) -> Step:
        """What comes back to a tensor by each of several ways is added up."""
        x, layout = link.node, self.reading.layout(link.node)
        name, ways = self._mark(x), [self._mark(node) for node in self.ways[x]]
        both = say(self.lang, "list")
        reason = say(self.lang, "add ways", name=name, ways=both.join(ways))
        total = self._formula(self.totals[x], layout)
        before = self._formula(next(iter(self.ways[x].values())), layout)
        error = self.problem.error(self.totals[x], layout, link.gradient)
        rule = say(self.lang, "added up")
        return Step("chain rule", rule, reason, before, total, error, [Partial(name, total)], None, ways)

    def _mark(self, t: Tensor) -> str:
        """The name by which the gradient of a tensor goes: its own, unless another on the way has it."""
        if t not in self._marks:
            link = self._link_of.get(t)
            if link is not None and link.contributions and self.problem.only_moves(link):
                return self._mark(link.contributions[0][0])
            name = self._name_of(t)
            self._marks[t] = self.naming.letter(name) if name in self._marks.values() else name
        return self._marks[t]

    def _definition(self, node: Tensor) -> tuple[str, Formula]:
        letters = {}
        for x in node.inputs:
            if isinstance(x, Tensor):
                known = self.reading.expressions[x]
                named = known in self.notation.names or known.kind in ("leaf", "number", "softmax")
                if x in self._link_of and (not named or self._mark(x) != self._name_of(x)):
                    known = ex.leaf(self._mark(x), self.reading.layout(x))
                letters[x] = known
        defined = self.reading.definition(node, letters)
        return self._mark(node), self._formula(defined, self.reading.layout(node), unfold=True)

    def _algebra_step(self, rewriting: Rewriting) -> Step:
        layout = self.reading.layout(self.wrt)
        reference = self.links[-1].gradient
        before = set(ex.inner_first(rewriting.before))
        kept = before.difference(part for parts in rewriting.new.values() for part in parts)
        return Step(
            "algebra",
            rule_name(rewriting.rule.name, self.lang),
            say(self.lang, "separator").join(dict.fromkeys(self._in_words(because) for because in rewriting.because)),
            self._formula(rewriting.before, layout, rewriting.old),
            self._formula(rewriting.after, layout, rewriting.new, kept=kept),
            self.problem.error(rewriting.after, layout, reference),
        )

    def _in_words(self, because: Because) -> str:
        sentence = translated(because.reason, self.lang).format(*(str(self._formula(x, ())) for x in because.about))
        if because.holds is None:
            return sentence
        holds = self._in_words(because.holds)
        holds = say(self.lang, "in the data", condition=holds) if because.holds.assumed else holds
        return say(self.lang, "because", reason=sentence, condition=holds)

    # --- what goes with it ----------------------------------------------------------------------------------------

    def _recorded(self) -> Recorded:
        """The data, and by which names others may be given for it."""
        known = self.reading.expressions
        names = {name.text: (x, name.layout) for x, name in self.notation.names.items()}
        names |= {str(x.data[0]): (x, x.data[1]) for x in self.reading.leaves}
        for t in self.forward:
            name = self.naming.name(t)
            if name is not None and known[t].kind != "number":
                names.setdefault(name, (known[t], self.reading.layout(t)))
        return Recorded(names, self.reading.values, [], self.problem.values)

    def _assumptions(self, rewritings: list[Rewriting]) -> list[Assumption]:
        """What was only checked on the data; formulas check it again on other data."""
        found: list[Assumption] = []
        for rewriting in rewritings:
            for because in rewriting.because:
                if because.holds is not None and because.holds.assumed:
                    x = because.holds.about[-1]
                    found.append(Assumption(self._in_words(because.holds), x, self._summed(x, rewriting)))
        self.recorded = self.recorded._replace(assumptions=found)
        return found

    def _summed(self, x: Expression, rewriting: Rewriting) -> tuple[Axis, ...] | None:
        """The axes along which a step took the sum of `x` for 1; None where it divided by it."""
        parts = (part for parts in rewriting.old.values() for part in parts)
        axes = next((part.data[1] for part in parts if part.kind == "reduce" and x in part.children), ())
        rows = (over for over in (axes, *((a,) for a in axes)) if over and self.facts.sums_to_one(x, over))
        return next(rows, None)

    def _definitions(self, formulas: Iterable[Formula]) -> list[tuple[str, Formula]]:
        """What the named expressions in the formulas stand for, and the names in those, until all is said."""
        found: dict[Expression, Formula] = {}
        waiting = deque(x for formula in formulas for x in formula.mentions)
        while waiting and len(found) < _DEFINED:
            x = waiting.popleft()
            if x not in found:
                found[x] = self._formula(x, self.notation.names[x].layout, unfold=True)
                waiting.extend(found[x].mentions)
        return [(self.notation.names[x].text, formula) for x, formula in found.items()]

    def _graph(self, x: Expression) -> Tensor:
        """The formula as a recorded graph, over a leaf for each name."""
        values: dict[Expression, Tensor] = {}
        for part in ex.inner_first(x):
            name = self.notation.names.get(part)
            if name is not None or part.kind == "leaf":
                value = np.asarray(evaluate(part, self.reading.values, known=self.problem.values))
                value = value.astype(float) if value.dtype == bool else value  # one-hot rows
                values[part] = Tensor(value, name=name.text if name is not None else part.data[0])
            elif part.kind == "size":
                values[part] = Tensor(float(part.data.size), name=part.data.name.upper())
        with recording(EVERYTHING):
            result = evaluate(x, values, products=True)
        return as_tensor(result)

    def _axes(self) -> list[Direction]:
        """Every axis, with a leaf that has it."""
        known = self.reading.expressions
        named = [t for t in self.forward if self.naming.name(t) is not None]
        called = [t for t in self.forward if known[t] in self.notation.names or self._is_unnamed_leaf(t)]
        found: dict[Axis, Direction] = {}
        for t in (*named, *called):
            for position, axis in enumerate(self.reading.layout(t)):
                if axis is not None and axis not in found:
                    found[axis] = Direction(axis.name, axis.size, position, self._name_of(t))
        return list(found.values())

    def _is_unnamed_leaf(self, t: Tensor) -> bool:
        x = self.reading.expressions[t]
        return x in self.reading.leaves and self.naming.name(self.reading.leaves[x]) is None

    def _unnamed_letters(self) -> list[tuple[str, Array]]:
        """The letters in the loss that stand for arrays without a name."""
        leaves = ex.leaves_of(self.reading.expressions[self.output])
        tensors = [(str(x.data[0]), self.reading.leaves[x]) for x in leaves if x in self.reading.leaves]
        return [(letter, t.numpy()) for letter, t in tensors if self.naming.name(t) is None]

    def _remarks(self, final: Expression) -> list[str]:
        """What a gradient that has the output as a factor beside the error `output − target` means for learning."""
        remarks = []
        factors = ex.factors_of(final)
        differences = [[term for _, term in ex.terms_of(x)] for x, _ in factors if x.kind == "combination"]
        for base, _ in factors:
            is_output = base.kind == "softmax" or (base.kind == "call" and base.data == "sigmoid")
            if is_output and any(base in terms and {base, ex.ONE} < set(terms) | {ex.ONE} for terms in differences):
                remarks.append(say(self.lang, "stalls", factor=str(self._formula(base, ()))))
        return remarks


def _is_affine(node: Tensor) -> bool:
    """Whether this is `X W`, or `X W + b`."""
    made = [node, *(x for x in node.inputs if isinstance(x, Tensor))] if _ufunc(node) is np.add else [node]
    return any(_ufunc(x) is np.matmul for x in made)


def _ufunc(t: Tensor) -> object:
    return t.operation.ufunc if t.operation is not None else None
