"""Strategies: each gives every item a value, higher meaning "ask sooner"."""

import numpy as np

from ml.errors import InputError

SMALL_LOGO = 0.01  # of the picture, at most
LEAST = 1e-6  # a probability that is told from 0 and from 1


def checked(scores: np.ndarray, what: str = "scores") -> np.ndarray:
    """The scores as float64.

    Raises:
        InputError: one is missing (NaN or infinite); a missing score is never a silent zero.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(scores).all():
        row = int(np.argwhere(~np.isfinite(scores))[0][0])
        raise InputError(f"{what}: row {row} has a missing score")
    return scores


def margin(probabilities: np.ndarray) -> np.ndarray:
    """1 − (best − second best), in [0, 1]. Scheffer et al. 2001, margin sampling.

    Args:
        probabilities: (n, classes), classes ≥ 2.

    Raises:
        InputError: a score is missing, or there is only one class.
    """
    if np.shape(probabilities)[1] < 2:
        raise InputError("a margin needs two classes")
    best_two = np.partition(checked(probabilities), -2, axis=1)[:, -2:]
    return 1.0 - (best_two[:, 1] - best_two[:, 0])


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Shannon entropy in nats of each row. Shannon 1948; Settles 2009, section 3.1.

    Args:
        probabilities: (n, classes); zeros are allowed.

    Raises:
        InputError: a score is missing or negative.
    """
    p = checked(probabilities)
    if (p < 0).any():
        raise InputError("a probability cannot be negative")
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return -(p * logs).sum(axis=1)


def near_threshold(scores: np.ndarray, thresholds: np.ndarray | float) -> np.ndarray:
    """Closeness to an operating point, in log-odds and at most 0: the near misses and near hits,
    where labels move the threshold (Nuggehalli et al. 2023, DIRECT). In log-odds, because that is
    how far a model has to move to change its mind.

    Args:
        scores: (n,) probabilities.
        thresholds: (n,) or one for all.
    """
    return np.asarray(-np.abs(_log_odds(checked(scores)) - _log_odds(np.asarray(thresholds))))


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, LEAST, 1 - LEAST)
    return np.asarray(np.log(p / (1 - p)))


def detector_false_alarms(box_scores: np.ndarray, brand_scores: np.ndarray) -> np.ndarray:
    """A confident box of a brand that the classifier does not see: box score × (1 − p(brand)).

    Args:
        box_scores: (n,) best box of each item, 0 where there is none.
        brand_scores: (n,) the classifier's probability of that box's brand.
    """
    return checked(box_scores, "boxes") * (1.0 - checked(brand_scores))


def small_logos(box_scores: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The box score where the box is a small part of the picture, else 0: small marks are what
    detectors find worst (SEED: small-logo recall), so each that is boxed by a person counts.

    Args:
        box_scores: (n,) best box of each item.
        shares: (n,) of the picture that the box covers, in [0, 1].
    """
    return np.where(checked(shares, "box shares") < SMALL_LOGO, checked(box_scores, "boxes"), 0.0)


def detector_misses(box_scores: np.ndarray) -> np.ndarray:
    """For items that surely show a registered mark: how little the detector made of it.

    Args:
        box_scores: (n,) best box of the brand shown, 0 where it found none.
    """
    return 1.0 - checked(box_scores, "boxes")
