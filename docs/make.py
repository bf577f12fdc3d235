"""What the site is made of: MkDocs calls this before it builds (`hooks` in mkdocs.yml).

Nothing stands here twice. The pages are the documents of docs/, the READMEs, and the scripts of the course; pictures
and live pages are what the code on the pages saves, run now. All of it is gathered in a folder of its own, with links
that lead to where things stand there, or to the sources.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

import tinygrad_cls as tg

ROOT = Path(__file__).resolve().parent.parent
COURSE = sorted(path.name for path in (ROOT / "examples").glob("[0-9]_*.py"))
RUN = "236"  # the scripts of the course that take a second or three: their pages have what they print and draw
SHOWN = (".md", ".svg", ".png", ".html", ".css")
PAGES = {
    "README.md": "index.md",
    "README.zh.md": "index.zh.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/README.md": "course.md",
    "examples/README.zh.md": "course.zh.md",
    "tinygrad_cls/engine/README.md": "engine.md",
    **{f"examples/{script}": f"course/{script[0]}.md" for script in COURSE},
    **{f"docs/{path.name}": path.name for path in (ROOT / "docs").iterdir() if path.suffix in SHOWN},
}
"""Where what stands in the repository stands on the site."""

REFERENCE = {
    "tensor": ("Tensor", "Tensor"),
    "gradients": ("Gradients", "grad value_and_grad jacobian hessian jvp hvp no_grad composite"),
    "losses": (
        "Softmax and losses",
        "softmax log_softmax logsumexp one_hot sigmoid softplus relu leaky_relu elu gelu silu"
        " cross_entropy nll_loss binary_cross_entropy_with_logits mse_loss",
    ),
    "operations": ("Operations", ""),  # all that no other page has
    "readers": ("Draw, explain, compile", "draw Drawing explain Derivation compile Compiled CompileError StaleError"),
    "training": ("Training", "fit evaluate save load Checkpoint SoftmaxClassifier MLPClassifier LearningWarning"),
    "nn": ("Layers: tg.nn", ""),
    "optim": ("Optimisers: tg.optim", ""),
    "data": ("Data: tg.data", ""),
    "debug": ("Debugging: tg.debug", ""),
}
"""The pages of the reference: title, and names of the package. A page named as a module has that module's."""

_folder = tempfile.TemporaryDirectory(prefix="tinygrad_cls_site_")  # until MkDocs ends


def on_config(config: Any) -> Any:
    """MkDocs reads the gathered folder instead of docs/."""
    config.docs_dir = _folder.name
    gather(Path(_folder.name), sources=config.extra["sources"])
    return config


def gather(folder: Path, sources: str) -> None:
    """Everything that the site shows, in a folder.

    Args:
        folder: where to.
        sources: the address at which the repository can be read.
    """
    for source, page in PAGES.items():
        if not (ROOT / source).exists():
            continue
        if not page.endswith(".md"):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / source, folder / page)
            continue
        text = (ROOT / source).read_text(encoding="utf-8")
        if source.endswith(".py"):
            text = script_as_page(ROOT / source, folder)
        if ".save(" in text:
            run_code(ROOT / source, folder)
        write(folder / page, with_links(text, source, sources))
    for name, text in reference():
        write(folder / "reference" / f"{name}.md", text)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def with_links(text: str, source: str, sources: str) -> str:
    """The text with each link turned to the site's page, or else to the repository."""

    def turned(match: re.Match[str]) -> str:
        target, _, place = match[1].partition("#")
        path = normpath(join(dirname(source), target))
        english = source.endswith(".zh.md") and path.replace(".md", ".zh.md") in PAGES  # asked for, from a Chinese page
        if path in PAGES and not (english and path.endswith("README.md")):
            target = relpath(PAGES[path], dirname(PAGES[source]) or ".")
        elif (ROOT / path).exists():
            target = f"{sources}/blob/HEAD/{path}"
        return f"]({target}{'#' + place if place else ''})"

    text = re.sub(r"^(English \| \[中文\]|\[English\]).*\n\n", "", text, flags=re.MULTILINE)
    return re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", turned, text)


def run_code(document: Path, folder: Path) -> None:
    """Run a document's examples where its pictures belong; they stop the build where they fail."""
    with inside(folder):
        options = {"optionflags": doctest.NORMALIZE_WHITESPACE, "encoding": "utf-8"}
        if doctest.testfile(str(document), module_relative=False, **options).failed:
            raise RuntimeError(f"an example in {document.name} fails")


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """`contextlib.chdir`, which Python 3.10 does not have."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def script_as_page(script: Path, folder: Path) -> str:
    """A script of the course, whose text stands in cells (jupytext's percent format)."""
    page = []
    for cell in re.split(r"^# %%", script.read_text(encoding="utf-8"), flags=re.MULTILINE):
        kind, _, text = cell.partition("\n")
        if kind.strip() == "[markdown]":
            prose = text.strip()
            page.append(ast.literal_eval(prose) if prose.startswith('"""') else re.sub(r"^# ?", "", prose, flags=re.M))
        elif text.strip():
            page.append(f"```python\n{text.strip()}\n```")
    if script.name[0] in RUN:
        command = [sys.executable, str(script), "--output", str(folder / "course")]
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg"}
        run = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, env=environment)
        printed = "\n".join(line for line in run.stdout.splitlines() if not line.startswith("Figure: "))
        page.append(f"## What it prints and draws\n\n```text\n{printed.strip()}\n```")
        figures = sorted((folder / "course" / script.name[0]).iterdir())
        page += [f"![{path.stem}]({script.name[0]}/{path.name})" for path in figures]
    return "\n\n".join(page) + "\n"


