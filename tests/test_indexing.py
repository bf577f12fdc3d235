"""Indexing against NumPy: values, and gradients against the dense Jacobian of each pick."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from helpers import INDICES, gradients, weights_like
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_cls as tg
from tinygrad_cls.engine.operations.axes import ARRAY, picked_by_arrays

X = np.random.default_rng(0).normal(size=(3, 2, 3))
MASKS = [np.array([True, False, True]), np.ones((3, 2), bool), X > 0, np.array(False), np.zeros(3, bool)]


def picked_gradient(x: Any, index: Any) -> Any:
    """The gradient of Σ weights ⊙ x[index], through the dense 0/1 Jacobian of the pick."""
    places = np.arange(x.size).reshape(x.shape)[index]
    jacobian = np.equal.outer(places, np.arange(x.size)).astype(float)
    return np.tensordot(weights_like(places), jacobian, axes=np.ndim(places)).reshape(x.shape)


def check(x: Any, index: Any, ours: Any = None) -> None:
    """Values, dtype and gradient of x[index]; `ours` is the index we are given, if not the same."""
    ours = index if ours is None else ours
    expected = x[index]
    out = tg.Tensor(x)[ours]
    np.testing.assert_array_equal(out.numpy(), expected)
    assert out.shape == np.shape(expected)
    (got,) = gradients(lambda t: (t[ours] * weights_like(expected)).sum(), [x])
    np.testing.assert_allclose(got, picked_gradient(x, index), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("index", [*INDICES, *((mask,) for mask in MASKS)], ids=repr)
def test_values_and_gradients_are_those_of_the_pick(index: Any) -> None:
    check(X, index)
    if len(index) == 1:
        check(X, index[0])


@given(hnp.basic_indices((3, 2, 3), min_dims=0, allow_newaxis=True))
def test_basic_indices(index: Any) -> None:
    check(X, index)


@given(hnp.integer_array_indices((3, 2, 3), result_shape=hnp.array_shapes(max_dims=2, min_side=0, max_side=4)))
def test_repeated_integer_indices_add_up(index: Any) -> None:
    check(X, index)
    check(X, index, tuple(map(tg.Tensor, index)))
    check(X, (index[0], slice(None), index[2]))


@given(hnp.arrays(bool, st.sampled_from([(3,), (3, 2), (3, 2, 3)])))
def test_masks(mask: Any) -> None:
    check(X, mask)
    check(X, mask, tg.Tensor(mask))
    check(X, mask, mask.tolist())


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_every_integer_dtype_is_an_index(dtype: Any) -> None:
    index = np.array([0, 2, 2], dtype)
    check(X, index)
    check(X, index, tg.Tensor(index))
    check(X, dtype(1))


def test_tensors_as_integers_slices_and_list_elements() -> None:
    one, two = tg.Tensor(1), tg.Tensor(2)
    check(X, 1, one)
    check(X, (slice(1, 2), ..., 1), (slice(one, two), ..., one))
    check(X, [1, 2], [one, two])


@pytest.mark.parametrize("index", [True, False, (True, 1), (..., True), (0, False)])
def test_truth_values_of_python_are_masks(index: Any) -> None:
    check(X, index)


def test_what_is_static_in_an_index_is_recorded_as_numbers_of_python() -> None:
    one = np.int64(1)
    picked = tg.Tensor(X, requires_grad=True)[one : tg.Tensor(2), one]
    part, place = picked.parameters["index"]
    assert [type(n) for n in (part.start, part.stop, part.step, place)] == [int, int, type(None), int]


def test_an_index_that_requires_no_gradient_is_an_operand_of_the_graph() -> None:
    x, labels = tg.Tensor(X, requires_grad=True), tg.Tensor([0, 1])
    assert x[labels].inputs[1] is labels


def test_the_second_derivative_of_a_repeated_pick() -> None:
    def cubes(x: Any) -> Any:
        return (x[[0, 0, 1]] ** 3).sum()

    np.testing.assert_array_equal(
        tg.grad(lambda x: tg.grad(cubes)(x).sum())(tg.Tensor([1.0, 2.0])).numpy(), [12.0, 12.0]
    )


def test_a_later_change_of_the_index_array_reaches_no_gradient() -> None:
    x, index = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True), np.array([0, 0])
    out = x[index].sum()
    index[:] = 2
    out.backward()
    assert x.grad.tolist() == [2.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("index", "parts"),
    [
        (5, ["getitem", "'table'", "5"]),
        ((0, 0, 0, 0), ["getitem", "too many"]),
        ([0, 7], ["getitem", "'table'", "7"]),
        (np.array([True, False]), ["getitem", "boolean"]),
        (0.5, ["'table'", "float"]),
        ("a", ["'table'", "str"]),
        (np.array([0.0]), ["'table'", "float64"]),
        (tg.Tensor([0.0], requires_grad=True), ["'table'", "float64"]),
    ],
)
def test_wrong_indices_are_index_errors_that_name_the_tensor(index: Any, parts: list[str]) -> None:
    with pytest.raises(IndexError) as caught:
        tg.Tensor(X, name="table")[index]
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_an_index_of_floats_is_refused_as_a_slice_end_too() -> None:
    with pytest.raises(TypeError):
        tg.Tensor(X)[0.0:1.0]


# --- take and take_along_axis -------------------------------------------------------------------------------------


@pytest.mark.parametrize("indices", [1, -1, (0, 2), [], [[0, 1], [1, 1]], np.array([], np.int8)])
def test_take_of_all_kinds_of_positions(indices: Any) -> None:
    np.testing.assert_array_equal(tg.take(X, indices).numpy(), np.take(X, np.array(indices, int)))
    np.testing.assert_array_equal(tg.take(X, indices, axis=-1).numpy(), np.take(X, np.array(indices, int), axis=-1))


@pytest.mark.parametrize("function", [tg.take, tg.take_along_axis])
@pytest.mark.parametrize("indices", [[True, False, True], [0.0], [5], [-4]])
def test_positions_are_integers_in_range(function: Any, indices: Any) -> None:
    with pytest.raises(IndexError):
        function(tg.Tensor([1.0, 2.0, 3.0]), indices)


def test_take_along_axis_needs_as_many_axes() -> None:
    with pytest.raises(ValueError, match=r"take_along_axis.*\(3, 2, 3\).*\(1,\)"):
        tg.take_along_axis(X, [0])


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_take_along_axis_undoes_argsort(axis: int) -> None:
    order = np.argsort(X, axis=axis)
    (got,) = gradients(lambda t: (tg.take_along_axis(t, order, axis=axis) * weights_like(X)).sum(), [X])
    expected = np.empty_like(X)
    np.put_along_axis(expected, order, weights_like(X), axis=axis)
    np.testing.assert_array_equal(got, expected)


def test_taking_the_largest_has_the_gradient_of_max() -> None:
    def largest(t: Any) -> Any:
        return tg.take_along_axis(t, tg.argmax(t, axis=1, keepdims=True), axis=1)

    for a, b in zip(
        gradients(lambda t: largest(t).sum(), [X]), gradients(lambda t: t.max(axis=1).sum(), [X]), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_tensors_cannot_be_written_into() -> None:
    t = tg.Tensor(X, name="table")
    with pytest.raises(TypeError, match=r"'table'.*in place.*assign"):
        t[0] = 1.0


def test_iteration_unpacks_the_first_axis_with_gradients() -> None:
    a, b = x = tg.Tensor([2.0, 3.0], requires_grad=True)
    (a * b).backward()
    assert x.grad.tolist() == [3.0, 2.0]
    assert [v.item() for v in tg.Tensor([1, 2])] == [1, 2]


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_what_an_index_with_arrays_does_to_each_axis_is_what_numpy_does(length: int) -> None:
    """Of each element that NumPy picks, its coordinates in the operand tell from where it comes."""
    shape, row, square = (3, 2, 4), np.array([1, 0]), np.array([[0, 1], [1, 1]])
    for index in itertools.product((slice(None), None, Ellipsis, -1, row, square), repeat=length):
        arrays = [part for part in index if isinstance(part, np.ndarray)]
        used = [part for part in index if part is not None and part is not Ellipsis]
        if not arrays or len(used) > len(shape) or sum(part is Ellipsis for part in index) > 1:
            continue
        coordinates = [along[index] for along in np.indices(shape)]
        pattern = [ARRAY if isinstance(part, np.ndarray) else part for part in index]
        got = picked_by_arrays(shape, pattern, [a.shape for a in arrays])
        assert got is not None
        assert got.ndim == np.broadcast(*arrays).ndim
        assert sorted(own for own, _ in [*got.whole, *got.places, *got.by_array]) == [0, 1, 2]
        for own, axis in got.whole:
            moved = np.moveaxis(coordinates[own], axis, -1)
            assert (moved == np.arange(shape[own])).all(), index
        for own, place in got.places:
            assert (coordinates[own] == place).all(), index
        behind = (1,) * (coordinates[0].ndim - got.first - got.ndim)
        for own, number in got.by_array:
            expected = arrays[number].reshape(*arrays[number].shape, *behind)
            assert (coordinates[own] == expected).all(), index


def test_an_index_with_arrays_and_another_slice_is_not_taken_apart() -> None:
    assert picked_by_arrays((3, 2), [slice(1, None), ARRAY], [(2,)]) is None
