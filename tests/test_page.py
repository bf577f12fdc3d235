"""The page: all of it without scripts, step by step with its own, and nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Saved, derived, written

import tinygrad_cls as tg
from tinygrad_cls.cli.classic import CLASSES, CLASSIC
from tinygrad_cls.explanation.page import player
from tinygrad_cls.explanation.sentences import say


@pytest.fixture(scope="module", params=["backward", "lemmas", "loss"])
def derivation(request: Any) -> Any:
    return derived(way=request.param)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_page_is_one_file_that_loads_nothing(derivation: Any, saved: Saved) -> None:
    page = text(saved(way=derivation.way))
    assert not re.findall(r'(?:src|href)\s*=\s*"([^"]*)"|url\(([^)]*)\)|@import', page)
    for formula in re.findall(r"<math.*?</math>", page, flags=re.DOTALL):
        ElementTree.fromstring(formula)
    for drawing in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        ElementTree.fromstring(drawing)
    for d in (derivation, *derivation.others):
        assert page.count("<svg") >= len(d.drawings) + len(d.scene.pictures) + 1
    assert len(page.encode()) < 300_000
    assert "y′ − y" in re.search(r"<title>(.*?)</title>", page)[1]  # type: ignore[index]


def test_without_its_script_the_page_reads_in_full(derivation: Any, saved: Saved) -> None:
    """It is what a notebook shows, which has no script; the bar is in a template, which is not displayed."""
    page = text(saved(way=derivation.way))
    body = re.search(r"<body>\n(.*)</body>", page, flags=re.DOTALL)[1]  # type: ignore[index]
    rest = re.sub("<template.*?</template>|<script.*?</script>", "", body, flags=re.DOTALL)
    rest = rest.strip().removeprefix("<main>\n").removesuffix("\n</main>")
    asked, *others = rest.split('\n<details class="way">')
    assert re.sub('<figure class="stage".*?</figure>\n', "", asked, flags=re.DOTALL) == derivation._repr_html_()
    assert len(others) == len(derivation.others) == 2  # folded
    assert not re.search("<script|<template|<details[^>]*open|hidden=", rest)
    for d, part in zip(derivation.others, others):
        assert part.startswith(f"<summary>Another way: {say('en', f'by {d.way}')}</summary>")
        assert all(step.rule in part for step in d.steps)
    for step in derivation.steps:
        assert step.rule in rest


def test_the_policy_allows_the_styles_and_the_script_of_the_page_alone(derivation: Any, saved: Saved) -> None:
    page = text(saved(way=derivation.way))
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy is not None
    rules = {words[0]: words[1:] for words in map(str.split, policy[1].split(";"))}
    for kind in ("style", "script"):
        contents = re.findall(f"<{kind}>(.*?)</{kind}>", page, flags=re.DOTALL)
        hashes = {base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents}
        assert rules.pop(f"{kind}-src") == [f"'sha256-{h}'" for h in sorted(hashes, key=policy[1].index)]
        assert policy.end() < page.index(f"<{kind}")
    assert rules == {"default-src": ["'none'"], "base-uri": ["'none'"], "form-action": ["'none'"]}
    assert not re.search(r"<[^>]*\s(style|on\w+)=", re.sub("<script.*</script>", "", page, flags=re.DOTALL))


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name="</script><script>alert(1)</script>")
    page = text(written(tg.explain((z * z).sum(), z), tmp_path))
    assert re.findall("<script>(.*?)</script>", page, flags=re.DOTALL) == list(player.scripts())
    assert page.count("<script") == page.count("</script") == len(player.scripts()) + 2  # and the data


@pytest.mark.parametrize("script", player.scripts())
def test_the_scripts_are_small_and_stay_on_the_page(script: str) -> None:
    assert len(script.splitlines()) < 400
    assert "</" not in script
    assert not re.search(
        r"https?:(?!//www\.w3\.org/2000/svg)|fetch|XMLHttpRequest|import|eval\(|Function\(|innerHTML", script
    )


QUICK = ("mse", "linear", "two_classes", "hessian_vector")


@pytest.mark.parametrize(
    "loss", [pytest.param(loss, marks=[pytest.mark.slow] * (loss not in QUICK)) for loss in CLASSIC]
)
def test_the_other_language_is_in_the_page(loss: str, tmp_path: Path) -> None:
    case = CLASSIC[loss](np.arange(1.0, CLASSES.get(loss, 3) + 1), 1)
    page = text(written(tg.explain(case.loss, case.wrt, names=case.names, lang="en"), tmp_path))
    there = tg.explain(case.loss, case.wrt, names=case.names, lang="zh")
    said = [text for _, text in json.loads(re.search('id="translation">(.*?)</script>', page)[1])["said"]]  # type: ignore[index]
    for sentence in (*there.opening, *(step.reason.strip() for step in there.steps)):
        assert sentence in page or any(sentence in text for text in said)


def test_of_hundreds_of_steps_the_first_and_the_last_are_there(tmp_path: Path) -> None:
    z = tg.Tensor([0.5, 1.0], requires_grad=True, name="z")
    x = z
    for _ in range(400):
        x = tg.tanh(x)
    d = tg.explain(x.sum(), z, way="backward")
    page = text(written(d, tmp_path))
    numbers = [int(i) for i in re.findall(r'<span class="number">(\d+)</span>', page)]
    steps = len(d.steps)
    assert numbers == [*range(1, 31), *range(steps - 29, steps + 1)]
    assert f"{steps - 60} more" in page
    assert len(page.encode()) < 450_000


def test_only_ways_with_other_steps_are_there() -> None:
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
    d = tg.explain((z * z).sum(), z)
    assert d.others == ()  # no logarithm, no composite
    assert [other.way for other in derived().others] == ["lemmas", "backward"]
    assert {str(other.gradient) for other in derived().others} == {"y′ − y"}
    assert all(lemma.proof.others == () for lemma in derived(way="lemmas").lemmas)
    x = z
    for _ in range(70):
        x = tg.tanh(x)
    assert tg.explain(x.sum(), z).others == ()


def test_what_cannot_be_tried_has_no_sliders(tmp_path: Path) -> None:
    long = tg.Tensor(np.ones(13), requires_grad=True, name="z")
    assert 'id="touch"' not in text(written(tg.explain((long * long).sum(), long), tmp_path))
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
    assert 'id="touch"' in text(written(tg.explain((z * z).sum(), z), tmp_path))
    assert 'id="touch"' not in text(written(tg.explain((z * (z * z).detach()).sum(), z), tmp_path))
    assert 'id="touch"' not in text(written(tg.explain(tg.maximum(z, z / 2).sum(), z), tmp_path))  # z ≠ 0 is assumed
