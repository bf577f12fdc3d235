"""The scripts of the course: each runs, and what it found is checked against something independent of this package."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

plt = pytest.importorskip("matplotlib.pyplot")
pytest.importorskip("sklearn")
pytest.importorskip("mlxtend")

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
COURSE = sorted(EXAMPLES.glob("[0-9]_*.py"))


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs a script by number, looks at its figures, and gives its variables and what it printed."""

    def run(number, *options):
        (script,) = EXAMPLES.glob(f"{number}_*.py")
        monkeypatch.setenv("MPLBACKEND", "Agg")
        monkeypatch.syspath_prepend(str(EXAMPLES))
        monkeypatch.setattr(sys, "argv", [script.name, "--output", str(tmp_path), *options])
        with plt.rc_context():
            variables = runpy.run_path(str(script), run_name="__main__")
        assert not plt.get_fignums()
        printed = capsys.readouterr().out
        figures = re.findall(r"Figure: (.*)", printed)
        assert figures
        assert sorted(figures) == sorted(map(str, (tmp_path / str(number)).iterdir()))
        for figure in figures:
            look_at(figure)
        return variables, printed

    yield run
    sys.modules.pop("course_style", None)


def look_at(path):
    """Not blank: an image has paper and ink in several shades, a drawing has boxes and text."""
    if path.endswith(".svg"):
        text = Path(path).read_text(encoding="utf-8")
        assert text.count("<text") > 3
        assert text.count("<path") + text.count("<polygon") > 3
        return
    shades = plt.imread(path)[..., :3].mean(axis=-1)
    assert 0.02 < (shades < 0.98).mean() < 0.98
    assert len(np.unique(shades.round(2))) > 20


