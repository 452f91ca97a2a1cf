"""Small factories: what a test does not care about gets a value that fits."""

import hashlib

import factory

from annotation.models import Brand, Image, ImageGroup, Task


class BrandFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Brand

    key = factory.Sequence(lambda n: f"brand-{n}")
    name_en = factory.Sequence(lambda n: f"Brand {n}")


class ImageGroupFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ImageGroup

    role = "training"


class ImageFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Image

    sha256 = factory.Sequence(lambda n: hashlib.sha256(str(n).encode()).hexdigest())
    file = factory.LazyAttribute(lambda image: f"images/{image.sha256[:2]}/{image.sha256}.jpg")
    width = 96
    height = 96
    phash = b"\0" * 32
    split = "pool"
    source = "test"
    group = factory.SubFactory(
        ImageGroupFactory,
        role=factory.LazyAttribute(
            lambda group: (
                "training" if group.factory_parent.split in ("pool", "train", "val") else "test"
            )
        ),
    )


class TaskFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Task

    image = factory.SubFactory(ImageFactory)
    kind = "brand"
    strategy = "random_control"
