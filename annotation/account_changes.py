"""Accounts, roles and invitations into the audit log, wherever they are changed: our pages, the
admin site, a command. Signals, because no single verb is the only way to change them."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from annotation import audit
from annotation.models import Invitation

ACCOUNT = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser")
INVITATION = ("name", "role", "expires_at", "revoked_at", "accepted_at")
SECRET = "password"  # noqa: S105 - that it changed is noted, never what it was


def connect() -> None:
    """Begin to listen; again does nothing."""
    for signal, receiver, sender in (
        (m2m_changed, groups_changed, User.groups.through),
        (pre_save, before_save, User),
        (pre_save, before_save, Invitation),
        (post_save, after_save, User),
        (post_save, after_save, Invitation),
        (post_delete, deleted, User),
    ):
        signal.connect(receiver, sender=sender, dispatch_uid=f"audit {receiver.__name__} {sender}")


def groups_changed(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: set | None, **kwargs: Any
) -> None:
    """`user.groups` or `group.user_set` changed: one entry a person, roles before and after."""
    if kwargs.get("raw") or action not in ("post_add", "pre_remove", "pre_clear"):
        return
    people, groups = _both_ends(instance, reverse, pk_set)
    with transaction.atomic():
        for person in people:
            now = set(person.groups.values_list("name", flat=True))
            if action == "post_add":
                before, after = now - groups, now
            else:
                before, after = now, now - groups
            if before != after:
                audit.note(
                    action="change_roles",
                    subject=person,
                    by=audit.actor(),
                    before={"roles": sorted(before)},
                    after={"roles": sorted(after)},
                )


def _both_ends(instance: Any, reverse: bool, pk_set: set | None) -> tuple[Iterable[User], set[str]]:
    """The people and the names of the groups in question; no `pk_set`: all there are."""
    if reverse:
        people = instance.user_set.all() if pk_set is None else User.objects.filter(pk__in=pk_set)
        return list(people), {instance.name}
    groups = instance.groups.all() if pk_set is None else Group.objects.filter(pk__in=pk_set)
    return [instance], set(groups.values_list("name", flat=True))


def before_save(
    sender: Any, instance: Any, raw: bool, update_fields: Iterable[str] | None, **kwargs: Any
) -> None:
    """Remember what the row was. Logging in saves `last_login` alone, which is no change."""
    fields = _fields(sender)
    watched = set(fields) | ({SECRET} if sender is User else set())
    instance._audit_before = None
    if raw or (update_fields is not None and not watched & set(update_fields)):
        instance._audit_skip = True
        return
    instance._audit_skip = False
    if instance.pk:
        instance._audit_before = sender.objects.filter(pk=instance.pk).values(*watched).first()


def after_save(sender: Any, instance: Any, created: bool, **kwargs: Any) -> None:
    """Write down what changed, or that the row is new."""
    if instance._audit_skip:
        return
    name = sender._meta.model_name
    before, now = instance._audit_before, _values(instance, _fields(sender))
    if created or before is None:
        said = {key: value for key, value in now.items() if value not in ("", None, False)}
        action = "invite" if sender is Invitation else "create_account"
        by = audit.actor() or getattr(instance, "invited_by", None)
        audit.note(action=action, subject=instance, by=by, after=said)
        return
    secret = before.pop(SECRET, None)
    before = {key: _plain(value) for key, value in before.items()}
    changed = [key for key in now if now[key] != before[key]]
    old, new = {key: before[key] for key in changed}, {key: now[key] for key in changed}
    if secret is not None and secret != instance.password:
        old[SECRET], new[SECRET] = "…", "new"
    if new:
        action = "change_account" if name == "user" else "change_invitation"
        audit.note(action=action, subject=instance, by=audit.actor(), before=old, after=new)


def deleted(sender: Any, instance: User, **kwargs: Any) -> None:
    audit.note(
        action="delete_account",
        subject=instance,
        by=audit.actor(),
        before=_values(instance, ACCOUNT),
    )


def _fields(sender: Any) -> tuple[str, ...]:
    return INVITATION if sender is Invitation else ACCOUNT


def _values(instance: Any, fields: Iterable[str]) -> dict[str, Any]:
    return {name: _plain(getattr(instance, name)) for name in fields}


def _plain(value: Any) -> Any:
    """As JSON takes it."""
    return value.isoformat() if hasattr(value, "isoformat") else value
