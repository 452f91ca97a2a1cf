"""`python -m ml bench`: what it writes, on worlds of seconds."""

import json

import pytest

from ml.bench import synth, text, titles
from ml.cli import main
from ml.manifest import read_manifest
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

COUNTS = {"train": 12, "closed": 6, "open": 12, "pool": 12, "business": 3}


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in argv])
    return int(stopped.value.code or 0)


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
        **small, size=128, seed=1, out=tmp_path / "world", progress=Progress(quiet=True)
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


@pytest.mark.slow
def test_the_benchmark_of_copies_counts_what_is_found_and_what_is_mistaken(tmp_path):
    """A smaller run of the figures in docs/benchmarks.md, section Modified copies."""
    out = tmp_path / "copies.json"
    assert run("bench", "copies", "--quick", "--json", out) == 0
    figures = json.loads(out.read_text())
    for change, counts in figures["changes"].items():
        assert counts["of"] == figures["sizes"]["pictures"]
        # Recolouring by a turn of all hues changes which of two neighbours is the lighter one.
        least = 0.85 if change == "recoloured" else 0.95
        assert counts["found"] >= least * counts["of"], change
        assert counts["named"] <= counts["found"]
    assert figures["unrelated"]["of"] == figures["sizes"]["pairs"]
    assert figures["unrelated"]["taken"] == 0
