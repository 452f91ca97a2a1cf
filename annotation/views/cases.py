"""The case library: searching it, one case, and deciding between contradicting ones."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import cases as verbs
from annotation import vectors
from annotation.access import EVERYBODY, STAFF, PageRequest, Role, may, roles_allowed
from annotation.case_filter import CaseFilter, ReadableCaseFilter
from annotation.case_form import CaseForm, initial
from annotation.cases import CaseError
from annotation.listing import listing
from annotation.models import AuditEntry, Case, CaseConflict, Image, Label
from annotation.selectors import cases as selectors

WRITERS = (Role.OPERATIONS,)
CARDS = 24
PAIRS = 8
LIKE = 6  # shown under one case

# What the audit log calls things, in words.
WORDS = {
    "create": gettext_lazy("written"),
    "edit": gettext_lazy("reworded"),
    "merge": gettext_lazy("merged"),
    "supersede": gettext_lazy("superseded"),
    "retire": gettext_lazy("retired"),
    "both_stand": gettext_lazy("found to stand beside another"),
    "image": gettext_lazy("image"),
    "region": gettext_lazy("region"),
    "kind": gettext_lazy("question kind"),
    "verdict": gettext_lazy("verdict"),
    "brand": gettext_lazy("brand"),
    "reason": gettext_lazy("reason"),
    "guideline": gettext_lazy("guideline"),
    "state": gettext_lazy("state"),
    "replaced_by": gettext_lazy("replaced by case"),
    "stands_beside": gettext_lazy("stands beside case"),
}


def _readable(request: PageRequest) -> QuerySet[Case]:
    return selectors.cases() if may(request.user, STAFF) else selectors.readable_cases()


@require_safe
@roles_allowed(*EVERYBODY)
def library(request: PageRequest) -> HttpResponse:
    """All cases by words and filters; with `like` (a case) or, for staff, `image` (a picture of
    the platform) those most like it instead of the newest."""
    is_staff = may(request.user, STAFF)
    if is_staff and "state" not in request.GET:
        query = request.GET.copy()
        query["state"] = Case.State.ACTIVE
        request.GET = query  # type: ignore[assignment]  # a filter like one of the address
    page = listing(
        request,
        queryset=_readable(request),
        filters=CaseFilter if is_staff else ReadableCaseFilter,
        per_page=CARDS,
    )
    image, model = _looked_for(request), page.filters
    context: dict[str, Any] = {
        "listing": page,
        "may_write": may(request.user, WRITERS),
        "may_search_pictures": is_staff,
        "looked_for": image,
        "has_space": vectors.serving_space() is not None,
    }
    if image is not None and model is not None:
        context["found"] = selectors.like_image(queryset=model.qs, image=image)
    else:
        context["found"] = [(case, None) for case in page.page]
        context["is_empty"] = not context["found"] and not _readable(request).exists()
        context["contradictions"] = selectors.contradictions().count() if is_staff else 0
    return render(request, "cases/library.html", context)


def _looked_for(request: PageRequest) -> Image | None:
    like, sha256 = request.GET.get("like", ""), request.GET.get("image", "")
    if like.isdecimal() and len(like) < 19:
        return get_object_or_404(_readable(request), pk=int(like)).image
    if sha256 and may(request.user, STAFF):
        return get_object_or_404(Image, sha256=sha256)
    return None


@require_safe
@roles_allowed(*EVERYBODY)
def case(request: PageRequest, pk: int) -> HttpResponse:
    """One case; for staff also who approved it and every change to it."""
    shown = get_object_or_404(_readable(request), pk=pk)
    is_staff = may(request.user, STAFF)
    others = _readable(request).filter(state=Case.State.ACTIVE).exclude(pk=pk)
    context = {
        "case": shown,
        "like": selectors.like_image(queryset=others, image=shown.image, limit=LIKE),
        "history": [_told(row) for row in selectors.history(case=shown)] if is_staff else [],
        "may_write": may(request.user, WRITERS) and shown.state == Case.State.ACTIVE,
        "is_staff": is_staff,
        "replaces": list(shown.replaces.only("pk", "state")) if is_staff else [],
    }
    return render(request, "cases/case.html", context)


def _told(entry: AuditEntry) -> dict[str, Any]:
    def fields(values: dict | None) -> list[tuple[str, Any]]:
        return [
            (str(WORDS.get(name, name)), _value(value)) for name, value in (values or {}).items()
        ]

    return {
        "action": WORDS.get(entry.action, entry.action),
        "before": fields(entry.before),
        "after": fields(entry.after),
        "entry": entry,
    }


def _value(value: Any) -> Any:
    if isinstance(value, dict):  # a region
        return ", ".join(f"{name} {number:g}" for name, number in value.items())
    return "–" if value is None else value


@require_http_methods(["GET", "HEAD", "POST"])
@roles_allowed(*WRITERS)
def new(request: PageRequest) -> HttpResponse:
    """Write a case about `image`, from what `label` says of it, or in place of the case
    `supersedes`."""
    image = get_object_or_404(
        Image.objects.select_related("product"), sha256=request.GET.get("image", "")
    )
    label = _by_number(Label, request.GET.get("label"))
    superseded = _by_number(Case, request.GET.get("supersedes"))
    known = initial(image=image, label=label, superseded=superseded)
    form = CaseForm(request.POST or None, initial=known)
    if request.method == "POST" and form.is_valid():
        try:
            made = _write(request, image, form, superseded)
        except CaseError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Case %(number)d is written.") % {"number": made.pk})
            return redirect("case", made.pk)
    context = {"form": form, "image": image, "label": label, "superseded": superseded}
    return render(request, "cases/new.html", context)


def _write(request: PageRequest, image: Image, form: CaseForm, superseded: Case | None) -> Case:
    with transaction.atomic():
        made = verbs.create_case(image=image, by=request.user, **form.said())
        if superseded is not None:
            verbs.supersede_case(case=superseded, replacement=made, by=request.user)
    return made


def _by_number(model: Any, text: str | None) -> Any:
    if not text:
        return None
    return get_object_or_404(model, pk=int(text) if text.isdecimal() and len(text) < 19 else 0)


@require_POST
@roles_allowed(*WRITERS)
def edit(request: PageRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Case, pk=pk)
    reason = request.POST.get("reason", "")
    return _act(
        request,
        lambda: verbs.edit_reason(case=shown, reason=reason, by=request.user),
        done=_("The reason is changed."),
        to=reverse("case", args=[pk]),
    )


@require_POST
@roles_allowed(*WRITERS)
def merge(request: PageRequest, pk: int) -> HttpResponse:
    """Put a case away as a double of the one named by `into`."""
    shown, kept = get_object_or_404(Case, pk=pk), _other(request)
    return _act(
        request,
        lambda: verbs.merge_case(case=shown, into=_named(kept), by=request.user),
        done=_("Case %(number)d is merged.") % {"number": pk},
        to=_after(request, pk),
    )


@require_POST
@roles_allowed(*WRITERS)
def supersede(request: PageRequest, pk: int) -> HttpResponse:
    """Have the case named by `into` take the place of this one."""
    shown, kept = get_object_or_404(Case, pk=pk), _other(request)
    return _act(
        request,
        lambda: verbs.supersede_case(case=shown, replacement=_named(kept), by=request.user),
        done=_("Case %(number)d is superseded.") % {"number": pk},
        to=_after(request, pk),
    )


@require_POST
@roles_allowed(*WRITERS)
def retire(request: PageRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Case, pk=pk)
    why = request.POST.get("why", "")
    return _act(
        request,
        lambda: verbs.retire_case(case=shown, by=request.user, why=why),
        done=_("Case %(number)d is retired.") % {"number": pk},
        to=_after(request, pk),
    )


def _other(request: PageRequest) -> Case | None:
    text = (request.POST.get("into") or request.GET.get("into") or "").strip().lstrip("#")
    known = text.isdecimal() and len(text) < 19
    return Case.objects.filter(pk=int(text)).first() if known else None


def _named(other: Case | None) -> Case:
    if other is None:
        raise CaseError(_("There is no case of that number."))
    return other


@require_safe
@roles_allowed(*STAFF)
def contradictions(request: PageRequest) -> HttpResponse:
    """Pairs that decide differently about near-identical pictures, side by side."""
    page = listing(request, queryset=selectors.contradictions(), per_page=PAIRS)
    context = {
        "listing": page,
        "pairs": [(pair, _sides(pair)) for pair in page.page],
        "may_write": may(request.user, WRITERS),
    }
    return render(request, "cases/contradictions.html", context)


def _sides(pair: CaseConflict) -> list[dict[str, Any]]:
    """Both cases, each with where its buttons lead."""
    return [
        {
            "case": case,
            "other": other,
            "keep": _address("supersede-case", other.pk, into=case.pk),
            "merge": _address("merge-case", case.pk, into=other.pk),
            "retire": _address("retire-case", case.pk),
        }
        for case, other in ((pair.first, pair.second), (pair.second, pair.first))
    ]


def _address(view: str, pk: int, **query: int) -> str:
    return f"{reverse(view, args=[pk])}?{urlencode({'from': 'contradictions', **query})}"


@require_POST
@roles_allowed(*WRITERS)
def both_stand(request: PageRequest, pk: int) -> HttpResponse:
    conflict = get_object_or_404(CaseConflict, pk=pk)
    why = request.POST.get("why", "")
    return _act(
        request,
        lambda: verbs.let_both_stand(conflict=conflict, by=request.user, why=why),
        done=_("Both cases stand."),
        to=reverse("contradictions"),
    )


def _after(request: PageRequest, pk: int) -> str:
    from_pairs = request.GET.get("from") == "contradictions"
    return reverse("contradictions") if from_pairs else reverse("case", args=[pk])


def _act(request: PageRequest, verb: Callable[[], Any], *, done: str, to: str) -> HttpResponse:
    try:
        verb()
    except CaseError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect(to)
