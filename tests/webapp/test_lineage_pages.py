"""Pages and API that answer: what a prediction was learned from, and what learned from a label."""

import math

import pytest
from django.urls import reverse
from pgvector import HalfVector
from rest_framework.test import APIClient

from active_learning import datasets, embeddings, exports, lineage
from active_learning.models import EmbeddingRun
from annotation.labels import Content, record_label
from annotation.models import EmbeddingSpace, GuidelineVersion, ImageVector
from tests.active_learning.factories import (
    DatasetExportFactory,
    DatasetVersionFactory,
    ModelVersionFactory,
    ReleaseFactory,
)
from tests.factories import BrandFactory, ImageFactory

pytestmark = pytest.mark.django_db
QUERIES = 15


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def acme(db):
    return BrandFactory(key="acme", name_en="Acme")


def direction(angle: float) -> list[float]:
    """A unit vector so far from the first axis, in radians."""
    return [math.cos(angle), math.sin(angle), *[0.0] * 126]


def say(image, by, **content):
    guideline = GuidelineVersion.objects.first()
    return record_label(
        image=image, kind="brand", content=Content(**content), source="labeler", by=by,
        guideline=guideline,
    )  # fmt: skip


def weak(brand, split="train"):
    return ImageFactory(split=split, weak_answer="brand", weak_brand=brand)


class World:
    """A wrong prediction on a test image; near it one image that somebody labelled, one known by
    the source's word, and, labelled since, one that the champion never learned."""

    def __init__(self, acme, labeler) -> None:
        GuidelineVersion.objects.create(brand=acme, number=2)
        self.wrong = weak(acme, split="closed")
        self.labelled, self.weak, self.later = weak(acme), weak(acme), ImageFactory(split="pool")
        self.label = say(self.labelled, labeler, answer="none")
        self.dataset = datasets.freeze_dataset()
        say(self.later, labeler, answer="brand", brand=acme)
        self.version = ModelVersionFactory(dataset=self.dataset, number=2)
        self.release = ReleaseFactory(number=4, classifier=self.version, state="champion")
        self.space = EmbeddingSpace.objects.create(model=self.version.artifact, state="serving")
        for angle, image in enumerate((self.labelled, self.weak, self.later), start=1):
            self.place(image, 0.1 * angle)
        self.place(weak(acme, split="open"), 0.01)  # test material is nobody's lesson

    def place(self, image, angle) -> None:
        vector = HalfVector(direction(angle))
        ImageVector.objects.create(image=image, space=self.space, vector=vector)


@pytest.fixture
def world(acme, people):
    return World(acme, people["labeler"])


@pytest.fixture
def api(people):
    client = APIClient()
    client.force_authenticate(people["operations"])
    return client


def test_an_image_without_an_embedding_says_so_and_offers_one(world, log_in):
    client = log_in("operations")
    address = reverse("image-lineage", args=[world.wrong.sha256])
    assert "This image has no embedding yet." in client.get(address).content.decode()
    client.post(reverse("image-embed", args=[world.wrong.sha256]), {"of": ""})
    run = EmbeddingRun.objects.get()
    assert (run.picture, run.space) == (world.wrong.file, world.space)
    assert "Embed it now" not in client.get(address).content.decode()
    run.state, run.metrics = "succeeded", {"vector": direction(0.0)}
    run.save()
    page = client.get(address).content.decode()
    assert "no embedding" not in page
    assert page.count('class="score"') == 3
    world.space.state = "retired"  # a vector of another space says nothing
    world.space.save()
    EmbeddingSpace.objects.create(model="newer", state="serving")
    assert "This image has no embedding yet." in client.get(address).content.decode()


def test_without_a_classifier_nothing_can_be_embedded(acme, log_in):
    image = weak(acme)
    client = log_in("ml_engineer")
    page = client.get(reverse("image-lineage", args=[image.sha256])).content.decode()
    assert "No classifier serves yet" in page
    assert "Embed it now" not in page


