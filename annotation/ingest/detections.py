"""Folders of boxed images in the formats of detection tools: YOLO, COCO, Pascal VOC."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from annotation.ingest import rows
from annotation.ingest.decode import Refusal
from annotation.ingest.rows import RELATIVE, Box, RefusedRow, Row
from annotation.ingest.tables import boxed_row
from ml.errors import InputError


class YoloFolder:
    """`images/`, `labels/` with a text file an image, names in `data.yaml` or `classes.txt`.

    An empty label file: looked, none there. No label file: nobody looked.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names = _yolo_names(directory)

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        images = self._directory / "images"
        for path in visible_files(images):
            name = str(path.relative_to(self._directory))
            try:
                located = rows.locate(self._directory, name, ("",))
                label = (self._directory / "labels" / path.relative_to(images)).with_suffix(".txt")
                boxes = self._boxes(label) if label.is_file() else None
                yield boxed_row(name=name, path=located, boxes=boxes, frame=RELATIVE)
            except Refusal as refusal:
                yield RefusedRow(name, str(refusal))

    def _boxes(self, label: Path) -> tuple[Box, ...]:
        try:
            lines = label.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Refusal(f"its label file cannot be read: {error}"[:200]) from error
        return tuple(self._box(line.split()) for line in lines if line.strip())

    def _box(self, words: list[str]) -> Box:
        values = [rows.number(word, "label value") for word in words]
        brand = self._names.get(int(values[0]))
        if brand is None:
            raise Refusal(f"class {words[0][:20]} has no name")
        if len(values) == 5:
            x, y, width, height = values[1:]
            return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, brand)
        if len(values) >= 7 and len(values) % 2:  # an outline: its bounds
            xs, ys = values[1::2], values[2::2]
            return Box(min(xs), min(ys), max(xs), max(ys), brand)
        raise Refusal(f"a label line of {len(values)} values")


class CocoFolder:
    """One JSON file of `images`, `annotations` and `categories`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = find_coco(directory)
        self._data = _read_json(self._path)

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        try:
            brands = {entry["id"]: str(entry["name"]) for entry in self._data["categories"]}
            by_image = defaultdict(list)
            for mark in self._data["annotations"]:
                by_image[mark["image_id"]].append(mark)
            images = [(str(entry["file_name"]), entry) for entry in self._data["images"]]
        except (KeyError, TypeError) as error:
            raise InputError(f"{self._path}: not COCO: {error!r}") from error
        for name, image in images:
            try:
                path = rows.locate(self._directory, name)
                boxes = tuple(_coco_box(mark, brands) for mark in by_image[image.get("id")])
                frame = (image["width"], image["height"]) if image.get("width") else None
                yield boxed_row(name=name, path=path, boxes=boxes, frame=frame)
            except Refusal as refusal:
                yield RefusedRow(name, str(refusal))
            except (KeyError, TypeError, ValueError) as error:
                yield RefusedRow(name, f"not COCO: {error!r}"[:200])


class VocFolder:
    """Pascal VOC: an XML file an image, in `Annotations/` or beside it."""

    IMAGES = ("", "JPEGImages", "images", "Annotations")

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        for path in find_voc(self._directory):
            name = path.name
            try:
                tree = _read_xml(path)
                name = tree.findtext("filename", "").strip()
                located = rows.locate(self._directory, name, self.IMAGES)
                boxes = tuple(_voc_box(entry) for entry in tree.iter("object"))
                # Some tools write 0 x 0, or nothing, for a size they do not know.
                size = [tree.findtext(f"size/{side}", "") or "0" for side in ("width", "height")]
                width, height = (rows.number(side, "size") for side in size)
                frame = (width, height) if width and height else None
                yield boxed_row(name=name, path=located, boxes=boxes, frame=frame)
            except Refusal as refusal:
                yield RefusedRow(name, str(refusal))


class BareFolder:
    """Images and nothing said of them. Every visible file is tried: what is none is reported."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        for path in visible_files(self._directory):
            name = str(path.relative_to(self._directory))
            try:
                yield Row(name=name, path=rows.locate(self._directory, name, ("",)))
            except Refusal as refusal:
                yield RefusedRow(name, str(refusal))


def visible_files(directory: Path) -> list[Path]:
    """All files below, sorted, without hidden ones: a run that goes on sees the same order."""
    return sorted(
        path
        for path in directory.rglob("*")
        if not path.is_dir()
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    )


def find_coco(directory: Path) -> Path:
    """The folder's one annotation file.

    Raises:
        InputError: there is none, or there are several.
    """
    found = sorted([*directory.glob("*.json"), *directory.glob("annotations/*.json")])
    if len(found) != 1:
        raise InputError(f"{directory}: expected one COCO file, found {len(found)}")
    return found[0]


def find_voc(directory: Path) -> list[Path]:
    return sorted([*directory.glob("*.xml"), *directory.glob("Annotations/*.xml")])


def _yolo_names(directory: Path) -> dict[int, str]:
    config, classes = directory / "data.yaml", directory / "classes.txt"
    try:
        if config.exists():
            names = yaml.safe_load(config.read_text(encoding="utf-8"))["names"]
        else:
            names = classes.read_text(encoding="utf-8").split("\n")
        entries = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(index): str(name).strip() for index, name in entries if str(name).strip()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{directory}: no class names in data.yaml or classes.txt") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: not COCO: no object at the top")
    return data


def _coco_box(mark: dict[str, Any], brands: dict[Any, str]) -> Box:
    x, y, width, height = (rows.number(str(value), "box side") for value in mark["bbox"])
    return Box(x, y, x + width, y + height, brands[mark["category_id"]])


def _read_xml(path: Path) -> ElementTree.Element:
    try:
        data = path.read_bytes()
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # entities can unfold without end
            raise Refusal("its XML declares a document type")
        return ElementTree.fromstring(data)  # noqa: S314 - no entities left to expand
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise Refusal(f"its XML cannot be read: {error}"[:200]) from error


def _voc_box(entry: ElementTree.Element) -> Box:
    sides = [
        rows.number(entry.findtext(f"bndbox/{side}", ""), side)
        for side in ("xmin", "ymin", "xmax", "ymax")
    ]
    # The first pixel is 1 in VOC (development kit, section 3.3), and the last one is inside.
    return Box(sides[0] - 1, sides[1] - 1, sides[2], sides[3], entry.findtext("name", "").strip())
