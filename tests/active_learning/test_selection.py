"""From a scan to tasks: what is asked, why, and what a labeler is shown."""

import numpy as np
import pyarrow as pa
import pytest

from active_learning.models import Release, Round
from active_learning.selection import choose
from annotation import vectors
from annotation.labels import Content, import_labels
from annotation.models import Brand, Image, ImageVector
from tests.active_learning.factories import ModelVersionFactory
from tests.factories import BrandFactory, ImageFactory

pytestmark = pytest.mark.django_db
CONFIG = {
    "budget": {"brand": 20, "boxes": 4, "variation": 10},
    "mix": {"random_control": 0.25, "probe": 0.25, "hard_negatives": 0.5},
    "focus": [],
}


def scanned(images):
    """Image i is scored for acme ever more highly; every third has a box of globex."""
    rows = []
    for i, image in enumerate(images):
        share = (i + 0.5) / len(images)
        found = [
            {"x1": 1, "y1": 1, "x2": 9, "y2": 9, "brand": "globex", "score": 0.05 * n}
            for n in range(1, 12)
        ]
        scores = {"acme": share * 0.9, "globex": 0.05}
        best = sorted(scores, key=scores.__getitem__, reverse=True)
        rows.append(
            {
                "sha256": image.sha256,
                "group": str(image.group_id),
                "classifier_brands": best,
                "classifier_scores": [scores[brand] for brand in best],
                "classifier_none": 0.95 - share * 0.9,
                "detector_boxes": found if i % 3 == 0 else [],
                "variation": {"none": share, "collage": 1 - share, "stack": 0.0},
                "variation_score": 1 - share,
            }
        )
    return pa.Table.from_pylist(rows)


@pytest.fixture
def images():
    for key in ("acme", "globex"):
        BrandFactory(key=key)
    return ImageFactory.create_batch(60, width=64, height=64)


@pytest.fixture
def asked(images):
    release = Release.objects.create(
        number=1,
        state="champion",
        brands=["acme", "globex"],
        classifier=ModelVersionFactory(),
        thresholds={"classifier": {"*": 0.5}, "variation": {"*": 0.5}},
    )
    round_ = Round.objects.create(number=1, seed=1, champion=release, config=CONFIG)

    def ask(*, table=None, **changes):
        round_.config = CONFIG | changes
        return choose(round_=round_, release=release, scanned=table or scanned(images))

    return ask


def test_each_kind_gets_its_budget_and_no_image_two_questions_of_a_kind(asked):
    chosen = asked()
    by_kind = {kind: [c for c in chosen if c.task.kind == kind] for kind in CONFIG["budget"]}
    assert {kind: len(found) for kind, found in by_kind.items()} == CONFIG["budget"]
    for found in by_kind.values():
        assert len({c.task.image_id for c in found}) == len(found)


def test_choosing_again_gives_the_same_tasks(asked):
    first, second = asked(), asked()
    assert [c.task.pk for c in first] == [c.task.pk for c in second]
    assert [c.task.blind for c in first] == [c.task.blind for c in second]


def test_random_draws_are_blind_and_carry_their_chance(asked):
    for choice in asked():
        if choice.strategy in ("random_control", "probe"):
            assert choice.task.blind
            assert 0 < choice.propensity <= 1
        else:
            assert choice.propensity is None


def test_probes_are_flagged_at_the_operating_threshold(asked):
    probes = [c for c in asked() if c.strategy == "probe"]
    assert probes
    assert all(c.task.proposal["score"] >= 0.5 and c.focus_brand.key == "acme" for c in probes)


def test_a_false_alarm_asks_for_its_brand_and_shows_its_best_box_alone(asked):
    alarms = [c for c in asked() if c.strategy == "detector_false_alarm"]
    assert len(alarms) == 4
    for choice in alarms:
        assert choice.task.focus_brand.key == "globex"
        assert [box["score"] for box in choice.task.proposal["boxes"]] == [pytest.approx(0.55)]


def test_small_logos_are_asked_before_false_alarms_and_none_twice(asked, images):
    large = images[::6]
    Image.objects.filter(pk__in=[image.pk for image in large]).update(width=400, height=400)
    chosen = [c for c in asked(budget={"boxes": 12}) if c.task.kind == "boxes"]
    small = [c for c in chosen if c.strategy == "small_logo"]
    # In the large pictures the same boxes cover less than a hundredth.
    assert {c.task.image_id for c in small} < {image.pk for image in large}
    assert len(small) == 3
    assert [c.strategy for c in chosen[3:]] == ["detector_false_alarm"] * 9
    assert len({c.task.image_id for c in chosen}) == 12


