"""Operations that act on each element alone.

One entry an operation: what computes it, what it is, its derivative for each operand, how it is written, and what
else readers may ask. All broadcast as NumPy does, keep its dtype rules (Python scalars are weak), and give floats for
integers where NumPy does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..tensor import TensorLike
from .entry import elementwise, operation
from .selecting import distance

if TYPE_CHECKING:
    from .entry import Binary, Unary

# --- arithmetic -----------------------------------------------------------------------------------------------

add: Binary = elementwise(
    np.add,
    "`x + y`.",
    lambda g, out, x, y: g,
    lambda g, out, x, y: g,
    symbol="+",
    commutative=True,
    letter="a",
    reads=lambda ex, x, y: ex.plus(x, y),
    reason={"en": "a sum passes the gradient on to each of its terms, unchanged", "zh": "加法把梯度原样传给每一项"},
    example=([1.0, 2.0], 3),
)

subtract: Binary = elementwise(
    np.subtract,
    "`x - y`.",
    lambda g, out, x, y: g,
    lambda g, out, x, y: -g,
    symbol="−",
    letter="d",
    reads=lambda ex, x, y: ex.minus(x, y),
    reason={
        "en": "a difference passes the gradient on: unchanged to the first, with a minus to the second",
        "zh": "减法把梯度传回两边：对被减数不变，对减数变号",
    },
    example=([1.0, 2.0], 3),
)

multiply: Binary = elementwise(
    np.multiply,
    "`x * y`, element by element.",
    lambda g, out, x, y: g * y,
    lambda g, out, x, y: g * x,
    symbol="×",
    commutative=True,
    letter="t",
    linear=(0, 1),
    reads=lambda ex, x, y: ex.product(x, y),
    reason={
        "en": "in a product the gradient goes to each factor, times the other factor",
        "zh": "乘法把梯度传给每个因子，并乘以另一个因子",
    },
    example=([1.0, 2.0], 3),
)

divide: Binary = elementwise(
    np.divide,
    "`x / y`; integers give floats.",
    lambda g, out, x, y: g / y,
    lambda g, out, x, y: -g * out / y,
    notation="{0} / {1}",
    symbol="÷",
    letter="r",
    linear=(0,),
    reads=lambda ex, x, y: ex.divided(x, y),
    reason={
        "en": "the derivative of a / b by a is 1 / b, and by b it is −(a / b) / b",
        "zh": "a / b 对 a 的导数是 1 / b，对 b 的导数是 −(a / b) / b",
    },
    example=([1.0, 2.0], 4),
)

negative: Unary = elementwise(
    np.negative,
    "`-x`.",
    lambda g, out, x: -g,
    notation="−{0}",
    linear=(0,),
    symbol="−",
    takes="not boolean",
    reads=lambda ex, x: ex.negated(x),
    reason={"en": "the derivative of −x is −1: the sign changes", "zh": "−x 的导数是 −1：只改变符号"},
    example=([1.0, -2.0],),
)


def _power_base_vjp(g: Any, out: Any, x: Any, y: Any) -> Any:
    # d(x^y)/dx = y x^(y−1), and 0 for y = 0 even at x = 0, where the formula would say 0 · ∞. Elsewhere the formula
    # stands for y = 0 too: its own slope along y is not 0 there.
    if isinstance(y, (int, float)):
        if y == 0:
            return g * np.zeros(x.shape, x.dtype)
        if y == 1:
            return g
        return g * (y * x) if y == 2 else g * (y * x ** (y - 1))
    constant = np.logical_and(np.equal(x, 0), np.equal(y, 0))
    return g * np.where(constant, 0, y * x ** (np.where(constant, 1, y) - 1))


def _power_exponent_vjp(g: Any, out: Any, x: Any, y: Any) -> Any:
    # d(x^y)/dy = x^y log x, and 0 for x = 0, y ≥ 0, where the formula would say 0 · −∞.
    return g * (out * np.log(np.where(np.logical_and(np.equal(x, 0), np.greater_equal(y, 0)), 1, x)))


power: Binary = elementwise(
    np.power,
    "`x ** y`.",
    _power_base_vjp,
    _power_exponent_vjp,
    symbol="^",
    letter="q",
    takes="a negative `x` with a fractional `y` gives nan, as in NumPy",
    raises="for integers to a negative integer power",
    reads=lambda ex, x, y: ex.power(x, y.data) if y.kind == "number" else None,
    reason={"en": "the derivative of xᵖ is p xᵖ⁻¹", "zh": "xᵖ 的导数是 p xᵖ⁻¹"},
    example=([1.0, 2.0], 3),
)

# --- exponentials and roots -----------------------------------------------------------------------------------

exp: Unary = elementwise(
    np.exp,
    "The exponential, e to the power `x`.",
    lambda g, out, x: g * out,
    positive=True,
    letter="e",
    reason={"en": "exp is its own derivative", "zh": "指数函数的导数是它自己"},
)
expm1: Unary = elementwise(
    np.expm1,
    "`exp(x) - 1` without loss of digits near 0.",
    lambda g, out, x: g * (out + 1),
    reads=lambda ex, x: ex.minus(ex.call("exp", x), ex.ONE),
    exact=False,
    reason={
        "en": "exp is its own derivative, and the constant −1 has none",
        "zh": "指数函数的导数是它自己，常数 −1 的导数为 0",
    },
    example=(1e-12,),
)
log: Unary = elementwise(
    np.log,
    "The natural logarithm; -inf at 0 and nan below, with NumPy's warnings.",
    lambda g, out, x: g / x,
    letter="l",
    example=([1.0, 2.0],),
)
log1p: Unary = elementwise(
    np.log1p,
    "`log(1 + x)` without loss of digits near 0.",
    lambda g, out, x: g / (1 + x),
    reads=lambda ex, x: ex.call("log", ex.plus(ex.ONE, x)),
    exact=False,
    example=(1e-12,),
)
logaddexp: Binary = elementwise(
    np.logaddexp,
    "`log(exp(x) + exp(y))` without overflow.",
    lambda g, out, x, y: g * np.exp(distance(x, out)),
    lambda g, out, x, y: g * np.exp(distance(y, out)),
    commutative=True,
    reads=lambda ex, x, y: ex.log(ex.plus(ex.exp(x), ex.exp(y))),
    exact=False,
    example=([0.0, 1000.0], 1000.0),
)
sqrt: Unary = elementwise(
    np.sqrt,
    "The square root; its slope at 0 is infinite.",
    lambda g, out, x: g / (2 * out),
    notation="√{0}",
    symbol="√",
    reads=lambda ex, x: ex.power(x, ex.exact(0.5)),
    exact=False,
    example=([4.0, 9.0],),
)
square: Unary = elementwise(
    np.square,
    "`x * x`.",
    lambda g, out, x: g * (2 * x),
    notation="{0}²",
    symbol="²",
    letter="q",
    reads=lambda ex, x: ex.power(x, ex.exact(2)),
    example=([2.0, -3.0],),
)

# --- trigonometric and hyperbolic -----------------------------------------------------------------------------

_ANGLE = "of an angle in radians"
sin: Unary = elementwise(np.sin, f"The sine {_ANGLE}.", lambda g, out, x: g * np.cos(x))
cos: Unary = elementwise(np.cos, f"The cosine {_ANGLE}.", lambda g, out, x: -g * np.sin(x))
tan: Unary = elementwise(np.tan, f"The tangent {_ANGLE}.", lambda g, out, x: g * (1 + out * out))
arctan: Unary = elementwise(
    np.arctan, "The angle, in radians, whose tangent is `x`.", lambda g, out, x: g / (1 + x * x)
)
sinh: Unary = elementwise(np.sinh, "The hyperbolic sine.", lambda g, out, x: g * np.cosh(x))
cosh: Unary = elementwise(np.cosh, "The hyperbolic cosine.", lambda g, out, x: g * np.sinh(x), positive=True)
tanh: Unary = elementwise(np.tanh, "The hyperbolic tangent.", lambda g, out, x: g * (1 - out * out), letter="h")

_erf = np.vectorize(math.erf, otypes=[float])  # NumPy has none; exact, at Python's speed


@operation(
    None,
    lambda g, out, x: g * (2 / math.sqrt(math.pi) * np.exp(-x * x)),
    reason={"en": "the derivative of erf x is 2/√π exp(−x²)", "zh": "erf x 的导数是 2/√π exp(−x²)"},
)
def erf(x: TensorLike, /) -> Any:
    """The error function, 2/√π ∫₀ˣ exp(−t²) dt (Abramowitz & Stegun 7.1.1).

    Args:
        x: any shape. Computed by the standard library one element at a time: accurate rather than fast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.erf([0.0, 1.0])
        Tensor([0.        , 0.84270079])
    """
    array = np.asarray(x)
    return _erf(array).astype(array.dtype) if array.dtype.kind == "f" else _erf(array)


# --- kinks: the subgradients are PyTorch's --------------------------------------------------------------------

abs: Unary = elementwise(
    np.abs,
    "The absolute value; its slope at 0 is taken as 0.",
    lambda g, out, x: g * np.sign(x),
    name="abs",
    notation="|{0}|",
    symbol="|·|",
    reason={"en": "the derivative of |x| is its sign (0 at 0)", "zh": "|x| 的导数是 x 的符号（在 0 处取 0）"},
    example=([-1.0, 2.0],),
)
sign: Unary = elementwise(
    np.sign, "-1, 0 or 1. A step: its result requires no gradient.", None, example=([-2.0, 0.0, 3.0],)
)


def _larger_vjp(g: Any, out: Any, x: Any, y: Any) -> Any:
    # Chosen, not multiplied by 0: an infinite g stays with the operand that it belongs to.
    return np.where(np.equal(x, y), g * 0.5, np.where(np.less(x, y), 0, g))


def _smaller_vjp(g: Any, out: Any, x: Any, y: Any) -> Any:
    return np.where(np.equal(x, y), g * 0.5, np.where(np.greater(x, y), 0, g))


maximum: Binary = elementwise(
    np.maximum,
    "The larger of two, element by element; nan where either is. Equal operands share the gradient.",
    _larger_vjp,
    lambda g, out, x, y: _larger_vjp(g, out, y, x),
    notation="max({0}, {1})",
    commutative=True,
    letter="m",
    reason={"en": "the gradient goes to the larger of the two", "zh": "梯度只传给两者中较大的一个"},
    example=([1.0, 5.0], 3),
)
minimum: Binary = elementwise(
    np.minimum,
    "The smaller of two, element by element; nan where either is. Equal operands share the gradient.",
    _smaller_vjp,
    lambda g, out, x, y: _smaller_vjp(g, out, y, x),
    notation="min({0}, {1})",
    commutative=True,
    letter="m",
    reason={"en": "the gradient goes to the smaller of the two", "zh": "梯度只传给两者中较小的一个"},
    example=([1.0, 5.0], 3),
)

# --- the record itself ----------------------------------------------------------------------------------------


def _read_cast(ex: Any, x: Any, dtype: Any) -> Any:
    """The same number, unless its fraction is cut off."""
    floats = [getattr(t, "dtype", ex.node.dtype).kind == "f" for t in (ex.inputs[0], ex.node)]
    return ex.closed() if floats == [True, False] else x


@operation("{0}", lambda g, out, x, dtype: g, reads=_read_cast)
def astype(x: TensorLike, /, dtype: Any) -> Any:
    """`x` in another dtype; gradients flow back in the dtype of `x`, and stop at integers.

    Args:
        x: any shape.
        dtype: anything that NumPy takes for one.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.astype([1, 2], "float32")
        Tensor([1., 2.], dtype=float32)
    """
    return np.asarray(x).astype(dtype)


@operation("{0}", None, symbol="held constant")
def stop_gradient(x: TensorLike, /) -> Any:
    """`x` as a constant for differentiation that keeps its place in the graph: no gradient flows back through it.

    `Tensor.detach` drops the history; this keeps it, so that drawings show where the value came from.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.grad(lambda x: x * tg.stop_gradient(x))(3.0)
        Tensor(3.)
    """
    return np.asarray(x)


@operation("{0}", lambda g, out, x: g)
def identity(x: TensorLike, /) -> Any:
    """`x` itself, as a node of its own.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.identity([1.0])
        Tensor([1.])
    """
    return np.asarray(x)
