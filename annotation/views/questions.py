"""The inbox of labelers' questions, and answering one after the other by keyboard."""

from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.access import STAFF, PageRequest, Role, may, roles_allowed
from annotation.cards import answer_text, proposal_text
from annotation.filters import QuestionFilter
from annotation.labelstudio.guideline import markdown
from annotation.listing import listing
from annotation.models import Question, Task
from annotation.models.case import Case
from annotation.questions import QuestionError, answer_question, dismiss_question
from annotation.selectors import questions as selectors
from annotation.views.question_form import Filled, choices, content_of

ANSWERS = (Role.OPERATIONS,)
FILTERS = ("brand", "asked_by")


@require_safe
@roles_allowed(*STAFF)
def inbox(request: PageRequest) -> HttpResponse:
    """Open questions, oldest first; the answered ones on request."""
    if "state" not in request.GET:
        query = request.GET.copy()
        query["state"] = Question.State.OPEN
        request.GET = query  # type: ignore[assignment]  # a filter like one of the address
    page = listing(request, queryset=selectors.questions(), filters=QuestionFilter, per_page=25)
    context = {
        "listing": page,
        "questions": list(page.page),
        "figures": selectors.figures(),
        "kept": _kept(request.GET),
        "may_answer": may(request.user, ANSWERS),
    }
    return render(request, "questions/inbox.html", context)


@require_safe
@roles_allowed(*STAFF)
def question(request: PageRequest, pk: int) -> HttpResponse:
    """One question with all that helps to answer it."""
    return _page(request, _find(pk), Filled())


@require_POST
@roles_allowed(*ANSWERS)
def answer(request: PageRequest, pk: int) -> HttpResponse:
    """Answer, and go on with the next open question. What does not fit is said with everything
    typed still there."""
    asked = _find(pk)
    filled = Filled.of(request.POST)
    onward = _onward(request, asked)
    try:
        answer_question(
            question=asked,
            by=request.user,
            reply=filled.reply,
            content=content_of(asked=asked, filled=filled),
            as_case=filled.case_kind if filled.as_case else "",
            as_gold=filled.as_gold,
        )
    except QuestionError as refusal:
        return _page(request, _find(pk), filled, error=str(refusal))
    messages.success(request, _("Answered. The labeler sees it on their page."))
    return redirect(onward)


@require_POST
@roles_allowed(*ANSWERS)
def dismiss(request: PageRequest, pk: int) -> HttpResponse:
    """Close a question without an answer, with a reason."""
    asked = _find(pk)
    onward = _onward(request, asked)
    try:
        dismiss_question(question=asked, by=request.user, why=request.POST.get("why", ""))
    except QuestionError as refusal:
        return _page(request, _find(pk), Filled(), error=str(refusal))
    messages.success(request, _("Dismissed. The labeler sees your reason on their page."))
    return redirect(onward)


def _find(pk: int) -> Question:
    return get_object_or_404(selectors.questions().select_related("label__by"), pk=pk)


def _among(query: QueryDict) -> QuerySet[Question]:
    """The questions that the filters of the address leave."""
    return QuestionFilter(
        {name: query[name] for name in FILTERS if name in query}, Question.objects.all()
    ).qs


def _kept(query: QueryDict) -> str:
    """The filters of the address, for the links to other questions."""
    kept = urlencode({name: query[name] for name in FILTERS if query.get(name)})
    return f"?{kept}" if kept else ""


def _onward(request: PageRequest, asked: Question) -> str:
    _before, after = selectors.neighbours(question=asked, among=_among(request.GET))
    kept = _kept(request.GET)
    return (reverse("question", args=[after.pk]) if after else reverse("questions")) + kept


def _page(
    request: PageRequest, asked: Question, filled: Filled, *, error: str = ""
) -> HttpResponse:
    known = selectors.context_of(question=asked)
    before, after = selectors.neighbours(question=asked, among=_among(request.GET))
    task = asked.task
    names = {brand.key: str(brand) for brand in known.brands.values()}
    context = {
        "question": asked,
        "known": known,
        "guidelines": [(v, markdown(v.rules)) for v in known.guidelines],
        "said": answer_text(asked.label),
        "others": [(label, answer_text(label)) for label in known.others],
        "proposal": proposal_text(task, names),
        "choices": choices(asked=asked, brands=known.brands),
        "case_kinds": [(kind.value, _(kind.label)) for kind in Case.Kind],
        "filled": filled,
        "error": error,
        "before": before,
        "after": after,
        "kept": _kept(request.GET),
        "may_answer": asked.state == Question.State.OPEN and may(request.user, ANSWERS),
        "about_brand": task.kind == Task.Kind.BRAND,
    }
    status = 409 if error and asked.state != Question.State.OPEN else 400 if error else 200
    return render(request, "questions/question.html", context, status=status)
