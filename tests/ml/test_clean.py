"""Wrong labels: found by models that did not train on them, and by copies answered differently."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ml.artifact import file_sha256
from ml.clean.duplicates import contradictions, near_duplicates
from ml.clean.finds import as_answered, find_table, judge_labels
from ml.clean.folds import Folds, assign, make_folds, together
from ml.clean.run import clean
from ml.errors import Cancelled, InputError
from ml.manifest import conform, read_manifest, rebased, write_manifest
from ml.models.brand_rows import choose_brand_rows
from ml.progress import Progress
from tests.ml.command import run
from tests.ml.small_world import QUICK, write_world

CONFIG = QUICK | {"epochs": 8}


def table(rows):
    blank = {"image": "a.jpg", "split": "train", "answer": "brand", "brand": "akira"}
    return conform(pa.Table.from_pylist([blank | {"sha256": str(i)} | row
                                         for i, row in enumerate(rows)]))  # fmt: skip


def test_a_chain_of_groups_and_near_duplicates_is_one_group():
    joined = together(["a", "b", "a", "c", "d", "e"], near=[(1, 2), (3, 4)])
    assert joined[0] == joined[1] == joined[2]
    assert joined[3] == joined[4]
    assert len(set(joined)) == 3


def test_groups_stay_whole_and_every_fold_gets_its_part_of_every_class():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 200)
    classes = groups % 3
    fold = assign(classes, groups, count=4, seed=1)
    for group in np.unique(groups):
        assert len(set(fold[groups == group])) == 1
    for name in range(3):
        dealt = [len(set(groups[(classes == name) & (fold == i)])) for i in range(4)]
        assert max(dealt) - min(dealt) <= 1
    assert (assign(classes, groups, count=4, seed=1) == fold).all()
    assert (assign(classes, groups, count=4, seed=2) != fold).any()


def test_brands_too_rare_for_the_folds_are_neither_judged_nor_trained_on():
    rows = table(
        [{"brand": "akira"}] * 6
        + [{"brand": "rare"}] * 2
        + [{"brand": "untrained", "split": "val"}] * 5
        + [{"answer": "none", "brand": None}] * 6
        + [{"answer": "unlabelled", "brand": None, "excluded": ["akira"]}] * 2
    )
    folds = make_folds(rows, [], count=3, brands=None, seed=0)
    assert folds.labels == ["akira", "none"]
    assert folds.judged.tolist() == [True] * 6 + [False] * 7 + [True] * 6 + [False] * 2
    for i in range(3):
        trains = folds.trains(i)
        assert not trains[6:13].any()
        assert not (trains & folds.judged & (folds.fold == i)).any()
    assert sum(folds.trains(i)[19:].sum() for i in range(3)) == 4


@pytest.mark.parametrize(
    ("rows", "count", "says"),
    [
        ([{}] * 2 + [{"answer": "none", "brand": None}] * 4, 2, "no brand"),
        ([{}] * 4 + [{"answer": "other", "brand": None}], 2, "no background"),
    ],
)
def test_too_little_for_the_folds_is_refused(rows, count, says):
    with pytest.raises(InputError, match=says):
        make_folds(table(rows), [], count=count, brands=None, seed=0)


def test_what_was_seen_as_well_speaks_for_the_answer_and_what_was_ruled_out_is_not_suggested():
    said = as_answered(
        np.array([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3], [0.2, 0.5, 0.3]]),
        np.array([0, 0, 2]),
        [
            {"also": ["b"], "excluded": None},
            {"also": None, "excluded": ["b"]},
            {"also": None, "excluded": None},
        ],
        ["a", "b", "none"],
    )
    assert said == pytest.approx(np.array([[0.7, 0, 0.3], [0.4, 0, 0.6], [0.2, 0.5, 0.3]]))


def judged_rows():
    """Two classes and the background, 20 rows each, sure of themselves; one of each mislabelled."""
    given = np.repeat([0, 1, 2], 20)
    seen = given.copy()
    seen[[0, 20, 40]] = [1, 2, 0]
    probabilities = np.full((60, 3), 0.05)
    probabilities[np.arange(60), seen] = 0.9
    names = ["akira", "bodo", None]
    rows = table(
        [
            {"answer": "brand" if k < 2 else "other", "brand": names[k], "image": f"{i}.jpg"}
            for i, k in enumerate(given)
        ]
    )
    folds = Folds(rows, ["akira", "bodo", "none"], given, np.arange(60) % 2)
    return judge_labels(folds, probabilities)


def test_each_wrong_label_is_named_with_its_kind_and_what_it_should_be():
    found = find_table(judged_rows(), []).to_pylist()
    assert {(row["image"], row["kind"], row["given"], row["suggested"]) for row in found} == {
        ("0.jpg", "wrong_positive", "akira", "bodo"),
        ("20.jpg", "wrong_positive", "bodo", "none"),
        ("40.jpg", "wrong_negative", "other", "akira"),
    }
    assert [row["score"] for row in found] == pytest.approx([0.95] * 3)


def test_of_a_contradicting_pair_the_less_believed_one_is_named():
    found = find_table(judged_rows(), [(5, 0)]).to_pylist()
    (pair,) = [row for row in found if row["kind"] == "contradiction"]
    assert (pair["image"], pair["partner"], pair["suggested"]) == ("0.jpg", "5.jpg", "akira")


@pytest.fixture
def pictures(tmp_path):
    """A goods picture of stripes and discs, the same once more, saved anew, and another one."""
    rng = np.random.default_rng(3)
    paths = []
    for number in range(2):
        grey = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        picture = Image.fromarray(grey).resize((160, 160), Image.Resampling.BICUBIC)
        paths.append(tmp_path / f"{number}.png")
        picture.save(paths[-1])
    copy = tmp_path / "copy.jpg"
    Image.open(paths[0]).save(copy, quality=70)
    plain = tmp_path / "plain.png"
    Image.new("RGB", (80, 80), "white").save(plain)
    return [*paths, copy, plain, shutil.copy(plain, tmp_path / "plain2.png")]


def test_copies_are_near_and_even_surfaces_are_not(pictures):
    found = near_duplicates(pictures, progress=Progress(quiet=True), should_stop=lambda: False)
    assert found == [(0, 2)]


@pytest.mark.parametrize(
    ("given", "also", "expected"),
    [
        ([0, 1, 1], [None] * 3, [(0, 2)]),
        ([0, 1, 2], [None] * 3, [(0, 2)]),
        ([0, 1, 0], [None] * 3, []),
        ([0, 1, 1], [["bodo"], None, None], []),
        ([0, 1, -1], [None] * 3, []),
    ],
)
def test_copies_contradict_only_where_both_answers_cannot_be_right(pictures, given, also, expected):
    found = contradictions(
        pictures[:3], [(0, 2)], np.array(given), also, ["akira", "bodo", "none"],
        should_stop=lambda: False,
    )  # fmt: skip
    assert found == expected


def test_moved_rows_find_their_images(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").touch()
    rows = table([{"image": "x.png"}, {"image": "http://shop/y.png"}])
    moved = rebased(rows, before=tmp_path / "a", after=tmp_path / "b" / "c")
    names = moved["image"].to_pylist()
    assert (tmp_path / "b" / "c" / names[0]).resolve() == tmp_path / "a" / "x.png"
    assert names[1] == "http://shop/y.png"


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    """The small world with a label in eight wrong, and which."""
    folder = tmp_path_factory.mktemp("dirty")
    world = write_world(folder / "true", variation=False)
    rows = rebased(world.table, before=folder / "true", after=folder / "given").to_pylist()
    wrong = {}
    for i, row in enumerate(row for row in rows if row["split"] == "train"):
        if i % 8 == 3:
            wrong[row["image"]] = row["brand"]
            said = None if row["brand"] else "akira"
            row |= {"brand": said, "answer": "brand" if said else "none"}
    return write_manifest(rows, folder / "given"), wrong


@pytest.fixture(scope="module")
def cleaned(dirty, tmp_path_factory):
    out = tmp_path_factory.mktemp("cleaned")
    assert run(
        "clean", "--manifest", dirty[0].path, "--out", out, "--folds", 2,
        "--config", json.dumps(CONFIG), "--write-manifest", out / "manifest",
    ) == 0  # fmt: skip
    return out


def test_most_wrong_labels_of_a_small_world_are_found(dirty, cleaned):
    manifest, wrong = dirty
    finds = pq.read_table(cleaned / "finds.parquet").to_pylist()
    found = {row["image"] for row in finds}
    assert len(found & set(wrong)) >= 0.7 * len(wrong)
    assert len(found & set(wrong)) >= 0.7 * len(found)
    for row in finds:
        assert row["kind"] == ("wrong_negative" if row["given"] == "none" else "wrong_positive")
    judged = pq.read_table(cleaned / "judged.parquet")
    assert sorted(judged["image"].to_pylist()) == sorted(
        manifest.rows("train")["image"].to_pylist()
    )
    assert judged["score"].to_pylist() == sorted(judged["score"].to_pylist(), reverse=True)
    summary = json.loads((cleaned / "clean.json").read_text())
    assert summary["judged"] == 80
    assert sum(summary["finds"].values()) == len(finds)


def test_the_cleaned_manifest_differs_in_the_finds_alone_and_trains(dirty, cleaned):
    manifest, _ = dirty
    finds = pq.read_table(cleaned / "finds.parquet")["sha256"].to_pylist()
    other = read_manifest(cleaned / "manifest")
    assert other.sha256 != manifest.sha256
    assert file_sha256(manifest.path) and read_manifest(manifest.path).sha256 == manifest.path.stem
    for before, after in zip(manifest.table.to_pylist(), other.table.to_pylist(), strict=True):
        if before["split"] == "train" and before["sha256"] in finds:
            assert (after["answer"], after["brand"]) == ("unlabelled", None)
        else:
            assert after | {"image": ""} == before | {"image": ""}
        assert (other.path.parent / after["image"]).is_file()
    chosen = choose_brand_rows(
        other, brands=None, holdout=0.0, negatives_per_brand=None, hard_share=0.5, seed=0
    )
    assert len(chosen.train) == 80 - len(finds)


def again(dirty, out, *, should_stop=lambda: False, **options):
    given = {"folds": 2, "config": CONFIG, "cleaned": None} | options
    return clean(
        manifest=dirty[0].path, out=out, progress=Progress(quiet=True), should_stop=should_stop,
        **given,
    )  # fmt: skip


def test_finished_folds_are_not_trained_again_and_say_the_same(dirty, cleaned, tmp_path):
    out = shutil.copytree(cleaned, tmp_path / "again")
    shutil.rmtree(out / "fold-0" / "model")  # nothing reads it any more
    before = json.loads((out / "clean.json").read_text())
    after = again(dirty, out)
    assert after["finds"] == before["finds"]
    assert not (out / "fold-0" / "model").exists()


def test_a_stopped_cleaning_leaves_no_finds(dirty, tmp_path):
    with pytest.raises(Cancelled):
        again(dirty, tmp_path, should_stop=(tmp_path / "fold-0").is_dir)
    assert not (tmp_path / "finds.parquet").exists()
    assert not list(tmp_path.glob("*/probabilities.npy"))


def test_another_cleaning_is_not_mixed_in(dirty, cleaned):
    with pytest.raises(InputError, match="another cleaning"):
        again(dirty, cleaned, folds=3)


@pytest.mark.parametrize(
    "argv",
    [
        ["--manifest", "nowhere", "--out", "out"],
        ["--manifest", "{given}", "--out", "out", "--folds", "1"],
        ["--manifest", "{given}", "--out", "out", "--config", '{"sise": 3}'],
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(argv, dirty, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("clean", *(word.replace("{given}", str(dirty[0].path)) for word in argv)) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
