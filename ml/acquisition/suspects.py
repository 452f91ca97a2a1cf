"""Labels that are probably wrong: what a simple model of the other images says against them."""

import warnings
from collections.abc import Sequence

import numpy as np

SUSPECTED = "suspected_label"
FOLDS = 5


def left_out_chances(looks: np.ndarray, given: np.ndarray, groups: Sequence[object]) -> np.ndarray:
    """(n, classes) probabilities of each image's label by a model that did not learn from it nor
    from a near-duplicate of it: linear discriminants with shrinkage (Ledoit & Wolf 2004) on frozen
    embeddings. The embeddings' own network did learn from it, which makes a wrong label look less
    wrong; against known wrong ones it finds about as many as that network's own word
    (docs/benchmarks.md, "Suspected labels").

    Args:
        looks: (n, d), L2-normalised.
        given: (n,) class of each image, 0, 1, …; each class occurs.
        groups: (n,) names, near-duplicates share one; FOLDS of them at least.
    """
    # A second of imports that only this takes.
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import GroupKFold, cross_val_predict

    group = np.unique(np.array([str(name) for name in groups]), return_inverse=True)[1]
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    with warnings.catch_warnings():
        # Classes of few images are missing in a fold: 0 is then the right chance there.
        warnings.simplefilter("ignore")
        return np.asarray(
            cross_val_predict(
                model, looks, given, groups=group, cv=GroupKFold(FOLDS), method="predict_proba"
            )
        )


def suspicion(chances: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(n,) in [−1, 1]: how much likelier the best other label is than the given one. The normalised
    margin of label quality (Kuan & Mueller 2022, "Model-agnostic label quality scoring to detect
    real-world label errors")."""
    rows = np.arange(len(given))
    own = chances[rows, given]
    others = chances.copy()
    others[rows, given] = -np.inf
    return np.asarray(others.max(axis=1) - own)
