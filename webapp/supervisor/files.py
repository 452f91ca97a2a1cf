"""Small JSON files that are either old or new, never half-written."""

import json
import os
from pathlib import Path
from typing import Any

from webapp.supervisor.errors import UpError


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`; empty when there is no such file.

    Raises:
        UpError: the file is not a JSON object.
    """
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UpError(f"{path} is damaged ({error}); restore or remove it") from error
    if not isinstance(content, dict):
        raise UpError(f"{path} is damaged (not a JSON object); restore or remove it")
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace `path` in one step; its owner alone may read it, for most of these hold secrets."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
