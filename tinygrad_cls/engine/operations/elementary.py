"""More functions of each element: inverse ones, other bases, distances and remainders, steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .choosing import where
from .entry import elementwise, for_arrays_too

if TYPE_CHECKING:
    from .entry import Binary, Unary

_where: Any = for_arrays_too(where)

# --- inverse trigonometric and hyperbolic ---------------------------------------------------------------------
# (1 − x)(1 + x) keeps the digits of 1 − x² near 1, and hypot those of √(1 + x²) where x² would overflow.

arcsin: Unary = elementwise(
    np.arcsin,
    "The angle, in radians from -π/2 to π/2, whose sine is `x`; nan outside -1 to 1.",
    lambda g, out, x: g / np.sqrt((1 - x) * (1 + x)),
)
arccos: Unary = elementwise(
    np.arccos,
    "The angle, in radians from 0 to π, whose cosine is `x`; nan outside -1 to 1.",
    lambda g, out, x: -g / np.sqrt((1 - x) * (1 + x)),
)
arcsinh: Unary = elementwise(
    np.arcsinh, "The number whose hyperbolic sine is `x`.", lambda g, out, x: g / np.hypot(x, 1)
)
arccosh: Unary = elementwise(
    np.arccosh,
    "The number from 0 on whose hyperbolic cosine is `x`; nan below 1.",
    lambda g, out, x: g / (np.sqrt(x - 1) * np.sqrt(x + 1)),
    example=([1.0, 2.0],),
)
arctanh: Unary = elementwise(
    np.arctanh,
    "The number whose hyperbolic tangent is `x`; infinite at -1 and 1, nan outside.",
    lambda g, out, x: g / ((1 - x) * (1 + x)),
    example=([0.0, 0.5],),
)


def _share(x: Any, out: Any) -> Any:
    """`x / out`, of the distance `out` from 0: 0 where that is 0, which is a subgradient there."""
    at_0 = np.equal(out, 0)
    return _where(at_0, 0, x / _where(at_0, 1, out))


hypot: Binary = elementwise(
    np.hypot,
    "`√(x² + y²)` without overflow: the distance of the point (x, y) from 0, where its slope is taken as 0.",
    lambda g, out, x, y: g * _share(x, out),
    lambda g, out, x, y: g * _share(y, out),
    commutative=True,
    reads=lambda ex, x, y: ex.power(ex.plus(ex.power(x, ex.exact(2)), ex.power(y, ex.exact(2))), ex.exact(0.5)),
    exact=False,
    example=([3.0, 0.0], 4.0),
)
arctan2: Binary = elementwise(
    np.arctan2,
    "The angle, in radians from -π to π, of the point with height `x` and width `y`; its slope at 0 is nan.",
    lambda g, out, x, y: g * (y / np.hypot(x, y)) / np.hypot(x, y),
    lambda g, out, x, y: -g * (x / np.hypot(x, y)) / np.hypot(x, y),
    example=([1.0, -1.0], [1.0, 0.0]),
)

# --- powers and logarithms to other bases ---------------------------------------------------------------------

cbrt: Unary = elementwise(
    np.cbrt,
    "The cube root, of negative numbers too; its slope at 0 is infinite.",
    lambda g, out, x: g / (3 * out * out),
    example=([8.0, -27.0],),
)
reciprocal: Unary = elementwise(
    np.reciprocal,
    "`1 / x`; of integers the whole part, as in NumPy.",
    lambda g, out, x: -g * out * out,
    notation="1 / {0}",
    symbol="1÷",
    letter="q",
    takes="not boolean",
    reads=lambda ex, x: ex.divided(ex.ONE, x),
    reason={"en": "the derivative of 1 / x is −1 / x²", "zh": "1 / x 的导数是 −1 / x²"},
    example=([2.0, 4.0],),
)
exp2: Unary = elementwise(
    np.exp2, "2 to the power `x`.", lambda g, out, x: g * (math.log(2) * out), notation="2^{0}", positive=True
)
log2: Unary = elementwise(
    np.log2, "The logarithm to base 2.", lambda g, out, x: g / (math.log(2) * x), example=([1.0, 8.0],)
)
log10: Unary = elementwise(
    np.log10, "The logarithm to base 10.", lambda g, out, x: g / (math.log(10) * x), example=([1.0, 100.0],)
)

# --- remainders and steps: a step's result requires no gradient -----------------------------------------------

floor_divide: Binary = elementwise(
    np.floor_divide,
    "`x / y` rounded down. A step: its result requires no gradient.",
    None,
    None,
    notation="⌊{0} / {1}⌋",
    symbol="⌊÷⌋",
    example=([7.0, -7.0], 2),
)
remainder: Binary = elementwise(
    np.remainder,
    "What `x` is above the next lower multiple of `y`; its sign is that of `y`.",
    lambda g, out, x, y: g,
    lambda g, out, x, y: -g * np.floor_divide(x, y),
    symbol="mod",
    example=([7.0, -7.0], 2),
)
floor: Unary = elementwise(
    np.floor, "Rounded down. A step: its result requires no gradient.", None, notation="⌊{0}⌋", example=([1.5, -1.5],)
)
ceil: Unary = elementwise(
    np.ceil, "Rounded up. A step: its result requires no gradient.", None, notation="⌈{0}⌉", example=([1.5, -1.5],)
)
trunc: Unary = elementwise(
    np.trunc, "Rounded towards 0. A step: its result requires no gradient.", None, example=([1.5, -1.5],)
)
rint: Unary = elementwise(
    np.rint,
    "Rounded to the nearest whole number, halves to the even one. A step: its result requires no gradient.",
    None,
    example=([1.5, 2.5],),
)
signbit: Unary = elementwise(
    np.signbit, "Whether each element is below 0, or is -0.0, as booleans.", None, symbol="−?", example=([1.0, -0.0],)
)
