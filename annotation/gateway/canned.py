"""What the page asks for and does not need: answered by us, so that Label Studio, which would tell
other people's work, is not asked."""

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from annotation.gateway.guard import GatewayRequest
from annotation.gateway.replies import told

VIEW = {
    "id": 1,
    "data": {
        "title": "Default",
        "type": "list",
        "target": "tasks",
        "filters": {"conjunction": "and", "items": []},
        "ordering": [],
        "hiddenColumns": {"explore": [], "labeling": []},
        "columnsDisplayType": {},
        "columnsWidth": {},
        "gridWidth": 4,
    },
}

# The page shows it; what exactly is installed here is nobody's business.
VERSION = {
    "release": "1",
    "edition": "Community",
    "label-studio-os-package": {"version": "1", "short_version": "1"},
}


@require_safe
def tasks(request: GatewayRequest) -> HttpResponse:
    """No list of tasks: which one is next is not for the page to choose."""
    none = {"tasks": [], "total": 0, "total_annotations": 0, "total_predictions": 0}
    return told(none)


@require_safe
def nothing(request: GatewayRequest) -> HttpResponse:
    """Other people, machine-learning back ends, and the actions of the task list."""
    return told([])


@require_safe
def no_results(request: GatewayRequest) -> HttpResponse:
    return told({"count": 0, "next": None, "previous": None, "results": []})


@require_http_methods(["GET", "HEAD", "POST", "PUT", "PATCH"])
def views(request: GatewayRequest, view: int | None = None) -> HttpResponse:
    """One view of the task list, the same for everybody; changes to it are not kept."""
    if request.method in ("GET", "HEAD") and view is None:
        return told([VIEW])
    return told(VIEW)


@require_safe
def version(request: GatewayRequest) -> HttpResponse:
    return told(VERSION)


@require_safe
def worker(request: GatewayRequest) -> HttpResponse:
    """Label Studio's service worker keeps addresses of cloud storage, which are not used here."""
    return HttpResponse("// nothing to keep\n", content_type="text/javascript")
