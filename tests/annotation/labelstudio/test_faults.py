"""With the real Label Studio: processes killed, answers lost, servers wiped. Afterwards both sides
hold the same, once."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from annotation import tasks as errands
from annotation.labelstudio.accounts import client_of, ensure_account, owner_client
from annotation.labelstudio.client import LabelStudioError
from annotation.labelstudio.inbox import process_inbox
from annotation.labelstudio.payload import TASK_KEY
from annotation.labelstudio.poll import poll_annotations
from annotation.labelstudio.projects import projects
from annotation.labelstudio.push import CLAIM_SETTLES, push_tasks
from annotation.labelstudio.reconcile import reconcile
from annotation.models import InboxEvent, Label, LabelStudioProject, Task
from tests.annotation.labelstudio.conftest import labelers_for, run_until, tasks_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.labelstudio,
    pytest.mark.urls("annotation.labelstudio.urls"),
]


def remote_tasks():
    """Our ids of all tasks in Label Studio, and how many answers they have there."""
    return [
        (remote["data"][TASK_KEY], len(remote["annotations"]))
        for project in projects()
        for remote in owner_client().tasks(project=project.remote_id, annotations=True)
    ]


def assert_both_sides_agree(tasks):
    remote = dict(remote_tasks())
    assert len(remote) == len(remote_tasks()), "a task is there twice"
    assert set(remote) == {str(task.pk) for task in tasks}
    for task in Task.objects.filter(pk__in=[task.pk for task in tasks]):
        answers = task.labels.filter(superseded_by=None, retracted=False).count()
        assert remote[str(task.pk)] == answers
        assert task.state == ("answered" if answers else "pushed")


def push_in_a_process(moment, server):
    environment = os.environ | {
        "DATABASE_URL": _test_database_url(),
        "LABEL_STUDIO_URL": server.url,
        "LABEL_STUDIO_EMAIL": "owner@touchstone.example",
        "LABEL_STUDIO_PASSWORD": "for tests only",
    }
    command = [sys.executable, "-m", "tests.annotation.labelstudio.push_until_killed", moment]
    return subprocess.run(command, env=environment, check=False).returncode


def _test_database_url():
    address = urlsplit(os.environ["DATABASE_URL"])
    return address._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def let_claims_lapse():
    Task.objects.filter(state="pushing").update(claimed_at=timezone.now() - 2 * CLAIM_SETTLES)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_push_killed_around_its_import_neither_loses_nor_doubles_a_task(
    label_studio, world, moment
):
    tasks = tasks_of(world, 20)
    assert push_in_a_process(moment, label_studio) == -signal.SIGKILL
    assert Task.objects.filter(state="pushing").count() == 20
    assert len(remote_tasks()) == (20 if moment == "after" else 0)
    assert push_tasks() == 0, "a fresh claim is left to settle"
    let_claims_lapse()
    push_tasks()
    assert_both_sides_agree(tasks)


def test_an_answer_that_arrives_before_the_killed_push_is_settled_is_kept(
    label_studio, world, django_user_model
):
    # Not through the gateway, which hands out what we know to be there.
    tasks = tasks_of(world, 4)
    assert push_in_a_process("after", label_studio) == -signal.SIGKILL
    with client_of(account=ensure_account(user=django_user_model.objects.create())) as client:
        picked = {"value": {"choices": ["acorn"]}, "from_name": "brand", "to_name": "image"}
        for remote in client.tasks(project=LabelStudioProject.objects.get(kind="brand").remote_id):
            result = [picked | {"id": "x", "type": "choices"}]
            client.post(f"/api/tasks/{remote['id']}/annotations/", {"result": result})
    assert poll_annotations() == 4
    assert_both_sides_agree(tasks)


def test_answers_arrive_by_poll_when_every_webhook_is_lost(label_studio, world):
    for project in projects():
        owner_client().patch(f"/api/webhooks/{project.webhook_id}/", {"is_active": False})
    tasks = tasks_of(world, 8)
    push_tasks()
    run_until(labelers_for(tasks, count=2), 8)
    assert InboxEvent.objects.count() == 0
    assert poll_annotations() == 8
    assert poll_annotations() == 0
    assert_both_sides_agree(tasks)
    reconcile()
    for project in projects():
        hook = owner_client().get(f"/api/webhooks/{project.webhook_id}/")
        assert hook["is_active"], "a webhook that was switched off is switched on again"


def test_label_studio_killed_and_started_amid_the_work_loses_nothing(label_studio, world, settings):
    settings.LABEL_STUDIO_WINDOW = 10
    tasks = tasks_of(world, 30)
    errands.push_tasks()
    labelers = labelers_for(tasks, count=2)
    worker = threading.Thread(target=run_until, args=(labelers, 30, 120))
    worker.start()
    while labelers.answered < 5:
        time.sleep(0.1)
    label_studio.stop()
    for errand in (errands.push_tasks, errands.process_inbox, errands.poll_annotations):
        errand()  # as beat would, all through the outage
    errands.reconcile()
    assert LabelStudioProject.objects.exclude(last_error="").exists()
    label_studio.start()
    until = time.monotonic() + 120
    while Task.objects.filter(state="answered").count() < 30 and time.monotonic() < until:
        let_claims_lapse()
        errands.push_tasks()
        errands.process_inbox()
        errands.poll_annotations()
        time.sleep(0.5)
    worker.join()
    errands.reconcile()
    assert_both_sides_agree(tasks)
    assert Label.objects.count() >= 30
    assert not LabelStudioProject.objects.exclude(last_error="").exists()


def test_a_wiped_label_studio_is_filled_again_and_answers_are_kept(label_studio, world):
    tasks = tasks_of(world, 8)
    push_tasks()
    run_until(labelers_for(tasks, count=1), 3)
    poll_annotations()
    answered = set(Task.objects.filter(state="answered").values_list("pk", flat=True))
    assert len(answered) == 3
    label_studio.wipe()
    reconcile()
    push_tasks()
    open_tasks = [task for task in tasks if task.pk not in answered]
    assert_both_sides_agree(open_tasks)
    assert Label.objects.count() == 3
    # Its numbers begin again: new answers must not be taken for changes of the old ones.
    run_until(labelers_for(open_tasks, count=1), 5)
    poll_annotations()
    assert_both_sides_agree(open_tasks)
    assert Label.objects.filter(supersedes=None).count() == 8


def test_an_older_backup_of_label_studio_takes_no_answer_back(label_studio, world):
    tasks = tasks_of(world, 6)
    push_tasks()
    backup = label_studio.backup()
    Task.objects.update(pushed_at=timezone.now() - timedelta(hours=1))
    time.sleep(11)  # an answer given at once could not be told from one deleted at once
    run_until(labelers_for(tasks, count=1), 4)
    later = tasks_of(world, 3)
    push_tasks()
    poll_annotations()
    label_studio.restore(backup)
    poll_annotations()
    reconcile()
    push_tasks()
    assert Label.objects.filter(retracted=True).count() == 0
    assert Task.objects.filter(state="answered").count() == 4
    open_tasks = Task.objects.filter(state="pushed")
    assert open_tasks.count() == 5
    assert {str(task.pk) for task in open_tasks} == {pk for pk, _ in remote_tasks()}
    assert set(later) <= set(open_tasks)


def test_deleted_and_changed_answers_are_followed(label_studio, world):
    tasks = tasks_of(world, 3)
    push_tasks()
    run_until(labelers_for(tasks, count=1), 3)
    poll_annotations()
    owner = owner_client()
    deleted, changed, _ = sorted(Label.objects.values_list("remote_id", flat=True))
    owner.delete(f"/api/annotations/{deleted}/")
    region = {"id": "x", "from_name": "brand", "to_name": "image", "type": "choices"}
    owner.patch(
        f"/api/annotations/{changed}/",
        {"result": [region | {"value": {"choices": ["@none"]}}]},
    )
    process_inbox()
    in_force = Label.objects.filter(superseded_by=None)
    assert in_force.get(remote_id=deleted).retracted
    assert in_force.get(remote_id=changed).answer == "none"
    assert Task.objects.filter(state="pushed").count() == 1
    assert_both_sides_agree(tasks)


def test_copies_and_strangers_are_removed_and_withdrawn_tasks_too(label_studio, world):
    tasks = tasks_of(world, 4)
    push_tasks()
    project = LabelStudioProject.objects.get(kind="brand")
    data = owner_client().get(f"/api/tasks/{Task.objects.get(pk=tasks[0].pk).remote_id}/")["data"]
    strange = data | {TASK_KEY: "00000000-0000-0000-0000-000000000000"}
    owner_client().post(
        f"/api/projects/{project.remote_id}/import", [{"data": data}, {"data": strange}]
    )
    Task.objects.filter(pk=tasks[3].pk).update(state="withdrawn")
    reconcile()
    project.refresh_from_db()
    found = {name: project.drift[name] for name in ("doubled", "foreign", "needless")}
    assert found == {"doubled": 1, "foreign": 1, "needless": 1}
    assert_both_sides_agree(tasks[:3])
    reconcile()
    project.refresh_from_db()
    assert project.drift["theirs"] == project.drift["ours"] == 3


def test_a_labeler_label_studio_forgot_is_made_anew(label_studio, django_user_model):
    user = django_user_model.objects.create(username="ana")
    account = ensure_account(user=user)
    assert ensure_account(user=user).remote_id == account.remote_id
    label_studio.wipe()
    assert ensure_account(user=user).email == account.email


def test_a_server_that_is_down_is_an_error_to_retry(label_studio):
    label_studio.stop()
    with pytest.raises(LabelStudioError) as caught:
        owner_client().get("/api/version")
    assert caught.value.retry
    assert not caught.value.sent
    label_studio.start()
