"""How long a new label takes from Label Studio into the database, and from there into a training.

    python -m benchmarks.latency [--labels N] [--json F]

On a platform of its own with all its real parts: a cold start, a round, and one simulated labeler
who answers through the gateway, one task after the other; trainings start at the first new label
after a pause of DEBOUNCE seconds. The first training is timed from the label, those after it from
the end of the one before.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.e2e.faults import CONFIG, SETTINGS, draw_world, query
from tests.platform import Platform

T = TypeVar("T")
DEBOUNCE = 5
DATABASE_SECONDS, START_SECONDS = 5.0, 10.0  # at most
WAIT = 600.0
OPEN_ROUND = "from active_learning import rounds; rounds.open_round(config={config!r})"
# Answers one task, and says when it had been taken.
ANSWER = """
import time
from pathlib import Path
from active_learning.loop import read_truth
from annotation.simulate import SimulatedLabelers
people = SimulatedLabelers(truth=read_truth(Path({truth!r})), count=1, accuracy=1.0, seed=1)
for _ in range({labels}):
    before = people.answered
    people.run(until=lambda: people.answered > before)
    print("answered", time.time(), flush=True)
    time.sleep({pause})
"""
LABELS = """
SELECT extract(epoch FROM created_at)::float FROM annotation_label
WHERE source = 'labeler' ORDER BY id
"""
RUNS = """
SELECT kind, extract(epoch FROM created_at)::float, extract(epoch FROM started_at)::float,
    extract(epoch FROM finished_at)::float
FROM active_learning_trainingrun WHERE trigger = 'labels' ORDER BY id
"""


def measure(labels: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="touchstone-latency-") as folder:
        world = draw_world(Path(folder) / "world")
        settings = SETTINGS | {
            "RETRAIN_AFTER_LABELS": "1",
            "RETRAIN_DEBOUNCE_SECONDS": str(DEBOUNCE),
            "CONSENSUS_TARGET": "0.5",  # one answer is enough
        }
        platform = Platform(Path(folder) / "home", settings=settings)
        try:
            started = platform.up()
            if started.returncode:
                raise RuntimeError(started.stdout + started.stderr)
            platform.manage("load_world", str(world), check=True)
            _open_round(platform, number=0)
            _until(lambda: query(platform, "SELECT 1 FROM active_learning_release WHERE state"
                                           " = 'champion'"))  # fmt: skip
            _until(lambda: not query(platform, "SELECT 1 FROM active_learning_round WHERE state"
                                               " = 'running'"))  # fmt: skip
            _open_round(platform, number=1)
            _until(lambda: query(platform, "SELECT 1 FROM annotation_task WHERE pushed_at IS NOT"
                                           " NULL"))  # fmt: skip
            code = ANSWER.format(truth=str(world / "truth"), labels=labels, pause=2)
            said = platform.manage("shell", "-c", code, timeout=WAIT, check=True).stdout
            answered = [float(line.split()[1]) for line in said.splitlines() if "answered" in line]
            _until(lambda: len(query(platform, LABELS)) >= len(answered))
            _until(lambda: _started_again(query(platform, RUNS)))
            return _figures(answered, query(platform, LABELS), query(platform, RUNS))
        finally:
            platform.down()


def _open_round(platform: Platform, *, number: int) -> None:
    platform.manage("shell", "-c", OPEN_ROUND.format(config=CONFIG | {"seed": number}), check=True)


def _until(condition: Callable[[], T]) -> T:
    end = time.monotonic() + WAIT
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.2)
    return found


def _started_again(runs: list[tuple]) -> bool:
    """Whether a model was trained a second time."""
    kinds = [kind for kind, _created, began, _finished in runs if began]
    return len(kinds) > len(set(kinds))


def _figures(answered: list[float], labels: list[tuple], runs: list[tuple]) -> dict[str, Any]:
    arrived = [row[0] for row in labels]
    # Both lists are in the order in which the one labeler answered.
    into_database = [max(0.0, there - said) for said, there in zip(answered, arrived, strict=False)]
    first: dict[str, float] = {}
    later: list[float] = []
    ended: dict[str, float] = {}
    for kind, _created, began, finished in runs:
        if began is None:
            continue
        if kind in ended:
            later.append(began - ended[kind])
        else:
            first[kind] = began
        if finished:
            ended[kind] = finished
    start = min(first.values())
    # The label that it was put off for last: the debounce begins there.
    waited = start - max(there for there in arrived if there <= start)
    return {
        "labels": len(answered),
        "into_database": {
            "median": round(statistics.median(into_database), 2),
            "most": round(max(into_database), 2),
        },
        "debounce": DEBOUNCE,
        # Less than the debounce where labels kept coming: it is put off three times that at most.
        "first_training_after_last_label": round(waited, 2),
        "next_training_after_the_last_ended": [round(seconds, 2) for seconds in later],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=30)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measure(arguments.labels)
    print(json.dumps(found, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    late = found["into_database"]["most"] > DATABASE_SECONDS
    late |= found["first_training_after_last_label"] > DEBOUNCE + START_SECONDS
    late |= any(seconds > START_SECONDS for seconds in found["next_training_after_the_last_ended"])
    sys.exit(bool(late))


if __name__ == "__main__":
    main()
