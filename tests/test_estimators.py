"""The estimators: scikit-learn's own checks, its tools around them, and what its checks do not ask."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_cls as tg

pytest.importorskip("sklearn")
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from tinygrad_cls import training

IRIS = tg.data.load_iris()
BOTH = pytest.mark.parametrize("kind", [tg.SoftmaxClassifier, tg.MLPClassifier], ids=lambda kind: kind.__name__)

CHECKS = """
import sys
import tinygrad_cls as tg
from sklearn.utils.estimator_checks import check_estimator
results = check_estimator(getattr(tg, sys.argv[1])(), on_skip=None)  # raises at the first failure
assert len(results) > 50
print([result["check_name"] for result in results if result["status"] != "passed"])
"""


@pytest.mark.slow
@BOTH
def test_scikit_learn_s_own_checks_pass_whole(kind):
    # In a process of its own: without SCIPY_ARRAY_API, which SciPy reads when it is imported, one check skips itself.
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHECKS, kind.__name__], capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@BOTH
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_good_accuracy_by_default(kind, loss):
    wine = tg.data.load_wine()  # features from 0.1 to 1,680, as they are
    assert cross_val_score(kind(loss=loss, random_state=0), wine.inputs, wine.labels, cv=3).mean() > 0.95


@BOTH
def test_a_random_state_repeats_to_the_bit(kind):
    def probabilities(seed):
        return kind(random_state=seed, max_iter=5).fit(IRIS.inputs, IRIS.labels).predict_proba(IRIS.inputs)

    assert probabilities(3).tobytes() == probabilities(3).tobytes()
    assert probabilities(3).tobytes() != probabilities(4).tobytes()


@BOTH
def test_pipeline_and_grid_search(kind):
    search = GridSearchCV(
        make_pipeline(MinMaxScaler(), kind(max_iter=20, random_state=0)),
        {f"{kind.__name__.lower()}__learning_rate": [1e-6, 0.05]},
        cv=2,
    ).fit(IRIS.inputs, IRIS.labels)
    assert search.best_params_ == {f"{kind.__name__.lower()}__learning_rate": 0.05}


@BOTH
def test_what_it_gives_fits_together(kind):
    names = np.array(IRIS.class_names)[IRIS.labels]
    classifier = kind(max_iter=10, random_state=0).fit(IRIS.inputs, names)
    p = classifier.predict_proba(IRIS.inputs)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.log(p), classifier.predict_log_proba(IRIS.inputs), atol=1e-4)
    assert (classifier.classes_[p.argmax(axis=1)] == classifier.predict(IRIS.inputs)).all()
    assert classifier.decision_function(IRIS.inputs).shape == (150, 3)
    assert p.dtype == np.float32
    p[:] = 0  # the caller's own
    two = kind(max_iter=10, random_state=0).fit(IRIS.inputs[:100], names[:100])
    difference = two.decision_function(IRIS.inputs)
    assert difference.shape == (150,)
    np.testing.assert_allclose(1 / (1 + np.exp(-difference)), two.predict_proba(IRIS.inputs)[:, 1], atol=1e-6)


@BOTH
def test_class_weights(kind):
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.normal(0, 1, (300, 2)), generator.normal(1, 1, (15, 2))])
    y = np.repeat(["common", "rare"], [300, 15])

    def recall(weight, **options):
        classifier = kind(class_weight=weight, random_state=0, max_iter=60, **options).fit(x, y)
        return (classifier.predict(x[300:]) == "rare").mean()

    assert recall(None) < recall("balanced")
    assert recall({"rare": 1e4}) == 1
    assert recall({"rare": 0.0}) == 0
    assert recall("balanced", loss="mse") > 0.5
    for wrong in ({"rare": -1.0}, {"rare": 0, "common": 0}, {"rare": np.nan}):
        with pytest.raises(ValueError, match="class weights must be 0 or more"):
            kind(class_weight=wrong).fit(x, y)


@BOTH
def test_a_weight_counts_like_repetition(kind):
    """With all samples in one batch, a class weight of 3 is the class given three times."""
    x, y = IRIS.inputs.astype(np.float64), IRIS.labels
    repeated = np.concatenate([np.arange(150), np.repeat(np.flatnonzero(y == 2), 2)])
    options = {"batch_size": 1000, "max_iter": 30, "random_state": 0, "standardize": False}
    one = kind(class_weight={2: 3.0}, **options).fit(x, y)
    other = kind(**options).fit(x[repeated], y[repeated])
    np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(x), rtol=1e-6)


@BOTH
def test_warm_start_goes_on(kind):
    warm = kind(max_iter=3, warm_start=True, random_state=0)
    first = warm.fit(IRIS.inputs, IRIS.labels).history_["loss"]
    second = warm.fit(IRIS.inputs, IRIS.labels).history_["loss"]
    assert second[0] < first[-1]
    with pytest.raises(ValueError, match="same classes as before"):
        warm.fit(IRIS.inputs[:100], IRIS.labels[:100])
    cold = kind(max_iter=3, random_state=0)
    assert cold.fit(IRIS.inputs, IRIS.labels).history_["loss"] == cold.fit(IRIS.inputs, IRIS.labels).history_["loss"]


@BOTH
def test_partial_fit_learns_by_pieces(kind):
    classifier = kind(random_state=0, learning_rate=0.02)
    order = np.random.default_rng(0).permutation(150)
    for _ in range(10):
        for piece in np.array_split(order, 3):
            classifier.partial_fit(IRIS.inputs[piece], IRIS.labels[piece], classes=[0, 1, 2])
    assert classifier.score(IRIS.inputs, IRIS.labels) > 0.9
    with pytest.raises(ValueError, match="is not the same as in the first call"):
        classifier.partial_fit(IRIS.inputs, IRIS.labels, classes=[0, 1])
    with pytest.raises(ValueError, match="needs classes="):
        kind().partial_fit(IRIS.inputs, IRIS.labels)
    with pytest.raises(ValueError, match="is none of"):
        kind().partial_fit(IRIS.inputs, IRIS.labels, classes=[0, 1])
    with pytest.raises(ValueError, match="needs all samples at once"):
        kind(class_weight="balanced").partial_fit(IRIS.inputs, IRIS.labels, classes=[0, 1, 2])


@BOTH
def test_a_pickled_classifier_goes_on_in_the_same_bits(kind):
    classifier = kind(max_iter=2, warm_start=True, random_state=0).fit(IRIS.inputs, IRIS.labels)
    twin = pickle.loads(pickle.dumps(classifier))
    for each in (classifier, twin):
        each.fit(IRIS.inputs, IRIS.labels)
    assert classifier.predict_proba(IRIS.inputs).tobytes() == twin.predict_proba(IRIS.inputs).tobytes()


@BOTH
def test_bad_parameters_are_named(kind):
    for options, message in [
        ({"loss": "hinge"}, "loss must be one of cross_entropy, mse, not 'hinge'"),
        ({"max_iter": 0}, "max_iter must be 1 or more"),
        ({"learning_rate": -1.0}, "learning rate of 0 or more"),
        ({"batch_size": 0}, "batch_size"),
    ]:
        with pytest.raises(ValueError, match=message):
            kind(**options).fit(IRIS.inputs, IRIS.labels)
    with pytest.raises(ValueError, match="activation must be one of relu, tanh, sigmoid"):
        tg.MLPClassifier(activation="step").fit(IRIS.inputs, IRIS.labels)


@BOTH
def test_parameters_that_changed_act_on_a_warm_fit(kind):
    def warm(**changes):
        classifier = kind(max_iter=4, warm_start=True, random_state=0).fit(IRIS.inputs, IRIS.labels)
        before = classifier.predict_proba(IRIS.inputs)
        classifier.set_params(**changes).fit(IRIS.inputs, IRIS.labels)
        return np.abs(classifier.predict_proba(IRIS.inputs) - before).max(), classifier

    plain, _ = warm()
    assert plain > 1e-3
    assert warm(learning_rate=1e-15)[0] < 1e-9
    changes = [{"weight_decay": 10.0}, {"batch_size": 5}, {"loss": "mse"}, {"class_weight": {2: 50.0}}, {"max_iter": 1}]
    assert len({plain, *(warm(**change)[0] for change in changes)}) == 6
    for wrong in ({"learning_rate": -1.0}, {"weight_decay": np.nan}):
        with pytest.raises(ValueError, match="of 0 or more"):
            warm(**wrong)
    with pytest.raises(ValueError, match=r"standardize=False cannot go on .* built with standardize=True: set it back"):
        warm(standardize=False)
    online = kind(random_state=0).partial_fit(IRIS.inputs, IRIS.labels, classes=[0, 1, 2])
    before = online.predict_proba(IRIS.inputs)
    online.set_params(learning_rate=1e-15, weight_decay=0.0).partial_fit(IRIS.inputs, IRIS.labels)
    assert np.abs(online.predict_proba(IRIS.inputs) - before).max() < 1e-9


def test_another_network_is_refused_by_a_warm_fit():
    network = tg.MLPClassifier([6], warm_start=True, max_iter=2, random_state=0).fit(IRIS.inputs, IRIS.labels)
    network.set_params(hidden_layer_sizes=(6,)).fit(IRIS.inputs, IRIS.labels)  # the same, written otherwise
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(6, 4\) cannot go on .* hidden_layer_sizes=\(6,\)"):
        network.set_params(hidden_layer_sizes=(6, 4)).fit(IRIS.inputs, IRIS.labels)
    with pytest.raises(ValueError, match="activation=tanh cannot go on"):
        network.set_params(hidden_layer_sizes=(6,), activation="tanh").fit(IRIS.inputs, IRIS.labels)
    assert network.set_params(warm_start=False).fit(IRIS.inputs, IRIS.labels).activation == "tanh"


@BOTH
@pytest.mark.parametrize("piecewise", [False, True])
def test_a_weight_for_no_class_is_an_error(kind, piecewise):
    names = np.array(IRIS.class_names)[IRIS.labels]
    for key, y in (("virginca", names), (3, IRIS.labels), ("1", IRIS.labels), (1, names)):
        one = kind(class_weight={key: 2.0}, max_iter=1)
        with pytest.raises(ValueError, match=f"class_weight names {key!r}, which is none of the classes"):
            one.partial_fit(IRIS.inputs, y, classes=np.unique(y)) if piecewise else one.fit(IRIS.inputs, y)
    with pytest.raises(ValueError, match="class_weight must be a dict"):
        kind(class_weight="balance").fit(IRIS.inputs, names)
    kind(class_weight={np.int64(1): 2.0}, max_iter=1).fit(IRIS.inputs, IRIS.labels)


@BOTH
def test_weights_act_on_chunks_of_one_class(kind):
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.normal(0, 1, (190, 2)), generator.normal(1, 1, (10, 2))])
    y = np.repeat([0, 1], [190, 10])
    order = generator.permutation(200)

    def recall(weight, samples):
        classifier = kind(class_weight=weight, random_state=0, standardize=False)
        for _ in range(2):
            for i in range(0, 200, samples):
                classifier.partial_fit(x[order[i : i + samples]], y[order[i : i + samples]], classes=[0, 1])
        return (classifier.predict(x[190:]) == 1).mean()

    for samples in (1, 20):
        assert recall(None, samples) < 0.5 < recall({1: 50.0}, samples)


@BOTH
def test_a_chunk_of_weight_0_teaches_nothing(kind):
    classifier = kind(class_weight={0: 0.0}, weight_decay=0.0, random_state=0)
    classifier.partial_fit(IRIS.inputs[:50], IRIS.labels[:50], classes=[0, 1, 2])
    first = classifier.predict_proba(IRIS.inputs)
    classifier.partial_fit(IRIS.inputs[:50], IRIS.labels[:50])
    assert (classifier.predict_proba(IRIS.inputs) == first).all()
    assert classifier.partial_fit(IRIS.inputs, IRIS.labels).score(IRIS.inputs, IRIS.labels) > 0


@BOTH
@pytest.mark.parametrize("warm", [False, True])
def test_an_error_leaves_the_classifier_as_it_was(kind, warm, monkeypatch):
    classifier = kind(max_iter=3, warm_start=warm, random_state=0).fit(IRIS.inputs, IRIS.labels)
    twin = pickle.loads(pickle.dumps(classifier))
    calls = 0

    def diverging(*args, **kwargs):
        nonlocal calls
        calls += 1
        return tg.cross_entropy(*args, **kwargs) * (np.inf if calls > 2 else 1.0)

    with monkeypatch.context() as patch:
        patch.setitem(training.LOSSES, "cross_entropy", diverging)
        with pytest.raises(FloatingPointError):
            classifier.fit(IRIS.inputs[:, :2] if not warm else IRIS.inputs, IRIS.labels)
        calls = 0
        with pytest.raises(FloatingPointError):
            classifier.partial_fit(np.tile(IRIS.inputs, (9, 1)), np.tile(IRIS.labels, 9))
        fresh = kind()
        with pytest.raises(FloatingPointError):
            fresh.fit(IRIS.inputs, IRIS.labels)
        assert not hasattr(fresh, "model_")
    assert vars(classifier).keys() == vars(twin).keys()
    for each in (classifier, twin):
        each.partial_fit(IRIS.inputs, IRIS.labels)
    assert classifier.predict_proba(IRIS.inputs).tobytes() == twin.predict_proba(IRIS.inputs).tobytes()


@BOTH
def test_a_single_class_is_an_error(kind):
    with pytest.raises(ValueError, match="needs two classes or more, and there is only one class, 'a'"):
        kind().fit(IRIS.inputs, np.full(150, "a"))
    with pytest.raises(ValueError, match="only one class"):
        kind().partial_fit(IRIS.inputs, np.zeros(150, int), classes=[0])


def test_hidden_layers():
    classifier = tg.MLPClassifier((7, 5), "tanh", max_iter=1).fit(IRIS.inputs, IRIS.labels)
    assert [type(layer).__name__ for layer in classifier.model_] == [
        *("Standardize", "Linear", "Tanh", "Linear", "Tanh", "Linear")
    ]
    assert "(layers.3): Linear(7, 5)" in repr(classifier.model_)


def test_importing_the_package_imports_nothing_heavy():
    heavy = ["sklearn", "scipy", "matplotlib", "safetensors", "tqdm", "mlxtend", "pandas"]
    used = "tg.nn, tg.optim, tg.data, tg.fit, tg.save"
    code = f"import sys, tinygrad_cls as tg; {used}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
