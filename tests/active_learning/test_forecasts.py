"""Previews of rounds and what chosen labels bought, on a real classifier of a few seconds."""

import hashlib

import pytest
from django.core.files.base import File
from django.core.files.storage import default_storage

from active_learning import datasets, forecasts, promotion, rounds, worth
from active_learning.forecasts import ForecastError
from active_learning.models import Forecast, Round, Scan, Selection, Worth
from active_learning.selectors import forecasts as selectors
from annotation.labels import Content, record_label
from annotation.models import Image, Task
from ml.manifest import read_manifest
from ml.progress import Progress
from ml.scan import scan as scan_pool
from tests.active_learning.factories import (
    EvaluationFactory,
    ModelVersionFactory,
    ReleaseFactory,
    ScanFactory,
)
from tests.factories import BrandFactory, ImageFactory
from tests.ml.conftest import train_quickly
from tests.ml.small_world import COLOURS, write_world

pytestmark = pytest.mark.django_db
CONFIG = {"budget": {"brand": 10, "boxes": 0, "variation": 0}}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_world(tmp_path_factory.mktemp("world"), variation=False)


@pytest.fixture(scope="module")
def artifact(world, tmp_path_factory):
    return train_quickly(world, tmp_path_factory.mktemp("classifier"))


@pytest.fixture
def images(world, settings, tmp_path):
    """The world's images in the database; the pool's true brands by image."""
    settings.DATA_DIR, settings.MEDIA_ROOT = tmp_path / "data", tmp_path / "media"
    brands = {key: BrandFactory(key=key) for key in COLOURS}
    shown = {}
    for row in world.table.to_pylist():
        path = world.path.parent / row["image"]
        content = path.read_bytes()
        with path.open("rb") as file:
            name = default_storage.save(f"images/{row['image']}", File(file))
        brand = brands.get(row["image"].split("-")[1])
        image = ImageFactory(
            file=name, sha256=hashlib.sha256(content).hexdigest(), split=row["split"],
            weak_answer="" if row["split"] == "pool" else "brand" if brand else "none",
            weak_brand=None if row["split"] == "pool" else brand, width=48, height=48,
        )  # fmt: skip
        shown[image.pk] = brand
    return shown


@pytest.fixture
def champion(images, artifact):
    version = ModelVersionFactory(artifact=str(artifact.directory))
    release = ReleaseFactory(
        state="champion", classifier=version, brands=sorted(COLOURS),
        thresholds={"classifier": {"*": 0.5}},
    )  # fmt: skip
    return release


@pytest.fixture
def scan(champion, tmp_path, artifact):
    manifest = datasets.pool_manifest()
    scan_pool(
        models=[artifact.directory], manifest=manifest.path, out=tmp_path / "scan" / "shards",
        split="pool", shard_size=100, progress=Progress(quiet=True), should_stop=lambda: False,
    )  # fmt: skip
    return ScanFactory(
        release=champion, state="succeeded", output=str(tmp_path / "scan"),
        manifest_sha256=manifest.sha256,
    )  # fmt: skip


def test_a_preview_says_what_is_asked_what_it_costs_and_what_it_may_change(scan):
    made = forecasts.request_forecast(config=CONFIG)
    asked = sum(row["items"] for row in made.chosen)
    assert 4 <= asked <= 10, "of near-identical pictures one is asked"
    assert made.effort["brand"]["items"] == asked
    assert Task.objects.count() == Round.objects.count() == 0, "nothing is asked yet"
    assert forecasts.run(forecast_id=made.pk) == "succeeded"
    made.refresh_from_db()
    assert made.report["items"] == asked and made.report["closed"] == 12
    rows = selectors.changes(report=made.report, items=selectors.items_by_brand(made), outcome={})
    assert not rows[0].brand
    assert {row.brand for row in rows[1:]} == set(COLOURS)
    assert rows[0].recall["low"] <= rows[0].recall["change"] <= rows[0].recall["high"]


def test_what_was_previewed_is_what_the_round_then_asks(scan):
    made = forecasts.request_forecast(config=CONFIG)
    round_ = forecasts.open_forecast(forecast=made)
    rounds.advance(round_id=round_.pk)
    found = Selection.objects.filter(round=round_)
    assert forecasts._counted(list(found.select_related("task", "focus_brand"))) == made.chosen
    with pytest.raises(ForecastError, match="opened already"):
        forecasts.open_forecast(forecast=made)


def test_a_preview_of_another_champion_cannot_be_opened(scan, champion, artifact):
    made = forecasts.request_forecast(config=CONFIG)
    newer = ReleaseFactory(classifier=ModelVersionFactory(artifact=str(artifact.directory)))
    promotion.promote(release=newer, by=None, why="test")
    with pytest.raises(ForecastError, match="champion has changed"):
        forecasts.open_forecast(forecast=made)
    made.refresh_from_db()
    assert made.round is None


def test_without_a_scan_one_is_queued_and_without_a_champion_nothing_is(champion):
    with pytest.raises(ForecastError, match="not scanned"):
        forecasts.request_forecast(config=CONFIG)
    assert Scan.objects.get().state == "queued"
    champion.state = "retired"
    champion.save()
    with pytest.raises(ForecastError, match="no champion"):
        forecasts.request_forecast(config=CONFIG)
    assert not Forecast.objects.exists()


