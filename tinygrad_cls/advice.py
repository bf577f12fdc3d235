"""Words of help: warnings where a learner's mistake would pass in silence, and errors that name the caller's line.

The engine calls the `Adviser` set here where it reads a graph anyway: in losses, in `backward`, and when an error
leaves it. Optimisers keep an `Outlook`. Operations are not slowed down.
"""

from __future__ import annotations

import linecache
import math
import os
import sys
import warnings
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np

from . import phrases
from .engine.operation import Kind
from .engine.recording import ADVISERS, Adviser
from .engine.tensor import USED, Tensor, describe

Place: TypeAlias = tuple[str, int, str]  # file, line, function

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_OURS = (_PACKAGE, os.path.dirname(os.path.abspath(np.__file__)) + os.sep)
_FULL = bool(os.environ.get("TINYGRAD_CLS_FULL_TRACEBACKS"))
_THOUSANDFOLD = 1000.0


class LearningWarning(UserWarning):
    """A mistake that gives numbers, and the wrong ones. Each is shown once for a line of the caller's code.

    To silence all of them: `warnings.simplefilter("ignore", tg.LearningWarning)`.

    Example:
        >>> import warnings
        >>> import tinygrad_cls as tg
        >>> probabilities = tg.softmax(tg.Tensor([[1.0, 2.0]], requires_grad=True))
        >>> with warnings.catch_warnings(record=True) as said:
        ...     warnings.simplefilter("always", tg.LearningWarning)
        ...     loss = tg.cross_entropy(probabilities, [1])
        >>> print(said[0].message)
        cross_entropy takes logits and has its own softmax, but these come from softmax: give it what came before
    """


def warn(text: str) -> None:
    """Warn of a mistake, at the caller's line."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, LearningWarning, stacklevel=level)


def place() -> Place:
    """The innermost line of the running program that is not of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name


def shown(at: Place) -> str:
    """A place as Python's tracebacks show it."""
    file, number, name = at
    line = linecache.getline(file, number).strip()
    return f'  File "{file}", line {number}, in {name}' + (f"\n    {line}" if line else "")


