"""Every page in a real browser, in both languages: by axe-core's rules (WCAG 2 A and AA, contrast
among them), without a sideways scroll on a phone, without a word in the console, and with every
control in reach of the Tab key."""

import os
import shutil
from typing import NamedTuple

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.test import Client

from tests.demo_rows import make_demo, make_people
from tests.webapp.test_roles import POSTED, address, routes
from webapp.middleware import OPEN_VIEWS

pytestmark = [pytest.mark.slow, pytest.mark.browser]

AXE = configured.BASE_DIR / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1366, "height": 900}
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
# Not pages of ours: what the schema's viewer draws, and files to download.
NOT_PAGES = ("api/", "files/", "labelstudio/", "admin/", "language/", "static/")
FAULTS = """async rules => (await axe.run(document, rules)).violations.map(
    fault => `${fault.id}: ${fault.nodes.map(node => node.target).slice(0, 3).join(" | ")}`)"""


class Visitor(NamedTuple):
    name: str
    language: str
    screen: dict
    scheme: str


@pytest.fixture
def site(live_server, transactional_db, settings, monkeypatch):
    """A platform's pages on the rows of a small demo, served to a browser."""
    # Playwright's loop makes Django think that the database is used from asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    settings.PUBLIC_URL = live_server.url
    make_people()
    make_demo(images=200, tasks=60)
    return live_server.url


@pytest.fixture
def browser():
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert chromium, "Chromium is missing: apt-get install chromium"
    assert AXE.exists(), "axe-core is missing: make setup"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )


def pages_for(username: str) -> list[str]:
    """Addresses that show this person a page."""
    client = Client()
    client.force_login(User.objects.get(username=username))
    places = {"/login/"}
    for name, route, _pattern in routes():
        if name in OPEN_VIEWS or name in POSTED or route.startswith(NOT_PAGES) or name == "logout":
            continue
        answer = client.get(address(route))
        # What htmx puts into a page is checked there.
        if answer.status_code == 200 and b"<html" in answer.content[:1000]:
            places.add(address(route))
    return sorted(places)


def page_of(browser, site: str, visitor: Visitor):
    context = browser.new_context(viewport=visitor.screen, color_scheme=visitor.scheme)
    client = Client()
    client.force_login(User.objects.get(username=visitor.name))
    cookies = {
        configured.SESSION_COOKIE_NAME: client.cookies[configured.SESSION_COOKIE_NAME].value,
        configured.LANGUAGE_COOKIE_NAME: visitor.language,
    }
    context.add_cookies(
        [{"name": name, "value": value, "url": site} for name, value in cookies.items()]
    )
    return context.new_page()


def faults_of(page, place: str) -> list[str]:
    complaints: list[str] = []

    def hear(said) -> None:
        if said.type == "error":
            complaints.append(said.text)

    page.on("console", hear)
    page.goto(place, wait_until="load")
    page.remove_listener("console", hear)
    page.evaluate(AXE.read_text())  # the policy lets no script tag in, and the page needs none
    found = page.evaluate(FAULTS, RULES)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wide > 0:
        found.append(f"{wide} pixels wider than the screen")
    # The small demo has rows without pictures.
    return found + [text for text in complaints if "404" not in text]


@pytest.mark.parametrize(
    "visitor",
    [
        Visitor("admin", "en", DESK, "dark"),
        Visitor("admin", "zh-hans", PHONE, "light"),
        Visitor("labeler", "zh-hans", DESK, "light"),
        Visitor("labeler", "en", PHONE, "dark"),
    ],
    ids=lambda visitor: f"{visitor.name}-{visitor.language}-{visitor.scheme}",
)
def test_every_page_can_be_read_and_used_by_everybody(site, browser, visitor):
    page = page_of(browser, site, visitor)
    places = pages_for(visitor.name)
    assert len(places) > 5
    faults = {place: found for place in places if (found := faults_of(page, site + place))}
    assert not faults, "\n".join(f"{place}: {'; '.join(said)}" for place, said in faults.items())
