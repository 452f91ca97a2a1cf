"""Processor time of the figures of a large evaluation: simulated outcomes, no model.

    python -m benchmarks.evaluation [--rows N] [--open N] [--brands N] [--json F]

Half the closed images of a brand are single, the others in groups of two to four.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ml.evaluate.bootstrap import RESAMPLES, Design
from ml.evaluate.calibration import reliability
from ml.evaluate.confusion import confusion
from ml.evaluate.outcomes import Outcomes
from ml.evaluate.sweep import at_fixed_thresholds, sweep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="closed images")
    parser.add_argument("--open", type=int, default=200_000, help="open images")
    parser.add_argument("--brands", type=int, default=212)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = simulated(args.rows, args.open, args.brands)
    closed = rows.branded("closed")
    held = peak()
    steps: dict[str, Callable[[], object]] = {
        f"bootstrap of mean recall, {RESAMPLES} resamples": lambda: Design(
            closed.truth, closed.group
        ).mean_share(closed.hit),
        "fixed thresholds": lambda: at_fixed_thresholds(rows),
        "sweep": lambda: sweep(rows),
        "calibration": lambda: reliability(rows),
        "confusion": lambda: confusion(closed),
    }
    found = {}
    for name, step in steps.items():
        started = time.process_time()
        step()
        seconds = time.process_time() - started
        found[name] = {"seconds": round(seconds, 2), "peak_mb_added": peak() - held}
        print(f"{seconds:7.2f} s  peak +{peak() - held} MB  {name}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


def simulated(closed: int, opened: int, brands: int) -> Outcomes:
    """Outcomes of a model that is right six times in ten."""
    rng = np.random.default_rng(0)
    n = closed + opened
    names = np.array([f"brand-{i:03d}" for i in range(brands)], dtype=object)
    is_closed = np.arange(n) < closed
    group = np.where(rng.random(n) < 0.5, np.arange(n), n + np.arange(n) // 4)
    truth = np.where(is_closed, names[group % brands], "")
    own = is_closed & (rng.random(n) < 0.6)
    score = np.where(is_closed, rng.beta(4, 2, n), rng.beta(1, 8, n))
    flagged = score > 0.5
    return Outcomes(
        split=np.where(is_closed, "closed", "open").astype(object),
        truth=truth,
        known=np.ones(n, bool),
        said=np.where(own, truth, names[rng.integers(0, brands, n)]),
        score=score,
        own=own,
        right=own,
        hit=own & flagged,
        flagged=flagged,
        counted=~is_closed,
        group=group,
    )


def peak() -> int:
    """Most memory this process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