class _Advice(Adviser):
    def again(self, t: Tensor) -> None:
        warn(
            f"backward goes through the graph of {describe(t)} a second time, which adds the same gradients once more: "
            "compute the loss anew for each backward(); backward(retain_graph=True) says that it is meant"
        )

    def spread(self, t: Tensor) -> None:
        if t.operation is None or t.operation.ufunc is not np.subtract or len(set(t.shape)) != 1:
            return
        by_shape = {x.shape: x for x in t.inputs if isinstance(x, Tensor)}
        column, row = by_shape.get((t.shape[0], 1)), by_shape.get(t.shape[:1])
        if column is not None and row is not None and column.requires_grad != row.requires_grad and t.shape[0] > 1:
            warn(
                f"a column less a row: {describe(column)} and {describe(row)} give all pairs, {describe(t)}, where one "
                "difference for each sample may be meant: give both one shape, by [:, 0] or [:, None]"
            )

    def unkept(self, t: Tensor) -> None:
        warn(
            f"the gradient of {describe(t)} is None: backward leaves gradients at leaves, and this was computed. "
            "tg.grad gives the gradient of a function by any argument; a parameter takes new values by "
            "`with tg.no_grad(): w -= …`, where w = w - … makes a computed tensor"
        )

    def scored(self, loss: str, scores: Tensor, target: Tensor) -> None:
        operation, array = scores.operation, target._array
        if scores.shape[-1:] == (1,) and loss in _OF_CLASSES:
            warn(
                f"{loss}: {describe(scores)} has one class, which is always certain, so that nothing is learnt: give "
                "it one column for each class, or use tg.binary_cross_entropy_with_logits"
            )
        if loss == "cross_entropy" and _are_no_probabilities(array):
            warn(
                f"cross_entropy: the target, {describe(target)}, goes from {array.min():.3g} to {array.max():.3g}, but "
                "probabilities lie between 0 and 1: divide percentages by 100, and take softmax of logits"
            )
        if operation is not None and operation.ufunc in _LAYER and loss in _LOSSES and array.dtype.kind != "f":
            return  # nearly always
        expected = _TAKES[loss]
        if loss == "cross_entropy" and scores.shape == target.shape and _are_columns(target._array):
            warn(
                f"{loss}: the columns of the target, {describe(target)}, sum to 1 and its rows do not, but the classes "
                "are on the last axis: give its transpose, .T, or take softmax along axis=-1"
            )
        by, logarithm, made = _composite(scores)
        if by is None and expected == _LOGITS:
            if loss not in _OF_CLASSES and _is_sigmoid(scores):
                warn(
                    f"{loss} takes logits, any numbers, but {describe(scores)} lies between 0 and 1: if these are "
                    "probabilities, give it what came before sigmoid, or their log(p / (1 - p))"
                )
            elif scores.scope is not None and scores.scope.name == "relu":
                warn(f"{loss} takes logits, any numbers, but relu makes these 0 or more: leave out the last activation")
            elif _are_probabilities(scores._array) and not np.isin(scores._array, (0, 1)).all():
                warn(
                    f"{loss} takes logits, any numbers, but each row of {describe(scores)} lies between 0 and 1 and "
                    "sums to 1: if these are probabilities, give it what came before softmax, or their logarithms"
                )
            return
        if operation is None:
            return
        if expected == _LOGITS and by in _SQUASHED and not logarithm:
            own = "softmax" if loss == "cross_entropy" else "sigmoid"
            warn(f"{loss} takes logits and has its own {own}, but these come from {by}: give it what came before")
        elif expected == _LOGARITHMS and by in _SQUASHED and not logarithm:
            warn(f"{loss} takes log-probabilities, but these are probabilities, from {by}: use tg.log_softmax instead")
        elif expected == _LOGARITHMS and by is None and not logarithm and scores.size and scores._array.max() > 0:
            warn(
                f"{loss} takes log-probabilities, which are never above 0, but {describe(scores)} has "
                f"{scores._array.max():.3g}: use tg.log_softmax before, or tg.cross_entropy, which takes logits"
            )
        elif (axis := _axis(made)) is not None and axis != scores.ndim - 1 and _rows_are_classes(scores, target):
            warn(
                f"{loss}: {by} was taken along axis {axis} of {describe(scores)}, but the target, {describe(target)}, "
                "has the classes on the last axis: use axis=-1"
            )

    def retold(self, error: Exception, instead_of: Exception | None = None) -> Exception:
        if instead_of is not None and not _is_ours(instead_of):  # an operation of the caller's own has failed
            error.__cause__ = instead_of
        if isinstance(error, Warning):  # where warnings are errors
            return error
        if _is_ours(error) and not hasattr(error, "_retold") and error.args and str(error) == error.args[0]:
            text = error.args[0]
            if isinstance(error, TypeError):
                text += phrases.keyword(text)
            if '  File "' not in text:
                text += "\n" + shown(place())
            error.args = (text, *error.args[1:])
            if isinstance(error, np.exceptions.AxisError):
                error._msg = text  # type: ignore[attr-defined]  # which it prints
        error._retold = True  # type: ignore[attr-defined]
        return error.with_traceback(error.__traceback__ if _FULL else _callers(error.__traceback__))


class Outlook:
    """What an optimiser looks out for in its steps."""

    __slots__ = ("first", "limit")

    def __init__(self) -> None:
        self.first: float = math.nan  # the loss at the first step
        self.limit: float = math.nan  # what it should stay below

    def __reduce__(self) -> tuple[Any, ...]:
        return Outlook, ()

    def step(self, gradient: Tensor) -> None:
        """A step by this gradient, of one parameter for all."""
        loss = getattr(gradient, "_mark", None)
        if loss is None:
            return  # not of backward, or of no single loss
        gradient._mark = USED
        if loss is USED:
            warn(
                "step() uses gradients that it has used before: backward() adds to those that are there, so call "
                "zero_grad() before each backward()"
            )
        else:
            value = loss.item()
            if not value < self.limit:
                self._above(value)

    def _above(self, value: float) -> None:
        if math.isnan(self.first):
            self.first = value
            self.limit = _THOUSANDFOLD * max(value, 1e-3) if value > 0 else math.inf
        else:
            warn(
                f"the loss has grown from {self.first:.3g} to {value:.3g}: the learning rate is too high, or the "
                "gradient's sign is wrong"
            )

    def nothing(self, optimiser: Any) -> None:
        """A step in which no parameter has a gradient."""
        warn(
            f"step() of {type(optimiser).__name__} changes nothing, for none of its parameters has a gradient: call "
            "backward() before it and zero_grad() before that; or the loss was computed from other tensors than these"
        )


# --- what the graph shows -----------------------------------------------------------------------------------------

