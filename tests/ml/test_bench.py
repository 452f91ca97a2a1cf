"""`python -m ml bench`: what it writes, on worlds of seconds."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ml.bench import classifier, copies, fusion, select, synth, text, titles
from ml.manifest import Manifest, conform, read_manifest
from ml.models.fusion.material import Material
from ml.progress import Progress
from ml.synth import generate
from ml.train import train
from tests.ml.command import run
from tests.ml.small_world import QUICK
from tests.ml.test_fusion import made

COUNTS = {"train": 12, "closed": 6, "open": 12, "pool": 12, "business": 3}


def test_the_text_benchmark_tells_recall_by_form_and_speed(tmp_path, monkeypatch):
    small = {"brands": 3, "train": 240, "closed": 90, "open": 300}
    short = {"least_steps": 40, "epochs": 4, "bits": 12}
    monkeypatch.setattr(text, "QUICK", small)
    monkeypatch.setattr(
        text, "train", lambda **given: train(**given | {"config": given["config"] | short})
    )
    out = tmp_path / "results" / "text.json"
    assert run("bench", "text", "--quick", "--seeds", 2, "--json", out) == 0
    figures = json.loads(out.read_text())
    assert figures["titles_per_s"] > 0
    assert list(figures["recall"]) == ["named", "disguised", "absent"]
    assert [seed["seed"] for seed in figures["seeds"]] == [1, 2]
    assert figures["recall"]["named"] == pytest.approx(
        sum(seed["recall"]["named"] for seed in figures["seeds"]) / 2, abs=1e-4
    )
    plain = figures["seeds"][0]["plain_search"]["recall"]
    assert plain["named"] == 1.0
    assert plain["disguised"] < figures["seeds"][0]["recall"]["disguised"]
    assert figures["machine"]["cores"]


def test_the_synth_benchmark_gives_the_hash_of_its_world(tmp_path, monkeypatch):
    small = {"brands": 2, "train": 6, "closed": 3, "open_": 4, "business": 2, "pool": 4}
    monkeypatch.setattr(synth, "QUICK", small)
    out = tmp_path / "synth.json"
    assert run("bench", "synth", "--quick", "--json", out) == 0
    figures = json.loads(out.read_text())
    assert figures["images_per_s"] > 0
    world = generate(
        **small, size=160, seed=1, out=tmp_path / "world", progress=Progress(quiet=True)
    )
    assert figures["sha256"] == world.sha256


def test_titles_without_pictures_are_those_of_the_world_with_them(tmp_path):
    generate(
        brands=3, train=12, closed=6, open_=12, pool=12, business=3, size=48, seed=4,
        out=tmp_path / "world", progress=Progress(quiet=True),
    )  # fmt: skip
    counts = COUNTS | {"detection": 4, "variation": 4}
    drawn = titles.draw_titles(brands=3, counts=counts, seed=4, out=tmp_path / "titles")
    columns = ["image", "title", "split", "group"]
    with_pictures, without = (
        {row["image"]: row for row in read_manifest(path).table.select(columns).to_pylist()}
        for path in (tmp_path / "world", drawn.manifest.path)
    )
    assert without == with_pictures


@pytest.mark.parametrize(
    "argv", [["bench", "guess", "--json", "f"], ["bench", "text", "--seeds", "0", "--json", "f"]]
)
def test_bad_input_is_one_line_and_leaves_nothing(argv, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*argv) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_benchmark_of_copies_counts_what_is_found_and_what_is_mistaken(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "QUICK", {"pictures": 4, "pairs": 6, "pool": 14})
    out = tmp_path / "copies.json"
    assert run("bench", "copies", "--quick", "--json", out) == 0
    figures = json.loads(out.read_text())
    for change, counts in figures["changes"].items():
        assert counts["of"] == 4
        assert counts["found"] >= 3, change
        assert counts["named"] <= counts["found"]
    assert figures["unrelated"] == {"of": 6, "taken": 0}


def test_the_fusion_benchmark_has_a_row_for_every_set_of_models(tmp_path, monkeypatch):
    """Its figures, from scores drawn by chance in place of models trained for minutes."""

    def drawn(seed, *_, **__):
        before, chosen = made(900, seed)
        after, truth = made(900, 100 + seed)
        opened = chosen < 0
        before, after = (replace(parts, arranged=np.zeros(900)) for parts in (before, after))
        split = np.where(truth < 0, "open", np.where(np.arange(900) % 3 == 0, "business", "closed"))
        table = conform(
            pa.table(
                {
                    "image": [f"{i}.jpg" for i in range(900)],
                    "split": split,
                    "has_logo": np.arange(900) % 2 == 0,
                    "risk": np.where(truth < 0, None, np.where(truth % 2, "smear", "infringement")),
                }
            )
        )
        groups = np.arange(900).astype(object)
        return (
            Material(before, chosen, opened, groups),
            Material(after, truth, split == "open", groups),
            Manifest(table, tmp_path / "world.parquet", "0" * 64),
        )

    monkeypatch.setattr(fusion, "_models_and_scores", drawn)
    monkeypatch.setattr(fusion, "choose_penalty", lambda *_: 1e-3)
    out = tmp_path / "fusion.json"
    assert run("bench", "fusion", "--quick", "--seeds", 2, "--json", out) == 0
    figures = json.loads(out.read_text())
    assert {row["name"] for row in figures["rows"]} == {" + ".join(kinds) for kinds in fusion.SETS}
    for row in figures["rows"]:
        for name in ("closed_mean_recall", "flag_ratio", "business_logo", "business_no_logo"):
            assert 0 <= row[name] <= 1
    assert 2 * len(figures["mean"]) == len(figures["rows"])
    recall = {(row["name"], row["way"]): row["closed_mean_recall"] for row in figures["mean"]}
    alone = max(recall[kind, "fitted"] for kind in ("classifier", "detector", "text"))
    assert recall["classifier + detector + text", "fitted"] > alone + 0.15
    risks = figures["risks"][0]["risks"]  # no model tells smears here: all are infringements
    assert risks["right"]["value"] == risks["by_price_alone"]["value"]
    assert {pair["said"] for pair in risks["pairs"]} == {"infringement"}
    # Whatever one sees, another sees half the time.
    assert all(0.3 < pair["share"] < 0.7 for pair in figures["complementarity"])


@pytest.mark.slow
def test_the_classifier_benchmark_compares_recipes_growth_and_cost(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "QUICK", {"brands": 4, "train": 90, "closed": 40, "open_": 60})
    monkeypatch.setattr(classifier, "QUICK_EPOCHS", QUICK | {"epochs": 2, "warm_epochs": 1})
    monkeypatch.setattr(classifier, "VARIANTS", {"as it comes": {}, "mix-up": {"mixup": 0.5}})
    monkeypatch.setattr(classifier, "COST_ROUNDS", 3)
    out = tmp_path / "classifier.json"
    assert run("bench", "classifier", "--quick", "--json", out) == 0
    figures = json.loads(out.read_text())
    assert [row["name"] for row in figures["rows"]] == ["as it comes", "mix-up"]
    assert all(0 <= row["closed_mean_recall"] <= 1 for row in figures["rows"])
    half, grown, whole = figures["growth"]
    assert half["new_brands"] == 0  # it cannot know them
    assert 0 <= grown["new_brands"] <= 1
    assert grown["steps"] < whole["steps"]
    assert 0.5 < figures["cost"]["ratio"] < 2


def test_the_selection_benchmark_chooses_whole_batches_within_their_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(select, "QUICK_POOLS", (20_000,))
    out = tmp_path / "select.json"
    assert run("bench", "select", "--quick", "--json", out) == 0
    (row,) = json.loads(out.read_text())["rows"]
    assert row["pool"] == 20_000
    assert row["batch"] == 2_000
    assert 0 < row["read_seconds"] < row["seconds"]
    assert row["peak_mb"] > 0
    assert row["chosen"]["most_of_a_brand"] <= select.MOST
    # Among so few, a brand may not be flagged often enough to be called imprecise.
    assert set(row["chosen"]["by_strategy"]) >= set(select.MIX) - {"low_precision"}
