"""Exported models: the same answers as in torch, everywhere a model is used."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from ml import models
from ml.artifact import META, read_artifact
from ml.errors import InputError
from ml.export import run as exporting
from ml.export.run import export
from ml.images import image_paths, open_image
from ml.manifest import write_manifest
from ml.progress import Progress
from tests.ml.small_world import COLOURS
from tests.ml.test_scan_and_evaluate import run, scan

QUIET = Progress(quiet=True)


def pictures(world, count):
    names = world.rows("closed")["image"].to_pylist()[:count]
    return [open_image(path) for path in image_paths(world, names)]


@pytest.mark.parametrize("count", [1, 5])
def test_a_batch_of_any_size_gets_the_probabilities_and_embeddings_of_torch(
    small_world, small_classifier, small_variation, small_exports, count
):
    images = pictures(small_world, count)
    for source in (small_classifier, small_variation):
        expected = models.load(source).predict(images)
        found = models.load(small_exports[source.kind]).predict(images)
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
        np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-5)


def test_boxes_are_those_of_torch_in_pixels_of_images_of_any_shape(
    small_world, small_detector, small_exports
):
    images = pictures(small_world, 3)
    images[1] = images[1].resize((96, 33))
    # As little trained as it is, many boxes are equally likely: which survive would be rounding.
    every = {"nms_iou": 1.0, "max_boxes": 1000}
    expected, found = (
        models.load(replace(one, config=one.config | every)).predict(images).boxes
        for one in (small_detector, small_exports["detector"])
    )
    for theirs, ours in zip(expected, found, strict=True):
        assert len(ours) == len(theirs) > 50
        for box in ours:
            same = [other for other in theirs if other.brand == box.brand]
            apart = [np.abs(np.subtract(_corners(box), _corners(other))).max() for other in same]
            assert min(apart) < 1e-2
            assert same[int(np.argmin(apart))].score == pytest.approx(box.score, abs=1e-5)


def _corners(box):
    return [box.x1, box.y1, box.x2, box.y2]


def test_the_folder_says_what_it_was_made_from(small_classifier, small_exports):
    exported = read_artifact(small_exports["classifier"].directory, kind="classifier")
    assert exported.labels == small_classifier.labels
    assert exported.calibration == small_classifier.calibration
    assert {path.name for path in exported.directory.iterdir()} == {META, "model.onnx"}
    assert exported.exported["precision"] == "float32"
    assert exported.metrics["export"]["difference"] < 1e-5
    assert exported.metrics["val_accuracy"] == small_classifier.metrics["val_accuracy"]


def test_a_scan_an_evaluation_and_a_prediction_say_the_same(
    small_world, small_classifier, small_detector, small_exports, tmp_path
):
    sources = [small_classifier, small_detector]
    exports = [small_exports[source.kind] for source in sources]
    shards = []
    for name, artifacts in (("torch", sources), ("onnx", exports)):
        scan(artifacts, small_world, tmp_path / name)
        shards.append(pq.read_table(tmp_path / name / "part-00000.parquet"))
        words = [word for one in artifacts for word in ("--model", one.directory)]
        out = tmp_path / f"{name}.json"
        assert run("evaluate", *words, "--manifest", small_world.path, "--json", out) == 0
    torch, onnx = shards
    assert onnx["classifier_brands"].to_pylist() == torch["classifier_brands"].to_pylist()
    vectors = [np.array(table["embedding"].to_pylist(), float) for table in shards]
    np.testing.assert_allclose(vectors[1], vectors[0], atol=2e-3)
    counts = [[len(found) for found in table["detector_boxes"].to_pylist()] for table in shards]
    assert counts[0] == counts[1] == [5] * len(torch)
    reports = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("torch", "onnx")]
    recalls = [report["models"]["classifier"]["closed"]["mean_recall"] for report in reports]
    assert recalls[0] == recalls[1] > 0.5
    image = small_world.path.parent / small_world.rows("closed")["image"][0].as_py()
    said = tmp_path / "said.json"
    exported = small_exports["classifier"].directory
    assert run("predict", "--model", exported, image, "--json", said) == 0
    assert set(json.loads(said.read_text())[0]["classifier"]) == {*COLOURS, "none"}


def test_int8_is_kept_only_where_it_costs_little_and_is_faster(
    small_world, small_classifier, tmp_path, monkeypatch
):
    def made(name, loss, gain=0.0):
        monkeypatch.setattr(exporting, "LOSS", loss)
        monkeypatch.setattr(exporting, "GAIN", gain)
        return export(
            model=small_classifier.directory, out=tmp_path / name, int8=small_world.path,
            progress=QUIET,
        )  # fmt: skip

    small, refused = made("any", 1.0), made("none", -1.1)
    assert made("slow", 1.0, gain=1e6).exported["precision"] == "float32"
    told = small.metrics["export"]
    assert (small.exported["precision"], told["measure"]) == ("int8", "mean_recall")
    assert told["rows"] > 0
    assert small.path("model.onnx").stat().st_size < 0.6 * refused.path("model.onnx").stat().st_size
    assert refused.exported["precision"] == refused.metrics["export"]["precision"] == "float32"
    assert {"float32", "int8", "speedup"} <= set(refused.metrics["export"])
    images = pictures(small_world, 12)
    best = [models.load(a).predict(images).probabilities.argmax(axis=1) for a in (small, refused)]
    assert np.mean(best[0] == best[1]) > 0.8


def test_what_cannot_be_exported_is_said_and_nothing_is_written(
    small_world, small_classifier, small_exports, tmp_path
):
    with pytest.raises(InputError, match="an export already"):
        export(
            model=small_exports["classifier"].directory, out=tmp_path / "out", int8=None,
            progress=QUIET,
        )  # fmt: skip
    with pytest.raises(InputError, match="holds a model already"):
        export(
            model=small_classifier.directory, out=small_classifier.directory, int8=None,
            progress=QUIET,
        )  # fmt: skip
    rows = [row | {"split": "closed"} for row in small_world.table.to_pylist()]
    empty = write_manifest(rows, tmp_path / "empty")
    argv = ["--model", small_classifier.directory, "--out", tmp_path / "out"]
    assert run("export", *argv, "--int8", empty.path) == 2
    assert not (tmp_path / "out").exists()


def test_an_export_runs_by_the_providers_asked_for(small_world, small_exports, monkeypatch):
    images = pictures(small_world, 3)
    usual = models.load(small_exports["classifier"]).predict(images).probabilities
    monkeypatch.setenv("ONNX_PROVIDERS", " CPUExecutionProvider,")
    asked = models.load(small_exports["classifier"]).predict(images).probabilities
    np.testing.assert_array_equal(asked, usual)
    monkeypatch.setenv("ONNX_PROVIDERS", "NoSuchProvider,CPUExecutionProvider")
    with pytest.raises(InputError, match=r"no NoSuchProvider here, only: .*CPUExecutionProvider"):
        models.load(small_exports["classifier"])


def test_embeddings_of_a_manifest_are_those_of_torch_and_null_where_there_is_no_image(
    small_world, small_classifier, small_exports, tmp_path
):
    (tmp_path / "broken.png").write_bytes(b"no image")
    rows = [
        {"image": str(small_world.path.parent / row["image"]), "sha256": row["sha256"]}
        for row in small_world.rows("pool").to_pylist()
    ]
    world = write_manifest([{"image": "broken.png", "sha256": "f"}, *rows], tmp_path)
    vectors = []
    for name, artifact in (("torch", small_classifier), ("onnx", small_exports["classifier"])):
        out = tmp_path / name
        argv = ["--model", artifact.directory, "--manifest", world.path, "--out", out]
        assert run("embed", *argv) == 0
        table = pq.read_table(out)
        assert table["sha256"].to_pylist() == ["f", *(row["sha256"] for row in rows)]
        broken, *found = table["embedding"].to_pylist()
        assert broken is None
        vectors.append(np.array(found))
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-5)
    assert vectors[0].shape == (len(rows), 32)
