"""What each brand is called: names and aliases of the brand list."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.errors import InputError
from ml.manifest import Manifest

Aliases = dict[str, list[str]]
BRANDS_FILE = "brands.json"


def read_aliases(manifest: Manifest, brands_file: str | None, brands: Sequence[str]) -> Aliases:
    """Names by brand key, of the given brands, from `brands_file`, or from the `brands.json` beside
    the manifest. A brand that is not in it, or no file, leaves the brand's key as its only name.

    Raises:
        InputError: the file is missing where one was named, or is not a list of brands.
    """
    path = manifest.path.parent / BRANDS_FILE if brands_file is None else Path(brands_file)
    if brands_file is None and not path.is_file():
        return {key: [key] for key in brands}
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        known = {str(brand["key"]): _names(brand) for brand in listed}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a list of brands with key, names and aliases") from error
    return {key: known.get(key) or [key] for key in brands}


def _names(brand: dict[str, Any]) -> list[str]:
    names = [brand.get("name_en"), brand.get("name_zh"), *(brand.get("aliases") or ())]
    return list(dict.fromkeys(name.strip() for name in names if name and name.strip()))
