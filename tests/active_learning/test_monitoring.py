"""What is measured, on whom, and that a day measured again is not doubled."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.utils import timezone

from active_learning import monitoring
from active_learning.models import Alert, Measurement, Scan
from active_learning.selectors.queues import queues
from annotation.models import Flag, Image, ImageGroup, InboxEvent, Label, Question
from ml.scan import FOUND_BOX
from tests.active_learning.factories import ReleaseFactory, ScanFactory, TrainingRunFactory
from tests.annotation.review_rows import make_flag
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db
NOW = timezone.now()
WIDTH = 8


@pytest.fixture
def champion():
    return ReleaseFactory(
        state="champion", thresholds={"classifier": {"*": 0.6}, "detector": {"*": 0.5}}
    )


def pool(count: int, *, days_ago: float, groups: int | None = None) -> list[Image]:
    """Images of the pool that came in so long ago, of so many groups (one each by default)."""
    made = ImageGroup.objects.bulk_create(
        ImageGroup(role="training") for _ in range(groups or count)
    )
    rows = [ImageFactory.build(group=made[i % len(made)]) for i in range(count)]
    images = Image.objects.bulk_create(rows)
    ids = [image.pk for image in images]
    Image.objects.filter(pk__in=ids).update(created_at=NOW - timedelta(days=days_ago))
    return images


def scanned(release, folder: Path, rows: list[tuple[Image, float, np.ndarray]]) -> Scan:
    """A finished scan of (image, best score, embedding) in two shards, all with a box."""
    number = Scan.objects.count()
    shards = folder / str(number) / "shards"
    shards.mkdir(parents=True)
    names = []
    for part in range(2):
        of_part = rows[part::2]
        table = pa.table(
            {
                "sha256": [image.sha256 for image, _, _ in of_part],
                "group": [str(image.group_id) for image, _, _ in of_part],
                "classifier_brands": [["acme", "globex"]] * len(of_part),
                "classifier_scores": pa.array(
                    [[score, 0.0] for _, score, _ in of_part], pa.list_(pa.float32())
                ),
                "embedding": pa.array(
                    [look.astype(np.float16) for _, _, look in of_part], pa.list_(pa.float16())
                ),
                "detector_boxes": pa.array(
                    [
                        [{"x1": 1, "y1": 1, "x2": 9, "y2": 9, "brand": "acme", "score": score / 2}]
                        for _, score, _ in of_part
                    ],
                    pa.list_(FOUND_BOX),
                ),
            }
        )
        names.append(f"part-{part:05d}.parquet")
        pq.write_table(table, shards / names[-1])
    (shards / "scan.json").write_text(json.dumps({"shards": names, "images": len(rows)}))
    return ScanFactory(
        release=release, state="succeeded", output=str(folder / str(number)), rows=len(rows),
        manifest_sha256=f"{number:064x}",
    )  # fmt: skip


def looks(images: list[Image], *, seed: int, moved: float = 0.0, high: float = 0.5):
    """Scores evenly up to `high`, and embeddings that are `moved` along their first axis."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(len(images), WIDTH))
    vectors[:, 0] += moved
    scores = rng.uniform(0, high, len(images))
    return list(zip(images, scores, vectors, strict=True))


def states() -> dict[str, str]:
    rows = Measurement.objects.exclude(name__in=["queue_age", "answer_time"])
    return {f"{row.name} {row.subject}".strip(): row.state for row in rows}


def test_fresh_images_like_the_pool_raise_nothing(champion, tmp_path):
    before, fresh = pool(400, days_ago=30), pool(200, days_ago=2)
    scan = scanned(champion, tmp_path, looks(before, seed=0) + looks(fresh, seed=1))
    monitoring.measure_scan(scan=scan)
    assert states() == {
        "score_stability classifier": "ok", "score_shift classifier": "ok",
        "score_stability detector": "ok", "score_shift detector": "ok",
        "embedding_drift classifier": "ok", "flag_ratio": "ok",
    }  # fmt: skip
    drift = Measurement.objects.get(name="embedding_drift")
    assert (drift.n, drift.scan, drift.day) == (200, scan, timezone.localdate(scan.created_at))
    assert not Alert.objects.exists()


def test_another_kind_of_images_is_told_by_scores_and_embeddings(champion, tmp_path):
    before, fresh = pool(400, days_ago=30), pool(200, days_ago=2)
    rows = looks(before, seed=0) + looks(fresh, seed=1, moved=2, high=0.59)
    rows[400:] = [(image, 0.3 + score / 2, look) for image, score, look in rows[400:]]
    monitoring.measure_scan(scan=scanned(champion, tmp_path, rows))
    assert {name for name, state in states().items() if state == "alert"} == {
        "score_stability classifier", "score_shift classifier", "score_stability detector",
        "score_shift detector", "embedding_drift classifier",
    }  # fmt: skip
    assert Alert.objects.filter(state="open").count() == 5


