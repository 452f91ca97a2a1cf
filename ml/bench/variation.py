"""What the product's look is worth to the variation model: trained on arrangement alone and on
arrangement × look, on the same pictures, and asked to find arrangements that show a brand at the
article's share of flags."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml.bench.rows import means
from ml.evaluate.recall import common_threshold, mean_recall, recall_by_brand
from ml.evaluate.scored import Scored, fitting_half, scored
from ml.manifest import conform
from ml.models import load
from ml.models.base import Predictions, Predictor, ShouldStop
from ml.pipeline import Inputs
from ml.predict import score
from ml.progress import Progress
from ml.synth import generate
from ml.synth.brands import make_brands
from ml.synth.commerce import make_merchants
from ml.synth.plan import Plan
from ml.synth.render import World
from ml.synth.stream import draw_in_parts
from ml.synth.world import plan_world
from ml.train import train

FLAG_RATIO = 0.0011
PICTURE = 112
# Training pictures as `generate` counts them; closed ones of which those with an arrangement, one
# in seven, are drawn; open ones.
SIZES = {"brands": 8, "train": 4_500, "closed": 7_000, "open": 100_000}
QUICK = {"brands": 4, "train": 900, "closed": 1_000, "open": 8_000}
MODELS: dict[str, dict[str, Any]] = {
    "arrangement only": {"look": False},
    "with look": {"look": True},
}
EPOCHS, QUICK_EPOCHS = 20, 8
COLUMNS = ("image", "sha256", "group", "answer", "brand", "variation", "split")


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`rows`: one for every model and seed; `mean`: the same over the seeds."""
    sizes = QUICK if quick else SIZES
    rows: list[dict[str, Any]] = []
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            found = _measure(
                seed,
                sizes,
                QUICK_EPOCHS if quick else EPOCHS,
                Path(folder),
                progress=part,
                should_stop=should_stop,
            )
            rows += [row | {"seed": seed} for row in found]
    return {
        "rows": rows,
        "mean": means(rows, ("name",)),
        "flag_ratio": FLAG_RATIO,
        "sizes": sizes,
    }


def _measure(
    seed: int,
    sizes: Mapping[str, int],
    epochs: int,
    folder: Path,
    *,
    progress: Progress,
    should_stop: ShouldStop,
) -> list[dict[str, Any]]:
    models = _models(seed, sizes, epochs, folder, progress=progress, should_stop=should_stop)
    brands = make_brands(count=sizes["brands"], seed=seed)
    world = World(
        directory=folder / "drawn", seed=seed, size=PICTURE, brands=brands,
        merchants=make_merchants(brands, seed),
    )  # fmt: skip
    counts = dict.fromkeys(("train", "detection", "variation", "pool", "business"), 0)
    plans = plan_world(brands, counts | {name: sizes[name] for name in ("closed", "open")}, seed)
    asked = [p for p in plans if p.folder == "open" or p.variation != "none"]
    with progress.part(0.4, 1.0) as part:
        found = _scored(world, asked, models, part, should_stop)
    return [{"name": name} | _figures(one) for name, one in found.items()]


def _models(
    seed: int,
    sizes: Mapping[str, int],
    epochs: int,
    folder: Path,
    *,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Predictor]:
    with progress.part(0.0, 0.1) as part:
        world = generate(
            brands=sizes["brands"], train=sizes["train"], closed=0, open_=0, business=0, pool=0,
            size=PICTURE, seed=seed, out=folder / "world", progress=part,
            should_stop=should_stop,
        )  # fmt: skip
    models: dict[str, Predictor] = {}
    for i, (name, config) in enumerate(MODELS.items()):
        with progress.part(0.1 + 0.15 * i, 0.25 + 0.15 * i) as part:
            artifact = train(
                kind="variation", manifest=world.path, out=folder / f"model-{i}",
                config=config | {"epochs": epochs, "seed": seed}, init=None,
                progress=part, should_stop=should_stop,
            )  # fmt: skip
        predictor = load(artifact)
        assert isinstance(predictor, Predictor)  # noqa: S101
        models[name] = predictor
    return models


def _scored(
    world: World,
    plans: Sequence[Plan],
    models: Mapping[str, Predictor],
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Scored]:
    """Every model's scores of the planned pictures, which are drawn and deleted on the way."""
    rows: list[dict[str, Any]] = []
    found: dict[str, list[Predictions]] = {name: [] for name in models}
    for part in draw_in_parts(world, plans):
        paths = [world.directory / row["image"] for row in part]
        for batch in score(models, Inputs(paths), should_stop=should_stop):
            for name, predictions in batch.items():
                found[name].append(predictions)
        rows += [{name: row[name] for name in COLUMNS} for row in part]
        progress.report("draw and score", len(rows) / len(plans))
    table = conform(pa.Table.from_pylist(rows))
    return {
        name: scored("variation", models[name].labels, table, batches, look=True)
        for name, batches in found.items()
    }


def _figures(data: Scored) -> dict[str, Any]:
    """At the threshold that flags the share of one half of the open pictures: the recall of closed
    arrangements, a mean of collages and stacks, and the share of the other half that is flagged."""
    split, wanted = data.column("split"), data.is_variation
    opened = data.of(split == "open")
    fitting = fitting_half(opened.rows)
    threshold = common_threshold(opened.scores[fitting], FLAG_RATIO)
    rest = opened.of(~fitting)
    flagged = rest.scores[:, 0] > threshold
    closed = data.of(split == "closed")
    hit = closed.scores[:, 0] > threshold
    by_kind = recall_by_brand(hit, closed.column("variation").astype(str))
    return {
        "closed_recall": mean_recall(by_kind),
        "flag_ratio": float(flagged.mean()),
        "collages": by_kind["collage"]["recall"],
        "stacks": by_kind["stack"]["recall"],
        "open_found": int(flagged[rest.is_variation].sum()),
        "flagged_at_half": float((rest.scores[:, 0] > 0.5).mean()),
        "closed_recall_at_half": float((closed.scores[:, 0] > 0.5).mean()),
        "open_images": len(rest.rows),
        "open_wanted": int(rest.is_variation.sum()),
        "closed_images": int(wanted[split == "closed"].sum()),
    }
