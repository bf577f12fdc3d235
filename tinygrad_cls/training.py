"""The training loop: short, so that it can be read, copied and changed.

Example:
    >>> import numpy as np
    >>> import tinygrad_cls as tg
    >>> digits, rng = tg.data.load_digits(), np.random.default_rng(0)
    >>> train, test = tg.data.split(digits.inputs, digits.labels, fractions=(0.8, 0.2), generator=rng)
    >>> model = tg.nn.Linear(64, 10, generator=rng)
    >>> history = tg.fit(
    ...     model,
    ...     tg.data.batches(*train, batch_size=64, shuffle=True, generator=rng),
    ...     optimiser=tg.optim.Adam(model.parameters(), lr=0.01),
    ...     epochs=5,
    ... )
    >>> tg.evaluate(model, tg.data.batches(*test, batch_size=256))["accuracy"] > 0.9
    True
"""

from __future__ import annotations

import math
import os
import time
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from .checkpoint import load, save
from .compiling import EARNED, Compiled, CompileError, engine_for
from .engine.functional import one_hot, softmax
from .engine.losses import Reduction, cross_entropy, mse_loss
from .engine.operations.checks import check
from .engine.operations.reductions import mean, sum
from .engine.recording import NOTHING, STATE, composite
from .engine.tensor import Array, Tensor, TensorLike, as_tensor
from .evaluation import MEAN, NONE, SUM, Counting, Data, Loss, Mean, checked, evaluated, pairs
from .evaluation import evaluate as evaluate
from .nn import Dropout, Module
from .optim import Optimiser, clip_grad_norm
from .optim.schedules import Schedule
from .progress import Bar

History: TypeAlias = dict[str, list[float]]
_SHORT = 200  # batches: a run that ends before would not gain by compiling its step
LAST, BEST = "last.safetensors", "best.safetensors"


@composite
def squared_error(
    logits: TensorLike, labels: TensorLike, *, weight: TensorLike | None = None, reduction: Reduction = MEAN
) -> Tensor:
    """`mse_loss` between softmax of the logits and the one-hot labels: the rival of cross-entropy.

    Args:
        logits: floats of shape (samples, K).
        labels: class numbers of shape (samples,), or probabilities of the shape of the logits.
        weight: one factor for each class.
        reduction: as for `cross_entropy`; the loss of a sample is the mean over its classes.

    Raises:
        TypeError, ValueError: as for `mse_loss` and `one_hot`.

    Example:
        >>> from tinygrad_cls.training import squared_error
        >>> squared_error([[0.0, 0.0]], [1]).item()
        0.25
    """
    logits, labels = as_tensor(logits), as_tensor(labels)
    soft = labels.shape == logits.shape and labels.dtype.kind == "f"
    target = labels if soft else one_hot(labels, logits.shape[-1], logits.dtype)
    if weight is None and reduction == MEAN:
        return mse_loss(softmax(logits), target)
    losses = mean(mse_loss(softmax(logits), target, reduction=NONE), axis=-1)
    counts = 1.0 if weight is None else sum(target * Tensor(weight, dtype=logits.dtype), axis=-1)
    losses = losses * counts
    if reduction == NONE:
        return losses
    return sum(losses) if reduction == SUM else sum(losses) / sum(counts)


LOSSES: dict[str, Callable[..., Tensor]] = {"cross_entropy": cross_entropy, "mse": squared_error}
"""The losses of estimators and command line by name; all take `weight=` and `reduction=`."""


