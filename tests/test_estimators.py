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


# --- weights of samples, sparse samples, early stopping ---------------------------------------------------------


def exact(kind, **options):
    """A classifier whose result depends on the samples alone: the optimum, or all of them in one batch."""
    if kind is tg.SoftmaxClassifier:
        return kind(tol=1e-9, max_iter=2000, **{"random_state": 0, **options})
    return kind(batch_size=10_000, max_iter=30, random_state=0, **options)


@BOTH
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("classes", [None, {1: 2.5}, "balanced"])
def test_a_sample_s_weight_counts_like_repetition(kind, loss, classes):
    x, y = IRIS.inputs.astype(np.float64), IRIS.labels
    times = np.random.default_rng(0).integers(0, 4, 150)  # 0: as if it were not there
    repeated = np.repeat(np.arange(150), times)
    options = {"loss": loss, "class_weight": None if classes == "balanced" else classes}
    one = exact(kind, **options).fit(x, y, sample_weight=times * 0.3)
    other = exact(kind, **options).fit(x[repeated], y[repeated])
    np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(x), rtol=1e-5, atol=1e-9)
    plain = exact(kind, **options).fit(x, y)
    assert np.abs(plain.predict_proba(x) - one.predict_proba(x)).max() > 1e-3
    if classes == "balanced":  # by how often the classes come, as scikit-learn's
        weights = 1 / np.bincount(y[:120])[y[:120]]
        one = exact(kind, class_weight="balanced").fit(x[:120], y[:120])
        other = exact(kind).fit(x[:120], y[:120], sample_weight=weights)
        assert one.score(x, y) == pytest.approx(other.score(x, y), abs=0.02)


@BOTH
def test_weights_of_samples_go_into_a_chunk(kind):
    def learnt(*weights):
        classifier = kind(batch_size=1000, random_state=0, weight_decay=0.0)
        classifier.partial_fit(IRIS.inputs, IRIS.labels, classes=[0, 1, 2])
        for weight in weights:
            classifier.partial_fit(IRIS.inputs, IRIS.labels, sample_weight=weight)
        return classifier.predict_proba(IRIS.inputs)

    assert (learnt(np.ones(150)) == learnt(None)).all()
    late = np.where(IRIS.labels == 2, 1.0, 0.0)
    assert learnt(*[late] * 40)[:, 2].mean() > learnt(*[None] * 40)[:, 2].mean() + 0.1


@BOTH
def test_wrong_weights_of_samples_are_named(kind):
    for weights, message in [
        (np.ones(149), r"one number for each of 150 samples, got shape \(149,\)"),
        (np.full(150, -1.0), "0 or more"),
        (np.full(150, np.nan), "finite"),
        (np.zeros(150), "all sample weights are zero"),
    ]:
        with pytest.raises(ValueError, match=message):
            kind().fit(IRIS.inputs, IRIS.labels, sample_weight=weights)


@BOTH
def test_boosting_weighs_samples(kind):
    from sklearn.ensemble import AdaBoostClassifier

    x, y = IRIS.inputs[:, :2], IRIS.labels  # lengths and widths of sepals alone, by which two kinds overlap
    boosted = AdaBoostClassifier(kind(max_iter=3, random_state=0), n_estimators=4, random_state=0).fit(x, y)
    assert len(boosted.estimators_) > 1
    assert boosted.score(x, y) > 0.7


@BOTH
@pytest.mark.parametrize("form", ["csr_matrix", "csc_array", "coo_array"])
@pytest.mark.parametrize("standardize", [True, False])
def test_sparse_samples_give_what_dense_ones_do(kind, form, standardize):
    import scipy.sparse

    x = np.where(np.random.default_rng(0).random((150, 4)) < 0.4, IRIS.inputs.astype(np.float64), 0.0)
    x[:, 2] = 0  # a feature that nothing has
    sparse = getattr(scipy.sparse, form)(x)
    weights = np.random.default_rng(1).random(150)
    for options in ({}, {"sample_weight": weights}):
        one = exact(kind, standardize=standardize).fit(x, IRIS.labels, **options)
        other = exact(kind, standardize=standardize).fit(sparse, IRIS.labels, **options)
        np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(sparse), rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(one.predict_proba(sparse), one.predict_proba(x), rtol=1e-10)
    one, other = (kind(random_state=0).partial_fit(x, IRIS.labels, classes=[0, 1, 2]) for x in (x, sparse))
    np.testing.assert_allclose(one.decision_function(x), other.decision_function(sparse), rtol=1e-6, atol=1e-9)


@BOTH
def test_several_classes_for_a_sample_are_refused(kind):
    for y in (np.eye(3, dtype=int)[IRIS.labels], np.eye(3, dtype=int)[IRIS.labels].tolist()):
        with pytest.raises(ValueError, match=r"one class for each sample, and y has 3 columns .*Multi"):
            kind().fit(IRIS.inputs, y)


@BOTH
def test_early_stopping_keeps_what_is_best_on_the_part_set_aside(kind):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 20)), rng.integers(0, 3, 300)  # nothing to learn but the noise
    options = {"learning_rate": 0.02, "weight_decay": 0.0, "random_state": 0, "max_iter": 100, "n_iter_no_change": 4}
    stopped = kind(early_stopping=True, validation_fraction=0.3, **options).fit(x, y)
    losses = stopped.history_["validation_loss"]
    assert stopped.n_iter_ == len(losses) == int(np.argmin(losses)) + 5
    assert stopped.score(x, y) < kind(**options).fit(x, y).score(x, y)  # which has learnt the noise
    weighed = kind(early_stopping=True, **options).fit(x, y, sample_weight=rng.random(300))
    assert len(weighed.history_["validation_loss"]) == weighed.n_iter_
    with pytest.raises(ValueError, match="validation_fraction must be between 0 and 1"):
        kind(early_stopping=True, validation_fraction=1.0, **options).fit(x, y)
    with pytest.raises(ValueError, match="early_stopping is for fit"):
        kind(early_stopping=True, **options).partial_fit(x, y, classes=[0, 1, 2])


