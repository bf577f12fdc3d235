"""The line of the caller's code that made a tensor, where that is certain; Tensors remember no line."""

from __future__ import annotations

import ast
import linecache
import math
import types
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from ..engine.tensor import Tensor
from ..visible import visible

_LONGEST = 100  # letters of a line
_PACKAGE = __name__.partition(".")[0]
_KNOWN = (_PACKAGE, np.__name__, math.__name__)  # what comes from here remembers no Tensor of its own
_MADE_BY = (ast.Call, ast.BinOp, ast.UnaryOp)  # all else may be another name for what there was already
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Names(NamedTuple):
    """What the names of a scope stand for.

    Attributes:
        tensors: those that are Tensors, each with its number.
        known: those that stand for a number, or for what makes Tensors of what it is given and of nothing else.
        called: those that stand for anything else that can be called, such as a function of the caller's.
    """

    tensors: dict[str, tuple[weakref.ref[Tensor], int]]
    known: set[str]
    called: set[str]


class Caller(NamedTuple):
    """Who called, and what the names there stood for.

    Attributes:
        code: the code that called.
        line: the line of the call.
        names: the names in the scope of the call.
        globals: the names of the module, where the call was in a function.
    """

    code: types.CodeType
    line: int
    names: Names
    globals: Names | None


class _Line(NamedTuple):
    """A line that makes a tensor: where it is, which one, by which expression, whether only once, and the text."""

    number: int
    tensor: Tensor | None  # None where it is gone
    tensor_number: int
    value: ast.expr
    once: bool
    text: str


class _Scope(NamedTuple):
    """A module or a function: what its names stand for, and how often each gets a value there."""

    names: Names
    bound: Counter[str]

    def certain(self, name: str, called: bool) -> bool | None:
        """Whether a name stands for what it always did, also for a function; None where it is not of this scope."""
        names = self.names
        if name in names.tensors or name in names.known or (called and name in names.called):
            return self.bound[name] <= 1
        return False if self.bound[name] or name in names.called else None


def caller(frame: types.FrameType) -> Caller | None:
    """Who called, read off the frame at once; None for the package itself."""
    if str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE:
        return None
    code, inside = frame.f_code, frame.f_locals is not frame.f_globals
    own = _names(frame.f_locals, (*code.co_varnames, *code.co_cellvars, *code.co_freevars) if inside else code.co_names)
    return Caller(code, frame.f_lineno, own, _names(frame.f_globals, code.co_names) if inside else None)


def _names(values: Mapping[str, Any], used: Sequence[str]) -> Names:
    """What the names that a code uses stand for."""
    names = Names({}, set(), set())
    for name, value in [(name, values[name]) for name in used if name in values]:
        if isinstance(value, Tensor):
            names.tensors[name] = weakref.ref(value), value._number
        elif isinstance(value, int | float | np.ndarray):
            names.known.add(name)
        else:
            module = value.__name__ if isinstance(value, types.ModuleType) else getattr(type(value), "__module__", "")
            module = getattr(value, "__module__", module) if callable(value) else module
            if str(module).partition(".")[0] in _KNOWN:
                names.known.add(name)
            elif callable(value):
                names.called.add(name)
    return names


def lines(who: Caller, output: Tensor) -> dict[Tensor, str]:
    """By the tensors that a loss was computed from the line that made each, for those of which it is certain.

    A name must be assigned in one place of its scope, before the call, and by a computation. What such a line computes
    on the way to its tensor is made there as well, if it is computed from Tensors that have names in the line.
    """
    source = "".join(linecache.getlines(who.code.co_filename))
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    function = module if who.code.co_name == "<module>" else _function(module, who.code)
    if function is None:
        return {}
    scopes = [_Scope(who.names, _bound(function))]
    there = [[*_assigned(function, scopes[0], source, who.line), *_argument(function, who.line, output, source)]]
    if who.globals is not None:
        scopes.append(_Scope(who.globals, _bound(module)))
        there.append(list(_assigned(module, scopes[1], source, math.inf)))
    named = {t for scope in scopes for ref, _ in scope.names.tensors.values() if (t := ref()) is not None}
    made: dict[Tensor, str] = {}
    for found in there:
        latest = -1
        for line in sorted(found, key=lambda line: line.number):
            if line.tensor_number <= latest:
                continue  # it was made elsewhere
            if line.tensor is not None and _new(line.value, scopes):
                made.setdefault(line.tensor, line.text)
                read = (node.id for node in ast.walk(line.value) if isinstance(node, ast.Name))
                if line.once and all(_certain(name, scopes) for name in read):
                    made |= dict.fromkeys(_computed_there(line.tensor, {*named, *made}, latest), line.text)
            latest = line.tensor_number
    return made


