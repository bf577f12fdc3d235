"""Three ways from a loss to its gradient: one end, few steps, lemmas with proofs, and a story that fits."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from test_explain import ROWS, SIZES, Row, derived
from test_explain_random import arrays as random_arrays
from test_explain_random import loss as random_loss
from test_explain_random import tensors as random_tensors

import tinygrad_cls as tg
from tinygrad_cls.cli.classic import CLASSIC

WAYS = ("loss", "lemmas", "backward")


@tg.composite
def softmax(z: tg.Tensor) -> tg.Tensor:
    e = tg.exp(z)
    return e / tg.sum(e)


@tg.composite
def cross_entropy(p: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return -tg.sum(y * tg.log(p))


def flagship(way: str | None, **options: Any) -> Any:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y = tg.Tensor([0.0, 0.0, 1.0], name="y")
    p = softmax(z)
    return tg.explain(cross_entropy(p, y), z, names={"y′": p}, way=way, **options)  # type: ignore[arg-type]


def kinds(d: Any) -> list[str]:
    return [step.kind for step in d.steps]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_all_ways_end_in_the_same_line(row: Row) -> None:
    ends = {way: derived(row, SIZES[0], way=way)[0] for way in WAYS}
    assert {str(d.gradient) for d in ends.values()} == {row.gradient.format(**SIZES[0])}
    assert all(d.error < 1e-12 and d.alarm is None for d in ends.values())
    shortest = min(len(ends[way].steps) for way in ("loss", "lemmas"))
    assert len(derived(row, SIZES[0])[0].steps) == shortest


@pytest.mark.parametrize("name", CLASSIC)
def test_all_ways_of_the_classics_end_in_the_same_line(name: str) -> None:
    case = CLASSIC[name](np.array([1.0, 2.0, 0.5]), 1)
    ends = [tg.explain(case.loss, case.wrt, names=case.names, way=way) for way in WAYS]  # type: ignore[arg-type]
    assert len({str(d.gradient) for d in ends}) == 1
    assert len(ends[1].steps) <= len(ends[2].steps)


@pytest.mark.parametrize("seed", [10, 73, 78, *range(120, 132)])
def test_all_ways_of_random_losses_end_in_the_same_line(seed: int) -> None:
    """The first three came to lines that differ by their brackets, or by a δ that one way had and another had not."""
    t = random_tensors(random_arrays(seed))
    loss = random_loss(seed, t)
    ends = [tg.explain(loss, t["w"], way=way) for way in WAYS]  # type: ignore[arg-type]
    assert len({str(d.gradient) for d in ends}) == 1
    assert len({tuple((name, str(formula)) for name, formula in d.where) for d in ends}) == 1
    assert all(d.alarm is None for d in ends)


def test_a_way_that_comes_to_another_form_says_so() -> None:
    t = random_tensors(random_arrays(73))
    d = tg.explain(random_loss(73, t), t["w"], way="backward")
    assert d.steps[-1].rule == "another way to write it"
    assert "that any of the three ways comes to" in " ".join(str(d).split())
    w = np.array([0.5, -0.2, 1.0])
    fresh = random_arrays(73) | {"w": w}
    t = random_tensors(fresh)
    random_loss(73, t).backward()
    assert t["w"].grad is not None
    np.testing.assert_allclose(d.gradient.evaluate({n: fresh[n] for n in ("w", "M")}), t["w"].grad.numpy(), rtol=1e-9)


def test_the_flagship_is_short_by_every_way() -> None:
    loss, lemmas, backward = (flagship(way) for way in WAYS)
    assert kinds(loss).count("rewriting") + kinds(loss).count("algebra") <= 5
    assert kinds(lemmas).count("algebra") <= 6
    assert kinds(backward).count("algebra") <= 4
    assert flagship(None).way == "lemmas"
    assert [d.way for d in (loss, lemmas, backward)] == list(WAYS)


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="way must be 'loss', 'lemmas', 'backward' or None, not 'forward'"):
        flagship("forward")


def test_a_rewritten_loss_is_the_same_number_on_other_data() -> None:
    d = flagship("loss")
    fresh = {"z": np.array([0.3, -1.0, 2.0]), "y": np.array([0.2, 0.5, 0.3])}
    p = np.exp(fresh["z"]) / np.exp(fresh["z"]).sum()
    for step in d.steps:
        if step.kind == "rewriting":
            np.testing.assert_allclose(step.after.evaluate(fresh), -(fresh["y"] * np.log(p)).sum(), rtol=1e-12)
    assert "log(Σ exp(z)) − Σ y ⊙ z" in [str(step.after) for step in d.steps]
    np.testing.assert_allclose(d.gradient.evaluate(fresh), p - fresh["y"], rtol=1e-12)


def test_a_letter_for_a_hidden_layer_is_worked_out_from_what_it_was_computed_from() -> None:
    rng = np.random.default_rng(0)

    def data(n: int) -> tuple[Any, Any, Any]:
        return rng.normal(size=(n, 3)), rng.normal(size=(3, 4)), rng.integers(0, 4, n)

    def loss(X: Any, W: Any, labels: Any) -> tuple[tg.Tensor, tg.Tensor]:
        w = tg.Tensor(W, requires_grad=True, name="W")
        output = tg.tanh(tg.Tensor(X, name="X") @ w)
        return tg.cross_entropy(output, tg.Tensor(labels, name="labels")), w

    d = tg.explain(*loss(*data(5)), way="loss")
    rewriting = [step for step in d.steps if step.kind == "rewriting"]
    assert rewriting
    X, W, labels = data(7)
    there, _ = loss(X, W, labels)
    for step in rewriting:
        for formula in (step.before, step.after):
            value = formula.evaluate({"X": X, "W": W, "labels": labels})
            np.testing.assert_allclose(value, there.item(), rtol=1e-12)
            with pytest.raises(KeyError, match="needs X"):
                formula.evaluate({"W": W, "labels": labels})
    z = np.tanh(X @ W)
    (letter,) = (name for name, formula in d.definitions if str(formula) == "tanh(X W)")
    value = rewriting[0].after.evaluate({letter: z, "labels": labels})
    np.testing.assert_allclose(value, there.item(), rtol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_what_an_operation_computes_has_its_value_on_other_data(way: str) -> None:
    d = flagship(way)
    z, y = np.array([0.3, -1.0, 2.0]), np.array([0.2, 0.5, 0.3])
    e = np.exp(z)
    p = e / e.sum()
    expected = {"e": e, "y′": p, "l": np.log(p), "LSE": np.log(e.sum()), "L": -(y * np.log(p)).sum()}
    found = {step.definition[0]: step.definition[1] for step in d.steps if step.definition is not None}
    assert {"L"} < found.keys() & expected.keys()
    for name in found.keys() & expected.keys():
        np.testing.assert_allclose(found[name].evaluate({"z": z, "y": y}), expected[name], rtol=1e-12, err_msg=name)


def test_where_there_is_nothing_to_rewrite_the_way_is_by_lemmas() -> None:
    z = tg.Tensor([1.0, 2.0], requires_grad=True, name="z")
    d = tg.explain((z * z).sum(), z, way="loss")
    assert d.way == "lemmas"
    assert "would not make its terms simpler" in str(d).replace("\n", " ")
    assert "would not" not in tg.explain((z * z).sum(), z).story


def test_a_rewritten_loss_with_another_slope_at_a_kink_is_not_used() -> None:
    """max(0, max(0, w)) is at a kink where w < 0: a maximum that is recorded anew would pass on half of a gradient."""
    w = tg.Tensor([0.5, -1.0, 2.0], requires_grad=True, name="w")
    d = tg.explain(tg.cross_entropy(w + tg.relu(tg.relu(w)), 1), w, way="loss")
    assert (d.way, d.alarm) == ("lemmas", None)
    assert "another slope at a kink" in d.story


def test_a_target_has_one_letter() -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    assert "y₁" not in str(tg.explain(tg.cross_entropy(z, 1), z, way="loss"))


@pytest.mark.parametrize("row", [row for name, row in ROWS.items() if "soft" in name or "sample" in name])
def test_every_lemma_is_proved(row: Row) -> None:
    d, _ = derived(row, SIZES[0], way="lemmas")
    for lemma in d.lemmas:
        name, formula, _ = lemma.statements[0]
        assert lemma.proof.error < 1e-12
        assert lemma.proof.wrt == name
        np.testing.assert_allclose(lemma.proof.gradient.value, formula.value, rtol=1e-12, atol=1e-15)


def test_the_derivative_of_softmax_is_cited_and_proved() -> None:
    (_, lemma) = flagship("lemmas").lemmas
    assert (lemma.name, str(lemma.statements[0].formula)) == ("softmax", "y′ ⊙ (∂y′ − Σ y′ ⊙ ∂y′)")
    assert str(lemma.proof.gradient) == str(lemma.statements[0].formula)
    assert "∂z = y′ ⊙ (∂y′ − Σ y′ ⊙ ∂y′)" in str(flagship("lemmas"))
    assert lemma.entries is not None
    assert "∂y′ᵢ/∂zⱼ = y′ᵢ (δᵢⱼ − y′ⱼ)" in lemma.entries
    p, passed = np.array([0.2, 0.5, 0.3]), np.array([1.0, -2.0, 0.5])  # what arrives, times that table
    by_entries = passed @ (p[:, None] * (np.eye(3) - p))
    np.testing.assert_allclose(p * (passed - (p * passed).sum()), by_entries, rtol=1e-12)


@pytest.mark.parametrize(("lang", "words"), [("en", "is held fixed"), ("zh", "视为常数")])
def test_a_proof_says_what_it_proves(lang: str, words: str) -> None:
    for lemma in flagship("lemmas", lang=lang).lemmas:
        (said,) = lemma.proof.opening
        assert words in said
        assert f"{lemma.proof.output} = {lemma.proof.loss}" in said


def test_a_composite_that_the_user_wrote_is_a_lemma() -> None:
    @tg.composite
    def cube(x: tg.Tensor) -> tg.Tensor:
        return x * x * x

    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    d = tg.explain(tg.exp(cube(w)).sum(), w, way="lemmas")
    assert [lemma.name for lemma in d.lemmas] == ["cube"]
    assert [step.rule for step in d.steps if step.lemma] == ["cube"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_story_is_told(way: str, lang: str) -> None:
    d = flagship(way, lang=lang)
    told = d.story
    assert all(line[:12] in str(d) for line in told.splitlines())
    expected = {
        "en": ("so the errors sum to 0", "y′ − y is the error"),
        "zh": ("误差之和为 0", "y′ − y 是误差"),
    }
    assert all(part in told for part in expected[lang])


def test_what_cancels_is_read_off_the_structure() -> None:
    """Not off names: the same of a softmax that nobody called so, and of a sigmoid."""
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    e = tg.exp(z)
    d = tg.explain(-tg.log(e / e.sum())[1], z, way="backward")
    assert "has the factor 1 / softmax(x)" in d.story
    y = tg.Tensor([0.0, 1.0, 1.0], name="y")
    s = tg.sigmoid(z)
    binary = -(y * tg.log(s) + (1 - y) * tg.log(1 - s)).sum()
    assert "that of sigmoid has the factor σ(x)" in tg.explain(binary, z, way="lemmas").story
    squared = tg.explain(((s - y) ** 2).sum(), z)
    assert "vanishes at both ends" in squared.story
    assert "is the error" not in squared.story


def _story(loss: tg.Tensor, wrt: tg.Tensor, way: str = "backward") -> str:
    return tg.explain(loss, wrt, way=way).story  # type: ignore[arg-type]


def test_the_error_is_read_with_its_sign_and_weights() -> None:
    """Only of a gradient that is the error times what is positive is it true that descent lowers what is too large."""
    z = tg.Tensor([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]], requires_grad=True, name="z")
    u = tg.Tensor([1.0, -2.0, 0.5], name="u")
    entropy = tg.cross_entropy(z, [2, 0])
    assert "descent lowers z" in _story(entropy, z)
    assert "is the error" not in _story(-entropy, z)
    weighted = _story(tg.cross_entropy(z * u, [2, 0]), z)
    assert "descent lowers" not in weighted
    assert "hands it back to z" in weighted
    assert "errors sum to 0" not in weighted  # what comes back does not
    w = tg.Tensor([0.5, -1.0, 0.25], requires_grad=True, name="w")
    assert "descent lowers w" in _story(((tg.Tensor([1.0, 2.0, 3.0], name="t") - w) ** 2).mean(), w)
    linear = ((z.detach() @ w - tg.Tensor([1.0, -1.0], name="t")) ** 2).sum()
    assert "hands it back to w" in _story(linear, w)  # one weight serves all samples


def test_a_factor_below_the_line_does_not_stall() -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    y = tg.Tensor([0.0, 1.0, 1.0], name="y")
    s = tg.sigmoid(z)
    s.name = "σ"
    assert "Learning stalls" not in _story(-(y * tg.log(s) + (1 - y) * tg.log(1 - s)).sum(), s)
    held = s.detach()
    once = _story((held * (tg.softplus(z) - y * z)).sum(), z)  # σ (σ − y), but no 1 − σ
    assert "vanishes at both ends" not in once


def test_a_logarithm_of_no_exponential_undoes_none() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    product = (tg.exp(w) + 1) * (tg.exp(2 * w) + 2)
    d = tg.explain(tg.log(product).sum(), w, way="loss")
    assert d.way == "loss"
    assert "undoes" not in "".join(d.closing)


def test_a_penalty_on_the_gradient_is_no_hessian_times_a_direction() -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    slope = tg.grad(lambda z: tg.cross_entropy(z, 2))(z)
    v, λ = tg.Tensor([1.0, 0.0, 2.0], name="v"), tg.Tensor(0.5, name="λ")
    assert "v is a direction" in _story((slope * v).sum(), z)
    assert "a direction" not in _story(λ * (slope * slope).sum(), z)
    assert "a direction" not in _story((tg.log(slope * slope) * v).sum(), z)


def test_a_hessian_is_said_to_be_one() -> None:
    case = CLASSIC["hessian_vector"](np.array([1.0, 2.0, 3.0]), 2)
    told = tg.explain(case.loss, case.wrt, names=case.names).story
    assert re.search("derivative of a derivative.*Hessian.*v is a direction", told, flags=re.DOTALL)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_shortest_proof_follows_step_by_step(row: Row) -> None:
    d, _ = derived(row, SIZES[0], way="backward")
    algebra = [step for step in d.steps if step.kind == "algebra" and not step.results]
    for step, following in itertools.pairwise(algebra):
        assert step.after.expression is following.before.expression


def test_an_axis_has_one_letter_before_and_after_the_loss_is_rewritten() -> None:
    """The samples are N in the loss and K nowhere: logistic regression has no classes."""
    X = tg.Tensor(np.arange(8.0).reshape(4, 2) / 8, name="X")
    w = tg.Tensor([0.5, -1.0], requires_grad=True, name="w")
    t = tg.Tensor([0.0, 1.0, 1.0, 0.0], name="t")
    s = tg.sigmoid(X @ w)
    loss = -(t * tg.log(s) + (1 - t) * tg.log(1 - s)).mean()
    by_loss, by_lemmas = (tg.explain(loss, w, names={"σ": s}, way=way) for way in ("loss", "lemmas"))  # type: ignore[arg-type]
    assert by_loss.way == "loss"
    assert str(by_loss.gradient) == str(by_lemmas.gradient) == "Xᵀ (σ − t) / N"
    assert [(axis.letter, axis.length) for axis in by_loss.axes if f"/ {axis.letter.upper()}" in str(by_loss.loss)] == [
        ("n", 4)
    ]
    assert "/ K" not in str(by_loss)


def test_a_rewritten_loss_with_a_longer_end_is_not_used() -> None:
    z = tg.Tensor(np.sin(np.arange(12.0)).reshape(4, 3), requires_grad=True, name="z")
    d = tg.explain(tg.cross_entropy(z, [0, 2, 1, 2], label_smoothing=0.1), z, way="loss")
    assert str(d.gradient) == "(softmax(z) − y) / N"


@pytest.mark.parametrize("way", WAYS)
def test_entropy_beside_a_loss_ends(way: str) -> None:
    """Looking for a shorter proof, a rule that leads back to where it started was used for ever."""
    z, A = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z"), tg.Tensor(1.5, name="A")
    p = tg.softmax(z)
    loss = -A * tg.log(p[1]) + 0.01 * (p * tg.log(p)).sum()
    d = tg.explain(loss, z, names={"p": p}, way=way)  # type: ignore[arg-type]
    assert str(d.gradient) == "p ⊙ (0.01 log(p) + A − 0.01 Σ p ⊙ log(p)) − A one_hot(1)"


def test_every_step_of_algebra_changes_what_is_written() -> None:
    """Jensen and Shannon's divergence; m = (p + q) / 2 is recognised where p + q stands, without a step."""
    z = tg.Tensor([1.0, 2.0, 0.5], requires_grad=True, name="z")
    p, q = tg.softmax(z), tg.Tensor([0.2, 0.3, 0.5], name="q")
    m = (p + q) / 2
    loss = ((p * tg.log(p / m)).sum() + (q * tg.log(q / m)).sum()) / 2
    d = tg.explain(loss, z, names={"p": p, "m": m})
    assert str(d.gradient) == "p ⊙ (log(p / m) − Σ p ⊙ log(p / m)) / 2"
    assert all(str(step.before) != str(step.after) for step in d.steps if step.kind == "algebra")
    assert "<svg" in d._repr_html_()


