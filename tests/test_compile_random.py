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
        rounding = max(tolerance, 2e-3) if b.dtype == np.float16 else tolerance  # whose sums an engine may make wider
        np.testing.assert_allclose(a, b, rtol=rounding, atol=rounding * scale)


def assert_same(make, *calls, tolerance=1e-9):
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
            assert_close(arrays(found) + arrays(left_by_twin()), wanted, tolerance)
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


def vectors(*sizes):
    return [[np.arange(1.0, 4.0) * size] for size in sizes]


@pytest.mark.parametrize(
    "taken", [lambda w: w * 1, lambda w: w.detach(), lambda w: w.T, lambda w: w[:, None], lambda w: w.sum()]
)
@pytest.mark.parametrize("first", [True, False])
def test_an_old_value_is_the_old_value(taken, first):
    def make():
        w = tg.Tensor(np.ones(3), requires_grad=True)
        optimiser = tg.optim.SGD([w], lr=0.1)

        def step(x):
            before = taken(w)
            optimiser.zero_grad()
            (w * x * w).sum().backward()
            optimiser.step()
            return (before, w * 2) if first else (w * 2, before)

        return step, lambda: [w]

    assert_same(make, *vectors(1, 2, 3))


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_values_change_places(shape):
    def make():
        a, b, c = (tg.Tensor(np.full(shape, number)) for number in (1.0, 2.0, 3.0))

        def turn(x):
            old = a.detach()
            a.assign(b.T)
            b.assign(c * 2)
            c.assign(old + x)
            a.assign(a.T)
            return a * x, old

        return turn, lambda: [a, b, c]

    assert_same(make, *[[np.full(shape, number)] for number in (1.0, 2.0, 3.0)])


def test_values_are_swapped():
    def make():
        a, b = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])

        def swap(x):
            old = a.detach()
            a.assign(b)
            b.assign(old)
            return a * x

        return swap, lambda: [a, b]

    assert_same(make, [np.ones(2)], [np.ones(2)], [np.ones(2)])


def test_a_check_comes_before_every_change():
    w = tg.Tensor(np.ones(2), requires_grad=True)
    optimiser = tg.optim.SGD([w], lr=0.1)

    @tg.compile
    def step(x):
        optimiser.zero_grad()
        (w * x).sum().backward()
        optimiser.step()
        return tg.one_hot((x + 0.5).astype(int).reshape(-1, 1), 4) * w[0]

    step(np.ones(2))
    step(np.ones(2))
    with pytest.raises(ValueError, match="label 9"):
        step(np.full(2, 9.0))
    np.testing.assert_allclose(w.numpy(), 0.8)


