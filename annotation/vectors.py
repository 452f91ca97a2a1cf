"""Embeddings in the database. Vectors of one space only can be compared; while the space of a new
classifier is being filled, the one before it goes on serving."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from django.db import connection, transaction
from django.db.models.functions import Now
from pgvector import HalfVector
from pgvector.django import MaxInnerProduct

from annotation.models import CaseVector, EmbeddingSpace, Image, ImageVector
from annotation.models.vector import VECTOR_LENGTH

SEED = 20_176_001  # of the projection: another one would make stored vectors meaningless
EF_SEARCH = 100  # candidates the index keeps; recall against exact search is in docs/benchmarks.md
BATCH = 500

# Cases whose image has a vector in the space get the same one.
COPY_TO_CASES = """
INSERT INTO annotation_casevector (case_id, space_id, vector, compared)
SELECT cases.id, own.space_id, own.vector, false
FROM annotation_case cases
JOIN annotation_imagevector own ON own.image_id = cases.image_id AND own.space_id = %s
WHERE (%s OR cases.image_id = ANY(%s::bigint[])) AND NOT EXISTS (
    SELECT 1 FROM annotation_casevector had
    WHERE had.case_id = cases.id AND had.space_id = own.space_id
)
ON CONFLICT DO NOTHING
"""


class VectorError(Exception):
    """An embedding or a space that cannot be used."""


def vector_of(embedding: Sequence[float]) -> list[float]:
    """An embedding at the length the database holds, L2-normalised.

    Shorter ones are padded with zeros, which leaves every inner product as it was. Longer ones
    are projected onto VECTOR_LENGTH fixed orthonormal directions; the cosine between two of them
    is then kept approximately (its error is about 1/√VECTOR_LENGTH, less for close ones).

    Raises:
        VectorError: it is empty, zero, or not finite.
    """
    values = np.asarray(embedding, dtype=np.float64)
    if values.ndim != 1:
        raise VectorError("an embedding is a list of finite numbers")
    vector = vectors_of(values[None])[0]
    if not vector.any():
        raise VectorError("an embedding of zeros has no direction")
    return vector.tolist()


def vectors_of(embeddings: np.ndarray) -> np.ndarray:
    """(n, VECTOR_LENGTH) of (n, d): `vector_of` for each row, but that zeros stay zeros, which are
    like nothing.

    Raises:
        VectorError: they are empty or not finite.
    """
    values = np.asarray(embeddings, dtype=np.float64)
    if not values.shape[1] or not np.isfinite(values).all():
        raise VectorError("an embedding is a list of finite numbers")
    if values.shape[1] > VECTOR_LENGTH:
        values = values @ _directions(values.shape[1])
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    unit = values / np.where(lengths == 0, 1.0, lengths)
    return np.pad(unit, ((0, 0), (0, VECTOR_LENGTH - values.shape[1])))


@lru_cache(maxsize=4)
def _directions(length: int) -> np.ndarray:
    """Orthonormal columns [length, VECTOR_LENGTH], the same for ever."""
    # RandomState's stream is frozen, that of newer generators may change with NumPy.
    drawn = np.random.RandomState(SEED).standard_normal((length, VECTOR_LENGTH))
    found, upper = np.linalg.qr(drawn)
    return found * np.sign(np.diag(upper))  # else the signs hang on the linear algebra library


def serving_space() -> EmbeddingSpace | None:
    """The space that searches use; None before the first one is filled."""
    return EmbeddingSpace.objects.filter(state=EmbeddingSpace.State.SERVING).first()


def open_space(*, model: str) -> EmbeddingSpace:
    """The space of a classifier (its folder): new, or a retired one to be filled again."""
    space, made = EmbeddingSpace.objects.get_or_create(model=model)
    if not made and space.state == EmbeddingSpace.State.RETIRED:
        space.state = EmbeddingSpace.State.FILLING
        space.save(update_fields=["state"])
    return space


def serve_space(*, space: EmbeddingSpace) -> None:
    """Have a filled space serve instead of the one that does, in one step."""
    with transaction.atomic():
        serving = EmbeddingSpace.objects.select_for_update().filter(
            state=EmbeddingSpace.State.SERVING
        )
        serving.exclude(pk=space.pk).update(state=EmbeddingSpace.State.RETIRED)
        moved = EmbeddingSpace.objects.filter(
            pk=space.pk, state=EmbeddingSpace.State.FILLING
        ).update(state=EmbeddingSpace.State.SERVING, served_at=Now())
        if not moved:
            raise VectorError(f"{space} is not being filled")
        # Cases that came while the last batch was on its way.
        copy_to_cases(space=space)
    space.refresh_from_db()


def store_vectors(*, space: EmbeddingSpace, embeddings: Mapping[int, Sequence[float]]) -> int:
    """Write embeddings by image id, and those of the images' cases; what is there already stays.
    Returns how many were given.

    Raises:
        VectorError: one of them cannot be used; nothing is written then.
    """
    rows = [
        ImageVector(image_id=image_id, space=space, vector=HalfVector(vector_of(embedding)))
        for image_id, embedding in embeddings.items()
    ]
    with transaction.atomic():
        ImageVector.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
        copy_to_cases(space=space, image_ids=list(embeddings))
    return len(rows)


def copy_to_cases(*, space: EmbeddingSpace, image_ids: Sequence[int] | None = None) -> int:
    """Give cases (of these images alone, if named) the vectors of their images. Returns how many
    got one."""
    with connection.cursor() as cursor:
        cursor.execute(COPY_TO_CASES, [space.pk, image_ids is None, list(image_ids or ())])
        return cursor.rowcount


def delete_vectors(*, space: EmbeddingSpace, limit: int) -> int:
    """Delete some vectors of a retired space. Returns how many; 0 when none is left."""
    deleted = 0
    for model in (CaseVector, ImageVector):
        rows = model._default_manager.filter(space=space).order_by()
        ids = list(rows.values_list("pk", flat=True)[: limit - deleted])
        # Nothing hangs on a vector: no need to collect what else goes.
        deleted += model._default_manager.filter(pk__in=ids)._raw_delete("default") if ids else 0
    return deleted


@contextmanager
def index_search() -> Iterator[None]:
    """Searches by vector inside use the index well: it goes on looking, in strict order, until
    enough of what it finds fits the filters."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('hnsw.iterative_scan', 'strict_order', true),"
                " set_config('hnsw.ef_search', %s, true)",
                [str(EF_SEARCH)],
            )
        yield


