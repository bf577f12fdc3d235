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

from typing import TYPE_CHECKING
from typing import Any as _Any

from .drawing import Drawing, draw
from .engine.functional import (
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
from .engine.grad import grad, value_and_grad
from .engine.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss
from .engine.operation import OPERATIONS, Operation
from .engine.operations.elementwise import (
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
from .engine.operations.products import einsum, matmul, tensordot, vecdot
from .engine.operations.reductions import argmax, argmin, cumulative_sum, max, mean, min, prod, std, sum, var
from .engine.operations.shapes import (
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
from .engine.recording import composite, no_grad
from .engine.tensor import Tensor
from .explanation import explain

if TYPE_CHECKING:
    from . import data, nn, optim
    from .checkpoint import Checkpoint, load, save
    from .compiling import Compiled, CompileError, StaleError, compile
    from .estimators import MLPClassifier as MLPClassifier
    from .estimators import SoftmaxClassifier as SoftmaxClassifier
    from .explanation.derivation import Derivation
    from .training import evaluate, fit

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
    "Derivation",
    "explain",
    "compile",
    "Compiled",
    "CompileError",
    "StaleError",
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
    # training
    "nn",
    "optim",
    "data",
    "fit",
    "evaluate",
    "save",
    "load",
    "Checkpoint",
]

_ON_FIRST_USE = {
    "Derivation": "explanation.derivation",
    "nn": "nn",
    "optim": "optim",
    "data": "data",
    "fit": "training",
    "evaluate": "training",
    "save": "checkpoint",
    "load": "checkpoint",
    "Checkpoint": "checkpoint",
    "compile": "compiling",
    "Compiled": "compiling",
    "CompileError": "compiling",
    "StaleError": "compiling",
    "SoftmaxClassifier": "estimators",  # imports scikit-learn, so it is not in __all__
    "MLPClassifier": "estimators",
}
"""Names by the module that holds them: loaded on first use, so that a first import stays light."""


def __getattr__(name: str) -> _Any:
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = importlib.import_module(f".{_ON_FIRST_USE[name]}", __name__)
    value = module if name == _ON_FIRST_USE[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_FIRST_USE})
