"""The gateway to Label Studio: a process of its own, on a port of its own."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.gateway_settings"
application = get_wsgi_application()
