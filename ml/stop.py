"""Whether this process was asked to stop."""

import signal
from types import FrameType


class Stop:
    """True once the process was asked to stop; the work then ends at its next safe point."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def __call__(self) -> bool:
        return self._asked
