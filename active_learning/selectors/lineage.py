"""Answers: which training items are like an image, who labelled them and which models learned from
them; and which datasets and models learned from a label."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils.translation import gettext as _

from active_learning import lineage
from active_learning.models import (
    DatasetVersion,
    EmbeddingRun,
    ModelKind,
    ModelVersion,
    Release,
)
from annotation import vectors
from annotation.cards import answer_text
from annotation.consensus import counting_labels
from annotation.models import EmbeddingSpace, Image, ImageVector, Label
from ml.models.samples import held_out

NEIGHBOURS = 12
CHOICES = 30  # releases, and versions, offered to ask about
TRAINING = (Image.Split.TRAIN, Image.Split.VAL)

# How a model's dataset holds an image. In `val` it chose when to stop and fitted calibration.
TRAINED, CHECKED, ABSENT, UNKNOWN = "trained", "checked", "absent", "not_known"
NOT_USED = "not_used"  # it is in the dataset, for other models
# Where in a dataset a label's row is.
IN_TRAIN, IN_VAL = "in_train", "in_val"


@dataclass(frozen=True)
class Learned:
    """What a model learned of an image: `rows` of its dataset's lineage, of the kinds of answer
    that such a model learns from."""

    version: ModelVersion
    state: str
    rows: Sequence[dict[str, Any]]

    @property
    def labels(self) -> set[int]:
        return {row["label"] for row in self.rows if row["label"] is not None}

    @property
    def weak(self) -> bool:
        """Whether it was the source's word that it learned."""
        return any(row["source"] == lineage.WEAK for row in self.rows)


@dataclass(frozen=True)
class Said:
    """A label in words. `counts`: it is in force; `by_models`: those that learned from it."""

    label: Label
    text: str
    counts: bool
    by_models: Sequence[ModelVersion]


@dataclass(frozen=True)
class Item:
    """An image with what models learned and people said of it."""

    image: Image
    similarity: float
    learned: Sequence[Learned]
    said: Sequence[Said]


@dataclass(frozen=True)
class Embedding:
    """An image's vector in the space that searches use. `run`: the last one asked for on this
    image alone."""

    space: EmbeddingSpace | None
    vector: Any | None
    run: EmbeddingRun | None


def models_asked(of: str) -> list[ModelVersion]:
    """The models named by `of`: `release-3`, `classifier-2`; the champion's where it is empty.

    Raises:
        Release.DoesNotExist, ModelVersion.DoesNotExist: there are none of that name.
    """
    kind, _dash, number = of.rpartition("-")
    if of and not (number.isdecimal() and len(number) < 10):
        raise Release.DoesNotExist(of)
    if of and kind != "release":
        return [ModelVersion.objects.select_related("dataset").get(kind=kind, number=int(number))]
    names = [f"{name}__dataset" for name in ModelKind.values]
    releases = Release.objects.select_related(*names)
    if of:
        found = releases.get(number=int(number))
    else:
        champion = releases.filter(state=Release.State.CHAMPION).first()
        if champion is None:
            return []
        found = champion
    return [version for name in ModelKind.values if (version := getattr(found, name))]


@dataclass(frozen=True)
class Choice:
    """A release or a model version that can be asked about, as `models_asked` takes it."""

    value: str
    text: str
    artifact: str = ""


def choices() -> list[Choice]:
    """What can be asked about: the newest releases, then the newest model versions."""
    releases = Release.objects.values_list("number", "state")[:CHOICES]
    versions = ModelVersion.objects.values_list("kind", "number", "artifact")[:CHOICES]
    return [
        Choice(
            f"release-{number}",
            _("release %(number)d (%(state)s)") % {"number": number, "state": _(state)},
        )
        for number, state in releases
    ] + [
        Choice(f"{kind}-{number}", f"{_(kind)} v{number}", artifact)
        for kind, number, artifact in versions
    ]


def embedding_of(image: Image) -> Embedding:
    """The image's vector: stored, or made because somebody asked for it."""
    serving = EmbeddingSpace.State.SERVING
    stored = (
        ImageVector.objects.filter(image=image, space__state=serving)
        .select_related("space")
        .first()
    )
    if stored is not None:
        return Embedding(stored.space, stored.vector, None)
    space = vectors.serving_space()
    if space is None:
        return Embedding(None, None, None)
    run = EmbeddingRun.objects.filter(space=space, picture=image.file).first()
    return Embedding(space, run.metrics.get("vector") if run else None, run)


def answers(
    *, image: Image, embedding: Embedding, versions: Sequence[ModelVersion]
) -> tuple[Item, list[Item]]:
    """The image itself, which may be a training item too, and the training items most like it, the
    nearest first; none without its embedding."""
    near = [(image, 1.0)]
    if embedding.space is not None and embedding.vector is not None:
        near += vectors.images_like(
            space=embedding.space,
            vector=embedding.vector,
            exclude=image,
            splits=TRAINING,
            limit=NEIGHBOURS,
        )
    learned = _learned([found for found, _similarity in near], versions)
    said = _said([found.pk for found, _similarity in near], learned)
    own, *others = (
        Item(found, similarity, learned[found.sha256], said.get(found.pk, []))
        for found, similarity in near
    )
    return own, others


