"""What a derivation gives to people: text, LaTeX, a page, drawings; and the classic losses on the command line."""

from __future__ import annotations

import re
import shutil
import subprocess
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tinygrad_cls as tg
from tinygrad_cls.cli import main
from tinygrad_cls.cli.classic import CLASSIC
from tinygrad_cls.explanation import boxes
from tinygrad_cls.explanation.latex import latex
from tinygrad_cls.explanation.mathml import mathml
from tinygrad_cls.explanation.text import spans

PICTURES = ["folded", "gradient_graph", "gradients", "unfolded"]


@pytest.fixture(scope="module")
def derivation() -> Any:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y = tg.one_hot(2, 3)
    y.name = "y"
    p = tg.exp(z) / tg.exp(z).sum()
    p.name = "y′"
    return tg.explain(-(y * tg.log(p)).sum(), z, way="backward")


def marked(formula: Any) -> str:
    """The text with changed parts in square brackets."""
    return "".join(f"[{piece}]" if changed else piece for piece, changed in spans(formula.box)).replace("][", "")


def test_only_what_changed_is_marked(derivation: Any) -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y = tg.Tensor([0.0, 0.0, 1.0], name="y")
    p = tg.softmax(z)
    p.name = "y′"
    last = tg.explain(-(y * tg.log(p)).sum(), z, way="backward").steps[-1]
    assert last.rule == "cancel"
    assert (marked(last.before), marked(last.after)) == ("y′ − [y′] ⊙ y / [y′]", "y′ − y")
    assert all("[" in marked(step.before) for step in derivation.steps if step.kind == "algebra")


def test_the_page_is_the_only_format(derivation: Any, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="html"):
        derivation.save(tmp_path / "why.docx")
    assert not list(tmp_path.iterdir())


def test_the_simplified_gradient_is_drawn_with_three_nodes(derivation: Any) -> None:
    before, after = derivation.drawings.values()
    assert len(after.plan.graph.nodes) == 3
    assert len(before.plan.graph.nodes) > 3
    gradient = np.exp([1.0, 2, 3]) / np.exp([1.0, 2, 3]).sum() - [0, 0, 1]
    for drawing in (before, after):
        np.testing.assert_allclose(drawing.replay()[0], gradient, atol=1e-15)


def test_latex_is_balanced_and_names_primes(derivation: Any) -> None:
    for text in (derivation.latex, derivation.gradient.latex, derivation.latex_result):
        assert text.count("{") == text.count("}")
        assert len(re.findall(r"\\begin\{", text)) == len(re.findall(r"\\end\{", text))
    assert derivation.gradient.latex == "y' - y"


