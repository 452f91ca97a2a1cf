"""What the gates are given: a candidate's and the champion's figures, image by image, and what the
candidate was trained on. Files are read here, so it is not done within a transaction."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from active_learning.evaluations import report_of
from active_learning.gates import Contest
from active_learning.jobs import JobError
from active_learning.models import (
    TRAINED_ALONE,
    Evaluation,
    JobState,
    ModelKind,
    ModelVersion,
    Release,
)
from active_learning.sentences import sentence
from annotation.models import Brand
from ml.errors import InputError
from ml.evaluate.gating import gate_changes
from ml.evaluate.pairing import paired
from ml.evaluate.scores_file import read_scores
from ml.manifest import group_keys

logger = logging.getLogger(__name__)
TRAINING = ("train", "val")
# What a fusion has to better, the first that is there.
ALONE = (ModelKind.CLASSIFIER, ModelKind.TEXT, ModelKind.DETECTOR)
Versions = dict[str, ModelVersion | None]


class PromotionError(JobError):
    """A promotion or roll-back that cannot be; the message is for a person."""


class NotEvaluated(PromotionError):
    """The candidate and the champion have not both been measured on the same test sets (yet)."""


def versions_of(release: Release | None) -> Versions:
    """A release's model versions by kind."""
    return {kind: getattr(release, kind) if release else None for kind in ModelKind.values}


def last_evaluation(release: Release) -> Evaluation | None:
    """Its last one that succeeded."""
    return release.evaluations.filter(state=JobState.SUCCEEDED).first()


def reports(candidate: Release, live: Release | None) -> tuple[Evaluation, dict[str, Any]]:
    """The candidate's last evaluation, and the champion's report on the same test sets.

    Raises:
        NotEvaluated: one of them is not there.
    """
    evaluation = last_evaluation(candidate)
    if evaluation is None:
        raise NotEvaluated(f"{candidate} has not been evaluated")
    if live is None:
        return evaluation, {}
    theirs = report_of(release=live, manifest_sha256=evaluation.manifest_sha256)
    if theirs is None:
        raise NotEvaluated(
            f"the champion, {live}, has not been evaluated on the test sets of {candidate}"
        )
    return evaluation, theirs


def prepare(candidate: Release, live: Release | None) -> dict[str, Contest]:
    """A contest for each model of the candidate that is newer than the champion's; a candidate may
    have been put together before a newer champion was. A fusion where the champion has none is held
    against what it is to better.

    Raises:
        NotEvaluated: see `reports`.
    """
    evaluation, theirs = reports(candidate, live)
    protected = Brand.objects.filter(protected=True, state=Brand.State.LISTED)
    names = {brand.key: str(brand) for brand in protected}
    shared = None if live is None else set(candidate.brands) & set(live.brands)
    contests = {}
    for kind, version in versions_of(candidate).items():
        current = getattr(live, kind) if live else None
        if version is None or kind not in evaluation.report or not is_newer(version, current):
            continue
        if kind == ModelKind.FUSION and is_strange(candidate, live):
            continue
        own, other, alone = evaluation.report[kind], theirs.get(kind), None
        if kind == ModelKind.FUSION and other is None:
            alone = next((one for one in ALONE if one in evaluation.report), None)
            other = evaluation.report[alone] if alone else None
        contests[kind] = Contest(
            kind=kind,
            report=own,
            champion=other,
            alone=alone,
            paired=changes(other, own) if other else None,
            brands=shared,
            protected=names,
            shared=shared_groups(version, evaluation.manifest),
        )
    return contests


def is_strange(candidate: Release, live: Release | None) -> bool:
    """Whether the candidate's fusion was fitted on models that the champion has no more."""
    if live is None or candidate.fusion is None:
        return False
    return any(getattr(candidate, kind) != getattr(live, kind) for kind in TRAINED_ALONE)


def is_newer(version: ModelVersion, current: ModelVersion | None) -> bool:
    return current is None or version.number > current.number


def with_champions_own(
    verdicts: dict[str, dict], candidate: Release, live: Release | None
) -> dict[str, dict]:
    """The verdicts by kind, in order, with a word on the models that were not judged."""
    for kind, version in versions_of(candidate).items():
        current = getattr(live, kind) if live else None
        if kind == ModelKind.FUSION and is_strange(candidate, live):
            reason = sentence("it was fitted on models that the champion no longer has")
            verdicts[kind] = {"passed": False, "reasons": [reason | {"met": False}]}
            continue
        if version is None or current is None or is_newer(version, current):
            continue
        reason = sentence("the champion's own")
        if version != current:
            reason = sentence("the champion has %(version)s, which is newer", version=str(current))
        verdicts[kind] = {"passed": False, "reasons": [reason | {"met": True}]}
    return {kind: verdicts[kind] for kind in ModelKind.values if kind in verdicts}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any] | None:
    """`gate_changes` of two reports' models; None where the scores of one were not kept, or are
    not of the same rows."""
    if "scores" not in before or "scores" not in after:
        return None
    try:
        sides = (read_scores(Path(report["scores"])) for report in (before, after))
        return gate_changes(*paired(*sides))
    except InputError as error:
        logger.warning("compared by the reports alone: %s", error)
        return None


def shared_groups(version: ModelVersion, tests: str) -> Collection[str] | None:
    """Groups in both the manifest `tests` and what the version, or one whose weights it started
    from, was trained on. None where a manifest cannot be read."""
    paths: set[str] = set()
    seen: ModelVersion | None = version
    while seen is not None:
        paths.add(seen.dataset.path)
        seen = seen.parent
    try:
        held = _groups(tests)
        return {group for path in paths for group in _groups(path, *TRAINING)} & held
    except (OSError, pa.ArrowException) as error:
        logger.warning("%s: its training material cannot be compared: %s", version, error)
        return None


def _groups(path: str, *splits: str) -> set[str]:
    rows = pq.read_table(path, columns=["group", "sha256", "image", "split"])
    wanted = [not splits or split in splits for split in rows["split"].to_pylist()]
    return {key for key, is_in in zip(group_keys(rows), wanted, strict=True) if is_in}
