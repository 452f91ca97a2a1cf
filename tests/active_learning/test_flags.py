"""Flags from a scan: which, how severe, and what a newer scan does to them."""

import json
import os
import time
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from active_learning import flags, scans
from active_learning.jobs import JobError
from active_learning.models import Scan
from annotation import review
from annotation.models import Brand, Flag, Image, ImageGroup, Label
from ml.scan import ATTACK_CHANCES, FOUND_BOX
from tests.active_learning.factories import ReleaseFactory, ScanFactory
from tests.annotation.review_rows import make_merchant, make_product
from tests.factories import BrandFactory, ImageFactory

TODAY = date(2026, 6, 30)
THRESHOLDS = {"classifier": {"*": 0.6, "globex": 0.3}, "detector": {"*": 0.5}}


@pytest.fixture
def brands(db) -> dict[str, Brand]:
    return {key: BrandFactory(key=key, name_en=key.title()) for key in ("acme", "globex")}


@pytest.fixture
def champion(brands):
    return ReleaseFactory(state="champion", thresholds=THRESHOLDS)


def scanned(release, folder: Path, rows: list[dict], *, manifest: str = "0") -> Scan:
    """A finished scan of (image, classifier brand, its score, boxes) rows in two shards."""
    shards = folder / manifest / "shards"
    shards.mkdir(parents=True)
    names = []
    for part in range(2):
        of_part = rows[part::2]
        attacks = [row.get("attacks") for row in of_part]
        told = {"classifier_attacks": pa.array(attacks, ATTACK_CHANCES)} if any(attacks) else {}
        if any("fusion" in row for row in rows):
            told["fusion_brands"] = [[row.get("brand", "acme")] for row in of_part]
            told["fusion_scores"] = [[row.get("fusion", 0.0)] for row in of_part]
        table = pa.table(
            told
            | {
                "sha256": [row["image"].sha256 for row in of_part],
                "group": [str(row["image"].group_id) for row in of_part],
                "classifier_brands": [[row.get("brand", "acme"), "other"] for row in of_part],
                "classifier_scores": pa.array(
                    [[row.get("score", 0.0), 0.0] for row in of_part], pa.list_(pa.float32())
                ),
                "detector_boxes": pa.array(
                    [row.get("boxes", []) for row in of_part], pa.list_(FOUND_BOX)
                ),
            }
        )
        names.append(f"part-{part:05d}.parquet")
        pq.write_table(table, shards / names[-1])
    (shards / "scan.json").write_text(json.dumps({"shards": names, "images": len(rows)}))
    return ScanFactory(
        release=release, state="succeeded", output=str(folder / manifest),
        manifest_sha256=manifest * 64,
    )  # fmt: skip


def box(brand: str, score: float) -> dict:
    return {"x1": 1, "y1": 2, "x2": 30, "y2": 40, "brand": brand, "score": score}


def sold(merchant=None, **product) -> Image:
    return ImageFactory(product=make_product(merchant or make_merchant(), **product))


def test_what_reaches_a_brands_threshold_is_flagged_with_its_evidence(champion, brands, tmp_path):
    seen, below, own, detected = sold(title="ACME shoe"), sold(), sold(), sold()
    scan = scanned(champion, tmp_path, [
        {"image": seen, "score": 0.9, "boxes": [box("acme", 0.7), box("globex", 0.1)]},
        {"image": below, "score": 0.59, "boxes": [box("acme", 0.4)]},
        {"image": own, "brand": "globex", "score": 0.35},
        {"image": detected, "score": 0.1, "boxes": [box("globex", 0.8)]},
    ])  # fmt: skip
    assert flags.raise_flags(scan=scan, on=TODAY)["raised"] == 3
    assert set(Flag.objects.values_list("image", "brand__key")) == {
        (seen.pk, "acme"), (own.pk, "globex"), (detected.pk, "globex"),
    }  # fmt: skip
    flag = Flag.objects.get(image=seen)
    assert flag.product == seen.product
    assert flag.evidence["scores"] == {
        "classifier": pytest.approx(0.9, abs=1e-4), "detector": pytest.approx(0.7, abs=1e-4),
    }  # fmt: skip
    assert flag.evidence["why"] == ["no_licence", "mark_seen", "name_in_title"]
    assert [b["brand"] for b in flag.evidence["boxes"]] == ["acme", "globex"]
    assert flag.release == str(champion)
    assert flag.risk == "infringement"


