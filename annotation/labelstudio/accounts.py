"""Label Studio users: the platform's own, and one for each person who labels."""

import secrets
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from annotation.labelstudio.client import Client, LabelStudioError
from annotation.models import LabelStudioAccount

_owner: dict[tuple, Client] = {}


def owner_client() -> Client:
    """The platform's own access, kept for the life of the process.

    Raises LabelStudioError when neither a token nor e-mail and password are set.
    """
    key = (
        settings.LABEL_STUDIO_URL,
        settings.LABEL_STUDIO_TOKEN,
        settings.LABEL_STUDIO_EMAIL,
        settings.LABEL_STUDIO_PASSWORD,
    )
    if not any(key[1:]):
        raise LabelStudioError(
            "set LABEL_STUDIO_TOKEN, or LABEL_STUDIO_EMAIL and LABEL_STUDIO_PASSWORD", retry=False
        )
    if key not in _owner:
        _owner[key] = Client(base_url=key[0], token=key[1], email=key[2], password=key[3])
    return _owner[key]


def client_of(*, account: LabelStudioAccount) -> Client:
    """Access as a labeler; the caller closes it."""
    return Client(
        base_url=settings.LABEL_STUDIO_URL, email=account.email, password=account.password
    )


def ensure_owner() -> LabelStudioAccount:
    """The row of the platform's own Label Studio user, whose answers are nobody's."""
    who = owner_client().get("/api/current-user/whoami")
    with transaction.atomic():
        LabelStudioAccount.objects.filter(remote_id=who["id"], owner=False).update(remote_id=None)
        account, _ = LabelStudioAccount.objects.update_or_create(
            owner=True, defaults={"email": who["email"], "remote_id": who["id"]}
        )
    return account


def ensure_account(*, user: User) -> LabelStudioAccount:
    """The Label Studio user of one of our users, made by invitation when there is none yet or
    Label Studio no longer knows it. Raises LabelStudioError."""
    # The row comes first: a user made and then not written down could never be entered again.
    account, _ = LabelStudioAccount.objects.get_or_create(
        user=user,
        defaults={
            "email": f"labeler-{user.pk}-{secrets.token_hex(4)}@touchstone.invalid",
            "password": secrets.token_urlsafe(24),
        },
    )
    remote_id = _whoami(account)
    if remote_id is None:
        _sign_up(account)
        remote_id = _whoami(account)
    if remote_id is None:
        raise LabelStudioError(f"{account.email} was invited but may not log in", retry=False)
    if account.remote_id != remote_id:
        with transaction.atomic():
            # A wiped Label Studio counts its users from one again.
            LabelStudioAccount.objects.filter(remote_id=remote_id).update(remote_id=None)
            account.remote_id = remote_id
            account.save(update_fields=["remote_id"])
    return account


def _whoami(account: LabelStudioAccount) -> int | None:
    with client_of(account=account) as client:
        try:
            return int(client.get("/api/current-user/whoami")["id"])
        except LabelStudioError as error:
            if error.status == 401:
                return None
            raise


def _sign_up(account: LabelStudioAccount) -> None:
    # The link may name a public address that is not ours to reach: only its path counts.
    link = urlsplit(owner_client().get("/api/invite")["invite_url"])
    with Client(base_url=settings.LABEL_STUDIO_URL) as visitor:
        visitor.form(
            f"{link.path}?{link.query}",
            {
                "email": account.email,
                "password": account.password,
                "allow_newsletters": "false",
                "how_find_us": "Other",
            },
        )
