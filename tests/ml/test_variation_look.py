"""The variation model with the product's look, and pictures drawn in parts."""

import numpy as np
import pyarrow as pa
import pytest

from ml.bench import variation as bench
from ml.cli import main
from ml.errors import InputError
from ml.evaluate.judging import judge
from ml.evaluate.scored import scored
from ml.manifest import conform, read_manifest, write_manifest
from ml.models import load
from ml.models.base import Predictions
from ml.models.looks import (
    ARRANGEMENTS,
    JOINT,
    arrangement_names,
    arrangements_of_brands,
    other_arrangements,
)
from ml.progress import Progress
from ml.synth import generate
from ml.synth.brands import make_brands
from ml.synth.commerce import make_merchants
from ml.synth.render import World
from ml.synth.stream import draw_in_parts
from ml.synth.world import plan_world
from tests.ml.conftest import train_quickly
from tests.ml.small_world import COLOURS, draw

ROWS = pa.table(
    {
        "image": ["0", "1", "2", "3", "4"],
        "variation": ["none", "collage", "stack", "collage", "none"],
        "answer": ["brand", "brand", "other", "unlabelled", "none"],
        "brand": ["akira", "akira", None, None, None],
    }
)


def test_the_class_is_arrangement_and_look_together():
    assert arrangement_names(conform(ROWS), look=True).tolist() == [
        "none with a brand",
        "collage with a brand",
        "stack",
        None,
        "none",
    ]
    assert arrangement_names(conform(ROWS), look=False).tolist() == ROWS["variation"].to_pylist()


def test_an_arrangement_of_unknown_look_rules_out_the_other_arrangements():
    left = [
        name
        for name, out in zip(JOINT, other_arrangements(conform(ROWS))[3], strict=True)
        if not out
    ]
    assert left == ["collage", "collage with a brand"]


def test_only_arrangements_that_show_a_brand_are_found():
    joint = np.array([[0.1, 0.2, 0.1, 0.3, 0.25, 0.05]], np.float32)
    found = arrangements_of_brands(joint)
    np.testing.assert_allclose(found, [[0.7, 0.25, 0.05]], atol=1e-6)


def test_arrangements_of_other_goods_are_false_alarms_of_a_model_with_look():
    rows = conform(
        ROWS.append_column("split", pa.array(["closed", "closed", "open", "open", "open"]))
    )
    batch = Predictions(np.array([[0.2, 0.8, 0.0]] * 5, np.float32))
    for look, counted in ((False, [4]), (True, [2, 3, 4])):
        data = scored("variation", ARRANGEMENTS, rows, [batch], look=look)
        _, outcomes = judge("variation", data, flag_ratio=None)
        assert np.flatnonzero(outcomes.counted).tolist() == counted
        assert outcomes.branded("closed").truth.tolist() == ["collage"]
        assert outcomes.known.tolist() == [True, True, True, not look, True]


@pytest.fixture(scope="module")
def with_look(small_world, tmp_path_factory):
    out = tmp_path_factory.mktemp("with_look")
    return train_quickly(small_world, out, kind="variation", look=True, epochs=14)


def test_a_model_with_look_tells_goods_of_a_brand_from_others(with_look):
    predictor = load(with_look)
    assert predictor.labels == ARRANGEMENTS
    assert with_look.labels == JOINT
    rng = np.random.default_rng(5)
    shown = [draw(COLOURS["akira"], rng, 6) for _ in range(12)]
    others = [draw(None, rng, 6) for _ in range(12)]
    branded, plain = (predictor.predict(images).probabilities for images in (shown, others))
    np.testing.assert_allclose(branded.sum(axis=1), 1, atol=1e-5)
    assert (1 - branded[:, 0]).mean() > (1 - plain[:, 0]).mean() + 0.3


def test_look_needs_arrangements_with_a_brand_and_without(small_world, tmp_path):
    rows = small_world.table.to_pylist()
    plain = [r for r in rows if not (r["answer"] == "brand" and r["variation"] == "stack")]
    for row in plain:
        row["image"] = str(small_world.path.parent / row["image"])
    manifest = write_manifest(plain, tmp_path)
    with pytest.raises(InputError, match="variation stack with a brand has 0 training"):
        train_quickly(manifest, tmp_path / "out", kind="variation", look=True)
    assert not (tmp_path / "out").exists()


def test_parts_are_the_pictures_of_the_world_and_do_not_stay(tmp_path):
    counts = {"train": 4, "closed": 3, "open": 5, "business": 0, "pool": 0}
    world = generate(
        brands=2, train=4, closed=3, open_=5, business=0, pool=0, size=48, seed=3,
        out=tmp_path / "world", progress=Progress(quiet=True),
    )  # fmt: skip
    brands = make_brands(count=2, seed=3)
    drawn = World(tmp_path / "drawn", 3, 48, brands, make_merchants(brands, 3))
    plans = plan_world(brands, counts | {"detection": 1, "variation": 1}, 3)
    seen = []
    for part in draw_in_parts(drawn, plans, size=6):
        assert len(part) <= 6
        assert all((drawn.directory / row["image"]).is_file() for row in part)
        seen += [row["sha256"] for row in part]
    assert sorted(seen) == sorted(read_manifest(world.path).table["sha256"].to_pylist())
    assert not list(drawn.directory.rglob("*.jpg"))


@pytest.mark.slow
def test_the_benchmark_has_a_row_for_both_models(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "QUICK", {"brands": 2, "train": 120, "closed": 60, "open": 400})
    monkeypatch.setattr(bench, "QUICK_EPOCHS", 1)
    short = {"size": 48, "least_steps": 0}
    models = {name: config | short for name, config in bench.MODELS.items()}
    monkeypatch.setattr(bench, "MODELS", models)
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "variation", "--quick", "--json", str(tmp_path / "f.json")])
    assert stopped.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:16].strip() for line in lines[1:]] == ["arrangement only", "with look"]
