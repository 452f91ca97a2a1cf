"""A release is tried beside the champion on what comes in before it is promoted, and it never waits
for ever."""

import json
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.utils import timezone

from active_learning import (
    datasets,
    flags,
    fresh,
    promotion,
    round_steps,
    settling,
    shadow_ends,
    shadows,
)
from active_learning.gates import reasons_in_words
from active_learning.gates.shadow import fresh_flags
from active_learning.models import PromotionEvent, Release, Round, Scan, Selection, Shadow
from active_learning.promotion import GateNotPassed
from active_learning.sentences import in_words
from active_learning.shadow_figures import measure, only_flagged
from active_learning.shadows import InShadow, ShadowError
from annotation.models import AuditEntry, Flag, Image
from ml.scan import FOUND_BOX
from tests.active_learning.factories import ModelVersionFactory, ReleaseFactory, ScanFactory
from tests.active_learning.test_monitoring import pool
from tests.active_learning.test_promotion import (  # noqa: F401
    candidate,
    champion,
    engineer,
    version,
)
from tests.annotation.review_rows import make_flag
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db
THRESHOLDS = {"classifier": {"*": 0.6}, "detector": {"*": 0.5}}


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    settings.SHADOW_LEAST_IMAGES = 50


def age(release: Release, *, days: float = 2) -> Release:
    """Made so long ago, and measured."""
    made = timezone.now() - timedelta(days=days)
    Release.objects.filter(pk=release.pk).update(created_at=made, thresholds=THRESHOLDS)
    release.refresh_from_db()
    return release


@pytest.fixture
def new(champion, version):  # noqa: F811
    """A candidate that its gates pass, made two days ago."""
    Release.objects.filter(pk=champion.pk).update(thresholds=THRESHOLDS)
    return age(candidate(version, classifier=0.6, variation=0.6))


@pytest.fixture
def two_days(settings):
    settings.SHADOW_HOURS = 48


def write_scan(scan: Scan, images: list[Image], flagged: list[int], boxed: list[int] = ()) -> None:
    """Finish a scan: images by place are flagged by the classifier, or by the detector."""
    shards = Path(scan.output) / "shards"
    shards.mkdir(parents=True)
    box = {"x1": 1, "y1": 1, "x2": 9, "y2": 9, "brand": "acme"}
    table = pa.table(
        {
            "sha256": [image.sha256 for image in images],
            "group": [str(image.group_id) for image in images],
            "classifier_brands": [["acme", "globex"]] * len(images),
            "classifier_scores": pa.array(
                [[0.9 if i in flagged else i / 1000, 0.0] for i in range(len(images))],
                pa.list_(pa.float32()),
            ),
            "detector_boxes": pa.array(
                [[box | {"score": 0.8}] if i in boxed else [] for i in range(len(images))],
                pa.list_(FOUND_BOX),
            ),
        }
    )
    pq.write_table(table, shards / "part-00000.parquet")
    (shards / "scan.json").write_text(
        json.dumps({"shards": ["part-00000.parquet"], "images": len(images)})
    )
    Scan.objects.filter(pk=scan.pk).update(state="succeeded", finished_at=timezone.now())


def put_in_shadow(release: Release) -> Shadow:
    with pytest.raises(InShadow, match="in shadow until"):
        settling.settle(candidate=release)
    return Shadow.objects.get(release=release)


def end(shadow: Shadow) -> Shadow:
    """Its hours are over, and beat has come by."""
    Shadow.objects.filter(pk=shadow.pk).update(ends_at=timezone.now())
    shadow_ends.bring_to_an_end()
    shadow.refresh_from_db()
    return shadow


def settled(
    shadow: Shadow, images: list[Image], *, own: list[int], champions: list[int]
) -> Release:
    """After both scans: what became of the release."""
    write_scan(shadow.own_scan, images, own)
    write_scan(shadow.champions_scan, images, champions)
    shadow_ends.bring_to_an_end()
    return Release.objects.get(pk=shadow.release_id)


def test_without_the_setting_nothing_is_put_in_shadow(new):
    assert settling.settle(candidate=new) == new
    assert not Shadow.objects.exists()


def test_the_very_first_release_has_nobody_to_stand_beside(version, two_days):  # noqa: F811
    first = candidate(version, classifier=0.5, variation=0.5)
    assert settling.settle(candidate=first) == first


