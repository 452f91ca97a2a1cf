"""How people come in: a link made for one person, by which they make their own account."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit
from annotation.access import ADMINISTRATORS, Role, may
from annotation.models import Invitation

VALID_FOR = timedelta(days=7)


class InvitationError(Exception):
    """An invitation that may not be made, or no longer leads anywhere."""


def invitable_roles(*, by: User) -> tuple[Role, ...]:
    """The roles a person may invite others to: operations staff labelers only."""
    return tuple(Role) if may(by, ADMINISTRATORS) else (Role.LABELER,)


def invite(*, name: str, role: str, by: User) -> tuple[Invitation, str]:
    """Make an invitation. Returns it and its token, which is kept nowhere.

    Raises:
        InvitationError: no name, or a role that `by` may not give.
    """
    name = " ".join(name.split())
    if not name or len(name) > 150:
        raise InvitationError(_("Say who the invitation is for, in at most 150 letters."))
    if role not in invitable_roles(by=by):
        raise InvitationError(_("Only an administrator may invite to this role."))
    token = secrets.token_urlsafe(32)
    # Written down in the audit log by `account_changes`, as every new account and role is.
    invitation = Invitation.objects.create(
        token_hash=_hash(token),
        name=name,
        role=role,
        invited_by=by,
        expires_at=timezone.now() + VALID_FOR,
    )
    return invitation, token


def revoke(*, invitation: Invitation, by: User) -> None:
    """Take an invitation back.

    Raises:
        InvitationError: it was accepted or taken back meanwhile.
    """
    with transaction.atomic():
        moved = Invitation.objects.filter(
            pk=invitation.pk, accepted_at=None, revoked_at=None
        ).update(revoked_at=timezone.now())
        if not moved:
            raise InvitationError(_("It was accepted or taken back meanwhile."))
        audit.note(action="revoke_invitation", subject=invitation, by=by)


def find(*, token: str) -> Invitation:
    """The invitation a token stands for.

    Raises:
        InvitationError: there is none, or it no longer holds.
    """
    invitation = Invitation.objects.filter(token_hash=_hash(token)).first()
    if invitation is None or invitation.revoked_at or invitation.expires_at <= timezone.now():
        raise InvitationError(
            _("This invitation does not hold any more. Ask whoever sent it for a new one.")
        )
    if invitation.accepted_at:
        raise InvitationError(_("This invitation was used already: log in instead."))
    return invitation


def accept(*, token: str, username: str, password: str) -> User:
    """Make the account, with the role of the invitation. `password` has been validated.

    Raises:
        InvitationError: as `find`, or the name was taken a moment ago.
    """
    try:
        with transaction.atomic():
            invitation = Invitation.objects.select_for_update().get(pk=find(token=token).pk)
            find(token=token)  # as it is now that nobody else can use it
            user = User.objects.create_user(username, password=password, first_name=invitation.name)
            user.groups.add(Group.objects.get_or_create(name=invitation.role)[0])
            invitation.user, invitation.accepted_at = user, timezone.now()
            invitation.save(update_fields=["user", "accepted_at"])
            audit.note(
                action="accept_invitation",
                subject=user,
                by=user,
                after={"roles": [invitation.role], "invitation": str(invitation.pk)},
            )
    except IntegrityError as error:
        raise InvitationError(_("This user name has been taken.")) from error
    return user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
