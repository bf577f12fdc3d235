"""`explain`: the chain rule, then algebra, with a proof of each step on the recorded data."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ..algebra import expression as ex
from ..algebra.evaluate import by_position, evaluate
from ..algebra.expression import Expression, Layout
from ..algebra.facts import Because, Facts
from ..algebra.read import Reading
from ..algebra.rules import RECOGNITIONS, RULES, Rule
from ..algebra.simplify import Rewriting, Simplifier
from ..engine.recording import EVERYTHING, recording
from ..engine.tensor import Tensor
from .chain import Link, chain, computed_from
from .derivation import Derivation, Formula, Step
from .naming import LETTERS, Naming
from .notation import NOTHING, Name, Notation
from .reasons import SHIFT, derivative_in_words

_LONGEST = 80  # parts of a formula; what is longer is given letters for its parts
_DEFINED = 100  # names whose meaning is said; a derivation with more is for a program to read
_DELTA = 2000  # what costs more gets no name as a delta: to simplify it for that would take long


class Explaining:
    """The work of one call of `explain`."""

    def __init__(
        self, output: Tensor, wrt: Tensor, names: Mapping[str, Tensor] | None, rules: tuple[Rule, ...] = RULES
    ) -> None:
        self.output, self.wrt, self.rules = output, wrt, rules
        self._letters: dict[Tensor, str] = {}
        self.links = chain(output, wrt)
        named = list((names or {}).values())
        self.forward = computed_from([output, *(t for t in named if isinstance(t, Tensor))], wrt)
        self.naming = Naming(names, self.forward)
        self.on_path = {link.node for link in self.links}
        self.reading = self._reading()
        self.known: dict[Expression, Any] = {}
        for t in self.forward:
            self.reading.read(t)
        self.x = self.reading.expressions[wrt]
        self.facts = Facts(self.reading.values, (self.x,), self.known)
        self.simplifier = Simplifier(self.facts, rules)
        self.totals: dict[Tensor, Expression] = {}

    def _reading(self) -> Reading:
        passed = [(link.symbol, link.node) for link in self.links]
        passed += [(part, x) for link in self.links for x, part in link.contributions]
        backward = computed_from(part for link in self.links for _, part in link.contributions)
        known = set(self.forward)
        recognising = Simplifier(Facts(), [rule for rule in self.rules if rule.name in RECOGNITIONS])
        return Reading(
            [*self.forward, *(t for t in backward if t not in known)],
            atoms=[self.wrt],
            same=passed,
            name=self.naming.name,
            letter=self._letter,
            recognise=lambda t, x: recognising.recognised(x) if t in known else x,
        )

    def _letter(self, t: Tensor) -> str:
        if t is self.wrt:
            return self.naming.letter("x")
        if t.dtype.kind in "iu":
            return self.naming.letter("labels" if t.ndim else "label")
        return self.naming.letter("w" if t.requires_grad else "c")

    # --- the derivation -------------------------------------------------------------------------------------------

    def derivation(self) -> Derivation:
        raw = self._chain_rule()
        final, rewritings = self.simplifier.simplify(raw)
        self.notation = Notation(self._names())
        self._name_deltas(final)
        self._name_long_parts([final, raw, *(r.after for r in rewritings)])
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
            assumptions=self._assumptions(rewritings),
            remarks=self._remarks(final),
            sizes=self._sizes(steps),
            define=self._definitions,
            graph=self._graph,
        )

    def _chain_rule(self) -> Expression:
        """The gradient of every tensor on the way, as an expression; that of `wrt` last."""
        parts: dict[Tensor, list[Expression]] = {}
        self.partial: dict[tuple[Tensor, Tensor], Expression] = {}
        for link in self.links:
            total = ex.plus(*parts[link.node]) if link.node in parts else ex.ONE
            self.totals[link.node] = total
            given = {link.symbol: total}
            for x, part in link.contributions:
                read = self.reading.aligned(self.reading.read(part, given), part, x)
                parts.setdefault(x, []).append(read)
                self.partial[link.node, x] = ex.plus(*parts[x])
        return self.totals[self.wrt]

    def _error(self, x: Expression, layout: Layout, reference: Any) -> float:
        value = by_position(evaluate(x, self.reading.values, known=self.known), x.axes, layout)
        return _difference(np.asarray(value), np.asarray(reference))

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
            long = x.kind == "call" and x.cost > 3 and x.data not in (*ex.BOOLEAN, "sigmoid", "where")
            if (t in self.on_path and long) or (x.kind == "reduce" and x.data[0] == "max"):
                names[x] = Name(self.naming.letter(LETTERS.get(t.operation.name, "u")), self.reading.layout(t))
        return names

    def _name_targets(self, names: dict[Expression, Name]) -> None:
        """The target of a loss is y, also where the loss made it itself from class numbers."""
        for t in reversed(self.forward):
            x = self.reading.expressions[t]
            if t in self.on_path or t.operation is None or x in names:
                continue
            if x.kind == "one_hot" or (x.kind == "sum" and any(part.kind == "one_hot" for part in x.children)):
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
        for x in ex.inner_first(*self.reading.expressions.values(), *self.partial.values(), *formulas):
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
        if t is self.output:
            self._letters.setdefault(t, self.naming.letter("L"))
        elif t not in self._letters:
            assert t.operation is not None
            self._letters[t] = self.naming.letter(LETTERS.get(t.operation.name, "u"))
        return self._letters[t]

    def _formula(
        self,
        x: Expression,
        layout: Layout,
        changed: Mapping[Expression, frozenset[Expression]] = NOTHING,
        unfold: bool = False,
    ) -> Formula:
        return Formula(x, self.notation, layout, self.reading.values, changed, unfold)

    # --- steps ----------------------------------------------------------------------------------------------------

    def _chain_steps(self) -> list[Step]:
        return [self._chain_step(link) for link in self.links if link.contributions and not self._only_moves(link)]

    def _only_moves(self, link: Link) -> bool:
        """Whether the operation changes no value, as a reshape, or a mean of one: nothing to see in a formula."""
        known = self.reading.expressions
        return len(link.contributions) == 1 and known[link.node] is known[link.contributions[0][0]]

    def _chain_step(self, link: Link) -> Step:
        node, layout = link.node, self.reading.layout
        assert node.operation is not None
        results: list[tuple[str, Formula]] = []
        error = 0.0
        for x, part in link.contributions:
            total = self.partial[node, x]
            if all(name != self._name_of(x) for name, _ in results):
                results.append((self._name_of(x), self._formula(total, layout(x))))
            read = self.reading.aligned(self.reading.expressions[part], part, x)
            error = max(error, self._error(read, layout(x), part.numpy()))
        before = self._formula(self.totals[node], layout(node))
        error = max(error, self._error(self.totals[node], layout(node), link.gradient))
        reason = derivative_in_words(node.operation.name)
        held = [
            x
            for x in node.inputs
            if isinstance(x, Tensor) and x.operation is not None and x.operation.name == "stop_gradient"
        ]
        if held:
            reason += SHIFT.format(m=self._name_of(held[0]))
        return Step(
            "chain rule", node.operation.name, reason, before, results[0][1], error, results, self._definition(node)
        )

    def _definition(self, node: Tensor) -> tuple[str, Formula]:
        letters = {}
        for x in node.inputs:
            if isinstance(x, Tensor):
                known = self.reading.expressions[x]
                named = known in self.notation.names or known.kind in ("leaf", "number", "softmax")
                letters[x] = (
                    known if named or x not in self.on_path else ex.leaf(self._name_of(x), self.reading.layout(x))
                )
        defined = self.reading.definition(node, letters)
        return self._name_of(node), self._formula(defined, self.reading.layout(node), unfold=True)

    def _algebra_step(self, rewriting: Rewriting) -> Step:
        layout = self.reading.layout(self.wrt)
        reference = self.links[-1].gradient
        return Step(
            "algebra",
            rewriting.rule.name,
            "; ".join(dict.fromkeys(self._in_words(because) for because in rewriting.because)),
            self._formula(rewriting.before, layout, rewriting.old),
            self._formula(rewriting.after, layout, rewriting.new),
            self._error(rewriting.after, layout, reference),
        )

    def _in_words(self, because: Because) -> str:
        return because.words(lambda x: str(self._formula(x, ())))

    # --- what goes with it ----------------------------------------------------------------------------------------

    def _assumptions(self, rewritings: list[Rewriting]) -> list[str]:
        found: dict[str, None] = {}
        for rewriting in rewritings:
            for because in rewriting.because:
                if because.holds is not None and because.holds.assumed:
                    found[self._in_words(because.holds)] = None
        for _, y in self.reading.found:
            found[f"a constant that is 1 − {self._name_of(y)} was computed as such"] = None
        return list(found)

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
                value = np.asarray(evaluate(part, self.reading.values, known=self.known))
                value = value.astype(float) if value.dtype == bool else value  # one-hot rows
                values[part] = Tensor(value, name=name.text if name is not None else part.data[0])
            elif part.kind == "size":
                values[part] = Tensor(float(part.data.size), name=part.data.name.upper())
        with recording(EVERYTHING):
            result = evaluate(x, values, products=True)
        return result if isinstance(result, Tensor) else Tensor(result)

    def _sizes(self, steps: list[Step]) -> list[tuple[str, int, str]]:
        """The lengths of axes that the formulas mention, each with a leaf that has this axis."""
        formulas = [s.after.expression for s in steps] + [f.expression for s in steps for _, f in s.results]
        sizes = []
        for axis in sorted({part.data for part in ex.inner_first(*formulas) if part.kind == "size"}):
            holders = [(t, self.reading.layout(t).index(axis)) for t in self.forward if axis in self.reading.layout(t)]
            named = [(t, i) for t, i in holders if self.naming.name(t) is not None or t.operation is None]
            t, i = (named or holders)[0]
            sizes.append((axis.name.upper(), axis.size, f"the length of axis {i} of {self._name_of(t)}"))
        return sizes

    def _remarks(self, final: Expression) -> list[str]:
        """What a gradient that has the output as a factor beside the error `output − target` means for learning."""
        remarks = []
        factors = ex.factors_of(final)
        differences = [[term for _, term in ex.terms_of(x)] for x, _ in factors if x.kind == "sum"]
        for base, _ in factors:
            is_output = base.kind == "softmax" or (base.kind == "call" and base.data == "sigmoid")
            if is_output and any(base in terms and {base, ex.ONE} < set(terms) | {ex.ONE} for terms in differences):
                written = str(self._formula(base, ()))
                remarks.append(
                    f"The factor {written} stands in front: where {written} is near 0 the gradient is near 0 too, "
                    "however wrong the output is. Learning stalls there."
                )
        return remarks


def _is_affine(node: Tensor) -> bool:
    """Whether this is `X W`, or `X W + b`."""
    made = [node, *(x for x in node.inputs if isinstance(x, Tensor))] if _operation(node) == "add" else [node]
    return any(_operation(x) == "matmul" for x in made)


def _operation(t: Tensor) -> str:
    return t.operation.name if t.operation is not None else ""


def _difference(value: Any, reference: Any) -> float:
    """The largest absolute difference; equal infinities and nans count as equal."""
    if value.size == 0:
        return 0.0
    with np.errstate(all="ignore"):
        same = (value == reference) | (np.isnan(value) & np.isnan(reference))
        difference = np.where(same, 0.0, np.abs(value - reference))
    return float(np.max(np.where(np.isnan(difference), np.inf, difference)))
