"""What text takes on a terminal."""

from __future__ import annotations

import unicodedata


def columns(text: str) -> int:
    """How many columns of a terminal the text takes: two for a Chinese letter, none for an accent."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )
