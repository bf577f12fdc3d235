"""Names are anybody's text: what would steer a terminal, turn the writing round or break a page is shown, not done."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cls as tg
from tinygrad_cls.cli import main
from tinygrad_cls.drawing.columns import columns
from tinygrad_cls.visible import visible

NAMES = {
    "\x1b[31mred": r"\x1b[31mred",  # colours a terminal
    "\x1b]0;title\x07": r"\x1b]0;title\x07",  # renames its window
    "\x9b2J": r"\x9b2J",  # clears it, in one byte
    "a\rb": r"a\rb",  # overwrites the line
    "\u202ecod.exe": r"\u202ecod.exe",  # reads backwards
    "x\u2066y": r"x\u2066y",
    "p\u200bq": r"p\u200bq",  # looks like another name
    "u\u2028v": r"u\u2028v",  # ends a line in JavaScript
    "half\ud800": r"half\ud800",  # cannot be written to a file
}


def shown(text):
    """Whether nothing in the text is more than to be seen; line ends and the spaces that our own layout uses apart."""
    return all(c.isprintable() or c in "\n\t\xa0" for c in text)


@given(st.text(st.characters(codec=None)))
def test_what_has_no_picture_is_spelt_as_python_spells_it(name):
    clean = visible(name)
    assert clean.isprintable()
    assert clean.encode().decode() == clean
    assert clean.replace("\\", "").replace("'", "") == repr(name)[1:-1].replace("\\", "").replace("'", "")


def test_letters_of_all_languages_stay():
    for name in ("y′", "类别", "größe", "ñ", "Σᵢ", "نام", "ชื่อ", "🙂"):
        assert visible(name) == name


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (i > 2)) for i, name in enumerate(NAMES)]
)
@pytest.mark.parametrize("given", [False, True])
def test_a_tensor_s_name_is_shown_wherever_it_comes(name, given, tmp_path):
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name=None if given else name)
    p = tg.softmax(z)
    y = tg.one_hot(2, 3)
    y.name = "y"
    loss = -(y * tg.log(p)).sum()
    loss.backward()
    names = {name: z, "y′": p} if given else {"y′": p}
    drawing, derivation = tg.draw(loss, names=names), tg.explain(loss, z, names=names)
    derivation.save(tmp_path / "page.html")
    drawing.save(tmp_path / "graph.png")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for text in (repr(z), drawing.text, drawing.source, drawing.svg, str(derivation), derivation.latex, page):
        assert shown(text)
    for text in (drawing.text, str(derivation), page):
        assert NAMES[name] in text
    values = derivation.gradient.evaluate({name: [0.0, 0.0, 0.0], "y": [0, 0, 1], "y′": [1 / 3] * 3})
    np.testing.assert_allclose(values, [1 / 3, 1 / 3, -2 / 3], rtol=1e-12)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        z + np.ones(7)
    assert shown(str(error.value))


def test_names_that_are_shown_alike_stay_apart():
    a = tg.Tensor([1.0, 2.0], requires_grad=True, name="\x07")
    b = tg.Tensor([3.0, 5.0], name=r"\x07")
    gradient = tg.explain((a * a * b).sum(), a).gradient
    values = {r"\x07": [1.0, 2.0], r"\x07₁": [3.0, 5.0]}
    np.testing.assert_allclose(gradient.evaluate(values), [6, 20])  # 2 a b
    c, d = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([3.0, 5.0])
    gradient = tg.explain((c * c * d).sum(), c, names={"\x07": c, r"\x07": d}).gradient
    np.testing.assert_allclose(gradient.evaluate(values), [6, 20])


@pytest.mark.parametrize("name", NAMES)
def test_a_module_s_path_is_shown_wherever_it_comes(name, tmp_path):
    class Named(tg.nn.Module):
        def __init__(self):
            self.layers = {name: tg.nn.Linear(3, 2)}

        def forward(self, x):
            return self.layers[name](x)

    model = Named()
    loss = tg.cross_entropy(model(np.ones((2, 3))), [0, 1])
    assert NAMES[name] in repr(model)
    for text in (repr(model), tg.draw(loss).text, tg.draw(loss).source, tg.draw(loss, expand=False).source):
        assert shown(text)
    with pytest.raises(ValueError, match="missing") as error:
        model.load_state_dict({})
    assert shown(str(error.value))
    pytest.importorskip("safetensors")
    tg.save(tmp_path / "model", model=model)
    other = Named()
    tg.load(tmp_path / "model").restore(model=other)
    np.testing.assert_array_equal(model.layers[name].weight.numpy(), other.layers[name].weight.numpy())


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self):
        return True


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:no font here has")
def test_classes_on_the_command_line(tmp_path, capsys, monkeypatch):
    for package in ("matplotlib", "safetensors"):
        pytest.importorskip(package)
    classes = ["\x1b[31mred", "\u202ecod", "山鸢尾", "long " * 40]
    rng = np.random.default_rng(0)
    rows = [f"{k + rng.normal(scale=0.1)},{classes[k]}\n" for k in np.arange(80) % 4]
    path, run = tmp_path / "a\x1bb.csv", tmp_path / "run"
    path.write_text("x,\x1bkind\n" + "".join(rows), encoding="utf-8")
    assert main(["train", str(path), "--epochs", "5", "--output", str(run)]) == 0
    printed = capsys.readouterr().out
    assert shown(printed)
    assert r"\x1b[31mred" in printed
    table = printed[printed.index("test class") :].splitlines()[:5]
    assert len({columns(line) for line in table}) == 1  # all lines of a table end in the same column

    words = ["predict", str(run / "best.safetensors"), str(path)]
    assert main([*words]) == 0
    assert "\x1b[31mred" in capsys.readouterr().out  # a file, or another program, gets what was there
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert main([*words]) == 0
    assert shown(sys.stdout.getvalue())
    assert main(["predict", str(run / "\x1bnone"), str(path)]) == 1
    assert "there is no checkpoint" in (errors := capsys.readouterr().err)
    assert shown(errors)
