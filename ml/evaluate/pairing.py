"""Two models' scores brought to the same rows."""

import json
from pathlib import Path

import numpy as np

from ml.errors import InputError
from ml.evaluate.scores_file import SavedScores, read_scores

FACTS = ("truth", "known", "group")


def open_scores(path: Path, kind: str | None = None) -> SavedScores:
    """A scores file, or the one that a report names (beside it).

    Args:
        kind: which model of a report of several.

    Raises:
        InputError: no such file, a report made without `--scores`, or `kind` is missing or wrong.
    """
    if path.suffix != ".json":
        return read_scores(path)
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a report: {error}") from error
    models = report.get("models") if isinstance(report, dict) else None
    if models is not None:
        if kind not in models:
            raise InputError(f"{path}: a report of {', '.join(models)}; choose one with --kind")
        report = models[kind]
    if not isinstance(report, dict) or "scores" not in report:
        raise InputError(f"{path}: names no scores; evaluate with --scores to compare images")
    return read_scores(path.parent / report["scores"])


def paired(a: SavedScores, b: SavedScores) -> tuple[SavedScores, SavedScores]:
    """Both in the same order of rows.

    Raises:
        InputError: the rows differ, or what is known of them does, or one of the models is a
            variation model and the other is not.
    """
    if (a.kind == "variation") != (b.kind == "variation"):
        raise InputError(f"a {a.kind} and a {b.kind} find different things")
    a, b = (side.of(np.argsort(side.keys, kind="stable")) for side in (a, b))
    mine, theirs = set(a.keys), set(b.keys)
    if mine != theirs or len(a.keys) != len(b.keys):
        first = min(mine ^ theirs, default="the same row twice")
        raise InputError(
            f"the rows differ: {len(mine - theirs)} only in {a.path}, "
            f"{len(theirs - mine)} only in {b.path} (first: {first})"
        )
    for fact in FACTS:
        differ = getattr(a.rows, fact) != getattr(b.rows, fact)
        if differ.any():
            first = a.keys[differ.argmax()]
            raise InputError(f"{fact} differs in {differ.sum()} rows (first: {first})")
    return a, b