def fit(
    model: Module,
    train: Data,
    *,
    optimiser: Optimiser,
    epochs: int,
    loss: Loss = cross_entropy,
    validation: Data | None = None,
    schedule: Schedule | None = None,
    max_norm: float | None = None,
    patience: int | None = None,
    tolerance: float = 0.0,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    metadata: Mapping[str, Any] | None = None,
    progress: bool | None = None,
    compile: bool | None = None,
    engine: str = "numpy",
) -> History:
    """Train a classifier. Afterwards the model is in `eval()` mode, and with validation data at its best parameters.

    With a folder, each epoch ends in a checkpoint `last.safetensors`, and each best one in `best.safetensors`; the
    model, optimiser, schedule, the order of the batches and the dropout go on from there in the same bits.

    An error, and Ctrl-C, which is passed on as KeyboardInterrupt, leaves the model at its best parameters too (without
    validation data: at those of the last whole epoch), the optimiser and the schedule as after the last whole epoch,
    and the checkpoint of that epoch.

    Args:
        model: gives logits of shape (samples, classes) for a Tensor of inputs.
        train: gives batches (inputs, labels) anew in each pass, such as `tg.data.batches`.
        optimiser: over the model's parameters, or some of them.
        epochs: passes over the training data, those before a resumption included.
        loss: a function of logits and labels; in the means of one without `reduction=` all samples count alike.
        validation: like `train`; looked at after each epoch.
        schedule: goes on by one after each batch.
        max_norm: clips the gradients, see `tg.optim.clip_grad_norm`.
        patience: stop after this many epochs without an improvement of the validation loss (without validation data:
            of the training loss).
        tolerance: what counts as an improvement of that loss.
        folder: for checkpoints; it is created.
        resume: go on from `last.safetensors` in the folder, if there is one.
        metadata: kept in the checkpoints, such as what is needed to build the model again.
        progress: a progress bar on the standard error; None: only in a terminal.
        compile: run the training step as a program, see `tg.compile`; None: from the 200th batch of the run on, when
            it will be gained by, or when resumed what the run began with. A model or loss that cannot be compiled
            runs as it is, with a warning that says why; so does a model that counts, or draws from a generator of
            its own, or keeps averages in its attributes.
        engine: what runs that program, see `tg.compile`, whose errors it has; values are equal to rounding. `"auto"` is
            numpy, and from the 50,000th batch on numba where that is installed.

    Returns:
        A dict of lists, one number for each epoch: "loss" and "accuracy" (means over the batches, as they were
        trained on), "validation_loss" and "validation_accuracy" if there is validation data, "learning_rate" (at
        the end of the epoch), "seconds".

    Raises:
        FloatingPointError: when the loss is nan or infinite; names epoch and batch. The last checkpoint is still good.
        FileExistsError: when the folder has the checkpoint of another run, and `resume` is not set.
        RuntimeError: under `no_grad`.
        TypeError: when the loss is no function or gives no Tensor, the data gives no pairs of inputs and labels, or
            the schedule is a curve.
        ValueError: when an option is out of range, the optimiser is over other parameters than the model's, the
            schedule over another optimiser, or an epoch has no batches, or what is to be resumed is no checkpoint of
            `fit`, or of another kind of run.

    Example:
        See the top of this module.
    """
    _check_options(optimiser, schedule, loss, epochs, patience, tolerance)
    if resume and folder is None:
        raise ValueError("fit: resume needs the folder to resume from")
    if STATE.get()[0] == NOTHING:
        raise RuntimeError(
            "fit needs gradients, and was called under no_grad, where none are recorded: call it outside"
        )
    _check_parameters(model, optimiser)
    run = _Run(model, optimiser, schedule, getattr(train, "generator", None), folder, dict(metadata or {}), compile)
    watched = "loss" if validation is None else "validation_loss"
    history: History = run.resume(validation is not None) if resume else run.start()
    counting = Counting(loss, asks=False)  # or a loss that counts its calls would see more
    step = _Step(model, loss, optimiser, max_norm, run, engine)
    if not history:
        run.save(LAST, history)
    run.note()
    try:
        with Bar(epochs, train, len(history.get("loss", ())), progress) as bar:
            for epoch in range(len(history.get("loss", ())), epochs):
                if patience is not None and _epochs_since_best(history.get(watched, []), tolerance) >= patience:
                    break
                start = time.perf_counter()
                row = _train_epoch(model, train, step, schedule, epoch, bar, Mean(counting))
                if validation is not None:
                    measured = evaluated(model, validation, counting)
                    row.update({f"validation_{name}": x for name, x in measured.items()})
                row.update(learning_rate=float(optimiser.groups[0]["lr"]), seconds=time.perf_counter() - start)
                for name, value in row.items():
                    history.setdefault(name, []).append(value)
                run.note()
                if _epochs_since_best(history[watched], 0.0) == 0:
                    run.keep_best(history)
                run.save(LAST, history)
    except BaseException:
        run.give_back()
        raise
    finally:
        if validation is not None and run.best is not None:
            model.load_state_dict(run.best)
        model.eval()
    return history


def _check_options(
    optimiser: Optimiser, schedule: Schedule | None, loss: Loss, epochs: int, patience: int | None, tolerance: float
) -> None:
    for name, value, least in (("epochs", epochs, 0), ("patience", 1 if patience is None else patience, 1)):
        if not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"fit needs a whole number of {name} ≥ {least}, not {name}={value!r}")
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"fit needs a tolerance of 0 or more, not tolerance={tolerance}")
    if not callable(loss):
        raise TypeError(f"fit: loss is a function of logits and labels, such as tg.cross_entropy, not {loss!r}")
    if schedule is not None and not isinstance(schedule, Schedule):
        raise TypeError(f"fit: a schedule is made with its optimiser: schedules.Schedule(optimiser, {schedule})")
    if schedule is not None and schedule.optimiser is not optimiser:
        raise ValueError("fit: the schedule drives another optimiser than the one that is given")


