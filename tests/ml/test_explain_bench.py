"""Whether heat maps lie on the features: where these are, and what the benchmark writes."""

import json

import numpy as np
import pytest
import torch

from ml import models
from ml.bench import explain
from ml.bench.feature_places import KINDS, closed_features
from ml.bench.heat_maps import activations_and_gradients, hires_cam, middle, shuffled, stages
from ml.cli import main
from ml.errors import InputError
from ml.explain.attribution import blurred, integrated_gradients
from ml.explain.heat import to_inputs
from ml.images import image_paths, open_image
from ml.progress import Progress
from ml.synth import generate
from ml.train import train
from tests.ml.test_explain_heat import squares

SMALL = {"brands": 2, "train": 0, "open_": 0, "business": 0, "pool": 0, "size": 96, "seed": 6}


def test_every_feature_is_where_the_picture_differs_from_its_surroundings(tmp_path):
    """A box holds more contrast than the rest of its picture does."""
    world = generate(**SMALL, closed=40, out=tmp_path / "world", progress=Progress(quiet=True))
    features = closed_features(world, brands=2, size=96, seed=6)
    assert {feature.kind for feature in features} == set(KINDS)
    paths = image_paths(world, [feature.row["image"] for feature in features])
    contrast = {kind: [] for kind in KINDS}
    for feature, path in zip(features, paths, strict=True):
        image = open_image(path)
        mask = feature.mask(*image.size)
        assert 0 < mask.mean() < 0.95
        steps = np.abs(np.diff(np.asarray(image.convert("L"), float), axis=1, prepend=0))
        steps[:, 0] = 0
        contrast[feature.kind].append(steps[mask].mean() / steps[~mask].mean())
    for kind, ratios in contrast.items():
        assert np.median(ratios) > 1.3, kind
    beside = [f.row["image"] for f in features if f.kind == KINDS[1]]
    assert beside == [f.row["image"] for f in features if f.kind == KINDS[2]]


def test_a_shuffled_network_has_the_same_weights_in_another_order():
    net = torch.nn.Linear(20, 10)
    weights = net.weight.detach().clone()
    one, same, other = (shuffled(net, seed) for seed in (1, 1, 2))
    assert torch.equal(net.weight, weights)
    assert torch.equal(one.weight, same.weight)
    assert not torch.equal(one.weight, other.weight)
    assert torch.equal(one.weight.flatten().sort().values, weights.flatten().sort().values)


def test_the_middle_is_highest_in_the_middle():
    found = middle(41, 21)
    assert found.shape == (21, 41)
    assert np.unravel_index(found.argmax(), found.shape) == (10, 20)
    assert found[10, 0] == pytest.approx(np.exp(-2))  # two deviations away


def test_integrated_gradients_of_a_linear_network_are_its_weights_times_the_change():
    """There they add up to what the sharp picture says beyond the blurred one."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 4))
    inputs, classes = torch.rand(5, 3, 16, 16), torch.tensor([0, 1, 2, 3, 0])
    found = integrated_gradients(net, inputs, classes).sum(dim=(1, 2))
    flat = torch.full_like(inputs, 0.5)
    assert integrated_gradients(net, flat, classes).abs().max() < 1e-6
    with torch.no_grad():
        change = net(inputs) - net(blurred(inputs))
    torch.testing.assert_close(found, change.gather(1, classes[:, None])[:, 0])


def test_figures_are_means_over_pictures_and_chance_is_the_area():
    rows = [
        {
            "group": f"g{i}",
            "area": area,
            "hit": {"map": hit},
            "energy": {"map": 0.5 + area, "chance": area},
        }
        for i, (area, hit) in enumerate([(0.005, True), (0.02, False), (0.04, True), (0.2, True)])
    ]
    found = explain._figures(rows, ("map", "chance"))
    assert (found["n"], found["groups"]) == (4, 4)
    assert found["map"]["hit"]["value"] == 0.75
    assert found["map"]["energy"]["value"] == pytest.approx(0.5 + 0.265 / 4)
    assert found["chance"]["hit"]["value"] == pytest.approx(0.265 / 4)
    by_size = explain._by_size(rows, ("map",))
    assert {size: part["map"]["hit"]["value"] for size, part in by_size.items()} == {
        "< 1%": 1.0, "1–3%": 0.0, "3–10%": 1.0, "≥ 10%": 1.0,
    }  # fmt: skip


@pytest.mark.slow
def test_the_benchmark_tells_heat_on_features_from_chance_and_shuffled_weights(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(explain, "QUICK", {"brands": 2, "train": 90, "closed": 24})
    short = {"epochs": 6, "least_steps": 0}
    monkeypatch.setattr(
        explain, "train", lambda **given: train(**given | {"config": given["config"] | short})
    )
    out = tmp_path / "explain.json"
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "explain", "--quick", "--json", str(out)])
    assert not stopped.value.code
    figures = json.loads(out.read_text())
    assert set(figures["features"]) == set(KINDS)
    for parts in figures["features"].values():
        every = parts["all"]
        assert parts["recognised"].get("n", 0) <= every["n"]
        assert every["groups"] == every["n"]  # of the closed set, each picture is its own
        for name in explain.BASELINES:
            for figure in every[name].values():
                assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    signature = figures["features"]["signature alone"]["all"]
    assert signature["chance"]["energy"]["value"] < signature[explain.IN_USE]["energy"]["value"]


def test_at_the_last_stage_the_map_adds_up_to_the_logit_without_its_bias(small_classifier):
    """Where a mean and a linear layer follow, HiResCAM is CAM (Zhou et al. 2016)."""
    predictor = models.load(small_classifier)
    images = [image for image, _, _ in squares(1, 6)]
    inputs, classes = to_inputs(predictor, images), torch.tensor([0, 1, 2, 0, 1, 3])
    last = stages(predictor.net)[-1]
    ((activations, gradients),) = activations_and_gradients(predictor.net, inputs, classes, [last])
    found = hires_cam(activations, gradients)
    head = predictor.net.get_classifier()
    with torch.no_grad():
        logits = predictor.net(inputs).gather(1, classes[:, None])[:, 0]
        by_hand = torch.einsum("nchw,nc->nhw", activations, head.weight[classes])
        torch.testing.assert_close(found, by_hand / activations[0, 0].numel())
        torch.testing.assert_close(found.sum(dim=(1, 2)), logits - head.bias[classes])


@pytest.mark.slow  # importing timm
def test_networks_of_timm_have_stages_and_those_without_maps_are_refused():
    import timm

    net = timm.create_model("resnet10t", pretrained=False, num_classes=3).eval()
    inputs, classes = torch.rand(2, 3, 64, 64), torch.tensor([0, 2])
    found = activations_and_gradients(net, inputs, classes, stages(net))
    assert [list(a.shape[2:]) for a, _ in found] == [[16, 16], [8, 8], [4, 4], [2, 2]]
    flat = timm.create_model("test_vit", pretrained=False, num_classes=3).eval()
    with pytest.raises(InputError, match="maps to explain it by"):
        size = flat.default_cfg["input_size"]
        activations_and_gradients(flat, torch.rand(2, *size), classes, stages(flat))
