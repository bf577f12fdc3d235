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

# ruff: noqa: F403  (what is exported is said where it is defined)

import typing as _typing

from . import interop as _interop  # noqa: F401  (NumPy's functions on Tensors)
from . import phrases as _phrases
from . import vocabulary as _vocabulary
from .advice import LearningWarning as LearningWarning
from .creation import *
from .derivatives import *
from .drawing import Drawing as Drawing
from .drawing import draw as draw
from .engine.functional import *
from .engine.grad import grad as grad
from .engine.grad import value_and_grad as value_and_grad
from .engine.losses import *
from .engine.operation import OPERATIONS as OPERATIONS
from .engine.operation import Operation as Operation
from .engine.operations import *
from .engine.recording import composite as composite
from .engine.recording import no_grad as no_grad
from .engine.tensor import Tensor as Tensor
from .explanation import explain as explain

if _typing.TYPE_CHECKING:
    from . import data as data
    from . import debug as debug
    from . import nn as nn
    from . import optim as optim
    from .checkpoint import Checkpoint as Checkpoint
    from .checkpoint import load as load
    from .checkpoint import save as save
    from .compiling import Compiled as Compiled
    from .compiling import CompileError as CompileError
    from .compiling import StaleError as StaleError
    from .compiling import compile as compile
    from .estimators import MLPClassifier as MLPClassifier
    from .estimators import SoftmaxClassifier as SoftmaxClassifier
    from .explanation.derivation import Derivation as Derivation
    from .training import evaluate as evaluate
    from .training import fit as fit

__version__ = "0.2.0"

_ON_FIRST_USE = {
    "Derivation": "explanation.derivation",
    "nn": "nn",
    "optim": "optim",
    "data": "data",
    "debug": "debug",
    "fit": "training",
    "evaluate": "training",
    "save": "checkpoint",
    "load": "checkpoint",
    "Checkpoint": "checkpoint",
    "compile": "compiling",
    "Compiled": "compiling",
    "CompileError": "compiling",
    "StaleError": "compiling",
    "SoftmaxClassifier": "estimators",
    "MLPClassifier": "estimators",
}
"""Names by the module that holds them: loaded on first use, so that a first import stays light."""

if not _typing.TYPE_CHECKING:
    from types import ModuleType as _ModuleType

    __all__ = [
        *(name for name, value in globals().items() if name[0] != "_" and not isinstance(value, _ModuleType)),
        *(name for name, module in _ON_FIRST_USE.items() if module != "estimators"),  # which import scikit-learn
    ]


def __getattr__(name: str) -> _typing.Any:
    if name not in _ON_FIRST_USE:
        raise _phrases.unknown(__name__, name, _vocabulary.PACKAGE, __dir__())
    import importlib

    module = importlib.import_module(f".{_ON_FIRST_USE[name]}", __name__)
    value = module if name == _ON_FIRST_USE[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_FIRST_USE})