def vector_of_image(*, image: Image) -> HalfVector | None:
    """An image's vector in the serving space, if it has one."""
    return (
        ImageVector.objects.filter(image=image, space__state=EmbeddingSpace.State.SERVING)
        .values_list("vector", flat=True)
        .first()
    )


def nearest_images(*, image: Image, limit: int = 20) -> list[tuple[Image, float]]:
    """Other images most like this one, each with its cosine similarity, the nearest first; empty
    when the image has no vector yet."""
    space, vector = serving_space(), vector_of_image(image=image)
    if space is None or vector is None:
        return []
    return images_like(space=space, vector=vector, exclude=image, limit=limit)


def images_like(
    *,
    space: EmbeddingSpace,
    vector: HalfVector | Sequence[float],
    exclude: Image,
    splits: Collection[str] = (),
    limit: int = 20,
) -> list[tuple[Image, float]]:
    """Images most like a vector of the space, each with its cosine similarity, the nearest first.

    Args:
        splits: of these alone, where some are named.
    """
    if not isinstance(vector, HalfVector):
        vector = HalfVector(list(vector))
    rows = ImageVector.objects.filter(space=space).exclude(image=exclude)
    if splits:
        rows = rows.filter(image__split__in=splits)
    distance = MaxInnerProduct("vector", vector)
    with index_search():
        found = list(rows.order_by(distance).values_list("image_id", distance)[:limit])
    images = Image.objects.select_related("product", "weak_brand").in_bulk([pk for pk, _ in found])
    return [(images[pk], -distance) for pk, distance in found]
