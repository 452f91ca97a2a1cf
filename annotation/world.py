"""A generated world into the platform: brands with published guidelines, merchants with their
licences, and every image folder with the split and the trust it has."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from django.db import transaction

from annotation.guidelines import (
    ExampleDraft,
    FeatureDraft,
    draft_guideline,
    publish_guideline,
    published_guideline,
    says_the_same,
)
from annotation.ingest import IngestReport, ingest_folder
from annotation.ingest.decode import Refusal, file_sha256, read_picture
from annotation.ingest.rows import locate
from annotation.ingest.storing import store_files, stored_name
from annotation.ingest.tables import read_csv
from annotation.models import Brand, Feature, Merchant, Qualification
from ml.errors import InputError
from ml.progress import Progress


@dataclass(frozen=True)
class Folder:
    """How a folder of a world is taken in."""

    name: str
    source: str
    split: str
    trusted: bool


# The product table is the word of shops; of the pool nothing is known, of the open set how it is
# arranged: true collages are no false alarms. The others were made by people who looked.
FOLDERS = (
    Folder("train", "product_table", "train", trusted=False),
    Folder("detection", "detection", "train", trusted=True),
    Folder("variation", "variation", "train", trusted=True),
    Folder("pool", "pool", "pool", trusted=False),
    Folder("closed", "closed", "closed", trusted=True),
    Folder("open", "open", "open", trusted=True),
    Folder("business", "business", "business", trusted=True),
    Folder("audit", "audit", "train", trusted=True),
)


@dataclass
class WorldReport:
    """What was loaded; `folders` in the order of FOLDERS, those there are."""

    brands: int
    guidelines_published: int
    merchants: int
    qualifications: int
    folders: list[IngestReport]


@dataclass(frozen=True)
class _BrandEntry:
    """A brand of `brands.json`, checked."""

    key: str
    name_en: str
    name_zh: str
    aliases: list[str]
    protected: bool
    rules: str
    features: list[FeatureDraft]
    files: list[tuple[Path, str, str]]


def load_world(
    *,
    directory: Path | str,
    progress: Progress | None = None,
    processes: int | None = None,
) -> WorldReport:
    """Load a world written by `python -m ml synth`; again: nothing new.

    Raises:
        InputError: it is not a world, or one of its tables is broken. Knowledge is written whole
            or not at all, and before any image.
    """
    directory = Path(directory).resolve()
    entries = _read_brands(directory)
    sellers = list(read_csv(directory / "merchants.csv", ("merchant", "name")))
    licences = list(
        read_csv(directory / "qualifications.csv", ("merchant", "brand", "valid_from", "valid_to"))
    )
    _store_examples(entries)
    with transaction.atomic():
        brands = {entry.key: _save_brand(entry) for entry in entries}
        published = sum(_save_guideline(brands[entry.key], entry) for entry in entries)
        merchants = _save_merchants(sellers)
        qualifications = _save_qualifications(licences, merchants, brands)
    reports = [
        ingest_folder(
            directory=directory / folder.name,
            source=folder.source,
            split=folder.split,
            format="products",
            trusted=folder.trusted,
            progress=progress,
            processes=processes,
        )
        for folder in FOLDERS
        if _has_rows(directory / folder.name)
    ]
    return WorldReport(
        brands=len(brands),
        guidelines_published=published,
        merchants=len(merchants),
        qualifications=qualifications,
        folders=reports,
    )


def _read_brands(directory: Path) -> list[_BrandEntry]:
    path = directory / "brands.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{directory}: not a generated world: no brands.json") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    try:
        return [_read_brand(directory, entry) for entry in entries]
    except Refusal as refusal:
        raise InputError(f"{path}: {refusal}") from refusal
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a list of brands with guidelines: {error!r}") from error


def _read_brand(directory: Path, entry: dict[str, Any]) -> _BrandEntry:
    files: list[tuple[Path, str, str]] = []

    def example(value: dict[str, Any]) -> ExampleDraft:
        path = locate(directory, value["file"], ("",))
        try:
            sha256, picture = file_sha256(path), read_picture(path)
        except Refusal as refusal:
            raise Refusal(f"{value['file']}: {refusal}") from refusal
        name = stored_name("guidelines", sha256, picture.extension)
        files.append((path, sha256, name))
        regions = [
            {side: float(region[side]) for side in ("x1", "y1", "x2", "y2")}
            for region in value["regions"]
        ]
        return ExampleDraft(file=name, width=picture.width, height=picture.height, regions=regions)

    return _BrandEntry(
        key=entry["key"],
        name_en=entry["name_en"],
        name_zh=entry["name_zh"],
        aliases=list(entry["aliases"]),
        protected=bool(entry["protected"]),
        rules=entry["guideline"]["rules"],
        features=_read_features(entry["guideline"]["features"], example),
        files=files,
    )


def _read_features(
    values: list[dict[str, Any]], example: Callable[[dict[str, Any]], ExampleDraft]
) -> list[FeatureDraft]:
    return [
        FeatureDraft(
            kind=Feature.Kind(value["kind"]).value,
            text=value["text"],
            registered=bool(value["registered"]),
            examples=[example(each) for each in value["examples"]],
        )
        for value in values
    ]


def _store_examples(entries: list[_BrandEntry]) -> None:
    files = [file for entry in entries for file in entry.files]
    for (path, *_), refusal in zip(files, store_files(files), strict=True):
        if refusal is not None:
            raise InputError(f"{path}: {refusal}")


def _save_brand(entry: _BrandEntry) -> Brand:
    brand, _ = Brand.objects.update_or_create(
        key=entry.key,
        defaults={
            "name_en": entry.name_en,
            "name_zh": entry.name_zh,
            "aliases": entry.aliases,
            "protected": entry.protected,
        },
    )
    return brand


def _save_guideline(brand: Brand, entry: _BrandEntry) -> bool:
    """Publish the entry's guideline unless the one in force says the same."""
    current = published_guideline(brand=brand)
    if current is not None and says_the_same(
        version=current, rules=entry.rules, features=entry.features
    ):
        return False
    draft = draft_guideline(brand=brand, rules=entry.rules, features=entry.features)
    publish_guideline(version=draft, by=None)
    return True


