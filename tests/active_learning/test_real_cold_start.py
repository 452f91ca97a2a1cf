"""A cold start with the real `python -m ml`: a brand that no model knows, from positives alone."""

import pytest
from django.utils import timezone

from active_learning import coldstarts, evaluations, promotion, rounds, scans, settling, training
from active_learning.models import Evaluation, Scan, TrainingRun
from active_learning.selectors import coldstarts as selectors
from annotation.labels import Content, record_label
from annotation.models import Brand, Task
from ml.manifest import read_manifest
from tests.active_learning.test_real_models import TINY, loaded, train, world  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def newcomer(loaded):  # noqa: F811
    """A champion that does not know the second brand, which then comes onto the list."""
    brand = Brand.objects.order_by("key").last()
    Brand.objects.filter(pk=brand.pk).update(state=Brand.State.DRAFT)
    run = train("classifier")
    assert training.run(run_id=run.pk) == "succeeded", TrainingRun.objects.get(pk=run.pk).error
    run.refresh_from_db()
    release = promotion.create_release(classifier=run.model_version, detector=None, variation=None)
    evaluation = evaluations.request_evaluation(release=release)
    assert evaluations.run(evaluation_id=evaluation.pk) == "succeeded"
    release.refresh_from_db()
    settling.settle(candidate=release)
    assert promotion.champion() == release
    assert brand.key not in release.brands
    Brand.objects.filter(pk=brand.pk).update(state=Brand.State.LISTED, created_at=timezone.now())
    brand.refresh_from_db()
    return brand


def test_a_brand_nobody_knew_is_trained_mined_and_measured(newcomer, world, monkeypatch):  # noqa: F811
    whole = coldstarts.round_config

    def quick(**options):
        config = whole(**options)
        config["train"]["classifier"] |= TINY
        return config

    monkeypatch.setattr(coldstarts, "round_config", quick)
    truth = {row["sha256"]: row for row in read_manifest(world / "truth").table.to_pylist()}
    begun = coldstarts.start(brand=newcomer, rounds_wanted=1, config={"budget": 6})
    for _turn in range(30):
        for round_ in begun.rounds.all():
            rounds.advance(round_id=round_.pk)
        work_off()
        answer(truth)
        coldstarts.advance_running()
    begun.refresh_from_db()
    assert (begun.state, begun.error) == ("done", "")
    rows = selectors.standings(cold_start=selectors.cold_starts().get(pk=begun.pk))
    assert [row.round.number for row in rows] == list(
        begun.rounds.order_by("number").values_list("number", flat=True)
    )
    for row in rows:
        assert newcomer.key in row.release.brands
        assert [line.threshold for line in row.lines] == [0.5, 0.9, 0.99]
        assert row.lines[0].recall.n > 0
        assert row.lines[0].flag_ratio.n > 0
    asking = coldstarts.asked(begun).get()
    assert asking.selections.filter(strategy="hard_negatives", focus_brand=newcomer).exists()
    assert TrainingRun.objects.exclude(kind="classifier").count() == 0


def work_off() -> None:
    """As workers do."""
    for model, run in ((TrainingRun, training.run), (Scan, scans.run)):
        for job in model.objects.filter(state="queued"):
            name = "run_id" if model is TrainingRun else "scan_id"
            assert run(**{name: job.pk}) == "succeeded", model.objects.get(pk=job.pk).error
    for job in Evaluation.objects.filter(state="queued"):
        assert evaluations.run(evaluation_id=job.pk) == "succeeded"


def answer(truth: dict) -> None:
    """As labelers do."""
    for task in Task.objects.filter(state="waiting", kind="brand").select_related("image"):
        row = truth[task.image.sha256]
        brand = Brand.objects.filter(key=row["brand"] or "").first()
        Task.objects.filter(pk=task.pk).update(
            state="pushed", pushed_at=timezone.now(), remote_id=task.image_id
        )
        task.refresh_from_db()
        content = Content(answer="brand" if brand else "none", brand=brand)
        record_label(image=task.image, kind="brand", content=content, source="labeler", task=task)
