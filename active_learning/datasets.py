"""What models read: the frozen training material, the pool, and the frozen test sets."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from active_learning import lineage, manifests
from active_learning.dataset_changes import changes_since
from active_learning.manifests import Known, Listed
from active_learning.models import DatasetCoverage, DatasetVersion, ModelKind, Selection
from active_learning.rightness import LeftOut
from annotation.models import Consensus, Flag, Image, Label, Task
from annotation.models.image import LEARNED_SPLITS, TRAINING_SPLITS
from annotation.tasking import OPEN
from ml.manifest import VARIATIONS, Manifest

BUSY = (*OPEN, Task.State.ANSWERED)


def freeze_dataset() -> DatasetVersion:
    """Freeze what is known of the images of `train` and `val`: the sources' word, and above it
    the trusted answers. What nobody can vouch for is left out, and the word of sources that is too
    often wrong; which and why is kept.

    The same labels give the same version, whoever asks and however often; its lineage is that of
    the first time. Labels that changed nothing are covered by it from then on.
    """
    # Taken first: a label that lands while the images are read may be in, and counts as new.
    labels_until = Label.objects.aggregate(last=Max("pk"))["last"] or 0
    origins, left_out = lineage.Draft(), LeftOut()

    def to_row(known: Known, brands: Listed) -> dict[str, Any] | None:
        row = _training_row(_believed(known, left_out), brands)
        if row is not None:
            origins.add(known, row)
        return row

    manifest = manifests.build(_training_images(), to_row, with_labels=True)
    version = DatasetVersion.objects.filter(sha256=manifest.sha256).first()
    if version is not None:
        DatasetCoverage.objects.update_or_create(
            dataset=version, defaults={"labels_until": labels_until}
        )
    return version or _create(manifest, origins.table(), labels_until, left_out.as_json())


def _create(
    manifest: Manifest, origins: pa.Table, labels_until: int, left_out: list[dict]
) -> DatasetVersion:
    parent = DatasetVersion.objects.first()
    # Somebody who froze the same at the same moment may have been first: theirs stands.
    version, _ = DatasetVersion.objects.get_or_create(
        sha256=manifest.sha256,
        defaults={
            "path": str(manifest.path),
            "rows": len(manifest),
            "counts": count_rows(manifest) | lineage.count_origins(origins),
            "brands": manifests.listed_brands(),
            "labels_until": labels_until,
            "lineage_sha256": lineage.write(origins),
            "changes": changes_since(parent, manifest),
            "left_out": left_out,
            "parent": parent,
        },
    )
    return version


def training_manifest(*, without: Collection[int] = ()) -> Manifest:
    """What is known of the images of `train` and `val`, but for some by id."""
    left_out = LeftOut()
    return manifests.build(
        _training_images().exclude(pk__in=without),
        lambda known, brands: _training_row(_believed(known, left_out), brands),
    )


def _believed(known: Known, left_out: LeftOut) -> Known:
    """What is known, without the source's word where that may not train unseen."""
    weak = known["weak_answer"]
    if Task.Kind.BRAND in known or not weak:
        return known
    if not left_out.takes(known["source"], known["weak_brand"]):
        return known
    return {**known, "weak_answer": "", "weak_brand": None}


def _training_images() -> QuerySet[Image]:
    return Image.objects.filter(~known_by_copy(), split__in=LEARNED_SPLITS)


def image_manifest(*, image_ids: Collection[int]) -> Manifest:
    """What is known of some images, whatever their split, also of those of which nothing is."""
    return manifests.build(Image.objects.filter(pk__in=image_ids), _known_row)


def known_by_copy() -> Exists:
    """On images: whether all that is known of the brand is a verdict copied from another picture.
    One picture is one example, however many sellers took it."""
    return Exists(
        Consensus.objects.filter(
            image=OuterRef("pk"),
            kind=Task.Kind.BRAND,
            decided_by__flags__copied_from__isnull=False,
        )
    )


def _known_row(known: Known, brands: Listed) -> dict[str, Any]:
    return (
        manifests.context(known)
        | manifests.brand_columns(known, brands)
        | manifests.other_columns(known, brands)
    )


def _training_row(known: Known, brands: Listed) -> dict[str, Any] | None:
    row = _known_row(known, brands)
    is_answered = row["answer"] != "unlabelled" or bool(row.get("excluded"))
    return row if is_answered or row["boxes"] is not None or row["variation"] else None