def test_a_name_that_the_result_is_solved_for_is_drawn() -> None:
    """Though what it was computed from stands nowhere else in the result."""
    x = tg.Tensor([1.0, 2.0, 4.0], requires_grad=True, name="x")
    t, u = tg.Tensor([0.3, -0.2, 1.0], name="t"), tg.Tensor([0.1, 0.2, 0.3], name="u")
    d = tg.explain((x**2 * tg.exp(u - t)).sum(), x, names={"h": tg.exp(u - t) / 2})
    assert str(d.gradient) == "4 x ⊙ h"
    assert "<svg" in d._repr_html_()


@pytest.mark.parametrize("way", WAYS)
def test_labels_that_count_are_picked_by_one_hot_rows(way: str) -> None:
    """The labels 0, 1, 2 equal the class numbers, as in InfoNCE, and are something else."""
    z = tg.Tensor(np.sin(np.arange(9.0)).reshape(3, 3), requires_grad=True, name="z")
    d = tg.explain(tg.cross_entropy(z, np.arange(3)), z, way=way)  # type: ignore[arg-type]
    assert (str(d.loss), str(d.gradient)) == ("−Σ y ⊙ log(softmax(z)) / N", "(softmax(z) − y) / N")


def test_softmax_of_columns_is_written_otherwise_than_that_of_rows() -> None:
    s = tg.Tensor(np.sin(np.arange(9.0)).reshape(3, 3), requires_grad=True, name="s")
    v = tg.Tensor([[1.0, -1.0, 2.0]], name="v")
    d = tg.explain((v * (tg.log_softmax(s, axis=1) + tg.log_softmax(s, axis=0))).sum(), s)
    assert "softmax(s)" in str(d.loss)
    (rows,) = (axis.letter for axis in d.axes if (axis.tensor, axis.position) == ("s", 0))
    assert rf"softmax}}_{{{rows}}}" in d.loss.latex


