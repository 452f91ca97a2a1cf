"""The roles as Django groups, and the permission every API route is checked by."""

from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from annotation.access import Role, may

if TYPE_CHECKING:  # rest_framework.views itself loads this module, by its name in the settings
    from rest_framework.views import APIView


class RolePermission(BasePermission):
    """A view's `roles` may read, its `write_roles` may change things; naming none closes it."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        named = "roles" if request.method in SAFE_METHODS else "write_roles"
        return may(request.user, getattr(view, named, ()))


def ensure_roles() -> list[str]:
    """Make the groups that are missing; administrators get every permission of the admin site.

    Returns the names of the groups made.
    """
    made = [role for role in Role if Group.objects.get_or_create(name=role)[1]]
    labels = [config.label for config in apps.get_app_configs()]
    administrators = Group.objects.get(name=Role.ADMIN)
    administrators.permissions.set(Permission.objects.filter(content_type__app_label__in=labels))
    return [str(role) for role in made]
