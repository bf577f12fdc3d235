"""What numba's programs are made of: arrays at an address, BLAS, sums in any order, functions in loops of machine code.

A function named like an operation is how numba's programs spell that operation on single numbers; where there is none
it is `np.<spelling>`, which numba compiles.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import platformdirs
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import get_cython_function_address, intrinsic, overload
from numba.np import arrayobj

from ..compiling.recording import CompileError
from ..engine.tensor import Array

boolean = numba.types.boolean
_INT, _CHAR = ir.IntType(32), ir.IntType(8)
_INLINE = {"error_model": "numpy", "forceinline": True}

# --- arrays and products ----------------------------------------------------------------------------------------------


def _array_at(context: Any, builder: Any, kind: Any, address: Any, lengths: list[Any]) -> Any:
    """An array over memory that belongs to somebody else, its elements in order."""
    made = arrayobj.make_array(kind)(context, builder)
    size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    strides = [size]
    for n in reversed(lengths[1:]):
        strides.insert(0, builder.mul(n, strides[0]))
    arrayobj.populate_array(
        made,
        data=builder.inttoptr(address, made.data.type),
        shape=lengths,
        strides=strides[: len(lengths)],
        itemsize=size,
        meminfo=None,
    )
    return made._getvalue()


@intrinsic
def array(typing: Any, at: Any, number: Any, shape: Any, dtype: Any) -> Any:
    """The array whose address has this number."""
    kind = types.Array(dtype.dtype, len(shape), "C")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table = arrayobj.make_array(at)(context, builder, args[0])
        address = builder.load(builder.gep(table.data, [args[1]]))
        return _array_at(context, builder, kind, address, cgutils.unpack_tuple(builder, args[2]))

    return kind(at, number, shape, dtype), generate


@intrinsic(prefer_literal=True)
def empty(typing: Any, shape: Any, dtype: Any) -> Any:
    """A small array on the stack: nobody else knows of it, so that no loop need ask whether arrays overlap."""
    kind = types.Array(dtype.dtype, len(shape), "C")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _on_stack(context, builder, kind, shape)

    return kind(shape, dtype), generate


@intrinsic(prefer_literal=True)
def full(typing: Any, shape: Any, start: Any) -> Any:
    """A small array on the stack, this number in every place."""
    kind = types.Array(types.unliteral(start), len(shape), "C")  # type: ignore[attr-defined, call-overload]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        made = _on_stack(context, builder, kind, shape)
        data = arrayobj.make_array(kind)(context, builder, made).data
        size = context.get_constant(types.intp, math.prod(n.literal_value for n in shape))
        with cgutils.for_range(builder, size) as loop:
            builder.store(args[1], builder.gep(data, [loop.index]))
        return made

    return kind(shape, start), generate


def _on_stack(context: Any, builder: Any, kind: Any, shape: Any) -> Any:
    lengths = [context.get_constant(types.intp, n.literal_value) for n in shape]
    memory = ir.ArrayType(context.get_data_type(kind.dtype), math.prod(n.literal_value for n in shape))
    place = cgutils.alloca_once(builder, memory)
    place.align = 64
    return _array_at(context, builder, kind, builder.ptrtoint(place, ir.IntType(64)), lengths)


@intrinsic
def _gemm(
    typing: Any, f: Any, ta: Any, tb: Any, m: Any, n: Any, k: Any, alpha: Any, a: Any, lda: Any, b: Any, ldb: Any,
    beta: Any, c: Any, ldc: Any,
) -> Any:  # fmt: skip
    signature = types.void(f, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = args[6].type

        def given(i: int) -> Any:
            if i in (7, 9, 12):
                return builder.inttoptr(args[i], number.as_pointer())
            value = args[i] if i in (6, 11) else builder.trunc(args[i], _CHAR if i in (1, 2) else _INT)
            place = cgutils.alloca_once(builder, value.type)
            builder.store(value, place)
            return place

        operands = [given(i) for i in range(1, 14)]
        routine = ir.FunctionType(ir.VoidType(), [x.type for x in operands]).as_pointer()
        builder.call(builder.inttoptr(args[0], routine), operands)
        return context.get_dummy_value()

    return signature, generate


def dot(at: Any, a: Any, b: Any, out: Any) -> Any:
    """`out = a b`."""


def subtract_dot(at: Any, a: Any, b: Any, out: Any) -> Any:
    """`out -= a b`."""


def _products(alpha: int, beta: int) -> Callable[..., Any]:
    """`out = alpha a b + beta out` by BLAS, which counts along columns and so multiplies in the other order."""

    def typed(at: Any, a: Any, b: Any, out: Any) -> Any:
        routine = 0 if out.dtype is types.float32 else 1
        number = out.dtype
        turned_a, turned_b = a.layout == "F", b.layout == "F"
        ta, tb = 84 if turned_a else 78, 84 if turned_b else 78  # T and N

        def run(at: Any, a: Any, b: Any, out: Any) -> None:
            m, n = out.shape
            k = a.shape[1]
            lda, ldb = m if turned_a else k, k if turned_b else n
            x, y, z = a.ctypes.data, b.ctypes.data, out.ctypes.data
            _gemm(at[routine], tb, ta, n, m, k, number(alpha), y, ldb, x, lda, number(beta), z, n)

        return run

    return typed


overload(dot, jit_options=_INLINE)(_products(1, 0))
overload(subtract_dot, jit_options=_INLINE)(_products(-1, 1))


def addresses(*arrays: Array) -> Array:
    """Where BLAS's products of single and double numbers are, and the arrays."""
    return np.array([*_blas(), *(x.ctypes.data for x in arrays)], np.uint64).view(np.int64)


