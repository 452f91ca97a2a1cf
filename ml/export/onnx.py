"""From a trained network in torch to an ONNX file."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from ml import models
from ml.artifact import Artifact
from ml.errors import InputError
from ml.models.enrolled import CROPS
from ml.models.net_predictor import NetPredictor, outputs

OPSET = 18
NETS = ("classifier", "variation", "detector")


def write_onnx(artifact: Artifact, path: Path) -> None:
    """Write the artifact's network.

    Raises:
        InputError: the model is not a network of images, or is an export itself.
    """
    if artifact.kind not in NETS or artifact.is_exported:
        what = "an export already" if artifact.is_exported else f"a {artifact.kind}"
        raise InputError(f"{artifact.directory}: {what}; a {' or '.join(NETS)} can be exported")
    if CROPS in artifact.files:
        raise InputError(f"{artifact.directory}: a detector of enrolled brands; export its finder")
    net, names, side = network(artifact)
    # Two: an example of one would be taken for a fixed size.
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.cpu().eval(),
            (example,),
            str(path),
            input_names=["squares"],
            output_names=names,
            dynamic_axes={name: {0: "n"} for name in ("squares", *names)},
            opset_version=OPSET,
            # Tracing: the newer exporter takes half a minute for the same file, and a package more.
            dynamo=False,
        )


def network(artifact: Artifact) -> tuple[nn.Module, list[str], int]:
    """The network from squares to outputs, the outputs' names, and the squares' side."""
    predictor = models.load(artifact)
    if isinstance(predictor, NetPredictor):
        return _Classes(predictor.net), ["logits", "features"], predictor.side
    from ml.models.yolo.predictor import BoxPredictor

    assert isinstance(predictor, BoxPredictor)  # noqa: S101 — the only other kind of NETS
    return _Boxes(predictor.net), ["anchors"], predictor.side


class _Classes(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [n, s, s, 3] → logits [n, k], penultimate features [n, d]."""
        features, logits = outputs(self.net, squares)
        return logits, features


class _Boxes(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, squares: Tensor) -> Tensor:
        """uint8 [n, s, s, 3] → [n, 4 + classes, anchors]: boxes in pixels, and scores."""
        return self.net(squares.permute(0, 3, 1, 2).float() / 255)[0]
