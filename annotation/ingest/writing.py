"""One batch of read files into the database, in one transaction: a kill leaves whole batches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from annotation.ingest import meaning
from annotation.ingest.brands import BrandList
from annotation.ingest.decode import Picture, Refusal
from annotation.ingest.grouping import (
    Candidate,
    Grouping,
    group_candidates,
    keep_together,
    settle_groups,
)
from annotation.ingest.rows import Box, Row, fit_boxes
from annotation.ingest.storing import store_files, stored_name
from annotation.labels import import_labels
from annotation.locks import advisory_lock
from annotation.models import Image, IngestBatch, Merchant, Product, SetAside
from annotation.models.image import TRAINING_SPLITS


@dataclass(frozen=True)
class ReadFile:
    """A row with its file's identity, and the picture unless the image was known already."""

    row: Row
    sha256: str
    picture: Picture | None


@dataclass(frozen=True)
class NewFile:
    """A file that may become an image."""

    row: Row
    sha256: str
    picture: Picture

    @property
    def name(self) -> str:
        return stored_name("images", self.sha256, self.picture.extension)


@dataclass
class Written:
    """What a batch came to; `refused` are (file, reason)."""

    added: int = 0
    known: int = 0
    labels: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, row: Row, refusal: Refusal) -> None:
        self.refused.append((row.name, str(refusal)))


