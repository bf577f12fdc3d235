"""Where parts of a sum or product together have a name: `y′ − y − t` by δ = y′ − y is `δ − t`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from ..algebra import expression as ex
from ..algebra.expression import Expression, Value
from .matrices import Name


def _powers(parts: Sequence[ex.Factor], factors: Sequence[ex.Factor]) -> list[Fraction]:
    """The whole powers in which parts stand among factors: s⁻² where V⁻¹ stands and s = √V."""
    base, p = parts[0]
    powers = (q / p for other, q in factors if other is base)
    return [q for q in powers if q.denominator == 1 and all((x, r * q) in factors for x, r in parts)]


class Called:
    """Finds the parts of sums and products that have a name.

    Args:
        names: what expressions are called.
    """

    def __init__(self, names: Mapping[Expression, Name]) -> None:
        self._names = names
        self._sums = [x for x, name in names.items() if x.kind == "combination" and name.partial]
        self._products = [x for x, name in names.items() if x.kind == "product" and name.partial]
        contents = {x: ex.content_of(x) for x in self._sums}
        self._multiples = {ex.scaled(1 / c, x): (c, x) for x, c in contents.items() if c != 1}  # −U, for U = a + b − c

    def terms(self, x: Expression, unfolded: Expression | None) -> list[ex.Term]:
        """What a sum adds up, by the names that sums and products have.

        Args:
            x: the sum.
            unfolded: an expression whose name does not count, because it is written out.
        """
        terms = self._with_sums(list(ex.terms_of(x)), x, unfolded)
        return [self._with_product(*term, unfolded) for term in terms] if self._products else terms

    def factors(self, c: Value, factors: list[ex.Factor], unfolded: Expression | None) -> tuple[Value, list[ex.Factor]]:
        """The number in front of a product and its factors, by the names that products and sums have."""
        return self._with_multiples(*self._with_products(c, factors, unfolded), unfolded)

    def is_negative(self, c: Value, term: Expression, unfolded: Expression | None) -> bool:
        """Whether a minus stands in front of a term, as its factors are written."""
        if self._multiples and term not in self._names:
            c, _ = self._with_multiples(c, list(ex.factors_of(term)), unfolded)
        return c < 0

    def _with_sums(self, terms: list[ex.Term], x: Expression, unfolded: Expression | None) -> list[ex.Term]:
        """Where some terms together are a multiple of a named sum, that sum instead."""
        for named in self._sums:
            parts = ex.terms_of(named)
            if named is x or named is unfolded or len(parts) > len(terms):
                continue
            have = {term: c for c, term in terms}
            ratios = {have[term] / c for c, term in parts if term in have}
            if len(ratios) == 1 and all(term in have for _, term in parts):
                inside = {term for _, term in parts}
                terms = [(c, term) for c, term in terms if term not in inside]
                terms.append((ratios.pop(), named))
        return terms

    def _with_product(self, c: Value, term: Expression, unfolded: Expression | None) -> ex.Term:
        """−H for a term that is minus a named product."""
        if term in self._names:
            return c, term
        d, factors = self._with_products(c, list(ex.factors_of(term)), unfolded)
        named = len(factors) == 1 and factors[0][1] == 1 and factors[0][0] in self._products
        return (d, factors[0][0]) if named else (c, term)

    def _with_products(
        self, c: Value, factors: list[ex.Factor], unfolded: Expression | None
    ) -> tuple[Value, list[ex.Factor]]:
        """Where some factors together are a multiple of a named product, that product instead."""
        for named in self._products:
            parts = ex.factors_of(named)
            if named is unfolded or len(parts) > len(factors):
                continue
            for q in _powers(parts, factors):
                powered = [(base, p * q) for base, p in parts]
                factors = [f for f in factors if f not in powered]
                factors.append((named, q))
                c = c / ex.power(ex.number(ex.coefficient_of(named)), q).data
        return c, factors

    def _with_multiples(
        self, c: Value, factors: list[ex.Factor], unfolded: Expression | None
    ) -> tuple[Value, list[ex.Factor]]:
        """Where a factor is a multiple of a named sum, that sum instead."""
        for i, (x, p) in enumerate(factors):
            if x in self._multiples and p.denominator == 1:
                content, named = self._multiples[x]
                if named is not unfolded:
                    factors[i], c = (named, p), c * content ** int(-p)
        return c, factors
