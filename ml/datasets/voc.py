"""Pascal VOC: an XML file an image (VOC development kit, section 3.3). The first pixel is 1, and a
box's last one is inside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from ml.datasets.pictures import Shown, boxes_within


class Voc:
    """`Annotations/`, `JPEGImages/`, `ImageSets/Main/SPLIT.txt`: the inside of a `VOC2012`. An
    image without objects: looked, none there."""

    boxed = True
    jpeg = True

    def __init__(self, folder: Path, *, brands: Sequence[str], splits: Sequence[str]) -> None:
        self._annotations = folder / "Annotations"
        sets = folder / "ImageSets" / "Main"
        for place in (self._annotations, folder / "JPEGImages", sets):
            place.mkdir(parents=True)
        self._sets = {split: (sets / f"{split}.txt").open("w") for split in splits}

    def images(self, split: str) -> str:
        return "JPEGImages"

    def add(self, row: Mapping[str, Any], shown: Shown) -> int:
        file = PurePosixPath(shown.name)
        boxes = boxes_within(row, shown)
        top = ElementTree.Element("annotation")
        _texts(top, folder="JPEGImages", filename=file.name)
        _texts(ElementTree.SubElement(top, "source"), database="Touchstone")
        size = ElementTree.SubElement(top, "size")
        _texts(size, width=str(shown.width), height=str(shown.height), depth="3")
        _texts(top, segmented="0")
        for box in boxes:
            thing = ElementTree.SubElement(top, "object")
            _texts(thing, name=box.brand, pose="Unspecified", truncated="0", difficult="0")
            corners = ElementTree.SubElement(thing, "bndbox")
            first, last = (box.x1 + 1, box.y1 + 1), (box.x2, box.y2)
            _texts(corners, xmin=_number(first[0]), ymin=_number(first[1]))
            _texts(corners, xmax=_number(last[0]), ymax=_number(last[1]))
        ElementTree.indent(top)
        path = self._annotations / file.with_suffix(".xml").name
        ElementTree.ElementTree(top).write(path, encoding="utf-8")
        self._sets[row["split"]].write(f"{file.stem}\n")
        return len(boxes)

    def close(self) -> None:
        for file in self._sets.values():
            file.close()


def _texts(parent: ElementTree.Element, **texts: str) -> None:
    for name, text in texts.items():
        ElementTree.SubElement(parent, name).text = text


def _number(value: float) -> str:
    """Whole pixels without a point, as most readers expect; parts of one as they are."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