def test_near_duplicates_count_once(champion, tmp_path, settings):
    """Two hundred copies of five pictures are five images, of which nothing is said."""
    before, fresh = pool(400, days_ago=30), pool(200, days_ago=2, groups=5)
    rows = looks(before, seed=0) + looks(fresh, seed=1, moved=5, high=0.9)
    monitoring.measure_scan(scan=scanned(champion, tmp_path, rows))
    drift = Measurement.objects.get(name="embedding_drift")
    assert (drift.state, drift.value, drift.n) == ("unknown", None, 5)
    ratio = Measurement.objects.get(name="flag_ratio")
    assert ratio.value > 0.2
    assert ratio.high - ratio.low > 0.3  # as of five, not of two hundred


def test_a_first_import_has_nothing_before_it(champion, tmp_path):
    scan = scanned(champion, tmp_path, looks(pool(300, days_ago=1), seed=0))
    monitoring.measure_scan(scan=scan)
    assert states() == {"embedding_drift classifier": "unknown", "flag_ratio": "ok"}


@pytest.mark.parametrize(
    ("count", "flagged", "state"),
    [(20, 3, "unknown"), (200, 3, "ok"), (200, 8, "alert"), (200, 0, "ok")],
)
def test_a_days_flags_are_held_against_the_budget(champion, tmp_path, count, flagged, state):
    """3 of 20 is 15%, yet says nothing; 3 of 200 may be 1% by chance, 8 of 200 hardly."""
    rows = looks(pool(count, days_ago=1), seed=0)
    rows[:flagged] = [(image, 0.8, look) for image, _, look in rows[:flagged]]
    monitoring.measure_scan(scan=scanned(champion, tmp_path, rows))
    ratio = Measurement.objects.get(name="flag_ratio")
    assert (ratio.state, ratio.value, ratio.n) == (state, flagged / count, count)
    assert ratio.limit == 0.01
    assert ratio.day == timezone.localdate(NOW - timedelta(days=1))
    assert Alert.objects.filter(state="open").exists() == (state == "alert")


def test_only_the_last_day_that_says_something_moves_the_alert(champion, tmp_path):
    bad = [(image, 0.9, look) for image, _, look in looks(pool(100, days_ago=3), seed=0)]
    good, few = looks(pool(120, days_ago=2), seed=1), looks(pool(10, days_ago=1), seed=2)
    few = [(image, 0.9, look) for image, _, look in few]
    monitoring.measure_scan(scan=scanned(champion, tmp_path, bad + good + few))
    days = Measurement.objects.filter(name="flag_ratio").order_by("day")
    assert [row.state for row in days] == ["alert", "ok", "unknown"]
    assert not Alert.objects.exists()


def test_a_later_scan_that_lost_answered_images_does_not_change_a_day(champion, tmp_path):
    images = looks(pool(200, days_ago=1), seed=0)
    rows = [(image, 0.8 if i < 20 else s, look) for i, (image, s, look) in enumerate(images)]
    monitoring.measure_scan(scan=scanned(champion, tmp_path, rows))
    monitoring.measure_scan(scan=scanned(champion, tmp_path, rows[20:]))
    assert Measurement.objects.get(name="flag_ratio").value == 0.1


def test_again_updates_and_doubles_nothing(champion, tmp_path):
    before, fresh = pool(150, days_ago=30), pool(150, days_ago=2)
    scanned(champion, tmp_path, looks(before, seed=0) + looks(fresh, seed=1, moved=3))
    assert monitoring.measure()
    count, alerts = Measurement.objects.count(), Alert.objects.count()
    drift = Measurement.objects.get(name="embedding_drift")
    again = monitoring.measure()
    assert {row.name for row in again} == {"queue_age", "answer_time", "override_rate"}
    assert (Measurement.objects.count(), Alert.objects.count()) == (count, alerts)
    drift.refresh_from_db()
    monitoring.measure_scan(scan=drift.scan)
    assert Measurement.objects.count() == count
    assert Measurement.objects.get(name="embedding_drift").value == drift.value


def test_only_the_champions_finished_scan_is_read(champion, tmp_path):
    scanned(ReleaseFactory(), tmp_path, looks(pool(10, days_ago=1), seed=0))
    ScanFactory(release=champion, state="running", manifest_sha256="f" * 64)
    monitoring.measure()
    assert not Measurement.objects.filter(scan__isnull=False).exists()


def decided(count: int, *, changed: int, brand, days_ago: float = 1) -> None:
    for number in range(count):
        flag = make_flag(brand=brand)
        verdict = Label.objects.create(
            image=flag.image, kind="brand", source="audit", answer="brand", brand=brand,
            risk="infringement",
        )  # fmt: skip
        Flag.objects.filter(pk=flag.pk).update(
            state="corrected" if number < changed else "confirmed", verdict=verdict,
            decided_at=NOW - timedelta(days=days_ago),
        )  # fmt: skip


