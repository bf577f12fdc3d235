"""What is asked, and why the result looks as it does: read off the structure of a derivation, not off a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ..algebra import expression as ex
from ..algebra.expression import Expression
from ..algebra.facts import Facts
from ..algebra.simplify import Rewriting
from ..engine.operations import exp, log, matmul, multiply
from ..engine.operations import sum as total
from ..engine.tensor import Tensor
from .problem import Problem
from .sentences import say
from .writing import Writing

_CANCEL = "cancel"
_UNDOING = ("the logarithm of softmax", "the logarithm of the sigmoid", "log undoes exp")
_GATHERING, _PRODUCTS = (total.__name__,), (multiply.__name__, matmul.__name__)
_LONGEST = 20  # what is longer is no output that one can speak of


def opening(problem: Problem, output: str, wrt: str, way: str, lang: str) -> list[str]:
    """What is asked, and by which way it is answered."""
    told = [say(lang, "asked", output=output, wrt=wrt)]
    direction = _direction(problem)
    if direction is not None:
        told.append(say(lang, "asked of a gradient", output=output, wrt=wrt, v=direction))
    return [*told, say(lang, f"way {way}")]


def _direction(problem: Problem) -> str | None:
    """The name of v, where the loss is `Σ g v` with a gradient g by the same tensor."""
    product = problem.links[0].node
    while product.operation is not None and product.operation.name in _GATHERING:
        (product,) = (x for x in product.inputs if isinstance(x, Tensor))
    if product.operation is None or product.operation.name not in _PRODUCTS:
        return None
    factors = [x for x in product.inputs if isinstance(x, Tensor) and x.shape == problem.wrt.shape]
    gradients = {x for x in factors if x.scope is not None and x.scope.name.startswith("∂")}
    others = [x for x in factors if x not in gradients | problem.dependent]
    return problem.naming.name(others[0]) if len(gradients) == len(others) == 1 else None


def undone(rewritings: Iterable[Rewriting], lang: str) -> list[str]:
    """What made a rewritten loss simple: a logarithm that undoes an exponential."""
    return [say(lang, "undone")] if any(step.rule.name in _UNDOING for step in rewritings) else []


def closing(
    problem: Problem, facts: Facts, final: Expression, rewritings: Sequence[Rewriting], writing: Writing
) -> list[str]:
    """Why the result looks as it does.

    Args:
        problem: the question.
        facts: what is known of expressions.
        final: the result.
        rewritings: the steps of algebra that led to it.
        writing: how it is written.
    """
    lang, write = writing.lang, writing.written
    sentences = []
    left = list(_left_over(final))
    error = None if left else _error(final, problem.reading.expressions[problem.wrt])
    if error is not None and max(len(write(x)) for x in (error.output, error.target)) > _LONGEST:
        error = None
    for factor in _cancelled(rewritings):
        origin = _origins(problem, factor)
        if origin is not None:
            reason = say(lang, "cancelled", factor=write(factor), maker=origin)
            sentences.append(say(lang, "cancels" if error is None else "simple", reason=reason))
    for factor, end in left:
        sentences.append(say(lang, "stalls", factor=write(factor)))
        sentences += [] if end is None else [say(lang, end, factor=write(factor))]
    arriving = None if left or error is not None else _arriving(final)
    if arriving is not None:
        letter, output, target, slopes = arriving
        short = [text for text in map(write, slopes) if len(text) <= 2 * _LONGEST]
        sentences.append(say(lang, "arrives", letter=write(letter), output=write(output), target=write(target)))
        sentences += [say(lang, "shut", slope=slope) for slope in short]
    weighed = _weighed(final) if not left and error is None and arriving is None else None
    if weighed is not None:
        weight = write(weighed[1])
        key = "weighed" if len(weight) <= 3 * _LONGEST else "weighed by the rest"
        sentences.append(say(lang, key, error=write(weighed[0]), weight=weight))
    if error is not None:
        output, target, others, whole = error
        names = {"output": write(output), "target": write(target)}
        pushes = whole and facts.on_data(ex.product(*others), lambda value: bool(np.all(value > 0)))
        sentences.append(say(lang, "pushes" if pushes else "handed back", **names, wrt=writing.name_of(problem.wrt)))
        if output.kind == "softmax" and facts.sums_to_one(target, output.data):
            by_class = any(x.axes.intersection(output.data) for x in others)  # classes that do not count alike
            if not by_class and final.axes.issuperset(output.data):
                sentences.append(say(lang, "errors sum to 0", **names))
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


def _left_over(final: Expression) -> Iterator[tuple[Expression, str | None]]:
    """Outputs that stand as factors beside the error `output − target`, each with what is said of its other end."""
    factors = [x for x, power in ex.factors_of(final) if power == 1]
    differences = [[term for _, term in ex.terms_of(x)] for x in factors if x.kind == "combination"]
    for output in filter(_is_output, factors):
        if any(output in terms and set(terms) != {output, ex.ONE} for terms in differences):
            if any(x is ex.minus(ex.ONE, output) for x in factors):
                yield output, "stalls at 0 and 1"
            else:
                yield output, "stalls at both ends" if any(map(_is_centred, factors)) else None


def _is_centred(x: Expression) -> bool:
    """Whether `x` is `u − Σ y′ ⊙ u`, which is 0 where the one y′ that is not is 1."""
    for c, mean in ex.terms_of(x) if x.kind == "combination" else ():
        for weights, _ in ex.factors_of(mean.children[0]) if c == -1 and ex.is_total(mean) else ():
            rest = ex.plus(x, mean)
            if weights.kind == "softmax" and mean is ex.total(weights.data, ex.product(weights, rest)):
                return True
    return False


class _Error(NamedTuple):
    """What the result passes on: `output − target`.

    Attributes:
        output: what depends on the variable.
        target: what it should be.
        others: what it is multiplied by.
        whole: whether it is not added up with others: whether it is a factor of the result itself.
    """

    output: Expression
    target: Expression
    others: list[Expression]
    whole: bool


def _error(final: Expression, variable: Expression) -> _Error | None:
    """Output and target, where the result is their difference, times what does not depend on the variable."""
    factors = list(_factors(final, variable))
    varying = [(x, power) for x, power in factors if variable in ex.inner_first(x)]
    if len(varying) != 1 or varying[0][0].kind != "combination" or varying[0][1] != 1:
        return None
    error = varying[0][0]
    outputs = [(c, x) for c, x in ex.terms_of(error) if variable in ex.inner_first(x)]
    if len(outputs) != 1 or outputs[0][0] not in (1, -1):
        return None
    (c, output) = outputs[0]
    target = ex.minus(output, ex.scaled(c, error))
    others = [ex.number(c), *(ex.power(x, power) for x, power in factors if x is not error)]
    jumps = any(part.kind == "call" and part.data in ex.BOOLEAN for part in ex.inner_first(output))
    if jumps or target.kind == "number" or any(c < 0 for c, _ in ex.terms_of(target)):
        return None
    if ex.coefficient_of(ex.product(*others)) < 0:
        return None  # the loss does not bring the output to the target
    return _Error(output, target, others, any(x is error for x, _ in ex.factors_of(final)))


class _Arriving(NamedTuple):
    """An error `output − target` that a hidden layer receives.

    Attributes:
        letter: stands for what the layer receives.
        output: what the loss compares.
        target: what it should be.
        slopes: what the error is multiplied by at the layer itself.
    """

    letter: Expression
    output: Expression
    target: Expression
    slopes: list[Expression]


def _arriving(final: Expression) -> _Arriving | None:
    """The one error from which comes what the one letter of the result stands for."""
    letters = [x for x in ex.inner_first(final) if x.kind == "let"]
    errors = {error for letter in letters for error in _errors(letter.data)}
    if len(letters) != 1 or len(errors) != 1:
        return None
    (error,) = errors
    (output,) = (x for _, x in ex.terms_of(error) if _is_output(x))
    factors = [x for x, power in ex.factors_of(letters[0].data) if power == 1 and x.axes]
    slopes = [x for x in factors if error not in _errors(x)]
    return _Arriving(letters[0], output, ex.minus(output, error), slopes)


def _weighed(final: Expression) -> tuple[Expression, Expression] | None:
    """An error that stands as a factor of the result, and what else depends on an output there."""
    factors = [x for x, power in ex.factors_of(final) if power == 1]
    errors = [x for x in factors if x in _errors(x)]
    others = [x for x in factors if x not in errors and any(map(_is_output, ex.inner_first(x)))]
    return (errors[0], ex.product(*others)) if len(errors) == 1 and others else None


def _errors(x: Expression) -> list[Expression]:
    """The differences of an output and something else in an expression, and in what letters in it stand for."""
    found, waiting, met = list[Expression](), [x], set[Expression]()
    for inner in waiting:
        for part in ex.inner_first(inner):
            if part.kind == "let" and part not in met:
                met.add(part)
                waiting.append(part.data)
            elif part.kind == "combination" and [c for c, term in ex.terms_of(part) if _is_output(term)] == [1]:
                found.append(part)
    return found


def _factors(x: Expression, variable: Expression) -> Iterator[tuple[Expression, Fraction]]:
    """What a product multiplies, with its powers; also inside of sums of products that contain the variable."""
    if ex.coefficient_of(x) != 1:
        yield ex.number(ex.coefficient_of(x)), Fraction(1)
    for base, power in ex.factors_of(x):
        if base.kind in ("reduce", "rename") and power == 1 and variable in ex.inner_first(base):
            yield from _factors(base.children[0], variable)
        elif base.kind == "product" and power == 1:
            yield from _factors(base, variable)
        else:
            yield base, power
