"""Modified copies of an image over all products and merchants: finding them, and giving them its
verdict in one step.

Finding: candidates are the images nearest by embedding, the members of its group, and those whose
perceptual hash is near that of the image, its mirror image, its inside without a border, or one
of a few crops and borders of it; each candidate is then laid over the image (`ml.copies`).

A copied verdict is an audit label like any other, and known as copied by the flag that names it:
`Flag.copied_from` is set, on a flag of the release or, where none was raised, on a closed one
without a release that is there to say so. A verified copy joins the image's group, so that
training and validation never share a picture; a dataset is frozen without images whose brand is
known by a copied verdict alone (one picture, one example); test images never get one.
"""

import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image as Pillow
from PIL import ImageChops, ImageOps

from annotation import audit, review, vectors
from annotation.ingest.grouping import keep_together, merge_groups
from annotation.locks import advisory_lock
from annotation.models import Brand, Flag, Image, ImageCopy, Label
from annotation.models.image import ImageGroup
from annotation.models.label import Answer
from annotation.review import ReviewError, Verdict
from ml import phash
from ml.copies import Match, Prepared, compare, prepare

NEAREST = 40  # candidates by embedding
NEAR_HASHES = 60  # candidates by hash
GROUP_MEMBERS = 20
# Bits of 256. Wider than for near-duplicates: what is no copy is found out by laying over.
HASH_RADIUS = 64
BORDER_LEVELS = 24  # difference from a corner's colour, of 255, at which a border ends
CROPS = (0.7, 0.8, 0.9)
BORDERS = (0.06, 0.13, 0.22)
SEARCHED = 24 * 3600  # seconds that a finished search is remembered
# Longest name of a change that the table holds: the four most telling.
MOST_CHANGES = 4

NEAR = "SELECT id, phash FROM annotation_image WHERE phash_bands && %s::int[] AND id <> %s"


@dataclass(frozen=True)
class Found:
    """What a search came to: candidates looked at, and copies known after it."""

    candidates: int
    copies: int


def find_copies(*, image: Image) -> Found:
    """Look for copies of an image and write them down; what is known already is kept. Again:
    nothing new but what came since.

    Raises:
        FileNotFoundError: the image's own file is gone.
    """
    picture = _open(image.file)
    own = prepare(np.asarray(picture))
    ids = candidates(image=image, picture=picture)
    rows = []
    for other in Image.objects.filter(pk__in=ids).only("pk", "file"):
        match = _compare(own, other)
        if match is not None:
            rows.append(_pair(image.pk, other.pk, match))
    ImageCopy.objects.bulk_create(rows, ignore_conflicts=True)
    found = Found(candidates=len(ids), copies=copies_of(image=image).count())
    cache.set(_searched_key(image.pk), {"candidates": found.candidates}, SEARCHED)
    return found


def searched(*, images: Collection[Image]) -> dict[int, dict]:
    """By image id, of the last day's searches: `{"candidates"}` that were looked at."""
    keys = {_searched_key(image.pk): image.pk for image in images}
    return {keys[key]: value for key, value in cache.get_many(list(keys)).items()}


def _searched_key(pk: int) -> str:
    return f"copies:{pk}"


def copies_of(*, image: Image):
    """The known copies of an image, most alike first."""
    return ImageCopy.objects.filter(Q(image=image) | Q(other=image)).select_related(
        "image__product__merchant", "other__product__merchant"
    )


def candidates(*, image: Image, picture: Pillow.Image) -> set[int]:
    """Ids of images that may be copies."""
    ids = {other.pk for other, _similarity in vectors.nearest_images(image=image, limit=NEAREST)}
    members = Image.objects.filter(group=image.group_id).exclude(pk=image.pk)
    ids |= set(members.values_list("pk", flat=True)[:GROUP_MEMBERS])
    ids |= set(by_hash(picture=picture, exclude=image.pk))
    known = copies_of(image=image).values_list("image_id", "other_id")
    return ids - {pk for pair in known for pk in pair}


def by_hash(*, picture: Pillow.Image, exclude: int) -> list[int]:
    """Images within HASH_RADIUS of one of the picture's variants, the nearest first."""
    levels = [np.asarray(variant, np.float64) for variant in variants(picture)]
    hashes = [phash.perceptual_hash(grey) for grey in levels if not phash.is_plain(grey)]
    if not hashes:
        return []
    bands = sorted({band for digest in hashes for band in phash.bands(digest)})
    with transaction.atomic(), connection.cursor() as cursor:
        # As in ingest: the planner takes the comparison of two arrays for cheap.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(NEAR, [bands, exclude])
        hits = cursor.fetchall()
        cursor.execute("SET LOCAL enable_seqscan = on")
    if not hits:
        return []
    stored = phash.as_array([bytes(digest) for _, digest in hits])
    wanted = phash.as_array(hashes)
    nearest = np.min([phash.distances(stored, one) for one in wanted], axis=0)
    order = np.argsort(nearest, kind="stable")[:NEAR_HASHES]
    return [hits[i][0] for i in order if nearest[i] <= HASH_RADIUS]


def variants(picture: Pillow.Image) -> Iterator[Pillow.Image]:
    """What a copy may look like, or may have been made from, as hashes see it (SIDE x SIDE grey
    levels), each also mirrored."""
    grey = ImageOps.grayscale(picture)
    for shape in _shapes(grey):
        small = shape.resize((phash.SIDE, phash.SIDE), Pillow.Resampling.BILINEAR, reducing_gap=2.0)
        yield small
        yield ImageOps.mirror(small)