def _learned(
    images: Collection[Image], versions: Sequence[ModelVersion]
) -> dict[str, list[Learned]]:
    """By sha256, what each model learned of it."""
    groups = {image.sha256: str(image.group_id) for image in images}
    hashes = set(groups)
    kept: dict[int, dict[str, list[dict]] | None] = {
        version.dataset_id: None for version in versions
    }
    for dataset in {version.dataset for version in versions}:
        kept[dataset.pk] = lineage.of_images(dataset, hashes)
    return {
        sha256: [
            _of_model(version, kept[version.dataset_id], sha256, group) for version in versions
        ]
        for sha256, group in groups.items()
    }


def _of_model(
    version: ModelVersion, kept: dict[str, list[dict]] | None, sha256: str, group: str
) -> Learned:
    if kept is None:
        return Learned(version, UNKNOWN, [])
    kinds = lineage.LEARNS_FROM[ModelKind(version.kind)]
    rows = [row for row in kept.get(sha256, []) if row["kind"] in kinds]
    if not rows:
        return Learned(version, ABSENT, [])
    if not _reads(version, rows[0]["split"], group):
        return Learned(version, NOT_USED, [])
    is_trained = version.kind == ModelKind.FUSION or rows[0]["split"] == Image.Split.TRAIN
    return Learned(version, TRAINED if is_trained else CHECKED, rows)


def _reads(version: ModelVersion, split: str, group: str) -> bool:
    """Whether a model has to do with a row of its dataset: a fusion is fitted on what its models
    were not trained on, `val` and where that is small the training groups they held out."""
    if version.kind != ModelKind.FUSION or split == Image.Split.VAL:
        return True
    return bool(held_out([group], version.metrics.get("held_out", 0.0))[0])


def _said(image_ids: Iterable[int], learned: dict[str, list[Learned]]) -> dict[int, list[Said]]:
    """By image, the labels in force and those that a model learned from, newest first."""
    taught = [(one.labels, one.version) for some in learned.values() for one in some]
    counting = counting_labels().filter(pk=OuterRef("pk"))
    ids = {pk for labels, _version in taught for pk in labels}
    rows = (
        Label.objects.filter(image__in=list(image_ids))
        .annotate(counts=Exists(counting))
        .select_related("brand", "by", "guideline__brand")
        .order_by("-pk")
    )
    found: dict[int, list[Said]] = {}
    for label in rows:
        if label.counts or label.pk in ids:
            by_models = [version for labels, version in taught if label.pk in labels]
            told = Said(label, answer_text(label), label.counts, by_models)
            found.setdefault(label.image_id, []).append(told)
    return found


@dataclass(frozen=True)
class Taught:
    """Whether a row of a dataset came from a label (`state`: IN_TRAIN, IN_VAL, ABSENT, UNKNOWN),
    whether it was the one that decided, and the models that learned from it there."""

    dataset: DatasetVersion
    state: str
    decided: bool
    models: Sequence[ModelVersion]


def datasets_since(label: Label) -> QuerySet[DatasetVersion]:
    """The datasets that may hold a label, newest first, with their models."""
    versions = ModelVersion.objects.select_related("parent").order_by("kind", "number")
    return (
        DatasetVersion.objects.filter(created_at__gte=label.created_at)
        .defer("counts", "changes", "brands")
        .prefetch_related(Prefetch("models", versions))
    )


def taught(*, label: Label, datasets: Iterable[DatasetVersion]) -> list[Taught]:
    """What of a label is in each of the datasets."""
    return [_taught(label, dataset) for dataset in datasets]


def _taught(label: Label, dataset: DatasetVersion) -> Taught:
    kept = lineage.of_images(dataset, {label.image.sha256})
    if kept is None:
        return Taught(dataset, UNKNOWN, False, [])
    rows = [row for row in kept.get(label.image.sha256, []) if row["label"] == label.pk]
    if not rows:
        return Taught(dataset, ABSENT, False, [])
    split, group = rows[0]["split"], str(label.image.group_id)
    readers = {kind for kind, kinds in lineage.LEARNS_FROM.items() if label.kind in kinds}
    models = [
        version
        for version in dataset.models.all()
        if version.kind in readers
        and (split == Image.Split.TRAIN or version.kind == ModelKind.FUSION)
        and _reads(version, split, group)
    ]
    state = IN_TRAIN if split == Image.Split.TRAIN else IN_VAL
    return Taught(dataset, state, rows[0]["decided"], models)


def labels() -> QuerySet[Label]:
    """Any label, in force or not, with all that its page shows."""
    counting = counting_labels().filter(pk=OuterRef("pk"))
    return Label.objects.annotate(counts=Exists(counting)).select_related(
        "image__product", "image__weak_brand", "brand", "by", "guideline__brand", "task",
        "superseded_by",
    )  # fmt: skip


def no_embedding(embedding: Embedding) -> str:
    """Why nothing is like an image; empty where its embedding is there."""
    if embedding.vector is not None:
        return ""
    if embedding.space is None:
        return _(
            "No classifier serves yet: none has been promoted, or its embeddings are being made."
        )
    return _("This image has no embedding yet.")
