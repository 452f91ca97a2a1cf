"""Asking for a training, and what a finished one leaves behind."""

import pytest
from django.core.management import CommandError, call_command

from active_learning import datasets, training
from active_learning.jobs import ForbiddenMove, JobError
from active_learning.models import JobState, ModelVersion, TrainingRun
from active_learning.training import TrainingActive, TrainingError
from active_learning.watching import JobFailed, watch
from ml.artifact import Artifact, write_artifact
from ml.errors import InputError
from tests.active_learning.factories import (
    DatasetVersionFactory,
    ModelVersionFactory,
    ReleaseFactory,
    TrainingRunFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def request(kind="classifier", **options):
    options.setdefault("dataset", DatasetVersionFactory())
    return training.request_training(kind=kind, trigger="person", **options)


def argument(run, name):
    line = training.command(run)
    return line[line.index(name) + 1] if name in line else None


def test_only_one_training_of_a_kind_is_active():
    first = request()
    with pytest.raises(TrainingActive) as refused:
        request()
    assert refused.value.run == first
    assert request(kind="variation").state == "queued"


def test_a_training_starts_from_the_champions_weights_unless_told_otherwise():
    assert argument(request(), "--init") is None
    TrainingRun.objects.update(state="succeeded")
    champion = ReleaseFactory(state="champion")
    assert argument(request(), "--init") == champion.classifier.artifact
    TrainingRun.objects.update(state="succeeded")
    assert argument(request(from_scratch=True), "--init") is None
    TrainingRun.objects.update(state="succeeded")
    other = ModelVersionFactory()
    assert request(parent=other).parent == other


def test_the_classifier_learns_the_brands_with_enough_images():
    counts = {"train": {"brand": {"acme": 5, "globex": 1}, "background": 9}}
    run = request(dataset=DatasetVersionFactory(counts=counts), config={"epochs": 2})
    assert run.config == {"brands": ["acme"], "epochs": 2}


def test_without_material_or_a_known_kind_a_training_is_refused(db):
    with pytest.raises(TrainingError, match="too little to train a detector"):
        request(kind="detector", dataset=DatasetVersionFactory(counts={"train": {"boxed": {}}}))
    with pytest.raises(TrainingError, match="“ocr” is none of"):
        request(kind="ocr")
    assert not TrainingRun.objects.exists()


def test_a_dataset_is_frozen_when_none_is_given():
    with pytest.raises(TrainingError, match="too little"):
        training.request_training(kind="classifier", trigger="person")
    assert datasets.DatasetVersion.objects.get().rows == 0


def test_a_cancelled_run_can_be_resumed_unless_another_has_taken_its_place():
    run = request()
    training.cancel_run(run=run)
    assert run.state == "cancelled"
    training.resume_run(run=run)
    assert run.state == "queued"
    training.cancel_run(run=run)
    other = request()
    with pytest.raises(TrainingActive) as refused:
        training.resume_run(run=run)
    assert refused.value.run == other
    run.refresh_from_db()
    assert run.state == "cancelled"
    with pytest.raises(ForbiddenMove):
        training.resume_run(run=other)


def trained(run, **metrics):
    folder = training.Path(run.output) / training.MODEL
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    files = {"weights.safetensors": ""}
    artifact = Artifact(run.kind, ["acme", "none"], {}, "0" * 64, "0", metrics, files=files)
    write_artifact(artifact, folder)
    return folder


def test_what_a_run_trained_becomes_the_next_version_of_its_kind():
    ModelVersionFactory(kind="classifier", number=4)
    ModelVersionFactory(kind="detector", number=9)
    run = request()
    folder = trained(run, val_accuracy=0.8, val_loss=float("nan"))
    training.register_version(run)
    version = TrainingRun.objects.get(pk=run.pk).model_version
    assert (version.kind, version.number, version.dataset) == ("classifier", 5, run.dataset)
    assert version.artifact == str(folder)
    assert version.metrics == {"val_accuracy": 0.8, "val_loss": None}


def test_an_artifact_that_is_incomplete_or_changed_is_not_registered():
    run = request()
    with pytest.raises(InputError, match="no complete model"):
        training.register_version(run)
    folder = trained(run)
    (folder / "weights.safetensors").write_bytes(b"other weights")
    with pytest.raises(InputError, match="does not match"):
        training.register_version(run)
    assert not ModelVersion.objects.exists()


def test_watching_a_job_says_how_it_stands_and_fails_with_it():
    lines = []
    run = TrainingRunFactory(state="succeeded")
    watch(job=run, write=lines.append)
    assert lines == [f"training run {run.pk}: succeeded"]
    failed = TrainingRunFactory(state=JobState.FAILED, error="out of memory")
    with pytest.raises(JobFailed, match="out of memory"):
        watch(job=failed, write=lines.append)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("train", "classifier"), "too little to train a classifier"),
        (("evaluate",), "no champion yet"),
        (("evaluate", "--release", "7"), "no release 7"),
        (("promote", "7", "--why", "x"), "no release 7"),
        (("rollback", "--why", "x"), "no champion to roll back from"),
    ],
)
def test_a_command_that_cannot_be_done_ends_in_one_line_and_code_2(line, message):
    with pytest.raises(CommandError, match=message) as refused:
        call_command(*line)
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)
    assert issubclass(TrainingError, JobError)


def test_promote_and_rollback_commands_move_the_champion(capsys):
    first, second = ReleaseFactory(), ReleaseFactory()
    call_command("promote", str(first.number), "--why", "first")
    call_command("promote", str(second.number), "--why", "better")
    call_command("rollback", "--why", "complaints")
    first.refresh_from_db()
    assert first.state == "champion"
    assert capsys.readouterr().out.splitlines()[-1] == f"{first} is the champion again"
