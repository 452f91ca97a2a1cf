"""From a scan of the champion to what reviewers look at: images above the operating point of a
brand that their merchant has no licence for.

An image is flagged for the best brand of the fusion that reaches the release's threshold. Where
the release has no fusion (yet), for the best of the classifier, and for the best of the detector.
The four risks need more than a brand: a licence valid today
settles it (counted, not flagged); smear and knock-off are proposed where the classifier tells them
and thinks one likelier than not; a price absurdly below the brand's usual one proposes
counterfeit; everything else is proposed as infringement (`ml.risks`). Whether the detector saw a
mark is shown as evidence.

Severity, by which the queue is sorted:

    (1 − Π over the models that flag it of (1 − c)) × weight of the risk × 1.2 if protected,
    c = ½ + ½ (score − threshold) / (1 − threshold)

so a model just at its threshold counts one half, and two that agree more than either. A fusion has
weighed them already: with one, c is its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from django.db import transaction
from django.utils import timezone

from active_learning.jobs import JobError
from active_learning.models import JobState, ModelKind, Release, Scan
from active_learning.scans import batches
from active_learning.selection.pool import threshold_of
from annotation.locks import advisory_lock
from annotation.models import Brand, Flag, Image
from annotation.models.label import Risk
from annotation.prices import Usual, usual_prices
from annotation.selectors.products import licensed_pairs
from ml.risks import is_absurd, likely_attack, proposed_risk

BOXES = 5  # shown with a flag, the surest ones
WEIGHT = {Risk.COUNTERFEIT: 1.0, Risk.KNOCK_OFF: 0.8, Risk.SMEAR: 0.8, Risk.INFRINGEMENT: 0.7}
PROTECTED = 1.2
DECIDED = (Flag.State.CONFIRMED, Flag.State.CORRECTED)
LOCK = "flags"
FUSION = ModelKind.FUSION.value


@dataclass
class Hit:
    """A row of a scan above the threshold of a brand: the scores that reached it by model, and
    the chance of each, by `severity`'s formula; `attacks`: chances of what was done to the mark, of
    those kinds that the classifier tells."""

    sha256: str
    brand: str
    scores: dict[str, float] = field(default_factory=dict)
    chances: dict[str, float] = field(default_factory=dict)
    boxes: list[dict] = field(default_factory=list)
    variation: str = ""
    attacks: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ground:
    """What judging a hit takes, read once a scan."""

    release: str
    brands: Mapping[str, Brand]
    licences: frozenset[tuple[int, int]]
    usual: Mapping[tuple[int, str], Usual]


def due_scan() -> Scan | None:
    """The champion's newest finished scan of the pool, while its flags are not raised."""
    scan = Scan.objects.filter(
        release__state=Release.State.CHAMPION,
        state=JobState.SUCCEEDED,
        purpose=Scan.Purpose.POOL,
    ).first()
    return None if scan is None or "flags" in scan.metrics else scan


def raise_due() -> dict[str, int] | None:
    """Raise the flags of `due_scan`; None when there is nothing to do or somebody is at it."""
    with advisory_lock(LOCK) as free:
        scan = due_scan() if free else None
        return None if scan is None else raise_flags(scan=scan)


def raise_flags(*, scan: Scan, on: date | None = None) -> dict[str, int]:
    """Write the flags of a finished scan, renew those still open, withdraw the open ones of
    scanned images that it raises no more. Again: nothing new. What a person decided stays.

    Returns `{"raised", "renewed", "withdrawn", "licensed"}`, also kept in the scan's metrics.

    Raises:
        JobError: the scan has no results.
    """
    if scan.state != JobState.SUCCEEDED:
        raise JobError(f"{scan}: it has no results")
    on = on or timezone.localdate()
    ground = Ground(
        release=str(scan.release),
        brands={brand.key: brand for brand in Brand.objects.filter(key__in=scan.release.brands)},
        licences=licensed_pairs(on=on),
        usual=usual_prices(on=on),
    )
    counts = dict.fromkeys(("raised", "renewed", "withdrawn", "licensed"), 0)
    for table in batches(scan):
        found = deciding(hits(table, scan.release), scan.release)
        for name, count in _write(found, table, ground).items():
            counts[name] += count
    scan.metrics = scan.metrics | {"flags": counts}
    scan.save(update_fields=["metrics"])
    return counts


