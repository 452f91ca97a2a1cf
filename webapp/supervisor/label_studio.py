"""Label Studio's own environment: `python -m webapp.supervisor.label_studio VENV LOCK` makes it.

Its pins clash with ours, hence the second virtual environment. Beside it lies an empty migrated
database: its 250 migrations take 40 s on one core, a copy takes none.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

STAMP = ".lock-sha256"
MIGRATED = "migrated.sqlite3"
DATABASE = "label_studio.sqlite3"


def environment(*, data: Path, email: str, password: str) -> dict[str, str]:
    """Label Studio reads its settings from prefixed and bare names alike, so it gets these alone
    and nothing of our own environment."""
    return {
        "PATH": os.defpath,
        "HOME": str(data),
        "LANG": "C.UTF-8",
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_USERNAME": email,
        "LABEL_STUDIO_PASSWORD": password,
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        # Our webhook listens on loopback, which it would refuse to call.
        "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false",
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
    }


def prepare_data(data: Path, *, venv: Path) -> None:
    """Give a new installation the migrated database; an existing one is left alone."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = data / DATABASE
    if not database.exists():
        scratch = data / f".{DATABASE}"
        shutil.copyfile(venv / MIGRATED, scratch)
        scratch.replace(database)


def make_environment(venv: Path, lock_file: Path) -> None:
    """Install what `lock_file` says into `venv` and migrate the empty database, once.

    Raises:
        subprocess.CalledProcessError: uv or the migration failed; their output says why.
    """
    venv.mkdir(parents=True, exist_ok=True)
    with (venv / ".making").open("w") as lock:  # two installations may share one environment
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(lock_file.read_bytes()).hexdigest()
        stamp = venv / STAMP
        if stamp.exists() and stamp.read_text() == wanted:
            return
        stamp.unlink(missing_ok=True)
        _install(venv, lock_file)
        _migrate(venv)
        stamp.write_text(wanted)


def _install(venv: Path, lock_file: Path) -> None:
    uv = _uv()
    python = venv / "bin" / "python"
    if not python.exists():
        print(f"making Label Studio's environment in {venv}")
        subprocess.run([uv, "venv", "--allow-existing", "-p", sys.executable, venv], check=True)
    subprocess.run(
        [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, lock_file],
        check=True,
    )


def _migrate(venv: Path) -> None:
    with tempfile.TemporaryDirectory(dir=venv) as scratch:
        subprocess.run(
            [venv / "bin" / "python", "-m", "label_studio.server", "version"],
            check=True,
            cwd=scratch,
            env=environment(data=Path(scratch), email="", password=""),
        )
        (Path(scratch) / DATABASE).replace(venv / MIGRATED)


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise SystemExit("uv is missing: `make setup` installs it into .venv")
    return found


if __name__ == "__main__":
    make_environment(Path(sys.argv[1]), Path(sys.argv[2]))
