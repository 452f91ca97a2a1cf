"""Files of the storage at stable, signed addresses: Label Studio's pages and ours show images by
them, and an address that expires would break a task that waits."""

import hashlib
import io
import json
import mimetypes
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponseNotFound
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.http import require_safe
from PIL import Image as Picture
from PIL import ImageDraw

EXAMPLE_SIDE = 320  # pixels; shown at half of it
RED = (224, 36, 36)


def signature(*, name: str) -> str:
    return salted_hmac("annotation.files", name, algorithm="sha256").hexdigest()[:32]


def signed_url(*, name: str) -> str:
    """The path at which the file `name` of the default storage is served; it never expires."""
    return f"/files/{quote(name)}?s={signature(name=name)}"


def absolute_url(*, name: str) -> str:
    """As `signed_url`, with the public host: for pages of another origin."""
    return settings.PUBLIC_URL + signed_url(name=name)


@require_safe
def serve(request: HttpRequest, name: str) -> HttpResponseBase:
    """A stored image, to whoever holds its signed address."""
    missing = HttpResponseNotFound("no such picture", content_type="text/plain")
    if not constant_time_compare(request.GET.get("s", ""), signature(name=name)):
        return missing
    content_type = mimetypes.guess_type(name)[0] or ""
    # Only pictures, and none that can carry a script.
    if not content_type.startswith("image/") or content_type.startswith("image/svg"):
        return missing
    try:
        file = default_storage.open(name)
    except (FileNotFoundError, IsADirectoryError, SuspiciousFileOperation):
        return missing
    response = FileResponse(file, content_type=content_type)
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def boxed_picture(*, file: str, regions: Sequence[Mapping[str, float]]) -> str:
    """The storage name of a picture with regions {x1, y1, x2, y2} in pixels boxed in red; drawn
    on first use.

    Raises FileNotFoundError when the picture itself is gone.
    """
    drawn = json.dumps([file, list(regions), EXAMPLE_SIDE], sort_keys=True)
    digest = hashlib.sha256(drawn.encode()).hexdigest()[:24]
    name = str(PurePosixPath("examples") / f"{digest}.jpg")
    if default_storage.exists(name):
        return name
    content = ContentFile(_draw_boxes(file, regions))
    stored = default_storage.save(name, content)
    if stored != name:  # another process drew the same picture meanwhile
        default_storage.delete(stored)
    return name


def _draw_boxes(file: str, regions: Sequence[Mapping[str, float]]) -> bytes:
    with default_storage.open(file) as stored, Picture.open(stored) as opened:
        picture = opened.convert("RGB")
    scale = EXAMPLE_SIDE / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height))
    draw = ImageDraw.Draw(picture)
    for region in regions:
        corners = [region[side] * scale for side in ("x1", "y1", "x2", "y2")]
        draw.rectangle(corners, outline=RED, width=4)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()
