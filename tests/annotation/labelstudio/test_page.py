"""The labelling pages in a real browser, as labelers reach them: logged in with us, through the
gateway, by keyboard alone, task after task."""

import os
import shutil

import pytest
from django.conf import settings
from django.test import Client

from annotation.labelstudio.poll import poll_annotations
from annotation.labelstudio.push import push_tasks
from annotation.models import LabelStudioProject, Task
from tests.annotation.labelstudio.conftest import stored_picture, tasks_of
from tests.demo_rows import make_people
from tests.factories import BrandFactory
from tests.labelling_page import pick, submit, wait_for_task

pytestmark = [
    pytest.mark.slow,
    pytest.mark.labelstudio,
    pytest.mark.browser,
    pytest.mark.urls("annotation.labelstudio.urls"),
]


@pytest.fixture
def page(label_studio, settings, monkeypatch):
    """A browser page of a labeler who is logged in with us."""
    from playwright.sync_api import sync_playwright

    # Playwright's loop makes Django think that the database is used from asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    client = Client()
    client.force_login(make_people()["labeler"])
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert chromium, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": settings.GATEWAY_URL}]
        )
        yield context.new_page()
        browser.close()


def open_stream(page, kind):
    project = LabelStudioProject.objects.get(kind=kind)
    page.goto(f"{settings.GATEWAY_URL}/projects/{project.remote_id}/data?labeling=1")
    wait_for_task(page)


def shoot(page, name):
    if folder := os.environ.get("TOUCHSTONE_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


def with_pictures(tasks):
    for task in tasks:
        task.image.file = stored_picture(f"tests/{task.image.sha256}.png", (480, 640), "tan")
        task.image.save(update_fields=["file"])
    return tasks


def test_task_after_task_is_answered_by_a_few_keys_each(page, world):
    tasks = with_pictures(tasks_of(world, 5, blind=True))
    BrandFactory(key="dogwood", name_en="Dogwood", name_zh="山茱萸", aliases=["Dog Wood"])
    push_tasks()
    open_stream(page, "brand")
    shoot(page, "brand")
    picture = page.locator("section.brand img").first
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")

    key = page.locator(".lsf-choice", has_text="Birch").inner_text()[-2]
    pick(page, key)
    submit(page)
    pick(page, "0")
    submit(page)
    # Another brand: a few letters of any of its names, Enter, done.
    page.keyboard.press("o")
    page.wait_for_function("() => document.activeElement.name === 'other_brand'")
    page.keyboard.type("茱萸")
    page.wait_for_selector(".touchstone-brands li:has-text('Dogwood')")
    shoot(page, "another-brand")
    page.keyboard.press("Enter")
    submit(page)
    pick(page, "u")
    page.keyboard.press("q")
    page.keyboard.type("Is the stripe enough? 算吗？")
    page.keyboard.press("Escape")
    submit(page)
    page.keyboard.press("q")
    page.keyboard.type("o0")  # keys of the choices, here only letters
    page.keyboard.press("Escape")
    pick(page, "0")
    submit(page)

    assert poll_annotations() == 5
    labels = [task.labels.get() for task in tasks]
    said = [(label.answer, label.brand.key if label.brand else "") for label in labels]
    named = [("brand", "birch"), ("none", ""), ("brand", "dogwood"), ("unsure", ""), ("none", "")]
    assert said == named
    assert [label.question for label in labels[3:]] == ["Is the stripe enough? 算吗？", "o0"]


def test_a_returned_task_opens_with_what_was_said_of_it(page, world, django_user_model):
    labeler = django_user_model.objects.get(username="labeler")
    (back, _other) = with_pictures(tasks_of(world, 2, blind=True))
    Task.objects.filter(pk=back.pk).update(
        only_for=labeler, note="Look at the **sole** again.", priority=-1
    )
    push_tasks()
    page.goto(f"{settings.GATEWAY_URL}/tasks/{back.pk}/")
    page.wait_for_selector(".note blockquote strong", timeout=120_000)
    page.wait_for_load_state("networkidle")
    shoot(page, "returned")
    pick(page, "0")
    submit(page)
    assert poll_annotations() == 1
    assert back.labels.get().answer == "none"


def test_proposed_boxes_are_confirmed_by_one_key(page, world):
    (task,) = with_pictures(tasks_of(world, 1, kind="boxes"))
    Task.objects.filter(pk=task.pk).update(
        proposal={"boxes": [{"x1": 10, "y1": 10, "x2": 60, "y2": 60, "brand": "acorn"}]}
    )
    push_tasks()
    open_stream(page, "boxes")
    shoot(page, "boxes")
    submit(page)
    assert poll_annotations() == 1
    label = task.labels.get()
    (box,) = label.boxes
    assert abs(box["x2"] - 60) < 1
    assert label.proposal_shown


def test_an_arrangement_is_answered_by_two_keys(page, world):
    (task,) = with_pictures(tasks_of(world, 1, kind="variation", blind=True))
    push_tasks()
    open_stream(page, "variation")
    shoot(page, "variation")
    pick(page, "2")
    submit(page)
    assert poll_annotations() == 1
    assert task.labels.get().variation == "stack"
