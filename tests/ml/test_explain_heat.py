"""Heat maps: what they add up to, where they lie, and how they are drawn."""

import numpy as np
import pytest
import torch
from PIL import Image

from ml import models
from ml.errors import InputError
from ml.explain.attribution import blurred, integrated_gradients
from ml.explain.heat import explain_images, find_heat, find_maps, to_inputs
from ml.explain.overlay import colour, overlay
from ml.models.backbone import make_net
from ml.models.config import NetConfig
from tests.ml.small_world import COLOURS


def squares(seed: int, count: int = 24):
    """Pictures as the small world has them, their brands, and where the square is."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        brand = list(COLOURS)[i % len(COLOURS)]
        pixels = rng.integers(150, 220, (48, 48, 3), dtype=np.uint8)
        y, x = rng.integers(0, 18, 2)
        mask = np.zeros((48, 48), bool)
        mask[y : y + 30, x : x + 30] = True
        pixels[mask] = COLOURS[brand]
        yield Image.fromarray(pixels), brand, mask


def energy_on_the_square(predictor) -> tuple[float, float]:
    """Share of the maps' energy on the square, and the square's share of the area."""
    shares, areas = [], []
    for image, brand, mask in squares(3):
        (heat,) = find_heat(predictor, [image], brand)
        shares.append(heat.map[mask].sum() / heat.map.sum())
        areas.append(mask.mean())
    return float(np.mean(shares)), float(np.mean(areas))


def test_the_gradients_add_up_to_what_the_sharp_picture_says_beyond_the_blurred(small_classifier):
    """Completeness, to what eight steps miss of the path."""
    predictor = models.load(small_classifier)
    images = [image for image, _, _ in squares(1, 6)]
    inputs, classes = to_inputs(predictor, images), torch.tensor([0, 1, 2, 0, 1, 3])
    added = integrated_gradients(predictor.net, inputs, classes).sum(dim=(1, 2))
    with torch.no_grad():
        sharp, dull = (predictor.net(of) for of in (inputs, blurred(inputs)))
    change = (sharp - dull).gather(1, classes[:, None])[:, 0]
    torch.testing.assert_close(added, change, rtol=0.15, atol=0.15)


def test_the_heat_lies_on_what_tells_the_brand_and_not_with_random_weights(small_classifier):
    predictor = models.load(small_classifier)
    trained, area = energy_on_the_square(predictor)
    assert trained > area + 0.25
    torch.manual_seed(0)
    config = NetConfig(backbone="small_resnet", backbone_args={"channels": [8, 16, 32, 32]})
    predictor.net = make_net(config, len(predictor.labels)).eval()
    assert energy_on_the_square(predictor)[0] < area + 0.15


@pytest.mark.parametrize("shape", [(48, 48), (9, 300), (300, 9), (1, 1), (640, 200)])
def test_a_map_has_its_images_shape_and_lies_between_0_and_1(small_classifier, shape):
    (heat,) = explain_images(small_classifier, [Image.new("RGB", shape, COLOURS["akira"])])
    assert heat.shape == shape[::-1]
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    assert heat.max() in (0, 1)


def test_without_a_label_the_best_one_that_is_no_background_is_explained(
    small_classifier, small_variation
):
    for artifact in (small_classifier, small_variation):
        predictor = models.load(artifact)
        images = [image for image, _, _ in squares(2, 3)]
        scores = predictor.predict(images).probabilities
        for row, heat in zip(scores, find_heat(predictor, images), strict=True):
            brands = {n: float(p) for n, p in zip(artifact.labels, row, strict=True) if n != "none"}
            assert heat.label == max(brands, key=brands.get)
            assert heat.score == pytest.approx(brands[heat.label])


def test_another_label_gives_another_map_and_an_unknown_one_an_error(small_classifier):
    image = next(squares(4))[0]
    akira, cyan = (explain_images(small_classifier, [image], name)[0] for name in ("akira", "cyan"))
    assert np.abs(akira - cyan).mean() > 0.05
    with pytest.raises(InputError, match="does not know 'acme'"):
        explain_images(small_classifier, [image], "acme")


def test_images_do_not_influence_each_other(small_classifier):
    images = [image for image, _, _ in squares(5, 40)]  # more than one batch
    alone = explain_images(small_classifier, images[33:34], "bodo")[0]
    np.testing.assert_allclose(
        explain_images(small_classifier, images, "bodo")[33], alone, atol=1e-3
    )


@pytest.mark.slow  # importing timm
@pytest.mark.parametrize("name", ["resnet10t", "test_vit"])
def test_networks_of_timm_are_explained_whether_or_not_they_have_maps(name):
    import timm

    torch.manual_seed(0)
    net = timm.create_model(name, pretrained=False, num_classes=3).eval()
    found = find_maps(net, torch.rand(2, *net.default_cfg["input_size"]), torch.tensor([0, 2]))
    assert found.shape == (2, *net.default_cfg["input_size"][1:])
    assert np.isfinite(found).all()
    assert found.max() > 0  # what random weights see in noise may speak against a class alone


def test_more_heat_looks_lighter():
    ramp = np.linspace(0, 1, 101, dtype=np.float32)[None]
    light = np.asarray(colour(ramp).convert("L"), int)[0]
    assert (np.diff(light) >= 0).all()
    assert light[-1] - light[0] > 200


def test_heat_hides_the_picture_only_where_it_is_and_a_dark_picture_is_lightened():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8))
    cold = np.zeros((20, 30), np.float32)
    plain = np.asarray(overlay(picture, cold), float)
    np.testing.assert_allclose(plain.mean(axis=2), np.asarray(picture).mean(axis=2), atol=0.6)
    dark = picture.point(lambda value: value // 8)
    assert np.asarray(overlay(dark, cold)).mean() > 3 * np.asarray(dark).mean()
    hot = cold.copy()
    hot[5:9, 5:9] = 1
    changed = (np.asarray(overlay(picture, hot)) != plain).any(axis=2)
    assert changed[5:9, 5:9].all()
    assert not changed[hot == 0].any()
