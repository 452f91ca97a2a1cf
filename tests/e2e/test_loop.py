"""One small whole round on the real platform, with workers killed while it runs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.faults import CONFIG, draw_world, query
from tests.platform import ROOT, Platform

pytestmark = [pytest.mark.slow, pytest.mark.labelstudio]


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    return draw_world(tmp_path_factory.mktemp("world") / "world")


@pytest.fixture(scope="session")
def looped(platform: Platform, world: Path, tmp_path_factory) -> dict:
    """The account of a cold start and one round, during which workers were killed."""
    loaded = platform.manage("load_world", str(world))
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    account = tmp_path_factory.mktemp("loop") / "loop.json"
    log = account.with_suffix(".log")
    with log.open("w") as out:
        loop = subprocess.Popen(
            [
                *(sys.executable, "manage.py", "loop", "--rounds=1", "--simulate"),
                *(f"--truth={world / 'truth'}", f"--json={account}"),
                f"--config={json.dumps(CONFIG)}",
            ],
            cwd=ROOT,
            env=platform.environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            killed = _kill_workers_at_steps(platform, loop, log)
            assert loop.wait(900) == 0, log.read_text()
        finally:
            loop.kill()
    assert killed == {"train", "collect"}, log.read_text()
    return json.loads(account.read_text())


def _kill_workers_at_steps(platform: Platform, loop: subprocess.Popen, log: Path) -> set[str]:
    """kill -9 the training worker while it trains, and the sync worker while answers come in."""
    victims = {
        "train": ("round 0: train", "worker-train"),
        "collect": ("round 1: collect", "worker"),
    }
    done: set[str] = set()
    until = time.monotonic() + 800
    while loop.poll() is None and len(done) < len(victims) and time.monotonic() < until:
        text = log.read_text()
        for step, (line, name) in victims.items():
            if step not in done and line in text:
                time.sleep(3)
                os.kill(platform.processes[name]["pid"], signal.SIGKILL)
                done.add(step)
        time.sleep(0.2)
    return done


def test_the_account_has_what_others_read_from_it(looped):
    cold, round_ = looped["rounds"]
    kinds = {"classifier", "detector", "variation", "text"}
    assert cold["models"].keys() == round_["models"].keys() == kinds
    assert sum(round_["selected"].values()) == round_["pushed"] == round_["collected"]
    # Second opinions are asked of others where one answer was not sure enough.
    assert 30 < round_["collected"] <= round_["labels_total"] <= 5 * round_["collected"]
    assert {"random_control", "probe"} <= round_["selected"].keys()
    assert set(round_["seconds"]) >= {"scan", "select", "push", "collect", "freeze", "train"}
    for model in round_["models"].values():
        assert 0 <= model["closed_mean_recall"] <= 1
        assert model["reasons"]
    assert round_["models"]["detector"]["map50"] is not None
    assert looped["versions"]["torch"]


def test_a_killed_worker_neither_loses_nor_doubles_a_task_or_a_label(platform, looped):
    [[tasks, answered, distinct]] = query(
        platform,
        "SELECT count(*), count(*) FILTER (WHERE state = 'answered'), count(DISTINCT remote_id)"
        " FROM annotation_task WHERE id IN (SELECT task_id FROM active_learning_selection)",
    )
    assert tasks == answered == distinct
    [[labels, annotations, asked, given]] = query(
        platform,
        "SELECT count(*), count(DISTINCT remote_id), count(DISTINCT task_id),"
        " count(DISTINCT (task_id, by_id)) FROM annotation_label WHERE source = 'labeler'"
        " AND task_id IN (SELECT task_id FROM active_learning_selection)",
    )
    assert labels == annotations == given, "an answer was written twice"
    assert asked == tasks


def test_the_killed_training_went_on_and_made_one_version(platform, looped):
    rows = query(
        platform,
        "SELECT state, count(*) FROM active_learning_trainingrun"
        " WHERE trigger = 'round' GROUP BY state",
    )
    assert dict(rows) == {"succeeded": 8}


def test_a_dataset_holds_what_was_answered(platform, looped):
    [[first, second]] = query(
        platform, "SELECT min(rows), max(rows) FROM active_learning_datasetversion"
    )
    assert second > first


def test_chosen_items_carry_their_reason(platform, looped):
    rows = query(
        platform,
        "SELECT strategy, count(*), count(propensity), min(rank)"
        " FROM active_learning_selection GROUP BY strategy",
    )
    by_strategy = {row[0]: row[1:] for row in rows}
    for strategy, (count, with_propensity, first) in by_strategy.items():
        assert first == 1
        assert with_propensity == (count if strategy in {"random_control", "probe"} else 0)