def _check_parameters(model: Module, optimiser: Optimiser) -> None:
    """A model that was made anew after its optimiser would never learn."""
    own, given = model.named_tensors(), {p for group in optimiser.groups for p in group["parameters"]}
    missing = [name for name, tensor in own.items() if tensor.requires_grad and tensor not in given]
    if missing and not given <= set(own.values()):
        raise ValueError(
            f"the optimiser is over other parameters than the model's: it lacks {', '.join(missing)}, and has what is "
            "not in the model. Make it after the model, from model.parameters()"
        )


def _train_epoch(
    model: Module, train: Data, step: _Step, schedule: Schedule | None, epoch: int, bar: Bar, mean: Mean
) -> dict[str, float]:
    model.train()
    for i, (inputs, labels) in enumerate(pairs(train)):
        try:
            loss, outputs = step(inputs, labels)
        except _NotFiniteError as error:
            raise FloatingPointError(
                f"the loss is {error} in epoch {epoch + 1}, batch {i + 1}: lower the learning rate, clip the gradients "
                "(max_norm=), or look for inputs that are not finite"
            ) from None
        if schedule is not None:
            schedule.step()
        mean.loss += mean.counting.summed(loss.item(), mean.add(outputs, labels))
        bar.advance(epoch, mean)
    return mean.row(f"epoch {epoch + 1}")


class _Step:
    """One training step, as a program where that is wanted and can be.

    When nobody decided, the steps become a program after so many batches, whether many or few follow: a run of two
    parts takes the same steps as a program as an unbroken one, and so ends in the same bits. The last step before shows
    whether the model changes more than tensors: a program would leave that out, with equal losses.
    """

    def __init__(
        self, model: Module, loss: Loss, optimiser: Optimiser, max_norm: float | None, run: _Run, engine: str
    ) -> None:
        def step(inputs: Tensor, labels: Any) -> tuple[Tensor, Tensor]:
            optimiser.zero_grad()
            outputs = model(inputs)
            value = checked(loss(outputs, labels))
            check(_check_finite, value)
            value.backward()
            if max_norm is not None:
                clip_grad_norm(model.parameters(), max_norm)
            optimiser.step()
            return value, outputs

        self._eager, self._run, self._model, self._engine = step, run, model, engine
        program = self._compiled()
        self._program = None if run.compiled is False else program

    def _compiled(self) -> Compiled:
        engine = engine_for(self._engine, self._run.batches)
        return Compiled(self._eager, engine=engine, refused=self._refused, kinds=self._run.kinds)

    def __call__(self, inputs: Array, labels: Array) -> tuple[Tensor, Tensor]:
        before = (1 if self._run.compiled else _SHORT) - 1 - self._run.batches
        if self._engine == "auto" and self._run.batches == EARNED and self._program is not None:
            self._program = self._compiled()
        self._run.batches += 1
        if before < 0 and self._program is not None:
            return self._program(inputs, labels)  # type: ignore[no-any-return]
        notes = _notes(self._model) if before == 0 and self._program is not None else {}
        result = self._eager(Tensor(inputs), labels)
        if notes:
            after = _notes(self._model)
            changed = [name for name in after if after[name] != notes.get(name)]
            if changed:
                self._run.compiled = False  # also when the run goes on later
                error = CompileError(f"a step changes {changed[0]} of the model, which a program would not do")
                self._refused(error, frames=5)
        return result

    def _refused(self, error: CompileError, frames: int = 8) -> None:
        self._program = None
        warnings.warn(f"fit runs without compiling: {error}", stacklevel=frames)


def _notes(model: Module) -> dict[str, Any]:
    """What the modules remember besides the values of their tensors, by path, in a form that can be compared."""
    return {
        f"{path}.{name}" if path else name: _content(value)
        for path, module in model.named_modules()
        for name, value in module.__getstate__().items()
        if not (isinstance(module, Dropout) and isinstance(value, np.random.Generator))  # programs draw its numbers
    }


def _content(value: Any, depth: int = 0) -> Any:
    if isinstance(value, np.random.Generator):
        value = value.bit_generator.state
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.dtype.str, value.shape, zlib.crc32(np.ascontiguousarray(value).view(np.uint8).data)
    if isinstance(value, Mapping) and depth < 9:  # a list may hold itself
        return [(name, _content(each, depth + 1)) for name, each in value.items()]
    if isinstance(value, list | tuple | set | deque) and depth < 9:
        return [_content(each, depth + 1) for each in value]
    return repr(value) if isinstance(value, int | float | str | None) else _Same(value)


