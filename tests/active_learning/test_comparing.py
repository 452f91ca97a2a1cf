"""Two releases compared on the images that both were evaluated on."""

from pathlib import Path

import pytest

from active_learning import comparing
from active_learning.comparing import NotComparable
from ml.evaluate.scores_file import read_scores
from tests.active_learning.factories import EvaluationFactory, ReleaseFactory
from tests.ml.made_outcomes import made
from tests.ml.test_compare import save, worse

pytestmark = pytest.mark.django_db


def evaluation_of(release, scores, *, sha256="0" * 64):
    return EvaluationFactory(
        release=release,
        state="succeeded",
        manifest_sha256=sha256,
        report={"classifier": {"scores": str(scores)}, "detector": {}},
    )


@pytest.fixture
def pair(tmp_path):
    data, _ = made()
    a, b = ReleaseFactory(), ReleaseFactory()
    evaluation_of(a, save(tmp_path / "a.parquet", data))
    evaluation_of(b, save(tmp_path / "b.parquet", worse(data, 0.5)))
    return a, b


def test_what_one_finds_and_the_other_misses_is_listed_with_what_it_said(pair):
    a, b = pair
    measured = comparing.measured_together(a=a, b=b)
    assert measured.kinds == ["classifier"]
    found = comparing.compare(measured=measured, kind="classifier")
    sides = [read_scores(path_of(side)) for side in (measured.a, measured.b)]
    hits = [dict(zip(side.keys, side.rows.hit, strict=True)) for side in sides]
    lost = {key for key, hit in hits[0].items() if hit and not hits[1][key] and "closed" in key}
    assert {f"{row['set']} {row['sha256']}" for row in found["a_only"]} == lost
    assert found["images"] == {"a_only": len(lost), "b_only": 0}
    assert found["a_only"][0]["said"] == "", "the scores that were lost say nothing"
    assert found["shown"]["n"] < found["closed"]["n"]
    assert set(found["closed"]["per_brand"]["akira"]) >= {"interval", "a", "b"}


def path_of(evaluation):
    return Path(evaluation.report["classifier"]["scores"])


def test_what_was_found_once_is_not_read_again(pair):
    measured = comparing.measured_together(a=pair[0], b=pair[1])
    first = comparing.compare(measured=measured, kind="classifier")
    path_of(measured.a).unlink()
    assert comparing.compare(measured=measured, kind="classifier") == first


def test_releases_measured_on_other_images_are_not_comparable(pair, tmp_path):
    other = ReleaseFactory()
    evaluation_of(other, tmp_path / "c.parquet", sha256="1" * 64)
    assert comparing.measured_together(a=pair[0], b=other) is None
    evaluation_of(other, tmp_path / "c.parquet")
    measured = comparing.measured_together(a=pair[0], b=other)
    with pytest.raises(NotComparable, match="no such scores file"):
        comparing.compare(measured=measured, kind="classifier")
    with pytest.raises(NotComparable, match="not kept"):
        comparing.compare(measured=measured, kind="detector")
