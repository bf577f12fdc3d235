"""The ufuncs of `scipy.special` that are operations or composites of ours, where SciPy is installed.

SciPy is not imported: a ufunc that meets a Tensor is looked up by its name in `scipy.special`, if that was imported.
Functions that are no ufuncs, such as its `softmax`, ask nobody, and raise for Tensors that require a gradient.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.operation import NUMPY_FUNCTIONS
from ..engine.operations import equal, erf, log, log1p, multiply, negative, where
from ..engine.operations.activations import sigmoid, softplus
from ..engine.operations.protocols import UFUNCS_OF
from ..engine.recording import composite
from ..engine.tensor import Tensor, TensorLike, as_tensor


@composite
def xlogy(x: TensorLike, y: TensorLike) -> Tensor:
    """`x log y`, and 0 where `x` is 0."""
    at_0 = np.logical_and(equal(x, 0), np.logical_not(np.isnan(y)))
    return where(at_0, 0.0, multiply(x, log(where(at_0, 1, y))))


@composite
def xlog1py(x: TensorLike, y: TensorLike) -> Tensor:
    """`x log(1 + y)`, and 0 where `x` is 0."""
    at_0 = np.logical_and(equal(x, 0), np.logical_not(np.isnan(y)))
    return where(at_0, 0.0, multiply(x, log1p(where(at_0, 0, y))))


@composite
def entr(x: TensorLike) -> Tensor:
    """`-x log x`; 0 at 0 and -inf below."""
    return where(np.less(x, 0), -math.inf, negative(xlogy(x, where(np.less(x, 0), 1, x))))


@composite
def rel_entr(x: TensorLike, y: TensorLike) -> Tensor:
    """`x log(x / y)`, 0 where `x` is 0 and `y` is not negative, and infinite where either is below its range."""
    outside = np.logical_or(np.less(x, 0), np.less_equal(y, 0))
    outside = np.logical_and(outside, np.logical_not(np.logical_and(equal(x, 0), equal(y, 0))))
    usual = np.logical_and(np.greater(x, 0), np.greater(y, 0))
    ratio = np.divide(where(usual, x, 1), where(usual, y, 1))
    return where(outside, math.inf, multiply(x, log(ratio)))


@composite
def logit(x: TensorLike) -> Tensor:
    """`log(x / (1 - x))`: the inverse of the sigmoid."""
    x = as_tensor(x)
    return log(x) - log1p(-x)


@composite
def log_expit(x: TensorLike) -> Tensor:
    """The logarithm of the sigmoid."""
    return -softplus(negative(x))


_NUMPYS: dict[str, Any] = {name: NUMPY_FUNCTIONS[getattr(np, name)] for name in ("cbrt", "exp2", "expm1", "log1p")}
UFUNCS_OF["scipy.special"] = {
    **_NUMPYS,
    "expit": sigmoid,
    "erf": erf,
    "xlogy": xlogy,
    "xlog1py": xlog1py,
    "entr": entr,
    "rel_entr": rel_entr,
    "logit": logit,
    "log_expit": log_expit,
    "softplus": softplus,
}
