"""When a machine on battery shuts down: in virtual time, against random outages and silences of the UPS."""

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_agent.power.supply import (
    AGAIN_SECONDS,
    ANNOUNCED_SECONDS,
    ON_BATTERY,
    Act,
    Memory,
    Supply,
    decide,
    reading_of,
)

TURN = 10.0
WORDS = st.lists(st.tuples(st.sampled_from(Supply), st.floats(1.0, 400.0)), max_size=40)


def told(words: list[tuple[Supply, float]], patience: float = 0.0) -> list[tuple[float, Supply, Act, Memory]]:
    """Have each word stand for some seconds; return every turn with what it led to."""
    memory, now, turns = Memory(), 0.0, []
    for supply, seconds in words:
        end = now + seconds
        while now < end:
            decision = decide(memory, supply, now, patience)
            memory = decision.memory
            turns.append((now, supply, decision.act, memory))
            now += TURN
    return turns


def acts(words: list[tuple[Supply, float]], patience: float = 0.0) -> list[Act]:
    return [act for _, _, act, _ in told(words, patience) if act is not Act.NOTHING]


@hypothesis.given(WORDS, st.sampled_from([0.0, 60.0, 600.0]))
def test_silence_never_shuts_anything_down(words: list[tuple[Supply, float]], patience: float) -> None:
    for _, supply, act, _ in told(words, patience):
        if supply is Supply.UNKNOWN:
            assert act is Act.NOTHING
        if act is Act.SHUT_DOWN:
            assert supply in ON_BATTERY


@hypothesis.given(WORDS, st.sampled_from([0.0, 60.0, 600.0]))
def test_a_shutdown_is_announced_long_enough_before_with_no_power_in_between(
    words: list[tuple[Supply, float]], patience: float
) -> None:
    announced: float | None = None
    for now, supply, act, _ in told(words, patience):
        if act is Act.ANNOUNCE:
            announced = now
        if supply is Supply.LINE:
            announced = None
        if act is Act.SHUT_DOWN:
            assert announced is not None and now - announced >= ANNOUNCED_SECONDS


@hypothesis.given(WORDS)
def test_without_a_low_battery_and_without_a_limit_nothing_is_shut_down(
    words: list[tuple[Supply, float]],
) -> None:
    never_low = [one for one in words if one[0] is not Supply.LOW]
    assert acts(never_low) == []


@hypothesis.given(WORDS, st.floats(30.0, 900.0))
def test_only_seconds_surely_spent_on_battery_count_against_the_limit(
    words: list[tuple[Supply, float]], patience: float
) -> None:
    spent, before = 0.0, (0.0, Supply.UNKNOWN)
    for now, supply, act, memory in told([one for one in words if one[0] is not Supply.LOW], patience):
        spent = 0.0 if supply is Supply.LINE else spent
        if supply in ON_BATTERY and before[1] in ON_BATTERY:
            spent += now - before[0]
        assert memory.on_battery == pytest.approx(spent)
        assert act is not Act.ANNOUNCE or spent >= patience
        before = now, supply


def test_a_low_battery_shuts_down_after_the_announcement() -> None:
    turns = told([(Supply.LINE, 60), (Supply.BATTERY, 300), (Supply.LOW, 60)])
    done = [(now, act) for now, _, act, _ in turns if act is not Act.NOTHING]
    assert done == [(360.0, Act.ANNOUNCE), (380.0, Act.SHUT_DOWN)]


def test_power_that_returns_in_time_calls_it_off() -> None:
    assert acts([(Supply.LOW, 15), (Supply.LINE, 600)]) == [Act.ANNOUNCE, Act.CALL_OFF]


def test_a_battery_that_recovers_calls_it_off_too() -> None:
    assert acts([(Supply.LOW, 15), (Supply.BATTERY, 60)]) == [Act.ANNOUNCE, Act.CALL_OFF]


def test_a_silence_in_the_announcement_waits_for_the_next_word() -> None:
    turns = told([(Supply.LOW, 10), (Supply.UNKNOWN, 300), (Supply.LOW, 10)])
    assert [(now, act) for now, _, act, _ in turns if act is not Act.NOTHING] == [
        (0.0, Act.ANNOUNCE),
        (310.0, Act.SHUT_DOWN),
    ]


def test_the_allowed_time_on_battery_shuts_down_though_it_is_not_low() -> None:
    turns = told([(Supply.LINE, 60), (Supply.BATTERY, 200)], patience=120.0)
    done = [(now, act) for now, _, act, _ in turns if act is not Act.NOTHING]
    assert done == [(180.0, Act.ANNOUNCE), (200.0, Act.SHUT_DOWN)]


def test_an_order_that_comes_to_nothing_is_given_again_but_not_in_every_turn() -> None:
    times = [now for now, _, act, _ in told([(Supply.LOW, 400)]) if act is Act.SHUT_DOWN]
    assert times == [ANNOUNCED_SECONDS + AGAIN_SECONDS * number for number in range(4)]


@pytest.mark.parametrize(
    ("status", "supply"),
    [
        ("OL", Supply.LINE),
        ("OL CHRG", Supply.LINE),
        ("OL CHRG LB", Supply.LINE),
        ("OB", Supply.BATTERY),
        ("OB DISCHRG", Supply.BATTERY),
        ("OB LB", Supply.LOW),
        ("FSD OL", Supply.LOW),
        ("FSD OB LB", Supply.LOW),
        ("OB CAL LB", Supply.LINE),
        ("BYPASS", Supply.LINE),
        ("OFF", Supply.UNKNOWN),
        ("WAIT", Supply.UNKNOWN),
        ("", Supply.UNKNOWN),
    ],
)
def test_the_words_of_a_status(status: str, supply: Supply) -> None:
    assert reading_of({"ups.status": status}).supply is supply


def test_charge_runtime_and_a_worn_battery_are_read() -> None:
    found = reading_of({"ups.status": "OL RB", "battery.charge": "97", "battery.runtime": "x"})
    assert (found.charge_percent, found.runtime_seconds, found.battery_worn) == (97.0, None, True)
