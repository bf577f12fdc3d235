"""The sentences of a derivation: complete in each language."""

from __future__ import annotations

import io
import re
import string
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls.algebra.opening import OPENING
from tinygrad_cls.algebra.rules import RULES
from tinygrad_cls.cli import main
from tinygrad_cls.cli.classic import CLASSES, CLASSIC
from tinygrad_cls.drawing.columns import SPELT_OUT, columns, readable
from tinygrad_cls.drawing.words import HEADERS
from tinygrad_cls.explanation.chain import computed_from
from tinygrad_cls.explanation.chinese import REASONS, RULE_NAMES
from tinygrad_cls.explanation.reasons import WORDS
from tinygrad_cls.explanation.sentences import SENTENCES, language, say


def placeholders(sentence: str) -> list[str]:
    return sorted({field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None})


@pytest.mark.parametrize("lang", SENTENCES)
def test_every_language_has_the_same_sentences_with_the_same_places(lang: str) -> None:
    assert SENTENCES[lang].keys() == SENTENCES["en"].keys()
    assert HEADERS.keys() == SENTENCES.keys() == WORDS.keys()
    assert {key for key in SENTENCES["en"] if key.startswith("short ")} == {
        "short for",
        *(f"short {x}" for x in CLASSIC),
    }
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
    assert "?" not in text
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
    assert "?" not in text
    if expected != "chain rule":
        assert not re.findall("[a-z]{2,} [a-z]{2,} [a-z]{2,}", text)


def derived(loss: str, lang: str) -> tuple[Any, str]:
    """One of the classic losses, and the table of its values, as `why` shows them."""
    classes = CLASSES.get(loss, 3)
    case = CLASSIC[loss](np.arange(1.0, classes + 1), classes - 1)
    d = tg.explain(case.loss, case.wrt, names=case.names, lang=lang)
    case.loss.backward()
    drawn = set(computed_from([case.loss]))
    return d, tg.draw(case.loss, names={name: t for name, t in d.letters.items() if t in drawn}).listing(lang)


@pytest.mark.parametrize("loss", CLASSIC)
@pytest.mark.parametrize(("encoding", "lang"), [("ascii", "en"), ("cp1252", "en"), ("gbk", "en"), ("gbk", "zh")])
def test_each_loss_is_readable_on_any_terminal(
    loss: str, encoding: str, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> None:
        sys.stdout.reconfigure(errors=SPELT_OUT)  # type: ignore[union-attr]
        d, table = derived(loss, lang)
        print(say(lang, f"short {loss}"))
        print(table)
        print(d)

    text = printed_on(encoding, monkeypatch, run)
    assert text.count("?") == printed_on("utf-8", monkeypatch, run).count("?")  # no sign became one
    assert ("链式法则" in text) == (lang == "zh")
    header = next(line for line in text.splitlines() if re.search("value +gradient|值 +梯度", line))
    left = columns(header[: re.search("value|值", header).start()])  # type: ignore[union-attr]
    rows = [line for line in text.splitlines() if re.search(r"(float64|int64|bool) +\S", line)]
    assert len(rows) > 4
    for row in rows:  # aligned as it is shown
        assert columns(row[: re.search(r"(?:float64|int64|bool) +", row).end()]) == left  # type: ignore[union-attr]


@pytest.mark.parametrize("loss", CLASSIC)
def test_chinese_has_no_english_but_names_of_functions(loss: str) -> None:
    d, table = derived(loss, "zh")
    page = re.sub("<style>.*?</style>|<svg.*?</svg>|<[^>]*>", " ", d._repr_html_(), flags=re.DOTALL)
    known = {*tg.OPERATIONS, *CLASSIC, "softmax", "sigmoid", "log_softmax", "one_hot", "softplus", "squared_error"}
    known |= {"mse_loss", "binary_cross_entropy_with_logits", "label", "labels", "loss", "scalar", "True", "False"}
    known |= {"float64", "int64", "bool", "stack", "way", "lemmas", "backward", "weighted_sum", "Hessian"}
    known |= {"logsumexp", "LSE", "exp", "expm1", "log1p", "in"}
    said = " ".join([say("zh", f"short {loss}"), table, str(d), page])
    said = re.sub(r"print\([^)]*\)", "", said)  # code
    assert not set(re.findall("[A-Za-z_][A-Za-z_0-9]+", said)) - known


def test_readable() -> None:
    assert readable("xᵖ⁻¹, Wᵀ, 2⁻¹", "gbk") == "x^(p-1), W^T, 2^-1"
    assert readable("∂z₁ = y′ ⊙ x² − ½", "ascii") == "dz_1 = y' * x^2 - 1/2"
    assert readable("∂z₁ = y′", None) == "∂z₁ = y′"
