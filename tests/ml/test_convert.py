"""Manifests as other tools' formats, read back by those tools."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ml.cli import main
from ml.datasets import convert as converting
from ml.datasets.convert import convert
from ml.errors import Cancelled, InputError
from ml.manifest import read_manifest, write_manifest
from ml.progress import Progress

BOXES = {
    "two": [
        {"x1": 4.0, "y1": 6.0, "x2": 40.0, "y2": 30.0, "brand": "zeta"},
        {"x1": 10.25, "y1": 2.5, "x2": 63.75, "y2": 47.125, "brand": "acme"},
    ],
    "whole": [{"x1": 0.0, "y1": 0.0, "x2": 64.0, "y2": 48.0, "brand": "acme"}],
    "empty": [],
    "unknown": None,
}


@pytest.fixture
def manifest(tmp_path) -> Path:
    folder = tmp_path / "from"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for split in ("train", "val"):
        for name, boxes in BOXES.items():
            number = len(rows)
            file = f"{split}-{name}.{'png' if name == 'two' else 'jpg'}"
            pixels = rng.integers(0, 255, (48, 64, 3), np.uint8)
            Image.fromarray(pixels).save(folder / file)
            rows.append(
                {
                    "image": file, "sha256": f"{number:064x}", "title": f"鞋 “{name}”, {number}",
                    "answer": "brand" if boxes else "none", "brand": "acme" if boxes else None,
                    "excluded": ["zeta"] if name == "empty" else [], "boxes": boxes,
                    "split": split, "group": f"g{number}",
                }
            )  # fmt: skip
    return write_manifest(rows, folder).path


def run(manifest: Path, to: str, out: Path, **options) -> dict[str, int]:
    options = {"progress": Progress(quiet=True), "should_stop": lambda: False} | options
    return convert(manifest=manifest, to=to, out=out, **options)


def expected(manifest: Path, split: str) -> dict[str, list[tuple]]:
    """Boxes by sha256, of the rows where they are known."""
    return {
        row["sha256"]: sorted(corners(box) for box in row["boxes"])
        for row in read_manifest(manifest).rows(split).to_pylist()
        if row["boxes"] is not None
    }


def corners(box) -> tuple:
    sides = (round(float(box[side]), 3) for side in ("x1", "y1", "x2", "y2"))
    return (*sides, box["brand"])


def test_ultralytics_reads_the_yolo_folder(manifest, tmp_path):
    from ultralytics.cfg import get_cfg
    from ultralytics.data.build import build_yolo_dataset
    from ultralytics.data.utils import check_det_dataset

    out = tmp_path / "yolo"
    written = run(manifest, "yolo", out)
    assert written == {"images": 6, "boxes": 6, "empty": 2, "left_out": 2}
    data = check_det_dataset(str(out / "data.yaml"), autodownload=False)
    assert data["names"] == {0: "acme", 1: "zeta"}
    for split in ("train", "val"):
        loaded = build_yolo_dataset(get_cfg(), data[split], 1, data, mode="val")
        found = {}
        for label in loaded.labels:
            height, width = label["shape"]
            sides = label["bboxes"] * [width, height, width, height]
            found[Path(label["im_file"]).stem] = sorted(
                corners({"x1": x - w / 2, "y1": y - h / 2, "x2": x + w / 2, "y2": y + h / 2,
                         "brand": data["names"][int(number)]})
                for (x, y, w, h), number in zip(sides.tolist(), label["cls"][:, 0], strict=True)
            )  # fmt: skip
        want = expected(manifest, split)
        assert found.keys() == want.keys()
        for name, boxes in want.items():
            assert_same(found[name], boxes)


def assert_same(found: list[tuple], wanted: list[tuple]) -> None:
    assert [box[4] for box in found] == [box[4] for box in wanted]
    assert [box[:4] for box in found] == [pytest.approx(box[:4], abs=2e-3) for box in wanted]


def test_torchvision_and_cocos_own_tools_read_the_coco_files(manifest, tmp_path):
    from torchvision.datasets import CocoDetection

    out = tmp_path / "coco"
    run(manifest, "coco", out)
    for split in ("train", "val"):
        loaded = CocoDetection(out / split, out / "annotations" / f"instances_{split}.json")
        names = {row["id"]: row["name"] for row in loaded.coco.loadCats(loaded.coco.getCatIds())}
        assert names == {1: "acme", 2: "zeta"}
        found = {}
        for number, (image, marks) in enumerate(loaded):
            about = loaded.coco.loadImgs(loaded.ids[number])[0]
            assert image.size == (about["width"], about["height"]) == (64, 48)
            found[Path(about["file_name"]).stem] = sorted(
                corners({"x1": x, "y1": y, "x2": x + w, "y2": y + h,
                         "brand": names[mark["category_id"]]})
                for mark in marks for x, y, w, h in [mark["bbox"]]
            )  # fmt: skip
        assert found == expected(manifest, split)


def test_torchvision_reads_the_voc_folder(manifest, tmp_path):
    from torchvision.datasets import VOCDetection

    run(manifest, "voc", tmp_path / "VOCdevkit" / "VOC2012")
    for split in ("train", "val"):
        loaded = VOCDetection(tmp_path, year="2012", image_set=split)
        found = {}
        for image, tree in loaded:
            assert image.size == (64, 48)
            about = tree["annotation"]
            found[Path(about["filename"]).stem] = sorted(
                # The first pixel is 1.
                corners({"x1": float(box["xmin"]) - 1, "y1": float(box["ymin"]) - 1,
                         "x2": float(box["xmax"]), "y2": float(box["ymax"]),
                         "brand": entry["name"]})
                for entry in about.get("object", []) for box in [entry["bndbox"]]
            )  # fmt: skip
        assert found == expected(manifest, split)
    for file in (tmp_path / "VOCdevkit" / "VOC2012" / "JPEGImages").iterdir():
        with Image.open(file) as image:
            assert (image.format, file.suffix) == ("JPEG", ".jpg")


def test_csv_and_parquet_hold_every_row_for_data_frames(manifest, tmp_path):
    rows = {row["sha256"]: row for row in read_manifest(manifest).table.to_pylist()}
    assert run(manifest, "csv", tmp_path / "csv")["images"] == len(rows) == 8
    images = pd.read_csv(tmp_path / "csv" / "images.csv", dtype={"sha256": str})
    assert images["title"].tolist() == [row["title"] for row in rows.values()]
    for sha256, told in zip(images["sha256"], images["boxes"], strict=True):
        assert (None if pd.isna(told) else json.loads(told)) == rows[sha256]["boxes"]
    assert all((tmp_path / "csv" / name).is_file() for name in images["image"])
    boxes = pl.read_csv(tmp_path / "csv" / "boxes.csv")
    assert len(boxes) == sum(len(row["boxes"] or []) for row in rows.values())

    run(manifest, "parquet", tmp_path / "parquet")
    again = read_manifest(tmp_path / "parquet")
    assert again.sha256 == read_manifest(manifest).sha256
    frame = pq.read_table(again.path).to_pandas()
    assert frame["sha256"].tolist() == list(rows)
    assert all((again.path.parent / name).is_file() for name in frame["image"])


def test_a_folder_stands_alone_when_the_originals_are_gone(manifest, tmp_path):
    out = tmp_path / "yolo"
    run(manifest, "yolo", out, splits=["val"])
    for file in manifest.parent.glob("*.*g"):
        file.unlink()
    images = list((out / "images").rglob("*.*g"))
    assert {path.parent.name for path in images} == {"val"}
    assert all(not path.is_symlink() and path.stat().st_size for path in images)
    assert len(images) == 3


def test_links_share_the_file_where_asked_for_and_copies_do_not(manifest, tmp_path):
    for link in (True, False):
        out = tmp_path / str(link)
        run(manifest, "csv", out, link=link)
        assert {path.stat().st_nlink for path in (out / "images").iterdir()} == {1 + link}


def test_a_turned_photograph_is_written_upright_for_boxes_and_left_alone_for_tables(tmp_path):
    picture = Image.new("RGB", (60, 40), "red")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    box = {"x1": 1.0, "y1": 2.0, "x2": 39.0, "y2": 55.0, "brand": "acme"}
    row = {"image": "turned.jpg", "sha256": "a" * 64, "split": "train", "boxes": [box]}
    path = write_manifest([row], tmp_path).path
    for to in ("coco", "csv"):
        run(path, to, tmp_path / to)
    with Image.open(tmp_path / "coco" / "train" / f"{'a' * 64}.jpg") as image:
        assert (image.size, image.getexif().get(0x0112)) == ((40, 60), None)
    told = json.loads((tmp_path / "coco" / "annotations" / "instances_train.json").read_text())
    assert (told["images"][0]["width"], told["annotations"][0]["bbox"]) == (40, [1, 2, 38, 53])
    copied = tmp_path / "csv" / "images" / f"{'a' * 64}.jpg"
    assert copied.read_bytes() == (tmp_path / "turned.jpg").read_bytes()


def test_boxes_are_cut_to_their_image(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    wide = {"x1": -3.0, "y1": 5.0, "x2": 25.0, "y2": 9.0, "brand": "acme"}
    outside = {"x1": 30.0, "y1": 5.0, "x2": 45.0, "y2": 9.0, "brand": "acme"}
    row = {"image": "a.png", "sha256": "a" * 64, "split": "train", "boxes": [wide, outside]}
    written = run(write_manifest([row], tmp_path).path, "yolo", tmp_path / "out")
    assert written["boxes"] == 1
    (label,) = (tmp_path / "out" / "labels").rglob("*.txt")
    assert label.read_text() == "0 0.5 0.35 1 0.2\n"


def test_images_told_twice_both_get_a_file(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    row = {"image": "a.png", "sha256": "a" * 64, "split": "train", "answer": "none"}
    rows = [row | {"title": "one"}, row | {"title": "two"}, row | {"sha256": None}]
    run(write_manifest(rows, tmp_path).path, "csv", tmp_path / "out")
    assert len(list((tmp_path / "out" / "images").iterdir())) == 3


def test_a_zip_holds_the_same_files(manifest, tmp_path):
    run(manifest, "voc", tmp_path / "voc")
    run(manifest, "voc", tmp_path / "voc.zip", packed=True)
    with zipfile.ZipFile(tmp_path / "voc.zip") as archive:
        names = sorted(archive.namelist())
        assert archive.testzip() is None
    files = [path for path in (tmp_path / "voc").rglob("*") if path.is_file()]
    assert names == sorted(str(path.relative_to(tmp_path / "voc")) for path in files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["from", "voc", "voc.zip"]


def test_what_is_stopped_leaves_nothing(manifest, tmp_path):
    for packed in (True, False):
        with pytest.raises(Cancelled, match="anew"):
            run(manifest, "coco", tmp_path / "out", packed=packed, should_stop=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["from"]


def test_the_command_writes_a_folder_and_refuses_in_one_line(manifest, tmp_path, capsys):
    def ml(*words) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["convert", "--manifest", str(manifest), *map(str, words)])
        return ended.value.code

    out = tmp_path / "out"
    assert ml("--to", "coco", "--out", out, "--split", "train") == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert [path.name for path in (out / "annotations").iterdir()] == ["instances_train.json"]
    refusals = {
        "not an empty folder": ("--to", "coco", "--out", out),
        "unknown format 'pdf'": ("--to", "pdf", "--out", tmp_path / "new"),
        "unknown split 'old'": ("--to", "csv", "--out", tmp_path / "new", "--split", "old"),
        "no rows of pool": ("--to", "csv", "--out", tmp_path / "new", "--split", "pool"),
        "is there already": ("--to", "csv", "--zip", "--out", manifest),
    }
    for said, words in refusals.items():
        assert ml(*words) == 2, said
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_rows_without_known_boxes_make_no_detection_dataset(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    row = {"image": "a.png", "sha256": "a" * 64, "split": "train", "answer": "none"}
    path = write_manifest([row], tmp_path).path
    with pytest.raises(InputError, match="boxes known"):
        run(path, "yolo", tmp_path / "out")
    url = write_manifest([row | {"image": "https://a.invalid/b.png"}], tmp_path / "urls").path
    with pytest.raises(InputError, match="local folders only"):
        run(url, "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_format_is_named_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert " | ".join(converting.FORMATS) in text
