"""The one artifact form: a folder with weights and `meta.json`, which is written last, so that its
presence means "complete" (as CLIP and nanochat do)."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ml.errors import InputError
from ml.files import write_atomically

META = "meta.json"


@dataclass(frozen=True)
class Artifact:
    """What a training leaves behind.

    Attributes:
        kind: classifier | detector | variation | text | fusion.
        labels: class names, index by index (the last of the classifier's, the text model's and the
            fusion's is the background).
        files: weight files by name, each with its sha256.
        calibration: e.g. {"temperature": float}; empty when the scores are raw.
        exported: of one that `export` made: {"format": "onnx", "precision": "float32" or "int8",
            "from": the sha256 of the `meta.json` of the model it was made from}.
    """

    kind: str
    labels: list[str]
    config: dict[str, Any]
    manifest_sha256: str
    code_version: str
    metrics: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    directory: Path | None = None
    exported: dict[str, str] = field(default_factory=dict)

    @property
    def is_exported(self) -> bool:
        return bool(self.exported)

    def path(self, name: str) -> Path:
        if self.directory is None:
            raise InputError("this artifact was not read from a folder")
        return self.directory / name


def file_sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def identity(artifact: Artifact) -> str:
    """What tells a model from all others, the sha256 of its `meta.json`. An export in full
    precision says what its original says, to within rounding, and so has the original's."""
    if artifact.exported.get("precision") == "float32":
        return artifact.exported["from"]
    return file_sha256(artifact.path(META))


def artifact_bytes(artifact: Artifact) -> int:
    """What it takes on a disk."""
    return sum(artifact.path(name).stat().st_size for name in (META, *artifact.files))


def write_artifact(artifact: Artifact, directory: Path) -> Artifact:
    """Hash the weight files named in `artifact.files` and write meta.json, last."""
    files = {name: file_sha256(directory / name) for name in artifact.files}
    meta = asdict(artifact) | {"files": files}
    del meta["directory"]
    write_atomically(directory / META, json.dumps(meta, indent=2, ensure_ascii=False))
    return Artifact(**meta, directory=directory)


def read_artifact(directory: Path | str, *, kind: str | None = None) -> Artifact:
    """Read and verify an artifact.

    Raises:
        InputError: it is missing, incomplete, of another kind, or its weights were changed.
    """
    directory = Path(directory)
    meta_path = directory / META
    if not meta_path.is_file():
        raise InputError(f"{directory}: no complete model here ({META} is missing)")
    try:
        artifact = Artifact(**json.loads(meta_path.read_text()), directory=directory)
    except (ValueError, TypeError) as error:
        raise InputError(f"{meta_path}: not a model description: {error}") from error
    if kind is not None and artifact.kind != kind:
        raise InputError(f"{directory}: a {artifact.kind}, not a {kind}")
    for name, digest in artifact.files.items():
        if not (directory / name).is_file():
            raise InputError(f"{directory}: {name} is missing")
        if file_sha256(directory / name) != digest:
            raise InputError(f"{directory}: {name} does not match its recorded hash")
    return artifact


@cache
def code_version() -> str:
    """The first 12 digits of the sha256 of this package's sources: also right without git."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(root.rglob("*.py")):
        digest.update(source.relative_to(root).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
