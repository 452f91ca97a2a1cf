"""The tasks a person could be handed now: one statement, because it is asked at every task of
everybody, and putting it together anew would take longer than answering it."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import connection

from annotation.brand_groups import barred_brands
from annotation.models import Task
from annotation.opinions import ASKED_AGAIN

TRIES = 5
# What they said under an older guideline does not keep people from being asked again. A label with
# a row in heldlabel does not count as an answer. An answer given a moment ago is on its way here
# from Label Studio: until it is a label, its task is as good as handed out.
FREE = """
FROM annotation_task t
WHERE t.kind = %(kind)s AND t.state = 'pushed' AND NOT t.is_gold AND t.only_for_id IS NULL
  AND NOT EXISTS (
      SELECT FROM annotation_assignment a
      WHERE a.task_id = t.id AND a.to_id = %(user)s AND a.state <> 'expired')
  AND NOT EXISTS (
      SELECT FROM annotation_label l
      WHERE l.image_id = t.image_id AND l.kind = t.kind AND l.by_id = %(user)s AND NOT l.retracted
        AND (t.strategy <> %(again)s OR l.created_at >= t.created_at)
        AND NOT EXISTS (SELECT FROM annotation_label n WHERE n.supersedes_id = l.id))
  AND (t.focus_brand_id IS NULL OR t.focus_brand_id <> ALL(%(brands)s::bigint[]))
  AND coalesce(t.proposal ->> 'brand', '') <> ALL(%(keys)s::text[])
  AND coalesce(t.proposal #>> '{candidates,0}', '') <> ALL(%(keys)s::text[])
  AND (
      SELECT count(*) FROM annotation_assignment a
      WHERE a.task_id = t.id AND a.expires_at > now() AND (a.state = 'open' OR (
          a.state = 'done' AND NOT EXISTS (
              SELECT FROM annotation_label l WHERE l.task_id = t.id AND l.by_id = a.to_id)))
    ) + (
      SELECT count(DISTINCT coalesce(l.by_id, -l.id)) FROM annotation_label l
      WHERE l.task_id = t.id AND NOT l.retracted
        AND NOT EXISTS (SELECT FROM annotation_label n WHERE n.supersedes_id = l.id)
        AND NOT EXISTS (SELECT FROM annotation_heldlabel h WHERE h.label_id = l.id)
    ) < t.answers_wanted
"""
# Among equally pressing ones a task of the brand last looked at: a batch keeps its brand.
NEXT = f"""
WITH last AS MATERIALIZED (
    SELECT t.focus_brand_id AS brand
    FROM annotation_assignment a JOIN annotation_task t ON t.id = a.task_id
    WHERE a.to_id = %(user)s AND t.kind = %(kind)s AND NOT t.is_gold
    ORDER BY a.created_at DESC LIMIT 1
), first AS MATERIALIZED (
    SELECT t.id, t.priority, t.focus_brand_id {FREE}
    ORDER BY t.priority DESC, t.created_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
), same_brand AS MATERIALIZED (
    SELECT t.id {FREE}
      AND (SELECT brand FROM last) IS DISTINCT FROM (SELECT focus_brand_id FROM first)
      AND t.priority = (SELECT priority FROM first)
      AND t.focus_brand_id = (SELECT brand FROM last)
    ORDER BY t.created_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
)
SELECT * FROM annotation_task
WHERE id = coalesce((SELECT id FROM same_brand), (SELECT id FROM first))
"""  # noqa: S608 - of our own constants


def lock_next(*, user: User, kind: str, barred: Mapping[int, str]) -> Task | None:
    """The one to hand out first, its row locked; rows others have locked are passed over, and
    tasks on `barred` brands (keys by id)."""
    values = _values(user, kind, barred)
    for _attempt in range(TRIES):
        task = next(iter(Task.objects.raw(NEXT, values)), None)
        # The row is ours now, but what was counted to choose it may be a moment old.
        if task is None or _first(
            f"SELECT 1 {FREE} AND t.id = %(task)s", {**values, "task": task.pk}
        ):
            return task
    return None


def count(*, user: User, kind: str) -> int:
    """How many there are."""
    values = _values(user, kind, barred_brands(user=user, kind=kind))
    return int(_first(f"SELECT count(*) {FREE}", values)[0])


def _values(user: User, kind: str, barred: Mapping[int, str]) -> dict[str, Any]:
    return {
        "kind": kind,
        "user": user.pk,
        "again": ASKED_AGAIN,
        "brands": list(barred),
        "keys": list(barred.values()),
    }


def _first(statement: str, values: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()
