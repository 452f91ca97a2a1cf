"""The champion's fusion: when it is fitted, with which models it goes, and what it decides."""

import pytest

from active_learning import flags, fresh, fusing, fusions, promotion, settling, shadows, triggers
from active_learning.gates import reasons_in_words
from active_learning.promotion import PromotionError
from active_learning.scans import batches
from active_learning.shadows import InShadow
from ml.artifact import Artifact, identity, read_artifact, write_artifact
from tests.active_learning.factories import ModelVersionFactory, TrainingRunFactory
from tests.active_learning.test_flags import TODAY, box, scanned, sold
from tests.active_learning.test_promotion import evaluated, version
from tests.factories import BrandFactory, ImageFactory

__all__ = ["version"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def fused(tmp_path):
    """Make a fusion of model versions."""

    def make(number, *models):
        folder = tmp_path / f"fusion-{number}"
        folder.mkdir()
        (folder / "weights.safetensors").write_bytes(b"weights")
        joined = {one.kind: identity(read_artifact(one.artifact)) for one in models}
        artifact = Artifact(
            "fusion", ["acme", "globex", "none"], {}, "0" * 64, "0",
            calibration={"models": joined}, files={"weights.safetensors": ""},
        )  # fmt: skip
        write_artifact(artifact, folder)
        path = models[0].dataset.path
        return ModelVersionFactory(
            kind="fusion", number=number, artifact=str(folder), dataset__path=path
        )

    return make


def release_of(*models):
    given = dict.fromkeys(("classifier", "detector", "variation", "text", "fusion"))
    return promotion.create_release(**given | {one.kind: one for one in models})


@pytest.fixture
def champion(version):
    release = release_of(version("classifier", 1), version("detector", 1))
    evaluated(release, classifier=0.5, detector=0.5)
    return settling.settle(candidate=release)


@pytest.fixture
def whole(champion, fused):
    """The champion of the same models, with their fusion."""
    release = release_of(champion.classifier, champion.detector, fused(1, *joined(champion)))
    evaluated(release, classifier=0.5, detector=0.5, fusion=0.6)
    return settling.settle(candidate=release)


def joined(release):
    return fusions.joined(release)


def test_a_fusion_is_due_once_for_each_set_of_models(champion, version):
    assert fusing.due_release() is None  # there is no open set to fit it on
    ImageFactory(split="open")
    assert fusing.due_release() == champion
    assert [one.kind for one in triggers.plan_triggers() if one.due] == ["fusion"]
    TrainingRunFactory(kind="fusion", config=fusions.recipe(champion), state="failed")
    assert fusing.due_release() is None  # the same models would fail again
    other = release_of(champion.classifier, version("detector", 2))
    promotion.promote(release=other, by=None, why="")
    assert fusing.due_release() == other


def test_one_model_alone_is_not_joined(version):
    only = release_of(version("classifier", 1))
    promotion.promote(release=only, by=None, why="")
    assert fusing.due_release() is None


def test_a_fusion_is_promoted_with_the_models_it_was_fitted_on(whole, champion):
    assert whole.state == "champion"
    assert whole.fusion is not None
    assert joined(whole) == joined(champion)
    assert set(whole.gate) == {"classifier", "detector", "fusion"}
    assert [kind for kind, verdict in whole.gate.items() if verdict["passed"]] == ["fusion"]
    assert fusing.due_release() is None


def test_a_fusion_that_finds_less_than_its_classifier_alone_is_turned_down(champion, fused):
    worse = release_of(champion.classifier, champion.detector, fused(1, *joined(champion)))
    evaluated(worse, classifier=0.5, detector=0.3, fusion=0.4)
    live = settling.settle(candidate=worse)
    assert (live, worse.state) == (champion, "rejected")
    told = reasons_in_words(worse.gate["fusion"])
    assert told[:2] == [
        "held against the classifier alone, here called the champion",
        "not met: closed mean recall 0.400, the champion 0.500 (tolerance 0.01)",
    ]


def test_a_fusion_without_a_classifier_is_held_against_its_text_model(version, fused):
    first = release_of(version("detector", 1), version("text", 1))
    evaluated(first, detector=0.6, text=0.5)
    settling.settle(candidate=first)
    second = release_of(first.detector, first.text, fused(1, *joined(first)))
    evaluated(second, detector=0.6, text=0.5, fusion=0.55)
    assert settling.settle(candidate=second).fusion == second.fusion


def test_a_fusion_is_never_put_beside_models_it_was_not_fitted_on(champion, version, fused):
    other = version("detector", 2)
    with pytest.raises(PromotionError, match="fitted on other models"):
        release_of(champion.classifier, other, fused(1, *joined(champion)))


def test_a_better_model_is_promoted_without_the_fusion_of_the_old_one(whole, version):
    better = release_of(whole.classifier, version("detector", 2))
    evaluated(better, classifier=0.5, detector=0.6)
    live = settling.settle(candidate=better)
    assert (live, live.fusion) == (better, None)
    worse = release_of(version("classifier", 2), version("detector", 3))
    evaluated(worse, classifier=0.1, detector=0.7)
    mixed = settling.settle(candidate=worse)
    assert (mixed.classifier, mixed.detector) == (whole.classifier, worse.detector)
    assert mixed.fusion is None


def test_a_fusion_of_models_that_are_in_use_no_more_is_turned_down(champion, version, fused):
    late = release_of(champion.classifier, champion.detector, fused(1, *joined(champion)))
    newer = release_of(champion.classifier, version("detector", 2))
    evaluated(newer, classifier=0.5, detector=0.6)
    settling.settle(candidate=newer)
    evaluated(late, classifier=0.5, detector=0.5, fusion=0.9)
    assert settling.settle(candidate=late) == newer
    late.refresh_from_db()
    assert late.state == "rejected"
    assert "that the champion no longer has" in late.events.get().why


def test_with_a_fusion_its_word_alone_raises_flags(whole, tmp_path):
    for key in ("acme", "globex"):
        BrandFactory(key=key)
    whole.thresholds = {"classifier": {"*": 0.6}, "detector": {"*": 0.5}, "fusion": {"*": 0.5}}
    agreed, overruled = sold(), sold()
    scan = scanned(whole, tmp_path, [
        {"image": agreed, "score": 0.9, "boxes": [box("acme", 0.7)], "fusion": 0.75},
        {"image": overruled, "score": 0.9, "boxes": [box("acme", 0.7)], "fusion": 0.2},
    ])  # fmt: skip
    scan.release = whole
    day = fresh.Sides(scan)
    for table in batches(scan):
        fresh._add_days(day, table, dict.fromkeys(table["sha256"].to_pylist(), TODAY))
    assert day.days[TODAY].flagged.sum() == 1, "the budget is held against what is flagged"
    assert flags.raise_flags(scan=scan, on=TODAY)["raised"] == 1
    flag = agreed.flags.get()
    assert flag.score == 0.75
    assert set(flag.evidence["scores"]) == {"fusion", "classifier", "detector"}
    assert flag.severity == pytest.approx((0.5 + 0.5 * 0.25 / 0.5) * 0.7)


def test_a_fusion_goes_into_shadow_as_it_is_what_raises_flags(champion, fused, settings):
    settings.SHADOW_HOURS = 1
    release = release_of(champion.classifier, champion.detector, fused(1, *joined(champion)))
    release.thresholds = {"fusion": {"*": 0.5}}
    release.save()
    evaluated(release, classifier=0.5, detector=0.5, fusion=0.6)
    with pytest.raises(InShadow):
        settling.settle(candidate=release)
    assert shadows.of(release) is not None
