"""The sync on the running platform: its own workers and Label Studio are killed while labelers
answer."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import psycopg2
import pytest

from tests.platform import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.labelstudio]

TASKS = 40

# Run inside the platform's own settings: tasks on pictures of its own, then labelers for them.
CREATE = """
import hashlib
from annotation.models import Brand, Image, ImageGroup, Task
brand, _ = Brand.objects.get_or_create(key="sync-test", defaults={"name_en": "Sync test"})
for number in range(%d):
    group = ImageGroup.objects.create(role="training")
    image = Image.objects.create(
        sha256=hashlib.sha256(f"sync {number}".encode()).hexdigest(), file="none.jpg", width=9,
        height=9, phash=bytes(32), split="pool", group=group, source="sync-test",
    )
    Task.objects.create(image=image, kind="brand", strategy="sync-test", focus_brand=brand)
"""
ANSWER = """
import time
from annotation.models import Task
from annotation.simulate import SimulatedLabelers
rows = Task.objects.filter(strategy="sync-test").values_list("image__sha256", flat=True)
truth = {sha256: {"answer": "brand", "brand": "sync-test"} for sha256 in rows}
waiting = Task.objects.filter(strategy="sync-test").exclude(state="answered")
end = time.monotonic() + 240
SimulatedLabelers(truth=truth, count=3, accuracy=1, seed=1).run(
    until=lambda: time.monotonic() > end or not waiting.exists()
)
"""


def query(platform, sql):
    connected = closing(psycopg2.connect(platform.services["DATABASE_URL"]))
    with connected as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


ANSWERED = """
SELECT count(*) FROM annotation_task WHERE strategy = 'sync-test' AND state = 'answered'
"""
WRITTEN = """
SELECT count(*), count(DISTINCT l.remote_id), count(DISTINCT (l.task_id, l.by_id))
FROM annotation_label l JOIN annotation_task t ON t.id = l.task_id
WHERE t.strategy = 'sync-test'
"""
DRIFT = "SELECT drift FROM annotation_labelstudioproject WHERE kind = 'brand'"
RECONCILE = "from annotation.tasks import reconcile; reconcile()"


def wait_for(check, *, seconds):
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.5)


def kill(platform, name):
    pid = platform.processes[name]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: platform.processes[name]["pid"] != pid, seconds=60)


def test_killed_workers_and_a_killed_label_studio_lose_and_double_nothing(platform):
    platform.manage("shell", "-c", CREATE % TASKS, check=True)
    labelers = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "-c", ANSWER], cwd=ROOT, env=platform.environment()
    )

    def answered():
        return query(platform, ANSWERED)[0][0]

    try:
        wait_for(lambda: answered() >= 5, seconds=90)
        kill(platform, "worker")
        wait_for(lambda: answered() >= 20, seconds=90)
        kill(platform, "label-studio")
        kill(platform, "worker")
        wait_for(lambda: answered() == TASKS, seconds=240)
        assert labelers.wait(60) == 0
    finally:
        labelers.kill()
    (labels,) = query(platform, WRITTEN)
    assert labels[0] >= TASKS
    assert len(set(labels)) == 1, "an answer is written down twice"
    platform.manage("shell", "-c", RECONCILE, check=True)
    ((drift,),) = query(platform, DRIFT)
    assert drift["ours"] == drift["theirs"] >= TASKS
    assert not any(drift[name] for name in ("lost", "landed", "unequal", "doubled", "foreign"))
