"""What every format has to say of a row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ml.datasets.pictures import Shown


class Writer(Protocol):
    """One format's folder while it is being written.

    Attributes:
        boxed: whether only rows with known boxes belong in it.
        jpeg: whether every image in it is a JPEG.
    """

    boxed: bool
    jpeg: bool

    def __init__(self, folder: Path, *, brands: Sequence[str], splits: Sequence[str]) -> None: ...

    def images(self, split: str) -> str:
        """Where in the folder images of a split lie."""
        ...

    def add(self, row: Mapping[str, Any], shown: Shown) -> int:
        """Take one row of the manifest, whose image lies there by now. Returns its boxes."""
        ...

    def close(self) -> None:
        """Write what is left once all rows are in."""
        ...
