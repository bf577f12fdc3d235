"""How NumPy's functions find Tensors: the two protocols that NumPy asks of whatever it is called on.

What answers is looked up in `NUMPY_FUNCTIONS`, which the entries fill. `Tensor` gets both methods
at the end, and the one that brings values from a device.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..operation import NUMPY_FUNCTIONS
from ..tensor import Tensor

UFUNCS_OF: dict[str, dict[str, Callable[..., Any]]] = {}
"""What answers for ufuncs of other libraries: by the module that holds them and their name there."""


def _is_known(ufunc: np.ufunc) -> bool:
    """Whether something answers for a ufunc. One of another library is looked up when it is met first."""
    for module, functions in UFUNCS_OF.items():
        name = ufunc.__name__
        if name in functions and getattr(sys.modules.get(module), name, None) is ufunc:
            NUMPY_FUNCTIONS.setdefault(ufunc, functions[name])
    return ufunc in NUMPY_FUNCTIONS


def answer_ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """What `ufunc` gives when a Tensor is among its inputs."""
    name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    if options.get("out") is not None:
        raise TypeError(
            f"{name} cannot write a Tensor's result into an array: leave out=, or the in-place operator, away"
        )
    if method != "__call__" or (ufunc not in NUMPY_FUNCTIONS and not _is_known(ufunc)):
        raise _unknown(name)
    if options:
        raise TypeError(f"{name} on a Tensor does not accept {', '.join(sorted(options))}=")
    return NUMPY_FUNCTIONS[ufunc](*inputs)


def answer_function(
    self: Tensor, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What a function of NumPy gives when a Tensor is among its arguments."""
    name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
    if function not in NUMPY_FUNCTIONS:
        raise _unknown(name)
    try:
        return NUMPY_FUNCTIONS[function](*args, **kwargs)
    except TypeError as error:
        if "argument" in str(error) and error.__traceback__ is not None and error.__traceback__.tb_next is None:
            raise TypeError(f"{name} on a Tensor: {error}") from None
        raise


def _unknown(name: str) -> TypeError:
    return TypeError(
        f"{name} is not known for Tensors, and would drop out of the graph: compose it from tinygrad_cls functions, "
        "or call it on .numpy() for a constant"
    )


Tensor.__array_ufunc__ = answer_ufunc  # type: ignore[attr-defined]
Tensor.__array_function__ = answer_function  # type: ignore[attr-defined]


def _brought(self: Tensor, name: str) -> Any:
    """What Python asks for an attribute that is not there: the array, when the values are on a device."""
    if name != "_array":
        return object.__getattribute__(self, name)  # which raises, with its own words
    self._array = array = self._away()  # type: ignore[attr-defined]
    return array


def may_be_away() -> None:
    """From now on a Tensor's array may be missing, and be brought when it is asked for.

    Before that Python is not told to ask: it makes every attribute of every Tensor five times as slow, and steps 9%.
    """
    Tensor.__getattr__ = _brought  # type: ignore[attr-defined]
