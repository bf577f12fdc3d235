"""`Module`: tensors found by attribute, named by path, and a heading over what each call records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np

from ..engine.recording import ADVISERS, NOTHING, STATE, Scope
from ..engine.tensor import Array, Tensor, describe
from ..phrases import check_options, slips, teach
from ..visible import visible
from ..vocabulary_training import MODULE

Member: TypeAlias = "Module | Tensor | np.random.Generator"
M = TypeVar("M", bound="Module")

_NOTHING = object()
_OWN = frozenset({"_labels", "_version"})  # the module's own notes, by address or for the moment, and nobody's state


class Module:
    """A function with parameters: a subclass keeps them as attributes and computes in `forward`.

    Tensors, modules and random generators are found in attributes, and in lists, tuples and dicts within them, to
    any depth. Their names are the paths: `layers.0.weight`. One that is reachable in two ways has its first name.

    A tensor that requires a gradient is a *parameter*. One that does not is saved and loaded with the others and left
    alone by optimisers: a frozen parameter, or a constant such as the mean of the data.

    Attributes:
        training: whether layers such as `Dropout` behave as in training. Set by `train()` and `eval()`.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cls as tg
        >>> class Scale(tg.nn.Module):
        ...     def __init__(self, n):
        ...         self.factors = tg.Tensor(np.ones(n), requires_grad=True)
        ...     def forward(self, x):
        ...         return x * self.factors
        >>> scale = Scale(2)
        >>> scale([3.0, 4.0]).numpy()
        array([3., 4.])
        >>> scale
        Scale()  # 2 parameters
    """

    training: bool = True
    _labels: dict[int, str]
    _version: int = 0  # raised by every change of an attribute: what `compile` compares

    def __new__(cls, *_: Any, **options: Any) -> Any:
        check_options(cls, options)
        return super().__new__(cls)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Call the module itself, not this: the call records a heading for drawings."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward(self, x) that computes its result")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        level, scope, by = STATE.get()
        if by is not None:
            by.used(self)
        elif level == NOTHING:
            return self.forward(*args, **kwargs)
        token = STATE.set((level, _Heading(self, scope), by))
        try:
            return self.forward(*args, **kwargs)
        except Exception as error:
            raise ADVISERS[-1].retold(error)  # noqa: B904 (the same one)
        finally:
            STATE.reset(token)

    # --- what it is made of -----------------------------------------------------------------------------------

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module (named "") and all within it, each once, with their paths."""
        return ((path, found) for path, found in _walk(self) if isinstance(found, Module))

    def named_tensors(self) -> dict[str, Tensor]:
        """All tensors by path, parameters and constants, each once.

        Raises:
            ValueError: when an attribute holds a computed tensor, or two paths are the same.
        """
        tensors: dict[str, Tensor] = {}
        for path, found in _walk(self):
            if not isinstance(found, Tensor):
                continue
            if found.operation is not None:
                raise ValueError(
                    f"{path} of {type(self).__name__} was computed ({describe(found)}, by {found.operation.name}), and "
                    "only leaves can be trained or saved: make it with tg.Tensor(values, requires_grad=True); "
                    "if it is a result that you want to keep, keep its values with .numpy()"
                )
            if path in tensors:
                raise ValueError(f"two tensors of {type(self).__name__} have the path {path}: rename a dict key")
            tensors[path] = found
        return tensors

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that require a gradient, each once, with their paths.

        Raises:
            ValueError: as for `named_tensors`.
        """
        return ((path, tensor) for path, tensor in self.named_tensors().items() if tensor.requires_grad)

    def parameters(self) -> Iterator[Tensor]:
        """The tensors that require a gradient, each once: what an optimiser wants.

        A frozen tensor (`requires_grad=False`) is not among them; `named_tensors` has it.

        Raises:
            ValueError: as for `named_tensors`.
        """
        return (tensor for _, tensor in self.named_parameters())

    def named_generators(self) -> dict[str, np.random.Generator]:
        """The random generators by path, such as those of `Dropout`: a checkpoint keeps their states."""
        return {path: found for path, found in _walk(self) if isinstance(found, np.random.Generator)}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, which are None then.

        Args:
            set_to_none: nothing else is to be had.

        Raises:
            ValueError: when it is not.
        """
        if not set_to_none:
            raise ValueError("zero_grad sets gradients to None; for zeros, set p.grad.zero_() of each parameter")
        for parameter in self.parameters():
            parameter.grad = None

    # --- values in and out ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """The values of all tensors by path, as read-only arrays.

        They are a snapshot: training gives the tensors new arrays and leaves these as they are.

        Raises:
            ValueError: as for `named_tensors`.

        Example:
            >>> import tinygrad_cls as tg
            >>> sorted(tg.nn.Linear(2, 3).state_dict())
            ['bias', 'weight']
        """
        return {path: tensor.numpy() for path, tensor in self.named_tensors().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Give all tensors the values in `state`. Either all of them change or, after an error, none.

        Args:
            state: arrays by path, as from `state_dict`. Shapes must be equal; a dtype must fit without loss
                (float32 into float64, but not the reverse).

        Raises:
            TypeError: when the state is no dict.
            ValueError: names every path that is missing, not expected, or of another shape or dtype.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"a state is a dict of arrays by path, not {type(state).__name__}; a checkpoint goes into a model by "
                "tg.load(path).restore(model=…)"
            )
        tensors = self.named_tensors()
        arrays = {path: np.asarray(values) for path, values in state.items()}
        problems = [f"missing: {path}" for path in tensors if path not in arrays]
        problems += [f"unexpected: {path}" for path in arrays if path not in tensors]
        for path, tensor in tensors.items():
            if path in arrays and (problem := _mismatch(tensor, arrays[path])):
                problems.append(f"mismatched: {path} {problem}")
        if problems:
            raise ValueError(
                f"the state does not fit {type(self).__name__}, nothing was loaded\n  " + "\n  ".join(problems)
            )
        for path, tensor in tensors.items():
            tensor.assign(arrays[path])

    # --- modes ------------------------------------------------------------------------------------------------

    def train(self: M, mode: bool = True) -> M:
        """Behave as in training, here and in all modules within. Returns the module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Behave as in use: no dropout. Returns the module."""
        return self.train(False)

    # --- for people -------------------------------------------------------------------------------------------

    def options(self) -> str:
        """What `repr` shows within the brackets."""
        return ""

    def __repr__(self) -> str:
        count = sum(tensor.size for _, tensor in _walk(self) if isinstance(tensor, Tensor) and tensor.requires_grad)
        note = f"  # {count:,} parameter{'s' if count != 1 else ''}" if count else ""
        children = [(path, child) for path, child in _members(self) if isinstance(child, Module)]
        if not children:
            return f"{type(self).__name__}({self.options()}){note}"
        lines = [f"({path}): {child!r}".replace("\n", "\n  ") for path, child in children]
        return f"{type(self).__name__}({self.options()}{note}\n  " + "\n  ".join(lines) + "\n)"

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        before = own[name] if name in own else getattr(type(self), name, _NOTHING)
        object.__setattr__(self, name, value)
        if before is not value and not _equal(before, value):
            own["_version"] = self._version + 1

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        vars(self)["_version"] = self._version + 1

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _OWN}


def _equal(a: Any, b: Any) -> bool:
    """Whether two objects are the same plain value, to the last bit: 0.0 and -0.0 are not."""
    return type(a) is type(b) and type(a) in (int, float, str) and a == b and repr(a) == repr(b)


def _members(module: Module) -> Iterator[tuple[str, Member]]:
    """What the module's own attributes hold, lists and dicts opened, other modules not."""
    waiting: list[tuple[str, Any]] = [(name, value) for name, value in vars(module).items() if name not in _OWN]
    waiting.reverse()
    opened: set[int] = set()
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Module | Tensor | np.random.Generator):
            yield visible(path), value
        elif isinstance(value, dict | list | tuple) and id(value) not in opened:
            opened.add(id(value))
            items = list(value.items() if isinstance(value, dict) else enumerate(value))
            waiting.extend((f"{path}.{key}", item) for key, item in reversed(items))
        elif isinstance(value, set | frozenset) and any(isinstance(item, Module | Tensor) for item in value):
            raise ValueError(f"{path} is a set, which has no order, and would not be trained or saved: make it a list")


