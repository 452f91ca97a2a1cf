"""Pictures that people send: decoded whole before they are kept, named by what they hold."""

import hashlib
import io
import re
from dataclasses import dataclass

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from PIL import Image as Picture
from PIL import ImageOps

from annotation.ingest.decode import ORIENTATION, Refusal, decode
from annotation.ingest.storing import stored_name

LARGEST = 20_000_000  # bytes
UPRIGHT_FORMAT = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


class UploadError(Exception):
    """Why a picture was not taken, in one line."""


@dataclass(frozen=True)
class StoredPicture:
    """Its name in the default storage, and its size in pixels."""

    file: str
    width: int
    height: int


def store_picture(*, upload: File, folder: str) -> StoredPicture:
    """Keep a picture as `folder`/…/<sha256>.<extension>; the same picture twice is kept once.

    Raises:
        UploadError: too large, damaged, too many pixels, or of a kind that browsers do not show
            as a plain picture (SVG among them). Nothing is kept then.
    """
    called = _printable(upload.name)
    data = upload.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UploadError(
            _("%(name)s: larger than %(most)d MB") % {"name": called, "most": LARGEST // 1_000_000}
        )
    try:
        picture = decode(data)
        if turned := _turned(data, picture.extension):
            data, picture = turned, decode(turned)
    except Refusal as refusal:
        raise UploadError(f"{called}: {refusal}") from refusal
    name = stored_name(folder, hashlib.sha256(data).hexdigest(), picture.extension)
    if not default_storage.exists(name):
        stored = default_storage.save(name, ContentFile(data))
        if stored != name:  # another upload of the same picture came first
            default_storage.delete(stored)
    return StoredPicture(name, picture.width, picture.height)


def _turned(data: bytes, extension: str) -> bytes | None:
    """A photo held on its side, turned for good: regions are drawn on what people see, and not
    everything that shows the picture later reads its orientation. None when it is upright."""
    if extension not in UPRIGHT_FORMAT:
        return None
    with Picture.open(io.BytesIO(data)) as opened:
        if opened.getexif().get(ORIENTATION, 1) == 1:
            return None
        turned = ImageOps.exif_transpose(opened)
    out = io.BytesIO()
    turned.save(out, UPRIGHT_FORMAT[extension], quality=95)
    return out.getvalue()


def _printable(name: str | None) -> str:
    """A file's name as far as it fits into one line of a message."""
    plain = re.sub(r"[\x00-\x1f\x7f]", "", name or "")
    return plain[:80] or _("the picture")
