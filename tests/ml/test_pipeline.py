"""How images get from files to scores: decoding, batches, workers, and the cascade."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torchvision.ops import batched_nms

from ml import pipeline
from ml.errors import InputError
from ml.images import image_paths, letterbox, open_image, read_letterboxed
from ml.manifest import write_manifest
from ml.models.base import Predictions
from ml.models.fusion.cascade import fit_floor, margins
from ml.models.suppression import Keep, suppress
from ml.pipeline import Inputs
from ml.predict import load_models, score
from ml.progress import Progress
from ml.synth import generate
from ml.train import train
from tests.ml.test_scan_and_evaluate import run, scan


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    world = generate(
        brands=2, train=0, closed=1, open_=0, business=0, pool=0, size=801, seed=3,
        out=tmp_path_factory.mktemp("photograph") / "world", progress=Progress(quiet=True),
    )  # fmt: skip
    return world.path.parent / world.rows("closed")["image"][0].as_py()


def test_a_jpeg_decoded_smaller_looks_like_the_whole_one(photograph, tmp_path):
    whole = open_image(photograph)
    turned = whole.getexif()
    turned[0x0112] = 6  # a quarter turn
    whole.save(tmp_path / "turned.jpg", quality=95, exif=turned)
    for path in (photograph, tmp_path / "turned.jpg"):
        image = open_image(path)
        seen = read_letterboxed([path], {64, 128})
        assert seen.sizes == [image.size]
        for side, squares in seen.squares.items():
            expected = letterbox(image, side).astype(int)
            assert np.abs(squares[0] - expected).mean() < 1.0
            assert np.array_equal(
                (squares[0] == 255).all(axis=(1, 2)), (expected == 255).all(axis=(1, 2))
            )


def test_suppression_is_that_of_torchvision():
    rng = np.random.default_rng(0)
    output = np.concatenate(
        [rng.uniform(20, 100, (2, 300)), rng.uniform(5, 60, (2, 300)), rng.random((3, 300)) ** 4]
    ).astype(np.float32)
    found = suppress(output, Keep(score_floor=0.2, nms_iou=0.5, max_boxes=40))
    scores, classes = torch.from_numpy(output[4:]).max(dim=0)
    kept = scores > 0.2
    x, y, w, h = torch.from_numpy(output[:4, kept.numpy()])
    boxes = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=1)
    best = batched_nms(boxes, scores[kept], classes[kept], 0.5)[:40]
    np.testing.assert_allclose(found.boxes, boxes[best].numpy(), atol=1e-4)
    np.testing.assert_allclose(found.scores, scores[kept][best].numpy())
    assert found.classes.tolist() == classes[kept][best].tolist()


def test_scores_hang_neither_on_the_batch_nor_on_the_number_of_workers(
    small_world, small_exports, monkeypatch
):
    rows = small_world.rows("closed")
    paths = image_paths(small_world, rows["image"].to_pylist())
    predictors = load_models([artifact.directory for artifact in small_exports.values()])

    def scores(batch, workers):
        monkeypatch.setattr(pipeline, "BATCH", batch)
        found = list(score(predictors, Inputs(paths=paths), workers=workers))
        return Predictions.join([one["classifier"] for one in found]).probabilities

    expected = scores(32, 1)
    for batch, workers in ((7, 3), (1, 2)):
        np.testing.assert_allclose(scores(batch, workers), expected, atol=1e-6)


def test_margins_are_those_of_the_brand_nearest_its_threshold():
    scores = np.array([[0.5, 0.1], [0.01, 0.9]])
    found = margins(scores, np.array([0.5, 0.8]))
    np.testing.assert_allclose(found, [0.0, np.log(9) - np.log(4)])


def test_the_floor_loses_no_more_than_allowed_and_is_never_above_the_thresholds():
    margin = np.linspace(-10, 10, 2000)
    brands = np.arange(2000) % 2
    hit = np.ones(2000, bool)
    floor = fit_floor(margin, brands, hit)
    assert 0.002 < (margin < floor).mean() <= 0.0025
    # One row in ten of a brand is worth a twentieth of two brands' mean recall: none may be lost.
    few = fit_floor(margin[::100], brands[::100] * 0 + np.arange(20) % 2, hit[::100])
    assert few == margin[0]
    assert fit_floor(margin[1500:], brands[1500:], hit[1500:]) == 0.0


@pytest.fixture(scope="module")
def cascade(small_world, small_classifier, small_detector, tmp_path_factory):
    """Folders of a classifier, a detector and a fusion of both."""
    rows = small_world.table.to_pylist()
    for row in rows:
        row["split"] = "val" if row["split"] == "train" else row["split"]
        row["image"] = str(small_world.path.parent / row["image"])
    folders = [small_classifier.directory, small_detector.directory]
    fused = train(
        kind="fusion",
        manifest=write_manifest(rows, tmp_path_factory.mktemp("rows")).path,
        out=tmp_path_factory.mktemp("fusion"),
        config={"models": [str(folder) for folder in folders], "flag_ratio": 0.1},
        init=None,
        progress=Progress(quiet=True),
        should_stop=lambda: False,
    )
    return [small_classifier, small_detector, fused]


def with_floor(fused, floor, folder):
    """The same fusion with another limit."""
    meta = json.loads(fused.path("meta.json").read_text())
    assert meta["calibration"]["cascade_floor"] <= 0
    meta["calibration"]["cascade_floor"] = floor
    for name in fused.files:
        (folder / name).write_bytes(fused.path(name).read_bytes())
    (folder / "meta.json").write_text(json.dumps(meta))
    return type(fused)(**meta, directory=folder)


def test_in_a_cascade_the_detector_looks_where_it_is_told_and_the_shards_say_where(
    small_world, cascade, tmp_path
):
    classifier, detector, fused = cascade
    limited = with_floor(fused, 0.0, tmp_path)
    scan([classifier, detector, limited], small_world, tmp_path / "some", cascade=True)
    scan([classifier, detector, limited], small_world, tmp_path / "all")
    some, all_ = (
        pq.read_table(sorted((tmp_path / name).glob("part-*.parquet"))) for name in ("some", "all")
    )
    looked = np.array([boxes is not None for boxes in some["detector_boxes"].to_pylist()])
    assert 0 < looked.sum() < len(looked)
    assert all(boxes is not None for boxes in all_["detector_boxes"].to_pylist())
    kept = np.flatnonzero(looked)
    assert some["detector_boxes"].take(kept).to_pylist() == (
        all_["detector_boxes"].take(kept).to_pylist()
    )
    assert some["fusion_scores"].take(kept).to_pylist() == (
        all_["fusion_scores"].take(kept).to_pylist()
    )
    # What it did not look at is no item without boxes: the others' own weights speak of it.
    for row in np.flatnonzero(~looked):
        assert sum(some["fusion_scores"][int(row)].as_py()) < 0.9
    assert json.loads((tmp_path / "some" / "scan.json").read_text())["cascade"] is True
    with pytest.raises(InputError, match="another scan"):
        scan([classifier, detector, limited], small_world, tmp_path / "some")


def test_a_cascade_of_models_that_make_none_is_bad_input(small_world, cascade, tmp_path):
    classifier, detector, fused = cascade
    out = ["--manifest", small_world.path, "--out", tmp_path / "scan", "--cascade"]
    assert run("scan", "--model", classifier.directory, *out) == 2
    folders = [artifact.directory for artifact in (classifier, detector)]
    words = [word for folder in folders for word in ("--model", folder)]
    (tmp_path / "old").mkdir()
    old = with_floor(fused, None, tmp_path / "old")
    assert run("scan", *words, "--model", old.directory, *out) == 2
    assert run("scan", "--model", classifier.directory, *out[:-1], "--workers", 0) == 2
    assert not (tmp_path / "scan").exists()