def test_the_pushes_sum_to_0_only_where_they_do() -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    b, a = tg.Tensor([2.0, -1.0, 0.5], name="b"), tg.Tensor(0.5, requires_grad=True, name="a")
    for loss, wrt in (
        (tg.cross_entropy(z, 1), z),
        (tg.cross_entropy(b * z, 1), z),
        (tg.cross_entropy(a * z, 1), z),
        (tg.cross_entropy(a * z, 1), a),
        (tg.cross_entropy(b + z, 1), z),
    ):
        d = tg.explain(loss, wrt)
        assert "is the error" in d.story
        assert ("errors sum to 0" in d.story) == (abs(d.gradient.value.sum()) < 1e-12)


def test_what_jumps_is_no_output_that_a_step_lowers() -> None:
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    assert "is the error" not in tg.explain(tg.max(z) - z[0], z).story


@pytest.mark.parametrize("way", WAYS)
def test_what_the_way_assumed_is_checked_on_other_data(way: str) -> None:
    """By the loss it is assumed while that is rewritten, and the gradient must know."""
    z = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="z")
    X = tg.Tensor([[1.0, 0.5], [0.2, -1.0]], name="X")
    W = tg.Tensor(np.ones((2, 3)) / 3, requires_grad=True, name="W")
    for loss, wrt, y in (
        (lambda y: -(y * tg.log(tg.softmax(z))).sum(), z, np.array([0.2, 0.3, 0.5])),
        (lambda y: -(y * tg.log(tg.softmax(X @ W))).sum(), W, np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])),
    ):
        d = tg.explain(loss(tg.Tensor(y, name="y")), wrt, way=way)  # type: ignore[arg-type]
        assert d.assumptions == ("Σ y = 1",)
        assert d.way == way or wrt is W
        given = {"z": z} if wrt is z else {"X": X, "W": W}
        assert d.gradient.evaluate({**given, "y": y[..., ::-1]}).shape == wrt.shape
        with pytest.raises(ValueError, match="assumed that Σ y = 1, which does not hold"):
            d.gradient.evaluate({**given, "y": 2 * y})


