"""What a manifest's answers mean to the brand classifier."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ml.errors import InputError
from ml.manifest import Manifest, write_manifest
from ml.models.augment import mix_up
from ml.models.brand_rows import choose_brand_rows, excluded, targets
from ml.models.calibration import fit_temperature, softmax
from ml.models.negatives import choose_negatives
from ml.models.net_training import partial_label_loss
from ml.models.samples import balanced_epoch, held_out

ROWS: list[dict[str, Any]] = [
    *[{"answer": "brand", "brand": "a"}] * 3,
    *[{"answer": "brand", "brand": "b", "also": ["a"]}] * 2,
    {"answer": "none"},
    {"answer": "other", "excluded": ["a"]},
    {"answer": "unlabelled"},
    {"answer": "unlabelled", "excluded": ["b"]},
    {"answer": None},
]
OPTIONS: dict[str, Any] = {
    "holdout": 0.0,
    "negatives_per_brand": None,
    "hard_share": 0.5,
    "seed": 0,
}


def manifest(folder: Path, rows: list[dict]) -> Manifest:
    extra = [{"image": f"{i}.png", "sha256": str(i), "split": "train"} for i in range(len(rows))]
    return write_manifest([r | e for r, e in zip(rows, extra, strict=True)], folder)


def test_an_unlabelled_image_trains_nothing_unless_a_brand_is_ruled_out(tmp_path):
    rows = choose_brand_rows(manifest(tmp_path, ROWS), brands=None, **OPTIONS)
    assert rows.train["sha256"].to_pylist() == ["0", "1", "2", "3", "4", "5", "6", "8"]
    assert rows.labels == ["a", "b", "none"]


def test_targets_share_an_image_among_its_visible_brands(tmp_path):
    rows = choose_brand_rows(manifest(tmp_path, ROWS), brands=None, **OPTIONS)
    found = targets(rows.train, rows.labels)
    assert found[0].tolist() == [1, 0, 0]
    assert found[3].tolist() == [0.5, 0.5, 0]
    assert found[5].tolist() == found[6].tolist() == [0, 0, 1]
    assert found[7].tolist() == [0, 0, 0]
    assert excluded(rows.train, rows.labels)[[6, 7]].tolist() == [
        [True, False, False],
        [False, True, False],
    ]


def test_a_brand_off_the_list_is_a_negative(tmp_path):
    rows = choose_brand_rows(manifest(tmp_path, ROWS), brands=["a"], **OPTIONS)
    assert rows.labels == ["a", "none"]
    assert "3" in rows.train["sha256"].to_pylist()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows with split train"),
        ([{"answer": "none"}], "no row with answer brand"),
        ([{"answer": "brand", "brand": "a"}, {"answer": "none"}], "'a' has 1 training image"),
        ([{"answer": "brand", "brand": "a"}] * 2, "no negatives"),
    ],
)
def test_a_manifest_that_cannot_train_is_one_clear_error(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        choose_brand_rows(manifest(tmp_path, rows), brands=None, **OPTIONS)


def test_hard_negatives_are_taken_in_turn_by_brand():
    hard_for = [["a"]] * 10 + [["b"]] * 10 + [[]] * 80
    hard = np.arange(100) < 20
    chosen = choose_negatives(
        hard_for, hard, budget=20, hard_share=0.4, rng=np.random.default_rng(0)
    )
    assert len(chosen) == 20
    assert (chosen < 10).sum() == ((chosen >= 10) & (chosen < 20)).sum() == 4


def test_too_few_hard_negatives_are_filled_up_with_others():
    chosen = choose_negatives(
        [[]] * 10, np.arange(10) < 2, budget=6, hard_share=1.0, rng=np.random.default_rng(0)
    )
    assert len(set(chosen)) == 6


def test_balance_moves_an_epoch_from_natural_to_equal_shares():
    classes = np.array([0] * 90 + [1] * 10)
    rng = np.random.default_rng(0)
    assert sorted(balanced_epoch(classes, 0.0, rng)) == list(range(100))
    equal = classes[balanced_epoch(classes, 1.0, rng)]
    assert (equal == 0).sum() == (equal == 1).sum() == 50


def test_a_group_is_held_out_as_a_whole():
    groups = [f"g{i % 50}" for i in range(500)]
    mask = held_out(groups, 0.3)
    sides = {
        group: {bool(m) for g, m in zip(groups, mask, strict=True) if g == group}
        for group in groups
    }
    assert all(len(side) == 1 for side in sides.values())
    assert 0.1 < mask.mean() < 0.5


def test_the_partial_negative_loss_is_minus_log_of_one_minus_p():
    logits = torch.tensor([[1.0, 2.0, 0.5]])
    p = torch.softmax(logits, 1)[0]
    unknown, ruled_out = torch.zeros(1, 3), torch.tensor([[False, True, False]])
    loss = partial_label_loss(logits, unknown, ruled_out, smoothing=0.1)
    assert loss.item() == pytest.approx(-torch.log(1 - p[1]).item(), abs=1e-6)


def test_the_loss_of_a_known_class_is_smoothed_cross_entropy():
    logits, targets_ = torch.randn(5, 4), torch.eye(4)[[0, 1, 2, 3, 0]]
    loss = partial_label_loss(logits, targets_, torch.zeros(5, 4, dtype=torch.bool), smoothing=0.1)
    expected = torch.nn.functional.cross_entropy(logits, targets_.argmax(1), label_smoothing=0.1)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)


def test_temperature_undoes_overconfidence():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 3))
    drawn = np.array([rng.choice(3, p=p / p.sum()) for p in softmax(logits).astype(float)])
    assert fit_temperature(logits * 2.5, drawn) == pytest.approx(2.5, rel=0.12)


def test_mix_up_shows_two_images_as_one_with_both_their_targets():
    torch.manual_seed(3)
    images = torch.arange(4.0)[:, None, None, None].expand(4, 3, 2, 2)
    targets_ = torch.eye(4)
    targets_[3] = 0  # not known: shown as it is, alone
    ruled_out = torch.eye(4, dtype=torch.bool)[[1, 0, 3, 2]]
    mixed, both, excluded_ = mix_up(images, targets_, ruled_out, strength=1.0)
    assert torch.equal(mixed[3], images[3])
    assert torch.equal(both[3], targets_[3])
    assert both[:3].sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    assert (both.max(dim=1).values[:3] >= 0.5).all()
    changed = [row for row in range(3) if both[row].max() < 1]
    assert changed
    for row in changed:
        # The picture is the same mixture as the targets: image i is i everywhere.
        assert mixed[row].unique().item() == pytest.approx(float(both[row] @ torch.arange(4.0)))
    assert not (excluded_ & (both > 0)).any()
