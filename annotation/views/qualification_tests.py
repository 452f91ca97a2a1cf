"""A labeler's qualification tests, and the groups they are for."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.access import EVERYBODY, PageRequest, Role, roles_allowed
from annotation.brand_groups import testable_groups
from annotation.models import Brand, BrandGroup, TestAttempt
from annotation.qualification_tests import (
    ATTEMPTS,
    QualificationError,
    answer_item,
    current,
    item_at,
    options,
    remove_group,
    save_group,
    start_test,
)


@require_safe
@roles_allowed(*EVERYBODY)
def test(request: PageRequest, pk: int) -> HttpResponse:
    """A group's test: what it is, the item asked now, or what came of the last one."""
    group = get_object_or_404(BrandGroup, pk=pk)
    attempts = list(TestAttempt.objects.filter(user=request.user, group=group))
    attempt = attempts[0] if attempts else None
    context = {"group": group, "attempts": attempts, "most": ATTEMPTS}
    shown = request.GET.get("shown", "")
    if attempt and shown.isdecimal() and int(shown) < len(attempt.answers):
        return render(request, "tests/answered.html", context | _answered(attempt, int(shown)))
    item = current(attempt=attempt) if attempt else None
    if attempt is None or item is None:
        context |= {"passed": any(row.passed for row in attempts)}
        return render(request, "tests/start.html", context)
    return render(
        request,
        "tests/item.html",
        context
        | {
            "image": item.image,  # and nothing else of the item: its answer stays here
            "options": options(attempt=attempt, item=item),
            "position": len(attempt.answers),
            "number": len(attempt.answers) + 1,
            "of": len(attempt.items),
        },
    )


def _answered(attempt: TestAttempt, position: int) -> dict:
    item = item_at(attempt=attempt, position=position)
    said = attempt.answers[position]
    brand = Brand.objects.filter(key=said["brand"]).first() if said["brand"] else None
    return {
        "item": item,
        "said": said,
        "said_brand": brand,
        "number": position + 1,
        "of": len(attempt.items),
        "right": sum(answer["right"] for answer in attempt.answers),
        "attempt": attempt,
    }


@require_POST
@roles_allowed(*EVERYBODY)
def start(request: PageRequest, pk: int) -> HttpResponse:
    group = get_object_or_404(BrandGroup, pk=pk)
    try:
        start_test(user=request.user, group=group)
    except QualificationError as error:
        messages.error(request, str(error))
    return redirect("test", pk=pk)


@require_POST
@roles_allowed(*EVERYBODY)
def answer(request: PageRequest, pk: int) -> HttpResponse:
    """Answer the item asked; then it is explained."""
    group = get_object_or_404(BrandGroup, pk=pk)
    attempt = TestAttempt.objects.filter(user=request.user, group=group).first()
    position = request.POST.get("position", "")
    if attempt is None or not position.isdecimal():
        raise Http404
    try:
        answer_item(attempt=attempt, position=int(position), value=request.POST.get("answer", ""))
    except QualificationError as error:
        messages.error(request, str(error))
        return redirect("test", pk=pk)
    return redirect(f"{reverse('test', args=[pk])}?shown={position}")


@require_safe
@roles_allowed(Role.OPERATIONS)
def groups(request: PageRequest) -> HttpResponse:
    """All groups with their brands, and who passed."""
    ready = dict(testable_groups().values_list("pk", "gold"))
    rows = []
    for group in BrandGroup.objects.prefetch_related("brands", "attempts"):
        passed = {row.user_id for row in group.attempts.all() if row.passed}
        tried = {row.user_id for row in group.attempts.all()}
        chosen = {brand.pk for brand in group.brands.all()}
        rows.append(
            {
                "group": group,
                "ready": group.pk in ready,
                "passed": len(passed),
                "tried": len(tried),
                "chosen": chosen,
                "percent": round(100 * group.pass_share),
            }
        )
    context = {"rows": rows, "brands": list(Brand.objects.filter(state=Brand.State.LISTED))}
    return render(request, "tests/groups.html", context)


@require_POST
@roles_allowed(Role.OPERATIONS)
def group_save(request: PageRequest) -> HttpResponse:
    """Make a group, or change the one named by `group`."""
    pk = request.POST.get("group", "")
    group = get_object_or_404(BrandGroup, pk=int(pk)) if pk.isdecimal() else None
    keys = request.POST.getlist("brands")
    try:
        saved = save_group(
            group=group,
            name=request.POST.get("name", "")[:80],
            brands=list(Brand.objects.filter(key__in=keys)),
            questions=_number(request.POST.get("questions", "")),
            pass_share=_number(request.POST.get("percent", "")) / 100,
            by=request.user,
        )
    except QualificationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(name)s is saved.") % {"name": saved.name})
    return redirect("brand-groups")


@require_POST
@roles_allowed(Role.OPERATIONS)
def group_remove(request: PageRequest, pk: int) -> HttpResponse:
    group = get_object_or_404(BrandGroup, pk=pk)
    remove_group(group=group, by=request.user)
    messages.success(request, _("%(name)s is removed.") % {"name": group.name})
    return redirect("brand-groups")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else 0
