"""The same work for several seeds, as many at a time as there are cores; what is done is kept, if
wanted, so that what takes hours can be stopped, or killed, and go on."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from ml.artifact import code_version
from ml.errors import Cancelled, InputError
from ml.files import write_atomically
from ml.models.base import ShouldStop
from ml.progress import Progress

ASKED_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class Kept:
    """Where what a seed found is kept, a file each, and for which work: by other code, or with
    other dials, it would have found something else.

    Attributes:
        work: the dials, a JSON value.
    """

    folder: Path
    work: Mapping[str, Any]

    def __post_init__(self) -> None:
        """
        Raises:
            InputError: the folder holds what other work found.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        told = json.dumps({**self.work, "code": code_version()}, indent=2, sort_keys=True) + "\n"
        label = self.folder / "work.json"
        if not label.exists():
            write_atomically(label, told)
        elif label.read_text() != told:
            raise InputError(f"{self.folder} holds what other code or other dials found")

    def read(self, seed: int) -> Any | None:
        file = self._file(seed)
        return json.loads(file.read_text()) if file.exists() else None

    def write(self, seed: int, found: Any) -> None:
        write_atomically(self._file(seed), json.dumps(found) + "\n")

    def _file(self, seed: int) -> Path:
        return self.folder / f"seed-{seed}.json"


def of_each_seed(
    work: Callable[..., Any],
    seeds: Sequence[int],
    *,
    progress: Progress,
    should_stop: ShouldStop,
    kept: Kept | None = None,
) -> list[Any]:
    """`work(seed, should_stop=…)` of each seed, in their order, each in a process of its own. How
    far one is cannot be told, so progress counts the seeds that are done.

    Args:
        work: can be pickled, and what it returns.
        kept: where what is found is kept, as JSON values, and found again.

    Raises:
        Cancelled: `should_stop` became true.
    """
    if kept is not None:
        work = partial(_kept, work, kept)
    # Spawned, not forked: the parent has Arrow's threads.
    context = multiprocessing.get_context("spawn")
    cores = os.cpu_count() or 1
    count = min(cores, len(seeds))
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(
            count, mp_context=context, initializer=_begin, initargs=(cores // count,)
        ) as processes,
    ):
        stop = manager.Event()
        played = [processes.submit(partial(work, seed, should_stop=stop.is_set)) for seed in seeds]
        try:
            _wait(played, progress, should_stop)
        except BaseException:
            stop.set()
            processes.shutdown(cancel_futures=True)
            raise
        return [one.result() for one in played]


def _kept(work: Callable[..., Any], kept: Kept, seed: int, *, should_stop: ShouldStop) -> Any:
    """What is kept of the seed, or, kept from then on, what the work finds."""
    if (found := kept.read(seed)) is None:
        kept.write(seed, work(seed, should_stop=should_stop))
        found = kept.read(seed)
    return found


def _wait(played: Sequence[Future[Any]], progress: Progress, should_stop: ShouldStop) -> None:
    left = set(played)
    while left:
        done_share = 1 - len(left) / len(played)
        progress.report(f"{len(played) - len(left)} of {len(played)} seeds", done_share)
        done, left = wait(left, timeout=ASKED_EVERY, return_when=FIRST_COMPLETED)
        for one in done:
            one.result()  # what one of them raises ends all
        if should_stop():
            raise Cancelled


def _begin(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is asked to stop, and tells
    os.environ["OMP_NUM_THREADS"] = str(threads)  # `choose_device` has torch take as many
    threadpool_limits(threads)  # what is loaded already does not read it
