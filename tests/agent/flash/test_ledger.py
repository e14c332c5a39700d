"""What was written is counted right across restarts, power cuts, resets and new devices; shown by random histories."""

from dataclasses import dataclass

import hypothesis
import hypothesis.strategies as st

from archipel_agent.flash.ledger import DAY, HOUR, HOURS_KEPT, Ledger, Rates, noted, parsed, rates, text_of

MB = 1_000_000


@dataclass(frozen=True)
class Act:
    """Some seconds of running, with what is written in them, and what happens then."""

    seconds: float
    written: int
    then: str  # note, restart (the counter begins anew), or agent (it starts again and reads what was kept)


ACTS = st.lists(
    st.builds(
        Act,
        seconds=st.floats(0, 2 * DAY),
        written=st.integers(0, 50_000 * MB),
        then=st.sampled_from(["note", "note", "note", "restart", "agent"]),
    ),
    max_size=60,
)


class Machine:
    """A machine that writes, and the ledger beside it."""

    def __init__(self) -> None:
        self.boots, self.at, self.counter = 1, 0.0, 0
        self.unseen_bytes = 0
        self.ledger = noted(Ledger(), "card", "boot 1", 0, 0.0)

    def lives(self, act: Act) -> None:
        self.at += act.seconds
        self.counter += act.written
        self.unseen_bytes += act.written
        if act.then == "restart":
            self.boots, self.at, self.counter = self.boots + 1, 0.0, 0
            self.unseen_bytes = 0  # nobody can know
        elif act.then == "agent":
            self.ledger = parsed(text_of(self.ledger))
        else:
            before = self.ledger
            self.ledger = noted(before, "card", f"boot {self.boots}", self.counter, self.at)
            if self.ledger.hours is not before.hours:  # else too soon after the last one
                self.unseen_bytes = 0


@hypothesis.given(ACTS)
def test_exactly_what_was_seen_to_be_written_is_counted(acts: list[Act]) -> None:
    machine, seen, lost = Machine(), 0, 0
    for act in acts:
        before = machine.unseen_bytes + act.written
        machine.lives(act)
        seen += before if act.then == "note" and machine.unseen_bytes == 0 else 0
        lost += before if act.then == "restart" else 0
    if len(machine.ledger.hours) < HOURS_KEPT:
        assert sum(one.written for one in machine.ledger.hours) == seen
    assert seen + lost + machine.unseen_bytes == sum(act.written for act in acts)


@hypothesis.given(ACTS)
def test_no_rate_is_ever_negative_or_beyond_the_fastest_span(acts: list[Act]) -> None:
    machine = Machine()
    for act in acts:
        machine.lives(act)
    for rate in (rates(machine.ledger).now, rates(machine.ledger).week):
        if rate is not None:
            spans = [one for one in machine.ledger.hours if one.seconds > 0]
            assert 0 <= rate <= max(one.written / one.seconds for one in spans) * DAY * 1.1


@hypothesis.given(ACTS)
def test_what_is_kept_is_what_is_read_and_stays_small(acts: list[Act]) -> None:
    machine = Machine()
    for act in acts:
        machine.lives(act)
    kept = text_of(machine.ledger)
    assert text_of(parsed(kept)) == kept
    assert len(kept) < 6000


NONSENSE = ["[]", "[1,2,3,4,5]", '{"a":1}', "[0,0,1e400,0,[]]", '["c","b",1,1,[[1]]]']


@hypothesis.given(st.one_of(st.none(), st.text(max_size=60), st.sampled_from(NONSENSE)))
def test_what_cannot_be_read_begins_an_empty_ledger(text: str | None) -> None:
    assert parsed(text).hours == ()


def steady(hours: int, a_day: int) -> Ledger:
    ledger = noted(Ledger(), "card", "b", 0, 0.0)
    for hour in range(1, hours + 1):
        ledger = noted(ledger, "card", "b", hour * a_day // 24, hour * HOUR)
    return ledger


def test_a_steady_writer_shows_its_rate_over_a_day_and_over_seven() -> None:
    found = rates(steady(200, 2400 * MB))
    assert found == Rates(2400 * MB, 2400 * MB)


def test_a_day_of_much_writing_shows_now_at_once_and_over_the_week_by_its_share() -> None:
    ledger = steady(7 * 24, 700 * MB)
    for hour in range(1, 25):
        ledger = noted(ledger, "card", "b", ledger.counter + 7700 * MB // 24, (168 + hour) * HOUR)
    found = rates(ledger)
    assert found.now is not None and round(found.now / MB) == 7700
    assert found.week is not None and round(found.week / MB) == 1700


def test_a_few_minutes_say_nothing_of_a_day() -> None:
    assert rates(noted(Ledger(device="card", boot="b"), "card", "b", 90 * MB, 600.0)) == Rates()


def test_another_card_in_the_same_slot_begins_anew() -> None:
    ledger = noted(steady(48, 700 * MB), "mmcblk0:other", "b", 5 * MB, 49 * HOUR)
    assert ledger.hours == ()
    assert ledger.counter == 5 * MB


def test_after_a_power_cut_what_the_kernel_has_counted_since_its_start_counts() -> None:
    ledger = noted(steady(3, 24 * MB), "card", "the next start", 7 * MB, 900.0)
    assert (ledger.hours[-1].seconds, ledger.hours[-1].written) == (900.0, 7 * MB)
