"""The loss rewritten before it is differentiated: the logarithm undoes the exponential, and what is left is simple."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from ..algebra import expression as ex
from ..algebra.evaluate import evaluate, sorted_axes
from ..algebra.expression import Expression
from ..algebra.facts import Facts
from ..algebra.opening import opened
from ..algebra.rule import Rule
from ..algebra.simplify import Rewriting
from ..engine.operation import Kind
from ..engine.recording import EVERYTHING, composite, recording
from ..engine.tensor import Tensor, as_tensor
from .chain import Link
from .problem import Problem

_LONGEST = 400  # a loss that costs more is not rewritten


class Rewritten(NamedTuple):
    """A loss in another form.

    Attributes:
        loss: the loss, recorded in its new form.
        lengths: tensors in it that stand for the length of an axis: of which tensor, at which position.
        steps: how it came about.
    """

    loss: Tensor
    lengths: dict[Tensor, tuple[Tensor, int]]
    steps: list[Rewriting]


def last_layer(links: list[Link], wrt: Tensor) -> Tensor:
    """The tensor nearest to the loss that is `wrt` or a matrix product, by way of which the whole gradient goes."""
    ahead: set[Tensor] = set()
    for link in links:
        ahead.discard(link.node)
        ahead.update(x for x, _ in link.contributions)
        if len(ahead) == 1:
            (only,) = ahead
            if only is wrt or _is_product(only) or any(map(_is_product, only.inputs)):
                return only
    return wrt


def _is_product(x: Any) -> bool:
    return isinstance(x, Tensor) and x.operation is not None and x.operation.kind is Kind.CONTRACTION


def _is_linear(x: Expression, variable: Expression) -> bool:
    """Whether `x` adds up products of the variable with something that does not depend on it."""
    if not ex.is_total(x) or x.children[0].kind != "product":
        return False
    varying = [factor for factor in ex.factors_of(x.children[0]) if variable in ex.inner_first(factor[0])]
    return varying == [(variable, Fraction(1))]


@composite
def weighted_sum(x: Expression, values: Mapping[Expression, Any]) -> Tensor:
    """The value of such a sum, recorded as one composite: its derivative is what the variable is multiplied by."""
    return as_tensor(evaluate(x, values, products=True))


def rewritten(problem: Problem, output: Tensor, facts: Facts, rules: tuple[Rule, ...]) -> Rewritten | None:
    """The loss with its logarithms opened, recorded anew from what it was computed from; None where it has none.

    Args:
        problem: the loss as a function of one tensor.
        output: the loss.
        facts: proves the conditions of rules.
        rules: the rules of algebra.
    """
    known = problem.reading.expressions
    if known[output].cost > _LONGEST:
        return None
    x, steps = opened(known[output], facts, rules)
    if not steps:
        return None
    values: dict[Expression, Any] = {}
    lengths: dict[Tensor, tuple[Tensor, int]] = {}
    for t in problem.forward:
        if (t not in problem.dependent or t is problem.wrt) and known[t].kind != "number":
            values[known[t]] = sorted_axes(t, problem.reading.layout(t))
            for position, axis in enumerate(problem.reading.layout(t)):
                if axis is not None and ex.size(axis) not in values:
                    length = values[ex.size(axis)] = Tensor(float(axis.size))
                    lengths[length] = t, position
    variable = known[problem.wrt]
    with recording(EVERYTHING):
        for part in ex.inner_first(x):
            if part not in values and _is_linear(part, variable):
                values[part] = weighted_sum(part, values)
        return Rewritten(as_tensor(evaluate(x, values, products=True)), lengths, steps)
