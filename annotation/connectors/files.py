"""Pictures on this machine: a folder in any of ingest's formats, and a CSV file that names them."""

from collections.abc import Iterator
from pathlib import Path

from annotation.connectors.entries import Entry
from annotation.ingest import rows
from annotation.ingest.decode import Refusal
from annotation.ingest.formats import BOX_FORMATS, detect_format, open_source
from annotation.ingest.rows import RefusedRow
from annotation.ingest.tables import product_row, read_csv
from ml.errors import InputError


class Folder:
    """A folder with its tables, as `manage.py ingest` reads it."""

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise InputError(f"{directory}: no such folder")
        format = detect_format(directory)
        self.trusted = format in BOX_FORMATS
        self._reader = open_source(directory, format)

    def __iter__(self) -> Iterator[Entry | RefusedRow]:
        for row in self._reader:
            yield row if isinstance(row, RefusedRow) else Entry(row)


class Table:
    """A CSV file in UTF-8 with a column `file` of pictures beside or below it, and as many of the
    columns of `products.csv` as are known."""

    trusted = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Entry | RefusedRow]:
        for line in read_csv(self._path, ("file",)):
            name = line["file"]
            try:
                located = rows.locate(self._path.parent, name)
                yield Entry(product_row(line, name=name, path=located))
            except Refusal as refusal:
                yield RefusedRow(name, str(refusal))
