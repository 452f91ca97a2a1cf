"""A labeler in a real browser: logs in once, on our page; labels two tasks through the gateway; and
reaches nothing else of Label Studio's. It leaves its labeler a task open, which a later test of the
same labeler would be shown first."""

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

CLOSED = [
    "/api/projects", "/api/users/1", "/api/organizations", "/api/webhooks", "/api/token",
    "/api/invite", "/api/projects/{project}/export?exportType=JSON", "/admin/", "/user/account",
    "/projects/{project}/settings", "/api/projects/{project}/tasks", "/api/tasks/{foreign}",
    "/api/tasks/{foreign}/annotations", "/api/dm/tasks", "/metrics/", "/docs/api/",
    "/data/upload/1/x.csv", "/api/predictions",
]  # fmt: skip


@pytest.fixture(scope="module")
def rows(platform: Platform) -> dict:
    """Three tasks that Label Studio holds."""
    made = platform.manage(
        "shell", "--verbosity=0", "-c", "from tests.e2e.gateway_rows import make; make()"
    )
    assert made.returncode == 0, made.stdout + made.stderr
    rows = json.loads(made.stdout.splitlines()[-1])
    wait_for(lambda: set(column(platform, "state", rows)) == {"pushed"}, seconds=90)
    return rows


def column(platform: Platform, name: str, rows: dict) -> list:
    connected = closing(psycopg2.connect(platform.services["DATABASE_URL"]))
    with connected as connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {name} FROM annotation_task WHERE id::text = ANY(%s) ORDER BY priority DESC",  # noqa: S608
            [rows["tasks"]],
        )
        return [value for (value,) in cursor.fetchall()]


def labels(platform: Platform, rows: dict) -> int:
    """How many answers to these tasks have arrived. Whether a task waits for a second opinion then
    depends on who else is at work on this platform."""
    connected = closing(psycopg2.connect(platform.services["DATABASE_URL"]))
    with connected as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM annotation_label WHERE task_id::text = ANY(%s)", [rows["tasks"]]
        )
        return cursor.fetchone()[0]


def wait_for(check, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.5)


@pytest.fixture
def page(platform: Platform) -> Iterator:
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert chromium, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
        browser.close()


def test_a_labeler_logs_in_once_labels_two_tasks_and_reaches_nothing_else(platform, rows, page):
    refused: list[str] = []
    page.on("console", lambda said: refused.extend([said.text] * ("Content Security" in said.text)))
    stream = f"{platform.gateway_url}/projects/{rows['project']}/data?labeling=1"
    page.goto(stream)
    assert page.url.startswith(f"{platform.web_url}/login/")
    page.fill("[name=username]", "labeler")
    page.fill("[name=password]", "labeler")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{platform.gateway_url}/**")
    wait_for_task(page)
    for key, answered in (("0", 1), ("u", 2)):
        pick(page, key)
        submit(page)
        wait_for(lambda n=answered: labels(platform, rows) == n, seconds=90)
    # What the browser itself can see and do with its own session.
    names = {cookie["name"] for cookie in page.context.cookies()}
    assert not names & {"sessionid", "csrftoken"}
    remote_ids = column(platform, "remote_id", rows)
    for template in CLOSED:
        path = template.format(project=rows["project"], foreign=max(remote_ids) + 1000)
        assert fetched(page, "GET", path) in (403, 404, 405), path
        assert fetched(page, "DELETE", path) in (403, 404, 405), path
    assert fetched(page, "POST", "/api/dm/actions?id=delete_tasks&project=1") == 404
    assert fetched(page, "DELETE", f"/api/tasks/{remote_ids[0]}") == 405
    assert fetched(page, "DELETE", f"/api/projects/{rows['project']}") == 405
    assert fetched(page, "PATCH", f"/api/projects/{rows['project']}") == 405
    assert not refused


def fetched(page, method: str, path: str) -> int:
    ask = "([method, path]) => fetch(path, {method}).then(answer => answer.status)"
    return page.evaluate(ask, [method, path])


def test_the_log_out_of_our_page_ends_the_gateway_too(platform, rows, page):
    page.goto(f"{platform.web_url}/login/")
    page.fill("[name=username]", "labeler")
    page.fill("[name=password]", "labeler")
    page.keyboard.press("Enter")
    page.wait_for_selector("header.top")
    page.goto(f"{platform.gateway_url}/projects/{rows['project']}/data?labeling=1")
    assert page.url.startswith(platform.gateway_url)
    page.goto(f"{platform.web_url}/me/")
    page.click("form[action='/logout/'] button")
    page.wait_for_url("**/login/**")
    page.goto(f"{platform.gateway_url}/projects/{rows['project']}/data?labeling=1")
    assert page.url.startswith(f"{platform.web_url}/login/")
