import io
import time
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image as Picture

from annotation.labelstudio import accounts
from annotation.labelstudio.projects import ensure_projects
from annotation.models import FeatureExample, GuidelineVersion
from annotation.simulate import SimulatedLabelers
from tests.annotation.labelstudio.server import EMAIL, PASSWORD, LabelStudioServer
from tests.factories import BrandFactory, ImageFactory, TaskFactory
from tests.gateway_server import GatewayServer


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = LabelStudioServer(tmp_path_factory.mktemp("label-studio"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gateway_server():
    gateway = GatewayServer()
    yield gateway
    gateway.stop()


@pytest.fixture
def label_studio(server, gateway_server, transactional_db, settings, live_server):
    """The running server with a gateway before it, emptied, known to the settings, its projects
    made."""
    cache.clear()
    settings.GATEWAY_URL = settings.GATEWAY_INTERNAL_URL = gateway_server.url
    settings.MOST_ANSWERS = 1  # here it is the way of an answer that counts, not how sure it is
    settings.LABEL_STUDIO_URL = server.url
    settings.LABEL_STUDIO_EMAIL, settings.LABEL_STUDIO_PASSWORD = EMAIL, PASSWORD
    settings.LABEL_STUDIO_TOKEN = ""
    settings.PUBLIC_URL = settings.WEBHOOK_BASE_URL = live_server.url
    owner = accounts.owner_client()
    for project in owner.get("/api/projects/", page_size=100)["results"]:
        owner.delete(f"/api/projects/{project['id']}/")
    ensure_projects()
    return server


def stored_picture(name, size=(96, 96), color="white"):
    out = io.BytesIO()
    Picture.new("RGB", size, color).save(out, "PNG")
    return default_storage.save(name, ContentFile(out.getvalue()))


BOX = {"x1": 8, "y1": 8, "x2": 40, "y2": 40}


def publish(brand, rules="Look for the **leaf**.", regions=(BOX,)):
    """A published guideline with one red-boxed example."""
    version = GuidelineVersion.objects.create(brand=brand, number=1, rules=rules)
    feature = version.features.create(kind="logo", text="the mark", registered=True)
    FeatureExample.objects.create(
        feature=feature,
        file=stored_picture(f"tests/{brand.key}.png"),
        width=96,
        height=96,
        regions=list(regions),
    )
    GuidelineVersion.objects.filter(pk=version.pk).update(
        state="published", published_at=version.brand.created_at
    )
    version.refresh_from_db()
    return version


@pytest.fixture
def world(db):
    """Three brands, the first with a guideline."""
    brands = [
        BrandFactory(key=key, name_en=name, name_zh=zh, aliases=aliases)
        for key, name, zh, aliases in (
            ("acorn", "Acorn", "橡果", ["Akorn"]),
            ("birch", "Birch", "", []),
            ("cedar", "Cedar", "", []),
        )
    ]
    return SimpleNamespace(brands=brands, guideline=publish(brands[0]))


def tasks_of(world, count, kind="brand", **kwargs):
    """Tasks whose truth is the brands in turn."""
    keys = [brand.key for brand in world.brands]
    return [
        TaskFactory(
            kind=kind,
            image=ImageFactory(),
            focus_brand=world.brands[number % 3],
            proposal={"candidates": keys, "brand": keys[number % 3], "answer": "brand"},
            priority=count - number,
            **kwargs,
        )
        for number in range(count)
    ]


def truth_of(tasks):
    return {
        task.image.sha256: {
            "answer": "brand",
            "brand": task.focus_brand.key,
            "boxes": [{"x1": 10, "y1": 20, "x2": 50, "y2": 60, "brand": task.focus_brand.key}],
            "variation": "stack",
        }
        for task in tasks
    }


def labelers_for(tasks, *, count, accuracy=1.0):
    return SimulatedLabelers(truth=truth_of(tasks), count=count, accuracy=accuracy, seed=7)


def run_until(labelers, goal, seconds=60):
    """Answer until `goal` answers are given, or time is up."""
    until = time.monotonic() + seconds
    labelers.run(until=lambda: labelers.answered >= goal or time.monotonic() > until)
    return labelers.answered
