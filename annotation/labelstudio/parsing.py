"""From an annotation as Label Studio tells it to what our labels say."""

import hashlib
import json
from collections.abc import Iterable

from django.db.models import Q

from annotation.labels import Content
from annotation.labelstudio.configs import NONE, OTHER, UNSURE
from annotation.models import Brand, Task
from annotation.models.label import Answer, Variation


class UnreadableAnnotation(ValueError):
    """An annotation that none of our labelling pages could have made."""


def revision_hash(annotation: dict) -> str:
    """Of what an annotation answers, not of when: the same answer is the same revision."""
    said = [annotation.get("result") or [], bool(annotation.get("was_cancelled"))]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def content_of(*, annotation: dict, task: Task) -> Content:
    """What an annotation of `task` says. A skip is an `unsure`.

    Raises UnreadableAnnotation.
    """
    try:
        return _content(annotation, task)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise UnreadableAnnotation(
            f"annotation {annotation.get('id')} of {task.kind} task {task.pk}: {error!r}"
        ) from error


def _content(annotation: dict, task: Task) -> Content:
    results = annotation["result"] or []
    question = _text(results, "question")
    if annotation.get("was_cancelled"):
        return Content(answer=Answer.UNSURE, question=question)
    if task.kind == Task.Kind.BRAND:
        return _brand(results, question)
    if task.kind == Task.Kind.BOXES:
        return Content(boxes=_boxes(results, task), question=question)
    value = _choice(results, "variation")
    if value not in Variation.values:
        raise UnreadableAnnotation(f"annotation {annotation.get('id')}: no variation {value!r}")
    return Content(variation=value, question=question)


def _brand(results: list[dict], question: str) -> Content:
    typed = _text(results, "other_brand")
    picked = _choice(results, "brand")
    if typed and picked not in (NONE, UNSURE):
        named = _brand_named(typed)
        if named is not None:
            return Content(answer=Answer.BRAND, brand=named, question=question)
        # A name that is nobody's yet goes where operations staff read.
        note = f"Not on the list: {typed}"
        question = f"{note}\n{question}" if question else note
        return Content(answer=Answer.OTHER, question=question)
    for value, answer in ((NONE, Answer.NONE), (OTHER, Answer.OTHER), (UNSURE, Answer.UNSURE)):
        if picked == value:
            return Content(answer=answer, question=question)
    brand = Brand.objects.filter(key=picked).first()
    if brand is None:
        raise UnreadableAnnotation(f"no brand {picked!r}")
    return Content(answer=Answer.BRAND, brand=brand, question=question)


def _brand_named(text: str) -> Brand | None:
    """The brand known by this name: key, English or Chinese name, or alias. None when it is no
    brand's, or more than one's."""
    name = text.strip()
    by_name = Q(key__iexact=name) | Q(name_en__iexact=name) | Q(name_zh__iexact=name)
    named = list(Brand.objects.filter(by_name)[:2]) or [
        brand
        for brand in Brand.objects.exclude(aliases=[])
        if name.lower() in {alias.lower() for alias in brand.aliases}
    ]
    return named[0] if len(named) == 1 else None


def _boxes(results: list[dict], task: Task) -> list[dict]:
    """In pixels of the stored image, from percents of it."""
    brand = task.focus_brand.key  # type: ignore[union-attr]  # box tasks name one
    width, height = task.image.width, task.image.height
    boxes = []
    for value in (item["value"] for item in results if item["from_name"] == "boxes"):
        x1, y1 = value["x"] / 100 * width, value["y"] / 100 * height
        x2, y2 = x1 + value["width"] / 100 * width, y1 + value["height"] / 100 * height
        box = {"x1": max(x1, 0), "y1": max(y1, 0), "x2": min(x2, width), "y2": min(y2, height)}
        if box["x2"] > box["x1"] and box["y2"] > box["y1"]:
            boxes.append({side: round(at, 2) for side, at in box.items()} | {"brand": brand})
    return boxes


def _choice(results: Iterable[dict], name: str) -> str:
    for item in results:
        if item["from_name"] == name:
            return str(item["value"]["choices"][0])
    return ""


def _text(results: Iterable[dict], name: str) -> str:
    for item in results:
        if item["from_name"] == name:
            text = item["value"]["text"]
            lines = text if isinstance(text, list) else [text]
            # PostgreSQL stores no NUL; one pasted by accident must not stop the poll.
            return "\n".join(lines).replace("\0", "").strip()
    return ""
