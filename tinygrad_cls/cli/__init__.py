"""The command line: `tinygrad-cls`, also `python -m tinygrad_cls`. One file for each command."""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import __version__
from ..drawing.columns import SPELT_OUT
from ..visible import visible
from . import draw, predict, train, why

COMMANDS = (why, train, predict, draw)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; see `tinygrad-cls --help`.

    Args:
        arguments: the words after the program's name; by default those that it was called with.

    Returns:
        The exit status: 0 when all went well, 1 when a file could not be written. Wrong arguments exit with 2.
    """
    parser = argparse.ArgumentParser(
        prog="tinygrad-cls", description="Automatic differentiation that shows why classification works."
    )
    parser.add_argument("--version", action="version", version=f"tinygrad_cls {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=SPELT_OUT)  # a terminal without ′ or Σ shows ' and Sum instead of failing
    options = argparse.Namespace()
    try:
        try:
            parser.parse_args(arguments, options)
            # Numbers that are not finite are said by each command in its own words.
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.showwarning = _warned
                return int(options.run(options) or 0)
        finally:
            sys.stdout.flush()  # what nobody reads any more fails here at the latest, --help too
    except BrokenPipeError:  # of `tinygrad-cls … | head`, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        return 128 + 13
    except (ArithmeticError, ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
        message = _by_options(_said(error), getattr(options, "parser", None))
        print("tinygrad-cls: " + "\n".join(map(visible, message.split("\n"))), file=sys.stderr)
        return 1


def _said(error: Exception) -> str:
    """An error without its number in the operating system."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.strerror}: {str(error.filename)!r}"
    return str(error)


def _warned(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as errors are shown: the line of ours that it comes from tells a user nothing."""
    print("tinygrad-cls: " + visible(str(message)), file=sys.stderr)


def _by_options(message: str, parser: argparse.ArgumentParser | None) -> str:
    """An error of the package in the words of the command line: `--batch-size 0` for `batch_size=0`."""
    for action in [] if parser is None else parser._actions:
        for option in action.option_strings[-1:]:
            name = action.dest
            if action.nargs == 0:
                message = message.replace(f"{name}=True", option).replace(f"{name.removeprefix('no_')}=False", option)
            message = re.sub(rf"\b{name}=", f"{option} ", message)
            if "_" in name:
                message = re.sub(rf"\b{name}\b", option, message)
    return message
