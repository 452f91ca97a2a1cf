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
import torch
from scipy import sparse
from torch import Tensor, nn

from ml.artifact import META, Artifact, code_version, file_sha256, write_artifact
from ml.errors import Cancelled, InputError
from ml.manifest import Manifest
from ml.models.base import ShouldStop
from ml.models.brand_rows import BrandRows, choose_brand_rows, excluded, targets
from ml.models.calibration import fit_temperature, negative_log_likelihood
from ml.models.device import choose_device
from ml.models.fitting import Fitting, Schedule, remove_checkpoint
from ml.models.net_training import partial_label_loss
from ml.models.samples import balanced_epoch
from ml.models.text.aliases import Aliases, read_aliases
from ml.models.text.config import Config, check
from ml.models.text.features import Features, featurise
from ml.models.text.net import WEIGHTS, Weights, warm
from ml.models.text.predictor import ALIASES, read_search
from ml.models.text.search import WAYS, AliasSearch
from ml.progress import Progress, write_atomically

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
    batches = _Batches(features, rows, config)
    net = _TitleNet(_initial(config, search, rows.labels, init), batches.used)
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


class _TitleNet(nn.Module):
    """`Weights.logits` where its gradient is wanted. N-grams and names are one table, of which only
    `used` rows are trained: the rest, most of the buckets, come up in no training title."""

    def __init__(self, start: Weights, used: np.ndarray) -> None:
        super().__init__()
        self._start, self._used = np.concatenate([start.grams, start.names]), used
        self._buckets = len(start.grams)
        table = torch.from_numpy(self._start[used])
        self.table = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum")
        self.ways = nn.Parameter(torch.from_numpy(start.ways.copy()))
        self.bias = nn.Parameter(torch.from_numpy(start.bias.copy()))

    def forward(self, columns: sparse.csr_matrix, ways: sparse.csr_matrix) -> Tensor:
        """Logits [n, k]."""
        found = self.table(
            torch.from_numpy(columns.indices.astype(np.int64)),
            torch.from_numpy(columns.indptr[:-1].astype(np.int64)),
            per_sample_weights=torch.from_numpy(columns.data),
        )
        by_brand = torch.from_numpy(ways.toarray()).reshape(len(found), -1, len(WAYS)) @ self.ways
        return torch.cat([found[:, :-1] + by_brand, found[:, -1:]], dim=1) + self.bias

    def weights(self) -> Weights:
        trained, ways, bias = (
            parameter.detach().numpy() for parameter in (self.table.weight, self.ways, self.bias)
        )
        table = self._start.copy()
        table[self._used] = trained
        return Weights(table[: self._buckets], table[self._buckets :], ways, bias)


class _Batches:
    """The loss of any step, from (seed, step) alone."""

    def __init__(self, features: Features, rows: BrandRows, config: Config) -> None:
        columns = sparse.hstack([features.grams, features.names], format="csc")
        self.used = np.flatnonzero(np.diff(columns.indptr))
        self._columns = columns[:, self.used].tocsr()
        self._ways = features.ways
        self._targets = targets(rows.train, rows.labels)
        self._excluded = excluded(rows.train, rows.labels)
        known = self._targets.any(axis=1)
        self._classes = np.where(known, self._targets.argmax(axis=1), -1)
        self._config = config
        self._epoch, self._order = -1, np.empty(0, int)

    def loss(self, net: Any, step: int) -> Tensor:
        rows = self._rows(step)
        loss = partial_label_loss(
            net(self._columns[rows], self._ways[rows]),
            torch.from_numpy(self._targets[rows]),
            torch.from_numpy(self._excluded[rows]),
            smoothing=self._config.label_smoothing,
        )
        squares = net.table.weight.square().sum()
        return loss + self._config.penalty / (2 * len(self._classes)) * squares

    def _rows(self, step: int) -> np.ndarray:
        size = self._config.batch_size
        epoch, within = divmod(step, -(-len(self._classes) // size))
        if epoch != self._epoch:
            rng = np.random.default_rng([self._config.seed, epoch])
            self._epoch = epoch
            self._order = balanced_epoch(self._classes, self._config.balance, rng)
        return self._order[within * size : (within + 1) * size]


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
