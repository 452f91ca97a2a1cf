"""The reviewers' queue: one flag at a time, worst first, answered by key."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from annotation import copies, review, selectors
from annotation.access import STAFF, PageRequest, Role, may, roles_allowed
from annotation.cards import answer_text
from annotation.listing import listing
from annotation.models import Brand, Flag, Image
from annotation.models.label import Answer, Risk
from annotation.review import ReviewError, Verdict
from annotation.review_filters import FlagFilter
from annotation.selectors import cases
from annotation.selectors import review as queue_selectors
from annotation.tasks import find_copies
from ml.risks import is_absurd

PAGE = 24
REVIEWERS = (Role.OPERATIONS,)


@dataclass(frozen=True)
class Place:
    """Where a flag stands in the page of the queue: its neighbours by key."""

    previous: Flag | None
    next: Flag | None


@require_safe
@roles_allowed(*STAFF)
def queue(request: PageRequest) -> HttpResponse:
    """Flagged products, worst first, one of them large."""
    page = listing(request, queryset=queue_selectors.flags(), filters=FlagFilter, per_page=PAGE)
    shown = list(page.page)
    flag = _current(request, shown)
    context = {
        "listing": page,
        "flags": shown,
        "flag": flag,
        "place": _place(flag, shown),
        "filters": _filters(request),
        "narrowed": any(request.GET.get(name) for name in FlagFilter.base_filters),
        "last": review.last_verdict(by=request.user),
        "may_judge": may_judge(request),
    }
    if flag is not None:
        context |= _evidence(flag)
    context["total"], context["by_brand"] = queue_selectors.yields()
    return render(request, "review/queue.html", context)


def may_judge(request: PageRequest) -> bool:
    return may(request.user, REVIEWERS)


def _current(request: PageRequest, shown: list[Flag]) -> Flag | None:
    """The flag that the address names, else the first."""
    asked = request.GET.get("flag", "")
    if asked.isdecimal():
        found = next((flag for flag in shown if flag.pk == int(asked)), None)
        found = found or queue_selectors.flags().filter(pk=int(asked)).first()
        if found is not None:
            return found
    return shown[0] if shown else None


def _place(flag: Flag | None, shown: list[Flag]) -> Place:
    ids = [other.pk for other in shown]
    if flag is None or flag.pk not in ids:
        return Place(None, shown[0] if shown else None)
    at = ids.index(flag.pk)
    return Place(shown[at - 1] if at else None, shown[at + 1] if at + 1 < len(shown) else None)


def _filters(request: PageRequest) -> str:
    """The address's filters, to come back to the same queue."""
    kept = request.GET.copy()
    kept.pop("flag", None)
    return kept.urlencode()


def _evidence(flag: Flag) -> dict:
    """All that speaks for or against a flag."""
    return {
        "reasons": queue_selectors.reasons(flag),
        "licences": queue_selectors.licence_of(flag),
        "guideline": selectors.guideline(brand=flag.brand),
        "others": queue_selectors.other_pictures(flag),
        "decision": queue_selectors.decisions(images=[flag.image]).get(flag.image_id),
        "absurd": is_absurd(flag.evidence.get("price_ratio")),
        "risks": Risk.choices,
        "brands": Brand.objects.exclude(state=Brand.State.RETIRED).order_by("name_en"),
    }


@require_safe
@roles_allowed(*STAFF)
def similar_cases(request: PageRequest, pk: int) -> HttpResponse:
    """The part of the queue with the nearest cases: it comes after the picture, which need not
    wait for it."""
    flag = get_object_or_404(Flag.objects.select_related("image"), pk=pk)
    found = cases.nearest_cases(image=flag.image)
    return render(request, "review/_cases.html", {"cases": found})


def parse_verdict(data: QueryDict, *, brand: Brand | None, risk: str) -> Verdict:
    """What a button of the verdict form says. `brand` and `risk` are those proposed.

    Raises:
        ReviewError: it says nothing that can be written down.
    """
    said = data.get("verdict", "")
    if said in (Answer.NONE, Answer.OTHER, Answer.UNSURE):
        return Verdict(said)
    if said == "brand":
        named = Brand.objects.filter(key=data.get("brand", "")).first()
        if named is None:
            raise ReviewError(_("Choose the brand that is to be seen."))
        return Verdict(Answer.BRAND, named, data.get("risk", "") or risk)
    if brand is None:
        raise ReviewError(_("Choose the brand that is to be seen."))
    if said == "confirm":
        return Verdict(Answer.BRAND, brand, risk or Risk.INFRINGEMENT)
    if said == "no_risk":
        return Verdict(Answer.BRAND, brand)
    if said.startswith("risk:"):
        return Verdict(Answer.BRAND, brand, said.removeprefix("risk:"))
    raise ReviewError(_("That is no verdict."))


