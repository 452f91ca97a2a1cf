"""Brands that are learned together: which tasks a person may not have before they passed a group's
test."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Coalesce

from annotation.models import BrandGroup, GoldItem, Task, TestAttempt

# An arrangement is the same whatever the brand: variation needs no test.
TESTED_KINDS = (Task.Kind.BRAND, Task.Kind.BOXES)
# As `groups_to_pass`; put together once, because it is asked at every task of everybody.
BARRED = """
SELECT b.id, b.key
FROM annotation_brandgroup g
JOIN annotation_brandgroup_brands m ON m.brandgroup_id = g.id
JOIN annotation_brand b ON b.id = m.brand_id
WHERE g.questions > 0
  AND NOT EXISTS (
      SELECT FROM annotation_testattempt a
      WHERE a.group_id = g.id AND a.user_id = %s AND a.passed)
  AND g.questions <= (
      SELECT count(*) FROM annotation_golditem i
      WHERE i.state = 'active' AND i.kind = 'brand' AND i.brand_id IN (
          SELECT brand_id FROM annotation_brandgroup_brands WHERE brandgroup_id = g.id))
"""


def testable_groups() -> QuerySet[Any]:
    """Groups with gold items enough to hold a test (`gold`: how many); the others ask for none."""
    usable = Q(brands__gold__state=GoldItem.State.ACTIVE, brands__gold__kind=Task.Kind.BRAND)
    counted = BrandGroup.objects.annotate(gold=Count("brands__gold", filter=usable, distinct=True))
    return counted.filter(gold__gte=F("questions"), questions__gt=0)


def groups_to_pass(*, user: User) -> QuerySet[BrandGroup]:
    """Groups whose test this person has still to pass."""
    passed = TestAttempt.objects.filter(group=OuterRef("pk"), user=user, passed=True)
    return testable_groups().filter(~Exists(passed))


def barred_brands(*, user: User, kind: str) -> dict[int, str]:
    """Keys by id of the brands this person must not be asked about yet."""
    if kind not in TESTED_KINDS:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(BARRED, [user.pk])
        return dict(cursor.fetchall())


def without_barred(*, tasks: QuerySet[Task], barred: Mapping[int, str]) -> QuerySet[Task]:
    """Those of `tasks` whose likely brands (the focus brand, what the model says first) are in no
    group, or in groups whose test the person passed: none of `barred_brands`."""
    if not barred:
        return tasks
    likely = {
        "_proposed": KeyTextTransform("brand", "proposal"),
        "_likeliest": KeyTextTransform(0, KeyTransform("candidates", "proposal")),
    }
    # Without a word where the proposal says nothing: NOT IN of nothing is neither true nor false.
    worded = {
        name: Coalesce(value, Value(""), output_field=CharField()) for name, value in likely.items()
    }
    keys = list(barred.values())
    return tasks.alias(**worded).filter(
        Q(focus_brand__isnull=True) | ~Q(focus_brand__in=list(barred)),
        ~Q(_proposed__in=keys),
        ~Q(_likeliest__in=keys),
    )


def groups_of(*, task: Task) -> list[int]:
    """Groups whose test has to be passed for a task."""
    if task.kind not in TESTED_KINDS:
        return []
    proposal = task.proposal
    keys = {proposal.get("brand"), *proposal.get("candidates", [])[:1]} - {None}
    named = Q(brands__key__in=keys)
    if task.focus_brand_id is not None:
        named |= Q(brands=task.focus_brand_id)
    groups = BrandGroup.objects.filter(named).values("pk")
    return list(testable_groups().filter(pk__in=groups).values_list("pk", flat=True))
