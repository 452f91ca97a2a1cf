"""Embeddings in the database: their length, their spaces, and what is nearest."""

import math

import numpy as np
import pytest

from annotation import vectors
from annotation.models import CaseVector, EmbeddingSpace, ImageVector
from annotation.vectors import VectorError
from tests.annotation.case_rows import direction, make_case, make_space
from tests.factories import ImageFactory

pytestmark = pytest.mark.django_db


def cosine(a, b):
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_shorter_embeddings_are_padded_and_keep_every_inner_product():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 48))
    own, other = vectors.vector_of(a), vectors.vector_of(b)
    assert len(own) == 128
    assert np.dot(own, other) == pytest.approx(cosine(a, b), abs=1e-9)


def test_longer_ones_are_projected_the_same_way_for_ever_and_stay_about_as_alike():
    rng = np.random.default_rng(0)
    base = rng.standard_normal(512)
    pairs = [(base, base + 0.4 * rng.standard_normal(512)) for _ in range(50)]
    errors = []
    for a, b in pairs:
        own, other = vectors.vector_of(a), vectors.vector_of(b)
        assert np.linalg.norm(own) == pytest.approx(1)
        errors.append(abs(np.dot(own, other) - cosine(a, b)))
    assert max(errors) < 0.1
    # For ever: another projection would make stored vectors meaningless.
    first = vectors.vector_of(np.eye(1, 512)[0])[:3]
    assert first == pytest.approx([-0.0356465, 0.0683743, 0.0052006], abs=1e-6)


@pytest.mark.parametrize("embedding", [[], [0.0, 0.0], [math.nan, 1.0], [[1.0]]])
def test_what_has_no_direction_is_refused(embedding):
    with pytest.raises(VectorError):
        vectors.vector_of(embedding)


def test_storing_twice_changes_nothing_and_cases_get_their_images_vector():
    space, case = make_space(), make_case()
    for _ in range(2):
        assert vectors.store_vectors(space=space, embeddings={case.image_id: direction(3)}) == 1
    assert ImageVector.objects.count() == CaseVector.objects.count() == 1


def test_the_nearest_images_come_nearest_first_and_of_the_serving_space_alone():
    serving, filling = make_space(), make_space(state="filling")
    image, near, far, elsewhere = ImageFactory.create_batch(4)
    stored = {image.pk: direction(0), near.pk: direction(0, 1, 0.2), far.pk: direction(5)}
    vectors.store_vectors(space=serving, embeddings=stored)
    vectors.store_vectors(space=filling, embeddings={elsewhere.pk: direction(0)})
    found = vectors.nearest_images(image=image, limit=5)
    assert [other.pk for other, _similarity in found] == [near.pk, far.pk]
    assert found[0][1] == pytest.approx(1 / math.sqrt(1 + 0.2**2), abs=2e-3)
    assert vectors.nearest_images(image=elsewhere) == []


def test_spaces_change_places_in_one_step_and_only_a_filling_one_can_serve():
    old, new = make_space(), make_space(state="filling")
    case = make_case()
    vectors.store_vectors(space=new, embeddings={case.image_id: direction(1)})
    late = make_case(image=case.image)
    CaseVector.objects.filter(case=late, space=new).delete()
    vectors.serve_space(space=new)
    old.refresh_from_db()
    assert (old.state, new.state) == ("retired", "serving")
    assert new.served_at
    assert CaseVector.objects.filter(case=late, space=new).exists(), "came while it was filled"
    with pytest.raises(VectorError):
        vectors.serve_space(space=old)
    assert vectors.serving_space() == new


def test_a_retired_space_is_emptied_bit_by_bit_and_may_be_filled_again():
    space = make_space(state="retired")
    images = ImageFactory.create_batch(5)
    make_case(image=images[0])
    vectors.store_vectors(
        space=space, embeddings={image.pk: direction(i) for i, image in enumerate(images)}
    )
    deleted = []
    while count := vectors.delete_vectors(space=space, limit=2):
        deleted.append(count)
    assert sum(deleted) == 6
    assert max(deleted) <= 2
    again = vectors.open_space(model=space.model)
    assert (again.pk, again.state) == (space.pk, EmbeddingSpace.State.FILLING)
