"""Whole rounds on platforms of their own, of which processes are killed at set steps, and what they
end with: `make faults` plays every process at every step and prints the matrix.

    .venv/bin/python -m tests.e2e.faults [--first N] [--rotations N]

A run kills another process at each step, so that as many runs as there are processes make the whole
matrix; each is held against a run that nothing was killed in. There is one simulated labeler, whose
answers depend on the seed and the item alone, so both must end with the same labels and datasets.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from tests.platform import ROOT, Platform

PROCESSES = (
    "worker", "label-studio", "postgres", "worker-scan", "redis", "worker-train", "gateway",
    "beat", "web", "worker-background",
)  # fmt: skip
STEPS = ("scan", "select", "push", "collect", "freeze", "train", "evaluate", "gate")
SECONDS = 900  # a round, at most
# Small nets and few passes: what is tested is the loop, not how good the models get.
CONFIG = {
    "budget": {"brand": 30, "boxes": 6, "variation": 6},
    "train": {
        "classifier": {"epochs": 4, "warm_epochs": 2, "least_steps": 0},
        "detector": {"steps": 20, "warm_steps": 10},
        "variation": {"epochs": 4, "warm_epochs": 2, "least_steps": 0},
        "text": {"epochs": 4, "warm_epochs": 2, "least_steps": 0},
    },
}
# One in a hundred of so few images may be none, and there would be no flag to probe. And what was
# killed need not wait half a minute for its lease to lapse.
SETTINGS = {"FLAG_RATIO_BUDGET": "0.05", "LEASE_SECONDS": "15"}
LABELS = """
SELECT image.sha256, label.kind, label.answer, brand.key, label.variation, label.boxes::text
FROM annotation_label AS label JOIN annotation_image AS image ON image.id = label.image_id
LEFT JOIN annotation_brand AS brand ON brand.id = label.brand_id
WHERE label.source = 'labeler' ORDER BY 1, 2, 3, 4, 5, 6
"""
DATASETS = "SELECT sha256 FROM active_learning_datasetversion ORDER BY id"
RUNNING = """
SELECT step.name FROM active_learning_roundstep AS step
JOIN active_learning_round AS round ON round.id = step.round_id
WHERE round.number > 0 AND step.started_at IS NOT NULL ORDER BY step.position
"""


@dataclass
class Played:
    """What a run ended with, and by step which process was killed and how many seconds after the
    step was first seen begun."""

    labels: list[tuple]
    datasets: list[tuple]
    seconds: float
    killed: dict[str, tuple[str, float]] = field(default_factory=dict)


def rotation(shift: int) -> dict[str, str]:
    """By step, the process to be killed."""
    return {step: PROCESSES[(i + shift) % len(PROCESSES)] for i, step in enumerate(STEPS)}


def draw_world(out: Path) -> Path:
    """A generated brand world of the smallest useful size."""
    sizes = {"brands": 4, "train": 160, "closed": 60, "open": 160, "business": 12, "pool": 160}
    subprocess.run(
        [
            *(sys.executable, "-m", "ml", "synth", "--seed=3", "--size=96", f"--out={out}"),
            *(f"--{name}={value}" for name, value in sizes.items()),
        ],
        cwd=ROOT,
        check=True,
    )
    return out


def play(world: Path, home: Path, kills: Mapping[str, str]) -> Played:
    """A cold start and one round on a new platform in `home`, which is stopped at the end.

    Raises:
        AssertionError: it did not come to its end; the message has the log.
    """
    platform = Platform(home, settings=SETTINGS)
    begun = time.monotonic()
    try:
        started = platform.up()
        assert started.returncode == 0, started.stdout + started.stderr
        loaded = platform.manage("load_world", str(world))
        assert loaded.returncode == 0, loaded.stdout + loaded.stderr
        log = home / "loop.log"
        with log.open("w") as out:
            loop = subprocess.Popen(
                [
                    *(sys.executable, "manage.py", "loop", "--rounds=1", "--simulate"),
                    *("--labelers=1", f"--truth={world / 'truth'}"),
                    f"--config={json.dumps(CONFIG)}",
                ],
                cwd=ROOT,
                env=platform.environment(),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            try:
                killed = _kill_at_steps(platform, loop, kills)
                code = loop.wait(SECONDS)
            finally:
                loop.kill()
        assert code == 0, log.read_text()
        return Played(
            labels=query(platform, LABELS),
            datasets=query(platform, DATASETS),
            seconds=time.monotonic() - begun,
            killed=killed,
        )
    finally:
        platform.down()


def query(platform: Platform, sql: str) -> list[tuple]:
    url = platform.services["DATABASE_URL"]
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _kill_at_steps(
    platform: Platform, loop: subprocess.Popen, kills: Mapping[str, str]
) -> dict[str, tuple[str, float]]:
    """Kill each process with SIGKILL as soon as its step has begun."""
    done: dict[str, tuple[str, float]] = {}
    until = time.monotonic() + SECONDS
    while loop.poll() is None and len(done) < len(kills) and time.monotonic() < until:
        seen = time.monotonic()
        for step in _begun(platform):
            if step in kills and step not in done:
                os.kill(platform.processes[kills[step]]["pid"], signal.SIGKILL)
                done[step] = (kills[step], round(time.monotonic() - seen, 2))
        time.sleep(0.02)
    return done


def _begun(platform: Platform) -> list[str]:
    try:
        return [name for (name,) in query(platform, RUNNING)]
    except psycopg2.Error:
        return []  # it is the database that was killed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1, metavar="N", help="run to begin with")
    parser.add_argument("--rotations", type=int, default=len(PROCESSES), metavar="N", help="runs")
    arguments = parser.parse_args()
    cells: dict[tuple[str, str], str] = {}
    with tempfile.TemporaryDirectory(prefix="touchstone-faults-") as folder:
        world = draw_world(Path(folder) / "world")
        plain = play(world, Path(folder) / "plain", {})
        print(f"undisturbed: {plain.seconds:.0f} s, {len(plain.labels)} labels", flush=True)
        first = arguments.first - 1
        for shift in range(first, min(first + arguments.rotations, len(PROCESSES))):
            said = _held_against(plain, world, Path(folder) / str(shift), rotation(shift))
            cells |= said
            bad = sorted({text for text in said.values() if text != "same"})
            print(f"run {shift + 1}: {', '.join(bad) or 'the same end'}", flush=True)
    print("\n" + table(cells))
    sys.exit(any(text != "same" for text in cells.values()))


def _held_against(
    plain: Played, world: Path, home: Path, kills: Mapping[str, str]
) -> dict[tuple[str, str], str]:
    """What became of a run, by (process, step)."""
    try:
        played = play(world, home, kills)
    except (AssertionError, subprocess.SubprocessError) as failure:
        print(str(failure)[-4000:], file=sys.stderr)
        return {(process, step): "stuck" for step, process in kills.items()}
    same = "same"
    if played.datasets != plain.datasets:
        same = "other dataset"
    if played.labels != plain.labels:
        same = "other labels"
    return {
        (process, step): same if step in played.killed else "not killed"
        for step, process in kills.items()
    }


def table(cells: Mapping[tuple[str, str], str]) -> str:
    """Processes down, steps across."""
    width = max(len(name) for name in PROCESSES)
    lines = [" " * width + "".join(f"{step:>14}" for step in STEPS)]
    for process in PROCESSES:
        found = (cells.get((process, step), "–") for step in STEPS)
        lines.append(f"{process:<{width}}" + "".join(f"{text:>14}" for text in found))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
