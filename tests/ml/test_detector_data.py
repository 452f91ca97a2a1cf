import numpy as np
import pytest
from PIL import Image

from ml.errors import Cancelled, InputError
from ml.images import Placement, letterbox
from ml.manifest import write_manifest
from ml.models.yolo.boxed_images import BoxedImages, read_boxed_images
from ml.models.yolo.config import ViewConfig
from ml.models.yolo.samples import choose_boxed_rows, epoch_rows
from ml.models.yolo.views import Views
from tests.ml.detector_pictures import make_manifest

STILL = ViewConfig(mosaic=0, mixup=0, flip=0, translate=0, scale=0, hue=0, saturation=0, value=0)
ALL = ViewConfig(
    mosaic=1, mixup=0, flip=0.5, translate=0.2, scale=0.4, hue=0, saturation=0, value=0.1
)


@pytest.mark.parametrize("shape", [(90, 40), (33, 120), (64, 64), (200, 7)])
def test_boxes_follow_their_image_into_the_letterbox_and_back(shape):
    width, height = shape
    image = Image.new("RGB", shape, "white")
    box = np.array([[width * 0.25, height * 0.25, width * 0.75, height * 0.75]], np.float32)
    image.paste("black", tuple(round(float(v)) for v in box[0]))
    placement = Placement.of(width, height, 128)
    inside = placement.into(box)
    dark = np.argwhere(letterbox(image, 128).mean(axis=2) < 128)
    seen = [*dark.min(axis=0)[::-1], *(dark.max(axis=0)[::-1] + 1)]
    np.testing.assert_allclose(inside[0], seen, atol=2)
    np.testing.assert_allclose(placement.out_of(inside), box, atol=1e-3)


def _squares(count=6, size=64):
    rng = np.random.default_rng(0)
    images = np.full((count, size, size, 3), 128, np.uint8)
    boxes = []
    for image in images:
        x, y = rng.integers(8, 36, 2)
        image[y : y + 20, x : x + 20] = (255, 0, 0)
        boxes.append(np.array([[x, y, x + 20, y + 20]], np.float32))
    return BoxedImages(images, boxes, [np.zeros(1, np.int64)] * count)


def _pixels(batch, i, box):
    size = batch["img"].shape[-1]
    x, y, w, h = (box * size).tolist()
    left, top = int(x - w / 4), int(y - h / 4)
    return batch["img"][i, :, top : int(y + h / 4) + 1, left : int(x + w / 4) + 1]


@pytest.mark.parametrize("config", [STILL, ALL])
def test_a_views_boxes_lie_on_what_they_name_and_red_stays_red(config):
    batch = Views(_squares(), config).batch(np.arange(6), among=np.arange(6), seed=3)
    assert len(batch["cls"]) >= 6
    for i, box in zip(batch["batch_idx"].int().tolist(), batch["bboxes"], strict=True):
        red, green, blue = _pixels(batch, i, box).mean(dim=(1, 2)).tolist()
        assert red > 0.6
        assert max(green, blue) < 0.3


def test_views_are_drawn_from_the_seed_alone():
    views, rows = Views(_squares(), ALL), np.arange(4)
    first = views.batch(rows, among=rows, seed=1)
    views.batch(rows, among=rows, seed=2)
    again, other = (views.batch(rows, among=rows, seed=seed) for seed in (1, 2))
    assert first["img"].equal(again["img"])
    assert first["bboxes"].equal(again["bboxes"])
    assert not first["img"].equal(other["img"])


def test_mosaics_are_made_of_the_epochs_rows_only():
    squares = _squares()
    squares.classes[5] = np.ones(1, np.int64)
    batch = Views(squares, ALL).batch(np.arange(5), among=np.arange(5), seed=0)
    assert set(batch["cls"].ravel().tolist()) == {0.0}


def test_rows_without_a_list_of_boxes_are_not_used_and_empty_lists_are(tmp_path):
    manifest = make_manifest(tmp_path, images=8)
    rows = choose_boxed_rows(manifest, brands=None, holdout=0.0)
    assert rows.labels == ["blau", "rot"]
    assert len(rows.train) == 10
    read = read_boxed_images(manifest, rows.train, rows.labels, 64, lambda: False)
    assert [len(boxes) for boxes in read.boxes] == [1] * 8 + [0] * 2
    assert [list(c) for c in read.classes[:2]] == [[0], [1]]


def test_boxes_of_brands_off_the_list_are_left_out(tmp_path):
    manifest = make_manifest(tmp_path, images=4)
    rows = choose_boxed_rows(manifest, brands=("rot",), holdout=0.0)
    read = read_boxed_images(manifest, rows.train, rows.labels, 64, lambda: False)
    assert [len(boxes) for boxes in read.boxes] == [0, 1, 0, 1, 0]


def test_groups_are_held_out_whole_unless_there_are_boxed_val_rows(tmp_path):
    manifest = make_manifest(tmp_path / "a", images=40)
    rows = choose_boxed_rows(manifest, brands=None, holdout=0.3)
    train, held = (set(part["group"].to_pylist()) for part in (rows.train, rows.validation))
    assert held
    assert not train & held
    table = manifest.table.to_pylist()
    table[0]["split"] = "val"
    with_val = write_manifest(table, tmp_path / "b")
    rows = choose_boxed_rows(with_val, brands=None, holdout=0.3)
    assert rows.validation["group"].to_pylist() == ["g0"]
    assert len(rows.train) == 49


def test_a_brand_without_a_box_is_bad_input(tmp_path):
    manifest = make_manifest(tmp_path, images=4)
    with pytest.raises(InputError, match="no box of 'gelb'"):
        choose_boxed_rows(manifest, brands=("rot", "gelb"), holdout=0.0)


def test_reading_stops_when_asked(tmp_path):
    manifest = make_manifest(tmp_path, images=4)
    with pytest.raises(Cancelled):
        read_boxed_images(manifest, manifest.table.slice(0, 3), ["rot"], 64, lambda: True)


def test_an_epoch_shows_each_boxed_row_once_and_background_by_its_share():
    with_box = np.array([True] * 70 + [False] * 200)
    rows = epoch_rows(with_box, background=0.3, rng=np.random.default_rng(0))
    assert sorted(rows[rows < 70]) == list(range(70))
    assert len(rows) == 100
    assert len(set(rows)) == 100
    everything = epoch_rows(with_box, background=1.0, rng=np.random.default_rng(0))
    assert len(everything) == 270
