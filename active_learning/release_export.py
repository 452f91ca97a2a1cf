"""A release as a folder, or a zip of one, that `python -m ml predict` serves by itself:
a folder a model, and `release.json`, written last."""

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from active_learning.contests import PromotionError, versions_of
from active_learning.models import ModelVersion, Release
from ml.artifact import META, Artifact, read_artifact
from ml.files import new_folder, write_atomically

CHUNK = 1 << 20
RELEASE = "release.json"


@dataclass(frozen=True)
class Export:
    """What goes into the folder.

    Attributes:
        files: by their names in it; `meta.json` is each model's last.
        about: `release.json`.
    """

    files: dict[str, Path]
    about: dict[str, Any]

    @property
    def text(self) -> str:
        return json.dumps(self.about, indent=2, ensure_ascii=False)


def prepare_export(*, release: Release) -> Export:
    """
    Raises:
        PromotionError: it has no model.
        InputError: a model's artifact is damaged.
    """
    models = {kind: version for kind, version in versions_of(release).items() if version}
    if not models:
        raise PromotionError(_("Release %(number)s has no model.") % {"number": release.number})
    artifacts = {
        kind: read_artifact(version.artifact, kind=kind) for kind, version in models.items()
    }
    files = {
        f"{kind}/{name}": artifact.path(name)
        for kind, artifact in artifacts.items()
        for name in (*artifact.files, META)
    }
    about = {
        "release": release.number,
        "brands": release.brands,
        "thresholds": release.thresholds,
        "models": {kind: _told(models[kind], artifacts[kind]) for kind in models},
    }
    return Export(files, about)


def _told(version: ModelVersion, artifact: Artifact) -> dict[str, Any]:
    return {
        "folder": version.kind,
        "version": version.number,
        "dataset": version.dataset.sha256,
        "code_version": artifact.code_version,
        "files": artifact.files,
    }


def export_release(*, release: Release, out: Path) -> Path:
    """Write the folder, whole or not at all.

    Raises:
        PromotionError: it has no model.
        InputError: a model's artifact is damaged, `out` is there and not empty, or the disk does
            not take it.
    """
    export = prepare_export(release=release)
    with new_folder(out) as folder:
        for name, source in export.files.items():
            target = folder / name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
        write_atomically(folder / RELEASE, export.text)
    return out


class _Pipe(io.RawIOBase):
    """What is written to it waits to be taken; it cannot go back, so the zip never tries to."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def zip_stream(export: Export, *, folder: str) -> Iterator[bytes]:
    """The zip of the folder, piece by piece, without a copy of it anywhere. Stored, not deflated:
    weights do not get smaller."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for name, source in export.files.items():
            with (
                source.open("rb") as opened,
                archive.open(zipfile.ZipInfo(f"{folder}/{name}"), "w", force_zip64=True) as entry,
            ):
                while chunk := opened.read(CHUNK):
                    entry.write(chunk)
                    yield pipe.take()
        archive.writestr(zipfile.ZipInfo(f"{folder}/{RELEASE}"), export.text)
    yield pipe.take()
