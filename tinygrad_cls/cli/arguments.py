"""What argparse leaves open: negative numbers, and help about options without a default."""

from __future__ import annotations

import argparse
import re


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Says the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def accept_negative_numbers(parser: argparse.ArgumentParser) -> None:
    """Let the parser take -1e-3 for a number: before Python 3.14 it takes it for an option."""
    parser._negative_number_matcher = re.compile(r"-\.?\d")
