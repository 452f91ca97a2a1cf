"""The detector's benchmark: that its table has every network, on worlds of seconds."""

import json

import numpy as np
import pytest

from ml.bench import detector, detector_enrolment
from ml.bench.detector_figures import Pictures, megabytes
from ml.bench.rows import as_table, means
from ml.cli import main
from ml.models.yolo.net import read_weights
from ml.progress import Progress
from ml.synth import generate

SMALL = {"brands": 2, "train": 24, "closed": 8, "open_": 8, "business": 24}
NET = {"width": 0.125, "size": 64, "batch_size": 4}
CONTEST = detector.Contest(
    nets={
        "baseline": NET | {"net": "yolov3-tiny", "depth": 1.0, "recipe": "plain"},
        "recipe": NET | {"recipe": "article"},
    },
    full_size={"large": NET | {"net": "csp", "width": 0.25}},
    steps=2,
    quick_steps=2,
    test_scales=(64, 128),
    rounds=2,
    quick_rounds=2,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("drawn") / "world"
    return generate(**SMALL, pool=0, size=128, seed=1, out=out, progress=Progress(quiet=True))


@pytest.mark.slow
def test_the_table_has_a_row_for_every_network_scale_and_seed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(detector, "QUICK", SMALL)
    monkeypatch.setattr(detector, "CONTESTS", dict.fromkeys(("cpu", "cuda"), CONTEST))
    monkeypatch.setattr(detector_enrolment, "SHOTS", (1, 3))
    short = {"size": 32, "start_size": 32, "least_steps": 0, "epochs": 1}
    monkeypatch.setattr(
        detector_enrolment, "EMBEDDERS", dict.fromkeys(("crops", "pictures"), short)
    )
    out = tmp_path / "detector.json"
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "detector", "--quick", "--seeds", "1", "--json", str(out)])
    assert stopped.value.code == 0
    figures = json.loads(out.read_text())
    enrolled = [(row["name"], row["crops"]) for row in figures["enrolment"]["rows"]]
    assert enrolled == [
        ("embedded as crops", 1),
        ("embedded as crops", 3),
        ("embedded as pictures", 1),
        ("embedded as pictures", 3),
        ("trained with them", None),
    ]
    rows = figures["rows"]
    assert [(row["name"], row["train_scale"], row["test_scale"]) for row in rows] == [
        ("baseline", 64, 64),
        ("baseline", 64, 128),
        ("recipe", 64, 64),
        ("recipe", 64, 128),
        ("large", None, 64),
    ]
    for row in rows:
        assert row["mb"] > 0
        assert row["ms"] > 0
        assert row["seed"] == 1
        for name in ("map50", "map50_95", "small_recall"):
            assert row[name] is None if row["name"] == "large" else 0 <= row[name] <= 1
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(rows)


def test_a_small_logo_is_one_of_less_than_a_hundredth_of_its_picture(world):
    pictures = Pictures.of(world)
    assert len(pictures.paths) == 40
    assert pictures.closed.sum() == 8
    assert 0 < pictures.empty.sum() <= 8
    assert not any(pictures.truths[i] for i in np.flatnonzero(pictures.empty))
    sizes = [
        ((box["x2"] - box["x1"]) * (box["y2"] - box["y1"]), small)
        for boxes, marks in zip(pictures.truths, pictures.small, strict=True)
        for box, small in zip(boxes, marks, strict=True)
    ]
    # Pictures are 128 × 128, or 102 on one side.
    assert all(small for size, small in sizes if size < 0.01 * 128 * 102)
    assert not any(small for size, small in sizes if size >= 0.01 * 128 * 128)
    assert {small for _, small in sizes} == {True, False}


def test_a_weights_file_has_four_bytes_a_number(world, tmp_path):
    artifact = detector.untrained(NET, world, tmp_path / "net")
    numbers = sum(t.numel() for t in read_weights(artifact).values())
    assert megabytes(artifact) == pytest.approx(4e-6 * numbers, rel=0.05)


def test_means_leave_out_what_was_not_measured():
    rows = [
        {"name": "a", "map": 0.25, "ms": 4.0, "seed": 1},
        {"name": "b", "map": None, "ms": 1.0, "seed": 1},
        {"name": "a", "map": 0.75, "ms": 2.0, "seed": 2},
        {"name": "b", "map": None, "ms": 2.0, "seed": 2},
    ]
    assert means(rows, ["name"]) == [
        {"name": "a", "map": 0.5, "map range": [0.25, 0.75], "ms": 3.0, "ms range": [2.0, 4.0]},
        {"name": "b", "map": None, "ms": 1.5, "ms range": [1.0, 2.0]},
    ]
    assert as_table(means(rows, ["name"])).splitlines() == [
        "name  map  map range     ms   ms range",
        "a     0.5  0.25 to 0.75  3    2 to 4",
        "b                        1.5  1 to 2",
    ]
