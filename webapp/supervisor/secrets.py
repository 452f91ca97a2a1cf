"""Secrets of one installation: made once, kept in `secrets.json` (owner only), shown once."""

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from webapp.supervisor.files import read_json, write_json

FILE = "secrets.json"
_SHOWN = "FIRST_PASSWORDS_SHOWN"


def ensure_secrets(home: Path) -> dict[str, str]:
    """All secrets; those that do not exist yet are generated."""
    with _locked(home) as path:
        existing = read_json(path)
        complete = _generate() | existing
        if complete != existing:
            write_json(path, complete)
        return complete


def take_first_showing(home: Path) -> bool:
    """True for the one caller that may print the first passwords, False ever after."""
    with _locked(home) as path:
        content = read_json(path)
        if content.get(_SHOWN):
            return False
        write_json(path, content | {_SHOWN: "yes"})
        return True


def _generate() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ADMIN_USERNAME": "admin",
        "ADMIN_PASSWORD": secrets.token_urlsafe(12),
        "REDIS_PASSWORD": secrets.token_hex(24),
        "LABEL_STUDIO_EMAIL": "owner@touchstone.example",
        "LABEL_STUDIO_PASSWORD": secrets.token_urlsafe(18),
        "LABEL_STUDIO_WEBHOOK_SECRET": secrets.token_urlsafe(32),
    }


@contextmanager
def _locked(home: Path) -> Iterator[Path]:
    """One writer at a time: two starts may meet here."""
    with (home / ".secrets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home / FILE
