"""`jacobian`, `hessian`, `jvp`, `hvp`: against closed forms, each other, differences, autograd, and JAX."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import numerical_gradients

import tinygrad_cls as tg


def network(w, x):
    return tg.log_softmax(tg.tanh(x @ w) * 2.0)


def loss(w):
    return tg.sum(tg.exp(tg.sin(w)) * w) / tg.sum(w * w + 1.0)


RNG = np.random.default_rng(0)
W, X, V = RNG.normal(size=(3, 2)), RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2))


def test_the_jacobian_of_a_linear_map_is_its_matrix():
    a = RNG.normal(size=(4, 3))
    np.testing.assert_array_equal(tg.jacobian(lambda x: a @ x)(np.ones(3)).numpy(), a)


def test_the_jacobian_of_softmax_is_diag_minus_outer():
    z = np.array([0.5, -1.0, 2.0])
    y = np.exp(z) / np.exp(z).sum()
    np.testing.assert_allclose(tg.jacobian(tg.softmax)(z).numpy(), np.diag(y) - np.outer(y, y), atol=1e-15)


def test_rows_of_the_jacobian_are_gradients():
    by_w, by_x = tg.jacobian(network, (0, 1))(W, X)
    assert by_w.shape == (4, 2, 3, 2)
    assert by_x.shape == (4, 2, 4, 3)
    for at in np.ndindex(4, 2):
        expected = tg.grad(lambda w, x, at=at: network(w, x)[at], (0, 1))(W, X)
        np.testing.assert_array_equal(by_w[at].numpy(), expected[0].numpy())
        np.testing.assert_array_equal(by_x[at].numpy(), expected[1].numpy())


def test_shapes_without_axes_and_without_elements():
    assert tg.jacobian(lambda x: x * x)(3.0).item() == 6
    assert tg.jacobian(lambda x: x[:0])(np.ones(3)).shape == (0, 3)
    assert tg.jacobian(lambda x: tg.Tensor([1.0, 2.0]))(np.ones(3)).numpy().tolist() == [[0.0] * 3] * 2
    assert tg.jvp(lambda x: tg.Tensor([1.0, 2.0]), [1.0], [1.0])[1].numpy().tolist() == [0.0, 0.0]


def test_the_hessian_of_a_quadratic_form_and_of_numbers():
    a = RNG.normal(size=(3, 3))
    np.testing.assert_allclose(tg.hessian(lambda x: x @ a @ x)(np.ones(3)).numpy(), a + a.T, atol=1e-14)
    h = tg.hessian(loss)(W).numpy().reshape(6, 6)
    np.testing.assert_allclose(h, h.T, atol=1e-14)
    slopes = [numerical_gradients(lambda w, i=i: tg.grad(loss)(w).numpy().ravel()[i], [W])[0].ravel() for i in range(6)]
    np.testing.assert_allclose(h, slopes, atol=1e-9)


def test_products_are_products_with_the_matrices():
    value, slope = tg.jvp(network, [W, X], [V, X])
    by_w, by_x = tg.jacobian(network, (0, 1))(W, X)
    np.testing.assert_array_equal(value.numpy(), network(tg.Tensor(W), tg.Tensor(X)).numpy())
    expected = np.tensordot(by_w.numpy(), V, 2) + np.tensordot(by_x.numpy(), X, 2)
    np.testing.assert_allclose(slope.numpy(), expected, atol=1e-14)
    h = tg.hessian(loss)(W).numpy()
    np.testing.assert_allclose(tg.hvp(loss)(W, V).numpy(), np.tensordot(h, V, 2), atol=1e-14)


def test_they_nest():
    cubed = tg.jacobian(tg.jacobian(tg.jacobian(lambda x: x**4)))
    assert cubed(2.0).item() == pytest.approx(48.0)

    def along(x):
        return tg.jvp(lambda y: tg.sin(y) * y, [x], [1.0])[1]

    x = 0.7
    assert along(tg.Tensor(x)).item() == pytest.approx(np.cos(x) * x + np.sin(x))
    assert tg.grad(along)(x).item() == pytest.approx(2 * np.cos(x) - np.sin(x) * x)
    assert tg.jacobian(along)(x).item() == pytest.approx(2 * np.cos(x) - np.sin(x) * x)


def test_what_is_closed_over_can_be_differentiated_by():
    w = tg.Tensor(2.0, requires_grad=True)
    tg.jacobian(lambda x: w * x * x)(np.array([3.0])).sum().backward()
    assert w.grad.item() == 6
    w.grad = None
    tg.jvp(lambda x: w * x * x, [3.0], [10.0])[1].backward()
    assert w.grad.item() == 60
    w.grad = None
    tg.hvp(lambda x: w * x * x * x)(3.0, 10.0).backward()
    assert w.grad.item() == 180


def test_what_depends_on_nothing_else_is_constant_and_so_is_all_under_no_grad():
    value, slope = tg.jvp(tg.sin, [1.0], [1.0])
    assert not value.requires_grad
    assert not slope.requires_grad
    assert not tg.jacobian(tg.sin)(np.ones(2)).requires_grad
    w = tg.Tensor(2.0, requires_grad=True)
    with tg.no_grad():
        for t in (tg.jacobian(lambda x: w * x)(1.0), *tg.jvp(lambda x: w * x, [1.0], [1.0]), tg.hessian(loss)(W)):
            assert not t.requires_grad
        assert tg.jvp(lambda x: w * x, [1.0], [1.0])[1].item() == 2


def test_dtypes_are_those_of_grad():
    x = np.ones(2, np.float32)
    assert tg.jacobian(tg.sin)(x).dtype == np.float32
    assert tg.jvp(tg.sin, [x], [x])[1].dtype == np.float32
    assert tg.hvp(lambda x: tg.sum(x**3))(x, x).dtype == np.float32


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (lambda: tg.jacobian(lambda x: 3.0)(1.0), TypeError, "not a Tensor"),
        (lambda: tg.jacobian(tg.sin)(1), TypeError, "give floats"),
        (lambda: tg.jacobian(tg.sin, 1)(1.0), ValueError, "no argument 1"),
        (lambda: tg.jvp(tg.sin, [1.0], [1.0, 2.0]), ValueError, "a direction for each of 1"),
        (lambda: tg.jvp(tg.sin, [[1.0, 2.0]], [1.0]), ValueError, "another shape"),
        (lambda: tg.hvp(loss)(W, 1.0), ValueError, "another shape"),
        (lambda: tg.hvp(loss)(W), ValueError, "and then a vector"),
        (lambda: tg.hessian(tg.sin)(np.ones(2)), ValueError, "one element"),
    ],
)
def test_errors_say_what_is_missing(run, kind, words):
    with pytest.raises(kind, match=words):
        run()


def test_compiled_they_give_the_same():
    f = tg.compile(lambda w, v: (tg.hvp(loss)(w, v), *tg.jvp(loss, [w], [v])))
    plain = tg.hvp(loss)(W, V), *tg.jvp(loss, [W], [V])
    for _ in range(3):
        for a, b in zip(f(W, V), plain):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-13)


def test_against_autograd():
    anp = pytest.importorskip("autograd.numpy")
    autograd = pytest.importorskip("autograd")

    def theirs(w):
        return anp.sum(anp.exp(anp.sin(w)) * w) / anp.sum(w * w + 1.0)

    np.testing.assert_allclose(tg.hessian(loss)(W).numpy(), autograd.hessian(theirs)(W), atol=1e-13)
    np.testing.assert_allclose(tg.hvp(loss)(W, V).numpy(), autograd.hessian_vector_product(theirs)(W, V), atol=1e-13)


@pytest.mark.peers
def test_against_jax():
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():

        def theirs(w, x):
            return jax.nn.log_softmax(jnp.tanh(x @ w) * 2.0)

        def their_loss(w):
            return jnp.sum(jnp.exp(jnp.sin(w)) * w) / jnp.sum(w * w + 1.0)

        for ours, expected in zip(tg.jacobian(network, (0, 1))(W, X), jax.jacrev(theirs, (0, 1))(W, X)):
            np.testing.assert_allclose(ours.numpy(), expected, atol=1e-14)
        for ours, expected in zip(tg.jvp(network, [W, X], [V, X]), jax.jvp(theirs, (W, X), (V, X))):
            np.testing.assert_allclose(ours.numpy(), expected, atol=1e-14)
        np.testing.assert_allclose(tg.hessian(loss)(W).numpy(), jax.hessian(their_loss)(W), atol=1e-13)
        expected = jax.jvp(jax.grad(their_loss), (W,), (V,))[1]
        np.testing.assert_allclose(tg.hvp(loss)(W, V).numpy(), expected, atol=1e-13)
