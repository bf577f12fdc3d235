"""What argparse leaves open about numbers."""

from __future__ import annotations

import argparse
import re


def accept_negative_numbers(parser: argparse.ArgumentParser) -> None:
    """Let the parser take -1e-3 for a number: before Python 3.14 it takes it for an option."""
    parser._negative_number_matcher = re.compile(r"-\.?\d")
