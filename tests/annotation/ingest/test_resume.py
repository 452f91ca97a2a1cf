"""The command as a process: interrupted by a kill, started again, and with bad arguments."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from annotation.models import Image, ImageGroup, IngestBatch
from tests.annotation.ingest.conftest import picture


def start_ingest(folder: Path, home: Path, *arguments: str) -> subprocess.Popen:
    address = urlsplit(os.environ["DATABASE_URL"])
    url = address._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return subprocess.Popen(
        [sys.executable, "manage.py", "ingest", str(folder), "--source=shop", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": url, "TOUCHSTONE_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_killed_run_started_again_ends_as_an_undisturbed_one(folder, tmp_path):
    number = 1500
    for i in range(number):
        picture(i).save(folder / f"{i}.jpg")
    running = start_ingest(folder, tmp_path)
    until = time.monotonic() + 120
    while not Image.objects.exists():
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)
    workers = children(running.pid)
    running.send_signal(signal.SIGKILL)
    running.wait()
    after_kill = Image.objects.count()
    assert 0 < after_kill < number
    assert IngestBatch.objects.get().state == "running"
    until = time.monotonic() + 10
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < until, "workers outlive their killed parent"
        time.sleep(0.1)

    report_path = tmp_path / "report.json"
    again = start_ingest(folder, tmp_path, f"--json={report_path}")
    _, errors = again.communicate(timeout=240)
    assert again.returncode == 0, errors
    report = json.loads(report_path.read_text())
    assert (report["added"], report["known"]) == (number - after_kill, after_kill)
    assert Image.objects.count() == ImageGroup.objects.count() == number
    assert IngestBatch.objects.get().state == "done"
    for image in Image.objects.all()[:: number // 50]:
        assert default_storage.size(image.file) > 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_agree_on_the_groups(tmp_path):
    number = 300
    folders = [tmp_path / name for name in ("png", "jpg")]
    for folder in folders:
        folder.mkdir()
        for i in range(number):
            picture(i).save(folder / f"{i}.{folder.name}")
    runs = [start_ingest(folder, tmp_path) for folder in folders]
    for run in runs:
        _, errors = run.communicate(timeout=240)
        assert run.returncode == 0, errors
    assert Image.objects.count() == 2 * number
    assert ImageGroup.objects.count() == number


@pytest.mark.django_db
def test_the_command_reports_what_it_set_aside(folder, capsys, tmp_path):
    picture(1).save(folder / "good.jpg")
    (folder / "bad.jpg").write_bytes(b"bad")
    path = tmp_path / "report.json"
    call_command("ingest", folder, source="test", processes=1, json=path, verbosity=0)
    assert "bad.jpg: not an image" in capsys.readouterr().out
    report = json.loads(path.read_text())
    assert report["files_set_aside"] == [{"file": "bad.jpg", "reason": "not an image"}]
    assert (report["rows"], report["added"]) == (2, 1)


@pytest.mark.django_db
def test_bad_input_ends_the_command_with_one_line_and_code_2(tmp_path):
    with pytest.raises(CommandError, match="no such folder") as caught:
        call_command("ingest", tmp_path / "nowhere", source="test", verbosity=0)
    assert caught.value.returncode == 2
