"""The same two boxed pictures in every format of boxes."""

import json

import pytest

from annotation.ingest import ListingPolicy
from annotation.models import Image
from ml.errors import InputError
from tests.annotation.ingest.conftest import picture, write_table

pytestmark = pytest.mark.django_db

SIZE = (120, 80)
LISTED = ListingPolicy(from_data=True)
EXPECTED = [
    {"x1": 12.0, "y1": 8.0, "x2": 60.0, "y2": 40.0, "brand": "nike"},
    {"x1": 90.0, "y1": 60.0, "x2": 120.0, "y2": 80.0, "brand": "puma"},
]


def write_boxes_csv(folder):
    size = {"width": 120, "height": 80}
    lines: list[dict] = [
        {"file": "a.png", "brand": "Nike", "x1": 12, "y1": 8, "x2": 60, "y2": 40},
        {"file": "b.png", "brand": ""},
        {"file": "a.png", "brand": "Puma", "x1": 90, "y1": 60, "x2": 120, "y2": 80},
    ]
    write_table(folder / "boxes.csv", [line | size for line in lines])
    return folder / "images"


def write_yolo(folder):
    (folder / "data.yaml").write_text("names: [Nike, Puma]\n")
    labels = folder / "labels"
    labels.mkdir()
    (labels / "a.txt").write_text("0 0.3 0.3 0.4 0.4\n1 0.75 0.75 1.0 0.75 1.0 1.0 0.75 1.0\n")
    (labels / "b.txt").write_text("")
    return folder / "images"


def write_coco(folder):
    content = {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 120, "height": 80},
            {"id": 8, "file_name": "b.png", "width": 120, "height": 80},
        ],
        "categories": [{"id": 1, "name": "Nike"}, {"id": 2, "name": "Puma"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [12, 8, 48, 32]},
            {"id": 2, "image_id": 7, "category_id": 2, "bbox": [90, 60, 30, 20]},
        ],
    }
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances.json").write_text(json.dumps(content))
    return folder / "images"


def write_voc(folder):
    marks = {"a": [("Nike", 13, 9, 60, 40), ("Puma", 91, 61, 120, 80)], "b": []}
    (folder / "Annotations").mkdir()
    for name, boxes in marks.items():
        objects = "".join(
            f"<object><name>{brand}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for brand, x1, y1, x2, y2 in boxes
        )
        (folder / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><filename>{name}.png</filename>"
            f"<size><width>120</width><height>80</height></size>{objects}</annotation>"
        )
    return folder / "JPEGImages"


@pytest.mark.parametrize("write", [write_boxes_csv, write_yolo, write_coco, write_voc])
def test_boxes_are_labels_whatever_the_format(folder, ingest, write):
    images = write(folder)
    images.mkdir()
    picture(1, SIZE).save(images / "a.png")
    picture(2, SIZE).save(images / "b.png")
    report = ingest(listing=LISTED)
    assert (report.added, report.labels, report.set_aside) == (2, 3, [])
    boxed = Image.objects.get(weak_answer="brand")
    assert boxed.labels.get(kind="boxes").boxes == EXPECTED
    # Most of the boxed area is this brand's.
    assert boxed.labels.filter(kind="brand", brand__key="nike").exists()
    empty = Image.objects.get(weak_answer="")
    assert [label.boxes for label in empty.labels.all()] == [[]]
    assert ingest(listing=LISTED).labels == 0


def test_a_yolo_image_without_a_label_file_was_not_looked_at(folder, ingest):
    images = write_yolo(folder)
    images.mkdir()
    picture(1, SIZE).save(images / "unlabelled.png")
    assert ingest().labels == 0


def test_a_yolo_class_without_a_name_is_set_aside(folder, ingest):
    images = write_yolo(folder)
    images.mkdir()
    picture(1, SIZE).save(images / "a.png")
    (folder / "labels" / "a.txt").write_text("5 0.5 0.5 0.1 0.1\n")
    assert ingest().set_aside == [("images/a.png", "class 5 has no name")]


def test_xml_that_declares_entities_is_set_aside(folder, ingest):
    (folder / "a.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>')
    assert ingest().set_aside == [("a.xml", "its XML declares a document type")]


@pytest.mark.parametrize("content", ["[]", "{", '{"images": 3}'])
def test_json_that_is_not_coco_is_one_clear_error(folder, ingest, content):
    (folder / "instances.json").write_text(content)
    with pytest.raises(InputError, match=r"instances\.json"):
        ingest()


def test_the_garments_of_an_open_set_are_categories(folder, ingest):
    picture(1).save(folder / "a.png")
    write_table(folder / "openset.csv", [{"file": "a.png", "garment": "dress"}])
    ingest(split="open")
    image = Image.objects.get(product__category="dress")
    assert (image.weak_answer, image.split) == ("", "open")
