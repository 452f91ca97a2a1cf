"""The guideline editor in a real browser: regions by mouse, touch and key, saved to the pixel."""

import io
import os
import shutil
from collections.abc import Iterator

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from PIL import Image as Picture

from annotation.guidelines import ExampleDraft, FeatureDraft, draft_guideline
from annotation.models import AuditEntry, FeatureExample, GuidelineVersion
from tests.demo_rows import make_people
from tests.factories import BrandFactory, ImageFactory

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDTH, HEIGHT = 400, 300


@pytest.fixture(autouse=True)
def _light(settings, tmp_path):
    """Static files as they lie in the sources, pictures in a folder of the test's own."""
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media"},
        },
    }


@pytest.fixture(scope="module")
def chromium(django_db_setup) -> Iterator:
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "Chromium is missing: apt-get install chromium"
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright runs a loop in this thread
        opened = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        yield opened
        opened.close()


def png(width: int = WIDTH, height: int = HEIGHT, colour: str = "tan") -> bytes:
    out = io.BytesIO()
    Picture.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def people():
    return make_people()


@pytest.fixture
def draft(people) -> GuidelineVersion:
    file = default_storage.save("guidelines/aa/example.png", ContentFile(png()))
    example = ExampleDraft(file, WIDTH, HEIGHT, [])
    feature = FeatureDraft("logo", "three stripes 三条纹", True, [example])
    return draft_guideline(
        brand=BrandFactory(name_en="Peak", name_zh="巅峰"),
        rules="Look at the **tongue**.",
        features=[feature],
        by=people["operations"],
    )


