"""The functions of NumPy that people differentiate, with calls. Run as a script, it counts which libraries know them.

They were chosen from those that autograd or JAX differentiates: without complex numbers, Fourier transforms, and
helpers for polynomials. A library knows a function when its first call gives NumPy's value and a gradient that
agrees with a numerical one.
"""

from __future__ import annotations

import ast
import functools
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from helpers import gradients, numerical_gradients, weights_like

import tinygrad_cls as tg

Array = np.ndarray[Any, Any]

CALLS = """
np.add(x, y) ; np.add(x, y[0])
np.subtract(x, y)
np.multiply(x, y)
np.divide(x, p)
np.negative(x)
np.positive(x)
np.power(p, y)
np.float_power(p, y) ; np.float_power(2.0, x)
np.square(x)
np.sqrt(p)
np.cbrt(x)
np.reciprocal(x)
np.absolute(x)
np.fabs(x)
np.sign(x)
np.exp(x)
np.exp2(x)
np.expm1(x)
np.log(p)
np.log2(p)
np.log10(p)
np.log1p(p)
np.logaddexp(x, y)
np.logaddexp2(x, y) ; np.logaddexp2(x, 1.0)
np.sin(x)
np.cos(x)
np.tan(u)
np.arcsin(u)
np.arccos(u)
np.arctan(x)
np.arctan2(x, y) ; np.arctan2(x, 0.7) ; np.arctan2(0.7, x)
np.sinh(x)
np.cosh(x)
np.tanh(x)
np.arcsinh(x)
np.arccosh(p + 1)
np.arctanh(u)
np.hypot(x, y) ; np.hypot(x, 3.0)
np.deg2rad(x)
np.rad2deg(x)
np.degrees(x)
np.radians(x)
np.sinc(x) ; np.sinc(u / 4)
np.maximum(x, y)
np.minimum(x, y)
np.fmax(x, y) ; np.fmax(x, 0.5) ; np.fmax(np.where(x > 0, x, np.nan), y)
np.fmin(x, y) ; np.fmin(x, np.where(y > 0, y, np.nan))
np.remainder(x, y) ; np.remainder(x, 0.7) ; np.remainder(2.67, y)
np.fmod(x, y) ; np.fmod(x, -0.7) ; np.fmod(2.67, y)
np.floor_divide(x, y)
np.floor(x)
np.ceil(x)
np.trunc(x)
np.rint(x)
np.round(x) ; np.round(y * 1.01, 1) ; np.round(y * 101, -1)
np.around(x)
np.copysign(x, y) ; np.copysign(x, -2.0)
np.heaviside(x, y) ; np.heaviside(x, 0.5) ; np.heaviside(np.zeros(4), v[:4])
np.where(x > 0, x, y)
np.clip(x, -0.5, 0.5)
np.nan_to_num(x) ; np.nan_to_num(np.where(x > 0, x, np.nan), nan=2.0)
np.select([np.array([True, False, True, False])], [x], y) ; np.select([x > 0.5, x > 0], [x * x, y])
np.interp(x, np.sort(v), w) ; np.interp(v, np.arange(5.0) - 2, w, left=0.5) ; np.interp(v / 10, np.array([0.0]), w[:1])
np.compress([True, False, True], x, axis=0) ; np.compress([True, False], v)
np.sum(x) ; np.sum(x, axis=0, keepdims=True)
np.prod(x, axis=0)
np.mean(x, axis=1)
np.max(x, axis=1)
np.min(x, axis=1)
np.amax(x, axis=1)
np.amin(x, axis=1)
np.var(x, axis=0) ; np.var(x, ddof=1)
np.std(x, axis=0)
np.median(x) ; np.median(x, axis=1) ; np.median(v) ; np.median(x, axis=(0, 1), keepdims=True)
np.quantile(v, 0.3) ; np.quantile(x, [0.1, 0.9], axis=1) ; np.quantile(x, 0.6, axis=0, method="lower", keepdims=True)
np.percentile(v, 30) ; np.percentile(x, 75, axis=0, method="midpoint") ; np.percentile(x, [20, 70], method="nearest")
np.average(x, axis=1) ; np.average(x, axis=0, weights=p[:, 0]) ; np.average(x, weights=p, axis=1, keepdims=True)
np.ptp(x, axis=1)
np.nansum(np.where(x > 0, x, np.nan), axis=0) ; np.nansum(x)
np.nanprod(np.where(x > 0, x, np.nan), axis=0)
np.nanmean(np.where(x > 0, x, np.nan)) ; np.nanmean(x, axis=1, keepdims=True)
np.nanmax(np.where(x > 0, x, np.nan)) ; np.nanmax(x, axis=0)
np.nanmin(np.where(x > 0, x, np.nan))
np.nanvar(np.where(x > 0, x, np.nan)) ; np.nanvar(x, axis=1, ddof=1)
np.nanstd(np.where(x > 0, x, np.nan))
np.cumsum(x, axis=1) ; np.cumsum(x)
np.cumulative_sum(x, axis=1)
np.cumprod(x, axis=1) ; np.cumprod(x) ; np.cumprod(np.array([2.0, 0.0, 3.0, 0.0]) * v[:4])
np.cumulative_prod(x, axis=0) ; np.cumulative_prod(v, include_initial=True)
np.nancumsum(np.where(x > 0, x, np.nan), axis=1)
np.nancumprod(np.where(x > 0, x, np.nan), axis=1) ; np.nancumprod(x)
np.nanmedian(np.where(x > 0, x, np.nan), axis=0) ; np.nanmedian(x) ; np.nanmedian(v, keepdims=True)
np.nanquantile(np.where(x > 0, x, np.nan), 0.3, axis=1) ; np.nanquantile(x, [0.2, 0.9], axis=0)
np.nanpercentile(np.where(x > 0, x, np.nan), 40) ; np.nanpercentile(v, 70, keepdims=True)
np.unwrap(3 * v) ; np.unwrap(2 * x, axis=0) ; np.unwrap(9 * v, discont=4.0) ; np.unwrap(x, period=2.0)
np.diff(x) ; np.diff(x, 2, axis=0) ; np.diff(v, prepend=0.0, append=w[:1])
np.ediff1d(x) ; np.ediff1d(v, to_begin=w[:2], to_end=0.5)
np.gradient(v) ; np.gradient(x, axis=0) ; np.gradient(x) ; np.gradient(v, 0.5, edge_order=2) ;
    np.gradient(v, np.arange(5.0) ** 2)
np.trapezoid(x) ; np.trapezoid(x, dx=0.5, axis=0) ; np.trapezoid(v, np.sort(w)) ; np.trapezoid(x, y, axis=0)
np.cov(x) ; np.cov(x, y) ; np.cov(v, w, bias=True) ; np.cov(x, rowvar=False, ddof=0) ; np.cov(v)
np.corrcoef(x) ; np.corrcoef(v, w)
np.dot(x, y.T) ; np.dot(v, w) ; np.dot(2.0, x)
np.vdot(x, y)
np.vecdot(x, y)
np.inner(x, y) ; np.inner(v, w) ; np.inner(x, 2.0)
np.outer(v, w)
np.matmul(x, y.T)
np.matvec(x, y[0])
np.vecmat(y[:, 0], x)
np.tensordot(x, y, axes=2)
np.einsum("ij,ij->i", x, y)
np.kron(x, y) ; np.kron(v, x) ; np.kron(x, 2.0)
np.cross(x[:, :3], y[:, :3]) ; np.cross(a, b[:, 0], axisa=0) ; np.cross(a, a.T, axis=0) ;
    np.cross(x[:1, :3], y[:, :3], axisc=0)
np.trace(a) ; np.trace(x, offset=1) ; np.trace(np.stack([x, y]), axis1=1, axis2=2)
np.convolve(v, w[:3]) ; np.convolve(v, w[:3], "same") ; np.convolve(v[:2], w, "valid") ;
    np.convolve(v, w[:4], mode="same")
np.correlate(v, w[:3]) ; np.correlate(v, w[:3], "full") ; np.correlate(v[:2], w, "same")
np.polyval(v, x)
np.vander(v) ; np.vander(v, 3, increasing=True)
np.reshape(x, (2, 6))
np.ravel(x)
np.transpose(x)
np.permute_dims(x, (1, 0))
np.matrix_transpose(x)
np.swapaxes(x, 0, 1)
np.moveaxis(x, 0, 1)
np.rollaxis(x, 1) ; np.rollaxis(np.stack([x, y]), 0, 3)
np.expand_dims(x, 1)
np.squeeze(x[:1])
np.broadcast_to(v, (2, 5))
np.broadcast_arrays(x, y[0])
np.concatenate([x, y])
np.stack([x, y], axis=1)
np.vstack([x, y]) ; np.vstack((v, w))
np.hstack([x, y]) ; np.hstack([v, w, 2.0])
np.dstack([x, y]) ; np.dstack([v, w])
np.column_stack([x, y]) ; np.column_stack([v, w])
np.block([[x, y], [y, 2.0 * x]]) ; np.block([v, 0.0, w])
np.append(x, y) ; np.append(x, y, axis=1) ; np.append(v, 3.0)
np.insert(v, 2, w[:2]) ; np.insert(x, [0, 2], 0.5, axis=0) ; np.insert(x, 1, y[:, 0], axis=1)
np.delete(v, 1) ; np.delete(x, [0, 2], axis=1) ; np.delete(x, slice(0, 1), axis=0)
np.split(x, 2, axis=1) ; np.split(x, [1], axis=0)
np.array_split(v, 3) ; np.array_split(x, [1, 3], axis=1)
np.hsplit(x, 2) ; np.hsplit(v, [2])
np.vsplit(x, 3)
np.dsplit(np.stack([x, y], axis=2), 2)
np.unstack(x) ; np.unstack(x, axis=1)
np.tile(x, (2, 1)) ; np.tile(x, 2) ; np.tile(x, (2, 1, 2))
np.repeat(x, 2) ; np.repeat(x, [1, 0, 2], axis=0)
np.resize(x, (2, 3)) ; np.resize(v, (2, 4))
np.roll(x, 1) ; np.roll(x, (1, -1), axis=(0, 1))
np.flip(x) ; np.flip(x, 0) ; np.flip(x, (0, -1))
np.fliplr(x)
np.flipud(x)
np.rot90(x) ; np.rot90(x, 2) ; np.rot90(np.stack([x, y]), k=-1, axes=(1, 2))
np.pad(x, 1, "constant") ; np.pad(x, 1) ; np.pad(x, ((1, 0), (0, 2)), constant_values=((1.0, 2.0), (3.0, 4.0))) ;
    np.pad(x, 1, "edge") ; np.pad(v, (2, 3), mode="reflect") ; np.pad(v, 2, "wrap") ; np.pad(x, (1, 2), "symmetric")
np.atleast_1d(v[0]) ; np.atleast_1d(v, x)
np.atleast_2d(v)
np.atleast_3d(x) ; np.atleast_3d(v)
np.diag(v) ; np.diag(x) ; np.diag(v, k=-1) ; np.diag(x, 1)
np.diagflat(x) ; np.diagflat(v, 1)
np.diagonal(x) ; np.diagonal(x, 1) ; np.diagonal(np.stack([x, y]), axis1=0, axis2=2)
np.tril(x)
np.triu(x)
np.take(v, [0, 0, 3])
np.take_along_axis(x, np.array([[0], [1], [0]]), axis=1)
np.sort(v) ; np.sort(x) ; np.sort(x, axis=0) ; np.sort(x, axis=None)
np.partition(v, [1, 3]) ; np.partition(x, 2)
np.meshgrid(v, w[:2]) ; np.meshgrid(v, w[:2], sparse=True, indexing="ij")
np.linspace(v, w, 4) ; np.linspace(0.0, v[0], 3, endpoint=False) ; np.linspace(v, w, 3, axis=-1)
np.logspace(v, w, 4) ; np.logspace(v[0], 1.0, 3, endpoint=False, base=2.0)
np.geomspace(p[0], p[1], 4) ; np.geomspace(p[0, 0], 3.0, 3, endpoint=False)
np.extract([True, False, True], v[:3])
np.choose([0, 1, 0, 1], [x[0], y[0]])
np.piecewise(x, [x < 0, x >= 0], [np.negative, np.square])
np.apply_along_axis(np.cumsum, 0, x)
np.i0(x)
np.copy(x)
np.linalg.norm(x) ; np.linalg.norm(v) ; np.linalg.norm(x, axis=1) ; np.linalg.norm(x, 1) ;
    np.linalg.norm(x, np.inf) ; np.linalg.norm(v, 3, keepdims=True) ; np.linalg.norm(x, "fro", axis=(1, 0)) ;
    np.linalg.norm(x, -np.inf, axis=0)
np.linalg.vector_norm(x) ; np.linalg.vector_norm(x, axis=1, ord=1)
np.linalg.matrix_norm(x) ; np.linalg.matrix_norm(np.stack([x, y]), ord=np.inf, keepdims=True)
np.linalg.inv(a)
np.linalg.det(a) ; np.linalg.det(np.stack([a, a @ a]))
np.linalg.slogdet(a)
np.linalg.solve(a, b) ; np.linalg.solve(a, b[:, 0]) ; np.linalg.solve(np.stack([a, a.T]), b)
np.linalg.cholesky(a @ a.T + np.eye(3)) ; np.linalg.cholesky(a @ a.T + np.eye(3), upper=True)
np.linalg.matrix_power(a, 3) ; np.linalg.matrix_power(a, -2) ; np.linalg.matrix_power(a, 0)
np.linalg.multi_dot([x, y.T, a]) ; np.linalg.multi_dot([v[:3], x, y.T, v[2:]])
np.linalg.pinv(x) ; np.linalg.pinv(b)
np.linalg.eigh(a + a.T)[0] ; np.linalg.eigh(a + a.T, "U")[1] ** 2
np.linalg.eigvalsh(a + a.T)
np.linalg.lstsq(b, v[:3])[0]
np.linalg.tensorsolve(a, b[:, 0]) ; np.linalg.tensorsolve(np.reshape(np.kron(a, a[:2, :2]), (3, 2, 2, 3)), b)
np.linalg.tensorinv(a, ind=1)
np.linalg.qr(a)
np.linalg.svd(a)
np.linalg.svdvals(a)
np.linalg.cond(a)
np.linalg.trace(x)
np.linalg.diagonal(x)
np.linalg.outer(v, w)
np.linalg.cross(x[:, :3], y[:, :3])
np.linalg.tensordot(x, y)
np.linalg.vecdot(x, y)
"""

