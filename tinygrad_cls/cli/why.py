"""`tinygrad-cls why`: where the gradient of a loss on softmax comes from, on numbers of your own."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tinygrad_cls as tg

from ..drawing.columns import can_show
from ..explanation.sentences import SENTENCES, language, say
from .arguments import Help, accept_negative_numbers
from .classic import CLASSIC, Case

if TYPE_CHECKING:
    from tinygrad_cls.explanation.derivation import Derivation

_WIDEST = 600.0  # between two logits; beyond, exp and log as the formula writes them leave the range of floats


@tg.composite
def softmax(z: tg.Tensor) -> tg.Tensor:
    """`exp(z) / Σ exp(z)`, as it stands in the book."""
    e = tg.exp(z)
    e.name = "e"
    total = tg.sum(e)
    total.name = "S"
    return e / total


@tg.composite
def cross_entropy(prediction: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    """`−Σ y log y′`, as it stands in the book."""
    return -tg.sum(y * tg.log(prediction))


@tg.composite
def squared_error(prediction: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    """`Σ (y′ − y)²`, as it stands in the book."""
    return tg.sum(tg.square(prediction - y))


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "why",
        help="show why the gradient of softmax with cross-entropy is y′ − y",
        description="Build softmax and a loss from exp, Σ, log and ×, run backward, print the graph with values and "
        "gradients, compare the gradient with the formula, and draw it all.",
        formatter_class=Help,
    )
    parser.add_argument("--logits", type=float, nargs="+", default=[1.0, 2.0, 3.0], metavar="Z", help="the raw outputs")
    parser.add_argument("--label", type=int, default=2, help="the true class, counted from 0")
    parser.add_argument(
        "--loss",
        choices=["cross_entropy", "mse", *CLASSIC],
        default="cross_entropy",
        metavar="LOSS",
        help="cross_entropy or mse of softmax, built from exp, Σ, log and ×; or another classic: " + ", ".join(CLASSIC),
    )
    parser.add_argument("--output", type=Path, default=Path("why"), metavar="FOLDER", help="where the drawings go")
    parser.add_argument("--lang", choices=sorted(SENTENCES), help="the language; by default TINYGRAD_CLS_LANG, or en")
    accept_negative_numbers(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    logits, label = np.array(options.logits), options.label
    if len(logits) < 2:
        options.parser.error("--logits needs two numbers or more: a single class is always certain")
    if not np.isfinite(logits).all() or np.ptp(logits) > _WIDEST or np.abs(logits).max() > _WIDEST:
        options.parser.error(
            f"--logits must lie within ±{_WIDEST:g} and {_WIDEST:g} of each other: exp and log, written out as here, "
            "leave the range of floats beyond. tg.cross_entropy, which subtracts the largest logit first, does not"
        )
    if not 0 <= label < len(logits):
        options.parser.error(f"--label must be a class from 0 to {len(logits) - 1}, not {label}")

    lang = language(options.lang)
    if not can_show(say(lang, "chain rule"), sys.stdout.encoding):
        lang = "en"
    if options.loss in CLASSIC:
        return _derive(CLASSIC[options.loss](logits, label), options.output, lang)

    z = tg.Tensor(logits, requires_grad=True, name="z")
    y = tg.one_hot(label, len(logits)).detach()
    y.name = "y"
    prediction = softmax(z)
    prediction.name = "y′"
    loss = (cross_entropy if options.loss == "cross_entropy" else squared_error)(prediction, y)
    loss.name = "loss"
    loss.backward()
    assert z.grad is not None
    gradient = z.grad.numpy()

    formula = "−Σ y log y′" if options.loss == "cross_entropy" else "Σ (y′ − y)²"
    print(say(lang, "from parts", loss=options.loss, formula=formula), end="\n\n")
    print(tg.draw(loss).text)
    print()
    _compare(options.loss, prediction.numpy(), y.numpy(), gradient, lang)
    print()
    derivation = tg.explain(loss, z, lang=lang)
    print(derivation)
    _save_drawings(options.output, loss, z, y, options.loss, lang)
    _save_page(derivation, options.output)
    return 0


def _derive(case: Case, folder: Path, lang: str) -> int:
    """Print and save the derivation of one of the classic losses."""
    derivation = tg.explain(case.loss, case.wrt, names=case.names, lang=lang)
    print(derivation)
    folder.mkdir(parents=True, exist_ok=True)
    _save_page(derivation, folder)
    return 0


def _save_page(derivation: Derivation, folder: Path) -> None:
    page = folder / "derivation.html"
    derivation.save(page)
    print(say(derivation.lang, "page", path=page))


def _compare(
    loss: str, p: np.ndarray[Any, Any], y: np.ndarray[Any, Any], gradient: np.ndarray[Any, Any], lang: str
) -> None:
    """Print the gradient that backward found beside the one that the algebra says."""
    difference = p - y
    if loss == "cross_entropy":
        formula, expected = "y′ − y", difference
    else:
        formula, expected = "2 y′ ⊙ ((y′ − y) − Σ (y′ − y) ⊙ y′)", 2 * p * (difference - (difference * p).sum())
    width = max(len(formula), len("z.grad"))
    show = {"float_kind": lambda v: f"{v: .6g}"}
    print(f"{'z.grad':{width}}  {np.array2string(gradient, formatter=show)}")  # type: ignore[arg-type]
    print(f"{formula:{width}}  {np.array2string(expected, formatter=show)}")  # type: ignore[arg-type]
    print(say(lang, "difference", error=f"{np.abs(gradient - expected).max():.2g}"))
    if loss == "mse":
        squared, entropy = math.hypot(*gradient), math.hypot(*difference)
        print("\n" + say(lang, "lengths", squared=f"{squared:.3g}", entropy=f"{entropy:.3g}"))


def _save_drawings(folder: Path, loss: tg.Tensor, z: tg.Tensor, y: tg.Tensor, name: str, lang: str) -> None:
    total_loss = cross_entropy if name == "cross_entropy" else squared_error

    def loss_of(z: tg.Tensor) -> tg.Tensor:
        return total_loss(softmax(z), y)

    slope = tg.grad(loss_of)(z)
    slope.name = "∂loss/∂z"
    drawings = {
        "folded": (tg.draw(loss, expand=False, gradients=False), say(lang, "drawn folded")),
        "unfolded": (tg.draw(loss, gradients=False), say(lang, "drawn unfolded")),
        "gradients": (tg.draw(loss), say(lang, "drawn gradients")),
        "gradient_graph": (tg.draw(slope), say(lang, "drawn gradient_graph")),
    }
    folder.mkdir(parents=True, exist_ok=True)
    print("\n" + say(lang, "drawings", folder=f"{folder}{'/' if str(folder) != '/' else ''}"))
    for stem, (drawing, what) in drawings.items():
        drawing.save(folder / f"{stem}.svg")
        drawing.save(folder / f"{stem}.png")
        print(f"  {stem}.svg, {stem}.png  {what}")