NAMES = ["a name", "class", "None", "np", "out", "zero", "ones", "step", "lr", "x²", "½", "௰", "ﬁ", "λ", "1x", ""]
NAMES += ["{0}", "#", "memory0", "check1", "options1", "run_cumulative_sum", "random_generator"]
NAMES += ["a\nb", "a\rb = 1", "a\0", "\ud800"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_will_do(name):
    def make():
        w, v = (tg.Tensor(np.full((3, 4), size), requires_grad=True) for size in (1.0, 2.0))
        w.name, v.name = name, "fi" if name == "ﬁ" else name  # Python takes these two for one
        optimiser = tg.optim.SGD([w, v], lr=0.1, momentum=0.5)

        def step(x, y):
            optimiser.zero_grad()
            z = tg.tanh(w * x + v) * 2
            z.name = name
            loss = tg.cross_entropy(z, y) + z[::-1].sum()
            loss.name = name
            loss.backward()
            optimiser.step()
            return loss, tg.cumulative_sum(w, axis=0)

        return step, lambda: [w, v]

    rng = np.random.default_rng(0)
    assert_same(make, *[(rng.normal(size=(3, 4)), np.arange(3)) for _ in range(3)])


def test_a_constant_stays_what_it_is():
    kept = np.array([1.0, 0.0, 1.0])  # 1 − x in the first call only
    assert_same(
        pure(lambda x, z: kept * tg.softmax(z) * 2 + tg.softmax(z) * x * 2),
        [np.array([0.0, 1.0, 0.0]), np.arange(3.0)],
        [np.array([5.0, 1.0, 0.0]), np.arange(3.0)],
    )


def test_the_sign_of_a_division_by_zero():
    assert_same(pure(lambda x: (-x) / 0), [np.array([1.0, -2.0])])


def test_assigned_values_are_read_in_the_dtype_of_the_tensor():
    def make():
        w = tg.Tensor(np.array([1, 2], np.int16))

        def step(x):
            w.assign(x)
            return w * 2, w + x

        return step, lambda: [w]

    assert_same(make, [np.array([1, 2])], [np.array([70_000, -70_000])], [np.array([2, 3])])


def test_a_gradient_after_the_step_is_kept():
    def make():
        w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
        optimiser = tg.optim.SGD([w], lr=0.1)

        def step(x):
            optimiser.zero_grad()
            (w * x).sum().backward()
            optimiser.step()
            (w * w * x).sum().backward()

        return step, lambda: [w, w.grad]

    assert_same(make, *vectors(1, 2, 3))


def test_what_was_computed_outside_keeps_its_values_and_its_record():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    h = tg.softmax(tg.exp(w))
    record = (h.operation, h.inputs, h.name)
    compiled = tg.compile(lambda x: (h * x + h, h))
    for values in ([1.0, 2.0], [0.0, 0.0]):
        w.assign(values)
        found, same = compiled(np.ones(2))
        np.testing.assert_allclose(found.numpy(), 2 * h.numpy())
        np.testing.assert_array_equal(same.numpy(), h.numpy())
    assert (h.operation, h.inputs, h.name) == record
    again = tg.exp(w)
    with pytest.raises(tg.CompileError, match="compute it inside"):
        tg.compile(lambda x: (again * x).sum().backward())(np.ones(2))
    assert w.grad is None


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tg.exp(tg.log(x)),
        lambda x: tg.exp(x + tg.log(x)),
        lambda x: tg.exp(x) / tg.exp(x),
        lambda x: tg.softmax(x).sum(axis=-1),
        lambda x: 1 - tg.softmax(x).sum(axis=-1, keepdims=True) * x,
    ],
)
def test_nan_stays(function):
    ordinary = np.array([[1.0, 2.0], [3.0, 1.0]])
    assert_same(pure(function), [ordinary], [-ordinary], [ordinary * 1000], [np.where(ordinary == 1, np.nan, ordinary)])


@pytest.mark.parametrize("turned", [False, True])
def test_parameters_that_make_unequal_numbers_of_steps(turned):
    def make():
        a, b = (tg.Tensor([number, 2.0], requires_grad=True) for number in (1.0, 3.0))
        optimiser = tg.optim.Adam([b, a] if turned else [a, b], lr=0.1)

        def step(x):
            for loss in (lambda: (a + b) * x, lambda: a * a * x):
                optimiser.zero_grad()
                loss().sum().backward()
                optimiser.step()

        return step, lambda: [a, b]

    assert_same(make, *[[np.array([1.0, -2.0]) * size] for size in range(1, 5)])


def test_truth_values_and_integers_are_returned_as_they_are():
    assert_same(
        pure(lambda x: ((tg.softmax(x) * 2 + tg.softmax(x) * x > 1) == (x > 0), tg.argmax(tg.softmax(x) * 2))),
        [np.arange(3.0)],
        [-np.arange(3.0)],
    )


def test_a_gradient_that_the_next_call_reads_is_kept():
    def make():
        w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
        optimiser = tg.optim.SGD([w], lr=0.1)

        def step(x):
            (w * x).sum().backward()
            first = w.grad
            optimiser.zero_grad()
            (w * w * x).sum().backward()
            optimiser.step()
            return first

        return step, lambda: [w, w.grad]

    assert_same(make, *vectors(1, 2, 3))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("options", [{}, {"weight": [1.0, 2.0]}, {"label_smoothing": 0.1}])
def test_a_loss_over_no_sample(reduction, options):
    def make():
        w = tg.Tensor(np.ones((3, 2)), requires_grad=True)

        def step(x, labels):
            w.grad = None
            loss = tg.cross_entropy(x * w, labels, ignore_index=0, reduction=reduction, **options)
            loss.sum().backward()
            return loss, loss * (labels > 0), loss / (labels > 0)

        return step, lambda: [w.grad]

    x = np.random.default_rng(0).normal(size=(3, 2))
    assert_same(make, (x, np.array([0, 1, 1])), (x, np.array([0, 0, 0])), (x * np.inf, np.array([1, 0, 1])))


def test_axes_without_elements():
    def function(x):
        shares = tg.exp(x) / tg.exp(x).sum(axis=0, keepdims=True)
        return shares, shares.sum(axis=0), tg.log_softmax(x, 1) * 2, (x * 2).sum() + (x * 3).sum()

    assert_same(pure(function), [np.ones((0, 3))], [np.zeros((0, 3))])