def hits(table: pa.Table, release: Release) -> list[Hit]:
    """What of the rows reaches an operating point."""
    shas = table["sha256"].to_pylist()
    found: dict[tuple[int, str], Hit] = {}
    for kind, best in (
        (FUSION, _best_brands(table, FUSION)),
        ("classifier", _best_brands(table, "classifier")),
        ("detector", _best_boxes(table)),
    ):
        for row, (brand, score) in best.items():
            threshold = threshold_of(release, kind, brand)
            if score < threshold or brand not in release.brands:
                continue
            hit = found.setdefault((row, brand), Hit(sha256=shas[row], brand=brand))
            hit.scores[kind] = round(score, 4)
            hit.chances[kind] = 0.5 + 0.5 * (score - threshold) / max(1 - threshold, 1e-9)
    if "detector_boxes" in table.column_names:
        for (row, _brand), hit in found.items():
            boxes = table["detector_boxes"][row].as_py() or []
            hit.boxes = sorted(boxes, key=lambda box: -box["score"])[:BOXES]
    if "classifier_attacks" in table.column_names:
        for (row, _brand), hit in found.items():
            told = table["classifier_attacks"][row].as_py()
            hit.attacks = {name: round(p, 4) for name, p in told.items() if p is not None}
    _note_variation(table, release, found)
    return list(found.values())


def deciding(found: Sequence[Hit], release: Release) -> list[Hit]:
    """The hits that are flags: with a fusion those that it agrees with."""
    return [hit for hit in found if release.fusion_id is None or FUSION in hit.scores]


def _best_brands(table: pa.Table, kind: str) -> dict[int, tuple[str, float]]:
    """A model's first brand of each row: its columns are sorted, best first."""
    if f"{kind}_brands" not in table.column_names:
        return {}
    keys, scores = table[f"{kind}_brands"].to_pylist(), table[f"{kind}_scores"].to_pylist()
    rows = zip(keys, scores, strict=True)
    best = ((row, max(zip(s, k, strict=True), default=None)) for row, (k, s) in enumerate(rows))
    return {row: (top[1], float(top[0])) for row, top in best if top is not None}


def _best_boxes(table: pa.Table) -> dict[int, tuple[str, float]]:
    """The detector's surest box of each row that has one."""
    if "detector_boxes" not in table.column_names:
        return {}
    column = table["detector_boxes"].combine_chunks()
    boxes = column.flatten()
    rows = column.value_parent_indices() if hasattr(column, "value_parent_indices") else None
    if rows is None or not len(boxes):
        return {}
    places = rows.to_numpy()
    brands, scores = boxes.field("brand"), boxes.field("score").to_numpy(zero_copy_only=False)
    order = np.lexsort((-scores, places))
    firsts = order[np.unique(places[order], return_index=True)[1]]
    return {int(places[i]): (brands[int(i)].as_py(), float(scores[i])) for i in firsts}


def _note_variation(table: pa.Table, release: Release, found: dict[tuple[int, str], Hit]) -> None:
    """Collages and stacks: the product is small in them, and the scores worth less."""
    if "variation" not in table.column_names:
        return
    threshold = threshold_of(release, "variation")
    for (row, _brand), hit in found.items():
        chances = table["variation"][row].as_py() or {}
        if chances and 1 - chances["none"] >= threshold:
            hit.variation = max(("collage", "stack"), key=lambda name: chances[name])


