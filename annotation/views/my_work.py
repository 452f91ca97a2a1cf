"""What a labeler does next, how they are doing, and what they did."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.access import EVERYBODY, PageRequest, roles_allowed
from annotation.cards import Card, answer_text
from annotation.listing import listing
from annotation.live import Live, live
from annotation.models import Label
from annotation.questions import mark_seen
from annotation.selectors import my_work as selectors

CARDS = 48


@require_safe
@roles_allowed(*EVERYBODY)
def my_work(request: PageRequest) -> HttpResponse:
    """A labeler's home."""
    user = request.user
    held = selectors.holds(user=user)
    # Counting what waits takes as long as the rest: the page is there first.
    is_part = request.htmx.target == "start"
    starts = selectors.starts(user=user, held=held, counted=is_part)
    context = {"starts": starts, "tests": selectors.tests_to_pass(user=user)}
    if is_part:
        now = live(request, shown=[(start.kind, start.open, start.held) for start in starts])
        return render(request, "my_work/_start.html", context | {"live": now})
    context |= {
        "live": Live(request.path, 0),
        "held": held,
        "returned": [(row, answer_text(row.label)) for row in selectors.returned_tasks(user=user)],
        "gateway": settings.GATEWAY_URL,
        "questions": selectors.answered_questions(user=user),
        "asked": selectors.open_question_count(user=user),
        "skills": selectors.skills(user=user),
        "progress": selectors.progress(user=user),
    }
    return render(request, "my_work/page.html", context)


@require_safe
@roles_allowed(*EVERYBODY)
def my_labels(request: PageRequest) -> HttpResponse:
    """Everything one has answered, newest first."""
    page = listing(request, queryset=selectors.own_labels(user=request.user), per_page=CARDS)
    context = {"listing": page, "cards": [_own_card(label) for label in page.page]}
    return render(request, "my_work/labels.html", context)


@require_POST
@roles_allowed(*EVERYBODY)
def questions_seen(request: PageRequest) -> HttpResponse:
    """Note that one has read the reply to a question of one's own, or to all of them."""
    pk = request.POST.get("question", "")
    mark_seen(asker=request.user, question_id=int(pk) if pk.isdecimal() else None)
    messages.success(request, _("Noted as read."))
    return redirect("my-work")


def _own_card(label: Label) -> Card:
    """Without what a labeler must not learn: why it was chosen and what the model thought."""
    return Card(
        image=label.image,
        title=label.image.product.title if label.image.product else "",
        boxes=label.boxes or [],
        answer=answer_text(label),
        at=label.created_at,
    )
