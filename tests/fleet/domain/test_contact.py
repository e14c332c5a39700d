"""Contact is judged by receive times and by who listened; nothing else, and nothing about health."""

import dataclasses
from dataclasses import replace

import hypothesis
import pytest
from hypothesis import strategies as st

from archipel_contract.link.messages import LinkPlan
from archipel_contract.status import LinkMode
from archipel_fleet.domain import contact
from archipel_fleet.domain.contact import LISTENING_SLACK, Heard, Pulse, best, grace, judge, pulse, resumed
from archipel_fleet.records import ContactState

NOW = 1_795_330_800_000
ALWAYS_ON = LinkPlan(mode=LinkMode.ALWAYS_ON, every=300)
PLANS = st.builds(LinkPlan, mode=st.sampled_from(LinkMode), every=st.integers(10, 100_000))
TIMES = st.integers(NOW - 10_000_000, NOW + 10_000_000)
HEARD = st.builds(
    Heard, PLANS, st.none() | TIMES, st.booleans(), lost=st.none() | TIMES, confirmed=st.none() | TIMES
)
# Best first; a site is as good as the best of its nodes.
ORDER = [
    ContactState.CONNECTED,
    ContactState.QUIET,
    ContactState.UNKNOWN,
    ContactState.OVERDUE,
    ContactState.NEVER,
]


def heard(**changed: object) -> Heard:
    return replace(Heard(ALWAYS_ON, NOW, connected=True), **changed)  # type: ignore[arg-type]  # fields of Heard


def after(
    known: Heard, seconds: int, listening_since: int = NOW - 1, listened: int | None = None
) -> ContactState:
    now = NOW + seconds * 1000
    return judge(pulse(known, listening_since), now if listened is None else listened, now)


@pytest.mark.parametrize(
    ("known", "seconds", "state"),
    [
        (heard(), 750, "connected"),
        (heard(), 751, "overdue"),
        (heard(connected=False), 750, "quiet"),
        (heard(connected=False), 751, "overdue"),
        (heard(connected=False, lost=NOW + 10_000), 100, "quiet"),
        (heard(connected=False, lost=NOW + 10_000), 101, "overdue"),
        (heard(plan=LinkPlan(mode=LinkMode.DIAL_IN, every=3600), connected=False, lost=NOW), 5400, "quiet"),
        (heard(plan=LinkPlan(mode=LinkMode.DIAL_IN, every=3600), connected=False, lost=NOW), 5401, "overdue"),
        (heard(plan=LinkPlan(mode=LinkMode.DIAL_IN, every=3600)), 90, "connected"),
        (heard(plan=LinkPlan(mode=LinkMode.DIAL_IN, every=3600)), 91, "quiet"),
        (heard(plan=LinkPlan(mode=LinkMode.DIAL_IN, every=3600)), 5400, "quiet"),
        (heard(plan=LinkPlan(mode=LinkMode.DIAL_IN, every=3600)), 5401, "overdue"),
        (heard(plan=replace(ALWAYS_ON, every=1 << 70)), 10**9, "overdue"),
        (heard(plan=LinkPlan(mode=LinkMode.OFF), connected=False), 10**9, "quiet"),
        (heard(heard=None), 10, "never"),
        (heard(connected=True, heard=NOW - 5000), 1, "unknown"),
        (heard(connected=True, heard=NOW - 5000, confirmed=NOW), 1, "connected"),
    ],
)
def test_states_of_one_node_while_the_controller_listens(known: Heard, seconds: int, state: str) -> None:
    assert after(known, seconds) == state


def test_no_connection_is_believed_by_who_does_not_listen() -> None:
    assert after(heard(), 50, listened=NOW) is ContactState.CONNECTED
    assert after(heard(), 61, listened=NOW) is ContactState.UNKNOWN
    assert judge(pulse(heard(), NOW), None, NOW) is ContactState.UNKNOWN


@hypothesis.given(
    known=HEARD, since=TIMES, listened=TIMES, steps=st.lists(st.integers(0, 10_000_000), max_size=8)
)
def test_time_alone_never_ends_overdue_and_never_connects(
    known: Heard, since: int, listened: int, steps: list[int]
) -> None:
    one, now = pulse(known, since), max(since, listened)
    before = judge(one, listened, now)
    was_heard = now <= listened + LISTENING_SLACK
    for step in steps:
        now += step
        listened = now  # the controller goes on listening
        state = judge(one, listened, now)
        if before is ContactState.OVERDUE:
            assert state is ContactState.OVERDUE
        if state is ContactState.CONNECTED:
            assert one.touch is not None
            # Who has just begun to listen again may find a connection where a silent line was believed.
            assert before in (ContactState.CONNECTED, ContactState.UNKNOWN) or not was_heard
        before, was_heard = state, True


@hypothesis.given(
    known=HEARD, since=TIMES, away=st.integers(LISTENING_SLACK + 1, 10**9), early=st.floats(0, 1)
)
def test_coming_back_makes_nobody_overdue_who_was_not_before_a_whole_grace_is_listened_through(
    known: Heard, since: int, away: int, early: float
) -> None:
    ended = since + 1000
    one, back = pulse(known, since), ended + away
    before = judge(one, ended, ended + LISTENING_SLACK)
    again = resumed(one, grace(known.plan), ended, back)
    now = back + int(early * grace(known.plan))
    state = judge(again, now, now)
    if before is ContactState.OVERDUE and (one.owed or 0) <= ended:
        assert state is ContactState.OVERDUE
    elif (one.owed or 0) > ended:
        assert state is not ContactState.OVERDUE
    assert state is not ContactState.CONNECTED


@hypothesis.given(known=st.lists(HEARD, min_size=1, max_size=4), since=TIMES, listened=TIMES, now=TIMES)
def test_a_site_is_as_present_as_the_best_of_its_nodes(
    known: list[Heard], since: int, listened: int, now: int
) -> None:
    pulses = [pulse(one, since) for one in known]
    states = [judge(one, listened, now) for one in pulses]
    assert judge(best(pulses), listened, now) is min(states, key=ORDER.index)


@hypothesis.given(known=HEARD, since=TIMES)
def test_silence_is_never_a_fact_before_the_word_was_due(known: Heard, since: int) -> None:
    one = pulse(known, since)
    if one.owed is None:
        assert known.heard is None
    else:
        assert one.owed >= max(one.calm or 0, one.touch or 0)


def test_contact_knows_nothing_of_health() -> None:
    fields = {field.name for kind in (Heard, Pulse) for field in dataclasses.fields(kind)}
    assert not [name for name in fields if "health" in name]
    assert "Health" not in vars(contact)
