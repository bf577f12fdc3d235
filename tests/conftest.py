"""Hypothesis without randomness or deadlines: the same examples in every run, on slow machines too.

`pytest --engine numba tests/test_compile*.py` runs what compiles by another engine.
"""

from hypothesis import HealthCheck, settings

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
