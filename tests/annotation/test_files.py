import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image as Picture

from annotation.files import absolute_url, boxed_picture, signature, signed_url
from tests.annotation.labelstudio.conftest import publish, stored_picture
from tests.factories import BrandFactory

pytestmark = pytest.mark.urls("annotation.labelstudio.urls")


def test_a_signed_picture_is_served_to_other_origins_and_cached(client):
    name = stored_picture("tests/served.png")
    response = client.get(signed_url(name=name))
    assert response.status_code == 200
    assert response["Content-Type"] == "image/png"
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "immutable" in response["Cache-Control"]
    assert b"".join(response.streaming_content).startswith(b"\x89PNG")


def test_an_address_is_stable_and_bound_to_its_file(client, settings):
    settings.PUBLIC_URL = "https://touchstone.example"
    name = stored_picture("tests/bound.png")
    assert absolute_url(name=name) == "https://touchstone.example" + signed_url(name=name)
    assert signed_url(name=name) == signed_url(name=name)
    other = stored_picture("tests/other.png")
    assert client.get(f"/files/{other}?s={signature(name=name)}").status_code == 404
    assert client.get(f"/files/{name}").status_code == 404


@pytest.mark.parametrize(
    "name", ["../secrets.json", "../../etc/passwd.png", "/etc/hostname.png", "missing.png", "tests"]
)
def test_nothing_outside_the_storage_is_served_even_when_signed(client, name):
    assert client.get(signed_url(name=name)).status_code == 404


@pytest.mark.parametrize("name", ["tests/page.html", "tests/drawing.svg", "tests/data.json"])
def test_only_pictures_are_served(client, name):
    name = default_storage.save(name, ContentFile(b"<script>alert(1)</script>"))
    assert client.get(signed_url(name=name)).status_code == 404


def test_names_with_any_characters_are_served(client):
    name = stored_picture("tests/橡果 #1?.png")
    assert client.get(signed_url(name=name)).status_code == 200


@pytest.mark.django_db
def test_an_example_is_boxed_in_red_and_drawn_once():
    example = publish(BrandFactory()).features.get().examples.get()
    name = boxed_picture(file=example.file, regions=example.regions)
    assert boxed_picture(file=example.file, regions=example.regions) == name
    folder, _, file = name.rpartition("/")
    assert default_storage.listdir(folder)[1].count(file) == 1
    with default_storage.open(name) as stored, Picture.open(stored) as picture:
        scale = picture.width / example.width
        red, green, blue = picture.getpixel((round(24 * scale), round(8 * scale) + 1))
        inside = picture.getpixel((round(24 * scale), round(24 * scale)))
    assert red > 180
    assert max(green, blue) < 110
    assert min(inside) > 240
