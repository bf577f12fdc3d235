"""`tg.debug`: where a nan comes from, and whether a derivative is right.

Example:
    >>> import numpy as np
    >>> import tinygrad_cls as tg
    >>> x = tg.Tensor([1.0, 0.0], requires_grad=True, name="x")
    >>> try:
    ...     with np.errstate(divide="ignore"), tg.debug.anomaly():
    ...         y = tg.log(x)
    ... except tg.debug.AnomalyError as error:
    ...     print(str(error).splitlines()[0])
    log gives -inf, at (1,): 1 of 2 elements is infinite
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .advice import Place, place, shown
from .derivatives import jacobian
from .drawing import Drawing, draw
from .drawing.values import size, summary
from .engine.backward import fitted, pull_back
from .engine.grad import grad
from .engine.operations import concat, reshape
from .engine.operations import sum as total
from .engine.recording import STATE, Watcher, no_grad, watcher, watching
from .engine.tensor import Array, Tensor, TensorLike, as_tensor, describe

__all__ = ["AnomalyError", "GradcheckError", "Report", "anomaly", "gradcheck", "gradgradcheck"]

_AROUND = 6  # lines of the drawing before and after the culprit
_MARK = "✗"


# --- where a nan comes from -----------------------------------------------------------------------------------------


class AnomalyError(FloatingPointError):
    """The first result that is nan or infinite.

    Attributes:
        operation: the name of the operation that gave it.
        tensor: what it gave; of an operation going back, what it had given going forward.
        drawing: the graph, with the culprit marked by ✗.
    """

    operation: str
    tensor: Tensor
    drawing: Drawing


@contextlib.contextmanager
def anomaly(*, infinite: bool = True) -> Iterator[None]:
    """Within the `with` block, the first operation that gives nan or infinity raises, going forward or back.

    Each result is looked at, so all is slower inside; outside nothing is. Compiled functions run as they are.

    Args:
        infinite: whether infinities raise too, or only nan: for models that mask by −∞.

    Raises:
        AnomalyError: with the operation, its operands, the line of the caller's code, and the graph drawn.
        RuntimeError: inside of a function that is being compiled.

    Example:
        See the top of this module.
    """
    if watcher() is not None:
        raise RuntimeError("anomaly() stands inside of a function that is watched: put it around the call instead")
    with watching(_Watch(infinite)):
        yield


class _Watch(Watcher):
    def __init__(self, infinite: bool) -> None:
        self._infinite = infinite
        self._places: dict[int, Place] = {}  # by the tensor's number: where it was made

    def ran(self, t: Tensor) -> None:
        self._places[t._number] = place()
        if self._bad(t._array):
            assert t.operation is not None
            raise self._error(f"{t.operation.name} gives {_what(t._array)}", t, t, t.inputs)

    def differentiated(self, t: Tensor) -> None:
        if t.requires_grad:
            self._go_back(t, np.ones_like(t._array))

    def backward(self, t: Tensor, gradient: Tensor) -> None:
        self._go_back(t, gradient._array.astype(t.dtype))
        with _unwatched():
            t.backward(gradient)

    def stepped(self, optimiser: Any) -> None:
        with _unwatched():
            optimiser.step()
        for group in optimiser.groups:
            for parameter in group["parameters"]:
                if self._bad(parameter._array):
                    what = (
                        f"the step of {type(optimiser).__name__} gives {describe(parameter)} {_what(parameter._array)}"
                    )
                    raise self._error(what, parameter, parameter, [parameter._grad])

    def _bad(self, array: Any) -> bool:
        if array.dtype.kind != "f":
            return False
        return not np.isfinite(array).all() if self._infinite else bool(np.isnan(array).any())

    def _go_back(self, t: Tensor, seed: Array) -> None:
        """Look at all gradients on arrays, before anything is done with them."""
        found: dict[Tensor, Array] = {}
        with np.errstate(all="ignore"):
            for node, g in pull_back(t, seed):
                if self._bad(g):
                    raise self._found(t, node, np.asarray(g), found)
                found[node] = g

    def _found(self, output: Tensor, node: Tensor, g: Array, found: dict[Tensor, Array]) -> AnomalyError:
        """Who gave `node` a gradient that is not finite, among those that had finite ones."""
        for user, own in found.items():
            for i, x in enumerate(user.inputs):
                if x is not node or user.operation is None or (vjp := user.operation.vjp(i)) is None:
                    continue
                contribution = vjp(own, user._array, *user._operands, **user.parameters)
                if self._bad(fitted(contribution, node._array)):
                    what = f"going back, {user.operation.name} gives operand {i}, {describe(node)}, a gradient of "
                    return self._error(what + _what(contribution), user, output, user.inputs, own)
        what = f"going back, the gradients that {describe(node)} gets add up to {_what(g)}"
        return self._error(what, node, output, node.inputs)

    def _error(
        self, what: str, culprit: Tensor, output: Tensor, operands: Sequence[Any], gradient: Array | None = None
    ) -> AnomalyError:
        name = culprit.operation.name if culprit.operation is not None else culprit.name or "leaf"
        lines = [what, shown(self._places.get(culprit._number) or place())]
        for i, x in enumerate(operands):
            lines.append(f"  operand {i}: {_statistics(x)}")
            if isinstance(x, Tensor) and self._bad(x._array):
                lines[-1] += " (so it comes from these data)"
        if gradient is not None:
            lines.append(f"  gradient of its result: {_statistics(gradient)}")
        with _unwatched():
            drawing = draw(output, names={f"{_MARK} {culprit.name or name}": culprit}, gradients=gradient is not None)
            lines += _around(drawing.text)
        error = AnomalyError("\n".join(lines))
        error.operation, error.tensor, error.drawing = name, culprit, drawing
        return error


@contextlib.contextmanager
def _unwatched() -> Iterator[None]:
    level, scope, _ = STATE.get()
    token = STATE.set((level, scope, None))
    try:
        yield
    finally:
        STATE.reset(token)


def _what(array: Array) -> str:
    """`nan, at (0, 1): 2 of 6 elements are nan`."""
    array = np.asarray(array)
    parts = []
    for word, wrong in (("nan", np.isnan(array)), ("infinite", np.isinf(array))):
        if count := int(wrong.sum()):
            parts.append(f"{count} of {array.size} elements {'is' if count == 1 else 'are'} {word}")
    at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    return f"{array[at]}" + (f", at {at}" if at else "") + f": {', '.join(parts)}"


def _statistics(x: Any) -> str:
    if not isinstance(x, Tensor | np.ndarray):
        return repr(x)
    name, array = (x.name, x._array) if isinstance(x, Tensor) else (None, x)
    zeros = array.size - np.count_nonzero(array)
    parts = [size(array), *summary(array, digits=4), *([f"{zeros:,} zero"] if zeros else [])]
    return (f"{name}: " if name else "") + ", ".join(parts)


def _around(text: str) -> list[str]:
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if line.lstrip().startswith(_MARK)), len(lines) - 1)
    first, last = max(at - _AROUND, 0), at + _AROUND
    before, after = ["  …"] if first else [], ["  …"] if last + 1 < len(lines) else []
    return ["", *before, *(f"  {line}" for line in lines[first : last + 1]), *after]


# --- whether a derivative is right --------------------------------------------------------------------------------


class Entry(NamedTuple):
    """One entry of a Jacobian: which input, which element of the result and of the input, and both derivatives."""

    input: int
    result: tuple[int, ...]
    element: tuple[int, ...]
    derivative: float
    difference: float  # by central differences
    agrees: bool


class Report:
    """What `gradcheck` found: true when all entries agree.

    Attributes:
        entries: every entry of the Jacobians, those that differ most first.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        def apart(entry: Entry) -> tuple[bool, float]:
            return entry.agrees, -abs(np.nan_to_num(entry.derivative - entry.difference, nan=np.inf))

        self.entries: list[Entry] = sorted(entries, key=apart)

    @property
    def wrong(self) -> list[Entry]:
        """The entries that do not agree."""
        return [entry for entry in self.entries if not entry.agrees]

    def __bool__(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        lines = [f"{len(self.wrong)} of {len(self.entries)} derivatives differ from differences"]
        lines.append(f"{'input':>5}  {'of':>12}  {'by':>12}  {'derivative':>13}  {'difference':>13}")
        for entry in (self.wrong or self.entries)[:20]:
            of, by = (str(list(at)) if at else "–" for at in (entry.result, entry.element))
            lines.append(f"{entry.input:>5}  {of:>12}  {by:>12}  {entry.derivative:>13.6g}  {entry.difference:>13.6g}")
        if len(self.wrong or self.entries) > 20:
            lines.append("…")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Report: {len(self.wrong)} of {len(self.entries)} derivatives differ>"


class GradcheckError(RuntimeError):
    """Derivatives that differ from differences; `report` has every entry."""

    report: Report


def gradcheck(
    f: Callable[..., Tensor],
    inputs: TensorLike | Sequence[TensorLike],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> Report:
    """Compare the derivatives of `f` with central differences, entry by entry.

    Args:
        f: a function of Tensors whose result is a Tensor, with no randomness.
        inputs: its arguments: a tuple or list of them, or one that is neither. All floats are differentiated by.
        eps: the step of the differences.
        atol, rtol: an entry agrees within `atol + rtol · |difference|`.
        raise_exception: raise when an entry differs; else only report.

    Raises:
        GradcheckError: with the report.
        TypeError: when `f` gives no Tensor, or an input is a float of fewer digits than float64.
        ValueError: when no input is floating.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.debug.gradcheck(lambda x: x * tg.sin(x), [tg.Tensor([0.5, 1.0])])
        <Report: 0 of 4 derivatives differ>
    """
    return _checked(f, *_inputs("gradcheck", inputs), eps, atol, rtol, raise_exception)


def gradgradcheck(
    f: Callable[..., Tensor],
    inputs: TensorLike | Sequence[TensorLike],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> Report:
    """Compare second derivatives of `f` with differences of its first ones, which `gradcheck` is for.

    What is differentiated is the gradient of a sum of the results with fixed random weights.

    Args:
        f, inputs, eps, atol, rtol, raise_exception: as for `gradcheck`.

    Returns:
        A report whose results are the elements of that gradient by all inputs, one after another.

    Raises:
        GradcheckError, TypeError, ValueError: as for `gradcheck`.

    Example:
        >>> import tinygrad_cls as tg
        >>> tg.debug.gradgradcheck(lambda x: x**3, [tg.Tensor([0.5, 1.0])])
        <Report: 0 of 4 derivatives differ>
    """
    tensors, positions = _inputs("gradgradcheck", inputs)

    def weighted(*xs: Any) -> Tensor:
        out = f(*xs)
        return total(out * np.random.default_rng(0).uniform(0.5, 1.5, out.shape))

    def slopes(*xs: Any) -> Tensor:
        return concat([reshape(g, -1) for g in grad(weighted, positions)(*xs)])

    return _checked(slopes, tensors, positions, eps, atol, rtol, raise_exception)


def _inputs(name: str, inputs: Any) -> tuple[list[Tensor], list[int]]:
    tensors = [as_tensor(x) for x in (inputs if isinstance(inputs, list | tuple) else [inputs])]
    positions = [i for i, x in enumerate(tensors) if x.dtype.kind == "f"]
    if not positions:
        raise ValueError(f"{name} needs an input of floats to differentiate by, such as 2.0 for 2")
    for i in positions:
        if tensors[i].dtype != np.float64:
            raise TypeError(
                f"{name}: input {i}, {describe(tensors[i])}, has too few digits for differences: use float64"
            )
    return tensors, positions


def _checked(
    f: Callable[..., Tensor],
    tensors: list[Tensor],
    positions: list[int],
    eps: float,
    atol: float,
    rtol: float,
    raise_exception: bool,
) -> Report:
    entries = []
    with no_grad():
        derivatives = jacobian(f, positions)(*tensors)
        for i, matrix in zip(positions, derivatives, strict=True):
            array = tensors[i]._array
            for at in np.ndindex(array.shape):
                values = []
                for step in (eps, -eps):
                    moved = array.copy()
                    moved[at] += step
                    values.append(f(*tensors[:i], Tensor(moved), *tensors[i + 1 :])._array)
                difference = (values[0] - values[1]) / (2 * eps)
                index: tuple[Any, ...] = (..., *at)
                column = matrix._array[index]
                agrees = np.abs(column - difference) <= atol + rtol * np.abs(difference)
                for of in np.ndindex(difference.shape):
                    entries.append(Entry(i, of, at, float(column[of]), float(difference[of]), bool(agrees[of])))
    report = Report(entries)
    if not report and raise_exception:
        error = GradcheckError(str(report))
        error.report = report
        raise error
    return report
