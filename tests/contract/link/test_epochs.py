"""Epochs: newer ones are greater, lanes never share one, and copies of one memory card part ways."""

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link.epochs import COUNTER_LIMIT, Lane, counter_of, lane_of, new_epoch

counters = st.integers(1, COUNTER_LIMIT - 1)
noises = st.binary(min_size=4, max_size=4)
lanes = st.sampled_from(Lane)


def epoch(counter: int, lane: Lane, noise: bytes) -> int:
    return new_epoch(counter, lane, lambda count: noise[:count])


@hypothesis.given(counters, lanes, noises)
def test_an_epoch_tells_its_start_and_its_lane_and_every_reader_of_json_keeps_it_exact(
    counter: int, lane: Lane, noise: bytes
) -> None:
    made = epoch(counter, lane, noise)
    assert (counter_of(made), lane_of(made)) == (counter, lane)
    assert 0 < made < 2**53 and int(float(made)) == made


@hypothesis.given(counters, counters, lanes, lanes, noises, noises)
def test_a_later_start_has_the_greater_epoch_whatever_chance_and_lane_say(
    one: int, other: int, lane: Lane, other_lane: Lane, noise: bytes, other_noise: bytes
) -> None:
    hypothesis.assume(one < other)
    assert epoch(one, lane, noise) < epoch(other, other_lane, other_noise)


@hypothesis.given(counters, st.lists(noises, min_size=4, max_size=4))
def test_the_lanes_of_one_start_never_share_an_epoch(counter: int, chance: list[bytes]) -> None:
    assert len({epoch(counter, lane, noise) for lane, noise in zip(Lane, chance, strict=True)}) == 4


def test_two_copies_of_a_memory_card_differ_by_chance() -> None:
    assert epoch(7, Lane.EVENT, b"\0\0\0\1") != epoch(7, Lane.EVENT, b"\0\0\0\2")
    assert len({epoch(7, Lane.EVENT, number.to_bytes(4, "big")) for number in range(1 << 10)}) == 1 << 10


@pytest.mark.parametrize("counter", [-1, 0, COUNTER_LIMIT])
def test_a_spent_or_absent_counter_makes_no_epoch(counter: int) -> None:
    with pytest.raises(ValueError, match="epoch counter"):
        epoch(counter, Lane.EVENT, bytes(4))


def test_lanes_are_ordered_by_what_is_given_up_last() -> None:
    assert sorted(Lane) == [Lane.RESULT, Lane.EVENT, Lane.STATE, Lane.METRIC]
