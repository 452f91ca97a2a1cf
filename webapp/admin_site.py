"""Django's admin site, open to our administrators."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from annotation.access import ADMINISTRATORS, may


class TouchstoneAdminSite(AdminSite):
    site_header = site_title = "Touchstone"

    def has_permission(self, request: HttpRequest) -> bool:
        return may(request.user, ADMINISTRATORS)
