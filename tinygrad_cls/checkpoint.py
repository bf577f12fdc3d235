"""Checkpoints: everything that a run needs to go on in the same bits, in one file in the safetensors format.

The file holds arrays, and one JSON text for all that is no array. Nothing is ever unpickled, so a checkpoint from
anywhere can be opened safely. (https://github.com/huggingface/safetensors)
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .engine.tensor import Array
from .files import PathLike, write
from .nn import Module
from .optim import Optimiser
from .optim.schedules import Schedule

Generators = np.random.Generator | Mapping[str, np.random.Generator]

_DEEP = 100  # dicts and lists in one another
_KEY, _CHECKSUM = "tinygrad_cls", "checksum"


def save(
    path: PathLike,
    *,
    model: Module | None = None,
    optimiser: Optimiser | None = None,
    schedule: Schedule | None = None,
    generators: Generators | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint. An interruption at any moment leaves the old file or the new one, whole.

    Args:
        path: the file, usually named `….safetensors`. Its folder must exist.
        model: its tensors, and the states of its random generators (those of `Dropout`).
        optimiser: its options and state.
        schedule: how far it is.
        generators: others to go on with, such as that of the mini-batches: one, or several by name.
        metadata: anything that JSON can hold: the epoch, the class names, ….

    Raises:
        ImportError: without the package safetensors.
        TypeError: when a part is of another kind, the metadata is no JSON, or a dtype is unknown to safetensors.
        OSError: when the file cannot be written; an old one stays as it is.

    Example:
        >>> import pathlib, tempfile
        >>> import tinygrad_cls as tg
        >>> path = pathlib.Path(tempfile.mkdtemp(), "model.safetensors")
        >>> model = tg.nn.Linear(2, 3)
        >>> tg.save(path, model=model, metadata={"epoch": 5})
        >>> checkpoint = tg.load(path)
        >>> checkpoint.metadata
        {'epoch': 5}
        >>> checkpoint.restore(model=model)
    """
    _check_kinds("save", model, optimiser, schedule, generators)
    if not isinstance(metadata, Mapping | None) or not _has_texts_for_keys(metadata):
        raise TypeError(
            f"tg.save: the metadata must be what JSON can hold, dicts with texts for keys, not {metadata!r}"
        )
    tensors: dict[str, Array] = {}
    notes: dict[str, Any] = {"format": 1, "metadata": dict(metadata or {})}
    if model is not None:
        tensors.update({f"model.{name}": array for name, array in model.state_dict().items()})
        notes["model"] = type(model).__name__
    if optimiser is not None:
        state = optimiser.state_dict()
        notes["optimiser"] = {"kind": type(optimiser).__name__, "groups": state["groups"], "state": []}
        for i, values in enumerate(state["state"]):
            arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
            tensors.update({f"optimiser.{i}.{name}": array for name, array in arrays.items()})
            notes["optimiser"]["state"].append({name: x for name, x in values.items() if name not in arrays})
    if schedule is not None:
        notes["schedule"] = schedule.state_dict()
    named = _all_generators(model, generators)
    notes["generators"] = {name: _plain(generator.bit_generator.state) for name, generator in named.items()}
    try:
        text = json.dumps(notes, default=_number)
    except (TypeError, ValueError) as error:
        raise TypeError(f"tg.save: the metadata must be what JSON can hold: {error}") from None
    tensors = _supported(tensors)
    notes_of_file = {_KEY: text, _CHECKSUM: _checksum(text, tensors)}
    write(path, _safetensors("numpy").save(tensors, notes_of_file))


