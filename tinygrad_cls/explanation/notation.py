"""How an expression is written: as a tree of boxes, with names for what has one."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from fractions import Fraction

from ..algebra import expression as ex
from ..algebra.expression import Axis, Expression, Layout, Value
from ..engine.operation import OPERATIONS
from .boxes import ATOM, POWER, PREFIX, PRODUCT, SUM, Box, above_and_below, group, inside, number_text, row, text
from .called import Called
from .matrices import Name, Rows, matrix_sides, outer_sides, vector_of
from .opaque import opaque

_SORTED_BY_NAME = 60  # what costs more is put in an order that does not depend on the names in it
NOTHING: Mapping[Expression, frozenset[Expression]] = {}


class Notation:
    """Writes expressions, with names for those that have one.

    Args:
        names: what expressions are called.
    """

    called: Called

    names: dict[Expression, Name]
    sums: list[Expression]
    products: list[Expression]

    def __init__(self, names: Mapping[Expression, Name]) -> None:
        self.names = dict(names)
        self.called = Called(self.names)

    def written(
        self,
        x: Expression,
        changed: Mapping[Expression, frozenset[Expression]] = NOTHING,
        order: Layout = (),
        unfold: bool = False,
        kept: Container[Expression] = frozenset(),
    ) -> tuple[Box, list[Expression]]:
        """The boxes of `x`, and the named expressions that they mention.

        Args:
            x: the expression.
            changed: the terms or factors to mark, by the sum or product that they belong to; an expression that is
                marked as a whole belongs to itself.
            order: how the axes of the result shall stand: for a matrix, rows then columns.
            unfold: write what `x` is, even if it has a name.
            kept: expressions in which nothing is to be marked, because they were there before.
        """
        axes = tuple(a for a in order if a is not None)
        order = axes if len(axes) == 2 else ()
        writer = _Writer(self, changed, kept, x if unfold else None)
        box = writer.box(x, order)
        if changed and all(part.kind != "changed" for part in inside(box)):
            # Written in another form, the sum or product itself is not met: mark its parts wherever they are.
            anything = frozenset().union(*changed.values())
            # A product may have become part of a longer one: then those of its factors that are new are met.
            bases = (base for part in anything if part.kind == "product" for base, _ in ex.factors_of(part))
            anything = anything.union(base for base in bases if base not in kept)
            writer = _Writer(self, dict.fromkeys(ex.inner_first(x), anything), kept, x if unfold else None)
            box = writer.box(x, order)
        return box, writer.used


class _Writer:
    def __init__(
        self,
        notation: Notation,
        places: Mapping[Expression, frozenset[Expression]],
        kept: Container[Expression],
        unfolded: Expression | None,
    ) -> None:
        self._notation = notation
        self._names = notation.names
        self._places = places
        self._kept = kept
        self._changed: frozenset[Expression] = frozenset()  # what is to be marked where we are
        self._around: frozenset[Axis] = frozenset()  # the axes of what is multiplied or added here, element by element
        self._unfolded = unfolded
        self.used: list[Expression] = []
        self._rows = Rows(notation.names, unfolded)

    # --- one expression -------------------------------------------------------------------------------------------

    def box(self, x: Expression, order: tuple[Axis, ...] = ()) -> Box:
        """The box of `x`; `order` are its two axes as rows and columns, where that matters."""
        outside, around, places = self._changed, self._around, self._places
        if x in self._kept:
            self._places = NOTHING
        self._changed = self._parts_to_mark(x)
        if x.kind == "reduce":
            self._around = x.children[0].axes
        elif x.kind in ("combination", "product", "call"):
            self._around = around | x.axes
        box = self._turned(x, order)
        marks = outside | self._changed
        if x in marks or (x.kind == "combination" and ex.negated(x) in marks):  # a sign may have moved out
            box = Box("changed", "", (box,), box.binding)
        self._changed, self._around, self._places = outside, around, places
        return box

    def _parts_to_mark(self, x: Expression) -> frozenset[Expression]:
        marks = self._places.get(x, frozenset())
        return marks | self._places.get(x.children[0], frozenset()) if x.kind == "reduce" else marks

    def _turned(self, x: Expression, order: tuple[Axis, ...]) -> Box:
        order = order if set(order) == x.axes else ()
        turned = bool(order) and not self._rows.adapt(x) and self._rows.natural(x) == order[::-1]
        box = self._bare(x, order[::-1] if turned else order)._replace(expression=x)
        if turned:
            box = Box("transpose", "", (box if box.binding == ATOM else group(box),))
        return box

    def _named(self, x: Expression) -> Name | None:
        return self._names.get(x) if x is not self._unfolded else None

    def _bare(self, x: Expression, order: tuple[Axis, ...]) -> Box:
        name = self._named(x)
        if name is not None:
            if x not in self.used:
                self.used.append(x)
            return text(name.text)
        match x.kind:
            case "number":
                return self._number(x.data)
            case "leaf" | "wild":
                return text(x.data[0])
            case "size":
                return text(x.data.name.upper())
            case "let":
                return self._bare(x.data, order)
            case "combination":
                return self._sum(x, order)
            case "product":
                return self._product(x, order)
            case "call":
                return self._call(x, order)
            case "reduce":
                return self._reduce(x, order)
            case "softmax":
                return self._softmax(x, order)
            case "one_hot":
                return Box("call", "one_hot", (self.box(x.children[0]),))
            case "at":
                return Box("index", "", (self._tight(x.children[0]), text(self._place(x))))
            case "stack":
                return Box("call", "stack", tuple(self.box(child) for child in x.children))
            case "rename":
                return self._renamed(x, order)
        return opaque(x, [self.box(child) for child in x.children])

    def _place(self, x: Expression) -> str:
        """Which place of which axis: `:, 0` for the first column."""
        axis, index = x.data
        layout = self._rows.layout(x.children[0])
        return ", ".join(str(index) if a == axis else ":" for a in layout) if layout else f"{axis.name} = {index}"

    def _renamed(self, x: Expression, order: tuple[Axis, ...]) -> Box:
        """The same array along other axes. In matrix notation its place says which; beside what varies along axes that
        it does not have, its indices must."""
        inside, back = x.children[0], {new: old for old, new in x.data}
        if not self._around - x.axes:
            return self.box(inside, tuple(back.get(a, a) for a in order))
        letters = "".join(
            next((new.name for old, new in x.data if old == a), a.name) for a in self._rows.layout(inside)
        )
        return Box("letters", letters, (self._tight(inside),))

    def _tight(self, x: Expression, order: tuple[Axis, ...] = (), binding: int = ATOM) -> Box:
        """In brackets if it would fall apart otherwise."""
        box = self.box(x, order)
        return box if box.binding >= binding else group(box)

    def _number(self, value: Value) -> Box:
        written = number_text(value)
        return text(written, SUM if written.startswith("−") else PRODUCT if "/" in written else ATOM)

    # --- sums -----------------------------------------------------------------------------------------------------

    def _is_negative(self, c: Value, term: Expression) -> bool:
        return self._notation.called.is_negative(c, term, self._unfolded)

    def _sum(self, x: Expression, order: tuple[Axis, ...]) -> Box:
        terms = self._notation.called.terms(x, self._unfolded)
        terms.sort(key=lambda term: self._place_of_term(term, order))
        parts: list[Box] = []
        outside = self._changed
        for i, (c, term) in enumerate(terms):
            self._changed = outside.union(*(self._places.get(t, ()) for t in (term, ex.scaled(c, term))))
            marked = bool(self._changed) and (
                ex.scaled(c, term) in self._changed or (term in self._changed and term.kind != "product")
            )
            negative = self._is_negative(c, term)
            box = self._scaled(-c if negative else c, term, order)
            self._changed = outside
            if marked and box.kind != "changed":
                box = Box("changed", "", (box,), box.binding)
            if box.binding == SUM:
                box = group(box)
            if i:
                parts.append(text(" − " if negative else " + "))
            elif negative:
                parts.append(text("−"))
            parts.append(box)
        return row(*parts, binding=SUM)

    def _scaled(self, c: Value, term: Expression, order: tuple[Axis, ...]) -> Box:
        if c == 1:
            return self.box(term, order)
        if term is ex.ONE:
            return self._number(c)
        return self._factors(c, ex.factors_of(term) if term not in self._names else [(term, Fraction(1))], order)

    def _place_of_term(self, term: ex.Term, order: tuple[Axis, ...]) -> tuple[object, ...]:
        c, x = term
        if self._is_negative(c, x):
            return (2, x.cost, len(x.axes), self._sort_text(x))
        turned = len(order) == 2 and self._rows.natural(x) == order[::-1]
        return (1 if x is ex.ONE else 0, not self._contains_matrix(x), -len(x.axes), turned, self._sort_text(x))

    def _contains_matrix(self, x: Expression) -> bool:
        return any(matrix_sides(base) is not None for base, _ in ex.factors_of(x))

    def _sort_text(self, x: Expression) -> str:
        name = self._named(x)
        if name is not None:
            return name.text
        if x.kind == "leaf":
            return str(x.data[0])
        if x.cost > _SORTED_BY_NAME:
            return "~~" + x.key.hex()
        letters = ",".join(str(part.data[0]) for part in ex.leaves_of(x))
        return f"~{letters}{x.cost:04}{x.key.hex()}"  # of the same letters the shorter first: Φ(a) + a φ(a)

    # --- products -------------------------------------------------------------------------------------------------

    def _product(self, x: Expression, order: tuple[Axis, ...]) -> Box:
        return self._factors(ex.coefficient_of(x), ex.factors_of(x), order)

    def _factors(self, c: Value, factors: Sequence[ex.Factor], order: tuple[Axis, ...]) -> Box:
        c, factors = self._notation.called.factors(c, list(factors), self._unfolded)
        above = [(x, p) for x, p in factors if p > 0]
        below = [(x, -p) for x, p in factors if p < 0]
        c, above = self._flipped(c, above)
        negative, c = c < 0, ex.magnitude(c)
        top, bottom = above_and_below(c)
        above.sort(key=self._place_of_factor)
        numerator = self._row_of_factors(top, above, order)
        if bottom != "1" or below:
            below.sort(key=self._place_of_factor)
            outside = self._changed
            self._changed = frozenset(x for x, _ in below if ex.power(x, -1) in outside)
            denominator = self._row_of_factors(bottom, below, order, below=True)
            self._changed = outside
            box = Box("fraction", "", (numerator, denominator), PRODUCT)
        else:
            box = numerator
        if negative:
            return row(text("−"), group(box) if box.binding == SUM else box, binding=SUM)
        return box

    def _flipped(self, c: Value, above: list[ex.Factor]) -> tuple[Value, list[ex.Factor]]:
        """Signs moved so that no bracket begins with a minus, if that is possible: (y′ − y), not −(y − y′)."""
        result = []
        for x, p in above:
            if x.kind == "combination" and x not in self._names and p.numerator % 2 and p.denominator == 1:
                signs = [self._is_negative(*term) for term in self._notation.called.terms(x, self._unfolded)]
                of_1 = len(signs) == 2 and ex.plus(x, *(t for t in x.children if t is not ex.ONE)) is ex.ONE  # 1 − h
                if all(signs) or (c < 0 and any(signs) and not of_1):
                    x, c = ex.negated(x), -c
            result.append((x, p))
        return c, result

    def _row_of_factors(
        self, number: str, factors: Sequence[ex.Factor], order: tuple[Axis, ...], below: bool = False
    ) -> Box:
        sides = outer_sides(factors, order) if not below else None
        if sides is not None:
            return self._outer_product(number, *sides)
        factors, flat = self._matrix_last(factors)
        boxes: list[tuple[Box, Expression | None]] = []
        if number != "1" or not factors:
            boxes.append((text(number), None))
        for i, (x, p) in enumerate(factors):
            alone = len(factors) == 1 and number == "1"
            last = i == len(factors) - 1
            plain_before = flat or not any(y.axes for y, _ in factors[:i])
            norm = self._norm(x, p, below)
            if norm is not None:
                boxes.append((norm, x))
                continue
            boxes.append((self._factor(x, p, order, alone, last, plain_before), x))
        parts: list[Box] = []
        for i, (box, y) in enumerate(boxes):
            if i:
                parts.append(text(" " if self._side_by_side(boxes[i - 1][1], y) else " ⊙ "))
            parts.append(box)
        return parts[0] if len(parts) == 1 else row(*parts)

    def _matrix_last(self, factors: Sequence[ex.Factor]) -> tuple[Sequence[ex.Factor], bool]:
        """`y ⊙ X w` needs no brackets, since no vector times a matrix is meant; and whether it is that."""
        if len(factors) < 2 or any(len(x.axes) > 1 or p != 1 for x, p in factors):
            return factors, False
        products = [f for f in factors if matrix_sides(f[0]) is not None and self._named(f[0]) is None]
        others = [f for f in factors if f not in products]
        if len(products) != 1 or not all(x.kind == "leaf" and x.axes for x, _ in others):
            return factors, False
        return [*others, *products], True

    def _outer_product(
        self, number: str, scalars: list[ex.Factor], column: list[ex.Factor], line: list[ex.Factor]
    ) -> Box:
        """`c x yᵀ`: every place of x times every place of y."""
        c = [] if number == "1" and not scalars else [self._row_of_factors(number, scalars, ()), text(" ")]
        x, y = (self._side(factors, ()) for factors in (column, line))
        x = x if x.binding >= POWER else group(x)
        return row(*c, x, text(" "), Box("transpose", "", (y if y.binding == ATOM else group(y),)))

    def _side_by_side(self, x: Expression | None, y: Expression | None) -> bool:
        """Whether a space between two factors will do: beside a number, and before the Σ that scales a row."""
        if x is None or y is None or not x.axes or not y.axes:
            return True
        return y.kind == "reduce" and matrix_sides(y) is None and y.axes < x.axes

    def _norm(self, x: Expression, p: Fraction, below: bool) -> Box | None:
        """A power of the length of a vector, where `x` is its square: of the length itself, or below the line."""
        vector = vector_of(x) if (below or p.denominator == 2) and x not in self._names else None
        if vector is None:
            return None
        norm = Box("bars", "‖", (self.box(vector),))
        return norm if p == Fraction(1, 2) else Box("raised", number_text(2 * p), (norm,), POWER)

    def _factor(
        self, x: Expression, p: Fraction, order: tuple[Axis, ...], alone: bool, last: bool, plain_before: bool
    ) -> Box:
        if p == Fraction(1, 2):
            return Box("call", "√", (self.box(x, order),), PREFIX)
        if p != 1:
            return Box("raised", number_text(p), (self._tight(x, order, ATOM),), POWER)
        box = self.box(x, order)
        if alone:
            return box
        if box.binding == SUM or (box.binding == PREFIX and not last):
            return group(box)
        if box.binding == PRODUCT and not (last and plain_before):
            return group(box)
        return box

    def _place_of_factor(self, factor: ex.Factor) -> tuple[object, ...]:
        x, _ = factor
        rank: float
        if not x.axes and x.kind in ("leaf", "size"):
            rank = 0
        elif matrix_sides(x) is not None and self._named(x) is None:
            rank = 1
        elif x.kind == "leaf" or (self._named(x) is None and x.kind == "one_hot"):
            rank = 2.5
        elif self._named(x) is not None or x.kind == "softmax":
            rank = 2
        elif x.kind == "combination":
            rank = 4.5 if ex.ONE in x.children else 4
        elif x.kind == "reduce":
            rank = 6
        elif x.kind == "call" and x.data in ex.BOOLEAN:
            rank = 5
        else:
            rank = 3
        return (rank, x.cost, self._sort_text(x))

    # --- functions and reductions ---------------------------------------------------------------------------------

    def _call(self, x: Expression, order: tuple[Axis, ...]) -> Box:
        operands = x.children
        if x.data == "sigmoid":
            says_nothing = x is self._unfolded and x in self._names and self._names[x].text[0] == "σ"
            return Box("call", "sigmoid" if says_nothing else "σ", (self.box(operands[0], order),))
        if x.data in ex.WITHOUT_ENTRY:
            return Box("call", x.data, (self.box(operands[0], order),))
        operation = OPERATIONS[x.data]
        if operation.notation == "|{0}|":
            return Box("bars", "", (self.box(operands[0], order),))
        if operation.symbol == "^":
            return Box("raised", "", (self._tight(operands[0], order), self.box(operands[1], order)), POWER)
        boxes = tuple(self.box(o, order) for o in operands)
        if operation.boolean and len(boxes) == 2:
            return Box("index", "mask", (row(boxes[0], text(f" {operation.symbol} "), boxes[1]),))
        name = "stop" if operation.holds_constant else operation.notation.partition("(")[0]
        return Box("call", name, boxes)

    def _softmax(self, x: Expression, order: tuple[Axis, ...]) -> Box:
        """Of the rows as they are written, or of all; along other axes these stand as indices."""
        (logits,) = x.children
        inside, written = self.box(logits, order), order or self._rows.layout(logits)
        if set(x.data) == x.axes or tuple(x.data) == written[-1:] or not written:
            return Box("call", "softmax", (inside,))
        return Box("folded", "".join(a.name for a in x.data), (text("softmax"), inside))

    def _reduce(self, x: Expression, order: tuple[Axis, ...]) -> Box:
        name, axes = x.data
        (body,) = x.children
        written = "" if set(axes) == body.axes else "".join(a.name for a in axes)
        if not ex.is_total(x):
            return (
                Box("folded", written, (text(name), self.box(body)))
                if written
                else Box("call", name, (self.box(body),))
            )
        matrix = matrix_sides(x)
        if matrix is not None:
            return self._matrix_product(axes[0], *matrix, order)
        box = self.box(body, self._rows.natural(body))
        return Box("sigma", written, (group(box) if box.binding == SUM or box.kind == "fraction" else box,), PREFIX)

    def _matrix_product(
        self, axis: Axis, left: list[ex.Factor], right: list[ex.Factor], order: tuple[Axis, ...]
    ) -> Box:
        def other(factors: list[ex.Factor]) -> Axis | None:
            return next((a for x, _ in factors for a in sorted(x.axes) if a != axis), None)

        rows, columns = other(left), other(right)
        if order and rows == order[1]:
            left, right, rows, columns = right, left, columns, rows
        elif not order and columns is not None and rows is not None:
            turns = self._rows.turns(left, (rows, axis)) + self._rows.turns(right, (axis, columns))
            back = self._rows.turns(right, (columns, axis)) + self._rows.turns(left, (axis, rows))
            left, right, rows, columns = (right, left, columns, rows) if back < turns else (left, right, rows, columns)
        a = self._side(left, (rows, axis) if rows else ())
        b = self._side(right, (axis, columns) if columns else ())
        a, b = (box if box.binding >= POWER or box.kind == "transpose" else group(box) for box in (a, b))
        return row(a, text(" "), b, binding=PRODUCT)

    def _side(self, factors: list[ex.Factor], order: tuple[Axis, ...]) -> Box:
        self._around = frozenset().union(*(x.axes for x, _ in factors))
        matrices = [x for x, _ in factors if len(x.axes) == 2]
        backwards = len(matrices) > 1 and all(
            self._rows.adapt(x) or self._rows.natural(x) == order[::-1] for x in matrices
        )
        if backwards and not all(map(self._rows.adapt, matrices)):
            return Box("transpose", "", (group(self._factors(Fraction(1), factors, order[::-1])),))
        return self._factors(Fraction(1), factors, order)
