"""Smears and knock-offs told beside the brand, and the risk that follows."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw
from sklearn.metrics import roc_auc_score

from ml import models
from ml.evaluate.risks import area_under_curve, attack_figures, risk_figures, usual_prices
from ml.evaluate.run import evaluate
from ml.export.run import export
from ml.manifest import Manifest, write_manifest
from ml.models.attacks import ATTACKS, fit_probe, probe_of
from ml.predict import predict
from ml.progress import Progress
from ml.risks import likely_attack, proposed_risk
from ml.scan import scan
from tests.ml.conftest import train_quickly
from tests.ml.made_outcomes import made
from tests.ml.small_world import COLOURS, draw

RISKS = ("infringement", "smear")


def embedded(classes: np.ndarray, *, apart: float, seed: int = 0) -> np.ndarray:
    """Embeddings of length 1 in which each class lies along an axis of its own."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(len(classes), 8))
    found[np.arange(len(classes)), classes] += apart
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_what_embeddings_show_is_told_of_new_ones_too():
    classes = np.repeat([0, 1, 2], 60)
    probe, found = fit_probe(embedded(classes, apart=4), classes, [str(i) for i in range(180)])
    assert probe is not None and probe.told == list(ATTACKS)
    assert min(kind["auc"] for kind in found.values()) > 0.9
    kept = probe_of({"attacks": probe.as_calibration()})
    assert kept is not None
    chances = kept.chances(embedded(classes, apart=4, seed=1))
    assert (chances.argmax(axis=1)[classes > 0] == classes[classes > 0] - 1).mean() > 0.9
    assert chances[classes == 0].sum(axis=1).mean() < 0.3


def test_a_kind_told_no_better_than_by_chance_is_not_told():
    classes = np.repeat([0, 1, 2], 60)
    embeddings = embedded(np.where(classes == 1, 0, classes), apart=4)
    probe, found = fit_probe(embeddings, classes, [str(i) for i in range(180)])
    assert probe is not None and probe.told == ["knock_off"]
    assert found["smear"]["told"] is False
    chances = probe.chances(embeddings)
    assert np.isnan(chances[:, 0]).all()
    assert (chances[classes == 2, 1] > 0.5).mean() > 0.8 > (chances[classes == 0, 1] > 0.5).mean()


def test_many_copies_of_one_picture_are_not_enough_to_learn_from():
    classes = np.repeat([0, 1], 60)
    groups = [str(i) for i in range(60)] + ["copies"] * 60
    assert fit_probe(embedded(classes, apart=4), classes, groups) == (None, {})


