"""Who may sell which brand, and when: merchants and their licences from a CSV file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from annotation import audit
from annotation.csv_upload import BadRow, TableError, read_day, read_rows, read_table
from annotation.ingest.brands import BrandList
from annotation.models import Brand, Merchant, Qualification

REQUIRED = ("merchant", "brand", "valid_from", "valid_to")
OPTIONAL = ("name",)
LONGEST = {"merchant": 120, "name": 200}


@dataclass
class Imported:
    """Counts of what a table changed; `same` licences were there just so."""

    merchants: int = 0
    renamed: int = 0
    licences: int = 0
    changed: int = 0
    same: int = 0


@dataclass(frozen=True)
class _Row:
    merchant: str
    name: str
    brand: Brand
    valid_from: date
    valid_to: date | None

    @property
    def key(self) -> tuple[str, int, date]:
        return (self.merchant, self.brand.pk, self.valid_from)


@dataclass
class _Changes:
    """Of one merchant, for the audit log."""

    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)


def import_licences(*, table: bytes, by: User | None) -> Imported:
    """Bring merchants and licences up to a table of `merchant,brand,valid_from,valid_to` and,
    optional, `name` of the merchant; an empty `valid_to` has no end. A licence is named by
    merchant, brand and first day; the same table again changes nothing, and what no row names
    stays.

    Raises:
        TableError: naming each row that cannot be used; then none was.
    """
    brands = BrandList()
    lines = read_table(table, required=REQUIRED, optional=OPTIONAL)
    rows = _agreeing(read_rows(lines, lambda line: _read(line, brands)))
    with transaction.atomic():
        return _write(rows, by)


def _read(line: dict[str, str], brands: BrandList) -> _Row:
    for name, most in LONGEST.items():
        if len(line[name]) > most:
            raise BadRow(
                _("%(column)s longer than %(most)d characters") % {"column": name, "most": most}
            )
    if not line["merchant"]:
        raise BadRow(_("no merchant named"))
    brand = brands.find(line["brand"])
    if brand is None:
        raise BadRow(_("no listed brand is called “%(name)s”") % {"name": line["brand"][:60]})
    start = read_day(line["valid_from"], "valid_from")
    end = read_day(line["valid_to"], "valid_to") if line["valid_to"] else None
    if end is not None and end < start:
        raise BadRow(
            _("it ends (%(end)s) before it begins (%(start)s)") % {"end": end, "start": start}
        )
    return _Row(line["merchant"], line["name"], brand, start, end)


def _agreeing(rows: Sequence[_Row]) -> list[_Row]:
    """The rows, each licence once. Raises TableError where two say different things of one
    licence or merchant."""
    licences: dict[tuple, tuple[int, _Row]] = {}
    names: dict[str, tuple[int, str]] = {}
    problems = []
    for number, row in enumerate(rows, 1):
        first, known = licences.setdefault(row.key, (number, row))
        if known.valid_to != row.valid_to:
            problems.append(
                _("row %(row)d: another end than row %(first)d says of the same licence")
                % {"row": number, "first": first}
            )
        if row.name:
            first, name = names.setdefault(row.merchant, (number, row.name))
            if name != row.name:
                problems.append(
                    _("row %(row)d: another name than row %(first)d says of the same merchant")
                    % {"row": number, "first": first}
                )
    if problems:
        raise TableError(problems[:50])
    return [row for _number, row in licences.values()]


def _write(rows: Sequence[_Row], by: User | None) -> Imported:
    done = Imported()
    changes: dict[str, _Changes] = {}
    merchants = _merchants(rows, done, changes)
    known = {
        (licence.merchant_id, licence.brand_id, licence.valid_from): licence
        for licence in Qualification.objects.select_for_update().filter(
            merchant__in=merchants.values()
        )
    }
    new, moved = [], []
    for row in rows:
        merchant = merchants[row.merchant]
        licence = known.get((merchant.pk, row.brand.pk, row.valid_from))
        if licence is None:
            done.licences += 1
            new.append(
                Qualification(
                    merchant=merchant,
                    brand=row.brand,
                    valid_from=row.valid_from,
                    valid_to=row.valid_to,
                )
            )
        elif licence.valid_to != row.valid_to:
            done.changed += 1
            _of(changes, row).before[_called(row)] = _span(row.valid_from, licence.valid_to)
            licence.valid_to = row.valid_to
            moved.append(licence)
        else:
            done.same += 1
            continue
        _of(changes, row).after[_called(row)] = _span(row.valid_from, row.valid_to)
    Qualification.objects.bulk_create(new, batch_size=1000)
    Qualification.objects.bulk_update(moved, ["valid_to"], batch_size=1000)
    _note(changes, merchants, by)
    return done


def _merchants(
    rows: Iterable[_Row], done: Imported, changes: dict[str, _Changes]
) -> dict[str, Merchant]:
    """The rows' merchants by their key, made where missing and named as the table does."""
    names: dict[str, str] = {}
    for row in rows:
        names[row.merchant] = row.name or names.get(row.merchant, "")
    known = Merchant.objects.filter(external_id__in=names).in_bulk(field_name="external_id")
    missing = [
        Merchant(external_id=key, name=name) for key, name in names.items() if key not in known
    ]
    Merchant.objects.bulk_create(missing, batch_size=1000)
    renamed = []
    for key, merchant in known.items():
        if names[key] and names[key] != merchant.name:
            entry = changes.setdefault(key, _Changes())
            entry.before["name"], entry.after["name"] = merchant.name, names[key]
            merchant.name = names[key]
            renamed.append(merchant)
    Merchant.objects.bulk_update(renamed, ["name"], batch_size=1000)
    done.merchants, done.renamed = len(missing), len(renamed)
    return known | {merchant.external_id: merchant for merchant in missing}


def _note(changes: dict[str, _Changes], merchants: dict[str, Merchant], by: User | None) -> None:
    """One entry a merchant, so that what it may sell is found under its name."""
    for key, entry in changes.items():
        audit.note(
            action="import_licences",
            subject=merchants[key],
            by=by,
            before=entry.before or None,
            after=entry.after,
        )


def _of(changes: dict[str, _Changes], row: _Row) -> _Changes:
    return changes.setdefault(row.merchant, _Changes())


def _called(row: _Row) -> str:
    return f"{row.brand.key} {row.valid_from}"


def _span(start: date, end: date | None) -> str:
    return f"{start} – {end or '…'}"
