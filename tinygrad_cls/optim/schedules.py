"""Learning-rate schedules: a curve gives the factor for each step, a `Schedule` applies it to an optimiser.

Curves are plain values that can be chained: `warm_up(100).then(cosine(900))`.

Example:
    >>> import tinygrad_cls as tg
    >>> from tinygrad_cls.optim import schedules
    >>> x = tg.Tensor([1.0], requires_grad=True)
    >>> optimiser = tg.optim.SGD([x], lr=1.0)
    >>> schedule = schedules.Schedule(optimiser, schedules.warm_up(2).then(schedules.step(every=2, factor=0.5)))
    >>> for _ in range(6):
    ...     print(optimiser.groups[0]["lr"], end=" ")
    ...     schedule.step()
    0.0 0.5 1.0 1.0 0.5 0.5
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from ..advice import warn
from ..engine.recording import watcher
from ..phrases import teach, unknown
from ..vocabulary_training import SCHEDULE, SCHEDULES
from .optimiser import Optimiser


class Curve:
    """The factor on the learning rate as a function of the number of steps done."""

    def __call__(self, steps: int) -> float:
        """The factor after `steps` steps."""
        raise NotImplementedError

    @property
    def length(self) -> int | None:
        """The number of steps after which it stays as it is; None for one that never does."""
        return None

    def then(self, after: Curve) -> Curve:
        """This curve for its whole length, `after` from there on.

        Raises:
            TypeError: when `after` is no curve.
            ValueError: when this curve has no end.
        """
        if not isinstance(after, Curve):
            raise TypeError(f"after a curve comes a curve, such as cosine(100), not {after!r}")
        if self.length is None:
            raise ValueError(f"{self} has no end, so nothing can follow it; cosine and warm_up have one")
        return _Chain(self, after)


def _check(curve: Curve, **options: Any) -> None:
    """The first option is a number of steps, the others are factors."""
    (length, steps), *factors = options.items()
    whole = isinstance(steps, int | np.integer) and not isinstance(steps, bool)
    if not whole or steps < 1 or not all(isinstance(x, numbers.Real) and 0 <= float(x) < math.inf for _, x in factors):
        needed = "".join(f" and a finite {name} ≥ 0" for name, _ in factors)
        raise ValueError(f"{curve} needs a whole number of {length} ≥ 1{needed}")


@dataclass(frozen=True)
class step(Curve):  # noqa: N801 (used like a function)
    """`factor` to the power of the number of whole periods of `every` steps: a staircase.

    Args:
        every: the length of a stair.
        factor: from one stair to the next.

    Raises:
        ValueError: when `every` is no whole number of 1 or more, or `factor` is negative or infinite.

    Example:
        >>> import tinygrad_cls as tg
        >>> [tg.optim.schedules.step(every=2, factor=0.5)(t) for t in range(5)]
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check(self, every=self.every, factor=self.factor)

    def __call__(self, steps: int) -> float:
        return float(self.factor ** (steps // self.every))


@dataclass(frozen=True)
class cosine(Curve):  # noqa: N801
    """From 1 down to `final` along half a cosine, `final + (1 − final) · (1 + cos(π t / steps)) / 2`, then level.

    Loshchilov & Hutter, 2017, https://arxiv.org/abs/1608.03983, without restarts.

    Args:
        steps: how long it falls.
        final: where it ends.

    Raises:
        ValueError: when `steps` is no whole number of 1 or more, or `final` is negative or infinite.

    Example:
        >>> import tinygrad_cls as tg
        >>> [round(tg.optim.schedules.cosine(4)(t), 3) for t in range(6)]
        [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        _check(self, steps=self.steps, final=self.final)

    def __call__(self, steps: int) -> float:
        done = min(steps, self.steps) / self.steps
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2

    @property
    def length(self) -> int:
        return self.steps


@dataclass(frozen=True)
class warm_up(Curve):  # noqa: N801
    """From `start` up to 1 in a straight line, then level.

    Args:
        steps: how long it rises.
        start: where it starts.

    Raises:
        ValueError: when `steps` is no whole number of 1 or more, or `start` is negative or infinite.

    Example:
        >>> import tinygrad_cls as tg
        >>> [tg.optim.schedules.warm_up(4, start=0.5)(t) for t in (0, 2, 4, 9)]
        [0.5, 0.75, 1.0, 1.0]
    """

    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        _check(self, steps=self.steps, start=self.start)

    def __call__(self, steps: int) -> float:
        return self.start + (1 - self.start) * (min(steps, self.steps) / self.steps)

    @property
    def length(self) -> int:
        return self.steps


@dataclass(frozen=True)
class _Chain(Curve):
    first: Curve
    after: Curve

    def __call__(self, steps: int) -> float:
        until = self.first.length or 0
        return self.first(steps) if steps < until else self.after(steps - until)

    @property
    def length(self) -> int | None:
        rest = self.after.length
        return None if rest is None else (self.first.length or 0) + rest

    def __repr__(self) -> str:
        return f"{self.first}.then({self.after})"


class Schedule:
    """Sets the learning rate of an optimiser to its first value times a curve.

    Args:
        optimiser: every group keeps its own first learning rate, the one before any schedule: a second schedule
            begins with it too, unless another was set since. A group that is added later is driven from the next step
            on.
            The factor for step 0 is applied at once.
        curve: such as `cosine(1000)`, or any function from the number of steps to a factor.

    Raises:
        TypeError: when the optimiser is none, or the curve no function.
        ValueError: when the curve gives what is no factor: numbers of 0 or more are.

    Warns:
        LearningWarning: when something else sets the learning rate, which the next step sets back.

    Attributes:
        steps: how often `step()` was called.

    Example:
        >>> import tinygrad_cls as tg
        >>> optimiser = tg.optim.SGD([tg.Tensor(1.0, requires_grad=True)], lr=0.5)
        >>> schedule = tg.optim.schedules.Schedule(optimiser, tg.optim.schedules.cosine(2))
        >>> schedule.step()
        >>> optimiser.groups[0]["lr"]
        0.25
    """

    def __init__(self, optimiser: Optimiser, curve: Curve) -> None:
        if not isinstance(optimiser, Optimiser) or not callable(curve):
            raise TypeError(f"Schedule takes an optimiser and a curve, such as cosine(1000), not {optimiser}, {curve}")
        self.optimiser = optimiser
        self.curve = curve
        self.steps: int = 0
        for group in optimiser._groups:
            if group.driven is not None and group.driven[1] != group["lr"]:
                group.initial_lr = None  # since the last schedule somebody has chosen another
        self._apply()

    def step(self) -> None:
        """Go on by one: call it after each `optimiser.step()`, or after each epoch, as the curve is meant."""
        by = watcher()
        if by is not None:
            by.used(self)
        self.steps += 1
        for group in self.optimiser._groups:
            if group.driven not in (None, (id(self), group["lr"])):
                warn(
                    f"the learning rate was set to {group['lr']:g}, but a schedule drives it and sets it anew in each "
                    "step: use one schedule for an optimiser, and for other rates a curve that has them"
                )
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """The number of steps done and the first learning rates. The curve is not in it: give it anew."""
        return {"steps": self.steps, "initial": [group.initial_lr or group["lr"] for group in self.optimiser._groups]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where another schedule was.

        Raises:
            ValueError: when the number of groups differs, or steps or rates are out of range.
        """
        groups = self.optimiser._groups
        if len(state["initial"]) != len(groups):
            raise ValueError(
                f"the state is of a schedule over {len(state['initial'])} groups, this one has {len(groups)}"
            )
        steps, rates = state["steps"], [float(initial) for initial in state["initial"]]
        if not isinstance(steps, int) or steps < 0 or not all(0 <= rate < math.inf for rate in rates):
            raise ValueError(f"the state of a schedule has a number of steps and learning rates, not {dict(state)}")
        self.steps = steps
        for group, rate in zip(groups, rates, strict=True):
            group.initial_lr = rate
        self._apply()

    def __repr__(self) -> str:
        return f"Schedule({self.curve}, steps={self.steps})"

    def _apply(self) -> None:
        factor = self.curve(self.steps)
        length = self.curve.length if isinstance(self.curve, Curve) else None
        if factor == 0 and length is not None and self.steps >= 2 * length:  # one more is common
            warn(
                f"the schedule was over after {length} steps, and the learning rate stays 0: with a step for each "
                "batch it needs the number of all batches, epochs · len(batches)"
            )
        if not isinstance(factor, numbers.Real) or not 0 <= factor < math.inf:
            raise ValueError(f"the curve {self.curve} gives {factor!r} after {self.steps} steps, and no factor ≥ 0")
        for group in self.optimiser._groups:
            if group.initial_lr is None:
                group.initial_lr = float(group["lr"])
            group["lr"] = group.initial_lr * factor
            group.driven = id(self), group["lr"]


def __getattr__(name: str) -> NoReturn:
    raise unknown(__name__, name, SCHEDULES, ("Schedule", "Curve", "step", "cosine", "warm_up"))


teach(Schedule, SCHEDULE)
