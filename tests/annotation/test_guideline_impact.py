"""What publishing a guideline puts in doubt, and asking just those again."""

import re
import time

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.guideline_impact import impact_of, publish_with_impact
from annotation.guidelines import (
    Content,
    ExampleDraft,
    FeatureDraft,
    GuidelineError,
    begin_draft,
    draft_guideline,
    publish_guideline,
    save_draft,
)
from annotation.labels import Content as Answer
from annotation.labels import record_label
from annotation.models import Assignment, AuditEntry, Image, ImageGroup, Label, Task
from tests.factories import BrandFactory, ImageFactory, TaskFactory
from tests.webapp.conftest import _light  # noqa: F401
from webapp.roles import ensure_roles

pytestmark = pytest.mark.django_db

LOGO = FeatureDraft("logo", "three stripes on the side", True, [])
SHAPE = FeatureDraft("style", "a thick wavy sole", False, [])
REGION = {"x1": 1.0, "y1": 1.0, "x2": 9.0, "y2": 9.0}


@pytest.fixture
def operator():
    return User.objects.create_user("operator")


@pytest.fixture
def brand():
    return BrandFactory(key="stripes")


@pytest.fixture
def first(brand):
    draft = draft_guideline(
        brand=brand, rules="Look for stripes.", features=[LOGO, SHAPE], least_logo=20
    )
    return publish_guideline(version=draft, by=None)


def changed(brand, by, **changes):
    """The next version of what is published, with `changes`."""
    draft = begin_draft(brand=brand, by=by)
    said = {
        "rules": "Look for stripes.",
        "features": [LOGO, SHAPE],
        "least_logo": 20,
        "not_violations": "",
    } | changes
    return save_draft(version=draft, content=Content(**said), seen=draft.edited_at, by=by)


_remote = iter(range(1, 10**6))


def labelled(first, content, *, kind="brand", shown=True, proposal=None, **fields):
    number = next(_remote)
    task = TaskFactory(
        kind=kind,
        state="pushed",
        remote_id=number,
        guidelines_shown=[first.pk] if shown else [],
        proposal=proposal or {},
        focus_brand=first.brand if kind == "boxes" else None,
        **fields,
    )
    return record_label(
        image=task.image,
        kind=kind,
        content=content,
        source="labeler",
        by=User.objects.get_or_create(username=f"labeler-{number % 3}")[0],
        task=task,
        remote_id=number,
        remote_hash="a",
        seconds=10.0,
        guideline=first if shown else None,
    )


@pytest.fixture
def labels(first):
    """One label of each sort."""
    brand = first.brand
    other = BrandFactory()
    box = {"x1": 10, "y1": 10, "x2": 30, "y2": 25, "brand": brand.key}  # shorter side 15
    big = {"x1": 10, "y1": 10, "x2": 90, "y2": 90, "brand": brand.key}
    return {
        "yes": labelled(first, Answer(answer="brand", brand=brand)),
        "no": labelled(first, Answer(answer="none")),
        "off the list": labelled(first, Answer(answer="other")),
        "unsure": labelled(first, Answer(answer="unsure")),
        "another brand": labelled(first, Answer(answer="brand", brand=other)),
        "on a key": labelled(
            first, Answer(answer="none"), shown=False, proposal={"candidates": [brand.key]}
        ),
        "typed": labelled(first, Answer(answer="brand", brand=brand), shown=False),
        "elsewhere": labelled(first, Answer(answer="none"), shown=False),
        "small box": labelled(first, Answer(boxes=[box]), kind="boxes"),
        "big box": labelled(first, Answer(boxes=[big]), kind="boxes"),
        "no box": labelled(first, Answer(boxes=[]), kind="boxes", proposal={"boxes": [box]}),
    }


def doubted(version) -> int:
    return impact_of(version=version).doubted


def again(version, operator) -> set[tuple[int, str]]:
    publish_with_impact(version=version, by=operator, requeue=True)
    asked = Task.objects.filter(strategy="guideline_changed")
    assert set(asked.values_list("state", flat=True)) <= {"waiting"}
    return set(asked.values_list("image_id", "kind"))


