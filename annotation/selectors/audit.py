"""Reads of the audit log, and what changed in an entry in words a person can read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from annotation.guideline_diff import Change as Kind
from annotation.guideline_diff import Line, compare_texts
from annotation.models import AuditEntry

LONG = 60  # characters: longer texts are compared word by word
MOST = 40  # differences shown of one entry

ACTIONS = {
    "draft": gettext_lazy("draft"),
    "edit": gettext_lazy("edit"),
    "submit": gettext_lazy("put up for review"),
    "return": gettext_lazy("back to draft"),
    "publish": gettext_lazy("publish"),
    "impact": gettext_lazy("weigh the impact"),
    "retire": gettext_lazy("retire"),
    "discard": gettext_lazy("discard"),
    "send_back": gettext_lazy("send back"),
    "cancel_return": gettext_lazy("cancel a return"),
    "correct_label": gettext_lazy("correct a label"),
    "retract_label": gettext_lazy("take a label back"),
    "audit_label": gettext_lazy("decide by audit"),
    "change_roles": gettext_lazy("change roles"),
    "create_account": gettext_lazy("create an account"),
    "change_account": gettext_lazy("change an account"),
    "delete_account": gettext_lazy("delete an account"),
    "invite": gettext_lazy("invite"),
    "change_invitation": gettext_lazy("change an invitation"),
    "enter_missed": gettext_lazy("enter a missed risk"),
    "import_licences": gettext_lazy("import licences"),
    "export_dataset": gettext_lazy("export a dataset"),
    "delete_export": gettext_lazy("delete an export"),
    "create_source": gettext_lazy("add a source"),
    "change_source": gettext_lazy("change a source"),
    "run_source": gettext_lazy("take a source in"),
    "cancel_source_run": gettext_lazy("cancel the taking in of a source"),
    "check_source": gettext_lazy("check a source"),
    "acknowledge": gettext_lazy("acknowledge"),
    "release_promoted": gettext_lazy("promote a release"),
    "release_rejected": gettext_lazy("turn a release down"),
    "release_rolled_back": gettext_lazy("roll back to a release"),
    "shadow_release": gettext_lazy("put a release in shadow"),
    "end_shadow": gettext_lazy("end a release's shadow early"),
}
SUBJECTS = {
    "guidelineversion": gettext_lazy("guideline"),
    "brand": gettext_lazy("brand"),
    "case": gettext_lazy("case"),
    "question": gettext_lazy("question"),
    "returnedtask": gettext_lazy("returned task"),
    "label": gettext_lazy("label"),
    "golditem": gettext_lazy("gold item"),
    "hold": gettext_lazy("hold"),
    "flag": gettext_lazy("flag"),
    "missedrisk": gettext_lazy("missed risk"),
    "merchant": gettext_lazy("merchant"),
    "source": gettext_lazy("source"),
    "user": gettext_lazy("account"),
    "invitation": gettext_lazy("invitation"),
    "brandgroup": gettext_lazy("brand group"),
    "datasetversion": gettext_lazy("dataset"),
    "alert": gettext_lazy("alert"),
    "release": gettext_lazy("release"),
}
# Names of fields as entries hold them, for the translators.
FIELDS = (
    gettext_noop("state"), gettext_noop("rules"), gettext_noop("not violations"),
    gettext_noop("least logo"), gettext_noop("change note"), gettext_noop("features"),
    gettext_noop("kind"), gettext_noop("text"), gettext_noop("registered"),
    gettext_noop("examples"), gettext_noop("regions"), gettext_noop("file"),
    gettext_noop("roles"), gettext_noop("username"), gettext_noop("email"),
    gettext_noop("is active"), gettext_noop("is staff"), gettext_noop("is superuser"),
    gettext_noop("password"), gettext_noop("answer"), gettext_noop("brand"),
    gettext_noop("risk"), gettext_noop("has logo"), gettext_noop("boxes"),
    gettext_noop("variation"), gettext_noop("labels"), gettext_noop("doubted"),
    gettext_noop("queued"), gettext_noop("again"), gettext_noop("channel"),
    gettext_noop("found on"), gettext_noop("split"), gettext_noop("name"),
    gettext_noop("licences"), gettext_noop("role"), gettext_noop("expires at"),
    gettext_noop("revoked at"), gettext_noop("accepted at"), gettext_noop("to"),
    gettext_noop("task"), gettext_noop("reply"), gettext_noop("verdict"), gettext_noop("reason"),
    gettext_noop("format"),
    gettext_noop("acknowledged by"),
    gettext_noop("champion"), gettext_noop("overridden"), gettext_noop("account"),
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One field of an entry: what it said before and after (None: it was not there). A long text
    is given as `lines` instead."""

    name: str
    before: str | None
    after: str | None
    lines: list[Line] = field(default_factory=list)


def entries() -> QuerySet[AuditEntry]:
    """The log, newest first, each entry with its person."""
    return AuditEntry.objects.select_related("by").defer("words")


def action_words(action: str) -> str:
    return str(ACTIONS.get(action) or action.replace("_", " "))


def subject_words(subject_type: str) -> str:
    return str(SUBJECTS.get(subject_type) or subject_type)


def kinds_of(column: str) -> list[str]:
    """The values of `action` or `subject_type` that there are. Walked from one to the next along
    its index: a DISTINCT would read the whole log."""
    found: list[str] = []
    rows = AuditEntry.objects.order_by(column).values_list(column, flat=True)
    while (value := rows.filter(**{f"{column}__gt": found[-1] if found else ""}).first()) and (
        len(found) < 100
    ):
        found.append(value)
    return found


def changes(entry: AuditEntry) -> tuple[list[Change], int]:
    """What differs between before and after, field by field, and how many more there are than are
    shown."""
    before, after = dict(_leaves(entry.before or {})), dict(_leaves(entry.after or {}))
    names = list(dict.fromkeys([*before, *after]))
    differing = [name for name in names if before.get(name) != after.get(name)]
    found = [_change(name, before.get(name), after.get(name)) for name in differing[:MOST]]
    return found, len(differing) - len(found)


def _change(name: tuple[str, ...], before: Any, after: Any) -> Change:
    called = " › ".join(_(part.replace("_", " ")) for part in name)
    old, new = _text(before), _text(after)
    if old and new and max(len(old), len(new)) > LONG:
        return Change(
            called,
            None,
            None,
            [line for line in compare_texts(old, new) if line.change != Kind.SAME],
        )
    return Change(called, old, new)


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every plain value with the way to it; lists of plain values are one. Places in a list are
    counted from 1."""
    if not path and not value:
        return  # there was nothing at all
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, str(name)))
    elif isinstance(value, list) and any(isinstance(inner, Mapping | list) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _leaves(inner, (*path, str(number)))
    else:
        yield path, value


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | Mapping):
        return ", ".join(str(inner) for inner in value) or "–"
    return str(value) or "–"
