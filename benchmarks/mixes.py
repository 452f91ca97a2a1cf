"""Which mix of strategies, and how diverse a batch: campaigns on worlds that the benchmark
label-efficiency does not use.

    python -m benchmarks.mixes --worlds 201 202 --draws 3 --json F

Each world is drawn and embedded once; each draw shares out anew what is given and what the pool
holds. Prints, by setting and mix, the labels until 90% of the recall that the whole pool gives, and
the mean recall over the first ten batches as a share of it.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ml.acquisition import DEFAULT_MIX
from ml.bench.label_efficiency import FIRST, LEVEL, SIZE, STEPS, labels_to, median_labels
from ml.bench.labels.campaign import Strategy, growing, run_campaign, whole_pool
from ml.bench.labels.strategies import STRATEGIES, ours
from ml.bench.labels.worlds import GENERATED, Size, drawn, generated
from ml.bench.rows import as_table
from ml.bench.seeds import Kept, of_each_seed
from ml.errors import Cancelled, InputError
from ml.files import write_atomically
from ml.progress import Progress
from ml.stop import Stop

EARLY = 10  # batches
LOTS = {"random_control": 0.05, "probe": 0.10}
MIXES: dict[str, Strategy] = {
    "margin (scikit-activeml)": STRATEGIES["margin"],
    "the default": ours(DEFAULT_MIX),
    "uncertain": ours({"uncertain": 0.85, **LOTS}),
    "threshold": ours({"threshold": 0.85, **LOTS}),
    "hard negatives": ours({"hard_negatives": 0.85, **LOTS}),
    "hard negatives, uncertain": ours({"hard_negatives": 0.45, "uncertain": 0.4, **LOTS}),
    "threshold, uncertain": ours({"threshold": 0.45, "uncertain": 0.4, **LOTS}),
    "hard negatives, threshold": ours({"hard_negatives": 0.4, "threshold": 0.45, **LOTS}),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, nargs="+", required=True, metavar="SEED")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="to go on from after a stop")
    parser.add_argument("--json", type=Path, required=True, metavar="F")
    arguments = parser.parse_args()
    if min(arguments.worlds) <= 100:
        sys.exit("worlds 1 to 100 are the benchmark's own: what is chosen on them proves nothing")
    keep, dials = arguments.keep, {"draws": arguments.draws, "mixes": [*MIXES]}
    try:
        played = of_each_seed(
            partial(play, draws=arguments.draws), arguments.worlds, progress=Progress(),
            should_stop=Stop(), kept=Kept(keep, dials) if keep else None,
        )  # fmt: skip
    except InputError as error:
        sys.exit(f"error: {error}")
    except Cancelled:
        sys.exit("stopped; it begins anew" if keep is None else "stopped; it goes on where it was")
    rows = summary([row for rows in played for row in rows])
    print(as_table(rows))
    figures = {"rows": rows, "worlds": arguments.worlds, "draws": arguments.draws}
    write_atomically(arguments.json, json.dumps(figures, indent=2) + "\n")


def play(
    world: int, *, draws: int, should_stop: Callable[[], bool], size: Size = SIZE
) -> list[dict[str, Any]]:
    """A row a setting, draw and mix.

    Raises:
        InputError: the world can tell no mix from another.
        Cancelled: `should_stop` became true.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
        points = generated(
            world, size, Path(folder), progress=Progress(quiet=True), should_stop=should_stop
        )
        for setting in GENERATED:
            for draw in range(draws):
                material = drawn(points, setting, np.random.default_rng([world, draw, 5]))
                if not (whole := whole_pool(material)):
                    raise InputError(f"world {world}: its whole pool labelled finds nothing")
                for name, strategy in MIXES.items():
                    curve, _ = run_campaign(
                        material, strategy, batches=growing(FIRST, STEPS), seed=draw,
                        should_stop=should_stop,
                    )  # fmt: skip
                    early = statistics.mean(recall for _, recall in curve[1 : EARLY + 1])
                    rows.append(
                        {
                            "setting": setting,
                            "mix": name,
                            "labels": labels_to(curve, LEVEL * whole),
                            "early": early / whole,
                        }
                    )
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By setting and mix: the median of the labels, None where more campaigns than not were over
    before, and the mean early recall with its standard error."""
    found = []
    for setting in GENERATED:
        for name in MIXES:
            mine = [row for row in rows if (row["setting"], row["mix"]) == (setting, name)]
            labels = [row["labels"] for row in mine]
            early = [row["early"] for row in mine]
            found.append(
                {
                    "setting": setting,
                    "mix": name,
                    "labels to 90%": median_labels(labels),
                    "reached": f"{len(labels) - labels.count(None)} of {len(labels)}",
                    "early recall": round(statistics.mean(early), 3),
                    "its error": round(float(np.std(early) / len(early) ** 0.5), 3),
                }
            )
    return found


if __name__ == "__main__":
    main()