def test_numbers_that_do_not_fit_an_integer():
    def negative(x):
        return tg.where(x > 1, -1, x)

    numbers = np.arange(3, dtype=np.uint64)
    try:
        negative(tg.Tensor(numbers))
    except OverflowError:  # from NumPy 2.5 on
        with pytest.raises(OverflowError, match="out of bounds"):
            tg.compile(negative)(numbers)
    else:
        assert_same(pure(negative), [numbers], [numbers * 0])
    assert_same(pure(lambda x: tg.where(x > 1, x * 2, 1)), [np.arange(3, dtype=np.int8)], [np.zeros(3, np.int8)])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, bool, np.uint64])
def test_softmax_of_integers(dtype):
    def function(x, y):
        e, h = tg.exp(x), tg.exp(x + y)
        return (
            e / e.sum(axis=1, keepdims=True),
            tg.log(h / h.sum(axis=1, keepdims=True)) * 2,
            1 / (1 + tg.exp(x * -1.0)),
        )

    x = np.array([[1, 0, 2], [0, 1, 3]]).astype(dtype)
    assert_same(pure(function), (x, np.ones((2, 1))), (x[::-1], np.zeros((2, 1))))


def test_single_constants():
    one = np.float64(1.0)
    assert_same(
        pure(lambda x: (tg.where(one > 2, 0, one * 3) * x, tg.maximum(tg.relu(one), x), tg.relu(one) + x[0])),
        [np.ones(2)],
        [np.zeros(2)],
    )


def test_a_constant_mask():
    mask = np.array([True, False, True])

    def make():
        w = tg.Tensor(np.ones(3), requires_grad=True)

        def step(x):
            w.grad = None
            (tg.where(mask, 0, w * x).sum() + tg.where(mask, w, 0).sum()).backward()
            return tg.where(mask, 0, x), tg.where(mask, x, 0), tg.where(np.True_, 0, x.sum())

        return step, lambda: [w.grad]

    assert_same(make, *vectors(1, np.inf, 3))


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: tg.softmax(x * 0.0) * 2,
        lambda x, y: tg.softmax(x - x + y) * 2,
        lambda x, y: (x * np.zeros((2, 2)) + y, y * 2 + y * tg.exp(x), tg.softmax(y) / 2),
        lambda x, y: tg.softmax(tg.sqrt(x) * tg.sqrt(x)) * 2 + tg.softmax(x) * y * 2,
        lambda x, y: tg.softmax((x**0.5) ** 2) * 2,
        lambda x, y: tg.exp(x - y.sum(axis=1, keepdims=True)) / tg.exp(x - y.sum(axis=1, keepdims=True)).sum(axis=1),
    ],
)
def test_nan_is_not_cancelled(function):
    x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 2))
    assert_same(pure(function), (x, y), (x * [[np.nan], [1]], y), (x * [[1], [-1]], y), (x, y * np.nan))


@pytest.mark.parametrize("extreme", [tg.max, tg.min])
@pytest.mark.parametrize("axis", [None, 1, (0, 1), ()])
def test_an_extreme_is_among_the_elements(extreme, axis):
    def make():
        w = tg.Tensor(np.random.default_rng(0).normal(size=(4, 3)), requires_grad=True)

        def step(x):
            w.grad = None
            e = tg.exp(w * x)
            shares = tg.log(e / e.sum(axis=1, keepdims=True))
            best = extreme(shares, axis=axis, keepdims=True)
            (best * best).sum().backward()
            return best, tg.exp(best) * 2, extreme(tg.softmax(w * x) * 2 + x * 2, axis=axis)

        return step, lambda: [w.grad]

    assert_same(make, *vectors(1, -0.3, 3, 0))


@pytest.mark.filterwarnings("ignore::tinygrad_cls.LearningWarning")
def test_leaves_given_as_values_have_the_values_they_have_by_then():
    def make():
        w, v = (tg.Tensor(np.full(3, number), requires_grad=True) for number in (1.0, 2.0))
        optimiser = tg.optim.SGD([w], lr=0.1)

        def step(x):
            v.grad = w
            optimiser.zero_grad()
            (w * x * w).sum().backward()
            optimiser.step()
            v.assign(w)
            w.assign(w + v)
            return tg.Tensor(v.detach()) * x, tg.mse_loss(v.detach(), w.detach())

        return step, lambda: [w, v, v.grad]

    assert_same(make, *vectors(1, 2, 3))