@functools.cache
def _blas() -> tuple[int, int]:
    return tuple(get_cython_function_address("scipy.linalg.cython_blas", name) for name in ("sgemm", "dgemm"))


# --- numbers ----------------------------------------------------------------------------------------------------------


@njit(fastmath={"reassoc"}, **_INLINE)
def plus(total: Any, x: Any) -> Any:
    """`total + x`, where the order of adding up does not matter, so that several are added at once."""
    return total + x


@njit(**_INLINE)
def select(weight: Any, x: Any) -> Any:
    """`weight * x`, and 0 where the weight is 0, be `x` infinite or nan."""
    return weight * (x if weight != 0 else weight * 0)


@njit(**_INLINE)
def pick(x: Any, place: Any) -> Any:
    """`x[place]`, found by comparing, so that it is done for several rows at once."""
    found = x[0]
    for j in range(1, x.shape[0]):
        found = x[j] if j == place else found
    return found


@njit(**_INLINE)
def below(x: Any, m: Any) -> Any:
    """`x - m`, and 0 where both are the same infinity."""
    return x - x * 0 if x == m and x - m != x - m else x - m


@njit(**_INLINE)
def erf(x: Any) -> Any:
    """The error function."""
    return math.erf(x)


@intrinsic
def maximum(typing: Any, x: Any, y: Any) -> Any:
    """The larger number, nan if one is: by one instruction of LLVM's, which many branches would keep busy for ever."""
    return _of_one_type(typing.unify_types(x, y), "llvm.maximum")


@intrinsic
def minimum(typing: Any, x: Any, y: Any) -> Any:
    """The smaller number, nan if one is."""
    return _of_one_type(typing.unify_types(x, y), "llvm.minimum")


def _of_one_type(number: Any, name: str) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(args[0].type, [x.type for x in args])
        return builder.call(builder.module.declare_intrinsic(name, [args[0].type], kind), args)

    return number(number, number), generate


def exp(x: Any) -> Any:
    """The exponential, without branches, so that it is computed for several numbers at once."""


def tanh(x: Any) -> Any:
    """The hyperbolic tangent, without branches."""


def _exp_single(x: Any) -> Any:
    # 2ⁿ eʳ with |r| ≤ log(2)/2; the polynomial is that of Cephes (Moshier), expf.c.
    y = min(max(x, np.float32(-104)), np.float32(89))
    n = np.floor(y * np.float32(1.44269504088896341) + np.float32(0.5))
    r = (y - n * np.float32(0.693359375)) - n * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * (r * r) + r + np.float32(1)
    power = np.int32(n)
    half = power >> np.int32(1)  # in two factors, since 2ⁿ alone may be out of range
    first = np.int32((half + np.int32(127)) << np.int32(23)).view(np.float32)
    second = np.int32((power - half + np.int32(127)) << np.int32(23)).view(np.float32)
    return p * first * second if x == x else x