@pytest.mark.parametrize(
    ("chances", "ratio", "risk"),
    [
        ({}, None, "infringement"),
        ({}, 0.1, "counterfeit"),
        ({"smear": 0.6, "knock_off": 0.1}, 0.1, "smear"),
        ({"smear": 0.2, "knock_off": 0.5}, None, "knock_off"),
        ({"smear": 0.3, "knock_off": 0.3}, None, "infringement"),
        ({"smear": 0.4}, 0.3, "infringement"),
    ],
)
def test_the_risk_follows_from_attack_and_price(chances, ratio, risk):
    assert proposed_risk(likely_attack(chances), ratio) == risk


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    scores, positive = rng.integers(0, 9, 200) / 9, rng.random(200) < 0.3
    assert area_under_curve(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def test_risks_of_found_items_are_counted_by_hand():
    risks = ["smear", "infringement", "counterfeit"] * 4
    data, outcomes = made(
        closed=12, opened=10, risk=[*risks, *[None] * 10], price=[*[9.0] * 12, *[None] * 10]
    )
    outcomes.hit[:] = True
    attacks = np.zeros((22, 2), np.float32)
    attacks[[0, 1], 0] = 0.9  # of these the first is one
    figures = risk_figures(data.rows, outcomes.hit, attacks, {})["risks"]
    assert figures["right"]["value"] == pytest.approx((1 + 3) / 12)
    assert figures["by_price_alone"]["value"] == pytest.approx(4 / 12)
    assert {"true": "infringement", "said": "smear", "n": 1} in figures["pairs"]
    assert sum(pair["n"] for pair in figures["pairs"]) == 12


def test_the_usual_price_is_that_of_licensed_rows_where_there_are_enough():
    def row(i, price, licensed):
        return {
            "image": f"{i}", "answer": "brand", "brand": "acme", "category": "shoe",
            "price": price, "licensed": licensed, "split": "train",
        }  # fmt: skip

    few = [row(i, 10.0, False) for i in range(6)] + [row(i, 100.0, True) for i in range(6, 10)]
    data, _ = made()
    table = data.rows.from_pylist(few, schema=data.rows.schema)
    assert usual_prices(table) == {("acme", "shoe"): 10.0}
    table = data.rows.from_pylist([*few, row(10, 100.0, True)], schema=data.rows.schema)
    assert usual_prices(table) == {("acme", "shoe"): 100.0}


def test_no_figures_of_attacks_without_both_kinds():
    data, _ = made(risk=[*["smear"] * 120, *[None] * 200])
    assert attack_figures(data.rows, np.zeros((320, 2), np.float32)) == {}
    assert attack_figures(data.rows, None) == {}


@pytest.fixture(scope="module")
def smeared_world(tmp_path_factory) -> Manifest:
    """As the small world, but every second brand picture is known to be crossed out."""
    folder = tmp_path_factory.mktemp("smeared")
    rng = np.random.default_rng(5)
    rows = []
    for split, count in {"train": 40, "closed": 12, "open": 8, "pool": 4}.items():
        for brand in [None] * 4 if split == "open" else [*COLOURS, None]:
            for i in range(count):
                risk = RISKS[i % 2] if brand else None
                picture = draw(COLOURS.get(brand or ""), rng)
                if risk == "smear":
                    ImageDraw.Draw(picture).line([0, 0, 48, 48], fill=(250, 240, 0), width=9)
                name = f"{split}-{len(rows)}.png"
                picture.save(folder / name)
                rows.append(
                    {
                        "image": name, "sha256": f"{len(rows):064x}", "group": f"g{len(rows)}",
                        "answer": "brand" if brand else "none", "brand": brand, "risk": risk,
                        "split": split,
                    }
                )  # fmt: skip
    return write_manifest(rows, folder)


@pytest.fixture(scope="module")
def smear_classifier(smeared_world, tmp_path_factory):
    return train_quickly(smeared_world, tmp_path_factory.mktemp("smear_classifier"))


def test_a_classifier_tells_smears_in_all_it_is_used_for(smear_classifier, smeared_world, tmp_path):
    assert smear_classifier.metrics["attacks"]["smear"]["told"]
    report = evaluate(
        models=[smear_classifier.directory], manifest=smeared_world.path, flag_ratio=None,
        progress=Progress(quiet=True), should_stop=lambda: False,
    )  # fmt: skip
    assert report["attacks"]["smear"]["auc"] > 0.9
    assert report["risks"]["right"]["value"] > report["risks"]["by_price_alone"]["value"]
    scan(
        models=[smear_classifier.directory], manifest=smeared_world.path, out=tmp_path / "scan",
        split="pool", shard_size=100, progress=Progress(quiet=True), should_stop=lambda: False,
    )  # fmt: skip
    told = pq.read_table(tmp_path / "scan" / "part-00000.parquet")["classifier_attacks"].to_pylist()
    assert all(row["knock_off"] is None and 0 <= row["smear"] <= 1 for row in told)
    image = smeared_world.path.parent / smeared_world.rows("closed")["image"][1].as_py()
    (said,) = predict(directories=[smear_classifier.directory], images=[image], titles=[])
    assert list(said["attacks"]) == ["smear"] and said["attacks"]["smear"] > 0.5


def test_an_export_tells_the_same(smear_classifier, tmp_path):
    exported = export(
        model=smear_classifier.directory, out=tmp_path, int8=None, progress=Progress(quiet=True)
    )
    images = [Image.new("RGB", (48, 48), colour) for colour in ("red", "blue", "white")]
    expected, found = (models.load(one).predict(images) for one in (smear_classifier, exported))
    np.testing.assert_allclose(found.attacks, expected.attacks, atol=1e-4)


def test_a_classifier_without_known_risks_says_nothing_of_them(small_classifier):
    image = Image.new("RGB", (48, 48), "red")
    assert models.load(small_classifier).predict([image]).attacks is None
