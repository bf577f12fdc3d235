"""Our estimators beside scikit-learn's, each at its defaults: accuracy, log loss, and seconds to fit.

Five runs, each a cross-validation in five shuffled folds with a seed of its own; the table has their medians.

    python benchmarks/estimators.py
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tinygrad_cls as tg

DATA = {"digits": tg.data.load_digits, "wine": tg.data.load_wine, "breast_cancer": tg.data.load_breast_cancer}
MODELS = {
    "`tg.SoftmaxClassifier`": tg.SoftmaxClassifier,
    "`LogisticRegression`": LogisticRegression,
    "… after `StandardScaler`": lambda **options: make_pipeline(StandardScaler(), LogisticRegression(**options)),
    "`tg.MLPClassifier`": tg.MLPClassifier,
    "scikit-learn's `MLPClassifier`": MLPClassifier,
    "… after its `StandardScaler`": lambda **options: make_pipeline(StandardScaler(), MLPClassifier(**options)),
}
RUNS = 5


def measured(make, inputs, labels, seed):
    """Means over the folds of a run: accuracy in percent, log loss, seconds."""
    rows = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(inputs, labels):
        model = make(random_state=seed)
        start = time.perf_counter()
        model.fit(inputs[train], labels[train])
        seconds = time.perf_counter() - start
        p = model.predict_proba(inputs[test]).astype(np.float64)
        p /= p.sum(axis=1, keepdims=True)
        rows.append((100 * (p.argmax(axis=1) == labels[test]).mean(), log_loss(labels[test], p), seconds))
    return np.mean(rows, axis=0)


def main():
    warnings.simplefilter("ignore")  # of scikit-learn's, that it has not converged
    print(f"| | {' | '.join(DATA)} |\n| --- |{' --- |' * len(DATA)}")
    for name, make in MODELS.items():
        cells = []
        for load in DATA.values():
            data = load()
            inputs = data.inputs.astype(np.float64)
            accuracy, loss, seconds = np.median(
                [measured(make, inputs, data.labels, seed) for seed in range(RUNS)], axis=0
            )
            cells.append(f"{accuracy:.1f} %, {loss:.3f}, {seconds:.2f} s")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