_LOGITS, _LOGARITHMS, _VALUES = "logits", "logarithms", "values"
_TAKES = {
    "cross_entropy": _LOGITS,
    "binary_cross_entropy_with_logits": _LOGITS,
    "nll_loss": _LOGARITHMS,
    "mse_loss": _VALUES,
}
_LOSSES = frozenset({"cross_entropy", "binary_cross_entropy_with_logits"})
_OF_CLASSES = frozenset({"cross_entropy", "nll_loss"})
_LAYER = frozenset({np.add, np.matmul})  # in which a layer ends, and none of these composites
_SQUASHED = ("softmax", "sigmoid")
_SQUASH = frozenset({*_SQUASHED, "log_softmax"})


def _composite(t: Tensor) -> tuple[str | None, bool, Tensor]:
    """Which of these composites gave a tensor, whether its logarithm was taken since, and the composite's result."""
    logarithm = False
    while t.operation is not None:
        if t.scope is not None and t.scope.name in _SQUASH:
            return t.scope.name, logarithm or t.scope.name == "log_softmax", t
        if t.operation.ufunc is np.log and not logarithm:
            logarithm = True
        elif not (t.operation.changes_nothing or t.operation.kind in (Kind.MOVEMENT, Kind.CHOICE)):
            break
        (t, *_) = (x for x in t.inputs if isinstance(x, Tensor))
    return None, logarithm, t


def _axis(made: Tensor) -> int | None:
    """The axis along which a softmax was taken, from 0."""
    waiting = [made] if made.scope is not None and made.scope.name in ("softmax", "log_softmax") else []
    while waiting:
        t = waiting.pop()
        if t.operation is not None and t.scope is made.scope:
            if isinstance(axis := t.parameters.get("axis"), int):
                return axis % made.ndim
            waiting += [x for x in t.inputs if isinstance(x, Tensor)]
    return None


def _rows_are_classes(scores: Tensor, target: Tensor) -> bool:
    """Whether the target says that the classes are on the last axis."""
    if target.shape == scores.shape[:-1]:
        return True
    return target.shape == scores.shape and _are_probabilities(target._array)


def _are_probabilities(array: Any) -> bool:
    """Whether all rows are 0 or more and sum to 1; the first one tells nearly always."""
    if array.dtype.kind != "f" or array.size == 0 or array.ndim == 0 or array.shape[-1] < 2:
        return False
    rows = array.reshape(-1, array.shape[-1])
    first = rows[0].tolist()
    if min(first) < 0 or max(first) > 1 or not math.isclose(math.fsum(first), 1, abs_tol=1e-3):
        return False
    return bool((rows >= 0).all() and np.allclose(rows.sum(axis=-1), 1, atol=1e-3))


def _are_no_probabilities(array: Any) -> bool:
    """Whether floats are negative, as logits are, or each row is of percentages; weighted ones may have any sum."""
    if array.dtype.kind != "f" or array.size == 0 or array.ndim == 0:
        return False
    return bool(array.min() < 0 or np.allclose(array.sum(axis=-1), 100, atol=0.5))


def _is_sigmoid(scores: Tensor) -> bool:
    """Whether these are quotients, as 1 / (1 + exp(-z)) is, or given numbers, several, all between 0 and 1."""
    array, operation = scores._array, scores.operation
    if operation is not None and operation.ufunc not in (np.divide, np.reciprocal):
        return False
    return bool(array.size >= 4 and (array > 0).all() and (array < 1).all())


def _are_columns(array: Any) -> bool:
    """Whether a matrix has probabilities in its columns, and not in its rows."""
    if array.ndim != 2 or array.size == 0 or abs(float(array[0].sum()) - 1) < 1e-3:
        return False
    return bool((array >= 0).all() and np.allclose(array.sum(axis=0), 1, atol=1e-3))


# --- tracebacks ---------------------------------------------------------------------------------------------------


def _is_ours(error: BaseException) -> bool:
    """Whether this package, or NumPy for it, raises it."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb is None or tb.tb_frame.f_code.co_filename.startswith(_OURS)


def _callers(tb: TracebackType | None) -> TracebackType | None:
    """A traceback without the steps inside of this package, but for the last, where the error was raised."""
    frames = []
    while tb is not None:
        if tb.tb_next is None or not tb.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            frames.append(tb)
        tb = tb.tb_next
    result: TracebackType | None = None
    for each in reversed(frames):
        result = TracebackType(result, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return result


ADVISERS.append(_Advice())
