"""Loading a generated world, and the guidelines that come with it."""

import json
from collections import Counter

import pytest
from django.core.files.storage import default_storage

from annotation.guidelines import (
    FeatureDraft,
    GuidelineError,
    draft_guideline,
    publish_guideline,
    published_guideline,
)
from annotation.models import Brand, GuidelineVersion, Image, Label, Merchant, Qualification
from annotation.world import load_world
from ml.errors import InputError
from ml.progress import Progress
from ml.synth import generate
from tests.factories import BrandFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("world") / "world"
    generate(
        brands=2,
        train=15,
        closed=6,
        open_=6,
        business=4,
        pool=8,
        size=64,
        seed=3,
        out=out,
        progress=Progress(quiet=True),
    )
    return out


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media"},
        },
    }


def test_a_world_is_loaded_with_its_splits_and_its_trust(world):
    report = load_world(directory=world, processes=1)
    assert {folder.source for folder in report.folders} == {
        "product_table", "detection", "variation", "pool", "closed", "open", "business",
    }  # fmt: skip
    taken = sum(folder.added for folder in report.folders)
    assert Image.objects.count() == taken
    splits = Counter(Image.objects.values_list("split", flat=True))
    assert splits["train"] >= 20
    assert min(splits[name] for name in ("pool", "closed", "open", "business")) > 0
    labelled = Counter(Label.objects.values_list("image__source", "kind"))
    closed = splits["closed"]
    assert {kind: labelled["closed", kind] for kind in ("brand", "boxes", "variation")} == {
        "brand": closed, "boxes": closed, "variation": closed,
    }  # fmt: skip
    assert labelled["variation", "variation"] == 15 // 3
    assert not {source for source, _ in labelled} & {"product_table", "pool"}
    weak = Image.objects.filter(source="product_table")
    assert set(weak.values_list("weak_answer", flat=True)) == {"brand", "none"}


def test_brands_come_with_published_guidelines_and_boxed_examples(world):
    load_world(directory=world, processes=1)
    entries = json.loads((world / "brands.json").read_text())
    assert set(Brand.objects.values_list("key", flat=True)) == {entry["key"] for entry in entries}
    for entry in entries:
        version = Brand.objects.get(key=entry["key"]).guidelines.get(state="published")
        assert version.rules == entry["guideline"]["rules"]
        features = list(version.features.all())
        assert len(features) == len(entry["guideline"]["features"])
        for feature, expected in zip(features, entry["guideline"]["features"], strict=True):
            for example, drawn in zip(feature.examples.all(), expected["examples"], strict=True):
                assert example.regions == drawn["regions"]
                assert (
                    default_storage.open(example.file).read()
                    == (world / drawn["file"]).read_bytes()
                )
    assert Merchant.objects.exclude(name="").exists()
    assert Qualification.objects.exists()


def test_loading_again_changes_nothing(world):
    def state():
        return [
            model.objects.count()
            for model in (Brand, GuidelineVersion, Image, Label, Merchant, Qualification)
        ]

    load_world(directory=world, processes=1)
    before = state()
    report = load_world(directory=world, processes=1)
    assert report.guidelines_published == 0
    assert sum(folder.added + folder.labels for folder in report.folders) == 0
    assert state() == before


def test_a_folder_that_is_no_world_is_refused_whole(tmp_path):
    with pytest.raises(InputError, match=r"no brands\.json"):
        load_world(directory=tmp_path)
    brand = {"key": "a", "name_en": "A", "name_zh": "", "aliases": [], "protected": False}
    example = {"file": "../secret.jpg", "regions": []}
    feature = {"kind": "logo", "text": "", "registered": True, "examples": [example]}
    brand["guideline"] = {"rules": "", "features": [feature]}
    (tmp_path / "brands.json").write_text(json.dumps([brand]))
    with pytest.raises(InputError, match="leads out of the folder"):
        load_world(directory=tmp_path)
    feature["kind"] = "smell"
    (tmp_path / "brands.json").write_text(json.dumps([brand]))
    with pytest.raises(InputError, match="smell"):
        load_world(directory=tmp_path)
    assert not Brand.objects.exists()


@pytest.fixture
def brand():
    return BrandFactory()


def test_publishing_retires_the_version_before(brand, admin_user):
    feature = FeatureDraft(kind="logo", text="three stripes", registered=True, examples=[])
    first = publish_guideline(
        version=draft_guideline(brand=brand, rules="one", features=[feature]), by=admin_user
    )
    second = publish_guideline(
        version=draft_guideline(brand=brand, rules="two", features=[]), by=admin_user
    )
    first.refresh_from_db()
    assert (first.number, first.state, second.number) == (1, "retired", 2)
    assert (second.state, second.published_by) == ("published", admin_user)
    assert published_guideline(brand=brand) == second


def test_only_a_draft_can_be_published_and_a_refusal_changes_nothing(brand):
    first = publish_guideline(version=draft_guideline(brand=brand, rules="", features=[]), by=None)
    second = publish_guideline(version=draft_guideline(brand=brand, rules="", features=[]), by=None)
    for version in (first, second):
        with pytest.raises(GuidelineError, match="not a draft"):
            publish_guideline(version=version, by=None)
    assert published_guideline(brand=brand) == second
