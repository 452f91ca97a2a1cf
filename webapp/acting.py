"""Tells the audit log who is acting, for changes that no verb of ours is asked for."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from annotation.audit import answering


class ActingUser:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with answering(request):
            return self.get_response(request)
