"""YOLO: a text file an image, `class x y width height` as shares of the image's sides, x and y of
the box's centre (the format of Darknet, with Ultralytics' data.yaml)."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from ml.datasets.pictures import Shown, boxes_within


class Yolo:
    """`data.yaml`, `images/SPLIT/`, `labels/SPLIT/`; an empty label file: looked, none there."""

    boxed = True
    jpeg = False

    def __init__(self, folder: Path, *, brands: Sequence[str], splits: Sequence[str]) -> None:
        self._folder = folder
        self._brands = list(brands)
        self._class = {brand: number for number, brand in enumerate(brands)}
        self._splits = list(splits)
        # Tools want both places to be there; one without rows stays empty.
        for split in {"train", "val", *splits}:
            (folder / "images" / split).mkdir(parents=True)
            (folder / "labels" / split).mkdir(parents=True)

    def images(self, split: str) -> str:
        return f"images/{split}"

    def add(self, row: Mapping[str, Any], shown: Shown) -> int:
        boxes = boxes_within(row, shown)
        lines = []
        for box in boxes:
            x, y = (box.x1 + box.x2) / 2 / shown.width, (box.y1 + box.y2) / 2 / shown.height
            width, height = (box.x2 - box.x1) / shown.width, (box.y2 - box.y1) / shown.height
            values = " ".join(f"{value:.10g}" for value in (x, y, width, height))
            lines.append(f"{self._class[box.brand]} {values}\n")
        name = PurePosixPath(shown.name).with_suffix(".txt").name
        (self._folder / "labels" / row["split"] / name).write_text("".join(lines))
        return len(boxes)

    def close(self) -> None:
        others = [f"images/{split}" for split in self._splits if split not in ("train", "val")]
        data: dict[str, Any] = {"train": "images/train", "val": "images/val"}
        if others:
            data["test"] = others
        data["names"] = dict(enumerate(self._brands))
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
        (self._folder / "data.yaml").write_text(text, encoding="utf-8")
