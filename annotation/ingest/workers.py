"""Processes that read files, so that a decoder that crashes takes one file with it, not the run."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

from annotation.ingest.decode import Refusal

T = TypeVar("T")
CHUNK = 32  # files a job


class Workers:
    """A pool of processes; `start` hands out work, the callable it returns waits for it."""

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes or os.cpu_count() or 1
        self._pool = self._make_pool()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def start(
        self, work: Callable[[Path], T], paths: Sequence[Path]
    ) -> Callable[[], list[T | Refusal]]:
        """Begin `work` on every path. Returns what gives the results, in order, a Refusal where
        the work raised one or its process died."""
        chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
        pending = [(chunk, self._submit(work, chunk)) for chunk in chunks]

        def collect() -> list[T | Refusal]:
            return [result for chunk, job in pending for result in self._wait(work, chunk, job)]

        return collect

    def _wait(
        self, work: Callable[[Path], T], paths: Sequence[Path], job: "Future | None"
    ) -> list[T | Refusal]:
        try:
            if job is not None:
                return job.result()
        except BrokenProcessPool:
            pass
        # A process died over one of these, or over one of another job: each gets its own try.
        return [self._alone(work, path) for path in paths]

    def _alone(self, work: Callable[[Path], T], path: Path) -> T | Refusal:
        with self._make_pool(1) as pool:
            try:
                return pool.submit(_run, work, [path]).result()[0]
            except BrokenProcessPool:
                return Refusal("crashes the image decoder")

    def _submit(self, work: Callable[[Path], T], paths: Sequence[Path]) -> "Future | None":
        for _ in range(2):
            try:
                return self._pool.submit(_run, work, paths)
            except BrokenProcessPool:
                self._pool = self._make_pool()
        return None

    def _make_pool(self, processes: int | None = None) -> ProcessPoolExecutor:
        # Forked: ready in milliseconds, and they use nothing of what they inherit but this module.
        return ProcessPoolExecutor(
            processes or self._processes,
            mp_context=multiprocessing.get_context("fork"),
            initializer=_obey_parent,
            initargs=(os.getpid(),),
        )


def _run(work: Callable[[Path], T], paths: Sequence[Path]) -> list[T | Refusal]:
    results: list[T | Refusal] = []
    for path in paths:
        try:
            results.append(work(path))
        except Refusal as refusal:
            results.append(refusal)
    return results


def _obey_parent(parent: int) -> None:
    """Leave an interrupt to the parent, and go when it is gone: one that is killed cannot tell its
    workers, and waiting for jobs they would stay for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
