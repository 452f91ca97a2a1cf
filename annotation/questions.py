"""Labelers' doubts: asked inside a task, answered once, and the answer kept: as a case, as gold,
as operations' verdict on the image, and in the task that goes back to the asker."""

from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit, returns
from annotation.models import GuidelineVersion, Label, Question, ReturnedTask, Task
from annotation.models.case import Case
from annotation.models.label import Answer

if TYPE_CHECKING:  # labels opens questions: they need each other, and it comes first
    from annotation.labels import Content


class QuestionError(Exception):
    """An answer that does not fit, or a question that is closed."""


def open_question(*, label: Label) -> Question | None:
    """Ask what a label asks, once. A revised label takes its open question along; one that asks
    nothing any more takes it back. A doubt without words is no question.

    Returns the question, or None when nothing is asked.
    """
    text = "" if label.retracted else label.question.strip()
    with transaction.atomic():
        asked = Question.objects.filter(label__in=_line(label)).order_by("-pk").first()
        if asked is not None and asked.label_id == label.pk:
            return asked
        if asked is not None and (asked.state == Question.State.OPEN or asked.text == text):
            return _revise(asked, label, text)
        if not text or label.task is None:
            return None
        return Question.objects.create(
            label=label, task=label.task, asked_by=label.by, text=text, asked_at=label.created_at
        )


def _line(label: Label) -> list[int]:
    """The label and the one it supersedes: a question moves along at every step."""
    return [pk for pk in (label.pk, label.supersedes_id) if pk is not None]


def _revise(question: Question, label: Label, text: str) -> Question | None:
    if not text:
        Question.objects.filter(pk=question.pk, state=Question.State.OPEN).update(
            state=Question.State.DISMISSED, answered_at=timezone.now()
        )
        return None
    question.label, question.text = label, text
    question.save(update_fields=["label", "text"])
    return question


def answer_question(
    *,
    question: Question,
    by: User,
    reply: str,
    content: "Content | None" = None,
    as_case: str = "",
    as_gold: bool = False,
) -> Question:
    """Answer a doubt for good, with all that follows from it, or nothing at all.

    `content` is the verdict on the image, if there is one: it becomes operations' label, which the
    consensus follows. `as_case` is a Case.Kind, or empty. The task goes back to the asker with the
    reply in it, if they are there to be asked.

    Raises:
        QuestionError: the reply is empty, a case or gold without a verdict it can carry, or
            somebody closed the question meanwhile.
    """
    reply = reply.strip()
    _check(question, reply, content, as_case, as_gold)
    with transaction.atomic():
        answered = _close(question, by, Question.State.ANSWERED, reply=reply)
        if content is not None:
            answered.answer, answered.brand = content.answer, content.brand
            _record_verdict(answered, content, by)
        if content is not None and as_case:
            answered.case = _make_case(answered, content, as_case, by)
        if content is not None and as_gold:
            _make_gold(answered, content, by)
        answered.save(update_fields=["answer", "brand", "case"])
        if not returns.why_not(label=answered.label):
            returns.give_back(
                label=answered.label,
                by=by,
                comment=note_of(answered, content),
                reason=ReturnedTask.Reason.QUESTION,
                question=answered,
            )
        audit.note(
            action="answer",
            subject=answered,
            by=by,
            after={
                "reply": reply,
                "verdict": verdict_text(content),
                "case": answered.case_id,
                "gold": as_gold,
            },
        )
    return answered


def _check(
    question: Question, reply: str, content: "Content | None", as_case: str, as_gold: bool
) -> None:
    if not reply:
        raise QuestionError(_("Write a reply: it is what the labeler learns from."))
    if question.task.is_gold and (content is not None or as_gold):
        raise QuestionError(_("This is a gold item already: only a reply can be given."))
    told = content is not None and content.answer != Answer.UNSURE
    if as_gold and not told:
        raise QuestionError(_("A gold item needs a verdict."))
    if not as_case:
        return
    if as_case not in Case.Kind.values:
        raise QuestionError(_("There is no such kind of case: %(kind)s.") % {"kind": as_case})
    if question.task.kind != Task.Kind.BRAND:
        raise QuestionError(_("Cases are about brands: a question about one can become one."))
    if not told:
        raise QuestionError(_("A case needs a verdict."))


