"""The editor of a draft: its page, and what its script asks for while somebody writes."""

import json
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.access import STAFF, PageRequest, roles_allowed
from annotation.files import signed_url
from annotation.guideline_content import (
    LARGEST_LOGO,
    LONGEST_TEXT,
    ContentError,
    as_json,
    content_of,
    read_content,
)
from annotation.guidelines import DraftConflict, GuidelineError, save_draft
from annotation.labelstudio.guideline import render as render_guideline
from annotation.models import Feature, GuidelineVersion
from annotation.selectors import guidelines as selectors
from annotation.uploads import UploadError, store_picture
from annotation.views.guidelines import EDITORS, find, publish_address


@require_safe
@roles_allowed(*EDITORS)
def edit(request: PageRequest, pk: int) -> HttpResponse:
    """The editor, for a draft; any other version is shown as it is."""
    draft = find(pk)
    if draft.state != GuidelineVersion.State.DRAFT:
        return redirect("guideline", pk)
    context = {
        "version": draft,
        "document": json.dumps(document(draft)),
        "kinds": [(value, _(label)) for value, label in Feature.Kind.choices],
        "longest": LONGEST_TEXT,
        "largest_logo": LARGEST_LOGO,
        "preview": labelers_view(draft),
        "publish_at": publish_address(draft),
    }
    return render(request, "guidelines/editor.html", context)


@require_POST
@roles_allowed(*EDITORS)
def save(request: PageRequest, pk: int) -> JsonResponse:
    """Save `{"edited_at", "content"}`: 200 with the new `edited_at`, 400 with what is wrong, 409
    when somebody else was faster or it is no draft any more; nothing is saved then."""
    draft = find(pk)
    try:
        sent = json.loads(request.body)
        seen = parse_datetime(sent["edited_at"])
        content = read_content(sent["content"], resolve=selectors.pictures)
    except ContentError as error:
        return _refuse(str(error), 400)
    except (ValueError, KeyError, TypeError):
        return _refuse(_("This is not a guideline."), 400)
    if seen is None:
        return _refuse(_("This is not a guideline."), 400)
    try:
        saved = save_draft(version=draft, content=content, seen=seen, by=request.user)
    except DraftConflict as conflict:
        now = find(pk)
        return _refuse(str(conflict), 409, edited_at=now.edited_at.isoformat())
    except GuidelineError as refusal:
        return _refuse(str(refusal), 409)
    return JsonResponse({"edited_at": saved.edited_at.isoformat()})


@require_safe
@roles_allowed(*EDITORS)
def content(request: PageRequest, pk: int) -> JsonResponse:
    """What the draft says now, for an editor that takes over somebody else's words."""
    return JsonResponse(document(find(pk)))


@require_safe
@roles_allowed(*STAFF)
def preview(request: PageRequest, pk: int) -> HttpResponse:
    """A version just as it is drawn beside a labeler's task."""
    return HttpResponse(labelers_view(find(pk)))


@require_POST
@roles_allowed(*EDITORS)
def picture(request: PageRequest, pk: int) -> JsonResponse:
    """Take a picture for an example: an upload, or an image of the platform by its `sha256`."""
    find(pk)
    upload = request.FILES.get("file")
    try:
        if isinstance(upload, UploadedFile):
            stored = store_picture(upload=upload, folder=selectors.FOLDER)
        else:
            stored = selectors.picked(sha256=request.POST.get("sha256", "").strip().lower())
    except UploadError as error:
        return _refuse(str(error), 400)
    return JsonResponse(
        {
            "file": stored.file,
            "width": stored.width,
            "height": stored.height,
            "address": signed_url(name=stored.file),
        }
    )


def document(version: GuidelineVersion) -> dict[str, Any]:
    """What the editor's script edits: the content, with an address for each picture."""
    said = as_json(content_of(version))
    for feature in said["features"]:
        for example in feature["examples"]:
            example["address"] = signed_url(name=example["file"])
    return {"edited_at": version.edited_at.isoformat(), "content": said}


def labelers_view(version: GuidelineVersion) -> str:
    """The HTML that a labeler's task carries. Its pictures have the public host in their
    addresses, which need not be the host that this page was opened at."""
    drawn = render_guideline(versions=[version])
    return mark_safe(drawn.replace(f'src="{settings.PUBLIC_URL}/', 'src="/'))  # noqa: S308


def _refuse(why: str, status: int, **more: str) -> JsonResponse:
    return JsonResponse({"error": why, **more}, status=status)
