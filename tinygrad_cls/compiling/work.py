"""What an engine is given to write, and what it gives: the same for all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from types import CodeType
from typing import Any, NamedTuple, Protocol

from ..engine.recording import Condition
from ..engine.tensor import Array
from .plan import Change, memory
from .program import Builder, Form, Value

Check = tuple[Condition, tuple[Value, ...]]


class Ends(NamedTuple):
    """Everything that a program is for, as values.

    Attributes:
        checks: conditions, with the values to check.
        returned: results for the caller.
        gradients: results that become the gradient of a tensor.
        changes: inputs whose memory outlives the call, with their new values.
    """

    checks: list[Check]
    returned: list[Value]
    gradients: list[Value]
    changes: list[Change]

    @property
    def checked(self) -> list[Value]:
        """The values whose checks come before anything is changed."""
        return [v for _, values in self.checks for v in values]

    @property
    def shown(self) -> list[Value]:
        """The values that leave the program as new arrays."""
        return [*self.returned, *self.gradients]

    @property
    def all(self) -> list[Value]:
        """All of them."""
        return [*self.checked, *self.shown, *(v for _, v in self.changes)]

    def after(self, rewriting: Callable[[list[Value]], list[Value]]) -> Ends:
        """The same ends, their values rewritten."""
        targets = [target for target, _ in self.changes]
        new = iter(rewriting(self.all))
        return Ends(
            [(condition, tuple(islice(new, len(values)))) for condition, values in self.checks],
            list(islice(new, len(self.returned))),
            list(islice(new, len(self.gradients))),
            list(zip(targets, new, strict=True)),
        )

    def with_old_values_kept(self, builder: Builder) -> Ends:
        """Those that are an old value of what is changed copied before it is."""
        targets = {target for target, _ in self.changes}

        def kept(v: Value) -> Value:
            return builder.like("copy", v, v) if memory(v) in targets else v

        return self._replace(
            returned=[kept(v) for v in self.returned],
            gradients=[kept(v) for v in self.gradients],
            changes=[(target, kept(v)) for target, v in self.changes],
        )


class Work(NamedTuple):
    """What is to be written.

    Attributes:
        ends: what the program is for.
        builder: makes new values, for forms of the engine's own.
        labels: class numbers that every call checks, with the number of classes.
        arguments: the inputs that the step is called with, by the name of the parameter.
        held: the inputs that are bound once: parameters and state.
        draws: random inputs with their generators.
        numbers: what changes from step to step, passed after the arguments.
    """

    ends: Ends
    builder: Builder
    labels: set[tuple[Value, int]]
    arguments: Sequence[tuple[str, Value]]
    held: Sequence[Value]
    draws: Sequence[tuple[Value, Any]]
    numbers: Sequence[Value]


class Program(NamedTuple):
    """What an engine writes.

    Attributes:
        source: the text.
        constants: arrays that it refers to.
        helpers: other objects that the text refers to by name.
    """

    source: str
    constants: list[Array]
    helpers: dict[str, Any]


class Engine(Protocol):
    """One way to run a program: a module of `engines/`.

    Attributes:
        FORMS: by the step, what the engine would rather have another form of, while the steps are made.
    """

    FORMS: Mapping[str, Form]

    def written(self, work: Work) -> Program:
        """The text of a program."""

    def bound(self, program: Program, held: Sequence[Array]) -> Callable[..., Any]:
        """The step over these arrays: takes the arguments and the numbers, gives the results."""


@functools.lru_cache(maxsize=64)
def code(source: str) -> CodeType:
    """The code of a text: a program is bound anew to other arrays more often than it is made."""
    return compile(source, "<tg.compile>", "exec")
