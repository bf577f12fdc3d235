"""From recorded Tensors to expressions.

First the axes: wherever an operation makes two axes meet, they are one and get one name (union–find). Then each Tensor
becomes an expression over the expressions of its inputs. What only moves or repeats elements disappears on the
way; what the algebra does not know stays as an opaque operation, which is still evaluated correctly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..engine.operation import OPERATIONS
from ..engine.operations import elementwise
from ..engine.tensor import Tensor
from . import expression as ex
from .expression import Axis, Expression, Layout

ELEMENTWISE = OPERATIONS.keys() & vars(elementwise).keys()
Slot: TypeAlias = tuple[int, int]
"""An axis: the number of a Tensor, and the position. Positions from its number of axes on are those that its operation
sums away."""


class Reading:
    """Expressions of a set of Tensors, over common axes.

    Args:
        tensors: all Tensors to read, each after its inputs.
        atoms: Tensors to take as letters although they were computed.
        same: pairs of Tensors of one shape whose axes are the same, although no operation says so.
        name: gives the name of a leaf that has one.
        letter: gives a letter for a leaf that has none.
        recognise: may give a shorter form of what the expression of a Tensor is at first.
        letters: name the axes as people do; else by the order in which they are met, so that sorted axes are in the
            order of their positions for most Tensors, and values need no transposing.
        on_data: use what holds of the recorded values, such as that a constant is `1 − y` of another.
    """

    def __init__(
        self,
        tensors: Iterable[Tensor],
        *,
        atoms: Iterable[Tensor] = (),
        same: Iterable[tuple[Tensor, Tensor]] = (),
        name: Callable[[Tensor], str | None],
        letter: Callable[[Tensor], str],
        recognise: Callable[[Tensor, Expression], Expression] = lambda t, x: x,
        letters: bool = True,
        on_data: bool = True,
        inputs_of: Callable[[Tensor], tuple[Any, ...]] = lambda t: t.inputs,
    ) -> None:
        self._inputs_of = inputs_of
        self.tensors = list(tensors)
        self.atoms = set(atoms)
        self.expressions: dict[Tensor, Expression] = {}
        self.values: dict[Expression, Any] = {}
        self.leaves: dict[Expression, Tensor] = {}
        self.found: list[tuple[Tensor, Tensor]] = []
        """Constants that were found to be `1 − y` of others."""
        self._constants: dict[Any, Expression] = {}
        self._name = name
        self._letter = letter
        self._recognise = recognise
        self._on_data = on_data
        self._leader: dict[Slot, Slot] = {}
        self._owners: dict[Slot, set[int]] = {}
        self._numbers: dict[Tensor, int] = {}
        self._numbered: list[Tensor] = []
        for x, y in same:
            for i in range(x.ndim):
                self._join(self._slot(x, i), self._slot(y, i))
        self._meet_equal_constants()
        for t in self.tensors:
            self._meet(t)
        self._axes = self._named_axes() if letters else self._counted_axes()

    # --- axes -------------------------------------------------------------------------------------------------

    def _slot(self, t: Tensor, position: int) -> Slot:
        if t not in self._numbers:
            self._numbers[t] = len(self._numbered)
            self._numbered.append(t)
        return self._numbers[t], position

    def _find(self, slot: Slot) -> Slot:
        leader = self._leader.setdefault(slot, slot)
        while leader != self._leader[leader]:
            leader = self._leader[leader] = self._leader[self._leader[leader]]
        self._leader[slot] = leader
        return leader

    def _join(self, a: Slot, b: Slot) -> None:
        """Two axes meet: from now on they are one. Refused when that would make two axes of one Tensor the same."""
        if self._length(a) == 1 or self._length(b) == 1:
            return
        a, b = self._find(a), self._find(b)
        if a == b:
            return
        owners_a, owners_b = self._owners.setdefault(a, {a[0]}), self._owners.setdefault(b, {b[0]})
        if not owners_a.isdisjoint(owners_b):
            return
        if len(owners_a) < len(owners_b):
            a, b, owners_a, owners_b = b, a, owners_b, owners_a
        self._leader[b] = a
        owners_a |= owners_b

    def _length(self, slot: Slot) -> int:
        t, i = self._numbered[slot[0]], slot[1]
        return t.shape[i] if i < t.ndim else 2  # an inner axis is only asked for where it is longer than 1

    def _meet(self, t: Tensor) -> None:
        """Join the axes that the operation of `t` makes meet."""
        if t.operation is None or t in self.atoms:
            return
        for operand, pairs in self._pairs(t):
            for own, i in pairs:
                self._join(self._slot(operand, own), self._slot(t, i))

    def _meet_equal_constants(self) -> None:
        """Unnamed integers of equal content are one: labels given twice, the class numbers of two one-hot codings."""
        first: dict[Any, Tensor] = {}
        for t in self.tensors:
            if t.operation is None and t.dtype.kind in "iu" and t.ndim and self._name(t) is None:
                other = first.setdefault((t.shape, t.dtype.str, t.numpy().tobytes()), t)
                for i in range(t.ndim):
                    self._join(self._slot(t, i), self._slot(other, i))

    def _pairs(self, t: Tensor) -> list[tuple[Tensor, list[tuple[int, int]]]]:
        """For each operand of `t` that is a Tensor: which of its axes meets which axis of `t`."""
        assert t.operation is not None
        name = t.operation.name
        operands = [x for x in self._inputs_of(t) if isinstance(x, Tensor)]
        if name in ELEMENTWISE or name in ("broadcast_to", "spread_mean"):
            return [(x, [(i, t.ndim - x.ndim + i) for i in range(x.ndim)]) for x in operands]
        if name in ("sum", "mean", "max", "min"):
            x = operands[0]
            folded = folded_axes(t.parameters["axis"], x.ndim)
            if t.parameters["keepdims"]:
                return [(x, [(i, i) for i in range(x.ndim) if i not in folded])]
            return [(x, [(i, j) for j, i in enumerate(i for i in range(x.ndim) if i not in folded)])]
        if name == "permute_dims":
            return [(operands[0], [(own, i) for i, own in enumerate(t.parameters["axes"])])]
        if name == "reshape":
            return [(operands[0], unit_moves(operands[0].shape, t.shape) or [])]
        if name == "matmul":
            return matmul_pairs(t, *operands)
        if name == "einsum":
            return einsum_pairs(t, operands)
        if name == "getitem":
            picked = plain_index(t, operands)
            return [(operands[0], picked[0])] if picked else []
        if name == "concat" and stacked_axis(t, operands) is not None:
            axis = stacked_axis(t, operands)
            return [(x, [(i, i) for i in range(x.ndim) if i != axis]) for x in operands]
        return []

    def _counted_axes(self) -> dict[Slot, Axis]:
        axes: dict[Slot, Axis] = {}
        for t in self.tensors:
            for i, n in enumerate(t.shape):
                if n != 1:
                    axes.setdefault(self._find(self._slot(t, i)), Axis(f"a{len(axes):06d}", n))
        return axes

    def _named_axes(self) -> dict[Slot, Axis]:
        """A letter for each axis: k for classes, n for samples, then others in the order of the record."""
        order: dict[Slot, int] = {}
        wishes: dict[Slot, str] = {}
        for t in self.tensors:
            operation = t.operation.name if t.operation is not None else ""
            for i in range(t.ndim):
                if t.shape[i] != 1:
                    order.setdefault(self._find(self._slot(t, i)), t.shape[i])
            if operation in ("sum", "max") and t.scope is not None and "softmax" in t.scope.name:
                x = self._inputs_of(t)[0]
                assert isinstance(x, Tensor)
                for i in folded_axes(t.parameters["axis"], x.ndim):
                    wishes.setdefault(self._find(self._slot(x, i)), "k")
            if operation == "mean":
                x = self._inputs_of(t)[0]
                assert isinstance(x, Tensor)
                folded = sorted(folded_axes(t.parameters["axis"], x.ndim))
                if folded and folded[0] == 0:
                    wishes.setdefault(self._find(self._slot(x, 0)), "n")
            if operation == "matmul" and t.ndim == 2:
                wishes.setdefault(self._find(self._slot(t, 0)), "n")
        for t in self.tensors:  # the first of two axes counts the samples, where nothing else is known
            if t.ndim >= 2 and t.operation is None and self._find(self._slot(t, t.ndim - 1)) in wishes:
                wishes.setdefault(self._find(self._slot(t, 0)), "n")
        names: dict[Slot, Axis] = {}
        taken: set[str] = set()
        for slot, wish in wishes.items():
            if slot in order and wish not in taken:
                names[slot] = Axis(wish, order[slot])
                taken.add(wish)
        if len(order) == 1 and not names:
            taken.discard("n")
        letters = ["n", "k", *"mhpltsijqruv"] if len(order) > 1 else ["n"]
        spare = iter([x for x in letters if x not in taken] + [f"n{i}" for i in range(2, len(order) + 3)])
        for slot, length in order.items():
            if slot not in names:
                names[slot] = Axis(next(spare), length)
        return names

    def layout(self, t: Tensor) -> Layout:
        """The axes of a Tensor in the order of its positions."""
        return tuple(self._axis(self._slot(t, i)) for i in range(t.ndim))

    def _axis(self, slot: Slot, length: int = 0) -> Axis | None:
        if self._length(slot) == 1:
            return None
        known = self._axes.get(self._find(slot))
        return known or self._new_axis(slot, length)

    def _new_axis(self, slot: Slot, length: int) -> Axis:
        names = {a.name for a in self._axes.values()}
        name = next(f"n{i}" for i in range(2, len(names) + 3) if f"n{i}" not in names)
        axis = self._axes[self._find(slot)] = Axis(name, length)
        return axis

    # --- expressions ------------------------------------------------------------------------------------------

    def read(self, t: Tensor, given: Mapping[Tensor, Expression] | None = None) -> Expression:
        """The expression of `t`; `given` holds those that are decided elsewhere."""
        waiting = [t]
        while waiting:
            part = waiting[-1]
            if part in self.expressions:
                waiting.pop()
            elif given is not None and part in given:
                self.expressions[part] = given[part]
            elif part.operation is None or part in self.atoms:
                self.expressions[part] = self._leaf(part)
            elif missing := [x for x in self._inputs_of(part) if isinstance(x, Tensor) and x not in self.expressions]:
                waiting.extend(reversed(missing))
            else:
                self.expressions[part] = self._recognise(part, self._operation(part))
        return self.expressions[t]

    def _leaf(self, t: Tensor) -> Expression:
        name = self._name(t)
        array = t.numpy()
        if name is None and not t.requires_grad:
            if t.ndim == 0 and t.dtype.kind == "f":
                return ex.number(t.item())
            # Unnamed constants of equal content are one letter: labels given twice, for instance.
            content = (self.layout(t), t.dtype.str, array.tobytes())
            if content in self._constants:
                return self._constants[content]
            complement = self._complement(t) if self._on_data else None
            if complement is not None:
                return complement
            if t.dtype.kind == "f" and t.size and not array.any():
                return ex.ZERO
        result = ex.leaf(name or self._letter(t), self.layout(t), facts=("given",) if name or t.requires_grad else ())
        if name is None and not t.requires_grad:
            self._constants[content] = result
        self.leaves[result] = t
        self.values[result] = sorted_array(array, self.layout(t))
        return result

    def _complement(self, t: Tensor) -> Expression | None:
        """`1 − y`, where an unnamed constant holds exactly that for another constant y.

        Arithmetic on constants is not recorded, so a user's `1 - y` arrives as numbers.
        """
        for y in self.tensors:
            if y is t or y.operation is not None or y.requires_grad or y.dtype != t.dtype or y.ndim == 0:
                continue
            if self.layout(y) == self.layout(t) and np.array_equal(t.numpy(), 1 - y.numpy()):
                if self._name(y) is None and y not in self.expressions:
                    continue
                self.found.append((t, y))
                return ex.minus(ex.ONE, self.expressions.setdefault(y, self._leaf(y)))
        return None

    def _operand(self, t: Tensor, position: int) -> Expression:
        """An operand with the names that its axes have in the result."""
        x = self._inputs_of(t)[position]
        if not isinstance(x, Tensor):
            return ex.number(x)
        operands = [i for i, other in enumerate(self._inputs_of(t)) if isinstance(other, Tensor)]
        pairs = self._pairs(t)[operands.index(position)][1]
        names: dict[Axis, Axis] = {}
        for own, i in pairs:
            have = self._axis(self._slot(x, own))
            wanted = None if have is None else self._axis(self._slot(t, i), have.size)
            if have is not None and wanted is not None:
                names[have] = wanted
        return ex.rename(self.expressions[x], names)

    def _operation(self, t: Tensor) -> Expression:
        assert t.operation is not None
        name = t.operation.name
        operands = [x for x in self._inputs_of(t) if isinstance(x, Tensor)]
        if name in ELEMENTWISE:
            return self._elementwise(t, [self._operand(t, i) for i in range(len(self._inputs_of(t)))])
        if name in ("broadcast_to", "permute_dims"):
            return self._operand(t, 0)
        if name == "spread_mean":
            return self._averaged(self._operand(t, 0), t.parameters["axis"], t)
        if name in ("sum", "mean", "max", "min"):
            return self._reduction(t, operands[0])
        if name == "reshape" and unit_moves(operands[0].shape, t.shape) is not None:
            return self._operand(t, 0)
        if name in ("matmul", "einsum"):
            return self._contraction(t, operands)
        if name == "getitem":
            picked = plain_index(t, operands)
            if picked is not None:
                return self._picked(t, operands[0], picked[1])
        if name == "concat":
            axis = stacked_axis(t, operands)
            along = None if axis is None else self._axis(self._slot(t, axis))
            if along is not None:
                return ex.stack([self._operand(t, i) for i in range(len(operands))], along)
        return self._opaque(t)

    def definition(self, t: Tensor, letters: Mapping[Tensor, Expression]) -> Expression:
        """What the operation of `t` computes, over letters for its inputs."""
        inputs = [x for x in self._inputs_of(t) if isinstance(x, Tensor)]
        kept = {x: self.expressions[x] for x in inputs}
        self.expressions.update((x, letters[x]) for x in inputs if x in letters)
        result = self._operation(t)
        self.expressions.update(kept)
        return result

    def aligned(self, x: Expression, have: Tensor, wanted: Tensor) -> Expression:
        """`x`, which has the axes of one Tensor, with those of another of the same shape."""
        pairs = zip(self.layout(have), self.layout(wanted), strict=True)
        return ex.rename(x, {a: b for a, b in pairs if a is not None and b is not None})

    def _elementwise(self, t: Tensor, xs: list[Expression]) -> Expression:
        assert t.operation is not None
        name = t.operation.name
        if name in ("stop_gradient", "identity"):
            return xs[0]
        if name == "astype":
            source = self._inputs_of(t)[0]
            truncates = isinstance(source, Tensor) and source.dtype.kind == "f" and t.dtype.kind != "f"
            return self._opaque(t) if truncates else xs[0]
        if name == "equal":
            coded = self._one_hot(t, xs)
            if coded is not None:
                return coded
        if t.dtype.kind != "f":
            return ex.call(name, *xs) if t.dtype.kind == "b" else self._opaque(t)
        if name == "select" and not self._on_data and not _is_finite_number(xs[1]):
            return ex.call(name, *xs)  # for all data a product only of what is finite
        if name == "below" and not self._on_data and xs[1].kind == "leaf":
            return ex.call(name, *xs)  # for all data no difference: m may be infinite
        algebra = _ALGEBRA.get(name)
        result = algebra(*xs) if algebra is not None else None
        return ex.call(name, *xs) if result is None else result

    def _one_hot(self, t: Tensor, xs: list[Expression]) -> Expression | None:
        """`labels = 0 1 2 … K−1` along an axis that the labels do not have: one-hot rows."""
        labels, classes = self._inputs_of(t)
        if not (isinstance(labels, Tensor) and isinstance(classes, Tensor)) or labels.dtype.kind not in "iu":
            return None
        axis = self._axis(self._slot(classes, 0)) if classes.ndim == 1 else None
        if axis is None or axis in xs[0].axes or not np.array_equal(classes.numpy(), np.arange(classes.size)):
            return None
        if labels.size and (labels.numpy().min() < 0 or labels.numpy().max() >= classes.size):
            return None
        return ex.one_hot(xs[0], axis)

    def _reduction(self, t: Tensor, x: Tensor) -> Expression:
        assert t.operation is not None
        own = self.layout(x)
        folded = [a for i in sorted(folded_axes(t.parameters["axis"], x.ndim)) if (a := own[i]) is not None]
        body, name = self.expressions[x], t.operation.name
        if name in ("max", "min"):
            result = ex.reduce(name, body.axes.intersection(folded), body)
        elif t.dtype.kind != "f":
            return self._opaque(t)
        else:
            result = ex.total(folded, body)
            if name == "mean":
                result = ex.multiply([(result, Fraction(1)), *((ex.size(a), Fraction(-1)) for a in folded)])
        names = {}
        for position, i in self._pairs(t)[0][1]:
            have, wanted = own[position], self._axis(self._slot(t, i))
            if have is not None and wanted is not None:
                names[have] = wanted
        return ex.rename(result, names)

    def _averaged(self, g: Expression, axis: Any, t: Tensor) -> Expression:
        """The derivative of a mean: `g / N` for each element."""
        folded = [a for i in folded_axes(axis, t.ndim) if (a := self.layout(t)[i]) is not None]
        return ex.multiply([(g, Fraction(1)), *((ex.size(a), Fraction(-1)) for a in folded)])

    def _contraction(self, t: Tensor, operands: list[Tensor]) -> Expression:
        axes = set()
        for x, pairs in self._pairs(t):
            axes |= {
                self._axis(self._slot(t, i), x.shape[own]) for own, i in pairs if i >= t.ndim and x.shape[own] != 1
            }
        return ex.total(
            (a for a in axes if a), ex.product(*(self._operand(t, i) for i in range(len(self._inputs_of(t)))))
        )

    def _picked(self, t: Tensor, x: Tensor, places: list[tuple[int, int]]) -> Expression:
        result = self._operand(t, 0)
        for own, index in places:
            axis = self._axis(self._slot(x, own))
            if axis is not None:
                result = ex.at(result, axis, index)
        return result

    def _opaque(self, t: Tensor) -> Expression:
        assert t.operation is not None
        children: list[Expression] = []
        layouts: list[Layout | None] = []
        shapes: list[tuple[int, ...]] = []
        for x in self._inputs_of(t):
            if isinstance(x, Tensor):
                children.append(self.expressions[x])
                layouts.append(self.layout(x))
                shapes.append(x.shape)
            else:
                children.append(ex.number(x))
                layouts.append(None)
                shapes.append(())
        return ex.opaque(t.operation.name, t.parameters, children, layouts, shapes, self.layout(t))


# --- operations in the words of the algebra -------------------------------------------------------------------


def _raised(x: Expression, p: Expression) -> Expression | None:
    return ex.power(x, p.data) if p.kind == "number" else None


def _is_finite_number(x: Expression) -> bool:
    from .evaluate import evaluate

    try:
        return bool(np.isfinite(evaluate(x, {})).all())
    except KeyError:  # a letter
        return False


_ALGEBRA: dict[str, Callable[..., Expression | None]] = {
    "add": ex.plus,
    "subtract": ex.minus,
    "below": ex.minus,
    "multiply": ex.product,
    "select": ex.product,
    "divide": ex.divided,
    "negative": ex.negated,
    "power": _raised,
    "square": lambda x: ex.power(x, Fraction(2)),
    "sqrt": lambda x: ex.power(x, Fraction(1, 2)),
    "expm1": lambda x: ex.minus(ex.call("exp", x), ex.ONE),
    "log1p": lambda x: ex.call("log", ex.plus(ex.ONE, x)),
}


# --- which axis meets which -----------------------------------------------------------------------------------


def folded_axes(axis: Any, ndim: int) -> set[int]:
    """The axes that a reduction folds, as positions from 0."""
    if axis is None or ndim == 0:  # NumPy lets a single number be folded along an axis that it does not have
        return set(range(ndim))
    return set(normalize_axis_tuple(axis, ndim))


def unit_moves(old: tuple[int, ...], new: tuple[int, ...]) -> list[tuple[int, int]] | None:
    """Which axis is which, when a reshape only adds or drops axes of length 1."""
    kept_old = [i for i, n in enumerate(old) if n != 1]
    kept_new = [i for i, n in enumerate(new) if n != 1]
    if [old[i] for i in kept_old] != [new[i] for i in kept_new]:
        return None
    return list(zip(kept_old, kept_new, strict=True))


def matmul_pairs(t: Tensor, a: Tensor, b: Tensor) -> list[tuple[Tensor, list[tuple[int, int]]]]:
    """In a matrix product the last axis of `a` meets the last but one of `b`: an inner axis of the result."""
    inner = t.ndim
    rows = t.ndim - (b.ndim > 1) - 1  # where the rows of `a` stand in the result
    left = [(a.ndim - 1, inner)]
    if a.ndim > 1:
        left += [(a.ndim - 2 - j, rows - j) for j in range(a.ndim - 1)]
    right = [(max(b.ndim - 2, 0), inner)]
    if b.ndim > 1:
        right.append((b.ndim - 1, t.ndim - 1))
        first = t.ndim - 2 - (a.ndim > 1)
        right += [(b.ndim - 3 - j, first - j) for j in range(b.ndim - 2)]
    return [(a, left), (b, right)]


def einsum_pairs(t: Tensor, operands: list[Tensor]) -> list[tuple[Tensor, list[tuple[int, int]]]]:
    """Equal letters meet; the letters that the result lacks are inner axes."""
    inputs, output = t.parameters["subscripts"].split("->")
    letters = output + "".join(sorted(set(inputs) - {",", *output}))
    return [
        (x, [(i, letters.index(letter)) for i, letter in enumerate(term)])
        for x, term in zip(operands, inputs.split(","), strict=True)
    ]


def plain_index(t: Tensor, operands: list[Tensor]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]] | None:
    """For an index of whole slices, None, `...` and single places: which axis is which, and the places picked."""
    if len(operands) > 1:
        return None
    x, index = operands[0], t.parameters["index"]
    used = sum(part is not None and part is not Ellipsis for part in index)
    if not any(part is Ellipsis for part in index):
        index = (*index, Ellipsis)
    pairs: list[tuple[int, int]] = []
    places: list[tuple[int, int]] = []
    own = new = 0
    for part in index:
        if part is None:
            new += 1
        elif part is Ellipsis:
            for _ in range(x.ndim - used):
                pairs.append((own, new))
                own, new = own + 1, new + 1
        elif isinstance(part, int):
            places.append((own, part % x.shape[own]))
            own += 1
        elif isinstance(part, slice):
            chosen = range(*part.indices(x.shape[own]))
            if chosen == range(x.shape[own]):
                pairs.append((own, new))
            elif len(chosen) == 1:
                places.append((own, chosen[0]))
            else:
                return None
            own, new = own + 1, new + 1
        else:
            return None
    return pairs, places


def stacked_axis(t: Tensor, operands: list[Tensor]) -> int | None:
    """The axis along which single slices stand side by side, when all parts are of length 1 there."""
    axis: int = t.parameters["axis"] % t.ndim
    return axis if all(x.shape[axis] == 1 for x in operands) and len(operands) > 1 else None


def sorted_array(array: Any, layout: Layout) -> Any:
    """An array with its axes in sorted order, without those of length 1."""
    from .evaluate import sorted_axes

    return sorted_axes(array, layout)