def reference() -> Iterator[tuple[str, str]]:
    """The pages of the reference, by name: signatures and docstrings of what is public."""
    placed = {name for _, names in REFERENCE.values() for name in names.split()}
    rest = [name for name in tg.__all__ if name not in placed and not inspect.ismodule(getattr(tg, name))]
    for page, (title, names) in REFERENCE.items():
        room, prefix = (getattr(tg, page), f"tg.{page}.") if page in tg.__all__ else (tg, "tg.")
        members = names.split() or (rest if room is tg else room.__all__)
        yield page, f"# {title}\n\n" + "".join(entry(getattr(room, name), prefix + name) for name in members)


def entry(thing: Any, name: str, level: int = 2) -> str:
    """What stands in the reference on a function, a class with its methods, or a module with its functions."""
    text = f"{'#' * level} `{name}`\n\n"
    if callable(thing):
        with contextlib.suppress(ValueError, TypeError):
            text += f"```python\n{name.split('.')[-1]}{signature(thing)}\n```\n\n"
    elif not inspect.ismodule(thing):
        return text + f"A {type(thing).__name__}: {thing.__doc__.splitlines()[0]}\n\n"
    text += prose(inspect.getdoc(thing) or "")
    for part in parts(thing):
        member = inspect.unwrap(getattr(thing, part, None))  # PyTorch's words raise an error that says ours
        documented = inspect.isroutine(member) or isinstance(member, property) or inspect.isclass(member)
        member = member.fget if isinstance(member, property) else member
        ours = getattr(member, "__module__", "").startswith("tinygrad_cls")  # scikit-learn adds some of its own
        if part[0] != "_" and documented and ours and inspect.getdoc(member):
            text += entry(member, f"{name}.{part}", level + 1)
    return text


def parts(thing: Any) -> list[str]:
    """The names in a module, or in a class with those of its bases that have no entry of their own."""
    if inspect.ismodule(thing):
        return list(getattr(thing, "__all__", []))
    known = [getattr(room, name) for room in (tg, tg.nn, tg.optim, tg.data) for name in room.__all__]
    bases = [base for base in inspect.getmro(thing)[1:] if base not in known] if inspect.isclass(thing) else []
    ours = [base for base in (thing, *bases) if getattr(base, "__module__", "").startswith("tinygrad_cls")]
    return list(dict.fromkeys(name for base in ours for name in vars(base))) if inspect.isclass(thing) else []


def signature(function: Any) -> str:
    """The arguments with their types, on lines of their own where there are many."""
    found = inspect.signature(function)
    text = readable(str(found))
    if len(text) < 70:
        return text
    result = "" if found.return_annotation is found.empty else text[text.rindex(") -> ") + 1 :]
    lines, kind = [], None
    for parameter in found.parameters.values():
        if kind is parameter.POSITIONAL_ONLY is not parameter.kind:
            lines.append("/")
        if parameter.kind is parameter.KEYWORD_ONLY and kind not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL):
            lines.append("*")
        lines.append(readable(str(parameter)))
        kind = parameter.kind
    return "(\n" + "".join(f"    {line},\n" for line in lines) + ")" + result


def readable(annotations: str) -> str:
    """Without quotes around types, and functions by their names."""
    return re.sub(r"<(?:function|class) '?([\w.]+)'?[^>]*>", r"\1", annotations.replace("'", ""))


def prose(docstring: str) -> str:
    """A docstring of Google's style as Markdown: arguments as a list, examples as code."""
    text = ""
    for block in re.split(r"^(?=\w+:\n)", docstring, flags=re.MULTILINE):
        heading, _, body = block.partition(":\n")
        if heading not in ("Args", "Raises", "Returns", "Example", "Attributes", "Yields", "Warns"):
            text += f"{block.strip()}\n\n"
        elif heading == "Example":
            text += f"```python\n{textwrap.dedent(body).strip()}\n```\n\n"
        else:
            body = textwrap.dedent(body).strip()
            if heading != "Returns":
                body = re.sub(r"^([\w.*]+(?:, [\w.*]+)*): ", r"- `\1`: ", body, flags=re.MULTILINE)
            text += f"**{heading}**\n\n{body}\n\n"
    return text
