"""From what the database knows of images to manifests, in batches, so that memory stays flat but
for the manifest itself."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from active_learning.stored_images import bring, image_path
from annotation.consensus import counting_labels
from annotation.models import Brand, Consensus, Image, Label, Task
from annotation.models.label import Answer
from annotation.voters import voters_of
from ml.manifest import SCHEMA, Manifest, write_manifest

BATCH = 5_000

IMAGE = {
    "id": "pk",
    "file": "file",
    "sha256": "sha256",
    "split": "split",
    "group": "group_id",
    "source": "source",
    "weak_answer": "weak_answer",
    "weak_brand": "weak_brand__key",
    "title": "product__title",
    "category": "product__category",
    "price": "product__price",
    "product_source": "product__source",
    "product_id": "product__external_id",
    "merchant": "product__merchant__external_id",
    "came_in": "created_at",
}
ANSWER = {
    "trusted": "trusted",
    "answer": "answer",
    "brand": "brand__key",
    "excluded": "excluded",
    "risk": "risk",
    "attack": "attack",
    "has_logo": "has_logo",
    "boxes": "boxes",
    "variation": "variation",
    "labelled_at": "updated_at",
    "decided_at": "decided_by__created_at",
    "asked_about": "decided_by__task__focus_brand__key",
}
# Of a label: who said it when, and whether it counts.
SAID = ("source", "by", "guideline", "answer", "created_at", "task__strategy", "task__created_at")
Known = Mapping[str, Any]
Listed = Mapping[str, datetime]  # brands on the list by key, and since when they are known
ToRow = Callable[[Known, Listed], dict[str, Any] | None]


def directory() -> Path:
    return settings.DATA_DIR / "manifests"


def listed_brands() -> list[str]:
    """Keys of the brands that are classes of the models, sorted."""
    listed = Brand.objects.filter(state=Brand.State.LISTED)
    return sorted(listed.values_list("key", flat=True))


def build(images: QuerySet[Image], to_row: ToRow, *, with_labels: bool = False) -> Manifest:
    """Write the manifest of `images`; `to_row` says what of an image goes in, None leaves it out.

    Args:
        with_labels: `to_row` also gets, with each answer, the `labels` it was made of and the id
            of the one that decided, `decided_by`.

    Raises:
        InputError: a row breaks a rule of the manifest, or an image is not in the bucket.
    """
    listed = Brand.objects.filter(state=Brand.State.LISTED)
    brands = dict(listed.values_list("key", "created_at"))
    read = _read(images, with_labels)
    rows = (row for known in read if (row := to_row(known, brands)) is not None)
    batches = []
    while batch := list(islice(rows, BATCH)):
        batches.append(pa.RecordBatch.from_pylist(batch, schema=SCHEMA))
    return write_manifest(pa.Table.from_batches(batches, schema=SCHEMA), directory())


def _read(images: QuerySet[Image], with_labels: bool) -> Iterator[Known]:
    rows = images.order_by("pk").values_list(*IMAGE.values()).iterator(chunk_size=BATCH)
    while batch := [dict(zip(IMAGE, row, strict=True)) for row in islice(rows, BATCH)]:
        bring(files=[image["file"] for image in batch])
        answers = _answers([image["id"] for image in batch], with_labels)
        for image in batch:
            yield image | answers.get(image["id"], {})


def _answers(image_ids: list[int], with_labels: bool) -> dict[int, dict[str, dict[str, Any]]]:
    """What people answered of these images, by image and kind of task. Asked for by id and not
    joined: just after a bulk load PostgreSQL, without statistics yet, takes minutes to join."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    rows = Consensus.objects.filter(image_id__in=image_ids)
    fields = dict(ANSWER)
    if with_labels:
        # In one statement, hence of one moment: a label that lands meanwhile is in both or neither.
        rows = rows.annotate(label_ids=ArraySubquery(_label_ids()))
        fields |= {"decided_by": "decided_by_id", "label_ids": "label_ids"}
    for image_id, kind, *values in rows.values_list("image_id", "kind", *fields.values()):
        found.setdefault(image_id, {})[kind] = dict(zip(fields, values, strict=True))
    if with_labels:
        _add_labels([answer for kinds in found.values() for answer in kinds.values()])
    return found