def test_what_passed_its_gates_waits_in_shadow(champion, new, two_days):  # noqa: F811
    shadow = put_in_shadow(new)
    assert put_in_shadow(new) == shadow, "once"
    assert shadow.ends_at - timezone.now() > timedelta(hours=47)
    new.refresh_from_db()
    assert (new.state, new.gate) == ("candidate", {})
    assert promotion.champion() == champion
    assert AuditEntry.objects.get(action="shadow_release").after == {"hours": 48}
    shadow_ends.bring_to_an_end()
    assert not Scan.objects.exists(), "its hours are not over"


def test_what_did_not_pass_its_gates_needs_no_shadow(champion, version, two_days):  # noqa: F811
    worse = age(candidate(version, classifier=0.1, variation=0.1))
    settling.settle(candidate=worse)
    assert worse.state == "rejected"
    assert not Shadow.objects.exists()


def test_a_round_does_not_wait_for_a_shadow(new, two_days):
    round_ = Round.objects.create(number=1, seed=1, candidate=new)
    result = round_steps.gate(round_)
    assert result["models"] == {}
    assert "in shadow until" in result["shadow"]


def test_both_scan_what_came_in_since_and_the_release_is_promoted_with_the_figures(
    champion,  # noqa: F811
    new,
    two_days,
):
    pool(30, days_ago=5)
    images = pool(100, days_ago=1)
    shadow = end(put_in_shadow(new))
    assert (shadow.champion, shadow.state) == (champion, "running")
    scans = list(Scan.objects.order_by("pk"))
    assert {scan.release for scan in scans} == {new, champion}
    assert {(scan.rows, scan.purpose) for scan in scans} == {(100, "fresh")}
    shadow_ends.bring_to_an_end()
    assert Scan.objects.count() == 2, "asked for once"
    live = settled(shadow, images, own=[0], champions=[0, 1])
    assert live.state == "champion"
    told = reasons_in_words(live.gate["classifier"])[-1]
    assert told.startswith("flag ratio 1.00% of 100 fresh images")
    assert "the champion 2.00%" in told
    assert live.gate["classifier"]["reasons"][-1]["gate"] == "shadow"
    assert all(reason["gate"] != "shadow" for reason in live.gate["variation"]["reasons"])
    shadow.refresh_from_db()
    assert (shadow.state, shadow.report["n"]) == ("done", 100)


def test_flags_over_the_budget_by_more_than_chance_hold_it_back(new, two_days, engineer):  # noqa: F811
    images = pool(100, days_ago=1)
    shadow = end(put_in_shadow(new))
    release = settled(shadow, images, own=list(range(20)), champions=[])
    mixed = promotion.champion()
    assert release.state == "rejected"
    assert mixed.variation == new.variation, "what flags nothing is promoted without it"
    assert mixed.classifier != new.classifier
    assert release.gate["classifier"]["passed"] is False
    assert "not met: flag ratio 20.00%" in reasons_in_words(release.gate["classifier"])[-1]
    with pytest.raises(GateNotPassed, match=r"flag ratio 20\.00%"):
        promotion.promote(release=release, by=engineer, why="I like it")
    promotion.promote(release=release, by=engineer, why="a sale is on", override=True)
    event = PromotionEvent.objects.get(release=release, action="promoted")
    assert [one["gate"] for one in event.overridden] == ["shadow"]


def test_with_too_few_fresh_images_it_is_settled_and_says_how_few(new, two_days):
    images = pool(3, days_ago=1)
    shadow = end(put_in_shadow(new))
    release = settled(shadow, images, own=[], champions=[])
    assert release.state == "rejected"
    told = reasons_in_words(release.gate["classifier"])[-1]
    assert "only 3 fresh images came in" in told
    assert "at least 50" in told


def test_with_no_fresh_image_at_all_it_is_settled_at_once(new, two_days):
    shadow = end(put_in_shadow(new))
    assert shadow.state == "done"
    assert not Scan.objects.exists()
    new.refresh_from_db()
    assert new.state == "rejected"
    assert "only 0 fresh images" in reasons_in_words(new.gate["classifier"])[-1]


def test_a_scan_that_failed_does_not_hold_it_for_ever(new, two_days):
    pool(60, days_ago=1)
    end(put_in_shadow(new))
    Scan.objects.update(state="failed", error="out of disk", finished_at=timezone.now())
    shadow_ends.bring_to_an_end()
    new.refresh_from_db()
    assert new.state == "rejected"
    assert "out of disk" in reasons_in_words(new.gate["classifier"])[-1]