@require_POST
@roles_allowed(*REVIEWERS)
def verdict(request: PageRequest, pk: int) -> HttpResponse:
    """Decide a flag, and go on with the next of the same queue."""
    flag = get_object_or_404(Flag.objects.select_related("brand"), pk=pk)
    try:
        given = parse_verdict(request.POST, brand=flag.brand, risk=flag.risk)
        label = review.decide(flag=flag, verdict=given, by=request.user)
    except ReviewError as refusal:
        messages.error(request, str(refusal))
        return redirect(_back(request, flag=pk))
    if given.answer != Answer.UNSURE:
        find_copies.delay_on_commit(label.image_id)
    messages.success(request, _("Written down: %(what)s.") % {"what": answer_text(label)})
    return redirect(_back(request, flag=request.POST.get("then", "")))


@require_POST
@roles_allowed(*REVIEWERS)
def undo(request: PageRequest) -> HttpResponse:
    """Take the last verdict back, and show its flag again."""
    try:
        labels = review.undo(by=request.user)
    except ReviewError as refusal:
        messages.error(request, str(refusal))
        return redirect(_back(request))
    count = len(labels)
    messages.success(
        request,
        ngettext("%(count)d verdict taken back.", "%(count)d verdicts taken back.", count)
        % {"count": count},
    )
    flag = Flag.objects.filter(image=labels[0].image_id, state=Flag.State.OPEN).first()
    return redirect(_back(request, flag=flag.pk if flag else ""))


def _back(request: PageRequest, *, flag: object = "") -> str:
    query = QueryDict(request.POST.get("filters", ""), mutable=True)
    query.pop("flag", None)
    parts = [query.urlencode(), urlencode({"flag": flag}) if flag else ""]
    return f"{reverse('review')}?{'&'.join(part for part in parts if part)}"


@require_POST
@roles_allowed(*REVIEWERS)
def image_verdict(request: PageRequest, pk: int) -> HttpResponse:
    """Judge a picture from its product's page, flagged or not."""
    image = get_object_or_404(Image.objects.select_related("product", "weak_brand"), pk=pk)
    flag = image.flags.filter(state=Flag.State.OPEN).select_related("brand").first()
    proposed = (flag.brand, flag.risk) if flag else (image.weak_brand, "")
    try:
        given = parse_verdict(request.POST, brand=proposed[0], risk=proposed[1])
        label = review.give_verdict(image=image, verdict=given, by=request.user)
    except ReviewError as refusal:
        messages.error(request, str(refusal))
    else:
        if given.answer != Answer.UNSURE:
            find_copies.delay_on_commit(image.pk)
        messages.success(request, _("Written down: %(what)s.") % {"what": answer_text(label)})
    return redirect(place_of(image))


def place_of(image: Image) -> str:
    """Where a picture is judged: its product's page, or its own."""
    if image.product_id is None:
        return reverse("image", args=[image.sha256])
    return f"{reverse('product', args=[image.product_id])}#image-{image.pk}"


@require_POST
@roles_allowed(*REVIEWERS)
def look_for_copies(request: PageRequest, pk: int) -> HttpResponse:
    """Search for copies of a picture in the background."""
    image = get_object_or_404(Image, pk=pk)
    find_copies.delay_on_commit(image.pk)
    messages.success(request, _("Looking for copies; they appear below as they are found."))
    return redirect(place_of(image))


@require_POST
@roles_allowed(*REVIEWERS)
def same_verdict(request: PageRequest, pk: int) -> HttpResponse:
    """The picture's verdict for the ticked copies, in one step."""
    image = get_object_or_404(Image, pk=pk)
    ticked = [int(value) for value in request.POST.getlist("copy") if value.isdecimal()]
    try:
        labels = copies.same_verdict(image=image, copy_ids=ticked, by=request.user)
    except ReviewError as refusal:
        messages.error(request, str(refusal))
    else:
        count = len(labels)
        messages.success(
            request,
            ngettext(
                "The same verdict for %(count)d copy.",
                "The same verdict for %(count)d copies.",
                count,
            )
            % {"count": count},
        )
    return redirect(place_of(image))
