"""Training of the text model: the rows and the label meaning of the classifier, on titles."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from ml.artifact import META, Artifact, code_version, file_sha256, write_artifact
from ml.errors import Cancelled, InputError
from ml.files import write_atomically
from ml.manifest import Manifest
from ml.models.base import ShouldStop
from ml.models.brand_rows import choose_brand_rows, targets
from ml.models.calibration import fit_temperature, negative_log_likelihood
from ml.models.device import choose_device
from ml.models.fitting import Fitting, Schedule, remove_checkpoint
from ml.models.text.aliases import Aliases, read_aliases
from ml.models.text.config import Config, check
from ml.models.text.features import Features, featurise
from ml.models.text.net import WEIGHTS, Weights, warm
from ml.models.text.predictor import ALIASES, read_search
from ml.models.text.search import AliasSearch
from ml.models.text.steps import Batches, TitleNet
from ml.progress import Progress

log = logging.getLogger(__name__)
KIND = "text"
CHUNK = 1024


def train(
    *,
    config: Config,
    manifest: Manifest,
    out: Path,
    init: Artifact | None,
    progress: Progress,
    should_stop: ShouldStop,
) -> Artifact:
    """See `ml.models.base`."""
    check(config)
    choose_device("cpu", threads=config.threads)
    rows = choose_brand_rows(
        _titled(manifest),
        brands=config.brands,
        holdout=config.holdout,
        negatives_per_brand=config.negatives_per_brand,
        hard_share=config.hard_share,
        seed=config.seed,
    )
    aliases = read_aliases(manifest, config.brands_file, rows.labels[:-1])
    search = AliasSearch(list(aliases.values()))
    progress.report("read titles", 0.0)
    features, validation = (
        _features(table, search, config, rows.labels, should_stop)
        for table in (rows.train, rows.calibration)
    )
    batches = Batches(features, rows, config)
    net = TitleNet(_initial(config, search, rows.labels, init), batches.used)
    schedule = _schedule(config, rows=len(features), warm=init is not None)
    fitting = Fitting(net, schedule, out=out, identity=_identity(config, manifest, aliases, init))
    out.mkdir(parents=True, exist_ok=True)
    with progress.part(0.1, 0.95) as part:
        fitting.run(batches.loss, progress=part, should_stop=should_stop)
    weights = net.weights()
    temperature, metrics = _validate(weights, validation, targets(rows.calibration, rows.labels))
    progress.report("calibrate", 0.98, **metrics)
    weights.save(out)
    write_atomically(out / ALIASES, json.dumps(aliases, ensure_ascii=False, indent=1))
    artifact = Artifact(
        kind=KIND,
        labels=rows.labels,
        config=asdict(config),
        manifest_sha256=manifest.sha256,
        code_version=code_version(),
        metrics=metrics | {"rows": len(features), "steps": schedule.steps},
        calibration={"temperature": temperature},
        files={WEIGHTS: "", ALIASES: ""},
    )
    written = write_artifact(artifact, out)
    remove_checkpoint(out)
    return written


def _titled(manifest: Manifest) -> Manifest:
    """The rows with a title.

    Raises:
        InputError: no training row has one.
    """
    titles = manifest.table["title"]
    has = pc.fill_null(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(titles)), 0), False)
    titled = replace(manifest, table=manifest.table.filter(has))
    if len(manifest.rows("train")) and not len(titled.rows("train")):
        raise InputError(f"{manifest.path}: no row with split train has a title")
    return titled


def _features(
    table: pa.Table,
    search: AliasSearch,
    config: Config,
    labels: Sequence[str],
    should_stop: ShouldStop,
) -> Features:
    titles = table["title"].to_pylist()
    parts = []
    for start in range(0, max(1, len(titles)), CHUNK):
        if should_stop():
            raise Cancelled
        parts.append(
            featurise(
                titles[start : start + CHUNK],
                search,
                brands=len(labels) - 1,
                bits=config.bits,
                orders=config.orders,
            )
        )
    stacked = {
        name: sparse.vstack([getattr(part, name) for part in parts], format="csr")
        for name in ("grams", "names", "ways")
    }
    return Features(**stacked)


def _initial(
    config: Config, search: AliasSearch, labels: list[str], init: Artifact | None
) -> Weights:
    fresh = Weights.fresh(buckets=1 << config.bits, names=len(search.names), labels=len(labels))
    if init is None:
        return fresh
    return warm(
        fresh,
        search,
        labels,
        earlier=Weights.read(init),
        earlier_search=read_search(init),
        earlier_labels=init.labels,
    )


def _schedule(config: Config, *, rows: int, warm: bool) -> Schedule:
    epoch_steps = -(-rows // config.batch_size)
    least = config.least_steps // 2 if warm else config.least_steps
    epochs = config.warm_epochs if warm else config.epochs
    return Schedule(
        steps=max(epochs, -(-least // epoch_steps)) * epoch_steps,
        epoch_steps=epoch_steps,
        learning_rate=config.learning_rate,
        # AdamW's own decay ignores how often a feature is seen: memorised noise would stay.
        weight_decay=0.0,
        warmup=config.warmup,
        ema=0.0,
        seed=config.seed,
        checkpoint_seconds=config.checkpoint_seconds,
    )


def _identity(config: Config, manifest: Manifest, aliases: Aliases, init: Artifact | None) -> str:
    """A hash of all that decides what a training ends with, but not of how it is run."""
    settings = asdict(config)
    for name in ("threads", "checkpoint_seconds", "brands_file"):
        del settings[name]
    parts: dict[str, Any] = {"kind": KIND, "config": settings, "manifest": manifest.sha256}
    parts |= {"aliases": aliases, "init": file_sha256(init.path(META)) if init else None}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _validate(
    weights: Weights, validation: Features, truth: np.ndarray
) -> tuple[float, dict[str, Any]]:
    """The fitted temperature, and accuracy and likelihood on the rows it was fitted on."""
    if not len(truth):
        log.warning("no rows to calibrate on: scores stay raw")
        return 1.0, {}
    logits, classes = weights.logits(validation), truth.argmax(axis=1)
    temperature = fit_temperature(logits, classes)
    return temperature, {
        "val_accuracy": float(np.mean(logits.argmax(axis=1) == classes)),
        "val_nll": negative_log_likelihood(logits, classes, temperature),
        "val_rows": len(truth),
    }