def test_what_a_hidden_layer_receives() -> None:
    """δ is read aloud; where it says that hardly anything comes through, the gradient of a layer that is shut is 0."""
    rng = np.random.default_rng(0)
    X, W, b, V = (rng.normal(size=shape) for shape in ((5, 4), (4, 3), (3,), (3, 2)))
    X, V = tg.Tensor(X, name="X"), tg.Tensor(V, name="V")
    W, b = (tg.Tensor(x, requires_grad=True, name=name) for x, name in ((W, "W"), (b, "b")))

    def derivation(b: tg.Tensor, layer: Any) -> Any:
        return tg.explain(tg.cross_entropy(layer(X @ W + b) @ V, [0, 1, 0, 1, 1]), W)

    d = derivation(b, tg.relu)
    assert re.search(r"δ is what the layer receives of the error softmax\(.+\) − y, which", d.story)
    assert "Where [X W + b > 0] is near 0, hardly anything comes through." in d.story
    with tg.no_grad():
        b -= 100.0
    assert not derivation(b, tg.relu).gradient.value.any()
    assert "hardly" not in derivation(b, lambda a: a).story  # without a slope nothing is shut


@pytest.mark.parametrize("power", [1, 2, 3])
def test_what_weighs_the_error(power: int) -> None:
    """Focal loss is the error times one weight, which is near 0 where the class is sure."""
    y = tg.one_hot(2, 3)
    for logits, weighs in (([1.0, 2.0, 3.0], True), ([1.0, 2.0, 30.0], False)):
        z = tg.Tensor(logits, requires_grad=True, name="z")
        p = tg.softmax(z)
        d = tg.explain(-(y * (1 - p) ** power * tg.log(p)).sum(), z, names={"y": y, "y′": p})
        weight = np.asarray(d.gradient.value) / (p.detach() - y).numpy()
        np.testing.assert_allclose(weight, weight[0], rtol=1e-6)
        assert "y′ − y is the error" in d.story
        assert "weighs it" in d.story
        assert bool(abs(weight[0]) > 0.01) is weighs
