"""Filling the space of a new champion: from its scans, by children, and changing places."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import connection
from PIL import Image as Picture

from active_learning import embeddings, jobs, promotion, supervision
from active_learning.embeddings import EmbeddingError
from active_learning.models import EmbeddingRun
from annotation import vectors
from annotation.models import CaseVector, EmbeddingSpace, ImageVector
from annotation.selectors import cases as selectors
from tests.active_learning.factories import ModelVersionFactory, ReleaseFactory, ScanFactory
from tests.active_learning.test_jobs import lapse
from tests.active_learning.test_supervision import wait_for
from tests.annotation.case_rows import direction, make_case
from tests.factories import ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db

# Stands in for `python -m ml embed`: what an image is called decides its vector.
CHILD = """
import sys, time, os
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
images, out, mode, progress = sys.argv[1:4] + sys.argv[5:6]
(manifest,) = Path(images).glob("*.parquet")
rows = pq.read_table(manifest)
Path(out).parent.joinpath("started").touch()
if mode == "hang":
    time.sleep(60)
if mode == "bad":
    print("error: no such model", file=sys.stderr)
    sys.exit(2)
names = rows["sha256"].to_pylist()
found = [None if "lost" in file else [float(int(name[:4], 16)), 1.0, 5000.0]
         for name, file in zip(names, rows["image"].to_pylist())]
table = pa.table({"sha256": names, "embedding": pa.array(found, pa.list_(pa.float32()))})
pq.write_table(table, out)
"""


@pytest.fixture(autouse=True)
def _home(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path / "data"
    cache.clear()
    monkeypatch.setattr(supervision, "POLL_SECONDS", 0.05)


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Runs in place of the real model; `child("hang")` and the like say how."""
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    mode = ["work"]

    def command(run):
        folder = Path(run.output)
        argv = [
            sys.executable,
            str(script),
            str(folder / "images"),
            str(folder / "embeddings.parquet"),
        ]
        return [*argv, mode[0]]

    monkeypatch.setattr(embeddings, "command", command)
    return lambda name: mode.__setitem__(0, name)


def crown(artifact: str):
    """Make a release with this classifier the champion."""
    version = ModelVersionFactory(artifact=artifact)
    return promotion.promote(release=ReleaseFactory(classifier=version), by=None, why="test")


def work(most: int = 20) -> None:
    """What beat and workers do, until nothing is left."""
    for _ in range(most):
        more = embeddings.fill()
        waiting = EmbeddingRun.objects.filter(state="queued")
        for run in waiting:
            embeddings.run(run_id=run.pk)
        if not more and not waiting:
            return
    raise AssertionError("it never comes to an end")


def states() -> dict[str, str]:
    return dict(EmbeddingSpace.objects.values_list("model", "state"))


def test_nothing_happens_without_a_champion():
    make_case()
    assert embeddings.fill() is False
    assert not EmbeddingSpace.objects.exists()
    assert embeddings.filling() is None


def test_all_that_is_wanted_is_embedded_and_then_served(child):
    case, task, pool = make_case(image=ImageFactory(split="open")), TaskFactory(), ImageFactory()
    test_image = ImageFactory(split="closed")
    crown("/models/a")
    embeddings.fill()
    now = embeddings.filling()
    assert (now.done, now.wanted, now.stopped) == (0, 3, False)
    assert states() == {"/models/a": "filling"}
    work()
    assert states() == {"/models/a": "serving"}
    has = set(ImageVector.objects.values_list("image_id", flat=True))
    assert has == {case.image_id, task.image_id, pool.pk}, "no test images that nobody asks about"
    assert test_image.pk not in has
    assert CaseVector.objects.get().case == case
    assert embeddings.filling() is None
    assert len(selectors.nearest_cases(image=task.image)) == 1


def test_old_vectors_serve_until_the_new_ones_are_all_there_and_are_deleted_then(child):
    case, image = make_case(), ImageFactory()
    crown("/models/a")
    work()
    crown("/models/b")
    embeddings.fill()
    assert states() == {"/models/a": "serving", "/models/b": "filling"}
    assert len(selectors.nearest_cases(image=image)) == 1
    later = make_case()
    work()
    assert states() == {"/models/a": "retired", "/models/b": "serving"}
    assert {row.space.model for row in ImageVector.objects.select_related("space")} == {"/models/b"}
    assert set(CaseVector.objects.values_list("case_id", flat=True)) == {case.pk, later.pk}


