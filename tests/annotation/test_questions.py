"""Labelers' questions: asked inside a task, answered once, with all that follows from it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from annotation.labels import Content, record_label, retract_label
from annotation.models import AuditEntry, Label, Question, ReturnedTask, Task
from annotation.questions import (
    QuestionError,
    answer_question,
    dismiss_question,
    mark_seen,
    open_question,
)
from annotation.selectors import questions as selectors
from tests.factories import BrandFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def chief():
    return User.objects.create_user("chief")


@pytest.fixture
def labeler():
    return User.objects.create_user("labeler")


@pytest.fixture
def task():
    return TaskFactory(state="pushed", remote_id=1, focus_brand=BrandFactory(key="north"))


def say(task, by, text="", *, answer="unsure", remote_id=10, remote_hash="a", **content):
    return record_label(
        image=task.image,
        kind=task.kind,
        content=Content(answer=answer, question=text, **content),
        source="labeler",
        by=by,
        task=task,
        remote_id=remote_id,
        remote_hash=remote_hash,
    )


@pytest.fixture
def question(task, labeler):
    return say(task, labeler, "Is this a mass style?").asked


def test_a_doubt_with_words_is_asked_once(task, labeler):
    label = say(task, labeler, "Is this a mass style?")
    asked = Question.objects.get()
    assert (asked.label, asked.task, asked.asked_by) == (label, task, labeler)
    assert (asked.text, asked.state) == ("Is this a mass style?", "open")
    assert open_question(label=label) == asked
    assert Question.objects.count() == 1


def test_an_unsure_without_words_and_an_answer_without_doubt_ask_nothing(task, labeler):
    say(task, labeler)
    say(TaskFactory(state="pushed", remote_id=2), labeler, "  ", answer="none", remote_id=11)
    assert not Question.objects.exists()


def test_a_revised_answer_takes_its_question_along(task, labeler):
    say(task, labeler, "Is this a mass style?")
    revised = say(task, labeler, "Or a knock-off?", answer="none", remote_hash="b")
    asked = Question.objects.get()
    assert (asked.label, asked.text, asked.state) == (revised, "Or a knock-off?", "open")


def test_a_question_struck_out_or_deleted_is_taken_back(task, labeler):
    say(task, labeler, "Is this a mass style?")
    say(task, labeler, answer="none", remote_hash="b")
    assert Question.objects.get().state == "dismissed"
    say(task, labeler, "Now I wonder again", remote_hash="c")
    retract_label(remote_id=10)
    assert {row.state for row in Question.objects.all()} == {"dismissed"}
    assert Question.objects.count() == 2


def test_an_answer_is_a_verdict_a_returned_task_and_a_line_in_the_log(question, chief, labeler):
    brand = BrandFactory(name_en="Northwind", name_zh="北风")
    answered = answer_question(
        question=question,
        by=chief,
        reply=" The stripes are theirs. ",
        content=Content(answer="brand", brand=brand),
    )
    assert (answered.state, answered.answered_by, answered.brand) == ("answered", chief, brand)
    assert answered.reply == "The stripes are theirs."
    assert answered.answered_at > answered.asked_at
    audit = Label.objects.get(source="audit")
    assert (audit.brand, audit.by, audit.task) == (brand, chief, None)
    assert question.task.image.consensus.get().brand == brand
    returned = ReturnedTask.objects.get(question=question)
    assert (returned.to, returned.reason, returned.task.only_for) == (labeler, "question", labeler)
    for words in ("Is this a mass style?", "Northwind 北风", "The stripes are theirs."):
        assert words in returned.task.note
    entry = AuditEntry.objects.get(action="answer")
    assert (entry.by, entry.after["verdict"]) == (chief, "Northwind 北风")


def test_a_reply_without_a_verdict_leaves_the_consensus_alone(question, chief):
    answer_question(question=question, by=chief, reply="Zoom in first.")
    assert not Label.objects.filter(source="audit").exists()
    assert ReturnedTask.objects.get().comment.endswith("Zoom in first.")


def test_answering_again_the_asker_replaces_their_doubt(question, chief, labeler):
    answer_question(question=question, by=chief, reply="No mark.", content=Content(answer="none"))
    again = ReturnedTask.objects.get().task
    Task.objects.filter(pk=again.pk).update(state="pushed", remote_id=2)
    say(again, labeler, answer="none", remote_id=20)
    assert ReturnedTask.objects.get().state == "done"
    assert question.label.superseded_by.answer == "none"
    question.refresh_from_db()
    assert question.state == "answered"


def test_an_answer_can_make_a_case_and_a_gold_item(question, chief):
    answered = answer_question(
        question=question,
        by=chief,
        reply="Stripes alone are a mass style.",
        content=Content(answer="none"),
        as_case="mass_style",
        as_gold=True,
    )
    case = answered.case
    assert (case.image, case.kind, case.verdict) == (question.task.image, "mass_style", "none")
    assert (case.reason, case.approved_by) == ("Stripes alone are a mass style.", chief)
    assert case.brand.key == "north"
    gold = question.task.image.gold.get()
    assert (gold.kind, gold.answer, gold.state) == ("brand", "none", "active")
    assert gold.explanation == "Stripes alone are a mass style."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reply": "  "}, "Write a reply"),
        ({"as_case": "mass_style"}, "needs a verdict"),
        ({"as_case": "mass_style", "content": Content(answer="unsure")}, "needs a verdict"),
        ({"as_case": "nonsense", "content": Content(answer="none")}, "no such kind"),
        ({"as_gold": True}, "needs a verdict"),
    ],
)
def test_what_does_not_fit_changes_nothing(question, chief, given, said):
    with pytest.raises(QuestionError, match=said):
        answer_question(**{"question": question, "by": chief, "reply": "Yes.", **given})
    question.refresh_from_db()
    assert question.state == "open"
    assert not ReturnedTask.objects.exists()


def test_a_failure_half_way_leaves_the_question_open(question, chief, monkeypatch):
    def break_down(**_given):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("annotation.returns.give_back", break_down)
    with pytest.raises(RuntimeError):
        answer_question(
            question=question, by=chief, reply="No mark.", content=Content(answer="none")
        )
    question.refresh_from_db()
    assert question.state == "open"
    assert not Label.objects.filter(source="audit").exists()


def test_two_people_do_not_answer_the_same_question(question, chief):
    answer_question(question=question, by=chief, reply="No.")
    with pytest.raises(QuestionError, match="chief closed this question meanwhile"):
        answer_question(question=question, by=User.objects.create_user("other"), reply="Yes.")
    assert ReturnedTask.objects.count() == 1


def test_a_gold_item_is_explained_and_never_asked_again(labeler, chief):
    gold = TaskFactory(state="pushed", remote_id=3, is_gold=True)
    question = say(gold, labeler, "Is this right?", remote_id=12).asked
    with pytest.raises(QuestionError, match="gold"):
        answer_question(question=question, by=chief, reply="x", content=Content(answer="none"))
    answer_question(question=question, by=chief, reply="See the guideline.")
    assert not ReturnedTask.objects.exists()


def test_a_question_of_nobody_is_answered_without_a_return(task, chief):
    question = say(task, None, "Who asked this?").asked
    assert answer_question(question=question, by=chief, reply="No matter.").state == "answered"
    assert not ReturnedTask.objects.exists()


def test_a_dismissal_says_why_and_returns_nothing(question, chief):
    with pytest.raises(QuestionError, match="Say why"):
        dismiss_question(question=question, by=chief, why="")
    dismissed = dismiss_question(question=question, by=chief, why="Ask in the guideline's page.")
    assert (dismissed.state, dismissed.reply) == ("dismissed", "Ask in the guideline's page.")
    assert not ReturnedTask.objects.exists()
    assert AuditEntry.objects.get(action="dismiss").why == "Ask in the guideline's page."


def test_only_the_asker_reads_their_answers(question, chief, labeler):
    assert mark_seen(asker=labeler) == 0
    answer_question(question=question, by=chief, reply="No.")
    assert mark_seen(asker=chief, question_id=question.pk) == 0
    assert mark_seen(asker=labeler, question_id=question.pk) == 1
    assert mark_seen(asker=labeler) == 0


def test_the_time_to_an_answer_is_the_median(task, labeler, chief):
    now = timezone.now()
    for number, minutes in enumerate((2, 10, 30)):
        one = TaskFactory(state="pushed", remote_id=100 + number)
        question = say(one, labeler, "?!", remote_id=200 + number).asked
        answer_question(question=question, by=chief, reply="No.")
        Question.objects.filter(pk=question.pk).update(
            asked_at=now - timedelta(minutes=minutes), answered_at=now
        )
    waiting = say(task, labeler, "And this?").asked
    figures = selectors.figures()
    assert (figures["open"], figures["answered"]) == (1, 3)
    assert figures["oldest"] == waiting.asked_at
    assert figures["median"] == pytest.approx(600)
