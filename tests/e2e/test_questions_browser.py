"""Questions answered one after the other in a real browser, without touching the mouse."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from annotation.labels import Content, record_label
from annotation.models import Label, Question, ReturnedTask
from tests.demo_rows import make_people
from tests.factories import ImageFactory, TaskFactory
from tests.question_rows import make_picture, make_questions

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _light(settings, tmp_path, monkeypatch):
    """Static files as they lie in the sources, pictures in a folder of the test's own."""
    # Playwright's loop makes Django think that the database is used from asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media"},
        },
    }


@pytest.fixture
def people():
    return make_people()


@pytest.fixture
def opened(live_server, people) -> Iterator:
    """Opens an address as operations; what the console complains of fails the test."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "Chromium is missing: apt-get install chromium"
    complaints: list[str] = []

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )

        def open_page(address: str, *, role: str = "operations", **options):
            client = Client()
            client.force_login(people[role])
            options = {"locale": "en-GB", "viewport": {"width": 1366, "height": 900}} | options
            context = chromium.new_context(**options)
            name = "touchstone_session"
            context.add_cookies(
                [{"name": name, "value": client.cookies[name].value, "url": live_server.url}]
            )
            page = context.new_page()

            def hear(said) -> None:
                if said.type == "error":
                    complaints.append(said.text)

            page.on("console", hear)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(live_server.url + address)
            return page

        yield open_page
        chromium.close()
    assert not complaints


def focused(page) -> str:
    return page.evaluate("document.activeElement.name || document.activeElement.tagName")


def test_the_whole_inbox_is_answered_by_keyboard(opened, people):
    first, second, third = make_questions(people)
    page = opened(reverse("questions"))
    page.get_by_role("link", name="Answer one after the other").focus()
    page.keyboard.press("Enter")

    # A likely brand by its number, a reply, a case and gold; nothing is clicked.
    page.wait_for_url(f"**{reverse('question', args=[first.pk])}")
    key = page.locator("input[value=northwind]").get_attribute("data-key")
    page.keyboard.press(key)
    assert focused(page) == "reply"
    page.keyboard.type("Three slanted stripes are theirs. 三条斜纹即可认定")
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    assert page.is_checked("[name=as_case]")
    page.keyboard.press("Tab")
    assert focused(page) == "case_kind"
    page.keyboard.type("reco")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    assert page.is_checked("[name=as_gold]")
    page.keyboard.press("Control+Enter")

    # A brand not offered, found by typing.
    page.wait_for_url(f"**{reverse('question', args=[second.pk])}")
    page.keyboard.press("o")
    assert focused(page) == "brand"
    page.keyboard.type("流明")
    page.wait_for_selector("#brands [role=option][aria-selected=true]")
    page.keyboard.press("Enter")
    assert focused(page) == "reply"
    page.keyboard.type("Lumen, by its sole.")
    page.keyboard.press("Control+Enter")

    # None, after looking at the first again would be possible: the last of the inbox.
    page.wait_for_url(f"**{reverse('question', args=[third.pk])}")
    page.keyboard.press("0")
    page.keyboard.type("No mark at all.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**{reverse('questions')}")
    assert page.get_by_text("Nobody is waiting for an answer.").is_visible()

    answered = Question.objects.order_by("asked_at")
    assert [(row.state, row.answer, row.brand and row.brand.key) for row in answered] == [
        ("answered", "brand", "northwind"),
        ("answered", "brand", "lumen"),
        ("answered", "none", None),
    ]
    case = answered[0].case
    assert (case.kind, case.verdict) == ("recognisability", "brand")
    assert case.reason == "Three slanted stripes are theirs. 三条斜纹即可认定"
    assert first.task.image.gold.get().brand.key == "northwind"
    assert ReturnedTask.objects.filter(to=people["labeler"], state="open").count() == 3
    assert Label.objects.filter(source="audit").count() == 3


def test_keys_skip_go_back_and_write_no_verdict_into_the_reply(opened, people):
    first, second, third = make_questions(people)
    page = opened(reverse("question", args=[first.pk]))
    page.keyboard.press("n")
    page.wait_for_url(f"**{reverse('question', args=[second.pk])}")
    page.keyboard.press("p")
    page.wait_for_url(f"**{reverse('question', args=[first.pk])}")
    page.keyboard.press("p")  # round the corner
    page.wait_for_url(f"**{reverse('question', args=[third.pk])}")
    page.keyboard.press("r")
    page.keyboard.type("10 no u")
    assert page.input_value("[name=reply]") == "10 no u"
    assert not page.locator("[name=verdict]:checked").count()


def test_labels_are_chosen_by_key_and_sent_back(opened, people):
    file = make_picture()
    for number in range(4):
        image = ImageFactory(file=file, width=480, height=640)
        task = TaskFactory(image=image, state="pushed", remote_id=700 + number)
        record_label(
            image=task.image, kind="brand", content=Content(answer="none"), source="labeler",
            by=people["labeler"], task=task, remote_id=700 + number, remote_hash="a",
        )  # fmt: skip
    page = opened(reverse("labels"))
    for key in ("j", "x", "j", "j", "Shift+X", "b"):
        page.keyboard.press(key)
    assert page.locator(".chosen output").first.inner_text() == "3"
    page.keyboard.type("Look at the tongue.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=3 labels went back with your comment.")
    rows = ReturnedTask.objects.order_by("label_id")
    newest = Label.objects.order_by("-pk")[:3]
    assert [row.label_id for row in rows] == sorted(label.pk for label in newest)
    assert {row.comment for row in rows} == {"Look at the tongue."}
