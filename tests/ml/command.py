"""`python -m ml …` within the test's process."""

import pytest

from ml.cli import main


def run(*argv: object) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in argv])
    return int(stopped.value.code or 0)