def _walk(root: Module) -> Iterator[tuple[str, Member]]:
    """`root` and everything in it, once, each with its path from `root`."""
    seen: set[int] = set()
    waiting: list[tuple[str, Member]] = [("", root)]
    while waiting:
        path, found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield path, found
        if isinstance(found, Module):
            waiting.extend([(f"{path}.{name}" if path else name, x) for name, x in _members(found)][::-1])


def _mismatch(tensor: Tensor, array: Array) -> str:
    if array.shape != tensor.shape:
        return f"has shape {array.shape} in the state, {tensor.shape} in the module"
    if not np.can_cast(array.dtype, tensor.dtype, "safe"):
        return f"is {array.dtype} in the state and would lose digits as {tensor.dtype}: convert it with .astype first"
    return ""


class _Heading(Scope):
    """The scope of a module's call. `labels` are the outermost module's: the heading of each module within it."""

    __slots__ = ("labels",)

    labels: dict[int, str]

    def __init__(self, module: Module, parent: Scope | None) -> None:
        outer = parent
        while outer is not None and type(outer) is not _Heading:
            outer = outer.parent
        self.labels = labels = _labels(module) if outer is None else outer.labels
        name = labels.get(id(module))
        if name is None:  # it was added after the labels were written: the outermost module writes them anew next time
            labels.clear()
            name = type(module).__name__
        self.name, self.parent = name, parent  # as Scope does, in less time
        self.result = self.made = None


def _labels(root: Module) -> dict[int, str]:
    """The heading of each module within `root`: its path and class. Tensors without a name are named by path too."""
    labels: dict[int, str] = vars(root).setdefault("_labels", {})
    if not labels:
        for path, found in _walk(root):
            if isinstance(found, Module):
                labels[id(found)] = f"{path}: {type(found).__name__}" if path else type(found).__name__
            elif isinstance(found, Tensor) and (found.name is None or path.endswith(f".{found.name}")):
                found.name = path
    return labels


teach(Module, slips(Module) | MODULE)