# --- the optimum of softmax regression ----------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
def test_softmax_regression_is_scikit_learn_s(classes):
    from sklearn.linear_model import LogisticRegression

    x, y = IRIS.inputs[: 50 * classes].astype(np.float64), IRIS.labels[: 50 * classes]
    decay = 0.01
    ours = exact(tg.SoftmaxClassifier, standardize=False, weight_decay=decay, random_state=0).fit(x, y)
    ones = np.concatenate([x, np.ones((len(x), 1))], axis=1)  # a penalty on the bias too, as ours has
    # Two classes: scikit-learn has one row w for our −w / 2 and w / 2, with half the penalty.
    strength = 1 / (decay * len(x)) * (2 if classes == 2 else 1)
    theirs = LogisticRegression(C=strength, fit_intercept=False, solver="newton-cg", tol=1e-10, max_iter=10_000).fit(
        ones, y
    )
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(ones), atol=1e-6)
    found = np.concatenate([ours.coef_, ours.intercept_[:, None]], axis=1)
    np.testing.assert_allclose(found, theirs.coef_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("options", [{}, {"standardize": False}, {"learning_rate": 0.01}])
def test_coefficients_are_those_of_the_decision_function(classes, options):
    x, y = IRIS.inputs[: 50 * classes] * [1, 100, 0.01, 1], IRIS.labels[: 50 * classes]
    classifier = tg.SoftmaxClassifier(**options)
    assert not hasattr(classifier, "coef_")
    classifier.fit(x, y)
    rows = 1 if classes == 2 else 3
    assert (classifier.coef_.shape, classifier.intercept_.shape) == ((rows, 4), (rows,))
    logits = x @ classifier.coef_.T + classifier.intercept_
    np.testing.assert_allclose(logits.squeeze(), classifier.decision_function(x), rtol=1e-5, atol=1e-4)


def test_the_optimum_depends_on_nothing_but_the_samples():
    x, y = IRIS.inputs, IRIS.labels
    order = np.random.default_rng(0).permutation(150)
    one = exact(tg.SoftmaxClassifier, random_state=0).fit(x, y)
    other = exact(tg.SoftmaxClassifier, random_state=1).fit(x[order], y[order])
    np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(x), atol=1e-6)
    assert one.n_iter_ == len(one.history_["loss"]) < 2000
    assert (np.diff(one.history_["loss"]) <= 0).all()
    by_steps = tg.SoftmaxClassifier(learning_rate=0.01, max_iter=2000, tol=1e-6, random_state=0).fit(x, y)
    assert by_steps.history_.keys() == {"loss", "accuracy", "learning_rate", "seconds"}
    np.testing.assert_allclose(one.predict_proba(x), by_steps.predict_proba(x), atol=0.03)


def test_a_learning_rate_or_a_batch_size_means_mini_batches():
    x, y = IRIS.inputs, IRIS.labels
    for options in ({"learning_rate": 0.01}, {"batch_size": 16}):
        assert "accuracy" in tg.SoftmaxClassifier(max_iter=1, **options).fit(x, y).history_
    with pytest.raises(ValueError, match="early_stopping is for mini-batches: give a learning_rate"):
        tg.SoftmaxClassifier(early_stopping=True).fit(x, y)
    with pytest.raises(FloatingPointError, match="are the inputs too large"):
        tg.SoftmaxClassifier(standardize=False).fit(np.full((4, 1), 1e300), [0, 1, 0, 1])


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


WRONG = {
    "loss": ["log", None],
    "max_iter": [0, -1, 1.5, np.nan, "x", None],
    "n_iter_no_change": [0, -1, 1.5, None],
    "tol": [-1, np.nan, np.inf, None, "x"],
    "learning_rate": [-1, np.nan, np.inf, "x"],
    "weight_decay": [-1, np.nan, np.inf, "x", None],
    "batch_size": [0, 1.5, "auto"],
    "validation_fraction": [0, 1, np.nan, None],
    "early_stopping": ["no", None],
    "standardize": ["no", None],
    "warm_start": ["no", None],
    "hidden_layer_sizes": [5, "10", None, (0,), (1.5,), (3, -1)],
    "activation": ["Relu", None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
@BOTH
def test_a_wrong_parameter_is_named_before_anything_is_learnt(kind, name, value):
    if name not in kind().get_params():
        pytest.skip("it has no such parameter")
    classifier = kind(random_state=0).set_params(**{name: value})
    for learn in (classifier.fit, lambda x, y: classifier.partial_fit(x, y, classes=[0, 1, 2])):
        with pytest.raises(ValueError, match=f"^{name} must be "):
            learn(IRIS.inputs, IRIS.labels)
    assert not hasattr(classifier, "model_")


@BOTH
def test_under_no_grad_nothing_can_be_learnt(kind):
    with tg.no_grad(), pytest.raises(RuntimeError, match="needs gradients to learn, and was called under no_grad"):
        kind().fit(IRIS.inputs, IRIS.labels)
