"""The house: which room may import from which, no circles, short files, and each operation known in one place."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tinygrad_cls as tg

HOUSE = Path(tg.__file__).parent
FILES = {path.relative_to(HOUSE).as_posix(): path.read_text(encoding="utf-8") for path in HOUSE.rglob("*.py")}
FLOORS = (  # from the ground up; a module stands where the longest of these names that it begins with stands
    ("engine", "files", "visible"),
    (
        "engine.functional",
        "engine.losses",
        "interop",
        "vocabulary",
        "vocabulary_training",
        "phrases",
        "advice",
        "creation",
        "derivatives",
    ),
    ("algebra", "nn", "optim", "data"),
    ("explanation", "compiling", "engines", "drawing"),
    ("training", "evaluation", "estimators", "checkpoint", "figures", "debug", "progress"),
    ("",),  # what `import tinygrad_cls` gives
    ("cli", "__main__"),
)
REDUCED = {
    "engine/losses.py",
    "training.py",
    "evaluation.py",
    "explanation/page/touching.py",
}  # where reduction= is an option
FOR_TYPES = {"TYPE_CHECKING", "typing.TYPE_CHECKING", "_typing.TYPE_CHECKING"}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def module(file: str) -> str:
    """The name of a file's module, as seen from the package: "engine.tensor"; of the package itself: ""."""
    return file.removesuffix(".py").replace("/", ".").removesuffix("__init__").removesuffix(".")


MODULES = {module(file): ast.parse(text, file) for file, text in FILES.items()}
PACKAGES = {module(file) for file in FILES if file.endswith("__init__.py")}


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All that runs, also what stands inside functions; what is for type checkers alone does not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in FOR_TYPES:
            yield from statements(ast.Module(child.orelse, []))
        else:
            yield child
            yield from statements(child)


def imported(name: str) -> Iterator[str]:
    """The full names of all modules that a module of the package imports."""
    package = ["tinygrad_cls", *name.split(".")] if name else ["tinygrad_cls"]
    package = package if name in PACKAGES else package[:-1]
    for node in statements(MODULES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*source, *filter(None, [node.module])])
            for alias in node.names:
                within = f"{base}.{alias.name}"
                yield within if within.removeprefix("tinygrad_cls.") in MODULES else base


def ours(name: str) -> set[str]:
    """The other modules of the package that one imports, as seen from the package."""
    return {
        full.removeprefix("tinygrad_cls").removeprefix(".")
        for full in imported(name)
        if full.split(".")[0] == "tinygrad_cls"
    } - {name}


def floor(name: str) -> int:
    rooms = {room: number for number, floor in enumerate(FLOORS, 1) for room in floor}
    return rooms[max((room for room in rooms if room == "" or f"{name}.".startswith(f"{room}.")), key=len)]


def code(text: str) -> int:
    """Lines that are neither blank nor comments, less the lengths of the docstrings.

    That is how the limits below were measured. It subtracts the blank lines of docstrings though they were not counted:
    there is more code than this, by some 90 lines in the engine and 50 in compiling.
    """
    lines = sum(bool(line.strip()) and not line.strip().startswith("#") for line in text.splitlines())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            lines -= (docstring.end_lineno or 0) - docstring.lineno + 1
    return lines


def names_in(tree: ast.AST, names: Set[str]) -> set[str]:
    """Which of the names stand in string literals, alone or as a list of words: "sum", "sum max min"."""
    strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {word for words in map(str.split, strings) if names >= set(words) for word in words}


def test_every_module_stands_on_a_floor_that_exists() -> None:
    assert {room for floor in FLOORS for room in floor} <= MODULES.keys()
    assert {name for name in MODULES if floor(name) == floor("")} == {""}  # all others have a floor of their own


def test_imports_inside_functions_count_and_those_for_types_do_not() -> None:
    text = "def f(): import a\nif TYPE_CHECKING: import b\nelse: import c\nif not TYPE_CHECKING: import d"
    found = [node.names[0].name for node in statements(ast.parse(text)) if isinstance(node, ast.Import)]
    assert found == ["a", "c", "d"]


def test_imports_only_go_down() -> None:
    up = [f"{name} imports {other}" for name in MODULES for other in ours(name) if floor(other) > floor(name)]
    assert not up


def test_the_engine_imports_numpy_and_nothing_else() -> None:
    allowed = {"numpy", "tinygrad_cls", *sys.stdlib_module_names}
    engine = [name for name in MODULES if name.split(".")[0] == "engine"]
    assert {full.split(".")[0] for name in engine for full in imported(name)} <= allowed


def test_no_module_imports_itself_by_way_of_others() -> None:
    try:
        TopologicalSorter({name: ours(name) for name in MODULES}).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " ← ".join(error.args[1]))


def test_no_file_is_longer_than_450_lines() -> None:
    assert not {file: n for file, text in FILES.items() if (n := len(text.splitlines())) > 450}


@pytest.mark.parametrize(
    ("room", "apart", "most"),
    [("engine/", "engine/operations/", 800), ("compiling/", None, 1900), ("engines/", None, 1900)],
    ids=["engine without its operations", "compiling", "engines"],
)
def test_rooms_stay_small(room: str, apart: str | None, most: int) -> None:
    counted = [f for f in FILES if f.startswith(room) and not (apart and f.startswith(apart))]
    assert counted
    assert sum(code(FILES[file]) for file in counted) <= most


def test_an_operation_is_known_by_name_in_two_files_at_most_besides_its_entry() -> None:
    names = {name for name in tg.OPERATIONS if len(name) > 2}
    known: dict[str, list[str]] = {name: [] for name in names}
    options = {"mean", "sum"}  # of the losses, as in reduction="mean": there they are not the operations' names
    for file in FILES:
        if not file.startswith("engine/operations/"):
            for name in names_in(MODULES[module(file)], names - options if file in REDUCED else names):
                known[name].append(file)
    assert not {name: sorted(files) for name, files in known.items() if len(files) > 2}
