"""COCO: a JSON file a split (cocodataset.org, "Data format": object detection), boxes as x, y of
the top left corner, width, height in pixels."""

import json
import shutil
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from ml.datasets.pictures import Shown, boxes_within


class Coco:
    """`annotations/instances_SPLIT.json`, with images in `SPLIT/`; an image without annotations:
    looked, none there."""

    boxed = True
    jpeg = False

    def __init__(self, folder: Path, *, brands: Sequence[str], splits: Sequence[str]) -> None:
        # From 1 on: evaluation tools take 0 for nothing.
        category = {brand: number for number, brand in enumerate(brands, start=1)}
        (folder / "annotations").mkdir()
        for split in splits:
            (folder / split).mkdir()
        self._files = {
            split: _File(folder / "annotations" / f"instances_{split}.json", category)
            for split in splits
        }

    def images(self, split: str) -> str:
        return split

    def add(self, row: Mapping[str, Any], shown: Shown) -> int:
        return self._files[row["split"]].add(row, shown)

    def close(self) -> None:
        for file in self._files.values():
            file.close()


class _File:
    """One JSON file, written as rows come: annotations wait in a file of their own meanwhile."""

    def __init__(self, path: Path, category: dict[str, int]) -> None:
        self._category = category
        self._rest = path.with_suffix(".rest")
        self._images = path.open("w", encoding="utf-8")
        self._boxes = self._rest.open("w", encoding="utf-8")
        names = [{"id": number, "name": brand} for brand, number in category.items()]
        told = json.dumps(names, ensure_ascii=False)
        self._images.write(f'{{"info": {{}}, "licenses": [],\n"categories": {told},\n"images": [')
        self._image_ids, self._box_ids = count(1), count(1)

    def add(self, row: Mapping[str, Any], shown: Shown) -> int:
        image_id = next(self._image_ids)
        image = {
            "id": image_id,
            "file_name": shown.name.rsplit("/", 1)[-1],
            "width": shown.width,
            "height": shown.height,
        }
        self._images.write(f"{',' if image_id > 1 else ''}\n{json.dumps(image)}")
        boxes = boxes_within(row, shown)
        for box in boxes:
            width, height = box.x2 - box.x1, box.y2 - box.y1
            number = next(self._box_ids)
            mark = {
                "id": number,
                "image_id": image_id,
                "category_id": self._category[box.brand],
                "bbox": [box.x1, box.y1, width, height],
                "area": width * height,
                "iscrowd": 0,
                "segmentation": [],
            }
            self._boxes.write(f"{',' if number > 1 else ''}\n{json.dumps(mark)}")
        return len(boxes)

    def close(self) -> None:
        self._boxes.close()
        self._images.write('],\n"annotations": [')
        with self._rest.open(encoding="utf-8") as rest:
            shutil.copyfileobj(rest, self._images)
        self._images.write("]}\n")
        self._images.close()
        self._rest.unlink()