def _close(question: Question, by: User, state: str, reply: str) -> Question:
    moved = Question.objects.filter(pk=question.pk, state=Question.State.OPEN).update(
        state=state, reply=reply, answered_at=timezone.now(), answered_by=by
    )
    closed = Question.objects.select_related(
        "label__by", "label__brand", "label__task__focus_brand", "task__image", "task__focus_brand"
    ).get(pk=question.pk)
    if not moved:
        who = closed.answered_by.get_username() if closed.answered_by else _("the asker")
        raise QuestionError(_("%(name)s closed this question meanwhile.") % {"name": who})
    return closed


def _record_verdict(question: Question, content: "Content", by: User) -> None:
    from annotation.labels import record_label

    # Of no task: what the labeler was asked stays theirs to answer.
    record_label(
        image=question.task.image,
        kind=question.task.kind,
        content=content,
        source=Label.Source.AUDIT,
        by=by,
        guideline=question.task.guideline,
    )


def _make_case(question: Question, content: "Content", kind: str, by: User) -> Case:
    from annotation.cases import CaseError, create_case

    # The brand in question, whatever the verdict on it.
    brand = content.brand or question.label.brand or question.task.focus_brand
    shown = GuidelineVersion.objects.filter(pk__in=question.task.guidelines_shown, brand=brand)
    try:
        return create_case(
            image=question.task.image,
            kind=kind,
            verdict=content.answer,
            brand=brand,
            reason=question.reply,
            region=None,
            guideline=shown.first(),
            by=by,
        )
    except CaseError as refusal:
        raise QuestionError(str(refusal)) from refusal


def _make_gold(question: Question, content: "Content", by: User) -> None:
    from annotation.gold import GoldError, add_gold

    try:
        add_gold(
            image=question.task.image,
            kind=question.task.kind,
            content=content,
            explanation=question.reply,
            by=by,
        )
    except GoldError as refusal:
        raise QuestionError(str(refusal)) from refusal


def note_of(question: Question, content: "Content | None") -> str:
    """What stands above the returned task: the doubt, the verdict, the reply."""
    verdict = verdict_text(content)
    return f"“{question.text}” → {verdict + '. ' if verdict else ''}{question.reply}"


def verdict_text(content: "Content | None") -> str:
    """A verdict in words; empty when there is none."""
    if content is None:
        return ""
    if content.brand is not None:
        return f"{content.brand.name_en} {content.brand.name_zh}".strip()
    if content.answer:
        return str(Answer(content.answer).label)
    if content.variation:
        return content.variation
    return f"{len(content.boxes or ())} boxes"


def dismiss_question(*, question: Question, by: User, why: str) -> Question:
    """Close a question without an answer; the asker reads why.

    Raises:
        QuestionError: no reason, or somebody closed it meanwhile.
    """
    why = why.strip()
    if not why:
        raise QuestionError(_("Say why: the labeler reads it."))
    with transaction.atomic():
        dismissed = _close(question, by, Question.State.DISMISSED, reply=why)
        audit.note(action="dismiss", subject=dismissed, by=by, why=why)
    return dismissed


def mark_seen(*, asker: User, question_id: int | None = None) -> int:
    """Note that the asker has read the reply to a question of theirs, or to all. Returns how
    many were unread."""
    mine = Question.objects.filter(asked_by=asker, seen_at__isnull=True)
    mine = mine.exclude(state=Question.State.OPEN)
    if question_id is not None:
        mine = mine.filter(pk=question_id)
    return mine.update(seen_at=timezone.now())
