"""Sources: what may be set, what is taken in, and what becomes of a run that is killed."""

import io
import os
import signal
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from active_learning import gathering, jobs, source_checks, sources, supervision
from active_learning.models import Source, SourceRun
from active_learning.sources import Settings, SourceError
from annotation.labels import Content, record_label
from annotation.models import AuditEntry, Image, IngestBatch, Task
from annotation.models.label import Label
from ml.errors import Cancelled, InputError
from ml.progress import Progress
from tests.annotation.ingest.conftest import own_storage, picture, write_table  # noqa: F401
from tests.factories import BrandFactory, ImageFactory
from tests.web_server import Page, serve

pytestmark = pytest.mark.django_db
QUIET = Progress(quiet=True)


@pytest.fixture(autouse=True)
def root(settings, tmp_path):
    """The folder that sources may read."""
    settings.DATA_DIR = tmp_path / "data"
    settings.SOURCE_FOLDERS = [str(tmp_path / "in")]
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def mia(db):
    return User.objects.create_user("mia")


@pytest.fixture
def acme(db):
    return BrandFactory(key="acme", name_en="Acme")


def add(name: str = "shop", by: User | None = None, **fields) -> Source:
    given = {"kind": "product_table", "connector": "folder", "place": {"path": "."}} | fields
    return sources.create_source(name=name, settings=Settings(**given), by=by)


def gather(run: SourceRun, should_stop=lambda: False) -> dict[str, int]:
    run = SourceRun.objects.select_related("source__brand", "batch").get(pk=run.pk)
    gathering.gather(run=run, progress=QUIET, should_stop=should_stop, processes=1)
    return gathering.counts(run)


def jpeg(seed: int) -> bytes:
    out = io.BytesIO()
    picture(seed).save(out, "JPEG")
    return out.getvalue()


