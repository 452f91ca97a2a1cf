"""What a guideline shows of a brand, to be laid beside what a detector found."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ml.errors import InputError
from ml.explain.boxes import crop
from ml.images import open_image
from ml.models.base import Box


@dataclass(frozen=True)
class Reference:
    """A registered feature of a brand (logo, wordmark) as its guideline shows it."""

    kind: str
    text: str
    crop: Image.Image


class Guideline:
    """The registered features of brands.

    Args:
        brands_file: `brands.json` as a world has it (docs/architecture.md); the pictures it names
            lie beside it.

    Raises:
        InputError: it is missing, or not such a file.
    """

    def __init__(self, brands_file: Path) -> None:
        self._file = brands_file
        try:
            listed = json.loads(brands_file.read_text(encoding="utf-8"))
            self._examples = {brand["key"]: list(_examples(brand)) for brand in listed}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{brands_file}: not a list of brands with guidelines") from error
        self._cut: dict[str, list[Reference]] = {}

    def references(self, brand: str) -> list[Reference]:
        """The first region of the first example of each registered feature; none of a brand that
        is not in the file.

        Raises:
            InputError: a picture cannot be read.
        """
        if brand not in self._cut:
            self._cut[brand] = [
                Reference(kind, text, crop(open_image(self._file.parent / file), box))
                for kind, text, file, box in self._examples.get(brand, ())
            ]
        return self._cut[brand]


def _examples(brand: dict[str, Any]) -> Iterator[tuple[str, str, str, Box]]:
    """Kind, text, file and box of each."""
    for feature in brand["guideline"]["features"]:
        for example in feature["examples"][:1] if feature["registered"] else ():
            for region in example["regions"][:1]:
                x1, y1, x2, y2 = (float(region[side]) for side in ("x1", "y1", "x2", "y2"))
                box = Box(x1, y1, x2, y2, brand["key"], 1.0)
                yield feature["kind"], feature["text"], example["file"], box
