"""Heat maps drawn on demand by a child process, once for a model and an image."""

import shutil
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from PIL import Image as Picture

from active_learning import explanations
from active_learning.models import Explanation
from tests.active_learning.factories import ModelVersionFactory
from tests.factories import ImageFactory
from tests.ml.conftest import small_classifier, small_world  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def image(small_world):  # noqa: F811
    row = small_world.rows("closed").to_pylist()[0]
    name = "explained-test/image.png"
    target = Path(default_storage.path(name))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(small_world.path.parent / row["image"], target)
    return ImageFactory(file=name, width=48, height=48, split="closed")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_heat_map_is_drawn_and_kept(image, small_classifier, settings, tmp_path):  # noqa: F811
    settings.DATA_DIR = tmp_path
    version = ModelVersionFactory(artifact=str(small_classifier.directory))
    ask = {"versions": [version], "image": image, "label": "akira"}
    (asked,) = explanations.request_explanations(**ask)
    assert explanations.request_explanations(**ask) == [asked], "once"
    assert explanations.run(explanation_id=asked.pk) == "succeeded", _error(asked)
    asked.refresh_from_db()
    assert 0 <= asked.metrics["score"] <= 1
    with default_storage.open(asked.picture) as file, Picture.open(file) as drawn:
        assert drawn.size == (48, 48)


def _error(explanation) -> str:
    return Explanation.objects.get(pk=explanation.pk).error


@pytest.mark.django_db(transaction=True)
def test_what_failed_says_why_and_can_be_asked_for_again(image, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    ask = {"versions": [ModelVersionFactory()], "image": image, "label": "akira"}
    (asked,) = explanations.request_explanations(**ask)
    assert explanations.run(explanation_id=asked.pk) == "failed"
    assert "no complete model here" in _error(asked)
    assert explanations.request_explanations(**ask) != [asked]
