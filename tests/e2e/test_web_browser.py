"""A person's way through the running platform in a real browser: log in, see what a round chose,
answer it in Label Studio by keyboard, and watch the answer arrive."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from tests.labelling_page import pick, submit, wait_for_task
from tests.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.labelstudio, pytest.mark.browser]


@pytest.fixture(scope="module")
def chosen(platform: Platform) -> dict:
    """A round with one task that Label Studio already holds."""
    made = platform.manage(
        "shell", "--verbosity=0", "-c", "from tests.e2e.browser_rows import make; make()"
    )
    assert made.returncode == 0, made.stdout + made.stderr
    chosen = json.loads(made.stdout.splitlines()[-1])
    until = time.monotonic() + 60
    while _state(platform, chosen["task"]) != "pushed":
        assert time.monotonic() < until, "the task never reached Label Studio"
        time.sleep(0.5)
    return chosen


def _state(platform: Platform, task: str) -> str:
    connected = closing(psycopg2.connect(platform.services["DATABASE_URL"]))
    with connected as connection, connection.cursor() as cursor:
        cursor.execute("SELECT state FROM annotation_task WHERE id = %s", [task])
        return cursor.fetchone()[0]


def _is_answered(platform: Platform, task: str) -> bool:
    """Whether an answer has arrived; a second opinion may be wanted still."""
    connected = closing(psycopg2.connect(platform.services["DATABASE_URL"]))
    with connected as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM annotation_label WHERE task_id = %s", [task])
        return cursor.fetchone()[0] == 1


@pytest.fixture
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert chromium, "Chromium is missing: apt-get install chromium"
    quiet = ["quic", "background-networking", "component-update", "sync"]
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium, args=[*arguments, *(f"--disable-{name}" for name in quiet)]
        )
        yield opened
        opened.close()


def test_a_round_is_seen_answered_by_keyboard_and_the_answer_arrives(platform, chosen, browser):
    complaints: list[str] = []
    ours = browser.new_context(locale="en-GB", viewport={"width": 1366, "height": 768}).new_page()
    ours.on("console", lambda said: complaints.extend([said.text] * (said.type == "error")))
    ours.goto(f"{platform.web_url}/rounds/")
    ours.fill("[name=username]", "ml_engineer")
    ours.fill("[name=password]", "ml_engineer")
    ours.keyboard.press("Enter")
    ours.click(f"text=Round {chosen['round']}")
    card = ours.locator("#chosen .card")
    assert "hard negatives → Browser Test" in card.inner_text()
    assert "no answer yet" in card.inner_text()
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")

    ours.goto(f"{platform.web_url}/labels/?by=labeler&brand=browser-test")
    assert ours.locator("#labels .card").count() == 0
    _answer_in_label_studio(platform, chosen, browser)
    # Nobody reloads: the page asks by itself.
    ours.wait_for_selector("#labels .card .answer:has-text('Browser Test')", timeout=90_000)
    assert _is_answered(platform, chosen["task"])
    assert not complaints


def _answer_in_label_studio(platform: Platform, chosen: dict, browser) -> None:
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.goto(f"{platform.gateway_url}/projects/{chosen['project']}/data?labeling=1")
    page.fill("[name=username]", "labeler")
    page.fill("[name=password]", "labeler")
    page.keyboard.press("Enter")
    wait_for_task(page)
    pick(page, chosen["key"])
    submit(page)
    until = time.monotonic() + 60
    while not _is_answered(platform, chosen["task"]):
        assert time.monotonic() < until, "the answer never arrived"
        page.wait_for_timeout(500)
    context.close()