def _exp_double(x: Any) -> Any:
    # As above; the quotient is that of Cephes, exp.c.
    y = min(max(x, -746.0), 710.0)
    n = np.floor(y * 1.4426950408889634073599 + 0.5)
    r = (y - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6
    s = r * r
    p = r * ((1.26177193074810590878e-4 * s + 3.02994407707441961300e-2) * s + 9.99999999999999999910e-1)
    q = ((3.00198505138664455042e-6 * s + 2.52448340349684104192e-3) * s + 2.27265548208155028766e-1) * s + 2.0
    e = 1.0 + 2.0 * (p / (q - p))
    power = np.int64(n)
    half = power >> 1
    first = np.int64((half + 1023) << 52).view(np.float64)
    second = np.int64((power - half + 1023) << 52).view(np.float64)
    return e * first * second if x == x else x


def _tanh_single(x: Any) -> Any:
    # Near 0 Cephes' polynomial, tanhf.c; elsewhere 1 − 2 / (e²ˣ + 1).
    z = abs(x)
    s = z * z
    p = np.float32(-5.70498872745e-3)
    p = p * s + np.float32(2.06390887954e-2)
    p = p * s + np.float32(-5.37397155531e-2)
    p = p * s + np.float32(1.33314422036e-1)
    p = p * s + np.float32(-3.33332819422e-1)
    near = x + x * s * p
    far = np.float32(1) - np.float32(2) / (exp(z + z) + np.float32(1))
    far = far if x > 0 else -far
    return near if z < np.float32(0.625) else (far if x == x else x)


def _tanh_double(x: Any) -> Any:
    # Near 0 Cephes' quotient, tanh.c; elsewhere 1 − 2 / (e²ˣ + 1).
    z = abs(x)
    s = z * z
    p = (-9.64399179425052238628e-1 * s - 9.92877231001918586564e1) * s - 1.61468768441708447952e3
    q = ((s + 1.12811678491632931402e2) * s + 2.23548839060100448583e3) * s + 4.84406305325125486048e3
    near = x + x * s * (p / q)
    far = 1.0 - 2.0 / (exp(z + z) + 1.0)
    far = far if x > 0 else -far
    return near if z < 0.625 else (far if x == x else x)


@overload(exp, jit_options=_INLINE)
def _exp_typed(x: Any) -> Any:
    return _exp_single if x is types.float32 else _exp_double


@overload(tanh, jit_options=_INLINE)
def _tanh_typed(x: Any) -> Any:
    return _tanh_single if x is types.float32 else _tanh_double


# --- machine code, and where it is kept -------------------------------------------------------------------------------


def machine_code(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function for arguments of these types."""

    def compiled(function: Callable[..., Any]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", numba.errors.NumbaWarning)
            path = Path(function.__code__.co_filename)
            for _ in range(2 * path.is_file()):
                with contextlib.suppress(Exception):  # what is kept may be damaged, or the folder closed
                    return njit(signature, error_model="numpy", cache=True)(function)
                with contextlib.suppress(OSError):
                    for kept in path.parent.rglob(f"{path.stem}.*.nb*"):
                        kept.unlink()
            try:
                return njit(signature, error_model="numpy")(function)
            except numba.errors.NumbaError as error:
                raise CompileError(
                    f'numba cannot compile this program: {error}\nUse engine="numpy", and report this, please'
                ) from error

    return compiled


@functools.lru_cache(maxsize=64)
def compiled(source: str) -> dict[str, Any]:
    """The functions of a text of machine code, compiled, or found where an earlier process left them.

    They take arguments of their types alone, and do not ask.
    """
    path = _kept(source)
    types_by_name = {np.dtype(c).name: np.dtype(c).type for c in "fdbhilqBHI"}
    namespace = {**globals(), **types_by_name, "bool_": np.bool_, "__name__": __name__}
    exec(compile(source, str(path) if path is not None else "<tg.compile>", "exec"), namespace)
    functions = {name: x for name, x in namespace.items() if isinstance(x, numba.core.dispatcher.Dispatcher)}
    made = {name: x for name, f in functions.items() if name.startswith("run") for x in f.overloads.values()}
    entries = {name: x.entry_point for name, x in made.items()}
    return {**entries, "machine_code": functions}  # which lives as long as these are kept


def folder() -> Path | None:
    """Where machine code is kept: `TINYGRAD_CLS_CACHE`, nowhere if that is "off", else the user's cache folder."""
    chosen = os.environ.get("TINYGRAD_CLS_CACHE", "")
    if chosen.lower() in ("off", "0"):
        return None
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("tinygrad_cls")) / "numba"


def _kept(source: str) -> Path | None:
    """The source as a file, for numba keeps machine code beside that; None where no file can be written."""
    where = folder()
    if where is None:
        return None
    text = source.encode("utf-8", "surrogatepass")
    versions = f"{numba.__version__} {np.__version__} {sys.version_info[:2]}".encode()
    parts = (versions, Path(__file__).read_bytes(), text)  # this file is part of the machine code
    path = where / f"p{hashlib.blake2b(b' '.join(parts), digest_size=16).hexdigest()}.py"
    try:
        if path.is_file() and path.read_bytes() == text:
            return path
        where.mkdir(parents=True, exist_ok=True)
        handle, spare = tempfile.mkstemp(dir=where, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        os.utime(spare, (0, 0))  # numba compares the time: two writers are to leave the same
        os.replace(spare, path)
    except OSError:
        return None
    return path
