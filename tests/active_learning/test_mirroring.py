"""MLflow hears of every run that ended, once, whatever breaks in between."""

import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from active_learning import mirroring
from active_learning.models import RunMirror
from tests.active_learning.factories import (
    ModelVersionFactory,
    ReleaseFactory,
    TrainingRunFactory,
)
from tests.active_learning.mlflow_server import FakeMlflow

pytestmark = pytest.mark.django_db
REPORTS = 700  # of two metrics each: more than a call takes


@pytest.fixture
def mlflow(settings):
    server = FakeMlflow()
    settings.MLFLOW_TRACKING_URI = server.address
    yield server
    server.close()


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "classifier-0123abc"
    folder.mkdir()
    lines = [
        {"time": 1000.5 + i, "stage": "train", "progress": 0.1, "metrics": metrics}
        for i, metrics in enumerate(
            [{"loss": 1 / (i + 1), "map@50": 0.5, "note": "text"} for i in range(REPORTS)]
        )
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    (folder / "progress.jsonl").write_text(text.replace("0.25", "NaN") + "\n")
    now = timezone.now()
    return TrainingRunFactory(
        state="succeeded",
        output=str(folder),
        started_at=now,
        finished_at=now,
        config={"epochs": 3, "augment": {"mosaic": True}},
        model_version=ModelVersionFactory(code_version="abc", config={"epochs": 3.0}),
    )


def again():
    """As when the time to try again has come."""
    RunMirror.objects.update(next_at=Now())
    return mirroring.mirror_due()


def test_a_run_is_told_with_its_params_curves_and_where_it_comes_from(mlflow, run):
    assert mirroring.mirror_due() == 1
    (told,) = mlflow.runs.values()
    assert told["status"] == "FINISHED"
    assert told["params"] == {"asked.epochs": "3", "asked.augment.mosaic": "true", "epochs": "3.0"}
    assert told["tags"]["touchstone.dataset"] == run.dataset.sha256
    assert told["tags"]["touchstone.code_version"] == "abc"
    assert told["tags"]["touchstone.artifact"] == run.model_version.artifact
    loss = [point for point in told["metrics"] if point["key"] == "loss"]
    assert len(loss) == REPORTS - 1, "a NaN is no point"
    assert loss[5] == {"key": "loss", "value": 1 / 7, "timestamp": 1006500, "step": 6}
    assert {point["key"] for point in told["metrics"]} == {"loss", "map_50"}
    assert again() == 0, "it is up to date"


@pytest.mark.parametrize("fault", ["500", "deaf"])
@pytest.mark.parametrize(
    ("path", "nth"),
    [
        ("experiments/get-by-name", 0),
        ("experiments/create", 0),
        ("runs/search", 0),
        ("runs/create", 0),
        ("runs/log-batch", 0),
        ("runs/log-batch", 1),
        ("runs/log-batch", 2),
        ("runs/log-batch", 3),
        ("runs/update", 0),
    ],
)
def test_a_call_that_fails_anywhere_is_shown_and_made_good(mlflow, run, path, nth, fault):
    mlflow.faults[path] = [""] * nth + [fault]
    assert mirroring.mirror_due() == 0
    assert path in run.mirror.error
    assert run.mirror.attempts == 1
    assert mirroring.mirror_due() == 0, "not at once"
    assert again() == 1
    (told,) = mlflow.runs.values()
    assert told["status"] == "FINISHED"
    points = [(point["key"], point["step"]) for point in told["metrics"]]
    assert len(points) == len(set(points)) == 2 * REPORTS - 1
    run.mirror.refresh_from_db()
    assert (run.mirror.error, run.mirror.attempts, run.mirror.told_state) == ("", 0, "succeeded")
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_a_server_that_is_away_is_asked_once_a_call_and_ever_less_often(settings, run):
    settings.MLFLOW_TRACKING_URI = "http://127.0.0.1:9"
    TrainingRunFactory(state="failed", kind="detector")
    waits = []
    for _ in range(3):
        RunMirror.objects.update(next_at=Now())
        assert mirroring.mirror_due() == 0
        run.mirror.refresh_from_db()
        waits.append((run.mirror.next_at - timezone.now()).total_seconds())
    assert RunMirror.objects.count() == 1, "the others are left for later"
    assert waits[0] < waits[1] < waits[2]


def test_what_changes_later_is_told_later(mlflow, run):
    mirroring.mirror_due()
    release = ReleaseFactory(classifier=run.model_version)
    assert again() == 1
    (told,) = mlflow.runs.values()
    assert told["tags"]["touchstone.release"] == str(release.number)
    assert len(told["metrics"]) == 2 * REPORTS - 1, "what was there is not told again"
    assert again() == 0


def test_a_failed_run_that_was_resumed_ends_well_there_too(mlflow, run):
    version = run.model_version
    type(run).objects.update(state="failed", error="out of memory", model_version=None)
    mirroring.mirror_due()
    (told,) = mlflow.runs.values()
    assert (told["status"], told["tags"]["touchstone.error"]) == ("FAILED", "out of memory")
    type(run).objects.update(state="running")
    assert again() == 0
    type(run).objects.update(state="succeeded", error="", model_version=version)
    assert again() == 1
    assert told["status"] == "FINISHED"


def test_without_an_mlflow_nothing_is_told_and_nothing_kept(run):
    assert mirroring.mirror_due() == 0
    assert not RunMirror.objects.exists()


def test_two_that_tell_at_once_tell_once(mlflow, run):
    RunMirror.objects.create(run=run)
    (due,) = mirroring.due_runs()
    assert mirroring._mirror(due)
    RunMirror.objects.update(next_at=timezone.now() + timedelta(minutes=5))
    assert not mirroring._mirror(due), "somebody else has it"
    assert mlflow.calls.count("runs/create") == 1
