"""A list of picture addresses on the web: CSV, JSON lines, or plain text with one a line."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from annotation import web
from annotation.connectors.entries import Entry
from annotation.ingest.decode import Refusal
from annotation.ingest.rows import RefusedRow, Row
from annotation.ingest.tables import csv_lines, product_row
from ml.errors import InputError

LIST_BYTES, LIST_SECONDS = 50_000_000, 120.0
PICTURE_BYTES, PICTURE_SECONDS = 20_000_000, 60.0
COLUMNS = ("url", "image")  # the picture's address, by either name
LONGEST_KEY = 120  # characters of a product's key


class WebList:
    """The list decides its format by what it holds: objects are JSON lines, a first line that
    names a column `url` or `image` is CSV, all else a line an address. Further columns are those
    of `products.csv`. Addresses may be relative to the list's."""

    trusted = False

    def __init__(self, url: str, *, private: bool, secret: str | None) -> None:
        """
        Args:
            private: addresses may lie in our own network.
            secret: the Authorization header for the list's own host.
        """
        self._url, self._private = url, private
        self._secret = {"Authorization": secret} if secret else {}
        self._text: str | None = None

    def __iter__(self) -> Iterator[Entry | RefusedRow]:
        for line in self._lines():
            if isinstance(line, RefusedRow):
                yield line
                continue
            written = next((line[name] for name in COLUMNS if line.get(name)), "")
            try:
                yield self._entry(line, written)
            except (Refusal, web.WebError) as refusal:
                yield RefusedRow(written, str(refusal))

    def _entry(self, line: Mapping[str, str], written: str) -> Entry:
        if not written:
            raise Refusal("no address given")
        list_at = web.parsed(self._url)
        address = web.parsed(written, base=list_at)
        name = str(address)
        key = name if len(name) <= LONGEST_KEY else hashlib.sha256(name.encode()).hexdigest()
        row: Row = product_row(line, name=name, path=Path(), key=key)
        own = (address.scheme, address.netloc) == (list_at.scheme, list_at.netloc)
        return Entry(row, partial(self._picture, name, self._secret if own else {}))

    def _picture(self, address: str, secret: Mapping[str, str]) -> bytes:
        try:
            return web.fetch(
                address,
                most=PICTURE_BYTES,
                seconds=PICTURE_SECONDS,
                private=self._private,
                secret=secret,
            )
        except web.WebError as error:
            raise Refusal(str(error)[:200]) from error

    def _lines(self) -> Iterator[Mapping[str, str] | RefusedRow]:
        text = self._read()
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        first = lines[0] if lines else ""
        named = {name.strip().strip('"') for name in first.split(",")}
        if first.startswith("{"):
            yield from (_json_line(line) for line in lines)
        elif named & set(COLUMNS):
            yield from csv_lines(io.StringIO(text, newline=""), (), place=self._url)
        else:
            yield from ({"url": line} for line in lines)

    def _read(self) -> str:
        if self._text is None:
            try:
                body = web.fetch(
                    self._url,
                    most=LIST_BYTES,
                    seconds=LIST_SECONDS,
                    private=self._private,
                    secret=self._secret,
                )
                self._text = body.decode("utf-8-sig")
            except web.WebError as error:
                raise InputError(f"{self._url}: {error}") from error
            except UnicodeDecodeError as error:
                raise InputError(f"{self._url}: no text in UTF-8") from error
        return self._text


def _json_line(line: str) -> Mapping[str, str] | RefusedRow:
    try:
        values = json.loads(line)
    except ValueError as error:
        return RefusedRow(line[:100], f"not JSON: {error}"[:200])
    if not isinstance(values, dict):
        return RefusedRow(line[:100], "not a JSON object")
    return {
        name: ("" if value is None else str(value)).replace("\0", "").strip()
        for name, value in values.items()
        if not isinstance(value, dict | list)
    }