def _label_ids() -> QuerySet[Label, int]:
    same = counting_labels().filter(image=OuterRef("image"), kind=OuterRef("kind"))
    return same.order_by("pk").values_list("pk", flat=True)


def _add_labels(answers: list[dict[str, Any]]) -> None:
    """To each answer the labels it was made of, oldest first. Labels never change: they may be
    read later than their ids."""
    ids = {pk for answer in answers for pk in answer["label_ids"]}
    known = Label.objects.select_related("task").only(*SAID).in_bulk(ids)
    for answer in answers:
        labels = [known[pk] for pk in answer.pop("label_ids")]
        answer["labels"] = voters_of(labels) if labels else []


def context(known: Known) -> dict[str, Any]:
    """The columns that say what an image is, not what it shows."""
    product = None
    if known["product_id"] is not None:
        product = f"{known['product_source']}/{known['product_id']}"
    return {
        "image": image_path(file=known["file"]),
        "sha256": known["sha256"],
        "split": known["split"],
        "group": str(known["group"]),
        "source": known["source"],
        "title": known["title"],
        "category": known["category"],
        "product": product,
        "merchant": known["merchant"],
        "price": None if known["price"] is None else float(known["price"]),
    }


def brand_columns(known: Known, brands: Listed) -> dict[str, Any]:
    """What is known of the brand. A trusted answer counts before the source's word; an image that
    people looked at without agreeing is unlabelled, whatever the source says; a brand that is not
    on the list is `other`. What was called none or other when a brand was asked about rules that
    brand out: it looked like it."""
    said = known.get(Task.Kind.BRAND)
    if said is None:
        found = _on_list(known["weak_answer"] or "unlabelled", known["weak_brand"], brands)
        return _as_far_as_known(found, known["weak_brand"], known["came_in"], brands)
    if not said["trusted"] or said["answer"] in ("", Answer.UNSURE):
        return _on_list("unlabelled", None, brands)
    found = _on_list(said["answer"], said["brand"], brands)
    excluded = set(said["excluded"])
    if found["answer"] != Answer.BRAND and said["asked_about"] in brands:
        excluded.add(said["asked_about"])
    found |= {
        "excluded": sorted(excluded),
        "risk": said["risk"] or None,
        "attack": said["attack"] or None,
        "has_logo": said["has_logo"],
        "labelled_at": said["labelled_at"],
    }
    return _as_far_as_known(found, said["brand"], said["decided_at"], brands)


def _on_list(answer: str, brand: str | None, brands: Listed) -> dict[str, Any]:
    if answer == Answer.BRAND and brand not in brands:
        return {"answer": "other", "brand": None}
    return {"answer": answer, "brand": brand}


def _as_far_as_known(
    found: dict[str, Any], named: str | None, at: datetime, brands: Listed
) -> dict[str, Any]:
    """`other` said `at` a time, of a brand nobody named, may be any brand that came onto the list
    since: it rules out those known by then, and is no background. `none` stands: somebody looked
    and saw no brand, and without it a new brand would leave nothing to tell brands from."""
    if found["answer"] != Answer.OTHER or named is not None:
        return found
    known_then = {key for key, since in brands.items() if since <= at}
    if len(known_then) == len(brands):
        return found
    excluded = known_then.union(found.get("excluded") or ())
    return found | {"answer": "unlabelled", "excluded": sorted(excluded)}


def named_brand(known: Known) -> str | None:
    """The brand an image is said to show, on the list or not."""
    said = known.get(Task.Kind.BRAND)
    return known["weak_brand"] if said is None else said["brand"]


def other_columns(known: Known, brands: Listed) -> dict[str, Any]:
    """Trusted boxes of listed brands, and the trusted variation; null where not known."""
    boxes, arranged = (
        known.get(kind) or {"trusted": False} for kind in (Task.Kind.BOXES, Task.Kind.VARIATION)
    )
    found = boxes["boxes"] if boxes["trusted"] else None
    if found is not None:
        found = [box for box in found if box["brand"] in brands]
    variation = (arranged["variation"] or None) if arranged["trusted"] else None
    return {"boxes": found, "variation": variation}
