"""The logo detector: a YOLO with the article's recipe. All logos of a brand are one class; of a
class-agnostic one those of all brands are.

Rows of split train with `boxes` train: those with an empty list as background; rows without the
list (null) were not looked at and are not used.
"""

from dataclasses import asdict
from pathlib import Path

import torch

from ml.artifact import Artifact, code_version, write_artifact
from ml.manifest import Manifest
from ml.models.backbone import WEIGHTS, save_weights
from ml.models.base import ShouldStop
from ml.models.device import choose_device
from ml.models.enrolled import CROPS, EnrolledPredictor
from ml.models.fitting import Fitting, remove_checkpoint
from ml.models.yolo.boxed_images import read_boxed_images
from ml.models.yolo.config import Config, filled
from ml.models.yolo.net import make_net, read_network, warm_start
from ml.models.yolo.predictor import BoxPredictor
from ml.models.yolo.samples import choose_boxed_rows
from ml.models.yolo.training import Steps, identity, validate
from ml.progress import Progress

__all__ = ["KIND", "Config", "load", "train"]

KIND = "detector"
LOGO = "logo"


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
    device = choose_device(config.device, threads=config.threads)
    config = filled(config, device=device.type, init=init)
    rows = choose_boxed_rows(manifest, brands=config.brands, holdout=config.holdout)
    labels = [LOGO] if config.class_agnostic else rows.labels
    network = read_network(config)
    torch.manual_seed(config.seed)
    net = make_net(network, len(labels), size=config.size or 0)
    if init is not None:
        warm_start(net, labels, init=init)
    net = net.to(device)
    progress.report("read images", 0.0)
    images, validation = (
        read_boxed_images(manifest, table, rows.labels, config.size or 0, should_stop)
        for table in (rows.train, rows.validation)
    )
    if config.class_agnostic:
        images, validation = images.as_one_class(), validation.as_one_class()
    steps = Steps(images, config, net, warm=init is not None)
    fitting = Fitting(
        net,
        steps.schedule(warm=init is not None),
        out=out,
        identity=identity(config, manifest, init),
    )
    out.mkdir(parents=True, exist_ok=True)
    with progress.part(0.05, 0.95) as part:
        kept = fitting.run(steps.loss, progress=part, should_stop=should_stop)
    metrics = validate(kept, validation, config, device)
    progress.report("validate", 0.98, **metrics)
    save_weights(kept, out)
    artifact = Artifact(
        kind=KIND,
        labels=labels,
        config=asdict(config) | {"network": network},
        manifest_sha256=manifest.sha256,
        code_version=code_version(),
        metrics=metrics | {"rows": len(images), "steps": steps.count},
        files={WEIGHTS: ""},
    )
    written = write_artifact(artifact, out)
    remove_checkpoint(out)
    return written


def load(artifact: Artifact) -> BoxPredictor | EnrolledPredictor:
    """See `ml.models.base`."""
    return EnrolledPredictor(artifact) if CROPS in artifact.files else BoxPredictor(artifact)
