"""Pages without a collected static folder, people of every role, a database of a demo's size."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tests.demo_rows import make_demo, make_people


@pytest.fixture(autouse=True)
def _light(settings):
    """Static files as they lie in the sources, for nothing has collected them; quick passwords."""
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def people(db) -> dict[str, User]:
    return make_people()


@pytest.fixture
def demo(db) -> None:
    make_demo()
    # As the database does by itself once rows are committed. What it knows of the tables may be
    # from a test before, and then it plans as for that.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


@pytest.fixture
def small_demo(db) -> None:
    make_demo(images=200, tasks=60)


@pytest.fixture
def log_in(people):
    """A client logged in as the person of a role."""

    def entered(role: str) -> Client:
        client = Client()
        client.force_login(people[role])
        return client

    return entered
