"""The sentences of a derivation: complete in each language."""

from __future__ import annotations

import io
import re
import string
import sys
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_cls as tg
from tinygrad_cls.algebra.opening import OPENING
from tinygrad_cls.algebra.rules import RULES
from tinygrad_cls.cli import main
from tinygrad_cls.drawing.columns import readable
from tinygrad_cls.explanation.chinese import REASONS, RULE_NAMES
from tinygrad_cls.explanation.sentences import SENTENCES, language, say


def placeholders(sentence: str) -> list[str]:
    return sorted({field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None})


@pytest.mark.parametrize("lang", SENTENCES)
def test_every_language_has_the_same_sentences_with_the_same_places(lang: str) -> None:
    assert SENTENCES[lang].keys() == SENTENCES["en"].keys()
    for key, sentence in SENTENCES["en"].items():
        assert placeholders(SENTENCES[lang][key]) == placeholders(sentence), key


@pytest.mark.parametrize("rule", [*RULES, *OPENING], ids=lambda rule: rule.name)
def test_every_rule_speaks_chinese(rule: Any) -> None:
    assert rule.name in RULE_NAMES
    assert placeholders(REASONS[rule.reason]) == placeholders(rule.reason)


def test_every_condition_speaks_chinese() -> None:
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
    assert '<div class="derivation" lang="zh">' in d._repr_html_()


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
    assert say("zh", "meaning") == "其中"
    assert say("en", "assumed", fact="Σ y = 1") == "Assumed, and checked on the data: Σ y = 1."


def printed_on(encoding: str, monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    run()
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_a_terminal_that_cannot_show_the_signs_gets_readable_text(monkeypatch: pytest.MonkeyPatch) -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    p = tg.softmax(z)
    p.name = "y′"
    d = tg.explain(tg.cross_entropy(z, 2), z, names={"y′": p, "y₁": tg.one_hot(2, 3)})
    text = printed_on("ascii", monkeypatch, lambda: print(d))
    assert "Why dL/dz = y' - y_1" in text
    assert text.count("?") == str(d).count("?")  # none stands for a sign
    chinese = tg.explain(tg.cross_entropy(z, 2), z, lang="zh")
    assert "链式法则" in printed_on("gbk", monkeypatch, lambda: print(chinese))


@pytest.mark.parametrize(
    ("encoding", "expected"), [("utf-8", "链式法则"), ("gbk", "链式法则"), ("ascii", "chain rule")]
)
def test_why_in_chinese(encoding: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def run() -> None:
        assert main(["why", "--lang", "zh", "--output", str(tmp_path)]) == 0

    text = printed_on(encoding, monkeypatch, run)
    assert expected in text
    assert text.count("?") == printed_on("utf-8", monkeypatch, run).count("?" if expected == "链式法则" else "？")
    if expected != "chain rule":
        assert not re.findall("[a-z]{2,} [a-z]{2,} [a-z]{2,}", text)


def test_readable() -> None:
    assert readable("∂z₁ = y′ ⊙ x² − ½", "ascii") == "dz_1 = y' * x^2 - 1/2"
    assert readable("∂z₁ = y′", None) == "∂z₁ = y′"