def _shapes(grey: Pillow.Image) -> Iterator[Pillow.Image]:
    yield grey
    trimmed = trim_border(grey)
    if trimmed is not grey:
        yield trimmed
    width, height = grey.size
    for share in CROPS:
        inner = round(width * share), round(height * share)
        steps = ((width - inner[0]) // 2, (height - inner[1]) // 2)
        for left in (0, steps[0], 2 * steps[0]):
            for top in (0, steps[1], 2 * steps[1]):
                yield grey.crop((left, top, left + inner[0], top + inner[1]))
    for share in BORDERS:
        for level in (255, 0):
            yield ImageOps.expand(grey, round(width * share), fill=level)


def trim_border(picture: Pillow.Image) -> Pillow.Image:
    """The picture without an even border of its top left corner's colour; itself when it has
    none, or is nothing else."""
    corner = Pillow.new(picture.mode, picture.size, picture.getpixel((0, 0)))
    difference = ImageChops.difference(picture, corner).convert("L")
    inside = difference.point(lambda level: 255 * (level > BORDER_LEVELS)).getbbox()
    whole = (0, 0, *picture.size)
    return picture if inside is None or inside == whole else picture.crop(inside)


def _compare(own: Prepared, other: Image) -> Match | None:
    try:
        picture = _open(other.file)
    except FileNotFoundError:
        return None  # gone from the storage: nothing is there to compare
    return compare(own, prepare(np.asarray(picture)))


def _open(file: str) -> Pillow.Image:
    with default_storage.open(file) as stored:
        data = stored.read()
    with Pillow.open(io.BytesIO(data)) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def _pair(one: int, other: int, match: Match) -> ImageCopy:
    return ImageCopy(
        image_id=min(one, other),
        other_id=max(one, other),
        change=",".join(match.changes[:MOST_CHANGES]),
        similarity=match.similarity,
    )


def same_verdict(*, image: Image, copy_ids: Collection[int], by: User) -> list[Label]:
    """Give copies of a decided image its verdict, one audit label each. Those that are test
    material, no known copies, or decided by an audit of their own are left alone.

    Raises:
        ReviewError: the image has no verdict, or none of these can be given it.
    """
    source = verdict_on(image=image)
    if source is None:
        raise ReviewError(_("Give this picture a verdict first."))
    verdict = Verdict(answer=source.answer, brand=source.brand, risk=source.risk)
    brand = _brand_in_question(image, verdict)
    if brand is None:
        raise ReviewError(_("No brand was in question here: judge the copies one by one."))
    # Groups are merged: no picture may come into one of them meanwhile.
    with advisory_lock("ingest", wait=True), transaction.atomic():
        fitting = undecided(image=image, copy_ids=copy_ids)
        if not fitting:
            raise ReviewError(_("None of these pictures can be given the verdict."))
        _join_groups([image, *fitting])
        at = timezone.now()
        labels = []
        for copy in fitting:
            copy.refresh_from_db()
            label = review.write_verdict(
                image=copy, verdict=verdict, by=by, why=f"copy of {image.sha256[:12]}"
            )
            closed = review.close_flags(
                image=copy, verdict=verdict, label=label, by=by, at=at, copied_from=image
            )
            if not closed:
                _say_where_from(brand, image, label, at)
            labels.append(label)
        audit.note(
            action="copy_verdict",
            subject=image,
            by=by,
            after={"images": [copy.sha256 for copy in fitting], "answer": verdict.answer},
        )
    return labels


def verdict_on(*, image: Image) -> Label | None:
    """The audit in force that settles an image's brand."""
    return (
        Label.objects.filter(
            image=image,
            kind="brand",
            source=Label.Source.AUDIT,
            superseded_by__isnull=True,
            retracted=False,
        )
        .exclude(answer=Answer.UNSURE)
        .select_related("brand", "by")
        .first()
    )


def undecided(*, image: Image, copy_ids: Collection[int]) -> list[Image]:
    """Of these images the known copies that may be given a verdict."""
    known = copies_of(image=image).values_list("image_id", "other_id")
    ids = {pk for pair in known for pk in pair} & set(copy_ids) - {image.pk}
    audited = Label.objects.filter(
        image__in=ids,
        kind="brand",
        source=Label.Source.AUDIT,
        superseded_by__isnull=True,
        retracted=False,
    ).exclude(answer=Answer.UNSURE)
    fitting = Image.objects.filter(pk__in=ids, role=ImageGroup.Role.TRAINING)
    return list(fitting.exclude(pk__in=audited.values("image")).order_by("pk"))


def _join_groups(images: Sequence[Image]) -> None:
    kept = merge_groups(group_ids={image.group_id for image in images})
    keep_together(group_ids=[kept])


def _brand_in_question(image: Image, verdict: Verdict) -> Brand | None:
    if verdict.brand is not None:
        return verdict.brand
    asked = Flag.objects.filter(image=image).select_related("brand").order_by("-decided_at").first()
    return asked.brand if asked else image.weak_brand


def _say_where_from(brand: Brand, source: Image, label: Label, at: datetime) -> None:
    """A closed flag for a copy that no release had flagged."""
    verdict = Verdict(answer=label.answer, brand=label.brand, risk=label.risk)
    flag = Flag(
        image=label.image,
        product_id=label.image.product_id,
        brand=brand,
        score=0,
        severity=0,
        risk=label.risk,
        evidence={"why": ["copy"]},
        release="",
        verdict=label,
        copied_from=source,
        decided_by=label.by,
        decided_at=at,
    )
    flag.state = verdict.settles(flag)
    flag.save()
