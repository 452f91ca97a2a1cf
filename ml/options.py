"""Values of command-line options that several commands take."""

import json
from pathlib import Path
from typing import Any

from ml.errors import InputError


def read_config(text: str) -> dict[str, Any]:
    """The JSON object of `--config`: JSON text, or the name of a file with it.

    Raises:
        InputError: it is neither, or no object.
    """
    try:
        value = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"--config: neither JSON nor a JSON file: {error}") from error
    if not isinstance(value, dict):
        raise InputError("--config: a JSON object is needed")
    return value
