"""`make screenshots`: the pictures of the guides, from pages served on a generated world. Services
and rows are the script's own, and gone when it ends.

    .venv/bin/python -m docs.make_screenshots [--only NAME …] [--world DIR]
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "images"
LANGUAGES = {"en": "", "zh-hans": ".zh"}
WIDTH = 1200
LARGEST = 150_000  # bytes of one picture
WORLD = ("--brands=4", "--train=0", "--closed=0", "--open=0", "--business=0", "--pool=420",
         "--size=320", "--seed=11")  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """A page as a person of a role sees it; `then` is done on it first."""

    name: str
    role: str
    address: str
    height: int = 780
    then: Callable[[Any], None] = lambda page: None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME", nargs="+", default=(), help="these pictures")
    parser.add_argument("--world", type=Path, metavar="DIR", help="drawn before; none: a new one")
    arguments = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is missing: apt-get install chromium, or name it in CHROMIUM")
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)  # never rows of ours in somebody's database
    from tests.services import Services, free_port

    services = Services()
    try:
        services.start()
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "PUBLIC_URL": f"http://127.0.0.1:{free_port()}",
            # Playwright's loop makes Django think that it is used from asynchronous code.
            "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
        }
        _shoot_all(chromium, arguments.only, arguments.world)
    finally:
        services.stop()


def _shoot_all(chromium: str, only: Collection[str], world: Path | None) -> None:
    import django
    from django.test.utils import override_settings

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    with override_settings(STORAGES=settings.STORAGES | {"staticfiles": plain}):
        call_command("migrate", verbosity=0)
        people = _rows(world)
        server = _serve()
        try:
            _browse(chromium, people, only)
        finally:
            server.terminate()


def _rows(world: Path | None) -> dict[str, Any]:
    from tests.guide_rows import fill

    if world is not None:
        return fill(world)
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        command = [sys.executable, "-m", "ml", "synth", *WORLD, f"--out={world}"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return fill(world)


def _serve() -> Any:
    from urllib.parse import urlsplit

    from django.conf import settings
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.test.testcases import LiveServerThread

    port = urlsplit(settings.PUBLIC_URL).port or 0
    server = LiveServerThread("127.0.0.1", StaticFilesHandler, port=port)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    return server


def _browse(chromium: str, people: dict[str, Any], only: Collection[str]) -> None:
    from playwright.sync_api import sync_playwright

    shots = [shot for shot in _shots(people) if not only or shot.name in only]
    unknown = set(only) - {shot.name for shot in shots} - {"labelling"}
    if unknown:
        sys.exit(f"no picture is called {min(unknown)}")
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for language, ending in LANGUAGES.items():
            for shot in shots:
                page = _page(browser, people.get(shot.role), language, shot)
                _save(page.screenshot(), OUT / f"{shot.name}{ending}.webp")
                page.context.close()
        if not only or "labelling" in only:
            _shoot_labelling(browser, people["labeler"])
        browser.close()


def _shoot_labelling(browser: Any, labeler: Any) -> None:
    """Label Studio's own page; it knows English only."""
    from django.conf import settings

    from tests.guide_labelling import labelling_page

    with labelling_page(user=labeler, home=settings.HOME) as address:
        shot = Shot("labelling", "labeler", address, 860, _wait_for_picture)
        page = _page(browser, labeler, "en", shot)
        _save(page.screenshot(), OUT / "labelling.webp")
        page.context.close()


def _wait_for_picture(page: Any) -> None:
    page.wait_for_selector(".lsf-editor img, .lsf-main-view img", timeout=90_000)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)  # the page draws its task


def _page(browser: Any, person: Any, language: str, shot: Shot) -> Any:
    from django.conf import settings
    from django.test import Client

    cookies = {settings.LANGUAGE_COOKIE_NAME: language}
    if person is not None:
        client = Client()
        client.force_login(person)
        name = settings.SESSION_COOKIE_NAME
        cookies[name] = client.cookies[name].value
    context = browser.new_context(
        viewport={"width": WIDTH, "height": shot.height}, color_scheme="light"
    )
    context.add_cookies(
        [{"name": k, "value": v, "url": settings.PUBLIC_URL} for k, v in cookies.items()]
    )
    page = context.new_page()
    address = shot.address if "://" in shot.address else settings.PUBLIC_URL + shot.address
    answer = page.goto(address, wait_until="networkidle")
    if answer.status != 200:
        raise RuntimeError(f"{shot.address} answers {answer.status}")
    shot.then(page)
    page.wait_for_load_state("networkidle")
    return page