def test_a_prediction_is_answered_by_the_items_near_it_with_who_said_what(world, api, people):
    world.place(world.wrong, 0.0)
    answer = api.get(f"/api/image-lineage/{world.wrong.sha256}/?of=release-4").json()
    assert answer["models"] == ["classifier v2"]
    assert answer["missing"] == ""
    assert answer["image"]["learned"][0]["state"] == "absent"
    near = answer["nearest"]
    assert [row["image"] for row in near] == [
        world.labelled.sha256, world.weak.sha256, world.later.sha256,
    ]  # fmt: skip
    assert [row["learned"][0]["state"] for row in near] == ["trained", "trained", "absent"]
    assert [row["learned"][0]["weak"] for row in near] == [False, True, False]
    assert near[0]["similarity"] > near[1]["similarity"] > near[2]["similarity"]
    (said,) = near[0]["labels"]
    assert (said["id"], said["answer"], said["by"]) == (world.label.pk, "none", "labeler")
    assert (said["guideline"], said["counts"]) == ("Acme v2", True)
    assert said["learned_by"] == ["classifier v2"]
    assert near[1]["labels"] == []
    assert near[2]["labels"][0]["learned_by"] == []


def test_a_label_that_counts_no_more_is_still_named_where_a_model_learned_it(world, api, people):
    world.place(world.wrong, 0.0)
    record_label(
        image=world.labelled, kind="brand", content=Content(answer="other"), source="audit",
        by=people["operations"],
    )  # fmt: skip
    answer = api.get(f"/api/image-lineage/{world.wrong.sha256}/?of=classifier-2").json()
    told = {row["id"]: row["learned_by"] for row in answer["nearest"][0]["labels"]}
    assert told[world.label.pk] == ["classifier v2"]
    assert sorted(told.values()) == [[], ["classifier v2"]]


def test_a_detector_is_not_said_to_have_learned_a_brand_answer(world, api):
    ModelVersionFactory(kind="detector", number=3, dataset=world.dataset)
    answer = api.get(f"/api/image-lineage/{world.labelled.sha256}/?of=detector-3").json()
    assert answer["image"]["learned"][0]["state"] == "absent"


def test_what_was_frozen_before_lineage_was_kept_is_not_known(world, api):
    ModelVersionFactory(number=9, dataset=DatasetVersionFactory())
    answer = api.get(f"/api/image-lineage/{world.labelled.sha256}/?of=classifier-9").json()
    assert answer["image"]["learned"][0]["state"] == "not_known"
    for of in ("classifier-77", "nonsense", "release-x", "release-" + "9" * 30):
        place = f"/api/image-lineage/{world.labelled.sha256}/?of={of}"
        assert api.get(place).status_code == 404, of


def test_a_label_names_the_datasets_and_models_that_learned_from_it(world, api, log_in):
    second = datasets.freeze_dataset()
    ModelVersionFactory(number=5, dataset=second, parent=world.version)
    ModelVersionFactory(kind="detector", number=5, dataset=second)  # reads boxes alone
    told = api.get(f"/api/label-lineage/{world.label.pk}/").json()
    assert told["count"] == 2
    assert [(row["dataset"], row["state"], row["models"]) for row in told["results"]] == [
        (second.sha256, "in_train", ["classifier v5"]),
        (world.dataset.sha256, "in_train", ["classifier v2"]),
    ]
    assert [row["decided"] for row in told["results"]] == [True, True]
    page = log_in("ml_engineer").get(reverse("label-lineage", args=[world.label.pk]))
    assert "starts from classifier v2" in page.content.decode()


def test_a_label_of_a_validation_row_taught_nobody(world, api, acme, people):
    label = say(weak(acme, split="val"), people["labeler"], answer="none")
    ModelVersionFactory(dataset=datasets.freeze_dataset())
    (told,) = api.get(f"/api/label-lineage/{label.pk}/").json()["results"]
    assert (told["state"], told["models"]) == ("in_val", [])


def test_a_lineage_whose_file_is_gone_is_not_known_and_breaks_no_page(world, api, log_in):
    lineage.path_of(world.dataset).unlink()
    (told,) = api.get(f"/api/label-lineage/{world.label.pk}/").json()["results"]
    assert told["state"] == "not_known"
    page = log_in("operations").get(reverse("image-lineage", args=[world.labelled.sha256]))
    assert "not known" in page.content.decode()


def test_the_pages_take_few_queries_however_much_they_show(
    world, acme, people, log_in, django_assert_max_num_queries
):
    world.place(world.wrong, 0.0)
    for number in range(20):
        world.place(weak(acme), 0.2 + 0.01 * number)
        say(ImageFactory(), people["labeler"], answer="none")
        ModelVersionFactory(dataset=datasets.freeze_dataset())
    client = log_in("ml_engineer")
    last = DatasetVersionFactory._meta.model.objects.first()
    for address in (
        reverse("image-lineage", args=[world.wrong.sha256]),
        reverse("label-lineage", args=[world.label.pk]),
        reverse("dataset", args=[last.sha256]),
    ):
        with django_assert_max_num_queries(QUERIES, info=address):
            assert client.get(address).status_code == 200


