"""What was done to a shown mark: smeared or covered, or a knock-off's. Learned on the classifier's
embeddings, as a linear probe (Alain & Bengio 2016, "Understanding intermediate layers using linear
classifier probes"), because few images of it are known and a network of its own would need many.

A kind is told only if it was told better than by chance on images that the probe was not fitted
on; a classifier too small to see it says nothing of it, not 0.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import mannwhitneyu
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

ATTACKS = ("smear", "knock_off")
NEITHER, UNKNOWN = 0, -1

LEAST = 20  # images of a kind, near-duplicates counted once
CHANCE = 1e-3  # of ranking that well by luck
FOLDS = 5
# Embeddings have length 1, so weights must be large to say anything; chosen by nothing finer.
INVERSE_PENALTY = 10.0


def attack_classes(table: pa.Table) -> np.ndarray:
    """int [n]: the place in ATTACKS plus 1 of rows known to show a brand that way, NEITHER of
    those with another known risk, UNKNOWN of all other rows."""
    place = {name: i for i, name in enumerate(ATTACKS, start=1)}
    pairs = zip(table["answer"].to_pylist(), table["risk"].to_pylist(), strict=True)
    known = (place.get(risk, NEITHER) if a == "brand" and risk else UNKNOWN for a, risk in pairs)
    return np.fromiter(known, int, len(table))


class AttackProbe:
    """Chances of ATTACKS from embeddings.

    Attributes:
        told: the kinds that it tells.
    """

    def __init__(self, told: Sequence[str], weights: np.ndarray, intercepts: np.ndarray) -> None:
        """
        Args:
            weights, intercepts: [1 + len(told), d] and [1 + len(told)], neither first.
        """
        self.told = list(told)
        self._weights, self._intercepts = weights, intercepts

    def chances(self, embeddings: np.ndarray) -> np.ndarray:
        """float32 [n, len(ATTACKS)], NaN where a kind is not told; what remains to 1 is neither."""
        logits = embeddings.astype(float) @ self._weights.T + self._intercepts
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        found = np.full((len(embeddings), len(ATTACKS)), np.nan, np.float32)
        places = [ATTACKS.index(name) for name in self.told]
        found[:, places] = (raised / raised.sum(axis=1, keepdims=True))[:, 1:]
        return found

    def as_calibration(self) -> dict[str, Any]:
        return {
            "told": self.told,
            "weights": self._weights.round(5).tolist(),
            "intercepts": self._intercepts.round(5).tolist(),
        }


def attacks_told(chances: np.ndarray) -> dict[str, float]:
    """By kind, one row of `AttackProbe.chances` without what is not told."""
    pairs = zip(ATTACKS, chances.tolist(), strict=True)
    return {name: chance for name, chance in pairs if not math.isnan(chance)}


def probe_of(calibration: Mapping[str, Any]) -> AttackProbe | None:
    """The probe of an artifact's calibration, if it has one."""
    kept = calibration.get("attacks")
    if kept is None:
        return None
    return AttackProbe(kept["told"], np.array(kept["weights"]), np.array(kept["intercepts"]))


def fit_probe(
    embeddings: np.ndarray, classes: np.ndarray, groups: Sequence[str]
) -> tuple[AttackProbe | None, dict[str, Any]]:
    """
    Args:
        embeddings: [n, d], of length 1.
        classes: [n], of `attack_classes`, none of them UNKNOWN.
        groups: [n], near-duplicates have one name.

    Returns:
        The probe, None where no kind is told, and of each kind with LEAST images `{"auc", "rows",
        "told"}`, out of fold.
    """
    group = np.unique(groups, return_inverse=True)[1]
    kinds = [kind for kind in range(len(ATTACKS) + 1) if len(set(group[classes == kind])) >= LEAST]
    if len(kinds) < 2 or NEITHER not in kinds:
        return None, {}
    rows = np.isin(classes, kinds)  # the rare ones are no example of anything here
    embeddings, classes, group = embeddings[rows], classes[rows], group[rows]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    left_out = cross_val_predict(
        _regression(), embeddings, classes, groups=group, cv=folds, method="predict_proba"
    )
    found: dict[str, Any] = {}
    for column, kind in enumerate(kinds[1:], start=1):
        # Against neither alone: what tells it from another kind need not tell that it is one.
        scores = left_out[:, column] / (left_out[:, column] + left_out[:, NEITHER])
        is_kind, neither = classes == kind, classes == NEITHER
        test = mannwhitneyu(scores[is_kind], scores[neither], alternative="greater")
        found[ATTACKS[kind - 1]] = {
            "auc": round(float(test.statistic) / (is_kind.sum() * neither.sum()), 4),
            "rows": int(is_kind.sum()),
            "told": bool(test.pvalue < CHANCE),
        }
    told = [kind for kind in kinds[1:] if found[ATTACKS[kind - 1]]["told"]]
    if not told:
        return None, found
    rows = np.isin(classes, [NEITHER, *told])
    fitted = _regression().fit(embeddings[rows], classes[rows])
    weights, intercepts = fitted.coef_, fitted.intercept_
    if len(told) == 1:  # scikit-learn then keeps the difference of the two classes alone
        weights, intercepts = np.stack([0 * weights[0], weights[0]]), np.append(0.0, intercepts)
    return AttackProbe([ATTACKS[kind - 1] for kind in told], weights, intercepts), found


def _regression() -> LogisticRegression:
    return LogisticRegression(C=INVERSE_PENALTY, max_iter=2000)
