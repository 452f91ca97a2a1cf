"""Benchmarks by name. Each is a module with `run(*, quick, seeds, progress, should_stop) -> dict`:
a JSON value whose first keys are what the benchmark is asked for, and then what is needed to
believe them: sizes, single seeds, the machine."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ml.errors import InputError

BENCHMARKS = {
    "audit": "ml.bench.audit",
    "classifier": "ml.bench.classifier",
    "cleaning": "ml.bench.cleaning",
    "copies": "ml.bench.copies",
    "detector": "ml.bench.detector",
    "explain": "ml.bench.explain",
    "fusion": "ml.bench.fusion",
    "label-efficiency": "ml.bench.label_efficiency",
    "scan": "ml.bench.scan",
    "select": "ml.bench.select",
    "synth": "ml.bench.synth",
    "text": "ml.bench.text",
    "variation": "ml.bench.variation",
}


def benchmark(name: str) -> Callable[..., dict[str, Any]]:
    """The `run` of a benchmark.

    Raises:
        InputError: there is no such benchmark.
    """
    if name not in BENCHMARKS:
        raise InputError(f"unknown benchmark {name!r}; known: {', '.join(BENCHMARKS)}")
    run: Callable[..., dict[str, Any]] = import_module(BENCHMARKS[name]).run
    return run
