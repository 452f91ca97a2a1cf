"""Missed risks from a CSV file: `image` (a file sent along, or the sha256 of a known image) or
`product` (`source/id`), `brand`, `risk`, `channel`, `found_on`, `has_logo`, `note`. All rows or
none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from django.contrib.auth.models import User
from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.csv_upload import BadRow, TableError, read_day, read_rows, read_table
from annotation.ingest.brands import BrandList
from annotation.ingest.rows import TRUTHS
from annotation.locks import advisory_lock
from annotation.missed import (
    Entered,
    Finding,
    MissedRiskError,
    Upload,
    check,
    enter_missed_risk,
    read_upload,
)
from annotation.models import Image, MissedRisk, Product

REQUIRED = ("brand", "risk", "channel", "found_on")
OPTIONAL = ("image", "product", "has_logo", "note")


@dataclass(frozen=True)
class _Row:
    finding: Finding
    image: Image | None
    upload: Upload | None
    product: Product | None


def import_missed(*, table: bytes, pictures: Sequence[File] = (), by: User | None) -> list[Entered]:
    """Enter every row of a table.

    Raises:
        TableError: naming each row that cannot be entered; then none was.
    """
    rows = read_table(table, required=REQUIRED, optional=OPTIONAL)
    sent = _by_name(pictures)
    brands = BrandList()
    read_once = cache(read_upload)  # two rows may name one picture, of two brands
    read = read_rows(rows, lambda row: _read(row, brands, sent, read_once))
    if unused := sorted(set(sent) - {row["image"] for row in rows}):
        raise TableError([_("no row names the picture “%(name)s”") % {"name": unused[0]}])
    with advisory_lock("ingest", wait=True), transaction.atomic():
        return _enter(read, by)


def _enter(rows: Sequence[_Row], by: User | None) -> list[Entered]:
    def enter(row: _Row) -> Entered:
        try:
            with transaction.atomic():
                return enter_missed_risk(
                    finding=row.finding,
                    image=row.image,
                    upload=row.upload,
                    product=row.product if row.upload else None,
                    by=by,
                )
        except MissedRiskError as error:
            raise BadRow(str(error)) from error

    return read_rows(rows, enter)  # an error of any row takes all of them back


def _by_name(pictures: Sequence[File]) -> dict[str, File]:
    named: dict[str, File] = {}
    for picture in pictures:
        name = picture.name or ""
        if name in named:
            raise TableError([_("two pictures are called “%(name)s”") % {"name": name[:80]}])
        named[name] = picture
    return named


def _read(
    row: dict[str, str],
    brands: BrandList,
    sent: Mapping[str, File],
    read_picture: Callable[[File], Upload],
) -> _Row:
    brand = brands.find(row["brand"])
    if brand is None:
        raise BadRow(_("no listed brand is called “%(name)s”") % {"name": row["brand"][:60]})
    finding = Finding(
        brand=brand,
        risk=row["risk"],
        channel=row["channel"],
        found_on=read_day(row["found_on"], "found_on"),
        has_logo=read_truth(row["has_logo"]),
        note=row["note"],
    )
    try:
        check(finding)
        product = find_product(row["product"]) if row["product"] else None
        upload = read_picture(sent[row["image"]]) if row["image"] in sent else None
        image = None if upload else find_image(row["image"], product)
    except MissedRiskError as error:
        raise BadRow(str(error)) from error
    if image and MissedRisk.objects.filter(image=image, brand=brand).exists():
        raise BadRow(_("%(brand)s was entered for this image already") % {"brand": brand})
    return _Row(finding, image, upload, product)


def read_truth(value: str) -> bool | None:
    """1 or 0, yes or no; None for nothing. Raises BadRow."""
    if not value:
        return None
    if value.lower() not in TRUTHS:
        raise BadRow(_("has_logo is “%(value)s”; expected 1 or 0") % {"value": value[:40]})
    return TRUTHS[value.lower()]


def find_product(name: str) -> Product:
    """A product by `source/id`, or by its id alone where just one source has it.

    Raises:
        MissedRiskError: there is none, or more than one.
    """
    source, _slash, key = name.partition("/")
    found = list(Product.objects.filter(source=source, external_id=key)[:1]) or list(
        Product.objects.filter(external_id=name)[:2]
    )
    if len(found) != 1:
        what = _("several products are") if found else _("no product is")
        raise MissedRiskError(
            _("%(what)s called “%(name)s”: give it as source/id")
            % {"what": what, "name": name[:80]}
        )
    return found[0]


def find_image(sha256: str, product: Product | None) -> Image:
    """The known image of this hash, or the one image of the product.

    Raises:
        MissedRiskError: there is none, or the product has several.
    """
    if sha256:
        image = Image.objects.filter(sha256=sha256.lower()).first()
        if image is None:
            raise MissedRiskError(
                _("“%(name)s” is neither a picture sent along nor the hash of a known image")
                % {"name": sha256[:80]}
            )
        return image
    if product is None:
        raise MissedRiskError(_("neither an image nor a product is named"))
    images = list(product.images.all()[:4])
    if len(images) != 1:
        hashes = ", ".join(image.sha256[:12] for image in images)
        raise MissedRiskError(
            _("the product has several images (%(hashes)s …): name the one by its hash")
            % {"hashes": hashes}
            if images
            else _("the product has no image: send one along")
        )
    return images[0]