def _save_merchants(lines: list[dict[str, str]]) -> dict[str, Merchant]:
    Merchant.objects.bulk_create(
        {
            line["merchant"]: Merchant(external_id=line["merchant"], name=line["name"])
            for line in lines
        }.values(),
        update_conflicts=True,
        unique_fields=["external_id"],
        update_fields=["name"],
    )
    keys = [line["merchant"] for line in lines]
    return Merchant.objects.filter(external_id__in=keys).in_bulk(field_name="external_id")


def _save_qualifications(
    lines: list[dict[str, str]], merchants: dict[str, Merchant], brands: dict[str, Brand]
) -> int:
    try:
        rows = {
            (line["merchant"], line["brand"], line["valid_from"]): Qualification(
                merchant=merchants[line["merchant"]],
                brand=brands[line["brand"]],
                valid_from=date.fromisoformat(line["valid_from"]),
                valid_to=date.fromisoformat(line["valid_to"]) if line["valid_to"] else None,
            )
            for line in lines
        }
    except KeyError as error:
        raise InputError(f"qualifications.csv: {error.args[0]!r} is in no other table") from error
    except ValueError as error:
        raise InputError(f"qualifications.csv: {error}") from error
    Qualification.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["merchant", "brand", "valid_from"],
        update_fields=["valid_to"],
    )
    return len(rows)


def _has_rows(directory: Path) -> bool:
    """Whether the world has pictures of this folder; a small one may leave some out."""
    table = directory / "products.csv"
    return table.exists() and any(True for _ in read_csv(table, ("file",)))