def test_another_champion_meanwhile_is_compared_anew(new, version, two_days):  # noqa: F811
    images = pool(60, days_ago=1)
    shadow = end(put_in_shadow(new))
    write_scan(shadow.own_scan, images, [])
    write_scan(shadow.champions_scan, images, [])
    other = age(ReleaseFactory(classifier=version("classifier", 1_000), gate={}))
    Release.objects.filter(state="champion").update(state="retired")
    Release.objects.filter(pk=other.pk).update(state="champion")
    shadow_ends.bring_to_an_end()
    shadow.refresh_from_db()
    assert (shadow.champion, shadow.state) == (other, "running")
    assert shadow.champions_scan.release == other
    assert shadow.own_scan.state == "succeeded", "its own scan stands"


def test_a_person_puts_one_release_in_shadow_and_can_end_it_early(new, engineer):  # noqa: F811
    images = pool(60, days_ago=1)
    shadow = shadows.start(release=new, hours=24, by=engineer)
    assert shadow.requested_by == engineer
    put_in_shadow(new)
    with pytest.raises(ShadowError, match="put in shadow before"):
        shadows.start(release=new, hours=24, by=engineer)
    shadows.end_early(shadow=shadow, by=engineer)
    with pytest.raises(ShadowError, match="are over"):
        shadows.end_early(shadow=shadow, by=engineer)
    shadow_ends.bring_to_an_end()
    shadow.refresh_from_db()
    assert settled(shadow, images, own=[], champions=[0]).state == "champion"


def test_who_promotes_out_of_the_shadow_overrides_it(new, two_days, engineer):  # noqa: F811
    shadow = put_in_shadow(new)
    with pytest.raises(GateNotPassed, match="it is in shadow until"):
        promotion.promote(release=new, by=engineer, why="no time")
    promotion.promote(release=new, by=engineer, why="no time", override=True)
    assert [one["gate"] for one in new.events.get().overridden] == ["shadow"]
    shadow_ends.bring_to_an_end()
    shadow.refresh_from_db()
    assert shadow.state == "done"
    assert "promoted before" in shadow.report["error"]


def test_one_the_gates_turned_down_gets_its_figures_and_stays_down(champion, version):  # noqa: F811
    worse = age(candidate(version, classifier=0.1, variation=0.1))
    settling.settle(candidate=worse)
    age(worse)
    images = pool(60, days_ago=1)
    shadow = end(shadows.start(release=worse, hours=1))
    assert settled(shadow, images, own=list(range(30)), champions=[]).state == "rejected"
    shadow.refresh_from_db()
    assert shadow.report["verdict"]["met"] is False
    assert [one["gate"] for one in shadows.against(worse)] == ["recall", "recall", "shadow"]


def test_what_cannot_be_put_in_shadow_is_refused(champion, new):  # noqa: F811
    for hours in (0, 10_000):
        with pytest.raises(ShadowError, match="Hours in shadow"):
            shadows.start(release=new, hours=hours)
    with pytest.raises(ShadowError, match="Only a candidate"):
        shadows.start(release=champion, hours=1)
    with pytest.raises(ShadowError, match="no thresholds yet"):
        shadows.start(release=ReleaseFactory(), hours=1)
    flagless = ReleaseFactory(
        classifier=None, variation=ModelVersionFactory(kind="variation"), thresholds=THRESHOLDS
    )
    with pytest.raises(ShadowError, match="flags brands"):
        shadows.start(release=flagless, hours=1)


@pytest.fixture
def compared(champion):  # noqa: F811
    """A shadow over ten images of eight groups: the champion's classifier flags 0 and 1 and its
    detector 2; the challenger's classifier flags 1 and 3 and its detector 4."""
    Release.objects.filter(pk=champion.pk).update(thresholds=THRESHOLDS)
    images = pool(10, days_ago=1, groups=8)
    release = ReleaseFactory(
        thresholds=THRESHOLDS, detector=ModelVersionFactory(kind="detector"), state="candidate"
    )
    shadow = Shadow.objects.create(
        release=release,
        champion=champion,
        ends_at=timezone.now(),
        own_scan=ScanFactory(release=release, purpose="fresh", output=_folder("own")),
        champions_scan=ScanFactory(release=champion, purpose="fresh", output=_folder("theirs")),
    )
    write_scan(shadow.own_scan, images, [1, 3], boxed=[4])
    write_scan(shadow.champions_scan, images, [0, 1], boxed=[2])
    shadow = shadows.of(release)
    return shadow, [image.sha256 for image in images]


def _folder(name: str) -> str:
    from django.conf import settings

    return str(settings.DATA_DIR / name)


