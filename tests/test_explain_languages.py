"""The sentences of a derivation: complete in each language."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest

import tinygrad_cls as tg
from tinygrad_cls.algebra.rules import RULES
from tinygrad_cls.explanation.chinese import REASONS, RULE_NAMES, in_chinese
from tinygrad_cls.explanation.reasons import DERIVATIVES
from tinygrad_cls.explanation.sentences import SENTENCES, language, say


def placeholders(sentence: str) -> list[str]:
    return sorted({field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None})


@pytest.mark.parametrize("lang", SENTENCES)
def test_every_language_has_the_same_sentences_with_the_same_places(lang: str) -> None:
    assert SENTENCES[lang].keys() == SENTENCES["en"].keys()
    for key, sentence in SENTENCES["en"].items():
        assert placeholders(SENTENCES[lang][key]) == placeholders(sentence), key


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_speaks_chinese(rule: Any) -> None:
    assert rule.name in RULE_NAMES
    assert placeholders(REASONS[rule.reason]) == placeholders(rule.reason)


def test_every_operation_and_condition_speaks_chinese() -> None:
    for sentence in (*DERIVATIVES.values(), "the derivative of arctan x is 1 / (1 + x²)", "the derivative of magic"):
        assert is_chinese(in_chinese(sentence)), sentence
    for sentence, chinese in REASONS.items():
        assert placeholders(sentence) == placeholders(chinese)


def test_a_derivation_in_chinese_leaves_no_english_sentence() -> None:
    z = tg.Tensor([[1.0, 2.0, 3.0], [0.5, 1.0, -1.0]], requires_grad=True, name="z")
    p = tg.softmax(z)
    p.name = "y′"
    d = tg.explain(((p - tg.one_hot([2, 0], 3)) ** 2).mean() + tg.cross_entropy(z, [2, 0]), z, lang="zh")
    assert d.lang == "zh"
    for step in d.steps:
        assert is_chinese(step.reason), step.reason
        assert step.kind == "chain rule" or is_chinese(step.rule)
    assert "链式法则" in str(d)
    assert not re.findall(r"[a-z]+ [a-z]+ [a-z]+", str(d).replace("softmax", ""))
    assert '<html lang="zh">' in d._repr_html_().replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")


def is_chinese(text: str) -> bool:
    return re.search("[一-鿿]", text) is not None


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
