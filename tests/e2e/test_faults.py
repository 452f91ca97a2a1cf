"""A sample of the fault matrix: in one round, at each step another process is killed."""

import pytest

from tests.e2e import faults

pytestmark = [pytest.mark.slow, pytest.mark.labelstudio, pytest.mark.faults]


def test_every_process_is_killed_at_every_step_by_the_rotations():
    cells = {
        (process, step)
        for shift in range(len(faults.PROCESSES))
        for step, process in faults.rotation(shift).items()
    }
    assert len(cells) == len(faults.PROCESSES) * len(faults.STEPS)


def test_a_round_in_which_every_step_lost_a_process_ends_as_if_nothing_had_happened(tmp_path):
    world = faults.draw_world(tmp_path / "world")
    plain = faults.play(world, tmp_path / "plain", {})
    killed = faults.play(world, tmp_path / "killed", faults.rotation(0))
    assert list(killed.killed) == list(faults.STEPS)
    assert killed.labels == plain.labels
    assert len(killed.labels) >= 30
    assert killed.datasets == plain.datasets