def test_what_scans_of_the_classifier_hold_is_not_computed_again(child, tmp_path):
    scanned, other, unusable = make_case(), make_case(), make_case()
    release = crown("/models/a")
    scan = ScanFactory(release=release, state="succeeded", output=str(tmp_path / "scan"))
    shards = tmp_path / "scan" / "shards"
    shards.mkdir(parents=True)
    rows = {
        "sha256": [scanned.image.sha256, unusable.image.sha256, "f" * 64],
        "embedding": pa.array(
            [np.float16(direction(3)), np.zeros(64, np.float16), np.float16(direction(1))],
            pa.list_(pa.float16()),
        ),
    }
    pq.write_table(pa.table(rows), shards / "part-00000.parquet")
    (shards / "scan.json").write_text(json.dumps({"shards": ["part-00000.parquet"]}))
    embeddings.fill()
    assert ImageVector.objects.get().image == scanned.image
    assert EmbeddingRun.objects.get().images == 2
    work()
    assert ImageVector.objects.filter(image=other.image).exists()
    assert scan.pk in [row.pk for row in embeddings._scans_of(vectors.serving_space())]
    # Another classifier's scan is of no use.
    crown("/models/b")
    embeddings.fill()
    assert EmbeddingRun.objects.latest("pk").images == 3


def test_batches_go_the_most_urgent_first(child, monkeypatch):
    monkeypatch.setattr(embeddings, "BATCH", 2)
    pool = ImageFactory.create_batch(3)
    task, case = TaskFactory(), make_case()
    crown("/models/a")
    embeddings.fill()
    embeddings.run(run_id=EmbeddingRun.objects.get().pk)
    first = set(ImageVector.objects.values_list("image_id", flat=True))
    assert first == {task.image_id, case.image_id}
    assert embeddings.filling().share == pytest.approx(2 / 5)
    work()
    assert ImageVector.objects.count() == len(pool) + 2
    assert EmbeddingRun.objects.count() == 3


def test_a_lost_file_is_noted_and_keeps_nothing_from_being_served(child):
    lost = make_case(image=ImageFactory(file="images/lost.jpg"))
    kept = make_case()
    crown("/models/a")
    work()
    assert states() == {"/models/a": "serving"}
    assert EmbeddingRun.objects.get().unreadable == [lost.image_id]
    assert CaseVector.objects.get().case == kept


def test_a_batch_whose_worker_was_killed_is_taken_up_again(child):
    make_case()
    crown("/models/a")
    embeddings.fill()
    run = EmbeddingRun.objects.get()
    jobs.claim(EmbeddingRun, run.pk)  # and its worker dies
    embeddings.fill()
    assert EmbeddingRun.objects.count() == 1, "the batch is still somebody's"
    lapse(run)
    assert list(jobs.waiting_jobs()) == [run]
    assert embeddings.run(run_id=run.pk) == "succeeded"
    assert embeddings.run(run_id=run.pk) is None
    work()
    assert states() == {"/models/a": "serving"}


def test_a_failed_batch_stops_it_with_its_words_until_somebody_resumes_it(child, db):
    person = User.objects.create(username="wen")
    make_case()
    crown("/models/a")
    child("bad")
    work()
    now = embeddings.filling()
    assert (now.stopped, now.run.error) == (True, "no such model")
    work()
    assert EmbeddingRun.objects.count() == 1, "it is not tried for ever"
    with pytest.raises(EmbeddingError):
        embeddings.cancel_filling(by=person)
    child("work")
    embeddings.resume_filling(by=person)
    work()
    assert states() == {"/models/a": "serving"}
    with pytest.raises(EmbeddingError):
        embeddings.resume_filling(by=person)