def test_the_text_fits_a_narrow_terminal(derivation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    narrow = str(derivation).splitlines()
    monkeypatch.setenv("COLUMNS", "100")
    wide = str(derivation).splitlines()
    assert max(map(len, narrow)) <= 60
    assert len(narrow) > len(wide)
    assert "\x1b" not in str(derivation)  # no colours where no terminal is


def test_notebooks_get_all_of_it_in_no_frame(derivation: Any) -> None:
    """Static HTML, as high as what it says; its style holds inside of it only."""
    part = derivation._repr_html_()
    assert "<iframe" not in part
    assert part.count('<li><span class="rule">') == len(derivation.steps)
    style = re.search(r"<style>(.*?)</style>", part, flags=re.DOTALL)[1]  # type: ignore[index]
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", re.sub(r"@media[^{]*\{", "", style))
    for selector in ",".join(selectors).split(","):
        assert selector.strip().startswith(".derivation"), selector
    assert derivation._repr_latex_().startswith("$")


def test_a_prime_is_part_of_its_letter_and_brackets_grow(derivation: Any) -> None:
    assert derivation.gradient.mathml.count("<mi>y′</mi>") == 1
    assert "<msup>" not in derivation.gradient.mathml
    high = mathml(boxes.group(boxes.slope("L", "z")))
    assert re.search(r'<mo stretchy="false" mathsize="1\.\d+em">\(</mo>', high), high
    assert "mathsize" not in derivation.loss.mathml


def test_the_equal_signs_of_a_step_stand_in_one_column(derivation: Any) -> None:
    part = derivation._repr_html_()
    for step in re.findall("<li>.*?</li>", part, flags=re.DOTALL):
        assert step.count("<table>") == 1
        for row in re.findall("<tr>.*?</tr>", step, flags=re.DOTALL):
            assert re.findall('<td class="([a-z]+)">', row) == ["left", "sign", "right"]
            assert "<mo>=</mo>" not in row


def test_what_is_folded_along_an_axis_says_which() -> None:
    z = tg.Tensor([[1.0, 2.0], [3.0, 0.0]], requires_grad=True, name="z")
    d = tg.explain(tg.cross_entropy(z, [0, 1]), z, way="backward")
    largest = next(formula for name, formula in d.definitions if name == "m")
    assert str(largest) == "maxₖ(z)"
    assert largest.latex == r"\max_{k}\left(z\right)"
    assert '<msub><mi class="word">max</mi><mi>k</mi></msub>' in largest.mathml
    assert "the index k runs along axis 1" in str(d)


@pytest.mark.parametrize(
    "loss", [name if i < 2 else pytest.param(name, marks=pytest.mark.slow) for i, name in enumerate(CLASSIC)]
)
def test_each_classic_loss_is_derived_on_the_command_line(loss: str, tmp_path: Any, capsys: Any) -> None:
    assert main(["why", "--loss", loss, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert float(re.search(r"largest difference is (\S+?)\.?\s", printed)[1]) < 1e-12  # type: ignore[index]
    assert re.search(r"^Result$", printed, flags=re.MULTILINE)
    assert float(re.search(r"largest difference: (\S+)", printed)[1]) < 1e-12  # type: ignore[index]
    names = [f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["derivation.html", *names])
    assert re.search(r"^ +value +gradient$", printed, flags=re.MULTILINE)


def book(name: str) -> Any:
    case = CLASSIC[name](np.array([1.0, 2.0, 3.0]), 2)
    return tg.explain(case.loss, case.wrt, names=case.names, way="backward")


def test_what_was_there_before_is_not_marked(derivation: Any) -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y = tg.Tensor([0.0, 0.0, 1.0], name="y")
    e = tg.exp(z)
    e.name = "e"
    p = e / tg.sum(e)
    p.name = "y′"
    steps = tg.explain(-(y * tg.log(p)).sum(), z, way="backward").steps
    new = next(step for step in steps if step.rule == "definition of softmax")
    assert marked(new.after) == "[y′] − [y′] ⊙ y / y′"  # of three, two are new
    step = next(step for step in book("network").steps if step.rule == "softmax ignores a shift")
    assert marked(step.after) == "[y′] / N − y / N"
    step = book("sigmoid_mse").steps[-1]
    assert marked(step.after) == "2 [σ] ⊙ (σ − y) ⊙ (1 − σ)"


@pytest.mark.parametrize("name", CLASSIC)
def test_no_two_equations_say_different_things_of_one_mark(name: str) -> None:
    """`∂e via y′` and `∂e` are said once each, and what comes by several ways is added up."""
    chain = [step for step in book(name).steps if step.kind == "chain rule"]
    marks = [(partial.name, partial.via) for step in chain for partial in step.results]
    assert len(marks) == len(set(marks))
    for step in chain:
        if step.ways:
            ways = [p.formula for other in chain for p in other.results if p.name == step.results[0].name and p.via]
            assert [
                p.via for other in chain for p in other.results if p.name == step.results[0].name and p.via
            ] == list(step.ways)
            assert step.results[0].via is None
            assert len(ways) > 1


def test_values_of_small_arrays_stand_beside_formulas(derivation: Any, tmp_path: Any) -> None:
    text = str(derivation)
    assert "= y′ − y = [0.09 0.245 −0.335]" in text
    np.testing.assert_allclose(derivation.gradient.value, derivation.gradient.evaluate({"y′": derivation_p(), "y": Y}))
    derivation.save(tmp_path / "page.html")
    assert "[0.09 0.245 −0.335]" in (tmp_path / "page.html").read_text(encoding="utf-8")
    for n, shown in ((10, True), (30, False)):
        z = tg.Tensor(np.linspace(0, 1, n), requires_grad=True, name="z")
        assert ("[0 0.222" in str(tg.explain((z * z).sum(), z))) == shown


Y = np.array([0.0, 0.0, 1.0])


def derivation_p() -> np.ndarray:
    e = np.exp([1.0, 2.0, 3.0])
    return e / e.sum()


HOSTILE = [
    "#",
    "a_b",
    "50%",
    "x\\y",
    "x^2",
    "~",
    "{",
    "}",
    "&",
    "$",
    "x\\end{align*}",
    "<b>",
    "a b",
    "λ₁",
    "y′₂",
    "Ω",
    "ŷ",
]
HOSTILE += ["x̄", "β̂₁", "é", "ℓ", "∇f", "δ_x"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_escaped_in_latex(name: str) -> None:
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name=name)
    latex = tg.explain((z * z).sum(), z).latex
    assert not re.search(r"(?<![\\&])[#%]", latex)
    assert not re.search(r"\\text\{[^}]*(?<!\\)[_^~]", latex)
    assert re.sub(r"\\[{}]", "", latex).count("{") == re.sub(r"\\[{}]", "", latex).count("}")


@pytest.mark.parametrize("name", CLASSIC)
def test_every_letter_is_introduced_before_it_is_used(name: str) -> None:
    """What the loss is computed from comes first, with d before d₁; then each step, from the last to the first."""
    d = book(name)
    computed = [step.definition for step in reversed(d.steps) if step.definition is not None]
    known = {*d.gradient.names, *(word for word, _ in d.definitions), *(letter for letter, _ in d.unnamed)}
    known |= {axis.letter.upper() for axis in d.axes}
    functions = {
        "exp",
        "log",
        "max",
        "sqrt",
        "tanh",
        "stack",
        "stop",
        "σ",
        "Σ",
        "Σₖ",
        "Σₙ",
        "maxₖ",
        "softmax",
        "one_hot",
    }
    mine: list[str] = []
    for letter, formula in computed:
        used = set(re.findall(r"[^\W\d₀-₉²]+′*[₀-₉]*", str(formula))) - functions
        assert used <= known | set(mine), (letter, str(formula), used - known)
        assert letter not in mine
        mine.append(letter)
        base = letter.rstrip("₀₁₂₃₄₅₆₇₈₉")
        assert base == letter or base in known | set(mine)
        assert base != "p"  # which is for probabilities
    shown = str(d)
    for letter, formula in computed:
        assert shown.index(f"\n    {letter} = ") < shown.index(f"  {letter} = {formula}\n     ∂"), letter


def test_a_number_that_is_repeated_gets_the_sum_of_what_comes_back() -> None:
    """`∂r = Σ v ⊙ e`, not `∂r = v ⊙ e` for the numbers in the places that it was repeated to."""
    d = book("hessian_vector")
    step = next(step for step in d.steps if step.definition and str(step.definition[1]) == "r")
    assert str(step.results[0].formula) == "Σ v ⊙ exp(z − m)"
    assert step.reason == "one r serves several elements, and what comes back from them is added up"


def test_table_and_derivation_use_the_same_letters() -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y = tg.one_hot(2, 3)
    y.name = "y"
    loss = -(y * tg.log(tg.softmax(z))).sum()
    d = tg.explain(loss, z, way="backward")
    table = tg.draw(loss, names=d.letters).text
    for step in d.steps:
        if step.definition is not None:
            assert f"{step.definition[0]} = " in table
    assert set(d.letters.values()) >= {loss, z, y}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["classic", "names", "中文"])
def test_latex_compiles(what: str, tmp_path: Any) -> None:
    """With amsmath and xcolor, and for Chinese with a font that has it."""
    programs = ["tectonic", "xelatex"] if what == "中文" else ["tectonic", "pdflatex", "xelatex"]
    program = next(filter(None, map(shutil.which, programs)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(programs)} is installed: see CONTRIBUTING.md")
    font = "Noto Serif CJK SC"
    if what == "中文":
        listed = shutil.which("fc-list") and subprocess.run(["fc-list"], capture_output=True, text=True).stdout
        if not listed or font not in listed:
            pytest.skip(f"the font {font} is not installed")
    parts = []
    for name in HOSTILE if what == "names" else CLASSIC:
        if what == "names":
            z = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name=name)
            d = tg.explain((z * z).sum() + tg.cross_entropy(z, [0, 1]), z)
        else:
            case = CLASSIC[name](np.array([1.0, 2.0]), 1)
            d = tg.explain(case.loss, case.wrt, names=case.names, lang="zh" if what == "中文" else "en")
        parts.append(f"{d.latex}\n\n${d.loss.latex}$ {d._repr_latex_()}\n")
        parts += [f"${step.before.latex}$ ${step.after.latex}$\n" for step in d.steps]
    fonts = rf"\usepackage{{fontspec}}\setmainfont{{{font}}}" if what == "中文" else r"\usepackage[T1]{fontenc}"
    document = rf"\documentclass{{article}}{fonts}\usepackage{{amsmath,xcolor}}\allowdisplaybreaks\begin{{document}}"
    (tmp_path / "all.tex").write_text(document + "\n".join(parts) + r"\end{document}", encoding="utf-8")
    options = [] if "tectonic" in program else ["-interaction=nonstopmode", "-halt-on-error"]
    run = subprocess.run([program, *options, "all.tex"], cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    assert (tmp_path / "all.pdf").stat().st_size > 20_000


def test_of_several_tensors_with_one_name_the_variable_keeps_it() -> None:
    a, x = tg.Tensor([2.0, 3.0], name="x"), tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    d = tg.explain((a * x * x).sum(), x)
    assert str(d.gradient) == "2 x ⊙ x₁"
    assert "x₁ is another tensor with the name x" in str(d)
    np.testing.assert_allclose(d.gradient.evaluate({"x": [1.0, 1.0], "x₁": [5.0, 7.0]}), [10.0, 14.0])


def test_a_place_is_explained() -> None:
    case = CLASSIC["two_classes"](np.array([1.0, 2.0]), 1)
    d = tg.explain(case.loss, case.wrt, names=case.names)
    assert "y[1]" in str(d.gradient)
    assert "[…] after a name picks elements by their place, counted from 0" in str(d)


@pytest.mark.parametrize(
    ("value", "written"),
    [("1/3", "1/3"), ("1/10", "0.1"), ("-5/2", "−5/2"), ("1/100000", "0.00001"), ("1e-12", "1e−12"), ("32", "32")],
)
def test_numbers_are_written_as_one_writes_them(value: str, written: str) -> None:
    assert boxes.number_text(Fraction(value)) == written
    assert latex(boxes.text("1.5e−12")).strip() == r"1.5 \cdot 10^{-12}"
