"""Brands enrolled from a few crops, on pictures of coloured squares."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ml.artifact import META, read_artifact
from ml.cli import main
from ml.enrolment.crops import write_crops
from ml.enrolment.enrol import enrol
from ml.errors import Cancelled, InputError
from ml.images import cut_out
from ml.manifest import write_manifest
from ml.models import load
from ml.models.detector import LOGO
from ml.models.enrolled import EnrolledPredictor, nearest
from ml.predict import load_models
from ml.progress import Progress
from tests.ml.conftest import train_quickly
from tests.ml.detector_pictures import draw, make_manifest
from tests.ml.test_detector import TINY, _train

BRANDS = ("blau", "gelb", "rot")
QUIET = Progress(quiet=True)


def go_on() -> bool:
    return False


def test_a_crop_has_a_margin_and_stays_within_its_picture():
    image = Image.new("RGB", (100, 50))
    assert cut_out(image, (20, 10, 40, 30)).size == (24, 24)
    assert cut_out(image, (0, 0, 100, 50)).size == (100, 50)
    assert cut_out(image, (90, 40, 110, 60), margin=0).size == (10, 10)
    assert cut_out(image, (30, 30, 30, 30)).size == (1, 1)


def test_the_nearest_crop_decides():
    known = np.array([[1, 0], [0.6, 0.8], [0, 1]])
    brands, cosines = nearest(np.array([[0.8, 0.6], [0, 1]]), known, np.array([0, 0, 1]))
    assert brands.tolist() == [0, 1]
    np.testing.assert_allclose(cosines, [0.96, 1.0])
    assert [len(part) for part in nearest(np.zeros((0, 0)), known, np.zeros(3))] == [0, 0]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("squares"), images=36, brands=BRANDS)


@pytest.fixture(scope="module")
def crops(manifest, tmp_path_factory):
    out = tmp_path_factory.mktemp("crops") / "crops"
    return write_crops(manifest=manifest.path, out=out, progress=QUIET, should_stop=go_on)


@pytest.fixture(scope="module")
def embedder(crops, tmp_path_factory):
    return train_quickly(crops, tmp_path_factory.mktemp("embedder"), brands=("blau", "rot"))


@pytest.fixture(scope="module")
def finder(manifest, tmp_path_factory):
    config = replace(TINY, class_agnostic=True)
    return _train(manifest, tmp_path_factory.mktemp("finder"), config=config)


def enrolled(finder, embedder, manifest, out, **given):
    return enrol(
        **{
            "finder": finder.directory, "embedder": embedder.directory, "manifest": manifest.path,
            "brands": ["gelb"], "shots": 3, "out": out, "progress": QUIET, "should_stop": go_on,
        }
        | given
    )  # fmt: skip


def test_every_box_becomes_a_picture_of_its_brand_and_every_empty_row_one_of_none(crops):
    brands = crops.table["brand"].to_pylist()
    assert {name: brands.count(name) for name in (*BRANDS, None)} == {
        "blau": 12, "gelb": 12, "rot": 12, None: 9,
    }  # fmt: skip
    with Image.open(crops.path.parent / crops.table["image"][0].as_py()) as first:
        middle = np.asarray(first)[first.height // 2, first.width // 2]
    assert middle.tolist() == [40, 60, 220]


def test_a_class_agnostic_detector_has_one_class_and_learns_all_brands(finder):
    assert finder.labels == [LOGO]
    assert finder.metrics["rows"] > 12


def test_an_enrolment_is_a_detector_of_the_new_brands(finder, embedder, manifest, tmp_path):
    artifact = enrolled(finder, embedder, manifest, tmp_path / "out")
    assert read_artifact(tmp_path / "out", kind="detector").labels == ["gelb"]
    assert artifact.metrics["crops"] == {"gelb": 3}
    assert artifact.calibration["slope"] > 0
    predictor = load_models([tmp_path / "out"])["detector"]
    assert isinstance(predictor, EnrolledPredictor)
    rng = np.random.default_rng(0)
    images = [draw(rng, "gelb")[0], draw(rng, None)[0]]
    found = predictor.predict(images).boxes
    plain = load(finder).predict(images).boxes
    assert all(len(mine) <= len(all_) for mine, all_ in zip(found, plain, strict=True))
    assert predictor.predict([]).boxes == []
    for boxes in found:
        assert [box.score for box in boxes] == sorted((b.score for b in boxes), reverse=True)
        assert {box.brand for box in boxes} <= {"gelb"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"brands": ["lila"]}, "no box of 'lila'"),
        ({"shots": 0}, "at least one brand"),
        ({"brands": ["gelb", "rot", "blau"]}, "too few boxes of other brands"),
        ({"shots": 40}, "too few boxes of other brands"),
    ],
)
def test_bad_input_leaves_nothing(finder, embedder, manifest, tmp_path, *, given, says):
    with pytest.raises(InputError, match=says):
        enrolled(finder, embedder, manifest, tmp_path / "out", **given)
    with pytest.raises(Cancelled):
        enrolled(finder, embedder, manifest, tmp_path / "out", should_stop=lambda: True)
    assert not (tmp_path / "out").exists()


def test_a_detector_that_tells_brands_apart_is_no_finder(embedder, manifest, tmp_path):
    told = _train(manifest, tmp_path / "told", config=replace(TINY, steps=1))
    with pytest.raises(InputError, match="not a class-agnostic detector"):
        enrolled(told, embedder, manifest, tmp_path / "out")


@pytest.mark.slow
def test_a_new_brand_is_found_by_its_crops_alone(manifest, crops, embedder, tmp_path):
    """The finder and the embedder never saw `gelb`; the commands, from end to end."""
    rows = [r for r in manifest.table.to_pylist() if r["brand"] != "gelb"]
    for row in rows:
        row["image"] = str(manifest.path.parent / row["image"])
    known = write_manifest(rows, tmp_path / "known")
    config = replace(TINY, class_agnostic=True, steps=100)
    finder = _train(known, tmp_path / "finder", config=config)
    with pytest.raises(SystemExit) as stopped:
        main(
            ["enrol", "--model", str(finder.directory), "--embedder", str(embedder.directory),
             "--manifest", str(manifest.path), "--brand", "gelb", "--shots", "5",
             "--out", str(tmp_path / "out")]
        )  # fmt: skip
    assert stopped.value.code == 0
    assert json.loads((tmp_path / "out" / META).read_text())["labels"] == ["gelb"]
    predictor = load(read_artifact(tmp_path / "out"))
    rng = np.random.default_rng(9)
    best = {
        brand: np.mean([_best(predictor, draw(rng, brand)[0]) for _ in range(10)])
        for brand in ("gelb", "blau", None)
    }
    assert best["gelb"] > 2 * max(best["blau"], best[None])


def _best(predictor, image) -> float:
    return max((box.score for box in predictor.predict([image]).boxes[0]), default=0.0)
