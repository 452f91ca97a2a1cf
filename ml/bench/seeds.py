"""The same work for several seeds, as many at a time as there are cores."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits

from ml.errors import Cancelled
from ml.models.base import ShouldStop
from ml.progress import Progress

ASKED_EVERY = 1.0  # seconds


def of_each_seed(
    work: Callable[..., Any],
    seeds: Sequence[int],
    *,
    progress: Progress,
    should_stop: ShouldStop,
) -> list[Any]:
    """`work(seed, should_stop=…)` of each seed, in their order, each in a process of its own. How
    far one is cannot be told, so progress counts the seeds that are done.

    Args:
        work: can be pickled, and what it returns.

    Raises:
        Cancelled: `should_stop` became true.
    """
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
