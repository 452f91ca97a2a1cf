"""One real platform for all end-to-end tests of a run."""

from collections.abc import Iterator

import pytest

from tests.e2e.faults import SETTINGS
from tests.platform import Platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory) -> Iterator[Platform]:
    """Everything that `manage.py up` starts, Label Studio included; stopped after the last test."""
    one = Platform(tmp_path_factory.mktemp("platform"), settings=SETTINGS)
    started = one.up()
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield one
    finally:
        stopped = one.down()
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
