"""A row's choice among the brands and none of them: a conditional logit (McFadden 1974,
"Conditional logit analysis of qualitative choice behavior") with weights that all brands share, so
that a brand with ten labels is judged like one with a thousand.

A brand's utility is linear in what the models say of it; "none" has the utility 0.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from ml.models.fusion.scores import Parts

FLOOR = 1e-4  # a score below says no more than the score itself


@dataclass(frozen=True)
class Weights:
    """Of one set of models. `names` says what each of the weights is of."""

    names: list[str]
    values: np.ndarray
    intercept: float


def features(parts: Parts) -> tuple[list[str], np.ndarray]:
    """What is said of each brand in each row: names [f], float64 [n, k, f].

    Of each model the score's logit, its square, and whether no brand scores higher there; of each
    two models the product of their logits; of the arrangement its probability times each logit.
    Logits are shifted so that the lowest score gives 0.
    """
    names: list[str] = []
    columns: list[np.ndarray] = []
    logits = {kind: _logit(scores) for kind, scores in parts.of.items()}
    for kind, logit in logits.items():
        best = logit.max(axis=1, keepdims=True)
        names += [kind, f"{kind}²", f"{kind} first"]
        columns += [logit, logit**2, ((logit == best) & (best > 0)).astype(float)]
    kinds = list(logits)
    for i, one in enumerate(kinds):
        for other in kinds[i + 1 :]:
            names.append(f"{one} × {other}")
            columns.append(logits[one] * logits[other])
    if not np.isnan(parts.arranged).all():
        names += [f"{kind} × arranged" for kind in kinds]
        columns += [logit * parts.arranged[:, None] for logit in logits.values()]
    return names, np.stack(columns, axis=2)


def fit(parts: Parts, chosen: np.ndarray, *, prevalence: float, penalty: float) -> Weights:
    """
    Args:
        parts: of rows that no model was trained on; every score is there.
        chosen: [n] the brand's column; −1: none of them.
        prevalence: share of rows online that show a brand. Rows of brands and of none weigh half
            each in the fit, and the intercept is then set to this share (King and Zeng 2001,
            "Logistic regression in rare events data").
        penalty: of the squared weights of standardised features.

    Raises:
        ValueError: rows of a brand or of none are missing.
    """
    branded = chosen >= 0
    weight = _row_weights(branded)
    names, values = features(parts)
    scale = values.reshape(-1, len(names)).std(axis=0)
    scale[scale == 0] = 1.0
    rows, brands = values.shape[:2]
    flat = (values / scale).reshape(-1, len(names))
    taken = flat[np.flatnonzero(branded) * brands + chosen[branded]]

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        utility = (flat @ point[:-1] + point[-1]).reshape(rows, brands)
        total = np.logaddexp(0.0, logsumexp(utility, axis=1))
        share = np.exp(utility - total[:, None]) * weight[:, None]
        got = taken @ point[:-1] + point[-1]
        value = weight @ total - weight[branded] @ got + penalty / 2 * point[:-1] @ point[:-1]
        gradient = np.append(share.reshape(-1) @ flat, share.sum())
        gradient -= np.append(weight[branded] @ taken, weight[branded].sum())
        gradient[:-1] += penalty * point[:-1]
        return float(value), gradient

    # One thread: BLAS's others wait spinning, five times as long where the cores are busy.
    start = np.append(np.zeros(len(names)), -np.log(brands))
    with threadpool_limits(1, user_api="blas"):
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    odds = np.log(prevalence / (1 - prevalence))
    return Weights(names, found[:-1] / scale, float(found[-1] + odds))


def surprise(parts: Parts, chosen: np.ndarray, weights: Weights) -> float:
    """Mean −log probability of what was chosen, rows of brands and of none weighing half each;
    `weights` of the prevalence 0.5.

    Args:
        chosen: [n] the brand's column; −1: none of them.
    """
    found = probabilities(parts, weights)
    return float(-_row_weights(chosen >= 0) @ np.log(found[np.arange(len(parts)), chosen]))


def _row_weights(branded: np.ndarray) -> np.ndarray:
    if branded.all() or not branded.any():
        raise ValueError("a fusion is fitted on rows with a brand and rows with none")
    return np.where(branded, 0.5 / branded.sum(), 0.5 / (~branded).sum())


def probabilities(parts: Parts, weights: Weights) -> np.ndarray:
    """float64 [n, k + 1]: of each brand, and last of none.

    Raises:
        ValueError: the weights are of other models.
    """
    names, values = features(parts)
    if names != weights.names:
        raise ValueError(f"weights of {weights.names} for scores of {names}")
    utility = np.pad(values @ weights.values + weights.intercept, ((0, 0), (0, 1)))
    return np.asarray(np.exp(utility - logsumexp(utility, axis=1, keepdims=True)))


def _logit(scores: np.ndarray) -> np.ndarray:
    inside = np.clip(scores, FLOOR, 1 - FLOOR)
    return np.log(inside / (1 - inside)) - np.log(FLOOR / (1 - FLOOR))