def test_there_are_seven_and_they_use_only_what_is_public():
    assert [script.stem[0] for script in COURSE] == list("1234567")
    for script in COURSE:
        assert not re.search(r"tinygrad_cls\.(\w+\.)*_|\btg\.(\w+\.)*_", script.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_regression_and_classification(run):
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.preprocessing import StandardScaler

    import tinygrad_cls as tg

    found, _ = run(1, "--seeds", "2")
    iris, digits = found["iris_accuracy"], found["digit_accuracy"]
    assert iris.shape == (2, 6, 3)
    assert digits.shape == (24, 3)
    assert np.ptp(iris[:, :, 1:], axis=1).max() == 0
    assert np.ptp(digits[:, 1:], axis=0).max() == 0
    assert np.ptp(iris[:, :, 0].mean(axis=0)) > 0.3
    assert np.ptp(digits[:, 0]) > 0.1
    np.testing.assert_array_equal(digits[:, 0], digits[::-1, 0])  # a numbering and its mirror image are alike

    data = tg.data.load_iris()
    (x, c), (test_x, test_c) = tg.data.split(
        data.inputs, data.labels, fractions=(0.6, 0.4), generator=1, stratify=data.labels
    )
    scaler = StandardScaler().fit(x)
    for row, order in zip(iris[1], found["permutations"](range(3))):
        order = np.array(order)
        exact = LinearRegression().fit(scaler.transform(x), order[c]).predict(scaler.transform(test_x))
        assert row[0] == pytest.approx((exact.round().clip(0, 2) == order[test_c]).mean(), abs=0.04)
    logistic = LogisticRegression(C=100).fit(scaler.transform(x), c).score(scaler.transform(test_x), test_c)
    assert iris[1, 0, 2] == pytest.approx(logistic, abs=0.04)


def test_softmax(run):
    from scipy.special import expit, softmax

    found, printed = run(2)
    expected = softmax(found["z"] / found["temperatures"][:, None], axis=-1)
    np.testing.assert_allclose(found["by_temperature"], expected, rtol=1e-13)
    assert max(found["shifts"][c] for c in (-1.0, 1e2)) < 1e-14
    assert found["broken"].min() == 710  # the largest double is exp(709.78…)
    np.testing.assert_allclose(found["shifted"], expit(1.0), rtol=1e-15)
    np.testing.assert_allclose(found["by_softmax"], expit(found["pairs"] @ [1, -1]), rtol=1e-12)
    assert str(found["first"].gradient) == "σ(d) − y[0]"
    assert str(found["second"].gradient) == "σ(d) − y"
    for d in (-30.0, 0.2, 5.0):
        assert found["first"].gradient.evaluate({"d": d, "y": [1.0, 0.0]}) == pytest.approx(expit(d) - 1, abs=1e-15)
    assert found["rule"] is not None
    assert "agree" in printed


def test_squared_error_and_cross_entropy(run):
    found, _ = run(3, "--steps", "60")
    y = {"cross-entropy": np.array([-10.0, 10.0]), "squared error": np.array([-10.0, 10.0])}
    for step in range(61):
        for name, at in y.items():
            np.testing.assert_allclose(found["paths"][name][step], at, rtol=1e-9)
            p = 1 / (1 + np.exp(at[1] - at[0]))
            pull = 1 - p if name == "cross-entropy" else 4 * p * (1 - p) ** 2
            at += 0.5 * pull * np.array([1, -1])
    assert np.linalg.norm(found["paths"]["squared error"][-1] - found["CORNER"]) < 1e-5
    assert np.linalg.norm(found["paths"]["cross-entropy"][-1] - found["CORNER"]) > 10
    d, far = found["distances"], found["distances"] > 10
    np.testing.assert_allclose(found["measured"]["cross-entropy"][far], np.sqrt(2), rtol=1e-4)
    np.testing.assert_allclose(found["measured"]["squared error"][far], 4 * np.sqrt(2) * np.exp(-d[far]), rtol=2e-4)
    assert all(error.max() < 1e-6 for error in found["worst"].values())


@pytest.mark.slow
def test_real_data(run):
    from sklearn.linear_model import LogisticRegression

    import tinygrad_cls as tg

    found, _ = run(4, "--seeds", "2", "--epochs", "15")
    test = {setup: result["test"].mean() for setup, result in found["results"].items()}
    assert test["unlucky", "SGD", "mse"] < test["unlucky", "SGD", "cross_entropy"] - 0.1
    assert abs(test["ordinary", "SGD", "mse"] - test["ordinary", "SGD", "cross_entropy"]) < 0.03
    scores = []
    for seed in (0, 1):
        data = tg.data.load_digits()
        train, _, held_out = tg.data.split(
            data.inputs, data.labels, fractions=(0.6, 0.2, 0.2), generator=seed, stratify=data.labels
        )
        scores.append(LogisticRegression(C=10, max_iter=2000).fit(*train).score(*held_out))
    assert test["ordinary", "SGD", "cross_entropy"] == pytest.approx(np.mean(scores), abs=0.03)


@pytest.mark.slow
def test_unbalanced_classes(run):
    from sklearn.metrics import balanced_accuracy_score, recall_score

    found, _ = run(5, "--steps", "30")
    for key, runs in found["results"].items():
        measures = found["table"][key]
        for i, (p, y) in enumerate(runs):
            assert measures["recall"][i] == pytest.approx(recall_score(y, p >= 0.5))
            assert measures["balanced"][i] == pytest.approx(balanced_accuracy_score(y, p >= 0.5))
            rare = np.where(y == 1, np.count_nonzero(y == 0) / (key[1] * np.count_nonzero(y == 1)), 1.0)
            true_rate = np.average(y, weights=rare)
            assert true_rate == pytest.approx(1 / (1 + key[1]))
            assert measures["predicted"][i] == pytest.approx(np.average(p, weights=rare) / true_rate)
    for rare, ratio in ((3, 10), (8, 100)):
        (_, y), *_ = found["thinned"](rare, ratio, 0)
        assert np.count_nonzero(y == 0) / np.count_nonzero(y) == pytest.approx(ratio, rel=0.05)
    assert found["table"]["pixels 0 to 1", 100, "squared error"]["recall"].max() == 0


def test_curvature(run):
    from scipy.special import softmax

    found, _ = run(6)
    for name, i in found["EXAMPLES"].items():
        z = found["all_logits"][i]
        numerical = [(softmax(z + e) - softmax(z - e)) / 2e-5 for e in 1e-5 * np.eye(10)]
        np.testing.assert_allclose(found["measured"][name], numerical, atol=1e-9)
    assert found["by_derivation"] < 1e-15
    assert str(found["derivation"].gradient) == "y′ ⊙ (v − Σ y′ ⊙ v)"
    assert found["smallest"]["cross-entropy"].min() > -1e-12
    assert found["smallest"]["squared error"].min() < -0.01


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own
def test_full_run(run):
    found, _ = run(7, "--seeds", "2", "--epochs", "6")
    assert found["same"] is True
    assert min(found["accuracy"]["digits", "tinygrad_cls"]) > 0.9
    assert min(found["accuracy"]["MNIST-5k", "tinygrad_cls"]) > 0.85
    if found["torch"] is not None:
        for name in ("digits", "MNIST-5k"):
            ours, theirs = (np.array(found["accuracy"][name, who]) for who in ("tinygrad_cls", "PyTorch"))
            assert np.abs(ours - theirs).max() <= 0.005
            for seed in (0, 1):
                ours, theirs = (found["losses"][name, who, seed] for who in ("tinygrad_cls", "PyTorch"))
                np.testing.assert_allclose(ours, theirs, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("script", COURSE, ids=lambda script: script.stem)
def test_notebooks(script, tmp_path):
    """Each script also runs as a notebook, with its figures inside."""
    pytest.importorskip("jupytext")
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")

    command = [sys.executable, str(EXAMPLES / "notebooks.py"), script.stem[0], "--output", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)

    notebook = json.loads((tmp_path / f"{script.stem}.ipynb").read_text(encoding="utf-8"))
    assert notebook["cells"][0]["cell_type"] == "markdown"
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if output["output_type"] == "display_data"]
    saved = list((tmp_path / "course" / script.stem[0]).iterdir())
    assert len(pictures) == len(saved) > 0
    assert all({"image/png", "image/svg+xml"} & set(picture["data"]) for picture in pictures)
