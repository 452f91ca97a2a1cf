"""The case library: found by words, by filters, and by likeness of the image."""

from collections.abc import Collection, Sequence

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from pgvector import HalfVector
from pgvector.django import MaxInnerProduct

from annotation import words
from annotation.models import (
    AuditEntry,
    Case,
    CaseConflict,
    GoldItem,
    Image,
)
from annotation.vectors import index_search, serving_space, vector_of_image

Found = list[tuple[Case, float]]  # with the cosine similarity, the nearest first
LIKE = 24  # cases shown as like a picture

# The nearest cases of many images, each by its own walk through the index.
NEAREST = """
SELECT own.image_id, near.case_id, near.similarity
FROM annotation_imagevector own
JOIN annotation_image shown ON shown.id = own.image_id
CROSS JOIN LATERAL (
    SELECT other.case_id, -(other.vector <#> own.vector) AS similarity
    FROM annotation_casevector other
    JOIN annotation_case c ON c.id = other.case_id AND c.state = 'active'
    JOIN annotation_image pictured ON pictured.id = c.image_id
    WHERE other.space_id = own.space_id AND pictured.group_id <> shown.group_id
      AND NOT EXISTS (
        SELECT 1 FROM annotation_golditem gold
        JOIN annotation_image hidden ON hidden.id = gold.image_id
        WHERE gold.state = 'active' AND hidden.group_id = pictured.group_id
      )
    ORDER BY other.vector <#> own.vector
    LIMIT %s
) near
WHERE own.space_id = %s AND own.image_id = ANY(%s)
ORDER BY own.image_id, near.similarity DESC
"""


def cases() -> QuerySet[Case]:
    """Cases with all that a card shows, newest first."""
    return Case.objects.select_related(
        "image__product", "brand", "guideline__brand", "approved_by", "replaced_by"
    ).defer("words")


def readable_cases() -> QuerySet[Case]:
    """What labelers may read: active cases, and none that would tell them a gold answer."""
    gold = GoldItem.objects.filter(
        state=GoldItem.State.ACTIVE, image__group=OuterRef("image__group")
    )
    return cases().filter(~Exists(gold), state=Case.State.ACTIVE)


def search(queryset: QuerySet[Case], text: str) -> QuerySet[Case]:
    """Cases in which every word of `text` occurs; all of them when it holds no word."""
    asked = words.query(text)
    return queryset if asked is None else queryset.filter(words=asked)


def like_vector(
    *, queryset: QuerySet[Case], vector: HalfVector | Sequence[float], limit: int = LIKE
) -> Found:
    """The cases of `queryset` whose images are most like a vector of the serving space."""
    space = serving_space()
    if space is None:
        return []
    if not isinstance(vector, HalfVector):
        vector = HalfVector(list(vector))
    distance = MaxInnerProduct("vectors__vector", vector)
    with index_search():
        found = list(
            queryset.filter(vectors__space=space)
            .order_by(distance)
            .values_list("pk", distance)[:limit]
        )
    shown = cases().in_bulk([pk for pk, _distance in found])
    return [(shown[pk], -distance) for pk, distance in found]


def like_image(*, queryset: QuerySet[Case], image: Image, limit: int = LIKE) -> Found:
    """As `like_vector`, for an image of the platform; empty while it has no vector."""
    vector = vector_of_image(image=image)
    return [] if vector is None else like_vector(queryset=queryset, vector=vector, limit=limit)


def nearest_cases(*, image: Image, limit: int = 3, exclude_group: bool = True) -> Found:
    """Active cases most like an image, those of its own group left out unless told otherwise.
    Empty while the image has no vector."""
    queryset = Case.objects.filter(state=Case.State.ACTIVE)
    if exclude_group:
        queryset = queryset.exclude(image__group=image.group_id)
    return like_image(queryset=queryset, image=image, limit=limit)


def nearest_cases_of(*, image_ids: Collection[int], limit: int = 3) -> dict[int, Found]:
    """Active cases most like each of the images, by image id, as labelers may see them: never of
    the image's own group, nor of a gold item's. In three queries, however many images; an image
    without a vector has none."""
    space = serving_space()
    if space is None or not image_ids:
        return {}
    with index_search(), connection.cursor() as cursor:
        cursor.execute(NEAREST, [limit, space.pk, list(image_ids)])
        rows = cursor.fetchall()
    known = cases().in_bulk({case_id for _image, case_id, _similarity in rows})
    nearest: dict[int, Found] = {}
    for image_id, case_id, similarity in rows:
        nearest.setdefault(image_id, []).append((known[case_id], similarity))
    return nearest


def history(*, case: Case) -> QuerySet[AuditEntry]:
    """Every change to a case, newest first."""
    return AuditEntry.objects.filter(subject_type="case", subject_id=str(case.pk)).select_related(
        "by"
    )


def contradictions() -> QuerySet[CaseConflict]:
    """Undecided ones between active cases, the most alike first."""
    return (
        CaseConflict.objects.filter(
            dismissed_at__isnull=True,
            first__state=Case.State.ACTIVE,
            second__state=Case.State.ACTIVE,
        )
        .select_related(
            "first__image__product",
            "first__brand",
            "first__guideline__brand",
            "first__approved_by",
            "second__image__product",
            "second__brand",
            "second__guideline__brand",
            "second__approved_by",
        )
        .order_by("-similarity", "-pk")
    )
