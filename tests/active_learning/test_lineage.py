"""What a dataset knows of the labels its rows came from, and of what it changed."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from active_learning import datasets, lineage
from active_learning.models import DatasetVersion
from annotation.labels import Content, record_label
from annotation.models import Consensus, GuidelineVersion, Label
from ml.artifact import file_sha256
from tests.active_learning.factories import DatasetVersionFactory
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db

BOX = {"x1": 1.0, "y1": 2.0, "x2": 30.0, "y2": 40.0, "brand": "acme"}


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def acme():
    return BrandFactory(key="acme")


@pytest.fixture
def guideline(acme):
    return GuidelineVersion.objects.create(brand=acme, number=3)


@pytest.fixture
def anna(db):
    return User.objects.create_user("anna")


@pytest.fixture
def ben(db):
    return User.objects.create_user("ben")


def image(split="train", brand=None, **fields):
    answer = "brand" if brand else ""
    return ImageFactory(split=split, weak_answer=answer, weak_brand=brand, **fields)


def say(target, *, kind="brand", source="labeler", by=None, guideline=None, **content):
    return record_label(
        image=target,
        kind=kind,
        content=Content(**content),
        source=source,
        by=by,
        guideline=guideline,
    )


def origins(dataset, *images):
    found = lineage.of_images(dataset, {one.sha256 for one in images})
    return [found.get(one.sha256, []) for one in images]


def test_each_row_names_its_labels_with_person_and_guideline(acme, guideline, anna):
    target, weak = image(), image(split="val", brand=acme)
    label = say(target, answer="brand", brand=acme, by=anna, guideline=guideline)
    dataset = datasets.freeze_dataset()
    (told,), (word,) = origins(dataset, target, weak)
    assert told == {
        "sha256": target.sha256, "split": "train", "kind": "brand", "label": label.pk,
        "person": anna.pk, "guideline": guideline.pk, "source": "labeler", "decided": True,
    }  # fmt: skip
    assert (word["source"], word["label"], word["person"], word["split"]) == (
        "weak", None, None, "val",
    )  # fmt: skip
    assert dataset.counts["origin"] == {"labeler": 1, "weak": 1}
    assert dataset.counts["guideline"] == {"acme v3": 1}


def test_every_kind_of_answer_has_its_own_labels(acme, anna):
    target = image()
    labels = {
        "brand": say(target, answer="brand", brand=acme, by=anna),
        "boxes": say(target, kind="boxes", boxes=[BOX], by=anna),
        "variation": say(target, kind="variation", variation="collage", by=anna),
    }
    (told,) = origins(datasets.freeze_dataset(), target)
    assert {row["kind"]: row["label"] for row in told} == {
        kind: label.pk for kind, label in labels.items()
    }


def test_all_who_were_counted_are_named_and_who_decided_is_marked(acme, anna, ben):
    target = image()
    first = say(target, answer="brand", brand=acme, by=anna)
    second = say(target, answer="brand", brand=acme, by=ben)
    (told,) = origins(datasets.freeze_dataset(), target)
    assert [row["label"] for row in told] == [first.pk, second.pk]
    decided = Consensus.objects.get(image=target).decided_by_id
    assert [row["label"] for row in told if row["decided"]] == [decided]


def test_a_verdict_stands_alone_and_a_corrected_label_taught_nothing(acme, anna, ben):
    judged, corrected = image(), image()
    say(judged, answer="none", by=anna)
    verdict = say(judged, answer="brand", brand=acme, by=ben, source="audit")
    task = TaskFactory(image=corrected, state="pushed", remote_id=1)
    common = {"image": corrected, "kind": "brand", "task": task, "by": anna, "remote_id": 7}
    for number, answer in enumerate(("none", "other")):
        record_label(
            content=Content(answer=answer), source="labeler", remote_hash=str(number), **common
        )
    last = Label.objects.latest("pk")
    told = origins(datasets.freeze_dataset(), judged, corrected)
    assert [[row["label"] for row in rows] for rows in told] == [[verdict.pk], [last.pk]]


def test_what_is_not_in_the_manifest_is_not_in_the_lineage(acme, anna):
    unsure, boxed = image(brand=acme), image(brand=acme)
    say(unsure, answer="unsure", by=anna)
    say(boxed, answer="unsure", by=anna)
    say(boxed, kind="boxes", boxes=[], by=anna)
    told = origins(datasets.freeze_dataset(), unsure, boxed, image(split="closed", brand=acme))
    assert [[row["kind"] for row in rows] for rows in told] == [[], ["boxes"], []]


def test_a_version_frozen_again_keeps_its_name_and_its_first_lineage(acme, anna, ben):
    target = image()
    first = say(target, answer="none", by=anna)
    version = datasets.freeze_dataset()
    say(target, answer="none", by=ben)
    again = datasets.freeze_dataset()
    assert again == version
    assert DatasetVersion.objects.count() == 1
    assert [[row["label"] for row in rows] for rows in origins(again, target)] == [[first.pk]]


def test_the_file_is_named_by_its_hash_and_nothing_else_is_left(acme, settings):
    image(brand=acme)
    dataset = datasets.freeze_dataset()
    path = lineage.path_of(dataset)
    assert file_sha256(path) == dataset.lineage_sha256 == path.stem
    assert list(path.parent.iterdir()) == [path]


def test_a_version_of_before_has_no_lineage():
    assert lineage.of_images(DatasetVersionFactory(), {"a" * 64}) is None


def test_freezing_takes_as_many_queries_for_many_labels_as_for_one(acme, anna):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            datasets.freeze_dataset()
        return len(captured)

    say(image(), answer="none", by=anna)
    one = queries()
    for _ in range(20):
        say(image(), answer="none", by=anna)
    assert queries() == one


def test_one_image_is_found_without_reading_the_whole_lineage(tmp_path, monkeypatch):
    monkeypatch.setattr(lineage, "GROUP", 100)
    rows = [
        {"sha256": f"{number:064x}", "split": "train", "kind": "brand", "source": "weak"}
        for number in range(1000)
    ]
    name = lineage.write(pa.Table.from_pylist(rows, schema=lineage.SCHEMA))
    dataset = DatasetVersionFactory(path=str(tmp_path / "manifests" / "m"), lineage_sha256=name)
    assert pq.ParquetFile(lineage.path_of(dataset)).num_row_groups == 10
    wanted = {f"{number:064x}" for number in (3, 4, 2000)}
    assert lineage.of_images(dataset, wanted).keys() == {f"{number:064x}" for number in (3, 4)}


def test_a_version_tells_what_it_changed_against_its_parent(acme, anna):
    stays, corrected, boxed, gone = (image(brand=acme) for _ in range(4))
    assert datasets.freeze_dataset().changes == {}
    new = image(brand=acme)
    say(corrected, answer="none", by=anna)
    say(boxed, kind="boxes", boxes=[BOX], by=anna)
    say(gone, answer="unsure", by=anna)
    changes = datasets.freeze_dataset().changes
    assert {name: changes[name] for name in changes if name != "examples"} == {
        "added": 1, "removed": 1, "answers": 1, "boxes": 1, "variation": 0, "split": 0,
    }  # fmt: skip
    assert changes["examples"] == {
        "added": [new.sha256],
        "removed": [gone.sha256],
        "answers": [{"sha256": corrected.sha256, "before": "acme", "after": "none"}],
    }
    assert stays.sha256 not in str(changes)


def test_a_parent_whose_manifest_is_gone_does_not_stop_the_next(acme):
    parent = DatasetVersionFactory()
    image(brand=acme)
    dataset = datasets.freeze_dataset()
    assert (dataset.parent, dataset.changes) == (parent, {})
