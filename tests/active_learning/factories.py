"""Rows of the loop that a test does not care about in detail."""

import hashlib

import factory

from active_learning.models import (
    DatasetExport,
    DatasetVersion,
    Evaluation,
    ModelVersion,
    Release,
    Scan,
    TrainingRun,
)

COUNTS = {
    "train": {
        "brand": {"acme": 9, "globex": 7},
        "background": 12,
        "boxed": {"acme": 5},
        "variation": {"none": 9, "collage": 4, "stack": 4},
    }
}


class DatasetVersionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = DatasetVersion

    sha256 = factory.Sequence(lambda n: hashlib.sha256(f"dataset {n}".encode()).hexdigest())
    path = factory.LazyAttribute(lambda dataset: f"/nowhere/{dataset.sha256}.parquet")
    rows = 28
    counts = COUNTS


class ModelVersionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ModelVersion

    kind = "classifier"
    number = factory.Sequence(lambda n: n + 1001)
    dataset = factory.SubFactory(DatasetVersionFactory)
    artifact = factory.LazyAttribute(lambda version: f"/nowhere/{version.kind}-{version.number}")


class ReleaseFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Release

    number = factory.Sequence(lambda n: n + 1001)  # clear of those numbered by the code
    classifier = factory.SubFactory(ModelVersionFactory)
    brands = ["acme", "globex"]
    gate = {"classifier": {"passed": True, "reasons": []}}


class TrainingRunFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = TrainingRun

    kind = "classifier"
    dataset = factory.SubFactory(DatasetVersionFactory)
    trigger = "person"
    output = factory.Sequence(lambda n: f"/nowhere/runs/{n}")


class ScanFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Scan

    release = factory.SubFactory(ReleaseFactory)
    manifest_sha256 = "0" * 64
    manifest = "/nowhere/manifest.parquet"
    rows = 10
    output = factory.Sequence(lambda n: f"/nowhere/scans/{n}")


class EvaluationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Evaluation

    release = factory.SubFactory(ReleaseFactory)
    manifest_sha256 = "0" * 64
    manifest = "/nowhere/manifest.parquet"
    output = factory.Sequence(lambda n: f"/nowhere/evaluations/{n}")


class DatasetExportFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = DatasetExport

    dataset = factory.SubFactory(DatasetVersionFactory)
    format = "coco"
    output = factory.Sequence(lambda n: f"/nowhere/exports/{n}")
