"""One real platform for all end-to-end tests of a run."""

from collections.abc import Iterator

import pytest

from tests.platform import Platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory) -> Iterator[Platform]:
    """Everything that `manage.py up` starts, Label Studio included; stopped after the last test."""
    # One in a hundred of so few images may be none, and there would be no flag to probe.
    # And what was killed need not wait half a minute for its lease to lapse.
    settings = {"FLAG_RATIO_BUDGET": "0.05", "LEASE_SECONDS": "15"}
    one = Platform(tmp_path_factory.mktemp("platform"), settings=settings)
    started = one.up()
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield one
    finally:
        stopped = one.down()
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
