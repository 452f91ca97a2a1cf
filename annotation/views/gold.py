"""Gold items: which there are, how they are answered, adding and retiring them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.access import PageRequest, Role, roles_allowed
from annotation.filters import GoldFilter
from annotation.gold import GoldError, add_gold, retire_gold
from annotation.labels import Content
from annotation.listing import listing
from annotation.models import Brand, GoldItem, Image, Task
from annotation.models.label import Answer, Variation
from annotation.selectors import gold as selectors

PER_PAGE = 30


@require_safe
@roles_allowed(Role.OPERATIONS)
def gold(request: PageRequest) -> HttpResponse:
    """All gold items with their history."""
    page = listing(request, queryset=selectors.items(), filters=GoldFilter, per_page=PER_PAGE)
    context = {
        "listing": page,
        "rows": selectors.rows(found=list(page.page)),
        "brands": list(Brand.objects.filter(state=Brand.State.LISTED)),
        "image": request.GET.get("image", ""),
        "variations": Variation.values,
    }
    return render(request, "gold/list.html", context)


@require_POST
@roles_allowed(Role.OPERATIONS)
def add(request: PageRequest) -> HttpResponse:
    """Make an image gold, named by (the beginning of) its checksum."""
    sha256 = request.POST.get("image", "").strip().lower()
    named = Image.objects.filter(sha256__startswith=sha256)
    images = list(named[:2]) if len(sha256) >= 8 else []
    if len(images) != 1:
        messages.error(request, _("Name one image by the first 8 or more signs of its checksum."))
        return redirect("gold")
    kind, content = _content(request)
    explanation = request.POST.get("explanation", "")
    try:
        add_gold(
            image=images[0], kind=kind, content=content, explanation=explanation, by=request.user
        )
    except GoldError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It is gold now and comes up unseen."))
    return redirect("gold")


def _content(request: PageRequest) -> tuple[str, Content]:
    said = request.POST.get("answer", "")
    if said.startswith("variation:"):
        return Task.Kind.VARIATION, Content(variation=said.removeprefix("variation:"))
    if said.startswith("@"):
        return Task.Kind.BRAND, Content(answer=said[1:])
    brand = Brand.objects.filter(key=said).first()
    return Task.Kind.BRAND, Content(answer=Answer.BRAND if brand else "", brand=brand)


@require_POST
@roles_allowed(Role.OPERATIONS)
def retire(request: PageRequest, pk: int) -> HttpResponse:
    item = get_object_or_404(GoldItem, pk=pk)
    try:
        retire_gold(item=item, by=request.user, why=request.POST.get("why", ""))
    except GoldError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It comes up no more."))
    return redirect("gold")
