"""The losses of the article's detector, in Ultralytics' frame."""

from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import distance_box_iou_loss
from ultralytics.utils.loss import BboxLoss, v8DetectionLoss

from ml.models.yolo.config import LossConfig


class ClassLoss(nn.Module):
    """Elementwise loss of class logits against soft targets, with label smoothing."""

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Both [..., classes]; a background anchor's targets are all 0, and stay so."""
        strength = targets.sum(dim=-1, keepdim=True)
        smoothing = self.config.smoothing
        targets = targets * (1 - smoothing) + smoothing * strength / targets.shape[-1]
        if self.config.classes == "bce":
            return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return soft_focal_loss(
            logits, targets, positive=self.config.positive, gamma=self.config.gamma
        )


def soft_focal_loss(logits: Tensor, targets: Tensor, *, positive: float, gamma: float) -> Tensor:
    """Focal loss (Lin et al. 2017) for targets in [0, 1], elementwise.

    The factor is |t − p|^γ (Li et al. 2020, generalized focal loss): for t of 0 or 1 that is
    Lin's (1 − p_t)^γ, and in between the loss keeps its least at p = t, which Lin's does not.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    weight = targets * positive + (1 - targets) * (1 - positive)
    return weight * (targets - logits.sigmoid()).abs().pow(gamma) * entropy


class DIoUBoxLoss(BboxLoss):
    """Ultralytics' box loss with DIoU (Zheng et al. 2020) in place of CIoU."""

    def forward(  # noqa: PLR0917 — the signature is theirs
        self,
        pred_dist: Tensor,
        pred_bboxes: Tensor,
        anchor_points: Tensor,
        target_bboxes: Tensor,
        target_scores: Tensor,
        target_scores_sum: Tensor,
        fg_mask: Tensor,
        imgsz: Tensor,
        stride: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The DIoU loss, weighted by target score, and the distance loss as it was."""
        _, distance = super().forward(
            pred_dist, pred_bboxes, anchor_points, target_bboxes, target_scores,
            target_scores_sum, fg_mask, imgsz, stride,
        )  # fmt: skip
        weight = target_scores[fg_mask].sum(dim=-1)
        loss = distance_box_iou_loss(pred_bboxes[fg_mask], target_bboxes[fg_mask])
        return (loss * weight).sum() / target_scores_sum, distance


class DetectionLoss(v8DetectionLoss):
    """Ultralytics' detection loss with the class and box losses that `config` names."""

    def __init__(self, net: nn.Module, config: LossConfig) -> None:
        # Ultralytics reads the weights of its losses off the network, by these names.
        net.args = SimpleNamespace(
            box=config.box_gain, cls=config.class_gain, dfl=config.distance_gain
        )  # type: ignore[assignment]
        super().__init__(net)
        # Their only use of it is bce(logits, targets), elementwise.
        self.bce = ClassLoss(config)  # type: ignore[assignment]
        if config.boxes == "diou":
            self.bbox_loss = DIoUBoxLoss(self.reg_max).to(self.device)

    def total(self, predictions: dict[str, Tensor], batch: dict[str, Any]) -> Tensor:
        """The sum of the weighted losses, a mean over the batch."""
        parts, _ = self(predictions, batch)
        return parts.sum() / len(batch["img"])
