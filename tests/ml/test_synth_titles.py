"""Generated titles: how the brand is told, and who knows of it."""

import csv
from collections import Counter

import numpy as np
import pytest

from ml.manifest import read_manifest
from ml.progress import Progress
from ml.synth import generate, names, render
from ml.synth.brands import make_brands
from ml.synth.disguise import WAYS, disguise
from ml.synth.plan import Plan
from ml.synth.titles import Title, draw_title, line_name

BRANDS = make_brands(count=6, seed=1)


def titles(count: int, brand: int | None) -> list[Title]:
    return [
        draw_title(
            seed=1, plan=Plan("train", i, brand=brand, weak_brand=brand), brands=BRANDS, kind="bag"
        )
        for i in range(count)
    ]


def test_a_disguised_name_is_not_the_name():
    rng = np.random.default_rng(0)
    ways = Counter()
    for english, chinese in names.brand_names(rng, 100):
        for _ in range(10):
            found, way = disguise(rng, english, chinese)
            assert english.lower() not in found.lower()
            assert chinese not in found
            ways[way] += 1
    assert set(ways) == set(WAYS)
    assert min(ways.values()) > 150


def test_a_branded_title_names_disguises_or_leaves_out_the_brand():
    made, brand = titles(1200, 2), BRANDS[2]
    forms = Counter(title.form for title in made)
    assert set(forms) == {"named", "disguised", "absent"}
    assert 0.40 < forms["named"] / 1200 < 0.50
    assert 0.21 < forms["disguised"] / 1200 < 0.29
    known = (brand.name_en, brand.name_zh, brand.aliases[0])
    for title in made:
        assert any(name in title.text for name in known) == (title.form == "named")
    lines = [any(name in t.text for name in line_name(1, 2)) for t in made if t.form == "absent"]
    assert 0.3 < np.mean(lines) < 0.5


def test_titles_come_in_both_languages():
    chinese = [any("一" <= c <= "鿿" for c in title.text) for title in titles(400, None)]
    assert 0.4 < np.mean(chinese) < 0.6


def test_few_titles_without_a_brand_claim_to_fit_one_and_some_contain_a_short_name():
    made = titles(2000, None)
    assert 0.004 < np.mean([title.form == "fitting" for title in made]) < 0.02
    plain = " ".join(title.text for title in made if title.form == "none").lower()
    assert all(word in plain for word in ("beige", "self-adhesive", "玉米"))
    assert not any(brand.name_zh in plain for brand in BRANDS)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("titles") / "world"
    generate(
        brands=3, train=30, closed=9, open_=20, business=6, pool=20, size=48, seed=3, out=out,
        progress=Progress(quiet=True),
    )  # fmt: skip
    return out


def test_how_a_title_tells_the_brand_is_known_to_the_truth_alone(world):
    with (world / "truth" / "titles.csv").open(encoding="utf-8") as source:
        told = {row["sha256"]: row for row in csv.DictReader(source)}
    rows = read_manifest(world).table.to_pylist()
    assert set(told) == {row["sha256"] for row in rows}
    assert all("title_form" not in row for row in rows)
    for path in world.glob("*/products.csv"):
        assert "title_form" not in path.read_text(encoding="utf-8")
    for row in rows:
        if row["split"] == "closed":
            assert told[row["sha256"]]["title_brand"] == row["brand"]


def test_titles_move_no_pixel(world, tmp_path, monkeypatch):
    monkeypatch.setattr(render, "draw_title", lambda **_: Title("another"))
    out = tmp_path / "world"
    generate(
        brands=3, train=30, closed=9, open_=20, business=6, pool=20, size=48, seed=3, out=out,
        progress=Progress(quiet=True),
    )  # fmt: skip
    images = [set(read_manifest(folder).table["sha256"].to_pylist()) for folder in (world, out)]
    assert images[0] == images[1]