def names(labels, *wanted) -> set[tuple[int, str]]:
    return {(labels[name].image_id, labels[name].kind) for name in wanted}


def test_labels_are_counted_by_the_version_they_were_made_under(brand, first, labels, operator):
    impact = impact_of(version=changed(brand, operator, rules="Look for two stripes."))
    assert impact.against == first
    assert impact.labels == 10  # but for the one that has nothing to do with the brand
    assert impact.under == [(1, 8), (None, 2)]
    assert impact.earlier == 8


@pytest.mark.parametrize(
    ("change", "in_doubt"),
    [
        ({"rules": "Two stripes."}, ["yes", "typed", "no", "off the list", "on a key"]),
        (
            {"not_violations": "Plain stripes."},
            ["yes", "typed", "no", "off the list", "on a key"],
        ),
        (
            {"features": [LOGO, SHAPE, FeatureDraft("pattern", "zebra", False, [])]},
            ["no", "off the list", "on a key"],
        ),
        (
            {"features": [LOGO, SHAPE, FeatureDraft("wordmark", "the name", False, [])]},
            ["no", "off the list", "on a key", "small box", "big box", "no box"],
        ),
        ({"features": [LOGO]}, ["yes", "typed"]),
        (
            {"features": [LOGO, FeatureDraft("style", "a thick wavy sole of rubber", False, [])]},
            ["yes", "typed", "no", "off the list", "on a key"],
        ),
        (
            {
                "features": [
                    FeatureDraft(
                        "logo",
                        LOGO.text,
                        True,
                        [ExampleDraft("guidelines/a.jpg", 10, 10, [REGION])],
                    ),
                    SHAPE,
                ]
            },
            ["small box", "big box", "no box"],
        ),
        ({"features": [SHAPE, LOGO]}, []),
        ({"change_note": "Nothing is new."}, []),
        ({}, []),
        ({"least_logo": 16}, []),
        ({"least_logo": 10}, ["small box", "no box"]),
        ({"least_logo": 21}, []),
    ],
)
def test_a_change_puts_just_those_labels_in_doubt_that_it_touches(
    first, labels, operator, change, in_doubt
):
    version = changed(first.brand, operator, **change)
    assert doubted(version) == len(in_doubt)
    assert again(version, operator) == names(labels, *in_doubt)


def test_a_raised_smallest_logo_doubts_answers_whose_logo_is_known_to_be_between(
    brand, first, operator
):
    box = {"x1": 0, "y1": 0, "x2": 60, "y2": 25, "brand": brand.key}
    small = labelled(first, Answer(answer="brand", brand=brand), proposal={"boxes": [box]})
    style = labelled(
        first, Answer(answer="brand", brand=brand, has_logo=False), proposal={"boxes": [box]}
    )
    drawn = labelled(first, Answer(answer="brand", brand=brand), proposal={"boxes": [box]})
    large = {**box, "y2": 60}
    record_label(image=drawn.image, kind="boxes", content=Answer(boxes=[large]), source="import")
    unknown = labelled(first, Answer(answer="brand", brand=brand))
    version = changed(brand, operator, least_logo=30)
    assert again(version, operator) == {(small.image_id, "brand")}
    assert {style.image_id, drawn.image_id, unknown.image_id}


def test_keeping_asks_nothing_again_and_writes_down_what_was_decided(
    brand, first, labels, operator
):
    version = changed(brand, operator, rules="Two stripes.")
    published = publish_with_impact(version=version, by=operator, requeue=False)
    assert published.state == "published"
    assert published.impact == {"labels": 10, "doubted": 5, "queued": 0}
    assert not Task.objects.filter(strategy="guideline_changed").exists()
    first.refresh_from_db()
    assert first.state == "retired"
    entry = AuditEntry.objects.get(action="impact")
    assert entry.by == operator and entry.after["doubted"] == 5


def test_labels_keep_the_version_they_were_made_under(brand, first, labels, operator):
    before = dict(Label.objects.values_list("pk", "guideline_id"))
    version = changed(brand, operator, rules="Two stripes.")
    published = publish_with_impact(version=version, by=operator, requeue=True)
    assert published.impact == {"labels": 10, "doubted": 5, "queued": 5}
    assert dict(Label.objects.values_list("pk", "guideline_id")) == before


