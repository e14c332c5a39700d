"""A root on paper: what is typed comes back as the same key, or the group that is wrong is named."""

import re

import hypothesis
import hypothesis.strategies as st
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archipel_contract.names import ID_ALPHABET
from archipel_contract.trust.keys import public_of
from archipel_fleet.trust import recovery
from archipel_fleet.trust.recovery import GROUP, GROUPS, RecoveryInvalid

seeds = st.binary(min_size=32, max_size=32)
groups = st.integers(0, GROUPS - 1)
places = st.integers(0, GROUP - 1)
GROUP_NAMED = re.compile(r"group (\d+)")


def printed(seed: bytes) -> tuple[str, list[str]]:
    """The text on paper, and its groups."""
    text = recovery.text(Ed25519PrivateKey.from_private_bytes(seed))
    rows = [line.partition(":")[2] for line in text.splitlines() if ":" in line]
    return text, " ".join(rows).split()


def refused(words: list[str]) -> str:
    """Why a text is refused."""
    with pytest.raises(RecoveryInvalid) as caught:
        recovery.read(" ".join(words))
    return str(caught.value)


@hypothesis.given(seeds)
def test_a_key_comes_back_from_paper_however_it_is_spaced_and_spelled(seed: bytes) -> None:
    text, words = printed(seed)
    assert len(words) == GROUPS
    misread = "".join(words).upper().replace("0", "O").replace("1", "l").replace("V", "u")
    for typed in (
        text,
        text.upper(),
        " ".join(words),
        "-".join(words),
        "".join(words),
        "\n".join(words),
        misread,
    ):
        assert recovery.read(typed).private_bytes_raw() == seed


def test_the_paper_names_the_key_without_telling_it() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert recovery.text(key).startswith(f"Archipel root key {public_of(key).key_id}\n")


@hypothesis.given(seeds, groups, places, st.sampled_from(ID_ALPHABET))
def test_every_wrong_character_is_found_and_its_group_named(
    seed: bytes, group: int, place: int, char: str
) -> None:
    words = printed(seed)[1]
    hypothesis.assume(words[group][place] != char)
    words[group] = words[group][:place] + char + words[group][place + 1 :]
    named = GROUP_NAMED.search(refused(words))
    assert named is not None
    assert int(named[1]) == group + 1


@hypothesis.given(seeds, groups, places, places)
def test_two_characters_of_a_group_that_changed_places_are_found(
    seed: bytes, group: int, one: int, other: int
) -> None:
    words = printed(seed)[1]
    letters = list(words[group])
    hypothesis.assume(letters[one] != letters[other])
    letters[one], letters[other] = letters[other], letters[one]
    words[group] = "".join(letters)
    assert f"group {group + 1} " in refused(words)


@hypothesis.given(seeds, groups, groups)
def test_two_groups_that_changed_places_are_found(seed: bytes, one: int, other: int) -> None:
    words = printed(seed)[1]
    hypothesis.assume(one != other)
    words[one], words[other] = words[other], words[one]
    assert f"group {min(one, other) + 1} " in refused(words)


@hypothesis.given(seeds, groups)
def test_a_group_left_out_or_typed_twice_is_found(seed: bytes, group: int) -> None:
    words = printed(seed)[1]
    assert "group" in refused(words[:group] + words[group + 1 :])
    assert "group" in refused(words[: group + 1] + words[group:])


@hypothesis.given(seeds, groups, places)
def test_a_character_too_few_or_too_many_is_found_in_its_group(seed: bytes, group: int, place: int) -> None:
    words = printed(seed)[1]
    short, long = list(words), list(words)
    short[group] = words[group][:place] + words[group][place + 1 :]
    long[group] = words[group][:place] + "7" + words[group][place:]
    for typed in (short, long):
        assert f"group {group + 1} has" in refused(typed)


@hypothesis.given(st.text(max_size=100))
def test_no_other_text_is_a_key_and_none_is_repeated(text: str) -> None:
    with pytest.raises(RecoveryInvalid) as caught:
        recovery.read(text)
    assert len(text.strip()) < 8 or text.strip() not in str(caught.value)


def test_paper_printed_today_is_read_for_years() -> None:
    assert recovery.text(Ed25519PrivateKey.from_private_bytes(bytes(range(32)))) == PAPER
    assert recovery.read(PAPER).private_bytes_raw() == bytes(range(32))


PAPER = """\
Archipel root key k-38spcbrn70vqjps8

1:  000gc  40r4y  0m301  e209m
2:  185g2  r38ee  1w810  24gkg
3:  2gah0  c5rr1  34d1a  p70xt
4:  3rfgy  zar4c
"""
