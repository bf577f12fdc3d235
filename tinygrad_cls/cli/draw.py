"""`tinygrad-cls draw`: the graph of a function on numbers of your own."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tinygrad_cls as tg

from ..engine import functional
from ..engine.operations import choosing, elementwise, reductions
from ..visible import visible
from .arguments import Help, accept_negative_numbers, path


def _takes_one(function: Callable[..., tg.Tensor]) -> bool:
    """Whether all parameters but the first may be left out."""
    first, *others = inspect.signature(function).parameters.values()
    return first.default is first.empty and all(p.default is not p.empty for p in others)


_ROOMS = {module.__name__ for module in (elementwise, choosing, functional, reductions)}
FUNCTIONS: dict[str, Callable[..., tg.Tensor]] = {
    name: function
    for name, function in vars(tg).items()
    if getattr(function, "__module__", None) in _ROOMS and _takes_one(function)
}
FUNCTIONS[tg.cross_entropy.__name__] = tg.cross_entropy


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "draw",
        help="draw a function",
        description="Draw the graph of a function, with values, and with gradients where its result is one number.",
        formatter_class=Help,
    )
    parser.add_argument("function", choices=sorted(FUNCTIONS), metavar="FUNCTION", help=", ".join(sorted(FUNCTIONS)))
    parser.add_argument("--input", type=float, nargs="+", default=[1.0, 2.0, 3.0], metavar="X", help="its argument")
    parser.add_argument("--label", type=int, help="for cross_entropy: the true class, counted from 0; by default 0")
    parser.add_argument("--output", type=path, metavar="FILE", help="a .svg, .png or .dot file; default FUNCTION.svg")
    parser.add_argument("--folded", action="store_true", help="composites as boxes instead of frames")
    parser.add_argument(
        "--direction", choices=["LR", "TB"], help="left to right or top to bottom; by default what fits a page"
    )
    accept_negative_numbers(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    x = tg.Tensor(options.input, requires_grad=True, name="x")
    function, label = FUNCTIONS[options.function], options.label
    if function is tg.cross_entropy:
        label = 0 if label is None else label
        if not 0 <= label < x.size:
            options.parser.error(f"--label must be a class from 0 to {x.size - 1}, not {label}")
        result = function(x, label)
    elif label is not None:
        options.parser.error(f"--label is for cross_entropy, not for {options.function}")
    else:
        result = function(x)
    drawing = tg.draw(result, expand=not options.folded, direction=options.direction, gradients=result.size == 1)
    file = options.output or Path(f"{options.function}.svg")
    drawing.save(file)
    print(f"{options.function} drawn in {visible(str(file))}")
    return 0
