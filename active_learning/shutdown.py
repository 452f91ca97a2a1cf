"""Whether this worker is being stopped. The signal reaches the worker's main process; its pool
processes, where jobs are supervised, share one byte of memory with it, made before they fork."""

import mmap
from typing import Any

from celery.signals import worker_shutting_down

_stopping = mmap.mmap(-1, 1)


@worker_shutting_down.connect
def note_stop(**_: Any) -> None:
    _stopping[0] = 1


def is_stopping() -> bool:
    return _stopping[0] != 0
