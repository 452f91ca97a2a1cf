"""From scores to outcomes: thresholds, and what each row came to at them."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import expit, logit

from ml.errors import InputError
from ml.evaluate.outcomes import Outcomes, outcomes
from ml.evaluate.recall import common_threshold
from ml.evaluate.scored import Scored, fitting_half
from ml.manifest import group_keys

COMMON = "*"
UNFITTED = 0.5
READ = ("split", "answer", "brand", "also", "variation")


def judge(
    kind: str,
    data: Scored,
    *,
    flag_ratio: float | None,
    own: Mapping[str, float] | None = None,
) -> tuple[dict[str, float], Outcomes]:
    """The thresholds, and every row's outcome at them.

    Without `flag_ratio` the threshold is UNFITTED, or `own` of a model that has its own, and all
    open rows are counted. With it a model's own keep their places to each other: all are moved
    together, until they flag that share.

    Open rows known to be a variation are left out of the variation model's flag ratio: it measures
    false alarms, and variations are too frequent online to spend its budget on.

    Raises:
        InputError: thresholds are to be fitted, but one half of the open rows is empty.
    """
    counted = data.column("split") == "open"
    if kind == "variation":
        counted &= ~data.is_variation
    thresholds = dict(own) if own else {COMMON: UNFITTED}
    if flag_ratio is not None:
        opened = data.of(counted)
        fitting = fitting_half(opened.rows)
        if fitting.all() or not fitting.any():
            raise InputError(f"too few open rows ({len(fitting)}) to fit a threshold on half")
        thresholds = (
            moved(own, data.names, opened.scores[fitting], flag_ratio)
            if own
            else {COMMON: common_threshold(opened.scores[fitting], flag_ratio)}
        )
        counted[np.flatnonzero(counted)[fitting]] = False
    number = {key: i for i, key in enumerate(dict.fromkeys(group_keys(data.rows)))}
    columns = {name: data.column(name) for name in READ} | {
        "counted": counted.astype(bool),
        "group": np.array([number[key] for key in group_keys(data.rows)], int),
    }
    return thresholds, outcomes(
        names=data.names,
        scores=data.scores,
        limits=threshold_vector(thresholds, data.names),
        columns=columns,
        variations=(data.is_variation, data.is_variation_known) if kind == "variation" else None,
    )


def moved(
    own: Mapping[str, float], names: Sequence[str], scores: np.ndarray, ratio: float
) -> dict[str, float]:
    """The thresholds with one number added to all their logits, so that at most `ratio` of the
    rows are flagged."""
    limits = _logit(threshold_vector(own, names))
    rows, top = np.arange(len(scores)), scores.argmax(axis=1)
    above = _logit(scores[rows, top]) - limits[top]
    allowed = int(np.floor(ratio * len(above)))
    # A hair above: the row that sets it must not be flagged by rounding.
    step = float(np.sort(above)[::-1][min(allowed, len(above) - 1)]) + 1e-6
    return dict(zip(names, expit(limits + step).tolist(), strict=True))


def _logit(scores: np.ndarray) -> np.ndarray:
    return logit(np.clip(scores.astype(float), 1e-12, 1 - 1e-12))


def threshold_vector(thresholds: Mapping[str, float], names: Sequence[str]) -> np.ndarray:
    """[k]: each brand's own threshold, or the common one."""
    return np.array([thresholds.get(name, thresholds.get(COMMON, UNFITTED)) for name in names])
