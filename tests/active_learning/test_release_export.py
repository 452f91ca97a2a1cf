"""A release taken away is whole, and says what it said on the platform."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from active_learning.contests import PromotionError
from active_learning.release_export import export_release, prepare_export, zip_stream
from ml.errors import InputError
from ml.predict import predict
from tests.active_learning.factories import ModelVersionFactory, ReleaseFactory
from tests.active_learning.test_promotion import version  # noqa: F401
from tests.ml.conftest import small_classifier, small_variation, small_world  # noqa: F401
from tests.ml.test_scan_and_evaluate import run

pytestmark = pytest.mark.django_db
THRESHOLDS = {"classifier": {"*": 0.7}, "variation": {"*": 0.6}}


@pytest.fixture
def release(version):  # noqa: F811
    return ReleaseFactory(
        state="champion",
        classifier=version("classifier", 1),
        variation=version("variation", 1),
        thresholds=THRESHOLDS,
    )


def test_the_folder_holds_every_model_and_what_the_release_says(release, tmp_path):
    out = tmp_path / "out"
    call_command("export_release", release=release.number, out=out)
    about = json.loads((out / "release.json").read_text())
    assert (about["release"], about["brands"]) == (release.number, ["acme", "globex"])
    assert about["thresholds"] == THRESHOLDS
    assert about["models"]["classifier"]["version"] == 1
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {"release.json"} | {
        f"{kind}/{name}"
        for kind in ("classifier", "variation")
        for name in ("weights.safetensors", "meta.json")
    }


def test_the_zip_holds_the_same_as_the_folder(release, tmp_path):
    out = export_release(release=release, out=tmp_path / "out")
    pieces = list(zip_stream(prepare_export(release=release), folder="release-1"))
    assert len(pieces) > 2, "streamed"
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            written = out / Path(name).relative_to("release-1")
            assert archive.read(name) == written.read_bytes()
        assert archive.namelist()[-1] == "release-1/release.json"


def test_a_damaged_model_is_not_exported(release, tmp_path):
    Path(release.classifier.artifact, "weights.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match="recorded hash"):
        export_release(release=release, out=tmp_path / "out")
    with pytest.raises(CommandError) as refused:
        call_command("export_release", out=tmp_path / "out")
    assert refused.value.returncode == 2
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_refused(release, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InputError, match="not an empty folder"):
        export_release(release=release, out=tmp_path / "full")
    with pytest.raises(PromotionError, match="has no model"):
        prepare_export(release=ReleaseFactory(classifier=None))
    with pytest.raises(CommandError, match="no release 77"):
        call_command("export_release", release=77, out=tmp_path / "out")


@pytest.mark.slow
def test_the_folder_predicts_what_the_platforms_models_predict(
    small_classifier,  # noqa: F811
    small_variation,  # noqa: F811
    small_world,  # noqa: F811
    tmp_path,
):
    release = ReleaseFactory(
        classifier=ModelVersionFactory(artifact=str(small_classifier.directory)),
        variation=ModelVersionFactory(kind="variation", artifact=str(small_variation.directory)),
    )
    out = export_release(release=release, out=tmp_path / "out")
    names = small_world.rows("closed")["image"].to_pylist()[:6]
    images = [small_world.path.parent / name for name in names]
    folders = [
        argument for kind in ("classifier", "variation") for argument in ("--model", out / kind)
    ]
    assert run("predict", *folders, *images, "--json", tmp_path / "said.json") == 0
    ours = [Path(one.artifact) for one in (release.classifier, release.variation)]
    expected = predict(directories=ours, images=images, titles=[])
    assert json.loads((tmp_path / "said.json").read_text()) == json.loads(json.dumps(expected))
