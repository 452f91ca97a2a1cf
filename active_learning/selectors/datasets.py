"""Datasets: what is in them, what they changed, what was trained on them, and their exports."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from active_learning.models import DatasetExport, DatasetVersion, ModelVersion
from annotation.cards import Card, brand_names
from annotation.models import Image

SHOWN = 30  # models and runs of one dataset
COUNTED = ("split", "answer", "source", "brand", "origin", "guideline")


def datasets() -> QuerySet[DatasetVersion]:
    return DatasetVersion.objects.select_related("parent")


def models_of(dataset: DatasetVersion) -> QuerySet[ModelVersion]:
    """The newest models trained on a dataset."""
    return dataset.models.select_related("parent")[:SHOWN]


def exports() -> QuerySet[DatasetExport]:
    return DatasetExport.objects.select_related("dataset", "requested_by")


def counts(dataset: DatasetVersion) -> dict[str, list[tuple[str, int, int]]]:
    """By what the rows are counted by: (name, rows, change against the parent), most rows first."""
    now = _flat(dataset.counts)
    before = _flat(dataset.parent.counts if dataset.parent else {})
    return {name: _compared(rows, before.get(name, {})) for name, rows in now.items()}


def _flat(counted: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The counts that are rows by something; those of the training rows alone come last."""
    train = counted.get("train", {})
    named = {name: counted.get(name, {}) for name in COUNTED}
    named |= {"boxed": train.get("boxed", {}), "variation": train.get("variation", {})}
    return {name: rows for name, rows in named.items() if rows}


def _compared(now: dict[str, int], before: dict[str, int]) -> list[tuple[str, int, int]]:
    names = sorted(now.keys() | before.keys(), key=lambda name: (-now.get(name, 0), name))
    return [(name, now.get(name, 0), now.get(name, 0) - before.get(name, 0)) for name in names]


def change_cards(dataset: DatasetVersion) -> dict[str, list[Card]]:
    """A few images of each kind of change: `added`, `removed`, `answers`."""
    examples = dataset.changes.get("examples", {})
    changed = {row["sha256"]: row for row in examples.get("answers", [])}
    hashes = {*examples.get("added", []), *examples.get("removed", []), *changed}
    images = {
        image.sha256: image
        for image in Image.objects.filter(sha256__in=hashes).select_related("product")
    }
    names = brand_names(row[side] for row in changed.values() for side in ("before", "after"))
    found: dict[str, list[Card]] = {}
    for name, rows in examples.items():
        for row in rows:
            image = images.get(row["sha256"] if name == "answers" else row)
            if image is not None:
                found.setdefault(name, []).append(
                    _card(image, row if name == "answers" else {}, names)
                )
    return found


def _card(image: Image, change: Mapping[str, str], names: Mapping[str, str]) -> Card:
    title = image.product.title if image.product else ""
    if not change:
        return Card(image=image, title=title)
    before, after = (_answer(change[side], names) for side in ("before", "after"))
    return Card(
        image=image,
        title=title,
        answer=after,
        proposal=_("before: %(answer)s") % {"answer": before},
    )


def _answer(said: str, names: Mapping[str, str]) -> str:
    words = {"none": _("no brand"), "other": _("a brand not on the list")}
    return names.get(said) or words.get(said) or _("unlabelled")
