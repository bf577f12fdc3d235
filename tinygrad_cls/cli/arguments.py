"""What argparse leaves open: negative numbers, names of files, and help about options without a default."""

from __future__ import annotations

import argparse
import re
from pathlib import Path


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Says the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def accept_negative_numbers(parser: argparse.ArgumentParser) -> None:
    """Let the parser take -1e-3 for a number: before Python 3.14 it takes it for an option."""
    parser._negative_number_matcher = re.compile(r"-(\.?\d|inf)")


def path(name: str) -> Path:
    """The name of a file or folder, as a `type` of an argument."""
    if not name or "\0" in name:
        raise argparse.ArgumentTypeError("a zero byte in a file's name" if name else "the name of a file is empty")
    return Path(name)


def check_folder(folder: Path) -> None:
    """Raise ValueError when a file is in the way of a folder for results."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir():
        raise ValueError(f"--output {folder} cannot be made: {there} is a file, where a folder is needed")
