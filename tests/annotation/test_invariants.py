"""The database itself refuses what must never happen."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation.models import Feature, GuidelineVersion, Image, Label
from tests.factories import BrandFactory, ImageFactory, ImageGroupFactory

pytestmark = pytest.mark.django_db


def test_a_group_keeps_its_role_for_life():
    group = ImageGroupFactory(role="training")
    ImageFactory(group=group, split="train")
    with pytest.raises(IntegrityError), transaction.atomic():
        ImageFactory(group=group, split="closed")


def test_an_image_cannot_move_to_the_other_role():
    image = ImageFactory(split="open", group=ImageGroupFactory(role="test"))
    with pytest.raises(IntegrityError), transaction.atomic():
        Image.objects.filter(pk=image.pk).update(split="train")


def test_labels_are_append_only():
    label = Label.objects.create(image=ImageFactory(), kind="brand", source="import", answer="none")
    with pytest.raises(IntegrityError), transaction.atomic():
        Label.objects.filter(pk=label.pk).update(answer="other")
    with pytest.raises(IntegrityError), transaction.atomic():
        label.delete()


def test_a_label_is_superseded_once():
    image = ImageFactory()
    first = Label.objects.create(image=image, kind="brand", source="import", answer="none")
    Label.objects.create(
        image=image, kind="brand", source="audit", answer="other", supersedes=first
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Label.objects.create(
            image=image, kind="brand", source="audit", answer="none", supersedes=first
        )


def test_a_published_guideline_never_changes():
    version = GuidelineVersion.objects.create(brand=BrandFactory(), number=1, rules="the stripe")
    feature = Feature.objects.create(version=version, kind="logo", text="three stripes")
    version.state, version.published_at = "published", timezone.now()
    version.save()
    for change in (
        lambda: GuidelineVersion.objects.filter(pk=version.pk).update(rules="two stripes"),
        lambda: Feature.objects.filter(pk=feature.pk).update(text="two stripes"),
        lambda: Feature.objects.create(version=version, kind="style", text="a sole"),
        version.delete,
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_a_published_guideline_can_be_retired():
    version = GuidelineVersion.objects.create(
        brand=BrandFactory(), number=1, state="published", published_at=timezone.now()
    )
    GuidelineVersion.objects.filter(pk=version.pk).update(state="retired")
    version.refresh_from_db()
    assert version.state == "retired"
