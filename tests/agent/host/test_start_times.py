"""When a process started is the same at every question, unless the clock was set."""

import os
from datetime import UTC, datetime, timedelta

from archipel_agent.host.process import ProcessId, StartTimes, identify, started_at

BORN = datetime(2026, 11, 22, 7, 0, 0, 999_000, tzinfo=UTC)
K3S = ProcessId(812, 4711)


def test_a_start_near_the_full_second_is_told_the_same_in_every_turn() -> None:
    times = StartTimes()
    told = {times.of(K3S, BORN + timedelta(milliseconds=offset)) for offset in range(-20, 20)}
    assert len(told) == 1


def test_a_clock_that_was_set_changes_what_is_told() -> None:
    times = StartTimes()
    times.of(K3S, datetime(1970, 1, 1, tzinfo=UTC))
    assert times.of(K3S, BORN) == BORN


def test_another_process_with_the_same_pid_has_its_own_time() -> None:
    times = StartTimes()
    times.of(K3S, BORN)
    later = BORN + timedelta(seconds=1)
    assert times.of(ProcessId(812, 9999), later) == later


def test_processes_long_gone_are_not_remembered_for_ever() -> None:
    times = StartTimes()
    for ticks in range(1000):
        times.of(ProcessId(812, ticks), BORN)
    assert len(times._told) <= StartTimes.MOST


def test_this_process_started_before_now_and_not_long_ago() -> None:
    own = identify(os.getpid())
    assert own is not None
    first = started_at(own)
    assert timedelta(0) < datetime.now(UTC) - first < timedelta(days=1)
    assert started_at(own) == first
    assert identify(2**22 + 1) is None
