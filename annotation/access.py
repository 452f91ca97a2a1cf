"""Who may open what. A view names its roles; `webapp.middleware` and `webapp.roles` hold it to
them, and a view that names none is closed to everybody."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

View = TypeVar("View", bound=Callable)


class PageRequest(HttpRequest):
    """A request as the middleware lets it through to a page: somebody is logged in."""

    user: User
    htmx: HtmxDetails


class Role(StrEnum):
    """The Django groups that count. An administrator (or superuser) may do everything."""

    LABELER = "labeler"
    OPERATIONS = "operations"
    ML_ENGINEER = "ml_engineer"
    ADMIN = "admin"


EVERYBODY = tuple(Role)
STAFF = (Role.OPERATIONS, Role.ML_ENGINEER)
ENGINEERS = (Role.ML_ENGINEER,)
ADMINISTRATORS = (Role.ADMIN,)


def roles_allowed(*roles: Role) -> Callable[[View], View]:
    """Name the roles a view is open to, and administrators with them."""

    def declare(view: View) -> View:
        view.roles = roles  # type: ignore[attr-defined]
        return view

    return declare


def roles_of(user: AbstractBaseUser | AnonymousUser) -> frozenset[Role]:
    """A person's roles; read once a request."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    known: frozenset[Role] | None = getattr(user, "_roles", None)
    if known is None:
        names = set(Group.objects.filter(user=user.pk).values_list("name", flat=True))
        if getattr(user, "is_superuser", False):
            names.add(Role.ADMIN)
        known = frozenset(role for role in Role if role in names)
        setattr(user, "_roles", known)  # noqa: B010 - our note on Django's object
    return known


def may(user: AbstractBaseUser | AnonymousUser, roles: Iterable[Role]) -> bool:
    """Whether one of a person's roles is among `roles`."""
    held = roles_of(user)
    return Role.ADMIN in held or not held.isdisjoint(roles)
