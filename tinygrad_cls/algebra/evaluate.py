"""The value of an expression, on arrays or on Tensors.

It is written with NumPy's functions, which Tensors answer for: on arrays it proves a step of a derivation, on Tensors
it records a graph that can be drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..engine.functional import log_softmax, logsumexp, one_hot, softmax
from ..engine.operations import OPERATIONS, erf, exp, log
from ..engine.operations.activations import sigmoid, softplus
from ..engine.tensor import Tensor, apply
from . import expression as ex
from .expression import BOOLEAN, ONE, Axis, Expression, Layout, is_total, operands

_SMALL = 1 << 16  # below it multiplying out and adding up is faster than a matrix product


def evaluate(
    x: Expression,
    values: Mapping[Expression, Any],
    sizes: Mapping[Axis, int] | None = None,
    known: dict[Expression, Any] | None = None,
    *,
    products: bool = False,
    masks: bool = True,
) -> Any:
    """The value of `x`, its axes in sorted order.

    Args:
        x: the expression.
        values: the value of each leaf (and of any other expression that is to be taken as given), as an array or
            Tensor whose axes stand in sorted order.
        sizes: lengths of axes where they differ from those of the axes themselves.
        known: results by expression; kept and filled, so that equal parts of several expressions are computed once.
        products: compute every sum of products at once, as in a matrix product, not only large ones.
        masks: a product with truth values is 0 where they do not hold, even of nan; and `log Σ exp` is computed as a
            whole. A program does as it is told instead.

    Raises:
        KeyError: when a leaf has no value.
    """
    known = {} if known is None else known
    lengths = {} if sizes is None else sizes
    above = 0 if products else _SMALL
    waiting = [x]
    with np.errstate(all="ignore"):
        while waiting:  # inner first, but never into what is given or known
            part = waiting[-1]
            if part in known:
                waiting.pop()
            elif part in values:
                known[part] = values[part]
            elif missing := [operand for operand in _operands(part, above, masks) if operand not in known]:
                waiting.extend(missing)
            else:
                known[part] = _value(
                    part, [known[operand] for operand in _operands(part, above, masks)], lengths, above, masks
                )
    return known[x]


def _operands(x: Expression, above: int, masks: bool) -> tuple[Expression, ...]:
    """What is needed for the value of `x`: of a large matrix product its factors, not all their products."""
    if _is_contraction(x, above):
        return x.children[0].children
    logarithm = _known_logarithm(x, masks)
    return operands(x) if logarithm is None else logarithm.operands


class _Logarithm(NamedTuple):
    """A logarithm that is computed as one, exact also where what is inside is 0 or infinite as a float.

    Attributes:
        function: the composite that computes it.
        operands: of what.
        axes: along which axes; None for a function of each element alone.
    """

    function: Any
    operands: tuple[Expression, ...]
    axes: tuple[Axis, ...] | None = None


def _known_logarithm(x: Expression, sums: bool) -> _Logarithm | None:
    """`log softmax(x)` or, among sums, `log Σ exp(x)` and `log(1 + exp(x))`."""
    if x.kind != "call" or x.data != log.__name__:
        return None
    (inside,) = x.children
    if inside.kind == "softmax" and len(inside.data) == 1:
        return _Logarithm(log_softmax, inside.children, inside.data)
    if not sums:
        return None
    if is_total(inside) and _is_exponential(inside.children[0]):
        return _Logarithm(logsumexp, inside.children[0].children, inside.data[1])
    if inside.kind == "combination" and len(inside.children) == 2 and ONE in inside.children:
        other = next(part for part in inside.children if part is not ONE)
        if inside.data == (1, 1) and _is_exponential(other):
            return _Logarithm(softplus, other.children)
    return None


def _is_exponential(x: Expression) -> bool:
    return x.kind == "call" and bool(x.data == exp.__name__)


def _is_contraction(x: Expression, above: int) -> bool:
    """Whether `x` adds up more products than that, in an array larger than each of its factors."""
    return (
        is_total(x)
        and x.children[0].kind == "product"
        and len(x.children[0].children) > 1
        and math.prod(a.size for a in x.children[0].axes) > above
        and all(set(factor.axes) != set(x.children[0].axes) for factor in x.children[0].children)
    )


def by_position(value: Any, axes: Iterable[Axis], layout: Layout, sizes: Mapping[Axis, int] | None = None) -> Any:
    """A value with sorted axes as an array in this layout; axes that it does not vary along are repeated."""
    have = tuple(sorted(axes))
    lengths = sizes or {}
    shape = tuple(1 if a is None else lengths.get(a, a.size) for a in layout)
    if not have:
        return np.broadcast_to(value, shape)
    wanted = [a for a in layout if a is not None]
    aligned = _aligned(value, have, tuple(sorted(wanted)))
    order = [sorted(wanted).index(a) for a in wanted]
    if order != list(range(len(order))):
        aligned = np.permute_dims(aligned, order)
    positions = tuple(1 if a is None or a not in have else shape[i] for i, a in enumerate(layout))
    if np.shape(aligned) != positions:
        aligned = np.reshape(aligned, positions)
    return aligned if positions == shape else np.broadcast_to(aligned, shape)


def sorted_axes(array: Any, layout: Layout) -> Any:
    """An array in this layout as a value with sorted axes."""
    named = [(a, i) for i, a in enumerate(layout) if a is not None]
    if len(named) < len(layout):
        array = np.reshape(array, tuple(np.shape(array)[i] for _, i in named))
        named = [(a, i) for i, (a, _) in enumerate(named)]
    order = tuple(i for _, i in sorted(named))
    return array if order == tuple(range(len(order))) else np.permute_dims(array, order)


def _aligned(value: Any, have: Sequence[Axis], wanted: Sequence[Axis]) -> Any:
    """The value with an axis of length 1 wherever it lacks one."""
    if len(have) == len(wanted) or not have:
        return value
    lengths = iter(np.shape(value))
    return np.reshape(value, tuple(next(lengths) if a in have else 1 for a in wanted))


def _value(x: Expression, children: list[Any], sizes: Mapping[Axis, int], above: int, masks: bool) -> Any:
    axes = tuple(sorted(x.axes))
    match x.kind:
        case "number":
            return _plain(x.data)
        case "size":
            return sizes.get(x.data, x.data.size)
        case "combination":
            return _sum(x, [_aligned(v, sorted(c.axes), axes) for v, c in zip(children, x.children, strict=True)])
        case "product":
            aligned = [_aligned(v, sorted(c.axes), axes) for v, c in zip(children, x.children, strict=True)]
            return _product(x, aligned, masks)
        case "call":
            logarithm = _known_logarithm(x, masks)
            if logarithm is not None:
                return _log(logarithm, children[0])
            return _call(x, [_aligned(v, sorted(c.axes), axes) for v, c in zip(children, x.children, strict=True)])
        case "reduce":
            return _contraction(x, children) if _is_contraction(x, above) else _reduce(x, children[0])
        case "softmax":
            return _softmax(x, children[0])
        case "one_hot" if isinstance(children[0], Tensor):
            coded = one_hot(children[0], sizes.get(x.data, x.data.size))
            return sorted_axes(coded, (*sorted(x.children[0].axes), x.data))
        case "one_hot":
            labels = _aligned(children[0], sorted(x.children[0].axes), axes)
            places = np.arange(sizes.get(x.data, x.data.size))
            if not isinstance(labels, Tensor) and np.any((labels < 0) | (labels >= places.size)):
                raise ValueError(f"a label is not from 0 to {places.size - 1}: it has no one-hot row")
            return np.equal(labels, _aligned(places, (x.data,), axes))
        case "at":
            axis, index = x.data
            place = sorted(x.children[0].axes).index(axis)
            return children[0][(slice(None),) * place + (index,)]
        case "stack":
            place, rest = axes.index(x.data), tuple(a for a in axes if a != x.data)
            shape = tuple(sizes.get(a, a.size) for a in rest)
            floats = [v if isinstance(v, Tensor) else np.asarray(v, float) for v in children]
            parts = [_aligned(v, sorted(c.axes), rest) for v, c in zip(floats, x.children, strict=True)]
            return np.stack([np.broadcast_to(part, shape) for part in parts], axis=place)
        case "rename":
            old = sorted(x.children[0].axes)
            new = [dict(x.data).get(a, a) for a in old]
            order = [new.index(a) for a in axes]
            return np.permute_dims(children[0], order) if order != sorted(order) else children[0]
        case "let":
            return children[0]
        case "opaque":
            return _opaque(x, children, sizes)
    raise KeyError(x.data[0])


def _plain(value: Fraction | float) -> int | float:
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else float(value)


def _number_of(x: Any) -> Any:
    """Truth values as 0 and 1: NumPy would add them by "or"."""
    return x.astype(float) if getattr(x, "dtype", np.dtype(float)).kind == "b" else x


def _sum(x: Expression, values: list[Any]) -> Any:
    result: Any = None
    for c, value in sorted(zip(x.data, values, strict=True), key=lambda term: term[0] < 0):  # y′ − y, not −y + y′
        value = _number_of(value)
        part = value if abs(c) == 1 else value * _plain(abs(c))
        result = (-part if c < 0 else part) if result is None else result - part if c < 0 else result + part
    return result


def _product(x: Expression, values: list[Any], masks: bool) -> Any:
    coefficient, exponents = x.data
    result: Any = None
    below: list[Any] = []
    truths: list[Any] = []
    for base, value, p in zip(x.children, values, exponents, strict=True):
        if base.kind == "call" and base.data in BOOLEAN and p > 0:
            truths.append(value)
            continue
        value = _number_of(value)
        raised = _raised(value, abs(p))
        if p < 0:
            below.append(raised)
        else:
            result = raised if result is None else result * raised
    top = _plain(coefficient if not isinstance(coefficient, Fraction) or not below else Fraction(coefficient.numerator))
    if result is None:
        result = top
    elif top == -1:
        result = -result
    elif top != 1:
        result = result * top
    for value in below:
        result = result / value
    if isinstance(coefficient, Fraction) and below and coefficient.denominator != 1:
        result = result / coefficient.denominator
    for truth in truths:
        result = np.where(truth, result, 0) if masks else result * truth
    return result


def _raised(value: Any, p: Fraction) -> Any:
    if p == 1:
        return value
    if p == 2:
        return np.square(value)
    return np.sqrt(value) if p == Fraction(1, 2) else value ** _plain(p)


def _call(x: Expression, values: list[Any]) -> Any:
    if x.data == "sigmoid":
        return _composed(sigmoid, values[0])
    if x.data == ex.CUMULATIVE:
        return 0.5 * (1 + erf(values[0] * math.sqrt(0.5)))
    if x.data == ex.DENSITY:
        return np.exp(-0.5 * np.square(values[0])) / math.sqrt(2 * math.pi)
    operation = OPERATIONS[x.data]
    if any(isinstance(value, Tensor) for value in values):
        return apply(operation, values)
    return operation.forward(*values)


def _log(logarithm: _Logarithm, value: Any) -> Any:
    if logarithm.axes is None:
        return _composed(logarithm.function, value)
    have = sorted(logarithm.operands[0].axes)
    places = tuple(have.index(a) for a in logarithm.axes)
    return _composed(logarithm.function, value, axis=places[0] if len(places) == 1 else places)


def _composed(function: Any, value: Any, **options: Any) -> Any:
    """A composite on a Tensor or, without recording, on an array: of floats, since differences of integers wrap."""
    if getattr(value, "dtype", np.dtype(float)).kind != "f":
        value = value.astype(float)
    return function(value, **options) if isinstance(value, Tensor) else function(Tensor(value), **options).numpy()


def _softmax(x: Expression, value: Any) -> Any:
    axes = sorted(x.children[0].axes)
    places = tuple(axes.index(a) for a in x.data)
    inside = x.children[0]
    if inside.kind == "call" and inside.data == "below":  # its largest is subtracted already
        e = np.exp(value)
    elif len(places) == 1:
        return _composed(softmax, value, axis=places[0])
    else:
        e = np.exp(value - np.max(value, axis=places, keepdims=True))
    return e / np.sum(e, axis=places, keepdims=True)


def _reduce(x: Expression, value: Any) -> Any:
    name, over = x.data
    axes = sorted(x.children[0].axes)
    return getattr(np, name)(_number_of(value), axis=tuple(axes.index(a) for a in over))


def _contraction(x: Expression, values: list[Any]) -> Any:
    """A sum of products as matrix products."""
    (body,) = x.children
    letters = {a: chr(ord("a") + i) for i, a in enumerate(sorted(body.axes))}
    terms, operands = [], []
    for base, value, p in zip(body.children, values, body.data[1], strict=True):
        raised = _raised(_number_of(value), abs(p))
        terms.append("".join(letters[a] for a in sorted(base.axes)))
        operands.append(1 / raised if p < 0 else raised)
    result = "".join(letters[a] for a in sorted(x.axes))
    subscripts = ",".join(terms) + "->" + result
    if any(isinstance(operand, Tensor) for operand in operands):
        return np.einsum(subscripts, *operands)
    return np.einsum(subscripts, *operands, optimize=True)


def _opaque(x: Expression, children: list[Any], sizes: Mapping[Axis, int]) -> Any:
    name, parameters, layouts, shapes, layout = x.data
    operation = OPERATIONS[name]
    operands = []
    for value, child, place, shape in zip(children, x.children, layouts, shapes, strict=True):
        if place is None:
            operands.append(value)
            continue
        array = by_position(value if isinstance(value, Tensor) else np.asarray(value), child.axes, place, sizes)
        operands.append(array if array.shape == shape or sizes else np.broadcast_to(array, shape))
    result = (
        apply(operation, operands, parameters)
        if any(isinstance(value, Tensor) for value in operands)
        else operation.forward(*operands, **parameters)
    )
    return sorted_axes(result, layout)
