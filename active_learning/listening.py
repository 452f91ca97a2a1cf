"""What sets rounds in motion at once, where the sweep would find it seconds later."""

from typing import Any

from active_learning import rounds
from annotation.signals import answers_taken, tasks_pushed


def connect() -> None:
    """Have running rounds looked at when tasks are before people, and when answers came."""
    for signal in (tasks_pushed, answers_taken):
        signal.connect(_advance, dispatch_uid="advance running rounds")


def _advance(**_: Any) -> None:
    rounds.advance_running()
