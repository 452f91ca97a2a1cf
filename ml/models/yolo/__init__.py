"""Ultralytics' YOLO, cut off from the network and from the user's folders.

Importing Ultralytics looks for the internet, writes a settings file into the user's folder, sets
OMP_NUM_THREADS for everything after it, and replaces Pillow's `open` by one that wants another
package for a file that is no image. Every use of it is in this package, so that this
file runs before.
"""

import os
from tempfile import TemporaryDirectory

from PIL import Image

# For good: these also forbid downloads and installations at any later moment.
os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}


def _import_ultralytics() -> None:
    pillows_own = Image.open
    changed = {name: os.environ.get(name) for name in ("YOLO_CONFIG_DIR", "OMP_NUM_THREADS")}
    with TemporaryDirectory(prefix="touchstone-yolo-") as settings:
        os.environ["YOLO_CONFIG_DIR"] = settings
        import ultralytics.utils  # noqa: F401 — its settings are read here, once
    Image.open = pillows_own
    for name, value in changed.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


_import_ultralytics()