def load(path: PathLike) -> Checkpoint:
    """Read a checkpoint. Nothing in it is executed.

    Args:
        path: a file written by `save`, or any other safetensors file, which has only tensors.

    Raises:
        ImportError: without the package safetensors.
        FileNotFoundError, IsADirectoryError: when there is no such file, or it is a folder.
        ValueError: when it is no safetensors file, is damaged (a checksum tells) or truncated.

    Example:
        See `save`.
    """
    package = _safetensors()
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no checkpoint {os.fspath(path)}")
    if os.path.isdir(path):
        raise IsADirectoryError(f"{os.fspath(path)} is a folder: name the checkpoint in it")
    try:
        with package.safe_open(path, framework="numpy") as file:
            texts = file.metadata() or {}
            notes = json.loads(texts.get(_KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (package.SafetensorError, ValueError, RecursionError, TypeError, AttributeError) as error:
        raise ValueError(f"{os.fspath(path)} is no whole safetensors file: {error}") from error
    if notes is None:
        return Checkpoint(os.fspath(path), tensors)
    if not isinstance(notes, dict) or notes.get("format") != 1:
        raise ValueError(f"{os.fspath(path)} was written by another version of tinygrad_cls")
    if not isinstance(notes.get("metadata", {}), dict):
        raise ValueError(f"{os.fspath(path)} is not as tg.save writes it: its metadata is {notes['metadata']!r}")
    if texts.get(_CHECKSUM) not in (None, _checksum(texts[_KEY], tensors)):  # files of earlier versions have none
        raise ValueError(f"{os.fspath(path)} is damaged: its content is not what was saved, by its checksum")
    return Checkpoint(os.fspath(path), tensors, notes)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What `load` read.

    Attributes:
        path: the file.
        tensors: all arrays, by name: "model.layers.0.weight", "optimiser.0.velocity".
        notes: what is no array; empty for a file that `save` did not write.
    """

    path: str
    tensors: dict[str, Array]
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, Any]:
        """What was given to `save` as metadata."""
        return dict(self.notes.get("metadata", {}))

    @property
    def model_state(self) -> dict[str, Array]:
        """The tensors of the model, as `Module.load_state_dict` takes them."""
        return {name[6:]: array for name, array in self.tensors.items() if name.startswith("model.")}

    def restore(
        self,
        *,
        model: Module | None = None,
        optimiser: Optimiser | None = None,
        schedule: Schedule | None = None,
        generators: Generators | None = None,
    ) -> None:
        """Put what was saved into objects of the same make. After an error all of them are as before.

        Args:
            model, optimiser, schedule, generators: as they were given to `save`. What is left out is not restored.

        Raises:
            TypeError: when a part is of another kind.
            ValueError: when a part is not in the checkpoint or does not fit; says which, and why.
        """
        _check_kinds("restore", model, optimiser, schedule, generators)
        for name, part in (("model", model), ("optimiser", optimiser), ("schedule", schedule)):
            if part is not None and name not in self.notes:
                raise ValueError(f"{self.path} holds no {name}; it holds {', '.join(self._parts()) or 'plain tensors'}")
        try:
            steps = self._steps(model, optimiser, schedule, generators)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if str(error).startswith(self.path):
                raise  # our own word
            raise ValueError(f"{self.path} is not as tg.save writes it: {error!r}") from error
        for i, (set_state, state, _) in enumerate(steps):
            try:
                set_state(state)
            except Exception as error:
                for undo, _, before in reversed(steps[: i + 1]):
                    undo(before)
                raise ValueError(f"{self.path} cannot be restored: {error}") from error

    def _steps(
        self,
        model: Module | None,
        optimiser: Optimiser | None,
        schedule: Schedule | None,
        generators: Generators | None,
    ) -> list[tuple[Callable[[Any], None], Any, Any]]:
        """For each part: how to load a state, the saved one, and the present one."""
        steps: list[tuple[Callable[[Any], None], Any, Any]] = []
        if model is not None:
            steps.append((model.load_state_dict, self.model_state, model.state_dict()))
        if optimiser is not None:
            steps.append((optimiser.load_state_dict, self._optimiser_state(optimiser), optimiser.state_dict()))
        if schedule is not None:
            steps.append((schedule.load_state_dict, self.notes["schedule"], schedule.state_dict()))
        for name, generator in _all_generators(model, generators).items():
            before = generator.bit_generator.state
            steps.append((_setter(generator), self._generator_state(name, generator), before))
        return steps

    def _parts(self) -> list[str]:
        return [name for name in ("model", "optimiser", "schedule") if name in self.notes]

    def _optimiser_state(self, optimiser: Optimiser) -> dict[str, Any]:
        saved = self.notes["optimiser"]
        if saved["kind"] != type(optimiser).__name__:
            raise ValueError(f"{self.path} holds the state of {saved['kind']}, not of {type(optimiser).__name__}")
        state = {str(i): {**values} for i, values in enumerate(saved["state"])}
        for name, array in self.tensors.items():
            if name.startswith("optimiser."):
                _, i, key = name.split(".", 2)
                state[i][key] = array
        return {"groups": saved["groups"], "state": list(state.values())}

    def _generator_state(self, name: str, generator: np.random.Generator) -> Any:
        saved = self.notes.get("generators", {})
        if name not in saved:
            raise ValueError(f"{self.path} holds no generator {name}; it holds {', '.join(saved) or 'none'}")
        kind = type(generator.bit_generator).__name__
        if saved[name]["bit_generator"] != kind:
            raise ValueError(
                f"{self.path}: the generator {name} is a {saved[name]['bit_generator']}, here it is a {kind}"
            )
        return _arrays(saved[name])


def _check_kinds(name: str, model: Any, optimiser: Any, schedule: Any, generators: Any) -> None:
    """Raise TypeError when a part is not what its name says."""
    kinds = (("model", model, Module), ("optimiser", optimiser, Optimiser), ("schedule", schedule, Schedule))
    for what, part, kind in kinds:
        if part is not None and not isinstance(part, kind):
            raise TypeError(f"{name}: {what} must be a tinygrad_cls {kind.__name__}, not {type(part).__name__}")
    each = generators.values() if isinstance(generators, Mapping) else [generators]
    if generators is not None and not all(isinstance(one, np.random.Generator) for one in each):
        raise TypeError(f"{name}: generators are numpy.random.Generators, one or a dict of them, not {generators!r}")


def _has_texts_for_keys(value: Any, depth: int = 0) -> bool:
    """Whether all keys are texts: JSON would make "1" of 1 in silence."""
    if isinstance(value, Mapping) and depth < _DEEP:
        return all(isinstance(k, str) and _has_texts_for_keys(x, depth + 1) for k, x in value.items())
    if isinstance(value, list | tuple) and depth < _DEEP:
        return all(_has_texts_for_keys(x, depth + 1) for x in value)
    return True  # and json finds what is too deep, or holds itself


def _all_generators(model: Module | None, given: Generators | None) -> dict[str, np.random.Generator]:
    named = {} if model is None else {f"model.{name}": each for name, each in model.named_generators().items()}
    if isinstance(given, np.random.Generator):
        named["generator"] = given
    elif given is not None:
        named.update(given)
    return named


def _setter(generator: np.random.Generator) -> Callable[[Any], None]:
    def set_state(state: Any) -> None:
        generator.bit_generator.state = state

    return set_state


# --- the state of a bit generator is a dict of numbers, texts and arrays; JSON knows no arrays ----------------------


def _plain(state: Any) -> Any:
    if isinstance(state, Mapping):
        return {name: _plain(value) for name, value in state.items()}
    return {"dtype": str(state.dtype), "values": state.tolist()} if isinstance(state, np.ndarray) else state


def _arrays(state: Any) -> Any:
    if not isinstance(state, dict):
        return state
    if state.keys() == {"dtype", "values"}:
        return np.array(state["values"], state["dtype"])
    return {name: _arrays(value) for name, value in state.items()}


# --- the file -------------------------------------------------------------------------------------------------


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is a {type(value).__name__}")


def _supported(tensors: dict[str, Array]) -> dict[str, Array]:
    for name, array in tensors.items():
        if array.dtype.itemsize > 8:
            raise TypeError(f"tg.save: safetensors has no dtype for {name}, {array.dtype}: convert it with .astype")
    return {name: np.asarray(array, order="C") for name, array in tensors.items()}


def _checksum(text: str, tensors: Mapping[str, Array]) -> str:
    value = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    for name, array in sorted(tensors.items()):
        value = zlib.crc32(array.tobytes(), zlib.crc32(f"{name} {array.dtype.str} {array.shape}".encode(), value))
    return f"{value:08x}"


def _safetensors(module: str | None = None) -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ModuleNotFoundError as error:
        raise ImportError("checkpoints need the package safetensors: pip install safetensors") from error
    return safetensors.numpy if module else safetensors
