"""Figures: letters that matplotlib's own font lacks."""

from __future__ import annotations

import functools
import io
import warnings

import numpy as np
import pytest

from tinygrad_cls import figures

pytest.importorskip("matplotlib")
CLASSES = ("猫", "狗", "兔子")


def pixels(names: tuple[str, ...]) -> bytes:
    figure = figures.confusion(np.array([0, 1, 2]), np.array([0, 2, 2]), names, "test")
    picture = io.BytesIO()
    figure.savefig(picture, format="rgba", dpi=50)
    return picture.getvalue()


def test_chinese_class_names_are_shown_where_there_is_a_font(recwarn: pytest.WarningsRecorder) -> None:
    picture = pixels(CLASSES)
    if any("no font here has" in str(warning.message) for warning in recwarn):
        pytest.skip("no font with Chinese is installed")
    assert not recwarn.list  # matplotlib says "Glyph … missing" of what it shows as a box
    assert picture != pixels(("狗", "猫", "兔子"))


def test_letters_that_no_font_has_are_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    own = [font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(figures, "_know_new_fonts", lambda: None)
    monkeypatch.setattr(figures, "_fonts", functools.cache(figures._fonts.__wrapped__))
    with pytest.warns(UserWarning, match="no font here has .*猫.* such as Noto Sans CJK") as said:
        figures.confusion(np.array([0, 1]), np.array([0, 1]), CLASSES, "test")
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.confusion(np.array([0, 1]), np.array([0, 1]), CLASSES, "test")


def test_plain_letters_look_for_no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_know_new_fonts", lambda: pytest.fail("looked for fonts"))
    pixels(("cat", "Hund ü", "γάτα"))