def test_figures_are_those_counted_by_hand(compared):
    shadow, _shas = compared
    found = measure(shadow=shadow, models=["classifier", "detector"])
    assert (found["n"], found["groups"]) == (10, 8)
    assert found["champion"]["value"] == 0.3  # images 0, 1, 2
    assert found["challenger"]["value"] == 0.3  # images 1, 3, 4
    assert found["agreement"]["value"] == 0.6  # all but 0, 2, 3, 4
    assert found["difference"]["difference"] == 0
    assert (found["difference"]["a_only"], found["difference"]["b_only"]) == (2, 2)
    assert found["only"] == {"challenger_only": 2, "champion_only": 2}
    assert found["drift"]["classifier"] == {"stability": None, "shift": None}, "too few to say"


def test_only_what_would_be_promoted_is_the_challengers(compared):
    shadow, shas = compared
    found = measure(shadow=shadow, models=["classifier"])
    # The champion's detector stays, with its flag on image 2.
    assert found["challenger"]["value"] == 0.3  # images 1, 2, 3
    assert found["only"] == {"challenger_only": 1, "champion_only": 1}
    shadow.report = found
    alone = {side: only_flagged(shadow=shadow, side=side) for side in found["only"]}
    assert alone["challenger_only"] == [
        {"sha256": shas[3], "brand": "acme", "score": pytest.approx(0.9)}
    ]
    assert [row["sha256"] for row in alone["champion_only"]] == [shas[0]]


def test_score_drift_is_measured_where_there_are_images_enough(new, two_days, settings):
    settings.MONITORING_LEAST_IMAGES = 50
    images = pool(60, days_ago=1)
    shadow = end(put_in_shadow(new))
    settled(shadow, images, own=list(range(30)), champions=[])
    shadow.refresh_from_db()
    drift = shadow.report["drift"]["classifier"]
    assert drift["shift"]["value"] == pytest.approx(0.5)
    assert drift["shift"]["n"] == 60


def test_fresh_are_images_that_came_into_the_pool_wherever_they_are_now():
    since, until = timezone.now() - timedelta(days=2), timezone.now()
    (old,) = pool(1, days_ago=3)
    still, asked = pool(2, days_ago=1)
    Selection.objects.create(
        round=Round.objects.create(number=1, seed=1), task=TaskFactory(image=asked),
        strategy="hard_negatives", score=1, rank=1,
    )  # fmt: skip
    flag = make_flag(brand=BrandFactory(key="acme"))
    Image.objects.filter(pk__in=[asked.pk, flag.image_id]).update(
        split="train", created_at=until - timedelta(hours=1)
    )
    ImageFactory(split="train")  # ingested as training material
    ImageFactory(split="open")
    found = set(datasets.fresh_images(since=since, until=until))
    assert found == {still, asked, flag.image}
    rows = datasets.fresh_manifest(since=since, until=until).table.to_pylist()
    assert {(row["split"], row["answer"]) for row in rows} == {("pool", "unlabelled")}
    assert old not in found


def test_a_scan_of_fresh_images_is_no_scan_of_the_pool(champion):  # noqa: F811
    ScanFactory(release=champion, state="succeeded", purpose="fresh")
    assert fresh.newest_scan() is None
    assert flags.due_scan() is None
    assert not Flag.objects.exists()
    whole = ScanFactory(release=champion, state="succeeded", manifest_sha256="1" * 64)
    ScanFactory(release=champion, state="succeeded", purpose="fresh", manifest_sha256="2" * 64)
    assert fresh.newest_scan() == flags.due_scan() == whole


def figures(flagged: float, low: float, groups: int = 400) -> dict:
    share = {"value": flagged, "low": low, "high": 2 * flagged, "n": groups}
    return {
        "n": groups, "groups": groups, "challenger": share, "champion": share,
        "difference": {"interval": [-0.01, 0.02]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("report", "passed", "words"),
    [
        (figures(0.01, 0.004), True, "flag ratio 1.00% of 400 fresh images"),
        (figures(0.02, 0.009), True, "at least 0.90%"),
        (figures(0.04, 0.025), False, "budget 1.00%"),
        (figures(0.0, 0.0, groups=49), False, "only 49 fresh images"),
        ({"n": 0, "groups": 0}, False, "only 0 fresh images"),
        ({"error": "out of disk"}, False, "could not be scanned: out of disk"),
    ],
)
def test_the_gate_says_what_it_let_through_and_why(report, passed, words):
    verdict = fresh_flags(report)
    assert verdict.passed is passed
    assert words in in_words(verdict.reason)
