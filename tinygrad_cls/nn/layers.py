"""The layers, composed from operations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from ..engine.functional import softmax
from ..engine.operations.activations import relu, sigmoid
from ..engine.operations.elementwise import sqrt, square, tanh
from ..engine.operations.random import uniform
from ..engine.operations.reductions import mean
from ..engine.tensor import Tensor, TensorLike, as_tensor, describe
from . import init
from .module import Module


class Linear(Module):
    """`x W + b`: each output is a weighted sum of all inputs.

    The initial weights and biases are uniform between ±1/√inputs, as PyTorch's are. The weight is stored as
    (inputs, outputs), so that the formula needs no transpose; PyTorch stores it the other way round.

    Args:
        inputs: the length of the last axis of `x`.
        outputs: the length of the last axis of the result.
        bias: whether to add `b`.
        generator: where the initial values come from; by default a new one that nobody can repeat.
        dtype: of the parameters.

    Attributes:
        weight: W, shape (inputs, outputs).
        bias: b, shape (outputs,), or None.

    Raises:
        ValueError: when a length is less than 1.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> layer = tg.nn.Linear(4, 3, generator=np.random.default_rng(0))
        >>> layer
        Linear(4, 3)  # 15 parameters
        >>> layer(np.ones((2, 4), np.float32)).shape
        (2, 3)
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        generator = generator_or_new(generator)
        bound = 1 / math.sqrt(max(inputs, 1))
        weight = init.kaiming_uniform((inputs, outputs), generator, gain=1 / math.sqrt(3), dtype=dtype)
        self.weight: Tensor = Tensor(weight, requires_grad=True, name="weight")
        self.bias: Tensor | None = None
        if bias:
            values = generator.uniform(-bound, bound, outputs).astype(dtype)
            self.bias = Tensor(values, requires_grad=True, name="bias")

    def forward(self, x: TensorLike) -> Tensor:
        """`x W + b`; `x` has shape (..., inputs), the result (..., outputs)."""
        product = x @ self.weight
        return product if self.bias is None else product + self.bias

    def options(self) -> str:
        return ", ".join(map(str, self.weight.shape)) + (", bias=False" if self.bias is None else "")


class Sequential(Module):
    """Modules one after another.

    Args:
        layers: the modules, in the order in which they are applied.

    Raises:
        TypeError: when one of them is no Module: what a bare function closes over would not be trained.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> rng = np.random.default_rng(0)
        >>> tg.nn.Sequential(tg.nn.Linear(64, 128, generator=rng), tg.nn.ReLU(), tg.nn.Linear(128, 10, generator=rng))
        Sequential(  # 9,610 parameters
          (layers.0): Linear(64, 128)  # 8,320 parameters
          (layers.1): ReLU()
          (layers.2): Linear(128, 10)  # 1,290 parameters
        )
    """

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(
                    f"layer {i} of Sequential is no Module but {type(layer).__name__}: "
                    "write a Module whose forward calls it"
                )
        self.layers: list[Module] = list(layers)

    def forward(self, x: TensorLike) -> Tensor:
        """The result of the last layer; `x` itself when there are none."""
        for layer in self.layers:
            x = layer(x)
        return as_tensor(x)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        """One layer, or a Sequential of several that shares their parameters."""
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]


class ReLU(Module):
    """`tg.relu` as a layer.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.nn.ReLU()([-1.0, 2.0]).numpy()
        array([0., 2.])
    """

    def forward(self, x: TensorLike) -> Tensor:
        """`relu(x)`, of the shape of `x`."""
        return relu(x)


class Tanh(Module):
    """`tg.tanh` as a layer.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.nn.Tanh()([0.0]).numpy()
        array([0.])
    """

    def forward(self, x: TensorLike) -> Tensor:
        """`tanh(x)`, of the shape of `x`."""
        return tanh(x)


class Sigmoid(Module):
    """`tg.sigmoid` as a layer.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.nn.Sigmoid()([0.0]).numpy()
        array([0.5])
    """

    def forward(self, x: TensorLike) -> Tensor:
        """`sigmoid(x)`, of the shape of `x`."""
        return sigmoid(x)


ACTIVATIONS: dict[str, type[Module]] = {layer.__name__.lower(): layer for layer in (ReLU, Tanh, Sigmoid)}
"""What may stand after a hidden layer, by the name that estimators and command line know it by."""


