"""The inbox of questions and the Labels page, as operations use them."""

import pytest
from django.urls import reverse

from annotation.labels import Content, record_label
from annotation.models import HeldLabel, Hold, Label, Question, ReturnedTask
from annotation.questions import answer_question
from annotation.returns import send_back
from tests.factories import BrandFactory, TaskFactory
from tests.question_rows import make_questions
from tests.webapp.conftest import _light, log_in, people  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db
QUERIES = 15


@pytest.fixture
def questions(people, settings, tmp_path):  # noqa: F811
    media = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": tmp_path / "media"},
    }
    settings.STORAGES = settings.STORAGES | {"default": media}
    return make_questions(people)


@pytest.fixture
def client(log_in):  # noqa: F811
    return log_in("operations")


def test_the_inbox_lists_the_open_ones_oldest_first(client, questions, people):  # noqa: F811
    answer_question(question=questions[1], by=people["operations"], reply="Look closer.")
    page = client.get(reverse("questions")).content.decode()
    first, third = page.index("Stripes without"), page.index("Is the sole theirs?")
    assert first < third
    assert "The mark is half covered" not in page
    answered = client.get(reverse("questions") + "?state=answered").content.decode()
    assert "Look closer." in answered
    assert "Stripes without" not in answered


def test_the_inbox_narrows_by_brand_and_asker(client, questions):
    for query, found in (("brand=northwind", True), ("brand=lumen", False),
                         ("asked_by=labeler", True)):  # fmt: skip
        page = client.get(f"{reverse('questions')}?state=open&{query}").content.decode()
        assert ("Stripes without" in page) is found, query


def test_an_empty_inbox_says_so(client, db):
    page = client.get(reverse("questions")).content.decode()
    assert "Nobody is waiting for an answer." in page


