"""Pages of guidelines: a version, what changed since another, and the steps of its life."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation import guidelines
from annotation.access import STAFF, PageRequest, Role, may, roles_allowed
from annotation.guideline_content import content_of
from annotation.guideline_diff import compare
from annotation.guideline_files import GuidelineFileError, export_guideline, import_guideline
from annotation.labelstudio.guideline import markdown
from annotation.models import Brand, GuidelineVersion
from annotation.selectors import guidelines as selectors

EDITORS = (Role.OPERATIONS,)
REFUSALS = (guidelines.GuidelineError, GuidelineFileError)


@require_safe
@roles_allowed(*STAFF)
def version(request: PageRequest, pk: int) -> HttpResponse:
    """One version, whatever its state, and what can be done with it."""
    shown = find(pk)
    history = selectors.history(brand=shown.brand)
    context = {
        "version": shown,
        "rules": markdown(shown.rules),
        "harmless": markdown(shown.not_violations),
        "history": history,
        "previous": next((one for one in history if one.number < shown.number), None),
        "labels": selectors.labels_made_under(version=shown),
        "may_edit": may(request.user, EDITORS),
        "publish_at": publish_address(shown),
    }
    if shown.state == GuidelineVersion.State.PUBLISHED:
        context["open_tasks"] = selectors.open_tasks_showing(version=shown)
    return render(request, "guidelines/version.html", context)


@require_safe
@roles_allowed(*STAFF)
def diff(request: PageRequest, pk: int) -> HttpResponse:
    """A version beside another of its brand: `?to=` its number, or else the one before it."""
    after = find(pk)
    history = selectors.history(brand=after.brand)
    others = [one for one in history if one.pk != after.pk]
    wanted = request.GET.get("to", "")
    older = [one for one in others if one.number < after.number]
    named = [one for one in others if str(one.number) == wanted]
    chosen = next(iter([*named, *older, *others]), None)
    before = find(chosen.pk) if chosen else None
    context = {
        "after": after,
        "before": before,
        "others": others,
        "difference": compare(before=content_of(before), after=content_of(after))
        if before
        else None,
    }
    return render(request, "guidelines/diff.html", context)


@require_safe
@roles_allowed(*STAFF)
def export(request: PageRequest, pk: int) -> HttpResponse:
    """A version as one file."""
    shown = find(pk)
    try:
        data = export_guideline(version=shown)
    except GuidelineFileError as refusal:
        messages.error(request, str(refusal))
        return redirect("guideline", pk)
    response = HttpResponse(data, content_type="application/zip")
    name = f"{shown.brand.key}-v{shown.number}.zip".encode("ascii", "ignore").decode()
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_POST
@roles_allowed(*EDITORS)
def draft(request: PageRequest, key: str) -> HttpResponse:
    """Begin the next draft of a brand, and edit it."""
    brand = get_object_or_404(Brand, key=key)
    return _begin(request, brand, lambda: guidelines.begin_draft(brand=brand, by=request.user))


@require_POST
@roles_allowed(*EDITORS)
def import_file(request: PageRequest, key: str) -> HttpResponse:
    """Begin the next draft of a brand with what a file says."""
    brand = get_object_or_404(Brand, key=key)
    upload = request.FILES.get("file")
    if upload is None:
        messages.error(request, _("Choose the file of a guideline."))
        return redirect("brand", key)
    return _begin(
        request,
        brand,
        lambda: import_guideline(brand=brand, upload=upload, by=request.user),
    )


@require_POST
@roles_allowed(*EDITORS)
def submit(request: PageRequest, pk: int) -> HttpResponse:
    return _step(request, pk, guidelines.submit_guideline, _("%(version)s is up for review."))


@require_POST
@roles_allowed(*EDITORS)
def give_back(request: PageRequest, pk: int) -> HttpResponse:
    return _step(
        request,
        pk,
        guidelines.return_guideline,
        _("%(version)s is a draft again."),
        why=request.POST.get("why", "").strip(),
    )


@require_POST
@roles_allowed(*EDITORS)
def retire(request: PageRequest, pk: int) -> HttpResponse:
    why = request.POST.get("why", "").strip()
    if not why:
        messages.error(request, _("Say why it is retired: the audit log keeps it."))
        return redirect("guideline", pk)
    return _step(request, pk, guidelines.retire_guideline, _("%(version)s is retired."), why=why)


@require_POST
@roles_allowed(*EDITORS)
def discard(request: PageRequest, pk: int) -> HttpResponse:
    gone = find(pk)
    try:
        guidelines.discard_draft(version=gone, by=request.user)
    except guidelines.GuidelineError as refusal:
        messages.error(request, str(refusal))
        return redirect("guideline", pk)
    messages.success(request, _("The draft is discarded; the audit log keeps what it said."))
    return redirect("brand", gone.brand.key)


def find(pk: int) -> GuidelineVersion:
    return get_object_or_404(selectors.versions(), pk=pk)


def publish_address(version: GuidelineVersion) -> str:
    """Where what publishing it would bring is shown and decided; empty when it cannot be."""
    if version.state not in guidelines.OPEN:
        return ""
    return reverse("guideline-publish", args=[version.pk])


def _begin(
    request: PageRequest, brand: Brand, verb: Callable[[], GuidelineVersion]
) -> HttpResponse:
    try:
        begun = verb()
    except REFUSALS as refusal:
        messages.error(request, str(refusal))
        return redirect("brand", brand.key)
    return redirect("guideline-edit", begun.pk)


def _step(
    request: PageRequest, pk: int, verb: Callable[..., Any], done: str, **details: str
) -> HttpResponse:
    moved = find(pk)
    try:
        verb(version=moved, by=request.user, **details)
    except guidelines.GuidelineError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done % {"version": moved})
    return redirect("guideline", pk)
