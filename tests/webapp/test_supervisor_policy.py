import pytest

from webapp.supervisor.policy import Action, Phase, Seen, Status, advance, retry_seconds

LIVES = Seen(alive=True)
WELL = Seen(alive=True, healthy=True)
DEAD = Seen(alive=False, exit_code=1)


def step(status, seen, now, *, once=False, start_seconds=60.0):
    return advance(status, seen, once=once, start_seconds=start_seconds, now=now)


def test_a_process_waits_for_what_it_needs():
    waiting = Status()
    assert step(waiting, Seen(alive=False, needs_met=False), 1.0) == (waiting, Action.NOTHING)
    started, action = step(waiting, Seen(alive=False), 2.0)
    assert (started.phase, started.since, action) == (Phase.STARTING, 2.0, Action.SPAWN)


def test_a_service_is_running_once_it_is_healthy():
    starting = Status(phase=Phase.STARTING, since=0.0)
    assert step(starting, LIVES, 1.0) == (starting, Action.NOTHING)
    assert step(starting, WELL, 2.0)[0].phase is Phase.RUNNING


def test_a_step_is_done_when_it_exits_with_zero_and_only_then():
    starting = Status(phase=Phase.STARTING, since=0.0)
    assert step(starting, WELL, 1.0, once=True)[0].phase is Phase.STARTING
    assert step(starting, Seen(False, exit_code=0), 1.0, once=True)[0].phase is Phase.DONE
    assert step(starting, DEAD, 1.0, once=True)[0].phase is Phase.RESTARTING
    assert step(starting, Seen(False, exit_code=None), 1.0, once=True)[0].phase is Phase.RESTARTING


def test_a_service_that_exits_with_zero_is_started_again():
    running = Status(phase=Phase.RUNNING, since=0.0)
    assert step(running, Seen(False, exit_code=0), 1.0)[0].phase is Phase.RESTARTING


def test_a_dead_process_is_started_again_after_its_back_off_and_not_before():
    running = Status(phase=Phase.RUNNING, since=0.0)
    fallen, action = step(running, DEAD, 10.0)
    assert (fallen.phase, fallen.failures, action) == (Phase.RESTARTING, 1, Action.NOTHING)
    assert step(fallen, DEAD, 10.4)[1] is Action.NOTHING
    again, action = step(fallen, DEAD, 10.5)
    assert (again.phase, again.restarts, action) == (Phase.STARTING, 1, Action.SPAWN)


def test_a_restart_waits_for_what_the_process_needs():
    fallen = Status(phase=Phase.RESTARTING, since=0.0, failures=1)
    assert step(fallen, Seen(alive=False, needs_met=False), 99.0)[1] is Action.NOTHING


def test_back_off_doubles_up_to_half_a_minute():
    assert [retry_seconds(n) for n in (1, 2, 3, 4)] == [0.5, 1, 2, 4]
    assert retry_seconds(50) == 30


def test_a_minute_of_service_clears_the_record():
    running = Status(phase=Phase.RUNNING, since=0.0, failures=3)
    assert step(running, DEAD, 59.0)[0].failures == 4
    assert step(running, DEAD, 60.0)[0].failures == 1


def test_one_that_does_not_get_well_in_time_is_killed_and_tried_again():
    starting = Status(phase=Phase.STARTING, since=0.0)
    assert step(starting, LIVES, 60.0, start_seconds=60)[1] is Action.NOTHING
    late, action = step(starting, LIVES, 60.1, start_seconds=60)
    assert (late.phase, action) == (Phase.RESTARTING, Action.KILL)


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.DONE])
def test_others_may_start_when_it_runs_or_is_done(phase):
    assert Status(phase=phase).is_satisfied


def test_a_process_gives_up_after_four_failures_in_a_row():
    status = Status(phase=Phase.STARTING)
    for failure in range(1, 5):
        status, _ = step(status, DEAD, 100.0 * failure)
        assert status.gave_up is (failure == 4)
        status, _ = step(status, DEAD, 100.0 * failure + 50)
