"""Training, resuming and warm starts of the networks, on a world of a few seconds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from ml import models
from ml.artifact import META, Artifact, read_artifact
from ml.errors import Cancelled, InputError
from ml.images import image_paths, open_image
from ml.manifest import write_manifest
from ml.models.backbone import WEIGHTS
from ml.models.fitting import CHECKPOINT
from ml.progress import Progress
from ml.train import train
from tests.ml.conftest import train_quickly
from tests.ml.small_world import QUICK, draw


def probabilities(artifact: Artifact, images: list[Image.Image]) -> np.ndarray:
    found = models.load(artifact).predict(images).probabilities
    assert found is not None
    return found


def closed_accuracy(artifact, manifest) -> float:
    rows = manifest.rows("closed").to_pylist()
    images = [open_image(p) for p in image_paths(manifest, [r["image"] for r in rows])]
    found = probabilities(artifact, images).argmax(axis=1)
    truth = [artifact.labels.index(row["brand"] or "none") for row in rows]
    return float(np.mean(found == truth))


def test_it_learns_brands_and_background(small_classifier, small_world):
    assert small_classifier.labels == ["akira", "bodo", "cyan", "none"]
    assert closed_accuracy(small_classifier, small_world) > 0.7


def test_probabilities_sum_to_one_and_embeddings_have_length_one(small_classifier):
    images = [draw((200, 30, 30), np.random.default_rng(i)) for i in range(3)]
    found = models.load(small_classifier).predict(images)
    assert found.probabilities is not None and found.embeddings is not None
    assert found.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(found.embeddings, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_stopped_run_resumes_and_ends_like_an_undisturbed_one(
    small_classifier, small_world, tmp_path
):
    asked = iter(range(10_000))
    with pytest.raises(Cancelled):
        train(
            kind="classifier", manifest=small_world.path, out=tmp_path, config=QUICK, init=None,
            progress=Progress(quiet=True), should_stop=lambda: next(asked) > 95,
        )  # fmt: skip
    assert (tmp_path / CHECKPOINT).is_file()
    assert not (tmp_path / META).exists()
    resumed = train_quickly(small_world, tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()
    expected, found = (load_file(a.path(WEIGHTS)) for a in (small_classifier, resumed))
    for name, weights in expected.items():
        np.testing.assert_array_equal(found[name], weights, err_msg=name)


def test_a_checkpoint_of_another_configuration_is_refused(small_world, tmp_path):
    asked = iter(range(10_000))
    with pytest.raises(Cancelled):
        train(
            kind="classifier", manifest=small_world.path, out=tmp_path, config=QUICK, init=None,
            progress=Progress(quiet=True), should_stop=lambda: next(asked) > 95,
        )  # fmt: skip
    with pytest.raises(InputError, match="another training"):
        train_quickly(small_world, tmp_path, label_smoothing=0.2)


def test_a_warm_start_with_a_longer_brand_list_keeps_what_was_learned(
    small_classifier, small_world, tmp_path
):
    rng, rows = np.random.default_rng(9), small_world.table.to_pylist()
    for i in range(8):
        draw((230, 200, 20), rng).save(small_world.path.parent / f"new-{i}.png")
        rows.append({"image": f"new-{i}.png", "answer": "brand", "brand": "alba", "split": "train"})
    longer = write_manifest(rows, small_world.path.parent / "longer" / "..")
    try:
        warm = train(
            kind="classifier", manifest=longer.path, out=tmp_path,
            config=QUICK | {"warm_epochs": 12},  # 60 steps: the new output starts from nothing
            init=small_classifier.directory, progress=Progress(quiet=True),
            should_stop=lambda: False,
        )  # fmt: skip
    finally:
        longer.path.unlink()
    assert warm.labels == ["akira", "alba", "bodo", "cyan", "none"]
    assert closed_accuracy(warm, small_world) > 0.6
    unseen = [draw((230, 200, 20), rng) for _ in range(12)]
    found = probabilities(warm, unseen).argmax(axis=1)
    assert (found == warm.labels.index("alba")).mean() > 0.7, "without a negative of its own"


def test_a_diverging_loss_stops_with_its_cause(small_world, tmp_path):
    with pytest.raises(InputError, match="lower learning_rate"):
        train_quickly(small_world, tmp_path, learning_rate=1e30, warmup=0.0)
    assert not (tmp_path / META).exists()


def test_a_missing_image_is_named_before_anything_is_written(small_world, tmp_path):
    rows = [row | {"image": "gone.png"} for row in small_world.rows("train").to_pylist()]
    with pytest.raises(InputError, match=r"gone\.png"):
        train_quickly(write_manifest(rows, tmp_path / "manifest"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_changed_after_training_are_refused(small_classifier, tmp_path):
    for name in (META, WEIGHTS):
        content = (small_classifier.directory / name).read_bytes()
        (tmp_path / name).write_bytes(content if name == META else content[:-1] + b"x")
    with pytest.raises(InputError, match="recorded hash"):
        read_artifact(tmp_path)


def test_the_variation_model_tells_many_from_one(small_variation):
    rng = np.random.default_rng(5)
    one, many = ([draw((200, 30, 30), rng, n) for _ in range(12)] for n in (1, 6))
    none = [probabilities(small_variation, images)[:, 0].mean() for images in (one, many)]
    assert none[0] > none[1] + 0.2


def test_transparency_is_white_and_a_broken_image_is_named(tmp_path: Path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert open_image(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    with pytest.raises(InputError, match=r"broken\.jpg"):
        open_image(tmp_path / "broken.jpg")
