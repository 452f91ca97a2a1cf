"""What we add to Label Studio's labelling page: work without a mouse, and brands found by typing
(`static/js/labelling.js`)."""

from pathlib import Path

from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.http import FileResponse, Http404, HttpResponse
from django.views.decorators.http import require_safe

from annotation.gateway.guard import GatewayRequest
from annotation.gateway.replies import told
from annotation.labelstudio.guideline import brand_title
from annotation.models import Brand

FILES = {"labelling.js": "js/labelling.js", "labelling.css": "labelling.css"}
TAGS = (
    '<link rel="stylesheet" href="/touchstone/labelling.css">'
    '<script defer src="/touchstone/labelling.js"></script>'
)
HEAD = "</head>"
BRANDS_KEY, BRANDS_SECONDS = "gateway:brands", 60


def add_to(page: str) -> str:
    """A page of Label Studio's with our script and style in its head.

    Raises:
        ValueError: it has no head, and labelers would be without their keys.
    """
    if HEAD not in page:
        raise ValueError("Label Studio's page has no head to put the keyboard's script in")
    return page.replace(HEAD, TAGS + HEAD, 1)


@require_safe
def file(request: GatewayRequest, name: str) -> FileResponse:
    """The script and the style."""
    found = finders.find(FILES[name]) if name in FILES else None
    if not found:
        raise Http404
    response = FileResponse(Path(found).open("rb"))  # noqa: SIM115 - the response closes it
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@require_safe
def brands(request: GatewayRequest) -> HttpResponse:
    """All names by which a listed brand may be typed."""
    known = cache.get(BRANDS_KEY)
    if known is None:
        known = [_names(brand) for brand in Brand.objects.filter(state=Brand.State.LISTED)]
        cache.set(BRANDS_KEY, known, BRANDS_SECONDS)
    return told({"brands": known})


def _names(brand: Brand) -> dict:
    """`name` is what is written into the answer: a name by which the parser finds the brand."""
    names = [brand.name_en, brand.name_zh, brand.key, *brand.aliases]
    return {
        "name": brand.name_en,
        "title": brand_title(brand),
        "names": [name for name in names if name],
    }
