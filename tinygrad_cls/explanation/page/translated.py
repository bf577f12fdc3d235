"""One page in two languages: what is said in the one, by its place among all that is said in the other."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

ATTRIBUTES = ("aria-label", "data-step", "data-other")
"""The attributes that say something, in the order in which they are counted at an element."""
_SPACE = " \t\n\r\f"


class _Said(HTMLParser):
    """All that a page says, in its order: texts, and attributes that say something. Scripts and styles say nothing."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said: list[str] = []
        self._silent = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._silent = tag in ("script", "style")
        known = dict(attrs)
        self.said += [known[name] or "" for name in ATTRIBUTES if name in known]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip(_SPACE):
            self.said.append(data)


def translation(here: str, there: str, lang: str) -> dict[str, Any] | None:
    """What a script needs to put a page into another language: the texts that differ, each with its place.

    Args:
        here, there: the page in its own language, and in the other, as HTML.
        lang: the other language.

    Returns:
        None when the two are not built alike, so that a text of the one has no place in the other.

    Example:
        >>> translation("<p>Play</p><b>z</b>", "<p>播放</p><b>z</b>", "zh")["said"]
        [[0, '播放']]
    """
    own, other = _Said(here), _Said(there)
    if own.tags != other.tags or len(own.said) != len(other.said):
        return None
    pairs = enumerate(zip(own.said, other.said, strict=True))
    differing = [[place, text] for place, (before, text) in pairs if before != text]
    return {"lang": lang, "attributes": ATTRIBUTES, "of": len(own.said), "said": differing}
