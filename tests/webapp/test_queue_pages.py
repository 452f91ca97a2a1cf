"""The page of all jobs, and the graph of the loop."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from active_learning import jobs
from active_learning.models import (
    EmbeddingRun,
    Explanation,
    Forecast,
    Round,
    Scan,
    Source,
    SourceRun,
    TrainingRun,
    Worth,
)
from active_learning.selectors import job_queue
from annotation.models import EmbeddingSpace
from tests.active_learning.factories import (
    DatasetExportFactory,
    EvaluationFactory,
    ModelVersionFactory,
    ReleaseFactory,
    ScanFactory,
    TrainingRunFactory,
)
from tests.factories import ImageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def one_of_each(people):
    """A queued job of every kind, the training of a person's."""
    release = ReleaseFactory()
    space = EmbeddingSpace.objects.create(model="m")
    common = {"output": "/nowhere"}
    return [
        TrainingRunFactory(requested_by=people["ml_engineer"]),
        ScanFactory(),
        EvaluationFactory(),
        EmbeddingRun.objects.create(space=space, images=8, **common),
        DatasetExportFactory(),
        Explanation.objects.create(
            version=ModelVersionFactory(), image=ImageFactory(), label="acme", **common
        ),
        Forecast.objects.create(release=release, config={}, **common),
        Worth.objects.create(round=Round.objects.create(number=4, seed=4, state="done"), **common),
        SourceRun.objects.create(
            source=Source.objects.create(name="shops", kind="keywords", connector="folder"),
            trigger="schedule", **common,
        ),
    ]  # fmt: skip


def rows(client, query: str = "") -> list[str]:
    page = client.get(reverse("queue") + query).content.decode()
    return re.findall(r'<tr>\s*<td class="tight"><a href="([^"]+)">', page)


def test_every_kind_of_job_is_listed_with_its_queue_and_a_page(log_in, one_of_each):
    assert {type(job) for job in one_of_each} == set(jobs.MODELS)
    client = log_in("admin")
    addresses = rows(client)
    assert len(addresses) == len(one_of_each)
    for address in addresses:
        assert client.get(address).status_code == 200, address
    assert len(rows(client, "?queue=train")) == 1
    assert len(rows(client, "?queue=default")) == 1, "the heat map"
    assert len(rows(client, "?job=worth")) == 1


def test_every_queue_of_a_job_has_a_name_on_pages():
    used = {jobs.queue_of(task) for task in (*jobs.TASKS.values(), jobs.PICTURE_TASK)}
    assert used == set(job_queue.QUEUE_NAMES)


def test_a_job_says_who_asked_where_it_runs_and_when_it_was_last_heard_of(log_in, one_of_each):
    jobs.claim(TrainingRun, one_of_each[0].pk, devices=["cuda:0"])
    TrainingRun.objects.update(machine="gpu-box", progress=0.3, stage="epoch 3", attempts=2)
    page = log_in("ml_engineer").get(reverse("queue")).content.decode()
    for words in ("ml_engineer", "gpu-box", "cuda:0", "epoch 3", "the platform itself", "running"):
        assert words in page, words
    assert page.rindex("gpu-box") < page.rindex("scan of the pool"), "what runs comes first"
    assert len(rows(log_in("ml_engineer"), "?machine=gpu-box")) == 1


@pytest.mark.usefixtures("one_of_each")
def test_however_many_jobs_there_are_the_page_asks_as_few_questions(log_in):
    client = log_in("ml_engineer")
    client.get(reverse("queue"))

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(reverse("queue")).status_code == 200
        return len(asked)

    before = queries()
    ScanFactory.create_batch(120)
    assert queries() == before <= 8
    assert len(rows(client)) == 50
    assert len(rows(client, "?page=3")) > 0


def test_a_job_is_cancelled_and_run_again_from_the_page(log_in, one_of_each):
    client, scan = log_in("ml_engineer"), one_of_each[1]
    answer = client.post(reverse("job-cancel", args=["scan", scan.pk]), {"next": "/queue/?page=2"})
    assert answer.url == "/queue/?page=2"
    scan.refresh_from_db()
    assert scan.state == "cancelled"
    page = client.get(reverse("queue") + "?state=cancelled").content.decode()
    assert reverse("job-resume", args=["scan", scan.pk]) in page
    answer = client.post(
        reverse("job-resume", args=["scan", scan.pk]), {"next": "https://elsewhere.example/"}
    )
    assert answer.url == reverse("queue"), "and nowhere else"
    scan.refresh_from_db()
    assert scan.state == "queued"
    twice = client.post(reverse("job-resume", args=["scan", scan.pk]), follow=True)
    assert "cannot become queued" in twice.content.decode()
    assert client.post(reverse("job-cancel", args=["nonsense", 1])).status_code == 404


def test_the_limits_that_jobs_run_under_are_shown(log_in, settings):
    settings.CHILD_MEMORY_GB, settings.TRAIN_DEVICES = 6.5, ["cuda:0", "cuda:1"]
    page = log_in("ml_engineer").get(reverse("queue")).content.decode()
    assert "at most 6.5 GB a process" in page
    assert "cuda:0, cuda:1" in page


def test_the_list_renews_itself(log_in, one_of_each):
    client = log_in("ml_engineer")
    headers = {"HX-Request": "true", "HX-Target": "queue"}
    part = client.get(reverse("queue"), headers=headers).content.decode()
    assert "<html" not in part and "hx-get=" in part


def test_totals_are_by_queue_machine_and_state(one_of_each):
    jobs.claim(Scan, one_of_each[1].pk)
    Scan.objects.update(machine="box")
    found = {(t.queue, t.machine, t.state): t.jobs for t in job_queue.totals()}
    assert found["scan", "box", "running"] == 1
    assert found["train", "", "queued"] == 1
    assert sum(found.values()) == len(one_of_each)


@pytest.mark.usefixtures("small_demo")
def test_the_graph_of_a_round_is_drawn_and_listed_with_a_link_for_each_node(log_in):
    page = log_in("ml_engineer").get(reverse("round-graph", args=[1])).content.decode()
    drawing, listed = page.split("</svg>")
    assert drawing.count("<rect") == listed.count("<li class=") == 18
    assert drawing.count('<a href="', drawing.index("<svg")) == 18, (
        "each is reached by the keyboard"
    )
    for words in ("training: classifier", "calibration, thresholds", "release 2", "promotion"):
        assert words in listed, words
    assert "NaN" not in drawing and "None" not in drawing


def test_a_failed_node_has_its_error_and_a_button(log_in):
    run = TrainingRunFactory(
        state="failed", trigger="labels", error="disk full", started_at=timezone.now()
    )
    client = log_in("ml_engineer")
    page = client.get(reverse("run-graph", args=[run.pk])).content.decode()
    assert "disk full" in page
    action = reverse("job-resume", args=["trainingrun", run.pk])
    assert f'action="{action}"' in page
    back = client.post(action, {"next": reverse("run-graph", args=[run.pk])}, follow=True)
    assert "It is queued again." in back.content.decode()
    assert action not in back.content.decode()