def test_a_task_shows_few_boxes_and_none_that_are_hardly_believed(asked):
    for choice in asked():
        scores = [box["score"] for box in choice.task.proposal["boxes"]]
        assert len(scores) <= 3
        assert all(score >= 0.1 for score in scores)


def test_where_classifier_and_detector_disagree_is_asked_first(asked):
    everything = asked(mix={"disagreement": 1.0}, budget={"brand": 60})
    chosen = [c for c in everything if c.strategy == "disagreement"]
    # The classifier's sure acmes without a box first: 0.89 against 0; a box of globex is 0.5 off.
    assert [c.focus_brand.key for c in chosen[:3]] == ["acme"] * 3
    assert chosen[0].score == pytest.approx(0.9 * 59.5 / 60)
    assert {c.focus_brand.key for c in chosen} == {"acme", "globex"}


def test_what_looks_like_a_rare_brands_trusted_images_is_asked(asked, images):
    looks = np.eye(60, 64, dtype=np.float16)
    looks[[7, 30]] = looks[11]
    known = ImageFactory(split="train")
    answer = Content(answer="brand", brand=Brand.objects.get(key="acme"))
    import_labels(items=[(known, "brand", answer)])
    space = vectors.open_space(model=Release.objects.get().classifier.artifact)
    vectors.store_vectors(space=space, embeddings={known.pk: looks[7].tolist()})
    column = pa.array(list(looks), pa.list_(pa.float16()))
    chosen = asked(
        table=scanned(images).append_column("embedding", column), mix={"neighbours": 0.1}
    )
    found = [images.index(c.task.image) for c in chosen if c.strategy == "neighbours"]
    # 7, 11 and 30 look like it and like each other: one of them is asked, the first.
    assert found[0] in (7, 11, 30)
    assert len({7, 11, 30} & {*found}) == 1


def test_weak_labels_that_are_probably_wrong_are_asked_before_the_pool(asked):
    """Three kinds of looks; of some images the source says another kind."""
    release = Release.objects.get()
    space = vectors.open_space(model=release.classifier.artifact)
    brands = list(Brand.objects.order_by("key"))
    rng = np.random.default_rng(0)
    doubtful = []
    for number in range(90):
        shown, told = number % 3, (number + 1) % 3 if number in {3, 10, 50} else number % 3
        image = ImageFactory(
            split="train", weak_answer="brand" if told < 2 else "none",
            weak_brand=brands[told] if told < 2 else None,
        )  # fmt: skip
        look = rng.normal(0, 0.2, 128)
        look[shown] += 1
        ImageVector.objects.create(image=image, space=space, vector=look / np.linalg.norm(look))
        doubtful += [image] if told != shown else []
    content = Content(answer="brand", brand=brands[0])
    import_labels(items=[(doubtful[0], "brand", content)])
    chosen = [
        c for c in asked(mix={"suspected_label": 0.5, "uncertain": 0.5}) if c.task.kind == "brand"
    ]
    suspects = [c for c in chosen if c.strategy == "suspected_label"]
    assert {c.task.image_id for c in suspects[:2]} == {image.pk for image in doubtful[1:]}
    assert doubtful[0].pk not in {c.task.image_id for c in suspects}, "somebody has looked at it"
    assert suspects[0].score > 0 and suspects[0].task.proposal["candidates"]
    assert len(chosen) == CONFIG["budget"]["brand"]
    assert {c.strategy for c in chosen} == {"suspected_label", "uncertain"}


def test_images_that_left_the_pool_since_the_scan_are_not_asked(asked, images):
    Image.objects.filter(pk__in=[image.pk for image in images[:40]]).update(split="train")
    left = {image.pk for image in images[40:]}
    chosen = asked()
    assert chosen
    assert {c.task.image_id for c in chosen} <= left


def test_without_a_classifier_only_the_other_models_questions_are_asked(asked, images):
    table = scanned(images).drop_columns(
        ["classifier_brands", "classifier_scores", "classifier_none"]
    )
    chosen = asked(table=table)
    assert {choice.task.kind for choice in chosen} == {"boxes", "variation"}
    assert all(choice.task.proposal["answer"] == "" for choice in chosen)


@pytest.mark.parametrize("strategy", ["typical", "neighbours"])
def test_what_looks_at_known_positives_can_be_asked_by_while_there_are_none(asked, strategy):
    chosen = asked(mix={strategy: 1.0}, budget={"brand": 20})
    assert len(chosen) == 20
