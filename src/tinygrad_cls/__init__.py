"""tinygrad_cls: automatic differentiation that shows why classification works.

A `Tensor` remembers the operation and the inputs that made it. Gradients (`Tensor.backward`, `grad`) and drawings
(`draw`) read that record.

Example:
    >>> import tinygrad_cls as tg
    >>> z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    >>> y = tg.one_hot(2, num_classes=3)
    >>> loss = -(y * tg.log(tg.softmax(z))).sum()
    >>> loss.backward()
    >>> z.grad
    Tensor([ 0.09003057,  0.24472847, -0.33475904])
    >>> tg.softmax(z).detach() - y
    Tensor([ 0.09003057,  0.24472847, -0.33475904])
"""

from .autodiff import grad, value_and_grad
from .drawing import Drawing, draw
from .explain import explain
from .functional import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    logsumexp,
    one_hot,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from .losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss
from .operations.elementwise import (
    abs,
    add,
    astype,
    clip,
    cos,
    cosh,
    divide,
    equal,
    erf,
    exp,
    expm1,
    greater,
    greater_equal,
    identity,
    isfinite,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    stop_gradient,
    subtract,
    tan,
    tanh,
    where,
)
from .operations.products import einsum, matmul, tensordot, vecdot
from .operations.reductions import argmax, argmin, cumulative_sum, max, mean, min, prod, std, sum, var
from .operations.shapes import (
    broadcast_to,
    concat,
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    squeeze,
    stack,
    take,
    take_along_axis,
    tril,
    triu,
)
from .recording import composite, no_grad
from .tensor import OPERATIONS, Operation, Tensor

__version__ = "0.1.0"

__all__ = [
    # the engine
    "Tensor",
    "grad",
    "value_and_grad",
    "no_grad",
    "composite",
    "Operation",
    "OPERATIONS",
    # readers
    "draw",
    "Drawing",
    "explain",
    # element by element
    "abs",
    "add",
    "astype",
    "clip",
    "cos",
    "cosh",
    "divide",
    "equal",
    "erf",
    "exp",
    "expm1",
    "greater",
    "greater_equal",
    "identity",
    "isfinite",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "logical_and",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "stop_gradient",
    "subtract",
    "tan",
    "tanh",
    "where",
    # along axes
    "argmax",
    "argmin",
    "cumulative_sum",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "var",
    # shapes and picking
    "broadcast_to",
    "concat",
    "expand_dims",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "reshape",
    "squeeze",
    "stack",
    "take",
    "take_along_axis",
    "tril",
    "triu",
    # products
    "einsum",
    "matmul",
    "tensordot",
    "vecdot",
    # composed
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "one_hot",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "mse_loss",
    "nll_loss",
]
