"""Mean average precision against pycocotools."""

from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ml.evaluate.boxes import (
    ImageBoxes,
    box_recall,
    intersection_over_union,
    mean_average_precision,
    score_at_false_boxes,
)


def scattered_images(rng: np.random.Generator, count: int) -> list[ImageBoxes]:
    """True boxes; found ones moved a little, some of another brand, some of nothing."""
    images = []
    for _ in range(count):
        m = int(rng.integers(0, 4))
        corner, side = rng.uniform(0, 60, (m, 2)), rng.uniform(10, 40, (m, 2))
        true = np.hstack([corner, corner + side])
        brands = rng.choice(["a", "b", "c"], m).astype(object)
        stray = rng.uniform(0, 60, (2, 2))
        found = np.vstack([true + rng.normal(0, 3, true.shape), np.hstack([stray, stray + 20])])
        named = np.concatenate([brands, rng.choice(["a", "b", "c"], 2)]).astype(object)
        named = np.where(rng.random(len(named)) < 0.2, "a", named)
        images.append(ImageBoxes(true, brands, found, named, rng.random(len(found))))
    return images


def coco_precisions(images: list[ImageBoxes]) -> np.ndarray:
    """Average precision [10 levels, brands] by pycocotools."""
    return coco(images)["precision"][:, :, :, 0, 2].mean(axis=1)


def coco(images: list[ImageBoxes]) -> dict[str, Any]:
    number = {"a": 1, "b": 2, "c": 3}
    truths: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for i, image in enumerate(images):
        for box, brand in zip(image.true, image.true_brands, strict=True):
            entry: dict[str, Any] = {
                "id": len(truths) + 1,
                "image_id": i,
                "category_id": number[brand],
            }
            truths.append(entry | {"bbox": corner_and_size(box), "iscrowd": 0, "area": 1.0})
        for box, brand, score in zip(image.found, image.found_brands, image.scores, strict=True):
            entry = {"image_id": i, "category_id": number[brand], "score": float(score)}
            found.append(entry | {"bbox": corner_and_size(box)})
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(images))],
        "categories": [{"id": i} for i in number.values()],
        "annotations": truths,
    }
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval


def corner_and_size(box: np.ndarray) -> list[float]:
    return [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mean_average_precision_is_that_of_pycocotools(seed):
    images = scattered_images(np.random.default_rng(seed), 30)
    expected = coco_precisions(images)
    map50, map50_95 = mean_average_precision(images)
    assert map50 == pytest.approx(expected[0].mean(), abs=1e-9)
    assert map50_95 == pytest.approx(expected.mean(), abs=1e-9)
    assert 0.05 < map50_95 < map50 < 1


def test_overlap_of_half_a_box():
    a, b = np.array([[0, 0, 10, 10.0]]), np.array([[5, 0, 15, 10.0], [20, 20, 30, 30]])
    assert intersection_over_union(a, b) == pytest.approx(np.array([[1 / 3, 0]]))


def test_without_a_true_box_precision_is_zero():
    empty = np.zeros((0, 4))
    none = np.array([], object)
    assert mean_average_precision([ImageBoxes(empty, none, empty, none, np.zeros(0))]) == (0, 0)


@pytest.mark.parametrize("seed", [3, 4])
def test_recall_of_a_brands_boxes_is_that_of_pycocotools(seed):
    images = scattered_images(np.random.default_rng(seed), 30)
    expected = coco(images)["recall"][0, :, 0, 2]
    for brand, recall in zip("abc", expected, strict=True):
        wanted = [image.true_brands == brand for image in images]
        assert box_recall(images, wanted, above=-1) == pytest.approx(recall, abs=1e-9)


def test_recall_counts_the_boxes_wanted_above_the_score():
    true = np.array([[0, 0, 10, 10], [20, 20, 24, 24], [40, 40, 44, 44.0]])
    brands = np.array(["a", "a", "b"], object)
    image = ImageBoxes(true, brands, true, brands, np.array([0.9, 0.6, 0.3]))
    small = np.array([False, True, True])
    assert box_recall([image], [small], above=0.2) == 1.0
    assert box_recall([image], [small], above=0.5) == 0.5
    assert box_recall([image], [small], above=0.6) == 0.0
    assert box_recall([image], [np.zeros(3, bool)], above=0.2) is None


def test_the_score_allows_so_many_false_boxes_an_image():
    nothing, none = np.zeros((0, 4)), np.array([], object)
    scores = [np.array([0.9, 0.4]), np.array([0.7]), np.array([]), np.array([0.2])]
    empty = [ImageBoxes(nothing, none, nothing, none, found) for found in scores]
    assert score_at_false_boxes(empty, per_image=0.5) == 0.4
    assert score_at_false_boxes(empty, per_image=0.1) == 0.9
    assert score_at_false_boxes(empty, per_image=1.0) == 0.0
