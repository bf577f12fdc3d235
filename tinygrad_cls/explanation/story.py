"""What is asked, and why the result looks as it does: read off the structure of a derivation, not off a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..algebra import expression as ex
from ..algebra.expression import Axis, Expression
from ..algebra.facts import Facts
from ..algebra.simplify import Rewriting
from ..engine.operations import exp, log
from ..engine.tensor import Tensor
from .problem import Problem
from .sentences import say
from .writing import Writing

_CANCEL = "cancel"
_LONGEST = 20  # what is longer is no output that one can speak of


def opening(problem: Problem, output: str, wrt: str, way: str, lang: str) -> list[str]:
    """What is asked, and by which way it is answered."""
    told = [say(lang, "asked", output=output, wrt=wrt)]
    direction = _direction(problem)
    if direction is not None:
        told.append(say(lang, "asked of a gradient", output=output, wrt=wrt, v=direction))
    return [*told, say(lang, f"way {way}")]


def _direction(problem: Problem) -> str | None:
    """The name of what a gradient is multiplied by, where the loss is made of a gradient."""
    of_gradient = {t for t in problem.forward if t.scope is not None and t.scope.name.startswith("∂")}
    after = set(of_gradient)
    for t in problem.forward:
        inputs = [x for x in t.inputs if isinstance(x, Tensor)]
        if t not in of_gradient and any(x in after for x in inputs):
            after.add(t)
            others = [name for x in inputs if x not in after and (name := problem.naming.name(x)) is not None]
            if others:
                return others[0]
    return None


def closing(
    problem: Problem,
    facts: Facts,
    final: Expression,
    rewritings: Sequence[Rewriting],
    writing: Writing,
    opened: bool,
) -> list[str]:
    """Why the result looks as it does.

    Args:
        problem: the question.
        facts: what is known of expressions.
        final: the result.
        rewritings: the steps of algebra that led to it.
        writing: how it is written.
        opened: whether the logarithms of the loss were opened first.
    """
    lang, write = writing.lang, writing.written
    sentences = [say(lang, "undone")] if opened else []
    for factor in _cancelled(rewritings):
        origin = _origins(problem, factor)
        if origin is not None:
            sentences.append(say(lang, "cancelled", factor=write(factor), maker=origin))
    left = list(_left_over(final))
    for factor in left:
        sentences.append(say(lang, "stalls", factor=write(factor)))
        ends = "stalls at both ends" if factor.kind == "softmax" else "stalls at 0 and 1"
        sentences.append(say(lang, ends, factor=write(factor)))
    variable = problem.reading.expressions[problem.wrt]
    difference = None if left else _difference(final, variable)
    if difference is not None:
        output, target = difference
        names = {"output": write(output), "target": write(target)}
        if max(map(len, names.values())) <= _LONGEST:
            sentences.append(say(lang, "pushes", **names))
        sums = output.kind == "softmax" and _adds_up(final, variable, frozenset(output.data))
        if sums and facts.sums_to_one(target, output.data):
            sentences.append(say(lang, "pushes sum to 0", **names))
    return sentences


def _cancelled(rewritings: Iterable[Rewriting]) -> Iterator[Expression]:
    """The factors that were cancelled."""
    found = dict.fromkeys(
        because.about[0]
        for step in rewritings
        if step.rule.name == _CANCEL
        for because in step.because
        if because.about
    )
    yield from found


def _origins(problem: Problem, factor: Expression) -> str | None:
    """What brought a factor above the line, where a logarithm brought it below."""
    known = problem.reading.expressions
    logarithms = [t for t in problem.forward if t.operation is not None and t.operation.name == log.__name__]
    if not any(known[x] is factor for t in logarithms for x in t.inputs if isinstance(x, Tensor)):
        return None
    if factor.kind == "softmax":
        return "softmax"
    return factor.data if factor.kind == "call" and factor.data in ("sigmoid", exp.__name__) else None


def _is_output(x: Expression) -> bool:
    """Whether `x` is a probability that a model gives."""
    return x.kind == "softmax" or (x.kind == "call" and x.data == "sigmoid")


def _left_over(final: Expression) -> Iterator[Expression]:
    """Outputs that stand as factors beside the error `output − target`."""
    factors = ex.factors_of(final)
    differences = [[term for _, term in ex.terms_of(x)] for x, _ in factors if x.kind == "combination"]
    for base, _ in factors:
        if _is_output(base) and any(base in terms and {base, ex.ONE} < {*terms, ex.ONE} for terms in differences):
            yield base


def _difference(final: Expression, variable: Expression) -> tuple[Expression, Expression] | None:
    """Output and target, where the result is their difference, times what does not depend on the variable."""
    varying = [x for x in _factors(final, variable) if variable in ex.inner_first(x)]
    if len(varying) != 1 or varying[0].kind != "combination":
        return None
    (error,) = varying
    outputs = [(c, x) for c, x in ex.terms_of(error) if variable in ex.inner_first(x)]
    if len(outputs) != 1 or outputs[0][0] not in (1, -1):
        return None
    (c, output) = outputs[0]
    target = ex.minus(output, ex.scaled(c, error))
    jumps = any(part.kind == "call" and part.data in ex.BOOLEAN for part in ex.inner_first(output))
    return None if target.kind == "number" or jumps else (output, target)


def _adds_up(final: Expression, variable: Expression, axes: frozenset[Axis]) -> bool:
    """Whether the result adds up along these axes as the error in it does: nothing else varies along them."""
    others = [x for x in _factors(final, variable) if variable not in ex.inner_first(x)]
    return axes <= final.axes and all(axes.isdisjoint(x.axes) for x in others)


def _factors(x: Expression, variable: Expression) -> Iterator[Expression]:
    """What a product multiplies, also inside of sums of products that contain the variable."""
    for base, _ in ex.factors_of(x):
        if base.kind in ("reduce", "rename") and variable in ex.inner_first(base):
            yield from _factors(base.children[0], variable)
        elif base.kind == "product":
            yield from _factors(base, variable)
        else:
            yield base
