"""`Optimiser`: the parameters in groups, their state, and the loop over them. The rules are in `rules.py`."""

from __future__ import annotations

import copy
import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ..advice import Outlook
from ..engine.recording import watcher
from ..engine.tensor import Array, Tensor, describe
from ..phrases import check_options, slips, teach
from ..vocabulary_training import OPTIMISER
from .groups import Changes, Group, counted

State: TypeAlias = dict[str, Any]
Parameters: TypeAlias = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Optimiser:
    """What all optimisers share. A rule is a subclass with `state_names`, `keeps`, `numbers`, `updated` and `check`.

    Args:
        parameters: Tensors that require gradients, or groups: dicts with "parameters" and any of the options.
        options: the rule's options with the values for groups that do not say otherwise.

    Attributes:
        groups: dicts with "parameters" (a list of Tensors) and every option. Options may be changed at any time,
            as schedules do with "lr".

    Raises:
        TypeError: when a parameter is no Tensor, or an option is unknown.
        ValueError: when there are no parameters, one comes twice, was computed, or requires no gradient, or an
            option is out of range.
    """

    state_names: frozenset[str] = frozenset()  # all that the rule may keep for a parameter
    counts_steps = False  # whether the rule's numbers depend on how many steps a parameter has made

    groups: list[dict[str, Any]]
    _checked = -1  # how often something had changed when the groups were last looked at
    _changes: Changes
    _outlook: Outlook

    def __new__(cls, *_: Any, **options: Any) -> Optimiser:
        check_options(cls, options)
        self = super().__new__(cls)
        object.__setattr__(self, "_changes", Changes())
        object.__setattr__(self, "_outlook", Outlook())
        return self

    def __init__(self, parameters: Parameters, options: Mapping[str, Any]) -> None:
        if isinstance(parameters, Tensor | Mapping):
            raise TypeError(f"{self._name} needs a list of parameters, not a single {type(parameters).__name__}")
        if not isinstance(parameters, Iterable):
            raise TypeError(
                f"{self._name} needs a list of parameters, such as model.parameters(), not {type(parameters).__name__}"
            )
        self._options = tuple(options)
        given = list(parameters)
        if not given:
            raise ValueError(f"{self._name} was given no parameters; model.parameters() can be used up only once")
        if not any(isinstance(each, Mapping) for each in given):
            given = [{"parameters": given}]
        self.groups = [self._group(group, options) for group in given]
        self._state: dict[Tensor, State] = {}
        self._check_each_once()
        for i, parameter in enumerate(self._parameters()):
            if not parameter.requires_grad:
                raise ValueError(
                    f"parameter {i} of {self._name}, {describe(parameter)}, requires no gradient and would never "
                    "change: set requires_grad=True or leave it out"
                )

    def keeps(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of the arrays that the rule keeps for each parameter: of its shape, zeros at first."""
        raise NotImplementedError

    def rate(self, group: Mapping[str, Any]) -> float:
        """The learning rate of a group in this step.

        Raises:
            ValueError: when it was set to what is out of range.
        """
        lr = float(group["lr"])
        if not 0 <= lr < math.inf:
            raise ValueError(f"{self._name} needs a learning rate of 0 or more, not lr={lr}")
        return lr

    def numbers(self, group: Mapping[str, Any], step: int) -> dict[str, float]:
        """By name what the rule multiplies by in this step: worked out anew in every step, also by a compiled one.

        Args:
            group: the options. Those that change from step to step are read here, and nowhere else.
            step: the number of this step of the parameter, from 1, if the rule `counts_steps`.
        """
        raise NotImplementedError

    def updated(
        self,
        values: Array,
        gradient: Array,
        state: Mapping[str, Array],
        group: Mapping[str, Any],
        numbers: Mapping[str, Array],
    ) -> tuple[Array, dict[str, Array]]:
        """The rule, a function of its arguments alone: the new values of one parameter, and its new state by name.

        It is written with operators and NumPy functions, and runs on arrays and, when `compile` records it, on Tensors.

        Args:
            values: the present values.
            gradient: of their shape and dtype.
            state: the arrays that the rule `keeps` for this parameter.
            group: the options.
            numbers: what `numbers` gave for this step, as arrays without axes, of the dtype of the parameter.

        Returns:
            New arrays: none of the arguments may be written to, since graphs and snapshots refer to them.
        """
        raise NotImplementedError

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError when an option of the rule is out of range."""
        raise NotImplementedError

    def step(self) -> None:
        """Change every parameter that has a gradient, by the rule.

        A graph that was recorded with the old values becomes stale: `backward` through it raises.

        Raises:
            TypeError, ValueError: when an option, a parameter or a group was changed since, to what is wrong.
        """
        if self._checked != self._changes.count:
            self._check_groups()
        by = watcher()
        if by is not None:
            by.stepped(self)
            return
        nothing = True
        for group in self.groups:
            known: dict[Any, dict[str, Array]] = {}  # most parameters of a group have made as many steps
            for parameter in group["parameters"]:
                gradient = parameter._grad
                if gradient is None:
                    continue
                if nothing:
                    self._outlook.step(gradient)
                    nothing = False
                values, state = parameter._array, self.begun(parameter, group)
                dtype = values.dtype
                step = state["steps"] + 1 if self.counts_steps else 0
                numbers = known.get((step, dtype))
                if numbers is None:
                    numbers = {name: np.array(x, dtype) for name, x in self.numbers(group, step).items()}
                    known[step, dtype] = numbers
                new, changed = self.updated(values, gradient._array, state, group, numbers)
                shape = values.shape
                for x in (new, *changed.values()):
                    if x.__class__ is not np.ndarray or x.dtype is not dtype or x.shape != shape:
                        new, changed = _like(new, values), {name: _like(x, values) for name, x in changed.items()}
                        break
                state.update(changed)
                if self.counts_steps:
                    state["steps"] = step
                parameter._array = new
        if nothing:
            self._outlook.nothing(self)

    def begun(self, parameter: Tensor, group: Mapping[str, Any]) -> State:
        """The state of a parameter, begun where it is missing."""
        state = self._state.get(parameter)
        if state is None:
            state = self._state[parameter] = {"steps": 0} if self.counts_steps else {}
        for name in self.keeps(group):
            if name not in state:
                state[name] = np.zeros_like(parameter._array)
        return state

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, which are None then.

        Args:
            set_to_none: nothing else is to be had.

        Raises:
            ValueError: when it is not.
        """
        if not set_to_none:
            raise ValueError("zero_grad sets gradients to None; for zeros, set p.grad.zero_() of each parameter")
        for group in self.groups:
            for parameter in group["parameters"]:
                parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """A copy of the options and of the state: `{"groups": [{option: value}], "state": [{name: value}]}`.

        "state" follows the order of the parameters through all groups; {} where there is none yet. A group that a
        schedule drives has its first learning rate too, as "initial_lr".
        """
        return {
            "groups": [
                {name: value for name, value in group.items() if name != "parameters"}
                | ({} if group.initial_lr is None else {"initial_lr": group.initial_lr})
                | {"parameters": len(group["parameters"])}
                for group in self._groups
            ],
            "state": [copy.deepcopy(self._state.get(parameter, {})) for parameter in self._parameters()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over options and state, as from `state_dict` of an optimiser with parameters of the same shapes.

        Raises:
            ValueError: when the groups, their options, the parameters or the shapes differ; nothing is loaded then.
        """
        groups, states, parameters = list(state["groups"]), list(state["state"]), self._parameters()
        sizes = [len(group["parameters"]) for group in self.groups]
        if [group["parameters"] for group in groups] != sizes or len(states) != len(parameters):
            raise ValueError(
                f"the state does not fit {self._name}: it has groups of "
                f"{[group['parameters'] for group in groups]} parameters, here they are of {sizes}"
            )
        for own, saved in zip(self.groups, groups, strict=True):
            if own.keys() != saved.keys() - {"initial_lr"}:
                raise ValueError(
                    f"the state does not fit {self._name}: it has the options {sorted(saved)}, here are {sorted(own)}"
                )
            self._check_options(saved)
            if saved.get("initial_lr") is not None:
                self._check_options({**saved, "lr": saved["initial_lr"]})
        options = [saved for own, saved in zip(self.groups, groups, strict=True) for _ in own["parameters"]]
        for parameter, values, saved in zip(parameters, states, options, strict=True):
            names = {*self.keeps(saved), *(["steps"] if self.counts_steps else [])}
            if values and not names <= values.keys() <= self.state_names:
                raise ValueError(
                    f"the state does not fit {self._name}: it has {sorted(values)} for {describe(parameter)}, "
                    f"not {sorted(names)}"
                )
            steps = values.get("steps", 0)
            if not isinstance(steps, int | np.integer) or steps < 0:
                raise ValueError(f"the state does not fit {self._name}: steps is a number of steps, not {steps!r}")
            for name, value in values.items():
                if isinstance(value, np.ndarray) and (value.shape, value.dtype) != (parameter.shape, parameter.dtype):
                    raise ValueError(
                        f"the state does not fit {self._name}: {name} has shape {value.shape}, {value.dtype} "
                        f"for {describe(parameter)}"
                    )
        for own, saved in zip(self._groups, groups, strict=True):
            loaded = {name: saved[name] for name in own if name != "parameters"}
            own.update({name: tuple(x) if isinstance(x, list) else x for name, x in loaded.items()})  # JSON has lists
            own.initial_lr, own.driven = saved.get("initial_lr"), None
        self._state = {
            parameter: copy.deepcopy(dict(values))
            for parameter, values in zip(parameters, states, strict=True)
            if values
        }

    def __repr__(self) -> str:
        def line(group: Mapping[str, Any]) -> str:
            options = ", ".join(f"{name}={value}" for name, value in group.items() if name != "parameters")
            return f"{len(group['parameters'])} tensors, {options}"

        return f"{self._name}(" + "; ".join(map(line, self.groups)) + ")"

    def __setattr__(self, name: str, value: Any) -> None:
        groups = self.__dict__.get("groups")
        if groups and name in groups[0]:
            raise AttributeError(f"{name} stands in the groups: write optimiser.groups[0][{name!r}] = …")
        if name != "_state":  # which steps change
            self._changes.count += 1
        super().__setattr__(name, counted(value, self._changes) if name == "groups" else value)

    def __getattr__(self, name: str) -> Any:
        if name != "_state" or "_away" not in self.__dict__:
            return object.__getattribute__(self, name)  # which raises, with its own words
        self._state = self.__dict__.pop("_away")()  # it was on a device
        return self._state

    def __delattr__(self, name: str) -> None:
        self._changes.count += 1
        super().__delattr__(name)

    @property
    def _version(self) -> int:
        """How often an attribute, an option other than the learning rate, or what is optimised was set."""
        return self._changes.count

    @property
    def _groups(self) -> list[Group]:
        return self.groups  # type: ignore[return-value]  # by `__setattr__`

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.groups for parameter in group["parameters"]]

    def _group(self, given: Any, options: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(given, Mapping) or "parameters" not in given:
            raise TypeError(f'a group of {self._name} is a dict with "parameters", not {given!r}')
        if isinstance(given["parameters"], Tensor):
            raise TypeError(f"a group of {self._name} has a list of parameters, not a single Tensor")
        self._check_names(given)
        group = {**options, **given, "parameters": list(given["parameters"])}
        self._check_options(group)
        return group

    def _check_names(self, group: Mapping[str, Any]) -> None:
        if unknown := group.keys() - {*self._options, "parameters"}:
            raise TypeError(
                f"{self._name} has no option {', '.join(sorted(unknown))}; it has {', '.join(self._options)}"
            )

    def _check_options(self, group: Mapping[str, Any]) -> None:
        self.check_numbers(group, "lr", "weight_decay")
        self.rate(group)
        if not 0 <= group["weight_decay"] < math.inf:
            raise ValueError(f"{self._name} needs a weight_decay of 0 or more, not {group['weight_decay']}")
        self.check(group)

    def check_numbers(self, group: Mapping[str, Any], *names: str) -> None:
        """Raise TypeError when one of these options is no number."""
        for name in names:
            if not isinstance(group[name], numbers.Real):
                raise TypeError(f"{self._name} needs a number for {name}, not {group[name]!r}")

    def _check_groups(self) -> None:
        """Look at groups that were changed, as at those that were given at first."""
        for group in self.groups:
            self._check_names(group)
            if missing := {*self._options, "parameters"} - group.keys():
                raise TypeError(f"a group of {self._name} lacks {', '.join(sorted(missing))}")
            if not isinstance(group["lr"], numbers.Real):  # a number in disguise, which is read as one
                group = {**group, "lr": self.rate(group)}
            self._check_options(group)
        self._check_each_once()
        object.__setattr__(self, "_checked", self._changes.count)  # which is no change

    def _check_each_once(self) -> None:
        seen: set[Tensor] = set()
        for i, parameter in enumerate(self._parameters()):
            if not isinstance(parameter, Tensor):
                raise TypeError(f"parameter {i} of {self._name} is no Tensor but {type(parameter).__name__}")
            if parameter.operation is not None:
                raise ValueError(
                    f"parameter {i} of {self._name}, {describe(parameter)}, was computed by "
                    f"{parameter.operation.name}: an optimiser changes leaves, so give it the tensors it came from"
                )
            if parameter in seen:
                raise ValueError(
                    f"parameter {i} of {self._name}, {describe(parameter)}, is given twice and would be changed twice"
                )
            seen.add(parameter)


def _like(new: Any, values: Array) -> Array:
    """What a rule gave, as an array like the values before: arithmetic on arrays without axes gives numbers."""
    array = np.asarray(new, values.dtype)
    if array.shape != values.shape:
        raise ValueError(
            f"an optimiser's rule gave an array of shape {array.shape} for a parameter of shape {values.shape}: "
            "new values and state have the shape of the parameter"
        )
    return array


teach(Optimiser, slips(Optimiser) | OPTIMISER)
