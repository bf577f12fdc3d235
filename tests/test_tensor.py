"""What a Tensor is: values, record, rules of copying and changing, NumPy's functions, backward, recording modes."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from helpers import operations_of

import tinygrad_cls as tg


def leaf(values: Any = (1.0, 2.0, 3.0), **options: Any) -> tg.Tensor:
    return tg.Tensor(values, requires_grad=True, **options)


# --- making one ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [1, 2.5, True, [1, 2], [[1.0], [2.0]], [], np.float32(3), np.arange(3, dtype=np.uint8), range(3), np.zeros((2, 0))],
    ids=repr,
)
def test_values_and_dtype_are_numpys(data: Any) -> None:
    t, expected = tg.Tensor(data), np.array(data)
    np.testing.assert_array_equal(t.numpy(), expected)
    assert (t.dtype, t.shape, t.ndim, t.size) == (expected.dtype, expected.shape, expected.ndim, expected.size)
    assert t.tolist() == expected.tolist()
    assert tg.Tensor(data, dtype=np.float32).dtype == np.float32


def test_data_is_copied_so_that_later_changes_reach_no_gradient() -> None:
    data = np.array([1.0, 2.0])
    x = leaf(data)
    out = (x * data * x).sum()
    data[:] = 100.0
    out.backward()
    assert x.tolist() == [1.0, 2.0]
    assert x.grad.tolist() == [2.0, 8.0]


@pytest.mark.parametrize(
    "source", [np.arange(4.0)[::2], np.asfortranarray(np.ones((2, 3))), np.arange(3.0).astype(">f8")]
)
def test_any_memory_layout_and_byte_order_is_taken(source: Any) -> None:
    t = tg.Tensor(source)
    np.testing.assert_array_equal(t.numpy(), source)
    assert t.dtype.isnative


@pytest.mark.parametrize(
    ("data", "options", "match"),
    [
        ([1 + 2j], {}, "complex128"),
        (["a"], {}, "<U1 .*from list"),
        ([None], {}, "object"),
        (np.zeros(2, dtype=[("a", float)]), {}, "convert"),
        (np.datetime64("2020-01-01"), {}, "datetime64"),
        (2**70, {}, "object"),
        (np.ma.masked_array([1.0, 2.0], mask=[True, False]), {}, "mask"),
        ([1, 2], {"requires_grad": True}, "int64.*only floating"),
        ([True], {"requires_grad": True}, "bool.*only floating"),
        ([1.0], {"name": 3}, "name is text or None"),
    ],
)
def test_what_cannot_be_a_tensor_is_a_type_error(data: Any, options: Any, match: str) -> None:
    with pytest.raises(TypeError, match=match):
        tg.Tensor(data, **options)


def test_a_masked_array_without_masked_values_is_an_array() -> None:
    assert tg.Tensor(np.ma.masked_array([1.0, 2.0], mask=False)).tolist() == [1.0, 2.0]


def test_ragged_lists_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="inhomogeneous"):
        tg.Tensor([[1.0], [2.0, 3.0]])


def test_requires_grad_may_be_set_on_floating_leaves_alone() -> None:
    x = tg.Tensor([1.0])
    x.requires_grad = True
    y = x * 2
    with pytest.raises(ValueError, match=r"was computed.*detach"):
        y.requires_grad = False
    with pytest.raises(TypeError, match="only floating"):
        tg.Tensor([1]).requires_grad = True
    x.requires_grad = False
    assert not x.requires_grad


# --- reading the values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [leaf(), leaf() * 2, leaf()[1:], tg.Tensor([1.0, 2.0]).T, leaf().detach()])
def test_arrays_handed_out_are_read_only(t: tg.Tensor) -> None:
    array = t.numpy()
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 5.0
    if not t.requires_grad:
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(t)[0] = 5.0


def test_gradients_handed_out_are_read_only_too() -> None:
    x = leaf()
    (x + x).sum().backward()
    with pytest.raises(ValueError, match="read-only"):
        x.grad.numpy()[0] = 5.0


def test_asarray_shares_and_array_copies() -> None:
    t = tg.Tensor([1.0, 2.0])
    assert np.shares_memory(np.asarray(t), t.numpy())
    copied = np.array(t)
    copied[0] = 9.0
    assert t.tolist() == [1.0, 2.0]
    assert np.asarray(t, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match=r"float32.*copy"):
        np.array(t, dtype=np.float32, copy=False)


@pytest.mark.parametrize("t", [leaf(2.0), leaf(), leaf(2.0) * 2])
def test_a_tensor_that_requires_a_gradient_never_turns_into_an_array_in_silence(t: tg.Tensor) -> None:
    for convert in (
        np.asarray,
        np.array,
        tg.Tensor,
        lambda t: np.array([t, t]),
        lambda t: tg.Tensor([t]),
        lambda t: tg.exp([t]),
    ):
        with pytest.raises(TypeError, match="requires a gradient"):
            convert(t)


def test_python_numbers_come_from_single_elements_alone() -> None:
    assert tg.Tensor([[2.5]]).item() == 2.5
    assert (float(tg.Tensor(2.5)), int(tg.Tensor(2.5)), bool(tg.Tensor(0.0))) == (2.5, 2, False)
    assert [10, 20, 30][tg.Tensor(1)] == 20
    assert len(tg.Tensor([[1], [2]])) == 2
    assert f"{tg.Tensor(2.0):.2f} {tg.Tensor(2.0)}" == "2.00 Tensor(2.)"
    for convert in (tg.Tensor.item, float, int):
        with pytest.raises(ValueError, match=r"one element.*\(2,\)"):
            convert(tg.Tensor([1, 2]))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(tg.Tensor([1, 2]))
    for wrong in (tg.Tensor(1.0), tg.Tensor([1])):
        with pytest.raises(TypeError, match="index"):
            [10, 20][wrong]
    for sized in (len, iter):
        with pytest.raises(TypeError, match="0-d"):
            sized(tg.Tensor(1.0))


@pytest.mark.parametrize(
    ("t", "text"),
    [
        (tg.Tensor([1.0, 2.0]), "Tensor([1., 2.])"),
        (tg.Tensor([1, 2]), "Tensor([1, 2])"),
        (tg.Tensor([]), "Tensor([])"),
        (tg.Tensor(1.0, dtype=np.float32, name="w"), "Tensor(1., dtype=float32, name='w')"),
        (leaf(1.0), "Tensor(1., requires_grad=True)"),
        (leaf(1.0) * 2, "Tensor(2., operation=multiply)"),
    ],
)
def test_the_representation_says_what_it_is(t: tg.Tensor, text: str) -> None:
    assert repr(t) == text


def test_comparisons_are_elementwise_and_identity_is_the_hash() -> None:
    a, b = tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 3.0])
    results = (a == b, a != b, a < b, a <= [1, 1], a > 1.5, a >= 1.5, np.array([1.0, 3.0]) >= a)
    assert [r.tolist() for r in results] == [
        [True, False],
        [False, True],
        [False, True],
        [True, False],
        [False, True],
        [False, True],
        [True, True],
    ]
    assert (a == None) is False  # noqa: E711
    assert (a != "text") is True
    assert len({a, b, tg.Tensor([1.0, 2.0])}) == 3


# --- values that change -------------------------------------------------------------------------------------------


def test_assign_replaces_the_values_in_the_dtype_of_the_leaf() -> None:
    w = leaf([1.0, 2.0], dtype=np.float32)
    w.assign(np.array([3.0, 4.0]))
    assert (w.tolist(), w.dtype, w.requires_grad) == ([3.0, 4.0], np.float32, True)
    source = tg.Tensor([5.0, 6.0])
    w.assign(source)
    source.assign([0.0, 0.0])
    assert w.tolist() == [5.0, 6.0]


@pytest.mark.parametrize(
    ("target", "values", "kind"),
    [
        (tg.Tensor([1.0, 2.0]), [1.0], ValueError),
        (tg.Tensor([1.0, 2.0]), 1.0, ValueError),
        (tg.Tensor([1, 2]), [1.5, 2.5], TypeError),
        (leaf() * 2, [1.0, 2.0, 3.0], ValueError),
    ],
)
def test_assign_refuses_other_shapes_kinds_and_computed_tensors(target: Any, values: Any, kind: Any) -> None:
    before = target.tolist()
    with pytest.raises(kind):
        target.assign(values)
    assert target.tolist() == before


@pytest.mark.parametrize("which", ["variable", "constant", "the other operand"])
def test_a_stale_graph_raises_and_leaves_every_grad_alone(which: str) -> None:
    x, c, w = leaf(name="x"), tg.Tensor([1.0, 2.0, 3.0], name="x"), leaf(name="x")
    out = ((x * c) * w).sum()
    w.grad = tg.Tensor([7.0, 7.0, 7.0])
    {"variable": x, "constant": c, "the other operand": w}[which].assign([0.0, 0.0, 0.0])
    with pytest.raises(RuntimeError, match=r"'x'.*assigned new values.*multiply"):
        out.backward()
    assert x.grad is None
    assert w.grad.tolist() == [7.0, 7.0, 7.0]


def test_assigning_after_backward_is_what_an_optimiser_does() -> None:
    w = leaf([1.0])
    for _ in range(3):
        w.grad = None
        (w * w).sum().backward()
        w.assign(w.numpy() - 0.25 * w.grad.numpy())
    assert w.tolist() == [0.125]


def test_detached_values_do_not_follow_a_later_assign() -> None:
    w = leaf([1.0], name="w")
    d = w.detach()
    w.assign([2.0])
    assert (d.tolist(), d.name, d.requires_grad, d.operation) == ([1.0], None, False, None)


# --- copies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_leaves_are_copied_with_values_name_and_gradient(copied: Any) -> None:
    x = leaf([1.0, 2.0], dtype=np.float32, name="x")
    (x * x).sum().backward()
    other = copied(x)
    assert (other.tolist(), other.dtype, other.name, other.requires_grad) == ([1.0, 2.0], np.float32, "x", True)
    assert other.grad.tolist() == [2.0, 4.0]
    other.assign([0.0, 0.0])
    (other * 3).sum().backward()
    assert (x.tolist(), x.grad.tolist()) == ([1.0, 2.0], [2.0, 4.0])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_computed_tensor_is_not_copied_and_its_detached_values_are(copied: Any) -> None:
    y = leaf() * 2
    with pytest.raises(TypeError, match=r"was computed.*detach\(\)"):
        copied(y)
    copied(y.detach())


# --- NumPy's functions --------------------------------------------------------------------------------------------


A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
NUMPY_CALLS: list[Any] = [
    lambda m, t, a: m.exp(t),
    lambda m, t, a: m.add(a, t),
    lambda m, t, a: m.add(t, a),
    lambda m, t, a: a + t,
    lambda m, t, a: t - a,
    lambda m, t, a: a - t,
    lambda m, t, a: a * t / a,
    lambda m, t, a: a**t,
    lambda m, t, a: a @ t.T,
    lambda m, t, a: t @ a.T,
    lambda m, t, a: 2 / t,
    lambda m, t, a: 2**t,
    lambda m, t, a: 1 - t,
    lambda m, t, a: -t + abs(t) + (+t),
    lambda m, t, a: t.mT,
    lambda m, t, a: np.float32(2) * t,
    lambda m, t, a: a.tolist() @ t.T,
    lambda m, t, a: [[1, 1, 1], [2, 2, 2]] + t,  # noqa: RUF005
    lambda m, t, a: m.sum(t),
    lambda m, t, a: m.sum(t, axis=0, keepdims=True),
    lambda m, t, a: m.mean(t, 1),
    lambda m, t, a: m.max(t, axis=(0, 1)),
    lambda m, t, a: m.prod(t, axis=-1),
    lambda m, t, a: m.var(t, axis=0, ddof=1),
    lambda m, t, a: m.std(t, correction=1),
    lambda m, t, a: m.cumsum(t),
    lambda m, t, a: m.cumsum(t, axis=1),
    lambda m, t, a: m.cumulative_sum(t, axis=0),
    lambda m, t, a: m.reshape(t, (3, 2)),
    lambda m, t, a: m.ravel(t),
    lambda m, t, a: m.transpose(t),
    lambda m, t, a: m.transpose(t, (1, 0)),
    lambda m, t, a: m.swapaxes(t, 0, -1),
    lambda m, t, a: m.moveaxis(t, 0, 1),
    lambda m, t, a: m.expand_dims(t, 1),
    lambda m, t, a: m.squeeze(m.expand_dims(t, 1)),
    lambda m, t, a: m.broadcast_to(t, (2, 2, 3)),
    lambda m, t, a: m.concatenate([a, t]),
    lambda m, t, a: m.concat([t, a], axis=1),
    lambda m, t, a: m.stack([a, t], axis=-1),
    lambda m, t, a: m.where(a > 2, t, a),
    lambda m, t, a: m.clip(t, 2, 5),
    lambda m, t, a: m.maximum(a[::-1], t),
    lambda m, t, a: m.take(t, [0, 1, 1], axis=1),
    lambda m, t, a: m.take_along_axis(t, np.array([[1], [0]]), axis=1),
    lambda m, t, a: m.tril(t) + m.triu(t, k=1),
    lambda m, t, a: m.dot(t, a.T),
    lambda m, t, a: m.dot(a, t[0]),
    lambda m, t, a: m.dot(t, 3.0),
    lambda m, t, a: m.dot(a, m.broadcast_to(t.T, (4, 3, 2))),
    lambda m, t, a: m.outer(t, a),
    lambda m, t, a: m.matmul(t, a.T),
    lambda m, t, a: m.vecdot(t, a),
    lambda m, t, a: m.tensordot(t, a, axes=(1, 1)),
    lambda m, t, a: m.einsum("ij,kj->ik", t, a),
    lambda m, t, a: m.matrix_transpose(t),
    lambda m, t, a: m.zeros_like(t) + m.ones_like(t) + m.full_like(t, 3.0) + t,
]


@pytest.mark.parametrize("call", NUMPY_CALLS, ids=range(len(NUMPY_CALLS)))
def test_numpys_functions_and_operators_give_recorded_tensors_of_numpys_values(call: Any) -> None:
    t = leaf(A)
    out, expected = call(np, t, A), call(np, A, A)
    assert isinstance(out, tg.Tensor)
    assert out.requires_grad
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-14)


METHODS: list[Any] = [
    lambda t: t.sum(0),
    lambda t: t.sum(axis=1, keepdims=True),
    lambda t: t.mean(-1),
    lambda t: t.prod(),
    lambda t: t.max(0),
    lambda t: t.min(axis=(0, 1)),
    lambda t: t.var(0),
    lambda t: t.std(1, keepdims=True),
    lambda t: t.argmax(0),
    lambda t: t.argmin(),
    lambda t: t.clip(2, 4),
    lambda t: t.reshape(3, 2),
    lambda t: t.reshape((3, -1)),
    lambda t: t.reshape(-1),
    lambda t: t.transpose(),
    lambda t: t.transpose(1, 0),
    lambda t: t.transpose((1, 0)),
    lambda t: t[0].transpose(0),
    lambda t: t[:1].squeeze(0),
    lambda t: t.ravel(),
    lambda t: t.flatten(),
    lambda t: t.take([1, 0], axis=1),
    lambda t: t.astype(np.float32),
    lambda t: t.astype(int),
]


@pytest.mark.parametrize("method", METHODS, ids=range(len(METHODS)))
def test_methods_are_numpys(method: Any) -> None:
    out, expected = method(tg.Tensor(A)), method(A)
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-14)
    assert (out.dtype, out.shape) == (expected.dtype, expected.shape)


def test_questions_about_a_tensor_are_answered_from_its_values() -> None:
    t = leaf(A)
    assert (np.shape(t), np.ndim(t), np.size(t)) == ((2, 3), 2, 6)
    assert np.allclose(t, A)
    assert np.array_equal(t, A)
    assert np.result_type(t, np.float32) == np.float64


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda t: np.linalg.svd(t), "np.linalg.svd"),
        (lambda t: np.fft.fft(t), "np.fft.fft"),
        (lambda t: np.lexsort(t), "np.lexsort"),
        (lambda t: np.histogram(t), "np.histogram"),
        (lambda t: np.spacing(t), "np.spacing"),
        (lambda t: np.nextafter(np.ones(3), t), "np.nextafter"),
        (lambda t: np.add.reduce(t), "np.add.reduce"),
        (lambda t: np.multiply.outer(t, t), "np.multiply.outer"),
        (lambda t: np.maximum.accumulate(t), "np.maximum.accumulate"),
    ],
)
def test_an_unknown_numpy_function_is_named_in_the_error(call: Any, name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name} is not known for Tensors"):
        call(leaf())


def test_clip_goes_by_numpys_old_and_new_names() -> None:
    x = np.array([-1.0, 0.5, 2.0])
    for words in ({"a_min": 0, "a_max": 1}, {"min": 0, "max": 1}, {"a_min": 0}, {"max": 1}):
        words = {"a_max": None, **words} if "a_min" in words else words
        np.testing.assert_array_equal(np.clip(tg.Tensor(x), **words).numpy(), np.clip(x, **words))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: np.add(t, 1, dtype=np.float32), ["np.add", "dtype="]),
        (lambda t: np.add(t, 1, where=np.array([True, False, True])), ["np.add", "where="]),
        (lambda t: np.mean(t, out=np.zeros(())), ["mean", "out"]),
        (lambda t: np.sum(t, initial=1.0), ["sum", "initial"]),
        (lambda t: np.clip(t, 0, 1, out=np.zeros(3)), ["np.clip", "out"]),
        (lambda t: np.reshape(t, (3, 1), order="F"), ["np.reshape", "order"]),
        (lambda t: np.take(t, [0], mode="wrap"), ["np.take", "mode"]),
    ],
)
def test_an_option_we_do_not_have_is_an_error_that_names_function_and_option(call: Any, words: list[str]) -> None:
    with pytest.raises(TypeError) as caught:
        call(leaf())
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_writing_a_tensor_into_an_array_is_refused() -> None:
    array = np.ones(3)
    with pytest.raises(TypeError, match=r"np.add cannot write.*out="):
        array += leaf()
    with pytest.raises(TypeError, match=r"np.exp cannot write.*out="):
        np.exp(leaf(), out=array)
    with pytest.raises(TypeError, match="requires a gradient"):
        array[:] = leaf()
    assert array.tolist() == [1.0, 1.0, 1.0]


# --- backward -----------------------------------------------------------------------------------------------------


def test_gradients_accumulate_over_uses_and_over_calls() -> None:
    x = leaf([2.0, 3.0])
    y = x * x
    (y + y * x).sum().backward()
    once = [2 * v + 3 * v**2 for v in (2.0, 3.0)]
    assert x.grad.tolist() == once
    (y + y * x).sum().backward()
    assert x.grad.tolist() == [2 * g for g in once]


def test_the_same_graph_gives_the_same_gradient_twice() -> None:
    x = leaf([2.0])
    out = tg.exp(x).sum()
    out.backward()
    first, x.grad = x.grad, None
    out.backward(retain_graph=True)
    assert first.tolist() == x.grad.tolist()


def test_a_kept_gradient_does_not_change_when_more_is_accumulated() -> None:
    x, y = leaf([1.0]), leaf([1.0])
    (x + y).sum().backward()
    kept = x.grad
    (x * 5).sum().backward()
    assert (kept.tolist(), x.grad.tolist(), y.grad.tolist()) == ([1.0], [6.0], [1.0])


def test_every_leaf_gets_a_gradient_and_nothing_else_does() -> None:
    x, c = leaf(), tg.Tensor([1.0, 1.0, 1.0])
    y = x * c
    y.sum().backward()
    assert isinstance(x.grad, tg.Tensor)
    assert not x.grad.requires_grad
    assert c.grad is None
    with pytest.warns(tg.LearningWarning, match="backward leaves gradients at leaves, and this was computed"):
        assert y.grad is None


def test_the_gradient_of_a_leaf_by_itself_is_1() -> None:
    x = leaf(5.0)
    x.backward()
    assert x.grad.item() == 1.0


@pytest.mark.parametrize("kind", [list, np.array, tg.Tensor, leaf])
def test_a_result_of_several_elements_takes_their_weights(kind: Any) -> None:
    x = leaf(dtype=np.float32)
    (x * x).backward(gradient=kind([1.0, 10.0, 100.0]))
    assert x.grad.tolist() == [2.0, 40.0, 600.0]
    assert x.grad.dtype == np.float32


def test_the_weights_are_copied() -> None:
    x, weights = leaf(), np.ones(3)
    (x + 0).backward(weights)
    weights[:] = 5.0
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("run", "kind", "match"),
    [
        (lambda x: (x * 2).backward(), ValueError, r"\(3,\).*3 elements.*gradient="),
        (lambda x: (x * 2).backward([1.0]), ValueError, r"gradient= has shape \(1,\).*\(3,\)"),
        (lambda x: x[:0].backward(), ValueError, "0 elements"),
        (lambda x: tg.Tensor(1.0, name="c").backward(), RuntimeError, "'c'.*requires_grad=True"),
        (lambda x: x.detach().sum().backward(), RuntimeError, "requires_grad=True"),
        (lambda x: tg.argmax(x).backward(), RuntimeError, "requires_grad=True"),
        (lambda x: tg.stop_gradient(x).sum().backward(), RuntimeError, "requires_grad=True"),
        (lambda x: (x > 1).backward(np.ones(3)), RuntimeError, "requires_grad=True"),
    ],
)
def test_backward_says_what_is_missing_and_leaves_grad_alone(run: Any, kind: Any, match: str) -> None:
    x = leaf()
    x.grad = tg.Tensor([4.0, 4.0, 4.0])
    with pytest.raises(kind, match=match):
        run(x)
    assert x.grad.tolist() == [4.0, 4.0, 4.0]


def test_an_error_in_a_derivative_leaves_every_grad_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise FloatingPointError

    x, y = leaf(), leaf()
    out = (tg.exp(y) + x).sum()
    monkeypatch.setattr(tg.OPERATIONS["exp"], "vjps", (broken,))
    with pytest.raises(FloatingPointError):
        out.backward()
    assert (x.grad, y.grad) == (None, None)


@pytest.mark.parametrize(
    ("grad", "kind"),
    [
        (np.ones(3), TypeError),
        ([1.0, 1.0, 1.0], TypeError),
        (tg.Tensor([1.0]), ValueError),
        (tg.Tensor([1, 1, 1]), ValueError),
    ],
)
def test_grad_is_none_or_a_tensor_of_this_shape_and_dtype(grad: Any, kind: Any) -> None:
    x = leaf()
    with pytest.raises(kind, match="gradient of"):
        x.grad = grad
    assert x.grad is None


def test_dtypes_are_kept_through_a_mixed_graph() -> None:
    a, b = leaf(dtype=np.float32), leaf(dtype=np.float64)
    (a * b + a.astype(np.float64)).sum().backward()
    assert (a.grad.dtype, b.grad.dtype) == (np.float32, np.float64)


def test_integers_flow_through_as_constants() -> None:
    x = leaf()
    (x.astype(int) * x + tg.Tensor([1, 2, 3]) * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_branches_that_need_no_gradient_are_not_differentiated(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> Any:
        raise AssertionError("the derivative for a constant was computed")

    monkeypatch.setattr(tg.OPERATIONS["multiply"], "vjps", (tg.OPERATIONS["multiply"].vjp(0), forbidden))
    x = leaf()
    (x * tg.Tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


def test_each_node_is_differentiated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    vjp = tg.OPERATIONS["exp"].vjp(0)
    monkeypatch.setattr(tg.OPERATIONS["exp"], "vjps", (lambda *args: (calls.append(1), vjp(*args))[1],))
    x = leaf(0.1)
    y = x
    for _ in range(10):
        y = tg.exp(y) * 0.1
        y = y + y  # two paths to every node: 2^10 in all
    y.backward()
    assert len(calls) == 10


# --- recording ----------------------------------------------------------------------------------------------------


def test_no_grad_records_nothing_and_ends_with_its_block() -> None:
    x = leaf()
    with tg.no_grad():
        with tg.no_grad():
            inner = x * 2
        outer = tg.softmax(x * 2)
    assert not inner.requires_grad
    assert (outer.requires_grad, outer.operation, outer.inputs) == (False, None, ())
    assert (x * 2).requires_grad


def test_no_grad_ends_when_its_block_raises() -> None:
    with pytest.raises(KeyError), tg.no_grad():
        raise KeyError
    assert (leaf() * 2).requires_grad


def test_one_no_grad_can_be_entered_inside_itself() -> None:
    mode = tg.no_grad()
    with mode, mode:
        pass
    assert (leaf() * 2).requires_grad


def test_no_grad_decorates_functions() -> None:
    @tg.no_grad()
    def doubled(x: tg.Tensor, *, by: float = 2.0) -> tg.Tensor:
        """Twice."""
        return x * by

    assert not doubled(leaf(), by=3.0).requires_grad
    assert (doubled.__name__, doubled.__doc__) == ("doubled", "Twice.")
    assert (leaf() * 2).requires_grad


def test_no_grad_refuses_what_runs_after_it_ends() -> None:
    def generator() -> Any:
        yield 1

    async def coroutine() -> None: ...

    async def both() -> Any:
        yield 1

    for function in (generator, coroutine, both):
        with pytest.raises(TypeError, match=rf"{function.__name__}.*with tg.no_grad\(\)"):
            tg.no_grad()(function)


def test_threads_do_not_see_each_others_no_grad() -> None:
    inside, checked = threading.Event(), threading.Event()
    seen: dict[str, bool] = {}

    def without() -> None:
        with tg.no_grad():
            inside.set()
            checked.wait(10)
            seen["without"] = (leaf() * 2).requires_grad

    thread = threading.Thread(target=without)
    thread.start()
    assert inside.wait(10)
    seen["with"] = (leaf() * 2).requires_grad
    checked.set()
    thread.join(10)
    assert seen == {"with": True, "without": False}


def test_tasks_do_not_see_each_others_no_grad() -> None:
    async def without() -> bool:
        with tg.no_grad():
            await asyncio.sleep(0)
            return (leaf() * 2).requires_grad

    async def plain() -> bool:
        await asyncio.sleep(0)
        return (leaf() * 2).requires_grad

    async def both() -> list[bool]:
        return await asyncio.gather(without(), plain())

    assert asyncio.run(both()) == [False, True]


def test_parallel_training_in_threads_is_independent() -> None:
    results = {}

    def train(seed: int) -> None:
        x = leaf(np.full(50, float(seed)))
        out = x
        for _ in range(50):
            out = tg.tanh(out * 0.9 + x)
        out.sum().backward()
        results[seed] = x.grad.numpy()

    for start in (list(range(4)), list(range(4))):
        threads = [threading.Thread(target=train, args=(seed,)) for seed in start]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        first = dict(results)
    for seed in range(4):
        train(seed)
        np.testing.assert_array_equal(results[seed], first[seed])


def test_composites_mark_all_that_runs_inside() -> None:
    @tg.composite
    def twice_softmax(x: Any) -> Any:
        """Twice."""
        return tg.softmax(x) * 2

    out = twice_softmax(leaf())
    assert twice_softmax.__doc__ == "Twice."
    assert [scope.name for scope in out.scope.path()] == ["twice_softmax"]
    inside = out.inputs[0]
    assert [scope.name for scope in inside.scope.path()] == ["twice_softmax", "softmax"]
    assert repr(inside.scope) == "Scope(twice_softmax > softmax)"
    assert (leaf() * 2).scope is None


def test_two_calls_of_a_composite_have_scopes_of_their_own() -> None:
    x = leaf()
    assert tg.softmax(x).scope is not tg.softmax(x).scope


def test_composites_record_constants_so_that_readers_see_their_origin() -> None:
    assert operations_of(tg.one_hot([0, 1], 2)) >= {"equal", "astype"}
    assert (tg.Tensor([1.0]) * 2).operation is None


def test_a_composite_that_raises_leaves_no_scope_behind() -> None:
    with pytest.raises(ValueError, match="no class number"):
        tg.one_hot(5, 2)
    assert (leaf() * 2).scope is None


def test_recorded_gradients_carry_the_scope_of_what_they_are_the_gradient_of() -> None:
    x = leaf()
    gradient = tg.grad(lambda x: (tg.softmax(x) ** 2).sum())(x)
    names, waiting = set(), [gradient]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tg.Tensor):
            waiting.extend(node.inputs)
            names |= {scope.name for scope in (node.scope.path() if node.scope else ())}
    assert {"softmax", "∂softmax"} <= names


def test_the_record_names_operation_inputs_and_parameters() -> None:
    x = leaf(A)
    out = x.sum(axis=0, keepdims=True)
    assert out.operation is tg.OPERATIONS["sum"]
    assert out.inputs == (x,)
    assert (out.parameters["axis"], out.parameters["keepdims"]) == (0, True)
    assert (x * 2).inputs == (x, 2)
    assert repr(out.operation) == "<operation sum>"


@pytest.mark.parametrize("name", tg.OPERATIONS)
def test_every_operation_says_how_it_is_written(name: str) -> None:
    operation = tg.OPERATIONS[name]
    assert operation.name == name
    assert operation.notation
    assert operation.symbol


# --- life and death -----------------------------------------------------------------------------------------------


@pytest.fixture
def no_collector() -> Any:
    """Without the cyclic collector, only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "build",
    [
        lambda x: (tg.exp(x) * tg.sin(x)).sum(),
        lambda x: tg.cross_entropy(x @ np.ones((3, 3)), 1),
        lambda x: tg.einsum("i,i->", x, tg.concat([x[:2], x[[1]]])) + tg.std(x) + tg.prod(x),
        lambda x: tg.grad(lambda x: tg.grad(lambda x: (x**3).sum())(x).sum())(x).sum(),
    ],
)
@pytest.mark.parametrize("differentiate", [True, False])
def test_a_graph_is_freed_the_moment_its_last_tensor_goes(build: Any, differentiate: bool) -> None:
    x = leaf()
    out = build(x)
    alive, waiting = [], [out]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tg.Tensor) and node is not x:
            alive.append(weakref.ref(node))
            waiting.extend(node.inputs)
    if differentiate:
        out.backward()
    del out, node, waiting
    assert len(alive) > 3
    assert not any(ref() is not None for ref in alive)


@pytest.mark.usefixtures("no_collector")
def test_an_error_on_the_way_back_keeps_no_graph_alive() -> None:
    x = leaf()
    out = tg.exp(x).sum()
    ref = weakref.ref(out)
    x.assign([0.0, 0.0, 0.0])
    with pytest.raises(RuntimeError, match="assigned"):
        out.backward()
    del out
    gc.collect()  # the traceback itself holds frames
    assert ref() is None


# --- constants with names -------------------------------------------------------------------------------------------


def test_arithmetic_on_constants_is_recorded_where_one_has_a_name() -> None:
    y, plain = tg.Tensor([0.0, 1.0], name="y"), tg.Tensor([2.0, 3.0])
    share = (1 - y) * plain
    assert share.operation is tg.OPERATIONS["multiply"]
    assert not share.requires_grad
    assert (plain * 2 + plain).operation is None
    assert y.detach().name is None
    assert (y.detach() * 2).operation is None  # so that a running mean of what is detached keeps no history
    with tg.no_grad():
        assert (1 - y).operation is None
    assert tg.Tensor(share).operation is None
