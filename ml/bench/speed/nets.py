"""The three nets that every line runs, in realistic sizes and with random weights: how fast a net
is does not depend on what it has learned."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ml.artifact import Artifact, code_version, write_artifact
from ml.export.run import export
from ml.manifest import VARIATIONS
from ml.models import classifier, variation
from ml.models.backbone import make_net, save_weights
from ml.models.config import NetConfig, with_preset
from ml.models.yolo import config as yolo_config
from ml.models.yolo import net as yolo_net
from ml.progress import Progress

NETS: dict[str, dict[str, Any]] = {
    "classifier": {"backbone": "mobilenetv3_large_100", "size": 224},
    "variation": {"backbone": "mobilenetv3_small_100", "size": 160},
    "detector": {"net": "yolo11", "width": 0.25, "depth": 0.5, "distances": 16, "size": 640},
}
# Nothing is trained, so a fusion may be fitted on any row.
HOLDOUT = 0.5
MODULES = {"classifier": classifier, "variation": variation}


@dataclass(frozen=True)
class Folders:
    """By kind, the folders of the nets in torch and as ONNX."""

    torch: dict[str, Path]
    onnx: dict[str, Path]


def make_nets(brands: list[str], out: Path) -> Folders:
    """Artifacts of NETS, and their exports."""
    torch.manual_seed(0)
    plain = {kind: out / f"{kind}-torch" for kind in NETS}
    for kind in MODULES:
        _write_classes(kind, [*brands, "none"] if kind == "classifier" else list(VARIATIONS), plain)
    _write_boxes(brands, plain["detector"])
    exported = {kind: out / kind for kind in NETS}
    for kind, folder in plain.items():
        export(model=folder, out=exported[kind], int8=None, progress=Progress(quiet=True))
    return Folders(plain, exported)


def _write_classes(kind: str, labels: list[str], folders: dict[str, Path]) -> None:
    module = MODULES[kind]
    config: NetConfig = with_preset(
        module.Config(**NETS[kind], holdout=HOLDOUT), module.PRESETS["cpu"]
    )
    folders[kind].mkdir(parents=True)
    save_weights(make_net(config, len(labels)), folders[kind])
    _write(kind, labels, asdict(config), folders[kind])


def _write_boxes(labels: list[str], folder: Path) -> None:
    config = yolo_config.filled(
        yolo_config.Config(**NETS["detector"], holdout=HOLDOUT), device="cpu", init=None
    )
    network = yolo_net.read_network(config)
    folder.mkdir(parents=True)
    save_weights(yolo_net.make_net(network, len(labels), size=config.size or 0), folder)
    _write("detector", labels, asdict(config) | {"network": network}, folder)


def _write(kind: str, labels: list[str], config: dict[str, Any], folder: Path) -> None:
    artifact = Artifact(
        kind=kind,
        labels=labels,
        config=config,
        manifest_sha256="",
        code_version=code_version(),
        files={yolo_net.WEIGHTS: ""},
    )
    write_artifact(artifact, folder)
