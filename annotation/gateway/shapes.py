"""What an answer may consist of."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest

from annotation.labelstudio.parsing import UnreadableAnnotation, content_of
from annotation.models import Task

REGIONS = 500
TEXT_LENGTH = 5000
# An hour and more on one picture is a page left open.
SECONDS = 24 * 3600.0

CONTROLS = {
    Task.Kind.BRAND: {"brand": "choices", "other_brand": "textarea", "question": "textarea"},
    Task.Kind.BOXES: {"boxes": "rectanglelabels", "question": "textarea"},
    Task.Kind.VARIATION: {"variation": "choices", "question": "textarea"},
}


def check_answer(body: Mapping[str, Any], *, task: Task) -> dict[str, Any]:
    """The parts of an answer that are passed on. Raises BadRequest for one that no labelling page
    of ours could have made."""
    answer = check_draft(body, task=task)
    answer["was_cancelled"] = bool(body.get("was_cancelled"))
    try:
        content_of(annotation={"id": "new", **answer}, task=task)
    except UnreadableAnnotation as error:
        raise BadRequest(str(error)) from error
    if "draft_id" in body and isinstance(body["draft_id"], int):
        answer["draft_id"] = body["draft_id"]
    return answer


def check_draft(body: Mapping[str, Any], *, task: Task) -> dict[str, Any]:
    """The parts of an unfinished answer that are passed on. Raises BadRequest."""
    result = body.get("result", [])
    if not isinstance(result, list) or len(result) > REGIONS:
        raise BadRequest(f"`result` is not a list of at most {REGIONS} regions")
    return {
        "result": [_region(one, CONTROLS[Task.Kind(task.kind)]) for one in result],
        "lead_time": _seconds(body.get("lead_time")),
    }


def _region(region: Any, controls: Mapping[str, str]) -> dict[str, Any]:
    """One control's value, without anything else."""
    if not isinstance(region, dict) or not isinstance(region.get("value"), dict):
        raise BadRequest("a region without a value")
    name, kind = region.get("from_name"), region.get("type")
    if not isinstance(name, str) or not isinstance(kind, str) or controls.get(name) != kind:
        raise BadRequest(f"a region of {str(name)[:40]!r}, which this page does not ask for")
    kept = {
        field: region[field]
        for field in ("id", "from_name", "to_name", "type", "origin", "image_rotation",
                      "original_width", "original_height")
        if isinstance(region.get(field), str | int | float)
    }  # fmt: skip
    if any(isinstance(value, str) and len(value) > 200 for value in kept.values()):
        raise BadRequest("a region with an endless name")
    return {**kept, "value": _value(region["value"], kind)}


def _value(value: Mapping[str, Any], kind: str) -> dict[str, Any]:
    if kind == "textarea":
        said = value.get("text")
        lines = said if isinstance(said, list) else [said]
        if not all(isinstance(line, str) for line in lines) or sum(map(len, lines)) > TEXT_LENGTH:
            raise BadRequest(f"a text has at most {TEXT_LENGTH:,} letters")
        return {"text": lines}
    picked = value.get(kind)
    if not isinstance(picked, list) or not all(isinstance(one, str) for one in picked):
        raise BadRequest(f"nothing is picked in {kind}")
    kept: dict[str, Any] = {kind: [one[:200] for one in picked[:1]]}
    if kind == "rectanglelabels":
        kept |= {side: _percent(value.get(side)) for side in ("x", "y", "width", "height")}
        kept["rotation"] = 0
    return kept


def _percent(at: Any) -> float:
    if isinstance(at, bool) or not isinstance(at, int | float) or not -100 <= at <= 200:
        raise BadRequest("a box has its sides in percents of the picture")
    return float(at)


def _seconds(took: Any) -> float | None:
    if isinstance(took, bool) or not isinstance(took, int | float) or not took >= 0:
        return None
    return min(float(took), SECONDS)