@pytest.mark.parametrize(
    "gradient",
    [
        lambda x, y: tg.exp(x) * (tg.tanh(y) > 0),
        lambda x, y: (tg.exp(x)[:, :2] @ (tg.exp(x)[:2] * 2).astype(int)).astype(float),
        lambda x, y: tg.broadcast_to((tg.tanh(x[:3]) > 0).sum(axis=0, dtype=float), (30, 40)) * 1.0,
    ],
)
def test_a_learning_rate_is_not_moved_to_truth_values_and_integers(gradient):
    def make():
        w = tg.Tensor(np.ones((30, 40)), requires_grad=True)
        optimiser = tg.optim.SGD([w], lr=0.1)

        def step(x, y):
            optimiser.zero_grad()
            w.grad = gradient(x, y)
            optimiser.step()

        return step, lambda: [w]

    rng = np.random.default_rng(0)
    assert_same(make, *[(rng.normal(size=(30, 40)), rng.normal(size=(30, 1))) for _ in range(3)])


def test_the_mean_of_many_half_floats():
    def make():
        w = tg.Tensor(np.ones((300, 300), np.float16), requires_grad=True)

        def step(x):
            w.grad = None
            (w * x).mean(axis=(0, 1)).backward(gradient=x[0, 0] * 2)

        return step, lambda: [w.grad]

    assert_same(make, *[[np.full((300, 300), size, np.float16)] for size in (1, 2, 3)])


# --- random functions -------------------------------------------------------------------------------------------------

ELEMENTS = "tanh sin cos square abs negative sigmoid softplus relu elu silu leaky_relu gelu identity stop_gradient sign"
PAIRS = "add subtract multiply maximum minimum equal not_equal less less_equal greater greater_equal logical_and"
NUMBERS = [0, 1, 2, -1, 3, 0.5, -2.5, 2.0, True, 0.0]
DTYPES = [np.float64] * 4 + [np.float32, np.int64, np.int8, np.bool_]
SHAPES = [(), (1,), (3,), (4,), (3, 4), (4, 3), (1, 4), (3, 1), (2, 3, 4), (2, 1, 4), (0, 3), (40, 5)]


