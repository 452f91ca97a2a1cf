"""Lines timed beside each other: a process each, in turns, so that a busy machine hits all of them
alike, and none has the threads or the memory of another."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

from ml.bench.speed.lines import Nets, Work
from ml.errors import Cancelled
from ml.models.base import ShouldStop
from ml.progress import Progress

Make = Callable[[Nets, int], Work]


@dataclass(frozen=True)
class Line:
    """What is timed: `make(folders, threads)` in a new process."""

    make: Make
    folders: Nets
    threads: int
    speeds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def images_per_s(self) -> float:
        return median(self.speeds)

    @property
    def processor_ms(self) -> float:
        """Of all threads together, an image; what other processes do hardly changes it."""
        return 1000 * median(self.processor)


def time_lines(
    lines: Mapping[str, Line],
    paths: Sequence[Path],
    *,
    repeats: int,
    progress: Progress,
    should_stop: ShouldStop,
) -> None:
    """Fill the lines' `speeds` and `processor`: `repeats` times all of them in turns over the same
    images, after one round of a few images that is not counted.

    Raises:
        Cancelled: `should_stop` became true.
    """
    with ExitStack() as stack:
        running = {name: stack.enter_context(_running(line)) for name, line in lines.items()}
        for turn in range(repeats + 1):
            for name, line in lines.items():
                if should_stop():
                    raise Cancelled
                progress.report(name, turn / (repeats + 1))
                some = paths if turn else paths[: 4 * line.threads]
                running[name].send(some)
                seconds, processor = running[name].recv()
                if turn:
                    line.speeds.append(len(some) / seconds)
                    line.processor.append(processor / len(some))


@contextmanager
def _running(line: Line) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(theirs, line.make, line.folders, line.threads), daemon=True
    )
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(timeout=10)
        if process.is_alive():
            process.kill()


def _serve(connection: Connection, make: Make, folders: Nets, threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    work = make(folders, threads)
    while True:
        try:
            paths = connection.recv()
        except EOFError:
            return
        started, used = time.perf_counter(), time.process_time()
        work(paths)
        connection.send((time.perf_counter() - started, time.process_time() - used))