class _Same:
    """An object, equal to itself alone; while this refers to it no other can be taken for it."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.thing is other.thing


class _NotFiniteError(FloatingPointError):
    """A loss that is nan or infinite."""


def _check_finite(loss: Array) -> None:
    if not math.isfinite(loss):
        raise _NotFiniteError(f"{loss}")


class _Run:
    """What a run has reached, and its checkpoints, in a folder or, without one, nowhere.

    Attributes:
        compiled: whether the steps run as a program; None when it depends on how many batches there were.
        batches: how many there were.
        kinds: which kinds of batches have become a program, see `Compiled`.
        best: the parameters of the best epoch.
    """

    def __init__(
        self,
        model: Module,
        optimiser: Optimiser,
        schedule: Schedule | None,
        generator: np.random.Generator | None,
        folder: str | os.PathLike[str] | None,
        metadata: dict[str, Any],
        compiled: bool | None,
    ) -> None:
        self.parts: dict[str, Any] = {"model": model, "optimiser": optimiser, "schedule": schedule}
        self.parts["generators"] = {} if generator is None else {"batches": generator}
        self.folder = folder
        self.metadata = metadata
        self.compiled = compiled
        self.batches = 0
        self.kinds: dict[str, str] = {}
        self.best: dict[str, Array] | None = None
        if folder is not None:
            os.makedirs(folder, exist_ok=True)

    def save(self, name: str, history: History) -> None:
        if self.folder is not None:
            reached = {"history": history, "compiled": self.compiled, "batches": self.batches, "kinds": self.kinds}
            save(os.path.join(self.folder, name), **self.parts, metadata={**self.metadata, **reached})

    def note(self) -> None:
        """An epoch is whole: what an error shall leave."""
        self._whole = {name: part.state_dict() for name, part in self._stateful()}

    def give_back(self) -> None:
        """Everything as it was after the last whole epoch."""
        for name, part in self._stateful():
            part.load_state_dict(self._whole[name])

    def _stateful(self) -> list[tuple[str, Any]]:
        return [(name, part) for name, part in self.parts.items() if hasattr(part, "load_state_dict")]

    def keep_best(self, history: History) -> None:
        self.best = self.parts["model"].state_dict()  # a snapshot: training replaces arrays and never writes to them
        self.save(BEST, history)

    def start(self) -> History:
        if self.folder is not None and os.path.exists(os.path.join(self.folder, LAST)):
            raise FileExistsError(
                f"{os.fspath(self.folder)} holds the checkpoint of another run, which would be lost: "
                "go on from it with resume=True, or choose another folder"
            )
        return {}

    def resume(self, validated: bool) -> History:
        assert self.folder is not None
        last, best = os.path.join(self.folder, LAST), os.path.join(self.folder, BEST)
        if not os.path.exists(last):
            return {}
        checkpoint = load(last)
        reached = checkpoint.metadata
        history: Any = reached.get("history")
        if not _is_history(history):
            raise ValueError(f"{last} is no checkpoint of fit: it has no history of a run")
        if history and validated != ("validation_loss" in history):
            has = "no validation data" if validated else "validation data"
            raise ValueError(f"the run in {os.fspath(self.folder)} was begun with {has}: go on with it as it was begun")
        checkpoint.restore(**self.parts)
        if os.path.exists(best):
            self.best = load(best).model_state
        batches, kinds, compiled = (reached.get(name) for name in ("batches", "kinds", "compiled"))
        self.batches = batches if isinstance(batches, int) else 0
        self.kinds = dict(kinds) if isinstance(kinds, dict) else {}
        if self.compiled is None and isinstance(compiled, bool):
            self.compiled = compiled
        return dict(history)


def _is_history(found: Any) -> bool:
    """Whether a checkpoint's note is what `fit` returned: one number for each epoch, under each name."""
    columns: list[Any] = list(found.values()) if isinstance(found, dict) else [None]
    numbers = all(isinstance(c, list) and all(isinstance(x, float | int) for x in c) for c in columns)
    return numbers and len(set(map(len, columns))) <= 1 and (not columns or "loss" in found)


def _epochs_since_best(losses: list[float], tolerance: float) -> int:
    best, since = math.inf, 0
    for value in losses:
        best, since = (value, 0) if value < best - tolerance else (best, since + 1)
    return since
