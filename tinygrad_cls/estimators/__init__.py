"""Classifiers with the interface of scikit-learn, for `Pipeline`, `GridSearchCV`, `cross_val_score`, ….

They are thin: a `tg.nn` model, `tg.optim.Adam` and `tg.fit`, or SciPy's L-BFGS where the best parameters can be had.
"""

from .mlp import MLPClassifier
from .softmax import SoftmaxClassifier

__all__ = ["SoftmaxClassifier", "MLPClassifier"]