def test_asking_again_makes_no_second_open_task_and_leaves_audits_alone(
    brand, first, labels, operator
):
    TaskFactory(image=labels["yes"].image, kind="brand", state="waiting")
    record_label(
        image=labels["no"].image, kind="brand", content=Answer(answer="none"), source="audit"
    )
    version = changed(brand, operator, rules="Two stripes.")
    impact = impact_of(version=version)
    assert (impact.doubted, impact.settled, impact.open) == (4, 1, 1)
    assert impact.asked == {"brand": 3}
    assert again(version, operator) == names(labels, "typed", "off the list", "on a key")


def test_gold_answers_are_never_in_doubt(brand, first, operator):
    labelled(first, Answer(answer="brand", brand=brand), is_gold=True)
    assert doubted(changed(brand, operator, rules="Two stripes.")) == 0


def test_the_cost_is_at_the_platforms_own_answers_an_item_and_time(brand, first, operator):
    for _ in range(3):
        label = labelled(first, Answer(answer="brand", brand=brand))
    for number in range(3):
        record_label(
            image=label.image, kind="brand", content=Answer(answer="brand", brand=brand),
            source="labeler", by=User.objects.create_user(f"more-{number}"), seconds=30.0,
        )  # fmt: skip
    impact = impact_of(version=changed(brand, operator, rules="Two stripes."))
    assert impact.tasks == 3
    assert impact.answers == 6  # two an item
    assert impact.hours == pytest.approx(6 * 20 / 3600)


def test_a_task_handed_out_with_the_old_version_is_withdrawn_and_put_anew(brand, first, operator):
    old = TaskFactory(
        state="pushed", remote_id=next(_remote), guidelines_shown=[first.pk], strategy="probe",
        blind=True, proposal={"candidates": [brand.key]},
    )  # fmt: skip
    held = TaskFactory(state="pushed", remote_id=next(_remote), guidelines_shown=[first.pk])
    Assignment.objects.create(
        task=held, to=operator, expires_at=timezone.now() + timezone.timedelta(minutes=5)
    )
    version = changed(brand, operator, rules="Two stripes.")
    assert impact_of(version=version).handed_out == 1
    publish_with_impact(version=version, by=operator, requeue=False)
    old.refresh_from_db()
    held.refresh_from_db()
    assert (old.state, held.state) == ("withdrawn", "pushed")
    anew = Task.objects.get(image=old.image, state="waiting")
    assert (anew.strategy, anew.blind, anew.proposal) == ("probe", True, old.proposal)


def test_a_version_edited_since_it_was_looked_at_is_not_published(brand, first, operator):
    version = changed(brand, operator, rules="Two stripes.")
    seen = version.edited_at
    save_draft(version=version, content=Content(rules="One."), seen=seen, by=operator)
    with pytest.raises(GuidelineError, match="edited meanwhile"):
        publish_with_impact(version=version, by=operator, requeue=True, seen=seen)
    version.refresh_from_db()
    assert version.state == "draft"


def test_the_first_guideline_puts_answers_given_without_one_in_doubt(brand, operator):
    TaskFactory()
    image = ImageFactory()
    record_label(
        image=image, kind="brand", content=Answer(answer="brand", brand=brand), source="labeler",
        by=operator,
    )  # fmt: skip
    draft = draft_guideline(brand=brand, rules="Look for stripes.", features=[LOGO])
    impact = impact_of(version=draft)
    assert impact.against is None and impact.under == [(None, 1)]
    assert again(draft, operator) == {(image.pk, "brand")}


@pytest.mark.slow
def test_thousands_of_labels_are_weighed_in_a_handful_of_queries(brand, first, operator):
    many(first, 4000)
    version = changed(brand, operator, rules="Two stripes.", features=[LOGO], least_logo=30)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as the server does by itself, once what is new is committed
    with CaptureQueriesContext(connection) as queries:
        start = time.perf_counter()
        impact = impact_of(version=version)
        seconds = time.perf_counter() - start
    assert impact.labels == 4000 and impact.doubted > 0
    assert len(queries) <= 15
    assert seconds < 2
    with CaptureQueriesContext(connection) as queries:
        publish_with_impact(version=version, by=operator, requeue=True)
    assert len(queries) < 90  # by the batch, not by the task
    assert Task.objects.filter(strategy="guideline_changed").count() == impact.tasks


