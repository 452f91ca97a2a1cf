"""What tasks were sent to Label Studio with, kept for as long as they usually wait there: who is
handed one for the first time is shown this, and Label Studio need not be asked for it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.core.cache import cache

from annotation.models import Task

KEPT_SECONDS = 14 * 24 * 3600


def keep(*, remote_ids: Mapping[UUID, int], entries: Sequence[Mapping[str, Any]]) -> None:
    """`entries` as they were imported, in the order of `remote_ids`."""
    pairs = zip(remote_ids.items(), entries, strict=True)
    cache.set_many({_key(pk, number): entry for (pk, number), entry in pairs}, KEPT_SECONDS)


def as_remote(*, task: Task, project: int) -> dict[str, Any] | None:
    """The task as Label Studio would tell it to somebody who has not seen it; None when what it
    was sent with is no longer known.

    Args:
        project: the project's number in Label Studio.
    """
    entry = cache.get(_key(task.pk, task.remote_id))
    if entry is None:
        return None
    place = {"task": task.remote_id, "project": project}
    predictions = [
        {**prediction, "id": number, **place}
        for number, prediction in enumerate(entry.get("predictions", []), start=1)
    ]
    return {
        "id": task.remote_id,
        "project": project,
        "data": entry["data"],
        "annotations": [],
        "drafts": [],
        "predictions": predictions,
    }


def _key(pk: UUID, remote_id: int | None) -> str:
    return f"labelstudio:sent:{pk}:{remote_id}"
