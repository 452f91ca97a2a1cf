from django.contrib import admin
from django.contrib.admin.apps import AdminConfig


class TouchstoneAdminConfig(AdminConfig):
    default_site = "webapp.admin_site.TouchstoneAdminSite"

    def ready(self) -> None:
        super().ready()
        # A token is shown once, to whom it belongs; the admin site would list them all.
        from rest_framework.authtoken.models import TokenProxy

        admin.site.unregister(TokenProxy)