def _function(module: ast.Module, code: types.CodeType) -> ast.AST | None:
    """The function that a code belongs to; None where that is not clear."""
    found: list[ast.AST] = []
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found += [node] if first == code.co_firstlineno else []
    return found[0] if len(found) == 1 else None


def _inside(scope: ast.AST, loop: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """All in a scope but what is in scopes of its own, each with whether it may run several times."""
    for node in ast.iter_child_nodes(scope):
        again = loop or isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.comprehension)
        yield node, again
        if not isinstance(node, _SCOPES):
            yield from _inside(node, again)


def _bound(scope: ast.AST) -> Counter[str]:
    """How often each name gets a value in a scope. One that other scopes may set counts as often set."""
    bound: Counter[str] = Counter()
    for node, _ in _inside(scope):
        match node:
            case ast.Name(id, ast.Store() | ast.Del()):
                bound[id] += 1
            case ast.arg(name) | ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                bound[name] += 1
            case ast.alias(name, other):
                bound[other or name.partition(".")[0]] += 1
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound[name] += 1
    for inner in ast.walk(scope):
        if isinstance(inner, ast.Global | ast.Nonlocal):
            bound.update(dict.fromkeys(inner.names, 2))
    return bound


def _assigned(tree: ast.AST, scope: _Scope, source: str, before: float) -> Iterator[_Line]:
    """The lines before the call that give the one value that a name has, by computing a tensor."""
    for node, loop in _inside(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, _MADE_BY) and node.lineno < before:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                name = target.id if isinstance(target, ast.Name) else ""
                if scope.bound[name] == 1 and name in scope.names.tensors:
                    ref, number = scope.names.tensors[name]
                    yield _Line(node.lineno, ref(), number, node.value, not loop, _text(node, source))


def _argument(tree: ast.AST, line: int, output: Tensor, source: str) -> Iterator[_Line]:
    """The loss, where it is computed as it is handed to `explain`."""
    calls = [
        (node, loop)
        for node, loop in _inside(tree)
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or 0)
        if (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) == "explain"
    ]
    for (call, loop), *more in [calls] if calls else []:
        first = [*call.args, *(word.value for word in call.keywords if word.arg == "output")][:1]
        if not more and first and isinstance(first[0], _MADE_BY):
            yield _Line(call.lineno, output, output._number, first[0], not loop, _text(first[0], source))


def _certain(name: str, scopes: Sequence[_Scope], called: bool = False) -> bool:
    found = (scope.certain(name, called) for scope in scopes)
    return next((sure for sure in found if sure is not None), False)


def _new(value: ast.expr, scopes: Sequence[_Scope]) -> bool:
    """Whether an expression computes something, and does not take it out of what there is."""
    while isinstance(value, ast.Call | ast.Attribute):
        value = value.func if isinstance(value, ast.Call) else value.value
    return isinstance(value, _MADE_BY) or (isinstance(value, ast.Name) and _certain(value.id, scopes, called=True))


def _computed_there(t: Tensor, named: Set[Tensor], latest: int) -> Iterator[Tensor]:
    """What was computed on the way to a tensor, after what has a name."""
    waiting, seen = [t], {t}
    for node in waiting:
        for x in node.inputs:
            if isinstance(x, Tensor) and x._number > latest and not (x in named or x in seen):
                seen.add(x)
                waiting.append(x)
                yield x


def _text(node: ast.AST, source: str) -> str:
    written = ast.get_source_segment(source, node) or ""
    written = ast.unparse(node) if "\n" in written else written
    return visible(written if len(written) <= _LONGEST else written[: _LONGEST - 1] + "…")
