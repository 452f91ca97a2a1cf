"""Which format a folder is in."""

from collections.abc import Callable
from pathlib import Path

from annotation.ingest.detections import BareFolder, CocoFolder, VocFolder, YoloFolder, find_voc
from annotation.ingest.rows import Source
from annotation.ingest.tables import BoxTable, GarmentTable, ProductTable
from ml.errors import InputError

READERS: dict[str, Callable[[Path], Source]] = {
    "products": ProductTable,
    "boxes": BoxTable,
    "openset": GarmentTable,
    "yolo": YoloFolder,
    "coco": CocoFolder,
    "voc": VocFolder,
    "images": BareFolder,
}
# In these a box says that somebody saw the brand, so their answers are labels.
BOX_FORMATS = ("boxes", "yolo", "coco", "voc")


def detect_format(directory: Path) -> str:
    """The first format whose files are there; bare images when none are."""
    for name in ("products", "boxes", "openset"):
        if (directory / f"{name}.csv").exists():
            return name
    named = any((directory / name).exists() for name in ("data.yaml", "classes.txt"))
    if named and (directory / "images").is_dir():
        return "yolo"
    if find_voc(directory):
        return "voc"
    if any(directory.glob("*.json")) or any(directory.glob("annotations/*.json")):
        return "coco"
    return "images"


def open_source(directory: Path, format: str) -> Source:
    """A reader of `directory` (resolved) in a format of READERS.

    Raises:
        InputError: there is no such format, or its files are missing or broken.
    """
    if format not in READERS:
        raise InputError(f"unknown format {format!r}; one of {', '.join(['auto', *READERS])}")
    return READERS[format](directory)
