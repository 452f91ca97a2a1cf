"""What is timed: each line does its work on any list of images, and says how.

A line runs in a process of its own (`ml.bench.speed.processes`) and is built there.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ml.images import open_image, read_ahead, read_letterboxed
from ml.models.base import Predictor
from ml.pipeline import BATCH, Inputs
from ml.predict import load_models, score

Work = Callable[[Sequence[Path]], None]
Nets = dict[str, Path]


def pipeline(folders: Nets, threads: int, *, cascade: bool = False) -> Work:
    """`score`, as scans and evaluations use it."""
    predictors = load_models(list(folders.values()))

    def work(paths: Sequence[Path]) -> None:
        for _ in score(predictors, Inputs(paths=paths), cascade=cascade, workers=threads):
            pass

    return work


def cascade(folders: Nets, threads: int) -> Work:
    """`score` with the detector only where the fusion is undecided."""
    return pipeline(folders, threads, cascade=True)


def decode(folders: Nets, threads: int) -> Work:
    """Decoding and scaling for the same nets, and nothing else."""
    sides = {model.side for model in _looking(folders)}

    def work(paths: Sequence[Path]) -> None:
        for _ in read_ahead(
            lambda some: read_letterboxed(some, sides), _batches(paths), readers=threads
        ):
            pass

    return work


def session(folders: Nets, threads: int) -> Work:
    """The bare sessions, on squares that are ready: a batch a thread."""
    from ml.artifact import read_artifact
    from ml.models.sessions.runtimes import MODEL, open_session

    artifacts = [read_artifact(folder) for folder in folders.values()]
    sides = [int(artifact.config["size"]) for artifact in artifacts]
    runs = [open_session(artifact.path(MODEL)) for artifact in artifacts]
    rng = np.random.default_rng(0)
    ready = [rng.integers(0, 256, (BATCH, side, side, 3), dtype=np.uint8) for side in sides]

    def one(paths: Sequence[Path]) -> None:
        for run, squares in zip(runs, ready, strict=True):
            run(squares[: len(paths)])

    def work(paths: Sequence[Path]) -> None:
        for _ in read_ahead(one, _batches(paths), readers=threads):
            pass

    return work


def loop(folders: Nets, threads: int) -> Work:
    """What one would write first: image by image, timm's transforms and networks, and Ultralytics'
    `YOLO.predict`, in torch, with as many threads in each operation."""
    import timm
    import torch
    from safetensors.torch import load_file
    from timm.data import create_transform
    from ultralytics import YOLO

    from ml.artifact import read_artifact
    from ml.models.yolo.net import WEIGHTS, make_net, read_weights

    torch.set_num_threads(threads)
    nets = []
    for kind in ("classifier", "variation"):
        artifact = read_artifact(folders[kind])
        config, classes = artifact.config, len(artifact.labels)
        net = timm.create_model(config["backbone"], num_classes=classes)
        net.load_state_dict(load_file(artifact.path(WEIGHTS)))
        nets.append((create_transform(config["size"], crop_pct=1.0), net.eval()))
    artifact = read_artifact(folders["detector"])
    side = int(artifact.config["size"])
    yolo = YOLO("yolo11n.yaml")
    net = make_net(artifact.config["network"], len(artifact.labels), size=side)
    net.load_state_dict(read_weights(artifact))
    yolo.model = net  # type: ignore[assignment]

    def work(paths: Sequence[Path]) -> None:
        with torch.inference_mode():
            for path in paths:
                image = open_image(path)
                for transform, net in nets:
                    net(transform(image)[None]).softmax(1)
                yolo.predict(image, imgsz=side, verbose=False, device="cpu")

    return work


def _looking(folders: Nets) -> list[Predictor]:
    models = load_models(list(folders.values())).values()
    return [model for model in models if isinstance(model, Predictor)]


def _batches(paths: Sequence[Path]) -> list[Sequence[Path]]:
    return [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