class Writer:
    """Writes the batches of one ingest. With `trusted`, answers and variations are labels."""

    def __init__(self, *, batch: IngestBatch, brands: BrandList, trusted: bool) -> None:
        self._batch = batch
        self._brands = brands
        self._trusted = trusted
        self._role = "training" if batch.split in TRAINING_SPLITS else "test"
        self._spoken: set[str] = set()

    def write(self, files: Sequence[ReadFile], refused: Iterable[tuple[str, str]]) -> Written:
        """Write a batch of files and note the refused ones.

        Storage first, rows after: a row always has its file. All ingests write under one lock, so
        that the groups found are still the groups when the images join them.
        """
        written = Written(refused=list(refused))
        first = self._first_mentions(files, written)
        with advisory_lock("ingest", wait=True):
            stored = self._stored(first, written)
            boxes = self._boxes(first, stored, written)
            unknown = (first[sha256] for sha256 in boxes if sha256 not in stored)
            new, grouping = self._place(
                [NewFile(file.row, file.sha256, file.picture) for file in unknown if file.picture],
                written,
            )
            with transaction.atomic():
                self._fill_in([first[sha256] for sha256 in stored], stored)
                images = self._create(new, grouping) | stored
                written.labels = import_labels(
                    items=[
                        (image, kind, content)
                        for sha256, image in images.items()
                        for kind, content in meaning.labels(
                            first[sha256].row, boxes[sha256], self._brands, trusted=self._trusted
                        )
                    ]
                )
                self._note(written.refused)
        written.added = len(new)
        written.known += len(stored)
        return written

    def _first_mentions(self, files: Sequence[ReadFile], written: Written) -> dict[str, ReadFile]:
        """By sha256. A file listed twice speaks once: a repeated run finds nothing to correct."""
        first: dict[str, ReadFile] = {}
        for file in files:
            if file.sha256 in self._spoken:
                written.known += 1
            else:
                self._spoken.add(file.sha256)
                first[file.sha256] = file
        return first

    def _stored(self, first: dict[str, ReadFile], written: Written) -> dict[str, Image]:
        """The images known already; those of the other role are refused and left out of `first`."""
        stored = {image.sha256: image for image in Image.objects.filter(sha256__in=first)}
        for sha256, image in list(stored.items()):
            if image.role != self._role:
                written.refuse(first.pop(sha256).row, Refusal(f"already a {image.role} image"))
                del stored[sha256]
        return stored

    def _boxes(
        self, first: dict[str, ReadFile], stored: dict[str, Image], written: Written
    ) -> dict[str, list[Box] | None]:
        """The boxes of each file that can be taken, in pixels; others are refused."""
        boxes = {}
        for sha256, file in first.items():
            size = stored.get(sha256) or file.picture
            try:
                if size is None:
                    raise Refusal("its image was deleted while it was read; run again")
                boxes[sha256] = fit_boxes(file.row, size.width, size.height)
            except Refusal as refusal:
                stored.pop(sha256, None)
                written.refuse(file.row, refusal)
        return boxes

    def _place(self, new: list[NewFile], written: Written) -> tuple[list[NewFile], Grouping]:
        """Group the new files and store those that may stay."""
        grouping = self._group(new)
        for i, refusal in grouping.refused.items():
            written.refuse(new[i].row, refusal)
        staying = [file for i, file in enumerate(new) if i not in grouping.refused]
        copies = [(file.row.path, file.sha256, file.name) for file in staying]
        failed = {
            i: refusal for i, refusal in enumerate(store_files(copies)) if refusal is not None
        }
        for i, refusal in failed.items():
            written.refuse(staying[i].row, refusal)
        whole = [file for i, file in enumerate(staying) if i not in failed]
        return whole, self._group(whole) if len(whole) < len(new) else grouping

    def _group(self, files: Sequence[NewFile]) -> Grouping:
        products = [file.row.product for file in files if file.row.product]
        images = Image.objects.filter(
            product__source=self._batch.source, product__external_id__in=products
        ).values_list("product__external_id", "group_id", "role")
        return group_candidates(
            candidates=[
                Candidate(picture=file.picture, product=file.row.product or None) for file in files
            ],
            role=self._role,
            product_groups={product: (group, role) for product, group, role in images},
        )

    def _create(self, files: Sequence[NewFile], grouping: Grouping) -> dict[str, Image]:
        group_of = settle_groups(grouping=grouping, role=self._role)
        product_of = self._products([file.row for file in files])
        images = []
        for i, file in enumerate(files):
            picture = file.picture
            answer, brand = meaning.weak_answer(file.row, self._brands)
            images.append(
                Image(
                    sha256=file.sha256,
                    file=file.name,
                    width=picture.width,
                    height=picture.height,
                    phash=picture.phash,
                    phash_bands=picture.bands,
                    split=self._batch.split,
                    group_id=group_of[i],
                    product=product_of.get(file.row.product),
                    weak_answer=answer,
                    weak_brand=brand,
                    source=self._batch.source,
                    batch=self._batch,
                )
            )
        created = Image.objects.bulk_create(images)
        keep_together(group_ids=group_of.values())
        return {image.sha256: image for image in created}

    def _fill_in(self, files: Sequence[ReadFile], stored: dict[str, Image]) -> None:
        """Give a known image the weak answer it lacks."""
        filled = []
        for file in files:
            image = stored[file.sha256]
            answer, brand = meaning.weak_answer(file.row, self._brands)
            if answer and not image.weak_answer:
                image.weak_answer, image.weak_brand = answer, brand
                filled.append(image)
        Image.objects.bulk_update(filled, ["weak_answer", "weak_brand"])

    def _products(self, rows: Sequence[Row]) -> dict[str, Product]:
        """The rows' products by their key in the source, made where missing."""
        sellers = {row.merchant for row in rows} - {""}
        Merchant.objects.bulk_create(
            [Merchant(external_id=key) for key in sorted(sellers)], ignore_conflicts=True
        )
        merchants = Merchant.objects.filter(external_id__in=sellers).in_bulk(
            field_name="external_id"
        )
        wanted = {row.product: row for row in reversed(rows) if row.product}
        source = self._batch.source
        Product.objects.bulk_create(
            [
                Product(
                    source=source,
                    external_id=key,
                    merchant=merchants.get(row.merchant),
                    title=row.title,
                    category=row.category,
                    price=row.price,
                )
                for key, row in wanted.items()
            ],
            ignore_conflicts=True,
        )
        products = Product.objects.filter(source=source, external_id__in=wanted)
        return {product.external_id: product for product in products}

    def _note(self, refused: Sequence[tuple[str, str]]) -> None:
        """Keep the last reason of each file."""
        reasons = dict(refused)
        self._batch.set_aside.filter(path__in=reasons).delete()
        SetAside.objects.bulk_create(
            SetAside(batch=self._batch, path=path, reason=reason)
            for path, reason in reasons.items()
        )
