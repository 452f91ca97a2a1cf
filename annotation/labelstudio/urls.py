from django.urls import path

from annotation.files import serve
from annotation.labelstudio.inbox import webhook

urlpatterns = [
    path("labelstudio/webhook/", webhook, name="label-studio-webhook"),
    path("files/<path:name>", serve, name="file"),
]