def many(first, number):
    """Labels made under `first`: two in three are the brand."""
    ids = [group.pk for group in ImageGroup.objects.bulk_create(
        ImageGroup(role="training") for _ in range(number)
    )]  # fmt: skip
    images = Image.objects.bulk_create(_image(pk) for pk in ids)
    tasks = Task.objects.bulk_create(
        Task(
            image=image, kind="brand", strategy="uncertain", state="answered",
            remote_id=next(_remote), guidelines_shown=[first.pk], guideline=first,
            proposal={"candidates": [first.brand.key], "brand": first.brand.key},
        )
        for image in images
    )  # fmt: skip
    Label.objects.bulk_create(
        Label(
            image=task.image, kind="brand", task=task, source="labeler", guideline=first,
            answer="brand" if i % 3 else "none", brand=first.brand if i % 3 else None,
            seconds=5.0,
        )
        for i, task in enumerate(tasks)
    )  # fmt: skip


def _image(group_id):
    image = ImageFactory.build(group=None)
    image.group_id = group_id
    return image


def test_the_answer_to_a_task_that_asks_again_outweighs_what_was_in_doubt(
    brand, first, labels, operator
):
    image = labels["yes"].image
    for number in range(2):
        record_label(
            image=image, kind="brand", content=Answer(answer="brand", brand=brand),
            source="labeler", by=User.objects.create_user(f"agrees-{number}"),
        )  # fmt: skip
    assert image.consensus.get(kind="brand").brand == brand
    publish_with_impact(
        version=changed(brand, operator, rules="Two stripes."), by=operator, requeue=True
    )
    task = Task.objects.get(image=image, strategy="guideline_changed")
    Task.objects.filter(pk=task.pk).update(state="pushed", remote_id=next(_remote))
    record_label(
        image=image, kind="brand", content=Answer(answer="none"), source="labeler",
        by=User.objects.create_user("asked-again"), task=task, remote_id=next(_remote),
    )  # fmt: skip
    assert image.consensus.get(kind="brand").answer == "none"


@pytest.fixture
def client(operator):
    ensure_roles()
    operator.groups.add(Group.objects.get(name="operations"))
    client = Client()
    client.force_login(operator)
    return client


def test_the_page_explains_the_impact_and_publishes_by_choice(
    client, first, labels, operator, django_assert_max_num_queries
):
    version = changed(first.brand, operator, rules="Two <b>stripes</b>.")
    place = f"/guidelines/{version.pk}/publish/"
    client.get(place)
    with django_assert_max_num_queries(22):
        page = client.get(place)
    text = page.content.decode()
    assert "Queue just those 5 again" in text and "The rules" in text
    assert client.post(place, {"seen": version.edited_at.isoformat()}).status_code == 400
    said = {"choice": "queue", "seen": version.edited_at.isoformat(), "why": "two, not three"}
    done = client.post(place, said, follow=True)
    assert "5 tasks ask again" in done.content.decode()
    assert Task.objects.filter(strategy="guideline_changed").count() == 5
    assert AuditEntry.objects.get(action="publish", subject_id=version.pk).why == "two, not three"
    assert client.post(place, said).status_code == 409
    assert client.get(place).status_code == 200


def test_what_the_page_shows_as_seen_is_what_publishing_checks(client, brand, first, operator):
    version = changed(brand, operator, rules="Two stripes.")
    place = f"/guidelines/{version.pk}/publish/"
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', client.get(place).content.decode())
    save_draft(version=version, content=Content(rules="One."), seen=version.edited_at, by=operator)
    page = client.post(place, {"choice": "keep", "seen": seen})
    assert page.status_code == 400 and "edited meanwhile" in page.content.decode()
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', page.content.decode())
    assert client.post(place, {"choice": "keep", "seen": seen}).status_code == 302