def test_licensed_products_are_counted_and_not_flagged(champion, brands, tmp_path):
    licensed = make_merchant(7, licensed_for=brands["acme"])
    elsewhere = make_merchant(8, licensed_for=brands["globex"])
    expired = make_merchant(9, licensed_for=brands["acme"])
    expired.qualifications.update(valid_to=date(2026, 6, 29))
    rows = [{"image": sold(m), "score": 0.9} for m in (licensed, elsewhere, expired)]
    counts = flags.raise_flags(scan=scanned(champion, tmp_path, rows), on=TODAY)
    assert (counts["raised"], counts["licensed"]) == (2, 1)
    assert not Flag.objects.filter(product__merchant=licensed).exists()


def test_an_absurd_price_proposes_counterfeit_and_comes_first(champion, brands, tmp_path):
    shop = make_merchant(7, licensed_for=brands["acme"])
    for price in (300, 310, 320, 330, 340):
        ImageFactory(
            product=make_product(shop, price=price), weak_brand=brands["acme"], weak_answer="brand"
        )
    cheap, fair = sold(price=20), sold(price=280)
    rows = [{"image": fair, "score": 0.9}, {"image": cheap, "score": 0.9}]
    flags.raise_flags(scan=scanned(champion, tmp_path, rows), on=TODAY)
    worst, other = Flag.objects.all()
    assert (worst.image, worst.risk, other.risk) == (cheap, "counterfeit", "infringement")
    assert worst.evidence["usual_price"] == 320
    assert worst.evidence["price_ratio"] == 0.0625
    assert "price_absurd" in worst.evidence["why"]


def test_a_smear_or_a_knock_off_that_the_classifier_tells_is_proposed(champion, brands, tmp_path):
    likely, doubtful, untold = sold(), sold(), sold()
    scan = scanned(champion, tmp_path, [
        {"image": likely, "score": 0.9, "attacks": {"smear": None, "knock_off": 0.8}},
        {"image": untold, "score": 0.9},
        {"image": doubtful, "score": 0.9, "attacks": {"smear": 0.3, "knock_off": 0.2}},
    ])  # fmt: skip
    flags.raise_flags(scan=scan, on=TODAY)
    found = {flag.image_id: flag for flag in Flag.objects.all()}
    assert found[likely.pk].risk == "knock_off"
    assert found[likely.pk].evidence["attacks"] == {"knock_off": 0.8}
    assert "knock_off" in found[likely.pk].evidence["why"]
    assert found[doubtful.pk].risk == "infringement"
    assert found[untold.pk].evidence["attacks"] == {}
    assert found[likely.pk].severity > found[doubtful.pk].severity


def test_severity_follows_its_formula():
    hit = flags.Hit("x", "acme", chances={"classifier": 0.5, "detector": 0.8})
    assert flags.severity(hit, "counterfeit", protected=False) == pytest.approx(0.9)
    assert flags.severity(hit, "infringement", protected=True) == pytest.approx(0.9 * 0.7 * 1.2)
    alone = flags.Hit("x", "acme", chances={"classifier": 0.8})
    assert flags.severity(alone, "counterfeit", protected=False) < 0.9


def test_again_brings_nothing_new(champion, tmp_path):
    scan = scanned(champion, tmp_path, [{"image": sold(), "score": 0.9} for _ in range(3)])
    flags.raise_flags(scan=scan, on=TODAY)
    before = list(Flag.objects.values())
    counts = flags.raise_flags(scan=scan, on=TODAY)
    assert counts == {"raised": 0, "renewed": 3, "withdrawn": 0, "licensed": 0}
    assert list(Flag.objects.values()) == before


