"""A labeler's hands on Label Studio's page in a real browser."""

import time
from typing import Any

IMAGE = ".lsf-editor img, .lsf-main-view img"
PICKED = ".lsf-choice input:checked"


def wait_for_task(page: Any) -> None:
    """Until the page shows a task's picture and asks for nothing more."""
    page.wait_for_selector(IMAGE, timeout=120_000)
    page.wait_for_load_state("networkidle")


def pick(page: Any, key: str, *, seconds: float = 30) -> None:
    """Press a choice's key, again where the page was not ready for it, as a person does who sees
    nothing happen."""
    from playwright.sync_api import TimeoutError as NothingYet

    until = time.monotonic() + seconds
    while True:
        page.keyboard.press(key)
        try:
            page.wait_for_selector(PICKED, state="attached", timeout=2000)
        except NothingYet:
            assert time.monotonic() < until, f"the key {key} picks nothing"
        else:
            return


def submit(page: Any) -> None:
    """Ctrl+Enter, and the task after it: keys pressed before it is drawn would be lost."""
    with page.expect_response(lambda answer: "id=next_task" in answer.url, timeout=60_000):
        page.keyboard.press("Control+Enter")
    page.wait_for_load_state("networkidle")
    page.wait_for_function(f"() => !document.querySelector('{PICKED}')")
    page.wait_for_timeout(700)
