"""A guideline as one zip file, to move between installations: `guideline.json` and the example
pictures it names."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from annotation.guideline_content import Content, ContentError, as_json, content_of, read_content
from annotation.guidelines import begin_draft, check_no_open_draft
from annotation.ingest.decode import Refusal, decode
from annotation.models import Brand, GuidelineVersion
from annotation.selectors.guidelines import FOLDER
from annotation.uploads import UploadError, store_picture

FORMAT = "touchstone-guideline/1"
CONTENT = "guideline.json"
PICTURE = re.compile(r"pictures/[0-9a-f]{64}\.(jpg|png|webp|gif|bmp|avif)")
LARGEST_FILE = 60_000_000  # bytes, as sent
LARGEST_UNPACKED = 200_000_000
LARGEST_CONTENT = 5_000_000
MOST_ENTRIES = 500


class GuidelineFileError(Exception):
    """Why a file was not taken, in one line. Nothing of it was."""


def export_guideline(*, version: GuidelineVersion) -> bytes:
    """A version as a zip file.

    Raises:
        GuidelineFileError: an example picture is gone from the storage.
    """
    content = content_of(version)
    pictures = {file: _picture_inside(file) for file in sorted(_files(content))}
    inside = {file: name for file, (name, _data) in pictures.items()}
    brand = version.brand
    document = {
        "format": FORMAT,
        "brand": {"key": brand.key, "name_en": brand.name_en, "name_zh": brand.name_zh},
        "number": version.number,
        "state": version.state,
        **as_json(_renamed(content, inside)),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CONTENT, json.dumps(document, ensure_ascii=False, indent=2))
        for name, data in sorted(set(pictures.values())):
            archive.writestr(name, data, zipfile.ZIP_STORED)
    return out.getvalue()


def import_guideline(*, brand: Brand, upload: File, by: User) -> GuidelineVersion:
    """Make what a zip file says the brand's next draft.

    Raises:
        GuidelineFileError: it is not such a file, or anything in it is not as it should be.
        GuidelineError: the brand has an open draft already.
    """
    document, pictures = _read_archive(upload)
    # Checked whole, against pictures that are not stored yet.
    sizes = {name: _size(name, data) for name, data in pictures.items()}

    def resolve(names: Iterable[str]) -> dict[str, tuple[str, int, int]]:
        return {name: sizes[name] for name in names if name in sizes}

    try:
        content = read_content(document, resolve=resolve)
        check_no_open_draft(brand=brand)
        stored = {name: _store(name, pictures[name]) for name in sorted(_files(content))}
    except (ContentError, UploadError) as error:
        raise GuidelineFileError(str(error)) from error
    return begin_draft(brand=brand, by=by, content=_renamed(content, stored))


def _files(content: Content) -> set[str]:
    return {example.file for feature in content.features for example in feature.examples}


def _renamed(content: Content, names: Mapping[str, str]) -> Content:
    """The same with its example pictures under other names."""
    features = [
        replace(
            feature,
            examples=[replace(example, file=names[example.file]) for example in feature.examples],
        )
        for feature in content.features
    ]
    return replace(content, features=features)


def _store(name: str, data: bytes) -> str:
    return store_picture(upload=ContentFile(data, name=name), folder=FOLDER).file


def _read_archive(upload: File) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The document and its pictures by name, read into memory: nothing is ever unpacked."""
    data = upload.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise GuidelineFileError(_("larger than %(most)d MB") % {"most": LARGEST_FILE // 1_000_000})
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_names(archive)
            document = _document(_read(archive, CONTENT, LARGEST_CONTENT))
            room = LARGEST_UNPACKED
            pictures = {}
            for name in archive.namelist():
                if name != CONTENT:
                    pictures[name] = _read(archive, name, room)
                    room -= len(pictures[name])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise GuidelineFileError(_("not a readable zip file")) from error
    except Exception as error:
        # zlib, lzma and bz2 each have errors of their own for damaged data.
        if type(error).__module__ in ("zlib", "_lzma", "lzma", "bz2"):
            raise GuidelineFileError(_("not a readable zip file")) from error
        raise
    return document, pictures


def _check_names(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if len(names) > MOST_ENTRIES:
        raise GuidelineFileError(_("more than %(most)d files in it") % {"most": MOST_ENTRIES})
    if len(set(names)) < len(names):
        raise GuidelineFileError(_("two files in it have one name"))
    if CONTENT not in names:
        raise GuidelineFileError(_("there is no %(name)s in it") % {"name": CONTENT})
    for name in names:
        # No folder, no way up, no other kind: only names that an export writes.
        if name != CONTENT and not PICTURE.fullmatch(name):
            raise GuidelineFileError(
                _("“%(name)s” does not belong in it") % {"name": ascii(name)[1:81]}
            )


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """One file of it. What the archive says of its size is not believed."""
    with archive.open(name) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise GuidelineFileError(_("“%(name)s” unpacks to too much") % {"name": name})
    return data


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise GuidelineFileError(_("%(name)s is not JSON") % {"name": CONTENT}) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise GuidelineFileError(
            _("%(name)s is not of the format %(format)s") % {"name": CONTENT, "format": FORMAT}
        )
    return document


def _size(name: str, data: bytes) -> tuple[str, int, int]:
    try:
        picture = decode(data)
    except Refusal as refusal:
        raise GuidelineFileError(f"{name}: {refusal}") from refusal
    return name, picture.width, picture.height


def _picture_inside(file: str) -> tuple[str, bytes]:
    """A stored picture's name in the archive, and its content."""
    try:
        with default_storage.open(file) as stored:
            data = stored.read()
    except FileNotFoundError as error:
        raise GuidelineFileError(
            _("the picture %(name)s is missing from the storage") % {"name": file}
        ) from error
    extension = PurePosixPath(file).suffix.lower().replace(".jpeg", ".jpg")
    return f"pictures/{hashlib.sha256(data).hexdigest()}{extension}", data