def test_operations_see_a_dataset_and_its_exports_and_engineers_ask_for_them(world, log_in):
    address = reverse("dataset", args=[world.dataset.sha256])
    page = log_in("operations").get(address).content.decode()
    assert "labels by guideline version" in page.lower()
    assert "acme v2" in page
    assert 'name="format"' not in page
    assert "/models/classifier/2/" not in page
    engineer = log_in("ml_engineer")
    page = engineer.get(address).content.decode()
    assert 'name="format"' in page and "/models/classifier/2/" in page
    engineer.post(reverse("export-request", args=[world.dataset.sha256]), {"format": "csv"})
    part = engineer.get(address, headers={"HX-Request": "true", "HX-Target": "exports"})
    assert "hx-get=" in part.content.decode() and "<html" not in part.content.decode()
    assert log_in("labeler").get(address).status_code == 403


def test_a_dataset_shows_what_it_changed_with_pictures(world, log_in, people, acme):
    say(world.weak, people["labeler"], answer="none")
    dataset = datasets.freeze_dataset()
    page = log_in("ml_engineer").get(reverse("dataset", args=[dataset.sha256])).content.decode()
    assert "before: Acme" in page
    assert world.later.sha256 in page  # added
    assert f'href="/datasets/{world.dataset.sha256}/"' in page


def test_an_export_is_asked_for_handed_out_and_deleted_over_the_api(people, tmp_path):
    dataset = DatasetVersionFactory()
    client = APIClient()
    client.force_authenticate(people["ml_engineer"])
    asked = {"dataset": dataset.sha256, "format": "coco"}
    made = client.post("/api/dataset-exports/", asked)
    assert made.status_code == 201, made.content
    place = f"/api/dataset-exports/{made.json()['id']}/"
    assert client.get(f"{place}file/").status_code == 404
    assert client.delete(place).status_code == 409  # it is being made
    assert client.post(f"{place}cancel/").json()["state"] == "cancelled"
    assert client.post(f"{place}cancel/").status_code == 409
    assert client.delete(place).status_code == 204
    assert client.post("/api/dataset-exports/", asked | {"format": "pdf"}).status_code == 400
    done = DatasetExportFactory(dataset=dataset, state="succeeded", output=str(tmp_path))
    exports.file_of(done).write_bytes(b"PK")
    answer = client.get(f"/api/dataset-exports/{done.pk}/file/")
    assert b"".join(answer.streaming_content) == b"PK"
    assert answer["Content-Disposition"] == (
        f'attachment; filename="{dataset.sha256[:12]}-coco.zip"'
    )
    assert client.get(f"/api/dataset-exports/?dataset={dataset.sha256}").json()["count"] == 1
    client.force_authenticate(people["operations"])
    assert client.post("/api/dataset-exports/", asked).status_code == 403
    client.force_authenticate(people["labeler"])
    assert client.get("/api/dataset-exports/").status_code == 403


def test_the_embedding_of_one_image_is_a_job_of_its_own(world, people):
    run = embeddings.search_by_picture(file=world.wrong.file, by=people["operations"])
    assert (run.images, run.picture) == (1, world.wrong.file)


def test_a_fusion_learned_from_what_its_models_were_not_trained_on(world, api, acme, people):
    checked = weak(acme, split="val")
    label = say(checked, people["labeler"], answer="none")
    dataset = datasets.freeze_dataset()
    versions = [
        ModelVersionFactory(
            kind="fusion", number=number, dataset=dataset, metrics={"held_out": part}
        )
        for number, part in ((1, 0.0), (2, 1.0))
    ]

    def states(image):
        asked = (f"/api/image-lineage/{image.sha256}/?of={v.kind}-{v.number}" for v in versions)
        return [api.get(one).json()["image"]["learned"][0]["state"] for one in asked]

    assert states(checked) == ["trained", "trained"]
    assert states(world.labelled) == ["not_used", "trained"]  # the second's models held out all
    (told,) = api.get(f"/api/label-lineage/{label.pk}/").json()["results"]
    assert told["models"] == ["fusion v1", "fusion v2"]
    told = api.get(f"/api/label-lineage/{world.label.pk}/").json()["results"][0]
    assert (told["state"], told["models"]) == ("in_train", ["fusion v2"])
