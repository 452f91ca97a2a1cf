"""The real `python -m ml` under supervision: from a generated world to a champion."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.files.storage import default_storage
from django.db import connection

from active_learning import (
    datasets,
    evaluations,
    flags,
    promotion,
    scans,
    settling,
    training,
    triggers,
)
from active_learning.job_files import progress_lines
from active_learning.models import Release, TrainingRun
from annotation.labels import Content, import_labels
from annotation.models import Brand, Product
from ml.artifact import code_version
from ml.evaluate.scores_file import read_scores
from ml.manifest import read_manifest
from tests.active_learning.test_supervision import wait_for
from tests.factories import BrandFactory, ImageFactory, ImageGroupFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SIZES = {"brands": 2, "train": 60, "closed": 16, "open": 40, "business": 4, "pool": 12, "size": 64}
TINY = {"epochs": 1, "least_steps": 0, "size": 32, "batch_size": 16}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("world") / "world"
    sizes = [f"--{name}={value}" for name, value in SIZES.items()]
    subprocess.run(
        [sys.executable, "-m", "ml", "synth", *sizes, "--seed=3", f"--out={out}"],
        check=True,
        cwd=django_settings.BASE_DIR,
    )
    return out


@pytest.fixture
def loaded(world, settings, tmp_path):
    """The world's images and what is known of them, in the database."""
    settings.DATA_DIR = tmp_path
    settings.TRAIN_THREADS = 1
    settings.FLAG_RATIO_BUDGET = 0.1
    rows = read_manifest(world).table.to_pylist()
    brands = {row["brand"] for row in rows if row["brand"]}
    known = {key: BrandFactory(key=key) for key in sorted(brands)}
    groups: dict[tuple[str, str], object] = {}
    items = []
    for row in rows:
        role = "training" if row["split"] in ("train", "val", "pool") else "test"
        if (row["group"], role) not in groups:
            groups[row["group"], role] = ImageGroupFactory(role=role)
        name = f"real/{row['sha256']}.jpg"
        target = Path(default_storage.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(world / row["image"], target)
        image = ImageFactory(
            sha256=row["sha256"],
            file=name,
            split=row["split"],
            group=groups[row["group"], role],
            product=Product.objects.create(
                source="shop", external_id=row["sha256"], title=row["title"] or ""
            ),
        )
        items += contents(image, row, known)
    import_labels(items=items)


def contents(image, row, brands: dict[str, Brand]):
    if row["answer"] != "unlabelled":
        brand = brands.get(row["brand"]) if row["answer"] == "brand" else None
        yield image, "brand", Content(answer=row["answer"], brand=brand, has_logo=row["has_logo"])
    if row["boxes"] is not None:
        yield image, "boxes", Content(boxes=row["boxes"])
    if row["variation"]:
        yield image, "variation", Content(variation=row["variation"])


def train(kind, **config):
    return training.request_training(kind=kind, trigger="person", config=TINY | config)


@pytest.mark.usefixtures("loaded")
def test_a_model_is_trained_evaluated_promoted_and_scans_the_pool():
    run = train("variation")
    assert training.run(run_id=run.pk) == "succeeded", TrainingRun.objects.get(pk=run.pk).error
    run.refresh_from_db()
    assert run.progress == 1.0
    assert Path(run.model_version.artifact, "meta.json").exists()
    classifier = train("classifier")
    assert training.run(run_id=classifier.pk) == "succeeded"
    classifier.refresh_from_db()
    candidate = promotion.create_release(
        classifier=classifier.model_version, detector=None, variation=run.model_version
    )
    assert candidate.brands == classifier.config["brands"]
    evaluation = evaluations.request_evaluation(release=candidate)
    assert evaluations.run(evaluation_id=evaluation.pk) == "succeeded"
    candidate.refresh_from_db()
    evaluation.refresh_from_db()
    assert set(evaluation.report) == set(candidate.thresholds) == {"classifier", "variation"}
    report = evaluation.report["classifier"]
    assert len(report["closed"]["per_brand"]) == SIZES["brands"]
    assert len(read_scores(Path(report["scores"])).keys) == len(read_manifest(evaluation.manifest))
    assert classifier.model_version.size > 0
    assert classifier.model_version.code_version == code_version()
    assert classifier.model_version.config["brands"] == classifier.config["brands"]
    settling.settle(candidate=candidate)
    candidate.refresh_from_db()
    assert all(verdict["passed"] for verdict in candidate.gate.values()), candidate.gate
    assert {reason["gate"] for reason in candidate.gate["classifier"]["reasons"]} == {
        "recall", "flags", "size", "speed", "leakage"
    }  # fmt: skip
    scan = scans.request_scan(release=candidate, manifest=datasets.pool_manifest())
    assert scans.run(scan_id=scan.pk) == "succeeded"
    scan.refresh_from_db()
    table = scans.scan_table(scan)
    assert table.num_rows == scan.rows == SIZES["pool"]
    assert {"sha256", "classifier_brands", "embedding", "variation_score"} <= {*table.column_names}


def evaluated_and_settled():
    """The candidate that stands, measured and judged."""
    candidate = Release.objects.get(state="candidate")
    evaluation = evaluations.request_evaluation(release=candidate)
    assert evaluations.run(evaluation_id=evaluation.pk) == "succeeded"
    return candidate


@pytest.mark.usefixtures("loaded")
def test_the_champions_models_are_joined_by_a_fusion_that_scans_and_flags_with_them(settings):
    settings.GATE_RECALL_TOLERANCE = 1.0  # which net of one epoch finds more is chance
    settings.FLAG_RATIO_BUDGET = 0.5  # and so is what it flags
    versions = {}
    for run in (train("classifier"), titles()):
        assert training.run(run_id=run.pk) == "succeeded", TrainingRun.objects.get(pk=run.pk).error
        run.refresh_from_db()
        versions[run.kind] = run.model_version
    promotion.create_release(detector=None, variation=None, **versions)
    settling.settle(candidate=evaluated_and_settled())
    assert promotion.champion().fusion is None

    (run,) = triggers.check_triggers()
    assert (run.kind, run.trigger) == ("fusion", "promotion")
    assert training.run(run_id=run.pk) == "succeeded", TrainingRun.objects.get(pk=run.pk).error
    assert triggers.check_triggers() == []  # it makes the candidate
    candidate = evaluated_and_settled()
    assert triggers.check_triggers() == []  # it settles it
    champion = promotion.champion()
    assert {kind: getattr(champion, kind) for kind in versions} == versions
    candidate.refresh_from_db()
    assert champion.fusion is not None, candidate.gate
    assert set(champion.brands) <= set(champion.thresholds["fusion"])

    scan = scans.request_scan(release=champion, manifest=datasets.pool_manifest())
    assert scans.run(scan_id=scan.pk) == "succeeded"
    scan.refresh_from_db()
    table = scans.scan_table(scan)
    assert {"text_brands", "fusion_brands", "fusion_none"} <= {*table.column_names}
    assert table["text_brands"].null_count < table.num_rows
    flags.raise_flags(scan=scan)
    assert triggers.check_triggers() == []


def titles():
    return training.request_training(
        kind="text", trigger="person", config={"epochs": 1, "least_steps": 0}
    )


@pytest.mark.usefixtures("loaded")
def test_a_training_that_is_cancelled_halfway_goes_on_from_its_checkpoint():
    run = train("variation", epochs=40, size=64)
    states = []

    def work():
        states.append(training.run(run_id=run.pk))
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    wait_for(lambda: progress(run) > 0.1, 120)
    training.cancel_run(run=run)
    worker.join(15)
    assert states == ["cancelled"]
    before = progress_lines(Path(run.output))
    training.resume_run(run=run)
    assert training.run(run_id=run.pk) == "succeeded"
    after = progress_lines(Path(run.output))[len(before) :]
    trained = [line["progress"] for line in after if line["metrics"]]
    assert min(trained) > 0.1, "it did not begin anew"
    run.refresh_from_db()
    assert run.model_version.number == 1


def progress(run) -> float:
    run.refresh_from_db()
    return run.progress