@pytest.fixture
def opened(chromium, live_server, people):
    """Opens an address as the person of a role; what the console complains of fails the test."""
    contexts, complaints = [], []

    def open_page(
        address: str, *, role: str = "operations", expected: tuple[str, ...] = (), **options
    ):
        client = Client()
        client.force_login(people[role])
        options = {"locale": "en-GB", "viewport": {"width": 1366, "height": 900}} | options
        context = chromium.new_context(**options)
        contexts.append(context)
        name = "touchstone_session"
        cookie = {"name": name, "value": client.cookies[name].value, "url": live_server.url}
        context.add_cookies([cookie])
        page = context.new_page()

        def hear(said) -> None:
            if said.type == "error" and not any(words in said.text for words in expected):
                complaints.append(said.text)

        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(live_server.url + address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def edit_address(draft: GuidelineVersion) -> str:
    return reverse("guideline-edit", args=[draft.pk])


def ready(page) -> dict:
    """The canvas once it can be drawn on, scrolled into view: `{x, y, scale}`."""
    page.wait_for_selector(".example[data-ready]")
    layer = page.locator(".a9s-annotationlayer").first
    layer.scroll_into_view_if_needed()
    box = layer.bounding_box()
    return {"x": box["x"], "y": box["y"], "scale": box["width"] / WIDTH}


def drag(page, canvas: dict, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse, between two points in pixels of the picture."""
    (x1, y1), (x2, y2) = (
        (canvas["x"] + x * canvas["scale"], canvas["y"] + y * canvas["scale"])
        for x, y in (start, end)
    )
    page.mouse.move(x1, y1)
    page.mouse.down()
    page.mouse.move((x1 + x2) / 2, (y1 + y2) / 2, steps=4)
    page.mouse.move(x2, y2, steps=4)
    page.mouse.up()


def click(page, canvas: dict, x: float, y: float) -> None:
    page.mouse.click(canvas["x"] + x * canvas["scale"], canvas["y"] + y * canvas["scale"])


def save(page) -> None:
    page.click("[data-part=save]")
    page.wait_for_selector("[data-part=status][data-state=textSaved]")


def stored() -> list[dict]:
    return FeatureExample.objects.get().regions


def shown(page) -> list[str]:
    return page.locator("[data-part=region]").all_inner_texts()


def near(region: dict, *corners: float, within: float = 2) -> bool:
    wanted = dict(zip(("x1", "y1", "x2", "y2"), corners, strict=True))
    return all(abs(region[corner] - wanted[corner]) <= within for corner in wanted)


def test_regions_drawn_moved_resized_and_undone_are_the_same_after_a_reload(draft, opened):
    page = opened(edit_address(draft))
    canvas = ready(page)
    drag(page, canvas, (40, 30), (140, 90))
    # The next is drawn at once, with the first still chosen.
    drag(page, canvas, (200, 150), (300, 250))
    save(page)
    first, second = stored()
    assert near(first, 40, 30, 140, 90)
    assert near(second, 200, 150, 300, 250)

    canvas = ready(page)
    click(page, canvas, 90, 60)
    drag(page, canvas, (90, 60), (120, 100))  # moved
    save(page)
    assert near(stored()[0], 70, 70, 170, 130)
    canvas = ready(page)
    drag(page, canvas, (170, 130), (190, 170))  # resized by its corner
    save(page)
    assert near(stored()[0], 70, 70, 190, 170)
    assert stored()[1] == second
    assert all(isinstance(corner, int) for region in stored() for corner in region.values())

    page.click("[data-part=undo]")
    save(page)
    assert near(stored()[0], 70, 70, 170, 130)
    page.click("[data-part=redo]")
    save(page)
    assert near(stored()[0], 70, 70, 190, 170)

    before, listed = stored(), shown(page)
    page.reload()
    ready(page)
    assert shown(page) == listed
    save(page)
    assert stored() == before
    # What is drawn is what is stored, pixel for pixel.
    drawn = page.locator(".a9s-annotation rect.a9s-inner").evaluate_all(
        "all => all.map(r => ['x', 'y', 'width', 'height'].map(n => Number(r.getAttribute(n))))"
    )
    assert drawn == [[r["x1"], r["y1"], r["x2"] - r["x1"], r["y2"] - r["y1"]] for r in before]


def test_a_region_ends_at_the_pictures_edge(draft, opened):
    page = opened(edit_address(draft))
    canvas = ready(page)
    drag(page, canvas, (300, 200), (WIDTH + 60, HEIGHT + 40))
    save(page)
    [region] = stored()
    assert near(region, 300, 200, WIDTH, HEIGHT)
    assert (region["x2"], region["y2"]) == (WIDTH, HEIGHT)


def test_regions_by_keyboard_alone(draft, opened):
    page = opened(edit_address(draft))
    ready(page)
    page.locator("[data-part=add-region]").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.part") == "region"
    for key in ("ArrowRight", "ArrowRight", "Control+ArrowUp", "Shift+ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    page.keyboard.press("Control+s")
    page.wait_for_selector("[data-part=status][data-state=textSaved]")
    assert stored() == [{"x1": 152, "y1": 103, "x2": 253, "y2": 177}]
    for _ in range(30):
        page.keyboard.press("Control+ArrowLeft")
    save(page)
    assert stored() == [{"x1": 0, "y1": 103, "x2": 101, "y2": 177}]  # not over the edge
    page.locator("[data-part=region]").focus()
    page.keyboard.press("Delete")
    assert shown(page) == []
    assert page.evaluate("document.activeElement.dataset.part") == "add-region"
    page.keyboard.press("Control+z")
    assert len(shown(page)) == 1


def test_regions_by_touch(draft, opened):
    page = opened(edit_address(draft), viewport={"width": 390, "height": 844}, has_touch=True)
    canvas = ready(page)
    wire = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [
            {"x": canvas["x"] + x * canvas["scale"], "y": canvas["y"] + y * canvas["scale"]}
            for x, y in points
        ]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    def finger(*points: tuple[float, float]) -> None:
        touch("touchStart", points[0])
        for point in points[1:]:
            touch("touchMove", point)
        touch("touchEnd")
        page.wait_for_timeout(100)

    finger((50, 50), (100, 80), (150, 110))
    save(page)
    assert near(stored()[0], 50, 50, 150, 110, within=3)
    canvas = ready(page)
    finger((100, 80), (130, 100), (160, 120))  # the one just drawn is still chosen
    save(page)
    assert near(stored()[0], 110, 90, 210, 150, within=4)
    canvas = ready(page)
    finger((210, 150), (230, 170), (250, 190))  # by its corner
    save(page)
    assert near(stored()[0], 110, 90, 250, 190, within=6)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_points_and_pictures_are_added_ordered_and_taken_back(draft, opened, tmp_path):
    image = ImageFactory(width=64, height=48)
    default_storage.save(image.file, ContentFile(png(64, 48, "navy")))
    page = opened(edit_address(draft))
    ready(page)
    page.click("[data-part=add-feature]")
    second = page.locator(".feature").nth(1)
    second.locator("[data-part=kind]").select_option("pattern")
    second.locator("[data-part=text]").fill("checks <script>alert(1)</script>")
    upload = tmp_path / "<img src=x onerror=alert(1)>.png"
    upload.write_bytes(png(80, 60, "red"))
    second.locator("[data-part=file]").set_input_files(upload)
    second.locator(".example[data-ready]").wait_for()
    second.locator("[data-part=hash]").fill(image.sha256[:12])
    second.locator("[data-part=pick]").click()
    second.locator(".example[data-ready]").nth(1).wait_for()
    second.locator("[data-part=up]").click()
    save(page)
    features = list(draft.features.prefetch_related("examples"))
    assert [feature.kind for feature in features] == ["pattern", "logo"]
    assert features[0].text == "checks <script>alert(1)</script>"
    assert [(e.width, e.height) for e in features[0].examples.all()] == [(80, 60), (64, 48)]
    page.locator(".labeler", has_text="<script>").wait_for()
    assert page.locator(".labeler script").count() == 0

    page.locator(".feature").first.locator("[data-part=remove]").first.click()
    assert page.locator(".feature").count() == 1
    page.click("[data-part=undo]")
    assert page.locator(".feature").count() == 2
    save(page)
    assert FeatureExample.objects.count() == 3


def test_a_refused_picture_says_why_and_everything_else_stays(draft, opened, tmp_path):
    page = opened(edit_address(draft), expected=("400",))
    ready(page)
    page.fill("[data-part=rules]", "half a sentence")
    svg = tmp_path / "mark.svg"
    svg.write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    page.locator("[data-part=file]").set_input_files(svg)
    page.wait_for_selector("[data-part=fault]:not([hidden])")
    assert "mark.svg: not an image" in page.locator("[data-part=fault]").inner_text()
    assert page.input_value("[data-part=rules]") == "half a sentence"
    save(page)
    draft.refresh_from_db()
    assert draft.rules == "half a sentence"


def test_it_saves_itself_and_the_preview_follows(draft, opened):
    page = opened(edit_address(draft))
    ready(page)
    page.fill("[data-part=rules]", "- shown to **labelers**\n- 中文")
    page.wait_for_selector(".labeler li strong:has-text('labelers')", timeout=10_000)
    draft.refresh_from_db()
    assert draft.rules == "- shown to **labelers**\n- 中文"
    assert page.locator("[data-part=status]").inner_text() == "Saved"
    assert page.locator(".labeler img").first.evaluate("i => i.decode().then(() => i.naturalWidth)")


def test_two_editors_see_their_conflict_and_lose_nothing(draft, opened):
    first = opened(edit_address(draft), expected=("409",))
    second = opened(edit_address(draft), role="admin", expected=("409",))
    ready(first)
    ready(second)
    first.fill("[data-part=rules]", "the first one's rules")
    save(first)
    second.fill("[data-part=rules]", "the second one's rules")
    second.wait_for_selector("[data-part=conflict]:not([hidden])", timeout=10_000)
    assert "operations saved this draft meanwhile" in second.inner_text("[data-part=conflict]")
    assert second.input_value("[data-part=rules]") == "the second one's rules"
    draft.refresh_from_db()
    assert draft.rules == "the first one's rules"
    second.fill("[data-part=change_note]", "still typing")
    second.wait_for_timeout(2500)
    draft.refresh_from_db()
    assert draft.rules == "the first one's rules"  # nothing is saved until its writer has chosen
    second.click("[data-do=mine]")
    second.wait_for_selector("[data-part=status][data-state=textSaved]")
    draft.refresh_from_db()
    assert (draft.rules, draft.change_note) == ("the second one's rules", "still typing")
    kept = AuditEntry.objects.filter(action="edit").values_list("before__rules", flat=True)
    assert "the first one's rules" in kept

    from playwright.sync_api import expect

    first.fill("[data-part=rules]", "too late")
    first.wait_for_selector("[data-part=conflict]:not([hidden])", timeout=10_000)
    first.click("[data-do=theirs]")
    expect(first.locator("[data-part=rules]")).to_have_value("the second one's rules")
