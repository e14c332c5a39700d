"""When a node connects: spread, growing, patient with refusals, and in its own minute when it dials in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel_agent.link.schedule import (
    FIRST_SPREAD,
    LONGEST_SECONDS,
    REFUSED_SECONDS,
    URGENT_SECONDS,
    Schedule,
    Why,
)
from archipel_contract.catalogue import finding
from archipel_contract.findings import Severity
from archipel_contract.link.messages import EventKind
from archipel_contract.status import LinkState
from tests.agent.link.nodes import DIAL_IN, NODE, VirtualNode, report

AWAY = "link-broker-away"
SHARE = st.floats(0, 1, exclude_max=True)


def always(share: float) -> Callable[[], float]:
    """Randomness that always says the same."""
    return lambda: share


@given(SHARE, st.floats(0, 1e9))
def test_agents_that_start_together_spread_over_half_a_minute(share: float, now: float) -> None:
    plan = Schedule(NODE, None, always(share))
    plan.begin(now)
    assert now <= plan.next_at <= now + FIRST_SPREAD


@given(SHARE, st.integers(1, 40))
def test_the_wait_after_failures_grows_to_five_minutes_and_no_further(share: float, failures: int) -> None:
    plan = Schedule(NODE, None, always(share))
    plan.begin(0.0)
    for _ in range(failures):
        plan.ended(0.0, 0.0, AWAY, 0.0)
    assert plan.next_at == share * min(LONGEST_SECONDS, 2.0 * 2.0 ** min(failures, 16))


@given(SHARE, st.floats(1, 3600))
def test_after_a_good_connection_the_first_attempt_spreads_as_the_controller_asks(
    share: float, spread: float
) -> None:
    plan = Schedule(NODE, None, always(share))
    plan.connected(0.0)
    plan.ended(61.0, 0.0, AWAY, spread)
    assert plan.next_at == 61.0 + share * spread


def test_a_connection_that_breaks_at_once_does_not_begin_the_growth_anew() -> None:
    plan = Schedule(NODE, None, always(0.5))
    waits = []
    for number in range(6):
        plan.connected(number * 1000.0)
        plan.ended(number * 1000.0 + 59.0, 0.0, AWAY, 1.0)
        waits.append(plan.next_at - number * 1000.0 - 59.0)
    assert waits == [0.5, 4.0, 8.0, 16.0, 32.0, 64.0]


@pytest.mark.parametrize("code", ["link-broker-refused", "link-not-loopback"])
@given(share=SHARE)
def test_a_refusal_is_not_tried_again_for_ten_minutes_to_an_hour(code: str, share: float) -> None:
    plan = Schedule(NODE, None, always(share))
    plan.ended(0.0, 0.0, code, 0.0)
    assert REFUSED_SECONDS[0] <= plan.next_at <= REFUSED_SECONDS[1]


@given(SHARE, st.floats(0, 4e9), st.integers(60, 86400))
def test_a_node_calls_in_its_own_minute_and_at_least_once_in_its_period(
    share: float, wall: float, every: int
) -> None:
    plan = Schedule(NODE, float(every), always(share))
    plan.called(0.0, wall)
    assert plan.why is Why.PLANNED
    assert 0 < plan.next_at <= every + 60.0
    first = plan.next_at
    plan.called(first + 3.0, wall + first + 3.0)
    assert abs(plan.next_at - first - every) < 1.0, "and always in the same one"


def test_nodes_with_different_ids_call_at_different_times() -> None:
    times = set()
    for number in range(100):
        plan = Schedule(f"n-{number:016d}", 3600.0, always(0.5))
        plan.called(0.0, 0.0)
        times.add(int(plan.next_at) // 60)
    assert len(times) > 40


def test_a_call_that_fails_is_tried_again_a_few_times_and_then_waits_for_the_next() -> None:
    plan = Schedule(NODE, 3600.0, always(0.5))
    now = 0.0
    for _ in range(6):
        plan.ended(now, now, AWAY, 0.0)
        assert plan.why is Why.RETRY
        now = plan.next_at
    plan.ended(now, now, AWAY, 0.0)
    assert plan.why is Why.PLANNED


def test_something_urgent_calls_at_once_but_only_now_and_then() -> None:
    plan = Schedule(NODE, 3600.0, always(0.5))
    plan.called(0.0, 0.0)
    planned = plan.next_at
    plan.hurry(1.0)
    assert plan.next_at <= 3.0
    plan.called(5.0, 5.0)
    plan.hurry(6.0)
    assert plan.next_at == pytest.approx(planned, abs=1.0)
    plan.hurry(6.0 + URGENT_SECONDS)
    assert plan.next_at <= 8.0 + URGENT_SECONDS


# --- dial-in as a whole ---------------------------------------------------------------------------------------------------


@pytest.fixture
def dialling(tmp_path: Path) -> VirtualNode:
    """A node that dials in once an hour."""
    one = VirtualNode(tmp_path, DIAL_IN)
    one.start()
    return one


def test_a_node_that_dials_in_says_everything_hangs_up_and_is_quiet_as_planned(dialling: VirtualNode) -> None:
    dialling.run(60.0)
    assert not dialling.carrier.is_open
    status = dialling.link.status()
    assert (status.state, status.waiting) == (LinkState.PLANNED_QUIET, 0)
    assert status.next_call_at > status.last_answer_at
    assert dialling.controller.records.state
    dialling.broker.run(dialling.clock.monotonic() + 1.0)
    assert [one.connected for one in dialling.controller.presences] == [False], (
        "its will says that the call is over"
    )


def test_it_calls_once_an_hour_with_an_hour_of_samples_in_one_message(dialling: VirtualNode) -> None:
    dialling.run(24 * 3600.0, turns=60.0)
    assert 24 <= dialling.carrier.opened <= 26
    chunks = list(dialling.controller.records.points.values())
    assert len(chunks) <= 26
    assert sum(len(one.points) for one in chunks) > 270
    assert dialling.facts.writes < 10


def test_a_problem_that_appears_has_it_call_at_once(dialling: VirtualNode) -> None:
    dialling.run(60.0)
    trouble = finding("link-unanswered", broker="b", last="never")
    calls = dialling.carrier.opened
    dialling.turn(report(findings=(trouble,)))
    dialling.run(10.0)
    urgent = trouble.severity is Severity.PROBLEM
    assert dialling.carrier.opened == calls + urgent
    kinds = {one.kind for one in dialling.controller.records.events.values()}
    assert (EventKind.FINDING_APPEARED in kinds) is urgent


def test_a_controller_that_does_not_answer_a_call_is_hung_up_on_and_called_again(
    dialling: VirtualNode,
) -> None:
    dialling.controller.is_listening = False
    dialling.run(300.0, turns=60.0)
    assert not dialling.carrier.is_open or dialling.carrier.opened > 1
    assert 2 <= dialling.carrier.opened <= 8
    assert dialling.link.status().code == "link-unanswered"
    dialling.controller.is_listening = True
    dialling.run(4000.0, turns=60.0)
    assert dialling.controller.records.state
    assert dialling.link.status().code == ""


def test_a_large_backlog_is_said_in_one_call(dialling: VirtualNode) -> None:
    dialling.broker.refuses = AWAY
    dialling.tell(*map(str, range(2000)))
    dialling.run(120.0)
    dialling.heal()
    dialling.run(3700.0, turns=60.0)
    assert sum(text.isdigit() for text in dialling.controller.texts()) == 2000
