"""The language that is spoken, and the words above tables."""

from __future__ import annotations

import os

HEADERS = {"en": ("value", "gradient"), "zh": ("值", "梯度")}
"""By language: what stands above the columns of values and of gradients."""


def language(lang: str | None) -> str:
    """The language asked for, else that of `TINYGRAD_CLS_LANG`, else English.

    Raises:
        ValueError: when there are no sentences in it.
    """
    asked = lang or os.environ.get("TINYGRAD_CLS_LANG") or "en"
    if asked not in HEADERS:
        source = "lang" if lang else "TINYGRAD_CLS_LANG"
        raise ValueError(f"{source} is {asked!r}; there are sentences in {' and '.join(map(repr, HEADERS))}")
    return asked
