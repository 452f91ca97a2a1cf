"""Verdicts on flags: what they write, close and take back."""

import pytest
from django.contrib.auth.models import User

from annotation import review
from annotation.models import AuditEntry, Consensus, Flag, Label
from annotation.review import ReviewError, Verdict
from tests.annotation.review_rows import make_flag
from tests.factories import BrandFactory, ImageFactory


@pytest.fixture
def reviewer(db) -> User:
    return User.objects.create(username="reviewer")


def confirm(flag: Flag, by: User) -> Label:
    return review.decide(flag=flag, verdict=Verdict("brand", flag.brand, "counterfeit"), by=by)


def test_a_confirmed_flag_is_an_audit_label_that_training_reads(reviewer):
    flag = make_flag()
    label = confirm(flag, reviewer)
    flag.refresh_from_db()
    assert (flag.state, flag.verdict, flag.decided_by) == ("confirmed", label, reviewer)
    assert (label.source, label.brand, label.risk) == ("audit", flag.brand, "counterfeit")
    decided = Consensus.objects.get(image=flag.image, kind="brand")
    assert decided.trusted
    assert decided.brand == flag.brand
    flag.image.refresh_from_db()
    assert flag.image.split in ("train", "val")
    entry = AuditEntry.objects.get(action="verdict")
    assert entry.by == reviewer
    assert entry.after["risk"] == "counterfeit"


def test_an_audit_outweighs_what_labelers_say(reviewer):
    flag = make_flag()
    for _ in range(3):
        Label.objects.create(image=flag.image, kind="brand", source="labeler", answer="none")
    confirm(flag, reviewer)
    assert Consensus.objects.get(image=flag.image, kind="brand").answer == "brand"


@pytest.mark.parametrize("answer", ["none", "other"])
def test_no_brand_or_one_off_the_list_corrects_the_flag(reviewer, answer):
    flag = make_flag()
    review.decide(flag=flag, verdict=Verdict(answer), by=reviewer)
    flag.refresh_from_db()
    assert flag.state == "corrected"


def test_the_brand_without_a_risk_is_a_correction(reviewer):
    flag = make_flag()
    review.decide(flag=flag, verdict=Verdict("brand", flag.brand), by=reviewer)
    flag.refresh_from_db()
    assert flag.state == "corrected"
    assert flag.verdict.brand == flag.brand


def test_one_verdict_closes_all_flags_of_the_image(reviewer):
    flag = make_flag()
    other = make_flag(image=flag.image)
    confirm(flag, reviewer)
    other.refresh_from_db()
    assert other.state == "corrected"
    assert Label.objects.count() == 1


def test_unsure_leaves_the_flag_open_and_trusts_nothing(reviewer):
    flag = make_flag()
    review.decide(flag=flag, verdict=Verdict("unsure"), by=reviewer)
    flag.refresh_from_db()
    assert flag.state == "open"
    assert flag.verdict.answer == "unsure"
    flag.image.refresh_from_db()
    assert flag.image.split == "pool"
    confirm(flag, reviewer)
    flag.refresh_from_db()
    assert flag.state == "confirmed"


def test_what_another_reviewer_decided_meanwhile_stays(reviewer):
    flag = make_flag()
    confirm(flag, reviewer)
    late = User.objects.create(username="late")
    with pytest.raises(ReviewError, match="reviewer has decided this"):
        review.decide(flag=flag, verdict=Verdict("none"), by=late)
    assert Label.objects.count() == 1


def test_a_withdrawn_flag_takes_no_verdict(reviewer):
    with pytest.raises(ReviewError, match="withdrawn"):
        confirm(make_flag(state="withdrawn"), reviewer)
    assert not Label.objects.exists()


@pytest.mark.parametrize(
    "verdict",
    [Verdict("brand"), Verdict("none", risk="smear"), Verdict("nonsense"),
     Verdict("none", risk="nonsense")],
)  # fmt: skip
def test_a_verdict_without_sense_is_refused(reviewer, verdict):
    with pytest.raises(ReviewError):
        review.decide(flag=make_flag(), verdict=verdict, by=reviewer)
    assert not Label.objects.exists()


@pytest.mark.parametrize("split", ["closed", "open", "business"])
def test_test_material_is_never_judged_beside_the_models(reviewer, split):
    with pytest.raises(ReviewError, match="test material"):
        review.give_verdict(image=ImageFactory(split=split), verdict=Verdict("none"), by=reviewer)
    assert not Label.objects.exists()


def test_undo_supersedes_the_last_verdict_and_opens_the_flag(reviewer):
    flag = make_flag()
    first = confirm(make_flag(), reviewer)
    label = confirm(flag, reviewer)
    review.undo(by=reviewer)
    flag.refresh_from_db()
    assert (flag.state, flag.verdict, flag.decided_by) == ("open", None, None)
    label.refresh_from_db()
    assert label.superseded_by.retracted
    assert not Consensus.objects.filter(image=flag.image).exists()
    flag.image.refresh_from_db()
    assert flag.image.split == "pool"
    assert review.last_verdict(by=reviewer) == first


def test_undo_leaves_what_labelers_had_settled(reviewer):
    image = ImageFactory(split="train")
    brand = BrandFactory()
    Label.objects.create(image=image, kind="brand", source="labeler", answer="brand", brand=brand)
    flag = make_flag(image=image)
    review.decide(flag=flag, verdict=Verdict("none"), by=reviewer)
    review.undo(by=reviewer)
    image.refresh_from_db()
    assert image.split == "train"
    assert Consensus.objects.get(image=image).brand == brand


def test_nobody_takes_back_anothers_verdict(reviewer):
    confirm(make_flag(), reviewer)
    with pytest.raises(ReviewError, match="no verdict of yours"):
        review.undo(by=User.objects.create(username="other"))
    assert Flag.objects.get().state == "confirmed"
