"""`python -m ml explain`: the files it writes, the detector's pictures, and bad input."""

import json

import numpy as np
import pytest
from PIL import Image

from ml.artifact import Artifact
from ml.errors import Cancelled, InputError
from ml.explain.boxes import LEAST_SIDE, crop, draw_boxes
from ml.explain.guideline import Guideline
from ml.explain.run import explain
from ml.explain.sheet import CELL, Cell, Sheets
from ml.models.base import Box
from ml.progress import Progress
from ml.train import train
from tests.ml.command import run
from tests.ml.detector_pictures import draw as draw_boxed
from tests.ml.detector_pictures import make_manifest
from tests.ml.small_world import COLOURS, draw


@pytest.fixture
def pictures(tmp_path):
    """A square one, a tall one with the same stem, and one with a Chinese name."""
    rng = np.random.default_rng(0)
    files = [tmp_path / name for name in ("in/a.png", "in/deeper/a.png", "in/沃兰.png")]
    files[1].parent.mkdir(parents=True)
    for file, brand in zip(files, COLOURS, strict=True):
        draw(COLOURS[brand], rng).resize((48, 96) if file == files[1] else (48, 48)).save(file)
    return files


def test_every_image_gets_its_triple_for_every_model(
    small_classifier, small_variation, pictures, tmp_path
):
    out = tmp_path / "out"
    models = ["--model", small_classifier.directory, "--model", small_variation.directory]
    assert run("explain", *models, *pictures, "--out", out) == 0
    report = json.loads((out / "explain.json").read_text())
    assert [row["image"] for row in report["images"]] == [str(file) for file in pictures]
    for row, file in zip(report["images"], pictures, strict=True):
        original = Image.open(out / row["original"])
        np.testing.assert_array_equal(np.asarray(original), np.asarray(Image.open(file)))
        for kind in ("classifier", "variation"):
            assert 0 <= row[kind]["score"] <= 1
            assert set(row[kind]["files"]) == {"heat", "overlay"}
            for name in row[kind]["files"].values():
                assert Image.open(out / name).size == original.size
    (sheet,) = report["sheets"]
    assert Image.open(out / sheet).width > 5 * CELL
    assert not list(tmp_path.glob(".out*"))


def test_a_label_is_explained_where_a_model_knows_it(
    small_classifier, small_variation, pictures, tmp_path
):
    models = ["--model", small_classifier.directory, "--model", small_variation.directory]
    assert run("explain", *models, pictures[0], "--label", "cyan", "--out", tmp_path / "out") == 0
    (row,) = json.loads((tmp_path / "out" / "explain.json").read_text())["images"]
    assert row["classifier"]["label"] == "cyan"
    assert row["variation"]["label"] in ("collage", "stack")


@pytest.mark.parametrize(
    "change",
    ["unknown label", "no image", "a title", "missing image", "full folder", "no model", "brands"],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    change, small_classifier, pictures, tmp_path, capsys
):
    argv = ["--model", small_classifier.directory, "--out", tmp_path / "out"]
    argv += {
        "unknown label": [pictures[0], "--label", "acme"],
        "no image": [],
        "a title": [pictures[0], "--title", "Acme bag"],
        "missing image": [pictures[0], tmp_path / "gone.png"],
        "full folder": [pictures[0], "--out", pictures[0].parent],
        "no model": [pictures[0], "--model", tmp_path],
        "brands": [pictures[0], "--brands", pictures[1]],
    }[change]
    before = sorted(tmp_path.rglob("*"))
    assert run("explain", *argv) == 2
    assert [line[:6] for line in capsys.readouterr().err.splitlines()].count("error:") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_stopped_run_leaves_nothing(small_classifier, pictures, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Cancelled):
        explain(
            models=[small_classifier.directory], images=pictures, titles=[], label=None,
            brands_file=None, out=tmp_path / "out", progress=Progress(quiet=True),
            should_stop=lambda: True,
        )  # fmt: skip
    assert sorted(tmp_path.rglob("*")) == before