class Softmax(Module):
    """`tg.softmax` as a layer. For the last layer in training leave it out: `cross_entropy` wants logits.

    Args:
        axis: the axis of the classes.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.nn.Softmax()([0.0, 0.0]).numpy()
        array([0.5, 0.5])
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: TensorLike) -> Tensor:
        """`softmax(x)`, of the shape of `x`."""
        return softmax(x, self.axis)

    def options(self) -> str:
        return f"axis={self.axis}"


class Dropout(Module):
    """In training, sets elements to 0 with probability `p`, anew in each call; else does nothing.

    What is kept is multiplied by 1 / (1 − p), so that sums keep their expected size (Srivastava et al., 2014).

    Args:
        p: the probability of 0, from 0 to 1.
        generator: where the randomness comes from; by default a new one that nobody can repeat. A checkpoint of
            the model keeps its state.

    Raises:
        ValueError: when `p` is not from 0 to 1.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> dropout = tg.nn.Dropout(0.5, generator=np.random.default_rng(0))
        >>> dropout(np.ones(6)).numpy()
        array([2., 0., 0., 0., 2., 2.])
        >>> dropout.eval()(np.ones(6)).numpy()
        array([1., 1., 1., 1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, generator: np.random.Generator | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout needs a probability from 0 to 1, not {p}")
        self.p = p
        self.generator: np.random.Generator = generator_or_new(generator)

    def forward(self, x: TensorLike) -> Tensor:
        """Of the shape of `x`, which must be floating."""
        x = as_tensor(x)
        if x.dtype.kind != "f":
            raise TypeError(f"Dropout scales its input and needs floats, got {describe(x)}")
        if not self.training or self.p == 0:
            return x
        scale = 1 / (1 - self.p) if self.p < 1 else 0.0
        mask = (uniform(self.generator, x.shape) >= self.p).astype(x.dtype) * scale
        mask.name = "kept"
        return x * mask

    def options(self) -> str:
        return f"p={self.p}"


class LayerNorm(Module):
    """`(x − mean) / √(variance + eps) · weight + bias`, over the last axes (Ba, Kiros & Hinton, 2016).

    The variance is the mean of the squared differences, as in PyTorch.

    Args:
        shape: the lengths of the last axes that are normalised together; an int for the last axis alone.
        eps: keeps the quotient finite where all elements are equal.
        affine: whether there are `weight` and `bias`.
        dtype: of the parameters.

    Attributes:
        weight: ones at first, of shape `shape`, or None.
        bias: zeros at first, of shape `shape`, or None.

    Raises:
        ValueError: when the last axes of the input do not have these lengths.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.nn.LayerNorm(2)([[1.0, 3.0]]).numpy().round(3)
        array([[-1.,  1.]])
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        eps: float = 1e-5,
        affine: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.shape: tuple[int, ...] = (shape,) if isinstance(shape, int) else tuple(shape)
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"LayerNorm needs one axis or more, of length 1 or more, got {shape}")
        self.eps = eps
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None
        if affine:
            self.weight = Tensor(np.ones(self.shape, dtype), requires_grad=True, name="weight")
            self.bias = Tensor(np.zeros(self.shape, dtype), requires_grad=True, name="bias")

    def forward(self, x: TensorLike) -> Tensor:
        """Of the shape of `x`, whose last axes are `shape`."""
        x = as_tensor(x)
        if x.shape[-len(self.shape) :] != self.shape:
            raise ValueError(f"LayerNorm({self.options()}) needs these lengths last, got {describe(x)}")
        axes = tuple(range(-len(self.shape), 0))
        centred = x - mean(x, axis=axes, keepdims=True)
        normal = centred / sqrt(mean(square(centred), axis=axes, keepdims=True) + self.eps)
        return normal if self.weight is None or self.bias is None else normal * self.weight + self.bias

    def options(self) -> str:
        return f"{self.shape[0] if len(self.shape) == 1 else self.shape}, eps={self.eps}"


class Standardize(Module):
    """`(x − mean) / deviation` with the mean and standard deviation of each feature of the training data.

    Both are constants: saved with the model, never trained. A feature that does not vary, or by no more than rounding
    does, is only shifted.

    Args:
        inputs: the training data, shape (samples, features).
        weights: how much each sample counts, shape (samples,); by default all alike.

    Raises:
        ValueError: when `inputs` has not two axes, no samples, or values that are not finite.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.nn.Standardize([[0.0, 5.0], [2.0, 5.0]])([[2.0, 5.0]]).numpy()
        array([[1., 0.]])
    """

    def __init__(self, inputs: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> None:
        x = np.asarray(inputs)
        dtype = x.dtype if x.dtype.kind == "f" else np.dtype(float)
        if x.ndim != 2 or len(x) == 0 or not np.isfinite(x).all():
            raise ValueError(f"Standardize needs finite data of shape (samples, features), got shape {x.shape}")
        x = x.astype(np.float64, copy=False)
        counts = None if weights is None else np.asarray(weights, np.float64)
        mean = np.average(x, axis=0, weights=counts)
        mean = mean + np.average(x - mean, axis=0, weights=counts)  # rounding of the first grows with the samples
        largest = np.abs(x - mean).max(axis=0)  # of which the square may be more than any number
        largest[largest == 0] = 1
        deviation = largest * np.sqrt(np.average(np.square((x - mean) / largest), axis=0, weights=counts))
        # Values that are equal but for rounding deviate by a tiny number, which would blow up whatever differs.
        double = np.finfo(np.float64)
        rounding = max(10 * double.eps, float(np.spacing(dtype.type(1))))
        steady = deviation <= rounding * np.maximum(np.abs(mean), double.tiny)
        self.mean: Tensor = Tensor(mean, dtype=dtype)
        self.deviation: Tensor = Tensor(np.where(steady, 1.0, deviation), dtype=dtype)

    def forward(self, x: TensorLike) -> Tensor:
        """Of the shape of `x`, whose last axis has the features."""
        x = as_tensor(x)
        return (x - self.mean) / self.deviation

    def options(self) -> str:
        return str(self.mean.shape[0])


def generator_or_new(generator: np.random.Generator | None) -> np.random.Generator:
    """The generator itself, or a new one with entropy from the operating system.

    A seed is refused: two layers with the same seed would start with the same weights.
    """
    if generator is None:
        return np.random.default_rng()
    if not isinstance(generator, np.random.Generator):
        raise TypeError(f"generator must be a numpy.random.Generator (np.random.default_rng(seed)), not {generator!r}")
    return generator
