"""Who works here, and as what."""

from collections.abc import Iterable

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils.translation import gettext as _

from annotation import audit
from annotation.access import ADMINISTRATORS, Role, may
from annotation.gateway import upstream
from annotation.models import Assignment


class PeopleError(Exception):
    """A change that this person may not make, or that would lock everybody out."""


def may_change(*, user: User, by: User) -> bool:
    """Administrators change everybody but themselves; operations staff labelers."""
    if user.pk == by.pk:
        return False
    roles = _roles(user)
    return may(by, ADMINISTRATORS) or (roles <= {Role.LABELER} and not user.is_superuser)


def deactivate(*, user: User, by: User) -> int:
    """End a person's access at once: log-in, API token, gateway. What they were handed is free
    again; what they answered stays. Returns how many tasks were freed.

    Raises PeopleError.
    """
    _check(user, by)
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
            audit.note(
                action="deactivate",
                subject=user,
                by=by,
                before={"active": True},
                after={"active": False},
            )
        freed = Assignment.objects.filter(to=user, state=Assignment.State.OPEN).update(
            state=Assignment.State.EXPIRED
        )
    upstream.forget(user=user)
    return freed


def activate(*, user: User, by: User) -> None:
    """Let a person in again. Raises PeopleError."""
    _check(user, by)
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            audit.note(
                action="activate",
                subject=user,
                by=by,
                before={"active": False},
                after={"active": True},
            )


def set_roles(*, user: User, roles: Iterable[str], by: User) -> None:
    """Give a person these roles and no others.

    Raises:
        PeopleError: `by` is no administrator, or it is their own account, or a role is unknown.
    """
    wanted = set(roles)
    if not may(by, ADMINISTRATORS):
        raise PeopleError(_("Only an administrator gives roles."))
    _check(user, by)
    if not wanted <= set(Role):
        raise PeopleError(_("There is no such role."))
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        others = user.groups.exclude(name__in=list(Role))
        # `account_changes` writes it down in the audit log.
        user.groups.set(
            [*others, *(Group.objects.get_or_create(name=role)[0] for role in sorted(wanted))]
        )


def _check(user: User, by: User) -> None:
    if user.pk == by.pk:
        raise PeopleError(_("You cannot change your own access; another administrator can."))
    if not may_change(user=user, by=by):
        raise PeopleError(_("Only an administrator may change staff."))


def _roles(user: User) -> set[str]:
    return set(user.groups.filter(name__in=list(Role)).values_list("name", flat=True))
