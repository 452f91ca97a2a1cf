"""Settings of the gateway's own process: the platform's, with the gateway's way of a request."""

from webapp.settings import *  # noqa: F403

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "annotation.gateway.guard.Guard",
]
WSGI_APPLICATION = "webapp.gateway_wsgi.application"