def test_a_question_stands_beside_all_that_helps(client, questions, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page = client.get(reverse("question", args=[questions[0].pk])).content.decode()
    for words in ("Stripes without", "Three <strong>slanted</strong> stripes", "second-labeler",
                  "Kestrel", "0.62", "No case is like this one yet"):  # fmt: skip
        assert words in page, words
    assert page.count("<rect") == 2  # a red box in each guideline's example
    assert reverse("question", args=[questions[1].pk]) in page  # the next


def test_the_inbox_takes_few_queries(client, questions, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        client.get(reverse("questions") + "?state=")


def test_answering_leads_to_the_next_and_at_the_end_to_the_inbox(client, questions):
    place = reverse("answer-question", args=[questions[0].pk])
    filled = {"verdict": "northwind", "reply": "The stripes are theirs."}
    response = client.post(place + "?asked_by=labeler", filled)
    assert response.url == reverse("question", args=[questions[1].pk]) + "?asked_by=labeler"
    questions[0].refresh_from_db()
    assert (questions[0].state, questions[0].brand.key) == ("answered", "northwind")
    for question in questions[1:]:
        response = client.post(reverse("answer-question", args=[question.pk]), {"reply": "No."})
    assert response.url == reverse("questions")


@pytest.mark.parametrize(
    ("filled", "said"),
    [
        ({"verdict": "@other", "brand": "no such", "reply": "kept words"}, "No brand is called"),
        ({"verdict": "nonsense", "reply": "kept words"}, "No brand is called"),
        ({"reply": "kept words", "as_gold": "on"}, "needs a verdict"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_typed_is_lost(client, questions, filled, said):
    response = client.post(reverse("answer-question", args=[questions[0].pk]), filled)
    page = response.content.decode()
    assert response.status_code == 400
    assert said in page
    assert "kept words" in page
    questions[0].refresh_from_db()
    assert questions[0].state == "open"


def test_another_brand_is_found_by_its_name_or_left_open(client, questions):
    place = [reverse("answer-question", args=[question.pk]) for question in questions]
    client.post(place[0], {"verdict": "@other", "brand": "lumen & co", "reply": "Theirs."})
    client.post(place[1], {"verdict": "@other", "brand": "", "reply": "Not on the list."})
    brands = Question.objects.order_by("asked_at").values_list("answer", "brand__key")
    assert list(brands)[:2] == [("brand", "lumen"), ("other", None)]


def test_somebody_elses_answer_meanwhile_is_told(client, questions, people):  # noqa: F811
    answer_question(question=questions[0], by=people["admin"], reply="Mine.")
    response = client.post(
        reverse("answer-question", args=[questions[0].pk]), {"reply": "Too late"}
    )
    assert response.status_code == 409
    assert "admin closed this question meanwhile" in response.content.decode()


def test_a_dismissal_needs_a_reason(client, questions):
    place = reverse("dismiss-question", args=[questions[0].pk])
    assert client.post(place, {"why": " "}).status_code == 400
    assert client.post(place, {"why": "A double."}).status_code == 302
    questions[0].refresh_from_db()
    assert questions[0].state == "dismissed"


def test_questions_of_arrangement_and_boxes_have_their_own_verdicts(client, people):  # noqa: F811
    variation = TaskFactory(kind="variation", state="pushed", remote_id=1)
    boxes = TaskFactory(kind="boxes", state="pushed", remote_id=2, focus_brand=BrandFactory())
    drawn = [{"x1": 1, "y1": 2, "x2": 30, "y2": 40, "brand": boxes.focus_brand.key}]
    asked = [
        record_label(
            image=task.image, kind=task.kind, source="labeler", by=people["labeler"], task=task,
            content=Content(question="So?", **said), remote_id=task.remote_id, remote_hash="a",
        ).asked
        for task, said in ((variation, {"variation": "none"}), (boxes, {"boxes": drawn}))
    ]  # fmt: skip
    for question, verdict in zip(asked, ("collage", "@as_drawn"), strict=True):
        place = reverse("answer-question", args=[question.pk])
        assert client.post(place, {"verdict": verdict, "reply": "So."}).status_code == 302
    audits = Label.objects.filter(source="audit").order_by("pk")
    assert [(label.variation, label.boxes) for label in audits] == [
        ("collage", None),
        ("", drawn),
    ]


def test_over_the_api_a_question_is_answered_once(client, questions):
    place = f"/api/questions/{questions[0].pk}/answer/"
    wrong = client.post(place, {"reply": "x", "variation": "stack"}, "application/json")
    assert wrong.status_code == 400
    said = {"reply": "Theirs.", "answer": "brand", "brand": "northwind"}
    answered = client.post(place, said, "application/json")
    assert answered.status_code == 200
    assert (answered.json()["state"], answered.json()["brand"]) == ("answered", "northwind")
    assert client.post(place, said, "application/json").status_code == 409
    assert client.get("/api/questions/?state=open").json()["count"] == 2
    returned = client.get("/api/returned-tasks/").json()["results"]
    assert [row["reason"] for row in returned] == ["question"]
    cancelled = client.post(
        f"/api/returned-tasks/{returned[0]['id']}/cancel/", {"why": "no"}, "application/json"
    )
    assert cancelled.json()["state"] == "cancelled"


def test_over_the_api_a_label_is_sent_back_once(client, people):  # noqa: F811
    sent = {"label": said(people["labeler"]).pk, "comment": "Mind the sole."}
    made = client.post("/api/returned-tasks/", sent, "application/json")
    assert made.status_code == 201
    assert (made.json()["to"], made.json()["reason"]) == ("labeler", "sent_back")
    assert client.post("/api/returned-tasks/", sent, "application/json").status_code == 409


def test_a_labeler_reaches_none_of_it(log_in, questions):  # noqa: F811
    client = log_in("labeler")
    pk = questions[0].pk
    for place in (reverse("questions"), reverse("question", args=[pk]), "/api/questions/",
                  f"/api/questions/{pk}/", "/api/returned-tasks/", reverse("labels")):  # fmt: skip
        assert client.get(place).status_code == 403, place
    for place in (reverse("answer-question", args=[pk]), reverse("dismiss-question", args=[pk]),
                  reverse("labels-send-back"), reverse("labels-release"),
                  f"/api/questions/{pk}/answer/", "/api/returned-tasks/"):  # fmt: skip
        assert client.post(place, {"reply": "x"}).status_code == 403, place
    assert log_in("ml_engineer").post(reverse("labels-send-back")).status_code == 403


# The Labels page.


def said(by, answer="none", *, image=None, brand=None, number=0):
    number = number or 500 + Label.objects.count()
    task = TaskFactory(state="pushed", remote_id=number, **({"image": image} if image else {}))
    return record_label(
        image=task.image, kind="brand", content=Content(answer=answer, brand=brand),
        source="labeler", by=by, task=task, remote_id=number, remote_hash="a",
    )  # fmt: skip


def order(client, query: str) -> list[int]:
    rows = client.get(f"{reverse('labels')}?{query}").context["rows"]
    return [row.label.pk for row in rows]


@pytest.fixture
def disputed(people):  # noqa: F811
    """A label all agree with, and one that two others contradict."""
    agreed = said(people["labeler"])
    image = agreed.image
    for fellow in ("operations", "admin"):
        record_label(image=image, kind="brand", content=Content(answer="none"),
                     source="labeler", by=people[fellow])  # fmt: skip
    lone = said(people["labeler"], "other")
    for fellow in ("operations", "admin"):
        record_label(image=lone.image, kind="brand", content=Content(answer="none"),
                     source="labeler", by=people[fellow])  # fmt: skip
    late = said(people["labeler"])
    return agreed, lone, late


def test_the_most_disputed_come_first_beside_what_was_decided(client, disputed):
    agreed, lone, _late = disputed
    found = order(client, "sort=-disagreement")
    assert found[0] == lone.pk
    assert found.index(lone.pk) < found.index(agreed.pk)
    assert order(client, "show=differs") == [lone.pk]
    page = client.get(reverse("labels") + "?show=differs").content.decode()
    assert "≠ no brand" in page
    assert "3 votes" in page


def test_chosen_labels_go_back_with_one_comment_and_what_cannot_is_said(
    client,
    disputed,
    people,  # noqa: F811
):
    agreed, lone, late = disputed
    send_back(label=late, by=people["operations"], comment="before")
    response = client.post(
        reverse("labels-send-back"),
        {"label": [agreed.pk, lone.pk, late.pk], "why": "Mind the sole.", "query": "kind=brand"},
        follow=True,
    )
    assert response.redirect_chain[0][0] == reverse("labels") + "?kind=brand"
    page = response.content.decode()
    assert "2 labels went back with your comment." in page
    assert "It went back already" in page
    assert ReturnedTask.objects.filter(comment="Mind the sole.").count() == 2
    assert sorted(order(client, "show=returned")) == sorted([agreed.pk, lone.pk, late.pk])


def test_nothing_chosen_or_no_comment_changes_nothing(client, disputed):
    for sent, told in (({"why": "x"}, "Choose something"), ({"label": disputed[0].pk}, "Say why")):
        page = client.post(reverse("labels-send-back"), sent, follow=True).content.decode()
        assert told in page
    assert not ReturnedTask.objects.exists()


def test_a_return_is_cancelled_from_the_list(client, disputed, people):  # noqa: F811
    returned = send_back(label=disputed[0], by=people["operations"], comment="look")
    client.post(reverse("return-cancel", args=[returned.pk]), {"why": "my mistake"})
    returned.refresh_from_db()
    assert returned.state == "cancelled"


def test_held_labels_are_found_and_released_with_their_hold(client, disputed, people):  # noqa: F811
    hold = Hold.objects.create(
        user=people["labeler"], kind="brand", reason="below the floor", accuracy=0.4, low=0.3,
        high=0.5, answers=40,
    )  # fmt: skip
    for label in disputed[:2]:
        HeldLabel.objects.create(label=label, hold=hold)
    assert sorted(order(client, "show=held")) == sorted(label.pk for label in disputed[:2])
    sent = {"label": disputed[0].pk, "why": "a misunderstanding", "keep": "on"}
    page = client.post(reverse("labels-release"), sent, follow=True).content.decode()
    assert "labeler is released: 2 labels count again." in page
    assert not order(client, "show=held")
    again = client.post(reverse("labels-release"), sent, follow=True).content.decode()
    assert "None of the chosen labels is held." in again


def test_the_labels_page_takes_few_queries_however_it_is_sorted(
    client,
    disputed,
    people,  # noqa: F811
    django_assert_max_num_queries,
):
    send_back(label=disputed[0], by=people["operations"], comment="look")
    for query in ("", "sort=-disagreement", "show=differs"):
        with django_assert_max_num_queries(QUERIES, info=query):
            client.get(f"{reverse('labels')}?{query}")
