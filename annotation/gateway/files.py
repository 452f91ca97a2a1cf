"""The program of Label Studio's page: scripts, styles, fonts."""

import re
from collections.abc import Iterator

import httpx
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from annotation.gateway.guard import GatewayRequest

CHUNK = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9_@.-]*(/[A-Za-z0-9_@-][A-Za-z0-9_@.-]*)*\.[a-z0-9]+")
TYPES = frozenset(
    [
        "js",
        "mjs",
        "css",
        "json",
        "map",
        "wasm",
        "svg",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "ico",
        "webp",
        "woff",
        "woff2",
        "ttf",
        "otf",
        "eot",
    ]
)
PASSED_ON = ("Content-Type", "Content-Length", "Last-Modified", "ETag", "Content-Encoding")
ASKED = ("If-Modified-Since", "If-None-Match")
DAY = "private, max-age=86400"


@require_safe
def static(request: GatewayRequest, folder: str, name: str) -> HttpResponseBase:
    """A file of the page's program. A name with anything unusual in it is not looked for."""
    if not _NAME.fullmatch(name) or name.rpartition(".")[2].lower() not in TYPES:
        raise Http404
    asked = {one: request.headers[one] for one in ASKED if one in request.headers}
    upstream = request.visitor.open("GET", f"/{folder}/{name}", headers=asked)
    if upstream.status_code not in (200, 304):
        upstream.close()
        raise Http404
    response: HttpResponseBase
    if upstream.status_code == 304 or request.method == "HEAD":
        upstream.close()
        response = HttpResponse(status=upstream.status_code)
    else:
        response = StreamingHttpResponse(_chunks(upstream))
    for header in PASSED_ON:
        if header in upstream.headers:
            response.headers[header] = upstream.headers[header]
    response.headers["Cache-Control"] = DAY
    return response


def _chunks(upstream: httpx.Response) -> Iterator[bytes]:
    try:
        yield from upstream.iter_raw(CHUNK)
    finally:
        upstream.close()
