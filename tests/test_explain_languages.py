"""The sentences of a derivation: complete in each language."""

from __future__ import annotations

import string

import pytest

from tinygrad_cls.explanation.sentences import SENTENCES, language, say


def placeholders(sentence: str) -> list[str]:
    return sorted({field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None})


@pytest.mark.parametrize("lang", SENTENCES)
def test_every_language_has_the_same_sentences_with_the_same_places(lang: str) -> None:
    assert SENTENCES[lang].keys() == SENTENCES["en"].keys()
    for key, sentence in SENTENCES["en"].items():
        assert placeholders(SENTENCES[lang][key]) == placeholders(sentence), key


def test_the_language_is_the_one_asked_for_else_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINYGRAD_CLS_LANG", raising=False)
    assert language(None) == "en"
    monkeypatch.setenv("TINYGRAD_CLS_LANG", "zh")
    assert (language(None), language("en")) == ("zh", "en")
    monkeypatch.setenv("TINYGRAD_CLS_LANG", "fr")
    with pytest.raises(ValueError, match="TINYGRAD_CLS_LANG is 'fr'; there are sentences in 'en' and 'zh'"):
        language(None)


def test_say() -> None:
    assert say("zh", "where") == "其中"
    assert say("en", "assumed", fact="Σ y = 1") == "Assumed, and checked on the data: Σ y = 1."
