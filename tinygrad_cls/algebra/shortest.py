"""The shortest proof: once the end is known, the way to it with the fewest and lightest steps among the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import expression as ex
from .expression import Expression
from .facts import Because, Facts
from .pattern import letter
from .rule import Rewrite, Rule
from .simplify import Rewriting, Simplifier

_TRIALS = 40  # expressions from which further ones are looked for
_MANY, _LONG = 12, 150  # steps, and what there is to read at first; of more no other way is looked for
_FEW, _NEAR = 12, 2  # the same, and steps, on the way from one end to another
_GROWTH = 12  # what costs more than the longer end by that is not gone through


class _Free(Simplifier):
    """Uses rules whether or not that makes a formula shorter."""

    def __init__(self, facts: Facts, rules: Sequence[Rule]) -> None:
        super().__init__(facts, rules)
        self._known: dict[tuple[str, Expression], Rewrite | None] = {}

    def _use(self, rule: Rule, x: Expression) -> Rewrite | None:
        if x.kind not in rule.kinds:
            return None
        key = rule.name, x
        if key not in self._known:
            uses = rule.rewrites(x, self.facts)
            self._known[key] = next((use for use in uses if not self._leads_back(rule, use.result, x)), None)
        return self._known[key]

    def _leads_back(self, rule: Rule, x: Expression, start: Expression) -> bool:
        """Whether the rule, used again and again from `x` on, comes to `start`: then it would never end."""
        while x is not start:
            use = self._known.get((rule.name, x))
            if use is None:
                return False
            x = use.result
        return True


THE_SAME = Rule(
    "another way to write it",
    letter("x"),
    letter("y"),
    "the same gradient, in the shortest form that any of the three ways comes to; that way has the steps to it",
)


def shortest(x: Expression, steps: list[Rewriting], facts: Facts, rules: Sequence[Rule]) -> list[Rewriting]:
    """Fewer steps from `x` to where these lead, if there are; of as few the lighter ones."""
    if not 2 <= len(steps) <= _MANY or x.cost > _LONG:
        return steps
    return _path(x, steps[-1].after, _Free(facts, rules), len(steps) - 1, _TRIALS) or steps


def bridge(x: Expression, end: Expression, facts: Facts, rules: Sequence[Rule]) -> list[Rewriting]:
    """The steps from one form of a gradient to another: by rules where few suffice, else in one."""
    path = _path(x, end, _Free(facts, rules), _NEAR, _FEW) if max(x.cost, end.cost) <= _LONG else []
    if path:
        return path
    marks = {y: frozenset({y}) for y in (x, end)}
    return [Rewriting(THE_SAME, x, end, {x: marks[x]}, {end: marks[end]}, (Because(THE_SAME.reason),))]


def _path(x: Expression, end: Expression, free: _Free, most: int, trials: int) -> list[Rewriting]:
    """The fewest steps from `x` to an end, of as few the lighter ones; none where none are found.

    Breadth first, so that what is found first has the fewest steps. It looks at so many expressions and no more.
    """
    highest = max(x.cost, end.cost) + _GROWTH
    came_by: dict[Expression, Rewriting | None] = {x: None}
    level = [x]
    for _ in range(most):
        found: list[Rewriting] = []
        for start in sorted(level, key=lambda x: (x.cost, x.key))[:trials]:
            trials -= 1
            found += [step for step in _steps(free, start) if step.after not in came_by and step.after.cost <= highest]
        for step in sorted(found, key=_weight):
            came_by.setdefault(step.after, step)
        if end in came_by:
            return _back(end, came_by)
        level = list(dict.fromkeys(step.after for step in found))
        if not trials or not level:
            break
    return []


def _steps(free: _Free, x: Expression) -> Iterator[Rewriting]:
    parts = list(ex.inner_first(x))
    for rule in free.rules:
        step = free._everywhere(rule, x, parts)
        if step is not None:
            yield step


def _weight(step: Rewriting) -> int:
    """How much there is to read in what changes."""
    return sum(part.cost for parts in (*step.old.values(), *step.new.values()) for part in parts)


def _back(end: Expression, came_by: dict[Expression, Rewriting | None]) -> list[Rewriting]:
    path: list[Rewriting] = []
    while (step := came_by[end]) is not None:
        path.append(step)
        end = step.before
    return path[::-1]
