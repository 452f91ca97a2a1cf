import pytest
from django.contrib.auth.models import User

from annotation import consensus
from annotation.labels import Content, import_labels, record_label
from annotation.models import AnnotatorSkill, Consensus, HeldLabel, Hold, Label
from annotation.quality.skills import fit_skills
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def brands():
    return [BrandFactory() for _ in range(5)]


def say(image, who, brand=None, *, task=None, kind="brand", **kwargs):
    user = User.objects.get_or_create(username=who)[0] if who else None
    content = {"answer": "brand" if brand else "none", "brand": brand} if kind == "brand" else {}
    shown = kwargs.pop("proposal_shown", False)
    return record_label(
        image=image, kind=kind, content=Content(**{**content, **kwargs}), source="labeler",
        by=user, task=task, proposal_shown=shown,
    )  # fmt: skip


def known(who: str, accuracy: float) -> None:
    user = User.objects.get_or_create(username=who)[0]
    other = (1 - accuracy) / 6
    AnnotatorSkill.objects.create(
        user=user, kind="brand", accuracy=accuracy, low=accuracy, high=accuracy, answers=500,
        confusion={"*": {"*": other}},
    )  # fmt: skip


def decided(image, kind="brand"):
    return Consensus.objects.get(image=image, kind=kind)


def test_one_good_labeler_outweighs_two_bad_ones(brands):
    known("good", 0.98), known("bad", 0.3), known("worse", 0.3)
    image = ImageFactory()
    say(image, "bad", brands[0])
    say(image, "worse", brands[0])
    say(image, "good", brands[1])
    row = decided(image)
    assert row.brand == brands[1]
    assert 0.8 < row.posterior < 1
    assert row.votes == 3
    assert row.agreement == pytest.approx(1 / 3)


def test_the_posterior_falls_with_contradiction_and_rises_with_agreement(brands):
    for who in ("a", "b"):
        known(who, 0.9)
    alone, agreed, split = ImageFactory(), ImageFactory(), ImageFactory()
    say(alone, "a", brands[0])
    say(agreed, "a", brands[0]), say(agreed, "b", brands[0])
    say(split, "a", brands[0]), say(split, "b", brands[1])
    assert decided(split).posterior < decided(alone).posterior < decided(agreed).posterior
    assert decided(agreed).posterior > 0.95
    assert not decided(split).trusted
    assert decided(alone).trusted  # nobody else is at work


def test_a_person_has_one_vote_the_last(brands):
    image = ImageFactory()
    first, second = (TaskFactory(image=image, state="answered") for _ in range(2))
    say(image, "a", brands[0], task=first)
    say(image, "a", brands[1], task=second)
    row = decided(image)
    assert (row.brand, row.votes) == (brands[1], 1)


def test_held_labels_and_gold_answers_do_not_count(brands):
    image = ImageFactory()
    gold = TaskFactory(image=image, is_gold=True, state="pushed", remote_id=5)
    say(image, "a", brands[0], task=gold)
    assert not Consensus.objects.exists()
    label = say(image, "b", brands[1])
    hold = Hold.objects.create(
        user=label.by, kind="brand", reason="x", accuracy=0.5, low=0.4, high=0.6, answers=1
    )
    HeldLabel.objects.create(label=label, hold=hold)
    consensus.refresh(image_ids=[image.pk], kind="brand")
    assert not Consensus.objects.exists()


def test_what_is_said_under_the_new_guideline_outweighs_what_was_said_before(brands):
    image = ImageFactory()
    for who in ("a", "b", "c"):
        say(image, who, brands[0])
    again = TaskFactory(image=image, strategy="guideline_changed", state="pushed", remote_id=1)
    say(image, "a", brands[1], task=again)
    row = decided(image)
    assert (row.brand, row.votes) == (brands[1], 1)


def proposed(brand, **kwargs):
    proposal = {"answer": "brand", "brand": brand.key, "score": 0.88, "candidates": [brand.key]}
    return TaskFactory(proposal=proposal, **{"strategy": "uncertain", **kwargs})


@pytest.mark.parametrize(
    ("shown_what", "counts"),
    [
        (("uncertain", "pool", False), True),
        (("uncertain", "pool", True), False),
        (("random_control", "pool", False), False),
        (("probe", "pool", False), False),
        (("uncertain", "closed", False), False),
    ],
)
def test_the_model_votes_beside_blind_answers_alone(brands, settings, shown_what, counts):
    strategy, split, shown = shown_what
    posterior = {}
    for votes in (False, True):
        settings.MODEL_VOTES = votes
        task = proposed(brands[0], strategy=strategy, image=ImageFactory(split=split))
        say(task.image, "a", brands[0], task=task, proposal_shown=shown)
        posterior[votes] = decided(task.image).posterior
    assert (posterior[True] > posterior[False] + 0.01) is counts
    if not counts:
        assert posterior[True] == pytest.approx(posterior[False])


def test_boxes_are_matched_and_averaged_and_their_disagreement_kept(brands):
    image, key = ImageFactory(), brands[0].key
    ours = {"x1": 10, "y1": 10, "x2": 50, "y2": 50, "brand": key}
    theirs = {"x1": 12, "y1": 10, "x2": 52, "y2": 50, "brand": key}
    far = {"x1": 70, "y1": 70, "x2": 90, "y2": 90, "brand": key}
    say(image, "a", kind="boxes", boxes=[ours])
    assert decided(image, "boxes").boxes == [ours]
    say(image, "b", kind="boxes", boxes=[theirs])
    row = decided(image, "boxes")
    assert row.boxes == [{"x1": 11.0, "y1": 10.0, "x2": 51.0, "y2": 50.0, "brand": key}]
    assert 0.8 < row.agreement < 1
    assert row.trusted
    apart = ImageFactory()
    say(apart, "a", kind="boxes", boxes=[ours])
    say(apart, "b", kind="boxes", boxes=[far])
    row = decided(apart, "boxes")
    assert row.agreement == 0
    assert not row.trusted


@pytest.mark.slow
def test_an_import_of_thousands_costs_a_few_queries(brands, django_assert_max_num_queries):
    group = ImageFactory().group
    images = type(ImageFactory()).objects.bulk_create(
        ImageFactory.build(group=group, sha256=f"i{i:063}") for i in range(1000)
    )
    items = [
        (image, "brand", Content(answer="brand", brand=brands[i % 5]))
        for i, image in enumerate(images)
    ]
    with django_assert_max_num_queries(2000):  # of them two an image that leaves the pool
        assert import_labels(items=items) == 1000
    assert Consensus.objects.filter(trusted=True).count() == 1000


def test_the_answer_is_the_quality_modules_own(brands):
    """The consensus is no second implementation: the same votes give the same skills."""
    from annotation import skills
    from annotation.voices import classes_of, vote_of

    for i in range(40):
        image = ImageFactory()
        for who in ("a", "b", "c"):
            wrong = who == "c" and i % 2
            say(image, who, brands[(i + 1) % 5] if wrong else brands[i % 5])
    assert skills.refit(kind="brand") == 3
    votes = [vote_of(label) for label in Label.objects.select_related("brand", "task")]
    expected = fit_skills(votes=votes, gold={}, classes=classes_of("brand"))
    for row in AnnotatorSkill.objects.filter(user__isnull=False):
        assert row.accuracy == pytest.approx(expected[str(row.user_id)].accuracy, abs=1e-6)
    stored = {row.user.username: row.accuracy for row in AnnotatorSkill.objects.exclude(user=None)}
    assert stored["c"] < 0.7 < stored["a"]
    assert AnnotatorSkill.objects.get(user=None).confusion["~prior"]
