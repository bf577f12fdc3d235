"""`tg.compile` against eager: what random functions and data found, and the functions and data themselves."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_cls as tg


def arrays(result):
    """The arrays in a result, in order."""
    if isinstance(result, tg.Tensor):
        return [np.array(result.numpy())]
    if isinstance(result, (list, tuple)):
        return [array for part in result for array in arrays(part)]
    return [] if result is None else [np.asarray(result)]


def assert_close(found, wanted, tolerance=1e-9):
    """Equal shapes and dtypes, and values within rounding at the scale of each array."""
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if b.dtype.kind != "f":
            np.testing.assert_array_equal(a, b)
            continue
        scale = float(np.max(np.abs(b), where=np.isfinite(b), initial=1.0))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def assert_same(make, *calls):
    """A function and its compiled twin give the same, and leave the same behind.

    Args:
        make: gives a function, and a function that gives what to look at after each call.
        calls: the arguments of each call.
    """
    (function, left), (twin, left_by_twin) = make(), make()
    compiled = tg.compile(twin)
    results = []
    with np.errstate(all="ignore"):
        for args in calls:
            wanted = arrays(function(*args)) + arrays(left())
            found = compiled(*args)
            assert_close(arrays(found) + arrays(left_by_twin()), wanted)
            results.append((found, arrays(found)))
    for found, before in results:  # results are the caller's
        for a, b in zip(arrays(found), before):
            np.testing.assert_array_equal(a, b)
    return compiled


def pure(function):
    """A function that leaves nothing behind, for `assert_same`."""
    return lambda: (function, list)


@pytest.mark.parametrize("number", [2.0, -1.0, 0.0])
def test_single_numbers_keep_their_dtype(number):
    assert_same(pure(lambda x: (x > 0).astype(float)), [np.array(number)], [np.array(-number)])
    assert_same(pure(lambda x: tg.where(x <= 0, 0.0, x)), [np.array(int(number))], [np.array(-int(number))])


def test_a_choice_is_not_written_over_another_dtype():
    assert_same(pure(lambda x: tg.where(x > 1, 1.5, x * 2)), [np.arange(4)], [np.arange(4) - 2])
