"""Types: the annotations of every public function can be read at run time, and say what operations take."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_cls as tg


def is_public(method: Any) -> bool:
    return inspect.isfunction(method) and (method.__name__[0] != "_" or method.__name__ in ("__init__", "__add__"))


def public() -> Iterator[tuple[str, Any]]:
    """Every public function, and the methods of every public class."""
    for room, names in (("tg", tg.__all__), *((f"tg.{m}", getattr(tg, m).__all__) for m in ("nn", "optim", "data"))):
        module = tg if room == "tg" else getattr(tg, room[3:])
        for name in names:
            thing = getattr(module, name)
            if inspect.isclass(thing):
                members = [m.fget if isinstance(m, property) else m for m in vars(thing).values()]
                yield from (
                    (f"{room}.{name}.{m.__name__}", m) for m in members if inspect.isfunction(m) and is_public(m)
                )
            elif callable(thing):
                yield f"{room}.{name}", thing


PUBLIC = dict(public())


def test_there_are_many() -> None:
    assert len(PUBLIC) > 200
    assert {"tg.add", "tg.Tensor.backward", "tg.nn.Linear.forward", "tg.fit"} <= PUBLIC.keys()


@pytest.mark.parametrize("name", PUBLIC)
def test_annotations_can_be_read_at_run_time(name: str) -> None:
    hints = typing.get_type_hints(PUBLIC[name])
    assert "return" in hints


def test_operations_say_what_they_take_and_give() -> None:
    for function in (tg.exp, tg.hypot, tg.add):
        hints = typing.get_type_hints(function)
        assert hints["return"] is tg.Tensor
        assert hints["x"] == tg.Tensor | np.typing.ArrayLike
    assert list(inspect.signature(tg.hypot).parameters) == ["x", "y"]
