"""Work of several seeds at a time, how it is stopped, and how it goes on."""

import os
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
import torch

from ml.bench.seeds import Kept, of_each_seed
from ml.errors import Cancelled, InputError
from ml.models.device import choose_device
from ml.progress import Progress


def square(seed, *, should_stop):
    assert not should_stop()
    return seed * seed


def until_stopped(seed, *, should_stop):
    deadline = time.monotonic() + 60
    while not should_stop():
        assert time.monotonic() < deadline, "it was never told"
        time.sleep(0.05)
    raise Cancelled


def threads(seed, *, should_stop):
    choose_device("cpu")
    return torch.get_num_threads()


def refused(seed, *, should_stop):
    raise InputError(f"seed {seed} is none")


def test_each_seed_is_worked_on_in_order():
    found = of_each_seed(
        square, range(1, 6), progress=Progress(quiet=True), should_stop=lambda: False
    )
    assert found == [1, 4, 9, 16, 25]


def test_the_seeds_share_the_cores(monkeypatch):
    monkeypatch.setattr("ml.bench.seeds.os.cpu_count", lambda: 6)
    found = of_each_seed(
        threads, range(2), progress=Progress(quiet=True), should_stop=lambda: False
    )
    assert found == [3, 3]


def test_all_of_them_are_told_to_stop():
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        of_each_seed(
            until_stopped, range(4), progress=Progress(quiet=True),
            should_stop=lambda: time.monotonic() - begun > 5,
        )  # fmt: skip
    assert time.monotonic() - begun < 40


def test_what_one_of_them_raises_ends_all():
    with pytest.raises(InputError, match="seed 1 is none"):
        of_each_seed(refused, [1], progress=Progress(quiet=True), should_stop=lambda: False)


def counted(seed, *, should_stop):
    """Leaves a mark; seed 3 kills its process the first time."""
    marks = Path(os.environ["MARKS"])
    (marks / f"{seed}-{len([*marks.glob(f'{seed}-*')])}").touch()
    if seed == 3 and not (marks / "3-1").exists():
        os.kill(os.getpid(), 9)
    return {"seed": seed, "curve": [(0, 0.5)]}


def test_after_a_kill_only_what_is_not_done_is_worked_on(tmp_path, monkeypatch):
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setenv("MARKS", str(marks))
    monkeypatch.setattr("ml.bench.seeds.os.cpu_count", lambda: 1)

    def play():
        return of_each_seed(
            counted, [1, 2, 3, 4], progress=Progress(quiet=True), should_stop=lambda: False,
            kept=Kept(tmp_path / "kept", {"quick": True}),
        )  # fmt: skip

    with pytest.raises(BrokenProcessPool):
        play()
    assert sorted(one.name for one in marks.iterdir()) == ["1-0", "2-0", "3-0"]
    assert play() == [{"seed": seed, "curve": [[0, 0.5]]} for seed in (1, 2, 3, 4)]
    assert sorted(one.name for one in marks.iterdir()) == ["1-0", "2-0", "3-0", "3-1", "4-0"]


def test_what_other_dials_found_is_not_taken_for_this(tmp_path):
    Kept(tmp_path, {"quick": True})
    Kept(tmp_path, {"quick": True})
    with pytest.raises(InputError, match="other code or other dials"):
        Kept(tmp_path, {"quick": False})
