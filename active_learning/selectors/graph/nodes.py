"""What a graph of the loop is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from active_learning.models.jobs import Job

ENDED_BADLY = ("failed", "cancelled")
WAITING = "waiting"
NOT_NEEDED = "not_needed"


@dataclass(frozen=True)
class Node:
    """One thing that happens. `after`: keys of the nodes it follows; `page`: address of its row;
    `again`: the address that has it run again, "" where that would not be sound."""

    key: str
    title: str
    state: str = WAITING
    after: tuple[str, ...] = ()
    page: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    detail: str = ""
    error: str = ""
    again: str = ""
    again_words: str = ""


def job_node(*, node: Node, job: Job | None) -> Node:
    """The node with the state, times and error of its job; as it was where there is none yet."""
    if job is None:
        return node
    name = str(job._meta.model_name)
    is_over = job.state in ENDED_BADLY
    return replace(
        node,
        state=job.state,
        started=job.started_at,
        finished=job.finished_at,
        error=job.error,
        again=reverse("job-resume", args=[name, job.pk]) if is_over else "",
        again_words=_("Run it again") if is_over else "",
    )


def columns(nodes: Sequence[Node]) -> dict[str, tuple[int, int]]:
    """(column, row) of each node from 0: a column further than the last of those it follows, which
    come before it in `nodes`; rows in the order given."""
    places: dict[str, tuple[int, int]] = {}
    filled: dict[int, int] = {}
    for node in nodes:
        column = 1 + max((places[key][0] for key in node.after), default=-1)
        places[node.key] = (column, filled.get(column, 0))
        filled[column] = filled.get(column, 0) + 1
    return places


def shown(nodes: Iterable[Node]) -> list[list[Any]]:
    """What a change of shows on the page."""
    return [[node.key, node.state, node.detail, node.error] for node in nodes]
