"""The text model through the one interface: training, resuming, warm starts, artifacts, reports."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from ml import models
from ml.artifact import META, Artifact, read_artifact
from ml.bench.titles import Titles, draw_titles
from ml.errors import Cancelled, InputError
from ml.manifest import Manifest, write_manifest
from ml.models.fitting import CHECKPOINT
from ml.models.text.features import featurise
from ml.models.text.net import WEIGHTS, Weights
from ml.models.text.predictor import ALIASES, read_search
from ml.models.text.search import VERBATIM
from ml.progress import Progress
from ml.train import train
from tests.ml.command import run

QUICK = {"epochs": 6, "least_steps": 60, "bits": 12, "batch_size": 64}
COUNTS = {
    "train": 400, "detection": 0, "variation": 0, "pool": 20, "closed": 120, "open": 400,
    "business": 0,
}  # fmt: skip


def fit(manifest: Manifest, out: Path, *, init=None, should_stop=lambda: False, **config):
    return train(
        kind="text", manifest=manifest.path, out=out, config=QUICK | config, init=init,
        progress=Progress(quiet=True), should_stop=should_stop,
    )  # fmt: skip


def probabilities(artifact: Artifact, titles: list[str]) -> np.ndarray:
    found = models.load(artifact).predict_titles(titles).probabilities
    assert found is not None
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Titles:
    return draw_titles(brands=4, counts=COUNTS, seed=2, out=tmp_path_factory.mktemp("titles"))


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory) -> Artifact:
    return fit(world.manifest, tmp_path_factory.mktemp("text"))


def test_named_and_disguised_brands_of_titles_never_seen_are_recognised(world, trained):
    rows = world.manifest.rows("closed").to_pylist()
    found = probabilities(trained, [row["title"] for row in rows])[:, :-1].argmax(axis=1)
    hit = np.array([trained.labels[k] == row["brand"] for k, row in zip(found, rows, strict=True)])
    forms = np.array([world.truth[row["sha256"]].form for row in rows])
    assert hit[forms == "named"].mean() > 0.95  # by chance: 0.25
    assert hit[forms == "disguised"].mean() > 0.9


def test_probabilities_are_calibrated_shares_that_sum_to_one(world, trained):
    titles = [row["title"] for row in world.manifest.rows("open").to_pylist()]
    found = probabilities(trained, ["", *titles])
    assert found.shape == (len(titles) + 1, 5)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert trained.labels[-1] == "none"
    assert 0.2 <= trained.calibration["temperature"] <= 5


def test_the_same_seed_gives_the_same_weights(world, trained, tmp_path):
    again = fit(world.manifest, tmp_path)
    assert again.files == trained.files
    assert fit(world.manifest, tmp_path / "other", seed=1).files != trained.files


def test_a_stopped_run_resumes_and_ends_like_an_undisturbed_one(world, trained, tmp_path):
    asked = iter(range(10_000))
    with pytest.raises(Cancelled):
        fit(world.manifest, tmp_path, should_stop=lambda: next(asked) > 30)
    assert (tmp_path / CHECKPOINT).is_file()
    assert not (tmp_path / META).exists()
    assert fit(world.manifest, tmp_path).files == trained.files
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_checkpoint_of_other_names_is_refused(world, tmp_path):
    asked = iter(range(10_000))
    with pytest.raises(Cancelled):
        fit(world.manifest, tmp_path / "out", should_stop=lambda: next(asked) > 30)
    other = tmp_path / "brands.json"
    other.write_text("[]")
    with pytest.raises(InputError, match="another training"):
        fit(world.manifest, tmp_path / "out", brands_file=str(other))


def test_an_artifact_is_whole_without_the_manifest_and_holds_no_pickle(trained, tmp_path):
    assert sorted(trained.files) == [ALIASES, WEIGHTS]
    for name in (META, *trained.files):
        (tmp_path / name).write_bytes((trained.directory / name).read_bytes())
    moved = read_artifact(tmp_path, kind="text")
    titles = ["Volan Bag", "女士双肩包"]
    np.testing.assert_array_equal(probabilities(moved, titles), probabilities(trained, titles))
    assert set(load_file(tmp_path / WEIGHTS)) == {"grams", "names", "ways", "bias"}
    (tmp_path / ALIASES).write_text("{}")
    with pytest.raises(InputError, match="recorded hash"):
        read_artifact(tmp_path)


def test_logits_are_the_sums_that_one_works_out_by_hand(trained):
    search = read_search(trained)
    weights = Weights.read(trained)
    brand = next(i for i, name in enumerate(search.names) if not name.heard)
    title = search.names[brand].text  # verbatim, unless folding changed it
    features = featurise([title], search, brands=4, bits=12, orders=(2, 3, 4))
    by_hand = weights.bias.astype(float).copy()
    for column, value in zip(features.grams.indices, features.grams.data, strict=True):
        by_hand += value * weights.grams[column]
    for hit in search.hits(title, title):
        by_hand += weights.names[hit.name]
    for owner in {search.names[hit.name].brand for hit in search.hits(title, title)}:
        best = min(h.way for h in search.hits(title, title) if search.names[h.name].brand == owner)
        by_hand[owner] += weights.ways[best]
    np.testing.assert_allclose(weights.logits(features)[0], by_hand, rtol=1e-5)


ROWS = [
    *[{"title": "Volan Bag", "answer": "brand", "brand": "volan"}] * 6,
    *[{"title": "Kemi Bag", "answer": "brand", "brand": "kemi"}] * 6,
    *[{"title": "Plain Bag", "answer": "none"}] * 8,
]
NAMES = [
    {"key": "volan", "name_en": "Volan", "name_zh": "沃兰", "aliases": ["VOLA"]},
    {"key": "kemi", "name_en": "Kemi", "name_zh": None},
]


def manifest(folder: Path, rows: list[dict]) -> Manifest:
    extra = [{"image": f"{i}.png", "sha256": str(i), "split": "train"} for i in range(len(rows))]
    return write_manifest([e | r for r, e in zip(rows, extra, strict=True)], folder)


def test_unlabelled_titles_train_nothing_unless_a_brand_is_ruled_out(tmp_path):
    plain = fit(manifest(tmp_path / "a", ROWS), tmp_path / "plain")
    pooled = [{"title": "Volan Shoe", "answer": "unlabelled"}] * 5
    more = fit(manifest(tmp_path / "b", ROWS + pooled), tmp_path / "more")
    assert more.files == plain.files
    ruled_out = [row | {"excluded": ["volan"]} for row in pooled]
    told = fit(manifest(tmp_path / "c", ROWS + ruled_out), tmp_path / "told")
    place = told.labels.index("volan")
    before, after = (probabilities(a, ["Volan Shoe"])[0, place] for a in (plain, told))
    assert after < before - 0.05


def test_names_come_from_the_list_beside_the_manifest_or_the_one_named(tmp_path):
    data = manifest(tmp_path / "a", ROWS)
    bare = fit(data, tmp_path / "bare")
    assert json.loads(bare.path(ALIASES).read_text()) == {"kemi": ["kemi"], "volan": ["volan"]}
    listed = tmp_path / "names.json"
    listed.write_text(json.dumps(NAMES))
    given = fit(data, tmp_path / "given", brands_file=str(listed))
    (tmp_path / "a" / "brands.json").write_text(json.dumps(NAMES))
    beside = fit(data, tmp_path / "beside")
    assert beside.files == given.files
    never_in_a_title = probabilities(given, ["沃兰", "wolan", "握蓝"])[
        :, given.labels.index("volan")
    ]
    assert never_in_a_title.min() > 0.5


def test_a_warm_start_keeps_what_it_learned_of_the_brands_both_know(world, trained, tmp_path):
    fewer = fit(
        world.manifest, tmp_path, init=trained.directory, brands=trained.labels[1:-1],
        warm_epochs=1, least_steps=0, learning_rate=1e-6,
    )  # fmt: skip
    assert fewer.labels == trained.labels[1:]
    old, new = Weights.read(trained), Weights.read(fewer)
    np.testing.assert_allclose(new.grams, old.grams[:, 1:], atol=1e-4)
    np.testing.assert_allclose(new.ways[VERBATIM], old.ways[VERBATIM], atol=1e-4)


@pytest.mark.parametrize(
    ("rows", "config", "message"),
    [
        ([row | {"title": " "} for row in ROWS], {}, "no row with split train has a title"),
        (ROWS[:12], {}, "no negatives"),
        (ROWS, {"bits": 30}, "bits must be between"),
        (ROWS, {"orders": [4, 2]}, "orders must be"),
        (ROWS, {"brands_file": "nowhere.json"}, r"nowhere\.json"),
    ],
)
def test_bad_input_is_named_before_anything_is_written(tmp_path, rows, config, message):
    with pytest.raises(InputError, match=message):
        fit(manifest(tmp_path / "manifest", rows), tmp_path / "out", **config)
    assert not (tmp_path / "out").exists()


def test_evaluation_reads_titles_alone_and_a_scan_has_their_columns(world, trained, tmp_path):
    """The images of these manifests do not exist."""
    report = tmp_path / "report.json"
    given = ("--model", trained.directory, "--manifest", world.manifest.path)
    assert run("evaluate", *given, "--json", report, "--flag-ratio", 0.01) == 0
    figures = json.loads(report.read_text())
    assert figures["kind"] == "text"
    assert figures["closed"]["mean_recall"] > 0.4
    assert figures["open"]["flag_ratio"] < 0.05
    assert run("scan", *given, "--out", tmp_path / "scan") == 0
    table = pq.read_table(tmp_path / "scan" / "part-00000.parquet")
    assert table.column_names == ["sha256", "group", "text_brands", "text_scores", "text_none"]
    assert len(table) == COUNTS["pool"]


def test_titles_and_images_are_scored_side_by_side(small_world, small_classifier, tmp_path):
    text = fit(manifest(tmp_path / "m", ROWS), tmp_path / "text")
    image = small_world.path.parent / small_world.rows("closed")["image"][0].as_py()
    models_ = ("--model", small_classifier.directory, "--model", text.directory)
    out = tmp_path / "scores.json"
    assert run("predict", *models_, image, "--title", "V0lan Bag", "--json", out) == 0
    seen, read = json.loads(out.read_text())
    assert set(seen) == {"image", "classifier"}
    assert next(iter(read["text"])) == "volan"
    assert run("predict", "--model", text.directory, image) == 2
    assert run("predict", "--model", text.directory) == 2
    assert (
        run("embed", "--model", text.directory, "--manifest", small_world.path, "--out", out) == 2
    )
    report = tmp_path / "both.json"
    given = ("--manifest", small_world.path, "--json", report)
    assert run("evaluate", *models_, *given) == 0
    assert set(json.loads(report.read_text())["models"]) == {"classifier", "text"}
