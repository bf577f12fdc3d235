"""`tinygrad-cls why`: where the gradient of a loss comes from, on numbers of your own."""

from __future__ import annotations

import argparse
import math
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tinygrad_cls as tg

from ..drawing.columns import can_show
from ..engine.backward import pull_back
from ..engine.tensor import constant
from ..explanation.outline import Title, Words
from ..explanation.sentences import SENTENCES, language, say
from ..explanation.terminal import written
from ..explanation.ways import WAYS
from .arguments import Help, accept_negative_numbers, check_folder, path
from .classic import CLASSES, CLASSIC, OF_ITS_PARTS, Case, options_of

if TYPE_CHECKING:
    from tinygrad_cls.explanation.derivation import Derivation

_WIDEST = 600.0  # between two logits; beyond, exp and log as the formula writes them leave the range of floats
_OPTIONS = ("logits", "label", "temperature", "smoothing", "penalty")


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "why",
        help="show why the gradient of softmax with cross-entropy is y′ − y",
        description="Say why the gradient of a loss is what it is: the short answer; drawings of the graph, and the "
        "derivation as a page, in a folder; then the graph with values and gradients, the gradient that backward found "
        "beside the formula, and the derivation, step by step.",
        formatter_class=Help,
    )
    parser.add_argument(
        "--loss",
        choices=list(CLASSIC),
        default="cross_entropy",
        metavar="LOSS",
        help="cross_entropy or mse of softmax, built from exp, Σ, log and ×; or another classic: "
        + ", ".join(name for name in CLASSIC if name not in OF_ITS_PARTS),
    )
    parser.add_argument("--logits", type=float, nargs="+", metavar="Z", help="the raw outputs; by default 1 2 3")
    parser.add_argument("--label", type=int, help="the true class, counted from 0; by default the last")
    parser.add_argument("--temperature", type=float, metavar="T", help="of the loss temperature: by default 2")
    parser.add_argument("--smoothing", type=float, metavar="S", help="of label_smoothing, from 0 to 1: by default 0.1")
    parser.add_argument("--penalty", type=float, metavar="λ", help="of ridge and lasso: by default 0.1")
    parser.add_argument(
        "--way",
        choices=WAYS,
        help="rewrite the loss first; cite the derivatives of softmax and the like as lemmas; or as backward goes, one "
        "operation at a time. By default the shortest, and then the last",
    )
    parser.add_argument("--output", type=path, default=Path("why"), metavar="FOLDER", help="where the drawings go")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--lang", choices=sorted(SENTENCES), help="the language; by default TINYGRAD_CLS_LANG, or en")
    accept_negative_numbers(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    case = _case(options)
    check_folder(options.output)
    lang = language(options.lang)
    if not can_show(say(lang, "chain rule"), sys.stdout.encoding):
        lang = "en"
    derivation = tg.explain(case.loss, case.wrt, names=case.names, way=options.way, lang=lang)
    machine = tg.explain(case.loss, case.wrt, names=case.names, way="backward", lang=lang)
    case.loss.backward()

    title = next(block for block in derivation.outline if isinstance(block, Title))
    print(written([title, Words(say(lang, f"short {options.loss}"))], lang))
    _save(options.output, case, derivation, machine.letters)

    if options.loss in OF_ITS_PARTS:
        print("\n" + say(lang, "from parts", loss=options.loss, formula=OF_ITS_PARTS[options.loss]))
    print("\n" + tg.draw(case.loss, names=machine.letters).listing(lang) + "\n")
    _compare(case, derivation)
    if options.loss == "mse":
        _compare_lengths(case, machine)
    print()
    print(derivation, end="")
    if options.way is None and str(machine) != str(derivation):
        print("\n" + say(lang, "long way") + "\n")
        print(machine, end="")
    if options.open and not webbrowser.open((options.output / "derivation.html").resolve().as_uri()):
        print("tinygrad-cls why: there is no browser to open the page in", file=sys.stderr)
    return 0


def _case(options: argparse.Namespace) -> Case:
    """The loss on the numbers that the command line gives, or refuses."""
    error, takes = options.parser.error, options_of(options.loss)
    given = {name: getattr(options, name) for name in _OPTIONS if getattr(options, name) is not None}
    for name in given:
        if name not in takes:
            error(f"--{name} is not for {options.loss}, which takes {' and '.join(f'--{name}' for name in takes)}")
    classes = CLASSES.get(options.loss)
    logits = np.array(given.pop("logits", np.arange(1.0, (classes or 3) + 1)))
    label = given.pop("label", len(logits) - 1)
    if classes not in (None, len(logits)):
        error(f"{options.loss} takes {classes} --logits, not {len(logits)}")
    if len(logits) < 2:
        error("--logits needs two numbers or more: a single class is always certain")
    if not np.isfinite(logits).all() or np.ptp(logits) > _WIDEST or np.abs(logits).max() > _WIDEST:
        error(
            f"--logits must lie within ±{_WIDEST:g} and {_WIDEST:g} of each other: exp and log, written out as here, "
            "leave the range of floats beyond. tg.cross_entropy, which subtracts the largest logit first, does not"
        )
    if not 0 <= label < len(logits):
        error(f"--label must be a class from 0 to {len(logits) - 1}, not {label}")
    for name, value in given.items():
        if not 0 <= value < math.inf or (name == "temperature" and not value) or (name == "smoothing" and value > 1):
            error(f"--{name} must be {_RANGES[name]}, not {value:g}")
    return CLASSIC[options.loss](logits, label, **given)


_RANGES = {"temperature": "above 0", "smoothing": "from 0 to 1", "penalty": "0 or more"}


def _compare(case: Case, derivation: Derivation) -> None:
    """Print the gradient that backward found beside the value of the formula."""
    assert case.wrt.grad is not None
    found, expected = case.wrt.grad.numpy(), derivation.gradient.value
    rows = {f"{derivation.wrt}.grad": found, str(derivation.gradient): expected}
    width = max(map(len, rows))
    for name, value in rows.items():
        text = np.array2string(value, formatter={"float_kind": lambda v: f"{v: .6g}"})
        first, *others = text.splitlines()
        print("\n".join([f"{name:{width}}  {first}", *(" " * (width + 2) + line for line in others)]))
    print(say(derivation.lang, "difference", error=f"{np.abs(found - expected).max():.2g}"))


def _compare_lengths(case: Case, derivation: Derivation) -> None:
    """Say how short the gradient of squared error is beside that of cross-entropy."""
    values = {name: t.numpy() for name, t in derivation.letters.items()}
    assert case.wrt.grad is not None
    squared, entropy = math.hypot(*case.wrt.grad.numpy()), math.hypot(*(values["y′"] - values["y"]))
    print("\n" + say(derivation.lang, "lengths", squared=f"{squared:.3g}", entropy=f"{entropy:.3g}"))


def _save(folder: Path, case: Case, derivation: Derivation, names: Mapping[str, tg.Tensor]) -> None:
    """Write the drawings and the page, and say where."""
    seed = constant(np.ones_like(case.loss.numpy()))
    slope = next(g for t, g in pull_back(case.loss, seed, record=True) if t is case.wrt)
    slope.name = f"∂{derivation.output}/∂{derivation.wrt}"
    lang = derivation.lang
    drawings = {
        "folded": (
            tg.draw(case.loss, names=names, expand=False, gradients=False, lang=lang),
            say(lang, "drawn folded"),
        ),
        "unfolded": (tg.draw(case.loss, names=names, gradients=False, lang=lang), say(lang, "drawn unfolded")),
        "gradients": (tg.draw(case.loss, names=names, lang=lang), say(lang, "drawn gradients")),
        "gradient_graph": (tg.draw(slope, lang=lang), say(lang, "drawn gradient_graph")),
    }
    folder.mkdir(parents=True, exist_ok=True)
    print(say(lang, "drawings", folder=f"{folder}{'/' if str(folder) != '/' else ''}"))
    for stem, (drawing, what) in drawings.items():
        drawing.save(folder / f"{stem}.svg")
        drawing.save(folder / f"{stem}.png")
        print(f"  {stem}.svg, {stem}.png  {what}")
    derivation.save(folder / "derivation.html")
    print(say(lang, "page", path=folder / "derivation.html"))
