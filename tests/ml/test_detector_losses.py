import math
from dataclasses import replace

import pytest
import torch
from torchvision.ops import distance_box_iou, sigmoid_focal_loss

from ml.models.yolo import losses
from ml.models.yolo.config import Config, filled, loss_config
from ml.models.yolo.losses import ClassLoss, DetectionLoss, DIoUBoxLoss, soft_focal_loss
from ml.models.yolo.net import make_net, read_network

ARTICLE = loss_config(filled(Config(), device="cpu", init=None))
PLAIN = loss_config(filled(Config(recipe="plain"), device="cpu", init=None))


def test_focal_loss_by_hand():
    # p = 0.5: factor 0.5² and entropy ln 2, weighted 0.7 for a positive and 0.3 for a negative.
    loss = soft_focal_loss(torch.zeros(2), torch.tensor([1.0, 0.0]), positive=0.7, gamma=2.0)
    torch.testing.assert_close(loss, torch.tensor([0.7, 0.3]) * 0.25 * math.log(2))


def test_focal_loss_is_torchvisions_for_hard_targets():
    torch.manual_seed(0)
    logits, targets = torch.randn(50, 4) * 3, (torch.rand(50, 4) < 0.3).float()
    ours = soft_focal_loss(logits, targets, positive=0.7, gamma=2.0)
    torch.testing.assert_close(ours, sigmoid_focal_loss(logits, targets, alpha=0.7, gamma=2.0))


@pytest.mark.parametrize("target", [0.2, 0.5, 0.9])
def test_focal_loss_is_least_where_the_score_is_the_soft_target(target):
    scores = torch.arange(0.01, 1.0, 0.01)
    loss = soft_focal_loss(
        torch.logit(scores), torch.full_like(scores, target), positive=0.7, gamma=2.0
    )
    assert scores[loss.argmin()].item() == pytest.approx(target, abs=0.011)


def test_smoothing_spreads_a_positive_and_leaves_background_alone():
    loss = ClassLoss(replace(PLAIN, smoothing=0.2))
    logits = torch.zeros(2, 4)
    targets = torch.tensor([[0.8, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    logits.requires_grad_()
    loss(logits, targets).sum().backward()
    # The gradient of binary cross-entropy is p − t.
    spread = 0.2 * 0.8 / 4
    expected = torch.tensor([[0.8 * 0.8 + spread, spread, spread, spread], [0.0] * 4])
    torch.testing.assert_close(0.5 - logits.grad, expected)


def _one_box_loss(kind, predicted, true, weight):
    anchors, strides = torch.tensor([[1.5, 1.5]]), torch.tensor([[8.0]])
    return kind(8)(
        torch.zeros(1, 1, 32), predicted[None], anchors, true[None],
        torch.tensor([[[weight, 0.0]]]), torch.tensor(2.0), torch.ones(1, 1, dtype=torch.bool),
        torch.tensor([64.0, 64.0]), strides,
    )  # fmt: skip


def test_box_loss_is_diou_by_hand_weighted_by_the_target_score():
    predicted, true = torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 1.0, 3.0, 3.0]])
    box, _ = _one_box_loss(DIoUBoxLoss, predicted, true, 0.6)
    # IoU 1/7, squared centre distance 2, squared diagonal of the enclosing box 18; over a sum of 2.
    assert box.item() == pytest.approx((1 - 1 / 7 + 2 / 18) * 0.6 / 2, abs=1e-5)
    other = 1 - distance_box_iou(predicted, true)[0, 0]
    assert box.item() == pytest.approx(other.item() * 0.3, abs=1e-5)


def test_the_distance_loss_stays_ultralytics():
    predicted, true = torch.tensor([[0.2, 0.1, 2.0, 2.5]]), torch.tensor([[1.0, 1.0, 3.0, 3.0]])
    _, ours = _one_box_loss(DIoUBoxLoss, predicted, true, 0.6)
    _, theirs = _one_box_loss(losses.BboxLoss, predicted, true, 0.6)
    assert ours.item() == theirs.item() > 0


@pytest.fixture(scope="module")
def scene():
    torch.manual_seed(0)
    config = filled(Config(width=0.125), device="cpu", init=None)
    net = make_net(read_network(config), 3, size=64)
    batch = {
        "img": torch.rand(2, 3, 64, 64),
        "cls": torch.tensor([[0.0], [2.0]]),
        "bboxes": torch.tensor([[0.5, 0.5, 0.4, 0.3], [0.3, 0.6, 0.2, 0.2]]),
        "batch_idx": torch.tensor([0.0, 1.0]),
    }
    return net, batch


def test_the_plain_recipe_is_ultralytics_own_loss(scene):
    net, batch = scene
    ours = DetectionLoss(net, PLAIN)
    outputs = net(batch["img"])
    parts, _ = losses.v8DetectionLoss(net)(outputs, batch)
    torch.testing.assert_close(ours.total(outputs, batch), parts.sum() / 2)


def test_the_articles_losses_reach_every_weight(scene):
    net, batch = scene
    net.zero_grad()
    loss = DetectionLoss(net, ARTICLE).total(net(batch["img"]), batch)
    loss.backward()
    untouched = [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None]
    assert untouched == []


def test_a_batch_without_boxes_still_has_a_loss(scene):
    net, batch = scene
    empty = {name: batch[name][:0] for name in ("cls", "bboxes", "batch_idx")}
    loss = DetectionLoss(net, ARTICLE).total(net(batch["img"]), batch | empty)
    assert 0 < loss.item() < math.inf
