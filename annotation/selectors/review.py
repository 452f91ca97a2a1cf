"""The reviewers' queue and what it has come to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from annotation.models import Brand, Consensus, Flag, Image, ImageCopy, Label
from annotation.models.task import Task
from annotation.selectors.products import Licence, licences
from ml.evaluate.intervals import Figure, wilson

DECIDED = [Flag.State.CONFIRMED, Flag.State.CORRECTED]
# A copy decided along with another image was not looked at on its own.
LOOKED_AT = Q(state__in=DECIDED, copied_from__isnull=True)
FOUND = Q(state=Flag.State.CONFIRMED)
OVERRIDDEN = Q(state=Flag.State.CORRECTED) | (FOUND & ~Q(verdict__risk=F("risk")))

# What `evidence.why` may hold, in words.
REASONS = {
    "no_licence": _("the merchant has no licence for the brand today"),
    "merchant_unknown": _("nobody knows who sells it"),
    "smear": _("the mark looks smeared or covered"),
    "knock_off": _("the mark looks like a knock-off's"),
    "price_absurd": _("the price is absurdly low for the brand"),
    "mark_seen": _("the detector sees a mark of the brand"),
    "look_only": _("the classifier knows the look; the detector sees no mark of the brand"),
    "name_in_title": _("the title names the brand"),
    "collage": _("a collage: the product is small in it"),
    "stack": _("stacked goods: the product is small in them"),
    "copy": _("a copy of a picture that was decided"),
}


@dataclass(frozen=True)
class Yield:
    """What looking at flags has brought: `found` risks and `overridden` proposals of `looks`."""

    looks: int
    found: int
    overridden: int
    brand: Brand | None = None

    @property
    def rate(self) -> Figure | None:
        """Share of the looks that found a risk."""
        return wilson(self.found, self.looks)

    @property
    def per_thousand(self) -> Figure | None:
        rate = self.rate
        if rate is None:
            return None
        return Figure(1000 * rate.value, 1000 * rate.low, 1000 * rate.high, rate.n)

    @property
    def override_rate(self) -> Figure | None:
        """Share of the proposals (brand and risk) that the person changed."""
        return wilson(self.overridden, self.looks)


def flags() -> QuerySet[Flag]:
    """Flags with all that the queue shows, worst first."""
    return Flag.objects.select_related(
        "image", "product__merchant", "brand", "verdict__brand", "decided_by", "copied_from"
    ).order_by("-severity", "pk")


def waiting() -> QuerySet[Flag]:
    """Open flags that nobody has looked at."""
    return flags().filter(state=Flag.State.OPEN, verdict__isnull=True)


def yields(*, since: datetime | None = None) -> tuple[Yield, list[Yield]]:
    """Risks found per look, over all and by brand (most looks first), of what was decided `since`
    then. One query."""
    recent = Q() if since is None else Q(decided_at__gte=since)
    found = (
        Flag.objects.filter(LOOKED_AT, recent)
        .values("brand", "brand__key", "brand__name_en")
        .annotate(
            looks=Count("pk"),
            found=Count("pk", filter=FOUND),
            overridden=Count("pk", filter=OVERRIDDEN),
        )
        .order_by("-looks", "brand")
    )
    rows = list(found)
    each = [
        Yield(
            row["looks"],
            row["found"],
            row["overridden"],
            Brand(pk=row["brand"], key=row["brand__key"], name_en=row["brand__name_en"]),
        )
        for row in rows
    ]
    total = Yield(
        sum(row.looks for row in each),
        sum(row.found for row in each),
        sum(row.overridden for row in each),
    )
    return total, each


def reasons(flag: Flag) -> list[Any]:
    """Why a flag was raised, in words."""
    return [REASONS[name] for name in flag.evidence.get("why", []) if name in REASONS]


def licence_of(flag: Flag) -> list[Licence]:
    """The licences, also former ones, of the flag's merchant for its brand."""
    merchant = flag.product.merchant if flag.product else None
    return licences(merchant=merchant, brands=[flag.brand])


def other_pictures(flag: Flag, *, limit: int = 12) -> list[Image]:
    if flag.product is None:
        return []
    return list(flag.product.images.exclude(pk=flag.image_id).order_by("pk")[:limit])


def decisions(*, images: Collection[Image]) -> dict[int, Consensus]:
    """What was decided of the brand in these pictures, by image id."""
    rows = Consensus.objects.filter(image__in=images, kind=Task.Kind.BRAND)
    return {row.image_id: row for row in rows.select_related("brand")}


@dataclass(frozen=True)
class CopyRow:
    """A copy as offered: the picture, what was changed, and why it cannot be given the verdict
    (`test`, `decided`), empty when it can."""

    image: Image
    change: str
    similarity: float
    refused: str
    verdict: Label | None


def copy_rows(*, images: Sequence[Image]) -> dict[int, list[CopyRow]]:
    """Known copies of these pictures, by image id. Two queries."""
    ids = {image.pk for image in images}
    pairs = list(
        ImageCopy.objects.filter(Q(image__in=ids) | Q(other__in=ids)).select_related(
            "image__product__merchant", "other__product__merchant"
        )
    )
    ends = {pk for pair in pairs for pk in (pair.image_id, pair.other_id)}
    verdicts = verdicts_on(image_ids=ends)
    found: dict[int, list[CopyRow]] = {}
    for pair in pairs:
        for own, other in ((pair.image, pair.other), (pair.other, pair.image)):
            if own.pk not in ids:
                continue
            verdict = verdicts.get(other.pk)
            refused = "test" if other.role == "test" else "decided" if verdict else ""
            row = CopyRow(other, pair.change, pair.similarity, refused, verdict)
            found.setdefault(own.pk, []).append(row)
    return found


def verdicts_on(*, image_ids: Collection[int]) -> dict[int, Label]:
    """The audit in force that settles each picture's brand, by image id."""
    audits = Label.objects.filter(
        image__in=image_ids,
        kind=Task.Kind.BRAND,
        source=Label.Source.AUDIT,
        superseded_by__isnull=True,
        retracted=False,
    ).exclude(answer="unsure")
    return {label.image_id: label for label in audits.select_related("brand", "by").order_by("pk")}
