"""A training that is killed goes on from its last checkpoint and ends as an undisturbed one does.
The detector's test of this lies with its others."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml.artifact import META, read_artifact
from ml.models.fitting import CHECKPOINT
from ml.progress import Progress
from ml.synth import generate
from tests.ml.small_world import QUICK

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
NET = QUICK | {"epochs": 20}
CONFIGS = {"classifier": NET, "variation": NET, "text": {"epochs": 60, "batch_size": 8}}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    sizes = {"brands": 3, "train": 90, "closed": 12, "open_": 40, "business": 0, "pool": 0}
    out = tmp_path_factory.mktemp("killed") / "world"
    return generate(**sizes, size=48, seed=4, out=out, progress=Progress(quiet=True))


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_killed_training_ends_as_if_nothing_had_happened(kind, world, tmp_path):
    def command(out):
        # Often, so that the kill finds a checkpoint early.
        config = CONFIGS[kind] | {"checkpoint_seconds": 0.2}
        start = [sys.executable, "-m", "ml", "train", kind, "--manifest", str(world.path)]
        return [*start, "--out", str(out), "--config", json.dumps(config)]

    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run(command(undisturbed), cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    running = subprocess.Popen(command(killed), cwd=ROOT, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not (killed / CHECKPOINT).is_file() and time.monotonic() < until:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert (killed / CHECKPOINT).is_file()
    assert not (killed / META).exists(), "it was killed before its end"
    subprocess.run(command(killed), cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    one, other = read_artifact(undisturbed), read_artifact(killed)
    assert other.files == one.files, "the same weights, byte for byte"
    assert other.metrics == one.metrics
    assert not (killed / CHECKPOINT).exists()
