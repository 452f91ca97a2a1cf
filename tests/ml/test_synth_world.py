"""The folder that `synth` writes: complete, honest, repeatable, and silent where it should be."""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from ml.artifact import file_sha256
from ml.cli import EXIT_STOPPED
from ml.errors import InputError
from ml.manifest import read_manifest
from ml.progress import Progress
from ml.synth import cli, generate, world
from ml.synth.commerce import TODAY
from ml.synth.plan import FOLDERS

COUNTS = {"train": 60, "closed": 24, "open_": 50, "business": 20, "pool": 60}
TRAINING = {"train", "pool"}


def draw(out, *, seed=3, **changes):
    arguments = {"brands": 3, "size": 64, "seed": seed, **COUNTS, **changes}
    return generate(**arguments, out=out, progress=Progress(quiet=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("synth") / "world"
    draw(out)
    return out


@pytest.fixture(scope="module")
def truth(folder):
    """Every image's row with its true answers."""
    rows = [row for row in read_manifest(folder).table.to_pylist() if row["split"] != "pool"]
    return rows + read_manifest(folder / "truth").table.to_pylist()


def read_csv(path):
    with path.open(encoding="utf-8") as source:
        return list(csv.DictReader(source))


def test_every_folder_lists_its_images_and_the_manifest_names_them_all(folder, truth):
    listed = {
        f"{name}/{row['file']}"
        for name in FOLDERS
        for row in read_csv(folder / name / "products.csv")
    }
    assert listed == {row["image"].removeprefix("../") for row in truth}
    assert len(listed) == sum(COUNTS.values()) + 2 * (60 // 3)


def test_a_manifest_finds_its_images_and_their_hashes_from_its_own_folder(folder):
    for place in (folder, folder / "truth"):
        for row in read_manifest(place).table.to_pylist():
            path = place / row["image"]
            assert file_sha256(path) == row["sha256"]
            with Image.open(path) as image:
                assert image.format == "JPEG"
                assert max(image.size) <= 64


@pytest.mark.slow
def test_the_same_seed_draws_the_same_world_however_many_processes(tmp_path, monkeypatch):
    few = {"train": 20, "closed": 6, "open_": 10, "business": 6, "pool": 20}
    one = draw(tmp_path / "one", **few)
    monkeypatch.setattr(world, "_PER_PROCESS", 10)
    monkeypatch.setattr(world.os, "cpu_count", lambda: 2)
    assert draw(tmp_path / "two", **few).sha256 == one.sha256
    assert draw(tmp_path / "three", **few, seed=4).sha256 != one.sha256


def test_the_pool_tells_nothing_and_its_truth_lies_apart(folder):
    pool = read_manifest(folder).rows("pool").to_pylist()
    hidden = ("brand", "boxes", "variation", "has_logo", "risk", "attack", "licensed")
    assert {row["answer"] for row in pool} == {"unlabelled"}
    assert all(row[name] is None for row in pool for name in hidden)
    apart = read_manifest(folder / "truth").table.to_pylist()
    assert {row["sha256"] for row in apart} == {row["sha256"] for row in pool}
    assert {row["answer"] for row in apart} == {"brand", "none", "other"}
    for row in read_csv(folder / "pool" / "products.csv"):
        assert not any(row[name] for name in ("brand", "answer", *hidden[2:6]))


def test_no_group_is_both_training_and_test_material(truth):
    training = {row["group"] for row in truth if row["split"] in TRAINING}
    assert not training & {row["group"] for row in truth if row["split"] not in TRAINING}


def test_near_duplicates_in_the_pool_share_group_product_and_answer(truth):
    by_group: dict[str, list[dict]] = {}
    for row in truth:
        by_group.setdefault(row["group"], []).append(row)
    copies = [rows for rows in by_group.values() if len(rows) > 1]
    assert copies
    for rows in copies:
        assert len({row["sha256"] for row in rows}) == len(rows)
        assert len({(row["product"], row["answer"], row["brand"]) for row in rows}) == 1


def test_the_catalogue_is_weak(folder, truth):
    """What the product table says of it is partly wrong, and not called trusted."""
    answers = {row["image"]: row for row in truth}
    rows = read_csv(folder / "train" / "products.csv")
    branded = [row for row in rows if row["brand"]]
    assert {row["answer"] for row in branded} == {""}
    assert {row["answer"] for row in rows if not row["brand"]} == {"none"}
    wrong = [row for row in branded if answers[f"train/{row['file']}"]["answer"] == "none"]
    assert 0.06 < len(wrong) / len(branded) < 0.18


def test_boxes_lie_in_their_picture_and_name_its_brand(folder, truth):
    boxed = [row for row in truth if row["boxes"]]
    assert boxed
    for row in boxed:
        with Image.open(folder / row["image"].removeprefix("../")) as image:
            width, height = image.size
        assert row["has_logo"]
        for box in row["boxes"]:
            assert 0 <= box["x1"] < box["x2"] <= width
            assert 0 <= box["y1"] < box["y2"] <= height
            assert box["brand"] == row["brand"]


def test_boxes_csv_tells_looked_and_found_none_from_boxed(folder, truth):
    known = {Path(row["image"]).name: row for row in truth if row["source"] == "detection"}
    lines = read_csv(folder / "detection" / "boxes.csv")
    assert {line["file"] for line in lines} == set(known)
    for line in lines:
        assert bool(line["x1"]) == bool(line["brand"]) == bool(known[line["file"]]["boxes"])


def test_risk_is_a_listed_brand_without_a_valid_licence(folder, truth):
    valid = {
        (row["merchant"], row["brand"])
        for row in read_csv(folder / "qualifications.csv")
        if row["valid_from"] <= TODAY.isoformat() <= row["valid_to"]
    }
    for row in truth:
        if row["answer"] == "brand":
            assert row["licensed"] == ((row["merchant"], row["brand"]) in valid)
            assert bool(row["risk"]) == (not row["licensed"])
        else:
            assert row["risk"] is None


def test_every_brand_has_a_guideline_whose_red_boxes_lie_in_its_examples(folder):
    brands = json.loads((folder / "brands.json").read_text())
    assert len(brands) == 3
    for brand in brands:
        features = brand["guideline"]["features"]
        assert brand["name_en"] in brand["guideline"]["rules"]
        assert {"logo", "wordmark"} <= {feature["kind"] for feature in features}
        assert [f["registered"] for f in features] == [
            f["kind"] in ("logo", "wordmark") for f in features
        ]
        for example in (example for feature in features for example in feature["examples"]):
            assert example["regions"]
            with Image.open(folder / example["file"]) as image:
                for region in example["regions"]:
                    assert 0 <= region["x1"] < region["x2"] <= image.width
                    assert 0 <= region["y1"] < region["y2"] <= image.height


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"brands": 1}, "--brands 1"),
        ({"brands": 500}, "--brands 500"),
        ({"size": 16}, "--size 16"),
        ({"pool": -1}, "--pool -1"),
        (dict.fromkeys(COUNTS, 0), "no images"),
    ],
)
def test_a_number_out_of_range_is_refused_and_nothing_written(tmp_path, changes, says):
    with pytest.raises(InputError, match=says):
        draw(tmp_path / "world", **changes)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not an empty folder"):
        draw(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_world_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(world, "write_folder_tables", full)
    few = {"train": 5, "closed": 0, "open_": 0, "business": 0, "pool": 0}
    with pytest.raises(OSError, match="no space"):
        draw(tmp_path / "world", **few)
    assert not list(tmp_path.iterdir())


def test_a_world_that_is_stopped_leaves_nothing(tmp_path):
    """Ctrl-C reaches the drawing processes too."""
    sizes = ["--train=20000", "--closed=0", "--open=0", "--business=0", "--size=64"]
    running = subprocess.Popen(
        [sys.executable, "-m", "ml", "synth", *sizes, f"--out={tmp_path / 'w'}"],
        cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not any(tmp_path.rglob("*.jpg")) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=30)
    assert running.returncode == EXIT_STOPPED
    assert told.splitlines()[-1] == "stopped; a world begins anew"
    assert not list(tmp_path.iterdir())


def test_the_command_draws_a_world_and_prints_its_manifest(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers(), lambda: lambda: False)
    numbers = {"brands": 2, "train": 6, "closed": 3, "open": 4, "business": 2, "size": 48}
    options = [f"--{name}={number}" for name, number in numbers.items()]
    args = parser.parse_args(["synth", *options, "--out", str(tmp_path / "w")])
    assert args.run(args) == 0
    manifest = read_manifest(capsys.readouterr().out.strip())
    assert len(manifest.rows("pool")) == 4  # as many as --open
