"""How fast images go through classifier, detector and variation model, end to end, beside what
limits it: the loop one would write first, the bare sessions, decoding alone; what a cascade wins
and loses; and memory."""

import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from ml.artifact import read_artifact, write_artifact
from ml.bench.speed import lines as work
from ml.bench.speed.cascade import recall_loss
from ml.bench.speed.memory import memory_of_scan
from ml.bench.speed.nets import NETS, Folders, make_nets
from ml.bench.speed.processes import Line, time_lines
from ml.images import cores, image_paths, open_image
from ml.manifest import Manifest
from ml.models.base import Predictions, ShouldStop
from ml.models.fusion import load as load_fusion
from ml.models.fusion.cascade import margins
from ml.models.fusion.scores import align
from ml.pipeline import BATCH, Inputs
from ml.predict import load_models, score
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

SIDE = 800
# Images timed; times each line runs; rows of the scan whose memory is watched.
SIZES = {"images": 256, "repeats": 5, "rows": 100_000}
QUICK = {"images": 64, "repeats": 3, "rows": 100_000}
WORLD = {"brands": 8, "train": 30, "closed": 0, "open_": 40, "business": 0}


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`images_per_s` by line, medians over the repeats; `cascade_recall_loss`, the mean over worlds
    of the closed recall lost at the same flag ratio; `peak_mb` of a long scan."""
    sizes, threads = QUICK if quick else SIZES, cores()
    losses = []
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as made,
            progress.part(0.5 * (seed - 1) / seeds, 0.5 * seed / seeds) as part,
        ):
            losses.append(recall_loss(seed, Path(made), part, should_stop, quick=quick))
    share = mean(loss["looked_at"] for loss in losses)
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as place:
        folder = Path(place)
        progress.report("draw", 0.5)
        world = generate(
            **WORLD, pool=sizes["images"], size=SIDE, seed=1, out=folder / "world",
            progress=Progress(quiet=True), should_stop=should_stop,
        )  # fmt: skip
        paths = image_paths(world, world.rows("pool")["image"].to_pylist())
        progress.report("export", 0.55)
        brands = sorted({brand for brand in world.table["brand"].to_pylist() if brand})
        nets = make_nets(brands, folder / "nets")
        fusion, looked = _fusion(
            nets, world, paths, share=share, out=folder / "fusion", should_stop=should_stop
        )
        lines = _lines(nets, fusion, threads)
        with progress.part(0.6, 0.9) as part:
            time_lines(
                lines, paths, repeats=sizes["repeats"], progress=part, should_stop=should_stop
            )
        progress.report("memory", 0.9)
        memory = memory_of_scan(
            [nets.onnx["variation"]], _small(paths[:16], folder / "small"), folder,
            rows=sizes["rows"], threads=threads, should_stop=should_stop,
        )  # fmt: skip
    return _result(lines, losses, memory) | {
        "looked_at": looked,
        "threads": threads,
        "batch": BATCH,
        "precision": "float32",
        "nets": NETS,
        "side": SIDE,
        "sizes": sizes,
    }


def _small(paths: list[Path], folder: Path) -> list[Path]:
    """The pictures at 128 pixels, of which a hundred thousand take minutes."""
    folder.mkdir()
    for path in paths:
        image = open_image(path)
        image.thumbnail((128, 128))
        image.save(folder / path.name)
    return sorted(folder.iterdir())


def _lines(nets: Folders, fusion: Path, threads: int) -> dict[str, Line]:
    cascaded = nets.onnx | {"fusion": fusion}
    return {
        "ours": Line(work.pipeline, nets.onnx, threads),
        "cascade": Line(work.cascade, cascaded, threads),
        "loop": Line(work.loop, nets.torch, threads),
        "session": Line(work.session, nets.onnx, threads),
        "decode": Line(work.decode, nets.onnx, threads),
        "ours_torch": Line(work.pipeline, nets.torch, threads),
    }


def _fusion(
    nets: Folders,
    world: Manifest,
    paths: list[Path],
    *,
    share: float,
    out: Path,
    should_stop: ShouldStop,
) -> tuple[Path, float]:
    """A fusion of the random nets whose cascade looks at the share of images at which that of the
    trained nets looked; and the share it really looks at."""
    train(
        kind="fusion",
        manifest=world.path,
        out=out,
        config={"models": [str(folder) for folder in nets.onnx.values()]},
        init=None,
        progress=Progress(quiet=True),
        should_stop=should_stop,
    )
    artifact = read_artifact(out)
    fusion = load_fusion(artifact)
    screens = load_models([nets.onnx[kind] for kind in ("classifier", "variation")])
    batches = list(score(screens, Inputs(paths=paths), should_stop=should_stop))
    found = {kind: Predictions.join([batch[kind] for batch in batches]) for kind in screens}
    parts = align(
        found,
        {kind: model.labels for kind, model in screens.items()},
        brands=fusion.labels[:-1],
        titled=np.zeros(len(paths), bool),
    )
    limits = np.array([fusion.thresholds[brand] for brand in fusion.labels[:-1]])
    margin = margins(fusion.probabilities(parts)[:, :-1], limits)
    floor = float(np.quantile(margin, 1 - share))
    write_artifact(
        replace(artifact, calibration=artifact.calibration | {"cascade_floor": floor}), out
    )
    return out, round(float((margin >= floor).mean()), 4)


def _result(
    lines: dict[str, Line], losses: list[dict[str, Any]], memory: dict[str, Any]
) -> dict[str, Any]:
    speed = {name: line.images_per_s for name, line in lines.items()}
    limit = 1 / (1 / speed["decode"] + 1 / speed["session"])
    cost = {name: line.processor_ms for name, line in lines.items()}
    lost = mean(loss["recall"] - loss["cascade_recall"] for loss in losses)
    return {
        "images_per_s": {name: round(value, 2) for name, value in speed.items()},
        "cascade_recall_loss": round(lost, 4),
        "peak_mb": memory["peak_mb"],
        "share_of_limit": round(speed["ours"] / limit, 3),
        "share_of_limit_by_processor": round((cost["decode"] + cost["session"]) / cost["ours"], 3),
        "processor_ms": {name: round(value, 2) for name, value in cost.items()},
        "cascade_over_loop": round(speed["cascade"] / speed["loop"], 2),
        "ours_over_loop": round(speed["ours"] / speed["loop"], 2),
        "repeats": {n: [round(s, 2) for s in line.speeds] for n, line in lines.items()},
        "memory": memory,
        "seeds": losses,
    }