_RNG = np.random.default_rng(7)
OPERANDS: dict[str, Array] = {
    "x": np.array([[0.3, -1.2, 0.8, 1.9], [-0.6, 1.1, -1.7, 0.45], [2.2, -0.25, 1.35, -0.9]]),
    "y": np.array([[1.3, 0.7, -0.85, 0.5], [-1.4, 0.35, 1.6, -2.1], [0.95, -1.15, 0.6, 1.75]]),
    "p": np.asarray(_RNG.uniform(0.5, 2.0, (3, 4))),
    "u": np.asarray(_RNG.uniform(-0.9, 0.9, (3, 4))),
    "v": np.array([0.7, -1.3, 2.1, 0.2, -0.55]),
    "w": np.array([1.6, 0.4, -0.9, 2.3, -1.75]),
    "a": np.array([[2.0, 0.3, -0.5], [0.4, 1.5, 0.6], [-0.7, 0.2, 1.1]]),
    "b": np.array([[0.5, -1.1], [1.2, 0.3], [-0.4, 0.9]]),
}
"""What the letters of the calls stand for: away from kinks, ties and singular matrices."""


class Call:
    """One call of a function of NumPy's.

    Args:
        text: the call, where `np` is the module and letters stand for `OPERANDS`.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        found = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        self.letters = sorted(found & OPERANDS.keys())
        self._code = compile(text, text, "eval")

    def __call__(self, *arrays: Any, module: Any = np) -> Any:
        """What the call gives for operands, in a module that stands for NumPy."""
        return eval(self._code, {"np": module, **dict(zip(self.letters, arrays, strict=True))})

    def joined(self, *arrays: Any, module: Any = np) -> Any:
        """The same; of several results the weighted sums, stacked."""
        out = self(*arrays, module=module)
        if hasattr(out, "shape"):
            return out
        return module.stack([(part * weights_like(part, seed=i)).sum() for i, part in enumerate(out)])

    @property
    def arrays(self) -> list[Array]:
        """The operands."""
        return [OPERANDS[letter] for letter in self.letters]

    def __repr__(self) -> str:
        return self.text


def table() -> dict[str, list[Call]]:
    """The calls by the name of their function."""
    lines = CALLS.strip().replace(" ;\n    ", " ; ").splitlines()
    rows = [[Call(text.strip()) for text in line.split(" ; ")] for line in lines]
    return {re.match(r"np\.([\w.]+)\(", row[0].text)[1]: row for row in rows}  # type: ignore[index]


FUNCTIONS = {
    name: row for name, row in table().items() if name not in ("matvec", "vecmat") or hasattr(np, name)
}  # those two came with NumPy 2.2


# --- the libraries ------------------------------------------------------------------------------------------------


def _weighted(call: Call, module: Any, *xs: Any) -> Any:
    out = call.joined(*xs, module=module)
    return (out * weights_like(out)).sum()


def ours(call: Call) -> tuple[Any, list[Array]]:
    """The value and the gradients, with NumPy's own functions on Tensors."""
    value = call.joined(*(tg.Tensor(x) for x in call.arrays)).numpy()
    return value, gradients(functools.partial(_weighted, call, np), call.arrays)