def test_it_can_be_cancelled_between_batches_and_resumed(child):
    person = User.objects.create(username="wen")
    make_case()
    crown("/models/a")
    vectors.open_space(model="/models/a")
    embeddings.cancel_filling(by=person)
    work()
    assert not ImageVector.objects.exists()
    assert embeddings.filling().stopped
    embeddings.resume_filling(by=person)
    work()
    assert states() == {"/models/a": "serving"}


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_batch_ends_its_child_and_another_champion_ends_it_too(child):
    person = User.objects.create(username="wen")
    make_case()
    child("hang")
    for end in (lambda: embeddings.cancel_filling(by=person), lambda: crown("/models/b")):
        if not EmbeddingSpace.objects.exists():
            crown("/models/a")
        else:
            embeddings.resume_filling(by=person)
        embeddings.fill()
        run = EmbeddingRun.objects.latest("pk")
        Path(run.output, "started").unlink(missing_ok=True)

        def supervise(pk=run.pk):
            embeddings.run(run_id=pk)
            connection.close()

        worker = threading.Thread(target=supervise)
        worker.start()
        wait_for(Path(run.output, "started").exists)
        end()
        embeddings.fill()
        worker.join(15)
        run.refresh_from_db()
        assert run.state == "cancelled"
    assert states() == {"/models/a": "retired", "/models/b": "filling"}


def test_a_rolled_back_classifiers_space_is_filled_again(child):
    make_case()
    first = crown("/models/a")
    work()
    crown("/models/b")
    work()
    promotion.roll_back(by=None, why="worse")
    assert promotion.champion() == first
    work()
    assert states() == {"/models/a": "serving", "/models/b": "retired"}
    assert ImageVector.objects.get().space.model == "/models/a"


def test_one_picture_is_embedded_to_search_with_and_nothing_is_stored_of_it(child):
    person = User.objects.create(username="wen")
    with pytest.raises(EmbeddingError, match="classifier"):
        embeddings.search_by_picture(file="searches/aa/picture.jpg", by=person)
    make_case(image=ImageFactory(sha256="00ff" + "0" * 60))
    crown("/models/a")
    work()
    run = embeddings.search_by_picture(file="searches/aa/00fe.jpg", by=person)
    assert embeddings.run(run_id=run.pk) == "succeeded"
    run.refresh_from_db()
    found = selectors.like_vector(queryset=selectors.cases(), vector=run.metrics["vector"])
    assert found[0][1] > 0.99
    assert ImageVector.objects.count() == 1
    child("bad")
    failed = embeddings.search_by_picture(file="searches/aa/00fe.jpg", by=person)
    assert embeddings.run(run_id=failed.pk) == "failed"
    assert embeddings.filling() is None, "a picture that fails stops nothing else"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_real_model_embeds_what_can_be_read(tmp_path, settings):
    """A generated world, a classifier of one epoch, three images, one of them lost."""
    settings.TRAIN_THREADS = 1
    world = tmp_path / "world"
    ml = [sys.executable, "-m", "ml"]
    sizes = ["--brands=2", "--train=40", "--closed=4", "--open=4", "--business=2", "--size=48"]
    subprocess.run(
        [*ml, "synth", *sizes, "--seed=3", f"--out={world}"], check=True, cwd=settings.BASE_DIR
    )
    (manifest,) = world.glob("*.parquet")
    config = json.dumps({"epochs": 1, "least_steps": 0, "size": 32, "batch_size": 16})
    model = tmp_path / "model"
    train = ["train", "classifier", f"--manifest={manifest}", f"--out={model}"]
    subprocess.run([*ml, *train, f"--config={config}"], check=True, cwd=settings.BASE_DIR)
    pictures = sorted((world / "train").rglob("*.jpg")) or sorted((world / "train").rglob("*.png"))
    made = []
    for picture in pictures[:2]:
        name = f"embed/{picture.name}"
        Path(default_storage.path(name)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, default_storage.path(name))
        with Picture.open(picture) as opened:
            size = dict(zip(("width", "height"), opened.size, strict=True))
        made.append(make_case(image=ImageFactory(file=name, **size)))
    lost = make_case(image=ImageFactory(file="embed/lost.jpg"))
    crown(str(model))
    work()
    assert states() == {str(model): "serving"}
    assert EmbeddingRun.objects.get().unreadable == [lost.image_id]
    (found,) = selectors.nearest_cases(image=made[0].image)
    assert found[0] == made[1]
    assert -1 <= found[1] <= 1.001
    name = made[1].image.file
    picture = embeddings.search_by_picture(file=name, by=User.objects.create(username="wen"))
    assert embeddings.run(run_id=picture.pk) == "succeeded"
    picture.refresh_from_db()
    nearest = selectors.like_vector(queryset=selectors.cases(), vector=picture.metrics["vector"])
    assert nearest[0][0] == made[1]
    assert nearest[0][1] == pytest.approx(1, abs=2e-3)
