"""A node that dials in keeps its line in silence, finds out when it is dead, and learns which ways drop silent lines."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from archipel_agent.link.calls import (
    CALL_SECONDS,
    KEPT_ANSWER_SECONDS,
    LONGEST_LINE_SECONDS,
    Broke,
    Calls,
    Verdict,
)
from archipel_agent.link.holding import LONGEST_PAUSE, PAUSE_SECONDS, ROW, Holding
from archipel_contract.catalogue import finding
from archipel_contract.link import topics
from archipel_contract.link.messages import Wanted
from archipel_contract.status import Health, LinkState
from tests.agent.link.nodes import DIAL_IN, VirtualNode, report
from tests.agent.link.test_nothing_is_lost import Lives

HOUR = 3600.0


@pytest.fixture
def held(tmp_path: Path) -> VirtualNode:
    """A node that dials in once an hour and has called once, on a line that it keeps."""
    one = VirtualNode(tmp_path, DIAL_IN, holds=True)
    one.start()
    one.run(60.0)
    return one


def hellos(node: VirtualNode) -> int:
    return len(node.controller.hellos)


def points(node: VirtualNode) -> int:
    return sum(len(one.points) for one in node.controller.records.points.values())


# --- as it should be ----------------------------------------------------------------------------------------------------


def test_the_line_is_kept_and_shown_as_quiet_since_nobody_knows_whether_it_stands(held: VirtualNode) -> None:
    assert held.carrier.is_open
    status = held.link.status()
    assert (status.state, status.waiting, status.code) == (LinkState.PLANNED_QUIET, 0, "")
    assert status.next_call_at > status.last_answer_at
    sent = len(held.carrier.sent)
    held.run(600.0, turns=60.0)
    assert len(held.carrier.sent) == sent, "nothing is said between two calls"


def test_a_day_of_calls_takes_one_connection_and_every_sample_arrives(held: VirtualNode) -> None:
    held.run(20 * HOUR, turns=60.0)
    assert (held.carrier.opened, hellos(held)) == (1, 1)
    chunks = held.controller.records.points.values()
    assert 19 <= len(chunks) <= 21 and points(held) > 220
    assert all(one.state for one in list(chunks)[1:]), "each call says that the state still holds"
    assert held.controller.records.gaps == []


def test_no_line_is_older_than_a_day_so_that_a_new_certificate_is_used(held: VirtualNode) -> None:
    held.run(5 * 24 * HOUR, turns=600.0)
    assert 5 <= held.carrier.opened <= 7


def test_a_call_with_nothing_to_say_says_hello(tmp_path: Path) -> None:
    node = VirtualNode(tmp_path, DIAL_IN, holds=True)
    node.start()
    node.run(3 * HOUR)
    assert node.carrier.opened == 1
    assert 3 <= hellos(node) <= 4


def test_what_the_fleet_asks_on_a_line_that_is_kept_is_answered_at_once(held: VirtualNode) -> None:
    address = topics.parse(held.controller.topics[-1])
    held.controller.records.state = {}
    held.controller.ask(address, Wanted.FULL)
    held.run(30.0)
    assert held.controller.records.state["health"] == "healthy"
    assert held.carrier.opened == 1


def test_a_problem_that_appears_is_said_at_once_however_often(held: VirtualNode) -> None:
    trouble = finding("disk-full", path="/", free="0")
    for _ in range(3):
        heard = len(held.controller.records.events)
        held.turn(report(Health.UNHEALTHY, findings=(trouble,)))
        held.run(10.0)
        assert len(held.controller.records.events) > heard
        held.turn(report())
        held.run(10.0)
    assert held.carrier.opened == 1


def test_a_controller_that_comes_back_as_another_hears_everything_again(held: VirtualNode) -> None:
    before = held.controller.backup()
    held.tell("told")
    held.run(2 * HOUR, turns=60.0)
    assert "told" in held.controller.texts()
    held.controller.restore(before)
    held.run(60.0)
    assert "told" in held.controller.texts(), "without waiting for the next call"
    assert held.carrier.opened == 1


def test_a_fleet_that_says_it_is_away_is_waited_for_on_the_line(held: VirtualNode) -> None:
    held.controller.go()
    held.run(3 * HOUR, turns=60.0)
    assert held.carrier.opened == 1
    status = held.link.status()
    assert (status.state, status.code) == (LinkState.UNANSWERED, "link-unanswered")
    held.controller.come()
    held.run(60.0)
    assert held.link.status().state is LinkState.PLANNED_QUIET
    assert points(held) > 30


def test_samples_of_a_quiet_line_go_to_the_disk_once_they_are_many(held: VirtualNode) -> None:
    held.controller.go()
    held.run(60.0)
    held.run(5 * HOUR, turns=60.0)
    held.kill()
    held.controller.come()
    held.start()
    held.run(60.0)
    assert points(held) > 24


# --- a way that drops lines ---------------------------------------------------------------------------------------------


def test_a_dead_line_costs_a_call_nothing_but_twenty_seconds(held: VirtualNode) -> None:
    held.run(1800.0, turns=60.0)
    held.broker.forget()
    held.tell("said into the dark")
    began = held.clock.monotonic()
    while held.carrier.opened == 1:
        held.run(10.0, turns=10.0)
    assert held.clock.monotonic() - began < HOUR + KEPT_ANSWER_SECONDS + 60
    held.run(20.0)
    assert "said into the dark" in held.controller.texts()
    assert held.link.status().state is LinkState.PLANNED_QUIET
    assert held.controller.records.gaps == []


def test_a_way_that_drops_silent_lines_is_learned_and_tried_again_after_a_day(held: VirtualNode) -> None:
    opened = []
    for _ in range(60):
        held.broker.forget()
        before = held.carrier.opened
        held.run(HOUR, turns=60.0)
        opened.append(held.carrier.opened - before)
    assert max(opened) <= 2, "a call never takes more than one line anew"
    assert points(held) > 60 * 11
    assert not held.carrier.is_open, "it hangs up after its calls"
    silent = [one for one in held.controller.presences if not one.connected]
    assert len(silent) >= 60 - ROW - 2, "so the will says that a call is over"


def test_a_line_that_breaks_aloud_in_the_silence_is_not_made_anew_before_the_next_call(
    held: VirtualNode,
) -> None:
    held.broker.cut()
    held.run(60.0, turns=60.0)
    assert held.carrier.opened == 1
    status = held.link.status()
    assert (status.state, status.code) == (LinkState.PLANNED_QUIET, "")
    held.run(HOUR, turns=60.0)
    assert held.carrier.opened == 2 and held.carrier.is_open


def test_a_fleet_that_was_away_without_a_word_does_not_count_against_the_way(held: VirtualNode) -> None:
    for _ in range(2 * ROW):
        held.controller.is_listening = False
        held.run(1.5 * HOUR, turns=60.0)
        held.controller.is_listening = True
        held.run(1.5 * HOUR, turns=60.0)
    held.run(2 * HOUR, turns=60.0)
    assert held.carrier.is_open


# --- the plan by itself --------------------------------------------------------------------------------------------------


@given(st.lists(st.booleans(), max_size=40))
def test_lines_are_given_up_only_after_a_row_of_dead_ones_and_never_for_good(fates: list[bool]) -> None:
    holding, now, row, tried = Holding(), 0.0, 0, False
    for is_good in fates:
        if not holding.is_allowed(now):
            waited = 0.0
            while not holding.is_allowed(now):
                now, waited = now + HOUR, waited + HOUR
            assert PAUSE_SECONDS <= waited <= LONGEST_PAUSE + HOUR
            tried = True
        now += HOUR
        if is_good:
            holding.kept()
            row, tried = 0, False
        else:
            holding.dropped(now)
            row += 1
        assert holding.is_allowed(now) is (row < ROW and not (tried and row))


ANSWERS = st.lists(st.one_of(st.none(), st.floats(0, 100)), min_size=1, max_size=30)


@given(answers=ANSWERS, every=st.floats(10, 43_200), away=st.booleans())
def test_every_call_ends_and_no_line_outlives_a_day(
    answers: list[float | None], every: float, away: bool
) -> None:
    calls, now, opened = Calls(every, holds=True, lingers=lambda: 5.0), 0.0, 0.0
    calls.connected(now)
    for delay in answers:
        began = now
        answered = None if delay is None else began + delay
        until = began
        verdict = Verdict.GOES_ON
        while verdict is Verdict.GOES_ON:
            heard = answered if answered is not None and answered <= until else None
            verdict = calls.judge(until, heard, is_idle=heard is not None, is_fleet_away=away)
            until += 1.0
            assert until - began < CALL_SECONDS + 110
        now = until
        if verdict in (Verdict.OVER, Verdict.FLEET_AWAY):
            if not calls.finished(now, verdict):
                calls.ended(None)
            else:
                assert now + every <= opened + LONGEST_LINE_SECONDS
        elif verdict is Verdict.DEAD:
            assert calls.ended(None) is Broke.DEAD
        else:
            assert calls.ended(None) is Broke.IN_USE
        now += every
        if calls.is_resting:
            calls.resumed(now)
        else:
            calls.connected(now)
            opened = now


class HeldLives(Lives):
    """As `Lives`, for a node that dials in and keeps its line, on a way that forgets lines."""

    def __init__(self) -> None:
        super().__init__()
        self.node = VirtualNode(self.directory, DIAL_IN, holds=True)

    @rule()
    def forget(self) -> None:
        """The way forgets the line."""
        self.node.broker.forget()

    @precondition(lambda self: self.is_running)
    @rule()
    def call(self) -> None:
        """The next call comes."""
        self.node.run(HOUR, turns=600.0)

    def _check(self) -> None:
        self.node.run(HOUR + 60.0)  # one more call, for the samples since the last
        super()._check()


def test_nothing_is_lost_on_lines_that_are_kept_and_forgotten() -> None:
    run_state_machine_as_test(
        HeldLives, settings=settings(max_examples=6, stateful_step_count=15, deadline=None)
    )
