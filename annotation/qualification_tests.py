"""The short test a labeler passes before tasks of a brand group come: gold items, each explained
after it was answered. What is right is known to the server alone until then."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit
from annotation.brand_groups import testable_groups
from annotation.gold_turns import draw
from annotation.models import Assignment, Brand, BrandGroup, GoldItem, Task, TestAttempt
from annotation.models.label import Answer

ATTEMPTS = 3
WITHIN = timedelta(days=1)
KEYS = "123456789"


class QualificationError(Exception):
    """A test that cannot be taken now, or an answer to nothing that was asked."""


@dataclass(frozen=True)
class Option:
    key: str
    answer: str
    brand: Brand | None

    @property
    def value(self) -> str:
        return self.brand.key if self.brand else f"@{self.answer}"


def start_test(*, user: User, group: BrandGroup) -> TestAttempt:
    """Begin a go at a group's test; the one that is under way, if any.

    Raises:
        QualificationError: it is passed already, tried too often, or lacks gold items.
    """
    attempts = TestAttempt.objects.filter(user=user, group=group)
    if under_way := attempts.filter(finished_at__isnull=True).first():
        return under_way
    if attempts.filter(passed=True).exists():
        raise QualificationError(_("You have passed this test."))
    if not testable_groups().filter(pk=group.pk).exists():
        raise QualificationError(_("This test is not ready yet; nothing waits for it."))
    if attempts.filter(started_at__gte=timezone.now() - WITHIN).count() >= ATTEMPTS:
        raise QualificationError(_("That was enough for today: look at the guidelines again."))
    try:
        with transaction.atomic():
            return TestAttempt.objects.create(user=user, group=group, items=_items(user, group))
    except IntegrityError:  # begun in another window at the same moment
        return attempts.get(finished_at__isnull=True)


def answer_item(*, attempt: TestAttempt, position: int, value: str) -> bool:
    """Answer the item at `position` (from 0) with an option's value. Returns whether it was right;
    one answered before keeps its first answer.

    Raises:
        QualificationError: that item is not what is asked, or no such option was offered.
    """
    with transaction.atomic():
        row = TestAttempt.objects.select_for_update().get(pk=attempt.pk)
        if 0 <= position < len(row.answers):
            return bool(row.answers[position]["right"])
        item = current(attempt=row)
        if item is None or position != len(row.answers):
            raise QualificationError(_("Another item is being asked."))
        picked = {option.value: option for option in options(attempt=row, item=item)}.get(value)
        if picked is None:
            raise QualificationError(_("Pick one of the answers."))
        right = (picked.answer, picked.brand) == (item.answer, item.brand)
        brand = picked.brand.key if picked.brand else None
        row.answers.append(
            {"gold": item.pk, "answer": picked.answer, "brand": brand, "right": right}
        )
        if len(row.answers) == len(row.items):
            _finish(row)
        row.save(update_fields=["answers", "passed", "finished_at"])
    attempt.refresh_from_db()
    return right


def current(*, attempt: TestAttempt) -> GoldItem | None:
    """The item that is asked now; None when all are answered."""
    place = len(attempt.answers)
    return item_at(attempt=attempt, position=place) if place < len(attempt.items) else None


def item_at(*, attempt: TestAttempt, position: int) -> GoldItem:
    items = GoldItem.objects.select_related("image", "brand")
    return items.get(pk=attempt.items[position])


def options(*, attempt: TestAttempt, item: GoldItem) -> list[Option]:
    """The answers on their keys: up to nine brands of the group, the right one among them."""
    brands = list(attempt.group.brands.order_by("pk"))
    if len(brands) > len(KEYS):
        brands.sort(key=lambda brand: (brand != item.brand, draw(attempt.pk, item.pk, brand.pk)))
        brands = sorted(brands[: len(KEYS)], key=lambda brand: brand.pk)
    keyed = [Option(key, Answer.BRAND, brand) for key, brand in zip(KEYS, brands, strict=False)]
    others = [("0", Answer.NONE), ("o", Answer.OTHER), ("u", Answer.UNSURE)]
    return keyed + [Option(key, answer, None) for key, answer in others]


def _items(user: User, group: BrandGroup) -> list[int]:
    """Items not met before, as far as there are; never one that was shown unseen among tasks."""
    hidden = Assignment.objects.filter(to=user, task__gold__isnull=False)
    gold = GoldItem.objects.filter(
        state=GoldItem.State.ACTIVE, kind=Task.Kind.BRAND, brand__in=group.brands.all()
    ).exclude(task__in=hidden.values("task"))
    earlier = {
        pk
        for items in TestAttempt.objects.filter(user=user).values_list("items", flat=True)
        for pk in items
    }
    goes = TestAttempt.objects.filter(user=user, group=group).count()
    ids = list(gold.values_list("pk", flat=True))
    ids.sort(key=lambda pk: (pk in earlier, draw("test", user.pk, goes, pk)))
    if not ids:
        raise QualificationError(_("There are no new items for this test; ask operations staff."))
    return ids[: group.questions]


def _finish(attempt: TestAttempt) -> None:
    share = sum(answer["right"] for answer in attempt.answers) / len(attempt.items)
    attempt.passed = share >= attempt.group.pass_share - 1e-9
    attempt.finished_at = timezone.now()
    audit.note(
        action="pass_test" if attempt.passed else "fail_test",
        subject=attempt,
        by=attempt.user,
        after={"share": round(share, 3), "items": len(attempt.items)},
    )


def save_group(
    *,
    group: BrandGroup | None,
    name: str,
    brands: list[Brand],
    questions: int,
    pass_share: float,
    by: User,
) -> BrandGroup:
    """Make or change a group.

    Raises:
        QualificationError: no name, one that is taken, or figures out of range.
    """
    name = name.strip()
    if not name:
        raise QualificationError(_("Give the group a name."))
    if not 1 <= questions <= 100 or not 0 < pass_share <= 1:
        raise QualificationError(_("Between 1 and 100 items, and a pass mark of 1 to 100 percent."))
    if BrandGroup.objects.filter(name=name).exclude(pk=group.pk if group else 0).exists():
        raise QualificationError(_("Another group has this name."))
    with transaction.atomic():
        before = _figures(group) if group else None
        group = group or BrandGroup()
        group.name, group.questions, group.pass_share = name, questions, pass_share
        group.save()
        group.brands.set(brands)
        audit.note(action="save_group", subject=group, by=by, before=before, after=_figures(group))
    return group


def remove_group(*, group: BrandGroup, by: User) -> None:
    """Ask no test for its brands any more; the attempts at it go with it."""
    with transaction.atomic():
        audit.note(action="remove_group", subject=group, by=by, before=_figures(group), after=None)
        group.delete()


def _figures(group: BrandGroup) -> dict:
    return {
        "name": group.name,
        "brands": sorted(group.brands.values_list("key", flat=True)),
        "questions": group.questions,
        "pass_share": group.pass_share,
    }
