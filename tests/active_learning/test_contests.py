"""What the gates are given: scores kept by evaluations, paired image by image."""

from pathlib import Path

import pytest

from active_learning import contests, evaluations, settling
from active_learning.gates import reasons_in_words
from ml.manifest import write_manifest
from tests.active_learning.factories import EvaluationFactory, ReleaseFactory
from tests.active_learning.test_promotion import report, version  # noqa: F401
from tests.factories import BrandFactory
from tests.ml.made_outcomes import made
from tests.ml.test_compare import save, worse

pytestmark = pytest.mark.django_db


@pytest.fixture
def evaluated(version, tmp_path):  # noqa: F811
    """Make a release whose classifier loses that share of what the first finds."""

    def make(number: int, lost: float, **values):
        brands = ["akira", "bodo", "cyan", "doro"]
        release = ReleaseFactory(
            classifier=version("classifier", number), brands=brands, gate={}, **values
        )
        data, _ = made(closed=800)
        scores = save(tmp_path / f"{number}.parquet", worse(data, lost) if lost else data)
        rows = [{"image": "b.jpg", "sha256": "e", "split": "closed", "group": "e"}]
        EvaluationFactory(
            release=release,
            state="succeeded",
            manifest=str(write_manifest(rows, tmp_path).path),
            report={"classifier": report(0.9 - lost) | {"scores": str(scores)}},
        )
        return release

    return make


def told(release):
    return " · ".join(reasons_in_words(release.gate["classifier"]))


def test_a_candidate_is_compared_with_the_champion_on_the_same_images(evaluated):
    evaluated(1, 0.0, state="champion")
    new = evaluated(2, 0.5)
    settling.settle(candidate=new)
    assert new.state == "rejected"
    assert "on the same images" in told(new)
    assert "test groups" in told(new)
    assert "parts of the test sets compared" in told(new)


def test_a_protected_brand_that_falls_holds_a_candidate_back_alone(evaluated, settings):
    settings.GATE_RECALL_TOLERANCE = 1.0  # all else may fall
    evaluated(1, 0.0, state="champion")
    BrandFactory(key="akira", name_en="Akira", protected=True)
    BrandFactory(key="bodo", name_en="Bodo")
    new = evaluated(2, 0.6)
    settling.settle(candidate=new)
    assert new.state == "rejected"
    assert "Akira, protected: recall" in told(new)
    assert "Bodo" not in told(new)


def test_the_same_model_again_passes_every_gate(evaluated):
    evaluated(1, 0.0, state="champion")
    again = evaluated(2, 0.0)
    assert settling.settle(candidate=again) == again


def test_without_the_scores_of_one_the_reports_are_compared(evaluated):
    old = evaluated(1, 0.0, state="champion")
    Path(old.evaluations.get().report["classifier"]["scores"]).unlink()
    new = evaluated(2, 0.5)
    found = contests.prepare(new, old)["classifier"]
    assert found.paired is None
    settling.settle(candidate=new)
    assert "closed mean recall 0.400, the champion 0.900" in told(new)


def test_evaluations_keep_the_scores_and_name_them_by_their_whole_path(tmp_path, version):  # noqa: F811
    manifest = write_manifest([{"image": "b.jpg", "sha256": "e", "split": "closed"}], tmp_path)
    evaluation = EvaluationFactory(
        release=ReleaseFactory(classifier=version("classifier", 1)),
        manifest=str(manifest.path),
        output=str(tmp_path / "out"),
    )
    line = evaluations.command(evaluation)
    assert line[line.index("--scores") + 1] == str(tmp_path / "out" / "scores.parquet")
    written = '{"kind": "classifier", "thresholds": {"*": 0.5}, "scores": "scores.parquet"}'
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text(written)
    evaluations.store_report(evaluation)
    assert evaluation.report["classifier"]["scores"] == str(tmp_path / "out" / "scores.parquet")