def test_a_newer_release_withdraws_what_it_raises_no_more(champion, tmp_path, django_user_model):
    kept, dropped, unseen, decided = (sold() for _ in range(4))
    rows = [{"image": image, "score": 0.9} for image in (kept, dropped, unseen, decided)]
    flags.raise_flags(scan=scanned(champion, tmp_path, rows), on=TODAY)
    by = django_user_model.objects.create(username="reviewer")
    flag = Flag.objects.get(image=decided)
    review.decide(flag=flag, verdict=review.Verdict("unsure"), by=by)
    review.decide(flag=flag, verdict=review.Verdict("none"), by=by)
    Image.objects.filter(pk=decided.pk).update(split="pool")  # even if it were scanned again
    type(champion).objects.update(state="retired")
    newer = ReleaseFactory(state="champion", thresholds=THRESHOLDS)
    rows = [
        {"image": kept, "score": 0.7}, {"image": dropped, "score": 0.2},
        {"image": decided, "score": 0.99},
    ]  # fmt: skip
    counts = flags.raise_flags(scan=scanned(newer, tmp_path, rows, manifest="1"), on=TODAY)
    assert counts == {"raised": 0, "renewed": 1, "withdrawn": 1, "licensed": 0}
    states = dict(Flag.objects.values_list("image", "state"))
    assert states == {
        kept.pk: "open", dropped.pk: "withdrawn", unseen.pk: "open", decided.pk: "corrected",
    }  # fmt: skip
    assert Flag.objects.get(image=kept).release == str(newer)


def test_a_licence_that_came_since_withdraws_the_flag(champion, brands, tmp_path):
    image = sold()
    flags.raise_flags(scan=scanned(champion, tmp_path, [{"image": image, "score": 0.9}]), on=TODAY)
    make_merchant(1, licensed_for=brands["acme"])
    scan = scanned(champion, tmp_path, [{"image": image, "score": 0.9}], manifest="1")
    assert flags.raise_flags(scan=scan, on=TODAY)["withdrawn"] == 1


def test_images_that_left_the_pool_are_not_flagged(champion, tmp_path):
    image = sold()
    Label.objects.create(image=image, kind="brand", source="labeler", answer="none")
    Image.objects.filter(pk=image.pk).update(split="train")
    scan = scanned(champion, tmp_path, [{"image": image, "score": 0.9}])
    assert flags.raise_flags(scan=scan, on=TODAY)["raised"] == 0


def test_the_beat_takes_the_champions_newest_scan_once(champion, tmp_path):
    assert flags.raise_due() is None
    image = sold()
    candidate = ReleaseFactory(thresholds=THRESHOLDS)
    scanned(candidate, tmp_path, [{"image": image, "score": 0.9}], manifest="2")
    assert flags.raise_due() is None
    scan = scanned(champion, tmp_path, [{"image": image, "score": 0.9}])
    assert flags.raise_due()["raised"] == 1
    scan.refresh_from_db()
    assert scan.metrics["flags"]["raised"] == 1
    assert flags.raise_due() is None


def test_a_scan_without_results_raises_nothing(champion):
    with pytest.raises(JobError, match="no results"):
        flags.raise_flags(scan=ScanFactory(release=champion, state="failed"))


@pytest.mark.slow
def test_many_images_in_a_bounded_number_of_statements(champion, tmp_path):
    """With FLAGS_IMAGES=100000 the figures of docs/benchmarks.md, section Flags."""
    count = int(os.environ.get("FLAGS_IMAGES", "8000"))
    groups = ImageGroup.objects.bulk_create(ImageGroup(role="training") for _ in range(count))
    images = Image.objects.bulk_create(
        [
            Image(sha256=f"{i:064x}", file="x.jpg", width=9, height=9, phash=b"\0" * 32,
                  split="pool", source="test", group=group)
            for i, group in enumerate(groups)
        ],
        batch_size=5000,
    )  # fmt: skip
    scores = np.random.default_rng(0).uniform(0, 0.66, count)
    rows = [{"image": image, "score": s} for image, s in zip(images, scores, strict=True)]
    scan = scanned(champion, tmp_path, rows)
    start = time.monotonic()
    with CaptureQueriesContext(connection) as queries:
        counts = flags.raise_flags(scan=scan, on=TODAY)
    print(f"{counts} in {time.monotonic() - start:.1f} s, {len(queries)} statements")
    assert counts["raised"] == int((scores.astype(np.float32) >= 0.6).sum())
    assert len(queries) < 15 * (count / scans.BATCH)
