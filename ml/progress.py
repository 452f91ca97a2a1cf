"""How long work reports where it stands: a bar on a terminal, one line a step elsewhere, and a
JSON-lines file for whoever supervises the process."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm


class Progress:
    """Reports stages and a share done in [0, 1].

    With `file`, every report is appended as one JSON line
    `{"time", "stage", "progress", "metrics"}`.
    """

    def __init__(self, *, file: Path | None = None, quiet: bool = False) -> None:
        self._file = file
        self._terminal = sys.stderr.isatty() and not quiet
        self._quiet = quiet
        self._bar: tqdm | None = None
        self._stage = ""
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)

    def report(self, stage: str, share: float, **metrics: Any) -> None:
        """Report `stage`, `share` of the whole work done, and figures worth a curve."""
        if self._file is not None:
            line = {"time": time.time(), "stage": stage, "progress": share, "metrics": metrics}
            with self._file.open("a") as out:
                out.write(json.dumps(line) + "\n")
        if self._terminal:
            if self._bar is None:
                self._bar = tqdm(
                    total=1.0, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
                )
            self._bar.set_description(stage)
            self._bar.set_postfix(metrics)
            self._bar.n = share
            self._bar.refresh()
        elif not self._quiet and (stage != self._stage or metrics):
            figures = " ".join(
                f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in metrics.items()
            )
            print(f"{share:5.0%} {stage} {figures}".rstrip(), file=sys.stderr, flush=True)
        self._stage = stage

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    @contextmanager
    def part(self, start: float, end: float) -> Iterator["Progress"]:
        """A view whose 0..1 is this work's start..end."""
        yield _Part(self, start, end)


class _Part(Progress):
    def __init__(self, whole: Progress, start: float, end: float) -> None:
        self._whole, self._start, self._end = whole, start, end

    def report(self, stage: str, share: float, **metrics: Any) -> None:
        self._whole.report(stage, self._start + share * (self._end - self._start), **metrics)

    def close(self) -> None:
        pass