def _save(png: bytes, path: Path) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").save(path, "WEBP", quality=78, method=6)
    size = path.stat().st_size
    if size > LARGEST:
        raise RuntimeError(f"{path}: {size} bytes, more than {LARGEST}")
    print(f"{path.relative_to(ROOT)}  {size // 1000} kB", flush=True)


def _shots(people: dict[str, Any]) -> list[Shot]:
    from django.contrib.auth.models import User

    from annotation import invitations
    from annotation.models import BrandGroup, ImageCopy, Question
    from tests.guide_rows import version_of

    _, token = invitations.invite(name="Zhou Ting", role="labeler", by=people["operations"])
    test = f"/tests/{BrandGroup.objects.get().pk}/"
    question = Question.objects.filter(state="open").order_by("pk")[0]
    product = ImageCopy.objects.order_by("pk")[0].image.product_id
    weakest = User.objects.get(username="sun-jia").pk
    first, second = (version_of(brand_number=n, state="draft") for n in (0, 1))
    return [
        Shot("welcome", "", f"/welcome/{token}/", 420),
        Shot("my-work", "labeler", "/me/", 900),
        Shot("test", "labeler", test, 620, _start_test),
        Shot("test-explained", "labeler", test, 620, _answer_test),
        Shot("guideline-editor", "operations", f"/guidelines/{second}/edit/", 900),
        Shot("guideline-diff", "operations", f"/guidelines/{first}/diff/", 820),
        Shot("guideline-publish", "operations", f"/guidelines/{first}/publish/", 820),
        Shot("cases", "operations", "/cases/", 780),
        Shot("question", "operations", f"/questions/{question.pk}/", 860),
        Shot("review", "operations", "/review/", 860),
        Shot("copies", "operations", f"/products/{product}/", 860, _to_copies),
        Shot("missed", "operations", "/missed/enter/", 640),
        Shot("annotators", "operations", "/annotators/", 420),
        Shot("annotator", "operations", f"/annotators/{weakest}/", 900),
        Shot("labels", "operations", "/labels/?kind=brand", 780, _choose_labels),
        Shot("people", "operations", "/people/", 640),
        Shot("audit", "operations", "/audit/", 640),
        *_engineers_shots(),
    ]


def _engineers_shots() -> list[Shot]:
    from active_learning.models import Forecast, TrainingRun

    preview = Forecast.objects.filter(round__isnull=False)[0].pk
    failed = TrainingRun.objects.get(state="failed").pk
    return [
        Shot("preview-dials", "ml_engineer", "/rounds/previews/", 820, _open_dials),
        Shot("preview", "ml_engineer", f"/rounds/previews/{preview}/", 860),
        Shot("round", "ml_engineer", "/rounds/1/", 860),
        Shot("graph", "ml_engineer", "/rounds/1/graph/", 860),
        Shot("graph-failed", "ml_engineer", f"/training/{failed}/graph/", 620),
        Shot("training", "ml_engineer", "/training/", 780),
        Shot("queue", "ml_engineer", "/queue/", 420),
        Shot("release", "ml_engineer", "/releases/3/", 820),
        Shot("monitoring", "ml_engineer", "/monitoring/", 780),
        Shot("dataset", "ml_engineer", _newest_dataset(), 780),
    ]


def _newest_dataset() -> str:
    from active_learning.models import DatasetVersion

    return f"/datasets/{DatasetVersion.objects.latest('pk').sha256}/"


def _open_dials(page: Any) -> None:
    dials = page.locator("main details.panel").first
    if dials.get_attribute("open") is None:
        dials.locator("summary").click()


def _start_test(page: Any) -> None:
    # The second language finds the test begun.
    if page.locator("form[action$='start/'] button").count():
        page.locator("form[action$='start/'] button").click()
    page.wait_for_selector("#test")


def _answer_test(page: Any) -> None:
    _start_test(page)
    page.keyboard.press("1")
    page.wait_for_selector("#next")


def _to_copies(page: Any) -> None:
    page.locator("#copies").scroll_into_view_if_needed()


def _choose_labels(page: Any) -> None:
    boxes = page.locator(".choose input")
    for number in (4, 5):
        boxes.nth(number).check()


if __name__ == "__main__":
    main()
