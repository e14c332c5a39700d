"""The chain of a device's audit journal: whatever is changed, taken out, moved, added or cut off is found."""

from dataclasses import replace

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.audit import (
    ACTION_LIMIT,
    DETAIL_LIMIT,
    AuditEntries,
    ChainBroken,
    ChainHead,
    Entry,
    appended,
    followed,
    hash_of,
)
from archipel_contract.facts import ClockQuality
from archipel_contract.wire import from_json, to_json

words = st.text(max_size=12)
deeds = st.lists(
    st.builds(
        Entry,
        number=st.just(0),
        at=st.integers(0, 2**45),
        clock=st.sampled_from(ClockQuality),
        actor=words,
        action=words,
        outcome=words,
        detail=words,
        params=st.dictionaries(words, words, max_size=2),
    ),
    min_size=1,
    max_size=6,
)
BEGINNING = ChainHead()


def chain(made: list[Entry]) -> tuple[ChainHead, list[Entry]]:
    """Entries one after the other, and where they end."""
    head, entries = BEGINNING, []
    for one in made:
        entries.append(appended(head, one))
        head = ChainHead(count=entries[-1].number, hash=entries[-1].hash)
    return head, entries


@hypothesis.given(deeds, st.integers(0, 6))
def test_a_whole_chain_is_followed_at_once_or_in_two_pieces(made: list[Entry], cut: int) -> None:
    head, entries = chain(made)
    assert followed(BEGINNING, entries) == head
    assert followed(followed(BEGINNING, entries[:cut]), entries[cut:]) == head
    assert followed(head, []) == head


@hypothesis.given(deeds)
def test_a_chain_survives_its_way_to_the_fleet(made: list[Entry]) -> None:
    head, entries = chain(made)
    came = from_json(AuditEntries, to_json(AuditEntries(entries=tuple(entries))))
    assert followed(BEGINNING, came.entries) == head


CHANGES = {
    "at": lambda one: replace(one, at=one.at + 1),
    "clock": lambda one: replace(
        one,
        clock=ClockQuality.PLAUSIBLE
        if one.clock is not ClockQuality.PLAUSIBLE
        else ClockQuality.SYNCHRONIZED,
    ),
    "actor": lambda one: replace(one, actor=one.actor + "x"),
    "action": lambda one: replace(one, action=one.action + "x"),
    "outcome": lambda one: replace(one, outcome=one.outcome + "x"),
    "detail": lambda one: replace(one, detail=one.detail + "x"),
    "params": lambda one: replace(one, params={**one.params, "more": "x"}),
    "before": lambda one: replace(one, before="0" * 64),
    "hash": lambda one: replace(one, hash="0" * 64),
    "number": lambda one: replace(one, number=one.number + 1),
}


@pytest.mark.parametrize("field", CHANGES)
@hypothesis.given(made=deeds, data=st.data())
def test_a_changed_field_is_found_with_its_number_or_at_the_head(
    field: str, made: list[Entry], data: st.DataObject
) -> None:
    _, entries = chain(made)
    place = data.draw(st.integers(0, len(entries) - 1))
    entries[place] = CHANGES[field](entries[place])
    with pytest.raises(ChainBroken) as caught:
        followed(BEGINNING, entries)
    assert caught.value.number == place + 1


@hypothesis.given(deeds, st.data())
def test_an_entry_that_was_changed_together_with_its_hash_betrays_itself_at_the_next_or_at_the_head(
    made: list[Entry], data: st.DataObject
) -> None:
    head, entries = chain(made)
    place = data.draw(st.integers(0, len(entries) - 1))
    changed = replace(entries[place], detail=entries[place].detail + "x")
    entries[place] = replace(changed, hash=hash_of(changed))
    try:
        assert followed(BEGINNING, entries) != head
    except ChainBroken as broken:
        assert broken.number == place + 2


@hypothesis.given(deeds, st.data())
def test_an_entry_that_was_taken_out_moved_or_said_twice_is_found(
    made: list[Entry], data: st.DataObject
) -> None:
    head, entries = chain(made)
    place = data.draw(st.integers(0, len(entries) - 1))
    other = data.draw(st.integers(0, len(entries) - 1))
    without = entries[:place] + entries[place + 1 :]
    moved = list(without)
    moved.insert(other, entries[place])
    twice = [*entries[: place + 1], *entries[place:]]
    for wrong in (without, moved, twice):
        if wrong == entries:
            continue
        try:
            # Cut off at the end a chain is one in itself: only the head that was reported tells.
            assert followed(BEGINNING, wrong) != head
        except ChainBroken as broken:
            assert broken.number > 0


def test_words_that_are_too_long_are_cut_before_they_are_hashed() -> None:
    _, (entry,) = chain(
        [Entry(number=0, at=1, clock=ClockQuality.UNKNOWN, actor="a", action="b" * 999, detail="c" * 9999)]
    )
    assert (len(entry.action), len(entry.detail)) == (ACTION_LIMIT, DETAIL_LIMIT)
    assert followed(BEGINNING, [entry]).count == 1


def test_the_hash_of_an_entry_stays_the_same_over_the_years() -> None:
    # A device writes its journal for years and another version reads it: a field more would change every hash.
    entry = Entry(
        number=1,
        at=1_790_000_000_000,
        clock=ClockQuality.SYNCHRONIZED,
        actor="fleet:nora",
        action="restart",
        outcome="done",
        detail="ä",
        params={"id": "c-1"},
    )
    assert hash_of(entry) == HASH


HASH = "2901424221c5f0b97d5e4c736bebf63ba5f49534fc7853652c65819ab0ed86df"
