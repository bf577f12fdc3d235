"""Every mistake in `mistakes.py` is said as the table has it, and docs/mistakes.md is up to date."""

from __future__ import annotations

import re

import numpy as np
import pytest
from guesses import GUESSES
from mistakes import DOCUMENT, SECTIONS, Mistake, document, said

import tinygrad_cls as tg
from tinygrad_cls import vocabulary, vocabulary_training

MISTAKES = [mistake for section in SECTIONS for mistake in section.mistakes]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.title for mistake in MISTAKES])
def test_a_mistake_is_answered(mistake: Mistake) -> None:
    with np.errstate(all="ignore"):
        kind, text = said(mistake)
    assert kind is mistake.kind, text
    for word in mistake.words:
        assert word in text


def test_the_document_is_up_to_date() -> None:
    with np.errstate(all="ignore"):
        assert DOCUMENT.read_text(encoding="utf-8") == document(), "python tests/mistakes.py writes it anew"


def test_there_are_enough_of_them() -> None:
    assert len(MISTAKES) >= 60
    assert len({mistake.title for mistake in MISTAKES}) == len(MISTAKES)


def test_names_that_answers_recommend_exist() -> None:
    names = {**vars(vocabulary), **vars(vocabulary_training)}
    books = [book for name, book in names.items() if name.isupper() and isinstance(book, dict)]
    assert len(books) >= 12
    kinds = (tg.Tensor, tg.nn.Module, tg.optim.SGD, tg.optim.schedules.Schedule, tg.data.batches([1.0], batch_size=1))
    for text in (text for book in books for text in book.values()):
        for path in re.findall(r"\btg\.([\w.]+\w)", text):
            found: object = tg
            for name in path.split("."):
                found = getattr(found, name)
        for name in re.findall(r"(?<![\w)])\.([a-z]\w*)", text):
            assert any(hasattr(kind, name) for kind in kinds) or name in ("weight", "grad", "groups", "steps"), name


@pytest.mark.parametrize("thing", GUESSES)
def test_words_of_pytorch_are_there_or_answered(thing: str) -> None:
    found = eval(thing, {"tg": tg})
    for word in GUESSES[thing].split():
        text = ""
        try:
            getattr(found, word)
        except AttributeError as error:
            text = str(error)
        assert not text or re.search(r"; (write|no |nothing|did you mean|it has)", text), text