def count_rows(manifest: Manifest) -> dict[str, Any]:
    """Rows by split, answer, source and brand; and of the training rows alone those by brand,
    those without one (`background`), with boxes (`boxed`, by brand of the box), by variation."""
    train = manifest.rows(Image.Split.TRAIN)
    answers = Counter(train["answer"].to_pylist())
    boxed: Counter[str] = Counter()
    for boxes in train["boxes"].drop_null().to_pylist():
        boxed.update({box["brand"] for box in boxes})
    return {
        name: _count(manifest.table[name]) for name in ("split", "answer", "source", "brand")
    } | {
        "train": {
            "brand": _count(train["brand"]),
            "background": answers["none"] + answers["other"],
            "boxed": dict(sorted(boxed.items())),
            "variation": _count(train["variation"]),
            "titled": _titled(train),
        }
    }


def _titled(train: pa.Table) -> dict[str, int]:
    """By brand, training rows with a title; "" has those that show none of the list."""
    has = pc.not_equal(pc.utf8_trim_whitespace(train["title"]), "")
    titled = train.filter(pc.fill_null(has, False))
    counts = Counter(
        row["brand"] or ""
        for row in titled.select(["answer", "brand"]).to_pylist()
        if row["answer"] != "unlabelled"
    )
    return dict(sorted(counts.items()))


def _count(column) -> dict[str, int]:
    counted = pc.value_counts(column.drop_null()).to_pylist()
    return dict(sorted((row["values"], row["counts"]) for row in counted))


def trainable_brands(dataset: DatasetVersion, kind: str = ModelKind.CLASSIFIER.value) -> list[str]:
    """Brands with the two training images, or titles for a text model, that a model needs of each
    of its classes."""
    train = dataset.counts["train"]
    # Datasets of before there were text models do not count titles.
    brands = train.get("titled", {}) if kind == ModelKind.TEXT else train["brand"]
    return sorted(brand for brand, images in brands.items() if brand and images >= 2)


def has_material(dataset: DatasetVersion, kind: str) -> bool:
    """Whether a model of this kind can be trained on the dataset at all."""
    train = dataset.counts["train"]
    if kind == ModelKind.CLASSIFIER:
        return bool(trainable_brands(dataset)) and train["background"] > 0
    if kind == ModelKind.TEXT:
        return bool(trainable_brands(dataset, kind)) and train["titled"].get("", 0) > 0
    if kind == ModelKind.DETECTOR:
        return any(images >= 2 for images in train["boxed"].values())
    return all(train["variation"].get(name, 0) >= 2 for name in VARIATIONS)


def pool_manifest() -> Manifest:
    """The pool, but for images whose group has an open or an answered task: one question is
    enough for near-duplicates."""
    asked = Task.objects.filter(image__group=OuterRef("group"), state__in=BUSY)
    images = Image.objects.filter(~Exists(asked), split=Image.Split.POOL)
    return manifests.build(images, _pool_row)


def _pool_row(known: Known, brands: Listed) -> dict[str, Any]:
    return manifests.context(known) | {"answer": "unlabelled"}


def fresh_images(*, since: datetime, until: datetime) -> QuerySet[Image]:
    """Images that came into the pool in that time. Those asked about or flagged since are in: they
    were taken out of the pool because a model thought much of them."""
    chosen = Selection.objects.filter(task__image=OuterRef("pk"))
    flagged = Flag.objects.filter(image=OuterRef("pk"))
    was_there = Q(split=Image.Split.POOL) | Exists(chosen) | Exists(flagged)
    return Image.objects.filter(
        was_there, split__in=TRAINING_SPLITS, created_at__gt=since, created_at__lte=until
    )


def fresh_manifest(*, since: datetime, until: datetime) -> Manifest:
    """`fresh_images`, as if they were all still in the pool."""
    return manifests.build(fresh_images(since=since, until=until), _fresh_row)


def _fresh_row(known: Known, brands: Listed) -> dict[str, Any]:
    return _pool_row(known, brands) | {"split": Image.Split.POOL.value}


def evaluation_manifest() -> Manifest:
    """The closed, open and business sets as they are known now. A closed or business image of a
    brand that is not on the list, or of which nothing is known, is left out."""
    splits = (Image.Split.CLOSED, Image.Split.OPEN, Image.Split.BUSINESS)
    return manifests.build(Image.objects.filter(split__in=splits), _evaluation_row)


def _evaluation_row(known: Known, brands: Listed) -> dict[str, Any] | None:
    if known["split"] == Image.Split.OPEN:
        return _known_row(known, brands)
    brand = manifests.named_brand(known)
    return _training_row(known, brands) if brand is None or brand in brands else None
