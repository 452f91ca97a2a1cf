"""Scans and evaluations of trained models."""

import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from ml import scan as scanning
from ml.errors import Cancelled, InputError
from ml.evaluate.scored import fitting_half
from ml.manifest import write_manifest
from ml.progress import Progress
from tests.ml.command import run
from tests.ml.small_world import COLOURS

QUIET = Progress(quiet=True)


def scan(models, manifest, out, **options):
    defaults: dict[str, Any] = {"split": "pool", "shard_size": 7, "should_stop": lambda: False}
    directories = [model.directory for model in models]
    return scanning.scan(
        models=directories, manifest=manifest.path, out=out, progress=QUIET, **(defaults | options)
    )


def test_shards_hold_every_pool_image_with_the_columns_of_the_given_models(
    small_world, small_classifier, small_variation, tmp_path
):
    summary = scan([small_classifier, small_variation], small_world, tmp_path)
    table = pq.read_table([tmp_path / name for name in summary["shards"]])
    assert table["sha256"].to_pylist() == small_world.rows("pool")["sha256"].to_pylist()
    assert table.column_names == [
        "sha256", "group", "classifier_brands", "classifier_scores", "classifier_none",
        "embedding", "variation", "variation_score",
    ]  # fmt: skip
    row = table.to_pylist()[0]
    assert sorted(row["classifier_brands"]) == sorted(COLOURS)
    assert sum(row["classifier_scores"]) + row["classifier_none"] == pytest.approx(1, abs=1e-4)
    assert row["classifier_scores"] == sorted(row["classifier_scores"], reverse=True)
    assert np.linalg.norm(np.array(row["embedding"], float)) == pytest.approx(1, abs=0.01)
    assert row["variation_score"] == pytest.approx(1 - row["variation"]["none"], abs=1e-6)
    assert json.loads((tmp_path / "scan.json").read_text())["images"] == 20


def test_a_stopped_scan_keeps_its_shards_and_goes_on(small_world, small_variation, tmp_path):
    asked = iter([False, True])
    with pytest.raises(Cancelled):
        scan([small_variation], small_world, tmp_path, should_stop=lambda: next(asked))
    first = tmp_path / "part-00000.parquet"
    written = first.stat().st_mtime_ns
    assert not (tmp_path / "scan.json").exists()
    assert not (tmp_path / "part-00001.parquet").exists()
    scan([small_variation], small_world, tmp_path)
    assert first.stat().st_mtime_ns == written
    assert (tmp_path / "scan.json").exists()


def test_shards_of_another_scan_are_not_mixed_in(
    small_world, small_classifier, small_variation, tmp_path
):
    scan([small_variation], small_world, tmp_path)
    with pytest.raises(InputError, match="another scan"):
        scan([small_classifier], small_world, tmp_path)


def test_a_broken_image_is_named(small_world, small_variation, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    world = write_manifest([{"image": "bad.png", "sha256": "0", "split": "pool"}], tmp_path)
    with pytest.raises(InputError, match=r"bad\.png"):
        scan([small_variation], world, tmp_path / "out")


def test_evaluation_writes_a_report_a_model(
    small_world, small_classifier, small_variation, tmp_path
):
    out = tmp_path / "report.json"
    code = run(
        "evaluate", "--model", small_classifier.directory, "--model", small_variation.directory,
        "--manifest", small_world.path, "--json", out, "--flag-ratio", 0.2,
    )  # fmt: skip
    assert code == 0
    reports = json.loads(out.read_text())["models"]
    classifier = reports["classifier"]
    assert classifier["closed"]["mean_recall"] > 0.5
    assert {b: f["n"] for b, f in classifier["closed"]["per_brand"].items()} == dict.fromkeys(
        COLOURS, 4
    )
    opened = small_world.rows("open")
    assert classifier["open"]["n"] == len(opened) - fitting_half(opened).sum()
    assert classifier["thresholds"] == {"*": classifier["open"]["threshold"]}
    assert "business" not in classifier
    weights = sum(one.stat().st_size for one in small_classifier.directory.iterdir())
    assert classifier["megabytes"] == pytest.approx(weights / 1e6)
    assert 0 < classifier["milliseconds"] < 1000
    assert set(reports["variation"]["closed"]["per_class"]) <= {"collage", "stack"}


def test_single_images_are_scored(small_world, small_classifier, tmp_path):
    image = small_world.path.parent / small_world.rows("closed")["image"][0].as_py()
    out = tmp_path / "scores.json"
    assert run("predict", "--model", small_classifier.directory, image, "--json", out) == 0
    (row,) = json.loads(out.read_text())
    assert row["image"] == str(image)
    assert sum(row["classifier"].values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    "argv",
    [
        ["train", "classifier", "--manifest", "nowhere", "--out", "out"],
        ["train", "oracle", "--manifest", "nowhere", "--out", "out"],
        ["train", "classifier", "--manifest", "nowhere", "--out", "out", "--config", '{"sise": 3}'],
        ["train", "classifier", "--manifest", "nowhere", "--out", "out", "--config", "{"],
        ["evaluate", "--model", "nowhere", "--manifest", "nowhere", "--json", "f"],
        ["scan", "--model", "nowhere", "--manifest", "nowhere", "--out", "out"],
        ["predict", "--model", "nowhere", "nowhere.png"],
        ["guess"],
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(argv, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*argv) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