def test_sheets_hold_ten_rows_each_and_pictures_of_any_shape(tmp_path):
    sheets = Sheets(tmp_path)
    shapes = [(1, 1), (3, 900), (900, 3), *[(30, 20)] * 8]
    for shape in shapes:
        sheets.add([Cell.of(Image.new("RGB", shape), "a name longer than the cell is wide" * 3)])
    sheets.close()
    sheets.close()
    assert sheets.files == ["sheet-01.png", "sheet-02.png"]
    first, second = (Image.open(tmp_path / name) for name in sheets.files)
    assert first.width == second.width
    assert first.height > 8 * second.height


def test_boxes_are_drawn_where_they_are_and_the_best_is_cut_out():
    image = Image.new("RGB", (60, 40), "white")
    image.paste("black", (20, 10, 40, 30))
    boxes = [Box(20, 10, 40, 30, "acme", 0.9), Box(0, 0, 5, 5, "bolt", 0.2)]
    drawn = draw_boxes(image, boxes)
    assert drawn.size == (LEAST_SIDE, round(40 * LEAST_SIDE / 60))
    scale = LEAST_SIDE / 60
    edge = np.asarray(drawn, int)[round(20 * scale), round(20 * scale) + 1]  # left side of the best
    assert edge[0] > 200
    assert edge[2] < 60
    cut = np.asarray(crop(image, boxes[0]).convert("L"))
    assert 0.5 < (cut < 128).mean() < 0.75  # the box with a margin: 20² of 26² pixels
    assert crop(Image.new("RGB", (4, 4)), Box(0, 0, 0, 0, "acme", 0.1)).size  # nothing to cut


def test_the_guideline_gives_one_crop_a_registered_feature(tmp_path):
    picture = Image.new("RGB", (100, 100), "white")
    picture.paste("red", (10, 20, 40, 60))
    picture.save(tmp_path / "one.png")
    example = {"file": "one.png", "regions": [{"x1": 10, "y1": 20, "x2": 40, "y2": 60}]}
    features = [
        {"kind": "logo", "text": "A", "registered": True, "examples": [example, example]},
        {"kind": "style", "text": "B", "registered": False, "examples": [example]},
        {"kind": "wordmark", "text": "C", "registered": True, "examples": []},
    ]
    path = tmp_path / "brands.json"
    path.write_text(json.dumps([{"key": "acme", "guideline": {"features": features}}]))
    (logo,) = Guideline(path).references("acme")
    assert (logo.kind, logo.text) == ("logo", "A")
    red = np.asarray(logo.crop, int)
    assert (red[..., 0] - red[..., 1] > 128).mean() > 0.5
    assert Guideline(path).references("bolt") == []
    path.write_text("[{}]")
    with pytest.raises(InputError, match="not a list of brands"):
        Guideline(path)


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Artifact:
    folder = tmp_path_factory.mktemp("detector")
    return train(
        kind="detector",
        manifest=make_manifest(folder / "pictures").path,
        out=folder / "model",
        config={
            "size": 96, "steps": 60, "batch_size": 8, "width": 0.0625, "threads": 1,
            "score_floor": 0.001,
        },
        init=None,
        progress=Progress(quiet=True),
        should_stop=lambda: False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_detectors_boxes_come_with_the_best_crop_and_what_the_guideline_shows(detector, tmp_path):
    image, box = draw_boxed(np.random.default_rng(3), "rot")
    image.save(tmp_path / "one.png")
    region = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
    feature = {"kind": "logo", "text": "red", "registered": True}
    feature |= {"examples": [{"file": "one.png", "regions": [region]}]}
    listed = [{"key": key, "guideline": {"features": [feature]}} for key in ("rot", "blau")]
    (tmp_path / "brands.json").write_text(json.dumps(listed))
    out = tmp_path / "out"
    code = run(
        "explain", "--model", detector.directory, tmp_path / "one.png", "--out", out,
        "--brands", tmp_path / "brands.json", "--label", "rot",
    )  # fmt: skip
    assert code == 0
    (row,) = json.loads((out / "explain.json").read_text())["images"]
    assert {box["brand"] for box in row["detector"]["boxes"]} == {"rot"}
    assert set(row["detector"]["files"]) == {"boxes", "crop", "reference-1"}
    for name in row["detector"]["files"].values():
        assert Image.open(out / name).size
