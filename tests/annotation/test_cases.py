"""The case library: what a case needs, how it is found, and where it goes."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection

from annotation import cases, contradictions, vectors
from annotation.cases import CaseError
from annotation.models import AuditEntry, Case, CaseConflict, GoldItem, GuidelineVersion
from annotation.selectors import cases as selectors
from tests.annotation.case_rows import direction, make_case, make_space
from tests.factories import BrandFactory, ImageFactory, ImageGroupFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(db) -> User:
    return User.objects.create(username="wen")


def test_a_case_keeps_what_was_decided_by_whom_and_is_audited(person):
    brand = BrandFactory(name_en="Northwind", name_zh="北风")
    guideline = GuidelineVersion.objects.create(brand=brand, number=3)
    case = make_case(
        verdict="brand", brand=brand, guideline=guideline, by=person, reason="  Three stripes. ",
        region={"x1": 1, "y1": 2, "x2": 30.04, "y2": 40},
    )  # fmt: skip
    case.refresh_from_db()
    assert (case.state, case.approved_by, case.reason) == ("active", person, "Three stripes.")
    assert case.region == {"x1": 1.0, "y1": 2.0, "x2": 30.0, "y2": 40.0}
    entry = AuditEntry.objects.get(subject_type="case")
    assert (entry.action, entry.by, entry.before) == ("create", person, None)
    assert entry.after["guideline"] == "Northwind v3"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 4001}, "longer"),
        ({"kind": "odd"}, "kind"),
        ({"verdict": "unsure"}, "verdict"),
        ({"verdict": "brand"}, "brand"),
        ({"region": {"x1": 5, "y1": 5, "x2": 5, "y2": 9}}, "within"),
        ({"region": {"x1": 0, "y1": 0, "x2": 97, "y2": 9}}, "within"),
        ({"region": {"x1": 0, "y1": 0, "x2": float("nan"), "y2": 9}}, "within"),
        ({"region": {"x1": 0, "y1": 0}}, "four numbers"),
    ],
)
def test_what_a_case_needs_is_said_in_one_line_and_nothing_is_written(said, words):
    with pytest.raises(CaseError, match=words):
        make_case(**said)
    assert not Case.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_guideline_of_another_brand_does_not_fit():
    guideline = GuidelineVersion.objects.create(brand=BrandFactory(), number=1)
    with pytest.raises(CaseError, match="guideline"):
        make_case(verdict="brand", brand=BrandFactory(), guideline=guideline)


def test_cases_are_found_by_words_in_both_languages_of_reason_brand_and_kind():
    brand = BrandFactory(name_en="Peak Outdoor", name_zh="巅峰户外", aliases=["PK-3"])
    stripes = make_case(brand=brand, kind="knock_off", reason="条纹相似,属于仿冒。Stripes alike.")
    common = make_case(reason="大众款式,不算侵权。Everybody makes it.")

    def found(text):
        return set(selectors.search(selectors.cases(), text))

    for text in (
        "条纹",
        "相似",
        "stripes",
        "STRIP",
        "巅峰",
        "peak",
        "pk-3",
        "knock-off",
        "仿冒 条纹",
    ):
        assert found(text) == {stripes}, text
    for text in ("大众款式", "侵权", "everybody mak", "款"):
        assert found(text) == {common}, text
    assert found("条纹 大众") == set()
    assert found("!? '") == {stripes, common}, "no word: nothing to narrow by"


def test_a_better_wording_is_searched_and_audited_and_the_verdict_stays(person):
    case = make_case(reason="Old words.")
    cases.edit_reason(case=case, reason="新的理由", by=person)
    assert list(selectors.search(selectors.cases(), "理由")) == [case]
    assert not selectors.search(selectors.cases(), "words").exists()
    entry = AuditEntry.objects.get(action="edit")
    assert (entry.before, entry.after) == ({"reason": "Old words."}, {"reason": "新的理由"})
    cases.edit_reason(case=case, reason="新的理由", by=person)
    assert AuditEntry.objects.filter(action="edit").count() == 1, "nothing changed, nothing noted"


def test_a_double_is_merged_an_old_one_superseded_and_both_say_where_they_went(person):
    double, old, kept = make_case(), make_case(), make_case()
    cases.merge_case(case=double, into=kept, by=person)
    cases.supersede_case(case=old, replacement=kept, by=person, why="clearer")
    double.refresh_from_db()
    old.refresh_from_db()
    assert (double.state, double.replaced_by) == ("merged", kept)
    assert (old.state, old.replaced_by) == ("superseded", kept)
    assert list(AuditEntry.objects.values_list("action", flat=True)[:2]) == ["supersede", "merge"]


def test_only_active_cases_move_and_never_into_themselves(person):
    gone, kept = make_case(), make_case()
    with pytest.raises(CaseError, match="Say why"):
        cases.retire_case(case=gone, by=person, why=" ")
    cases.retire_case(case=gone, by=person, why="the style is protected now")
    for move in (
        lambda: cases.retire_case(case=gone, by=person, why="again"),
        lambda: cases.merge_case(case=gone, into=kept, by=person),
        lambda: cases.merge_case(case=kept, into=gone, by=person),
        lambda: cases.supersede_case(case=kept, replacement=kept, by=person),
        lambda: cases.edit_reason(case=gone, reason="new", by=person),
    ):
        with pytest.raises(CaseError):
            move()
    kept.refresh_from_db()
    assert kept.state == "active"


@pytest.mark.django_db(transaction=True)
def test_two_people_who_merge_each_into_the_other_leave_one(person):
    first, second = make_case(), make_case()
    start, refused = threading.Barrier(2), []

    def merge(case, into):
        start.wait()
        try:
            cases.merge_case(case=case, into=into, by=person)
        except CaseError as error:
            refused.append(error)
        connection.close()

    threads = [
        threading.Thread(target=merge, args=pair) for pair in ((first, second), (second, first))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(refused) == 1
    assert sorted(Case.objects.values_list("state", flat=True)) == ["active", "merged"]


def test_a_new_case_is_found_by_its_image_at_once_when_that_has_a_vector():
    space, image, asked = make_space(), ImageFactory(), ImageFactory()
    vectors.store_vectors(
        space=space, embeddings={image.pk: direction(2), asked.pk: direction(2, 3, 0.1)}
    )
    case = make_case(image=image)
    assert [found for found, _similarity in selectors.nearest_cases(image=asked)] == [case]


def test_the_nearest_cases_are_active_of_other_groups_and_nearest_first():
    space, group = make_space(), ImageGroupFactory(role="training")
    asked = ImageFactory(group=group)
    own, near, far, retired = (
        make_case(image=ImageFactory(group=group)), make_case(), make_case(), make_case()
    )  # fmt: skip
    Case.objects.filter(pk=retired.pk).update(state="retired")
    embeddings = {
        asked.pk: direction(0), own.image_id: direction(0), near.image_id: direction(0, 1, 0.2),
        far.image_id: direction(0, 1, 0.9), retired.image_id: direction(0),
    }  # fmt: skip
    vectors.store_vectors(space=space, embeddings=embeddings)

    def found(**how):
        return [case for case, _similarity in selectors.nearest_cases(image=asked, **how)]

    assert found() == [near, far]
    assert found(limit=1) == [near]
    assert found(exclude_group=False) == [own, near, far]
    assert selectors.nearest_cases_of(image_ids=[asked.pk], limit=2) == {
        asked.pk: selectors.nearest_cases(image=asked, limit=2)
    }


def test_a_batch_of_tasks_costs_a_few_queries(django_assert_max_num_queries):
    space = make_space()
    asked = ImageFactory.create_batch(30)
    library = [make_case() for _ in range(5)]
    embeddings = {image.pk: direction(i % 7, 9, 0.1) for i, image in enumerate(asked)}
    embeddings |= {case.image_id: direction(i) for i, case in enumerate(library)}
    vectors.store_vectors(space=space, embeddings=embeddings)
    unknown = ImageFactory()
    with django_assert_max_num_queries(6):
        found = selectors.nearest_cases_of(image_ids=[*(i.pk for i in asked), unknown.pk])
        for near in found.values():
            assert [case.brand for case, _similarity in near] == [None] * 3
    assert found.keys() == {image.pk for image in asked}
    assert found[asked[2].pk][0][0] == library[2]


def test_without_vectors_there_is_nothing_near_and_nothing_fails():
    image = ImageFactory()
    make_case()
    assert selectors.nearest_cases(image=image) == []
    assert selectors.nearest_cases_of(image_ids=[image.pk]) == {}
    make_space()
    assert selectors.nearest_cases(image=image) == []
    assert selectors.nearest_cases_of(image_ids=[]) == {}


def test_labelers_are_never_shown_a_case_of_a_gold_item_in_the_library_or_in_a_task():
    space, asked, case = make_space(), ImageFactory(), make_case()
    vectors.store_vectors(
        space=space, embeddings={asked.pk: direction(1), case.image_id: direction(1)}
    )
    copy = ImageFactory(group=case.image.group)
    gold = GoldItem.objects.create(image=copy, kind="brand", answer="none")
    assert not selectors.readable_cases().exists()
    assert selectors.nearest_cases_of(image_ids=[asked.pk]) == {}
    assert selectors.nearest_cases(image=asked), "operations see it"
    GoldItem.objects.filter(pk=gold.pk).update(state="retired")
    assert selectors.readable_cases().get() == case
    assert selectors.nearest_cases_of(image_ids=[asked.pk])


def contradicting():
    return {
        frozenset((conflict.first_id, conflict.second_id)): conflict
        for conflict in selectors.contradictions()
    }


def test_contradictions_are_found_in_a_group_at_once_and_between_near_identical_images():
    space, brand, other = make_space(), BrandFactory(), BrandFactory()
    image = ImageFactory()
    none = make_case(image=image, brand=brand)
    is_brand = make_case(image=ImageFactory(group=image.group), verdict="brand", brand=brand)
    agreeing = make_case(image=image, brand=other)
    assert contradicting().keys() == {
        frozenset((none.pk, is_brand.pk)), frozenset((agreeing.pk, is_brand.pk))
    }  # fmt: skip
    twin = make_case(verdict="brand", brand=other)
    stranger = make_case(verdict="other")
    vectors.store_vectors(
        space=space,
        embeddings={
            image.pk: direction(0), is_brand.image_id: direction(0, 1, 0.05),
            twin.image_id: direction(0, 1, 0.1), stranger.image_id: direction(0, 1, 0.5),
        },
    )  # fmt: skip
    assert contradictions.compare_vectors(space=space, limit=3) == 3
    assert contradictions.compare_vectors(space=space) == 2
    assert contradictions.compare_vectors(space=space) == 0, "each is compared once"
    found = contradicting()
    assert {pair for pair in found if twin.pk in pair} == {
        frozenset((twin.pk, case.pk)) for case in (none, agreeing, is_brand)
    }
    assert not [pair for pair in found if stranger.pk in pair]
    assert found[frozenset((none.pk, is_brand.pk))].similarity > 0.99
    later = make_case(image=ImageFactory(), verdict="none")
    vectors.store_vectors(space=space, embeddings={later.image_id: direction(0)})
    contradictions.compare_vectors(space=space)
    assert frozenset((later.pk, twin.pk)) in contradicting(), "a later case meets the earlier ones"


def test_a_contradiction_is_settled_by_a_move_of_either_case_or_by_letting_both_stand(person):
    image, brand = ImageFactory(), BrandFactory()
    none = make_case(image=image)
    first, second = (make_case(image=image, verdict="brand", brand=brand) for _ in range(2))
    assert len(contradicting()) == 2
    cases.supersede_case(case=first, replacement=none, by=person)
    (conflict,) = contradicting().values()
    assert {conflict.first_id, conflict.second_id} == {none.pk, second.pk}
    with pytest.raises(CaseError):
        cases.let_both_stand(conflict=conflict, by=person, why="")
    cases.let_both_stand(conflict=conflict, by=person, why="two marks in one picture")
    assert not contradicting()
    assert AuditEntry.objects.filter(action="both_stand", by=person).count() == 1
    with pytest.raises(CaseError, match="meanwhile"):
        cases.let_both_stand(conflict=conflict, by=person, why="again")
    assert CaseConflict.objects.count() == 2
