"""Reads of guidelines: versions with all they say, in a bounded number of queries."""

from collections.abc import Iterable

from django.core.files.storage import default_storage
from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _

from annotation.ingest.decode import Refusal, decode
from annotation.models import (
    Brand,
    Feature,
    FeatureExample,
    GuidelineVersion,
    Image,
    ImageGroup,
    Label,
    Task,
)
from annotation.uploads import StoredPicture, UploadError

FOLDER = "guidelines"  # of the storage: example pictures that were uploaded


def versions() -> QuerySet[GuidelineVersion]:
    """Versions with brand, people, features and example pictures."""
    return GuidelineVersion.objects.select_related(
        "brand", "created_by", "submitted_by", "published_by"
    ).prefetch_related(Prefetch("features", Feature.objects.prefetch_related("examples")))


def history(*, brand: Brand) -> list[GuidelineVersion]:
    """All versions of a brand, newest first, each with its number of `points`."""
    return list(
        brand.guidelines.select_related("created_by", "published_by")
        .defer("rules", "not_violations")
        .annotate(points=Count("features", distinct=True))
        .order_by("-number")  # counting lets go of the model's own order
    )


def labels_made_under(*, version: GuidelineVersion) -> int:
    return Label.objects.filter(guideline=version).count()


def open_tasks_showing(*, version: GuidelineVersion) -> int:
    """Tasks that still wait for an answer and name this version."""
    states = (Task.State.WAITING, Task.State.PUSHING, Task.State.PUSHED)
    shown = Q(guideline=version) | Q(guidelines_shown__contains=[version.pk])
    return Task.objects.filter(shown, state__in=states).count()


def pictures(names: Iterable[str]) -> dict[str, tuple[str, int, int]]:
    """(name, width, height) by name of the pictures that an example may show: what was uploaded for
    guidelines, what one shows already, and the platform's own images but for those that models are
    tested on. Names of anything else, or of nothing, are left out."""
    wanted = set(names)
    found: dict[str, tuple[str, int, int]] = {}
    for rows in (
        _shareable().filter(file__in=wanted),
        FeatureExample.objects.filter(file__in=wanted),
    ):
        for file, width, height in rows.values_list("file", "width", "height"):
            found[file] = (file, width, height)
    for name in wanted - found.keys():
        if (picture := _uploaded(name)) is not None:
            found[name] = (picture.file, picture.width, picture.height)
    return found


def picked(*, sha256: str) -> StoredPicture:
    """An image of the platform by its hash, or by a beginning of it that names just one.

    Raises:
        UploadError: there is none, or its answer must not be given away.
    """
    named = (
        Image.objects.filter(sha256__startswith=sha256)
        if len(sha256) >= 8
        else Image.objects.none()
    )
    rows = list(named[:2])
    if len(rows) != 1:
        raise UploadError(_("No image has the hash “%(hash)s”.") % {"hash": sha256[:64]})
    [image] = rows
    if image.role != ImageGroup.Role.TRAINING:
        raise UploadError(
            _("This image is test material: labelers who are shown its answer would spoil it.")
        )
    return StoredPicture(image.file, image.width, image.height)


def _shareable() -> QuerySet[Image]:
    return Image.objects.filter(role=ImageGroup.Role.TRAINING)


def _uploaded(name: str) -> StoredPicture | None:
    """A picture in the guidelines' folder that no version shows yet."""
    if not name.startswith(f"{FOLDER}/") or ".." in name or not default_storage.exists(name):
        return None
    with default_storage.open(name) as file:
        try:
            picture = decode(file.read())
        except Refusal:
            return None
    return StoredPicture(name, picture.width, picture.height)
