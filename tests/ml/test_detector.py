import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.artifact import META, read_artifact
from ml.errors import Cancelled, InputError
from ml.models import detector
from ml.models.fitting import CHECKPOINT
from ml.models.yolo.net import read_weights
from ml.progress import Progress
from tests.ml.detector_pictures import draw, make_manifest

TINY = detector.Config(
    width=0.125, size=64, batch_size=8, steps=6, warm_steps=3, threads=1, holdout=0.2
)
ROOT = Path(__file__).parents[2]


def _train(manifest, out, *, config=TINY, init=None, stop_after=None, report=None):
    asked = iter(range(10**6))
    return detector.train(
        config=config,
        manifest=manifest,
        out=out,
        init=init,
        progress=Progress(file=report, quiet=True),
        should_stop=lambda: stop_after is not None and next(asked) >= stop_after,
    )


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def undisturbed(manifest, tmp_path_factory):
    return _train(manifest, tmp_path_factory.mktemp("undisturbed"))


def _same_weights(a, b):
    first, second = read_weights(a), read_weights(b)
    return first.keys() == second.keys() and all(first[k].equal(second[k]) for k in first)


def test_an_artifact_holds_all_that_is_needed_to_load_it(manifest, undisturbed):
    artifact = read_artifact(undisturbed.directory, kind="detector")
    assert artifact.labels == ["blau", "rot"]
    assert artifact.config["network"]["backbone"]
    assert artifact.manifest_sha256 == manifest.sha256
    assert artifact.metrics["steps"] == 6
    assert {p.name for p in undisturbed.directory.iterdir()} == {META, "weights.safetensors"}
    json.dumps(artifact.config)
    assert detector.load(artifact).labels == artifact.labels


def test_more_pictures_take_more_steps_unless_the_steps_are_given(manifest, tmp_path):
    many = replace(TINY, steps=2, warm_steps=1, passes=3, batch_size=4)
    first = _train(manifest, tmp_path / "first", config=many)
    an_epoch = -(-first.metrics["rows"] // 4)  # every picture of them has a box
    assert first.metrics["steps"] == 3 * an_epoch > 2
    further = _train(manifest, tmp_path / "further", config=many, init=first)
    assert further.metrics["steps"] == round(3 * an_epoch / 2)
    assert detector.filled(detector.Config(), device="cpu", init=None).passes > 0
    assert detector.filled(TINY, device="cpu", init=None).passes == 0


@pytest.mark.parametrize("after", [30, 33])
def test_a_stopped_training_resumes_and_ends_as_if_undisturbed(
    manifest, undisturbed, tmp_path, after
):
    # 30 rows are read first, so these stop before the first step and after the third.
    with pytest.raises(Cancelled):
        _train(manifest, tmp_path, stop_after=after)
    assert not (tmp_path / META).exists()
    assert (tmp_path / CHECKPOINT).is_file()
    assert _same_weights(_train(manifest, tmp_path), undisturbed)
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_checkpoint_of_another_training_is_bad_input(manifest, tmp_path):
    with pytest.raises(Cancelled):
        _train(manifest, tmp_path, stop_after=31)
    with pytest.raises(InputError, match="another training"):
        _train(manifest, tmp_path, config=replace(TINY, seed=1))


def test_progress_is_reported_each_epoch(manifest, tmp_path):
    _train(manifest, tmp_path / "out", report=tmp_path / "progress.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    losses = [line["metrics"]["loss"] for line in lines if "loss" in line["metrics"]]
    assert len(losses) == 2
    shares = [line["progress"] for line in lines]
    assert shares == sorted(shares)


def test_bad_input_writes_nothing(manifest, tmp_path):
    for config in (replace(TINY, net="nothing"), replace(TINY, brands=("gelb",))):
        with pytest.raises(InputError):
            _train(manifest, tmp_path / "out", config=config)
    assert not (tmp_path / "out").exists()


def test_boxes_lie_inside_each_image_best_first_whatever_its_shape(undisturbed):
    # As little trained as this one is, every score is low.
    config = undisturbed.config | {"score_floor": 0.0}
    predictor = detector.load(replace(undisturbed, config=config))
    rng = np.random.default_rng(0)
    images = [draw(rng, "rot", wide=w, high=h)[0] for w, h in ((200, 40), (40, 200), (64, 64))]
    found = predictor.predict(images).boxes
    assert len(found) == 3
    for image, boxes in zip(images, found, strict=True):
        assert 0 < len(boxes) <= 100
        scores = [box.score for box in boxes]
        assert scores == sorted(scores, reverse=True)
        for box in boxes:
            assert 0 <= box.x1 <= box.x2 <= image.width
            assert 0 <= box.y1 <= box.y2 <= image.height
            assert box.brand in ("blau", "rot")


def test_an_image_is_scored_alike_alone_and_in_a_batch(undisturbed):
    predictor = detector.load(
        replace(undisturbed, config=undisturbed.config | {"score_floor": 0.0})
    )
    rng = np.random.default_rng(0)
    images = [draw(rng, "blau", wide=w)[0] for w in (96, 64, 80)]
    together = predictor.predict(images).boxes
    alone = [predictor.predict([image]).boxes[0] for image in images]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose([x.score for x in a], [x.score for x in b], atol=1e-5)
    assert predictor.predict([]).boxes == []


@pytest.fixture(scope="module")
def learned(manifest, tmp_path_factory):
    config = replace(TINY, steps=100)
    return _train(manifest, tmp_path_factory.mktemp("learned"), config=config)


@pytest.mark.slow
def test_squares_are_learned_and_found_in_pixels_of_new_pictures(learned):
    predictor = detector.load(learned)
    rng = np.random.default_rng(99)
    right = 0
    for i in range(40):
        brand = ("blau", "rot")[i % 2]
        image, true = draw(rng, brand, wide=(96, 150)[i % 2], high=(64, 110)[i // 2 % 2])
        best = predictor.predict([image]).boxes[0][:1]
        right += bool(best) and best[0].brand == brand and _overlap(best[0], true) > 0.5
    assert right >= 32


@pytest.mark.slow
def test_a_warm_start_with_a_further_brand_still_knows_the_others(learned, manifest, tmp_path):
    start = replace(TINY, brands=("blau", "rot"), warm_steps=1, warm_learning_rate=1e-6)
    warm = _train(manifest, tmp_path, config=start, init=learned)
    assert warm.metrics["val_map50"] == pytest.approx(learned.metrics["val_map50"], abs=0.1)


@pytest.mark.slow
def test_a_killed_training_resumes_from_its_last_checkpoint(manifest, undisturbed, tmp_path):
    config = {
        name: getattr(TINY, name)
        for name in ("width", "size", "batch_size", "steps", "warm_steps", "threads", "holdout")
    }
    command = [sys.executable, "-m", "ml", "train", "detector", "--manifest", str(manifest.path)]
    config["checkpoint_seconds"] = 1e-9
    command += ["--out", str(tmp_path), "--config", json.dumps(config)]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / CHECKPOINT).is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert (tmp_path / CHECKPOINT).is_file()
    assert not (tmp_path / META).exists()
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    assert _same_weights(read_artifact(tmp_path), undisturbed)


def _overlap(box, true):
    width = min(box.x2, true[2]) - max(box.x1, true[0])
    height = min(box.y2, true[3]) - max(box.y1, true[1])
    shared = max(0, width) * max(0, height)
    areas = (box.x2 - box.x1) * (box.y2 - box.y1) + (true[2] - true[0]) * (true[3] - true[1])
    return shared / (areas - shared)
