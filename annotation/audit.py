"""The audit log: every change to knowledge, labels and roles, written in the transaction of the
change itself, so that neither is there without the other."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchVector
from django.db.models import Model, Value
from django.http import HttpRequest

from annotation.models import AuditEntry, Label
from annotation.words import terms

# The request being answered; none in a worker or a command, where the platform itself acts.
_request: ContextVar[HttpRequest | None] = ContextVar("audited_request", default=None)
# What a label says, of its fields.
LABEL = ("answer", "brand", "risk", "attack", "has_logo", "boxes", "variation", "excluded")


def note(
    *,
    action: str,
    subject: Model,
    by: User | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    why: str = "",
) -> AuditEntry:
    """Write one change down. `before` and `after` hold the fields that changed, as JSON takes
    them; None stands for a thing that was not there. `by` is None for the platform itself."""
    called = str(subject)[:200]
    who = by.get_username() if by else ""
    said = " ".join([action, called, who, why, _flat(before), _flat(after)])
    return AuditEntry.objects.create(
        by=by,
        action=action,
        subject_type=subject._meta.model_name or "",
        subject_id=str(subject.pk),
        subject=called,
        before=None if before is None else dict(before),
        after=None if after is None else dict(after),
        why=why,
        words=SearchVector(Value(terms(said)), config="simple"),
    )


@contextmanager
def answering(request: HttpRequest) -> Iterator[None]:
    """Changes noted inside without a person of their own (accounts and roles, wherever they are
    changed) are by whoever sent `request`."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def actor() -> User | None:
    """Who sent the request being answered. Asked late: the API knows its person only when a view
    begins."""
    user = getattr(_request.get(), "user", None)
    return user if isinstance(user, User) and user.is_authenticated else None


def note_label_change(label: Label) -> AuditEntry | None:
    """Note a label that corrects or takes back another, or that a reviewer gave. A first answer is
    no change, and an import is nobody's."""
    previous = label.supersedes
    if label.source == Label.Source.IMPORT or (
        previous is None and label.source != Label.Source.AUDIT
    ):
        return None
    action = "retract" if label.retracted else "correct" if previous else "audit"
    return note(
        action=f"{action}_label",
        subject=label,
        by=label.by,
        before=_said(previous) if previous else None,
        after=None if label.retracted else _said(label),
    )


def _said(label: Label) -> dict[str, Any]:
    """What a label says, without what it leaves open."""
    values = {name: getattr(label, name) for name in LABEL}
    values["brand"] = label.brand.key if label.brand else None
    return {name: value for name, value in values.items() if value not in ("", None, [])} | (
        {"boxes": []} if label.boxes == [] else {}
    )


def _flat(values: Mapping[str, Any] | None) -> str:
    return " ".join(str(value)[:2000] for value in (values or {}).values())
