"""A labeler's own page: what it shows, and what it must not."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.labels import Content, record_label
from annotation.models import (
    AnnotatorSkill,
    Hold,
    Label,
    LabelStudioProject,
    Question,
    ReturnedTask,
    Task,
)
from annotation.questions import answer_question
from annotation.returns import send_back
from annotation.selectors import my_work as selectors
from tests.demo_rows import make_people
from tests.factories import BrandFactory, TaskFactory

pytestmark = pytest.mark.django_db
QUERIES = 15


@pytest.fixture(autouse=True)
def _light(settings):
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def people() -> dict[str, User]:
    return make_people()


@pytest.fixture
def labeler(people) -> User:
    return people["labeler"]


@pytest.fixture
def page(labeler):
    def opened(name: str = "my-work", part: str = "") -> str:
        client = Client()
        client.force_login(labeler)
        headers = {"HX-Request": "true", "HX-Target": part} if part else {}
        response = client.get(reverse(name), headers=headers)
        assert response.status_code == 200
        return response.content.decode()

    return opened


@pytest.fixture
def projects():
    for number, kind in enumerate(("brand", "boxes", "variation")):
        LabelStudioProject.objects.create(kind=kind, remote_id=40 + number, config_hash="x")


def answer(by, *, answer="none", brand=None, text="", number=0, **task):
    number = number or 1000 + Label.objects.count()
    made = TaskFactory(state="pushed", remote_id=number, **task)
    return record_label(
        image=made.image,
        kind=made.kind,
        content=Content(answer=answer, brand=brand, question=text),
        source="labeler",
        by=by,
        task=made,
        remote_id=number,
        remote_hash="a",
    )


def test_work_starts_at_the_gateway_with_what_waits(page, projects):
    TaskFactory(state="pushed", remote_id=1)
    TaskFactory(state="waiting")
    assert f"{settings.GATEWAY_URL}/projects/40/data?labeling=1" in page()
    text = page(part="start")
    assert "<html" not in text
    assert "1 waiting" in text
    assert settings.LABEL_STUDIO_URL not in text


def test_a_returned_task_shows_its_comment_and_opens_by_itself(page, labeler, people):
    returned = send_back(label=answer(labeler), by=people["operations"], comment="Mind the sole.")
    assert "Mind the sole." in page()
    assert "opens in a moment" in page()
    Task.objects.filter(pk=returned.task_id).update(state="pushed", remote_id=5)
    assert f"{settings.GATEWAY_URL}/tasks/{returned.task_id}/" in page()
    ReturnedTask.objects.update(state="done")
    assert "Mind the sole." not in page()


def test_answers_to_ones_questions_are_unread_until_one_says_so(page, labeler, people):
    question = answer(labeler, answer="unsure", text="Is it one?").asked
    assert "1 question of yours waits" in page()
    answer_question(question=question, by=people["operations"], reply="It is a mass style.")
    assert 'class="unread"' in page()
    client = Client()
    client.force_login(people["operations"])
    client.post(reverse("questions-seen"), {"question": question.pk})
    assert 'class="unread"' in page()  # nobody reads it for them
    client.force_login(labeler)
    client.post(reverse("questions-seen"), {"question": question.pk})
    text = page()
    assert 'class="unread"' not in text
    assert "It is a mass style." in text


def test_unread_answers_come_first_and_taken_back_ones_not_at_all(labeler, people):
    first, second, third = (
        answer(labeler, answer="unsure", text=f"Question {n}").asked for n in range(3)
    )
    for question in (first, second):
        answer_question(question=question, by=people["operations"], reply="No.")
    Question.objects.filter(pk=second.pk).update(seen_at=timezone.now())
    Question.objects.filter(pk=third.pk).update(state="dismissed", answered_at=timezone.now())
    assert selectors.answered_questions(user=labeler) == [first, second]


def test_accuracy_is_shown_with_its_interval_once_enough_is_known(page, labeler):
    assert "not enough answers yet" in page()
    skill = AnnotatorSkill.objects.create(
        user=labeler, kind="brand", accuracy=0.91, low=0.84, high=0.95, answers=7
    )
    assert "not enough answers yet: 7 of 20" in page()
    assert "91%" not in page()
    AnnotatorSkill.objects.filter(pk=skill.pk).update(answers=80)
    assert "91%" in page()
    assert "between 84% and 95%, from 80 answers" in page()


def test_progress_counts_days_and_agreement_with_others(labeler, people):
    brand, other = BrandFactory(), BrandFactory()
    for number in range(30):
        label = answer(labeler, answer="brand", brand=brand)
        said = other if number < 6 else brand
        for fellow in (people["operations"], people["admin"]):
            record_label(
                image=label.image, kind="brand", content=Content(answer="brand", brand=said),
                source="labeler", by=fellow,
            )  # fmt: skip
    progress = selectors.progress(user=labeler)
    assert (progress.today, progress.week, progress.total) == (30, 30, 30)
    assert progress.days[-1] == (f"{timezone.localdate():%m-%d}", 30)
    assert len(progress.days) == selectors.DAYS
    assert (progress.compared, progress.agreed) == (30, 24)
    assert progress.agreement == 0.8


def test_few_comparisons_say_nothing(labeler):
    answer(labeler)
    assert selectors.progress(user=labeler).agreement is None


def test_somebody_held_is_told_kindly_and_starts_nothing_of_that_kind(page, labeler, projects):
    Hold.objects.create(
        user=labeler, kind="brand", reason="accuracy 0.41", accuracy=0.41, low=0.3, high=0.5,
        answers=50,
    )  # fmt: skip
    text = page()
    assert "paused for now" in text
    assert "0.41" not in text
    assert "/projects/40/" not in text
    assert "/projects/41/" in text


def test_nothing_tells_gold_strategies_the_model_or_other_people(page, labeler, people):
    answer(labeler, strategy="hard_negatives", is_gold=True,
           proposal={"answer": "brand", "brand": "x", "score": 0.7})  # fmt: skip
    other = User.objects.create_user("somebody-else")
    record_label(
        image=Label.objects.get().image, kind="brand", content=Content(answer="other"),
        source="labeler", by=other,
    )  # fmt: skip
    question = answer(labeler, answer="unsure", text="Is it?").asked
    answer_question(question=question, by=people["operations"], reply="Yes.")
    for name in ("my-work", "my-labels"):
        text = page(name)
        for secret in ("gold", "hard", "0.70", "score", "somebody-else", "operations</"):
            assert secret not in text, (name, secret)


def test_the_page_takes_few_queries_however_much_there_is(
    labeler, people, projects, django_assert_max_num_queries
):
    client = Client()
    client.force_login(labeler)
    for _ in range(5):
        label = answer(labeler, answer="unsure", text="Is it?")
        answer_question(question=label.asked, by=people["operations"], reply="Yes.")
        send_back(label=answer(labeler), by=people["operations"], comment="again")
    with django_assert_max_num_queries(QUERIES):
        client.get(reverse("my-work"))
    with django_assert_max_num_queries(QUERIES):
        client.get(reverse("my-labels"))
