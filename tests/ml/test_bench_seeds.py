"""Work of several seeds at a time, and how it is stopped."""

import time

import pytest

from ml.bench.seeds import of_each_seed
from ml.errors import Cancelled, InputError
from ml.progress import Progress


def square(seed, *, should_stop):
    assert not should_stop()
    return seed * seed


def until_stopped(seed, *, should_stop):
    while not should_stop():
        time.sleep(0.05)
    raise Cancelled


def refused(seed, *, should_stop):
    raise InputError(f"seed {seed} is none")


def test_each_seed_is_worked_on_in_order():
    found = of_each_seed(
        square, range(1, 6), progress=Progress(quiet=True), should_stop=lambda: False
    )
    assert found == [1, 4, 9, 16, 25]


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
