"""What a labeler may see of an answer of Label Studio's. Everything is picked, nothing is left out:
what a newer version adds stays unseen until somebody picks it."""

from collections.abc import Iterable, Mapping
from typing import Any

from annotation.gateway.upstream import Entry
from annotation.labelstudio.configs import PREDICTION_VERSION
from annotation.labelstudio.payload import proposal_shown
from annotation.models import Task

_PROJECT = [
    "id",
    "title",
    "description",
    "label_config",
    "expert_instruction",
    "show_instruction",
    "show_skip_button",
    "enable_empty_annotation",
    "show_annotation_history",
    "color",
    "maximum_annotations",
    "is_published",
    "model_version",
    "is_draft",
    "show_collab_predictions",
    "sampling",
    "control_weights",
    "parsed_label_config",
    "config_has_control_tags",
    "skip_queue",
    "reveal_preannotations_interactively",
    "evaluate_predictions_automatically",
    "show_ground_truth_first",
    "show_overlap_first",
]
_WHOAMI = [
    "id",
    "first_name",
    "last_name",
    "username",
    "email",
    "custom_hotkeys",
    "avatar",
    "initials",
    "active_organization",
]
_COLUMN = [
    "id",
    "title",
    "type",
    "target",
    "parent",
    "visibility_defaults",
    "project_defined",
    "children",
]
_TASK = ["id", "data", "created_at", "updated_at", "overlap", "inner_id", "project"]
_ANNOTATION = [
    "id",
    "result",
    "completed_by",
    "created_ago",
    "was_cancelled",
    "created_at",
    "updated_at",
    "draft_created_at",
    "lead_time",
    "task",
    "project",
]
_DRAFT = [
    "id",
    "result",
    "user",
    "created_ago",
    "lead_time",
    "was_postponed",
    "created_at",
    "updated_at",
    "task",
    "annotation",
]
_PREDICTION = [
    "id",
    "result",
    "model_version",
    "created_ago",
    "created_at",
    "updated_at",
    "task",
    "project",
]


def project(remote: Mapping[str, Any]) -> dict:
    """Without its counts, its owner and the secrets that Label Studio stores in it. A project that
    seems empty is offered an import by the page: it gets one task."""
    return _pick(remote, _PROJECT) | {"task_number": 1, "task_count": 1, "queue_total": 1}


def columns(remote: Mapping[str, Any]) -> dict:
    """Those of the task's data, by which the page reads tasks; the others list who works here."""
    of_data = [
        one
        for one in remote["columns"]
        if one.get("parent") == "data" or one["id"] in ("id", "data")
    ]
    return {"columns": [_pick(one, _COLUMN) for one in of_data]}


def whoami(remote: Mapping[str, Any]) -> dict:
    """Without what Label Studio says they may do, which here they may not."""
    return _pick(remote, _WHOAMI) | {"permissions": ["annotations.create", "annotations.change"]}


def task(remote: Mapping[str, Any], *, ours: Task, entry: Entry) -> dict:
    """With this person's own answers and drafts alone, and the proposal when it is to be shown."""
    own = [annotation(one) for one in remote["annotations"] if is_own(one, entry=entry)]
    drafts = [draft(one) for one in remote["drafts"] if one["user"] == entry.email]
    proposals = _proposals(remote["predictions"]) if proposal_shown(task=ours) else []
    return _pick(remote, _TASK) | {
        "annotations": own,
        "drafts": drafts,
        "predictions": proposals,
        "is_labeled": bool(own),
        "total_annotations": len(own),
        "total_predictions": len(proposals),
        "cancelled_annotations": sum(bool(one["was_cancelled"]) for one in own),
        "meta": {},
        "queue": "",
    }


def annotation(remote: Mapping[str, Any]) -> dict:
    """One answer, without who changed it and what other tools noted."""
    return _pick(remote, _ANNOTATION)


def draft(remote: Mapping[str, Any]) -> dict:
    """One unfinished answer."""
    return _pick(remote, _DRAFT)


def is_own(remote: Mapping[str, Any], *, entry: Entry) -> bool:
    """Whether an annotation is this person's; Label Studio names its author by number or whole."""
    author = remote["completed_by"]
    return (author["id"] if isinstance(author, Mapping) else author) == entry.remote_id


def _proposals(predictions: Iterable[Mapping[str, Any]]) -> list[dict]:
    shown = [one for one in predictions if one["model_version"] == PREDICTION_VERSION]
    return [_pick(one, _PREDICTION) | {"score": None} for one in shown]


def _pick(remote: Mapping[str, Any], names: Iterable[str]) -> dict:
    return {name: remote[name] for name in names if name in remote}
