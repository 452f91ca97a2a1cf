"""The fusion of several models' scores, and its place among the models."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from ml.artifact import read_artifact
from ml.errors import InputError
from ml.evaluate.recall import common_threshold, hits
from ml.manifest import write_manifest
from ml.models import load
from ml.models.base import Box, Predictions
from ml.models.fusion.choice import features, fit, probabilities, surprise
from ml.models.fusion.material import (
    Material,
    chosen_of,
    fitting_rows,
    held_out_by_all,
    needs_held_out,
)
from ml.models.fusion.predictor import by_speakers, combinations_of
from ml.models.fusion.scores import Parts, align, noisy_or
from ml.models.fusion.training import PENALTIES, choose_penalty, fit_all
from ml.predict import load_models
from ml.progress import Progress
from ml.train import train
from tests.ml.small_world import COLOURS
from tests.ml.test_scan_and_evaluate import run

BRANDS = ["acorn", "birch", "cedar"]


def made(rows: int, seed: int, *, kinds=("classifier", "detector", "text"), brands: int = 6):
    """Half the rows show a brand; each model sees it now and then, whatever the others do, and
    calls one that is not there now and then."""
    rng = np.random.default_rng(seed)
    chosen = np.where(rng.random(rows) < 0.5, rng.integers(0, brands, rows), -1)
    of = {}
    for kind in kinds:
        scores = rng.beta(1, 12, (rows, brands)) * 0.6
        sees = (rng.random(rows) < 0.5) & (chosen >= 0)
        scores[np.flatnonzero(sees), chosen[sees]] = rng.beta(6, 2, sees.sum())
        of[kind] = scores
    names = [f"brand-{i}" for i in range(brands)]
    return Parts(names, of, np.full(rows, np.nan)), chosen


def material(parts: Parts, chosen: np.ndarray) -> Material:
    return Material(parts, chosen, chosen < 0, np.arange(len(chosen)).astype(object))


def test_scores_are_brought_to_one_list_of_brands():
    parts = align(
        {
            "classifier": Predictions(np.array([[0.2, 0.7, 0.1], [0.1, 0.1, 0.8]], np.float32)),
            "detector": Predictions(
                boxes=[[Box(0, 0, 1, 1, "acorn", 0.9), Box(0, 0, 1, 1, "acorn", 0.4)], []]
            ),
            "text": Predictions(np.array([[0.5, 0.5], [0.3, 0.7]], np.float32)),
            "variation": Predictions(np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]], np.float32)),
        },
        {
            "classifier": ["cedar", "acorn", "none"],
            "detector": ["acorn"],
            "text": ["birch", "none"],
            "variation": ["none", "collage", "stack"],
        },
        brands=BRANDS,
        titled=np.array([True, False]),
    )
    np.testing.assert_allclose(parts.of["classifier"], [[0.7, 0, 0.2], [0.1, 0, 0.1]], atol=1e-6)
    np.testing.assert_allclose(parts.of["detector"], [[0.9, 0, 0], [0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(parts.of["text"][0], [0, 0.5, 0])
    assert np.isnan(parts.of["text"][1]).all()
    np.testing.assert_allclose(parts.arranged, [0.1, 0.8], atol=1e-6)
    np.testing.assert_allclose(noisy_or(parts)[0], [0.97, 0.5, 0.2], atol=1e-6)
    assert {key: rows.tolist() for key, rows in by_speakers(parts).items()} == {
        "classifier+detector+text+variation": [0],
        "classifier+detector+variation": [1],
    }


def test_of_one_brand_it_is_logistic_regression():
    parts, chosen = made(400, 1, brands=1)
    _, values = features(parts)
    spread = values[:, 0].std(axis=0)
    values = values[:, 0] / np.where(spread > 0, spread, 1)
    branded = chosen >= 0
    weight = np.where(branded, 0.5 / branded.sum(), 0.5 / (~branded).sum())
    other = LogisticRegression(C=1 / 0.01, tol=1e-8, max_iter=5000)
    other.fit(values, branded, sample_weight=weight)
    weights = fit(parts, chosen, prevalence=0.5, penalty=0.01)
    np.testing.assert_allclose(
        probabilities(parts, weights)[:, 0], other.predict_proba(values)[:, 1], atol=2e-3
    )


def test_probabilities_are_those_of_a_world_with_few_brands_in_it():
    parts, chosen = made(4000, 2)
    rare = fit(parts, chosen, prevalence=0.01, penalty=1e-3)
    fresh, truth = made(4000, 3)
    found = probabilities(fresh, rare)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    # Half of these rows show a brand: weighted as where one in a hundred does, as many are
    # expected as there are.
    weight = np.where(truth >= 0, 0.01 / (truth >= 0).mean(), 0.99 / (truth < 0).mean())
    assert (weight * (1 - found[:, -1])).mean() == pytest.approx(0.01, rel=0.25)


def test_together_they_find_what_each_alone_misses():
    parts, chosen = made(3000, 4)
    fresh, truth = made(3000, 5)

    def recall(before: np.ndarray, after: np.ndarray) -> float:
        limit = common_threshold(before[chosen < 0], 0.01)
        shown = truth >= 0
        return hits(after[shown], truth[shown], np.full(after.shape[1], limit)).mean()

    weights = fit(parts, chosen, prevalence=0.01, penalty=1e-3)
    together = recall(probabilities(parts, weights)[:, :-1], probabilities(fresh, weights)[:, :-1])
    alone = max(recall(parts.of[kind], fresh.of[kind]) for kind in parts.of)
    assert together > alone + 0.2
    # Nothing is gained by knowing that the models are independent: it is found.
    assert together > recall(noisy_or(parts), noisy_or(fresh)) - 0.02


def test_every_set_of_models_that_tells_a_brand_has_weights():
    sets = ["+".join(some) for some in combinations_of(["variation", "text", "classifier"])]
    assert sets == [
        "classifier", "text", "classifier+text", "classifier+variation", "text+variation",
        "classifier+text+variation",
    ]  # fmt: skip
    parts, chosen = made(300, 6, kinds=("classifier", "text"))
    parts.of["text"][:200] = np.nan
    parts.of["text"][200:, :] = np.where(chosen[200:, None] >= 0, parts.of["text"][200:], np.nan)
    weights = fit_all(material(parts, chosen), ["classifier", "text"], prevalence=0.1, penalty=0.01)
    # No row of none has a title: what titles tell cannot be learned from these.
    assert set(weights) == {"classifier"}


@pytest.mark.slow
def test_the_penalty_is_the_one_that_predicts_rows_left_out_best():
    few, chosen = made(60, 8)
    many, truth = made(3000, 9)
    kinds = list(few.of)
    strict = choose_penalty(material(few, chosen), kinds)
    assert choose_penalty(material(many, truth), kinds) < strict

    def loss(penalty: float) -> float:
        weights = fit(few, chosen, prevalence=0.5, penalty=penalty)
        return surprise(many, truth, weights)

    assert loss(strict) < loss(PENALTIES[0])


@pytest.fixture(scope="module")
def fused(small_world, small_classifier, small_variation, tmp_path_factory):
    rows = small_world.table.to_pylist()
    for row in rows:  # what they trained on does not matter to what is tested here
        row["split"] = "val" if row["split"] == "train" else row["split"]
    manifest = write_manifest(rows, small_world.path.parent)
    artifact = train(
        kind="fusion",
        manifest=manifest.path,
        out=tmp_path_factory.mktemp("fusion"),
        config={
            "models": [str(small_classifier.directory), str(small_variation.directory)],
            "flag_ratio": 0.1,
        },
        init=None,
        progress=Progress(quiet=True),
        should_stop=lambda: False,
    )
    yield artifact
    manifest.path.unlink()


def test_a_fusion_is_a_model_like_the_others(
    small_world, small_classifier, small_variation, fused, tmp_path
):
    assert fused.labels == [*sorted(COLOURS), "none"]
    folders = [small_classifier.directory, small_variation.directory, fused.directory]
    models = [word for folder in folders for word in ("--model", folder)]
    manifest = ["--manifest", small_world.path]
    assert run("evaluate", *models, *manifest, "--json", tmp_path / "own.json") == 0
    report = json.loads((tmp_path / "own.json").read_text())["models"]["fusion"]
    assert set(report["thresholds"]) == set(COLOURS)
    assert report["closed"]["mean_recall"] > 0.8
    moved = [*manifest, "--flag-ratio", "0.2", "--json", tmp_path / "moved.json"]
    assert run("evaluate", *models, *moved) == 0
    report = json.loads((tmp_path / "moved.json").read_text())["models"]["fusion"]
    assert report["open"]["flag_ratio"] < 0.5
    assert run("scan", *models, *manifest, "--out", tmp_path / "scan") == 0
    row = pq.read_table(tmp_path / "scan" / "part-00000.parquet").to_pylist()[0]
    assert sum(row["fusion_scores"]) + row["fusion_none"] == pytest.approx(1, abs=1e-4)
    image = small_world.path.parent / small_world.rows("closed")["image"][0].as_py()
    said = tmp_path / "said.json"
    assert run("predict", *models, image, "--json", said) == 0
    (one,) = json.loads(said.read_text())
    assert max(one["fusion"], key=one["fusion"].get) == "akira"


def test_a_fusion_speaks_only_for_the_models_it_was_fitted_with(
    small_classifier, small_variation, fused, tmp_path
):
    with pytest.raises(InputError, match="needs its models beside it: classifier, variation"):
        load_models([fused.directory])
    meta = json.loads((small_classifier.directory / "meta.json").read_text())
    for name in small_classifier.files:
        (tmp_path / name).write_bytes(small_classifier.path(name).read_bytes())
    (tmp_path / "meta.json").write_text(json.dumps(meta | {"code_version": "another"}))
    with pytest.raises(InputError, match="not fitted with this classifier"):
        load_models([tmp_path, fused.directory])
    assert list(load_models([fused.directory, small_variation.directory])) == [
        "variation", "fusion",
    ]  # fmt: skip


def test_what_it_cannot_be_fitted_on_is_said(
    small_world, small_variation, small_classifier, tmp_path
):
    def attempt(**config) -> None:
        train(
            kind="fusion", manifest=small_world.path, out=tmp_path / "fusion", config=config,
            init=None, progress=Progress(quiet=True), should_stop=lambda: False,
        )  # fmt: skip

    with pytest.raises(InputError, match="needs one model at least of"):
        attempt(models=[str(small_variation.directory)])
    with pytest.raises(InputError, match="flag_ratio"):
        attempt(models=[str(small_classifier.directory)], flag_ratio=1.5)
    with pytest.raises(InputError, match="not trained on"):
        fitting_rows(small_world, holdout=0.0)
    assert not (tmp_path / "fusion").exists()


def test_it_is_fitted_on_what_all_of_its_models_held_out(small_classifier):
    more = replace(small_classifier, config=small_classifier.config | {"holdout": 0.5})
    assert held_out_by_all([more, small_classifier]) == small_classifier.config["holdout"]


def test_it_says_whether_it_was_fitted_on_training_groups_too(fused, tmp_path):
    assert fused.metrics["held_out"] == 0.0  # there was enough in `val`
    row = {"answer": "brand", "brand": "acme", "split": "val"}
    few, enough = (
        write_manifest(
            [{**row, "image": f"{i}.jpg", "sha256": f"{i:064x}"} for i in range(count)],
            tmp_path / str(count),
        )
        for count in (49, 50)
    )
    assert needs_held_out(few)
    assert not needs_held_out(enough)


def test_the_weights_are_read_back_as_they_were_written(fused):
    again = load(read_artifact(fused.directory))
    parts, _ = made(5, 7, kinds=("classifier",), brands=3)
    found = again.probabilities(parts)
    np.testing.assert_allclose(found, load(fused).probabilities(parts))
    # Models that it knows no weights for are not listened to; of nothing at all it says "none".
    more, _ = made(5, 7, kinds=("classifier", "detector"), brands=3)
    np.testing.assert_allclose(
        again.probabilities(more), again.probabilities(more.only(["classifier"]))
    )
    assert (again.probabilities(more.only([]))[:, -1] == 1).all()


def test_open_rows_that_nobody_answered_are_fitted_on_as_none(tmp_path):
    rows = [
        {"image": f"{i}.jpg", "sha256": f"{i:064x}", "split": split, "answer": answer,
         "brand": "acme" if answer == "brand" else None, "group": f"g{i}"}
        for i, (split, answer) in enumerate(
            [("val", "brand")] * 3 + [("val", "unlabelled")] * 2 + [("open", "unlabelled")] * 40
        )
    ]  # fmt: skip
    found = fitting_rows(write_manifest(rows, tmp_path), holdout=0.1)
    splits = found["split"].to_pylist()
    assert splits.count("val") == 3  # of these, what nobody answered says nothing
    assert 8 < splits.count("open") < 32  # its half, by hash
    assert chosen_of(found, ["acme"]).tolist() == [0] * 3 + [-1] * splits.count("open")