def mygrads(call: Call) -> tuple[Any, list[Array]]:
    """With NumPy's own functions on MyGrad's tensors, or where that fails with MyGrad's functions."""
    import mygrad

    for module in (np, mygrad):
        xs = [mygrad.tensor(x) for x in call.arrays]
        try:
            value = call.joined(*xs, module=module)
            (value * weights_like(value)).sum().backward()
            return value.data, [np.zeros(x.shape) if x.grad is None else x.grad for x in xs]
        except Exception:
            if module is mygrad:
                raise
    raise AssertionError


def autograds(call: Call) -> tuple[Any, list[Array]]:
    """With autograd's copy of NumPy."""
    import autograd
    import autograd.numpy as module

    f = functools.partial(_weighted, call, module)
    return call.joined(*call.arrays, module=module), [
        autograd.grad(f, i)(*call.arrays) for i in range(len(call.arrays))
    ]


def knows(library: Callable[[Call], tuple[Any, list[Array]]], call: Call) -> bool:
    """Whether value and gradients are right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value, found = library(call)
        except Exception:
            return False
    expected = numerical_gradients(functools.partial(_weighted, call, np), call.arrays)
    return np.allclose(value, call.joined(*call.arrays), rtol=1e-10) and all(
        np.shape(g) == x.shape and np.allclose(g, want, rtol=1e-6, atol=1e-8)
        for g, want, x in zip(found, expected, call.arrays, strict=True)
    )


LIBRARIES = {"ours": ours, "MyGrad": mygrads, "autograd": autograds}


def counted() -> Iterator[tuple[str, dict[str, bool]]]:
    """For each function which libraries know it."""
    for name, calls in FUNCTIONS.items():
        yield name, {library: knows(run, calls[0]) for library, run in LIBRARIES.items()}


if __name__ == "__main__":
    found = dict(counted())
    for name, known in found.items():
        print(f"{name:22}", *(f"{library if known[library] else '':9}" for library in LIBRARIES))
    sums = ", ".join(f"{library} {sum(known[library] for known in found.values())}" for library in LIBRARIES)
    print(f"of {len(found)} functions: {sums}")
