"""Tables that people send: read strictly, every bad row named, nothing done until all are good."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TypeVar

from django.utils.translation import gettext as _

LARGEST = 10_000_000  # bytes
MOST_ROWS = 50_000
MOST_NAMED = 50  # problems told at once

Given = TypeVar("Given")
Row = TypeVar("Row")


class TableError(Exception):
    """What is wrong with a table; `problems` has a line for each bad row."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class BadRow(Exception):
    """Why a row cannot be used."""


def read_table(data: bytes, *, required: Sequence[str], optional: Sequence[str] = ()) -> list[dict]:
    """The rows of a CSV file in UTF-8 as dicts of stripped texts; what is absent is empty.

    Raises:
        TableError: it is no such file, is too large, lacks a column, or has one of no meaning: a
            misspelt column must not be passed over.
    """
    if len(data) > LARGEST:
        raise TableError([_("larger than %(most)d MB") % {"most": LARGEST // 1_000_000}])
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        _check_columns(columns, required, optional)
        rows = [
            {name: (row.get(name) or "").replace("\0", "").strip() for name in columns}
            for row in _bounded(reader)
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError([_("not a CSV file in UTF-8: %(error)s") % {"error": error}]) from error
    if not rows:
        raise TableError([_("no row in it")])
    return [dict.fromkeys([*required, *optional], "") | row for row in rows]


def _check_columns(columns: list[str], required: Sequence[str], optional: Sequence[str]) -> None:
    problems = [
        _("no column “%(name)s”") % {"name": name} for name in required if name not in columns
    ]
    unknown = [name for name in columns if name not in (*required, *optional)]
    problems += [_("unknown column “%(name)s”") % {"name": name[:40]} for name in unknown]
    problems += [
        _("two columns “%(name)s”") % {"name": name}
        for name in dict.fromkeys(columns)
        if columns.count(name) > 1
    ]
    if problems:
        known = ", ".join([*required, *optional])
        raise TableError([*problems, _("The columns are: %(names)s.") % {"names": known}])


def _bounded(reader: csv.DictReader) -> Iterator[dict]:
    for number, row in enumerate(reader, 1):
        if number > MOST_ROWS:
            raise TableError([_("more than %(most)d rows") % {"most": MOST_ROWS}])
        if None in row:
            raise TableError([_("row %(row)d: more cells than columns") % {"row": number}])
        yield row


def read_rows(rows: Sequence[Given], read: Callable[[Given], Row]) -> list[Row]:
    """Each row as `read` reads it.

    Raises:
        TableError: naming every row that `read` refused by BadRow. Rows are counted from 1,
            without the head.
    """
    found, problems = [], []
    for number, row in enumerate(rows, 1):
        try:
            found.append(read(row))
        except BadRow as error:
            problems.append(_("row %(row)d: %(why)s") % {"row": number, "why": error})
    if problems:
        more = len(problems) - MOST_NAMED
        shown = problems[:MOST_NAMED]
        if more > 0:
            shown.append(_("… and %(more)d more rows") % {"more": more})
        raise TableError(shown)
    return found


def read_day(value: str, column: str) -> date:
    """Raises BadRow unless `value` is a day as 2026-01-31."""
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise BadRow(
            _("%(column)s is “%(value)s”; expected a day as 2026-01-31")
            % {"column": column, "value": value[:40]}
        ) from error
