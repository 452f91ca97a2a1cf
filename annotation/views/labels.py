"""Labels as they arrive, and what operations do with those they chose."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from annotation import selectors
from annotation.access import STAFF, PageRequest, Role, may, roles_allowed
from annotation.filters import LabelStreamFilter
from annotation.holds import HoldError, release
from annotation.listing import listing
from annotation.live import live
from annotation.models import Hold, Label, ReturnedTask
from annotation.returns import ReturnError, cancel_return, send_back
from annotation.selectors.label_stream import label_stream, rows

CARDS = 48  # a page: divides evenly into rows of 2, 3, 4, 6 and 8
ACTS = (Role.OPERATIONS,)


@require_safe
@roles_allowed(*STAFF)
def labels(request: PageRequest) -> HttpResponse:
    """Labels as they arrive, newest or most disputed first."""
    page = listing(request, queryset=label_stream(), filters=LabelStreamFilter, per_page=CARDS)
    shown = rows(labels=list(page.page))
    context = {
        "listing": page,
        "rows": shown,
        "totals": selectors.label_totals(),
        "may_choose": may(request.user, ACTS),
        "live": live(
            request,
            shown=[page.total, *((row.label.pk, row.held, bool(row.returned)) for row in shown)],
        ),
    }
    is_part = request.htmx.target == "labels"
    return render(request, "labels/_stream.html" if is_part else "labels/list.html", context)


@require_POST
@roles_allowed(*ACTS)
def labels_send_back(request: PageRequest) -> HttpResponse:
    """Return the chosen labels to whoever gave them, each with the same comment."""
    comment = request.POST.get("why", "")
    chosen = Label.objects.filter(pk__in=_ids(request, "label")).select_related(
        "by", "task__focus_brand"
    )

    def send(label: Label) -> None:
        send_back(label=label, by=request.user, comment=comment)

    done = _each(request, list(chosen), send)
    if done:
        messages.success(
            request,
            ngettext(
                "%(n)d label went back with your comment.",
                "%(n)d labels went back with your comment.",
                done,
            )
            % {"n": done},
        )
    return _back(request)


@require_POST
@roles_allowed(*ACTS)
def labels_release(request: PageRequest) -> HttpResponse:
    """End the holds that the chosen labels lie under."""
    holds = Hold.objects.filter(
        labels__label__in=_ids(request, "label"), released_at__isnull=True
    ).distinct()
    why, keep = request.POST.get("why", ""), "keep" in request.POST
    counted = [(hold, hold.labels.count()) for hold in holds.select_related("user")]
    if not counted:
        messages.error(request, _("None of the chosen labels is held."))
    for hold, labels in counted:
        try:
            release(hold=hold, by=request.user, why=why, keep=keep)
        except HoldError as refusal:
            messages.error(request, str(refusal))
            continue
        messages.success(request, _released(hold, labels, keep))
    return _back(request)


@require_POST
@roles_allowed(*ACTS)
def return_cancel(request: PageRequest, pk: int) -> HttpResponse:
    """Ask no longer what was given back."""
    returned = ReturnedTask.objects.filter(pk=pk)

    def cancel(row: ReturnedTask) -> None:
        cancel_return(returned=row, by=request.user, why=request.POST.get("why", "").strip())

    if _each(request, list(returned), cancel):
        messages.success(request, _("It is asked no longer; the first answer stays."))
    return _back(request)


def _released(hold: Hold, labels: int, keep: bool) -> str:
    name = {"name": hold.user.get_username(), "n": labels}
    if not keep:
        return _("%(name)s is released; what was held stays out.") % name
    return (
        ngettext(
            "%(name)s is released: %(n)d label counts again.",
            "%(name)s is released: %(n)d labels count again.",
            labels,
        )
        % name
    )


def _each(request: PageRequest, chosen: Sequence[Any], verb: Callable[[Any], None]) -> int:
    """Do it to each, and say once why it could not be done to some. Returns how many it was
    done to."""
    refused: dict[str, int] = {}
    for one in chosen:
        try:
            verb(one)
        except ReturnError as refusal:
            refused[str(refusal)] = refused.get(str(refusal), 0) + 1
    for reason, count in refused.items():
        messages.error(request, f"{count} × {reason}" if count > 1 else reason)
    if not chosen:
        messages.error(request, _("Choose something first."))
    return len(chosen) - sum(refused.values())


def _ids(request: PageRequest, name: str) -> list[int]:
    return [int(pk) for pk in request.POST.getlist(name) if pk.isdecimal()]


def _back(request: PageRequest) -> HttpResponse:
    """To the list as it was filtered."""
    query = request.POST.get("query", "")
    return redirect(reverse("labels") + (f"?{query}" if query else ""))