class Maker:
    """Makes a new tensor from those in a pool, the same in every run of one seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def choice(self, items):
        return items[self.rng.integers(len(items))]

    def axes(self, t):
        """One axis, several, all or none, from the front or the back."""
        some = tuple(int(a) for a in range(t.ndim) if self.rng.random() < 0.5)
        return self.choice([None, some, *range(-t.ndim, t.ndim)])

    def axis(self, t):
        return int(self.rng.integers(-t.ndim, t.ndim))

    def index(self, t):
        steps = [slice(None), slice(None, None, -1), slice(1, None), slice(None, None, 2), None, Ellipsis, 0, -1]
        return tuple(self.choice([*steps, np.array([0, -1, 0])]) for _ in range(self.rng.integers(1, t.ndim + 1)))

    def made(self, pool):
        a, b = self.choice(pool[-6:]), self.choice(pool)
        keepdims, number = bool(self.rng.integers(2)), self.choice(NUMBERS)
        match self.rng.integers(16):
            case 0 | 1:
                return getattr(tg, self.choice(ELEMENTS.split()))(a)
            case 2 | 3:
                return getattr(tg, self.choice(PAIRS.split()))(a, b)
            case 4:
                operands = self.choice([(a, number), (number, a)])
                return getattr(tg, self.choice(PAIRS.split()))(*operands)
            case 5:
                name = self.choice(["sum", "mean", "max", "min", "prod", "logsumexp", "var"])
                return getattr(tg, name)(a, axis=self.axes(a), keepdims=keepdims)
            case 6:
                return getattr(tg, self.choice(["softmax", "log_softmax"]))(a.astype(float), self.axis(a))
            case 7:
                return getattr(tg, self.choice(["argmax", "argmin"]))(a, axis=self.axis(a), keepdims=keepdims)
            case 8:
                return a[self.index(a)]
            case 9:
                shapes = [(-1,), (a.size, 1), (2, a.size // 2), (*a.shape, 1), a.shape[::-1]]
                return self.choice([a.T, a.mT, a.reshape(self.choice(shapes)), tg.broadcast_to(a, (2, *a.shape))])
            case 10:
                return self.choice([tg.where(a > 0, a, number), tg.where(b > 0, 0, a), tg.where(a > b, b, a)])
            case 11:
                return self.choice([a @ b, a @ a.mT, tg.einsum("...i,...i->...", a, b), tg.tensordot(a, b, axes=1)])
            case 12:
                return self.choice([tg.concat, tg.stack])([a, b, a], axis=self.axis(a))
            case 13:
                return a.astype(self.choice(DTYPES)) if a.dtype.kind != "f" else a.astype(self.choice(DTYPES[:5]))
            case 14:
                labels = tg.argmax(a, axis=-1)
                options = {"reduction": self.choice(["mean", "sum", "none"]), "label_smoothing": self.choice([0, 0.1])}
                return tg.cross_entropy(a.astype(float), labels, **options)
            case _:
                return self.choice([tg.cumulative_sum(a, axis=self.axis(a)), tg.clip(a, -0.5, 0.5), tg.tril(a), a / 3])

    def forward(self, pool, steps):
        """Make some more; what raises is left out."""
        for _ in range(steps):
            try:
                new = self.made(pool)
            except tg.CompileError:
                raise
            except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError):
                continue
            if new.size <= 1000 and new.ndim <= 4:
                pool.append(tg.tanh(new) if new.dtype.kind == "f" else new)


def values(rng, shape, dtype, kind):
    drawn = {
        "ordinary": rng.normal(size=shape),
        "ties": rng.integers(-1, 2, shape),
        "large": 1e4 * rng.normal(size=shape),
    }
    drawn |= {"negative": -abs(drawn["ordinary"]), "nan": np.where(rng.random(shape) < 0.2, np.nan, drawn["ordinary"])}
    return drawn[kind if np.dtype(dtype).kind == "f" else "ties"].astype(dtype)


def random_training(seed):
    """A function that trains parameters in some way, for `assert_same`."""
    outer = np.random.default_rng(seed)
    shapes = [SHAPES[i] for i in outer.integers(len(SHAPES), size=4)]
    kind, way = outer.integers(6), outer.integers(6)

    def make():
        rng = np.random.default_rng(seed)
        parameters = [
            tg.Tensor(rng.normal(size=shape), requires_grad=True) for shape in (shapes[0], shapes[0], shapes[1])
        ]
        average = tg.Tensor(rng.normal(size=shapes[0]))
        optimiser = [
            lambda p: tg.optim.SGD(p, lr=0.1),
            lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
            lambda p: tg.optim.SGD([{"parameters": p[:1], "momentum": 0.5}, {"parameters": p[1:]}], lr=0.1),
            lambda p: tg.optim.AdamW(p, lr=0.01, eps=0.1),
            lambda p: tg.optim.Adam(p, lr=0.01, eps=0.1, weight_decay=0.1),
            lambda p: tg.optim.SGD(p[::-1], lr=0.1, momentum=0.9),
        ][kind](parameters)

        def step(*arguments):
            maker, results = Maker(seed), []
            for _ in range(1 + (way == 1)):
                pool = [*map(tg.Tensor, arguments), *parameters, average]
                maker.forward(pool, 8)
                old = [maker.choice([lambda w: w * 1, tg.Tensor.detach, lambda w: w.T])(w) for w in parameters]
                losses = [t for t in pool if t.requires_grad]
                loss = tg.tanh(maker.choice(losses)).sum() + (maker.choice(losses) ** 2).mean()
                if way != 2:
                    optimiser.zero_grad()
                loss.backward()
                if way == 3:
                    results.append(tg.grad(lambda w, x: (tg.tanh(w * x) ** 2).sum())(parameters[0], average))
                results += [loss, *(p.grad for p in parameters if p.grad is not None)]
                optimiser.step()
                results += [*old, pool[-1]]
            if way == 4:
                average.assign(average * 0.9 + parameters[0] * 0.1)
                results.append(parameters[0] - average)
            if way == 5:
                was = parameters[0].detach()
                parameters[0].assign(parameters[1])
                parameters[1].assign(was)
            return [t.detach() for t in [*results, *pool[-3:]]]

        return step, lambda: [*parameters, average]

    dtypes = [DTYPES[i] for i in outer.integers(len(DTYPES), size=2)]
    return make, [
        [values(outer, shape, dtype, kind) for shape, dtype in zip(shapes[2:], dtypes)]
        for kind in ("ordinary", "ordinary", "ties", "negative", "large", "nan")
    ]


def check_random(seed):
    make, calls = random_training(seed)
    assert_same(make, *calls, tolerance=1e-5)  # there is float32 in it


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, about means of nothing
@pytest.mark.filterwarnings("ignore::tinygrad_cls.LearningWarning")  # what is random may well be a mistake
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_random_training(first):
    for seed in range(first, first + 20):
        check_random(seed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::tinygrad_cls.LearningWarning")
@pytest.mark.parametrize("first", range(1000, 4000, 100))
def test_more_random_training(first):
    for seed in range(first, first + 100):
        check_random(seed)