def test_dials_that_make_no_sense_are_refused(scan):
    for config in ({"most_per_brand": 0}, {"mix": {"luck": 1}}, {"budget": {"brand": -1}}):
        with pytest.raises(rounds.RoundError):
            forecasts.request_forecast(config=config)


def test_no_brand_is_asked_more_often_than_the_dial_says(scan):
    config = CONFIG | {"mix": {"hard_negatives": 1.0}}
    several = forecasts.request_forecast(config=config)
    limited = forecasts.request_forecast(config=config | {"most_per_brand": 1})
    most = [max(selectors.items_by_brand(made).values()) for made in (several, limited)]
    assert most[0] > 1 == most[1]


def test_without_brand_questions_there_is_nothing_to_forecast(scan):
    made = forecasts.request_forecast(config={"budget": {"brand": 0, "boxes": 0, "variation": 5}})
    assert made.state == "succeeded" and made.report == {}
    assert selectors.changes(report={}, items={}, outcome={}) == []


def test_a_suspected_label_that_is_asked_about_is_not_known_as_well(scan, images, monkeypatch):
    image = Image.objects.filter(split="train").first()
    task = Task(image=image, kind="brand", strategy="suspected_label")
    chosen = [Selection(task=task, strategy="suspected_label", score=1, rank=1)]
    monkeypatch.setattr(forecasts.selection, "choose", lambda **_: chosen)
    files = forecasts.request_forecast(config=CONFIG).files
    known, asked = (
        set(read_manifest(files[name]).table["sha256"].to_pylist()) for name in ("known", "chosen")
    )
    assert asked == {image.sha256}
    assert not known & asked


def test_a_preview_cannot_be_about_a_brand_that_the_champion_does_not_know(scan):
    with pytest.raises(rounds.RoundError, match="does not know “newcomer”"):
        forecasts.request_forecast(config=CONFIG | {"focus": ["newcomer"]})


def answered(round_, images):
    for choice in Selection.objects.filter(round=round_).select_related("task__image"):
        brand = images[choice.task.image_id]
        content = Content(answer="brand", brand=brand) if brand else Content(answer="none")
        record_label(image=choice.task.image, kind="brand", content=content, source="audit")


def test_what_chosen_labels_bought_over_random_ones_is_measured_once(scan, images):
    round_ = rounds.open_round(config={"budget": {"brand": 12}, "mix": {"random_control": 1.0}})
    rounds.advance(round_id=round_.pk)
    # Of such near-identical pictures hardly one is chosen beside the control.
    Selection.objects.filter(round=round_, rank__gt=6).update(strategy="uncertain")
    assert worth.request_worth(round_=round_) is None, "nothing is answered yet"
    answered(round_, images)
    chosen = Selection.objects.filter(round=round_, strategy="uncertain")
    chosen.update(strategy="suspected_label")
    assert worth.request_worth(round_=round_) is None, "of these the champion has learned"
    Selection.objects.filter(round=round_, strategy="suspected_label").update(strategy="uncertain")
    asked = worth.request_worth(round_=round_)
    assert worth.request_worth(round_=round_) is None, "asked for once"
    known = set(read_manifest(asked.files["known"]).table["sha256"].to_pylist())
    chosen = Image.objects.filter(tasks__selection__round=round_).values_list("sha256", flat=True)
    assert not known & set(chosen), "what was bought is not known before"
    assert worth.run(worth_id=asked.pk) == "succeeded"
    asked.refresh_from_db()
    assert asked.report["each"] == 6
    recall = asked.report["recall"]
    pooled = selectors.pooled_worth()
    assert pooled.n == 1 and pooled.value == pytest.approx(recall["change"])
    assert pooled.low == pytest.approx(
        recall["change"] - (recall["high"] - recall["low"]) / 2, abs=0.01
    )
    assert Worth.objects.count() == 1


def test_the_outcome_is_held_beside_the_forecast(scan, champion):
    made = forecasts.request_forecast(config=CONFIG)
    round_ = forecasts.open_forecast(forecast=made)
    round_.candidate = ReleaseFactory()
    round_.save()
    for release, recall in ((champion, 0.4), (round_.candidate, 0.7)):
        per_brand = {"akira": {"recall": recall, "n": 20}}
        EvaluationFactory(
            release=release, state="succeeded",
            report={"classifier": {"closed": {"mean_recall": recall, "per_brand": per_brand}}},
        )  # fmt: skip
    later = {"classifier": {"closed": {"mean_recall": 0.1, "per_brand": {}}}}
    EvaluationFactory(release=champion, state="succeeded", report=later, manifest_sha256="f" * 64)
    outcome = selectors.outcomes(round_=round_)  # on the test sets that both were measured on
    assert outcome == {"akira": pytest.approx(0.3), "": pytest.approx(0.3)}
    figures = {"before": 0.4, "after": 0.6, "change": 0.2, "low": 0.1, "high": 0.25}
    report = {
        "recall": figures, "precision": None,
        "brands": {"akira": {"recall": figures, "precision": None}},
    }  # fmt: skip
    total, akira = selectors.changes(report=report, items={"akira": 3}, outcome=outcome)
    assert akira.as_forecast is False and total.as_forecast is False
