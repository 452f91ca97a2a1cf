"""The shapes of an answer: as Label Studio's page reads them, or as a person does."""

import json
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

BODY_BYTES = 1_000_000  # of an answer: some thousand boxes


def told(content: Any, *, status: int = 200) -> JsonResponse:
    """JSON that nobody stores."""
    response = JsonResponse(content, safe=False, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def refused(request: HttpRequest, *, status: int, says: str) -> HttpResponse:
    """A refusal in one sentence: JSON for the page's own requests, else a page."""
    if request.path_info.startswith("/api/"):
        return told({"status_code": status, "detail": says}, status=status)
    context = {"says": says, "home": settings.PUBLIC_URL}
    return HttpResponse(render_to_string("gateway/refused.html", context), status=status)


def body_of(request: HttpRequest) -> dict[str, Any]:
    """The JSON object a request carries. Raises BadRequest."""
    if request.content_type != "application/json":
        raise BadRequest("an answer is sent as application/json")
    if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_BYTES:
        raise BadRequest(f"an answer has at most {BODY_BYTES:,} bytes")
    try:
        content = json.loads(request.body)
    except ValueError as error:
        raise BadRequest("the answer is not JSON") from error
    if not isinstance(content, dict):
        raise BadRequest("the answer is not a JSON object")
    return content
