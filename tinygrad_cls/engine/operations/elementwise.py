"""Operations that act on each element alone.

One entry an operation: how it is written, its derivative for each operand, what it computes. All broadcast as
NumPy does, keep its dtype rules (Python scalars are weak), and give floats for integers where NumPy does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..recording import composite
from ..tensor import Tensor, TensorLike
from .entry import answers, for_arrays_too, operation

# --- arithmetic -----------------------------------------------------------------------------------------------


@operation("{0} + {1}", lambda g, out, x, y: g, lambda g, out, x, y: g, symbol="+", ufunc=np.add)
def add(x: TensorLike, y: TensorLike, /) -> Any:
    """`x + y`.

    Args:
        x, y: any shapes that broadcast together.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.add([1.0, 2.0], 3)
        Tensor([4., 5.])
    """


@operation("{0} − {1}", lambda g, out, x, y: g, lambda g, out, x, y: -g, symbol="−", ufunc=np.subtract)
def subtract(x: TensorLike, y: TensorLike, /) -> Any:
    """`x - y`.

    Args:
        x, y: any shapes that broadcast together.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.subtract([1.0, 2.0], 3)
        Tensor([-2., -1.])
    """


@operation("{0} × {1}", lambda g, out, x, y: g * y, lambda g, out, x, y: g * x, symbol="×", ufunc=np.multiply)
def multiply(x: TensorLike, y: TensorLike, /) -> Any:
    """`x * y`, element by element.

    Args:
        x, y: any shapes that broadcast together.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.multiply([1.0, 2.0], 3)
        Tensor([3., 6.])
    """


@operation("{0} / {1}", lambda g, out, x, y: g / y, lambda g, out, x, y: -g * out / y, symbol="÷", ufunc=np.divide)
def divide(x: TensorLike, y: TensorLike, /) -> Any:
    """`x / y`; integers give floats.

    Args:
        x, y: any shapes that broadcast together.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.divide([1.0, 2.0], 4)
        Tensor([0.25, 0.5 ])
    """


@operation("−{0}", lambda g, out, x: -g, symbol="−", ufunc=np.negative)
def negative(x: TensorLike, /) -> Any:
    """`-x`.

    Args:
        x: any shape; not boolean.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.negative([1.0, -2.0])
        Tensor([-1.,  2.])
    """


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


@operation("{0} ^ {1}", _power_base_vjp, _power_exponent_vjp, symbol="^", ufunc=np.power)
def power(x: TensorLike, y: TensorLike, /) -> Any:
    """`x ** y`.

    Args:
        x, y: any shapes that broadcast together. A negative `x` with a fractional `y` gives nan, as in NumPy.

    Raises:
        ValueError: when the shapes do not broadcast, or for integers to a negative integer power.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.power([1.0, 2.0], 3)
        Tensor([1., 8.])
    """


# --- exponentials and roots -----------------------------------------------------------------------------------


@operation("exp({0})", lambda g, out, x: g * out, ufunc=np.exp)
def exp(x: TensorLike, /) -> Any:
    """The exponential, e to the power `x`.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.exp([0.0, 1.0])
        Tensor([1.        , 2.71828183])
    """


@operation("expm1({0})", lambda g, out, x: g * (out + 1), ufunc=np.expm1)
def expm1(x: TensorLike, /) -> Any:
    """`exp(x) - 1` without loss of digits near 0.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.expm1(1e-12).item()
        1.0000000000005e-12
    """


@operation("log({0})", lambda g, out, x: g / x, ufunc=np.log)
def log(x: TensorLike, /) -> Any:
    """The natural logarithm; -inf at 0 and nan below, with NumPy's warnings.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.log([1.0, 2.0])
        Tensor([0.        , 0.69314718])
    """


@operation("log1p({0})", lambda g, out, x: g / (1 + x), ufunc=np.log1p)
def log1p(x: TensorLike, /) -> Any:
    """`log(1 + x)` without loss of digits near 0.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.log1p(1e-12).item()
        9.999999999995e-13
    """


@operation("√{0}", lambda g, out, x: g / (2 * out), symbol="√", ufunc=np.sqrt)
def sqrt(x: TensorLike, /) -> Any:
    """The square root; its slope at 0 is infinite.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.sqrt([4.0, 9.0])
        Tensor([2., 3.])
    """


@operation("{0}²", lambda g, out, x: g * (2 * x), symbol="²", ufunc=np.square)
def square(x: TensorLike, /) -> Any:
    """`x * x`.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.square([2.0, -3.0])
        Tensor([4., 9.])
    """


# --- trigonometric and hyperbolic -----------------------------------------------------------------------------


@operation("sin({0})", lambda g, out, x: g * np.cos(x), ufunc=np.sin)
def sin(x: TensorLike, /) -> Any:
    """The sine of an angle in radians.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.sin([0.0, 1.0])
        Tensor([0.        , 0.84147098])
    """


@operation("cos({0})", lambda g, out, x: -g * np.sin(x), ufunc=np.cos)
def cos(x: TensorLike, /) -> Any:
    """The cosine of an angle in radians.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.cos([0.0, 1.0])
        Tensor([1.        , 0.54030231])
    """


@operation("tan({0})", lambda g, out, x: g * (1 + out * out), ufunc=np.tan)
def tan(x: TensorLike, /) -> Any:
    """The tangent of an angle in radians.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.tan([0.0, 1.0])
        Tensor([0.        , 1.55740772])
    """


@operation("sinh({0})", lambda g, out, x: g * np.cosh(x), ufunc=np.sinh)
def sinh(x: TensorLike, /) -> Any:
    """The hyperbolic sine.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.sinh([0.0, 1.0])
        Tensor([0.        , 1.17520119])
    """


@operation("cosh({0})", lambda g, out, x: g * np.sinh(x), ufunc=np.cosh)
def cosh(x: TensorLike, /) -> Any:
    """The hyperbolic cosine.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.cosh([0.0, 1.0])
        Tensor([1.        , 1.54308063])
    """


@operation("tanh({0})", lambda g, out, x: g * (1 - out * out), ufunc=np.tanh)
def tanh(x: TensorLike, /) -> Any:
    """The hyperbolic tangent.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.tanh([0.0, 1.0])
        Tensor([0.        , 0.76159416])
    """


_erf = np.vectorize(math.erf, otypes=[float])  # NumPy has none; exact, at Python's speed


@operation("erf({0})", lambda g, out, x: g * (2 / math.sqrt(math.pi) * np.exp(-x * x)))
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


@operation("|{0}|", lambda g, out, x: g * np.sign(x), symbol="|·|", ufunc=np.abs)
def abs(x: TensorLike, /) -> Any:
    """The absolute value; its slope at 0 is taken as 0.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.abs([-1.0, 2.0])
        Tensor([1., 2.])
    """


@operation("sign({0})", None, ufunc=np.sign)
def sign(x: TensorLike, /) -> Any:
    """-1, 0 or 1. A step: its result requires no gradient.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.sign([-2.0, 0.0, 3.0])
        Tensor([-1.,  0.,  1.])
    """


def _larger_vjp(g: Any, out: Any, x: Any, y: Any) -> Any:
    # Chosen, not multiplied by 0: an infinite g stays with the operand that it belongs to.
    return np.where(np.equal(x, y), g * 0.5, np.where(np.less(x, y), 0, g))


def _smaller_vjp(g: Any, out: Any, x: Any, y: Any) -> Any:
    return np.where(np.equal(x, y), g * 0.5, np.where(np.greater(x, y), 0, g))


@operation("max({0}, {1})", _larger_vjp, lambda g, out, x, y: _larger_vjp(g, out, y, x), ufunc=np.maximum)
def maximum(x: TensorLike, y: TensorLike, /) -> Any:
    """The larger of two, element by element; nan where either is. Equal operands share the gradient.

    Args:
        x, y: any shapes that broadcast together.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.maximum([1.0, 5.0], 3)
        Tensor([3., 5.])
    """


@operation("min({0}, {1})", _smaller_vjp, lambda g, out, x, y: _smaller_vjp(g, out, y, x), ufunc=np.minimum)
def minimum(x: TensorLike, y: TensorLike, /) -> Any:
    """The smaller of two, element by element; nan where either is. Equal operands share the gradient.

    Args:
        x, y: any shapes that broadcast together.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.minimum([1.0, 5.0], 3)
        Tensor([1., 3.])
    """


@operation(
    "where({0}, {1}, {2})",
    None,
    lambda g, out, condition, x, y: _chosen(condition, g, 0),
    lambda g, out, condition, x, y: _chosen(condition, 0, g),
    numpy=(np.where,),
)
def where(condition: TensorLike, x: TensorLike, y: TensorLike, /) -> Any:
    """`x` where the condition is true, `y` elsewhere; so are the gradients.

    Args:
        condition, x, y: any shapes that broadcast together.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.where([True, False], [1.0, 2.0], 0)
        Tensor([1., 0.])
    """
    if type(y) is int and y == 0:
        return _kept(condition, x)
    if type(x) is int and x == 0:
        return _kept(np.logical_not(condition), y)
    return np.where(condition, x, y)


def _kept(condition: Any, x: Any) -> Any:
    """`np.where(condition, x, 0)`, ten times as fast on large arrays.

    np.where branches at each element, and where the processor cannot predict the branch, that costs more than the
    arithmetic. Here the bits of `x`, taken for an integer, are multiplied by 1 or 0, which is exact for inf and nan.
    """
    if isinstance(x, np.ndarray) and x.dtype in _INTEGERS and np.asarray(condition).dtype == bool:
        return (x.view(_INTEGERS[x.dtype]) * condition).view(x.dtype)
    return np.where(condition, x, 0)


_INTEGERS: dict[Any, Any] = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}  # of equal size


_chosen: Callable[..., Any] = for_arrays_too(where)


def _select_vjp(g: Any, out: Any, weights: Any, x: Any) -> Any:
    if type(g) is Tensor:
        return select(weights, g)
    # What is repeated is asked once, where that saves time.
    parts = g if g.size <= 10_000 else g[tuple([slice(None if step else 1) for step in g.strides])]
    return weights * (g if 0 not in _isfinite(parts).tobytes() else np.where(weights == 0, 0, g))


_isfinite: Callable[..., Any] = (
    np.isfinite
)  # `0 not in _isfinite(x).tobytes()` is NumPy's fastest way to ask whether all of x is finite


@operation(
    "{0} × {1}",
    lambda g, out, weights, x: g * x,
    _select_vjp,
    symbol="×",
)
def select(weights: Any, x: Any, /) -> Any:
    """`weights * x`, where a weight of 0 means "not chosen": the result is 0 there even if `x` is infinite or nan.

    So is the gradient by `x`. It is what one-hot rows, masks and class weights mean; `0 * x` is nan for such an `x`.

    Args:
        weights, x: any shapes that broadcast together; truth values are weights of 1 and 0.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> from tinygrad_cls.engine.operations.elementwise import select
        >>> select([0.0, 2.0], [float("inf"), 3.0])
        Tensor([0., 6.])
    """
    return weights * (x if 0 not in _isfinite(x).tobytes() else np.where(weights == 0, 0, x))


selected: Callable[..., Any] = for_arrays_too(select)


@operation("{0} − {1}", lambda g, out, x, m: g, lambda g, out, x, m: -g, symbol="−")
def below(x: TensorLike, m: TensorLike, /) -> Any:
    """`x - m`, where equal ones are no distance apart even if both are infinite; `x - m` is nan for those.

    So an exponent stays 0 where `x` itself is the largest, which is subtracted.

    Args:
        x, m: any shapes that broadcast together.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> from tinygrad_cls.engine.operations.elementwise import below
        >>> below([1.0, float("inf")], float("inf"))
        Tensor([-inf,   0.])
    """
    if 0 not in _isfinite(m).tobytes():
        return np.subtract(x, m)
    same = np.equal(x, m)
    return np.subtract(np.where(same, 0, x), np.where(same, 0, m))


@composite
def clip(x: TensorLike, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """`x` limited to the range from `min` to `max`; inside it and on its edges the slope is 1, outside 0.

    Args:
        x: any shape.
        min, max: bounds that broadcast against `x`; None for no bound. Where `min > max`, `max` wins.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.clip([-2.0, 0.5, 2.0], -1, 1)
        Tensor([-1. ,  0.5,  1. ])
    """
    result = x if isinstance(x, Tensor) else Tensor(x)
    if min is not None:
        result = where(less(result, min), min, result)
    if max is not None:
        result = where(greater(result, max), max, result)
    return result


@answers(np.clip)
def _clip(a: TensorLike, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Tensor:
    return clip(a, a_min if min is None else min, a_max if max is None else max)


# --- comparisons and logic: boolean results, no gradient; written in Iverson's brackets -----------------------


@operation("[{0} = {1}]", None, None, symbol="=", ufunc=np.equal)
def equal(x: TensorLike, y: TensorLike, /) -> Any:
    """`x == y` as booleans.

    Args:
        x, y: any shapes that broadcast together.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.equal([1, 2], 2)
        Tensor([False,  True])
    """


@operation("[{0} ≠ {1}]", None, None, symbol="≠", ufunc=np.not_equal)
def not_equal(x: TensorLike, y: TensorLike, /) -> Any:
    """`x != y` as booleans.

    Args:
        x, y: any shapes that broadcast together.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.not_equal([1, 2], 2)
        Tensor([ True, False])
    """


@operation("[{0} < {1}]", None, None, symbol="<", ufunc=np.less)
def less(x: TensorLike, y: TensorLike, /) -> Any:
    """`x < y` as booleans.

    Args:
        x, y: any shapes that broadcast together.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.less([1, 2], 2)
        Tensor([ True, False])
    """


@operation("[{0} ≤ {1}]", None, None, symbol="≤", ufunc=np.less_equal)
def less_equal(x: TensorLike, y: TensorLike, /) -> Any:
    """`x <= y` as booleans.

    Args:
        x, y: any shapes that broadcast together.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.less_equal([1, 3], 2)
        Tensor([ True, False])
    """


@operation("[{0} > {1}]", None, None, symbol=">", ufunc=np.greater)
def greater(x: TensorLike, y: TensorLike, /) -> Any:
    """`x > y` as booleans.

    Args:
        x, y: any shapes that broadcast together.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.greater([1, 3], 2)
        Tensor([False,  True])
    """


@operation("[{0} ≥ {1}]", None, None, symbol="≥", ufunc=np.greater_equal)
def greater_equal(x: TensorLike, y: TensorLike, /) -> Any:
    """`x >= y` as booleans.

    Args:
        x, y: any shapes that broadcast together.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.greater_equal([1, 2], 2)
        Tensor([False,  True])
    """


@operation("[{0} and {1}]", None, None, symbol="and", ufunc=np.logical_and)
def logical_and(x: TensorLike, y: TensorLike, /) -> Any:
    """Whether both are true (not 0), as booleans.

    Args:
        x, y: any shapes that broadcast together.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.logical_and([True, True], [True, False])
        Tensor([ True, False])
    """


@operation("finite({0})", None, symbol="finite?", ufunc=np.isfinite)
def isfinite(x: TensorLike, /) -> Any:
    """Whether each element is neither infinite nor nan, as booleans.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.isfinite([1.0, float("nan")])
        Tensor([ True, False])
    """


@operation("isnan({0})", None, symbol="nan?", ufunc=np.isnan)
def isnan(x: TensorLike, /) -> Any:
    """Whether each element is nan, as booleans.

    Args:
        x: any shape.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.isnan([1.0, float("nan")])
        Tensor([False,  True])
    """


# --- the record itself ----------------------------------------------------------------------------------------


@operation("{0}", lambda g, out, x, dtype: g)
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
