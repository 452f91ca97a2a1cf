"""Two releases side by side, and a release to take away."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import comparing
from active_learning.comparing import NotComparable
from active_learning.downloads import zip_response
from active_learning.explanations import request_explanations
from active_learning.filters import CompareForm
from active_learning.jobs import JobError
from active_learning.models import Explanation, Release
from active_learning.models.jobs import ACTIVE
from active_learning.scans import ENDED_BADLY
from active_learning.views.acting import act
from annotation.access import ENGINEERS, PageRequest, roles_allowed
from annotation.cards import Card, brand_names
from annotation.listing import listing
from annotation.live import live
from annotation.models import Image
from ml.errors import InputError

PER_PAGE = 48
SIDES = ("b_only", "a_only")


@require_safe
@roles_allowed(*ENGINEERS)
def compare_releases(request: PageRequest) -> HttpResponse:
    """What changes from one release to another, brand by brand and image by image."""
    form = CompareForm(request.GET or None)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        a, b, kind = (form.cleaned_data[name] for name in ("a", "b", "kind"))
        measured = comparing.measured_together(a=a, b=b)
        context |= {"a": a, "b": b, "kind": kind, "measured": measured}
        if measured is not None:
            try:
                found = comparing.compare(measured=measured, kind=kind)
            except NotComparable as refusal:
                context["refusal"] = str(refusal)
            else:
                context |= _shown(request, form, found)
    return render(request, "models/compare.html", context)


def _shown(request: PageRequest, form: CompareForm, found: dict[str, Any]) -> dict[str, Any]:
    show = request.GET.get("show", "")
    show = show if show in SIDES else SIDES[0]
    page = listing(request, queryset=found[show], per_page=PER_PAGE)
    per_brand = found.get("closed", {}).get("per_brand", {})
    names = brand_names({*per_brand, *_named(page.page), *found.get("not_shared", ())})
    brands = [
        row | {"name": names.get(key, key), "key": key if key in names else ""}
        for key, row in per_brand.items()
    ]
    return {
        "parts": _parts(found),
        "brands": sorted(brands, key=lambda row: (row["difference"], row["name"])),
        "not_shared": [names.get(key, key) for key in found.get("not_shared", ())],
        "images": found["images"],
        "show": show,
        "listing": page,
        "cards": _cards(page.page, names),
        "chosen": _chosen(form),
    }


def _parts(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    business = found.get("business", {})
    parts = [
        (_("closed mean recall"), found.get("closed")),
        (_("closed mean recall, on the third that no gate reads"), found.get("shown")),
        (_("business recall"), business.get("recall")),
        (_("business recall, with a visible mark"), business.get("recall_logo")),
        (_("business recall, without"), business.get("recall_no_logo")),
        (_("open flag ratio"), found.get("open")),
    ]
    return [(name, part) for name, part in parts if part]


def _named(rows: Any) -> set[str]:
    return {row[name] for row in rows for name in ("brand", "said")}


def _cards(rows: Any, names: dict[str, str]) -> list[tuple[Card, str]]:
    """Each card with the label to be explained."""
    images = Image.objects.filter(sha256__in=[row["sha256"] for row in rows])
    known = {image.sha256: image for image in images.select_related("product")}
    return [
        (_card(row, known[row["sha256"]], names), row["brand"])
        for row in rows
        if row["sha256"] in known
    ]


def _card(row: dict[str, Any], image: Image, names: dict[str, str]) -> Card:
    said = names.get(row["said"], row["said"]) or _("nothing")
    split = row["set"]
    if row["said"] == row["brand"]:
        said = _("%(brand)s, below the threshold") % {"brand": said}
    return Card(
        image=image,
        title=image.product.title if image.product else "",
        answer=names.get(row["brand"], row["brand"]),
        proposal=said,
        agrees=False,
        score=row["score"],
        details=[(_("Set"), _(split))],
    )


@require_POST
@roles_allowed(*ENGINEERS)
def measure_releases(request: PageRequest) -> HttpResponse:
    """Have two releases evaluated on the same test sets."""
    form = CompareForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Name two releases."))
        return redirect("compare-releases")
    a, b = (form.cleaned_data[name] for name in ("a", "b"))
    return act(
        request,
        lambda: comparing.request_comparison(a=a, b=b, by=request.user),
        done=_("Both are being evaluated; the comparison is here when they are done."),
        to=f"{reverse('compare-releases')}?{_chosen(form)}",
        refusals=(JobError, InputError),
    )


@require_safe
@roles_allowed(*ENGINEERS)
def compare_image(request: PageRequest, sha256: str) -> HttpResponse:
    """What two releases' models see in one image, side by side, as far as that was asked for."""
    image = get_object_or_404(Image.objects.select_related("product"), sha256=sha256)
    form = CompareForm(request.GET)
    if not form.is_valid():
        return redirect("compare-releases")
    kind, label = form.cleaned_data["kind"], request.GET.get("label", "")
    sides = [_side(form.cleaned_data[name], kind, image, label) for name in ("a", "b")]
    states = [side["explanation"] and side["explanation"].state for side in sides]
    context = {
        "image": image,
        "sides": sides,
        "kind": kind,
        "label": label,
        "called": brand_names([label]).get(label, label),
        "asked": all(side["version"] is None or _is_asked(side) for side in sides),
        "pending": any(state in ACTIVE for state in states),
        "live": live(request, shown=states),
        "chosen": _chosen(form),
    }
    part = request.htmx.target == "maps"
    return render(request, "models/_maps.html" if part else "models/image.html", context)


def _side(release: Release, kind: str, image: Image, label: str) -> dict[str, Any]:
    version = getattr(release, kind)
    rows = Explanation.objects.filter(version=version, image=image, label=label)
    return {"release": release, "version": version, "explanation": rows.first()}


def _is_asked(side: dict[str, Any]) -> bool:
    explanation = side["explanation"]
    return explanation is not None and explanation.state not in ENDED_BADLY


def _chosen(form: CompareForm) -> str:
    """The form's fields as an address has them."""
    a, b, kind = (form.cleaned_data[name] for name in ("a", "b", "kind"))
    return urlencode({"a": a.number, "b": b.number, "kind": kind})


@require_POST
@roles_allowed(*ENGINEERS)
def explain_image(request: PageRequest, sha256: str) -> HttpResponse:
    """Have both models' heat maps drawn."""
    image = get_object_or_404(Image, sha256=sha256)
    form = CompareForm(request.POST)
    label = request.POST.get("label", "")
    if not form.is_valid() or not label:
        messages.error(request, _("Name two releases."))
        return redirect("compare-releases")
    kind = form.cleaned_data["kind"]
    versions = [getattr(form.cleaned_data[name], kind) for name in ("a", "b")]
    request_explanations(versions=filter(None, versions), image=image, label=label, by=request.user)
    address = reverse("compare-image", args=[sha256])
    return redirect(f"{address}?{_chosen(form)}&{urlencode({'label': label})}")


@require_safe
@roles_allowed(*ENGINEERS)
def release_download(request: PageRequest, number: int) -> HttpResponseBase:
    """A release as a zip, streamed."""
    release = get_object_or_404(Release, number=number)
    try:
        return zip_response(release)
    except (JobError, InputError) as refusal:
        messages.error(request, str(refusal))
        return redirect("release", number)
