"""Hypothesis without randomness or deadlines: the same examples in every run, on slow machines too.

`pytest --engine numba tests/test_compile*.py` runs what compiles by another engine.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, started
from hypothesis import HealthCheck, settings
from pages import Saved, derived

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption("--engine", default="numpy", help="the engine of tg.compile where a test names none")


def pytest_configure(config):
    from tinygrad_cls.compiling import Compiled, compile

    for function in (compile, Compiled.__init__):
        function.__kwdefaults__["engine"] = config.getoption("--engine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, started once for a file of tests."""
    with started() as running:
        yield running


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """The page of one of the losses, by a way, in a language: saved once."""
    folder = tmp_path_factory.mktemp("pages")

    @functools.cache
    def page(loss: str = "cross_entropy", way: Any = None, lang: str = "en") -> Path:
        path = folder / f"{loss}-{way}-{lang}.html"
        derived(loss, way, lang).save(path)
        return path

    return page