def test_reviewers_overrides_by_brand_and_together():
    acme, globex = BrandFactory(key="acme"), BrandFactory(key="globex")
    decided(24, changed=20, brand=acme)
    decided(6, changed=0, brand=globex)
    decided(30, changed=0, brand=acme, days_ago=9)  # before the days that count
    monitoring.measure_verdicts()
    rows = {row.subject: row for row in Measurement.objects.all()}
    assert rows["acme"].value == pytest.approx(20 / 24)
    assert (rows["acme"].state, rows["acme"].n) == ("alert", 24)
    assert (rows["globex"].state, rows["globex"].n) == ("unknown", 6)
    assert rows[""].value == pytest.approx(20 / 30)
    assert rows[""].low < 0.5 < rows[""].value  # 20 of 30 may be half by chance
    assert rows[""].state == "ok"
    assert [alert.subject for alert in Alert.objects.all()] == ["acme"]


def test_queues_are_as_old_as_their_oldest(settings):
    def hours_ago(model, pk, name, hours):
        model.objects.filter(pk=pk).update(**{name: timezone.now() - timedelta(hours=hours)})

    task = TaskFactory(state="pushed", remote_id=1)
    hours_ago(type(task), task.pk, "pushed_at", 80)
    label = Label.objects.create(image=task.image, kind="brand", source="labeler", answer="unsure")
    asked = timezone.now() - timedelta(hours=5)
    Question.objects.create(label=label, task=task, text="which one?", asked_at=asked)
    flag = make_flag()
    hours_ago(Flag, flag.pk, "created_at", 100)
    run = TrainingRunFactory()
    hours_ago(type(run), run.pk, "created_at", 2)
    event = InboxEvent.objects.create(payload={}, digest="d")
    hours_ago(InboxEvent, event.pk, "received_at", 3)
    found = {queue.name: queue for queue in queues()}
    ages = {name: round(queue.age(timezone.now())) for name, queue in found.items()}
    assert ages == {
        "tasks": 80, "questions": 5, "flags": 100, "training": 2, "scan": 0, "outbox": 0,
        "inbox": 3,
    }  # fmt: skip
    monitoring.measure_queues()
    late = Measurement.objects.filter(name="queue_age", state="alert")
    assert set(late.values_list("subject", flat=True)) == {"tasks", "flags", "inbox"}
    waiting = {name: queue.waiting for name, queue in found.items()}
    assert waiting["scan"] == 2  # no scan yet, and the flag's and the task's images
    assert waiting["outbox"] == 0


def test_the_outbox_is_late_only_while_label_studio_has_room(settings):
    settings.LABEL_STUDIO_WINDOW = 2
    waiting = TaskFactory()
    then = timezone.now() - timedelta(hours=4)
    type(waiting).objects.update(created_at=then)

    def outbox():
        queue = next(queue for queue in queues() if queue.name == "outbox")
        return queue.waiting, round(queue.age(timezone.now()))

    assert outbox() == (1, 4)
    pushed = TaskFactory(state="pushed", remote_id=1, pushed_at=timezone.now())
    assert outbox() == (1, 0)  # one was sent just now
    type(pushed).objects.filter(pk=pushed.pk).update(pushed_at=then)
    assert outbox() == (1, 4)
    TaskFactory(state="pushed", remote_id=2, pushed_at=then)
    assert outbox() == (0, 0)  # what waits now waits for people


def test_a_promotion_does_not_make_the_whole_pool_overdue(champion):
    pool(5, days_ago=40)
    scan = ScanFactory(release=ReleaseFactory(state="retired"), state="succeeded")
    late = ImageFactory()
    Image.objects.filter(pk=late.pk).update(created_at=scan.created_at + timedelta(seconds=1))
    unscanned = next(queue for queue in queues() if queue.name == "scan")
    assert unscanned.waiting == 1


def test_how_long_answers_took_is_a_median_of_a_few_at_least():
    now = timezone.now()
    for hours in (1, 2, 3, 40, 50):
        monitoring.measure_queues()
        assert Measurement.objects.get(name="answer_time").state == "unknown"
        task = TaskFactory()
        label = Label.objects.create(
            image=task.image, kind="brand", source="labeler", answer="unsure"
        )
        Question.objects.create(
            label=label, task=task, text="?", state="answered",
            asked_at=now - timedelta(hours=hours), answered_at=now,
        )  # fmt: skip
    monitoring.measure_queues()
    took = Measurement.objects.get(name="answer_time")
    assert (took.value, took.n, took.state) == (pytest.approx(3), 5, "ok")
