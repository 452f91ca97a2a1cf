import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ml.artifact import Artifact, write_artifact
from ml.errors import InputError
from ml.models.backbone import WEIGHTS, save_weights
from ml.models.yolo.config import Config, filled
from ml.models.yolo.net import (
    make_net,
    read_network,
    read_weights,
    warm_start,
)

CONFIG = filled(Config(width=0.125), device="cpu", init=None)


def _artifact(folder: Path, labels: list[str], config: Config = CONFIG) -> Artifact:
    folder.mkdir()
    save_weights(_net(labels, config), folder)
    artifact = Artifact("detector", labels, {}, "", "", files={WEIGHTS: ""})
    return write_artifact(artifact, folder)


def _net(labels: list[str], config: Config = CONFIG):
    return make_net(read_network(config), len(labels), size=64)


def test_a_warm_start_matches_outputs_by_brand(tmp_path):
    earlier = _artifact(tmp_path / "a", ["a", "b", "c"])
    net = _net(["c", "x", "a"])
    fresh = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    warm_start(net, ["c", "x", "a"], init=earlier)
    old, new = read_weights(earlier), net.state_dict()
    outputs = [name for name, t in new.items() if t.shape[:1] == (3,) and ".cv3." in name]
    assert len(outputs) == 4
    for name in outputs:
        torch.testing.assert_close(new[name][[0, 2]], old[name][[2, 0]])
        torch.testing.assert_close(new[name][1], fresh[name][1])
    body = [name for name in new if name not in outputs]
    assert all(new[name].equal(old[name]) for name in body)


def test_a_warm_start_bridges_class_branches_of_different_width(tmp_path):
    few, many = ["a", "b"], [f"brand{i:02d}" for i in range(59)] + ["b"]
    earlier = _artifact(tmp_path / "a", few)
    net = _net(many)
    warm_start(net, many, init=earlier)
    old, new = read_weights(earlier), net.state_dict()
    name = next(name for name in new if name.endswith(".cv3.0.2.weight"))
    assert new[name].shape[1] > old[name].shape[1]
    torch.testing.assert_close(new[name][59, : old[name].shape[1]], old[name][1])


def test_a_warm_start_from_another_network_is_bad_input(tmp_path):
    earlier = _artifact(tmp_path / "a", ["a"], replace(CONFIG, width=0.25))
    with pytest.raises(InputError, match="another network"):
        warm_start(_net(["a"]), ["a"], init=earlier)


@pytest.mark.parametrize(
    ("name", "strides"),
    [
        ("csp", [8, 16, 32]),
        ("csp_small", [8, 16]),
        ("yolo11", [8, 16, 32]),
        ("yolov3", [8, 16, 32]),
    ],
)
def test_networks_of_the_article_and_of_ultralytics_can_be_built(name, strides):
    net = _net(["a", "b"], replace(CONFIG, net=name))
    assert net.stride.tolist() == strides


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net": "nothing"}, "unknown network 'nothing'"),
        ({"net": "yolo11-cls"}, "does not detect boxes"),
        ({"net": "yolo11-seg"}, "does not detect boxes"),
    ],
)
def test_other_networks_are_bad_input(change, message):
    with pytest.raises(InputError, match=message):
        _net(["a"], replace(CONFIG, **change))


@pytest.mark.parametrize(
    "change",
    [{"recipe": "secret"}, {"boxes": "giou"}, {"steps": 0}, {"passes": -1}, {"mosaic": 1.5}],
)
def test_values_that_are_not_allowed_are_bad_input(change):
    with pytest.raises(InputError, match=next(iter(change))):
        filled(replace(Config(), **change), device="cpu", init=None)


def test_a_size_that_does_not_fit_the_strides_is_bad_input():
    with pytest.raises(InputError, match="multiple of 16"):
        make_net(read_network(CONFIG), 1, size=100)


OFFLINE = """
import socket, sys

def refuse(*args, **kwargs):
    sys.exit("asked for the network")

socket.getaddrinfo = socket.create_connection = refuse
import os
before = os.environ.get("OMP_NUM_THREADS")
from ml.models import detector
from ml.models.yolo.net import make_net, read_network
from ml.models.backbone import WEIGHTS, save_weights
from ml.models.yolo.config import Config, filled
make_net(read_network(filled(Config(), device="cpu", init=None)), 2, size=64)
assert os.environ.get("OMP_NUM_THREADS") == before
"""


@pytest.mark.slow
def test_ultralytics_asks_for_no_network_and_writes_nothing_at_home(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("YOLO_", "OMP_"))}
    environment |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []
