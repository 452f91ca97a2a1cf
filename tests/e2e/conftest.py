"""One real platform for all end-to-end tests of a run."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform import Platform


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """Everything that `manage.py up` starts, Label Studio included; stopped after the last test."""
    home = Path(tempfile.mkdtemp(prefix="touchstone-e2e-"))
    one = Platform(home)
    started = one.up()
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield one
    finally:
        stopped = one.down()
        shutil.rmtree(home, ignore_errors=True)
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