def test_a_source_is_set_and_changed_and_the_log_says_by_whom(mia, acme):
    source = add(by=mia, kind="keywords", brand=acme, weak_answer="brand")
    never = replace(Settings.of(source), trust="never")
    sources.change_source(source=source, settings=never, by=mia)
    sources.change_source(source=source, settings=Settings.of(source), by=mia)  # no change
    made, changed = AuditEntry.objects.filter(subject_type="source").order_by("pk")
    assert (made.action, made.by, made.after["brand"]) == ("create_source", mia, "acme")
    assert (changed.action, changed.before, changed.after) == (
        "change_source", {"trust": "measured"}, {"trust": "never"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"kind": "rumour"}, "offered: kind"), ({"trust": "blindly"}, "offered: trust"),
        ({"split": "closed"}, "pool or to training"), ({"weak_answer": "brand"}, "Name the brand"),
        ({"schedule": "daily"}, "crontab"), ({"schedule": "61 * * * *"}, "crontab"),
        ({"place": {"path": "/etc"}}, "may read"), ({"connector": "ftp"}, "connectors"),
        ({"name": "new"}, "another name"), ({"name": "a b"}, "letters"),
        ({"name": "a" * 41}, "longer than 40"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_refused(fields, why):
    with pytest.raises(SourceError, match=why):
        add(**fields)
    assert not Source.objects.exists()


def test_a_name_is_taken_once():
    add()
    with pytest.raises(SourceError, match="already"):
        add()


def test_a_folder_goes_through_ingest_and_its_counts_are_kept(root, acme, mia):
    for i in range(3):
        picture(i).save(root / f"{i}.jpg")
    picture(0).save(root / "copy.png")  # another file of the same look
    (root / "again.jpg").write_bytes((root / "1.jpg").read_bytes())
    (root / "bad.jpg").write_bytes(b"bad")
    source = add(brand=acme, weak_answer="brand", split="train")
    run = sources.request_run(source=source, by=mia)
    assert gather(run) == {"seen": 6, "taken": 4, "known": 1, "refused": 1}
    images = Image.objects.filter(source="shop")
    assert {(image.split, image.weak_answer, image.weak_brand) for image in images} == {
        ("train", "brand", acme)
    }
    assert images.values("group").distinct().count() == 3
    run.refresh_from_db()
    assert [(row.path, row.reason) for row in run.batch.set_aside.all()] == [
        ("bad.jpg", "not an image")
    ]
    # What a later run finds is known by then.
    SourceRun.objects.update(state="succeeded")
    again = sources.request_run(source=source, by=mia)
    assert gather(again) == {"seen": 6, "taken": 0, "known": 5, "refused": 1}


def test_a_test_image_never_becomes_training_material(root):
    picture(1).save(root / "1.jpg")
    call_command("ingest", root, source="closed", split="closed", processes=1, verbosity=0)
    picture(2).save(root / "2.jpg")
    counts = gather(sources.request_run(source=add()))
    assert (counts["taken"], counts["refused"]) == (1, 1)


def test_the_default_weak_label_gives_way_to_what_a_row_says(root, acme):
    BrandFactory(key="globex", name_en="Globex")
    for i in range(3):
        picture(i).save(root / f"{i}.jpg")
    lines = [{"file": "0.jpg", "brand": "Globex"}, {"file": "1.jpg"},
             {"file": "2.jpg", "answer": "none"}]  # fmt: skip
    write_table(root / "table.csv", lines)
    source = add(connector="csv", place={"path": "table.csv"}, brand=acme, weak_answer="brand")
    gather(sources.request_run(source=source))
    said = Image.objects.values_list("product__external_id", "weak_answer", "weak_brand__key")
    assert set(said) == {
        ("0.jpg", "brand", "globex"), ("1.jpg", "brand", "acme"), ("2.jpg", "none", None),
    }  # fmt: skip
    assert not Label.objects.exists()


def test_a_weak_label_never_becomes_a_label_of_a_boxed_folder(root):
    (root / "images").mkdir()
    (root / "classes.txt").write_text("acme\n")
    picture(1).save(root / "images" / "1.jpg")  # of which nobody boxed anything
    gather(sources.request_run(source=add(weak_answer="none")))
    assert Image.objects.get().weak_answer == ""
    assert not Label.objects.exists()


def test_one_bad_picture_of_a_web_list_loses_nothing_else(settings):
    settings.SOURCE_HTTP_PRIVATE = True
    with serve() as web:
        web.pages = {
            "/list": Page(b"1.jpg\n2.jpg\nmissing.jpg\npage.jpg\n"),
            "/1.jpg": Page(jpeg(1), headers={"Content-Type": "text/html"}),  # the content decides
            "/2.jpg": Page(jpeg(2)),
            "/page.jpg": Page(b"<html>", headers={"Content-Type": "image/jpeg"}),
        }
        source = add(connector="http", place={"url": web.url("/list")})
        run = sources.request_run(source=source)
        assert gather(run) == {"seen": 4, "taken": 2, "known": 0, "refused": 2}
    run.refresh_from_db()
    reasons = {row.path.rpartition("/")[2]: row.reason for row in run.batch.set_aside.all()}
    assert reasons == {"missing.jpg": "answered 404", "page.jpg": "not an image"}
    assert not (Path(run.output) / gathering.SPOOL).exists()


def test_a_run_that_was_stopped_goes_on_without_fetching_or_counting_again(settings, monkeypatch):
    settings.SOURCE_HTTP_PRIVATE = True
    monkeypatch.setattr(gathering, "BATCH", 2)
    monkeypatch.setattr(gathering, "FETCHERS", 1)
    number = 24
    with serve() as web:
        web.pages = {f"/{i}.jpg": Page(jpeg(i)) for i in range(number)}
        web.pages["/0.jpg"] = Page(b"bad")
        web.pages["/list"] = Page("\n".join(f"{i}.jpg" for i in range(number)).encode())
        run = sources.request_run(source=add(connector="http", place={"url": web.url("/list")}))
        with pytest.raises(Cancelled):
            gather(run, should_stop=lambda: Image.objects.count() >= 4)
        first = gathering.counts(SourceRun.objects.get(pk=run.pk))
        assert 4 <= first["taken"] < number - 1
        assert first["refused"] == 1
        journal = Path(run.output) / gathering.JOURNAL
        with journal.open("a") as out:
            out.write('"half a na')  # where a kill may end it
        web.requests.clear()
        counts = gather(run)
        fetched = [path for path, _ in web.requests if path != "/list"]
    assert counts == {"seen": number, "taken": number - 1, "known": 0, "refused": 1}
    assert len(fetched) == len(set(fetched)) == number - first["seen"]
    assert IngestBatch.objects.get().state == "done"


def test_a_source_that_holds_nothing_or_is_gone_is_bad_input(root):
    run = sources.request_run(source=add())
    with pytest.raises(InputError, match="holds no pictures"):
        gather(run)
    root.rmdir()
    with pytest.raises(CommandError, match="no such folder") as caught:
        call_command("gather", run=run.pk)
    assert caught.value.returncode == 2


def test_a_source_is_taken_in_once_at_a_time_and_not_while_switched_off(mia):
    source = add()
    sources.request_run(source=source, by=mia)
    with pytest.raises(SourceError, match="already"):
        sources.request_run(source=source, by=mia)
    off = add("off", enabled=False)
    with pytest.raises(SourceError, match="switched off"):
        sources.request_run(source=off, by=mia)
    assert AuditEntry.objects.filter(action="run_source").count() == 1


def test_what_is_due_is_started_once():
    add("once")
    add("off", enabled=False)
    hourly = add("hourly", schedule="0 * * * *")
    yearly = add("yearly", schedule="0 0 1 1 *")
    Source.objects.filter(pk=hourly.pk).update(created_at=timezone.now() - timedelta(hours=2))
    Source.objects.filter(pk=yearly.pk).update(created_at=timezone.now())
    assert {run.source.name for run in sources.start_due()} == {"once", "hourly"}
    assert sources.start_due() == []  # both are active
    SourceRun.objects.update(state="succeeded")
    assert sources.start_due() == []  # not again before the hour is full
    SourceRun.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert [run.source.name for run in sources.start_due()] == ["hourly"]
    assert {run.trigger for run in SourceRun.objects.all()} == {"schedule"}


def test_a_run_is_cancelled_and_goes_on_later(mia):
    run = sources.request_run(source=add(by=mia), by=mia)
    sources.cancel_run(run=run, by=mia)
    assert run.state == "cancelled"
    sources.resume_run(run=run, by=mia)
    assert list(jobs.waiting_jobs()) == [run]
    noted = AuditEntry.objects.filter(subject_type="source").order_by("pk")
    assert list(noted.values_list("action", flat=True)) == [
        "create_source", "run_source", "cancel_source_run", "run_source",
    ]  # fmt: skip


def test_people_are_asked_blind_about_some_of_a_source(mia, acme):
    brands = [acme, *(BrandFactory() for _ in range(12))]
    made = [
        ImageFactory(source="shop", weak_answer="brand", weak_brand=acme, split="train")
        for _ in range(4)
    ]
    ImageFactory(source="shop", group=made[0].group, weak_answer="none")  # its near-duplicate
    ImageFactory(source="shop")  # of which nothing is said
    ImageFactory(source="other", weak_answer="none")
    judged = made[3]
    said = Content(answer="none")
    record_label(image=judged, kind="brand", content=said, source="labeler", by=mia)
    assert source_checks.check_at_random(source="shop", count=10, by=mia) == 3
    tasks = list(Task.objects.filter(strategy="source_check"))
    assert {task.blind for task in tasks} == {True}
    assert {task.image.group_id for task in tasks} == {image.group_id for image in made[:3]}
    for task in tasks:
        assert set(task.proposal) == {"candidates"}
        assert len(task.proposal["candidates"]) == 9
        assert set(task.proposal["candidates"]) <= {brand.key for brand in brands}
    with pytest.raises(SourceError, match="judged, or being asked"):
        source_checks.check_at_random(source="shop", count=10, by=mia)
    with pytest.raises(SourceError, match="Between 1"):
        source_checks.check_at_random(source="shop", count=0, by=mia)


@pytest.fixture
def child(settings, monkeypatch, tmp_path):
    """The child of a run on this test's database and files."""
    address = urlsplit(os.environ["DATABASE_URL"])
    url = address._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("TOUCHSTONE_HOME", str(tmp_path))
    monkeypatch.setenv("SOURCE_FOLDERS", str(tmp_path / "in"))
    monkeypatch.setattr(supervision, "POLL_SECONDS", 0.05)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("child")
def test_a_run_is_supervised_to_its_end_with_its_progress(root):
    for i in range(5):
        picture(i).save(root / f"{i}.jpg")
    run = sources.request_run(source=add())
    assert sources.run(run_id=run.pk) == "succeeded"
    run.refresh_from_db()
    assert run.metrics == {"seen": 5, "taken": 5, "known": 0, "refused": 0}
    assert run.progress == 1.0
    source = add("gone", place={"path": "gone"})
    failed = sources.request_run(source=source)
    assert sources.run(run_id=failed.pk) == "failed"
    failed.refresh_from_db()
    assert failed.error.endswith("gone: no such folder")
    assert failed.error.startswith(str(root))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("child")
def test_a_child_that_is_killed_is_followed_by_one_that_doubles_nothing(root):
    number = 400
    for i in range(number):
        picture(i).save(root / f"{i}.jpg")
    run = sources.request_run(source=add())
    killed = []

    def kill() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            found = SourceRun.objects.values_list("child_pid", "metrics").get(pk=run.pk)
            if found[0] and found[1].get("taken", 0) > 0:
                killed.append(os.kill(found[0], signal.SIGKILL))
                break
            time.sleep(0.02)
        connection.close()

    thread = threading.Thread(target=kill)
    thread.start()
    state = sources.run(run_id=run.pk)
    thread.join()
    assert killed and state == "queued"
    assert 0 < Image.objects.count() < number
    assert sources.run(run_id=run.pk) == "succeeded"
    run.refresh_from_db()
    assert (run.metrics["seen"], run.metrics["taken"]) == (number, number)
    assert Image.objects.count() == number
