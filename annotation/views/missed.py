"""Missed risks: the list, entering one, and a table of them."""

from dataclasses import dataclass, replace
from datetime import date

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.access import STAFF, PageRequest, Role, may, roles_allowed
from annotation.cards import Card
from annotation.csv_upload import BadRow, TableError, read_day
from annotation.listing import listing
from annotation.missed import Entered, Finding, MissedRiskError, enter_missed_risk, read_upload
from annotation.missed_filters import MissedRiskFilter
from annotation.missed_table import find_image, find_product, import_missed, read_truth
from annotation.models import Brand, MissedRisk
from annotation.models.label import Risk
from annotation.selectors import missed as selectors

WRITERS = (Role.OPERATIONS,)
CARDS = 48


@dataclass(frozen=True)
class Filled:
    """The form as it was sent, to be shown again when it does not fit."""

    brand: str = ""
    risk: str = ""
    channel: str = ""
    found_on: str = ""
    has_logo: str = ""
    note: str = ""
    image: str = ""
    product: str = ""


@require_safe
@roles_allowed(*STAFF)
def missed(request: PageRequest) -> HttpResponse:
    """What was missed, last found first, and where it went."""
    page = listing(
        request, queryset=selectors.missed_risks(), filters=MissedRiskFilter, per_page=CARDS
    )
    context = {
        "listing": page,
        "cards": [_card(row) for row in page.page],
        "totals": selectors.missed_totals(),
        "cutoff": settings.BUSINESS_CUTOFF,
        "may_enter": may(request.user, WRITERS),
    }
    return render(request, "missed/list.html", context)


def _card(row: MissedRisk) -> Card:
    image = row.image
    logo = {True: _("logo"), False: _("no logo"), None: ""}[row.has_logo]
    details = [
        (_("Found on"), row.found_on.isoformat()),
        (_("Split"), _(image.get_split_display())),
        *([(_("Logo"), logo)] if logo else []),
    ]
    return Card(
        image=image,
        title=row.note or (image.product.title if image.product else ""),
        answer=str(row.brand),
        reason=f"{_(row.get_risk_display())} · {_(row.get_channel_display())}",
        by=row.entered_by.get_username() if row.entered_by else "",
        at=row.created_at,
        details=details,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@roles_allowed(*WRITERS)
def enter(request: PageRequest) -> HttpResponse:
    """Enter one. What does not fit is said with everything typed still there; only a file has to
    be chosen again, browsers keep none."""
    if request.method != "POST":
        given = {name: request.GET.get(name, "") for name in ("image", "product", "brand")}
        return _form(request, Filled(found_on=timezone.localdate().isoformat(), **given))
    filled = Filled(**{name: request.POST.get(name, "").strip() for name in vars(Filled())})
    try:
        entered = _enter(request, filled)
    except (MissedRiskError, BadRow) as error:
        return _form(request, filled, error=str(error))
    _tell(request, [entered])
    onward = "missed-enter" if request.POST.get("again") else "missed"
    return redirect(onward)


def _enter(request: PageRequest, filled: Filled) -> Entered:
    brand = Brand.objects.filter(key=filled.brand).first()
    if brand is None:
        raise MissedRiskError(_("Choose the brand that was missed."))
    finding = Finding(
        brand=brand,
        risk=filled.risk,
        channel=filled.channel,
        found_on=read_day(filled.found_on, _("Found on")),
        has_logo=read_truth(filled.has_logo),
        note=filled.note,
    )
    sent = request.FILES.get("picture")
    product = find_product(filled.product) if filled.product else None
    if sent is not None and filled.image:
        raise MissedRiskError(_("Give one picture: a file, or one that is known already."))
    if sent is not None:
        upload = read_upload(sent)
        return enter_missed_risk(finding=finding, upload=upload, product=product, by=request.user)
    image = find_image(filled.image, product)
    return enter_missed_risk(finding=finding, image=image, by=request.user)


@require_POST
@roles_allowed(*WRITERS)
def import_table(request: PageRequest) -> HttpResponse:
    """A CSV file and the pictures it names: all rows or none."""
    sent = request.FILES.get("table")
    if sent is None:
        return _form(request, _today(), problems=[_("Choose a CSV file.")])
    try:
        entered = import_missed(
            table=sent.read(), pictures=request.FILES.getlist("pictures"), by=request.user
        )
    except TableError as error:
        return _form(request, _today(), problems=error.problems)
    _tell(request, entered)
    return redirect(reverse("missed"))


def _today() -> Filled:
    return Filled(found_on=timezone.localdate().isoformat())


def _tell(request: PageRequest, entered: list[Entered]) -> None:
    """How many went where, and plainly what stays elsewhere than its date would have put it."""
    count = len(entered)
    messages.success(
        request,
        ngettext("%(count)d missed risk entered.", "%(count)d missed risks entered.", count)
        % {"count": count},
    )
    for stays in dict.fromkeys(row.stays for row in entered if row.stays):
        number = sum(row.stays == stays for row in entered)
        messages.warning(request, stays if count == 1 else f"{number} × {stays}")


def _form(
    request: PageRequest, filled: Filled, *, error: str = "", problems: list[str] | None = None
) -> HttpResponse:
    if error and filled.found_on:
        filled = replace(filled, found_on=_day_or_nothing(filled.found_on))
    context = {
        "filled": filled,
        "error": error,
        "problems": problems or [],
        "brands": Brand.objects.exclude(state=Brand.State.RETIRED),
        "risks": [(risk.value, _(risk.label)) for risk in Risk],
        "channels": [(channel.value, _(channel.label)) for channel in MissedRisk.Channel],
        "cutoff": settings.BUSINESS_CUTOFF,
        "today": timezone.localdate(),
    }
    status = 400 if error or problems else 200
    return render(request, "missed/enter.html", context, status=status)


def _day_or_nothing(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return ""
