"""How a program's steps are spelled and run: an engine is one module, which `engine` gives by its name."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ..compiling.work import Engine

NEEDS: dict[str, tuple[str, ...]] = {"numpy": (), "numba": ("numba", "scipy", "platformdirs"), "jax": ("jax",)}
"""The engines, and the packages that each of them needs."""
_EXTRAS = {"numba": "fast", "jax": "jax"}


def check(name: str) -> None:
    """Refuse an engine that there is not, or whose packages are not installed.

    Raises:
        ValueError, ImportError: with what to do.
    """
    if name not in NEEDS:
        raise ValueError(f"engine must be one of {', '.join(map(repr, [*NEEDS, 'auto']))}, not {name!r}")
    missing = [package for package in NEEDS[name] if importlib.util.find_spec(package) is None]
    if missing:
        raise ImportError(
            f'engine="{name}" needs {" and ".join(missing)}: pip install "tinygrad_cls[{_EXTRAS[name]}]", or leave the '
            'engine out ("numpy")'
        )


def engine(name: str, **options: Any) -> Engine:
    """The engine of this name, imported when it is used first."""
    module: Any = importlib.import_module(f".{name}", __name__)
    return cast("Engine", module.Jax(**options) if name == "jax" else module)