@transaction.atomic
def _write(found: Sequence[Hit], table: pa.Table, ground: Ground) -> dict[str, int]:
    """Flags of one batch, in a handful of statements."""
    shas = table["sha256"].to_pylist()
    flagged = {hit.sha256 for hit in found}
    scanned = dict(Image.objects.filter(sha256__in=shas).values_list("sha256", "pk"))
    images = {
        image.sha256: image
        for image in Image.objects.filter(sha256__in=flagged)
        .filter(split=Image.Split.POOL)
        .select_related("product__merchant")
    }
    known = {
        (flag.image_id, flag.brand_id): flag
        for flag in Flag.objects.filter(image__in=[image.pk for image in images.values()])
        .exclude(state=Flag.State.WITHDRAWN)
        .order_by("pk")
    }
    fresh, renewed, licensed = [], [], 0
    for hit in found:
        image, brand = images.get(hit.sha256), ground.brands.get(hit.brand)
        if image is None or brand is None:
            continue
        values = judge(hit, image, brand, ground)
        if values is None:
            licensed += 1
            continue
        old = known.get((image.pk, brand.pk))
        if old is None:
            fresh.append(Flag(image=image, product_id=image.product_id, brand=brand, **values))
        elif old.state == Flag.State.OPEN:
            for name, value in values.items():
                setattr(old, name, value)
            renewed.append(old)
    Flag.objects.bulk_create(fresh, batch_size=1000)
    is_open = Flag.objects.filter(state=Flag.State.OPEN)
    is_open.bulk_update(
        renewed, ["score", "risk", "severity", "evidence", "release"], batch_size=1000
    )
    kept = [flag.pk for flag in (*fresh, *renewed)]
    withdrawn = is_open.filter(image__in=scanned.values()).exclude(pk__in=kept)
    return {
        "raised": len(fresh),
        "renewed": len(renewed),
        "withdrawn": withdrawn.update(state=Flag.State.WITHDRAWN),
        "licensed": licensed,
    }


def judge(hit: Hit, image: Image, brand: Brand, ground: Ground) -> dict[str, Any] | None:
    """The fields of a hit's flag; None when the merchant may sell the brand today."""
    product = image.product
    merchant_id = product.merchant_id if product else None
    if merchant_id is not None and (merchant_id, brand.pk) in ground.licences:
        return None
    usual = ground.usual.get((brand.pk, product.category)) if product else None
    ratio = usual.ratio(product.price) if usual and product else None
    attack = likely_attack(hit.attacks)
    risk = proposed_risk(attack, ratio)
    price = product.price if product else None
    return {
        "score": hit.scores.get(FUSION, max(hit.scores.values())),
        "risk": risk,
        "severity": severity(hit, risk, protected=brand.protected),
        "release": ground.release,
        "evidence": {
            "scores": hit.scores,
            "attacks": hit.attacks,
            "boxes": hit.boxes,
            "licensed": None if merchant_id is None else False,
            "price": None if price is None else float(price),
            "usual_price": usual.price if usual else None,
            "price_ratio": None if ratio is None else round(ratio, 4),
            "why": reasons(hit, image, brand, attack, is_absurd(ratio)),
        },
    }


def severity(hit: Hit, risk: str, *, protected: bool) -> float:
    """The formula of this module's head; between 0.35 and 1.2."""
    chances = [hit.chances[FUSION]] if FUSION in hit.chances else hit.chances.values()
    chance = 1 - math.prod(1 - chance for chance in chances)
    return chance * WEIGHT[Risk(risk)] * (PROTECTED if protected else 1)


def reasons(hit: Hit, image: Image, brand: Brand, attack: str | None, absurd: bool) -> list[str]:
    """What speaks for the proposal, as the words of `annotation.selectors.review.REASONS`."""
    product = image.product
    said = ["no_licence" if product and product.merchant_id else "merchant_unknown"]
    if attack is not None:
        said.append(attack)
    if absurd:
        said.append("price_absurd")
    if any(box["brand"] == brand.key for box in hit.boxes):
        said.append("mark_seen")
    elif "classifier" in hit.scores:
        said.append("look_only")
    names = [brand.name_en, brand.name_zh, *brand.aliases]
    title = product.title.casefold() if product else ""
    if any(name and name.casefold() in title for name in names):
        said.append("name_in_title")
    if hit.variation:
        said.append(hit.variation)
    return said
